//! What can go wrong with secrets.

use std::path::{Path, PathBuf};

/// Why a secret cannot be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A file of secrets is none.
    #[error("E0960: the secrets in {} cannot be {what}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Read or written?
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// The keyring does not do it.
    #[error("E0961: the keyring of this user cannot be used: {0}")]
    Keyring(String),
    /// A name that is none.
    #[error("E0962: `{0}` is no name of a secret: a letter or `_`, then letters, digits and `_`")]
    Name(String),
}

impl SecretError {
    pub(super) fn file(path: &Path, what: &'static str) -> impl Fn(String) -> SecretError {
        let path = path.to_path_buf();
        move |reason| SecretError::File { path: path.clone(), what, reason }
    }
}
