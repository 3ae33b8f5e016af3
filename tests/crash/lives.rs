//! The lives of a run: each is the host's own recovery and driver, over what the last one left. It ends by itself, or is dropped.

use crate::case::Case;
use crate::dice::Dice;
use crate::disk::{Cause, Stop, Writer};
use crate::ground::{Fate, Ground, MILLISECOND, SAME};
use crate::ledger::{Index, promise, shown};
use crate::seams::{Kept, Machine, Numbers, Somebody, Time};
use crate::tally::Tally;
use aivm_host::driver::{self, DriverError, Ending, Options};
use aivm_host::mint::Mint;
use aivm_host::parts;
use aivm_host::recovery::{self, From, Recovered};
use aivm_host::store::{Store, StoreError};
use aivm_host::work::Surroundings;
use aivm_lang::eval::{Body, Value};
use aivm_schema::artifact::{Artifact, Draft};
use aivm_schema::journal::{Link, Record, RunStarted};
use aivm_schema::module::{Debug, RunLimits, drafts};
use aivm_vm::action::{PartValue, RunEnd};
use aivm_vm::run::{DecideError, Decided, Question, Run, Status, Why};
use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

/// More looks at a driver than any run needs.
const LOOKS: u32 = 20_000;

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// How it ended, and what was done.
    pub ending: String,
    /// Can that be compared with another life of the same run?
    pub comparable: bool,
    pub operations: u64,
    /// Of all that was recorded and done, in order.
    pub trace: u64,
}

/// What somebody does with a run that waits or has ended.
enum Todo {
    Nothing,
    For(Why),
    /// These undoers somebody has done by hand.
    RollBack(Vec<String>),
}

type Driving = Pin<Box<dyn Future<Output = Result<driver::Report, DriverError>>>>;

struct Lives {
    ground: Rc<RefCell<Ground>>,
    mint: Arc<Mint>,
    passed: Arc<AtomicU64>,
    program: Artifact,
    input: Artifact,
    todo: Todo,
    /// An old owner that sleeps.
    asleep: Option<(Driving, Kept)>,
    /// The last process does.
    sleeps: bool,
}

/// How the run ends.
pub fn live(case: &Rc<Case>, fate: Fate, tally: &mut Tally) -> Result<Report, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let passed = Arc::new(AtomicU64::new(0));
        let time = Time { start: Instant::now(), passed: passed.clone() };
        let mint = Arc::new(Mint::new(Box::new(time), Box::new(Numbers(Dice::new(fate.seed)))));
        let [program, _] = drafts(case.module.module(), &Debug::default());
        let program = mint.seal(program).expect("an artifact");
        let input = mint.seal(text("x")).expect("an artifact");
        let ground = Rc::new(RefCell::new(Ground::new(case.clone(), fate, mint.clone())));
        let mut lives = Lives {
            ground: ground.clone(),
            mint,
            passed,
            program,
            input,
            todo: Todo::Nothing,
            asleep: None,
            sleeps: false,
        };
        let report = lives.all().await;
        drop(lives);
        tally.add(&ground.borrow().tally);
        report
    })
}

fn text(text: &str) -> Draft {
    Draft { media_type: "text/plain".into(), payload: text.into(), ..Draft::default() }
}

impl Lives {
    async fn all(&mut self) -> Result<Report, String> {
        let mut left = self.ground.borrow().fate.crashes;
        loop {
            {
                let ground = &mut *self.ground.borrow_mut();
                let most = ground.fate.life.max(1);
                ground.disk.fuse = if left == 0 { u64::MAX } else { ground.dice.next() % most };
                ground.disk.faults = if left > 0 && ground.dice.chance(20) { 60 } else { 0 };
                (ground.gone, ground.failing, ground.cancelled) = (None, None, false);
                ground.living += 1;
            }
            let came = self.one().await;
            let cause = match came {
                Ok(None) => continue,
                Ok(Some(ending)) => {
                    let ground = &mut *self.ground.borrow_mut();
                    // Whoever has seen the end sees it again, also when the power is lost behind it.
                    if left > 0 && ground.dice.chance(15) {
                        Cause::Ended
                    } else {
                        let operations = ground.disk.ops;
                        ground.tally.runs += 1;
                        ground.tally.operations += operations;
                        return Ok(Report { ending, comparable: ground.comparable, operations, trace: ground.trace });
                    }
                }
                Err(Stop::Gone(cause)) => cause,
                Err(Stop::Fenced) => return Err("the owner is fenced".into()),
                Err(Stop::Broken(what)) => return Err(format!("{what}\n{}", self.journal())),
            };
            left -= 1;
            self.crash(cause).map_err(|stop| format!("{stop:?}"))?;
        }
    }

