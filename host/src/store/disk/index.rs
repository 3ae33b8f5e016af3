//! Where artifacts stand, by checksum and by key: an index over the journal's rows that is caught up by whoever looks.

use super::rows::{self, is_filed};
use super::writer::{State, Writer};
use crate::store::StoreError;
use crate::store::values::{Entry, Listing};
use aivm_schema::artifact::{Artifact, Checksum, ContentDigest, key};
use rusqlite::{OptionalExtension, params};

/// So many bytes of rows are caught up by one transaction, at least.
const CAUGHT_UP: usize = 16 << 20;
/// So many artifacts are.
const ARTIFACTS: usize = 20_000;

/// Under this name stand the rows whose artifacts cannot all be read.
pub(super) const DAMAGED: Checksum = Checksum([0; 32]);

/// A row of the index.
struct Place {
    checksum: Checksum,
    row: i64,
    offset: usize,
    key: String,
    size: usize,
    digest: Option<ContentDigest>,
}

impl Writer {
    /// Brings the index up to the last row.
    pub(super) fn catch_up(&self) -> Result<(), StoreError> {
        loop {
            if !self.state().is_behind().map_err(|source| self.error(source))? {
                return Ok(());
            }
            self.transaction(|state| state.index_some().map_err(|source| self.error(source)))?;
        }
    }

    /// Reads an artifact of the store.
    pub(super) fn find(&self, checksum: Checksum) -> Result<Option<Artifact>, StoreError> {
        if let Some(found) = self.look_up(checksum)? {
            return Ok(Some(found));
        }
        self.catch_up()?;
        self.look_up(checksum)
    }

    fn look_up(&self, checksum: Checksum) -> Result<Option<Artifact>, StoreError> {
        let state = self.state();
        let select = "SELECT substr(journal.artifacts, artifact.offset + 1)
             FROM artifact JOIN journal USING (row) WHERE checksum = ?1 LIMIT 1";
        let bytes = state.database.prepare_cached(select);
        let bytes = bytes.and_then(|mut statement| statement.query_row([checksum.0], |row| row.get(0)).optional());
        let bytes: Option<Vec<u8>> = bytes.map_err(|source| self.error(source))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let damaged = || StoreError::Damaged(checksum);
        let (piece, _) = rows::piece(&bytes).ok_or_else(damaged)?;
        let artifact = piece.open(&state.objects)?.map_err(|_| damaged())?;
        if artifact.checksum() == checksum { Ok(Some(artifact)) } else { Err(damaged()) }
    }

    /// See [`crate::store::values::Values::list`].
    pub(super) fn list(&self, listing: &Listing) -> Result<Vec<Entry>, StoreError> {
        self.catch_up()?;
        let state = self.state();
        let end = format!("{}\u{10ffff}", listing.prefix);
        let list = || -> rusqlite::Result<Vec<Entry>> {
            let select = |place: &str| {
                format!(
                    "SELECT DISTINCT checksum, key, size, run.id FROM artifact JOIN journal USING (row)
                     LEFT JOIN run ON run.number = journal.run WHERE {place} ORDER BY key, checksum, run.id LIMIT ?"
                )
            };
            let mut statement = state.database.prepare_cached(&select("key > ? AND key >= ? AND key < ?"))?;
            let most = listing.most.min(i64::MAX as usize) as i64;
            let found = statement.query_map(params![listing.after, listing.prefix, end, most], entry)?;
            let mut entries: Vec<Entry> = found.collect::<rusqlite::Result<_>>()?;
            // Whoever goes on after the last key has seen all that have it.
            if let Some(last) = entries.last().filter(|_| entries.len() == listing.most).map(|last| last.key.clone()) {
                let before = entries.iter().filter(|entry| entry.key == last).count();
                let mut statement = state.database.prepare_cached(&select("key = ?"))?;
                let others: Vec<Entry> =
                    statement.query_map(params![last, i64::MAX], entry)?.collect::<rusqlite::Result<_>>()?;
                entries.extend(others.into_iter().skip(before));
            }
            Ok(entries)
        };
        list().map_err(|source| self.error(source))
    }

    /// The artifacts of a run that another run has, too.
    pub(super) fn shared(&self, run: &str) -> Result<Vec<Checksum>, StoreError> {
        self.catch_up()?;
        let state = self.state();
        let list = || -> rusqlite::Result<Vec<Checksum>> {
            let mut statement = state.database.prepare_cached(
                "SELECT DISTINCT checksum FROM artifact JOIN journal own USING (row)
                 WHERE own.run = (SELECT number FROM run WHERE id = ?1) AND EXISTS
                 (SELECT 1 FROM artifact other JOIN journal USING (row)
                  WHERE other.checksum = artifact.checksum AND journal.run <> own.run)",
            )?;
            statement.query_map([run], |row| row.get(0).map(Checksum))?.collect()
        };
        list().map_err(|source| self.error(source))
    }

