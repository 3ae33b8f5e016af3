//! `worker stats`: how well each worker does, as the journals of all runs tell, and what is kept of those that are gone.

use crate::args::{Global, WorkerStatsArgs};
use crate::artifact::time_text;
use crate::fail::{Exit, Failure, coded};
use crate::out::{say, short};
use aivm_host::mint::{Clock, SystemClock};
use aivm_host::performance::{DAY, Key, PerformanceRecord, Summary};
use aivm_host::store::disk::Disk;
use aivm_host::trace::dollars;
use aivm_schema::unit::Money;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A worker and, where one is asked about, the digest of a definition of it.
type Row = (String, String);

fn as_json((word, definition): &Row, summary: &Summary) -> Value {
    json!({
        "worker": word,
        "definition": definition,
        "total_tasks_attempted": summary.calls(),
        "successful_tasks": summary.successful,
        "failed_tasks": summary.failures(),
        "failures": summary.failed,
        "cancelled_tasks": summary.cancelled,
        "cached_tasks": summary.cached,
        "average_success_rate": summary.success_rate(),
        "average_duration_ms": summary.average_ms(),
        "p50_duration_ms": summary.percentile_ms(50),
        "p95_duration_ms": summary.percentile_ms(95),
        "waited_ms": summary.waited_ms,
        "input_tokens": summary.input_tokens,
        "output_tokens": summary.output_tokens,
        "total_tokens_processed": summary.input_tokens.saturating_add(summary.output_tokens),
        "total_cost_incurred": dollars(summary.money),
        "last_activity_timestamp": summary.last,
    })
}

const HEAD: [&str; 11] =
    ["worker", "calls", "cached", "failed", "went well", "p50", "p95", "tokens in", "out", "cost", "last (UTC)"];

fn row((word, definition): &Row, summary: &Summary) -> [String; 11] {
    let ms = |ms: Option<f64>| ms.map_or("–".to_owned(), aivm_host::trace::time_text);
    let name = if definition.is_empty() { word.clone() } else { format!("{word} {}", short(definition)) };
    [
        name,
        summary.calls().to_string(),
        summary.cached.to_string(),
        summary.failures().to_string(),
        summary.success_rate().map_or("–".to_owned(), |rate| format!("{:.0} %", rate * 100.0)),
        ms(summary.percentile_ms(50)),
        ms(summary.percentile_ms(95)),
        summary.input_tokens.to_string(),
        summary.output_tokens.to_string(),
        Money(summary.money).to_string(),
        time_text(summary.last),
    ]
}

/// `aivm worker stats`.
pub fn stats(global: &Global, args: &WorkerStatsArgs) -> Result<Exit, Failure> {
    let disk = crate::store::existing()?;
    let since = args.since.map(|age| SystemClock.now().saturating_sub(age.0.saturating_mul(1_000_000)));
    let since = since.unwrap_or(0);
    let asked = |worker: &str| args.word.as_deref().is_none_or(|word| word == worker);
    if args.records {
        return records(global, &disk, since, asked);
    }
    let (all, unread) = disk.performance().map_err(|error| coded(&error.to_string()))?;
    let mut rows: BTreeMap<Row, Summary> = BTreeMap::new();
    let mut definitions: BTreeMap<String, BTreeMap<Row, Summary>> = BTreeMap::new();
    for (Key { worker, definition, day }, summary) in all {
        // Days are whole: the one in which it begins counts.
        if asked(&worker) && day >= since / DAY {
            let own = definitions.entry(worker.clone()).or_default();
            own.entry((worker.clone(), definition)).or_default().merge(&summary);
            rows.entry((worker, String::new())).or_default().merge(&summary);
        }
    }
    if global.json {
        let all = |rows: &BTreeMap<Row, Summary>| rows.iter().map(|(row, sum)| as_json(row, sum)).collect::<Vec<_>>();
        let mut workers = all(&rows);
        for (worker, own) in workers.iter_mut().zip(definitions.values()) {
            if let Some(worker) = worker.as_object_mut() {
                worker.remove("definition");
                worker.insert("definitions".to_owned(), Value::Array(all(own)));
            }
        }
        println!("{}", json!({"v": 1, "workers": workers, "unread_runs": unread}));
        return Ok(Exit::SENT);
    }
    unread_runs(unread);
    if rows.is_empty() {
        say("no calls yet");
        return Ok(Exit::SENT);
    }
    // Of one worker also its definitions, where it has had several.
    if let (Some(_), Some(own)) = (&args.word, definitions.into_values().next().filter(|own| own.len() > 1)) {
        rows.extend(own);
    }
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(rows.iter().map(|(name, summary)| row(name, summary)));
    let widths: [usize; HEAD.len()] = std::array::from_fn(|n| {
        lines.iter().filter_map(|line| line.get(n)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    });
    let ends = [0, HEAD.len() - 1];
    for line in lines {
        let cells = line.iter().zip(widths).enumerate().map(|(n, (cell, width))| match ends.contains(&n) {
            true => format!("{cell:<width$}"),
            false => format!("{cell:>width$}"),
        });
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    Ok(Exit::SENT)
}

fn unread_runs(unread: u64) {
    if unread > 0 {
        say(&format!("{unread} runs cannot be read, and count only as far as they could: aivm verify RUN"));
    }
}

/// `--records`: each call of the runs that are there, a line of JSON each; with `--json` all in one object.
fn records(global: &Global, disk: &Disk, since: u64, asked: impl Fn(&str) -> bool) -> Result<Exit, Failure> {
    let mut all = Vec::new();
    let whole = disk.calls(since, |record: PerformanceRecord| {
        if !asked(&record.worker) {
            return;
        }
        match (global.json, serde_json::to_value(&record)) {
            (true, Ok(record)) => all.push(record),
            (false, Ok(record)) => println!("{record}"),
            (_, Err(_)) => {}
        }
    });
    let whole = whole.map_err(|error| coded(&error.to_string()))?;
    match global.json {
        true => println!("{}", json!({"v": 1, "records": all, "whole": whole})),
        false if !whole => say("some runs cannot be read, and count only as far as they could: aivm verify RUN"),
        false => {}
    }
    Ok(Exit::SENT)
}
