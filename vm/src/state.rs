//! The machine's whole state as data: fibers, frames, scopes, groups. Everything here can be written down and loaded again;
//! nothing here acts. `V` is what stands for a value: an [`Artifact`] while it runs, a number in a snapshot.

use crate::action::{CallError, Limit, RequestId, TimerId};
use crate::key::StepKey;
use crate::slab::{FiberId, FrameId, GroupId, ScopeId, Slab};
use aivm_schema::artifact::Artifact;
use aivm_schema::module::{EndKind, FunctionId, RegisterId, RunLimits, StageId, StepId, WordId};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// How something ended that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ending {
    pub kind: EndKind,
    pub error: Option<Box<CallError>>,
}

impl Ending {
    pub fn new(kind: EndKind, error: CallError) -> Ending {
        Ending { kind, error: Some(Box::new(error)) }
    }

    /// Chosen, or stopped from outside.
    pub fn cancelled() -> Ending {
        Ending { kind: EndKind::Cancel, error: None }
    }

    pub fn error(&self) -> Option<CallError> {
        self.error.as_deref().cloned()
    }
}

/// A thread of control: the program, a branch of a join, an item of a fan-out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Fiber<V = Artifact> {
    pub role: Role,
    /// Calls of functions, the innermost last; never empty.
    pub stack: Vec<Activation<V>>,
    /// What flows, and its verdict.
    pub value: V,
    pub verdict: Option<WordId>,
    /// Inputs gathered so far for the next step.
    pub gathered: Vec<(RegisterId, V)>,
    /// Why the next call cannot be made.
    pub broken: Option<Box<CallError>>,
    /// The ending that a handler was just given.
    pub caught: Option<Ending>,
    pub state: State,
}

/// Whose fiber it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    Program,
    /// A branch: which element; an item: which part. `seat`: its place among the group's living children.
    Child {
        group: GroupId,
        part: u32,
        seat: u32,
    },
}

/// What a fiber is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    /// In the queue of those that can go on, or going on.
    Ready,
    /// A worker was called.
    Calling { request: RequestId, asked: Asked, allowance: Allowance },
    /// A new artifact is being made.
    Making { request: RequestId, what: Making },
    /// Its children run.
    Group,
    /// It waits for a sibling.
    Waiting { group: GroupId, element: u32 },
    /// A limit of the run is spent.
    Parked,
}

/// What a call may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Allowance {
    /// Promised to it in every budget around.
    pub reserved: Price,
    /// The most that it may take, where a budget holds.
    pub money: Option<u64>,
    pub tokens: Option<u64>,
}

/// What a worker was called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Asked {
    /// The visit of the innermost activation.
    Step,
    /// The choice of the `choose` that stands there; its number, and 1 or 2.
    Choose { number: u32, attempt: u32 },
    /// The undoer of the innermost activation's unwinding.
    Undo,
}

/// What is being made; from what, the fiber's state says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Making {
    Gather,
    Count,
    Item,
    /// The parts of the join or fan-out that stands there.
    Parts,
    WithError(Box<CallError>),
}

/// A function being run by a fiber.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Activation<V = Artifact> {
    pub function: FunctionId,
    pub frame: FrameId,
    /// False where it shares the frame of the fiber around.
    pub owns_frame: bool,
    /// It takes back what the activation below it is unwinding.
    pub undo: bool,
    /// The instruction that stands next, or is under way.
    pub pc: u32,
    /// The innermost scope and the outermost.
    pub scope: ScopeId,
    pub base: ScopeId,
    /// The step whose `call` or `map` is under way.
    pub visit: Option<Visit<V>>,
    /// Number of the choice whose chooser has to be asked once more; 0: none.
    pub ask_again: u32,
    pub group: Option<GroupId>,
    pub unwind: Option<Box<Unwind<V>>>,
}

/// A step while it is visited.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Visit<V = Artifact> {
    pub step: StepId,
    pub number: u32,
    pub item: Option<u32>,
    /// From 1.
    pub attempt: u32,
    /// What it was called with; none while that is still what flows in the fiber.
    pub input: Option<V>,
    /// A scope of its own holds the step's budget.
    pub scoped: bool,
}

/// Money in millionths of a dollar, and tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Price {
    pub money: u64,
    pub tokens: u64,
}

/// An ending on its way outwards.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Unwind<V = Artifact> {
    pub ending: Ending,
    /// Cancelled from outside: nothing inside this scope catches. None: whatever handles it may.
    pub until: Option<ScopeId>,
    /// The undoer at work.
    pub undoing: Option<Undoing<V>>,
}

/// An undoer at work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Undoing<V = Artifact> {
    pub undoer: Undoer<V>,
    /// From 1.
    pub attempt: u32,
}

/// What takes back one completed call: the step's undoer, with the call's output.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Undoer<V = Artifact> {
    /// Order of completion.
    pub sequence: u64,
    pub step: StepId,
    pub key: StepKey,
    pub output: V,
}

/// Registers and counters of one call of a function.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Frame<V = Artifact> {
    pub function: FunctionId,
    /// The key of the call; none for the program.
    pub caller: Option<Arc<str>>,
    pub registers: Vec<Option<V>>,
    pub counters: Vec<u16>,
    /// Of each step, how often it was visited; of each stage, how often its chooser was asked. They only grow.
    pub visits: Vec<u32>,
    pub choices: Vec<u32>,
}

