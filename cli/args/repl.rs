//! What is said of the REPL.

use clap::Args as Group;

/// `repl`
#[derive(Debug, Group)]
pub struct ReplArgs {
    /// A program to begin with
    #[arg(conflicts_with = "resume")]
    pub file: Option<String>,
    /// Who answers: the `mock` entries of workers, or the workers themselves
    #[arg(long, value_enum, default_value = "mock")]
    pub workers: Workers,
    /// Go on where this run stands, with what was defined then
    #[arg(long, value_name = "RUN")]
    pub resume: Option<String>,
}

/// Who answers calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Workers {
    /// Scripts.
    #[default]
    Mock,
    /// The workers.
    Live,
}
