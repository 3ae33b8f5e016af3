//! The driver: one loop that carries out what the machine asks and tells it what came of it. Calls that need nothing but
//! this processor run on the spot or on the pool; everything that waits is a task.
//!
//! Here is all the order there is: the machine decides, the workers work, this loop passes notes.

use crate::builtin::Body;
use crate::mint::Mint;
use crate::parts::{self, Items, PartsError};
use crate::pool::Pool;
use crate::signals::Signals;
use crate::store::{Store, StoreError};
use crate::trace::{Event, Observer, StepRecord, Totals, dollars};
use crate::work::{self, Maker, Prepared, Returned, Stop, Surroundings, Task, builtins, mock};
use aivm_schema::artifact::{Artifact, ArtifactError, Checksum};
use aivm_schema::module::{Module, RunLimits, StepId, StepTarget, WorkerId};
use aivm_vm::Machine;
use aivm_vm::StepKey;
use aivm_vm::action::{
    Action, Answer, Call, CallError, Decision, Limit, Make, Purpose, Recipe, RequestId, RunEnd, Taken, TimerId, Usage,
};
use aivm_vm::verify::VerifiedModule;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Instructions between two looks at what else happened.
const FUEL: u64 = 100_000;
/// Actions between two such looks: calls that are answered on the spot need no fuel.
const TURNS: u32 = 64;
/// Payloads up to this size, in bytes, are given to a pure built-in on the spot when nothing else is under way.
const ON_THE_SPOT: usize = 4 << 10;

/// How a run is run.
pub struct Options {
    /// What all calls share.
    pub around: Surroundings,
    /// Limits of the whole run; those of the program unless set.
    pub limits: RunLimits,
    /// The deadline of the whole run, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Keep a record of every call.
    pub trace: bool,
}

/// How a run ended.
#[derive(Debug)]
pub enum Ending {
    /// The machine came to its end.
    Ended(RunEnd),
    /// A limit of the run is spent; raise it and run again.
    Parked(Limit),
}

/// What a run leaves.
#[derive(Debug)]
pub struct Report {
    /// The run's name.
    pub run: String,
    /// How it ended.
    pub ending: Ending,
    /// Was it stopped from outside?
    pub interrupted: bool,
    /// Every call, in the order in which they ended.
    pub steps: Vec<StepRecord>,
    /// What all calls took.
    pub totals: Totals,
}

/// Why a run cannot be carried on by this process.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No threads for the pool.
    #[error("E0760: no threads can be started: {0}")]
    Pool(std::io::Error),
    /// The machine was told something that it did not ask for: a fault of this program.
    #[error(
        "E0761: the driver and the machine disagree: {0}. This is a fault of aivm: please report it with the program"
    )]
    Disagree(String),
    /// Asked to stop twice.
    #[error("E0762: interrupted twice: the run was left where it was{}", if *.undo { ", and what it did is not undone" } else { "" })]
    Abandoned {
        /// Does the program have undoers?
        undo: bool,
    },
}

/// Runs a program to its end. Must be called within a tokio runtime of one thread. The store is the caller's to flush.
pub async fn run(
    module: VerifiedModule,
    input: Artifact,
    options: Options,
    store: Rc<dyn Store>,
    mint: Arc<Mint>,
    observer: &mut dyn Observer,
) -> Result<Report, DriverError> {
    store.put(&input);
    let machine = Machine::start(module.clone(), input, options.limits);
    let mut driver = Driver::new(module, machine, options, store, mint, observer);
    match driver.drive().await {
        Ok(ending) => Ok(driver.report(ending)),
        Err(error) => {
            // A lane may be busy for long: whoever asked twice does not wait for it.
            std::mem::forget(driver.pool.take());
            Err(error)
        }
    }
}

