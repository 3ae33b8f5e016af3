//! How often each edge of a finished run was taken. A run tells its calls; what lies between them follows, because whatever
//! comes into a place goes out of it again. What does not follow stays unknown, and is not drawn as known.

use super::path::{Fate, Now, Path};
use crate::flow::*;
use aivm_schema::module::StageKind;
use rustc_hash::FxHashMap;

/// What is known of every place.
pub(super) struct Traffic {
    steps: Vec<u32>,
    outcomes: FxHashMap<(StepId, u32), u32>,
    undone: FxHashMap<StepId, u32>,
    fates: FxHashMap<StepId, Fate>,
    now: Option<Now>,
    calls: Vec<u32>,
    returned: bool,
    arms: Vec<u32>,
    ends: FxHashMap<(StageId, u32, u32), u32>,
    known: Vec<Option<u32>>,
}

impl Traffic {
    pub(super) fn of(flow: &Flow, path: &Path) -> Traffic {
        let steps = (0..flow.steps.len() as u32).map(|at| path.visits.get(&StepId(at)).copied().unwrap_or(0)).collect();
        let mut calls: Vec<u32> =
            (0..flow.functions.len() as u32).map(|at| path.calls.get(&FunctionId(at)).copied().unwrap_or(0)).collect();
        if let Some(program) = calls.first_mut() {
            *program = 1;
        }
        let mut traffic = Traffic {
            steps,
            outcomes: path.outcomes.clone(),
            undone: path.undone.clone(),
            fates: path.fates.clone(),
            now: path.now,
            calls,
            returned: path.ended.as_deref() == Some("sent"),
            arms: Vec::with_capacity(flow.stages.len()),
            ends: FxHashMap::default(),
            known: Vec::new(),
        };
        // Variables: of each stage its entries, its exits, what it catches; then its arms, and their ends.
        let mut variables = flow.stages.len() as u32 * 3;
        for (at, stage) in flow.stages.iter().enumerate() {
            traffic.arms.push(variables);
            variables += stage.arms.len() as u32;
            for (nth, arm) in stage.arms.iter().enumerate() {
                let Then::Ends(ends) = &arm.then else { continue };
                for end in 0..ends.len() {
                    traffic.ends.insert((StageId(at as u32), nth as u32, end as u32), variables);
                    variables += 1;
                }
            }
        }
        traffic.known = vec![None; variables as usize];
        let sums = Sums::of(flow, &traffic, path);
        sums.solve(&mut traffic.known);
        traffic.parts(flow);
        traffic
    }

    pub(super) fn visits(&self, step: StepId) -> u32 {
        self.steps.get(step.index()).copied().unwrap_or(0)
    }
    pub(super) fn outcome(&self, step: StepId, at: u32) -> u32 {
        self.outcomes.get(&(step, at)).copied().unwrap_or(0)
    }
    pub(super) fn undone(&self, step: StepId) -> u32 {
        self.undone.get(&step).copied().unwrap_or(0)
    }
    pub(super) fn fate(&self, step: StepId) -> Option<Fate> {
        self.fates.get(&step).copied()
    }
    pub(super) fn is_now(&self, call: Now) -> bool {
        self.now == Some(call)
    }
    pub(super) fn calls(&self, function: FunctionId) -> u32 {
        self.calls.get(function.index()).copied().unwrap_or(0)
    }
    pub(super) fn entries(&self, stage: StageId) -> Option<u32> {
        self.value(stage.0 * 3)
    }
    pub(super) fn exits(&self, stage: StageId) -> Option<u32> {
        self.value(stage.0 * 3 + 1)
    }
    pub(super) fn caught(&self, stage: StageId) -> Option<u32> {
        self.value(stage.0 * 3 + 2)
    }
    pub(super) fn arm(&self, stage: StageId, arm: u32) -> Option<u32> {
        self.arms.get(stage.index()).and_then(|first| self.value(first + arm))
    }
    pub(super) fn end(&self, stage: StageId, arm: u32, end: u32) -> Option<u32> {
        self.ends.get(&(stage, arm, end)).and_then(|variable| self.value(*variable))
    }

