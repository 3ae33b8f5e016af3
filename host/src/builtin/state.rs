//! What sagas are made of: `initial-state`, `inputs`, `merge-state` and `merge-states`. The state is a JSON object; each step is given
//! some of it, and what it returns becomes part of it.

use super::buffer::{self, Buffer};
use super::input::{Call, Part};
use super::setting::{Kind, Setting};
use super::{Builtin, Effect, Failure, MOST_BYTES, Output, media, nothing_more};
use serde_json::{Map, Value, json};

const fn pure(
    name: &'static str,
    settings: &'static [Setting],
    run: fn(&Call<'_>) -> Result<Output, Failure>,
) -> Builtin {
    Builtin { name, effect: Effect::Pure, words: &[], instead: None, settings, check: nothing_more, run }
}

pub(super) const INITIAL_STATE: Builtin = pure(
    "initial-state",
    &[Setting::optional("state", Kind::Table, "what the state begins with; the input is laid over it")],
    initial_state,
);

pub(super) const INPUTS: Builtin = pure(
    "inputs",
    &[Setting::optional("inputs", Kind::Table, "the inputs, with `{{ path }}` where a value of the state belongs")],
    inputs,
);

pub(super) const MERGE_STATE: Builtin = pure(
    "merge-state",
    &[Setting::optional("step", Kind::Text, "under which name the outputs stand; without it, the name of their part")],
    merge_state,
);

pub(super) const MERGE_STATES: Builtin = pure("merge-states", &[], merge_states);

/// An object as it is; anything else is `input`.
fn initial_state(call: &Call<'_>) -> Result<Output, Failure> {
    let mut state = call.with.table("state").cloned().unwrap_or_default();
    call.whole()?;
    let given = match media::is_json(call.input.media_type) {
        true => call.json()?,
        // A text that says an object is meant as one: whoever types it has no other way to say so.
        false => match call.text()? {
            text if text.trim().is_empty() => Value::Object(Map::new()),
            text => serde_json::from_str(text).ok().filter(Value::is_object).unwrap_or_else(|| json!(text)),
        },
    };
    match given {
        Value::Object(given) => state.extend(given),
        other => _ = state.insert("input".to_owned(), other),
    }
    answer(&Value::Object(state))
}

fn inputs(call: &Call<'_>) -> Result<Output, Failure> {
    let state = call.json()?;
    let mut filling = Filling { state: &state, left: MOST_BYTES };
    let inputs = call.with.table("inputs").cloned().unwrap_or_default();
    let filled = inputs.into_iter().map(|(name, value)| Ok((name, filling.value(value)?)));
    answer(&Value::Object(filled.collect::<Result<_, Failure>>()?))
}

/// Fills templates in, and counts what they add.
struct Filling<'s> {
    state: &'s Value,
    left: usize,
}

impl Filling<'_> {
    /// Settings are nested as deep as TOML and JSON are read, so this may recurse.
    fn value(&mut self, value: Value) -> Result<Value, Failure> {
        Ok(match value {
            Value::String(text) => self.text(text)?,
            Value::Array(items) => {
                Value::Array(items.into_iter().map(|item| self.value(item)).collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let members = members.into_iter().map(|(name, value)| Ok((name, self.value(value)?)));
                Value::Object(members.collect::<Result<_, Failure>>()?)
            }
            other => other,
        })
    }

    /// A template that is the whole text keeps the type of its value; what the state does not have stays as it is written.
    fn text(&mut self, text: String) -> Result<Value, Failure> {
        let whole = first(&text).filter(|(_, after)| after.is_empty());
        if let Some(found) = whole.and_then(|(path, _)| find(self.state, path)) {
            self.spend(buffer::json(found)?.len())?;
            return Ok(found.clone());
        }
        let (mut filled, mut rest) = (String::new(), text.as_str());
        while let Some(at) = rest.find("{{") {
            let (before, template) = rest.split_at(at);
            filled.push_str(before);
            match first(template).and_then(|(path, after)| Some((find(self.state, path)?, after))) {
                Some((found, after)) => {
                    let said = said(found)?;
                    self.spend(said.len())?;
                    filled.push_str(&said);
                    rest = after;
                }
                // The second brace may begin a template.
                None => {
                    filled.push('{');
                    rest = template.get(1..).unwrap_or_default();
                }
            }
        }
        filled.push_str(rest);
        Ok(Value::String(filled))
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Failure> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| Failure::too_large("what the templates add"))?;
        Ok(())
    }
}

