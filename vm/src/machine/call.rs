//! Calls: how one is begun, what its answer leads to.

use super::budget::Refusal;
use super::{Core, Flow, Out};
use crate::action::*;
use crate::error::Fault;
use crate::outcome::{self, Choice, Edge, Said};
use crate::program::Program;
use crate::slab::{FiberId, ScopeId};
use crate::state::*;
use aivm_schema::artifact::Artifact;
use aivm_schema::isa::Instruction;
use aivm_schema::module::{EdgeKind, EndKind, FunctionId, StepId, StepTarget, WordId};

/// What came of a visit's call.
pub(super) enum Came {
    Done { output: Artifact, verdict: Spoken },
    Failed(Ending),
}

/// A verdict as it came.
pub(super) enum Spoken {
    Nothing,
    Word(WordId),
    /// No word of this program.
    Foreign(String),
}

impl Core {
    /// The `call` instruction: the first call of a visit, or the same once more.
    pub(super) fn call(&mut self, p: &Program, id: FiberId, step_id: StepId) -> Flow {
        self.begin_visit(p, id, step_id);
        // Kept for the whole visit: a retry does not find the input either.
        if let Some(error) = self.data.fibers[id].broken.clone() {
            return self.call_not_made(p, id, Ending { kind: EndKind::Failure, error: Some(error) });
        }
        let step = p.step(step_id);
        match step.target {
            StepTarget::Worker(worker) => match self.reserve(p, id, worker) {
                Ok(allowance) => {
                    self.keep_input(p, id, step_id);
                    self.ask(id, Asked::Step, allowance)
                }
                Err(Refusal::Run(limit)) => self.park(id, limit),
                Err(Refusal::Scope(scope, fault)) => {
                    let error = fault.at(self.visit_key(p, id));
                    if self.ends_select(p, id, scope) {
                        return self.end_select(p, id, error);
                    }
                    self.call_not_made(p, id, Ending::new(fault.kind(), error))
                }
            },
            StepTarget::Function(function) => {
                self.keep_input(p, id, step_id);
                let key = self.visit_key(p, id).to_string();
                let fiber = &mut self.data.fibers[id];
                let flowing = fiber.value.clone();
                let Some(visit) = &mut fiber.top_mut().visit else { return Flow::Stop };
                let input = visit.input.get_or_insert(flowing).clone();
                let base = self.push_function(p, id, function, input, key, false);
                if let Some(after_ms) = step.deadline_ms {
                    self.start_timer(base, after_ms);
                }
                Flow::On
            }
        }
    }

    /// Makes the innermost activation visit a step, unless it does already. A step's budget has a scope of its own.
    pub(super) fn begin_visit(&mut self, p: &Program, id: FiberId, step_id: StepId) {
        let item = self.own_item(id, step_id);
        let fiber = &mut self.data.fibers[id];
        let level = (fiber.stack.len() - 1) as u32;
        let top = fiber.top_mut();
        if top.visit.is_some() {
            return;
        }
        let (number, item) = match item {
            Some((number, part)) => (number, Some(part)),
            None => {
                let first = p.function(top.function).steps.0;
                let visits = &mut self.data.frames[top.frame].visits[step_id.index() - usize::from(first)];
                *visits = visits.saturating_add(1);
                (*visits, None)
            }
        };
        let step = p.step(step_id);
        let scoped = item.is_none() && (step.money.is_some() || step.tokens.is_some());
        top.visit = Some(Visit { step: step_id, number, item, attempt: 1, input: None, scoped });
        if scoped {
            let mut scope = Scope::new(Some(top.scope), id, level, ScopeKind::Visit(step_id));
            scope.money = step.money.map(Budget::new);
            scope.tokens = step.tokens.map(Budget::new);
            top.scope = self.data.scopes.insert(scope);
        }
    }

    /// Visit number and index when a fiber runs an item of this very step.
    fn own_item(&self, id: FiberId, step_id: StepId) -> Option<(u32, u32)> {
        let fiber = &self.data.fibers[id];
        let Role::Child { group, part, .. } = fiber.role else { return None };
        match self.data.groups[group].kind {
            GroupKind::Map { step, number, .. } if step == step_id && fiber.stack.len() == 1 => Some((number, part)),
            _ => None,
        }
    }

