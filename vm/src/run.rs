//! A run: the machine, and the journal of everything that it was told. It says what to write, what to do once that is
//! durable, and, given the records again, stands where it stood. Pure: time comes in with each event.
//!
//! One rule makes it repeatable: the machine is told things only when it waits (or, for a cancel and the time of a timer, after
//! so many yields, which the record counts); what is told together is recorded so. Everything else follows from the program.
//!
//! Another keeps the promise: what touches the world, and what shows results to anybody, is said by [`Run::step`] only after
//! the records before it were handed out by [`Do::Write`], and whoever asks again says by that that they are durable.

use crate::action::*;
use crate::key::StepKey;
use crate::machine::{CompleteError, Machine, Totals};
use crate::verify::VerifiedModule;
use aivm_schema::artifact::{Artifact, Checksum};
use aivm_schema::journal::{
    self, Body, Intent, Link, Outcome, Output, Record, Resolved, RollbackRequested, RunFinished,
};
use aivm_schema::limits;
use aivm_schema::module::{EndKind, Module, RunLimits, WorkerId};
use aivm_schema::worker::Effect;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

mod asks;
mod calls;
mod checkpoint;
mod people;
mod replay;
mod told;

pub use asks::{Batch, Begin, Checkpoint, DecideError, Decided, Do, Ended, Facts, Probed, Question, Status, Why};
pub use checkpoint::{ReloadError, Saved};
pub use replay::ReplayError;

/// Instructions between two looks at what else happened.
const FUEL: u64 = 100_000;
/// So many records wait at most before they are written without being needed.
const WAITING: usize = 256;
/// What the journal of a run says it waits for that is left on hold.
pub const HELD: &str = "held";
/// Nanoseconds in a millisecond.
const MILLISECOND: u64 = 1_000_000;

/// A call that has not been answered.
struct UnderWay {
    call: Call,
    nth: u64,
    state: Progress,
    /// It was asked to stop.
    stop: bool,
    /// Until when its receiver knows its idempotency key, or a person can answer.
    expires: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Progress {
    /// It waits for its time.
    Later(u64),
    /// Its intent is written, or it needs none.
    Begun,
    /// It was begun before an interruption; whether it happened is not known. Perhaps somebody is finding out.
    Unknown { probing: bool },
    /// A person was asked.
    Asked,
}

/// A record of a call that the machine has not come to yet.
#[derive(Clone, Debug)]
struct Intended {
    key: String,
    /// [`Run::digest`] of the call, or [`Run::subject`] of a question.
    digest: [u8; 32],
    expires: Option<u64>,
    asked: bool,
}

struct Queued {
    what: Do,
    /// Everything before it must be durable.
    gated: bool,
}

/// A run.
pub struct Run {
    machine: Machine,
    facts: Vec<Facts>,
    /// Is there a journal?
    recording: bool,
    /// The first record, and the program in force, which an upgrade changes.
    first: Vec<u8>,
    program: Option<Checksum>,
    /// The records are told again: nothing is written, nothing is begun.
    replaying: bool,
    /// When something happened last.
    now: u64,
    /// Of the last record that was told again.
    latest: u64,
    /// Yields since the machine was last told something.
    yields: u64,
    /// Has it done anything since?
    stepped: bool,
    /// It can do nothing more before it is told something: what has come of the last answer is known.
    settled: bool,
    /// How many records there are, and the chain behind the last.
    seq: u64,
    link: Link,
    unwritten: Vec<Vec<u8>>,
    /// Something in `unwritten` is more than the outcome of a pure call.
    telling: bool,
    queue: VecDeque<Queued>,
    calls: BTreeMap<RequestId, UnderWay>,
    later: BTreeSet<(u64, RequestId)>,
    /// How many calls may be under way at once; those that are, and those whose time has come and that wait for a place.
    places: Option<usize>,
    placed: BTreeSet<RequestId>,
    held: BTreeSet<Turn>,
    /// Told again, of calls that the machine has not come to yet.
    intended: BTreeMap<RequestId, Intended>,
    /// Of a checkpoint, of calls that the machine has not come to yet.
    reloaded: checkpoint::Reloaded,
    /// Bytes of records since the last checkpoint, and its size.
    since: usize,
    checkpoint: usize,
    often: usize,
    /// What a step of a fork is called with.
    instead: Option<(String, Artifact)>,
    /// Calls are not begun yet: some may be answered from another run.
    holding: bool,
    stopped: VecDeque<RequestId>,
    timers: BTreeMap<TimerId, u64>,
    due: BTreeSet<(u64, TimerId)>,
    deadline: Option<(u64, u64)>,
    scripted: BTreeMap<WorkerId, u64>,
    parked: Option<Why>,
    ended: bool,
    status: Status,
    /// A record that was told again is not of this run.
    disagreement: Option<String>,
}

/// Whose turn it is among those that wait for a place: the highest priority, then whoever was called first.
type Turn = (Reverse<i32>, RequestId);

impl Run {
    /// A run that begins `at` a time with a record that says how. Without `started` there is no journal.
    pub fn start(
        module: VerifiedModule,
        input: Artifact,
        limits: RunLimits,
        timeout_ms: Option<u64>,
        facts: Vec<Facts>,
        at: u64,
        started: Option<journal::RunStarted>,
    ) -> Run {
        let mut run = Run::of(Machine::start(module, input, limits), facts, at, timeout_ms, started.is_some());
        if let Some(started) = started {
            run.program = Some(started.program);
            run.write(at, Body::RunStarted(Box::new(started)));
            run.first = run.unwritten.first().cloned().unwrap_or_default();
        }
        run
    }

