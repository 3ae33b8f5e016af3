//! aiTWS: a TOML file of stages and actions, with the settings of a whole organisation around them.
//!
//! Stages become a chain of labelled switches, their actions steps; conditions and branches jump between the stages, parallel tasks are
//! a join, pipelines are definitions, handlers run where their event fires. What the sections are is `file`'s, what they say of each
//! other `names`', what nothing is done with `recorded`'s, and the arrows are `arrows`'.

use super::page::{Page, Writer};
use super::reading::Reading;
use crate::diagnostic::{Code, Diagnostic};
use crate::library::Library;
use crate::tables::Tables;
use file::Text;
use toml::de::DeTable;

mod arrows;
mod bind;
mod file;
mod names;
mod recorded;
mod roles;

/// The sections that an aiTWS file can have, each with its keys, and whether it may be there several times.
pub fn sections() -> Vec<(&'static str, Vec<&'static str>, bool)> {
    file::sections()
}

/// The JSON Schema of such a file.
pub(super) fn schema() -> schemars::Schema {
    schemars::schema_for!(file::File)
}

/// The arrows of such a file. `name` is its name.
pub(super) fn page(
    name: &str,
    table: DeTable,
    reading: &Reading,
    library: &dyn Library,
) -> Result<Page, Vec<Diagnostic>> {
    let mut tables = Tables::new(Code::Aitws, 0);
    let file = file::read(&mut tables, table);
    let names = names::Names::of(&file, &mut tables);
    let mut told = names.dangling(&file);
    let wanted = reading.pipeline.as_ref().map(|pipeline| names.places_of(&file, pipeline));
    let wanted = wanted.transpose().map_err(|error| vec![error])?;
    let places = wanted.as_ref().unwrap_or(&names.places);
    for refused in reading.who.iter().flat_map(|who| roles::refused(&file, &names, places, who)) {
        tables.report(refused);
    }
    told.extend(recorded::recorded(&file));
    bind::judgeable(&mut tables, &file, library);
    let mut writer = Writer::default();
    let mut binder = bind::Binder::new(name, &file, library);
    arrows::write(&file, &names, wanted, &mut binder, &mut writer);
    told.extend(binder.told);
    told.sort_by_key(|one| one.primary.span);
    // A strict file takes what is only a warning elsewhere for an error; what is recorded is no mistake of the file.
    let strict = file.metadata.as_ref().is_some_and(|metadata| metadata.is.strict) && !file.hides_names;
    for one in told {
        match matches!(one.code, Code::Dangling | Code::UnboundAction | Code::Unfired) && strict {
            true => tables.report(Diagnostic {
                code: Code::StrictDangling,
                reason: Some("the file is strict: `strict = true` in [metadata]".to_owned()),
                ..one
            }),
            false => writer.warn(one),
        }
    }
    if tables.errors.is_empty() { Ok(writer.finish()) } else { Err(tables.errors) }
}

/// What a name of this file stands for, and where: `Spanned` has ranges, and messages want spans.
fn span(text: &Text) -> crate::span::Span {
    let range = text.span();
    crate::span::Span::new(range.start as u32, range.end.max(range.start + 1) as u32)
}

#[cfg(test)]
mod tests;
