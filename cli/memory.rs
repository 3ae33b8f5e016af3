//! `memory`: what workers remember, for people: what there is, what it says, and how it is forgotten.

use crate::args::{Global, MemoryArgs, MemoryCommand};
use crate::config::Project;
use crate::fail::{Exit, Failure, coded};
use crate::out::one_line;
use aivm_host::memory::{Edge, Filter, Memory, MemoryError, Note, Place};
use aivm_schema::worker::Register;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// So much is read at once.
const PAGE: usize = 500;
/// So long a text is shown on a line.
const LINE: usize = 70;

/// `aivm memory …`.
pub fn memory(global: &Global, args: &MemoryArgs) -> Result<Exit, Failure> {
    // As whatever runs here would be kept and embedded; its secrets may be needed for that.
    crate::secret::ready()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("E0805", format!("no event loop: {error}")))?;
    let looking = Looking { memory: crate::config::memory::of(&Project::of_the_store()?)?, json: global.json };
    runtime.block_on(looking.command(&args.command))
}

struct Looking {
    memory: Memory,
    json: bool,
}

/// One memory, as definitions name it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Which {
    place: Place,
    collection: String,
}

impl Which {
    fn parse(text: &str) -> Result<Which, Failure> {
        let wrong = |reason: String| Failure::usage("E0997", reason).help("list them: aivm memory ls");
        match text.parse::<Register>().map_err(|error| wrong(error.to_string()))? {
            Register::Local(name) if name.is_empty() => {
                Err(wrong("`local` is of one worker: say whose, `local/WORKER`".to_owned()))
            }
            Register::Local(name) => Ok(Which { place: Place::Local(name), collection: String::new() }),
            Register::Global(collection) => Ok(Which { place: Place::Global, collection }),
        }
    }

    fn text(&self) -> String {
        match (&self.place, self.collection.as_str()) {
            (place, "") => place.to_string(),
            (place, collection) => format!("{place}/{collection}"),
        }
    }

    /// Relations are in no collection.
    fn has_relations(&self) -> bool {
        self.collection.is_empty()
    }
}

/// What is known of one memory.
#[derive(Default)]
struct Row {
    parts: u64,
    relations: u64,
    embedders: Vec<String>,
}

fn failed(error: MemoryError) -> Failure {
    coded(&error.to_string())
}

impl Looking {
    async fn command(&self, command: &MemoryCommand) -> Result<Exit, Failure> {
        match command {
            MemoryCommand::Ls => self.list().await,
            MemoryCommand::Show { memory, after, most } => self.show(&Which::parse(memory)?, after, *most).await,
            MemoryCommand::Query { query, memory, most, only } => {
                self.query(&Which::parse(memory)?, query, *most, only.as_deref()).await
            }
            MemoryCommand::Export { memory } => {
                let which = memory.as_deref().map(Which::parse).transpose()?;
                self.export(which).await
            }
            MemoryCommand::Forget { memory, ids, all, dry_run } => {
                let which = Which::parse(memory)?;
                self.forget(&which, if *all { None } else { Some(ids) }, *dry_run).await
            }
        }
    }

    async fn all(&self) -> Result<BTreeMap<Which, Row>, Failure> {
        let mut rows: BTreeMap<Which, Row> = BTreeMap::new();
        for (space, parts) in self.memory.spaces().await.map_err(failed)? {
            let row = rows.entry(Which { place: space.place, collection: space.collection }).or_default();
            row.parts += parts;
            row.embedders.push(format!("{} ({})", space.embedder, space.dimensions));
        }
        for (place, relations) in self.memory.graphs().await.map_err(failed)? {
            rows.entry(Which { place, collection: String::new() }).or_default().relations += relations;
        }
        rows.retain(|_, row| row.parts > 0 || row.relations > 0);
        Ok(rows)
    }

    async fn list(&self) -> Result<Exit, Failure> {
        let rows = self.all().await?;
        if self.json {
            let row = |(which, row): (Which, Row)| json!({"memory": which.text(), "parts": row.parts, "relations": row.relations, "embedders": row.embedders});
            println!("{}", json!({"v": 1, "memories": rows.into_iter().map(row).collect::<Vec<_>>()}));
            return Ok(Exit::SENT);
        }
        if rows.is_empty() {
            println!("nothing is remembered here");
            return Ok(Exit::SENT);
        }
        println!("{:<24}  {:>8}  {:>9}  embedder", "memory", "parts", "relations");
        for (which, Row { parts, relations, embedders }) in rows {
            let line = format!("{:<24}  {parts:>8}  {relations:>9}  {}", which.text(), embedders.join(", "));
            println!("{}", line.trim_end());
        }
        Ok(Exit::SENT)
    }

    /// Relations of a memory, those behind one.
    async fn relations(&self, which: &Which, after: Option<&Edge>, most: usize) -> Result<Vec<Edge>, Failure> {
        match which.has_relations() {
            true => self.memory.edges(&which.place, None, &Filter::All, after, most).await.map_err(failed),
            false => Ok(Vec::new()),
        }
    }

    async fn show(&self, which: &Which, after: &str, most: usize) -> Result<Exit, Failure> {
        let notes = self.memory.notes(&which.place, &which.collection, after, most).await.map_err(failed)?;
        let relations = self.relations(which, None, most).await?;
        if notes.is_empty() && relations.is_empty() && after.is_empty() {
            return Err(self.nothing(which));
        }
        if self.json {
            let notes: Vec<Value> = notes.into_iter().map(note_json).collect();
            let relations: Vec<Value> = relations.into_iter().map(edge_json).collect();
            println!("{}", json!({"v": 1, "memory": which.text(), "notes": notes, "relations": relations}));
            return Ok(Exit::SENT);
        }
        let more = notes.len() == most;
        let last = notes.last().map(|note| note.id.clone()).unwrap_or_default();
        for note in notes {
            println!("{}  {}", note.id, line(&note.text));
            if !note.metadata.is_empty() {
                println!("    {}", Value::Object(note.metadata));
            }
        }
        for Edge { from, relation, to, .. } in relations {
            println!("{}", one_line(&format!("{from} -[{relation}]-> {to}")));
        }
        if more {
            println!("there may be more: aivm memory show {} --after {last}", which.text());
        }
        Ok(Exit::SENT)
    }

