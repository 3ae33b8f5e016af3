//! `show`: one run as a tree. Stages, definitions and items stand around the calls that they made.

use crate::args::{Global, RunArg};
use crate::artifact::cut;
use crate::fail::{self, Exit, Failure, coded};
use crate::out::size_text;
use crate::out::{one_line, paint, short, width, wrap};
use crate::runs::journal::{self, Open, Row, Stands, Told};
use crate::store;
use aivm_host::store::disk::Disk;
use aivm_host::trace::totals_text;
use aivm_host::work::program::{is_of, runs_programs};
use aivm_schema::artifact::{Artifact, Checksum, parts};
use aivm_schema::journal::ApprovalRequested;
use aivm_vm::action::CallError;
use aivm_vm::run::HELD;
use serde_json::{Value, json};
use std::collections::HashMap;
use tree::Line;

mod loops;
mod tree;

/// The first words of a value, where a terminal sets no width.
const PREVIEW: usize = 60;

/// `aivm show RUN`.
pub fn show(global: &Global, args: &RunArg) -> Result<Exit, Failure> {
    let disk = store::existing()?;
    let told = journal::tell(&disk, &args.run)?;
    if global.json {
        println!("{}", report(&disk, &told)?);
    } else {
        let page = Page { colours: fail::colours(&std::io::stdout()), width: width() };
        print!("{}", page.text(&disk, &told)?);
    }
    Ok(Exit::SENT)
}

/// The runs of the programs that a run called, in the order in which they began.
fn programs(disk: &Disk, told: &Told) -> Result<Vec<Told>, Failure> {
    if !told.module().workers.iter().any(runs_programs) {
        return Ok(Vec::new());
    }
    let rows = disk.runs("", i64::MAX as usize).map_err(|error| coded(&error.to_string()))?;
    let called = rows.iter().rev().filter(|row| is_of(&row.id, &told.row.id));
    called.map(|row| journal::tell(disk, &row.id)).collect()
}

fn report(disk: &Disk, told: &Told) -> Result<Value, Failure> {
    let (output, verdict, error) = ending(told);
    let arguments = loops::arguments(disk, told);
    let value = |checksum: Checksum| {
        let artifact = disk.find(checksum).ok().flatten();
        json!({
            "checksum": checksum,
            "type": artifact.as_ref().map(Artifact::media_type),
            "size": artifact.as_ref().map(|artifact| artifact.payload().len()),
        })
    };
    let open = |open: &Open| {
        json!({
            "key": open.key,
            "worker": open.worker,
            "attempt": open.attempt,
            "at": open.at,
            "unknown": matches!(open.stands, Stands::Unknown),
            "expired": open.is_over(),
            "question": question(open).map(|question| &question.question),
            "choices": question(open).map(|question| &question.choices),
            "subject": question(open).map(|question| Checksum(question.subject)),
            "way_on": told.way_on(open),
        })
    };
    let row = &told.row;
    let mut report = json!({
        "v": 1,
        "run": row.id,
        "status": row.status,
        "waits": told.waits,
        "program": row.program,
        "module": told.module().digest().to_string(),
        "started": told.began,
        "last": told.last,
        "input": value(told.started.input),
        "output": output.map(|output| value(output.checksum())),
        "verdict": verdict,
        "error": error,
        "not_undone": told.end.iter().flat_map(|end| &end.not_undone).collect::<Vec<_>>(),
        "steps": told.rows.iter().enumerate().map(|(at, row)| step(row, arguments.get(&at))).collect::<Vec<_>>(),
        "open": told.open.iter().map(open).collect::<Vec<_>>(),
        "totals": told.totals,
    });
    let programs = programs(disk, told)?;
    if !programs.is_empty() {
        let programs: Vec<Value> = programs.iter().map(|told| self::report(disk, told)).collect::<Result<_, _>>()?;
        report["programs"] = programs.into();
    }
    Ok(report)
}

