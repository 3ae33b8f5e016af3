//! A host whose workers answer by a script, in logical time. Every run is made three times: straight, with a snapshot and
//! reload before every answer, and with a single unit of fuel at a time; all three must say the same.

use aivm_schema::artifact::{Artifact, Checksum, Draft};
use aivm_schema::module::{EndKind, RunLimits};
use aivm_vm::*;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// What a worker answers.
#[derive(Clone)]
pub struct Reply {
    after: u64,
    verdict: Option<String>,
    text: Option<String>,
    failure: Option<EndKind>,
    stubborn: bool,
    usage: Usage,
}

/// Its input and its name, after a millisecond.
pub fn ok() -> Reply {
    Reply { after: 1, verdict: None, text: None, failure: None, stubborn: false, usage: Usage::default() }
}
pub fn says(word: &str) -> Reply {
    Reply { verdict: Some(word.to_owned()), ..ok() }
}
pub fn text(text: &str) -> Reply {
    ok().text(text)
}
pub fn fails() -> Reply {
    Reply { failure: Some(EndKind::Failure), ..ok() }
}
pub fn fails_by(kind: EndKind) -> Reply {
    ok().fails_by(kind)
}

impl Reply {
    pub fn text(self, text: &str) -> Reply {
        Reply { text: Some(text.to_owned()), ..self }
    }
    pub fn fails_by(self, kind: EndKind) -> Reply {
        Reply { failure: Some(kind), ..self }
    }
    /// So many milliseconds later than asked.
    pub fn after(self, ms: u64) -> Reply {
        Reply { after: ms, ..self }
    }
    /// Goes on when it is cancelled.
    pub fn stubborn(self) -> Reply {
        Reply { stubborn: true, ..self }
    }
    pub fn costs(self, money: u64) -> Reply {
        Reply { usage: Usage { money, tokens: 0, ..Usage::default() }, ..self }
    }
}

pub struct World {
    module: VerifiedModule,
    replies: HashMap<String, VecDeque<Reply>>,
    limits: RunLimits,
    raises: VecDeque<RunLimits>,
    cancel_at: Option<u64>,
    unmakeable: bool,
}

/// How one of the three runs differs.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Straight,
    Reload,
    Trickle,
}

impl World {
    pub fn new(module: VerifiedModule) -> World {
        World {
            module,
            replies: HashMap::new(),
            limits: RunLimits::default(),
            raises: VecDeque::new(),
            cancel_at: None,
            unmakeable: false,
        }
    }

    /// What the call with this key, or the worker of this name, answers, one after the other; the last answer repeats.
    pub fn reply(mut self, to: &str, replies: &[Reply]) -> World {
        self.replies.insert(to.to_owned(), replies.iter().cloned().collect());
        self
    }
    pub fn limits(mut self, limits: RunLimits) -> World {
        self.limits = limits;
        self
    }
    /// To these limits, when the run parks.
    pub fn raise(mut self, limits: RunLimits) -> World {
        self.raises.push_back(limits);
        self
    }
    pub fn cancel_at(mut self, ms: u64) -> World {
        self.cancel_at = Some(ms);
        self
    }
    /// Nothing can be made.
    pub fn unmakeable(mut self) -> World {
        self.unmakeable = true;
        self
    }

    /// What happened, one line each; the last is the end.
    pub fn run(&self) -> Vec<String> {
        let straight = self.play(Mode::Straight);
        assert_eq!(straight, self.play(Mode::Reload), "with reloads");
        assert_eq!(straight, self.play(Mode::Trickle), "with little fuel");
        straight
    }

    /// The last line.
    pub fn end(&self) -> String {
        self.run().pop().unwrap_or_default()
    }

    fn play(&self, mode: Mode) -> Vec<String> {
        let mut stage = Play {
            world: self,
            mode,
            replies: self.replies.clone(),
            raises: self.raises.clone(),
            trace: Vec::new(),
            now: 0,
            sequence: 0,
            events: BTreeMap::new(),
            calls: HashMap::new(),
            timers: HashMap::new(),
            store: HashMap::new(),
        };
        if let Some(at) = self.cancel_at {
            stage.schedule(at, Event::Cancel);
        }
        let input = stage.artifact("x");
        let machine = Machine::start(self.module.clone(), input, self.limits);
        stage.run(machine);
        stage.trace
    }
}

enum Event {
    Answer(RequestId),
    Timer(TimerId),
    Cancel,
}

struct Play<'a> {
    world: &'a World,
    mode: Mode,
    replies: HashMap<String, VecDeque<Reply>>,
    raises: VecDeque<RunLimits>,
    trace: Vec<String>,
    now: u64,
    sequence: u64,
    events: BTreeMap<(u64, u64), Event>,
    calls: HashMap<RequestId, (Call, Reply)>,
    timers: HashMap<TimerId, (u64, u64)>,
    store: HashMap<Checksum, Artifact>,
}

