//! The keys of a saga, each read by itself, so that all that is wrong is told at once.

use super::policy;
use super::spec::{Compensation, File, Kind, Metadata, Named, Saga, Step};
use crate::diagnostic::{Code, Diagnostic};
use crate::lower::nearest;
use crate::span::Span;
use crate::tables::{Placed, Places, Tables, Value, described, keys};
use crate::workflow::page::only_recorded;
use rustc_hash::FxHashMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The keys of `metadata` with which something is done.
const COUNTED: [&str; 2] = ["owner", "environment"];

/// The most steps of a file, those within steps counted.
const MOST_STEPS: usize = 10_000;
/// Steps stand in steps so deep and no deeper.
const STEPS_DEEP: usize = 8;

/// Reads what a document says.
pub(super) struct Reader {
    pub tables: Tables,
    /// What is only recorded.
    pub warnings: Vec<Diagnostic>,
    /// As far as it is read.
    saga: Saga,
    /// Where the name of each step stands.
    names: FxHashMap<String, Span>,
    /// A step has a name that could not be read, which was told: whatever is not found may be that.
    hides_names: bool,
}

impl Reader {
    pub fn new() -> Reader {
        Reader {
            tables: Tables::new(Code::Saga, 0),
            warnings: Vec::new(),
            saga: Saga::default(),
            names: FxHashMap::default(),
            hides_names: false,
        }
    }

    /// The document; what is wrong with it stands in the tables.
    pub fn read(&mut self, document: Value) -> Saga {
        let span = document.span();
        let DeValue::Table(table) = document.into_inner() else {
            self.tables.wrong(span, "a saga is a table of keys, `name` and `steps` at least".to_owned());
            return Saga::default();
        };
        let mut table = self.with_spec(table);
        for key in ["description", "version", "workflow_id"] {
            let said = table.get(key).and_then(|said| plain(said.get_ref()));
            self.saga.about.extend(said.map(|said| format!("{key}: {said}")));
        }
        for key in ["apiVersion", "kind"] {
            let written = table.get_key_value(key).map(|(key, _)| key.span());
            written.into_iter().for_each(|at| self.recorded(key, at));
        }
        // What holds tables of its own is read before them, so that each that is wrong is told by itself.
        let mut inner = |key: &str| table.remove(key);
        let (metadata, steps, last, policy) =
            (inner("metadata"), inner("steps"), inner("global_compensation_steps"), inner("policy"));
        let metadata = metadata.map(|metadata| self.metadata(metadata)).unwrap_or_default();
        self.saga.steps = steps.map(|steps| self.steps("steps", steps, 0)).unwrap_or_default();
        self.saga.last = last.map(|last| self.last(last)).unwrap_or_default();
        self.saga.policy = policy.and_then(|policy| policy::read(&mut self.tables, &mut self.warnings, policy));
        let whole = Spanned::new(span.clone(), DeValue::Table(table));
        let file: File = self.tables.table("a saga", whole).unwrap_or_default();
        if self.saga.steps.is_empty() && self.tables.errors.is_empty() {
            self.tables.wrong(span, "the saga has no `steps`, and so nothing to do".to_owned());
        }
        let at = file.name.as_ref().map(|name| self.tables.span(name.span()));
        let name = file.name.map(Placed::into_inner).filter(|name| !name.is_empty());
        Saga {
            name: name.unwrap_or_else(|| "saga".to_owned()),
            span: at.unwrap_or_default(),
            owner: metadata.owner,
            environment: metadata.environment.unwrap_or_else(|| "dev".to_owned()),
            initial_state: file.initial_state,
            limit_seconds: file.max_execution_time_seconds,
            rolls_back: file.enable_auto_rollback.unwrap_or(true),
            ..std::mem::take(&mut self.saga)
        }
    }

