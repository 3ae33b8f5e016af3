//! Tables of TOML into types with all errors at once: each key that cannot be read is told by itself, and what can be read is.

use crate::diagnostic::{Code, Diagnostic, MOST_FOUND};
use crate::lower::nearest;
use crate::span::Span;
use aivm_schema::worker::{Backoff, MockAnswer};
use plain::{missing, plainly};
use rustc_hash::FxHashMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::Error as NoValue;
use serde::de::{DeserializeOwned, IntoDeserializer, Visitor};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

mod plain;

/// A place that is none: what is wrong there is wrong with a table as a whole.
const NOWHERE: Range<usize> = usize::MAX..usize::MAX;

pub(crate) type Value<'a> = Spanned<DeValue<'a>>;

/// A value that is read with its place. In a JSON Schema it is the value alone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, description = "")]
pub(crate) struct Placed<T>(#[schemars(with = "T")] Spanned<T>);

impl<T> Placed<T> {
    pub(crate) fn get_ref(&self) -> &T {
        self.0.get_ref()
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner()
    }

    /// Its bytes in the text that is read.
    pub(crate) fn span(&self) -> Range<usize> {
        self.0.span()
    }
}

/// Where the keys of a table stand, and those of the tables in it: `inputs` and `inputs.path`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(FxHashMap<String, (Range<usize>, Range<usize>)>);

impl Places {
    /// Of what is no table, none.
    pub(crate) fn of(value: &Value) -> Places {
        let mut places = FxHashMap::default();
        for (key, value) in value.get_ref().as_table().into_iter().flatten() {
            for (inner, value) in value.get_ref().as_table().into_iter().flatten() {
                places.insert(format!("{}.{}", key.get_ref(), inner.get_ref()), (inner.span(), value.span()));
            }
            places.insert(key.get_ref().to_string(), (key.span(), value.span()));
        }
        Places(places)
    }

    /// Is no key written?
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Is it written, whether it could be read or not?
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// The place of the key itself.
    pub(crate) fn key(&self, key: &str) -> Option<Range<usize>> {
        self.0.get(key).map(|(key, _)| key.clone())
    }

    /// The place of its value.
    pub(crate) fn value(&self, key: &str) -> Option<Range<usize>> {
        self.0.get(key).map(|(_, value)| value.clone())
    }

    /// The key that a message names first, in backticks.
    pub(crate) fn named(&self, message: &str) -> Option<&str> {
        let last = |key: &str| key.split_once('.').map_or(key, |(_, inner)| inner).to_owned();
        let named = self.0.keys().filter_map(|key| Some((message.find(&format!("`{}`", last(key)))?, key)));
        named.min().map(|(_, key)| key.as_str())
    }
}

/// Reads tables, and collects what is wrong with them.
#[derive(Debug)]
pub(crate) struct Tables {
    /// The code of what is wrong.
    code: Code,
    /// Where the TOML begins in its source.
    base: u32,
    /// In no order.
    pub errors: Vec<Diagnostic>,
}

impl Tables {
    /// Of TOML that begins at byte `base` of its source.
    pub(crate) fn new(code: Code, base: u32) -> Tables {
        Tables { code, base, errors: Vec::new() }
    }

    pub(crate) fn span(&self, range: Range<usize>) -> Span {
        Span::new(self.base + range.start as u32, self.base + range.end.max(range.start + 1) as u32)
    }

    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        if self.errors.len() < MOST_FOUND {
            self.errors.push(diagnostic);
        }
    }

    pub(crate) fn wrong(&mut self, range: Range<usize>, message: String) {
        self.report(Diagnostic::new(self.code, self.span(range), message));
    }

    /// A key that nothing reads.
    pub(crate) fn unknown(&mut self, range: Range<usize>, of: &str, key: &str, known: &[&str]) {
        let span = self.span(range);
        let diagnostic = Diagnostic::new(self.code, span, format!("{of} has no key `{key}`"));
        self.report(match nearest(key, known.iter().copied()) {
            Some(name) => diagnostic.fix(format!("did you mean `{name}`?"), vec![(span, name)]),
            None => diagnostic.help(format!("its keys are `{}`", known.join("`, `"))),
        });
    }

    /// One table; when it cannot be read, each of its keys is looked at by itself.
    pub(crate) fn table<T: DeserializeOwned>(&mut self, of: &str, value: Value) -> Option<T> {
        let span = value.span();
        if !value.get_ref().is_table() {
            self.wrong(span, format!("{of} takes a table, not {}", described(value.get_ref())));
            return None;
        }
        let error = match T::deserialize(value.clone().into_deserializer()) {
            Ok(read) => return Some(read),
            Err(error) => error,
        };
        let places = Places::of(&value);
        let DeValue::Table(table) = value.into_inner() else { return None };
        let known = keys::<T>();
        let before = self.errors.len();
        let (mut good, mut meant) = (DeTable::new(), Vec::new());
        for (key, value) in table {
            if self.errors.len() >= MOST_FOUND {
                break;
            }
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                self.unknown(key.span(), of, name, &known);
                meant.extend(nearest(name, known.iter().copied()));
                continue;
            }
            match alone::<T>(name, value.clone()) {
                Some(error) => match self.items::<T>(of, name, &value) {
                    Some(rest) => _ = good.insert(key, rest),
                    None => self.value::<T>(of, name, value, &error),
                },
                None => _ = good.insert(key, value),
            }
        }
        let is_whole = self.errors.len() == before;
        let read = T::deserialize(Spanned::new(span.clone(), DeValue::Table(good)).into_deserializer());
        match missing(error.message()).or(read.as_ref().err().and_then(|error| missing(error.message()))) {
            // What is written otherwise, or could not be read, is told already.
            Some(key) if !places.has(key) && !meant.iter().any(|meant| meant == key) => {
                self.wrong(span, format!("{of} has no `{key}`"))
            }
            None if is_whole => {
                let said = error.message().trim();
                let named = places.named(said).and_then(|key| places.value(key));
                self.wrong(error.span().or(named).unwrap_or(span), format!("{of}: {}", plainly(said)));
            }
            _ => {}
        }
        read.ok()
    }

    /// Of a list that its key does not take, what it takes; each of the others is told.
    fn items<'v, T: DeserializeOwned>(&mut self, of: &str, key: &str, list: &Value<'v>) -> Option<Value<'v>> {
        let DeValue::Array(items) = list.get_ref() else { return None };
        // These are one thing each, however many items that has.
        if ["run", "mock"].contains(&key) {
            return None;
        }
        let before = self.errors.len();
        let mut good = DeArray::new();
        for item in items {
            let one = DeArray::from_iter([item.clone()]);
            match alone::<T>(key, Spanned::new(item.span(), DeValue::Array(one))) {
                Some(error) => {
                    let range = error.span().unwrap_or(item.span());
                    self.wrong(range, format!("`{key}` of {of}: {}", plainly(error.message())));
                }
                None => good.push(item.clone()),
            }
        }
        (self.errors.len() > before).then(|| Spanned::new(list.span(), DeValue::Array(good)))
    }

    /// A value that its key does not take.
    fn value<T: DeserializeOwned>(&mut self, of: &str, key: &str, value: Value, error: &toml::de::Error) {
        let before = self.errors.len();
        match (key, value.get_ref()) {
            ("backoff", DeValue::Table(_)) => _ = self.table::<Backoff>(&format!("`backoff` of {of}"), value.clone()),
            ("mock", DeValue::Array(entries)) => {
                for entry in entries {
                    match entry.get_ref() {
                        DeValue::String(_) => {}
                        DeValue::Table(_) => {
                            self.table::<MockAnswer>(&format!("an entry of `mock` of {of}"), entry.clone());
                        }
                        _ => self.wrong(entry.span(), format!("an entry of `mock` of {of} takes a word or a table")),
                    }
                }
            }
            _ => {}
        }
        if self.errors.len() > before {
            return;
        }
        let range = error.span().unwrap_or(value.span());
        let says = match key {
            "run" => "a line for the shell, or a list of a program and its arguments".to_owned(),
            "mock" => "a list of words and tables".to_owned(),
            // A number without its unit: what the quantity says of it tells more than that it is no text.
            _ => match as_text(&value).and_then(|text| alone::<T>(key, text)) {
                Some(of_text) if !of_text.message().starts_with("invalid type") => plainly(of_text.message()),
                _ => plainly(error.message()),
            },
        };
        self.wrong(range, format!("`{key}` of {of}: {says}"));
    }
}

