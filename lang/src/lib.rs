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
pub mod lexer;
pub mod library;
pub mod lower;
pub mod parser;
pub mod render;
#[cfg(test)]
mod sample;
pub mod span;
pub mod tree;
pub mod words;

pub use lower::nearest;

use aivm_schema::module::{Debug, Module};
use diagnostic::Diagnostic;
use flow::Flow;
use library::Library;

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
}

/// Source text to module. `file` is its name in messages, and what names are looked up beside.
///
/// Fails with all independent errors of the file, in the order of their places.
pub fn compile(file: &str, source: &str, library: &dyn Library) -> Result<Compiled, Vec<Diagnostic>> {
    let parsed = parser::parse(source);
    if !parsed.diagnostics.is_empty() {
        let mut errors = lower::also_wrong(file, source, &parsed, library);
        errors.extend(parsed.diagnostics);
        errors.sort_by_key(|error| error.primary.span);
        errors.truncate(diagnostic::MOST_ERRORS);
        return Err(errors);
    }
    let flow = lower::lower(file, source, &parsed.tree, &parsed.spans, library)?;
    let warnings = check::check(&flow);
    let (module, debug) = emit::emit(&flow).map_err(|error| vec![error])?;
    Ok(Compiled { flow, module, debug, warnings })
}
