//! The shape of a text: what stands in what, what can be folded away, and where something can be started.

use super::Document;
use super::names::step_word;
use crate::lexer::Kind as T;
use crate::lower::kind_word;
use crate::span::Span;
use crate::tree::{ArmThen, ChainId, Element, Group, StageId, StepId};

/// What a symbol is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SymbolKind {
    /// The program.
    Program,
    /// A definition.
    Definition,
    /// A stage.
    Stage,
    /// A step.
    Step,
}

/// A part of a program that has a name, with those in it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Symbol {
    /// Its name: of a stage its label, else its kind.
    pub name: String,
    /// What it is.
    pub kind: SymbolKind,
    /// All of it.
    pub span: Span,
    /// Its name, or its head.
    pub name_span: Span,
    /// In written order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Symbol>,
}

/// Lines that can be folded to the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fold {
    /// From its first byte to its last.
    pub span: Span,
    /// Is it a comment?
    pub comment: bool,
}

/// What a lens starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LensKind {
    /// A run on mocks.
    RunMock,
    /// A run.
    Run,
}

/// Something to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Lens {
    /// Where it is shown.
    pub span: Span,
    /// What it starts.
    pub kind: LensKind,
}

impl Document {
    /// The definitions and the program, with the stages and steps in them.
    pub fn symbols(&self) -> Vec<Symbol> {
        let one = |function: &super::names::Function| {
            let kind = if function.name == "out" { SymbolKind::Program } else { SymbolKind::Definition };
            let children = self.symbols_of_group(function.body);
            let (name, span) = (function.name.clone(), function.whole.to(function.name_span));
            Symbol { name, kind, span, name_span: function.name_span, children }
        };
        self.names.functions.iter().map(one).collect()
    }

    fn symbols_of_group(&self, group: Group) -> Vec<Symbol> {
        group.0.map(|chain| self.symbols_of_chain(chain)).unwrap_or_default()
    }

    /// Brackets nest to a fixed depth, and so does this.
    fn symbols_of_chain(&self, id: ChainId) -> Vec<Symbol> {
        let chain = self.parsed.tree.chains.get(id.index());
        chain.iter().flat_map(|chain| &chain.stages).filter_map(|stage| self.symbol_of_stage(*stage)).collect()
    }

    fn symbol_of_stage(&self, id: StageId) -> Option<Symbol> {
        let tree = &self.parsed.tree;
        let (stage, places) = (tree.stages.get(id.index())?, self.parsed.spans.stages.get(id.index())?);
        let name = match stage.label {
            Some(label) => tree.words.text(label).to_owned(),
            None => kind_word(crate::lower::kind(stage.kind)).to_owned(),
        };
        let mut children = Vec::new();
        for element in &stage.elements {
            match *element {
                Element::Step(step) => children.extend(self.symbol_of_step(step)),
                Element::Chain { chain, .. } => children.extend(self.symbols_of_chain(chain)),
            }
        }
        for arm in &stage.arms {
            if let ArmThen::Chain(chain) = arm.then {
                children.extend(self.symbols_of_chain(chain));
            }
        }
        let span = places.whole.to(places.head);
        Some(Symbol { name, kind: SymbolKind::Stage, span, name_span: places.head, children })
    }

    fn symbol_of_step(&self, id: StepId) -> Option<Symbol> {
        let tree = &self.parsed.tree;
        let (step, places) = (tree.steps.get(id.index())?, self.parsed.spans.steps.get(id.index())?);
        let name = tree.words.text(step_word(step)).to_owned();
        let span = places.whole.to(places.worker);
        Some(Symbol { name, kind: SymbolKind::Step, span, name_span: places.worker, children: Vec::new() })
    }

    /// The front matter, brackets over several lines, and comments of several lines.
    pub fn folds(&self) -> Vec<Fold> {
        let mut folds = Vec::new();
        let matter = self.front_matter();
        if matter.start < matter.end && self.parsed.tree.front_matter.is_some() {
            let first = self.slice(Span::new(0, matter.start)).find("+++").unwrap_or(0) as u32;
            folds.push(Fold { span: Span::new(first, self.body().max(first)), comment: false });
        }
        let mut open = Vec::new();
        let mut comments: Option<Span> = None;
        for token in &self.tokens {
            match token.kind {
                T::Comment => comments = Some(comments.map_or(token.span, |first| first.to(token.span))),
                T::Space => continue,
                _ => {
                    folds.extend(comments.take().map(|span| Fold { span, comment: true }));
                    match token.kind {
                        T::Open => open.push(token.span),
                        T::Close => folds
                            .extend(open.pop().map(|first: Span| Fold { span: first.to(token.span), comment: false })),
                        _ => {}
                    }
                }
            }
        }
        folds.extend(comments.map(|span| Fold { span, comment: true }));
        folds.retain(|fold| self.slice(fold.span).trim_end().contains('\n'));
        folds.sort_by_key(|fold| fold.span);
        folds
    }

    /// What can be started: the program, when it has one.
    pub fn lenses(&self) -> Vec<Lens> {
        let program =
            self.names.functions.iter().find(|function| function.name == "out").map(|program| program.name_span);
        let other = || (self.tokens.is_empty() && self.compiled.is_some()).then(Span::default);
        let place = program.or_else(other);
        place.into_iter().flat_map(|span| [LensKind::RunMock, LensKind::Run].map(|kind| Lens { span, kind })).collect()
    }
}
