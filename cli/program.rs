//! Programs that are written while a run goes on: compiled by the library around the workspace, as a file there would be.

use crate::fail::{Failure, Source};
use crate::module;
use aivm_host::work::program::{Programs, Written};
use aivm_lang::cost;
use aivm_lang::workflow::Format;
use serde_json::{Value, json};
use std::path::Path;

/// As whose file a program is compiled: what it calls is looked up beside it.
const FILE: &str = "program.aivm";

/// What runs of this process give to their programs.
pub fn programs() -> Programs {
    Programs::compiled_by(compile)
}

fn compile(text: &str, workspace: &Path) -> Result<Written, Vec<Value>> {
    // Definitions of its own would be whatever it likes under a word that it may call.
    if let Some(line) = text.lines().position(|line| line.trim_end() == "+++") {
        let message = "a program that another one runs has no front matter";
        let help = "call workers that are there, and write limits into the arrows: `worker<3> => next`";
        let told = json!({"code": "E1050", "severity": "error", "line": line + 1, "column": 1, "message": message, "help": help});
        return Err(vec![told]);
    }
    let name = workspace.join(FILE).display().to_string();
    let source = Source { name, text: text.to_owned(), reading: Format::Aivm.into() };
    let program = module::of(source).map_err(told)?;
    let Some((_, compiled)) = &program.compiled else { return Err(Vec::new()) };
    let total = cost::worst_case(&compiled.flow).total;
    let most = [total.calls, total.money, total.tokens].map(cost::Bound::known);
    Ok(Written { debug: compiled.debug.clone(), module: program.module, most })
}

/// What is wrong, for whoever wrote it: places are those of the text, which lies nowhere.
fn told(failure: Failure) -> Vec<Value> {
    match failure {
        Failure::Program { source, diagnostics } => {
            let mut told = source.told_in_json(&diagnostics);
            for one in told.iter_mut().filter_map(Value::as_object_mut) {
                one.insert("file".to_owned(), FILE.into());
            }
            told
        }
        Failure::Other { code, message, help, .. } => {
            vec![json!({"code": code, "severity": "error", "message": message, "help": help})]
        }
    }
}
