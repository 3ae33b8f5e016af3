//! `worker try`: one worker alone, as a program of one step of which nothing is kept.

use crate::args::{Global, How, WorkerTryArgs};
use crate::fail::{Exit, Failure, Source};
use crate::library::Files;
use crate::module::{self, Program};
use crate::run;
use aivm_lang::library::Library;
use aivm_lang::workflow::Format;

/// `aivm worker try WORD`.
pub fn attempt(global: &Global, file: &str, args: &WorkerTryArgs) -> Result<Exit, Failure> {
    let called = |word: &str| aivm_schema::word::is_word(word) && !aivm_schema::word::is_reserved(word);
    let wrong = args.words.iter().find(|word| !called(word));
    if let Some(word) = wrong {
        return Err(Failure::usage("E0925", format!("`--words`: `{word}` is not a word that an arm can have")));
    }
    if !args.word.split('.').all(called) {
        return Err(Failure::usage("E0925", format!("`{}` is not a word that a program can call", args.word)));
    }
    let library = Files::around(file).map_err(|error| Failure::usage("E0802", error.to_string()))?;
    if let Ok(None) = library.find(file, &args.word) {
        return Err(super::unknown(&library, file, &args.word));
    }
    // All ways lead out: what the worker said is seen in its step.
    let arms: String = args.words.iter().map(|word| format!("{word} => send  ")).collect();
    let choice = if arms.is_empty() { String::new() } else { format!(" <= match <= ( {arms}default => send )") };
    let text = format!("out <= ( switch[try] <= ( {} => send ){choice} ) <= in\n", args.word);
    let source = Source { name: file.to_owned(), text, reading: Format::Aivm.into() };
    let compiled = module::compile(&source)?;
    let program = Program {
        name: args.word.clone(),
        module: module::verified(file, compiled.module.clone())?,
        debug: None,
        compiled: None,
    };
    let how = How {
        input: args.input.clone(),
        media_type: args.media_type.clone(),
        mock: args.mock,
        ephemeral: true,
        ..How::default()
    };
    crate::secret::known(file, program.module.module(), None)?;
    run::run(global, &how, None, &program)
}
