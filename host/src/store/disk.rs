//! The store in `.aivm/`: one SQLite database, `store.db`; payloads over 64 KiB as files under `objects/`, by content digest.

use super::{RunRow, Store, StoreError};
use aivm_schema::artifact::{Artifact, Checksum, ContentDigest, key};
use aivm_vm::run::Batch;
use rusqlite::{Connection, OptionalExtension, params};
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

mod journal;

pub use journal::Journal;

/// Payloads up to this size, in bytes, travel inside the database.
const SMALL: usize = 64 << 10;

/// So many artifacts wait in memory before they are written without being asked.
const WAITING: usize = 4_096;

/// The format of the database; `PRAGMA user_version`.
const FORMAT: i64 = 2;

const SCHEMA: &str = "
CREATE TABLE artifact (
    checksum  BLOB PRIMARY KEY,
    key       TEXT NOT NULL,     -- <origin>/<role>/<scope>/<timestamp>/<type>/<version>/<id>.artifact
    digest    BLOB NOT NULL,     -- of the content: the name of its file, when it has one
    size      INTEGER NOT NULL,  -- of the payload, in bytes
    bytes     BLOB NOT NULL      -- the artifact; without its payload when that is in a file
) WITHOUT ROWID;
CREATE INDEX artifact_key ON artifact (key);
CREATE TABLE run (
    number    INTEGER PRIMARY KEY,
    id        TEXT NOT NULL UNIQUE,
    started   INTEGER NOT NULL,  -- unix nanoseconds
    program   TEXT NOT NULL,     -- the name of its file
    module    BLOB NOT NULL,     -- checksum of the module's artifact
    status    TEXT NOT NULL,     -- running, parked, sent, cancelled, failed, timeout
    epoch     INTEGER NOT NULL,  -- raised by whoever takes the run over
    seq       INTEGER NOT NULL,  -- of the last record
    link      BLOB NOT NULL      -- the chain behind it
);
CREATE TABLE journal (
    run       INTEGER NOT NULL REFERENCES run (number),
    seq       INTEGER NOT NULL,  -- of the first record of the batch
    link      BLOB NOT NULL,     -- the chain behind its last record
    records   BLOB NOT NULL,     -- each with its length before it
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;
";

/// What a listing shows of an artifact.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name.
    pub checksum: Checksum,
    /// Its key in the seed's form.
    pub key: String,
    /// Of the payload, in bytes.
    pub size: u64,
}

/// A store on disk.
pub struct Disk {
    folder: PathBuf,
    database: Connection,
    waiting: RefCell<FxHashMap<Checksum, Artifact>>,
    /// Writing failed once: from then on only a flush tries, and says why not.
    failed: Cell<bool>,
    runs: RefCell<FxHashMap<String, journal::Owned>>,
}

