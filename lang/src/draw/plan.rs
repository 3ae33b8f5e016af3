//! What is drawn of each step and arm, and on which side: onwards below, stubs on the left, loops and undoers on the right.
//! No places yet.

use super::labels::{self, Limits};
use super::measure::width;
use super::routes::{From, Goal, NEIGHBOUR, Routes, Source};
use super::scene::{Of, Style};
use super::traffic::Traffic;
use crate::flow::*;
use aivm_schema::module::StageKind;

/// What the layout has to find places for.
pub(super) struct Plan {
    /// A stage that is drawn as its only step.
    pub bare: Vec<bool>,
    /// May a value leave the stage in success?
    pub exits: Vec<bool>,
    pub cells: Vec<Cell>,
    /// Of each stage.
    pub arms: Vec<Vec<ArmPlan>>,
    pub routes: Routes,
}

/// A step with everything that hangs on it.
#[derive(Debug, Default)]
pub(super) struct Cell {
    pub lines: Vec<(Style, String)>,
    pub width: i32,
    pub height: i32,
    pub limits: Option<Limits>,
    /// The outcomes that lead on below, and their label.
    pub down: Vec<u32>,
    pub down_label: String,
    pub down_count: Option<u32>,
    /// Something comes in from the right.
    pub entered: bool,
    pub left: Vec<Port>,
    pub right: Vec<Port>,
    /// How far the ports reach.
    pub left_zone: i32,
    pub right_zone: i32,
    /// It may stand in the row of an arm: nothing hangs on its sides.
    pub inline: bool,
    // Places.
    pub top: i32,
    pub axis: i32,
    pub enter_y: i32,
}

