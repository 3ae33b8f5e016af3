//! Runs by their names: as lists show them, and as they stand.

use crate::fail::{Failure, coded};
use crate::out::plain;
use aivm_host::recovery::{self, From, Recovered};
use aivm_host::store::disk::Disk;
use aivm_host::store::{RunRow, StoreError};

/// What stands for the run that began last, where none is called so.
const LAST: &str = "last";

/// The run of this name, or the one whose name begins so.
pub fn run(disk: &Disk, prefix: &str) -> Result<RunRow, Failure> {
    if let Some(row) = disk.run(prefix).map_err(|error| coded(&error.to_string()))? {
        return Ok(newer(disk, row));
    }
    let (beginning, most) = if prefix == LAST { ("", 1) } else { (prefix, 6) };
    let mut rows = disk.runs(beginning, most).map_err(|error| coded(&error.to_string()))?;
    match rows.len() {
        0 if prefix == LAST => Err(none(prefix)),
        0 => in_the_bucket(disk, prefix)?.ok_or_else(|| none(prefix)),
        1 => Ok(newer(disk, rows.remove(0))),
        _ => {
            let names: Vec<_> = rows.iter().take(5).map(|row| row.id.as_str()).collect();
            Err(Failure::usage("E0813", format!("more than one run matches {prefix}"))
                .help(format!("give more of its name: {}", names.join(", "))))
        }
    }
}

/// A run that was brought here before its end may have gone on: then what has come since is brought, too.
fn newer(disk: &Disk, row: RunRow) -> RunRow {
    if !row.is_brought() {
        return row;
    }
    match in_the_bucket(disk, &row.id) {
        Ok(newer) => newer.unwrap_or(row),
        Err(failure) => {
            eprintln!("{} is shown as it was when it was brought: {}", row.id, plain(&failure.message()));
            row
        }
    }
}

/// A run that is in the bucket is brought here, to be looked at.
#[cfg(feature = "s3")]
fn in_the_bucket(disk: &Disk, run: &str) -> Result<Option<RunRow>, Failure> {
    crate::bucket::fetch(disk, run)
}

#[cfg(not(feature = "s3"))]
fn in_the_bucket(_disk: &Disk, _run: &str) -> Result<Option<RunRow>, Failure> {
    Ok(None)
}

/// No run is called so.
pub fn none(name: &str) -> Failure {
    Failure::usage("E0812", format!("no run is called {}", plain(name))).help("list them: aivm runs")
}

/// A run as it stands, to look at.
pub fn look(disk: &Disk, name: &str, from: From) -> Result<Recovered, Failure> {
    let kept = disk.look(name).map_err(|error| coded(&error.to_string()))?;
    let kept = kept.ok_or_else(|| Failure::usage("E0812", format!("no run is called {name}")))?;
    recovery::recover(&kept, from).map_err(|error| still(disk, name, coded(&error.to_string())))
}

/// What goes wrong with a run that is gone is that it is gone.
pub fn still(disk: &Disk, name: &str, failure: Failure) -> Failure {
    match disk.run(name) {
        Ok(None) => coded(&StoreError::Gone(name.to_owned()).to_string()),
        _ => failure,
    }
}
