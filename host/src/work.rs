//! Calls of workers: what is given to one, what comes back, and who does it. Each sort of worker has a file below; a new
//! sort is a file more and an arm more in [`Prepared::new`].

use crate::builtin::{self, Builtin};
use crate::kept::Kept;
use crate::mcp::Servers;
use crate::mint::Mint;
use crate::models::Models;
use crate::parts;
use crate::process::Refused;
use crate::sources::Sources;
use crate::store::Store;
use crate::store::values::{ARTIFACT, RETENTION};
use aivm_schema::artifact::{Artifact, ArtifactError, ContentDigest, Draft, INTEGRITY, UNTRUSTED};
use aivm_schema::module::{Behaviour, EndKind, Worker};
use aivm_schema::worker::{BehaviourDefinition, Does, WorkerDefinition};
use aivm_vm::StepKey;
use aivm_vm::action::{CallError, Usage};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc::UnboundedSender;

pub mod builtins;
pub mod command;
#[cfg(feature = "http")]
pub mod http;
pub mod leftovers;
#[cfg(feature = "mcp")]
mod mcp;
pub mod mock;
#[cfg(feature = "models")]
pub mod model;
pub mod place;
pub mod plugin;
pub mod program;
mod redact;
pub mod sandbox;
pub mod saw;
mod waits;

/// A worker as one step calls it: its definition with the step's behaviours laid over it.
#[derive(Debug)]
pub struct Prepared {
    /// The name under which the program calls it.
    pub name: String,
    /// What it is.
    pub definition: WorkerDefinition,
    /// The function, when it is a built-in.
    pub builtin: Option<&'static Builtin>,
    /// The behaviours that shape it, in order: commands are told.
    pub behaviours: Vec<String>,
}

impl Prepared {
    /// The worker of a module, shaped by behaviours of it. Fails when its definition is not one of this program.
    pub fn new(worker: &Worker, behaviours: &[&Behaviour]) -> Result<Prepared, CallError> {
        let broken =
            |reason: String| error("E0734", format!("the definition of `{}` cannot be read: {reason}", worker.name));
        let mut definition = WorkerDefinition::from_json(&worker.definition).map_err(|e| broken(e.to_string()))?;
        for behaviour in behaviours {
            let shape: BehaviourDefinition =
                serde_json::from_str(&behaviour.definition).map_err(|e| broken(e.to_string()))?;
            definition.with.extend(shape.with);
            if let Does::Model(ask) = &mut definition.does {
                ask.prompt.push_str("\n\n");
                ask.prompt.push_str(&shape.prompt);
            }
        }
        let builtin = match &definition.does {
            Does::Builtin(name) => Some(builtin::find(name).ok_or_else(|| {
                error(
                    "E0735",
                    format!(
                        "this program has no built-in `{name}`: it was compiled by another version; compile it anew"
                    ),
                )
            })?),
            _ => None,
        };
        let behaviours = behaviours.iter().map(|behaviour| behaviour.name.clone()).collect();
        Ok(Prepared { name: worker.name.clone(), definition, builtin, behaviours })
    }

    /// Does it only answer, and the same for the same input?
    pub fn is_pure(&self) -> bool {
        self.builtin.is_some_and(Builtin::is_pure)
    }
}

/// What all calls of a run share.
#[derive(Debug)]
pub struct Surroundings {
    /// The run's name.
    pub run: String,
    /// The folder in which commands run and files are read and written.
    pub workspace: PathBuf,
    /// Where what was there before its effects on files is kept.
    pub kept: Kept,
    /// `--param k=v`.
    pub params: BTreeMap<String, String>,
    /// `--mock`: nothing is called but pure built-ins.
    pub mock: bool,
    /// What lies outside of the run.
    pub outside: Outside,
}

