//! `quarantine`: separates the items that follow the rules from those that do not, so that the good ones can go on.

use super::input::Call;
use super::items::{Form, Item, Items, form};
use super::rules::{Rule, Rules};
use super::schema::Schema;
use super::setting::{Kind, Options, Setting};
use super::{Builtin, Effect, Failure, MOST_ITEMS, Output, buffer, media, validate};
use serde_json::{Value, json};

pub(super) const BUILTIN: Builtin = Builtin {
    name: "quarantine",
    effect: Effect::Pure,
    words: &["clean", "dirty"],
    instead: None,
    settings: &[
        Setting::optional(
            "columns",
            Kind::Table,
            "CSV or TSV: columns and what their fields have to be, as in `validate`",
        ),
        Setting::optional("schema", Kind::Any, "JSON or NDJSON: the JSON Schema of each element, as in `validate`"),
    ],
    check,
    run,
};

fn check(with: &Options<'_>) -> Result<(), Failure> {
    if with.value("columns").is_some() == with.value("schema").is_some() {
        return Err(with.wrong("columns", "or `schema` has to be set, and not both"));
    }
    if let Some(schema) = validate::schema(with)? {
        Schema::read(&schema).map_err(|reason| with.wrong("schema", format!("is wrong: {reason}")))?;
    }
    Rule::read(with, "columns").map(|_| ())
}

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let mut sorted = Sorted::default();
    match validate::schema(&call.with)? {
        Some(schema) => values(call, &schema, &mut sorted)?,
        None => rows(call, &mut sorted)?,
    }
    let word = if sorted.bad.is_empty() { "clean" } else { "dirty" };
    let counts = (sorted.good.len(), sorted.bad.len());
    let answer = json!({ "good": sorted.good, "bad": sorted.bad });
    Ok(Output::new(media::JSON, buffer::json(&answer)?).say(word).with("good", counts.0).with("bad", counts.1))
}

#[derive(Default)]
struct Sorted {
    good: Vec<Value>,
    bad: Vec<Value>,
}

impl Sorted {
    fn add(&mut self, nth: usize, value: Value, reasons: Vec<String>) {
        if reasons.is_empty() {
            self.good.push(value);
        } else {
            self.bad.push(json!({ "row": nth, "reasons": reasons, "value": value }));
        }
    }
}

fn values(call: &Call<'_>, schema: &Value, sorted: &mut Sorted) -> Result<(), Failure> {
    let schema = Schema::read(schema).map_err(|reason| call.with.wrong("schema", reason))?;
    let form = if form("auto", call.input.media_type) == Form::Ndjson { Form::Ndjson } else { Form::Json };
    for (nth, item) in Items::read(call.text()?, form)?.items.into_iter().enumerate() {
        call.tick(nth)?;
        if let Item::Value(value) = item {
            let reasons = schema.check(&value).list;
            sorted.add(nth + 1, value, reasons);
        }
    }
    Ok(())
}

/// Rows that have too many or too few fields are bad rows too, and then a list of their fields.
fn rows(call: &Call<'_>, sorted: &mut Sorted) -> Result<(), Failure> {
    let separator = if let Form::Csv(separator) = form("auto", call.input.media_type) { separator } else { b',' };
    let text = call.text()?;
    let mut reader = csv::ReaderBuilder::new().delimiter(separator).flexible(true).from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().map_err(super::items::wrong_csv)?.iter().map(str::to_owned).collect();
    let rules = Rule::read(&call.with, "columns")?;
    let mut rules = Rules::over(&rules, &header).map_err(|missing| Failure::Rejected(missing.join("\n")))?;
    for (nth, row) in reader.records().enumerate() {
        call.tick(nth)?;
        if nth == MOST_ITEMS {
            return Err(Failure::too_many("reading the input"));
        }
        let row = row.map_err(super::items::wrong_csv)?;
        if row.len() != header.len() {
            let fields: Value = row.iter().map(Value::from).collect();
            sorted.add(
                nth + 1,
                fields,
                vec![format!("it has {} fields, and the header has {}", row.len(), header.len())],
            );
            continue;
        }
        let reasons = rules.check(nth + 1, |column| row.get(column).unwrap_or(""));
        sorted.add(nth + 1, Item::Row(row).value(&header).into_owned(), reasons);
    }
    Ok(())
}