    /// A join that takes all ended in success as often as each of its parts, and those that are known may have been lost.
    fn parts(&mut self, flow: &Flow) {
        for (at, join) in flow.stages.iter().enumerate() {
            if join.kind != StageKind::Join || join.takes() != join.elements.len() {
                continue;
            }
            let ended = self.exits(StageId(at as u32));
            for element in &join.elements {
                let Element::Chain(chain) = element else { continue };
                if let Some(last) = last(flow, *chain)
                    && let Some(known) = self.known.get_mut(exits(last) as usize)
                {
                    *known = known.or(ended);
                }
            }
        }
    }

    fn value(&self, variable: u32) -> Option<u32> {
        self.known.get(variable as usize).copied().flatten()
    }

    /// How often the step's outcomes of these kinds were taken.
    fn taken(&self, flow: &Flow, step: StepId, is: impl Fn(&Outcome) -> bool) -> i64 {
        let outcomes = flow.step(step).outcomes.iter().enumerate();
        outcomes.filter(|(_, outcome)| is(outcome)).map(|(at, _)| i64::from(self.outcome(step, at as u32))).sum()
    }
}

/// `Σ ± variable + constant = 0`.
#[derive(Default)]
struct Sum {
    terms: Vec<(i64, u32)>,
    constant: i64,
}

impl Sum {
    fn plus(mut self, variable: u32) -> Sum {
        self.terms.push((1, variable));
        self
    }
    fn minus(mut self, variable: u32) -> Sum {
        self.terms.push((-1, variable));
        self
    }
    fn constant(mut self, n: i64) -> Sum {
        self.constant += n;
        self
    }
    fn minus_all(mut self, other: &Sum) -> Sum {
        self.terms.extend(other.terms.iter().map(|(sign, variable)| (-sign, *variable)));
        self.constant -= other.constant;
        self
    }
}

struct Sums(Vec<Sum>);

impl Sums {
    fn of(flow: &Flow, traffic: &Traffic, path: &Path) -> Sums {
        let mut jumps = Jumps::default();
        jumps.collect(flow, traffic);
        let mut sums = Sums(Vec::new());
        for (at, stage) in flow.stages.iter().enumerate() {
            let id = StageId(at as u32);
            sums.entry(flow, traffic, &jumps, id, stage);
            match stage.kind {
                StageKind::Switch => sums.switch(flow, traffic, &jumps, id, stage),
                StageKind::Join => sums.join(traffic, id, stage),
                StageKind::Match => sums.arms(flow, traffic, id, stage),
                StageKind::Select if idle(traffic, stage) && !path.choices.contains_key(&id) => {
                    sums.0.push(Sum::default().plus(entries(id)));
                }
                StageKind::Select => {}
            }
        }
        if let Some(last) = flow.functions.first().and_then(|program| program.chain).and_then(|id| last(flow, id)) {
            sums.0.push(Sum::default().plus(exits(last)).constant(-i64::from(traffic.returned)));
        }
        sums
    }

    /// Whatever enters a stage came from above, from around, or by a jump.
    fn entry(&mut self, flow: &Flow, traffic: &Traffic, jumps: &Jumps, id: StageId, stage: &Stage) {
        let sum = Sum::default().plus(entries(id)).minus_all(jumps.to_stage.get(&id).unwrap_or(&Sum::default()));
        let sum = match (flow.above(id), flow.chain(stage.chain).inside) {
            (Some(above), _) if stage.catches.is_empty() => sum.minus(exits(above)),
            (Some(above), _) => sum.minus(exits(above)).minus(caught(id)),
            (None, Inside::Function(function)) => sum.constant(-i64::from(traffic.calls(function))),
            (None, Inside::Arm(around, arm)) => sum.minus(traffic.arms[around.index()] + arm),
            (None, Inside::Element(around, element)) => match arrivals(flow, traffic, jumps, around, element) {
                Some(arrivals) => sum.minus_all(&arrivals),
                None => return,
            },
        };
        self.0.push(sum);
    }

