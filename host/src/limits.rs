//! How often workers and providers are called: limits that all runs of a process share. A call books its place the moment it
//! comes, so how long it must wait is known at once, and one that would wait longer than it may fails at once. When, and how
//! that is reckoned, is [`window`]'s; here is what waits.

#[cfg(feature = "models")]
use crate::models::{AskError, Used, client::Said};
use crate::trace::time_text;
use crate::work::{Returned, Task};
use aivm_schema::unit::Tokens;
use aivm_schema::worker::{Does, Rates};
#[cfg(feature = "models")]
use aivm_vm::action::Usage;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

mod window;

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

/// What a call will use, as far as that can be told before: what its worker declares, else the text of a question and the
/// longest answer.
fn expected(task: &Task) -> u64 {
    let Does::Model(ask) = &task.worker.definition.does else { return 0 };
    let text = ask.prompt.len() + task.input.payload().len();
    let parts: usize = task.parts.iter().map(|(_, _, value)| value.payload().len()).sum();
    let asked = (text + parts) as u64 / PER_TOKEN + u64::from(ask.options.max_tokens.unwrap_or(0));
    task.worker.definition.tokens.map_or(asked, |Tokens(tokens)| tokens)
}

/// A model is asked once its provider's limits let it, and it itself; what it says of the next time holds for the next.
#[cfg(feature = "models")]
pub async fn of_model(
    task: &Task,
    name: &str,
    tokens: u64,
    until: Option<Instant>,
    usage: &mut Usage,
    asked: impl Future<Output = Result<Said, AskError>>,
) -> Result<Said, AskError> {
    let (models, limits) = (&task.around.outside.models, task.around.outside.models.limits());
    let provider = name.split('/').next().unwrap_or(name);
    let rates = models.provider(provider).map(|provider| provider.limits).unwrap_or_default();
    let model = Who::Model(name.to_owned());
    let mut passes = Vec::new();
    for (who, rates) in [(Who::Provider(provider.to_owned()), rates), (model.clone(), Rates::default())] {
        let most = until.map(|until| until.saturating_duration_since(Instant::now()));
        let pass = limits.enter(who, Asks { rates: &rates, tokens, most }, |text| task.tell(text)).await;
        let pass = pass.map_err(|wait| AskError::Limited { model: name.to_owned(), wait })?;
        usage.waited_ms = usage.waited_ms.saturating_add(pass.waited.as_millis() as u64);
        passes.push(pass);
    }
    let said = asked.await;
    if let Err(AskError::RateLimited { after: Some(seconds), .. }) = &said {
        limits.leave_alone(model, *seconds);
    }
    let used = said.as_ref().map_or(0, |said| said.used.map_or(tokens, Used::tokens));
    passes.into_iter().for_each(|pass| pass.settle(used));
    said
}

/// A call of a worker waits for its limits; what it may take is less by that then.
pub async fn of_worker(task: &mut Task) -> Result<Pass, Returned> {
    let rates = task.worker.definition.limits;
    let who = Who::Worker(task.worker.name.clone());
    let limits = task.around.outside.models.limits();
    let most = task.deadline_ms.map(Duration::from_millis);
    let tokens = if rates.is_none() { 0 } else { expected(task) };
    let entered = limits.enter(who, Asks { rates: &rates, tokens, most }, |text| task.tell(text));
    let pass = tokio::select! {
        entered = entered => entered.map_err(|error| Returned::failed(TooLong::CODE, error.to_string()))?,
        () = task.stop.asked() => return Err(Returned::stopped()),
    };
    if let Some(deadline) = &mut task.deadline_ms {
        *deadline = deadline.saturating_sub(pass.waited.as_millis() as u64).max(1);
    }
    Ok(pass)
}

#[cfg(test)]
mod tests;
