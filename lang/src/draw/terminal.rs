//! A program in characters: a line for each stage, step and arm, in the order in which they are written. What leads to another place than
//! the next line has an arrow to the left of them; a stage's own steps stand further in.

use super::path;
use crate::flow::{ChainId, Dest, Element, Flow, Function, Outcome, StageId, StepId, Target, Then};
use crate::lower::kind_word;
use aivm_schema::unit::{Milliseconds, Money, Tokens};
use std::collections::{BTreeMap, HashMap};

/// Spaces a level.
const INDENT: usize = 2;

/// What stands behind a step that a run stands before.
const HERE: &str = "◀ stands here";

/// Draws a program and its definitions, in so many columns where that can be. A run stands before the calls of these keys.
pub fn terminal<'k>(flow: &Flow, stands: impl IntoIterator<Item = &'k str>, width: usize) -> String {
    let stands = path::named(flow, stands);
    let text = |function| Lines::of(flow, function, &stands).text(width);
    let mut drawn: Vec<String> = flow.functions.iter().map(text).collect();
    drawn.rotate_left(flow.functions.iter().position(|function| function.name == "out").unwrap_or(0));
    drawn.join("\n")
}

/// What an outcome leads to.
struct Edge {
    word: String,
    dest: Option<Dest>,
}

/// A line, without the arrows on its left.
struct Line {
    depth: usize,
    name: String,
    edges: Vec<Edge>,
    /// A run stands before it.
    is_here: bool,
}

/// The lines of one function.
struct Lines<'f> {
    flow: &'f Flow,
    /// What a run stands before.
    stands: &'f [Result<StepId, StageId>],
    all: Vec<Line>,
    /// At which line something that is led to stands.
    places: HashMap<Dest, usize>,
}

