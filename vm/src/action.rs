//! What the machine asks of its host, and what the host answers. Everything that is not pure stands behind these types:
//! calls, new artifacts, time. Nothing here runs anything.

use crate::key::StepKey;
use aivm_schema::artifact::Artifact;
use aivm_schema::module::{EdgeKind, EndKind, FunctionId, StageId, StepId, WordId, WorkerId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A word of the program, shared.
pub type Word = Arc<str>;

/// What the host is asked for; answered by [`crate::Machine::complete`] (`made`, `counted`, `not_made`), once. Never reused within a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RequestId(pub u64);

/// What the host must do next.
#[derive(Clone, Debug)]
#[must_use]
pub enum Action {
    /// Call a worker; answer with `complete`. Many may be under way.
    Call(Call),
    /// Make a new artifact from others; answer with `made` (`counted` for [`Recipe::Count`]), or `not_made` when that fails.
    Make(Make),
    /// Stop this call as soon as it can be stopped; it is still answered with `complete`, with whatever came of it.
    Cancel(RequestId),
    /// Tell the machine by `expire` when so much time has passed.
    StartTimer {
        /// Which timer.
        timer: TimerId,
        /// From now, in milliseconds.
        after_ms: u64,
    },
    /// The timer is not needed any more.
    StopTimer(TimerId),
    /// For the trace: a definition that a step called has ended. Nothing to answer.
    Ended(CallEnd),
    /// For the trace: a call that was not made, because an input or the budget was missing. Nothing to answer.
    NotMade(NotMade),
    /// For the trace: a fan-out has ended; its items' calls have been shown. Nothing to answer.
    Mapped(MapEnd),
    /// Nothing can go on before an answer arrives.
    Wait,
    /// The fuel is spent; call `step` again.
    Yield,
    /// A limit of the whole run is spent: raise it and call `step` again, or keep a snapshot. Calls under way have been answered.
    Park(Limit),
    /// The run has ended; nothing follows.
    End(RunEnd),
}

/// A call of a worker.
#[derive(Clone, Debug)]
pub struct Call {
    /// Answer under this id.
    pub request: RequestId,
    /// Whom.
    pub worker: WorkerId,
    /// What for.
    pub purpose: Purpose,
    /// Its place in the run, unique but for retries.
    pub key: StepKey,
    /// 1, and one more for each retry.
    pub attempt: u32,
    /// What it is called with.
    pub input: Artifact,
    /// The deadline of the call, in milliseconds, when the program sets one.
    pub deadline_ms: Option<u64>,
    /// What it may cost at most, in millionths of a dollar, when a budget holds.
    pub money: Option<u64>,
    /// What it may use at most, in tokens, when a budget holds.
    pub tokens: Option<u64>,
}

// The words that a call may answer are asked for with `Machine::words(request)`: most hosts need them for few workers.

/// Why a worker is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Purpose {
    /// The step's own call. The words it may answer: those of the step's edges and its verdicts.
    Step(StepId),
    /// To choose among a select's options that are left: the verdict names one, or says `finish`.
    Choose(StageId),
    /// To take back what a call of this step did; the input is that call's output.
    Undo(StepId),
}

/// What came of a call.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The worker returned.
    Done {
        /// Its output; the input itself when it changed nothing.
        output: Artifact,
        /// Its word, if it said one.
        verdict: Option<String>,
        /// What it cost and used.
        usage: Usage,
    },
    /// It did not.
    Failed {
        /// `Failure`, or `Timeout` when time ran out, or `Cancel` when the call was stopped as asked.
        kind: EndKind,
        /// Why.
        error: CallError,
        /// What it cost and used all the same.
        usage: Usage,
    },
}

/// What a call cost and used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Millionths of a dollar.
    pub money: u64,
    /// Tokens, those of the question and of the answer.
    pub tokens: u64,
    /// Of them, those of the answer.
    pub output_tokens: u64,
    /// How long the call waited for a limit of its worker or provider, in milliseconds.
    pub waited_ms: u64,
}

/// Why something failed: a stable code (`E0701`) and a sentence; the step where it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallError {
    /// Stable; `aivm explain` knows it.
    pub code: String,
    /// For people.
    pub message: String,
    /// Where; empty until the machine fills it in.
    pub step: String,
}

/// A new artifact that the machine needs.
#[derive(Clone, Debug)]
pub struct Make {
    /// Answer under this id.
    pub request: RequestId,
    /// From what.
    pub recipe: Recipe,
}

/// How to make it.
#[derive(Clone, Debug)]
pub enum Recipe {
    /// A *parts* artifact of these, in this order.
    Pack(Vec<PartValue>),
    /// How many parts has it (parts, elements of a JSON array, lines of text/x-lines, else one)? Answer with `counted`.
    Count(Artifact),
    /// Part `index` of it, as an artifact of its own.
    Item {
        /// The whole.
        of: Artifact,
        /// From 0.
        index: u32,
    },
    /// The same payload with the attribute `error`.
    WithError {
        /// The value.
        of: Artifact,
        /// What happened.
        error: CallError,
    },
}

