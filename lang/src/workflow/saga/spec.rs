//! What a saga's file says: its keys in both dialects, the guide's and the schema's.

use super::policy::{Policies, Policy, Risk};
use crate::span::Span;
use crate::tables::{Placed, Places, Tables};
use aivm_schema::alias::also;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Values by name, as steps hand them over.
pub(super) type Values = BTreeMap<String, Value>;

/// A saga: steps that can be compensated.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "Saga")]
#[allow(dead_code, reason = "what holds tables of its own is read by itself, so that each that is wrong is told")]
pub(super) struct File {
    /// What it is called.
    pub name: Option<Placed<String>>,
    /// Which version of it this is.
    version: Value,
    /// What it does.
    description: Value,
    /// Who it is.
    workflow_id: Value,
    /// Whose it is, and where it runs.
    metadata: Metadata,
    /// What is done, one after the other.
    steps: Vec<Step>,
    /// The state to begin with.
    pub initial_state: Values,
    /// Who may do what.
    policy: Option<Policies>,
    /// What is done when everything else has been taken back.
    global_compensation_steps: Vec<Compensation>,
    /// The deadline of all steps together.
    pub max_execution_time_seconds: Option<Placed<f64>>,
    /// Is what was done taken back when a step fails? It is, unless this says `false`.
    pub enable_auto_rollback: Option<bool>,
    /// The same keys, which may stand below this one.
    spec: Option<Box<File>>,
    /// Recorded.
    #[serde(rename = "apiVersion")]
    api_version: Value,
    /// Recorded.
    kind: Value,
}

/// What is said about a saga. Who owns it and where it runs counts in policies; the rest is recorded.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[allow(dead_code, reason = "what is only recorded is told, and stands at the top of the page")]
pub(super) struct Metadata {
    /// On whose behalf it runs: a principal of policies.
    pub owner: Option<String>,
    /// Where it runs: `dev` unless it says otherwise.
    pub environment: Option<String>,
    name: Value,
    workflow_id: Value,
    transaction_id: Value,
    business_unit: Value,
    cost_center: Value,
    compliance_tags: Value,
    tags: Value,
    status: Value,
    created_at: Value,
    updated_at: Value,
    started_at: Value,
    completed_at: Value,
    audit_level: Value,
    retention_days: Value,
    triggered_by: Value,
    pack_id: Value,
    pack_name: Value,
    pack_version: Value,
}

/// One step.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = also("capability", "capability_name"), transform = also("condition", "when"))]
pub(super) struct Step {
    /// What templates and `depends_on` call it.
    #[schemars(required)]
    pub name: Option<Placed<String>>,
    /// What it is.
    pub step_type: Kind,
    /// On whose behalf: what policies call a principal.
    pub agent_name: Option<String>,
    /// The worker that is called.
    #[serde(alias = "capability_name")]
    pub capability: Option<Placed<String>>,
    /// What it is called with; templates are filled in from the state.
    pub inputs: Values,
    /// The steps that must be complete before it.
    pub depends_on: Vec<Placed<String>>,
    /// What takes it back.
    pub compensation: Option<Compensation>,
    /// Of a question to a person: `timeout_seconds`.
    pub approval_config: Option<Placed<Values>>,
    /// Of all attempts, the first counted.
    pub max_retries: Option<Placed<u32>>,
    /// The deadline of one call.
    pub timeout_seconds: Option<Placed<f64>>,
    /// Stands in the page.
    pub description: String,
    /// How bad it is when it goes wrong: `MEDIUM` unless it says otherwise.
    pub risk_level: Option<Risk>,
    /// What has to hold, in CEL.
    #[serde(alias = "when")]
    pub condition: Option<Placed<String>>,
    /// Its own steps, as those of the file.
    #[allow(dead_code)]
    steps: Vec<Step>,
}

/// What a step is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Kind {
    #[default]
    Action,
    HumanApproval,
    Condition,
    Parallel,
    Compensation,
}

/// What takes a step back.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = also("step_name", "name"), transform = also("capability", "capability_name"))]
pub(super) struct Compensation {
    /// A step of type COMPENSATION that says it.
    #[serde(alias = "name")]
    pub step_name: Option<Placed<String>>,
    /// The worker that is called.
    #[serde(alias = "capability_name")]
    pub capability: Option<Placed<String>>,
    /// What it is called with; templates see the state of the time when the step completed.
    pub inputs: Values,
    /// Stands in the page.
    pub description: String,
}

impl Compensation {
    /// Does it say by what?
    pub fn names_something(&self) -> bool {
        self.capability.is_some() || self.step_name.is_some()
    }
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
    pub limit_seconds: Option<Placed<f64>>,
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
    /// Something in it could not be read, which was told: what it lacks may have been meant there.
    pub is_broken: bool,
    /// Where its keys stand.
    pub places: Places,
    pub step: Step,
    /// Its own steps.
    pub steps: Vec<Named>,
}

impl Named {
    /// Where an input stands that a message names; else the step.
    pub fn input(&self, tables: &Tables, message: &str) -> Span {
        let key = self.places.named(message).filter(|key| key.starts_with("inputs."));
        key.and_then(|key| self.places.key(key)).map_or(self.span, |range| tables.span(range))
    }

    /// Where a key stands, by whichever of its names it is written; else the step.
    pub fn key(&self, tables: &Tables, key: &str) -> Span {
        let other = match key {
            "condition" => "when",
            "capability" => "capability_name",
            key => key,
        };
        let at = self.places.key(key).or_else(|| self.places.key(other));
        at.map_or(self.span, |range| tables.span(range))
    }

    /// Is it a person who does it?
    pub fn asks(&self) -> bool {
        let capability = self.step.capability.as_ref().map(Placed::get_ref);
        self.step.step_type == Kind::HumanApproval || capability.is_some_and(|capability| capability == "human.approve")
    }
}