    fn of(machine: Machine, facts: Vec<Facts>, at: u64, timeout_ms: Option<u64>, recording: bool) -> Run {
        Run {
            places: machine.module().concurrent.map(|most| most.get() as usize),
            machine,
            facts,
            recording,
            first: Vec::new(),
            program: None,
            replaying: false,
            now: at,
            latest: at,
            yields: 0,
            stepped: false,
            settled: false,
            seq: 0,
            link: Link::default(),
            unwritten: Vec::new(),
            telling: false,
            queue: VecDeque::new(),
            calls: BTreeMap::new(),
            later: BTreeSet::new(),
            placed: BTreeSet::new(),
            held: BTreeSet::new(),
            intended: BTreeMap::new(),
            reloaded: checkpoint::Reloaded::default(),
            since: 0,
            checkpoint: 0,
            often: checkpoint::OFTEN,
            instead: None,
            holding: false,
            stopped: VecDeque::new(),
            timers: BTreeMap::new(),
            due: BTreeSet::new(),
            deadline: timeout_ms.map(|ms| (at.saturating_add(ms.saturating_mul(MILLISECOND)), ms)),
            scripted: BTreeMap::new(),
            parked: None,
            ended: false,
            status: Status::Running,
            disagreement: None,
        }
    }

    /// What the calls of this step are given instead of their input.
    pub fn instead(&mut self, key: String, input: Artifact) {
        self.instead = Some((key, input));
    }

    /// From now on no call is begun: those of [`Run::under_way`] may be answered from elsewhere, until [`Run::release`], or be let
    /// go one by one. A run that is read from its records is held before [`Run::resume`].
    pub fn hold(&mut self) {
        self.holding = true;
    }

    /// The calls that have not been answered.
    pub fn under_way(&self) -> impl Iterator<Item = &Call> {
        self.calls.values().map(|under_way| &under_way.call)
    }

    /// What is held begins.
    pub fn release(&mut self, at: u64) {
        self.holding = false;
        self.now = self.now.max(at);
        let requests: Vec<RequestId> = self.calls.keys().copied().collect();
        for request in requests {
            self.settle(request);
        }
    }

    /// One of the calls [`Run::on_hold`] begins; the others stay.
    pub fn let_go(&mut self, at: u64, request: RequestId) {
        self.now = self.now.max(at);
        self.settle(request);
    }

    /// The calls that begin when the run is no longer held, in the order in which they were called; none while another goes on.
    pub fn on_hold(&self) -> Vec<&Call> {
        let goes_on = |under_way: &UnderWay| match under_way.state {
            Progress::Later(_) => !self.is_on_hold(under_way),
            Progress::Begun | Progress::Unknown { probing: true } => true,
            Progress::Asked | Progress::Unknown { probing: false } => false,
        };
        if self.calls.values().any(goes_on) {
            return Vec::new();
        }
        let on_hold = self.calls.values().filter(|under_way| self.is_on_hold(under_way));
        on_hold.map(|under_way| &under_way.call).collect()
    }

    /// The run is left as it stands, on hold, and waits for somebody to go on with it: what is still to be written.
    pub fn leave(&mut self) -> Option<Batch> {
        self.status = Status::Parked;
        self.tell(self.now, Body::Parked { reason: HELD.to_owned() });
        self.batch()
    }

    /// Neither its time nor a place is what it waits for.
    fn is_on_hold(&self, UnderWay { call, state, .. }: &UnderWay) -> bool {
        let Progress::Later(at) = state else { return false };
        self.holding && !self.later.contains(&(*at, call.request)) && !self.held.contains(&self.turn(call))
    }

    /// What the run has called and spent so far.
    pub fn totals(&self) -> Totals {
        self.machine.totals()
    }

    /// The program.
    pub fn module(&self) -> &Module {
        self.machine.module()
    }

