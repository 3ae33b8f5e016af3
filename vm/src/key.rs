//! Step keys: the place of a call in a run. Cheap to make, since every call has one; text only when somebody asks.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A place in a run: labels and counts, independent of scheduling. `step2/analyze#3`; in a definition called by a step
/// `switch.1/research#1/switch.1/find#2`; an item of a fan-out `switch.1/write#1[17]`; an undoer `step2/analyze#3~undo`; a chooser `select.1#2`.
///
/// Two keys are equal when they print alike.
#[derive(Clone)]
pub struct StepKey {
    /// The key of the call of the definition around.
    caller: Option<Arc<str>>,
    /// The static part: stage and step.
    path: Arc<str>,
    /// From 1; 0 where `path` is the whole key.
    visit: u32,
    /// The item of a fan-out, from 0.
    item: Option<u32>,
    undo: bool,
}

impl StepKey {
    /// The `visit`th call at `path`, in the definition that `caller` called.
    pub(crate) fn new(caller: Option<Arc<str>>, path: Arc<str>, visit: u32, item: Option<u32>) -> StepKey {
        StepKey { caller, path, visit, item, undo: false }
    }

    /// As it prints, in one piece of memory: every call has its key written down more than once.
    pub fn text(&self) -> String {
        use fmt::Write;
        let caller = self.caller.as_ref().map_or(0, |caller| caller.len() + 1);
        let mut text = String::with_capacity(caller + self.path.len() + 32);
        // Writing to a text does not fail.
        let _ = write!(text, "{self}");
        text
    }

    /// The key of the call that takes back what this one did.
    pub fn to_undo(&self) -> StepKey {
        StepKey { undo: true, ..self.clone() }
    }
}

impl From<&str> for StepKey {
    fn from(text: &str) -> StepKey {
        StepKey { caller: None, path: text.into(), visit: 0, item: None, undo: false }
    }
}

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(caller) = &self.caller {
            write!(f, "{caller}/")?;
        }
        f.write_str(&self.path)?;
        if self.visit > 0 {
            write!(f, "#{}", self.visit)?;
        }
        if let Some(item) = self.item {
            write!(f, "[{item}]")?;
        }
        if self.undo { f.write_str("~undo") } else { Ok(()) }
    }
}

impl fmt::Debug for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StepKey({self})")
    }
}

impl PartialEq for StepKey {
    fn eq(&self, other: &StepKey) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for StepKey {}

impl PartialOrd for StepKey {
    fn partial_cmp(&self, other: &StepKey) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for StepKey {
    fn cmp(&self, other: &StepKey) -> Ordering {
        self.to_string().cmp(&other.to_string())
    }
}

impl Hash for StepKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_string().hash(state);
    }
}

impl Serialize for StepKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StepKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<StepKey, D::Error> {
        String::deserialize(deserializer).map(|text| StepKey::from(text.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_prints_its_place() {
        let step = StepKey::new(None, "step2/analyze".into(), 3, None);
        assert_eq!(step.to_string(), "step2/analyze#3");
        assert_eq!(step.to_undo().to_string(), "step2/analyze#3~undo");
        let inner = StepKey::new(Some(step.to_string().into()), "switch.1/find".into(), 2, Some(0));
        assert_eq!(inner.to_string(), "step2/analyze#3/switch.1/find#2[0]");
        assert_eq!(inner.text(), inner.to_string());
    }

    #[test]
    fn keys_that_print_alike_are_equal() {
        let key = StepKey::new(Some("a#1".into()), "b".into(), 2, None);
        assert_eq!(key, StepKey::from("a#1/b#2"));
        assert_eq!(key.cmp(&StepKey::from("a#1/b#2")), Ordering::Equal);
        assert_ne!(key, key.to_undo());
    }
}