    fn switch(&mut self, flow: &Flow, traffic: &Traffic, jumps: &Jumps, id: StageId, stage: &Stage) {
        let mut leaves = Sum::default().plus(exits(id));
        for (at, element) in stage.elements.iter().enumerate() {
            let Element::Step(step) = element else { continue };
            if let Some(arrivals) = arrivals(flow, traffic, jumps, id, at as u32) {
                self.0.push(Sum::default().constant(traffic.visits(*step).into()).minus_all(&arrivals));
            }
            leaves = leaves.constant(-traffic.taken(flow, *step, |outcome| *outcome == Outcome::Send));
        }
        if let Some(last) = stage.elements.len().checked_sub(1) {
            self.0.push(leaves.minus_all(&onward(flow, traffic, id, last as u32)));
        }
    }

    /// Every element runs once an entry; some may have been stopped before they began.
    fn join(&mut self, traffic: &Traffic, id: StageId, stage: &Stage) {
        let steps = stage.elements.iter().filter_map(|element| match element {
            Element::Step(step) => Some(traffic.visits(*step)),
            Element::Chain(_) => None,
        });
        if let Some(most) = steps.max() {
            self.0.push(Sum::default().plus(entries(id)).constant(-i64::from(most)));
        }
    }

    fn arms(&mut self, flow: &Flow, traffic: &Traffic, id: StageId, stage: &Stage) {
        let arm = |at: usize| traffic.arms[id.index()] + at as u32;
        let mut leaves = Sum::default().plus(exits(id));
        for (at, then) in stage.arms.iter().map(|arm| &arm.then).enumerate() {
            let ends = match then {
                Then::Ends(ends) => ends,
                Then::Chain(chain) => {
                    leaves.terms.extend(last(flow, *chain).map(|last| (-1, exits(last))));
                    continue;
                }
            };
            let mut sum = Sum::default().plus(arm(at));
            for (nth, end) in ends.iter().enumerate() {
                let variable = traffic.ends[&(id, at as u32, nth as u32)];
                sum = sum.minus(variable);
                if *end == Outcome::Send {
                    leaves = leaves.minus(variable);
                }
            }
            self.0.push(sum);
        }
        self.0.push(leaves);
        // A default beside a `success` above it is for what is caught; without one it is for successes.
        let success = stage.arms.iter().position(|arm| arm.on == On::Success);
        let default = stage.arms.iter().position(|arm| arm.on == On::Default);
        let catches = |arm: &Arm| {
            matches!(arm.on, On::Ending(_)) || arm.on == On::Default && success.is_some() && success < default
        };
        let all = (0..stage.arms.len()).map(|at| (-1, arm(at)));
        if default.is_some() {
            self.0.push(Sum { terms: all.chain([(1, entries(id))]).collect(), constant: 0 });
        }
        if default.is_none_or(|default| success.is_none_or(|success| success < default)) {
            let caught_arms = stage.arms.iter().enumerate().filter(|(_, arm)| catches(arm));
            let terms = caught_arms.map(|(at, _)| (-1, arm(at))).chain([(1, caught(id))]).collect();
            self.0.push(Sum { terms, constant: 0 });
        }
    }

    /// Finds what follows: a sum with one unknown gives it; one that is spent makes all its unknowns nothing.
    fn solve(&self, known: &mut [Option<u32>]) {
        let mut uses: Vec<Vec<(u32, i64)>> = vec![Vec::new(); known.len()];
        let mut open: Vec<Open> = Vec::with_capacity(self.0.len());
        for (at, sum) in self.0.iter().enumerate() {
            let mut left = Open { rest: sum.constant, plus: 0, minus: 0 };
            for (sign, variable) in &sum.terms {
                uses[*variable as usize].push((at as u32, *sign));
                *left.side(*sign) += 1;
            }
            open.push(left);
        }
        let mut work: Vec<u32> = (0..self.0.len() as u32).rev().collect();
        while let Some(at) = work.pop() {
            let Open { rest, plus, minus } = open[at as usize];
            let value = match (plus, minus) {
                (1, 0) => -rest,
                (0, 1) => rest,
                (0, 0) => continue,
                (_, 0) | (0, _) if rest == 0 => 0,
                _ => continue,
            };
            let Ok(value) = u32::try_from(value) else { continue };
            for (_, variable) in &self.0[at as usize].terms {
                if known[*variable as usize].is_some() {
                    continue;
                }
                known[*variable as usize] = Some(value);
                for (user, sign) in &uses[*variable as usize] {
                    let open = &mut open[*user as usize];
                    open.rest += sign * i64::from(value);
                    *open.side(*sign) -= 1;
                    work.push(*user);
                }
            }
        }
    }
}

