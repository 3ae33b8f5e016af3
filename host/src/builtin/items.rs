//! Inputs that are many things in a row: lines, elements of a JSON array, values of NDJSON, rows of CSV. What orders, picks
//! or counts works on these, and writes them back in the form in which they came.

use super::buffer::Buffer;
use super::path::Place;
use super::setting::Setting;
use super::{Call, Failure, MOST_ITEMS, Output, media};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// How the input is read; every built-in that reads items has it.
pub(super) const AS: Setting = Setting::choice(
    "as",
    &["auto", "lines", "json", "ndjson", "csv", "tsv"],
    "how the input is read; `auto` goes by its media type: elements of a JSON array, values of NDJSON, rows of CSV or TSV, else lines",
);

/// The form of the items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Lines of text.
    Lines,
    /// Elements of a JSON array.
    Json,
    /// One JSON value a line.
    Ndjson,
    /// Rows below a header, with this separator.
    Csv(u8),
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item<'a> {
    Line(&'a str),
    Value(Value),
    Row(csv::StringRecord),
}

/// All of them.
#[derive(Clone, Debug)]
pub(super) struct Items<'a> {
    pub form: Form,
    /// The names of the columns of rows.
    pub header: Vec<String>,
    pub items: Vec<Item<'a>>,
}

/// Where an item's key stands.
#[derive(Clone, Debug)]
pub(super) enum Key {
    /// The item itself.
    Whole,
    /// There in each value.
    Place(Place),
    /// In this column.
    Column(usize),
}

/// The form that `as` or the media type says.
pub(super) fn form(name: &str, media_type: &str) -> Form {
    match (name, media::essence(media_type)) {
        ("lines", _) => Form::Lines,
        ("json", _) => Form::Json,
        ("ndjson", _) => Form::Ndjson,
        ("csv", _) | ("auto", media::CSV) => Form::Csv(b','),
        ("tsv", _) | ("auto", media::TSV) => Form::Csv(b'\t'),
        _ if media::is_json(media_type) => Form::Json,
        _ if media::is_ndjson(media_type) => Form::Ndjson,
        _ => Form::Lines,
    }
}

impl<'a> Call<'a> {
    /// The input's items, read as the setting `as` says.
    pub(super) fn items(&self) -> Result<Items<'a>, Failure> {
        Items::read(self.text()?, form(self.with.text("as"), self.input.media_type))
    }
}

impl<'a> Items<'a> {
    /// Reads them.
    pub fn read(text: &'a str, form: Form) -> Result<Items<'a>, Failure> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut header = Vec::new();
        let items = match form {
            Form::Lines => collect(text.lines().map(|line| Ok(Item::Line(line))))?,
            Form::Json => match super::input::read_json(text.as_bytes())? {
                Value::Array(elements) => collect(elements.into_iter().map(|element| Ok(Item::Value(element))))?,
                other => {
                    return Err(Failure::Unreadable(format!(
                        "the input is JSON but not an array, it is {}: `get` takes an array out of an object",
                        super::setting::kind_of(&other)
                    )));
                }
            },
            Form::Ndjson => {
                collect(text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(|(at, line)| {
                    let wrong = |error| Failure::Unreadable(format!("line {} is not JSON: {error}", at + 1));
                    serde_json::from_str(line).map(Item::Value).map_err(wrong)
                }))?
            }
            Form::Csv(separator) => {
                let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(text.as_bytes());
                header = reader.headers().map_err(wrong_csv)?.iter().map(str::to_owned).collect();
                collect(reader.records().map(|row| row.map(Item::Row).map_err(wrong_csv)))?
            }
        };
        Ok(Items { form, header, items })
    }

    /// Where `key` stands in each; the empty key is the item itself.
    pub fn key(&self, key: &str) -> Result<Key, Failure> {
        match self.form {
            _ if key.is_empty() => Ok(Key::Whole),
            Form::Json | Form::Ndjson => Ok(Key::Place(Place::parse(key))),
            Form::Csv(_) => match self.header.iter().position(|name| name == key) {
                Some(column) => Ok(Key::Column(column)),
                None => Err(Failure::Unreadable(format!("there is no column `{key}`: there are {}", self.columns()))),
            },
            Form::Lines => Err(Failure::Unreadable(format!(
                "the input is lines, which have no key `{key}`: set `as`, or convert it before with `format`"
            ))),
        }
    }

