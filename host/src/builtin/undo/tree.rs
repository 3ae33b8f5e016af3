//! Files, links and whole folders by their name in a folder that is held open: compared, copied, removed.

use super::super::Failure;
use super::super::beneath::{Place, failed};
use aivm_schema::worker::OUT_OF_REACH;
use rustix::fd::OwnedFd;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RawMode, Stat, Timespec, Timestamps};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::ffi::CString;
use std::fs::File;

const LINK: AtFlags = AtFlags::SYMLINK_NOFOLLOW;
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);
/// How deep a folder may be that is moved or removed whole.
const MOST_DEPTH: usize = 64;
/// How many names it may hold.
const MOST_NAMES: usize = 1_000_000;

/// What stands at a place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "is")]
pub(super) enum State {
    Nothing,
    File {
        digest: String,
    },
    Link {
        target: String,
    },
    Folder {
        /// 0: whichever.
        inode: u64,
    },
}

impl State {
    /// As it is now; none: the folder above is not there.
    pub fn of(place: Option<&Place<'_>>) -> Result<State, Failure> {
        let Some(Place { folder, name, path }) = place else { return Ok(State::Nothing) };
        let failed = |error| failed("read", path, error);
        let Some(stat) = stat(folder, name).map_err(failed)? else { return Ok(State::Nothing) };
        match kind(&stat) {
            FileType::RegularFile => {
                let file = open_file(folder, name).map_err(failed)?;
                let digest = blake3::Hasher::new().update_reader(file).map(|hasher| hasher.finalize().to_hex());
                let digest =
                    digest.map_err(|source| Failure::Io { doing: "read", path: (*path).to_owned(), source })?;
                Ok(State::File { digest: digest.to_string() })
            }
            FileType::Symlink => {
                let target = fs::readlinkat(folder, *name, Vec::new()).map_err(failed)?;
                Ok(State::Link { target: target.to_string_lossy().into_owned() })
            }
            FileType::Directory => Ok(State::Folder { inode: stat.st_ino }),
            _ => Err(Failure::Path {
                path: (*path).to_owned(),
                reason: "is neither a file nor a folder: it is left alone".into(),
            }),
        }
    }

    /// A file of these bytes.
    pub fn file(bytes: &[u8]) -> State {
        State::File { digest: blake3::hash(bytes).to_hex().to_string() }
    }

    /// Does this stand where that was expected?
    pub fn is(&self, expected: &State) -> bool {
        match (self, expected) {
            (State::Folder { inode }, State::Folder { inode: other }) => *other == 0 || inode == other,
            _ => self == expected,
        }
    }

    /// In words.
    pub fn text(&self) -> &'static str {
        match self {
            State::Nothing => "nothing",
            State::File { .. } => "a file",
            State::Link { .. } => "a symbolic link",
            State::Folder { .. } => "a folder",
        }
    }
}

/// What the file system knows of a name; none: there is nothing.
fn stat(folder: &OwnedFd, name: &str) -> Result<Option<Stat>, Errno> {
    match fs::statat(folder, name, LINK) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode as RawMode)
}

fn permissions(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode as RawMode & 0o7777)
}

/// Is there something?
pub(super) fn has(folder: &OwnedFd, name: &str) -> Result<bool, Errno> {
    Ok(stat(folder, name)?.is_some())
}

/// The permissions of a file, as a new one in its place has them.
pub(super) fn permissions_of(folder: &OwnedFd, name: &str) -> Result<Option<Mode>, Errno> {
    let stat = stat(folder, name)?.filter(|stat| kind(stat) == FileType::RegularFile);
    Ok(stat.map(|stat| permissions(&stat) & Mode::from_raw_mode(0o777)))
}

fn open_file(folder: &OwnedFd, name: &str) -> Result<File, Errno> {
    // Without NONBLOCK, opening what has become a named pipe waits for a writer.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    fs::openat(folder, name, flags, Mode::empty()).map(File::from)
}

/// A file that is not there yet.
pub(super) fn new_file(folder: &OwnedFd, name: &str, mode: Mode) -> Result<File, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(folder, name, flags, mode).map(File::from)
}

fn names(folder: &OwnedFd) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in fs::Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

/// Is a folder empty?
pub(super) fn is_empty(folder: &OwnedFd, name: &str) -> Result<bool, Errno> {
    Ok(names(&fs::openat(folder, name, FOLDER, Mode::empty())?)?.is_empty())
}