    /// The words that a call may answer.
    pub fn words(&self, request: RequestId) -> Vec<&str> {
        self.machine.words(request)
    }

    /// The words that a call of this step may answer, whenever it is called.
    pub fn words_of(&self, step: aivm_schema::module::StepId) -> Vec<&str> {
        self.machine.words_of(step)
    }

    /// The time of the last thing that happened: what is made of recorded values has this time, whenever it is made again.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// How many records there are, and the chain behind the last.
    pub fn head(&self) -> (u64, Link) {
        (self.seq, self.link)
    }

    /// Is there a journal, from which the run could go on later?
    pub fn is_recorded(&self) -> bool {
        self.recording
    }

    /// Has the run ended, and does its journal say so?
    pub fn has_finished(&self) -> bool {
        self.ended
    }

    /// Limits of the whole run.
    pub fn limits(&self) -> RunLimits {
        self.machine.limits()
    }

    /// What to do next.
    pub fn step(&mut self) -> Do {
        loop {
            // What an answer leads to is written with it: an outcome and the intents that follow share a batch.
            if let Some(queued) = self.queue.front()
                && (self.settled || !(queued.gated && self.telling) || self.unwritten.len() >= WAITING)
            {
                let must = queued.gated && self.telling || self.unwritten.len() >= WAITING;
                if let Some(batch) = must.then(|| self.batch()).flatten() {
                    return Do::Write(batch);
                }
                if let Some(queued) = self.queue.pop_front() {
                    return queued.what;
                }
            }
            let mut fuel = FUEL;
            self.stepped = true;
            let action = self.machine.step(&mut fuel);
            self.settled = matches!(action, Action::Wait | Action::Park(_) | Action::End(_) | Action::Yield);
            match action {
                Action::Call(call) => self.called(call),
                Action::Make(make) => return Do::Make(make),
                Action::Cancel(request) => self.stop(request),
                Action::StartTimer { timer, after_ms } => {
                    let at = self.now.saturating_add(after_ms.saturating_mul(MILLISECOND));
                    self.start_timer(timer, at);
                }
                Action::StopTimer(timer) => self.stop_timer(timer),
                note @ (Action::Ended(_) | Action::NotMade(_) | Action::Mapped(_)) => {
                    self.say(Do::Note(Box::new(note)), self.telling);
                }
                Action::Yield => {
                    self.yields += 1;
                    return Do::Yield;
                }
                Action::Wait => match self.wait() {
                    Some(Do::Wait(_)) if self.is_checkpoint_due() => {
                        return match self.batch() {
                            Some(batch) => Do::Write(batch),
                            None => self.take_checkpoint(),
                        };
                    }
                    Some(what) => return what,
                    None => continue,
                },
                // What was called before is done all the same.
                Action::Park(_) if self.fill() => continue,
                Action::Park(limit) => match self.park(Why::Limit(limit)) {
                    Some(what) => return what,
                    None => continue,
                },
                Action::End(end) => {
                    if self.replaying || std::mem::replace(&mut self.ended, true) {
                        return Do::End(end);
                    }
                    self.status = Status::of(&end);
                    let finished = finished(&end);
                    self.tell(self.now, Body::RunFinished(Box::new(finished)));
                    self.say(Do::End(end), true);
                }
            }
        }
    }

    fn say(&mut self, what: Do, gated: bool) {
        // Told again, a run does nothing; but it can be looked at.
        if !self.replaying || matches!(what, Do::Ended(_) | Do::Note(_)) {
            self.queue.push_back(Queued { what, gated });
        }
    }

    fn batch(&mut self) -> Option<Batch> {
        let records = std::mem::take(&mut self.unwritten);
        self.telling = false;
        let first = self.seq + 1 - records.len() as u64;
        (!records.is_empty()).then_some(Batch { first, records, head: self.link, status: self.status })
    }

    /// Adds a record that somebody may act on.
    fn tell(&mut self, at: u64, body: Body) {
        self.write(at, body);
        self.telling = self.recording;
    }

    fn write(&mut self, at: u64, body: Body) {
        self.now = self.now.max(at);
        let (mut yields, mut together) = (0, false);
        if tells(&body) {
            self.settled = false;
            (yields, together) = (std::mem::take(&mut self.yields), !std::mem::take(&mut self.stepped));
        }
        if !self.recording || self.replaying {
            return;
        }
        let bytes = Record { at: self.now, yields, together, body }.to_bytes();
        self.seq += 1;
        self.link = self.link.then(self.seq, &bytes);
        self.since += bytes.len();
        self.unwritten.push(bytes);
    }

    fn facts(&self, worker: WorkerId) -> Option<&Facts> {
        self.facts.get(worker.index())
    }

    /// Pure, as far as is known.
    fn is_pure(&self, worker: WorkerId) -> bool {
        self.facts(worker).is_some_and(|facts| facts.effect == Effect::Pure)
    }

