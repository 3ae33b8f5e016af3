//! The flow graph: what a program *means*, whatever front end wrote it. Names are resolved, defaults filled in, every
//! outcome leads somewhere that exists. Pictures, worst cases, the evaluator and the emitter all read this and nothing else.
//!
//! Not here: spans and source text ([`Places`] points back), bytecode, rules about what is allowed (`lower` refuses that).

use crate::span::Span;
use crate::words::{Word, Words};
use aivm_schema::module::{KindSet, RunLimits, StageKind};
use aivm_schema::param::Param;
use aivm_schema::unit::{Money, Tokens};
use aivm_schema::worker::{BehaviourDefinition, WorkerDefinition};

pub(crate) mod cycles;
pub(crate) mod levels;
pub(crate) mod often;
pub mod order;
pub mod text;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
        pub struct $name(pub u32);
        impl $name {
            /// Position in its arena.
            pub fn index(self) -> usize { self.0 as usize }
        }
    )*};
}
ids! {
    /// Index into [`Flow::functions`]; 0 is the program.
    FunctionId,
    /// Index into [`Flow::chains`].
    ChainId,
    /// Index into [`Flow::stages`].
    StageId,
    /// Index into [`Flow::steps`].
    StepId,
    /// Index into [`Flow::workers`].
    WorkerId,
    /// Index into [`Flow::behaviours`].
    BehaviourId,
}

/// A whole program: itself, its definitions and the pipelines in other files that it calls.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// Every word, interned.
    pub words: Words,
    /// The program first; every function stands before those that it calls.
    pub functions: Vec<Function>,
    /// Arena; each chain stands after the chain that it is nested in.
    pub chains: Vec<Chain>,
    /// Arena; the stages of one function together, in written order, each after the stage around it.
    pub stages: Vec<Stage>,
    /// Arena; the steps of one function together, in written order.
    pub steps: Vec<Step>,
    /// Whom the steps call, each once.
    pub workers: Vec<Worker>,
    /// The behaviours that are named, each once.
    pub behaviours: Vec<Behaviour>,
    /// Limits of the whole run, as the front matter sets them, else the project.
    pub limits: RunLimits,
    /// How many calls may be under way at once, likewise.
    pub concurrent: Option<std::num::NonZeroU16>,
    /// What the program asks of whoever starts it, by name.
    pub params: Vec<(String, Param)>,
    /// Where everything was written.
    pub places: Places,
}

/// The program, or a named sub-pipeline.
#[derive(Clone, Debug)]
pub struct Function {
    /// `out` for the program, else the name that steps call it by.
    pub name: String,
    /// What it does; none passes its input on.
    pub chain: Option<ChainId>,
    /// First stage and one past the last.
    pub stages: (u32, u32),
    /// First step and one past the last.
    pub steps: (u32, u32),
    /// The verdicts that may leave it, ascending.
    pub verdicts: Vec<Word>,
    /// Which of [`Places::files`].
    pub file: u16,
    /// Where its name was written there.
    pub span: Span,
}

/// Stages that hand on, in written order.
#[derive(Clone, Debug)]
pub struct Chain {
    /// At least one.
    pub stages: Vec<StageId>,
    /// Where it stands.
    pub inside: Inside,
}

/// Where a chain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// It is a function's body.
    Function(FunctionId),
    /// It is this element of a switch, select or join.
    Element(StageId, u32),
    /// It is what this arm of a match leads to.
    Arm(StageId, u32),
}

/// A switch, select, join or match.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Which of the four.
    pub kind: StageKind,
    /// `[label]`, unique in its file.
    pub label: Option<Word>,
    /// Its part of step keys: the label, or the path from the nearest label (or the function) down: `join.3/1/select.1`.
    pub key: String,
    /// The chain that it stands in.
    pub chain: ChainId,
    /// Which of its chain, from 0.
    pub position: u32,
    /// The stage around; none at the top of a function.
    pub around: Option<StageId>,
    /// The function around.
    pub function: FunctionId,
    /// Most entries in one entry of the stage around; none: every way back to it passes something counted.
    pub entries: Option<Count>,
    /// Of a select: most choices in one entry.
    pub choices: Option<u16>,
    /// Of a join: how many outputs it takes, when that is written; else all.
    pub take: Option<u16>,
    /// Deadline of one entry, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// What the calls of one entry may cost, in millionths of a dollar.
    pub money: Option<u64>,
    /// What the calls of one entry may use, in tokens.
    pub tokens: Option<u64>,
    /// Of a select: who chooses.
    pub chooser: Option<WorkerId>,
    /// Of a switch, select or join, in written order; at least one.
    pub elements: Vec<Element>,
    /// Of a match, in written order; at least one.
    pub arms: Vec<Arm>,
    /// Of a match: which endings of the stage above it in its chain it catches.
    pub catches: KindSet,
    /// Does anything refer to its input?
    pub input_used: bool,
    /// Does anything refer to its output?
    pub output_used: bool,
}

