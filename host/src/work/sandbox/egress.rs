//! The way out of a command that may reach a few destinations: it has a network of its own with nothing in it but a listener,
//! which the launcher opened there and handed over before it became the command. What connects to that is served here, outside:
//! a proxy of HTTP that lets through what is listed. Nothing of it runs inside, and all of it ends with the call.

use super::{May, Means};
use aivm_schema::worker::Destination;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinHandle;

#[cfg(feature = "http")]
mod door;
#[cfg(feature = "http")]
mod proxy;
#[cfg(feature = "http")]
mod rules;

/// The most connections of one command at once; more wait.
const AT_ONCE: usize = 64;
/// The files that the way out of one command holds open at most: two for a connection, and where they come from.
pub const FILES: u64 = 2 * AT_ONCE as u64 + 3;

/// The first refusals of a call, to be told.
type Refused = Mutex<BTreeSet<String>>;

/// Can a list be held by this? The error says what can.
pub(super) fn is_held_by(means: &Means) -> Result<(), &'static str> {
    match means {
        _ if cfg!(not(feature = "http")) => Err("this program was built without `http`, and has no proxy for it"),
        Means::Land => Err(
            "Landlock does not look at hosts: install bubblewrap (`bwrap`), or say `network = true` or `network = false`",
        ),
        Means::Bubble { .. } | Means::None => Ok(()),
    }
}

/// A way out, as long as it is kept.
pub struct Egress {
    /// Where the launcher finds it.
    pub socket: PathBuf,
    refused: Arc<Refused>,
    served: JoinHandle<()>,
}

impl Egress {
    /// That of what a command may do, if it needs one.
    pub(super) fn of(may: &May<'_>) -> Result<Option<Egress>, String> {
        match may.network.destinations() {
            Ok(list) if list.is_empty() => Ok(None),
            Ok(list) => Egress::open(may.folder, list).map(Some),
            Err((entry, why)) => Err(format!("`{entry}` in `network` of `sandbox` is no destination: {why}")),
        }
    }

    #[cfg(feature = "http")]
    fn open(folder: &Path, list: Vec<Destination>) -> Result<Egress, String> {
        door::open(folder, list).map_err(|error| format!("its way out: {error}"))
    }

    #[cfg(not(feature = "http"))]
    fn open(_: &Path, _: Vec<Destination>) -> Result<Egress, String> {
        Err("this program was built without `http`".into())
    }

    /// What was refused, in words; nothing when nothing was.
    pub fn refused(&self) -> Option<String> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let told: Vec<&str> = refused.iter().map(String::as_str).collect();
        Some(told.join("; ")).filter(|told| !told.is_empty())
    }
}

impl Drop for Egress {
    fn drop(&mut self) {
        self.served.abort();
    }
}
