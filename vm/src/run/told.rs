//! What a run is told: answers, time, wishes; each is a record before anything follows from it.

use super::*;

impl Run {
    /// A call has been answered. Told after [`Do::Wait`]; several that have come meanwhile may be told together, before the
    /// next [`Run::step`].
    pub fn answered(
        &mut self,
        at: u64,
        request: RequestId,
        mut answer: Answer,
        micros: u64,
    ) -> Result<(), CompleteError> {
        // The machine is told what the record can say, so that it is told the same when it is read.
        match &mut answer {
            Answer::Done { verdict, .. } => {
                if let Some(verdict) = verdict {
                    cut(verdict, limits::WORD);
                }
                verdict.take_if(|verdict| verdict.is_empty());
            }
            Answer::Failed { error, .. } => {
                cut(&mut error.code, MESSAGE);
                cut(&mut error.message, MESSAGE);
                cut(&mut error.step, MESSAGE);
            }
        }
        let kind = if let Answer::Failed { kind, .. } = &answer { *kind } else { EndKind::Failure };
        let ended = self.told(request, answer, micros)?;
        let pure = self.is_pure(ended.call.worker);
        if self.recording {
            let result = match (ended.output, &ended.error) {
                (Some(artifact), _) => Ok(Output { artifact, verdict: ended.verdict.clone() }),
                (None, error) => Err((kind, error.as_ref().map(recorded).unwrap_or_default())),
            };
            let outcome = Outcome {
                request: request.0,
                key: ended.call.key.text(),
                attempt: ended.call.attempt,
                worker: self.facts(ended.call.worker).map_or_else(String::new, |facts| facts.name.clone()),
                result,
                money: ended.usage.money,
                tokens: ended.usage.tokens,
                output_tokens: ended.usage.output_tokens,
                micros,
                waited_ms: ended.usage.waited_ms,
                taken: ended.decision.taken.word().to_owned(),
            };
            let body = Body::Outcome(Box::new(outcome));
            if pure { self.write(at, body) } else { self.tell(at, body) }
        } else {
            self.now = self.now.max(at);
            self.yields = 0;
        }
        self.say(Do::Ended(Box::new(ended)), !pure);
        Ok(())
    }

    /// The machine is told what came of a call.
    pub(super) fn told(&mut self, request: RequestId, answer: Answer, micros: u64) -> Result<Ended, CompleteError> {
        let Some(under_way) = self.calls.remove(&request) else { return Err(CompleteError::Unknown(request)) };
        self.placed.remove(&request);
        self.held.remove(&self.turn(&under_way.call));
        let (output, verdict, kind, error, usage) = match &answer {
            Answer::Done { output, verdict, usage } => (Some(output.checksum()), verdict.clone(), None, None, *usage),
            Answer::Failed { kind, error, usage } => (None, None, Some(*kind), Some(error.clone()), *usage),
        };
        // What was never begun here, another run did: a fork takes it over.
        let foreign = matches!(under_way.state, Progress::Later(_)) && !self.is_pure(under_way.call.worker);
        let decision = match foreign {
            true => self.machine.complete_foreign(request, answer)?,
            false => self.machine.complete(request, answer)?,
        };
        (self.parked, self.status) = (None, Status::Running);
        let error = error.or_else(|| decision.error.as_deref().cloned());
        Ok(Ended { call: under_way.call, output, verdict, kind, error, usage, micros, decision })
    }

    /// The time has come that [`Do::Wait`] said, or is looked at after [`Do::Yield`]: the first thing that is due. Was there any?
    pub fn wake(&mut self, at: u64) -> bool {
        if let Some((_, ms)) = self.deadline.take_if(|(deadline, _)| *deadline <= at) {
            self.tell(at, Body::TimerFired { timer: None });
            self.machine.time_out(ms);
        } else if let Some((_, timer)) = self.due.first().copied().filter(|(due, _)| *due <= at) {
            self.stop_timer(timer);
            self.tell(at, Body::TimerFired { timer: Some(timer.0) });
            self.machine.expire(timer);
        } else if let Some((due, request)) = self.later.first().copied().filter(|(due, _)| *due <= at) {
            self.later.remove(&(due, request));
            self.now = self.now.max(at);
            self.begin(request);
        } else {
            return self.expire(at);
        }
        true
    }

    /// When something comes by itself, of a run that has been told its records: a timer, a retry, the end of its time, a question
    /// that expires. What waits for a place waits for whoever has it.
    pub fn next_due(&self) -> Option<u64> {
        let full = self.places.is_some_and(|places| self.with_places().count() >= places);
        let retries = self.calls.values().filter_map(|call| match call.state {
            Progress::Later(at) if !full => Some(at),
            _ => None,
        });
        let (timer, deadline) = (self.due.first().map(|(at, _)| *at), self.deadline.map(|(at, _)| at));
        retries.chain(timer).chain(deadline).chain(self.next_expiry()).min()
    }

