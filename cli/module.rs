//! From a file to something that runs: source is compiled, `.aivmc` is loaded; both are verified.

use crate::args::Written;
use crate::fail::{self, Failure, Source};
use crate::library::Files;
use crate::project;
use aivm_lang::Compiled;
use aivm_lang::library::Library;
use aivm_schema::module::{self, Debug, Module, Step, StepTarget, WorkerId};
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
pub fn load(path: &str, written: &Written) -> Result<Program, Failure> {
    if path.ends_with(".aivmc") && !crate::load::is_address(path) {
        project::nothing_over(path, written)?;
        let (module, debug) = load_module(path)?;
        let module = verified(path, module)?;
        crate::secret::known(path, module.module(), debug.as_ref())?;
        return Ok(Program { name: path.to_owned(), module, debug, compiled: None });
    }
    of(project::read_source(path, written)?)
}

/// A program from its text.
pub fn of(source: Source) -> Result<Program, Failure> {
    let library = around(&source)?;
    of_in(source, &library)
}

/// A program from its text, with the words of this library.
pub fn of_in(source: Source, library: &dyn Library) -> Result<Program, Failure> {
    let compiled = compile_in(&source, library)?;
    let name = source.name.clone();
    let module = verified(&name, compiled.module.clone())?;
    let debug = Some(compiled.debug.clone());
    crate::secret::known(&name, module.module(), debug.as_ref())?;
    Ok(Program { name, module, debug, compiled: Some((source, compiled)) })
}

/// Compiles a source text; all its errors, or the program with its warnings.
pub fn compile(source: &Source) -> Result<Compiled, Failure> {
    compile_in(source, &around(source)?)
}

/// What its words are looked up in.
fn around(source: &Source) -> Result<Files, Failure> {
    Files::around(&source.name).map_err(|error| Failure::usage("E0802", error.to_string()))
}

/// The same with the words of this library.
pub fn compile_in(source: &Source, library: &dyn Library) -> Result<Compiled, Failure> {
    let compiled = aivm_lang::compile_as(source.reading.clone(), &source.name, &source.text, library)
        .map_err(|diagnostics| Failure::Program { source: source.clone(), diagnostics })?;
    crate::secret::check(source, compiled.flow.places.files.first().map_or("", |(_, text)| text))?;
    Ok(compiled)
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

/// The name of the worker that is called at a place of a run: of a step, an undoer or a chooser, also within definitions.
pub fn worker_of<'m>(module: &'m Module, key: &str) -> Option<&'m str> {
    let span = |(first, count): (u16, u16)| usize::from(first)..usize::from(first) + usize::from(count);
    let name = |worker: WorkerId| module.workers.get(worker.index()).map(|worker| worker.name.as_str());
    let (mut function, mut rest) = (module.functions.first()?, key);
    loop {
        // `stage/step#2`, of a fan-out `[7]` behind it, of an undoer `~undo`; in a definition its caller before it.
        let (path, after) = rest.split_once('#')?;
        let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
        let after = after.strip_prefix('[').and_then(|item| Some(item.split_once(']')?.1)).unwrap_or(after);
        let (undone, after) = after.strip_prefix("~undo").map_or((false, after), |after| (true, after));
        let stages = module.stages.get(span(function.stages))?;
        let steps = module.steps.get(span(function.steps))?;
        let is_here = |step: &&Step| {
            let stage = module.stages.get(step.stage.index()).map_or("", |stage| &stage.key);
            path.strip_prefix(stage).and_then(|step| step.strip_prefix('/')) == Some(&step.name)
        };
        let Some(step) = steps.iter().find(is_here) else {
            return name(stages.iter().find(|stage| stage.key == path)?.chooser?);
        };
        match if undone { step.undo? } else { step.target } {
            StepTarget::Worker(worker) => return name(worker),
            StepTarget::Function(called) => function = module.functions.get(called.index())?,
        }
        rest = after.strip_prefix('/')?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aivm_lang::library::Shelf;

    #[test]
    fn a_key_leads_to_its_worker() {
        let text = "+++\n[worker.ask]\nmock = []\n[stage.pick]\nchooser = \"ask\"\n+++\n\
            inner <= ( switch <= ( one ~ two => next  one.three => send ) )\n\
            out <= ( switch <= ( inner ~ inner => next  [four <= in.*] => send ) <= select[pick] <= ( five => next ) ) <= in\n";
        let shelf = Shelf { anything: true, ..Shelf::default() };
        let module = aivm_lang::compile("p.aivm", text, &shelf).expect("a program").module;
        for (key, worker) in [
            ("switch.1/inner#1/switch.1/one#1", Some("one")),
            ("switch.1/inner#2/switch.1/one#3~undo", Some("two")),
            ("switch.1/inner#1~undo/switch.1/three#1", Some("one.three")),
            ("switch.1/four#1[12]", Some("four")),
            ("pick#2", Some("ask")),
            ("pick/five#1", Some("five")),
            ("switch.1/six#1", None),
            ("switch.1/inner#1", None),
            ("", None),
        ] {
            assert_eq!(worker_of(&module, key), worker, "{key}");
        }
    }
}
