//! The driver: one loop that carries out what a run says and tells it what came of it. Calls that need nothing but this
//! processor run on the spot or on the pool; everything that waits is a task.
//!
//! Here is all the order there is: the run decides, the workers work, this loop passes notes.

use crate::cache;
use crate::facts;
use crate::mint::Mint;
use crate::parts::{self, PartsError, Recipes};
use crate::pool::Pool;
use crate::process::{Process, Refused, Reply};
use crate::secret;
use crate::signals::{Asked, Signals};
use crate::store::{Store, StoreError};
use crate::trace::{Before, Event, Observer, StepRecord, Totals, dollars};
use crate::work::{self, Piece, Prepared, Returned, Stop, Surroundings, Task, builtins, mock};
use aivm_schema::artifact::Artifact;
use aivm_schema::journal::RunStarted;
use aivm_schema::module::{EndKind, Module, RunLimits, StepId, WorkerId};
use aivm_schema::worker::Does;
use aivm_vm::action::{Answer, Call, CallError, Purpose, RequestId, RunEnd, Usage};
use aivm_vm::run::{Begin, Do, Question, Run, Why};
use aivm_vm::verify::VerifiedModule;
use aivm_vm::{CompleteError, StepKey};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::mpsc;
// Not that of `std`: a simulation lets its time pass as it likes.
use tokio::time::Instant;

mod calls;
mod hold;
mod people;
mod reuse;
mod value;

pub use reuse::Reuse;

/// So many things are done between two looks at what else happened: calls that are answered on the spot wait for nothing.
const TURNS: u32 = 64;
/// Payloads up to this size, in bytes, are given to a pure built-in on the spot when nothing else is under way.
const ON_THE_SPOT: usize = 4 << 10;
/// How often it is looked whether another process asks the run to stop.
const LISTEN: Duration = Duration::from_millis(250);

/// How a run is run.
pub struct Options {
    /// What all calls share.
    pub around: Surroundings,
    /// Limits of the whole run; those of the program unless set.
    pub limits: RunLimits,
    /// The deadline of the whole run, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Keep a row of every call for the report; else only of the last that failed.
    pub trace: bool,
    /// What the run's journal begins with; none: there is no journal.
    pub started: Option<RunStarted>,
    /// Where it is told that a person is asked: the address of a web hook.
    pub webhook: Option<String>,
    /// What another run has answered already.
    pub reuse: Option<Reuse>,
    /// Who carries out the calls.
    pub process: Rc<dyn Process>,
}