#[derive(Debug)]
pub(super) struct Port {
    pub role: PortRole,
    pub outcomes: Vec<u32>,
    pub text: String,
    pub count: Option<u32>,
    pub y: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PortRole {
    /// Out of the stage, past what stands below.
    Send,
    Stop(Stop),
    /// To the column on the left.
    Neighbour,
    Undo,
    Retry,
    Out(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Cancel,
    Timeout,
    Nowhere,
}

#[derive(Debug)]
pub(super) struct ArmPlan {
    pub word: String,
    pub body: ArmBody,
    // Places.
    pub y: i32,
    /// Of its wedge.
    pub height: i32,
    /// Where its value turns to the exit.
    pub out_y: i32,
}

#[derive(Debug)]
pub(super) enum ArmBody {
    Ends(Vec<Port>),
    Chain(ChainId),
    Inline(StepId),
}

/// Length of the piece of line at a pill.
pub(super) const TAIL: i32 = 12;
/// Between a pill and its undoer.
pub(super) const UNDO_GAP: i32 = 34;
/// The arrow of what comes in from the right.
pub(super) const ENTER: i32 = 14;
/// How far a retry swings out.
pub(super) const SWING: i32 = 18;

impl Plan {
    pub fn of(flow: &Flow, traffic: Option<&Traffic>) -> Plan {
        let mut plan = Plan {
            bare: flow.stages.iter().map(|stage| is_bare(flow, stage)).collect(),
            exits: Vec::new(),
            cells: flow.steps.iter().map(|_| Cell::default()).collect(),
            arms: flow.stages.iter().map(|_| Vec::new()).collect(),
            routes: Routes::default(),
        };
        for at in 0..flow.steps.len() as u32 {
            plan.ports(flow, traffic, StepId(at));
        }
        for at in 0..flow.stages.len() as u32 {
            plan.arms(flow, traffic, StageId(at));
        }
        for at in 0..plan.routes.groups.len() {
            if let Goal::Step(step) = plan.routes.groups[at].goal {
                plan.cells[step.index()].entered = true;
            }
        }
        for at in 0..flow.steps.len() as u32 {
            plan.size(flow, StepId(at));
        }
        for arms in &mut plan.arms {
            for arm in arms {
                if let ArmBody::Chain(chain) = arm.body
                    && let [stage] = flow.chain(chain).stages[..]
                    && plan.bare[stage.index()]
                    && let [Element::Step(step)] = flow.stage(stage).elements[..]
                    && plan.cells[step.index()].inline
                {
                    arm.body = ArmBody::Inline(step);
                }
            }
        }
        plan.exits = exits(flow);
        plan
    }

    /// Sorts a step's outcomes to its sides.
    fn ports(&mut self, flow: &Flow, traffic: Option<&Traffic>, id: StepId) {
        let step = flow.step(id);
        let stage = flow.stage(step.stage);
        let last = step.element as usize + 1 == stage.elements.len();
        let returns = step.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Next | Outcome::Continue));
        let (mut left, mut right) = (Vec::new(), Vec::new());
        if let Some(undo) = step.undo {
            let text = flow.target_name(undo).to_owned();
            let count = traffic.map(|traffic| traffic.undone(id));
            right.push(Port { role: PortRole::Undo, outcomes: Vec::new(), text, count, y: 0 });
        }
        let mut seen: Vec<(Outcome, bool, usize)> = Vec::new();
        for (at, outcome) in step.outcomes.iter().enumerate() {
            let at = at as u32;
            if let Some((_, on_left, port)) = seen.iter().find(|(known, ..)| known == outcome) {
                let ports: &mut Vec<Port> = if *on_left { &mut left } else { &mut right };
                ports[*port].outcomes.push(at);
                if let PortRole::Out(group) = ports[*port].role {
                    self.routes.also(group, From::Port(id, *port as u32), Of::Outcome(id, at));
                }
                continue;
            }
            let count = traffic.map(|traffic| traffic.outcome(id, at));
            let role = match (outcome, stage.kind) {
                (Outcome::Next | Outcome::Continue, _) | (Outcome::Send, StageKind::Join) => None,
                (Outcome::Send, StageKind::Switch) if last => None,
                (Outcome::Send, StageKind::Select) if !returns => None,
                (Outcome::Send, _) => Some((true, PortRole::Send)),
                (Outcome::Cancel, _) => Some((true, PortRole::Stop(Stop::Cancel))),
                (Outcome::Timeout, _) => Some((true, PortRole::Stop(Stop::Timeout))),
                (Outcome::Retry(_), _) => Some((false, PortRole::Retry)),
                (Outcome::Back(_) | Outcome::Jump { .. }, _) => {
                    Some(self.way(flow, id, *outcome, right.len() as u32, at, count))
                }
            };
            let Some((on_left, role)) = role else {
                self.cells[id.index()].down.push(at);
                continue;
            };
            let ports = if on_left { &mut left } else { &mut right };
            seen.push((*outcome, on_left, ports.len()));
            let text = labels::with_times(labels::outcome(flow, *outcome), count);
            ports.push(Port { role, outcomes: vec![at], text, count, y: 0 });
        }
        let cell = &mut self.cells[id.index()];
        (cell.left, cell.right) = (left, right);
        let count = |at: &u32| traffic.map_or(0, |traffic| traffic.outcome(id, *at));
        // Of a run, what was said; otherwise, what can be.
        let spoken = cell.down.iter().any(|at| count(at) > 0);
        let down = cell.down.iter().filter(|at| !spoken || count(at) > 0);
        let mut words: Vec<&str> = down.map(|at| step.outcomes[*at as usize].word(flow)).collect();
        words.sort_unstable_by_key(|word| {
            cell.down.iter().position(|at| step.outcomes[*at as usize].word(flow) == *word)
        });
        words.dedup();
        if words == ["next"] {
            words.clear();
        }
        cell.down_count = traffic.map(|_| cell.down.iter().map(count).sum());
        cell.down_label = labels::with_times(words.join(" | "), cell.down_count);
    }

    /// The side and the way of a `back` or a jump.
    fn way(
        &mut self,
        flow: &Flow,
        id: StepId,
        outcome: Outcome,
        port: u32,
        at: u32,
        count: Option<u32>,
    ) -> (bool, PortRole) {
        let step = flow.step(id);
        let Some(target) = flow.dest(step.stage, step.element, outcome).and_then(|dest| self.target(flow, dest)) else {
            return (true, PortRole::Stop(Stop::Nowhere));
        };
        if flow.stage(step.stage).kind == StageKind::Select && outcome == Outcome::Back(1) {
            self.routes.claim((step.stage, step.element - 1), NEIGHBOUR);
            if let Goal::Step(target) = target {
                self.cells[target.index()].entered = true;
            }
            return (true, PortRole::Neighbour);
        }
        let of = vec![Of::Outcome(id, at)];
        let source = Source { from: From::Port(id, port), leave: Vec::new(), of, count };
        (false, PortRole::Out(self.routes.add(flow, (step.stage, step.element), target, source)))
    }

