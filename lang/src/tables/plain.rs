//! What readers say of a value, in the words of whoever wrote it: no type of Rust is named to them.

use crate::lower::nearest;

/// How readers call what they want, and what that is.
const WANTED: [(&str, &str); 13] = [
    ("a nonzero u16", "a whole number from 1 to 65535"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("u64", "a whole number, 0 or more"),
    ("i32", "a whole number"),
    ("i64", "a whole number"),
    ("f64", "a number"),
    ("a boolean", "`true` or `false`"),
    ("a string", "a text"),
    ("a borrowed string", "a text"),
    ("a sequence", "a list"),
    ("a map", "a table"),
    ("string or table", "a word"),
];

/// How they call what is there.
const THERE: [(&str, &str); 4] =
    [("string ", "the text "), ("integer ", ""), ("floating point ", ""), ("boolean ", "")];

/// The name of the field that a table lacks, if that is what is wrong with it.
pub(super) fn missing(message: &str) -> Option<&str> {
    message.trim().strip_prefix("missing field `")?.strip_suffix('`')
}

/// A reader's message as a sentence that follows the name of a key. What it is none of theirs is left as it is.
pub(super) fn plainly(message: &str) -> String {
    let message = message.trim();
    if let Some(key) = missing(message) {
        return format!("it has no `{key}`");
    }
    if let Some((word, known)) =
        message.strip_prefix("unknown variant `").and_then(|rest| rest.split_once("`, expected "))
    {
        let names: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        let near =
            nearest(word, names.iter().copied()).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        return format!("`{word}` is none of `{}`{near}", names.join("`, `"));
    }
    if let Some(key) = message.strip_prefix("duplicate field `").and_then(|rest| rest.strip_suffix('`')) {
        return format!("`{key}` is there twice, once by another name that it has");
    }
    let said = ["invalid type: ", "invalid value: "].iter().find_map(|kind| message.strip_prefix(kind));
    // A number that fits into nothing is named with the type that it was tried as.
    let said = said.map(|said| said.replace("` as i128", "`"));
    let Some((there, wanted)) = said.as_deref().and_then(|said| said.rsplit_once(", expected ")) else {
        return message.to_owned();
    };
    let wanted = if wanted.starts_with("struct ") { "a map" } else { wanted };
    let wanted = WANTED.iter().find(|(name, _)| *name == wanted).map_or(wanted, |(_, words)| words);
    let there = match there {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        _ => THERE
            .iter()
            .find_map(|(kind, words)| Some(format!("{words}{}", there.strip_prefix(kind)?)))
            .unwrap_or_else(|| there.to_owned()),
    };
    format!("it takes {wanted}, not {there}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_type_of_rust_is_named() {
        for (message, plain) in [
            (
                "invalid type: string \"x, expected y\", expected u16",
                "it takes a whole number from 0 to 65535, not the text \"x, expected y\"",
            ),
            ("invalid value: integer `0`, expected a nonzero u16", "it takes a whole number from 1 to 65535, not `0`"),
            ("invalid type: sequence, expected a string", "it takes a text, not a list"),
            ("invalid type: boolean `true`, expected a map", "it takes a table, not `true`"),
            (
                "unknown variant `txt`, expected one of `text`, `integer`",
                "`txt` is none of `text`, `integer`; did you mean `text`?",
            ),
            ("unknown variant `a`, expected `b`", "`a` is none of `b`"),
            ("missing field `name`", "it has no `name`"),
            ("duplicate field `condition`", "`condition` is there twice, once by another name that it has"),
            ("invalid type: string \"1s\", expected struct Backoff", "it takes a table, not the text \"1s\""),
            ("`5` is not a duration", "`5` is not a duration"),
        ] {
            assert_eq!(plainly(message), plain, "{message}");
        }
    }
}
