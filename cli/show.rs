//! `show`: one run as a tree. Stages, definitions and items stand around the calls that they made.

use crate::args::{Global, RunArg};
use crate::artifact::{cut, short, size_text};
use crate::fail::{self, Exit, Failure};
use crate::journal::{self, Open, Row, Told};
use crate::out::plain;
use crate::progress::{mark, paint, wrap};
use crate::store;
use aivm_host::store::disk::Disk;
use aivm_host::trace::{StepRecord, time_text, totals_text};
use aivm_schema::artifact::{Artifact, Checksum, parts};
use aivm_schema::unit::{Money, Tokens};
use aivm_vm::action::CallError;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::IsTerminal;

/// The first words of a value, where a terminal sets no width.
const PREVIEW: usize = 60;

/// `aivm show RUN`.
pub fn show(global: &Global, args: &RunArg) -> Result<Exit, Failure> {
    let disk = store::open()?;
    let told = journal::tell(&disk, &args.run)?;
    if global.json {
        println!("{}", report(&disk, &told));
    } else {
        let page = Page { colours: fail::colours(&std::io::stdout()), width: width() };
        print!("{}{}", page.head(&disk, &told), page.tree(&told));
    }
    Ok(Exit::SENT)
}

fn report(disk: &Disk, told: &Told) -> Value {
    let (output, verdict, error) = ending(told);
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
            "key": open.intent.key,
            "worker": open.intent.worker,
            "attempt": open.intent.attempt,
            "effect": open.intent.effect,
            "at": open.at,
            "unknown": open.unknown,
            "settle": open.unknown.then(|| told.settle_line(open)),
        })
    };
    let row = &told.row;
    json!({
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
        "steps": told.rows.iter().map(step).collect::<Vec<_>>(),
        "open": told.open.iter().map(open).collect::<Vec<_>>(),
        "totals": told.totals(),
    })
}

