//! The levels of a flow graph: the stages of a chain, and the elements of a stage (of a match, its arms). All that leads back
//! leads back on exactly one level, so questions about cycles are asked level by level, on graphs as small as what is written
//! between two parentheses.

use super::{Arm, ChainId, Element, Flow, Inside, Outcome, StageId, Then, cycles};
use aivm_schema::module::StageKind;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;

/// Where something stands: an element (or arm) of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub stage: StageId,
    pub element: u32,
}

/// What two places have in common.
pub(crate) struct Common {
    /// The innermost stage around both; none: the function.
    pub stage: Option<StageId>,
    /// Which element of it (or, for a target stage that is a member of a chain there, of the chain) each stands in.
    pub from: u32,
    pub to: u32,
}

impl Flow {
    /// The element of `around` that a stage inside it stands in, and the stage of that element's chain that is or holds it.
    pub(crate) fn element_in(&self, stage: StageId, around: Option<StageId>) -> Option<(u32, StageId)> {
        let member = self.outwards(Some(stage)).find(|outer| self.stage(*outer).around == around)?;
        match self.chain(self.stage(member).chain).inside {
            Inside::Element(_, element) | Inside::Arm(_, element) => Some((element, member)),
            Inside::Function(_) => Some((0, member)),
        }
    }

    /// The innermost stage around (or equal to) both. A stage stands after the stage around it, so the later one is never
    /// around the other.
    pub(crate) fn shared(&self, mut a: Option<StageId>, mut b: Option<StageId>) -> Option<StageId> {
        while a != b {
            if a > b {
                a = self.stage(a?).around;
            } else {
                b = self.stage(b?).around;
            }
        }
        a
    }

    /// What a place and a target have in common. `element`: of the target stage; none: the stage as a whole.
    pub(crate) fn common(&self, from: At, target: StageId, element: Option<u32>) -> Common {
        let start = if element.is_some() { Some(target) } else { self.stage(target).around };
        let shared = self.shared(Some(from.stage), start);
        let place = |stage: StageId, own: Option<u32>| match (own, shared) {
            (Some(own), Some(shared)) if stage == shared => own,
            _ => self.element_in(stage, shared).map_or(0, |(element, _)| element),
        };
        Common { stage: shared, from: place(from.stage, Some(from.element)), to: place(target, element) }
    }
}

/// The arcs of each level that `back` and jumps make, as positions; that a value also goes forward is added when asked.
#[derive(Debug, Default)]
pub(crate) struct Levels {
    pub elements: BTreeMap<StageId, Vec<(u32, u32)>>,
    pub chains: BTreeMap<ChainId, Vec<(u32, u32)>>,
    /// Chains that a jump enters elsewhere than at their first stage.
    pub entered_inside: FxHashSet<ChainId>,
    /// Elements at which a jump from outside enters their stage.
    pub entered_at: FxHashSet<(StageId, u32)>,
}

impl Levels {
    /// Everything in these stages that leads back, or may.
    pub fn of(flow: &Flow, stages: impl Iterator<Item = StageId>) -> Levels {
        let mut levels = Levels::default();
        for id in stages {
            for element in &flow.stage(id).elements {
                let Element::Step(step) = element else { continue };
                let step = flow.step(*step);
                for outcome in &step.outcomes {
                    levels.add(flow, At { stage: id, element: step.element }, *outcome);
                }
            }
            for (arm, ends) in flow.stage(id).arms.iter().enumerate() {
                let Then::Ends(ends) = &ends.then else { continue };
                for end in ends {
                    levels.add(flow, At { stage: id, element: arm as u32 }, *end);
                }
            }
        }
        levels
    }

    /// Which stages of a chain lie on a cycle, when those in `removed` are taken away.
    pub fn stages_on_cycle(&self, flow: &Flow, id: ChainId, removed: &[bool]) -> Vec<bool> {
        cycles::on_cycle(flow.chain(id).stages.len(), &self.chain_arcs(flow, id), removed)
    }

