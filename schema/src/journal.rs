//! The records of a run's journal: what a run must remember to go on, in order, each chained to the one before. Values are
//! there by checksum only. Here: the records, their bytes and the chain; who writes them and when is the machine's and the host's.

use crate::artifact::Checksum;
use crate::module::{EndKind, RunLimits};
use crate::worker::Effect;
use serde::Serialize;

mod bytes;
mod layout;

/// The largest record, in bytes: room for a key of 64 calls within each other, and for what is said of it.
pub const RECORD: usize = 128 << 10;

/// BLAKE3 of everything in a journal up to here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link(pub [u8; 32]);

impl Link {
    /// The link behind a record: `BLAKE3(this link, number of the record, its bytes)`.
    pub fn then(&self, seq: u64, record: &[u8]) -> Link {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0).update(&seq.to_le_bytes()).update(record);
        Link(*hasher.finalize().as_bytes())
    }
}

/// Why bytes are no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Cut short, not Cap'n Proto, or a number that means nothing.
    #[error("not a record: {0}")]
    Malformed(String),
    /// Over [`RECORD`].
    #[error("a record of {0} bytes: at most {RECORD}")]
    TooLarge(usize),
    /// The same record has one form, and this is another.
    #[error("not in canonical form")]
    NotCanonical,
}

impl From<capnp::Error> for RecordError {
    fn from(error: capnp::Error) -> RecordError {
        RecordError::Malformed(error.kind.to_string())
    }
}

impl From<capnp::NotInSchema> for RecordError {
    fn from(_: capnp::NotInSchema) -> RecordError {
        RecordError::Malformed("of a sort that this program does not know".into())
    }
}

/// Something that a run must remember.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// When it was written: unix nanoseconds, never less than that of the record before.
    pub at: u64,
    /// The machine was told so many yields after it was last told something; 0: when it waited.
    pub yields: u64,
    /// The machine was told this together with the record before that told it something: it did nothing in between.
    pub together: bool,
    /// What.
    #[serde(flatten)]
    pub body: Body,
}

/// The sorts of records. Durable before: what must not happen earlier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Body {
    /// Always the first. Durable before the run's name is told to anyone.
    RunStarted(Box<RunStarted>),
    /// A call is about to touch the world. Durable before it does.
    Intent(Box<Intent>),
    /// A call has been answered. Durable before anybody sees what came of it.
    Outcome(Box<Outcome>),
    /// A call was under way when its run was interrupted, and whether it happened is not known. Durable before the question is shown.
    Unknown {
        /// Whose.
        request: u64,
    },
    /// Somebody or something has found out. Durable before it is acted on.
    Resolved(Box<Resolved>),
    /// The time of a timer has come; none: that of the whole run.
    TimerFired {
        /// Which.
        timer: Option<u64>,
    },
    /// Somebody wants the run to stop.
    CancelRequested {
        /// Who.
        by: String,
    },
    /// The limits of the run are others now.
    LimitsRaised(RunLimits),
    /// The machine as it is, in an artifact: nothing before this is needed to go on.
    Checkpoint {
        /// Which.
        artifact: Checksum,
    },
    /// The run waits for somebody.
    Parked {
        /// For what.
        reason: String,
    },
    /// The end.
    RunFinished(Box<RunFinished>),
    /// A person is asked. Durable before anybody is told.
    ApprovalRequested(Box<ApprovalRequested>),
    /// A person has decided. Durable before it is acted on.
    ApprovalDecided(Box<ApprovalDecided>),
    /// Somebody wants what the run did to be taken back. Durable before it is acted on.
    RollbackRequested(Box<RollbackRequested>),
    /// From now on, and for everything before, the run is one of this program.
    Upgraded {
        /// The artifact of its module.
        program: Checksum,
    },
}

/// What a run begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunStarted {
    /// The run's name.
    pub run: String,
    /// The artifact of the module, definitions embedded.
    pub program: Checksum,
    /// The name of the program's file.
    pub file: String,
    /// What flows in.
    pub input: Checksum,
    /// Limits of the whole run.
    pub limits: RunLimits,
    /// The deadline of the whole run, in milliseconds from its beginning.
    pub timeout_ms: Option<u64>,
    /// The folder in which its commands run.
    pub workspace: String,
    /// `--param`, in order of their names.
    pub params: Vec<(String, String)>,
    /// Nothing is called but pure built-ins.
    pub mock: bool,
    /// Who began it.
    pub principal: String,
    /// The version of this program.
    pub version: String,
    /// Of which run it is a fork.
    pub forked: Option<Forked>,
    /// What its calls are written to or answered from.
    pub cassette: Option<Cassette>,
}

