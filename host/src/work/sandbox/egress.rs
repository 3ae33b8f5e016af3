//! The way out of a command that may reach a few destinations: it has a network of its own with nothing in it but a listener,
//! which the launcher opened there and handed over before it became the command. What connects to that is served here, outside:
//! a proxy of HTTP that lets through what is listed. Nothing of it runs inside, and all of it ends with the call.

use super::{May, Means};
use aivm_schema::worker::{Destination, Host};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinHandle;

#[cfg(feature = "http")]
mod door;
#[cfg(feature = "http")]
mod proxy;

/// The socket by which the launcher hands over its listener, in the call's own folder.
const SOCKET: &str = "egress";
/// The most connections of one command at once; more wait.
const AT_ONCE: usize = 64;
/// The files that the way out of one command holds open at most: two for a connection, and where they come from.
pub const FILES: u64 = 2 * AT_ONCE as u64 + 3;
/// So many refusals are told.
const TOLD: usize = 3;

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
    rules: Arc<Rules>,
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
        let rules = Arc::new(Rules::new(list));
        let socket = folder.join(SOCKET);
        let door = door::open(&socket).map_err(|error| format!("{}: {error}", socket.display()))?;
        let served = tokio::spawn(door::serve(door, socket.clone(), rules.clone()));
        Ok(Egress { socket, rules, served })
    }

    #[cfg(not(feature = "http"))]
    fn open(_: &Path, _: Vec<Destination>) -> Result<Egress, String> {
        Err("this program was built without `http`".into())
    }

    /// What was refused, in words; nothing when nothing was.
    pub fn refused(&self) -> Option<String> {
        let refused = self.rules.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let told: Vec<&str> = refused.iter().take(TOLD).map(String::as_str).collect();
        Some(told.join("; ")).filter(|told| !told.is_empty())
    }
}

impl Drop for Egress {
    fn drop(&mut self) {
        self.served.abort();
    }
}

/// What is let through.
struct Rules {
    list: Vec<Destination>,
    refused: Mutex<BTreeSet<String>>,
}

#[cfg_attr(not(feature = "http"), allow(dead_code))]
impl Rules {
    fn new(list: Vec<Destination>) -> Rules {
        Rules { list, refused: Mutex::default() }
    }

    /// Is it listed? The error says what to list.
    fn listed(&self, host: &Host, port: u16) -> Result<(), String> {
        if self.covers(host, port) {
            return Ok(());
        }
        Err(self.refuse(format!("{host}:{port} is not listed: add \"{host}:{port}\" to `network` of `sandbox`")))
    }

    fn covers(&self, host: &Host, port: u16) -> bool {
        self.list.iter().any(|entry| entry.covers(host, port))
    }

    /// A name that is listed may be at any public address, and at another one that is listed itself.
    #[cfg(feature = "http")]
    fn connectable(&self, name: &str, port: u16, addresses: &[IpAddr]) -> Result<(), String> {
        let unlisted = |address: &&IpAddr| !self.covers(&Host::Address(address.to_canonical()), port);
        let unlisted: Vec<IpAddr> = addresses.iter().filter(unlisted).copied().collect();
        crate::work::http::guard::check(name, &unlisted).map_err(|refused| {
            self.refuse(format!("{refused}: such an address is listed itself in `network` of `sandbox`, with its port"))
        })
    }

    /// Kept to be told; a command that tries everything fills nothing.
    fn refuse(&self, reason: String) -> String {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() < TOLD {
            refused.insert(reason.clone());
        }
        reason
    }
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use super::*;

    fn rules(list: &[&str]) -> Rules {
        Rules::new(list.iter().map(|entry| Destination::parse(entry).unwrap()).collect())
    }

    #[test]
    fn a_name_leads_to_no_address_that_only_this_machine_reaches() {
        let own = rules(&["api.example.com:8080"]);
        let (public, private) = ([8, 8, 8, 8].into(), IpAddr::from([10, 0, 0, 1]));
        assert_eq!(own.connectable("api.example.com", 8080, &[public]), Ok(()));
        let metadata = IpAddr::from([169, 254, 169, 254]);
        for address in [private, metadata, [127, 0, 0, 1].into(), "::1".parse().unwrap()] {
            assert!(own.connectable("api.example.com", 8080, &[address]).is_err(), "{address}");
            assert!(own.connectable("api.example.com", 8080, &[public, address]).is_err(), "{address} and another");
        }
        let both = rules(&["api.example.com:8080", "10.0.0.1:8080"]);
        assert_eq!(both.connectable("api.example.com", 8080, &[private]), Ok(()));
        assert_eq!(both.connectable("api.example.com", 8080, &["::ffff:10.0.0.1".parse().unwrap()]), Ok(()));
        assert!(both.connectable("api.example.com", 443, &[private]).is_err(), "another port");
        assert!(both.connectable("api.example.com", 8080, &[metadata]).is_err());
    }

    #[test]
    fn what_is_refused_is_told_with_what_to_list() {
        let rules = rules(&["api.example.com"]);
        assert_eq!(rules.listed(&Host::parse("api.example.com").unwrap(), 443), Ok(()));
        let refused = rules.listed(&Host::parse("::1").unwrap(), 80).unwrap_err();
        assert!(refused.contains("add \"[::1]:80\" to `network`"), "{refused}");
        for port in 0..100 {
            let _ = rules.listed(&Host::parse("other.example").unwrap(), port);
        }
        assert_eq!(rules.refused.lock().unwrap().len(), TOLD);
    }
}
