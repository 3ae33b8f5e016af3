//! A run from its journal: read, checked, told again to a machine of the program that it began with.

use crate::facts;
use crate::parts::Recipes;
use crate::store::disk::{Journal, Kept};
use crate::store::{Store, StoreError};
use aivm_schema::artifact::{Artifact, Checksum};
use aivm_schema::journal::{Body, Record, RunStarted};
use aivm_schema::module::Module;
use aivm_vm::run::{Do, ReplayError, Run};
use aivm_vm::{Action, CompleteError, VerifiedModule, verify};

/// Why a run does not come back.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record is none, or not one that this program writes.
    #[error("E0757: record {seq} of the run {run} cannot be read: {reason}")]
    Record {
        /// Which run.
        run: String,
        /// Which record.
        seq: u64,
        /// Why not.
        reason: String,
    },
    /// The records do not fit each other or their program.
    #[error("E0758: the run {run} cannot go on: {source}")]
    Replay {
        /// Which run.
        run: String,
        /// Why not.
        source: ReplayError,
    },
    /// The program that it began with, or its input, is not what it was.
    #[error("E0759: the run {run} cannot go on: {reason}")]
    Program {
        /// Which run.
        run: String,
        /// Why not.
        reason: String,
    },
    /// What it began with is gone.
    #[error("E0759: the run {run} cannot go on: {what} {checksum} is missing")]
    Missing {
        /// Which run.
        run: String,
        /// Which of its artifacts.
        what: &'static str,
        /// Its name.
        checksum: Checksum,
    },
}

impl RecoveryError {
    /// What is wrong, when the run itself is damaged and will not come back.
    pub fn damage(&self) -> Option<String> {
        let damaged = match self {
            RecoveryError::Store(error) => matches!(error, StoreError::Journal { .. } | StoreError::Damaged(_)),
            RecoveryError::Replay { source, .. } => matches!(source, ReplayError::Missing { .. }),
            RecoveryError::Missing { .. } => true,
            RecoveryError::Record { .. } | RecoveryError::Program { .. } => false,
        };
        damaged.then(|| self.to_string())
    }
}

/// A run that has been told its records.
pub struct Recovered {
    /// As it stands.
    pub run: Run,
    /// The program that it runs.
    pub module: VerifiedModule,
    /// How it began.
    pub started: RunStarted,
    /// When: unix nanoseconds.
    pub began: u64,
    /// The end, when it has ended.
    pub end: Option<aivm_vm::RunEnd>,
    /// What happened so far, for the trace: [`Do::Ended`] and [`Do::Note`].
    pub history: Vec<Do>,
}

impl Recovered {
    /// Keys and the words of what followed, of everything that happened so far.
    pub fn path(&self) -> Vec<(String, String)> {
        let mut path = Vec::new();
        for row in &self.history {
            let (key, decision) = match row {
                Do::Ended(ended) => (&ended.call.key, &ended.decision),
                Do::Note(action) => match &**action {
                    Action::Ended(end) => (&end.key, &end.decision),
                    Action::Mapped(end) => (&end.key, &end.decision),
                    Action::NotMade(not) => (&not.key, &not.decision),
                    _ => continue,
                },
                _ => continue,
            };
            path.push((key.to_string(), decision.taken.word().to_owned()));
        }
        path
    }
}

/// Reads a run and tells it its records. Nothing is called, nothing is written.
pub fn recover(store: &Kept, mut journal: Journal) -> Result<Recovered, RecoveryError> {
    let name = &journal.run().to_owned();
    let read = |bytes: &[u8], seq: u64| {
        Record::from_bytes(bytes).map_err(|error| RecoveryError::Record {
            run: name.clone(),
            seq,
            reason: error.to_string(),
        })
    };
    let program = |reason: String| RecoveryError::Program { run: name.clone(), reason };
    let Some((_, first_bytes)) = journal.next()? else { return Err(program("its journal is empty".into())) };
    let first = read(&first_bytes, 1)?;
    let Body::RunStarted(started) = first.body else {
        return Err(program("its journal does not begin with its start".into()));
    };
    let value = |checksum: Checksum, what: &'static str| -> Result<Artifact, RecoveryError> {
        store.find(checksum)?.ok_or_else(|| RecoveryError::Missing { run: name.clone(), what, checksum })
    };
    let artifact = value(started.program, "its program")?;
    let module = Module::from_bytes(artifact.payload()).map_err(|error| program(error.to_string()))?;
    let module = verify(module).map_err(|errors| program(format!("its program is refused: {errors:?}")))?;
    let input = value(started.input, "its input")?;
    let facts = facts::of(module.module(), started.mock);
    let program_module = module.clone();
    let mut run =
        Run::start(module, input, started.limits, started.timeout_ms, facts, first.at, Some((*started).clone()));
    run.begin_replay(&first_bytes);
    let mut told = Telling { run, name, store, recipes: Recipes::default(), history: Vec::new() };
    while let Some((seq, bytes)) = journal.next()? {
        let record = read(&bytes, seq)?;
        let _ = told.go_to(Some(&record)).map_err(|error| program(error.to_string()))?;
        let mut find = |checksum| store.get(checksum);
        told.run
            .replay(&bytes, &record, &mut find)
            .map_err(|source| RecoveryError::Replay { run: name.clone(), source })?;
    }
    let last = told.go_to(None).map_err(|error| program(error.to_string()))?;
    let end = if let Do::End(end) = last { Some(end).filter(|_| told.run.has_finished()) } else { None };
    Ok(Recovered {
        run: told.run,
        module: program_module,
        started: *started,
        began: first.at,
        end,
        history: told.history,
    })
}

struct Telling<'a> {
    run: Run,
    name: &'a str,
    store: &'a Kept,
    recipes: Recipes,
    history: Vec<Do>,
}

impl Telling<'_> {
    /// Goes on until the run can be told this record; none: until it waits.
    fn go_to(&mut self, record: Option<&Record>) -> Result<Do, CompleteError> {
        if let Some(record) = record
            && (record.together || matches!(record.body, Body::Intent(_)))
        {
            return Ok(Do::Yield);
        }
        loop {
            match self.run.step() {
                Do::Make(make) => self.recipes.answer(&mut self.run, self.name, make, self.store)?,
                row @ (Do::Ended(_) | Do::Note(_)) => self.history.push(row),
                last => {
                    if !record.is_some_and(|record| self.run.is_before(record, &last)) || !matches!(last, Do::Yield) {
                        return Ok(last);
                    }
                }
            }
        }
    }
}
