//! What each instruction does; `schema/src/isa.rs` says it in words.

use super::{Core, Flow};
use crate::action::Limit;
use crate::error::Fault;
use crate::program::Program;
use crate::slab::{FiberId, ScopeId, Slab};
use crate::state::*;
use aivm_schema::artifact::Artifact;
use aivm_schema::isa::Instruction;
use aivm_schema::module::{CounterId, FunctionId, INPUT, RegisterId, RunLimits, StageId, StageKind, StepId};
use std::collections::VecDeque;
use std::sync::Arc;

impl Core {
    pub(super) fn start(program: &Program, input: Artifact, limits: RunLimits) -> Core {
        let function = FunctionId(0);
        let mut frames = Slab::new();
        let frame = frames.insert(new_frame(program, function, None, &input));
        let root = FiberId(0);
        let mut scopes = Slab::new();
        let base = scopes.insert(Scope::new(None, root, 0, ScopeKind::Base));
        let mut fibers = Slab::new();
        let entry = program.function(function).entry;
        let activation = Activation::new(function, frame, true, entry, base);
        let root = fibers.insert(new_fiber(Role::Program, activation, input, State::Ready));
        let data = Data {
            fibers,
            frames,
            scopes,
            groups: Slab::new(),
            root,
            ready: VecDeque::from([root]),
            parked: Vec::new(),
            starved: VecDeque::new(),
            next_request: 1,
            next_timer: 1,
            sequence: 0,
            account: Account { limits, ..Account::default() },
            floor: 0,
            kept: Vec::new(),
            stuck: Vec::new(),
            end: None,
        };
        Core { data, out: VecDeque::new(), pending: Default::default(), timers: Default::default(), foreign: false }
    }

    /// Carries out the instruction that stands next.
    pub(super) fn execute(&mut self, p: &Program, id: FiberId) -> Flow {
        let fiber = &mut self.data.fibers[id];
        let verdict = fiber.verdict;
        let top = fiber.top_mut();
        let Some(instruction) = p.code().get(top.pc as usize) else { return self.break_run("no such instruction") };
        match *instruction {
            Instruction::Call { step } => self.call(p, id, step),
            Instruction::Jump { target } => jump(top, target),
            Instruction::Enter { stage } => self.enter(p, id, stage),
            Instruction::Leave { stage, jump } => self.leave(p, id, stage, jump),
            Instruction::Count { counter } => self.count(p, id, counter),
            Instruction::Map { step, .. } => self.map(p, id, step),
            Instruction::Pick {} => self.pick(p, id),
            Instruction::Ref { register } => self.reference(id, register),
            Instruction::Gather { step, parts } => self.gather(p, id, step, parts),
            Instruction::Wait { stage, element } => self.wait(p, id, stage, element.into()),
            Instruction::Join { stage, branches, take } => self.join(p, id, stage, branches, take),
            Instruction::Hand {} => self.hand(p, id),
            Instruction::Choose { stage, options, counter } => self.choose(p, id, stage, options, counter),
            Instruction::IfWord { word, target } => {
                let target = if verdict == Some(word) { target } else { top.pc + 1 };
                jump(top, target)
            }
            Instruction::IfLast { counter, target } => {
                let count = self.data.frames[top.frame].counters[counter.index()];
                let last = count >= p.function(top.function).counters[counter.index()];
                let target = if last { target } else { top.pc + 1 };
                jump(top, target)
            }
            Instruction::IfKind { kinds, target } => {
                let holds = self.caught(id).is_some_and(|ending| kinds.contains(ending.kind));
                let top = self.data.fibers[id].top_mut();
                let target = if holds { target } else { top.pc + 1 };
                jump(top, target)
            }
            Instruction::Fail { stage } => self.fail(p, id, stage),
            Instruction::Return {} => self.return_value(p, id),
            Instruction::Edge { .. } | Instruction::Branch { .. } | Instruction::Option { .. } => {
                self.break_run("this instruction belongs to the one before it")
            }
        }
    }

