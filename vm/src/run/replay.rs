//! A run from its records: told the same things in the same order, it stands where it stood. Then it is decided what becomes
//! of the calls that were under way.

use super::{Do, Intended, Progress, Run};
use crate::action::{Answer, CallError, RequestId, TimerId, Usage};
use aivm_schema::artifact::{Artifact, Checksum};
use aivm_schema::journal::{Body, Record};
use aivm_schema::worker::Effect;

/// Why records do not give a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The program does not do what the record says: another version of the machine wrote it, or somebody changed it.
    #[error("record {seq} does not follow from those before it: {what}")]
    Disagrees {
        /// Which record.
        seq: u64,
        /// How.
        what: String,
    },
    /// A value that a record names is not there.
    #[error("record {seq} names the artifact {checksum}, which is missing or damaged")]
    Missing {
        /// Which record.
        seq: u64,
        /// Which artifact.
        checksum: Checksum,
    },
}

impl Run {
    /// From now on the run is told its records, by [`Run::replay`]. `first` is how it began.
    pub fn begin_replay(&mut self, first: &[u8]) {
        self.replaying = true;
        self.unwritten.clear();
        self.queue.clear();
        self.telling = false;
        (self.seq, self.link) = (1, super::Link::default().then(1, first));
    }

    /// Must the machine go on before it can be told this record? It must do what [`Run::step`] says until then.
    pub fn is_before(&self, record: &Record, last: &Do) -> bool {
        match last {
            _ if record.together || matches!(record.body, Body::Intent(_) | Body::ApprovalRequested(_)) => false,
            Do::Yield => record.yields == 0 || self.yields < record.yields,
            Do::Wait(_) | Do::Park(_) | Do::End(_) => false,
            _ => true,
        }
    }

    /// Tells the run one of its records. `find` gives the artifacts that it names.
    pub fn replay(
        &mut self,
        bytes: &[u8],
        record: &Record,
        find: &mut dyn FnMut(Checksum) -> Option<Artifact>,
    ) -> Result<(), ReplayError> {
        self.seq += 1;
        self.link = self.link.then(self.seq, bytes);
        self.since = if matches!(record.body, Body::Checkpoint { .. }) { 0 } else { self.since + bytes.len() };
        let seq = self.seq;
        let disagrees = |what: String| ReplayError::Disagrees { seq, what };
        if record.at < self.latest {
            return Err(disagrees("its time is before theirs".into()));
        }
        self.latest = record.at;
        // What the machine was not told happened later than what it does next: timers begin, and values are made, as before.
        if super::tells(&record.body) {
            self.now = record.at;
        }
        match &record.body {
            Body::RunStarted(_) => return Err(disagrees("a run starts once".into())),
            Body::Intent(row) => {
                let (key, digest) = (row.key.clone(), row.digest);
                self.intend_soon(RequestId(row.request), Intended { key, digest, expires: row.expires, asked: false });
            }
            Body::ApprovalRequested(row) => {
                let (key, digest) = (row.key.clone(), row.subject);
                self.intend_soon(RequestId(row.request), Intended { key, digest, expires: row.expires, asked: true });
            }
            Body::Outcome(outcome) => {
                let request = RequestId(outcome.request);
                let called = self.calls.get(&request).is_some_and(|calls| calls.call.key.to_string() == outcome.key);
                if !called {
                    return Err(disagrees(format!("nobody waits for {}", outcome.key)));
                }
                let usage = Usage {
                    money: outcome.money,
                    tokens: outcome.tokens,
                    output_tokens: outcome.output_tokens,
                    waited_ms: outcome.waited_ms,
                };
                let answer = match &outcome.result {
                    Ok(output) => {
                        let checksum = output.artifact;
                        let artifact = find(checksum).filter(|artifact| artifact.checksum() == checksum);
                        let output_artifact = artifact.ok_or(ReplayError::Missing { seq, checksum })?;
                        Answer::Done { output: output_artifact, verdict: output.verdict.clone(), usage }
                    }
                    Err((kind, error)) => {
                        let (code, message, step) = (error.code.clone(), error.message.clone(), error.step.clone());
                        Answer::Failed { kind: *kind, error: CallError { code, message, step }, usage }
                    }
                };
                let ended = self.told(request, answer, outcome.micros).map_err(|error| disagrees(error.to_string()))?;
                let follows = ended.decision.taken.word();
                if follows != outcome.taken {
                    let (key, said) = (&outcome.key, &outcome.taken);
                    return Err(disagrees(format!("after {key} follows `{follows}`, and it says `{said}`")));
                }
                self.say(Do::Ended(Box::new(ended)), false);
            }
            Body::Unknown { request } => match self.calls.get_mut(&RequestId(*request)) {
                Some(under_way) => under_way.state = Progress::Unknown { probing: false },
                None => return Err(disagrees("no such call".into())),
            },
            Body::Resolved(resolved) => match self.calls.get_mut(&RequestId(resolved.request)) {
                // What happened has an outcome of its own.
                Some(_) if resolved.happened.is_some() => {}
                Some(under_way) => under_way.state = Progress::Later(record.at),
                None => return Err(disagrees("no such call".into())),
            },
            Body::TimerFired { timer: Some(timer) } => {
                let timer = TimerId(*timer);
                match self.timers.get(&timer) {
                    Some(due) if *due <= record.at => {}
                    Some(_) => return Err(disagrees("the timer fires early".into())),
                    None => return Err(disagrees("no such timer".into())),
                }
                self.stop_timer(timer);
                self.machine.expire(timer);
            }
            Body::TimerFired { timer: None } => match self.deadline.take() {
                Some((due, ms)) if due <= record.at => self.machine.time_out(ms),
                Some(_) => return Err(disagrees("the run's time is not up".into())),
                None => return Err(disagrees("the run has no deadline".into())),
            },
            Body::CancelRequested { .. } => self.machine.cancel(),
            Body::LimitsRaised(limits) => self.machine.raise(*limits),
            // What a person decided has an outcome of its own.
            Body::ApprovalDecided(decided) => {
                match self.calls.get(&RequestId(decided.request)).map(|calls| calls.state) {
                    Some(Progress::Asked) => {}
                    _ => return Err(disagrees("nobody was asked".into())),
                }
            }
            Body::RollbackRequested(rollback) => {
                self.ended = false;
                if !self.roll_back(rollback) {
                    return Err(disagrees(format!("nothing can be taken back to {}", rollback.to)));
                }
            }
            // Whoever tells the records tells them to this program.
            Body::Upgraded { program } => {
                self.program = Some(*program);
                // Older checkpoints are of another program.
                self.since = usize::MAX / 2;
            }
            // To go on from there is quicker; to come there is to be told the same.
            Body::Checkpoint { .. } | Body::Parked { .. } => {}
            Body::RunFinished(_) if self.machine.has_ended() => self.ended = true,
            Body::RunFinished(_) => return Err(disagrees("the run has not ended".into())),
        }
        if super::tells(&record.body) {
            (self.yields, self.stepped) = (0, false);
        }
        match self.disagreement.take() {
            Some(what) => Err(disagrees(what)),
            None => Ok(()),
        }
    }

