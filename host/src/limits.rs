//! How often workers and providers are called: limits that all runs of a process share. A call books its place the moment it
//! comes, so how long it must wait is known at once, and one that would wait longer than it may fails at once. When, and how
//! that is reckoned, is `window`'s; here is what waits.

use crate::trace::time_text;
use aivm_schema::worker::{Rates, Resources};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

mod machine;
mod window;

pub use machine::{Lease, Machine};
use window::{Booked, Window};

/// So many bytes of text are about one token, where nobody counts them.
pub const PER_TOKEN: u64 = 4;
/// A wait that is shorter is not worth a word.
const WORTH_TELLING: Duration = Duration::from_secs(1);

/// What was used before this process began: the name of whom, and since when in Unix milliseconds; each time with its tokens.
pub type Before = Box<dyn Fn(&Who, u64) -> Vec<(u64, u64)> + Send + Sync>;

/// Who is limited.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// A worker, by its name.
    Worker(String),
    /// A provider of models, by its name.
    Provider(String),
    /// One of its models, as `provider/model`.
    Model(String),
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Who::Worker(name) => write!(f, "`{name}`"),
            Who::Provider(name) => write!(f, "the provider `{name}`"),
            Who::Model(name) => write!(f, "{name}"),
        }
    }
}

/// The limits of a process.
#[derive(Default)]
pub struct Limits {
    gates: Mutex<BTreeMap<Who, Arc<Gate>>>,
    before: Option<Before>,
    /// Measured when somebody takes of it: a run whose calls take nothing asks for none of that.
    machine: LazyLock<Machine>,
}

impl std::fmt::Debug for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limits").finish_non_exhaustive()
    }
}

/// Where all calls of somebody pass.
#[derive(Debug)]
struct Gate {
    window: Mutex<Window>,
    places: Option<Arc<Semaphore>>,
    /// Does it know what was used before this process began?
    remembers: bool,
}

impl Gate {
    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a call is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{who} would have to wait {} ({limit}), and its call may take {}", time_text(*wait_ms as f64), time_text(*deadline_ms as f64))]
pub struct TooLong {
    who: Who,
    limit: &'static str,
    wait_ms: u64,
    deadline_ms: u64,
}

impl TooLong {
    /// Its stable code.
    pub const CODE: &'static str = "E0965";
}

/// A call that may be made now. It keeps its place until it is dropped.
#[derive(Debug)]
pub struct Pass {
    gate: Option<Arc<Gate>>,
    booked: Booked,
    began: bool,
    _place: Option<OwnedSemaphorePermit>,
    /// How long it waited.
    pub waited: Duration,
}

impl Pass {
    /// Of what has no limit.
    fn free() -> Pass {
        Pass { gate: None, booked: Booked::default(), began: true, _place: None, waited: Duration::ZERO }
    }

    /// It is over, and used so many tokens.
    pub fn settle(mut self, tokens: u64) {
        if let Some(gate) = self.gate.take() {
            gate.window().settle(self.booked, tokens);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let Some(gate) = self.gate.take() else { return };
        match self.began {
            // How much it used is not known: what it reserved counts.
            true => {}
            false => gate.window().cancel(self.booked),
        }
    }
}

/// What a call is going to take.
#[derive(Clone, Copy, Debug)]
pub struct Asks<'a> {
    /// What holds for whom it asks.
    pub rates: &'a Rates,
    /// Its tokens, as far as they can be told before.
    pub tokens: u64,
    /// The longest that it may wait.
    pub most: Option<Duration>,
}

impl Limits {
    /// With what was used before this process began.
    pub fn with(before: Before) -> Limits {
        Limits { before: Some(before), ..Limits::default() }
    }

    /// Returns when so much of the machine is left; fails when that takes longer than `most`.
    pub async fn lease(&self, who: Who, wanted: Resources, most: Option<Duration>) -> Result<Lease, TooLong> {
        if wanted == Resources::default() {
            return Ok(Lease::default());
        }
        let lease = self.machine.lease(wanted, most).await;
        let wait_ms = most.map_or(0, |most| most.as_millis() as u64);
        lease.ok_or(TooLong { who, limit: "what is left of the machine", wait_ms, deadline_ms: wait_ms })
    }

