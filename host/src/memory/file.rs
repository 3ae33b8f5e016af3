//! The memory in `.aivm/`: one SQLite database, `memory.db`, apart from the store. Any number of processes share it; what is
//! written is durable when it is answered.

use super::MemoryError;
use super::vectors::Later;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

mod edges;
mod facts;
mod matrix;
mod spaces;

/// So long a writer waits for others.
const WAITS: Duration = Duration::from_secs(10);

/// The format of the database; `PRAGMA user_version`.
const FORMAT: i64 = 1;
/// Says that a database is a memory; `PRAGMA application_id`.
const OURS: i64 = 0x6169_766d;

/// Vectors lie in pages of their own, as many as fit: looking at all of them is reading these pages in order.
const SCHEMA: &str = "
CREATE TABLE space (
    number     INTEGER PRIMARY KEY,
    place      TEXT NOT NULL,    -- `global`, or `local/` and the worker's name
    collection TEXT NOT NULL,
    embedder   TEXT NOT NULL,
    dimensions INTEGER NOT NULL,
    size       INTEGER NOT NULL, -- so many parts: their slots are 0 to size - 1
    UNIQUE (place, collection, embedder, dimensions)
);
CREATE TABLE part (
    slot       INTEGER PRIMARY KEY, -- the space's number, and 32 bits of the slot
    space      INTEGER NOT NULL,
    note       TEXT NOT NULL,
    number     INTEGER NOT NULL,    -- of the note's parts, from 0
    text       TEXT NOT NULL,
    metadata   TEXT NOT NULL,       -- JSON
    UNIQUE (space, note, number)
);
-- What parts are found by: each member of their metadata, of a list each element.
CREATE TABLE fact (
    space      INTEGER NOT NULL,
    key        TEXT NOT NULL,
    value      ANY NOT NULL,        -- a text, a double, a truth value as a blob of one byte, or a blob of none: it is there
    slot       INTEGER NOT NULL,
    PRIMARY KEY (space, key, value, slot)
) STRICT, WITHOUT ROWID;
CREATE TABLE exact (
    slot       INTEGER PRIMARY KEY,
    vector     BLOB NOT NULL        -- floats of 4 bytes
);
CREATE TABLE quantised (
    block      INTEGER PRIMARY KEY, -- the space's number, and 32 bits of the first slot's block
    vectors    BLOB NOT NULL        -- of each slot: its unit, a float, and a byte for each dimension
);
CREATE TABLE edge (
    place      TEXT NOT NULL,
    source     TEXT NOT NULL,
    relation   TEXT NOT NULL,
    target     TEXT NOT NULL,
    metadata   TEXT NOT NULL,       -- JSON
    PRIMARY KEY (place, source, relation, target)
) WITHOUT ROWID;
CREATE INDEX edge_target ON edge (place, target, relation, source);
";

/// A memory file. Cloning shares it.
#[derive(Clone, Debug)]
pub struct File(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// None: it is kept in no file.
    path: Option<PathBuf>,
    /// Open connections that nobody uses.
    idle: Mutex<Vec<Connection>>,
    /// One writer of this process at a time: SQLite lets others only try again and again.
    writes: Mutex<()>,
}

impl File {
    /// The memory in this folder; nothing is opened yet.
    pub fn at(folder: &Path) -> File {
        File::of(Some(folder.join("memory.db")))
    }

    /// A memory that is gone with this process.
    pub fn fleeting() -> File {
        File::of(None)
    }

    fn of(path: Option<PathBuf>) -> File {
        File(Arc::new(Shared { path, idle: Mutex::default(), writes: Mutex::default() }))
    }

    fn name(&self) -> String {
        self.0.path.as_ref().map_or_else(|| "of this process".to_owned(), |path| path.display().to_string())
    }

    /// Reads; without a file this is the answer.
    fn read<'a, T: Send + 'static>(
        &self,
        nothing: T,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Later<'a, T> {
        let file = self.clone();
        Box::pin(async move {
            match file.is_there() {
                false => Ok(nothing),
                true => file.with(TransactionBehavior::Deferred, work),
            }
        })
    }

    /// Writes: all of it, or nothing.
    fn write<'a, T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Later<'a, T> {
        let file = self.clone();
        Box::pin(async move {
            let _alone = file.0.writes.lock().unwrap_or_else(PoisonError::into_inner);
            file.with(TransactionBehavior::Immediate, work)
        })
    }

    fn is_there(&self) -> bool {
        self.0.path.as_ref().is_none_or(|path| path.symlink_metadata().is_ok())
    }