    /// What is drawn where something leads.
    pub fn target(&self, flow: &Flow, dest: Dest) -> Option<Goal> {
        let stage = match dest {
            Dest::Stage(stage) => stage,
            Dest::Element(stage, element) => match *flow.stage(stage).elements.get(element as usize)? {
                Element::Step(step) => return Some(Goal::Step(step)),
                Element::Chain(chain) => *flow.chain(chain).stages.first()?,
            },
            Dest::Chooser(_) | Dest::Part(..) | Dest::Return(_) => return None,
        };
        match flow.stage(stage).elements[..] {
            [Element::Step(step)] if self.bare[stage.index()] => Some(Goal::Step(step)),
            _ => Some(Goal::Stage(stage)),
        }
    }

    fn arms(&mut self, flow: &Flow, traffic: Option<&Traffic>, id: StageId) {
        for (nth, arm) in flow.stage(id).arms.iter().enumerate() {
            let nth = nth as u32;
            let word = arm.on.word(flow).unwrap_or_default().to_owned();
            let body = match &arm.then {
                Then::Chain(chain) => ArmBody::Chain(*chain),
                Then::Ends(ends) => {
                    let mut ports: Vec<Port> = Vec::new();
                    for (at, end) in ends.iter().enumerate() {
                        let at = at as u32;
                        if let Some(twin) = ends[..at as usize].iter().position(|known| known == end) {
                            let twin = twin as u32;
                            for port in ports.iter_mut().filter(|port| port.outcomes.contains(&twin)) {
                                port.outcomes.push(at);
                                if let PortRole::Out(group) = port.role {
                                    self.routes.also(group, From::End(id, nth, twin), Of::End(id, nth, at));
                                }
                            }
                            continue;
                        }
                        let count = traffic.and_then(|traffic| traffic.end(id, nth, at));
                        let role = match end {
                            Outcome::Cancel => PortRole::Stop(Stop::Cancel),
                            Outcome::Timeout => PortRole::Stop(Stop::Timeout),
                            Outcome::Jump { .. } => {
                                let of = vec![Of::End(id, nth, at)];
                                let source = Source { from: From::End(id, nth, at), leave: Vec::new(), of, count };
                                match flow.dest(id, nth, *end).and_then(|dest| self.target(flow, dest)) {
                                    Some(target) => PortRole::Out(self.routes.add(flow, (id, nth), target, source)),
                                    None => PortRole::Stop(Stop::Nowhere),
                                }
                            }
                            _ => PortRole::Send,
                        };
                        let text = labels::with_times(labels::outcome(flow, *end), count);
                        ports.push(Port { role, outcomes: vec![at], text, count, y: 0 });
                    }
                    ArmBody::Ends(ports)
                }
            };
            self.arms[id.index()].push(ArmPlan { word, body, y: 0, height: 0, out_y: 0 });
        }
    }

    /// How large a step is, and how far what hangs on it reaches.
    fn size(&mut self, flow: &Flow, id: StepId) {
        let step = flow.step(id);
        let cell = &mut self.cells[id.index()];
        cell.lines.push((Style::Name, flow.target_name(step.target).to_owned()));
        cell.lines.extend(labels::behaviours(flow, step).map(|text| (Style::Behaviour, text)));
        cell.lines.extend(labels::sources(flow, step).map(|text| (Style::Source, text)));
        // A default count that no loop uses up here says nothing.
        let in_select = flow.stage(step.stage).kind == StageKind::Select;
        cell.limits = labels::step_limits(step).filter(|limits| !limits.default || cell.entered || in_select);
        let text = cell.lines.iter().map(|(style, text)| width(text, *style)).max().unwrap_or(0);
        let calls = if matches!(step.target, Target::Function(_)) { 12 } else { 0 };
        cell.width = even((text + 32 + calls).max(72));
        let ports = |ports: &[Port]| ports.iter().map(|port| port.role.height()).sum::<i32>();
        let right = ports(&cell.right) + cell.enter_height();
        let lines = 34 + 15 * (cell.lines.len() as i32 - 1);
        cell.height = even(lines.max(ports(&cell.left) + 6).max(right + 6));
        let reach = |ports: &[Port]| ports.iter().map(Port::reach).max().unwrap_or(0);
        cell.left_zone = reach(&cell.left);
        if in_select && cell.left.iter().any(|port| port.role == PortRole::Send) {
            // Its way down.
            cell.left_zone += 12;
        }
        cell.right_zone = reach(&cell.right).max(cell.enter_reach());
        cell.inline = cell.left.is_empty() && cell.right.is_empty() && !cell.entered && cell.limits.is_none();
    }
}

