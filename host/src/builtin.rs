//! The workers that this program brings along: functions from one artifact's payload to another's, each under one word.
//! Here: what a built-in is given, what it gives back, and the list of them all. Each word has a file of its own below
//! and a page in `stdlib/workers`, which says in one sentence exactly what it does.
//!
//! Not here: artifacts, identities, time, retries. A built-in sees bytes and settings; the host makes artifacts of what it
//! returns. All are pure but `sleep`, `program`, those that touch files and those of memory, which say so by their effect.

mod assert;
pub(crate) mod beneath;
mod buffer;
mod capability;
mod choose;
mod clean;
mod collect;
mod condition;
mod count;
mod dedupe;
mod diff;
mod effects;
mod encode;
mod enrich;
mod extract;
mod fail;
mod failure;
mod files;
mod fit;
mod format;
pub(crate) mod glob;
mod hash;
mod input;
mod items;
mod json;
mod match_regex;
pub mod media;
mod members;
pub mod memory;
mod merge;
mod only;
mod path;
pub mod program;
mod quarantine;
mod redact;
mod replace;
mod rules;
mod schema;
mod search;
mod setting;
mod sleep;
mod sort;
mod split;
mod state;
mod stats;
mod table;
mod take;
mod template;
mod tools;
mod undo;
mod validate;
mod when;

pub use capability::{absolute_paths, capability_of, wrong_inputs};
pub use failure::Failure;
pub use input::{Call, Context, Input, Part};
pub use media::{is_json, is_parts, is_text};
pub use schema::violations;
pub use setting::{Kind, Options, Preset, Setting, settings_table};

/// What models are asked with, and what their answers are held against.
#[cfg(feature = "models")]
pub(crate) use template::render;
/// What requests are made of.
#[cfg(feature = "http")]
pub(crate) use {
    media::essence,
    template::{names, render_with},
};

use aivm_schema::worker::memory::use_of;
use aivm_schema::worker::{Effect, Settings};

/// The largest payload that a built-in makes, and the largest that it reads as text, JSON or CSV; in bytes.
pub const MOST_BYTES: usize = 64 << 20;
/// The most lines, elements, rows or parts that a built-in reads or makes.
pub const MOST_ITEMS: usize = aivm_schema::limits::ITEMS as usize;
/// The longest value of an attribute that a built-in sets, in bytes.
const MOST_ATTRIBUTE: usize = 4_096;

/// A worker of this program.
#[derive(Debug)]
pub struct Builtin {
    /// Its word.
    pub name: &'static str,
    /// What a call does to the world.
    pub effect: Effect,
    /// The verdicts that it gives where the step can hear them; where it cannot, the call succeeds without a word.
    pub words: &'static [&'static str],
    /// The verdict that it gives *instead of failing* because of what the input says ([`Failure::is_judgement`]), where the
    /// step can hear it. The output is then the input, with the reason in the attribute `reason`.
    pub instead: Option<&'static str>,
    /// Everything that can be set.
    pub settings: &'static [Setting],
    /// What [`Builtin::check`] asks beyond the settings' names and kinds.
    check: fn(&Options<'_>) -> Result<(), Failure>,
    run: fn(&Call<'_>) -> Result<Output, Failure>,
}

/// What a built-in returns.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The value.
    pub body: Body,
    /// Its verdict, one of the words that the step can hear.
    pub verdict: Option<String>,
    /// Attributes to set on the output.
    pub attributes: Vec<(String, String)>,
    /// How long the host must wait, in milliseconds, before it hands the output on.
    pub wait_ms: u64,
}

/// The value that a built-in returns.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// The input, as it is.
    Same,
    /// Something new.
    New {
        /// Its media type.
        media_type: String,
        /// Its bytes.
        payload: Vec<u8>,
    },
    /// Several values, of which the host makes one parts artifact.
    Parts(Vec<NewPart>),
}

/// One of several values.
#[derive(Clone, Debug, PartialEq)]
pub struct NewPart {
    /// Its name among the parts.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub payload: Vec<u8>,
}

impl Output {
    /// The input, as it is.
    pub fn same() -> Output {
        Output::of(Body::Same)
    }

    /// New bytes.
    pub fn new(media_type: &str, payload: impl Into<Vec<u8>>) -> Output {
        Output::of(Body::New { media_type: media_type.to_owned(), payload: payload.into() })
    }

    fn of(body: Body) -> Output {
        Output { body, verdict: None, attributes: Vec::new(), wait_ms: 0 }
    }

    fn say(mut self, word: impl Into<String>) -> Output {
        self.verdict = Some(word.into());
        self
    }

    /// Sets an attribute; what would be no attribute value is made one.
    fn with(mut self, key: &str, value: impl ToString) -> Output {
        let mut value = value.to_string().replace('\0', " ");
        value.truncate(value.floor_char_boundary(MOST_ATTRIBUTE));
        self.attributes.push((key.to_owned(), value));
        self
    }
}

/// The values at a place within JSON, `a.b.0`, `items.*.name` or a pointer `/a/b/0`, as settings name it.
pub fn values_at<'v>(value: &'v serde_json::Value, place: &str) -> Vec<&'v serde_json::Value> {
    path::Place::parse(place).all(value)
}

