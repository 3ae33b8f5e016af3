//! What happened: one record a call, in the order in which the calls ended, and the events that a progress display follows.

use aivm_schema::artifact::{Artifact, Checksum};
use aivm_schema::module::{Module, StepId, StepTarget, WordId};
use aivm_schema::unit::{Money, Tokens};
use aivm_vm::action::{Action, Call, CallError, Decision, Purpose, RequestId, Rule, Taken};
use aivm_vm::run::{Decided, Do, Ended, Question};
use serde::Serialize;

/// The attribute of what a model returned that says which tool it had wanted and was not given.
pub const REFUSED: &str = "refused";

/// The attribute of what a model returned that has the models that were asked before it and why each gave no answer, a line each.
pub const PASSED_OVER: &str = "models_passed_over";

/// One call that ended.
#[derive(Clone, Debug, Serialize)]
pub struct StepRecord {
    /// Its place in the run: `step2/analyze#1`.
    pub key: String,
    /// Whom it called.
    pub worker: String,
    /// What followed: the word of the outcome taken, or how it ended.
    pub outcome: String,
    /// 1, and one more for each retry.
    pub attempt: u32,
    /// How long it took, in milliseconds, to the microsecond.
    pub ms: f64,
    /// What it returned.
    pub artifact: Option<Checksum>,
    /// The word that the worker said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// Which rule chose the outcome.
    pub rule: Rule,
    /// Outcomes that could not be taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<CallError>,
    /// What it used.
    #[serde(skip_serializing_if = "is_zero")]
    pub tokens: u64,
    /// Of them, those of the answer.
    #[serde(skip_serializing_if = "is_zero")]
    pub output_tokens: u64,
    /// How long it waited for a limit, in milliseconds; `ms` has that in it.
    #[serde(skip_serializing_if = "is_zero")]
    pub waited_ms: u64,
    /// What it cost, in dollars.
    #[serde(skip_serializing_if = "is_nothing")]
    pub cost_usd: f64,
    /// It was answered as the same call was before: nobody was asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// By which run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_from: Option<String>,
    /// The tool that a model wanted first and was not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The models that were asked before the one that answered, each with why it did not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models_passed_over: Vec<String>,
}

/// What came before a model answered.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Before {
    /// The tool that it wanted first and was not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The models that were asked before it, each with why it did not answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models_passed_over: Vec<String>,
}

impl Before {
    /// Of the call of this key, as what it returned says.
    pub fn of(key: &str, output: &Artifact) -> Before {
        // A worker that hands on its input hands on what that is marked with, too.
        if output.attribute("step") != Some(key) {
            return Before::default();
        }
        let lines = output.attribute(PASSED_OVER).unwrap_or_default().lines();
        Before {
            refused: output.attribute(REFUSED).map(str::to_owned),
            models_passed_over: lines.map(str::to_owned).collect(),
        }
    }

    /// The same of a call that has ended; `get` finds what it returned.
    pub fn of_call(what: &Do, get: impl FnOnce(Checksum) -> Option<Artifact>) -> Before {
        match what {
            // Nobody but models uses tokens: no other artifact is looked up.
            Do::Ended(ended) if ended.usage.tokens > 0 => {
                let output = ended.output.and_then(get);
                output.map_or(Before::default(), |output| Before::of(&ended.call.key.to_string(), &output))
            }
            _ => Before::default(),
        }
    }
}

impl StepRecord {
    /// The row of a call that has ended, of a definition, a fan-out, a call that was not made; anything else has none.
    pub fn of(module: &Module, what: Do) -> Option<StepRecord> {
        match what {
            Do::Ended(ended) => Some(StepRecord::of_call(module, *ended)),
            Do::Note(action) => StepRecord::of_note(module, *action),
            _ => None,
        }
    }

