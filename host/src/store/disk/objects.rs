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

    /// A large payload as a file: written aside, flushed, renamed, its folder flushed. A file that is there already is the same,
    /// but its name may not be durable yet. Within a transaction: while one is open nobody takes a file away.
    pub(super) fn write(&mut self, artifact: &Artifact) -> Result<(), StoreError> {
        let digest = artifact.content_digest();
        let path = self.path(digest);
        if self.synced.contains(&digest.0) && path.exists() {
            return Ok(());
        }
        let folder = &self.folder;
        let is_first = self.synced.is_empty();
        if is_first {
            fs::create_dir_all(folder).map_err(|source| io(folder, source))?;
        }
        if !path.exists() {
            let aside = folder.join(format!(".{}.{}", artifact.id(), std::process::id()));
            let written = self.direct.write(&aside, artifact.payload()).and_then(|()| fs::rename(&aside, &path));
            written.inspect_err(|_| drop(fs::remove_file(&aside))).map_err(|source| io(&path, source))?;
        }
        // The folder itself may have been made a moment ago, by this process or another.
        for folder in path.ancestors().skip(1).take(if is_first { 2 } else { 1 }) {
            fs::File::open(folder).and_then(|open| open.sync_all()).map_err(|source| io(folder, source))?;
        }
        if self.synced.len() >= REMEMBERED {
            self.synced.clear();
        }
        self.synced.insert(digest.0);
        Ok(())
    }

    pub(super) fn read(&self, digest: ContentDigest) -> Result<Vec<u8>, StoreError> {
        let path = self.path(digest);
        fs::read(&path).map_err(|source| io(&path, source))
    }
}
