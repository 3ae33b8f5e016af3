//! The law of the worst case: no run calls, spends, uses or takes more than was said before it began; not in all, and in calls, money and
//! tokens not for any row either.
//!
//! Workers are held to what they declare, as a host holds them: they cost no more than their price or, where that is not known, than is
//! left of the budgets around; they keep their deadlines, stop when they are told to, and give no more parts than they say.

use aivm_lang::cost::{Bound, Cost, WorstCase, worst_case};
use aivm_lang::flow::{Flow, StageId, StepId, Target};
use aivm_vm::Purpose;
use std::collections::BTreeMap;

/// The most parts that any worker declares.
pub const MOST_PARTS: u32 = 3;

/// What a run took.
#[derive(Default)]
pub struct Spent {
    pub calls: Vec<(Purpose, u64, u64)>,
    pub ms: u64,
}

/// A program whose workers declare what they give at the most, and its worst case.
pub struct Promise {
    flow: Flow,
    worst: WorstCase,
    /// The steps and stages of the module, by their number there.
    steps: Vec<StepId>,
    stages: Vec<StageId>,
}

impl Promise {
    pub fn of(mut flow: Flow) -> Promise {
        for worker in &mut flow.workers {
            worker.definition.most = Some(MOST_PARTS);
        }
        let mut reached = vec![false; flow.functions.len()];
        let (mut steps, mut stages) = (Vec::new(), Vec::new());
        for (at, function) in flow.functions.iter().enumerate().filter(|(_, function)| function.chain.is_some()) {
            if at > 0 && !reached[at] {
                continue;
            }
            stages.extend((function.stages.0..function.stages.1).map(StageId));
            for id in (function.steps.0..function.steps.1).map(StepId) {
                steps.push(id);
                for target in [Some(flow.step(id).target), flow.step(id).undo].into_iter().flatten() {
                    if let Target::Function(callee) = target {
                        reached[callee.index()] = true;
                    }
                }
            }
        }
        let worst = worst_case(&flow);
        Promise { flow, worst, steps, stages }
    }

    /// The deadline of a call of this worker that its step says nothing about.
    pub fn deadline(&self, worker: &str) -> Option<u64> {
        let worker = self.flow.workers.iter().find(|known| known.name == worker)?;
        worker.definition.call_timeout().map(|timeout| timeout.0)
    }

    fn key(&self, purpose: Purpose) -> String {
        let (stage, rest) = match purpose {
            Purpose::Choose(stage) => (self.stages[stage.index()], String::new()),
            Purpose::Step(step) | Purpose::Undo(step) => {
                let step = self.flow.step(self.steps[step.index()]);
                let undo = if matches!(purpose, Purpose::Undo(_)) { "~undo" } else { "" };
                (step.stage, format!("/{}{undo}", step.name))
            }
        };
        let stage = self.flow.stage(stage);
        let function = if stage.function.0 == 0 { "" } else { &self.flow.function(stage.function).name };
        format!("{function}{}{}{rest}", if function.is_empty() { "" } else { ": " }, stage.key)
    }

    /// What was said and does not hold.
    pub fn broken(&self, spent: &Spent) -> Vec<String> {
        let mut by_key: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
        let mut all = (0, 0, 0);
        for (purpose, money, tokens) in &spent.calls {
            for sum in [&mut all, by_key.entry(self.key(*purpose)).or_default()] {
                *sum = (sum.0 + 1, sum.1 + money, sum.2 + tokens);
            }
        }
        let mut broken = Vec::new();
        let mut hold = |what: &str, took: u64, most: Bound| {
            if most.known().is_some_and(|most| took > most) {
                broken.push(format!("{what}: took {took}, and the worst case says {}", most.known().unwrap_or(0)));
            }
        };
        let mut hold_all = |key: &str, (calls, money, tokens): (u64, u64, u64), most: Cost| {
            hold(&format!("calls {key}"), calls, most.calls);
            hold(&format!("money {key}"), money, most.money);
            hold(&format!("tokens {key}"), tokens, most.tokens);
        };
        hold_all("in all", all, self.worst.total);
        for (key, took) in by_key {
            match self.worst.steps.iter().find(|row| row.key == key) {
                Some(row) => hold_all(&key, took, row.cost),
                None => hold_all(&format!("{key} (without a row)"), took, Cost::NOTHING),
            }
        }
        hold("ms in all", spent.ms, self.worst.total.ms);
        broken
    }

    /// Is everything bounded?
    pub fn is_bounded(&self) -> bool {
        let Cost { calls, ms, money, tokens } = self.worst.total;
        [calls, ms, money, tokens].iter().all(|bound| bound.known().is_some())
    }

    /// Did the run call as often as was said?
    pub fn is_exact(&self, spent: &Spent) -> bool {
        self.worst.total.calls.known() == Some(spent.calls.len() as u64)
    }
}