    fn nothing(&self, which: &Which) -> Failure {
        Failure::failed("E0997", format!("nothing is remembered in `{}`", which.text()))
            .help("list all: aivm memory ls")
    }

    async fn query(&self, which: &Which, query: &str, most: usize, only: Option<&str>) -> Result<Exit, Failure> {
        let filter = match only {
            None => Filter::All,
            Some(text) => {
                let wrong = |reason: String| Failure::usage("E0997", format!("`--where` is no filter: {reason}"));
                let value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
                Filter::parse(&value).map_err(failed)?
            }
        };
        let hits = self.memory.recall(&which.place, &which.collection, query, &filter, most).await.map_err(failed)?;
        if self.json {
            let hit = |hit: aivm_host::memory::Hit| {
                let mut row = note_json(hit.note);
                if let Some(row) = row.as_object_mut() {
                    row.insert("score".to_owned(), json!(hit.score));
                }
                row
            };
            println!(
                "{}",
                json!({"v": 1, "memory": which.text(), "hits": hits.into_iter().map(hit).collect::<Vec<_>>()})
            );
            return Ok(Exit::SENT);
        }
        if hits.is_empty() {
            println!("nothing is found in `{}`", which.text());
        }
        for hit in hits {
            println!("{:>6.3}  {}  {}", hit.score, hit.note.id, line(&hit.note.text));
        }
        Ok(Exit::SENT)
    }

    /// Everything, a line of JSON each, whatever `--json` says.
    async fn export(&self, which: Option<Which>) -> Result<Exit, Failure> {
        let all = match which {
            Some(which) => vec![which],
            None => self.all().await?.into_keys().collect(),
        };
        for which in all {
            let memory = which.text();
            let mut after = String::new();
            loop {
                let notes = self.memory.notes(&which.place, &which.collection, &after, PAGE).await.map_err(failed)?;
                let Some(last) = notes.last() else { break };
                after.clone_from(&last.id);
                for note in notes {
                    println!("{}", json!({"v": 1, "memory": memory, "note": note_json(note)}));
                }
            }
            let mut after: Option<Edge> = None;
            loop {
                let edges = self.relations(&which, after.as_ref(), PAGE).await?;
                let Some(last) = edges.last() else { break };
                after = Some(last.clone());
                for edge in edges {
                    println!("{}", json!({"v": 1, "memory": memory, "relation": edge_json(edge)}));
                }
            }
        }
        Ok(Exit::SENT)
    }

    /// These notes; or everything that is there.
    async fn forget(&self, which: &Which, ids: Option<&Vec<String>>, dry_run: bool) -> Result<Exit, Failure> {
        let (place, collection) = (&which.place, which.collection.as_str());
        let (mut notes, mut relations) = (0u64, 0u64);
        match ids {
            Some(ids) => {
                for id in ids {
                    if self.memory.note(place, collection, id).await.map_err(failed)?.is_none() {
                        let failure = Failure::failed("E0997", format!("no note `{id}` is in `{}`", which.text()));
                        return Err(failure.help(format!("list them: aivm memory show {}", which.text())));
                    }
                }
                notes = ids.len() as u64;
                if !dry_run {
                    self.memory.forget(place, collection, ids).await.map_err(failed)?;
                }
            }
            None => {
                let mut after = String::new();
                loop {
                    let page = self.memory.notes(place, collection, &after, PAGE).await.map_err(failed)?;
                    let ids: Vec<String> = page.into_iter().map(|note| note.id).collect();
                    let Some(last) = ids.last() else { break };
                    after.clone_from(last);
                    notes += ids.len() as u64;
                    if !dry_run {
                        self.memory.forget(place, collection, &ids).await.map_err(failed)?;
                    }
                }
                let mut after: Option<Edge> = None;
                loop {
                    let page = self.relations(which, after.as_ref(), PAGE).await?;
                    let Some(last) = page.last() else { break };
                    after = Some(last.clone());
                    for edge in page {
                        relations += 1;
                        if !dry_run {
                            self.memory.unrelate(place, &edge).await.map_err(failed)?;
                        }
                    }
                }
                if notes == 0 && relations == 0 {
                    return Err(self.nothing(which));
                }
            }
        }
        if self.json {
            println!(
                "{}",
                json!({"v": 1, "memory": which.text(), "dry_run": dry_run, "notes": notes, "relations": relations})
            );
            return Ok(Exit::SENT);
        }
        let count = |n: u64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let verb = if dry_run { "would be forgotten" } else { "forgotten" };
        println!("{verb}, of {}: {}, {}", which.text(), count(notes, "note"), count(relations, "relation"));
        Ok(Exit::SENT)
    }
}

fn note_json(Note { id, text, metadata }: Note) -> Value {
    json!({"id": id, "text": text, "metadata": metadata})
}

fn edge_json(Edge { from, relation, to, metadata }: Edge) -> Value {
    json!({"from": from, "relation": relation, "to": to, "metadata": metadata})
}

/// A text on a line.
fn line(text: &str) -> String {
    let text = one_line(text);
    match text.char_indices().nth(LINE) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or("")),
        None => text,
    }
}
