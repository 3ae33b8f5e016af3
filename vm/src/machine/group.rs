//! What runs concurrently: the branches of a join, the items of a fan-out, and siblings that wait for each other.

use super::call::Came;
use super::call::Spoken;
use super::exec::new_fiber;
use super::{Core, Flow, Out};
use crate::action::*;
use crate::error::Fault;
use crate::program::Program;
use crate::slab::{FiberId, GroupId};
use crate::state::*;
use aivm_schema::artifact::Artifact;
use aivm_schema::isa::Instruction;
use aivm_schema::limits;
use aivm_schema::module::{EndKind, StageId, StepId};
use std::collections::VecDeque;

impl Core {
    /// The `join` instruction: starts its branches.
    pub(super) fn join(&mut self, p: &Program, id: FiberId, stage: StageId, branches: u16, take: u16) -> Flow {
        let first = self.data.fibers[id].top().pc + 1;
        let after = first + u32::from(branches);
        let kind = GroupKind::Join { stage, take: needed(branches, take), after };
        let group = self.new_group(id, kind, branches.into());
        for (part, at) in (first..after).enumerate() {
            let Some(Instruction::Branch { target, .. }) = p.code().get(at as usize) else {
                return self.break_run("a join lacks a branch");
            };
            let child = self.new_child(id, group, part as u32, *target, State::Ready);
            self.data.ready.push_back(child);
        }
        self.data.fibers[id].state = State::Group;
        Flow::Stop
    }

    /// The `map` instruction: asks how many parts there are.
    pub(super) fn map(&mut self, p: &Program, id: FiberId, step: StepId) -> Flow {
        self.begin_visit(p, id, step);
        if let Some(error) = self.data.fibers[id].broken.clone() {
            return self.call_not_made(p, id, Ending { kind: EndKind::Failure, error: Some(error) });
        }
        self.keep_input(p, id, step);
        self.make(id, Making::Count)
    }

    /// The parts of a fan-out were counted.
    pub(super) fn counted(&mut self, p: &Program, id: FiberId, total: u32) {
        self.data.fibers[id].state = State::Ready;
        let top = self.data.fibers[id].top();
        let instruction = p.code().get(top.pc as usize).copied();
        if let (Some(Instruction::Map { step, item }), Some(visit), None) = (instruction, &top.visit, &top.unwind) {
            if total > limits::ITEMS {
                let error = Fault::TooManyParts(total).at(self.visit_key(p, id));
                self.map_ended(p, id, Err(Ending::new(EndKind::Failure, error)));
            } else if total == 0 {
                self.make(id, Making::Parts);
            } else {
                let (number, whole) = (visit.number, self.data.fibers[id].value.clone());
                let group = self.new_group(id, GroupKind::Map { step, number, whole, total, item }, 0);
                self.data.fibers[id].state = State::Group;
                self.start_items(group);
            }
        }
        self.requeue(id);
    }

    /// Starts as many items of a fan-out as may run at once.
    fn start_items(&mut self, id: GroupId) {
        loop {
            let Some(group) = self.data.groups.get(id) else { return };
            let GroupKind::Map { ref whole, total, item, .. } = group.kind else { return };
            let (next, living, value) = (group.parts.len() as u32, group.living.len(), whole.clone());
            let ending = self.data.fibers[group.parent].top().unwind.is_some();
            if group.closing || ending || next >= total || living >= limits::IN_FLIGHT {
                return;
            }
            // One at least goes on even when fibers are short, or fan-outs inside fan-outs could wait for each other.
            if living > 0 && self.data.fibers.len() >= limits::FIBERS {
                self.data.starved.push_back(id);
                return;
            }
            let parent = group.parent;
            self.data.groups[id].parts.push(Part::Running);
            let child = self.new_child(parent, id, next, item, State::Ready);
            let fiber = &mut self.data.fibers[child];
            (fiber.value, fiber.verdict) = (value, None);
            self.make(child, Making::Item);
        }
    }

    fn new_group(&mut self, parent: FiberId, kind: GroupKind, parts: usize) -> GroupId {
        let fiber = &self.data.fibers[parent];
        let group = self.data.groups.insert(Group {
            parent,
            level: (fiber.stack.len() - 1) as u32,
            kind,
            scope: fiber.top().scope,
            parts: (0..parts).map(|_| Part::Running).collect(),
            living: Vec::with_capacity(parts),
            handed: 0,
            winner: None,
            lost: None,
            closing: false,
            waiting: Vec::new(),
        });
        self.data.fibers[parent].top_mut().group = Some(group);
        group
    }