/// A count, and whether a person wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// 1 to 65,535.
    pub most: u16,
    /// Written, or the default that closes a cycle.
    pub written: bool,
}

/// What stands in a switch, select or join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// A call.
    Step(StepId),
    /// A nested chain.
    Chain(ChainId),
}

/// A call of a worker or a function.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its part of the step key: the last word of its path, with `.2` for the second of that name in its stage.
    pub name: String,
    /// The stage that it stands in.
    pub stage: StageId,
    /// Which element of it.
    pub element: u32,
    /// Whom it calls.
    pub target: Target,
    /// Its stages' (outermost first) and its own, in written order.
    pub behaviours: Vec<BehaviourId>,
    /// Most visits in one entry of its stage; none: every way back to it passes something counted.
    pub visits: Option<Count>,
    /// Deadline of one call, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// What the calls of one visit may cost, in millionths of a dollar.
    pub money: Option<u64>,
    /// What the calls of one visit may use, in tokens.
    pub tokens: Option<u64>,
    /// `~ undoer`.
    pub undo: Option<Target>,
    /// Where its input comes from; empty: what flows.
    pub refs: Vec<Source>,
    /// `.*`: one call per part of its only reference.
    pub each: bool,
    /// Best first; at least one.
    pub outcomes: Vec<Outcome>,
    /// The verdicts that it may answer besides the words of its outcomes, ascending.
    pub verdicts: Vec<Word>,
    /// It answers for the step that calls its function: it may say what that one may, and none of its own outcomes has a word.
    pub stands_in: bool,
    /// Does anything refer to its input?
    pub input_used: bool,
    /// Does anything refer to its output?
    pub output_used: bool,
}

/// Whom a step calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A worker outside the machine.
    Worker(WorkerId),
    /// A function of this program.
    Function(FunctionId),
}

/// Where an input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Whose.
    pub of: SourceOf,
    /// The element of this join that must have ended first: a sibling of the one that the step stands in.
    pub wait: Option<(StageId, u32)>,
}

/// Whose input or output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceOf {
    /// The function's input.
    Input,
    /// What went into a stage last.
    StageIn(StageId),
    /// What left a stage last.
    StageOut(StageId),
    /// What a step was last called with.
    StepIn(StepId),
    /// What a step's worker last returned.
    StepOut(StepId),
}

/// One outcome of a step, or one end of an arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The output goes to the element below, or leaves the stage.
    Next,
    /// As `Next`, with the step's input.
    Continue,
    /// The output leaves the stage.
    Send,
    /// The output goes so many elements up; further up than the first: it cannot be taken.
    Back(u16),
    /// So many more calls with the same input.
    Retry(u16),
    /// The output goes to a stage, or to an element of it that is a step.
    Jump {
        /// Which stage.
        stage: StageId,
        /// Which element; none: the stage is entered as by the flow.
        element: Option<u32>,
        /// The word of it: the last before `.jump`.
        word: Word,
    },
    /// The stage ends, cancelled.
    Cancel,
    /// The stage ends by the kind `timeout`.
    Timeout,
}

/// One arm of a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arm {
    /// When it is taken.
    pub on: On,
    /// What then.
    pub then: Then,
}

/// When an arm is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum On {
    /// The verdict on the value is this word.
    Verdict(Word),
    /// The stage above ended in success.
    Success,
    /// The innermost stage around with a written count is in its last entry; none around: never.
    Done(Option<StageId>),
    /// Always; of endings, those in [`Stage::catches`].
    Default,
    /// The stage above ended by this kind.
    Ending(aivm_schema::module::EndKind),
}

