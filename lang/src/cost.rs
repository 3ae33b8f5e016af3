//! The worst case: what a program can call, spend and take at the most, known before it runs. Bounds multiply with depth.
//! What nothing bounds is *unbounded*, never zero.

use crate::flow::often::Often;
use crate::flow::*;
use aivm_schema::limits::UNDO_ATTEMPTS;
use aivm_schema::module::StageKind;
use aivm_schema::unit::{Money, Tokens};
use serde::Serialize;

/// A number that may have no bound. Arithmetic saturates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// At most this.
    AtMost(u64),
    /// Nothing bounds it.
    Unbounded,
}

impl Bound {
    /// Zero.
    pub const ZERO: Bound = Bound::AtMost(0);

    fn plus(self, other: Bound) -> Bound {
        match (self, other) {
            (Bound::AtMost(a), Bound::AtMost(b)) => Bound::AtMost(a.saturating_add(b)),
            _ => Bound::Unbounded,
        }
    }

    fn times(self, other: Bound) -> Bound {
        match (self, other) {
            (Bound::AtMost(0), _) | (_, Bound::AtMost(0)) => Bound::ZERO,
            (Bound::AtMost(a), Bound::AtMost(b)) => Bound::AtMost(a.saturating_mul(b)),
            _ => Bound::Unbounded,
        }
    }

    /// The smaller; what is unbounded is larger than everything.
    fn capped(self, most: Option<u64>) -> Bound {
        most.map_or(self, |most| self.min(Bound::AtMost(most)))
    }

    /// The number, if there is one.
    pub fn known(self) -> Option<u64> {
        match self {
            Bound::AtMost(n) => Some(n),
            Bound::Unbounded => None,
        }
    }
}

impl From<Option<u64>> for Bound {
    fn from(known: Option<u64>) -> Bound {
        known.map_or(Bound::Unbounded, Bound::AtMost)
    }
}

impl Serialize for Bound {
    /// `null` when unbounded.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.known().serialize(serializer)
    }
}

/// What something takes at the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Calls of workers: retries, choosers and undoers too.
    pub calls: Bound,
    /// Milliseconds, with what is concurrent counted once.
    pub ms: Bound,
    /// Millionths of a dollar.
    pub money: Bound,
    /// Tokens.
    pub tokens: Bound,
}

impl Cost {
    const ZERO: Cost = Cost { calls: Bound::ZERO, ms: Bound::ZERO, money: Bound::ZERO, tokens: Bound::ZERO };

    fn plus(self, other: Cost) -> Cost {
        Cost { ms: self.ms.plus(other.ms), ..self.beside(other) }
    }

    /// As `plus`, at the same time.
    fn beside(self, other: Cost) -> Cost {
        Cost {
            calls: self.calls.plus(other.calls),
            ms: self.ms.max(other.ms),
            money: self.money.plus(other.money),
            tokens: self.tokens.plus(other.tokens),
        }
    }

    fn times(self, n: Bound) -> Cost {
        Cost {
            calls: self.calls.times(n),
            ms: self.ms.times(n),
            money: self.money.times(n),
            tokens: self.tokens.times(n),
        }
    }

    fn capped(self, ms: Option<u64>, money: Option<u64>, tokens: Option<u64>) -> Cost {
        Cost { ms: self.ms.capped(ms), money: self.money.capped(money), tokens: self.tokens.capped(tokens), ..self }
    }
}

/// The worst case of a program.
#[derive(Clone, Debug, Serialize)]
pub struct WorstCase {
    /// Of one run.
    pub total: Cost,
    /// Of each step of the program and its definitions and of its undoer (`switch.1/a~undo`), over one whole run; steps that
    /// cannot run are not here.
    pub steps: Vec<StepCost>,
}

/// The worst case of one step.
#[derive(Clone, Debug, Serialize)]
pub struct StepCost {
    /// Its static key: `step2/analyze`.
    pub key: String,
    /// Whom it calls.
    pub worker: String,
    /// All its calls in one run, with what a definition that it calls does inside.
    #[serde(flatten)]
    pub cost: Cost,
}

/// The worst case of a flow graph.
pub fn worst_case(flow: &Flow) -> WorstCase {
    let mut costing = Costing {
        flow,
        often: Often::of(flow),
        functions: vec![(Cost::ZERO, Cost::ZERO); flow.functions.len()],
        steps: vec![(Cost::ZERO, Cost::ZERO); flow.steps.len()],
    };
    // The called stand behind their callers.
    for function in (0..flow.functions.len()).rev() {
        let (forward, undo) = match flow.functions[function].chain {
            Some(chain) => costing.chain(chain),
            None => (Cost::ZERO, Cost::ZERO),
        };
        costing.functions[function] = (forward, undo);
    }
    let (forward, undo) = costing.functions.first().copied().unwrap_or((Cost::ZERO, Cost::ZERO));
    // What undoes is outside the limits of the run as well.
    let forward = forward.capped(None, flow.limits.money, flow.limits.tokens);
    let total = Cost { calls: forward.calls.capped(flow.limits.calls), ..forward }.plus(undo);
    WorstCase { total, steps: costing.per_run() }
}

