//! Whose a run is: a process holds a lock on a file, which the system releases when the process ends, however it ends.

use super::io;
use crate::store::StoreError;
use std::cell::Cell;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// So long takes who only asks whether a run has an owner, at most.
const ASKING: Duration = Duration::from_millis(2);

/// Held until it is dropped; the file goes with it, unless it stays.
pub(super) struct Lock {
    path: PathBuf,
    stays: Cell<bool>,
    _file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.stays.get() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Lock {
    /// Locks a run of the store in `folder`.
    pub(super) fn take(folder: &Path, run: &str) -> Result<Lock, StoreError> {
        Lock::named(folder, run, &name(run))
    }

    /// Locks whatever run has the file of this name.
    pub(super) fn named(folder: &Path, run: &str, name: &str) -> Result<Lock, StoreError> {
        let folder = folder.join("runs");
        let path = folder.join(name);
        let mut patience = 2;
        loop {
            let mut file = File::create(&path);
            if file.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
                fs::create_dir_all(&folder).map_err(|source| io(&folder, source))?;
                file = File::create(&path);
            }
            let file = file.map_err(|source| io(&path, source))?;
            match file.try_lock() {
                Ok(()) => {}
                // Somebody may only be asking whether it is held.
                Err(TryLockError::WouldBlock) if patience > 0 => {
                    patience -= 1;
                    std::thread::sleep(ASKING);
                    continue;
                }
                Err(TryLockError::WouldBlock) => return Err(StoreError::Owned(run.to_owned())),
                Err(TryLockError::Error(source)) => return Err(io(&path, source)),
            }
            // Who let it go meanwhile has taken its name away: another process may lock a new file of that name.
            let inode = |metadata: std::io::Result<fs::Metadata>| metadata.map(|metadata| metadata.ino()).ok();
            if inode(fs::metadata(&path)) == inode(file.metadata()) {
                return Ok(Lock { path, stays: Cell::default(), _file: file });
            }
        }
    }

    /// Does the file stay where it is? That of a run which somebody takes again later: to make a file is slow.
    pub(super) fn stay(&self, stays: bool) {
        self.stays.set(stays);
    }

    /// Does a process hold it? Who only asks has it for an instant; an owner that comes just then tries again.
    pub(super) fn is_taken(folder: &Path, run: &str) -> bool {
        Lock::is_held(folder, &name(run))
    }

    /// The same of whatever run has the file of this name.
    pub(super) fn is_held(folder: &Path, name: &str) -> bool {
        let file = File::open(folder.join("runs").join(name));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

/// The name of a run's file.
pub(super) fn name(run: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    match run.len() <= 100 && !run.is_empty() && run.bytes().all(plain) {
        true => format!("{run}.lock"),
        false => format!("{}.lock", blake3::hash(run.as_bytes()).to_hex()),
    }
}
