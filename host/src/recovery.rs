//! A run from its journal: read, checked, told again to a machine of the program that it began with.

use crate::facts;
use crate::parts::Recipes;
use crate::store::{Store, StoreError};
use aivm_schema::artifact::{Artifact, Checksum};
use aivm_schema::journal::{Body, Record, RecordError, RunStarted};
use aivm_schema::module::Module;
use aivm_vm::run::{Do, ReplayError, Run, Saved};
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

/// What is read of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Everything that happened, to look at.
    Start,
    /// What is needed to go on.
    Checkpoint,
}

/// A store with a run's journal in it.
pub trait Recorded: Store {
    /// Looks an artifact up, and says when it is damaged.
    fn find(&self, checksum: Checksum) -> Result<Option<Artifact>, StoreError>;

    /// The run's records in order; of those before its last checkpoint only what is asked for.
    fn records(&self, from: From) -> Result<Box<dyn Records>, StoreError>;
}

/// A run's journal, being read: whole, or not at all.
pub trait Records {
    /// Whose it is.
    fn run(&self) -> &str;

    /// The next record with its number.
    fn record(&mut self) -> Result<Option<(u64, Vec<u8>)>, StoreError>;
}

/// Reads a run and tells it its records. Nothing is called, nothing is written.
pub fn recover(store: &dyn Recorded, from: From) -> Result<Recovered, RecoveryError> {
    let mut reading = Reading::begin(store, from)?;
    loop {
        match reading.tell(None)? {
            Told::All(recovered) => return Ok(*recovered),
            // From its start on the run is one of that program: it does the same.
            Told::Upgraded { program, seq } => {
                reading = Reading { program, upgraded: seq, ..Reading::begin(store, From::Start)? };
            }
        }
    }
}

/// Tells the records of a run to another program. Fails at the first that does not follow from it.
pub fn recover_as(store: &dyn Recorded, module: VerifiedModule) -> Result<Recovered, RecoveryError> {
    match Reading::begin(store, From::Start)?.tell(Some(module))? {
        Told::All(recovered) => Ok(*recovered),
        Told::Upgraded { .. } => unreachable!("a program that is given is never another"),
    }
}

/// A journal, and what stands at its beginning.
struct Reading<'a> {
    store: &'a dyn Recorded,
    name: String,
    journal: Box<dyn Records>,
    /// The first record that is told, and a checkpoint when it is one.
    first: Vec<u8>,
    saved: Option<Saved>,
    started: RunStarted,
    began: u64,
    program: Checksum,
    /// Up to this record the run is one of that program, whatever it was before.
    upgraded: u64,
}

enum Told {
    All(Box<Recovered>),
    /// It goes on as a run of this program.
    Upgraded {
        program: Checksum,
        seq: u64,
    },
}

