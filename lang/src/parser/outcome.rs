//! Outcomes of steps and ends of arms: best first, with `|` between.

use super::*;
use crate::lower::nearest;

/// More outcomes than anybody writes.
const MOST_OUTCOMES: usize = 64;

/// Words that stand between outcomes where `|` is meant.
const ORS: [&str; 4] = ["or", "else", "otherwise", "and"];

impl Parser<'_> {
    /// `outcome { "|" outcome }` of the step or arm at `subject`.
    pub(super) fn outcomes(&mut self, subject: Span, arm: bool) -> (Vec<Outcome>, Vec<Span>) {
        let (mut outcomes, mut spans) = (Vec::new(), Vec::new());
        loop {
            let start = self.here();
            match self.outcome(subject, arm, outcomes.is_empty()) {
                Some(outcome) => {
                    outcomes.push(outcome);
                    spans.push(start.to(self.just_behind()));
                }
                None if self.peek_kind(0) != Some(T::Or) => break,
                None => {}
            }
            if self.eat(T::Or).is_some() {
                continue;
            }
            // `next cancel`: an outcome where only `|` or another element may stand.
            let text = self.peek_text(0);
            let forgotten =
                self.peek_kind(0) == Some(T::Word) && OUTCOMES.contains(&text) && self.peek_kind(1) != Some(T::Leads);
            let comma = self.peek_kind(0) == Some(T::Comma);
            let or = self.peek_kind(0) == Some(T::Word) && ORS.contains(&text);
            let ends = (comma || or) && !self.outcome_follows();
            if comma && ends {
                let fix = vec![(self.here(), String::new())];
                self.report(
                    Diagnostic::new(Code::Expected, self.here(), "nothing stands between the elements of a stage")
                        .fix("remove it", fix),
                );
                self.at += 1;
            }
            if ends || !forgotten && !comma && !or {
                break;
            }
            let edit = match (comma, or) {
                (true, _) => (self.here(), " |".to_owned()),
                (_, true) => (self.here(), "|".to_owned()),
                _ => (self.just_behind(), " |".to_owned()),
            };
            self.report(
                Diagnostic::new(Code::Expected, self.here(), "expected `|` between outcomes").fix("add it", vec![edit]),
            );
            self.at += usize::from(comma || or);
        }
        if outcomes.len() > MOST_OUTCOMES {
            self.report(Diagnostic::new(
                Code::TooManyOutcomes,
                subject,
                format!("{} outcomes: at most {MOST_OUTCOMES}", outcomes.len()),
            ));
            outcomes.truncate(MOST_OUTCOMES);
            spans.truncate(MOST_OUTCOMES);
        }
        (outcomes, spans)
    }

    /// Does an outcome stand behind this token? A word with something of a step behind it begins another element.
    fn outcome_follows(&self) -> bool {
        let text = self.peek_text(1);
        match self.peek_kind(1) {
            Some(T::Word) if keyword(text).is_some() || text == "out" => false,
            Some(T::Word) => !matches!(
                self.peek_kind(2),
                Some(T::Leads | T::Less | T::Tilde | T::Dot | T::Arrow | T::Open | T::OpenSquare)
            ),
            Some(T::OpenSquare) => [4, 6].into_iter().any(|at| self.peek_text(at) == "jump"),
            _ => false,
        }
    }

    fn outcome(&mut self, subject: Span, arm: bool, first: bool) -> Option<Outcome> {
        let span = self.here();
        match self.peek_kind(0) {
            Some(T::OpenSquare) => return self.jump(),
            Some(T::Word)
                if self.peek_kind(1) == Some(T::Leads) && !OUTCOMES.contains(&self.text(span))
                    || self.peek_kind(0) == Some(T::Close) => {}
            Some(T::Word) => return self.plain_outcome(span, arm),
            _ => {}
        }
        if first {
            let name = self.text(subject).to_owned();
            self.ended |= self.peek().is_none();
            self.report(
                Diagnostic::new(Code::NoOutcome, subject, format!("`{name}` has no outcomes"))
                    .reason("after `=>` stand the outcomes, best first: `next`, `send`, `back`, `cancel` …"),
            );
        } else {
            let or = self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(span, |token| token.span);
            self.ended |= self.peek().is_none();
            self.report(Diagnostic::new(
                Code::Expected,
                or,
                format!("expected an outcome after `|`, found {}", self.found()),
            ));
        }
        None
    }

    fn plain_outcome(&mut self, span: Span, arm: bool) -> Option<Outcome> {
        let text = self.text(span);
        self.at += 1;
        let outcome = match text {
            "next" => Outcome::Next,
            "send" => Outcome::Send,
            "continue" => Outcome::Continue,
            "cancel" => Outcome::Cancel,
            "timeout" => Outcome::Timeout,
            "back" => Outcome::Back(self.times()),
            "retry" => Outcome::Retry(self.times()),
            _ => match self.bare_jump(span) {
                Some(jump) => jump,
                None => return self.misspelt_outcome(span, text, arm),
            },
        };
        if arm && matches!(outcome, Outcome::Continue | Outcome::Back(_) | Outcome::Retry(_)) {
            self.report(Diagnostic::new(Code::NotAnEnd, span, format!("`{text}` cannot end an arm")).reason(
                "an arm hands on what came to the match: by `send`, `cancel`, `timeout` or a jump `[label.jump]`",
            ));
        }
        Some(outcome)
    }

    fn misspelt_outcome(&mut self, span: Span, text: &str, arm: bool) -> Option<Outcome> {
        let words = if arm { ["next", "send", "cancel", "timeout"].as_slice() } else { OUTCOMES.as_slice() };
        let invented = invented::outcome(text).filter(|meant| words.contains(meant)).map(str::to_owned);
        let diagnostic = match invented.or_else(|| nearest(text, words.iter().copied())) {
            Some(meant) => Diagnostic::new(Code::Misspelt, span, format!("`{text}` is no outcome"))
                .fix(format!("did you mean `{meant}`?"), vec![(span, meant)]),
            None => Diagnostic::new(Code::Misspelt, span, format!("`{text}` is no outcome"))
                .reason(format!("the outcomes here are `{}` and a jump `[label.jump]`", words.join("`, `")))
                .help("where a worker answers words of its own, a `match` below decides on them"),
        };
        self.report(diagnostic);
        self.times();
        Some(Outcome::Cancel)
    }

    /// `x.jump` or `x.y.jump` without its brackets; over the first word already.
    fn bare_jump(&mut self, first: Span) -> Option<Outcome> {
        let words = [1, 3].into_iter().find(|end| {
            (0..*end).step_by(2).all(|at| self.peek_kind(at) == Some(T::Dot)) && self.peek_text(*end) == "jump"
        })?;
        let step = (words == 3).then(|| self.tokens.get(self.at + 1).map(|token| token.span)).flatten();
        self.at += words + 1;
        let whole = first.to(self.just_behind());
        let edges = [(whole.start, "["), (whole.end, "]")].map(|(at, edge)| (Span::new(at, at), edge.to_owned()));
        self.report(
            Diagnostic::new(Code::Expected, whole, "a jump stands in square brackets")
                .fix(format!("write `[{}]`", self.text(whole)), edges.into()),
        );
        let stage = self.label_word(first);
        Some(Outcome::Jump { stage, step: step.map(|step| self.word(step)) })
    }

    /// `* n`, or 1; also `3`, `<3>` and `(3)`, which are not right.
    fn times(&mut self) -> u16 {
        if self.eat(T::Star).is_none() {
            let around = usize::from(matches!(self.peek_kind(0), Some(T::Less | T::Open)));
            let closed = around == 0 || matches!(self.peek_kind(2), Some(T::Greater | T::Close));
            if self.peek_kind(around) != Some(T::Number) || !closed {
                return 1;
            }
            let start = self.here();
            self.at += around;
            let number = self.here();
            self.at += 1 + around;
            let span = start.to(self.just_behind());
            let with = format!(" * {}", self.text(number));
            self.report(
                Diagnostic::new(Code::Expected, span, "how many times stands behind a `*`")
                    .fix(format!("write `{}`", with.trim()), vec![(span, with)]),
            );
            return self.count(number).unwrap_or(1);
        }
        match self.eat(T::Number) {
            Some(number) => self.count(number.span).unwrap_or(1),
            None => {
                self.expected("a count after `*`");
                1
            }
        }
    }

    /// `[x.jump]` or `[x.y.jump]`.
    fn jump(&mut self) -> Option<Outcome> {
        let start = self.here();
        self.at += 1;
        let mut words: Vec<Span> = Vec::new();
        while let Some(token) = self.eat(T::Word) {
            words.push(token.span);
            if self.eat(T::Dot).is_none() {
                break;
            }
        }
        let closed = self.eat(T::CloseSquare).is_some();
        while !closed && self.peek().is_some_and(|token| !matches!(token.kind, T::Close | T::Or)) {
            let token = self.bump();
            if token.is_some_and(|token| token.kind == T::CloseSquare) {
                break;
            }
        }
        let whole = start.to(self.just_behind());
        let last = words.last().map_or("", |span| self.text(*span));
        match words.as_slice() {
            [stage, _] if last == "jump" && closed => {
                Some(Outcome::Jump { stage: self.label_word(*stage), step: None })
            }
            [stage, step, _] if last == "jump" && closed => {
                let stage = self.label_word(*stage);
                Some(Outcome::Jump { stage, step: Some(self.word(*step)) })
            }
            _ => {
                let mut diagnostic = Diagnostic::new(Code::Expected, whole, "this is no jump")
                    .reason("a jump is `[label.jump]` or `[label.step.jump]`");
                if let (Some(end), true) = (words.last(), last != "jump" && closed && words.len() <= 2) {
                    diagnostic = diagnostic.fix("add `.jump`", vec![(Span::new(end.end, end.end), ".jump".to_owned())]);
                }
                self.report(diagnostic);
                Some(Outcome::Cancel)
            }
        }
    }
}
