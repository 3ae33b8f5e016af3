//! `cancel`: a run is stopped for good. What it did is undone, as when it is interrupted.

use crate::args::{CancelArgs, Global};
use crate::fail::{Exit, Failure};
use crate::{resume, store};

/// `aivm cancel RUN`.
pub fn cancel(global: &Global, args: &CancelArgs) -> Result<Exit, Failure> {
    let disk = store::open()?;
    let row = resume::find(&disk, &args.run)?;
    if !matches!(row.status.as_str(), "running" | "parked") {
        return Err(Failure::usage("E0863", format!("the run {} has ended already: {}", row.id, row.status))
            .help(format!("see how: aivm show {}", row.id)));
    }
    if disk.is_carried(&row.id) {
        return ask(&row.id);
    }
    drop(disk);
    let exit = resume::go_on(global, &row.id, args.quiet, |run, mint, _, _| {
        run.cancel(mint.now(), &resume::who());
        Ok(())
    })?;
    // To be cancelled is what was asked for.
    let now = resume::find(&store::open()?, &row.id)?;
    Ok(if exit == Exit::FAILED && now.status == "cancelled" { Exit::SENT } else { exit })
}

/// Another process carries the run on: it has to be asked.
fn ask(run: &str) -> Result<Exit, Failure> {
    Err(Failure::usage("E0755", format!("the run {run} is under way in another process"))
        .help("interrupt that process: it cancels the run"))
}
