//! One condition on one value, as `only` and `assert` take it. Everything that is set has to hold.

use super::Failure;
use super::items::{number, plain};
use super::schema::{brief, same};
use super::setting::{Kind, Options, Setting};
use regex::Regex;
use serde_json::Value;

pub(super) const EQUALS: Setting =
    Setting::optional("equals", Kind::Any, "it has to be this; `5` and `\"5\"` are the same");
pub(super) const CONTAINS: Setting = Setting::optional(
    "contains",
    Kind::Text,
    "a text that has to occur in it; in a list, an element that has to be there",
);
pub(super) const MATCHES: Setting = Setting::optional("matches", Kind::Pattern, "it has to match this");
pub(super) const MIN: Setting = Setting::optional("min", Kind::Number, "it has to be a number, and not below this");
pub(super) const MAX: Setting = Setting::optional("max", Kind::Number, "it has to be a number, and not above this");
pub(super) const NOT: Setting = Setting::flag("not", false, "turns the condition round");

/// What a value has to be. Nothing set: it has to be there and not be empty.
#[derive(Debug)]
pub(super) struct Condition<'a> {
    equals: Option<&'a Value>,
    contains: Option<&'a str>,
    matches: Option<Regex>,
    min: Option<f64>,
    max: Option<f64>,
    not: bool,
}

impl<'a> Condition<'a> {
    /// From the settings above.
    pub fn read(with: &Options<'a>) -> Result<Condition<'a>, Failure> {
        Ok(Condition {
            equals: with.value("equals"),
            contains: with.maybe("contains"),
            matches: with.pattern("matches")?,
            min: with.number("min"),
            max: with.number("max"),
            not: with.flag("not"),
        })
    }

    /// Does it hold?
    pub fn holds(&self, value: Option<&Value>) -> bool {
        self.refuse(value).is_none() != self.not
    }

    /// Why it does not hold, if it does not.
    pub fn why_not(&self, value: Option<&Value>) -> Option<String> {
        match (self.refuse(value), self.not) {
            (refusal, false) => refusal,
            (Some(_), true) => None,
            (None, true) => Some(format!("{} is as it must not be", value.map_or("nothing".into(), brief))),
        }
    }

    /// The first thing wrong with it, before `not`.
    fn refuse(&self, value: Option<&Value>) -> Option<String> {
        let Some(value) = value else { return Some("there is nothing".into()) };
        let shown = || brief(value);
        if let Some(wanted) = self.equals.filter(|wanted| !same(wanted, value) && plain(wanted) != plain(value)) {
            return Some(format!("{} is not {}", shown(), brief(wanted)));
        }
        if let Some(wanted) = self.contains
            && !contains(value, wanted)
        {
            return Some(format!("{} does not contain {}", shown(), brief(&Value::from(wanted))));
        }
        if let Some(pattern) = self.matches.as_ref().filter(|pattern| !pattern.is_match(&plain(value))) {
            return Some(format!("{} does not match `{pattern}`", shown()));
        }
        if self.min.is_some() || self.max.is_some() {
            let Some(number) = number(value) else { return Some(format!("{} is no number", shown())) };
            if let Some(min) = self.min.filter(|min| number < *min) {
                return Some(format!("{number} is below {min}"));
            }
            if let Some(max) = self.max.filter(|max| number > *max) {
                return Some(format!("{number} is above {max}"));
            }
        }
        let untested = self.equals.is_none() && self.contains.is_none() && self.matches.is_none();
        let untested = untested && self.min.is_none() && self.max.is_none();
        (untested && is_empty(value)).then(|| "it is empty".into())
    }
}

fn contains(value: &Value, wanted: &str) -> bool {
    match value {
        Value::Array(elements) => elements.iter().any(|element| plain(element) == wanted),
        other => plain(other).contains(wanted),
    }
}

/// Null, blank text, and lists and tables with nothing in them.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}
