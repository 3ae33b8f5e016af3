//! A tool of an MCP server as a worker: which, and what it was when somebody looked at it last.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A tool of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct McpTool {
    /// The server: `[mcp.NAME]` of `aivm.toml`.
    pub server: String,
    /// The tool's name there.
    pub tool: String,
    /// The digest of the tool as the server describes it: another is not called. None: whatever it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
}
