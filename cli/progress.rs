//! What is shown while a run goes on: each call that has ended, in a line that stays; on a terminal also those under way.

use crate::fail;
use crate::out::{MORE, paint, plain, say, size, wrap};
use aivm_host::trace::{Event, Observer, StepRecord, Totals, taken_text, time_text, totals_text};
use aivm_schema::isa::Instruction;
use aivm_schema::module::{EdgeKind, StepTarget};
#[cfg(feature = "store")]
use aivm_vm::action::RequestId;
#[cfg(feature = "store")]
use aivm_vm::run::{Decided, Question};
use aivm_vm::verify::VerifiedModule;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::sync::mpsc::{RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Calls under way that have a line; the others are a number.
const MOST_LINES: usize = 8;
/// The widest column of keys.
const MOST_KEY: usize = 56;
/// So many characters are kept of what a call is saying: no line is longer.
const MOST_SAID: usize = 400;
/// What a line needs besides its key: the mark, the arrow, the outcome, the time.
const BESIDES: usize = 23;

/// The progress of one run, on standard error.
pub struct Progress {
    now: Arc<Mutex<Now>>,
    /// Draws the live lines again and again until this is gone; only a terminal has them.
    clock: Option<(Sender<()>, JoinHandle<()>)>,
    /// When the first call inside began, by the key of the definition or fan-out around it.
    around: HashMap<String, Instant>,
    colours: bool,
    /// The column of keys grows with them.
    column: usize,
}

/// What the live lines tell, and how many of them stand above the cursor.
struct Now {
    running: Vec<Running>,
    totals: Totals,
    began: Instant,
    colours: bool,
    drawn: usize,
}

struct Running {
    key: String,
    worker: String,
    attempt: u32,
    began: Instant,
    /// The end of what it has answered so far.
    said: String,
}

impl Running {
    /// It says more: the end of it is kept.
    fn hear(&mut self, text: &str) {
        self.said.push_str(&plain(text).replace('\n', " "));
        let more = self.said.chars().count().saturating_sub(MOST_SAID);
        if let Some((at, _)) = self.said.char_indices().nth(more) {
            self.said.drain(..at);
        }
    }
}

impl Progress {
    /// For a program that is about to run.
    pub fn new(program: &VerifiedModule) -> Progress {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colours = fail::colours(&std::io::stderr()) && !dumb;
        let now = Now { running: Vec::new(), totals: Totals::default(), began: Instant::now(), colours, drawn: 0 };
        let now = Arc::new(Mutex::new(now));
        let live = std::io::stderr().is_terminal() && !dumb;
        let clock = live.then(|| clock(now.clone())).flatten();
        Progress { now, clock, around: HashMap::new(), colours, column: longest_key(program) }
    }

    /// The lines that a call leaves; a definition or fan-out took as long as what is in it, and a call that was not made no time.
    fn lines(&mut self, record: &StepRecord, ms: Option<f64>) -> String {
        let (width, _) = size();
        let room = width.saturating_sub(BESIDES).min(width / 2).max(8);
        let name = name(&record.key, record.attempt, room);
        self.column = self.column.max(name.chars().count()).min(room).min(MOST_KEY);
        let (mark, colour) = mark(record);
        let time = ms.map(|ms| taken_text(ms, record.waited_ms)).unwrap_or_default();
        let outcome = plain(&record.outcome);
        let what = format!("{name:<0$} → {outcome:<9}", self.column);
        let length = format!("{mark} {what} {time}").chars().count();
        let mut line = format!("{} {what} {}", paint(self.colours, colour, mark), paint(self.colours, "2", &time));
        let mut more = Vec::new();
        if record.cached {
            more.push("cached".to_owned());
        }
        if let Some(verdict) = record.verdict.as_deref().filter(|verdict| *verdict != record.outcome) {
            more.push(format!("said {}", plain(verdict).replace('\n', "␊")));
        }
        if !record.passed_over.is_empty() {
            more.push(format!("passed over {}", plain(&record.passed_over.join(", "))));
        }
        let more = more.join("  ");
        if !more.is_empty() && length + 2 + more.chars().count() <= width {
            let _ = write!(line, "  {more}");
        } else {
            line.extend(wrap(&more, width).into_iter().map(|part| MORE.to_owned() + &part));
        }
        for first in record.first() {
            let parts = wrap(&plain(&format!("first {first}")).replace('\n', "␊"), width);
            line.extend(parts.into_iter().map(|part| MORE.to_owned() + &paint(self.colours, "33", &part)));
        }
        // What failed inside has said so itself.
        if let Some(error) = record.error.as_ref().filter(|error| error.step.is_empty() || error.step == record.key) {
            let parts = wrap(&plain(&error.message), width);
            line.extend(parts.into_iter().map(|part| MORE.to_owned() + &paint(self.colours, "31", &part)));
        }
        line.truncate(line.trim_end().len());
        line
    }
}

impl Observer for Progress {
    #[cfg(feature = "store")]
    fn decide(&mut self, questions: &[Question]) -> Option<(RequestId, Decided)> {
        self.ask(questions)
    }

    fn is_listening(&self) -> bool {
        self.clock.is_some()
    }

    fn event(&mut self, event: Event<'_>) {
        let now = self.now.clone();
        let Ok(mut now) = now.lock() else { return };
        match event {
            Event::Started { key, worker, attempt } => {
                let began = Instant::now();
                for around in around(key) {
                    if !self.around.contains_key(around) {
                        self.around.insert(around.to_owned(), began);
                    }
                }
                now.running.push(Running {
                    key: key.to_owned(),
                    worker: worker.to_owned(),
                    attempt,
                    began,
                    said: String::new(),
                });
            }
            Event::Heard { key, text } => {
                if let Some(running) = now.running.iter_mut().find(|running| running.key == key) {
                    running.hear(text);
                }
            }
            Event::Said(text) => match self.clock {
                Some(_) => now.draw(&(wrap(&plain(text), size().0).join(MORE) + "\n")),
                None => say(&plain(text)),
            },
            Event::Ended(record) => {
                let call = now.running.iter().position(|running| running.key == record.key);
                let inside = self.around.remove(&record.key).map(|began| began.elapsed().as_secs_f64() * 1e3);
                let ms = call.map(|at| {
                    now.running.remove(at);
                    now.totals.calls += 1;
                    now.totals.tokens = now.totals.tokens.saturating_add(record.tokens);
                    now.totals.cost_usd += record.cost_usd;
                    record.ms
                });
                let lines = self.lines(record, ms.or(inside));
                match self.clock {
                    Some(_) => now.draw(&(lines + "\n")),
                    None => eprintln!("{lines}"),
                }
            }
        }
    }
}

#[cfg(feature = "store")]
impl Progress {
    /// Asks at the terminal; nothing is drawn meanwhile.
    fn ask(&mut self, questions: &[Question]) -> Option<(RequestId, Decided)> {
        let now = self.now.clone();
        let mut now = now.lock().ok()?;
        now.draw("");
        crate::question::ask(questions)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((going_on, thread)) = self.clock.take() {
            drop(going_on);
            let _ = thread.join();
        }
        if let Ok(mut now) = self.now.lock() {
            now.running.clear();
            now.draw("");
        }
    }
}

/// The thread that keeps the live lines up to date.
fn clock(now: Arc<Mutex<Now>>) -> Option<(Sender<()>, JoinHandle<()>)> {
    let (going_on, until) = std::sync::mpsc::channel();
    let tick = move || {
        while until.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
            if let Ok(mut now) = now.lock() {
                now.draw("");
            }
        }
    };
    std::thread::Builder::new().spawn(tick).ok().map(|thread| (going_on, thread))
}

