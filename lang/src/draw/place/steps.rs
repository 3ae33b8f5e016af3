//! A step with everything that hangs on it.

use super::super::labels;
use super::super::layout::*;
use super::super::measure::width;
use super::super::path::{Fate, Now};
use super::super::plan::{ENTER, Port, PortRole, SWING, Stop, TAIL, UNDO_GAP, bead_width, undoer_width};
use super::super::scene::*;
use super::{Leave, Placer};
use crate::flow::*;

impl Placer<'_> {
    pub(super) fn cell(&mut self, id: StepId, axis: i32, leave: Option<Leave>) {
        let flow = self.flow;
        let step = flow.step(id);
        self.layout.plan.cells[id.index()].axis = axis;
        let visits = self.traffic.map(|traffic| traffic.visits(id));
        let state = self.state(visits);
        let own = match self.traffic.and_then(|traffic| traffic.fate(id)) {
            Some(Fate::Failed) => State::Failed,
            Some(Fate::Cancelled) => State::Cancelled,
            None => state,
        };
        let cell = self.layout.cell(id);
        let rect = Rect { x: axis - cell.width / 2, y: cell.top, w: cell.width, h: cell.height };
        let (lines, limits, above, enter_y) =
            (cell.lines.clone(), cell.limits.clone(), cell.bead_above(), cell.enter_y);
        let shape = Shape::Pill { step: id, calls: matches!(step.target, Target::Function(_)), many: step.each };
        self.scene.nodes.push(Node { rect, shape, state: own, now: false, title: labels::key(flow, step) });
        self.calls(Now::Step(id));
        let mut y = rect.y + rect.h / 2 - (15 * (lines.len() as i32 - 1)) / 2;
        for (style, text) in &lines {
            self.text(axis, y, Anchor::Middle, *style, own, text);
            y += 15;
        }
        if let Some(limits) = limits {
            // Nobody wrote it: it stands where the loop that it closes comes in.
            match above {
                true => self.bead(axis, rect.y - ARROW - BEAD / 2, &limits, state),
                false => self.bead(rect.right() + ENTER + bead_width(&limits.text) / 2, enter_y, &limits, state),
            }
        }
        if let Some(times) = visits.and_then(labels::times) {
            let w = width(&times, Style::Times) + 10;
            let (x, y) = (rect.x + 4, rect.y);
            self.node(Rect { x: x - 8, y: y - 8, w, h: 16 }, Shape::Times, state);
            self.text(x - 8 + w / 2, y, Anchor::Middle, Style::Times, state, &times);
        }
        let ports = {
            let cell = &mut self.layout.plan.cells[id.index()];
            (std::mem::take(&mut cell.left), std::mem::take(&mut cell.right))
        };
        for port in &ports.0 {
            self.left_port(id, port, rect, leave);
        }
        for port in &ports.1 {
            self.right_port(id, port, rect);
        }
        let cell = &mut self.layout.plan.cells[id.index()];
        (cell.left, cell.right) = ports;
    }

    fn left_port(&mut self, id: StepId, port: &Port, rect: Rect, leave: Option<Leave>) {
        let state = self.state(port.count);
        let of: Vec<Of> = port.outcomes.iter().map(|at| Of::Outcome(id, *at)).collect();
        let (x, y) = (rect.x, port.y);
        match (port.role, leave) {
            (PortRole::Stop(stop), _) => {
                // What leads nowhere ends nothing either.
                let (role, style) = match stop {
                    Stop::Nowhere => (LineRole::Rail, Style::Forward),
                    _ => (LineRole::Stop, Style::Stop),
                };
                self.line(role, false, port.count, of, &[(x, y), (x - TAIL, y)]);
                self.mark(x - TAIL - 5, y, stop, state);
                self.text(x - TAIL - 15, y, Anchor::End, style, state, &port.text);
            }
            (PortRole::Send, Some(Leave { lane, out, axis, bottom })) => {
                let points = [(x, y), (lane, y), (lane, out), (axis, out), (axis, bottom)];
                self.line(LineRole::Forward, false, port.count, of, &points);
                self.gap(x - TAIL - width(&port.text, Style::Loop) - 4, x - TAIL + 2);
                self.text(x - TAIL - 1, y, Anchor::End, Style::Forward, state, &port.text);
            }
            _ => {}
        }
    }

    fn right_port(&mut self, id: StepId, port: &Port, rect: Rect) {
        let state = self.state(port.count);
        let of: Vec<Of> = port.outcomes.iter().map(|at| Of::Outcome(id, *at)).collect();
        let (x, y) = (rect.right(), port.y);
        match port.role {
            PortRole::Undo => {
                let w = undoer_width(&port.text);
                self.line(LineRole::Undo, false, port.count, of, &[(x, y), (x + UNDO_GAP, y)]);
                self.gap(x + UNDO_GAP / 2 - 7, x + UNDO_GAP / 2 + 7);
                self.text(x + UNDO_GAP / 2, y, Anchor::Middle, Style::Undo, state, "~");
                self.node(Rect { x: x + UNDO_GAP, y: y - 12, w, h: 24 }, Shape::Undoer, state);
                self.calls(Now::Undoer(id));
                let text = labels::with_times(port.text.clone(), port.count);
                self.text(x + UNDO_GAP + w / 2, y, Anchor::Middle, Style::Undoer, state, &text);
            }
            PortRole::Retry => {
                let points = [(x, y - 6), (x + SWING, y - 6), (x + SWING, y + 6), (x, y + 6)];
                self.line(LineRole::Loop, true, port.count, of, &points);
                self.text(x + SWING + 5, y, Anchor::Start, Style::Loop, state, &port.text);
            }
            PortRole::Out(_) => self.text(x + TAIL + 1, y, Anchor::Start, Style::Loop, state, &port.text),
            _ => {}
        }
    }
}
