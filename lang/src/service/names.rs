//! The names of a text: where each is given, and where it is used.

use super::Document;
use crate::lexer::Kind;
use crate::span::Span;
use crate::tree::{self, ArmOn, Element, Group, Limit, RefOf, StageId, StepId, Tree};
use crate::words::Word;
use rustc_hash::FxHashMap;

/// What is named.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Name {
    /// Whom steps call: a definition of the file, a worker, a pipeline in another file. A step is addressed by the same word.
    Worker(String),
    /// A labelled stage.
    Label(String),
    /// A behaviour.
    Behaviour(String),
    /// What a worker answers, as an arm of a match hears it.
    Verdict(String),
}

/// How a name occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Here it is given.
    Given,
    /// A step calls it.
    Called(StepId),
    /// A reference or a jump names this step by it.
    Step(StepId),
    /// Anything else.
    Used,
}

/// A name at its place.
#[derive(Clone, Debug)]
pub(super) struct Occurrence {
    pub span: Span,
    pub name: Name,
    pub role: Role,
}

/// A definition or the program: where it begins, and what stands in it.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub name: String,
    pub name_span: Span,
    /// From its name to the last token of its body.
    pub whole: Span,
    pub body: Group,
}

/// All names of a text.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// In the order of their places.
    pub occurrences: Vec<Occurrence>,
    /// In written order; the program is called `out`.
    pub functions: Vec<Function>,
}

impl Name {
    /// Its word, or words joined by dots.
    pub fn text(&self) -> &str {
        let (Name::Worker(text) | Name::Label(text) | Name::Behaviour(text) | Name::Verdict(text)) = self;
        text
    }
}

impl Names {
    /// Those of a text that has been parsed.
    pub fn of(document: &Document) -> Names {
        let tree = &document.parsed.tree;
        let mut finder = Finder { document, tree, names: Names::default(), steps: steps_of_labels(tree) };
        finder.functions();
        for id in 0..tree.stages.len() {
            finder.stage(StageId(id as u32));
        }
        for id in 0..tree.steps.len() {
            finder.step(StepId(id as u32));
        }
        finder.names.occurrences.extend(document.names_of_front_matter());
        finder.names.occurrences.sort_by_key(|one| one.span);
        finder.names.occurrences.dedup_by_key(|one| one.span);
        finder.names
    }

    /// The name at a byte, or just before it.
    pub fn at(&self, at: u32) -> Option<&Occurrence> {
        let behind = self.occurrences.partition_point(|one| one.span.start <= at);
        let before = self.occurrences.get(..behind).unwrap_or(&[]);
        before.iter().rev().take(2).find(|one| at <= one.span.end)
    }

    /// The function that a byte stands in.
    pub fn function(&self, at: u32) -> Option<&Function> {
        self.functions.iter().rev().find(|function| function.name_span.start <= at)
    }
}

/// The steps of each labelled stage, by their words: the first of each.
fn steps_of_labels(tree: &Tree) -> FxHashMap<Word, FxHashMap<Word, StepId>> {
    let mut all: FxHashMap<Word, FxHashMap<Word, StepId>> = FxHashMap::default();
    for stage in &tree.stages {
        let Some(label) = stage.label else { continue };
        let steps = all.entry(label).or_default();
        for element in &stage.elements {
            let Element::Step(id) = *element else { continue };
            let Some(step) = tree.steps.get(id.index()) else { continue };
            steps.entry(step_word(step)).or_insert(id);
        }
    }
    all
}

/// The word that a step is addressed by.
pub(super) fn step_word(step: &tree::Step) -> Word {
    step.worker.rest.last().copied().unwrap_or(step.worker.first)
}

struct Finder<'a> {
    document: &'a Document,
    tree: &'a Tree,
    names: Names,
    steps: FxHashMap<Word, FxHashMap<Word, StepId>>,
}

