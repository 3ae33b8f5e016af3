//! The ways of `back` and of jumps, along their lanes.

use super::super::layout::*;
use super::super::measure::width;
use super::super::plan::{ArmBody, TAIL};
use super::super::routes::{Column, From, Goal, Owner, is_row};
use super::super::scene::*;
use super::Placer;

impl Placer<'_> {
    pub(super) fn group(&mut self, id: u32) {
        let group = &self.layout.plan.routes.groups[id as usize];
        let (goal, enter, owner) = (group.goal, group.enter.clone(), group.owner);
        let mut end = Vec::new();
        for column in enter.iter().rev() {
            end.push((self.column_lane_x(*column, id), self.layout.track_y(column.0, id)));
        }
        let (goal_x, goal_y) = match goal {
            Goal::Step(step) => {
                let cell = self.layout.cell(step);
                (cell.axis + cell.width / 2, cell.enter_y)
            }
            Goal::Stage(stage) => {
                (self.axes[stage.index()] + self.layout.stage(stage).right, self.layout.enter_y(goal))
            }
        };
        end.push((goal_x, goal_y));
        let lane = match owner {
            Owner::Stage(stage) if is_row(self.flow, stage) => None,
            Owner::Stage(stage) => Some(self.axes[stage.index()] + self.layout.stage(stage).lanes),
            Owner::Chain(chain) => Some(self.chain_axes[chain.index()] + self.layout.chain(chain).lanes),
        };
        let lane = lane.map(|x| x + group.lane * LANE);
        for at in 0..self.layout.plan.routes.groups[id as usize].sources.len() {
            let source = &self.layout.plan.routes.groups[id as usize].sources[at];
            let (of, count) = (source.of.clone(), source.count);
            let (from, leave) = (source.from, source.leave.clone());
            let (start, x, text) = self.start(from);
            let mut points = vec![(start, self.layout.start_y(from))];
            for column in &leave {
                points.push((self.column_lane_x(*column, id), self.layout.track_y(column.0, id)));
            }
            points.extend(lane.map(|lane| (lane, self.layout.goal_y(id))));
            let mut points = corners(&points);
            // Out by the row, in by the lane.
            for point in &end {
                points.extend(points.last().map(|last| (last.0, point.1)));
                points.push(*point);
            }
            self.line(LineRole::Loop, true, count, of, &points);
            self.gap(x + TAIL - 2, x + TAIL + width(&text, Style::Loop) + 4);
        }
    }

    /// Where a way begins, where its text is counted from, and the text.
    fn start(&self, from: From) -> (i32, i32, String) {
        match from {
            From::Port(step, port) => {
                let cell = self.layout.cell(step);
                let text = cell.right.get(port as usize).map(|port| port.text.clone());
                let x = cell.axis + cell.width / 2;
                (x, x, text.unwrap_or_default())
            }
            From::End(stage, arm, end) => {
                let x = self.axes[stage.index()] + self.layout.stage(stage).wedge / 2;
                let Some(arm) = self.layout.plan.arms[stage.index()].get(arm as usize) else {
                    return (x, x, String::new());
                };
                let port = match &arm.body {
                    ArmBody::Ends(ports) => ports.iter().find(|port| port.outcomes.contains(&end)),
                    _ => None,
                };
                let Some(port) = port else { return (x, x, String::new()) };
                (x - self.layout.slant(arm, port.y), x, port.text.clone())
            }
        }
    }

    /// The x of a lane on the right of a column.
    pub(super) fn column_lane_x(&self, column: Column, user: u32) -> i32 {
        let (stage, at) = column;
        let geo = self.layout.stage(stage);
        let axis = self.axes[stage.index()] + geo.columns.get(at as usize).copied().unwrap_or(0);
        let right = geo.rights.get(at as usize).copied().unwrap_or(0);
        axis + right + 6 + self.layout.plan.routes.column_lane(column, user) * LANE
    }
}

/// Horizontal first, then vertical, between each two points.
fn corners(points: &[(i32, i32)]) -> Vec<(i32, i32)> {
    let mut path: Vec<(i32, i32)> = Vec::with_capacity(points.len() * 2);
    for point in points {
        if let Some(last) = path.last().copied()
            && last.0 != point.0
            && last.1 != point.1
        {
            path.push((point.0, last.1));
        }
        path.push(*point);
    }
    path
}
