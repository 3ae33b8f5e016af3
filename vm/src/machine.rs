//! The machine: a verified program in, actions out, answers in. Pure: the same answers in the same order give the same run.
//!
//! Here: what a host calls, and the loop that runs fibers. `exec` has the instructions, `call` calls and their outcomes,
//! `choose` selects, `group` joins and fan-outs, `unwind` endings and undo, `budget` what calls may take, `emit` how
//! requests look. State is plain data in `state`; what is not there is rebuilt from it when a snapshot is loaded.

use crate::action::*;
use crate::key::StepKey;
use crate::pending::Pending;
use crate::program::Program;
use crate::slab::{FiberId, ScopeId};
use crate::state::*;
use crate::verify::VerifiedModule;
use aivm_schema::artifact::Artifact;
use aivm_schema::isa::Instruction;
use aivm_schema::module::{EndKind, Module, RunLimits, StepId};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

mod budget;
mod call;
mod choose;
mod emit;
mod exec;
mod group;
mod unwind;

/// One run of one program.
pub struct Machine {
    program: Program,
    core: Core,
}

/// What changes while a program runs.
pub(crate) struct Core {
    pub data: Data,
    /// Not yet fetched by `step`.
    pub out: VecDeque<Out>,
    /// Who waits for which answer; follows from `data`.
    pub pending: Pending,
    pub timers: FxHashMap<TimerId, ScopeId>,
    /// The call that is being answered was another run's.
    pub foreign: bool,
}

/// An action that `step` has still to say. Requests take their shape when they are fetched.
pub(crate) enum Out {
    Ask(FiberId, RequestId),
    Cancel(RequestId),
    StartTimer(TimerId, u64),
    StopTimer(TimerId),
    Trace(Box<Action>),
}

/// Can the fiber go on at once?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    On,
    Stop,
}

/// Why an answer was refused; the machine is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompleteError {
    /// The machine never asked that.
    #[error("no such request: {}", .0.0)]
    Unknown(RequestId),
    /// It was answered before.
    #[error("request {} has been answered", .0.0)]
    Answered(RequestId),
    /// A call is answered with `complete`, an artifact with `made`, a count with `counted`.
    #[error("request {} asks for another sort of answer", .0.0)]
    WrongAnswer(RequestId),
}

/// What a run has called and spent so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Calls of workers: retries, choosers and undoers too.
    pub calls: u64,
    /// Millionths of a dollar.
    pub money: u64,
    /// Tokens.
    pub tokens: u64,
}

impl Machine {
    /// A run that has not begun: `input` flows into the program. `limits` are the whole run's, whatever the module says.
    pub fn start(module: VerifiedModule, input: Artifact, limits: RunLimits) -> Machine {
        let program = Program::new(module);
        let core = Core::start(&program, input, limits);
        Machine { program, core }
    }

    pub(crate) fn from_parts(program: Program, core: Core) -> Machine {
        Machine { program, core }
    }

    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// Runs until the host must do something, using up `fuel`: one for each instruction.
    pub fn step(&mut self, fuel: &mut u64) -> Action {
        loop {
            if let Some(out) = self.core.out.pop_front() {
                match self.core.action(&self.program, out) {
                    Some(action) => return action,
                    None => continue,
                }
            }
            if let Some(end) = &self.core.data.end {
                return Action::End(self.core.run_end(&self.program, end));
            }
            if self.core.data.ready.is_empty() {
                if let Some(action) = self.core.idle() {
                    return action;
                }
            } else if *fuel == 0 {
                return Action::Yield;
            } else if let Some(fiber) = self.core.data.ready.pop_front() {
                self.core.run(&self.program, fuel, fiber);
            }
        }
    }

    /// Answers a call. Says what followed from it; what that needs comes from `step`.
    pub fn complete(&mut self, request: RequestId, answer: Answer) -> Result<Decision, CompleteError> {
        let fiber = self.core.answered(request, |state| matches!(state, State::Calling { .. }))?;
        Ok(self.core.complete(&self.program, fiber, answer))
    }

    /// As [`Machine::complete`], for a call that somebody else made: what it did is not this run's to take back.
    pub fn complete_foreign(&mut self, request: RequestId, answer: Answer) -> Result<Decision, CompleteError> {
        self.core.foreign = true;
        let decision = self.complete(request, answer);
        self.core.foreign = false;
        decision
    }

