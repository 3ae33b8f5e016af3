//! Where a command works: the workspace of its run, a folder of that, or a copy of it for one call alone, which lies in the call's own
//! folder and so goes with that, whatever becomes of this process.

use super::{Stop, Task, error};
use crate::builtin::Failure;
use crate::builtin::beneath::{self, Workspace as Beneath};
use crate::facts;
use aivm_schema::worker::{Effect, OUT_OF_REACH, Workspace};
use aivm_vm::action::CallError;
use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Weak};

/// In the call's own folder: the copy.
const COPY: &str = "workspace";
/// A copy has so many files and folders at most, so many bytes, and folders so deep within each other.
const MOST_FILES: u64 = 100_000;
const MOST_BYTES: u64 = 4 << 30;
const MOST_DEPTH: usize = 100;
/// So many bytes are copied between two looks whether anybody still waits.
const PIECE: u64 = 16 << 20;
/// So many characters of a path are shown.
const SHOWN: usize = 200;
/// How what is copied is opened: without NONBLOCK, a named pipe would wait for a writer.
const PLAIN: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
const FOLDER: OFlags = PLAIN.union(OFlags::DIRECTORY);

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
            Workspace::Within(path) => {
                let writes = facts::effect(&task.worker.definition) > Effect::Read;
                match within(&whole, path, writes) {
                    Ok(path) => Ok(Place { path, around: Some(whole) }),
                    Err(failure) => {
                        let way = if writes { "" } else { "; a command that only reads makes no folder" };
                        Err(error(failure.code(), format!("the workspace of `{name}`: {failure}{way}")))
                    }
                }
            }
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

/// A folder of the workspace, made where it is not there and the command may write. No link leads to it.
fn within(workspace: &Path, path: &str, make: bool) -> Result<PathBuf, Failure> {
    let beneath = Beneath::open(workspace)?;
    match make {
        true => drop(beneath.make_folder(path)?),
        false => drop(beneath.folder_at(path)?),
    }
    Ok(workspace.join(beneath::components(path)?.join("/")))
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
enum NotCopied {
    #[error("{path}: {source}")]
    Io { path: String, source: std::io::Error },
    #[error(
        "it has more than {0}: give the step a folder of it, `workspace = \"path/inside\"`, or clear away what nobody needs"
    )]
    TooLarge(String),
    #[error("the call was stopped")]
    Stopped,
    #[error("{0} is gone")]
    Gone(String),
}

impl NotCopied {
    /// It cannot be read, or written.
    fn io(path: &Path, source: impl Into<std::io::Error>) -> NotCopied {
        NotCopied::Io { path: shown(path), source: source.into() }
    }

    /// What was there a moment ago may be gone, or be a link by now.
    fn read(path: &Path, source: impl Into<std::io::Error>) -> NotCopied {
        let source = source.into();
        match Errno::from_io_error(&source) {
            Some(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => NotCopied::Gone(shown(path)),
            _ => NotCopied::io(path, source),
        }
    }
}

/// The end of a path says where it is; the whole may be longer than a page.
fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    match text.char_indices().rev().nth(SHOWN) {
        Some((at, _)) => format!("…{}", text.get(at..).unwrap_or_default()),
        None => text,
    }
}

/// Copies on a thread of its own: others go on meanwhile.
async fn elsewhere(mut copying: Copying, from: PathBuf, to: PathBuf) -> Result<(), NotCopied> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let waits = Arc::new(());
    copying.waits = Arc::downgrade(&waits);
    let work = move || {
        // Nobody waits any more when the run is gone.
        let _ = tell.send(copying.whole(&from, &to));
    };
    let thread = std::thread::Builder::new().name("aivm-copy".to_owned()).spawn(work);
    thread.map_err(|error| NotCopied::io(Path::new("a thread"), error))?;
    told.await.unwrap_or(Err(NotCopied::Stopped))
}

