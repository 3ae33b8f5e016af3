//! What outlives a process: the disk, the time, what the world remembers of calls, and what the journal says. What a process may
//! do, and when, is held against the records that were acknowledged.

use crate::case::{Case, SHIFT};
use crate::dice::Dice;
use crate::disk::{Cause, Disk, Stop};
use crate::ledger::{Index, Remembered, promise};
use crate::tally::Tally;
use aivm_host::builtin::{Body, NewPart};
use aivm_host::mint::Mint;
use aivm_host::process::Reply;
use aivm_host::work::{Returned, Stop as Ask, Task, error, mock};
use aivm_lang::eval::{self, Value};
use aivm_schema::journal::Link;
use aivm_schema::module::EndKind;
use aivm_schema::worker::Effect;
use aivm_vm::*;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

pub const MILLISECOND: u64 = 1_000_000;
/// What a receiver hears a moment later it may still know.
const SLACK: u64 = 100 * MILLISECOND;
/// What a worker says that hands on its input.
pub const SAME: &str = "the input";
/// The worker that finds out.
pub const PROBE: &str = "probe";

/// How a life goes, beside the case.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fate {
    pub seed: u64,
    pub crashes: u32,
    /// Operations until a crash: at most so many.
    pub life: u64,
    /// Somebody cancels.
    pub wild: bool,
}

/// A call in the world.
pub struct Doing {
    pub worker: String,
    pub key: String,
    pub attempt: u32,
    pub answer: eval::Answer,
    /// Instead of that, when the worker is scripted or a probe.
    instead: Option<Returned>,
    stop: Arc<Ask>,
    pub stopped: bool,
    /// When its receiver got it, and when it will be answered.
    sent: u64,
    pub at: u64,
    pub reply: Reply,
}

impl Doing {
    /// Whoever called hears the answer.
    pub fn hear(self) {
        self.reply.send(returned(&self.answer));
    }
}

pub struct Ground {
    pub case: Rc<Case>,
    pub fate: Fate,
    pub tally: Tally,
    pub disk: Disk,
    pub dice: Dice,
    pub mint: Arc<Mint>,
    pub ledger: BTreeMap<RequestId, Remembered>,
    pub index: Index,
    /// The last append that was acknowledged.
    pub acked: (u64, Link),
    pub doing: BTreeMap<RequestId, Doing>,
    /// The number of the living process.
    pub living: u32,
    /// It is gone, or must go because it cannot write any more.
    pub gone: Option<Cause>,
    pub failing: Option<Cause>,
    /// A promise.
    pub broken: Option<String>,
    pub comparable: bool,
    /// Undoers that somebody has done by hand.
    pub by_hand: BTreeSet<String>,
    pub effects: BTreeSet<String>,
    pub trace: u64,
    pub crashed: u32,
    pub began: u64,
    /// What the living process was told from outside.
    pub cancelled: bool,
    pub rollbacks: u64,
}

impl Ground {
    pub fn new(case: Rc<Case>, fate: Fate, mint: Arc<Mint>) -> Ground {
        Ground {
            case,
            fate,
            tally: Tally::default(),
            disk: Disk::new(fate.seed, None),
            dice: Dice::new(fate.seed ^ 0x70_6e),
            mint,
            ledger: BTreeMap::new(),
            index: Index::default(),
            acked: (0, Link::default()),
            doing: BTreeMap::new(),
            living: 0,
            gone: None,
            failing: None,
            broken: None,
            comparable: true,
            by_hand: BTreeSet::new(),
            effects: BTreeSet::new(),
            trace: 0,
            crashed: 0,
            began: u64::MAX,
            cancelled: false,
            rollbacks: 0,
        }
    }

