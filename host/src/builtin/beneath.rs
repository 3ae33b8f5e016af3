//! Files beneath the workspace and nowhere else. Each folder on the way is opened relative to the one above without
//! following symbolic links, so neither `..`, nor a link, nor a race with somebody who makes one leads out.

use super::Failure;
use rustix::fd::OwnedFd;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names that stay out of reach: the store's and version control's own files decide what programs run later.
const FORBIDDEN: [&str; 4] = [".aivm", ".git", ".jj", ".hg"];
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);

/// The workspace, held open.
#[derive(Debug)]
pub(super) struct Workspace {
    root: OwnedFd,
}

/// What is at a path.
pub(super) enum Found {
    /// A plain file.
    File(File),
    /// A folder.
    Folder(OwnedFd),
}

/// The parts of a relative path, or why it may not be used.
pub(super) fn components(path: &str) -> Result<Vec<&str>, Failure> {
    let refuse = |reason: &str| Err(Failure::Path { path: path.to_owned(), reason: reason.to_owned() });
    if path.starts_with('/') {
        return refuse("is absolute: paths are relative to the workspace, such as `out/report.md`");
    }
    if path.contains('\0') {
        return refuse("has a null byte");
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return refuse("leads out of a folder with `..`: paths go down from the workspace only");
    }
    if parts.iter().any(|part| FORBIDDEN.iter().any(|name| name.eq_ignore_ascii_case(part))) {
        return refuse("leads into a folder that programs may not touch (`.aivm`, `.git`, `.jj`, `.hg`)");
    }
    Ok(parts)
}

impl Workspace {
    /// Opens it.
    pub fn open(path: &Path) -> Result<Workspace, Failure> {
        let root = fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY, Mode::empty());
        Ok(Workspace { root: root.map_err(|error| failed("open", &path.display().to_string(), error))? })
    }

    /// The folder of these names, made where it is missing if `make`.
    fn folder(&self, names: &[&str], path: &str, make: bool) -> Result<OwnedFd, Failure> {
        let start = self.root.try_clone();
        let mut at = start.map_err(|source| Failure::Io { doing: "open", path: path.to_owned(), source })?;
        for name in names {
            let open = |at: &OwnedFd| fs::openat(at, *name, FOLDER, Mode::empty());
            let mut next = open(&at);
            if make && next.as_ref().err() == Some(&Errno::NOENT) {
                match fs::mkdirat(&at, *name, Mode::from_raw_mode(0o777)) {
                    Ok(()) | Err(Errno::EXIST) => next = open(&at),
                    Err(error) => return Err(failed("create", path, error)),
                }
            }
            at = next.map_err(|error| failed("open", path, error))?;
        }
        Ok(at)
    }

    /// Writes a file whole or not at all, makes the folders above it, and returns when both would survive a power loss.
    /// `replace`: may something else already stand there? The same bytes always may.
    pub fn write(&self, path: &str, bytes: &[u8], replace: bool) -> Result<(), Failure> {
        let names = components(path)?;
        let Some((name, folders)) = names.split_last() else {
            return Err(Failure::Path { path: path.to_owned(), reason: "names no file".into() });
        };
        let folder = self.folder(folders, path, true)?;
        if holds(&folder, name, bytes) {
            return Ok(());
        }
        let temporary = temporary_name(name);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(&folder, &*temporary, flags, Mode::from_raw_mode(0o666));
        let mut file = File::from(file.map_err(|error| failed("write", path, error))?);
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        let placed =
            written.map_err(|source| Failure::Io { doing: "write", path: path.to_owned(), source }).and_then(|()| {
                if replace {
                    return fs::renameat(&folder, &*temporary, &folder, *name)
                        .map_err(|error| failed("write", path, error));
                }
                // A hard link fails when the name is taken, where a rename would replace.
                fs::linkat(&folder, &*temporary, &folder, *name, AtFlags::empty()).map_err(|error| match error {
                    Errno::EXIST => Failure::Path {
                        path: path.to_owned(),
                        reason: "exists with other content: choose another path, or set `replace = true`".into(),
                    },
                    error => failed("write", path, error),
                })
            });
        if placed.is_err() || !replace {
            // What stays behind when this fails is a stray file, never a wrong one.
            let _ = fs::unlinkat(&folder, &*temporary, AtFlags::empty());
        }
        placed?;
        fs::fsync(&folder).map_err(|error| failed("write", path, error))
    }

    /// Opens what is there.
    pub fn find(&self, path: &str) -> Result<Found, Failure> {
        let names = components(path)?;
        let Some((name, folders)) = names.split_last() else {
            return Ok(Found::Folder(self.folder(&[], path, false)?));
        };
        let folder = self.folder(folders, path, false)?;
        open(&folder, name, path)
    }
}

/// Opens a name in a folder: a plain file or a folder, nothing else.
pub(super) fn open(folder: &OwnedFd, name: &str, path: &str) -> Result<Found, Failure> {
    // Without NONBLOCK, opening a named pipe waits for a writer.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = fs::openat(folder, name, flags, Mode::empty()).map_err(|error| failed("read", path, error))?;
    let stat = fs::fstat(&file).map_err(|error| failed("read", path, error))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(Found::File(File::from(file))),
        FileType::Directory => Ok(Found::Folder(file)),
        _ => Err(Failure::Path { path: path.to_owned(), reason: "is neither a file nor a folder".into() }),
    }
}

/// Reads a file of at most `most` bytes.
pub(super) fn read(file: File, path: &str, most: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = file.take(most as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|source| Failure::Io { doing: "read", path: path.to_owned(), source })?;
    if bytes.len() > most { Err(Failure::too_large(&format!("reading `{path}`"))) } else { Ok(bytes) }
}

/// The names in a folder, sorted, without hidden ones.
pub(super) fn names(folder: &OwnedFd, path: &str, most: usize) -> Result<Vec<String>, Failure> {
    let failed = |error| failed("read", path, error);
    let mut names = Vec::new();
    for entry in fs::Dir::read_from(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if names.len() == most {
            return Err(Failure::Limit {
                what: format!("reading the folder `{path}`"),
                limit: format!("{most} files"),
            });
        }
        names.push(name);
    }
    names.sort_unstable();
    Ok(names)
}

/// Does the file already hold exactly this? Then nothing is written: a repeated call changes nothing, not even a time.
fn holds(folder: &OwnedFd, name: &str, bytes: &[u8]) -> bool {
    let Ok(Found::File(file)) = open(folder, name, name) else { return false };
    let same_size = file.metadata().is_ok_and(|metadata| metadata.len() == bytes.len() as u64);
    same_size && read(file, name, bytes.len()).is_ok_and(|held| held == bytes)
}

fn temporary_name(name: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let short: String = name.chars().take(40).collect();
    format!(".{short}.{}-{}.tmp", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn failed(doing: &'static str, path: &str, error: Errno) -> Failure {
    match error {
        Errno::LOOP | Errno::MLINK => Failure::Path {
            path: path.to_owned(),
            reason: "leads over a symbolic link, which is not followed: name the place itself, beneath the workspace"
                .into(),
        },
        Errno::NOTDIR => Failure::Path {
            path: path.to_owned(),
            reason: "leads over a file or a symbolic link where a folder has to be: links are not followed".into(),
        },
        Errno::NOENT if doing != "write" && doing != "create" => {
            Failure::Missing(format!("there is no `{path}` in the workspace"))
        }
        error => Failure::Io { doing, path: path.to_owned(), source: error.into() },
    }
}
