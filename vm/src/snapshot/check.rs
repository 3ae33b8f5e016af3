//! What must hold of a state before it may run: every number means something, and everything that the machine takes for
//! granted is so. A forged snapshot is refused here; one that passes may do odd things, but within its program and without a panic.

use super::fibers;
use crate::program::Program;
use crate::slab::{FiberId, FrameId, GroupId, ScopeId};
use crate::state::*;
use aivm_schema::isa::Instruction;
use aivm_schema::limits;
use aivm_schema::module::{FunctionId, StageId, StepId, StepTarget, WordId};
use rustc_hash::FxHashSet;

/// Why not.
type Checked = Result<(), &'static str>;

/// Counts that only grow stay far from where they would overflow.
const MOST: u64 = 1 << 62;

struct Check<'a, V> {
    p: &'a Program,
    data: &'a Data<V>,
}

/// Refuses what no run of this program can come to.
pub(super) fn check<V>(p: &Program, data: &Data<V>) -> Checked {
    let check = Check { p, data };
    let account = &data.account;
    let counts = [data.next_request, data.next_timer, data.sequence, account.calls];
    ensure(counts.iter().all(|count| *count < MOST), "a count out of range")?;
    ensure(data.kept.iter().chain(&data.stuck).all(|undoer| check.undoer(undoer)), "an undoer that no step has")?;
    if let Some(end) = &data.end {
        let nothing = data.fibers.entries().is_empty() && data.frames.entries().is_empty();
        let nothing = nothing && data.scopes.entries().is_empty() && data.groups.entries().is_empty();
        let nothing = nothing && data.ready.is_empty() && data.parked.is_empty() && data.starved.is_empty();
        ensure(nothing, "something is left of a run that has ended")?;
        let verdict = end.as_ref().ok().and_then(|(_, verdict)| *verdict);
        return ensure(verdict.is_none_or(|word| check.word(word)), "an unknown verdict");
    }
    check.root()?;
    check.queues()?;
    data.frames.iter().try_for_each(|(_, frame)| check.frame(frame))?;
    check.acyclic()?;
    data.groups.iter().try_for_each(|(id, group)| check.group(id, group))?;
    let mut owned = Owned::default();
    let mut requests = FxHashSet::default();
    for (id, fiber) in fibers(data) {
        check.stack(id, fiber, &mut owned)?;
        check.fiber(id, fiber)?;
        if let Some(request) = fiber.state.request() {
            ensure(request.0 < data.next_request && requests.insert(request), "a request twice")?;
        }
    }
    ensure(owned.frames.len() == data.frames.len(), "a frame that nobody owns")?;
    ensure(owned.scopes.len() == data.scopes.len(), "a scope that its fiber is not in")
}

/// What belongs to the activations looked at so far.
#[derive(Default)]
struct Owned {
    frames: FxHashSet<FrameId>,
    scopes: FxHashSet<ScopeId>,
}

fn ensure(holds: bool, otherwise: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(otherwise) }
}