    fn start_timer(&mut self, timer: TimerId, at: u64) {
        let at = self.reloaded.timer(timer).unwrap_or(at);
        self.timers.insert(timer, at);
        self.due.insert((at, timer));
    }

    fn stop_timer(&mut self, timer: TimerId) {
        if let Some(at) = self.timers.remove(&timer) {
            self.due.remove(&(at, timer));
        }
    }

    /// The machine waits: what for?
    fn wait(&mut self) -> Option<Do> {
        self.fill();
        if !self.queue.is_empty() {
            return None;
        }
        self.yields = 0;
        if self.replaying {
            return Some(Do::Wait(None));
        }
        if let Some(request) = self.stopped.pop_front() {
            let error = CallError { code: "E0713".into(), message: "stopped".into(), step: String::new() };
            let answer = Answer::Failed { kind: EndKind::Cancel, error, usage: Usage::default() };
            // Nobody else answers it: it was never begun.
            let _ = self.answered(self.now, request, answer, 0);
            return None;
        }
        let timer = self.due.first().map(|(at, _)| *at);
        let later = self.later.first().map(|(at, _)| *at);
        let deadline = self.deadline.map(|(at, _)| at);
        let next = [timer, later, deadline, self.next_expiry()].into_iter().flatten().min();
        // What is due already comes before waiting for somebody.
        if next.is_none_or(|at| at > self.now)
            && let Some(why) = self.waits_for_somebody()
        {
            return self.park(why);
        }
        Some(Do::Wait(next))
    }

    /// Nothing can come by itself, but for what time brings.
    fn waits_for_somebody(&self) -> Option<Why> {
        let (mut unknown, mut asked) = (Vec::new(), Vec::new());
        for UnderWay { call, state, .. } in self.calls.values() {
            match state {
                Progress::Unknown { probing: false } => unknown.push(call.key.clone()),
                Progress::Asked => asked.push(call.key.clone()),
                // It waits for the place of another.
                Progress::Later(_) if self.held.contains(&self.turn(call)) => {}
                _ => return None,
            }
        }
        match (unknown.is_empty(), asked.is_empty()) {
            (false, _) => Some(Why::Unknown(unknown)),
            (true, false) => Some(Why::Asked(asked)),
            (true, true) => None,
        }
    }

    fn park(&mut self, why: Why) -> Option<Do> {
        self.yields = 0;
        if self.replaying || self.parked.as_ref() == Some(&why) {
            return Some(Do::Park(why));
        }
        let reason = match &why {
            Why::Limit(Limit::Calls) => "calls".to_owned(),
            Why::Limit(Limit::Money) => "money".to_owned(),
            Why::Limit(Limit::Tokens) => "tokens".to_owned(),
            Why::Unknown(_) => "unknown".to_owned(),
            Why::Asked(_) => "asked".to_owned(),
        };
        self.status = Status::Parked;
        self.tell(self.now, Body::Parked { reason });
        self.parked = Some(why.clone());
        self.say(Do::Park(why), true);
        None
    }

    /// Gives the artifact of a [`Do::Make`].
    pub fn made(&mut self, request: RequestId, artifact: Artifact) -> Result<(), CompleteError> {
        self.machine.made(request, artifact)
    }

    /// Says how many parts there are.
    pub fn counted(&mut self, request: RequestId, parts: u32) -> Result<(), CompleteError> {
        self.machine.counted(request, parts)
    }

    /// Says that it cannot be made.
    pub fn not_made(&mut self, request: RequestId, error: CallError) -> Result<(), CompleteError> {
        self.machine.not_made(request, error)
    }
}

/// Is the machine told this? Everything else follows from what it is told.
fn tells(body: &Body) -> bool {
    use Body::*;
    matches!(
        body,
        Outcome(_)
            | Resolved(_)
            | TimerFired { .. }
            | CancelRequested { .. }
            | LimitsRaised(_)
            | ApprovalDecided(_)
            | RollbackRequested(_)
    )
}

fn finished(end: &RunEnd) -> RunFinished {
    let (output, error) = match &end.result {
        Ok((output, verdict)) => (Some(Output { artifact: output.checksum(), verdict: verdict.clone() }), None),
        Err((_, error)) => (None, error.as_ref().map(told::recorded)),
    };
    // A record has room for some; all of them can be read from the calls.
    let mut room = journal::RECORD / 4;
    let fits = |key: &String| room.checked_sub(key.len() + 16).inspect(|left| room = *left).is_some();
    let not_undone = end.not_undone.iter().map(StepKey::to_string).take_while(fits).collect();
    RunFinished { status: Status::of(end).word().to_owned(), output, error, not_undone }
}
