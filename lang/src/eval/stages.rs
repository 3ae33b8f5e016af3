//! Three of the four kinds; `join` has the fourth.

use super::outcomes;
use super::step::{After, Made};
use super::*;

impl Evaluator<'_> {
    /// "Decided by each step's outcome: from one step to the next."
    pub(super) fn switch(
        &self,
        state: &mut State,
        frame: &mut Frame,
        id: StageId,
        entry: Entry,
        mut flowing: Flowing,
    ) -> Way {
        let mut next = self.first(id, entry).unwrap_or((0, None));
        loop {
            let (at, into) = next;
            match self.element(state, frame, id, at, into, flowing) {
                After::On(out) if at + 1 < self.flow.stage(id).elements.len() => {
                    (next, flowing) = ((at + 1, None), out)
                }
                After::On(out) | After::Send(out) => return Way::Out(out),
                After::Back(n, out) => (next, flowing) = ((at - n, None), out),
                After::Jump(jump, out) => match self.locate(id, jump) {
                    Some(to) => (next, flowing) = (to, out),
                    None => return Way::Jump(jump, out),
                },
                After::Ends(ending) => return Way::Ends(ending),
                After::Finish => unreachable!("no chooser in a switch"),
            }
        }
    }

    /// "A chooser picks, freely and repeatedly, among the steps that are left; then the step's own outcome."
    pub(super) fn select(
        &self,
        state: &mut State,
        frame: &mut Frame,
        id: StageId,
        entry: Entry,
        mut flowing: Flowing,
    ) -> Way {
        let mut next = self.first(id, entry);
        let mut chosen = 0;
        frame.finishes.remove(&id);
        loop {
            let (at, into) = match next.take() {
                Some(next) => next,
                None => match self.choose(state, frame, id, &mut chosen, &flowing) {
                    Ok(Some(at)) => (at, None),
                    Ok(None) => return Way::Out(flowing),
                    Err(ending) => return Way::Ends(ending),
                },
            };
            match self.element(state, frame, id, at, into, flowing) {
                After::On(out) => flowing = out,
                After::Send(out) => return Way::Out(out),
                After::Back(n, out) => (next, flowing) = (Some((at - n, None)), out),
                After::Jump(jump, out) => match self.locate(id, jump) {
                    Some(to) => (next, flowing) = (Some(to), out),
                    None => return Way::Jump(jump, out),
                },
                After::Ends(ending) => return Way::Ends(ending),
                After::Finish => return Way::Out(frame.finishes[&id].clone()),
            }
        }
    }

    /// The element that is chosen; none: the select ends.
    fn choose(
        &self,
        state: &mut State,
        frame: &mut Frame,
        id: StageId,
        chosen: &mut u16,
        flowing: &Flowing,
    ) -> Result<Option<usize>, Ending> {
        let stage = self.flow.stage(id);
        frame.finishes.insert(id, flowing.clone());
        let left: Vec<usize> = (0..stage.elements.len()).filter(|at| !self.is_spent(frame, id, *at)).collect();
        if left.is_empty() || stage.choices.is_some_and(|most| *chosen >= most) {
            return Ok(None);
        }
        let Some(chooser) = stage.chooser else {
            // "Each step once in written order."
            *chosen += 1;
            return Ok(left.into_iter().find(|at| !self.is_visited(frame, id, *at)));
        };
        let times = frame.choices.entry(id).or_default();
        *times += 1;
        let key = format!("{}{}#{times}", frame.prefix, stage.key);
        let names: Vec<String> = left.iter().map(|at| self.flow.element_name(id, *at as u32)).collect();
        let mut words: Vec<&str> = names.iter().map(String::as_str).chain(["finish"]).collect();
        words.sort_unstable();
        for attempt in 1..=2 {
            let call = Call { key: &key, attempt, input: &flowing.value, words: words.clone() };
            let made = self.call(state, chooser, &call, None);
            let came = outcomes::told(&made.came());
            let Made::Answered(answer) = made else {
                // A budget cannot cover it: the select ends with what it has.
                state.log(&key, attempt, None, came, "finish", Vec::new());
                return Ok(None);
            };
            let called = Some((flowing.value.clone(), words.iter().map(|word| (*word).to_owned()).collect()));
            if state.now >= state.until {
                state.log(&key, attempt, called, came, "cancelled", Vec::new());
                return Err(Ending::Cut);
            }
            let said = answer.ok().and_then(|flowing| flowing.verdict);
            let found = said.as_ref().and_then(|said| names.iter().position(|name| name == said));
            let taken = match (&said, found) {
                (Some(said), Some(_)) => said,
                (Some(said), _) if said == "finish" => said,
                _ => "not-chosen",
            };
            state.log(&key, attempt, called, came, taken, Vec::new());
            if taken != "not-chosen" {
                *chosen += 1;
                return Ok(found.map(|found| left[found]));
            }
        }
        Err(Ending::by(EndKind::Failure, "E0709"))
    }

    /// "Arms are tried in written order; an arm is taken when its word holds."
    pub(super) fn match_(
        &self,
        state: &mut State,
        frame: &mut Frame,
        id: StageId,
        entry: Entry,
        flowing: Flowing,
    ) -> Way {
        let stage = self.flow.stage(id);
        let caught = if let Entry::Caught(ending) = &entry { Some(ending.clone()) } else { None };
        let mut next = match self.first(id, entry) {
            Some((arm, into)) => Some((arm, into, flowing)),
            None => {
                let holds = |arm: &Arm| self.holds(frame, stage, arm.on, caught.as_ref(), flowing.verdict.as_deref());
                stage.arms.iter().position(holds).map(|arm| (arm, None, flowing))
            }
        };
        while let Some((arm, into, flowing)) = next.take() {
            let way = match &stage.arms[arm].then {
                Then::Ends(ends) => self.end(state, frame, (id, arm), ends, caught.as_ref(), flowing),
                Then::Chain(chain) => {
                    state.arms.push((told(stage.arms[arm].on), "chain"));
                    self.chain(state, frame, *chain, self.entry_of(*chain, into), flowing)
                }
            };
            match way {
                Way::Jump(jump, out) => match self.locate(id, jump) {
                    Some((arm, into)) => next = Some((arm, into, out)),
                    None => return Way::Jump(jump, out),
                },
                way => return way,
            }
        }
        Way::Ends(caught.unwrap_or(Ending::by(EndKind::Failure, "E0708")))
    }

    fn holds(&self, frame: &Frame, stage: &Stage, on: On, caught: Option<&Ending>, verdict: Option<&str>) -> bool {
        match (caught, on) {
            (None, On::Verdict(word)) => verdict == Some(self.flow.word(word)),
            (None, On::Success | On::Default) => true,
            (None, On::Done(Some(stage))) => self.is_last_entry(frame, stage),
            (None, On::Done(None) | On::Ending(_)) => false,
            (Some(Ending::Of(kind, _)), On::Ending(of)) => *kind == of,
            (Some(Ending::Of(kind, _)), On::Default) => {
                *kind != EndKind::Cancel && stage.arms.iter().any(|arm| arm.on == On::Success)
            }
            (Some(_), _) => false,
        }
    }

    /// The ends of an arm: the first that can be taken, never from a "no" to a "yes".
    fn end(
        &self,
        state: &mut State,
        frame: &Frame,
        (id, arm): (StageId, usize),
        ends: &[Outcome],
        caught: Option<&Ending>,
        flowing: Flowing,
    ) -> Way {
        let mut refused = false;
        for end in ends {
            if refused && end.is_forward() {
                continue;
            }
            if !self.leads_on(frame, id, arm, *end) {
                refused |= !end.is_forward();
                continue;
            }
            let on = told(self.flow.stage(id).arms[arm].on);
            match end {
                Outcome::Cancel => state.arms.push((on, "cancel")),
                Outcome::Timeout => state.arms.push((on, "timeout")),
                Outcome::Jump { .. } => state.arms.push((on, "jump")),
                _ => state.arms.push((on, "send")),
            }
            return match *end {
                Outcome::Cancel => Way::Ends(caught.cloned().unwrap_or(Ending::Of(EndKind::Cancel, None))),
                Outcome::Timeout => {
                    let error = if let Some(Ending::Of(_, error)) = caught { error.clone() } else { None };
                    Way::Ends(Ending::Of(EndKind::Timeout, error))
                }
                Outcome::Jump { stage, element, .. } => Way::Jump(Jump { stage, element }, flowing),
                _ => Way::Out(flowing),
            };
        }
        state.arms.push((told(self.flow.stage(id).arms[arm].on), "exhausted"));
        Way::Ends(Ending::by(EndKind::Exhausted, "E0703"))
    }

    /// Where a jump into the stage leads.
    fn first(&self, id: StageId, entry: Entry) -> Option<(usize, Option<Jump>)> {
        if let Entry::Inside(jump) = entry { self.locate(id, jump) } else { None }
    }

    /// Where a chain is entered.
    pub(super) fn entry_of(&self, chain: ChainId, into: Option<Jump>) -> (usize, Entry) {
        let Some(jump) = into else { return (0, Entry::Flow) };
        let at = self.position(chain, jump.stage).unwrap_or(0);
        let whole = self.flow.chain(chain).stages[at] == jump.stage && jump.element.is_none();
        (at, if whole { Entry::Flow } else { Entry::Inside(jump) })
    }
}

fn told(on: On) -> &'static str {
    match on {
        On::Verdict(_) => "a verdict",
        On::Success => "success",
        On::Done(_) => "done",
        On::Default => "default",
        On::Ending(EndKind::Cancel) => "cancel",
        On::Ending(EndKind::Failure) => "failure",
        On::Ending(EndKind::Exhausted) => "exhausted",
        On::Ending(EndKind::Timeout) => "timeout",
    }
}
