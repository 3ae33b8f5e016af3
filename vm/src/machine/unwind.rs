//! Endings on their way outwards: what is concurrent below is stopped, what was done is undone, until something catches.

use super::{Core, Flow, Out};
use crate::action::*;
use crate::error::Fault;
use crate::key::StepKey;
use crate::program::Program;
use crate::slab::{FiberId, GroupId, ScopeId};
use crate::state::*;
use aivm_schema::limits::UNDO_ATTEMPTS;
use aivm_schema::module::{EndKind, FunctionId, Handler, StageId, StepTarget};

impl Core {
    /// The innermost stage of a fiber ends, by itself.
    pub(super) fn begin_unwind(&mut self, id: FiberId, ending: Ending) -> Flow {
        let top = self.data.fibers[id].top_mut();
        top.unwind = Some(Box::new(Unwind { ending, until: None, undoing: None }));
        Flow::On
    }

    /// Cancels a fiber from outside, up to and with `scope`. Inside it nothing catches; what is being undone goes on being undone.
    pub(super) fn cancel_to(&mut self, id: FiberId, scope: ScopeId, ending: Ending) {
        if let Some(group) = self.cancel_fiber(id, scope, ending) {
            self.close_group(group);
        }
    }

    /// As `cancel_to`, but for what is concurrent inside it: the group that is to be closed with it.
    pub(super) fn cancel_fiber(&mut self, id: FiberId, scope: ScopeId, ending: Ending) -> Option<GroupId> {
        let level = self.data.scopes[scope].level as usize;
        let fiber = &self.data.fibers[id];
        let undo = fiber.stack.iter().skip(level + 1).position(|activation| activation.undo);
        let at = undo.map_or(fiber.stack.len() - 1, |undo| level + undo);
        let until = fiber.stack[at].unwind.as_ref().map(|unwind| unwind.until);
        match until {
            Some(Some(until)) if !self.encloses(scope, until) => return None,
            Some(_) => {
                if let Some(unwind) = &mut self.data.fibers[id].stack[at].unwind {
                    unwind.until = Some(scope);
                    unwind.ending = ending;
                }
                return None;
            }
            None => {
                let unwind = Unwind { ending, until: Some(scope), undoing: None };
                self.data.fibers[id].stack[at].unwind = Some(Box::new(unwind));
            }
        }
        match self.data.fibers[id].state {
            State::Ready | State::Making { .. } => {}
            State::Calling { request, .. } => self.out.push_back(Out::Cancel(request)),
            State::Group => {
                self.wake(id);
                return self.data.fibers[id].top().group;
            }
            State::Waiting { .. } => self.stop_waiting(id, None),
            State::Parked => {
                self.data.parked.retain(|(parked, _)| *parked != id);
                self.wake(id);
            }
        }
        None
    }

    /// Is `outer` strictly around `inner`?
    fn encloses(&self, outer: ScopeId, inner: ScopeId) -> bool {
        let mut at = self.data.scopes[inner].parent;
        while let Some(scope) = at {
            if scope == outer {
                return true;
            }
            at = self.data.scopes[scope].parent;
        }
        false
    }

    /// The time of a stage's entry, or of a definition's call, has passed.
    pub(super) fn expire(&mut self, p: &Program, timer: TimerId) {
        let Some(scope) = self.timers.remove(&timer) else { return };
        let deadline = self.deadline(p, scope).unwrap_or_default();
        let fiber = self.data.scopes[scope].fiber;
        self.data.scopes[scope].timer = None;
        let level = self.data.scopes[scope].level as usize;
        let place = match self.data.scopes[scope].kind {
            ScopeKind::Stage(stage) => p.stage_key(stage).to_string(),
            _ => {
                let frame = self.data.fibers[fiber].stack.get(level).map(|activation| activation.frame);
                frame
                    .and_then(|frame| self.data.frames[frame].caller.clone())
                    .map_or(String::new(), |key| key.to_string())
            }
        };
        let ending = Ending::new(EndKind::Timeout, Fault::Deadline(deadline).at(place));
        self.cancel_to(fiber, scope, ending);
    }

