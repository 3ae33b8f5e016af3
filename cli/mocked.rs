//! Mock workers for words that nothing is called: whoever tries a pipeline out names a worker before there is one. The REPL has them on
//! mock workers, the playground always. What every other worker becomes there is not said here.

use aivm_lang::front::Limits;
use aivm_lang::library::{Found, Library, LibraryError};
use aivm_schema::unit::{Money, Tokens};
use aivm_schema::worker::{BehaviourDefinition, Does, Settings, WorkerDefinition};

/// A library in which every other word is a mock, too.
#[derive(Clone, Copy)]
pub struct Mocked<'l>(pub &'l dyn Library);

/// Whom such a word calls.
fn nobody() -> WorkerDefinition {
    WorkerDefinition::new(Does::Mock)
}

/// Is this worker, as a module has it, one of which only the name is known?
pub fn is_nobody(definition: &WorkerDefinition) -> bool {
    let mut definition = definition.clone();
    definition.mock.take_if(|answers| answers.is_empty());
    definition == nobody()
}

impl Library for Mocked<'_> {
    fn find(&self, file: &str, name: &str) -> Result<Option<Found>, LibraryError> {
        let found = self.0.find(file, name)?;
        Ok(Some(found.unwrap_or_else(|| Found::Worker(Box::new(nobody())))))
    }

    fn find_behaviour(&self, file: &str, name: &str) -> Result<Option<BehaviourDefinition>, LibraryError> {
        self.0.find_behaviour(file, name)
    }

    fn names(&self, file: &str) -> Vec<String> {
        self.0.names(file)
    }

    fn own_names(&self, file: &str) -> Vec<String> {
        self.0.own_names(file)
    }

    fn beside(&self, file: &str, name: &str) -> Result<Option<String>, LibraryError> {
        self.0.beside(file, name)
    }

    fn defined_in(&self, file: &str, name: &str) -> Option<String> {
        self.0.defined_in(file, name)
    }

    fn origin(&self, file: &str, name: &str) -> Option<String> {
        self.0.origin(file, name)
    }

    fn check(&self, definition: &WorkerDefinition) -> Result<(), String> {
        self.0.check(definition)
    }

    fn wrong_inputs(&self, definition: &WorkerDefinition, inputs: &Settings) -> Vec<String> {
        self.0.wrong_inputs(definition, inputs)
    }

    fn absolute_paths<'i>(&self, definition: &WorkerDefinition, inputs: &'i Settings) -> Vec<(&'i str, &'i str)> {
        self.0.absolute_paths(definition, inputs)
    }

    fn price(&self, definition: &WorkerDefinition) -> (Option<Money>, Option<Tokens>) {
        self.0.price(definition)
    }

    fn undoer(&self, definition: &WorkerDefinition) -> Option<(String, WorkerDefinition)> {
        self.0.undoer(definition)
    }

    fn has_model(&self) -> bool {
        self.0.has_model()
    }

    fn limits(&self) -> Limits {
        self.0.limits()
    }
}
