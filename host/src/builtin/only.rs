//! `only`: keeps the items for which a condition holds.

use super::condition::{CONTAINS, Condition, EQUALS, MATCHES, MAX, MIN, NOT};
use super::input::Call;
use super::items::AS;
use super::setting::{Kind, Setting};
use super::{Builtin, Effect, Failure, Output, nothing_more};

pub(super) const BUILTIN: Builtin = Builtin {
    name: "only",
    effect: Effect::Pure,
    words: &["some", "none"],
    instead: None,
    settings: &[
        Setting::optional("key", Kind::Text, "the member or column that is judged; not set: the item itself"),
        EQUALS,
        CONTAINS,
        MATCHES,
        MIN,
        MAX,
        NOT,
        AS,
    ],
    check: nothing_more,
    run,
};

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let condition = Condition::read(&call.with)?;
    let mut items = call.items()?;
    let key = items.key(call.with.text("key"))?;
    let before = items.items.len();
    let mut kept = Vec::with_capacity(before);
    for (round, item) in std::mem::take(&mut items.items).into_iter().enumerate() {
        call.tick(round)?;
        if condition.holds(item.get(&key).as_deref()) {
            kept.push(item);
        }
    }
    items.items = kept;
    let dropped = before - items.items.len();
    let word = if items.items.is_empty() { "none" } else { "some" };
    let output = if dropped == 0 { Output::same() } else { items.output(call)? };
    Ok(output.say(word).with("dropped", dropped))
}
