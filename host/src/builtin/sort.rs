//! `sort`: items in order.

use super::input::Call;
use super::items::{AS, number};
use super::setting::{Kind, Setting};
use super::{Builtin, Effect, Failure, Output, nothing_more};
use serde_json::Value;
use std::cmp::Ordering;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "sort",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[
        Setting::optional("key", Kind::Text, "the member or column that decides; not set: the item itself"),
        Setting::flag(
            "numeric",
            false,
            "by number: texts that are numbers count as such, what is no number comes last",
        ),
        Setting::flag("reverse", false, "the largest first; what comes last stays last"),
        AS,
    ],
    check: nothing_more,
    run,
};

/// What an item is ordered by: kinds in this order.
enum Rank {
    Null,
    Flag(bool),
    Number(f64),
    Text(String),
    Missing,
}

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let (numeric, reverse) = (call.with.flag("numeric"), call.with.flag("reverse"));
    let mut items = call.items()?;
    let key = items.key(call.with.text("key"))?;
    let mut ranked = Vec::with_capacity(items.items.len());
    for (round, item) in std::mem::take(&mut items.items).into_iter().enumerate() {
        call.tick(round)?;
        ranked.push((item.get(&key).map_or(Rank::Missing, |value| rank(&value, numeric)), item));
    }
    ranked.sort_by(|(a, _), (b, _)| match (a, b) {
        (Rank::Missing, _) | (_, Rank::Missing) => a.level().cmp(&b.level()),
        _ if reverse => b.cmp(a),
        _ => a.cmp(b),
    });
    items.items = ranked.into_iter().map(|(_, item)| item).collect();
    items.output(call)
}

fn rank(value: &Value, numeric: bool) -> Rank {
    if numeric {
        return number(value).map_or(Rank::Missing, Rank::Number);
    }
    match value {
        Value::Null => Rank::Null,
        Value::Bool(flag) => Rank::Flag(*flag),
        Value::Number(_) => Rank::Number(value.as_f64().unwrap_or(f64::INFINITY)),
        Value::String(text) => Rank::Text(text.clone()),
        other => Rank::Text(other.to_string()),
    }
}

impl Rank {
    fn level(&self) -> u8 {
        match self {
            Rank::Null => 0,
            Rank::Flag(_) => 1,
            Rank::Number(_) => 2,
            Rank::Text(_) => 3,
            Rank::Missing => 4,
        }
    }

    fn cmp(&self, other: &Rank) -> Ordering {
        match (self, other) {
            (Rank::Flag(a), Rank::Flag(b)) => a.cmp(b),
            (Rank::Number(a), Rank::Number(b)) => a.total_cmp(b),
            (Rank::Text(a), Rank::Text(b)) => a.cmp(b),
            _ => self.level().cmp(&other.level()),
        }
    }
}
