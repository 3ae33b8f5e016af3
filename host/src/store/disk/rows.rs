//! A row of the journal: a batch of records and the artifacts that came with it, each with its length before it. An artifact
//! whose payload is in a file has a mark in its length; before its head stand the content digest and the payload's size.

use super::answers;
use super::objects::{Objects, SMALL};
use crate::store::{CachedAnswer, RunRow, StoreError};
use aivm_schema::artifact::{Artifact, ArtifactError, ContentDigest};
use rusqlite::{CachedStatement, Connection, params};

/// Set in the length of an artifact whose payload is in a file.
const FILED: u32 = 1 << 31;
/// The digest and the size.
const BEFORE: usize = 40;

/// The number of the last row. That of a row that was removed is not given again: the index knows it.
const LAST: &str = "SELECT max(coalesce((SELECT max(row) FROM journal), 0), (SELECT row FROM indexed))";

/// What is to be written for one run.
#[derive(Default)]
pub(super) struct Request {
    pub whose: Whose,
    /// The row of the run's batch before; 0: none.
    pub previous: i64,
    /// The number of the first record, or of the next when there are none.
    pub first: u64,
    /// The chain behind the last record.
    pub link: [u8; 32],
    pub records: Vec<Vec<u8>>,
    pub artifacts: Vec<Artifact>,
    /// Answers that are kept for other runs.
    pub answers: Vec<CachedAnswer>,
    /// How the run stands, when that has changed.
    pub status: Option<&'static str>,
    /// The first record is a checkpoint.
    pub checkpoint: bool,
    /// The records say that the run is cancelled, as another process has asked.
    pub heard: bool,
}

/// Whose a row is.
#[derive(Default)]
pub(super) enum Whose {
    /// Artifacts of no run.
    #[default]
    Nobody,
    /// Its first.
    New(Box<RunRow>),
    Run {
        number: i64,
        epoch: i64,
        id: String,
    },
}

/// Where it was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub number: i64,
    pub row: i64,
}

/// Within a transaction: writes rows from `next` on.
pub(super) struct Rows<'c> {
    database: &'c Connection,
    next: i64,
    head: CachedStatement<'c>,
    row: CachedStatement<'c>,
}

/// Reused from row to row.
#[derive(Default)]
pub(super) struct Buffers {
    records: Vec<u8>,
    artifacts: Vec<u8>,
}

