//! A run for somebody who looks on: in memory, of built-ins that only compute and of mocks, bounded in calls, time and memory. What happens
//! is told as lines of JSON, each as it happens; when nobody reads them any more, the run is cancelled.

use super::refusal::Refusal;
use super::shelf::{Mocks, SHELF, sealed};
use crate::args::How;
use crate::run::{Outcome, resolved};
use crate::{input, module};
use aivm_host::driver::{self, Options};
use aivm_host::kept::Kept;
use aivm_host::mint::Mint;
use aivm_host::pool::Pool;
use aivm_host::process::{Process, Reply, SystemProcess};
use aivm_host::signals::Signals;
use aivm_host::store::{Appended, Memory, RunRow, Store, StoreError};
use aivm_host::trace::{Event, Observer};
use aivm_host::work::{Outside, Surroundings, Task, mock, parts_of};
use aivm_schema::artifact::{Artifact, Checksum, Draft};
use aivm_schema::module::RunLimits;
use aivm_vm::run::Batch;
use aivm_vm::verify::VerifiedModule;
use base64::Engine as _;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A run makes so many calls at most.
const MOST_CALLS: u64 = 1_000;
/// It takes so long at most, in milliseconds.
const MOST_MS: u64 = 10_000;
/// Its values come to so many bytes at most.
const MOST_BYTES: usize = 32 << 20;
/// So many bytes that are told wait at most for whoever reads them.
const MOST_UNREAD: usize = 8 << 20;
/// So much of a text is told.
const MOST_TEXT: usize = 16 << 10;
/// A picture is told whole up to this size, in bytes.
const MOST_PICTURE: usize = 256 << 10;
/// So many parts of a value are told.
const MOST_PARTS: usize = 100;
/// What an artifact takes beside its payload, about, in bytes.
const ARTIFACT: usize = 512;
/// Why a run is stopped whose values are too many.
const FULL: &str = "memory";

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "{\"program\": TEXT, \"input\": TEXT, \"type\": TEXT, \"params\": {NAME: TEXT}, \"mocks\": {WORKER: [ANSWER]}}"
)]
pub struct Asked {
    program: String,
    #[serde(default)]
    input: String,
    #[serde(default = "text_plain", rename = "type")]
    media_type: String,
    #[serde(default)]
    params: BTreeMap<String, String>,
    #[serde(default)]
    mocks: Mocks,
}

fn text_plain() -> String {
    "text/plain".to_owned()
}

/// A run that can begin.
pub struct Ready {
    module: VerifiedModule,
    input: Draft,
    params: BTreeMap<String, String>,
    /// What was given in vain.
    idle: Vec<String>,
}

impl Ready {
    /// Compiles what is asked for.
    pub fn of(asked: Asked) -> Result<Ready, Refusal> {
        let compiled = aivm_lang::compile(super::FILE, &asked.program, &SHELF)
            .map_err(|errors| Refusal::program(&asked.program, &errors))?;
        let module = module::verified(super::FILE, sealed(compiled.module, &asked.mocks))?;
        let input = input::drafted(asked.input.into_bytes(), &asked.media_type)?;
        let (workers, declared) = (&module.module().workers, &module.module().params);
        let unmet = asked.mocks.keys().filter(|name| !workers.iter().any(|worker| worker.name == **name));
        let mut idle: Vec<String> =
            unmet.map(|name| format!("`{name}` has answers here, and no step calls it.")).collect();
        // A program that declares no parameters reads what it likes. Whoever changes one keeps what was given to it before.
        let reads = |name: &str| match declared.is_empty() {
            true => workers.iter().any(|worker| worker.definition.contains(name)),
            false => declared.iter().any(|param| param.name == name),
        };
        let (given, unread): (Vec<_>, Vec<_>) = asked.params.iter().partition(|(name, _)| reads(name));
        idle.extend(
            unread.iter().map(|(name, _)| format!("`{name}` is given, and the program has no such parameter.")),
        );
        let given = given.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let params = resolved(&How { params: given, ..How::default() }, module.module())?;
        Ok(Ready { module, input, params, idle })
    }

