//! Secrets: where they are found, which of them this process knows, and that nothing of them is kept or shown. What workers
//! answer goes through here before it becomes a value, is recorded or drawn; what the commands print, too.
//!
//! One place for the whole process: a secret that one run knows may be in the answer that another gets. Without any secret all
//! of this costs a look at a flag.

use aivm_schema::module::{Debug, Module, drafts};
use aivm_schema::worker::{Does, Sandbox, WorkerDefinition};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

mod error;
mod forms;
pub mod keyring;
mod redact;
pub mod shape;
pub mod source;

pub use error::SecretError;
pub use redact::{MASK, Redactor, Stream};
pub use source::Sources;

/// Keys of providers that are used under these names when no settings say otherwise: they are secrets wherever they are set.
pub const USUAL: [&str; 13] = [
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GEMINI_API_KEY",
    "GROQ_API_KEY",
    "DEEPSEEK_API_KEY",
    "XAI_API_KEY",
    "COHERE_API_KEY",
    "MISTRAL_API_KEY",
    "OPENROUTER_API_KEY",
    "TOGETHER_API_KEY",
    "FIREWORKS_API_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// What this process knows of secrets.
#[derive(Default)]
struct Known {
    sources: Sources,
    /// What was found under each name that was asked for; none: nothing.
    found: BTreeMap<String, Option<String>>,
    redactor: Option<Arc<Redactor>>,
}

static ANY: AtomicBool = AtomicBool::new(false);
static KNOWN: LazyLock<RwLock<Known>> = LazyLock::new(RwLock::default);

/// Says where secrets are found, and knows those that are there under their usual names or under `names`.
pub fn configure(sources: Sources, names: &[String]) -> Result<(), SecretError> {
    {
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        known.sources = sources;
        // What was not found may be found there.
        known.found.retain(|_, found| found.is_some());
    }
    for name in USUAL {
        if std::env::var_os(name).is_some() {
            find(name)?;
        }
    }
    names.iter().try_for_each(|name| find(name).map(|_| ()))
}

/// The secret of this name, from the environment, the file of the project, the keyring, the file of the user; known from now on.
pub fn find(name: &str) -> Result<Option<String>, SecretError> {
    if let Some(found) = KNOWN.read().unwrap_or_else(PoisonError::into_inner).found.get(name) {
        return Ok(found.clone());
    }
    let sources = KNOWN.read().unwrap_or_else(PoisonError::into_inner).sources.clone();
    let found = sources.find(name)?.map(|(value, _)| value);
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    known.found.insert(name.to_owned(), found.clone());
    if found.is_some() {
        known.redactor = Redactor::new(known.found.values().flatten().map(String::as_str)).map(Arc::new);
        ANY.store(known.redactor.is_some(), Ordering::Release);
    }
    Ok(found)
}

/// Knows the secrets that the workers of a program name, before any of them is called: another may print what is in the
/// environment. What cannot be found now is told of when it is needed.
pub fn learn(module: &Module) {
    for worker in module.workers.iter().filter(|worker| worker.definition.contains("secret")) {
        let Ok(definition) = WorkerDefinition::from_json(&worker.definition) else { continue };
        let names: Vec<String> = match &definition.does {
            Does::Http(http) => http.headers.values().flat_map(|value| shape::named(value)).collect(),
            Does::Human(_) => {
                definition.with.get("webhook").and_then(|address| address.as_str()).map_or_else(Vec::new, shape::named)
            }
            _ => Vec::new(),
        };
        for name in names {
            let _ = find(&name);
        }
    }
    let commands = module.workers.iter().filter(|worker| worker.definition.contains("\"sandbox\""));
    for definition in commands.filter_map(|worker| WorkerDefinition::from_json(&worker.definition).ok()) {
        let Sandbox::Given(given) = definition.sandbox else { continue };
        for name in given.env.iter().filter(|name| is_secret(name)) {
            let _ = find(name);
        }
    }
}

/// Is a variable that a command is given a secret? One whose name says so is, and one that is not in the environment can only be.
fn is_secret(name: &str) -> bool {
    shape::names_secret(name) || std::env::var_os(name).is_none()
}

/// A variable that a command is given. One that is a secret is found wherever secrets are, and known.
pub fn variable(name: &str) -> Option<std::ffi::OsString> {
    let secret = is_secret(name).then(|| find(name).ok().flatten()).flatten();
    secret.map(Into::into).or_else(|| std::env::var_os(name))
}

/// What finds them; none: none is known.
pub fn redactor() -> Option<Arc<Redactor>> {
    if !ANY.load(Ordering::Acquire) {
        return None;
    }
    KNOWN.read().unwrap_or_else(PoisonError::into_inner).redactor.clone()
}

/// The name of a secret that is written in these bytes, in whatever form.
pub fn within(bytes: &[u8]) -> Option<String> {
    if !redactor()?.finds(bytes) {
        return None;
    }
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let mut found = known.found.iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let found = found.find(|(_, value)| Redactor::new([*value].into_iter()).is_some_and(|one| one.finds(bytes)));
    found.map(|(name, _)| name.clone())
}

/// The name of a secret that a program holds itself, in whatever form: in its bytes and those of its source, or in a text of a definition, where those are
/// written in a form of their own.
pub fn within_program(module: &Module, debug: &Debug) -> Option<String> {
    redactor()?;
    fn texts(value: &Value) -> Option<String> {
        match value {
            Value::String(text) => within(text.as_bytes()),
            Value::Array(all) => all.iter().find_map(texts),
            Value::Object(all) => all.iter().find_map(|(key, value)| within(key.as_bytes()).or_else(|| texts(value))),
            _ => None,
        }
    }
    let workers = module.workers.iter().map(|worker| &worker.definition);
    let mut definitions = workers.chain(module.behaviours.iter().map(|behaviour| &behaviour.definition));
    let own = definitions.find_map(|definition| texts(&serde_json::from_str(definition).ok()?));
    own.or_else(|| drafts(module, debug).iter().find_map(|draft| within(&draft.payload)))
}

/// A text without them.
pub fn text(text: &str) -> Cow<'_, str> {
    match redactor() {
        Some(redactor) => Cow::Owned(redactor.text(text).into_owned()),
        None => Cow::Borrowed(text),
    }
}

/// Bytes without them.
pub fn bytes(bytes: Vec<u8>) -> Vec<u8> {
    match redactor() {
        Some(redactor) => redactor.bytes(bytes),
        None => bytes,
    }
}
