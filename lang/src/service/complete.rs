//! Completion: what may stand at a place, best first.

use super::Document;
use super::context::{Expects, Spot};
use super::meanings::{brief, meaning};
use super::names::{Name, Role, step_word};
use crate::library::Library;
use crate::parser::KEYWORDS;
use crate::span::Span;
use crate::tree::{Element, Kind, Limit, Stage};
use aivm_schema::word::BY_ENDING;
use aivm_schema::worker::MockEntry;
use std::collections::BTreeSet;

/// What a completion stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CompletionKind {
    /// A word of the language.
    Keyword,
    /// An outcome, an end of an arm or a jump.
    Outcome,
    /// Whom a step can call.
    Worker,
    /// A label.
    Label,
    /// A reference to an input or an output.
    Reference,
    /// A behaviour.
    Behaviour,
    /// A word that an arm can hear.
    Verdict,
    /// A key or a table of the front matter.
    Key,
    /// A value of the front matter.
    Value,
}

/// What may stand at a place.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Completion {
    /// What is shown, and what is matched with what was typed.
    pub label: String,
    /// What it stands for.
    pub kind: CompletionKind,
    /// A few words about it; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What is replaced: from the first word that was typed of it to the cursor or the end of the word under it.
    pub replace: Span,
    /// What it is replaced by.
    pub insert: String,
}

impl Completion {
    pub(super) fn new(kind: CompletionKind, label: String, replace: Span) -> Completion {
        Completion { insert: label.clone(), label, kind, detail: String::new(), replace }
    }
}

impl Document {
    /// What may stand at a byte, best first: what begins as the word under the cursor before the rest.
    pub fn complete(&self, at: u32, library: &dyn Library) -> Vec<Completion> {
        let at = self.boundary(at);
        let mut all = if self.is_front_matter(at) { self.complete_front_matter(at) } else { self.propose(at, library) };
        all.sort_by_key(|one| !one.label.starts_with(self.slice(Span::new(one.replace.start.min(at), at))));
        all
    }

    fn propose(&self, at: u32, library: &dyn Library) -> Vec<Completion> {
        if self.tokens.is_empty() && !self.text.trim().is_empty() {
            return Vec::new();
        }
        let spot = self.spot(at);
        let mut all = List { spot: &spot, all: Vec::new() };
        match spot.expects {
            Expects::Nothing => {}
            Expects::Top => {
                all.text(
                    CompletionKind::Keyword,
                    "out <= ( … ) <= in",
                    "out <= (\n    switch <= (\n        \n    )\n) <= in",
                );
            }
            Expects::Input => all.words(CompletionKind::Keyword, &["in"]),
            Expects::Stage => all.words(CompletionKind::Keyword, &KEYWORDS),
            Expects::Worker => self.workers(at, library, &mut all),
            Expects::Element(kind) => self.elements(kind, at, library, &mut all),
            Expects::Arm => self.arms(&mut all),
            Expects::Outcome(kind) => self.outcomes(kind, at, &mut all),
            Expects::Jump => self.jumps(at, "", "", &mut all),
            Expects::Reference => self.references_at(at, &mut all),
            Expects::Behaviour => self.behaviours(&mut all),
        }
        all.all
    }

    /// What is to be known of a completion that was proposed; asked for one at a time, because files are read for it.
    pub fn explain(&self, completion: &Completion, library: &dyn Library) -> Option<String> {
        match completion.kind {
            CompletionKind::Worker => self.about_worker(&completion.label, library),
            CompletionKind::Keyword | CompletionKind::Outcome | CompletionKind::Verdict => {
                meaning(completion.label.split(' ').next()?).map(str::to_owned)
            }
            _ => None,
        }
    }

    /// Definitions of the file and workers of its front matter, then what stands around it, then the standard library.
    fn workers(&self, at: u32, library: &dyn Library, all: &mut List) {
        // A definition cannot call itself, nor one that calls it; the second is rare, and told when it is written.
        let own = self.names.function(at).map(|function| function.name.as_str());
        let defined = self.names.functions.iter().map(|function| function.name.as_str());
        for name in defined.filter(|name| *name != "out" && Some(*name) != own) {
            all.one(CompletionKind::Worker, name, "a definition of this file");
        }
        for (name, definition) in &self.front.worker {
            all.one(CompletionKind::Worker, name, &definition.about);
        }
        let around = library.own_names(&self.file);
        let around: BTreeSet<&str> = around.iter().map(String::as_str).collect();
        for name in &around {
            all.one(CompletionKind::Worker, name, "of this project");
        }
        let names = library.names(&self.file);
        for name in names.iter().filter(|name| !around.contains(name.as_str())) {
            all.one(CompletionKind::Worker, name, "of the standard library");
        }
    }

    fn elements(&self, kind: Kind, at: u32, library: &dyn Library, all: &mut List) {
        self.workers(at, library, all);
        all.words(CompletionKind::Keyword, &KEYWORDS);
        if kind == Kind::Switch {
            all.text(CompletionKind::Keyword, "out <=", "out <= ");
        }
    }

