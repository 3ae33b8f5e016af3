//! Numbers that may have no bound, what they add up to, and how people read them.

use aivm_schema::unit::{Money, Tokens};
use serde::Serialize;

/// A number that may have no bound. Arithmetic saturates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// At most this.
    AtMost(u64),
    /// Nothing bounds it.
    Unbounded,
}

impl Default for Bound {
    fn default() -> Bound {
        Bound::ZERO
    }
}

impl Bound {
    /// Zero.
    pub const ZERO: Bound = Bound::AtMost(0);

    pub(super) fn plus(self, other: Bound) -> Bound {
        match (self, other) {
            (Bound::AtMost(a), Bound::AtMost(b)) => Bound::AtMost(a.saturating_add(b)),
            _ => Bound::Unbounded,
        }
    }

    pub(super) fn times(self, other: Bound) -> Bound {
        match (self, other) {
            (Bound::AtMost(0), _) | (_, Bound::AtMost(0)) => Bound::ZERO,
            (Bound::AtMost(a), Bound::AtMost(b)) => Bound::AtMost(a.saturating_mul(b)),
            _ => Bound::Unbounded,
        }
    }

    /// The smaller; what is unbounded is larger than everything.
    pub(super) fn capped(self, most: Option<u64>) -> Bound {
        most.map_or(self, |most| self.min(Bound::AtMost(most)))
    }

    /// The number, if there is one.
    pub fn known(self) -> Option<u64> {
        match self {
            Bound::AtMost(n) => Some(n),
            Bound::Unbounded => None,
        }
    }
}

impl From<Option<u64>> for Bound {
    fn from(known: Option<u64>) -> Bound {
        known.map_or(Bound::Unbounded, Bound::AtMost)
    }
}

impl Serialize for Bound {
    /// `null` when unbounded.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.known().serialize(serializer)
    }
}

/// What something takes at the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Calls of workers: retries, choosers and undoers too.
    pub calls: Bound,
    /// Milliseconds, with what is concurrent counted once.
    pub ms: Bound,
    /// Millionths of a dollar.
    pub money: Bound,
    /// Tokens.
    pub tokens: Bound,
}

impl Cost {
    /// Nothing at all.
    pub const NOTHING: Cost = Cost { calls: Bound::ZERO, ms: Bound::ZERO, money: Bound::ZERO, tokens: Bound::ZERO };

    pub(super) fn plus(self, other: Cost) -> Cost {
        Cost { ms: self.ms.plus(other.ms), ..self.beside(other) }
    }

    /// As `plus`, at the same time.
    pub(super) fn beside(self, other: Cost) -> Cost {
        Cost {
            calls: self.calls.plus(other.calls),
            ms: self.ms.max(other.ms),
            money: self.money.plus(other.money),
            tokens: self.tokens.plus(other.tokens),
        }
    }

    pub(super) fn times(self, n: Bound) -> Cost {
        Cost {
            calls: self.calls.times(n),
            ms: self.ms.times(n),
            money: self.money.times(n),
            tokens: self.tokens.times(n),
        }
    }

    /// Does any of it have no bound?
    pub(super) fn is_open(&self) -> bool {
        [self.calls, self.ms, self.money, self.tokens].contains(&Bound::Unbounded)
    }

    pub(super) fn dearest(self, other: Cost) -> Cost {
        Cost {
            calls: self.calls.max(other.calls),
            ms: self.ms.max(other.ms),
            money: self.money.max(other.money),
            tokens: self.tokens.max(other.tokens),
        }
    }

    pub(super) fn cheapest(self, other: Cost) -> Cost {
        Cost {
            calls: self.calls.min(other.calls),
            ms: self.ms.min(other.ms),
            money: self.money.min(other.money),
            tokens: self.tokens.min(other.tokens),
        }
    }
}

/// For people: `3`, `no bound`.
pub fn count_text(bound: Bound) -> String {
    bound.known().map_or("no bound".into(), |n| n.to_string())
}

/// For people: `30s`, `24h 58m`: the two largest units.
pub fn time_text(bound: Bound) -> String {
    let Some(ms) = bound.known() else { return "no bound".into() };
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let mut rest = ms;
    let mut parts = Vec::new();
    for (name, size) in units {
        if rest >= size {
            parts.push(format!("{}{name}", rest / size));
            rest %= size;
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0ms".into() } else { parts.join(" ") }
}

/// For people: `$0.50`.
pub fn money_text(bound: Bound) -> String {
    bound.known().map_or("no bound".into(), |money| Money(money).to_string())
}

/// For people: `20kt`, `0`.
pub fn tokens_text(bound: Bound) -> String {
    match bound.known() {
        Some(0) => "0".into(),
        Some(tokens) => Tokens(tokens).to_string(),
        None => "no bound".into(),
    }
}

/// `at most 12 calls, 1h 2m, $0.50, 20kt`; what has no bound stands behind.
pub fn summary_text(total: &Cost) -> String {
    let calls = if total.calls == Bound::AtMost(1) { "call" } else { "calls" };
    let all = [
        ("calls", total.calls, format!("{} {calls}", count_text(total.calls))),
        ("time", total.ms, time_text(total.ms)),
        ("money", total.money, money_text(total.money)),
        ("tokens", total.tokens, tokens_text(total.tokens)),
    ];
    let open: Vec<&str> = all.iter().filter(|(_, most, _)| most.known().is_none()).map(|(name, ..)| *name).collect();
    let bounded = all.iter().filter(|(name, most, _)| most.known().is_some_and(|most| most > 0 || *name != "tokens"));
    let bounded: Vec<&str> = bounded.map(|(_, _, text)| text.as_str()).collect();
    let mut said = Vec::new();
    if !bounded.is_empty() {
        said.push(format!("at most {}", bounded.join(", ")));
    }
    if let Some((last, others)) = open.split_last() {
        let others = if others.is_empty() { String::new() } else { format!("{} and ", others.join(", ")) };
        said.push(format!("no bound on {others}{last}"));
    }
    said.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_bounded_and_what_is_not() {
        let most = |calls, tokens| Cost { calls, ms: Bound::AtMost(60_000), money: Bound::AtMost(500_000), tokens };
        let none = Bound::Unbounded;
        assert_eq!(summary_text(&most(Bound::AtMost(1), Bound::ZERO)), "at most 1 call, 1m, $0.50");
        assert_eq!(summary_text(&most(Bound::AtMost(2), Bound::AtMost(4_000))), "at most 2 calls, 1m, $0.50, 4kt");
        assert_eq!(summary_text(&most(none, none)), "at most 1m, $0.50; no bound on calls and tokens");
    }
}
