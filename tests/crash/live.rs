//! The life of a process: it does what its run says, and tells it what came of it. What it may do, and when, is held against
//! the records that were acknowledged.

use crate::bugs::Bug;
use crate::disk::Stop;
use crate::ledger::promise;
use crate::world::{Answers, Doing, MILLISECOND, Process, World, failed};
use aivm_lang::eval::{self, Part, Value};
use aivm_schema::artifact::Draft;
use aivm_schema::module::{EndKind, RunLimits};
use aivm_schema::worker::Effect;
use aivm_vm::run::{Batch, Checkpoint, Do, Ended, Run, Why};
use aivm_vm::*;

impl World<'_> {
    /// Until the end.
    pub fn carry_on(&mut self, process: &mut Process) -> Result<String, Stop> {
        loop {
            self.wake_zombie()?;
            let what = process.run.step();
            if !matches!(what, Do::Make(_))
                && let Some(said) = process.twin.pop_front()
            {
                let says = said_by(&what);
                let same =
                    said.bytes().zip(says.bytes()).take_while(|(one, other)| one == other).count().saturating_sub(80);
                let (other, one) = (said.get(same..).unwrap_or(&said), says.get(same..).unwrap_or(&says));
                promise!(
                    said == says,
                    "told from its checkpoint a run does, from {same} on\n{one}\ninstead of\n{other}"
                );
            }
            self.may_sleep = matches!(what, Do::Write(_) | Do::Wait(_));
            if let Do::Write(batch) = what {
                self.trace(batch.head.0.iter().fold(0, |sum, byte| sum << 8 ^ sum >> 56 ^ u64::from(*byte)));
                if self.fate.bug == Some(Bug::EffectBeforeIntent)
                    && let Some(late) = process.batch.replace(batch.clone())
                {
                    self.disk.tick()?;
                    self.append(process, &late)?;
                    continue;
                }
                process.batch = Some(batch);
                self.disk.tick()?;
                self.may_sleep = false;
                if self.fate.bug != Some(Bug::EffectBeforeIntent)
                    && let Some(batch) = process.batch.take()
                {
                    self.append(process, &batch)?;
                }
                continue;
            }
            self.disk.tick()?;
            self.may_sleep = false;
            match what {
                Do::Write(_) => {}
                Do::Make(make) => self.make(&mut process.run, make),
                Do::Call(begin) => self.call(process, begin.call, begin.nth)?,
                Do::Stop(request) => self.stop(process, request),
                Do::Ended(ended) => self.ended(&ended)?,
                Do::Note(_) => {}
                Do::Yield => {}
                Do::Probe(call) => self.probe(process, call)?,
                Do::Ask(question) => {
                    let asked = self.index.asked.contains_key(&question.call.request.0);
                    promise!(asked, "{}: asked before it is durable", question.call.key);
                }
                Do::Checkpoint(checkpoint) => self.checkpoint(process, checkpoint),
                Do::Wait(until) => {
                    if !self.interfere(process) {
                        self.next(process, until)?;
                    }
                }
                Do::Park(why) => self.parked(process, why)?,
                Do::End(end) => {
                    promise!(self.index.finished, "shown before it is durable");
                    promise!(self.index.rollbacks >= process.rollbacks, "a rollback is not recorded");
                    promise!(self.index.cancelled || !process.cancelled, "a cancel is not recorded");
                    self.acked = process.run.head();
                    self.audit()?;
                    if !self.roll_back(process, &end) {
                        return Ok(self.ending(&end));
                    }
                }
            }
        }
    }

    pub fn append(&mut self, process: &mut Process, batch: &Batch) -> Result<(), Stop> {
        let raised = self.fate.bug == Some(Bug::EpochRaisedAfterActing) && batch.first > 1 && self.crashed > 0;
        process.fresh.append(&mut self.made);
        self.disk.append(&mut process.writer, batch.first - 1, &batch.records, &process.fresh)?;
        if raised {
            self.disk.raise(&mut process.writer)?;
        }
        process.fresh.clear();
        self.acked = (batch.first + batch.records.len() as u64 - 1, batch.head);
        let least = self.least();
        for bytes in &batch.records {
            self.index.add(bytes, self.now, least, self.tally)?;
        }
        Ok(())
    }

    /// Somebody does something at a time of their own.
    fn interfere(&mut self, process: &mut Process) -> bool {
        if !self.fate.wild || !self.dice.chance(5) {
            return false;
        }
        self.comparable = false;
        match self.dice.below(3) {
            0 => {
                process.cancelled = true;
                process.run.cancel(self.now, "the test");
            }
            1 => process.run.raise(self.now, RunLimits::default()),
            _ => {
                process.rollbacks += u64::from(process.run.rollback(self.now, None, Vec::new(), "the test"));
            }
        }
        true
    }

    pub fn call(&mut self, process: &mut Process, call: Call, nth: u64) -> Result<(), Stop> {
        let (request, facts) = (call.request, self.facts(&call));
        let (key, effect) = (call.key.to_string(), facts.effect);
        self.trace(request.0 << 8 | u64::from(call.attempt));
        promise!(!self.index.outcomes.contains_key(&request.0), "{key}: was answered, and is called again");
        promise!(facts.question.is_none(), "{key}: a person is called");
        promise!(!process.doing.contains_key(&request), "{key}: is under way, and is called again");
        // An undoer that is a definition calls the same again when it is tried again.
        let again = key.contains("~undo/");
        promise!(again || !self.by_hand.contains(&key), "{key}: was done by hand");
        let undone = match call.purpose {
            Purpose::Step(step) => self.setup.module.module().steps[step.index()].undo.is_some(),
            _ => false,
        };
        if call.attempt > 1
            && matches!(call.purpose, Purpose::Step(_))
            && let Some(at) = self.index.ended.get(&(key.clone(), call.attempt - 1))
        {
            let least = facts.backoff.before(call.attempt - 1).0 / 2 * MILLISECOND;
            promise!(self.now >= at + least, "{key}: the retry does not wait");
            self.tally.hit("a retry waits");
            if self.crashed > 0 {
                self.tally.hit("a retry waits after a crash");
            }
        }
        let input = self.value(&call.input);
        if effect > Effect::Pure {
            let intent = self.index.intents.get(&request.0);
            promise!(intent.is_some(), "{key}: begins before its intent");
            promise!(intent.is_some_and(|intent| intent.undo == undone), "{key}: the undoer is not in its intent");
            promise!(!self.index.unknown.contains(&request.0), "{key}: unknown, and is called again");
            let bytes = call.input.content_digest().0;
            let now = self.now;
            let remembered = self.ledger.entry(request).or_default();
            let (again, cleared) = (remembered.begun > 0, remembered.cleared);
            let live = remembered.live_until.is_none_or(|until| now < until);
            if again {
                promise!(remembered.before, "{key}: called twice by one process");
                promise!(remembered.nth == nth, "{key}: another answer of the script");
                promise!(remembered.bytes == Some(bytes), "{key}: again with other bytes");
                let may = cleared || effect == Effect::Read || effect == Effect::Idempotent && live;
                promise!(may, "{key}: repeated, {effect:?}");
            }
            if again && facts.scripted {
                self.tally.hit("a script goes on");
            }
            remembered.begun += 1;
            remembered.effect = Some(effect);
            remembered.before = false;
            remembered.cleared = false;
            remembered.bytes = Some(bytes);
            remembered.nth = nth;
            let until = facts.key_ms.map(|ms| now.saturating_add(ms.saturating_mul(MILLISECOND)));
            remembered.live_until = remembered.live_until.or(until);
            if again {
                self.tally.hit(match effect {
                    Effect::Pure | Effect::Read => "again: read",
                    Effect::Idempotent if cleared => "again: idempotent, not happened",
                    Effect::Idempotent => "again: idempotent, live key",
                    Effect::Compensable => "again: compensable, not happened",
                    Effect::Irreversible => "again: irreversible, not happened",
                });
            }
        } else if self.crashed > 0 {
            self.tally.hit("again: pure");
        }
        let mut answer = self.answer_of(process, &call, &key, &input, nth);
        // A receiver that knows the key says what it has done.
        let done = self.ledger.get(&request).filter(|_| effect == Effect::Idempotent);
        if let Some(output) = done.and_then(|done| done.output.clone()) {
            answer.result = Ok(output);
        }
        let at = self.now.saturating_add(answer.after_ms.saturating_mul(MILLISECOND));
        process.doing.insert(request, Doing { call, answer, stopped: false, sent: self.now, at });
        let places = self.setup.module.module().concurrent;
        self.index.hold_places(process.doing.len(), places, self.tally)?;
        Ok(())
    }

    /// What will come of a call.
    fn answer_of(&self, process: &Process, call: &Call, key: &str, input: &Value, nth: u64) -> eval::Answer {
        let mut words = process.run.words(call.request);
        words.sort_unstable();
        words.dedup();
        let mut answer = match &self.setup.answers {
            Answers::Random(script) => {
                // Whatever is tried again after a rollback may go another way.
                let attempt = call.attempt + 10 * process.rollbacks as u32 + 1000 * nth as u32;
                script.answer(&eval::Call { key, attempt, input, words })
            }
            Answers::Fixed(said) => {
                let (output, back) = (Value::text("o"), words.contains(&"back") && !key.contains('#'));
                let result = match said[call.worker.index()] {
                    0 => Ok((output, None)),
                    1 => Err((EndKind::Failure, "E0900".to_owned())),
                    _ => Ok((output, back.then(|| "back".to_owned()))),
                };
                eval::Answer { after_ms: 1, stops_ms: Some(1), result, money: 0, tokens: 0 }
            }
        };
        if let Some(deadline) = call.deadline_ms.filter(|deadline| *deadline < answer.after_ms) {
            answer.after_ms = deadline;
            answer.result = Err((EndKind::Timeout, "E0712".into()));
        }
        answer
    }

    fn stop(&mut self, process: &mut Process, request: RequestId) {
        let done = self.ledger.get(&request).is_some_and(|remembered| remembered.done > 0);
        let Some(doing) = process.doing.get_mut(&request) else { return };
        let stops = doing.answer.stops_ms.map(|ms| self.now + ms * MILLISECOND);
        // A receiver that knows the key says what it has done.
        if let Some(at) = stops.filter(|at| !doing.stopped && !done && *at < doing.at) {
            doing.answer.result = Err((EndKind::Cancel, "E0900".into()));
            doing.at = at;
        }
        doing.stopped = true;
    }

    pub fn ended(&mut self, ended: &Ended) -> Result<(), Stop> {
        let (request, key) = (ended.call.request.0, &ended.call.key);
        let facts = self.facts(&ended.call);
        if facts.effect > Effect::Pure || facts.question.is_some() {
            promise!(self.index.outcomes.contains_key(&request), "{key}: shown before its outcome is durable");
        }
        if let Some(error) = &ended.error
            && error.code == "E0713"
        {
            self.tally.hit("stopped before it began");
        }
        if facts.question.is_some() && ended.error.as_ref().is_some_and(|error| error.code == "E0712") {
            let expires = self.index.asked.get(&request).copied().flatten();
            promise!(expires.is_some_and(|expires| expires <= self.now), "{key}: a question expires early");
            self.tally.hit("nobody answered in time");
        }
        Ok(())
    }

    fn probe(&mut self, process: &mut Process, call: Call) -> Result<(), Stop> {
        promise!(self.index.unknown.contains(&call.request.0), "{}: a probe before it is unknown", call.key);
        promise!(self.facts(&call).probed, "{}: nobody can find out", call.key);
        self.unknown(&call)?;
        let at = self.now + self.dice.next() % (1 << 50);
        process.probes.insert(call.request, (at, call));
        Ok(())
    }

    fn checkpoint(&mut self, process: &mut Process, checkpoint: Checkpoint) {
        let draft = Draft { payload: checkpoint.bytes, ..Draft::default() };
        let artifact = draft.seal(1, [7; 10]).unwrap();
        let name = artifact.checksum();
        self.values.insert(name, (artifact.clone(), Value::text("")));
        process.fresh.extend(checkpoint.artifacts);
        if self.fate.bug != Some(Bug::CheckpointNotKept) {
            process.fresh.push(artifact);
        }
        process.run.checkpointed(name, 0);
    }

    /// The next thing that happens: an answer, a probe, a person, or the time that the run waits for.
    fn next(&mut self, process: &mut Process, until: Option<u64>) -> Result<(), Stop> {
        if !process.run.questions().is_empty() && self.dice.chance(30) && self.decide(process, false)? {
            return Ok(());
        }
        let called = process.doing.iter().map(|(request, doing)| (doing.at, *request)).min();
        let probed = process.probes.iter().map(|(request, probe)| (probe.0, *request)).min();
        let first = called.into_iter().chain(probed).min();
        match (first, until) {
            (Some((at, _)), Some(until)) if until <= at => self.wake(process, until),
            (None, Some(until)) => self.wake(process, until),
            (None, None) if self.decide(process, true)? => Ok(()),
            (None, None) => Err(Stop::Broken("nothing happens any more".into())),
            (Some((at, request)), _) => {
                self.now = self.now.max(at);
                if process.probes.contains_key(&request) {
                    return self.probed(process, request);
                }
                self.answer(process, request)?;
                // Some come while the process looks elsewhere, and are told together.
                while self.dice.chance(20) {
                    let Some(request) = process.doing.keys().next().copied() else { break };
                    self.now = self.now.max(process.doing[&request].at);
                    self.answer(process, request)?;
                }
                Ok(())
            }
        }
    }

    fn wake(&mut self, process: &mut Process, until: u64) -> Result<(), Stop> {
        if self.fate.bug == Some(Bug::ClockRunsAhead) && until > self.now {
            process.run.wake(until);
            return Ok(());
        }
        // It may be asked too early: nothing is due then.
        if until > self.now + 1 && self.dice.chance(10) {
            promise!(!process.run.wake(until - 1), "something is due before its time");
        }
        self.now = self.now.max(until);
        promise!(process.run.wake(self.now), "nothing was due");
        Ok(())
    }

    fn answer(&mut self, process: &mut Process, request: RequestId) -> Result<(), Stop> {
        let Some(doing) = process.doing.remove(&request) else { return Ok(()) };
        self.happen(request, &doing)?;
        self.tell(process, request, &doing)
    }

    pub fn tell(&mut self, process: &mut Process, request: RequestId, doing: &Doing) -> Result<(), Stop> {
        let usage = Usage { money: doing.answer.money, tokens: doing.answer.tokens, ..Usage::default() };
        let answer = match doing.answer.result.clone() {
            Ok((value, verdict)) => {
                let output = self.artifact(value);
                process.fresh.push(output.clone());
                Answer::Done { output, verdict, usage }
            }
            Err((kind, code)) => match failed(kind, &code) {
                Answer::Failed { kind, error, .. } => Answer::Failed { kind, error, usage },
                done => done,
            },
        };
        process.run.answered(self.now, request, answer, 1).map_err(|error| Stop::Broken(error.to_string()))
    }

    fn parked(&mut self, process: &mut Process, why: Why) -> Result<(), Stop> {
        promise!(self.index.parked, "parks before it is durable");
        let due = process.run.next_due().filter(|at| *at <= self.now && !matches!(why, Why::Limit(_)));
        promise!(due.is_none(), "waits for somebody, and something is due");
        match why {
            Why::Limit(_) => process.run.raise(self.now, RunLimits::default()),
            Why::Asked(_) => {
                promise!(self.decide(process, true)?, "it waits for a person, and asks nothing");
            }
            Why::Unknown(_) => self.settle(process)?,
        }
        Ok(())
    }

    pub fn make(&mut self, run: &mut Run, make: Make) {
        let value = match make.recipe {
            Recipe::Count(of) => {
                let count = self.value(&of).items().len();
                return run.counted(make.request, count as u32).unwrap();
            }
            Recipe::Item { of, index } => self.value(&of).items()[index as usize].clone(),
            Recipe::WithError { of, error } => self.value(&of).with_error(&Some(error.code)),
            Recipe::Pack(parts) => {
                let part = |part: &PartValue| {
                    let value = self.value(&part.value);
                    Part { name: part.name.clone(), value, verdict: part.verdict.clone() }
                };
                Value::parts(parts.iter().map(part).collect())
            }
        };
        let artifact = self.artifact(value);
        self.made.push(artifact.clone());
        run.made(make.request, artifact).unwrap();
    }
}

/// What a run does. Where a checkpoint has room for what comes later is nobody's business.
pub fn said_by(what: &Do) -> String {
    if let Do::Checkpoint(_) = what { "Checkpoint".into() } else { format!("{what:?}") }
}
