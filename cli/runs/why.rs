//! `why`: which rule chose the edge that a step took, what was passed over, and where it led.

use crate::args::{Global, WhyArgs};
use crate::fail::{self, Exit, Failure};
use crate::out::{one_line, width};
use crate::out::{paint, plain, wrap};
use crate::progress::mark;
use crate::runs::journal::{self, Row, Told};
use crate::store;
use aivm_host::trace::{StepRecord, taken_text};
use aivm_schema::module::{EdgeKind, StepId};
use aivm_vm::action::Rule;
use list::{Outcome, Place, Source, outcomes, path, worker, written};
use serde_json::{Value, json};

mod list;

/// So many names are listed of several.
const MOST_SHOWN: usize = 8;
/// So many lines of the program are shown of one step.
const MOST_LINES: usize = 6;

/// `aivm why RUN STEP`.
pub fn why(global: &Global, args: &WhyArgs) -> Result<Exit, Failure> {
    let disk = store::existing()?;
    let told = journal::tell(&disk, &args.run)?;
    let place = find(&told, &args.step)?;
    let debug = journal::debug(&disk, &told);
    let rows: Vec<(usize, &Row)> =
        told.rows.iter().enumerate().filter(|(_, row)| is_meant(&row.record.key, &args.step, &place)).collect();
    let step = rows.iter().find_map(|(_, row)| row.step.filter(|_| !row.undo));
    let source = step.and_then(|step| debug.as_ref().and_then(|debug| written(debug, step)));
    let calls: Vec<Explained<'_>> = rows.iter().map(|(at, row)| explain(&told, *at, row)).collect();
    let open: Vec<&str> = told.open.iter().map(|open| open.key.as_str()).collect();
    let open: Vec<&str> = open.into_iter().filter(|key| is_meant(key, &args.step, &place)).collect();
    // Of a fan-out the list of the whole, not that of an item.
    let whole = calls.iter().find(|call| !call.record.key.ends_with(']')).or(calls.first());
    let outcomes = whole.map(|call| call.outcomes.as_slice()).unwrap_or_default();
    if global.json {
        let report = json!({
            "v": 1,
            "run": told.row.id,
            "step": place,
            "file": source.as_ref().map(|source| &source.file),
            "line": source.as_ref().map(|source| source.line),
            "source": source.as_ref().map(|source| &source.text),
            "outcomes": outcomes.iter().map(Outcome::json).collect::<Vec<_>>(),
            "calls": calls.iter().map(Explained::json).collect::<Vec<_>>(),
            "open": open,
        });
        println!("{report}");
        return Ok(Exit::SENT);
    }
    let colours = fail::colours(&std::io::stdout());
    let whom = step.and_then(|step| worker(&told, step)).filter(|worker| !place.ends_with(worker));
    let whom = whom.map(|worker| format!("  calls {worker}")).unwrap_or_default();
    println!("{}{}", paint(colours, "1", &place), one_line(&whom));
    match &source {
        Some(Source { file, line, text }) => {
            println!("{}", paint(colours, "2", &format!("{}:{line}", one_line(file))));
            text.lines().take(MOST_LINES).for_each(|line| println!("    {}", plain(line)));
        }
        None if !outcomes.is_empty() => {
            let list: Vec<String> = outcomes.iter().map(|outcome| outcome.word.clone()).collect();
            let name = place.rsplit('/').next().unwrap_or_default();
            println!("    {name} => {}   (of the module: its source was not kept)", list.join(" | "));
        }
        None => {}
    }
    if !outcomes.is_empty() {
        let list: Vec<String> = outcomes.iter().map(Outcome::text).collect();
        println!("outcomes, best first: {}", list.join(", "));
    }
    for call in &calls {
        print!("\n{}", call.text(colours));
    }
    for key in open {
        println!("\n{} has no answer yet: nothing is decided", one_line(key));
    }
    Ok(Exit::SENT)
}

/// A key without its counts: where in the program it is.
fn place(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    let mut chars = key.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '#' => while chars.next_if(char::is_ascii_digit).is_some() {},
            '[' => while chars.next().is_some_and(|c| c != ']') {},
            c => out.push(c),
        }
    }
    out
}

/// Is a key one that was asked for? With counts that very call, without all calls of the place.
fn is_meant(key: &str, asked: &str, found: &str) -> bool {
    place(key) == found && (!asked.contains(['#', '[']) || is_end(key, asked))
}

