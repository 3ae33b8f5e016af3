//! What was hit, and how often.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;

/// Everything that must be hit in the form of CI: sorts of records, and what recovery decides.
pub const MUST: [&str; 56] = [
    "record approval-decided",
    "record approval-requested",
    "record cancel-requested",
    "record checkpoint",
    "record intent",
    "record limits-raised",
    "record outcome",
    "record parked",
    "record resolved",
    "record rollback-requested",
    "record run-finished",
    "record run-started",
    "record timer-fired",
    "record unknown",
    "crash: after the end",
    "crash: disk full",
    "crash: during recovery",
    "crash: flush failed",
    "crash: killed",
    "crash: power lost",
    "crash: taken over",
    "recovered from a checkpoint",
    "recovered from the start",
    "recovered an ended run",
    "recovered before it began",
    "torn tail dropped",
    "an old owner was fenced",
    "again: pure",
    "again: read",
    "again: idempotent, live key",
    "again: idempotent, not happened",
    "again: compensable, not happened",
    "again: irreversible, not happened",
    "unknown: idempotent, expired key",
    "unknown: compensable",
    "unknown: irreversible",
    "unknown: after a stop",
    "settled: happened",
    "settled: not happened",
    "probe: happened",
    "probe: not happened",
    "probe: not known",
    "stopped before it began",
    "a retry waits",
    "a retry waits after a crash",
    "a script goes on",
    "asked again after a crash",
    "decided with another content",
    "refused: another subject",
    "refused: expired",
    "refused: answered",
    "no place",
    "no place: one is unknown",
    "nobody answered in time",
    "rolled back to a step",
    "stuck, and tried again",
];

/// The same of the host's own driver and recovery.
pub const MUST_OF_HOST: [&str; 35] = [
    "record approval-decided",
    "record approval-requested",
    "record cancel-requested",
    "record checkpoint",
    "record intent",
    "record limits-raised",
    "record outcome",
    "record parked",
    "record resolved",
    "record rollback-requested",
    "record run-finished",
    "record run-started",
    "record timer-fired",
    "record unknown",
    "crash: after the end",
    "crash: disk full",
    "crash: flush failed",
    "crash: killed",
    "crash: power lost",
    "crash: taken over",
    "recovered",
    "recovered an ended run",
    "recovered before it began",
    "recovered from a checkpoint",
    "an old owner was fenced",
    "again: idempotent, live key",
    "again: irreversible, not happened",
    "settled: happened",
    "settled: not happened",
    "probe: happened",
    "probe: not happened",
    "decided on the spot",
    "decided later",
    "no place",
    "no place: one is unknown",
];

#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub runs: u64,
    pub crashes: u64,
    /// Compared with a run that is never interrupted.
    pub compared: u64,
    pub operations: u64,
    pub hits: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub fn hit(&mut self, what: &'static str) {
        *self.hits.entry(what).or_default() += 1;
    }

    pub fn add(&mut self, other: &Tally) {
        self.runs += other.runs;
        self.crashes += other.crashes;
        self.compared += other.compared;
        self.operations += other.operations;
        for (what, count) in &other.hits {
            *self.hits.entry(what).or_default() += count;
        }
    }

    /// What was hit less often than that.
    pub fn seldom(&self, must: &[&'static str], least: u64) -> Vec<&'static str> {
        must.iter().copied().filter(|what| self.hits.get(what).is_none_or(|count| *count < least)).collect()
    }

    /// One line.
    pub fn json(&self, part: &str) -> String {
        let mut line = format!(
            r#"{{"part":"{part}","runs":{},"crashes":{},"compared":{},"operations":{},"hits":{{"#,
            self.runs, self.crashes, self.compared, self.operations
        );
        for (at, (what, count)) in self.hits.iter().enumerate() {
            let _ = write!(line, r#"{}"{what}":{count}"#, if at > 0 { "," } else { "" });
        }
        line + "}}"
    }

    /// For people, and for `docs/reliability.md`.
    pub fn report(&self, part: &str) {
        println!(
            "{part}: {} runs, {} crashes, {} compared, {} operations",
            self.runs, self.crashes, self.compared, self.operations
        );
        if let Ok(path) = std::env::var("AIVM_CRASHES_JSON") {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
            writeln!(file.expect("a place for the counts"), "{}", self.json(part)).expect("room for the counts");
        }
    }
}
