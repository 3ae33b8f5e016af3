//! A run as its journal tells it, for the commands that look at runs: the store is opened, the run found, its records told
//! again, and what happened given as rows. Nothing is called, claimed or written. Only this file knows how that is done.

use crate::artifact::short;
use crate::fail::{Failure, coded};
use crate::module::DEBUG;
use crate::{resume, store};
use aivm_host::recovery::{self, Recovered, RecoveryError};
use aivm_host::store::disk::{Disk, Reader};
use aivm_host::store::{RunRow, StoreError};
use aivm_host::trace::{StepRecord, Totals};
use aivm_schema::artifact::{Artifact, Checksum};
use aivm_schema::journal::{ApprovalRequested, Body, Intent, Record, RunStarted};
use aivm_schema::module::{DEBUG_MEDIA_TYPE, Debug, Module, StepId};
use aivm_vm::action::{Action, Purpose, RunEnd};
use aivm_vm::run::Do;
use aivm_vm::verify::VerifiedModule;
use std::collections::{BTreeMap, HashMap};

/// A run as it stands.
pub struct Told {
    /// As lists show it.
    pub row: RunRow,
    /// How it began.
    pub started: RunStarted,
    /// The program that it runs.
    pub module: VerifiedModule,
    /// The end, when it has ended.
    pub end: Option<RunEnd>,
    /// What happened, in the order in which it ended.
    pub rows: Vec<Row>,
    /// Calls that have begun and not ended, in the order in which they began.
    pub open: Vec<Open>,
    /// When it began, and the time of its last record: unix nanoseconds.
    pub began: u64,
    /// See `began`.
    pub last: u64,
    /// What it waits for, when it does not go on.
    pub waits: Option<String>,
}

/// Something that has ended.
pub struct Row {
    /// As reports show it.
    pub record: StepRecord,
    /// The step that it was for; none: a chooser.
    pub step: Option<StepId>,
    /// A worker was called; else a definition or a fan-out has ended, or a call was not made.
    pub called: bool,
    /// It took back what the step did.
    pub undo: bool,
    /// What it was called with.
    pub input: Option<Checksum>,
    /// When it ended, in unix nanoseconds, of a call.
    pub at: Option<u64>,
}

/// A call that has not ended.
pub struct Open {
    /// Its place in the run.
    pub key: String,
    /// Whom it calls.
    pub worker: String,
    /// 1, and one more for each retry.
    pub attempt: u32,
    /// Since when: unix nanoseconds.
    pub at: u64,
    /// How it stands.
    pub stands: Stands,
}

/// How a call stands that has not ended.
pub enum Stands {
    /// It was begun.
    Begun,
    /// Nobody knows whether it happened.
    Unknown,
    /// A person is asked.
    Asked(Box<ApprovalRequested>),
}

impl Told {
    /// Tables and code.
    pub fn module(&self) -> &Module {
        self.module.module()
    }

    /// What all calls took.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals { ms: self.last.saturating_sub(self.began) as f64 / 1e6, ..Totals::default() };
        for Row { record, .. } in self.rows.iter().filter(|row| row.called) {
            totals.calls += 1;
            totals.tokens = totals.tokens.saturating_add(record.tokens);
            totals.cost_usd += record.cost_usd;
        }
        totals
    }

    /// The line to type when somebody must say something before a call can end.
    pub fn way_on(&self, open: &Open) -> Option<String> {
        let (run, key) = (&self.row.id, &open.key);
        match &open.stands {
            Stands::Begun => None,
            Stands::Unknown => Some(format!("aivm settle {run} {key} happened|not-happened")),
            Stands::Asked(question) => {
                let subject = short(Checksum(question.subject));
                Some(format!("aivm approve {run} OUTCOME --step '{key}' --subject {subject}"))
            }
        }
    }
}

/// The run whose name begins so, told.
pub fn tell(disk: &Disk, name: &str) -> Result<Told, Failure> {
    let RunRow { id, .. } = resume::find(disk, name)?;
    let carried = disk.is_carried(&id);
    let failed = |error: RecoveryError| coded(&error.to_string());
    let journal = disk.journal(&id).map_err(|error| failed(error.into()))?;
    let journal = journal.ok_or_else(|| resume::none(name))?;
    let times = Times::of(&journal.row, &journal.records)?;
    let Recovered { module, started, began, end, history, .. } = recovery::recover(disk, &journal).map_err(failed)?;
    let rows = history.into_iter().filter_map(|what| row(module.module(), what, &times.ended)).collect();
    let waits = waits(&journal.row, carried, times.parked);
    let (last, open) = (times.last.max(began), times.open.into_values().collect());
    Ok(Told { row: journal.row, started, module, end, rows, open, began, last, waits })
}

/// What only the records tell.
#[derive(Default)]
struct Times {
    /// When each call ended.
    ended: HashMap<u64, u64>,
    open: BTreeMap<u64, Open>,
    parked: Option<String>,
    last: u64,
}