    /// Somebody wants the run to stop.
    pub fn cancel(&mut self, at: u64, by: &str) {
        (self.parked, self.status) = (None, Status::Running);
        self.tell(at, Body::CancelRequested { by: by.to_owned() });
        self.machine.cancel();
    }

    /// What the run did and could take back, the newest first.
    pub fn undoable(&self) -> Vec<StepKey> {
        self.machine.undoable()
    }

    /// Somebody wants what the run did to be taken back, or what it did after the step `to`; `done` are the keys of undoers that
    /// somebody has done by hand. What has ended goes on, by its undoers. False, and nothing happens, when `to` is nothing
    /// that could be taken back.
    pub fn rollback(&mut self, at: u64, to: Option<&str>, done: Vec<String>, by: &str) -> bool {
        if to.is_some_and(|to| !self.machine.undoable().iter().any(|key| key.to_string() == to)) {
            return false;
        }
        (self.parked, self.status, self.ended) = (None, Status::Running, false);
        let (to, by) = (to.unwrap_or_default().to_owned(), by.to_owned());
        let rollback = RollbackRequested { to, done, by };
        self.tell(at, Body::RollbackRequested(Box::new(rollback.clone())));
        self.roll_back(&rollback)
    }

    pub(super) fn roll_back(&mut self, rollback: &RollbackRequested) -> bool {
        let to = Some(rollback.to.as_str()).filter(|to| !to.is_empty());
        self.deadline = None;
        self.machine.rollback(to, &rollback.done)
    }

    /// The run, which has been told its records, is one of another program from now on: that did the same up to here. What is to
    /// be written; nothing else happens before it is resumed. `limits`, when they are others from now on.
    pub fn upgrade(&mut self, at: u64, program: Checksum, limits: Option<RunLimits>, status: Status) -> Option<Batch> {
        self.replaying = false;
        self.status = status;
        self.tell(at, Body::Upgraded { program });
        if let Some(limits) = limits {
            self.tell(at, Body::LimitsRaised(limits));
        }
        self.replaying = true;
        self.batch()
    }

    /// Other limits; what was parked tries again.
    pub fn raise(&mut self, at: u64, limits: RunLimits) {
        (self.parked, self.status) = (None, Status::Running);
        self.tell(at, Body::LimitsRaised(limits));
        self.machine.raise(limits);
    }

    /// The calls of which nobody knows whether they happened.
    pub fn unknown(&self) -> impl Iterator<Item = &Call> {
        let unknown = |under_way: &&UnderWay| matches!(under_way.state, Progress::Unknown { .. });
        self.calls.values().filter(unknown).map(|under_way| &under_way.call)
    }

    /// Somebody has found out: it happened, and this was its output and its word; or it did not, and is called again.
    pub fn resolve(
        &mut self,
        at: u64,
        request: RequestId,
        happened: Option<(Artifact, Option<String>)>,
        by: &str,
    ) -> Result<(), CompleteError> {
        let under_way =
            self.calls.get_mut(&request).filter(|under_way| matches!(under_way.state, Progress::Unknown { .. }));
        let Some(under_way) = under_way else { return Err(CompleteError::Unknown(request)) };
        let stop = under_way.stop;
        // Whoever knows is quicker than the probe.
        self.queue.retain(|queued| !matches!(&queued.what, Do::Probe(call) if call.request == request));
        if happened.is_none() {
            under_way.state = Progress::Later(at);
        }
        (self.parked, self.status) = (None, Status::Running);
        let output = happened.as_ref().map(|(output, _)| output.checksum());
        self.tell(at, Body::Resolved(Box::new(Resolved { request: request.0, happened: output, by: by.to_owned() })));
        match happened {
            Some((output, verdict)) => {
                let answer = Answer::Done { output, verdict, usage: Usage::default() };
                self.answered(at, request, answer, 0)?;
            }
            None if stop => self.stopped.push_back(request),
            None => self.begin(request),
        }
        Ok(())
    }
}

/// The longest message that is kept, in bytes.
pub(super) const MESSAGE: usize = 4 << 10;

pub(super) fn cut(text: &mut String, most: usize) {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
}

pub(super) fn recorded(error: &CallError) -> journal::Error {
    journal::Error { code: error.code.clone(), message: error.message.clone(), step: error.step.clone() }
}
