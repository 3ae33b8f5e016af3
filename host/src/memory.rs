//! What workers remember: texts that are found by their meaning, and a graph; each is one worker's, or all workers' of the project.
//!
//! [`Memory`] divides texts, has them embedded and re-embedded, and knows nothing of how anything is kept: that is a driver's,
//! behind [`Vectors`] and [`Graph`]. The file `.aivm/memory.db` is a driver of both. Who may read and write what is not decided
//! here. What is awaited here may block on the disk: call it on a thread of its own, one thing at a time.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{Mutex, OnceCell};

pub mod embed;
mod error;
mod file;
mod filter;
pub mod graph;
mod parts;
#[cfg(feature = "qdrant")]
pub mod qdrant;
mod settings;
pub mod vectors;

pub use error::MemoryError;
pub use file::File;
pub use filter::Filter;
pub use settings::{MemorySettings, QdrantSettings, Search};

use crate::models::Models;
use embed::{Embedder, Purpose};
use graph::Graph;
use vectors::{Embedded, Space, Vectors};

/// The longest text of a note, in bytes.
const LONGEST: usize = 16 << 20;
/// The longest metadata of a note or an edge, in bytes: every part of a note has it.
const KNOWN: usize = 64 << 10;
/// The longest name of a note, a node, a relation or a collection, in bytes.
const NAME: usize = 1_000;
/// The most that is answered at once.
const MOST: usize = 1_000;
/// The most hops of a walk.
const HOPS: u32 = 16;
/// So many notes are embedded anew at once.
const MOVED: usize = 64;
/// The member of the metadata that says what sort of text it is.
const MEDIA_TYPE: &str = "media_type";

/// Whose memory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// All workers of the project.
    Global,
    /// The worker of this name.
    Local(String),
}

impl Place {
    /// Reads `global` and `local/NAME`.
    pub fn parse(text: &str) -> Option<Place> {
        match text.split_once('/') {
            None if text == "global" => Some(Place::Global),
            Some(("local", name)) => Some(Place::Local(name.to_owned())),
            _ => None,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Global => f.write_str("global"),
            Place::Local(name) => write!(f, "local/{name}"),
        }
    }
}

/// One thing that is remembered: a text with what is known of it. `media_type` of the metadata says how a long one is divided:
/// `text/markdown` at its headings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Its name in its collection.
    pub id: String,
    /// What is remembered.
    pub text: String,
    /// What is known of it.
    pub metadata: Map<String, Value>,
}

/// A note that was found; of a long one the part, whose id ends with `#` and its number.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// What was found.
    pub note: Note,
    /// How near it is, by cosine: 1 is the same.
    pub score: f32,
}

/// One thing is related to another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// What.
    pub from: String,
    /// How.
    pub relation: String,
    /// To what.
    pub to: String,
    /// What is known of it.
    pub metadata: Map<String, Value>,
}

/// All memory of a project. Cheap to clone; opened at the first use, and made at the first write.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: MemorySettings,
    /// None: it is gone with this process.
    folder: Option<PathBuf>,
    models: Arc<Models>,
    embedder: OnceCell<Arc<dyn Embedder>>,
    vectors: OnceCell<Arc<dyn Vectors>>,
    graph: Arc<dyn Graph>,
    file: File,
    /// Held by whoever embeds a collection anew.
    moving: Mutex<()>,
}

impl Default for Memory {
    /// A memory that is gone with this process.
    fn default() -> Memory {
        Memory::fleeting(MemorySettings::default())
    }
}

impl Memory {
    /// The memory in `.aivm`; nothing is opened yet.
    pub fn at(folder: &Path, settings: MemorySettings) -> Memory {
        Memory::of(Some(folder.to_owned()), File::at(folder), settings)
    }

    /// A memory that is gone with this process.
    pub fn fleeting(settings: MemorySettings) -> Memory {
        Memory::of(None, File::fleeting(), settings)
    }

