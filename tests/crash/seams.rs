//! The seams of the host, simulated: its store with a journal, its process, its clock and its random bits, and whoever looks on.

use crate::dice::Dice;
use crate::disk::{Stop, Writer};
use crate::ground::Ground;
use crate::ledger::promise;
use aivm_host::mint::{Clock, Random};
use aivm_host::process::{Process, Reply};
use aivm_host::recovery::{From, Recorded, Records};
use aivm_host::signals::Signals;
use aivm_host::store::{Appended, RunRow, Store, StoreError};
use aivm_host::trace::{Event, Observer};
use aivm_host::work::{Surroundings, Task, mock};
use aivm_schema::artifact::{Artifact, Checksum};
use aivm_schema::journal::Record;
use aivm_schema::worker::Effect;
use aivm_vm::RequestId;
use aivm_vm::run::{Batch, Decided, Question};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

/// The time of a paused runtime, and what passes while no process lives.
pub struct Time {
    pub start: Instant,
    pub passed: Arc<AtomicU64>,
}

impl Clock for Time {
    fn now(&mut self) -> u64 {
        1 + self.start.elapsed().as_nanos() as u64 + self.passed.load(Ordering::Relaxed)
    }
}

pub struct Numbers(pub Dice);

impl Random for Numbers {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.0.next() as u8);
    }
}

/// One process: what it knows of the store, and what it does.
pub struct Machine {
    pub ground: Rc<RefCell<Ground>>,
    number: u32,
    writer: RefCell<Writer>,
    /// Values that were put, and those of them that are not appended yet.
    known: RefCell<HashMap<Checksum, Artifact>>,
    fresh: RefCell<Vec<Artifact>>,
    /// An append has not been answered.
    pub appending: Cell<bool>,
}

impl Machine {
    pub fn new(ground: Rc<RefCell<Ground>>, number: u32, writer: Writer) -> Machine {
        Machine {
            ground,
            number,
            writer: RefCell::new(writer),
            known: RefCell::default(),
            fresh: RefCell::default(),
            appending: Cell::new(false),
        }
    }

    fn lives(&self) -> bool {
        self.ground.borrow().living == self.number
    }

    /// None: the process does not live to see it.
    fn carry_out(&self, batch: &Batch, fresh: &[Artifact]) -> Option<Result<(), StoreError>> {
        let lives = self.lives();
        let ground = &mut *self.ground.borrow_mut();
        if lives && ground.is_over() {
            return None;
        }
        // What an old owner does takes nothing of the life of the new one.
        let limits = (ground.disk.fuse, ground.disk.faults);
        if !lives {
            (ground.disk.fuse, ground.disk.faults) = (u64::MAX, 0);
        }
        let writer = &mut *self.writer.borrow_mut();
        let appended = ground.disk.append(writer, batch.first - 1, &batch.records, fresh);
        if !lives {
            (ground.disk.fuse, ground.disk.faults) = limits;
        }
        match appended {
            Err(Stop::Fenced) if !lives => Some(Err(StoreError::Fenced("run".into()))),
            _ if !lives => {
                ground.breaks("an old owner appends".into());
                None
            }
            Err(Stop::Gone(cause)) if cause != crate::disk::Cause::Fuse => {
                ground.failing = Some(cause);
                Some(Err(failed()))
            }
            appended => {
                ground.held(appended)?;
                let (now, least) = (ground.mint.now(), ground.least());
                ground.acked = (batch.first + batch.records.len() as u64 - 1, batch.head);
                for bytes in &batch.records {
                    let added = ground.index.add(bytes, now, least, &mut ground.tally);
                    ground.held(added)?;
                }
                Some(Ok(()))
            }
        }
    }

    fn read(&self, checksum: Checksum) -> Result<Option<Artifact>, StoreError> {
        if let Some(known) = self.known.borrow().get(&checksum) {
            return Ok(Some(known.clone()));
        }
        let ground = self.ground.borrow();
        let Some(bytes) = ground.disk.find(checksum) else { return Ok(None) };
        let artifact = Artifact::from_bytes(bytes).ok().filter(|artifact| artifact.checksum() == checksum);
        artifact.map(Some).ok_or(StoreError::Damaged(checksum))
    }
}

fn failed() -> StoreError {
    StoreError::Io { path: "store".into(), source: std::io::Error::other("the disk") }
}

/// A machine that many hold.
#[derive(Clone)]
pub struct Kept(pub Rc<Machine>);

impl Store for Kept {
    fn put(&self, artifact: &Artifact) {
        self.0.known.borrow_mut().insert(artifact.checksum(), artifact.clone());
        self.0.fresh.borrow_mut().push(artifact.clone());
    }

    fn hold(&self, _artifact: &Artifact) {}

    fn get(&self, checksum: Checksum) -> Option<Artifact> {
        self.0.read(checksum).ok().flatten()
    }

    fn cancelled(&self) -> Option<String> {
        let ground = &mut *self.0.ground.borrow_mut();
        if ground.living != self.0.number || !ground.fate.wild || !ground.dice.chance(3) {
            return None;
        }
        (ground.cancelled, ground.comparable) = (true, false);
        Some("the test".into())
    }

    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn begin(&self, _run: RunRow) -> Result<(), StoreError> {
        Ok(())
    }

