//! The shelf of one call: its record, and what was there before, aside. Everything is in one folder a run, under a name made of
//! the call's place; a record is there whole or not at all.

use super::super::Failure;
use super::super::beneath::{Place, failed};
use super::tree::{self, State};
use rustix::fd::OwnedFd;
use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The version of what stands in a record.
const FORMAT: u32 = 1;
/// How many hexadecimal digits name a call.
const NAME: usize = 32;
/// The most records of a run that are looked through.
const MOST_RECORDS: usize = 1_000_000;
/// The largest record, in bytes.
const MOST_RECORD: usize = 256 << 20;

/// What a call does, and what was there before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub format: u32,
    /// The call's place.
    pub key: String,
    /// What was asked for, as a digest: a call that is repeated asks for the same.
    pub request: String,
    /// Folders made on the way, outermost first.
    pub folders: Vec<String>,
    pub entries: Vec<Entry>,
    /// Everything has been put back.
    pub restored: bool,
    /// When it was made, in nanoseconds since 1970: a run's records in order.
    #[serde(default)]
    pub at: u64,
    /// The call whose changes this one takes back, and does nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_back: Option<String>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "do")]
pub(super) enum Entry {
    /// Something stands at a path afterwards, or nothing does.
    Set { path: String, before: State, after: State },
    /// What stood at one path stands at another, where `before` was.
    Move { from: String, to: String, what: State, before: State },
}

impl Entry {
    /// Where something changes.
    fn path(&self) -> &str {
        match self {
            Entry::Set { path, .. } => path,
            Entry::Move { to, .. } => to,
        }
    }
}

impl Record {
    pub fn new(key: &str, request: String) -> Record {
        let key = key.to_owned();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        let (folders, entries) = (Vec::new(), Vec::new());
        Record { format: FORMAT, key, request, folders, entries, restored: false, at, takes_back: None }
    }

    /// The paths that it changes.
    pub fn paths(&self) -> Vec<&str> {
        self.entries.iter().map(Entry::path).collect()
    }
}

pub(in crate::builtin) struct Shelf {
    folder: OwnedFd,
    /// The folder's name and the call's in it, for messages.
    path: String,
    name: String,
}

impl Shelf {
    /// The shelf of the call at `key`; none when the run has kept nothing.
    pub fn find(folder: &Path, key: &str) -> Result<Option<Shelf>, Failure> {
        let name: String = blake3::hash(key.as_bytes()).to_hex().chars().take(NAME).collect();
        let path = folder.join(&name).display().to_string();
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        match fs::open(folder, flags, Mode::empty()) {
            Ok(folder) => Ok(Some(Shelf { folder, path, name })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(failed("open", &path, error)),
        }
    }

    /// The shelf of the call at `key`.
    pub fn make(folder: &Path, key: &str) -> Result<Shelf, Failure> {
        if let Some(shelf) = Shelf::find(folder, key)? {
            return Ok(shelf);
        }
        make_folders(folder).map_err(|source| io("create", &folder.display().to_string(), source))?;
        let gone = || Failure::Missing(format!("there is no folder {}", folder.display()));
        Shelf::find(folder, key)?.ok_or_else(gone)
    }

    fn failed(&self, error: Errno) -> Failure {
        failed("write", &self.path, error)
    }

    /// The records of all calls of the run.
    pub(super) fn all(&self) -> Result<Vec<Record>, Failure> {
        let is_record = |name: &String| name.len() == NAME && !name.contains('.');
        let names = super::super::beneath::names(&self.folder, &self.path, MOST_RECORDS)?;
        let mut records = Vec::new();
        for name in names.into_iter().filter(is_record) {
            let shelf = Shelf { folder: self.dup()?, path: self.path.clone(), name };
            records.extend(shelf.read()?);
        }
        Ok(records)
    }

    fn dup(&self) -> Result<OwnedFd, Failure> {
        self.folder.try_clone().map_err(|source| io("open", &self.path, source))
    }

    /// The record; none: nothing was kept.
    pub(super) fn read(&self) -> Result<Option<Record>, Failure> {
        match self.read_as::<Record>("")? {
            Some(record) if record.format != FORMAT => {
                Err(self.damaged(format!("has format {}, and this program reads {FORMAT}", record.format)))
            }
            record => Ok(record),
        }
    }

    /// A record of another form, of what is no file: its name has an ending.
    pub fn read_as<T: DeserializeOwned>(&self, ending: &str) -> Result<Option<T>, Failure> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match fs::openat(&self.folder, format!("{}{ending}", self.name), flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            file => file.map_err(|error| failed("read", &self.path, error))?,
        };
        let bytes = super::super::beneath::read(file.into(), &self.path, MOST_RECORD)?;
        serde_json::from_slice(&bytes).map(Some).map_err(|error| self.damaged(format!("cannot be read: {error}")))
    }