    /// Keeps what a step is called with, where something refers to it; of a fan-out that is the whole, not an item.
    pub(super) fn keep_input(&mut self, p: &Program, id: FiberId, step_id: StepId) {
        let Some(register) = p.step(step_id).input else { return };
        let fiber = &self.data.fibers[id];
        let top = fiber.top();
        if let Some(visit) = top.visit.as_ref().filter(|visit| visit.item.is_none()) {
            let input = visit.input.as_ref().unwrap_or(&fiber.value).clone();
            self.data.frames[top.frame].registers[register.index()] = Some(input);
        }
    }

    /// Ends a visit: its own scope, if it has one, passes on its undoers.
    fn end_visit(&mut self, id: FiberId) -> Option<Visit> {
        let fiber = &mut self.data.fibers[id];
        fiber.broken = None;
        let visit = fiber.top_mut().visit.take()?;
        if visit.scoped {
            self.close_scope(id);
        }
        Some(visit)
    }

    /// A call that is not made has failed; the trace shows it.
    pub(super) fn call_not_made(&mut self, p: &Program, id: FiberId, ending: Ending) -> Flow {
        let key = self.visit_key(p, id);
        let Some(visit) = &self.data.fibers[id].top().visit else { return Flow::Stop };
        let (purpose, attempt, kind) = (Purpose::Step(visit.step), visit.attempt, ending.kind);
        let Some(mut error) = ending.error() else { return self.break_run("a call is not made for no reason") };
        error.step = key.to_string();
        let ending = Ending::new(kind, error.clone());
        // What this leads to is shown after it.
        let place = self.out.len();
        let decision = self.settle(p, id, Came::Failed(ending));
        self.out.insert(
            place,
            Out::Trace(Box::new(Action::NotMade(NotMade { key, purpose, attempt, kind, error, decision }))),
        );
        self.flow(id)
    }

    /// Does a budget that cannot pay for a step of a select end that select? Not the step's own.
    fn ends_select(&self, p: &Program, id: FiberId, refused: ScopeId) -> bool {
        let top = self.data.fibers[id].top();
        let Some(visit) = &top.visit else { return false };
        if visit.item.is_some() || visit.scoped && refused == top.scope {
            return false;
        }
        self.select_scope(id).is_some_and(|scope| self.selects(p, scope))
    }

    /// The scope of the stage that the visited step stands in.
    fn select_scope(&self, id: FiberId) -> Option<ScopeId> {
        let top = self.data.fibers[id].top();
        let scoped = top.visit.as_ref()?.scoped;
        if scoped { self.data.scopes[top.scope].parent } else { Some(top.scope) }
    }

    /// A select that cannot pay for the step it chose ends with what it has.
    fn end_select(&mut self, p: &Program, id: FiberId, error: CallError) -> Flow {
        let key = self.visit_key(p, id);
        let Some(visit) = self.end_visit(id) else { return Flow::Stop };
        let top = self.data.fibers[id].top();
        let Some(finish) = self.data.scopes[top.scope].finish.take() else { return self.break_run("no choice to end") };
        let decision = Decision::of(Taken::Chose(FINISH.into()));
        self.note(Action::NotMade(NotMade {
            key,
            purpose: Purpose::Step(visit.step),
            attempt: visit.attempt,
            kind: EndKind::Exhausted,
            error,
            decision,
        }));
        let fiber = &mut self.data.fibers[id];
        (fiber.value, fiber.verdict) = (finish.value, finish.verdict);
        fiber.top_mut().pc = finish.pc;
        Flow::On
    }

    /// A call was answered.
    pub(super) fn complete(&mut self, p: &Program, id: FiberId, answer: Answer) -> Decision {
        let State::Calling { asked, allowance, .. } = self.data.fibers[id].state else { return Decision::dropped() };
        let (Answer::Done { usage, .. } | Answer::Failed { usage, .. }) = answer;
        self.settle_usage(p, id, asked, allowance.reserved, usage);
        // Going on, whatever follows; what follows may make it wait again.
        self.data.fibers[id].state = State::Ready;
        let decision = match asked {
            Asked::Undo => self.undone(id, matches!(answer, Answer::Done { .. })),
            _ if self.data.fibers[id].top().unwind.is_some() => self.late(p, id, asked, answer),
            Asked::Choose { number, attempt } => self.chosen(p, id, number, attempt, answer),
            Asked::Step => self.step_answered(p, id, answer),
        };
        if self.data.fibers[id].state == State::Ready {
            self.data.ready.push_back(id);
        }
        decision
    }

