//! YAML as the tables that TOML has, each value with its place: so keys are read, and mistakes told, as in every other format.
//!
//! What TOML lacks: a key without a value counts as one that is not there, and within a list nothing is no value.

use crate::diagnostic::{Code, Diagnostic};
use crate::span::Span;
use crate::tables::Value;
use aivm_schema::limits::SOURCE;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Location, Options, Spanned as Written};
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// The deepest.
const DEEPEST: usize = 32;
/// The most values.
const MOST_VALUES: usize = 200_000;

/// The value that a text says.
pub(in crate::workflow) fn read(text: &str) -> Result<Value<'_>, Diagnostic> {
    // What reads the document may take it for its end.
    if let Some(at) = text.find('\0') {
        return Err(wrong(at..at + 1, "there is a null byte in it"));
    }
    let written: Result<Written<Yaml>, _> = serde_saphyr::from_str_with_options(text, options());
    match written {
        Ok(written) => value(text, written),
        Err(error) => {
            let said = error.to_string();
            let said = said.lines().next().unwrap_or_default();
            // Its place is told in the way of all messages.
            let said = said.rsplit_once(" at line ").map_or(said, |(said, _)| said);
            Err(wrong(error.location().map_or(0..1, |at| place(text, at)), &plainly(said.trim())))
        }
    }
}

fn wrong(at: Range<usize>, why: &str) -> Diagnostic {
    Diagnostic::new(Code::NoYaml, Span::new(at.start as u32, at.end as u32), format!("this is no YAML: {why}"))
}

/// What the reader says, in the words of whoever wrote the text.
fn plainly(said: &str) -> String {
    if let Some((key, _)) = said.strip_prefix("duplicate mapping key: ").and_then(|rest| rest.rsplit_once(", set ")) {
        return format!("the key `{key}` is there twice in one table");
    }
    let deep = format!("lists and tables stand in each other more than {DEEPEST} deep");
    let meant = [
        ("budget breached: Anchors", "an anchor, `&name`, is not read: write out what it stands for"),
        ("budget breached: Aliases", "an alias, `*name`, is not read: write out what it stands for"),
        ("budget breached: Documents", "a second document begins here: one file says one workflow"),
        ("budget breached: Depth", &deep),
        ("budget breached: FlowNesting", &deep),
        ("recursion limit exceeded", &deep),
        ("budget breached", "it is too large: it has more values than a workflow needs"),
        ("expected string scalar", "a key is a text; a template stands in quotes: \"{{ name }}\""),
    ];
    meant.iter().find(|(begins, _)| said.starts_with(begins)).map_or(said, |(_, plain)| plain).to_owned()
}

fn options() -> Options {
    let mut options = Options::default();
    options.with_snippet = false;
    // `no` is a name, or a country, more often than it is a flag.
    options.strict_booleans = true;
    if let Some(budget) = &mut options.budget {
        budget.max_depth = DEEPEST;
        budget.flow_nesting_limit = DEEPEST;
        budget.max_nodes = MOST_VALUES;
        budget.max_events = 4 * MOST_VALUES;
        budget.max_documents = 1;
        // Nobody needs them here, and what they multiply is not counted before it is made.
        budget.max_aliases = 0;
        budget.max_anchors = 0;
        budget.max_total_scalar_bytes = SOURCE;
    }
    options
}

/// The bytes of a place of which perhaps only the line and the column are known.
fn place(text: &str, location: Location) -> Range<usize> {
    if location.span().byte_offset().is_some() {
        return range(location);
    }
    let before: usize =
        text.split_inclusive('\n').take((location.line() as usize).saturating_sub(1)).map(str::len).sum();
    let line = text.get(before..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let within =
        line.char_indices().nth((location.column() as usize).saturating_sub(1)).map_or(line.len(), |(at, _)| at);
    before + within..before + within + 1
}

/// The bytes of a place.
fn range(location: Location) -> Range<usize> {
    let span = location.span();
    let start = span.byte_offset().unwrap_or(0) as usize;
    start..start + (span.byte_len().unwrap_or(1) as usize).max(1)
}

/// What is written, before its numbers are read.
enum Yaml {
    Nothing,
    Flag(bool),
    Number,
    Text(String),
    List(Vec<Written<Yaml>>),
    Table(Vec<(Written<String>, Written<Yaml>)>),
}

/// As TOML has it. The nesting is bounded, so this may recurse.
fn value(text: &str, written: Written<Yaml>) -> Result<Value<'_>, Diagnostic> {
    let at = range(written.defined);
    let read = match written.value {
        Yaml::Nothing => DeValue::Table(DeTable::new()),
        Yaml::Flag(flag) => DeValue::Boolean(flag),
        Yaml::Text(text) => DeValue::String(text.into()),
        Yaml::Number => {
            let number = text.get(at.clone()).unwrap_or_default();
            match DeValue::parse(number).map(Spanned::into_inner) {
                Ok(number @ (DeValue::Integer(_) | DeValue::Float(_))) => number,
                _ => {
                    return Err(wrong(
                        at,
                        &format!("`{number}` is no number here: put it in quotes, or write it as `0.5` or `12`"),
                    ));
                }
            }
        }
        Yaml::List(items) => {
            let items = items.into_iter().filter(|item| !matches!(item.value, Yaml::Nothing));
            DeValue::Array(items.map(|item| value(text, item)).collect::<Result<DeArray, _>>()?)
        }
        Yaml::Table(entries) => {
            let entries = entries.into_iter().filter(|(_, entry)| !matches!(entry.value, Yaml::Nothing));
            let entries = entries
                .map(|(key, entry)| Ok((Spanned::new(range(key.defined), key.value.into()), value(text, entry)?)));
            DeValue::Table(entries.collect::<Result<DeTable, _>>()?)
        }
    };
    Ok(Spanned::new(at, read))
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Yaml, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Yaml;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E: Error>(self) -> Result<Yaml, E> {
                Ok(Yaml::Nothing)
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Yaml, E> {
                Ok(Yaml::Flag(flag))
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Yaml, E> {
                Ok(Yaml::Number)
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Yaml, E> {
                Ok(Yaml::Number)
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Yaml, E> {
                Ok(Yaml::Number)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Yaml, E> {
                Ok(Yaml::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Yaml, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Yaml::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Yaml, A::Error> {
                let mut table = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    table.push(entry);
                }
                Ok(Yaml::Table(table))
            }
        }

        deserializer.deserialize_any(Any)
    }
}
