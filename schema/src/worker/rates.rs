//! How often a worker or a provider is asked at most. Who holds to it is the host.

use crate::unit::Tokens;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often, and for how many tokens, somebody is asked at most by one process. What is not set has no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// Calls that begin within any minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// Tokens of the calls that begin within any minute, of questions and answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<Tokens>,
    /// The same within any 24 hours, whichever process asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_day: Option<Tokens>,
    /// Calls under way at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u32>,
}

impl Rates {
    /// Is there none?
    pub fn is_none(&self) -> bool {
        *self == Rates::default()
    }

    /// The name of one that lets nothing through.
    pub fn closed(&self) -> Option<&'static str> {
        let tokens = |limit: Option<Tokens>| limit.map(|tokens| tokens.0);
        let all = [
            ("requests_per_minute", self.requests_per_minute.map(u64::from)),
            ("tokens_per_minute", tokens(self.tokens_per_minute)),
            ("tokens_per_day", tokens(self.tokens_per_day)),
            ("concurrent", self.concurrent.map(u64::from)),
        ];
        all.into_iter().find(|(_, limit)| *limit == Some(0)).map(|(name, _)| name)
    }
}
