//! A run as its journal tells it, for the commands that look at runs: the store is opened, the run found, its records told
//! again, and what happened given as rows. Nothing is called, claimed or written. Only this file knows how that is done.

use crate::fail::{Failure, Source, coded};
use crate::out::short;
use crate::runs::find;
use crate::store;
use aivm_host::mint::{Clock, SystemClock};
use aivm_host::recovery::{From, Recovered, RecoveryError};
use aivm_host::store::disk::{Disk, Journal};
use aivm_host::store::{RunRow, StoreError};
use aivm_host::trace::{Before, StepRecord, Totals, dollars};
use aivm_lang::workflow::Format;
use aivm_schema::artifact::{Artifact, Checksum};
use aivm_schema::journal::{ApprovalRequested, Body, Intent, Record, RunStarted};
use aivm_schema::module::{DEBUG, DEBUG_MEDIA_TYPE, Debug, Module, StepId};
use aivm_vm::action::{Action, Purpose, RunEnd};
use aivm_vm::run::{Do, HELD};
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
    /// What all calls took.
    pub totals: Totals,
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

    /// The line to type when somebody must say something before a call can end; none where the run does not go on here.
    pub fn way_on(&self, open: &Open) -> Option<String> {
        let (run, key) = (&self.row.id, &open.key);
        match &open.stands {
            _ if self.row.quarantine.is_some() => None,
            Stands::Begun => None,
            Stands::Unknown => Some(format!("aivm settle {run} '{key}' happened|not-happened")),
            Stands::Asked(_) if open.is_over() => Some(format!("aivm resume {run}")),
            Stands::Asked(question) => {
                let subject = short(Checksum(question.subject));
                Some(format!("aivm approve {run} OUTCOME --step '{key}' --subject {subject}"))
            }
        }
    }
}

impl Open {
    /// Was a person asked who did not answer in time?
    pub fn is_over(&self) -> bool {
        let Stands::Asked(question) = &self.stands else { return false };
        question.expires.is_some_and(|expires| expires <= SystemClock.now())
    }
}

/// The run whose name begins so, told.
pub fn tell(disk: &Disk, name: &str) -> Result<Told, Failure> {
    let RunRow { id, .. } = find::run(disk, name)?;
    let carried = disk.is_carried(&id);
    let mut records = Records::of(disk, &id)?;
    let mut times = Times::default();
    while let Some((_, record)) = records.next()? {
        times.told(record);
    }
    let Recovered { run, module, started, began, end, history } = find::look(disk, &id, From::Start)?;
    let rows: Vec<Row> =
        history.into_iter().filter_map(|what| row(disk, module.module(), what, &times.ended)).collect();
    // Somebody may have carried it on since its records were read.
    let is_open = |open: &Open| {
        let ended = |row: &Row| row.record.key == open.key && row.record.attempt == open.attempt && row.called;
        !rows.iter().any(ended)
    };
    let open = times.open.into_values().filter(is_open).collect();
    let taken = run.totals();
    let last = times.last.max(began);
    let totals = Totals {
        calls: taken.calls,
        ms: (last - began) as f64 / 1e6,
        tokens: taken.tokens,
        cost_usd: dollars(taken.money),
    };
    let waits = waits(&records.row, carried, times.parked);
    Ok(Told { row: records.row, started, module, end, rows, open, began, last, totals, waits })
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
    fn told(&mut self, record: Record) {
        let Record { at, body, .. } = record;
        self.last = at;
        match body {
            Body::Intent(intent) => {
                let Intent { request, key, worker, attempt, .. } = *intent;
                self.open.insert(request, Open { key, worker, attempt, at, stands: Stands::Begun });
            }
            Body::ApprovalRequested(question) => {
                let (request, key, worker) = (question.request, question.key.clone(), question.worker.clone());
                self.open.insert(request, Open { key, worker, attempt: 1, at, stands: Stands::Asked(question) });
            }
            Body::Outcome(outcome) => {
                self.open.remove(&outcome.request);
                self.ended.insert(outcome.request, at);
            }
            Body::Unknown { request } => self.mark(request, Stands::Unknown),
            Body::Resolved(resolved) => self.mark(resolved.request, Stands::Begun),
            Body::Parked { reason } => self.parked = Some(reason),
            _ => {}
        }
    }

    fn mark(&mut self, request: u64, stands: Stands) {
        if let Some(open) = self.open.get_mut(&request) {
            open.stands = stands;
        }
    }
}

