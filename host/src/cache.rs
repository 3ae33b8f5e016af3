//! Cached calls: a call of a worker with `cache` is answered as the same question was before, when that is not too long ago. What
//! is the same question, and how an answer is kept, is what cassettes say. The answer becomes an artifact of the run that has
//! it, with a mark from which run it is, and the run's journal tells it as every other: nobody needs the cache to go on.

use crate::cassette::{Answer, Request};
use crate::facts;
use crate::store::{CachedAnswer, Store};
use crate::work::{CACHED, Returned, Task};
use aivm_schema::artifact::{Artifact, Checksum};
use aivm_schema::module::Module;
use aivm_schema::worker::{Does, Effect, WorkerDefinition};
use aivm_vm::run::Do;
use std::sync::Arc;

/// The largest answer that is kept, in bytes.
const MOST_BYTES: usize = 256 << 10;
const MS: u64 = 1_000_000;

/// Why the answers of such a worker cannot be kept; none: they can, or nobody wants it.
pub fn refused(definition: &WorkerDefinition) -> Option<String> {
    definition.cache?;
    let effect = facts::effect(definition);
    match &definition.does {
        Does::Command(_) | Does::Plugin(_) | Does::Model(_) | Does::Http(_) | Does::Mcp(_) if effect <= Effect::Read => None,
        Does::Builtin(_) => Some("E0975: `cache` keeps no answers of built-ins: they are there at once".to_owned()),
        Does::Human(_) => Some("E0975: `cache` keeps no answers of people: each is asked for itself".to_owned()),
        Does::Mock => Some("E0975: `cache` keeps no answers of mocks".to_owned()),
        _ if definition.effect.is_none() => Some(
            "E0975: `cache` keeps answers of calls that change nothing, and this worker does not say so: add `effect = \"read\"` if that is true"
                .to_owned(),
        ),
        _ => Some(format!(
            "E0975: `cache` keeps answers of calls that change nothing, and this worker is `{}`: what is answered from before would not happen",
            serde_json::to_value(effect).ok().as_ref().and_then(|word| word.as_str()).unwrap_or_default()
        )),
    }
}

/// A call whose answer may be kept.
pub struct Question {
    key: [u8; 32],
    /// How long an answer holds, in nanoseconds.
    holds: u64,
    words: Arc<[String]>,
}

impl Question {
    /// What is asked; none: the worker has no `cache`.
    pub fn of(task: &Task) -> Option<Question> {
        let definition = &task.worker.definition;
        let holds = definition.cache?.0.saturating_mul(MS);
        if refused(definition).is_some() {
            return None;
        }
        // Beside the question: whom it is asked, where no definition says.
        let whom = match &definition.does {
            Does::Model(ask) => {
                let mut models = task.around.outside.models.in_order(&ask.models);
                models.sort();
                models.join(" ")
            }
            Does::Command(_) | Does::Plugin(_) => task.around.workspace.display().to_string(),
            _ => String::new(),
        };
        // And what it is shown of its sources.
        let saw = task.saw.iter().flat_map(|saw| &saw.files);
        let saw: String = saw.map(|(name, file)| format!("\n{name} {}", file.content_digest())).collect();
        let key = *blake3::hash(format!("{}\n{whom}{saw}", Request::of(task).identity()).as_bytes()).as_bytes();
        Some(Question { key, holds, words: task.words.clone() })
    }

    /// The answer from before. It costs nothing.
    pub fn answered(&self, store: &dyn Store, now: u64) -> Option<Returned> {
        let entry = store.recall(&self.key)?;
        if now.saturating_sub(entry.at) > self.holds {
            return None;
        }
        let answer: Answer = serde_json::from_str(&entry.answer).ok()?;
        match answer.returned()? {
            Returned::Done { body, verdict, mut attributes, .. } => {
                attributes.push((CACHED.to_owned(), entry.run));
                Some(Returned::Done { body, verdict, attributes, usage: Default::default() })
            }
            _ => None,
        }
    }

    /// What is kept of an answer: only of a success, with a word that its step hears, and that does not ask to be called again.
    pub fn entry(&self, returned: &Returned, run: &str, now: u64) -> Option<CachedAnswer> {
        let verdict = match returned {
            Returned::Done { verdict, .. } | Returned::Made { verdict, .. } => verdict.as_deref(),
            Returned::Failed { .. } => return None,
        };
        if verdict.is_some_and(|word| word == "retry" || !self.words.iter().any(|known| known == word)) {
            return None;
        }
        let answer = Answer::of(returned);
        // A list of parts has no room for the mark.
        if answer.is_parts() {
            return None;
        }
        let answer = serde_json::to_string(&answer).ok().filter(|text| text.len() <= MOST_BYTES)?;
        Some(CachedAnswer {
            key: self.key,
            run: run.to_owned(),
            at: now,
            until: now.saturating_add(self.holds),
            answer,
        })
    }
}

/// The run whose answer this call had, when it was answered from the cache.
pub fn run_of(module: &Module, what: &Do, get: impl FnOnce(Checksum) -> Option<Artifact>) -> Option<String> {
    let Do::Ended(ended) = what else { return None };
    let worker = module.workers.get(ended.call.worker.index())?;
    // Only few workers have it: no other artifact is looked up.
    if !worker.definition.contains("\"cache\"") {
        return None;
    }
    let output = get(ended.output?)?;
    // A worker that hands on its input hands on what that is marked with, too.
    let own = output.attribute("step") == Some(ended.call.key.to_string().as_str());
    output.attribute(CACHED).filter(|_| own).map(str::to_owned)
}