    /// The records, for people.
    fn journal(&self) -> String {
        let ground = self.ground.borrow();
        let records = ground.disk.records.iter().filter_map(|bytes| Record::from_bytes(bytes).ok());
        records.map(|record| format!("{} {:?}\n", record.at, record.body)).collect()
    }

    /// What was begun happens, or does not; nobody hears of it.
    fn crash(&mut self, cause: Cause) -> Result<(), Stop> {
        let ground = &mut *self.ground.borrow_mut();
        ground.tally.crashes += 1;
        ground.crashed += 1;
        ground.trace(0xdead);
        let power = match cause {
            Cause::DiskFull => false,
            Cause::FlushFailed | Cause::Ended => true,
            Cause::Fuse => ground.dice.chance(50),
        };
        let sleeps = std::mem::take(&mut self.sleeps) && !power;
        ground.tally.hit(match cause {
            Cause::Ended => "crash: after the end",
            Cause::DiskFull => "crash: disk full",
            Cause::FlushFailed => "crash: flush failed",
            _ if power => "crash: power lost",
            _ if sleeps => "crash: taken over",
            _ => "crash: killed",
        });
        for (request, doing) in std::mem::take(&mut ground.doing) {
            if let Some(remembered) = ground.ledger.get_mut(&request) {
                remembered.stopped |= doing.stopped;
            }
            if ground.dice.chance(50) {
                ground.happen(request, &doing)?;
                // Nobody hears it but who sleeps.
                doing.hear();
            }
        }
        if power {
            ground.disk.lose_power();
            self.asleep = None;
        }
        for remembered in ground.ledger.values_mut() {
            remembered.before = remembered.begun > 0;
        }
        // Sometimes it takes long until somebody looks after it.
        let ms = if ground.dice.chance(20) { 1 << 11 } else { 1 };
        self.passed.fetch_add(ms * MILLISECOND, Ordering::Relaxed);
        Ok(())
    }

    /// A process, from its start to its end. None: somebody else must go on.
    async fn one(&mut self) -> Result<Option<String>, Stop> {
        let (machine, begun) = self.mount()?;
        let kept = Kept(Rc::new(machine));
        let mut driving = if begun { self.again(&kept)? } else { self.begin(&kept) };
        let came = self.watch(&mut driving).await;
        let came = match came {
            Ok(came) => came,
            Err(stop) => {
                if matches!(stop, Stop::Gone(Cause::Fuse)) && self.ground.borrow_mut().dice.chance(50) {
                    (self.asleep, self.sleeps) = (Some((driving, kept)), true);
                }
                return Err(stop);
            }
        };
        drop(driving);
        let mut ground = self.ground.borrow_mut();
        let report = match (came, ground.failing) {
            (Err(DriverError::Store(StoreError::Io { .. })), Some(cause)) => return Err(Stop::Gone(cause)),
            (Err(error), _) => return Err(Stop::Broken(format!("it cannot go on: {error}"))),
            (Ok(_), Some(_)) => return Err(Stop::Broken("it goes on after a write has failed".into())),
            (Ok(report), None) => report,
        };
        let end = match report.ending {
            Ending::Parked(why, _) => {
                promise!(ground.index.parked, "parks before it is durable");
                promise!(ground.doing.is_empty(), "parks while something is under way");
                self.todo = Todo::For(why);
                return Ok(None);
            }
            Ending::Held => return Err(Stop::Broken("it is held, and nobody holds it".into())),
            Ending::Ended(end) => end,
        };
        ground.audit()?;
        if ground.index.rollbacks < ground.case.rollbacks {
            let mut done = Vec::new();
            if let Some(stuck) = end.not_undone.first() {
                ground.tally.hit("stuck, and tried again");
                if ground.case.number.is_multiple_of(2) {
                    done.push(stuck.to_string());
                    ground.by_hand.insert(stuck.to_string());
                }
            }
            self.todo = Todo::RollBack(done);
            return Ok(None);
        }
        let effects = format!("{:?}", ground.effects);
        drop(ground);
        Ok(Some(ending(&end, &effects, &kept)))
    }

