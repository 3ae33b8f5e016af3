//! What the launcher is told: this program, started as `aivm __sandbox ORDERS PROGRAM ARGS…`, takes from itself what the
//! orders do not leave it, and becomes the program.

use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The first argument by which this program is the launcher.
pub const COMMAND: &str = "__sandbox";
/// With what a launcher ends that could not do as it was told; its last line on standard error begins with [`SAYS`].
pub const CANNOT: u8 = 125;
/// Before the launcher's own words: the sandbox could not be made.
pub const SAYS: &str = "aivm sandbox: ";
/// Before its words where the program could not be started in it.
pub const NO_PROGRAM: &str = "aivm sandbox: cannot run ";

/// What a launcher does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orders {
    /// Only this is done: the file of a process group of the system's that is joined.
    pub join_only: bool,
    /// The file of a process group of the system's that is joined first.
    pub join: Option<PathBuf>,
    /// Another process of it does the rest; this one ends when that does, and everything that it left behind.
    pub supervise: bool,
    /// Which files are left, where nothing else says.
    pub files: Option<Files>,
    /// Modes, owners and times of files cannot be changed by name: the means does not look at them.
    pub fixed: bool,
    /// Is there a network?
    pub network: bool,
    /// The socket by which it hands over the listener of its way out, where there is one.
    pub egress: Option<PathBuf>,
    /// The most processes of this namespace.
    pub pid_max: Option<u32>,
    /// The most processes of this user.
    pub processes: Option<u64>,
}

/// Which files are left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// Read and run, with all that is beneath.
    pub read: Vec<PathBuf>,
    /// Read, run and written, with all that is beneath.
    pub write: Vec<PathBuf>,
    /// Folders whose names can be listed, theirs and those beneath.
    pub list: Vec<PathBuf>,
}

/// The largest file that a command may write, in bytes.
pub const FILE: u64 = 1 << 30;
/// The most memory of its own that one process may have, in bytes.
pub const MEMORY: u64 = 8 << 30;
/// The most open files of a process.
pub const FILES: u64 = 4096;
/// The most processes and threads of a command.
pub const PROCESSES: u64 = 1024;
/// The most that a command may write into its own folder for temporary files, in bytes.
pub const TEMPORARY: u64 = 512 << 20;

impl Orders {
    /// The words that start this program as the launcher.
    pub fn launch(&self, program: &Path) -> Vec<OsString> {
        let text = serde_json::to_string(self).unwrap_or_default();
        vec![program.into(), COMMAND.into(), text.into()]
    }

    /// The orders to join a group and do nothing else.
    pub fn joining(&self, group: Option<PathBuf>) -> Option<Orders> {
        group.map(|group| Orders { join_only: true, join: Some(group), ..Orders::default() })
    }
}
