//! Looking at the values of a bucket, as one looks at those on disk. Which run keeps a value, and under which checksum, the runs say
//! that are sealed there; of any other value its own object does.

use super::{FoundRun, Named, Remote};
use crate::store::StoreError;
use crate::store::values::{Entry, Listing, Values};
use aivm_schema::artifact::{Artifact, Checksum, key};
use futures_util::{StreamExt, TryStreamExt};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use tokio::runtime::Runtime;

/// So many questions are asked at once.
const AT_ONCE: usize = 64;
/// Of a listing, at a time.
const PAGE: usize = 1_000;

/// A bucket to look at, one question after another.
pub struct Look {
    remote: Remote,
    runtime: Runtime,
    /// By key, what sealed runs say.
    sealed: OnceCell<BTreeMap<String, Vec<Entry>>>,
}

impl Look {
    /// With connections that live on this runtime.
    pub fn new(remote: Remote, runtime: Runtime) -> Look {
        Look { remote, runtime, sealed: OnceCell::new() }
    }

    fn sealed(&self) -> Result<&BTreeMap<String, Vec<Entry>>, StoreError> {
        if let Some(known) = self.sealed.get() {
            return Ok(known);
        }
        let read = self.runtime.block_on(async {
            let runs = self.remote.runs().await?;
            let named = async |run: FoundRun| Ok::<_, StoreError>((self.remote.named(&run).await?, run.run));
            let named = futures_util::stream::iter(runs.into_iter().map(named)).buffer_unordered(AT_ONCE);
            named.try_collect::<Vec<(Vec<Named>, String)>>().await
        })?;
        let mut sealed: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for (named, run) in read {
            for Named { checksum, size, key } in named {
                let entry = Entry { checksum, key: key.clone(), size, run: Some(run.clone()) };
                sealed.entry(key).or_default().push(entry);
            }
        }
        Ok(self.sealed.get_or_init(|| sealed))
    }

    /// What stands under these keys; what is no artifact is left out.
    fn entries(&self, keys: Vec<String>) -> Result<Vec<Entry>, StoreError> {
        let sealed = self.sealed()?;
        let ask = async |key: String| {
            if let Some(entries) = sealed.get(&key) {
                return Ok(entries.clone());
            }
            let Some(object) = self.remote.bucket.head(&key).await? else { return Ok(Vec::new()) };
            let checksum = object.checksum.as_deref().and_then(|text| text.parse::<Checksum>().ok());
            let size = object.payload.unwrap_or(object.size);
            Ok::<_, StoreError>(checksum.map(|checksum| Entry { checksum, key, size, run: None }).into_iter().collect())
        };
        let asked = futures_util::stream::iter(keys.into_iter().map(ask)).buffered(AT_ONCE);
        let entries: Vec<Vec<Entry>> = self.runtime.block_on(asked.try_collect())?;
        Ok(entries.into_iter().flatten().collect())
    }

    /// Goes through all artifacts until `taken` has enough.
    fn through(&self, mut taken: impl FnMut(Entry) -> bool) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let page = self.list(&Listing { after: after.clone(), most: PAGE, ..Listing::default() })?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.key.clone();
            for entry in page {
                if taken(entry) {
                    return Ok(());
                }
            }
        }
    }

    fn known(&self, wanted: impl Fn(&Entry) -> bool) -> Result<Option<Entry>, StoreError> {
        Ok(self.sealed()?.values().flatten().find(|entry| wanted(entry)).cloned())
    }
}

impl Values for Look {
    fn list(&self, listing: &Listing) -> Result<Vec<Entry>, StoreError> {
        let (mut keys, mut after) = (Vec::new(), listing.after.clone());
        while keys.len() < listing.most {
            let page = self.remote.bucket.list(&listing.prefix, &after, listing.most.max(PAGE));
            let page = self.runtime.block_on(page)?;
            let Some(last) = page.last() else { break };
            after = last.key.clone();
            let artifacts = page.into_iter().map(|object| object.key).filter(|key| key::decode(key).is_some());
            keys.extend(artifacts);
        }
        keys.truncate(listing.most);
        self.entries(keys)
    }

    fn starting(&self, checksum_prefix: &str, most: usize) -> Result<Vec<Entry>, StoreError> {
        let is = |entry: &Entry| entry.checksum.to_string().starts_with(checksum_prefix);
        let mut found: Vec<Entry> = Vec::new();
        let mut take = |entry: Entry| {
            if is(&entry) && found.iter().all(|other| other.checksum != entry.checksum) {
                found.push(entry);
            }
            found.len() >= most
        };
        // What runs name is known; all else is asked one by one.
        let done = self.sealed()?.values().flatten().cloned().any(&mut take);
        if !done {
            self.through(take)?;
        }
        Ok(found)
    }

    fn find(&self, checksum: Checksum) -> Result<Option<Artifact>, StoreError> {
        let mut found = self.known(|entry| entry.checksum == checksum)?;
        if found.is_none() {
            self.through(|entry| {
                let is = entry.checksum == checksum;
                if is {
                    found = Some(entry);
                }
                is
            })?;
        }
        let Some(entry) = found else { return Ok(None) };
        self.runtime.block_on(self.remote.get_exactly(&entry.key, checksum))
    }

    fn put(&self, artifact: &Artifact) -> Result<(), StoreError> {
        let known = || Ok::<_, Infallible>(None);
        Ok(self.runtime.block_on(self.remote.put(artifact, known, |_| Ok(())))?)
    }

    fn remove(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let own = entries.iter().filter(|entry| entry.run.is_none());
        let keys: Vec<String> = own.map(|entry| entry.key.clone()).collect();
        Ok(self.runtime.block_on(self.remote.bucket.remove(&keys))?)
    }
}
