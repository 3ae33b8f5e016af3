//! How much one address asks: a bucket for each, which fills again as time goes by. This machine asks as much as it likes: whoever
//! puts a proxy before the playground counts there.

use super::refusal::Refusal;
use crate::serve::share::network;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A bucket holds so much.
const MOST: f64 = 120.0;
/// So much flows in each second.
const FLOW: f64 = 20.0;
/// So many addresses are known at once; full buckets are forgotten first.
const MOST_ADDRESSES: usize = 10_000;

/// What a question takes out of the bucket.
pub const QUESTION: f64 = 1.0;
/// What a run takes.
pub const RUN: f64 = 20.0;

/// The buckets.
#[derive(Debug, Default)]
pub struct Meter {
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn left(&self, now: Instant) -> f64 {
        (self.left + now.saturating_duration_since(self.at).as_secs_f64() * FLOW).min(MOST)
    }
}

impl Meter {
    /// Takes so much out of the bucket of an address; fails when there is not as much in it.
    pub fn take(&self, from: IpAddr, much: f64, now: Instant) -> Result<(), Refusal> {
        if from.is_loopback() {
            return Ok(());
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST_ADDRESSES {
            buckets.retain(|_, bucket| bucket.left(now) < MOST);
        }
        let who = network(from);
        let known = buckets.get(&who).map(|bucket| bucket.left(now));
        // When all of them are busy, a new one waits as if it had been.
        let left = known.unwrap_or(if buckets.len() < MOST_ADDRESSES { MOST } else { 0.0 });
        if left < much {
            return Err(Refusal::busy("this address has asked a lot: wait a second and ask again"));
        }
        buckets.insert(who, Bucket { left: left - much, at: now });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;
    use std::time::Duration;

    #[test]
    fn a_bucket_runs_out_and_fills_again() {
        let (meter, now) = (Meter::default(), Instant::now());
        let one: IpAddr = "192.0.2.1".parse().expect("an address");
        let runs = |from, now| (0..100).take_while(|_| meter.take(from, RUN, now).is_ok()).count();
        assert_eq!(runs(one, now), 6);
        assert_eq!(runs(one, now), 0);
        assert_eq!(runs("192.0.2.2".parse().expect("an address"), now), 6, "each has its own");
        assert_eq!(runs(one, now + Duration::from_secs(1)), 1);
        assert_eq!(runs(one, now + Duration::from_secs(3600)), 6, "it never holds more");
        assert_eq!(runs("::ffff:192.0.2.1".parse().expect("an address"), now + Duration::from_secs(3600)), 0);
        assert_eq!(runs("127.0.0.1".parse().expect("an address"), now), 100);
    }

    #[test]
    fn a_network_of_version_6_is_one() {
        let (meter, now) = (Meter::default(), Instant::now());
        let asked = (0..1_000_u16).filter(|nth| {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, *nth);
            meter.take(address.into(), RUN, now).is_ok()
        });
        assert_eq!(asked.count(), 6);
    }

    #[test]
    fn no_more_addresses_are_known_than_there_is_room_for() {
        let (meter, now) = (Meter::default(), Instant::now());
        let ask = |nth: u32| meter.take(IpAddr::V4(nth.wrapping_add(1 << 24).into()), QUESTION, now).is_ok();
        let asked = (0..20_000).filter(|nth| ask(*nth)).count();
        assert_eq!(asked, MOST_ADDRESSES);
        let known = meter.buckets.lock().expect("whole").len();
        assert_eq!(known, MOST_ADDRESSES);
    }
}
