//! The ways of `back` and of jumps: to the right, along a lane beside everything that lies between, and back in from the
//! right. What leads to the same place shares a lane.

use super::scene::Of;
use crate::flow::*;
use aivm_schema::module::StageKind;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Beside what a lane lies: the stages of a chain, or the elements of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Owner {
    Chain(ChainId),
    Stage(StageId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Goal {
    Step(StepId),
    Stage(StageId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// A port on the right of a step.
    Port(StepId, u32),
    /// An end of an arm.
    End(StageId, u32, u32),
}

/// An element of a stage whose elements stand side by side: a line out of it passes below them all.
pub(super) type Column = (StageId, u32);

#[derive(Debug)]
pub(super) struct Source {
    pub from: From,
    /// The columns that are left, innermost first.
    pub leave: Vec<Column>,
    pub of: Vec<Of>,
    pub count: Option<u32>,
}

/// All ways to one target that share a lane.
#[derive(Debug)]
pub(super) struct Group {
    pub owner: Owner,
    pub goal: Goal,
    pub sources: Vec<Source>,
    /// The columns that are entered, innermost first.
    pub enter: Vec<Column>,
    /// Its lane, from 0.
    pub lane: i32,
}

/// The lane of a `back` to the column on the left.
pub(super) const NEIGHBOUR: u32 = u32::MAX;

/// More lanes than this beside one thing, and the rest share the last.
const MOST_LANES: usize = 48;

#[derive(Debug, Default)]
pub(super) struct Routes {
    pub groups: Vec<Group>,
    index: FxHashMap<(Owner, Goal), u32>,
    tracks: FxHashMap<(StageId, u32), i32>,
    track_counts: FxHashMap<StageId, i32>,
    column_lanes: FxHashMap<(Column, u32), i32>,
    column_lane_counts: FxHashMap<Column, i32>,
    lane_counts: FxHashMap<Owner, i32>,
}

impl Routes {
    /// A way from an element (or arm) of a stage to a target; its group.
    pub fn add(&mut self, flow: &Flow, at: (StageId, u32), target: Goal, mut source: Source) -> u32 {
        let from = around(flow, at);
        let to = match target {
            Goal::Step(step) => around(flow, (flow.step(step).stage, flow.step(step).element)),
            Goal::Stage(stage) => around(flow, (stage, 0)).split_off(1),
        };
        let shared = from.iter().rev().zip(to.iter().rev()).take_while(|(a, b)| a.0 == b.0).count().max(1);
        let columns = |path: &[(Owner, u32)]| -> Vec<Column> {
            let inside = path.get(..=path.len().saturating_sub(shared)).unwrap_or(path);
            inside
                .iter()
                .filter_map(|(owner, at)| match owner {
                    Owner::Stage(stage) if is_row(flow, *stage) => Some((*stage, *at)),
                    _ => None,
                })
                .collect()
        };
        source.leave = columns(&from);
        let enter = columns(&to);
        let owner = from[from.len().saturating_sub(shared)].0;
        let group = *self.index.entry((owner, target)).or_insert_with(|| {
            self.groups.push(Group { owner, goal: target, sources: Vec::new(), enter: enter.clone(), lane: 0 });
            self.groups.len() as u32 - 1
        });
        for column in source.leave.iter().chain(&enter) {
            let count = self.track_counts.entry(column.0).or_default();
            self.tracks.entry((column.0, group)).or_insert_with(|| {
                *count += 1;
                *count - 1
            });
            self.claim(*column, group);
        }
        self.groups[group as usize].sources.push(source);
        group
    }

    /// The way from a place shows one more outcome: somebody wrote it twice.
    pub fn also(&mut self, group: u32, from: From, of: Of) {
        let sources = self.groups.get_mut(group as usize).map(|group| group.sources.iter_mut());
        if let Some(source) = sources.into_iter().flatten().rfind(|source| source.from == from) {
            source.of.push(of);
        }
    }

    /// A lane on the right of a column.
    pub fn claim(&mut self, column: Column, user: u32) {
        let count = self.column_lane_counts.entry(column).or_default();
        self.column_lanes.entry((column, user)).or_insert_with(|| {
            *count += 1;
            *count - 1
        });
    }

    /// Which of the tracks below a stage's columns is the group's.
    pub fn track(&self, stage: StageId, group: u32) -> i32 {
        self.tracks.get(&(stage, group)).copied().unwrap_or(0)
    }
    pub fn tracks(&self, stage: StageId) -> i32 {
        self.track_counts.get(&stage).copied().unwrap_or(0)
    }
    pub fn column_lane(&self, column: Column, user: u32) -> i32 {
        self.column_lanes.get(&(column, user)).copied().unwrap_or(0)
    }
    pub fn column_lanes(&self, column: Column) -> i32 {
        self.column_lane_counts.get(&column).copied().unwrap_or(0)
    }
    pub fn lanes(&self, owner: Owner) -> i32 {
        self.lane_counts.get(&owner).copied().unwrap_or(0)
    }

    /// Gives each group a lane beside its owner: short ways inside, none over another. `spans`: from where to where each goes.
    pub fn assign(&mut self, flow: &Flow, spans: &[(i32, i32)]) {
        let mut by_owner: BTreeMap<Owner, Vec<u32>> = BTreeMap::new();
        for (at, group) in self.groups.iter().enumerate() {
            if !matches!(group.owner, Owner::Stage(stage) if is_row(flow, stage)) {
                by_owner.entry(group.owner).or_default().push(at as u32);
            }
        }
        for (owner, mut groups) in by_owner {
            groups.sort_by_key(|group| {
                let (from, to) = spans[*group as usize];
                (to - from, *group)
            });
            // What each lane holds: from where, to where.
            let mut lanes: Vec<BTreeMap<i32, i32>> = Vec::new();
            for group in groups {
                let (from, to) = spans[group as usize];
                let free = |lane: &BTreeMap<i32, i32>| {
                    lane.range(..=to + 8).next_back().is_none_or(|(_, end)| *end < from - 8)
                };
                let lane = match lanes.iter().position(free) {
                    Some(lane) => lane,
                    None if lanes.len() < MOST_LANES => {
                        lanes.push(BTreeMap::new());
                        lanes.len() - 1
                    }
                    None => MOST_LANES - 1,
                };
                lanes[lane].insert(from, to);
                self.groups[group as usize].lane = lane as i32;
            }
            self.lane_counts.insert(owner, lanes.len() as i32);
        }
    }
}

/// Does it set its elements side by side?
pub(super) fn is_row(flow: &Flow, stage: StageId) -> bool {
    matches!(flow.stage(stage).kind, StageKind::Select | StageKind::Join)
}

/// Everything around an element, with its place in it, innermost first.
fn around(flow: &Flow, at: (StageId, u32)) -> Vec<(Owner, u32)> {
    let mut path = Vec::new();
    let mut next = Some(at);
    while let Some((stage, element)) = next {
        let chain = flow.stage(stage).chain;
        path.push((Owner::Stage(stage), element));
        path.push((Owner::Chain(chain), flow.stage(stage).position));
        next = match flow.chain(chain).inside {
            Inside::Element(stage, element) | Inside::Arm(stage, element) => Some((stage, element)),
            Inside::Function(_) => None,
        };
    }
    path
}
