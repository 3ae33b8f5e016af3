//! The rows of runs: how each stands, who takes it over, what is asked of it.

use super::writer::Writer;
use super::{ASKED, Disk};
use crate::store::{RunRow, StoreError};
use aivm_schema::artifact::Checksum;
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::PoisonError;
use std::time::Instant;

/// The columns of a [`RunRow`].
const ROW: &str = "id, started, status, program, module, quarantine";

/// Asks a run to stop, and to take back what it did: [`Signal::what`].
pub const CANCEL: &str = "cancel";

/// What another process asks of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// [`CANCEL`].
    pub what: String,
    /// Who.
    pub by: String,
    /// When: unix nanoseconds.
    pub at: u64,
}

/// How a run stands in the store.
pub(super) struct Stands {
    pub(super) row: RunRow,
    pub(super) number: i64,
    pub(super) epoch: i64,
    pub(super) seq: u64,
    pub(super) last: i64,
    pub(super) checkpoint: i64,
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: row.get(0)?,
        started: row.get::<_, i64>(1)? as u64,
        status: row.get(2)?,
        program: row.get(3)?,
        module: Checksum(row.get(4)?),
        quarantine: row.get(5)?,
    })
}

pub(super) fn stands(database: &Connection, run: &str) -> rusqlite::Result<Option<Stands>> {
    let select =
        format!("SELECT {ROW}, number, checkpoint, epoch, seq, last FROM run JOIN head ON run = number WHERE id = ?1");
    let stands = |at: &rusqlite::Row<'_>| {
        Ok(Stands {
            row: row(at)?,
            number: at.get(6)?,
            checkpoint: at.get(7)?,
            epoch: at.get(8)?,
            seq: at.get::<_, i64>(9)? as u64,
            last: at.get(10)?,
        })
    };
    database.prepare_cached(&select)?.query_row([run], stands).optional()
}

impl Writer {
    pub(super) fn stands(&self, run: &str) -> Result<Option<Stands>, StoreError> {
        stands(&self.state().database, run).map_err(|source| self.error(source))
    }

    /// Raises the epochs of runs, by one transaction: the old owners' next appends are refused.
    pub(super) fn take_over(&self, runs: &[&str]) -> Result<Vec<Option<Stands>>, StoreError> {
        self.transaction(|state| {
            let database = &state.database;
            let take = |run: &&str| {
                database
                    .prepare_cached(
                        "UPDATE head SET epoch = epoch + 1 WHERE run = (SELECT number FROM run WHERE id = ?1)",
                    )?
                    .execute([run])?;
                stands(database, run)
            };
            runs.iter().map(take).collect::<rusqlite::Result<_>>().map_err(|source| self.error(source))
        })
    }

    /// The runs of which something is asked.
    fn asked(&self) -> Result<Vec<i64>, StoreError> {
        let state = self.state();
        let list = || -> rusqlite::Result<Vec<i64>> {
            state.database.prepare_cached("SELECT DISTINCT run FROM signal")?.query_map([], |row| row.get(0))?.collect()
        };
        list().map_err(|source| self.error(source))
    }

    pub(super) fn signals(&self, number: i64) -> Result<Vec<Signal>, StoreError> {
        let state = self.state();
        let list = || -> rusqlite::Result<Vec<Signal>> {
            let select = "SELECT what, by, at FROM signal WHERE run = ?1 ORDER BY at";
            let signal = |row: &rusqlite::Row<'_>| {
                Ok(Signal { what: row.get(0)?, by: row.get(1)?, at: row.get::<_, i64>(2)? as u64 })
            };
            state.database.prepare_cached(select)?.query_map([number], signal)?.collect()
        };
        list().map_err(|source| self.error(source))
    }
}

impl Disk {
    /// The row of a run.
    pub fn run(&self, run: &str) -> Result<Option<RunRow>, StoreError> {
        Ok(self.writer().stands(run)?.map(|stands| stands.row))
    }