    /// A fiber that shares its parent's frame, in a scope of its own inside the parent's.
    fn new_child(&mut self, parent: FiberId, group: GroupId, part: u32, pc: u32, state: State) -> FiberId {
        let fiber = &self.data.fibers[parent];
        let (value, verdict) = (fiber.value.clone(), fiber.verdict);
        let (function, frame) = (fiber.top().function, fiber.top().frame);
        let Group { scope, living, .. } = &mut self.data.groups[group];
        let (scope, seat) = (*scope, living.len() as u32);
        // The scope's fiber is known once the fiber is.
        let base = self.data.scopes.insert(Scope::new(Some(scope), parent, 0, ScopeKind::Base));
        let activation = Activation::new(function, frame, false, pc, base);
        let mut child = new_fiber(Role::Child { group, part, seat }, activation, value, state);
        child.verdict = verdict;
        let child = self.data.fibers.insert(child);
        self.data.scopes[base].fiber = child;
        self.data.groups[group].living.push(child);
        child
    }

    /// The `hand` instruction: the branch or item has its part.
    pub(super) fn hand(&mut self, p: &Program, id: FiberId) -> Flow {
        let fiber = &self.data.fibers[id];
        let top = fiber.top();
        let Role::Child { group, .. } = fiber.role else { return self.break_run("the program hands in") };
        if fiber.stack.len() > 1 || top.scope != top.base {
            return self.break_run("a branch hands in from inside a stage");
        }
        let part = Part::Handed(fiber.value.clone(), fiber.verdict);
        if let Some(base) = self.data.scopes.remove(top.base) {
            self.pass_on(self.data.groups[group].scope, base.undoers);
        }
        self.end_child(p, id, part, None);
        Flow::Stop
    }

    /// A branch or item has handed in or is lost. Its scopes are gone already.
    pub(super) fn end_child(&mut self, p: &Program, id: FiberId, part: Part, ending: Option<Ending>) {
        let Some(fiber) = self.data.fibers.remove(id) else { return };
        let Role::Child { group: group_id, part: element, seat } = fiber.role else { return };
        let group = &mut self.data.groups[group_id];
        group.living.swap_remove(seat as usize);
        if let Some(moved) = group.living.get(seat as usize)
            && let Role::Child { seat: its, .. } = &mut self.data.fibers[*moved].role
        {
            *its = seat;
        }
        match &part {
            Part::Handed(..) => {
                group.handed += 1;
                group.winner.get_or_insert(element);
            }
            _ if !group.closing => group.lost = group.lost.take().or(ending),
            _ => {}
        }
        group.parts[element as usize] = part;
        let enough = match group.kind {
            GroupKind::Join { take, .. } => group.handed >= take || (group.handed + group.living.len() as u32) < take,
            GroupKind::Map { .. } => group.lost.is_some(),
        };
        let parent = group.parent;
        // Who is cancelled does not hear of it any more.
        if enough {
            self.close_group(group_id);
        }
        self.tell_siblings(p, group_id, element);
        self.start_items(group_id);
        if self.data.groups[group_id].living.is_empty() {
            self.wake(parent);
        }
        while self.data.fibers.len() < limits::FIBERS
            && let Some(starved) = self.data.starved.pop_front()
        {
            self.start_items(starved);
        }
    }

    /// Cancels the children that are left, and at once all that is concurrent inside them: none may go on before it hears of
    /// it. Each ends when its own undo is done.
    pub(super) fn close_group(&mut self, id: GroupId) {
        let mut open = VecDeque::from([id]);
        while let Some(id) = open.pop_front() {
            let group = &mut self.data.groups[id];
            if std::mem::replace(&mut group.closing, true) {
                continue;
            }
            let mut living = group.living.clone();
            living.sort_by_key(|child| match self.data.fibers[*child].role {
                Role::Child { part, .. } => part,
                Role::Program => 0,
            });
            for child in living {
                if let Some(base) = self.data.fibers[child].stack.first().map(|first| first.base) {
                    open.extend(self.cancel_fiber(child, base, Ending::cancelled()));
                }
            }
        }
    }

