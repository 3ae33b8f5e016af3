//! Secrets of a request: which it names, what they are, and that nothing of them is shown.

use regex::Regex;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// `secret("NAME")`, the only way in which one is named: what a value says cannot choose one.
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"\bsecret\s*\(\s*(?:"([A-Za-z_][A-Za-z0-9_]*)"|'([A-Za-z_][A-Za-z0-9_]*)')\s*\)"#).ok()
});
static CALLED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\{[{%][^}]*\bsecret\b").ok());
/// What keys of well-known services look like.
static KEYS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let shapes = [
        r"\bsk-[A-Za-z0-9_-]{16,}",
        r"\bgh[pousr]_[A-Za-z0-9]{20,}",
        r"\bgithub_pat_[A-Za-z0-9_]{20,}",
        r"\bglpat-[A-Za-z0-9_-]{16,}",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
        r"\bAKIA[A-Z0-9]{16}\b",
        r"\bAIza[A-Za-z0-9_-]{30,}",
        r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.",
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    ];
    Regex::new(&shapes.join("|")).ok()
});

/// What is shown instead of a secret.
const MASK: &str = "***";
/// A secret that is shorter is too likely part of something else.
const LEAST: usize = 4;

/// The secrets of one request, by name.
#[derive(Clone, Default)]
pub(super) struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Those that these texts name, from the environment; the name of the first that is not there.
    pub fn of<'t>(texts: impl Iterator<Item = &'t str>) -> Result<Secrets, String> {
        let mut secrets = BTreeMap::new();
        for name in texts.flat_map(named) {
            match std::env::var(&name) {
                Ok(value) if !value.is_empty() => secrets.insert(name, value),
                _ => return Err(name),
            };
        }
        Ok(Secrets(secrets))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A text without them.
    pub fn mask(&self, text: &str) -> String {
        self.values().fold(text.to_owned(), |text, value| text.replace(value, MASK))
    }

    /// An answer without them: some servers repeat what they were sent.
    pub fn mask_bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.values().fold(bytes, |bytes, value| match regex::bytes::Regex::new(&regex::escape(value)) {
            Ok(pattern) if pattern.is_match(&bytes) => pattern.replace_all(&bytes, MASK.as_bytes()).into_owned(),
            _ => bytes,
        })
    }

    fn values(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(|value| value.trim()).filter(|value| value.len() >= LEAST)
    }
}

/// The names of the secrets that a template names.
pub(super) fn named(text: &str) -> Vec<String> {
    let Some(pattern) = NAMED.as_ref() else { return Vec::new() };
    let name = |found: regex::Captures<'_>| found.get(1).or(found.get(2)).map(|name| name.as_str().to_owned());
    pattern.captures_iter(text).filter_map(name).collect()
}

/// Does a template ask for a secret, in whatever way?
pub(super) fn is_asked(text: &str) -> bool {
    CALLED.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

/// Does a text hold what looks like a key?
pub(super) fn has_key(text: &str) -> bool {
    KEYS.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_written_out_is_named() {
        assert_eq!(named(r#"Bearer {{ secret("A_1") }} {{ secret( 'B' ) }}"#), ["A_1", "B"]);
        for none in
            ["{{ secret(input) }}", r#"{{ secret("A" ~ input) }}"#, "{% set s = secret %}{{ s(input) }}", "secret"]
        {
            assert!(named(none).is_empty(), "{none}");
        }
        assert!(is_asked("{% set s = secret %}") && !is_asked("secret") && !is_asked("{{ input }}"));
    }

    #[test]
    fn keys_are_known_by_their_shape() {
        for key in
            ["sk-abcdefghijklmnopqrst", "x ghp_abcdefghijklmnopqrstuv", "AKIAABCDEFGHIJKLMNOP", "xoxb-1234567890-x"]
        {
            assert!(has_key(key), "{key}");
        }
        for none in ["task-list-of-everything-there-is", "sk-", "AKIA", "https://a.example/ghp"] {
            assert!(!has_key(none), "{none}");
        }
    }
}
