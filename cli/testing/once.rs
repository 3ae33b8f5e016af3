//! A run for a test, or for its judge: nothing is kept of it, and it is said who answers what reaches outside.

use super::file::{Case, Suite};
use crate::args::How;
use crate::fail::Failure;
use crate::run::{Begun, Shared};
use crate::{input, module};
use aivm_host::cassette::{CassetteError, Player, Recorder};
use aivm_host::driver::{DriverError, Report};
use aivm_host::process::{Process, Refused, SystemProcess};
use aivm_host::store::Store;
use aivm_host::trace::Nobody;
use aivm_vm::verify::VerifiedModule;
use std::path::PathBuf;
use std::rc::Rc;

/// A run of which nothing is kept.
pub struct Ran {
    pub report: Report,
    pub store: Rc<dyn Store>,
}

/// Who answers what reaches outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Mocks, as everything else that is not pure.
    Mocks,
    /// Whoever is asked.
    World,
    /// The same, and it is written into this file.
    Recorded(PathBuf),
    /// This file.
    Cassette(PathBuf),
}

impl Answers {
    /// Of a test; a cassette that is not there is written where that is wanted.
    pub fn of(case: &Case, record: bool) -> Answers {
        match &case.cassette {
            Some(file) if record && !file.exists() => Answers::Recorded(file.clone()),
            Some(file) => Answers::Cassette(file.clone()),
            None if case.live => Answers::World,
            None => Answers::Mocks,
        }
    }

    fn process(&self) -> Result<Rc<dyn Process>, Failure> {
        let system = Rc::new(SystemProcess);
        let process: Result<Rc<dyn Process>, CassetteError> = match self {
            Answers::Mocks | Answers::World => return Ok(system),
            // What a judge says stands behind what the run was answered.
            Answers::Recorded(file) => Recorder::append(file, system).map(|recorder| Rc::new(recorder) as _),
            Answers::Cassette(file) => Player::open(file, system).map(|player| Rc::new(player) as _),
        };
        process.map_err(|error| crate::fail::coded(&error.to_string()))
    }
}

/// Runs a program once.
pub fn once(
    suite: &Suite,
    module: &VerifiedModule,
    how: &How,
    answers: &Answers,
    payload: Vec<u8>,
    media_type: &str,
) -> Result<Ran, Failure> {
    let program =
        module::Program { name: suite.program.name.clone(), module: module.clone(), debug: None, compiled: None };
    let draft = input::drafted(payload, media_type)?;
    let mut begun = Begun::new(&Shared::new(how)?, how, true, &program, None, draft)?;
    begun.options.process = answers.process()?;
    let store = begun.store.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("E0805", format!("no event loop: {error}")))?;
    let report = runtime.block_on(begun.drive(&mut Nobody)).map_err(|error| {
        let failure = crate::fail::failed(&error.to_string());
        match error {
            DriverError::Refused(Refused::Cassette(_)) => {
                failure.help("remove the cassette and record it anew: aivm test --record")
            }
            _ => failure,
        }
    })?;
    Ok(Ran { report, store })
}
