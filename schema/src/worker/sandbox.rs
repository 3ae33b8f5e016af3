//! What a command is given beside what its effect class allows.

use super::Destination;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The key `sandbox` of a definition: `"none"`, or a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "`sandbox` is \"none\", or a table with some of `network` (true, false or a list), `read`, `write` and `env`"
)]
pub enum Sandbox {
    /// It does what its user may do, where the project or the run allows that.
    None(NoSandbox),
    /// It is held to its effect, and given this too.
    Given(Given),
}

/// The word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NoSandbox {
    /// `"none"`
    None,
}

/// What a command is given beside what its effect class allows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Given {
    /// What of the network may it use? None: as its class does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Files and folders that it reads; `~` is the user's home.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<String>,
    /// Files and folders that it writes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub write: Vec<String>,
    /// Variables that it gets, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
}

/// How much of the network a command has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`network` is true, false, or a list of destinations, as [\"api.example.com:443\"]")]
pub enum Network {
    /// All of it, or nothing.
    All(bool),
    /// These destinations, by HTTP, and nothing else.
    Only(Vec<String>),
}

impl Network {
    /// What it lists; an error is the entry that is none, and why. Nothing is listed where all or nothing is there.
    pub fn destinations(&self) -> Result<Vec<Destination>, (String, &'static str)> {
        match self {
            Network::All(_) => Ok(Vec::new()),
            Network::Only(list) if list.is_empty() => {
                Err(("[]".to_owned(), "no destination at all is `network = false`"))
            }
            Network::Only(list) => {
                list.iter().map(|entry| Destination::parse(entry).map_err(|why| (entry.clone(), why))).collect()
            }
        }
    }
}

impl Default for Sandbox {
    fn default() -> Sandbox {
        Sandbox::Given(Given::default())
    }
}

impl Given {
    /// Neither empty nor relative: the workspace is there already.
    pub fn wrong_path(&self) -> Option<&String> {
        let absolute = |path: &str| path.starts_with('/') || path == "~" || path.starts_with("~/");
        self.read.iter().chain(&self.write).find(|path| !absolute(path) || path.contains('\0'))
    }

    /// What no variable is called.
    pub fn wrong_name(&self) -> Option<&String> {
        self.env.iter().find(|name| name.is_empty() || name.contains(['=', '\0']))
    }
}
