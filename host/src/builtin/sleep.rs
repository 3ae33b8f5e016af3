//! `sleep`: passes its input on after a while. The host does the waiting.

use super::input::Call;
use super::setting::{Kind, Preset, Setting};
use super::{Builtin, Effect, Failure, Output, nothing_more};
use aivm_schema::unit::Milliseconds;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "sleep",
    // Not pure: an answer from a cache, or a mock, must not count as having waited.
    effect: Effect::Read,
    words: &[],
    instead: None,
    settings: &[Setting {
        name: "for",
        kind: Kind::Duration,
        preset: Preset::Text("1s"),
        about: "how long; the step's deadline holds all the same",
    }],
    check: nothing_more,
    run,
};

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let wait = call.with.text("for").parse::<Milliseconds>();
    let wait = wait.map_err(|error| call.with.wrong("for", error.to_string()))?;
    Ok(Output { wait_ms: wait.0, ..Output::same() })
}
