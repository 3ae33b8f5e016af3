//! A host that is only simulated: a log that keeps what was acknowledged, a clock, calls that happen in the world whether their
//! answers arrive or not, and a ledger of them.

use crate::script::{Dice, Script};
use aivm_lang::eval::{self, Part, Value};
use aivm_schema::artifact::{Artifact, Checksum, Draft};
use aivm_schema::journal::{Body, Record, RunStarted};
use aivm_schema::module::{EndKind, RunLimits};
use aivm_schema::worker::{Backoff, Effect};
use aivm_vm::run::{Do, Facts, Run, Status, Why};
use aivm_vm::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};

const MILLISECOND: u64 = 1_000_000;

/// What was hit, and how often.
#[derive(Debug, Default)]
pub struct Tally {
    pub crashes: u64,
    pub compared: u64,
    pub again: [u64; 5],
    pub unknown: u64,
    pub happened: u64,
    pub not_happened: u64,
    pub records: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// The rarest of everything that must be hit.
    pub fn least(&self) -> u64 {
        let kinds = ["run-started", "intent", "outcome", "unknown", "resolved", "timer-fired", "run-finished"];
        let records = kinds.iter().map(|kind| self.records.get(kind).copied().unwrap_or(0));
        let again = self.again[..3].iter().copied();
        records.chain(again).chain([self.unknown, self.happened, self.not_happened]).min().unwrap_or(0)
    }
}

/// A call in the world.
struct Doing {
    call: Call,
    answer: eval::Answer,
    stopped: bool,
    at: u64,
}

/// What the world remembers of a request, whoever forgets.
#[derive(Default)]
struct Remembered {
    /// How often it was done.
    done: u32,
    /// How often somebody was told truthfully that it had not happened.
    denied: u32,
    output: Option<(Value, Option<String>)>,
}

pub struct World {
    number: u64,
    module: VerifiedModule,
    script: Script,
    now: u64,
    /// Durable.
    log: Vec<Vec<u8>>,
    values: HashMap<Checksum, (Artifact, Value)>,
    /// Calls under way in the world; forgotten by the process when it is killed.
    doing: BTreeMap<RequestId, Doing>,
    ledger: HashMap<RequestId, Remembered>,
    ended: BTreeSet<RequestId>,
    dice: Dice,
}

impl World {
    pub fn new(number: u64, module: VerifiedModule) -> World {
        World {
            number,
            module,
            script: Script::new(number),
            now: 1,
            log: Vec::new(),
            values: HashMap::new(),
            doing: BTreeMap::new(),
            ledger: HashMap::new(),
            ended: BTreeSet::new(),
            dice: Dice::new(number ^ 0x70_6e),
        }
    }

    fn artifact(&mut self, value: Value) -> Artifact {
        let draft = Draft { media_type: "text/plain".into(), payload: value.to_string().into(), ..Draft::default() };
        let artifact = draft.seal(1, [7; 10]).unwrap();
        self.values.insert(artifact.checksum(), (artifact.clone(), value));
        artifact
    }

    fn value(&self, artifact: &Artifact) -> Value {
        self.values[&artifact.checksum()].1.clone()
    }

    /// Each worker is of a class that follows from its name and the program.
    fn facts(&self) -> Vec<Facts> {
        let classes = [Effect::Pure, Effect::Read, Effect::Idempotent, Effect::Compensable, Effect::Irreversible];
        let facts = |(at, worker): (usize, &aivm_schema::module::Worker)| {
            let mut dice = Dice::new(self.number.wrapping_mul(31) + at as u64);
            Facts {
                name: worker.name.clone(),
                digest: [at as u8; 32],
                effect: *dice.pick(&classes),
                scripted: false,
                backoff: Backoff::default(),
                probed: false,
                question: None,
                timeout_ms: None,
                key_ms: dice.chance(30).then_some(1 << 35),
            }
        };
        self.module.module().workers.iter().enumerate().map(facts).collect()
    }

    fn effect(&self, call: &Call) -> Effect {
        self.facts()[call.worker.index()].effect
    }

    fn begin(&mut self) -> Run {
        let input = self.artifact(Value::text("x"));
        let started = RunStarted {
            run: "run".into(),
            program: Checksum([1; 32]),
            file: "law.aivm".into(),
            input: input.checksum(),
            limits: RunLimits::default(),
            timeout_ms: None,
            workspace: String::new(),
            params: Vec::new(),
            mock: false,
            principal: String::new(),
            version: String::new(),
            forked: None,
        };
        let facts = self.facts();
        Run::start(self.module.clone(), input, RunLimits::default(), None, facts, 1, Some(started))
    }

