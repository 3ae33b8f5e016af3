//! The machine in virtual time, with the answers of the script.

use crate::cover::Cover;
use crate::script::{Script, ending, line, sorted};
use crate::worst::{MOST_PARTS, Promise, Spent};
use aivm_lang::eval::{self, Part, Value};
use aivm_schema::artifact::{Artifact, Checksum, Draft};
use aivm_schema::module::{EndKind, RunLimits};
use aivm_vm::*;
use std::collections::{BTreeMap, HashMap};

/// How the machine is run.
#[derive(Clone, Copy, PartialEq)]
pub enum Mode {
    Straight,
    /// Snapshot and reload before every answer.
    Reload,
    /// One instruction at a time, each counted.
    Trickle,
}

enum Event {
    Answer(RequestId),
    Timer(TimerId),
}

struct UnderWay {
    call: Call,
    answer: eval::Answer,
    words: String,
    event: (u64, u64),
    stopped: bool,
}

struct Play<'a> {
    script: &'a Script,
    cover: &'a mut Cover,
    mode: Mode,
    now: u64,
    sequence: u64,
    events: BTreeMap<(u64, u64), Event>,
    calls: HashMap<RequestId, UnderWay>,
    timers: HashMap<TimerId, (u64, u64)>,
    store: HashMap<Checksum, (Artifact, Value)>,
    lines: Vec<(u64, String)>,
    /// What workers are held to, and what they take.
    held: Option<(&'a Promise, Spent)>,
}

/// The transcript of a run.
pub fn run(module: VerifiedModule, script: &Script, mode: Mode, cover: &mut Cover) -> Vec<String> {
    let mut play = Play::new(script, cover, mode);
    let end = play.start(module);
    sorted(play.lines, end)
}

/// What a run takes whose workers do what they declare.
pub fn spend(module: VerifiedModule, script: &Script, promise: &Promise) -> Spent {
    let mut cover = Cover::default();
    let mut play = Play::new(script, &mut cover, Mode::Straight);
    play.held = Some((promise, Spent::default()));
    play.start(module);
    let (_, mut spent) = play.held.unwrap();
    spent.ms = play.now;
    spent
}

