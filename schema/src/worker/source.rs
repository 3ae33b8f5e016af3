//! Data sources: folders whose files workers are shown. What is told of one; which folders outside may be read, only the user's own
//! settings say.

use super::is_default;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[sources.NAME]` of `aivm.toml`, or an entry of `globalDataSources`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Source {
    /// One sentence that says what is in it.
    #[serde(skip_serializing_if = "is_default")]
    pub about: String,
    /// The folder: within the project, or absolute.
    pub path: String,
    /// Which files: patterns of names, or with a `/` of paths within it; none: all.
    #[serde(skip_serializing_if = "is_default")]
    pub filters: Vec<String>,
    /// Folders within it as well?
    #[serde(skip_serializing_if = "is_default")]
    pub recursive: bool,
    /// What is said of it: nothing writes to a source.
    #[serde(skip_serializing_if = "is_default")]
    pub read_only: bool,
    /// May it be outside of the project? Where the user's settings allow that, too.
    #[serde(skip_serializing_if = "is_default")]
    pub allow_external: bool,
}

impl Source {
    /// Why it cannot be one.
    pub fn wrong(&self) -> Option<String> {
        let up = self.path.split('/').any(|part| part == "..");
        match () {
            () if self.path.trim().is_empty() => Some("it has no `path`".to_owned()),
            () if self.path.contains('\0') => Some("its `path` has a null byte".to_owned()),
            () if up => Some(format!("its `path` is `{}`: name the folder itself, without `..`", self.path)),
            () if self.filters.iter().any(|filter| filter.trim().is_empty()) => Some("a filter is empty".to_owned()),
            () => None,
        }
    }
}