    pub fn trace(&mut self, what: u64) {
        self.trace = (self.trace ^ what).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    /// What became of it, unless the process is gone or a promise is broken.
    pub fn held<T>(&mut self, what: Result<T, Stop>) -> Option<T> {
        match what {
            Ok(what) => return Some(what),
            Err(Stop::Gone(cause)) => self.gone = self.gone.or(Some(cause)),
            Err(Stop::Fenced) => self.breaks("the owner is fenced".into()),
            Err(Stop::Broken(what)) => self.breaks(what),
        }
        None
    }

    pub fn breaks(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    pub fn is_over(&self) -> bool {
        self.gone.is_some() || self.broken.is_some()
    }

    /// No timer is due before.
    pub fn least(&self) -> u64 {
        self.began.saturating_add(self.case.least_ms.saturating_mul(MILLISECOND))
    }

    /// A process begins a call.
    pub fn begin(&mut self, task: Task, mock: Option<mock::Answering>, reply: Reply) -> Result<(), Stop> {
        self.disk.tick()?;
        let (request, key, now) = (reply.request(), task.key.to_string(), self.mint.now());
        self.trace(request.0 << 8 | u64::from(task.attempt));
        promise!(self.failing.is_none(), "{key}: is called after a write has failed");
        promise!(!self.doing.contains_key(&request), "{key}: is under way, and is called again");
        let probe = task.worker.name == PROBE;
        let instead = mock.map(|answering| answering.returned(&task.worker));
        let mut answer = eval::Answer { after_ms: 1, stops_ms: None, result: said(SAME), money: 0, tokens: 0 };
        if probe {
            promise!(self.index.unknown.contains(&request.0), "{key}: a probe before it is unknown");
            promise!(*task.words == ["happened", "not-happened"], "{key}: a probe may say {:?}", task.words);
            answer.after_ms = 1 + self.dice.next() % (1 << 12);
        } else if instead.is_none() {
            self.may_begin(&task, request)?;
            answer = self.answer_of(&task);
            // A receiver that knows the key says what it has done.
            let idempotent = self.case.facts(&task.worker.name).effect == Effect::Idempotent;
            let done = self.ledger.get(&request).filter(|_| idempotent);
            if let Some(output) = done.and_then(|done| done.output.clone()) {
                answer.result = Ok(output);
            }
        }
        let at = now.saturating_add(answer.after_ms * MILLISECOND);
        let (worker, attempt, stop) = (task.worker.name.clone(), task.attempt, task.stop.clone());
        let doing = Doing { worker, key, attempt, answer, instead, stop, stopped: false, sent: now, at, reply };
        self.doing.insert(request, doing);
        let doing = self.doing.values().filter(|doing| doing.worker != PROBE).count();
        self.index.hold_places(doing, self.case.module.module().concurrent, &mut self.tally)
    }

    /// Is it time, and is it the first time?
    fn may_begin(&mut self, task: &Task, request: RequestId) -> Result<(), Stop> {
        let (key, now) = (task.key.to_string(), self.mint.now());
        let facts = self.case.facts(&task.worker.name).clone();
        let effect = facts.effect;
        promise!(!self.index.outcomes.contains_key(&request.0), "{key}: was answered, and is called again");
        promise!(facts.question.is_none(), "{key}: a person is called");
        // An undoer that is a definition calls the same again when it is tried again.
        let again = key.contains("~undo/");
        promise!(again || !self.by_hand.contains(&key), "{key}: was done by hand");
        if task.attempt > 1
            && let Some(at) = self.index.ended.get(&(key.clone(), task.attempt - 1))
        {
            let least = facts.backoff.before(task.attempt - 1).0 / 2 * MILLISECOND;
            promise!(now >= at + least, "{key}: the retry does not wait");
            self.tally.hit("a retry waits");
        }
        if effect == Effect::Pure {
            return Ok(());
        }
        promise!(self.index.intents.contains_key(&request.0), "{key}: begins before its intent");
        promise!(!self.index.unknown.contains(&request.0), "{key}: unknown, and is called again");
        let bytes = task.input.content_digest().0;
        let remembered = self.ledger.entry(request).or_default();
        let (again, cleared) = (remembered.begun > 0, remembered.cleared);
        let live = remembered.live_until.is_none_or(|until| now < until);
        if again {
            promise!(remembered.before, "{key}: called twice by one process");
            promise!(remembered.bytes == Some(bytes), "{key}: again with other bytes");
            let may = cleared || effect == Effect::Read || effect == Effect::Idempotent && live;
            promise!(may, "{key}: repeated, {effect:?}");
            self.tally.hit(match effect {
                Effect::Pure | Effect::Read => "again: read",
                Effect::Idempotent if cleared => "again: idempotent, not happened",
                Effect::Idempotent => "again: idempotent, live key",
                Effect::Compensable => "again: compensable, not happened",
                Effect::Irreversible => "again: irreversible, not happened",
            });
        }
        remembered.begun += 1;
        remembered.effect = Some(effect);
        remembered.before = false;
        remembered.cleared = false;
        remembered.bytes = Some(bytes);
        let until = facts.key_ms.map(|ms| now + ms * MILLISECOND + SLACK);
        remembered.live_until = remembered.live_until.or(until);
        Ok(())
    }

    /// What will come of a call.
    fn answer_of(&self, task: &Task) -> eval::Answer {
        let mut words: Vec<&str> = task.words.iter().map(String::as_str).collect();
        words.sort_unstable();
        words.dedup();
        // Whatever is tried again after a rollback may go another way.
        let attempt = task.attempt + 10 * self.rollbacks as u32;
        let (key, input) = (task.key.to_string(), Value::text(SAME));
        let mut answer = self.case.script.answer(&eval::Call { key: &key, attempt, input: &input, words });
        answer.after_ms = 1 + (answer.after_ms >> SHIFT);
        answer.stops_ms = answer.stops_ms.map(|ms| 1 + (ms >> SHIFT));
        if let Some(deadline) = task.deadline_ms.filter(|deadline| *deadline < answer.after_ms) {
            answer.after_ms = deadline;
            answer.result = Err((EndKind::Timeout, "E0712".into()));
        }
        answer
    }

    /// Calls that were asked to stop meanwhile.
    pub fn heed_stops(&mut self) {
        let now = self.mint.now();
        for (request, doing) in &mut self.doing {
            if doing.stopped || !doing.stop.is_asked() {
                continue;
            }
            doing.stopped = true;
            // A receiver that knows the key says what it has done.
            let done = self.ledger.get(request).is_some_and(|remembered| remembered.done > 0);
            let stops = doing.answer.stops_ms.map(|ms| now + ms * MILLISECOND);
            if let Some(at) = stops.filter(|at| !done && *at < doing.at) {
                doing.answer.result = Err((EndKind::Cancel, "E0900".into()));
                doing.at = at;
            }
        }
    }

    /// When the next call is answered, and which.
    pub fn next(&self) -> Option<(u64, RequestId)> {
        self.doing.iter().map(|(request, doing)| (doing.at, *request)).min()
    }

    pub fn answer(&mut self, request: RequestId) -> Result<(), Stop> {
        self.disk.tick()?;
        let Some(mut doing) = self.doing.remove(&request) else { return Ok(()) };
        let returned = match doing.instead.take() {
            Some(returned) => returned,
            None if doing.worker == PROBE => self.found_out(request),
            None => {
                self.happen(request, &doing)?;
                returned(&doing.answer)
            }
        };
        doing.reply.send(returned);
        Ok(())
    }

    pub fn happen(&mut self, request: RequestId, doing: &Doing) -> Result<(), Stop> {
        // A failure does nothing.
        let Ok(output) = &doing.answer.result else { return Ok(()) };
        let facts = self.case.facts(&doing.worker);
        let effect = facts.effect;
        if effect == Effect::Pure || facts.scripted || doing.worker == PROBE {
            return Ok(());
        }
        let remembered = self.ledger.entry(request).or_default();
        let knows = effect == Effect::Idempotent && remembered.live_until.is_none_or(|until| doing.sent < until);
        if remembered.done == 0 || !knows {
            remembered.done += 1;
        }
        remembered.output = Some(output.clone());
        promise!(effect <= Effect::Read || remembered.done == 1, "{}: done twice", doing.key);
        if effect > Effect::Read {
            self.effects.insert(format!("{} {}", doing.key, doing.attempt));
        }
        Ok(())
    }

    /// What is true of a call: its output, if it happened.
    pub fn truth(&mut self, request: RequestId) -> Option<(Value, Option<String>)> {
        let remembered = self.ledger.entry(request).or_default();
        if remembered.done == 0 {
            remembered.cleared = true;
            return None;
        }
        remembered.output.clone()
    }

    /// What a probe says.
    fn found_out(&mut self, request: RequestId) -> Returned {
        if self.dice.chance(30) {
            self.tally.hit("probe: not known");
            return Returned::failed("E0900", "nobody can tell");
        }
        let truth = self.truth(request);
        self.tally.hit(if truth.is_some() { "probe: happened" } else { "probe: not happened" });
        let word = if truth.is_some() { "happened" } else { "not-happened" };
        // A probe says nothing of the word.
        self.comparable &= truth.as_ref().is_none_or(|(_, verdict)| verdict.is_none());
        let output = truth.map_or_else(|| Value::text(SAME), |(value, _)| value);
        let result = Ok((output, Some(word.to_owned())));
        returned(&eval::Answer { after_ms: 0, stops_ms: None, result, money: 0, tokens: 0 })
    }

    /// What was done has its outcome, and the other way round nothing was done without one.
    pub fn audit(&self) -> Result<(), Stop> {
        promise!(self.index.finished, "shown before it is durable");
        promise!(self.index.rollbacks >= self.rollbacks, "a rollback is not recorded");
        promise!(self.index.cancelled || !self.cancelled, "a cancel is not recorded");
        for (request, remembered) in &self.ledger {
            let answered = self.index.outcomes.get(&request.0);
            let read = remembered.effect.is_none_or(|effect| effect <= Effect::Read);
            let lost = remembered.done > 0 && !read && answered != Some(&true);
            promise!(!lost, "request {}: done, and it is lost", request.0);
        }
        promise!(self.index.unknown.is_empty(), "it ends while something is unknown");
        for artifact in &self.index.artifacts {
            promise!(self.disk.find(*artifact).is_some(), "the value {artifact} is lost");
        }
        Ok(())
    }
}

fn said(text: &str) -> Result<(Value, Option<String>), (EndKind, String)> {
    Ok((Value::text(text), None))
}

/// As a worker returns it.
fn returned(answer: &eval::Answer) -> Returned {
    let usage = Usage { money: answer.money, tokens: answer.tokens, ..Usage::default() };
    match answer.result.clone() {
        Ok((value, verdict)) => Returned::Done { body: body(&value), verdict, attributes: Vec::new(), usage },
        Err((kind, code)) => Returned::Failed { kind, error: error(&code, ""), usage },
    }
}

fn body(value: &Value) -> Body {
    let text = |value: &Value| (String::from("text/plain"), value.to_string().into_bytes());
    match &value.body {
        eval::Body::Text(same) if &**same == SAME => Body::Same,
        eval::Body::Text(_) => {
            let (media_type, payload) = text(value);
            Body::New { media_type, payload }
        }
        eval::Body::Parts(parts) => {
            let part = |part: &eval::Part| {
                let (media_type, payload) = text(&part.value);
                NewPart { name: part.name.clone(), media_type, payload }
            };
            Body::Parts(parts.iter().map(part).collect())
        }
    }
}
