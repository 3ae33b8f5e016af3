//! `extract`: the pieces of a text that are of one kind.

use super::input::Call;
use super::setting::{Kind, Options, Setting, compile};
use super::{Builtin, Effect, Failure, MOST_ITEMS, Output, buffer, media};
use regex::{Captures, Regex};
use serde_json::{Map, Value, json};

pub(super) const BUILTIN: Builtin = Builtin {
    name: "extract",
    effect: Effect::Pure,
    words: &[],
    instead: Some("not-found"),
    settings: &[
        Setting::choice(
            "what",
            &["json", "code", "emails", "urls", "numbers", "pattern"],
            "JSON objects and arrays within prose; fenced code blocks of Markdown; e-mail addresses; http and https addresses; numbers; or what `pattern` matches",
        ),
        Setting::optional(
            "pattern",
            Kind::Pattern,
            "gives objects when it has named groups, the first group when it has one, else the whole match",
        ),
        Setting::optional("language", Kind::Text, "only code blocks of this language"),
        Setting::flag("first", false, "the first piece itself instead of a JSON array of all; none: the call fails"),
    ],
    check,
    run,
};

/// How often, on average, a byte is read while looking for JSON.
const MOST_READINGS: usize = 16;
/// `.` and `,` may stand within a number, not at its end.
const NUMBER: &str = r"[-+]?\b\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?\b";
const EMAIL: &str = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+";
const URL: &str = r#"(?i)\bhttps?://[^\s<>"'`\\^{}|]+"#;

fn check(with: &Options<'_>) -> Result<(), Failure> {
    let what = with.text("what");
    if (what == "pattern") != with.value("pattern").is_some() {
        return Err(with.wrong("pattern", "belongs to `what = \"pattern\"`: set both or none"));
    }
    if what != "code" && with.value("language").is_some() {
        return Err(with.wrong("language", "belongs to `what = \"code\"`"));
    }
    Ok(())
}

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let text = call.text()?;
    let most = if call.with.flag("first") { 1 } else { MOST_ITEMS + 1 };
    let what = call.with.text("what");
    let found: Vec<Value> = match what {
        "json" => json_within(text, call)?.into_iter().take(most).collect(),
        "code" => code(text, call.with.maybe("language")).into_iter().take(most).collect(),
        "emails" => {
            matches(&fixed(EMAIL)?, text).map(|found| json!(found.trim_end_matches(['.', '-']))).take(most).collect()
        }
        "urls" => matches(&fixed(URL)?, text).map(|found| json!(without_tail(found))).take(most).collect(),
        "numbers" => matches(&fixed(NUMBER)?, text).map(to_number).take(most).collect(),
        _ => match call.with.pattern("pattern")? {
            Some(pattern) => {
                let found = pattern.captures_iter(text).map(|found| call.stop().map(|()| groups(&pattern, &found)));
                found.take(most).collect::<Result<_, _>>()?
            }
            None => Vec::new(),
        },
    };
    if found.len() > MOST_ITEMS {
        return Err(Failure::too_many("the pieces"));
    }
    if !call.with.flag("first") {
        let output = Output::new(media::JSON, buffer::json(&found)?).with("found", found.len());
        return Ok(if found.is_empty() && call.hears("not-found") { output.say("not-found") } else { output });
    }
    match found.into_iter().next() {
        Some(Value::String(text)) => Ok(Output::new(media::TEXT, text)),
        Some(Value::Object(mut block)) if what == "code" => {
            let code = block.remove("code").and_then(|code| code.as_str().map(str::to_owned));
            Ok(Output::new(media::TEXT, code.unwrap_or_default()))
        }
        Some(value) => Ok(Output::new(media::JSON, buffer::json(&value)?)),
        None => Err(Failure::Missing(format!("there is no piece of the kind `{what}` in the input"))),
    }
}

fn fixed(pattern: &str) -> Result<Regex, Failure> {
    compile(pattern).map_err(Failure::Unreadable)
}

fn matches<'t>(pattern: &Regex, text: &'t str) -> impl Iterator<Item = &'t str> {
    pattern.find_iter(text).map(|found| found.as_str())
}