    fn of_call(module: &Module, ended: Ended) -> StepRecord {
        let Ended { call, output, verdict, error, usage, micros, decision, .. } = ended;
        let dropped = matches!(decision.taken, Taken::Dropped);
        let mut row = StepRecord::new(call.key.to_string(), call.attempt, decision);
        row.worker = module.workers.get(call.worker.index()).map(|worker| worker.name.clone()).unwrap_or_default();
        row.ms = micros as f64 / 1e3;
        (row.artifact, row.verdict) = (output, verdict);
        // A cancelled call shows why in its outcome.
        row.error = error.filter(|_| !dropped);
        (row.tokens, row.cost_usd) = (usage.tokens, dollars(usage.money));
        (row.output_tokens, row.waited_ms) = (usage.output_tokens, usage.waited_ms);
        row
    }

    /// Of what no call of a worker stands behind.
    fn of_note(module: &Module, action: Action) -> Option<StepRecord> {
        let target = |step: StepId| module.steps.get(step.index()).map(|step| step.target);
        let word = |word: WordId| module.words.get(word.index()).cloned();
        let (row, who) = match action {
            Action::Ended(end) => {
                let mut row = StepRecord::new(end.key.to_string(), end.attempt, end.decision);
                row.artifact = end.output.map(|output| output.checksum());
                (row.verdict, row.error) = (end.verdict.and_then(word), end.error);
                (row, Some(StepTarget::Function(end.function)))
            }
            Action::Mapped(end) => {
                let mut row = StepRecord::new(end.key.to_string(), end.attempt, end.decision);
                row.artifact = end.output.map(|output| output.checksum());
                row.error = end.error;
                (row, target(end.step))
            }
            Action::NotMade(not) => {
                let mut row = StepRecord::new(not.key.to_string(), not.attempt, not.decision);
                row.error = Some(not.error);
                let who = match not.purpose {
                    Purpose::Step(step) | Purpose::Undo(step) => target(step),
                    Purpose::Choose(stage) => {
                        let stage = module.stages.get(stage.index());
                        stage.and_then(|stage| stage.chooser).map(StepTarget::Worker)
                    }
                };
                (row, who)
            }
            _ => return None,
        };
        let worker = match who {
            Some(StepTarget::Function(function)) => {
                module.functions.get(function.index()).map(|function| function.name.clone())
            }
            Some(StepTarget::Worker(worker)) => module.workers.get(worker.index()).map(|worker| worker.name.clone()),
            None => None,
        };
        Some(StepRecord { worker: worker.unwrap_or_default(), ..row })
    }

    fn new(key: String, attempt: u32, decision: Decision) -> StepRecord {
        let outcome = decision.taken.word().to_owned();
        let record = StepRecord::plain(key, attempt, outcome, decision.rule);
        StepRecord { passed_over: decision.passed_over, ..record }
    }

    /// A call of which no more is known.
    pub fn plain(key: String, attempt: u32, outcome: String, rule: Rule) -> StepRecord {
        StepRecord {
            key,
            worker: String::new(),
            outcome,
            attempt,
            ms: 0.0,
            artifact: None,
            verdict: None,
            rule,
            passed_over: Vec::new(),
            error: None,
            tokens: 0,
            output_tokens: 0,
            waited_ms: 0,
            cost_usd: 0.0,
            cached: false,
            cached_from: None,
            refused: None,
            models_passed_over: Vec::new(),
        }
    }

    /// The same of a call that was answered by what this run was answered; none: it was made.
    pub fn cached_from(self, run: Option<String>) -> StepRecord {
        StepRecord { cached: run.is_some(), cached_from: run, ..self }
    }

    /// The same with what came before a model answered.
    pub fn before(self, Before { refused, models_passed_over }: Before) -> StepRecord {
        StepRecord { refused, models_passed_over, ..self }
    }

