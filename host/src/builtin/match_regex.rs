//! `match-regex`: the first rule that matches says which word the step answers.

use super::input::Call;
use super::items::plain;
use super::path::Place;
use super::setting::{Kind, Options, Setting, kind_of};
use super::{Builtin, Effect, Failure, Output};
use regex::Regex;
use serde_json::Value;

/// How much of what matched is told.
const SHOWN: usize = 200;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "match-regex",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[
        Setting::required("rules", Kind::Any, "pairs of a word and a regular expression, tried in order"),
        Setting::optional(
            "otherwise",
            Kind::Text,
            "the word when none matches; not set: no word, the step simply succeeds",
        ),
        Setting::optional(
            "key",
            Kind::Text,
            "match the text at this place of a JSON input, such as `user.name`, instead of the whole",
        ),
    ],
    check,
    run,
};

fn check(with: &Options<'_>) -> Result<(), Failure> {
    if let Some(word) = with.maybe("otherwise").filter(|word| !aivm_schema::word::is_word(word)) {
        return Err(with.wrong(
            "otherwise",
            format!("is `{word}`, which is not a word: a letter, then letters, digits, `_`, `-`"),
        ));
    }
    rules(with).map(|_| ())
}

fn rules<'a>(with: &Options<'a>) -> Result<Vec<(&'a str, Regex)>, Failure> {
    let wrong = |reason: String| {
        with.wrong("rules", format!("{reason}; write `rules = [[\"urgent\", \"(?i)urgent|asap\"], …]`"))
    };
    let list = with.value("rules").and_then(Value::as_array).filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| wrong("has to be a list of pairs".into()))?;
    let mut rules = Vec::with_capacity(list.len());
    for rule in list {
        let (word, pattern) = match rule.as_array().map(Vec::as_slice) {
            Some([Value::String(word), Value::String(pattern)]) => (word.as_str(), pattern.as_str()),
            _ => return Err(wrong(format!("has {} where a pair of texts has to be", kind_of(rule)))),
        };
        if !aivm_schema::word::is_word(word) {
            return Err(wrong(format!("has `{word}`, which is not a word")));
        }
        rules.push((word, with.compile("rules", pattern)?));
    }
    Ok(rules)
}

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let json;
    let text = match call.with.maybe("key") {
        None => call.text()?.into(),
        Some(key) => {
            json = call.json()?;
            let found = Place::parse(key).get(&json);
            plain(found.ok_or_else(|| Failure::Unreadable(format!("there is nothing at `{key}` in the input")))?)
        }
    };
    for (word, pattern) in rules(&call.with)? {
        if let Some(found) = pattern.find(&text) {
            let shown: String = found.as_str().chars().take(SHOWN).collect();
            return Ok(Output::same().say(word).with("matched", shown));
        }
    }
    Ok(match call.with.maybe("otherwise") {
        Some(word) => Output::same().say(word),
        None => Output::same(),
    })
}
