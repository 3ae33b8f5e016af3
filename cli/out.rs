//! What the program prints. The macros here stand before those of the same names in the standard library, which panic when
//! a pipe is closed (`aivm … | head`) or a disk is full. A terminal is shown text and colours: what a worker, a file or its
//! name says must not move the cursor, rename the window or hide what was said before.

use aivm_host::secret;
use std::fmt::Arguments;
use std::io::{ErrorKind, IsTerminal, Result, Write};
use std::sync::Mutex;

/// Why standard output did not take what was printed.
static LOST: Mutex<Option<std::io::Error>> = Mutex::new(None);

macro_rules! print {
    ($($arg:tt)*) => { $crate::out::text(format_args!($($arg)*)) };
}

macro_rules! println {
    ($($arg:tt)*) => { $crate::out::text(format_args!("{}\n", format_args!($($arg)*))) };
}

macro_rules! eprint {
    ($($arg:tt)*) => { $crate::out::error(format_args!($($arg)*)) };
}

macro_rules! eprintln {
    ($($arg:tt)*) => { $crate::out::error(format_args!("{}\n", format_args!($($arg)*))) };
}

/// Text on standard output.
pub fn text(text: Arguments<'_>) {
    let stdout = std::io::stdout();
    let text = text.to_string();
    let text = secret::text(&text).into_owned();
    bytes(if stdout.is_terminal() { shown(&text) } else { text }.as_bytes());
}

/// Bytes on standard output, as they are.
pub fn bytes(bytes: &[u8]) {
    let mut stdout = std::io::stdout().lock();
    note(stdout.write_all(bytes));
}

/// Text on standard error, behind what was printed before it where both go to one place. Nobody can be told when that fails.
pub fn error(text: Arguments<'_>) {
    note(std::io::stdout().lock().flush());
    let stderr = std::io::stderr();
    let text = text.to_string();
    let text = secret::text(&text).into_owned();
    let _ = stderr.lock().write_all(if stderr.is_terminal() { shown(&text) } else { text }.as_bytes());
}

/// Keeps the first reason why standard output failed. A reader that has seen enough closes the pipe: that is none.
pub fn note(result: Result<()>) {
    if let Err(error) = result
        && error.kind() != ErrorKind::BrokenPipe
        && let Ok(mut lost) = LOST.lock()
    {
        lost.get_or_insert(error);
    }
}

/// Did everything reach standard output?
pub fn finish() -> Result<()> {
    note(std::io::stdout().lock().flush());
    LOST.lock().ok().and_then(|mut lost| lost.take()).map_or(Ok(()), Err)
}

/// Text as a terminal may have it: control characters as pictures (`␛`), but for line ends, tabs and colours.
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_control() && !matches!(c, '\n' | '\t')) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        if let Some(length) = harmless(after) {
            let (sequence, behind) = after.split_at(length);
            out.push_str(sequence);
            rest = behind;
            continue;
        }
        let mut characters = after.chars();
        out.extend(characters.next().map(picture));
        rest = characters.as_str();
    }
    out.push_str(rest);
    out
}

/// Text of a worker, which has no business with colours: all its control characters as pictures, but for line ends and tabs.
pub fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() && !matches!(c, '\n' | '\t') { picture(c) } else { c };
    text.replace("\r\n", "\n").chars().map(shown).collect()
}

/// The length of the line end or the colour at the beginning of a text.
fn harmless(text: &str) -> Option<usize> {
    if text.starts_with("\r\n") {
        return Some(2);
    }
    let inner = text.strip_prefix("\x1b[")?;
    let end = inner.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    inner.get(end..)?.starts_with('m').then_some("\x1b[".len() + end + 1)
}

fn picture(control: char) -> char {
    match u32::from(control) {
        code @ 0..0x20 => char::from_u32(0x2400 + code).unwrap_or('\u{fffd}'),
        0x7f => '\u{2421}',
        _ => '\u{fffd}',
    }
}

/// Begins a line that belongs to the one above.
pub const MORE: &str = "\n    ";

/// Breaks text between words, so that its lines fit behind [`MORE`]; what is one long word stays one.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut parts = Vec::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let mut part = words.next().unwrap_or_default().to_owned();
        for word in words {
            if MORE.len() + part.chars().count() + word.chars().count() > width {
                parts.push(std::mem::take(&mut part));
            } else {
                part.push(' ');
            }
            part.push_str(word);
        }
        parts.push(part);
    }
    parts
}

/// Columns and rows of the terminal behind standard error; without one a line has no end.
pub fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        Ok(_) => (80, 24),
        Err(_) => (usize::MAX, usize::MAX),
    }
}

/// A sentence on standard error.
pub fn say(text: &str) {
    eprintln!("{}", wrap(text, size().0).join(MORE));
}

/// Text in a colour of the terminal, where there are colours.
pub fn paint(colours: bool, code: &str, text: &str) -> String {
    if colours && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// The first characters of a checksum or a digest: enough to name what it is of.
pub fn short(digest: impl std::fmt::Display) -> String {
    digest.to_string().chars().take(12).collect()
}

/// For people: `12 B`, `48 kB`, `12 MB`.
pub fn size_text(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

/// A worker's text in one line.
pub fn one_line(text: &str) -> String {
    plain(text.trim_end()).replace('\n', "␊").replace('\t', " ")
}

/// Columns of the terminal behind standard output; without one a line has no end.
#[cfg(feature = "store")]
pub fn width() -> usize {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ if std::io::stdout().is_terminal() => 80,
        _ => usize::MAX,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_terminal_is_shown_text_and_colours_only() {
        for (text, shown) in [
            ("plain\ttext\r\nü\n", "plain\ttext\r\nü\n"),
            ("\x1b[31mred\x1b[0m \x1b[1;38;5;246mgrey\x1b[m", "\x1b[31mred\x1b[0m \x1b[1;38;5;246mgrey\x1b[m"),
            ("\x1b[2J\x1b]0;title\x07", "␛[2J␛]0;title␇"),
            ("sent\rfailed\x08\x7f\u{9b}2J", "sent␍failed␈␡\u{fffd}2J"),
            ("\x1b[31", "␛[31"),
            ("\x1b", "␛"),
        ] {
            assert_eq!(super::shown(text), shown);
        }
        assert_eq!(super::plain("\x1b[31mred\r\n\tb\r\x7f\u{9b}c"), "␛[31mred\n\tb␍␡\u{fffd}c");
    }

    #[test]
    fn words_stay_whole() {
        assert_eq!(super::wrap("one two three\nfour", 11), ["one two", "three", "four"]);
        assert_eq!(super::wrap("  indented  twice", usize::MAX), ["  indented  twice"]);
        assert!(super::wrap("", 10).is_empty());
    }
}
