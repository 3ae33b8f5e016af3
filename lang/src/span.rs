//! Byte positions in a source text. Spans stand beside the data, never in it, so that trees compare by what they say.

/// A half-open range of byte offsets into one source text of at most 4 MiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The span from `start` up to, not including, `end`.
    pub const fn new(start: u32, end: u32) -> Span {
        Span { start, end }
    }

    /// The whole characters of a text that a range of its bytes touches, at least one where there is one: parsers of others count bytes.
    pub fn of_chars(text: &str, range: std::ops::Range<usize>) -> Span {
        let start = text.floor_char_boundary(range.start);
        let end = text.ceil_char_boundary(range.end.max(start + 1).min(text.len()));
        Span::new(start as u32, end.max(start) as u32)
    }

    /// The smallest span that covers both.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The same as a range of `usize`, for slicing; empty when out of order.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end.max(self.start) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_of_bytes_becomes_one_of_characters() {
        let text = "a→b";
        for (from, to, span) in [
            (0, 1, (0, 1)),
            (1, 2, (1, 4)),
            (2, 3, (1, 4)),
            (3, 3, (1, 4)),
            (4, 5, (4, 5)),
            (5, 5, (5, 5)),
            (9, 12, (5, 5)),
        ] {
            assert_eq!(Span::of_chars(text, from..to), Span::new(span.0, span.1), "{from}..{to}");
        }
    }
}
