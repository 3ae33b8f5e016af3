//! Brackets before grammar: one linear pass that pairs `( )` and `[ ]`, names the one that lost its partner, and repairs
//! the token list, so that the parser always sees balanced brackets and goes on without follow-up noise.
//!
//! Which bracket lost its partner cannot be told from the brackets alone; the layout tells: a closer that begins its line
//! belongs to the opener whose line is indented the same. The layout is asked only when the brackets do not pair: line ends
//! carry no meaning in a program that is whole.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

use crate::diagnostic::{Code, Diagnostic, MOST_ERRORS};
use crate::lexer::{Kind, Token};
use crate::span::Span;
use aivm_schema::limits::NESTING;

/// The tokens that the grammar sees, with balanced brackets.
pub struct Balanced {
    /// No trivia; a bracket that was put in has an empty span.
    pub tokens: Vec<Token>,
    /// What was repaired.
    pub diagnostics: Vec<Diagnostic>,
    /// From where a closer was put to the token that showed that it was missing: what the parser says there is noise.
    pub repaired: Vec<Span>,
    /// Something was still open at the end of the text.
    pub open_at_end: bool,
    /// Nested too deeply: nothing behind that was looked at.
    pub too_deep: bool,
}

/// No `[ … ]` that lost its `[` is sought further back than this many tokens.
const MOST_INSIDE: usize = 64;

/// An open bracket.
struct Open {
    /// Its place in the output.
    at: usize,
    span: Span,
    /// The indentation of its line, in characters.
    indent: usize,
    /// The indentation of the first line inside.
    inside: Option<usize>,
    square: bool,
}

/// Pairs the brackets of `tokens`, which hold no trivia.
pub fn balance(source: &str, tokens: Vec<Token>) -> Balanced {
    let mut out = Balanced {
        tokens: Vec::new(),
        diagnostics: Vec::new(),
        repaired: Vec::new(),
        open_at_end: false,
        too_deep: false,
    };
    if all_pair(&tokens) {
        out.tokens = tokens;
        return out;
    }
    out.tokens.reserve(tokens.len() + 8);
    let lines = Lines { source, start: 0, indent: 0, seen: 0 };
    let count = |kind: Kind| tokens.iter().filter(|token| token.kind == kind).count();
    let (opens, closes) = (count(Kind::Open), count(Kind::Close));
    let strays = closes.saturating_sub(opens);
    let spare = if opens > closes + NESTING { 0 } else { opens.saturating_sub(closes) };
    let mut repair = Repair { source, lines, out, open: Vec::new(), closed_at: 0, strays, spare };
    for (at, token) in tokens.iter().enumerate() {
        if !repair.token(token, tokens.get(at + 1..).unwrap_or(&[])) {
            break;
        }
    }
    repair.end();
    repair.out
}

/// Does each bracket have its partner, at no more than the depth allowed?
fn all_pair(tokens: &[Token]) -> bool {
    let mut open: Vec<Kind> = Vec::with_capacity(NESTING);
    for token in tokens {
        let paired = match token.kind {
            Kind::Open | Kind::OpenSquare => {
                open.push(token.kind);
                open.len() <= NESTING
            }
            Kind::Close => open.pop() == Some(Kind::Open),
            Kind::CloseSquare => open.pop() == Some(Kind::OpenSquare),
            _ => true,
        };
        if !paired {
            return false;
        }
    }
    open.is_empty()
}

struct Repair<'a> {
    source: &'a str,
    lines: Lines<'a>,
    out: Balanced,
    open: Vec<Open>,
    /// The indentation of the line with the last `)`.
    closed_at: usize,
    /// How many more `)` there are than `(`.
    strays: usize,
    /// How many more `(` there are than `)`; none when they are no slip.
    spare: usize,
}