/// What workers use that is one for all runs of a process.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    /// Whom workers ask that ask a model.
    pub models: Arc<Models>,
    /// The MCP servers whose tools are called.
    pub mcp: Arc<Servers>,
    /// What holds commands to their effects.
    pub sandbox: Arc<sandbox::Sandbox>,
    /// The plugins that are running.
    pub plugins: Arc<plugin::Plugins>,
    /// The data sources that workers are shown.
    pub sources: Arc<Sources>,
    /// The servers that a program's web hooks may lead to though they are not public: `http://127.0.0.1:8080`.
    pub hooks: Arc<[String]>,
    /// What runs of programs need that are written while a run goes on.
    pub programs: program::Programs,
    /// What workers remember; of its own, it is gone with this process.
    #[cfg(feature = "memory")]
    pub memory: crate::memory::Memory,
}

impl Outside {
    /// The same for runs that leave nothing: what their workers remember is gone with them, and nothing is there when they begin.
    pub fn leaving_nothing(self) -> Outside {
        Outside {
            #[cfg(feature = "memory")]
            memory: Default::default(),
            ..self
        }
    }
}

/// One call.
#[derive(Clone)]
pub struct Task {
    /// Whom.
    pub worker: Arc<Prepared>,
    /// Its place in the run.
    pub key: StepKey,
    /// 1, and one more for each retry.
    pub attempt: u32,
    /// What with.
    pub input: Artifact,
    /// The values that it has, when it has several: name, verdict, value.
    pub parts: Arc<Vec<(String, String, Artifact)>>,
    /// What it is shown of its data sources; none: it has none.
    pub saw: Option<Arc<saw::Saw>>,
    /// Of a model with tools: what it wanted before, and what came of that.
    pub turns: Arc<[Turn]>,
    /// The words that it may answer.
    pub words: Arc<[String]>,
    /// The deadline, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// What all calls share.
    pub around: Arc<Surroundings>,
    /// Who listens while it answers; none: nobody.
    pub hears: Option<UnboundedSender<Piece>>,
    /// Who is told what it waits for; none: nobody.
    pub told: Option<UnboundedSender<String>>,
    /// Set when the call should stop.
    pub stop: Arc<Stop>,
}

/// A call of a tool.
#[derive(Clone, Debug)]
pub struct Turn {
    /// What the model wanted: the tool's input.
    pub call: Artifact,
    /// What the tool returned; when it failed, its input with the attribute `error`.
    pub result: Artifact,
    /// The values that the result has, when it has several: name, verdict, value.
    pub parts: Vec<(String, String, Artifact)>,
}

impl Turn {
    /// What tells it from every other, whatever run it was in.
    pub fn digests(&self) -> Vec<String> {
        let attribute = |value: &Artifact, key| value.attribute(key).unwrap_or_default().to_owned();
        let mut digests = vec![attribute(&self.call, "tool"), self.call.content_digest().to_string()];
        // How several values are packed names artifacts of one run.
        match self.parts.is_empty() {
            true => digests.push(self.result.content_digest().to_string()),
            false => digests.extend(self.parts.iter().map(|(_, _, value)| value.content_digest().to_string())),
        }
        digests.push(attribute(&self.result, "error"));
        digests
    }
}

impl Task {
    /// Says what it waits for.
    pub fn tell(&self, text: &str) {
        if let Some(told) = &self.told {
            // The run may have stopped listening.
            let _ = told.send(format!("{}: {text}", self.key));
        }
    }
}

/// A piece of an answer.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Of which call.
    pub key: StepKey,
    /// As it came.
    pub text: String,
}

/// Asks a call to stop: a flag for functions, a notification for what waits.
#[derive(Debug, Default)]
pub struct Stop {
    asked: AtomicBool,
    notify: tokio::sync::Notify,
}

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    /// Has anybody asked?
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Returns when somebody asks.
    pub async fn asked(&self) {
        let notified = self.notify.notified();
        tokio::pin!(notified);
        // Registered before the flag is read: no question between the two is missed.
        notified.as_mut().enable();
        if !self.is_asked() {
            notified.await;
        }
    }
}