impl Cell {
    /// Do its limits stand on the arrow from above?
    pub fn bead_above(&self) -> bool {
        self.limits.as_ref().is_some_and(|limits| !limits.default || !self.entered)
    }

    fn bead_beside(&self) -> Option<&Limits> {
        self.limits.as_ref().filter(|_| !self.bead_above())
    }

    /// The row of what comes in from the right.
    pub fn enter_height(&self) -> i32 {
        match (self.entered, self.bead_beside()) {
            (false, _) => 0,
            (true, None) => 14,
            (true, Some(_)) => 22,
        }
    }

    fn enter_reach(&self) -> i32 {
        match (self.entered, self.bead_beside()) {
            (false, _) => 0,
            (true, None) => 20,
            (true, Some(limits)) => ENTER + bead_width(&limits.text) + 6,
        }
    }
}

impl PortRole {
    pub fn height(self) -> i32 {
        match self {
            PortRole::Undo => 30,
            PortRole::Retry => 22,
            _ => 15,
        }
    }
}

impl Port {
    /// How far it reaches from the pill.
    pub fn reach(&self) -> i32 {
        match self.role {
            PortRole::Send | PortRole::Out(_) | PortRole::Neighbour => TAIL + width(&self.text, Style::Loop) + 12,
            PortRole::Stop(_) => TAIL + 10 + 5 + width(&self.text, Style::Stop) + 6,
            PortRole::Retry => SWING + 5 + width(&self.text, Style::Loop) + 4,
            PortRole::Undo => UNDO_GAP + undoer_width(&self.text) + 8,
        }
    }
}

pub(super) fn bead_width(text: &str) -> i32 {
    even(width(text, Style::Bead) + 14)
}

pub(super) fn undoer_width(text: &str) -> i32 {
    even(width(text, Style::Undoer) + 22)
}

pub(super) fn even(n: i32) -> i32 {
    n + (n & 1)
}

/// One step and nothing that needs a box: no label, no limits, nobody that catches what becomes of it.
fn is_bare(flow: &Flow, stage: &Stage) -> bool {
    stage.kind == StageKind::Switch
        && stage.around.is_some()
        && stage.label.is_none()
        && matches!(stage.elements[..], [Element::Step(_)])
        && labels::stage_limits(stage).is_none()
        && flow.chain(stage.chain).stages.len() == 1
}

/// Which stages a value may leave in success.
fn exits(flow: &Flow) -> Vec<bool> {
    let mut exits = vec![false; flow.stages.len()];
    // The stages inside stand behind.
    for (at, stage) in flow.stages.iter().enumerate().rev() {
        let chain = |id: ChainId| flow.chain(id).stages.last().is_some_and(|last| exits[last.index()]);
        let sends = |step: StepId, also: &[Outcome]| {
            flow.step(step).outcomes.iter().any(|outcome| *outcome == Outcome::Send || also.contains(outcome))
        };
        let onwards: &[Outcome] = &[Outcome::Next, Outcome::Continue];
        exits[at] = match stage.kind {
            StageKind::Select | StageKind::Join => true,
            StageKind::Switch => {
                let last = stage.elements.len().saturating_sub(1);
                stage.elements.iter().enumerate().any(|(nth, element)| match element {
                    Element::Step(step) => sends(*step, if nth == last { onwards } else { &[] }),
                    Element::Chain(id) => nth == last && chain(*id),
                })
            }
            StageKind::Match => stage.arms.iter().any(|arm| match &arm.then {
                Then::Ends(ends) => ends.contains(&Outcome::Send),
                Then::Chain(id) => chain(*id),
            }),
        };
    }
    exits
}
