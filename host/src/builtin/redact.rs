//! `redact`: takes personal data and secrets out of a text.

use super::buffer::Buffer;
use super::input::Call;
use super::setting::{Kind, Options, Setting, nearest};
use super::{Builtin, Effect, Failure, Output};
use regex::Regex;
use serde_json::Value;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "redact",
    effect: Effect::Pure,
    words: &["clean", "dirty"],
    instead: None,
    settings: &[
        Setting::optional(
            "kinds",
            Kind::List,
            "only these of `secret`, `email`, `iban`, `card`, `ip` and `phone`; not set: all",
        ),
        Setting::optional("patterns", Kind::Table, "further kinds: names and regular expressions, looked for first"),
    ],
    check,
    run,
};

/// Is it really one?
type Judge = fn(&str) -> bool;

/// Kinds, what they look like, and what tells them from their look-alikes. Earlier ones win where two begin at one place.
const KINDS: [(&str, &str, Judge); 6] = [
    (
        "secret",
        r"\b(?:sk-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,}|AKIA[0-9A-Z]{16}|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{35}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,})|-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)-----END [A-Z ]*PRIVATE KEY-----",
        always,
    ),
    ("email", r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}", always),
    ("iban", r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", is_iban),
    ("card", r"\b\d(?:[ -]?\d){12,18}\b", is_card),
    ("ip", r"\b\d{1,3}(?:\.\d{1,3}){3}\b", is_ip),
    (
        "phone",
        r"(?:\+|\b00)\d(?:[ ./()-]{0,2}\d){6,14}\b|\(?\b0\d{1,5}\)?(?:[ ./-]{1,2}\d{2,}){1,5}\b|\(?\b\d{3}\)?[ .-]\d{3}[ .-]\d{4}\b",
        is_phone,
    ),
];

fn check(with: &Options<'_>) -> Result<(), Failure> {
    kinds(with).map(|_| ())
}

/// The name, the pattern, and what else has to hold of a match.
type Known = (String, Regex, Judge);

fn kinds(with: &Options<'_>) -> Result<Vec<Known>, Failure> {
    let mut kinds: Vec<Known> = Vec::new();
    for (name, pattern) in with.table("patterns").into_iter().flatten() {
        let Value::String(pattern) = pattern else {
            return Err(with.wrong("patterns", format!("has no text at `{name}`: it takes a regular expression")));
        };
        kinds.push((name.to_uppercase(), with.compile("patterns", pattern)?, always));
    }
    let names = || KINDS.iter().map(|(name, _, _)| *name);
    let wanted = with.list("kinds").unwrap_or_else(|| names().collect());
    if let Some(unknown) = wanted.iter().find(|name| !names().any(|known| known == **name)) {
        let near = nearest(unknown, names()).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(with.wrong("kinds", format!("has `{unknown}`, which is no kind{near}")));
    }
    for (name, pattern, judge) in KINDS.iter().filter(|(name, _, _)| wanted.contains(name)) {
        kinds.push((name.to_uppercase(), with.compile("kinds", pattern)?, *judge));
    }
    Ok(kinds)
}

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let text = call.text()?;
    let mut found: Vec<(usize, usize, usize)> = Vec::new();
    let kinds = kinds(&call.with)?;
    for (nth, (_, pattern, judge)) in kinds.iter().enumerate() {
        for found_here in pattern.find_iter(text) {
            call.stop()?;
            if judge(found_here.as_str()) && !found_here.is_empty() {
                found.push((found_here.start(), nth, found_here.end()));
            }
        }
    }
    found.sort_unstable();
    let mut out = Buffer::with_capacity(text.len());
    let (mut end, mut redacted) = (0, 0);
    for (start, nth, stop) in found {
        // What begins within something taken out and goes beyond it is taken out to its end as well.
        if start >= end {
            out.push(text.get(end..start).unwrap_or(""))?;
            out.push("[")?;
            out.push(kinds.get(nth).map_or("", |(name, _, _)| name))?;
            out.push("]")?;
            redacted += 1;
        }
        end = end.max(stop);
    }
    if redacted == 0 {
        return Ok(Output::same().say("clean").with("redacted", 0));
    }
    out.push(text.get(end..).unwrap_or(""))?;
    Ok(Output::new(call.input.media_type, out.into_bytes()).say("dirty").with("redacted", redacted))
}

fn always(_: &str) -> bool {
    true
}

fn digits(text: &str) -> impl DoubleEndedIterator<Item = u32> {
    text.chars().filter_map(|c| c.to_digit(10))
}

/// A length that cards have, and the check digit of Luhn.
fn is_card(text: &str) -> bool {
    if !matches!(digits(text).count(), 13..=16 | 19) {
        return false;
    }
    let double = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 =
        digits(text).rev().enumerate().map(|(at, digit)| if at % 2 == 1 { double(digit) } else { digit }).sum();
    sum.is_multiple_of(10) && digits(text).any(|digit| digit != 0)
}

/// The check number of ISO 13616: 1 modulo 97, with the first four moved to the end.
fn is_iban(text: &str) -> bool {
    let text: String = text.chars().filter(|c| *c != ' ').collect();
    let (Some(head), Some(tail)) = (text.get(..4), text.get(4..)) else { return false };
    let rest = tail
        .chars()
        .chain(head.chars())
        .filter_map(|c| c.to_digit(36))
        .fold(0_u32, |rest, digit| (rest * if digit > 9 { 100 } else { 10 } + digit) % 97);
    rest == 1
}

fn is_ip(text: &str) -> bool {
    text.split('.').all(|octet| octet.parse::<u8>().is_ok())
}

fn is_phone(text: &str) -> bool {
    (7..=15).contains(&digits(text).count())
}