impl<'c> Rows<'c> {
    pub(super) fn new(database: &'c Connection) -> rusqlite::Result<Rows<'c>> {
        let last: i64 = database.prepare_cached(LAST)?.query_row([], |row| row.get(0))?;
        let head = "UPDATE head SET seq = ?1, last = ?2 WHERE run = ?3 AND epoch = ?4 AND seq = ?5";
        let row = "INSERT INTO journal (row, run, previous, seq, link, records, artifacts) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (head, row) = (database.prepare_cached(head)?, database.prepare_cached(row)?);
        Ok(Rows { database, next: last + 1, head, row })
    }

    /// Writes a row; none when its run is in other hands, or its first row and there is a run of that name.
    pub(super) fn write(&mut self, request: &Request, buffers: &mut Buffers) -> rusqlite::Result<Option<Placed>> {
        let last = (request.first + request.records.len() as u64) as i64 - 1;
        let row = self.next;
        let number = match &request.whose {
            Whose::Nobody => 0,
            Whose::New(run) => match self.begin(run, request, last, row)? {
                Some(number) => number,
                None => return Ok(None),
            },
            Whose::Run { number, epoch, .. } => {
                let changed = self.head.execute(params![last, row, number, epoch, request.first as i64 - 1])?;
                if changed == 0 {
                    return Ok(None);
                }
                self.restate(*number, request, row)?;
                *number
            }
        };
        let Buffers { records, artifacts } = buffers;
        records.clear();
        artifacts.clear();
        for record in &request.records {
            records.extend_from_slice(&(record.len() as u32).to_le_bytes());
            records.extend_from_slice(record);
        }
        request.artifacts.iter().for_each(|artifact| put_artifact(artifact, artifacts));
        let (link, records) = if records.is_empty() { (None, None) } else { (Some(request.link), Some(&*records)) };
        let artifacts = (!artifacts.is_empty()).then_some(&*artifacts);
        self.row.execute(params![row, number, request.previous, request.first as i64, link, records, artifacts])?;
        self.next += 1;
        request.answers.iter().try_for_each(|entry| answers::put(self.database, entry))?;
        Ok(Some(Placed { number, row }))
    }

    fn begin(&self, run: &RunRow, request: &Request, last: i64, row: i64) -> rusqlite::Result<Option<i64>> {
        let made = self
            .database
            .prepare_cached(
                "INSERT INTO run (id, started, program, module, status, quarantine, checkpoint) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)
                 ON CONFLICT (id) DO NOTHING",
            )?
            .execute(params![run.id, run.started as i64, run.program, run.module.0, request.status, run.quarantine])?;
        if made == 0 {
            return Ok(None);
        }
        let number = self.database.last_insert_rowid();
        self.database
            .prepare_cached("INSERT INTO head (run, epoch, seq, last) VALUES (?1, 1, ?2, ?3)")?
            .execute(params![number, last, row])?;
        Ok(Some(number))
    }

    /// What changes rarely.
    fn restate(&self, number: i64, request: &Request, row: i64) -> rusqlite::Result<()> {
        if let Some(status) = request.status {
            let statement = "UPDATE run SET status = ?1 WHERE number = ?2";
            self.database.prepare_cached(statement)?.execute(params![status, number])?;
        }
        if request.heard {
            let statement = "DELETE FROM signal WHERE run = ?1";
            self.database.prepare_cached(statement)?.execute(params![number])?;
        }
        if request.checkpoint {
            let statement = "UPDATE run SET checkpoint = ?1 WHERE number = ?2";
            self.database.prepare_cached(statement)?.execute(params![row, number])?;
        }
        Ok(())
    }
}

/// Within a transaction: a row of artifacts of no run, as rows hold them.
pub(super) fn of_nobody(database: &Connection, artifacts: &[u8]) -> rusqlite::Result<()> {
    let insert = format!("INSERT INTO journal (row, run, previous, seq, artifacts) VALUES (({LAST}) + 1, 0, 0, 0, ?1)");
    database.prepare_cached(&insert)?.execute([artifacts]).map(drop)
}

/// Is its payload in a file?
pub(super) fn is_filed(artifact: &Artifact) -> bool {
    artifact.payload().len() > SMALL
}

fn put_artifact(artifact: &Artifact, out: &mut Vec<u8>) {
    if is_filed(artifact) {
        let head = artifact.head();
        out.extend_from_slice(&((BEFORE + head.len()) as u32 | FILED).to_le_bytes());
        out.extend_from_slice(&artifact.content_digest().0);
        out.extend_from_slice(&(artifact.payload().len() as u64).to_le_bytes());
        out.extend_from_slice(&head);
    } else {
        out.extend_from_slice(&(artifact.bytes().len() as u32).to_le_bytes());
        out.extend_from_slice(artifact.bytes());
    }
}

/// An artifact as a row holds it.
pub(super) struct Piece<'b> {
    /// Where it begins in the row, its length before it.
    pub offset: usize,
    /// And where it ends.
    pub end: usize,
    /// Of the content, when the payload is in a file; and the payload's size.
    pub filed: Option<(ContentDigest, u64)>,
    bytes: &'b [u8],
}

impl Piece<'_> {
    /// The artifact; its file is read when it has one.
    pub(super) fn open(&self, objects: &Objects) -> Result<Result<Artifact, ArtifactError>, StoreError> {
        Ok(match self.filed {
            None => Artifact::from_bytes(self.bytes),
            Some((digest, _)) => Artifact::from_head(self.bytes, &objects.read(digest)?),
        })
    }
}

/// The artifacts of a row, up to where it is damaged.
pub(super) fn pieces(row: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut offset = 0;
    std::iter::from_fn(move || {
        let (piece, length) = piece(row.get(offset..)?)?;
        let piece = Piece { offset, end: offset + 4 + length, ..piece };
        offset = piece.end;
        Some(piece)
    })
}

/// The first artifact of these bytes, and its length.
pub(super) fn piece(bytes: &[u8]) -> Option<(Piece<'_>, usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length);
    let (filed, length) = (length & FILED != 0, (length & !FILED) as usize);
    let bytes = rest.get(..length)?;
    if !filed {
        return Some((Piece { offset: 0, end: 4 + length, filed: None, bytes }, length));
    }
    let (digest, bytes) = bytes.split_first_chunk::<32>()?;
    let (size, bytes) = bytes.split_first_chunk::<8>()?;
    let filed = Some((ContentDigest(*digest), u64::from_le_bytes(*size)));
    Some((Piece { offset: 0, end: 4 + length, filed, bytes }, length))
}

/// The records of a row; none when it is damaged.
pub(super) fn records(mut row: &[u8]) -> Option<Vec<&[u8]>> {
    let mut records = Vec::new();
    while let Some((length, rest)) = row.split_first_chunk::<4>() {
        let (record, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        records.push(record);
        row = rest;
    }
    row.is_empty().then_some(records)
}
