//! How one looks at the values of a store, wherever that is: in order of their keys, or by checksum. Which of them are meant,
//! and which of them have had their time.

use super::StoreError;
use crate::builtin::media;
use aivm_schema::artifact::{Artifact, Checksum, key};
use aivm_schema::unit::{Milliseconds, Retention};
use std::collections::VecDeque;

/// A value, as a listing has it: one for each run that keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub checksum: Checksum,
    /// Its key in the seed's form.
    pub key: String,
    /// Of the payload, in bytes.
    pub size: u64,
    /// The run that keeps it; none: it stands for itself.
    pub run: Option<String>,
}

/// A part of all values, in order of their keys.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Their keys begin so.
    pub prefix: String,
    /// They come after this key.
    pub after: String,
    /// So many, and all others of the last key.
    pub most: usize,
}

/// Values of a store.
pub trait Values {
    /// In order of their keys.
    fn list(&self, listing: &Listing) -> Result<Vec<Entry>, StoreError>;

    /// Those whose checksum begins with these hexadecimal digits, each once.
    fn starting(&self, checksum_prefix: &str, most: usize) -> Result<Vec<Entry>, StoreError>;

    /// The value of a checksum, checked; none when it is not here.
    fn find(&self, checksum: Checksum) -> Result<Option<Artifact>, StoreError>;

    /// Keeps a value of no run; durable when it returns.
    fn put(&self, artifact: &Artifact) -> Result<(), StoreError>;

    /// Takes these away. What a run keeps goes with the run, and stays here.
    fn remove(&self, entries: &[Entry]) -> Result<(), StoreError>;

    /// So many things in the store cannot be read whole: what they hold stands in no listing.
    fn unreadable(&self) -> Result<u64, StoreError> {
        Ok(0)
    }
}

/// Which values are meant: all that is said must fit.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The beginning of their keys.
    pub prefix: String,
    /// Who made them.
    pub origin: Option<String>,
    /// What they are to those who take them.
    pub role: Option<String>,
    /// Who may see them.
    pub scope: Option<String>,
    /// Their media type, whole or up to the slash.
    pub media_type: Option<String>,
    /// How the name of a run begins that keeps them.
    pub run: Option<String>,
    /// Made at this moment or later, in Unix nanoseconds.
    pub since: u64,
    /// And before this one.
    pub before: Option<u64>,
}

impl Selection {
    /// Is this one meant?
    pub fn has(&self, entry: &Entry) -> bool {
        let Some(place) = key::decode(&entry.key) else { return false };
        // A component that is too long for a key is told by how it is written, its digest included.
        let mut written = entry.key.split('/');
        let mut is = |asked: &Option<String>| {
            let written = written.next();
            asked.as_deref().is_none_or(|asked| written == Some(&key::component(asked)))
        };
        let named = is(&self.origin) && is(&self.role) && is(&self.scope);
        let typed = self.media_type.as_deref().is_none_or(|asked| match &place.media_type {
            key::Component::Whole(whole) => {
                let essence = media::essence(whole);
                let group = essence.split('/').next();
                whole == asked || essence == asked || !asked.contains('/') && group == Some(asked)
            }
            key::Component::Cut(start) => asked.starts_with(start),
        });
        let of = |run: &String| entry.run.as_ref().is_some_and(|name| name.starts_with(run));
        named
            && typed
            && self.run.as_ref().is_none_or(of)
            && place.timestamp >= self.since
            && self.before.is_none_or(|before| place.timestamp < before)
    }

    /// Those of no run that are to go because they are meant. One that says itself that it is kept goes when its role is named.
    pub fn leaving(&self, values: &dyn Values, now: u64) -> Result<Vec<Entry>, StoreError> {
        let is_named = self.role.as_deref() == Some(ARTIFACT);
        let stays = |entry: &Entry| {
            let read = || values.find(entry.checksum).ok().flatten();
            !is_named && is_kept(&[], now, &entry.key, read) == Some(true)
        };
        let goes = |entry: &Entry| entry.run.is_none() && !stays(entry);
        self.of(values, "").filter(|entry| entry.as_ref().map_or(true, goes)).collect()
    }

    /// The beginning of all keys that can be meant: what is said is looked up, and the rest is looked through.
    fn start(&self) -> String {
        let mut start = String::new();
        for asked in [&self.origin, &self.role, &self.scope] {
            let Some(asked) = asked else { break };
            start.push_str(&key::component(asked));
            start.push('/');
        }
        // Both hold: the longer one is the other with more, or nothing is meant.
        if self.prefix.len() > start.len() { self.prefix.clone() } else { start }
    }