/// What is there in the place of something else.
pub(crate) fn described(value: &DeValue) -> String {
    match value {
        DeValue::Table(_) => "a table".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::String(text) => format!("the text {text:?}"),
        DeValue::Integer(number) => format!("`{}`", number.as_str()),
        DeValue::Float(number) => format!("`{}`", number.as_str()),
        DeValue::Boolean(flag) => format!("`{flag}`"),
        DeValue::Datetime(time) => format!("`{time}`"),
    }
}

/// A number as the text that was perhaps meant.
fn as_text(value: &Value) -> Option<Value<'static>> {
    let text = match value.get_ref() {
        DeValue::Integer(number) => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        _ => return None,
    };
    Some(Spanned::new(value.span(), DeValue::String(text.to_owned().into())))
}

/// What is wrong with this key, as far as it has a place: what is wrong with the table, which is not whole here, has none.
fn alone<T: DeserializeOwned>(key: &str, value: Value) -> Option<toml::de::Error> {
    let table = DeTable::from_iter([(Spanned::new(value.span(), key.to_owned().into()), value)]);
    let read = T::deserialize(Spanned::new(NOWHERE, DeValue::Table(table)).into_deserializer());
    read.err().filter(|error| error.span().is_some_and(|span| span != NOWHERE))
}

/// The keys of a type that is spelt as a table.
pub(crate) fn keys<T: DeserializeOwned>() -> Vec<&'static str> {
    struct Keys<'a>(&'a mut Vec<&'static str>);

    impl<'de> serde::Deserializer<'de> for Keys<'_> {
        type Error = NoValue;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NoValue> {
            Err(serde::de::Error::custom("no table"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, NoValue> {
            self.0.extend_from_slice(fields);
            self.deserialize_any(visitor)
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut keys = Vec::new();
    let _ = T::deserialize(Keys(&mut keys));
    keys
}
