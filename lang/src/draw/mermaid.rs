//! The flow graph for Mermaid: a flowchart with a subgraph for each stage and definition.

use super::dot::{stage_title, step_title, stops};
use super::edges::{Place, Sort, edges};
use super::path::{Fate, Path};
use super::traffic::Traffic;
use crate::flow::*;
use aivm_schema::module::StageKind;
use std::fmt::Write;

pub(super) fn write(flow: &Flow, path: Option<&Path>) -> String {
    let traffic = path.map(|path| Traffic::of(flow, path));
    let mut chart =
        Chart { flow, traffic: traffic.as_ref(), out: "flowchart TD\n".to_owned(), classes: Default::default() };
    for (at, function) in flow.functions.iter().enumerate() {
        chart.function(FunctionId(at as u32), function);
    }
    let all = edges(flow, traffic.as_ref());
    for stop in stops(&all) {
        let word = if matches!(stop, Place::Timeout(_)) { "timeout" } else { "cancel" };
        chart.line(1, &format!("{}{{{{\"{word}\"}}}}:::stop", stop.id()));
    }
    let mut styles: Vec<(String, Vec<usize>)> = Vec::new();
    for (at, edge) in all.iter().enumerate() {
        let arrow = match edge.sort {
            Sort::Undo => "-.-",
            Sort::Source | Sort::Catch => "-.->",
            _ => "-->",
        };
        let label = if edge.label.is_empty() { String::new() } else { format!("|{}|", quoted(&edge.label)) };
        let from = edge.whole.map_or_else(|| edge.from.id(), |stage| format!("g{}", stage.0));
        chart.line(1, &format!("{from} {arrow}{label} {}", edge.to.id()));
        let colour = match (path.is_some(), edge.count, edge.sort) {
            (true, Some(0), _) => Some("#b9c0c7"),
            (true, Some(_), Sort::Forward) => Some("#0b5bd3"),
            (_, _, Sort::Loop) => Some("#b0407a"),
            (_, _, Sort::Stop | Sort::Catch) => Some("#c2493a"),
            (_, _, Sort::Undo) => Some("#0c7f89"),
            _ => None,
        };
        let wide = if path.is_some() && edge.count.is_some_and(|n| n > 0) { ",stroke-width:3px" } else { "" };
        if let Some(style) = colour.map(|colour| format!("stroke:{colour}{wide}")) {
            match styles.iter_mut().find(|(known, _)| *known == style) {
                Some((_, edges)) => edges.push(at),
                None => styles.push((style, vec![at])),
            }
        }
    }
    for (style, edges) in styles {
        let edges: Vec<String> = edges.iter().map(usize::to_string).collect();
        chart.line(1, &format!("linkStyle {} {style}", edges.join(",")));
    }
    chart.class_lines();
    chart.out
}

struct Chart<'a> {
    flow: &'a Flow,
    traffic: Option<&'a Traffic>,
    out: String,
    /// The subgraphs of each kind.
    classes: [Vec<String>; 4],
}

