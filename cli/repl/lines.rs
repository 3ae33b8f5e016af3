//! Where entries come from: a person at a terminal, or lines of standard input, which has no prompts.

use super::brackets::Brackets;
use super::entry::{self, Entry};
use super::session::Session;
use super::typed::Typed;
use crate::fail::Failure;
use std::io::{BufRead, IsTerminal, Read, StdinLock};

/// A longer line is none that somebody typed.
const LONGEST: u64 = 1 << 20;

/// Entries, one after the other.
pub enum Lines {
    /// Of a person.
    Typed(Box<Typed>),
    /// Of a file or another program.
    Piped(Piped),
}

impl Lines {
    /// From standard input.
    pub fn open() -> Result<Lines, Failure> {
        match std::io::stdin().is_terminal() {
            true => Ok(Lines::Typed(Box::new(Typed::open()?))),
            false => Ok(Lines::Piped(Piped { input: std::io::stdin().lock(), held_back: None })),
        }
    }

    /// Does a person type?
    pub fn is_typed(&self) -> bool {
        matches!(self, Lines::Typed(_))
    }

    /// The next entry, and its text; none: that was all.
    pub fn next(&mut self, session: &Session) -> Result<Option<(String, Entry)>, Failure> {
        match self {
            Lines::Typed(typed) => typed.next(session),
            Lines::Piped(piped) => piped.next(),
        }
    }
}

/// Lines that nobody types.
pub struct Piped {
    input: StdinLock<'static>,
    /// The line that ended the entry before it.
    held_back: Option<String>,
}

impl Piped {
    /// An entry ends where it is whole, or where a command begins.
    fn next(&mut self) -> Result<Option<(String, Entry)>, Failure> {
        let (mut text, mut brackets) = (String::new(), Brackets::default());
        loop {
            let line = match self.held_back.take() {
                Some(line) => line,
                None => self.line()?,
            };
            if line.is_empty() {
                return Ok((!text.is_empty()).then(|| (text.clone(), entry::read(&text, true))));
            }
            if !text.is_empty() && line.starts_with([':', '/']) {
                self.held_back = Some(line);
                return Ok(Some((text.clone(), entry::read(&text, true))));
            }
            text.push_str(&line);
            brackets.read(&line);
            if brackets.are_open() {
                // A long program is read once, and not for each of its lines.
                continue;
            }
            match entry::read(&text, false) {
                Entry::Incomplete => {}
                Entry::Nothing => (text, brackets) = Default::default(),
                entry => return Ok(Some((text, entry))),
            }
        }
    }

    /// With its end; empty: there is none.
    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        let failed = |reason: String| Failure::usage("E0801", format!("cannot read standard input: {reason}"));
        let read = self.input.by_ref().take(LONGEST).read_line(&mut line).map_err(|error| failed(error.to_string()))?;
        match read as u64 == LONGEST {
            true => Err(failed(format!("a line is longer than {LONGEST} bytes"))),
            false => Ok(line),
        }
    }
}
