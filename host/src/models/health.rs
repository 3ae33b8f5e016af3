//! Which models have lately failed, and until when it is better to ask another first.

use rustc_hash::FxHashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest that a model is put last for one failure, whatever it asks for.
const LONGEST: Duration = Duration::from_secs(600);

/// Models that have lately failed.
#[derive(Debug, Default)]
pub struct Health {
    ails: Mutex<FxHashMap<String, Instant>>,
}

impl Health {
    /// It failed: for so many seconds others are asked first.
    pub fn failed(&self, model: &str, seconds: u64) {
        let until = Instant::now() + Duration::from_secs(seconds).min(LONGEST);
        self.ails.lock().unwrap_or_else(PoisonError::into_inner).insert(model.to_owned(), until);
    }

    /// It answered.
    pub fn answered(&self, model: &str) {
        self.ails.lock().unwrap_or_else(PoisonError::into_inner).remove(model);
    }

    /// Those that have lately failed go behind the others, the one that is well again first before the rest; otherwise the order
    /// stays.
    pub fn sort(&self, models: &mut [String]) {
        let now = Instant::now();
        let ails = self.ails.lock().unwrap_or_else(PoisonError::into_inner);
        models.sort_by_key(|model| ails.get(model).filter(|until| **until > now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_goes_last_until_it_answers() {
        let health = Health::default();
        let sorted = || {
            let mut models = ["a", "b", "c"].map(str::to_owned);
            health.sort(&mut models);
            models.join("")
        };
        health.failed("a", 60);
        assert_eq!(sorted(), "bca");
        health.failed("c", 0);
        assert_eq!(sorted(), "bca", "no time at all is over at once");
        health.answered("a");
        assert_eq!(sorted(), "abc");
    }
}