struct Driver<'a> {
    module: VerifiedModule,
    machine: Machine,
    around: Arc<Surroundings>,
    /// The run's deadline: when, and how long that was, in milliseconds.
    timeout: Option<(Instant, u64)>,
    tracing: bool,
    store: Rc<dyn Store>,
    mint: Arc<Mint>,
    observer: &'a mut dyn Observer,
    pool: Option<Pool>,
    prepared: FxHashMap<(WorkerId, Option<StepId>), Result<Arc<Prepared>, CallError>>,
    mocked: FxHashMap<WorkerId, usize>,
    calls: FxHashMap<RequestId, UnderWay>,
    items: FxHashMap<Checksum, Items>,
    timers: BTreeSet<(Instant, TimerId)>,
    timer_times: FxHashMap<TimerId, Instant>,
    returned: mpsc::UnboundedReceiver<(RequestId, Returned)>,
    sender: mpsc::UnboundedSender<(RequestId, Returned)>,
    interrupted: bool,
    steps: Vec<StepRecord>,
    totals: Totals,
    started: Instant,
}

/// A call that has not been answered.
struct UnderWay {
    call: Call,
    stop: Arc<Stop>,
    began: Instant,
}

/// See [`Driver::note`].
struct Note {
    key: StepKey,
    who: Option<StepTarget>,
    attempt: u32,
    output: Option<Artifact>,
    verdict: Option<aivm_schema::module::WordId>,
    error: Option<CallError>,
    decision: Decision,
}