/// What a worker returned.
#[derive(Debug)]
pub enum Returned {
    /// It did its work.
    Done {
        /// Its value.
        body: builtin::Body,
        /// Its word.
        verdict: Option<String>,
        /// What it says about the value.
        attributes: Vec<(String, String)>,
        /// What it cost and used.
        usage: Usage,
    },
    /// It did its work, and the value is an artifact already.
    Made {
        /// The value.
        made: Result<Artifact, ArtifactError>,
        /// Its word.
        verdict: Option<String>,
        /// What it cost and used.
        usage: Usage,
    },
    /// It did not.
    Failed {
        /// `Failure`, `Timeout` or, when it was stopped as asked, `Cancel`.
        kind: EndKind,
        /// Why.
        error: CallError,
        /// What it cost and used all the same.
        usage: Usage,
    },
}

impl Returned {
    /// Makes a new value an artifact here and now, on whatever thread this is.
    pub fn made(self, task: &Task, mint: &Mint) -> Returned {
        match self {
            Returned::Done { body: builtin::Body::New { media_type, payload }, verdict, attributes, usage } => {
                let maker =
                    Maker { run: &task.around.run, worker: &task.worker.name, key: &task.key, input: &task.input };
                Returned::Made { made: maker.make(mint, media_type, payload, attributes), verdict, usage }
            }
            other => other,
        }
    }

    /// What it cost and used.
    pub fn usage_mut(&mut self) -> &mut Usage {
        match self {
            Returned::Done { usage, .. } | Returned::Made { usage, .. } | Returned::Failed { usage, .. } => usage,
        }
    }

    /// A failure that cost nothing.
    pub fn failed(code: &str, message: impl Into<String>) -> Returned {
        Returned::Failed { kind: EndKind::Failure, error: error(code, message), usage: Usage::default() }
    }

    /// Time ran out.
    pub fn timed_out(worker: &str, deadline_ms: u64) -> Returned {
        let message = format!("`{worker}` took longer than {}", aivm_schema::unit::Milliseconds(deadline_ms));
        Returned::Failed { kind: EndKind::Timeout, error: error("E0712", message), usage: Usage::default() }
    }

    /// It was stopped as asked.
    pub fn stopped() -> Returned {
        Returned::Failed { kind: EndKind::Cancel, error: error("E0713", "stopped"), usage: Usage::default() }
    }
}

/// The attribute of an answer from the cache: the run that asked.
pub const CACHED: &str = "cached";

/// The call that a value is made by: its lineage.
pub struct Maker<'m> {
    /// The run's name.
    pub run: &'m str,
    /// The worker's.
    pub worker: &'m str,
    /// The call's place.
    pub key: &'m StepKey,
    /// What it was made of.
    pub input: &'m Artifact,
}

impl Maker<'_> {
    /// The artifact, with run, step and inputs as attributes. Attributes of those names, which are reserved, are refused.
    pub fn make(
        &self,
        mint: &Mint,
        media_type: String,
        payload: Vec<u8>,
        attributes: Vec<(String, String)>,
    ) -> Result<Artifact, ArtifactError> {
        // By its role the garbage collection finds what says itself how long it is kept.
        let is_kept = attributes.iter().any(|(key, _)| key == RETENTION);
        let mut draft = Draft {
            media_type,
            origin: self.worker.to_owned(),
            role: if is_kept { ARTIFACT } else { "step" }.to_owned(),
            scope: "run".to_owned(),
            attributes,
            payload,
        };
        draft.check_unreserved()?;
        if parts::is_untrusted(self.input) {
            draft.set(INTEGRITY, UNTRUSTED.to_owned());
        }
        draft.set("run", self.run.to_owned());
        draft.set("step", self.key.text());
        draft.set("inputs", self.input.checksum().to_string());
        mint.seal(draft)
    }
}

