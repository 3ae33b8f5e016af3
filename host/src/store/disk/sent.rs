//! What a bucket has of the store: how far its rows are there, which uploads in parts are under way, which runs are sealed there.

use super::objects::Objects;
use super::{Disk, rows};
use crate::store::StoreError;
use aivm_schema::artifact::{Artifact, Checksum};
use rusqlite::{OptionalExtension, params};
use std::collections::VecDeque;

/// The number of a bucket that this store has been sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketId(i64);

/// An artifact that may have to be sent. Its payload is read only when it is opened.
pub struct Unsent {
    /// The row that it is in.
    pub row: i64,
    piece: Vec<u8>,
    objects: Objects,
}

impl Unsent {
    /// So many bytes it has, nearly.
    pub fn size(&self) -> u64 {
        match rows::piece(&self.piece) {
            Some((rows::Piece { filed: Some((_, size)), .. }, _)) => size,
            _ => self.piece.len() as u64,
        }
    }

    /// The artifact; none when it is damaged: then nobody has it.
    pub fn open(&self) -> Option<Artifact> {
        rows::piece(&self.piece)?.0.open(&self.objects).ok()?.ok()
    }
}

/// How a bucket stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What is written up to this row is there.
    pub row: i64,
    /// The last row of the store.
    pub last: i64,
    /// So many artifacts are still to be sent.
    pub artifacts: u64,
    /// And their bytes.
    pub bytes: u64,
    /// So many uploads in parts are under way.
    pub uploads: u64,
    /// Runs that ended or wait, and are not there as they stand.
    pub runs: u64,
    /// What conditional writes do there, when that has been tried.
    pub conditional: Option<String>,
}

/// Runs that nobody carries on now, and that are not in the bucket as they stand.
const UNSEALED: &str =
    "FROM run JOIN head ON head.run = run.number LEFT JOIN sealed ON sealed.run = run.number AND sealed.bucket = ?1
     WHERE run.status <> 'running' AND run.quarantine IS NULL AND coalesce(sealed.seq, 0) <> head.seq";

impl Disk {
    /// The bucket of this name, noted when it is new.
    pub fn bucket(&self, place: &str) -> Result<BucketId, StoreError> {
        let writer = self.writer();
        let select = || {
            let state = writer.state();
            let mut statement = state.database.prepare_cached("SELECT number FROM bucket WHERE place = ?1")?;
            statement.query_row([place], |row| row.get(0).map(BucketId)).optional()
        };
        if let Some(found) = select().map_err(|source| writer.error(source))? {
            return Ok(found);
        }
        let insert = "INSERT INTO bucket (place, row) VALUES (?1, 0) ON CONFLICT (place) DO NOTHING";
        self.noted(insert, params![place])?;
        select()
            .map_err(|source| writer.error(source))?
            .ok_or_else(|| writer.error(rusqlite::Error::QueryReturnedNoRows))
    }

    fn noted(&self, statement: &str, values: &[&dyn rusqlite::ToSql]) -> Result<(), StoreError> {
        let writer = self.writer();
        writer.transaction(|state| {
            let done = state.database.prepare_cached(statement).and_then(|mut statement| statement.execute(values));
            done.map(drop).map_err(|source| writer.error(source))
        })
    }

    fn asked_of<T: rusqlite::types::FromSql>(
        &self,
        select: &str,
        values: &[&dyn rusqlite::ToSql],
    ) -> Result<Option<T>, StoreError> {
        let state = self.writer().state();
        let found = state.database.prepare_cached(select);
        let found = found.and_then(|mut select| select.query_row(values, |row| row.get(0)).optional());
        found.map_err(|source| self.writer().error(source))
    }

    /// What is written up to this row is in the bucket.
    pub fn sent(&self, bucket: BucketId) -> Result<i64, StoreError> {
        Ok(self.asked_of("SELECT row FROM bucket WHERE number = ?1", params![bucket.0])?.unwrap_or(0))
    }

    /// Notes it.
    pub fn set_sent(&self, bucket: BucketId, row: i64) -> Result<(), StoreError> {
        self.noted("UPDATE bucket SET row = max(row, ?2) WHERE number = ?1", params![bucket.0, row])
    }

    /// Forgets what is there: everything is sent again.
    pub fn send_again(&self, bucket: BucketId) -> Result<(), StoreError> {
        self.noted("DELETE FROM sealed WHERE bucket = ?1", params![bucket.0])?;
        self.noted("DELETE FROM upload WHERE bucket = ?1", params![bucket.0])?;
        self.noted("UPDATE bucket SET row = 0 WHERE number = ?1", params![bucket.0])
    }

    /// The last row of the store.
    pub fn last_row(&self) -> Result<i64, StoreError> {
        Ok(self.asked_of("SELECT coalesce(max(row), 0) FROM journal", params![])?.unwrap_or(0))
    }

