//! AI-First: a YAML file of steps that can be compensated.
//!
//! What flows is the *state*, a JSON object. Each step is a definition of two stages: its inputs are filled in from the state and
//! its capability is called with them; then what came back is merged into the state. The undoer of a step is called with what the
//! step returned, the state at that time: so its own inputs are filled in from what was true when the step completed.
//!
//! `yaml` reads the text, `read` and `spec` its keys, `policy` who may do what, `order` what comes first; `write` makes the page.

use super::page::Page;
use crate::diagnostic::{Code, Diagnostic};
use crate::library::Library;
use crate::render::position;
use crate::span::Span;
use crate::tables::Value;
use policy::Policy;

mod order;
mod policy;
mod read;
mod spec;
mod write;
pub(super) mod yaml;

/// The file of rules beside a saga.
const POLICIES: &str = "policies.yaml";

/// The JSON Schema of such a file.
pub(super) fn schema() -> schemars::Schema {
    schemars::schema_for!(spec::File)
}

/// The arrows of such a file.
pub(super) fn page(file: &str, document: Value, library: &dyn Library) -> Result<Page, Vec<Diagnostic>> {
    let mut reader = read::Reader::new();
    let saga = reader.read(document);
    let beside = policies_beside(file, &mut reader, library);
    let policies: Vec<&Policy> = saga.policy.iter().chain(&beside).collect();
    let page = write::page(&mut reader, &saga, &policies, file, library);
    if reader.tables.errors.is_empty() { Ok(page) } else { Err(reader.tables.errors) }
}

/// The rules that stand beside the file. What is wrong there is told at its line, in the file that is compiled.
fn policies_beside(file: &str, reader: &mut read::Reader, library: &dyn Library) -> Option<Policy> {
    let mut told = |message: String| reader.tables.report(Diagnostic::new(Code::Saga, Span::new(0, 1), message));
    let text = match library.beside(file, POLICIES) {
        Ok(text) => text?,
        Err(error) => {
            told(error.to_string());
            return None;
        }
    };
    let place = |diagnostic: &Diagnostic| {
        let (line, column) = position(&text, diagnostic.primary.span.start);
        format!("{POLICIES}:{line}:{column}: {}", diagnostic.message)
    };
    match policy::of_text(&text) {
        Ok((policy, warnings)) => {
            let warnings = warnings.iter().map(|one| Diagnostic::new(one.code, Span::new(0, 1), place(one)));
            reader.warnings.extend(warnings);
            Some(policy)
        }
        Err(errors) => {
            errors.iter().for_each(|error| told(place(error)));
            None
        }
    }
}

#[cfg(test)]
mod tests;
