//! From a file to something that runs: source is compiled, `.aivmc` is loaded; both are verified.

use crate::fail::{self, Failure, Source};
use crate::library::Files;
use crate::project;
use aivm_lang::Compiled;
use aivm_schema::module::{self, Debug, Module};
use aivm_vm::verify::{VerifiedModule, verify};

/// A program ready to run.
pub struct Program {
    /// The name of its file.
    pub name: String,
    /// What runs.
    pub module: VerifiedModule,
    /// Where its nodes were written.
    pub debug: Option<Debug>,
    /// What the compiler knows, when it was compiled here.
    pub compiled: Option<(Source, Compiled)>,
}

/// A program from its file, source or module.
pub fn load(path: &str) -> Result<Program, Failure> {
    if path.ends_with(".aivmc") {
        let (module, debug) = load_module(path)?;
        return Ok(Program { name: path.to_owned(), module: verified(path, module)?, debug, compiled: None });
    }
    let source = project::read_source(path)?;
    let compiled = compile(&source)?;
    let module = verified(path, compiled.module.clone())?;
    let debug = Some(compiled.debug.clone());
    Ok(Program { name: path.to_owned(), module, debug, compiled: Some((source, compiled)) })
}

/// Compiles a source text; all its errors, or the program with its warnings.
pub fn compile(source: &Source) -> Result<Compiled, Failure> {
    let library = Files::around(&source.name).map_err(|error| Failure::usage("E0802", error.to_string()))?;
    aivm_lang::compile(&source.name, &source.text, &library)
        .map_err(|diagnostics| Failure::Program { source: source.clone(), diagnostics })
}

/// Compiles, and shows warnings on standard error.
pub fn compile_aloud(source: &Source, json: bool) -> Result<Compiled, Failure> {
    let compiled = compile(source)?;
    if !json {
        fail::show_diagnostics(source, &compiled.warnings);
    }
    Ok(compiled)
}

/// A module from its file.
pub fn load_module(path: &str) -> Result<(Module, Option<Debug>), Failure> {
    let bytes = project::read_program(path)?;
    module::load(&bytes)
        .map_err(|error| fail::coded(&error.to_string()).help(format!("{path} is no module of this program")))
}

/// A module that has been verified.
pub fn verified(path: &str, module: Module) -> Result<VerifiedModule, Failure> {
    verify(module).map_err(|error| {
        fail::coded(&error.to_string()).help(format!("compile the source of {path} anew: aivm compile"))
    })
}
