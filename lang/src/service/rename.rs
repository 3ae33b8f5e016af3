//! From a name to where it is given and used, and to another name.

use super::Document;
use super::names::{Name, Occurrence, Role};
use crate::flow::{Outcome, Target};
use crate::library::{Found, Library};
use crate::span::Span;
use aivm_schema::word::{is_reserved, is_word};
use aivm_schema::worker::Does;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    /// The name of the file, as the compiler knows it.
    pub file: String,
    /// Where in it.
    pub span: Span,
}

/// A change of the text: what is replaced, and by what.
pub type Edit = (Span, String);

/// Why something cannot be renamed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenameError {
    /// No name stands there.
    #[error("nothing here has a name that can be changed")]
    NoName,
    /// It has another meaning in a program that has errors.
    #[error("the program has errors: mend them first, so that it is known what the name means")]
    Errors,
    /// It is not of this file.
    #[error("`{0}` is not defined in this file: rename it where it is")]
    Elsewhere(String),
    /// Workers answer by this word.
    #[error("`{word}` is also what `{worker}` answers to take this jump: change what it answers, and the name by hand")]
    Answer {
        /// The word.
        word: String,
        /// Who answers it.
        worker: String,
    },
    /// The new name is none.
    #[error(
        "`{0}` cannot be a name: a letter or `_`, then letters, digits, `_` and `-`, and not a word of the language"
    )]
    NotAName(String),
    /// The new name is somebody else's.
    #[error("`{0}` has a meaning already")]
    Taken(String),
    /// It would be found by another way.
    #[error("the program would mean something else with the name `{0}`")]
    OtherMeaning(String),
}

impl Document {
    /// Where the thing at a byte is given: a definition, a worker, a label, the step of a reference.
    pub fn definition(&self, at: u32, library: &dyn Library) -> Option<Place> {
        let one = self.names.at(self.boundary(at))?;
        let here = |span: Span| Place { file: self.file.clone(), span };
        if let Role::Step(id) = one.role {
            return self.parsed.spans.steps.get(id.index()).map(|places| here(places.worker));
        }
        if let Some(given) = self.occurrences(&one.name).find(|other| other.role == Role::Given) {
            return Some(here(given.span));
        }
        let Name::Worker(word) = &one.name else { return None };
        match library.find(&self.file, word).ok().flatten()? {
            Found::Program { file, .. } => Some(Place { file, span: Span::default() }),
            Found::Worker(_) => library.origin(&self.file, word).map(|file| Place { file, span: Span::default() }),
        }
    }

    /// The name at a byte, as it is written: `text.upper`.
    pub fn name_at(&self, at: u32) -> Option<&str> {
        self.names.at(self.boundary(at)).map(|one| one.name.text())
    }

    /// Where the thing at a byte is given and used in this file, in the order of the places.
    pub fn references(&self, at: u32) -> Vec<Span> {
        let Some(one) = self.names.at(self.boundary(at)) else { return Vec::new() };
        self.occurrences(&one.name).map(|other| other.span).collect()
    }

    /// The name at a byte, when it can be changed.
    pub fn renamable(&self, at: u32) -> Result<Span, RenameError> {
        let one = self.names.at(self.boundary(at)).ok_or(RenameError::NoName)?;
        let Some(compiled) = &self.compiled else { return Err(RenameError::Errors) };
        if matches!(one.name, Name::Verdict(_)) {
            return Err(RenameError::NoName);
        }
        let word = one.name.text();
        if !self.occurrences(&one.name).any(|other| other.role == Role::Given) {
            return Err(RenameError::Elsewhere(word.to_owned()));
        }
        // Whoever is told the words with each call learns the new one; anybody else has it by heart.
        for step in &compiled.flow.steps {
            let jumps = step.outcomes.iter().any(|outcome| match outcome {
                Outcome::Jump { word: jump, .. } => compiled.flow.word(*jump) == word,
                _ => false,
            });
            let is_told = match step.target {
                Target::Worker(id) => compiled
                    .flow
                    .workers
                    .get(id.index())
                    .is_some_and(|worker| matches!(worker.definition.does, Does::Model(_) | Does::Human(_))),
                Target::Function(_) => false,
            };
            if jumps && !is_told {
                let worker = compiled.flow.target_name(step.target).to_owned();
                return Err(RenameError::Answer { word: word.to_owned(), worker });
            }
        }
        Ok(one.span)
    }

    /// The changes by which the thing at a byte gets another name. Refused where the program would mean something else.
    pub fn rename(&self, at: u32, to: &str, library: &dyn Library) -> Result<Vec<Edit>, RenameError> {
        self.renamable(at)?;
        let name = self.names.at(self.boundary(at)).map(|one| one.name.clone()).ok_or(RenameError::NoName)?;
        if name.text() == to {
            return Ok(Vec::new());
        }
        if !is_word(to) || is_reserved(to) {
            return Err(RenameError::NotAName(to.to_owned()));
        }
        let new = match name {
            Name::Label(_) => Name::Label(to.to_owned()),
            Name::Behaviour(_) => Name::Behaviour(to.to_owned()),
            Name::Worker(_) | Name::Verdict(_) => Name::Worker(to.to_owned()),
        };
        if self.occurrences(&new).next().is_some() {
            return Err(RenameError::Taken(to.to_owned()));
        }
        let edits: Vec<Edit> = self.occurrences(&name).map(|one| (one.span, to.to_owned())).collect();
        let after = Document::new(&self.file, apply(&self.text, &edits), library);
        let renamed = |one: &Occurrence| {
            let same = one.name == name;
            (if same { new.clone() } else { one.name.clone() }, one.role)
        };
        let before = self.names.occurrences.iter().map(renamed);
        let same = before.eq(after.names.occurrences.iter().map(|one| (one.name.clone(), one.role)));
        if after.compiled.is_none() || !same {
            return Err(RenameError::OtherMeaning(to.to_owned()));
        }
        Ok(edits)
    }

    fn occurrences(&self, name: &Name) -> impl Iterator<Item = &Occurrence> {
        self.names.occurrences.iter().filter(move |one| one.name == *name)
    }
}

/// A text with changes made, each at its place of the text as it was; of two that overlap, the second is left out.
pub fn apply(text: &str, edits: &[Edit]) -> String {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|(span, _)| *span);
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (span, text_there) in edits {
        let range = span.range();
        if range.start < done || text.get(range.clone()).is_none() {
            continue;
        }
        out.push_str(text.get(done..range.start).unwrap_or(""));
        out.push_str(text_there);
        done = range.end;
    }
    out.push_str(text.get(done..).unwrap_or(""));
    out
}
