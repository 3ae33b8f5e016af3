//! What is read as one workflow: a file, and files of its format that are laid over it.
//!
//! Their texts stand one behind the other in one source, so that a place is a byte of it wherever it comes from. Here is how they become
//! one table, and which file a place is in; what the keys mean is the formats'.

use super::Format;
use crate::diagnostic::{Code, Diagnostic, Label, MOST_ERRORS};
use crate::render::position;
use crate::span::Span;
use crate::tables::Value;
use rustc_hash::FxHashMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// What the entries of a list are known by: where all have one of these, entries of one name are laid over each other.
const NAMES: [&str; 2] = ["id", "name"];

/// How a source is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What it is written in.
    pub format: Format,
    /// What is laid over its first text, the last uppermost.
    pub over: Vec<Layer>,
    /// Of aiTWS: the pipeline whose stages alone are wanted.
    pub pipeline: Option<String>,
    /// Who is about to run it, where that is known: aiTWS says what roles may.
    pub who: Option<String>,
}

/// A text that is laid over those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its file.
    pub name: String,
    /// The byte of the source where it begins.
    pub start: usize,
}

impl From<Format> for Reading {
    fn from(format: Format) -> Reading {
        Reading { format, over: Vec::new(), pipeline: None, who: None }
    }
}

impl Reading {
    /// Can a text of this format be read so?
    pub(crate) fn fits(&self) -> Result<(), Vec<Diagnostic>> {
        let wrong = |code, message: String| Diagnostic::new(code, Span::new(0, 1), message);
        match (&self.pipeline, self.format) {
            (Some(name), format) if format != Format::Aitws => {
                let message = format!("this has no pipeline `{name}`: only aiTWS has pipelines");
                let help = "leave --pipeline out; or, if it is aiTWS, say so: --format aitws";
                Err(vec![wrong(Code::UnknownPipeline, message).help(help)])
            }
            (_, Format::Aivm) if !self.over.is_empty() => Err(vec![
                wrong(Code::Misfit, "nothing is laid over arrows".to_owned())
                    .reason("a key of TOML or YAML has one place, and what is laid over it gives it another value; arrows have no keys")
                    .help("let what is another from run to run be a parameter: `params.NAME`, and --param NAME=VALUE"),
            ]),
            _ => Ok(()),
        }
    }

    /// A message as it is told of the file that its place is in: its name, its text, and the message with places in that text. What it
    /// says of other files stands in its reason.
    pub fn told<'s>(
        &'s self,
        file: &'s str,
        source: &'s str,
        diagnostic: &'s Diagnostic,
    ) -> (&'s str, &'s str, Diagnostic) {
        if let Some(beside) = &diagnostic.beside {
            return (&beside.name, &beside.text, beside.told.clone());
        }
        let mut told = diagnostic.clone();
        if self.over.is_empty() {
            return (file, source, told);
        }
        let at = self.layer(diagnostic.primary.span);
        let (name, text, start) = self.text(at, file, source);
        let moved = |span: Span| Span::new(span.start.saturating_sub(start), span.end.saturating_sub(start));
        let (here, elsewhere): (Vec<Label>, Vec<Label>) =
            told.labels.into_iter().partition(|label| self.layer(label.span) == at);
        told.primary.span = moved(told.primary.span);
        told.labels = here.into_iter().map(|label| Label { span: moved(label.span), ..label }).collect();
        let others = elsewhere.into_iter().map(|label| {
            let (name, text, start) = self.text(self.layer(label.span), file, source);
            let (line, column) = position(text, label.span.start.saturating_sub(start));
            format!("{name}:{line}:{column}: {}", label.text)
        });
        let reasons: Vec<String> = told.reason.into_iter().chain(others).collect();
        told.reason = Some(reasons.join("; ")).filter(|reasons| !reasons.is_empty());
        told.fix = told.fix.filter(|fix| fix.edits.iter().all(|(span, _)| self.layer(*span) == at));
        for (span, _) in told.fix.iter_mut().flat_map(|fix| &mut fix.edits) {
            *span = moved(*span);
        }
        (name, text, told)
    }

    /// How many files lie below the one that a place is in.
    fn layer(&self, span: Span) -> usize {
        self.over.partition_point(|layer| layer.start <= span.start as usize)
    }

    /// The name and the text of a file, and where in the source it begins.
    fn text<'s>(&'s self, nth: usize, file: &'s str, source: &'s str) -> (&'s str, &'s str, u32) {
        let layer = nth.checked_sub(1).and_then(|nth| self.over.get(nth));
        let start = layer.map_or(0, |layer| layer.start);
        let end = self.over.get(nth).map_or(source.len(), |above| above.start);
        (layer.map_or(file, |layer| &layer.name), source.get(start..end).unwrap_or_default(), start as u32)
    }

    /// The one table that a source of TOML says.
    pub(super) fn table<'s>(&self, source: &'s str) -> Result<DeTable<'s>, Vec<Diagnostic>> {
        match self.value(source, toml)?.into_inner() {
            DeValue::Table(table) => Ok(table),
            _ => Ok(DeTable::new()),
        }
    }

    /// The one value that a source says.
    pub(super) fn value<'s>(
        &self,
        source: &'s str,
        parse: impl Fn(&'s str) -> Result<Value<'s>, Diagnostic>,
    ) -> Result<Value<'s>, Vec<Diagnostic>> {
        let starts: Vec<usize> = std::iter::once(0).chain(self.over.iter().map(|layer| layer.start)).collect();
        let ends = starts.iter().skip(1).copied().chain([source.len()]);
        let mut told = Vec::new();
        let mut read: Option<Value> = None;
        for (start, end) in starts.iter().copied().zip(ends) {
            match parse(source.get(start..end).unwrap_or_default()) {
                Ok(value) => match &mut read {
                    Some(under) => lay(under, moved(value, start), "the file", &mut told),
                    None => read = Some(value),
                },
                Err(mut error) => {
                    let Range { start: from, end: to } = error.primary.span.range();
                    // What ends too early is wrong at its end, which is still its own.
                    let from = (start + from).min(end.saturating_sub(1)).max(start);
                    error.primary.span = Span::of_chars(source, from..(start + to).min(end));
                    told.push(error);
                }
            }
        }
        told.truncate(MOST_ERRORS);
        match read {
            Some(read) if told.is_empty() => Ok(read),
            _ => Err(told),
        }
    }
}

