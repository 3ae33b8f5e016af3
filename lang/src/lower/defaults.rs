//! The counts that nobody wrote: what lies on a cycle when everything counted is taken away gets a default, so that every
//! program ends. One small graph a level: the stages of a chain, the elements of a stage.

use super::outcomes::At;
use super::*;
use aivm_schema::module::StageKind;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;

/// The levels that something leads back on, with those arcs; forward arcs are added when a level is looked at.
#[derive(Default)]
struct Levels {
    elements: BTreeMap<StageId, Vec<(u32, u32)>>,
    chains: BTreeMap<ChainId, Vec<(u32, u32)>>,
    /// Chains that a jump enters elsewhere than at their first stage.
    entered_inside: FxHashSet<ChainId>,
}

impl File<'_, '_> {
    pub(super) fn set_default_counts(&mut self) {
        let own = self.front.limits.count.or(self.all.library.limits().count);
        let count = Count { most: own.map_or(DEFAULT_COUNT, std::num::NonZeroU16::get), written: false };
        let levels = self.levels();
        let flow = &mut self.all.flow;
        for (_, id) in &self.stages {
            if flow.stage(*id).kind == StageKind::Select {
                for element in flow.stage(*id).elements.clone() {
                    flow.close(element, count);
                }
            }
        }
        for (id, mut arcs) in levels.chains {
            let stages = flow.chain(id).stages.clone();
            arcs.extend((1..stages.len() as u32).map(|to| (to - 1, to)));
            let counted: Vec<bool> =
                stages.iter().map(|stage| flow.stage(*stage).entries.is_some_and(|count| count.written)).collect();
            let cyclic = cycles::on_cycle(stages.len(), &arcs, &counted);
            for (stage, _) in stages.iter().zip(cyclic).filter(|(_, cyclic)| *cyclic) {
                flow.stages[stage.index()].entries.get_or_insert(count);
            }
        }
        for (id, mut arcs) in levels.elements {
            let stage = flow.stage(id);
            let chains =
                || stage.arms.iter().map(|arm| if let Then::Chain(chain) = arm.then { Some(chain) } else { None });
            let elements: Vec<Option<Element>> = match stage.kind {
                StageKind::Match => chains().map(|chain| chain.map(Element::Chain)).collect(),
                _ => stage.elements.iter().copied().map(Some).collect(),
            };
            if stage.kind == StageKind::Switch {
                arcs.extend(
                    (1..elements.len() as u32)
                        .filter(|to| flow.goes_forward(elements[*to as usize - 1]))
                        .map(|to| (to - 1, to)),
                );
            }
            let counted: Vec<bool> = elements
                .iter()
                .map(|element| match element {
                    Some(Element::Step(step)) => flow.step(*step).visits.is_some_and(|count| count.written),
                    Some(Element::Chain(chain)) => {
                        let first = flow.chain(*chain).stages.first();
                        let counted =
                            first.is_some_and(|first| flow.stage(*first).entries.is_some_and(|count| count.written));
                        counted && !levels.entered_inside.contains(chain)
                    }
                    None => true,
                })
                .collect();
            let cyclic = cycles::on_cycle(elements.len(), &arcs, &counted);
            for (element, _) in elements.into_iter().zip(cyclic).filter(|(_, cyclic)| *cyclic) {
                if let Some(element) = element {
                    flow.close(element, count);
                }
            }
        }
    }

    /// Everything of this file that leads back, or may.
    fn levels(&self) -> Levels {
        let flow = &self.all.flow;
        let mut levels = Levels::default();
        for (_, id) in &self.steps {
            let step = flow.step(*id);
            let at = At { stage: step.stage, element: step.element };
            for outcome in &step.outcomes {
                levels.add(flow, at, *outcome);
            }
        }
        for (_, id) in &self.stages {
            for (arm, ends) in flow.stage(*id).arms.iter().enumerate() {
                let Then::Ends(ends) = &ends.then else { continue };
                for end in ends {
                    levels.add(flow, At { stage: *id, element: arm as u32 }, *end);
                }
            }
        }
        levels
    }
}

impl Levels {
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
    /// Gives an element a count unless it has one: a step its visits, a chain the entries of each of its stages.
    fn close(&mut self, element: Element, count: Count) {
        match element {
            Element::Step(step) => {
                self.steps[step.index()].visits.get_or_insert(count);
            }
            Element::Chain(chain) => {
                for stage in self.chains[chain.index()].stages.clone() {
                    self.stages[stage.index()].entries.get_or_insert(count);
                }
            }
        }
    }

    /// Can a value go from this element to the one below?
    fn goes_forward(&self, element: Option<Element>) -> bool {
        match element {
            Some(Element::Step(step)) => {
                self.step(step).outcomes.iter().any(|o| matches!(o, Outcome::Next | Outcome::Continue))
            }
            Some(Element::Chain(_)) => true,
            None => false,
        }
    }
}
