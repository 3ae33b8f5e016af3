//! Warnings that need paths: what can never run, what was never run before, limits that nothing can use up.

use super::Checker;
use crate::diagnostic::{Code, Diagnostic};
use crate::flow::*;
use aivm_schema::module::StageKind;
use rustc_hash::{FxHashMap, FxHashSet};

/// So many nodes are looked at for one sort of warning; in a larger program the rest is not warned about.
const MOST_WORK: usize = 2_000_000;

/// The places that a value can get to.
#[derive(Default)]
struct Walk {
    elements: FxHashSet<(StageId, u32)>,
    stages: FxHashSet<StageId>,
    choosers: FxHashSet<StageId>,
    arms: FxHashSet<(StageId, u32)>,
    work: Vec<Dest>,
}

impl Walk {
    /// How many nodes were looked at.
    fn size(&self) -> usize {
        self.elements.len() + self.stages.len() + 1
    }

    /// From these places on; `within`: never leaving this stage.
    fn from(flow: &Flow, start: impl IntoIterator<Item = Dest>, within: Option<StageId>) -> Walk {
        let mut walk = Walk::default();
        walk.work.extend(start);
        while let Some(dest) = walk.work.pop() {
            let inside =
                |stage: Option<StageId>| within.is_none() || flow.outwards(stage).any(|outer| Some(outer) == within);
            match dest {
                Dest::Element(stage, element) if inside(Some(stage)) => walk.element(flow, stage, element),
                Dest::Stage(stage) if inside(flow.stage(stage).around) => walk.stage(flow, stage),
                Dest::Chooser(stage) if inside(Some(stage)) && walk.choosers.insert(stage) => {
                    let elements = flow.stage(stage).elements.len() as u32;
                    walk.work.extend((0..elements).map(|element| Dest::Element(stage, element)));
                    walk.work.push(flow.exit(stage));
                }
                Dest::Part(stage, _) if inside(Some(stage)) => walk.work.push(flow.exit(stage)),
                _ => {}
            }
        }
        walk
    }

    fn element(&mut self, flow: &Flow, id: StageId, element: u32) {
        if !self.elements.insert((id, element)) {
            return;
        }
        match flow.stage(id).elements.get(element as usize) {
            Some(Element::Chain(chain)) => {
                self.work.extend(flow.chain(*chain).stages.first().map(|first| Dest::Stage(*first)))
            }
            Some(Element::Step(step)) => {
                self.work
                    .extend(flow.step(*step).outcomes.iter().filter_map(|outcome| flow.dest(id, element, *outcome)));
            }
            None => {}
        }
    }

    fn stage(&mut self, flow: &Flow, id: StageId) {
        if !self.stages.insert(id) {
            return;
        }
        let stage = flow.stage(id);
        match stage.kind {
            StageKind::Switch => self.work.push(Dest::Element(id, 0)),
            StageKind::Select => self.work.push(Dest::Chooser(id)),
            StageKind::Join => {
                self.work.extend((0..stage.elements.len() as u32).map(|element| Dest::Element(id, element)))
            }
            StageKind::Match => self.entered(flow, id),
        }
        // Any call may fail, so any stage may end otherwise than in success.
        self.caught(flow, id);
    }

    /// The arms that can be taken when a value comes to a match.
    fn entered(&mut self, flow: &Flow, id: StageId) {
        for (nth, arm) in flow.stage(id).arms.iter().enumerate() {
            if !matches!(arm.on, On::Ending(_) | On::Done(None)) {
                self.arm(flow, id, nth as u32);
            }
            if matches!(arm.on, On::Success | On::Default) {
                return;
            }
        }
    }

    /// The arms that the match below a stage takes when the stage does not end in success.
    fn caught(&mut self, flow: &Flow, id: StageId) {
        let Some(catcher) = flow.catcher(id) else { return };
        let arms = &flow.stage(catcher).arms;
        let beside_success = arms.iter().any(|arm| arm.on == On::Success);
        for (nth, arm) in arms.iter().enumerate() {
            if matches!(arm.on, On::Ending(_)) || arm.on == On::Default && beside_success {
                self.arm(flow, catcher, nth as u32);
            }
        }
    }

