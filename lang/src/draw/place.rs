//! From places to a picture: every box, pill, line and word of it.

use super::labels;
use super::layout::*;
use super::measure::width;
use super::path::Now;
use super::plan::{ArmBody, Port, PortRole, Stop, TAIL, bead_width};
use super::routes::{Goal, NEIGHBOUR};
use super::scene::*;
use super::traffic::Traffic;
use crate::flow::*;
use crate::lower::kind_word;
use aivm_schema::module::StageKind;

mod steps;
mod ways;

/// The picture of a laid out flow graph.
pub(super) fn place(flow: &Flow, traffic: Option<&Traffic>, layout: Layout, ended: Option<&str>) -> Scene {
    let scene = Scene { width: layout.width, height: layout.height, ..Scene::default() };
    let axes = vec![0; flow.stages.len()];
    let mut placer = Placer { flow, traffic, layout, scene, axes, chain_axes: vec![0; flow.chains.len()] };
    for at in 0..flow.functions.len() as u32 {
        placer.function(FunctionId(at), ended);
    }
    for group in 0..placer.layout.plan.routes.groups.len() as u32 {
        placer.group(group);
    }
    placer.scene
}

struct Placer<'a> {
    flow: &'a Flow,
    traffic: Option<&'a Traffic>,
    layout: Layout,
    scene: Scene,
    /// Of each stage and chain.
    axes: Vec<i32>,
    chain_axes: Vec<i32>,
}

/// Where the sends of a switch, or of a column of a select, go.
#[derive(Clone, Copy)]
struct Leave {
    lane: i32,
    out: i32,
    axis: i32,
    bottom: i32,
}