impl Disk {
    /// Opens `.aivm` (made when it is not there).
    pub fn open(folder: &Path) -> Result<Disk, StoreError> {
        // Nobody else on this machine reads what flows through runs.
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|source| io(folder, source))?;
        let path = folder.join("store.db");
        let error = |source| StoreError::Database { path: path.display().to_string(), source };
        let database = Connection::open(&path).map_err(error)?;
        database.busy_timeout(std::time::Duration::from_secs(10)).map_err(error)?;
        let format = || database.pragma_query_value(None, "user_version", |row| row.get(0));
        let found: i64 = format().map_err(error)?;
        if found == 0 {
            create(&database, folder, &path)?;
        }
        database.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;").map_err(error)?;
        match format().map_err(error)? {
            FORMAT => {}
            found => return Err(StoreError::Format { path: path.display().to_string(), found, expected: FORMAT }),
        }
        let (waiting, failed, runs) = (RefCell::default(), Cell::default(), RefCell::default());
        Ok(Disk { folder: folder.to_owned(), database, waiting, failed, runs })
    }

    fn error(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Database { path: self.folder.join("store.db").display().to_string(), source }
    }

    fn object(&self, digest: ContentDigest) -> PathBuf {
        let name = digest.to_string();
        self.folder.join("objects").join(name.get(..2).unwrap_or("")).join(name)
    }

    /// A large payload as a file: written aside, flushed, renamed, its folder flushed. A file that is there already is the same.
    fn write_object(&self, artifact: &Artifact) -> Result<(), StoreError> {
        let path = self.object(artifact.content_digest());
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(|source| io(folder, source))?;
        if !path.exists() {
            let aside = folder.join(format!(".{}.{}", artifact.id(), std::process::id()));
            let write = || {
                let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&aside)?;
                file.write_all(artifact.payload())?;
                file.sync_data()?;
                fs::rename(&aside, &path)
            };
            write().map_err(|source| io(&path, source))?;
        }
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| io(folder, source))
    }

    /// Writes everything that waits, and a batch of a run's records: one transaction, and durable when this returns.
    fn write(&self, batch: Option<(&str, &Batch)>) -> Result<(), StoreError> {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() && batch.is_none() {
            return Ok(());
        }
        for artifact in waiting.values().filter(|artifact| artifact.payload().len() > SMALL) {
            self.write_object(artifact)?;
        }
        let transaction = self.database.unchecked_transaction().map_err(|source| self.error(source))?;
        self.insert(&waiting).map_err(|source| self.error(source))?;
        if let Some((run, batch)) = batch {
            self.insert_records(run, batch)?;
        }
        transaction.commit().map_err(|source| self.error(source))?;
        // What could not be written stays: the run still reads it.
        waiting.clear();
        Ok(())
    }

    fn insert(&self, artifacts: &FxHashMap<Checksum, Artifact>) -> rusqlite::Result<()> {
        let mut statement = self.database.prepare_cached(
            "INSERT OR IGNORE INTO artifact (checksum, key, digest, size, bytes) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for artifact in artifacts.values() {
            let large = artifact.payload().len() > SMALL;
            let bytes = if large { artifact.head() } else { artifact.bytes().to_vec() };
            statement.execute(params![
                artifact.checksum().0,
                key::encode(artifact, key::Form::Binary),
                artifact.content_digest().0,
                artifact.payload().len() as i64,
                bytes
            ])?;
        }
        Ok(())
    }

    fn read(&self, checksum: Checksum) -> Result<Option<Artifact>, StoreError> {
        let row: Option<(Vec<u8>, i64, [u8; 32])> = self
            .database
            .prepare_cached("SELECT bytes, size, digest FROM artifact WHERE checksum = ?1")
            .and_then(|mut statement| {
                statement.query_row([checksum.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
            })
            .map_err(|source| self.error(source))?;
        let Some((bytes, size, digest)) = row else { return Ok(None) };
        let artifact = if size as usize > SMALL {
            let path = self.object(ContentDigest(digest));
            let payload = fs::read(&path).map_err(|source| io(&path, source))?;
            Artifact::from_head(&bytes, &payload)
        } else {
            Artifact::from_bytes(&bytes)
        };
        match artifact {
            Ok(artifact) if artifact.checksum() == checksum => Ok(Some(artifact)),
            _ => Err(StoreError::Damaged(checksum)),
        }
    }

    /// Looks an artifact up, and says when it is damaged.
    pub fn find(&self, checksum: Checksum) -> Result<Option<Artifact>, StoreError> {
        match self.waiting.borrow().get(&checksum) {
            Some(artifact) => Ok(Some(artifact.clone())),
            None => self.read(checksum),
        }
    }

    /// Artifacts whose checksum, in hexadecimal, or key begins with `prefix`; the newest keys last.
    pub fn list(&self, prefix: &str, most: usize) -> Result<Vec<Entry>, StoreError> {
        let list = || -> rusqlite::Result<Vec<Entry>> {
            let mut statement = self.database.prepare(
                "SELECT checksum, key, size FROM artifact
                 WHERE substr(key, 1, length(?1)) = ?1 OR substr(lower(hex(checksum)), 1, length(?1)) = ?1
                 ORDER BY key LIMIT ?2",
            )?;
            let rows = statement.query_map(params![prefix, most as i64], |row| {
                Ok(Entry { checksum: Checksum(row.get(0)?), key: row.get(1)?, size: row.get::<_, i64>(2)? as u64 })
            })?;
            rows.collect()
        };
        list().map_err(|source| self.error(source))
    }
}

impl Store for Disk {
    fn put(&self, artifact: &Artifact) {
        let waiting = {
            let mut waiting = self.waiting.borrow_mut();
            waiting.insert(artifact.checksum(), artifact.clone());
            waiting.len()
        };
        if waiting >= WAITING && !self.failed.get() {
            self.failed.set(self.write(None).is_err());
        }
    }

    fn hold(&self, artifact: &Artifact) {
        self.put(artifact);
    }

    fn get(&self, checksum: Checksum) -> Option<Artifact> {
        self.find(checksum).ok().flatten()
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.write(None)
    }

    fn begin(&self, run: RunRow) -> Result<(), StoreError> {
        self.own_new(run)
    }

    fn append(&self, run: &str, batch: &Batch) -> Result<(), StoreError> {
        self.write(Some((run, batch)))
    }
}

/// Makes the tables, with one flush: the write-ahead log's first commit will flush the rest.
fn create(database: &Connection, folder: &Path, path: &Path) -> Result<(), StoreError> {
    let made = database.execute_batch(&format!(
        "PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;"
    ));
    if let Err(source) = made {
        // Another process may have made them meanwhile; else the format says so.
        let _ = database.execute_batch("ROLLBACK");
        if database.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).ok() != Some(FORMAT) {
            return Err(StoreError::Database { path: path.display().to_string(), source });
        }
    }
    // A log beside an empty database would be thrown away after a power cut.
    let flush = |file: &Path| fs::File::open(file).and_then(|file| file.sync_all()).map_err(|source| io(file, source));
    flush(path)?;
    flush(folder)
}

