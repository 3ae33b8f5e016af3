//! `count`: how much there is.

use super::input::Call;
use super::items::{AS, Form, plain};
use super::setting::{Kind, Setting};
use super::{Builtin, Effect, Failure, Output, buffer, media, nothing_more};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "count",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[
        Setting::choice(
            "what",
            &["all", "items", "words", "characters", "bytes"],
            "one number, or `all` of them in an object; items are parts, elements, values, rows or lines",
        ),
        Setting::optional(
            "by",
            Kind::Text,
            "count the items for each value of this member or column, the most frequent first; for lines `\"\"`, the line itself",
        ),
        AS,
    ],
    check: nothing_more,
    run,
};

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    if let Some(key) = call.with.maybe("by") {
        return tally(call, key);
    }
    let mut all: Map<String, Value> = Map::new();
    let bytes = call.input.payload.len();
    if !call.input.parts.is_empty() || media::is_parts(call.input.media_type) {
        all.insert("items".into(), json!(call.input.parts.len()));
    } else if media::is_text(call.input.media_type) {
        let text = call.text()?;
        let single = super::items::form(call.with.text("as"), call.input.media_type) == Form::Json
            && !matches!(call.json()?, Value::Array(_));
        all.insert("items".into(), json!(if single { 1 } else { call.items()?.items.len() }));
        all.insert("words".into(), json!(text.split_whitespace().count()));
        all.insert("characters".into(), json!(text.chars().count()));
    }
    all.insert("bytes".into(), json!(bytes));
    let answer = match call.with.text("what") {
        "all" => Value::Object(all),
        one => all.remove(one).ok_or_else(|| {
            Failure::Unreadable(format!("there are no {one} in an input of the type `{}`", call.input.media_type))
        })?,
    };
    Ok(Output::new(media::JSON, buffer::json(&answer)?))
}

fn tally(call: &Call<'_>, key: &str) -> Result<Output, Failure> {
    let items = call.items()?;
    let key = items.key(key)?;
    let mut counts: HashMap<String, usize> = HashMap::new();
    for (round, item) in items.items.iter().enumerate() {
        call.tick(round)?;
        let name = item.get(&key).map_or(String::new(), |value| plain(&value).into_owned());
        *counts.entry(name).or_default() += 1;
    }
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_unstable_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
    let counts: Map<String, Value> = counts.into_iter().map(|(name, count)| (name, json!(count))).collect();
    Ok(Output::new(media::JSON, buffer::json(&counts)?))
}
