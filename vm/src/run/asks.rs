//! What a run must know, and what it asks of its host: [`Do`].

use crate::action::*;
use crate::key::StepKey;
use aivm_schema::artifact::{Artifact, Checksum};
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
    /// Has it somebody who finds out whether a call happened?
    pub probed: bool,
    /// The question, when a person answers.
    pub question: Option<String>,
    /// How long a call may take when its step does not say, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Of calls that wait for a place the one with the highest begins first.
    pub priority: i32,
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
    /// Find out whether a call happened that was interrupted; tell `probed`.
    Probe(Call),
    /// A person has been asked; whoever should know it can be told. `decide` when there is an answer.
    Ask(Box<Question>),
    /// Keep this, and tell `checkpointed`: nothing before it will be needed to go on.
    Checkpoint(Checkpoint),
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

/// The run as it stands.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// What [`super::Saved`] reads.
    pub bytes: Vec<u8>,
    /// What they name.
    pub artifacts: Vec<Artifact>,
}

/// What a person is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The call; its input is what the question is about.
    pub call: Call,
    /// What is asked.
    pub question: String,
    /// The words that can be answered.
    pub choices: Vec<String>,
    /// Of exactly what is decided.
    pub subject: [u8; 32],
    /// Until when: unix nanoseconds.
    pub expires: Option<u64>,
}

/// What a person says.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    /// Of the question that was seen.
    pub subject: [u8; 32],
    /// One of its choices; none: yes.
    pub verdict: Option<String>,
    /// Why.
    pub comment: String,
    /// What the person made of the content.
    pub edited: Option<Artifact>,
    /// Who.
    pub by: String,
}

/// What came of looking whether a call happened.
#[derive(Clone, Debug)]
pub enum Probed {
    /// It did, and this was its output.
    Happened(Artifact),
    /// It did not.
    NotHappened,
    /// Nobody can tell.
    NotKnown,
}

/// Why a decision is refused; nothing has happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecideError {
    /// Nobody is asked that, or somebody has answered.
    #[error("nobody is asked that")]
    NotAsked,
    /// It was a decision about something else.
    #[error("the decision is about something else than what is asked now")]
    OtherSubject,
    /// The time is over.
    #[error("the question has expired")]
    Expired,
    /// Not one of the choices.
    #[error("`{0}` is none of the choices")]
    NoChoice(String),
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
    /// It ended, and something could not be taken back.
    Stuck,
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
            _ if !end.not_undone.is_empty() => Status::Stuck,
            Ok(_) => Status::Sent,
            Err((EndKind::Cancel, _)) => Status::Cancelled,
            Err((EndKind::Timeout, _)) => Status::Timeout,
            Err((EndKind::Failure | EndKind::Exhausted, _)) => Status::Failed,
        }
    }

    /// From its word.
    pub fn parse(word: &str) -> Option<Status> {
        use Status::*;
        [Running, Parked, Stuck, Sent, Cancelled, Failed, Timeout].into_iter().find(|status| status.word() == word)
    }

    /// The word that people and `--json` see.
    pub fn word(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Parked => "parked",
            Status::Stuck => "stuck",
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
    /// How it ended when it did not succeed.
    pub kind: Option<EndKind>,
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
    /// These calls wait for a person.
    Asked(Vec<StepKey>),
}
