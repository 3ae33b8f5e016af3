//! How diagnostics look: a report with the source for people, one line for editors. JSON is serde's.

use crate::diagnostic::{Diagnostic, Severity};
use crate::span::Span;
use ariadne::{CharSet, Color, Config, IndexType, Label, Report, ReportKind, Source};

/// A report with the lines of the source that it is about.
pub fn report(file: &str, source: &str, diagnostic: &Diagnostic, colour: bool) -> String {
    let (kind, tint) = match diagnostic.severity() {
        Severity::Error => (ReportKind::Error, Color::Red),
        Severity::Warning => (ReportKind::Warning, Color::Yellow),
    };
    let place = |span: Span| (file, on_characters(source, span));
    let config = Config::default().with_color(colour).with_index_type(IndexType::Byte).with_char_set(CharSet::Unicode);
    let primary = Label::new(place(diagnostic.primary.span)).with_color(tint).with_message(&diagnostic.primary.text).with_priority(1);
    let mut report = Report::build(kind, place(diagnostic.primary.span))
        .with_config(config)
        .with_code(diagnostic.code.text())
        .with_message(&diagnostic.message)
        .with_label(primary);
    for label in &diagnostic.labels {
        report = report.with_label(Label::new(place(label.span)).with_color(Color::Blue).with_message(&label.text));
    }
    if let Some(reason) = &diagnostic.reason {
        report = report.with_note(reason);
    }
    if let Some(fix) = &diagnostic.fix {
        report = report.with_help(&fix.title);
    }
    if let Some(help) = &diagnostic.help {
        report = report.with_help(help);
    }
    let mut out = Vec::new();
    // Writing to memory does not fail.
    let _ = report.finish().write((file, Source::from(source)), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// `file:line:column: error[E0111]: message`. Lines and columns from 1; columns count characters.
pub fn line(file: &str, source: &str, diagnostic: &Diagnostic) -> String {
    let (line, column) = position(source, diagnostic.primary.span.start);
    let severity = match diagnostic.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    format!("{file}:{line}:{column}: {severity}[{}]: {}", diagnostic.code, diagnostic.message)
}

/// Line and column of a byte, from 1; the column counts characters.
pub fn position(source: &str, byte: u32) -> (usize, usize) {
    let at = on_characters(source, Span::new(byte, byte)).start;
    let before = source.get(..at).unwrap_or("");
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before.get(start..).unwrap_or("").chars().count() + 1)
}

/// A span moved outwards to whole characters, within the source.
fn on_characters(source: &str, span: Span) -> std::ops::Range<usize> {
    let mut range = span.range();
    range.start = range.start.min(source.len());
    range.end = range.end.min(source.len());
    while !source.is_char_boundary(range.start) {
        range.start -= 1;
    }
    while !source.is_char_boundary(range.end) {
        range.end += 1;
    }
    range
}
