//! Changes to what is remembered that can be taken back exactly. Before anything is changed, a record says what was there and what
//! will be; it is durable first. A call that is repeated finds its record, and changes the same again: that is nothing new.

use super::super::files;
use super::super::input::Call;
use super::super::undo::{Shelf, UNDO};
use super::super::{Failure, Output};
use super::read::{At, Members, OWN, access, asked, at, needed, text};
use super::{Access, media};
use crate::memory::{Edge, Note, Place};
use crate::secret;
use aivm_schema::artifact::{INTEGRITY, UNTRUSTED};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The version of what stands in a record.
const FORMAT: u32 = 1;
/// The most notes or relations that one call changes.
const MOST: usize = 1_000;
/// How the name of a record ends; those of calls that change files have no ending.
const ENDING: &str = ".memory";

/// What a call changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    format: u32,
    /// The call's place.
    key: String,
    changes: Vec<Change>,
    /// Everything has been taken back.
    restored: bool,
}

/// One change: what is there afterwards, and what was there before; nothing stands for nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Change {
    what: What,
    before: Option<Thing>,
    after: Option<Thing>,
}

/// What is known by a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Note {
        place: Place,
        collection: String,
        id: String,
    },
    /// Of an edge its ends and its relation.
    Edge {
        place: Place,
        edge: Edge,
    },
}

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Thing {
    Note(Note),
    Edge(Edge),
}

impl What {
    fn text(&self) -> String {
        match self {
            What::Note { id, .. } => id.clone(),
            What::Edge { edge: Edge { from, relation, to, .. }, .. } => format!("{from} {relation} {to}"),
        }
    }

    /// What is there now.
    fn now(&self, access: &Access<'_>) -> Result<Option<Thing>, Failure> {
        let Access { memory, runtime, .. } = access;
        Ok(match self {
            What::Note { place, collection, id } => {
                runtime.block_on(memory.note(place, collection, id))?.map(Thing::Note)
            }
            What::Edge { place, edge } => runtime.block_on(memory.edge(place, edge))?.map(Thing::Edge),
        })
    }

    /// Lets this be there, or nothing.
    fn set(&self, access: &Access<'_>, thing: Option<&Thing>) -> Result<(), Failure> {
        let Access { memory, runtime, .. } = access;
        match (self, thing) {
            (What::Note { place, collection, .. }, Some(Thing::Note(note))) => {
                runtime.block_on(memory.remember(place, collection, note.clone()))?;
            }
            (What::Note { place, collection, id }, _) => {
                runtime.block_on(memory.forget(place, collection, std::slice::from_ref(id)))?;
            }
            (What::Edge { place, .. }, Some(Thing::Edge(edge))) => {
                runtime.block_on(memory.relate(place, edge.clone()))?;
            }
            (What::Edge { place, edge }, _) => {
                runtime.block_on(memory.unrelate(place, edge))?;
            }
        }
        Ok(())
    }
}

impl Change {
    fn new(what: What, after: Option<Thing>) -> Change {
        Change { what, before: None, after }
    }

    /// Is the same asked for?
    fn asks(&self, other: &Change) -> bool {
        self.what == other.what && self.after == other.after
    }
}

/// Makes all of these changes, and says what was there before. Whoever repeats it makes the same.
fn perform(call: &Call<'_>, access: &Access<'_>, mut changes: Vec<Change>) -> Result<Vec<Change>, Failure> {
    let key = call.context.key.to_string();
    let shelf = Shelf::make(call.context.kept, &key)?;
    match shelf.read_as::<Record>(ENDING)?.filter(|record| !record.restored) {
        Some(record) => {
            let same = record.changes.len() == changes.len()
                && record.changes.iter().zip(&changes).all(|(known, change)| known.asks(change));
            if record.format != FORMAT || !same {
                return Err(shelf.damaged(format!("is of another call at {key}")));
            }
            changes = record.changes;
        }
        None => {
            for change in &mut changes {
                change.before = change.what.now(access)?;
            }
            let record = Record { format: FORMAT, key, changes: changes.clone(), restored: false };
            shelf.write_as(ENDING, &record)?;
        }
    }
    for change in changes.iter().filter(|change| change.before != change.after) {
        call.stop()?;
        change.what.set(access, change.after.as_ref())?;
    }
    Ok(changes)
}

