//! What the suites share: fences of Markdown pages, and a run of a program in memory, told in lines.
#![allow(dead_code, missing_docs)]

use aivm_host::builtin;
use aivm_host::driver::{self, Ending, Options};
use aivm_host::mint::Mint;
use aivm_host::store::Memory;
use aivm_host::trace::Nobody;
use aivm_host::work::Surroundings;
use aivm_host::{parts, stdlib};
use aivm_lang::diagnostic::Severity;
use aivm_lang::library::{Found, Library, LibraryError};
use aivm_schema::artifact::{self, Artifact, Draft};
use aivm_schema::module::{EndKind, RunLimits};
use aivm_schema::worker::{Does, Settings, WorkerDefinition};
use aivm_vm::run::Why;
use aivm_vm::verify::verify;
use std::fmt::Write;
use std::rc::Rc;
use std::sync::Arc;

/// A fenced block of a page.
pub struct Fence {
    pub kind: String,
    pub text: String,
    /// With its fence lines.
    pub whole: String,
    pub line: usize,
}

impl Fence {
    /// The same fence around another text.
    pub fn with(&self, text: &str) -> String {
        format!("```{}\n{}\n```\n", self.kind, text.trim_end())
    }
}

/// The fences of a page, in order.
pub fn fences(page: &str) -> Vec<Fence> {
    let mut fences = Vec::new();
    let mut open: Option<Fence> = None;
    for (at, line) in page.split_inclusive('\n').enumerate() {
        match &mut open {
            None => {
                if let Some(kind) = line.trim_end().strip_prefix("```") {
                    open = Some(Fence {
                        kind: kind.to_owned(),
                        text: String::new(),
                        whole: line.to_owned(),
                        line: at + 1,
                    });
                }
            }
            Some(fence) => {
                fence.whole.push_str(line);
                if line.trim_end() == "```" {
                    fences.extend(open.take());
                } else {
                    fence.text.push_str(line);
                }
            }
        }
    }
    fences
}

/// The standard library, and for every other word a mock that succeeds without a word.
pub struct Words;

impl Library for Words {
    fn find(&self, _file: &str, name: &str) -> Result<Option<Found>, LibraryError> {
        // Words of one letter, and those of the reference's examples, are mocks.
        let known = stdlib::page(name).and_then(|page| WorkerDefinition::from_markdown(page).ok());
        let builtin = known.filter(|worker| matches!(worker.does, Does::Builtin(_)));
        if name.starts_with("no-such") {
            return Ok(None);
        }
        Ok(Some(Found::Worker(Box::new(builtin.unwrap_or_else(|| WorkerDefinition::new(Does::Mock))))))
    }

    fn names(&self, _file: &str) -> Vec<String> {
        stdlib::names().map(str::to_owned).collect()
    }

    fn check(&self, definition: &WorkerDefinition) -> Result<(), String> {
        match &definition.does {
            Does::Builtin(name) => builtin::check(name, &definition.with).map_err(|failure| failure.to_string()),
            _ => Ok(()),
        }
    }

    fn absolute_paths<'i>(&self, definition: &WorkerDefinition, inputs: &'i Settings) -> Vec<(&'i str, &'i str)> {
        match &definition.does {
            Does::Builtin(name) => builtin::absolute_paths(name, inputs),
            _ => Vec::new(),
        }
    }

    fn undoer(&self, definition: &WorkerDefinition) -> Option<(String, WorkerDefinition)> {
        stdlib::undoer(definition)
    }
}

/// A line that says how a program is run.
pub fn is_directive(line: &str) -> bool {
    let first = line.split(' ').next().unwrap_or("");
    line == "mock" || ["in", "max-calls", "max-cost", "timeout"].contains(&first) && !line.contains('→')
}

/// Codes and messages: of errors, or of warnings.
pub fn diagnostics(program: &str, errors: bool) -> String {
    of_severity(program, if errors { Severity::Error } else { Severity::Warning })
}

/// Codes and messages of this sort.
pub fn of_severity(program: &str, wanted: Severity) -> String {
    let found = match aivm_lang::compile("page.aivm", program, &Words) {
        Ok(compiled) if wanted == Severity::Hint => compiled.hints,
        Ok(compiled) => compiled.warnings,
        Err(errors) => errors,
    };
    let mut out = String::new();
    for diagnostic in found.iter().filter(|diagnostic| diagnostic.severity() == wanted) {
        let line = program.get(..diagnostic.primary.span.start as usize).unwrap_or("").matches('\n').count() + 1;
        let _ = writeln!(out, "{} line {line}: {}", diagnostic.code, diagnostic.message);
    }
    if out.is_empty() { "none\n".into() } else { out }
}

