//! Places. Three passes: heights from the top down; then lanes, which need to know what stands beside what; then widths
//! from the inside out. Every block has an *axis*, on which values come in and go out: what follows each other stands on one.

use super::labels;
use super::measure::width;
use super::plan::{ArmBody, ArmPlan, Cell, Plan, PortRole, bead_width, even};
use super::routes::{From, Goal, Owner};
use super::scene::Style;
use crate::flow::*;
use aivm_schema::module::StageKind;

pub(super) const HEADER: i32 = 28;
pub(super) const PAD: i32 = 16;
/// The shortest arrow.
pub(super) const ARROW: i32 = 14;
pub(super) const BEAD: i32 = 18;
pub(super) const LANE: i32 = 11;
pub(super) const DIAMOND: i32 = 32;
pub(super) const WEDGE: i32 = 26;
/// How far a wedge's point stands out.
pub(super) const WEDGE_TIP: i32 = 11;
pub(super) const BAR: i32 = 4;
pub(super) const TERMINAL: i32 = 26;
pub(super) const TERMINAL_WIDTH: i32 = 52;
/// Between the wedges of a match and what stands beside them.
pub(super) const ARM_GAP: i32 = 28;
/// From content to a line beside all of it.
const SIDE: i32 = 13;
const CHAIN_GAP: i32 = 34;
const COLUMN_GAP: i32 = 22;
const ARM_ROW_GAP: i32 = 10;
const MARGIN: i32 = 14;
/// Definitions stand side by side while they are not wider than this together.
const ROW: i32 = 1100;

/// Where everything stands.
pub(super) struct Layout {
    pub plan: Plan,
    pub stages: Vec<StageGeo>,
    pub chains: Vec<ChainGeo>,
    pub functions: Vec<FunctionGeo>,
    pub width: i32,
    pub height: i32,
}