    /// All children of the innermost join or fan-out have ended: goes on with what they handed in.
    pub(super) fn finish_group(&mut self, p: &Program, id: FiberId) -> Flow {
        let Some(group_id) = self.data.fibers[id].top().group else { return Flow::On };
        let group = &mut self.data.groups[group_id];
        let join = match group.kind {
            GroupKind::Join { take, .. } => Some(take),
            GroupKind::Map { .. } => None,
        };
        let lost = match join {
            Some(take) => group.handed < take,
            None => group.lost.is_some(),
        };
        if lost {
            let ending = group.lost.take().unwrap_or_else(Ending::cancelled);
            self.drop_group(id);
            return match join {
                Some(_) => self.begin_unwind(id, ending),
                None => self.map_ended(p, id, Err(ending)),
            };
        }
        if !matches!(p.code().get(self.data.fibers[id].top().pc as usize), Some(Instruction::Join { take: 1, .. })) {
            return self.make(id, Making::Parts);
        }
        let group = &mut self.data.groups[group_id];
        let winner = group.winner.and_then(|winner| group.parts.get_mut(winner as usize));
        let Some(Part::Handed(value, verdict)) = winner.map(|part| std::mem::replace(part, Part::Lost)) else {
            return self.break_run("a join has no winner");
        };
        self.go_behind_join(id, value, verdict)
    }

    fn go_behind_join(&mut self, id: FiberId, value: Artifact, verdict: Option<aivm_schema::module::WordId>) -> Flow {
        let fiber = &mut self.data.fibers[id];
        (fiber.value, fiber.verdict) = (value, verdict);
        let group = fiber.top().group;
        if let Some(GroupKind::Join { after, .. }) = group.map(|group| &self.data.groups[group].kind) {
            fiber.top_mut().pc = *after;
        }
        self.drop_group(id);
        Flow::On
    }

    /// Frees the innermost group, whose children have all ended.
    pub(super) fn drop_group(&mut self, id: FiberId) {
        if let Some(group) = self.data.fibers[id].top_mut().group.take() {
            self.data.groups.remove(group);
        }
    }

    /// A fan-out has ended; its step goes on.
    fn map_ended(&mut self, p: &Program, id: FiberId, result: Result<Artifact, Ending>) -> Flow {
        let key = self.visit_key(p, id);
        let Some(visit) = &self.data.fibers[id].top().visit else { return self.break_run("a fan-out without a step") };
        let (step, attempt) = (visit.step, visit.attempt);
        let (output, kind, error) = match &result {
            Ok(output) => (Some(output.clone()), None, None),
            Err(ending) => (None, Some(ending.kind), ending.error()),
        };
        let came = match result {
            Ok(output) => Came::Done { output, verdict: Spoken::Nothing },
            Err(ending) => Came::Failed(ending),
        };
        let place = self.out.len();
        let decision = self.settle(p, id, came);
        self.out.insert(
            place,
            Out::Trace(Box::new(Action::Mapped(MapEnd { key, step, attempt, output, kind, error, decision }))),
        );
        self.flow(id)
    }

    /// An artifact that a fiber waited for was made.
    pub(super) fn made(&mut self, p: &Program, id: FiberId, artifact: Artifact) {
        let fiber = &mut self.data.fibers[id];
        let State::Making { what, .. } = std::mem::replace(&mut fiber.state, State::Ready) else { return };
        if fiber.top().unwind.is_none() {
            match what {
                Making::Gather => {
                    fiber.gathered.clear();
                    (fiber.value, fiber.verdict) = (artifact, None);
                    fiber.top_mut().pc += 1;
                }
                Making::Item | Making::WithError(_) => fiber.value = artifact,
                Making::Count => {}
                Making::Parts if matches!(p.code().get(fiber.top().pc as usize), Some(Instruction::Join { .. })) => {
                    self.go_behind_join(id, artifact, None);
                }
                Making::Parts => {
                    self.drop_group(id);
                    self.map_ended(p, id, Ok(artifact));
                }
            }
        }
        self.requeue(id);
    }

