//! A run as one file, `.aivmrun`: its records, every artifact that they name, and a digest over all of it, which may be signed.
//! It can be checked anywhere, and brought into another store, to be shown and forked there.
//!
//! `AIVMRUN1`, the number of records (8 bytes, little endian), each record with its length before it (4 bytes), artifacts in
//! their framed form, at the end perhaps a seal (an artifact whose payload is the digest of everything before it), and 32 bytes of
//! BLAKE3 over all of it.

pub use crate::parts::members;
use crate::store::disk::{Disk, Kept};
use crate::store::{BROUGHT, RunRow, Store, StoreError};
use aivm_schema::artifact::{Artifact, ArtifactError, Checksum};
use aivm_schema::journal::{Body, Link, Record, RecordError, RunStarted};
use aivm_vm::run::{Batch, Status};
use std::collections::BTreeSet;
use std::io::Write;

const MAGIC: &[u8; 8] = b"AIVMRUN1";
/// Of the digest, in bytes.
const DIGEST: usize = 32;
/// The media type of a seal.
pub const SEAL: &str = "application/vnd.aivm.seal";

/// Why a run cannot be written to a file, or a file is no run.
#[derive(Debug, thiserror::Error)]
pub enum PortableError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be written.
    #[error("E0780: the file cannot be written: {0}")]
    Write(#[from] std::io::Error),
    /// A record names what is not there.
    #[error("E0781: record {seq} names the artifact {checksum}, which is missing or damaged")]
    Missing {
        /// Which record.
        seq: u64,
        /// Which artifact.
        checksum: Checksum,
    },
    /// Not what was written.
    #[error("E0782: the file is damaged or no run of this program: {0}")]
    Damaged(String),
    /// There is another run of that name.
    #[error("E0783: there is another run {0} here already")]
    Another(String),
}

impl From<RecordError> for PortableError {
    fn from(error: RecordError) -> PortableError {
        PortableError::Damaged(error.to_string())
    }
}

impl From<ArtifactError> for PortableError {
    fn from(error: ArtifactError) -> PortableError {
        PortableError::Damaged(error.to_string())
    }
}

/// The artifacts that a record names. What a checkpoint names is not among them: everything follows from the rest.
pub fn named(body: &Body) -> Vec<Checksum> {
    match body {
        Body::RunStarted(started) => {
            let forked = started.forked.as_ref().and_then(|forked| forked.input);
            [started.program, started.input].into_iter().chain(forked).collect()
        }
        Body::Outcome(outcome) => outcome.result.iter().map(|output| output.artifact).collect(),
        Body::Resolved(resolved) => resolved.happened.into_iter().collect(),
        Body::ApprovalDecided(decided) => decided.edited.into_iter().collect(),
        Body::RunFinished(finished) => finished.output.iter().map(|output| output.artifact).collect(),
        Body::Upgraded { program } => vec![*program],
        _ => Vec::new(),
    }
}

/// Writes a run, whole. `seal` is given the digest of everything, and may sign it.
pub fn export(
    run: &Kept,
    out: &mut dyn Write,
    seal: impl FnOnce([u8; DIGEST]) -> Option<Artifact>,
) -> Result<(), PortableError> {
    export_with(run, out, |_| true, seal)
}