fn row(disk: &Disk, module: &Module, what: Do, ended: &HashMap<u64, u64>) -> Option<Row> {
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
    let cached = aivm_host::cache::run_of(module, &what, |output| disk.get(output));
    let before = Before::of_call(&what, |output| disk.get(output));
    let record = StepRecord::of(module, what)?.cached_from(cached).before(before);
    Some(Row { record, step, called, undo, input, at })
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
    let parked = parked(disk, row).map_err(|error| coded(&error.to_string()))?;
    Ok(waits(row, row.status == "running" && disk.is_carried(&row.id), parked))
}

/// What a run said last, when that was what it parks for.
pub fn parked(disk: &Disk, row: &RunRow) -> Result<Option<String>, StoreError> {
    if row.status != "parked" {
        return Ok(None);
    }
    let last = disk.last_record(&row.id)?;
    Ok(last.and_then(|bytes| match Record::from_bytes(&bytes).ok()?.body {
        Body::Parked { reason } => Some(reason),
        _ => None,
    }))
}

/// The word for people: a run that nobody carries on does not run.
pub fn status_word<'a>(row: &'a RunRow, waits: Option<&str>) -> &'a str {
    match row.status.as_str() {
        _ if row.is_brought() => "elsewhere",
        _ if row.quarantine.is_some() => "damaged",
        "running" if waits.is_some() => "interrupted",
        status => status,
    }
}

/// For people: what a run waits for.
pub fn waits_word(waits: &str) -> &str {
    match waits {
        "asked" => "a person",
        "unknown" => "settle",
        HELD => "whoever holds it",
        waits => waits,
    }
}

/// The records of a run one after the other.
pub struct Records {
    disk: Disk,
    /// The run.
    pub row: RunRow,
    journal: Journal,
}

impl Records {
    /// Of the run with this name.
    pub fn of(disk: &Disk, name: &str) -> Result<Records, Failure> {
        let failed = |error: StoreError| coded(&error.to_string());
        let kept = disk.look(name).map_err(failed)?.ok_or_else(|| find::none(name))?;
        let journal = kept.journal().map_err(failed)?;
        let row = kept.row().map(|row| row.clone()).ok_or_else(|| find::none(name))?;
        Ok(Records { disk: disk.clone(), row, journal })
    }

    /// Of the run whose name begins so.
    pub fn open(name: &str) -> Result<Records, Failure> {
        let disk = store::existing()?;
        let row = find::run(&disk, name)?;
        Records::of(&disk, &row.id)
    }

    /// The next record with its number; none: there are no more, so far.
    pub fn next(&mut self) -> Result<Option<(u64, Record)>, Failure> {
        let next = self.journal.record().map_err(|error| coded(&error.to_string()))?;
        let Some((seq, bytes)) = next else { return Ok(None) };
        let record = Record::from_bytes(&bytes).map_err(|error| {
            let error = RecoveryError::Record { run: self.row.id.clone(), seq, reason: error.to_string() };
            coded(&error.to_string())
        })?;
        Ok(Some((seq, record)))
    }

    /// What came before a model answered, of the outcome of its call.
    pub fn before(&self, record: &Record) -> Before {
        let before = || {
            let Body::Outcome(outcome) = &record.body else { return None };
            // Nobody but models uses tokens: no other artifact is looked up.
            let output = outcome.result.as_ref().ok().filter(|_| outcome.tokens > 0)?;
            Some(Before::of(&outcome.key, &self.disk.find(output.artifact).ok()??))
        };
        before().unwrap_or_default()
    }

    /// Sees what another process has added meanwhile. Was there any?
    pub fn catch_up(&mut self) -> Result<bool, Failure> {
        self.journal.catch_up().map_err(|error| coded(&error.to_string()))
    }

    /// Does a process carry the run on?
    pub fn is_carried(&self) -> bool {
        self.disk.is_carried(&self.row.id)
    }
}

/// Where the nodes of a run's program were written, when that was kept.
pub fn debug(disk: &Disk, told: &Told) -> Option<Debug> {
    kept_beside(disk, told.row.module).filter(|debug| debug.module == Some(told.module().digest()))
}

/// What was kept beside a module.
fn kept_beside(disk: &Disk, module: Checksum) -> Option<Debug> {
    let module: Artifact = disk.find(module).ok()??;
    let debug = disk.find(module.attribute(DEBUG)?.parse().ok()?).ok()??;
    let debug = Some(debug).filter(|debug| debug.media_type() == DEBUG_MEDIA_TYPE)?;
    Debug::from_bytes(debug.payload()).ok()
}

/// The arrows that a run's program was compiled from, when they were kept.
pub fn source(disk: &Disk, row: &RunRow) -> Option<Source> {
    let (name, text) = kept_beside(disk, row.module)?.files.into_iter().next()?;
    Some(Source { name, text, reading: Format::Aivm.into() })
}