    fn of(folder: Option<PathBuf>, file: File, settings: MemorySettings) -> Memory {
        Memory(Arc::new(Inner {
            settings,
            folder,
            models: Arc::default(),
            embedder: OnceCell::new(),
            vectors: OnceCell::new(),
            graph: Arc::new(file.clone()),
            file,
            moving: Mutex::default(),
        }))
    }

    /// The same before its first use, with what is another there.
    fn with(self, change: impl FnOnce(&mut Inner)) -> Memory {
        let Inner { settings, folder, models, embedder, vectors, graph, file, .. } = &*self.0;
        let mut inner = Inner {
            settings: settings.clone(),
            folder: folder.clone(),
            models: models.clone(),
            embedder: embedder.clone(),
            vectors: vectors.clone(),
            graph: graph.clone(),
            file: file.clone(),
            moving: Mutex::default(),
        };
        change(&mut inner);
        Memory(Arc::new(inner))
    }

    /// Asks these models for embeddings.
    pub fn asking(self, models: Arc<Models>) -> Memory {
        self.with(|inner| inner.models = models)
    }

    /// Has texts embedded by this, whatever settings say.
    pub fn embedding(self, embedder: Arc<dyn Embedder>) -> Memory {
        self.with(|inner| inner.embedder = OnceCell::new_with(Some(embedder)))
    }

    /// Keeps vectors there, whatever settings say.
    pub fn keeping(self, vectors: Arc<dyn Vectors>) -> Memory {
        self.with(|inner| inner.vectors = OnceCell::new_with(Some(vectors)))
    }

    /// Finds near vectors so, whatever settings say.
    pub fn searching(self, search: Search) -> Memory {
        self.with(|inner| inner.settings.search = search)
    }

    async fn embedder(&self) -> Result<&dyn Embedder, MemoryError> {
        let inner = &self.0;
        let make = async || embed::named(&inner.settings, &inner.models);
        Ok(inner.embedder.get_or_try_init(make).await?.as_ref())
    }

    async fn vectors(&self) -> Result<&dyn Vectors, MemoryError> {
        let inner = &self.0;
        let make = async || match &inner.settings.qdrant {
            None => Ok(Arc::new(inner.file.clone()) as Arc<dyn Vectors>),
            Some(settings) => server(settings),
        };
        Ok(inner.vectors.get_or_try_init(make).await?.as_ref())
    }

    /// The spaces of a collection: one, or several when it was not yet embedded anew.
    async fn spaces_of(&self, place: &Place, collection: &str) -> Result<Vec<Space>, MemoryError> {
        let spaces = self.vectors().await?.spaces().await?;
        let of = |space: &Space| space.place == *place && space.collection == collection;
        Ok(spaces.into_iter().filter(of).collect())
    }

    /// Remembers a note, instead of what was there under its id. Answers the ids of its parts: a long text has several.
    pub async fn remember(&self, place: &Place, collection: &str, note: Note) -> Result<Vec<String>, MemoryError> {
        name("collection", collection, true)?;
        name("note", &note.id, false)?;
        known(&note.metadata)?;
        if note.text.trim().is_empty() {
            return Err(MemoryError::Asked(format!("the note `{}` has no text", note.id)));
        }
        if note.text.len() > LONGEST {
            let (long, id) = (note.text.len(), &note.id);
            return Err(MemoryError::Asked(format!(
                "the note `{id}` has {long} bytes of text, and at most {LONGEST} are kept: divide it"
            )));
        }
        let embedded = self.embedded(note).await?;
        let ids =
            (0..embedded.parts.len()).map(|part| vectors::part_id(&embedded.id, part, embedded.parts.len())).collect();
        let space = self.space(place, collection, embedded.parts.first().map_or(0, |(_, vector)| vector.len())).await?;
        self.move_to(&space).await?;
        self.vectors().await?.put(&space, vec![embedded]).await?;
        Ok(ids)
    }

