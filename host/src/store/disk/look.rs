//! Looking at runs that may be another process's: nothing here owns a run or writes.

use super::lock::Lock;
use super::{Disk, rows};
use crate::store::StoreError;
use rusqlite::OptionalExtension;

impl Disk {
    /// Does a process carry this run on?
    pub fn is_carried(&self, run: &str) -> bool {
        Lock::is_taken(&self.writer().folder, run)
    }

    /// The last record of a run, unchecked: for lists.
    pub fn last_record(&self, run: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let writer = self.writer();
        let Some(stands) = writer.stands(run)? else { return Ok(None) };
        let select = "SELECT previous, records FROM journal WHERE row = ?1";
        let mut row = stands.last;
        // A row without records holds artifacts that were written ahead.
        while row != 0 {
            let state = writer.state();
            let found = state
                .database
                .prepare_cached(select)
                .and_then(|mut statement| statement.query_row([row], |row| Ok((row.get(0)?, row.get(1)?))).optional());
            let found: Option<(i64, Option<Vec<u8>>)> = found.map_err(|source| writer.error(source))?;
            let Some((previous, records)) = found.filter(|(previous, _)| *previous < row) else { return Ok(None) };
            let records = records.unwrap_or_default();
            if let Some(last) = rows::records(&records).and_then(|records| records.last().map(|last| last.to_vec())) {
                return Ok(Some(last));
            }
            row = previous;
        }
        Ok(None)
    }
}