impl Chart<'_> {
    fn line(&mut self, depth: usize, text: &str) {
        let _ = writeln!(self.out, "{}{text}", "  ".repeat(depth));
    }

    fn class_lines(&mut self) {
        let kinds = [
            ("switch", "#3d6c9e", ""),
            ("select", "#7b52ab", ""),
            ("join", "#2f8059", ",stroke-dasharray:6 4"),
            ("match", "#a86b12", ""),
        ];
        for (at, (kind, colour, dash)) in kinds.into_iter().enumerate() {
            let stages = std::mem::take(&mut self.classes[at]);
            if !stages.is_empty() {
                self.line(1, &format!("classDef {kind} fill:none,stroke:{colour},stroke-width:1.5px{dash}"));
                self.line(1, &format!("class {} {kind}", stages.join(",")));
            }
        }
        self.line(1, "classDef stop stroke:#c2493a,color:#c2493a,fill:none");
        self.line(1, "classDef undoer stroke:#0c7f89,color:#0c7f89,fill:none,stroke-dasharray:4 3");
        if self.traffic.is_some() {
            self.line(1, "classDef taken stroke:#0b5bd3,stroke-width:2px");
            self.line(1, "classDef faded opacity:0.4");
            self.line(1, "classDef failed stroke:#c2493a,fill:#fbe9e6,stroke-width:2px");
            self.line(1, "classDef cancelled stroke:#66727d,stroke-dasharray:5 3");
        }
    }

    fn function(&mut self, id: FunctionId, function: &Function) {
        let program = id.0 == 0;
        let depth = if program { 1 } else { 2 };
        if !program {
            self.line(1, &format!("subgraph d{}[{}]", id.0, quoted(&function.name)));
        }
        for (place, word) in [(Place::In(id), "in"), (Place::Out(id), "out")] {
            self.line(depth, &format!("{}([\"{word}\"])", place.id()));
        }
        if let Some(chain) = function.chain {
            self.chain(chain, depth);
        }
        if !program {
            self.line(1, "end");
        }
    }

    fn chain(&mut self, id: ChainId, depth: usize) {
        for stage in &self.flow.chain(id).stages {
            self.stage(*stage, depth);
        }
    }

    fn stage(&mut self, id: StageId, depth: usize) {
        let flow = self.flow;
        let stage = flow.stage(id);
        self.line(depth, &format!("subgraph g{}[{}]", id.0, quoted(&stage_title(flow, stage))));
        self.classes[stage.kind as usize].push(format!("g{}", id.0));
        match stage.kind {
            StageKind::Switch => {}
            StageKind::Select => {
                let who = stage.chooser.map_or("?", |chooser| &flow.worker(chooser).name);
                self.line(depth + 1, &format!("{}{{{}}}", Place::Chooser(id).id(), quoted(who)));
            }
            StageKind::Join => {
                self.line(depth + 1, &format!("{}[\"fork\"]", Place::Fork(id).id()));
                self.line(depth + 1, &format!("{}[\"join\"]", Place::Join(id).id()));
            }
            StageKind::Match => self.line(depth + 1, &format!("{}>\"match\"]", Place::Match(id).id())),
        }
        for element in &stage.elements {
            match element {
                Element::Step(step) => self.step(*step, depth + 1),
                Element::Chain(chain) => self.chain(*chain, depth + 1),
            }
        }
        for arm in &stage.arms {
            if let Then::Chain(chain) = arm.then {
                self.chain(chain, depth + 1);
            }
        }
        self.line(depth, "end");
    }

    fn step(&mut self, id: StepId, depth: usize) {
        let flow = self.flow;
        let step = flow.step(id);
        let title = quoted(&step_title(flow, step));
        let shape = match step.target {
            Target::Function(_) => format!("[[{title}]]"),
            Target::Worker(_) => format!("({title})"),
        };
        let fate = self.traffic.and_then(|traffic| traffic.fate(id));
        let class = match self.traffic.map(|traffic| traffic.visits(id)) {
            Some(_) if fate == Some(Fate::Failed) => ":::failed",
            Some(_) if fate == Some(Fate::Cancelled) => ":::cancelled",
            Some(0) => ":::faded",
            Some(_) => ":::taken",
            None => "",
        };
        self.line(depth, &format!("{}{shape}{class}", Place::Step(id).id()));
        if let Some(undo) = step.undo {
            self.line(depth, &format!("{}({}):::undoer", Place::Undoer(id).id(), quoted(flow.target_name(undo))));
        }
    }
}

/// In quotes, with what Mermaid or HTML would read in another way as entities.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '&' | '<' | '>' | '#' | ';' | '`' | '|' | '[' | ']' | '{' | '}' | '\\' => {
                let _ = write!(out, "#{};", c as u32);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
