//! `--record`, `--replay`: who carries out the calls of a run. Runs that began with one of them go on so.

use crate::args::Tape;
use crate::fail::{Failure, coded};
#[cfg(feature = "store")]
use aivm_host::cassette::Refusing;
use aivm_host::cassette::{CassetteError, Player, Recorder};
use aivm_host::process::{Process, SystemProcess};
use aivm_schema::journal::Cassette;
use std::path::Path;
use std::rc::Rc;

/// What is said on the command line, as a journal keeps it.
pub fn of(tape: &Tape) -> Result<Option<Cassette>, Failure> {
    let (file, replay) = match (&tape.record, &tape.replay) {
        (Some(file), _) => (file, false),
        (None, Some(file)) => (file, true),
        (None, None) => return Ok(None),
    };
    let file = std::path::absolute(file)
        .map_err(|error| Failure::usage("E0926", format!("the cassette {}: {error}", file.display())))?;
    Ok(Some(Cassette { file: file.display().to_string(), replay }))
}

/// What it does, in words.
#[cfg(feature = "store")]
pub fn text(Cassette { file, replay }: &Cassette) -> String {
    let what = if *replay { "a replay of" } else { "recorded in" };
    format!("{what} {}", crate::out::plain(file))
}

/// What to do about a call that is not carried out.
pub fn refused(failure: Failure, ephemeral: bool) -> Failure {
    let goes_on = if ephemeral { "" } else { "; the run is left where it was, and goes on when the file answers" };
    failure.help(format!("record it anew: aivm run FILE --record NEW, with a key{goes_on}"))
}

/// Who carries out the calls of a new run.
pub fn begin(cassette: Option<&Cassette>) -> Result<Rc<dyn Process>, Failure> {
    let began = process(cassette, Recorder::create);
    began.map_err(|error| match &error {
        CassetteError::There(_) => {
            coded(&error.to_string()).help("remove it or name another; only `aivm resume RUN --record` adds to one")
        }
        _ => coded(&error.to_string()),
    })
}

/// Who carries out the calls of a run that began with one, or none, when the command line says the other.
#[cfg(feature = "store")]
pub fn resume(tape: &Tape, begun: Option<&Cassette>) -> Result<Rc<dyn Process>, Failure> {
    let told = of(tape)?;
    if tape.record.is_some()
        && let Some(begun) = begun.filter(|begun| begun.replay)
    {
        let message = format!("the run is a replay of {}: a recording would lack what that answered", begun.file);
        return Err(
            Failure::usage("E0927", message).help("record a run from its beginning: aivm run FILE --record NEW")
        );
    }
    let resumed = process(told.as_ref().or(begun), Recorder::append);
    resumed.map_err(|error| coded(&error.to_string()))
}

/// The same of one of many runs, where nothing can be said before it goes on.
#[cfg(feature = "store")]
pub fn resume_one(begun: Option<&Cassette>) -> Rc<dyn Process> {
    let refusing = |failure: Failure| Rc::new(Refusing { inner: Rc::new(SystemProcess), why: failure.message() });
    resume(&Tape::default(), begun).unwrap_or_else(|failure| refusing(failure))
}

fn process(
    cassette: Option<&Cassette>,
    record: impl FnOnce(&Path, Rc<dyn Process>) -> Result<Recorder, CassetteError>,
) -> Result<Rc<dyn Process>, CassetteError> {
    let system = Rc::new(SystemProcess);
    Ok(match cassette {
        None => system,
        Some(Cassette { file, replay: true }) => Rc::new(Player::open(file.as_ref(), system)?),
        Some(Cassette { file, replay: false }) => Rc::new(record(file.as_ref(), system)?),
    })
}