    /// The notes that are nearest to a text, of those that a filter takes; the nearest first.
    pub async fn recall(
        &self,
        place: &Place,
        collection: &str,
        query: &str,
        filter: &Filter,
        most: usize,
    ) -> Result<Vec<Hit>, MemoryError> {
        if query.trim().is_empty() {
            return Err(MemoryError::Asked("there is nothing to look for: the query is empty".to_owned()));
        }
        if self.spaces_of(place, collection).await?.is_empty() {
            return Ok(Vec::new());
        }
        let embedder = self.embedder().await?;
        let vector = embed::vectors(embedder, &[query.to_owned()], Purpose::Query).await?.pop().unwrap_or_default();
        let space = self.space(place, collection, vector.len()).await?;
        self.move_to(&space).await?;
        self.vectors().await?.nearest(&space, &vector, filter, most.min(MOST), self.0.settings.search).await
    }

    /// Forgets notes, each by its id or by that of one of its parts; answers those that were there, whole.
    pub async fn forget(&self, place: &Place, collection: &str, ids: &[String]) -> Result<Vec<Note>, MemoryError> {
        let mut notes: Vec<Note> = Vec::new();
        for space in self.spaces_of(place, collection).await? {
            for note in self.vectors().await?.take(&space, ids).await? {
                if notes.iter().all(|other| other.id != note.id) {
                    notes.push(note);
                }
            }
        }
        Ok(notes)
    }

    /// A note by its id or by that of one of its parts, whole.
    pub async fn note(&self, place: &Place, collection: &str, id: &str) -> Result<Option<Note>, MemoryError> {
        for space in self.spaces_of(place, collection).await? {
            if let Some(note) = self.vectors().await?.get(&space, id).await? {
                return Ok(Some(note));
            }
        }
        Ok(None)
    }

    /// Keeps an edge; one that was there gets the metadata of this. False: it was there.
    pub async fn relate(&self, place: &Place, edge: Edge) -> Result<bool, MemoryError> {
        Ok(self.link(place, edge).await?.is_none())
    }

    /// Keeps an edge, and answers what was there.
    pub async fn link(&self, place: &Place, edge: Edge) -> Result<Option<Edge>, MemoryError> {
        for (what, text) in [("node", &edge.from), ("relation", &edge.relation), ("node", &edge.to)] {
            name(what, text, false)?;
        }
        known(&edge.metadata)?;
        self.0.graph.link(place, edge).await
    }

    /// The edge of these ends and this relation, with what is known of it.
    pub async fn edge(&self, place: &Place, edge: &Edge) -> Result<Option<Edge>, MemoryError> {
        fn key(edge: &Edge) -> (&str, &str, &str) {
            (&edge.from, &edge.relation, &edge.to)
        }
        // Edges come in order: between this and that one are only some whose end begins alike.
        let mut after = edge.clone();
        after.to.pop();
        loop {
            let page = self.edges(place, Some(&edge.relation), &Filter::All, Some(&after), MOST).await?;
            if let Some(found) = page.iter().find(|found| key(found) >= key(edge)) {
                return Ok(Some(found.clone()).filter(|found| key(found) == key(edge)));
            }
            let Some(last) = page.into_iter().last() else { return Ok(None) };
            after = last;
        }
    }

    /// Removes the edge of these ends and this relation. False: there was none.
    pub async fn unrelate(&self, place: &Place, edge: &Edge) -> Result<bool, MemoryError> {
        Ok(self.unlink(place, edge).await?.is_some())
    }

    /// Removes the edge of these ends and this relation, and answers what was there.
    pub async fn unlink(&self, place: &Place, edge: &Edge) -> Result<Option<Edge>, MemoryError> {
        self.0.graph.unlink(place, edge).await
    }

    /// The edges within so many hops of a node, whichever way they point; the nearest first.
    pub async fn neighbours(
        &self,
        place: &Place,
        node: &str,
        relation: Option<&str>,
        hops: u32,
        most: usize,
    ) -> Result<Vec<Edge>, MemoryError> {
        walk(hops)?;
        self.0.graph.neighbours(place, node, relation, hops, most.min(MOST)).await
    }

