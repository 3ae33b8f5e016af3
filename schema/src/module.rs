//! A module: code and tables, the contract between `lang` (which emits it) and `vm` (which verifies and runs it).
//!
//! Here: the types and what each field means. The bytes are in `module/bytes.rs`, the text in `module/asm.rs`. Names in
//! a module are what runs show (words, labels, step keys); source text and spans are debug information and live apart.

use crate::artifact::ContentDigest;
use std::num::NonZeroU32;

mod asm;
mod bytes;
mod disasm;
mod text;

pub use asm::{AsmError, assemble};
pub use bytes::{DEBUG, DEBUG_MEDIA_TYPE, MEDIA_TYPE, ModuleError, drafts, load};
pub use disasm::disassemble;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($inner:ty)),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub struct $name(pub $inner);
        impl $name {
            /// Position in its table.
            pub fn index(self) -> usize { usize::from(self.0) }
        }
    )*};
}
ids! {
    /// Index into [`Module::functions`]; 0 is the program.
    FunctionId(u16),
    /// Index into [`Module::stages`].
    StageId(u16),
    /// Index into [`Module::steps`].
    StepId(u16),
    /// Index into [`Module::workers`].
    WorkerId(u16),
    /// Index into [`Module::words`].
    WordId(u16),
    /// Index into [`Function::counters`] of the function around.
    CounterId(u16),
    /// A register of the function around; 0 holds the function's input.
    RegisterId(u16),
}

/// Register 0 of every function: its input, `in`.
pub const INPUT: RegisterId = RegisterId(0);

/// A program ready to be verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Module {
    /// 64-bit instruction words; see [`crate::isa`].
    pub code: Vec<u64>,
    /// Every word that code and tables name, distinct, in order of first use.
    pub words: Vec<String>,
    /// The program and its definitions. The calls between them form no cycle, and a function calls only functions of higher index.
    pub functions: Vec<Function>,
    /// The stages of all functions; each stands after the stage around it, those of one function together.
    pub stages: Vec<Stage>,
    /// The steps of all functions, those of one function together.
    pub steps: Vec<Step>,
    /// Whom the steps call, each once, with its definition embedded.
    pub workers: Vec<Worker>,
    /// The behaviours that steps name, with their definitions (canonical JSON) embedded.
    pub behaviours: Vec<Behaviour>,
    /// What the whole run may take; the command line may override it.
    pub limits: RunLimits,
    /// What it asks of whoever starts it, by name.
    pub params: Vec<Param>,
    /// How many calls of one run may be under way at once; none: no limit.
    pub concurrent: Option<NonZeroU32>,
}

/// A definition's code: a program or a sub-pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Function {
    /// `out` for the program, else the definition's name.
    pub name: String,
    /// The first instruction.
    pub entry: u32,
    /// One past its last instruction; functions lie one behind the other.
    pub end: u32,
    /// Its stages: first index and count.
    pub stages: (u16, u16),
    /// Its steps: first index and count.
    pub steps: (u16, u16),
    /// How many registers it has, register 0 (the input) included.
    pub registers: u16,
    /// The limit of each counter, 1 to 65,535.
    pub counters: Vec<u16>,
    /// The verdicts that may leave it, ascending.
    pub verdicts: Vec<WordId>,
}

/// What is known of a stage besides its code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// The part of the step key it contributes: `step2`, or `join.3/1/select.1` from the nearest label down.
    pub key: String,
    /// Which of the four kinds.
    pub kind: StageKind,
    /// The stage that its chain stands in, of lower index; none at the top of a function.
    pub around: Option<StageId>,
    /// The deadline of one entry, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// What the calls of one entry may cost, in millionths of a dollar.
    pub money: Option<u64>,
    /// What the calls of one entry may use, in tokens.
    pub tokens: Option<u64>,
    /// Where its input is kept, if anything needs it; always set where there is a `handler`.
    pub input: Option<RegisterId>,
    /// Where its output is kept, if anything needs it.
    pub output: Option<RegisterId>,
    /// The counters inside it: first index and count; entering it sets them to zero.
    pub counters: (u16, u16),
    /// The match below it in its chain, if that catches anything.
    pub handler: Option<Handler>,
    /// Of a `select`: who chooses.
    pub chooser: Option<WorkerId>,
    /// Of a `select`: the name of each option, in written order. Of a `join`: of each element. Of a `match`: the words of its arms.
    pub names: Vec<WordId>,
}

impl StageKind {
    /// All, in order of their numbers.
    pub const ALL: [StageKind; 4] = [StageKind::Switch, StageKind::Select, StageKind::Join, StageKind::Match];

    /// The word of the language.
    pub fn word(self) -> &'static str {
        match self {
            StageKind::Switch => "switch",
            StageKind::Select => "select",
            StageKind::Join => "join",
            StageKind::Match => "match",
        }
    }
}

/// The four kinds of stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StageKind {
    /// From one step to the next.
    #[default]
    Switch,
    /// A chooser picks among the steps that are left.
    Select,
    /// Every element runs concurrently.
    Join,
    /// The first arm whose word holds.
    Match,
}

/// A match that catches endings of the stage above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handler {
    /// Which kinds of ending.
    pub kinds: KindSet,
    /// The match's count of entries, if it has one; spent, it catches nothing.
    pub counter: Option<CounterId>,
    /// Where it begins.
    pub target: u32,
}