impl<V> Check<'_, V> {
    fn word(&self, word: WordId) -> bool {
        word.index() < self.p.module().words.len()
    }

    fn step(&self, step: StepId) -> bool {
        step.index() < self.p.module().steps.len()
    }

    fn own_stage(&self, function: FunctionId, stage: StageId) -> bool {
        let (first, count) = self.p.function(function).stages;
        stage.0 >= first && stage.0 - first < count
    }

    fn own_step(&self, function: FunctionId, step: StepId) -> bool {
        let (first, count) = self.p.function(function).steps;
        step.0 >= first && step.0 - first < count
    }

    /// Does an address lie in a function?
    fn within(&self, function: FunctionId, pc: u32) -> bool {
        let function = self.p.function(function);
        (function.entry..function.end).contains(&pc)
    }

    fn root(&self) -> Checked {
        let programs = fibers(self.data).filter(|(_, fiber)| fiber.role == Role::Program).map(|(id, _)| id);
        ensure(programs.eq([self.data.root]), "not one program")
    }

    /// Who is ready stands in the queue, once; who is parked among the parked.
    fn queues(&self) -> Checked {
        let mut ready = FxHashSet::default();
        for id in &self.data.ready {
            let state = self.data.fibers.get(*id).map(|fiber| &fiber.state);
            ensure(state == Some(&State::Ready) && ready.insert(*id), "a queue of fibers that are not ready")?;
        }
        let mut parked = FxHashSet::default();
        for (id, _) in &self.data.parked {
            let state = self.data.fibers.get(*id).map(|fiber| &fiber.state);
            ensure(state == Some(&State::Parked) && parked.insert(*id), "a fiber is parked and is not")?;
        }
        let count = |state| fibers(self.data).filter(|(_, fiber)| fiber.state == state).count();
        ensure(
            count(State::Ready) == ready.len() && count(State::Parked) == parked.len(),
            "a fiber that nobody will wake",
        )
    }

    fn frame(&self, frame: &Frame<V>) -> Checked {
        let functions = &self.p.module().functions;
        let function = functions.get(frame.function.index()).ok_or("an unknown function")?;
        let sizes = frame.registers.len() == usize::from(function.registers)
            && frame.visits.len() == usize::from(function.steps.1)
            && frame.choices.len() == usize::from(function.stages.1)
            && frame.counters.len() == function.counters.len();
        let counters = frame.counters.iter().zip(&function.counters).all(|(count, most)| count <= most);
        ensure(sizes && counters, "a frame of another function")
    }

    /// The scopes of an activation, from its innermost to its base: each is its own and no other's.
    fn scopes(&self, id: FiberId, level: usize, activation: &Activation<V>, owned: &mut Owned) -> Checked {
        let mut at = activation.scope;
        loop {
            let scope = self.data.scopes.get(at).ok_or("an activation without its scope")?;
            ensure(scope.fiber == id && scope.level as usize == level, "a scope of another activation")?;
            ensure(owned.scopes.insert(at), "a scope of another activation")?;
            let base = at == activation.base;
            let known = match scope.kind {
                ScopeKind::Base | ScopeKind::Undo => base,
                ScopeKind::Stage(stage) => !base && self.own_stage(activation.function, stage),
                ScopeKind::Visit(step) => !base && self.own_step(activation.function, step),
            };
            ensure(known, "a scope of an unknown kind")?;
            self.scope(activation.function, scope)?;
            if base {
                return Ok(());
            }
            at = scope.parent.ok_or("a scope that its fiber is not in")?;
        }
    }

    fn scope(&self, function: FunctionId, scope: &Scope<V>) -> Checked {
        let undoers = scope.undoers.iter().all(|undoer| self.undoer(undoer));
        let order = scope.undoers.is_sorted_by_key(|undoer| undoer.sequence);
        ensure(undoers && order, "an undoer that no step has")?;
        ensure(scope.timer.is_none_or(|timer| timer.0 < self.data.next_timer), "an unknown timer")?;
        scope.finish.as_ref().map_or(Ok(()), |finish| {
            let verdict = finish.verdict.is_none_or(|word| self.word(word));
            ensure(verdict && self.within(function, finish.pc), "a select with nowhere to go")
        })
    }

    fn code(&self, pc: u32) -> Option<Instruction> {
        self.p.code().get(pc as usize).copied()
    }

    fn undoer(&self, undoer: &Undoer<V>) -> bool {
        self.step(undoer.step) && self.p.step(undoer.step).undo.is_some() && undoer.sequence <= self.data.sequence
    }

    /// Fibers form a tree: a child's group belongs to a fiber whose group chain ends at the program. Scopes do then too, since each
    /// activation's hang on the one below or on the group's.
    fn acyclic(&self) -> Checked {
        let mut seen: FxHashSet<FiberId> = FxHashSet::default();
        for (id, _) in fibers(self.data) {
            let mut path = FxHashSet::default();
            let mut at = id;
            while !seen.contains(&at) && path.insert(at) {
                let fiber = self.data.fibers.get(at).ok_or("a group without its parent")?;
                let Role::Child { group, .. } = fiber.role else { break };
                at = self.data.groups.get(group).ok_or("a child without its group")?.parent;
                ensure(!path.contains(&at), "fibers in a ring")?;
            }
            seen.extend(path);
        }
        Ok(())
    }

    fn group(&self, id: GroupId, group: &Group<V>) -> Checked {
        let parent = self.data.fibers.get(group.parent).ok_or("a group without its parent")?;
        let activation = parent.stack.get(group.level as usize).ok_or("a group without its parent")?;
        let top = parent.stack.len() == group.level as usize + 1;
        ensure(top && activation.group == Some(id) && activation.scope == group.scope, "a group in the wrong place")?;
        let waited_for = match &parent.state {
            State::Group => !group.living.is_empty(),
            // Whose ending stops the children, or who goes on behind them.
            State::Ready => activation.unwind.is_some() || group.living.is_empty(),
            State::Making { what: Making::Parts, .. } => group.living.is_empty(),
            _ => false,
        };
        ensure(waited_for, "a group that nobody waits for")?;
        match (self.code(activation.pc), &group.kind) {
            (Some(Instruction::Join { stage, branches, take }), GroupKind::Join { stage: its, take: takes, after }) => {
                let same = stage == *its && needed(branches, take) == *takes;
                let whole =
                    group.parts.len() == usize::from(branches) && *after == activation.pc + 1 + u32::from(branches);
                ensure(same && whole, "a join of another shape")?;
            }
            (Some(Instruction::Map { step, item }), GroupKind::Map { step: its, total, item: its_item, .. }) => {
                let same = step == *its && item == *its_item && activation.visit.is_some();
                ensure(
                    same && *total <= limits::ITEMS && group.parts.len() <= *total as usize,
                    "a fan-out of another shape",
                )?;
            }
            _ => return Err("a group that nothing started"),
        }
        let mut living = FxHashSet::default();
        for (at, child) in group.living.iter().enumerate() {
            let role = self.data.fibers.get(*child).map(|fiber| fiber.role);
            let Some(Role::Child { group: its, part, seat }) = role else { return Err("a group with a stranger") };
            let running = matches!(group.parts.get(part as usize), Some(Part::Running));
            ensure(its == id && seat as usize == at && running && living.insert(part), "a group with a stranger")?;
        }
        let handed = group.parts.iter().filter(|part| matches!(part, Part::Handed(..))).count();
        let running = group.parts.iter().filter(|part| matches!(part, Part::Running)).count();
        ensure(handed == group.handed as usize && running == living.len(), "a group that is miscounted")?;
        let words = group.parts.iter().all(|part| !matches!(part, Part::Handed(_, Some(word)) if !self.word(*word)));
        ensure(words, "an unknown verdict")?;
        let waits = |fiber: &Fiber<V>| matches!(fiber.state, State::Waiting { group, .. } if group == id);
        let waiting: FxHashSet<_> = group.waiting.iter().collect();
        let all = group.waiting.iter().all(|id| self.data.fibers.get(*id).is_some_and(waits));
        ensure(all && waiting.len() == group.waiting.len(), "a sibling that does not wait")
    }

    /// The activations of a fiber, from the outermost.
    fn stack(&self, id: FiberId, fiber: &Fiber<V>, owned: &mut Owned) -> Checked {
        ensure(!fiber.stack.is_empty(), "a fiber that runs nothing")?;
        for (level, activation) in fiber.stack.iter().enumerate() {
            let frame = self.data.frames.get(activation.frame).ok_or("an activation without its frame")?;
            ensure(
                frame.function == activation.function && self.within(activation.function, activation.pc),
                "an address outside",
            )?;
            self.scopes(id, level, activation, owned)?;
            let base = self.data.scopes.get(activation.base).ok_or("an activation without its scope")?;
            let inner = self.data.scopes.get(activation.scope).ok_or("an activation without its scope")?;
            ensure(activation.undo == (base.kind == ScopeKind::Undo), "an undoer that is none")?;
            let below = level.checked_sub(1).and_then(|below| fiber.stack.get(below));
            let (parent, owns) = match (below, fiber.role) {
                (Some(_), _) if activation.undo => (None, true),
                (Some(below), _) => (Some(below.scope), true),
                (None, Role::Program) => (None, true),
                (None, Role::Child { group, .. }) => {
                    let group = self.data.groups.get(group).ok_or("a child without its group")?;
                    let parent =
                        self.data.fibers.get(group.parent).and_then(|parent| parent.stack.get(group.level as usize));
                    ensure(parent.is_some_and(|parent| parent.frame == activation.frame), "a child of another frame")?;
                    (Some(group.scope), false)
                }
            };
            ensure(base.parent == parent && activation.owns_frame == owns, "an activation in the wrong place")?;
            ensure(!owns || owned.frames.insert(activation.frame), "a frame that two own")?;
            if let Some(group) = activation.group {
                let group = self.data.groups.get(group).ok_or("an unknown group")?;
                ensure(group.parent == id && group.level as usize == level, "a group of another activation")?;
            }
            self.activation(activation, inner)?;
            if let Some(above) = fiber.stack.get(level + 1) {
                self.calls(activation, above)?;
            }
        }
        Ok(())
    }

    fn activation(&self, activation: &Activation<V>, inner: &Scope<V>) -> Checked {
        if let Some(visit) = &activation.visit {
            let here = matches!(
                self.code(activation.pc),
                Some(Instruction::Call { step } | Instruction::Map { step, .. }) if step == visit.step
            );
            ensure(here && (1..1 << 31).contains(&visit.attempt), "a visit of another step")?;
            ensure(!visit.scoped || inner.kind == ScopeKind::Visit(visit.step), "a visit without its budget")?;
        }
        let Some(unwind) = &activation.unwind else { return Ok(()) };
        if let Some(until) = unwind.until {
            let mut at = Some(activation.scope);
            while at != Some(until) {
                let scope = at.and_then(|at| self.data.scopes.get(at)).ok_or("an ending that leads nowhere")?;
                ensure(scope.fiber == inner.fiber, "an ending that leads into another fiber")?;
                at = scope.parent;
            }
            let mine = self.data.scopes.get(until).is_some_and(|until| until.fiber == inner.fiber);
            ensure(mine, "an ending that leads into another fiber")?;
        }
        let undoing = unwind.undoing.as_ref();
        ensure(
            undoing.is_none_or(|undoing| self.undoer(&undoing.undoer) && (1..=3).contains(&undoing.attempt)),
            "an unknown undoer",
        )
    }

    /// Does the lower activation call the upper one?
    fn calls(&self, below: &Activation<V>, above: &Activation<V>) -> Checked {
        let target = if above.undo {
            let undoing = below.unwind.as_ref().and_then(|unwind| unwind.undoing.as_ref());
            undoing.and_then(|undoing| self.p.step(undoing.undoer.step).undo)
        } else {
            ensure(below.unwind.is_none(), "a call by something that is ending")?;
            let call = matches!(self.code(below.pc), Some(Instruction::Call { .. }));
            below.visit.as_ref().filter(|_| call).map(|visit| self.p.step(visit.step).target)
        };
        ensure(
            below.group.is_none() && target == Some(StepTarget::Function(above.function)),
            "a function that nothing called",
        )
    }

    fn fiber(&self, id: FiberId, fiber: &Fiber<V>) -> Checked {
        if let Role::Child { group, seat, .. } = fiber.role {
            let living = self.data.groups.get(group).and_then(|group| group.living.get(seat as usize));
            ensure(living == Some(&id), "a child that its group does not know")?;
        }
        ensure(fiber.verdict.is_none_or(|word| self.word(word)), "an unknown verdict")?;
        let top = fiber.top();
        let registers = self.p.function(top.function).registers;
        ensure(fiber.gathered.iter().all(|(register, _)| register.0 < registers), "an unknown register")?;
        let here = self.code(top.pc);
        let target = top.visit.as_ref().map(|visit| self.p.step(visit.step).target);
        let fits = match &fiber.state {
            State::Ready | State::Parked => true,
            State::Calling { asked: Asked::Step, .. } => {
                matches!((here, target), (Some(Instruction::Call { .. }), Some(StepTarget::Worker(_))))
                    && top.group.is_none()
            }
            State::Calling { asked: Asked::Choose { attempt, .. }, .. } => match here {
                Some(Instruction::Choose { stage, .. }) => {
                    self.p.stage(stage).chooser.is_some() && matches!(attempt, 1 | 2)
                }
                _ => false,
            },
            State::Calling { asked: Asked::Undo, .. } => {
                let undoing = top.unwind.as_ref().and_then(|unwind| unwind.undoing.as_ref());
                let undo = undoing.and_then(|undoing| self.p.step(undoing.undoer.step).undo);
                matches!(undo, Some(StepTarget::Worker(_)))
            }
            State::Making { what, .. } => self.making(fiber, what, here),
            State::Group => {
                let group = top.group.and_then(|group| self.data.groups.get(group));
                group.is_some_and(|group| !group.living.is_empty())
            }
            State::Waiting { group, element } => {
                let group = self.data.groups.get(*group);
                matches!(here, Some(Instruction::Wait { .. }))
                    && group.is_some_and(|group| {
                        matches!(group.kind, GroupKind::Join { .. })
                            && group.waiting.contains(&id)
                            && matches!(group.parts.get(*element as usize), Some(Part::Running))
                    })
            }
        };
        ensure(fits, "a fiber that waits for something else")
    }

    fn making(&self, fiber: &Fiber<V>, what: &Making, here: Option<Instruction>) -> bool {
        let top = fiber.top();
        let group = top.group.and_then(|group| self.data.groups.get(group));
        match (what, here) {
            (Making::Gather, Some(Instruction::Gather { .. })) | (Making::WithError(_), _) => group.is_none(),
            (Making::Count, Some(Instruction::Map { .. })) => top.visit.is_some() && group.is_none(),
            (Making::Item, _) => {
                let Role::Child { group, .. } = fiber.role else { return false };
                let map = self.data.groups.get(group).map(|group| &group.kind);
                matches!(map, Some(GroupKind::Map { .. })) && fiber.stack.len() == 1
            }
            (Making::Parts, Some(Instruction::Join { .. })) => group.is_some_and(|group| group.living.is_empty()),
            (Making::Parts, Some(Instruction::Map { .. })) => {
                top.visit.is_some() && group.is_none_or(|group| group.living.is_empty())
            }
            _ => false,
        }
    }
}
