//! The store of the project, for the commands that look into it.

use crate::fail::{Failure, coded};
use crate::out::short;
use crate::project;
use aivm_host::store::disk::Disk;
use aivm_schema::artifact::Artifact;

/// The store around the current folder, made when it is not there: for those that begin something.
pub fn open() -> Result<Disk, Failure> {
    Disk::open(&project::state_folder()).map_err(|error| coded(&error.to_string()))
}

/// The same for all others: nothing is made, and a store that may not be written can be looked at.
pub fn existing() -> Result<Disk, Failure> {
    Disk::existing(&project::state_folder()).map_err(|error| coded(&error.to_string()))
}

/// The artifact whose checksum or key begins so.
pub fn find(disk: &Disk, prefix: &str) -> Result<Artifact, Failure> {
    const MOST_SHOWN: usize = 5;
    let entries = disk.list(prefix, MOST_SHOWN + 1).map_err(|error| coded(&error.to_string()))?;
    match entries.as_slice() {
        [] => {
            Err(Failure::usage("E0830", format!("no artifact begins with {prefix}"))
                .help("list them: aivm artifact ls"))
        }
        [entry] => disk
            .find(entry.checksum)
            .map_err(|error| coded(&error.to_string()))?
            .ok_or_else(|| Failure::failed("E0830", format!("the artifact {prefix} is gone"))),
        several => {
            let more = if several.len() > MOST_SHOWN { ", …" } else { "" };
            let names: Vec<String> = several.iter().take(MOST_SHOWN).map(|entry| short(entry.checksum)).collect();
            Err(Failure::usage("E0831", format!("more than one artifact begins with {prefix}"))
                .help(format!("give more of it: {}{more}", names.join(", "))))
        }
    }
}