    fn step_answered(&mut self, p: &Program, id: FiberId, answer: Answer) -> Decision {
        let came = match answer {
            Answer::Done { output, verdict, .. } => {
                let verdict = verdict.map_or(Spoken::Nothing, |word| match p.word_id(&word) {
                    Some(known) => Spoken::Word(known),
                    None => Spoken::Foreign(word),
                });
                Came::Done { output, verdict }
            }
            Answer::Failed { kind, mut error, .. } => {
                if error.step.is_empty() {
                    error.step = self.visit_key(p, id).to_string();
                }
                Came::Failed(Ending::new(kind, error))
            }
        };
        self.settle(p, id, came)
    }

    /// An answer for a fiber that was cancelled meanwhile: it leads nowhere, but what was done must be undone.
    fn late(&mut self, p: &Program, id: FiberId, asked: Asked, answer: Answer) -> Decision {
        if let (Asked::Step, Answer::Done { output, .. }) = (asked, answer) {
            self.returned(p, id, &output);
        }
        Decision::dropped()
    }

    /// A step's worker has returned: its output is kept, and its undoer.
    fn returned(&mut self, p: &Program, id: FiberId, output: &Artifact) {
        let top = self.data.fibers[id].top();
        let Some(visit) = &top.visit else { return };
        let (step_id, step) = (visit.step, p.step(visit.step));
        if let (Some(register), None) = (step.output, visit.item) {
            self.data.frames[top.frame].registers[register.index()] = Some(output.clone());
        }
        // The items of a fan-out are undone one by one.
        let whole = matches!(p.code().get(top.pc as usize), Some(Instruction::Map { .. }));
        if step.undo.is_some() && !whole && !self.foreign {
            let (scope, key) = (top.scope, self.visit_key(p, id));
            self.data.sequence += 1;
            let undoer = Undoer { sequence: self.data.sequence, step: step_id, key, output: output.clone() };
            self.data.scopes[scope].undoers.push(undoer);
        }
    }

    /// Decides what follows from a visit's call, and makes the fiber go there. The fiber is ready, or waits again.
    pub(super) fn settle(&mut self, p: &Program, id: FiberId, came: Came) -> Decision {
        let top = self.data.fibers[id].top();
        let (pc, function, frame) = (top.pc, top.function, top.frame);
        let Some(visit) = &top.visit else { return Decision::dropped() };
        let (step_id, retried, item) = (visit.step, visit.attempt - 1, visit.item.is_some());
        let edges = p.edges(pc);
        let done = matches!(came, Came::Done { .. });
        let (said, came) = self.judge(p, id, edges, step_id, came);
        let error = match &came {
            Arrived::Ending(ending) if done => ending.error().map(Box::new),
            _ => None,
        };
        let counters = &self.data.frames[frame].counters;
        let limits = &p.function(function).counters;
        let choice = outcome::choose(edges, said, item, |_, edge| match (edge.kind, edge.counter) {
            (EdgeKind::Retry, _) => retried < edge.retries,
            // It leads above the first element: nowhere.
            (EdgeKind::Back, _) if edge.offset == 0 => false,
            (_, Some(counter)) => counters[counter.index()] < limits[counter.index()],
            (_, None) => true,
        });
        let taken = self.follow(p, id, edges, &choice, came);
        // Mostly none: not even an empty list is made then.
        let passed_over = match choice.passed_over.as_slice() {
            [] => Vec::new(),
            passed_over => passed_over.iter().map(|at| p.edge_text(&edges[*at])).collect(),
        };
        Decision { taken, passed_over, rule: choice.rule, error }
    }

    /// What the edges are asked about: a success, with or without a word of theirs, or a failure.
    fn judge(&mut self, p: &Program, id: FiberId, edges: &[Edge], step_id: StepId, came: Came) -> (Said, Arrived) {
        let (output, verdict) = match came {
            Came::Failed(ending) => return (Said::Failed(ending.kind), Arrived::Ending(ending)),
            Came::Done { output, verdict } => (output, verdict),
        };
        self.returned(p, id, &output);
        let said = match verdict {
            Spoken::Nothing => return (Said::Nothing, Arrived::Output(output, None)),
            Spoken::Word(word) if edges.iter().any(|edge| edge.word == word) => {
                return (Said::Word(word), Arrived::Output(output, None));
            }
            Spoken::Word(word) if p.step(step_id).verdicts.contains(&word) => {
                return (Said::Nothing, Arrived::Output(output, Some(word)));
            }
            Spoken::Word(word) => p.word(word).to_string(),
            Spoken::Foreign(word) => word,
        };
        let known: Vec<String> =
            p.closed_set(self.data.fibers[id].top().pc, step_id).iter().map(|word| format!("`{word}`")).collect();
        let fault = Fault::UnknownWord { said, known: known.join(", ") };
        let ending = Ending::new(fault.kind(), fault.at(self.visit_key(p, id)));
        (Said::Failed(ending.kind), Arrived::Ending(ending))
    }

