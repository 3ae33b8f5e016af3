//! Answers that are kept for other runs: written with the outcome that they came by, looked up by the question.

use super::{Disk, StoreError};
use crate::store::CachedAnswer;
use rusqlite::{Connection, OptionalExtension, params};

/// Made when the first answer is kept; stores that lack it have none.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS answer (
    row    INTEGER PRIMARY KEY, -- the newest last
    key    BLOB NOT NULL UNIQUE,
    run    TEXT NOT NULL,       -- who asked
    at     INTEGER NOT NULL,    -- unix nanoseconds
    until  INTEGER NOT NULL,
    answer TEXT NOT NULL        -- as a cassette has it
)";
/// So many are kept; the oldest go.
const MOST: i64 = 4_096;

/// Within a transaction: keeps an answer, instead of an older one to the same question.
pub(super) fn put(database: &Connection, entry: &CachedAnswer) -> rusqlite::Result<()> {
    database.execute_batch(TABLE)?;
    let CachedAnswer { key, run, at, until, answer } = entry;
    database
        .prepare_cached("INSERT OR REPLACE INTO answer (key, run, at, until, answer) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![key, run, *at as i64, *until as i64, answer])?;
    let last = database.last_insert_rowid();
    database.prepare_cached("DELETE FROM answer WHERE row <= ?1")?.execute(params![last - MOST])?;
    Ok(())
}

impl Disk {
    /// The answer that is kept to this question, however old it is.
    pub(super) fn answer(&self, key: &[u8; 32]) -> Option<CachedAnswer> {
        let state = self.writer().state();
        // Without the table there is none.
        let mut statement =
            state.database.prepare_cached("SELECT run, at, until, answer FROM answer WHERE key = ?1").ok()?;
        let entry = |row: &rusqlite::Row<'_>| {
            let (at, until) = (row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64);
            Ok(CachedAnswer { key: *key, run: row.get(0)?, at, until, answer: row.get(3)? })
        };
        statement.query_row(params![key], entry).optional().ok().flatten()
    }

    /// Removes the answers that do not hold any more; `dry` only counts them. So many, and their bytes.
    pub(super) fn sweep_answers(&self, now: u64, dry: bool) -> Result<(u64, u64), StoreError> {
        let writer = self.writer();
        let now = now.min(i64::MAX as u64) as i64;
        let select = "SELECT count(*), coalesce(sum(length(answer)), 0) FROM answer WHERE until < ?1";
        let counted = {
            let state = writer.state();
            let Ok(mut statement) = state.database.prepare(select) else { return Ok((0, 0)) };
            statement.query_row(params![now], |row| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64)))
        };
        let counted = counted.map_err(|source| writer.error(source))?;
        if counted.0 > 0 && !dry {
            writer.transaction(|state| {
                let removed = state.database.execute("DELETE FROM answer WHERE until < ?1", params![now]);
                removed.map_err(|source| writer.error(source))
            })?;
        }
        Ok(counted)
    }
}
