//! Files beneath the workspace and nowhere else. Each folder on the way is opened relative to the one above without
//! following symbolic links, so neither `..`, nor a link, nor a race with somebody who makes one leads out.

use super::Failure;
use aivm_schema::worker::OUT_OF_REACH;
use rustix::fd::OwnedFd;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);

/// The workspace, held open.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: OwnedFd,
}

/// What is at a path.
pub(crate) enum Found {
    /// A plain file.
    File(File),
    /// A folder.
    Folder(OwnedFd),
}

/// A name in a folder that is held open.
pub(crate) struct Place<'p> {
    /// The folder.
    pub folder: OwnedFd,
    /// The name in it.
    pub name: &'p str,
    /// The whole path, for messages.
    pub path: &'p str,
}

impl Place<'_> {
    /// Returns when what was done in the folder would survive a power loss.
    pub fn sync(&self) -> Result<(), Failure> {
        fs::fsync(&self.folder).map_err(|error| failed("write", self.path, error))
    }

    /// Gives what has another name in the same folder this one. `replace`: may something stand there?
    pub fn take(&self, name: &str, replace: bool) -> Result<(), Failure> {
        move_to(&self.folder, name, &self.folder, self.name, replace).map_err(|error| match error {
            Errno::EXIST => self.taken(),
            error => failed("write", self.path, error),
        })
    }

    /// Something stands here that may not be replaced.
    pub fn taken(&self) -> Failure {
        self.refuse("exists with other content: choose another path, or set `replace = true`")
    }

    /// This place cannot be used.
    pub fn refuse(&self, reason: impl Into<String>) -> Failure {
        Failure::Path { path: self.path.to_owned(), reason: reason.into() }
    }
}

/// Renames, and fails when the new name is taken unless it may be replaced.
pub(crate) fn move_to(from: &OwnedFd, name: &str, to: &OwnedFd, new: &str, replace: bool) -> Result<(), Errno> {
    if replace {
        return fs::renameat(from, name, to, new);
    }
    match fs::renameat_with(from, name, to, new, RenameFlags::NOREPLACE) {
        // Not every file system can look and rename at once.
        Err(Errno::INVAL | Errno::NOSYS) => match fs::statat(to, new, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => fs::renameat(from, name, to, new),
            Err(error) => Err(error),
            Ok(_) => Err(Errno::EXIST),
        },
        other => other,
    }
}

/// The parts of a relative path, or why it may not be used.
pub(crate) fn components(path: &str) -> Result<Vec<&str>, Failure> {
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
    // The store's and version control's own files decide what programs run later.
    if parts.iter().any(|part| OUT_OF_REACH.iter().any(|name| name.eq_ignore_ascii_case(part))) {
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
                    Ok(()) => {
                        fs::fsync(&at).map_err(|error| failed("create", path, error))?;
                        next = open(&at);
                    }
                    Err(Errno::EXIST) => next = open(&at),
                    Err(error) => return Err(failed("create", path, error)),
                }
            }
            at = next.map_err(|error| failed("open", path, error))?;
        }
        Ok(at)
    }

    /// The folder of a path, made where it is missing.
    pub fn make_folder(&self, path: &str) -> Result<OwnedFd, Failure> {
        self.folder(&components(path)?, path, true)
    }

    /// The folder of a path, which is there.
    pub fn folder_at(&self, path: &str) -> Result<OwnedFd, Failure> {
        self.folder(&components(path)?, path, false)
    }

    /// The place of a path; none when the folder above it is not there.
    pub fn at<'p>(&self, path: &'p str) -> Result<Option<Place<'p>>, Failure> {
        match self.place(path, false) {
            Ok(place) => Ok(Some(place)),
            Err(Failure::Missing(_)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The place of a path, with all folders above it made.
    pub fn make<'p>(&self, path: &'p str) -> Result<Place<'p>, Failure> {
        self.place(path, true)
    }

    fn place<'p>(&self, path: &'p str, make: bool) -> Result<Place<'p>, Failure> {
        let names = components(path)?;
        let Some((name, folders)) = names.split_last() else {
            return Err(Failure::Path { path: path.to_owned(), reason: "names nothing in the workspace".into() });
        };
        Ok(Place { folder: self.folder(folders, path, make)?, name, path })
    }

    /// The folders above a path that are not there yet, outermost first.
    pub fn missing_folders(&self, path: &str) -> Result<Vec<String>, Failure> {
        let names = components(path)?;
        let folders = names.split_last().map_or(&[][..], |(_, folders)| folders);
        let mut there = folders.len();
        while there > 0 {
            match self.folder(folders.get(..there).unwrap_or_default(), path, false) {
                Ok(_) => break,
                Err(Failure::Missing(_)) => there -= 1,
                Err(failure) => return Err(failure),
            }
        }
        Ok((there + 1..=folders.len()).map(|n| folders.get(..n).unwrap_or_default().join("/")).collect())
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
pub(crate) fn open(folder: &OwnedFd, name: &str, path: &str) -> Result<Found, Failure> {
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
pub(crate) fn read(file: File, path: &str, most: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = file.take(most as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|source| Failure::Io { doing: "read", path: path.to_owned(), source })?;
    if bytes.len() > most { Err(Failure::too_large(&format!("reading `{path}`"))) } else { Ok(bytes) }
}

/// A file in pieces of at most so many bytes, line ends in them: each is told whether it begins a line. `false` ends it.
pub(crate) fn pieces(
    file: File,
    path: &str,
    most: usize,
    mut hear: impl FnMut(&[u8], bool) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let mut reader = BufReader::with_capacity(most, file);
    let mut begins = true;
    loop {
        let length = match reader.fill_buf() {
            Ok([]) => return Ok(()),
            Ok(buffer) => {
                let mut from = 0;
                for piece in buffer.split_inclusive(|byte| *byte == b'\n') {
                    if !hear(piece, begins)? {
                        return Ok(());
                    }
                    begins = piece.ends_with(b"\n");
                    from += piece.len();
                }
                from
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => 0,
            Err(source) => return Err(Failure::Io { doing: "read", path: path.to_owned(), source }),
        };
        reader.consume(length);
    }
}

/// The names in a folder from this one on, sorted, without hidden ones: at most so many, and the one that comes next.
pub(crate) fn names_from(
    folder: &OwnedFd,
    path: &str,
    from: &str,
    most: usize,
) -> Result<(Vec<String>, Option<String>), Failure> {
    let failed = |error| failed("read", path, error);
    let mut names = BTreeSet::new();
    for entry in fs::Dir::read_from(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && name.as_str() >= from {
            names.insert(name);
        }
        if names.len() > most + 1 {
            names.pop_last();
        }
    }
    let next = if names.len() > most { names.pop_last() } else { None };
    Ok((names.into_iter().collect(), next))
}

/// The names in a folder, sorted, without hidden ones.
pub(crate) fn names(folder: &OwnedFd, path: &str, most: usize) -> Result<Vec<String>, Failure> {
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

/// What the file system said, in words.
pub(crate) fn failed(doing: &'static str, path: &str, error: Errno) -> Failure {
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
