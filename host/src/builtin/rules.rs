//! Rules for the columns of CSV, as `validate` and `quarantine` take them: `columns = { age = "integer" }`, or longer
//! `columns = { age = { type = "integer", min = 0, max = 150, empty = true } }`.

use super::Failure;
use super::setting::{Options, nearest};
use regex::Regex;
use serde_json::Value;
use std::collections::HashMap;

const TYPES: [&str; 5] = ["text", "integer", "number", "boolean", "date"];
const KEYS: [&str; 7] = ["type", "min", "max", "matches", "one-of", "empty", "unique"];

/// What the fields of one column have to be.
#[derive(Debug)]
pub(super) struct Rule {
    column: String,
    of: &'static str,
    min: Option<f64>,
    max: Option<f64>,
    matches: Option<Regex>,
    one_of: Option<Vec<String>>,
    empty: bool,
    unique: bool,
}

/// Rules laid on the columns of one table.
#[derive(Debug)]
pub(super) struct Rules<'r> {
    rules: Vec<(usize, &'r Rule)>,
    /// For unique columns: the row in which a field stood first.
    seen: HashMap<(usize, String), usize>,
}

impl Rule {
    /// The rules in the setting `name`.
    pub fn read(with: &Options<'_>, name: &'static str) -> Result<Vec<Rule>, Failure> {
        let table = with.table(name).into_iter().flatten();
        table.map(|(column, rule)| Rule::of(with, name, column, rule)).collect()
    }

    fn of(with: &Options<'_>, name: &'static str, column: &str, spelling: &Value) -> Result<Rule, Failure> {
        let wrong = |reason: String| with.wrong(name, format!("is wrong at column `{column}`: {reason}"));
        let known = |text: &str| TYPES.iter().find(|known| **known == text).copied();
        let types = || format!("a type is one of {}", TYPES.join(", "));
        let mut rule = Rule {
            column: column.to_owned(),
            of: "text",
            min: None,
            max: None,
            matches: None,
            one_of: None,
            empty: false,
            unique: false,
        };
        let table = match spelling {
            Value::String(text) => {
                rule.of = known(text).ok_or_else(|| wrong(types()))?;
                return Ok(rule);
            }
            Value::Object(table) => table,
            _ => return Err(wrong("it takes a type or a table".into())),
        };
        for (key, value) in table {
            let number = || value.as_f64().ok_or_else(|| wrong(format!("`{key}` takes a number")));
            let flag = || value.as_bool().ok_or_else(|| wrong(format!("`{key}` takes `true` or `false`")));
            match key.as_str() {
                "type" => rule.of = value.as_str().and_then(known).ok_or_else(|| wrong(types()))?,
                "min" => rule.min = Some(number()?),
                "max" => rule.max = Some(number()?),
                "empty" => rule.empty = flag()?,
                "unique" => rule.unique = flag()?,
                "matches" => {
                    let text = value.as_str().ok_or_else(|| wrong("`matches` takes a regular expression".into()))?;
                    rule.matches = Some(with.compile(name, text)?);
                }
                "one-of" => {
                    let list = value.as_array().filter(|list| list.iter().all(Value::is_string));
                    let list = list.ok_or_else(|| wrong("`one-of` takes a list of texts".into()))?;
                    rule.one_of = Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect());
                }
                _ => {
                    let hint = nearest(key, KEYS.into_iter()).map(|near| format!("; did you mean `{near}`?"));
                    let hint = hint.unwrap_or_else(|| format!("; there are {}", KEYS.join(", ")));
                    return Err(wrong(format!("there is no rule `{key}`{hint}")));
                }
            }
        }
        Ok(rule)
    }

    /// Why this field will not do. `min` and `max` bound numbers by value, texts by length in characters.
    fn refuse(&self, field: &str) -> Option<String> {
        let shown = || super::schema::brief(&Value::from(field));
        if field.trim().is_empty() {
            return (!self.empty).then(|| "is empty".into());
        }
        let size = match self.of {
            "integer" if field.trim().parse::<i64>().is_err() => {
                return Some(format!("{} is no whole number", shown()));
            }
            "integer" | "number" => match field.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => number,
                _ => return Some(format!("{} is no number", shown())),
            },
            "boolean" if !matches!(field.trim(), "true" | "false") => {
                return Some(format!("{} is neither `true` nor `false`", shown()));
            }
            "date" if !is_date(field.trim()) => return Some(format!("{} is no date such as 2026-01-31", shown())),
            _ => field.chars().count() as f64,
        };
        let what = if self.of == "text" { "characters long, " } else { "" };
        if let Some(min) = self.min.filter(|min| size < *min) {
            return Some(format!("{} is {what}less than {min}", shown()));
        }
        if let Some(max) = self.max.filter(|max| size > *max) {
            return Some(format!("{} is {what}more than {max}", shown()));
        }
        if let Some(pattern) = self.matches.as_ref().filter(|pattern| !pattern.is_match(field)) {
            return Some(format!("{} does not match `{pattern}`", shown()));
        }
        let list = self.one_of.as_ref().filter(|list| !list.iter().any(|one| one == field))?;
        Some(format!("{} is none of {}", shown(), list.join(", ")))
    }
}

impl<'r> Rules<'r> {
    /// Lays them on a header; a column that is missing is a reason to refuse the whole table.
    pub fn over(rules: &'r [Rule], header: &[String]) -> Result<Rules<'r>, Vec<String>> {
        let mut missing = Vec::new();
        let mut found = Vec::new();
        for rule in rules {
            match header.iter().position(|name| *name == rule.column) {
                Some(at) => found.push((at, rule)),
                None => missing.push(format!("the column `{}` is missing", rule.column)),
            }
        }
        // In the order of the columns: that of a table in TOML is not kept.
        found.sort_unstable_by_key(|(at, _)| *at);
        if missing.is_empty() { Ok(Rules { rules: found, seen: HashMap::new() }) } else { Err(missing) }
    }

    /// Why a row will not do; empty when it will.
    pub fn check<'f>(&mut self, nth: usize, field: impl Fn(usize) -> &'f str) -> Vec<String> {
        let mut reasons = Vec::new();
        for (at, rule) in &self.rules {
            let text = field(*at);
            if let Some(reason) = rule.refuse(text) {
                reasons.push(format!("`{}` {reason}", rule.column));
            } else if rule.unique {
                let first = *self.seen.entry((*at, text.to_owned())).or_insert(nth);
                if first != nth {
                    reasons.push(format!("`{}` stands also in row {first}", rule.column));
                }
            }
        }
        reasons
    }
}

/// Is it a day of the Gregorian calendar, `YYYY-MM-DD`?
fn is_date(text: &str) -> bool {
    let mut fields = text.splitn(3, '-');
    let mut next = |digits: usize| {
        let field = fields.next().filter(|field| field.len() == digits && field.bytes().all(|b| b.is_ascii_digit()));
        field.and_then(|field| field.parse::<u32>().ok())
    };
    let (Some(year), Some(month), Some(day)) = (next(4), next(2), next(2)) else { return false };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}