    fn arm(&mut self, flow: &Flow, id: StageId, nth: u32) {
        if !self.arms.insert((id, nth)) {
            return;
        }
        match flow.stage(id).arms.get(nth as usize).map(|arm| &arm.then) {
            Some(Then::Chain(chain)) => {
                self.work.extend(flow.chain(*chain).stages.first().map(|first| Dest::Stage(*first)))
            }
            Some(Then::Ends(ends)) => self.work.extend(ends.iter().filter_map(|end| flow.dest(id, nth, *end))),
            None => {}
        }
    }
}

impl Checker<'_> {
    pub(super) fn paths(&mut self) {
        self.unreachable();
        self.idle_limits();
        self.references();
    }

    /// What no path leads to: the outermost of it only.
    fn unreachable(&mut self) {
        let flow = self.flow;
        let starts = flow.functions.iter().filter_map(|function| function.chain);
        let starts = starts.filter_map(|chain| flow.chain(chain).stages.first().map(|first| Dest::Stage(*first)));
        let walk = Walk::from(flow, starts.collect::<Vec<_>>(), None);
        let mut dead: FxHashSet<StageId> = FxHashSet::default();
        for at in 0..flow.stages.len() {
            let id = StageId(at as u32);
            let stage = flow.stage(id);
            if flow.places.stages.get(at).is_none_or(|place| place.0 != 0) {
                continue;
            }
            let around_dead = stage.around.is_some_and(|around| dead.contains(&around));
            let caught = flow.above(id).is_some_and(|above| walk.stages.contains(&above)) && !stage.catches.is_empty();
            let inside = || (0..stage.elements.len() as u32).any(|element| walk.elements.contains(&(id, element)));
            if !walk.stages.contains(&id) && !inside() && !caught {
                dead.insert(id);
                if !around_dead {
                    self.warn(Diagnostic::new(
                        Code::Unreachable,
                        self.stage_span(id),
                        format!("nothing leads to this {}", crate::lower::kind_word(stage.kind)),
                    ));
                }
                continue;
            }
            for (element, what) in stage.elements.iter().enumerate() {
                if let Element::Step(step) = what
                    && !walk.elements.contains(&(id, element as u32))
                {
                    let name = &flow.step(*step).name;
                    self.warn(
                        Diagnostic::new(Code::Unreachable, self.step_span(*step), format!("nothing leads to `{name}`"))
                            .reason("no outcome above goes on to it by `next` or `continue`, and nothing jumps to it"),
                    );
                }
            }
        }
    }

    /// Counts on what is entered at most once anyway.
    fn idle_limits(&mut self) {
        let flow = self.flow;
        let mut work = 0;
        for at in 0..flow.steps.len() {
            let id = StepId(at as u32);
            let step = flow.step(id);
            let Some(count) = step.visits.filter(|count| count.written) else { continue };
            if flow.places.steps.get(at).is_none_or(|place| place.0 != 0)
                || flow.stage(step.stage).kind == StageKind::Select
            {
                continue;
            }
            let start: Vec<Dest> =
                step.outcomes.iter().filter_map(|outcome| flow.dest(step.stage, step.element, *outcome)).collect();
            let walk = Walk::from(flow, start, Some(step.stage));
            work += walk.size();
            if work > MOST_WORK {
                return;
            }
            if !walk.elements.contains(&(step.stage, step.element)) {
                self.warn(
                    Diagnostic::new(
                        Code::IdleLimit,
                        self.step_span(id),
                        format!("nothing can use up `<{}>` of `{}`", count.most, step.name),
                    )
                    .reason("no outcome leads back to it, so it runs at most once in each entry of its stage"),
                );
            }
        }
        for at in 0..flow.stages.len() {
            let id = StageId(at as u32);
            let stage = flow.stage(id);
            let Some(count) = stage.entries.filter(|count| count.written) else { continue };
            if flow.places.stages.get(at).is_none_or(|place| place.0 != 0) {
                continue;
            }
            let inside = Walk::from(flow, [Dest::Stage(id)], None);
            let back = inside.jumps_of(flow, id);
            let walk = Walk::from(flow, back.into_iter().chain([flow.exit(id)]), stage.around);
            work += inside.size() + walk.size();
            if work > MOST_WORK {
                return;
            }
            if !walk.stages.contains(&id) {
                self.warn(
                    Diagnostic::new(
                        Code::IdleLimit,
                        self.stage_span(id),
                        format!("nothing can use up this `<{}>`", count.most),
                    )
                    .reason("nothing leads back to the stage, so it is entered at most once"),
                );
            }
        }
    }

    /// References to what no path can have run before.
    fn references(&mut self) {
        let flow = self.flow;
        let mut walks: FxHashMap<SourceOf, FxHashSet<(StageId, u32)>> = FxHashMap::default();
        let mut work = 0;
        for at in 0..flow.steps.len() {
            let id = StepId(at as u32);
            let step = flow.step(id);
            if flow.places.steps.get(at).is_none_or(|place| place.0 != 0) {
                continue;
            }
            for source in step.refs.iter().filter(|source| source.wait.is_none() && source.of != SourceOf::Input) {
                let walk = walks.entry(source.of).or_insert_with(|| {
                    let walk = after(flow, source.of);
                    work += walk.len();
                    walk
                });
                let reached = walk.contains(&(step.stage, step.element));
                if work > MOST_WORK {
                    return;
                }
                if !reached {
                    self.warn(
                        Diagnostic::new(
                            Code::NeverHasRun,
                            self.step_span(id),
                            format!("`{}` refers to what can never have run before it", step.name),
                        )
                        .reason("no path leads from there to here")
                        .help("refer to something above, or to a sibling in the same `join`"),
                    );
                }
            }
        }
    }
}