impl<'f> Lines<'f> {
    fn of(flow: &'f Flow, function: &Function, stands: &'f [Result<StepId, StageId>]) -> Lines<'f> {
        let mut lines = Lines { flow, stands, all: Vec::new(), places: HashMap::new() };
        let (first, last) = match function.name.as_str() {
            "out" => ("in".to_owned(), "out".to_owned()),
            name => (format!("{name}: in"), format!("{name}: out")),
        };
        lines.line(0, first, Vec::new());
        if let Some(chain) = function.chain {
            lines.chain(chain, 1);
        }
        let returns = flow.functions.iter().position(|one| std::ptr::eq(one, function));
        if let Some(id) = returns {
            lines.places.insert(Dest::Return(crate::flow::FunctionId(id as u32)), lines.all.len());
        }
        lines.line(0, last, Vec::new());
        lines
    }

    fn line(&mut self, depth: usize, name: String, edges: Vec<Edge>) {
        self.all.push(Line { depth, name, edges, is_here: false });
    }

    /// Marks the last line when a run stands before this.
    fn mark(&mut self, place: Result<StepId, StageId>) {
        if let Some(line) = self.all.last_mut() {
            line.is_here = self.stands.contains(&place);
        }
    }

    fn chain(&mut self, id: ChainId, depth: usize) {
        for stage in &self.flow.chain(id).stages {
            self.stage(*stage, depth);
        }
    }

    fn stage(&mut self, id: StageId, depth: usize) {
        let stage = self.flow.stage(id);
        let label = stage.label.map(|label| format!(" {}", self.flow.word(label))).unwrap_or_default();
        let count = stage.entries.map(|count| count.most).or(stage.choices);
        let limits = limits(count, stage.deadline_ms, stage.money, stage.tokens);
        let take = stage.take.map(|take| format!(" first {take}")).unwrap_or_default();
        let here = self.all.len();
        self.places.insert(Dest::Stage(id), here);
        self.places.insert(Dest::Chooser(id), here);
        self.line(depth, format!("{}{label}{take}{limits}", kind_word(stage.kind)), Vec::new());
        self.mark(Err(id));
        for (at, element) in (0..).zip(&stage.elements) {
            self.places.insert(Dest::Element(id, at), self.all.len());
            match element {
                Element::Step(step) => self.step(*step, depth + 1),
                Element::Chain(chain) => self.chain(*chain, depth + 1),
            }
        }
        for (at, arm) in (0..).zip(&stage.arms) {
            let word = format!("when {}", arm.on.word(self.flow).unwrap_or_default());
            match &arm.then {
                Then::Ends(ends) => {
                    let edges = ends.iter().map(|end| self.edge(id, at, *end)).collect();
                    self.line(depth + 1, word, edges);
                }
                Then::Chain(chain) => {
                    self.line(depth + 1, word, Vec::new());
                    self.chain(*chain, depth + 2);
                }
            }
        }
    }

    fn step(&mut self, id: StepId, depth: usize) {
        let step = self.flow.step(id);
        let limits = limits(step.visits.map(|count| count.most), step.deadline_ms, step.money, step.tokens);
        let each = if step.each { " each part" } else { "" };
        let undo = step.undo.map(|undo| format!(" ~ {}", self.flow.target_name(undo))).unwrap_or_default();
        let called = match step.target {
            Target::Function(_) => " ( )",
            Target::Worker(_) => "",
        };
        let edges = step.outcomes.iter().map(|outcome| self.edge(step.stage, step.element, *outcome)).collect();
        self.line(depth, format!("{}{called}{limits}{each}{undo}", step.name), edges);
        self.mark(Ok(id));
    }

    fn edge(&self, stage: StageId, element: u32, outcome: Outcome) -> Edge {
        match outcome {
            Outcome::Retry(times) => Edge { word: format!("retry {times}"), dest: None },
            Outcome::Cancel | Outcome::Timeout => Edge { word: outcome.word(self.flow).to_owned(), dest: None },
            Outcome::Jump { .. } => Edge { word: "jump".to_owned(), dest: self.flow.dest(stage, element, outcome) },
            _ => {
                let word = outcome.word(self.flow).to_owned();
                Edge { word, dest: self.flow.dest(stage, element, outcome) }
            }
        }
    }

    /// The line that an edge leads to, when it is another than the next, and not the end.
    fn target(&self, from: usize, edge: &Edge) -> Option<usize> {
        let dest = edge.dest.filter(|dest| !matches!(dest, Dest::Return(_) | Dest::Part(..)))?;
        self.places.get(&dest).copied().filter(|to| *to != from + 1 && *to != from)
    }

    /// What stands behind a line.
    fn said(&self, from: usize, edge: &Edge) -> String {
        let word = &edge.word;
        let Some(dest) = edge.dest else { return word.clone() };
        match (dest, self.places.get(&dest)) {
            (_, Some(to)) if *to == from + 1 => format!("{word} ↓"),
            (_, Some(to)) if *to == from => format!("{word} ↻"),
            (Dest::Return(_), _) => format!("{word} → out"),
            (Dest::Part(..), _) => format!("{word} → its part"),
            (Dest::Chooser(_), _) => format!("{word} → choose again"),
            (_, Some(to)) => {
                let arrow = if *to < from { "↑" } else { "⇣" };
                let label = if let Dest::Stage(id) = dest { self.flow.stage(id).label } else { None };
                let first = || self.all.get(*to).and_then(|line| line.name.split(' ').next()).unwrap_or_default();
                let name = label.map_or_else(first, |label| self.flow.word(label));
                format!("{word} {arrow} {name}")
            }
            (dest, None) => format!("{word} → {}", self.flow.dest_text(dest)),
        }
    }

    fn text(&self, width: usize) -> String {
        let mut arrows: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (from, line) in self.all.iter().enumerate() {
            for to in line.edges.iter().filter_map(|edge| self.target(from, edge)) {
                arrows.entry(to).or_default().push(from);
            }
        }
        let gutter = Gutter::of(&arrows, self.all.len());
        let widest = |line: &Line| line.depth * INDENT + line.name.chars().count();
        let column = self.all.iter().filter(|line| !line.edges.is_empty()).map(widest).max().unwrap_or(0);
        let mut out = String::new();
        for ((at, line), left) in self.all.iter().enumerate().zip(&gutter.rows) {
            let name = format!("{}{}", " ".repeat(line.depth * INDENT), line.name);
            let mut edges: Vec<String> = line.edges.iter().map(|edge| self.said(at, edge)).collect();
            let last = edges.len().saturating_sub(1);
            edges.iter_mut().take(last).for_each(|edge| edge.push_str(" |"));
            edges.extend(line.is_here.then(|| HERE.to_owned()));
            let room = width.saturating_sub(left.chars().count() + column + 2);
            for (row, said) in rows(&edges, room).iter().enumerate() {
                let (left, name) = if row == 0 { (left.clone(), name.as_str()) } else { (below(left), "") };
                out.push_str(format!("{left}{name:<column$}  {said}").trim_end());
                out.push('\n');
            }
        }
        out
    }
}

/// Words in rows of this width; what is wider than that has a row to itself.
fn rows(words: &[String], width: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    for word in words {
        match rows.last_mut() {
            Some(row) if row.is_empty() => row.push_str(word),
            Some(row) if row.chars().count() + 1 + word.chars().count() <= width => row.push_str(&format!(" {word}")),
            _ => rows.push(word.clone()),
        }
    }
    rows
}

/// What goes on below a row of arrows, when its line has another row.
fn below(left: &str) -> String {
    let goes_on = |c| if "╭├│┼".contains(c) { '│' } else { ' ' };
    left.chars().map(goes_on).collect()
}

/// The arrows to the left of the lines. Those with the same target share one; the shortest stand nearest.
struct Gutter {
    rows: Vec<String>,
}

