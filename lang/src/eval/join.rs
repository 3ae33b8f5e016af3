//! What runs concurrently: the elements of a join, the items of a fan-out.

use super::outcomes::Failed;
use super::step::{After, Tried};
use super::*;

/// Runs one branch; lost, it has undone its effects.
type Branch<'a> = &'a dyn Fn(&mut State, &mut Frame, usize) -> Result<Flowing, Ending>;

/// Branches that run at the same time.
struct Group<'a> {
    /// For each, those that it waits for, also through others.
    waits: Vec<Vec<usize>>,
    /// How many outputs are taken.
    take: usize,
    /// The join, when branches can wait for each other.
    join: Option<StageId>,
    branch: Branch<'a>,
}

impl Evaluator<'_> {
    /// "Every element runs concurrently; their outputs become one *parts* Artifact in written order."
    pub(super) fn join(&self, state: &mut State, frame: &mut Frame, id: StageId, flowing: &Flowing) -> Way {
        let stage = self.flow.stage(id);
        let group = Group {
            waits: self.waits(id),
            take: stage.takes(),
            join: Some(id),
            branch: &|state, frame, at| {
                self.or_undone(state, state.until, |state| {
                    let (mut into, mut flowing) = (None, flowing.clone());
                    loop {
                        match self.element(state, frame, id, at, into, flowing) {
                            After::On(out) | After::Send(out) => return Ok(out),
                            After::Ends(ending) => return Err(ending),
                            After::Jump(jump, out) => match self.locate(id, jump) {
                                Some((_, inside)) => (into, flowing) = (inside, out),
                                None => unreachable!("a jump stays in its branch"),
                            },
                            After::Back(..) | After::Finish => unreachable!("no `back` and no chooser in a join"),
                        }
                    }
                })
            },
        };
        match self.together(state, frame, &group) {
            Err(ending) => Way::Ends(ending),
            Ok(mut parts) if stage.is_race() => Way::Out(parts.remove(0).1),
            Ok(parts) => {
                let part = |(at, out): (usize, Flowing)| Part {
                    name: self.flow.element_name(id, at as u32),
                    value: out.value,
                    verdict: out.verdict,
                };
                Way::Out(Flowing { value: Value::parts(parts.into_iter().map(part).collect()), verdict: None })
            }
        }
    }

    /// "One concurrent call per part, results joined in input order."
    pub(super) fn fan_out(
        &self,
        state: &mut State,
        frame: &mut Frame,
        id: StepId,
        key: &str,
        input: &Value,
    ) -> Result<Flowing, Failed> {
        let items = input.items();
        let group = Group {
            waits: vec![Vec::new(); items.len()],
            take: items.len(),
            join: None,
            branch: &|state, _, at| {
                self.or_undone(state, state.until, |state| self.item(state, id, &format!("{key}[{at}]"), &items[at]))
            },
        };
        match self.together(state, frame, &group) {
            Ok(parts) => {
                let part = |(at, out): (usize, Flowing)| Part {
                    name: (at + 1).to_string(),
                    value: out.value,
                    verdict: out.verdict,
                };
                Ok(Flowing { value: Value::parts(parts.into_iter().map(part).collect()), verdict: None })
            }
            Err(Ending::Of(kind, error)) => Err((kind, error)),
            Err(Ending::Cut) => Err((EndKind::Cancel, None)),
        }
    }

    /// One item: retried by itself; lost for good it goes on as it came where the list has `continue`.
    fn item(&self, state: &mut State, id: StepId, key: &str, input: &Value) -> Result<Flowing, Ending> {
        let step = self.flow.step(id);
        let mut outcomes = vec![Outcome::Next];
        outcomes.extend(step.outcomes.iter().find(|outcome| matches!(outcome, Outcome::Retry(_))));
        outcomes.extend(step.outcomes.iter().find(|outcome| **outcome == Outcome::Continue));
        let mut retries = 0;
        for attempt in 1.. {
            state.purses.push(Purse { money: None, tokens: None });
            let tried = self.attempt(state, id, &outcomes, key, attempt, input);
            state.purses.pop();
            let (came, called) = match tried {
                Tried::Ended(came, called) => (came, called),
                Tried::NotMade { .. } => (Err((EndKind::Exhausted, Some("E0705".into()))), None),
            };
            let open = |_: usize, outcome: Outcome| if let Outcome::Retry(n) = outcome { retries < n } else { true };
            let decided = self.decide(step, &outcomes, came, true, open);
            if state.now >= state.until {
                state.log(key, attempt, called, decided.line, "cancelled", Vec::new());
                return Err(Ending::Cut);
            }
            let word = decided.word(self.flow);
            state.log(key, attempt, called, decided.line.clone(), word, decided.passed_over.clone());
            match decided.taken {
                Some((_, Outcome::Retry(_))) => retries += 1,
                Some(_) => return Ok(decided.carried(input)),
                None => return Err(decided.ending()),
            }
        }
        unreachable!("retries are counted")
    }

    /// Runs a group. What was handed in, in written order; or the ending of the first branch lost, when too few are left.
    fn together(&self, state: &mut State, frame: &mut Frame, group: &Group) -> Result<Vec<(usize, Flowing)>, Ending> {
        let (start, until) = (state.now, state.until);
        let count = group.waits.len();
        // Those that wait stand behind those that they wait for.
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_key(|at| group.waits[*at].len());
        let purses = state.purses.clone();
        let alone = |until| State { now: start, until, purses: purses.clone(), ..State::default() };

        // How would each end if nothing cancelled it?
        let mut trial = frame.clone();
        let mut trials: Vec<(usize, State)> = Vec::new();
        let mut ends: Vec<(Time, usize, Result<Flowing, Ending>)> = Vec::new();
        for at in &order {
            let mut own = alone(until);
            let result = (group.branch)(&mut own, &mut trial, *at);
            for frame in [&mut trial, &mut *frame] {
                frame.note(group.join, *at, own.now, result.is_ok());
            }
            let now = own.now;
            trials.push((*at, own));
            if !matches!(result, Err(Ending::Cut)) {
                ends.push((now, *at, result));
            }
        }
        ends.sort_by_key(|(time, ..)| *time);

        // When is it decided, and how?
        let (mut handed_in, mut lost): (Vec<(usize, Flowing)>, Vec<Ending>) = (Vec::new(), Vec::new());
        let mut over: Vec<usize> = Vec::new();
        let mut decided = (count == 0).then_some((start, None));
        for (time, at, result) in &ends {
            over.push(*at);
            match result {
                Ok(out) => handed_in.push((*at, out.clone())),
                Err(ending) => lost.push(ending.clone()),
            }
            if handed_in.len() == group.take || count - lost.len() < group.take {
                decided = Some((*time, Some(*at)));
                break;
            }
        }
        if let Some((time, Some(by))) = decided {
            // Something else happened at that very time, and not because of it.
            let tied = trials.iter().filter(|(at, trial)| {
                let mut woken = trial.woken.iter().filter(|woken| woken.0 == time && woken.1 == group.join);
                let because = group.waits[*at].contains(&by) && woken.clone().any(|woken| woken.2 == by);
                let because = because && woken.all(|woken| woken.2 == by);
                let before = group.waits[by].contains(at) && over.contains(at);
                let same = trial.ended.iter().any(|ended| ended.at == time) || trial.woken.iter().any(|w| w.0 == time);
                *at != by && !because && !before && same
            });
            state.tie |= tied.count() > 0 || time == start && count > 1;
            // Which of two that were lost at one time is the first?
            let mut losses = ends.iter().filter(|(_, at, result)| result.is_err() && over.contains(at));
            if let Some((first, by, _)) = losses.next().filter(|_| handed_in.len() < group.take) {
                state.tie |= losses.any(|(time, at, _)| time == first && !group.waits[*at].contains(by));
            }
        }

        // Now for good.
        let decided_at = decided.map_or(until, |(time, _)| time);
        let mut end = decided.map_or(start, |(time, _)| time);
        let mut passed_on: Vec<Effect> = Vec::new();
        for at in order {
            let mut own = alone(if over.contains(&at) { until } else { decided_at });
            let _ = (group.branch)(&mut own, frame, at);
            // Which of two that completed at one time is undone first?
            state.tie |= own.effects.iter().any(|a| passed_on.iter().any(|b: &Effect| a.done_at == b.done_at));
            passed_on.append(&mut own.effects);
            end = end.max(own.now);
            state.ended.append(&mut own.ended);
            state.not_undone.append(&mut own.not_undone);
            state.arms.append(&mut own.arms);
            state.woken.append(&mut own.woken);
            state.tie |= own.tie;
        }
        state.effects.append(&mut passed_on);
        state.now = end;
        handed_in.sort_by_key(|(at, _)| *at);
        match decided {
            _ if end >= until => Err(Ending::Cut),
            None => Err(Ending::Cut),
            Some(_) if handed_in.len() == group.take => Ok(handed_in),
            Some(_) => Err(lost.swap_remove(0)),
        }
    }

    /// For each element of a join, the siblings that it waits for, also through others.
    fn waits(&self, join: StageId) -> Vec<Vec<usize>> {
        let count = self.flow.stage(join).elements.len();
        let mut waits = vec![Vec::new(); count];
        for step in &self.flow.steps {
            for (_, sibling) in step.refs.iter().filter_map(|source| source.wait).filter(|wait| wait.0 == join) {
                let inside = Jump { stage: step.stage, element: Some(step.element) };
                if let Some((own, _)) = self.locate(join, inside) {
                    waits[own].push(sibling as usize);
                }
            }
        }
        for _ in 0..count {
            for own in 0..count {
                for sibling in waits[own].clone() {
                    let further = waits[sibling].clone();
                    waits[own].extend(further);
                }
                waits[own].sort_unstable();
                waits[own].dedup();
            }
        }
        waits
    }
}

impl Frame {
    fn note(&mut self, join: Option<StageId>, at: usize, time: Time, handed_in: bool) {
        if let Some(join) = join {
            self.siblings.insert((join, at as u32), (time, handed_in));
        }
    }
}
