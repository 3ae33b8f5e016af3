//! What a saga's file says: its keys in both dialects, the guide's and the schema's.

use super::policy::Policy;
use crate::span::Span;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use toml::Spanned;

/// Values by name, as steps hand them over.
pub(super) type Values = BTreeMap<String, Value>;

/// One step.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Step {
    pub name: Option<Spanned<String>>,
    pub step_type: Kind,
    /// On whose behalf: what policies call a principal.
    pub agent_name: Option<String>,
    #[serde(alias = "capability_name")]
    pub capability: Option<Spanned<String>>,
    pub inputs: Values,
    pub depends_on: Vec<Spanned<String>>,
    pub compensation: Option<Compensation>,
    pub approval_config: Option<Spanned<Values>>,
    /// Of all attempts, the first counted.
    pub max_retries: Option<Spanned<u32>>,
    pub timeout_seconds: Option<Spanned<f64>>,
    pub description: String,
    pub risk_level: Option<Risk>,
    /// What has to hold, in CEL.
    #[serde(alias = "when")]
    pub condition: Option<Spanned<String>>,
}

/// What a step is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Kind {
    #[default]
    Action,
    HumanApproval,
    Condition,
    Parallel,
    Compensation,
}

/// How bad it is when a step goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Risk {
    Low,
    #[default]
    Medium,
    High,
    Critical,
}

impl Risk {
    pub fn word(self) -> &'static str {
        match self {
            Risk::Low => "LOW",
            Risk::Medium => "MEDIUM",
            Risk::High => "HIGH",
            Risk::Critical => "CRITICAL",
        }
    }

    /// Does a person have to agree, whatever a policy allows?
    pub fn asks(self) -> bool {
        matches!(self, Risk::High | Risk::Critical)
    }
}

/// What takes a step back.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Compensation {
    /// A step of type COMPENSATION that says it.
    #[serde(alias = "name")]
    pub step_name: Option<Spanned<String>>,
    #[serde(alias = "capability_name")]
    pub capability: Option<Spanned<String>>,
    pub inputs: Values,
    pub description: String,
}

/// Everything that a file says.
#[derive(Clone, Debug, Default)]
pub(super) struct Saga {
    pub name: String,
    /// Where its name stands.
    pub span: Span,
    /// What it says of itself, a line each.
    pub about: Vec<String>,
    pub owner: Option<String>,
    pub environment: String,
    pub initial_state: Values,
    pub steps: Vec<Named>,
    /// What is done after everything else was taken back.
    pub last: Vec<Compensation>,
    pub limit_seconds: Option<Spanned<f64>>,
    /// Is what was done taken back when a step fails?
    pub rolls_back: bool,
    /// Rules of the file itself.
    pub policy: Option<Policy>,
}

/// A step with its name.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub name: String,
    /// Where its name stands.
    pub span: Span,
    pub step: Step,
    /// Its own steps.
    pub steps: Vec<Named>,
}

impl Named {
    /// Is it a person who does it?
    pub fn asks(&self) -> bool {
        let capability = self.step.capability.as_ref().map(Spanned::get_ref);
        self.step.step_type == Kind::HumanApproval || capability.is_some_and(|capability| capability == "human.approve")
    }
}