    /// Keeps the record; durable when it returns, with all that is aside.
    pub(super) fn write(&self, record: &Record) -> Result<(), Failure> {
        self.write_as("", record)
    }

    /// Keeps a record of another form.
    pub fn write_as<T: Serialize>(&self, ending: &str, record: &T) -> Result<(), Failure> {
        let (name, temporary) = (format!("{}{ending}", self.name), format!("{}{ending}.tmp", self.name));
        let bytes = serde_json::to_vec(record).map_err(|error| io("write", &self.path, error.into()))?;
        tree::remove(&self.folder, &temporary).map_err(|error| self.failed(error))?;
        let file = tree::new_file(&self.folder, &temporary, Mode::from_raw_mode(0o600));
        let mut file = file.map_err(|error| self.failed(error))?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(|source| io("write", &self.path, source))?;
        fs::renameat(&self.folder, &temporary, &self.folder, &name).map_err(|error| self.failed(error))?;
        self.sync()
    }

    fn sync(&self) -> Result<(), Failure> {
        fs::fsync(&self.folder).map_err(|error| self.failed(error))
    }

    /// Forgets what is aside, of so many changes.
    pub fn clear(&self, entries: usize) -> Result<(), Failure> {
        for at in 0..entries {
            for name in [self.aside(at), self.half(at), self.done(at)] {
                tree::remove(&self.folder, &name).map_err(|error| self.failed(error))?;
            }
        }
        Ok(())
    }

    /// Forgets the call: it has done nothing.
    pub fn forget(&self, entries: usize) -> Result<(), Failure> {
        match fs::unlinkat(&self.folder, &self.name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(self.failed(error)),
        }
        self.sync()?;
        self.clear(entries)
    }

    /// What stood where change `at` is made.
    fn aside(&self, at: usize) -> String {
        format!("{}.{at}", self.name)
    }

    /// A copy of it that is not the only one.
    fn half(&self, at: usize) -> String {
        format!("{}.{at}.tmp", self.name)
    }

    /// It has been copied back.
    fn done(&self, at: usize) -> String {
        format!("{}.{at}.done", self.name)
    }

    /// A name beside a place that only change `at` of this call uses: whoever repeats it finds what it left.
    pub fn beside(&self, at: usize) -> String {
        format!(".{}.{at}.tmp", self.name)
    }

    /// What is being removed, where it cannot be put aside at once.
    fn old(&self, at: usize) -> String {
        format!(".{}.{at}.old", self.name)
    }

    /// What is being put back, where that takes more than a rename.
    fn back(&self, at: usize) -> String {
        format!(".{}.{at}.back", self.name)
    }

    /// Is something aside?
    pub fn has(&self, at: usize) -> Result<bool, Failure> {
        tree::has(&self.folder, &self.aside(at)).map_err(|error| self.failed(error))
    }

    /// Copies what stands at a place, which goes on standing there.
    pub fn keep_copy(&self, at: usize, place: &Place<'_>) -> Result<(), Failure> {
        let copied = tree::copy(&place.folder, place.name, &self.folder, &self.aside(at));
        copied.map_err(|source| io("keep a copy of", place.path, source))
    }