    fn intend_soon(&mut self, request: RequestId, intent: Intended) {
        match self.calls.contains_key(&request) {
            true => self.intend(request, &intent),
            false => drop(self.intended.insert(request, intent)),
        }
    }

    /// A call was about to begin.
    pub(super) fn intend(&mut self, request: RequestId, intent: &Intended) {
        let digest = self.calls.get(&request).map(|under_way| match intent.asked {
            true => self.subject(&under_way.call),
            false => self.digest(&under_way.call),
        });
        match self.calls.get_mut(&request) {
            Some(under_way) if under_way.call.key.to_string() == intent.key && digest == Some(intent.digest) => {
                under_way.state = if intent.asked { Progress::Asked } else { Progress::Begun };
                under_way.expires = under_way.expires.or(intent.expires);
            }
            _ => self.disagreement = Some(format!("{} is another call, or with another input", intent.key)),
        }
    }

    /// The records are told, and the machine waits: the run goes on, `at` a time. Decides what becomes of the calls that were
    /// under way.
    pub fn resume(&mut self, at: u64) -> Result<(), ReplayError> {
        let left = self.intended.values().next().map(|intent| format!("nobody calls {}", intent.key));
        if let Some(what) = self.disagreement.take().or(left) {
            return Err(ReplayError::Disagrees { seq: self.seq, what });
        }
        self.replaying = false;
        self.now = self.latest.max(self.now).max(at);
        // What leaves no trace has not begun, also where a checkpoint knows that it had.
        for under_way in self.calls.values_mut() {
            let pure = self.facts.get(under_way.call.worker.index()).is_some_and(|facts| facts.effect == Effect::Pure);
            if pure && under_way.state == Progress::Begun {
                under_way.state = Progress::Later(self.now);
            }
        }
        if self.places.is_some() {
            self.placed = self.with_places().collect();
        }
        let requests: Vec<RequestId> = self.calls.keys().copied().collect();
        for request in requests {
            if !self.calls.get(&request).is_some_and(|under_way| self.is_on_hold(under_way) && !under_way.stop) {
                self.settle(request);
            }
        }
        Ok(())
    }

    pub(super) fn settle(&mut self, request: RequestId) {
        let Some(under_way) = self.calls.get(&request) else { return };
        let effect = self.facts(under_way.call.worker).map_or(Effect::Irreversible, |facts| facts.effect);
        let live = under_way.expires.is_none_or(|expires| self.now < expires);
        let stop = under_way.stop;
        match under_way.state {
            Progress::Unknown { .. } => self.probe(request),
            Progress::Asked if stop => self.stopped.push_back(request),
            Progress::Asked => {}
            // Nothing of it has happened, or nothing that matters.
            Progress::Later(_) | Progress::Begun if stop && self.never_mind(request, effect) => {
                self.stopped.push_back(request);
            }
            Progress::Later(due) if self.now < due => {
                self.later.insert((due, request));
            }
            Progress::Later(_) => self.begin(request),
            // Again: with the same key and the same bytes, or without a trace.
            Progress::Begun if effect <= Effect::Read || effect == Effect::Idempotent && live => {
                self.begin(request);
                if stop {
                    self.say(Do::Stop(request), true);
                }
            }
            Progress::Begun => {
                if let Some(under_way) = self.calls.get_mut(&request) {
                    under_way.state = Progress::Unknown { probing: false };
                }
                self.tell(self.now, Body::Unknown { request: request.0 });
                self.probe(request);
            }
        }
    }

    fn never_mind(&self, request: RequestId, effect: Effect) -> bool {
        let later = self.calls.get(&request).is_some_and(|calls| matches!(calls.state, Progress::Later(_)));
        later || effect <= Effect::Read
    }
}
