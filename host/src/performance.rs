//! How well workers do: one record for each call that has ended, as the journals of runs have them, and what many of them come to.
//! The journals are the records; sums are kept only of runs that are gone.

use aivm_schema::journal::{Outcome, RunStarted};
use aivm_schema::module::{EndKind, Module};
use aivm_schema::worker::WorkerDefinition;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A day, in nanoseconds.
pub const DAY: u64 = 24 * 60 * 60 * 1_000_000_000;

/// Whose calls, and when: sums are by the day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The worker's name.
    pub worker: String,
    /// The digest of its definition, in hexadecimal digits.
    pub definition: String,
    /// Days since 1970.
    pub day: u64,
}

/// One call that has ended: the PerformanceRecord of seed 002.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PerformanceRecord {
    /// The run and the step.
    pub task_id: String,
    /// The worker's name.
    pub worker: String,
    /// The digest of its definition.
    pub definition_id: String,
    /// Unix nanoseconds.
    pub timestamp_start: u64,
    /// Unix nanoseconds.
    pub timestamp_end: u64,
    /// In milliseconds, to the microsecond.
    pub duration_ms: f64,
    /// How long of that it waited for a limit.
    pub waited_ms: u64,
    /// Did it do its work?
    pub success: bool,
    /// It was answered as the same call was before: nobody was asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// 1, and one more for each retry.
    pub attempt: u32,
    /// Tokens.
    pub llm_metrics: LlmMetrics,
    /// Dollars.
    pub cost_incurred: f64,
    /// How it failed: the kind, the code and the sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_details: Option<String>,
}

/// Tokens of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LlmMetrics {
    /// Of the question.
    pub input_tokens: u64,
    /// Of the answer.
    pub output_tokens: u64,
    /// All.
    pub total_tokens: u64,
    /// Who answered, where that is a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_used_at_call: Option<String>,
}

impl PerformanceRecord {
    /// Of the outcome of a call that was recorded at this time.
    pub fn of(run: &str, definition: &str, at: u64, outcome: &Outcome) -> PerformanceRecord {
        let error = outcome.result.as_ref().err();
        PerformanceRecord {
            task_id: format!("{run} {}", outcome.key),
            worker: outcome.worker.clone(),
            definition_id: definition.to_owned(),
            timestamp_start: at.saturating_sub(outcome.micros.saturating_mul(1_000)),
            timestamp_end: at,
            duration_ms: outcome.micros as f64 / 1e3,
            waited_ms: outcome.waited_ms,
            success: outcome.result.is_ok(),
            cached: false,
            attempt: outcome.attempt,
            llm_metrics: LlmMetrics {
                input_tokens: outcome.tokens.saturating_sub(outcome.output_tokens),
                output_tokens: outcome.output_tokens,
                total_tokens: outcome.tokens,
                model_used_at_call: None,
            },
            cost_incurred: crate::trace::dollars(outcome.money),
            error_details: error.map(|(kind, error)| format!("{}: {}: {}", kind.word(), error.code, error.message)),
        }
    }
}

/// What many calls come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// They did their work.
    pub successful: u64,
    /// They did not: how often each code was why.
    pub failed: BTreeMap<String, u64>,
    /// They were stopped.
    pub cancelled: u64,
    /// They were answered as the same call was before: nobody was asked, and they are no calls here.
    pub cached: u64,
    /// Of the questions.
    pub input_tokens: u64,
    /// Of the answers.
    pub output_tokens: u64,
    /// Millionths of a dollar.
    pub money: u64,
    /// Of those that did their work, in microseconds.
    pub micros: u64,
    /// What all of them waited for limits, in milliseconds.
    pub waited_ms: u64,
    /// When the last ended, in Unix nanoseconds.
    pub last: u64,
    /// How many of those that did their work took how long: by `step`.
    pub times: BTreeMap<u32, u64>,
}

/// The steps of a histogram of times: 64 to each doubling, so that what is read from it is right within one in a hundred.
const STEPS: u32 = 64;

fn step(micros: u64) -> u32 {
    let octave = micros.checked_ilog2().unwrap_or(0);
    let within = ((u128::from(micros) * u128::from(STEPS)) >> octave) as u32;
    if micros < u64::from(STEPS) { micros as u32 } else { octave * STEPS + within - STEPS }
}

/// The longest time of a step, in microseconds.
fn longest(step: u32) -> u64 {
    if step < STEPS {
        return u64::from(step);
    }
    let (octave, within) = (step / STEPS, step % STEPS + STEPS);
    let next = (u128::from(within) + 1) << octave;
    u64::try_from(next.div_ceil(u128::from(STEPS)) - 1).unwrap_or(u64::MAX)
}

impl Summary {
    /// With one more call.
    pub fn add(&mut self, outcome: &Outcome, at: u64) {
        match &outcome.result {
            Ok(_) => {
                self.successful += 1;
                self.micros = self.micros.saturating_add(outcome.micros);
                *self.times.entry(step(outcome.micros)).or_default() += 1;
            }
            Err((EndKind::Cancel, _)) => self.cancelled += 1,
            Err((_, error)) => *self.failed.entry(error.code.clone()).or_default() += 1,
        }
        self.input_tokens = self.input_tokens.saturating_add(outcome.tokens.saturating_sub(outcome.output_tokens));
        self.output_tokens = self.output_tokens.saturating_add(outcome.output_tokens);
        self.money = self.money.saturating_add(outcome.money);
        self.waited_ms = self.waited_ms.saturating_add(outcome.waited_ms);
        self.last = self.last.max(at);
    }

