//! `worker`: the words that a program can use here, and what each does.

use crate::args::{Global, WorkerArgs, WorkerCommand};
use crate::fail::{Exit, Failure};
use crate::library::Files;
use crate::out::say;
use crate::project;
use aivm_host::builtin::{self, Setting};
use aivm_host::stdlib;
use aivm_lang::front::FrontMatter;
use aivm_lang::library::{Found, Library};
use aivm_schema::worker::{Does, WorkerDefinition, split_front_matter};
use serde_json::json;
use std::fmt::Write;
use std::path::Path;

mod attempt;
mod import;
mod mcp;
mod reload;
#[cfg(feature = "store")]
mod stats;

/// Text is broken at this column.
const WIDTH: usize = 100;

/// `aivm worker …`.
pub fn worker(global: &Global, args: &WorkerArgs) -> Result<Exit, Failure> {
    // As a program in the current folder would see it.
    let file = "program.aivm";
    match &args.command {
        // They need nothing of what is defined here.
        WorkerCommand::Import(args) => return import::import(global, args),
        #[cfg(feature = "store")]
        WorkerCommand::Stats(args) => return stats::stats(global, args),
        #[cfg(not(feature = "store"))]
        WorkerCommand::Stats(_) => return Err(Failure::no_store()),
        WorkerCommand::Try(args) => return attempt::attempt(global, file, args),
        WorkerCommand::Ls | WorkerCommand::Show { .. } | WorkerCommand::Reload => {}
    }
    let library = Files::around(file).map_err(|error| Failure::usage("E0802", error.to_string()))?;
    match &args.command {
        WorkerCommand::Ls => list(global, &library, file),
        WorkerCommand::Show { word } => show(global, &library, file, word),
        _ => reload::reload(global, &library, file),
    }
}

fn list(global: &Global, library: &Files, file: &str) -> Result<Exit, Failure> {
    let mut names = library.names(file);
    names.sort();
    names.dedup();
    let own = library.own_names(file);
    let recorded = reload::recorded();
    let mut now = reload::Set::new();
    let mut rows: Vec<(String, String, String)> = Vec::new();
    for name in names {
        match library.find(file, &name) {
            Ok(None) => {}
            Ok(Some(Found::Worker(worker))) => {
                if own.contains(&name) {
                    now.insert(name.clone(), reload::digest(&worker));
                }
                rows.push((name, worker.does.kind().to_owned(), worker.about));
            }
            Ok(Some(Found::Program { file, .. })) => {
                rows.push((name, "pipeline".to_owned(), format!("The pipeline in {file}.")));
            }
            Err(error) => rows.push((name, "error".to_owned(), error.to_string().replace('\n', " "))),
        }
    }
    let changes = recorded.map(|recorded| reload::changes(&recorded, &now)).unwrap_or_default();
    let wrong: Vec<String> = match library.seeds() {
        Ok(Some((path, bundle))) => bundle.wrong.iter().map(|entry| format!("{}: {entry}", path.display())).collect(),
        _ => Vec::new(),
    };
    if global.json {
        let rows: Vec<_> =
            rows.iter().map(|(word, kind, about)| json!({"word": word, "kind": kind, "about": about})).collect();
        let changes: Vec<_> = changes.iter().map(|(word, change)| json!({"word": word, "change": change})).collect();
        println!("{}", json!({"v": 1, "workers": rows, "changes": changes, "wrong": wrong}));
        return Ok(Exit::SENT);
    }
    let width = rows.iter().map(|(word, ..)| word.len()).max().unwrap_or(0);
    for (word, kind, about) in rows {
        println!("{}", format!("{word:<width$}  {kind:<8}  {about}").trim_end());
    }
    wrong.iter().for_each(|wrong| say(&format!("not loaded: {wrong}")));
    for (word, change) in changes {
        say(&format!("since the last reload: {word} is {change}"));
    }
    Ok(Exit::SENT)
}

fn show(global: &Global, library: &Files, file: &str, word: &str) -> Result<Exit, Failure> {
    let found = library.find(file, word).map_err(|error| Failure::usage("E0802", error.to_string()))?;
    let Some(found) = found else {
        return Err(unknown(library, file, word));
    };
    // Of a pipeline there is nothing more to tell.
    let known = match &found {
        Found::Worker(_) => library.known(file, word).ok().flatten(),
        Found::Program { .. } => None,
    };
    let (origin, notes) = known.map_or((None, Vec::new()), |known| (Some(known.origin), known.loaded.notes));
    match found {
        Found::Worker(worker) if global.json => {
            let definition: serde_json::Value = serde_json::from_str(&worker.to_json()).unwrap_or_default();
            println!(
                "{}",
                json!({"v": 1, "word": word, "kind": worker.does.kind(), "digest": worker.digest(), "definition": definition, "origin": origin, "notes": notes})
            );
        }
        Found::Worker(worker) => {
            print!("{}", page(word, &worker));
            if !notes.is_empty() {
                println!("\nnot as {} says", origin.unwrap_or_default());
                notes.iter().for_each(|note| print!("{}", wrapped(note, 2)));
            }
        }
        Found::Program { file, source } if global.json => {
            println!("{}", json!({"v": 1, "word": word, "kind": "pipeline", "file": file, "source": source}));
        }
        Found::Program { file, source } => println!("{word}: the pipeline in {file}\n\n{}", source.trim_end()),
    }
    Ok(Exit::SENT)
}

