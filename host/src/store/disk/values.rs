//! Values as [`Values`] shows them. Those of no run stand in rows of their own: they can be taken out of them, and those that outlive
//! their run are put there.

use super::rows;
use super::writer::State;
use super::{Disk, Policy};
use crate::store::StoreError;
use crate::store::values::{ARTIFACT, Entry, Listing, Values, is_kept};
use aivm_schema::artifact::{Artifact, Checksum};
use rusqlite::{Connection, params};
use rustc_hash::{FxHashMap, FxHashSet};

/// So many are taken out by one transaction: nobody else can write meanwhile.
const TAKEN: usize = 1_000;
/// So many bytes make a row, at least.
const ROW: usize = 8 << 20;

impl Values for Disk {
    fn list(&self, listing: &Listing) -> Result<Vec<Entry>, StoreError> {
        self.writer().list(listing)
    }

    fn starting(&self, checksum_prefix: &str, most: usize) -> Result<Vec<Entry>, StoreError> {
        self.writer().starting(checksum_prefix, most)
    }

    fn find(&self, checksum: Checksum) -> Result<Option<Artifact>, StoreError> {
        Disk::find(self, checksum)
    }

    fn put(&self, artifact: &Artifact) -> Result<(), StoreError> {
        Disk::put(self, artifact)
    }

    fn remove(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let digests = self.take_out(entries)?;
        self.sweep_index()?;
        self.sweep_objects(&digests, false, &mut super::Collected::default())
    }

    fn unreadable(&self) -> Result<u64, StoreError> {
        self.writer().catch_up()?;
        self.damaged()
    }
}

impl Disk {
    /// Takes values of no run out of their rows; gives the digests of files that they named.
    pub(super) fn take_out(&self, entries: &[Entry]) -> Result<FxHashSet<[u8; 32]>, StoreError> {
        let writer = self.writer();
        let mut digests = FxHashSet::default();
        let ours: Vec<Checksum> =
            entries.iter().filter(|entry| entry.run.is_none()).map(|entry| entry.checksum).collect();
        for some in ours.chunks(TAKEN) {
            writer.catch_up()?;
            writer.transaction(|state| {
                let taken = state.index().and_then(|()| state.take_out(some, &mut digests));
                taken.map_err(|source| writer.error(source))
            })?;
            some.iter().for_each(|checksum| self.0.cache().remove(*checksum));
        }
        Ok(digests)
    }
}

impl State {
    /// The value at a place of the index; none when it cannot be read.
    fn at(&self, checksum: [u8; 32], row: i64) -> rusqlite::Result<Option<Artifact>> {
        let select = "SELECT substr(journal.artifacts, artifact.offset + 1) FROM artifact JOIN journal USING (row)
             WHERE checksum = ?1 AND row = ?2";
        let bytes: Vec<u8> =
            self.database.prepare_cached(select)?.query_row(params![checksum, row], |row| row.get(0))?;
        let piece = rows::piece(&bytes).map(|(piece, _)| piece);
        Ok(piece.and_then(|piece| piece.open(&self.objects).ok()?.ok()))
    }

    /// Within a transaction, with the index caught up.
    fn take_out(&mut self, values: &[Checksum], digests: &mut FxHashSet<[u8; 32]>) -> rusqlite::Result<()> {
        let mut rows: FxHashMap<i64, FxHashSet<usize>> = FxHashMap::default();
        {
            let select = "SELECT row, offset, digest FROM artifact JOIN journal USING (row)
                 WHERE checksum = ?1 AND run = 0 AND key <> ''";
            let mut statement = self.database.prepare_cached(select)?;
            for value in values {
                let mut places = statement.query([value.0])?;
                while let Some(place) = places.next()? {
                    rows.entry(place.get(0)?).or_default().insert(place.get::<_, i64>(1)? as usize);
                    digests.extend(place.get::<_, Option<[u8; 32]>>(2)?);
                }
            }
        }
        for (row, taken) in rows {
            let select = "SELECT artifacts FROM journal WHERE row = ?1";
            let all: Vec<u8> = self.database.prepare_cached(select)?.query_row([row], |row| row.get(0))?;
            let (mut left, mut end) = (Vec::new(), 0);
            for piece in rows::pieces(&all) {
                end = piece.end;
                if !taken.contains(&piece.offset) {
                    left.extend_from_slice(all.get(piece.offset..piece.end).unwrap_or_default());
                }
            }
            // What cannot be read stays, and is told of.
            left.extend_from_slice(all.get(end..).unwrap_or_default());
            self.database.prepare_cached("DELETE FROM artifact WHERE row = ?1")?.execute([row])?;
            if left.is_empty() {
                self.database.prepare_cached("DELETE FROM journal WHERE row = ?1")?.execute([row])?;
            } else {
                let update = "UPDATE journal SET artifacts = ?2 WHERE row = ?1";
                self.database.prepare_cached(update)?.execute(params![row, left])?;
                self.index_row(row, &left)?;
            }
        }
        Ok(())
    }
}

/// The values of the rows that go that are kept beyond their run, each once, with the places where they stand: into the table `stays`.
pub(super) fn staying(state: &State, policy: &Policy) -> rusqlite::Result<u64> {
    let (database, rules) = (&state.database, &policy.keeping);
    database.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS stays (checksum BLOB, row INTEGER, PRIMARY KEY (checksum, row)) WITHOUT ROWID;
         DELETE FROM stays;",
    )?;
    // Without rules only what may say so itself.
    let mut found = database.prepare_cached(
        "SELECT checksum, row, key FROM artifact WHERE row IN (SELECT row FROM gone) AND key <> '' AND (?1 OR key LIKE ?2)
         AND NOT EXISTS (SELECT 1 FROM artifact AS other JOIN journal USING (row)
                         WHERE other.checksum = artifact.checksum AND journal.run = 0)",
    )?;
    let mut insert = database
        .prepare_cached("INSERT INTO stays SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM stays WHERE checksum = ?1)")?;
    let (mut count, mut found) = (0, found.query(params![!rules.is_empty(), format!("%/{ARTIFACT}/%")])?);
    while let Some(place) = found.next()? {
        let (checksum, row, key) = (place.get::<_, [u8; 32]>(0)?, place.get::<_, i64>(1)?, place.get::<_, String>(2)?);
        let read = || state.at(checksum, row).ok().flatten();
        if is_kept(rules, policy.now, &key, read) == Some(true) {
            count += insert.execute(params![checksum, row])? as u64;
        }
    }
    Ok(count)
}

/// Within a transaction: writes those values into rows of no run.
pub(super) fn outlive(database: &Connection) -> rusqlite::Result<()> {
    let select =
        "SELECT artifact.row, artifact.offset, journal.artifacts FROM stays JOIN artifact USING (checksum, row)
         JOIN journal USING (row) ORDER BY row, offset";
    let mut found = database.prepare_cached(select)?;
    let mut found = found.query([])?;
    let mut row = Vec::new();
    while let Some(place) = found.next()? {
        let offset = place.get::<_, i64>(1)? as usize;
        let all = place.get_ref(2)?.as_blob_or_null()?.unwrap_or_default();
        if let Some((_, length)) = all.get(offset..).and_then(rows::piece) {
            row.extend_from_slice(all.get(offset..offset + 4 + length).unwrap_or_default());
        }
        if row.len() >= ROW {
            rows::of_nobody(database, &row)?;
            row.clear();
        }
    }
    if row.is_empty() { Ok(()) } else { rows::of_nobody(database, &row) }
}