    /// Those that are meant, after a key, in order.
    pub fn of<'v>(&'v self, values: &'v dyn Values, after: &str) -> Selected<'v> {
        let listing = Listing { prefix: self.start(), after: after.to_owned(), most: PAGE };
        Selected { values, selection: self, listing, page: VecDeque::new(), last: false }
    }
}

/// So many are asked for at once.
const PAGE: usize = 1_000;

/// Walks through the values that are meant.
pub struct Selected<'v> {
    values: &'v dyn Values,
    selection: &'v Selection,
    listing: Listing,
    page: VecDeque<Entry>,
    last: bool,
}

impl Iterator for Selected<'_> {
    type Item = Result<Entry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while let Some(entry) = self.page.pop_front() {
                if entry.key.starts_with(&self.selection.prefix) && self.selection.has(&entry) {
                    return Some(Ok(entry));
                }
            }
            if self.last {
                return None;
            }
            match self.values.list(&self.listing) {
                Ok(page) => {
                    self.last = page.len() < self.listing.most;
                    if let Some(entry) = page.last() {
                        self.listing.after = entry.key.clone();
                    }
                    self.page = page.into();
                }
                Err(error) => {
                    self.last = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

/// The role of a value that says in its attribute [`RETENTION`] how long it is kept at least.
pub const ARTIFACT: &str = "artifact";
/// How long that is: `30d`, or `forever`. What nobody can read is forever.
pub const RETENTION: &str = "retention";

/// Until when a value is kept whatever becomes of its run, in Unix nanoseconds; none: it does not say.
pub fn retained(value: &Artifact) -> Option<u64> {
    let said = value.attribute(RETENTION).filter(|_| value.role() == ARTIFACT)?;
    match said.parse() {
        Ok(Retention::For(Milliseconds(span))) => {
            Some(value.timestamp().saturating_add(span.saturating_mul(1_000_000)))
        }
        Ok(Retention::Forever) | Err(_) => Some(u64::MAX),
    }
}

/// May the value of this key say so? Only then it is read.
pub fn may_be_retained(key: &str) -> bool {
    key.split('/').nth(1) == Some(ARTIFACT)
}

/// Is a value that no run keeps to be kept: because a rule says so, or it itself? None: nobody says anything. One that cannot be
/// read now is not lost for that.
pub fn is_kept(rules: &[Keeping], now: u64, key: &str, read: impl FnOnce() -> Option<Artifact>) -> Option<bool> {
    let ruled = Keeping::says(rules, key);
    if ruled == Some(true) || !may_be_retained(key) {
        return ruled;
    }
    let Some(value) = read() else { return Some(true) };
    retained(&value).map(|until| until > now).or(ruled)
}

/// How long values are kept that a run does not keep: those of a run stay with it, and those of a rule outlive it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keeping {
    /// Of this role; none: of any.
    pub role: Option<String>,
    /// And of this scope.
    pub scope: Option<String>,
    /// As long as they were made after this moment, in Unix nanoseconds; none: for ever.
    pub since: Option<u64>,
}

impl Keeping {
    /// Is a value of this key one of those, and if so, is it still to be kept? The first rule that fits decides.
    pub fn says(rules: &[Keeping], key: &str) -> Option<bool> {
        let made = key::decode(key)?.timestamp;
        let mut written = key.split('/').skip(1);
        let (role, scope) = (written.next(), written.next());
        let is = |asked: &Option<String>, written: Option<&str>| {
            asked.as_deref().is_none_or(|asked| written == Some(&key::component(asked)))
        };
        let rule = rules.iter().find(|rule| is(&rule.role, role) && is(&rule.scope, scope))?;
        Some(rule.since.is_none_or(|since| made >= since))
    }
}

/// The values of no run that are not kept any longer.
pub fn stale(values: &dyn Values, rules: &[Keeping], now: u64) -> Result<Vec<Entry>, StoreError> {
    // Without rules only what says so itself.
    let role = rules.is_empty().then(|| ARTIFACT.to_owned());
    let mut stale = Vec::new();
    for entry in (Selection { role, ..Selection::default() }).of(values, "") {
        let entry = entry?;
        let read = || values.find(entry.checksum).ok().flatten();
        if entry.run.is_none() && is_kept(rules, now, &entry.key, read) == Some(false) {
            stale.push(entry);
        }
    }
    Ok(stale)
}
