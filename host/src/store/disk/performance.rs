//! What the runs of a store tell of workers. Of a run that is there its journal tells; of those that were removed a table that
//! the removal itself fills, in the same transaction.

use super::Disk;
use crate::limits::Who;
use crate::performance::{DAY, Key, Known, PerformanceRecord, Summary, definitions, is_real};
use crate::store::{RunRow, StoreError};
use crate::work::CACHED;
use aivm_schema::journal::{Body, Outcome, Record};
use aivm_schema::module::Module;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;

/// Made when the first run goes; stores that lack it have none to tell of.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS performance (
    worker TEXT NOT NULL, definition TEXT NOT NULL, day INTEGER NOT NULL, summary TEXT NOT NULL,
    PRIMARY KEY (worker, definition, day)
) WITHOUT ROWID;";

/// What is known of workers, by the day.
pub type Summaries = BTreeMap<Key, Summary>;

impl Disk {
    /// What all runs come to, those that are gone, too; and how many of them could not be read to their end.
    pub fn performance(&self) -> Result<(Summaries, u64), StoreError> {
        let mut all = self.gone()?;
        let mut unread = 0;
        for row in self.runs("", i64::MAX as usize)? {
            let (own, whole) = self.performance_of(&row);
            own.into_iter().for_each(|(key, summary)| all.entry(key).or_default().merge(&summary));
            unread += u64::from(!whole);
        }
        Ok((all, unread))
    }

    /// Every call since then of the runs that are there, the newest run first. Were all of them read to their end?
    pub fn calls(&self, since: u64, mut hear: impl FnMut(PerformanceRecord)) -> Result<bool, StoreError> {
        let mut whole = true;
        for row in self.runs("", i64::MAX as usize)? {
            let last = if since > 0 { self.last_record(&row.id)? } else { None };
            if last.and_then(|bytes| Record::from_bytes(&bytes).ok()).is_some_and(|last| last.at < since) {
                continue;
            }
            let read = self.outcomes(&row, &mut |definition, at, outcome, cached| {
                if at < since {
                    return;
                }
                let mut record = PerformanceRecord::of(&row.id, definition, at, outcome);
                record.cached = cached;
                if let (Ok(output), true) = (&outcome.result, outcome.tokens > 0) {
                    let output = self.find(output.artifact).ok().flatten();
                    let model = output.and_then(|output| output.attribute("model").map(str::to_owned));
                    record.llm_metrics.model_used_at_call = model;
                }
                hear(record);
            });
            whole &= read.is_some();
        }
        Ok(whole)
    }

    /// The tokens that a worker or a provider of models has used since then, in Unix milliseconds: when, and how many.
    pub fn tokens_used(&self, who: &Who, since: u64) -> Vec<(u64, u64)> {
        const MS: u64 = 1_000_000;
        let mut used = Vec::new();
        // What cannot be read is not counted: a limit is no reason not to run.
        let _ = self.calls(since.saturating_mul(MS), |record| {
            let tokens = record.llm_metrics;
            let model = tokens.model_used_at_call.as_deref();
            let is_whose = match who {
                Who::Worker(name) => record.worker == *name,
                Who::Provider(name) => model.and_then(|model| model.split_once('/')).is_some_and(|(of, _)| of == name),
                Who::Model(name) => model == Some(name),
            };
            if is_whose && tokens.total_tokens > 0 {
                used.push((record.timestamp_end / MS, tokens.total_tokens));
            }
        });
        let gone = self.gone().unwrap_or_default().into_iter();
        used.extend(
            gone.filter(|(key, sum)| *who == Who::Worker(key.worker.clone()) && sum.last / MS >= since)
                .map(|(_, sum)| (sum.last / MS, sum.input_tokens.saturating_add(sum.output_tokens))),
        );
        used
    }

