//! What there is on this machine that can hold a command.

use super::orders::{self, Orders};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// What there is, the better one first.
    #[default]
    Auto,
    /// `bwrap`
    Bwrap,
    /// Landlock
    Landlock,
    /// Nothing: commands do what their user may do.
    None,
}

impl Wanted {
    /// As settings say it.
    pub fn word(self) -> &'static str {
        match self {
            Wanted::Auto => "auto",
            Wanted::Bwrap => "bwrap",
            Wanted::Landlock => "landlock",
            Wanted::None => "none",
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// `bwrap`
    Bubble {
        /// Where it is.
        program: PathBuf,
        /// Can it bound what is written into memory?
        tmpfs_size: bool,
    },
    /// Landlock alone.
    Land,
    /// Nothing, as asked.
    None,
}

/// The first that works.
pub fn find(wanted: Wanted, launcher: &Path) -> Result<Means, String> {
    match wanted {
        Wanted::None => Ok(Means::None),
        Wanted::Bwrap => bubble(),
        Wanted::Landlock => land(launcher),
        Wanted::Auto => {
            let no_bubble = match bubble() {
                Ok(means) => return Ok(means),
                Err(reason) => reason,
            };
            land(launcher).map_err(|reason| {
                format!("{no_bubble}; {reason}. Install bubblewrap, or let commands do what you may do: --sandbox none")
            })
        }
    }
}

/// It may be there and not be allowed: it is tried.
fn bubble() -> Result<Means, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = std::env::split_paths(&path)
        .map(|folder| folder.join("bwrap"))
        .find(|program| program.is_absolute() && program.is_file())
        .ok_or("`bwrap` is not there")?;
    let tried = |more: &[&str]| {
        let mut command = Command::new(&program);
        command.args(["--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "--proc", "/proc"]).args(more);
        command.args(["--", "true"]).output().map_err(|error| format!("`bwrap` cannot be run: {error}"))
    };
    let output = tried(&["--size", "4096", "--tmpfs", "/tmp"])?;
    if output.status.success() {
        return Ok(Means::Bubble { program, tmpfs_size: true });
    }
    let output = tried(&[])?;
    match output.status.success() {
        true => Ok(Means::Bubble { program, tmpfs_size: false }),
        false => {
            Err(format!("`bwrap` does not work here ({})", String::from_utf8_lossy(&output.stderr).trim().to_owned()))
        }
    }
}

/// The launcher tries it on itself.
fn land(launcher: &Path) -> Result<Means, String> {
    let orders = Orders { files: Some(orders::Files::default()), ..Orders::default() };
    let mut words = orders.launch(launcher).into_iter();
    let output = Command::new(words.next().unwrap_or_default()).args(words).output();
    let output = output.map_err(|error| format!("the launcher cannot be run: {error}"))?;
    match output.status.success() {
        true => Ok(Means::Land),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(said.trim().trim_start_matches(orders::SAYS).to_owned())
        }
    }
}
