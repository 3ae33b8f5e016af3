//! When the next call may be made: what was booked within the last minute, and for how many tokens within the last day. It reads
//! no clock: time is told.
//!
//! A limit holds for any minute, not for those of the clock: a call is booked for the first moment at which, with those booked
//! within the minute before it, none is exceeded. Later bookings are never earlier than those before them, so calls go in the
//! order in which they came.

use aivm_schema::worker::Rates;
use std::collections::VecDeque;

pub const MINUTE_MS: u64 = 60_000;
pub const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// A call that has its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Booked {
    /// When it may be made, in the milliseconds of whoever tells the time.
    pub at_ms: u64,
    id: u64,
    tokens: u64,
}

/// What is booked.
#[derive(Clone, Debug, Default)]
pub struct Window {
    next: u64,
    minute: VecDeque<Booked>,
    /// Tokens by the minute in which they were used: a day has 1,440.
    day: VecDeque<(u64, u64)>,
    /// Nobody is called before.
    alone_until: u64,
    /// The last place that was given.
    last: u64,
}

impl Window {
    /// The first place for a call of so many tokens, and what it waits for.
    pub fn book(&mut self, now: u64, tokens: u64, rates: &Rates) -> (Booked, &'static str) {
        while self.minute.front().is_some_and(|first| first.at_ms + MINUTE_MS <= now) {
            self.minute.pop_front();
        }
        while self.day.front().is_some_and(|(first, _)| first + DAY_MS + MINUTE_MS <= now) {
            self.day.pop_front();
        }
        let (mut at, mut limit) = (now.max(self.last), "others are before it");
        let mut not_before = |moment: u64, why: &'static str| {
            if moment > at {
                (at, limit) = (moment, why);
            }
            at
        };
        not_before(self.alone_until, "it asked to be left alone");
        if let Some(most) = rates.requests_per_minute
            && let Some(nth) = self.minute.len().checked_sub(most as usize)
            && let Some(first) = self.minute.get(nth)
        {
            not_before(first.at_ms + MINUTE_MS, "requests a minute");
        }
        if let Some(most) = rates.tokens_per_minute {
            let used = self.minute.iter().map(|booked| (booked.at_ms, booked.tokens));
            not_before(room(used, MINUTE_MS, tokens, most.0), "tokens a minute");
        }
        if let Some(most) = rates.tokens_per_day {
            // The whole minute in which they were used counts.
            let used = self.day.iter().map(|(minute, tokens)| (minute + MINUTE_MS, *tokens));
            not_before(room(used, DAY_MS, tokens, most.0), "tokens a day");
        }
        self.next += 1;
        let booked = Booked { at_ms: at, id: self.next, tokens };
        self.last = at;
        self.minute.push_back(booked);
        self.use_up(at, tokens, rates.tokens_per_day.is_some());
        (booked, limit)
    }

    /// A call that is over used so many tokens, whatever was booked.
    pub fn settle(&mut self, booked: Booked, tokens: u64) {
        if let Some(entry) = self.minute.iter_mut().find(|entry| entry.id == booked.id) {
            entry.tokens = tokens;
        }
        if let Some((_, used)) = self.day.iter_mut().find(|(minute, _)| *minute == minute_of(booked.at_ms)) {
            *used = used.saturating_sub(booked.tokens).saturating_add(tokens);
        }
    }

    /// A call is not made. Those behind it keep their places.
    pub fn cancel(&mut self, booked: Booked) {
        self.settle(booked, 0);
        self.minute.retain(|entry| entry.id != booked.id);
        if self.last == booked.at_ms && self.next == booked.id {
            self.last = self.minute.back().map_or(0, |last| last.at_ms);
        }
    }

    /// Nobody is called before that.
    pub fn leave_alone(&mut self, until: u64) {
        self.alone_until = self.alone_until.max(until);
    }

    /// What was used before anything was booked here: when, and how many tokens.
    pub fn remember(&mut self, now: u64, used: impl IntoIterator<Item = (u64, u64)>) {
        let mut used: Vec<(u64, u64)> = used.into_iter().filter(|(at, _)| *at <= now).collect();
        used.sort_unstable();
        let booked = std::mem::take(&mut self.day);
        used.into_iter().for_each(|(at, tokens)| self.use_up(at, tokens, true));
        booked.into_iter().for_each(|(at, tokens)| self.use_up(at, tokens, true));
    }

    fn use_up(&mut self, at: u64, tokens: u64, by_day: bool) {
        if !by_day {
            return;
        }
        let minute = minute_of(at);
        match self.day.back_mut().filter(|(last, _)| *last >= minute) {
            Some((_, used)) => *used = used.saturating_add(tokens),
            None => self.day.push_back((minute, tokens)),
        }
    }
}

fn minute_of(at: u64) -> u64 {
    at - at % MINUTE_MS
}

/// The moment from which on there is room for so many tokens beside what was `used`, the oldest first. What is more than there is
/// room for at all waits until nothing else is there.
fn room(used: impl Iterator<Item = (u64, u64)> + Clone, span: u64, tokens: u64, most: u64) -> u64 {
    let tokens = tokens.min(most);
    let mut sum = used.clone().fold(0u64, |sum, (_, tokens)| sum.saturating_add(tokens));
    let mut from = 0;
    for (at, used) in used {
        // With no tokens known, the last of a full minute still has to go.
        if sum.saturating_add(tokens.max(1)) <= most {
            break;
        }
        sum = sum.saturating_sub(used);
        from = at + span;
    }
    from
}
