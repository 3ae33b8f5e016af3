//! `validate`: is the input of the form that the next steps rely on?

use super::input::Call;
use super::items::{Form, Item, Items, form};
use super::rules::{Rule, Rules};
use super::schema::{Schema, Violations};
use super::setting::{Kind, Options, Setting};
use super::{Builtin, Effect, Failure, Output, media};
use serde_json::Value;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "validate",
    effect: Effect::Pure,
    words: &[],
    instead: Some("bad"),
    settings: &[
        Setting::optional(
            "schema",
            Kind::Any,
            "a JSON Schema, as a table or as JSON text; NDJSON is checked value by value",
        ),
        Setting::optional("columns", Kind::Table, "columns of CSV or TSV and what their fields have to be"),
        Setting::optional("matches", Kind::Pattern, "the text has to match this"),
        Setting::optional("max-bytes", Kind::Count, "the payload has to be no longer than this"),
        Setting::flag("empty", false, "may the payload be empty, or nothing but white space?"),
    ],
    check,
    run,
};

fn check(with: &Options<'_>) -> Result<(), Failure> {
    if let Some(schema) = schema(with)? {
        Schema::read(&schema).map_err(|reason| with.wrong("schema", format!("is wrong: {reason}")))?;
    }
    if with.value("schema").is_some() && with.value("columns").is_some() {
        return Err(with.wrong("columns", "cannot stand beside `schema`: one is for CSV, the other for JSON"));
    }
    Rule::read(with, "columns").map(|_| ())
}

/// The schema, if one is set.
pub(super) fn schema(with: &Options<'_>) -> Result<Option<Value>, Failure> {
    match with.value("schema") {
        Some(Value::String(text)) => {
            let parsed = serde_json::from_str(text);
            parsed.map(Some).map_err(|error| with.wrong("schema", format!("is not JSON: {error}")))
        }
        other => Ok(other.cloned()),
    }
}

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    call.whole()?;
    let payload = call.input.payload;
    let mut found = Violations::default();
    if !call.with.flag("empty") && payload.iter().all(u8::is_ascii_whitespace) {
        found.add("", || "is empty".into());
        return Err(rejected(&found));
    }
    if let Some(most) = call.with.value("max-bytes").and_then(Value::as_u64).filter(|most| payload.len() as u64 > *most)
    {
        found.add("", || format!("has {} bytes, more than {most}", payload.len()));
    }
    if let Some(pattern) =
        call.with.pattern("matches")?.filter(|pattern| !call.text().is_ok_and(|text| pattern.is_match(text)))
    {
        found.add("", || format!("does not match `{pattern}`"));
    }
    match judge_form(call, &mut found) {
        Err(Failure::Unreadable(reason)) => found.add("", || reason),
        other => other?,
    }
    if found.count == 0 { Ok(Output::same()) } else { Err(rejected(&found)) }
}

fn rejected(found: &Violations) -> Failure {
    Failure::Rejected(found.text())
}

/// By what is set, else by the media type; what cannot be read is a violation as well.
fn judge_form(call: &Call<'_>, found: &mut Violations) -> Result<(), Failure> {
    let media_type = call.input.media_type;
    let form = form("auto", media_type);
    if let Some(schema) = schema(&call.with)? {
        let schema = Schema::read(&schema).map_err(|reason| call.with.wrong("schema", reason))?;
        if form == Form::Ndjson {
            let items = Items::read(call.text()?, form)?;
            for (nth, item) in items.items.iter().enumerate() {
                call.tick(nth)?;
                if let Item::Value(value) = item {
                    merge(schema.check(value), &format!("value {}", nth + 1), found);
                }
            }
        } else {
            merge(schema.check(&call.json()?), "", found);
        }
    } else if call.with.table("columns").is_some() {
        judge_rows(call, if let Form::Csv(_) = form { form } else { Form::Csv(b',') }, found)?;
    } else if form != Form::Lines && media::is_text(media_type) {
        if form == Form::Json { call.json().map(|_| ())? } else { Items::read(call.text()?, form).map(|_| ())? }
    } else if media::is_text(media_type) {
        call.text()?;
    }
    Ok(())
}

fn judge_rows(call: &Call<'_>, form: Form, found: &mut Violations) -> Result<(), Failure> {
    let rules = Rule::read(&call.with, "columns")?;
    let items = Items::read(call.text()?, form)?;
    let mut rules = match Rules::over(&rules, &items.header) {
        Ok(rules) => rules,
        Err(missing) => {
            missing.into_iter().for_each(|what| found.add("the header", || what));
            return Ok(());
        }
    };
    for (nth, item) in items.items.iter().enumerate() {
        call.tick(nth)?;
        if let Item::Row(row) = item {
            for reason in rules.check(nth + 1, |column| row.get(column).unwrap_or("")) {
                found.add(&format!("row {}", nth + 1), || reason);
            }
        }
    }
    Ok(())
}

fn merge(more: Violations, place: &str, found: &mut Violations) {
    let hidden = more.count - more.list.len();
    for violation in more.list {
        match place {
            "" => {
                found.count += 1;
                if found.list.len() < super::schema::MOST_VIOLATIONS {
                    found.list.push(violation);
                }
            }
            place => found.add(place, || violation),
        }
    }
    found.count += hidden;
}