    /// Runs it to its end. Blocks: it has a thread to itself.
    pub fn run(self, mint: Arc<Mint>, pool: Arc<Pool>, stage: Stage) -> Result<(), Refusal> {
        let Stage { told, unread, cancel, stop } = stage;
        let failed = |error: &dyn std::fmt::Display| Refusal::fault(format!("the run cannot begin: {error}"));
        let input = mint.seal(self.input).map_err(|error| failed(&error))?;
        let own = self.module.module().limits;
        let most_calls = own.calls.map_or(MOST_CALLS, |own| own.min(MOST_CALLS));
        let run = mint.run_id();
        let store = Rc::new(Bounded::new(cancel.clone()));
        let options = Options {
            around: Surroundings {
                run: run.clone(),
                workspace: PathBuf::new(),
                kept: Kept::temporary(),
                params: self.params,
                mock: true,
                outside: Outside::default().leaving_nothing(),
            },
            limits: RunLimits { calls: Some(most_calls), ..own },
            timeout_ms: Some(MOST_MS),
            trace: false,
            started: None,
            webhook: None,
            reuse: None,
            process: Rc::new(Alone { stop: RefCell::new(Some(stop)), pool }),
        };
        let mut teller = Teller { told, unread, cancel, store: store.clone(), began: Instant::now() };
        teller.tell("started", json!({"run": run}));
        for told in &self.idle {
            teller.tell("said", json!({"text": told}));
        }
        let events = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let events = events.map_err(|error| failed(&error))?;
        let module = self.module.clone();
        let report = events.block_on(driver::run(module, input, options, store.clone(), mint, &mut teller));
        events.shutdown_background();
        let report = report.map_err(|error| failed(&error))?;
        let outcome = Outcome::of(&report, self.module.module());
        // Elsewhere a run that waits can go on; here nobody can carry it on.
        let too_much = |what: String| Some(json!({"code": "E0936", "message": what}));
        let error = match outcome.error {
            _ if store.is_full() => {
                too_much(format!("the values of the run came to more than {} MiB", MOST_BYTES >> 20))
            }
            Some(error) if error.code == "E0770" && most_calls == MOST_CALLS => {
                too_much(format!("a run of the playground makes at most {MOST_CALLS} calls"))
            }
            error => error.map(|error| json!(error)),
        };
        let output = outcome.output.map(|output| value(&output, &*store));
        let totals = report.totals;
        teller.tell("ended", json!({"status": outcome.status, "artifact": output, "error": error, "totals": totals}));
        Ok(())
    }
}

/// The side of a run that is carried on.
pub struct Stage {
    told: UnboundedSender<String>,
    unread: Arc<AtomicUsize>,
    cancel: UnboundedSender<String>,
    stop: UnboundedReceiver<String>,
}

/// The side of whoever looks on. When it is dropped, the run is cancelled.
pub struct Seat {
    told: UnboundedReceiver<String>,
    unread: Arc<AtomicUsize>,
    cancel: UnboundedSender<String>,
}

/// Both sides of a run.
pub fn theatre() -> (Stage, Seat) {
    let (told, hears) = unbounded_channel();
    let (cancel, stop) = unbounded_channel();
    let unread = Arc::<AtomicUsize>::default();
    let seat = Seat { told: hears, unread: unread.clone(), cancel: cancel.clone() };
    (Stage { told, unread, cancel, stop }, seat)
}

impl Seat {
    /// What happens next, as a line; none: it is over.
    pub async fn next(&mut self) -> Option<String> {
        let line = self.told.recv().await?;
        self.unread.fetch_sub(line.len(), Ordering::Relaxed);
        Some(line)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // A run that is over hears nothing.
        let _ = self.cancel.send("client".to_owned());
    }
}

/// Tells what happens.
struct Teller {
    told: UnboundedSender<String>,
    unread: Arc<AtomicUsize>,
    cancel: UnboundedSender<String>,
    store: Rc<Bounded>,
    began: Instant,
}

