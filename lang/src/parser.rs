//! Tokens to tree: recursive descent with one token of lookahead. The bracket pass bounds the depth first, so recursion is
//! safe; recovery happens where elements begin, so that one file yields all its independent errors at once.
//!
//! Only the grammar is judged here. What names mean and what may lead where is `lower`'s.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

use crate::brackets::balance;
use crate::diagnostic::{Code, Diagnostic, MOST_ERRORS};
use crate::lexer::{self, Kind as T, Token};
use crate::span::Span;
use crate::tree::{self, *};
use crate::words::Word;
use aivm_schema::limits::SOURCE;
use aivm_schema::word::is_reserved;

mod habits;
mod invented;
mod outcome;
mod quantity;
mod stage;
mod step;
mod stray;

/// The longest message, in bytes.
const LONGEST_MESSAGE: usize = 300;

/// A parsed file.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// What it says; whole only when there are no diagnostics.
    pub tree: Tree,
    /// Where it says so.
    pub spans: Spans,
    /// All errors, in the order of their places.
    pub diagnostics: Vec<Diagnostic>,
    /// The text ended where more could follow: a REPL asks for another line.
    pub incomplete: bool,
}

/// The tree of a source text, and every independent error in it. Linear in the length of the text; never fails.
pub fn parse(source: &str) -> Parsed {
    if source.len() > SOURCE {
        let message = format!("the source is {} bytes long: at most {SOURCE}", source.len());
        let diagnostic = Diagnostic::new(Code::TooLong, Span::new(0, 1), message)
            .help("split it: every file is a pipeline that others can call by its name");
        return Parsed { diagnostics: vec![diagnostic], ..Parsed::default() };
    }
    let mut parsed = Parsed::default();
    let Some(body) = front_matter(source, &mut parsed) else { return parsed };
    let tokens = habits::explain(source, lexer::lex(source, body), &mut parsed.diagnostics);
    let balanced = balance(source, tokens);
    parsed.diagnostics.extend(balanced.diagnostics);
    parsed.incomplete = balanced.open_at_end;
    if !balanced.too_deep {
        let mut parser = Parser {
            source,
            tokens: &balanced.tokens,
            at: 0,
            tree: parsed.tree,
            spans: parsed.spans,
            diagnostics: Vec::new(),
            ended: false,
            lost: false,
        };
        parser.file();
        let noise = |diagnostic: &Diagnostic| {
            balanced
                .repaired
                .iter()
                .any(|span| span.start <= diagnostic.primary.span.start && diagnostic.primary.span.start <= span.end)
        };
        parsed.diagnostics.extend(parser.diagnostics.into_iter().filter(|diagnostic| !noise(diagnostic)));
        parsed.incomplete |= parser.ended;
        parsed.tree = parser.tree;
        parsed.spans = parser.spans;
    }
    parsed.incomplete &= parsed.diagnostics.iter().all(|diagnostic| more_may_mend(diagnostic, source));
    parsed.diagnostics.sort_by_key(|diagnostic| diagnostic.primary.span);
    parsed.diagnostics.dedup_by_key(|diagnostic| diagnostic.primary.span.start);
    parsed.diagnostics.truncate(MOST_ERRORS);
    parsed.diagnostics.iter_mut().for_each(|diagnostic| shorten(&mut diagnostic.message));
    parsed
}

/// A message that quotes an endless word of the source is cut.
fn shorten(message: &mut String) {
    if message.len() > LONGEST_MESSAGE {
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
        message.push('…');
    }
}

/// Can this error come from the end of the text alone?
fn more_may_mend(diagnostic: &Diagnostic, source: &str) -> bool {
    match diagnostic.code {
        Code::Unclosed | Code::NoOutcome | Code::NoProgram | Code::EmptyStage | Code::FrontMatterOpen => true,
        Code::Expected => source.get(diagnostic.primary.span.end as usize..).is_some_and(|rest| rest.trim().is_empty()),
        _ => false,
    }
}

