//! How requests look: keys, calls, recipes, timers. Whatever is asked for can be asked for again from the state alone,
//! which is what happens when a snapshot is loaded.

use super::{Core, Flow, Out};
use crate::action::*;
use crate::key::StepKey;
use crate::program::Program;
use crate::slab::{FiberId, ScopeId};
use crate::state::*;
use aivm_schema::isa::Instruction;
use aivm_schema::module::StepTarget;

impl Core {
    /// The key of what the innermost activation visits; empty when it visits nothing.
    pub(super) fn visit_key(&self, p: &Program, id: FiberId) -> StepKey {
        let top = self.data.fibers[id].top();
        let caller = self.data.frames[top.frame].caller.clone();
        match &top.visit {
            Some(visit) => StepKey::new(caller, p.step_path(visit.step).clone(), visit.number, visit.item),
            None => StepKey::from(""),
        }
    }

    fn next_request(&mut self, id: FiberId) -> RequestId {
        let request = RequestId(self.data.next_request);
        self.data.next_request += 1;
        self.pending.insert(request, id);
        request
    }

    /// Calls a worker for a fiber, which then waits.
    pub(super) fn ask(&mut self, id: FiberId, asked: Asked, allowance: Allowance) -> Flow {
        let request = self.next_request(id);
        self.data.fibers[id].state = State::Calling { request, asked, allowance };
        self.out.push_back(Out::Ask(id, request));
        Flow::Stop
    }

    /// Has an artifact made for a fiber, which then waits.
    pub(super) fn make(&mut self, id: FiberId, what: Making) -> Flow {
        let request = self.next_request(id);
        self.data.fibers[id].state = State::Making { request, what };
        self.out.push_back(Out::Ask(id, request));
        Flow::Stop
    }

    /// What the host is told; nothing when the state forbids it.
    #[inline]
    pub(super) fn action(&mut self, p: &Program, out: Out) -> Option<Action> {
        match out {
            Out::Ask(id, request) if self.waits_for(id, request) => {
                let action = match self.data.fibers[id].state {
                    State::Calling { .. } => self.call_action(p, id).map(Action::Call),
                    _ => self.recipe(p, id).map(|recipe| Action::Make(Make { request, recipe })),
                };
                if action.is_none() {
                    self.break_run("it asks for what there is not");
                }
                action
            }
            Out::Ask(..) => None,
            Out::Cancel(request) => Some(Action::Cancel(request)),
            Out::StartTimer(timer, after_ms) => Some(Action::StartTimer { timer, after_ms }),
            Out::StopTimer(timer) => Some(Action::StopTimer(timer)),
            Out::Trace(action) => Some(*action),
        }
    }

    fn waits_for(&self, id: FiberId, request: RequestId) -> bool {
        self.data.fibers.get(id).is_some_and(|fiber| fiber.state.request() == Some(request))
    }

    /// For the trace.
    pub(super) fn note(&mut self, action: Action) {
        self.out.push_back(Out::Trace(Box::new(action)));
    }

    /// The call that a fiber waits for.
    #[inline]
    pub(crate) fn call_action(&self, p: &Program, id: FiberId) -> Option<Call> {
        let fiber = &self.data.fibers[id];
        let State::Calling { request, asked, allowance } = fiber.state else { return None };
        let top = fiber.top();
        let caller = || self.data.frames[top.frame].caller.clone();
        let (worker, purpose, key, attempt, input, deadline_ms) = match asked {
            Asked::Step => {
                let visit = top.visit.as_ref()?;
                let step = p.step(visit.step);
                let StepTarget::Worker(worker) = step.target else { return None };
                let key = StepKey::new(caller(), p.step_path(visit.step).clone(), visit.number, visit.item);
                (
                    worker,
                    Purpose::Step(visit.step),
                    key,
                    visit.attempt,
                    visit.input.as_ref().unwrap_or(&fiber.value),
                    step.deadline_ms,
                )
            }
            Asked::Choose { number, attempt } => {
                let Some(Instruction::Choose { stage, .. }) = p.code().get(top.pc as usize) else { return None };
                let key = StepKey::new(caller(), p.stage_key(*stage).clone(), number, None);
                (p.stage(*stage).chooser?, Purpose::Choose(*stage), key, attempt, &fiber.value, None)
            }
            Asked::Undo => {
                let undoing = top.unwind.as_ref()?.undoing.as_ref()?;
                let Some(StepTarget::Worker(worker)) = p.step(undoing.undoer.step).undo else { return None };
                let Undoer { step, ref key, ref output, .. } = undoing.undoer;
                (worker, Purpose::Undo(step), key.to_undo(), undoing.attempt, output, None)
            }
        };
        let input = input.clone();
        Some(Call {
            request,
            worker,
            purpose,
            key,
            attempt,
            input,
            deadline_ms,
            money: allowance.money,
            tokens: allowance.tokens,
        })
    }

