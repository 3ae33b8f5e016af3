//! The journals of runs: whose each is, its records in batches, and reading them back.
//!
//! A run is one process's: it holds a lock on a file, which the system releases when the process ends, however it ends. Whoever
//! takes a run over raises its epoch; the old owner's next append is refused, should it still be alive.

use super::{Disk, io};
use crate::store::{RunRow, StoreError};
use aivm_schema::artifact::Checksum;
use aivm_schema::journal::Link;
use aivm_vm::run::Batch;
use rusqlite::{OptionalExtension, params};
use std::fs::{self, File, TryLockError};
use std::path::PathBuf;

/// A run that is this process's.
pub(super) struct Owned {
    row: RunRow,
    epoch: i64,
    _lock: Lock,
}

/// Held until it is dropped; the file goes with it.
struct Lock {
    path: PathBuf,
    _file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// A batch as it is stored.
struct Stored {
    first: i64,
    link: [u8; 32],
    records: Vec<u8>,
}

/// A run's journal, read and checked.
#[derive(Debug)]
pub struct Journal {
    /// The run.
    pub row: RunRow,
    /// The bytes of its records, in order.
    pub records: Vec<Vec<u8>>,
    /// The chain behind the last.
    pub head: Link,
}

impl Disk {
    fn lock(&self, run: &str) -> Result<Lock, StoreError> {
        let folder = self.folder.join("runs");
        fs::create_dir_all(&folder).map_err(|source| io(&folder, source))?;
        let path = folder.join(format!("{run}.lock"));
        let file = File::create(&path).map_err(|source| io(&path, source))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { path, _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Owned(run.to_owned())),
            Err(TryLockError::Error(source)) => Err(io(&path, source)),
        }
    }

    pub(super) fn own_new(&self, row: RunRow) -> Result<(), StoreError> {
        let lock = self.lock(&row.id)?;
        self.runs.borrow_mut().insert(row.id.clone(), Owned { row, epoch: 1, _lock: lock });
        Ok(())
    }

    /// Takes a run over: from now on it is this process's. Refused while another process is at it.
    pub fn claim(&self, run: &str) -> Result<(), StoreError> {
        let lock = self.lock(run)?;
        let epoch = self
            .database
            .query_row("UPDATE run SET epoch = epoch + 1 WHERE id = ?1 RETURNING epoch", [run], |row| row.get(0))
            .map_err(|source| self.error(source))?;
        let row = self.run(run)?.ok_or_else(|| StoreError::Fenced(run.to_owned()))?;
        self.runs.borrow_mut().insert(run.to_owned(), Owned { row, epoch, _lock: lock });
        Ok(())
    }

    /// Lets a run go: another process may take it.
    pub fn release(&self, run: &str) {
        self.runs.borrow_mut().remove(run);
    }

    /// Within the transaction that is open.
    pub(super) fn insert_records(&self, run: &str, batch: &Batch) -> Result<(), StoreError> {
        let fenced = || StoreError::Fenced(run.to_owned());
        let runs = self.runs.borrow();
        let owned = runs.get(run).ok_or_else(fenced)?;
        let last = batch.first as i64 + batch.records.len() as i64 - 1;
        let status = batch.status.word();
        let mut records = Vec::with_capacity(batch.records.iter().map(|record| record.len() + 4).sum());
        for record in &batch.records {
            records.extend_from_slice(&(record.len() as u32).to_le_bytes());
            records.extend_from_slice(record);
        }
        let write = || -> rusqlite::Result<bool> {
            let number: Option<i64> = if batch.first == 1 {
                let row = &owned.row;
                self.database
                    .prepare_cached(
                        "INSERT INTO run (id, started, program, module, status, epoch, seq, link)
                         VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7) RETURNING number",
                    )?
                    .query_row(
                        params![row.id, row.started as i64, row.program, row.module.0, status, last, batch.head.0],
                        |row| row.get(0),
                    )
                    .optional()?
            } else {
                self.database
                    .prepare_cached(
                        "UPDATE run SET status = ?1, seq = ?2, link = ?3
                         WHERE id = ?4 AND epoch = ?5 AND seq = ?6 RETURNING number",
                    )?
                    .query_row(params![status, last, batch.head.0, run, owned.epoch, batch.first as i64 - 1], |row| {
                        row.get(0)
                    })
                    .optional()?
            };
            let Some(number) = number else { return Ok(false) };
            self.database
                .prepare_cached("INSERT INTO journal (run, seq, link, records) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![number, batch.first as i64, batch.head.0, records])?;
            Ok(true)
        };
        if write().map_err(|source| self.error(source))? { Ok(()) } else { Err(fenced()) }
    }

