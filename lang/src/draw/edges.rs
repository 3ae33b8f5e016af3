//! The flow graph as nodes and edges, for formats that lay it out themselves: what leads where, with which words and limits.

use super::labels;
use super::traffic::Traffic;
use crate::flow::*;
use aivm_schema::module::StageKind;
use rustc_hash::FxHashMap;

/// A place that edges lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Place {
    In(FunctionId),
    Out(FunctionId),
    /// Where a function's cancels and timeouts lead.
    Cancel(FunctionId),
    Timeout(FunctionId),
    Step(StepId),
    Undoer(StepId),
    Chooser(StageId),
    Fork(StageId),
    Join(StageId),
    Match(StageId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sort {
    Forward,
    Loop,
    Stop,
    Undo,
    Source,
    /// An ending of a stage, caught by the match below.
    Catch,
}

/// All outcomes from one place to another.
#[derive(Debug)]
pub(super) struct Edge {
    pub from: Place,
    /// It comes from all of this stage.
    pub whole: Option<StageId>,
    pub to: Place,
    pub sort: Sort,
    pub label: String,
    /// How often, in a run; none: unknown, or no run.
    pub count: Option<u32>,
}

impl Place {
    /// A name for formats: a letter and a number.
    pub fn id(self) -> String {
        match self {
            Place::In(id) => format!("in{}", id.0),
            Place::Out(id) => format!("out{}", id.0),
            Place::Cancel(id) => format!("cancel{}", id.0),
            Place::Timeout(id) => format!("timeout{}", id.0),
            Place::Step(id) => format!("s{}", id.0),
            Place::Undoer(id) => format!("u{}", id.0),
            Place::Chooser(id) => format!("c{}", id.0),
            Place::Fork(id) => format!("f{}", id.0),
            Place::Join(id) => format!("j{}", id.0),
            Place::Match(id) => format!("m{}", id.0),
        }
    }
}

/// All edges of a flow graph, function by function, as they are written.
pub(super) fn edges(flow: &Flow, traffic: Option<&Traffic>) -> Vec<Edge> {
    let mut edges = Edges { flow, traffic, edges: Vec::new(), merged: FxHashMap::default() };
    for (at, function) in flow.functions.iter().enumerate() {
        let id = FunctionId(at as u32);
        let calls = traffic.map(|traffic| traffic.calls(id));
        let to = match function.chain.and_then(|chain| flow.chain(chain).stages.first()) {
            Some(first) => edges.entry(*first),
            None => Place::Out(id),
        };
        edges.add(Place::In(id), to, Sort::Forward, "", calls);
        for stage in function.stages.0..function.stages.1 {
            edges.stage(StageId(stage));
        }
        for step in function.steps.0..function.steps.1 {
            edges.step(id, StepId(step));
        }
    }
    for edge in &mut edges.edges {
        // The limits of whom it leads to stand on the edge.
        let limits = match edge.to {
            Place::Step(step) if edge.from != edge.to && matches!(edge.sort, Sort::Forward | Sort::Loop) => {
                labels::step_limits(flow.step(step))
            }
            _ => None,
        };
        if let Some(limits) = limits.filter(|limits| !limits.default || edge.sort == Sort::Loop) {
            edge.label = [edge.label.as_str(), limits.text.as_str()].join(" ").trim().to_owned();
        }
        edge.label = labels::with_times(std::mem::take(&mut edge.label), edge.count);
    }
    edges.edges
}

struct Edges<'a> {
    flow: &'a Flow,
    traffic: Option<&'a Traffic>,
    edges: Vec<Edge>,
    merged: FxHashMap<(Place, Place, Sort), usize>,
}

