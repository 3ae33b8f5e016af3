//! How often each stage is entered and each step visited, at the most. A count bounds its own; what has none lies between
//! counted places, and follows from theirs: after each visit of a counted place a run passes what is not counted once.

use super::levels::Levels;
use super::{ChainId, Element, Flow, Inside, Stage, StageId, cycles};
use aivm_schema::module::StageKind;
use rustc_hash::FxHashSet;

/// Of every stage and step, in one entry of the stage around it.
pub(crate) struct Often {
    pub entries: Vec<u64>,
    pub visits: Vec<u64>,
    /// Of every match: can more than one of its arms run in one entry, because one jumps into another?
    pub arms_meet: Vec<bool>,
    /// Of every select: does nothing but a choice lead to its elements?
    pub only_chosen: Vec<bool>,
}

impl Often {
    pub fn of(flow: &Flow) -> Often {
        let levels = Levels::of(flow, (0..flow.stages.len() as u32).map(StageId));
        let mut often = Often {
            entries: vec![1; flow.stages.len()],
            visits: vec![1; flow.steps.len()],
            arms_meet: Vec::new(),
            only_chosen: vec![false; flow.stages.len()],
        };
        let entered: FxHashSet<StageId> = levels.entered_at.iter().map(|(stage, _)| *stage).collect();
        often.arms_meet = (0..flow.stages.len() as u32).map(|id| levels.elements.contains_key(&StageId(id))).collect();
        // How often a chain is begun in one entry of the stage around. Chains stand after those around them.
        let mut begun = vec![1; flow.chains.len()];
        for (id, chain) in flow.chains.iter().enumerate() {
            let id = ChainId(id as u32);
            let count = |stage: StageId| flow.stage(stage).entries.map(|count| u64::from(count.most));
            let level = Level {
                arcs: levels.chain_arcs(flow, id),
                counts: chain.stages.iter().map(|stage| count(*stage)).collect(),
                entered: (0..chain.stages.len()).map(|at| at == 0 || levels.entered_inside.contains(&id)).collect(),
                begun: begun[id.index()],
            };
            for (stage, most) in chain.stages.iter().zip(level.solve()) {
                // A chooser comes back to what it chooses from, without an arc.
                let chosen = matches!(chain.inside, Inside::Element(around, _)
                    if flow.stage(around).kind == StageKind::Select && !often.only_chosen[around.index()]);
                often.entries[stage.index()] = if chosen { count(*stage).unwrap_or(most) } else { most };
            }
            for stage in &chain.stages {
                let kind = flow.stage(*stage).kind;
                let members = flow.members(*stage);
                let counts: Vec<Option<u64>> = members
                    .iter()
                    .map(|member| match member {
                        Some(Element::Step(step)) => flow.step(*step).visits.map(|count| count.most.into()),
                        Some(Element::Chain(chain)) if !levels.entered_inside.contains(chain) => {
                            flow.chain(*chain).stages.first().and_then(|first| count(*first))
                        }
                        _ => None,
                    })
                    .collect();
                let first =
                    |at| at == 0 || kind != StageKind::Switch || levels.entered_at.contains(&(*stage, at as u32));
                let most = if kind == StageKind::Select {
                    let inside = |member: &Option<Element>| matches!(member, Some(Element::Chain(chain)) if levels.entered_inside.contains(chain));
                    let only_chosen =
                        !levels.elements.contains_key(stage) && !entered.contains(stage) && !members.iter().any(inside);
                    often.only_chosen[stage.index()] = only_chosen;
                    let Stage { chooser, choices, .. } = flow.stage(*stage);
                    // Without a chooser each is chosen once.
                    let choices = if chooser.is_none() { Some(1) } else { choices.map(u64::from) };
                    let choices = choices.filter(|_| only_chosen).unwrap_or(u64::MAX);
                    counts.iter().map(|count| count.unwrap_or(1).min(choices)).collect()
                } else {
                    let entered = (0..members.len()).map(first).collect();
                    Level { arcs: levels.element_arcs(flow, *stage), counts, entered, begun: 1 }.solve()
                };
                for (member, most) in members.into_iter().zip(most) {
                    match member {
                        Some(Element::Step(step)) => often.visits[step.index()] = most,
                        Some(Element::Chain(chain)) => begun[chain.index()] = most,
                        None => {}
                    }
                }
            }
        }
        often
    }
}

/// One level: places in written order, and the ways between them.
struct Level {
    arcs: Vec<(u32, u32)>,
    counts: Vec<Option<u64>>,
    /// Can a run begin here?
    entered: Vec<bool>,
    begun: u64,
}

impl Level {
    fn solve(mut self) -> Vec<u64> {
        let n = self.counts.len();
        let mut most: Vec<u64> =
            self.counts.iter().map(|count| count.map_or(self.begun, |count| count.min(self.begun))).collect();
        if self.arcs.is_empty() {
            return most;
        }
        self.arcs.sort_unstable();
        self.arcs.dedup();
        let (part, cyclic) = cycles::components(n, &self.arcs, &vec![false; n]);
        // A run enters a part once; each count that is used in it adds one more way through what is not counted.
        let mut most_in_part = vec![self.begun; n];
        for (at, count) in self.counts.iter().enumerate() {
            let sum = &mut most_in_part[part[at] as usize];
            *sum = sum.saturating_add(count.unwrap_or(0));
        }
        let mut into = vec![0u64; n];
        for (from, to) in &self.arcs {
            self.entered[*to as usize] |= part[*from as usize] != part[*to as usize];
        }
        // What is counted first; then what is not, each after all that lead to it: taken alone that has no cycle.
        let counted: Vec<bool> = self.counts.iter().map(Option::is_some).collect();
        let (rank, _) = cycles::components(n, &self.arcs, &counted);
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_key(|at| (!counted[*at], std::cmp::Reverse(rank[*at])));
        for at in order.into_iter().filter(|at| cyclic[*at]) {
            let begun = if self.entered[at] { self.begun } else { 0 };
            let uncounted = into[at].saturating_add(begun).min(most_in_part[part[at] as usize]);
            most[at] = self.counts[at].unwrap_or(uncounted);
            let first = self.arcs.partition_point(|arc| (arc.0 as usize) < at);
            for (_, to) in self.arcs[first..].iter().take_while(|arc| arc.0 as usize == at) {
                if part[*to as usize] == part[at] {
                    into[*to as usize] = into[*to as usize].saturating_add(most[at]);
                }
            }
        }
        most
    }
}