fn question(open: &Open) -> Option<&ApprovalRequested> {
    if let Stands::Asked(question) = &open.stands { Some(question) } else { None }
}

/// A row as `run --json` has it, when it ended, and how the arguments of a tool begin.
fn step(row: &Row, arguments: Option<&String>) -> Value {
    let mut value = serde_json::to_value(&row.record).unwrap_or_default();
    if let Some(value) = value.as_object_mut() {
        value.insert("called".into(), row.called.into());
        value.insert("undo".into(), row.undo.into());
        value.insert("input".into(), json!(row.input));
        value.insert("at".into(), row.at.into());
        value.extend(arguments.map(|arguments| ("arguments".to_owned(), arguments.as_str().into())));
    }
    value
}

/// The output of a run that was sent and its word, or why it was not.
pub fn ending(told: &Told) -> (Option<&Artifact>, Option<&str>, Option<&CallError>) {
    match told.end.as_ref().map(|end| &end.result) {
        Some(Ok((output, verdict))) => (Some(output), verdict.as_deref(), None),
        Some(Err((_, error))) => (None, None, error.as_ref()),
        None => (None, None, None),
    }
}

/// How it is shown.
struct Page {
    colours: bool,
    width: usize,
}

impl Page {
    /// A run, and below it those of the programs that it called.
    fn text(&self, disk: &Disk, told: &Told) -> Result<String, Failure> {
        let mut out = self.head(disk, told) + &self.tree(told, &loops::arguments(disk, told));
        for told in programs(disk, told)? {
            out.push('\n');
            out.push_str(&self.text(disk, &told)?);
        }
        Ok(out)
    }

    fn head(&self, disk: &Disk, told: &Told) -> String {
        let mut out = String::new();
        let mut line = |name: &str, text: &str| {
            out.push_str(&format!("{}{text}\n", paint(self.colours, "2", &format!("{name:<9}"))));
        };
        let row = &told.row;
        line("run", &row.id);
        line("program", &format!("{} ({:.12})", one_line(&row.program), told.module().digest().to_string()));
        let word = journal::status_word(row, told.waits.as_deref());
        let colour = match word {
            "sent" => "32",
            "failed" | "timeout" | "stuck" => "31",
            _ => "33",
        };
        let waits = told.waits.as_deref().map(|waits| match waits {
            "resume" | HELD => format!(": go on by  aivm resume {}", row.id),
            "calls" | "money" | "tokens" => {
                let option = if waits == "money" { "cost" } else { waits };
                format!(": its limit of {waits} is spent; go on by  aivm resume {} --max-{option} …", row.id)
            }
            "unknown" => ": a step was interrupted, and may have happened or not".to_owned(),
            "asked" if told.open.iter().any(Open::is_over) => ": nobody answered in time".to_owned(),
            waits => format!(": waits for {}", one_line(journal::waits_word(waits))),
        });
        let aside = row.quarantine.as_ref().map(|reason| format!(": {}", one_line(reason)));
        let stuck =
            (word == "stuck").then(|| format!(": an undoer keeps failing; try again by  aivm rollback {}", row.id));
        let more = aside.or(waits).or(stuck).unwrap_or_default();
        line("status", &format!("{}{more}", paint(self.colours, colour, word)));
        line("began", &format!("{} UTC · {}", crate::artifact::time_text(told.began), totals_text(&told.totals)));
        line("input", &self.value(disk, told.started.input));
        let (output, verdict, error) = ending(told);
        if let Some(output) = output {
            let said = verdict.map(|word| format!(" (said {})", one_line(word))).unwrap_or_default();
            line("output", &format!("{}{said}", self.value(disk, output.checksum())));
        }
        if let Some(CallError { code, message, step }) = error {
            let at = if step.is_empty() { String::new() } else { format!(" at {step}") };
            let text = one_line(&format!("[{code}]{at}: {message}"));
            let text = wrap(&text, self.width.saturating_sub(4)).join(&format!("\n{:9}", ""));
            line("error", &paint(self.colours, "31", &text));
        }
        for key in told.end.iter().flat_map(|end| &end.not_undone) {
            line("undo", &paint(self.colours, "31", &format!("{key} failed: what it takes back is still there")));
        }
        for open in &told.open {
            let name = match &open.stands {
                Stands::Asked(_) if open.is_over() => "go on",
                Stands::Asked(_) => "decide",
                Stands::Begun | Stands::Unknown => "settle",
            };
            if let Some(way_on) = told.way_on(open) {
                line(name, &one_line(&way_on));
            }
        }
        out + "\n"
    }