impl Now {
    /// Writes lines that stay where the live lines stand, and the live lines as they are now below.
    fn draw(&mut self, above: &str) {
        let live = self.text(size());
        if self.drawn == 0 && above.is_empty() && live.is_empty() {
            return;
        }
        let up = if self.drawn > 0 { format!("\x1b[{}A", self.drawn) } else { String::new() };
        self.drawn = live.lines().count();
        // The cursor stays at the beginning of a line: what is typed meanwhile, as ^C, moves nothing.
        let _ = std::io::stderr().lock().write_all(format!("{up}\r\x1b[J{above}{live}").as_bytes());
    }

    fn text(&self, (width, height): (usize, usize)) -> String {
        if self.running.is_empty() {
            return String::new();
        }
        let since = |began: Instant| began.elapsed().as_secs_f64() * 1e3;
        let frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
        let turn = self.began.elapsed().as_millis() as usize / 100 % frames.len();
        let spinner = paint(self.colours, "36", frames.get(turn).copied().unwrap_or_default());
        let mut text = String::new();
        // All of them must stand on the screen, with the totals and the cursor below.
        let most = MOST_LINES.min(height.saturating_sub(2) / 2).max(1);
        for running in self.running.iter().take(most) {
            let time = time_text(since(running.began));
            let room = width.saturating_sub(4 + time.len());
            let whom = format!(" ({})", plain(&running.worker));
            let named = running.key.split(['/', '#', '[', '.']).any(|part| part == running.worker);
            let name = match name(&running.key, running.attempt, room) {
                name if !named && name.chars().count() + whom.chars().count() <= room => name + &whom,
                name => name,
            };
            let _ = writeln!(text, "{spinner} {name} {}", paint(self.colours, "2", &time));
            if !running.said.is_empty() {
                let skip = running.said.chars().count().saturating_sub(width.saturating_sub(MORE.len()));
                let end: String = running.said.chars().skip(skip).collect();
                let _ = writeln!(text, "{MORE}{}", paint(self.colours, "2", &end));
            }
        }
        let hidden = self.running.len().saturating_sub(most);
        let more = if hidden > 0 { format!("and {hidden} more · ") } else { String::new() };
        let totals = totals_text(&Totals { ms: since(self.began), ..self.totals });
        let totals: String = format!("  {more}{totals}").chars().take(width).collect();
        text + &paint(self.colours, "2", &totals) + "\n"
    }
}

