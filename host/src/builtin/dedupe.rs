//! `dedupe`: of equal items, one.

use super::input::Call;
use super::items::{AS, plain};
use super::schema::canonical;
use super::setting::{Kind, Setting};
use super::{Builtin, Effect, Failure, Output, nothing_more};
use serde_json::Value;
use std::collections::HashSet;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "dedupe",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[
        Setting::optional(
            "key",
            Kind::Text,
            "the member or column that is compared; not set: the whole item; items without it are all kept",
        ),
        Setting::choice("keep", &["first", "last"], "which of them stays, in its place"),
        Setting::flag("fold", false, "texts that differ only in case or white space are equal"),
        AS,
    ],
    check: nothing_more,
    run,
};

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let (last, fold) = (call.with.text("keep") == "last", call.with.flag("fold"));
    let mut items = call.items()?;
    let key = items.key(call.with.text("key"))?;
    let before = items.items.len();
    if last {
        items.items.reverse();
    }
    let mut seen = HashSet::new();
    let mut kept = Vec::with_capacity(before);
    for (round, item) in std::mem::take(&mut items.items).into_iter().enumerate() {
        call.tick(round)?;
        let identity = item.get(&key).map(|value| if fold { folded(&plain(&value)) } else { identity(&value) });
        if identity.is_none_or(|identity| seen.insert(identity)) {
            kept.push(item);
        }
    }
    items.items = kept;
    if last {
        items.items.reverse();
    }
    let dropped = before - items.items.len();
    let output = if dropped == 0 { Output::same() } else { items.output(call)? };
    Ok(output.with("dropped", dropped))
}

fn identity(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // The prefix keeps the number 1 and the text "1" apart.
        other => format!("\0{}", canonical(other)),
    }
}

/// Lower case, and one space where there is white space.
pub(super) fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}
