//! The worst case: what a program can call, spend and take at the most, known before it runs. Bounds multiply with depth.
//! What nothing bounds has *no bound*, never zero. How often everything runs is in `flow/often.rs`.

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

impl Default for Bound {
    fn default() -> Bound {
        Bound::ZERO
    }
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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
    /// Nothing at all.
    pub const NOTHING: Cost = Cost { calls: Bound::ZERO, ms: Bound::ZERO, money: Bound::ZERO, tokens: Bound::ZERO };

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

    /// Does any of it have no bound?
    fn is_open(&self) -> bool {
        [self.calls, self.ms, self.money, self.tokens].contains(&Bound::Unbounded)
    }

    fn dearest(self, other: Cost) -> Cost {
        Cost {
            calls: self.calls.max(other.calls),
            ms: self.ms.max(other.ms),
            money: self.money.max(other.money),
            tokens: self.tokens.max(other.tokens),
        }
    }

    fn cheapest(self, other: Cost) -> Cost {
        Cost {
            calls: self.calls.min(other.calls),
            ms: self.ms.min(other.ms),
            money: self.money.min(other.money),
            tokens: self.tokens.min(other.tokens),
        }
    }
}

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
        let waits = || stage.elements.iter().any(|element| self.waits(*element, id));
        let beside = if is_join && !waits() { Cost::beside } else { Cost::plus };
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
            let turns = Bound::from(items.known().map(|items| items.div_ceil(aivm_schema::limits::IN_FLIGHT as u64)));
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
                let definition = &self.flow.worker(worker).definition;
                let (money, tokens) = definition.price();
                let ms = deadline_ms.or(definition.call_timeout().map(|timeout| timeout.0));
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

    /// Everything that is called, over one whole run: entries multiply outwards, calls of functions too.
    fn per_run(&self, total: &Cost) -> (Vec<StepCost>, Vec<NoBound>) {
        let flow = self.flow;
        let mut calls = vec![Bound::ZERO; flow.functions.len()];
        if let Some(program) = calls.first_mut() {
            *program = Bound::AtMost(1);
        }
        let (mut rows, mut unbounded) = (Vec::new(), Vec::new());
        let mut outer: Vec<Bound> = vec![Bound::ZERO; flow.stages.len()];
        for (at, function) in flow.functions.iter().enumerate() {
            let called = calls[at];
            let prefix = if at == 0 { String::new() } else { format!("{}: ", function.name) };
            let row = |key: &str, worker: Target, cost: Cost| {
                let worker = flow.target_name(worker).to_owned();
                StepCost { key: format!("{prefix}{key}"), worker, cost }
            };
            // In written order.
            let mut found: Vec<(u32, StepCost)> = Vec::new();
            for id in (function.stages.0..function.stages.1).map(StageId) {
                let around = flow.stage(id).around.map_or(called, |around| outer[around.index()]);
                let times = around.times(self.entries(id));
                outer[id.index()] = times;
                if let Some(chooser) = flow.stage(id).chooser.filter(|_| times != Bound::ZERO) {
                    let cost = self.choosing(flow.stage(id), chooser).forward.times(times);
                    let chooser = Target::Worker(chooser);
                    let place = flow.places.stages.get(id.index()).map_or(0, |place| place.1.start);
                    let row = row(&flow.stage(id).key, chooser, cost);
                    self.say_why(&row, chooser, None, total, &mut unbounded);
                    found.push((place, row));
                }
            }
            for id in (function.steps.0..function.steps.1).map(StepId) {
                let step = flow.step(id);
                let times = outer[step.stage.index()].times(self.visits(id));
                if times == Bound::ZERO {
                    continue;
                }
                let place = flow.places.steps.get(id.index()).map_or(0, |place| place.1.start);
                let key = format!("{}/{}", flow.stage(step.stage).key, step.name);
                let Attempts { items, of_item, of_visit } = self.attempts(step);
                let made = times.times(items).times(Bound::AtMost(of_item)).times(Bound::AtMost(of_visit));
                if items == Bound::Unbounded && total.is_open() {
                    unbounded.push(self.no_most(format!("{prefix}{key}"), step));
                }
                match step.target {
                    Target::Function(callee) => calls[callee.index()] = calls[callee.index()].plus(made),
                    Target::Worker(_) => {
                        let row = row(&key, step.target, self.visit(step).forward.times(times));
                        self.say_why(&row, step.target, step.deadline_ms, total, &mut unbounded);
                        found.push((place, row));
                    }
                }
                let tries = made.times(UNDO_TRIES);
                match step.undo {
                    Some(Target::Function(callee)) => calls[callee.index()] = calls[callee.index()].plus(tries),
                    Some(undoer @ Target::Worker(_)) => {
                        let row = row(&format!("{key}~undo"), undoer, self.undoing(undoer).times(made));
                        self.say_why(&row, undoer, None, total, &mut unbounded);
                        found.push((place, row));
                    }
                    None => {}
                }
            }
            found.sort_by_key(|(place, _)| *place);
            rows.extend(found.into_iter().map(|(_, row)| row));
        }
        (rows, unbounded)
    }

    fn no_most(&self, key: String, step: &Step) -> NoBound {
        let flow = self.flow;
        let maker = step.refs.first().and_then(|source| match source.of {
            SourceOf::StepOut(maker) if matches!(flow.step(maker).target, Target::Worker(_)) => Some(flow.step(maker)),
            _ => None,
        });
        let of = step.refs.first().map_or(String::new(), |source| format!(" of `{}`", flow.source_text(*source)));
        let help = match maker.filter(|maker| !maker.each) {
            Some(maker) => format!("set `most = 20` in `[worker.{}]`", flow.target_name(maker.target)),
            None => "fan out over the output of a worker that sets `most = 20`".to_owned(),
        };
        NoBound { key, reason: format!("makes a call for each part{of}, and nothing says how many there are"), help }
    }

    /// Why a row has no bound besides the number of its calls.
    fn say_why(
        &self,
        row: &StepCost,
        target: Target,
        deadline_ms: Option<u64>,
        total: &Cost,
        unbounded: &mut Vec<NoBound>,
    ) {
        let Spent { forward, unpriced, .. } = self.call(target, deadline_ms);
        let open = |what: fn(&Cost) -> Bound| what(&row.cost) == Bound::Unbounded && what(total) == Bound::Unbounded;
        let mut say = |reason: &str, help: &str| {
            let reason = format!("calls `{}`, and nothing says {reason}", row.worker);
            let help = format!("set {help} in `[worker.{}]`", row.worker);
            unbounded.push(NoBound { key: row.key.clone(), reason, help });
        };
        match (unpriced.0 && open(|cost| cost.money), unpriced.1 && open(|cost| cost.tokens)) {
            (true, true) => {
                say("what it costs and how many tokens it uses", "`cost = \"$0.10\"` and `tokens = \"4kt\"`")
            }
            (true, false) => say("what it costs", "`cost = \"$0.10\"`"),
            (false, true) => say("how many tokens it uses", "`tokens = \"4kt\"`"),
            (false, false) => {}
        }
        if forward.ms == Bound::Unbounded && open(|cost| cost.ms) {
            say("how long that may take", "`timeout = \"2d\"`");
        }
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

/// For people: `3`, `no bound`.
pub fn count_text(bound: Bound) -> String {
    bound.known().map_or("no bound".into(), |n| n.to_string())
}

/// For people: `30s`, `24h 58m`: the two largest units.
pub fn time_text(bound: Bound) -> String {
    let Some(ms) = bound.known() else { return "no bound".into() };
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
    bound.known().map_or("no bound".into(), |money| Money(money).to_string())
}

/// For people: `20kt`, `0`.
pub fn tokens_text(bound: Bound) -> String {
    match bound.known() {
        Some(0) => "0".into(),
        Some(tokens) => Tokens(tokens).to_string(),
        None => "no bound".into(),
    }
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
    fn the_last_visit_may_go_on() {
        // As `examples/fix-until-green`: six rounds of two, and the last of them is green.
        let source =
            "out <= ( switch <= ( repair<6> => next | cancel  verify => back | continue  show => send ) ) <= in";
        assert_eq!(calls(source), (13, vec![6, 6, 1]));
        let source = "out <= ( switch[s] <= ( w<5> => next  c => next  j => [s.w.jump] | send ) ) <= in";
        assert_eq!(calls(source), (15, vec![5, 5, 5]));
        let source = "+++\n[worker.w]\ncost = \"$0.10\"\nmock = []\n[worker.j]\ncost = \"$1.00\"\nmock = []\n+++
            out <= ( switch <= ( w<5> => next  j => back | continue ) ) <= in";
        assert_eq!(of(source).total.money, Bound::AtMost(5_500_000));
    }

    #[test]
    fn a_select_calls_no_more_than_it_chooses() {
        // With a chooser, a choice may be asked for twice.
        let of = |limit: &str, head: &str| {
            calls(&format!("{head}out <= ( select[s]{limit} <= ( a => next  b => next  c => next ) ) <= in"))
        };
        let chooser = "+++\n[stage.s]\nchooser = \"boss\"\n+++\n";
        assert_eq!(of("<2>", chooser), (4 + 2, vec![4, 2, 2, 2]));
        assert_eq!(of("", chooser), (48 + 24, vec![48, 8, 8, 8]));
        assert_eq!(of("", ""), (3, vec![1, 1, 1]));
        assert_eq!(of("<2>", ""), (2, vec![1, 1, 1]));
    }

    #[test]
    fn where_a_retry_is_all_that_there_is_parts_are_retried_and_all_of_them_again() {
        let source = "+++\n[worker.m]\nmost = 2\nmock = []\n+++
            out <= ( switch[x] <= ( m => next  [a <= x.m.out.*] => retry ) ) <= in";
        assert_eq!(calls(source), (1 + 8, vec![1, 8]));
    }

    #[test]
    fn calls_of_unknown_price_may_each_take_what_is_left_of_a_budget() {
        let money =
            |stage: &str| of(&format!("+++\n[worker.g]\nprompt = \"Say.\"\n+++\nout <= ( {stage} ) <= in")).total.money;
        assert_eq!(money("switch<$0.50> <= ( g => next  g => next )"), Bound::AtMost(500_000));
        assert_eq!(money("join<$0.50> <= ( g => next  g => next )"), Bound::AtMost(1_000_000));
        assert_eq!(money("switch<$0.10> <= ( join<$0.50> <= ( g => next  g => next ) )"), Bound::AtMost(200_000));
    }

    #[test]
    fn what_has_no_bound_is_named() {
        let worst = of(
            "+++\n[worker.g]\nprompt = \"Say.\"\n+++\nout <= ( switch[x] <= ( m => next  [a <= x.m.out.*] => next  g => send ) ) <= in",
        );
        let said: Vec<(&str, &str)> =
            worst.unbounded.iter().map(|open| (open.key.as_str(), open.help.as_str())).collect();
        assert_eq!(
            said,
            [
                ("x/a", "set `most = 20` in `[worker.m]`"),
                ("x/g", "set `cost = \"$0.10\"` and `tokens = \"4kt\"` in `[worker.g]`"),
            ]
        );
    }

    #[test]
    fn what_a_budget_bounds_is_not_to_blame() {
        let worst = of("+++\n[worker.g]\nprompt = \"Say.\"\n+++\nout <= ( switch<$1, 9kt> <= ( g => send ) ) <= in");
        assert_eq!(worst.unbounded, []);
    }

    #[test]
    fn rows_add_up_unless_only_some_of_them_can_run() {
        let adds_up = |stages: &str| of(&format!("out <= ( {stages} ) <= in")).adds_up();
        assert!(adds_up("switch <= ( a ~ u => next  b => next | back )"));
        assert!(!adds_up(
            "match <= ( yes => out <= switch <= ( a => send )  default => out <= switch <= ( b => send ) )"
        ));
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
        // Each `a` is undone in three tries; `d` itself calls nobody.
        assert_eq!(calls(source), (3 + 6 + 18 + 6, vec![3, 6, 18, 6]));
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