/// A call's key and which attempt it is, in so many columns: the end of a long key tells more than its beginning.
fn name(key: &str, attempt: u32, room: usize) -> String {
    let again = if attempt > 1 { format!(" attempt {attempt}") } else { String::new() };
    let key = plain(key);
    let (length, room) = (key.chars().count(), room.saturating_sub(again.len()).max(2));
    if length <= room {
        return key + &again;
    }
    let end: String = key.chars().skip(length + 1 - room).collect();
    format!("…{end}{again}")
}

/// The mark of a call that has ended, and its colour.
pub fn mark(record: &StepRecord) -> (&'static str, &'static str) {
    match (&record.error, record.outcome.as_str()) {
        (Some(_), _) | (None, "failed" | "exhausted" | "timeout" | "not-chosen" | "not-undone") => ("✗", "31"),
        (None, "cancel" | "cancelled") => ("–", "33"),
        (None, "back" | "retry") => ("↺", "33"),
        (None, _) => ("✓", "32"),
    }
}

/// The keys of the definitions and fan-outs that a call is in: those of `a/b#1/c#2[3]` are `a/b#1` and `a/b#1/c#2`.
fn around(key: &str) -> impl Iterator<Item = &str> {
    let ends = key.char_indices().filter(|(_, c)| matches!(c, '/' | '[')).filter_map(|(at, _)| key.get(..at));
    ends.filter(|before| before.rsplit('/').next().is_some_and(|last| last.contains('#')))
}

/// How long a key of the program is at most, with its attempt, while each count is 1.
fn longest_key(program: &VerifiedModule) -> usize {
    let module = program.module();
    let (mut mapped, mut retried, mut called) = (HashSet::new(), HashSet::new(), None);
    for instruction in program.code() {
        match *instruction {
            Instruction::Call { step } => called = Some(step.index()),
            Instruction::Map { step, .. } => {
                mapped.insert(step.index());
                called = Some(step.index());
            }
            // An edge follows its call.
            Instruction::Edge { kind: EdgeKind::Retry, .. } => retried.extend(called),
            _ => {}
        }
    }
    // A function calls only those behind it.
    let mut longest = vec![0; module.functions.len()];
    for (at, function) in module.functions.iter().enumerate().rev() {
        let (first, count) = function.steps;
        let steps = module.steps.iter().enumerate().skip(first.into()).take(count.into()).map(|(id, step)| {
            let stage = module.stages.get(step.stage.index()).map_or("", |stage| &stage.key);
            let item = if mapped.contains(&id) { "[0]" } else { "" };
            let again = if retried.contains(&id) { " attempt 2".len() } else { 0 };
            let undo = if step.undo.is_some() { "~undo".len() } else { 0 };
            let inner = match step.target {
                StepTarget::Function(called) => longest.get(called.index()).map_or(0, |inner| "/".len() + inner),
                StepTarget::Worker(_) => 0,
            };
            format!("{stage}/{}#1{item}", step.name).chars().count() + inner.max(again).max(undo)
        });
        let most = steps.max().unwrap_or(0);
        if let Some(longest) = longest.get_mut(at) {
            *longest = most;
        }
    }
    longest.first().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_key_loses_its_beginning() {
        assert_eq!(name("switch.1/write#1[17]", 1, 20), "switch.1/write#1[17]");
        assert_eq!(name("switch.1/write#1[17]", 1, 10), "…ite#1[17]");
        assert_eq!(name("switch.1/write#1", 2, 16), "…ite#1 attempt 2");
    }

    #[test]
    fn calls_are_in_definitions_and_fan_outs() {
        let keys: Vec<&str> = around("join.1/1/select.1/a#1[2]/switch.1/b#1[0]").collect();
        assert_eq!(
            keys,
            ["join.1/1/select.1/a#1", "join.1/1/select.1/a#1[2]", "join.1/1/select.1/a#1[2]/switch.1/b#1"]
        );
        assert_eq!(around("switch.1/a#1").count(), 0);
    }
}