/// A row as `run --json` has it, and when it ended.
fn step(row: &Row) -> Value {
    let mut value = serde_json::to_value(&row.record).unwrap_or_default();
    if let Some(value) = value.as_object_mut() {
        value.insert("called".into(), row.called.into());
        value.insert("undo".into(), row.undo.into());
        value.insert("input".into(), json!(row.input));
        value.insert("at".into(), row.at.into());
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

/// Columns of the terminal behind standard output; without one a line has no end.
pub fn width() -> usize {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ if std::io::stdout().is_terminal() => 80,
        _ => usize::MAX,
    }
}

/// A worker's text in one line.
pub fn one_line(text: &str) -> String {
    plain(text.trim_end()).replace('\n', "␊").replace('\t', " ")
}

/// How it is shown.
struct Page {
    colours: bool,
    width: usize,
}

impl Page {
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
            "failed" | "timeout" => "31",
            _ => "33",
        };
        let waits = told.waits.as_deref().map(|waits| match waits {
            "resume" => format!(": go on by  aivm resume {}", row.id),
            "calls" | "money" | "tokens" => {
                let option = if waits == "money" { "cost" } else { waits };
                format!(": its limit of {waits} is spent; go on by  aivm resume {} --max-{option} …", row.id)
            }
            "unknown" => ": a step was interrupted, and may have happened or not".to_owned(),
            waits => format!(": waits for {}", one_line(waits)),
        });
        line("status", &format!("{}{}", paint(self.colours, colour, word), waits.unwrap_or_default()));
        line("began", &format!("{} UTC · {}", crate::artifact::time_text(told.began), totals_text(&told.totals())));
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
        for open in told.open.iter().filter(|open| open.unknown) {
            line("settle", &told.settle_line(open));
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

    fn tree(&self, told: &Told) -> String {
        let tree = Tree::of(told);
        let mut lines = Vec::new();
        tree.lines(told, 0, 0, &mut lines);
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

/// What is shown of one call, or of what stands around calls.
struct Line {
    indent: usize,
    name: String,
    cells: Option<Cells>,
    /// Below it: a colour and a text.
    more: Vec<(&'static str, String)>,
}

struct Cells {
    mark: &'static str,
    colour: &'static str,
    outcome: String,
    time: String,
    usage: String,
    artifact: String,
}

/// What happened, nested by its keys.
#[derive(Default)]
struct Tree {
    /// The first is the run.
    nodes: Vec<Node>,
    /// By key.
    known: HashMap<String, usize>,
}

#[derive(Default)]
struct Node {
    /// Its own part of the key.
    name: String,
    rows: Vec<usize>,
    open: Vec<usize>,
    children: Vec<usize>,
}

impl Tree {
    fn of(told: &Told) -> Tree {
        let mut tree = Tree { nodes: vec![Node::default()], known: HashMap::new() };
        for (at, row) in told.rows.iter().enumerate() {
            let node = tree.node(&row.record.key);
            if let Some(node) = tree.nodes.get_mut(node) {
                node.rows.push(at);
            }
        }
        for (at, open) in told.open.iter().enumerate() {
            let node = tree.node(&open.intent.key);
            if let Some(node) = tree.nodes.get_mut(node) {
                node.open.push(at);
            }
        }
        // Items in the order of what they were made of; everything else in the order in which it ended.
        let item = |name: &str| name.strip_prefix('[')?.strip_suffix(']')?.parse::<u64>().ok();
        let items: Vec<Option<u64>> = tree.nodes.iter().map(|node| item(&node.name)).collect();
        for node in &mut tree.nodes {
            node.children.sort_by_key(|child| items.get(*child).copied().flatten());
        }
        tree
    }

    /// The node of a key, made with all that stand around it where they are not there yet.
    fn node(&mut self, key: &str) -> usize {
        let mut around = 0;
        let mut from = 0;
        for end in ends(key) {
            let (Some(whole), Some(name)) = (key.get(..end), key.get(from..end)) else { break };
            around = match self.known.get(whole) {
                Some(node) => *node,
                None => {
                    let node = self.nodes.len();
                    let name = name.trim_start_matches('/').to_owned();
                    self.nodes.push(Node { name, ..Node::default() });
                    self.known.insert(whole.to_owned(), node);
                    if let Some(around) = self.nodes.get_mut(around) {
                        around.children.push(node);
                    }
                    node
                }
            };
            from = end;
        }
        around
    }

    /// The lines of everything in a node.
    fn lines(&self, told: &Told, id: usize, indent: usize, out: &mut Vec<Line>) {
        let Some(node) = self.nodes.get(id) else { return };
        for child in &node.children {
            let (name, id) = self.alone(*child);
            let Some(node) = self.nodes.get(id) else { continue };
            if node.is_bare() {
                out.push(Line { indent, name: plain(&name), cells: None, more: Vec::new() });
            }
            let inside = self.span(told, id).map(|(first, last)| last.saturating_sub(first) as f64 / 1e6);
            let rows = node.rows.iter().filter_map(|at| told.rows.get(*at));
            out.extend(rows.map(|row| ended(row, &name, indent, inside)));
            let open = node.open.iter().filter_map(|at| told.open.get(*at));
            out.extend(open.map(|open| under_way(told, open, &name, indent)));
            self.lines(told, id, indent + 2, out);
        }
    }

    /// A node with all below it that only hold one other: `join.1/1/select.1`.
    fn alone(&self, mut id: usize) -> (String, usize) {
        let mut name = String::new();
        while let Some(node) = self.nodes.get(id) {
            name.push_str(&node.name);
            match node.children.as_slice() {
                [only] if node.is_bare() && self.nodes.get(*only).is_some_and(Node::is_bare) => id = *only,
                _ => break,
            }
            name.push('/');
        }
        (name, id)
    }

    /// When the first call in a node began and the last ended.
    fn span(&self, told: &Told, id: usize) -> Option<(u64, u64)> {
        let node = self.nodes.get(id)?;
        let own = node.rows.iter().filter_map(|at| {
            let row = told.rows.get(*at)?;
            let end = row.at?;
            Some((end.saturating_sub((row.record.ms * 1e6) as u64), end))
        });
        let inner = node.children.iter().filter_map(|child| self.span(told, *child));
        own.chain(inner).reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
    }
}

impl Node {
    /// Nothing ended here: a stage, an item.
    fn is_bare(&self) -> bool {
        self.rows.is_empty() && self.open.is_empty()
    }
}

/// Where the parts of a key end: those of `a/b#1[0]/c#2` behind `a`, `a/b#1`, `a/b#1[0]` and at its end.
fn ends(key: &str) -> impl Iterator<Item = usize> {
    let inner = key.char_indices().filter(|(at, c)| *at > 0 && matches!(c, '/' | '[')).map(|(at, _)| at);
    inner.chain(std::iter::once(key.len()))
}

/// The name of a step with whom it calls, where that has another name.
fn named(name: &str, attempt: u32, worker: &str) -> String {
    let again = if attempt > 1 { format!(" attempt {attempt}") } else { String::new() };
    let same = name.split(['/', '#', '[', '.', '~']).any(|part| part == worker) || name.starts_with('[');
    let whom = if same || worker.is_empty() { String::new() } else { format!(" ({worker})") };
    one_line(&format!("{name}{whom}{again}"))
}

fn ended(row: &Row, name: &str, indent: usize, inside: Option<f64>) -> Line {
    let record = &row.record;
    let (mark, colour) = match record.outcome.as_str() {
        "undone" => ("↶", "33"),
        _ => mark(record),
    };
    let ms = if row.called { Some(record.ms) } else { inside };
    let cells = Cells {
        mark,
        colour,
        outcome: one_line(&record.outcome),
        time: ms.map(time_text).unwrap_or_default(),
        usage: usage(record),
        artifact: record.artifact.map(short).unwrap_or_default(),
    };
    let worker = if row.undo || !row.called { "" } else { &record.worker };
    Line { indent, name: named(name, record.attempt, worker), cells: Some(cells), more: more(record) }
}

/// What a line has no room for.
fn more(record: &StepRecord) -> Vec<(&'static str, String)> {
    let mut more = Vec::new();
    if let Some(verdict) = record.verdict.as_deref().filter(|verdict| *verdict != record.outcome) {
        more.push(("", format!("said {}", one_line(verdict))));
    }
    if !record.passed_over.is_empty() {
        more.push(("", format!("passed over {}", one_line(&record.passed_over.join(", ")))));
    }
    // What failed inside has said so itself.
    if let Some(error) = record.error.as_ref().filter(|error| error.step.is_empty() || error.step == record.key) {
        more.push(("31", plain(&error.message)));
    }
    more
}

fn usage(record: &StepRecord) -> String {
    let tokens = (record.tokens > 0).then(|| Tokens(record.tokens).to_string());
    let money = (record.cost_usd * 1e6).round() as u64;
    let money = (money > 0).then(|| Money(money).to_string());
    [tokens, money].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn under_way(told: &Told, open: &Open, name: &str, indent: usize) -> Line {
    let intent = &open.intent;
    let (mark, colour, outcome) = match () {
        () if open.unknown => ("?", "33", "unknown"),
        () if told.row.status == "running" && told.waits.is_none() => ("…", "36", "under way"),
        () => ("…", "33", "interrupted"),
    };
    let (time, usage, artifact) = Default::default();
    let cells = Cells { mark, colour, outcome: outcome.to_owned(), time, usage, artifact };
    Line { indent, name: named(name, intent.attempt, &intent.worker), cells: Some(cells), more: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_key_nest() {
        let parts = |key: &'static str| ends(key).filter_map(|end| key.get(..end)).collect::<Vec<_>>();
        assert_eq!(parts("a/b#1[0]/c#2"), ["a", "a/b#1", "a/b#1[0]", "a/b#1[0]/c#2"]);
        assert_eq!(parts("select.1#2"), ["select.1#2"]);
    }
}