    /// What a run comes to. Is that all of it?
    pub(super) fn performance_of(&self, row: &RunRow) -> (Summaries, bool) {
        let mut all = Summaries::new();
        let read = self.outcomes(row, &mut |definition, at, outcome, cached| {
            let (worker, definition) = (outcome.worker.clone(), definition.to_owned());
            let sum = all.entry(Key { worker, definition, day: at / DAY }).or_default();
            if cached { sum.add_cached(at) } else { sum.add(outcome, at) }
        });
        (all, read.is_some())
    }

    /// The calls of a run that tell something of its workers, with the digest of the definition, the time, and whether it was
    /// answered from before. None: it is damaged, or another process removes it.
    fn outcomes(&self, row: &RunRow, hear: &mut dyn FnMut(&str, u64, &Outcome, bool)) -> Option<()> {
        let mut journal = self.look(&row.id).ok()??.journal().ok()?;
        // Read when a call was made: many runs have none, and many share a program.
        let mut known: Option<BTreeMap<String, Known>> = None;
        while let Some((_, bytes)) = journal.record().ok()? {
            let record = Record::from_bytes(&bytes).ok()?;
            match &record.body {
                Body::RunStarted(started) if !is_real(started) => return Some(()),
                Body::Outcome(outcome) => {
                    let known = known.get_or_insert_with(|| {
                        let module = self.find(row.module).ok().flatten();
                        let module = module.and_then(|module| Module::from_bytes(module.payload()).ok());
                        module.map(|module| definitions(&module)).unwrap_or_default()
                    });
                    let (definition, caches) =
                        known.get(&outcome.worker).map_or(("", false), |known| (known.digest.as_str(), known.caches));
                    hear(definition, record.at, outcome, caches && self.is_cached(outcome));
                }
                _ => {}
            }
        }
        Some(())
    }

    /// Was a call answered from before?
    fn is_cached(&self, outcome: &Outcome) -> bool {
        let output = outcome.result.as_ref().ok().and_then(|output| self.find(output.artifact).ok()?);
        // A worker that hands on its input hands on what that is marked with, too.
        output
            .is_some_and(|output| output.attribute("step") == Some(&outcome.key) && output.attribute(CACHED).is_some())
    }

    /// What the runs came to that are gone.
    fn gone(&self) -> Result<Summaries, StoreError> {
        let writer = self.writer();
        let state = writer.state();
        let read = || {
            let there = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'performance'";
            if state.database.query_row(there, [], |row| row.get::<_, i64>(0))? == 0 {
                return Ok(Summaries::new());
            }
            let mut select = state.database.prepare("SELECT worker, definition, day, summary FROM performance")?;
            let row = |row: &rusqlite::Row<'_>| {
                let key = Key { worker: row.get(0)?, definition: row.get(1)?, day: row.get::<_, i64>(2)? as u64 };
                Ok((key, serde_json::from_str(&row.get::<_, String>(3)?).unwrap_or_default()))
            };
            select.query_map([], row)?.collect()
        };
        read().map_err(|source| writer.error(source))
    }
}

/// Keeps what a run came to that goes.
pub(super) fn keep(database: &Connection, summaries: &Summaries) -> rusqlite::Result<()> {
    if summaries.is_empty() {
        return Ok(());
    }
    database.execute_batch(TABLE)?;
    let of = "worker = ?1 AND definition = ?2 AND day = ?3";
    let mut select = database.prepare_cached(&format!("SELECT summary FROM performance WHERE {of}"))?;
    let mut insert = database.prepare_cached("INSERT OR REPLACE INTO performance VALUES (?1, ?2, ?3, ?4)")?;
    for (Key { worker, definition, day }, summary) in summaries {
        let before = select.query_row(params![worker, definition, *day as i64], |row| row.get::<_, String>(0));
        let mut sum: Summary = before.optional()?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        sum.merge(summary);
        let text = serde_json::to_string(&sum).unwrap_or_default();
        insert.execute(params![worker, definition, *day as i64, text])?;
    }
    Ok(())
}
