//! How much of what there is for all one address may have at once: whoever takes every place would be alone.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Places, of which one address has so many at most. This machine has as many as it likes: a proxy stands there.
#[derive(Clone, Debug)]
pub struct Shares {
    most: usize,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A place of an address; dropped, it is free again.
#[derive(Debug)]
pub struct Share {
    of: Option<IpAddr>,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Shares {
    /// So many for each address.
    pub fn of(most: usize) -> Shares {
        Shares { most, taken: Arc::default() }
    }

    /// A place for an address; none: it has as many as it may.
    pub fn take(&self, from: IpAddr) -> Option<Share> {
        let of = (!from.to_canonical().is_loopback()).then(|| network(from));
        if let Some(of) = of {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            if taken.get(&of).is_some_and(|taken| *taken >= self.most) {
                return None;
            }
            *taken.entry(of).or_default() += 1;
        }
        Some(Share { of, taken: self.taken.clone() })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(of) = self.of else { return };
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = taken.get_mut(&of) {
            *left -= 1;
            if *left == 0 {
                taken.remove(&of);
            }
        }
    }
}

/// Whose an address is: one that has a network of version 6 has as many addresses as it likes.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_never_has_every_place() {
        let shares = Shares::of(2);
        let take = |from: &str| shares.take(from.parse().expect("an address"));
        let held = [take("192.0.2.1"), take("::ffff:192.0.2.1")];
        assert!(held.iter().all(Option::is_some) && take("192.0.2.1").is_none());
        assert!(take("192.0.2.2").is_some(), "another has its own");
        drop(held);
        assert!(take("192.0.2.1").is_some(), "what is given back is there again");
        let held = [take("2001:db8:0:1::1"), take("2001:db8:0:1::2")];
        assert!(held.iter().all(Option::is_some) && take("2001:db8:0:1::3").is_none());
        let here: Vec<_> = (0..9).filter_map(|_| take("127.0.0.1")).collect();
        assert_eq!(here.len(), 9);
        drop((held, here));
        assert!(shares.taken.lock().expect("whole").is_empty());
    }
}