    /// See [`crate::store::values::Values::starting`].
    pub(super) fn starting(&self, prefix: &str, most: usize) -> Result<Vec<Entry>, StoreError> {
        self.catch_up()?;
        let state = self.state();
        let list = || -> rusqlite::Result<Vec<Entry>> {
            let mut statement = state.database.prepare_cached(
                "SELECT checksum, key, size, min(run.id) FROM artifact JOIN journal USING (row)
                 LEFT JOIN run ON run.number = journal.run
                 WHERE checksum BETWEEN ?2 AND ?3 AND substr(lower(hex(checksum)), 1, length(?1)) = lower(?1)
                 AND key <> '' GROUP BY checksum ORDER BY checksum LIMIT ?4",
            )?;
            let (from, to) = hashes(prefix);
            let most = most.min(i64::MAX as usize) as i64;
            statement.query_map(params![prefix, from, to, most], entry)?.collect()
        };
        list().map_err(|source| self.error(source))
    }
}

fn entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<Entry> {
    let size = row.get::<_, i64>(2)? as u64;
    Ok(Entry { checksum: Checksum(row.get(0)?), key: row.get(1)?, size, run: row.get(3)? })
}

/// The least and the greatest hash that begins with these hexadecimal digits; what is none gives no range.
fn hashes(prefix: &str) -> ([u8; 32], [u8; 32]) {
    let all = |filler: char| format!("{prefix:<64}").replace(' ', &filler.to_string()).parse::<Checksum>();
    match (all('0'), all('f')) {
        (Ok(from), Ok(to)) => (from.0, to.0),
        _ => ([1; 32], [0; 32]),
    }
}

impl State {
    fn is_behind(&self) -> rusqlite::Result<bool> {
        let select = "SELECT (SELECT row FROM indexed) < coalesce((SELECT max(row) FROM journal), 0)";
        self.database.prepare_cached(select)?.query_row([], |row| row.get(0))
    }

    /// Within a transaction: takes all rows into the index; few are missing when it was brought up just before.
    pub(super) fn index(&mut self) -> rusqlite::Result<()> {
        while self.is_behind()? {
            self.index_some()?;
        }
        Ok(())
    }

    /// Within a transaction: takes some more rows into the index.
    fn index_some(&mut self) -> rusqlite::Result<()> {
        let database = &self.database;
        let indexed: i64 = database.prepare_cached("SELECT row FROM indexed")?.query_row([], |row| row.get(0))?;
        let (mut last, mut bytes, mut places) = (indexed, 0, Vec::new());
        {
            let select = "SELECT row, artifacts FROM journal WHERE row > ?1 ORDER BY row";
            let mut statement = database.prepare_cached(select)?;
            let mut found = statement.query([indexed])?;
            while let Some(row) = found.next()? {
                last = row.get(0)?;
                if let Some(artifacts) = row.get_ref(1)?.as_blob_or_null()? {
                    bytes += artifacts.len();
                    self.places(last, artifacts, &mut places);
                }
                if bytes >= CAUGHT_UP || places.len() >= ARTIFACTS {
                    break;
                }
            }
        }
        self.insert(places)?;
        self.database.prepare_cached("UPDATE indexed SET row = ?1")?.execute([last])?;
        Ok(())
    }

    /// Within a transaction: takes a row into the index anew.
    pub(super) fn index_row(&self, row: i64, artifacts: &[u8]) -> rusqlite::Result<()> {
        let mut places = Vec::new();
        self.places(row, artifacts, &mut places);
        self.insert(places)
    }

    fn insert(&self, mut places: Vec<Place>) -> rusqlite::Result<()> {
        places.sort_unstable_by_key(|place| place.checksum);
        let insert =
            "INSERT OR IGNORE INTO artifact (checksum, row, offset, key, size, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let mut statement = self.database.prepare_cached(insert)?;
        for Place { checksum, row, offset, key, size, digest } in places {
            let digest = digest.map(|digest| digest.0);
            statement.execute(params![checksum.0, row, offset as i64, key, size as i64, digest])?;
        }
        Ok(())
    }

    /// The artifacts of a row; one that is damaged, or whose file is, cannot be found. Its file stands under its digest, without
    /// a key: it is not taken away as long as the row is there. Where anything is damaged nobody knows what else the row names:
    /// that stands under [`DAMAGED`].
    fn places(&self, row: i64, artifacts: &[u8], places: &mut Vec<Place>) {
        let nameless = |checksum, offset, digest| Place { checksum, row, offset, key: String::new(), size: 0, digest };
        let (mut end, mut whole) = (0, true);
        for piece in rows::pieces(artifacts) {
            end = piece.end;
            let Ok(Ok(artifact)) = piece.open(&self.objects) else {
                whole = false;
                let lost = piece.filed.map(|(digest, _)| nameless(Checksum(digest.0), piece.offset, Some(digest)));
                places.extend(lost);
                continue;
            };
            places.push(Place {
                checksum: artifact.checksum(),
                row,
                offset: piece.offset,
                key: key::encode(&artifact, key::Form::Binary),
                size: artifact.payload().len(),
                digest: is_filed(&artifact).then(|| artifact.content_digest()),
            });
        }
        if !whole || end != artifacts.len() {
            places.push(nameless(DAMAGED, 0, None));
        }
    }
}
