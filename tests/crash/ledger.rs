//! What the world knows whatever a process forgets, and what the journal says: the promises are held against both.

use crate::disk::Stop;
use crate::tally::Tally;
use aivm_lang::eval::Value;
use aivm_schema::artifact::Checksum;
use aivm_schema::journal::{Body, Record};
use aivm_schema::worker::Effect;
use aivm_vm::run::Run;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

/// Holds a promise, or ends the run with what is broken.
macro_rules! promise {
    ($holds:expr, $($said:tt)*) => {
        if !$holds {
            return Err($crate::disk::Stop::Broken(format!($($said)*)));
        }
    };
}
pub(crate) use promise;

/// What the world remembers of a request.
#[derive(Default)]
pub struct Remembered {
    pub effect: Option<Effect>,
    /// How often it was begun.
    pub begun: u32,
    /// How often it was done: by its receiver, who knows idempotency keys.
    pub done: u32,
    /// Since it was last begun somebody has said, truly, that it did not happen.
    pub cleared: bool,
    /// What it was called with: whom, and the content.
    pub bytes: Option<[u8; 32]>,
    pub nth: u64,
    /// Until when the receiver knows its key.
    pub live_until: Option<u64>,
    pub output: Option<(Value, Option<String>)>,
    /// It was begun by another process than the one that lives.
    pub before: bool,
    /// Its process had asked it to stop when that process ended.
    pub stopped: bool,
}

/// An intent that stands.
pub struct Intended {
    pub undo: bool,
    pub digest: [u8; 32],
}

/// What the records say.
#[derive(Default)]
pub struct Index {
    pub intents: BTreeMap<u64, Intended>,
    pub outcomes: BTreeMap<u64, bool>,
    pub asked: BTreeMap<u64, Option<u64>>,
    pub decided: BTreeSet<u64>,
    pub unknown: BTreeSet<u64>,
    /// When the attempt of a step ended.
    pub ended: BTreeMap<(String, u32), u64>,
    pub artifacts: BTreeSet<Checksum>,
    pub rollbacks: u64,
    pub parked: bool,
    pub finished: bool,
    pub cancelled: bool,
    pub seq: u64,
    pub at: u64,
}

impl Index {
    /// With so many calls under way, and those that may be: are there more than places?
    pub fn hold_places(&self, doing: usize, places: Option<NonZeroU32>, tally: &mut Tally) -> Result<(), Stop> {
        let Some(places) = places else { return Ok(()) };
        let unknown = self.unknown.iter().filter(|request| !self.outcomes.contains_key(request)).count();
        let most = places.get() as usize;
        promise!(doing + unknown <= most, "{doing} calls under way, {unknown} unknown, and there are {most} places");
        if doing + unknown == most {
            tally.hit(if unknown > 0 { "no place: one is unknown" } else { "no place" });
        }
        Ok(())
    }

    /// One record more. `least`: no timer is due before.
    pub fn add(&mut self, bytes: &[u8], now: u64, least: u64, tally: &mut Tally) -> Result<Record, Stop> {
        let record = match Record::from_bytes(bytes) {
            Ok(record) => record,
            Err(error) => return Err(Stop::Broken(format!("record {}: {error}", self.seq + 1))),
        };
        self.seq += 1;
        promise!(record.at >= self.at, "record {}: its time goes back", self.seq);
        promise!(record.at <= now, "record {}: its time has not come", self.seq);
        promise!(self.seq == 1 || !matches!(record.body, Body::RunStarted(_)), "it starts twice");
        self.at = record.at;
        self.parked = matches!(record.body, Body::Parked { .. });
        self.finished = matches!(record.body, Body::RunFinished(_));
        tally.hit(match &record.body {
            Body::RunStarted(_) => "record run-started",
            Body::Intent(_) => "record intent",
            Body::Outcome(_) => "record outcome",
            Body::Unknown { .. } => "record unknown",
            Body::Resolved(_) => "record resolved",
            Body::TimerFired { .. } => "record timer-fired",
            Body::CancelRequested { .. } => "record cancel-requested",
            Body::LimitsRaised(_) => "record limits-raised",
            Body::Checkpoint { .. } => "record checkpoint",
            Body::Parked { .. } => "record parked",
            Body::RunFinished(_) => "record run-finished",
            Body::ApprovalRequested(_) => "record approval-requested",
            Body::ApprovalDecided(_) => "record approval-decided",
            Body::RollbackRequested(_) => "record rollback-requested",
            Body::Upgraded { .. } => "record upgraded",
        });
        match &record.body {
            Body::Intent(row) => {
                promise!(!self.outcomes.contains_key(&row.request), "{}: an intent after its outcome", row.key);
                let (undo, digest) = (!row.undo.is_empty(), row.digest);
                if let Some(before) = self.intents.insert(row.request, Intended { undo, digest }) {
                    promise!(before.digest == digest, "{}: again with another request", row.key);
                }
            }
            Body::Outcome(row) => {
                promise!(
                    self.outcomes.insert(row.request, row.result.is_ok()).is_none(),
                    "{}: answered twice",
                    row.key
                );
                if let Ok(output) = &row.result {
                    self.artifacts.insert(output.artifact);
                }
                self.ended.insert((row.key.clone(), row.attempt), record.at);
            }
            Body::Unknown { request } => {
                promise!(!self.outcomes.contains_key(request), "unknown after its outcome");
                self.unknown.insert(*request);
            }
            Body::Resolved(row) => {
                promise!(self.unknown.remove(&row.request), "resolved, and was not unknown");
                self.artifacts.extend(row.happened);
            }
            Body::TimerFired { .. } => promise!(record.at >= least, "a timer fires early"),
            Body::ApprovalRequested(row) => {
                self.asked.insert(row.request, row.expires);
            }
            Body::ApprovalDecided(row) => {
                promise!(self.asked.contains_key(&row.request), "decided, and nobody was asked");
                promise!(self.decided.insert(row.request), "decided twice");
                self.artifacts.extend(row.edited);
            }
            Body::RollbackRequested(_) => self.rollbacks += 1,
            Body::CancelRequested { .. } => self.cancelled = true,
            Body::Checkpoint { artifact } => drop(self.artifacts.insert(*artifact)),
            _ => {}
        }
        Ok(record)
    }
}

/// Everything of a run that can be seen.
pub fn shown(run: &Run) -> String {
    let questions: Vec<_> =
        run.questions().into_iter().map(|asked| (asked.call.key, asked.subject, asked.expires)).collect();
    let unknown: Vec<_> = run.unknown().map(|call| call.key.clone()).collect();
    format!(
        "{:?} {:?} {} {:?} {questions:?} {unknown:?} {:?}",
        run.head(),
        run.totals(),
        run.has_finished(),
        run.limits(),
        run.undoable()
    )
}
