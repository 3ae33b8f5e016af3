//! The other front ends: files of TOML and YAML that become arrows, and so have everything that arrows have.
//!
//! Here: which format a text is in, and the way from it to a program. Each format is a file of `workflow/`, which reads it and
//! writes a [`Page`]; the page's text is then compiled as if a person had written it, and what is wrong there is told at the place in
//! the file that it comes from. Nothing here knows the flow graph, and nothing behind a page knows the formats.

use crate::diagnostic::{Code, Diagnostic, MOST_ERRORS};
use crate::library::Library;
use crate::span::Span;
use aivm_schema::limits::SOURCE;
use schemars::{Schema, schema_for};

mod aitws;
mod dag;
mod english;
mod page;
mod reading;
mod saga;

pub use aitws::sections as aitws_sections;
pub use page::Page;
pub use reading::{Layer, Reading};

/// What a program is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Arrows: the language itself.
    Aivm,
    /// `workflow.toml`: steps that need each other.
    Workflow,
    /// aiTWS: a TOML file of stages and actions.
    Aitws,
    /// AI-First: a YAML file of steps that can be compensated.
    Saga,
}

impl Format {
    /// All, with the word that names each.
    pub const ALL: [(Format, &str); 4] =
        [(Format::Aivm, "aivm"), (Format::Workflow, "workflow"), (Format::Aitws, "aitws"), (Format::Saga, "saga")];

    /// Its word.
    pub fn word(self) -> &'static str {
        Format::ALL.iter().find(|(format, _)| *format == self).map_or("", |(_, word)| word)
    }

    /// The format of a file: what its text says, and where that looks like none of them, how its name ends.
    pub fn of_file(name: &str, text: &str) -> Format {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        match (Format::of(text), ending) {
            (Format::Aivm, _) if text.contains("<=") => Format::Aivm,
            (Format::Aivm, "toml") => Format::Workflow,
            (Format::Aivm, "yaml" | "yml") => Format::Saga,
            // Any TOML may be aiTWS; this name belongs to one format.
            (Format::Aitws, _) if name.rsplit(['/', '\\']).next() == Some("workflow.toml") => Format::Workflow,
            (format, _) => format,
        }
    }

    /// The format that this text is in, by what it says: TOML with the groups of a workflow is one, other TOML aiTWS, YAML a saga.
    /// Whatever looks like none of them is arrows, so that a broken program is told what arrows want.
    pub fn of(text: &str) -> Format {
        let lines = || text.trim_start_matches('\u{feff}').lines().map(str::trim);
        let is_said = |line: &&str| !line.is_empty() && !line.starts_with('#');
        let Some(first) = lines().find(is_said) else { return Format::Aivm };
        let in_a_key = |c: char| c.is_ascii_alphanumeric() || "_-.\"'".contains(c);
        let behind_the_key = first.trim_start_matches(in_a_key).trim_start();
        // No value of TOML or YAML begins so: these are arrows with the habits of another language.
        let is_group = behind_the_key.starts_with("=>")
            || behind_the_key.get(1..).is_some_and(|value| value.trim_start().starts_with('('));
        let behind_the_key = behind_the_key.chars().next().filter(|_| !is_group);
        let is = |name: &str, line: &str| {
            let line = line.trim_start_matches('[').trim_start();
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', ']', ' ', '=']))
        };
        let is_of_a_workflow = |line: &str| {
            let is_group = line.starts_with('[') && dag::GROUPS.iter().any(|group| is(group, line));
            is("steps", line) || is_group || line == first && (is("id", line) || is("concurrency", line))
        };
        // A model says something before the program that it was asked for, and that is no key of YAML.
        let fence = text.lines().find_map(|line| line.strip_prefix("```"));
        let is_fenced = fence.is_some_and(|language| ["", "aivm"].contains(&language.trim()));
        match (first.chars().next(), behind_the_key) {
            (_, Some(':')) if is_fenced => Format::Aivm,
            (Some('['), _) | (_, Some('=')) if lines().any(is_of_a_workflow) => Format::Workflow,
            (Some('['), _) | (_, Some('=')) => Format::Aitws,
            (Some('{'), _) | (_, Some(':')) => Format::Saga,
            _ if first == "---" => Format::Saga,
            _ => Format::Aivm,
        }
    }
}

impl std::str::FromStr for Format {
    type Err = String;
    fn from_str(text: &str) -> Result<Format, String> {
        let known = Format::ALL.iter().find(|(_, word)| *word == text).map(|(format, _)| *format);
        known.ok_or_else(|| format!("`{text}` is no format: {}", Format::ALL.map(|(_, word)| word).join(", ")))
    }
}

/// The arrows that a source says that is read so. `file` is its name, and what its own words are looked up beside.
///
/// Fails with all independent errors of the file, in the order of their places.
pub fn page(
    reading: impl Into<Reading>,
    file: &str,
    text: &str,
    library: &dyn Library,
) -> Result<Page, Vec<Diagnostic>> {
    let reading = reading.into();
    if text.len() > SOURCE {
        let message = format!("the file is too long: {} bytes, at most {SOURCE}", text.len());
        return Err(vec![Diagnostic::new(Code::TooLong, Span::new(0, 1), message)]);
    }
    reading.fits()?;
    let page = match reading.format {
        Format::Aivm => Ok(Page::of_arrows(text)),
        Format::Workflow => dag::page(file, reading.table(text)?, library),
        Format::Aitws => aitws::page(file, reading.table(text)?, &reading, library),
        Format::Saga => saga::page(file, reading.value(text, saga::yaml::read)?, library),
    };
    page.map_err(|mut errors| {
        errors.sort_by_key(|error| error.primary.span);
        errors.truncate(MOST_ERRORS);
        errors
    })
}

/// The JSON Schema of a file of this format; arrows are a text.
pub fn schema(format: Format) -> Schema {
    match format {
        Format::Aivm => schema_for!(String),
        Format::Workflow => dag::schema(),
        Format::Aitws => aitws::schema(),
        Format::Saga => saga::schema(),
    }
}

#[cfg(test)]
mod tests;
