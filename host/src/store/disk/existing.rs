//! Opening a store without making one: where there is none nothing is found, and one that may not be written is read.

use super::writer::Writer;
use super::{Disk, FORMAT, SCHEMA, Shared};
use crate::store::StoreError;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, OnceLock};

/// The index of artifacts is caught up beside the store, as long as it is open.
const BESIDE: &str = "
CREATE TEMP TABLE ahead (
    checksum BLOB NOT NULL, row INTEGER NOT NULL, offset INTEGER NOT NULL, key TEXT NOT NULL, size INTEGER NOT NULL, digest BLOB,
    PRIMARY KEY (checksum, row)
) WITHOUT ROWID;
CREATE TEMP TABLE indexed AS SELECT row FROM main.indexed;
CREATE TEMP VIEW artifact AS
    SELECT checksum, row, offset, key, size, digest FROM main.artifact
    UNION ALL SELECT checksum, row, offset, key, size, digest FROM ahead;
CREATE TEMP TRIGGER artifact_is_ahead INSTEAD OF INSERT ON artifact BEGIN
    INSERT OR IGNORE INTO ahead VALUES (new.checksum, new.row, new.offset, new.key, new.size, new.digest);
END;
";

impl Disk {
    /// Opens `.aivm` when it is there, and makes nothing. Where it may not be written, whoever writes is refused.
    pub fn existing(folder: &Path) -> Result<Disk, StoreError> {
        if !Disk::is_there(folder) {
            return Disk::empty(folder);
        }
        let opened = Disk::open(folder);
        match &opened {
            Ok(disk) if !disk.writer().state().database.is_readonly("main").unwrap_or(false) => opened,
            Ok(_) | Err(StoreError::Database { .. } | StoreError::Io { .. }) => Disk::read(folder).or(opened),
            Err(_) => opened,
        }
    }

    /// Is there a store?
    pub(super) fn is_there(folder: &Path) -> bool {
        folder.join("store.db").symlink_metadata().is_ok()
    }

    /// A store without anything, kept nowhere.
    fn empty(folder: &Path) -> Result<Disk, StoreError> {
        let error = |source| StoreError::Database { path: folder.display().to_string(), source };
        let database = Connection::open_in_memory().map_err(error)?;
        database.execute_batch(SCHEMA).map_err(error)?;
        Ok(Disk::of(folder, database))
    }

    /// A store that may not be written.
    pub(super) fn read(folder: &Path) -> Result<Disk, StoreError> {
        let path = folder.join("store.db");
        let error = |source| StoreError::Database { path: path.display().to_string(), source };
        let format =
            |database: &Connection| database.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
        let open = |name: &str| -> rusqlite::Result<(Connection, i64)> {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let database = Connection::open_with_flags(name, flags)?;
            database.busy_timeout(std::time::Duration::from_secs(10))?;
            let format = format(&database)?;
            Ok((database, format))
        };
        let name = uri(&path);
        let opened = open(&name).or_else(|error| {
            // Beside a log there may be somebody who writes it; without one the database is all there is.
            let logged = folder.join("store.db-wal").metadata().is_ok_and(|log| log.len() > 0);
            if logged { Err(error) } else { open(&format!("{name}?immutable=1")) }
        });
        let (database, found) = opened.map_err(error)?;
        if found != FORMAT {
            return Err(StoreError::Format { path: path.display().to_string(), found, expected: FORMAT });
        }
        database.execute_batch(BESIDE).map_err(error)?;
        Ok(Disk::of(folder, database))
    }

    /// The store in this folder, by this connection.
    pub(super) fn of(folder: &Path, database: Connection) -> Disk {
        database.set_prepared_statement_cache_capacity(48);
        Disk(Arc::new(Shared {
            writer: Arc::new(Writer::new(folder, database)),
            cache: Mutex::default(),
            owned: AtomicUsize::default(),
            asked: Mutex::default(),
            follower: OnceLock::new(),
        }))
    }
}

/// A path as SQLite reads it in a URI.
pub(crate) fn uri(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            byte if byte.is_ascii_alphanumeric() || b"/-_.".contains(byte) => uri.push(char::from(*byte)),
            byte => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri
}
