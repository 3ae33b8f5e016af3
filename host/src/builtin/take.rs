//! `take`: some items from the beginning or the end.

use super::input::Call;
use super::items::AS;
use super::setting::{Kind, Options, Setting};
use super::{Builtin, Effect, Failure, Output};

pub(super) const BUILTIN: Builtin = Builtin {
    name: "take",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[
        Setting::optional("first", Kind::Count, "so many from the beginning"),
        Setting::optional("last", Kind::Count, "so many from the end"),
        Setting::count("skip", 0, "leave out so many at the beginning first"),
        AS,
    ],
    check,
    run,
};

fn check(with: &Options<'_>) -> Result<(), Failure> {
    match (with.value("first"), with.value("last"), with.value("skip")) {
        (Some(_), Some(_), _) => Err(with.wrong("last", "cannot stand beside `first`: take twice")),
        (None, None, None) => Err(with.wrong("first", "has to be set, or `last`, or `skip`")),
        _ => Ok(()),
    }
}

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let mut items = call.items()?;
    let before = items.items.len();
    items.items.drain(..call.with.count("skip").min(before));
    if call.with.value("first").is_some() {
        items.items.truncate(call.with.count("first"));
    } else if call.with.value("last").is_some() {
        let over = items.items.len().saturating_sub(call.with.count("last"));
        items.items.drain(..over);
    }
    if items.items.len() == before { Ok(Output::same()) } else { items.output(call) }
}
