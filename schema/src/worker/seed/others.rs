//! What else is in a bundle: data sources, which workers are shown; and pools, queues and items of work, which are read and checked,
//! and not used yet.

use super::{Entry, Seeded, Wrong};
use crate::worker::Source;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The lists of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    DataSource,
    Pool,
    Queue,
    Item,
}

impl Kind {
    /// By the key of its list.
    pub fn of(key: &str) -> Option<Kind> {
        match key {
            "global_data_sources" => Some(Kind::DataSource),
            "ai_worker_pool_definitions" => Some(Kind::Pool),
            "work_queue_definitions" => Some(Kind::Queue),
            "work_item_definitions" => Some(Kind::Item),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Kind::DataSource => "data source",
            Kind::Pool => "pool",
            Kind::Queue => "queue",
            Kind::Item => "item of work",
        }
    }
}

/// What was found, by name.
#[derive(Debug, Default)]
pub struct Others {
    names: BTreeMap<Kind, BTreeSet<String>>,
    /// Whom each pool calls.
    pools: Vec<(String, String)>,
    /// From which pools each queue takes.
    queues: Vec<(String, Vec<String>)>,
    twice: Vec<String>,
    /// Folders, by name.
    pub sources: BTreeMap<String, Source>,
}

impl Others {
    /// Checks a list; what is wrong with it.
    pub fn take(&mut self, kind: Kind, list: &str, entries: Vec<Value>) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        for (nth, value) in entries.into_iter().enumerate() {
            let name = value.get("name").and_then(Value::as_str).map(str::to_owned);
            if let Err(reason) = Entry::new(value).and_then(|entry| self.check(kind, entry)) {
                wrong.push(Wrong { at: format!("{list}[{nth}]"), name, reason });
            }
        }
        wrong
    }

    fn check(&mut self, kind: Kind, mut entry: Entry) -> Result<(), String> {
        let name = entry.name("name")?;
        match kind {
            Kind::DataSource => {
                if let Some(source) = data_source(&mut entry)? {
                    if self.sources.insert(name.clone(), source).is_some() {
                        self.twice.push(format!("`{name}`: a later data source has the same name and stands for it"));
                    }
                    return Ok(());
                }
            }
            Kind::Pool => {
                let worker = entry.name("target_ai_worker_definition_name")?;
                let least = entry.whole("min_idle_instances")?.unwrap_or(0);
                let most = entry.whole("max_total_instances")?.filter(|most| *most > 0);
                if most.is_some_and(|most| least > most) {
                    return Err("`min_idle_instances` is more than `max_total_instances`".to_owned());
                }
                entry.object("instance_retirement_policy")?;
                self.pools.push((name.clone(), worker));
            }
            Kind::Queue => {
                self.queues.push((name.clone(), entry.texts("associated_pool_names")?));
                entry.object("retry_policy")?;
                entry.flag("persist_tasks")?;
            }
            Kind::Item => {
                entry.object("default_target_worker_criteria")?;
                entry.object("default_payload_schema")?;
            }
        }
        for key in ["data_source_refs", "default_data_source_refs"] {
            entry.texts(key)?;
        }
        if !self.names.entry(kind).or_default().insert(name.clone()) {
            self.twice.push(format!("`{name}`: a later {} has the same name and stands for it", kind.word()));
        }
        Ok(())
    }

    /// What was read and is not used, and which names lead nowhere. A supervisor may well be elsewhere, and is not looked for.
    pub fn notes(self, sources: &BTreeMap<String, Source>, workers: &[Seeded]) -> Vec<String> {
        let mut notes = self.twice;
        for (kind, names) in &self.names {
            let plural = match (kind, names.len()) {
                (Kind::Item, 2..) => "items of work".to_owned(),
                (kind, 2..) => format!("{}s", kind.word()),
                (kind, _) => kind.word().to_owned(),
            };
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            notes.push(format!("not used yet: {} {plural} ({})", names.len(), names.join(", ")));
        }
        for worker in workers {
            for name in worker.definition.sources.iter().filter(|name| !sources.contains_key(*name)) {
                notes.push(format!("`{}` is shown the data source `{name}`, which is not here", worker.name));
            }
        }
        for (pool, worker) in self.pools {
            if !workers.iter().any(|known| known.name == worker) {
                notes.push(format!("the pool `{pool}` is of `{worker}`, which is not here"));
            }
        }
        for (queue, pools) in self.queues {
            for pool in pools {
                if !self.names.get(&Kind::Pool).is_some_and(|known| known.contains(&pool)) {
                    notes.push(format!("the queue `{queue}` is worked off by the pool `{pool}`, which is not here"));
                }
            }
        }
        notes
    }
}

/// A folder; none: it is a source of another sort, which is not used.
fn data_source(entry: &mut Entry) -> Result<Option<Source>, String> {
    let path = match entry.name("type")?.as_str() {
        "local_directory" => Some(entry.name("local_path")?),
        "file_api" => {
            entry.text("file_api_path")?;
            None
        }
        other => return Err(format!("`type` is local_directory or file_api, not `{other}`")),
    };
    let (filters, about) = (entry.texts("filters")?, entry.text("description")?.unwrap_or_default());
    // Which folders outside may be read, only who runs this program says.
    let allow_external = entry.flag("allow_external_read_access")?;
    let (read_only, recursive) = (entry.flag("read_only")?, entry.flag("recursive")?);
    let Some(path) = path else { return Ok(None) };
    let source = Source { about, path, filters, recursive, read_only, allow_external };
    source.wrong().map_or(Ok(Some(source)), Err)
}
