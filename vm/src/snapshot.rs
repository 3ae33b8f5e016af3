//! A machine written down and loaded again: stop here, go on elsewhere. Loading reads state, it replays nothing.
//!
//! One byte of version, then postcard. Artifacts are there by checksum, each once. `image` turns values into numbers and
//! back, `check` refuses whatever could not have come from a machine that runs this very program.

use crate::machine::{Core, Machine, Out};
use crate::program::Program;
use crate::slab::{FiberId, Slab};
use crate::state::*;
use crate::verify::VerifiedModule;
use aivm_schema::artifact::{Artifact, Checksum};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

mod check;
mod image;

/// The version of snapshots that this build writes and reads.
pub const SNAPSHOT_VERSION: u8 = 2;

/// Why bytes are no machine that can go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Nothing at all.
    #[error("the snapshot is empty")]
    Empty,
    /// Written by another version of the machine.
    #[error(
        "the snapshot has version {0}, this program reads {SNAPSHOT_VERSION}: go on with the program that wrote it"
    )]
    Version(u8),
    /// Cut short, or not a snapshot.
    #[error("not a snapshot: {0}")]
    Malformed(String),
    /// Of another program.
    #[error("the snapshot belongs to another program")]
    OtherProgram,
    /// It says what no run of this program can come to.
    #[error("the snapshot does not fit its program: {0}")]
    Impossible(&'static str),
    /// An artifact that it needs is not there.
    #[error("the artifact {0} is missing")]
    Missing(Checksum),
}

#[derive(Serialize, Deserialize)]
struct Image {
    program: u64,
    artifacts: Vec<Checksum>,
    data: Data<u32>,
}

impl Machine {
    /// The state as bytes. Taken when `step` has said `Wait`, `Park` or `Yield`: entries for the trace that have not been fetched are
    /// not in it. Artifacts are named, not contained.
    pub fn snapshot(&self) -> Vec<u8> {
        self.snapshot_with().0
    }

    /// The state as bytes, and the artifacts that they name.
    pub fn snapshot_with(&self) -> (Vec<u8>, Vec<Artifact>) {
        let mut named = Vec::new();
        let mut numbers: FxHashMap<Checksum, u32> = FxHashMap::default();
        let data = self.core().data.map(&mut |artifact: &Artifact| {
            Some(*numbers.entry(artifact.checksum()).or_insert_with(|| {
                named.push(artifact.clone());
                (named.len() - 1) as u32
            }))
        });
        let mut bytes = vec![SNAPSHOT_VERSION];
        if let Some(data) = data {
            let artifacts = named.iter().map(Artifact::checksum).collect();
            let image = Image { program: fingerprint(self.program()), artifacts, data };
            // Serializing plain data into memory cannot fail; if it did, loading would say so.
            bytes.extend(postcard::to_stdvec(&image).unwrap_or_default());
        }
        (bytes, named)
    }

    /// A machine from its snapshot. `find` gives the artifacts that it names. Calls that were under way are asked for again, with the same
    /// request, key and attempt; timers start again with their full time.
    pub fn reload(
        module: VerifiedModule,
        snapshot: &[u8],
        find: &mut dyn FnMut(Checksum) -> Option<Artifact>,
    ) -> Result<Machine, SnapshotError> {
        let (version, body) = snapshot.split_first().ok_or(SnapshotError::Empty)?;
        if *version != SNAPSHOT_VERSION {
            return Err(SnapshotError::Version(*version));
        }
        let (image, rest) =
            postcard::take_from_bytes::<Image>(body).map_err(|e| SnapshotError::Malformed(e.to_string()))?;
        if !rest.is_empty() {
            return Err(SnapshotError::Malformed("something follows it".to_owned()));
        }
        let program = Program::new(module);
        if image.program != fingerprint(&program) {
            return Err(SnapshotError::OtherProgram);
        }
        check::check(&program, &image.data).map_err(SnapshotError::Impossible)?;
        let mut artifacts = Vec::with_capacity(image.artifacts.len());
        for checksum in image.artifacts {
            artifacts.push(
                find(checksum).filter(|found| found.checksum() == checksum).ok_or(SnapshotError::Missing(checksum))?,
            );
        }
        let data = image.data.map(&mut |number: &u32| artifacts.get(*number as usize).cloned());
        let data = data.ok_or(SnapshotError::Impossible("an artifact that it does not name"))?;
        let core = rebuild(&program, data).ok_or(SnapshotError::Impossible("a timer without a deadline"))?;
        Ok(Machine::from_parts(program, core))
    }
}

/// What follows from the state: who waits for what. Asks for it again.
fn rebuild(p: &Program, data: Data) -> Option<Core> {
    let (out, pending, timers) = Default::default();
    let mut core = Core { data, out, pending, timers, foreign: false };
    let mut timers: Vec<_> = core.data.scopes.iter().filter_map(|(id, scope)| Some((scope.timer?, id))).collect();
    timers.sort_unstable();
    for (timer, scope) in timers {
        let after_ms = core.deadline(p, scope)?;
        core.timers.insert(timer, scope);
        core.out.push_back(Out::StartTimer(timer, after_ms));
    }
    let mut waiting: Vec<_> =
        core.data.fibers.iter().filter_map(|(id, fiber)| Some((fiber.state.request()?, id))).collect();
    waiting.sort_unstable();
    for (request, id) in waiting {
        core.pending.insert(request, id);
        core.out.push_back(Out::Ask(id, request));
        let fiber = &core.data.fibers[id];
        if let State::Calling { asked, .. } = fiber.state
            && asked != Asked::Undo
            && fiber.top().unwind.is_some()
        {
            core.out.push_back(Out::Cancel(request));
        }
    }
    Some(core)
}

/// Tells programs apart; not a digest.
fn fingerprint(p: &Program) -> u64 {
    let module = p.module();
    let sizes =
        [module.words.len(), module.functions.len(), module.stages.len(), module.steps.len(), module.workers.len()];
    let numbers = module.code.iter().copied().chain(sizes.map(|size| size as u64));
    numbers
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, number| (hash ^ number).wrapping_mul(0x100_0000_01b3).rotate_left(23))
}

impl<I: crate::slab::Id, T: Serialize> Serialize for Slab<I, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.entries().serialize(serializer)
    }
}

impl<'de, I: crate::slab::Id, T: Deserialize<'de>> Deserialize<'de> for Slab<I, T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Slab::from_entries)
    }
}

impl State {
    /// The answer that it waits for.
    pub(crate) fn request(&self) -> Option<crate::action::RequestId> {
        match self {
            State::Calling { request, .. } | State::Making { request, .. } => Some(*request),
            _ => None,
        }
    }
}

/// Used by the checks: every fiber with its number.
fn fibers<V>(data: &Data<V>) -> impl Iterator<Item = (FiberId, &Fiber<V>)> {
    data.fibers.iter()
}

#[cfg(test)]
mod tests;
