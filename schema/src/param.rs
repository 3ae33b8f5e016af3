//! Parameters: what a program asks of whoever starts it, as front matter declares it and a module embeds it. What is given is held
//! against it before the first call.

use crate::alias::also;
use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// The largest compiled pattern, in bytes; with linear-time matching it bounds what a check can cost.
const MOST_PATTERN: usize = 1 << 20;

/// `[param.NAME]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = also("about", "description"))]
pub struct Param {
    /// What it is for.
    #[serde(skip_serializing_if = "String::is_empty", alias = "description")]
    pub about: String,
    /// What values it takes.
    #[serde(rename = "type")]
    pub kind: ParamKind,
    /// Of a choice: its values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// What holds when nothing is given.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "as_text")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub default: Option<String>,
    /// Has it to be given?
    #[serde(skip_serializing_if = "is_false")]
    pub required: bool,
    /// The regular expression that a whole value matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// What values a parameter takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = also("text", "string"), transform = also("integer", "int"))]
#[schemars(transform = also("number", "float"), transform = also("boolean", "bool"))]
pub enum ParamKind {
    /// Any text.
    #[default]
    #[serde(alias = "string")]
    Text,
    /// A whole number of 64 bits.
    #[serde(alias = "int")]
    Integer,
    /// A number.
    #[serde(alias = "float")]
    Number,
    /// `true` or `false`.
    #[serde(alias = "bool")]
    Boolean,
    /// One of `choices`.
    Choice,
}

/// Why a declaration means nothing, or a value is none of its.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    /// A choice among nothing.
    #[error("a choice has `choices`: the values that it takes")]
    NoChoices,
    /// `choices` of what is no choice.
    #[error("`choices` are of `type = \"choice\"`")]
    ChoicesOfNone,
    /// Given always, and a value for when it is not.
    #[error("it is `required`, and has a `default` that nobody would ever see: drop one")]
    RequiredDefault,
    /// A pattern that is none.
    #[error("`pattern` is no regular expression: {0}")]
    NoPattern(String),
    /// A value of another type.
    #[error("`{0}` is not {1}")]
    NotOfItsType(String, String),
    /// A value that does not match.
    #[error("`{0}` does not match its pattern `{1}`")]
    NoMatch(String, String),
}

impl ParamKind {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            ParamKind::Text => "text",
            ParamKind::Integer => "integer",
            ParamKind::Number => "number",
            ParamKind::Boolean => "boolean",
            ParamKind::Choice => "choice",
        }
    }
}

impl Param {
    /// What is wrong with the declaration itself.
    pub fn check(&self) -> Result<(), ParamError> {
        match (self.kind, self.choices.is_empty()) {
            (ParamKind::Choice, true) => return Err(ParamError::NoChoices),
            (ParamKind::Choice, false) | (_, true) => {}
            (_, false) => return Err(ParamError::ChoicesOfNone),
        }
        if self.required && self.default.is_some() {
            return Err(ParamError::RequiredDefault);
        }
        self.regex()?;
        self.default.as_ref().map_or(Ok(()), |default| self.accepts(default))
    }

    /// What is wrong with a value.
    pub fn accepts(&self, value: &str) -> Result<(), ParamError> {
        let other = |wanted: String| Err(ParamError::NotOfItsType(value.to_owned(), wanted));
        match self.kind {
            ParamKind::Integer if value.parse::<i64>().is_err() => return other("a whole number".to_owned()),
            ParamKind::Number if !value.parse::<f64>().is_ok_and(f64::is_finite) => {
                return other("a number".to_owned());
            }
            ParamKind::Boolean if !["true", "false"].contains(&value) => return other("`true` or `false`".to_owned()),
            ParamKind::Choice if !self.choices.iter().any(|choice| choice == value) => {
                return other(format!("one of `{}`", self.choices.join("`, `")));
            }
            _ => {}
        }
        match self.regex()? {
            Some(regex) if !regex.is_match(value) => {
                Err(ParamError::NoMatch(value.to_owned(), self.pattern.clone().unwrap_or_default()))
            }
            _ => Ok(()),
        }
    }

    /// A pattern holds for the whole value.
    fn regex(&self) -> Result<Option<Regex>, ParamError> {
        let Some(pattern) = &self.pattern else { return Ok(None) };
        // By itself first: what is only whole between the brackets is no pattern.
        let build = |text: &str| RegexBuilder::new(text).size_limit(MOST_PATTERN).build();
        let built = build(pattern).and_then(|_| build(&format!("^(?:{pattern})$")));
        built.map(Some).map_err(|error| {
            let error = error.to_string();
            ParamError::NoPattern(error.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned())
        })
    }

