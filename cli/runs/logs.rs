//! `logs`: the records of a run's journal, a line each, also while another process writes them.

use crate::args::{Global, LogsArgs};
use crate::fail::{self, Exit, Failure};
use crate::out::one_line;
use crate::out::short;
use crate::out::{paint, say};
use crate::runs::journal::{Records, status_word, waits_word};
use aivm_host::trace::{Before, dollars, time_text};
use aivm_schema::journal::{Body, Outcome, Record, RunFinished};
use aivm_schema::unit::{Money, Tokens};
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;

/// Between two looks at a journal that another process writes.
const PAUSE: Duration = Duration::from_millis(200);

/// `aivm logs RUN`.
pub fn logs(global: &Global, args: &LogsArgs) -> Result<Exit, Failure> {
    let mut records = Records::open(&args.run)?;
    let mut printer = Printer {
        run: records.row.id.clone(),
        json: global.json,
        colours: fail::colours(&std::io::stdout()),
        keys: HashMap::new(),
        ended: false,
    };
    loop {
        // Asked before the records are read: what it wrote before it went is read as well.
        let carried = args.follow && records.is_carried();
        while let Some((seq, record)) = records.next()? {
            let before = records.before(&record);
            printer.print(seq, &record, &before);
        }
        match () {
            () if args.follow && records.catch_up()? => {}
            () if carried && !printer.ended => std::thread::sleep(PAUSE),
            () => break,
        }
    }
    if args.follow && !printer.ended && !global.json {
        let row = crate::runs::find::run(&crate::store::existing()?, &printer.run)?;
        let word = status_word(&row, Some("resume"));
        say(&format!("{word}: no process carries this run on; go on by  aivm resume {}", row.id));
    }
    Ok(Exit::SENT)
}

struct Printer {
    run: String,
    json: bool,
    colours: bool,
    /// Which call has which number.
    keys: HashMap<u64, String>,
    ended: bool,
}

impl Printer {
    fn print(&mut self, seq: u64, record: &Record, before: &Before) {
        let Line { what, step, mut text, colour } = self.line(record);
        if self.json {
            let mut line = serde_json::Map::from_iter([
                ("v".to_owned(), 1.into()),
                ("run".to_owned(), self.run.as_str().into()),
                ("seq".to_owned(), seq.into()),
                ("step".to_owned(), step.into()),
            ]);
            line.extend(fields(record));
            if let Ok(Value::Object(before)) = serde_json::to_value(before) {
                line.extend(before);
            }
            println!("{}", Value::Object(line));
            return;
        }
        for first in before.models_passed_over.iter().chain(&before.refused) {
            text.push_str(&format!("  first {first}"));
        }
        let step = step.map(|step| one_line(&step) + "  ").unwrap_or_default();
        let (time, what) =
            (paint(self.colours, "2", &clock(record.at)), paint(self.colours, colour, &format!("{what:<9}")));
        let line = format!("{time}  {what}  {step}{}", one_line(&text));
        println!("{}", line.trim_end());
    }

