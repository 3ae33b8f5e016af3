//! Front matter, while it is written: the names in it, and what may stand at a place of it. What its keys are is said by the types
//! that read it.

use super::Document;
use super::complete::{Completion, CompletionKind};
use super::names::{Name, Occurrence, Role};
use crate::front::{FrontMatter, Limits, StageSettings};
use crate::span::Span;
use crate::tables::{Value, keys};
use aivm_schema::param::Param;
use aivm_schema::worker::{BehaviourDefinition, WorkerDefinition};
use schemars::{JsonSchema, schema_for};
use toml::de::{DeTable, DeValue};

/// What a call does to the world, as `effect` says it.
const EFFECTS: [&str; 5] = ["pure", "read", "idempotent", "compensable", "irreversible"];

/// The keys whose value is the word of a worker.
const CALLS: [&str; 3] = ["undo", "probe", "chooser"];

impl Document {
    /// The names that the front matter gives and uses; none while it is no TOML.
    pub(super) fn names_of_front_matter(&self) -> Vec<Occurrence> {
        let matter = self.front_matter();
        let text = self.slice(matter);
        let mut found = Vec::new();
        if let Ok(table) = DeTable::parse(text) {
            for (group, value) in table.get_ref() {
                let Some(name) = named(group.get_ref()) else { continue };
                let DeValue::Table(entries) = value.get_ref() else { continue };
                for (key, value) in entries {
                    let role = if group.get_ref() == "stage" { Role::Used } else { Role::Given };
                    found.push((key.span(), name(key.get_ref().as_ref().to_owned()), role));
                    self.calls(value, &mut found);
                }
            }
            found.extend(headers(text));
        }
        let placed = found.into_iter().filter_map(|(range, name, role)| {
            // The quotes of a key or a value do not belong to the name.
            let quotes = text.get(range.clone())?.len().checked_sub(name.text().len())?;
            let start = matter.start + range.start as u32 + quotes as u32 / 2;
            let span = Span::new(start, start + name.text().len() as u32);
            (self.slice(span) == name.text()).then_some(Occurrence { span, name, role })
        });
        placed.collect()
    }

    /// The workers that the settings of a worker or of a stage name.
    fn calls(&self, settings: &Value, found: &mut Vec<(std::ops::Range<usize>, Name, Role)>) {
        let DeValue::Table(settings) = settings.get_ref() else { return };
        for (key, value) in settings {
            if !CALLS.contains(&key.get_ref().as_ref()) {
                continue;
            }
            if let DeValue::String(word) = value.get_ref() {
                found.push((value.span(), Name::Worker(word.as_ref().to_owned()), Role::Used));
            }
        }
    }

    /// Is this place in the front matter?
    pub(super) fn is_front_matter(&self, at: u32) -> bool {
        let matter = self.front_matter();
        matter.start > 0 && matter.start <= at && at <= matter.end
    }

    /// What may stand at a place of the front matter.
    pub(super) fn complete_front_matter(&self, at: u32) -> Vec<Completion> {
        let matter = self.front_matter();
        let before = self.slice(Span::new(matter.start, at));
        let line = before.rsplit('\n').next().unwrap_or("");
        let start = at - line.len() as u32;
        if let Some(path) = line.trim_start().strip_prefix('[') {
            return self.headers(path, Span::new(at - path.len() as u32, at));
        }
        let table = table_of(before);
        match line.split_once('=') {
            Some((key, value)) => self.values(key.trim(), value, at),
            None => {
                let indent = line.len() - line.trim_start().len();
                self.keys(&table, Span::new(start + indent as u32, at))
            }
        }
    }