impl Finder<'_> {
    fn add(&mut self, span: Span, name: Name, role: Role) {
        if span.start < span.end {
            self.names.occurrences.push(Occurrence { span, name, role });
        }
    }

    fn text(&self, word: Word) -> String {
        self.tree.words.text(word).to_owned()
    }

    /// The text of a place without spaces and comments: a path may be written with them.
    fn path(&self, span: Span) -> String {
        self.words_in(span).map(|word| self.document.slice(word)).collect::<Vec<_>>().join(".")
    }

    fn words_in(&self, span: Span) -> impl Iterator<Item = Span> {
        let tokens = &self.document.tokens;
        let from = tokens.partition_point(|token| token.span.start < span.start);
        let inside = tokens.get(from..).unwrap_or(&[]).iter().take_while(move |token| token.span.end <= span.end);
        inside.filter(|token| token.kind == Kind::Word).map(|token| token.span)
    }

    fn functions(&mut self) {
        let spans = &self.document.parsed.spans;
        let end = |body: Group, name: Span| {
            let chain = body.0.and_then(|chain| spans.chains.get(chain.index()));
            name.to(chain.copied().unwrap_or(name))
        };
        let definitions = self.tree.definitions.iter().zip(&spans.definitions);
        for (definition, span) in definitions {
            let name = self.text(definition.name);
            self.add(*span, Name::Worker(name.clone()), Role::Given);
            let whole = end(definition.body, *span);
            self.names.functions.push(Function { name, name_span: *span, whole, body: definition.body });
        }
        if let Some(body) = self.tree.program {
            let name_span = Span::new(spans.program.start, (spans.program.start + 3).min(spans.program.end));
            let whole = spans.program;
            self.names.functions.push(Function { name: "out".to_owned(), name_span, whole, body });
        }
    }

    fn stage(&mut self, id: StageId) {
        let (tree, spans) = (self.tree, &self.document.parsed.spans);
        let (Some(stage), Some(places)) = (tree.stages.get(id.index()), spans.stages.get(id.index())) else { return };
        if let Some(label) = stage.label {
            self.add(places.label, Name::Label(self.text(label)), Role::Given);
        }
        self.behaviours(&stage.limits, &places.limits);
        for (arm, places) in stage.arms.iter().zip(&places.arms) {
            if let ArmOn::Word(word) = arm.on {
                self.add(places.on, Name::Verdict(self.text(word)), Role::Used);
            }
            if let tree::ArmThen::Ends(ends) = &arm.then {
                self.jumps(ends, &places.ends);
            }
        }
    }

    fn step(&mut self, id: StepId) {
        let (tree, spans) = (self.tree, &self.document.parsed.spans);
        let (Some(step), Some(places)) = (tree.steps.get(id.index()), spans.steps.get(id.index())) else { return };
        self.add(places.worker, Name::Worker(self.path(places.worker)), Role::Called(id));
        self.behaviours(&step.limits, &places.limits);
        if step.undo.is_some() {
            self.add(places.undo, Name::Worker(self.path(places.undo)), Role::Used);
        }
        for (reference, span) in step.refs.iter().zip(&places.refs) {
            match reference.of {
                RefOf::Input => {}
                RefOf::One(label) => self.address(label, None, *span),
                RefOf::Two(label, step) => self.address(label, Some(step), *span),
            }
        }
        self.jumps(&step.outcomes, &places.outcomes);
    }

    fn behaviours(&mut self, limits: &[Limit], spans: &[Span]) {
        for (limit, span) in limits.iter().zip(spans) {
            if let Limit::Behaviour(word) = limit {
                self.add(*span, Name::Behaviour(self.text(*word)), Role::Used);
            }
        }
    }

    fn jumps(&mut self, outcomes: &[tree::Outcome], spans: &[Span]) {
        for (outcome, span) in outcomes.iter().zip(spans) {
            if let tree::Outcome::Jump { stage, step } = outcome {
                self.address(*stage, *step, *span);
            }
        }
    }

    /// `label…` or `label.step…`: the first words of a place.
    fn address(&mut self, label: Word, step: Option<Word>, span: Span) {
        let mut words = self.words_in(span);
        let (first, second) = (words.next(), words.next());
        drop(words);
        if let Some(first) = first {
            self.add(first, Name::Label(self.text(label)), Role::Used);
        }
        let Some((word, second)) = step.zip(second) else { return };
        let Some(id) = self.steps.get(&label).and_then(|steps| steps.get(&word)).copied() else { return };
        let Some(places) = self.document.parsed.spans.steps.get(id.index()) else { return };
        self.add(second, Name::Worker(self.path(places.worker)), Role::Step(id));
    }
}