impl<'a> Reading<'a> {
    fn begin(store: &'a dyn Recorded, from: From) -> Result<Reading<'a>, RecoveryError> {
        let mut journal = store.records(from)?;
        let name = journal.run().to_owned();
        let program = |reason: &str| RecoveryError::Program { run: name.clone(), reason: reason.into() };
        let Some((seq, first)) = journal.record()? else { return Err(program("its journal is empty")) };
        let record = read(&name, &first, seq)?;
        let (saved, start) = match record.body {
            Body::Checkpoint { artifact } => {
                let artifact = found(store, &name, artifact, "its checkpoint")?;
                let saved = Saved::from_bytes(artifact.payload()).map_err(|error| program(&error.to_string()))?;
                let start = read(&name, saved.first(), 1)?;
                (Some(saved), start)
            }
            _ => (None, record),
        };
        let Body::RunStarted(started) = start.body else {
            return Err(program("its journal does not begin with its start"));
        };
        let program = saved.as_ref().map_or(started.program, Saved::program);
        Ok(Reading { store, name, journal, first, saved, started: *started, began: start.at, program, upgraded: 0 })
    }

    fn tell(self, given: Option<VerifiedModule>) -> Result<Told, RecoveryError> {
        let Reading { store, name, mut journal, first, saved, started, began, program, upgraded } = self;
        let refused = |reason: String| RecoveryError::Program { run: name.clone(), reason };
        let is_given = given.is_some();
        let module = match given {
            Some(module) => module,
            None => {
                let artifact = found(store, &name, program, "its program")?;
                let module = Module::from_bytes(artifact.payload()).map_err(|error| refused(error.to_string()))?;
                verify(module).map_err(|error| refused(format!("its program is refused: {error}")))?
            }
        };
        let replays = started.cassette.as_ref().is_some_and(|cassette| cassette.replay);
        let facts = facts::of(module.module(), started.mock, replays);
        let mut find = |checksum| store.get(checksum);
        let run = match saved {
            Some(saved) => {
                saved.reload(module.clone(), facts, &first, &mut find).map_err(|error| refused(error.to_string()))?
            }
            None => {
                let input = found(store, &name, started.input, "its input")?;
                let (limits, timeout_ms, begun) = (started.limits, started.timeout_ms, Some(started.clone()));
                let mut run = Run::start(module.clone(), input, limits, timeout_ms, facts, began, begun);
                if let Some(forked) = &started.forked
                    && let Some(input) = forked.input
                {
                    run.instead(forked.key.clone(), found(store, &name, input, "the input of its fork")?);
                }
                run.begin_replay(&first);
                run
            }
        };
        let mut told = Telling { run, name: &name, store, recipes: Recipes::default(), history: Vec::new() };
        if told.run.is_reloaded() {
            let _ = told.go_to(None).map_err(|error| refused(error.to_string()))?;
        }
        while let Some((seq, bytes)) = journal.record()? {
            let record = read(&name, &bytes, seq)?;
            if let Body::Upgraded { program: next } = record.body
                && next != program
                && seq > upgraded
                && !is_given
            {
                return Ok(Told::Upgraded { program: next, seq });
            }
            let _ = told.go_to(Some(&record)).map_err(|error| refused(error.to_string()))?;
            let replayed = told.run.replay(&bytes, &record, &mut find);
            replayed.map_err(|source| RecoveryError::Replay { run: name.clone(), source })?;
        }
        let last = told.go_to(None).map_err(|error| refused(error.to_string()))?;
        let end = if let Do::End(end) = last { Some(end).filter(|_| told.run.has_finished()) } else { None };
        let Telling { run, history, .. } = told;
        Ok(Told::All(Box::new(Recovered { run, module, started, began, end, history })))
    }
}

fn read(run: &str, bytes: &[u8], seq: u64) -> Result<Record, RecoveryError> {
    let refused = |error: RecordError| RecoveryError::Record { run: run.to_owned(), seq, reason: error.to_string() };
    Record::from_bytes(bytes).map_err(refused)
}

fn found(store: &dyn Recorded, run: &str, checksum: Checksum, what: &'static str) -> Result<Artifact, RecoveryError> {
    let missing = || RecoveryError::Missing { run: run.to_owned(), what, checksum };
    store.find(checksum)?.ok_or_else(missing)
}

struct Telling<'a> {
    run: Run,
    name: &'a str,
    store: &'a dyn Recorded,
    recipes: Recipes,
    history: Vec<Do>,
}

impl Telling<'_> {
    /// Goes on until the run can be told this record; none: until it waits.
    fn go_to(&mut self, record: Option<&Record>) -> Result<Do, CompleteError> {
        if let Some(record) = record
            && (record.together || matches!(record.body, Body::Intent(_) | Body::ApprovalRequested(_)))
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

#[cfg(feature = "store")]
mod disk {
    use super::*;
    use crate::store::disk::{Journal, Kept};

    impl Recorded for Kept {
        fn find(&self, checksum: Checksum) -> Result<Option<Artifact>, StoreError> {
            Kept::find(self, checksum)
        }

        fn records(&self, from: From) -> Result<Box<dyn Records>, StoreError> {
            Ok(Box::new(match from {
                From::Start => self.journal()?,
                From::Checkpoint => self.journal_from_checkpoint()?,
            }))
        }
    }

    impl Records for Journal {
        fn run(&self) -> &str {
            Journal::run(self)
        }

        fn record(&mut self) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
            Journal::record(self)
        }
    }
}