/// What an arm leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// The first of these that can be taken: `Send` (also written `next`), `Cancel`, `Timeout`, `Jump`.
    Ends(Vec<Outcome>),
    /// A chain whose output leaves the match.
    Chain(ChainId),
}

/// A worker outside the machine.
#[derive(Clone, Debug)]
pub struct Worker {
    /// The name by which the program calls it.
    pub name: String,
    /// What it is.
    pub definition: WorkerDefinition,
    /// What one call costs and uses at most, where that is known.
    pub price: (Option<Money>, Option<Tokens>),
    /// Who finds out whether a call of it happened.
    pub probe: Option<WorkerId>,
    /// Where it is defined, or, when that is in no source, where it is called first: file and span.
    pub place: (u16, Span),
}

/// A named prompt or parameter set.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// The word.
    pub name: String,
    /// What it is.
    pub definition: BehaviourDefinition,
}

/// Where the nodes were written: parallel to [`Flow::stages`] and [`Flow::steps`].
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Name and text of each file.
    pub files: Vec<(String, String)>,
    /// File and span of each stage.
    pub stages: Vec<(u16, Span)>,
    /// File and span of each step.
    pub steps: Vec<(u16, Span)>,
}

/// Where an outcome leads, seen from outside the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dest {
    /// An element of a stage that has been entered: a step, or the first stage of a chain.
    Element(StageId, u32),
    /// A stage, entered as a whole.
    Stage(StageId),
    /// The chooser of a select.
    Chooser(StageId),
    /// The join takes the value as this element's part.
    Part(StageId, u32),
    /// The function returns.
    Return(FunctionId),
}

impl Step {
    /// A call of `target`, with nothing else said.
    pub(crate) fn new(name: String, stage: StageId, element: u32, target: Target) -> Step {
        Step {
            name,
            stage,
            element,
            target,
            behaviours: Vec::new(),
            visits: None,
            deadline_ms: None,
            money: None,
            tokens: None,
            undo: None,
            refs: Vec::new(),
            each: false,
            outcomes: Vec::new(),
            verdicts: Vec::new(),
            stands_in: false,
            input_used: false,
            output_used: false,
        }
    }

    /// The words of its outcomes, as far as they can be said.
    pub fn spoken<'a>(&'a self, flow: &'a Flow) -> impl Iterator<Item = &'a str> {
        let heard = if self.stands_in { &[][..] } else { &self.outcomes };
        heard.iter().map(|outcome| outcome.word(flow))
    }
}

impl Stage {
    /// A stage in which nothing stands, with nothing else said.
    pub(crate) fn new(
        kind: StageKind,
        key: String,
        chain: ChainId,
        position: u32,
        around: Option<StageId>,
        function: FunctionId,
    ) -> Stage {
        Stage {
            kind,
            label: None,
            key,
            chain,
            position,
            around,
            function,
            entries: None,
            choices: None,
            take: None,
            deadline_ms: None,
            money: None,
            tokens: None,
            chooser: None,
            elements: Vec::new(),
            arms: Vec::new(),
            catches: KindSet::default(),
            input_used: false,
            output_used: false,
        }
    }

    /// How many outputs a join takes.
    pub fn takes(&self) -> usize {
        self.take.map_or(self.elements.len(), usize::from)
    }

    /// Does it hand on the one output that it takes, and not parts?
    pub fn is_race(&self) -> bool {
        self.take == Some(1)
    }

    /// How many elements it has, or arms.
    pub fn slots(&self) -> usize {
        self.elements.len().max(self.arms.len())
    }
}