/// What of a sum is still unknown.
#[derive(Clone, Copy)]
struct Open {
    rest: i64,
    plus: u32,
    minus: u32,
}

impl Open {
    fn side(&mut self, sign: i64) -> &mut u32 {
        if sign > 0 { &mut self.plus } else { &mut self.minus }
    }
}

fn entries(stage: StageId) -> u32 {
    stage.0 * 3
}
fn exits(stage: StageId) -> u32 {
    stage.0 * 3 + 1
}
fn caught(stage: StageId) -> u32 {
    stage.0 * 3 + 2
}

fn last(flow: &Flow, chain: ChainId) -> Option<StageId> {
    flow.chain(chain).stages.last().copied()
}

/// Did none of its steps run, and has it nothing else?
fn idle(traffic: &Traffic, stage: &Stage) -> bool {
    stage.elements.iter().all(|element| matches!(element, Element::Step(step) if traffic.visits(*step) == 0))
}

/// What comes to an element of a switch or join; of a select, nobody wrote it down.
fn arrivals(flow: &Flow, traffic: &Traffic, jumps: &Jumps, around: StageId, element: u32) -> Option<Sum> {
    let sum = match flow.stage(around).kind {
        StageKind::Switch if element > 0 => onward(flow, traffic, around, element - 1),
        StageKind::Switch | StageKind::Join => Sum::default().plus(entries(around)),
        StageKind::Select | StageKind::Match => return None,
    };
    let Some(jumps) = jumps.to_element.get(&(around, element)) else { return Some(sum) };
    Some(Sum { terms: [sum.terms, jumps.terms.clone()].concat(), constant: sum.constant + jumps.constant })
}

/// What goes on from an element of a switch to the one below.
fn onward(flow: &Flow, traffic: &Traffic, stage: StageId, element: u32) -> Sum {
    match flow.stage(stage).elements.get(element as usize) {
        Some(Element::Step(step)) => {
            let on = |outcome: &Outcome| matches!(outcome, Outcome::Next | Outcome::Continue);
            Sum::default().constant(traffic.taken(flow, *step, on))
        }
        Some(Element::Chain(chain)) => {
            last(flow, *chain).map_or(Sum::default(), |last| Sum::default().plus(exits(last)))
        }
        None => Sum::default(),
    }
}

/// What comes by `back` and by jumps.
#[derive(Default)]
struct Jumps {
    to_stage: FxHashMap<StageId, Sum>,
    to_element: FxHashMap<(StageId, u32), Sum>,
}

impl Jumps {
    fn collect(&mut self, flow: &Flow, traffic: &Traffic) {
        for (at, step) in flow.steps.iter().enumerate() {
            for (nth, outcome) in step.outcomes.iter().enumerate() {
                let taken = i64::from(traffic.outcome(StepId(at as u32), nth as u32));
                if let Some(sum) = self.of(flow, step.stage, step.element, *outcome) {
                    sum.constant += taken;
                }
            }
        }
        for ((stage, arm, end), variable) in &traffic.ends {
            let Some(Then::Ends(ends)) = flow.stage(*stage).arms.get(*arm as usize).map(|arm| &arm.then) else {
                continue;
            };
            if let Some(sum) = ends.get(*end as usize).and_then(|end| self.of(flow, *stage, *arm, *end)) {
                sum.terms.push((1, *variable));
            }
        }
    }

    fn of(&mut self, flow: &Flow, stage: StageId, element: u32, outcome: Outcome) -> Option<&mut Sum> {
        if !matches!(outcome, Outcome::Back(_) | Outcome::Jump { .. }) {
            return None;
        }
        match flow.dest(stage, element, outcome)? {
            Dest::Element(stage, element) => Some(self.to_element.entry((stage, element)).or_default()),
            Dest::Stage(stage) => Some(self.to_stage.entry(stage).or_default()),
            _ => None,
        }
    }
}
