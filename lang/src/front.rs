//! Front matter: the TOML between the two `+++` lines, definitions that belong to one file alone. `aivm.toml` has the same keys.

use aivm_schema::module::RunLimits;
use aivm_schema::param::Param;
use aivm_schema::unit::{Money, Tokens};
use aivm_schema::worker::{BehaviourDefinition, WorkerDefinition};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

mod read;

pub(crate) use read::{Read, read};

/// What front matter and `aivm.toml` define.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FrontMatter {
    /// `[worker.WORD]`.
    pub worker: BTreeMap<String, WorkerDefinition>,
    /// `[behaviour.WORD]`.
    pub behaviour: BTreeMap<String, BehaviourDefinition>,
    /// `[stage.LABEL]`.
    pub stage: BTreeMap<String, StageSettings>,
    /// `[param.NAME]`: what it asks of whoever starts it.
    pub param: BTreeMap<String, Param>,
    /// `[limits]`.
    pub limits: Limits,
}

/// `[stage.LABEL]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StageSettings {
    /// Of a select: the worker that chooses.
    pub chooser: Option<String>,
}

/// `[limits]`: of the whole run, and the default count.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Calls of workers.
    pub calls: Option<u64>,
    /// What all calls may cost.
    pub money: Option<Money>,
    /// What all calls may use.
    pub tokens: Option<Tokens>,
    /// The count that closes a cycle on which nothing is counted; 8 unless set.
    pub count: Option<std::num::NonZeroU16>,
    /// Calls that may be under way at once.
    pub concurrent: Option<std::num::NonZeroU16>,
}

impl Limits {
    /// What the machine holds a run to.
    pub fn of_run(&self) -> RunLimits {
        RunLimits {
            calls: self.calls,
            money: self.money.map(|money| money.0),
            tokens: self.tokens.map(|tokens| tokens.0),
        }
    }
}

impl FrontMatter {
    /// From TOML text.
    pub fn parse(text: &str) -> Result<FrontMatter, toml::de::Error> {
        toml::from_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::{Found, Library, LibraryError};

    /// A library that has nothing but limits.
    struct Project(Limits);

    impl Library for Project {
        fn find(&self, _file: &str, _name: &str) -> Result<Option<Found>, LibraryError> {
            Ok(None)
        }
        fn limits(&self) -> Limits {
            self.0.clone()
        }
    }

    #[test]
    fn limits_of_the_project_hold_where_a_file_sets_none() {
        let project = Project(FrontMatter::parse("[limits]\ncalls = 9\nmoney = \"$1\"").expect("valid").limits);
        let limits = |source: &str| crate::compile("x.aivm", source, &project).expect("it compiles").module.limits;
        let of_the_project = RunLimits { calls: Some(9), money: Some(1_000_000), tokens: None };
        assert_eq!(limits("out <= () <= in"), of_the_project);
        let own = limits("+++\n[limits]\ncalls = 3\n+++\nout <= () <= in");
        assert_eq!(own, RunLimits { calls: Some(3), ..of_the_project });
    }
}