    /// `[worker.…`, and what is called and not defined yet.
    fn headers(&self, path: &str, replace: Span) -> Vec<Completion> {
        let one = |header: String| Completion::new(CompletionKind::Key, header, replace);
        let called = self.names.occurrences.iter().filter(|one| matches!(one.role, Role::Called(_)));
        let open = called.map(|one| one.name.text()).filter(|word| {
            let defined = self.names.functions.iter().any(|function| function.name == *word);
            !defined && !self.front.worker.contains_key(*word)
        });
        let mut all: Vec<Completion> = open.map(|word| one(format!("worker.{word}"))).collect();
        let labels = self.names.occurrences.iter().filter(|one| one.role == Role::Given);
        all.extend(labels.filter_map(|label| match &label.name {
            Name::Label(label) => Some(one(format!("stage.{label}"))),
            _ => None,
        }));
        all.extend(["worker.", "behaviour.", "stage.", "param.", "limits"].map(|group| one(group.to_owned())));
        all.retain(|one| one.label.starts_with(path));
        all.dedup_by(|a, b| a.label == b.label);
        all
    }

    fn keys(&self, table: &str, replace: Span) -> Vec<Completion> {
        let (keys, schema) = match table.split('.').next().unwrap_or("") {
            "" => (keys::<FrontMatter>(), schema::<FrontMatter>()),
            "worker" => (keys::<WorkerDefinition>(), schema::<WorkerDefinition>()),
            "behaviour" => (keys::<BehaviourDefinition>(), schema::<BehaviourDefinition>()),
            "stage" => (keys::<StageSettings>(), schema::<StageSettings>()),
            "param" => (keys::<Param>(), schema::<Param>()),
            "limits" => (keys::<Limits>(), schema::<Limits>()),
            _ => return Vec::new(),
        };
        let one = |key: &&str| {
            let about = schema.pointer(&format!("/properties/{key}/description")).and_then(|about| about.as_str());
            Completion {
                detail: about.unwrap_or_default().to_owned(),
                insert: format!("{key} = "),
                ..Completion::new(CompletionKind::Key, (*key).to_owned(), replace)
            }
        };
        keys.iter().map(one).collect()
    }

    fn values(&self, key: &str, value: &str, at: u32) -> Vec<Completion> {
        let typed = value.trim_start();
        let replace = Span::new(at - typed.len() as u32, at);
        let one = |kind: CompletionKind, word: &str| Completion {
            insert: format!("\"{word}\""),
            ..Completion::new(kind, word.to_owned(), replace)
        };
        match key {
            "effect" => EFFECTS.iter().map(|effect| one(CompletionKind::Value, effect)).collect(),
            key if CALLS.contains(&key) => {
                self.front.worker.keys().map(|word| one(CompletionKind::Worker, word)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// What the tables of a group of the front matter name.
fn named(group: &str) -> Option<fn(String) -> Name> {
    match group {
        "worker" => Some(Name::Worker),
        "behaviour" => Some(Name::Behaviour),
        "stage" => Some(Name::Label),
        _ => None,
    }
}

/// The names in `[worker.NAME.…]`: a table within a table gives its name once more, and only the text has it.
fn headers(text: &str) -> Vec<(std::ops::Range<usize>, Name, Role)> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let header = line.trim().trim_start_matches('[');
        let mut parts = header.split(['.', ']']);
        if let (true, Some(group), Some(name)) = (line.trim().starts_with('['), parts.next(), parts.next())
            && let Some(named) = named(group)
            && let Some(at) = line.find('[').map(|at| at + 1 + group.len() + 1)
            && line.get(at..).is_some_and(|rest| rest.starts_with(name))
        {
            found.push((start + at..start + at + name.len(), named(name.to_owned()), Role::Used));
        }
        start += line.len();
    }
    found
}

/// The table that the end of a text of TOML stands in; empty before the first.
fn table_of(before: &str) -> String {
    let above = before.lines().rev().skip(usize::from(!before.ends_with('\n')));
    let header = above.map(str::trim).find(|line| line.starts_with('['));
    header.map(|line| line.trim_matches(['[', ']']).to_owned()).unwrap_or_default()
}

/// What is said of the keys of a type.
fn schema<T: JsonSchema>() -> serde_json::Value {
    schema_for!(T).to_value()
}