    fn append(&self, batch: Batch) -> Appended {
        let kept = self.clone();
        let late = {
            let ground = &mut *self.0.ground.borrow_mut();
            if self.0.appending.replace(true) {
                ground.breaks("it appends before it is answered".into());
            }
            ground.trace(batch.head.0.iter().fold(0, |sum, byte| sum << 8 ^ sum >> 56 ^ u64::from(*byte)));
            let tick = if ground.living == self.0.number { ground.disk.tick() } else { Ok(()) };
            ground.held(tick);
            ground.dice.chance(50).then(|| Duration::from_millis(1 + ground.dice.next() % 4))
        };
        let fresh = std::mem::take(&mut *self.0.fresh.borrow_mut());
        let at_once = if late.is_none() { self.0.carry_out(&batch, &fresh) } else { None };
        Appended::later(async move {
            if let Some(late) = late {
                tokio::time::sleep(late).await;
            }
            let mut answer = at_once;
            // Whoever is gone waits for ever, unless it only slept.
            let answer = std::future::poll_fn(|_| match answer.take().or_else(|| kept.0.carry_out(&batch, &fresh)) {
                Some(answer) => Poll::Ready(answer),
                None => Poll::Pending,
            });
            let answer = answer.await;
            kept.0.appending.set(false);
            answer
        })
    }
}

impl Recorded for Kept {
    fn find(&self, checksum: Checksum) -> Result<Option<Artifact>, StoreError> {
        self.0.read(checksum)
    }

    fn records(&self, from: From) -> Result<Box<dyn Records>, StoreError> {
        let log = self.0.ground.borrow().disk.records.clone();
        let checkpoint = log.iter().rposition(|record| Record::is_checkpoint(record)).filter(|_| from != From::Start);
        let mut records = (1..).zip(log).collect::<Vec<_>>();
        records.drain(..checkpoint.unwrap_or(0));
        if checkpoint.is_some() {
            self.0.ground.borrow_mut().tally.hit("recovered from a checkpoint");
        }
        Ok(Box::new(Log { ground: self.0.ground.clone(), records: records.into_iter() }))
    }
}

struct Log {
    ground: Rc<RefCell<Ground>>,
    records: std::vec::IntoIter<(u64, Vec<u8>)>,
}

impl Records for Log {
    fn run(&self) -> &str {
        "run"
    }

    fn record(&mut self) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let record = self.records.next();
        if record.as_ref().is_some_and(|(seq, _)| seq % 4 == 3) {
            let ground = &mut *self.ground.borrow_mut();
            let tick = ground.disk.tick();
            ground.held(tick).ok_or_else(failed)?;
        }
        Ok(record)
    }
}

impl Process for Kept {
    fn begin(&self, task: Task, mock: Option<mock::Answering>, reply: Reply) {
        let ground = &mut *self.0.ground.borrow_mut();
        let (lives, key) = (ground.living == self.0.number, task.key.to_string());
        if self.0.appending.get() {
            ground.breaks(format!("{key}: begins before the append is answered"));
        }
        if !lives && ground.case.facts(&task.worker.name).effect > Effect::Pure {
            ground.breaks(format!("{key}: an old owner goes on"));
        }
        if lives && !ground.is_over() {
            let begun = ground.begin(task, mock, reply);
            ground.held(begun);
        }
    }

    fn end_leftovers(&self, _around: &Surroundings, steps: &[String]) {
        let ground = &mut *self.0.ground.borrow_mut();
        if !steps.is_empty() && ground.living == self.0.number {
            ground.tally.hit("leftovers are ended");
        }
    }

    fn signals(&self) -> Signals {
        Signals::none()
    }
}

/// Looks on, and is sometimes a person who decides.
pub struct Somebody(pub Kept);

impl Somebody {
    fn sees(&self, ground: &mut Ground, event: &Event<'_>) -> Result<(), Stop> {
        let Event::Ended(record) = event else { return Ok(()) };
        let worker = ground.case.facts.iter().find(|facts| facts.name == record.worker);
        let told = worker.is_some_and(|facts| facts.effect > Effect::Pure || facts.question.is_some());
        // What was not called at all has no outcome.
        if told && record.artifact.is_some() {
            let durable = ground.index.ended.contains_key(&(record.key.clone(), record.attempt));
            promise!(durable, "{}: shown before its outcome is durable", record.key);
        }
        Ok(())
    }
}

impl Observer for Somebody {
    fn event(&mut self, event: Event<'_>) {
        let ground = &mut *self.0.0.ground.borrow_mut();
        if ground.living == self.0.0.number && !ground.is_over() {
            let seen = self.sees(ground, &event);
            ground.held(seen);
        }
    }

    fn decide(&mut self, questions: &[Question]) -> Option<(RequestId, Decided)> {
        let ground = &mut *self.0.0.ground.borrow_mut();
        if ground.living != self.0.0.number || ground.is_over() || !ground.dice.chance(50) {
            return None;
        }
        let question = questions.first()?;
        let decided = crate::lives::decided(ground, question)?;
        ground.tally.hit("decided on the spot");
        Some((question.call.request, decided))
    }
}