/// The elements that can run after something has a value.
fn after(flow: &Flow, of: SourceOf) -> FxHashSet<(StageId, u32)> {
    let (start, around): (Vec<Dest>, Option<StageId>) = match of {
        SourceOf::Input => (Vec::new(), None),
        SourceOf::StageIn(stage) => (vec![Dest::Stage(stage)], flow.stage(stage).around),
        SourceOf::StageOut(stage) => (vec![flow.exit(stage)], flow.stage(stage).around),
        SourceOf::StepIn(step) => {
            let step = flow.step(step);
            (vec![Dest::Element(step.stage, step.element)], Some(step.stage))
        }
        SourceOf::StepOut(step) => {
            let step = flow.step(step);
            let dests = step.outcomes.iter().filter_map(|outcome| flow.dest(step.stage, step.element, *outcome));
            (dests.collect(), Some(step.stage))
        }
    };
    let mut walk = Walk::default();
    // The stages around may fail after it ran, and be caught.
    for outer in flow.outwards(around) {
        walk.caught(flow, outer);
    }
    let caught = std::mem::take(&mut walk.work);
    Walk::from(flow, start.into_iter().chain(caught), None).elements
}

impl Walk {
    /// Where the jumps of what was walked inside a stage lead.
    fn jumps_of(&self, flow: &Flow, id: StageId) -> Vec<Dest> {
        let inside = |stage: StageId| flow.outwards(Some(stage)).any(|outer| outer == id);
        let steps = self.elements.iter().filter(|(stage, _)| inside(*stage)).flat_map(|(stage, element)| {
            let outcomes = match flow.stage(*stage).elements.get(*element as usize) {
                Some(Element::Step(step)) => flow.step(*step).outcomes.as_slice(),
                _ => &[],
            };
            outcomes
                .iter()
                .filter(|outcome| matches!(outcome, Outcome::Jump { .. }))
                .filter_map(|outcome| flow.dest(*stage, *element, *outcome))
        });
        let arms = self.arms.iter().filter(|(stage, _)| inside(*stage)).flat_map(|(stage, nth)| {
            let ends = match flow.stage(*stage).arms.get(*nth as usize).map(|arm| &arm.then) {
                Some(Then::Ends(ends)) => ends.as_slice(),
                _ => &[],
            };
            ends.iter()
                .filter(|end| matches!(end, Outcome::Jump { .. }))
                .filter_map(|end| flow.dest(*stage, *nth, *end))
        });
        steps.chain(arms).collect()
    }
}
