//! Payloads over 64 KiB: files under `objects/`, named by content digest.

use super::direct::Direct;
use super::io;
use crate::store::StoreError;
use aivm_schema::artifact::{Artifact, ContentDigest};
use rustc_hash::FxHashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Payloads up to this size, in bytes, travel inside the database.
pub(crate) const SMALL: usize = 64 << 10;

/// So many digests are remembered; whoever is forgotten is flushed once more.
const REMEMBERED: usize = 4_096;

pub(super) struct Objects {
    pub(super) folder: PathBuf,
    /// Whose names this process has made durable.
    synced: FxHashSet<[u8; 32]>,
    direct: Direct,
}

impl Objects {
    /// Those of the store in `folder`.
    pub(super) fn new(folder: &Path) -> Objects {
        Objects { folder: folder.join("objects"), synced: FxHashSet::default(), direct: Direct::default() }
    }

    pub(super) fn path(&self, digest: ContentDigest) -> PathBuf {
        self.folder.join(digest.to_string())
    }

    /// Large payloads as files: each written aside, flushed, renamed; then their folder is flushed. A file that is there already is
    /// the same, but its name may not be durable yet. Within a transaction: while one is open nobody takes a file away.
    pub(super) fn write<'a>(&mut self, artifacts: impl Iterator<Item = &'a Artifact>) -> Result<(), StoreError> {
        let (is_first, mut named) = (self.synced.is_empty(), false);
        for artifact in artifacts {
            named |= self.write_one(artifact)?;
        }
        // The folder itself may have been made a moment ago, by this process or another.
        let folders = if is_first { 2 } else { 1 };
        for folder in self.folder.ancestors().take(if named { folders } else { 0 }) {
            fs::File::open(folder).and_then(|open| open.sync_all()).map_err(|source| io(folder, source))?;
        }
        if self.synced.len() >= REMEMBERED {
            self.synced.clear();
        }
        Ok(())
    }

    /// Is its name one that this process has not made durable?
    fn write_one(&mut self, artifact: &Artifact) -> Result<bool, StoreError> {
        let digest = artifact.content_digest();
        let path = self.path(digest);
        if self.synced.contains(&digest.0) && path.exists() {
            return Ok(false);
        }
        if self.synced.is_empty() {
            fs::create_dir_all(&self.folder).map_err(|source| io(&self.folder, source))?;
        }
        if !path.exists() {
            let aside = self.folder.join(format!(".{}.{}", artifact.id(), std::process::id()));
            let written = self.direct.write(&aside, artifact.payload()).and_then(|()| fs::rename(&aside, &path));
            written.inspect_err(|_| drop(fs::remove_file(&aside))).map_err(|source| io(&path, source))?;
        }
        self.synced.insert(digest.0);
        Ok(true)
    }

    pub(super) fn read(&self, digest: ContentDigest) -> Result<Vec<u8>, StoreError> {
        let path = self.path(digest);
        fs::read(&path).map_err(|source| io(&path, source))
    }
}
