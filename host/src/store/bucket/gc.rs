//! Which runs of a bucket stay. A run goes with the values that no other run there names; what names them goes last, so that whatever
//! is killed can be gone on with. Values that no run names are not touched: they may be of a run that another machine still carries.

use super::runs::{RUNS, keys_of};
use super::{FoundRun, Remote};
use crate::store::StoreError;
use crate::store::disk::Policy;
use crate::store::values::{is_kept, may_be_retained};
use aivm_s3::Upload;
use std::collections::{BTreeMap, BTreeSet};

/// What was removed, or would be.
#[derive(Debug, Default)]
pub struct Swept {
    /// The runs.
    pub runs: Vec<FoundRun>,
    /// Artifacts that they named, and no other run.
    pub artifacts: u64,
    /// And the bytes of their payloads.
    pub bytes: u64,
    /// What a sealing or a removal left when it was killed.
    pub leftovers: u64,
    /// Uploads in parts that nobody goes on with.
    pub uploads: Vec<Upload>,
}

impl Remote {
    /// Removes runs, and uploads in parts that began before `stale`, in Unix seconds, and are not `known`; `dry` only says what it would.
    pub async fn collect(
        &self,
        policy: &Policy,
        stale: i64,
        known: impl Fn(&Upload) -> bool,
        dry: bool,
    ) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        let (mut going, mut named) = (Vec::new(), BTreeSet::new());
        let mut newest: BTreeMap<String, usize> = BTreeMap::new();
        let mut runs = self.runs().await?;
        runs.sort_by_key(|run| std::cmp::Reverse(run.at));
        for run in runs {
            let (about, of_run) = self.about(&run).await?;
            let nth = newest.entry(about.program.clone()).or_default();
            *nth += 1;
            let old = policy.before.is_none_or(|before| (run.at as u64).saturating_mul(1_000_000_000) < before);
            let ended = !matches!(&*about.status, "parked" | "running" | "stuck");
            let meant = policy.status.is_empty() || policy.status.contains(&about.status);
            let spare = policy.keep.is_none_or(|keep| *nth > keep);
            if policy.runs.contains(&run.run) || policy.is_general() && ended && old && meant && spare {
                going.push((run, of_run));
            } else {
                named.extend(of_run.into_iter().map(|named| named.key));
            }
        }
        for (run, of_run) in going {
            let mut gone = Vec::new();
            for of_it in of_run {
                let key = &of_it.key;
                let value = if may_be_retained(key) { self.get(key).await.ok().flatten() } else { None };
                if is_kept(&policy.keeping, policy.now, key, || value) != Some(true) && named.insert(key.clone()) {
                    gone.push(of_it);
                }
            }
            swept.artifacts += gone.len() as u64;
            swept.bytes += gone.iter().map(|named| named.size).sum::<u64>();
            if !dry {
                let keys: Vec<String> = gone.into_iter().map(|named| named.key).collect();
                self.bucket.remove(&keys).await?;
                // As it stood before, too, where a sealing was killed.
                for found in self.listed_of(&run.run).await? {
                    self.bucket.remove(std::slice::from_ref(&found.key)).await?;
                    self.bucket.remove(&[keys_of(&found.key)]).await?;
                }
            }
            swept.runs.push(run);
        }
        // A list of keys without its run, or a run that has been sealed anew since.
        let objects = self.bucket.list(RUNS, "", usize::MAX).await?;
        let there: BTreeSet<&str> = objects.iter().map(|object| object.key.as_str()).collect();
        let alone =
            |key: &&str| key.strip_suffix(".keys").is_some_and(|run| !there.contains(&*format!("{run}.aivmrun")));
        let left: Vec<String> = objects
            .iter()
            .filter(|object| object.modified < stale)
            .map(|object| object.key.as_str())
            .filter(alone)
            .map(str::to_owned)
            .collect();
        swept.leftovers = left.len() as u64;
        if !dry {
            self.bucket.remove(&left).await?;
        }
        for upload in self.bucket.uploads("").await? {
            if upload.began < stale && !known(&upload) {
                if !dry {
                    self.bucket.abort(&upload).await?;
                }
                swept.uploads.push(upload);
            }
        }
        Ok(swept)
    }
}
