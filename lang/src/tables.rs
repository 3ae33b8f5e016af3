//! Tables of TOML into types with all errors at once: each key that cannot be read is told by itself, and what can be read is.

use crate::diagnostic::{Code, Diagnostic, MOST_FOUND};
use crate::lower::nearest;
use crate::span::Span;
use aivm_schema::worker::{Backoff, MockAnswer};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::Error as NoValue;
use serde::de::{DeserializeOwned, IntoDeserializer, Visitor};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

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
            self.wrong(span, format!("{of} is a table"));
            return None;
        }
        let error = match T::deserialize(value.clone().into_deserializer()) {
            Ok(read) => return Some(read),
            Err(error) => error,
        };
        let DeValue::Table(table) = value.into_inner() else { return None };
        let known = keys::<T>();
        let before = self.errors.len();
        let mut good = DeTable::new();
        for (key, value) in table {
            if self.errors.len() >= MOST_FOUND {
                break;
            }
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                self.unknown(key.span(), of, name, &known);
                continue;
            }
            // What has a place is wrong with the key; what has none is wrong with the table, which is not whole here.
            match alone::<T>(name, value.clone()) {
                Some(error) if error.span().is_some() => self.value::<T>(of, name, value, &error),
                _ => _ = good.insert(key, value),
            }
        }
        if self.errors.len() == before {
            self.wrong(error.span().unwrap_or(span.clone()), format!("{of}: {}", error.message().trim()));
        }
        T::deserialize(Spanned::new(span, DeValue::Table(good)).into_deserializer()).ok()
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
                        _ => self.wrong(entry.span(), format!("an entry of `mock` of {of} is a word or a table")),
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
                Some(of_text) if !of_text.message().starts_with("invalid type") => of_text.message().trim().to_owned(),
                _ => error.message().trim().to_owned(),
            },
        };
        self.wrong(range, format!("`{key}` of {of}: {says}"));
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

/// What is wrong with a table of this one key.
fn alone<T: DeserializeOwned>(key: &str, value: Value) -> Option<toml::de::Error> {
    let span = value.span();
    let table = DeTable::from_iter([(Spanned::new(span.clone(), key.to_owned().into()), value)]);
    T::deserialize(Spanned::new(span, DeValue::Table(table)).into_deserializer()).err()
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
