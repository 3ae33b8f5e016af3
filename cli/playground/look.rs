//! What is said of a program while it is written. Places are counted as JavaScript counts them: in units of UTF-16.

use super::FILE;
use super::shelf::{SHELF, is_pure};
use crate::{check, mocked};
use aivm_host::{facts, stdlib};
use aivm_lang::cost;
use aivm_lang::diagnostic::Diagnostic;
use aivm_lang::draw::{self, Path, Theme};
use aivm_lang::service::{Document, MarkKind};
use aivm_lang::span::Span;
use aivm_lang::workflow::{self, Format};
use aivm_schema::module::{Module, disassemble};
use aivm_schema::worker::WorkerDefinition;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// So many completions are shown.
const MOST_OPTIONS: usize = 100;

/// A program, as it stands in the editor.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "{\"program\": TEXT}")]
pub struct Text {
    program: String,
}

/// Errors, warnings and hints, and which words are nobody's; of a program without errors also its worst case, its workers and its bytecode,
/// and of a workflow of TOML or YAML the arrows that it became.
pub fn look(Text { program }: Text) -> Value {
    let document = Document::new(FILE, program, &SHELF);
    let (units, format) = (Units::of(&document), document.format_of_text());
    let mut diagnostics: Vec<Value> = document.diagnostics().iter().map(|one| units.diagnostic(one)).collect();
    diagnostics.extend(strangers(&document));
    let hints = document.hints();
    let hints = hints.iter().map(|hint| json!({"at": units.at(hint.at), "text": hint.text, "about": hint.about}));
    let mut told = json!({"format": format.word(), "diagnostics": diagnostics, "hints": hints.collect::<Vec<_>>()});
    let (Some(compiled), Some(members)) = (document.compiled(), told.as_object_mut()) else { return told };
    let arrows = (format != Format::Aivm).then(|| workflow::page(format, FILE, document.text(), &SHELF));
    let worst = cost::worst_case(&compiled.flow);
    members.extend([
        ("arrows".to_owned(), json!(arrows.and_then(Result::ok).map(|page| page.text))),
        ("cost".to_owned(), json!({"summary": cost::summary_text(&worst.total), "table": check::cost_text(&worst)})),
        ("workers".to_owned(), workers(&compiled.module).into()),
        ("params".to_owned(), params(&compiled.module).into()),
        ("bytecode".to_owned(), disassemble(&compiled.module).into()),
    ]);
    told
}

/// A place in a program, in units of UTF-16.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "{\"program\": TEXT, \"at\": PLACE}")]
pub struct At {
    program: String,
    #[serde(deserialize_with = "place")]
    at: usize,
}

fn place<'de, D: Deserializer<'de>>(told: D) -> Result<usize, D::Error> {
    let told = Value::deserialize(told)?;
    let at = told.as_u64().map(|at| usize::try_from(at).unwrap_or(usize::MAX));
    at.ok_or_else(|| serde::de::Error::custom(format!("`at` is a whole number, 0 or more, and not {told}")))
}

/// What may stand at a place, best first.
pub fn complete(At { program, at }: At) -> Value {
    let document = Document::new(FILE, program, &SHELF);
    let units = Units::of(&document);
    let byte = units.byte(at);
    let all = document.complete(byte, &SHELF);
    let from = all.first().map_or(byte, |first| first.replace.start);
    let options = all.iter().filter(|one| one.replace.start == from).take(MOST_OPTIONS).map(|one| {
        let info = document.explain(one, &SHELF);
        json!({"label": one.label, "kind": one.kind, "detail": one.detail, "insert": one.insert, "info": info})
    });
    json!({"from": units.at(from), "options": options.collect::<Vec<_>>()})
}

/// What is known of what stands at a place; null: nothing.
pub fn hover(At { program, at }: At) -> Value {
    let document = Document::new(FILE, program, &SHELF);
    let units = Units::of(&document);
    let known = document.hover(units.byte(at), &SHELF);
    let told = known.map(
        |known| json!({"from": units.at(known.span.start), "to": units.at(known.span.end), "markdown": known.text}),
    );
    told.unwrap_or_default()
}

/// What a program asks of whoever runs it.
fn params(module: &Module) -> Vec<Value> {
    let all = module.params.iter().filter_map(|param| {
        let declared: Value = serde_json::from_str(&param.definition).ok()?;
        Some(json!({"name": param.name, "declared": declared}))
    });
    all.collect()
}

/// Whom a program calls, and what each answers here.
fn workers(module: &Module) -> Vec<Value> {
    let all = module.workers.iter().filter_map(|worker| {
        let definition = WorkerDefinition::from_json(&worker.definition).ok()?;
        let effect = facts::effect(&definition);
        let mock = (!is_pure(&definition)).then(|| definition.mock.clone().unwrap_or_default());
        Some(json!({"name": worker.name, "effect": effect, "mock": mock}))
    });
    all.collect()
}