    /// The store as this process finds it. Is there a run?
    fn mount(&mut self) -> Result<(Machine, bool), Stop> {
        let ground = &mut *self.ground.borrow_mut();
        if ground.disk.mount()? {
            ground.tally.hit("torn tail dropped");
        }
        let mut writer = Writer::default();
        ground.disk.raise(&mut writer)?;
        // Nothing that was acknowledged is lost or changed.
        let mut link = Link::default();
        for (seq, bytes) in (1..).zip(&ground.disk.records) {
            link = link.then(seq, bytes);
            promise!(seq != ground.acked.0 || link == ground.acked.1, "the acknowledged records have changed");
        }
        let count = ground.disk.records.len();
        promise!(ground.acked.0 <= count as u64, "acknowledged records are lost: {count} of {}", ground.acked.0);
        ground.index = Index::default();
        let (now, mut again) = (self.mint.now(), Tally::default());
        for bytes in &ground.disk.records {
            let least = ground.began.saturating_add(ground.case.least_ms * MILLISECOND);
            let record = ground.index.add(bytes, now, least, &mut again)?;
            if ground.index.seq == 1 {
                ground.began = record.at;
            }
        }
        ground.rollbacks = ground.index.rollbacks;
        if count == 0 {
            ground.began = now;
            if ground.crashed > 0 {
                ground.tally.hit("recovered before it began");
            }
        }
        Ok((Machine::new(self.ground.clone(), ground.living, writer), count > 0))
    }

    fn options(&self, started: Option<RunStarted>, limits: RunLimits, kept: &Kept) -> Options {
        let ground = &mut *self.ground.borrow_mut();
        let around = Surroundings {
            run: "run".into(),
            workspace: "/".into(),
            kept: aivm_host::kept::Kept::of("/nowhere".as_ref(), "run"),
            params: Default::default(),
            mock: false,
            outside: Default::default(),
        };
        let (timeout_ms, trace) = (ground.case.timeout_ms, ground.dice.chance(50));
        let process = Rc::new(kept.clone());
        Options { around, limits, timeout_ms, trace, started, webhook: None, reuse: None, process }
    }

    /// The first life.
    fn begin(&self, kept: &Kept) -> Driving {
        let case = self.ground.borrow().case.clone();
        let started = RunStarted {
            run: "run".into(),
            program: self.program.checksum(),
            file: "law.aivm".into(),
            input: self.input.checksum(),
            limits: case.limits,
            timeout_ms: case.timeout_ms,
            workspace: "/".into(),
            params: Vec::new(),
            mock: false,
            principal: String::new(),
            version: String::new(),
            forked: None,
            cassette: None,
        };
        kept.put(&self.program);
        let (store, mint, input) = (Rc::new(kept.clone()), self.mint.clone(), self.input.clone());
        let (module, mut somebody) = (case.module.clone(), Somebody(kept.clone()));
        let Some(often) = case.often else {
            let options = self.options(Some(started), case.limits, kept);
            return Box::pin(async move { driver::run(module, input, options, store, mint, &mut somebody).await });
        };
        // As `run`, but for how often it writes itself down.
        kept.put(&input);
        let (facts, now) = (case.facts.clone(), mint.now());
        let mut run = Run::start(module, input, case.limits, case.timeout_ms, facts, now, Some(started));
        run.checkpoint_after(often);
        let options = self.options(None, case.limits, kept);
        Box::pin(async move { driver::drive(run, Vec::new(), options, store, mint, &mut somebody).await })
    }

    fn recover(&self, kept: &Kept, from: From) -> Result<Recovered, Stop> {
        recovery::recover(kept, from).map_err(|error| match self.ground.borrow().gone {
            Some(cause) => Stop::Gone(cause),
            None => Stop::Broken(format!("it does not come back: {error}")),
        })
    }

    /// A later life: as `aivm resume` and its kin.
    fn again(&mut self, kept: &Kept) -> Result<Driving, Stop> {
        let whole = self.ground.borrow_mut().dice.chance(25);
        let recovered = self.recover(kept, if whole { From::Start } else { From::Checkpoint })?;
        if !whole {
            let other = self.recover(kept, From::Start)?;
            let (left, right) = (shown(&recovered.run), shown(&other.run));
            promise!(left == right, "a checkpoint gives another run:\n{left}\n{right}");
        }
        let Recovered { mut run, history, started, end, .. } = recovered;
        {
            let ground = &mut *self.ground.borrow_mut();
            let (head, acked) = (run.head(), ground.acked);
            promise!(head.0 >= acked.0, "it comes back without its last records: {} of {}", head.0, acked.0);
            promise!(end.is_some() == ground.index.finished, "its end is not its end");
            ground.tally.hit(if end.is_some() { "recovered an ended run" } else { "recovered" });
            if let Some(often) = ground.case.often {
                run.checkpoint_after(often);
            }
        }
        let resumed = run.resume(self.mint.now());
        resumed.map_err(|error| Stop::Broken(format!("it does not go on: {error}")))?;
        let todo = std::mem::replace(&mut self.todo, Todo::Nothing);
        self.tell(todo, &mut run, kept)?;
        let options = self.options(None, run.limits(), kept);
        promise!(started.run == "run", "it is another run");
        let (store, mint, mut somebody) = (Rc::new(kept.clone()), self.mint.clone(), Somebody(kept.clone()));
        Ok(Box::pin(async move { driver::drive(run, history, options, store, mint, &mut somebody).await }))
    }