/// One entry of a stage, one call of a function, one branch or item, or one visit that has a budget.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Scope<V = Artifact> {
    pub parent: Option<ScopeId>,
    pub fiber: FiberId,
    /// Which activation of the fiber.
    pub level: u32,
    pub kind: ScopeKind,
    /// In order of completion.
    pub undoers: Vec<Undoer<V>>,
    pub timer: Option<TimerId>,
    pub money: Option<Budget>,
    pub tokens: Option<Budget>,
    /// What the match that is entered here was given to catch.
    pub caught: Option<Ending>,
    /// Of a select under a budget: where it goes on, with what, when a call cannot be paid for.
    pub finish: Option<Box<Finish<V>>>,
}

/// What a scope belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ScopeKind {
    Base,
    /// The base of a function that takes something back.
    Undo,
    Stage(StageId),
    Visit(StepId),
}

/// What may be spent in a scope, is spent and is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Budget {
    pub limit: u64,
    pub spent: u64,
    pub reserved: u64,
}

/// How a select ends with what it has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Finish<V = Artifact> {
    pub pc: u32,
    pub value: V,
    pub verdict: Option<WordId>,
}

/// The children of a join or a fan-out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Group<V = Artifact> {
    pub parent: FiberId,
    /// The parent's activation.
    pub level: u32,
    pub kind: GroupKind<V>,
    /// The parent's scope, that children hand their undoers to.
    pub scope: ScopeId,
    /// By element or item; of a fan-out only those that were started.
    pub parts: Vec<Part<V>>,
    pub living: Vec<FiberId>,
    pub handed: u32,
    pub winner: Option<u32>,
    pub lost: Option<Ending>,
    /// The rest has been cancelled.
    pub closing: bool,
    pub waiting: Vec<FiberId>,
}

/// Which of the two.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum GroupKind<V = Artifact> {
    Join { stage: StageId, take: u32, after: u32 },
    Map { step: StepId, number: u32, whole: V, total: u32, item: u32 },
}

/// How many branches of a join must hand in; `take` as its instruction has it.
pub(crate) fn needed(branches: u16, take: u16) -> u32 {
    u32::from(if take == 0 { branches } else { take })
}

/// What became of a child.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Part<V = Artifact> {
    Running,
    Handed(V, Option<WordId>),
    Lost,
}

/// What a run has done and may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub calls: u64,
    pub spent: Price,
    pub reserved: Price,
    pub limits: RunLimits,
}

/// The end of a run.
pub(crate) type Fate<V = Artifact> = std::result::Result<(V, Option<WordId>), Ending>;

/// All of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Data<V = Artifact> {
    pub fibers: Slab<FiberId, Fiber<V>>,
    pub frames: Slab<FrameId, Frame<V>>,
    pub scopes: Slab<ScopeId, Scope<V>>,
    pub groups: Slab<GroupId, Group<V>>,
    pub root: FiberId,
    pub ready: VecDeque<FiberId>,
    pub parked: Vec<(FiberId, Limit)>,
    /// Fan-outs that could start more but for the number of fibers.
    pub starved: VecDeque<GroupId>,
    pub next_request: u64,
    pub next_timer: u64,
    /// Of completions.
    pub sequence: u64,
    pub account: Account,
    /// Up to this completion nothing is taken back any more.
    pub floor: u64,
    /// What could still be taken back after the end, in order of completion.
    pub kept: Vec<Undoer<V>>,
    /// Undoers that kept failing.
    pub stuck: Vec<Undoer<V>>,
    pub end: Option<Fate<V>>,
}

impl<V> Fiber<V> {
    /// The innermost activation.
    #[inline]
    pub fn top(&self) -> &Activation<V> {
        match self.stack.last() {
            Some(top) => top,
            None => unreachable!("a fiber always runs something"),
        }
    }

    #[inline]
    pub fn top_mut(&mut self) -> &mut Activation<V> {
        match self.stack.last_mut() {
            Some(top) => top,
            None => unreachable!("a fiber always runs something"),
        }
    }
}

impl<V> Scope<V> {
    pub fn new(parent: Option<ScopeId>, fiber: FiberId, level: u32, kind: ScopeKind) -> Scope<V> {
        Scope {
            parent,
            fiber,
            level,
            kind,
            undoers: Vec::new(),
            timer: None,
            money: None,
            tokens: None,
            caught: None,
            finish: None,
        }
    }
}

impl<V> Activation<V> {
    pub fn new(function: FunctionId, frame: FrameId, owns_frame: bool, pc: u32, base: ScopeId) -> Activation<V> {
        Activation {
            function,
            frame,
            owns_frame,
            undo: false,
            pc,
            scope: base,
            base,
            visit: None,
            ask_again: 0,
            group: None,
            unwind: None,
        }
    }
}

impl Budget {
    pub fn new(limit: u64) -> Budget {
        Budget { limit, spent: 0, reserved: 0 }
    }

    /// What is neither spent nor promised.
    pub fn left(&self) -> u64 {
        self.limit.saturating_sub(self.spent.saturating_add(self.reserved))
    }
}