impl<'a> Driver<'a> {
    fn new(
        module: VerifiedModule,
        machine: Machine,
        options: Options,
        store: Rc<dyn Store>,
        mint: Arc<Mint>,
        observer: &'a mut dyn Observer,
    ) -> Driver<'a> {
        let (sender, returned) = mpsc::unbounded_channel();
        let started = Instant::now();
        Driver {
            module,
            machine,
            around: Arc::new(options.around),
            timeout: options.timeout_ms.map(|ms| (started + Duration::from_millis(ms), ms)),
            tracing: options.trace || observer.is_watching(),
            store,
            mint,
            observer,
            pool: None,
            prepared: FxHashMap::default(),
            mocked: FxHashMap::default(),
            calls: FxHashMap::default(),
            items: FxHashMap::default(),
            timers: BTreeSet::new(),
            timer_times: FxHashMap::default(),
            returned,
            sender,
            interrupted: false,
            steps: Vec::new(),
            totals: Totals::default(),
            started,
        }
    }

    fn module(&self) -> &Module {
        self.module.module()
    }

    async fn drive(&mut self) -> Result<Ending, DriverError> {
        let mut signals = Signals::listen();
        let mut turns = 0;
        loop {
            turns = (turns + 1) % TURNS;
            if turns == 0 {
                self.look_around(&mut signals).await?;
            }
            let mut fuel = FUEL;
            match self.machine.step(&mut fuel) {
                Action::Call(call) => self.begin(call)?,
                Action::Make(make) => self.make(make)?,
                Action::Cancel(request) => {
                    if let Some(under_way) = self.calls.get(&request) {
                        under_way.stop.ask();
                    }
                }
                Action::StartTimer { timer, after_ms } => {
                    let at = Instant::now() + Duration::from_millis(after_ms.min(u64::from(u32::MAX)));
                    self.timers.insert((at, timer));
                    self.timer_times.insert(timer, at);
                }
                Action::StopTimer(timer) => {
                    if let Some(at) = self.timer_times.remove(&timer) {
                        self.timers.remove(&(at, timer));
                    }
                }
                Action::Ended(end) => {
                    let who = Some(StepTarget::Function(end.function));
                    self.note(Note {
                        key: end.key,
                        who,
                        attempt: end.attempt,
                        output: end.output,
                        verdict: end.verdict,
                        error: end.error,
                        decision: end.decision,
                    });
                }
                Action::Mapped(end) => {
                    let who = self.target(end.step);
                    self.note(Note {
                        key: end.key,
                        who,
                        attempt: end.attempt,
                        output: end.output,
                        verdict: None,
                        error: end.error,
                        decision: end.decision,
                    });
                }
                Action::NotMade(not) => {
                    let who = match not.purpose {
                        Purpose::Step(step) | Purpose::Undo(step) => self.target(step),
                        Purpose::Choose(stage) => {
                            let stage = self.module().stages.get(stage.index());
                            stage.and_then(|stage| stage.chooser).map(StepTarget::Worker)
                        }
                    };
                    self.note(Note {
                        key: not.key,
                        who,
                        attempt: not.attempt,
                        output: None,
                        verdict: None,
                        error: Some(not.error),
                        decision: not.decision,
                    });
                }
                Action::Yield => self.look_around(&mut signals).await?,
                Action::Wait => {
                    tokio::select! {
                        biased;
                        Some((request, returned)) = self.returned.recv() => self.complete(request, returned)?,
                        () = until(self.timers.first().map(|(at, _)| *at)) => self.look(),
                        () = until(self.timeout.map(|(at, _)| at)) => self.look(),
                        () = poll_fn(|context| signals.poll(context)) => self.interrupt()?,
                    }
                    while let Ok((request, returned)) = self.returned.try_recv() {
                        self.complete(request, returned)?;
                    }
                }
                Action::Park(limit) => return Ok(Ending::Parked(limit)),
                Action::End(end) => return Ok(Ending::Ended(end)),
            }
        }
    }

    /// While there is always something to do: hears signals, fires timers.
    async fn look_around(&mut self, signals: &mut Signals) -> Result<(), DriverError> {
        // Lets the runtime see what has come.
        tokio::task::yield_now().await;
        if poll_fn(|context| Poll::Ready(signals.poll(context).is_ready())).await {
            self.interrupt()?;
        }
        self.look();
        Ok(())
    }

    /// The first time the run is cancelled, with all that this undoes; the second time it is left.
    fn interrupt(&mut self) -> Result<(), DriverError> {
        if self.interrupted {
            return Err(DriverError::Abandoned { undo: self.module().steps.iter().any(|step| step.undo.is_some()) });
        }
        self.interrupted = true;
        self.machine.cancel();
        Ok(())
    }

    /// Fires the timers that are due.
    fn look(&mut self) {
        let now = Instant::now();
        while let Some((_, timer)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.pop_first();
            self.timer_times.remove(&timer);
            self.machine.expire(timer);
        }
        if let Some((_, ms)) = self.timeout.take_if(|(at, _)| *at <= now) {
            self.machine.time_out(ms);
        }
    }

    /// Begins a call; some are answered before this returns.
    fn begin(&mut self, call: Call) -> Result<(), DriverError> {
        let request = call.request;
        if self.observer.is_watching() {
            let key = call.key.to_string();
            let worker =
                self.module.module().workers.get(call.worker.index()).map_or("", |worker| worker.name.as_str());
            self.observer.event(Event::Started { key: &key, worker, attempt: call.attempt });
        }
        let stop = Arc::new(Stop::default());
        let task = self.task(&call, stop.clone());
        self.calls.insert(request, UnderWay { call, stop, began: Instant::now() });
        let task = match task {
            Ok(task) => task,
            Err(error) => {
                let returned =
                    Returned::Failed { kind: aivm_schema::module::EndKind::Failure, error, usage: Usage::default() };
                return self.complete(request, returned);
            }
        };
        if let Some(answering) = self.mock(&task, request) {
            if answering.is_quick() {
                return self.complete(request, answering.returned(&task));
            }
            self.spawn(request, task, Some(answering));
        } else if task.worker.is_pure() && task.attempt == 1 {
            return self.pure(request, task);
        } else {
            self.spawn(request, task, None);
        }
        Ok(())
    }

    /// What a call is given.
    fn task(&mut self, call: &Call, stop: Arc<Stop>) -> Result<Task, CallError> {
        let step = match call.purpose {
            Purpose::Step(step) => Some(step),
            Purpose::Choose(_) | Purpose::Undo(_) => None,
        };
        let worker = self.prepared(call.worker, step)?;
        let parts = work::parts_of(&call.input, &*self.store)?;
        Ok(Task {
            deadline_ms: call.deadline_ms.or(worker.definition.call_timeout().map(|timeout| timeout.0)),
            worker,
            key: call.key.clone(),
            attempt: call.attempt,
            input: call.input.clone(),
            parts: Arc::new(parts),
            words: self.machine.words(call.request).into_iter().map(str::to_owned).collect(),
            around: self.around.clone(),
            stop,
        })
    }

    /// The worker as a step calls it; read once for all steps that do not shape it.
    fn prepared(&mut self, worker: WorkerId, step: Option<StepId>) -> Result<Arc<Prepared>, CallError> {
        let module = self.module.module();
        let shaping = |step: &StepId| module.steps.get(step.index()).map_or(&[][..], |step| &step.behaviours);
        let step = step.filter(|step| !shaping(step).is_empty());
        let prepare = || {
            let definition =
                module.workers.get(worker.index()).ok_or_else(|| work::error("E0734", "no such worker"))?;
            let named = step.as_ref().map_or(&[][..], shaping);
            let behaviours: Vec<_> = named.iter().filter_map(|at| module.behaviours.get(usize::from(*at))).collect();
            Prepared::new(definition, &behaviours).map(Arc::new)
        };
        self.prepared.entry((worker, step)).or_insert_with(prepare).clone()
    }

    /// The scripted answer, when the call is not to be made.
    fn mock(&mut self, task: &Task, request: RequestId) -> Option<mock::Answering> {
        let definition = &task.worker.definition;
        let mocked =
            matches!(definition.does, aivm_schema::worker::Does::Mock) || self.around.mock && !task.worker.is_pure();
        if !mocked {
            return None;
        }
        let worker = self.calls.get(&request)?.call.worker;
        let nth = self.mocked.entry(worker).or_default();
        *nth += 1;
        Some(mock::Answering::of(definition.mock.as_deref(), *nth - 1))
    }

    /// A pure built-in: on the spot when that is quickest, else on a lane.
    fn pure(&mut self, request: RequestId, task: Task) -> Result<(), DriverError> {
        let small =
            task.input.payload().len() + task.parts.iter().map(|(_, _, value)| value.payload().len()).sum::<usize>();
        if small <= ON_THE_SPOT && self.calls.len() == 1 {
            match builtins::at_once(builtins::call(&task)) {
                Ok(returned) => return self.complete(request, returned),
                Err(_) => self.spawn(request, task, None),
            }
            return Ok(());
        }
        if self.pool.is_none() {
            self.pool = Some(Pool::of_machine().map_err(DriverError::Pool)?);
        }
        let (sender, mint) = (self.sender.clone(), self.mint.clone());
        let job = move || {
            let called =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| builtins::at_once(builtins::call(&task))));
            let returned = match called {
                Ok(Ok(returned)) => returned.made(&task, &mint),
                _ => Returned::failed(
                    "E0718",
                    format!("the built-in `{}` crashed: please report this with its input", task.worker.name),
                ),
            };
            let _ = sender.send((request, returned));
        };
        if let Some(pool) = &self.pool {
            pool.run(Box::new(job));
        }
        Ok(())
    }

    fn spawn(&self, request: RequestId, task: Task, mock: Option<mock::Answering>) {
        let sender = self.sender.clone();
        tokio::spawn(async move {
            let _ = sender.send((request, work::run(task, mock).await));
        });
    }

    /// A call has been answered: the value becomes an artifact, the machine decides, the trace gets its row.
    fn complete(&mut self, request: RequestId, returned: Returned) -> Result<(), DriverError> {
        let Some(UnderWay { call, began, .. }) = self.calls.remove(&request) else { return Ok(()) };
        let answer = self.answer(&call, returned);
        let answer = self.counted(&call, answer);
        let (output, verdict, error, usage) = match &answer {
            Answer::Done { output, verdict, usage } => (Some(output.checksum()), verdict.clone(), None, *usage),
            Answer::Failed { error, usage, .. } => (None, None, Some(error.clone()), *usage),
        };
        let decision =
            self.machine.complete(request, answer).map_err(|error| DriverError::Disagree(error.to_string()))?;
        self.totals.calls += 1;
        self.totals.tokens = self.totals.tokens.saturating_add(usage.tokens);
        self.totals.cost_usd += dollars(usage.money);
        if !self.tracing {
            return Ok(());
        }
        let worker =
            self.module().workers.get(call.worker.index()).map(|worker| worker.name.clone()).unwrap_or_default();
        // A cancelled call shows why in its outcome.
        let error = error.or(decision.error.map(|error| *error)).filter(|_| !matches!(decision.taken, Taken::Dropped));
        self.record(StepRecord {
            key: call.key.to_string(),
            worker,
            outcome: decision.taken.word().to_owned(),
            attempt: call.attempt,
            ms: (began.elapsed().as_secs_f64() * 1e6).round() / 1e3,
            artifact: output,
            verdict,
            rule: decision.rule,
            passed_over: decision.passed_over,
            error,
            tokens: usage.tokens,
            cost_usd: dollars(usage.money),
        });
        Ok(())
    }

    fn record(&mut self, record: StepRecord) {
        self.observer.event(Event::Ended(&record));
        self.steps.push(record);
    }

    /// The machine's view of what a worker returned.
    fn answer(&mut self, call: &Call, returned: Returned) -> Answer {
        match returned {
            Returned::Failed { kind, error, usage } => Answer::Failed { kind, error, usage },
            Returned::Done { body, verdict, attributes, usage } => {
                answered(self.value(call, body, attributes), verdict, usage)
            }
            Returned::Made { made, verdict, usage } => answered(self.kept(made), verdict, usage),
        }
    }

    /// A worker that declares the most parts that it gives does not give more: the worst case counts on it.
    fn counted(&mut self, call: &Call, answer: Answer) -> Answer {
        let (Answer::Done { output, usage, .. }, Purpose::Step(step)) = (&answer, call.purpose) else { return answer };
        let most = self.prepared(call.worker, Some(step)).ok().and_then(|worker| worker.definition.most);
        let Some(most) = most else { return answer };
        match Items::of(output, &*self.store) {
            Ok(items) if items.len() > most as usize => Answer::Failed {
                kind: aivm_schema::module::EndKind::Failure,
                error: work::error("E0742", format!("it returned {} parts and declares `most = {most}`", items.len())),
                usage: *usage,
            },
            _ => answer,
        }
    }

    fn value(&mut self, call: &Call, body: Body, attributes: Vec<(String, String)>) -> Result<Artifact, PartsError> {
        let worker = self.module.module().workers.get(call.worker.index()).map_or("", |worker| worker.name.as_str());
        let maker = Maker { run: &self.around.run, worker, key: &call.key, input: &call.input };
        match body {
            Body::Parts(new) => {
                let mut values = Vec::with_capacity(new.len());
                for part in new {
                    let value = maker.make(&self.mint, part.media_type, part.payload, Vec::new())?;
                    self.store.hold(&value);
                    values.push(aivm_vm::action::PartValue { name: part.name, value, verdict: None });
                }
                let packed = parts::pack(&values, &self.around.run, &self.mint)?;
                self.store.put(&packed);
                Ok(packed)
            }
            // What changed nothing hands on the very same artifact.
            Body::Same if attributes.is_empty() => Ok(call.input.clone()),
            Body::Same => {
                let (media_type, payload) = (call.input.media_type().to_owned(), call.input.payload().to_vec());
                self.kept(maker.make(&self.mint, media_type, payload, attributes))
            }
            Body::New { media_type, payload } => self.kept(maker.make(&self.mint, media_type, payload, attributes)),
        }
    }

    fn kept(&self, made: Result<Artifact, ArtifactError>) -> Result<Artifact, PartsError> {
        let artifact = made?;
        self.store.put(&artifact);
        Ok(artifact)
    }

    /// Makes what the machine needs made.
    fn make(&mut self, make: Make) -> Result<(), DriverError> {
        let made = match &make.recipe {
            Recipe::Pack(values) => {
                values.iter().for_each(|part| self.store.hold(&part.value));
                parts::pack(values, &self.around.run, &self.mint)
            }
            Recipe::WithError { of, error } => parts::with_error(of, error, &self.mint),
            Recipe::Item { of, index } => self.item(of, *index),
            Recipe::Count(of) => {
                let counted = Items::of(of, &*self.store).map(|items| {
                    let count = items.len() as u32;
                    self.items.insert(of.checksum(), items);
                    count
                });
                return match counted {
                    Ok(count) => self.machine.counted(make.request, count),
                    Err(error) => self.machine.not_made(make.request, work::error("E0741", error.to_string())),
                }
                .map_err(|error| DriverError::Disagree(error.to_string()));
            }
        };
        match made {
            Ok(artifact) => {
                self.store.put(&artifact);
                self.machine.made(make.request, artifact)
            }
            Err(error) => self.machine.not_made(make.request, work::error("E0741", error.to_string())),
        }
        .map_err(|error| DriverError::Disagree(error.to_string()))
    }

    fn item(&mut self, of: &Artifact, index: u32) -> Result<Artifact, PartsError> {
        if !self.items.contains_key(&of.checksum()) {
            let items = Items::of(of, &*self.store)?;
            self.items.insert(of.checksum(), items);
        }
        let items = self.items.get(&of.checksum()).cloned();
        let item = items.ok_or(PartsError::TooMany(0))?.item(of, index, &self.mint);
        if items_done(&self.items, of, index) {
            self.items.remove(&of.checksum());
        }
        item
    }

    fn target(&self, step: StepId) -> Option<StepTarget> {
        self.module().steps.get(step.index()).map(|step| step.target)
    }

    /// A row of the trace that no call of a worker stands behind: a definition, a fan-out, a call that was not made.
    fn note(&mut self, note: Note) {
        if !self.tracing {
            return;
        }
        let module = self.module.module();
        let name = match note.who {
            Some(StepTarget::Function(function)) => {
                module.functions.get(function.index()).map(|function| function.name.clone())
            }
            Some(StepTarget::Worker(worker)) => module.workers.get(worker.index()).map(|worker| worker.name.clone()),
            None => None,
        };
        let verdict = note.verdict.and_then(|word| module.words.get(word.index()).cloned());
        self.record(StepRecord {
            key: note.key.to_string(),
            worker: name.unwrap_or_default(),
            outcome: note.decision.taken.word().to_owned(),
            attempt: note.attempt,
            ms: 0.0,
            artifact: note.output.map(|output| output.checksum()),
            verdict,
            rule: note.decision.rule,
            passed_over: note.decision.passed_over,
            error: note.error,
            tokens: 0,
            cost_usd: 0.0,
        });
    }

    fn report(mut self, ending: Ending) -> Report {
        self.totals.ms = (self.started.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        Report {
            run: self.around.run.clone(),
            ending,
            interrupted: self.interrupted,
            steps: self.steps,
            totals: self.totals,
        }
    }
}

/// What the machine is told of a value that a worker returned.
fn answered(value: Result<Artifact, PartsError>, verdict: Option<String>, usage: Usage) -> Answer {
    match value {
        Ok(output) => Answer::Done { output, verdict, usage },
        Err(error) => Answer::Failed {
            kind: aivm_schema::module::EndKind::Failure,
            error: work::error("E0719", format!("what it returned is no artifact: {error}")),
            usage,
        },
    }
}

/// Was this the last item of a value? Then its parts need not be kept at hand.
fn items_done(items: &FxHashMap<Checksum, Items>, of: &Artifact, index: u32) -> bool {
    items.get(&of.checksum()).is_some_and(|items| index as usize + 1 >= items.len())
}

/// Returns at that time; never, when there is none.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
