//! Payloads over 64 KiB: files under `objects/`, named by content digest.

use super::io;
use crate::store::StoreError;
use aivm_schema::artifact::{Artifact, ContentDigest};
use rustc_hash::FxHashSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Payloads up to this size, in bytes, travel inside the database.
pub(crate) const SMALL: usize = 64 << 10;

/// So many digests are remembered; whoever is forgotten is flushed once more.
const REMEMBERED: usize = 4_096;

pub(super) struct Objects {
    pub(super) folder: PathBuf,
    /// Whose names this process has made durable.
    synced: FxHashSet<[u8; 32]>,
}

impl Objects {
    /// Those of the store in `folder`.
    pub(super) fn new(folder: &Path) -> Objects {
        Objects { folder: folder.join("objects"), synced: FxHashSet::default() }
    }

    pub(super) fn path(&self, digest: ContentDigest) -> PathBuf {
        let name = digest.to_string();
        self.folder.join(name.get(..2).unwrap_or("")).join(name)
    }

    /// A large payload as a file: written aside, flushed, renamed, its folder flushed. A file that is there already is the same,
    /// but its name may not be durable yet. Within a transaction: while one is open nobody takes a file away.
    pub(super) fn write(&mut self, artifact: &Artifact) -> Result<(), StoreError> {
        let digest = artifact.content_digest();
        let path = self.path(digest);
        if self.synced.contains(&digest.0) && path.exists() {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(|source| io(folder, source))?;
        if !path.exists() {
            let aside = folder.join(format!(".{}.{}", artifact.id(), std::process::id()));
            let write = || {
                let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&aside)?;
                file.write_all(artifact.payload())?;
                file.sync_data()?;
                fs::rename(&aside, &path)
            };
            write().inspect_err(|_| drop(fs::remove_file(&aside))).map_err(|source| io(&path, source))?;
        }
        // The folder may have been made a moment ago, by this process or another; the store's own at its first file.
        let folders = if self.synced.is_empty() { 3 } else { 2 };
        for folder in path.ancestors().skip(1).take(folders) {
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
