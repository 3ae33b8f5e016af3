//! Vectors on a Qdrant server. A space is a collection of its own there, named by a hash, and a register, one collection more, says
//! which is whose. A point is a part; what it is found by lies beside its metadata, in a form that means here and there the same.

use super::filter::{Fact, is_there};
use super::vectors::{Embedded, Later, Space, Vectors, note_of, part_id};
use super::{Filter, Hit, MemoryError, Note, Place, QdrantSettings, Search};
use crate::secret;
use qdrant_client::qdrant::condition::ConditionOneOf;
use qdrant_client::qdrant::r#match::MatchValue;
use qdrant_client::qdrant::{
    self, Condition, CountPointsBuilder, CreateCollectionBuilder, CreateFieldIndexCollectionBuilder,
    DeletePointsBuilder, Distance, FieldCondition, FieldType, Match, PointStruct, QuantizationSearchParamsBuilder,
    Query, QueryPointsBuilder, Range, ScalarQuantizationBuilder, ScrollPointsBuilder, SearchParamsBuilder,
    UpsertPointsBuilder, VectorParamsBuilder,
};
use qdrant_client::{Payload, QdrantError};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::time::Duration;
use tonic::Code;

/// So many points are asked for at once.
const PAGE: u32 = 512;
/// So many points are sent at once.
const SENT: usize = 128;
/// So many more than are asked for are looked at again, exactly.
const AGAIN: f64 = 4.0;

/// A Qdrant server.
pub struct Qdrant {
    client: qdrant_client::Qdrant,
    url: String,
    prefix: String,
}

impl std::fmt::Debug for Qdrant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Qdrant").field("url", &self.url).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

fn code(error: &QdrantError) -> Option<Code> {
    match error {
        QdrantError::ResponseError { status } => Some(status.code()),
        _ => None,
    }
}