/// How a run ended.
#[derive(Debug)]
pub enum Ending {
    /// The machine came to its end.
    Ended(RunEnd),
    /// It waits for somebody: a limit to be raised, an unknown call to be settled, a question to be answered.
    Parked(Why, Vec<Question>),
    /// It stands between two calls, where whoever looks has let none of them go.
    Held,
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
    /// Every call, in the order in which they ended; or the last that failed.
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
    /// What is taken over from another run is not whole.
    #[error(transparent)]
    Lost(#[from] PartsError),
    /// No threads for the pool.
    #[error("E0760: no threads can be started: {0}")]
    Pool(std::io::Error),
    /// The machine was told something that it did not ask for: a fault of this program.
    #[error(
        "E0761: the driver and the machine disagree: {0}. This is a fault of aivm: please report it with the program"
    )]
    Disagree(#[from] CompleteError),
    /// Asked to stop twice.
    #[error("E0762: interrupted twice: the run was left where it was{}", if *.undo { ", and what it did is not undone" } else { "" })]
    Abandoned {
        /// Does the program have undoers?
        undo: bool,
    },
    /// Whoever carries out the calls does not carry out this one.
    #[error(transparent)]
    Refused(#[from] Refused),
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
    let facts = facts::of(module.module(), options.around.mock, options.process.replays());
    let started = options.started.clone();
    let mut run = Run::start(module, input, options.limits, options.timeout_ms, facts, mint.now(), started);
    if options.reuse.is_some() || observer.is_holding() {
        run.hold();
    }
    if let Some(reuse) = &options.reuse
        && let Some(input) = reuse.input.clone()
    {
        store.put(&input);
        run.instead(reuse.at.clone(), input);
    }
    drive(run, Vec::new(), options, store, mint, observer).await
}

/// Goes on with a run to its end. `history` is what happened before, for the report: [`Do::Ended`] and [`Do::Note`].
pub async fn drive(
    run: Run,
    history: Vec<Do>,
    options: Options,
    store: Rc<dyn Store>,
    mint: Arc<Mint>,
    observer: &mut dyn Observer,
) -> Result<Report, DriverError> {
    secret::learn(run.module());
    let mut driver = Driver::new(run, options, store, mint, observer);
    for row in history {
        driver.record(row);
    }
    driver.showing = true;
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
    run: Run,
    /// The artifact of the program, when there is a journal.
    program: Option<Artifact>,
    around: Arc<Surroundings>,
    tracing: bool,
    /// All rows of the trace are wanted; else the last that failed.
    keeping: bool,
    store: Rc<dyn Store>,
    process: Rc<dyn Process>,
    mint: Arc<Mint>,
    observer: &'a mut dyn Observer,
    pool: Option<Arc<Pool>>,
    prepared: FxHashMap<(WorkerId, Option<StepId>), Result<Arc<Prepared>, CallError>>,
    /// The words that calls of a step may answer.
    words: FxHashMap<StepId, Arc<[String]>>,
    calls: FxHashMap<RequestId, UnderWay>,
    /// Interrupted calls that a probe looks after.
    probes: FxHashMap<RequestId, Call>,
    reuse: Option<Reuse>,
    webhook: Option<String>,
    /// Web hooks that are being told.
    told: Vec<tokio::task::JoinHandle<Result<(), String>>>,
    recipes: Recipes,
    /// Answers that came at once; the run is told when it waits.
    answers: VecDeque<(RequestId, Returned)>,
    returned: mpsc::UnboundedReceiver<(RequestId, Result<Returned, Refused>)>,
    sender: mpsc::UnboundedSender<(RequestId, Result<Returned, Refused>)>,
    /// Pieces of answers, when somebody listens.
    heard: mpsc::UnboundedReceiver<Piece>,
    hears: Option<mpsc::UnboundedSender<Piece>>,
    /// What calls wait for.
    waits: mpsc::UnboundedReceiver<String>,
    tells: mpsc::UnboundedSender<String>,
    /// What is held back of answers that are told piece by piece, while a secret is known.
    pieces: FxHashMap<StepKey, secret::Stream>,
    interrupted: bool,
    /// When it is looked next whether another process asks the run to stop.
    listen: Instant,
    /// The keys of the calls that were asked to stop.
    stopped: Vec<String>,
    /// What happened before this process is in the report, but has been shown.
    showing: bool,
    steps: Vec<StepRecord>,
    started: Instant,
}

/// A call that has not been answered.
struct UnderWay {
    call: Call,
    /// None: it was answered at once.
    stop: Option<Arc<Stop>>,
    /// The most parts that its worker gives.
    most: Option<u32>,
    /// What was asked, when the answer may be kept for others.
    question: Option<cache::Question>,
    began: Instant,
}

impl<'a> Driver<'a> {
    fn new(
        run: Run,
        options: Options,
        store: Rc<dyn Store>,
        mint: Arc<Mint>,
        observer: &'a mut dyn Observer,
    ) -> Driver<'a> {
        #[cfg_attr(not(feature = "store"), allow(unused_mut))]
        let mut around = options.around;
        #[cfg(feature = "store")]
        {
            around.outside.programs.store = store.on_disk();
        }
        let (sender, returned) = mpsc::unbounded_channel();
        let (hears, heard) = mpsc::unbounded_channel();
        let (tells, waits) = mpsc::unbounded_channel();
        Driver {
            hears: observer.is_listening().then_some(hears),
            heard,
            waits,
            tells,
            pieces: FxHashMap::default(),
            program: run.program().and_then(|program| store.get(program)),
            run,
            around: Arc::new(around),
            keeping: options.trace,
            tracing: options.trace || observer.is_watching(),
            store,
            process: options.process,
            mint,
            observer,
            pool: None,
            prepared: FxHashMap::default(),
            words: FxHashMap::default(),
            calls: FxHashMap::default(),
            probes: FxHashMap::default(),
            reuse: options.reuse,
            webhook: options.webhook,
            told: Vec::new(),
            recipes: Recipes::default(),
            answers: VecDeque::new(),
            returned,
            sender,
            interrupted: false,
            listen: Instant::now() + LISTEN,
            stopped: Vec::new(),
            showing: false,
            steps: Vec::new(),
            started: Instant::now(),
        }
    }

    fn module(&self) -> &Module {
        self.run.module()
    }

    async fn drive(&mut self) -> Result<Ending, DriverError> {
        let mut signals = self.process.signals();
        let mut turns = 0;
        loop {
            match self.run.step() {
                Do::Write(batch) => self.store.append(batch).await?,
                Do::Make(make) => self.recipes.answer(&mut self.run, &self.around.run, make, &*self.store)?,
                Do::Call(begin) => self.begin(begin)?,
                Do::Stop(request) => self.stop(request),
                Do::Probe(call) => self.probe(call),
                Do::Ask(question) => self.notify(*question),
                Do::Checkpoint(checkpoint) => self.checkpoint(checkpoint),
                row @ (Do::Ended(_) | Do::Note(_)) => self.record(row),
                Do::Yield => drop(self.look_around(&mut signals).await?),
                Do::Wait(_) if self.reuse.is_some() => self.reuse()?,
                Do::Wait(_) if self.is_on_hold() => {
                    if !self.let_one_go() {
                        if let Some(batch) = self.run.leave() {
                            self.store.append(batch).await?;
                        }
                        return Ok(Ending::Held);
                    }
                }
                Do::Wait(until) => {
                    turns += 1;
                    if turns % TURNS == 0 && self.look_around(&mut signals).await? {
                        continue;
                    }
                    // What has come meanwhile is told together.
                    let mut told = false;
                    while let Some((request, returned)) = self.come() {
                        self.answer(request, returned?)?;
                        told = true;
                    }
                    if told {
                        continue;
                    }
                    tokio::select! {
                        biased;
                        Some(piece) = self.heard.recv() => self.tell(piece),
                        Some(text) = self.waits.recv() => self.observer.event(Event::Said(&text)),
                        Some((request, returned)) = self.returned.recv() => self.answer(request, returned?)?,
                        () = sleep_until(until, &self.mint) => drop(self.run.wake(self.mint.now())),
                        asked = poll_fn(|context| signals.poll(context)) => self.asked(asked)?,
                        () = tokio::time::sleep_until(self.listen) => drop(self.hear()),
                    }
                }
                Do::Park(why) => {
                    if !self.decide(&why) {
                        self.hear_webhooks().await;
                        return Ok(Ending::Parked(why, self.run.questions()));
                    }
                }
                Do::End(end) => {
                    self.process.end_leftovers(&self.around, &self.stopped);
                    self.hear_webhooks().await;
                    return Ok(Ending::Ended(end));
                }
            }
        }
    }

    fn come(&mut self) -> Option<(RequestId, Result<Returned, Refused>)> {
        let at_once = self.answers.pop_front().map(|(request, returned)| (request, Ok(returned)));
        at_once.or_else(|| self.returned.try_recv().ok())
    }

    /// While there is always something to do: hears signals, fires timers. Was the run told something?
    async fn look_around(&mut self, signals: &mut Signals) -> Result<bool, DriverError> {
        // Lets the runtime see what has come.
        tokio::task::yield_now().await;
        if let Poll::Ready(asked) = poll_fn(|context| Poll::Ready(signals.poll(context))).await {
            self.asked(asked)?;
            return Ok(true);
        }
        if Instant::now() >= self.listen && self.hear() {
            return Ok(true);
        }
        Ok(self.run.wake(self.mint.now()))
    }

    /// Does another process ask the run to stop? Then it is cancelled, once.
    fn hear(&mut self) -> bool {
        self.listen = Instant::now() + LISTEN;
        let Some(by) = self.store.cancelled() else { return false };
        self.run.cancel(self.mint.now(), &by);
        true
    }

    /// By a signal the run is cancelled the first time, with all that this undoes; the second time it is left.
    fn asked(&mut self, asked: Asked) -> Result<(), DriverError> {
        if let Asked::Cancel(by) = asked {
            self.run.cancel(self.mint.now(), &by);
            return Ok(());
        }
        if self.interrupted {
            return Err(DriverError::Abandoned { undo: self.module().steps.iter().any(|step| step.undo.is_some()) });
        }
        self.interrupted = true;
        self.run.cancel(self.mint.now(), "interrupt");
        Ok(())
    }

    fn stop(&mut self, request: RequestId) {
        let Some(under_way) = self.calls.get(&request) else { return };
        if let Some(stop) = &under_way.stop {
            stop.ask();
        }
        self.stopped.push(under_way.call.key.to_string());
    }

    /// A piece of an answer is shown, without what may be a part of a secret.
    fn tell(&mut self, Piece { key, text }: Piece) {
        let text = match secret::redactor() {
            None => text,
            Some(redactor) => {
                self.pieces.entry(key.clone()).or_insert_with(|| secret::Stream::new(redactor)).push(&text)
            }
        };
        if !text.is_empty() {
            self.observer.event(Event::Heard { key: &key.to_string(), text: &text });
        }
    }

    /// A call has been answered: the value becomes an artifact, the run is told.
    fn answer(&mut self, request: RequestId, returned: Returned) -> Result<(), DriverError> {
        let Some(UnderWay { call, began, most, question, .. }) = self.calls.remove(&request) else {
            return self.probed(request, returned);
        };
        if let Some(held) = self.pieces.remove(&call.key).map(|mut pieces| pieces.end()).filter(|held| !held.is_empty())
        {
            self.observer.event(Event::Heard { key: &call.key.to_string(), text: &held });
        }
        let entry = question.and_then(|asked| asked.entry(&returned, &self.around.run, self.mint.now()));
        let answer = self.value_of(&call, returned);
        let answer = self.counted(&call, most, answer);
        if let (Some(entry), Answer::Done { .. }) = (entry, &answer) {
            self.store.remember(entry);
        }
        let micros = began.elapsed().as_micros() as u64;
        Ok(self.run.answered(self.mint.now(), request, answer, micros)?)
    }

    /// A call has ended and that is durable, or something else happened that the trace shows.
    fn record(&mut self, what: Do) {
        if !self.tracing {
            return;
        }
        let cached = cache::run_of(self.run.module(), &what, |output| self.store.get(output));
        let before = Before::of_call(&what, |output| self.store.get(output));
        let Some(record) = StepRecord::of(self.run.module(), what) else { return };
        let record = record.cached_from(cached).before(before);
        if self.showing {
            self.observer.event(Event::Ended(&record));
        }
        if self.keeping {
            self.steps.push(record);
        } else if record.error.is_some() {
            self.steps = vec![record];
        }
    }

    fn report(self, ending: Ending) -> Report {
        let taken = self.run.totals();
        let totals = Totals {
            calls: taken.calls,
            ms: (self.started.elapsed().as_secs_f64() * 1e6).round() / 1e3,
            tokens: taken.tokens,
            cost_usd: dollars(taken.money),
        };
        Report { run: self.around.run.clone(), ending, interrupted: self.interrupted, steps: self.steps, totals }
    }
}

/// Returns at that time of the wall clock; never, when there is none.
async fn sleep_until(at: Option<u64>, mint: &Mint) {
    match at {
        Some(at) => tokio::time::sleep(Duration::from_nanos(at.saturating_sub(mint.now()))).await,
        None => std::future::pending().await,
    }
}