/// Writes a run with those of its artifacts that are `wanted`; whoever reads it finds the others elsewhere. Those that are made of
/// parts are always written: they name others.
pub fn export_with(
    run: &Kept,
    out: &mut dyn Write,
    mut wanted: impl FnMut(&Artifact) -> bool,
    seal: impl FnOnce([u8; DIGEST]) -> Option<Artifact>,
) -> Result<(), PortableError> {
    let mut out = Hashing { out, hasher: blake3::Hasher::new() };
    let mut journal = run.journal()?;
    out.put(MAGIC)?;
    out.put(&journal.last().to_le_bytes())?;
    let mut open = Vec::new();
    while let Some((seq, bytes)) = journal.record()? {
        open.extend(named(&Record::from_bytes(&bytes)?.body).into_iter().map(|checksum| (seq, checksum)));
        out.put(&(bytes.len() as u32).to_le_bytes())?;
        out.put(&bytes)?;
    }
    open.reverse();
    let mut written = BTreeSet::new();
    while let Some((seq, checksum)) = open.pop() {
        if !written.insert(checksum.0) {
            continue;
        }
        let artifact = run.find(checksum)?.ok_or(PortableError::Missing { seq, checksum })?;
        let members = members(&artifact)?;
        if wanted(&artifact) || !members.is_empty() {
            out.put(&artifact.to_framed())?;
        }
        open.extend(members.into_iter().map(|checksum| (seq, checksum)));
    }
    let digest = *out.hasher.finalize().as_bytes();
    if let Some(seal) = seal(digest) {
        out.put(&seal.to_framed())?;
    }
    let digest = *out.hasher.finalize().as_bytes();
    out.out.write_all(&digest)?;
    Ok(out.out.flush()?)
}

struct Hashing<'o> {
    out: &'o mut dyn Write,
    hasher: blake3::Hasher,
}

impl Hashing<'_> {
    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.hasher.update(bytes);
        self.out.write_all(bytes)
    }
}

/// A run from its file, checked: every bit, the records, the chain, and that everything is there that they name.
pub struct Portable {
    /// How it began.
    pub started: RunStarted,
    /// When: unix nanoseconds.
    pub began: u64,
    /// How it stands.
    pub status: Status,
    /// The bytes of its records.
    pub records: Vec<Vec<u8>>,
    /// The chain behind the last.
    pub head: Link,
    /// What they name.
    pub artifacts: Vec<Artifact>,
    /// What was signed of it.
    pub seal: Option<Artifact>,
    program: Checksum,
    /// What its records name and what is not in it, with the first record that names it.
    missing: Vec<(u64, Checksum)>,
}

impl Portable {
    /// Reads a file in which everything is that its records name.
    pub fn from_bytes(file: &[u8]) -> Result<Portable, PortableError> {
        let portable = Portable::without_some(file)?;
        match portable.missing.first() {
            None => Ok(portable),
            Some(&(seq, checksum)) => Err(PortableError::Missing { seq, checksum }),
        }
    }

    /// The artifacts that its records name and that are not in it.
    pub fn missing(&self) -> impl Iterator<Item = Checksum> {
        self.missing.iter().map(|(_, checksum)| *checksum)
    }

    /// Adds artifacts that are missing; any other is left out.
    pub fn add(&mut self, artifact: Artifact) {
        let before = self.missing.len();
        self.missing.retain(|(_, checksum)| *checksum != artifact.checksum());
        if self.missing.len() < before {
            self.artifacts.push(artifact);
        }
    }

