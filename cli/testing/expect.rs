//! What is expected of a run, held against what came: each difference in words, with what was expected and what came.

use super::file::{Case, Output, Status};
use super::{path, trimmed};
use crate::run::readable_parts;
use aivm_host::builtin;
use aivm_host::store::Store;
use aivm_host::trace::{StepRecord, Totals, dollars};
use aivm_schema::artifact::{Artifact, parts};
use aivm_schema::unit::Money;
use aivm_vm::action::CallError;
use serde_json::Value as Json;
use similar::TextDiff;

/// What came of a run.
pub struct Came {
    pub status: &'static str,
    pub exhausted: bool,
    pub verdict: Option<String>,
    pub output: Option<Value>,
    pub error: Option<CallError>,
    pub totals: Totals,
    pub steps: Vec<StepRecord>,
}

/// What was sent.
pub struct Value {
    pub media_type: String,
    pub payload: Vec<u8>,
    /// As JSON; several values by their names.
    json: Result<Json, String>,
}

impl Value {
    pub fn of(output: &Artifact, store: &dyn Store) -> Value {
        let one = |value: &Artifact| {
            serde_json::from_slice(value.payload()).map_err(|error| format!("it is no JSON: {error}"))
        };
        let (payload, json) = match output.media_type() == parts::MEDIA_TYPE {
            false => (output.payload().to_vec(), one(output)),
            true => {
                let named = aivm_host::parts::named(output, store).unwrap_or_default();
                let text = |value: &Artifact| Json::from(String::from_utf8_lossy(value.payload()).into_owned());
                let members =
                    named.iter().map(|(name, _, value)| (name.clone(), one(value).unwrap_or_else(|_| text(value))));
                let payload = readable_parts(output, store).unwrap_or_else(|| output.payload().to_vec());
                (payload, Ok(Json::Object(members.collect())))
            }
        };
        Value { media_type: output.media_type().to_owned(), payload, json }
    }

    pub fn text(&self) -> Result<&str, String> {
        std::str::from_utf8(&self.payload)
            .map_err(|_| format!("the output is no text: {} bytes of {}", self.payload.len(), self.media_type))
    }
}

/// Everything that is not as expected.
pub fn wrong(case: &Case, came: &Came) -> Vec<String> {
    let mut wrong = Vec::new();
    let said = came.error.as_ref().map(|error| {
        let at = if error.step.is_empty() { String::new() } else { format!(" at {}", error.step) };
        format!("{}{at}: {}", error.code, error.message.replace('\n', "; "))
    });
    let why = said.as_ref().map(|said| format!(" ({said})")).unwrap_or_default();
    // A test that says nothing of the end expects a good one.
    let status = case.status.or(case.error.is_none().then_some(Status::Sent));
    let as_expected = |status: Status| match status {
        Status::Exhausted => came.exhausted,
        status => status.word() == came.status,
    };
    if let Some(status) = status.filter(|status| !as_expected(*status)) {
        let came = if came.exhausted { Status::Exhausted.word() } else { came.status };
        wrong.push(format!("status: {} was expected, and it is {came}{why}", status.word()));
    }
    if let Some(code) = &case.error
        && came.error.as_ref().is_none_or(|error| error.code != *code)
    {
        wrong.push(format!("error: {code} was expected, and it is {}", said.as_deref().unwrap_or("none")));
    }
    if let Some(verdict) = &case.verdict
        && came.verdict.as_ref() != Some(verdict)
    {
        let came = came.verdict.as_ref().map_or("none".to_owned(), |verdict| format!("`{verdict}`"));
        wrong.push(format!("verdict: `{verdict}` was expected, and it is {came}"));
    }
    wrong
        .extend(case.path.as_ref().and_then(|path| path::differs(path, &came.steps)).map(|why| format!("path: {why}")));
    if let Some(most) = case.calls.filter(|most| came.totals.calls > *most) {
        wrong.push(format!("calls: at most {most} were expected, and there were {}", came.totals.calls));
    }
    let cost = Money((came.totals.cost_usd / dollars(1)).round() as u64);
    if let Some(most) = case.cost.filter(|most| cost > *most) {
        wrong.push(format!("cost: at most {most} was expected, and it is {cost}"));
    }
    match (&case.output, &came.output) {
        (Some(expected), Some(value)) => output(expected, value, &mut wrong),
        (Some(_), None) => wrong.push("output: there is none: nothing was sent".to_owned()),
        (None, _) => {}
    }
    wrong
}

fn output(expected: &Output, value: &Value, wrong: &mut Vec<String>) {
    let texts = expected.text.is_some() || !expected.contains.is_empty() || expected.regex.is_some();
    match value.text() {
        Ok(text) => {
            if let Some(whole) = expected.text.as_ref().filter(|whole| trimmed(whole) != trimmed(text)) {
                wrong.push(format!("output: another text was expected\n{}", difference(whole, text)));
            }
            for part in expected.contains.iter().filter(|part| !text.contains(part.as_str())) {
                wrong.push(format!("output: {part:?} is not in it\n{}", excerpt(text)));
            }
            if let Some(regex) = expected.regex.as_ref().filter(|regex| !regex.is_match(text)) {
                wrong.push(format!("output: nothing in it matches /{regex}/\n{}", excerpt(text)));
            }
        }
        Err(why) if texts => wrong.push(format!("output: {why}")),
        Err(_) => {}
    }
    if expected.json.is_empty() && expected.schema.is_none() {
        return;
    }
    let json = match &value.json {
        Ok(json) => json,
        Err(why) => {
            wrong.push(format!("output: {why}\n{}", value.text().map(excerpt).unwrap_or_default()));
            return;
        }
    };
    for (place, expected) in &expected.json {
        let found = builtin::values_at(json, place);
        // `*` stands for all that there are.
        let came = match place.split(['.', '/']).any(|key| key == "*") {
            true => Some(Json::Array(found.into_iter().cloned().collect())),
            false => found.first().map(|value| (*value).clone()),
        };
        match came {
            Some(came) if same(expected, &came) => {}
            Some(came) => wrong.push(format!("output: {expected} was expected at `{place}`, and there is {came}")),
            None => wrong.push(format!(
                "output: {expected} was expected at `{place}`, and there is nothing in {}",
                excerpt(&json.to_string())
            )),
        }
    }
    if let Some(schema) = &expected.schema {
        let violations = builtin::violations(schema, json).unwrap_or_else(|reason| vec![reason]);
        wrong.extend(violations.iter().map(|violation| format!("output: against the schema: {violation}")));
    }
}

/// Equal; numbers by their values: TOML and JSON write 1 and 1.0 as they like.
fn same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Json::Object(one), Json::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| other.get(key).is_some_and(|other| same(one, other)))
        }
        (one, other) => one == other,
    }
}

/// The beginning of a text, for a message.
fn excerpt(text: &str) -> String {
    const MOST: usize = 400;
    let text = trimmed(text);
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}

/// `-` was expected, `+` came.
pub fn difference(expected: &str, came: &str) -> String {
    let (expected, came) = (format!("{}\n", trimmed(expected)), format!("{}\n", trimmed(came)));
    let diff = TextDiff::from_lines(expected.as_str(), came.as_str());
    diff.unified_diff().context_radius(2).header("expected", "came").to_string().trim_end().to_owned()
}
