//! `ai_worker_definitions.json`: definitions as the AI worker manager of NeuroScript writes them, a list of them or a whole
//! bundle, keys in snake_case or camelCase. What nothing here carries out yet is read, checked and noted, never dropped in silence.

use super::{Does, Source, WorkerDefinition};
use crate::unit::Money;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

mod entry;
mod others;
mod worker;

use entry::Entry;

/// The name of such a file.
pub const FILE: &str = "ai_worker_definitions.json";

/// What becomes of the others when an entry is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Nothing is loaded.
    FailFastOnError,
    /// They are loaded, and the wrong one is reported.
    #[default]
    LoadValidAndReportErrors,
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Policy, String> {
        match text {
            "FailFastOnError" => Ok(Policy::FailFastOnError),
            "LoadValidAndReportErrors" => Ok(Policy::LoadValidAndReportErrors),
            _ => Err(format!("`{text}` is neither FailFastOnError nor LoadValidAndReportErrors")),
        }
    }
}

/// What was loaded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bundle {
    /// The workers, in their order; each word once.
    pub workers: Vec<Seeded>,
    /// Its data sources, by name.
    pub sources: BTreeMap<String, Source>,
    /// Entries that were not loaded.
    pub wrong: Vec<Wrong>,
    /// What is to be known of the rest.
    pub notes: Vec<String>,
}

/// A worker of a bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct Seeded {
    /// The word that calls it: its name, made one by [`word`].
    pub word: String,
    /// Its name as it is written.
    pub name: String,
    /// Its `definition_id`, when it has one.
    pub id: Option<String>,
    /// The worker.
    pub definition: WorkerDefinition,
    /// May it be called?
    pub status: Status,
    /// What a million tokens of its model cost.
    pub price: Option<Price>,
    /// The variable that holds its key.
    pub key: Option<String>,
    /// What was said of it that nothing is done with, a sentence each.
    pub notes: Vec<String>,
}

impl Seeded {
    /// That it may not be called, where it may not; `so` says what follows of that.
    pub fn off(&self, so: &str) -> Option<String> {
        let off = self.status != Status::Active;
        off.then(|| format!("`{}` is {}: {so}", self.name, self.status.word()))
    }
}

/// What a million tokens cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Of the question.
    pub input: Money,
    /// Of the answer.
    pub output: Money,
}

/// May a worker be called?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Yes.
    #[default]
    Active,
    /// Not now.
    Disabled,
    /// Not any more.
    Archived,
}

impl Status {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Disabled => "disabled",
            Status::Archived => "archived",
        }
    }
}

/// An entry that cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where it stands: `aiWorkerDefinitions[2]`.
    pub at: String,
    /// Its name, when it has one.
    pub name: Option<String>,
    /// What is wrong with it.
    pub reason: String,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.name.as_deref().map(|name| format!(" `{name}`")).unwrap_or_default();
        write!(f, "{}{name}: {}", self.at, self.reason)
    }
}

/// Why nothing was loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeedError {
    /// It is no JSON.
    #[error("it is no JSON: {0}")]
    Json(String),
    /// It is something else.
    #[error("it is neither a list of worker definitions nor a bundle with {LISTS}")]
    Shape,
    /// An entry is wrong, and the policy is `FailFastOnError`.
    #[error("nothing is loaded, because {} {} wrong: {}", .0.len(), if .0.len() == 1 { "entry is" } else { "entries are" }, list(.0))]
    Wrong(Vec<Wrong>),
}

const LISTS: &str = "`aiWorkerDefinitions`, `globalDataSources`, `aiWorkerPoolDefinitions`, `workQueueDefinitions` or `workItemDefinitions`";

fn list(wrong: &[Wrong]) -> String {
    let reasons: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    reasons.join("; ")
}