/// A name that nobody knows is a worker to come, or a slip of the pen: the second is told by itself, with what it could mean, and all
/// of the first in one line.
fn strangers(document: &Document) -> Vec<Value> {
    let Some(compiled) = document.compiled() else { return Vec::new() };
    let (units, marks) = (Units::of(document), document.marks());
    let mut new: Vec<(&str, Vec<Span>)> = Vec::new();
    for worker in &compiled.module.workers {
        let is_new =
            WorkerDefinition::from_json(&worker.definition).is_ok_and(|definition| mocked::is_nobody(&definition));
        let called = marks.iter().filter(|mark| mark.kind == MarkKind::Worker).filter_map(|mark| {
            let rest = document.text().get(mark.span.start as usize..)?;
            rest.starts_with(&worker.name)
                .then(|| Span::new(mark.span.start, mark.span.start + worker.name.len() as u32))
        });
        let called: Vec<Span> = called.collect();
        if is_new && !called.is_empty() {
            new.push((&worker.name, called));
        }
    }
    let told = |names: &[&str], at: Span, help: Option<&str>, fixes: Vec<Value>| {
        let (last, before) = names.split_last()?;
        let message = match before {
            [] => format!("`{last}` is mocked: nothing is called so"),
            _ => format!("`{}` and `{last}` are mocked: nothing is called so", before.join("`, `")),
        };
        let Value::Object(mut line) = units.span(at) else { return None };
        let members = json!({"severity": "info", "message": message, "help": help, "fixes": fixes});
        line.extend(members.as_object().cloned().unwrap_or_default());
        Some(Value::Object(line))
    };
    let mut lines = Vec::new();
    new.retain(|(name, called)| {
        let Some(near) = aivm_lang::nearest(name, stdlib::names()) else { return true };
        let edits = called.iter().map(|at| json!({"start": units.at(at.start), "end": units.at(at.end), "text": near}));
        let fix = json!({"title": format!("did you mean `{near}`?"), "edits": edits.collect::<Vec<_>>()});
        lines.extend(called.first().and_then(|at| told(&[name], *at, None, vec![fix])));
        false
    });
    let names: Vec<&str> = new.iter().map(|(name, _)| *name).collect();
    let first = new.iter().filter_map(|(_, called)| called.first().copied()).min();
    let help = Some("under Mocks stands what each answers");
    lines.extend(first.and_then(|at| told(&names, at, help, Vec::new())));
    lines
}

/// A program, and how far a run of it has come.
#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "{\"program\": TEXT, \"dark\": FLAG, \"calls\": [[KEY, OUTCOME]], \"status\": TEXT, \"now\": KEY}"
)]
pub struct Drawn {
    program: String,
    #[serde(default)]
    dark: bool,
    /// Those that have ended; none: the program alone is drawn.
    calls: Option<Vec<Call>>,
    /// How the run ended; none: it goes on.
    status: Option<String>,
    /// The key of the call that is marked.
    now: Option<String>,
}

/// The key of a call, and the outcome that followed.
#[derive(Debug, Deserialize)]
#[serde(expecting = "[KEY, OUTCOME]")]
struct Call(String, String);

/// The flow graph, with the way that a run took through it; nothing of a program with errors.
pub fn graph(Drawn { program, dark, calls, status, now }: Drawn) -> Value {
    let Ok(compiled) = aivm_lang::compile(FILE, &program, &SHELF) else { return json!({"svg": null}) };
    let path = calls.map(|calls| {
        let calls = calls.iter().map(|Call(key, outcome)| (key.as_str(), outcome.as_str()));
        let mut path = Path::of(&compiled.flow, "", calls);
        path.ended = status;
        if let Some(now) = now {
            path.stand_at(&compiled.flow, &now);
        }
        path
    });
    let theme = if dark { Theme::Dark } else { Theme::Light };
    json!({"svg": draw::svg(&compiled.flow, path.as_ref(), theme)})
}

/// A program in the one layout; one with errors, or of another format, as it is.
pub fn format(Text { program }: Text) -> Value {
    let document = Document::new(FILE, program, &SHELF);
    json!({"program": document.formatted().unwrap_or_else(|| document.text().to_owned())})
}

/// How far each byte of a text is from its beginning, in units of UTF-16, and back.
struct Units<'t> {
    text: &'t str,
}

impl Units<'_> {
    fn of(document: &Document) -> Units<'_> {
        Units { text: document.text() }
    }

    fn at(&self, byte: u32) -> usize {
        let byte = self.text.floor_char_boundary(byte as usize);
        self.text.get(..byte).unwrap_or_default().encode_utf16().count()
    }

    fn byte(&self, at: usize) -> u32 {
        let mut units = 0;
        let is_there = |(_, c): &(usize, char)| {
            units += c.len_utf16();
            units > at
        };
        self.text.char_indices().find(is_there).map_or(self.text.len(), |(byte, _)| byte) as u32
    }

    fn span(&self, span: Span) -> Value {
        json!({"start": self.at(span.start), "end": self.at(span.end)})
    }

    fn diagnostic(&self, told: &Diagnostic) -> Value {
        let fix = told.fix.as_ref().map(|fix| {
            let edits = fix
                .edits
                .iter()
                .map(|(span, text)| json!({"start": self.at(span.start), "end": self.at(span.end), "text": text}));
            json!({"title": fix.title, "edits": edits.collect::<Vec<_>>()})
        });
        let labels = told.labels.iter().map(|label| json!({"at": self.span(label.span), "text": label.text}));
        json!({
            "code": told.code,
            "severity": told.severity(),
            "message": told.message,
            "here": told.primary.text,
            "start": self.at(told.primary.span.start),
            "end": self.at(told.primary.span.end),
            "labels": labels.collect::<Vec<_>>(),
            "reason": told.reason,
            "help": told.help,
            "fixes": fix.into_iter().collect::<Vec<_>>(),
        })
    }
}
