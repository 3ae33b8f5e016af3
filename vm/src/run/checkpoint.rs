//! A run written down as it stands, so that what comes after can be told without what came before.

use super::{Checkpoint, Do, Facts, Progress, Run, UnderWay};
use crate::action::{Call, RequestId, TimerId};
use crate::machine::Machine;
use crate::snapshot::SnapshotError;
use crate::verify::VerifiedModule;
use aivm_schema::artifact::{Artifact, Checksum};
use aivm_schema::journal::Link;
use aivm_schema::module::WorkerId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bytes of records after which a run is written down: so much is told again at most, whatever the run has done.
pub(super) const OFTEN: usize = 256 << 10;
/// The records since then are at least so many times as large as the checkpoint that follows: it costs little beside them.
const TIMES: usize = 4;

/// Why a checkpoint gives no run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// Not written by this version, or damaged.
    #[error("the checkpoint cannot be read: {0}")]
    Malformed(String),
    /// The machine.
    #[error(transparent)]
    Machine(#[from] SnapshotError),
}

#[derive(Serialize, Deserialize)]
struct Image {
    first: Vec<u8>,
    program: [u8; 32],
    machine: Vec<u8>,
    now: u64,
    seq: u64,
    link: [u8; 32],
    calls: Vec<(RequestId, Under)>,
    timers: Vec<(TimerId, u64)>,
    deadline: Option<(u64, u64)>,
    scripted: Vec<(WorkerId, u64)>,
    instead: Option<(String, Checksum)>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Under {
    nth: u64,
    state: Progress,
    stop: bool,
    expires: Option<u64>,
}

/// What a checkpoint says of what the machine will ask for again.
#[derive(Default)]
pub(super) struct Reloaded {
    calls: BTreeMap<RequestId, Under>,
    timers: BTreeMap<TimerId, u64>,
}

impl Reloaded {
    pub(super) fn call(&mut self, call: &Call) -> Option<UnderWay> {
        let Under { nth, state, stop, expires } = self.calls.remove(&call.request)?;
        Some(UnderWay { call: call.clone(), nth, state, stop, expires })
    }

    pub(super) fn timer(&mut self, timer: TimerId) -> Option<u64> {
        self.timers.remove(&timer)
    }
}

impl Run {
    /// The artifact of the module that it runs, when there is a journal.
    pub fn program(&self) -> Option<Checksum> {
        self.program
    }

    /// Another distance between checkpoints than the usual, in bytes of records.
    pub fn checkpoint_after(&mut self, bytes: usize) {
        self.often = bytes;
    }

    /// Is it from a checkpoint, and has its machine still to ask for what is under way?
    pub fn is_reloaded(&self) -> bool {
        !self.reloaded.calls.is_empty() || !self.reloaded.timers.is_empty()
    }

    pub(super) fn is_checkpoint_due(&self) -> bool {
        self.recording && !self.replaying && !self.holding && self.since >= self.often.max(self.checkpoint * TIMES)
    }

    /// The machine waits, and everything so far has been handed out to be written.
    pub(super) fn take_checkpoint(&mut self) -> Do {
        let (machine, mut artifacts) = self.machine.snapshot_with();
        let under =
            |calls: &UnderWay| Under { nth: calls.nth, state: calls.state, stop: calls.stop, expires: calls.expires };
        let image = Image {
            first: self.first.clone(),
            program: self.program.map_or([0; 32], |program| program.0),
            machine,
            now: self.now,
            seq: self.seq,
            link: self.link.0,
            calls: self.calls.iter().map(|(request, calls)| (*request, under(calls))).collect(),
            timers: self.timers.iter().map(|(timer, at)| (*timer, *at)).collect(),
            deadline: self.deadline,
            scripted: self.scripted.iter().map(|(worker, calls)| (*worker, *calls)).collect(),
            instead: self.instead.as_ref().map(|(key, input)| (key.clone(), input.checksum())),
        };
        artifacts.extend(self.instead.as_ref().map(|(_, input)| input.clone()));
        // Plain data in memory: this cannot fail; if it did, reloading would say so.
        let bytes = postcard::to_stdvec(&image).unwrap_or_default();
        self.since = 0;
        Do::Checkpoint(Checkpoint { bytes, artifacts })
    }

    /// The checkpoint is kept under this name, and took so many bytes with everything that it names.
    pub fn checkpointed(&mut self, artifact: Checksum, size: usize) {
        self.checkpoint = size;
        self.write(self.now, aivm_schema::journal::Body::Checkpoint { artifact });
    }
}

/// A checkpoint, read.
pub struct Saved(Image);

impl Saved {
    /// From [`Checkpoint::bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Saved, ReloadError> {
        let malformed = |error: postcard::Error| ReloadError::Malformed(error.to_string());
        match postcard::take_from_bytes(bytes).map_err(malformed)? {
            (image, []) => Ok(Saved(image)),
            _ => Err(ReloadError::Malformed("something follows it".into())),
        }
    }

    /// The first record of the run: how it began.
    pub fn first(&self) -> &[u8] {
        &self.0.first
    }

    /// The artifact of the module that it runs.
    pub fn program(&self) -> Checksum {
        Checksum(self.0.program)
    }

    /// The run; it is told the records after the checkpoint, by [`Run::replay`]. `record` are the bytes of the checkpoint's own;
    /// `find` gives the artifacts that it names.
    pub fn reload(
        self,
        module: VerifiedModule,
        facts: Vec<Facts>,
        record: &[u8],
        find: &mut dyn FnMut(Checksum) -> Option<Artifact>,
    ) -> Result<Run, ReloadError> {
        let Saved(image) = self;
        let machine = Machine::reload(module, &image.machine, find)?;
        let mut run = Run::of(machine, facts, image.now, None, true);
        run.replaying = true;
        run.first = image.first;
        run.program = Some(Checksum(image.program));
        run.seq = image.seq.saturating_add(1);
        run.link = Link(image.link).then(run.seq, record);
        run.deadline = image.deadline;
        run.scripted = image.scripted.into_iter().collect();
        if let Some((key, checksum)) = image.instead {
            run.instead = Some((key, find(checksum).ok_or(SnapshotError::Missing(checksum))?));
        }
        run.reloaded =
            Reloaded { calls: image.calls.into_iter().collect(), timers: image.timers.into_iter().collect() };
        Ok(run)
    }
}