/// Is it the whole key, or its end from a `/` on?
fn is_end(key: &str, asked: &str) -> bool {
    key.strip_suffix(asked).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// The place that was asked for.
fn find(told: &Told, asked: &str) -> Result<String, Failure> {
    let keys = told.rows.iter().map(|row| row.record.key.as_str());
    let keys: Vec<&str> = keys.chain(told.open.iter().map(|open| open.key.as_str())).collect();
    let mut places: Vec<String> = Vec::new();
    let mut candidates: Vec<[String; 2]> = Vec::new();
    for key in keys {
        let place = place(key);
        if !places.contains(&place) {
            places.push(place.clone());
        }
        let name = if asked.contains(['#', '[']) { key.to_owned() } else { place.clone() };
        candidates.push([name, place]);
    }
    let tests: [&dyn Fn(&str) -> bool; 3] =
        [&|name| name == asked, &|name| is_end(name, asked), &|name| name.contains(asked)];
    for test in tests {
        let mut found: Vec<&str> = Vec::new();
        for [_, place] in candidates.iter().filter(|[name, _]| test(name)) {
            if !found.contains(&place.as_str()) {
                found.push(place);
            }
        }
        match found.as_slice() {
            [] => {}
            [one] => return Ok((*one).to_owned()),
            several => {
                return Err(Failure::usage("E0861", format!("more than one step matches {}", one_line(asked)))
                    .help(format!("give more of its key: {}", listed(several))));
            }
        }
    }
    let run = &told.row.id;
    let paths = (0..told.module().steps.len()).filter_map(|at| path(told, StepId(at as u16)));
    let paths: Vec<String> = paths.collect();
    if let Some(path) = paths.iter().find(|path| is_end(path, asked)) {
        return Err(Failure::usage("E0862", format!("the run {run} did not come to {path}"))
            .help(format!("see where it went: aivm show {run}")));
    }
    let failure = Failure::usage("E0860", format!("no step of the run {run} is called {}", one_line(asked)));
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let names: Vec<String> = paths.iter().map(|path| last(path)).collect();
    let near = aivm_lang::nearest(&last(&place(asked)), names.iter().map(String::as_str));
    let list: Vec<&str> = places.iter().map(String::as_str).collect();
    Err(match near {
        Some(near) => failure.help(format!("did you mean {near}? Its steps: {}", listed(&list))),
        None if list.is_empty() => failure.help("it has called nothing yet"),
        None => failure.help(format!("its steps: {}", listed(&list))),
    })
}

fn listed(names: &[&str]) -> String {
    let more = if names.len() > MOST_SHOWN { ", …" } else { "" };
    let names: Vec<&str> = names.iter().take(MOST_SHOWN).copied().collect();
    names.join(", ") + more
}

/// One decision, explained.
struct Explained<'a> {
    record: &'a StepRecord,
    undo: bool,
    outcomes: Vec<Outcome>,
    /// What it answered.
    said: String,
    /// Which rule, and what it says; none: no rule of outcomes.
    rule: Option<(u8, &'static str)>,
    /// What could not be taken, and why not.
    passed_over: Vec<(String, String)>,
    /// Where it led.
    led: String,
}

fn explain<'a>(told: &Told, at: usize, row: &'a Row) -> Explained<'a> {
    let record = &row.record;
    let item = record.key.ends_with(']');
    let outcomes = match row.step {
        Some(step) if !row.undo => outcomes(told, step, item),
        _ => Vec::new(),
    };
    let said = match (&record.error, &record.verdict) {
        (Some(error), Some(verdict)) => format!("said {}, which failed: [{}] {}", verdict, error.code, error.message),
        (Some(error), None) if row.called => format!("failed: [{}] {}", error.code, error.message),
        (Some(error), None) => format!("did not come about: [{}] {}", error.code, error.message),
        (None, Some(verdict)) => format!("succeeded, and said {verdict}"),
        (None, None) if record.outcome == "cancelled" => "was cancelled while it was under way".to_owned(),
        (None, None) => "succeeded, and said no word".to_owned(),
    };
    let said = match &record.cached_from {
        Some(run) => format!("{said} (cached: it was not called, and answered as in the run {run})"),
        None => said,
    };
    let forward = outcomes.iter().any(|outcome| outcome.kind.is_forward());
    let rule = match record.rule {
        Rule::Verdict => Some((1, "the word that it said is in the list: that outcome")),
        Rule::Success if !forward => {
            Some((2, "a success without a word of the list, which has no forward one: the first outcome"))
        }
        Rule::Success => Some((2, "a success without a word of the list: the first forward outcome")),
        Rule::Failure => Some((3, "a failure: the first outcome that takes failures")),
        Rule::None => None,
    };
    let mut left = outcomes.iter();
    let closed = |word: &String| {
        let why = left.by_ref().find(|outcome| outcome.word == *word).map(Outcome::closed);
        (word.clone(), why.unwrap_or_else(|| "it cannot be taken".to_owned()))
    };
    let passed_over = record.passed_over.iter().map(closed).collect();
    let led = led(told, at, row, &outcomes);
    Explained { record, undo: row.undo, outcomes, said, rule, passed_over, led }
}

