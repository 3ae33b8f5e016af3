//! `stats`: what many numbers come to.

use super::input::Call;
use super::items::{AS, number, plain};
use super::setting::{Kind, Setting};
use super::{Builtin, Effect, Failure, Output, buffer, media, nothing_more};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "stats",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[
        Setting::optional("key", Kind::Text, "the member or column with the numbers; not set: the item itself"),
        Setting::optional("by", Kind::Text, "for each value of this member or column its own"),
        AS,
    ],
    check: nothing_more,
    run,
};

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let items = call.items()?;
    let key = items.key(call.with.text("key"))?;
    let by = call.with.maybe("by").map(|by| items.key(by)).transpose()?;
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<(String, Group)> = Vec::new();
    for (round, item) in items.items.iter().enumerate() {
        call.tick(round)?;
        let name = by.as_ref().and_then(|by| item.get(by)).map_or(String::new(), |value| plain(&value).into_owned());
        let at = *places.entry(name).or_insert_with_key(|name| {
            groups.push((name.clone(), Group::default()));
            groups.len() - 1
        });
        let Some((_, group)) = groups.get_mut(at) else { continue };
        match item.get(&key).as_deref().and_then(number) {
            Some(number) => group.numbers.push(number),
            None => group.skipped += 1,
        }
    }
    let answer = if by.is_some() {
        Value::Object(groups.into_iter().map(|(name, group)| (name, group.figures())).collect::<Map<_, _>>())
    } else {
        groups.pop().unwrap_or_default().1.figures()
    };
    Ok(Output::new(media::JSON, buffer::json(&answer)?))
}

/// The numbers of one group, and how many items have none.
#[derive(Default)]
struct Group {
    numbers: Vec<f64>,
    skipped: usize,
}

impl Group {
    /// Of no numbers only the counts are known.
    fn figures(&self) -> Value {
        let mut sorted = self.numbers.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let count = sorted.len();
        let mut figures = Map::new();
        figures.insert("count".into(), json!(count));
        figures.insert("skipped".into(), json!(self.skipped));
        let (Some(min), Some(max)) = (sorted.first(), sorted.last()) else { return Value::Object(figures) };
        let sum: f64 = self.numbers.iter().sum();
        let middle = |at: usize| sorted.get(at).copied().unwrap_or(f64::NAN);
        let median = if count % 2 == 1 { middle(count / 2) } else { (middle(count / 2 - 1) + middle(count / 2)) / 2.0 };
        for (name, figure) in
            [("sum", sum), ("min", *min), ("max", *max), ("mean", sum / count as f64), ("median", median)]
        {
            figures.insert(name.into(), whole(figure));
        }
        Value::Object(figures)
    }
}

/// Whole numbers without a fraction.
pub(super) fn whole(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 9e15 { json!(number as i64) } else { json!(number) }
}
