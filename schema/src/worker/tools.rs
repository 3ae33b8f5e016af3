//! The tools of a model: which workers it may call while it answers, and how often. Whoever is allowed is a word like every
//! other; nobody is, unless the definition says so.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::num::NonZeroU16;

/// How often a model is asked in one visit of its step when nothing else says.
pub const ROUNDS: NonZeroU16 = NonZeroU16::new(8).unwrap();

/// Whom a model may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Spelling", into = "Spelling")]
pub struct Tools {
    /// Words, or patterns that end in `*`; empty: nobody.
    pub allow: Vec<String>,
    /// Words and patterns that are taken away again: this wins.
    pub deny: Vec<String>,
    /// How often the model is asked at most; in the last round it is offered nothing any more.
    pub rounds: NonZeroU16,
    /// What the model is shown of each: the compiler fills it in.
    pub offers: Vec<Offer>,
}

/// What a model is shown of a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Its word.
    pub word: String,
    /// What it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// The JSON Schema of what it is called with; none: a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
}

impl Default for Tools {
    fn default() -> Tools {
        Tools { allow: Vec::new(), deny: Vec::new(), rounds: ROUNDS, offers: Vec::new() }
    }
}

/// The name of the only argument of a tool that is called with a text.
pub const INPUT: &str = "input";

impl Offer {
    /// The schema of its arguments, as models are given it.
    pub fn parameters(&self) -> Value {
        self.schema.clone().unwrap_or_else(
            || json!({ "type": "object", "properties": { INPUT: { "type": "string" } }, "required": [INPUT] }),
        )
    }
}

impl Tools {
    /// May the model call nobody?
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty()
    }

    /// May it call the worker of this name?
    pub fn allows(&self, word: &str) -> bool {
        self.allow.iter().any(|pattern| fits(pattern, word)) && !self.denies(word)
    }

    /// Is this one taken away?
    pub fn denies(&self, word: &str) -> bool {
        self.deny.iter().any(|pattern| fits(pattern, word))
    }
}

fn fits(pattern: &str, word: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => word.starts_with(start),
        None => pattern == word,
    }
}

/// A list of words, or a table.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`tools` is a list of words, or a table with `allow`, `deny` and `rounds`")]
enum Spelling {
    Words(Vec<String>),
    Table(Table),
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Table {
    allow: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deny: Vec<String>,
    #[serde(default = "rounds")]
    rounds: NonZeroU16,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    offers: Vec<Offer>,
}

fn rounds() -> NonZeroU16 {
    ROUNDS
}

impl From<Spelling> for Tools {
    fn from(spelling: Spelling) -> Tools {
        match spelling {
            Spelling::Words(allow) => Tools { allow, ..Tools::default() },
            Spelling::Table(Table { allow, deny, rounds, offers }) => Tools { allow, deny, rounds, offers },
        }
    }
}

impl From<Tools> for Spelling {
    fn from(tools: Tools) -> Spelling {
        let Tools { allow, deny, rounds, offers } = tools;
        if deny.is_empty() && rounds == ROUNDS && offers.is_empty() {
            return Spelling::Words(allow);
        }
        Spelling::Table(Table { allow, deny, rounds, offers })
    }
}