/// Named groups by name; else the first group; else the whole.
fn groups(pattern: &Regex, found: &Captures<'_>) -> Value {
    let group = |group: Option<regex::Match<'_>>| group.map_or(Value::Null, |group| Value::from(group.as_str()));
    let named: Map<String, Value> =
        pattern.capture_names().flatten().map(|name| (name.to_owned(), group(found.name(name)))).collect();
    match (named.is_empty(), found.len()) {
        (false, _) => Value::Object(named),
        (true, 1) => group(found.get(0)),
        (true, 2) => group(found.get(1)),
        (true, many) => (1..many).map(|at| group(found.get(at))).collect(),
    }
}

/// An address without the punctuation of the sentence that it ends, and without a bracket that opened before it.
fn without_tail(url: &str) -> &str {
    let mut url = url;
    loop {
        let shorter = url.trim_end_matches(['.', ',', ';', ':', '!', '?', '*', '_']);
        let unbalanced = |open: char, close: char| {
            shorter.ends_with(close) && shorter.matches(close).count() > shorter.matches(open).count()
        };
        let shorter = match unbalanced('(', ')') || unbalanced('[', ']') {
            true => shorter.get(..shorter.len() - 1).unwrap_or(shorter),
            false => shorter,
        };
        if shorter.len() == url.len() {
            return url;
        }
        url = shorter;
    }
}

/// A JSON number when it is written as one, else the text: `1.234,5` means different things to different readers.
fn to_number(text: &str) -> Value {
    match serde_json::from_str(text.trim_start_matches('+')) {
        Ok(number @ Value::Number(_)) => number,
        _ => Value::from(text),
    }
}

/// Fenced blocks: the language, the code, and the line in which it begins.
pub(super) fn code(text: &str, language: Option<&str>) -> Vec<Value> {
    let mut found = Vec::new();
    let mut open: Option<(&str, usize, String, usize, String)> = None;
    for (nth, line) in text.split_inclusive('\n').enumerate() {
        let bare = line.trim();
        match &mut open {
            None => {
                let mark = ["```", "~~~"].into_iter().find(|mark| bare.starts_with(mark));
                if let Some(mark) = mark {
                    let sign = mark.chars().next().unwrap_or('`');
                    let length = bare.chars().take_while(|c| *c == sign).count();
                    let of = bare.trim_start_matches(sign).split_whitespace().next().unwrap_or("").to_owned();
                    open = Some((mark, length, of, nth + 2, String::new()));
                }
            }
            Some((mark, length, of, line_number, code)) => {
                let sign = mark.chars().next().unwrap_or('`');
                if bare.starts_with(*mark) && bare.chars().all(|c| c == sign) && bare.len() >= *length {
                    if language.is_none_or(|language| language.eq_ignore_ascii_case(of)) {
                        found.push(json!({ "language": of, "line": line_number, "code": code }));
                    }
                    open = None;
                } else {
                    code.push_str(line);
                }
            }
        }
    }
    found
}

/// JSON objects and arrays, outermost, from left to right.
pub(super) fn json_within(text: &str, call: &Call<'_>) -> Result<Vec<Value>, Failure> {
    let mut found = Vec::new();
    let (mut at, mut round, mut tried) = (0, 0, 0_usize);
    while let Some(start) = text.get(at..).and_then(|rest| rest.find(['{', '['])).map(|start| at + start) {
        call.tick(round)?;
        round += 1;
        let mut values = serde_json::Deserializer::from_str(text.get(start..).unwrap_or("")).into_iter::<Value>();
        at = start + 1;
        match values.next() {
            Some(Ok(value)) => {
                at = start + values.byte_offset().max(1);
                found.push(value);
            }
            // What does not parse is tried again from its next bracket: bounded, because `[[[[…` would take for ever.
            Some(Err(error)) => {
                let lines = text.get(start..).unwrap_or("").split_inclusive('\n').take(error.line().saturating_sub(1));
                tried += lines.map(str::len).sum::<usize>() + error.column();
                if tried > MOST_READINGS * text.len() + (1 << 20) {
                    return Err(Failure::Limit {
                        what: "looking for JSON".into(),
                        limit: format!("{MOST_READINGS} readings of the input"),
                    });
                }
            }
            None => {}
        }
    }
    Ok(found)
}
