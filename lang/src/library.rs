//! Where names come from that a file does not define itself. The compiler asks; a host looks in files, packages and the
//! standard library; tests answer from a table.

use aivm_schema::unit::{Money, Tokens};
use aivm_schema::worker::{BehaviourDefinition, Settings, WorkerDefinition};
use std::collections::BTreeMap;

/// What a name stands for.
#[derive(Clone, Debug)]
pub enum Found {
    /// A worker.
    Worker(Box<WorkerDefinition>),
    /// A pipeline in a file of its own.
    Program {
        /// The file's name: what messages show, and what names its own words are looked up beside.
        file: String,
        /// Its text.
        source: String,
    },
}

/// Why a name that exists cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct LibraryError {
    /// The file that was meant.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Everything around a file that words can name.
pub trait Library {
    /// Whom `name` (words joined by dots) calls, seen from `file`; `None` when nothing has that name.
    fn find(&self, file: &str, name: &str) -> Result<Option<Found>, LibraryError>;

    /// The behaviour `name`, seen from `file`.
    fn find_behaviour(&self, _file: &str, _name: &str) -> Result<Option<BehaviourDefinition>, LibraryError> {
        Ok(None)
    }

    /// All names that `find` would answer, for "did you mean".
    fn names(&self, _file: &str) -> Vec<String> {
        Vec::new()
    }

    /// Those among them that are of the project, not of the standard library.
    fn own_names(&self, file: &str) -> Vec<String> {
        self.names(file)
    }

    /// The text of a plain file that stands beside this one.
    fn beside(&self, _file: &str, _name: &str) -> Result<Option<String>, LibraryError> {
        Ok(None)
    }

    /// Where the worker of this name is defined, also one that is not found because a program of the same name is.
    fn defined_in(&self, _file: &str, _name: &str) -> Option<String> {
        None
    }

    /// The file that defines the worker of this name, where it is one that can be opened.
    fn origin(&self, _file: &str, _name: &str) -> Option<String> {
        None
    }

    /// What is wrong with a definition that only the host can judge: an unknown built-in or setting.
    fn check(&self, _definition: &WorkerDefinition) -> Result<(), String> {
        Ok(())
    }

    /// What is wrong with the inputs that a saga would call it with, as far as the host knows what it reads.
    fn wrong_inputs(&self, _definition: &WorkerDefinition, _inputs: &Settings) -> Vec<String> {
        Vec::new()
    }

    /// The inputs that are absolute paths, each with its name: where the workspace is elsewhere, it refuses them.
    fn absolute_paths<'i>(&self, _definition: &WorkerDefinition, _inputs: &'i Settings) -> Vec<(&'i str, &'i str)> {
        Vec::new()
    }

    /// What one call of it costs and uses at most: what it declares, or what the host knows besides.
    fn price(&self, definition: &WorkerDefinition) -> (Option<Money>, Option<Tokens>) {
        definition.price()
    }

    /// The worker that takes back what this one did, where that is known without being told: its name and what it is.
    fn undoer(&self, _definition: &WorkerDefinition) -> Option<(String, WorkerDefinition)> {
        None
    }

    /// Is a model configured, which chooses where nobody else is named to?
    fn has_model(&self) -> bool {
        false
    }

    /// What the project sets for every program: the default count, limits of a run.
    fn limits(&self) -> crate::front::Limits {
        crate::front::Limits::default()
    }
}

/// A library in memory.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    /// By name.
    pub workers: BTreeMap<String, Found>,
    /// By name.
    pub behaviours: BTreeMap<String, BehaviourDefinition>,
    /// Answer every other name with a worker that has only this mock.
    pub anything: bool,
}

impl Library for Shelf {
    fn find(&self, _file: &str, name: &str) -> Result<Option<Found>, LibraryError> {
        let anything = || {
            let definition = WorkerDefinition::new(aivm_schema::worker::Does::Mock);
            self.anything.then(|| Found::Worker(Box::new(definition)))
        };
        Ok(self.workers.get(name).cloned().or_else(anything))
    }

    fn find_behaviour(&self, _file: &str, name: &str) -> Result<Option<BehaviourDefinition>, LibraryError> {
        let anything = || self.anything.then(BehaviourDefinition::default);
        Ok(self.behaviours.get(name).cloned().or_else(anything))
    }

    fn names(&self, _file: &str) -> Vec<String> {
        self.workers.keys().cloned().collect()
    }
}