    /// The row of a run.
    pub fn run(&self, run: &str) -> Result<Option<RunRow>, StoreError> {
        let select = "SELECT id, started, status, program, module FROM run WHERE id = ?1";
        self.database.query_row(select, [run], row).optional().map_err(|source| self.error(source))
    }

    /// The runs whose id begins with `prefix`, newest first.
    pub fn runs(&self, prefix: &str, most: usize) -> Result<Vec<RunRow>, StoreError> {
        let list = || -> rusqlite::Result<Vec<RunRow>> {
            let mut statement = self.database.prepare(
                "SELECT id, started, status, program, module FROM run
                 WHERE substr(id, 1, length(?1)) = ?1 ORDER BY started DESC LIMIT ?2",
            )?;
            statement.query_map(params![prefix, most as i64], row)?.collect()
        };
        list().map_err(|source| self.error(source))
    }

    fn batches(&self, run: i64) -> rusqlite::Result<Vec<Stored>> {
        let select = "SELECT seq, link, records FROM journal WHERE run = ?1 ORDER BY seq";
        let mut statement = self.database.prepare_cached(select)?;
        let stored =
            |row: &rusqlite::Row<'_>| Ok(Stored { first: row.get(0)?, link: row.get(1)?, records: row.get(2)? });
        statement.query_map([run], stored)?.collect()
    }

    /// Reads a run's journal, and checks its chain.
    pub fn journal(&self, run: &str) -> Result<Option<Journal>, StoreError> {
        let Some(row) = self.run(run)? else { return Ok(None) };
        let head = "SELECT number, seq, link FROM run WHERE id = ?1";
        let head = self.database.query_row(head, [run], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let (number, last, head): (i64, i64, [u8; 32]) = head.map_err(|source| self.error(source))?;
        let batches = self.batches(number).map_err(|source| self.error(source))?;
        let (mut link, mut records) = (Link::default(), Vec::new());
        let damaged = |seq: usize, reason: &str| StoreError::Journal {
            run: run.to_owned(),
            seq: seq as u64,
            reason: reason.to_owned(),
        };
        for Stored { first, link: behind, records: bytes } in batches {
            let from = records.len() + 1;
            if first != from as i64 {
                return Err(damaged(from, "it is missing"));
            }
            let mut rest = bytes.as_slice();
            while let Some((length, more)) = rest.split_first_chunk::<4>() {
                let (record, more) = more
                    .split_at_checked(u32::from_le_bytes(*length) as usize)
                    .ok_or_else(|| damaged(from, "it is cut short"))?;
                link = link.then(records.len() as u64 + 1, record);
                records.push(record.to_vec());
                rest = more;
            }
            if !rest.is_empty() || link.0 != behind {
                return Err(damaged(from, "the chain is broken: it was changed after it was written"));
            }
        }
        if records.len() as i64 != last || link.0 != head {
            return Err(damaged(records.len() + 1, "the end is missing"));
        }
        Ok(Some(Journal { row, records, head: link }))
    }
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: row.get(0)?,
        started: row.get::<_, i64>(1)? as u64,
        status: row.get(2)?,
        program: row.get(3)?,
        module: Checksum(row.get(4)?),
    })
}
