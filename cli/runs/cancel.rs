//! `cancel`: a run is stopped for good. What it did is undone, as when it is interrupted.

use crate::args::{CancelArgs, Global};
use crate::fail::{Exit, Failure, coded};
use crate::out::say;
use crate::runs::find;
use crate::runs::journal::status_word;
use crate::runs::resume;
use crate::store;
use aivm_host::store::RunRow;
use aivm_host::store::disk::{CANCEL, Disk};
use serde_json::json;
use std::time::Duration;

/// Between two looks whether the process that was asked has done it.
const PAUSE: Duration = Duration::from_millis(100);

/// After so many looks the person who waits is told.
const PATIENCE: u64 = 50;

/// `aivm cancel RUN`.
pub fn cancel(global: &Global, args: &CancelArgs) -> Result<Exit, Failure> {
    let disk = store::existing()?;
    let mut row = find::run(&disk, &args.run)?;
    if !is_open(&row) {
        return Err(Failure::usage("E0863", format!("the run {} has ended already: {}", row.id, row.status))
            .help(format!("see how: aivm show {}", row.id)));
    }
    if disk.is_carried(&row.id) {
        row = ask(&disk, row, args.on.quiet || global.json)?;
        if !is_open(&row) {
            return Ok(told(global, args, &row));
        }
        // Its process has gone without hearing it.
    }
    drop(disk);
    resume::go_on(global, &row.id, &args.on, &["cancelled"], |run, mint, _, _| {
        run.cancel(mint.now(), &crate::project::who());
        Ok(())
    })
}

/// Has the run not ended?
fn is_open(row: &RunRow) -> bool {
    matches!(row.status.as_str(), "running" | "parked")
}

/// Asks the process that carries the run on, and waits until it has let the run go. How the run stands then.
fn ask(disk: &Disk, row: RunRow, quiet: bool) -> Result<RunRow, Failure> {
    let failed = |error: aivm_host::store::StoreError| coded(&error.to_string());
    disk.signal(&row.id, CANCEL, &crate::project::who()).map_err(failed)?;
    if !quiet {
        say(&format!("asked the process that carries {} on", row.id));
    }
    for waited in 0.. {
        if !disk.is_carried(&row.id) {
            break;
        }
        if waited == PATIENCE && !quiet {
            say(
                "it is still at it: there may be much to undo, or its process is stopped (kill -CONT) or hangs (kill -9)",
            );
        }
        std::thread::sleep(PAUSE);
    }
    disk.heard(&row.id).map_err(failed)?;
    disk.run(&row.id).map_err(failed)?.ok_or_else(|| find::none(&row.id))
}

/// What came of it in another process.
fn told(global: &Global, args: &CancelArgs, row: &RunRow) -> Exit {
    let word = status_word(row, None);
    if global.json {
        println!("{}", json!({"v": 1, "run": row.id, "status": row.status}));
    } else if !args.on.quiet {
        say(&format!("{word} · run {}", row.id));
    }
    match row.status.as_str() {
        "cancelled" => Exit::SENT,
        "stuck" => Exit::NOT_UNDONE,
        // It ended before it heard.
        _ => Exit::FAILED,
    }
}