/// The text of a source, or why it is none: told at its place in the text that replaces what is no UTF-8.
pub fn read_utf8(bytes: &[u8]) -> Result<&str, Diagnostic> {
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        Diagnostic::new(
            Code::NotUtf8,
            Span::new(at as u32, (at + char::REPLACEMENT_CHARACTER.len_utf8()) as u32),
            format!("the source is not UTF-8: byte {at} begins no character"),
        )
        .help("save the file as UTF-8")
    })
}

/// The front matter with its two fences, and the byte where the program begins. A byte order mark belongs to neither.
pub(crate) fn body(source: &str) -> (&str, u32) {
    let (front, rest) = aivm_schema::worker::split_front_matter(source);
    let start = source.len() - rest.len();
    let front = front.and_then(|_| source.get(..start)).unwrap_or("");
    (front.strip_prefix('\u{feff}').unwrap_or(front), start as u32)
}

/// Cuts the front matter off; the byte where the program begins, or none when it never does.
fn front_matter(source: &str, parsed: &mut Parsed) -> Option<u32> {
    let (front, rest) = aivm_schema::worker::split_front_matter(source);
    let bom = if source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    if let Some(front) = front {
        let fence = source.get(bom..).and_then(|text| text.find('\n')).map_or(bom, |at| bom + at + 1);
        parsed.spans.front_matter = Span::new(fence as u32, (fence + front.len()) as u32);
        parsed.tree.front_matter = Some(front.to_owned());
    } else if rest.lines().next() == Some("+++") {
        let span = Span::new(bom as u32, bom as u32 + 3);
        parsed.incomplete = true;
        parsed.diagnostics.push(
            Diagnostic::new(Code::FrontMatterOpen, span, "this front matter is never closed")
                .help("end it by a line that is exactly `+++`"),
        );
        return None;
    } else if let Some(fence) = late_fence(source) {
        let message = "front matter begins on the first line of a file, by a line that is exactly `+++`";
        let on_the_first = source.get(..fence.start as usize).is_some_and(|before| !before.contains('\n'));
        let help = match on_the_first {
            true => "remove the spaces of this line",
            false => "move what stands before it behind the second `+++`; in front matter a comment begins with `#`",
        };
        parsed.diagnostics.push(Diagnostic::new(Code::FrontMatter, fence, message).help(help));
        return None;
    }
    Some((source.len() - rest.len()) as u32)
}

/// A line `+++` before which there is nothing but comments and space, so that it begins nothing.
fn late_fence(source: &str) -> Option<Span> {
    let mut at = 0;
    for line in source.split_inclusive('\n') {
        let bare = line.trim_start_matches('\u{feff}').trim();
        if bare == "+++" {
            let start = at + line.find(bare)?;
            return Some(Span::new(start as u32, (start + bare.len()) as u32));
        }
        if !bare.is_empty() && ![";", "#", "//", "--"].iter().any(|comment| bare.starts_with(comment)) {
            return None;
        }
        at += line.len();
    }
    None
}