    /// The runs whose id begins with `prefix`, newest first.
    pub fn runs(&self, prefix: &str, most: usize) -> Result<Vec<RunRow>, StoreError> {
        let select =
            format!("SELECT {ROW} FROM run WHERE substr(id, 1, length(?1)) = ?1 ORDER BY started DESC LIMIT ?2");
        self.rows(&select, params![prefix, most as i64])
    }

    /// Runs that stand so (`running`, `parked` or `stuck`) behind the run `after`, in order of their beginning: found without
    /// looking at any other.
    pub fn waiting(&self, status: &str, after: &str, most: usize) -> Result<Vec<RunRow>, StoreError> {
        let select = format!(
            "SELECT {ROW} FROM run INDEXED BY run_open
             WHERE status IN ('running', 'parked', 'stuck') AND status = ?1 AND quarantine IS NULL
             AND number > coalesce((SELECT number FROM run WHERE id = ?2), 0) ORDER BY number LIMIT ?3"
        );
        self.rows(&select, params![status, after, most as i64])
    }

    fn rows(&self, select: &str, params: impl rusqlite::Params) -> Result<Vec<RunRow>, StoreError> {
        let state = self.writer().state();
        let list = || -> rusqlite::Result<Vec<RunRow>> {
            state.database.prepare_cached(select)?.query_map(params, row)?.collect()
        };
        list().map_err(|source| self.writer().error(source))
    }

    /// The run is one of another program from now on.
    pub fn upgraded(&self, run: &str, module: Checksum) -> Result<(), StoreError> {
        self.change("UPDATE run SET module = ?2 WHERE id = ?1", params![run, module.0]).map(drop)
    }

    /// Sets a run aside, for this reason: it is not resumed, and the others go on. Or no longer.
    pub fn quarantine(&self, run: &str, reason: Option<&str>) -> Result<(), StoreError> {
        self.change("UPDATE run SET quarantine = ?2 WHERE id = ?1", params![run, reason]).map(drop)
    }

    /// Asks the owner of a run for something; `false`: there is no such run.
    pub fn signal(&self, run: &str, what: &str, by: &str) -> Result<bool, StoreError> {
        use crate::mint::Clock;
        let at = crate::mint::SystemClock.now() as i64;
        let insert =
            "INSERT OR REPLACE INTO signal (run, what, by, at) SELECT number, ?2, ?3, ?4 FROM run WHERE id = ?1";
        Ok(self.change(insert, params![run, what, by, at])? > 0)
    }

    /// What is asked of a run.
    pub fn signals(&self, run: &str) -> Result<Vec<Signal>, StoreError> {
        match self.writer().stands(run)? {
            Some(stands) => self.writer().signals(stands.number),
            None => Ok(Vec::new()),
        }
    }

    /// Was something asked of a run of this process, not long ago?
    pub(super) fn is_asked(&self, number: i64) -> Result<bool, StoreError> {
        let asked = &mut *self.0.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = match asked {
            Some((looked, runs)) if self.0.owned() > 1 && looked.elapsed() < ASKED => runs,
            _ => {
                let runs = self.writer().asked()?;
                &mut asked.insert((Instant::now(), runs)).1
            }
        };
        Ok(runs.contains(&number))
    }

    /// Nothing is asked of a run any more.
    pub fn heard(&self, run: &str) -> Result<(), StoreError> {
        self.change("DELETE FROM signal WHERE run = (SELECT number FROM run WHERE id = ?1)", params![run]).map(drop)
    }

    fn change(&self, statement: &str, params: impl rusqlite::Params) -> Result<usize, StoreError> {
        let writer = self.writer();
        writer.transaction(|state| {
            let changed = state.database.prepare_cached(statement).and_then(|mut statement| statement.execute(params));
            changed.map_err(|source| writer.error(source))
        })
    }
}