    /// What came before a model answered, a line each.
    pub fn first(&self) -> impl Iterator<Item = &String> {
        self.models_passed_over.iter().chain(&self.refused)
    }
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

fn is_nothing(value: &f64) -> bool {
    *value == 0.0
}

/// What all calls took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Totals {
    /// Calls of workers.
    pub calls: u64,
    /// The whole run, in milliseconds.
    pub ms: f64,
    /// Tokens.
    pub tokens: u64,
    /// Dollars.
    pub cost_usd: f64,
}

/// Something to show while a run goes on.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A call begins.
    Started {
        /// Its place in the run.
        key: &'a str,
        /// Whom it calls.
        worker: &'a str,
        /// 1, and one more for each retry.
        attempt: u32,
    },
    /// A piece of what a call answers, as it comes.
    Heard {
        /// Its place in the run.
        key: &'a str,
        /// The piece.
        text: &'a str,
    },
    /// A call has ended.
    Ended(&'a StepRecord),
    /// Something that is no call's and that somebody should know.
    Said(&'a str),
}

/// Follows a run.
pub trait Observer {
    /// Something happened. Must not take long: the run waits for it.
    fn event(&mut self, event: Event<'_>);

    /// Are answers to be told piece by piece, where they come so?
    fn is_listening(&self) -> bool {
        false
    }

    /// The run waits for a person: is there one here who decides? None: the run is left parked.
    fn decide(&mut self, _questions: &[Question]) -> Option<(RequestId, Decided)> {
        None
    }

    /// Is the run held, so that calls begin one at a time, when [`Observer::next`] says so?
    fn is_holding(&self) -> bool {
        false
    }

    /// Nothing goes on in a run that is held: which of these calls begins? None: the run is left as it stands.
    fn next(&mut self, _on_hold: &[&Call]) -> Option<RequestId> {
        None
    }

    /// Does anybody look? If not, events are not even made.
    fn is_watching(&self) -> bool {
        true
    }
}

/// Nobody looks.
#[derive(Debug, Default)]
pub struct Nobody;

impl Observer for Nobody {
    fn event(&mut self, _event: Event<'_>) {}

    fn is_watching(&self) -> bool {
        false
    }
}

/// Millionths of a dollar as dollars.
pub fn dollars(money: u64) -> f64 {
    money as f64 / 1_000_000.0
}

/// For people: `3 calls · 1.2s · 20kt · $0.50`, without what is zero.
pub fn totals_text(totals: &Totals) -> String {
    let mut out =
        format!("{} call{} · {}", totals.calls, if totals.calls == 1 { "" } else { "s" }, time_text(totals.ms));
    if totals.tokens > 0 {
        out.push_str(&format!(" · {}", Tokens(totals.tokens)));
    }
    if totals.cost_usd > 0.0 {
        out.push_str(&format!(" · {}", Money((totals.cost_usd * 1_000_000.0).round() as u64)));
    }
    out
}

/// For people: how long a call took, and how much of that it waited for a limit where that is seen: `2.1s (waited 2.0s)`.
pub fn taken_text(ms: f64, waited_ms: u64) -> String {
    match waited_ms {
        0..=100 => time_text(ms),
        waited => format!("{} (waited {})", time_text(ms), time_text(waited as f64)),
    }
}

/// For people: `0.4ms`, `320ms`, `1.2s`, `3m 20s`.
pub fn time_text(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{ms:.1}ms"),
        ms if ms < 1_000.0 => format!("{ms:.0}ms"),
        ms if ms < 60_000.0 => format!("{:.1}s", ms / 1_000.0),
        ms => {
            let seconds = (ms / 1_000.0).round() as u64;
            format!("{}m {}s", seconds / 60, seconds % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_minute_has_sixty_seconds() {
        assert_eq!(super::time_text(59_900.0), "59.9s");
        assert_eq!(super::time_text(119_900.0), "2m 0s");
    }

    #[test]
    fn a_wait_is_told_where_it_is_seen() {
        assert_eq!(super::taken_text(2_100.0, 100), "2.1s");
        assert_eq!(super::taken_text(2_100.0, 2_000), "2.1s (waited 2.0s)");
    }
}
