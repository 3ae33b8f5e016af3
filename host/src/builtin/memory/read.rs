//! What was remembered: by meaning, and by what is related. Nothing is changed.

use super::super::input::Call;
use super::super::{Failure, Output};
use super::{Access, Register, media, register, use_of, which};
use crate::memory::{Edge, Filter, Hit, MemoryError, Place};
use aivm_schema::artifact::{INTEGRITY, UNTRUSTED};
use serde_json::{Map, Value, json};

/// The most that one call gives.
const MOST: usize = 1_000;
/// The longest way.
const MOST_HOPS: usize = 16;
/// What the machine notes of a note: nobody else writes it, and nobody is told it but `aivm memory`.
pub(super) const OWN: &str = "aivm.";

/// What is asked for: the members of an object.
pub(super) type Members = Map<String, Value>;

/// Where a call looks or writes.
pub(super) struct At {
    pub register: Register,
    pub place: Place,
    /// The collection of notes.
    pub collection: String,
}

impl From<MemoryError> for Failure {
    fn from(error: MemoryError) -> Failure {
        let (code, text) = (error.code(), error.to_string());
        Failure::Memory { code, reason: text.strip_prefix(&format!("{code}: ")).unwrap_or(&text).to_owned() }
    }
}

pub(super) fn access<'c>(call: &Call<'c>) -> Result<Access<'c>, Failure> {
    call.context.memory.ok_or_else(|| Failure::Memory {
        code: "E0996",
        reason: "there is no memory here: what runs leave nothing of has none".to_owned(),
    })
}

/// What a call is asked for; a text is the member that matters most.
pub(super) fn asked(call: &Call<'_>, first: &str) -> Result<Members, Failure> {
    if !media::is_json(call.input.media_type) {
        return Ok(Members::from_iter([(first.to_owned(), json!(call.text()?.trim()))]));
    }
    match call.json()? {
        Value::Object(members) => Ok(members),
        Value::String(text) => Ok(Members::from_iter([(first.to_owned(), json!(text))])),
        _ => Err(Failure::Unreadable("the input is no JSON object".to_owned())),
    }
}

pub(super) fn text<'m>(members: &'m Members, name: &str) -> Result<Option<&'m str>, Failure> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Failure::Unreadable(format!("`{name}` is not a text"))),
    }
}

/// A text that has to be there and to say something.
pub(super) fn needed<'m>(members: &'m Members, name: &str) -> Result<&'m str, Failure> {
    match text(members, name)? {
        None => Err(Failure::Unreadable(format!("the input has no `{name}`"))),
        Some(text) if text.trim().is_empty() => Err(Failure::Unreadable(format!("`{name}` is empty"))),
        Some(text) => Ok(text),
    }
}

/// A number of the input, else of the settings.
fn count(call: &Call<'_>, members: &Members, name: &'static str, most: usize) -> Result<usize, Failure> {
    let count = match members.get(name) {
        None | Some(Value::Null) => call.with.count(name),
        Some(value) => match value.as_u64().and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0) {
            Some(count) => count,
            None => return Err(Failure::Unreadable(format!("`{name}` is not a whole number from 1 on"))),
        },
    };
    Ok(count.min(most))
}

/// Where the call may look or write, and is asked to.
pub(super) fn at(call: &Call<'_>, access: &Access<'_>, members: &Members) -> Result<At, Failure> {
    let builtin = call.with.builtin();
    let does = use_of(builtin).ok_or_else(|| Failure::unknown_builtin(builtin))?;
    let asked = text(members, "memory")?.map(str::parse).transpose();
    let asked = asked.map_err(|error| Failure::Unreadable(format!("`memory`: {error}")))?;
    let register = register(builtin, does, access.granted, which(&call.with)?, asked)?;
    let (place, collection) = match &register {
        Register::Local(name) if name.is_empty() => (Place::Local(access.worker.to_owned()), String::new()),
        Register::Local(name) => (Place::Local(name.clone()), String::new()),
        Register::Global(collection) => (Place::Global, collection.clone()),
    };
    Ok(At { register, place, collection })
}

/// A filter as settings and inputs write it.
pub(super) fn filter(value: &Value) -> Result<Filter, String> {
    Filter::parse(value).map_err(|error| {
        let text = error.to_string();
        text.strip_prefix("E0989: ").unwrap_or(&text).to_owned()
    })
}