/// Where a decision led: in words, with the very call that came next where that is known.
fn led(told: &Told, at: usize, row: &Row, outcomes: &[Outcome]) -> String {
    let record = &row.record;
    let is_taken = |outcome: &&Outcome| match outcome.kind {
        EdgeKind::Jump => outcome.word.strip_suffix(".jump").is_some_and(|word| word == record.outcome),
        _ => outcome.word == record.outcome,
    };
    if record.rule == Rule::None {
        return match record.outcome.as_str() {
            "undone" => "what the step did is taken back".to_owned(),
            "not-undone" => "the undoer failed: it is tried again, or the rollback stays incomplete".to_owned(),
            "cancelled" => "nothing: it had been cancelled before it ended".to_owned(),
            "not-chosen" => {
                "no step that is left was named: the chooser is asked once more, or the select fails".to_owned()
            }
            "finish" => "the end of the select".to_owned(),
            word => format!("the step {word}, which the chooser chose"),
        };
    }
    let Some(taken) = outcomes.iter().find(is_taken) else {
        return format!("nothing in the list was left: the stage ends {}", record.outcome);
    };
    match (taken.kind, &taken.to) {
        (EdgeKind::Retry, _) => "the same call again".to_owned(),
        (EdgeKind::Cancel, _) if record.rule == Rule::Failure => "the stage ends by this failure".to_owned(),
        (EdgeKind::Cancel, _) => "the stage ends, cancelled".to_owned(),
        (EdgeKind::Timeout, _) => "the stage ends by a timeout".to_owned(),
        (_, Some(Place::Hand)) if record.key.ends_with(']') => "the fan-out, as one of its parts".to_owned(),
        (_, Some(place @ Place::Step(name))) => next_call(told, at, row, name).unwrap_or_else(|| place.text()),
        (_, Some(place)) => place.text(),
        (_, None) => "where its list says".to_owned(),
    }
}

/// The next call of a step of the same call of its definition.
fn next_call(told: &Told, at: usize, row: &Row, name: &str) -> Option<String> {
    let own = format!("{}#", path(told, row.step?)?);
    let caller = row.record.key.get(..row.record.key.rfind(&own)?)?;
    let next = format!("{caller}{name}#");
    let rows = told.rows.iter().skip(at + 1).map(|row| row.record.key.as_str());
    let keys = rows.chain(told.open.iter().map(|open| open.key.as_str()));
    let key = keys.into_iter().find(|key| key.starts_with(&next))?;
    // Only up to its count: it may be a call within it that has ended first.
    let digits = key.get(next.len()..)?.find(|c: char| !c.is_ascii_digit()).map_or(key.len(), |end| next.len() + end);
    key.get(..digits).map(str::to_owned)
}

impl Explained<'_> {
    fn json(&self) -> Value {
        let mut value = serde_json::to_value(self.record).unwrap_or_default();
        let passed_over: Vec<Value> =
            self.passed_over.iter().map(|(word, why)| json!({"outcome": word, "why": why})).collect();
        if let Some(value) = value.as_object_mut() {
            value.insert("undo".into(), self.undo.into());
            value.insert("said".into(), self.said.as_str().into());
            value.insert("because".into(), json!(self.rule.map(|(number, text)| format!("rule {number}: {text}"))));
            value.insert("passed_over".into(), passed_over.into());
            value.insert("led_to".into(), self.led.as_str().into());
        }
        value
    }

    fn text(&self, colours: bool) -> String {
        let record = self.record;
        let (mark, colour) = mark(record);
        let again = if record.attempt > 1 { format!(" attempt {}", record.attempt) } else { String::new() };
        let outcome = one_line(&record.outcome);
        let mut out = format!("{} {}{again} → {outcome}\n", paint(colours, colour, mark), one_line(&record.key));
        let mut line = |name: &str, text: &str| {
            let text = wrap(&one_line(text), width().saturating_sub(12)).join(&format!("\n{:16}", ""));
            out.push_str(&format!("    {}{text}\n", paint(colours, "2", &format!("{name:<12}"))));
        };
        for first in record.first() {
            line("first", first);
        }
        if record.waited_ms > 100 {
            line("took", &taken_text(record.ms, record.waited_ms));
        }
        line("it", &self.said);
        if let Some((number, text)) = self.rule {
            line(&format!("rule {number}"), text);
        }
        for (word, why) in &self.passed_over {
            line("passed over", &format!("{word}: {why}"));
        }
        line("led to", &self.led);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_key_without_counts() {
        assert_eq!(place("fan/each#1[12]/switch.1/flaky#3"), "fan/each/switch.1/flaky");
        assert_eq!(place("switch.1/make#1~undo"), "switch.1/make~undo");
        assert!(is_end("switch.1/analyze", "analyze") && !is_end("switch.1/reanalyze", "analyze"));
    }
}
