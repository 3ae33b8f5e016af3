//! Reading a run's journal: forwards, a row at a time, the chain checked before anything is handed out.

use super::kept::{Kept, View};
use super::rows;
use super::runs::Stands;
use crate::store::StoreError;
use aivm_schema::journal::Link;
use rusqlite::OptionalExtension;
use std::collections::VecDeque;
use std::rc::Rc;

/// A run's journal, being read. Rows that are added meanwhile are not seen.
pub struct Journal {
    view: Rc<View>,
    run: String,
    /// The rows that are to be read, the next at the end.
    rows: Vec<i64>,
    ready: VecDeque<Vec<u8>>,
    /// The number of the next record that is handed out, of the next that is read, and of the last.
    next: u64,
    read: u64,
    last: u64,
    link: Link,
}

/// A row as it is stored.
struct Stored {
    seq: i64,
    link: Option<[u8; 32]>,
    records: Option<Vec<u8>>,
    artifacts: Option<Vec<u8>>,
}

impl Kept {
    /// The run's journal, from its beginning.
    pub fn journal(&self) -> Result<Journal, StoreError> {
        self.read_from(|_| 0)
    }

    /// The run's journal from its last checkpoint on; all of it when there is none.
    pub fn journal_from_checkpoint(&self) -> Result<Journal, StoreError> {
        self.read_from(|stands| stands.checkpoint)
    }

    fn read_from(&self, from: impl FnOnce(&Stands) -> i64) -> Result<Journal, StoreError> {
        let run = self.row().map(|row| row.id.clone()).unwrap_or_default();
        let writer = self.disk().writer();
        let stands = writer.stands(&run)?.ok_or_else(|| StoreError::Fenced(run.clone()))?;
        let damaged = |behind: u64, reason: &str| StoreError::Journal {
            run: run.clone(),
            seq: behind.max(2) - 1,
            reason: reason.to_owned(),
        };
        let from = from(&stands);
        let state = writer.state();
        // From the last row back; what stands before a checkpoint is read only for the link.
        let (mut rows, mut row, mut seq) = (Vec::new(), stands.last, stands.seq + 1);
        let (mut link, mut first) = (Link::default(), 1);
        let select = "SELECT run, previous, seq, link FROM journal WHERE row = ?1";
        let mut statement = state.database.prepare_cached(select).map_err(|source| writer.error(source))?;
        while row != 0 {
            let found = statement
                .query_row([row], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
                .optional()
                .map_err(|_| damaged(seq, "it cannot be read"))?;
            let Some((number, previous, at, behind)): Option<(i64, i64, i64, Option<[u8; 32]>)> = found else {
                return Err(damaged(seq, "it is missing"));
            };
            if number != stands.number || previous >= row || at < 1 || at as u64 > seq {
                return Err(damaged(seq, "another is in its place"));
            }
            let passed = from != 0 && row < from;
            if let Some(behind) = behind.filter(|_| passed) {
                (link, first) = (Link(behind), seq);
                break;
            }
            if !passed {
                rows.push(row);
            }
            (row, seq) = (previous, at as u64);
        }
        let view = self.0.clone();
        Ok(Journal { view, run, rows, ready: VecDeque::new(), next: first, read: first, last: stands.seq, link })
    }
}

impl Journal {
    /// The next record with its number.
    pub fn record(&mut self) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        while self.ready.is_empty() {
            match self.rows.pop() {
                Some(row) => self.read(row).map_err(|error| self.gone().unwrap_or(error))?,
                None if self.read == self.last + 1 => return Ok(None),
                None => return Err(self.damaged("the end is missing")),
            }
        }
        let record = self.ready.pop_front();
        self.next += 1;
        Ok(record.map(|record| (self.next - 1, record)))
    }

    /// Sees what was added meanwhile too, when everything before has been handed out. Was there any?
    pub fn catch_up(&mut self) -> Result<bool, StoreError> {
        let disk = self.view.disk.clone();
        let writer = disk.writer();
        let stands = writer.stands(&self.run)?.ok_or_else(|| StoreError::Fenced(self.run.clone()))?;
        if stands.seq <= self.last || self.read != self.last + 1 {
            return Ok(false);
        }
        let state = writer.state();
        let select = "SELECT previous, seq FROM journal WHERE row = ?1 AND run = ?2";
        let mut statement = state.database.prepare_cached(select).map_err(|source| writer.error(source))?;
        let mut row = stands.last;
        while row != 0 {
            let found = statement.query_row([row, stands.number], |row| Ok((row.get(0)?, row.get(1)?))).optional();
            let found: Option<(i64, i64)> = found.map_err(|source| writer.error(source))?;
            let Some((previous, seq)) = found.filter(|(previous, _)| *previous < row) else {
                return Err(self.damaged("it is missing"));
            };
            if (seq as u64) < self.read {
                break;
            }
            self.rows.push(row);
            row = previous;
        }
        self.last = stands.seq;
        Ok(true)
    }

    /// Whose it is.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// How many records there are in all.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The chain behind the last record that was read.
    pub fn link(&self) -> Link {
        self.link
    }

    /// A run that was removed meanwhile is not damaged.
    fn gone(&self) -> Option<StoreError> {
        let there = self.view.disk.writer().stands(&self.run);
        matches!(there, Ok(None)).then(|| StoreError::Gone(self.run.clone()))
    }

    fn damaged(&self, reason: &str) -> StoreError {
        StoreError::Journal { run: self.run.clone(), seq: self.read, reason: reason.to_owned() }
    }

    fn read(&mut self, row: i64) -> Result<(), StoreError> {
        let select = "SELECT seq, link, records, artifacts FROM journal WHERE row = ?1";
        let view = self.view.clone();
        let state = view.disk.writer().state();
        let stored = state.database.prepare_cached(select).and_then(|mut statement| {
            let stored = |row: &rusqlite::Row<'_>| {
                Ok(Stored { seq: row.get(0)?, link: row.get(1)?, records: row.get(2)?, artifacts: row.get(3)? })
            };
            statement.query_row([row], stored).optional()
        });
        let Ok(Some(stored)) = stored else { return Err(self.damaged("it is missing, or cannot be read")) };
        if stored.seq as u64 != self.read {
            return Err(self.damaged("it is missing"));
        }
        let records = stored.records.unwrap_or_default();
        let records = rows::records(&records).ok_or_else(|| self.damaged("it is cut short"))?;
        let mut link = self.link;
        for (record, seq) in records.iter().zip(self.read..) {
            link = link.then(seq, record);
        }
        if !records.is_empty() && stored.link != Some(link.0) {
            return Err(self.damaged("the chain is broken: it was changed after it was written"));
        }
        self.read += records.len() as u64;
        self.link = link;
        self.ready.extend(records.iter().map(|record| record.to_vec()));
        let passed = &mut *view.passed.borrow_mut();
        passed.row(!records.is_empty());
        for piece in rows::pieces(&stored.artifacts.unwrap_or_default()) {
            // What is damaged is noticed when somebody needs it; files are not read before.
            let artifact = match piece.filed {
                Some(_) => continue,
                None => piece.open(&state.objects)?,
            };
            if let Ok(artifact) = artifact {
                passed.insert(artifact.checksum());
                view.cached(&artifact);
            }
        }
        Ok(())
    }
}
