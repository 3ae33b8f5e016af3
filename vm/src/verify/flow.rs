//! In which stage and in which branch each word of a function runs, and every way from one word to the next.
//!
//! Since each stage has exactly one stage around it, what is known at a word is small: the innermost stage, and the branch or
//! item that it runs in. Two ways to a word must agree. From this follows what makes counters trustworthy: a stage is entered
//! only from the stage around it and in one branch only, and a counter is counted only inside the stage that sets it to zero, so
//! no concurrent branch can set to zero what another counts.

use super::cycles::{Arc, Graph};
use super::rule::{Rule, VerifyError};
use super::tables::{Facts, span};
use aivm_schema::isa::Instruction;
use aivm_schema::module::{CounterId, EdgeKind, Function, Module, Stage, StageId, StageKind, StepId};

/// What is known when a word runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    /// The innermost stage.
    stage: Option<StageId>,
    /// The branch or item that it runs in, if any: the address of the `branch` or `map` that began it.
    region: Option<u32>,
}

/// What a branch or an item is.
enum Region {
    Branch { join: StageId, element: u16 },
    Item { step: StepId, stage: StageId },
}

/// Checks the words that something leads to; returns every way between them.
pub(super) fn check(
    module: &Module,
    code: &[Instruction],
    function: &Function,
    facts: &Facts,
) -> Result<Graph, VerifyError> {
    let size = function.end.saturating_sub(function.entry) as usize;
    let mut flow = Flow {
        module,
        code,
        function,
        facts,
        states: vec![None; size],
        entered: vec![None; function.stages.1.into()],
        work: Vec::new(),
        arcs: Vec::new(),
    };
    let outside = State { stage: None, region: None };
    flow.reach(function.entry, outside)?;
    while let Some(pc) = flow.work.pop() {
        flow.word(pc)?;
    }
    let depth = |state: &Option<State>| state.map_or(0, |state| facts.depth(state.stage));
    Ok(Graph { depths: flow.states.iter().map(depth).collect(), arcs: flow.arcs })
}

struct Flow<'a> {
    module: &'a Module,
    code: &'a [Instruction],
    function: &'a Function,
    facts: &'a Facts,
    /// By address, from the function's entry; none: nothing leads there. A `branch` has the state of its join.
    states: Vec<Option<State>>,
    /// By stage of the function: the branch that it is entered in; none: not entered so far.
    entered: Vec<Option<Option<u32>>>,
    work: Vec<u32>,
    arcs: Vec<Arc>,
}

impl<'a> Flow<'a> {
    fn at(&self, pc: u32) -> Option<Instruction> {
        self.code.get(pc as usize).copied().filter(|_| pc < self.function.end)
    }

    fn place(&mut self, pc: u32) -> Option<&mut Option<State>> {
        self.states.get_mut(pc.checked_sub(self.function.entry)? as usize)
    }

    fn state(&self, pc: u32) -> Option<State> {
        self.states.get(pc.checked_sub(self.function.entry)? as usize).copied().flatten()
    }

