//! How diagnostics look: a report with the source for a person, one line for an editor or a log, JSON for a program.
//! What is said is `diagnostic`'s, how many are shown the caller's.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

use crate::diagnostic::{Diagnostic, Severity};
use crate::span::Span;
use ariadne::{Color, Config, IndexType, Label, Report, ReportKind, Source};
use serde_json::{Value, json};
use std::fmt::Write;
use std::ops::Range;

/// Longer lines, in characters, are not shown: a report has to fit on a screen.
const LONGEST_LINE: usize = 240;
/// A label further away than this many lines is named by its line instead of drawn.
const FARTHEST_LABEL: usize = 400;

/// The report for a person: the message, the lines it is about, the reason, what to do. Ends with a line end.
///
/// Spans are bytes of `source`; one that reaches past its end or into a character is moved to the nearest place that
/// exists. Control characters of the source are shown as pictures, so that no source can steer the terminal.
pub fn report(file: &str, source: &str, diagnostic: &Diagnostic, colour: bool) -> String {
    let diagnostic = &visible(diagnostic);
    let (kind, tint) = match diagnostic.severity() {
        Severity::Error => (ReportKind::Error, Color::Red),
        Severity::Warning => (ReportKind::Warning, Color::Yellow),
        Severity::Hint => (ReportKind::Custom("Hint", Color::Cyan), Color::Cyan),
    };
    let Some(window) = Window::around(source, diagnostic) else { return without_source(file, source, diagnostic) };
    let place = |span: Span| (file, window.place(source, span));
    let here = primary_text(diagnostic);
    let mut labels = vec![(diagnostic.primary.span, here.as_str(), tint)];
    let (drawn, far) = diagnostic.labels.iter().partition::<Vec<_>, _>(|label| window.holds(label.span));
    labels.extend(drawn.iter().map(|label| (label.span, label.text.as_str(), Color::Cyan)));
    labels.sort_by_key(|(span, _, _)| *span);
    let mut report = Report::build(kind, place(diagnostic.primary.span))
        .with_config(Config::default().with_color(colour).with_index_type(IndexType::Char))
        .with_code(diagnostic.code)
        .with_message(&diagnostic.message);
    for (span, text, tint) in labels {
        report.add_label(Label::new(place(span)).with_color(tint).with_message(text));
    }
    for label in far {
        report.add_note(format!("line {}: {}", position(source, label.span.start).0, label.text));
    }
    report.with_notes(diagnostic.reason.iter());
    report.with_helps(diagnostic.help.iter());
    if let Some(fix) = fix_text(diagnostic).filter(|fix| *fix != here) {
        report.add_help(fix);
    }
    let mut bytes = Vec::new();
    match report.finish().write((file, Source::from(window.shown.as_str())), &mut bytes) {
        Ok(()) if colour => without_trailing_spaces(&bytes),
        // A kind of one's own is painted whatever the settings say. The source has no escapes any more.
        Ok(()) => without_trailing_spaces(&bytes).replace("\x1b[36m", "").replace("\x1b[0m", ""),
        Err(_) => without_source(file, source, diagnostic),
    }
}

/// `file:line:column: error[E0111]: message`, without a line end.
pub fn line(file: &str, source: &str, diagnostic: &Diagnostic) -> String {
    let (line, column) = position(source, diagnostic.primary.span.start);
    let severity = match diagnostic.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Hint => "hint",
    };
    let message = pictures(&diagnostic.message).replace(['\n', '\t'], " ");
    format!("{file}:{line}:{column}: {severity}[{}]: {message}", diagnostic.code)
}

/// The diagnostic as JSON: its own fields, with `severity`, `file`, and `line` and `column` of its primary place.
pub fn to_json(file: &str, source: &str, diagnostic: &Diagnostic) -> Value {
    let (line, column) = position(source, diagnostic.primary.span.start);
    let mut value = json!({"severity": diagnostic.severity(), "file": file, "line": line, "column": column});
    if let (Value::Object(object), Ok(Value::Object(own))) = (&mut value, serde_json::to_value(diagnostic)) {
        object.extend(own);
    }
    value
}

/// Line and column of a byte, from 1; the column counts characters.
pub fn position(source: &str, byte: u32) -> (usize, usize) {
    let before = source.get(..floor(source, byte as usize)).unwrap_or("");
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (count_lines(before) + 1, count_shown(before.get(start..).unwrap_or("")) + 1)
}

