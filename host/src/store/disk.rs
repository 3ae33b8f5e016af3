//! The store in `.aivm/`: one SQLite database, `store.db`; payloads over 64 KiB as files under `objects/`, by content digest.
//!
//! What runs write is only ever added: a row of `journal` holds a batch of records and the artifacts that came with it. Where an
//! artifact stands is an index that is caught up by whoever looks for one. [`Kept`] is what one run sees.

use super::StoreError;
use aivm_schema::artifact::{Artifact, Checksum};
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

mod answers;
mod cache;
mod direct;
mod existing;
mod follow;
mod gc;
mod index;
mod journal;
mod kept;
mod lock;
mod look;
mod objects;
mod passed;
mod performance;
mod rows;
mod runs;
mod sent;
mod values;
mod writer;

pub(crate) use existing::uri;
pub use follow::{Following, Progress, Stopped};
pub use gc::{Collected, Policy};
pub use journal::Journal;
pub use kept::Kept;
#[cfg(feature = "s3")]
pub(crate) use objects::SMALL;
pub use runs::{CANCEL, Signal};
pub use sent::{BucketId, Standing, Unsent};

use cache::Cache;
use follow::Follower;
use rows::Request;
use writer::Writer;

/// So long one look at what other processes ask serves all runs of this one: each look waits for whoever writes.
const ASKED: Duration = Duration::from_millis(100);

/// The format of the database; `PRAGMA user_version`.
const FORMAT: i64 = 5;

const SCHEMA: &str = "
CREATE TABLE journal (
    row       INTEGER PRIMARY KEY,
    run       INTEGER NOT NULL,  -- 0: artifacts of no run
    previous  INTEGER NOT NULL,  -- the row of the run's batch before; 0: none
    seq       INTEGER NOT NULL,  -- of the first record
    link      BLOB,              -- the chain behind the last record
    records   BLOB,              -- each with its length before it
    artifacts BLOB               -- each with its length before it
);
CREATE TABLE run (
    number     INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    started    INTEGER NOT NULL, -- unix nanoseconds
    program    TEXT NOT NULL,    -- the name of its file
    module     BLOB NOT NULL,    -- checksum of the module's artifact
    status     TEXT NOT NULL,    -- running, parked, stuck, sent, cancelled, failed, timeout
    checkpoint INTEGER NOT NULL, -- the row of the last batch that begins with a checkpoint; 0: none
    quarantine TEXT              -- what is wrong with it, and where
);
CREATE INDEX run_open ON run (status) WHERE status IN ('running', 'parked', 'stuck');
-- What changes with every batch: small, so that many runs share a page.
CREATE TABLE head (
    run       INTEGER PRIMARY KEY,
    epoch     INTEGER NOT NULL,  -- raised by whoever takes the run over
    seq       INTEGER NOT NULL,  -- of the last record
    last      INTEGER NOT NULL   -- the row of the last batch
);
CREATE TABLE signal (
    run       INTEGER NOT NULL,
    what      TEXT NOT NULL,     -- cancel
    by        TEXT NOT NULL,
    at        INTEGER NOT NULL,  -- unix nanoseconds
    PRIMARY KEY (run, what)
) WITHOUT ROWID;
-- Where artifacts stand in the journal's rows, up to the row `indexed`.
CREATE TABLE artifact (
    checksum  BLOB NOT NULL,
    row       INTEGER NOT NULL,
    offset    INTEGER NOT NULL,
    key       TEXT NOT NULL,     -- <origin>/<role>/<scope>/<timestamp>/<type>/<version>/<id>.artifact
    size      INTEGER NOT NULL,  -- of the payload, in bytes
    digest    BLOB,              -- of the content, when the payload is in a file of that name
    PRIMARY KEY (checksum, row)
) WITHOUT ROWID;
CREATE INDEX artifact_key ON artifact (key);
CREATE INDEX artifact_digest ON artifact (digest) WHERE digest IS NOT NULL;
CREATE TABLE indexed (row INTEGER NOT NULL);
INSERT INTO indexed VALUES (0);
CREATE TABLE bucket (
    number      INTEGER PRIMARY KEY,
    place       TEXT NOT NULL UNIQUE,
    row         INTEGER NOT NULL, -- the artifacts of the rows up to this one are there
    conditional TEXT              -- what conditional writes do there: atomic, racy, ignored, refused
);
-- Uploads in parts that have begun and not ended.
CREATE TABLE upload (
    bucket    INTEGER NOT NULL,
    checksum  BLOB NOT NULL,     -- of the artifact
    id        TEXT NOT NULL,     -- the server's
    PRIMARY KEY (bucket, checksum)
) WITHOUT ROWID;
-- Up to which record runs are in a bucket.
CREATE TABLE sealed (
    bucket    INTEGER NOT NULL,
    run       INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    PRIMARY KEY (bucket, run)
) WITHOUT ROWID;
";