    /// Gives the artifact that was asked for.
    pub fn made(&mut self, request: RequestId, artifact: Artifact) -> Result<(), CompleteError> {
        let fiber = self
            .core
            .answered(request, |state| matches!(state, State::Making { what, .. } if *what != Making::Count))?;
        self.core.made(&self.program, fiber, artifact);
        Ok(())
    }

    /// Says how many parts there are.
    pub fn counted(&mut self, request: RequestId, parts: u32) -> Result<(), CompleteError> {
        let fiber = self.core.answered(request, |state| matches!(state, State::Making { what: Making::Count, .. }))?;
        self.core.counted(&self.program, fiber, parts);
        Ok(())
    }

    /// Says that an artifact cannot be made or counted: what needed it fails.
    pub fn not_made(&mut self, request: RequestId, error: CallError) -> Result<(), CompleteError> {
        let fiber = self.core.answered(request, |state| matches!(state, State::Making { .. }))?;
        self.core.unmakeable(&self.program, fiber, error);
        Ok(())
    }

    /// Says that the time of a timer has passed. A timer that was stopped meanwhile is ignored.
    pub fn expire(&mut self, timer: TimerId) {
        self.core.expire(&self.program, timer);
    }

    /// Cancels the whole run from outside: what is under way is stopped and awaited, undoers run, nothing catches it.
    pub fn cancel(&mut self) {
        self.stop(Ending::cancelled());
    }

    /// Ends the whole run because its time is up, as `cancel` does, by the kind `timeout`.
    pub fn time_out(&mut self, after_ms: u64) {
        self.stop(Ending::new(EndKind::Timeout, crate::error::Fault::Deadline(after_ms).at("")));
    }

    fn stop(&mut self, ending: Ending) {
        if self.core.data.end.is_none() {
            let root = self.core.data.root;
            let base = self.core.data.fibers[root].stack.first().map(|program| program.base);
            if let Some(base) = base {
                self.core.cancel_to(root, base, ending);
            }
        }
    }

    /// What the run did and could take back, the newest first: the key of each call that has an undoer.
    pub fn undoable(&self) -> Vec<StepKey> {
        self.core.undoable()
    }

    /// Takes back what the run did, or what it did after the call `to`: cancels it, or, when it has ended, undoes what it kept
    /// and tries again what could not be undone, but for those of `done`, which somebody did by hand. False, and nothing
    /// happens, when `to` is nothing that could be taken back.
    pub fn rollback(&mut self, to: Option<&str>, done: &[String]) -> bool {
        let floor = match to {
            None => 0,
            Some(key) => match self.core.undoers().filter(|undoer| undoer.key.to_string() == key).last() {
                Some(undoer) => undoer.sequence,
                None => return false,
            },
        };
        self.core.data.floor = floor;
        match self.core.data.end {
            None => self.cancel(),
            Some(_) => self.core.reopen(done),
        }
        true
    }

    /// Sets new limits of the whole run; what was parked tries again.
    pub fn raise(&mut self, limits: RunLimits) {
        self.core.data.account.limits = limits;
        for (fiber, _) in std::mem::take(&mut self.core.data.parked) {
            self.core.wake(fiber);
        }
    }

    /// The words that a call may answer: a closed set. A chooser's are the names of the options that are left, then `finish`;
    /// an undoer has none; nothing that is not under way has any.
    pub fn words(&self, request: RequestId) -> Vec<&str> {
        self.core.words(&self.program, request)
    }

    /// The words that a call of this step may answer, whenever it is called.
    pub fn words_of(&self, step: StepId) -> Vec<&str> {
        let calls = |instruction: &Instruction| match instruction {
            Instruction::Call { step: called } | Instruction::Map { step: called, .. } => *called == step,
            _ => false,
        };
        let pc = self.program.code().iter().position(calls);
        pc.map_or_else(Vec::new, |pc| self.program.closed_set(pc as u32, step))
    }

    /// The key of a call under way, the step or stage that it is for, and whom it calls, as `step` gave it; to show runs.
    pub fn call(&self, request: RequestId) -> Option<Call> {
        let fiber = self.core.pending.get(request)?;
        self.core.call_action(&self.program, fiber)
    }

    /// The program.
    pub fn module(&self) -> &Module {
        self.program.module()
    }