/// One part of a *parts* artifact.
#[derive(Clone, Debug)]
pub struct PartValue {
    /// The name of its step or element.
    pub name: String,
    /// The value.
    pub value: Artifact,
    /// Its verdict.
    pub verdict: Option<String>,
}

/// A deadline of a stage's entry, or of a call of a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TimerId(pub u64);

/// What followed from an answer: the entry's last column in the trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What was decided.
    pub taken: Taken,
    /// Outcomes that could not be taken, in order: `back`, `step2.jump`.
    pub passed_over: Vec<String>,
    /// Which rule chose.
    pub rule: Rule,
    /// Why an answer that says it is done is none all the same: its word is none that the step knows.
    pub error: Option<Box<CallError>>,
}

/// The word by which a chooser ends its select.
pub const FINISH: &str = "finish";

impl Decision {
    /// Of no rule of outcomes.
    pub(crate) fn of(taken: Taken) -> Decision {
        Decision { taken, passed_over: Vec::new(), rule: Rule::None, error: None }
    }

    /// On an answer that leads nowhere any more.
    pub(crate) fn dropped() -> Decision {
        Decision::of(Taken::Dropped)
    }
}

/// What an answer led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Taken {
    /// An edge of this kind; of a jump, [`Taken::Jump`] says more.
    Edge(EdgeKind),
    /// A jump; its word is the last before `.jump`.
    Jump(Word),
    /// Nothing could be taken: the stage ends by this kind.
    Ends(EndKind),
    /// The chooser chose this step, or `finish`.
    Chose(Word),
    /// The chooser named no step that is left, or failed; it is asked once more, or the select fails.
    NotChosen,
    /// The undoer did its work.
    Undone,
    /// The undoer failed; it is tried again, or left undone.
    NotUndone,
    /// The call had been cancelled; its answer is recorded and leads nowhere.
    Dropped,
}

impl Taken {
    /// The word that `steps[].outcome` shows.
    pub fn word(&self) -> &str {
        match self {
            Taken::Jump(word) | Taken::Chose(word) => word,
            Taken::Edge(kind) => kind.word(),
            Taken::Ends(EndKind::Cancel) => "cancelled",
            Taken::Ends(EndKind::Failure) => "failed",
            Taken::Ends(EndKind::Exhausted) => "exhausted",
            Taken::Ends(EndKind::Timeout) => "timeout",
            Taken::NotChosen => "not-chosen",
            Taken::Undone => "undone",
            Taken::NotUndone => "not-undone",
            Taken::Dropped => "cancelled",
        }
    }
}

/// Which of the rules of outcomes chose the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// 1: the worker's verdict is in the list.
    Verdict,
    /// 2: success: the first forward outcome, else the first.
    Success,
    /// 3: failure: the first that takes failures.
    Failure,
    /// Not a step's call.
    None,
}

/// The end of a call of a definition.
#[derive(Clone, Debug)]
pub struct CallEnd {
    /// The step's key.
    pub key: StepKey,
    /// The step.
    pub step: StepId,
    /// What it called.
    pub function: FunctionId,
    /// 1, and one more for each retry.
    pub attempt: u32,
    /// Its output; none when it did not succeed.
    pub output: Option<Artifact>,
    /// Its verdict.
    pub verdict: Option<WordId>,
    /// How it ended when it did not succeed.
    pub kind: Option<EndKind>,
    /// Why it did not succeed; a definition that was cancelled has no reason.
    pub error: Option<CallError>,
    /// What followed.
    pub decision: Decision,
}

/// A call that was not made.
#[derive(Clone, Debug)]
pub struct NotMade {
    /// Its place in the run.
    pub key: StepKey,
    /// What it would have been for.
    pub purpose: Purpose,
    /// 1, and one more for each retry.
    pub attempt: u32,
    /// `Failure` when an input is missing, `Exhausted` when a budget cannot cover it.
    pub kind: EndKind,
    /// Why.
    pub error: CallError,
    /// What followed.
    pub decision: Decision,
}

/// The end of a fan-out.
#[derive(Clone, Debug)]
pub struct MapEnd {
    /// The step's key.
    pub key: StepKey,
    /// The step.
    pub step: StepId,
    /// 1, and one more for each retry.
    pub attempt: u32,
    /// All parts; none when it did not succeed.
    pub output: Option<Artifact>,
    /// How it ended when it did not succeed.
    pub kind: Option<EndKind>,
    /// Why it did not succeed.
    pub error: Option<CallError>,
    /// What followed.
    pub decision: Decision,
}

/// A limit of the whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// Calls.
    Calls,
    /// Money.
    Money,
    /// Tokens.
    Tokens,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunEnd {
    /// `Ok`: sent, with its output and verdict. `Err`: the kind, and the error that led there, if any.
    pub result: Result<(Artifact, Option<String>), (EndKind, Option<CallError>)>,
    /// Undoers that kept failing: the keys of their calls. Not empty: the rollback is incomplete.
    pub not_undone: Vec<StepKey>,
}