impl Repair<'_> {
    /// Takes the next token, with those that follow; false when it nests too deeply.
    fn token(&mut self, token: &Token, next: &[Token]) -> bool {
        let first_of_line = self.lines.advance(token.span.start);
        if self.open.last().is_some_and(|open| open.square) {
            self.close_square_before(token);
        }
        let dedented = first_of_line && token.kind != Kind::Close && self.close_dedented(token.span.start);
        match token.kind {
            Kind::Open | Kind::OpenSquare if self.open.len() >= NESTING => {
                let message = format!("more than {NESTING} brackets are open here");
                let help = "name a part of it: `part <= ( … )` above the program, and call `part`";
                self.out.diagnostics = vec![Diagnostic::new(Code::TooDeep, token.span, message).help(help)];
                self.out.too_deep = true;
                return false;
            }
            // No `(` of the grammar follows another.
            Kind::Open if self.spare > 0 && self.out.tokens.last().is_some_and(|last| last.kind == Kind::Open) => {
                self.spare -= 1;
                let fix = vec![(token.span, String::new())];
                self.report(
                    Diagnostic::new(Code::Unclosed, token.span, "this `(` is never closed").fix("remove it", fix),
                );
            }
            Kind::Open | Kind::OpenSquare => {
                let square = token.kind == Kind::OpenSquare;
                self.open.push(Open {
                    at: self.out.tokens.len(),
                    span: token.span,
                    indent: self.lines.indent,
                    inside: None,
                    square,
                });
                self.out.tokens.push(*token);
            }
            Kind::Close => self.close(token, first_of_line),
            Kind::CloseSquare => match self.open.pop_if(|bracket| bracket.square) {
                Some(_) => self.out.tokens.push(*token),
                None => self.open_square_before(token),
            },
            Kind::Arrow => {
                if !dedented && next.first().is_some_and(|next| is_stage(self.source, next)) {
                    self.close_before_stage(token, first_of_line);
                }
                self.out.tokens.push(*token);
                if self.strays > 0 && self.lacks_open(next) {
                    self.open_behind(token);
                }
            }
            _ => self.out.tokens.push(*token),
        }
        true
    }

    fn close(&mut self, token: &Token, first_of_line: bool) {
        let indent = self.lines.indent;
        if first_of_line && self.open.iter().any(|bracket| bracket.indent == indent) {
            self.close_deeper(token.span.start);
        }
        let misplaced = |last: &Open| last.inside.is_some_and(|inside| inside > last.indent) && last.indent != indent;
        if self.strays > 0 && self.open.last().is_none_or(misplaced) {
            self.strays -= 1;
            self.unopened(token, "this `)` closes nothing");
            return;
        }
        self.closed_at = indent;
        match self.open.pop() {
            Some(_) => self.out.tokens.push(*token),
            None => self.unopened(token, "this `)` closes nothing"),
        }
    }

    /// Outside of square brackets a `<=` leads to a bracket, a stage, limits or the program's `in`. Steps show that the
    /// bracket is missing.
    fn lacks_open(&self, next: &[Token]) -> bool {
        let square = self.open.last().is_some_and(|bracket| bracket.square);
        let step = match next {
            [word, leads, ..] if word.kind == Kind::Word => {
                matches!(leads.kind, Kind::Leads | Kind::Tilde | Kind::Dot) && !is_stage(self.source, word)
            }
            [first, ..] => matches!(first.kind, Kind::OpenSquare | Kind::Close),
            [] => false,
        };
        step && !square && self.open.len() < NESTING
    }

    /// Puts a `(` behind an arrow.
    fn open_behind(&mut self, arrow: &Token) {
        self.strays -= 1;
        let place = Span::new(arrow.span.end, arrow.span.end);
        let message = "expected `(` after this `<=`";
        self.report(Diagnostic::new(Code::Expected, arrow.span, message).fix("add it", vec![(place, " (".to_owned())]));
        self.open.push(Open {
            at: self.out.tokens.len(),
            span: arrow.span,
            indent: self.lines.indent,
            inside: None,
            square: false,
        });
        self.out.tokens.push(Token { kind: Kind::Open, span: place });
    }

    /// A `]` without its `[`: one is put before the path or the references that it ends.
    fn open_square_before(&mut self, token: &Token) {
        let operand = |kind: Kind| matches!(kind, Kind::Word | Kind::Number | Kind::Money);
        let inner = |kind: Kind| {
            let sign = matches!(
                kind,
                Kind::Dot | Kind::Comma | Kind::Star | Kind::Arrow | Kind::Less | Kind::Greater | Kind::Tilde
            );
            sign || operand(kind)
        };
        let mut at = self.out.tokens.len();
        let mut behind: Option<Kind> = None;
        while let Some(before) = at.checked_sub(1).and_then(|before| self.out.tokens.get(before)) {
            let two = operand(before.kind) && behind.is_some_and(operand);
            if !inner(before.kind) || two || self.out.tokens.len() - at > MOST_INSIDE {
                break;
            }
            behind = Some(before.kind);
            at -= 1;
        }
        let Some(first) = self.out.tokens.get(at).filter(|first| first.kind == Kind::Word) else {
            return self.unopened(token, "this `]` closes nothing");
        };
        let place = Span::new(first.span.start, first.span.start);
        self.out.tokens.insert(at, Token { kind: Kind::OpenSquare, span: place });
        self.out.tokens.push(*token);
        let message = "this `]` has no `[`";
        self.report(
            Diagnostic::new(Code::Unopened, token.span, message)
                .fix("put a `[` where it begins", vec![(place, "[".to_owned())]),
        );
    }

    /// In `[ … ]` stand words, dots, commas, limits and `<=`; anything else shows that the `]` is missing.
    fn close_square_before(&mut self, token: &Token) {
        let Some(bracket) = self.open.last() else { return };
        let inside = self.out.tokens.get(bracket.at + 1..).unwrap_or(&[]);
        let after_word = inside.last().is_some_and(|last| last.kind == Kind::Word);
        let missing = match token.kind {
            Kind::Open | Kind::Close | Kind::Leads | Kind::Or | Kind::OpenSquare => true,
            Kind::Word => after_word,
            _ => false,
        };
        if !missing {
            return;
        }
        // `switch[label <= (` lost it behind the label.
        let label = token.kind == Kind::Open && inside.first().is_some_and(|first| first.kind == Kind::Word);
        let at = if label { bracket.at + 2 } else { self.out.tokens.len() };
        self.close_last(at, token.span.start);
    }

    /// A `<=` before a stage follows a closed group, or the word `out`. After anything else, or after a group that is
    /// indented deeper than the line, a `)` is missing.
    fn close_before_stage(&mut self, arrow: &Token, first_of_line: bool) {
        let closed = self
            .out
            .tokens
            .last()
            .is_some_and(|last| last.kind == Kind::Close || self.source.get(last.span.range()) == Some("out"));
        if closed && !(first_of_line && self.lines.indent < self.closed_at) {
            return;
        }
        if first_of_line {
            self.close_deeper(arrow.span.start);
        }
        self.close_last(self.out.tokens.len(), arrow.span.start);
    }

    /// A line that stands no deeper than the one that opened a bracket is not in it, where the lines inside are indented.
    fn close_dedented(&mut self, end: u32) -> bool {
        let indent = self.lines.indent;
        let mut closed = false;
        while self
            .open
            .last()
            .is_some_and(|last| last.inside.is_some_and(|inside| inside > last.indent) && indent <= last.indent)
        {
            self.close_last(self.out.tokens.len(), end);
            closed = true;
        }
        if let Some(last) = self.open.last_mut() {
            last.inside.get_or_insert(indent);
        }
        closed
    }

    /// This line closes what was opened on one indented the same: openers on lines indented deeper have lost their closers.
    fn close_deeper(&mut self, end: u32) {
        while self.open.last().is_some_and(|bracket| bracket.indent > self.lines.indent) {
            self.close_last(self.out.tokens.len(), end);
        }
    }

    /// Puts a closer for the innermost open bracket at a place of the output.
    fn close_last(&mut self, at: usize, end: u32) {
        let Some(bracket) = self.open.pop() else { return };
        let (opener, closer, kind) =
            if bracket.square { ("[", "]", Kind::CloseSquare) } else { ("(", ")", Kind::Close) };
        let place = self.out.tokens.get(at.saturating_sub(1)).map_or(end, |token| token.span.end);
        let missing = Span::new(place, place);
        let diagnostic = Diagnostic::new(Code::Unclosed, bracket.span, format!("this `{opener}` is never closed"));
        if bracket.square && at == bracket.at + 1 {
            // Nothing stands in it: as if it were not there.
            self.out.tokens.remove(bracket.at);
            self.report(diagnostic.fix("remove it", vec![(bracket.span, String::new())]));
        } else {
            self.out.tokens.insert(at.min(self.out.tokens.len()), Token { kind, span: missing });
            let diagnostic = diagnostic.here("opened here").label(missing, "missing here at the latest");
            self.report(match self.swallowed(place) {
                Some(semicolon) => {
                    let fix = vec![(semicolon, String::new())];
                    diagnostic.fix("a `;` begins a comment, and this one holds a `)`: remove the `;`", fix)
                }
                None => diagnostic.fix("close it", vec![(missing, closer.to_owned())]),
            });
        }
        self.out.repaired.push(Span::new(place, end));
    }

    /// The `;` right behind this place that makes a comment of the brackets which are missing: elsewhere it ends a statement.
    fn swallowed(&self, place: u32) -> Option<Span> {
        let line = self.source.get(place as usize..)?.lines().next()?;
        let comment = line.trim_start().strip_prefix(';')?;
        let start = place + (line.len() - comment.len() - 1) as u32;
        let closes = comment.matches(')').count() > comment.matches('(').count();
        closes.then(|| Span::new(start, start + 1))
    }

    fn unopened(&mut self, token: &Token, message: &str) {
        let fix = vec![(token.span, String::new())];
        self.report(Diagnostic::new(Code::Unopened, token.span, message).fix("remove it", fix));
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.out.diagnostics.len() < MOST_ERRORS {
            self.out.diagnostics.push(diagnostic);
        }
    }

    /// Closes what is open at the end; `<= in` stands outside of the program's bracket.
    fn end(&mut self) {
        if self.out.too_deep {
            return;
        }
        self.out.open_at_end = !self.open.is_empty();
        while let Some(bracket) = self.open.last() {
            let all = self.out.tokens.len();
            let tail = match self.out.tokens.get(all.saturating_sub(2)..) {
                Some([arrow, word])
                    if arrow.kind == Kind::Arrow && self.source.get(word.span.range()) == Some("in") =>
                {
                    2
                }
                _ => 0,
            };
            let at = if bracket.square { all } else { all - tail };
            self.close_last(at, self.source.len() as u32);
        }
    }
}

