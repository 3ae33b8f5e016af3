//! Who runs pipelines for others: one thread carries all their runs on, with one store, one set of models and one pool. Whoever serves
//! holds a [`Runner`], which can be sent anywhere, and for each run a [`Running`]; when that is dropped the run is cancelled.

use super::live::Live;
use super::log::Log;
use super::{Pipeline, Served};
use crate::args::How;
use crate::fail::{Exit, Failure};
use crate::module::Program;
use crate::run::{self, Begun, Outcome, Shared};
use aivm_host::pool::Pool;
use aivm_host::process::{Process, Reply, SystemProcess};
use aivm_host::signals::Signals;
use aivm_host::trace::{Event, Observer};
use aivm_host::work::{Surroundings, Task, mock};
use aivm_schema::artifact::Draft;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// So many steps wait at most for whoever hears of them; further ones are not told.
const MOST_WAITING: usize = 64;

/// What is told of a run.
#[derive(Debug)]
pub enum Told {
    /// It is under way, under this name.
    Began(String),
    /// A step has begun, or ended.
    Step(String),
    /// A piece of the output.
    Piece(String),
    /// It is over, or waits for somebody; nothing more is told.
    Ended(Result<Box<Served>, Failure>),
}

/// Begins runs.
#[derive(Clone)]
pub struct Runner {
    requests: UnboundedSender<Request>,
    /// Each run has one of so many places.
    places: Arc<Semaphore>,
    at_once: u16,
    closing: Arc<AtomicBool>,
}

struct Request {
    pipeline: usize,
    input: Draft,
    /// Pieces of the output are wanted.
    hears: bool,
    told: UnboundedSender<Told>,
    waiting: Arc<AtomicUsize>,
    stop: UnboundedReceiver<String>,
    place: Arc<OwnedSemaphorePermit>,
}

impl Runner {
    /// Begins a run; fails where there are as many as there may be.
    pub fn begin(&self, pipeline: usize, input: Draft, hears: bool) -> Result<Running, Failure> {
        if self.closing.load(Ordering::Relaxed) {
            return Err(closing());
        }
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            let message = "as many runs are under way as there may be at once";
            return Err(Failure::failed("E0943", message).help("call again later, or serve with a higher --at-once"));
        };
        let (told, events) = unbounded_channel();
        let (cancel, stop) = unbounded_channel();
        let waiting = Arc::<AtomicUsize>::default();
        let place = Arc::new(place);
        let request = Request { pipeline, input, hears, told, waiting: waiting.clone(), stop, place: place.clone() };
        self.requests.send(request).map_err(|_| closing())?;
        Ok(Running { events, waiting, cancel, _place: place })
    }

    /// Lets no run begin any more, and waits until none is under way.
    pub async fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        if let Ok(all) = self.places.acquire_many(self.at_once.into()).await {
            all.forget();
        }
    }
}

fn closing() -> Failure {
    Failure::failed("E0944", "the server is being stopped").help("call again when it is back")
}

/// A run, for whoever asked for it.
pub struct Running {
    events: UnboundedReceiver<Told>,
    waiting: Arc<AtomicUsize>,
    cancel: UnboundedSender<String>,
    /// Its place is taken until the run is over and nobody tells of it any more.
    _place: Arc<OwnedSemaphorePermit>,
}

