//! The reference evaluator: what a flow graph means, said as plainly as it can be said, beside the page that settles the
//! language. Slow, pure, in virtual time, by recursion over the structure; the machine is held against it.
//!
//! Nothing of the machine is used here, and of the flow graph only what was written: where an outcome leads is found anew.
//! One thing stands for concurrency: a branch is evaluated alone, from the time when its join began `until` the time when it is
//! cancelled. First with the `until` of the join; then all ends are known, and with them the time when the join is decided;
//! then again, with that time as the `until` of those that had not ended. A call that would start at `until` or later is not
//! made, one that is under way then is awaited. Two things at one time have no order in the language: [`Report::tie`].
//!
//! Left out: limits of the whole run, which park it, and cancelling it from outside (both are the host's doing); budgets that
//! concurrent calls share (what a call may take then depends on what was promised to the others); what media types, prompts and behaviours do, and waits before retries (the host's as well).

use crate::flow::*;
use aivm_schema::module::{EndKind, StageKind};
use rustc_hash::FxHashMap;

mod join;
mod outcomes;
mod places;
mod stages;
mod step;
#[cfg(test)]
mod tests;
mod value;

pub use value::{Body, Part, Value};

/// Milliseconds since the run began.
pub type Time = u64;

/// A call of a worker.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// Its place in the run.
    pub key: &'a str,
    /// 1, and one more for each retry.
    pub attempt: u32,
    /// What it is called with.
    pub input: &'a Value,
    /// The words that it may answer, ascending; of a chooser the names of what is left, and `finish`.
    pub words: Vec<&'a str>,
}

/// What comes of a call.
#[derive(Clone, Debug)]
pub struct Answer {
    /// How long it takes.
    pub after_ms: Time,
    /// So long after it is asked to stop it stops, unless it has ended before; none: it goes on to its end.
    pub stops_ms: Option<Time>,
    /// Output and verdict, or the kind of ending and the code of the error.
    pub result: Result<(Value, Option<String>), (EndKind, String)>,
    /// What it costs, in millionths of a dollar.
    pub money: u64,
    /// What it uses, in tokens.
    pub tokens: u64,
}

/// A call, a call of a definition or a fan-out that has ended, or a call that was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Time,
    /// Its place in the run.
    pub key: String,
    /// 1, and one more for each retry.
    pub attempt: u32,
    /// What a worker was called with, and the words that it might have answered.
    pub called: Option<(Value, Vec<String>)>,
    /// What came of it.
    pub came: String,
    /// The word of what followed.
    pub taken: String,
    /// The words of the outcomes that could not be taken before it.
    pub passed_over: Vec<String>,
}

/// What a run did.
#[derive(Clone, Debug)]
pub struct Report {
    /// In the order in which they ended.
    pub ended: Vec<Ended>,
    /// What was sent, with its verdict; or the kind of the ending, with the code of its error.
    pub result: Result<(Value, Option<String>), (EndKind, Option<String>)>,
    /// The keys of the undoers that kept failing.
    pub not_undone: Vec<String>,
    /// The words of the arms that were taken (`a verdict` for those), and what each led to.
    pub arms: Vec<(&'static str, &'static str)>,
    /// A join was decided at the very time at which something else happened in it: the language does not say which is first.
    pub tie: bool,
}

/// Runs a program.
pub fn run(flow: &Flow, input: Value, answer: &dyn Fn(&Call) -> Answer) -> Report {
    let evaluator = Evaluator { flow, answer };
    let mut state = State { until: Time::MAX, ..State::default() };
    let result = evaluator.function(&mut state, FunctionId(0), String::new(), input, Time::MAX);
    state.ended.sort_by_key(|ended| ended.at);
    let result = match result {
        Ok(flowing) => Ok((flowing.value, flowing.verdict)),
        Err(Ending::Of(kind, error)) => Err((kind, error)),
        Err(Ending::Cut) => Err((EndKind::Cancel, None)),
    };
    Report { ended: state.ended, result, not_undone: state.not_undone, arms: state.arms, tie: state.tie }
}

struct Evaluator<'a> {
    flow: &'a Flow,
    answer: &'a dyn Fn(&Call) -> Answer,
}

/// What one strand of the run has done so far.
#[derive(Clone, Default)]
struct State {
    now: Time,
    /// When it is cancelled.
    until: Time,
    /// What would be undone then.
    effects: Vec<Effect>,
    ended: Vec<Ended>,
    not_undone: Vec<String>,
    arms: Vec<(&'static str, &'static str)>,
    /// What is left of the budgets around, outermost first.
    purses: Vec<Purse>,
    /// When it went on because a sibling had ended: which element of which join.
    woken: Vec<(Time, Option<StageId>, usize)>,
    tie: bool,
}

#[derive(Clone, Copy)]
struct Purse {
    money: Option<u64>,
    tokens: Option<u64>,
}

