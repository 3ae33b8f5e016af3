//! The one way to lay a program out. Works on tokens, so that every comment survives; what the tokens mean is the
//! parser's, which judges both the source and the result: a program that does not parse is not touched.
//!
//! The unit is the line: the head of a stage, a step, an arm, a closing bracket with what follows it. What stands in brackets
//! on one line stays there when the line is not too wide. A comment inside a unit moves behind it, or above it when there are several.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

use crate::diagnostic::{Code, Diagnostic};
use crate::lexer::{Kind, lex};
use crate::parser::{self, parse};
use crate::span::Span;
use aivm_schema::limits::SOURCE;
use std::mem::take;

/// Spaces a level.
const INDENT: usize = 4;
/// What is wider before its `=>` is not aligned, and its neighbours not with it.
const WIDEST_HEAD: usize = 60;
/// The same for a line before its comment; brackets that would make a wider one are opened.
const WIDEST_LINE: usize = 100;

/// The canonical layout of a program; its front matter stays as it is, byte for byte.
///
/// Fails with the parser's errors, or when the result would be longer than a source may be. The result has the tree and
/// the comments of the source: this is proved each time, and a source for which it cannot be proved is given back as it was.
pub fn format(source: &str) -> Result<String, Vec<Diagnostic>> {
    let parsed = parse(source);
    if !parsed.diagnostics.is_empty() {
        return Err(parsed.diagnostics);
    }
    let formatted = lay_out(source);
    if formatted.len() > SOURCE {
        let message = format!("formatted, the source would be {} bytes long: at most {SOURCE}", formatted.len());
        return Err(vec![Diagnostic::new(Code::TooLong, Span::new(0, 1), message)]);
    }
    let again = parse(&formatted);
    let same = again.diagnostics.is_empty() && again.tree == parsed.tree && comments(&formatted).eq(comments(source));
    debug_assert!(same, "the formatter changed a program:\n{source}\n---\n{formatted}");
    Ok(if same { formatted } else { source.to_owned() })
}

/// The comments of a source, in order, without spaces at their ends.
fn comments(source: &str) -> impl Iterator<Item = &str> {
    let tokens = lex(source, parser::body(source).1);
    tokens.into_iter().filter(|token| token.kind == Kind::Comment).map(|token| text_of(source, token.span).trim_end())
}

fn text_of(source: &str, span: Span) -> &str {
    source.get(span.range()).unwrap_or("")
}

/// A comment and what stands before it.
struct Comment<'a> {
    text: &'a str,
    /// Nothing but spaces before it on its line.
    own_line: bool,
    blank_before: bool,
}

/// A token of the grammar, with the comments between the one before and it.
struct Piece<'a> {
    kind: Kind,
    text: &'a str,
    comments: Vec<Comment<'a>>,
    blank_before: bool,
    /// It begins a line of the source.
    newline_before: bool,
}

impl Piece<'_> {
    /// As it is written in the result.
    fn written(&self) -> &str {
        if self.kind == Kind::Or { "|" } else { self.text }
    }
}

/// The tokens of the grammar, and an end that carries the comments behind the last.
fn pieces(source: &str, from: u32, after_front_matter: bool) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut comments: Vec<Comment> = Vec::new();
    // A file begins as a line does; behind front matter one line end is already an empty line.
    let mut newlines = 1;
    for token in lex(source, from) {
        let text = text_of(source, token.span);
        let newline_before = newlines > 0;
        let blank_before = newlines > 1 && (after_front_matter || !(pieces.is_empty() && comments.is_empty()));
        match token.kind {
            Kind::Space => {
                newlines += text.bytes().filter(|byte| *byte == b'\n').count();
                continue;
            }
            Kind::Comment => comments.push(Comment { text: text.trim_end(), own_line: newline_before, blank_before }),
            kind => pieces.push(Piece { kind, text, comments: take(&mut comments), blank_before, newline_before }),
        }
        newlines = 0;
    }
    pieces.push(Piece { kind: Kind::Space, text: "", comments, blank_before: false, newline_before: true });
    pieces
}

/// A line of the result.
#[derive(Default)]
struct Line {
    depth: usize,
    text: String,
    /// Where ` =>` belongs in the text, of a step or an arm.
    arrow: Option<usize>,
    comment: Option<String>,
    blank_before: bool,
}

impl Line {
    fn is_comment(&self) -> bool {
        self.text.is_empty()
    }
}

