//! `remember`, `recall`, `forget`, `relate`, `neighbours`, `path` and `restore-memory`: what workers remember, for programs with and without a model.
//! Which memory is meant is what the definition allows, what its settings say, and last what the input asks for: each only narrows.
//!
//! `memory/change.rs` changes what is remembered so that it can be taken back.

use super::input::Call;
#[cfg(feature = "memory")]
use super::media;
use super::setting::{Kind, Options, Setting};
use super::{Builtin, Effect, Failure, Output, files};
use aivm_schema::worker::memory::{Grant, Memory, Register, Use, use_of};
use aivm_schema::worker::{Does, WorkerDefinition};

#[cfg(feature = "memory")]
mod change;
#[cfg(feature = "memory")]
mod read;

/// What is remembered, as one call may use it.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    /// The worker's name: its own memory is called so.
    pub worker: &'a str,
    /// The run's name.
    pub run: &'a str,
    /// What names the call among all of all runs; the same when it is repeated.
    pub id: &'a str,
    /// What the worker may do.
    pub granted: &'a Memory,
    /// What is remembered.
    #[cfg(feature = "memory")]
    pub memory: &'a crate::memory::Memory,
    /// Whoever asks waits here: a call of a built-in has a thread of its own where it may.
    #[cfg(feature = "memory")]
    pub runtime: &'a tokio::runtime::Handle,
}

const WHICH: Setting = Setting::optional(
    "memory",
    Kind::Text,
    "`local`, `local/WORKER`, `global` or a collection of it, `global/NAME`; not set: the first that the worker may use",
);
const WHERE: Setting = Setting::optional(
    "where",
    Kind::Table,
    "only notes whose metadata says so: `{ topic = \"tax\", year = { \"$gte\" = 2020 } }`",
);

const fn memory(
    name: &'static str,
    effect: Effect,
    words: &'static [&'static str],
    settings: &'static [Setting],
    run: fn(&Call<'_>) -> Result<Output, Failure>,
) -> Builtin {
    Builtin { name, effect, words, instead: None, settings, check: check_settings, run }
}

/// What those that look for something say.
const FOUND: &[&str] = &["found", "not-found"];

pub(super) const REMEMBER: Builtin = memory(
    "remember",
    Effect::Idempotent,
    &[],
    &[
        WHICH,
        Setting::optional(
            "id",
            Kind::Text,
            "what it is known by, and replaces what is known by it: `{input}`, `{param.X}` and `{attribute.X}` are filled in; not set: a new one",
        ),
        Setting::optional("metadata", Kind::Table, "what is known of it beside its text"),
    ],
    run::remember,
);
pub(super) const RECALL: Builtin = memory(
    "recall",
    Effect::Read,
    FOUND,
    &[
        WHICH,
        Setting::optional("query", Kind::Text, "what is looked for; not set: the input"),
        Setting::count("most", 5, "how many notes it gives"),
        Setting::optional("score", Kind::Number, "only notes that are so near or nearer, from -1 to 1"),
        WHERE,
    ],
    run::recall,
);
pub(super) const FORGET: Builtin = memory("forget", Effect::Idempotent, &[], &[WHICH], run::forget);
pub(super) const RELATE: Builtin = memory(
    "relate",
    Effect::Idempotent,
    &[],
    &[WHICH, Setting::optional("relation", Kind::Text, "where the input names none")],
    run::relate,
);
pub(super) const NEIGHBOURS: Builtin = memory(
    "neighbours",
    Effect::Read,
    FOUND,
    &[
        WHICH,
        Setting::optional("relation", Kind::Text, "only relations of this name"),
        Setting::count("hops", 1, "over so many relations at most"),
        Setting::count("most", 50, "how many relations it gives"),
    ],
    run::neighbours,
);
pub(super) const PATH: Builtin = memory(
    "path",
    Effect::Read,
    FOUND,
    &[
        WHICH,
        Setting::optional("from", Kind::Text, "where it begins, where the input does not say"),
        Setting::optional("to", Kind::Text, "where it ends, where the input does not say"),
        Setting::count("hops", 6, "over so many relations at most"),
    ],
    run::path,
);

pub(super) const RESTORE: Builtin = Builtin {
    name: aivm_schema::worker::memory::RESTORE,
    effect: Effect::Idempotent,
    words: &[],
    instead: None,
    settings: &[],
    check: super::nothing_more,
    run: run::restore,
};

#[cfg(feature = "memory")]
mod run {
    pub use super::change::{forget, relate, remember, restore};
    pub use super::read::{neighbours, path, recall};
}