    /// Reads a file in which some of the artifacts may not be.
    pub fn without_some(file: &[u8]) -> Result<Portable, PortableError> {
        let damaged = |what: &str| PortableError::Damaged(what.to_owned());
        let (content, digest) = file.split_last_chunk::<DIGEST>().ok_or_else(|| damaged("it is too short"))?;
        if blake3::hash(content).as_bytes() != digest {
            return Err(damaged("its digest is another"));
        }
        let rest = content.strip_prefix(MAGIC).ok_or_else(|| damaged("it does not begin as one"))?;
        let (count, mut rest) = rest.split_first_chunk::<8>().ok_or_else(|| damaged("it is too short"))?;
        let (mut records, mut link, mut needed) = (Vec::new(), Link::default(), Vec::new());
        let (mut start, mut status, mut program) = (None, Status::Running, None);
        for seq in 1..=u64::from_le_bytes(*count) {
            let (length, more) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("a record is cut short"))?;
            let (bytes, more) = more
                .split_at_checked(u32::from_le_bytes(*length) as usize)
                .ok_or_else(|| damaged("a record is cut short"))?;
            let record = Record::from_bytes(bytes)?;
            needed.extend(named(&record.body).into_iter().map(|checksum| (seq, checksum)));
            match record.body {
                Body::RunStarted(started) if seq == 1 => {
                    program = Some(started.program);
                    start = Some((*started, record.at));
                }
                Body::Upgraded { program: next } => program = Some(next),
                Body::RunFinished(finished) => status = Status::parse(&finished.status).unwrap_or(Status::Failed),
                Body::RollbackRequested(_) => status = Status::Running,
                Body::Parked { .. } => status = Status::Parked,
                _ if status == Status::Parked => status = Status::Running,
                _ => {}
            }
            link = link.then(seq, bytes);
            records.push(bytes.to_vec());
            rest = more;
        }
        let (Some((started, began)), Some(program)) = (start, program) else {
            return Err(damaged("it does not begin with the start of a run"));
        };
        let (mut artifacts, mut seal, mut known) = (Vec::new(), None, BTreeSet::new());
        while !rest.is_empty() {
            let before = content.len() - rest.len();
            let (artifact, more) = Artifact::from_framed(rest)?;
            if artifact.media_type() == SEAL && more.is_empty() {
                let of = blake3::hash(content.get(..before).unwrap_or_default());
                if artifact.payload() != of.as_bytes() {
                    return Err(damaged("its seal is of something else"));
                }
                seal = Some(artifact);
            } else {
                needed.extend(members(&artifact)?.into_iter().map(|checksum| (0, checksum)));
                known.insert(artifact.checksum().0);
                artifacts.push(artifact);
            }
            rest = more;
        }
        let mut missing = Vec::new();
        for (seq, checksum) in needed {
            if known.insert(checksum.0) {
                missing.push((seq, checksum));
            }
        }
        Ok(Portable { started, began, status, records, head: link, artifacts, seal, program, missing })
    }

    /// Has it come to an end?
    pub fn has_ended(&self) -> bool {
        !matches!(self.status, Status::Running | Status::Parked | Status::Stuck)
    }

    /// Brings the run into a store. One that has not ended is set aside: it goes on where it came from, and nowhere else; brought
    /// again, it gets what has come since. Any other that is there already is left as it is.
    pub async fn import(self, disk: &Disk) -> Result<(), PortableError> {
        if let Some(&(seq, checksum)) = self.missing.first() {
            return Err(PortableError::Missing { seq, checksum });
        }
        let id = self.started.run.clone();
        let ended = self.has_ended();
        let (kept, known) = match disk.look(&id)? {
            Some(there) => {
                let (mut journal, mut link, mut begins_so) = (there.journal()?, Link::default(), false);
                while let Some((seq, bytes)) = journal.record()? {
                    link = link.then(seq, &bytes);
                    begins_so |= seq == self.records.len() as u64 && link == self.head;
                }
                let known = usize::try_from(journal.last()).unwrap_or(usize::MAX);
                let brought = there.row().is_some_and(|row| row.is_brought());
                // One that was brought once it had ended is not set aside any longer.
                if begins_so && !(brought && ended) {
                    return Ok(());
                }
                if !brought || self.link_after(known) != Some(link) {
                    return Err(PortableError::Another(id));
                }
                (disk.claim_brought(&id)?, known)
            }
            None => {
                let kept = disk.keep();
                kept.begin(RunRow {
                    id: id.clone(),
                    started: self.began,
                    status: String::new(),
                    program: self.started.file.clone(),
                    module: self.program,
                    quarantine: (!ended).then(|| BROUGHT.to_owned()),
                })?;
                (kept, 0)
            }
        };
        for artifact in &self.artifacts {
            kept.put(artifact);
        }
        let records = self.records.get(known..).unwrap_or_default().to_vec();
        if !records.is_empty() {
            kept.append(Batch { first: known as u64 + 1, records, head: self.head, status: self.status }).await?;
        }
        if ended && known > 0 {
            disk.quarantine(&id, None)?;
        }
        Ok(())
    }

    /// The chain behind so many records.
    fn link_after(&self, count: usize) -> Option<Link> {
        let records = (1..).zip(self.records.get(..count)?);
        Some(records.fold(Link::default(), |link, (seq, record)| link.then(seq, record)))
    }
}
