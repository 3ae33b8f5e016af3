//! The flow graph for Graphviz: a cluster for each stage and definition.

use super::edges::{Place, Sort, edges};
use super::labels;
use super::path::{Fate, Path};
use super::traffic::Traffic;
use crate::flow::*;
use crate::lower::kind_word;
use aivm_schema::module::StageKind;
use std::fmt::Write;

const TAKEN: &str = "#0b5bd3";
const FAILED: &str = "#c2493a";
const FADED: &str = "#b9c0c7";

pub(super) fn write(flow: &Flow, path: Option<&Path>) -> String {
    let traffic = path.map(|path| Traffic::of(flow, path));
    let mut dot = Dot { flow, traffic: traffic.as_ref(), out: String::new() };
    dot.out.push_str("digraph aivm {\n");
    dot.out.push_str("  graph [fontname=\"Helvetica\", compound=true, ranksep=0.35, nodesep=0.3];\n");
    dot.out.push_str("  node [fontname=\"Helvetica\", fontsize=12, shape=box, style=\"rounded,filled\", fillcolor=\"#f4f6f8\", color=\"#9aa6b1\"];\n");
    dot.out.push_str("  edge [fontname=\"Helvetica\", fontsize=10, color=\"#47535e\", fontcolor=\"#66727d\"];\n");
    for (at, function) in flow.functions.iter().enumerate() {
        dot.function(FunctionId(at as u32), function);
    }
    let all = edges(flow, traffic.as_ref());
    for stop in stops(&all) {
        let word = if matches!(stop, Place::Timeout(_)) { "timeout" } else { "cancel" };
        let _ = writeln!(
            dot.out,
            "  {} [label=\"{word}\", shape=octagon, style=\"\", color=\"#c2493a\", fontcolor=\"#c2493a\"];",
            stop.id()
        );
    }
    for edge in &all {
        let mut with = Vec::new();
        if !edge.label.is_empty() {
            with.push(format!("label={}", quoted(&edge.label)));
        }
        let colour = match edge.sort {
            Sort::Forward => None,
            Sort::Loop => Some("#b0407a"),
            Sort::Stop | Sort::Catch => Some("#c2493a"),
            Sort::Undo => Some("#0c7f89"),
            Sort::Source => Some("#9aa6b1"),
        };
        let colour = match (path.is_some(), edge.count, edge.sort) {
            (true, Some(0), _) => Some(FADED),
            (true, Some(_), Sort::Forward) => Some(TAKEN),
            _ => colour,
        };
        with.extend(colour.map(|colour| format!("color=\"{colour}\", fontcolor=\"{colour}\"")));
        if path.is_some() && edge.count.is_some_and(|n| n > 0) {
            with.push("penwidth=2.2".to_owned());
        }
        match edge.sort {
            Sort::Loop | Sort::Stop => with.push("constraint=false".to_owned()),
            Sort::Undo => with.push("style=dashed, arrowhead=none, constraint=false".to_owned()),
            Sort::Source => with.push("style=dotted, constraint=false".to_owned()),
            Sort::Catch => with.push("style=dashed".to_owned()),
            Sort::Forward => {}
        }
        with.extend(edge.whole.map(|stage| format!("ltail=cluster_{}", stage.0)));
        let with = if with.is_empty() { String::new() } else { format!(" [{}]", with.join(", ")) };
        let _ = writeln!(dot.out, "  {} -> {}{with};", edge.from.id(), edge.to.id());
    }
    dot.out.push_str("}\n");
    dot.out
}

/// The places where cancels and timeouts end, each once.
pub(super) fn stops(edges: &[super::edges::Edge]) -> Vec<Place> {
    let is_stop = |place: &Place| matches!(place, Place::Cancel(_) | Place::Timeout(_));
    let mut stops: Vec<Place> = edges.iter().map(|edge| edge.to).filter(is_stop).collect();
    stops.sort();
    stops.dedup();
    stops
}

struct Dot<'a> {
    flow: &'a Flow,
    traffic: Option<&'a Traffic>,
    out: String,
}