impl Teller {
    fn tell(&self, kind: &str, members: Value) {
        let ms = (self.began.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        let mut line = Map::from_iter([("type".to_owned(), json!(kind)), ("at".to_owned(), json!(ms))]);
        if let Value::Object(members) = members {
            line.extend(members);
        }
        let line = Value::Object(line).to_string() + "\n";
        if self.unread.fetch_add(line.len(), Ordering::Relaxed) > MOST_UNREAD {
            let _ = self.cancel.send("client".to_owned());
        }
        // When nobody listens, the run is being cancelled.
        let _ = self.told.send(line);
    }
}

impl Observer for Teller {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Started { key, worker, attempt } => {
                self.tell("call", json!({"key": key, "worker": worker, "attempt": attempt}));
            }
            Event::Ended(record) => {
                let output = record.artifact.and_then(|output| self.store.get(output));
                let mut members = json!(record);
                if let Some(members) = members.as_object_mut() {
                    members.insert("artifact".to_owned(), json!(output.map(|output| value(&output, &*self.store))));
                }
                self.tell("step", members);
            }
            Event::Said(text) => self.tell("said", json!({"text": text})),
            Event::Heard { .. } => {}
        }
    }
}

/// A value as a page shows it: its text or its parts, as much of it as is looked at.
fn value(artifact: &Artifact, store: &dyn Store) -> Value {
    let (media_type, payload) = (artifact.media_type(), artifact.payload());
    let mut told = json!({"id": artifact.checksum(), "type": media_type, "bytes": payload.len()});
    let (name, content) = match parts_of(artifact, store) {
        Ok(parts) if !parts.is_empty() => {
            let one = |(name, verdict, part): &(String, String, Artifact)| json!({"name": name, "verdict": verdict, "value": value(part, store)});
            ("parts", parts.iter().take(MOST_PARTS).map(one).collect())
        }
        _ => match std::str::from_utf8(payload) {
            Ok(text) => ("text", json!(text.get(..text.floor_char_boundary(MOST_TEXT)))),
            Err(_) if payload.len() <= MOST_PICTURE && media_type.starts_with("image/") => {
                ("base64", json!(base64::engine::general_purpose::STANDARD.encode(payload)))
            }
            Err(_) => return told,
        },
    };
    if let Some(told) = told.as_object_mut() {
        told.insert(name.to_owned(), content);
    }
    told
}

/// Holds every value of one run, and ends the run when they are too many.
struct Bounded {
    values: Memory,
    bytes: Cell<usize>,
    full: UnboundedSender<String>,
}

impl Bounded {
    fn new(full: UnboundedSender<String>) -> Bounded {
        Bounded { values: Memory::default(), bytes: Cell::new(0), full }
    }

    fn is_full(&self) -> bool {
        self.bytes.get() > MOST_BYTES
    }
}

impl Store for Bounded {
    fn put(&self, artifact: &Artifact) {
        if self.is_full() || self.values.get(artifact.checksum()).is_some() {
            return;
        }
        self.values.hold(artifact);
        self.bytes.set(self.bytes.get() + artifact.payload().len() + ARTIFACT);
        if self.is_full() {
            let _ = self.full.send(FULL.to_owned());
        }
    }

    fn hold(&self, artifact: &Artifact) {
        self.put(artifact);
    }

    fn get(&self, checksum: Checksum) -> Option<Artifact> {
        self.values.get(checksum)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.values.flush()
    }

    fn begin(&self, run: RunRow) -> Result<(), StoreError> {
        self.values.begin(run)
    }

    fn append(&self, batch: Batch) -> Appended {
        self.values.append(batch)
    }
}

/// The operating system for a run that has nothing of it: mocks are answered, built-ins have threads, whoever looks on can stop it.
struct Alone {
    stop: RefCell<Option<UnboundedReceiver<String>>>,
    pool: Arc<Pool>,
}

impl Process for Alone {
    fn begin(&self, task: Task, mock: Option<mock::Answering>, reply: Reply) {
        // Nothing is called here, whatever the run believes: it would be a fault of this program, and not a way out of it.
        SystemProcess.begin(task, Some(mock.unwrap_or_default()), reply);
    }

    fn end_leftovers(&self, _around: &Surroundings, _steps: &[String]) {}

    fn signals(&self) -> Signals {
        let signals = Signals::none();
        match self.stop.borrow_mut().take() {
            Some(stop) => signals.and_caller(stop),
            None => signals,
        }
    }

    fn pool(&self) -> std::io::Result<Arc<Pool>> {
        Ok(self.pool.clone())
    }

    fn may_cache(&self) -> bool {
        false
    }
}