    /// Takes the edge that was chosen, or ends the innermost stage.
    fn follow(&mut self, p: &Program, id: FiberId, edges: &[Edge], choice: &Choice, came: Arrived) -> Taken {
        let Some(edge) = choice.taken.map(|at| edges[at]) else {
            let ending = match came {
                Arrived::Ending(ending) if choice.passed_over.is_empty() => ending,
                came => self.nothing_left(p, id, edges, choice, came),
            };
            let taken = Taken::Ends(ending.kind);
            self.begin_unwind(id, ending);
            return taken;
        };
        let taken = match edge.kind {
            EdgeKind::Jump => Taken::Jump(p.word(edge.word).clone()),
            kind => Taken::Edge(kind),
        };
        let top = self.data.fibers[id].top_mut();
        if let Some(counter) = edge.counter {
            self.data.frames[top.frame].counters[counter.index()] += 1;
        }
        match edge.kind {
            EdgeKind::Retry => {
                if let Some(visit) = &mut top.visit {
                    visit.attempt += 1;
                }
            }
            EdgeKind::Cancel => {
                self.begin_unwind(id, came.ending().unwrap_or_else(Ending::cancelled));
            }
            EdgeKind::Timeout => {
                let error = came.ending().and_then(|ending| ending.error);
                self.begin_unwind(id, Ending { kind: EndKind::Timeout, error });
            }
            EdgeKind::Next | EdgeKind::Continue | EdgeKind::Send | EdgeKind::Back | EdgeKind::Jump => {
                let Some(visit) = self.end_visit(id) else { return taken };
                let fiber = &mut self.data.fibers[id];
                fiber.top_mut().pc = edge.at + u32::from(edge.offset);
                let (carried, verdict, error) = match came {
                    Arrived::Output(_, verdict) if edge.kind == EdgeKind::Continue => (visit.input, verdict, None),
                    Arrived::Output(output, verdict) => (Some(output), verdict, None),
                    Arrived::Ending(ending) => (visit.input, None, ending.error),
                };
                fiber.verdict = verdict;
                if let Some(carried) = carried {
                    fiber.value = carried;
                }
                if let Some(error) = error {
                    self.make(id, Making::WithError(error));
                }
            }
        }
        taken
    }

    fn nothing_left(&self, p: &Program, id: FiberId, edges: &[Edge], choice: &Choice, came: Arrived) -> Ending {
        let limits = &p.function(self.data.fibers[id].top().function).counters;
        let why = |edge: &Edge| match (edge.kind, edge.counter) {
            (EdgeKind::Retry, _) => format!("was taken {}", times(edge.retries)),
            (EdgeKind::Back, _) if edge.offset == 0 => "leads nowhere from the first element".to_owned(),
            // A count is of entries: the last round ended here.
            (EdgeKind::Back, Some(counter)) => {
                format!(
                    "would begin round {}, and its count allows {}",
                    u32::from(limits[counter.index()]) + 1,
                    limits[counter.index()]
                )
            }
            (_, Some(counter)) => format!("leads to what was entered {}", times(limits[counter.index()])),
            (_, None) => "cannot be taken".to_owned(),
        };
        let spent = choice.passed_over.iter().map(|at| &edges[*at]);
        let spent: Vec<String> = spent.map(|edge| format!("`{}` {}", p.edge_text(edge), why(edge))).collect();
        let cause = came.ending().map(|ending| match ending.error {
            Some(error) => format!("{}: {}", error.code, error.message),
            None => "it was cancelled".to_owned(),
        });
        let fault = Fault::NothingLeft { spent: spent.join(", "), cause };
        Ending::new(fault.kind(), fault.at(self.visit_key(p, id)))
    }

