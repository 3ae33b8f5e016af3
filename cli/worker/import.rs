//! `worker import`: definitions of other programs as `workers/WORD.md`, all that are right or none.

use crate::args::{Global, WorkerImportArgs};
use crate::fail::{Exit, Failure};
use crate::load;
use crate::out::{plain, say};
use crate::project;
use aivm_host::secret::shape;
use aivm_schema::worker::seed::{self, Bundle, Policy, Seeded, Status, Wrong};
use aivm_schema::worker::{Does, Loaded};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// `aivm worker import FILE`.
pub fn import(global: &Global, args: &WorkerImportArgs) -> Result<Exit, Failure> {
    let policy: Policy = args.policy.parse().map_err(|reason: String| Failure::usage("E0922", reason))?;
    let bundle = match args.file.strip_prefix("mcp:") {
        Some(tools) => super::mcp::bundle(tools)?,
        None => {
            load::is_a_file(&args.file)?;
            read(&args.file, policy)?
        }
    };
    let (workers, mut notes) = (&bundle.workers, bundle.notes.clone());
    let mut files = Vec::new();
    for worker in workers {
        match worker.off(if args.dry_run { "it would not be written" } else { "it is not written" }) {
            None => files.push((args.out.join(format!("{}.md", worker.word)), text(worker))),
            Some(off) => notes.push(off),
        }
        notes.extend(worker.notes.iter().map(|note| format!("{}: {note}", worker.word)));
    }
    let there = files.iter().find(|(path, _)| path.symlink_metadata().is_ok());
    let there = there.filter(|_| !args.force);
    if let Some((path, _)) = there.filter(|_| !args.dry_run) {
        return Err(Failure::usage("E0923", format!("{} is there already, and nothing was written", path.display()))
            .help("--force writes over it"));
    }
    if let Some((path, _)) = there {
        notes.push(format!("{} is there already: nothing would be written without --force", path.display()));
    }
    let end = || if there.is_some() { Exit::USAGE } else { complete(global, args, &bundle) };
    if !args.dry_run {
        write(&args.out, &files).map_err(|error| {
            Failure::failed("E0924", format!("{}: nothing was written: {error}", args.out.display()))
        })?;
    }
    let settings = settings(workers);
    if global.json {
        let paths: Vec<_> = files.iter().map(|(path, _)| path.display().to_string()).collect();
        let mut told = json!({"v": 1, "wrong": wrong(&bundle), "notes": notes, "settings": settings});
        match args.dry_run {
            true => {
                let rows = workers.iter().filter(|worker| worker.status == Status::Active);
                let row = |worker: &Seeded| json!({"word": worker.word, "name": worker.name, "definition": worker.definition});
                (told["would_write"], told["workers"]) = (json!(paths), rows.map(row).collect());
            }
            false => told["written"] = json!(paths),
        }
        println!("{told}");
        return Ok(end());
    }
    for (path, text) in &files {
        match args.dry_run {
            true => println!("would write {}\n\n{text}", path.display()),
            false => println!("{}", path.display()),
        }
    }
    not_loaded(&bundle, args.dry_run);
    notes.iter().for_each(|note| say(note));
    if !settings.is_empty() {
        say(&format!("for aivm.toml:\n\n{settings}"));
    }
    Ok(end())
}

fn wrong(bundle: &Bundle) -> Value {
    let wrong = |wrong: &Wrong| json!({"at": wrong.at, "name": wrong.name, "reason": wrong.reason});
    bundle.wrong.iter().map(wrong).collect()
}

fn not_loaded(bundle: &Bundle, dry_run: bool) {
    let what = if dry_run { "would not be loaded" } else { "not loaded" };
    bundle.wrong.iter().for_each(|wrong| say(&format!("{what}: {}", plain(&wrong.to_string()))));
}

/// The end: whoever imports wants all; those that are right are there all the same.
fn complete(global: &Global, args: &WorkerImportArgs, bundle: &Bundle) -> Exit {
    let (wrong, right) = (bundle.wrong.len(), bundle.workers.len());
    if wrong == 0 {
        return Exit::SENT;
    }
    if !global.json {
        let what = if args.file.starts_with("mcp:") { "tools" } else { "entries" };
        let message = format!("{wrong} of the {} {what} of {} cannot be imported", wrong + right, args.file);
        Failure::failed("E0990", message).help("the others are not touched by that; it says above why").show(false);
    }
    Exit::FAILED
}

/// The worker file; what somebody else wrote in it may repeat a secret.
fn text(worker: &Seeded) -> String {
    aivm_host::secret::text(&worker.definition.to_markdown()).into_owned()
}

fn read(file: &str, policy: Policy) -> Result<Bundle, Failure> {
    let path = Path::new(file);
    let text = project::read_plain(path).map_err(|error| Failure::usage("E0801", error.to_string()))?;
    let text = text.ok_or_else(|| Failure::usage("E0801", format!("cannot read {file}: it is no plain file")))?;
    let refused = |reason: String| Failure::usage("E0922", format!("{file}: {reason}"));
    match path.extension().is_some_and(|extension| extension == "md") {
        true => agent(path, &text).map_err(refused),
        false => seed::read(&text, policy).map_err(|error| refused(error.to_string())),
    }
}

fn agent(path: &Path, text: &str) -> Result<Bundle, String> {
    let (text, credentials) = shape::masked(text);
    let Loaded { definition, name, mut notes } = Loaded::from_markdown(&text)?;
    notes.extend(crate::config::not_taken_over(&definition, credentials));
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
    let name = name.unwrap_or(stem);
    let word = seed::word(&name).ok_or_else(|| format!("no word can be made of the name `{name}`"))?;
    let (id, status, price, key) = (None, Status::Active, None, None);
    Ok(Bundle { workers: vec![Seeded { word, name, id, definition, status, price, key, notes }], ..Bundle::default() })
}

/// Everything beside its place first; only then does anything take its place.
fn write(folder: &Path, files: &[(PathBuf, String)]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let beside = |path: &Path| path.with_extension("md.new");
    let written = files.iter().try_for_each(|(path, text)| std::fs::write(beside(path), text));
    if let Err(error) = written {
        for (path, _) in files {
            let _ = std::fs::remove_file(beside(path));
        }
        return Err(error);
    }
    files.iter().try_for_each(|(path, _)| std::fs::rename(beside(path), path))
}

/// What the definitions say that belongs to the project: keys and prices.
fn settings(workers: &[Seeded]) -> String {
    let mut lines = BTreeSet::new();
    for worker in workers {
        let Does::Model(ask) = &worker.definition.does else { continue };
        for model in &ask.models {
            if let (Some(key), Some((provider, _))) = (&worker.key, model.split_once('/')) {
                lines.insert(format!("[provider.{provider:?}]\nkey = {key:?}\n"));
            }
            if let Some(seed::Price { input, output }) = worker.price {
                lines.insert(format!("[price.{model:?}]\ninput = \"{input}\"\noutput = \"{output}\"\n"));
            }
        }
    }
    lines.into_iter().collect()
}
