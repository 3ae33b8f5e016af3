//! What whoever serves holds: a [`Runner`], which can be sent anywhere, and for each run a [`Running`]; when that is dropped the run is
//! cancelled. Who carries the runs on is in `carrier`.

use super::Served;
use crate::fail::Failure;
use aivm_schema::artifact::Draft;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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
    /// To each carrier.
    carriers: Arc<[UnboundedSender<Request>]>,
    /// The next goes to this one, in turn.
    turn: Arc<AtomicUsize>,
    /// Each run has one of so many places.
    places: Arc<Semaphore>,
    at_once: u16,
    closing: Arc<AtomicBool>,
}

/// A run that a carrier is to begin.
pub struct Request {
    /// Of which pipeline.
    pub pipeline: usize,
    /// What goes in.
    pub input: Draft,
    /// Pieces of the output are wanted.
    pub hears: bool,
    /// Whom it is told.
    pub told: UnboundedSender<Told>,
    /// So many steps wait there.
    pub waiting: Arc<AtomicUsize>,
    /// Why it is to be cancelled.
    pub stop: UnboundedReceiver<String>,
    /// Its place among those that may be under way.
    pub place: Arc<OwnedSemaphorePermit>,
}

impl Runner {
    /// Begins runs with these carriers, so many at once.
    pub fn new(carriers: Vec<UnboundedSender<Request>>, at_once: u16) -> Runner {
        let places = Arc::new(Semaphore::new(at_once.into()));
        Runner { carriers: carriers.into(), turn: Arc::default(), places, at_once, closing: Arc::default() }
    }

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
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.carriers.len().max(1);
        let carrier = self.carriers.get(turn).ok_or_else(closing)?;
        carrier.send(request).map_err(|_| closing())?;
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

/// Nothing more begins.
pub fn closing() -> Failure {
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