/// What is there, if it is.
fn found<T>(answer: Result<T, QdrantError>) -> Result<Option<T>, QdrantError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if code(&error) == Some(Code::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The id of a point: a name says which.
fn point(name: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in name {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// A member, as a path of the server's has no doubt about it.
fn path(key: &str) -> String {
    format!("facts.{}", member(key))
}

fn member(key: &str) -> String {
    key.bytes().fold("k".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

/// What a part is found by.
fn facts(metadata: &Map<String, Value>) -> (Map<String, Value>, Vec<&str>) {
    let fact = |fact: Fact<'_>| match fact {
        Fact::Text(text) => json!(text),
        Fact::Number(number) => json!(number),
        Fact::Truth(truth) => json!(truth),
    };
    let facts = metadata.iter().map(|(key, value)| (member(key), Fact::all(value).map(fact).collect())).collect();
    (facts, metadata.iter().filter(|(_, value)| is_there(value)).map(|(key, _)| key.as_str()).collect())
}

/// A member is this text: the client would look for the words of one that has several lines.
fn keyword(key: impl Into<String>, text: &str) -> Condition {
    let wanted = Match { match_value: Some(MatchValue::Keyword(text.to_owned())) };
    let field = FieldCondition { key: key.into(), r#match: Some(wanted), ..FieldCondition::default() };
    Condition { condition_one_of: Some(ConditionOneOf::Field(field)) }
}

/// No part is of a note without a name.
fn nothing() -> Condition {
    keyword("note", "")
}

/// A filter as the server has it.
fn condition(filter: &Filter) -> Condition {
    let all = |all: Vec<Condition>| Condition::from(qdrant::Filter::must(all));
    let none = |condition| Condition::from(qdrant::Filter::must_not([condition]));
    let range = |key: &str, from: &Bound<f64>, to: &Bound<f64>| {
        let mut range = Range::default();
        match from {
            Bound::Included(number) => range.gte = Some(*number),
            Bound::Excluded(number) => range.gt = Some(*number),
            Bound::Unbounded => {}
        }
        match to {
            Bound::Included(number) => range.lte = Some(*number),
            Bound::Excluded(number) => range.lt = Some(*number),
            Bound::Unbounded => {}
        }
        // Every number is in this one, and nothing else.
        if range == Range::default() {
            range.gte = Some(f64::MIN);
        }
        Condition::range(path(key), range)
    };
    let is = |key: &str, value: &Value| match Fact::of(value) {
        Some(Fact::Text(text)) => keyword(path(key), text),
        Some(Fact::Truth(truth)) => Condition::matches(path(key), truth),
        Some(Fact::Number(number)) => range(key, &Bound::Included(number), &Bound::Included(number)),
        None => nothing(),
    };
    let any = |any: Vec<Condition>| match any.is_empty() {
        true => nothing(),
        false => Condition::from(qdrant::Filter::should(any)),
    };
    match filter {
        Filter::All => none(nothing()),
        Filter::Is(key, value) => is(key, value),
        Filter::In(key, values) => any(values.iter().map(|value| is(key, value)).collect()),
        Filter::Range { key, from, to } => range(key, from, to),
        Filter::Has(key) => keyword("has", key),
        Filter::And(filters) if filters.is_empty() => none(nothing()),
        Filter::And(filters) => all(filters.iter().map(condition).collect()),
        Filter::Or(filters) => any(filters.iter().map(condition).collect()),
        Filter::Not(filter) => none(condition(filter)),
    }
}

/// A part, as a point has it.
struct Part {
    note: String,
    number: usize,
    of: usize,
    text: String,
    metadata: Map<String, Value>,
}

impl Part {
    fn read(payload: &HashMap<String, qdrant::Value>) -> Option<Part> {
        let text = |key: &str| payload.get(key)?.as_str().map(String::as_str);
        let number = |key: &str| usize::try_from(payload.get(key)?.as_integer()?).ok();
        let metadata = serde_json::from_str(text("metadata")?).ok()?;
        Some(Part {
            note: text("note")?.to_owned(),
            number: number("number")?,
            of: number("of")?,
            text: text("text")?.to_owned(),
            metadata,
        })
    }
}

impl Qdrant {
    /// The server that settings name; it is asked at the first use.
    pub fn at(settings: &QdrantSettings) -> Result<Qdrant, MemoryError> {
        let wrong = |reason: String| MemoryError::Settings(format!("qdrant at {}: {reason}", settings.url));
        let mut builder = qdrant_client::Qdrant::from_url(&settings.url)
            .skip_compatibility_check()
            .timeout(Duration::from_secs(60))
            .connect_timeout(Duration::from_secs(10));
        if let Some(name) = &settings.key {
            let key = secret::find(name).map_err(|error| wrong(error.to_string()))?;
            let key = key.ok_or_else(|| wrong(format!("there is no key: set {name}, or: aivm secret set {name}")))?;
            builder = builder.api_key(key);
        }
        let client = builder.build().map_err(|error| wrong(error.to_string()))?;
        let prefix = settings.prefix.clone().unwrap_or_else(|| "aivm-".to_owned());
        Ok(Qdrant { client, url: settings.url.clone(), prefix })
    }

    fn error(&self, error: QdrantError) -> MemoryError {
        let reason = match &error {
            QdrantError::ResponseError { status } => format!("{}: {}", status.code(), status.message()),
            other => other.to_string(),
        };
        MemoryError::Server { server: self.url.clone(), reason: secret::text(&reason).into() }
    }

    fn register(&self) -> String {
        format!("{}register", self.prefix)
    }

    /// What names a space.
    fn id(space: &Space) -> String {
        let Space { place, collection, embedder, dimensions } = space;
        point(&[&place.to_string(), collection, embedder, &dimensions.to_string()])
    }

    fn collection(&self, space: &Space) -> String {
        format!("{}{}", self.prefix, Qdrant::id(space))
    }

    /// Makes a collection that is not there.
    async fn make(&self, name: &str, dimensions: usize, indexed: &[(&str, FieldType)]) -> Result<(), QdrantError> {
        if self.client.collection_exists(name).await? {
            return Ok(());
        }
        let vectors = VectorParamsBuilder::new(dimensions as u64, Distance::Cosine);
        let quantised = ScalarQuantizationBuilder::default().always_ram(true);
        let create = CreateCollectionBuilder::new(name).vectors_config(vectors).quantization_config(quantised);
        match self.client.create_collection(create).await {
            // Another process was quicker.
            Err(error) if code(&error) == Some(Code::AlreadyExists) => return Ok(()),
            made => made?,
        };
        for (field, kind) in indexed {
            let index = CreateFieldIndexCollectionBuilder::new(name, *field, *kind).wait(true);
            self.client.create_field_index(index).await?;
        }
        Ok(())
    }

    async fn make_space(&self, space: &Space) -> Result<(), QdrantError> {
        let indexed = [("note", FieldType::Keyword), ("number", FieldType::Integer), ("has", FieldType::Keyword)];
        self.make(&self.collection(space), space.dimensions, &indexed).await?;
        self.make(&self.register(), 1, &[]).await?;
        let Space { place, collection, embedder, dimensions } = space;
        let payload = json!({
            "place": place.to_string(), "collection": collection, "embedder": embedder, "dimensions": dimensions,
        });
        let payload = Payload::try_from(payload)?;
        let point = PointStruct::new(Qdrant::id(space), vec![1.0f32], payload);
        self.client.upsert_points(UpsertPointsBuilder::new(self.register(), vec![point]).wait(true)).await?;
        Ok(())
    }

    /// All points of a collection that a filter takes; none where there is no such collection.
    async fn scroll(
        &self,
        collection: &str,
        filter: qdrant::Filter,
    ) -> Result<Vec<HashMap<String, qdrant::Value>>, QdrantError> {
        let (mut points, mut offset) = (Vec::new(), None);
        loop {
            let mut scroll = ScrollPointsBuilder::new(collection).filter(filter.clone()).limit(PAGE).with_payload(true);
            if let Some(offset) = offset {
                scroll = scroll.offset::<qdrant::PointId>(offset);
            }
            let Some(page) = found(self.client.scroll(scroll).await)? else { return Ok(points) };
            points.extend(page.result.into_iter().map(|point| point.payload));
            offset = page.next_page_offset;
            if offset.is_none() {
                return Ok(points);
            }
        }
    }

    fn damaged(&self) -> MemoryError {
        let reason = "a point is none that aivm wrote".to_owned();
        MemoryError::Server { server: self.url.clone(), reason }
    }

    /// Notes that a filter takes, whole, by id.
    async fn whole(&self, space: &Space, filter: qdrant::Filter) -> Result<BTreeMap<String, Note>, MemoryError> {
        let points = self.scroll(&self.collection(space), filter).await.map_err(|error| self.error(error))?;
        let parts = points.iter().map(Part::read).collect::<Option<Vec<Part>>>().ok_or_else(|| self.damaged())?;
        let mut parts: Vec<Part> = parts.into_iter().filter(|part| part.number < part.of).collect();
        parts.sort_by(|one, other| (&one.note, one.number).cmp(&(&other.note, other.number)));
        let mut notes: BTreeMap<String, (usize, Note)> = BTreeMap::new();
        for part in parts {
            let note = Note { id: part.note.clone(), text: String::new(), metadata: part.metadata };
            let (of, note) = notes.entry(part.note).or_insert((part.of, note));
            // Another number of parts is that of an older text, whose writer did not get to remove them.
            if part.of == *of {
                note.text.push_str(&part.text);
            }
        }
        Ok(notes.into_iter().map(|(id, (_, note))| (id, note)).collect())
    }

    async fn one(&self, space: &Space, id: &str) -> Result<Option<Note>, MemoryError> {
        let of = |note: &str| qdrant::Filter::must([keyword("note", note)]);
        if let Some(note) = self.whole(space, of(id)).await?.remove(id) {
            return Ok(Some(note));
        }
        let Some((note, number)) = note_of(id).filter(|(note, _)| !note.is_empty()) else { return Ok(None) };
        let part = Condition::range("number", Range { gte: Some(number as f64), ..Range::default() });
        let several = Condition::range("of", Range { gt: Some(1.0), ..Range::default() });
        let filter = qdrant::Filter::must([keyword("note", note), part, several]);
        match self.whole(space, filter).await?.is_empty() {
            true => Ok(None),
            false => Ok(self.whole(space, of(note)).await?.remove(note)),
        }
    }

    async fn delete(&self, collection: &str, filter: qdrant::Filter) -> Result<(), QdrantError> {
        found(self.client.delete_points(DeletePointsBuilder::new(collection).points(filter).wait(true)).await)
            .map(|_| ())
    }

    async fn send(&self, space: &Space, notes: Vec<Embedded>) -> Result<(), QdrantError> {
        self.make_space(space).await?;
        let collection = self.collection(space);
        for note in notes {
            let of = note.parts.len();
            let (facts, has) = facts(&note.metadata);
            let metadata = Value::Object(note.metadata.clone()).to_string();
            let mut points = Vec::with_capacity(of);
            for (number, (text, vector)) in note.parts.into_iter().enumerate() {
                let payload = Payload::try_from(json!({
                    "note": note.id, "number": number, "of": of, "text": text, "metadata": metadata, "facts": facts, "has": has,
                }))?;
                points.push(PointStruct::new(point(&[&note.id, &number.to_string()]), vector, payload));
            }
            let upsert = UpsertPointsBuilder::new(&collection, points).wait(true);
            self.client.upsert_points_chunked(upsert, SENT).await?;
            // What an older and longer text leaves.
            let rest = Condition::range("number", Range { gte: Some(of as f64), ..Range::default() });
            self.delete(&collection, qdrant::Filter::must([keyword("note", &note.id), rest])).await?;
        }
        Ok(())
    }
}

impl Vectors for Qdrant {
    fn spaces(&self) -> Later<'_, Vec<Space>> {
        Box::pin(async move {
            let points = self.scroll(&self.register(), qdrant::Filter::default()).await;
            let points = points.map_err(|error| self.error(error))?;
            let read = |payload: &HashMap<String, qdrant::Value>| {
                let text = |key: &str| payload.get(key)?.as_str().map(String::as_str);
                let dimensions = usize::try_from(payload.get("dimensions")?.as_integer()?).ok()?;
                let place = Place::parse(text("place")?)?;
                let (collection, embedder) = (text("collection")?.to_owned(), text("embedder")?.to_owned());
                Some(Space { place, collection, embedder, dimensions })
            };
            let spaces = points.iter().map(read).collect::<Option<Vec<Space>>>();
            let mut spaces = spaces.ok_or_else(|| self.damaged())?;
            spaces.sort();
            Ok(spaces)
        })
    }

    fn size<'a>(&'a self, space: &'a Space) -> Later<'a, u64> {
        Box::pin(async move {
            let counted = found(self.client.count(CountPointsBuilder::new(self.collection(space)).exact(true)).await);
            let counted = counted.map_err(|error| self.error(error))?;
            Ok(counted.and_then(|counted| counted.result).map_or(0, |result| result.count))
        })
    }

    fn put<'a>(&'a self, space: &'a Space, notes: Vec<Embedded>) -> Later<'a, ()> {
        Box::pin(async move { self.send(space, notes).await.map_err(|error| self.error(error)) })
    }

    fn nearest<'a>(
        &'a self,
        space: &'a Space,
        vector: &'a [f32],
        filter: &'a Filter,
        most: usize,
        search: Search,
    ) -> Later<'a, Vec<Hit>> {
        Box::pin(async move {
            if most == 0 {
                return Ok(Vec::new());
            }
            let again = QuantizationSearchParamsBuilder::default();
            let params = match search {
                Search::Auto => SearchParamsBuilder::default(),
                Search::Exact => SearchParamsBuilder::default().exact(true).quantization(again.ignore(true)),
                Search::Quantised => {
                    SearchParamsBuilder::default().quantization(again.rescore(true).oversampling(AGAIN))
                }
            };
            let mut query = QueryPointsBuilder::new(self.collection(space))
                .query(Query::new_nearest(vector.to_vec()))
                .params(params)
                .limit(most as u64)
                .with_payload(true);
            if *filter != Filter::All {
                query = query.filter(qdrant::Filter::must([condition(filter)]));
            }
            let answer = found(self.client.query(query).await).map_err(|error| self.error(error))?;
            let read = |point: &qdrant::ScoredPoint| {
                let Part { note, number, of, text, metadata } = Part::read(&point.payload)?;
                Some(Hit { note: Note { id: part_id(&note, number, of), text, metadata }, score: point.score })
            };
            let points = answer.map(|answer| answer.result).unwrap_or_default();
            let mut hits = points.iter().map(read).collect::<Option<Vec<Hit>>>().ok_or_else(|| self.damaged())?;
            hits.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.note.id.cmp(&b.note.id)));
            Ok(hits)
        })
    }

    fn take<'a>(&'a self, space: &'a Space, ids: &'a [String]) -> Later<'a, Vec<Note>> {
        Box::pin(async move {
            let mut notes = Vec::new();
            for id in ids {
                let Some(note) = self.one(space, id).await? else { continue };
                let filter = qdrant::Filter::must([keyword("note", &note.id)]);
                self.delete(&self.collection(space), filter).await.map_err(|error| self.error(error))?;
                notes.push(note);
            }
            Ok(notes)
        })
    }

    fn get<'a>(&'a self, space: &'a Space, id: &'a str) -> Later<'a, Option<Note>> {
        Box::pin(self.one(space, id))
    }

    fn notes<'a>(&'a self, space: &'a Space, after: &'a str, most: usize) -> Later<'a, Vec<Note>> {
        // The server has no order of texts: their first parts say which there are.
        Box::pin(async move {
            let first = Condition::range("number", Range { lte: Some(0.0), ..Range::default() });
            let points = self.scroll(&self.collection(space), qdrant::Filter::must([first])).await;
            let points = points.map_err(|error| self.error(error))?;
            let parts = points.iter().map(Part::read).collect::<Option<Vec<Part>>>().ok_or_else(|| self.damaged())?;
            let mut parts: Vec<Part> = parts.into_iter().filter(|part| part.note.as_str() > after).collect();
            parts.sort_by(|one, other| one.note.cmp(&other.note));
            parts.truncate(most);
            let mut notes = Vec::with_capacity(parts.len());
            for part in parts {
                match part.of {
                    1 => notes.push(Note { id: part.note, text: part.text, metadata: part.metadata }),
                    _ => notes.extend(self.one(space, &part.note).await?),
                }
            }
            Ok(notes)
        })
    }

    fn clear<'a>(&'a self, space: &'a Space) -> Later<'a, ()> {
        Box::pin(async move {
            let gone = found(self.client.delete_collection(self.collection(space)).await);
            gone.map_err(|error| self.error(error))?;
            let points: Vec<qdrant::PointId> = vec![Qdrant::id(space).into()];
            let delete = DeletePointsBuilder::new(self.register());
            let delete = delete.points(qdrant::PointsIdsList { ids: points }).wait(true);
            found(self.client.delete_points(delete).await).map_err(|error| self.error(error))?;
            Ok(())
        })
    }
}
