//! What has parts, and which: *parts* artifacts, JSON arrays, `text/x-lines`; everything else is one part. And the artifacts
//! that the machine asks to be made of others.

use crate::mint::{Derived, Seal};
use crate::store::Store;
use aivm_schema::artifact::{Artifact, ArtifactError, Checksum, Draft, INTEGRITY, UNTRUSTED, parts};
use aivm_schema::limits::ITEMS;
use aivm_schema::module;
use aivm_vm::action::{CallError, Make, PartValue, Recipe};
use aivm_vm::{CompleteError, Run};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// The media type of text whose lines are its parts.
pub const LINES: &str = "text/x-lines";

/// Why an artifact cannot be made of others.
#[derive(Debug, thiserror::Error)]
pub enum PartsError {
    /// A part is not in the store.
    #[error("E0740: the part {0} is not in the store")]
    Missing(Checksum),
    /// The payload is not what its type says.
    #[error("E0741: the value says `{media_type}` and cannot be read as that: {reason}")]
    Unreadable {
        /// What it says.
        media_type: String,
        /// Why not.
        reason: String,
    },
    /// More than a million.
    #[error("E0742: the value has {0} parts: at most {ITEMS}")]
    TooMany(usize),
    /// It cannot be an artifact.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
}

/// The parts of a value, read once for all items of a fan-out.
#[derive(Clone)]
pub enum Items {
    /// Artifacts, with name and verdict.
    Parts(Arc<Vec<(String, String, Artifact)>>),
    /// Elements of a JSON array, each as compact JSON; text elements as text.
    Values(Arc<Vec<(&'static str, String)>>),
    /// The value itself.
    Whole(Artifact),
}

impl Items {
    /// The parts of a value.
    pub fn of(value: &Artifact, store: &dyn Store) -> Result<Items, PartsError> {
        let unreadable = |reason: String| PartsError::Unreadable { media_type: value.media_type().to_owned(), reason };
        let essence = value.media_type().split(';').next().unwrap_or("").trim();
        let items = if essence == parts::MEDIA_TYPE {
            Items::Parts(Arc::new(named(value, store)?))
        } else if essence == "application/json" || essence.ends_with("+json") {
            let json = serde_json::from_slice(value.payload()).map_err(|error| unreadable(error.to_string()))?;
            let serde_json::Value::Array(elements) = json else { return Ok(Items::Whole(value.clone())) };
            let item = |element: serde_json::Value| match element {
                serde_json::Value::String(text) => ("text/plain", text),
                other => ("application/json", other.to_string()),
            };
            Items::Values(Arc::new(elements.into_iter().map(item).collect()))
        } else if essence == LINES {
            let text = std::str::from_utf8(value.payload()).map_err(|error| unreadable(error.to_string()))?;
            Items::Values(Arc::new(text.lines().map(|line| ("text/plain", line.to_owned())).collect()))
        } else {
            Items::Whole(value.clone())
        };
        match items.len() {
            n if n > ITEMS as usize => Err(PartsError::TooMany(n)),
            _ => Ok(items),
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Items::Parts(parts) => parts.len(),
            Items::Values(values) => values.len(),
            Items::Whole(_) => 1,
        }
    }

    /// None?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Item `index` as an artifact: a part as it is, an element as a new one.
    pub fn item(&self, of: &Artifact, index: u32, seal: &dyn Seal) -> Result<Artifact, PartsError> {
        let at = index as usize;
        match self {
            Items::Whole(value) => Ok(value.clone()),
            Items::Parts(parts) => parts.get(at).map(|(_, _, value)| value.clone()).ok_or(PartsError::TooMany(at + 1)),
            Items::Values(values) => {
                let (media_type, text) = values.get(at).ok_or(PartsError::TooMany(at + 1))?;
                let draft = Draft {
                    media_type: (*media_type).to_owned(),
                    origin: of.origin().to_owned(),
                    role: "item".to_owned(),
                    scope: of.scope().to_owned(),
                    attributes: [
                        ("inputs".to_owned(), of.checksum().to_string()),
                        ("item".to_owned(), index.to_string()),
                    ]
                    .into_iter()
                    .chain(is_untrusted(of).then(untrusted))
                    .collect(),
                    payload: text.clone().into_bytes(),
                };
                Ok(seal.seal(draft)?)
            }
        }
    }
}

/// Makes what the machine of one run asks for: the same whenever it is asked again.
#[derive(Default)]
pub struct Recipes {
    /// Values whose items are being handed out.
    items: FxHashMap<Checksum, Items>,
}

impl Recipes {
    /// Gives the run what it asks for.
    pub fn answer(&mut self, run: &mut Run, name: &str, make: Make, store: &dyn Store) -> Result<(), CompleteError> {
        let seal = Derived { run: name, request: make.request.0, at: run.now() };
        let made = match &make.recipe {
            Recipe::Pack(values) => {
                values.iter().for_each(|part| store.hold(&part.value));
                pack(values, name, &seal)
            }
            Recipe::WithError { of, error } => with_error(of, error, &seal),
            Recipe::Item { of, index } => self.item(of, *index, store, &seal),
            Recipe::Count(of) => {
                return match self.items(of, store).map(Items::len) {
                    Ok(count) => run.counted(make.request, count as u32),
                    Err(error) => run.not_made(make.request, refused(&error)),
                };
            }
        };
        match made {
            Ok(artifact) => {
                store.put(&artifact);
                run.made(make.request, artifact)
            }
            Err(error) => run.not_made(make.request, refused(&error)),
        }
    }

    fn items(&mut self, of: &Artifact, store: &dyn Store) -> Result<&Items, PartsError> {
        match self.items.entry(of.checksum()) {
            Entry::Occupied(items) => Ok(items.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(Items::of(of, store)?)),
        }
    }

    fn item(&mut self, of: &Artifact, index: u32, store: &dyn Store, seal: &dyn Seal) -> Result<Artifact, PartsError> {
        let items = self.items(of, store)?;
        let (item, last) = (items.item(of, index, seal), index as usize + 1 >= items.len());
        if last {
            self.items.remove(&of.checksum());
        }
        item
    }
}

/// The values of a *parts* artifact: name, verdict, artifact.
pub fn named(value: &Artifact, store: &dyn Store) -> Result<Vec<(String, String, Artifact)>, PartsError> {
    let entries = parts::decode(value.payload())?;
    let get = |part: parts::Part| {
        let artifact = store.get(part.artifact).ok_or(PartsError::Missing(part.artifact))?;
        Ok((part.name, part.verdict, artifact))
    };
    entries.into_iter().map(get).collect()
}

/// The artifacts that another names: its parts, or the places in the source of a program.
pub fn members(artifact: &Artifact) -> Result<Vec<Checksum>, ArtifactError> {
    match artifact.media_type() {
        parts::MEDIA_TYPE => Ok(parts::decode(artifact.payload())?.into_iter().map(|part| part.artifact).collect()),
        module::MEDIA_TYPE => {
            Ok(artifact.attribute(module::DEBUG).and_then(|text| text.parse().ok()).into_iter().collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// Keeps an artifact with everything that it names, however deep: a run needs no other run's artifacts.
pub fn put_whole(artifact: &Artifact, store: &dyn Store) -> Result<(), PartsError> {
    store.put(artifact);
    let (mut open, mut known) = (vec![artifact.clone()], FxHashSet::default());
    while let Some(artifact) = open.pop() {
        // What cannot be read as what it says is a failure where it is used.
        for member in members(&artifact).unwrap_or_default() {
            if known.insert(member) {
                let member = store.get(member).ok_or(PartsError::Missing(member))?;
                store.put(&member);
                open.push(member);
            }
        }
    }
    Ok(())
}

/// Does nobody answer for a value? What is made of it is no better.
pub fn is_untrusted(value: &Artifact) -> bool {
    value.attribute(INTEGRITY) == Some(UNTRUSTED)
}

fn untrusted() -> (String, String) {
    (INTEGRITY.to_owned(), UNTRUSTED.to_owned())
}

/// One artifact of several values, by reference.
pub fn pack(values: &[PartValue], run: &str, seal: &dyn Seal) -> Result<Artifact, PartsError> {
    let entries: Vec<parts::Part> = values
        .iter()
        .map(|part| parts::Part {
            name: part.name.clone(),
            artifact: part.value.checksum(),
            verdict: part.verdict.clone().unwrap_or_default(),
        })
        .collect();
    let draft = Draft {
        media_type: parts::MEDIA_TYPE.to_owned(),
        origin: "aivm".to_owned(),
        role: "parts".to_owned(),
        scope: "run".to_owned(),
        attributes: std::iter::once(("run".to_owned(), run.to_owned()))
            .chain(values.iter().any(|part| is_untrusted(&part.value)).then(untrusted))
            .collect(),
        payload: parts::encode(&entries),
    };
    Ok(seal.seal(draft)?)
}

/// The same payload with what happened in the attribute `error`.
pub fn with_error(value: &Artifact, error: &CallError, seal: &dyn Seal) -> Result<Artifact, PartsError> {
    let mut draft = value.to_draft();
    let mut text = format!("{}: {}", error.code, error.message);
    text.retain(|c| c != '\0');
    let most = 4_096;
    if text.len() > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    draft.set("error", text);
    draft.set("inputs", value.checksum().to_string());
    // Room for the two, whatever the worker wrote.
    while draft.attributes.len() > aivm_schema::limits::ATTRIBUTES {
        draft.attributes.remove(0);
    }
    Ok(seal.seal(draft)?)
}

fn refused(error: &PartsError) -> CallError {
    CallError { code: "E0741".to_owned(), message: error.to_string(), step: String::new() }
}
