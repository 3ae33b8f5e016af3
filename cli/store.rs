//! The store of the project, for the commands that look into it.

use crate::fail::{Failure, coded};
use crate::out::short;
use crate::project;
use aivm_host::store::StoreError;
use aivm_host::store::disk::Disk;
use aivm_host::store::values::{Entry, Selection, Values};
use aivm_schema::artifact::Artifact;

/// The store around the current folder, made when it is not there: for those that begin something.
pub fn open() -> Result<Disk, Failure> {
    #[cfg(feature = "s3")]
    if let Some(disk) = crate::bucket::followed() {
        return Ok(disk);
    }
    followed(Disk::open(&project::state_folder()))
}

/// The same for all others: nothing is made, and a store that may not be written can be looked at. Where there is a bucket, what is
/// looked for may come from it, and stay.
pub fn existing() -> Result<Disk, Failure> {
    #[cfg(feature = "s3")]
    if crate::bucket::is_wanted() {
        return open().or_else(|_| followed(Disk::existing(&project::state_folder())));
    }
    followed(Disk::existing(&project::state_folder()))
}

fn followed(disk: Result<Disk, StoreError>) -> Result<Disk, Failure> {
    let disk = disk.map_err(|error| coded(&error.to_string()))?;
    #[cfg(feature = "s3")]
    crate::bucket::follow(&disk)?;
    Ok(disk)
}

/// The values of the store, to look at: on disk, or in the bucket that was named.
pub fn values() -> Result<Box<dyn Values>, Failure> {
    #[cfg(feature = "s3")]
    if let Some(bucket) = crate::bucket::values()? {
        return Ok(Box::new(bucket));
    }
    Ok(Box::new(existing()?))
}

/// Those whose checksum, in hexadecimal, or key begins so: so many, each once.
pub fn beginning(values: &dyn Values, prefix: &str, most: usize) -> Result<Vec<Entry>, Failure> {
    let error = |error: StoreError| coded(&error.to_string());
    let mut found = if prefix.is_empty() { Vec::new() } else { values.starting(prefix, most).map_err(error)? };
    let named = Selection { prefix: prefix.to_owned(), ..Selection::default() };
    for entry in named.of(values, "") {
        let entry = entry.map_err(error)?;
        if found.len() >= most {
            break;
        }
        if found.iter().all(|other| other.checksum != entry.checksum) {
            found.push(entry);
        }
    }
    Ok(found)
}

/// The artifact whose checksum or key begins so.
pub fn find(values: &dyn Values, prefix: &str) -> Result<Artifact, Failure> {
    const MOST_SHOWN: usize = 5;
    match beginning(values, prefix, MOST_SHOWN + 1)?.as_slice() {
        [] => {
            Err(Failure::usage("E0830", format!("no artifact begins with {prefix}"))
                .help("list them: aivm artifact ls"))
        }
        [entry] => values
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
