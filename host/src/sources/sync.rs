//! A copy of a source: what has changed is written anew, what is gone goes.

use super::{SourceError, Sources, unreadable};
use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::SystemTime;

/// The largest file that is copied, in bytes.
const MOST_BYTES: usize = 1 << 30;
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);

/// What was done to a copy, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Paths that are new or have changed.
    pub written: Vec<String>,
    /// Those that are gone.
    pub removed: Vec<String>,
    /// So many are the same.
    pub same: usize,
    /// Bytes of those that are written.
    pub bytes: u64,
}

impl Sources {
    /// Brings the copy of a source in `copy` to what the source is now; `dry` only says what that would change.
    pub fn sync(&self, name: &str, copy: &Path, dry: bool) -> Result<Synced, SourceError> {
        let failed = |path: &str, error: std::io::Error| unreadable(name, &format!("its copy, {path}: {error}"));
        let mut synced = Synced::default();
        let mut there = BTreeSet::new();
        let root = match fs::open(copy, FOLDER, Mode::empty()) {
            Ok(root) => Some(root),
            Err(Errno::NOENT) if dry => None,
            Err(Errno::NOENT) => {
                std::fs::create_dir_all(copy).map_err(|error| failed("", error))?;
                Some(fs::open(copy, FOLDER, Mode::empty()).map_err(|error| failed("", error.into()))?)
            }
            Err(error) => return Err(failed("", error.into())),
        };
        self.each(name, &mut |file| {
            there.insert(file.path.clone());
            let (path, size, modified) = (file.path.clone(), file.size, file.modified);
            let before = root.as_ref().and_then(|root| about(root, &path));
            if before.is_some_and(|before| Some(before.1) == modified && before.0 == size) {
                synced.same += 1;
                return Ok(true);
            }
            let large = SourceError::TooLarge { name: name.to_owned(), limit: format!("{MOST_BYTES} bytes in a file") };
            let bytes = file.read(name, MOST_BYTES)?.ok_or(large)?;
            let equal = before.is_some_and(|before| before.0 == bytes.len() as u64)
                && root.as_ref().and_then(|root| content(root, &path)).as_deref() == Some(bytes.as_slice());
            match (equal, &root) {
                (true, root) => {
                    synced.same += 1;
                    if let (Some(root), false) = (root, dry) {
                        touch(root, &path, modified);
                    }
                }
                (false, Some(root)) if !dry => {
                    write(root, &path, &bytes, modified).map_err(|error| failed(&path, error))?;
                    synced.bytes += bytes.len() as u64;
                    synced.written.push(path);
                }
                (false, _) => {
                    synced.bytes += bytes.len() as u64;
                    synced.written.push(path);
                }
            }
            Ok(true)
        })?;
        if let Some(root) = &root {
            let mut gone = Vec::new();
            sweep(root, "", &there, dry, &mut gone).map_err(|error| failed("", error))?;
            synced.removed = gone;
        }
        Ok(synced)
    }
}

/// The folder of a path, and its name.
fn place<'p>(root: &OwnedFd, path: &'p str, make: bool) -> Result<(OwnedFd, &'p str), Errno> {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut at = rustix::io::fcntl_dupfd_cloexec(root, 0)?;
    for folder in folders.split('/').filter(|folder| !folder.is_empty()) {
        let open = || fs::openat(&at, folder, FOLDER, Mode::empty());
        let next = match open() {
            Err(Errno::NOENT) if make => {
                fs::mkdirat(&at, folder, Mode::from_raw_mode(0o700))?;
                open()
            }
            // What was a file is a folder now.
            Err(Errno::NOTDIR | Errno::LOOP) if make => {
                fs::unlinkat(&at, folder, AtFlags::empty())?;
                fs::mkdirat(&at, folder, Mode::from_raw_mode(0o700))?;
                open()
            }
            other => other,
        };
        at = next?;
    }
    Ok((at, name))
}

fn opened(root: &OwnedFd, path: &str) -> Option<File> {
    let (folder, name) = place(root, path, false).ok()?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(fs::openat(&folder, name, flags, Mode::empty()).ok()?);
    file.metadata().ok().filter(std::fs::Metadata::is_file).map(|_| file)
}

/// Size and time.
fn about(root: &OwnedFd, path: &str) -> Option<(u64, SystemTime)> {
    let about = opened(root, path)?.metadata().ok()?;
    Some((about.len(), about.modified().ok()?))
}

fn content(root: &OwnedFd, path: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    opened(root, path)?.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The time of the source is that of the copy: who looks next sees that it is the same.
fn touch(root: &OwnedFd, path: &str, modified: Option<SystemTime>) {
    if let (Some(file), Some(modified)) = (opened(root, path), modified) {
        let _ = file.set_modified(modified);
    }
}

/// Written aside, then renamed: a copy is whole or as it was.
fn write(root: &OwnedFd, path: &str, bytes: &[u8], modified: Option<SystemTime>) -> std::io::Result<()> {
    let (folder, name) = place(root, path, true)?;
    let aside = format!(".sync.{}", std::process::id());
    let _ = fs::unlinkat(&folder, aside.as_str(), AtFlags::empty());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(fs::openat(&folder, aside.as_str(), flags, Mode::from_raw_mode(0o600))?);
    let written = file.write_all(bytes).and_then(|()| match modified {
        Some(modified) => file.set_modified(modified),
        None => Ok(()),
    });
    let renamed = written.and_then(|()| {
        match fs::renameat(&folder, aside.as_str(), &folder, name) {
            // What was a folder is a file now.
            Err(Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST) => {
                remove(&folder, name)?;
                Ok(fs::renameat(&folder, aside.as_str(), &folder, name)?)
            }
            other => Ok(other?),
        }
    });
    renamed.inspect_err(|_| {
        let _ = fs::unlinkat(&folder, aside.as_str(), AtFlags::empty());
    })
}

/// A file, or a folder with what is in it; a link itself.
fn remove(folder: &OwnedFd, name: &str) -> std::io::Result<()> {
    match fs::openat(folder, name, FOLDER, Mode::empty()) {
        Ok(inner) => {
            for entry in entries(&inner)? {
                remove(&inner, &entry)?;
            }
            Ok(fs::unlinkat(folder, name, AtFlags::REMOVEDIR)?)
        }
        Err(_) => Ok(fs::unlinkat(folder, name, AtFlags::empty())?),
    }
}

fn entries(folder: &OwnedFd) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::Dir::read_from(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Removes what is not there any more, and folders that are empty then.
fn sweep(
    folder: &OwnedFd,
    within: &str,
    there: &BTreeSet<String>,
    dry: bool,
    gone: &mut Vec<String>,
) -> std::io::Result<bool> {
    let mut left = false;
    for name in entries(folder)? {
        let path = if within.is_empty() { name.clone() } else { format!("{within}/{name}") };
        if there.contains(&path) {
            left = true;
            continue;
        }
        match fs::openat(folder, name.as_str(), FOLDER, Mode::empty()) {
            Ok(inner) => {
                let stays = sweep(&inner, &path, there, dry, gone)?;
                left |= stays;
                if !stays && !dry {
                    fs::unlinkat(folder, name.as_str(), AtFlags::REMOVEDIR)?;
                }
            }
            Err(_) => {
                if !dry {
                    fs::unlinkat(folder, name.as_str(), AtFlags::empty())?;
                }
                gone.push(path);
            }
        }
    }
    Ok(left)
}