/// A text of TOML.
fn toml(text: &str) -> Result<Value<'_>, Diagnostic> {
    match DeTable::parse(text) {
        Ok(table) => Ok(Spanned::new(table.span(), DeValue::Table(table.into_inner()))),
        Err(error) => {
            let range = error.span().unwrap_or(0..text.len());
            let span = Span::new(range.start as u32, range.end as u32);
            let said = match (error.message().trim(), text.get(range)) {
                ("duplicate key", Some(key)) => format!("the key `{}` is there twice in one table", key.trim()),
                (said, _) if said.contains("recurs") => "its lists and tables stand too deep in each other".to_owned(),
                (said, _) => said.to_owned(),
            };
            Err(Diagnostic::new(Code::NoToml, span, format!("this is no TOML: {said}")))
        }
    }
}

/// Lays a value over another: tables key by key, lists of named entries entry by entry, and anything else takes its place.
fn lay<'s>(under: &mut Value<'s>, over: Value<'s>, key: &str, told: &mut Vec<Diagnostic>) {
    let at = over.span();
    match (under.get_mut(), over.into_inner()) {
        (DeValue::Table(under), DeValue::Table(over)) => {
            for (key, value) in over {
                match under.remove_entry(key.get_ref().as_ref()) {
                    Some((place, mut below)) => {
                        let takes_its_place = !matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_));
                        lay(&mut below, value, &format!("`{}`", key.get_ref()), told);
                        // What takes the place of a value is told where it stands itself.
                        under.insert(if takes_its_place { key } else { place }, below);
                    }
                    None => _ = under.insert(key, value),
                }
            }
        }
        (DeValue::Array(under), DeValue::Array(over)) if are_named(under) && are_named(&over) => {
            lay_entries(under, over, key, told);
        }
        (DeValue::Table(_), DeValue::Array(_)) => told.push(misfit(at, key, "a list", "a table")),
        (DeValue::Array(_), DeValue::Table(_)) => told.push(misfit(at, key, "a table", "a list")),
        (_, over) => *under = Spanned::new(at, over),
    }
}

/// Entries that the list below does not have come behind its own.
fn lay_entries<'s>(under: &mut DeArray<'s>, over: DeArray<'s>, key: &str, told: &mut Vec<Diagnostic>) {
    let mut places: FxHashMap<String, usize> = FxHashMap::default();
    for (nth, entry) in under.iter().enumerate() {
        if let Some(name) = name(entry) {
            places.entry(name.to_owned()).or_insert(nth);
        }
    }
    for entry in over {
        // A name that stands twice in one file stays two entries, and is told as such.
        let below = name(&entry).and_then(|name| places.remove(name)).and_then(|nth| under.get_mut(nth));
        match below {
            Some(below) => lay(below, entry, key, told),
            None => under.push(entry),
        }
    }
}

fn are_named(list: &DeArray) -> bool {
    !list.is_empty() && list.iter().all(|entry| name(entry).is_some())
}

fn name<'v>(entry: &'v Value) -> Option<&'v str> {
    let table = entry.get_ref().as_table()?;
    NAMES.iter().find_map(|name| table.get(*name)?.get_ref().as_str())
}

fn misfit(at: std::ops::Range<usize>, key: &str, over: &str, under: &str) -> Diagnostic {
    let span = Span::new(at.start as u32, at.end.max(at.start + 1) as u32);
    Diagnostic::new(Code::Misfit, span, format!("{key} is {over} here, and {under} in the file that it is laid over"))
        .help(format!("write it as {under}, as that file does"))
}

/// The same value at places so far behind.
fn moved(value: Value, by: usize) -> Value {
    let at = value.span();
    let inner = match value.into_inner() {
        DeValue::Table(table) => {
            let entries = table.into_iter().map(|(key, value)| {
                let at = key.span();
                (Spanned::new(at.start + by..at.end + by, key.into_inner()), moved(value, by))
            });
            DeValue::Table(entries.collect())
        }
        DeValue::Array(list) => DeValue::Array(list.into_iter().map(|value| moved(value, by)).collect()),
        other => other,
    };
    Spanned::new(at.start + by..at.end + by, inner)
}

#[cfg(test)]
mod tests;