pub fn restore(call: &Call<'_>) -> Result<Output, Failure> {
    let (access, key) = (access(call)?, call.context.key.to_string());
    // An undoer may be a definition, and what it calls has a longer key.
    let Some((key, _)) = key.rsplit_once(UNDO) else {
        return Err(Failure::NotKept(format!(
            "`restore-memory` takes back what another step did: write it behind that step, `step ~ restore-memory`; {key} undoes nothing"
        )));
    };
    let none =
        || Failure::NotKept(format!("nothing was kept for {key}: only what changes memory by itself is restored"));
    let shelf = Shelf::find(call.context.kept, key)?.ok_or_else(none)?;
    let record = shelf.read_as::<Record>(ENDING)?.ok_or_else(none)?;
    if record.format != FORMAT {
        return Err(shelf.damaged(format!("has format {}, and this program reads {FORMAT}", record.format)));
    }
    if !record.restored {
        take_back(&access, &record.changes)?;
        shelf.write_as(ENDING, &Record { restored: true, ..record })?;
    }
    Ok(Output::same())
}

/// Takes everything back, or touches nothing and says why.
fn take_back(access: &Access<'_>, changes: &[Change]) -> Result<(), Failure> {
    let mut open = Vec::new();
    for change in changes {
        let now = change.what.now(access)?;
        if now == change.before {
            continue;
        }
        if now != change.after {
            let reason = "what is remembered there now is not what the step left".to_owned();
            return Err(Failure::Changed { path: change.what.text(), reason });
        }
        open.push(change);
    }
    open.into_iter().rev().try_for_each(|change| change.what.set(access, change.before.as_ref()))
}

/// What a call is asked to change, one or several; a text is the member that matters most.
fn all(call: &Call<'_>, first: &str) -> Result<Vec<Members>, Failure> {
    let list = match media::is_json(call.input.media_type) {
        true => match call.json()? {
            Value::Array(list) => list,
            _ => return asked(call, first).map(|one| vec![one]),
        },
        false => return asked(call, first).map(|one| vec![one]),
    };
    if list.len() > MOST {
        return Err(Failure::Limit { what: "changing so much at once".to_owned(), limit: format!("{MOST} entries") });
    }
    let members = |value| match value {
        Value::Object(members) => Ok(members),
        Value::String(text) => Ok(Members::from_iter([(first.to_owned(), json!(text))])),
        _ => Err(Failure::Unreadable("an entry of the input is neither a JSON object nor a text".to_owned())),
    };
    list.into_iter().map(members).collect()
}

/// What is known of it: by the input and the settings, and what the machine notes. Secrets go no further than this.
fn metadata(call: &Call<'_>, access: &Access<'_>, members: &Members) -> Result<Members, Failure> {
    let mut metadata = match members.get("metadata") {
        None | Some(Value::Null) => Members::new(),
        Some(Value::Object(metadata)) => metadata.clone(),
        Some(_) => return Err(Failure::Unreadable("`metadata` is no JSON object".to_owned())),
    };
    if call.with.knows("metadata") {
        metadata.extend(call.with.table("metadata").cloned().unwrap_or_default());
    }
    // What was recalled is no word of the machine.
    metadata.retain(|key, _| !key.starts_with(OWN));
    let own = [("run", access.run), ("step", &call.context.key.to_string()), ("worker", access.worker)];
    metadata.extend(own.map(|(key, value)| (format!("{OWN}{key}"), json!(value))));
    if call.input.attributes.iter().any(|(key, value)| key == INTEGRITY && value == UNTRUSTED) {
        metadata.insert(INTEGRITY.to_owned(), json!(UNTRUSTED));
    }
    let text = Value::Object(metadata).to_string();
    match serde_json::from_str(&secret::text(&text)) {
        Ok(Value::Object(metadata)) => Ok(metadata),
        _ => Err(Failure::Unreadable("`metadata` is no JSON object without the secrets in it".to_owned())),
    }
}