/// May a folder be moved or removed whole? Not when it holds what programs may not touch.
pub(super) fn check(place: &Place<'_>) -> Result<(), Failure> {
    fn visit(
        folder: &OwnedFd,
        name: &CString,
        place: &Place<'_>,
        depth: usize,
        seen: &mut usize,
    ) -> Result<(), Failure> {
        let failed = |error| failed("read", place.path, error);
        let limit = |limit: String| Failure::Limit { what: format!("taking `{}` whole", place.path), limit };
        if depth > MOST_DEPTH {
            return Err(limit(format!("{MOST_DEPTH} folders deep")));
        }
        let folder = fs::openat(folder, name, FOLDER, Mode::empty()).map_err(failed)?;
        for name in names(&folder).map_err(failed)? {
            *seen += 1;
            if *seen > MOST_NAMES {
                return Err(limit(format!("{MOST_NAMES} files")));
            }
            if let Ok(text) = name.to_str()
                && OUT_OF_REACH.iter().any(|forbidden| forbidden.eq_ignore_ascii_case(text))
            {
                return Err(place.refuse(format!("holds `{text}`, which programs may not touch")));
            }
            let stat = fs::statat(&folder, &name, LINK).map_err(failed)?;
            if kind(&stat) == FileType::Directory {
                visit(&folder, &name, place, depth + 1, seen)?;
            }
        }
        Ok(())
    }
    let name = CString::new(place.name).map_err(|_| place.refuse("has a null byte"))?;
    visit(&place.folder, &name, place, 0, &mut 0)
}

/// Copies a file, a link or a folder with all that is in it, to a name that is free, with permissions and times; durable when it
/// returns but for the new name itself.
pub(super) fn copy(from: &OwnedFd, name: &str, to: &OwnedFd, new: &str) -> std::io::Result<()> {
    copy_named(from, &CString::new(name)?, to, &CString::new(new)?)
}

fn copy_named(from: &OwnedFd, name: &CString, to: &OwnedFd, new: &CString) -> std::io::Result<()> {
    let stat = fs::statat(from, name, LINK)?;
    let settle = |copy: &OwnedFd| -> std::io::Result<()> {
        fs::fchmod(copy, permissions(&stat))?;
        let time = |tv_sec: i64, tv_nsec: u64| Timespec { tv_sec: tv_sec as _, tv_nsec: tv_nsec as _ };
        let last_access = time(stat.st_atime as i64, stat.st_atime_nsec as u64);
        let last_modification = time(stat.st_mtime as i64, stat.st_mtime_nsec as u64);
        fs::futimens(copy, &Timestamps { last_access, last_modification })?;
        Ok(fs::fsync(copy)?)
    };
    match kind(&stat) {
        FileType::RegularFile => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let mut source = File::from(fs::openat(from, name, flags, Mode::empty())?);
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut copy = File::from(fs::openat(to, new, flags, Mode::from_raw_mode(0o600))?);
            std::io::copy(&mut source, &mut copy)?;
            settle(&OwnedFd::from(copy))
        }
        FileType::Symlink => Ok(fs::symlinkat(&fs::readlinkat(from, name, Vec::new())?, to, new)?),
        FileType::Directory => {
            fs::mkdirat(to, new, Mode::from_raw_mode(0o700))?;
            let source = fs::openat(from, name, FOLDER, Mode::empty())?;
            let copy = fs::openat(to, new, FOLDER, Mode::empty())?;
            for name in names(&source)? {
                copy_named(&source, &name, &copy, &name)?;
            }
            settle(&copy)
        }
        _ => Err(std::io::Error::other("neither a file nor a folder")),
    }
}

/// Removes whatever has this name; nothing is fine.
pub(super) fn remove(folder: &OwnedFd, name: &str) -> Result<(), Errno> {
    match CString::new(name) {
        Ok(name) => remove_named(folder, &name),
        Err(_) => Err(Errno::INVAL),
    }
}

fn remove_named(folder: &OwnedFd, name: &CString) -> Result<(), Errno> {
    let stat = match fs::statat(folder, name, LINK) {
        Err(Errno::NOENT) => return Ok(()),
        stat => stat?,
    };
    if kind(&stat) != FileType::Directory {
        return fs::unlinkat(folder, name, AtFlags::empty());
    }
    let inner = fs::openat(folder, name, FOLDER, Mode::empty())?;
    if !permissions(&stat).contains(Mode::RWXU) {
        fs::fchmod(&inner, Mode::RWXU)?;
    }
    for name in names(&inner)? {
        remove_named(&inner, &name)?;
    }
    fs::unlinkat(folder, name, AtFlags::REMOVEDIR)
}