    /// Somebody does what the run waits for.
    fn tell(&self, todo: Todo, run: &mut Run, kept: &Kept) -> Result<(), Stop> {
        match todo {
            Todo::Nothing => Ok(()),
            Todo::For(Why::Limit(_)) => {
                run.raise(self.mint.now(), RunLimits::default());
                Ok(())
            }
            Todo::For(Why::Asked(_)) => self.answer(run),
            Todo::For(Why::Unknown(_)) => self.settle(run, kept),
            Todo::RollBack(done) => {
                let (undoable, number) = (run.undoable(), self.ground.borrow().case.number);
                let mut dice = Dice::new(number ^ 0x2011);
                let to = (!undoable.is_empty() && dice.chance(50)).then(|| dice.pick(&undoable).to_string());
                let told = run.rollback(self.mint.now(), to.as_deref(), done, "the test");
                promise!(told, "it is not taken back");
                let ground = &mut *self.ground.borrow_mut();
                ground.rollbacks += 1;
                ground.tally.hit(if to.is_some() { "rolled back to a step" } else { "rolled back" });
                Ok(())
            }
        }
    }

    /// A person answers, or comes too late.
    fn answer(&self, run: &mut Run) -> Result<(), Stop> {
        let questions = run.questions();
        let Some(question) = questions.first() else { return Ok(()) };
        let request = question.call.request;
        let ground = &mut *self.ground.borrow_mut();
        let asked = ground.index.asked.contains_key(&request.0);
        promise!(asked, "{}: shown before it is durable", question.call.key);
        let Some(decided) = decided(ground, question) else {
            let late = question.expires.unwrap_or_default().saturating_sub(self.mint.now());
            self.passed.fetch_add(late + MILLISECOND, Ordering::Relaxed);
            let answer = Decided { subject: question.subject, by: "somebody".into(), ..Decided::default() };
            let late = run.decide(self.mint.now(), request, answer);
            promise!(late == Err(DecideError::Expired), "{}: {late:?} after its time", question.call.key);
            ground.tally.hit("refused: expired");
            return Ok(());
        };
        let done = run.decide(self.mint.now(), request, decided);
        let expired = done == Err(DecideError::Expired);
        promise!(done.is_ok() || expired, "{}: refused: {done:?}", question.call.key);
        ground.tally.hit("decided later");
        Ok(())
    }

    /// Somebody looks into the world and says what is true.
    fn settle(&self, run: &mut Run, kept: &Kept) -> Result<(), Stop> {
        let Some(call) = run.unknown().next().cloned() else {
            return Err(Stop::Broken("it waits for nothing unknown".into()));
        };
        let (request, key) = (call.request, &call.key);
        let truth = {
            let ground = &mut *self.ground.borrow_mut();
            promise!(ground.index.unknown.contains(&request.0), "{key}: shown before it is durable");
            promise!(ground.crashed > 0, "{key}: unknown without a crash");
            let truth = ground.truth(request);
            ground.tally.hit(if truth.is_some() { "settled: happened" } else { "settled: not happened" });
            truth
        };
        let happened = truth.map(|(value, verdict)| (self.artifact(&value, &call.input, kept), verdict));
        let done = run.resolve(self.mint.now(), request, happened, "the test");
        done.map_err(|error| Stop::Broken(error.to_string()))
    }

    /// What a call returned, as a person brings it.
    fn artifact(&self, value: &Value, input: &Artifact, kept: &Kept) -> Artifact {
        let made = match &value.body {
            Body::Text(same) if &**same == SAME => return input.clone(),
            Body::Text(_) => self.mint.seal(text(&value.to_string())).expect("an artifact"),
            Body::Parts(parts) => {
                let part = |part: &aivm_lang::eval::Part| {
                    let value = self.artifact(&part.value, input, kept);
                    PartValue { name: part.name.clone(), value, verdict: None }
                };
                let parts: Vec<PartValue> = parts.iter().map(part).collect();
                parts::pack(&parts, "run", &*self.mint).expect("an artifact")
            }
        };
        kept.put(&made);
        made
    }