struct Costing<'a> {
    flow: &'a Flow,
    often: Often,
    /// Of one call of each function: forwards, and to undo it.
    functions: Vec<(Cost, Cost)>,
    /// Of each step, in one entry of its stage: forwards, and to undo it.
    steps: Vec<(Cost, Cost)>,
}

impl Costing<'_> {
    fn chain(&mut self, id: ChainId) -> (Cost, Cost) {
        let flow = self.flow;
        let mut sum = (Cost::ZERO, Cost::ZERO);
        for stage in &flow.chain(id).stages {
            let one = self.stage(*stage);
            let entries = self.entries(*stage);
            sum = (sum.0.plus(one.0.times(entries)), sum.1.plus(one.1.times(entries)));
        }
        sum
    }

    /// One entry of a stage.
    fn stage(&mut self, id: StageId) -> (Cost, Cost) {
        let flow = self.flow;
        let stage = flow.stage(id);
        let concurrent =
            stage.kind == StageKind::Join && !stage.elements.iter().any(|element| self.waits(*element, id));
        let mut sum = (Cost::ZERO, Cost::ZERO);
        for element in &stage.elements {
            let one = match element {
                Element::Step(step) => self.step(*step),
                Element::Chain(chain) => self.chain(*chain),
            };
            sum.0 = if concurrent { sum.0.beside(one.0) } else { sum.0.plus(one.0) };
            sum.1 = sum.1.plus(one.1);
        }
        if stage.kind == StageKind::Match {
            // One arm is taken in one entry, the dearest of each sort; unless one jumps into another.
            let meet = self.often.arms_meet[id.index()];
            for arm in &stage.arms {
                let Then::Chain(chain) = arm.then else { continue };
                let one = self.chain(chain);
                sum = if meet {
                    (sum.0.plus(one.0), sum.1.plus(one.1))
                } else {
                    (dearest(sum.0, one.0), dearest(sum.1, one.1))
                };
            }
        }
        if let Some(chooser) = stage.chooser {
            sum.0 = sum.0.plus(self.choosing(stage, chooser));
        }
        (sum.0.capped(stage.deadline_ms, stage.money, stage.tokens), sum.1)
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

    /// Each choice may be asked for twice; one more finds that nothing is wanted.
    fn choosing(&self, stage: &Stage, chooser: WorkerId) -> Cost {
        let flow = self.flow;
        let visits = stage.elements.iter().fold(Bound::ZERO, |sum, element| {
            sum.plus(match element {
                Element::Step(step) => self.visits(*step),
                Element::Chain(chain) => {
                    flow.chain(*chain).stages.first().map_or(Bound::ZERO, |first| self.entries(*first))
                }
            })
        });
        let choices = visits.capped(stage.choices.map(u64::from)).plus(Bound::AtMost(1));
        self.call(Target::Worker(chooser), None).0.times(choices.times(Bound::AtMost(2)))
    }

    /// All visits of a step in one entry of its stage.
    fn step(&mut self, id: StepId) -> (Cost, Cost) {
        let step = self.flow.step(id);
        let (once, inner_undo) = self.call(step.target, step.deadline_ms);
        let attempts = attempts(step);
        let items = if step.each { self.parts(step) } else { Bound::AtMost(1) };
        let mut visit = once.times(Bound::AtMost(attempts));
        visit.ms = visit.ms.plus(self.waiting(step.target, attempts - 1));
        visit = Cost { ms: visit.ms, ..visit.times(items) };
        // More parts than run at once take turns.
        let turns = Bound::from(items.known().map(|items| items.div_ceil(aivm_schema::limits::IN_FLIGHT as u64)));
        visit.ms = visit.ms.times(turns);
        let visit = visit.capped(None, step.money, step.tokens);
        let visits = self.visits(id);
        // Whoever answers `retry` has done something that is to be undone, and so has a function that failed half-way.
        let done = visits.times(items).times(Bound::AtMost(attempts));
        let undo = step.undo.map_or(Cost::ZERO, |undo| self.undoing(undo).times(done));
        let forward = visit.times(visits);
        self.steps[id.index()] = (forward, undo);
        (forward, undo.plus(inner_undo.times(done)))
    }

    /// One call of an undoer, which is tried again when it fails; a function undoes itself each time.
    fn undoing(&self, undo: Target) -> Cost {
        let (forward, inner) = self.call(undo, None);
        let tried = forward.plus(inner).times(Bound::AtMost(UNDO_ATTEMPTS.into()));
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
    fn call(&self, target: Target, deadline_ms: Option<u64>) -> (Cost, Cost) {
        match target {
            Target::Worker(worker) => {
                let definition = &self.flow.worker(worker).definition;
                let (money, tokens) = definition.price();
                let ms = deadline_ms.or(definition.call_timeout().map(|timeout| timeout.0));
                let cost = Cost {
                    calls: Bound::AtMost(1),
                    ms: ms.into(),
                    money: money.map(|money| money.0).into(),
                    tokens: tokens.map(|tokens| tokens.0).into(),
                };
                (cost, Cost::ZERO)
            }
            Target::Function(function) => {
                let (forward, undo) = self.functions.get(function.index()).copied().unwrap_or((Cost::ZERO, Cost::ZERO));
                (forward.capped(deadline_ms, None, None), undo)
            }
        }
    }

    fn entries(&self, stage: StageId) -> Bound {
        Bound::AtMost(self.often.entries[stage.index()])
    }

    fn visits(&self, step: StepId) -> Bound {
        Bound::AtMost(self.often.visits[step.index()])
    }

    /// Every step over one whole run: entries multiply outwards, calls of functions too.
    fn per_run(&self) -> Vec<StepCost> {
        let flow = self.flow;
        let mut calls = vec![Bound::ZERO; flow.functions.len()];
        if let Some(program) = calls.first_mut() {
            *program = Bound::AtMost(1);
        }
        let mut steps = Vec::new();
        let mut outer: Vec<Bound> = vec![Bound::AtMost(1); flow.stages.len()];
        for (at, function) in flow.functions.iter().enumerate() {
            let called = calls[at];
            for stage in function.stages.0..function.stages.1 {
                let stage = StageId(stage);
                let around = flow.stage(stage).around.map_or(called, |around| outer[around.index()]);
                outer[stage.index()] = around.times(self.entries(stage));
            }
            for id in function.steps.0..function.steps.1 {
                let id = StepId(id);
                let step = flow.step(id);
                let times = outer[step.stage.index()];
                let items = if step.each { self.parts(step) } else { Bound::AtMost(1) };
                let here = times.times(self.visits(id)).times(items).times(Bound::AtMost(attempts(step)));
                if let Target::Function(callee) = step.target {
                    calls[callee.index()] = calls[callee.index()].plus(here);
                }
                if let Some(Target::Function(callee)) = step.undo {
                    let here = here.times(Bound::AtMost(UNDO_ATTEMPTS.into()));
                    calls[callee.index()] = calls[callee.index()].plus(here);
                }
                if called == Bound::ZERO {
                    continue;
                }
                let key = format!("{}/{}", flow.stage(step.stage).key, step.name);
                let key = if at == 0 { key } else { format!("{}: {key}", function.name) };
                let (forward, undo) = self.steps[id.index()];
                let mut push = |key: String, target: Target, cost: Cost| {
                    let worker = flow.target_name(target).to_owned();
                    steps.push(StepCost { key, worker, cost: cost.times(times) });
                };
                let undoer = step.undo.map(|undoer| (format!("{key}~undo"), undoer));
                push(key, step.target, forward);
                if let Some((key, undoer)) = undoer {
                    push(key, undoer, undo);
                }
            }
        }
        steps
    }
}

/// How often a step is called in one visit, retries too.
fn attempts(step: &Step) -> u64 {
    let retries = |outcome: &Outcome| if let Outcome::Retry(n) = outcome { u64::from(*n) } else { 0 };
    1 + step.outcomes.iter().map(retries).sum::<u64>()
}

fn dearest(a: Cost, b: Cost) -> Cost {
    Cost {
        calls: a.calls.max(b.calls),
        ms: a.ms.max(b.ms),
        money: a.money.max(b.money),
        tokens: a.tokens.max(b.tokens),
    }
}

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

/// For people: `3`, `unbounded`.
pub fn count_text(bound: Bound) -> String {
    bound.known().map_or("unbounded".into(), |n| n.to_string())
}

/// For people: `30s`, `24h 58m`: the two largest units.
pub fn time_text(bound: Bound) -> String {
    let Some(ms) = bound.known() else { return "unbounded".into() };
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let mut rest = ms;
    let mut parts = Vec::new();
    for (name, size) in units {
        if rest >= size {
            parts.push(format!("{}{name}", rest / size));
            rest %= size;
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0ms".into() } else { parts.join(" ") }
}

/// For people: `$0.50`.
pub fn money_text(bound: Bound) -> String {
    bound.known().map_or("unbounded".into(), |money| Money(money).to_string())
}

/// For people: `20kt`.
pub fn tokens_text(bound: Bound) -> String {
    bound.known().map_or("unbounded".into(), |tokens| Tokens(tokens).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::Shelf;

    fn of(source: &str) -> WorstCase {
        let shelf = Shelf { anything: true, ..Shelf::default() };
        worst_case(&crate::compile("cost.aivm", source, &shelf).expect("a program").flow)
    }

    /// The most calls of a program: in all, and of each step.
    fn calls(source: &str) -> (u64, Vec<u64>) {
        let known = |cost: Cost| cost.calls.known().expect("bounded");
        let worst = of(source);
        (known(worst.total), worst.steps.iter().map(|step| known(step.cost)).collect())
    }

    #[test]
    fn what_has_no_count_is_visited_as_often_as_the_counted_around_it_lead_to_it() {
        for (stages, expected) in [
            ("switch <= ( a<5> => next  b => next | back )", vec![5, 5]),
            ("switch <= ( a<5> => next  b => next | back  c => send )", vec![5, 5, 1]),
            ("switch <= ( a => next  b => next  c<4> => next | back * 2 )", vec![5, 5, 4]),
            ("switch <= ( a<3> => next  b<4> => next  c => next | back | back * 2 )", vec![3, 4, 4]),
            ("switch <= ( a<3> => next  b => next | back  c => next  d<4> => next | back )", vec![3, 3, 5, 4]),
            ("switch <= ( a<9> => next | send )", vec![1]),
            (
                "switch[x] <= ( a => send | [z.jump] ) <= switch <= ( b => send ) <= switch[z] <= ( c => send )",
                vec![1; 3],
            ),
            ("switch[x] <= ( a => next ) <= switch[y]<3> <= ( b => next | [x.jump] )", vec![4, 3]),
            ("switch[x] <= ( a => next ) <= match<3> <= ( yes => [x.jump]  default => send )", vec![4]),
            (
                "switch <= ( a<3> => next  switch<2> <= ( b => next ) <= switch[z] <= ( c => next )  d => next | [z.jump] | back * 2 )",
                vec![3, 2, 8, 8],
            ),
            (
                "switch <= ( a => next ) <= match <= ( yes => out <= switch[p] <= ( b => send | [q.jump] )
              default => out <= switch[q] <= ( c => send | [p.jump] ) )",
                vec![1, 8, 8],
            ),
            ("switch[l]<3> <= ( switch <= ( a<2> => next  b => next | back )  c => next | [l.jump] )", vec![6, 6, 3]),
        ] {
            let source = format!("out <= ( {stages} ) <= in");
            assert_eq!(calls(&source), (expected.iter().sum(), expected), "{source}");
        }
    }

    #[test]
    fn fan_outs_over_each_other_have_no_bound() {
        let source = "out <= ( switch[w] <= ( [a <= w.b.out.*] => next  [b <= w.a.out.*] => next | back ) ) <= in";
        assert_eq!(of(source).total.calls, Bound::Unbounded);
    }

    #[test]
    fn a_definition_is_called_as_often_as_its_step_is_visited_and_retried() {
        let source = "d <= ( switch <= ( a ~ u => next  b => send ) )
            out <= ( switch <= ( c<3> => next  d => next | back | retry ) ) <= in";
        // `c`, `d` with all that it does, then inside: `a` and `b` six times; each `a` undone in three tries.
        assert_eq!(calls(source), (3 + 12 + 18, vec![3, 12, 6, 18, 6]));
    }

    #[test]
    fn undoers_are_tried_three_times_for_each_attempt_that_may_have_done_something() {
        assert_eq!(calls("out <= ( switch <= ( a ~ u => next | retry * 2 ) ) <= in"), (12, vec![3, 9]));
        let limited = "+++\n[limits]\ncalls = 2\n+++\nout <= ( switch <= ( a ~ u => next  b => next | retry ) ) <= in";
        assert_eq!(calls(limited).0, 2 + 3);
        let ms = of("+++\n[worker.u]\nmock = []\n[worker.v]\nrun = \"true\"\ntimeout = \"1s\"\n+++
            out <= ( switch<5s> <= ( v ~ v => next ) ) <= in")
        .total
        .ms;
        assert_eq!(ms, Bound::AtMost(1_000 + 3 * 1_000 + 200 + 400));
    }
}
