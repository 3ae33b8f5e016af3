//! Numbers for all processors, and what the environment asks for.

use crate::tally::Tally;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

pub fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// On all processors, each number once.
pub fn spread(from: u64, count: u64, work: &(dyn Fn(u64, &mut Tally) -> Result<(), String> + Sync)) -> Tally {
    let (next, all) = (AtomicU64::new(from), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                let mut tally = Tally::default();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= from + count {
                        break;
                    }
                    if let Err(what) = work(number, &mut tally) {
                        next.store(u64::MAX / 2, Ordering::Relaxed);
                        panic!("{what}");
                    }
                }
                all.lock().expect("no thread has panicked").add(&tally);
            });
        }
    });
    all.into_inner().expect("no thread has panicked")
}