    /// Lets it go on until it ends or is gone; the world answers meanwhile.
    async fn watch(&mut self, driving: &mut Driving) -> Result<Result<driver::Report, DriverError>, Stop> {
        let ground = self.ground.clone();
        let (mint, passed) = (self.mint.clone(), self.passed.clone());
        let mut sleep = Box::pin(tokio::time::sleep(Duration::ZERO));
        let mut looks = 0;
        poll_fn(|context| {
            loop {
                let came = driving.as_mut().poll(context);
                self.wake_sleeper(context);
                let ground = &mut *ground.borrow_mut();
                if let Some(what) = ground.broken.take() {
                    return Poll::Ready(Err(Stop::Broken(what)));
                }
                if let Poll::Ready(came) = came {
                    return Poll::Ready(Ok(came));
                }
                let tick = ground.disk.tick();
                ground.held(tick);
                if let Some(cause) = ground.gone {
                    return Poll::Ready(Err(Stop::Gone(cause)));
                }
                looks += 1;
                if looks > LOOKS {
                    return Poll::Ready(Err(Stop::Broken("nothing happens any more".into())));
                }
                ground.heed_stops();
                let Some((at, request)) = ground.next() else { return Poll::Pending };
                let wait = Duration::from_nanos(at.saturating_sub(mint.now()));
                sleep.as_mut().reset(Instant::now() + wait);
                if !wait.is_zero() && sleep.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                let answered = ground.answer(request);
                ground.held(answered);
                // Some come while the process looks elsewhere, and are told together.
                while !ground.is_over() && ground.dice.chance(20) {
                    let Some((at, request)) = ground.next() else { break };
                    passed.fetch_add(at.saturating_sub(mint.now()), Ordering::Relaxed);
                    let answered = ground.answer(request);
                    ground.held(answered);
                }
            }
        })
        .await
    }

    /// A process that slept while another took its run wakes up. It may not know; whatever it does next is refused.
    fn wake_sleeper(&mut self, context: &mut std::task::Context<'_>) {
        let Some((mut driving, kept)) = self.asleep.take() else { return };
        if !self.ground.borrow_mut().dice.chance(10) {
            self.asleep = Some((driving, kept));
            return;
        }
        let came = driving.as_mut().poll(context);
        let ground = &mut *self.ground.borrow_mut();
        match came {
            Poll::Pending => {}
            Poll::Ready(Err(DriverError::Store(StoreError::Fenced(_)))) => ground.tally.hit("an old owner was fenced"),
            Poll::Ready(other) => {
                ground.breaks(format!("an old owner goes on: {:?}", other.map(|report| report.ending)))
            }
        }
    }
}

/// What a person says to a question: it follows from that alone. None: nobody answers before it expires.
pub fn decided(ground: &Ground, question: &Question) -> Option<Decided> {
    let key = question.call.key.to_string();
    let seed = key.bytes().fold(ground.case.number, |seed, byte| seed.wrapping_mul(31) ^ u64::from(byte));
    let mut dice = Dice::new(seed);
    let never = dice.chance(40);
    if question.expires.is_some() && never {
        return None;
    }
    let mut decided = Decided { subject: question.subject, by: "somebody".into(), ..Decided::default() };
    if !question.choices.is_empty() && dice.chance(60) {
        decided.verdict = Some(dice.pick(&question.choices).clone());
    }
    Some(decided)
}

/// The end as everybody sees it.
fn ending(end: &RunEnd, effects: &str, kept: &Kept) -> String {
    let result = match &end.result {
        Ok((value, verdict)) => format!("{} {verdict:?}", told(value, kept)),
        Err((kind, error)) => format!("{kind:?} {:?}", error.as_ref().map(|error| &error.code)),
    };
    let undone: Vec<String> = end.not_undone.iter().map(ToString::to_string).collect();
    format!("{:?} {result} not undone {undone:?} done {effects}", Status::of(end))
}

/// A value, for people.
fn told(value: &Artifact, kept: &Kept) -> String {
    let error = value.attribute("error").and_then(|error| error.split(':').next()).unwrap_or_default();
    match parts::named(value, kept) {
        Ok(parts) => {
            let part =
                |(name, verdict, part): &(String, String, Artifact)| format!("{name} {verdict} {}", told(part, kept));
            format!("{:?}!{error}", parts.iter().map(part).collect::<Vec<_>>())
        }
        Err(_) => format!("{}!{error}", String::from_utf8_lossy(value.payload())),
    }
}