    /// One move of an ending outwards.
    pub(super) fn unwind(&mut self, p: &Program, id: FiberId) -> Flow {
        if let Some(group) = self.data.fibers[id].top().group {
            if !self.data.groups[group].living.is_empty() {
                self.data.fibers[id].state = State::Group;
                self.close_group(group);
                return Flow::Stop;
            }
            self.drop_group(id);
        }
        let fiber = &mut self.data.fibers[id];
        fiber.gathered.clear();
        fiber.broken = None;
        let Fiber { stack, .. } = fiber;
        let Some(top) = stack.last_mut() else { return Flow::Stop };
        top.visit = None;
        top.ask_again = 0;
        if matches!(self.data.scopes[top.scope].kind, ScopeKind::Visit(_)) {
            // What a step did belongs to its stage, whatever budget it had.
            self.close_scope(id);
            return Flow::On;
        }
        let Some(unwind) = &mut top.unwind else { return Flow::On };
        let scope = &mut self.data.scopes[top.scope];
        if unwind.undoing.is_none() {
            let floor = self.data.floor;
            let next = scope.undoers.pop_if(|undoer| undoer.sequence > floor);
            unwind.undoing = next.map(|undoer| Undoing { undoer, attempt: 1 });
            if unwind.undoing.is_none() {
                self.data.kept.append(&mut scope.undoers);
            }
        }
        let undoing = unwind.undoing.is_some();
        let timer = scope.timer.take();
        self.stop_timer(timer);
        if undoing { self.undo(p, id) } else { self.close_unwound(p, id) }
    }

    /// Calls the undoer that is at work.
    fn undo(&mut self, p: &Program, id: FiberId) -> Flow {
        let top = self.data.fibers[id].top_mut();
        let Some(undoing) = top.unwind.as_mut().and_then(|unwind| unwind.undoing.as_ref()) else { return Flow::On };
        match p.step(undoing.undoer.step).undo {
            Some(StepTarget::Worker(_)) => {
                self.data.account.calls += 1;
                self.ask(id, Asked::Undo, Allowance::default())
            }
            Some(StepTarget::Function(function)) => {
                let (key, value) = (undoing.undoer.key.to_undo().to_string(), undoing.undoer.output.clone());
                self.push_function(p, id, function, value, key, true);
                Flow::On
            }
            None => self.break_run("a step without an undoer is undone"),
        }
    }

    /// An undoer did its work, or did not: then it is tried again, or noted and left.
    pub(super) fn undone(&mut self, id: FiberId, done: bool) -> Decision {
        let top = self.data.fibers[id].top_mut();
        if let Some(unwind) = &mut top.unwind
            && let Some(mut undoing) = unwind.undoing.take()
            && !done
        {
            undoing.attempt += 1;
            if undoing.attempt <= UNDO_ATTEMPTS {
                unwind.undoing = Some(undoing);
            } else {
                self.data.stuck.push(undoing.undoer);
            }
        }
        let taken = if done { Taken::Undone } else { Taken::NotUndone };
        Decision::of(taken)
    }

    /// What is left in a scope of a run that has ended.
    pub(super) fn keep_undoers(&mut self, base: ScopeId) {
        if let Some(scope) = self.data.scopes.get_mut(base) {
            self.data.kept.append(&mut scope.undoers);
        }
    }

    /// Everything that could be taken back.
    pub(super) fn undoers(&self) -> impl Iterator<Item = &Undoer> {
        let data = &self.data;
        let scopes = data.scopes.iter().flat_map(|(_, scope)| &scope.undoers);
        let stacks = data.fibers.iter().flat_map(|(_, fiber)| &fiber.stack);
        let at_work = stacks.filter_map(|activation| Some(&activation.unwind.as_ref()?.undoing.as_ref()?.undoer));
        scopes.chain(at_work).chain(&data.kept).chain(&data.stuck)
    }

    pub(super) fn undoable(&self) -> Vec<StepKey> {
        let mut undoers: Vec<&Undoer> = self.undoers().collect();
        undoers.sort_by_key(|undoer| std::cmp::Reverse(undoer.sequence));
        undoers.into_iter().map(|undoer| undoer.key.clone()).collect()
    }

    /// A run that has ended takes back what it kept.
    pub(super) fn reopen(&mut self, done: &[String]) {
        let mut undoers = std::mem::take(&mut self.data.kept);
        undoers.append(&mut self.data.stuck);
        undoers.retain(|undoer| !done.contains(&undoer.key.to_undo().to_string()));
        undoers.sort_by_key(|undoer| undoer.sequence);
        if undoers.last().is_none_or(|last| last.sequence <= self.data.floor) {
            self.data.kept = undoers;
            return;
        }
        let root = self.data.root;
        let Some(fiber) = self.data.fibers.get_mut(root) else { return };
        let Some(program) = fiber.stack.first_mut() else { return };
        let Some(scope) = self.data.scopes.get_mut(program.base) else { return };
        scope.undoers = undoers;
        let ending = match self.data.end.take() {
            Some(Err(ending)) => ending,
            _ => Ending::cancelled(),
        };
        program.scope = program.base;
        program.unwind = Some(Box::new(Unwind { ending, until: Some(program.base), undoing: None }));
        fiber.stack.truncate(1);
        fiber.state = State::Ready;
        self.data.ready.clear();
        self.data.ready.push_back(root);
    }