/// One call of a function.
#[derive(Clone)]
struct Frame {
    /// What its keys begin with.
    prefix: String,
    /// Calls so far of each step, for its keys.
    calls: FxHashMap<StepId, u32>,
    /// Choices so far of each select, for its keys.
    choices: FxHashMap<StageId, u32>,
    /// Visits in this entry of the stage around.
    visits: FxHashMap<StepId, u32>,
    /// Entries in this entry of the stage around.
    entries: FxHashMap<StageId, u32>,
    /// What references read.
    kept: FxHashMap<SourceOf, Value>,
    /// When an element of a join ended, and whether it handed in.
    siblings: FxHashMap<(StageId, u32), (Time, bool)>,
    /// What a select had at its last choice.
    finishes: FxHashMap<StageId, Flowing>,
}

/// A value on an edge.
#[derive(Clone, Debug)]
struct Flowing {
    value: Value,
    verdict: Option<String>,
}

/// How something ended that did not end in success.
#[derive(Clone, Debug)]
enum Ending {
    /// By a kind, with the code of the error that led there.
    Of(EndKind, Option<String>),
    /// It was cancelled from around, at `until`.
    Cut,
}

impl Ending {
    fn by(kind: EndKind, code: &str) -> Ending {
        Ending::Of(kind, Some(code.to_owned()))
    }
}

/// A target: a stage, or an element of it.
#[derive(Clone, Copy)]
struct Jump {
    stage: StageId,
    element: Option<u32>,
}

/// How a stage is entered.
enum Entry {
    Flow,
    Caught(Ending),
    /// On the way of a jump to something inside it.
    Inside(Jump),
}

/// How a chain or a stage is left.
enum Way {
    Out(Flowing),
    Jump(Jump, Flowing),
    Ends(Ending),
}

/// Something to undo, should its context be cancelled.
#[derive(Clone)]
struct Effect {
    done_at: Time,
    key: String,
    output: Value,
    undoer: Target,
}