    /// What a fiber waits for to be made, and from what.
    pub(crate) fn recipe(&self, p: &Program, id: FiberId) -> Option<Recipe> {
        let fiber = &self.data.fibers[id];
        let State::Making { what, .. } = &fiber.state else { return None };
        let top = fiber.top();
        Some(match what {
            Making::Gather => {
                let part = |(register, value): &(_, aivm_schema::artifact::Artifact)| PartValue {
                    name: p.register_name(top.function, *register).to_owned(),
                    value: value.clone(),
                    verdict: None,
                };
                Recipe::Pack(fiber.gathered.iter().map(part).collect())
            }
            Making::Count => Recipe::Count(fiber.value.clone()),
            Making::Item => {
                let Role::Child { group, part, .. } = fiber.role else { return None };
                let GroupKind::Map { whole, .. } = &self.data.groups[group].kind else { return None };
                Recipe::Item { of: whole.clone(), index: part }
            }
            Making::Parts => {
                Recipe::Pack(top.group.map_or_else(Vec::new, |group| self.parts(p, &self.data.groups[group])))
            }
            Making::WithError(error) => Recipe::WithError { of: fiber.value.clone(), error: (**error).clone() },
        })
    }

    /// What a join or a fan-out hands on.
    fn parts(&self, p: &Program, group: &Group) -> Vec<PartValue> {
        let part = |(at, part): (usize, &Part)| {
            let Part::Handed(value, verdict) = part else { return None };
            let word = match group.kind {
                GroupKind::Join { stage, .. } => p.stage(stage).names.get(at),
                GroupKind::Map { .. } => None,
            };
            let name = word.map_or_else(|| (at + 1).to_string(), |word| p.word(*word).to_string());
            Some(PartValue { name, value: value.clone(), verdict: verdict.map(|word| p.word(word).to_string()) })
        };
        group.parts.iter().enumerate().filter_map(part).collect()
    }

    /// The words that a call under way may answer.
    pub(super) fn words<'p>(&self, p: &'p Program, request: RequestId) -> Vec<&'p str> {
        let Some(fiber) = self.pending.get(request) else { return Vec::new() };
        let fiber = &self.data.fibers[fiber];
        let top = fiber.top();
        match (&fiber.state, &top.visit) {
            (State::Calling { asked: Asked::Step, .. }, Some(visit)) => p.closed_set(top.pc, visit.step),
            (State::Calling { asked: Asked::Choose { .. }, .. }, _) => {
                let mut words: Vec<&str> = self.options_left(p, top).into_iter().map(|(_, name)| &**name).collect();
                words.push(FINISH);
                words
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn start_timer(&mut self, scope: ScopeId, after_ms: u64) {
        let timer = TimerId(self.data.next_timer);
        self.data.next_timer += 1;
        self.data.scopes[scope].timer = Some(timer);
        self.timers.insert(timer, scope);
        self.out.push_back(Out::StartTimer(timer, after_ms));
    }

    pub(super) fn stop_timer(&mut self, timer: Option<TimerId>) {
        if let Some(timer) = timer.filter(|timer| self.timers.remove(timer).is_some()) {
            self.out.push_back(Out::StopTimer(timer));
        }
    }

    /// The deadline that a scope's timer keeps, in milliseconds.
    pub(crate) fn deadline(&self, p: &Program, scope: ScopeId) -> Option<u64> {
        let scope = &self.data.scopes[scope];
        if let ScopeKind::Stage(stage) = scope.kind {
            return p.stage(stage).deadline_ms;
        }
        // The base of a definition: the step that called it stands one activation further out.
        let caller = self.data.fibers[scope.fiber].stack.get((scope.level as usize).checked_sub(1)?)?;
        p.step(caller.visit.as_ref()?.step).deadline_ms
    }
}