    fn enter(&mut self, p: &Program, id: FiberId, stage_id: StageId) -> Flow {
        let stage = p.stage(stage_id);
        let fiber = &mut self.data.fibers[id];
        let level = (fiber.stack.len() - 1) as u32;
        let caught = fiber.caught.take();
        let Fiber { stack, value, .. } = fiber;
        let Some(top) = stack.last_mut() else { return Flow::Stop };
        let frame = &mut self.data.frames[top.frame];
        let (first, count) = (usize::from(stage.counters.0), usize::from(stage.counters.1));
        frame.counters[first..first + count].fill(0);
        if let Some(register) = stage.input {
            frame.registers[register.index()] = Some(value.clone());
        }
        let mut scope = Scope::new(Some(top.scope), id, level, ScopeKind::Stage(stage_id));
        scope.money = stage.money.map(Budget::new);
        scope.tokens = stage.tokens.map(Budget::new);
        scope.caught = caught;
        let scope = self.data.scopes.insert(scope);
        top.scope = scope;
        top.pc += 1;
        if let Some(after_ms) = stage.deadline_ms {
            self.start_timer(scope, after_ms);
        }
        Flow::On
    }

    fn leave(&mut self, p: &Program, id: FiberId, stage_id: StageId, jump: bool) -> Flow {
        let Fiber { stack, value, .. } = &mut self.data.fibers[id];
        let Some(top) = stack.last_mut() else { return Flow::Stop };
        if self.data.scopes[top.scope].kind != ScopeKind::Stage(stage_id) {
            return self.break_run("a stage is left that was not entered last");
        }
        if let (Some(register), false) = (p.stage(stage_id).output, jump) {
            self.data.frames[top.frame].registers[register.index()] = Some(value.clone());
        }
        top.pc += 1;
        self.close_scope(id);
        Flow::On
    }

    /// Takes the innermost scope, which is no base, off the tree; its undoers pass to the one around.
    pub(super) fn close_scope(&mut self, id: FiberId) {
        let top = self.data.fibers[id].top_mut();
        let Some(scope) = self.data.scopes.remove(top.scope) else { return };
        if let Some(parent) = scope.parent {
            top.scope = parent;
            self.pass_on(parent, scope.undoers);
        }
        self.stop_timer(scope.timer);
    }

    /// Adds undoers to a scope's, in order of completion.
    pub(super) fn pass_on(&mut self, scope: ScopeId, undoers: Vec<Undoer>) {
        let Some(first) = undoers.first() else { return };
        let all = &mut self.data.scopes[scope].undoers;
        let in_order = all.last().is_none_or(|last| last.sequence < first.sequence);
        all.extend(undoers);
        if !in_order {
            all.sort_by_key(|undoer| undoer.sequence);
        }
    }

    fn count(&mut self, p: &Program, id: FiberId, counter: CounterId) -> Flow {
        let top = self.data.fibers[id].top_mut();
        let most = p.function(top.function).counters[counter.index()];
        let count = &mut self.data.frames[top.frame].counters[counter.index()];
        if *count < most {
            *count += 1;
            top.pc += 1;
            return Flow::On;
        }
        let place = self.place(p, id);
        self.end_stage(id, Fault::CountSpent(most), place)
    }

    fn reference(&mut self, id: FiberId, register: RegisterId) -> Flow {
        let Fiber { stack, gathered, .. } = &mut self.data.fibers[id];
        let Some(top) = stack.last_mut() else { return Flow::Stop };
        if let Some(value) = &self.data.frames[top.frame].registers[register.index()] {
            gathered.push((register, value.clone()));
        }
        top.pc += 1;
        Flow::On
    }

    fn gather(&mut self, p: &Program, id: FiberId, step: StepId, parts: bool) -> Flow {
        let fiber = &mut self.data.fibers[id];
        if fiber.broken.is_some() {
            fiber.gathered.clear();
        } else if fiber.gathered.is_empty() {
            let error = self.nothing_gathered(p, id, step);
            self.data.fibers[id].broken = Some(Box::new(error));
        } else if parts {
            return self.make(id, Making::Gather);
        } else if let Some((_, value)) = fiber.gathered.drain(..).next() {
            fiber.value = value;
            fiber.verdict = None;
        }
        self.data.fibers[id].top_mut().pc += 1;
        Flow::On
    }

    fn nothing_gathered(&self, p: &Program, id: FiberId, step: StepId) -> crate::action::CallError {
        let top = self.data.fibers[id].top();
        let before = p.code()[..top.pc as usize].iter().rev();
        let mut names: Vec<&str> = before
            .map_while(|instruction| match instruction {
                Instruction::Ref { register } => Some(p.register_name(top.function, *register)),
                _ => None,
            })
            .collect();
        names.reverse();
        Fault::NothingGathered(names.join(", ")).at(p.step_path(step))
    }

    /// The ending that the innermost match was given to catch.
    pub(super) fn caught(&self, id: FiberId) -> Option<&Ending> {
        let fiber = &self.data.fibers[id];
        fiber.caught.as_ref().or(self.data.scopes[fiber.top().scope].caught.as_ref())
    }

