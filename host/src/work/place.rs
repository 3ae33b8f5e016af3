//! Where a command works: the workspace of its run, a folder of that, or a copy of it for one call alone, which lies in the call's own
//! folder and so goes with that, whatever becomes of this process.

use super::{Stop, Task, error};
use crate::builtin::Failure;
use crate::builtin::beneath::{self, Workspace as Beneath};
use aivm_schema::worker::{OUT_OF_REACH, Workspace};
use aivm_vm::action::CallError;
use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

/// In the call's own folder: the copy.
const COPY: &str = "workspace";
/// A copy has so many files and folders at most, so many bytes, and folders so deep within each other.
const MOST_FILES: u64 = 100_000;
const MOST_BYTES: u64 = 4 << 30;
const MOST_DEPTH: usize = 100;
/// So many bytes are copied between two looks whether anybody still waits.
const PIECE: u64 = 16 << 20;

/// Where a command works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it runs in, and may write to if it writes at all.
    pub path: PathBuf,
    /// What it sees around that.
    pub around: Option<PathBuf>,
}

impl Place {
    /// The workspace of the run.
    pub fn of_the_run(task: &Task) -> Place {
        Place { path: task.around.workspace.clone(), around: None }
    }

    /// That of a task, made. `folder` is the call's own.
    pub async fn of(task: &Task, folder: &Path) -> Result<Place, CallError> {
        let name = &task.worker.name;
        let whole = task.around.workspace.clone();
        match &task.worker.definition.workspace {
            Workspace::Inherit => Ok(Place::of_the_run(task)),
            Workspace::Within(path) => match within(&whole, path) {
                Ok(path) => Ok(Place { path, around: Some(whole) }),
                Err(failure) => Err(error(failure.code(), format!("the workspace of `{name}`: {failure}"))),
            },
            Workspace::Ephemeral => {
                let to = folder.join(COPY);
                let own = [task.around.kept.store(), folder.to_owned()];
                let copying = Copying::new(own, task.stop.clone());
                match elsewhere(copying, whole, to.clone()).await {
                    Ok(()) => Ok(Place { path: to, around: None }),
                    Err(reason) => {
                        Err(error("E1081", format!("the workspace cannot be copied for `{name}`: {reason}")))
                    }
                }
            }
        }
    }
}

/// A folder of the workspace, made where it is not there. No link leads to it.
fn within(workspace: &Path, path: &str) -> Result<PathBuf, Failure> {
    Beneath::open(workspace)?.make_folder(path)?;
    Ok(workspace.join(beneath::components(path)?.join("/")))
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
enum NotCopied {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error(
        "it has more than {0}: give the step a folder of it, `workspace = \"path/inside\"`, or clear away what nobody needs"
    )]
    TooLarge(String),
    #[error("the call was stopped")]
    Stopped,
}

/// Copies on a thread of its own: others go on meanwhile.
async fn elsewhere(mut copying: Copying, from: PathBuf, to: PathBuf) -> Result<(), NotCopied> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let waits = Arc::new(());
    copying.waits = Arc::downgrade(&waits);
    let failed = |path: &Path, source| NotCopied::Io { path: path.to_owned(), source };
    let work = move || {
        let opened = fs::open(&from, OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY, Mode::empty());
        let copied = opened.map_err(|error| failed(&from, error.into()));
        // Nobody waits any more when the run is gone.
        let _ = tell.send(copied.and_then(|opened| copying.folder(&File::from(opened), &to, 0)));
    };
    let thread = std::thread::Builder::new().name("aivm-copy".to_owned()).spawn(work);
    thread.map_err(|error| failed(Path::new("a thread"), error))?;
    told.await.unwrap_or(Err(NotCopied::Stopped))
}

/// A copy under way. Each folder is opened relative to the one above, and no link is followed: what somebody swaps in leads nowhere else.
struct Copying {
    /// Folders that lie in the workspace perhaps, and are not of it: device and number.
    own: Vec<(u64, u64)>,
    stop: Arc<Stop>,
    /// Gone when nobody waits for it any more.
    waits: Weak<()>,
    files: u64,
    bytes: u64,
}

