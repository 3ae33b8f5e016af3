//! The worst case: what a program can call, spend and take at the most, known before it runs. Bounds multiply with depth.
//! What nothing bounds has *no bound*, never zero. How often everything runs is in `flow/often.rs`.

use crate::flow::often::Often;
use crate::flow::*;
use aivm_schema::limits::UNDO_ATTEMPTS;
use aivm_schema::module::StageKind;
use serde::Serialize;

mod bound;
mod rows;

pub use bound::{Bound, Cost, count_text, money_text, summary_text, time_text, tokens_text};

/// The worst case of a program.
#[derive(Clone, Debug, Serialize)]
pub struct WorstCase {
    /// Of one run.
    pub total: Cost,
    /// Of each that is called in the program and its definitions, over one whole run; what cannot run is not here.
    pub steps: Vec<StepCost>,
    /// Why something has no bound.
    pub unbounded: Vec<NoBound>,
}

impl WorstCase {
    /// Are the calls, money and tokens in all those of the steps together?
    pub fn adds_up(&self) -> bool {
        let sum = self.steps.iter().fold(Cost::NOTHING, |sum, step| sum.beside(step.cost));
        Cost { ms: sum.ms, ..self.total } == sum
    }
}

/// The worst case of a step, a chooser or an undoer.
#[derive(Clone, Debug, Serialize)]
pub struct StepCost {
    /// Its static key: `step2/analyze`; of a chooser `step2`, of an undoer `step2/analyze~undo`; in a definition `name: ` before it.
    pub key: String,
    /// Whom it calls.
    pub worker: String,
    /// All its calls in one run.
    #[serde(flatten)]
    pub cost: Cost,
}

/// A step for which something has no bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NoBound {
    /// Its static key.
    pub key: String,
    /// Why.
    pub reason: String,
    /// What would bound it.
    pub help: String,
}

/// The worst case of a flow graph.
pub fn worst_case(flow: &Flow) -> WorstCase {
    let nothing = vec![Spent::default(); flow.functions.len()];
    let mut costing = Costing { flow, often: Often::of(flow), functions: nothing };
    // The called stand behind their callers.
    for (at, function) in flow.functions.iter().enumerate().rev() {
        if let Some(chain) = function.chain {
            costing.functions[at] = costing.chain(chain);
        }
    }
    let all = costing.functions.first().copied().unwrap_or_default();
    let forward = all.within(flow.limits.money, flow.limits.tokens).forward;
    // What undoes is outside the limits of the run as well.
    let total = Cost { calls: forward.calls.capped(flow.limits.calls), ..forward }.plus(all.undo);
    let (steps, unbounded) = costing.per_run(&total);
    WorstCase { total, steps, unbounded }
}

/// What something takes, and what undoing it takes.
#[derive(Clone, Copy, Default)]
struct Spent {
    forward: Cost,
    undo: Cost,
    /// May two calls in it run at the same time?
    concurrent: bool,
    /// May it call whom no price is known of, in money and in tokens?
    unpriced: (bool, bool),
}

impl Spent {
    fn with(self, other: Spent, plus: impl Fn(Cost, Cost) -> Cost) -> Spent {
        Spent {
            forward: plus(self.forward, other.forward),
            undo: plus(self.undo, other.undo),
            concurrent: self.concurrent || other.concurrent,
            unpriced: (self.unpriced.0 || other.unpriced.0, self.unpriced.1 || other.unpriced.1),
        }
    }

    fn times(self, n: Bound) -> Spent {
        Spent { forward: self.forward.times(n), undo: self.undo.times(n), ..self }
    }

    /// Within a budget. A call of unknown price may take all that is left of it, and so may another at the same time.
    fn within(self, money: Option<u64>, tokens: Option<u64>) -> Spent {
        let held = |took: Bound, most: Option<u64>, unpriced: bool| match most {
            Some(most) if unpriced && self.concurrent => took.min(Bound::AtMost(most).times(self.forward.calls)),
            most => took.capped(most),
        };
        let forward = Cost {
            money: held(self.forward.money, money, self.unpriced.0),
            tokens: held(self.forward.tokens, tokens, self.unpriced.1),
            ..self.forward
        };
        Spent { forward, ..self }
    }

    fn until(self, ms: Option<u64>) -> Spent {
        Spent { forward: Cost { ms: self.forward.ms.capped(ms), ..self.forward }, ..self }
    }
}

struct Costing<'a> {
    flow: &'a Flow,
    often: Often,
    /// One call of each function.
    functions: Vec<Spent>,
}

