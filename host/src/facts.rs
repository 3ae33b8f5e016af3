//! What a run must know of the workers of its program: what their calls do to the world, and how long to wait before a retry.

use crate::builtin;
use aivm_schema::module::{Module, Worker};
use aivm_schema::worker::memory::is_of_memory;
use aivm_schema::worker::{Backoff, Does, Effect, Method, WorkerDefinition};
use aivm_vm::run::Facts;

/// The facts of all workers of a module. With `mock` only pure built-ins are called; everything else is scripted. When it
/// `replays`, calls of the world are answered and not made: one that was interrupted is asked for again, and no retry waits.
pub fn of(module: &Module, mock: bool, replays: bool) -> Vec<Facts> {
    module.workers.iter().map(|worker| facts(worker, mock, replays)).collect()
}

fn facts(worker: &Worker, mock: bool, replays: bool) -> Facts {
    let name = worker.name.clone();
    let Ok(definition) = WorkerDefinition::from_json(&worker.definition) else {
        // It will not even begin.
        let (digest, effect) = ([0; 32], Effect::Pure);
        let (backoff, scripted) = (Backoff::default(), false);
        return Facts {
            name,
            digest,
            effect,
            scripted,
            backoff,
            key_ms: None,
            probed: false,
            question: None,
            timeout_ms: None,
            priority: 0,
        };
    };
    let declared = effect(&definition);
    let replayed = replays && reaches_outside(&definition);
    let declared = if replayed { declared.min(Effect::Read) } else { declared };
    let scripted = matches!(definition.does, Does::Mock) || mock && declared != Effect::Pure;
    Facts {
        name,
        digest: definition.digest().0,
        effect: if scripted { Effect::Pure } else { declared },
        scripted,
        // A scripted failure does not go away by waiting.
        backoff: if scripted || replayed {
            Backoff { wait: Default::default(), ..definition.backoff }
        } else {
            definition.backoff
        },
        key_ms: definition.key_ttl.map(|ttl| ttl.0),
        probed: !scripted && !replayed && definition.probe.is_some(),
        question: match &definition.does {
            Does::Human(question) if !scripted => Some(question.clone()),
            _ => None,
        },
        timeout_ms: definition.call_timeout().map(|timeout| timeout.0),
        priority: definition.priority,
    }
}

/// What a call does to the world: what the worker declares, else what its kind does at worst.
pub fn effect(definition: &WorkerDefinition) -> Effect {
    let of_kind = match &definition.does {
        Does::Builtin(name) => builtin::find(name).map_or(Effect::Irreversible, |builtin| builtin.effect),
        Does::Mock => Effect::Pure,
        Does::Model(_) | Does::Human(_) => Effect::Read,
        // What the methods of HTTP promise.
        Does::Http(http) => match http.method {
            Method::Get | Method::Head => Effect::Read,
            Method::Put | Method::Delete => Effect::Idempotent,
            Method::Post | Method::Patch => Effect::Irreversible,
        },
        Does::Command(_) | Does::Plugin(_) | Does::Mcp(_) => Effect::Irreversible,
    };
    match &definition.does {
        // What a built-in does is known; nobody can declare it away.
        Does::Builtin(_) | Does::Mock => of_kind,
        _ => definition.effect.unwrap_or(of_kind),
    }
}

/// Does a call reach outside, so that a cassette records it?
pub fn reaches_outside(definition: &WorkerDefinition) -> bool {
    match definition.does {
        Does::Model(_) | Does::Http(_) | Does::Mcp(_) => true,
        Does::Command(_) | Does::Plugin(_) => definition.effect != Some(Effect::Pure),
        // What other runs share, and what is there another time is not what was there; and whoever calls anybody.
        Does::Builtin(ref name) => is_of_memory(name) || name == builtin::program::PROGRAM,
        Does::Human(_) | Does::Mock => false,
    }
}
