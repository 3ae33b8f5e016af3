//! What a word of the language is, for everything that meets one outside a program.

use crate::limits;

/// The words that the language keeps for itself.
pub const RESERVED: [&str; 15] = [
    "in", "out", "switch", "select", "join", "match", "next", "back", "continue", "send", "cancel", "timeout", "retry",
    "jump", "default",
];

/// The words that hold in a match by endings only, never by a verdict.
pub const BY_ENDING: [&str; 7] = ["success", "failure", "exhausted", "done", "timeout", "cancel", "default"];

/// The word of an outcome that nobody can choose by a word: what the list of a call would say, and no worker can.
pub const UNSPOKEN: &str = ".";

/// A letter or `_`, then letters, digits, `_`, `-`, not ending in `-`; all ASCII, at most [`limits::WORD`] of them.
pub fn is_word(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= limits::WORD
        && bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        && !text.ends_with('-')
}

/// Is it one of [`RESERVED`]?
pub fn is_reserved(text: &str) -> bool {
    RESERVED.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for word in ["a", "_", "match-regex", "step2", "A_b-c"] {
            assert!(is_word(word), "{word}");
        }
        for word in ["", "-a", "a-", "2a", "ä", "a b", "a.b"] {
            assert!(!is_word(word), "{word}");
        }
        assert!(is_word(&"a".repeat(limits::WORD)) && !is_word(&"a".repeat(limits::WORD + 1)));
    }
}
