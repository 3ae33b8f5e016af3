//! Where a run keeps what was there before its effects on files: what its undoers put back.

use std::path::{Path, PathBuf};

/// A folder of one run.
#[derive(Debug)]
pub struct Kept {
    folder: PathBuf,
    /// It goes with the run.
    temporary: bool,
}

impl Kept {
    /// In the folder of the project's state, where it stays as long as the run's journal does.
    pub fn of(state: &Path, run: &str) -> Kept {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let name = match run.len() <= 100 && !run.is_empty() && run.chars().all(plain) {
            true => run.to_owned(),
            // `.` is in no plain name: no run takes another's folder.
            false => format!("run.{}", blake3::hash(run.as_bytes()).to_hex()),
        };
        Kept { folder: state.join("undo").join(name), temporary: false }
    }

    /// For a run that leaves nothing: made when something has to be kept, removed with this value.
    pub fn temporary() -> Kept {
        let mut bits = [0; 8];
        // Without random numbers the process's own still tells it from others.
        let _ = getrandom::fill(&mut bits);
        let name = format!("aivm-undo-{}-{:016x}", std::process::id(), u64::from_le_bytes(bits));
        Kept { folder: std::env::temp_dir().join(name), temporary: true }
    }

    /// It is there when something was kept.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.temporary {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
