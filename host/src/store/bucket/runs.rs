//! Runs in a bucket: `runs/<run>/<last record>-<chain>.aivmrun`, a run as a file is, but for payloads over 64 KiB, which stand under
//! their own keys; beside it, `.keys` has a line on the run (how it stands, BLAKE3 of the lines behind it, its program), and one for each artifact that it names:
//! checksum, size, key. Written once under a name of its own: a run that goes on gets another object, and the one before goes.

use super::Remote;
use crate::portable::{self, Portable, PortableError};
use crate::store::StoreError;
use crate::store::disk::{Disk, SMALL};
use aivm_s3::Content;
use aivm_schema::artifact::key;
use aivm_schema::artifact::{Artifact, Checksum};
use aivm_schema::journal::Link;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use std::convert::Infallible;

/// Where runs stand.
pub(super) const RUNS: &str = "runs/";
/// The largest object of a run: a million records and their small values.
const LARGEST: u64 = 16 << 30;
/// So many artifacts are read at once.
const AT_ONCE: usize = 16;

/// A run that is in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRun {
    /// Its name.
    pub run: String,
    /// The number of the last record that is there.
    pub seq: u64,
    /// In bytes, without large payloads.
    pub size: u64,
    /// When it was sealed: Unix seconds, by the server's clock.
    pub at: i64,
    pub(super) key: String,
}

/// What is said of a run beside it.
#[derive(Debug)]
pub(super) struct About {
    pub(super) status: String,
    pub(super) program: String,
}

/// An artifact that a run names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub checksum: Checksum,
    /// Of the payload, in bytes.
    pub size: u64,
    /// Its key.
    pub key: String,
}

pub(super) fn keys_of(run: &str) -> String {
    format!("{}.keys", run.trim_end_matches(".aivmrun"))
}

impl Remote {
    /// Stores a run as it stands; the number of its last record. What it names must be in the bucket already.
    pub async fn seal(&self, disk: &Disk, run: &str) -> Result<u64, StoreError> {
        let (name, seq, file, keys) = {
            let kept = disk.look(run)?.ok_or_else(|| StoreError::Gone(run.to_owned()))?;
            let (mut file, mut keys) = (Vec::new(), String::new());
            let wanted = |artifact: &Artifact| {
                let size = artifact.payload().len();
                keys.push_str(&format!("{} {size} {}\n", artifact.checksum(), super::key_of(artifact, self.form)));
                size <= SMALL
            };
            portable::export_with(&kept, &mut file, wanted, |_| None).map_err(|error| match error {
                PortableError::Store(error) => error,
                error => StoreError::Bucket(error.to_string()),
            })?;
            if let Some(row) = kept.row() {
                let digest = blake3::hash(keys.as_bytes()).to_hex();
                keys = format!("run {} {digest} {}\n{keys}", row.status, row.program.replace('\n', " "));
            }
            let read = Portable::without_some(&file).map_err(|error| StoreError::Bucket(error.to_string()))?;
            let seq = read.records.len() as u64;
            let link: String = Checksum(read.head.0).to_string().chars().take(16).collect();
            self.earlier(run, &read.records).await?;
            (format!("{RUNS}{}/{seq:020}-{link}.aivmrun", key::component(run)), seq, file, keys)
        };
        self.send_shared(disk, run).await?;
        let content = |media_type: &str, bytes: Vec<u8>| Content {
            media_type: media_type.to_owned(),
            checksum: blake3::hash(&bytes).to_hex().to_string(),
            payload: bytes.len() as u64,
            head: Bytes::new(),
            body: bytes.into(),
        };
        // What names everything first: a run that is there is there whole.
        self.bucket.put(&keys_of(&name), &content("text/plain", keys.into_bytes())).await?;
        self.bucket.put(&name, &content("application/vnd.aivm.run", file)).await?;
        let before = self.listed_of(run).await?;
        let before = before.into_iter().filter(|found| found.seq < seq);
        let gone: Vec<String> = before.flat_map(|found| [keys_of(&found.key), found.key]).collect();
        self.bucket.remove(&gone).await?;
        Ok(seq)
    }

