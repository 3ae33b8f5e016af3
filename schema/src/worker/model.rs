//! How a model is asked: the prompt, which models in which order, and what it is given. Who asks is the host.

use super::Tools;
use crate::unit::Tokens;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A question to a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ask {
    /// The instructions.
    pub prompt: String,
    /// Which models, `provider/model`, the preferred first; none: the configured one.
    pub models: Vec<String>,
    /// How the model answers.
    pub options: Options,
    /// What good answers look like.
    pub examples: Vec<Example>,
    /// Whom it may call while it answers.
    pub tools: Tools,
    /// The most that it is shown of what flows, in tokens; none: all of it.
    pub context: Option<Tokens>,
}

/// How a model answers. What is not set is the model's own default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// How freely it chooses: 0 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// From how much of the likely it chooses: 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// The longest answer, in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Where its dice begin, where the provider has that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Texts at which it stops.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// How long it thinks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Reasoning>,
}

/// How long a model thinks before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Reasoning {
    None,
    Low,
    Medium,
    High,
}

/// An input, and the answer that it should get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// What is asked.
    pub input: String,
    /// The word of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// The text of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}
