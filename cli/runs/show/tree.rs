//! What happened in a run, nested by the keys of its steps, as lines.

use super::loops::{ASK, TOOL};
use super::question;
use crate::out::one_line;
use crate::out::plain;
use crate::out::short;
use crate::progress::mark;
use crate::runs::journal::{Open, Row, Stands, Told};
use aivm_host::trace::{StepRecord, taken_text};
use aivm_schema::journal::ApprovalRequested;
use aivm_schema::unit::{Money, Tokens};
use std::collections::HashMap;

/// What is shown of one call, or of what stands around calls.
pub struct Line {
    /// How far in it stands.
    pub indent: usize,
    /// Its part of the key, with whom it calls and which attempt it is.
    pub name: String,
    /// None: a stage or an item that only stands around calls.
    pub cells: Option<Cells>,
    /// Below it: a colour and a text.
    pub more: Vec<(&'static str, String)>,
}

/// What stands beside a name.
#[allow(missing_docs)]
pub struct Cells {
    pub mark: &'static str,
    pub colour: &'static str,
    pub outcome: String,
    pub time: String,
    pub usage: String,
    pub artifact: String,
}

/// The lines of everything that happened; how the arguments of tools begin is told by the number of a row.
pub fn lines(told: &Told, arguments: &HashMap<usize, String>) -> Vec<Line> {
    let mut lines = Vec::new();
    Tree::of(told).lines(told, arguments, 0, 0, &mut lines);
    lines
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
            let node = tree.node(&open.key);
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
        tree.straighten();
        tree
    }

    /// A model with tools is asked and calls by turns: its two stages are told as one, in the order in which it happened.
    fn straighten(&mut self) {
        for id in 0..self.nodes.len() {
            let named = |stage: &str| {
                let is_named =
                    |child: &&usize| self.nodes.get(**child).is_some_and(|node| node.name == stage && node.is_bare());
                self.nodes.get(id)?.children.iter().find(is_named).copied()
            };
            let (Some(ask), Some(tool)) = (named(ASK), named(TOOL)) else { continue };
            let mut turns = Vec::new();
            for stage in [ask, tool] {
                let Some(node) = self.nodes.get_mut(stage) else { continue };
                let (name, children) = (node.name.clone(), std::mem::take(&mut node.children));
                for child in children {
                    turns.push((self.first(child), child));
                    if let Some(child) = self.nodes.get_mut(child) {
                        child.name = format!("{name}/{}", child.name);
                    }
                }
            }
            turns.sort();
            if let Some(node) = self.nodes.get_mut(id) {
                node.children.retain(|child| *child != ask && *child != tool);
                node.children.extend(turns.into_iter().map(|(_, child)| child));
            }
        }
    }

    /// The first that ended in a node; what is under way comes behind all.
    fn first(&self, id: usize) -> usize {
        let Some(node) = self.nodes.get(id) else { return usize::MAX };
        let inner = node.children.iter().map(|child| self.first(*child));
        node.rows.iter().copied().chain(inner).min().unwrap_or(usize::MAX)
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
    fn lines(&self, told: &Told, arguments: &HashMap<usize, String>, id: usize, indent: usize, out: &mut Vec<Line>) {
        let Some(node) = self.nodes.get(id) else { return };
        for child in &node.children {
            let (name, id) = self.alone(*child);
            let Some(node) = self.nodes.get(id) else { continue };
            if node.is_bare() {
                out.push(Line { indent, name: plain(&name), cells: None, more: Vec::new() });
            }
            let inside = self.span(told, id).map(|(first, last)| last.saturating_sub(first) as f64 / 1e6);
            let rows = node.rows.iter().filter_map(|at| Some((at, told.rows.get(*at)?)));
            out.extend(rows.map(|(at, row)| ended(row, &name, indent, inside, arguments.get(at))));
            let open = node.open.iter().filter_map(|at| told.open.get(*at));
            out.extend(open.map(|open| under_way(told, open, &name, indent)));
            self.lines(told, arguments, id, indent + 2, out);
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

fn ended(row: &Row, name: &str, indent: usize, inside: Option<f64>, arguments: Option<&String>) -> Line {
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
        time: ms.map(|ms| taken_text(ms, record.waited_ms)).unwrap_or_default(),
        usage: usage(record),
        artifact: record.artifact.map(short).unwrap_or_default(),
    };
    let worker = if row.undo || !row.called { "" } else { &record.worker };
    Line { indent, name: named(name, record.attempt, worker), cells: Some(cells), more: more(record, arguments) }
}

/// What a line has no room for.
fn more(record: &StepRecord, arguments: Option<&String>) -> Vec<(&'static str, String)> {
    let mut more: Vec<_> = arguments.map(|arguments| ("2", arguments.clone())).into_iter().collect();
    if let Some(run) = &record.cached_from {
        more.push(("", format!("cached: answered as in the run {}", one_line(run))));
    }
    more.extend(record.first().map(|first| ("33", format!("first {}", one_line(first)))));
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
    let (mark, colour, outcome) = match &open.stands {
        Stands::Unknown => ("?", "33", "unknown"),
        Stands::Asked(_) => ("?", "36", "asked"),
        Stands::Begun if told.row.status == "running" && told.waits.is_none() => ("…", "36", "under way"),
        Stands::Begun => ("…", "33", "interrupted"),
    };
    let (time, usage, artifact) = Default::default();
    let cells = Cells { mark, colour, outcome: outcome.to_owned(), time, usage, artifact };
    let asked = |question: &ApprovalRequested| format!("{} ({})", question.question, question.choices.join(" | "));
    let more = question(open).map(|question| ("36", plain(&asked(question))));
    let name = named(name, open.attempt, &open.worker);
    Line { indent, name, cells: Some(cells), more: more.into_iter().collect() }
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
