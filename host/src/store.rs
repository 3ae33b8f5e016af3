//! Where artifacts stay: one trait, in memory or in `.aivm/`. Keys of the seed's form are an index over checksums.

use aivm_schema::artifact::{Artifact, Checksum};
use rustc_hash::FxHashMap;
use std::cell::RefCell;

#[cfg(feature = "store")]
pub mod disk;

/// Why a store does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database.
    #[cfg(feature = "store")]
    #[error("E0750: the store {path}: {source}")]
    Database {
        /// Which.
        path: String,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file system.
    #[error("E0751: the store {path}: {source}")]
    Io {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Made by another version of this program.
    #[error(
        "E0752: the store {path} has format {found}, and this program reads {expected}: use the program that made it, or move the folder away"
    )]
    Format {
        /// Which.
        path: String,
        /// Its format.
        found: i64,
        /// Ours.
        expected: i64,
    },
    /// What is stored is not what was.
    #[error("E0753: the artifact {0} is damaged in the store")]
    Damaged(Checksum),
}

/// What is kept of a run that has ended.
#[derive(Clone, Debug)]
pub struct RunRow {
    /// Its name.
    pub id: String,
    /// Unix nanoseconds.
    pub started: u64,
    /// How it ended.
    pub status: String,
    /// The name of the program's file.
    pub program: String,
    /// The module that ran.
    pub module: Checksum,
    /// The JSON of `run --json`.
    pub report: String,
}

/// Keeps artifacts by checksum, and the reports of runs.
pub trait Store {
    /// Keeps an artifact, where artifacts are kept. Durable when `flush` returns.
    fn put(&self, artifact: &Artifact);

    /// Keeps an artifact that another names by its checksum: it must be there as long as the run goes on.
    fn hold(&self, artifact: &Artifact);

    /// The artifact of a checksum; none when it is not here or damaged.
    fn get(&self, checksum: Checksum) -> Option<Artifact>;

    /// Makes everything durable that was put.
    fn flush(&self) -> Result<(), StoreError>;

    /// Keeps the report of a run that has ended, where runs are kept.
    fn put_run(&self, run: &RunRow) -> Result<(), StoreError>;
}

/// No store: what a run needs by reference is held in memory, and nothing else.
#[derive(Debug, Default)]
pub struct Memory {
    held: RefCell<FxHashMap<Checksum, Artifact>>,
}

impl Store for Memory {
    fn put(&self, _artifact: &Artifact) {}

    fn hold(&self, artifact: &Artifact) {
        self.held.borrow_mut().insert(artifact.checksum(), artifact.clone());
    }

    fn get(&self, checksum: Checksum) -> Option<Artifact> {
        self.held.borrow().get(&checksum).cloned()
    }

    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn put_run(&self, _run: &RunRow) -> Result<(), StoreError> {
        Ok(())
    }
}
