//! The tree of one file, as written: arenas with `u32` ids, no spans, no names resolved, no rule checked but the grammar's.
//!
//! `Spans` holds the places, index for index. What the tree *means* is worked out in `flow`.

use crate::span::Span;
use crate::words::{Word, Words};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);
        impl $name {
            /// Position in its arena.
            pub fn index(self) -> usize { self.0 as usize }
        }
    )*};
}
ids! {
    /// A [`Chain`] of the tree.
    ChainId,
    /// A [`Stage`] of the tree.
    StageId,
    /// A [`Step`] of the tree.
    StepId,
}

/// One parsed file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Every word of the file, interned.
    pub words: Words,
    /// The TOML between the two `+++` lines, if any: its span is in [`Spans::front_matter`].
    pub front_matter: Option<String>,
    /// `word <= ( … )`, in written order.
    pub definitions: Vec<Definition>,
    /// `out <= ( … ) <= in`; absent only when the parser reported an error.
    pub program: Option<Group>,
    /// Arena.
    pub chains: Vec<Chain>,
    /// Arena.
    pub stages: Vec<Stage>,
    /// Arena.
    pub steps: Vec<Step>,
}

/// Where each node of a [`Tree`] stands; the vectors run parallel to the tree's.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    /// The text between the `+++` lines.
    pub front_matter: Span,
    /// The name of each definition.
    pub definitions: Vec<Span>,
    /// `out` of the program to its `in`.
    pub program: Span,
    /// First to last token of each chain.
    pub chains: Vec<Span>,
    /// For each stage.
    pub stages: Vec<StageSpans>,
    /// For each step.
    pub steps: Vec<StepSpans>,
}

/// A named sub-pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// What steps call it.
    pub name: Word,
    /// What it does.
    pub body: Group,
}

/// `( … )`: a chain, or nothing (`()` passes its input on).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group(pub Option<ChainId>);

/// `stage <= stage <= …`, run in written order. At least one stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// In written order.
    pub stages: Vec<StageId>,
}

/// The four kinds of stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// From one step to the next.
    Switch,
    /// A chooser picks among the steps that are left.
    Select,
    /// Every element runs concurrently.
    Join,
    /// The first arm whose word holds.
    Match,
}

/// `switch[label]<5> <= ( … )`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Which of the four.
    pub kind: Kind,
    /// `[label]`.
    pub label: Option<Word>,
    /// `<5, 30s>`, in written order.
    pub limits: Vec<Limit>,
    /// Of `switch`, `select` and `join`; empty for a `match`.
    pub elements: Vec<Element>,
    /// Of `match`; empty for the others.
    pub arms: Vec<Arm>,
}

/// What stands in a `switch`, `select` or `join`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// `worker => outcomes`.
    Step(StepId),
    /// `[out <=] chain`.
    Chain {
        /// The nested chain.
        chain: ChainId,
        /// Was `out <=` written?
        out: bool,
    },
}

/// `worker => outcomes` or `[worker <= refs] => outcomes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whom it calls.
    pub worker: Path,
    /// `<5, careful>`.
    pub limits: Vec<Limit>,
    /// `~ undoer`.
    pub undo: Option<Path>,
    /// `<= ref, ref`; empty when the step takes what flows.
    pub refs: Vec<Ref>,
    /// Best first. Empty only when the parser reported an error.
    pub outcomes: Vec<Outcome>,
}

/// `word { "." word }`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// The first word.
    pub first: Word,
    /// The words after each dot.
    pub rest: Vec<Word>,
}

/// One entry between `<` and `>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `5`: 1 to 65,535.
    Count(u16),
    /// `30s`, in milliseconds.
    Duration(u64),
    /// `$0.50`, in millionths of a dollar.
    Money(u64),
    /// `20kt`, in tokens.
    Tokens(u64),
    /// `careful`.
    Behaviour(Word),
}

/// What follows `=>` of a step, or of a match arm (where only some are allowed; the parser says so).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// `next`
    Next,
    /// `send`
    Send,
    /// `continue`
    Continue,
    /// `back * n`; `back` is 1. 1 to 65,535.
    Back(u16),
    /// `retry * n`; `retry` is 1. 1 to 65,535.
    Retry(u16),
    /// `cancel`
    Cancel,
    /// `timeout`
    Timeout,
    /// `[stage.jump]` or `[stage.step.jump]`
    Jump {
        /// The label.
        stage: Word,
        /// The step of it, if named.
        step: Option<Word>,
    },
}

/// `word => ends` or `word => out <= chain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arm {
    /// When it is taken.
    pub on: ArmOn,
    /// What then.
    pub then: ArmThen,
}

/// The left side of an arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArmOn {
    /// Any word that is not reserved (also `success`, `failure`, `exhausted`, `done`).
    Word(Word),
    /// `default`
    Default,
    /// `cancel`
    Cancel,
    /// `timeout`
    Timeout,
}

/// The right side of an arm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArmThen {
    /// Best first: `Next`, `Send`, `Cancel`, `Timeout`, `Jump` only.
    Ends(Vec<Outcome>),
    /// `out <= chain`.
    Chain(ChainId),
}

/// Where a step takes an input from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ref {
    /// Whose.
    pub of: RefOf,
    /// `.out` or `.in`; `In` for a bare `in`.
    pub side: Side,
    /// `.*`: one call per part.
    pub each: bool,
}

/// Whose output or input a reference names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefOf {
    /// `in`: the program's or the definition's input.
    Input,
    /// `x.out`: a stage by its label, or (when no stage has it) a step of the own stage.
    One(Word),
    /// `x.y.out`: step `y` of stage `x`.
    Two(Word, Word),
}

/// The end of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What came out.
    Out,
    /// What went in.
    In,
}

/// The places of one stage.
#[derive(Clone, Debug, Default)]
pub struct StageSpans {
    /// Keyword to closing parenthesis.
    pub whole: Span,
    /// `switch[label]<5>`.
    pub head: Span,
    /// The label's word.
    pub label: Span,
    /// Each limit.
    pub limits: Vec<Span>,
    /// Each element.
    pub elements: Vec<Span>,
    /// Each arm.
    pub arms: Vec<ArmSpans>,
}

/// The places of one arm.
#[derive(Clone, Debug, Default)]
pub struct ArmSpans {
    /// The word.
    pub on: Span,
    /// Each end; empty when the arm holds a chain.
    pub ends: Vec<Span>,
}

/// The places of one step.
#[derive(Clone, Debug, Default)]
pub struct StepSpans {
    /// First to last token.
    pub whole: Span,
    /// The worker's path.
    pub worker: Span,
    /// Each limit.
    pub limits: Vec<Span>,
    /// The undoer's path.
    pub undo: Span,
    /// Each reference.
    pub refs: Vec<Span>,
    /// Each outcome.
    pub outcomes: Vec<Span>,
}