    /// The artifacts of the rows behind this one, of some megabytes of rows; and the last of the rows that were looked at.
    pub fn unsent(&self, after: i64) -> Result<(VecDeque<Unsent>, i64), StoreError> {
        const ROWS: i64 = 1_000;
        const BYTES: usize = 4 << 20;
        let (mut found, mut last) = (Vec::new(), after);
        {
            let state = self.writer().state();
            let mut read = || -> rusqlite::Result<()> {
                let select = "SELECT row, artifacts FROM journal WHERE row > ?1 ORDER BY row LIMIT ?2";
                let mut statement = state.database.prepare_cached(select)?;
                let mut bytes = 0;
                let mut rows = statement.query(params![after, ROWS])?;
                while let Some(row) = rows.next()? {
                    last = row.get(0)?;
                    let artifacts: Option<Vec<u8>> = row.get(1)?;
                    bytes += artifacts.as_ref().map_or(0, Vec::len);
                    found.extend(artifacts.map(|artifacts| (last, artifacts)));
                    if bytes >= BYTES {
                        break;
                    }
                }
                Ok(())
            };
            read().map_err(|source| self.writer().error(source))?;
        }
        let mut unsent = VecDeque::new();
        for (row, artifacts) in found {
            for piece in rows::pieces(&artifacts) {
                let bytes = artifacts.get(piece.offset..piece.end).unwrap_or_default().to_vec();
                unsent.push_back(Unsent { row, piece: bytes, objects: Objects::new(self.folder()) });
            }
        }
        Ok((unsent, last))
    }

    /// The upload in parts of this artifact that was begun and has not ended.
    pub fn upload(&self, bucket: BucketId, artifact: Checksum) -> Result<Option<String>, StoreError> {
        let select = "SELECT id FROM upload WHERE bucket = ?1 AND checksum = ?2";
        self.asked_of(select, params![bucket.0, artifact.0])
    }

    /// Notes it, or that there is none any more.
    pub fn set_upload(&self, bucket: BucketId, artifact: Checksum, id: Option<&str>) -> Result<(), StoreError> {
        match id {
            Some(id) => {
                let insert = "INSERT OR REPLACE INTO upload (bucket, checksum, id) VALUES (?1, ?2, ?3)";
                self.noted(insert, params![bucket.0, artifact.0, id])
            }
            None => self.noted("DELETE FROM upload WHERE bucket = ?1 AND checksum = ?2", params![bucket.0, artifact.0]),
        }
    }

    /// Is this an upload in parts that this store goes on with?
    pub fn goes_on_with(&self, bucket: BucketId, id: &str) -> Result<bool, StoreError> {
        let select = "SELECT 1 FROM upload WHERE bucket = ?1 AND id = ?2";
        Ok(self.asked_of::<i64>(select, params![bucket.0, id])?.is_some())
    }

    /// Runs that ended or wait, and are not in the bucket as they stand: the oldest first.
    pub fn unsealed(&self, bucket: BucketId) -> Result<Vec<String>, StoreError> {
        let state = self.writer().state();
        let list = || -> rusqlite::Result<Vec<String>> {
            let select = format!("SELECT run.id {UNSEALED} ORDER BY run.number");
            state.database.prepare_cached(&select)?.query_map([bucket.0], |row| row.get(0))?.collect()
        };
        list().map_err(|source| self.writer().error(source))
    }

    /// Notes that a run is in the bucket up to this record.
    pub fn set_sealed(&self, bucket: BucketId, run: &str, seq: u64) -> Result<(), StoreError> {
        let insert = "INSERT INTO sealed (bucket, run, seq) SELECT ?1, number, ?3 FROM run WHERE id = ?2
             ON CONFLICT (bucket, run) DO UPDATE SET seq = max(seq, excluded.seq)";
        self.noted(insert, params![bucket.0, run, seq as i64])
    }

    /// The artifacts of a run that another run has, too.
    pub fn shared(&self, run: &str) -> Result<Vec<Checksum>, StoreError> {
        self.writer().shared(run)
    }

    /// The row of the last batch of a run that nobody carries on now; none for any other.
    pub fn at_rest(&self, run: &str) -> Result<Option<i64>, StoreError> {
        let select = "SELECT last FROM run JOIN head ON run = number WHERE id = ?1 AND status <> 'running'";
        self.asked_of(select, params![run])
    }

    /// What its conditional writes do, when that has been tried.
    pub fn conditional(&self, bucket: BucketId) -> Result<Option<String>, StoreError> {
        Ok(self.asked_of("SELECT conditional FROM bucket WHERE number = ?1", params![bucket.0])?.flatten())
    }

    /// Notes it.
    pub fn set_conditional(&self, bucket: BucketId, found: &str) -> Result<(), StoreError> {
        self.noted("UPDATE bucket SET conditional = ?2 WHERE number = ?1", params![bucket.0, found])
    }

    /// How a bucket stands; nothing is asked of the server.
    pub fn standing(&self, bucket: BucketId) -> Result<Standing, StoreError> {
        let (row, last) = (self.sent(bucket)?, self.last_row()?);
        let mut standing = Standing { row, last, conditional: self.conditional(bucket)?, ..Standing::default() };
        let mut at = row;
        while at < last {
            let (unsent, next) = self.unsent(at)?;
            standing.artifacts += unsent.len() as u64;
            standing.bytes += unsent.iter().map(Unsent::size).sum::<u64>();
            if next == at {
                break;
            }
            at = next;
        }
        let count = |select: &str| self.asked_of::<i64>(select, params![bucket.0]);
        standing.uploads = count("SELECT count(*) FROM upload WHERE bucket = ?1")?.unwrap_or(0) as u64;
        standing.runs = count(&format!("SELECT count(*) {UNSEALED}"))?.unwrap_or(0) as u64;
        Ok(standing)
    }
}
