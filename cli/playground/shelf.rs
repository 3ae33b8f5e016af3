//! What a program of the playground can name: the standard library, and [`Mocked`] for everything else. No file is read, and
//! what is compiled here can only compute: whatever reaches outside is a mock by the time it runs.

use crate::library;
use crate::mocked::Mocked;
use aivm_host::{builtin, stdlib};
use aivm_lang::library::{Found, Library, LibraryError};
use aivm_schema::module::Module;
use aivm_schema::worker::{Does, MockEntry, WorkerDefinition};
use std::collections::BTreeMap;

/// What workers answer, by their names.
pub type Mocks = BTreeMap<String, Vec<MockEntry>>;

/// The library of every program.
pub const SHELF: Mocked<'static> = Mocked(&Stdlib);

/// The words that are there.
struct Stdlib;

impl Library for Stdlib {
    fn find(&self, _file: &str, name: &str) -> Result<Option<Found>, LibraryError> {
        let Some(page) = stdlib::page(name) else { return Ok(None) };
        let error = |reason: String| LibraryError { file: format!("stdlib/workers/{name}.md"), reason };
        let definition = WorkerDefinition::from_markdown(page).map_err(|reason| error(reason.to_string()))?;
        Ok(Some(Found::Worker(Box::new(definition))))
    }

    fn names(&self, _file: &str) -> Vec<String> {
        stdlib::names().map(str::to_owned).collect()
    }

    /// There is no project here.
    fn own_names(&self, _file: &str) -> Vec<String> {
        Vec::new()
    }

    fn check(&self, definition: &WorkerDefinition) -> Result<(), String> {
        match &definition.does {
            Does::Builtin(name) => library::check_builtin(name, definition),
            _ => Ok(()),
        }
    }

    fn undoer(&self, definition: &WorkerDefinition) -> Option<(String, WorkerDefinition)> {
        stdlib::undoer(definition)
    }

    /// Whoever chooses is a mock, as every model.
    fn has_model(&self) -> bool {
        true
    }
}

/// The same program, in which every worker is a mock that is not a pure built-in, and those that are given answers here.
pub fn sealed(mut module: Module, mocks: &Mocks) -> Module {
    for worker in &mut module.workers {
        // What cannot be read answers nothing.
        let definition = WorkerDefinition::from_json(&worker.definition);
        let definition = definition.unwrap_or_else(|_| WorkerDefinition::new(Does::Mock));
        let answers = mocks.get(&worker.name).filter(|answers| !answers.is_empty());
        if is_pure(&definition) && answers.is_none() {
            continue;
        }
        let answers = answers.cloned().or(definition.mock.clone());
        worker.definition = definition.mocked(answers).to_json();
    }
    module
}

/// Does it only compute, and the same from the same input?
pub fn is_pure(definition: &WorkerDefinition) -> bool {
    let Does::Builtin(name) = &definition.does else { return false };
    builtin::find(name).is_some_and(builtin::Builtin::is_pure)
}