    /// From the log alone.
    fn recover(&mut self) -> (Run, bool) {
        let mut run = self.begin();
        let log = std::mem::take(&mut self.log);
        run.begin_replay(&log[0]);
        for bytes in &log[1..] {
            let record = Record::from_bytes(bytes).unwrap();
            let _ = self.go_to(&mut run, Some(&record));
            let values = &self.values;
            let mut find = |sum| values.get(&sum).map(|(artifact, _)| artifact.clone());
            run.replay(bytes, &record, &mut find).unwrap_or_else(|error| panic!("program {}: {error}", self.number));
        }
        let _ = self.go_to(&mut run, None);
        self.log = log;
        let over = run.has_finished();
        (run, over)
    }

    fn go_to(&mut self, run: &mut Run, record: Option<&Record>) -> Do {
        if record.is_some_and(|record| record.together || matches!(record.body, Body::Intent(_))) {
            return Do::Yield;
        }
        loop {
            match run.step() {
                Do::Make(make) => self.make(run, make),
                Do::Ended(_) | Do::Note(_) => {}
                Do::Yield if record.is_none_or(|record| run.is_before(record, &Do::Yield)) => {}
                last => return last,
            }
        }
    }

    /// How the run ends when its process is killed so often.
    pub fn run(mut self, dice: &mut Dice, crashes: u32, tally: &mut Tally) -> String {
        let mut left = crashes;
        let mut run = self.begin();
        loop {
            // The process lives for a while.
            let life = if left > 0 { dice.below(30) } else { usize::MAX };
            if let Some(end) = self.live(&mut run, life, tally) {
                for bytes in &self.log {
                    let record = serde_json::to_value(Record::from_bytes(bytes).unwrap()).unwrap();
                    let kind = record["record"].as_str().unwrap();
                    let kinds =
                        ["run-started", "intent", "outcome", "unknown", "resolved", "timer-fired", "run-finished"];
                    if let Some(kind) = kinds.iter().find(|known| **known == kind) {
                        *tally.records.entry(kind).or_default() += 1;
                    }
                }
                // Whoever reads it afterwards comes to the same end.
                if !self.log.is_empty() {
                    assert!(self.recover().1, "program {}: the journal does not end", self.number);
                }
                return end;
            }
            tally.crashes += 1;
            left -= 1;
            self.crash(dice);
            if self.log.is_empty() {
                run = self.begin();
                continue;
            }
            let (recovered, over) = self.recover();
            run = recovered;
            if !over {
                self.now += MILLISECOND;
                run.resume(self.now).unwrap();
            }
        }
    }

    /// The process is gone. What it had begun happens, or does not; nobody hears of it.
    fn crash(&mut self, dice: &mut Dice) {
        for (request, doing) in std::mem::take(&mut self.doing) {
            if dice.chance(50) {
                self.happen(request, &doing);
            }
        }
    }

    fn happen(&mut self, request: RequestId, doing: &Doing) {
        let remembered = self.ledger.entry(request).or_default();
        // A failure does nothing.
        if let Ok(output) = &doing.answer.result {
            remembered.done += 1;
            remembered.output = Some(output.clone());
        }
    }

    /// Until its end, or so many steps.
    fn live(&mut self, run: &mut Run, mut life: usize, tally: &mut Tally) -> Option<String> {
        loop {
            if life == 0 {
                return None;
            }
            life -= 1;
            match run.step() {
                Do::Write(batch) => {
                    assert_eq!(batch.first, self.log.len() as u64 + 1);
                    self.log.extend(batch.records);
                }
                Do::Make(make) => self.make(run, make),
                Do::Call(begin) => self.call(run, begin.call, tally),
                Do::Stop(request) => self.stop(request),
                Do::Ended(_) | Do::Note(_) | Do::Yield => {}
                Do::Wait(until) => self.next(run, until),
                Do::Park(Why::Unknown(keys)) => self.settle(run, &keys, tally),
                Do::Park(why) => panic!("parks: {why:?}"),
                other @ (Do::Probe(_) | Do::Ask(_) | Do::Checkpoint(_)) => panic!("not in this world: {other:?}"),
                Do::End(end) => {
                    let finished = self.log.last().map(|bytes| Record::from_bytes(bytes).unwrap().body);
                    assert!(matches!(finished, Some(Body::RunFinished(_))), "shown before it is durable");
                    return Some(self.ending(&end));
                }
            }
        }
    }

    fn ending(&self, end: &RunEnd) -> String {
        let result = match &end.result {
            Ok((value, verdict)) => format!("{} {verdict:?}", self.value(value)),
            Err((kind, error)) => format!("{kind:?} {:?}", error.as_ref().map(|error| &error.code)),
        };
        let undone: Vec<String> = end.not_undone.iter().map(StepKey::to_string).collect();
        format!("{:?} {result} {undone:?}", Status::of(end))
    }

