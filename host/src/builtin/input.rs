//! What a built-in is called with, and how it reads it.

use super::memory::Access;
use super::{Failure, MOST_BYTES, Options, media};
use aivm_schema::worker::Settings;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

/// The artifact that a built-in is called with.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Its media type.
    pub media_type: &'a str,
    /// Its bytes.
    pub payload: &'a [u8],
    /// Its attributes.
    pub attributes: &'a [(String, String)],
    /// Its parts, when it has parts; parts of parts stand here too, named `outer/inner`.
    pub parts: &'a [Part<'a>],
}

/// One of several values that a built-in is called with.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The name of the step or element it comes from.
    pub name: &'a str,
    /// Its media type.
    pub media_type: &'a str,
    /// Its bytes.
    pub payload: &'a [u8],
    /// Its verdict.
    pub verdict: Option<&'a str>,
}

/// What a call may know and use besides its input.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The settings that the program gives.
    pub with: &'a Settings,
    /// The words that the step can hear.
    pub outcomes: &'a [String],
    /// The run's parameters.
    pub params: &'a BTreeMap<String, String>,
    /// The only folder in which files are read and written.
    pub workspace: &'a Path,
    /// Where the run keeps what was there before its effects on files.
    pub kept: &'a Path,
    /// What is remembered; none: nothing is here.
    pub memory: Option<Access<'a>>,
    /// The call's place in the run; the same when it is repeated.
    pub key: &'a dyn Display,
    /// Has the call been cancelled?
    pub cancelled: &'a dyn Fn() -> bool,
}

/// A call under way: input, surroundings and checked settings.
pub struct Call<'a> {
    /// The value.
    pub input: &'a Input<'a>,
    /// The surroundings.
    pub context: &'a Context<'a>,
    /// The settings.
    pub with: Options<'a>,
}

impl<'a> Call<'a> {
    /// Can the step hear this word?
    pub fn hears(&self, word: &str) -> bool {
        self.context.outcomes.iter().any(|outcome| outcome == word)
    }

    /// To be called in every long loop with its counter: looks every 4,096 rounds whether to stop.
    pub fn tick(&self, round: usize) -> Result<(), Failure> {
        if round % 4_096 == 4_095 && (self.context.cancelled)() { Err(Failure::Cancelled) } else { Ok(()) }
    }

    /// Has somebody asked to stop? Where a single round may take long: a search for a pattern may read the whole input.
    pub fn stop(&self) -> Result<(), Failure> {
        if (self.context.cancelled)() { Err(Failure::Cancelled) } else { Ok(()) }
    }

    /// The input as text.
    pub fn text(&self) -> Result<&'a str, Failure> {
        self.whole()?;
        read_text(self.input.payload)
    }

    /// The input as JSON, whatever its media type says.
    pub fn json(&self) -> Result<Value, Failure> {
        self.whole()?;
        read_json(self.input.payload)
    }

    /// The input as one value: not parts, which most built-ins would misread.
    pub(super) fn whole(&self) -> Result<(), Failure> {
        if self.input.parts.is_empty() && !media::is_parts(self.input.media_type) {
            return Ok(());
        }
        Err(Failure::Unreadable(format!(
            "the input has {} parts, and this built-in reads one value: put `merge` before it, or call it for each part with `.*`",
            self.input.parts.len()
        )))
    }

    /// The parts; a value without parts counts as one, named `in`.
    pub fn parts(&self) -> Vec<Part<'a>> {
        if !self.input.parts.is_empty() || media::is_parts(self.input.media_type) {
            return self.input.parts.to_vec();
        }
        vec![Part { name: "in", media_type: self.input.media_type, payload: self.input.payload, verdict: None }]
    }
}

impl<'a> Part<'a> {
    /// The part as text.
    pub fn text(&self) -> Result<&'a str, Failure> {
        read_text(self.payload).map_err(|failure| failure.of_part(self.name))
    }

    /// The part as JSON.
    pub fn json(&self) -> Result<Value, Failure> {
        read_json(self.payload).map_err(|failure| failure.of_part(self.name))
    }

    /// The part as JSON when it is JSON, else its text as a JSON string.
    pub fn value(&self) -> Result<Value, Failure> {
        if media::is_json(self.media_type) { self.json() } else { Ok(Value::String(self.text()?.to_owned())) }
    }
}

impl Failure {
    fn of_part(self, name: &str) -> Failure {
        match self {
            Failure::Unreadable(reason) => Failure::Unreadable(format!("part `{name}`: {reason}")),
            other => other,
        }
    }
}

/// These bytes as text.
pub(super) fn read_text(bytes: &[u8]) -> Result<&str, Failure> {
    if bytes.len() > MOST_BYTES {
        return Err(Failure::too_large("reading it as text"));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        Failure::Unreadable(format!(
            "the input is not UTF-8 text: byte {} cannot be read. `clean` with `invalid = \"replace\"` makes text of it",
            error.valid_up_to()
        ))
    })
}

/// These bytes as JSON.
pub(super) fn read_json(bytes: &[u8]) -> Result<Value, Failure> {
    if bytes.len() > MOST_BYTES {
        return Err(Failure::too_large("reading it as JSON"));
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    serde_json::from_slice(bytes).map_err(|error| {
        let hint = if bytes.iter().all(u8::is_ascii_whitespace) {
            "it is empty"
        } else {
            "`extract` with `what = \"json\"` finds JSON within prose"
        };
        Failure::Unreadable(format!("the input is not JSON: {error}; {hint}"))
    })
}