/// What is known of a step besides its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its own part of the step key: `analyze`, or `clean.2` for the second `clean` of a stage.
    pub name: String,
    /// The stage it stands in.
    pub stage: StageId,
    /// Whom it calls.
    pub target: StepTarget,
    /// Named prompts or parameter sets that shape the worker, the stage's first; indices into [`Module::behaviours`].
    pub behaviours: Vec<u16>,
    /// The deadline of one call, in milliseconds; none means the worker's own, or its kind's.
    pub deadline_ms: Option<u64>,
    /// What the calls of one visit may cost, in millionths of a dollar.
    pub money: Option<u64>,
    /// What the calls of one visit may use, in tokens.
    pub tokens: Option<u64>,
    /// Where what it was last called with is kept, if anything refers to it.
    pub input: Option<RegisterId>,
    /// Where its output is kept, if anything refers to it.
    pub output: Option<RegisterId>,
    /// `~ undoer`.
    pub undo: Option<StepTarget>,
    /// What its worker may answer besides the words of its edges, ascending.
    pub verdicts: Vec<WordId>,
}

/// Whom a step calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum StepTarget {
    /// A worker outside the machine.
    Worker(WorkerId),
    /// A definition of this module, of higher index than the function around.
    Function(FunctionId),
}

/// A worker with its definition embedded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// The name under which the program calls it.
    pub name: String,
    /// Canonical JSON of its [`crate::worker::WorkerDefinition`].
    pub definition: String,
    /// What one call may cost at most, in millionths of a dollar; none: not known.
    pub money: Option<u64>,
    /// What one call may use at most, in tokens; none: not known.
    pub tokens: Option<u64>,
}

/// A parameter with its declaration embedded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Canonical JSON of its [`crate::param::Param`].
    pub definition: String,
}

/// A behaviour with its definition embedded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// The word.
    pub name: String,
    /// Canonical JSON of its [`crate::worker::BehaviourDefinition`].
    pub definition: String,
}

/// Limits of a whole run; spent, the run parks. None: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunLimits {
    /// Calls of workers.
    pub calls: Option<u64>,
    /// Millionths of a dollar.
    pub money: Option<u64>,
    /// Tokens.
    pub tokens: Option<u64>,
}

/// What an edge does; `next` to `send` are *forward*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum EdgeKind {
    /// The output goes to the element below.
    Next = 0,
    /// As `next`, with the step's input and this step's verdict.
    Continue = 1,
    /// The output leaves the innermost stage.
    Send = 2,
    /// The output goes to an element above.
    Back = 3,
    /// The same call again.
    Retry = 4,
    /// The output goes to a labelled stage or step.
    Jump = 5,
    /// The stage ends by the kind `cancel`, or by the failure that led here.
    Cancel = 6,
    /// The stage ends by the kind `timeout`.
    Timeout = 7,
}

impl EdgeKind {
    /// All, in order of their numbers.
    pub const ALL: [EdgeKind; 8] = [
        EdgeKind::Next,
        EdgeKind::Continue,
        EdgeKind::Send,
        EdgeKind::Back,
        EdgeKind::Retry,
        EdgeKind::Jump,
        EdgeKind::Cancel,
        EdgeKind::Timeout,
    ];

    /// The kind of a number.
    pub fn from_number(number: u8) -> Option<EdgeKind> {
        EdgeKind::ALL.get(usize::from(number)).copied()
    }

    /// `next`, `continue` and `send`.
    pub fn is_forward(self) -> bool {
        matches!(self, EdgeKind::Next | EdgeKind::Continue | EdgeKind::Send)
    }

    /// The word of the language.
    pub fn word(self) -> &'static str {
        match self {
            EdgeKind::Next => "next",
            EdgeKind::Continue => "continue",
            EdgeKind::Send => "send",
            EdgeKind::Back => "back",
            EdgeKind::Retry => "retry",
            EdgeKind::Jump => "jump",
            EdgeKind::Cancel => "cancel",
            EdgeKind::Timeout => "timeout",
        }
    }
}

/// How a stage, a call or a run ends when it is not a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum EndKind {
    /// Chosen.
    Cancel = 0,
    /// Something failed.
    Failure = 1,
    /// No outcome could be taken, or a budget was spent.
    Exhausted = 2,
    /// Time ran out, or the outcome `timeout` was chosen.
    Timeout = 3,
}

impl EndKind {
    /// All, in order of their numbers.
    pub const ALL: [EndKind; 4] = [EndKind::Cancel, EndKind::Failure, EndKind::Exhausted, EndKind::Timeout];

    /// The word of the language.
    pub fn word(self) -> &'static str {
        match self {
            EndKind::Cancel => "cancel",
            EndKind::Failure => "failure",
            EndKind::Exhausted => "exhausted",
            EndKind::Timeout => "timeout",
        }
    }
}

/// A set of [`EndKind`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct KindSet(pub u8);

impl KindSet {
    /// Does it hold `kind`?
    pub fn contains(self, kind: EndKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// With `kind` added.
    pub fn with(self, kind: EndKind) -> KindSet {
        KindSet(self.0 | 1 << kind as u8)
    }

    /// Only kinds that there are?
    pub fn is_known(self) -> bool {
        self.0 < 1 << EndKind::ALL.len()
    }

    /// Nothing in it?
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Debug information: an Artifact of its own, so that layout and comments do not change a program's identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Debug {
    /// The module it belongs to.
    pub module: Option<ContentDigest>,
    /// Files: name and source text.
    pub files: Vec<(String, String)>,
    /// For each stage: file, first byte, one past the last.
    pub stages: Vec<(u16, u32, u32)>,
    /// For each step: the same.
    pub steps: Vec<(u16, u32, u32)>,
}

#[cfg(test)]
mod tests;
