//! `data.json.…`, `text.regex.match` and `text.template.render`: capabilities that only compute.

use super::{Asked, answer, capability};
use crate::builtin::input::Call;
use crate::builtin::setting::compile;
use crate::builtin::{Builtin, Effect, Failure, MOST_ITEMS, Output, path, template};
use serde_json::{Value, json};

pub(in crate::builtin) const PARSE: Builtin = capability("data.json.parse", Effect::Pure, parse);
pub(in crate::builtin) const STRINGIFY: Builtin = capability("data.json.stringify", Effect::Pure, stringify);
pub(in crate::builtin) const GET: Builtin = capability("data.json.get", Effect::Pure, get);
pub(in crate::builtin) const MATCH: Builtin = capability("text.regex.match", Effect::Pure, find);
pub(in crate::builtin) const RENDER: Builtin = capability("text.template.render", Effect::Pure, render);

fn parse(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "text")?;
    let data = serde_json::from_str::<Value>(asked.text("text")?);
    let data = data.map_err(|error| Failure::Rejected(format!("`text` is no JSON: {error}")))?;
    answer(&json!({ "success": true, "data": data }))
}

fn stringify(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "data")?;
    let data = asked.value("data")?;
    let text = match asked.flag("pretty", false)? {
        true => serde_json::to_string_pretty(data),
        false => serde_json::to_string(data),
    };
    let text = text.map_err(|error| Failure::Unreadable(format!("`data` cannot be written: {error}")))?;
    answer(&json!({ "success": true, "text": text }))
}

fn get(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "data")?;
    let place = asked.text("path")?;
    let found = path::Place::parse(place).all(asked.value("data")?);
    match (found.first(), asked.maybe_value("default")) {
        (Some(value), _) => answer(&json!({ "success": true, "found": true, "value": value })),
        (None, Some(default)) => answer(&json!({ "success": true, "found": false, "value": default })),
        (None, None) => Err(Failure::Missing(format!("`data` has nothing at `{place}`, and there is no `default`"))),
    }
}

fn find(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "text")?;
    let text = asked.text("text")?;
    let pattern =
        compile(asked.text("pattern")?).map_err(|reason| Failure::Unreadable(format!("`pattern` {reason}")))?;
    let mut matches = Vec::new();
    for (nth, found) in pattern.captures_iter(text).enumerate() {
        call.tick(nth)?;
        if nth == MOST_ITEMS {
            return Err(Failure::too_many("finding all matches"));
        }
        let groups = found.iter().map(|group| group.map(|group| group.as_str()));
        matches.push(groups.collect::<Vec<_>>());
    }
    let first = matches.first().and_then(|groups| groups.first().copied().flatten());
    answer(
        &json!({ "success": true, "matched": first.is_some(), "match": first, "groups": matches.first(), "count": matches.len() }),
    )
}

fn render(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "template")?;
    let none = json!({});
    let variables = asked.maybe_value("variables").unwrap_or(&none);
    let text = template::render(asked.text("template")?, variables).map_err(Failure::Template)?;
    answer(&json!({ "success": true, "text": text }))
}