/// A store on disk. Cloning shares it, also between threads: what each of them writes goes into the same transactions.
#[derive(Clone)]
pub struct Disk(Arc<Shared>);

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Disk").field(&self.folder()).finish()
    }
}

struct Shared {
    writer: Arc<Writer>,
    /// Artifacts that were put or read lately.
    cache: Mutex<Cache>,
    /// So many runs are this process's, and under way.
    owned: AtomicUsize,
    /// The runs that something was asked of, when it was looked last.
    asked: Mutex<Option<(Instant, Vec<i64>)>>,
    /// Who takes what is written on to a bucket.
    follower: OnceLock<Follower>,
}

impl Shared {
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many runs are this process's.
    fn owned(&self) -> usize {
        self.owned.load(Ordering::Relaxed)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.writer.close();
    }
}

impl Disk {
    /// The folder of the state that it is in.
    pub fn folder(&self) -> &Path {
        &self.writer().folder
    }

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
            // One process makes it, and the others wait: SQLite does not wait for who changes the sort of a log.
            let alone = fs::File::open(folder).map_err(|source| io(folder, source))?;
            alone.lock().map_err(|source| io(folder, source))?;
            if format().map_err(error)? == 0 {
                create(&database, folder, &path)?;
            }
        }
        // The log is copied into the database, with a flush of each, when it has 2,000 pages, 16 MiB: many runs at once write that in
        // 150 ms, and all of them wait meanwhile.
        database.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 2000;").map_err(error)?;
        match format().map_err(error)? {
            FORMAT => {}
            found => return Err(StoreError::Format { path: path.display().to_string(), found, expected: FORMAT }),
        }
        Ok(Disk::of(folder, database))
    }

    /// May it not be written?
    pub fn is_readonly(&self) -> bool {
        self.writer().state().database.is_readonly("main").unwrap_or(true)
    }

    fn writer(&self) -> &Writer {
        &self.0.writer
    }

    /// Keeps an artifact of no run; durable when it returns.
    pub fn put(&self, artifact: &Artifact) -> Result<(), StoreError> {
        let request = Request { artifacts: vec![artifact.clone()], ..Request::default() };
        self.writer().now(&request).map(|_| ())
    }

    /// Looks an artifact up; none when it is not here or damaged.
    pub fn get(&self, checksum: Checksum) -> Option<Artifact> {
        self.find(checksum).ok().flatten()
    }

    /// Looks an artifact up, and says when it is damaged.
    pub fn find(&self, checksum: Checksum) -> Result<Option<Artifact>, StoreError> {
        let cached = self.0.cache().get(checksum);
        if cached.is_some() {
            return Ok(cached);
        }
        let found = self.writer().find(checksum)?;
        if let Some(artifact) = &found {
            self.0.cache().insert(artifact);
        }
        Ok(found)
    }

    /// So many transactions have been made durable by this process, each with a flush.
    pub fn commits(&self) -> u64 {
        self.writer().commits()
    }
}

/// Of a page, in bytes. The smaller the page, the less a run that is alone writes with each step; the larger, the more batches share
/// what a page costs, where many runs write at once.
const PAGE: usize = 8 << 10;

/// Makes the tables, with one flush: the write-ahead log's first commit will flush the rest.
fn create(database: &Connection, folder: &Path, path: &Path) -> Result<(), StoreError> {
    let made = database.execute_batch(&format!(
        "PRAGMA page_size = {PAGE}; PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;"
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
mod tests;