    fn columns(&self) -> String {
        self.header.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    }

    /// The media type of [`Items::write`]; for lines `lines`.
    pub fn media_type<'m>(&self, lines: &'m str) -> &'m str {
        match self.form {
            Form::Lines => lines,
            Form::Json => media::JSON,
            Form::Ndjson => media::NDJSON,
            Form::Csv(b'\t') => media::TSV,
            Form::Csv(_) => media::CSV,
        }
    }

    /// In the form in which they came: lines each with an end, compact JSON, CSV with its header.
    pub fn write(&self) -> Result<Vec<u8>, Failure> {
        let mut out = Buffer::default();
        match self.form {
            Form::Lines | Form::Ndjson => {
                for item in &self.items {
                    match item {
                        Item::Line(line) => out.push(line)?,
                        Item::Value(value) => out.push_json(value)?,
                        Item::Row(_) => {}
                    }
                    out.push("\n")?;
                }
            }
            Form::Json => {
                for (at, item) in self.items.iter().enumerate() {
                    out.push(if at == 0 { "[" } else { "," })?;
                    out.push_json(&item.value(&self.header))?;
                }
                out.push(if self.items.is_empty() { "[]" } else { "]" })?;
            }
            Form::Csv(separator) => {
                let mut writer = csv_writer(out, separator);
                writer.write_record(&self.header).map_err(|_| Failure::too_large("the output"))?;
                for item in &self.items {
                    if let Item::Row(row) = item {
                        writer.write_record(row).map_err(|_| Failure::too_large("the output"))?;
                    }
                }
                out = writer.into_inner().map_err(|_| Failure::too_large("the output"))?;
            }
        }
        Ok(out.into_bytes())
    }

    /// As the output of `call`.
    pub fn output(&self, call: &Call<'_>) -> Result<Output, Failure> {
        Ok(Output::new(self.media_type(call.input.media_type), self.write()?))
    }
}

impl<'a> Item<'a> {
    /// What stands under the key.
    pub fn get(&self, key: &Key) -> Option<Cow<'_, Value>> {
        match (self, key) {
            (Item::Line(line), Key::Whole) => Some(Cow::Owned(Value::from(*line))),
            (Item::Value(value), Key::Whole) => Some(Cow::Borrowed(value)),
            (Item::Value(value), Key::Place(place)) => place.get(value).map(Cow::Borrowed),
            (Item::Row(row), Key::Column(column)) => row.get(*column).map(|field| Cow::Owned(Value::from(field))),
            (Item::Row(row), Key::Whole) => Some(Cow::Owned(row.iter().map(Value::from).collect())),
            _ => None,
        }
    }

    /// As JSON: a line is a string, a row an object of strings.
    pub fn value(&self, header: &[String]) -> Cow<'_, Value> {
        match self {
            Item::Line(line) => Cow::Owned(Value::from(*line)),
            Item::Value(value) => Cow::Borrowed(value),
            Item::Row(row) => {
                let members = header.iter().zip(row.iter()).map(|(name, field)| (name.clone(), Value::from(field)));
                Cow::Owned(Value::Object(members.collect::<Map<_, _>>()))
            }
        }
    }
}

fn collect<'a>(items: impl Iterator<Item = Result<Item<'a>, Failure>>) -> Result<Vec<Item<'a>>, Failure> {
    let mut all = Vec::new();
    for item in items {
        if all.len() == MOST_ITEMS {
            return Err(Failure::too_many("reading the input"));
        }
        all.push(item?);
    }
    Ok(all)
}

/// What is wrong with CSV, in words.
pub(super) fn wrong_csv(error: csv::Error) -> Failure {
    let line = error.position().map(|position| format!("line {}: ", position.line())).unwrap_or_default();
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} fields, and the rows above have {expected_len}")
        }
        _ => error.to_string(),
    };
    Failure::Unreadable(format!("the input is not CSV: {line}{reason}"))
}

/// A writer of CSV that ends lines with LF and quotes where it has to.
pub(super) fn csv_writer(out: Buffer, separator: u8) -> csv::Writer<Buffer> {
    csv::WriterBuilder::new().delimiter(separator).flexible(true).from_writer(out)
}

/// A value as a text: strings as they are, everything else as compact JSON.
pub(super) fn plain(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// A value as a number: numbers, and texts that are numbers.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        other => other.as_f64(),
    }
}
