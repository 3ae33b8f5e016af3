//! What `aivm.toml` says of secrets, and that it holds none.

use aivm_host::secret::shape;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// `[secrets]` of aivm.toml.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Secrets {
    /// A file beside aivm.toml with a `NAME=value` a line.
    pub env_file: Option<PathBuf>,
    /// The same of `.env`.
    pub dotenv: bool,
    /// Names of secrets that commands find in the environment: nothing in aivm names them, and nobody may see them.
    pub names: Vec<String>,
}

impl Secrets {
    /// The file, in this folder.
    pub fn env_file(&self, root: &Path) -> Option<PathBuf> {
        let file = self.env_file.clone().or(self.dotenv.then(|| PathBuf::from(".env")));
        file.map(|file| root.join(file))
    }
}

/// Where a credential is written down in a text, without it.
pub fn written(text: &str) -> Option<String> {
    let (at, what) = shape::credential(text)?;
    let line = text.get(..at).unwrap_or("").matches('\n').count() + 1;
    Some(format!("line {line}: {what} is written here, for everybody to read"))
}
