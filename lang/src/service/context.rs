//! What may stand at a place: read off the tokens before it, so that it is known also where nothing parses yet.

use super::Document;
use crate::lexer::{Kind as T, Token};
use crate::parser::{OUTCOMES, keyword};
use crate::span::Span;
use crate::tree::Kind;

/// What may stand at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expects {
    /// A definition, or the program.
    Top,
    /// `in`, behind the program.
    Input,
    /// The keyword of a stage.
    Stage,
    /// A step or a stage, in a stage of this kind.
    Element(Kind),
    /// The word of an arm.
    Arm,
    /// The name of a worker alone.
    Worker,
    /// An outcome of a step in a stage of this kind; in a match an end of an arm.
    Outcome(Kind),
    /// `label.jump`, within its brackets.
    Jump,
    /// A reference.
    Reference,
    /// The word of a behaviour, between `<` and `>`.
    Behaviour,
    /// Nothing that has a name.
    Nothing,
}

/// A place that is being written at.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub expects: Expects,
    /// What is replaced: the word under the cursor, with the words and dots that it is joined to.
    pub replace: Span,
    /// The words that the list of outcomes has already.
    pub said: Vec<Span>,
}

/// What is open at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Group,
    Stage(Kind),
    Label,
    Jump,
    /// `[worker <= references]`; has its arrow come?
    Head(bool),
    Limits,
}

impl Document {
    /// What may stand at a place of the program.
    pub(super) fn spot(&self, at: u32) -> Spot {
        let behind = self.tokens.partition_point(|token| token.span.start < at);
        let tokens = self.tokens.get(..behind).unwrap_or(&[]);
        let under = tokens.last().filter(|token| at <= token.span.end);
        if under.is_some_and(|token| matches!(token.kind, T::Comment | T::HabitComment | T::HabitString)) {
            return Spot { expects: Expects::Nothing, replace: Span::new(at, at), said: Vec::new() };
        }
        let mut before: Vec<Token> = tokens.iter().filter(|token| !token.kind.is_trivia()).copied().collect();
        let word = under.filter(|token| matches!(token.kind, T::Word | T::BadWord | T::Number));
        if word.is_some() {
            before.pop();
        }
        let number = word.is_some_and(|token| token.kind == T::Number);
        let mut replace = word.map_or(Span::new(at, at), |token| token.span);
        while let [.., word, dot] = before.as_slice()
            && (word.kind, dot.kind) == (T::Word, T::Dot)
        {
            replace.start = word.span.start;
            let rest = before.len() - 2;
            before.truncate(rest);
        }
        let expects = if number { Expects::Nothing } else { self.expects(&before) };
        let list = before.iter().rev().take_while(|token| token.kind != T::Leads && token.kind != T::HabitLeads);
        let said = list.filter(|token| token.kind == T::Word).map(|token| token.span).collect();
        Spot { expects, replace, said }
    }

