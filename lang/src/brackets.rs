//! Brackets before grammar: one linear pass that pairs `( )` and `[ ]`, names the one that lost its partner, and repairs
//! the token list, so that the parser always sees balanced brackets and goes on without follow-up noise.
//!
//! Which bracket lost its partner cannot be told from the brackets alone; the layout tells: a closer that begins its line
//! belongs to the opener whose line is indented the same. The layout is asked only when the brackets do not pair: line ends
//! carry no meaning in a program that is whole.

use crate::diagnostic::{Code, Diagnostic};
use crate::lexer::{Kind, Token};
use crate::span::Span;
use aivm_schema::limits::NESTING;

/// The tokens that the grammar sees, with balanced brackets.
pub struct Balanced {
    /// No trivia; a bracket that was put in has an empty span.
    pub tokens: Vec<Token>,
    /// What was repaired.
    pub diagnostics: Vec<Diagnostic>,
    /// From each opener that lost its closer to where one was put: what the parser says there is likely noise.
    pub repaired: Vec<Span>,
    /// Something was still open at the end of the text.
    pub open_at_end: bool,
    /// Nested too deeply: nothing behind that was looked at.
    pub too_deep: bool,
}

/// An open bracket.
struct Open {
    /// Its place in the output.
    at: usize,
    span: Span,
    /// The indentation of its line, in characters.
    indent: usize,
    square: bool,
}

/// Pairs the brackets of `tokens`, which hold no trivia.
pub fn balance(source: &str, tokens: Vec<Token>) -> Balanced {
    let mut out = Balanced { tokens: Vec::new(), diagnostics: Vec::new(), repaired: Vec::new(), open_at_end: false, too_deep: false };
    if all_pair(&tokens) {
        return Balanced { tokens, ..out };
    }
    out.tokens.reserve(tokens.len() + 8);
    let mut lines = Lines { source, start: 0, indent: 0, seen: 0 };
    let mut open: Vec<Open> = Vec::new();
    for token in &tokens {
        let first_of_line = lines.advance(token.span.start);
        if open.last().is_some_and(|open| open.square) {
            close_square(&mut out, &mut open, token);
        }
        match token.kind {
            Kind::Open | Kind::OpenSquare => {
                if open.len() >= NESTING {
                    let message = format!("more than {NESTING} brackets are open here");
                    let diagnostic = Diagnostic::new(Code::TooDeep, token.span, message)
                        .help("name a part of it: `part <= ( … )` above the program, and call `part`");
                    return Balanced { diagnostics: vec![diagnostic], too_deep: true, ..out };
                }
                let square = token.kind == Kind::OpenSquare;
                open.push(Open { at: out.tokens.len(), span: token.span, indent: lines.indent, square });
                out.tokens.push(*token);
            }
            Kind::Close => {
                if first_of_line {
                    close_deeper(&mut out, &mut open, lines.indent, token.span.start);
                }
                match open.pop() {
                    Some(_) => out.tokens.push(*token),
                    None => out.diagnostics.push(
                        Diagnostic::new(Code::Unopened, token.span, "this `)` closes nothing").fix("remove it", vec![(token.span, String::new())]),
                    ),
                }
            }
            Kind::CloseSquare => match open.pop() {
                Some(bracket) if bracket.square => out.tokens.push(*token),
                other => {
                    open.extend(other);
                    out.diagnostics.push(
                        Diagnostic::new(Code::Unopened, token.span, "this `]` closes nothing").fix("remove it", vec![(token.span, String::new())]),
                    );
                }
            },
            _ => out.tokens.push(*token),
        }
    }
    out.open_at_end = !open.is_empty();
    let end = source.len() as u32;
    while let Some(bracket) = open.pop() {
        // `<= in` stands outside the program's bracket.
        let tail = out.tokens.len().checked_sub(2).filter(|at| {
            let pair = out.tokens.get(*at..).unwrap_or(&[]);
            matches!(pair, [arrow, word] if arrow.kind == Kind::Arrow && source.get(word.span.range()) == Some("in"))
        });
        let at = if bracket.square { out.tokens.len() } else { tail.unwrap_or(out.tokens.len()) };
        unclosed(&mut out, &bracket, at, end);
    }
    out
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

/// In `[ … ]` stand words, dots, commas, limits and `<=`; anything else shows that the `]` is missing.
fn close_square(out: &mut Balanced, open: &mut Vec<Open>, token: &Token) {
    let Some(bracket) = open.last() else { return };
    let inside = out.tokens.get(bracket.at + 1..).unwrap_or(&[]);
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
    let at = if label { bracket.at + 2 } else { out.tokens.len() };
    if let Some(bracket) = open.pop() {
        unclosed(out, &bracket, at, token.span.start);
    }
}

/// A closer that begins its line: openers on lines indented deeper have lost theirs, if one on a line like this is open.
fn close_deeper(out: &mut Balanced, open: &mut Vec<Open>, indent: usize, end: u32) {
    if !open.iter().any(|bracket| bracket.indent == indent) {
        return;
    }
    while let Some(bracket) = open.pop_if(|bracket| bracket.indent > indent) {
        let at = out.tokens.len();
        unclosed(out, &bracket, at, end);
    }
}

fn unclosed(out: &mut Balanced, bracket: &Open, at: usize, end: u32) {
    let (text, kind) = if bracket.square { ("[", Kind::CloseSquare) } else { ("(", Kind::Close) };
    let place = out.tokens.get(at.saturating_sub(1)).map_or(end, |token| token.span.end);
    out.tokens.insert(at.min(out.tokens.len()), Token { kind, span: Span::new(place, place) });
    out.diagnostics.push(Diagnostic::new(Code::Unclosed, bracket.span, format!("this `{text}` is never closed")));
    out.repaired.push(Span::new(bracket.span.start, end));
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
        let source = "out <= (\n    switch <= (\n        a => next\n    switch <= (\n        b => send\n    )\n) <= in\n";
        assert_eq!(unclosed_at(source), [source.find("(\n        a").expect("there") as u32]);
    }

    #[test]
    fn what_stands_in_square_brackets_tells_too() {
        for (source, at) in [("switch[x <= ( a => next )", 6), ("( [plan <= x.out => next )", 2), ("( a => [x.jump b => next )", 7)] {
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