impl Running {
    /// What happens next; the last is [`Told::Ended`].
    pub async fn next(&mut self) -> Told {
        let told = self.events.recv().await;
        if let Some(Told::Step(_)) = &told {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        told.unwrap_or_else(|| Told::Ended(Err(closing())))
    }

    /// How it ends.
    pub async fn end(&mut self) -> Result<Box<Served>, Failure> {
        loop {
            if let Told::Ended(end) = self.next().await {
                return end;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A run that is over hears nothing.
        let _ = self.cancel.send("client".to_owned());
    }
}

/// Serves programs.
pub struct Server {
    /// Served, in their order.
    pub programs: Vec<(Pipeline, Program)>,
    /// How each of their runs is run.
    pub how: How,
    /// What they share.
    pub shared: Shared,
    pool: Rc<OnceCell<Rc<Pool>>>,
    /// What is said to whoever watches.
    pub log: Log,
    /// With which code the program ends.
    exit: Cell<Exit>,
}

impl Server {
    /// For these programs.
    pub fn new(programs: Vec<(Pipeline, Program)>, how: How, shared: Shared) -> Server {
        let log = Log::new(how.quiet);
        Server { programs, how, shared, pool: Rc::default(), log, exit: Cell::new(Exit::SENT) }
    }

    /// Serves until nobody can ask any more and all runs are over. `front` is given a runner; when it returns nothing more begins.
    pub async fn serve(
        self,
        at_once: u16,
        front: impl AsyncFnOnce(Runner) -> Result<(), Failure>,
    ) -> Result<Exit, Failure> {
        let (requests, mut requested) = unbounded_channel::<Request>();
        let server = Rc::new(self);
        let places = Arc::new(Semaphore::new(at_once.into()));
        let runner = Runner { requests, places, at_once, closing: Arc::default() };
        let serving = async {
            let mut runs = JoinSet::new();
            loop {
                tokio::select! {
                    request = requested.recv() => {
                        let Some(request) = request else { break };
                        let server = server.clone();
                        runs.spawn_local(async move { server.carry_out(request).await });
                    }
                    Some(_) = runs.join_next() => {}
                }
            }
            while runs.join_next().await.is_some() {}
        };
        let (served, ()) = tokio::join!(front(runner), serving);
        served.map(|()| server.exit.get())
    }

    async fn carry_out(&self, request: Request) {
        let Request { pipeline, input, hears, told, waiting, stop, place } = request;
        let end = match self.programs.get(pipeline) {
            Some((pipeline, program)) => {
                let last = if hears { pipeline.last.as_slice() } else { &[] };
                let mut ear =
                    Ear { told: &told, waiting: &waiting, last, hears, live: Live::default(), output_tokens: 0 };
                self.run(pipeline, program, input, &mut ear, stop).await
            }
            None => Err(closing()),
        };
        let _ = told.send(Told::Ended(end.map(Box::new)));
        drop(place);
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        program: &Program,
        input: Draft,
        ear: &mut Ear<'_>,
        stop: UnboundedReceiver<String>,
    ) -> Result<Served, Failure> {
        let mut begun = Begun::new(&self.shared, &self.how, false, program, None, input)?;
        let process = Serving { pool: self.pool.clone(), stop: RefCell::new(Some(stop)) };
        begun.options.process = Rc::new(process);
        let (store, run) = (begun.store.clone(), begun.options.around.run.clone());
        let _ = ear.told.send(Told::Began(run));
        let report = begun.drive(ear).await.map_err(|error| {
            if let Some(exit) = run::abandoned(&error) {
                self.exit.set(self.exit.get().worse(exit));
            }
            run::left(&error, &self.how)
        })?;
        let outcome = Outcome::of(&report, program.module.module());
        let kept = store.flush();
        let mut served = Served::of(outcome, &report, &*store, self.how.ephemeral)?;
        served.output_tokens = ear.output_tokens;
        self.log.say(served.line(&pipeline.name));
        kept.map_err(|error| crate::fail::failed(&error.to_string()))?;
        if ear.hears && served.is_sent() {
            ear.rest(&served)?;
        }
        Ok(served)
    }
}

/// Tells whoever asked for a run what happens in it.
struct Ear<'a> {
    told: &'a UnboundedSender<Told>,
    waiting: &'a AtomicUsize,
    last: &'a [String],
    hears: bool,
    live: Live,
    output_tokens: u64,
}

impl Ear<'_> {
    fn step(&self, text: String) {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < MOST_WAITING {
            let _ = self.told.send(Told::Step(text));
        } else {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// What was not heard of the output while it came.
    fn rest(&self, served: &Served) -> Result<(), Failure> {
        let text = served.text();
        let Some(rest) = self.live.rest(&text) else {
            let message = "the model that was heard broke off, and what came then is another answer";
            return Err(Failure::failed("E0945", message).help(served.look()));
        };
        if !rest.is_empty() {
            let _ = self.told.send(Told::Piece(rest.to_owned()));
        }
        Ok(())
    }
}

impl Observer for Ear<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Started { key, worker, attempt } => {
                let again = if attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                self.step(format!("{key}: {worker}{again}"));
            }
            Event::Ended(record) => {
                self.output_tokens = self.output_tokens.saturating_add(record.output_tokens);
                self.step(format!("{} → {}", record.key, record.outcome));
            }
            Event::Heard { key, text } => {
                if self.last.iter().any(|last| key.starts_with(last.as_str()))
                    && let Some(piece) = self.live.hear(text)
                {
                    let _ = self.told.send(Told::Piece(piece.to_owned()));
                }
            }
            Event::Said(text) => self.step(text.to_owned()),
        }
    }

    fn is_listening(&self) -> bool {
        !self.last.is_empty()
    }
}

/// The operating system for one run of many: they share a pool, and whoever asked for the run can stop it.
struct Serving {
    pool: Rc<OnceCell<Rc<Pool>>>,
    stop: RefCell<Option<UnboundedReceiver<String>>>,
}

impl Process for Serving {
    fn begin(&self, task: Task, mock: Option<mock::Answering>, reply: Reply) {
        SystemProcess.begin(task, mock, reply);
    }

    fn end_leftovers(&self, around: &Surroundings, steps: &[String]) {
        SystemProcess.end_leftovers(around, steps);
    }

    fn signals(&self) -> Signals {
        let signals = SystemProcess.signals();
        match self.stop.borrow_mut().take() {
            Some(stop) => signals.and_caller(stop),
            None => signals,
        }
    }

    fn pool(&self) -> std::io::Result<Rc<Pool>> {
        if let Some(pool) = self.pool.get() {
            return Ok(pool.clone());
        }
        let pool = Rc::new(Pool::of_machine()?);
        Ok(self.pool.get_or_init(|| pool).clone())
    }
}
