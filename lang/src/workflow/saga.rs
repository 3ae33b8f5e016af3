//! AI-First: a YAML file of steps that can be compensated.
//!
//! What flows is the *state*, a JSON object. Each step is a definition of two stages: its inputs are filled in from the state and
//! its capability is called with them; then what came back is merged into the state. The undoer of a step is called with what the
//! step returned, the state at that time: so its own inputs are filled in from what was true when the step completed.
//!
//! `yaml` reads the text, `read` and `spec` its keys, `policy` who may do what, `order` what comes first; `write` makes the page.

use super::page::Page;
use crate::diagnostic::{Beside, Code, Diagnostic};
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

/// The rules that stand beside the file.
fn policies_beside(file: &str, reader: &mut read::Reader, library: &dyn Library) -> Option<Policy> {
    let text = match library.beside(file, POLICIES) {
        Ok(text) => text?,
        Err(error) => {
            reader.tables.report(Diagnostic::new(Code::Saga, Span::new(0, 1), error.to_string()));
            return None;
        }
    };
    let name = match file.rsplit_once('/') {
        Some((folder, _)) if !file.contains("://") => format!("{folder}/{POLICIES}"),
        _ => POLICIES.to_owned(),
    };
    // Whoever knows this file alone is told at its beginning.
    let told = |told: Diagnostic| {
        let (line, column) = position(&text, told.primary.span.start);
        let here = Diagnostic::new(told.code, Span::new(0, 1), format!("{name}:{line}:{column}: {}", told.message));
        let beside = Box::new(Beside { name: name.clone(), text: text.clone(), told });
        Diagnostic { beside: Some(beside), ..here }
    };
    match policy::of_text(&text) {
        Ok((policy, warnings)) => {
            reader.warnings.extend(warnings.into_iter().map(told));
            Some(policy)
        }
        Err(errors) => {
            errors.into_iter().map(told).for_each(|error| reader.tables.report(error));
            None
        }
    }
}

#[cfg(test)]
mod tests;
