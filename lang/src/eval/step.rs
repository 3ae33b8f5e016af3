//! Steps: their inputs, their calls, and what follows by the rules of outcomes.

use super::outcomes::{Failed, told};
use super::*;

/// What follows from an element of a stage.
pub(super) enum After {
    On(Flowing),
    Send(Flowing),
    Back(usize, Flowing),
    Jump(Jump, Flowing),
    /// A budget cannot cover the step that a select chose: it ends with what it has.
    Finish,
    Ends(Ending),
}

/// What came of a call that was to be made.
pub(super) enum Made {
    Answered(Result<Flowing, Failed>),
    /// A budget cannot cover it; the innermost around?
    NotCovered {
        innermost: bool,
    },
}

impl Made {
    pub(super) fn came(&self) -> Result<&Flowing, Failed> {
        match self {
            Made::Answered(answer) => answer.as_ref().map_err(Clone::clone),
            Made::NotCovered { .. } => Err((EndKind::Exhausted, Some("E0705".into()))),
        }
    }
}

/// What came of a call that was to be made, and what it was called with and might have said.
pub(super) enum Tried {
    Ended(Result<Flowing, Failed>, Option<(Value, Vec<String>)>),
    /// A budget cannot cover it; the step's own?
    NotMade {
        own: bool,
    },
}