    fn line(&mut self, record: &Record) -> Line {
        let step = |request: &u64| self.keys.get(request).cloned();
        match &record.body {
            Body::RunStarted(started) => {
                let by =
                    if started.principal.is_empty() { String::new() } else { format!(" by {}", started.principal) };
                let cassette = started.cassette.as_ref();
                let cassette =
                    cassette.map_or(String::new(), |cassette| format!(", {}", crate::cassette::text(cassette)));
                let text = format!("{}{by}, input {}{cassette}", started.file, short(started.input));
                Line::new("started", None, text, "")
            }
            Body::Intent(intent) => {
                self.keys.insert(intent.request, intent.key.clone());
                let again = if intent.attempt > 1 { format!("attempt {}, ", intent.attempt) } else { String::new() };
                let undo = if intent.undo.is_empty() { String::new() } else { format!(", undone by {}", intent.undo) };
                let effect = format!("{:?}", intent.effect).to_lowercase();
                Line::new("intent", Some(intent.key.clone()), format!("{again}{effect}{undo}"), "2")
            }
            Body::Outcome(outcome) => of_outcome(outcome),
            Body::Unknown { request } => {
                Line::new("unknown", step(request), "it may have happened, or not".into(), "33")
            }
            Body::Resolved(resolved) => {
                let how = if resolved.happened.is_some() { "it happened" } else { "it did not happen" };
                let by = if resolved.by.is_empty() { String::new() } else { format!(", says {}", resolved.by) };
                Line::new("settled", step(&resolved.request), format!("{how}{by}"), "")
            }
            Body::TimerFired { timer } => {
                let whose = if timer.is_some() { "of a step or stage" } else { "of the whole run" };
                Line::new("timeout", None, format!("the time {whose} is up"), "33")
            }
            Body::CancelRequested { by } => Line::new("cancel", None, format!("asked for by {by}"), "33"),
            Body::LimitsRaised(limits) => {
                let calls = limits.calls.map(|calls| format!("{calls} calls"));
                let money = limits.money.map(|money| Money(money).to_string());
                let tokens = limits.tokens.map(|tokens| Tokens(tokens).to_string());
                let limits = [calls, money, tokens].into_iter().flatten().collect::<Vec<_>>().join(", ");
                Line::new("limits", None, limits, "")
            }
            Body::Parked { reason } => Line::new("parked", None, format!("waits for {}", waits_word(reason)), "33"),
            Body::ApprovalRequested(asked) => {
                self.keys.insert(asked.request, asked.key.clone());
                let text = format!("{} ({})", asked.question, asked.choices.join(" | "));
                Line::new("asked", Some(asked.key.clone()), text, "36")
            }
            Body::ApprovalDecided(decided) => {
                let by = if decided.by.is_empty() { String::new() } else { format!(", says {}", decided.by) };
                let comment = if decided.comment.is_empty() { String::new() } else { format!(": {}", decided.comment) };
                let edited = decided.edited.map(|edited| format!(", with {}", short(edited))).unwrap_or_default();
                let word = decided.verdict.as_deref().unwrap_or("yes");
                Line::new("decided", step(&decided.request), format!("{word}{edited}{by}{comment}"), "")
            }
            Body::RollbackRequested(rollback) => {
                let to = if rollback.to.is_empty() { "the beginning" } else { &rollback.to };
                Line::new("rollback", None, format!("to {to}, asked for by {}", rollback.by), "33")
            }
            Body::RunFinished(finished) => {
                self.ended = true;
                of_end(finished)
            }
            // A sort of record of which only its fields are known here.
            _ => {
                let mut fields = fields(record);
                let what = fields.remove("record").unwrap_or_default();
                let known = ["at", "yields", "together"];
                let said = fields.iter().filter(|(name, _)| !known.contains(&name.as_str()));
                let said: Vec<String> = said.map(|(name, value)| format!("{name} {value}")).collect();
                Line::new(what.as_str().unwrap_or_default(), None, said.join(", "), "")
            }
        }
    }
}

struct Line {
    what: String,
    step: Option<String>,
    text: String,
    colour: &'static str,
}

impl Line {
    fn new(what: &str, step: Option<String>, text: String, colour: &'static str) -> Line {
        Line { what: what.to_owned(), step, text, colour }
    }
}

fn of_outcome(outcome: &Outcome) -> Line {
    let mut text = format!("→ {}  {}", outcome.taken, time_text(outcome.micros as f64 / 1e3));
    if outcome.tokens > 0 {
        text.push_str(&format!("  {}", Tokens(outcome.tokens)));
    }
    if dollars(outcome.money) > 0.0 {
        text.push_str(&format!("  {}", Money(outcome.money)));
    }
    let colour = match &outcome.result {
        Ok(output) => {
            if let Some(verdict) = output.verdict.as_deref().filter(|verdict| *verdict != outcome.taken) {
                text.push_str(&format!("  said {verdict}"));
            }
            text.push_str(&format!("  {}", short(output.artifact)));
            "32"
        }
        Err((_, error)) => {
            text.push_str(&format!("  [{}] {}", error.code, error.message));
            "31"
        }
    };
    Line::new("outcome", Some(outcome.key.clone()), text, colour)
}

fn of_end(finished: &RunFinished) -> Line {
    let mut text = finished.status.clone();
    if let Some(output) = &finished.output {
        text.push_str(&format!(", output {}", short(output.artifact)));
    }
    if let Some(error) = &finished.error {
        text.push_str(&format!(": [{}] {}", error.code, error.message));
    }
    if !finished.not_undone.is_empty() {
        text.push_str(&format!(", not undone: {}", finished.not_undone.join(", ")));
    }
    Line::new("finished", None, text, if finished.output.is_some() { "32" } else { "31" })
}

/// What a record says, its digests as text.
fn fields(record: &Record) -> serde_json::Map<String, Value> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(record) else { return serde_json::Map::new() };
    for value in fields.values_mut() {
        let bytes = value
            .as_array()
            .filter(|array| array.len() == 32)
            .map(|array| array.iter().filter_map(Value::as_u64).map(|byte| format!("{byte:02x}")).collect::<String>());
        if let Some(bytes) = bytes {
            *value = bytes.into();
        }
    }
    fields
}

/// The time of day: `09:30:12.345`.
fn clock(nanoseconds: u64) -> String {
    let millis = nanoseconds / 1_000_000;
    let (seconds, millis) = (millis / 1_000, millis % 1_000);
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60)
}
