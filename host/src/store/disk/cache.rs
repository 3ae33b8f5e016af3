//! Artifacts that were put or read lately, up to so many bytes: two generations, of which the older goes whole.

use aivm_schema::artifact::{Artifact, Checksum};
use rustc_hash::FxHashMap;

/// Bytes of a generation.
const GENERATION: usize = 2 << 20;

#[derive(Default)]
pub(super) struct Cache {
    young: FxHashMap<Checksum, Artifact>,
    old: FxHashMap<Checksum, Artifact>,
    bytes: usize,
}

impl Cache {
    pub(super) fn insert(&mut self, artifact: &Artifact) {
        // The entry and what the allocator adds.
        let bytes = artifact.bytes().len() + 256;
        if bytes > GENERATION / 4 {
            return;
        }
        if self.bytes + bytes > GENERATION {
            self.bytes = 0;
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        if self.young.insert(artifact.checksum(), artifact.clone()).is_none() {
            self.bytes += bytes;
        }
    }

    pub(super) fn remove(&mut self, checksum: Checksum) {
        let gone = [self.young.remove(&checksum), self.old.remove(&checksum)];
        if let Some(young) = &gone[0] {
            self.bytes = self.bytes.saturating_sub(young.bytes().len() + 256);
        }
    }

    pub(super) fn get(&mut self, checksum: Checksum) -> Option<Artifact> {
        if let Some(artifact) = self.young.get(&checksum) {
            return Some(artifact.clone());
        }
        let artifact = self.old.get(&checksum)?.clone();
        self.insert(&artifact);
        Some(artifact)
    }
}