/// What is found, as JSON. Shared memory is anybody's, and nobody's word is taken for it; nor for what came from there.
fn found(at: &At, all: Vec<Value>, metadata: &[Members]) -> Output {
    let verdict = if all.is_empty() { "not-found" } else { "found" };
    let output = Output::new(media::JSON, Value::Array(all).to_string()).with("memory", &at.register);
    let from_there = |known: &Members| known.get(INTEGRITY).is_some_and(|value| value == UNTRUSTED);
    let untrusted = at.place == Place::Global || metadata.iter().any(from_there);
    let output = if untrusted { output.with(INTEGRITY, UNTRUSTED) } else { output };
    Output { verdict: Some(verdict.to_owned()), ..output }
}

/// Relations, as JSON.
fn related(at: &At, edges: Vec<Edge>) -> Output {
    let metadata: Vec<Members> = edges.iter().map(|edge| edge.metadata.clone()).collect();
    found(at, edges.into_iter().map(edge).collect(), &metadata)
}

/// What the machine noted of it is left out.
fn told(metadata: Members) -> Members {
    metadata.into_iter().filter(|(key, _)| !key.starts_with(OWN)).collect()
}

pub fn recall(call: &Call<'_>) -> Result<Output, Failure> {
    // Who is set to look for one thing may be called with anything.
    let members = match call.with.maybe("query") {
        Some(query) => Members::from_iter([("query".to_owned(), json!(query))]),
        None => asked(call, "query")?,
    };
    let access = access(call)?;
    let at = at(call, &access, &members)?;
    let query = needed(&members, "query")?;
    let most = count(call, &members, "most", MOST)?;
    let wanted = [call.with.value("where"), members.get("where")].into_iter().flatten();
    let wanted = Filter::And(wanted.map(|value| filter(value).map_err(Failure::Unreadable)).collect::<Result<_, _>>()?);
    let memory = access.memory.recall(&at.place, &at.collection, query, &wanted, most);
    let hits = access.runtime.block_on(memory)?;
    let near = |hit: &Hit| call.with.number("score").is_none_or(|least| f64::from(hit.score) >= least);
    let hits: Vec<Hit> = hits.into_iter().filter(near).collect();
    let metadata: Vec<Members> = hits.iter().map(|hit| hit.note.metadata.clone()).collect();
    let told = |hit: Hit| {
        let score = (f64::from(hit.score) * 1e3).round() / 1e3;
        json!({ "text": hit.note.text, "score": score, "id": hit.note.id, "metadata": told(hit.note.metadata) })
    };
    Ok(found(&at, hits.into_iter().map(told).collect(), &metadata))
}

fn edge(edge: Edge) -> Value {
    let mut told_of = json!({ "from": edge.from, "relation": edge.relation, "to": edge.to });
    let metadata = told(edge.metadata);
    if let (Some(members), false) = (told_of.as_object_mut(), metadata.is_empty()) {
        members.insert("metadata".to_owned(), Value::Object(metadata));
    }
    told_of
}

pub fn neighbours(call: &Call<'_>) -> Result<Output, Failure> {
    let (members, access) = (asked(call, "node")?, access(call)?);
    let at = at(call, &access, &members)?;
    let node = needed(&members, "node")?;
    let relation = text(&members, "relation")?.or(call.with.maybe("relation"));
    let (hops, most) = (count(call, &members, "hops", MOST_HOPS)?, count(call, &members, "most", MOST)?);
    let edges = access.memory.neighbours(&at.place, node, relation, hops as u32, most);
    Ok(related(&at, access.runtime.block_on(edges)?))
}

pub fn path(call: &Call<'_>) -> Result<Output, Failure> {
    // A text is the end that the settings do not name.
    let first = if call.with.maybe("from").is_some() { "to" } else { "from" };
    let (mut members, access) = (asked(call, first)?, access(call)?);
    for end in ["from", "to"] {
        if let (Some(set), None) = (call.with.maybe(end), members.get(end)) {
            members.insert(end.to_owned(), json!(set));
        }
    }
    let at = at(call, &access, &members)?;
    let hops = count(call, &members, "hops", MOST_HOPS)?;
    let way = access.memory.path(&at.place, needed(&members, "from")?, needed(&members, "to")?, hops as u32);
    let way = access.runtime.block_on(way)?;
    let verdict = if way.is_some() { "found" } else { "not-found" };
    let output = related(&at, way.unwrap_or_default());
    Ok(Output { verdict: Some(verdict.to_owned()), ..output })
}