/// The key under which a call is known to whoever carries it out, and knows a repeated one by it: 32 hexadecimal digits, the same
/// for every attempt with the same content. What is done again with another content has another key: a definition that is tried
/// once more, and what takes each try back.
pub fn idempotency_key(run: &str, key: &StepKey, input: ContentDigest) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("aivm step key");
    // A run's name has no line end, and a digest always has its length: no two calls give one text.
    hasher.update(&input.0).update(format!("{run}\n{key}").as_bytes());
    hasher.finalize().to_hex().chars().take(32).collect()
}

/// An error of a call, with its code.
pub fn error(code: &str, message: impl Into<String>) -> CallError {
    CallError { code: code.to_owned(), message: message.into(), step: String::new() }
}

/// Parts within parts are looked into so deep.
const PARTS_DEEP: usize = 8;

/// The values of a *parts* input, those of parts within it as `outer/inner`; none for any other.
pub fn parts_of(input: &Artifact, store: &dyn Store) -> Result<Vec<(String, String, Artifact)>, CallError> {
    let is_parts = |value: &Artifact| value.media_type() == aivm_schema::artifact::parts::MEDIA_TYPE;
    if !is_parts(input) {
        return Ok(Vec::new());
    }
    let named = |value: &Artifact| crate::parts::named(value, store).map_err(|e| error("E0741", e.to_string()));
    let mut parts = named(input)?;
    for _ in 0..PARTS_DEEP {
        if !parts.iter().any(|(_, _, value)| is_parts(value)) {
            break;
        }
        let mut flat = Vec::with_capacity(parts.len());
        for (name, verdict, value) in parts {
            if is_parts(&value) {
                let inner = named(&value)?;
                flat.extend(inner.into_iter().map(|(part, verdict, value)| (format!("{name}/{part}"), verdict, value)));
            } else {
                flat.push((name, verdict, value));
            }
        }
        parts = flat;
    }
    Ok(parts)
}

/// What a model with tools is asked with: what came in first, and the calls of its tools since then, as the compiler lays them out.
pub fn turns_of(input: &Artifact, store: &dyn Store) -> Result<(Artifact, Vec<Turn>), CallError> {
    let mut turns = Vec::new();
    let mut asked = input.clone();
    loop {
        let parts = crate::parts::named(&asked, store).map_err(|e| error("E0741", e.to_string()))?;
        let mut values = parts.into_iter().map(|(_, _, value)| value);
        match (values.next(), values.next(), values.next()) {
            (Some(first), None, None) => {
                turns.reverse();
                return Ok((first, turns));
            }
            (Some(before), Some(call), Some(result)) => {
                let parts = parts_of(&result, store)?;
                turns.push(Turn { call, result, parts });
                asked = before;
            }
            _ => return Err(error("E0741", "a model with tools is asked with a list of another form")),
        }
    }
}

/// What this version cannot call; its `mock` entries answer only where they are all that it has, or with `--mock`.
fn not_here(task: &Task, code: &'static str, why: &str) -> Returned {
    let instead = match task.worker.definition.mock {
        Some(_) => "run with `--mock`, then its `mock` entries answer",
        None => "run with `--mock`, or define the worker by `mock` entries alone",
    };
    Returned::failed(code, format!("`{}` {why}: {instead}", task.worker.name))
}

/// Runs a call that is not answered on the spot: commands, mocks that sleep, what needs something that is not here.
pub async fn run(mut task: Task, mock: Option<mock::Answering>) -> Result<Returned, Refused> {
    if let Some(answering) = mock {
        return Ok(mock::run(&task, answering).await);
    }
    if let Err(failed) = fits(&task) {
        return Ok(failed);
    }
    let (pass, _lease) = match waits::of_worker(&mut task).await {
        Ok(passed) => passed,
        Err(returned) => return Ok(returned),
    };
    let mut returned = checked(&task, called(&task).await?);
    if let (Some(saw), Returned::Done { attributes, .. }) = (&task.saw, &mut returned) {
        attributes.push((saw::SOURCES.to_owned(), saw.list.checksum().to_string()));
    }
    let usage = returned.usage_mut();
    usage.waited_ms = usage.waited_ms.saturating_add(pass.waited.as_millis() as u64);
    pass.settle(usage.tokens);
    Ok(returned)
}