/// The flow graph.
pub fn flow(program: &str) -> String {
    match aivm_lang::compile("page.aivm", program, &Words) {
        Ok(compiled) => compiled.flow.to_text(),
        Err(errors) => format!("{errors:?}"),
    }
}

/// What happens when a program is run in memory.
pub fn run(program: &str, directives: &[&str]) -> String {
    let compiled = match aivm_lang::compile("page.aivm", program, &Words) {
        Ok(compiled) => compiled,
        Err(_) => return diagnostics(program, true),
    };
    let own = compiled.module.limits;
    let module = verify(compiled.module).expect("what the compiler emits is verified");
    let value = |name: &str| directives.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let mint = Arc::new(Mint::system().expect("randomness"));
    let draft = Draft {
        media_type: if value("in").is_some_and(|text| text.starts_with('[')) {
            "application/json"
        } else {
            "text/plain"
        }
        .into(),
        origin: "user".into(),
        role: "input".into(),
        scope: "run".into(),
        payload: value("in").unwrap_or("in").as_bytes().to_vec(),
        ..Draft::default()
    };
    let input = mint.seal(draft).expect("an input");
    let limits = RunLimits {
        calls: value("max-calls").map(|n| n.parse().expect("a number")).or(own.calls),
        money: value("max-cost").map(|n| n.parse::<aivm_schema::unit::Money>().expect("money").0).or(own.money),
        tokens: own.tokens,
    };
    let options = Options {
        around: Surroundings {
            run: "spec".into(),
            workspace: std::env::temp_dir(),
            kept: aivm_host::kept::Kept::temporary(),
            params: Default::default(),
            mock: directives.contains(&"mock"),
            outside: Default::default(),
        },
        limits,
        timeout_ms: value("timeout").map(|time| time.parse::<aivm_schema::unit::Milliseconds>().expect("a time").0),
        trace: true,
        started: None,
        webhook: None,
        reuse: None,
        process: Rc::new(aivm_host::process::SystemProcess),
    };
    let store = Rc::new(Memory::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let report = runtime
        .block_on(driver::run(module, input, options, store.clone(), mint.clone(), &mut Nobody))
        .expect("the run");
    let mut out = String::new();
    for step in &report.steps {
        let attempt = if step.attempt > 1 { format!(" (attempt {})", step.attempt) } else { String::new() };
        let passed =
            if step.passed_over.is_empty() { String::new() } else { format!(", not {}", step.passed_over.join(", ")) };
        let _ = writeln!(out, "{}{attempt} → {}{passed}", step.key, step.outcome);
    }
    match report.ending {
        Ending::Parked(Why::Limit(limit), _) => {
            let _ = writeln!(out, "parked: {limit:?}");
        }
        Ending::Parked(why, _) => {
            let _ = writeln!(out, "parked: {why:?}");
        }
        Ending::Held => out.push_str("held\n"),
        Ending::Ended(end) => {
            for key in &end.not_undone {
                let _ = writeln!(out, "not undone: {key}");
            }
            let _ = match end.result {
                Ok((output, _)) => writeln!(out, "sent: {}", show(&output, &store)),
                Err((EndKind::Cancel, _)) => writeln!(out, "cancelled"),
                Err((kind, error)) => {
                    let word = if kind == EndKind::Timeout { "timeout" } else { "failed" };
                    let error = error.map(|error| format!(": {} {}", error.code, error.message)).unwrap_or_default();
                    let kind = if kind == EndKind::Exhausted { " (exhausted)" } else { "" };
                    writeln!(out, "{word}{kind}{error}")
                }
            };
        }
    }
    out
}

fn show(value: &Artifact, store: &Memory) -> String {
    if value.media_type() == artifact::parts::MEDIA_TYPE {
        let parts = parts::named(value, store).unwrap_or_default();
        let parts: Vec<String> = parts
            .iter()
            .map(|(name, verdict, value)| {
                let verdict = if verdict.is_empty() { String::new() } else { format!(" said {verdict}") };
                format!("{name} = {}{verdict}", show(value, store))
            })
            .collect();
        return format!("[{}]", parts.join(", "));
    }
    let error = value.attribute("error").map(|error| format!(" (with the error {error})")).unwrap_or_default();
    format!("{}{error}", String::from_utf8_lossy(value.payload()).trim_end())
}