    fn outcomes(&self, kind: Kind, at: u32, all: &mut List) {
        let said: Vec<&str> = all.spot.said.iter().map(|span| self.slice(*span)).collect();
        let words: &[&str] = match kind {
            Kind::Match => &["send", "next", "cancel", "timeout"],
            Kind::Join => &["next", "continue", "send", "retry", "cancel", "timeout"],
            Kind::Switch | Kind::Select => &["next", "continue", "send", "back", "retry", "cancel", "timeout"],
        };
        let left: Vec<&str> = words.iter().filter(|word| !said.contains(*word)).copied().collect();
        all.words(CompletionKind::Outcome, &left);
        if kind == Kind::Match && said.is_empty() {
            all.text(CompletionKind::Keyword, "out <= switch", "out <= switch <= (\n)");
        }
        self.jumps(at, "[", "]", all);
    }

    /// The labelled stages of the function that a byte stands in, with their labels.
    fn labelled(&self, at: u32) -> impl Iterator<Item = (&Stage, &str)> {
        let function = self.names.function(at).map(|function| function.name_span.start);
        let (tree, spans) = (&self.parsed.tree, &self.parsed.spans);
        tree.stages.iter().zip(&spans.stages).filter_map(move |(stage, places)| {
            let around = self.names.function(places.head.start).map(|function| function.name_span.start);
            (around == function).then_some((stage, tree.words.text(stage.label?)))
        })
    }

    /// The words of the steps of a stage, each once.
    fn steps_of(&self, stage: &Stage) -> Vec<&str> {
        let tree = &self.parsed.tree;
        let mut words = Vec::new();
        for element in &stage.elements {
            let Element::Step(id) = element else { continue };
            let Some(step) = tree.steps.get(id.index()) else { continue };
            let word = tree.words.text(step_word(step));
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words
    }

    fn jumps(&self, at: u32, open: &str, close: &str, all: &mut List) {
        for (stage, label) in self.labelled(at) {
            all.one(CompletionKind::Outcome, &format!("{open}{label}.jump{close}"), "to this stage");
            for step in self.steps_of(stage).into_iter().filter(|_| stage.kind != Kind::Match) {
                all.one(CompletionKind::Outcome, &format!("{open}{label}.{step}.jump{close}"), "to this step");
            }
        }
    }

    fn references_at(&self, at: u32, all: &mut List) {
        all.one(CompletionKind::Reference, "in", "what the program or definition is given");
        for (stage, label) in self.labelled(at) {
            for step in self.steps_of(stage) {
                all.one(CompletionKind::Reference, &format!("{label}.{step}.out"), "what this step returned last");
            }
            all.one(CompletionKind::Reference, &format!("{label}.out"), "what left this stage last");
            all.one(CompletionKind::Reference, &format!("{label}.in"), "what went into this stage last");
        }
    }

    fn behaviours(&self, all: &mut List) {
        let tree = &self.parsed.tree;
        let steps = tree.steps.iter().map(|step| &step.limits);
        let limits = steps.chain(tree.stages.iter().map(|stage| &stage.limits)).flatten();
        let used = limits.filter_map(|limit| match limit {
            Limit::Behaviour(word) => Some(tree.words.text(*word)),
            _ => None,
        });
        let known: BTreeSet<&str> = self.front.behaviour.keys().map(String::as_str).chain(used).collect();
        for word in known {
            all.one(CompletionKind::Behaviour, word, "");
        }
    }

    /// The words that the workers of this file are known to answer, then those that hold by endings.
    fn arms(&self, all: &mut List) {
        let compiled = self.compiled.iter().flat_map(|compiled| &compiled.flow.workers);
        let definitions = compiled.map(|worker| &worker.definition).chain(self.front.worker.values());
        let mut words: BTreeSet<&str> = BTreeSet::new();
        for definition in definitions {
            words.extend(definition.words.iter().map(String::as_str));
            for entry in definition.mock.iter().flatten() {
                words.extend(match entry {
                    MockEntry::Verdict(word) => Some(word.as_str()),
                    MockEntry::Full(answer) => answer.verdict.as_deref(),
                });
            }
        }
        for one in self.names.occurrences.iter().filter(|one| one.role == Role::Used) {
            if let Name::Verdict(word) = &one.name {
                words.insert(word);
            }
        }
        for word in words.into_iter().filter(|word| meaning(word).is_none()) {
            all.one(CompletionKind::Verdict, word, "a worker's answer");
        }
        all.words(CompletionKind::Verdict, &BY_ENDING);
    }
}

/// What is proposed at a place.
struct List<'a> {
    spot: &'a Spot,
    all: Vec<Completion>,
}

impl List<'_> {
    fn one(&mut self, kind: CompletionKind, label: &str, detail: &str) {
        if self.all.iter().any(|known| known.label == label) {
            return;
        }
        let new = Completion::new(kind, label.to_owned(), self.spot.replace);
        self.all.push(Completion { detail: detail.to_owned(), ..new });
    }

    fn text(&mut self, kind: CompletionKind, label: &str, insert: &str) {
        let new = Completion::new(kind, label.to_owned(), self.spot.replace);
        self.all.push(Completion { insert: insert.to_owned(), ..new });
    }

    /// Words of the language.
    fn words(&mut self, kind: CompletionKind, words: &[&str]) {
        for word in words {
            self.one(kind, word, brief(word));
        }
    }
}