/// The same in words that cannot steer the terminal: they quote the source.
fn visible(diagnostic: &Diagnostic) -> Diagnostic {
    let mut diagnostic = diagnostic.clone();
    diagnostic.message = pictures(&diagnostic.message);
    for label in diagnostic.labels.iter_mut().chain([&mut diagnostic.primary]) {
        label.text = pictures(&label.text);
    }
    for text in [&mut diagnostic.reason, &mut diagnostic.help].into_iter().flatten() {
        *text = pictures(text);
    }
    if let Some(fix) = &mut diagnostic.fix {
        fix.title = pictures(&fix.title);
        fix.edits.iter_mut().for_each(|(_, text)| *text = pictures(text));
    }
    diagnostic
}

fn pictures(text: &str) -> String {
    text.chars().map(picture).collect()
}

/// What is said at the place itself: its own text, else the fix, else no more than that it is there.
fn primary_text(diagnostic: &Diagnostic) -> String {
    let own = Some(&diagnostic.primary.text).filter(|text| !text.is_empty()).cloned();
    own.or_else(|| fix_text(diagnostic)).unwrap_or_else(|| "here".to_owned())
}

/// The title of the fix, with the text that it puts in where the title names none.
fn fix_text(diagnostic: &Diagnostic) -> Option<String> {
    let fix = diagnostic.fix.as_ref()?;
    Some(match fix.edits.as_slice() {
        [(_, text)] if !text.trim().is_empty() && !fix.title.contains('`') => {
            format!("{}: `{}`", fix.title, text.trim())
        }
        _ => fix.title.clone(),
    })
}

/// The same where the source cannot be shown.
fn without_source(file: &str, source: &str, diagnostic: &Diagnostic) -> String {
    let mut out = line(file, source, diagnostic);
    out.push('\n');
    if let Some(reason) = &diagnostic.reason {
        let _ = writeln!(out, "  note: {reason}");
    }
    for help in diagnostic.help.iter().cloned().chain(fix_text(diagnostic)) {
        let _ = writeln!(out, "  help: {help}");
    }
    out
}

