//! `program`: runs a program that was written while the run goes on. Its settings are here; how a program is compiled, held to what it
//! may do, and carried on is in `work/program.rs`.

use super::input::Call;
use super::setting::{Kind, Setting};
use super::{Builtin, Effect, Failure, Output, Settings, media, nothing_more};

/// The word of this built-in.
pub const PROGRAM: &str = "program";
/// The media type of a page of arrows.
pub const ARROWS: &str = "text/x-aivm";
/// What it answers, instead of failing, when the text is not run.
pub const REFUSED: &str = "refused";
/// So many calls a program may make, when nothing else is said.
pub const CALLS: u64 = 100;

pub(super) const BUILTIN: Builtin = Builtin {
    name: PROGRAM,
    // Its calls may do no more, and its run is known by its own: done again, it goes on.
    effect: Effect::Idempotent,
    words: &[],
    instead: Some(REFUSED),
    settings: &[
        Setting::optional(
            "workers",
            Kind::List,
            "whom the program may call besides built-ins that only compute: words of the project; none may do what cannot be done twice",
        ),
        Setting::count("calls", CALLS, "a program that could make more calls is refused"),
    ],
    check: nothing_more,
    run,
};

/// Where nothing carries a run on, there is none for a program either.
fn run(call: &Call<'_>) -> Result<Output, Failure> {
    is_program(call.input.media_type)?;
    Err(Failure::Told { code: "E1052", reason: "a program is run by a run, and there is none here".to_owned() })
}

/// May a built-in with these settings change any file of the workspace, as its input says? Then also those that say what a word means.
pub fn changes_any_file(builtin: &Builtin, with: &Settings) -> bool {
    let held = with.contains_key("within");
    let says_where = builtin.settings.iter().any(|setting| setting.name == "within");
    let is_capability = ["io.fs.", "sys.archive."].iter().any(|family| builtin.name.starts_with(family));
    builtin.effect > Effect::Read && (says_where && !held || is_capability)
}

/// Is a value of this type a page of arrows?
pub fn is_program(media_type: &str) -> Result<(), Failure> {
    if media::essence(media_type) == ARROWS {
        return Ok(());
    }
    let reason =
        format!("a value of the type `{media_type}` is no program: whoever writes it says  returns = \"{ARROWS}\"");
    Err(Failure::Told { code: "E1052", reason })
}