fn io(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::Io { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aivm_schema::artifact::Draft;

    fn artifact(payload: Vec<u8>, nth: u8) -> Artifact {
        let draft = Draft {
            media_type: "text/plain".into(),
            origin: "w".into(),
            role: "step".into(),
            scope: "run".into(),
            payload,
            ..Draft::default()
        };
        draft.seal(1_000_000 * u64::from(nth), [nth; 10]).expect("valid")
    }

    #[test]
    fn small_and_large_artifacts_come_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let (small, large, same) =
            (artifact(b"x".to_vec(), 1), artifact(vec![7; 200_000], 2), artifact(vec![7; 200_000], 3));
        let disk = Disk::open(folder.path()).expect("opens");
        for artifact in [&small, &large, &same] {
            disk.put(artifact);
        }
        disk.flush().expect("flushes");
        let disk = Disk::open(folder.path()).expect("opens again");
        for artifact in [&small, &large, &same] {
            assert_eq!(disk.get(artifact.checksum()).as_ref(), Some(artifact));
        }
        assert_eq!(disk.list("w/step/run/1000000/", 10).expect("lists").len(), 1);
        let objects = folder.path().join("objects");
        let files: usize = fs::read_dir(objects)
            .expect("there")
            .flatten()
            .map(|dir| fs::read_dir(dir.path()).expect("there").count())
            .sum();
        assert_eq!(files, 1, "equal content is kept once");
    }

    #[test]
    fn what_cannot_be_written_is_not_lost() {
        let folder = tempfile::tempdir().expect("a folder");
        let large = artifact(vec![7; 200_000], 2);
        let disk = Disk::open(folder.path()).expect("opens");
        fs::write(folder.path().join("objects"), "in the way").expect("writes");
        disk.put(&large);
        assert!(disk.flush().is_err());
        assert_eq!(disk.get(large.checksum()).as_ref(), Some(&large));
        fs::remove_file(folder.path().join("objects")).expect("goes");
        disk.flush().expect("flushes");
        let disk = Disk::open(folder.path()).expect("opens again");
        assert_eq!(disk.get(large.checksum()).as_ref(), Some(&large));
    }

    #[test]
    fn nobody_else_can_read_a_store() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().join(".aivm");
        drop(Disk::open(&own).expect("opens"));
        assert_eq!(fs::metadata(&own).expect("there").permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_damaged_file_is_reported() {
        let folder = tempfile::tempdir().expect("a folder");
        let large = artifact(vec![7; 200_000], 2);
        let disk = Disk::open(folder.path()).expect("opens");
        disk.put(&large);
        disk.flush().expect("flushes");
        fs::write(disk.object(large.content_digest()), vec![8; 200_000]).expect("writes");
        assert!(matches!(disk.find(large.checksum()), Err(StoreError::Damaged(_))));
        assert_eq!(disk.get(large.checksum()), None);
    }
}