impl Flow {
    /// The function.
    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[id.index()]
    }
    /// The chain.
    pub fn chain(&self, id: ChainId) -> &Chain {
        &self.chains[id.index()]
    }
    /// The stage.
    pub fn stage(&self, id: StageId) -> &Stage {
        &self.stages[id.index()]
    }
    /// The step.
    pub fn step(&self, id: StepId) -> &Step {
        &self.steps[id.index()]
    }
    /// The worker.
    pub fn worker(&self, id: WorkerId) -> &Worker {
        &self.workers[id.index()]
    }
    /// The text of a word.
    pub fn word(&self, word: Word) -> &str {
        self.words.text(word)
    }

    /// The name of whom a step calls.
    pub fn target_name(&self, target: Target) -> &str {
        match target {
            Target::Worker(id) => &self.worker(id).name,
            Target::Function(id) => &self.function(id).name,
        }
    }

    /// The stage below in the same chain.
    pub fn below(&self, id: StageId) -> Option<StageId> {
        let stage = self.stage(id);
        self.chain(stage.chain).stages.get(stage.position as usize + 1).copied()
    }

    /// The stage above in the same chain.
    pub fn above(&self, id: StageId) -> Option<StageId> {
        let stage = self.stage(id);
        let above = stage.position.checked_sub(1)?;
        self.chain(stage.chain).stages.get(above as usize).copied()
    }

    /// The match below a stage, if it catches anything.
    pub fn catcher(&self, id: StageId) -> Option<StageId> {
        self.below(id).filter(|below| !self.stage(*below).catches.is_empty())
    }

    /// Where a value goes that leaves a stage in success.
    pub fn exit(&self, id: StageId) -> Dest {
        match self.below(id) {
            Some(below) => Dest::Stage(below),
            None => self.end_of_chain(self.stage(id).chain),
        }
    }

    /// Where a value goes that leaves the last stage of a chain.
    pub fn end_of_chain(&self, id: ChainId) -> Dest {
        match self.chain(id).inside {
            Inside::Function(function) => Dest::Return(function),
            Inside::Element(stage, element) => self.forward(stage, element),
            Inside::Arm(stage, _) => self.exit(stage),
        }
    }

    /// Where a value goes by `next` from an element of a stage.
    pub fn forward(&self, id: StageId, element: u32) -> Dest {
        let stage = self.stage(id);
        match stage.kind {
            StageKind::Switch if (element as usize + 1) < stage.elements.len() => Dest::Element(id, element + 1),
            StageKind::Switch | StageKind::Match => self.exit(id),
            StageKind::Select => Dest::Chooser(id),
            StageKind::Join => Dest::Part(id, element),
        }
    }

    /// Where an outcome of the step at `element` of a stage leads; none for `retry`, `cancel`, `timeout` and a `back` that leads nowhere.
    pub fn dest(&self, id: StageId, element: u32, outcome: Outcome) -> Option<Dest> {
        let kind = self.stage(id).kind;
        match outcome {
            Outcome::Next | Outcome::Continue => Some(self.forward(id, element)),
            Outcome::Send if kind == StageKind::Join => Some(Dest::Part(id, element)),
            Outcome::Send => Some(self.exit(id)),
            Outcome::Back(n) => element.checked_sub(n.into()).map(|above| Dest::Element(id, above)),
            Outcome::Jump { stage, element: Some(element), .. } => Some(Dest::Element(stage, element)),
            Outcome::Jump { stage, element: None, .. } => Some(Dest::Stage(stage)),
            Outcome::Retry(_) | Outcome::Cancel | Outcome::Timeout => None,
        }
    }

    /// The stage that a place belongs to, and the chain of stages from it outwards.
    pub fn outwards(&self, from: Option<StageId>) -> impl Iterator<Item = StageId> + '_ {
        std::iter::successors(from, |stage| self.stage(*stage).around)
    }

    /// The name of an element: its step's, or for a chain the label or key of its first stage.
    pub fn element_name(&self, stage: StageId, element: u32) -> String {
        match self.stage(stage).elements.get(element as usize) {
            Some(Element::Step(step)) => self.step(*step).name.clone(),
            Some(Element::Chain(chain)) => {
                match self.chain(*chain).stages.first().and_then(|first| self.stage(*first).label) {
                    Some(label) => self.word(label).to_owned(),
                    None => (element + 1).to_string(),
                }
            }
            None => String::new(),
        }
    }
}

impl Outcome {
    /// The word that a worker says to choose it.
    pub fn word<'a>(&self, flow: &'a Flow) -> &'a str {
        match self {
            Outcome::Next => "next",
            Outcome::Continue => "continue",
            Outcome::Send => "send",
            Outcome::Back(_) => "back",
            Outcome::Retry(_) => "retry",
            Outcome::Cancel => "cancel",
            Outcome::Timeout => "timeout",
            Outcome::Jump { word, .. } => flow.word(*word),
        }
    }

    /// `next`, `continue`, `send`.
    pub fn is_forward(&self) -> bool {
        matches!(self, Outcome::Next | Outcome::Continue | Outcome::Send)
    }
}