impl Play<'_> {
    fn artifact(&mut self, payload: &str) -> Artifact {
        let draft = Draft { media_type: "text/plain".into(), payload: payload.into(), ..Draft::default() };
        // Equal texts are one artifact, so that what is made does not depend on how often it is asked for.
        let artifact = draft.seal(1, [7; 10]).unwrap();
        self.store.insert(artifact.checksum(), artifact.clone());
        artifact
    }

    fn say(&mut self, line: String) {
        self.trace.push(line);
    }

    fn schedule(&mut self, at: u64, event: Event) -> (u64, u64) {
        self.sequence += 1;
        self.events.insert((at, self.sequence), event);
        (at, self.sequence)
    }

    fn run(&mut self, mut machine: Machine) {
        for _ in 0..1_000_000 {
            let mut fuel = if self.mode == Mode::Trickle { 1 } else { 10_000 };
            match machine.step(&mut fuel) {
                Action::Call(call) => self.begin(call),
                Action::Make(make) => self.make(&mut machine, make),
                Action::Cancel(request) => self.stop(request),
                Action::StartTimer { timer, after_ms } => {
                    // Again after a reload: the time that has passed is the host's to know.
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
                    let line = format!("{} ended {}", end.key, what(&end.output, end.kind, &end.error));
                    self.say(format!("{line} -> {}", decided(&end.decision)));
                }
                Action::Mapped(end) => {
                    let line = format!("{} mapped {}", end.key, what(&end.output, end.kind, &end.error));
                    self.say(format!("{line} -> {}", decided(&end.decision)));
                }
                Action::NotMade(not) => {
                    assert_eq!(not.error.step, not.key.to_string());
                    self.say(format!("{} not made {} -> {}", not.key, not.error.code, decided(&not.decision)));
                }
                Action::Yield => {}
                Action::Wait => {
                    if self.mode == Mode::Reload {
                        machine = self.reload(&machine);
                    }
                    self.answer(&mut machine);
                }
                Action::Park(limit) => {
                    assert_eq!(machine.under_way(), 0);
                    self.say(format!("parks: {limit:?}"));
                    if self.mode == Mode::Reload {
                        machine = self.reload(&machine);
                    }
                    match self.raises.pop_front() {
                        Some(limits) => machine.raise(limits),
                        None if self.world.cancel_at.is_some() => machine.cancel(),
                        None => return,
                    }
                }
                Action::End(end) => return self.end(&machine, end),
            }
        }
        panic!("the run does not end:\n{}", self.trace.join("\n"));
    }

    fn end(&mut self, machine: &Machine, end: RunEnd) {
        assert!(machine.has_ended() && machine.under_way() == 0, "something is left");
        assert!(self.timers.is_empty(), "a timer is left");
        let undone: Vec<String> = end.not_undone.iter().map(|key| key.to_string()).collect();
        let undone = if undone.is_empty() { String::new() } else { format!("; not undone: {}", undone.join(" ")) };
        let line = match end.result {
            Ok((value, None)) => format!("sent {}", read(&value)),
            Ok((value, Some(word))) => format!("sent {} ({word})", read(&value)),
            Err((kind, error)) => {
                format!("{kind:?}{}", error.map_or(String::new(), |e| format!(" {} at {}", e.code, e.step)))
            }
        };
        self.say(format!("{line}{undone}"));
        // Nothing follows, whatever happens.
        let mut again =
            Machine::reload(self.world.module.clone(), &machine.snapshot(), &mut |sum| self.store.get(&sum).cloned())
                .unwrap();
        again.cancel();
        assert!(matches!(again.step(&mut 10), Action::End(_)));
    }

    fn begin(&mut self, call: Call) {
        let key = call.key.to_string();
        if let Some((known, _)) = self.calls.get(&call.request) {
            assert_eq!(
                (known.key.to_string(), known.attempt, read(&known.input)),
                (key, call.attempt, read(&call.input))
            );
            assert_eq!((known.purpose, known.worker, known.money), (call.purpose, call.worker, call.money));
            return;
        }
        let worker = &self.world.module.module().workers[call.worker.index()].name;
        let name = if self.replies.contains_key(&key) { &key } else { worker };
        let reply = self
            .replies
            .get_mut(name)
            .and_then(|replies| if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() });
        let reply = reply.unwrap_or_else(ok);
        self.schedule(self.now + reply.after, Event::Answer(call.request));
        self.calls.insert(call.request, (call, reply));
    }

    fn stop(&mut self, request: RequestId) {
        let (call, reply) = self.calls.get_mut(&request).expect("a call under way");
        let key = call.key.to_string();
        if !reply.stubborn && reply.failure != Some(EndKind::Cancel) {
            reply.failure = Some(EndKind::Cancel);
            self.events.retain(|_, event| !matches!(event, Event::Answer(other) if *other == request));
            self.schedule(self.now, Event::Answer(request));
        }
        let line = format!("{key} is cancelled");
        if !self.trace.contains(&line) {
            self.say(line);
        }
    }

    fn answer(&mut self, machine: &mut Machine) {
        let Some(((at, _), event)) = self.events.pop_first() else {
            panic!("nothing happens:\n{}", self.trace.join("\n"))
        };
        self.now = at;
        match event {
            Event::Cancel => machine.cancel(),
            Event::Timer(timer) => {
                self.timers.remove(&timer);
                machine.expire(timer);
                machine.expire(timer);
            }
            Event::Answer(request) => {
                let (call, reply) = self.calls.remove(&request).unwrap();
                let worker = self.world.module.module().workers[call.worker.index()].name.clone();
                let (usage, verdict) = (reply.usage, reply.verdict.clone());
                let answer = match reply.failure {
                    Some(kind) => Answer::Failed { kind, error: error(&worker), usage },
                    None => {
                        let payload = reply.text.clone().unwrap_or_else(|| format!("{}.{worker}", read(&call.input)));
                        Answer::Done { output: self.artifact(&payload), verdict, usage }
                    }
                };
                let said = match &answer {
                    Answer::Done { output, verdict, .. } => {
                        format!(
                            "{}{}",
                            read(output),
                            verdict.as_ref().map_or(String::new(), |word| format!(" ({word})"))
                        )
                    }
                    Answer::Failed { kind, .. } => format!("{kind:?}"),
                };
                let decision = machine.complete(request, answer.clone()).unwrap();
                assert_eq!(machine.complete(request, answer), Err(CompleteError::Answered(request)));
                let attempt = if call.attempt > 1 { format!(" {}", call.attempt) } else { String::new() };
                self.say(format!("{}{attempt}: {said} -> {}", call.key, decided(&decision)));
            }
        }
    }

    fn make(&mut self, machine: &mut Machine, make: Make) {
        if self.world.unmakeable {
            let error = CallError { code: "E0741".into(), message: "too large".into(), step: String::new() };
            return machine.not_made(make.request, error).unwrap();
        }
        let wrong = machine.complete(
            make.request,
            Answer::Failed { kind: EndKind::Failure, error: error("x"), usage: Usage::default() },
        );
        assert_eq!(wrong, Err(CompleteError::WrongAnswer(make.request)));
        let payload = match make.recipe {
            Recipe::Count(of) => {
                let parts = read(&of);
                let count = if parts == "none" { 0 } else { parts.split('+').count() };
                return machine.counted(make.request, count as u32).unwrap();
            }
            Recipe::Item { of, index } => read(&of).split('+').nth(index as usize).unwrap().to_owned(),
            Recipe::WithError { of, error } => format!("{}!{}", read(&of), error.code),
            Recipe::Pack(parts) => {
                let part = |part: &PartValue| {
                    let verdict = part.verdict.as_ref().map_or(String::new(), |word| format!("({word})"));
                    format!("{}={}{verdict}", part.name, read(&part.value))
                };
                format!("[{}]", parts.iter().map(part).collect::<Vec<_>>().join(" "))
            }
        };
        let artifact = self.artifact(&payload);
        machine.made(make.request, artifact).unwrap();
    }

    fn reload(&mut self, machine: &Machine) -> Machine {
        let snapshot = machine.snapshot();
        let store = &self.store;
        let again = Machine::reload(self.world.module.clone(), &snapshot, &mut |sum| store.get(&sum).cloned());
        let mut again = again.unwrap_or_else(|error| panic!("{error}\n{}", self.trace.join("\n")));
        assert_eq!(
            (again.totals(), again.limits(), again.fibers()),
            (machine.totals(), machine.limits(), machine.fibers())
        );
        // It asks again for what is under way, and for nothing else.
        let under_way = again.under_way();
        assert_eq!(under_way, machine.under_way());
        let mut asked = 0;
        loop {
            match again.step(&mut 0) {
                Action::Call(call) => {
                    asked += 1;
                    assert_eq!(again.words(call.request), machine.words(call.request));
                    self.begin(call);
                }
                Action::Cancel(request) => self.stop(request),
                Action::StartTimer { timer, .. } => assert!(self.timers.contains_key(&timer)),
                Action::Wait | Action::Yield | Action::Park(_) => break,
                other => panic!("{other:?} after a reload"),
            }
        }
        assert_eq!(asked, under_way);
        again
    }
}

fn error(worker: &str) -> CallError {
    CallError { code: "E0900".into(), message: format!("{worker} failed"), step: String::new() }
}

fn read(artifact: &Artifact) -> String {
    String::from_utf8_lossy(artifact.payload()).into_owned()
}

fn what(output: &Option<Artifact>, kind: Option<EndKind>, error: &Option<CallError>) -> String {
    match (output, kind) {
        (Some(output), None) => read(output),
        (None, Some(kind)) => format!("{kind:?}{}", error.as_ref().map_or(String::new(), |e| format!(" {}", e.code))),
        other => panic!("{other:?}"),
    }
}

fn decided(decision: &Decision) -> String {
    let passed = decision.passed_over.join(", ");
    let passed = if passed.is_empty() { passed } else { format!(" (not {passed})") };
    let error = decision.error.as_ref().map_or(String::new(), |error| format!(" by {}", error.code));
    format!("{}{passed}{error}", decision.taken.word())
}