impl Dot<'_> {
    fn line(&mut self, depth: usize, text: &str) {
        let _ = writeln!(self.out, "{}{text}", "  ".repeat(depth));
    }

    fn function(&mut self, id: FunctionId, function: &Function) {
        let program = id.0 == 0;
        let depth = if program { 1 } else { 2 };
        if !program {
            self.line(1, &format!("subgraph cluster_d{} {{", id.0));
            self.line(
                2,
                &format!(
                    "label={}; labeljust=l; style=\"rounded,filled\"; fillcolor=\"#f0f1ef\"; color=\"#d5d8d6\";",
                    quoted(&function.name)
                ),
            );
        }
        for (place, word) in [(Place::In(id), "in"), (Place::Out(id), "out")] {
            self.line(
                depth,
                &format!("{} [label=\"{word}\", fillcolor=\"#1d2730\", fontcolor=\"#ffffff\"];", place.id()),
            );
        }
        if let Some(chain) = function.chain {
            self.chain(chain, depth);
        }
        if !program {
            self.line(1, "}");
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
        let (colour, style) = match stage.kind {
            StageKind::Switch => ("#3d6c9e", "rounded"),
            StageKind::Select => ("#7b52ab", "rounded"),
            StageKind::Join => ("#2f8059", "rounded,dashed"),
            StageKind::Match => ("#a86b12", "rounded"),
        };
        self.line(depth, &format!("subgraph cluster_{} {{", id.0));
        let title = quoted(&stage_title(flow, stage));
        self.line(
            depth + 1,
            &format!("label={title}; labeljust=l; style=\"{style}\"; color=\"{colour}\"; fontcolor=\"{colour}\";"),
        );
        match stage.kind {
            StageKind::Switch => {}
            StageKind::Select => {
                let who = stage.chooser.map_or("?", |chooser| &flow.worker(chooser).name);
                self.line(
                    depth + 1,
                    &format!(
                        "{} [label={}, shape=diamond, style=\"\", color=\"{colour}\"];",
                        Place::Chooser(id).id(),
                        quoted(who)
                    ),
                );
            }
            StageKind::Join => {
                for place in [Place::Fork(id), Place::Join(id)] {
                    self.line(
                        depth + 1,
                        &format!(
                            "{} [label=\"\", style=filled, fillcolor=\"{colour}\", width=1.2, height=0.06];",
                            place.id()
                        ),
                    );
                }
            }
            StageKind::Match => {
                self.line(
                    depth + 1,
                    &format!("{} [label=\"match\", shape=cds, style=\"\", color=\"{colour}\"];", Place::Match(id).id()),
                );
            }
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
        self.line(depth, "}");
    }

    fn step(&mut self, id: StepId, depth: usize) {
        let flow = self.flow;
        let step = flow.step(id);
        let mut with = vec![format!("label={}", quoted(&step_title(flow, step)))];
        if matches!(step.target, Target::Function(_)) {
            with.push("peripheries=2".to_owned());
        }
        let fate = self.traffic.and_then(|traffic| traffic.fate(id));
        match self.traffic.map(|traffic| traffic.visits(id)) {
            Some(_) if fate == Some(Fate::Failed) => {
                with.push(format!("color=\"{FAILED}\", fillcolor=\"#fbe9e6\", penwidth=2"));
            }
            Some(_) if fate == Some(Fate::Cancelled) => with.push("style=\"rounded,dashed\"".to_owned()),
            Some(0) => with.push(format!("color=\"{FADED}\", fontcolor=\"{FADED}\"")),
            Some(_) => with.push(format!("color=\"{TAKEN}\", fillcolor=\"#e4eefc\", penwidth=2")),
            None => {}
        }
        self.line(depth, &format!("{} [{}];", Place::Step(id).id(), with.join(", ")));
        if let Some(undo) = step.undo {
            let name = quoted(flow.target_name(undo));
            self.line(
                depth,
                &format!(
                    "{} [label={name}, style=\"rounded,dashed\", color=\"#0c7f89\", fontcolor=\"#0c7f89\"];",
                    Place::Undoer(id).id()
                ),
            );
        }
    }
}

/// `select tools ≤8`
pub(super) fn stage_title(flow: &Flow, stage: &Stage) -> String {
    let mut title = kind_word(stage.kind).to_owned();
    let label = stage.label.map(|label| flow.word(label).to_owned());
    for part in label.into_iter().chain(labels::stage_limits(stage).map(|limits| limits.text)) {
        title.push(' ');
        title.push_str(&part);
    }
    title
}

/// The step's worker, with its behaviours.
pub(super) fn step_title(flow: &Flow, step: &Step) -> String {
    let name = flow.target_name(step.target);
    match labels::behaviours(flow, step) {
        Some(behaviours) => format!("{name} ({behaviours})"),
        None => name.to_owned(),
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
