//! Quantities with their units: milliseconds, millionths of a dollar, tokens, bytes. One spelling in programs, TOML and output:
//! `40ms 30s 5m 2h 1d`, `$0.50`, `500t 20kt 1Mt`, `64KB 512MB 2GiB`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Milliseconds(pub u64);

/// An amount of money, in millionths of a dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Money(pub u64);

/// A number of model tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tokens(pub u64);

/// A size in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// How long a value is kept at least, whatever becomes of the run that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Retention {
    /// So long since it was made.
    For(Milliseconds),
    /// `forever`.
    Forever,
}

/// Why a text is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a duration.
    #[error("`{0}` is not a duration: a whole number with `ms`, `s`, `m`, `h` or `d`, as in `30s`")]
    Duration(String),
    /// Not how long something is kept.
    #[error("`{0}` is not how long something is kept: a duration, as in `30d`, or `forever`")]
    Retention(String),
    /// Not an amount of money.
    #[error("`{0}` is not an amount of money: as in `$0.50`, at most six decimals")]
    Money(String),
    /// Not a number of tokens.
    #[error("`{0}` is not a number of tokens: a whole number with `t`, `kt` or `Mt`, as in `20kt`")]
    Tokens(String),
    /// Not a size.
    #[error("`{0}` is not a size: a whole number with `KB`, `MB`, `GB` or `KiB`, `MiB`, `GiB`, as in `512MB`")]
    Bytes(String),
}

/// A whole number with one of these units.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

/// The largest unit that divides it.
fn unscaled(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)]) -> fmt::Result {
    let (name, scale) = units
        .iter()
        .rev()
        .find(|(_, scale)| value >= *scale && value.is_multiple_of(*scale))
        .or(units.first())
        .copied()
        .unwrap_or(("", 1));
    write!(f, "{}{name}", value / scale)
}

const DURATIONS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const TOKENS: [(&str, u64); 3] = [("t", 1), ("kt", 1_000), ("Mt", 1_000_000)];
const BYTES: [(&str, u64); 7] = [
    ("B", 1),
    ("KB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
];

impl FromStr for Milliseconds {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        scaled(text, &DURATIONS).map(Milliseconds).ok_or_else(|| UnitError::Duration(text.into()))
    }
}

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        unscaled(f, self.0, &DURATIONS)
    }
}

impl FromStr for Retention {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        match text {
            "forever" => Ok(Retention::Forever),
            text => text.parse().map(Retention::For).map_err(|_| UnitError::Retention(text.into())),
        }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Retention::Forever => f.write_str("forever"),
            Retention::For(span) => span.fmt(f),
        }
    }
}

impl FromStr for Tokens {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        scaled(text, &TOKENS).map(Tokens).ok_or_else(|| UnitError::Tokens(text.into()))
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        unscaled(f, self.0, &TOKENS)
    }
}

impl FromStr for Bytes {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        scaled(text, &BYTES).map(Bytes).ok_or_else(|| UnitError::Bytes(text.into()))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        unscaled(f, self.0, &BYTES)
    }
}

impl FromStr for Money {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError::Money(text.into());
        let number = text.strip_prefix('$').ok_or_else(error)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 6 {
            return Err(error());
        }
        let whole = whole.parse::<u64>().ok().and_then(|n| n.checked_mul(1_000_000)).ok_or_else(error)?;
        let millionths = format!("{part:0<6}").parse::<u64>().map_err(|_| error())?;
        whole.checked_add(millionths).map(Money).ok_or_else(error)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = format!("{:06}", self.0 % 1_000_000);
        let part = part.trim_end_matches('0');
        write!(f, "${}.{part:0<2}", self.0 / 1_000_000)
    }
}

macro_rules! as_text {
    ($($name:ident $pattern:literal),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
as_text!(Milliseconds r"^[0-9]+(ms|s|m|h|d)$", Money r"^\$[0-9]+(\.[0-9]{1,6})?$", Tokens r"^[0-9]+(t|kt|Mt)$", Bytes r"^[0-9]+(B|[KMG]i?B)$");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_print_as_they_are_written() {
        for text in ["40ms", "30s", "90s", "5m", "2h", "1d", "1500ms", "0ms"] {
            assert_eq!(text.parse::<Milliseconds>().expect("valid").to_string(), text);
        }
        for (text, shown) in [("$0.50", "$0.50"), ("$3", "$3.00"), ("$0.000001", "$0.000001"), ("$12.345", "$12.345")] {
            assert_eq!(text.parse::<Money>().expect("valid").to_string(), shown);
        }
        for text in ["30d", "forever"] {
            assert_eq!(text.parse::<Retention>().expect("valid").to_string(), text);
        }
        assert!("for ever".parse::<Retention>().is_err());
        for text in ["500t", "20kt", "1Mt"] {
            assert_eq!(text.parse::<Tokens>().expect("valid").to_string(), text);
        }
        for text in ["1B", "64KB", "512MB", "2GB", "3KiB", "7MiB", "1GiB"] {
            assert_eq!(text.parse::<Bytes>().expect("valid").to_string(), text);
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", "s", "5", "5x", "-1s", "1.5s", "99999999999999999999s", "30S"] {
            assert!(text.parse::<Milliseconds>().is_err(), "{text}");
        }
        for text in ["", "$", "0.5", "$.5", "$1.", "$0.1234567", "$1e3"] {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
        for text in ["", "5", "1.5GB", "1gb", "1K", "99999999999GiB"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }
}