fn without_trailing_spaces(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for line in String::from_utf8_lossy(bytes).lines() {
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The lines of a source that a report shows.
struct Window {
    bytes: Range<usize>,
    lines_before: usize,
    /// As they are shown, below as many empty lines as stand above them, so that they are numbered right.
    shown: String,
}

impl Window {
    /// The lines of all labels that are near enough; none when there is nothing to show or a line is too long for it.
    fn around(source: &str, diagnostic: &Diagnostic) -> Option<Window> {
        let mut bytes = Some(whole_lines(source, diagnostic.primary.span)?).filter(|_| !source.is_empty())?;
        if count_lines(source.get(bytes.clone())?) > FARTHEST_LABEL {
            let start = diagnostic.primary.span.start;
            bytes = whole_lines(source, Span::new(start, start))?;
        }
        for label in &diagnostic.labels {
            let more = whole_lines(source, label.span)?;
            let both = bytes.start.min(more.start)..bytes.end.max(more.end);
            if count_lines(source.get(both.clone())?) <= FARTHEST_LABEL {
                bytes = both;
            }
        }
        let own = source.get(bytes.clone())?;
        if own.split('\n').any(|line| line.len() > LONGEST_LINE && line.chars().count() > LONGEST_LINE) {
            return None;
        }
        let lines_before = count_lines(source.get(..bytes.start)?);
        let mut shown = "\n".repeat(lines_before);
        shown.extend(own.chars().filter(|c| !is_hidden(*c)).map(picture));
        Some(Window { bytes, lines_before, shown })
    }

    fn holds(&self, span: Span) -> bool {
        self.bytes.start <= span.start as usize && span.end as usize <= self.bytes.end + 1
    }

    /// A span as characters of what is shown.
    fn place(&self, source: &str, span: Span) -> Range<usize> {
        let count = |byte: u32| {
            let byte = floor(source, byte as usize).clamp(self.bytes.start, self.bytes.end);
            self.lines_before + source.get(self.bytes.start..byte).map_or(0, count_shown)
        };
        let start = count(span.start);
        start..count(span.end).max(start)
    }
}

/// The bytes of the lines that a span touches, without the last line end.
fn whole_lines(source: &str, span: Span) -> Option<Range<usize>> {
    let start = floor(source, span.start as usize);
    let last = floor(source, span.end.saturating_sub(1) as usize).max(start);
    let from = source.get(..start)?.rfind('\n').map_or(0, |newline| newline + 1);
    let to = source.get(last..)?.find('\n').map_or(source.len(), |newline| last + newline);
    Some(from..to)
}

/// The last place where a character begins, at or before `byte`.
fn floor(source: &str, byte: usize) -> usize {
    let mut byte = byte.min(source.len());
    while !source.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

fn count_lines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

fn count_shown(text: &str) -> usize {
    text.chars().filter(|c| !is_hidden(*c)).count()
}

/// Characters that take no place: a byte order mark and the first half of a CRLF.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{feff}' | '\r')
}

/// What is shown for a character: itself, unless it would steer the terminal, end the line or turn it around.
fn picture(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\x7f' => '␡',
        '\u{80}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Code;
    use proptest::prelude::*;

    #[test]
    fn columns_count_characters() {
        let source = "\u{feff}; größe\r\n  ö x";
        let at = source.find('x').expect("there") as u32;
        assert_eq!(position(source, at), (2, 5));
        assert_eq!(position(source, 3), (1, 1));
        let diagnostic = Diagnostic::new(Code::Expected, Span::new(at, at + 1), "no").here("here");
        assert_eq!(line("a.aivm", source, &diagnostic), "a.aivm:2:5: error[E0111]: no");
        let report = report("a.aivm", source, &diagnostic, false);
        assert!(report.contains("a.aivm:2:5"), "{report}");
        assert!(report.contains("\n 2 │   ö x\n   │     ┬\n"), "{report}");
    }

    #[test]
    fn a_source_cannot_steer_the_terminal() {
        let diagnostic = Diagnostic::new(Code::Expected, Span::new(0, 1), "no");
        let report = report("a", "a \x1b[31m \u{202e}b", &diagnostic, false);
        assert!(report.contains("a ␛[31m \u{fffd}b"), "{report}");
    }

    #[test]
    fn a_message_that_quotes_the_source_cannot_either() {
        let span = Span::new(0, 1);
        let diagnostic = Diagnostic::new(Code::Expected, span, "`\x1b[2J`")
            .here("\x1b1")
            .reason("\u{85}")
            .help("\x07")
            .fix("write `\x1b`", vec![(span, "\x1b".into())]);
        for source in ["a", ""] {
            let shown = report("a", source, &diagnostic, false) + &line("a", source, &diagnostic);
            assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
        }
        assert_eq!(line("a", "a", &diagnostic), "a:1:1: error[E0111]: `␛[2J`");
    }

    #[test]
    fn a_long_line_is_not_shown() {
        let source = "x".repeat(1 << 20);
        let diagnostic = Diagnostic::new(Code::TooLong, Span::new(0, 1), "no").help("split it");
        assert_eq!(report("a", &source, &diagnostic, true), "a:1:1: error[E0101]: no\n  help: split it\n");
    }

    #[test]
    fn of_a_place_that_is_too_large_the_first_line_is_shown() {
        let source = "x y\n".repeat(1000);
        let report = report("a", &source, &Diagnostic::new(Code::Expected, Span::new(2, 3998), "no"), false);
        assert!(report.contains(" 1 │ x y\n") && report.lines().count() < 10, "{report}");
    }

    #[test]
    fn a_label_far_away_is_named_by_its_line() {
        let source = "x\n".repeat(1000);
        let diagnostic = Diagnostic::new(Code::Expected, Span::new(0, 1), "no").label(Span::new(1800, 1801), "there");
        let report = report("a", &source, &diagnostic, false);
        assert!(report.contains("line 901: there") && report.lines().count() < 10, "{report}");
    }

    #[test]
    fn there_are_colours_only_where_they_are_wanted() {
        for code in [Code::Expected, Code::Unreachable, Code::NoEffect] {
            let diagnostic = Diagnostic::new(code, Span::new(0, 1), "no");
            assert!(!report("a", "x", &diagnostic, false).contains('\x1b'), "{code}");
            assert!(report("a", "x", &diagnostic, true).contains('\x1b'), "{code}");
        }
    }

    #[test]
    fn json_says_where() {
        let diagnostic = Diagnostic::new(Code::Expected, Span::new(3, 4), "no");
        let value = to_json("a", "ab\nc", &diagnostic);
        let expected = json!({"severity": "error", "file": "a", "line": 2, "column": 1, "code": "E0111", "message": "no", "primary": {"start": 3, "end": 4}});
        assert_eq!(value, expected);
    }

    proptest! {
        #[test]
        fn any_span_of_any_source_can_be_shown(source in "[aä\\n\\r\\t\u{feff}\u{2028}\u{85}😀(]{0,30}", start in 0u32..40, length in 0u32..40, far in 0u32..80) {
            let diagnostic = Diagnostic::new(Code::Expected, Span::new(start, start + length), "no").label(Span::new(far, far + length), "too");
            for colour in [false, true] {
                prop_assert!(report("a", &source, &diagnostic, colour).contains("no"));
            }
            prop_assert!(line("a", &source, &diagnostic).starts_with("a:"));
        }
    }
}
