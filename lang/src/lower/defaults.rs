//! The counts that nobody wrote: what lies on a cycle when everything counted is taken away gets a default, so that every
//! program ends.

use super::*;
use crate::flow::levels::Levels;
use aivm_schema::module::StageKind;

impl File<'_, '_> {
    pub(super) fn set_default_counts(&mut self) {
        let own = self.front.limits.count.or(self.all.library.limits().count);
        let count = Count { most: own.map_or(DEFAULT_COUNT, std::num::NonZeroU16::get), written: false };
        let flow = &mut self.all.flow;
        let levels = Levels::of(flow, self.stages.iter().map(|(_, id)| *id));
        for (_, id) in &self.stages {
            if flow.stage(*id).kind == StageKind::Select {
                for element in flow.stage(*id).elements.clone() {
                    flow.close(element, count);
                }
            }
        }
        for id in levels.chains.keys() {
            let stages = flow.chain(*id).stages.clone();
            let written = |stage: &StageId| flow.stage(*stage).entries.is_some_and(|count| count.written);
            let counted: Vec<bool> = stages.iter().map(written).collect();
            let cyclic = levels.stages_on_cycle(flow, *id, &counted);
            for (stage, _) in stages.iter().zip(cyclic).filter(|(_, cyclic)| *cyclic) {
                flow.stages[stage.index()].entries.get_or_insert(count);
            }
        }
        for id in levels.elements.keys() {
            let elements = flow.members(*id);
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
            let cyclic = levels.elements_on_cycle(flow, *id, &counted);
            for (element, _) in elements.into_iter().zip(cyclic).filter(|(_, cyclic)| *cyclic) {
                if let Some(element) = element {
                    flow.close(element, count);
                }
            }
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
}