impl Evaluator<'_> {
    /// One element: a visit of its step, or its chain.
    pub(super) fn element(
        &self,
        state: &mut State,
        frame: &mut Frame,
        stage: StageId,
        at: usize,
        into: Option<Jump>,
        flowing: Flowing,
    ) -> After {
        match self.flow.stage(stage).elements[at] {
            Element::Step(_) if self.is_spent(frame, stage, at) => After::Ends(Ending::by(EndKind::Exhausted, "E0704")),
            Element::Step(step) => {
                *frame.visits.entry(step).or_default() += 1;
                let step_ = self.flow.step(step);
                state.purses.push(Purse { money: step_.money, tokens: step_.tokens });
                let after = self.visit(state, frame, step, flowing);
                state.purses.pop();
                after
            }
            Element::Chain(chain) => match self.chain(state, frame, chain, self.entry_of(chain, into), flowing) {
                Way::Out(out) => After::On(out),
                Way::Jump(jump, out) => After::Jump(jump, out),
                Way::Ends(ending) => After::Ends(ending),
            },
        }
    }

    fn visit(&self, state: &mut State, frame: &mut Frame, id: StepId, flowing: Flowing) -> After {
        let step = self.flow.step(id);
        let (stage, element) = (step.stage, step.element as usize);
        let gathered = match self.gather(state, frame, step, &flowing) {
            Ok(gathered) => gathered,
            Err(()) => return After::Ends(Ending::Cut),
        };
        let times = frame.calls.entry(id).or_default();
        *times += 1;
        let key = format!("{}{}/{}#{times}", frame.prefix, self.flow.stage(stage).key, step.name);
        let input = gathered.as_ref().unwrap_or(&flowing.value).clone();
        // The items of a fan-out are retried by themselves, unless a retry is all that there is.
        let only_retry = step.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Retry(_)));
        let is_own = |outcome: &Outcome| !step.each || only_retry || !matches!(outcome, Outcome::Retry(_));
        let outcomes: Vec<Outcome> = step.outcomes.iter().copied().filter(is_own).collect();
        let mut retries = vec![0; outcomes.len()];
        for attempt in 1.. {
            let (came, called) = match &gathered {
                Err(code) => (Err((EndKind::Failure, Some((*code).to_owned()))), None),
                Ok(_) if step.each => {
                    frame.kept.insert(SourceOf::StepIn(id), input.clone());
                    (self.fan_out(state, frame, id, &key, &input), None)
                }
                Ok(_) => match self.attempt(state, id, &outcomes, &key, attempt, &input) {
                    Tried::Ended(came, called) => {
                        frame.kept.insert(SourceOf::StepIn(id), input.clone());
                        (came, called)
                    }
                    Tried::NotMade { own: false } if frame.finishes.contains_key(&stage) => {
                        let came = told(&Err((EndKind::Exhausted, Some("E0705".into()))));
                        state.log(&key, attempt, None, came, "finish", Vec::new());
                        return After::Finish;
                    }
                    Tried::NotMade { .. } => (Err((EndKind::Exhausted, Some("E0705".into()))), None),
                },
            };
            if let Ok(flowing) = &came {
                frame.kept.insert(SourceOf::StepOut(id), flowing.value.clone());
            }
            let open = |at: usize, outcome: Outcome| match outcome {
                Outcome::Retry(most) => retries[at] < most,
                outcome => self.leads_on(frame, stage, element, outcome),
            };
            let decided = self.decide(step, &outcomes, came, false, open);
            if state.now >= state.until {
                // The items of a fan-out have been told.
                if !step.each {
                    state.log(&key, attempt, called, decided.line, "cancelled", Vec::new());
                }
                return After::Ends(Ending::Cut);
            }
            let word = decided.word(self.flow);
            state.log(&key, attempt, called, decided.line.clone(), word, decided.passed_over.clone());
            let Some((at, outcome)) = decided.taken else { return After::Ends(decided.ending()) };
            match outcome {
                Outcome::Retry(_) => retries[at] += 1,
                Outcome::Next | Outcome::Continue => return After::On(decided.carried(&input)),
                Outcome::Send => return After::Send(decided.carried(&input)),
                Outcome::Back(n) => return After::Back(usize::from(n), decided.carried(&input)),
                Outcome::Jump { stage, element, .. } => {
                    return After::Jump(Jump { stage, element }, decided.carried(&input));
                }
                Outcome::Cancel | Outcome::Timeout => return After::Ends(decided.ending()),
            }
        }
        unreachable!("retries are counted")
    }

    /// The step's input, or the code of the error that there is none; `Err` when the step is cancelled while it waits.
    #[allow(clippy::type_complexity)]
    fn gather(
        &self,
        state: &mut State,
        frame: &Frame,
        step: &Step,
        flowing: &Flowing,
    ) -> Result<Result<Value, &'static str>, ()> {
        if step.refs.is_empty() {
            return Ok(Ok(flowing.value.clone()));
        }
        let mut lost = false;
        for sibling in step.refs.iter().filter_map(|source| source.wait) {
            let (end, handed_in) = frame.siblings[&sibling];
            state.now = state.now.max(end.min(state.until));
            if end >= state.until {
                return Err(());
            }
            state.woken.push((end, Some(sibling.0), sibling.1 as usize));
            lost |= !handed_in;
        }
        if lost {
            return Ok(Err("E0707"));
        }
        let name = |of: SourceOf| match of {
            SourceOf::Input => "in".to_owned(),
            SourceOf::StageIn(id) | SourceOf::StageOut(id) => self.flow.stage(id).key.clone(),
            SourceOf::StepIn(id) | SourceOf::StepOut(id) => self.flow.step(id).name.clone(),
        };
        let found = step.refs.iter().filter_map(|source| {
            let value = frame.kept.get(&source.of)?.clone();
            Some(Part { name: name(source.of), value, verdict: None })
        });
        let mut found: Vec<Part> = found.collect();
        Ok(match (found.len(), step.refs.len()) {
            (0, _) => Err("E0701"),
            (_, 1) => Ok(found.remove(0).value),
            _ => Ok(Value::parts(found)),
        })
    }

    /// One call of a step that is no fan-out, or of one item of one. What completed has an effect, also when it was cancelled.
    pub(super) fn attempt(
        &self,
        state: &mut State,
        id: StepId,
        outcomes: &[Outcome],
        key: &str,
        attempt: u32,
        input: &Value,
    ) -> Tried {
        let step = self.flow.step(id);
        let mut inner = Vec::new();
        let (came, called) = match step.target {
            Target::Worker(worker) => {
                let spoken = if step.stands_in { &[][..] } else { outcomes };
                let mut words: Vec<&str> = spoken.iter().map(|outcome| outcome.word(self.flow)).collect();
                words.extend(step.verdicts.iter().map(|word| self.flow.word(*word)));
                words.sort_unstable();
                words.dedup();
                let call = Call { key, attempt, input, words };
                match self.call(state, worker, &call, step.deadline_ms) {
                    Made::Answered(came) => {
                        (came, Some((input.clone(), call.words.iter().map(|word| (*word).to_owned()).collect())))
                    }
                    Made::NotCovered { innermost } => return Tried::NotMade { own: innermost },
                }
            }
            Target::Function(function) => {
                let around = state.until;
                let deadline = step.deadline_ms.map(|ms| state.now + ms).filter(|deadline| *deadline < around);
                let (came, did) = state.within(around, |state| {
                    self.function(state, function, format!("{key}/"), input.clone(), deadline.unwrap_or(around))
                });
                inner = did;
                let came = came.map_err(|ending| match ending {
                    Ending::Of(kind, error) => (kind, error),
                    Ending::Cut if deadline.is_some() && state.now < around => {
                        (EndKind::Timeout, Some("E0706".to_owned()))
                    }
                    Ending::Cut => (EndKind::Cancel, None),
                });
                (came, None)
            }
        };
        match (&came, step.undo) {
            // A step's own undoer stands for everything that its definition did.
            (Ok(flowing), Some(undoer)) => {
                let (done_at, output) = (state.now, flowing.value.clone());
                state.effects.push(Effect { done_at, key: key.to_owned(), output, undoer });
            }
            _ => state.effects.append(&mut inner),
        }
        Tried::Ended(came, called)
    }

    /// Calls a worker and waits for it. Cancelled meanwhile, it stops as it likes, and is awaited.
    pub(super) fn call(&self, state: &mut State, worker: WorkerId, call: &Call, deadline_ms: Option<u64>) -> Made {
        let (money, tokens) = self.flow.worker(worker).price;
        let covers = |left: Option<u64>, price: Option<u64>| match (left, price) {
            (None, _) => true,
            (Some(left), Some(price)) => price <= left,
            (Some(left), None) => left > 0,
        };
        let money_lacks = |purse: &Purse| !covers(purse.money, money.map(|money| money.0));
        let tokens_lack = |purse: &Purse| !covers(purse.tokens, tokens.map(|tokens| tokens.0));
        let refuses = state.purses.iter().rposition(money_lacks).or(state.purses.iter().rposition(tokens_lack));
        if let Some(refuses) = refuses {
            return Made::NotCovered { innermost: refuses + 1 == state.purses.len() };
        }
        let answer = (self.answer)(call);
        for purse in &mut state.purses {
            purse.money = purse.money.map(|left| left.saturating_sub(answer.money));
            purse.tokens = purse.tokens.map(|left| left.saturating_sub(answer.tokens));
        }
        let timely = deadline_ms.is_none_or(|deadline| answer.after_ms <= deadline);
        let end = state.now + if timely { answer.after_ms } else { deadline_ms.unwrap_or(0) };
        let stopped = answer.stops_ms.map(|ms| state.until.saturating_add(ms)).filter(|stopped| *stopped < end);
        state.now = stopped.unwrap_or(end);
        Made::Answered(match answer.result {
            _ if stopped.is_some() => Err((EndKind::Cancel, Some("E0900".into()))),
            _ if !timely => Err((EndKind::Timeout, Some("E0712".into()))),
            Ok((value, verdict)) => Ok(Flowing { value, verdict }),
            Err((kind, code)) => Err((kind, Some(code))),
        })
    }
}