/// A file of recorded calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cassette {
    /// Where it is.
    pub file: String,
    /// It answers the calls; else it is written.
    pub replay: bool,
}

/// Where a run parted from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Forked {
    /// The other run.
    pub run: String,
    /// The step from which on it is another run.
    pub key: String,
    /// What that step is called with, when it is something else.
    pub input: Option<Checksum>,
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApprovalRequested {
    /// The machine's number of the call.
    pub request: u64,
    /// Its place in the run.
    pub key: String,
    /// Whom.
    pub worker: String,
    /// What is asked.
    pub question: String,
    /// The words that can be answered.
    pub choices: Vec<String>,
    /// Of exactly what is decided: the question, the choices, the content that they are about.
    pub subject: [u8; 32],
    /// Until when it can be answered: unix nanoseconds.
    pub expires: Option<u64>,
}

/// An answer of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApprovalDecided {
    /// The machine's number of the call.
    pub request: u64,
    /// What was decided: that of the question.
    pub subject: [u8; 32],
    /// The word.
    pub verdict: Option<String>,
    /// Why.
    pub comment: String,
    /// What the person made of the content.
    pub edited: Option<Checksum>,
    /// Who.
    pub by: String,
}

/// A wish to take back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RollbackRequested {
    /// The key of the step after which everything is taken back; empty: everything.
    pub to: String,
    /// Keys of undoers that somebody has done by hand.
    pub done: Vec<String>,
    /// Who.
    pub by: String,
}

/// A call that may touch the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Intent {
    /// The machine's number of it.
    pub request: u64,
    /// Its place in the run.
    pub key: String,
    /// 1, and one more for each retry.
    pub attempt: u32,
    /// Whom.
    pub worker: String,
    /// What it does to the world.
    pub effect: Effect,
    /// Of the worker's definition and its input's content: equal for equal requests.
    pub digest: [u8; 32],
    /// Until when the receiver knows the idempotency key: unix nanoseconds.
    pub expires: Option<u64>,
    /// What takes it back; empty: nothing.
    pub undo: String,
    /// Its deadline, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// What was set aside for it, in millionths of a dollar.
    pub money: Option<u64>,
    /// What was set aside for it, in tokens.
    pub tokens: Option<u64>,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The machine's number of it.
    pub request: u64,
    /// Its place in the run.
    pub key: String,
    /// 1, and one more for each retry.
    pub attempt: u32,
    /// Whom.
    pub worker: String,
    /// What it returned, or how it ended and why.
    pub result: Result<Output, (EndKind, Error)>,
    /// Millionths of a dollar.
    pub money: u64,
    /// Tokens, those of the question and of the answer.
    pub tokens: u64,
    /// Of them, those of the answer.
    pub output_tokens: u64,
    /// How long it took, in microseconds, with what it waited.
    pub micros: u64,
    /// How long it waited for a limit of its worker or provider, in milliseconds.
    pub waited_ms: u64,
    /// The word of what followed.
    pub taken: String,
}

/// A value and the word that came with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Output {
    /// The value.
    pub artifact: Checksum,
    /// The word.
    pub verdict: Option<String>,
}

/// Why something failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Error {
    /// Stable.
    pub code: String,
    /// For people.
    pub message: String,
    /// Where.
    pub step: String,
}

/// What is known now of a call that was under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resolved {
    /// Whose.
    pub request: u64,
    /// Did it happen, and what was its output?
    pub happened: Option<Checksum>,
    /// Who says so.
    pub by: String,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunFinished {
    /// `sent`, `cancelled`, `failed`, `timeout`.
    pub status: String,
    /// What was sent.
    pub output: Option<Output>,
    /// Why not.
    pub error: Option<Error>,
    /// The keys of the undoers that kept failing.
    pub not_undone: Vec<String>,
}

#[cfg(test)]
mod tests;
