//! The code of one function, word by word: operands in range, lists behind their heads, and the stage that each word runs in.
//!
//! Since each stage has exactly one stage around it, what is known at a word is small: the innermost stage, and whether the
//! word runs in a branch (or item) that began in exactly that stage. Two ways to a word must agree.

use super::VerifyError;
use aivm_schema::isa::Instruction;
use aivm_schema::module::{CounterId, EdgeKind, Function, Module, RegisterId, StageId, StageKind};

/// What is known when a word runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The innermost stage.
    pub stage: Option<StageId>,
    /// The branch or item that it runs in: where that began. Leaving its stage would leave the branch.
    pub region: Option<Region>,
}

/// A branch of a join, or an item of a fan-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    /// The stage in which it began.
    stage: StageId,
    /// An item, not a branch.
    item: bool,
}

pub(super) struct Shape<'a> {
    module: &'a Module,
    code: &'a [Instruction],
    function: &'a Function,
    /// By address, from the function's entry; none: nothing leads there.
    states: Vec<Option<State>>,
    work: Vec<u32>,
}

/// The state of every word of a function that something leads to.
pub(super) fn check(module: &Module, code: &[Instruction], function: &Function) -> Result<Vec<Option<State>>, VerifyError> {
    let size = (function.end - function.entry) as usize;
    let mut shape = Shape { module, code, function, states: vec![None; size], work: Vec::new() };
    shape.lead(function.entry, function.entry, State { stage: None, region: None })?;
    loop {
        while let Some(pc) = shape.work.pop() {
            shape.word(pc)?;
        }
        if shape.work.is_empty() {
            return Ok(shape.states);
        }
    }
}