    /// The shortest way from a node to another along the edges; empty when they are the same, none when there is none.
    pub async fn path(
        &self,
        place: &Place,
        from: &str,
        to: &str,
        most_hops: u32,
    ) -> Result<Option<Vec<Edge>>, MemoryError> {
        walk(most_hops)?;
        self.0.graph.path(place, from, to, most_hops).await
    }

    /// The edges of a relation whose metadata a filter takes, in order, those behind `after`.
    pub async fn edges(
        &self,
        place: &Place,
        relation: Option<&str>,
        filter: &Filter,
        after: Option<&Edge>,
        most: usize,
    ) -> Result<Vec<Edge>, MemoryError> {
        self.0.graph.matching(place, relation, filter, after, most.min(MOST)).await
    }

    /// What vectors there are: whose, of which collection, by which embedder, and how many.
    pub async fn spaces(&self) -> Result<Vec<(Space, u64)>, MemoryError> {
        let vectors = self.vectors().await?;
        let mut spaces = Vec::new();
        for space in vectors.spaces().await? {
            let size = vectors.size(&space).await?;
            spaces.push((space, size));
        }
        Ok(spaces)
    }

    /// Whose edges there are, and how many.
    pub async fn graphs(&self) -> Result<Vec<(Place, u64)>, MemoryError> {
        self.0.graph.places().await
    }

    /// All places that remember something.
    pub async fn places(&self) -> Result<Vec<Place>, MemoryError> {
        let spaces = self.vectors().await?.spaces().await?.into_iter().map(|space| space.place);
        let mut places: Vec<Place> = spaces.chain(self.graphs().await?.into_iter().map(|(place, _)| place)).collect();
        places.sort();
        places.dedup();
        Ok(places)
    }

    /// The collections of a place.
    pub async fn collections(&self, place: &Place) -> Result<Vec<String>, MemoryError> {
        let spaces = self.vectors().await?.spaces().await?.into_iter().filter(|space| space.place == *place);
        let mut collections: Vec<String> = spaces.map(|space| space.collection).collect();
        collections.sort();
        collections.dedup();
        Ok(collections)
    }

    /// Whole notes in order of their ids, those behind `after`.
    pub async fn notes(
        &self,
        place: &Place,
        collection: &str,
        after: &str,
        most: usize,
    ) -> Result<Vec<Note>, MemoryError> {
        let mut notes = std::collections::BTreeMap::new();
        for space in self.spaces_of(place, collection).await? {
            for note in self.vectors().await?.notes(&space, after, most.min(MOST)).await? {
                notes.entry(note.id.clone()).or_insert(note);
            }
        }
        Ok(notes.into_values().take(most.min(MOST)).collect())
    }

    /// Removes a collection, with all its notes.
    pub async fn drop_collection(&self, place: &Place, collection: &str) -> Result<(), MemoryError> {
        for space in self.spaces_of(place, collection).await? {
            self.vectors().await?.clear(&space).await?;
        }
        Ok(())
    }

    async fn space(&self, place: &Place, collection: &str, dimensions: usize) -> Result<Space, MemoryError> {
        let embedder = self.embedder().await?.name().to_owned();
        Ok(Space { place: place.clone(), collection: collection.to_owned(), embedder, dimensions })
    }

    async fn embedded(&self, note: Note) -> Result<Embedded, MemoryError> {
        let Note { id, text, metadata } = note;
        let media_type = metadata.get(MEDIA_TYPE).and_then(Value::as_str).unwrap_or_default().to_owned();
        let most = self.0.settings.part;
        let texts = parts::of(&text, &media_type, most)?;
        let vectors = embed::vectors(self.embedder().await?, &texts, Purpose::Note).await?;
        Ok(Embedded { id, metadata, parts: texts.into_iter().zip(vectors).collect() })
    }