impl Edges<'_> {
    fn add(&mut self, from: Place, to: Place, sort: Sort, word: &str, count: Option<u32>) {
        let at = *self.merged.entry((from, to, sort)).or_insert(self.edges.len());
        let Some(edge) = self.edges.get_mut(at) else {
            self.edges.push(Edge { from, whole: None, to, sort, label: word.to_owned(), count });
            return;
        };
        if !word.is_empty() {
            edge.label = if edge.label.is_empty() { word.to_owned() } else { format!("{} | {word}", edge.label) };
        }
        edge.count = edge.count.zip(count).map(|(a, b)| a + b);
    }

    /// Where a stage is entered.
    fn entry(&self, id: StageId) -> Place {
        let stage = self.flow.stage(id);
        match stage.kind {
            StageKind::Select => Place::Chooser(id),
            StageKind::Join => Place::Fork(id),
            StageKind::Match => Place::Match(id),
            StageKind::Switch => self.element(id, 0),
        }
    }

    fn element(&self, stage: StageId, element: u32) -> Place {
        match self.flow.stage(stage).elements.get(element as usize) {
            Some(Element::Step(step)) => Place::Step(*step),
            Some(Element::Chain(chain)) => {
                self.flow.chain(*chain).stages.first().map_or(Place::Chooser(stage), |first| self.entry(*first))
            }
            None => Place::Chooser(stage),
        }
    }

    fn dest(&self, dest: Dest) -> Place {
        match dest {
            Dest::Element(stage, element) => self.element(stage, element),
            Dest::Stage(stage) => self.entry(stage),
            Dest::Chooser(stage) => Place::Chooser(stage),
            Dest::Part(stage, _) => Place::Join(stage),
            Dest::Return(function) => Place::Out(function),
        }
    }

    /// An outcome from a place.
    fn outcome(&mut self, from: Place, at: (StageId, u32), word: Option<&str>, outcome: Outcome, count: Option<u32>) {
        let function = self.flow.stage(at.0).function;
        let said = labels::outcome(self.flow, outcome);
        let mut said = match (word, outcome) {
            (Some(word), Outcome::Send) => word.to_owned(),
            (Some(word), _) => format!("{word}: {said}"),
            (None, Outcome::Next) => String::new(),
            (None, _) => said,
        };
        let (to, sort) = match (outcome, self.flow.dest(at.0, at.1, outcome)) {
            (Outcome::Retry(_), _) => (from, Sort::Loop),
            (Outcome::Timeout, _) => (Place::Timeout(function), Sort::Stop),
            (Outcome::Back(_) | Outcome::Jump { .. }, Some(dest)) => (self.dest(dest), Sort::Loop),
            (_, Some(dest)) => (self.dest(dest), Sort::Forward),
            (Outcome::Cancel, None) => (Place::Cancel(function), Sort::Stop),
            (_, None) => {
                said.push_str(" (never)");
                (from, Sort::Loop)
            }
        };
        if sort == Sort::Loop
            && let Some(Dest::Stage(stage)) = self.flow.dest(at.0, at.1, outcome)
            && let Some(limits) = labels::stage_limits(self.flow.stage(stage))
        {
            said = format!("{said} {}", limits.text);
        }
        self.add(from, to, sort, &said, count);
    }

    fn stage(&mut self, id: StageId) {
        let flow = self.flow;
        let stage = flow.stage(id);
        let exits = self.traffic.and_then(|traffic| traffic.exits(id));
        if let Some(above) = flow.above(id).filter(|_| !stage.catches.is_empty()) {
            let caught = self.traffic.and_then(|traffic| traffic.caught(id));
            self.add(self.entry(above), Place::Match(id), Sort::Catch, &labels::caught(stage), caught);
            if let Some(edge) = self.edges.last_mut() {
                edge.whole = Some(above);
            }
        }
        match stage.kind {
            StageKind::Switch => {}
            StageKind::Select | StageKind::Join => {
                let (from, out) = match stage.kind {
                    StageKind::Select => (Place::Chooser(id), Place::Chooser(id)),
                    _ => (Place::Fork(id), Place::Join(id)),
                };
                for (at, element) in stage.elements.iter().enumerate() {
                    let count = self.traffic.and_then(|traffic| match element {
                        Element::Step(step) => Some(traffic.visits(*step)),
                        Element::Chain(chain) => {
                            flow.chain(*chain).stages.first().and_then(|first| traffic.entries(*first))
                        }
                    });
                    self.add(from, self.element(id, at as u32), Sort::Forward, "", count);
                }
                let word = if stage.kind == StageKind::Select {
                    "finish".to_owned()
                } else {
                    labels::takes(stage).unwrap_or_default()
                };
                let to = self.dest(flow.exit(id));
                self.add(out, to, Sort::Forward, &word, exits);
            }
            StageKind::Match => {
                for (at, arm) in stage.arms.iter().enumerate() {
                    let at = at as u32;
                    let word = arm.on.word(flow).unwrap_or_default();
                    match &arm.then {
                        Then::Ends(ends) => {
                            for (nth, end) in ends.iter().enumerate() {
                                let count = self.traffic.and_then(|traffic| traffic.end(id, at, nth as u32));
                                self.outcome(Place::Match(id), (id, at), Some(word), *end, count);
                            }
                        }
                        Then::Chain(chain) => {
                            let Some(first) = flow.chain(*chain).stages.first() else { continue };
                            let count = self.traffic.and_then(|traffic| traffic.arm(id, at));
                            self.add(Place::Match(id), self.entry(*first), Sort::Forward, word, count);
                        }
                    }
                }
            }
        }
    }

    fn step(&mut self, function: FunctionId, id: StepId) {
        let flow = self.flow;
        let step = flow.step(id);
        let from = Place::Step(id);
        for source in &step.refs {
            let of = match source.of {
                SourceOf::Input => Place::In(function),
                SourceOf::StepIn(of) | SourceOf::StepOut(of) => Place::Step(of),
                SourceOf::StageIn(of) | SourceOf::StageOut(of) => self.entry(of),
            };
            let label = labels::source(flow, *source) + if step.each { ".*" } else { "" };
            self.add(of, from, Sort::Source, &label, self.traffic.map(|traffic| traffic.visits(id)));
        }
        for (at, outcome) in step.outcomes.iter().enumerate() {
            if step.outcomes[..at].contains(outcome) {
                continue;
            }
            let count = self.traffic.map(|traffic| traffic.outcome(id, at as u32));
            self.outcome(from, (step.stage, step.element), None, *outcome, count);
        }
        if step.undo.is_some() {
            let count = self.traffic.map(|traffic| traffic.undone(id));
            self.add(from, Place::Undoer(id), Sort::Undo, "~", count);
        }
    }
}
