//! What is let through.

use super::Refused;
use crate::work::http::guard;
use aivm_schema::worker::{Destination, Host};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use tokio::sync::Semaphore;

/// So many refusals are told.
const TOLD: usize = 3;

/// So many names are looked up at once for a command. A server of names that never answers holds no more threads than these.
pub const LOOK_UPS: usize = 4;

/// What a list lets through, and what it did not.
pub struct Rules {
    pub list: Vec<Destination>,
    pub refused: Arc<Refused>,
    /// So many names may be looked up at once.
    pub look_ups: Arc<Semaphore>,
}

impl Rules {
    /// Is it listed? The error says what to list.
    pub fn listed(&self, host: &Host, port: u16) -> Result<(), String> {
        if self.covers(host, port) {
            return Ok(());
        }
        Err(self.refuse(format!("{host}:{port} is not listed: add \"{host}:{port}\" to `network` of `sandbox`")))
    }

    fn covers(&self, host: &Host, port: u16) -> bool {
        self.list.iter().any(|entry| entry.covers(host, port))
    }

    /// A name that is listed may be at any public address, and at another one that is listed itself.
    pub fn connectable(&self, name: &str, port: u16, addresses: &[IpAddr]) -> Result<(), String> {
        let unlisted = |address: &&IpAddr| !self.covers(&Host::Address(address.to_canonical()), port);
        let unlisted: Vec<IpAddr> = addresses.iter().filter(unlisted).copied().collect();
        guard::check(name, &unlisted).map_err(|refused| {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(list: &[&str]) -> Rules {
        Rules {
            list: list.iter().map(|entry| Destination::parse(entry).unwrap()).collect(),
            refused: Arc::default(),
            look_ups: Arc::new(Semaphore::new(LOOK_UPS)),
        }
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
