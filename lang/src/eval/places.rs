//! Places and counts: what is consumed, where an outcome leads, what stands inside what.

use super::{Evaluator, Frame, Jump};
use crate::flow::*;
use aivm_schema::module::StageKind;

impl Evaluator<'_> {
    /// Has the stage been entered as often as its count allows?
    pub(super) fn is_consumed(&self, frame: &Frame, id: StageId) -> bool {
        let entries = frame.entries.get(&id).copied().unwrap_or(0);
        self.flow.stage(id).entries.is_some_and(|count| entries >= u32::from(count.most))
    }

    /// Is the stage in its last entry?
    pub(super) fn is_last_entry(&self, frame: &Frame, id: StageId) -> bool {
        self.is_consumed(frame, id)
    }

    /// Has the element been visited in this entry of its stage?
    pub(super) fn is_visited(&self, frame: &Frame, stage: StageId, element: usize) -> bool {
        match self.flow.stage(stage).elements[element] {
            Element::Step(id) => frame.visits.get(&id).is_some_and(|visits| *visits > 0),
            Element::Chain(id) => frame.entries.get(&self.flow.chain(id).stages[0]).is_some_and(|entries| *entries > 0),
        }
    }

    /// Can the element not be visited any more? Of a chain, its first stage not be entered.
    pub(super) fn is_spent(&self, frame: &Frame, stage: StageId, element: usize) -> bool {
        match self.flow.stage(stage).elements[element] {
            Element::Step(id) => {
                let visits = frame.visits.get(&id).copied().unwrap_or(0);
                self.flow.step(id).visits.is_some_and(|count| visits >= u32::from(count.most))
            }
            Element::Chain(id) => self.is_consumed(frame, self.flow.chain(id).stages[0]),
        }
    }

    /// "Entering a stage sets to zero only the counts inside it."
    pub(super) fn forget_counts_inside(&self, frame: &mut Frame, id: StageId) {
        let inside = |stage: StageId| self.is_around(id, stage);
        frame.entries.retain(|stage, _| *stage == id || !inside(*stage));
        frame.visits.retain(|step, _| !inside(self.flow.step(*step).stage));
    }

    /// Is `outer` around `inner`, or the same?
    fn is_around(&self, outer: StageId, inner: StageId) -> bool {
        outer == inner || self.around(inner).is_some_and(|(around, _)| self.is_around(outer, around))
    }

    /// The stage around, and the element or arm of it that this one stands in.
    fn around(&self, id: StageId) -> Option<(StageId, usize)> {
        match self.flow.chain(self.flow.stage(id).chain).inside {
            Inside::Function(_) => None,
            Inside::Element(stage, at) | Inside::Arm(stage, at) => Some((stage, at as usize)),
        }
    }

    /// Which stage of the chain is, or is around, this one.
    pub(super) fn position(&self, chain: ChainId, stage: StageId) -> Option<usize> {
        if self.flow.stage(stage).chain == chain {
            return self.flow.chain(chain).stages.iter().position(|member| *member == stage);
        }
        self.position(chain, self.around(stage)?.0)
    }

    /// Which element or arm of the stage a jump leads to, and whether to something inside it.
    pub(super) fn locate(&self, stage: StageId, jump: Jump) -> Option<(usize, Option<Jump>)> {
        if jump.stage == stage {
            return jump.element.map(|element| (element as usize, None));
        }
        let (around, at) = self.around(jump.stage)?;
        if around == stage {
            return Some((at, Some(jump)));
        }
        self.locate(stage, Jump { stage: around, element: None }).map(|(at, _)| (at, Some(jump)))
    }

    /// Can the outcome of an element, or the end of an arm, be taken as far as counts go?
    pub(super) fn leads_on(&self, frame: &Frame, stage: StageId, element: usize, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Next | Outcome::Continue => self.forward_leads_on(frame, stage, element),
            Outcome::Send if self.flow.stage(stage).kind == StageKind::Join => true,
            Outcome::Send => self.exit_leads_on(frame, stage),
            Outcome::Back(n) => {
                element.checked_sub(usize::from(n)).is_some_and(|above| !self.is_spent(frame, stage, above))
            }
            Outcome::Jump { stage: to, element, .. } => self.jump_leads_on(frame, stage, to, element),
            Outcome::Retry(_) | Outcome::Cancel | Outcome::Timeout => true,
        }
    }

    fn forward_leads_on(&self, frame: &Frame, id: StageId, element: usize) -> bool {
        let stage = self.flow.stage(id);
        match stage.kind {
            StageKind::Switch if element + 1 < stage.elements.len() => !self.is_spent(frame, id, element + 1),
            StageKind::Switch | StageKind::Match => self.exit_leads_on(frame, id),
            StageKind::Select | StageKind::Join => true,
        }
    }

    fn exit_leads_on(&self, frame: &Frame, id: StageId) -> bool {
        let chain = self.flow.chain(self.flow.stage(id).chain);
        match (chain.stages.get(self.flow.stage(id).position as usize + 1), chain.inside) {
            (Some(below), _) => !self.is_consumed(frame, *below),
            (None, Inside::Function(_)) => true,
            (None, Inside::Arm(stage, _)) => self.exit_leads_on(frame, stage),
            (None, Inside::Element(stage, element)) => self.forward_leads_on(frame, stage, element as usize),
        }
    }

    /// The outermost stage that is entered on the way decides: entering it sets to zero what is inside.
    fn jump_leads_on(&self, frame: &Frame, from: StageId, to: StageId, element: Option<u32>) -> bool {
        match element {
            Some(element) if self.is_around(to, from) => !self.is_spent(frame, to, element as usize),
            _ => match self.around(to) {
                Some((around, _)) if !self.is_around(around, from) => self.jump_leads_on(frame, from, around, None),
                _ => !self.is_consumed(frame, to),
            },
        }
    }
}
