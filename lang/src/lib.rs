//! Text to flow graph to bytecode, and back to formatted text. Pure: no I/O, no clock, no randomness, no async.
#![forbid(unsafe_code)]

pub mod brackets;
pub mod check;
pub mod cost;
pub mod diagnostic;
pub mod draw;
pub mod emit;
pub mod eval;
pub mod flow;
pub mod format;
pub mod front;
pub mod grammar;
pub mod lexer;
pub mod library;
pub mod lower;
pub mod parser;
pub mod render;
#[cfg(test)]
mod sample;
pub mod service;
pub mod span;
mod tables;
pub mod tree;
pub mod words;
pub mod workflow;

pub use lower::nearest;

use aivm_schema::module::{Debug, Module};
use diagnostic::{Diagnostic, Severity};
use flow::Flow;
use library::Library;
use parser::Parsed;
use workflow::{Format, Reading};

/// A program that has been compiled.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// What it means.
    pub flow: Flow,
    /// What runs.
    pub module: Module,
    /// Where its nodes were written.
    pub debug: Debug,
    /// What looks wrong in it.
    pub warnings: Vec<Diagnostic>,
    /// What it could say and does not, and what it says in vain; nothing looks wrong.
    pub hints: Vec<Diagnostic>,
}

/// Source text to module, whatever format it is in. `file` is its name in messages, and what names are looked up beside.
///
/// Fails with all independent errors of the file, in the order of their places.
pub fn compile(file: &str, source: &str, library: &dyn Library) -> Result<Compiled, Vec<Diagnostic>> {
    compile_as(Format::of_file(file, source), file, source, library)
}

/// A source that is read so, or is all of one format, to module.
pub fn compile_as(
    reading: impl Into<Reading>,
    file: &str,
    source: &str,
    library: &dyn Library,
) -> Result<Compiled, Vec<Diagnostic>> {
    let reading = reading.into();
    if reading.format == Format::Aivm {
        reading.fits()?;
        return compile_arrows(file, source, library);
    }
    let page = workflow::page(reading, file, source, library)?;
    let back = |told: Vec<Diagnostic>| told.into_iter().map(|one| page.told_at_origin(one));
    match compile_arrows(file, &page.text, library) {
        Ok(compiled) => {
            let all = page.warnings.iter().cloned().chain(back(compiled.warnings)).chain(back(compiled.hints));
            let (hints, warnings) = all.partition(|one| one.severity() == Severity::Hint);
            Ok(Compiled { warnings, hints, ..compiled })
        }
        Err(errors) => {
            let mut errors: Vec<Diagnostic> = back(errors).collect();
            errors.sort_by_key(|error| error.primary.span);
            Err(errors)
        }
    }
}

fn compile_arrows(file: &str, source: &str, library: &dyn Library) -> Result<Compiled, Vec<Diagnostic>> {
    compile_parsed(file, source, &parser::parse(source), library)
}

fn compile_parsed(
    file: &str,
    source: &str,
    parsed: &Parsed,
    library: &dyn Library,
) -> Result<Compiled, Vec<Diagnostic>> {
    if !parsed.diagnostics.is_empty() {
        let mut errors = lower::also_wrong(file, source, parsed, library);
        errors.extend(parsed.diagnostics.iter().cloned());
        errors.sort_by_key(|error| error.primary.span);
        errors.truncate(diagnostic::MOST_ERRORS);
        return Err(errors);
    }
    let flow = lower::lower(file, source, &parsed.tree, &parsed.spans, library)?;
    let (warnings, hints) = (check::check(&flow), check::hints(&flow, file, library));
    let (module, debug) = emit::emit(&flow).map_err(|error| vec![error])?;
    Ok(Compiled { flow, module, debug, warnings, hints })
}