/// Those that change files, and keep what they find: `restore` takes it back.
const CHANGE_FILES: [&str; 14] = [
    "edit-file",
    "io.fs.copy",
    "io.fs.delete",
    "io.fs.make_dir",
    "io.fs.move",
    "io.fs.write_bytes",
    "io.fs.write_file",
    "mkdir",
    "move",
    "remove",
    "save",
    "sys.archive.zip",
    "write",
    "write-file",
];

/// All built-ins, sorted by name.
static BUILTINS: [Builtin; 80] = [
    assert::BUILTIN,
    choose::BEST,
    clean::BUILTIN,
    collect::BUILTIN,
    count::BUILTIN,
    capability::data::GET,
    capability::data::PARSE,
    capability::data::STRINGIFY,
    encode::DECODE,
    dedupe::BUILTIN,
    diff::BUILTIN,
    tools::EDIT_FILE,
    encode::ENCODE,
    enrich::BUILTIN,
    extract::BUILTIN,
    fail::FAIL,
    fit::BUILTIN,
    memory::FORGET,
    format::BUILTIN,
    members::GET,
    hash::BUILTIN,
    state::INITIAL_STATE,
    state::INPUTS,
    capability::fs::COPY,
    capability::fs::DELETE,
    capability::fs::EXISTS,
    capability::fs::HASH,
    capability::fs::LIST,
    capability::fs::MAKE,
    capability::fs::MOVE,
    capability::fs::READ,
    capability::fs::WRITE_BYTES,
    capability::fs::WRITE,
    json::BUILTIN,
    tools::LIST_FILES,
    match_regex::BUILTIN,
    merge::BUILTIN,
    state::MERGE_STATE,
    state::MERGE_STATES,
    effects::MKDIR,
    effects::MOVE,
    memory::NEIGHBOURS,
    only::BUILTIN,
    memory::PATH,
    members::PICK,
    program::BUILTIN,
    quarantine::BUILTIN,
    files::READ,
    tools::READ_FILE,
    memory::RECALL,
    redact::BUILTIN,
    memory::RELATE,
    memory::REMEMBER,
    effects::REMOVE,
    members::RENAME,
    replace::BUILTIN,
    effects::RESTORE,
    memory::RESTORE,
    effects::SAVE,
    search::BUILTIN,
    tools::SEARCH_FILES,
    members::SET,
    sleep::BUILTIN,
    sort::BUILTIN,
    split::BUILTIN,
    stats::BUILTIN,
    capability::archive::ZIP,
    capability::GET_ENV_VAR,
    capability::GET_OS,
    take::BUILTIN,
    template::BUILTIN,
    capability::data::MATCH,
    capability::data::RENDER,
    fail::UNBOUND,
    tools::UNDO,
    validate::BUILTIN,
    choose::VOTE,
    when::BUILTIN,
    effects::WRITE,
    tools::WRITE_FILE,
];

/// All built-ins, sorted by name.
pub fn all() -> &'static [Builtin] {
    &BUILTINS
}

/// The built-in of this name.
pub fn find(name: &str) -> Option<&'static Builtin> {
    BUILTINS.binary_search_by(|builtin| builtin.name.cmp(name)).ok().and_then(|at| BUILTINS.get(at))
}

/// Is there such a built-in, and would it take these settings? What the checker asks at compile time.
pub fn check(name: &str, with: &Settings) -> Result<(), Failure> {
    match find(name) {
        Some(builtin) => builtin.check(with),
        None => Err(Failure::unknown_builtin(name)),
    }
}

impl Builtin {
    /// Would it take these settings? Names, kinds, patterns, schemas: everything that can be known before a call.
    pub fn check(&self, with: &Settings) -> Result<(), Failure> {
        let options = Options::read(self.name, self.settings, with)?;
        (self.check)(&options)
    }

    /// Does it do nothing but answer, and the same for the same input?
    pub fn is_pure(&self) -> bool {
        self.effect == Effect::Pure
    }

    /// The built-in that takes back what a call did, when it is not told otherwise.
    pub fn undo(&self) -> Option<&'static str> {
        match use_of(self.name) {
            Some(does) => does.writes.then_some(memory::RESTORE.name),
            None => CHANGE_FILES.contains(&self.name).then_some(effects::RESTORE.name),
        }
    }

    /// Calls it. Never panics, never loops for ever: sizes and counts are limited, and it looks at `context.cancelled` now and then.
    pub fn call(&self, input: &Input<'_>, context: &Context<'_>) -> Result<Output, Failure> {
        let with = Options::read(self.name, self.settings, context.with)?;
        (self.check)(&with)?;
        let call = Call { input, context, with };
        match ((self.run)(&call), self.instead) {
            (Ok(mut output), _) => {
                output.verdict = output.verdict.filter(|word| call.hears(word) || !self.words.contains(&word.as_str()));
                match output.verdict.as_deref() {
                    Some(word) if !call.hears(word) => Err(Failure::word(word, context.outcomes)),
                    _ => Ok(output),
                }
            }
            (Err(failure), Some(word)) if failure.is_judgement() && call.hears(word) => {
                Ok(Output::same().say(word).with("reason", failure))
            }
            (Err(failure), _) => Err(failure),
        }
    }
}

/// For built-ins whose settings need no further check.
fn nothing_more(_: &Options<'_>) -> Result<(), Failure> {
    Ok(())
}

#[cfg(test)]
mod tests;
