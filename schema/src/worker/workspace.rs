//! Where a command works: `workspace` of a worker.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The folder that a command runs in, and that it may write to if it writes at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Workspace {
    /// That of the run.
    #[default]
    Inherit,
    /// A copy of that, for one call alone.
    Ephemeral,
    /// A folder of that, made where it is not there.
    Within(String),
}

/// What no program touches, and no copy has: the store's and version control's own.
pub const OUT_OF_REACH: [&str; 4] = [".aivm", ".git", ".jj", ".hg"];

impl Workspace {
    /// Why it cannot be one.
    pub fn wrong(&self) -> Option<&'static str> {
        let Workspace::Within(path) = self else { return None };
        let mut names = path.split('/').filter(|name| !name.is_empty() && *name != ".").peekable();
        let is_out_of_reach = |name: &str| OUT_OF_REACH.iter().any(|out| out.eq_ignore_ascii_case(name));
        match () {
            () if path.contains('\0') => Some("it has a null byte"),
            () if path.starts_with(['/', '~']) => Some("it is relative to the workspace, as `packages/web`"),
            () if names.peek().is_none() => {
                Some("it names no folder in the workspace: `inherit` is the workspace itself")
            }
            () if names.clone().any(|name| name == "..") => Some("it leads down from the workspace, without `..`"),
            () if names.any(is_out_of_reach) => Some("programs may not touch `.aivm`, `.git`, `.jj` and `.hg`"),
            () => None,
        }
    }
}

impl From<String> for Workspace {
    fn from(text: String) -> Workspace {
        match text.as_str() {
            "inherit" => Workspace::Inherit,
            "ephemeral" => Workspace::Ephemeral,
            _ => Workspace::Within(text),
        }
    }
}

impl From<Workspace> for String {
    fn from(workspace: Workspace) -> String {
        match workspace {
            Workspace::Inherit => "inherit".to_owned(),
            Workspace::Ephemeral => "ephemeral".to_owned(),
            Workspace::Within(path) => path,
        }
    }
}