fn lay_out(source: &str) -> String {
    let (front, from) = parser::body(source);
    let mut layout = Layout::default();
    let pieces = pieces(source, from, !front.is_empty());
    for at in 0..pieces.len() {
        layout.piece(pieces.get(at..).unwrap_or(&[]));
    }
    layout.align();
    let mut body = layout.print();
    if source.find('\n').is_some_and(|at| source.get(..at).is_some_and(|line| line.ends_with('\r'))) {
        body = body.replace('\n', "\r\n");
    }
    format!("{front}{body}")
}

/// Between which tokens the layout is.
#[derive(Clone, Copy, Default)]
struct Place {
    before: Option<Kind>,
    /// How many square brackets are open.
    square: usize,
    /// Behind the `=>` of an element, where no chain follows: the next word may begin another element.
    in_outcomes: bool,
}

impl Place {
    fn begins_line(self, piece: &Piece) -> bool {
        let Some(before) = self.before else { return true };
        match (before, piece.kind) {
            (_, Kind::Space) => true,
            (Kind::Open, Kind::Close) => !piece.comments.is_empty(),
            (Kind::Open, _) | (_, Kind::Close) => true,
            (Kind::Close, kind) => kind != Kind::Arrow,
            (Kind::Word | Kind::CloseSquare | Kind::Number, Kind::Word | Kind::OpenSquare) => {
                self.in_outcomes && self.square == 0
            }
            _ => false,
        }
    }

    /// What stands before a piece that begins no line: two spaces part the elements of brackets that stay on their line.
    fn gap(self, piece: &Piece) -> &'static str {
        let Some(before) = self.before else { return "" };
        let label = (before, piece.kind) == (Kind::Word, Kind::OpenSquare);
        let tight = label
            || matches!(piece.kind, Kind::CloseSquare | Kind::Less | Kind::Greater | Kind::Comma | Kind::Dot)
            || matches!(before, Kind::OpenSquare | Kind::Less | Kind::Dot)
            || (before, piece.kind) == (Kind::Open, Kind::Close);
        match self.begins_line(piece) {
            true if before != Kind::Open && piece.kind != Kind::Close => "  ",
            false if tight => "",
            _ => " ",
        }
    }

    fn pass(&mut self, piece: &Piece) {
        self.in_outcomes &= !self.begins_line(piece);
        match piece.kind {
            Kind::OpenSquare => self.square += 1,
            Kind::CloseSquare => self.square = self.square.saturating_sub(1),
            Kind::Leads => self.in_outcomes = true,
            Kind::Arrow => self.in_outcomes = false,
            _ => {}
        }
        self.before = Some(piece.kind);
    }
}

#[derive(Default)]
struct Layout<'a> {
    lines: Vec<Line>,
    /// The line being made; no text between lines.
    line: Line,
    /// Comments met inside it.
    inside: Vec<&'a str>,
    depth: usize,
    /// How many of the open brackets are closed on their line.
    flat: usize,
    place: Place,
}