/// Is it the keyword of a stage?
fn is_stage(source: &str, token: &Token) -> bool {
    token.kind == Kind::Word && matches!(source.get(token.span.range()), Some("switch" | "select" | "join" | "match"))
}

/// The line of a place, read forward only.
struct Lines<'a> {
    source: &'a str,
    start: usize,
    indent: usize,
    seen: usize,
}

impl Lines<'_> {
    /// Goes to a place further on; is it the first on its line that is no space?
    fn advance(&mut self, to: u32) -> bool {
        let to = to as usize;
        if let Some(newline) = self.source.get(self.seen..to).and_then(|text| text.rfind('\n')) {
            self.start = self.seen + newline + 1;
            let line = self.source.get(self.start..).unwrap_or("");
            self.indent = line.chars().take_while(|c| *c == ' ' || *c == '\t').count();
        }
        self.seen = to;
        to == self.start + self.indent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexer::lex;

    fn unclosed_at(source: &str) -> Vec<u32> {
        let tokens: Vec<Token> = lex(source, 0).into_iter().filter(|token| !token.kind.is_trivia()).collect();
        balance(source, tokens).diagnostics.iter().map(|diagnostic| diagnostic.primary.span.start).collect()
    }

    #[test]
    fn the_layout_tells_which_bracket_lost_its_closer() {
        let source =
            "out <= (\n    switch <= (\n        a => next\n    switch <= (\n        b => send\n    )\n) <= in\n";
        assert_eq!(unclosed_at(source), [source.find("(\n        a").expect("there") as u32]);
    }

    #[test]
    fn what_stands_in_square_brackets_tells_too() {
        for (source, at) in
            [("switch[x <= ( a => next )", 6), ("( [plan <= x.out => next )", 2), ("( a => [x.jump b => next )", 7)]
        {
            assert_eq!(unclosed_at(source), [at], "{source}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let source = "(".repeat(100_000);
        let tokens = lex(&source, 0);
        let balanced = balance(&source, tokens);
        assert!(balanced.too_deep);
        assert_eq!(balanced.diagnostics.len(), 1);
    }
}
