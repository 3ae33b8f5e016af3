//! Payloads over 64 KiB: files under `objects/`, named by content digest.

use super::direct::Direct;
use super::io;
use crate::store::StoreError;
use aivm_schema::artifact::{Artifact, ContentDigest};
use rustc_hash::FxHashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

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

    /// Large payloads as files: each written aside, renamed, flushed; then their folder is flushed. The name comes before the flush, so that
    /// one turn of the file system's journal has both; after a loss of power it may stand for anything, but no row names it then, and
    /// nobody trusts a file that this process has not made durable or read. Within a transaction: while one is open nobody takes a file
    /// away.
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
        if self.synced.is_empty() {
            fs::create_dir_all(&self.folder).map_err(|source| io(&self.folder, source))?;
        }
        if let Some(digest) = artifact.known_content_digest() {
            let path = self.path(digest);
            match self.synced.contains(&digest.0) {
                true if path.exists() => return Ok(false),
                false if flush_same(&path, artifact.payload()) => return Ok(self.synced.insert(digest.0)),
                _ => {}
            }
        }
        let aside = self.folder.join(format!(".{}.{}", artifact.id(), std::process::id()));
        // What it is named by is reckoned while it is written: of a new payload the one takes about as long as the other.
        let written = thread::scope(|scope| {
            if artifact.known_content_digest().is_none() {
                // Without a thread it is reckoned when it is asked for.
                let _ = thread::Builder::new().spawn_scoped(scope, || artifact.content_digest());
            }
            self.direct.write(&aside, artifact.payload())
        });
        let path = self.path(artifact.content_digest());
        let named = written.and_then(|file| fs::rename(&aside, &path).and_then(|()| file.sync_data()));
        named.inspect_err(|_| drop(fs::remove_file(&aside))).map_err(|source| io(&path, source))?;
        self.synced.insert(artifact.content_digest().0);
        Ok(true)
    }

    pub(super) fn read(&self, digest: ContentDigest) -> Result<Vec<u8>, StoreError> {
        let path = self.path(digest);
        fs::read(&path).map_err(|source| io(&path, source))
    }
}

/// Is there a file of these bytes? Then it is flushed: whoever wrote it may not have come so far.
fn flush_same(path: &Path, payload: &[u8]) -> bool {
    let is_as_long = fs::metadata(path).is_ok_and(|about| about.len() == payload.len() as u64);
    let is_same = is_as_long && fs::read(path).is_ok_and(|there| there == payload);
    is_same && fs::File::open(path).and_then(|file| file.sync_data()).is_ok()
}