    /// A value: its name, its type and how it begins.
    fn value(&self, disk: &Disk, checksum: Checksum) -> String {
        let Some(artifact) = disk.find(checksum).ok().flatten() else {
            return format!("{}  is not in the store", short(checksum));
        };
        let (kind, size) = (one_line(artifact.media_type()), size_text(artifact.payload().len() as u64));
        let mut text = format!("{}  {kind}, {size}", short(checksum));
        let words = match artifact.media_type() {
            parts::MEDIA_TYPE => {
                let parts = parts::decode(artifact.payload()).unwrap_or_default();
                Some(parts.into_iter().map(|part| part.name).collect::<Vec<_>>().join(", "))
            }
            _ => std::str::from_utf8(artifact.payload()).ok().and_then(|text| text.lines().next()).map(str::to_owned),
        };
        let room = self.width.saturating_sub(text.chars().count() + 11).min(PREVIEW);
        if let Some(words) = words.filter(|words| !words.trim().is_empty() && room > 8) {
            let words = one_line(&words);
            let begins: String = words.chars().take(room).collect();
            text.push_str("  ");
            text.push_str(&begins);
        }
        text
    }

    fn tree(&self, told: &Told, arguments: &HashMap<usize, String>) -> String {
        let lines = tree::lines(told, arguments);
        let widest = |of: &dyn Fn(&Line) -> usize| lines.iter().map(of).max().unwrap_or(0);
        let outcome = widest(&|line| line.cells.as_ref().map_or(0, |cells| cells.outcome.chars().count())).min(12);
        let usage = widest(&|line| line.cells.as_ref().map_or(0, |cells| cells.usage.chars().count()));
        // The mark, the arrow, the time, the artifact and the spaces between.
        let others = 2 + 3 + outcome + 9 + if usage > 0 { usage + 2 } else { 0 } + 14;
        let left = widest(&|line| if line.cells.is_some() { line.indent + line.name.chars().count() } else { 0 });
        let left = left.min(self.width.saturating_sub(others).max(16));
        let mut out = String::new();
        for line in &lines {
            let indent = " ".repeat(line.indent);
            let Some(cells) = &line.cells else {
                out.push_str(&format!("{indent}{}\n", paint(self.colours, "2", &line.name)));
                continue;
            };
            let room = left.saturating_sub(line.indent).max(8);
            let (name, word) = (cut(&line.name, room), cut(&cells.outcome, 12));
            let mut text = format!(
                "{indent}{} {name:<room$} → {word:<outcome$}  {}",
                paint(self.colours, cells.colour, cells.mark),
                paint(self.colours, "2", &format!("{:>7}", cells.time)),
            );
            if usage > 0 {
                text.push_str(&format!("  {:>usage$}", cells.usage));
            }
            text.push_str(&format!("  {}", paint(self.colours, "2", &cells.artifact)));
            out.push_str(text.trim_end());
            out.push('\n');
            for (colour, more) in &line.more {
                for part in wrap(more, self.width.saturating_sub(line.indent)) {
                    out.push_str(&format!("{indent}    {}\n", paint(self.colours, colour, &part)));
                }
            }
        }
        out
    }
}
