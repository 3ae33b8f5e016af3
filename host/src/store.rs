//! Where artifacts stay: one trait, in memory or in `.aivm/`. Keys of the seed's form are an index over checksums.

use aivm_schema::artifact::{Artifact, Checksum};
use aivm_vm::run::Batch;
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

#[cfg(feature = "s3")]
pub mod bucket;
#[cfg(feature = "store")]
pub mod disk;
pub mod values;

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
    /// Another process has taken the run over, or its journal is not what this process knows.
    #[error("E0754: the run {0} is in other hands: it was taken over by another process")]
    Fenced(String),
    /// Another process is at it.
    #[error("E0755: the run {0} is under way in another process")]
    Owned(String),
    /// The journal of a run is not what was written.
    #[error("E0756: the journal of run {run} is damaged at record {seq}: {reason}")]
    Journal {
        /// Which run.
        run: String,
        /// The first record that cannot be trusted.
        seq: u64,
        /// What is wrong.
        reason: String,
    },
    /// What is stored is not what was.
    #[error("E0753: the artifact {0} is damaged in the store")]
    Damaged(Checksum),
    /// There is a run of this name.
    #[error("E0764: there is a run {} already, which is {}", .0.id, .0.status)]
    Exists(Box<RunRow>),
    /// The run was removed while it was looked at.
    #[error("E0812: no run is called {0} any more: it was removed meanwhile")]
    Gone(String),
    /// Others write to it.
    #[cfg(feature = "store")]
    #[error(
        "E0784: the store {0} is busy: other processes write to it; what was removed so far is gone whole, and the rest is whole"
    )]
    Busy(String),
    /// The run was found damaged.
    #[error("E0765: the run {run} was set aside: {reason}")]
    Quarantined {
        /// Which run.
        run: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// The bucket that values go to.
    #[error("{0}")]
    Bucket(String),
    /// Writing failed: nobody knows what is durable, and this process writes nothing more.
    #[error("{0}")]
    Stopped(Arc<StoreError>),
}

/// An answer that is kept for who asks the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedAnswer {
    /// The question.
    pub key: [u8; 32],
    /// The run that asked it.
    pub run: String,
    /// When it was answered, in Unix nanoseconds.
    pub at: u64,
    /// When the worker that it was asked by would not take it any more.
    pub until: u64,
    /// As a cassette has it.
    pub answer: String,
}

/// A run, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Its name.
    pub id: String,
    /// Unix nanoseconds.
    pub started: u64,
    /// How it stands: [`aivm_vm::run::Status`].
    pub status: String,
    /// The name of the program's file.
    pub program: String,
    /// The artifact of the module that it runs.
    pub module: Checksum,
    /// It is set aside: damaged (what is wrong, and where), or brought here before its end.
    pub quarantine: Option<String>,
}

/// Why a run is set aside that goes on elsewhere.
pub const BROUGHT: &str = "it was brought here before its end: it goes on where it came from; it can be forked";

impl RunRow {
    /// Does it go on elsewhere?
    pub fn is_brought(&self) -> bool {
        self.quarantine.as_deref() == Some(BROUGHT)
    }
}

/// What one run keeps: its artifacts by checksum, and its journal. Everything that its records name must be put: a run needs no
/// other run's artifacts.
pub trait Store {
    /// Keeps an artifact: durable with the next batch, or when `flush` returns.
    fn put(&self, artifact: &Artifact);

    /// An artifact that was put is named by another now: it must be there as long as the run goes on.
    fn hold(&self, artifact: &Artifact);

    /// The artifact of a checksum; none when it is not here or damaged.
    fn get(&self, checksum: Checksum) -> Option<Artifact>;

    /// Has another process asked the run to stop? Who; told once.
    fn cancelled(&self) -> Option<String> {
        None
    }

    /// The answer that is kept to a question, when runs may be answered so.
    fn recall(&self, _key: &[u8; 32]) -> Option<CachedAnswer> {
        None
    }

    /// Keeps an answer for other runs: durable with the next batch.
    fn remember(&self, _entry: CachedAnswer) {}

    /// Makes everything durable that was put.
    fn flush(&self) -> Result<(), StoreError>;

    /// Begins the journal of a run, which is this process's from now on: its row appears with its first records.
    fn begin(&self, run: RunRow) -> Result<(), StoreError>;

    /// The store on disk that it is kept in, for runs that its calls begin; none: nothing stays.
    #[cfg(feature = "store")]
    fn on_disk(&self) -> Option<disk::Disk> {
        None
    }

    /// Adds records to the run's journal, and everything that was put; durable when it is answered. Refused when another process
    /// has taken the run over. After any other error nobody knows what is durable: the process must not go on with the run.
    fn append(&self, batch: Batch) -> Appended;
}

/// The answer to an append: at once, or when a transaction that many share is durable.
#[must_use = "nothing is durable before it is awaited"]
pub struct Appended(Answer);

enum Answer {
    Ready(Option<Result<(), StoreError>>),
    Later(Pin<Box<dyn Future<Output = Result<(), StoreError>>>>),
}

impl Appended {
    /// Answered already.
    pub fn ready(answer: Result<(), StoreError>) -> Appended {
        Appended(Answer::Ready(Some(answer)))
    }

    /// Answered when this is.
    pub fn later(answer: impl Future<Output = Result<(), StoreError>> + 'static) -> Appended {
        Appended(Answer::Later(Box::pin(answer)))
    }
}

impl Future for Appended {
    type Output = Result<(), StoreError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            Answer::Ready(answer) => answer.take().map_or(Poll::Pending, Poll::Ready),
            Answer::Later(answer) => answer.as_mut().poll(context),
        }
    }
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

    fn begin(&self, _run: RunRow) -> Result<(), StoreError> {
        Ok(())
    }

    fn append(&self, _batch: Batch) -> Appended {
        Appended::ready(Ok(()))
    }
}