/// Reads a file: a list of definitions, or a bundle.
pub fn read(text: &str, policy: Policy) -> Result<Bundle, SeedError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let whole: Value = serde_json::from_str(text).map_err(|error| SeedError::Json(error.to_string()))?;
    let mut bundle = Bundle::default();
    let mut others = others::Others::default();
    match whole {
        Value::Array(entries) => bundle.take("aiWorkerDefinitions", entries),
        Value::Object(lists) => {
            let mut known = 0;
            for (key, list) in lists {
                let kind = others::Kind::of(&entry::snake(&key));
                if kind.is_none() && entry::snake(&key) != "ai_worker_definitions" {
                    bundle.notes.push(format!("not used: `{key}`"));
                    continue;
                }
                known += 1;
                match (kind, list) {
                    (_, Value::Null) => {}
                    (None, Value::Array(entries)) => bundle.take(&key, entries),
                    (Some(kind), Value::Array(entries)) => {
                        bundle.wrong.extend(others.take(kind, &key, entries));
                    }
                    _ => bundle.wrong.push(Wrong { at: key, name: None, reason: "it is not a list".to_owned() }),
                }
            }
            if known == 0 {
                return Err(SeedError::Shape);
            }
        }
        _ => return Err(SeedError::Shape),
    }
    if policy == Policy::FailFastOnError && !bundle.wrong.is_empty() {
        return Err(SeedError::Wrong(bundle.wrong));
    }
    bundle.once();
    bundle.one_key_each();
    bundle.sources = std::mem::take(&mut others.sources);
    bundle.notes.extend(others.notes(&bundle.sources, &bundle.workers));
    Ok(bundle)
}

impl Bundle {
    fn take(&mut self, list: &str, entries: Vec<Value>) {
        for (nth, value) in entries.into_iter().enumerate() {
            let at = format!("{list}[{nth}]");
            let name = value.get("name").and_then(Value::as_str).map(str::to_owned);
            match Entry::new(value).and_then(worker::read) {
                Ok(worker) => self.workers.push(worker),
                Err(reason) => self.wrong.push(Wrong { at, name, reason }),
            }
        }
    }

    /// Of several with one word or one id the last remains.
    fn once(&mut self) {
        let (mut words, mut ids) = (BTreeSet::new(), BTreeSet::new());
        let mut kept = Vec::new();
        for worker in std::mem::take(&mut self.workers).into_iter().rev() {
            let is_new = words.insert(worker.word.clone());
            let id_is_new = worker.id.as_ref().is_none_or(|id| ids.insert(id.clone()));
            match is_new && id_is_new {
                true => kept.push(worker),
                false => {
                    let what = if is_new { "id" } else { "word" };
                    self.notes
                        .push(format!("`{}`: a later definition has the same {what} and stands for it", worker.name));
                }
            }
        }
        kept.reverse();
        self.workers = kept;
    }

    /// A provider has one key here: that of the first worker that names one.
    fn one_key_each(&mut self) {
        let mut keys: BTreeMap<String, String> = BTreeMap::new();
        for worker in &mut self.workers {
            let Does::Model(ask) = &worker.definition.does else { continue };
            let provider = ask.models.first().and_then(|model| model.split_once('/'));
            let (Some((provider, _)), Some(key)) = (provider, &worker.key) else { continue };
            let known = keys.entry(provider.to_owned()).or_insert_with(|| key.clone());
            if known != key {
                worker
                    .notes
                    .push(format!("its key is not `{key}`: `{provider}` is asked with `{known}` by all workers"));
                worker.key = None;
            }
        }
    }

    /// The worker that a word calls.
    pub fn worker(&self, word: &str) -> Option<&Seeded> {
        self.workers.iter().find(|worker| worker.word == word)
    }

    /// Why a word calls nothing that seems to be here.
    pub fn wrong(&self, called: &str) -> Option<&Wrong> {
        self.wrong.iter().find(|wrong| wrong.name.as_deref().and_then(word).as_deref() == Some(called))
    }
}

/// The word that a name becomes: lower case, and `-` for everything that is no letter, digit or `_`; in front of what would not
/// be a word of the language, a `_`. None: nothing is left.
pub fn word(name: &str) -> Option<String> {
    let mut word = String::new();
    for c in name.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() || c == '_' => word.push(c),
            _ if word.ends_with('-') => {}
            _ => word.push('-'),
        }
    }
    let word = word.trim_matches('-');
    let free = crate::word::is_word(word) && !crate::word::is_reserved(word);
    let word = if free || word.is_empty() { word.to_owned() } else { format!("_{word}") };
    crate::word::is_word(&word).then_some(word)
}

#[cfg(test)]
mod tests;
