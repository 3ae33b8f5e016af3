//! `worker`: the words that a program can use here, and what each does.

use crate::args::{Global, WorkerArgs, WorkerCommand};
use crate::fail::{Exit, Failure};
use crate::library::Files;
use aivm_host::stdlib;
use aivm_lang::library::{Found, Library};
use serde_json::json;

/// `aivm worker …`.
pub fn worker(global: &Global, args: &WorkerArgs) -> Result<Exit, Failure> {
    // As a program in the current folder would see it.
    let file = "program.aivm";
    let library = Files::around(file).map_err(|error| Failure::usage("E0802", error.to_string()))?;
    match &args.command {
        WorkerCommand::Ls => list(global, &library, file),
        WorkerCommand::Show { word } => show(global, &library, file, word),
    }
}

fn list(global: &Global, library: &Files, file: &str) -> Result<Exit, Failure> {
    let mut names = library.names(file);
    names.sort();
    names.dedup();
    let rows: Vec<(String, String, String)> = names
        .into_iter()
        .filter_map(|name| {
            let found = library.find(file, &name).ok().flatten()?;
            Some(match found {
                Found::Worker(worker) => (name, worker.does.kind().to_owned(), worker.about),
                Found::Program { file, .. } => (name, "pipeline".to_owned(), format!("The pipeline in {file}.")),
            })
        })
        .collect();
    if global.json {
        let rows: Vec<_> =
            rows.iter().map(|(word, kind, about)| json!({"word": word, "kind": kind, "about": about})).collect();
        println!("{}", json!({"v": 1, "workers": rows}));
        return Ok(Exit::SENT);
    }
    let width = rows.iter().map(|(word, ..)| word.len()).max().unwrap_or(0);
    for (word, kind, about) in rows {
        println!("{word:<width$}  {kind:<8}  {about}");
    }
    Ok(Exit::SENT)
}

fn show(global: &Global, library: &Files, file: &str, word: &str) -> Result<Exit, Failure> {
    let found = library.find(file, word).map_err(|error| Failure::usage("E0802", error.to_string()))?;
    let Some(found) = found else {
        let names = library.names(file);
        let near = aivm_lang::nearest(word, names.iter().map(String::as_str));
        let failure = Failure::usage("E0201", format!("nothing is called `{word}`"));
        return Err(
            failure.help(near.map_or("list all: aivm worker ls".to_owned(), |near| format!("did you mean `{near}`?")))
        );
    };
    match found {
        Found::Worker(worker) if global.json => {
            let definition: serde_json::Value = serde_json::from_str(&worker.to_json()).unwrap_or_default();
            println!(
                "{}",
                json!({"v": 1, "word": word, "kind": worker.does.kind(), "digest": worker.digest(), "definition": definition})
            );
        }
        Found::Worker(worker) => {
            println!("{word}: {}\n", worker.about);
            match stdlib::page(word) {
                Some(page) => println!("{}", page.trim_start()),
                None => println!("{}", toml::to_string_pretty(&*worker).unwrap_or_default()),
            }
        }
        Found::Program { file, source } if global.json => {
            println!("{}", json!({"v": 1, "word": word, "kind": "pipeline", "file": file, "source": source}));
        }
        Found::Program { file, source } => println!("{word}: the pipeline in {file}.\n\n{source}"),
    }
    Ok(Exit::SENT)
}