impl Times {
    fn of(row: &RunRow, records: &[Vec<u8>]) -> Result<Times, Failure> {
        let mut times = Times::default();
        for (bytes, seq) in records.iter().zip(1..) {
            let Record { at, body, .. } = read(&row.id, seq, bytes)?;
            times.last = at;
            match body {
                Body::Intent(intent) => {
                    let Intent { request, key, worker, attempt, .. } = *intent;
                    times.open.insert(request, Open { key, worker, attempt, at, stands: Stands::Begun });
                }
                Body::ApprovalRequested(question) => {
                    let (request, key, worker) = (question.request, question.key.clone(), question.worker.clone());
                    times.open.insert(request, Open { key, worker, attempt: 1, at, stands: Stands::Asked(question) });
                }
                Body::Outcome(outcome) => {
                    times.open.remove(&outcome.request);
                    times.ended.insert(outcome.request, at);
                }
                Body::Unknown { request } => times.mark(request, Stands::Unknown),
                Body::Resolved(resolved) => times.mark(resolved.request, Stands::Begun),
                Body::Parked { reason } => times.parked = Some(reason),
                _ => {}
            }
        }
        Ok(times)
    }

    fn mark(&mut self, request: u64, stands: Stands) {
        if let Some(open) = self.open.get_mut(&request) {
            open.stands = stands;
        }
    }
}

fn row(module: &Module, what: Do, ended: &HashMap<u64, u64>) -> Option<Row> {
    let (purpose, input, at) = match &what {
        Do::Ended(row) => (row.call.purpose, Some(row.call.input.checksum()), ended.get(&row.call.request.0).copied()),
        Do::Note(note) => match &**note {
            Action::Ended(end) => (Purpose::Step(end.step), None, None),
            Action::Mapped(end) => (Purpose::Step(end.step), None, None),
            Action::NotMade(not) => (not.purpose, None, None),
            _ => return None,
        },
        _ => return None,
    };
    let step = match purpose {
        Purpose::Step(step) | Purpose::Undo(step) => Some(step),
        Purpose::Choose(_) => None,
    };
    let (called, undo) = (matches!(what, Do::Ended(_)), matches!(purpose, Purpose::Undo(_)));
    Some(Row { record: StepRecord::of(module, what)?, step, called, undo, input, at })
}

/// What a run waits for, in a word, when it does not go on.
fn waits(row: &RunRow, carried: bool, parked: Option<String>) -> Option<String> {
    match row.status.as_str() {
        "running" => (!carried).then(|| "resume".to_owned()),
        "parked" => parked.or_else(|| Some("somebody".to_owned())),
        _ => None,
    }
}

/// The same without telling the whole run: for lists.
pub fn waits_of(disk: &Disk, row: &RunRow) -> Result<Option<String>, Failure> {
    let parked = match row.status.as_str() {
        "parked" => disk.last_record(&row.id).map_err(|error| coded(&error.to_string()))?,
        _ => None,
    };
    let parked = parked.and_then(|bytes| match Record::from_bytes(&bytes).ok()?.body {
        Body::Parked { reason } => Some(reason),
        _ => None,
    });
    Ok(waits(row, row.status == "running" && disk.is_carried(&row.id), parked))
}

/// The word for people: a run that nobody carries on does not run.
pub fn status_word<'a>(row: &'a RunRow, waits: Option<&str>) -> &'a str {
    if row.status == "running" && waits.is_some() { "interrupted" } else { &row.status }
}

/// For people: what a run waits for.
pub fn waits_word(waits: &str) -> &str {
    match waits {
        "asked" => "a person",
        "unknown" => "settle",
        waits => waits,
    }
}

fn read(run: &str, seq: u64, bytes: &[u8]) -> Result<Record, Failure> {
    Record::from_bytes(bytes).map_err(|error| {
        let error = RecoveryError::Record { run: run.to_owned(), seq, reason: error.to_string() };
        coded(&error.to_string())
    })
}

/// The records of a run one after the other, also while another process writes them.
pub struct Records {
    disk: Disk,
    /// The run.
    pub row: RunRow,
    reader: Reader,
}

impl Records {
    /// Of the run whose name begins so.
    pub fn open(name: &str) -> Result<Records, Failure> {
        let disk = store::open()?;
        let row = resume::find(&disk, name)?;
        let reader = disk.reader(&row.id).map_err(|error: StoreError| coded(&error.to_string()))?;
        let reader = reader.ok_or_else(|| resume::none(name))?;
        Ok(Records { disk, row, reader })
    }

    /// The next ones with their numbers; none: there are no more, so far.
    pub fn more(&mut self) -> Result<Vec<(u64, Record)>, Failure> {
        let first = self.reader.seq() + 1;
        let more = self.disk.more(&mut self.reader).map_err(|error| coded(&error.to_string()))?;
        (first..).zip(more).map(|(seq, bytes)| Ok((seq, read(&self.row.id, seq, &bytes)?))).collect()
    }

    /// Does a process carry the run on?
    pub fn is_carried(&self) -> bool {
        self.disk.is_carried(&self.row.id)
    }
}

/// Where the nodes of a run's program were written, when that was kept.
pub fn debug(disk: &Disk, told: &Told) -> Option<Debug> {
    let module: Artifact = disk.find(told.row.module).ok()??;
    let debug = disk.find(module.attribute(DEBUG)?.parse().ok()?).ok()??;
    let debug = Some(debug).filter(|debug| debug.media_type() == DEBUG_MEDIA_TYPE)?;
    let debug = Debug::from_bytes(debug.payload()).ok()?;
    (debug.module == Some(module.content_digest())).then_some(debug)
}