struct Parser<'a> {
    source: &'a str,
    tokens: &'a [Token],
    at: usize,
    tree: Tree,
    spans: Spans,
    diagnostics: Vec<Diagnostic>,
    /// Something was expected at the end of the text.
    ended: bool,
    /// The tokens do not fit since the last error: what is said now is noise, until a step, an arm or a stage begins well.
    lost: bool,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<Token> {
        self.tokens.get(self.at).copied()
    }

    fn peek_kind(&self, ahead: usize) -> Option<T> {
        self.tokens.get(self.at + ahead).map(|token| token.kind)
    }

    fn peek_text(&self, ahead: usize) -> &'a str {
        self.tokens.get(self.at + ahead).map_or("", |token| self.text(token.span))
    }

    fn text(&self, span: Span) -> &'a str {
        self.source.get(span.range()).unwrap_or("")
    }

    fn bump(&mut self) -> Option<Token> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn eat(&mut self, kind: T) -> Option<Token> {
        let token = self.peek().filter(|token| token.kind == kind)?;
        self.at += 1;
        Some(token)
    }

    /// The next token's place; past the end, behind the last.
    fn here(&self) -> Span {
        self.peek().map_or(self.just_behind(), |token| token.span)
    }

    /// The empty place behind the token before.
    fn just_behind(&self) -> Span {
        Span::new(self.behind(), self.behind())
    }

    /// The end of the token before.
    fn behind(&self) -> u32 {
        let before = self.at.min(self.tokens.len()).checked_sub(1);
        before.and_then(|at| self.tokens.get(at)).map_or(0, |token| token.span.end)
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if !self.lost && self.diagnostics.len() < MOST_ERRORS {
            self.diagnostics.push(diagnostic);
        }
    }

    /// What stands here, in words.
    fn found(&self) -> String {
        match self.peek() {
            Some(token) if token.span.start < token.span.end => format!("`{}`", self.text(token.span)),
            _ => "the end".to_owned(),
        }
    }

    fn expected(&mut self, what: &str) {
        let span = self.here();
        self.ended |= self.peek().is_none();
        let message = format!("expected {what}, found {}", self.found());
        self.report(Diagnostic::new(Code::Expected, span, message));
        self.lost = true;
    }

    /// Over a `<=`, also where it is doubled. Where a stage follows, `<= <= (` lacks the stage's kind instead.
    fn arrow(&mut self, stage_follows: bool) -> bool {
        let found = self.eat(T::Arrow).is_some();
        let doubled = found && !(stage_follows && self.peek_kind(1) == Some(T::Open));
        if let Some(second) = doubled.then(|| self.eat(T::Arrow)).flatten() {
            let fix = vec![(second.span, String::new())];
            self.report(Diagnostic::new(Code::Expected, second.span, "one `<=` is enough").fix("remove it", fix));
            while self.eat(T::Arrow).is_some() {}
        }
        found
    }

    fn word(&mut self, span: Span) -> Word {
        let text = self.source.get(span.range()).unwrap_or("");
        self.tree.words.intern(text)
    }

    /// `word`, which must not be reserved. `what`: what it names.
    fn name(&mut self, what: &str) -> Option<(Word, Span)> {
        let Some(token) = self.eat(T::Word) else {
            self.expected(what);
            return None;
        };
        self.not_reserved(token.span, what);
        Some((self.word(token.span), token.span))
    }

    fn not_reserved(&mut self, span: Span, what: &str) {
        let text = self.text(span);
        if is_reserved(text) {
            self.report(
                Diagnostic::new(Code::Reserved, span, format!("`{text}` is a word of the language, not {what}"))
                    .help("choose another name"),
            );
        }
    }

    fn file(&mut self) {
        let mut program: Option<Span> = None;
        while let Some(token) = self.peek() {
            self.lost = false;
            let text = self.text(token.span);
            if let Some(first) = program {
                let message = if text == "out" { "a second program" } else { "something stands after the program" };
                self.report(
                    Diagnostic::new(Code::AfterProgram, token.span, message)
                        .label(first, "the program ends here")
                        .reason("a file is definitions, then one program: `out <= ( … ) <= in`"),
                );
                return;
            }
            if token.kind == T::Word && text == "out" {
                program = Some(self.program(token.span));
            } else if token.kind == T::Word && self.peek_kind(1) == Some(T::Arrow) && keyword(text).is_none() {
                self.definition();
            } else {
                self.stray();
            }
        }
        if program.is_none() && self.diagnostics.is_empty() {
            let end = self.here();
            self.ended = true;
            self.report(
                Diagnostic::new(Code::NoProgram, end, "the program is missing")
                    .reason("a file ends with its program: `out <= ( … ) <= in`"),
            );
        }
    }

    fn program(&mut self, out: Span) -> Span {
        self.at += 1;
        if !self.arrow(false) && !self.turned_arrow() {
            self.expected("`<=`");
        }
        let group = self.group();
        self.tree.program = Some(group);
        let arrow = self.arrow(false) || self.peek_text(1) == "in" && self.turned_arrow();
        if arrow && self.peek_text(0) == "in" {
            self.at += 1;
        } else {
            let (place, missing) = (self.just_behind(), if arrow { "in" } else { "<= in" });
            let message = format!("expected `{missing}` after the program, found {}", self.found());
            self.ended |= self.peek().is_none();
            self.report(
                Diagnostic::new(Code::Expected, place, message).fix("add it", vec![(place, format!(" {missing}"))]),
            );
            if arrow {
                self.eat(T::Word);
            }
        }
        let end = self.just_behind();
        self.spans.program = out.to(end);
        end
    }

    /// Over a `=>` where `<=` is meant.
    fn turned_arrow(&mut self) -> bool {
        let Some(arrow) = self.eat(T::Leads) else { return false };
        let diagnostic = Diagnostic::new(Code::Expected, arrow.span, "expected `<=`, found `=>`");
        self.report(diagnostic.fix("write `<=`", vec![(arrow.span, "<=".to_owned())]));
        true
    }

    fn definition(&mut self) {
        let Some((name, span)) = self.name("a definition's name") else { return };
        self.arrow(false);
        let body = self.group();
        if self.peek_kind(0) == Some(T::Arrow) {
            let arrow = self.here();
            self.report(
                Diagnostic::new(Code::AfterProgram, arrow, "a definition ends with its bracket")
                    .reason("only the program takes `<= in`: a definition takes what a step hands it")
                    .help("remove `<= …`"),
            );
            self.at += 2;
        }
        self.tree.definitions.push(Definition { name, body });
        self.spans.definitions.push(span);
    }

    /// `( [chain] )`.
    fn group(&mut self) -> Group {
        if self.eat(T::Open).is_none() {
            if keyword(self.peek_text(0)).is_some() {
                return self.bare_group();
            }
            self.expected("`(`");
            self.skip_to_close();
            return Group(None);
        }
        self.lost = false;
        if self.eat(T::Close).is_some() {
            return Group(None);
        }
        let chain = self.chain();
        if self.eat(T::Close).is_none() {
            self.after_chain();
            self.skip_to_close();
        }
        Group(Some(chain))
    }

    /// A chain without the brackets around it.
    fn bare_group(&mut self) -> Group {
        let start = self.here();
        let before = self.diagnostics.len();
        let chain = self.chain();
        if self.diagnostics.len() == before {
            let edges = [(Span::new(start.start, start.start), "( "), (self.just_behind(), " )")];
            self.report(
                Diagnostic::new(Code::Expected, start, format!("expected `(`, found `{}`", self.text(start)))
                    .fix("put it into brackets", edges.map(|(at, edge)| (at, edge.to_owned())).into()),
            );
        }
        Group(Some(chain))
    }

    /// Something stands behind a chain where its group should end.
    fn after_chain(&mut self) {
        if self.peek_kind(0) == Some(T::Word) && keyword(self.peek_text(0)).is_some() {
            let span = self.here();
            let text = self.text(span);
            let behind = self.just_behind();
            self.report(
                Diagnostic::new(Code::Expected, span, format!("expected `<=` before this `{text}`"))
                    .reason("a `<=` hands a stage's output to the stage written below it")
                    .fix("add it", vec![(behind, " <=".to_owned())]),
            );
        } else if self.peek_kind(0) == Some(T::Leads) && keyword(self.peek_text(1)).is_some() {
            let span = self.here();
            self.report(
                Diagnostic::new(Code::Expected, span, "expected `)` or `<=` and another stage, found `=>`")
                    .fix("write `<=`", vec![(span, "<=".to_owned())]),
            );
        } else {
            self.expected("`)` or `<=` and another stage");
        }
    }

    /// To the `)` that closes what is open here, and over it.
    fn skip_to_close(&mut self) {
        let mut depth = 0usize;
        while let Some(token) = self.bump() {
            match token.kind {
                T::Open => depth += 1,
                T::Close if depth == 0 => return,
                T::Close => depth -= 1,
                _ => {}
            }
        }
    }
}

/// The kind of a keyword.
pub(crate) fn keyword(text: &str) -> Option<tree::Kind> {
    Some(match text {
        "switch" => tree::Kind::Switch,
        "select" => tree::Kind::Select,
        "join" => tree::Kind::Join,
        "match" => tree::Kind::Match,
        _ => return None,
    })
}

pub(crate) const KEYWORDS: [&str; 4] = ["switch", "select", "join", "match"];
pub(crate) const OUTCOMES: [&str; 7] = ["next", "send", "continue", "back", "retry", "cancel", "timeout"];

#[cfg(test)]
mod tests;
