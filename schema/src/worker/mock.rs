//! Mocks: what a worker answers without being called.

use crate::unit::{Milliseconds, Money, Tokens};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One answer of a mock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a mock entry is a word, or a table with some of `verdict`, `output`, `type`, `fail`, `sleep` and `cost`"
)]
pub enum MockEntry {
    /// Just a verdict; the output is the input.
    Verdict(String),
    /// Anything else; `{}` succeeds without a word.
    Full(MockAnswer),
}

/// The long spelling of a [`MockEntry`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MockAnswer {
    /// What it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// The text it returns; none: its input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The media type of `output`; none: the worker's `returns`, else `text/plain`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// It fails, for this reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail: Option<String>,
    /// How long it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sleep: Option<Milliseconds>,
    /// What it says it cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// What it says it used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
}

impl MockEntry {
    /// The long form.
    pub fn answer(&self) -> MockAnswer {
        match self {
            MockEntry::Verdict(word) => MockAnswer { verdict: Some(word.clone()), ..MockAnswer::default() },
            MockEntry::Full(answer) => answer.clone(),
        }
    }
}
