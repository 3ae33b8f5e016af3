//! Servers of the model context protocol: where they are, and one connection to each for all runs of a process. Who calls a tool of
//! theirs is `work::mcp`; that pipelines are tools of others is not here.

use aivm_schema::artifact::ContentDigest;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[cfg(feature = "mcp")]
mod client;
#[cfg(feature = "mcp")]
mod connect;

#[cfg(feature = "mcp")]
pub use client::Servers;

/// `[mcp.NAME]`: a program that is started, or an address.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// The program and its arguments.
    pub run: Vec<String>,
    /// What it is given of the environment beside `PATH`, `HOME`, `LANG` and `TMPDIR`: names of variables or secrets.
    pub env: Vec<String>,
    /// Its address, when it is one that runs already.
    pub url: Option<String>,
    /// What every request to it has: `Bearer {{ secret("NAME") }}`.
    pub headers: BTreeMap<String, String>,
}

/// All servers, by name.
pub type Settings = BTreeMap<String, Server>;

/// A tool as its server describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it says that it does.
    pub about: String,
    /// The JSON Schema of its arguments.
    pub schema: Value,
    /// Does it say that it changes nothing?
    pub read_only: bool,
    /// Does it say that doing it twice is doing it once?
    pub idempotent: bool,
}

/// What a server offers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listed {
    /// Its tools.
    pub tools: Vec<Tool>,
    /// What is none, though it is listed.
    pub odd: Vec<Odd>,
}

/// What a server lists as a tool, and is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Odd {
    /// Which of its list, from 0.
    pub at: usize,
    /// Its name, when it has one.
    pub name: Option<String>,
    /// What is wrong with it.
    pub reason: String,
}

impl Tool {
    /// What tells it from what it may become.
    pub fn digest(&self) -> String {
        let told = json!([self.name, self.about, self.schema, self.read_only, self.idempotent]);
        ContentDigest::of("application/json", told.to_string().as_bytes()).to_string()
    }
}

/// What a tool returned.
#[derive(Clone, Debug, PartialEq)]
pub struct Called {
    /// In order; none: it did its work and says nothing.
    pub content: Vec<Content>,
    /// The same as one JSON value, where the tool gives that.
    pub structured: Option<Value>,
}

/// One piece of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// Why a tool was not called, or did not do its work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum McpError {
    /// No settings name it.
    #[error(
        "no MCP server is called `{0}`: say where it is in aivm.toml, [mcp.{0}] run = [\"program\", \"argument\"] or url = \"https://…\""
    )]
    Unknown(String),
    /// It cannot be started or reached, or its connection broke.
    #[error("the MCP server `{server}` {reason}")]
    Broken {
        /// Its name.
        server: String,
        /// What happened, and what may help.
        reason: String,
    },
    /// It has no such tool.
    #[error("the MCP server `{server}` has no tool `{tool}`: it has {known}")]
    NoTool {
        /// Its name.
        server: String,
        /// What was asked for.
        tool: String,
        /// What there is.
        known: String,
    },
    /// The tool is not what was looked at.
    #[error(
        "the tool `{tool}` of the MCP server `{server}` is not what it was when it was pinned ({is} now): look at it with `aivm worker import mcp:{server}/{tool} --dry-run`, then import it again with `--force`"
    )]
    Changed {
        /// Its name.
        server: String,
        /// The tool.
        tool: String,
        /// Its digest now.
        is: String,
    },
    /// The tool says that it failed.
    #[error("`{tool}` failed: {reason}")]
    Failed {
        /// The tool.
        tool: String,
        /// In its words.
        reason: String,
    },
    /// What it gave is nothing that a value can be made of.
    #[error("`{tool}` gave what cannot be used: {reason}")]
    Unusable {
        /// The tool.
        tool: String,
        /// Why.
        reason: String,
    },
}

impl McpError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            McpError::Unknown(_) => "E0950",
            McpError::Broken { .. } => "E0951",
            McpError::NoTool { .. } => "E0952",
            McpError::Changed { .. } => "E0953",
            McpError::Failed { .. } => "E0954",
            McpError::Unusable { .. } => "E0955",
        }
    }
}

/// Without the feature nobody is asked.
#[cfg(not(feature = "mcp"))]
#[derive(Debug, Default)]
pub struct Servers;

#[cfg(not(feature = "mcp"))]
impl Servers {
    /// Of these settings, and a folder in which programs run.
    pub fn new(_: Settings, _: std::path::PathBuf) -> Servers {
        Servers
    }
}