    fn call(&mut self, run: &Run, call: Call, tally: &mut Tally) {
        let request = call.request;
        let effect = self.effect(&call);
        let records: Vec<Record> = self.log.iter().map(|bytes| Record::from_bytes(bytes).unwrap()).collect();
        let intended = records.iter().any(|r| matches!(&r.body, Body::Intent(i) if i.request == request.0));
        let answered = records.iter().any(|r| matches!(&r.body, Body::Outcome(o) if o.request == request.0));
        assert!(!answered, "program {}: {} was answered, and is called again", self.number, call.key);
        assert!(intended || effect == Effect::Pure, "program {}: {} begins before its intent", self.number, call.key);
        if self.ended.contains(&request) {
            panic!("program {}: {} ended, and is called again", self.number, call.key);
        }
        let before = self.ledger.get(&request).map_or(0, |remembered| remembered.done);
        if before > 0 {
            tally.again[effect as usize] += 1;
            assert!(effect <= Effect::Idempotent, "program {}: {} is done twice", self.number, call.key);
        }
        let key = call.key.to_string();
        let input = self.value(&call.input);
        let mut words = run.words(request);
        words.sort_unstable();
        words.dedup();
        let mut answer = self.script.answer(&eval::Call { key: &key, attempt: call.attempt, input: &input, words });
        if let Some(deadline) = call.deadline_ms.filter(|deadline| *deadline < answer.after_ms) {
            answer.after_ms = deadline;
            answer.result = Err((EndKind::Timeout, "E0712".into()));
        }
        let at = self.now + answer.after_ms * MILLISECOND;
        self.doing.insert(request, Doing { call, answer, stopped: false, at });
    }

    fn stop(&mut self, request: RequestId) {
        let Some(doing) = self.doing.get_mut(&request) else { return };
        let stops = doing.answer.stops_ms.map(|ms| self.now + ms * MILLISECOND);
        if let Some(at) = stops.filter(|at| !doing.stopped && *at < doing.at) {
            doing.answer.result = Err((EndKind::Cancel, "E0900".into()));
            doing.at = at;
        }
        doing.stopped = true;
    }

    /// The next thing that happens: an answer, or the time that the run waits for.
    fn next(&mut self, run: &mut Run, until: Option<u64>) {
        let first = self.doing.iter().map(|(request, doing)| (doing.at, *request)).min();
        match (first, until) {
            (Some((at, _)), Some(until)) if until <= at => self.wake(run, until),
            (None, Some(until)) => self.wake(run, until),
            (None, None) => panic!("program {}: nothing happens any more", self.number),
            (Some((at, request)), _) => {
                self.answer(run, at, request);
                // Some come while the process looks elsewhere, and are told together.
                while self.dice.chance(20) {
                    let Some((request, at)) = self.doing.iter().map(|(request, doing)| (*request, doing.at)).next()
                    else {
                        break;
                    };
                    self.answer(run, at.max(self.now), request);
                }
            }
        }
    }

    fn answer(&mut self, run: &mut Run, at: u64, request: RequestId) {
        self.now = at;
        let doing = self.doing.remove(&request).unwrap();
        self.happen(request, &doing);
        let usage = Usage { money: doing.answer.money, tokens: doing.answer.tokens };
        let answer = match doing.answer.result.clone() {
            Ok((value, verdict)) => Answer::Done { output: self.artifact(value), verdict, usage },
            Err((kind, code)) => {
                let error = CallError { code, message: String::new(), step: String::new() };
                Answer::Failed { kind, error, usage }
            }
        };
        run.answered(self.now, request, answer, 1).unwrap();
    }

    fn wake(&mut self, run: &mut Run, at: u64) {
        self.now = self.now.max(at);
        assert!(run.wake(self.now), "nothing was due");
    }

    /// Somebody looks into the world and says what is true.
    fn settle(&mut self, run: &mut Run, keys: &[StepKey], tally: &mut Tally) {
        assert!(!keys.is_empty());
        let calls: Vec<Call> = run.unknown().cloned().collect();
        let call = &calls[0];
        assert!(self.effect(call) >= Effect::Idempotent, "program {}: {} could be repeated", self.number, call.key);
        tally.unknown += 1;
        let remembered = self.ledger.entry(call.request).or_default();
        let output = remembered.output.clone();
        match output {
            Some((value, verdict)) => {
                tally.happened += 1;
                let output = self.artifact(value);
                run.resolve(self.now, call.request, Some((output, verdict)), "the test").unwrap();
            }
            None => {
                remembered.denied += 1;
                tally.not_happened += 1;
                run.resolve(self.now, call.request, None, "the test").unwrap();
            }
        }
    }

    fn make(&mut self, run: &mut Run, make: Make) {
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
        run.made(make.request, artifact).unwrap();
    }
}