    /// A function that undoes something has ended.
    pub(super) fn undo_ended(&mut self, id: FiberId, function: FunctionId, result: Fate) -> Flow {
        let top = self.data.fibers[id].top();
        let Some(undoing) = top.unwind.as_ref().and_then(|unwind| unwind.undoing.as_ref()) else {
            return self.break_run("nothing is being undone");
        };
        let (step, key, attempt) = (undoing.undoer.step, undoing.undoer.key.to_undo(), undoing.attempt);
        let decision = self.undone(id, result.is_ok());
        let (output, verdict, kind, error) = match result {
            Ok((output, verdict)) => (Some(output), verdict, None, None),
            Err(ending) => (None, None, Some(ending.kind), ending.error()),
        };
        self.note(Action::Ended(CallEnd { key, step, function, attempt, output, verdict, kind, error, decision }));
        Flow::On
    }

    /// Everything in the innermost scope is undone: takes it off the tree and sees who is next.
    fn close_unwound(&mut self, p: &Program, id: FiberId) -> Flow {
        let top = self.data.fibers[id].top_mut();
        let scope_id = top.scope;
        let Some(unwind) = &mut top.unwind else { return Flow::On };
        let reached = unwind.until.is_none_or(|until| until == scope_id);
        if reached {
            unwind.until = None;
        }
        if scope_id == top.base {
            return self.leave_activation(p, id, reached);
        }
        let Some(scope) = self.data.scopes.remove(scope_id) else { return Flow::On };
        let top = self.data.fibers[id].top_mut();
        if let Some(parent) = scope.parent {
            top.scope = parent;
        }
        match scope.kind {
            ScopeKind::Stage(stage) if reached => self.handle(p, id, stage),
            _ => Flow::On,
        }
    }

    /// The match below a stage catches its ending, if it can; else the ending goes on outwards.
    fn handle(&mut self, p: &Program, id: FiberId, stage: StageId) -> Flow {
        let stage = p.stage(stage);
        let Fiber { stack, value, verdict, caught, .. } = &mut self.data.fibers[id];
        let Some(top) = stack.last_mut() else { return Flow::Stop };
        let frame = &mut self.data.frames[top.frame];
        let limits = &p.function(top.function).counters;
        let Some(Handler { kinds, counter, target }) = stage.handler else { return Flow::On };
        let kind = top.unwind.as_ref().map(|unwind| unwind.ending.kind);
        let open = counter.is_none_or(|counter| frame.counters[counter.index()] < limits[counter.index()]);
        if !open || !kind.is_some_and(|kind| kinds.contains(kind)) {
            return Flow::On;
        }
        let Some(unwind) = top.unwind.take() else { return Flow::On };
        if let Some(counter) = counter {
            frame.counters[counter.index()] += 1;
        }
        if let Some(input) = stage.input.and_then(|register| frame.registers[register.index()].as_ref()) {
            *value = input.clone();
        }
        *verdict = None;
        top.pc = target;
        let error = unwind.ending.error.clone();
        *caught = Some(unwind.ending);
        match error {
            Some(error) => self.make(id, Making::WithError(error)),
            None => Flow::On,
        }
    }

    /// An ending leaves a function, a branch, or the program.
    fn leave_activation(&mut self, p: &Program, id: FiberId, reached: bool) -> Flow {
        let fiber = &mut self.data.fibers[id];
        if fiber.stack.len() == 1 {
            return self.leave_fiber(p, id);
        }
        let Some(mut activation) = fiber.stack.pop() else { return Flow::Stop };
        let Some(unwind) = activation.unwind.take() else { return Flow::On };
        self.drop_activation(&activation);
        if activation.undo {
            return self.undo_ended(id, activation.function, Err(unwind.ending));
        }
        if reached {
            return self.function_ended(p, id, activation.function, Err(unwind.ending));
        }
        // The call was cancelled together with what is around it.
        let key = self.visit_key(p, id);
        let top = self.data.fibers[id].top_mut();
        top.unwind = Some(unwind);
        let visited = top.visit.as_ref().map(|visit| (visit.step, visit.attempt));
        if let Some((step, attempt)) = visited {
            let (function, kind) = (activation.function, Some(EndKind::Cancel));
            let decision = Decision::dropped();
            self.note(Action::Ended(CallEnd {
                key,
                step,
                function,
                attempt,
                output: None,
                verdict: None,
                kind,
                error: None,
                decision,
            }));
        }
        Flow::On
    }

    fn leave_fiber(&mut self, p: &Program, id: FiberId) -> Flow {
        let fiber = &mut self.data.fibers[id];
        let Some(unwind) = fiber.top_mut().unwind.take() else { return Flow::On };
        match fiber.role {
            Role::Program => self.data.end = Some(Err(unwind.ending)),
            Role::Child { .. } => {
                let base = fiber.top().base;
                self.data.scopes.remove(base);
                self.end_child(p, id, Part::Lost, Some(unwind.ending));
            }
        }
        Flow::Stop
    }
}
