//! Warnings that need paths: what can never run, what was never run before, limits that nothing can use up. Each in one pass
//! over the graph, however large it is: reachability over the whole, cycles level by level.

use super::Checker;
use crate::diagnostic::{Code, Diagnostic};
use crate::flow::levels::Levels;
use crate::flow::*;
use aivm_schema::module::StageKind;

impl Checker<'_> {
    pub(super) fn paths(&mut self) {
        self.unreachable();
        let again = Again::of(self.flow);
        self.idle_limits(&again);
        self.references(&again);
    }

    /// Was this written in the outermost file? Others are warned about when they are checked themselves.
    fn is_own_stage(&self, id: StageId) -> bool {
        self.flow.places.stages.get(id.index()).is_some_and(|place| place.0 == 0)
    }

    fn is_own_step(&self, id: StepId) -> bool {
        self.flow.places.steps.get(id.index()).is_some_and(|place| place.0 == 0)
    }

    /// What no path leads to: the outermost of it only.
    fn unreachable(&mut self) {
        let flow = self.flow;
        let walk = Walk::of(flow);
        let mut dead = vec![false; flow.stages.len()];
        for at in 0..flow.stages.len() {
            let id = StageId(at as u32);
            let stage = flow.stage(id);
            if !self.is_own_stage(id) {
                continue;
            }
            let around_dead = stage.around.is_some_and(|around| dead[around.index()]);
            let caught = flow.above(id).is_some_and(|above| walk.stages[above.index()]) && !stage.catches.is_empty();
            let inside = || (0..stage.elements.len() as u32).any(|element| walk.reached(id, element));
            if !walk.stages[at] && !inside() && !caught {
                dead[at] = true;
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
                    && !walk.reached(id, element as u32)
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
    fn idle_limits(&mut self, again: &Again) {
        let flow = self.flow;
        for at in 0..flow.steps.len() {
            let id = StepId(at as u32);
            let step = flow.step(id);
            let Some(count) = step.visits.filter(|count| count.written && self.is_own_step(id)) else { continue };
            if !again.element(flow, step.stage, step.element) {
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
            let Some(count) = flow.stage(id).entries.filter(|count| count.written && self.is_own_stage(id)) else {
                continue;
            };
            if !again.stage(flow, id) {
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
    fn references(&mut self, again: &Again) {
        let flow = self.flow;
        for at in 0..flow.steps.len() {
            let id = StepId(at as u32);
            let step = flow.step(id);
            if !self.is_own_step(id) {
                continue;
            }
            for source in step.refs.iter().filter(|source| source.wait.is_none()) {
                if !again.may_precede(flow, source.of, step) {
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

/// The places that a value can get to.
struct Walk {
    stages: Vec<bool>,
    choosers: Vec<bool>,
    /// The elements and arms of all stages, one after another.
    slots: Vec<bool>,
    /// Where those of a stage begin.
    first: Vec<usize>,
    work: Vec<Dest>,
}

impl Walk {
    /// From the beginning of every function.
    fn of(flow: &Flow) -> Walk {
        let mut slots = 0;
        let mut first = Vec::with_capacity(flow.stages.len());
        for stage in &flow.stages {
            first.push(slots);
            slots += stage.slots();
        }
        let starts = flow.functions.iter().filter_map(|function| flow.chain(function.chain?).stages.first());
        let mut walk = Walk {
            stages: vec![false; flow.stages.len()],
            choosers: vec![false; flow.stages.len()],
            slots: vec![false; slots],
            first,
            work: starts.map(|stage| Dest::Stage(*stage)).collect(),
        };
        while let Some(dest) = walk.work.pop() {
            match dest {
                Dest::Element(stage, element) => walk.element(flow, stage, element),
                Dest::Stage(stage) => walk.stage(flow, stage),
                Dest::Chooser(stage) if !std::mem::replace(&mut walk.choosers[stage.index()], true) => {
                    walk.all_elements(flow, stage);
                    walk.work.push(flow.exit(stage));
                }
                Dest::Part(stage, _) => walk.work.push(flow.exit(stage)),
                Dest::Chooser(_) | Dest::Return(_) => {}
            }
        }
        walk
    }

    fn reached(&self, id: StageId, slot: u32) -> bool {
        self.slots[self.first[id.index()] + slot as usize]
    }

    /// Was it new?
    fn reach(&mut self, id: StageId, slot: u32) -> bool {
        !std::mem::replace(&mut self.slots[self.first[id.index()] + slot as usize], true)
    }

    fn all_elements(&mut self, flow: &Flow, id: StageId) {
        let elements = flow.stage(id).elements.len() as u32;
        self.work.extend((0..elements).map(|element| Dest::Element(id, element)));
    }

    fn enter(&mut self, flow: &Flow, chain: ChainId) {
        self.work.extend(flow.chain(chain).stages.first().map(|first| Dest::Stage(*first)));
    }

    fn element(&mut self, flow: &Flow, id: StageId, element: u32) {
        let Some(what) = flow.stage(id).elements.get(element as usize) else { return };
        if !self.reach(id, element) {
            return;
        }
        match what {
            Element::Chain(chain) => self.enter(flow, *chain),
            Element::Step(step) => {
                let outcomes = &flow.step(*step).outcomes;
                self.work.extend(outcomes.iter().filter_map(|outcome| flow.dest(id, element, *outcome)));
            }
        }
    }

    fn stage(&mut self, flow: &Flow, id: StageId) {
        if std::mem::replace(&mut self.stages[id.index()], true) {
            return;
        }
        match flow.stage(id).kind {
            StageKind::Switch => self.work.push(Dest::Element(id, 0)),
            StageKind::Select => self.work.push(Dest::Chooser(id)),
            StageKind::Join => self.all_elements(flow, id),
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
        let Some(arm) = flow.stage(id).arms.get(nth as usize) else { return };
        if !self.reach(id, nth) {
            return;
        }
        match &arm.then {
            Then::Chain(chain) => self.enter(flow, *chain),
            Then::Ends(ends) => self.work.extend(ends.iter().filter_map(|end| flow.dest(id, nth, *end))),
        }
    }
}

/// What can run again, and what before what. In doubt yes: a warning must be right.
struct Again {
    /// Of every chain and the elements of every stage; empty where nothing leads back.
    chains: Vec<Level>,
    elements: Vec<Level>,
    /// Stages that are entered again, by their own level or one around it.
    stages: Vec<bool>,
}

/// A level, position by position.
#[derive(Clone, Default)]
struct Level {
    /// Lies on a cycle.
    cyclic: Vec<bool>,
    /// The least position that it can lead back to.
    lowest: Vec<u32>,
}

impl Again {
    fn of(flow: &Flow) -> Again {
        let levels = Levels::of(flow, (0..flow.stages.len() as u32).map(StageId));
        let mut again = Again {
            chains: vec![Level::default(); flow.chains.len()],
            elements: vec![Level::default(); flow.stages.len()],
            stages: Vec::with_capacity(flow.stages.len()),
        };
        for (id, arcs) in &levels.chains {
            let n = flow.chain(*id).stages.len();
            let cyclic = levels.stages_on_cycle(flow, *id, &vec![false; n]);
            again.chains[id.index()] = Level { cyclic, lowest: lowest(n, arcs) };
        }
        for (id, arcs) in &levels.elements {
            let n = flow.stage(*id).slots();
            let cyclic = levels.elements_on_cycle(flow, *id, &vec![false; n]);
            again.elements[id.index()] = Level { cyclic, lowest: lowest(n, arcs) };
        }
        // Each stage stands after the stage around it.
        for (at, stage) in flow.stages.iter().enumerate() {
            let around = stage.around.is_some_and(|around| again.stages[around.index()]);
            let own = again.stage(flow, StageId(at as u32));
            again.stages.push(around || own);
        }
        again
    }

    /// Can an element run again in one entry of its stage?
    fn element(&self, flow: &Flow, id: StageId, element: u32) -> bool {
        let cyclic = || self.elements[id.index()].cyclic.get(element as usize).copied().unwrap_or(false);
        flow.stage(id).kind == StageKind::Select || cyclic()
    }

    /// Can a stage be entered again in one entry of the stage around it?
    fn stage(&self, flow: &Flow, id: StageId) -> bool {
        let stage = flow.stage(id);
        let cyclic = self.chains[stage.chain.index()].cyclic.get(stage.position as usize).copied().unwrap_or(false);
        cyclic
            || match flow.chain(stage.chain).inside {
                Inside::Element(around, element) | Inside::Arm(around, element) => self.element(flow, around, element),
                Inside::Function(_) => false,
            }
    }

    /// Can this have a value when the step is called?
    fn may_precede(&self, flow: &Flow, source: SourceOf, step: &Step) -> bool {
        let (stage, element) = match source {
            SourceOf::Input => return true,
            SourceOf::StageIn(stage) | SourceOf::StageOut(stage) => (stage, None),
            SourceOf::StepIn(of) | SourceOf::StepOut(of) => (flow.step(of).stage, Some(flow.step(of).element)),
        };
        if element.is_none() && flow.outwards(Some(step.stage)).any(|outer| outer == stage) {
            return matches!(source, SourceOf::StageIn(_)) || self.stages[stage.index()];
        }
        let start = if element.is_some() { Some(stage) } else { flow.stage(stage).around };
        let shared = flow.shared(start, Some(step.stage));
        if shared.is_some_and(|shared| self.stages[shared.index()]) {
            return true;
        }
        let place = |stage: StageId, own: Option<u32>| match own {
            Some(own) if Some(stage) == shared => (own, None),
            _ => flow.element_in(stage, shared).map_or((0, None), |(element, member)| (element, Some(member))),
        };
        let ((from, from_member), (to, to_member)) = (place(stage, element), place(step.stage, Some(step.element)));
        match (shared, from_member, to_member) {
            (Some(shared), ..) if from != to => self.element_leads(flow, shared, from, to),
            (_, Some(from), Some(to)) => self.stage_leads(flow, from, to),
            (Some(shared), ..) => self.element(flow, shared, from),
            _ => true,
        }
    }

    /// Can a value get from one element of a stage to another?
    fn element_leads(&self, flow: &Flow, id: StageId, from: u32, to: u32) -> bool {
        match flow.stage(id).kind {
            StageKind::Switch if from < to => true,
            StageKind::Switch => self.elements[id.index()].lowest.get(from as usize).is_some_and(|least| *least <= to),
            StageKind::Match => !self.elements[id.index()].lowest.is_empty(),
            StageKind::Select | StageKind::Join => true,
        }
    }

    /// Can a value get from one stage of a chain to another, or to itself again?
    fn stage_leads(&self, flow: &Flow, from: StageId, to: StageId) -> bool {
        let (from, to) = (flow.stage(from), flow.stage(to));
        let lowest = || self.chains[from.chain.index()].lowest.get(from.position as usize);
        from.position < to.position || lowest().is_some_and(|least| *least <= to.position)
    }
}

/// For each position of a level on which values go forward: the least that it can lead to.
fn lowest(n: usize, arcs: &[(u32, u32)]) -> Vec<u32> {
    let mut least: Vec<u32> = (0..n as u32).collect();
    for (from, to) in arcs {
        if let Some(least) = least.get_mut(*from as usize) {
            *least = (*least).min(*to);
        }
    }
    for at in (1..n).rev() {
        least[at - 1] = least[at - 1].min(least[at]);
    }
    // What it leads to leads on; that is lower, so it is settled already.
    for at in 0..n {
        least[at] = least[least[at] as usize].min(least[at]);
    }
    least
}