impl Shape<'_> {
    fn at(&self, pc: u32) -> Option<Instruction> {
        if pc < self.function.entry || pc >= self.function.end {
            return None;
        }
        self.code.get(pc as usize).copied()
    }

    /// Control gets from `pc` to `target` in this state.
    fn lead(&mut self, pc: u32, target: u32, state: State) -> Result<(), VerifyError> {
        match self.at(target) {
            None | Some(Instruction::Edge { .. } | Instruction::Branch { .. } | Instruction::Option { .. }) => {
                return Err(VerifyError::Target { pc, target });
            }
            Some(_) => {}
        }
        let place = self.states.get_mut((target - self.function.entry) as usize);
        match place {
            Some(Some(known)) if *known == state => Ok(()),
            Some(Some(_)) => Err(VerifyError::Stage { pc: target, reason: "two ways lead here from different stages" }),
            Some(place) => {
                *place = Some(state);
                self.work.push(target);
                Ok(())
            }
            None => Err(VerifyError::Target { pc, target }),
        }
    }

    fn own_stage(&self, pc: u32, id: StageId) -> Result<&aivm_schema::module::Stage, VerifyError> {
        let first = self.function.stages.0;
        let own = id.0 >= first && id.0 - first < self.function.stages.1;
        let stage = self.module.stages.get(id.index()).filter(|_| own);
        stage.ok_or(VerifyError::Operand { pc, reason: "the stage is not one of this function" })
    }

    fn counter(&self, pc: u32, counter: Option<CounterId>) -> Result<(), VerifyError> {
        match counter {
            Some(counter) if counter.index() >= self.function.counters.len() => {
                Err(VerifyError::Operand { pc, reason: "the counter is not one of this function" })
            }
            _ => Ok(()),
        }
    }

    fn register(&self, pc: u32, register: RegisterId) -> Result<(), VerifyError> {
        if register.0 < self.function.registers {
            Ok(())
        } else {
            Err(VerifyError::Operand { pc, reason: "the register is not one of this function" })
        }
    }

    fn word_id(&self, pc: u32, word: aivm_schema::module::WordId) -> Result<(), VerifyError> {
        if word.index() < self.module.words.len() { Ok(()) } else { Err(VerifyError::Operand { pc, reason: "the word is not in the table" }) }
    }

    fn state(&self, pc: u32) -> Result<State, VerifyError> {
        let state = self.states.get((pc - self.function.entry) as usize).copied().flatten();
        state.ok_or(VerifyError::Stage { pc, reason: "nothing is known here" })
    }

    fn word(&mut self, pc: u32) -> Result<(), VerifyError> {
        let state = self.state(pc)?;
        let Some(instruction) = self.at(pc) else { return Err(VerifyError::Target { pc, target: pc }) };
        let stage_error = |reason| Err(VerifyError::Stage { pc, reason });
        match instruction {
            Instruction::Enter { stage } => {
                let row = self.own_stage(pc, stage)?;
                if row.around != state.stage {
                    return stage_error("a stage is entered elsewhere than in the one around it");
                }
                if let Some(handler) = row.handler {
                    // Where it catches, its stage has been left again.
                    self.lead(pc, handler.target, state)?;
                }
                self.lead(pc, pc + 1, State { stage: Some(stage), ..state })
            }
            Instruction::Leave { stage, .. } => {
                let around = self.own_stage(pc, stage)?.around;
                if state.stage != Some(stage) {
                    return stage_error("a stage is left that is not the innermost");
                }
                if state.region.is_some_and(|region| region.stage == stage) {
                    return stage_error("a branch leaves the stage that it began in");
                }
                self.lead(pc, pc + 1, State { stage: around, ..state })
            }
            Instruction::Count { counter } => {
                self.counter(pc, Some(counter))?;
                self.lead(pc, pc + 1, state)
            }
            Instruction::Jump { target } => self.lead(pc, target, state),
            Instruction::Call { step } => {
                self.step(pc, step, state)?;
                self.edges(pc, state)
            }
            Instruction::Map { step, item } => {
                self.step(pc, step, state)?;
                let Some(stage) = state.stage else { return stage_error("a fan-out outside of every stage") };
                self.lead(pc, item, State { region: Some(Region { stage, item: true }), ..state })?;
                self.edges(pc, state)
            }
            Instruction::Pick {} => self.edges(pc, state),
            Instruction::Ref { register } => {
                self.register(pc, register)?;
                self.lead(pc, pc + 1, state)
            }
            Instruction::Gather { step, .. } => {
                self.step(pc, step, state)?;
                self.lead(pc, pc + 1, state)
            }
            Instruction::Wait { stage, element } => self.wait(pc, stage, element, state),
            Instruction::Join { stage, branches, take } => self.join(pc, stage, branches, take, state),
            Instruction::Choose { stage, options, counter } => self.choose(pc, stage, options, counter, state),
            Instruction::Hand {} => match state.region {
                Some(region) if state.stage == Some(region.stage) => Ok(()),
                _ => stage_error("a value is handed in outside of a branch, or before its stages were left"),
            },
            Instruction::IfWord { word, target } => {
                self.word_id(pc, word)?;
                self.lead(pc, target, state)?;
                self.lead(pc, pc + 1, state)
            }
            Instruction::IfLast { counter, target } => {
                self.counter(pc, Some(counter))?;
                self.lead(pc, target, state)?;
                self.lead(pc, pc + 1, state)
            }
            Instruction::IfKind { kinds, target } => {
                if kinds.0 > 15 {
                    return Err(VerifyError::Operand { pc, reason: "a kind of ending that there is not" });
                }
                self.lead(pc, target, state)?;
                self.lead(pc, pc + 1, state)
            }
            Instruction::Fail { stage } => {
                let kind = self.own_stage(pc, stage)?.kind;
                if state.stage != Some(stage) || kind != StageKind::Match {
                    return stage_error("a match fails that is not the innermost stage");
                }
                Ok(())
            }
            Instruction::Return {} => {
                if state.stage.is_some() || state.region.is_some() {
                    return stage_error("the function ends inside of a stage or branch");
                }
                Ok(())
            }
            Instruction::Edge { .. } | Instruction::Branch { .. } | Instruction::Option { .. } => {
                Err(VerifyError::List { pc, reason: "it follows nothing that it belongs to" })
            }
        }
    }

    fn step(&self, pc: u32, step: aivm_schema::module::StepId, state: State) -> Result<(), VerifyError> {
        let first = self.function.steps.0;
        let own = step.0 >= first && step.0 - first < self.function.steps.1;
        let Some(row) = self.module.steps.get(step.index()).filter(|_| own) else {
            return Err(VerifyError::Operand { pc, reason: "the step is not one of this function" });
        };
        if state.stage != Some(row.stage) {
            return Err(VerifyError::Stage { pc, reason: "a step runs outside of its stage" });
        }
        Ok(())
    }

    fn edges(&mut self, head: u32, state: State) -> Result<(), VerifyError> {
        let mut pc = head + 1;
        while let Some(Instruction::Edge { kind, word, counter, offset }) = self.at(pc) {
            self.word_id(pc, word)?;
            self.counter(pc, counter)?;
            let fine = match kind {
                EdgeKind::Retry => offset > 0 && counter.is_none(),
                EdgeKind::Cancel | EdgeKind::Timeout => offset == 0 && counter.is_none(),
                // A `back` to where nothing is can never be taken.
                EdgeKind::Back => offset > 0 || counter.is_none(),
                _ => offset > 0,
            };
            if !fine {
                return Err(VerifyError::Operand { pc, reason: "an edge of this kind has another counter or offset" });
            }
            if offset > 0 && kind != EdgeKind::Retry {
                self.lead(pc, pc.saturating_add(offset.into()), state)?;
            }
            pc += 1;
        }
        if pc == head + 1 {
            return Err(VerifyError::List { pc: head, reason: "no edge follows" });
        }
        Ok(())
    }

    fn wait(&mut self, pc: u32, join: StageId, element: u16, state: State) -> Result<(), VerifyError> {
        let row = self.own_stage(pc, join)?;
        if row.kind != StageKind::Join || usize::from(element) >= row.names.len() {
            return Err(VerifyError::Operand { pc, reason: "what it waits for is no element of a join" });
        }
        let mut around = state.stage;
        while around.is_some() && around != Some(join) {
            around = around.and_then(|stage| self.module.stages.get(stage.index())).and_then(|stage| stage.around);
        }
        if around != Some(join) || state.region.is_none() {
            return Err(VerifyError::Stage { pc, reason: "it waits for a sibling outside of the join" });
        }
        self.lead(pc, pc + 1, state)
    }

    fn join(&mut self, pc: u32, stage: StageId, branches: u16, take: u16, state: State) -> Result<(), VerifyError> {
        let row = self.own_stage(pc, stage)?;
        let (kind, names) = (row.kind, row.names.len());
        if kind != StageKind::Join || state.stage != Some(stage) || state.region.is_some_and(|region| region.stage == stage) {
            return Err(VerifyError::Stage { pc, reason: "a join starts outside of its stage" });
        }
        if branches == 0 || take == 0 || take > branches || usize::from(branches) != names {
            return Err(VerifyError::Operand { pc, reason: "the join has no branches, other names, or takes too many" });
        }
        for nth in 0..u32::from(branches) {
            let at = pc + 1 + nth;
            match self.at(at) {
                Some(Instruction::Branch { element, target }) if u32::from(element) == nth => {
                    self.lead(at, target, State { region: Some(Region { stage, item: false }), ..state })?;
                }
                _ => return Err(VerifyError::List { pc: at, reason: "a branch of the join is missing, or out of order" }),
            }
        }
        self.lead(pc, pc + 1 + u32::from(branches), state)
    }

    fn choose(&mut self, pc: u32, stage: StageId, options: u16, counter: Option<CounterId>, state: State) -> Result<(), VerifyError> {
        let row = self.own_stage(pc, stage)?;
        let (kind, names) = (row.kind, row.names.len());
        if kind != StageKind::Select || state.stage != Some(stage) {
            return Err(VerifyError::Stage { pc, reason: "a select chooses outside of its stage" });
        }
        if options == 0 || usize::from(options) != names {
            return Err(VerifyError::Operand { pc, reason: "the select has no options, or other names" });
        }
        self.counter(pc, counter)?;
        for nth in 0..u32::from(options) {
            let at = pc + 1 + nth;
            let Some(Instruction::Option { counter, target }) = self.at(at) else {
                return Err(VerifyError::List { pc: at, reason: "an option of the select is missing" });
            };
            self.counter(at, Some(counter))?;
            self.lead(at, target, state)?;
        }
        self.lead(pc, pc + 1 + u32::from(options), state)
    }
}