/// Is its input what it accepts?
fn fits(task: &Task) -> Result<(), Returned> {
    let Some(schema) = &task.worker.definition.accepts_schema else { return Ok(()) };
    let wrong = wrong(schema, task.input.payload());
    let failed =
        |wrong| Returned::failed("E0909", format!("`{}` does not accept its input: {wrong}", task.worker.name));
    wrong.map_or(Ok(()), |wrong| Err(failed(wrong)))
}

/// A failure, when its output is not what it says that it returns.
fn checked(task: &Task, returned: Returned) -> Returned {
    let (Some(schema), Returned::Done { body: builtin::Body::New { payload, .. }, usage, .. }) =
        (&task.worker.definition.returns_schema, &returned)
    else {
        return returned;
    };
    let Some(wrong) = wrong(schema, payload) else { return returned };
    let message = format!("`{}` did not return what it says: {wrong}", task.worker.name);
    Returned::Failed { kind: EndKind::Failure, error: error("E0910", message), usage: *usage }
}

/// Why a payload does not fit a schema.
fn wrong(schema: &serde_json::Value, payload: &[u8]) -> Option<String> {
    let value = match serde_json::from_slice(payload) {
        Ok(value) => value,
        Err(error) => return Some(format!("it is not JSON: {error}")),
    };
    match builtin::violations(schema, &value) {
        Ok(wrong) => wrong.into_iter().next(),
        Err(reason) => Some(format!("the schema is none: {reason}")),
    }
}

async fn called(task: &Task) -> Result<Returned, Refused> {
    Ok(match &task.worker.definition.does {
        Does::Command(run) => command::run(task, run).await,
        Does::Plugin(argv) => plugin::run(task, argv).await,
        #[cfg(feature = "models")]
        Does::Model(ask) => model::run(task, ask, &task.around.outside.models).await,
        #[cfg(not(feature = "models"))]
        Does::Model(_) => not_here(task, "E0732", "needs a model, and this build of aivm has none"),
        #[cfg(feature = "http")]
        Does::Http(request) => http::run(task, request).await,
        #[cfg(not(feature = "http"))]
        Does::Http(_) => not_here(task, "E0732", "sends a request, and this build of aivm cannot"),
        #[cfg(feature = "mcp")]
        Does::Mcp(tool) => mcp::run(task, tool, &task.around.outside.mcp).await,
        #[cfg(not(feature = "mcp"))]
        Does::Mcp(_) => not_here(task, "E0732", "calls a tool of an MCP server, and this build of aivm cannot"),
        Does::Human(_) => not_here(task, "E0733", "asks a person, and nobody can be asked here"),
        Does::Builtin(name) if name == builtin::program::PROGRAM => program::run(task).await?,
        Does::Builtin(name) if builtins::waits(name) => builtins::elsewhere(task).await,
        Does::Builtin(_) => {
            let returned = builtins::call(task);
            builtins::wait(task, returned).await
        }
        Does::Mock => mock::run(task, mock::Answering::default()).await,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_one_call_of_one_run() {
        let input = ContentDigest::of("text/plain", b"x");
        let key = |run: &str, step: &str| idempotency_key(run, &StepKey::from(step), input);
        let one = key("run", "switch.1/pay#1");
        assert_eq!(one, key("run", "switch.1/pay#1"));
        assert!(one.len() == 32 && one.bytes().all(|byte| byte.is_ascii_hexdigit()), "{one}");
        let all = [one, key("run", "switch.1/pay#2"), key("run", "switch.1/pay#1~undo"), key("ru", "switch.1/pay#1")];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
        let other = idempotency_key("a", &StepKey::from("b"), ContentDigest::of("text/plain", b"y"));
        assert_ne!(key("a", "b"), other, "another content");
    }
}