impl Placer<'_> {
    // Pieces.

    /// How something that happened so often is drawn; `None`: nobody knows.
    fn state(&self, count: Option<u32>) -> State {
        match (self.traffic, count) {
            (None, _) | (_, None) => State::Plain,
            (_, Some(0)) => State::Faded,
            (_, Some(_)) => State::Taken,
        }
    }

    fn line(&mut self, role: LineRole, head: bool, count: Option<u32>, of: Vec<Of>, points: &[(i32, i32)]) {
        let mut path: Vec<(i32, i32)> = Vec::with_capacity(points.len());
        for point in points {
            let straight = |a: (i32, i32), b: (i32, i32)| {
                a.0 == b.0 && b.0 == point.0 && (a.1 <= b.1) == (b.1 <= point.1)
                    || a.1 == b.1 && b.1 == point.1 && (a.0 <= b.0) == (b.0 <= point.0)
            };
            if path.last() == Some(point) {
                continue;
            }
            if let [.., a, b] = path[..]
                && straight(a, b)
            {
                path.pop();
            }
            path.push(*point);
        }
        let state = self.state(count);
        self.scene.lines.push(Line { points: path, role, head, gap: None, state, of });
    }

    fn text(&mut self, x: i32, y: i32, anchor: Anchor, style: Style, state: State, text: &str) {
        if !text.is_empty() {
            self.scene.texts.push(Text { x, y, anchor, style, state, text: text.to_owned() });
        }
    }

    fn node(&mut self, rect: Rect, shape: Shape, state: State) {
        self.scene.nodes.push(Node { rect, shape, state, now: false, title: String::new() });
    }

    /// The last node is what makes this call.
    fn calls(&mut self, call: Now) {
        if let Some(node) = self.scene.nodes.last_mut() {
            node.now = self.traffic.is_some_and(|traffic| traffic.is_now(call));
        }
    }

    /// A small filled sign around a text, by its middle.
    fn bead(&mut self, x: i32, y: i32, limits: &labels::Limits, state: State) {
        let w = bead_width(&limits.text);
        self.node(Rect { x: x - w / 2, y: y - BEAD / 2, w, h: BEAD }, Shape::Bead { faint: limits.default }, state);
        let style = if limits.default { Style::BeadFaint } else { Style::Bead };
        self.text(x, y, Anchor::Middle, style, state, &limits.text);
    }

    fn mark(&mut self, x: i32, y: i32, stop: Stop, state: State) {
        let shape = match stop {
            Stop::Cancel => Shape::Cancel,
            Stop::Timeout => Shape::Timeout,
            Stop::Nowhere => Shape::Nowhere,
        };
        self.node(Rect { x: x - 5, y: y - 5, w: 10, h: 10 }, shape, state);
    }

    // Functions.

    fn function(&mut self, id: FunctionId, ended: Option<&str>) {
        let flow = self.flow;
        let function = flow.function(id);
        let FunctionGeo { x, y, w, h, axis } = self.layout.functions[id.index()];
        let calls = self.traffic.map(|traffic| traffic.calls(id));
        let state = self.state(calls);
        let program = id == FunctionId(0);
        let frame = self.scene.frames.len();
        self.scene.frames.push(Frame { rect: Rect { x, y, w, h }, role: FrameRole::Function(id), parent: None, state });
        if !program {
            let title = labels::with_times(function.name.clone(), calls);
            self.text(x + 14, y + 18, Anchor::Start, Style::Label, state, &title);
        }
        let axis = x + axis;
        let top = y + if program { 0 } else { 24 } + PAD;
        let bottom = y + h - PAD;
        let ended = ended.filter(|_| program);
        let (left, returned) = match function.chain {
            None => (true, calls),
            Some(chain) => {
                let last = flow.chain(chain).stages.last().copied();
                let leaves = last.is_some_and(|last| self.layout.plan.exits[last.index()]);
                (leaves, last.and_then(|last| self.traffic.and_then(|traffic| traffic.exits(last))))
            }
        };
        self.terminal(axis, top, "in", state);
        let out = match ended {
            Some(ended) => self.state(Some(u32::from(ended == "sent"))),
            None => self.state(returned),
        };
        self.terminal(axis, bottom - TERMINAL, "out", out);
        if let Some(ended) = ended {
            let w = ending_width(ended);
            let (x, y) = (axis + TERMINAL_WIDTH / 2 + 8, bottom - TERMINAL / 2);
            self.node(Rect { x, y: y - 11, w, h: 22 }, Shape::Ending { well: ended == "sent" }, State::Plain);
            self.text(x + w / 2, y, Anchor::Middle, Style::Ending, State::Plain, ended);
        }
        let Some(chain) = function.chain else {
            self.line(LineRole::Forward, true, calls, Vec::new(), &[(axis, top + TERMINAL), (axis, bottom - TERMINAL)]);
            return;
        };
        let first = flow.chain(chain).stages.first().map_or(top, |first| self.layout.stage(*first).top);
        self.line(LineRole::Forward, true, calls, Vec::new(), &[(axis, top + TERMINAL), (axis, first)]);
        self.chain(chain, axis, frame);
        if left {
            let from = self.layout.chain(chain).bottom;
            self.line(LineRole::Forward, true, returned, Vec::new(), &[(axis, from), (axis, bottom - TERMINAL)]);
        }
    }

    fn terminal(&mut self, axis: i32, top: i32, text: &str, state: State) {
        self.node(
            Rect { x: axis - TERMINAL_WIDTH / 2, y: top, w: TERMINAL_WIDTH, h: TERMINAL },
            Shape::Terminal,
            state,
        );
        self.text(axis, top + TERMINAL / 2, Anchor::Middle, Style::Terminal, state, text);
    }

    // Chains and elements.

    fn chain(&mut self, id: ChainId, axis: i32, parent: usize) {
        let flow = self.flow;
        self.chain_axes[id.index()] = axis;
        let stages = &flow.chain(id).stages;
        for (at, stage) in stages.iter().enumerate() {
            self.stage(*stage, axis, parent);
            let Some(below) = stages.get(at + 1) else { continue };
            let (from, to) = (self.layout.stage(*stage).bottom, self.layout.stage(*below).top);
            let count = self.traffic.and_then(|traffic| traffic.exits(*stage));
            if self.layout.plan.exits[stage.index()] {
                self.line(LineRole::Forward, true, count, Vec::new(), &[(axis, from), (axis, to)]);
                let label = count.and_then(labels::times).unwrap_or_default();
                let state = self.state(count);
                self.text(axis - 8, (from + to) / 2 - 2, Anchor::End, Style::Forward, state, &label);
            }
            if !flow.stage(*below).catches.is_empty() {
                let caught = self.traffic.and_then(|traffic| traffic.caught(*below));
                let x = axis + 20;
                self.line(LineRole::Catch, true, caught, Vec::new(), &[(x, from), (x, to)]);
                let state = self.state(caught);
                let label = labels::with_times(labels::caught(flow.stage(*below)), caught);
                self.text(x + 8, (from + to) / 2 - 2, Anchor::Start, Style::Stop, state, &label);
            }
        }
    }

    fn element(&mut self, element: Element, axis: i32, parent: usize, leave: Option<Leave>) {
        match element {
            Element::Step(step) => self.cell(step, axis, leave),
            Element::Chain(chain) => self.chain(chain, axis, parent),
        }
    }

    fn element_top(&self, element: Element) -> i32 {
        match element {
            Element::Step(step) => self.layout.cell(step).top,
            Element::Chain(chain) => {
                self.flow.chain(chain).stages.first().map_or(0, |first| self.layout.stage(*first).top)
            }
        }
    }

    fn element_bottom(&self, element: Element) -> i32 {
        match element {
            Element::Step(step) => self.layout.cell(step).top + self.layout.cell(step).height,
            Element::Chain(chain) => self.layout.chain(chain).bottom,
        }
    }

    /// How often an element was begun.
    fn begun(&self, element: Element) -> Option<u32> {
        let traffic = self.traffic?;
        match element {
            Element::Step(step) => Some(traffic.visits(step)),
            Element::Chain(chain) => self.flow.chain(chain).stages.first().and_then(|first| traffic.entries(*first)),
        }
    }

    /// What leaves an element below: does anything, how often, what is said of it, which outcomes it is.
    fn down(&self, element: Element) -> (bool, Option<u32>, String, Vec<Of>) {
        let step = match element {
            Element::Step(step) => step,
            Element::Chain(chain) => {
                let Some(last) = self.flow.chain(chain).stages.last() else {
                    return (false, None, String::new(), vec![]);
                };
                let leaves = self.layout.plan.exits[last.index()];
                let count = self.traffic.and_then(|traffic| traffic.exits(*last));
                match self.layout.bare_step(self.flow, chain) {
                    Some(step) => step,
                    None => return (leaves, count, String::new(), Vec::new()),
                }
            }
        };
        let cell = self.layout.cell(step);
        let of = cell.down.iter().map(|at| Of::Outcome(step, *at)).collect();
        (!cell.down.is_empty(), cell.down_count, cell.down_label.clone(), of)
    }

    /// A line out of an element's bottom, with its label.
    fn onward(&mut self, element: Element, axis: i32, head: bool, rest: &[(i32, i32)]) {
        let (leaves, count, label, of) = self.down(element);
        if !leaves {
            return;
        }
        let bottom = self.element_bottom(element);
        let mut points = vec![(axis, bottom)];
        points.extend_from_slice(rest);
        self.line(LineRole::Forward, head, count, of, &points);
        let state = self.state(count);
        self.text(axis + 7, bottom + 11, Anchor::Start, Style::Forward, state, &label);
    }

    // Stages.

    fn stage(&mut self, id: StageId, axis: i32, parent: usize) {
        let flow = self.flow;
        let stage = flow.stage(id);
        self.axes[id.index()] = axis;
        if self.layout.plan.bare[id.index()] {
            if let Some(element) = stage.elements.first() {
                self.element(*element, axis, parent, None);
            }
            return;
        }
        let geo = self.layout.stage(id).clone();
        let rect = Rect { x: axis - geo.left, y: geo.top, w: geo.left + geo.right, h: geo.bottom - geo.top };
        let entries = self.traffic.and_then(|traffic| traffic.entries(id));
        let state = self.state(entries);
        let frame = self.scene.frames.len();
        let role = FrameRole::Stage(id, stage.kind);
        self.scene.frames.push(Frame { rect, role, parent: Some(parent), state });
        self.header(stage, rect, state);
        match stage.kind {
            StageKind::Switch => self.switch(stage, axis, frame, &geo),
            StageKind::Select => self.select(id, stage, axis, frame, &geo),
            StageKind::Join => self.join(id, stage, axis, frame, &geo),
            StageKind::Match => self.arms(id, axis, frame, &geo),
        }
    }

    fn header(&mut self, stage: &Stage, rect: Rect, state: State) {
        let y = rect.y + HEADER / 2;
        let mut x = rect.x + 12;
        self.node(Rect { x, y: y - 8, w: 16, h: 16 }, Shape::Glyph(stage.kind), state);
        x += 16 + 6;
        let kind = kind_word(stage.kind);
        self.text(x, y, Anchor::Start, Style::Kind(stage.kind), state, kind);
        x += width(kind, Style::Kind(stage.kind)) + 8;
        if let Some(label) = stage.label {
            let label = self.flow.word(label);
            self.text(x, y, Anchor::Start, Style::Label, state, label);
            x += width(label, Style::Label) + 8;
        }
        if let Some(limits) = labels::stage_limits(stage) {
            self.bead(x + bead_width(&limits.text) / 2, y, &limits, state);
        }
    }

    fn switch(&mut self, stage: &Stage, axis: i32, frame: usize, geo: &StageGeo) {
        let leave = Leave { lane: axis - geo.inner_left, out: geo.out, axis, bottom: geo.bottom };
        for (at, element) in stage.elements.iter().enumerate() {
            if at == 0 {
                let begun = self.begun(*element);
                let top = self.element_top(*element);
                self.line(LineRole::Forward, true, begun, Vec::new(), &[(axis, geo.top + HEADER), (axis, top)]);
            }
            self.element(*element, axis, frame, Some(leave));
            match stage.elements.get(at + 1) {
                Some(below) => {
                    let top = self.element_top(*below);
                    self.onward(*element, axis, true, &[(axis, top)]);
                }
                None => self.onward(*element, axis, false, &[(axis, geo.bottom)]),
            }
        }
    }

    fn join(&mut self, id: StageId, stage: &Stage, axis: i32, frame: usize, geo: &StageGeo) {
        let entries = self.traffic.and_then(|traffic| traffic.entries(id));
        let left = self.traffic.and_then(|traffic| traffic.exits(id));
        self.line(LineRole::Forward, true, entries, Vec::new(), &[(axis, geo.top + HEADER), (axis, geo.first)]);
        let ends = (geo.columns.first().copied().unwrap_or(0), geo.columns.last().copied().unwrap_or(0));
        // Even on both sides.
        let half = (22 - ends.0).max(22 + ends.1).min(geo.inner_left).min(geo.lanes - 8);
        let (x, w) = (axis - half, 2 * half);
        let (entered, ended) = (self.state(entries), self.state(left));
        self.node(Rect { x, y: geo.first, w, h: BAR }, Shape::Bar, entered);
        self.node(Rect { x, y: geo.out, w, h: BAR }, Shape::Bar, ended);
        for (element, column) in stage.elements.iter().zip(&geo.columns) {
            let x = axis + column;
            let (begun, top) = (self.begun(*element), self.element_top(*element));
            self.line(LineRole::Forward, true, begun, Vec::new(), &[(x, geo.first + BAR), (x, top)]);
            self.element(*element, x, frame, None);
            self.onward(*element, x, true, &[(x, geo.out)]);
        }
        self.line(LineRole::Forward, false, left, Vec::new(), &[(axis, geo.out + BAR), (axis, geo.bottom)]);
        if let Some(takes) = labels::takes(stage) {
            self.text(axis + 8, geo.out + BAR + 12, Anchor::Start, Style::Forward, ended, &takes);
        }
    }

    fn select(&mut self, id: StageId, stage: &Stage, axis: i32, frame: usize, geo: &StageGeo) {
        let half = DIAMOND / 2;
        let middle = geo.first + half;
        let entries = self.traffic.and_then(|traffic| traffic.entries(id));
        let state = self.state(entries);
        self.line(LineRole::Forward, true, entries, Vec::new(), &[(axis, geo.top + HEADER), (axis, geo.first)]);
        self.node(Rect { x: axis - half, y: geo.first, w: DIAMOND, h: DIAMOND }, Shape::Diamond, state);
        self.calls(Now::Chooser(id));
        self.text(axis, middle, Anchor::Middle, Style::Chooser, state, "?");
        if let Some(chooser) = stage.chooser {
            let name = self.flow.worker(chooser).name.clone();
            self.text(axis + half + 2, middle - 14, Anchor::Start, Style::Chooser, state, &name);
        }
        let back = axis - geo.inner_left;
        let mut sent = Some(0);
        for (at, (element, column)) in stage.elements.iter().zip(&geo.columns).enumerate() {
            let x = axis + column;
            let (begun, top) = (self.begun(*element), self.element_top(*element));
            let from = (axis, geo.first + DIAMOND);
            self.line(LineRole::Forward, true, begun, Vec::new(), &[from, (axis, geo.bus), (x, geo.bus), (x, top)]);
            let extent = match element {
                Element::Step(step) => self.layout.cell(*step).width / 2 + self.layout.cell(*step).left_zone,
                Element::Chain(_) => 0,
            };
            let leave = Leave { lane: x - extent + 4, out: geo.out, axis, bottom: geo.bottom };
            self.element(*element, x, frame, Some(leave));
            if let Some(before) = at.checked_sub(1) {
                self.neighbour(id, *element, before as u32, stage.elements[before], x, axis + geo.columns[before]);
            }
            let sends = self.sends(*element);
            sent = sent.zip(sends.0).map(|(sum, n)| sum + n);
            if sends.1 {
                self.onward(*element, x, false, &[(x, geo.out), (axis, geo.out), (axis, geo.bottom)]);
            } else {
                self.onward(
                    *element,
                    x,
                    true,
                    &[(x, geo.back), (back, geo.back), (back, middle), (axis - half, middle)],
                );
            }
        }
        let left = self.traffic.and_then(|traffic| traffic.exits(id));
        let finished = left.zip(sent).and_then(|(left, sent)| left.checked_sub(sent));
        let lane = axis + geo.lanes - 8;
        let points = [(axis + half, middle), (lane, middle), (lane, geo.out), (axis, geo.out), (axis, geo.bottom)];
        self.line(LineRole::Forward, false, finished, Vec::new(), &points);
        let state = self.state(finished);
        self.text(axis + half + 8, middle + 10, Anchor::Start, Style::Forward, state, "finish");
    }

    /// How often an element of a select sent; and is that what leaves it below?
    fn sends(&self, element: Element) -> (Option<u32>, bool) {
        let Element::Step(step) = element else { return (Some(0), false) };
        let outcomes = self.flow.step(step).outcomes.iter().enumerate();
        let sends = outcomes.filter(|(_, outcome)| **outcome == Outcome::Send).map(|(at, _)| at as u32);
        let count = self.traffic.map(|traffic| sends.map(|at| traffic.outcome(step, at)).sum());
        let below = self.layout.cell(step).down.first().map(|at| self.flow.step(step).outcomes[*at as usize]);
        (count, below == Some(Outcome::Send))
    }

    /// A `back` to the column on the left: straight across.
    fn neighbour(&mut self, id: StageId, element: Element, before: u32, to: Element, x: i32, to_axis: i32) {
        let Element::Step(step) = element else { return };
        let cell = self.layout.cell(step);
        let start = x - cell.width / 2;
        let Some(port) = cell.left.iter().find(|port| port.role == PortRole::Neighbour) else { return };
        let (y, count, text) = (port.y, port.count, port.text.clone());
        let of = port.outcomes.iter().map(|at| Of::Outcome(step, *at)).collect();
        let Some(goal) = self.layout.plan.target(self.flow, Dest::Element(id, before)) else { return };
        let lane = self.column_lane_x((id, before), NEIGHBOUR);
        let (to_x, to_y) = match (goal, to) {
            (Goal::Step(step), _) => (to_axis + self.layout.cell(step).width / 2, self.layout.enter_y(goal)),
            (Goal::Stage(stage), _) => (to_axis + self.layout.stage(stage).right, self.layout.enter_y(goal)),
        };
        self.line(LineRole::Loop, true, count, of, &[(start, y), (lane, y), (lane, to_y), (to_x, to_y)]);
        let w = width(&text, Style::Loop);
        self.gap(start - TAIL - w - 6, start - TAIL + 2);
        let state = self.state(count);
        self.text(start - TAIL - 2, y, Anchor::End, Style::Loop, state, &text);
    }

    /// Opens the line drawn last for a text.
    fn gap(&mut self, from: i32, to: i32) {
        if let Some(line) = self.scene.lines.last_mut() {
            line.gap = Some((from, to));
        }
    }

    fn arms(&mut self, id: StageId, axis: i32, frame: usize, geo: &StageGeo) {
        let arms = std::mem::take(&mut self.layout.plan.arms[id.index()]);
        let right = axis + geo.wedge / 2;
        let lane = axis + geo.lanes - 8;
        let leave = Leave { lane, out: geo.out, axis, bottom: geo.bottom };
        let entries = self.traffic.and_then(|traffic| traffic.entries(id));
        let mut above = (geo.top + HEADER, true);
        for (nth, arm) in arms.iter().enumerate() {
            let nth = nth as u32;
            let count = self.traffic.and_then(|traffic| traffic.arm(id, nth));
            let state = self.state(count);
            let top = arm.y - arm.height / 2;
            let (role, tried) = if above.1 { (LineRole::Forward, entries) } else { (LineRole::Rail, None) };
            self.line(role, above.1, tried, Vec::new(), &[(axis, above.0), (axis, top)]);
            above = (top + arm.height, false);
            self.node(Rect { x: axis - geo.wedge / 2, y: top, w: geo.wedge, h: arm.height }, Shape::Wedge, state);
            self.text(axis - 4, arm.y, Anchor::Middle, Style::Wedge, state, &arm.word);
            match &arm.body {
                ArmBody::Ends(ports) => {
                    for port in ports {
                        let start = right - self.layout.slant(arm, port.y);
                        self.end(id, nth, port, (start, right), leave);
                    }
                }
                ArmBody::Inline(step) => {
                    let w = self.layout.cell(*step).width;
                    let left = right + ARM_GAP;
                    self.line(LineRole::Forward, true, count, Vec::new(), &[(right, arm.y), (left, arm.y)]);
                    self.cell(*step, left + w / 2, None);
                    let (_, count, label, of) = self.down(Element::Step(*step));
                    let points =
                        [(left + w, arm.y), (lane, arm.y), (lane, geo.out), (axis, geo.out), (axis, geo.bottom)];
                    self.line(LineRole::Forward, false, count, of, &points);
                    if !label.is_empty() {
                        self.gap(left + w + TAIL - 2, left + w + TAIL + width(&label, Style::Forward) + 4);
                    }
                    let state = self.state(count);
                    self.text(left + w + TAIL + 1, arm.y, Anchor::Start, Style::Forward, state, &label);
                }
                ArmBody::Chain(chain) => {
                    let x = right + ARM_GAP + self.layout.chain(*chain).left;
                    let top = self.element_top(Element::Chain(*chain));
                    self.line(LineRole::Forward, true, count, Vec::new(), &[(right, arm.y), (x, arm.y), (x, top)]);
                    self.chain(*chain, x, frame);
                    let rest =
                        [(x, arm.out_y), (lane, arm.out_y), (lane, geo.out), (axis, geo.out), (axis, geo.bottom)];
                    self.onward(Element::Chain(*chain), x, false, &rest);
                }
            }
        }
        self.layout.plan.arms[id.index()] = arms;
    }

    /// An end of an arm; the way of a jump is drawn with its group.
    fn end(&mut self, id: StageId, arm: u32, port: &Port, (start, right): (i32, i32), leave: Leave) {
        let state = self.state(port.count);
        let of = port.outcomes.iter().map(|at| Of::End(id, arm, *at)).collect();
        let y = port.y;
        match port.role {
            PortRole::Stop(stop) => {
                self.line(LineRole::Stop, false, port.count, of, &[(start, y), (right + TAIL, y)]);
                self.mark(right + TAIL + 5, y, stop, state);
                self.text(right + TAIL + 15, y, Anchor::Start, Style::Stop, state, &port.text);
            }
            PortRole::Send => {
                let Leave { lane, out, axis, bottom } = leave;
                let points = [(start, y), (lane, y), (lane, out), (axis, out), (axis, bottom)];
                self.line(LineRole::Forward, false, port.count, of, &points);
                self.gap(right + TAIL - 2, right + TAIL + width(&port.text, Style::Loop) + 4);
                self.text(right + TAIL + 1, y, Anchor::Start, Style::Forward, state, &port.text);
            }
            _ => self.text(right + TAIL + 1, y, Anchor::Start, Style::Loop, state, &port.text),
        }
    }
}
