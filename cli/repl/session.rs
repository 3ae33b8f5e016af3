//! What a session knows: definitions, the last program, what goes in, breakpoints, its runs. Beside each of its runs this is kept in a
//! file of the project's state, so that whoever resumes the run finds it; of any other run its program says as much.

use super::entry::{Given, Pieces};
use crate::args::Workers;
use crate::fail::{Failure, Source};
use crate::{compile, project};
use aivm_host::secret;
use aivm_lang::diagnostic::Diagnostic;
use aivm_lang::parser::parse;
use aivm_lang::workflow::Format;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use toml_edit::{DocumentMut, Item, Table};

/// The program that names are looked up beside when none was loaded.
const UNNAMED: &str = "session.aivm";
/// The program of a session that has none.
pub const EMPTY: &str = "out <= () <= in";

/// A session, as it is kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// The file that it began with: what names are looked up beside.
    file: Option<String>,
    /// The TOML between the two `+++` lines.
    front: String,
    /// Each by its name.
    definitions: Vec<(String, String)>,
    /// `out <= … <= in`
    program: Option<String>,
    /// The program around what was typed alone last; `:run` runs it while there is no other.
    pub alone: Option<String>,
    /// Files that it wrote, the last one first.
    saved: Vec<String>,
    /// Who answers.
    pub workers: Workers,
    /// What goes in where nothing is said: `"TEXT"`, @FILE or @ID.
    pub input: Option<String>,
    /// `KEY=VALUE`
    pub params: Vec<String>,
    /// Where runs stop.
    pub breaks: Vec<String>,
    /// Its runs.
    pub runs: Vec<String>,
    /// The one that commands are about; none of a program that has not run yet.
    pub at: Option<String>,
}

impl Session {
    /// One that knows nothing yet.
    pub fn new(workers: Workers) -> Session {
        Session { workers, ..Session::default() }
    }

    /// What `--resume` goes on with, when it is a run of a session.
    pub fn of_run(run: &str) -> Result<Option<Session>, Failure> {
        let path = kept_in().join(format!("{}.json", aivm_schema::artifact::key::component(run)));
        let Ok(text) = std::fs::read_to_string(&path) else { return Ok(None) };
        let damaged = |error: serde_json::Error| {
            Failure::failed(
                "E0957",
                format!("what is kept of the session in {} cannot be read: {error}", path.display()),
            )
            .help("remove the file: the program is taken from the run then")
        };
        serde_json::from_str(&text).map(Some).map_err(damaged)
    }

    /// Commands are about this run from now on.
    pub fn stand_at(&mut self, run: &str) -> Result<(), Failure> {
        self.runs.retain(|known| known != run);
        self.runs.push(run.to_owned());
        self.at = Some(run.to_owned());
        self.keep()
    }

    /// Keeps it beside its run.
    pub fn keep(&self) -> Result<(), Failure> {
        let Some(run) = &self.at else { return Ok(()) };
        let path = kept_in().join(format!("{}.json", aivm_schema::artifact::key::component(run)));
        let failed = |error: std::io::Error| Failure::failed("E0957", format!("the session cannot be kept: {error}"));
        std::fs::create_dir_all(kept_in()).map_err(failed)?;
        compile::write_whole(&path, serde_json::to_string(self).unwrap_or_default().as_bytes())
    }

    /// The file that it is about.
    pub fn file(&self) -> &str {
        self.file.as_deref().unwrap_or(UNNAMED)
    }

    /// The TOML that defines its workers.
    pub fn front(&self) -> &str {
        &self.front
    }

    /// Begins anew with a program.
    pub fn load(&mut self, file: &str, pieces: Pieces) {
        self.file = Some(file.to_owned()).filter(|file| file != UNNAMED);
        (self.front, self.definitions, self.program, self.alone, self.at) = Default::default();
        self.front = pieces.front.clone().unwrap_or_default();
        self.learn(Pieces { front: None, ..pieces });
    }

    /// The same with what was typed; a definition takes the place of one of its name.
    pub fn with(&self, pieces: &Pieces) -> Result<Session, Failure> {
        let mut session = self.clone();
        if let Some(front) = &pieces.front {
            session.front = merged(&self.front, front)?;
        }
        session.learn(pieces.clone());
        Ok(session)
    }