impl Costing<'_> {
    fn chain(&self, id: ChainId) -> Spent {
        let stages = self.flow.chain(id).stages.iter();
        stages.fold(Spent::default(), |sum, stage| sum.with(self.stage(*stage).times(self.entries(*stage)), Cost::plus))
    }

    /// One entry of a stage.
    fn stage(&self, id: StageId) -> Spent {
        let flow = self.flow;
        let stage = flow.stage(id);
        let is_join = stage.kind == StageKind::Join;
        // Where few calls may be under way at once, the others wait for them.
        let takes_turns = flow.concurrent.is_some();
        let waits = || stage.elements.iter().any(|element| self.waits(*element, id));
        let beside = if is_join && !takes_turns && !waits() { Cost::beside } else { Cost::plus };
        let mut sum = Spent { concurrent: is_join, ..Spent::default() };
        for element in &stage.elements {
            sum = sum.with(self.element(*element), beside);
        }
        if stage.kind == StageKind::Match {
            // One arm is taken in one entry, the dearest of each sort; unless one jumps into another.
            let beside = if self.often.arms_meet[id.index()] { Cost::plus } else { Cost::dearest };
            for arm in &stage.arms {
                let Then::Chain(chain) = arm.then else { continue };
                sum = sum.with(self.chain(chain), beside);
            }
        }
        if let Some(choices) = stage.choices.filter(|_| self.often.only_chosen[id.index()]) {
            let once = stage.elements.iter().try_fold(Spent::default(), |dearest, element| match element {
                Element::Step(step) => Some(dearest.with(self.visit(flow.step(*step)), Cost::dearest)),
                Element::Chain(_) => None,
            });
            let chosen = once.map(|once| once.times(Bound::AtMost(choices.into())));
            sum = chosen.map_or(sum, |chosen| sum.with(chosen, Cost::cheapest));
        }
        if let Some(chooser) = stage.chooser {
            sum = sum.with(self.choosing(stage, chooser), Cost::plus);
        }
        sum.within(stage.money, stage.tokens).until(stage.deadline_ms)
    }

    fn element(&self, element: Element) -> Spent {
        match element {
            Element::Step(step) => self.visit(self.flow.step(step)).times(self.visits(step)),
            Element::Chain(chain) => self.chain(chain),
        }
    }

    /// Does an element of this join wait for a sibling? Then their times may add up.
    fn waits(&self, element: Element, join: StageId) -> bool {
        let flow = self.flow;
        match element {
            Element::Step(step) => {
                flow.step(step).refs.iter().any(|source| source.wait.is_some_and(|(stage, _)| stage == join))
            }
            Element::Chain(chain) => flow.chain(chain).stages.iter().any(|stage| {
                let stage = flow.stage(*stage);
                let arms = stage.arms.iter().filter_map(|arm| {
                    if let Then::Chain(chain) = arm.then { Some(Element::Chain(chain)) } else { None }
                });
                stage.elements.iter().copied().chain(arms).any(|element| self.waits(element, join))
            }),
        }
    }

    /// All calls of a chooser in one entry of its select. Each choice may be asked for twice; one more finds that nothing is wanted.
    fn choosing(&self, stage: &Stage, chooser: WorkerId) -> Spent {
        let flow = self.flow;
        // Every choice uses up a count of an element, and when all are used up nobody is asked.
        let uses = stage.elements.iter().map(|element| match element {
            Element::Step(step) => flow.step(*step).visits,
            Element::Chain(chain) => flow.chain(*chain).stages.first().and_then(|first| flow.stage(*first).entries),
        });
        let uses = uses.fold(Bound::ZERO, |sum, count| sum.plus(count.map(|count| count.most.into()).into()));
        let choices = uses.capped(stage.choices.map(u64::from));
        self.call(Target::Worker(chooser), None).times(choices.times(Bound::AtMost(2)))
    }

    /// One visit of a step.
    fn visit(&self, step: &Step) -> Spent {
        let Attempts { items, of_item, of_visit } = self.attempts(step);
        let mut spent = self.call(step.target, step.deadline_ms);
        if let Some(undoer) = step.undo {
            spent.undo = spent.undo.plus(self.undoing(undoer));
        }
        let mut spent = spent.times(Bound::AtMost(of_item));
        spent.forward.ms = spent.forward.ms.plus(self.waiting(step.target, of_item - 1));
        let one_after_the_other = spent.forward.ms;
        spent = spent.times(items);
        if step.each {
            // More parts than run at once take turns.
            let at_once = self.flow.concurrent.map_or(u64::MAX, |most| most.get().into());
            let at_once = at_once.min(aivm_schema::limits::IN_FLIGHT as u64);
            let turns = Bound::from(items.known().map(|items| items.div_ceil(at_once)));
            spent.forward.ms = one_after_the_other.times(turns);
            spent.concurrent = true;
        }
        spent = spent.times(Bound::AtMost(of_visit));
        spent.forward.ms = spent.forward.ms.plus(self.waiting(step.target, of_visit - 1));
        spent.within(step.money, step.tokens)
    }

    /// How often a visit calls.
    fn attempts(&self, step: &Step) -> Attempts {
        let retries =
            || step.outcomes.iter().filter_map(|o| if let Outcome::Retry(n) = o { Some(u64::from(*n)) } else { None });
        let all = 1 + retries().sum::<u64>();
        if !step.each {
            return Attempts { items: Bound::AtMost(1), of_item: all, of_visit: 1 };
        }
        // Parts are retried by themselves; the visit, too, when a retry is all that there is.
        let only_retry = step.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Retry(_)));
        let of_item = 1 + retries().next().unwrap_or(0);
        Attempts { items: self.parts(step), of_item, of_visit: if only_retry { all } else { 1 } }
    }

    /// One call of an undoer, which is tried again when it fails; a function undoes itself each time.
    fn undoing(&self, undo: Target) -> Cost {
        let Spent { forward, undo: inner, .. } = self.call(undo, None);
        let tried = forward.plus(inner).times(UNDO_TRIES);
        Cost { ms: tried.ms.plus(self.waiting(undo, u64::from(UNDO_ATTEMPTS) - 1)), ..tried }
    }

    /// How long the waits before `retries` retries take.
    fn waiting(&self, target: Target, retries: u64) -> Bound {
        let Target::Worker(worker) = target else { return Bound::ZERO };
        let backoff = &self.flow.worker(worker).definition.backoff;
        let waits = (1..=retries.min(1_000) as u32).fold(0u64, |sum, n| sum.saturating_add(backoff.before(n).0));
        Bound::AtMost(waits.saturating_add(retries.saturating_sub(1_000).saturating_mul(backoff.most.0)))
    }

    /// How many parts a fan-out has at the most: what the maker of its input declares.
    fn parts(&self, step: &Step) -> Bound {
        self.parts_of(step, 0)
    }

    fn parts_of(&self, step: &Step, depth: usize) -> Bound {
        step.refs.first().map_or(Bound::Unbounded, |source| self.most_parts(source.of, depth))
    }

    fn most_parts(&self, of: SourceOf, depth: usize) -> Bound {
        let flow = self.flow;
        // References may lead in a circle.
        if depth >= 64 {
            return Bound::Unbounded;
        }
        match of {
            SourceOf::StepOut(id) => {
                let step = flow.step(id);
                match step.target {
                    _ if step.each => self.parts_of(step, depth + 1),
                    Target::Worker(worker) => flow.worker(worker).definition.most.map(u64::from).into(),
                    Target::Function(_) => Bound::Unbounded,
                }
            }
            SourceOf::StageOut(id) => {
                let stage = flow.stage(id);
                match (stage.kind, stage.elements.last()) {
                    (StageKind::Join, _) if !stage.is_race() => Bound::AtMost(stage.takes() as u64),
                    // A switch that is left only from its last step hands on what that returned.
                    (StageKind::Switch, Some(Element::Step(last))) if only_last_leaves(flow, stage) => {
                        self.most_parts(SourceOf::StepOut(*last), depth + 1)
                    }
                    _ => Bound::Unbounded,
                }
            }
            SourceOf::Input | SourceOf::StageIn(_) | SourceOf::StepIn(_) => Bound::Unbounded,
        }
    }

    /// One call: of a worker, or of a function with all that it calls.
    fn call(&self, target: Target, deadline_ms: Option<u64>) -> Spent {
        match target {
            Target::Worker(worker) => {
                let worker = self.flow.worker(worker);
                let (money, tokens) = worker.price;
                let ms = deadline_ms.or(worker.definition.call_timeout().map(|timeout| timeout.0));
                let forward = Cost {
                    calls: Bound::AtMost(1),
                    ms: ms.into(),
                    money: money.map(|money| money.0).into(),
                    tokens: tokens.map(|tokens| tokens.0).into(),
                };
                Spent { forward, unpriced: (money.is_none(), tokens.is_none()), ..Spent::default() }
            }
            Target::Function(function) => {
                self.functions.get(function.index()).copied().unwrap_or_default().until(deadline_ms)
            }
        }
    }

    fn entries(&self, stage: StageId) -> Bound {
        Bound::AtMost(self.often.entries[stage.index()])
    }

    fn visits(&self, step: StepId) -> Bound {
        Bound::AtMost(self.often.visits[step.index()])
    }
}

/// How often one visit of a step calls.
struct Attempts {
    /// The parts of a fan-out; else one.
    items: Bound,
    /// Calls for each, with retries.
    of_item: u64,
    /// How often all of that.
    of_visit: u64,
}

/// An undoer is tried so often.
const UNDO_TRIES: Bound = Bound::AtMost(UNDO_ATTEMPTS as u64);

/// Is the last element the only one that a value can leave this switch from, and does it hand on its own output?
fn only_last_leaves(flow: &Flow, stage: &Stage) -> bool {
    let last = stage.elements.len().saturating_sub(1);
    stage.elements.iter().enumerate().all(|(at, element)| match element {
        Element::Step(step) => {
            let outcomes = &flow.step(*step).outcomes;
            let leaves = if at == last { Outcome::Continue } else { Outcome::Send };
            !outcomes.contains(&leaves)
        }
        Element::Chain(_) => at != last,
    })
}

#[cfg(test)]
mod tests;