    /// Which elements of a stage (or arms) lie on a cycle, when those in `removed` are taken away.
    pub fn elements_on_cycle(&self, flow: &Flow, id: StageId, removed: &[bool]) -> Vec<bool> {
        cycles::on_cycle(flow.stage(id).slots(), &self.element_arcs(flow, id), removed)
    }

    /// All arcs between the stages of a chain; none where nothing leads back.
    pub fn chain_arcs(&self, flow: &Flow, id: ChainId) -> Vec<(u32, u32)> {
        let Some(arcs) = self.chains.get(&id) else { return Vec::new() };
        let forward = (1..flow.chain(id).stages.len() as u32).map(|to| (to - 1, to));
        arcs.iter().copied().chain(forward).collect()
    }

    /// All arcs between the elements of a stage (or arms); none where nothing leads back.
    pub fn element_arcs(&self, flow: &Flow, id: StageId) -> Vec<(u32, u32)> {
        let stage = flow.stage(id);
        let Some(arcs) = self.elements.get(&id) else { return Vec::new() };
        let forward = (1..stage.slots() as u32).filter(|to| {
            let above = stage.elements.get(*to as usize - 1);
            stage.kind == StageKind::Switch && above.is_some_and(|above| flow.goes_forward(*above))
        });
        arcs.iter().copied().chain(forward.map(|to| (to - 1, to))).collect()
    }

    fn add(&mut self, flow: &Flow, at: At, outcome: Outcome) {
        match outcome {
            Outcome::Back(n) => {
                if let Some(to) = at.element.checked_sub(n.into()) {
                    self.elements.entry(at.stage).or_default().push((at.element, to));
                }
            }
            Outcome::Jump { stage, element, .. } => self.jump(flow, at, stage, element),
            _ => {}
        }
    }

    fn jump(&mut self, flow: &Flow, at: At, stage: StageId, element: Option<u32>) {
        let common = flow.common(at, stage, element);
        let direct = |place: StageId, element: bool| element && Some(place) == common.stage;
        let from = if direct(at.stage, true) { None } else { flow.element_in(at.stage, common.stage) };
        let to = if direct(stage, element.is_some()) { None } else { flow.element_in(stage, common.stage) };
        if let Some(element) = element.filter(|_| Some(stage) != common.stage) {
            self.entered_at.insert((stage, element));
        }
        for around in flow.outwards(flow.stage(stage).around).take_while(|around| Some(*around) != common.stage) {
            self.entered_at.extend(flow.element_in(stage, Some(around)).map(|(element, _)| (around, element)));
        }
        if let Some((_, member)) = to {
            let member = flow.stage(member);
            let same_chain = from.is_some_and(|(_, from)| flow.stage(from).chain == member.chain);
            if let Some((_, from)) = from.filter(|_| same_chain) {
                return self.chains.entry(member.chain).or_default().push((flow.stage(from).position, member.position));
            }
            if member.position > 0 {
                self.entered_inside.insert(member.chain);
            }
        }
        if let Some(around) = common.stage {
            self.elements.entry(around).or_default().push((common.from, common.to));
        }
    }
}

impl Flow {
    /// The elements of a stage; of a match, what its arms lead to where that is a chain.
    pub(crate) fn members(&self, id: StageId) -> Vec<Option<Element>> {
        let stage = self.stage(id);
        let chain = |arm: &Arm| if let Then::Chain(chain) = arm.then { Some(Element::Chain(chain)) } else { None };
        match stage.kind {
            StageKind::Match => stage.arms.iter().map(chain).collect(),
            _ => stage.elements.iter().copied().map(Some).collect(),
        }
    }

    /// Can a value go from this element to the one below?
    fn goes_forward(&self, element: Element) -> bool {
        match element {
            Element::Step(step) => {
                self.step(step).outcomes.iter().any(|o| matches!(o, Outcome::Next | Outcome::Continue))
            }
            Element::Chain(_) => true,
        }
    }
}
