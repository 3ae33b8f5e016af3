//! `enrich`: facts about the input that can be counted, laid beside it.

use super::input::Call;
use super::items::{Form, Items, form};
use super::setting::{Kind, Options, Setting, kind_of};
use super::{Builtin, Effect, Failure, Output, buffer, media};
use serde_json::{Map, Value, json};

/// All facts, in the order in which they are given.
const FACTS: [&str; 11] =
    ["bytes", "digest", "lines", "words", "characters", "title", "elements", "members", "rows", "columns", "parts"];
/// How much of a heading is told, in characters.
const TITLE: usize = 120;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "enrich",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[
        Setting::choice(
            "into",
            &["attributes", "json"],
            "where the facts go: attributes beside the unchanged payload, or a member of a JSON object",
        ),
        Setting::text(
            "member",
            "facts",
            "with `into = \"json\"`: the name of that member; what is not a JSON object goes into a member `content` beside it",
        ),
        Setting::optional("facts", Kind::List, "only these facts; not set: all that the input has"),
        Setting::optional("add", Kind::Table, "further facts, as they are: names and texts, numbers or flags"),
    ],
    check,
    run,
};

fn check(with: &Options<'_>) -> Result<(), Failure> {
    for fact in with.list("facts").unwrap_or_default() {
        if !FACTS.contains(&fact) {
            let near = super::setting::nearest(fact, FACTS.into_iter()).map(|near| format!("; did you mean `{near}`?"));
            let hint = near.unwrap_or_else(|| format!("; there are {}", FACTS.join(", ")));
            return Err(with.wrong("facts", format!("has `{fact}`, which is no fact{hint}")));
        }
    }
    for (name, value) in with.table("add").into_iter().flatten() {
        if name.is_empty() || name.starts_with("aivm.") {
            return Err(with.wrong("add", format!("has `{name}`: names are not empty, and `aivm.` is reserved")));
        }
        if value.is_object() || value.is_array() || value.is_null() {
            return Err(
                with.wrong("add", format!("has {} at `{name}`: a text, a number or a flag has to be", kind_of(value)))
            );
        }
    }
    Ok(())
}

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let only = call.with.list("facts");
    let mut facts = facts(call, |fact| only.as_ref().is_none_or(|only| only.contains(&fact)))?;
    for (name, value) in call.with.table("add").into_iter().flatten() {
        facts.insert(name.clone(), value.clone());
    }
    if call.with.text("into") == "attributes" {
        let mut output = Output::same();
        for (name, value) in &facts {
            output = output.with(name, super::items::plain(value));
        }
        return Ok(output);
    }
    let member = call.with.text("member").to_owned();
    let mut object = match content(call)? {
        Value::Object(members) => members,
        other => Map::from_iter([("content".to_owned(), other)]),
    };
    object.insert(member, Value::Object(facts));
    Ok(Output::new(media::JSON, buffer::json(&object)?))
}

fn content(call: &Call<'_>) -> Result<Value, Failure> {
    if media::is_json(call.input.media_type) { call.json() } else { Ok(Value::from(call.text()?)) }
}

/// What can be counted of this kind of input; what cannot be read as its kind has only its size and digest.
fn facts(call: &Call<'_>, wanted: impl Fn(&str) -> bool) -> Result<Map<String, Value>, Failure> {
    let mut facts = Map::new();
    let mut add = |name: &str, value: Value| {
        if wanted(name) {
            facts.insert(name.to_owned(), value);
        }
    };
    let payload = call.input.payload;
    add("bytes", json!(payload.len()));
    add("digest", json!(blake3::hash(payload).to_hex().as_str()));
    if !call.input.parts.is_empty() || media::is_parts(call.input.media_type) {
        add("parts", json!(call.input.parts.len()));
        return Ok(facts);
    }
    if !media::is_text(call.input.media_type) {
        return Ok(facts);
    }
    let Ok(text) = call.text() else { return Ok(facts) };
    match form("auto", call.input.media_type) {
        Form::Lines => {
            add("lines", json!(text.lines().count()));
            add("words", json!(text.split_whitespace().count()));
            add("characters", json!(text.chars().count()));
            title(text).into_iter().for_each(|title| add("title", json!(title)));
        }
        Form::Json => match call.json() {
            Ok(Value::Array(elements)) => add("elements", json!(elements.len())),
            Ok(Value::Object(members)) => {
                add("members", json!(members.len()));
                let title = members.get("title").and_then(Value::as_str);
                title.into_iter().for_each(|title| add("title", json!(shorten(title))));
            }
            _ => {}
        },
        form => {
            if let Ok(items) = Items::read(text, form) {
                add("rows", json!(items.items.len()));
                if let Form::Csv(_) = form {
                    add("columns", json!(items.header.len()));
                }
            }
        }
    }
    Ok(facts)
}

/// The first Markdown heading, else the first line that is not blank.
pub(super) fn title(text: &str) -> Option<String> {
    let heading = text
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
    let first = || text.lines().map(str::trim).find(|line| !line.is_empty());
    heading.map(str::trim).find(|heading| !heading.is_empty()).or_else(first).map(shorten)
}

fn shorten(text: &str) -> String {
    text.trim().chars().take(TITLE).collect()
}
