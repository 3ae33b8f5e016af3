//! How a text names a secret, and what gives a credential away that is written down.

use regex::Regex;
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
        r"\bhooks\.slack\.com/services/[A-Za-z0-9_/-]{8,}",
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    ];
    Regex::new(&shapes.join("|")).ok()
});
/// Each of those has one of these in it, which is quicker to see than the patterns are made.
const SIGNS: [&str; 14] = [
    "sk-",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xox",
    "AKIA",
    "AIza",
    "eyJ",
    "hooks.slack.com",
    "PRIVATE KEY",
];
/// A password before the host of an address; not where a template, a variable or a word in brackets stands for it.
static LOGIN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#@:]*:([^\s/?#@${}<>*]+)@").ok());

/// The names of the secrets that a template names.
pub fn named(text: &str) -> Vec<String> {
    let Some(pattern) = NAMED.as_ref() else { return Vec::new() };
    let name = |found: regex::Captures<'_>| found.get(1).or(found.get(2)).map(|name| name.as_str().to_owned());
    pattern.captures_iter(text).filter_map(name).collect()
}

/// Does the name of a variable say that its value is a secret?
pub fn names_secret(name: &str) -> bool {
    let words = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY"];
    let name = name.to_ascii_uppercase();
    words.iter().any(|word| name.contains(word))
}

/// Does a template ask for a secret, in whatever way?
pub fn is_asked(text: &str) -> bool {
    CALLED.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

/// Does a text hold what looks like a key?
pub fn has_key(text: &str) -> bool {
    keys(text).is_some_and(|pattern| pattern.is_match(text))
}

/// Where there may be keys, what finds them.
fn keys(text: &str) -> Option<&'static Regex> {
    SIGNS.iter().any(|sign| text.contains(sign)).then(|| KEYS.as_ref()).flatten()
}

/// Where there may be passwords in addresses, what finds them.
fn logins(text: &str) -> Option<&'static Regex> {
    text.contains("://").then(|| LOGIN.as_ref()).flatten()
}

/// A credential that is written down: where it begins, and what it is. The credential itself is not repeated.
pub fn credential(text: &str) -> Option<(usize, &'static str)> {
    let key = keys(text).and_then(|pattern| pattern.find(text)).map(|found| (found.start(), "a key"));
    let login = logins(text).and_then(|pattern| pattern.find(text));
    let login = login.map(|found| (found.start(), "an address with a password"));
    key.into_iter().chain(login).min()
}

/// A text without the credentials that are written down in it, and how many those are.
pub fn masked(text: &str) -> (String, usize) {
    let mut count = 0;
    let mut mask = |found: &regex::Captures<'_>| {
        count += 1;
        let whole = found.get(0).map_or("", |whole| whole.as_str());
        match found.get(1) {
            Some(password) => whole.replace(&format!(":{}@", password.as_str()), ":***@"),
            None => super::MASK.to_owned(),
        }
    };
    let mut masked = text.to_owned();
    for pattern in [keys(text), logins(text)].into_iter().flatten() {
        masked = pattern.replace_all(&masked, &mut mask).into_owned();
    }
    (masked, count)
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
        let keys = [
            "sk-abcdefghijklmnopqrst",
            "x ghp_abcdefghijklmnopqrstuv",
            "github_pat_abcdefghijklmnopqrstuv",
            "glpat-abcdefghijklmnopqrst",
            "xoxb-1234567890-x",
            "AKIAABCDEFGHIJKLMNOP",
            "AIzaabcdefghijklmnopqrstuvwxyz01234",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0123.",
            "hooks.slack.com/services/T0/B0/abcdefgh",
            "-----BEGIN RSA PRIVATE KEY-----",
        ];
        for key in keys {
            assert!(has_key(key), "{key}");
            assert_eq!(masked(&format!("a {key}.")).1, 1, "{key}");
        }
        for sort in "pousr".chars() {
            assert!(has_key(&format!("gh{sort}_abcdefghijklmnopqrstuv")), "{sort}");
        }
        for none in ["task-list-of-everything-there-is", "sk-", "AKIA", "https://a.example/ghp"] {
            assert!(!has_key(none), "{none}");
        }
    }

    #[test]
    fn a_password_before_a_host_is_a_credential() {
        assert_eq!(credential("see\npostgres://me:pa55@db/x"), Some((4, "an address with a password")));
        assert_eq!(masked("u postgres://me:pa55@db/x"), ("u postgres://me:***@db/x".to_owned(), 1));
        for none in [
            "postgres://me@db/x",
            "postgres://me:{{ secret(\"A\") }}@db",
            "postgres://me:$PASSWORD@db",
            "postgres://me:<password>@db",
            "http://localhost:8080/a@b",
            "http://a.example:80",
        ] {
            assert_eq!(credential(none), None, "{none}");
        }
    }
}
