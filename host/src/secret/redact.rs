//! Takes secrets out of what others say: all forms of all secrets in one pass; of what comes in pieces too.

use super::forms;
use aho_corasick::{AhoCorasick, MatchKind};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is shown instead of a secret.
pub const MASK: &str = "***";

/// Finds secrets.
#[derive(Debug)]
pub struct Redactor {
    finder: AhoCorasick,
    forms: Vec<String>,
    /// The length of the longest form, in bytes.
    longest: usize,
}

impl Redactor {
    /// Of these secrets; none: there is nothing to find.
    pub fn new<'v>(values: impl Iterator<Item = &'v str>) -> Option<Redactor> {
        let forms: BTreeSet<String> = values.flat_map(forms::of).collect();
        let longest = forms.iter().map(String::len).max()?;
        let forms: Vec<String> = forms.into_iter().collect();
        // The longest: a secret that another begins with does not leave the rest of that.
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&forms).ok()?;
        Some(Redactor { finder, forms, longest })
    }

    /// Is there one in it?
    pub fn finds(&self, bytes: &[u8]) -> bool {
        self.finder.is_match(bytes)
    }

    /// A text without them.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut out = String::new();
        let mut from = 0;
        for found in self.finder.find_iter(text) {
            out.push_str(text.get(from..found.start()).unwrap_or(""));
            out.push_str(MASK);
            from = found.end();
        }
        match from {
            0 => Cow::Borrowed(text),
            _ => Cow::Owned(out + text.get(from..).unwrap_or("")),
        }
    }

    /// Bytes without them.
    pub fn bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        let mut out = Vec::new();
        let mut from = 0;
        for found in self.finder.find_iter(&bytes) {
            out.extend_from_slice(bytes.get(from..found.start()).unwrap_or(&[]));
            out.extend_from_slice(MASK.as_bytes());
            from = found.end();
        }
        if from == 0 {
            return bytes;
        }
        out.extend_from_slice(bytes.get(from..).unwrap_or(&[]));
        out
    }

    /// From where on a text may be the beginning of one: what follows decides.
    fn undecided(&self, text: &str) -> usize {
        let far = text.len().saturating_sub(self.longest - 1);
        let begins = |rest: &str| {
            // Sorted: a form that begins so stands where it would.
            let at = self.forms.partition_point(|form| form.as_str() < rest);
            let at_rest = self.forms.iter().skip(at).take_while(|form| form.starts_with(rest));
            at_rest.into_iter().any(|form| form.len() > rest.len())
        };
        let places = (far..text.len()).filter_map(|at| Some((at, text.get(at..)?)));
        places.into_iter().find(|(_, rest)| begins(rest)).map_or(text.len(), |(at, _)| at)
    }
}

/// A text that comes in pieces: what may be the beginning of a secret is held back until it is known.
#[derive(Debug)]
pub struct Stream {
    redactor: Arc<Redactor>,
    held: String,
}

impl Stream {
    /// Nothing has come yet.
    pub fn new(redactor: Arc<Redactor>) -> Stream {
        Stream { redactor, held: String::new() }
    }

    /// The next piece; what can be shown by now.
    pub fn push(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        let mut safe = self.redactor.undecided(&self.held);
        let mut out = String::new();
        let mut from = 0;
        for found in self.redactor.finder.find_iter(&self.held) {
            if found.start() >= safe {
                break;
            }
            out.push_str(self.held.get(from..found.start()).unwrap_or(""));
            out.push_str(MASK);
            from = found.end();
            if from > safe {
                let rest = self.held.get(from..).unwrap_or("");
                safe = from + self.redactor.undecided(rest);
            }
        }
        out.push_str(self.held.get(from..safe).unwrap_or(""));
        self.held.drain(..safe.max(from));
        out
    }

    /// There is no more: what was held back.
    pub fn end(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        self.redactor.text(&held).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(values: &[&str]) -> Arc<Redactor> {
        Arc::new(Redactor::new(values.iter().copied()).expect("secrets"))
    }

    #[test]
    fn the_longer_of_two_goes_whole() {
        let both = redactor(&["abcdef", "abcdefghij"]);
        assert_eq!(both.text("x abcdef abcdefghij y"), "x *** *** y");
        assert_eq!(both.bytes(b"\xffabcdefghij\xff".to_vec()), b"\xff***\xff");
        assert!(matches!(both.text("nothing"), Cow::Borrowed(_)));
        assert!(Redactor::new(["ab"].into_iter()).is_none());
    }

    /// Whatever the pieces are, what is shown is the same, and no secret is in it.
    #[test]
    fn a_secret_that_comes_in_pieces_is_found() {
        let both = redactor(&["s3cret-value", "s3cret-value-too", "ünter-üns"]);
        let texts = [
            "s3cret-value",
            "a s3cret-value-too, s3cret-valu, s3cret-value-to",
            "s3s3cret-values3cret-value-toos3",
            "ü ünter-üns ünter-ün",
            "czNjcmV0LXZhbHVl and 7333637265742d76616c7565 s",
        ];
        for text in texts {
            let expected = both.text(text).into_owned();
            assert!(expected.contains(MASK), "{expected}");
            let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            for (n, first) in ends.iter().enumerate() {
                for second in ends.iter().skip(n) {
                    let mut stream = Stream::new(both.clone());
                    let mut shown = String::new();
                    for piece in [&text[..*first], &text[*first..*second], &text[*second..]] {
                        shown += &stream.push(piece);
                    }
                    shown += &stream.end();
                    assert_eq!(shown, expected);
                }
            }
            let mut stream = Stream::new(both.clone());
            let mut shown: String = text.chars().map(|c| stream.push(c.encode_utf8(&mut [0; 4]))).collect();
            shown += &stream.end();
            assert_eq!(shown, expected, "letter by letter");
        }
    }

    #[test]
    fn what_begins_no_secret_is_shown_at_once() {
        let mut stream = Stream::new(redactor(&["s3cret-value"]));
        assert_eq!(stream.push("hello s3c"), "hello ");
        assert_eq!(stream.push("urity "), "s3curity ");
    }
}
