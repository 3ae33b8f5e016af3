//! Why a call of a built-in fails: one stable code for each kind of reason, and a sentence that says what, why and the way out.

use super::setting::nearest;
use super::{MOST_BYTES, MOST_ITEMS};

/// Why a built-in cannot be used, or a call of it failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No built-in has this name.
    #[error("there is no built-in `{name}`{hint}; `aivm worker ls` shows all")]
    UnknownBuiltin {
        /// As it was written.
        name: String,
        /// `; did you mean …`, or nothing.
        hint: String,
    },
    /// The built-in has no such setting.
    #[error("`{builtin}` has no setting `{setting}`{hint}; `aivm worker show {builtin}` explains them")]
    UnknownSetting {
        /// The built-in.
        builtin: &'static str,
        /// As it was written.
        setting: String,
        /// `; did you mean …`, or the list.
        hint: String,
    },
    /// A setting has a value that it cannot have, or lacks one that it needs.
    #[error("`{setting}` of `{builtin}` {reason}")]
    Setting {
        /// The built-in.
        builtin: &'static str,
        /// The setting.
        setting: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The input is not of the kind that the built-in reads.
    #[error("{0}")]
    Unreadable(String),
    /// Too much of something.
    #[error("{what} would exceed {limit}: do it in several calls, or with less")]
    Limit {
        /// What there is too much of.
        what: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// The input can be read and is not as it has to be.
    #[error("{0}")]
    Rejected(String),
    /// What was asked for is not in the input.
    #[error("{0}")]
    Missing(String),
    /// A path that leads, or may lead, out of the workspace.
    #[error("`{path}` {reason}")]
    Path {
        /// As it was asked for.
        path: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The file system said no.
    #[error("cannot {doing} `{path}`: {source}")]
    Io {
        /// `read`, `write`, `create`.
        doing: &'static str,
        /// Of which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The settings make it say a word that its step cannot hear.
    #[error(
        "the word `{word}` cannot be answered here: this step hears {may}. Write it as an arm of the match below, or in `words` of the worker"
    )]
    Word {
        /// The word.
        word: String,
        /// The words that can be heard.
        may: String,
    },
    /// A template that does not render.
    #[error("{0}")]
    Template(String),
    /// The call was cancelled while it ran.
    #[error("cancelled")]
    Cancelled,
    /// What is there now is neither what the call found nor what it left.
    #[error("`{path}` was changed meanwhile: {reason}. Nothing was touched: look at it and put it right by hand")]
    Changed {
        /// The path in the workspace.
        path: String,
        /// What was left there, and what is there.
        reason: String,
    },
    /// There is nothing to restore.
    #[error("{0}")]
    NotKept(String),
    /// Memory: what it may not be used for, or why it does not do it.
    #[error("{reason}")]
    Memory {
        /// Its code.
        code: &'static str,
        /// What, why, and the way out.
        reason: String,
    },
    /// What somebody wrote down for this case, or what a step says of itself.
    #[error("{reason}")]
    Told {
        /// Its code.
        code: &'static str,
        /// As it was written down.
        reason: String,
    },
    /// What was kept aside is not what it was.
    #[error("what was kept in {path} {reason}")]
    Damaged {
        /// The record.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Failure {
    /// The stable code, which `aivm explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Failure::UnknownBuiltin { .. } => "E0720",
            Failure::UnknownSetting { .. } => "E0721",
            Failure::Setting { .. } => "E0722",
            Failure::Unreadable(_) => "E0723",
            Failure::Limit { .. } => "E0724",
            Failure::Rejected(_) => "E0725",
            Failure::Missing(_) => "E0726",
            Failure::Path { .. } => "E0727",
            Failure::Io { .. } => "E0728",
            Failure::Word { .. } => "E0729",
            Failure::Template(_) => "E0730",
            Failure::Cancelled => "E0731",
            Failure::Changed { .. } => "E0743",
            Failure::NotKept(_) => "E0744",
            Failure::Memory { code, .. } | Failure::Told { code, .. } => code,
            Failure::Damaged { .. } => "E0745",
        }
    }

    /// Is it about what the input *says*, so that a word can stand for it, rather than about the program or the machine?
    pub fn is_judgement(&self) -> bool {
        matches!(self, Failure::Rejected(_) | Failure::Missing(_))
    }

    /// No built-in has this name.
    pub fn unknown_builtin(name: &str) -> Failure {
        let hint = nearest(name, super::all().iter().map(|builtin| builtin.name))
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        Failure::UnknownBuiltin { name: name.to_owned(), hint }
    }

    pub(super) fn word(word: &str, heard: &[String]) -> Failure {
        let may = match heard {
            [] => "no words".to_owned(),
            words => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        };
        Failure::Word { word: word.to_owned(), may }
    }

    /// The output would be larger than [`MOST_BYTES`].
    pub(super) fn too_large(what: &str) -> Failure {
        Failure::Limit { what: what.to_owned(), limit: format!("{} MiB", MOST_BYTES >> 20) }
    }

    /// There are more than [`MOST_ITEMS`].
    pub(super) fn too_many(what: &str) -> Failure {
        Failure::Limit { what: what.to_owned(), limit: format!("{MOST_ITEMS} items") }
    }
}
