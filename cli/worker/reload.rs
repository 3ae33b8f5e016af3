//! `worker reload`: definitions are read by each command anew, and a run keeps those that it began with; so this reads them all
//! at once, and when all are sound notes which they are. `worker ls` shows what has changed since.

use crate::args::Global;
use crate::fail::{Exit, Failure};
use crate::library::Files;
use crate::out::say;
use crate::project;
use aivm_lang::library::{Found, Library};
use aivm_schema::worker::WorkerDefinition;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The digest of each worker that is the project's own, by word.
pub type Set = BTreeMap<String, String>;

fn path() -> PathBuf {
    project::state_folder().join("workers.json")
}

/// The set of the last reload; none: there was none.
pub fn recorded() -> Option<Set> {
    serde_json::from_str(&std::fs::read_to_string(path()).ok()?).ok()
}

/// As the set has it.
pub fn digest(worker: &WorkerDefinition) -> String {
    worker.digest().to_string()
}

/// `aivm worker reload`.
pub fn reload(global: &Global, library: &Files, file: &str) -> Result<Exit, Failure> {
    let (mut set, mut wrong, mut notes) = (Set::new(), Vec::new(), Vec::new());
    match library.seeds() {
        Err(error) => wrong.push(error.to_string()),
        Ok(None) => {}
        Ok(Some((path, bundle))) => {
            wrong.extend(bundle.wrong.iter().map(|entry| format!("{}: {entry}", path.display())));
            let off = bundle.workers.iter().filter_map(|worker| worker.off("no program can call it"));
            notes.extend(bundle.notes.iter().cloned().chain(off).map(|note| format!("{}: {note}", path.display())));
        }
    }
    for name in library.own_names(file) {
        if !aivm_schema::word::is_word(&name) || aivm_schema::word::is_reserved(&name) {
            notes.push(format!("no program can call `{name}`: it is no word"));
            continue;
        }
        match library.find(file, &name) {
            Ok(Some(Found::Worker(worker))) => {
                if let Err(reason) = library.check(&worker) {
                    wrong.push(format!("{name}: {reason}"));
                }
                set.insert(name.clone(), digest(&worker));
            }
            Ok(_) => {}
            Err(error) => wrong.push(error.to_string()),
        }
        if let Ok(Some(known)) = library.known(file, &name) {
            notes.extend(known.loaded.notes.iter().map(|note| format!("{name}: {note}")));
        }
    }
    wrong.sort();
    wrong.dedup();
    if !wrong.is_empty() {
        let several = if wrong.len() == 1 { "one is" } else { "several are" };
        return Err(Failure::usage(
            "E0921",
            format!("the workers stay as they were noted, because {several} wrong: {}", wrong.join("; ")),
        ));
    }
    let before = recorded().unwrap_or_default();
    let failed = |error: std::io::Error| Failure::failed("E0924", format!("{}: {error}", path().display()));
    std::fs::create_dir_all(project::state_folder()).map_err(failed)?;
    let beside = path().with_extension("json.new");
    std::fs::write(&beside, json!(set).to_string()).map_err(failed)?;
    std::fs::rename(&beside, path()).map_err(failed)?;
    let changes = changes(&before, &set);
    if global.json {
        let of = |what: &str| changes.iter().filter(|(_, is)| *is == what).map(|(word, _)| word).collect::<Vec<_>>();
        let (new, changed, gone) = (of("new"), of("changed"), of("gone"));
        println!("{}", json!({"v": 1, "workers": set, "new": new, "changed": changed, "gone": gone, "notes": notes}));
        return Ok(Exit::SENT);
    }
    for (word, what) in &changes {
        println!("{what:<7}  {word}");
    }
    notes.iter().for_each(|note| say(note));
    say(&format!("{} workers, all sound", set.len()));
    Ok(Exit::SENT)
}

/// What is new, changed and gone.
pub fn changes(before: &Set, now: &Set) -> Vec<(String, &'static str)> {
    let mut changes = Vec::new();
    for (word, digest) in now {
        match before.get(word) {
            None => changes.push((word.clone(), "new")),
            Some(known) if known != digest => changes.push((word.clone(), "changed")),
            Some(_) => {}
        }
    }
    changes.extend(before.keys().filter(|word| !now.contains_key(*word)).map(|word| (word.clone(), "gone")));
    changes
}