    /// Embeds anew what other embedders made of a collection: vectors of two are never compared.
    async fn move_to(&self, space: &Space) -> Result<(), MemoryError> {
        let others = async || {
            let spaces = self.spaces_of(&space.place, &space.collection).await?;
            Ok::<_, MemoryError>(spaces.into_iter().filter(|other| other != space).collect::<Vec<_>>())
        };
        if others().await?.is_empty() {
            return Ok(());
        }
        // One at a time, also of several processes; whoever waited finds nothing to do.
        let _here = self.0.moving.lock().await;
        let _there = self.alone()?;
        let vectors = self.vectors().await?;
        for other in others().await? {
            loop {
                let notes = vectors.notes(&other, "", MOVED).await?;
                if notes.is_empty() {
                    break;
                }
                let ids: Vec<String> = notes.iter().map(|note| note.id.clone()).collect();
                let mut embedded = Vec::with_capacity(notes.len());
                for note in notes {
                    // What is there already is newer.
                    if vectors.get(space, &note.id).await?.is_none_or(|there| there.id != note.id) {
                        embedded.push(self.embedded(note).await?);
                    }
                }
                let wrong = |length: usize| MemoryError::Vector {
                    embedder: space.embedder.clone(),
                    reason: format!("it has {length} dimensions, and those before {}", space.dimensions),
                };
                let lengths = embedded.iter().flat_map(|note| note.parts.iter().map(|(_, vector)| vector.len()));
                if let Some(length) = lengths.into_iter().find(|length| *length != space.dimensions) {
                    return Err(wrong(length));
                }
                vectors.put(space, embedded).await?;
                vectors.take(&other, &ids).await?;
            }
            vectors.clear(&other).await?;
        }
        Ok(())
    }

    /// A lock that all processes share.
    fn alone(&self) -> Result<Option<std::fs::File>, MemoryError> {
        let Some(folder) = &self.0.folder else { return Ok(None) };
        let path = folder.join("memory.lock");
        let locked = std::fs::create_dir_all(folder).and_then(|()| {
            let lock = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            lock.lock().map(|()| lock)
        });
        let failed =
            |error: std::io::Error| MemoryError::File { path: path.display().to_string(), reason: error.to_string() };
        locked.map(Some).map_err(failed)
    }
}

#[cfg(feature = "qdrant")]
fn server(settings: &QdrantSettings) -> Result<Arc<dyn Vectors>, MemoryError> {
    Ok(Arc::new(qdrant::Qdrant::at(settings)?))
}

#[cfg(not(feature = "qdrant"))]
fn server(settings: &QdrantSettings) -> Result<Arc<dyn Vectors>, MemoryError> {
    Err(MemoryError::Settings(format!(
        "qdrant at {} is asked for, and this program was built without the feature `qdrant`",
        settings.url
    )))
}

fn name(what: &str, text: &str, may_be_empty: bool) -> Result<(), MemoryError> {
    if text.is_empty() && !may_be_empty {
        return Err(MemoryError::Asked(format!("a {what} has no name")));
    }
    if text.len() > NAME {
        let start: String = text.chars().take(40).collect();
        return Err(MemoryError::Asked(format!(
            "the {what} `{start}…` has a name of {} bytes: at most {NAME}",
            text.len()
        )));
    }
    Ok(())
}

fn known(metadata: &Map<String, Value>) -> Result<(), MemoryError> {
    let long = serde_json::to_string(metadata).map_or(0, |json| json.len());
    match long > KNOWN {
        true => Err(MemoryError::Asked(format!("the metadata has {long} bytes, and at most {KNOWN} are kept"))),
        false => Ok(()),
    }
}

fn walk(hops: u32) -> Result<(), MemoryError> {
    match hops {
        1..=HOPS => Ok(()),
        _ => Err(MemoryError::Asked(format!("a walk has 1 to {HOPS} hops, and not {hops}"))),
    }
}
