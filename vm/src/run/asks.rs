//! What a run must know, and what it asks of its host: [`Do`].

use crate::action::*;
use crate::key::StepKey;
use aivm_schema::artifact::Checksum;
use aivm_schema::journal::Link;
use aivm_schema::module::EndKind;
use aivm_schema::worker::{Backoff, Effect};

/// What a run must know of a worker.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Under which name the program calls it.
    pub name: String,
    /// Of its definition.
    pub digest: [u8; 32],
    /// What a call does to the world; a scripted answer does nothing.
    pub effect: Effect,
    /// Its answers come from a script, one a call.
    pub scripted: bool,
    /// How long to wait before each retry.
    pub backoff: Backoff,
    /// How long its receiver knows an idempotency key, in milliseconds.
    pub key_ms: Option<u64>,
}

/// What its host must do next.
#[derive(Debug)]
#[must_use]
pub enum Do {
    /// Make these durable before [`super::Run::step`] is called again.
    Write(Batch),
    /// Make an artifact, and give it by `made`, `counted` or `not_made` before anything else.
    Make(Make),
    /// Call a worker; tell `answered` when it says [`Do::Wait`].
    Call(Begin),
    /// Ask a call to stop; it is still answered.
    Stop(RequestId),
    /// A call has ended; to show.
    Ended(Box<Ended>),
    /// Something else for the trace: [`Action::Ended`], [`Action::NotMade`], [`Action::Mapped`].
    Note(Box<Action>),
    /// So many instructions have been carried out; look at the clock and whether somebody wants to cancel.
    Yield,
    /// Wait for an answer, or until a time, in unix nanoseconds; then `wake`.
    Wait(Option<u64>),
    /// Nothing can go on before somebody does something.
    Park(Why),
    /// The end.
    End(RunEnd),
}

/// Records to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The number of the first, from 1.
    pub first: u64,
    /// Their bytes.
    pub records: Vec<Vec<u8>>,
    /// The chain behind the last.
    pub head: Link,
    /// How the run stands then.
    pub status: Status,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It goes on.
    Running,
    /// It waits for somebody.
    Parked,
    /// It ended with an output.
    Sent,
    /// It was cancelled.
    Cancelled,
    /// It failed.
    Failed,
    /// Its time was up.
    Timeout,
}

impl Status {
    /// How a run stands that ended so.
    pub fn of(end: &RunEnd) -> Status {
        match &end.result {
            Ok(_) => Status::Sent,
            Err((EndKind::Cancel, _)) => Status::Cancelled,
            Err((EndKind::Timeout, _)) => Status::Timeout,
            Err((EndKind::Failure | EndKind::Exhausted, _)) => Status::Failed,
        }
    }

    /// The word that people and `--json` see.
    pub fn word(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Parked => "parked",
            Status::Sent => "sent",
            Status::Cancelled => "cancelled",
            Status::Failed => "failed",
            Status::Timeout => "timeout",
        }
    }
}

/// A call that may begin.
#[derive(Clone, Debug)]
pub struct Begin {
    /// The call.
    pub call: Call,
    /// Which of its script's answers it gets, from 0.
    pub nth: u64,
}

/// A call that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The call.
    pub call: Call,
    /// What it returned.
    pub output: Option<Checksum>,
    /// The word that the worker said.
    pub verdict: Option<String>,
    /// Why it failed.
    pub error: Option<CallError>,
    /// What it cost and used.
    pub usage: Usage,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// What followed.
    pub decision: Decision,
}

/// Why a run cannot go on by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// A limit of the run is spent.
    Limit(Limit),
    /// These calls may have happened, or not.
    Unknown(Vec<StepKey>),
}