    /// Returns when a call may be made; fails when that is too late. `told` hears of a wait that is worth it.
    pub async fn enter(&self, who: Who, asks: Asks<'_>, told: impl Fn(&str)) -> Result<Pass, TooLong> {
        if asks.rates.is_none() && !self.is_known(&who) {
            return Ok(Pass::free());
        }
        let gate = self.gate(&who, asks.rates);
        let began = Instant::now();
        let too_long = |limit, wait: Duration| TooLong {
            who: who.clone(),
            limit,
            wait_ms: wait.as_millis() as u64,
            deadline_ms: asks.most.map_or(0, |most| most.as_millis() as u64),
        };
        let place = match &gate.places {
            None => None,
            Some(places) => match places.clone().try_acquire_owned() {
                Ok(place) => Some(place),
                Err(_) => Some(
                    wait_for_place(places, asks.most)
                        .await
                        .ok_or_else(|| too_long("calls at once", began.elapsed()))?,
                ),
            },
        };
        let left = asks.most.map(|most| most.saturating_sub(began.elapsed()));
        let now = now_ms();
        let (booked, limit) = {
            let mut window = gate.window();
            let (booked, limit) = window.book(now, asks.tokens, asks.rates);
            let wait = Duration::from_millis(booked.at_ms.saturating_sub(now));
            if left.is_some_and(|left| wait > left) {
                window.cancel(booked);
                return Err(too_long(limit, wait));
            }
            (booked, limit)
        };
        let mut pass = Pass { gate: Some(gate), booked, began: false, _place: place, waited: Duration::ZERO };
        let wait = Duration::from_millis(booked.at_ms.saturating_sub(now));
        if wait >= WORTH_TELLING {
            let time = time_text(wait.as_millis() as f64);
            told(&format!("{who} waits {time} ({limit})"));
        }
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        (pass.began, pass.waited) = (true, began.elapsed());
        Ok(pass)
    }

    /// Somebody asks to be left alone for so long: nobody calls before that.
    pub fn leave_alone(&self, who: Who, seconds: u64) {
        let gate = self.gate(&who, &Rates::default());
        gate.window().leave_alone(now_ms().saturating_add(seconds.saturating_mul(1_000)));
    }

    fn is_known(&self, who: &Who) -> bool {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner).contains_key(who)
    }

    fn gate(&self, who: &Who, rates: &Rates) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let knows_all = |known: &Gate| {
            (known.places.is_some() || rates.concurrent.is_none())
                && (known.remembers || rates.tokens_per_day.is_none())
        };
        if let Some(known) = gates.get(who).filter(|known| knows_all(known)) {
            return known.clone();
        }
        let known = gates.get(who).cloned();
        let mut window = known.as_ref().map_or_else(Window::default, |known| known.window().clone());
        let remembered = known.as_ref().is_some_and(|known| known.remembers);
        let remembers = remembered || rates.tokens_per_day.is_some();
        if let (Some(before), true) = (&self.before, remembers && !remembered) {
            let now = now_ms();
            window.remember(now, before(who, now.saturating_sub(window::DAY_MS)));
        }
        let places = known.and_then(|known| known.places.clone());
        let places = places.or(rates.concurrent.map(|places| Arc::new(Semaphore::new(places as usize))));
        let gate = Arc::new(Gate { window: Mutex::new(window), places, remembers });
        gates.insert(who.clone(), gate.clone());
        gate
    }
}

async fn wait_for_place(places: &Arc<Semaphore>, most: Option<Duration>) -> Option<OwnedSemaphorePermit> {
    let place = places.clone().acquire_owned();
    match most {
        Some(most) => tokio::time::timeout(most, place).await.ok()?.ok(),
        None => place.await.ok(),
    }
}

/// Unix milliseconds that never go back.
fn now_ms() -> u64 {
    static BEGAN: LazyLock<(u64, Instant)> = LazyLock::new(|| {
        let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        (unix.map_or(0, |unix| unix.as_millis() as u64), Instant::now())
    });
    BEGAN.0.saturating_add(BEGAN.1.elapsed().as_millis() as u64)
}

#[cfg(test)]
mod tests;
