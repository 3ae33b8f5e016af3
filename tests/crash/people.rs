//! Everybody who is asked: people who decide, probes and people who find out, those who want a run taken back, and an old owner
//! that wakes up.

use crate::bugs::Bug;
use crate::dice::Dice;
use crate::disk::Stop;
use crate::ledger::promise;
use crate::world::{Process, World};
use aivm_lang::eval::Value;
use aivm_schema::worker::Effect;
use aivm_vm::run::{DecideError, Decided, Do, Probed, Question};
use aivm_vm::*;

impl World<'_> {
    /// A person looks at a question. What is decided follows from the question alone. `must`: nothing else can happen.
    pub fn decide(&mut self, process: &mut Process, must: bool) -> Result<bool, Stop> {
        let questions = process.run.questions();
        let Some(question) = questions.first() else { return Ok(false) };
        let request = question.call.request;
        promise!(self.index.asked.contains_key(&request.0), "{}: shown before it is durable", question.call.key);
        if self.crashed > 0 {
            self.tally.hit("asked again after a crash");
        }
        let seed = question
            .call
            .key
            .to_string()
            .bytes()
            .fold(self.setup.number, |seed, byte| seed.wrapping_mul(31) ^ u64::from(byte));
        let mut dice = Dice::new(seed);
        let never = dice.chance(40);
        if let Some(expires) = question.expires.filter(|_| never) {
            if !must && expires > self.now {
                return Ok(false);
            }
            self.now = self.now.max(expires);
            let late = process.run.decide(self.now, request, answer(question));
            promise!(late == Err(DecideError::Expired), "{}: {late:?} after its time", question.call.key);
            self.tally.hit("refused: expired");
            promise!(process.run.wake(self.now), "nothing was due");
            return Ok(true);
        }
        if question.expires.is_some_and(|expires| expires <= self.now) {
            promise!(process.run.wake(self.now), "nothing was due");
            return Ok(true);
        }
        let mut other = answer(question);
        other.subject[3] ^= 1;
        let refused = process.run.decide(self.now, request, other);
        promise!(refused == Err(DecideError::OtherSubject), "{}: {refused:?} about something else", question.call.key);
        self.tally.hit("refused: another subject");
        let mut decided = answer(question);
        if !question.choices.is_empty() && dice.chance(60) {
            decided.verdict = Some(dice.pick(&question.choices).clone());
        }
        if dice.chance(30) {
            let edited = self.artifact(Value::text(&format!("e{:x}", dice.next() % 0xfff)));
            process.fresh.push(edited.clone());
            decided.edited = Some(edited);
            self.tally.hit("decided with another content");
        }
        let done = process.run.decide(self.now, request, decided.clone());
        promise!(done.is_ok(), "{}: refused: {done:?}", question.call.key);
        let again = process.run.decide(self.now, request, decided);
        promise!(again == Err(DecideError::NotAsked), "{}: decided twice: {again:?}", question.call.key);
        self.tally.hit("refused: answered");
        Ok(true)
    }

    /// It is not known whether this call happened: with good reason?
    pub fn unknown(&mut self, call: &Call) -> Result<(), Stop> {
        let effect = self.facts(call).effect;
        promise!(self.crashed > 0, "{}: unknown without a crash", call.key);
        promise!(effect >= Effect::Idempotent, "{}: unknown, and could be repeated", call.key);
        promise!(self.index.intents.contains_key(&call.request.0), "{}: unknown, and has no intent", call.key);
        if self.ledger.get(&call.request).is_some_and(|remembered| remembered.stopped) {
            self.tally.hit("unknown: after a stop");
        }
        self.tally.hit(match effect {
            Effect::Compensable => "unknown: compensable",
            Effect::Irreversible => "unknown: irreversible",
            _ => "unknown: idempotent, expired key",
        });
        Ok(())
    }

    /// What is true of a call: its output, if it happened.
    fn truth(&mut self, request: RequestId) -> Option<(Value, Option<String>)> {
        let remembered = self.ledger.entry(request).or_default();
        if remembered.done == 0 {
            remembered.cleared = true;
            return None;
        }
        if self.setup.budget {
            self.comparable = false;
        }
        remembered.output.clone()
    }

    pub fn probed(&mut self, process: &mut Process, request: RequestId) -> Result<(), Stop> {
        process.probes.remove(&request);
        let probed = if self.dice.chance(30) {
            self.tally.hit("probe: not known");
            Probed::NotKnown
        } else if let Some((value, verdict)) = self.truth(request) {
            // A probe says nothing of the word.
            self.comparable &= verdict.is_none();
            self.tally.hit("probe: happened");
            let output = self.artifact(value);
            process.fresh.push(output.clone());
            Probed::Happened(output)
        } else {
            self.tally.hit("probe: not happened");
            Probed::NotHappened
        };
        process.run.probed(self.now, request, probed, "probe").map_err(|error| Stop::Broken(error.to_string()))
    }

    /// Somebody looks into the world and says what is true.
    pub fn settle(&mut self, process: &mut Process) -> Result<(), Stop> {
        let calls: Vec<Call> = process.run.unknown().cloned().collect();
        let Some(call) = calls.first() else { return Err(Stop::Broken("it waits for nothing unknown".into())) };
        promise!(self.index.unknown.contains(&call.request.0), "{}: shown before it is durable", call.key);
        self.unknown(call)?;
        let happened = self.truth(call.request).map(|(value, verdict)| {
            let output = self.artifact(value);
            process.fresh.push(output.clone());
            (output, verdict)
        });
        self.tally.hit(if happened.is_some() { "settled: happened" } else { "settled: not happened" });
        let done = process.run.resolve(self.now, call.request, happened, "the test");
        done.map_err(|error| Stop::Broken(error.to_string()))
    }

    /// What was done has its outcome, and the other way round nothing was done without one.
    pub fn audit(&self) -> Result<(), Stop> {
        for (request, remembered) in &self.ledger {
            let answered = self.index.outcomes.get(&request.0);
            let read = remembered.effect.is_none_or(|effect| effect <= Effect::Read);
            promise!(
                remembered.done == 0 || read || answered == Some(&true),
                "request {}: done, and it is lost",
                request.0
            );
        }
        promise!(self.index.unknown.is_empty(), "it ends while something is unknown");
        for artifact in &self.index.artifacts {
            promise!(self.disk.find(*artifact).is_some(), "the value {artifact} is lost");
        }
        Ok(())
    }

    /// What has ended is taken back, if somebody wants that.
    pub fn roll_back(&mut self, process: &mut Process, end: &RunEnd) -> bool {
        if self.index.rollbacks >= self.setup.rollbacks {
            return false;
        }
        let mut dice = Dice::new(self.setup.number ^ self.index.rollbacks << 8);
        let undoable = process.run.undoable();
        let mut done = Vec::new();
        if let Some(stuck) = end.not_undone.first() {
            self.tally.hit("stuck, and tried again");
            if dice.chance(50) {
                done.push(stuck.to_string());
                self.by_hand.insert(stuck.to_string());
            }
        }
        let to = (!undoable.is_empty() && dice.chance(50)).then(|| dice.pick(&undoable).to_string());
        if to.is_some() {
            self.tally.hit("rolled back to a step");
        }
        let told = process.run.rollback(self.now, to.as_deref(), done, "the test");
        process.rollbacks += u64::from(told);
        told
    }

    /// A process that slept while another took its run wakes up. It may not know; whatever it does next is refused.
    pub fn wake_zombie(&mut self) -> Result<(), Stop> {
        if self.zombie.is_none() || !self.dice.chance(10) {
            return Ok(());
        }
        let Some(mut zombie) = self.zombie.take() else { return Ok(()) };
        if zombie.batch.is_none() {
            let Some((request, doing)) = zombie.doing.pop_first() else { return Ok(()) };
            self.tell(&mut zombie, request, &doing)?;
            while zombie.batch.is_none() {
                match zombie.run.step() {
                    Do::Write(batch) => zombie.batch = Some(batch),
                    Do::Make(make) => self.make(&mut zombie.run, make),
                    Do::Ended(ended) if self.facts(&ended.call).effect == Effect::Pure => {}
                    Do::Call(begin) if self.facts(&begin.call).effect == Effect::Pure => {}
                    Do::Note(_) | Do::Yield | Do::Stop(_) => {}
                    Do::Checkpoint(_) | Do::Wait(_) => return Ok(()),
                    other => return Err(Stop::Broken(format!("an old owner goes on: {other:?}"))),
                }
            }
        }
        let Some(batch) = zombie.batch.take() else { return Ok(()) };
        let (fuse, faults) = (self.disk.fuse, self.disk.faults);
        (self.disk.fuse, self.disk.faults) = (u64::MAX, 0);
        let appended = self.disk.append(&mut zombie.writer, batch.first - 1, &batch.records, &zombie.fresh);
        (self.disk.fuse, self.disk.faults) = (fuse, faults);
        match appended {
            Err(Stop::Fenced) => self.tally.hit("an old owner was fenced"),
            other => return Err(Stop::Broken(format!("an old owner appends: {other:?}"))),
        }
        if self.fate.bug == Some(Bug::FencedOwnerGoesOn) { self.goes_on_all_the_same(zombie) } else { Ok(()) }
    }

    /// What an old owner must not do: to go on.
    fn goes_on_all_the_same(&mut self, mut zombie: Process) -> Result<(), Stop> {
        loop {
            match zombie.run.step() {
                Do::Make(make) => self.make(&mut zombie.run, make),
                Do::Call(begin) => self.call(&mut zombie, begin.call, begin.nth)?,
                Do::Ended(ended) => self.ended(&ended)?,
                Do::Note(_) | Do::Stop(_) => {}
                _ => return Ok(()),
            }
        }
    }
}

fn answer(question: &Question) -> Decided {
    Decided { subject: question.subject, by: "somebody".into(), ..Decided::default() }
}