/// A copy under way. Each folder is opened relative to the one above, here and there: no link is followed, so what somebody swaps in
/// leads nowhere else, and no path is too long.
struct Copying {
    /// What is copied, as it was named and as it is.
    roots: Vec<PathBuf>,
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
        let own = own.into_iter().filter_map(known).collect();
        Copying { roots: Vec::new(), own, stop, waits: Weak::new(), files: 0, bytes: 0 }
    }

    fn whole(&mut self, from: &Path, to: &Path) -> Result<(), NotCopied> {
        self.roots = [Some(from.to_owned()), from.canonicalize().ok()].into_iter().flatten().collect();
        // The workspace itself may be named by a link.
        let flags = FOLDER.difference(OFlags::NOFOLLOW);
        let open = |path: &Path| fs::open(path, flags, Mode::empty()).map_err(|error| NotCopied::io(path, error));
        let opened = open(from)?;
        std::fs::create_dir(to).map_err(|error| NotCopied::io(to, error))?;
        self.folder(&File::from(opened), &File::from(open(to)?), Path::new(""), 0)
    }

    /// Everything in a folder, into one that is new. `at` is where that is, from the workspace.
    fn folder(&mut self, from: &File, to: &File, at: &Path, depth: usize) -> Result<(), NotCopied> {
        if depth > MOST_DEPTH {
            return Err(NotCopied::TooLarge(format!("{MOST_DEPTH} folders within each other")));
        }
        for entry in Dir::read_from(from).map_err(|error| NotCopied::read(at, error))? {
            let entry = entry.map_err(|error| NotCopied::read(at, error))?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            let is_out_of_reach = OUT_OF_REACH.iter().any(|out| name.eq_ignore_ascii_case(out));
            if name == "." || name == ".." || is_out_of_reach {
                continue;
            }
            match self.entry(from, to, &at.join(name), depth) {
                Err(NotCopied::Gone(_)) => {}
                done => done?,
            }
        }
        let mode = from.metadata().map_err(|error| NotCopied::read(at, error))?.permissions().mode();
        to.set_permissions(Permissions::from_mode(mode & 0o777 | 0o700)).map_err(|error| NotCopied::io(at, error))
    }

    fn go_on(&self) -> Result<(), NotCopied> {
        if self.stop.is_asked() || self.waits.strong_count() == 0 { Err(NotCopied::Stopped) } else { Ok(()) }
    }

    /// What has the last name of `at` in a folder. Devices and sockets are not copied.
    fn entry(&mut self, from: &File, to: &File, at: &Path, depth: usize) -> Result<(), NotCopied> {
        let read = |error: Errno| NotCopied::read(at, error);
        let written = |error: Errno| NotCopied::io(at, error);
        let name = at.file_name().unwrap_or_default();
        self.go_on()?;
        self.files += 1;
        if self.files > MOST_FILES {
            return Err(NotCopied::TooLarge(format!("{MOST_FILES} files")));
        }
        let stat = fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW).map_err(read)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let inner = File::from(fs::openat(from, name, FOLDER, Mode::empty()).map_err(read)?);
                let about = inner.metadata().map_err(|error| NotCopied::read(at, error))?;
                if self.own.contains(&(about.dev(), about.ino())) {
                    return Ok(());
                }
                fs::mkdirat(to, name, Mode::RWXU).map_err(written)?;
                let copy = File::from(fs::openat(to, name, FOLDER, Mode::empty()).map_err(written)?);
                self.folder(&inner, &copy, at, depth + 1)
            }
            FileType::Symlink => {
                let target = fs::readlinkat(from, name, Vec::new()).map_err(read)?;
                let target = self.led(Path::new(OsStr::from_bytes(target.to_bytes())), at);
                fs::symlinkat(target, to, name).map_err(written)
            }
            FileType::RegularFile => {
                let file = File::from(fs::openat(from, name, PLAIN, Mode::empty()).map_err(read)?);
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let copy = fs::openat(to, name, flags, Mode::RUSR | Mode::WUSR).map_err(written)?;
                self.file(file, File::from(copy), at)
            }
            _ => Ok(()),
        }
    }

    /// The content of a file, its age and its permissions.
    fn file(&mut self, mut file: File, mut copy: File, at: &Path) -> Result<(), NotCopied> {
        let failed = |error| NotCopied::io(at, error);
        let about = file.metadata().map_err(failed)?;
        // In pieces, of what is there: it may grow meanwhile.
        loop {
            self.go_on()?;
            let copied = std::io::copy(&mut file.by_ref().take(PIECE), &mut copy).map_err(failed)?;
            self.bytes += copied;
            match copied {
                0 => break,
                _ if self.bytes > MOST_BYTES => return Err(NotCopied::TooLarge(format!("{} GiB", MOST_BYTES >> 30))),
                _ => {}
            }
        }
        // What builds by the age of files finds nothing new.
        about.modified().and_then(|at| copy.set_modified(at)).map_err(failed)?;
        copy.set_permissions(Permissions::from_mode(about.permissions().mode() & 0o777)).map_err(failed)
    }

    /// Where a link of the copy leads whose original, at this place, leads there: within the copy when that leads into the workspace,
    /// else to what that leads to.
    fn led(&self, target: &Path, at: &Path) -> PathBuf {
        let (Some(root), Some(folder)) = (self.roots.last(), at.parent()) else { return target.to_owned() };
        let up = |path: &Path| path.components().map(|_| "..").collect::<PathBuf>();
        if target.is_absolute() {
            let inside =
                |path: &Path| self.roots.iter().find_map(|root| Some(path.strip_prefix(root).ok()?.to_owned()));
            // Another name of the same place leads there, too.
            let inner = inside(&plain(target)).or_else(|| inside(&target.canonicalize().ok()?));
            return match inner {
                Some(inner) if folder.as_os_str().is_empty() && inner.as_os_str().is_empty() => ".".into(),
                Some(inner) => up(folder).join(inner),
                None => target.to_owned(),
            };
        }
        let led = plain(&root.join(folder).join(target));
        match led.starts_with(root) {
            true => target.to_owned(),
            false => led,
        }
    }
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => _ = plain.pop(),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}
