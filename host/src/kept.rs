//! Where a run keeps what was there before its effects on files, which its undoers put back; and where the files of its
//! calls of commands are while they are under way.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The folders of one run.
#[derive(Debug)]
pub struct Kept {
    folder: PathBuf,
    /// The state that it is in; none when it goes with the run.
    state: Option<PathBuf>,
    /// Of its calls; none when it goes with the run.
    steps: Option<PathBuf>,
    begun: OnceLock<()>,
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
        let steps = Some(Kept::steps_in(state).join(&name));
        Kept { folder: state.join("undo").join(name), state: Some(state.to_owned()), steps, begun: OnceLock::new() }
    }

    /// For a run that leaves nothing: made when something has to be kept, removed with this value.
    pub fn temporary() -> Kept {
        let mut bits = [0; 8];
        // Without random numbers the process's own still tells it from others.
        let _ = getrandom::fill(&mut bits);
        let name = format!("aivm-undo-{}-{:016x}", std::process::id(), u64::from_le_bytes(bits));
        Kept { folder: std::env::temp_dir().join(name), state: None, steps: None, begun: OnceLock::new() }
    }

    /// By what processes are known that belong to runs of a state, from wherever it is looked at.
    pub fn store_of(state: &Path) -> PathBuf {
        std::fs::canonicalize(state).unwrap_or_else(|_| state.to_owned())
    }

    /// The same for this run; empty for a run that leaves nothing.
    pub fn store(&self) -> PathBuf {
        self.state.as_deref().map(Kept::store_of).unwrap_or_default()
    }

    /// The folders of the calls of all runs, each with the name of its run's folder.
    pub fn steps_in(state: &Path) -> PathBuf {
        state.join("steps")
    }

    /// A folder for the calls that this process makes, with none of what an owner of the run left there that was killed.
    /// None for a run that leaves nothing.
    pub fn steps(&self) -> std::io::Result<Option<PathBuf>> {
        let Some(steps) = &self.steps else { return Ok(None) };
        let steps = std::path::absolute(steps)?;
        self.begun.get_or_init(|| self.clear_steps());
        std::fs::create_dir_all(&steps)?;
        Ok(Some(steps))
    }

    /// Removes what an owner of the run left of its calls that was killed.
    pub fn clear_steps(&self) {
        // What cannot be removed now, the garbage collection tells of.
        let _ = self.steps.as_deref().map(remove_tree);
    }

    /// It is there when something was kept.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        match &self.steps {
            None => {
                let _ = std::fs::remove_dir_all(&self.folder);
            }
            // Only when it is empty: the run may be another process's by now.
            Some(steps) if self.begun.get().is_some() => {
                let _ = std::fs::remove_dir(steps);
            }
            Some(_) => {}
        }
    }
}

/// Removes a file, or a folder with everything in it, also what its owner may not write to. What is not there is gone.
pub(crate) fn remove_tree(path: &Path) -> std::io::Result<()> {
    fn open(path: &Path) {
        if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
            let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
            fs::read_dir(path).into_iter().flatten().flatten().for_each(|entry| open(&entry.path()));
        }
    }
    let remove = || match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    };
    remove().or_else(|_| {
        open(path);
        remove()
    })
}