    /// What the run has called and spent so far.
    pub fn totals(&self) -> Totals {
        let account = &self.core.data.account;
        Totals { calls: account.calls, money: account.spent.money, tokens: account.spent.tokens }
    }

    /// The limits of the whole run.
    pub fn limits(&self) -> RunLimits {
        self.core.data.account.limits
    }

    /// How many answers the machine waits for.
    pub fn under_way(&self) -> usize {
        self.core.pending.len()
    }

    /// How many branches and items are alive, the program included.
    pub fn fibers(&self) -> usize {
        self.core.data.fibers.len()
    }

    /// The address of the instruction that `step` carries out next; none while it says actions, stops or undoes something, or
    /// waits. To show and to count.
    pub fn next_instruction(&self) -> Option<u32> {
        let core = &self.core;
        let fiber = core.data.ready.front().filter(|_| core.out.is_empty() && core.data.end.is_none())?;
        let top = core.data.fibers.get(*fiber)?.top();
        (top.unwind.is_none() && top.group.is_none()).then_some(top.pc)
    }

    /// Has the run ended?
    pub fn has_ended(&self) -> bool {
        self.core.data.end.is_some()
    }
}

impl Core {
    /// The fiber that waits for this answer, which then does not wait any more.
    fn answered(&mut self, request: RequestId, fits: impl Fn(&State) -> bool) -> Result<FiberId, CompleteError> {
        let Some(fiber) = self.pending.get(request) else {
            let asked = request.0 < self.data.next_request;
            return Err(if asked { CompleteError::Answered(request) } else { CompleteError::Unknown(request) });
        };
        if !fits(&self.data.fibers[fiber].state) {
            return Err(CompleteError::WrongAnswer(request));
        }
        self.pending.remove(request);
        Ok(fiber)
    }

    /// Nothing is ready: waits, parks, or finds that nothing can go on.
    fn idle(&mut self) -> Option<Action> {
        if !self.pending.is_empty() {
            return Some(Action::Wait);
        }
        if let Some((_, limit)) = self.data.parked.first() {
            return Some(Action::Park(*limit));
        }
        // Siblings that wait for each other; the checker refuses such programs, the machine ends them.
        let waiting: Vec<FiberId> = self
            .data
            .fibers
            .iter()
            .filter(|(_, fiber)| matches!(fiber.state, State::Waiting { .. }))
            .map(|(id, _)| id)
            .collect();
        if waiting.is_empty() {
            self.break_run("nothing can go on");
        }
        for fiber in waiting {
            self.stop_waiting(fiber, Some(crate::error::Fault::Deadlock));
        }
        None
    }

    /// Puts a fiber that waited among those that can go on.
    fn wake(&mut self, id: FiberId) {
        let fiber = &mut self.data.fibers[id];
        if fiber.state != State::Ready {
            fiber.state = State::Ready;
            self.data.ready.push_back(id);
        }
    }

    /// Runs a fiber until it has to wait or the fuel is spent.
    fn run(&mut self, program: &Program, fuel: &mut u64, id: FiberId) {
        while *fuel > 0 {
            *fuel -= 1;
            let top = self.data.fibers[id].top();
            let flow = if top.unwind.is_some() {
                self.unwind(program, id)
            } else if top.group.is_some() {
                self.finish_group(program, id)
            } else {
                self.execute(program, id)
            };
            if flow == Flow::Stop || self.data.end.is_some() {
                return;
            }
        }
        self.data.ready.push_front(id);
    }

    /// Whether the fiber can go on, by its state.
    fn flow(&self, id: FiberId) -> Flow {
        if self.data.fibers[id].state == State::Ready { Flow::On } else { Flow::Stop }
    }

    /// The state does not fit the program: possible only with a forged snapshot. The run ends; nothing worse follows.
    fn break_run(&mut self, what: &'static str) -> Flow {
        let error = crate::error::Fault::Broken(what).at("");
        self.data.end = Some(Err(Ending::new(EndKind::Failure, error)));
        self.pending.clear();
        Flow::Stop
    }

    fn run_end(&self, program: &Program, end: &Fate) -> RunEnd {
        let result = match end {
            Ok((value, verdict)) => Ok((value.clone(), verdict.map(|word| program.word(word).to_string()))),
            Err(ending) => Err((ending.kind, ending.error())),
        };
        RunEnd { result, not_undone: self.data.stuck.iter().map(|undoer| undoer.key.to_undo()).collect() }
    }
}
