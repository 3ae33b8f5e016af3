//! `check`, `fmt`, `cost`: what can be said of a program without running it.

use crate::args::{CheckArgs, FileArgs, FmtArgs, Global, To, Written};
use crate::fail::{Exit, Failure, Source, show_diagnostics};
use crate::library::Files;
use crate::{compile, load, module, project};
use aivm_lang::cost::{self, Cost, NoBound, WorstCase, count_text, money_text, summary_text, time_text, tokens_text};
use aivm_lang::diagnostic::{Diagnostic, Severity};
use aivm_lang::workflow::{self, Format};
use serde_json::{Value, json};
use std::path::Path;

/// `aivm check FILE…`.
pub fn check(global: &Global, args: &CheckArgs) -> Result<Exit, Failure> {
    let mut exit = Exit::SENT;
    let mut reports = Vec::new();
    for file in &args.files {
        let checked = check_one(file, &args.written);
        let wrong = checked.as_ref().map_or(0, |(_, diagnostics, _)| warnings(diagnostics));
        let refused = args.strict && wrong > 0;
        if refused {
            exit = Exit::USAGE;
        }
        match (checked, global.json) {
            (Ok((source, diagnostics, _)), false) if refused => {
                show_diagnostics(&source, &diagnostics);
                let plural = if wrong == 1 { "" } else { "s" };
                eprintln!("{wrong} warning{plural} in {}, and --strict takes them for errors", source.names());
            }
            (Ok((source, warnings, worst)), false) => {
                show_diagnostics(&source, &warnings);
                println!("{}: ok, {}", source.names(), summary_text(&worst.total));
                print!("{}", reasons(&worst));
            }
            (Ok((source, warnings, worst)), true) => {
                let diagnostics = source.told_in_json(&warnings);
                reports.push(json!({"file": source.name, "diagnostics": diagnostics, "worst": worst}));
            }
            (Err(Failure::Program { source, diagnostics }), true) => {
                reports.push(
                    json!({"file": source.name, "diagnostics": source.told_in_json(&diagnostics), "worst": null}),
                );
                exit = Exit::USAGE;
            }
            (Err(failure), true) => {
                reports.push(
                    json!({"file": load::shown(file), "diagnostics": [], "worst": null, "error": failure.message()}),
                );
                exit = Exit::USAGE;
            }
            (Err(failure), false) => exit = failure.show(false),
        }
    }
    if global.json {
        println!("{}", json!({"v": 1, "files": reports}));
    }
    Ok(exit)
}

fn warnings(diagnostics: &[Diagnostic]) -> usize {
    diagnostics.iter().filter(|diagnostic| diagnostic.severity() == Severity::Warning).count()
}

fn check_one(file: &str, written: &Written) -> Result<(Source, Vec<Diagnostic>, WorstCase), Failure> {
    let source = project::read_source(file, written)?;
    let compiled = module::compile(&source)?;
    module::verified(file, compiled.module)?;
    let worst = cost::worst_case(&compiled.flow);
    let mut diagnostics = compiled.warnings;
    diagnostics.extend(compiled.hints);
    Ok((source, diagnostics, worst))
}

/// Why something has no bound: the first few of all steps that are to blame.
fn reasons(worst: &WorstCase) -> String {
    const SHOWN: usize = 5;
    let mut out = String::new();
    for NoBound { key, reason, help } in worst.unbounded.iter().take(SHOWN) {
        out.push_str(&format!("  no bound: `{key}` {reason}; {help}\n"));
    }
    let more = worst.unbounded.len().saturating_sub(SHOWN);
    if more > 0 {
        out.push_str(&format!("  no bound: {more} more\n"));
    }
    out
}

/// `aivm cost FILE`.
pub fn cost(global: &Global, args: &FileArgs) -> Result<Exit, Failure> {
    let source = project::read_source(&args.file, &args.written)?;
    let compiled = module::compile_aloud(&source, global.json)?;
    let worst = cost::worst_case(&compiled.flow);
    if global.json {
        let mut object = json!({"v": 1, "file": source.name});
        if let (Some(object), Ok(Value::Object(worst))) = (object.as_object_mut(), serde_json::to_value(&worst)) {
            object.extend(worst);
        }
        println!("{object}");
        return Ok(Exit::SENT);
    }
    print!("{}", cost_text(&worst));
    Ok(Exit::SENT)
}

/// The worst case as a table, with what has no bound and why.
pub fn cost_text(worst: &WorstCase) -> String {
    let rows: Vec<[String; 5]> = worst
        .steps
        .iter()
        .map(|step| row(step.key.clone(), &step.cost))
        .chain([row("in all".into(), &worst.total)])
        .collect();
    let mut text = table(["at most", "calls", "time", "money", "tokens"].map(str::to_owned), &rows);
    text.push_str(&reasons(worst));
    if !worst.adds_up() {
        text.push_str(
            "  `in all` is less than its rows together: not all of them can run in one run, or a limit holds\n",
        );
    }
    text
}

fn row(name: String, cost: &Cost) -> [String; 5] {
    [name, count_text(cost.calls), time_text(cost.ms), money_text(cost.money), tokens_text(cost.tokens)]
}

/// A table with its first column to the left and the others to the right.
fn table<const N: usize>(head: [String; N], rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows.iter().chain([&head]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in std::iter::once(&head).chain(rows) {
        for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
            out.push_str(&if at == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") });
        }
        out.push('\n');
    }
    out
}

/// `aivm fmt FILE…`.
pub fn fmt(global: &Global, args: &FmtArgs) -> Result<Exit, Failure> {
    let (mut changed, mut output) = (Vec::new(), None);
    for file in &args.files {
        let source = project::read_source(file, &args.written)?;
        let text = formatted(&source, args.to)?;
        if (file == "-" || load::is_address(file) || args.to.is_some()) && !args.check {
            match global.json {
                true => output = Some(text),
                false => print!("{text}"),
            }
        } else if text != source.text {
            changed.push(source.name.clone());
            if !args.check {
                compile::write_whole(Path::new(file), text.as_bytes())?;
            }
        }
    }
    if global.json {
        println!("{}", json!({"v": 1, "changed": changed, "output": output}));
    } else {
        for file in &changed {
            eprintln!("{} {file}", if args.check { "not formatted:" } else { "formatted:" });
        }
    }
    Ok(if args.check && !changed.is_empty() { Exit::FAILED } else { Exit::SENT })
}

/// The one layout of a program; of a workflow, the arrows that it becomes.
fn formatted(source: &Source, to: Option<To>) -> Result<String, Failure> {
    let failed = |diagnostics| Failure::Program { source: source.clone(), diagnostics };
    if source.reading == Format::Aivm.into() {
        return aivm_lang::format::format(&source.text).map_err(failed);
    }
    if to.is_none() && source.reading.format != Format::Aivm {
        let message = format!("{} is no program of arrows, and only those are formatted", source.name);
        return Err(
            Failure::usage("E0838", message).help(format!("see what it becomes: aivm fmt --to aivm {}", source.name))
        );
    };
    let library = Files::around(&source.name).map_err(|error| Failure::usage("E0802", error.to_string()))?;
    let page = workflow::page(source.reading.clone(), &source.name, &source.text, &library).map_err(failed)?;
    show_diagnostics(source, &page.warnings);
    aivm_lang::format::format(&page.text).map_err(failed)
}
