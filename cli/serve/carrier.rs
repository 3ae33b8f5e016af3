//! Who runs pipelines for others: a thread for each core, each with an event loop of its own. They share one store, one set of models and
//! one pool of threads; a run stays with the carrier that it was given to.

use super::live::Live;
use super::log::Log;
use super::runner::{Request, Runner, Told, closing};
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
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinSet, LocalSet};

/// So many steps wait at most for whoever hears of them; further ones are not told.
const MOST_WAITING: usize = 64;

/// Serves programs.
pub struct Server {
    /// Served, in their order.
    pub programs: Vec<(Pipeline, Program)>,
    /// What is said to whoever watches.
    pub log: Log,
    /// How each of their runs is run.
    how: How,
    /// What they share.
    shared: Shared,
    pool: Mutex<Option<Arc<Pool>>>,
}

impl Server {
    /// For these programs.
    pub fn new(programs: Vec<(Pipeline, Program)>, how: How, shared: Shared) -> Server {
        let log = Log::new(how.quiet);
        Server { programs, log, how, shared, pool: Mutex::default() }
    }

    /// Serves until nobody can ask any more and all runs are over. `front` is given a runner; when it returns nothing more begins.
    pub fn serve(self, at_once: u16, front: impl AsyncFnOnce(Runner) -> Result<(), Failure>) -> Result<Exit, Failure> {
        let server = Arc::new(self);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let carriers = (0..cores).map(|nth| start(nth, server.clone())).collect::<Result<Vec<_>, _>>()?;
        let (requests, threads): (Vec<_>, Vec<_>) = carriers.into_iter().unzip();
        let events = events()?;
        let served = events.block_on(front(Runner::new(requests, at_once)));
        // A thread that waits for standard input is not waited for.
        events.shutdown_background();
        let mut exit = Exit::SENT;
        for thread in threads {
            exit = exit.worse(thread.join().unwrap_or(Exit::FAILED));
        }
        served.map(|()| exit)
    }

    /// The threads for pure built-ins.
    fn pool(&self) -> std::io::Result<Arc<Pool>> {
        let pool = &mut *self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pool {
            return Ok(pool.clone());
        }
        Ok(pool.insert(Arc::new(Pool::of_machine()?)).clone())
    }
}

/// An event loop for the thread that it is made on.
fn events() -> Result<Runtime, Failure> {
    let events = tokio::runtime::Builder::new_current_thread().enable_all().build();
    events.map_err(|error| Failure::failed("E0805", format!("no event loop: {error}")))
}

/// A carrier: where it is asked, and its thread, which ends when nobody can ask it any more and its runs are over.
fn start(nth: usize, server: Arc<Server>) -> Result<(UnboundedSender<Request>, JoinHandle<Exit>), Failure> {
    let (requests, requested) = unbounded_channel();
    let events = events()?;
    let carry = move || {
        let carrier = Rc::new(Carrier { server, exit: Cell::new(Exit::SENT) });
        LocalSet::new().block_on(&events, carrier.clone().carry(requested));
        events.shutdown_background();
        carrier.exit.get()
    };
    let thread = std::thread::Builder::new().name(format!("aivm-carrier-{nth}")).spawn(carry);
    let thread = thread.map_err(|error| Failure::failed("E0805", format!("no thread for runs: {error}")))?;
    Ok((requests, thread))
}

struct Carrier {
    server: Arc<Server>,
    /// With which code the program ends.
    exit: Cell<Exit>,
}

impl Carrier {
    async fn carry(self: Rc<Self>, mut requested: UnboundedReceiver<Request>) {
        let mut runs = JoinSet::new();
        loop {
            tokio::select! {
                request = requested.recv() => {
                    let Some(request) = request else { break };
                    let carrier = self.clone();
                    runs.spawn_local(async move { carrier.carry_out(request).await });
                }
                Some(_) = runs.join_next() => {}
            }
        }
        while runs.join_next().await.is_some() {}
    }

    async fn carry_out(&self, request: Request) {
        let Request { pipeline, input, hears, told, waiting, stop, place } = request;
        let end = match self.server.programs.get(pipeline) {
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
        let Server { how, shared, log, .. } = &*self.server;
        let mut begun = Begun::new(shared, how, false, program, None, input)?;
        let process = Serving { server: self.server.clone(), stop: RefCell::new(Some(stop)) };
        begun.options.process = Rc::new(process);
        let (store, run) = (begun.store.clone(), begun.options.around.run.clone());
        let _ = ear.told.send(Told::Began(run));
        let report = begun.drive(ear).await.map_err(|error| {
            if let Some(exit) = run::abandoned(&error) {
                self.exit.set(self.exit.get().worse(exit));
            }
            run::left(&error, how)
        })?;
        let outcome = Outcome::of(&report, program.module.module());
        let kept = store.flush();
        let mut served = Served::of(outcome, &report, &*store, how.ephemeral)?;
        served.output_tokens = ear.output_tokens;
        log.say(served.line(&pipeline.name));
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
    server: Arc<Server>,
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

    fn pool(&self) -> std::io::Result<Arc<Pool>> {
        self.server.pool()
    }
}