fn note_of(at: At, id: String) -> What {
    What::Note { place: at.place, collection: at.collection, id }
}

fn clean(text: &str) -> String {
    secret::text(text).into_owned()
}

pub fn remember(call: &Call<'_>) -> Result<Output, Failure> {
    let (all, access, set) = (all(call, "text")?, access(call)?, call.with.maybe("id"));
    let (mut changes, mut ids) = (Vec::with_capacity(all.len()), Vec::with_capacity(all.len()));
    for (nth, members) in all.iter().enumerate() {
        let at = at(call, &access, members)?;
        let id = match (set, text(members, "id")?.filter(|id| !id.trim().is_empty())) {
            (Some(_), _) => files::fill(&call.with, "id", &|name| match name {
                "input" => Ok(needed(members, "text")?.trim().to_owned()),
                name => files::outside(call, name),
            })?,
            (None, Some(id)) => id.to_owned(),
            (None, None) if all.len() == 1 => access.id.to_owned(),
            (None, None) => format!("{}-{}", access.id, nth + 1),
        };
        let id = clean(&id);
        let note =
            Note { id: id.clone(), text: clean(needed(members, "text")?), metadata: metadata(call, &access, members)? };
        if ids.contains(&id) {
            return Err(Failure::Unreadable(format!("two entries of the input have the id `{id}`")));
        }
        changes.push(Change::new(note_of(at, id.clone()), Some(Thing::Note(note))));
        ids.push(id);
    }
    perform(call, &access, changes)?;
    Ok(match ids.as_slice() {
        [id] => Output::same().with("note", id),
        ids => Output::same().with("remembered", ids.len()),
    })
}

fn edge(call: &Call<'_>, members: &Members) -> Result<Edge, Failure> {
    let set = if call.with.knows("relation") { call.with.maybe("relation") } else { None };
    let relation = match (text(members, "relation")?, set) {
        (None, Some(relation)) => relation,
        _ => needed(members, "relation")?,
    };
    let [from, relation, to] =
        [needed(members, "from")?, relation, needed(members, "to")?].map(|end| clean(end.trim()));
    Ok(Edge { from, relation, to, metadata: Members::new() })
}

pub fn relate(call: &Call<'_>) -> Result<Output, Failure> {
    let (all, access) = (all(call, "from")?, access(call)?);
    let mut changes: Vec<Change> = Vec::new();
    for members in all {
        let at = at(call, &access, &members)?;
        let edge = Edge { metadata: metadata(call, &access, &members)?, ..edge(call, &members)? };
        let plain = Edge { metadata: Members::new(), ..edge.clone() };
        let change = Change::new(What::Edge { place: at.place, edge: plain }, Some(Thing::Edge(edge)));
        if changes.iter().all(|known| known.what != change.what) {
            changes.push(change);
        }
    }
    let related = perform(call, &access, changes)?.len();
    Ok(Output::same().with("related", related))
}

pub fn forget(call: &Call<'_>) -> Result<Output, Failure> {
    let mut changes: Vec<Change> = Vec::new();
    let all = match media::is_json(call.input.media_type) {
        false => {
            let ids = call.text()?.lines().map(str::trim).filter(|id| !id.is_empty());
            ids.map(|id| Members::from_iter([("id".to_owned(), json!(id))])).collect()
        }
        true => all(call, "id")?,
    };
    let access = access(call)?;
    for members in all {
        let is_edge = members.contains_key("relation");
        let at = at(call, &access, &members)?;
        let change = match is_edge {
            true if at.register.is_collection() => {
                return Err(Failure::Unreadable(format!("relations are in no collection, as `{}` is", at.register)));
            }
            true => Change::new(What::Edge { place: at.place, edge: edge(call, &members)? }, None),
            false => Change::new(note_of(at, needed(&members, "id")?.to_owned()), None),
        };
        if changes.iter().all(|known| known.what != change.what) {
            changes.push(change);
        }
    }
    let forgotten = perform(call, &access, changes)?.iter().filter(|change| change.before.is_some()).count();
    Ok(Output::same().with("forgotten", forgotten))
}