    fn fail(&mut self, p: &Program, id: FiberId, stage: StageId) -> Flow {
        if let Some(ending) = self.caught(id).cloned() {
            return self.begin_unwind(id, ending);
        }
        let words: Vec<String> = p.stage(stage).names.iter().map(|word| format!("`{}`", p.word(*word))).collect();
        let came = match self.data.fibers[id].verdict {
            Some(word) => format!("and the verdict is `{}`", p.word(word)),
            None => "and there is no verdict".to_owned(),
        };
        self.end_stage(id, Fault::NoArm { known: words.join(", "), came }, p.stage_key(stage).to_string())
    }

    /// Ends the innermost stage by a failure of the machine's own.
    pub(super) fn end_stage(&mut self, id: FiberId, fault: Fault, place: String) -> Flow {
        let ending = Ending::new(fault.kind(), fault.at(place));
        self.begin_unwind(id, ending)
    }

    /// The key of the innermost stage, for errors that no step has.
    pub(super) fn place(&self, p: &Program, id: FiberId) -> String {
        let mut scope = Some(self.data.fibers[id].top().scope);
        while let Some(at) = scope {
            let at = &self.data.scopes[at];
            if let ScopeKind::Stage(stage) = at.kind {
                return p.stage_key(stage).to_string();
            }
            scope = at.parent;
        }
        String::new()
    }

    fn return_value(&mut self, p: &Program, id: FiberId) -> Flow {
        let fiber = &mut self.data.fibers[id];
        let top = fiber.top();
        if top.scope != top.base {
            return self.break_run("a function returns from inside a stage");
        }
        if fiber.stack.len() > 1 {
            return self.return_to_caller(p, id);
        }
        if fiber.role != Role::Program {
            return self.break_run("a branch returns");
        }
        // What is sent is not taken back, unless somebody asks for it.
        let base = top.base;
        self.data.end = Some(Ok((fiber.value.clone(), fiber.verdict)));
        self.keep_undoers(base);
        Flow::Stop
    }

    /// Calls a function: its input is `value`, its steps' keys begin with `caller`.
    pub(super) fn push_function(
        &mut self,
        p: &Program,
        id: FiberId,
        function: FunctionId,
        value: Artifact,
        caller: String,
        undo: bool,
    ) -> ScopeId {
        let frame = self.data.frames.insert(new_frame(p, function, Some(caller.into()), &value));
        let fiber = &mut self.data.fibers[id];
        let level = fiber.stack.len() as u32;
        // What takes something back stands outside the limits of what it takes back.
        let (parent, kind) = if undo { (None, ScopeKind::Undo) } else { (Some(fiber.top().scope), ScopeKind::Base) };
        let base = self.data.scopes.insert(Scope::new(parent, id, level, kind));
        let mut activation = Activation::new(function, frame, true, p.function(function).entry, base);
        activation.undo = undo;
        fiber.stack.push(activation);
        fiber.value = value;
        fiber.verdict = None;
        fiber.caught = None;
        fiber.gathered.clear();
        base
    }

    /// Puts a fiber aside until a limit of the run is raised.
    pub(super) fn park(&mut self, id: FiberId, limit: Limit) -> Flow {
        self.data.fibers[id].state = State::Parked;
        self.data.parked.push((id, limit));
        Flow::Stop
    }

    /// Is the innermost stage of this scope a select with something to end with?
    pub(super) fn selects(&self, p: &Program, scope: ScopeId) -> bool {
        let scope = &self.data.scopes[scope];
        matches!(scope.kind, ScopeKind::Stage(stage) if p.stage(stage).kind == StageKind::Select && scope.finish.is_some())
    }
}

fn jump(top: &mut Activation, target: u32) -> Flow {
    top.pc = target;
    Flow::On
}

pub(super) fn new_frame(p: &Program, function: FunctionId, caller: Option<Arc<str>>, input: &Artifact) -> Frame {
    let row = p.function(function);
    let mut registers = vec![None; row.registers.into()];
    if let Some(register) = registers.get_mut(INPUT.index()) {
        *register = Some(input.clone());
    }
    Frame {
        function,
        caller,
        registers,
        counters: vec![0; row.counters.len()],
        visits: vec![0; row.steps.1.into()],
        choices: vec![0; row.stages.1.into()],
    }
}

pub(super) fn new_fiber(role: Role, activation: Activation, value: Artifact, state: State) -> Fiber {
    Fiber {
        role,
        stack: vec![activation],
        value,
        verdict: None,
        gathered: Vec::new(),
        broken: None,
        caught: None,
        state,
    }
}