impl Copying {
    fn new(own: [PathBuf; 2], stop: Arc<Stop>) -> Copying {
        let known = |path: PathBuf| path.metadata().ok().map(|about| (about.dev(), about.ino()));
        Copying { own: own.into_iter().filter_map(known).collect(), stop, waits: Weak::new(), files: 0, bytes: 0 }
    }

    fn folder(&mut self, from: &File, to: &Path, depth: usize) -> Result<(), NotCopied> {
        let failed = |source: std::io::Error| NotCopied::Io { path: to.to_owned(), source };
        if depth > MOST_DEPTH {
            return Err(NotCopied::TooLarge(format!("{MOST_DEPTH} folders within each other")));
        }
        std::fs::create_dir(to).map_err(failed)?;
        for entry in Dir::read_from(from).map_err(|error| failed(error.into()))? {
            let entry = entry.map_err(|error| failed(error.into()))?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            let is_out_of_reach = OUT_OF_REACH.iter().any(|out| name.eq_ignore_ascii_case(out));
            if name == "." || name == ".." || is_out_of_reach {
                continue;
            }
            match self.entry(from, name, &to.join(name), depth) {
                // What was there a moment ago may be gone, or be a link by now.
                Err(NotCopied::Io { source, .. })
                    if matches!(Errno::from_io_error(&source), Some(Errno::NOENT | Errno::LOOP | Errno::NOTDIR)) => {}
                done => done?,
            }
        }
        let mode = from.metadata().map_err(failed)?.permissions().mode();
        std::fs::set_permissions(to, Permissions::from_mode(mode & 0o777 | 0o700)).map_err(failed)
    }

    fn go_on(&self) -> Result<(), NotCopied> {
        if self.stop.is_asked() || self.waits.strong_count() == 0 { Err(NotCopied::Stopped) } else { Ok(()) }
    }

    /// Devices and sockets are not copied.
    fn entry(&mut self, from: &File, name: &OsStr, to: &Path, depth: usize) -> Result<(), NotCopied> {
        let failed = |source: std::io::Error| NotCopied::Io { path: to.to_owned(), source };
        let said = |error: Errno| failed(error.into());
        self.go_on()?;
        self.files += 1;
        if self.files > MOST_FILES {
            return Err(NotCopied::TooLarge(format!("{MOST_FILES} files")));
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let stat = fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW).map_err(said)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let inner = File::from(fs::openat(from, name, flags | OFlags::DIRECTORY, Mode::empty()).map_err(said)?);
                let about = inner.metadata().map_err(failed)?;
                if self.own.contains(&(about.dev(), about.ino())) {
                    return Ok(());
                }
                self.folder(&inner, to, depth + 1)
            }
            FileType::Symlink => {
                let target = fs::readlinkat(from, name, Vec::new()).map_err(said)?;
                symlink(OsStr::from_bytes(target.to_bytes()), to).map_err(failed)
            }
            FileType::RegularFile => {
                let mut file = File::from(fs::openat(from, name, flags, Mode::empty()).map_err(said)?);
                let about = file.metadata().map_err(failed)?;
                let mut copy = File::create_new(to).map_err(failed)?;
                // In pieces, of what is there: it may grow meanwhile.
                loop {
                    self.go_on()?;
                    let copied = std::io::copy(&mut file.by_ref().take(PIECE), &mut copy).map_err(failed)?;
                    self.bytes += copied;
                    match copied {
                        0 => break,
                        _ if self.bytes > MOST_BYTES => {
                            return Err(NotCopied::TooLarge(format!("{} GiB", MOST_BYTES >> 30)));
                        }
                        _ => {}
                    }
                }
                // What builds by the age of files finds nothing new.
                about.modified().and_then(|at| copy.set_modified(at)).map_err(failed)?;
                copy.set_permissions(Permissions::from_mode(about.permissions().mode() & 0o777)).map_err(failed)
            }
            _ => Ok(()),
        }
    }
}
