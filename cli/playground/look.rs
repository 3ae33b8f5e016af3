//! What is said of a program while it is written. Places are counted as JavaScript counts them: in units of UTF-16.

use super::FILE;
use super::shelf::{SHELF, is_pure};
use crate::{check, mocked};
use aivm_host::{facts, stdlib};
use aivm_lang::cost;
use aivm_lang::diagnostic::Diagnostic;
use aivm_lang::draw::{self, Path, Theme};
use aivm_lang::service::Document;
use aivm_lang::span::Span;
use aivm_lang::workflow::{self, Format};
use aivm_schema::module::{Module, disassemble};
use aivm_schema::worker::WorkerDefinition;
use serde::Deserialize;
use serde_json::{Value, json};

/// So many completions are shown.
const MOST_OPTIONS: usize = 100;

/// A program, as it stands in the editor.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    program: String,
}

/// Errors, warnings and hints; of a program without errors also its worst case, its workers and its bytecode, and of a workflow of
/// TOML or YAML the arrows that it became.
pub fn look(Text { program }: Text) -> Value {
    let document = Document::new(FILE, program, &SHELF);
    let (units, format) = (Units::of(&document), document.format_of_text());
    let diagnostics: Vec<Value> = document.diagnostics().iter().map(|one| units.diagnostic(one)).collect();
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
#[serde(deny_unknown_fields)]
pub struct At {
    program: String,
    at: usize,
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
        // A name that nobody knows is a worker to come, or a slip of the pen.
        let near = mocked::is_nobody(&definition).then(|| aivm_lang::nearest(&worker.name, stdlib::names())).flatten();
        Some(json!({"name": worker.name, "effect": effect, "mock": mock, "near": near}))
    });
    all.collect()
}

/// A program, and how far a run of it has come.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drawn {
    program: String,
    #[serde(default)]
    dark: bool,
    /// The key of each call that has ended, and the outcome that followed; none: the program alone is drawn.
    calls: Option<Vec<(String, String)>>,
    /// How the run ended; none: it goes on.
    status: Option<String>,
}

/// The flow graph, with the way that a run took through it; nothing of a program with errors.
pub fn graph(Drawn { program, dark, calls, status }: Drawn) -> Value {
    let Ok(compiled) = aivm_lang::compile(FILE, &program, &SHELF) else { return json!({"svg": null}) };
    let path = calls.map(|calls| {
        let calls = calls.iter().map(|(key, outcome)| (key.as_str(), outcome.as_str()));
        let mut path = Path::of(&compiled.flow, "", calls);
        path.ended = status;
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
