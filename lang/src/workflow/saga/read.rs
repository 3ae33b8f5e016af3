//! The keys of a saga, each read by itself, so that all that is wrong is told at once.

use super::policy;
use super::spec::{Compensation, Named, Saga, Step};
use crate::diagnostic::{Code, Diagnostic};
use crate::lower::nearest;
use crate::span::Span;
use crate::tables::{Tables, Value};
use rustc_hash::FxHashMap;
use serde::de::{DeserializeOwned, IntoDeserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The keys of the file itself, or of what stands below `spec`.
const KEYS: [&str; 14] = [
    "name",
    "version",
    "description",
    "workflow_id",
    "metadata",
    "steps",
    "initial_state",
    "policy",
    "global_compensation_steps",
    "max_execution_time_seconds",
    "enable_auto_rollback",
    "spec",
    "apiVersion",
    "kind",
];

/// The keys of `metadata` that nothing is done with.
const RECORDED: [&str; 17] = [
    "workflow_id",
    "transaction_id",
    "business_unit",
    "cost_center",
    "compliance_tags",
    "tags",
    "status",
    "created_at",
    "updated_at",
    "started_at",
    "completed_at",
    "audit_level",
    "retention_days",
    "triggered_by",
    "pack_id",
    "pack_name",
    "pack_version",
];

/// The most steps of a file, those within steps counted.
const MOST_STEPS: usize = 10_000;
/// Steps stand in steps so deep and no deeper.
const STEPS_DEEP: usize = 8;

/// Reads what a document says.
pub(super) struct Reader {
    pub tables: Tables,
    /// What is only recorded.
    pub warnings: Vec<Diagnostic>,
    saga: Saga,
    /// Where the name of each step stands.
    names: FxHashMap<String, Span>,
}

impl Reader {
    pub fn new() -> Reader {
        Reader {
            tables: Tables::new(Code::Saga, 0),
            warnings: Vec::new(),
            saga: Saga { rolls_back: true, environment: "dev".to_owned(), ..Saga::default() },
            names: FxHashMap::default(),
        }
    }

    /// The document; what is wrong with it stands in the tables.
    pub fn read(&mut self, document: Value) -> Saga {
        let span = document.span();
        let DeValue::Table(table) = document.into_inner() else {
            self.tables.wrong(span, "a saga is a table of keys, `name` and `steps` at least".to_owned());
            return Saga::default();
        };
        self.keys(table);
        if self.saga.name.is_empty() {
            self.saga.name = "saga".to_owned();
        }
        if self.saga.steps.is_empty() && self.tables.errors.is_empty() {
            self.tables.wrong(span, "the saga has no `steps`, and so nothing to do".to_owned());
        }
        std::mem::take(&mut self.saga)
    }

    fn keys(&mut self, table: DeTable) {
        for (key, value) in table {
            let at = self.tables.span(value.span());
            match key.get_ref().as_ref() {
                "spec" => match value.into_inner() {
                    DeValue::Table(inner) if !inner.contains_key("spec") => self.keys(inner),
                    _ => self.tables.wrong(key.span(), "`spec` is a table of keys".to_owned()),
                },
                "name" => {
                    self.saga.span = at;
                    self.saga.name = self.one("name", value).unwrap_or_default();
                }
                key @ ("version" | "description" | "workflow_id") => {
                    let said = plain(value.get_ref());
                    self.saga.about.extend(said.map(|said| format!("{key}: {said}")));
                }
                "metadata" => self.metadata(value),
                "steps" => self.saga.steps = self.steps("steps", value, 0),
                "initial_state" => self.saga.initial_state = self.one("initial_state", value).unwrap_or_default(),
                "policy" => self.saga.policy = policy::read(&mut self.tables, &mut self.warnings, value),
                "global_compensation_steps" => self.saga.last = self.last(value),
                "max_execution_time_seconds" => {
                    self.saga.limit_seconds = self.one("max_execution_time_seconds", value);
                }
                "enable_auto_rollback" => {
                    self.saga.rolls_back = self.one("enable_auto_rollback", value).unwrap_or(true);
                }
                "apiVersion" | "kind" => self.recorded(key.get_ref(), key.span()),
                other => self.tables.unknown(key.span(), "a saga", other, &KEYS),
            }
        }
    }

    /// One value that has its type or is told.
    fn one<T: DeserializeOwned>(&mut self, key: &str, value: Value) -> Option<T> {
        let span = value.span();
        match T::deserialize(value.into_deserializer()) {
            Ok(read) => Some(read),
            Err(error) => {
                self.tables.wrong(error.span().unwrap_or(span), format!("`{key}`: {}", error.message().trim()));
                None
            }
        }
    }

    fn metadata(&mut self, value: Value) {
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            return self.tables.wrong(span, "`metadata` is a table".to_owned());
        };
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "owner" => self.saga.owner = self.one("owner", value),
                "environment" => self.saga.environment = self.one("environment", value).unwrap_or_default(),
                name if RECORDED.contains(&name) => {
                    self.recorded(name, key.span());
                    self.saga.about.extend(plain(value.get_ref()).map(|said| format!("{name}: {said}")));
                }
                other => {
                    let known: Vec<&str> = ["owner", "environment"].into_iter().chain(RECORDED).collect();
                    self.tables.unknown(key.span(), "`metadata`", other, &known);
                }
            }
        }
    }

    fn recorded(&mut self, key: &str, at: std::ops::Range<usize>) {
        let span = self.tables.span(at);
        self.warnings.push(only_recorded(span, &format!("`{key}`")));
    }

    fn list<'v>(&mut self, of: &str, value: Value<'v>) -> Vec<Value<'v>> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(items) => items.into_iter().collect(),
            _ => {
                self.tables.wrong(span, format!("`{of}` is a list"));
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
                Some(read) if read.capability.is_none() && read.step_name.is_none() => {
                    self.tables.wrong(span, format!("{of} names no `capability`"));
                }
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
            self.tables.wrong(span, "this step has no `name`".to_owned());
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
        let step: Step = self.tables.table(&format!("step `{name}`"), Spanned::new(span, DeValue::Table(table)))?;
        Some(Named { name, span: at, step, steps })
    }

    /// A name that should be that of a step.
    pub fn unknown_step(&mut self, code: Code, name: &Spanned<String>, message: String) {
        let span = self.tables.span(name.span());
        let diagnostic = Diagnostic::new(code, span, message);
        let names = self.names.keys().map(String::as_str);
        self.tables.report(match nearest(name.get_ref(), names) {
            Some(near) => diagnostic.fix(format!("did you mean `{near}`?"), vec![(span, near)]),
            None => diagnostic,
        });
    }
}

/// What is only recorded.
pub(super) fn only_recorded(span: Span, what: &str) -> Diagnostic {
    Diagnostic::new(Code::OnlyRecorded, span, format!("{what} is recorded, not enforced"))
        .reason("nothing on this machine acts on it: it stands in the file that the run keeps")
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