/// A stage's box. What has no meaning for its kind is 0.
#[derive(Clone, Debug, Default)]
pub(super) struct StageGeo {
    pub top: i32,
    pub bottom: i32,
    /// How far the box reaches from the axis.
    pub left: i32,
    pub right: i32,
    /// How far its content reaches to the left.
    pub inner_left: i32,
    /// Where lanes begin, from the axis.
    pub lanes: i32,
    /// What the entry leads to: the first element, the fork bar, the diamond, the first wedge.
    pub first: i32,
    /// Of a select: where its picks spread.
    pub bus: i32,
    /// Below the columns: where tracks begin.
    pub tracks: i32,
    /// Of a select: where what comes back goes to the left.
    pub back: i32,
    /// Where what leaves comes to the axis; of a join the bar.
    pub out: i32,
    /// The axes of columns, from the stage's axis.
    pub columns: Vec<i32>,
    /// How far what stands in each reaches to the right of its axis.
    pub rights: Vec<i32>,
    /// Of a match.
    pub wedge: i32,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ChainGeo {
    pub bottom: i32,
    pub left: i32,
    pub right: i32,
    pub lanes: i32,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FunctionGeo {
    pub x: i32,
    pub y: i32,
    pub w: i32,
    pub h: i32,
    pub axis: i32,
}

impl Layout {
    /// `ended`: what is said beside the exit.
    pub fn of(flow: &Flow, plan: Plan, ended: Option<&str>) -> Layout {
        let mut layout = Layout {
            plan,
            stages: vec![StageGeo::default(); flow.stages.len()],
            chains: vec![ChainGeo::default(); flow.chains.len()],
            functions: vec![FunctionGeo::default(); flow.functions.len()],
            width: 0,
            height: 0,
        };
        for at in 0..flow.functions.len() {
            layout.function_rows(flow, at);
        }
        let spans = layout.spans();
        layout.plan.routes.assign(flow, &spans);
        for at in 0..flow.functions.len() {
            layout.function_extents(flow, at, ended.filter(|_| at == 0));
        }
        layout.pack();
        // Once more, now that each function has its place.
        for at in 0..flow.functions.len() {
            layout.function_rows(flow, at);
        }
        layout
    }

    pub fn cell(&self, id: StepId) -> &Cell {
        &self.plan.cells[id.index()]
    }
    pub fn stage(&self, id: StageId) -> &StageGeo {
        &self.stages[id.index()]
    }
    pub fn chain(&self, id: ChainId) -> &ChainGeo {
        &self.chains[id.index()]
    }

    fn function_rows(&mut self, flow: &Flow, at: usize) {
        let title = if at == 0 { 0 } else { 24 };
        let top = self.functions[at].y + title + PAD + TERMINAL;
        let bottom = match flow.functions[at].chain {
            Some(chain) => self.chain_rows(flow, chain, top + 24 + self.lead(flow, Element::Chain(chain))),
            None => top,
        };
        self.functions[at].h = bottom + 24 + TERMINAL + PAD - self.functions[at].y;
    }

    fn function_extents(&mut self, flow: &Flow, at: usize, ended: Option<&str>) {
        let (left, right) = match flow.functions[at].chain {
            Some(chain) => self.chain_extents(flow, chain),
            None => (0, 0),
        };
        let title = if at == 0 { 0 } else { width(&flow.functions[at].name, Style::Label) + 110 };
        let ended = ended.map_or(0, |ended| TERMINAL_WIDTH / 2 + 8 + ending_width(ended));
        let (left, right) = (left.max(48) + PAD, right.max(48).max(ended) + PAD);
        let function = &mut self.functions[at];
        function.axis = left;
        function.w = (left + right).max(title);
    }

    /// The program above, its definitions below in rows, each row in the middle.
    fn pack(&mut self) {
        let most = self.functions.iter().map(|function| function.w).max().unwrap_or(0).max(ROW);
        let mut rows: Vec<(usize, i32)> = Vec::new();
        for (at, function) in self.functions.iter().enumerate() {
            match rows.last_mut() {
                Some((_, w)) if at > 1 && *w + MARGIN + function.w <= most => *w += MARGIN + function.w,
                _ => rows.push((at, function.w)),
            }
        }
        self.width = rows.iter().map(|(_, w)| w + 2 * MARGIN).max().unwrap_or(0);
        let mut y = MARGIN;
        for (row, (first, w)) in rows.iter().enumerate() {
            let end = rows.get(row + 1).map_or(self.functions.len(), |(next, _)| *next);
            let mut x = (self.width - w) / 2;
            let mut h = 0;
            for function in &mut self.functions[*first..end] {
                (function.x, function.y) = (x, y);
                x += function.w + MARGIN;
                h = h.max(function.h);
            }
            y += h + MARGIN;
        }
        self.height = y;
    }

    // Heights.

    /// What an element needs above itself for the limits on its edge.
    fn lead(&self, flow: &Flow, element: Element) -> i32 {
        let step = match element {
            Element::Step(step) => Some(step),
            Element::Chain(chain) => self.bare_step(flow, chain),
        };
        if step.is_some_and(|step| self.cell(step).bead_above()) { BEAD + 4 } else { 0 }
    }

    /// The step that a chain is drawn as.
    pub fn bare_step(&self, flow: &Flow, chain: ChainId) -> Option<StepId> {
        let first = *flow.chain(chain).stages.first()?;
        match flow.stage(first).elements[..] {
            [Element::Step(step)] if self.plan.bare[first.index()] => Some(step),
            _ => None,
        }
    }

    /// What an element needs below itself for its label.
    fn tail(&self, flow: &Flow, element: Element) -> i32 {
        let step = match element {
            Element::Step(step) => Some(step),
            Element::Chain(chain) => self.bare_step(flow, chain),
        };
        if step.is_some_and(|step| !self.cell(step).down_label.is_empty()) { 14 } else { 0 }
    }

    fn chain_rows(&mut self, flow: &Flow, id: ChainId, top: i32) -> i32 {
        let mut y = top;
        for (at, stage) in flow.chain(id).stages.iter().enumerate() {
            if at > 0 {
                y += CHAIN_GAP;
            }
            y = self.stage_rows(flow, *stage, y);
        }
        self.chains[id.index()].bottom = y;
        y
    }

    fn element_rows(&mut self, flow: &Flow, element: Element, top: i32) -> i32 {
        match element {
            Element::Step(step) => self.cell_rows(step, top),
            Element::Chain(chain) => self.chain_rows(flow, chain, top),
        }
    }

    fn cell_rows(&mut self, id: StepId, top: i32) -> i32 {
        let cell = &mut self.plan.cells[id.index()];
        cell.top = top;
        let middle = top + cell.height / 2;
        let height: i32 = cell.left.iter().map(|port| port.role.height()).sum();
        let mut y = middle - height / 2;
        for port in &mut cell.left {
            port.y = y + port.role.height() / 2;
            y += port.role.height();
        }
        let enter = cell.enter_height();
        let height: i32 = enter + cell.right.iter().map(|port| port.role.height()).sum::<i32>();
        let mut y = middle - height / 2;
        cell.enter_y = y + enter / 2;
        y += enter;
        for port in &mut cell.right {
            port.y = y + port.role.height() / 2;
            y += port.role.height();
        }
        top + cell.height
    }

    fn stage_rows(&mut self, flow: &Flow, id: StageId, top: i32) -> i32 {
        let stage = flow.stage(id);
        let mut geo = std::mem::take(&mut self.stages[id.index()]);
        geo.top = top;
        geo.bottom = match (stage.kind, &stage.elements[..]) {
            (StageKind::Switch, [element]) if self.plan.bare[id.index()] => self.element_rows(flow, *element, top),
            (StageKind::Switch, _) => self.switch_rows(flow, stage, &mut geo),
            (StageKind::Join | StageKind::Select, _) => self.column_rows(flow, id, stage, &mut geo),
            (StageKind::Match, _) => self.arm_rows(flow, id, &mut geo),
        };
        let bottom = geo.bottom;
        self.stages[id.index()] = geo;
        bottom
    }

    fn switch_rows(&mut self, flow: &Flow, stage: &Stage, geo: &mut StageGeo) -> i32 {
        let mut y = geo.top + HEADER;
        for (at, element) in stage.elements.iter().enumerate() {
            let above = at.checked_sub(1).and_then(|above| stage.elements.get(above));
            y += 10 + above.map_or(0, |above| self.tail(flow, *above)) + self.lead(flow, *element) + ARROW;
            if at == 0 {
                y -= 8;
                geo.first = y;
            }
            y = self.element_rows(flow, *element, y);
        }
        y += stage.elements.last().map_or(0, |last| self.tail(flow, *last)) + 8;
        if self.sends(stage) {
            y += 8;
        }
        geo.out = y;
        y + 10
    }

    /// Does a step leave past the steps below?
    fn sends(&self, stage: &Stage) -> bool {
        stage.elements.iter().any(|element| match element {
            Element::Step(step) => self.cell(*step).left.iter().any(|port| port.role == PortRole::Send),
            Element::Chain(_) => false,
        })
    }

    fn column_rows(&mut self, flow: &Flow, id: StageId, stage: &Stage, geo: &mut StageGeo) -> i32 {
        geo.first = geo.top + HEADER + ARROW - 2;
        let lead = stage.elements.iter().map(|element| self.lead(flow, *element)).max().unwrap_or(0);
        geo.bus = match stage.kind {
            StageKind::Select => geo.first + DIAMOND + 12,
            _ => geo.first + BAR,
        };
        let top = geo.bus + 10 + lead + ARROW;
        let mut bottom = top;
        for element in &stage.elements {
            bottom = bottom.max(self.element_rows(flow, *element, top));
        }
        let tail = stage.elements.iter().map(|element| self.tail(flow, *element)).max().unwrap_or(0);
        geo.tracks = bottom + tail + 12;
        let below = geo.tracks + self.plan.routes.tracks(id) * LANE;
        if stage.kind == StageKind::Select {
            geo.back = below;
            geo.out = below + 12;
            geo.out + 12
        } else {
            geo.out = below + 4;
            geo.out + BAR + if labels::takes(stage).is_some() { 24 } else { 16 }
        }
    }

    fn arm_rows(&mut self, flow: &Flow, id: StageId, geo: &mut StageGeo) -> i32 {
        let mut arms = std::mem::take(&mut self.plan.arms[id.index()]);
        geo.first = geo.top + HEADER + ARROW - 4;
        let mut y = geo.first;
        let mut leaves = false;
        for (at, arm) in arms.iter_mut().enumerate() {
            if at > 0 {
                y += ARM_ROW_GAP;
            }
            arm.height = WEDGE;
            match &mut arm.body {
                ArmBody::Ends(ports) => {
                    let height = WEDGE.max(16 * ports.len() as i32 + 2);
                    arm.height = height;
                    arm.y = y + height / 2;
                    let first = arm.y - 8 * (ports.len() as i32 - 1);
                    for (nth, port) in ports.iter_mut().enumerate() {
                        port.y = first + 16 * nth as i32;
                        leaves |= port.role == PortRole::Send;
                    }
                    y += height;
                }
                ArmBody::Inline(step) => {
                    let height = self.cell(*step).height.max(WEDGE);
                    arm.y = y + height / 2;
                    arm.out_y = arm.y;
                    self.cell_rows(*step, arm.y - self.cell(*step).height / 2);
                    leaves |= !self.cell(*step).down.is_empty();
                    y += height;
                }
                ArmBody::Chain(chain) => {
                    arm.y = y + WEDGE / 2;
                    let top = arm.y + ARROW + 8 + self.lead(flow, Element::Chain(*chain));
                    y = self.chain_rows(flow, *chain, top);
                    if flow.chain(*chain).stages.last().is_some_and(|last| self.plan.exits[last.index()]) {
                        y += self.tail(flow, Element::Chain(*chain)) + 10;
                        arm.out_y = y;
                        leaves = true;
                    }
                    y += 4;
                }
            }
        }
        self.plan.arms[id.index()] = arms;
        geo.out = y + if leaves { 12 } else { 0 };
        geo.out + 12
    }

    // Lanes.

    /// From where to where each group of ways goes.
    fn spans(&self) -> Vec<(i32, i32)> {
        let groups = self.plan.routes.groups.iter().enumerate();
        groups
            .map(|(at, group)| {
                let at = at as u32;
                let to = self.goal_y(at);
                group.sources.iter().fold((to, to), |(from, to), source| {
                    let y = match source.leave.last() {
                        Some(column) => self.track_y(column.0, at),
                        None => self.start_y(source.from),
                    };
                    (from.min(y), to.max(y))
                })
            })
            .collect()
    }

    /// Where a lane turns to its goal.
    pub fn goal_y(&self, group: u32) -> i32 {
        let way = &self.plan.routes.groups[group as usize];
        match way.enter.last() {
            Some(column) => self.track_y(column.0, group),
            None => self.enter_y(way.goal),
        }
    }

    pub fn track_y(&self, stage: StageId, group: u32) -> i32 {
        self.stage(stage).tracks + self.plan.routes.track(stage, group) * LANE
    }

    pub fn start_y(&self, from: From) -> i32 {
        match from {
            From::Port(step, port) => self.cell(step).right.get(port as usize).map_or(0, |port| port.y),
            From::End(stage, arm, end) => match self.plan.arms[stage.index()].get(arm as usize).map(|arm| &arm.body) {
                Some(ArmBody::Ends(ports)) => {
                    ports.iter().find(|port| port.outcomes.contains(&end)).map_or(0, |port| port.y)
                }
                _ => 0,
            },
        }
    }

    /// How far an end at a height begins before the point of its wedge.
    pub fn slant(&self, arm: &ArmPlan, y: i32) -> i32 {
        WEDGE_TIP * (y - arm.y).abs() / (arm.height / 2).max(1)
    }

    pub fn enter_y(&self, goal: Goal) -> i32 {
        match goal {
            Goal::Step(step) => self.cell(step).enter_y,
            Goal::Stage(stage) => self.stage(stage).top + HEADER / 2,
        }
    }

    // Widths: how far each block reaches to the left and right of its axis.

    fn chain_extents(&mut self, flow: &Flow, id: ChainId) -> (i32, i32) {
        let (mut left, mut right) = (0, 0);
        for stage in &flow.chain(id).stages {
            let (l, r) = self.stage_extents(flow, *stage);
            (left, right) = (left.max(l), right.max(r));
            if !flow.stage(*stage).catches.is_empty() {
                right = right.max(40 + width(&labels::caught(flow.stage(*stage)), Style::Stop));
            }
        }
        let lanes = self.plan.routes.lanes(Owner::Chain(id));
        let geo = &mut self.chains[id.index()];
        geo.lanes = right + 14;
        geo.left = left;
        geo.right = if lanes > 0 { right + 14 + lanes * LANE } else { right };
        (geo.left, geo.right)
    }

    fn element_extents(&mut self, flow: &Flow, element: Element) -> (i32, i32) {
        match element {
            Element::Chain(chain) => self.chain_extents(flow, chain),
            Element::Step(step) => {
                let cell = self.cell(step);
                let label = 8 + width(&cell.down_label, Style::Forward);
                let above = cell.limits.as_ref().filter(|_| cell.bead_above());
                let bead = above.map_or(0, |limits| bead_width(&limits.text) / 2);
                let right = (cell.width / 2 + cell.right_zone).max(label).max(bead);
                ((cell.width / 2 + cell.left_zone).max(bead), right)
            }
        }
    }

    fn stage_extents(&mut self, flow: &Flow, id: StageId) -> (i32, i32) {
        let stage = flow.stage(id);
        let mut geo = std::mem::take(&mut self.stages[id.index()]);
        let (left, right) = match (stage.kind, &stage.elements[..]) {
            (StageKind::Switch, [element]) if self.plan.bare[id.index()] => {
                let (left, right) = self.element_extents(flow, *element);
                (geo.left, geo.right, geo.inner_left) = (left, right, left);
                self.stages[id.index()] = geo;
                return (left, right);
            }
            (StageKind::Switch, _) => self.switch_extents(flow, stage),
            (StageKind::Join | StageKind::Select, _) => self.column_extents(flow, id, stage, &mut geo),
            (StageKind::Match, _) => self.arm_extents(flow, id, &mut geo),
        };
        geo.inner_left = left;
        geo.lanes = right + 8;
        let lanes = self.plan.routes.lanes(Owner::Stage(id));
        let right = if lanes > 0 { geo.lanes + (lanes - 1) * LANE } else { right };
        let header = header_width(flow, stage);
        (geo.left, geo.right) = (left + PAD, right + PAD);
        if stage.kind == StageKind::Switch {
            // Not too far out of balance.
            (geo.left, geo.right) = (geo.left.max(geo.right * 2 / 3), geo.right.max(geo.left * 2 / 3));
        }
        geo.left = geo.left.max(even(header) / 2);
        geo.right = geo.right.max(header - geo.left);
        let extents = (geo.left, geo.right);
        self.stages[id.index()] = geo;
        extents
    }

    fn switch_extents(&mut self, flow: &Flow, stage: &Stage) -> (i32, i32) {
        let (mut left, mut right) = (0, 0);
        for element in &stage.elements {
            let (l, r) = self.element_extents(flow, *element);
            (left, right) = (left.max(l), right.max(r));
        }
        if self.sends(stage) {
            left += SIDE;
        }
        (left, right)
    }

    fn column_extents(&mut self, flow: &Flow, id: StageId, stage: &Stage, geo: &mut StageGeo) -> (i32, i32) {
        let mut sides = Vec::with_capacity(stage.elements.len());
        geo.rights.clear();
        for (at, element) in stage.elements.iter().enumerate() {
            let (left, right) = self.element_extents(flow, *element);
            geo.rights.push(right);
            sides.push((left, right + self.plan.routes.column_lanes((id, at as u32)) * LANE));
        }
        let (left, right) = columns(&sides, &mut geo.columns);
        if stage.kind == StageKind::Select {
            let chooser = stage.chooser.map_or(0, |chooser| width(&flow.worker(chooser).name, Style::Chooser) + 12);
            let finish = DIAMOND / 2 + 20 + chooser.max(width("finish", Style::Forward));
            return (left.max(DIAMOND / 2 + 8) + SIDE, right.max(finish) + SIDE);
        }
        let takes = labels::takes(stage).map_or(0, |takes| width(&takes, Style::Forward) + 10);
        (left.max(24), right.max(24).max(takes))
    }

    fn arm_extents(&mut self, flow: &Flow, id: StageId, geo: &mut StageGeo) -> (i32, i32) {
        let arms = std::mem::take(&mut self.plan.arms[id.index()]);
        let wedge = arms.iter().map(|arm| width(&arm.word, Style::Wedge)).max().unwrap_or(0);
        geo.wedge = even(wedge + 34);
        let half = geo.wedge / 2;
        let mut right = half;
        let mut leaves = false;
        for arm in &arms {
            let reach = match &arm.body {
                ArmBody::Ends(ports) => {
                    leaves |= ports.iter().any(|port| port.role == PortRole::Send);
                    ports.iter().map(|port| port.reach()).max().unwrap_or(0)
                }
                ArmBody::Inline(step) => {
                    leaves = true;
                    let cell = self.cell(*step);
                    let label = width(&cell.down_label, Style::Forward);
                    ARM_GAP + cell.width + 10 + if label > 0 { label + 12 } else { 0 }
                }
                ArmBody::Chain(chain) => {
                    leaves = true;
                    let (left, right) = self.chain_extents(flow, *chain);
                    ARM_GAP + left + right
                }
            };
            right = right.max(half + reach);
        }
        self.plan.arms[id.index()] = arms;
        (half, if leaves { right + SIDE } else { right })
    }
}

pub(super) fn ending_width(text: &str) -> i32 {
    width(text, Style::Ending) + 20
}

/// Sets columns side by side: their axes, from the axis of all, and how far they reach.
fn columns(sides: &[(i32, i32)], axes: &mut Vec<i32>) -> (i32, i32) {
    let steps = |(a, b): (&(i32, i32), &(i32, i32))| a.1 + COLUMN_GAP + b.0;
    let tight: Vec<i32> = sides.iter().zip(sides.iter().skip(1)).map(steps).collect();
    // Evenly, unless that wastes much.
    let pitch = tight.iter().copied().max().unwrap_or(0);
    let even = i64::from(pitch) * tight.len() as i64 * 8 <= tight.iter().map(|step| i64::from(*step)).sum::<i64>() * 9;
    let mut x = sides.first().map_or(0, |side| side.0);
    axes.clear();
    axes.push(x);
    for step in &tight {
        x += if even { pitch } else { *step };
        axes.push(x);
    }
    let w = x + sides.last().map_or(0, |side| side.1);
    let (first, last) = (axes.first().copied().unwrap_or(0), x);
    // Between the outer axes, or in the middle of the box where the two are far apart.
    let axis = match (first + last) / 2 {
        between if (between - w / 2).abs() <= 60 => between,
        _ => (w / 2).clamp(first, last),
    };
    axes.iter_mut().for_each(|column| *column -= axis);
    (axis, w - axis)
}

pub(super) fn header_width(flow: &Flow, stage: &Stage) -> i32 {
    let kind = width(crate::lower::kind_word(stage.kind), Style::Kind(stage.kind));
    let label = stage.label.map_or(0, |label| width(flow.word(label), Style::Label) + 8);
    let limits = labels::stage_limits(stage).map_or(0, |limits| bead_width(&limits.text) + 8);
    12 + 16 + 6 + kind + label + limits + 12
}