    /// What a fiber waited for cannot be made: what needed it fails.
    pub(super) fn unmakeable(&mut self, p: &Program, id: FiberId, mut error: CallError) {
        let fiber = &mut self.data.fibers[id];
        let State::Making { what, .. } = std::mem::replace(&mut fiber.state, State::Ready) else { return };
        if fiber.top().unwind.is_none() {
            if error.step.is_empty() {
                let key = self.visit_key(p, id).to_string();
                error.step = if key.is_empty() { self.place(p, id) } else { key };
            }
            let fiber = &mut self.data.fibers[id];
            let ending = Ending::new(EndKind::Failure, error);
            match what {
                Making::Gather => {
                    fiber.gathered.clear();
                    fiber.broken = ending.error;
                    fiber.top_mut().pc += 1;
                }
                // The value goes on without the attribute rather than not at all.
                Making::WithError(_) => {}
                Making::Item => {
                    self.begin_unwind(id, ending);
                }
                Making::Parts if matches!(p.code().get(fiber.top().pc as usize), Some(Instruction::Join { .. })) => {
                    self.drop_group(id);
                    self.begin_unwind(id, ending);
                }
                Making::Count | Making::Parts => {
                    self.drop_group(id);
                    self.map_ended(p, id, Err(ending));
                }
            }
        }
        self.requeue(id);
    }

    /// Puts a fiber that an answer made ready into the queue.
    fn requeue(&mut self, id: FiberId) {
        if self.data.fibers.get(id).is_some_and(|fiber| fiber.state == State::Ready) {
            self.data.ready.push_back(id);
        }
    }

    /// The `wait` instruction.
    pub(super) fn wait(&mut self, p: &Program, id: FiberId, stage: StageId, element: u32) -> Flow {
        let Some(group_id) = self.join_around(id, stage) else { return self.break_run("a wait outside its join") };
        let group = &mut self.data.groups[group_id];
        match group.parts.get(element as usize) {
            Some(Part::Running) => {
                group.waiting.push(id);
                self.data.fibers[id].state = State::Waiting { group: group_id, element };
                return Flow::Stop;
            }
            Some(Part::Handed(..)) => {}
            _ => self.sibling_lost(p, id, group_id, element),
        }
        self.data.fibers[id].top_mut().pc += 1;
        Flow::On
    }

    /// The running join of this stage that a fiber is a part of.
    fn join_around(&self, id: FiberId, stage: StageId) -> Option<GroupId> {
        let mut at = id;
        loop {
            let Role::Child { group, .. } = self.data.fibers[at].role else { return None };
            let GroupKind::Join { stage: its, .. } = self.data.groups[group].kind else { return None };
            if its == stage {
                return Some(group);
            }
            at = self.data.groups[group].parent;
        }
    }

    fn sibling_lost(&mut self, p: &Program, id: FiberId, group: GroupId, element: u32) {
        let GroupKind::Join { stage, .. } = self.data.groups[group].kind else { return };
        let name = p.stage(stage).names.get(element as usize).map(|word| p.word(*word).to_string());
        let fault = Fault::SiblingLost(name.unwrap_or_else(|| (element + 1).to_string()));
        self.data.fibers[id].broken.get_or_insert_with(|| Box::new(fault.at("")));
    }

    /// Wakes those that waited for an element that has ended.
    fn tell_siblings(&mut self, p: &Program, group_id: GroupId, element: u32) {
        let group = &mut self.data.groups[group_id];
        if group.waiting.is_empty() {
            return;
        }
        let handed = matches!(group.parts.get(element as usize), Some(Part::Handed(..)));
        let awaited = State::Waiting { group: group_id, element };
        let (told, still): (Vec<FiberId>, _) =
            std::mem::take(&mut group.waiting).into_iter().partition(|id| self.data.fibers[*id].state == awaited);
        group.waiting = still;
        for id in told {
            if !handed {
                self.sibling_lost(p, id, group_id, element);
            }
            self.data.fibers[id].top_mut().pc += 1;
            self.wake(id);
        }
    }

    /// Takes a fiber out of its wait; with a fault, its next call fails.
    pub(super) fn stop_waiting(&mut self, id: FiberId, fault: Option<Fault>) {
        let fiber = &mut self.data.fibers[id];
        let State::Waiting { group, .. } = fiber.state else { return };
        if let Some(fault) = fault {
            fiber.broken.get_or_insert_with(|| Box::new(fault.at("")));
            fiber.top_mut().pc += 1;
        }
        if let Some(group) = self.data.groups.get_mut(group) {
            group.waiting.retain(|waiting| *waiting != id);
        }
        self.wake(id);
    }
}
