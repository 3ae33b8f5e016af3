//! `workflow.toml`: steps that need each other become one labelled join, in which a step refers to those it needs and so waits for
//! them and nobody else.
//!
//! Here: the way from text to page. What a file may say is `keys`, who waits for whom `graph`, what a step does once its action is
//! laid under it `work`, whether it is done `condition`, what has to be there
//! before `requirements`, what is kept of it `artifacts`, and how all of it is said in arrows `arrows`.

use super::page::Page;
use crate::diagnostic::{Code, Diagnostic};
use crate::library::Library;
use crate::tables::Tables;
use toml::de::DeTable;

pub(super) use keys::GROUPS;

mod arrows;
mod artifacts;
mod condition;
mod graph;
mod keys;
mod requirements;
mod work;

/// The JSON Schema of such a file.
pub(super) fn schema() -> schemars::Schema {
    schemars::schema_for!(keys::Workflow)
}

/// The arrows of a `workflow.toml`.
pub(super) fn page(file: &str, table: DeTable, library: &dyn Library) -> Result<Page, Vec<Diagnostic>> {
    let mut tables = Tables::new(Code::Workflow, 0);
    let workflow = keys::read(&mut tables, table);
    keys::check(&mut tables, &workflow);
    let needs = graph::needs(&mut tables, &workflow);
    condition::check(&mut tables, &workflow, &needs, library);
    let mut works = work::Works { tables: &mut tables, file, library, workflow: &workflow };
    let works: Vec<_> = workflow.steps.iter().map(|step| works.of(step)).collect();
    artifacts::check(&mut tables, &workflow, &works, library);
    let required = requirements::worker(&mut tables, &workflow.requirements);
    if !tables.errors.is_empty() {
        tables.errors.sort_by_key(|error| error.primary.span);
        return Err(tables.errors);
    }
    Ok(arrows::write(&tables, &workflow, &needs, works, required))
}

#[cfg(test)]
mod tests;