    /// With one more call that was answered as the same call was before.
    pub fn add_cached(&mut self, at: u64) {
        self.cached += 1;
        self.last = self.last.max(at);
    }

    /// With all that another has.
    pub fn merge(&mut self, other: &Summary) {
        self.successful += other.successful;
        self.cached += other.cached;
        self.cancelled += other.cancelled;
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.money = self.money.saturating_add(other.money);
        self.micros = self.micros.saturating_add(other.micros);
        self.waited_ms = self.waited_ms.saturating_add(other.waited_ms);
        self.last = self.last.max(other.last);
        other.failed.iter().for_each(|(code, count)| *self.failed.entry(code.clone()).or_default() += count);
        other.times.iter().for_each(|(step, count)| *self.times.entry(*step).or_default() += count);
    }

    /// Those that failed.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// All calls, without those that were answered from before.
    pub fn calls(&self) -> u64 {
        self.successful + self.failures() + self.cancelled
    }

    /// Of the calls that nobody stopped, how many did their work.
    pub fn success_rate(&self) -> Option<f64> {
        let ended = self.successful + self.failures();
        (ended > 0).then(|| self.successful as f64 / ended as f64)
    }

    /// Of those that did their work, in milliseconds.
    pub fn average_ms(&self) -> Option<f64> {
        (self.successful > 0).then(|| self.micros as f64 / self.successful as f64 / 1e3)
    }

    /// The time within which so many of a hundred of those that did their work ended, in milliseconds.
    pub fn percentile_ms(&self, of_hundred: u64) -> Option<f64> {
        let rank = (self.successful * of_hundred).div_ceil(100);
        let mut before = 0;
        let step = self.times.iter().find(|(_, count)| {
            before += **count;
            before >= rank
        });
        step.map(|(step, _)| longest(*step) as f64 / 1e3)
    }
}

/// What a program says of a worker, as far as sums need it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The digest of its definition.
    pub digest: String,
    /// May its calls be answered from before?
    pub caches: bool,
}

/// What a program says of its workers, by their names.
pub fn definitions(module: &Module) -> BTreeMap<String, Known> {
    let known = |text: &str| {
        let definition = WorkerDefinition::from_json(text).ok()?;
        Some(Known { digest: definition.digest().to_string(), caches: definition.cache.is_some() })
    };
    let named = module.workers.iter().filter_map(|worker| Some((worker.name.clone(), known(&worker.definition)?)));
    named.collect()
}

/// Do the calls of a run tell something of its workers? Scripted and replayed ones do not.
pub fn is_real(started: &RunStarted) -> bool {
    !started.mock && !started.cassette.as_ref().is_some_and(|cassette| cassette.replay)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aivm_schema::artifact::Checksum;
    use aivm_schema::journal::{Error, Output};

    fn ended(micros: u64, code: Option<(EndKind, &str)>) -> Outcome {
        let error = |(kind, code): (EndKind, &str)| (kind, Error { code: code.to_owned(), ..Error::default() });
        Outcome {
            request: 1,
            key: "s/w#1".into(),
            attempt: 1,
            worker: "w".into(),
            result: code.map_or(Ok(Output { artifact: Checksum([0; 32]), verdict: None }), |code| Err(error(code))),
            money: 10,
            tokens: 15,
            output_tokens: 5,
            micros,
            waited_ms: 1,
            taken: "next".into(),
        }
    }

    #[test]
    fn a_step_has_the_times_between_its_neighbours() {
        for micros in (0..5_000).chain([65_535, 65_536, 1 << 40, u64::MAX - 1, u64::MAX]) {
            let step = step(micros);
            assert!(longest(step) >= micros && (step == 0 || longest(step - 1) < micros), "{micros}: {step}");
            assert!(longest(step) as f64 <= micros as f64 * 1.02, "{micros}");
        }
    }

    #[test]
    fn sums_of_parts_are_those_of_the_whole() {
        let all: Vec<Outcome> = (1..=100).rev().map(|ms| ended(ms * 1_000, None)).collect();
        let others = [ended(1, Some((EndKind::Failure, "E0717"))), ended(1, Some((EndKind::Cancel, "E0713")))];
        let mut whole = Summary::default();
        let mut parts = [Summary::default(), Summary::default()];
        for (n, outcome) in all.iter().chain(&others).enumerate() {
            whole.add(outcome, n as u64);
            parts[n % 2].add(outcome, n as u64);
        }
        whole.add_cached(7);
        parts[1].add_cached(7);
        let [mut one, two] = parts;
        one.merge(&two);
        assert_eq!(one, whole);
        assert_eq!((whole.calls(), whole.failures(), whole.cancelled, whole.cached), (102, 1, 1, 1));
        assert_eq!((whole.input_tokens, whole.output_tokens, whole.money), (1_020, 510, 1_020));
        assert_eq!(whole.average_ms(), Some(50.5));
        let near = |found: Option<f64>, expected: f64| (found.expect("some") / expected - 1.0).abs() < 0.02;
        assert!(near(whole.percentile_ms(50), 50.0) && near(whole.percentile_ms(95), 95.0));
        assert_eq!(Summary::default().percentile_ms(95), None);
        let text = serde_json::to_string(&whole).expect("JSON");
        assert_eq!(serde_json::from_str::<Summary>(&text).expect("the same"), whole);
    }
}