    /// What a run shares with another may have been removed with that one since it was sent: then it goes again.
    async fn send_shared(&self, disk: &Disk, run: &str) -> Result<(), StoreError> {
        let send = async |checksum: Checksum| {
            // What is damaged here nobody has.
            let Some(artifact) = disk.get(checksum) else { return Ok(()) };
            if self.bucket.head(&super::key_of(&artifact, self.form)).await?.is_none() {
                self.put(&artifact, || Ok::<_, Infallible>(None), |_| Ok(())).await?;
            }
            Ok::<_, StoreError>(())
        };
        let shared = disk.shared(run)?;
        futures_util::stream::iter(shared.into_iter().map(send)).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// What is there of this run must be what these records began with: else another store gave that name.
    async fn earlier(&self, run: &str, records: &[Vec<u8>]) -> Result<(), StoreError> {
        let there = self.listed_of(run).await?;
        let mut links = vec![Link::default()];
        for (seq, record) in (1..).zip(records) {
            let link = links.last().copied().unwrap_or_default();
            links.push(link.then(seq, record));
        }
        let is = |found: &FoundRun| {
            let link = usize::try_from(found.seq).ok().and_then(|seq| links.get(seq));
            let link = link.map(|link| Checksum(link.0).to_string());
            let chain = found.key.rsplit_once('-').and_then(|(_, end)| end.strip_suffix(".aivmrun"));
            link.zip(chain).is_some_and(|(link, chain)| link.starts_with(chain))
        };
        match there.iter().all(is) {
            true => Ok(()),
            false => Err(self.two(run)),
        }
    }

    fn two(&self, run: &str) -> StoreError {
        StoreError::Bucket(format!(
            "E0873: {} has another run {run}: two stores gave that name: give each a prefix of its own",
            self.bucket.place()
        ))
    }

    /// The runs that are in the bucket, by name.
    pub async fn runs(&self) -> Result<Vec<FoundRun>, StoreError> {
        let mut runs = self.listed(RUNS).await?;
        // The newest of each.
        runs.sort_by(|a, b| a.run.cmp(&b.run).then(b.seq.cmp(&a.seq)));
        runs.dedup_by(|a, b| a.run == b.run);
        Ok(runs)
    }

    pub(super) async fn listed_of(&self, run: &str) -> Result<Vec<FoundRun>, StoreError> {
        self.listed(&format!("{RUNS}{}/", key::component(run))).await
    }

    async fn listed(&self, prefix: &str) -> Result<Vec<FoundRun>, StoreError> {
        let objects = self.bucket.list(prefix, "", usize::MAX).await?;
        let found = objects.into_iter().filter_map(|object| {
            let (run, file) = object.key.strip_prefix(RUNS)?.split_once('/')?;
            let (seq, _) = file.strip_suffix(".aivmrun")?.split_once('-')?;
            let run = key::decode_whole(run)?;
            Some(FoundRun { run, seq: seq.parse().ok()?, size: object.size, at: object.modified, key: object.key })
        });
        Ok(found.collect())
    }

    /// The run of this name; none when it is not in the bucket. Two of one name, of two stores, are told of.
    pub async fn run(&self, run: &str) -> Result<Option<FoundRun>, StoreError> {
        let mut found = self.listed_of(run).await?;
        found.sort_by_key(|found| found.seq);
        let Some(newest) = found.pop() else { return Ok(None) };
        match found.last() {
            Some(other) if other.seq == newest.seq => Err(self.two(run)),
            _ => Ok(Some(newest)),
        }
    }

    /// What a run names.
    pub async fn named(&self, run: &FoundRun) -> Result<Vec<Named>, StoreError> {
        Ok(self.about(run).await?.1)
    }

    /// How a run stands, and what it names.
    pub(super) async fn about(&self, run: &FoundRun) -> Result<(About, Vec<Named>), StoreError> {
        let bytes = self.bucket.get(&keys_of(&run.key), LARGEST).await?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let damaged = || {
            StoreError::Bucket(format!(
                "E0872: {} in {} is not what was stored",
                keys_of(&run.key),
                self.bucket.place()
            ))
        };
        let (first, text) = text.split_once('\n').ok_or_else(damaged)?;
        let mut fields = first.splitn(4, ' ').skip(1);
        let (Some(status), Some(digest), Some(program)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(damaged());
        };
        if blake3::hash(text.as_bytes()).to_hex().as_str() != digest {
            return Err(damaged());
        }
        let about = About { status: status.to_owned(), program: program.to_owned() };
        let named = text.lines().filter_map(|line| {
            let mut fields = line.splitn(3, ' ');
            let (checksum, size, key) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?, fields.next()?);
            Some(Named { checksum, size, key: key.to_owned() })
        });
        Ok((about, named.collect()))
    }

    /// A run, whole: with the large payloads that stand apart.
    pub async fn fetch(&self, run: &FoundRun) -> Result<Portable, StoreError> {
        let place = || format!("{} in {}", run.key, self.bucket.place());
        let damaged = |reason: String| StoreError::Bucket(format!("E0872: {} is no run: {reason}", place()));
        let gone = || StoreError::Gone(run.run.clone());
        let file = self.bucket.get(&run.key, LARGEST).await?.ok_or_else(gone)?;
        let mut portable = Portable::without_some(&file).map_err(|error| damaged(error.to_string()))?;
        drop(file);
        let missing: Vec<Checksum> = portable.missing().collect();
        if missing.is_empty() {
            return Ok(portable);
        }
        let named = self.named(run).await?;
        let wanted = named.iter().filter(|named| missing.contains(&named.checksum));
        let fetch = async |named: &Named| self.get_exactly(&named.key, named.checksum).await;
        let found: Vec<Option<Artifact>> =
            futures_util::stream::iter(wanted.map(fetch)).buffer_unordered(AT_ONCE).try_collect().await?;
        found.into_iter().flatten().for_each(|artifact| portable.add(artifact));
        let missing = portable.missing().next();
        match missing {
            None => Ok(portable),
            Some(checksum) => Err(damaged(format!("the artifact {checksum}, which it names, is not there"))),
        }
    }
}