/// Of a word that names nothing here.
fn unknown(library: &Files, file: &str, word: &str) -> Failure {
    let failure = Failure::usage("E0201", format!("nothing is called `{word}`"));
    if let Some(program) = defines(word) {
        let own = format!("it is a word of the front matter of {program}, and that program's own");
        return failure
            .help(format!("{own}: move it to workers/{word}.md, or try the program: aivm run {program} --mock"));
    }
    let names = library.names(file);
    let near = aivm_lang::nearest(word, names.iter().map(String::as_str));
    failure.help(near.map_or("list all: aivm worker ls".to_owned(), |near| format!("did you mean `{near}`?")))
}

/// The first program here whose front matter defines a word.
fn defines(word: &str) -> Option<String> {
    let programs = std::fs::read_dir(".").ok()?.flatten().take(1_000).map(|entry| entry.file_name());
    let mut programs: Vec<String> = programs.filter_map(|name| name.into_string().ok()).collect();
    programs.retain(|name| name.ends_with(".aivm"));
    programs.sort();
    programs.into_iter().find(|program| {
        let text = project::read_plain(Path::new(program)).ok().flatten().unwrap_or_default();
        let front = split_front_matter(&text).0.and_then(|front| FrontMatter::parse(front).ok());
        front.is_some_and(|front| front.worker.contains_key(word))
    })
}

/// All that a person wants to know of a worker.
pub fn page(word: &str, worker: &WorkerDefinition) -> String {
    let about = match (worker.about.is_empty(), &worker.does) {
        (false, _) => worker.about.trim().to_owned(),
        (true, Does::Builtin(name)) => format!("The built-in `{name}` with settings of its own."),
        (true, Does::Command(_)) => "A command.".into(),
        (true, Does::Plugin(_)) => "A plugin.".into(),
        (true, Does::Model(_)) => "A question to a model.".into(),
        (true, Does::Http(_)) => "A request over HTTP.".into(),
        (true, Does::Mcp(tool)) => format!("The tool `{}` of the MCP server `{}`.", tool.tool, tool.server),
        (true, Does::Human(_)) => "A question to a person.".into(),
        (true, Does::Mock) => "A mock.".into(),
    };
    let mut out = wrapped(&format!("{word}: {about}"), 0);
    let asks = match &worker.does {
        Does::Model(_) => Some("It asks a model: AIVM_MODEL says which, where its definition does not"),
        Does::Http(_) | Does::Mcp(_) => Some("It asks a server"),
        Does::Human(_) => Some("It asks a person"),
        _ => None,
    };
    if let Some(asks) = asks {
        let mock = "with --mock the entries of `mock` in its definition answer; without any, its input goes on.";
        out.push('\n');
        out.push_str(&wrapped(&format!("{asks}; {mock}"), 0));
    }
    // A page describes the worker that stands on it, and no other that has its word.
    let page = stdlib::page(word)
        .filter(|page| WorkerDefinition::from_markdown(page).is_ok_and(|known| known.digest() == worker.digest()));
    let body = page.map_or("", |page| split_front_matter(page).1).trim();
    match (&worker.does, page) {
        (Does::Builtin(name), Some(_)) => {
            let told = body.lines().take_while(|line| !line.starts_with("## "));
            let told = told.filter(|line| !line.starts_with("# ") && !line.starts_with('|'));
            out.push_str(&told_again(told));
            out.push_str(&settings(name));
            out.push_str(&example(body));
        }
        (Does::Model(ask), Some(_)) => {
            let _ = write!(out, "\nits prompt\n{}", indented(&ask.prompt));
            if !worker.with.is_empty() {
                let filled = toml::to_string(&worker.with).unwrap_or_default();
                let _ = write!(out, "\nwhat `with` fills in\n{}", indented(&filled));
            }
        }
        (does, _) => {
            let own = WorkerDefinition { about: String::new(), ..worker.clone() };
            let _ = write!(out, "\nits definition\n{}", indented(&toml::to_string_pretty(&own).unwrap_or_default()));
            if let Does::Builtin(name) = does {
                out.push_str(&settings(name));
            }
        }
    }
    out
}

/// The paragraphs and list entries of a page, in lines that fit.
fn told_again<'t>(lines: impl Iterator<Item = &'t str>) -> String {
    let mut entries: Vec<String> = Vec::new();
    for line in lines.map(str::trim) {
        let marker = line.split(' ').next().unwrap_or("");
        let is_entry = marker == "-" || marker.strip_suffix('.').is_some_and(|n| n.parse::<u8>().is_ok());
        match entries.last_mut() {
            Some(last) if !line.is_empty() && !is_entry && !last.is_empty() => {
                last.push(' ');
                last.push_str(line);
            }
            Some(last) if line.is_empty() && last.is_empty() => {}
            None if line.is_empty() => {}
            _ => entries.push(line.to_owned()),
        }
    }
    if entries.last().is_some_and(String::is_empty) {
        entries.pop();
    }
    match entries.is_empty() {
        true => String::new(),
        false => entries.iter().fold("\n".to_owned(), |out, entry| out + &wrapped(entry, 0)),
    }
}