    /// What stands below `spec` counts as if it stood in the file itself.
    fn with_spec<'v>(&mut self, mut table: DeTable<'v>) -> DeTable<'v> {
        let Some((key, spec)) = table.remove_entry("spec") else { return table };
        match spec.into_inner() {
            DeValue::Table(inner) if !inner.contains_key("spec") => {
                for (key, value) in inner {
                    if table.contains_key(&key) {
                        let message = format!("`{}` stands in the file, and below `spec` once more", key.get_ref());
                        self.tables.wrong(key.span(), message);
                    }
                    table.insert(key, value);
                }
            }
            _ => self.tables.wrong(key.span(), "`spec` takes a table of keys, and no `spec` once more".to_owned()),
        }
        table
    }

    fn metadata(&mut self, value: Value) -> Metadata {
        if let DeValue::Table(table) = value.get_ref() {
            let known = keys::<Metadata>();
            let is_recorded = |key: &str| known.contains(&key) && !COUNTED.contains(&key);
            for (key, value) in table.iter().filter(|(key, _)| is_recorded(key.get_ref())) {
                self.recorded(key.get_ref(), key.span());
                self.saga.about.extend(plain(value.get_ref()).map(|said| format!("{}: {said}", key.get_ref())));
            }
        }
        self.tables.table("`metadata`", value).unwrap_or_default()
    }

    fn recorded(&mut self, key: &str, at: std::ops::Range<usize>) {
        let span = self.tables.span(at);
        self.warnings.push(only_recorded(span, &format!("`{key}`")));
    }

    fn list<'v>(&mut self, of: &str, value: Value<'v>) -> Vec<Value<'v>> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(items) => items.into_iter().collect(),
            other => {
                self.hides_names |= of == "steps";
                self.tables.wrong(span, format!("`{of}` takes a list, not {}", described(&other)));
                Vec::new()
            }
        }
    }

    fn last(&mut self, value: Value) -> Vec<Compensation> {
        let of = "a step of `global_compensation_steps`";
        let items = self.list("global_compensation_steps", value);
        let mut last = Vec::new();
        for item in items {
            let span = item.span();
            let read = self.tables.table::<Compensation>(of, item);
            match read {
                Some(read) if !read.names_something() => self.tables.wrong(span, format!("{of} names no `capability`")),
                read => last.extend(read),
            }
        }
        last
    }

    fn steps(&mut self, of: &str, value: Value, deep: usize) -> Vec<Named> {
        let span = value.span();
        let items = self.list(of, value);
        if deep > STEPS_DEEP || self.names.len() + items.len() > MOST_STEPS {
            let message =
                format!("a saga has at most {MOST_STEPS} steps, and steps stand in steps at most {STEPS_DEEP} deep");
            self.tables.wrong(span, message);
            return Vec::new();
        }
        items.into_iter().filter_map(|item| self.step(item, deep)).collect()
    }

    fn step(&mut self, value: Value, deep: usize) -> Option<Named> {
        let span = value.span();
        let DeValue::Table(mut table) = value.into_inner() else {
            self.tables.wrong(span, "a step is a table with a `name`".to_owned());
            return None;
        };
        let named = table.get("name").and_then(|name| Some((name.get_ref().as_str()?.to_owned(), name.span())));
        let Some((name, at)) = named.filter(|(name, _)| !name.trim().is_empty()) else {
            self.hides_names = true;
            // What is written otherwise, or is no text, is told as such; what stands in the step is wrong or right by itself.
            let known = keys::<Step>();
            let is_meant =
                |key: &str| key == "name" || !known.contains(&key) && nearest(key, ["name"].into_iter()).is_some();
            if !table.keys().any(|key| is_meant(key.get_ref())) {
                self.tables.wrong(span.clone(), "this step has no `name`".to_owned());
            }
            table.remove("steps").into_iter().for_each(|steps| _ = self.steps("steps", steps, deep + 1));
            self.tables.table::<Step>("a step", Spanned::new(span, DeValue::Table(table)));
            return None;
        };
        let steps = table.remove("steps").map(|steps| self.steps("steps", steps, deep + 1)).unwrap_or_default();
        let at = self.tables.span(at);
        if let Some(first) = self.names.insert(name.clone(), at) {
            let message = format!("two steps are called `{name}`");
            let twice = Diagnostic::new(Code::StepTwice, at.max(first), message).label(at.min(first), "first here");
            self.tables
                .report(twice.help("give one of them another name: outputs and dependencies are told apart by it"));
        }
        let (table, before) = (Spanned::new(span, DeValue::Table(table)), self.tables.errors.len());
        let places = Places::of(&table);
        let step: Step = self.tables.table(&format!("step `{name}`"), table)?;
        let wrong = match &step {
            Step { step_type: Kind::Compensation, .. } if deep > 0 => {
                Some("step_type").zip(Some("a step of type COMPENSATION stands in the list of the file: move it there"))
            }
            Step { compensation: Some(undo), .. } if !undo.names_something() => {
                Some("compensation").zip(Some("`compensation` names no `capability`, and no step by `step_name`"))
            }
            _ => None,
        };
        if let Some((range, why)) = wrong.and_then(|(key, why)| Some((places.key(key)?, why))) {
            // What could not be read in it is told already.
            if self.tables.errors.len() == before {
                self.tables.wrong(range, format!("step `{name}`: {why}"));
            }
        }
        Some(Named { name, span: at, is_broken: self.tables.errors.len() > before, places, step, steps })
    }

    /// Is some step called so, wherever it stands?
    pub fn is_a_step(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// A name that should be that of a step.
    pub fn unknown_step(&mut self, code: Code, name: &Placed<String>, message: String) {
        if self.hides_names {
            return;
        }
        let span = self.tables.span(name.span());
        let diagnostic = Diagnostic::new(code, span, message);
        let names = self.names.keys().map(String::as_str);
        self.tables.report(match nearest(name.get_ref(), names) {
            Some(near) => diagnostic.fix(format!("did you mean `{near}`?"), vec![(span, near)]),
            None => diagnostic,
        });
    }
}

/// A value on one line.
fn plain(value: &DeValue) -> Option<String> {
    let text = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Array(items) => items.iter().filter_map(|item| plain(item.get_ref())).collect::<Vec<_>>().join(", "),
        _ => return None,
    };
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}
