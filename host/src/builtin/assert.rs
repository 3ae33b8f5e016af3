//! `assert`: goes on only when a condition holds.

use super::condition::{CONTAINS, Condition, EQUALS, MATCHES, MAX, MIN, NOT};
use super::input::Call;
use super::path::Place;
use super::setting::{Kind, Setting};
use super::{Builtin, Effect, Failure, Output, nothing_more};
use serde_json::Value;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "assert",
    effect: Effect::Pure,
    words: &[],
    instead: Some("bad"),
    settings: &[
        Setting::optional(
            "key",
            Kind::Text,
            "judge what stands at this place of a JSON input, such as `items.0.price`; not set: the whole text",
        ),
        EQUALS,
        CONTAINS,
        MATCHES,
        MIN,
        MAX,
        NOT,
        Setting::optional("message", Kind::Text, "what the failure says first"),
    ],
    check: nothing_more,
    run,
};

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let condition = Condition::read(&call.with)?;
    let (whole, place) = match call.with.maybe("key") {
        Some(key) => (call.json()?, Place::parse(key)),
        None => (Value::from(call.text()?.trim_end_matches(['\r', '\n'])), Place::parse("")),
    };
    let Some(reason) = condition.why_not(place.get(&whole)) else { return Ok(Output::same()) };
    let subject = call.with.maybe("key").map(|key| format!("at `{key}`: ")).unwrap_or_default();
    let message = call.with.maybe("message").map(|message| format!("{message}: ")).unwrap_or_default();
    Err(Failure::Rejected(format!("{message}{subject}{reason}")))
}