    /// From its canonical JSON.
    pub fn from_json(text: &str) -> Result<Param, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Canonical JSON: nothing that is unset.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What is wrong with the parameters that a run is given: which one, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The program declares others.
    Unknown(String),
    /// It has to be given.
    Missing(String),
    /// Its value is none of its.
    Wrong(String, ParamError),
}

/// The parameters of a run: what is given, and what holds where nothing is. A program that declares none takes any.
pub fn resolve(
    declared: &BTreeMap<String, Param>,
    mut given: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Vec<Unfit>> {
    if declared.is_empty() {
        return Ok(given);
    }
    let unknown = given.keys().filter(|name| !declared.contains_key(*name));
    let mut unfit: Vec<Unfit> = unknown.cloned().map(Unfit::Unknown).collect();
    for (name, param) in declared {
        match (given.get(name), &param.default) {
            (Some(value), _) => {
                unfit.extend(param.accepts(value).err().map(|error| Unfit::Wrong(name.clone(), error)));
            }
            (None, Some(default)) => _ = given.insert(name.clone(), default.clone()),
            (None, None) if param.required => unfit.push(Unfit::Missing(name.clone())),
            (None, None) => {}
        }
    }
    if unfit.is_empty() { Ok(given) } else { Err(unfit) }
}

/// A default may be written as what it is: `3`, `true`.
fn as_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a text, a number or a flag")]
    enum Written {
        Flag(bool),
        Integer(i64),
        Number(f64),
        Text(String),
    }
    Ok(Some(match Written::deserialize(deserializer)? {
        Written::Flag(flag) => flag.to_string(),
        Written::Integer(number) => number.to_string(),
        Written::Number(number) => number.to_string(),
        Written::Text(text) => text,
    }))
}

fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;

    fn param(text: &str) -> Param {
        toml::from_str(text).expect("it is read")
    }

    #[test]
    fn a_declaration_says_what_it_takes() {
        for (text, good, bad) in [
            ("", "anything", None),
            ("type = \"integer\"\ndefault = 3", "-4", Some("4.5")),
            ("type = \"number\"\ndefault = 0.5", "1e3", Some("NaN")),
            ("type = \"boolean\"\ndefault = true", "false", Some("yes")),
            ("type = \"choice\"\nchoices = [\"a\", \"b\"]", "b", Some("c")),
            ("pattern = 'v\\d+|x'", "v12", Some("av12x")),
        ] {
            let param = param(text);
            assert_eq!(param.check(), Ok(()), "{text}");
            assert_eq!(param.accepts(good), Ok(()), "{text}");
            assert!(bad.is_none_or(|bad| param.accepts(bad).is_err()), "{text}");
            assert_eq!(Param::from_json(&param.to_json()).expect("its own JSON"), param);
        }
    }

    #[test]
    fn a_declaration_that_means_nothing_is_refused() {
        for text in [
            "type = \"choice\"",
            "choices = [\"a\"]",
            "required = true\ndefault = \"a\"",
            "pattern = \"(\"",
            "pattern = \"a)(b\"",
            "pattern = '(\\w{500}){500}'",
            "type = \"integer\"\ndefault = \"x\"",
            "default = \"y\"\npattern = \"x\"",
        ] {
            assert!(param(text).check().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_given_is_held_against_what_is_declared() {
        let declared = [
            ("count".to_owned(), param("type = \"integer\"\ndefault = 2")),
            ("name".to_owned(), param("required = true")),
            ("more".to_owned(), param("")),
        ];
        let declared = BTreeMap::from(declared);
        let given = |all: &[(&str, &str)]| all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let resolved = resolve(&declared, given(&[("name", "x")])).expect("it fits");
        assert_eq!(resolved, given(&[("count", "2"), ("name", "x")]));
        let unfit = resolve(&declared, given(&[("nam", "x"), ("count", "many")])).expect_err("it does not fit");
        assert!(matches!(&unfit[..], [Unfit::Unknown(_), Unfit::Wrong(..), Unfit::Missing(_)]), "{unfit:?}");
        assert_eq!(resolve(&BTreeMap::new(), given(&[("any", "x")])), Ok(given(&[("any", "x")])));
    }
}
