//! Spans of time as people spell them: `30 days`, `5 seconds`.

use aivm_schema::unit::Milliseconds;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// A span of time in words, or as everywhere else in this project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub(super) struct English(
    #[schemars(with = "String", extend("pattern" = "^\\s*[0-9]+\\s*[A-Za-z]+\\s*$"))] pub Milliseconds,
);

/// The letter that each word stands for; in the plural, too.
const UNITS: [(&str, &str, u64); 9] = [
    ("millisecond", "ms", 1),
    ("second", "s", 1),
    ("sec", "s", 1),
    ("minute", "m", 1),
    ("min", "m", 1),
    ("hour", "h", 1),
    ("day", "d", 1),
    ("week", "d", 7),
    ("month", "d", 30),
];

impl std::str::FromStr for English {
    type Err = String;
    fn from_str(text: &str) -> Result<English, String> {
        let wrong =
            || format!("`{text}` is not a span of time: a whole number and a word, as in `30 days` or `5 seconds`");
        let text = text.trim();
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?);
        let unit = unit.trim().to_ascii_lowercase();
        let singular = unit.strip_suffix('s').unwrap_or(&unit);
        let (letter, times) = match UNITS.iter().find(|(word, ..)| *word == singular) {
            Some((_, letter, times)) => (*letter, *times),
            None => (unit.as_str(), 1),
        };
        let number = number.parse::<u64>().ok().and_then(|number| number.checked_mul(times)).ok_or_else(wrong)?;
        format!("{number}{letter}").parse().map(English).map_err(|_| wrong())
    }
}

impl<'de> Deserialize<'de> for English {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<English, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_of_time_is_read_as_people_write_it() {
        for (text, span) in [
            ("30 days", "30d"),
            ("1 day", "1d"),
            ("5 minutes", "5m"),
            ("5 Seconds", "5s"),
            ("2 weeks", "14d"),
            ("250 milliseconds", "250ms"),
            ("10s", "10s"),
            ("1 h", "1h"),
        ] {
            assert_eq!(text.parse::<English>().map(|english| english.0.to_string()).as_deref(), Ok(span), "{text}");
        }
        for wrong in ["", "days", "five days", "30", "-1 day", "1.5 hours", "1 fortnight", "99999999999999999999 days"]
        {
            assert!(wrong.parse::<English>().is_err(), "{wrong}");
        }
    }
}