impl<'a> Play<'a> {
    fn new(script: &'a Script, cover: &'a mut Cover, mode: Mode) -> Play<'a> {
        Play {
            script,
            cover,
            mode,
            now: 0,
            sequence: 0,
            events: BTreeMap::new(),
            calls: HashMap::new(),
            timers: HashMap::new(),
            store: HashMap::new(),
            lines: Vec::new(),
            held: None,
        }
    }

    fn start(&mut self, module: VerifiedModule) -> String {
        let input = self.artifact(Value::text("x"));
        self.run(module.clone(), Machine::start(module, input, RunLimits::default()))
    }

    fn artifact(&mut self, value: Value) -> Artifact {
        let draft = Draft { media_type: "text/plain".into(), payload: value.to_string().into(), ..Draft::default() };
        let artifact = draft.seal(1, [7; 10]).unwrap();
        self.store.insert(artifact.checksum(), (artifact.clone(), value));
        artifact
    }

    fn value(&self, artifact: &Artifact) -> Value {
        self.store[&artifact.checksum()].1.clone()
    }

    fn schedule(&mut self, at: u64, event: Event) -> (u64, u64) {
        self.sequence += 1;
        self.events.insert((at, self.sequence), event);
        (at, self.sequence)
    }

    fn run(&mut self, module: VerifiedModule, mut machine: Machine) -> String {
        let mut fresh = false;
        for _ in 0..1_000_000 {
            let mut fuel = if self.mode == Mode::Trickle { 1 } else { 10_000 };
            if self.mode == Mode::Trickle {
                self.cover.next(&machine);
            }
            match machine.step(&mut fuel) {
                Action::Call(call) => self.begin(&machine, call),
                Action::Make(make) => self.make(&mut machine, make),
                Action::Cancel(request) => self.stop(request),
                Action::StartTimer { timer, after_ms } => {
                    if !self.timers.contains_key(&timer) {
                        let at = self.schedule(self.now + after_ms, Event::Timer(timer));
                        self.timers.insert(timer, at);
                    }
                }
                Action::StopTimer(timer) => {
                    let at = self.timers.remove(&timer).expect("a timer that was started");
                    self.events.remove(&at);
                }
                Action::Ended(end) => {
                    let came = self.came(
                        end.output.as_ref(),
                        end.verdict.map(|word| &*module.module().words[word.index()]),
                        end.kind,
                        end.error.as_ref(),
                    );
                    self.cover.step(&machine, end.step, &end.decision);
                    self.say(&end.key, end.attempt, None, &came, &end.decision);
                }
                Action::Mapped(end) => {
                    let came = self.came(end.output.as_ref(), None, end.kind, end.error.as_ref());
                    self.cover.step(&machine, end.step, &end.decision);
                    self.say(&end.key, end.attempt, None, &came, &end.decision);
                }
                Action::NotMade(not) => {
                    let came = self.came(None, None, Some(not.kind), Some(&not.error));
                    match (not.purpose, &not.decision.taken) {
                        (_, Taken::Chose(_)) => self.cover.not_covered(),
                        (Purpose::Step(step), _) => self.cover.step(&machine, step, &not.decision),
                        _ => {}
                    }
                    self.say(&not.key, not.attempt, None, &came, &not.decision);
                }
                Action::Yield => {}
                Action::Wait => {
                    // After a reload it asks again for what is under way.
                    fresh = !fresh && self.mode == Mode::Reload;
                    if fresh {
                        let store = &self.store;
                        machine = Machine::reload(module.clone(), &machine.snapshot(), &mut |sum| {
                            store.get(&sum).map(|kept| kept.0.clone())
                        })
                        .unwrap();
                        continue;
                    }
                    self.happen(&mut machine);
                }
                Action::Park(limit) => panic!("parks: {limit:?}"),
                Action::End(end) => {
                    assert!(machine.under_way() == 0 && self.timers.is_empty(), "something is left");
                    let result = match end.result {
                        Ok((value, verdict)) => Ok((self.value(&value).to_string(), verdict)),
                        Err((kind, error)) => Err((kind, error.map(|error| error.code))),
                    };
                    let mut not_undone: Vec<String> = end.not_undone.iter().map(StepKey::to_string).collect();
                    return ending(&result, &mut not_undone);
                }
            }
        }
        panic!("the run does not end");
    }

    fn begin(&mut self, machine: &Machine, call: Call) {
        // Asked again after a reload.
        if self.calls.contains_key(&call.request) {
            return;
        }
        let input = self.value(&call.input);
        let key = call.key.to_string();
        let mut words = machine.words(call.request);
        words.sort_unstable();
        words.dedup();
        let said = words.join(" ");
        let mut answer = self.script.answer(&eval::Call { key: &key, attempt: call.attempt, input: &input, words });
        self.hold(machine, &call, &mut answer);
        // The host holds calls to their deadlines.
        if let Some(deadline) = call.deadline_ms.filter(|deadline| *deadline < answer.after_ms) {
            answer.after_ms = deadline;
            answer.result = Err((EndKind::Timeout, "E0712".into()));
        }
        let event = self.schedule(self.now + answer.after_ms, Event::Answer(call.request));
        self.calls.insert(call.request, UnderWay { call, answer, words: said, event, stopped: false });
    }

    /// Holds a worker to what it declares, and notes what it takes.
    fn hold(&mut self, machine: &Machine, call: &Call, answer: &mut eval::Answer) {
        let Some((promise, spent)) = &mut self.held else { return };
        let worker = &machine.module().workers[call.worker.index()];
        answer.money = answer.money.min(worker.money.or(call.money).unwrap_or(u64::MAX));
        answer.tokens = answer.tokens.min(worker.tokens.or(call.tokens).unwrap_or(u64::MAX));
        answer.stops_ms = Some(0);
        let deadline = promise.deadline(&worker.name);
        if let Some(deadline) = deadline.filter(|deadline| call.deadline_ms.is_none() && *deadline < answer.after_ms) {
            answer.after_ms = deadline;
            answer.result = Err((EndKind::Timeout, "E0712".into()));
        }
        if let Ok((value, _)) = &mut answer.result
            && value.items().len() > MOST_PARTS as usize
        {
            *value = Value::text("too many");
        }
        spent.calls.push((call.purpose, answer.money, answer.tokens));
    }

    fn stop(&mut self, request: RequestId) {
        let under_way = self.calls.get_mut(&request).expect("a call under way");
        let stops = under_way.answer.stops_ms.filter(|ms| !under_way.stopped && self.now + ms < under_way.event.0);
        under_way.stopped = true;
        if let Some(ms) = stops {
            under_way.answer.result = Err((EndKind::Cancel, "E0900".into()));
            let before = under_way.event;
            self.events.remove(&before);
            let event = self.schedule(self.now + ms, Event::Answer(request));
            self.calls.get_mut(&request).expect("a call under way").event = event;
        }
    }

    fn happen(&mut self, machine: &mut Machine) {
        let Some(((at, _), event)) = self.events.pop_first() else { panic!("nothing happens") };
        self.now = at;
        let request = match event {
            Event::Timer(timer) => {
                self.timers.remove(&timer);
                return machine.expire(timer);
            }
            Event::Answer(request) => request,
        };
        let UnderWay { call, answer, words, .. } = self.calls.remove(&request).unwrap();
        let usage = Usage { money: answer.money, tokens: answer.tokens, ..Usage::default() };
        let answer = match answer.result {
            Ok((value, verdict)) => Answer::Done { output: self.artifact(value), verdict, usage },
            Err((kind, code)) => {
                let error = CallError { code, message: String::new(), step: String::new() };
                Answer::Failed { kind, error, usage }
            }
        };
        let came = match &answer {
            Answer::Done { output, verdict, .. } => self.came(Some(output), verdict.as_deref(), None, None),
            Answer::Failed { kind, error, .. } => self.came(None, None, Some(*kind), Some(error)),
        };
        let called = (self.value(&call.input).to_string(), words);
        let decision = machine.complete(request, answer).unwrap();
        self.cover.call(machine, &call, &decision);
        self.say(&call.key, call.attempt, Some(called), &came, &decision);
    }

    fn make(&mut self, machine: &mut Machine, make: Make) {
        let value = match make.recipe {
            Recipe::Count(of) => {
                let count = self.value(&of).items().len();
                return machine.counted(make.request, count as u32).unwrap();
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
        machine.made(make.request, artifact).unwrap();
    }

    fn came(
        &self,
        output: Option<&Artifact>,
        verdict: Option<&str>,
        kind: Option<EndKind>,
        error: Option<&CallError>,
    ) -> String {
        match (output, kind) {
            (Some(output), _) => {
                let verdict = verdict.map_or(String::new(), |word| format!(" ({word})"));
                format!("{}{verdict}", self.value(output))
            }
            (None, Some(kind)) => {
                format!("{kind:?}{}", error.map_or(String::new(), |error| format!(" {}", error.code)))
            }
            (None, None) => "nothing".into(),
        }
    }

    fn say(&mut self, key: &StepKey, attempt: u32, called: Option<(String, String)>, came: &str, decision: &Decision) {
        let (key, taken) = (key.to_string(), decision.taken.word());
        self.lines.push(line(self.now, &key, attempt, called, came, taken, &decision.passed_over));
    }
}
