//! Places of a text as the protocol says them: a line and a column, in the units that client and server agreed on.

use aivm_lang::span::Span;
use serde::{Deserialize, Serialize};

/// What a column counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Units {
    /// UTF-16, as the protocol has it where nothing was agreed on.
    #[default]
    Utf16,
    /// Bytes.
    Utf8,
}

/// A place between two characters, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    pub line: u32,
    pub character: u32,
}

/// From one place up to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    pub start: Position,
    pub end: Position,
}

/// Where the lines of a text begin, and what its bytes are more than its units: a place is found without reading what stands before it,
/// which may be a line as long as the text.
#[derive(Clone, Debug)]
pub struct Lines {
    starts: Vec<u32>,
    /// For each character of several bytes, where it begins, and by how many the bytes up to its end are more than the units.
    wide: Vec<(u32, u32)>,
    units: Units,
}

impl Lines {
    pub fn of(text: &str, units: Units) -> Lines {
        let mut lines = Lines { starts: vec![0], wide: Vec::new(), units };
        let mut more = 0;
        for (at, byte) in text.bytes().enumerate() {
            more += match byte {
                b'\n' => {
                    lines.starts.push(at as u32 + 1);
                    continue;
                }
                // How a character of two, three or four bytes begins; the last kind takes two units.
                0xC0..=0xDF if units == Units::Utf16 => 1,
                0xE0..=0xFF if units == Units::Utf16 => 2,
                _ => continue,
            };
            lines.wide.push((at as u32, more));
        }
        lines
    }

    /// By how many the bytes before a character are more than the units.
    fn more(&self, byte: u32) -> u32 {
        let before = self.wide.partition_point(|(at, _)| *at < byte);
        before.checked_sub(1).and_then(|last| self.wide.get(last)).map_or(0, |(_, more)| *more)
    }

    /// The place of a byte; of one within a character, where that begins.
    pub fn position(&self, text: &str, byte: u32) -> Position {
        let byte = text.floor_char_boundary(byte as usize) as u32;
        let line = self.starts.partition_point(|start| *start <= byte).saturating_sub(1);
        let start = self.starts.get(line).copied().unwrap_or(0);
        let character = byte - start - (self.more(byte) - self.more(start));
        Position { line: line as u32, character }
    }

    /// The byte of a place; behind the end of its line, or of the text, that end.
    pub fn byte(&self, text: &str, at: Position) -> u32 {
        let Some(start) = self.starts.get(at.line as usize).copied() else { return text.len() as u32 };
        let end = self.starts.get(at.line as usize + 1).map_or(text.len(), |next| *next as usize - 1);
        let line = text.get(start as usize..end).unwrap_or("");
        let line = line.strip_suffix('\r').unwrap_or(line);
        let mut left = at.character as usize;
        let mut byte = 0;
        for c in line.chars() {
            let width = match self.units {
                Units::Utf8 => c.len_utf8(),
                Units::Utf16 => c.len_utf16(),
            };
            if left < width {
                break;
            }
            left -= width;
            byte += c.len_utf8();
        }
        start + byte as u32
    }

    pub fn range(&self, text: &str, span: Span) -> Range {
        Range { start: self.position(text, span.start), end: self.position(text, span.end) }
    }

    pub fn span(&self, text: &str, range: Range) -> Span {
        let (start, end) = (self.byte(text, range.start), self.byte(text, range.end));
        Span::new(start.min(end), end.max(start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_has_one_place() {
        let text = "a; ä \u{1f600}b\r\nc\n\nd";
        for units in [Units::Utf16, Units::Utf8] {
            let lines = Lines::of(text, units);
            for (at, c) in text.char_indices().filter(|(_, c)| !c.is_control()) {
                let position = lines.position(text, at as u32);
                assert_eq!(lines.byte(text, position), at as u32, "{c} in {units:?} at {position:?}");
            }
            assert_eq!(lines.position(text, text.len() as u32), Position { line: 3, character: 1 });
        }
        let utf16 = Lines::of(text, Units::Utf16);
        assert_eq!(utf16.position(text, text.find('b').unwrap() as u32), Position { line: 0, character: 7 });
        assert_eq!(utf16.byte(text, Position { line: 0, character: 99 }), text.find('\r').unwrap() as u32);
        assert_eq!(utf16.byte(text, Position { line: 99, character: 0 }), text.len() as u32);
        // Between the two halves of a character there is no place.
        assert_eq!(utf16.byte(text, Position { line: 0, character: 6 }), text.find('\u{1f600}').unwrap() as u32);
    }

    #[test]
    fn a_place_is_the_same_as_when_it_is_counted() {
        let text = "ä€😀 a\n\n€€b😀😀\r\n".repeat(3);
        for (units, width) in [(Units::Utf16, char::len_utf16 as fn(char) -> usize), (Units::Utf8, char::len_utf8)] {
            let lines = Lines::of(&text, units);
            let mut counted = Position { line: 0, character: 0 };
            for (at, c) in text.char_indices() {
                assert_eq!(lines.position(&text, at as u32), counted, "{at} in {units:?}");
                counted = match c {
                    '\n' => Position { line: counted.line + 1, character: 0 },
                    _ => Position { character: counted.character + width(c) as u32, ..counted },
                };
            }
        }
    }
}