    fn learn(&mut self, pieces: Pieces) {
        for (name, text) in pieces.definitions {
            match self.definitions.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = text,
                None => self.definitions.push((name, text)),
            }
        }
        if pieces.program.is_some() {
            (self.program, self.alone) = (pieces.program, None);
        }
    }

    /// What an entry was given goes in again; what looks like a secret is not kept.
    pub fn input_is(&mut self, given: Option<&Given>) {
        if let Some(given) = given.map(ToString::to_string).filter(|given| !has_secret(given)) {
            self.input = Some(given);
        }
    }

    /// The files that it may write over: those that it wrote, and the program that it began with.
    pub fn own_files(&self) -> impl Iterator<Item = &str> {
        let loaded = self.file.iter().filter(|file| file.ends_with(".aivm"));
        self.saved.iter().chain(loaded).map(String::as_str)
    }

    /// It was written there.
    pub fn saved(&mut self, file: String) {
        self.saved.retain(|known| *known != file);
        self.saved.insert(0, file);
    }

    /// Has it a program?
    pub fn has_program(&self) -> bool {
        self.program.is_some()
    }

    /// The words of the steps of what `:run` runs.
    pub fn steps(&self) -> Vec<String> {
        let parsed = self.to_run().map(|source| parse(&source.text)).unwrap_or_default();
        let words = |path: &aivm_lang::tree::Path| {
            let all = std::iter::once(path.first).chain(path.rest.iter().copied());
            all.map(|word| parsed.tree.words.text(word)).collect::<Vec<_>>().join(".")
        };
        parsed.tree.steps.iter().map(|step| words(&step.worker)).collect()
    }

    /// The names of its definitions.
    pub fn definitions(&self) -> impl Iterator<Item = &str> {
        self.definitions.iter().map(|(name, _)| name.as_str())
    }

    /// The text of all: front matter, definitions, and a program.
    pub fn source(&self) -> Source {
        self.source_of(self.program.as_deref().unwrap_or(EMPTY))
    }

    /// What `:run` runs: the program, or what was typed alone while there is none.
    pub fn to_run(&self) -> Option<Source> {
        self.program.as_deref().or(self.alone.as_deref()).map(|program| self.source_of(program))
    }

    /// The same with another program.
    pub fn source_of(&self, program: &str) -> Source {
        let mut text = String::new();
        if !self.front.trim().is_empty() {
            text = format!("+++\n{}\n+++\n", self.front.trim_end());
        }
        for (_, definition) in &self.definitions {
            text.push_str(&format!("{definition}\n\n"));
        }
        text.push_str(&format!("{}\n", program.trim_end()));
        Source { name: self.file().to_owned(), text, reading: Format::Aivm.into() }
    }

    /// What is wrong with a text, told of the piece that was typed when it is only about that.
    pub fn told(failure: Failure, typed: &str) -> Failure {
        let Failure::Program { source, diagnostics } = failure else { return failure };
        let typed = typed.trim();
        let shifted = source.text.rfind(typed).filter(|_| !typed.is_empty()).and_then(|start| {
            let range = start as u32..(start + typed.len()) as u32;
            diagnostics.iter().map(|one| shifted(one, &range)).collect::<Option<Vec<Diagnostic>>>()
        });
        match shifted {
            Some(diagnostics) => {
                Failure::Program { source: Source { text: format!("{typed}\n"), ..source }, diagnostics }
            }
            None => Failure::Program { source, diagnostics },
        }
    }

    /// The one layout of all of it.
    pub fn formatted(&self) -> Result<String, Failure> {
        let source = self.source();
        aivm_lang::format::format(&source.text).map_err(|diagnostics| Failure::Program { source, diagnostics })
    }
}

/// The pieces of a text of arrows.
pub fn pieces_of(source: &Source) -> Result<Pieces, Failure> {
    let parsed = parse(&source.text);
    match parsed.diagnostics.is_empty() {
        true => Ok(super::entry::pieces(&source.text, &parsed)),
        false => Err(Failure::Program { source: source.clone(), diagnostics: parsed.diagnostics }),
    }
}

/// Where sessions are kept.
fn kept_in() -> PathBuf {
    project::state_folder().join("sessions")
}

/// Removes what is kept of runs that are gone.
pub fn forget(is_there: impl Fn(&str) -> bool) {
    let Ok(entries) = std::fs::read_dir(kept_in()) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let session: Option<Session> =
            std::fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str(&text).ok());
        let run = session.and_then(|session| session.at);
        if run.is_some_and(|run| !is_there(&run)) {
            let _ = std::fs::remove_file(&path);
        }
    }
}

/// What everybody could read in a file.
pub fn has_secret(text: &str) -> bool {
    secret::within(text.as_bytes()).is_some() || secret::shape::masked(text).1 > 0
}

/// Front matter with more of it: what is there again is replaced, key by key.
fn merged(front: &str, more: &str) -> Result<String, Failure> {
    let read = |text: &str| {
        text.parse::<DocumentMut>()
            .map_err(|error| Failure::usage("E0802", format!("the front matter: {}", error.message())))
    };
    let (mut front, more) = (read(front)?, read(more)?);
    lay_over(front.as_table_mut(), more.as_table());
    Ok(front.to_string())
}

/// `[worker.a]` over `[worker.b]` gives both; over another `[worker.a]` the new one.
fn lay_over(front: &mut Table, more: &Table) {
    for (name, section) in more {
        match (front.get_mut(name).and_then(Item::as_table_mut), section.as_table()) {
            (Some(known), Some(section)) => {
                for (key, item) in section {
                    known.insert(key, item.clone());
                }
            }
            _ => drop(front.insert(name, section.clone())),
        }
    }
}

/// A message about this part of a text, as one about the part alone.
fn shifted(diagnostic: &Diagnostic, range: &std::ops::Range<u32>) -> Option<Diagnostic> {
    let mut diagnostic = diagnostic.clone();
    let fixed = diagnostic.fix.iter_mut().flat_map(|fix| fix.edits.iter_mut().map(|(span, _)| span));
    let labels = diagnostic.labels.iter_mut().map(|label| &mut label.span);
    for span in labels.chain(fixed).chain([&mut diagnostic.primary.span]) {
        if span.start < range.start || span.end > range.end {
            return None;
        }
        (span.start, span.end) = (span.start - range.start, span.end - range.start);
    }
    Some(diagnostic)
}