    /// The `pick` instruction: the first end of an arm that can be taken.
    pub(super) fn pick(&mut self, p: &Program, id: FiberId) -> Flow {
        let top = self.data.fibers[id].top();
        let edges = p.edges(top.pc);
        let counters = &self.data.frames[top.frame].counters;
        let limits = &p.function(top.function).counters;
        let open = |_: usize, edge: &Edge| {
            let leads = edge.offset > 0 || matches!(edge.kind, EdgeKind::Cancel | EdgeKind::Timeout);
            edge.kind != EdgeKind::Retry
                && leads
                && edge.counter.is_none_or(|counter| counters[counter.index()] < limits[counter.index()])
        };
        let choice = outcome::choose(edges, Said::Arm, false, open);
        let caught = self.caught(id).cloned();
        let Some(edge) = choice.taken.map(|at| edges[at]) else {
            let spent: Vec<String> =
                edges.iter().map(|edge| format!("`{}` cannot be taken any more", p.edge_text(edge))).collect();
            let cause =
                caught.and_then(|ending| ending.error).map(|error| format!("{}: {}", error.code, error.message));
            let place = self.place(p, id);
            return self.end_stage(id, Fault::NothingLeft { spent: spent.join(", "), cause }, place);
        };
        let top = self.data.fibers[id].top_mut();
        if let Some(counter) = edge.counter {
            self.data.frames[top.frame].counters[counter.index()] += 1;
        }
        match edge.kind {
            EdgeKind::Cancel => self.begin_unwind(id, caught.unwrap_or_else(Ending::cancelled)),
            EdgeKind::Timeout => {
                let error = caught.and_then(|ending| ending.error);
                self.begin_unwind(id, Ending { kind: EndKind::Timeout, error })
            }
            _ => {
                top.pc = edge.at + u32::from(edge.offset);
                Flow::On
            }
        }
    }

    /// A function called by a step, or to undo one, has returned.
    pub(super) fn return_to_caller(&mut self, p: &Program, id: FiberId) -> Flow {
        let fiber = &mut self.data.fibers[id];
        let Some(activation) = fiber.stack.pop() else { return Flow::Stop };
        let (output, verdict) = (fiber.value.clone(), fiber.verdict);
        let undoers = self.drop_activation(&activation);
        if activation.undo {
            return self.undo_ended(id, activation.function, Ok((output, verdict)));
        }
        let top = self.data.fibers[id].top();
        let Some(visit) = &top.visit else { return self.break_run("a function was called by no step") };
        // A step's own undoer stands for everything that its definition did.
        if p.step(visit.step).undo.is_none() {
            self.pass_on(top.scope, undoers);
        }
        self.function_ended(p, id, activation.function, Ok((output, verdict)))
    }

    /// The visit's function has ended; its caller goes on.
    pub(super) fn function_ended(&mut self, p: &Program, id: FiberId, function: FunctionId, result: Fate) -> Flow {
        let key = self.visit_key(p, id);
        let Some(visit) = &self.data.fibers[id].top().visit else {
            return self.break_run("a function was called by no step");
        };
        let (step, attempt) = (visit.step, visit.attempt);
        let mut end = CallEnd {
            key,
            step,
            function,
            attempt,
            output: None,
            verdict: None,
            kind: None,
            error: None,
            decision: Decision::dropped(),
        };
        let came = match result {
            Ok((output, verdict)) => {
                (end.output, end.verdict) = (Some(output.clone()), verdict);
                Came::Done { output, verdict: verdict.map_or(Spoken::Nothing, Spoken::Word) }
            }
            Err(ending) => {
                (end.kind, end.error) = (Some(ending.kind), ending.error());
                Came::Failed(ending)
            }
        };
        let place = self.out.len();
        end.decision = self.settle(p, id, came);
        end.error = end.error.or_else(|| end.decision.error.as_deref().cloned());
        self.out.insert(place, Out::Trace(Box::new(Action::Ended(end))));
        self.flow(id)
    }

    /// Frees what an activation that has ended owns; its undoers are left over.
    pub(super) fn drop_activation(&mut self, activation: &Activation) -> Vec<Undoer> {
        if activation.owns_frame {
            self.data.frames.remove(activation.frame);
        }
        let Some(base) = self.data.scopes.remove(activation.base) else { return Vec::new() };
        self.stop_timer(base.timer);
        base.undoers
    }
}

fn times(count: impl Into<u32>) -> String {
    match count.into() {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

/// What the edges carry on.
enum Arrived {
    /// With the verdict that travels on: a word that chose an edge is used up.
    Output(Artifact, Option<WordId>),
    Ending(Ending),
}

impl Arrived {
    fn ending(self) -> Option<Ending> {
        match self {
            Arrived::Ending(ending) => Some(ending),
            Arrived::Output(..) => None,
        }
    }
}