    /// Does something in a transaction.
    fn with<T>(
        &self,
        behaviour: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, MemoryError> {
        let error = |source| self.error(source);
        // A database that is in no file is one connection: whoever uses it holds the lock.
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle.pop();
        let held = self.0.path.is_none().then_some(idle);
        let mut database = match taken {
            Some(database) => database,
            None => self.open()?,
        };
        let worked = (|| {
            let transaction = database.transaction_with_behavior(behaviour)?;
            let answer = work(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        })();
        match held {
            Some(mut idle) => idle.push(database),
            // One that failed may be broken.
            None if worked.is_ok() => self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).push(database),
            None => {}
        }
        worked.map_err(error)
    }

    fn open(&self) -> Result<Connection, MemoryError> {
        let Some(path) = &self.0.path else {
            let database = Connection::open_in_memory().map_err(|source| self.error(source))?;
            database.execute_batch(SCHEMA).map_err(|source| self.error(source))?;
            return Ok(database);
        };
        let database = match self.open_to_write(path) {
            // Whoever may only read does that.
            Err(MemoryError::File { path: name, reason }) => match self.open_to_read(path) {
                Ok(database) => database,
                Err(_) => return Err(MemoryError::File { path: name, reason }),
            },
            other => other?,
        };
        database.set_prepared_statement_cache_capacity(48);
        Ok(database)
    }

    fn open_to_write(&self, path: &Path) -> Result<Connection, MemoryError> {
        let error = |source| self.error(source);
        let io = |source: std::io::Error| MemoryError::File { path: self.name(), reason: source.to_string() };
        let folder = path.parent().unwrap_or(Path::new("."));
        // Nobody else on this machine reads what workers remember.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
        let database = Connection::open(path).map_err(error)?;
        database.busy_timeout(WAITS).map_err(error)?;
        if self.format(&database)? == 0 {
            // One process makes it, and the others wait: SQLite does not wait for who changes the sort of a log.
            let alone = fs::File::open(folder).map_err(io)?;
            alone.lock().map_err(io)?;
            if self.format(&database)? == 0 {
                self.create(&database)?;
                let flush = |file: &Path| fs::File::open(file).and_then(|file| file.sync_all()).map_err(io);
                flush(path)?;
                flush(folder)?;
            }
        }
        self.check(&database)?;
        // What 100,000 vectors of bytes take, when somebody looks for them. Mapped into memory they would be found as quickly, but a
        // disk that fails would end the process.
        let set = "PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;";
        database.execute_batch(set).map_err(error)?;
        Ok(database)
    }

    fn open_to_read(&self, path: &Path) -> Result<Connection, MemoryError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = |name: &str| {
            let database = Connection::open_with_flags(name, flags).map_err(|source| self.error(source))?;
            database.busy_timeout(WAITS).map_err(|source| self.error(source))?;
            self.check(&database).map(|()| database)
        };
        let name = crate::store::disk::uri(path);
        open(&name).or_else(|error| {
            // Beside a log there may be somebody who writes it; without one the database is all there is.
            let mut log = path.as_os_str().to_owned();
            log.push("-wal");
            let logged = Path::new(&log).metadata().is_ok_and(|log| log.len() > 0);
            if logged { Err(error) } else { open(&format!("{name}?immutable=1")) }
        })
    }

    fn create(&self, database: &Connection) -> Result<(), MemoryError> {
        // A database of somebody else has tables.
        let tables = "SELECT count(*) FROM sqlite_schema";
        let tables = database.query_row(tables, [], |row| row.get::<_, i64>(0)).map_err(|source| self.error(source))?;
        if tables > 0 {
            return Ok(());
        }
        let batch = format!(
            "PRAGMA page_size = 16384; PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; {SCHEMA}
             PRAGMA application_id = {OURS}; PRAGMA user_version = {FORMAT}; COMMIT;"
        );
        database.execute_batch(&batch).map_err(|source| self.error(source))
    }

    fn format(&self, database: &Connection) -> Result<i64, MemoryError> {
        database.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(|source| self.error(source))
    }

    fn check(&self, database: &Connection) -> Result<(), MemoryError> {
        let damaged = |reason: String| MemoryError::Damaged { path: self.name(), reason };
        let id = database.pragma_query_value(None, "application_id", |row| row.get::<_, i64>(0));
        if id.map_err(|source| self.error(source))? != OURS {
            return Err(damaged("it is a database of another program; move it away".to_owned()));
        }
        match self.format(database)? {
            FORMAT => Ok(()),
            found => Err(damaged(format!(
                "it has format {found}, and this program reads {FORMAT}: use the program that made it, or move it away"
            ))),
        }
    }

    /// What went wrong, in our words.
    fn error(&self, source: rusqlite::Error) -> MemoryError {
        let path = self.name();
        match &source {
            rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
                    MemoryError::Busy { path, seconds: WAITS.as_secs() }
                }
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                    let reason = format!("{source}; take it from a backup, or move it away to begin anew");
                    MemoryError::Damaged { path, reason }
                }
                _ => MemoryError::File { path, reason: source.to_string() },
            },
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..) => {
                let reason = format!("{source}; take it from a backup, or move it away to begin anew");
                MemoryError::Damaged { path, reason }
            }
            _ => MemoryError::File { path, reason: source.to_string() },
        }
    }
}

/// What stands in the file is not what was written there.
fn nonsense(what: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, what.to_owned().into())
}

/// Metadata, as it is kept.
fn metadata(text: &str) -> rusqlite::Result<serde_json::Map<String, serde_json::Value>> {
    serde_json::from_str(text).map_err(|error| nonsense(&format!("metadata: {error}")))
}