#[cfg(not(feature = "memory"))]
mod run {
    use super::*;

    macro_rules! not_here {
        ($($name:ident),*) => {$(
            pub fn $name(_: &Call<'_>) -> Result<Output, Failure> {
                Err(no_memory())
            }
        )*};
    }
    not_here!(remember, recall, forget, relate, neighbours, path, restore);
}

/// Nothing is remembered here.
#[cfg(not(feature = "memory"))]
fn no_memory() -> Failure {
    Failure::Memory {
        code: "E0996",
        reason: "this build of aivm has no memory: build it with the feature `memory`".to_owned(),
    }
}

fn check_settings(with: &Options<'_>) -> Result<(), Failure> {
    which(with)?;
    if with.knows("id")
        && let Some(id) = with.maybe("id")
    {
        let known = |name: &str| files::is_outside(name) || name == "input";
        let fill = |name: &str| match known(name) {
            true => Ok("x".to_owned()),
            false => Err(with
                .wrong("id", format!("has `{{{name}}}`: it can be `{{input}}`, `{{param.X}}` or `{{attribute.X}}`"))),
        };
        files::fill(with, "id", &fill)?;
        if id.trim().is_empty() {
            return Err(with.wrong("id", "is empty: leave it out for a new one each time"));
        }
    }
    #[cfg(feature = "memory")]
    if with.knows("where")
        && let Some(filter) = with.table("where")
    {
        read::filter(&serde_json::Value::Object(filter.clone())).map_err(|reason| with.wrong("where", reason))?;
    }
    for count in ["most", "hops"] {
        if with.knows(count) && with.count(count) == 0 {
            return Err(with.wrong(count, "has to be at least 1"));
        }
    }
    Ok(())
}

/// The memory that the settings name.
fn which(with: &Options<'_>) -> Result<Option<Register>, Failure> {
    with.maybe("memory").map(str::parse).transpose().map_err(|error| with.wrong("memory", format!("is wrong: {error}")))
}

/// What a built-in of memory may do that does not say so.
fn unless_told() -> Memory {
    Memory(vec![Grant { register: Register::Global(String::new()), read: true, write: true }])
}

/// What a worker may do with memory.
pub fn granted(definition: &WorkerDefinition) -> Memory {
    match definition.memory.is_empty() {
        true => unless_told(),
        false => definition.memory.clone(),
    }
}

/// Will a definition be allowed what it is for? What the checker asks at compile time.
pub fn check(definition: &WorkerDefinition) -> Result<(), Failure> {
    let Does::Builtin(name) = &definition.does else { return Ok(()) };
    let (Some(does), Some(builtin)) = (use_of(name), super::find(name)) else { return Ok(()) };
    let with = Options::read(builtin.name, builtin.settings, &definition.with)?;
    register(builtin.name, does, &granted(definition), which(&with)?, None).map(drop)
}

/// The memory that is meant: by the settings, by the input, else the first that is allowed.
fn register(
    builtin: &'static str,
    does: Use,
    granted: &Memory,
    set: Option<Register>,
    asked: Option<Register>,
) -> Result<Register, Failure> {
    let forbidden = |reason: String| Err(Failure::Memory { code: "E0995", reason });
    let right = if does.writes { "w" } else { "r" };
    if let (Some(set), Some(asked)) = (&set, &asked)
        && set != asked
    {
        return forbidden(format!("`{builtin}` is set to the memory `{set}`, and was asked for `{asked}`"));
    }
    match set.or(asked) {
        Some(register) if !does.notes && register.is_collection() => forbidden(format!(
            "`{builtin}` is about relations, which are in no collection: `{register}` is one, of notes"
        )),
        Some(register) if granted.allows(&register, does) => Ok(register),
        Some(register) => forbidden(format!(
            "`{builtin}` may not be used on the memory `{register}`: the worker has {}; to allow it, add `{register}:{right}`",
            listed(granted)
        )),
        None => match granted.where_allowed(does).next() {
            Some(register) => Ok(register.clone()),
            None => forbidden(format!(
                "`{builtin}` may be used on no memory: the worker has {}; to allow it, add `local:{right}` or `global:{right}`",
                listed(granted)
            )),
        },
    }
}

fn listed(granted: &Memory) -> String {
    let all = granted.0.iter().map(|grant| format!("\"{}\"", String::from(grant.clone())));
    format!("`memory = [{}]`", all.collect::<Vec<_>>().join(", "))
}