impl<'a> Layout<'a> {
    /// Sets the first of these pieces; the others follow it.
    fn piece(&mut self, pieces: &[Piece<'a>]) {
        let [piece, rest @ ..] = pieces else { return };
        if dropped(piece, rest) {
            self.inside.extend(piece.comments.iter().map(|comment| comment.text));
            return;
        }
        if self.flat == 0 && self.place.begins_line(piece) {
            self.end_line(piece.comments.first());
            self.begin_line(piece);
        } else {
            self.inside.extend(piece.comments.iter().map(|comment| comment.text));
            self.line.text.push_str(self.place.gap(piece));
        }
        // Of brackets on one line only what stands before them is aligned.
        if piece.kind == Kind::Leads && self.flat == 0 {
            self.line.arrow = Some(self.line.text.len().saturating_sub(1));
        }
        self.line.text.push_str(piece.written());
        self.place.pass(piece);
        match piece.kind {
            Kind::Open => {
                self.depth += 1;
                self.flat += usize::from(self.flat > 0 || self.stays_on_the_line(rest));
            }
            Kind::Close => {
                self.depth -= 1;
                self.flat = self.flat.saturating_sub(1);
            }
            _ => {}
        }
    }

    /// May what follows an opening bracket stay on its line? It does in the source, and the line does not become too wide,
    /// with what follows the closing bracket up to the next opening one.
    fn stays_on_the_line(&self, pieces: &[Piece]) -> bool {
        let mut width = self.line.depth * INDENT + self.line.text.len();
        let (mut place, mut open) = (self.place, 1);
        for (at, piece) in pieces.iter().enumerate() {
            if open == 0 && place.begins_line(piece) {
                return true;
            }
            if open > 0 && (piece.newline_before || !piece.comments.is_empty()) {
                return false;
            }
            if dropped(piece, pieces.get(at + 1..).unwrap_or(&[])) {
                continue;
            }
            width += place.gap(piece).len() + piece.written().len();
            if width > WIDEST_LINE {
                return false;
            }
            match piece.kind {
                Kind::Open if open == 0 => return true,
                Kind::Open => open += 1,
                Kind::Close => open -= 1,
                _ => {}
            }
            place.pass(piece);
        }
        true
    }

    /// Ends the line being made; `behind` is the comment that follows.
    fn end_line(&mut self, behind: Option<&Comment<'a>>) {
        let mut line = take(&mut self.line);
        if line.text.is_empty() {
            return;
        }
        let mut inside = take(&mut self.inside);
        let trailing = behind.filter(|comment| !comment.own_line).map(|comment| comment.text);
        let trailing = trailing.or_else(|| if inside.len() == 1 { inside.pop() } else { None });
        // What is said inside a closing line stands in the body that it closes.
        let depth = line.depth + usize::from(line.text.starts_with(')'));
        for text in inside {
            let blank_before = take(&mut line.blank_before);
            self.lines.push(Line { depth, comment: Some(text.to_owned()), blank_before, ..Line::default() });
        }
        line.comment = trailing.map(str::to_owned);
        self.lines.push(line);
    }

    /// Comments on lines of their own, then a new line for `piece`.
    fn begin_line(&mut self, piece: &Piece<'a>) {
        // A closing bracket stands below what opened it, the comments before it in the body that it closes.
        let depth = self.depth - usize::from(piece.kind == Kind::Close);
        let first_in_block = self.place.before == Some(Kind::Open);
        // Definitions and the program stand apart.
        let blank = |piece: &Piece| piece.blank_before || piece.comments.iter().any(|comment| comment.blank_before);
        let mut apart =
            self.place.before == Some(Kind::Close) && piece.kind == Kind::Word && depth == 0 && !blank(piece);
        let mut first = first_in_block;
        for comment in piece.comments.iter().filter(|comment| comment.own_line) {
            let blank_before = (comment.blank_before || take(&mut apart)) && !take(&mut first);
            self.lines.push(Line {
                depth: self.depth,
                comment: Some(comment.text.to_owned()),
                blank_before,
                ..Line::default()
            });
        }
        let blank_before = (piece.blank_before || apart) && !first && piece.kind != Kind::Close;
        self.line = Line { depth, blank_before, ..Line::default() };
    }

    /// Sets `=>` and trailing comments of neighbouring steps below each other. Empty lines and nested stages part neighbours.
    fn align(&mut self) {
        let mut from = 0;
        while from < self.lines.len() {
            let rest = self.lines.get_mut(from..).unwrap_or(&mut []);
            let depth = rest.first().map_or(0, |line| line.depth);
            let run = rest
                .iter()
                .enumerate()
                .position(|(at, line)| {
                    line.depth != depth || !(line.arrow.is_some() || line.is_comment()) || at > 0 && line.blank_before
                })
                .unwrap_or(rest.len());
            align_run(rest.get_mut(..run).unwrap_or(&mut []));
            from += run.max(1);
        }
    }

    fn print(&self) -> String {
        let mut out = String::new();
        for line in &self.lines {
            if line.blank_before {
                out.push('\n');
            }
            out.extend(std::iter::repeat_n(' ', line.depth * INDENT));
            out.push_str(&line.text);
            if let Some(comment) = &line.comment {
                if !line.is_comment() {
                    out.push(' ');
                }
                out.push_str(comment);
            }
            out.push('\n');
        }
        out
    }
}

/// `plan <= <5>` is written `plan<5>`.
fn dropped(piece: &Piece, rest: &[Piece]) -> bool {
    piece.kind == Kind::Arrow && rest.first().is_some_and(|next| next.kind == Kind::Less)
}

fn align_run(lines: &mut [Line]) {
    let widest = lines.iter().filter_map(|line| line.arrow).filter(|arrow| *arrow <= WIDEST_HEAD).max().unwrap_or(0);
    for line in lines.iter_mut() {
        if let Some(arrow) = line.arrow {
            line.text.insert_str(arrow, &" ".repeat(widest.saturating_sub(arrow)));
        }
    }
    let commented = |line: &&mut Line| line.comment.is_some() && !line.is_comment() && line.text.len() <= WIDEST_LINE;
    let widest = lines.iter_mut().filter(commented).map(|line| line.text.len()).max().unwrap_or(0);
    for line in lines.iter_mut().filter(commented) {
        line.text.extend(std::iter::repeat_n(' ', widest.saturating_sub(line.text.len())));
    }
}

#[cfg(test)]
mod tests;
