//! Selects: the next choice, by a chooser or in written order.

use super::budget::Refusal;
use super::{Core, Flow};
use crate::action::*;
use crate::error::Fault;
use crate::key::StepKey;
use crate::program::Program;
use crate::slab::FiberId;
use crate::state::*;
use aivm_schema::isa::Instruction;
use aivm_schema::module::{CounterId, EndKind, StageId};

impl Core {
    /// The `choose` instruction.
    pub(super) fn choose(
        &mut self,
        p: &Program,
        id: FiberId,
        stage: StageId,
        options: u16,
        counter: Option<CounterId>,
    ) -> Flow {
        let fiber = &mut self.data.fibers[id];
        let (value, verdict) = (fiber.value.clone(), fiber.verdict);
        let top = fiber.top_mut();
        let finish = top.pc + 1 + u32::from(options);
        if p.has_budgets() {
            self.data.scopes[top.scope].finish = Some(Box::new(Finish { pc: finish, value, verdict }));
        }
        let spent = counter.is_some_and(|counter| {
            self.data.frames[top.frame].counters[counter.index()] >= p.function(top.function).counters[counter.index()]
        });
        let top = self.data.fibers[id].top();
        let left = self.options_left(p, top);
        let Some(chooser) = p.stage(stage).chooser else {
            // Each option once, in written order.
            let counters = &self.data.frames[top.frame].counters;
            let next = left.into_iter().map(|(at, _)| at).find(|at| {
                matches!(p.code().get(*at as usize), Some(Instruction::Option { counter, .. }) if counters[counter.index()] == 0)
            });
            return self.go_to_option(p, id, counter, next.filter(|_| !spent), finish);
        };
        if spent || left.is_empty() {
            return self.go_to_option(p, id, counter, None, finish);
        }
        match self.reserve(p, id, chooser) {
            Ok(allowance) => {
                let (number, attempt) = self.next_choice(p, id, stage);
                self.ask(id, Asked::Choose { number, attempt }, allowance)
            }
            Err(Refusal::Run(limit)) => self.park(id, limit),
            Err(Refusal::Scope(_, fault)) => {
                let (number, attempt) = self.next_choice(p, id, stage);
                let caller = self.data.frames[self.data.fibers[id].top().frame].caller.clone();
                let key = StepKey::new(caller, p.stage_key(stage).clone(), number, None);
                let error = fault.at(&key);
                let decision = Decision::of(Taken::Chose(FINISH.into()));
                let purpose = Purpose::Choose(stage);
                let kind = EndKind::Exhausted;
                self.note(Action::NotMade(NotMade { key, purpose, attempt, kind, error, decision }));
                self.go_to_option(p, id, counter, None, finish)
            }
        }
    }

    /// The number of the choice that is asked for, and which asking it is.
    fn next_choice(&mut self, p: &Program, id: FiberId, stage: StageId) -> (u32, u32) {
        let top = self.data.fibers[id].top_mut();
        if top.ask_again > 0 {
            return (std::mem::take(&mut top.ask_again), 2);
        }
        let first = p.function(top.function).stages.0;
        let choices = &mut self.data.frames[top.frame].choices[stage.index() - usize::from(first)];
        *choices = choices.saturating_add(1);
        (*choices, 1)
    }

    /// Address and name of each option of the `choose` that stands there whose counter is not spent.
    pub(super) fn options_left<'p>(&self, p: &'p Program, top: &Activation) -> Vec<(u32, &'p Word)> {
        let Some(Instruction::Choose { stage, options, .. }) = p.code().get(top.pc as usize) else { return Vec::new() };
        let counters = &self.data.frames[top.frame].counters;
        let limits = &p.function(top.function).counters;
        let first = top.pc + 1;
        let open = |(at, name): (u32, _)| match p.code().get(at as usize) {
            Some(Instruction::Option { counter, .. }) if counters[counter.index()] < limits[counter.index()] => {
                Some((at, p.word(name)))
            }
            _ => None,
        };
        (first..first + u32::from(*options)).zip(p.stage(*stage).names.iter().copied()).filter_map(open).collect()
    }

    /// Goes to an option and counts it, or on behind them all.
    fn go_to_option(
        &mut self,
        p: &Program,
        id: FiberId,
        choices: Option<CounterId>,
        option: Option<u32>,
        finish: u32,
    ) -> Flow {
        let top = self.data.fibers[id].top_mut();
        top.ask_again = 0;
        match option.and_then(|at| p.code().get(at as usize)) {
            Some(Instruction::Option { counter, target }) => {
                let limits = &p.function(top.function).counters;
                for counter in [Some(*counter), choices].into_iter().flatten() {
                    // Both may be one counter, and who chooses at the same time may have spent it meanwhile.
                    let count = &mut self.data.frames[top.frame].counters[counter.index()];
                    *count = count.saturating_add(1).min(limits[counter.index()]);
                }
                top.pc = *target;
            }
            _ => top.pc = finish,
        }
        Flow::On
    }

    /// A chooser has answered.
    pub(super) fn chosen(&mut self, p: &Program, id: FiberId, number: u32, attempt: u32, answer: Answer) -> Decision {
        let top = self.data.fibers[id].top();
        let Some(Instruction::Choose { stage, options, counter }) = p.code().get(top.pc as usize).copied() else {
            return Decision::dropped();
        };
        let finish = top.pc + 1 + u32::from(options);
        let said = match &answer {
            Answer::Done { verdict: Some(word), .. } => format!("it said `{word}`"),
            Answer::Done { verdict: None, .. } => "it said nothing".to_owned(),
            Answer::Failed { error, .. } => format!("{}: {}", error.code, error.message),
        };
        if let Answer::Done { verdict: Some(word), .. } = answer {
            if word == FINISH {
                self.go_to_option(p, id, counter, None, finish);
                return Decision::of(Taken::Chose(FINISH.into()));
            }
            if let Some((at, name)) = self.options_left(p, top).into_iter().find(|(_, name)| ***name == *word) {
                self.go_to_option(p, id, counter, Some(at), finish);
                return Decision::of(Taken::Chose(name.clone()));
            }
        }
        if attempt == 1 {
            self.data.fibers[id].top_mut().ask_again = number;
        } else {
            self.end_stage(id, Fault::NotChosen(said), p.stage_key(stage).to_string());
        }
        Decision::of(Taken::NotChosen)
    }
}