impl Gutter {
    fn of(arrows: &BTreeMap<usize, Vec<usize>>, height: usize) -> Gutter {
        let span = |to: &usize, from: &[usize]| {
            let ends = || from.iter().chain([to]).copied();
            (ends().min().unwrap_or(*to), ends().max().unwrap_or(*to))
        };
        let mut arrows: Vec<(usize, usize, usize, &[usize])> = arrows
            .iter()
            .map(|(to, from)| {
                let (first, last) = span(to, from);
                (first, last, *to, from.as_slice())
            })
            .collect();
        arrows.sort_by_key(|(first, last, ..)| last - first);
        // The lines that each column has taken already.
        let mut columns: Vec<Vec<(usize, usize)>> = Vec::new();
        let mut placed = Vec::new();
        for (first, last, to, from) in arrows {
            let is_free = |taken: &Vec<(usize, usize)>| taken.iter().all(|(top, end)| last < *top || *end < first);
            let column = columns.iter().position(is_free).unwrap_or(columns.len());
            if column == columns.len() {
                columns.push(Vec::new());
            }
            if let Some(taken) = columns.get_mut(column) {
                taken.push((first, last));
            }
            placed.push((column, first, last, to, from));
        }
        let width = if columns.is_empty() { 0 } else { 2 * columns.len() + 2 };
        let mut cells = vec![vec![' '; width]; height];
        let x = |column: usize| width.saturating_sub(4 + 2 * column);
        for (column, first, last, to, from) in &placed {
            for row in *first..=*last {
                let is_end = row == *to || from.contains(&row);
                let line = match () {
                    () if row == *first => '╭',
                    () if row == *last => '╰',
                    () if is_end => '├',
                    () => '│',
                };
                put(&mut cells, row, x(*column), line);
            }
        }
        for (column, _, _, to, from) in &placed {
            for row in from.iter().chain([to]) {
                for at in x(*column) + 1..width.saturating_sub(1) {
                    let crossing = cells.get(*row).and_then(|cells| cells.get(at)) == Some(&'│');
                    put(&mut cells, *row, at, if crossing { '┼' } else { '─' });
                }
                if row == to {
                    put(&mut cells, *row, width.saturating_sub(2), '▶');
                }
            }
        }
        Gutter { rows: cells.into_iter().map(String::from_iter).collect() }
    }
}

fn put(cells: &mut [Vec<char>], row: usize, at: usize, line: char) {
    if let Some(cell) = cells.get_mut(row).and_then(|cells| cells.get_mut(at)) {
        *cell = line;
    }
}

fn limits(count: Option<u16>, ms: Option<u64>, money: Option<u64>, tokens: Option<u64>) -> String {
    let all = [
        count.map(|count| format!("×{count}")),
        ms.map(|ms| Milliseconds(ms).to_string()),
        money.map(|money| Money(money).to_string()),
        tokens.map(|tokens| Tokens(tokens).to_string()),
    ];
    let all: Vec<String> = all.into_iter().flatten().collect();
    if all.is_empty() { String::new() } else { format!(" {}", all.join(" ")) }
}

#[cfg(test)]
mod tests {
    use super::terminal;
    use crate::library::Shelf;

    #[test]
    fn what_leads_elsewhere_has_an_arrow() {
        let text = "again <= ( switch[once] <= ( check => next | retry ) )
            out <= ( switch[draft]<2> <= ( plan => next  write<3> => next | back  again => continue | back * 2 )
                <= match <= ( done => send  default => [draft.jump] ) ) <= in";
        let shelf = Shelf { anything: true, ..Shelf::default() };
        let flow = crate::compile("p.aivm", text, &shelf).expect("a program").flow;
        let expected = "      in
╭───▶   switch draft ×2
│ ╭─▶     plan          next ↓
│ ├──     write ×3      next ↓ | back ↑ plan
│ ╰──     again ( )     continue ↓ | back ↑ plan
│       match
│         when done     send → out
╰────     when default  jump ↑ draft
      out

again: in
  switch once
    check  next ↓ | retry 1
again: out
";
        assert_eq!(terminal(&flow, [], usize::MAX), expected);
    }

    #[test]
    fn where_a_run_stands_is_marked_and_a_wide_row_breaks_between_outcomes() {
        let text = "fix <= ( switch[mend] <= ( check => next ) )
            out <= ( switch[draft]<2> <= ( plan => next  fix => next | retry * 3 | [draft.jump] | cancel ) ) <= in";
        let shelf = Shelf { anything: true, ..Shelf::default() };
        let flow = crate::compile("p.aivm", text, &shelf).expect("a program").flow;
        let expected = "    in
╭─▶   switch draft ×2
│       plan     next ↓
╰──     fix ( )  next ↓ | retry 3 |
                 jump ↑ draft | cancel
    out

fix: in
  switch mend
    check  next ↓ ◀ stands here
fix: out
";
        assert_eq!(terminal(&flow, ["draft/fix#1/mend/check#1", "no/such#1"], 40), expected);
    }
}