    fn stage(&self, id: StageId) -> Option<&'a Stage> {
        self.module.stages.get(id.index())
    }

    fn kind(&self, id: StageId) -> Option<StageKind> {
        self.stage(id).map(|stage| stage.kind)
    }

    fn around(&self, id: StageId) -> Option<StageId> {
        self.stage(id).and_then(|stage| stage.around)
    }

    /// The stages from this one outwards.
    fn outwards(&self, from: Option<StageId>) -> impl Iterator<Item = StageId> {
        std::iter::successors(from, |stage| self.around(*stage))
    }

    fn reach(&mut self, pc: u32, state: State) -> Result<(), VerifyError> {
        match self.place(pc) {
            Some(Some(known)) if *known == state => Ok(()),
            Some(Some(_)) => Err(Rule::Merge.at(pc)),
            Some(place) => {
                *place = Some(state);
                self.work.push(pc);
                Ok(())
            }
            None => Err(Rule::Target.at(pc)),
        }
    }

    /// Control gets from `from` to `to`, in this state, and is counted in `counter`.
    fn lead(&mut self, from: u32, to: u32, counter: Option<CounterId>, state: State) -> Result<(), VerifyError> {
        let counted = match counter {
            None => None,
            Some(counter) => Some(self.counted(from, counter)?),
        };
        self.arc(from, to, counted);
        self.reach(to, state)
    }

    fn arc(&mut self, from: u32, to: u32, counted: Option<u8>) {
        let entry = self.function.entry;
        self.arcs.push(Arc { from: from.saturating_sub(entry), to: to.saturating_sub(entry), counted });
    }

    /// How deep the stage lies that a counter belongs to: one that is around the word which counts.
    fn counted(&self, pc: u32, counter: CounterId) -> Result<u8, VerifyError> {
        let home = self.facts.home(counter);
        let around = self.state(pc).and_then(|state| state.stage);
        if home.is_none() || self.outwards(around).any(|stage| Some(stage) == home) {
            Ok(self.facts.depth(home))
        } else {
            Err(Rule::Counted.at(pc))
        }
    }

    fn region(&self, state: State) -> Option<Region> {
        let pc = state.region?;
        match self.at(pc)? {
            Instruction::Branch { element, .. } => Some(Region::Branch { join: self.state(pc)?.stage?, element }),
            Instruction::Map { step, .. } => Some(Region::Item { step, stage: self.state(pc)?.stage? }),
            _ => None,
        }
    }

    /// Does a word in this state run in a branch of its innermost stage?
    fn in_branch(&self, state: State) -> bool {
        matches!(self.region(state), Some(Region::Branch { join, .. }) if state.stage == Some(join))
    }

    /// What stands directly in the innermost stage may run: in a join, only in a branch or in an item of a fan-out in one.
    fn inside(&self, state: State) -> bool {
        state.stage.and_then(|stage| self.kind(stage)) != Some(StageKind::Join)
            || self.in_branch(state)
            || matches!(self.region(state), Some(Region::Item { .. }))
    }

    fn word(&mut self, pc: u32) -> Result<(), VerifyError> {
        let (Some(state), Some(instruction)) = (self.state(pc), self.at(pc)) else { return Err(Rule::Target.at(pc)) };
        let hold = |holds: bool, rule: Rule| if holds { Ok(()) } else { Err(rule.at(pc)) };
        let next = pc + 1;
        if let Some(Region::Item { step: own, .. }) = self.region(state) {
            let item = match instruction {
                Instruction::Call { step } => step == own,
                Instruction::Jump { .. } | Instruction::Hand {} => true,
                _ => false,
            };
            hold(item, Rule::Item)?;
        }
        match instruction {
            Instruction::Enter { stage } => self.enter(pc, stage, state),
            Instruction::Leave { stage, .. } => {
                hold(state.stage == Some(stage) && !self.in_branch(state), Rule::Leave)?;
                self.lead(pc, next, None, State { stage: self.around(stage), ..state })
            }
            Instruction::Count { counter } => self.lead(pc, next, Some(counter), state),
            Instruction::Jump { target } => self.lead(pc, target, None, state),
            Instruction::Call { step } => {
                self.runs(pc, step, state)?;
                self.edges(pc, state)
            }
            Instruction::Map { step, item } => {
                self.runs(pc, step, state)?;
                self.lead(pc, item, None, State { region: Some(pc), ..state })?;
                self.edges(pc, state)
            }
            Instruction::Pick {} => self.edges(pc, state),
            Instruction::Ref { .. } | Instruction::Gather { .. } => self.lead(pc, next, None, state),
            Instruction::Wait { stage, element } => {
                hold(self.waits(stage, element, state), Rule::Wait)?;
                self.lead(pc, next, None, state)
            }
            Instruction::Join { stage, branches, .. } => self.join(pc, stage, branches, state),
            Instruction::Choose { stage, options, counter } => self.choose(pc, stage, options, counter, state),
            Instruction::Hand {} => {
                let began = self.region(state).map(|region| match region {
                    Region::Branch { join, .. } => join,
                    Region::Item { stage, .. } => stage,
                });
                hold(began.is_some() && began == state.stage, Rule::Hand)
            }
            Instruction::IfWord { target, .. }
            | Instruction::IfLast { target, .. }
            | Instruction::IfKind { target, .. } => {
                self.lead(pc, target, None, state)?;
                self.lead(pc, next, None, state)
            }
            Instruction::Fail { stage } => hold(self.owns(stage, StageKind::Match, state), Rule::Own),
            Instruction::Return {} => hold(state == State { stage: None, region: None }, Rule::Return),
            Instruction::Edge { .. } | Instruction::Branch { .. } | Instruction::Option { .. } => {
                Err(Rule::List.at(pc))
            }
        }
    }

    fn enter(&mut self, pc: u32, id: StageId, state: State) -> Result<(), VerifyError> {
        let Some(stage) = self.stage(id).filter(|stage| stage.around == state.stage && self.inside(state)) else {
            return Err(Rule::Enter.at(pc));
        };
        let row = id.index().checked_sub(span(self.function.stages).start);
        if let Some(region) = row.and_then(|row| self.entered.get_mut(row))
            && *region.get_or_insert(state.region) != state.region
        {
            return Err(Rule::Concurrent.at(pc));
        }
        if let Some(handler) = stage.handler {
            // Where it catches, the stage has been left again.
            self.lead(pc, handler.target, handler.counter, state)?;
        }
        self.lead(pc, pc + 1, None, State { stage: Some(id), ..state })
    }

    /// Is this the innermost stage, of this kind, and not one of its branches?
    fn owns(&self, stage: StageId, kind: StageKind, state: State) -> bool {
        state.stage == Some(stage) && self.kind(stage) == Some(kind) && !self.in_branch(state)
    }

    fn runs(&self, pc: u32, step: StepId, state: State) -> Result<(), VerifyError> {
        let stage = self.module.steps.get(step.index()).map(|step| step.stage);
        if stage.is_some() && stage == state.stage && self.inside(state) { Ok(()) } else { Err(Rule::Step.at(pc)) }
    }

    fn edges(&mut self, head: u32, state: State) -> Result<(), VerifyError> {
        let mut pc = head + 1;
        while let Some(Instruction::Edge { kind, counter, offset, .. }) = self.at(pc) {
            if offset > 0 && kind != EdgeKind::Retry {
                self.lead(head, pc.saturating_add(offset.into()), counter, state)?;
            }
            pc += 1;
        }
        Ok(())
    }

    fn join(&mut self, pc: u32, stage: StageId, branches: u16, state: State) -> Result<(), VerifyError> {
        if !self.owns(stage, StageKind::Join, state) {
            return Err(Rule::Own.at(pc));
        }
        if self.stage(stage).map(|stage| stage.names.len()) != Some(branches.into()) {
            return Err(Rule::JoinShape.at(pc));
        }
        for at in pc + 1..=pc + u32::from(branches) {
            let Some(Instruction::Branch { target, .. }) = self.at(at) else { return Err(Rule::List.at(pc)) };
            if let Some(place) = self.place(at) {
                *place = Some(state);
            }
            self.lead(pc, target, None, State { region: Some(at), ..state })?;
        }
        self.lead(pc, pc + 1 + u32::from(branches), None, state)
    }

    fn choose(
        &mut self,
        pc: u32,
        stage: StageId,
        options: u16,
        choices: Option<CounterId>,
        state: State,
    ) -> Result<(), VerifyError> {
        if !self.owns(stage, StageKind::Select, state) {
            return Err(Rule::Own.at(pc));
        }
        if options == 0 || self.stage(stage).map(|stage| stage.names.len()) != Some(options.into()) {
            return Err(Rule::SelectShape.at(pc));
        }
        let choices = choices.map(|counter| self.counted(pc, counter)).transpose()?;
        for at in pc + 1..=pc + u32::from(options) {
            let Some(Instruction::Option { counter, target }) = self.at(at) else { return Err(Rule::List.at(pc)) };
            // A choice is counted twice; what lasts longer is what ends a cycle.
            let option = self.counted(pc, counter)?;
            self.arc(pc, target, Some(choices.map_or(option, |choices| choices.min(option))));
            self.reach(target, state)?;
        }
        self.lead(pc, pc + 1 + u32::from(options), None, state)
    }

    /// Is this another element of a join around?
    fn waits(&self, join: StageId, element: u16, state: State) -> bool {
        if self.stage(join).is_none_or(|join| usize::from(element) >= join.names.len()) {
            return false;
        }
        // Joins nest as stages do, at most 64 deep.
        let mut around = Some(state);
        while let Some(state) = around {
            match self.region(state) {
                Some(Region::Branch { join: its, element: own }) if its == join => return own != element,
                Some(Region::Branch { .. }) => around = state.region.and_then(|pc| self.state(pc)),
                _ => return false,
            }
        }
        false
    }
}