/// The path of the template that a text begins with, and what follows it.
fn first(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix("{{")?.trim_start();
    let is_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let end = inner.find(|c| !is_path(c)).filter(|end| *end > 0)?;
    let (path, after) = inner.split_at(end);
    Some((path, after.trim_start().strip_prefix("}}")?))
}

fn find<'s>(state: &'s Value, path: &str) -> Option<&'s Value> {
    path.split('.').try_fold(state, |value, name| value.as_object()?.get(name))
}

/// A value within a text: objects and lists as JSON, two columns for each level.
fn said(value: &Value) -> Result<String, Failure> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Array(_) | Value::Object(_) => {
            let mut text = Buffer::default();
            text.push_pretty(value, 2)?;
            Ok(String::from_utf8_lossy(&text.into_bytes()).into_owned())
        }
        other => Ok(other.to_string()),
    }
}

fn merge_state(call: &Call<'_>) -> Result<Output, Failure> {
    let parts = call.parts();
    let [state, outputs] = parts.as_slice() else {
        return Err(Failure::Unreadable(format!(
            "`merge-state` reads two parts, the state and what a step returned, and there are {}: `[merge-state <= in, STEP.out]`",
            parts.len()
        )));
    };
    let step = call.with.maybe("step").unwrap_or(outputs.name);
    let mut state = object(state)?;
    // What a command prints has the media type of its input, unless it says otherwise: it may be no JSON.
    let returned = serde_json::from_slice(outputs.payload).ok().filter(|_| media::is_json(outputs.media_type));
    let returned = returned.map_or_else(|| outputs.text().map(|text| json!(text)), Ok)?;
    let outputs = match returned {
        Value::Object(outputs) => outputs,
        Value::Null => Map::new(),
        other => Map::from_iter([("output".to_owned(), other)]),
    };
    if outputs.get("success") == Some(&Value::Bool(false)) {
        let why = ["error_message", "error", "message"].iter().find_map(|key| outputs.get(*key)?.as_str());
        return Err(Failure::Told {
            code: "E1093",
            reason: format!("`{step}` returned `success: false`: {}", why.unwrap_or("it does not say why")),
        });
    }
    state.extend(outputs.clone());
    state.insert(step.to_owned(), Value::Object(outputs));
    answer(&Value::Object(state))
}

/// Of each state, what is another than at the beginning; where two changed the same, the later counts.
fn merge_states(call: &Call<'_>) -> Result<Output, Failure> {
    let parts = call.parts();
    let Some((first, others)) = parts.split_first() else {
        return Err(Failure::Unreadable("`merge-states` reads parts, the state before them first".to_owned()));
    };
    let before = object(first)?;
    let mut state = before.clone();
    for part in others {
        state.extend(object(part)?.into_iter().filter(|(name, value)| before.get(name) != Some(value)));
    }
    answer(&Value::Object(state))
}

fn object(part: &Part<'_>) -> Result<Map<String, Value>, Failure> {
    match part.json()? {
        Value::Object(members) => Ok(members),
        _ => Err(Failure::Unreadable(format!("part `{}` is no state: a state is a JSON object", part.name))),
    }
}

fn answer(value: &Value) -> Result<Output, Failure> {
    Ok(Output::new(media::JSON, buffer::json(value)?))
}