    fn expects(&self, before: &[Token]) -> Expects {
        let (mut frames, mut kind, mut closed): (Vec<Frame>, Option<Kind>, Option<Frame>) = (Vec::new(), None, None);
        let mut last: Option<Token> = None;
        for token in before {
            let text = self.slice(token.span);
            match token.kind {
                T::Word => kind = keyword(text).or(kind),
                T::Open | T::HabitOpen => {
                    frames.retain(|frame| matches!(frame, Frame::Group | Frame::Stage(_)));
                    let stage = kind.take().or(frames.last().map(|_| Kind::Switch));
                    let group = frames.is_empty();
                    frames.push(if group { Frame::Group } else { stage.map_or(Frame::Group, Frame::Stage) });
                }
                T::Close | T::HabitClose => {
                    while frames.pop_if(|frame| !matches!(frame, Frame::Group | Frame::Stage(_))).is_some() {}
                    closed = frames.pop();
                    kind = None;
                }
                T::OpenSquare => {
                    let leads = last.is_some_and(|last| matches!(last.kind, T::Leads | T::HabitLeads | T::Or));
                    let keyword = last.is_some_and(|last| keyword(self.slice(last.span)).is_some());
                    frames.push(match (keyword, leads) {
                        (true, _) => Frame::Label,
                        (_, true) => Frame::Jump,
                        _ => Frame::Head(false),
                    });
                }
                T::CloseSquare => {
                    _ = frames.pop_if(|frame| *frame == Frame::Limits);
                    closed = frames.pop_if(|frame| matches!(frame, Frame::Label | Frame::Jump | Frame::Head(_)));
                }
                T::Less => frames.push(Frame::Limits),
                T::Greater => _ = frames.pop_if(|frame| *frame == Frame::Limits),
                T::Arrow | T::HabitArrow => {
                    if let Some(Frame::Head(arrow)) = frames.last_mut() {
                        *arrow = true;
                    }
                }
                T::Leads | T::HabitLeads => {
                    // What is still open here has lost its bracket.
                    while frames.pop_if(|frame| !matches!(frame, Frame::Group | Frame::Stage(_))).is_some() {}
                    kind = None;
                }
                _ => {}
            }
            last = Some(*token);
        }
        self.expects_in(frames.last().copied(), before, closed)
    }

    /// `closed`: what the last closing bracket closed.
    fn expects_in(&self, frame: Option<Frame>, before: &[Token], closed: Option<Frame>) -> Expects {
        let nth = |back: usize| before.len().checked_sub(back + 1).and_then(|at| before.get(at));
        let last = nth(0).map(|token| token.kind);
        let text = nth(0).map_or("", |token| self.slice(token.span));
        let arrow = matches!(last, Some(T::Arrow | T::HabitArrow));
        match (frame, last) {
            (None, Some(T::Arrow | T::HabitArrow)) if nth(1).map(|token| token.kind) == Some(T::Close) => {
                Expects::Input
            }
            (None, None | Some(T::Close)) => Expects::Top,
            (None, Some(T::Word)) if text == "in" => Expects::Top,
            (Some(Frame::Group), Some(T::Open | T::HabitOpen | T::Arrow | T::HabitArrow)) => Expects::Stage,
            (Some(Frame::Limits), Some(T::Less | T::Comma)) => Expects::Behaviour,
            (Some(Frame::Jump), Some(T::OpenSquare)) => Expects::Jump,
            (Some(Frame::Head(false)), Some(T::OpenSquare)) => Expects::Worker,
            (Some(Frame::Head(_) | Frame::Stage(_)), Some(T::Tilde)) => Expects::Worker,
            (Some(Frame::Head(true)), _) if arrow || last == Some(T::Comma) => Expects::Reference,
            (Some(Frame::Stage(_)), _) if arrow => Expects::Stage,
            (Some(Frame::Stage(kind)), Some(T::Leads | T::HabitLeads | T::Or)) => Expects::Outcome(kind),
            (Some(Frame::Stage(kind)), _) if self.ends_element(before, closed) => match kind {
                Kind::Match => Expects::Arm,
                kind => Expects::Element(kind),
            },
            _ => Expects::Nothing,
        }
    }

    /// May an element of a stage begin behind these tokens?
    fn ends_element(&self, before: &[Token], closed: Option<Frame>) -> bool {
        let kind_before = |at: usize| before.len().checked_sub(at + 1).and_then(|at| before.get(at));
        let Some(last) = before.last() else { return false };
        let leads = || kind_before(1).is_some_and(|token| matches!(token.kind, T::Leads | T::HabitLeads | T::Or));
        match last.kind {
            T::Open | T::HabitOpen | T::Close | T::HabitClose => true,
            T::Word => OUTCOMES.contains(&self.slice(last.span)) && leads(),
            T::Number => kind_before(1).is_some_and(|token| token.kind == T::Star),
            T::CloseSquare => closed == Some(Frame::Jump),
            _ => false,
        }
    }
}