    /// Takes away what stands at a place, at once; durable when it returns.
    pub fn take(&self, at: usize, place: &Place<'_>) -> Result<(), Failure> {
        match fs::renameat(&place.folder, place.name, &self.folder, self.aside(at)) {
            Ok(()) => {}
            // Another file system: the copy is whole before the place is empty.
            Err(Errno::XDEV) => {
                let half = self.half(at);
                tree::remove(&self.folder, &half).map_err(|error| self.failed(error))?;
                let copied = tree::copy(&place.folder, place.name, &self.folder, &half);
                copied.map_err(|source| io("keep a copy of", place.path, source))?;
                self.sync()?;
                let old = self.old(at);
                let moved = fs::renameat(&place.folder, place.name, &place.folder, &old);
                moved.map_err(|error| failed("remove", place.path, error))?;
            }
            Err(error) => return Err(failed("remove", place.path, error)),
        }
        self.taken(at, Some(place))
    }

    /// Sees a [`Shelf::take`] through that may have been interrupted after the place was empty.
    pub fn taken(&self, at: usize, place: Option<&Place<'_>>) -> Result<(), Failure> {
        let half = self.half(at);
        if tree::has(&self.folder, &half).map_err(|error| self.failed(error))? && !self.has(at)? {
            fs::renameat(&self.folder, &half, &self.folder, self.aside(at)).map_err(|error| self.failed(error))?;
        }
        self.sync()?;
        let Some(place) = place else { return Ok(()) };
        tree::remove(&place.folder, &self.old(at)).map_err(|error| failed("remove", place.path, error))?;
        place.sync()
    }

    /// Is what is aside what stood there?
    pub(super) fn check(&self, at: usize, before: &State) -> Result<(), Failure> {
        let name = self.aside(at);
        let place = Place { folder: self.dup()?, name: &name, path: &name };
        let found = State::of(Some(&place))?;
        let same = matches!((&found, before), (State::Folder { .. }, State::Folder { .. })) || found == *before;
        if same || found == State::Nothing { Ok(()) } else { Err(self.damaged("does not hold what was kept".into())) }
    }

    /// Puts back what is aside; also when that was interrupted. Durable when it returns.
    pub fn put_back(&self, at: usize, place: &Place<'_>) -> Result<(), Failure> {
        let new = self.back(at);
        if self.has(at)? {
            match fs::renameat(&self.folder, self.aside(at), &place.folder, place.name) {
                Ok(()) => {}
                Err(Errno::XDEV) => {
                    tree::remove(&place.folder, &new).map_err(|error| failed("write", place.path, error))?;
                    let copied = tree::copy(&self.folder, &self.aside(at), &place.folder, &new);
                    copied.map_err(|source| io("write", place.path, source))?;
                    place.sync()?;
                    // From here on the copy counts.
                    let done = fs::renameat(&self.folder, self.aside(at), &self.folder, self.done(at));
                    done.map_err(|error| self.failed(error))?;
                    self.sync()?;
                }
                Err(error) => return Err(failed("write", place.path, error)),
            }
        }
        if tree::has(&place.folder, &new).map_err(|error| failed("read", place.path, error))? {
            place.take(&new, true)?;
        }
        place.sync()
    }

    pub fn damaged(&self, reason: String) -> Failure {
        Failure::Damaged { path: self.path.clone(), reason }
    }
}

/// Makes a folder with those above it, each only this user's; durable when it returns.
fn make_folders(folder: &Path) -> std::io::Result<()> {
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound && above != folder => {
            make_folders(above)?;
            std::fs::DirBuilder::new().mode(0o700).create(folder)?;
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    std::fs::File::open(above)?.sync_all()
}

pub(super) fn io(doing: &'static str, path: &str, source: std::io::Error) -> Failure {
    Failure::Io { doing, path: path.to_owned(), source }
}
