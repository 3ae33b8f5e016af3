//! `worker stats`: what the journals of all runs tell of each worker.

use crate::args::{Global, WorkerStatsArgs};
use crate::artifact::time_text;
use crate::fail::{Exit, Failure, coded};
use crate::out::say;
use crate::runs::journal::Records;
use aivm_host::trace::dollars;
use aivm_schema::journal::{Body, Outcome};
use aivm_schema::module::EndKind;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is known of a worker's calls.
#[derive(Debug, Default)]
struct Stats {
    /// Microseconds of each successful call.
    went_well: Vec<u64>,
    failed: u64,
    /// Neither: they were stopped.
    cancelled: u64,
    tokens: u64,
    money: u64,
    last: u64,
}

impl Stats {
    fn add(&mut self, outcome: &Outcome, at: u64) {
        match &outcome.result {
            Ok(_) => self.went_well.push(outcome.micros),
            Err((EndKind::Cancel, _)) => self.cancelled += 1,
            Err(_) => self.failed += 1,
        }
        self.tokens = self.tokens.saturating_add(outcome.tokens);
        self.money = self.money.saturating_add(outcome.money);
        self.last = self.last.max(at);
    }

    fn calls(&self) -> u64 {
        self.went_well.len() as u64 + self.failed + self.cancelled
    }

    /// Of the calls that nobody stopped.
    fn rate(&self) -> Option<f64> {
        let well = self.went_well.len() as f64;
        (well + self.failed as f64 > 0.0).then(|| well / (well + self.failed as f64))
    }

    fn average(&self) -> Option<f64> {
        let sum: u128 = self.went_well.iter().map(|micros| u128::from(*micros)).sum();
        (!self.went_well.is_empty()).then(|| sum as f64 / self.went_well.len() as f64 / 1e3)
    }

    /// The time within which 95 of 100 ended.
    fn p95(&self) -> Option<f64> {
        let mut sorted = self.went_well.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * 95).div_ceil(100).checked_sub(1)?;
        sorted.get(rank).map(|micros| *micros as f64 / 1e3)
    }

    fn json(&self, word: &str) -> Value {
        json!({
            "worker": word,
            "total_tasks_attempted": self.calls(),
            "successful_tasks": self.went_well.len(),
            "failed_tasks": self.failed,
            "cancelled_tasks": self.cancelled,
            "average_success_rate": self.rate(),
            "average_duration_ms": self.average(),
            "p95_duration_ms": self.p95(),
            "total_tokens_processed": self.tokens,
            "total_cost_incurred": dollars(self.money),
            "last_activity_timestamp": self.last,
        })
    }

    fn row(&self, word: &str) -> [String; 9] {
        let ms = |ms: Option<f64>| ms.map_or("–".to_owned(), |ms| format!("{ms:.1} ms"));
        [
            word.to_owned(),
            self.calls().to_string(),
            self.failed.to_string(),
            self.rate().map_or("–".to_owned(), |rate| format!("{:.0} %", rate * 100.0)),
            ms(self.average()),
            ms(self.p95()),
            self.tokens.to_string(),
            aivm_schema::unit::Money(self.money).to_string(),
            time_text(self.last),
        ]
    }
}

/// `aivm worker stats`.
pub fn stats(global: &Global, args: &WorkerStatsArgs) -> Result<Exit, Failure> {
    let disk = crate::store::existing()?;
    let rows = disk.runs("", i64::MAX as usize).map_err(|error| coded(&error.to_string()))?;
    let mut all: BTreeMap<String, Stats> = BTreeMap::new();
    let mut unread = 0;
    for row in rows {
        if tell(&disk, &row.id, args.word.as_deref(), &mut all).is_err() {
            unread += 1;
        }
    }
    if global.json {
        let workers: Vec<Value> = all.iter().map(|(word, stats)| stats.json(word)).collect();
        println!("{}", json!({"v": 1, "workers": workers, "unread_runs": unread}));
        return Ok(Exit::SENT);
    }
    if unread > 0 {
        say(&format!("{unread} runs cannot be read, and count only as far as they could: aivm verify RUN"));
    }
    if all.is_empty() {
        say("no calls yet");
        return Ok(Exit::SENT);
    }
    let head = ["worker", "calls", "failed", "went well", "average", "p95", "tokens", "cost", "last (UTC)"];
    let mut lines = vec![head.map(str::to_owned)];
    lines.extend(all.iter().map(|(word, stats)| stats.row(word)));
    let widths: [usize; 9] = std::array::from_fn(|n| {
        lines.iter().filter_map(|line| line.get(n)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    });
    for line in lines {
        let cells: Vec<String> = line
            .iter()
            .zip(widths)
            .enumerate()
            .map(
                |(n, (cell, width))| {
                    if n == 0 || n == 8 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                },
            )
            .collect();
        println!("{}", cells.join("  ").trim_end());
    }
    Ok(Exit::SENT)
}

fn tell(
    disk: &aivm_host::store::disk::Disk,
    run: &str,
    word: Option<&str>,
    all: &mut BTreeMap<String, Stats>,
) -> Result<(), Failure> {
    let mut records = Records::of(disk, run)?;
    while let Some((_, record)) = records.next()? {
        if let Body::Outcome(outcome) = record.body
            && word.is_none_or(|word| word == outcome.worker)
        {
            all.entry(outcome.worker.clone()).or_default().add(&outcome, record.at);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_of_the_calls_that_went_well() {
        let stats = Stats { went_well: (1..=100).rev().map(|ms| ms * 1_000).collect(), failed: 25, ..Stats::default() };
        assert_eq!(
            (stats.calls(), stats.rate(), stats.average(), stats.p95()),
            (125, Some(0.8), Some(50.5), Some(95.0))
        );
        let one = Stats { went_well: vec![7_000], ..Stats::default() };
        assert_eq!(one.p95(), Some(7.0));
        let none = Stats { cancelled: 1, ..Stats::default() };
        assert_eq!((none.calls(), none.rate(), none.average(), none.p95()), (1, None, None, None));
    }
}