/// The settings of a built-in: name, what it takes or its default, meaning.
fn settings(builtin: &str) -> String {
    let settings = builtin::find(builtin).map_or(&[][..], |builtin| builtin.settings);
    if settings.is_empty() {
        return "\nno settings\n".into();
    }
    let takes = |setting: &Setting| {
        let takes = setting.takes().replace('`', "");
        match setting.default().as_str() {
            "–" => takes,
            "required" => format!("{takes}, required"),
            default => format!("{takes} = {}", default.trim_matches('`')),
        }
    };
    let rows: Vec<(&str, String, &str)> =
        settings.iter().map(|setting| (setting.name, takes(setting), setting.about)).collect();
    let names = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    // What takes one of many words has a line of its own.
    let types = rows.iter().map(|(_, takes, _)| takes.chars().count()).filter(|width| *width <= 28).max().unwrap_or(0);
    let column = 2 + names + 2 + types + 2;
    let mut out = "\nsettings\n".to_owned();
    for (name, takes, meaning) in rows {
        let first = format!("  {name:<names$}  {takes:<types$}");
        let text = wrapped(meaning, column);
        match first.chars().count() + 2 > column {
            true => {
                let _ = write!(out, "{first}\n{text}");
            }
            false => {
                let _ = write!(out, "{first}  {}", text.trim_start());
            }
        }
    }
    out
}

/// The blocks of a page's first example: what stands behind the three ticks, and the text.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let (mut blocks, mut open, mut examples): (Vec<(&str, String)>, bool, usize) = (Vec::new(), false, 0);
    for line in page.lines() {
        match (open, line.strip_prefix("```")) {
            (false, None) => examples += usize::from(line.starts_with("## ")),
            (false, Some(kind)) if examples == 1 => {
                blocks.push((kind, String::new()));
                open = true;
            }
            (false, Some(_)) => break,
            (true, Some("")) => open = false,
            (true, _) => {
                if let Some((_, text)) = blocks.last_mut() {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
    }
    blocks
}

/// The first example of a page: a program, what goes in, what comes out.
fn example(page: &str) -> String {
    let mut out = String::new();
    for (kind, text) in blocks(page) {
        let mut words = kind.split(' ');
        let (what, rest) = (words.next().unwrap_or(""), words.collect::<Vec<_>>());
        let named = |what: &str, of: &[&str]| match of {
            [] => what.to_owned(),
            of => format!("{what} ({})", of.join(", ")),
        };
        let (title, text) = match (what, rest.as_slice()) {
            ("toml", _) => ("example".to_owned(), program(&text)),
            ("output", ["same", said @ ..]) => (said_too("output: the input as it was", said), String::new()),
            ("output", [media_type, "escaped"]) => (named("output", &[media_type, "with escapes"]), text),
            ("output", [media_type, said @ ..]) => (said_too(&named("output", &[media_type]), said), text),
            ("output-part", [name, media_type]) => (named(&format!("output part {name}"), &[media_type]), text),
            ("input", [media_type, "escaped"]) => (named("input", &[media_type, "with escapes"]), text),
            ("part", [name, of @ ..]) => (named(&format!("input part {name}"), of), text),
            ("param", [name]) => (format!("parameter {name}"), text),
            ("fails", of) => (named("fails", of), text),
            ("file", [path]) => (format!("file {path}"), text),
            (what, of) => (named(what, of), text),
        };
        let _ = write!(out, "\n{title}\n{}", indented(&text));
    }
    out
}

fn said_too(text: &str, said: &[&str]) -> String {
    match said {
        [] => text.to_owned(),
        said => format!("{text}, and the word {}", said.join(" ")),
    }
}

/// A program of one step around the definition of its worker.
fn program(definition: &str) -> String {
    let word = definition.split_once("[worker.").and_then(|(_, rest)| rest.split([']', '.']).next()).unwrap_or("");
    let text = format!("+++\n{}\n+++\nout <= ( switch <= ( {word} => send ) ) <= in\n", definition.trim_end());
    aivm_lang::format::format(&text).unwrap_or(text)
}

fn indented(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("  {line}").trim_end().to_owned() + "\n").collect()
}

/// Text in lines that begin at this column and end before [`WIDTH`].
fn wrapped(text: &str, column: usize) -> String {
    let (mut out, mut line) = (String::new(), " ".repeat(column));
    for word in text.split_whitespace() {
        let is_first = line.trim().is_empty();
        if !is_first && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = " ".repeat(column);
        } else if !is_first {
            line.push(' ');
        }
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
    out
}