impl Evaluator<'_> {
    /// One call of a function, cancelled at `until`, which may be its own deadline.
    fn function(
        &self,
        state: &mut State,
        id: FunctionId,
        prefix: String,
        input: Value,
        until: Time,
    ) -> Result<Flowing, Ending> {
        let mut frame = Frame::new(prefix, &input);
        let input = Flowing { value: input, verdict: None };
        let Some(chain) = self.flow.function(id).chain else { return Ok(input) };
        self.or_undone(state, until, |state| match self.chain(state, &mut frame, chain, (0, Entry::Flow), input) {
            Way::Out(flowing) => Ok(flowing),
            Way::Ends(ending) => Err(ending),
            Way::Jump(..) => unreachable!("a jump stays in its function"),
        })
    }

    /// A chain, entered at one of its stages.
    fn chain(
        &self,
        state: &mut State,
        frame: &mut Frame,
        id: ChainId,
        (mut at, mut entry): (usize, Entry),
        mut flowing: Flowing,
    ) -> Way {
        let stages = &self.flow.chain(id).stages;
        while let Some(stage) = stages.get(at).copied() {
            if self.is_consumed(frame, stage) {
                return Way::Ends(Ending::by(EndKind::Exhausted, "E0704"));
            }
            *frame.entries.entry(stage).or_default() += 1;
            match self.stage(state, frame, stage, entry, flowing) {
                Way::Out(out) => {
                    (at, entry, flowing) = (at + 1, Entry::Flow, out);
                }
                Way::Ends(ending) => match (&ending, stages.get(at + 1)) {
                    (Ending::Of(kind, error), Some(below))
                        if self.flow.stage(*below).catches.contains(*kind) && !self.is_consumed(frame, *below) =>
                    {
                        let value = frame.kept[&SourceOf::StageIn(stage)].with_error(error);
                        flowing = Flowing { value, verdict: None };
                        (at, entry) = (at + 1, Entry::Caught(ending));
                    }
                    _ => return Way::Ends(ending),
                },
                Way::Jump(jump, out) => match self.position(id, jump.stage) {
                    Some(to) if stages[to] == jump.stage && jump.element.is_none() => {
                        (at, entry, flowing) = (to, Entry::Flow, out);
                    }
                    Some(to) => (at, entry, flowing) = (to, Entry::Inside(jump), out),
                    None => return Way::Jump(jump, out),
                },
            }
        }
        Way::Out(flowing)
    }

    /// One entry of a stage.
    fn stage(&self, state: &mut State, frame: &mut Frame, id: StageId, entry: Entry, flowing: Flowing) -> Way {
        let stage = self.flow.stage(id);
        self.forget_counts_inside(frame, id);
        frame.kept.insert(SourceOf::StageIn(id), flowing.value.clone());
        let deadline = stage.deadline_ms.map(|ms| state.now + ms).filter(|deadline| *deadline < state.until);
        state.purses.push(Purse { money: stage.money, tokens: stage.tokens });
        let (way, own) = state.within(deadline.unwrap_or(state.until), |state| match stage.kind {
            StageKind::Switch => self.switch(state, frame, id, entry, flowing),
            StageKind::Select => self.select(state, frame, id, entry, flowing),
            StageKind::Join => self.join(state, frame, id, &flowing),
            StageKind::Match => self.match_(state, frame, id, entry, flowing),
        });
        state.purses.pop();
        match way {
            Way::Ends(Ending::Cut) if deadline.is_some() => {
                Way::Ends(self.undone(state, own, Ending::by(EndKind::Timeout, "E0706")))
            }
            Way::Ends(ending) => Way::Ends(self.undone(state, own, ending)),
            Way::Out(flowing) => {
                frame.kept.insert(SourceOf::StageOut(id), flowing.value.clone());
                state.effects.extend(own);
                Way::Out(flowing)
            }
            Way::Jump(..) => {
                state.effects.extend(own);
                way
            }
        }
    }

    /// Something that is cancelled at `until`: when it succeeds, its effects are of what is around; else they are undone.
    fn or_undone(
        &self,
        state: &mut State,
        until: Time,
        act: impl FnOnce(&mut State) -> Result<Flowing, Ending>,
    ) -> Result<Flowing, Ending> {
        let (result, own) = state.within(until, act);
        match result {
            Ok(flowing) => {
                state.effects.extend(own);
                Ok(flowing)
            }
            Err(ending) => Err(self.undone(state, own, ending)),
        }
    }

    /// Undoes in reverse order of completion; what is cancelled from around meanwhile does not end by its own ending any more.
    fn undone(&self, state: &mut State, mut effects: Vec<Effect>, ending: Ending) -> Ending {
        effects.sort_by_key(|effect| effect.done_at);
        let purses = std::mem::take(&mut state.purses);
        for effect in effects.iter().rev() {
            self.undo(state, effect);
        }
        state.purses = purses;
        if state.now >= state.until { Ending::Cut } else { ending }
    }

    /// At least once, at most three times; outside all limits.
    fn undo(&self, state: &mut State, effect: &Effect) {
        let key = format!("{}~undo", effect.key);
        for attempt in 1..=3 {
            let input = effect.output.clone();
            let undone = match effect.undoer {
                Target::Worker(_) => {
                    let call = Call { key: &key, attempt, input: &input, words: Vec::new() };
                    let answer = (self.answer)(&call);
                    state.now += answer.after_ms;
                    let result = answer.result.map_err(|(kind, code)| (kind, Some(code)));
                    result.map(|(value, verdict)| Flowing { value, verdict })
                }
                Target::Function(function) => {
                    let (made, _) = state
                        .within(Time::MAX, |state| self.function(state, function, format!("{key}/"), input, Time::MAX));
                    made.map_err(|ending| match ending {
                        Ending::Of(kind, error) => (kind, error),
                        Ending::Cut => unreachable!("an undoer is never cancelled"),
                    })
                }
            };
            let called = matches!(effect.undoer, Target::Worker(_)).then(|| (effect.output.clone(), Vec::new()));
            let taken = if undone.is_ok() { "undone" } else { "not-undone" };
            let came = outcomes::told(&undone.as_ref().map_err(Clone::clone));
            state.log(&key, attempt, called, came, taken, Vec::new());
            if undone.is_ok() {
                return;
            }
        }
        state.not_undone.push(key);
    }
}

impl State {
    /// Does something that is cancelled at `until`; also gives its effects.
    fn within<T>(&mut self, until: Time, act: impl FnOnce(&mut State) -> T) -> (T, Vec<Effect>) {
        let outer = (std::mem::replace(&mut self.until, until), std::mem::take(&mut self.effects));
        let result = act(self);
        self.until = outer.0;
        (result, std::mem::replace(&mut self.effects, outer.1))
    }

    fn log(
        &mut self,
        key: &str,
        attempt: u32,
        called: Option<(Value, Vec<String>)>,
        came: String,
        taken: &str,
        passed_over: Vec<String>,
    ) {
        let (key, taken) = (key.to_owned(), taken.to_owned());
        self.ended.push(Ended { at: self.now, key, attempt, called, came, taken, passed_over });
    }
}

impl Frame {
    fn new(prefix: String, input: &Value) -> Frame {
        Frame {
            prefix,
            calls: FxHashMap::default(),
            choices: FxHashMap::default(),
            visits: FxHashMap::default(),
            entries: FxHashMap::default(),
            kept: FxHashMap::from_iter([(SourceOf::Input, input.clone())]),
            siblings: FxHashMap::default(),
            finishes: FxHashMap::default(),
        }
    }
}
