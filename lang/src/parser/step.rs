//! Steps: worker, references, outcomes.

use super::*;
use crate::lower::nearest;

/// More outcomes than anybody writes.
const MOST_OUTCOMES: usize = 64;

impl Parser<'_> {
    /// `worker => outcomes` or `[worker <= refs] => outcomes`.
    pub(super) fn step(&mut self) -> Option<StepId> {
        let start = self.here();
        let mut places = StepSpans { whole: start, ..StepSpans::default() };
        let mut refs = Vec::new();
        let (worker, limits, undo) = if self.eat(T::OpenSquare).is_some() {
            let head = self.worker(&mut places);
            self.references(&mut refs, &mut places);
            if self.eat(T::CloseSquare).is_none() {
                self.expected("`]` after the references");
                while self.peek().is_some_and(|token| !matches!(token.kind, T::CloseSquare | T::Close)) {
                    self.at += 1;
                }
                self.eat(T::CloseSquare);
            }
            head
        } else {
            self.worker(&mut places)
        }
        .or_else(|| {
            self.skip_to_element();
            None
        })?;
        let subject = places.worker;
        let outcomes = if self.leads(subject) {
            let (outcomes, spans) = self.outcomes(subject, false);
            places.outcomes = spans;
            outcomes
        } else {
            self.no_outcome(subject);
            Vec::new()
        };
        places.whole = start.to(self.just_behind());
        self.tree.steps.push(Step { worker, limits, undo, refs, outcomes });
        self.spans.steps.push(places);
        Some(StepId(self.tree.steps.len() as u32 - 1))
    }

    /// Over the `=>` between `subject` and its outcomes, also where it was forgotten or doubled; false when no outcomes follow.
    pub(super) fn leads(&mut self, subject: Span) -> bool {
        if self.eat(T::Leads).is_some() {
            self.lost = false;
            if let Some(second) = self.eat(T::Leads) {
                let fix = vec![(second.span, String::new())];
                self.report(Diagnostic::new(Code::Expected, second.span, "one `=>` is enough").fix("remove it", fix));
                while self.eat(T::Leads).is_some() {}
            }
            return true;
        }
        if self.peek_kind(0) == Some(T::Arrow) && OUTCOMES.contains(&self.peek_text(1)) {
            let span = self.here();
            self.at += 1;
            self.report(
                Diagnostic::new(Code::Expected, span, "expected `=>` and the outcomes of the step, found `<=`")
                    .fix("write `=>`", vec![(span, "=>".to_owned())]),
            );
            return true;
        }
        let outcome = self.peek_kind(0) == Some(T::Word)
            && OUTCOMES.contains(&self.peek_text(0))
            && self.peek_kind(1) != Some(T::Leads);
        if outcome || self.jump_follows() {
            let message = format!("expected `=>` between `{}` and its outcomes", self.text(subject));
            let fix = vec![(self.just_behind(), " =>".to_owned())];
            self.report(Diagnostic::new(Code::Expected, self.here(), message).fix("add it", fix));
            return true;
        }
        false
    }

    /// Does `[x.jump]` or `[x.y.jump]` stand here?
    fn jump_follows(&self) -> bool {
        self.peek_kind(0) == Some(T::OpenSquare)
            && [4, 6]
                .into_iter()
                .any(|end| self.peek_kind(end) == Some(T::CloseSquare) && self.peek_text(end - 1) == "jump")
    }

    fn no_outcome(&mut self, subject: Span) {
        let name = self.text(subject).to_owned();
        match self.peek_kind(0) {
            // Another element follows: this step just lacks its outcomes.
            Some(T::Word | T::OpenSquare | T::Close) | None => self.report(
                Diagnostic::new(Code::NoOutcome, subject, format!("`{name}` has no outcomes"))
                    .reason("a step says where its output may go, best first")
                    .fix("add one", vec![(self.just_behind(), " => next".to_owned())]),
            ),
            Some(T::Or) => {
                let span = self.here();
                self.report(
                    Diagnostic::new(Code::Expected, span, format!("expected `=>` between `{name}` and its outcomes"))
                        .fix("write `=>`", vec![(span, "=>".to_owned())]),
                );
                self.skip_to_element();
            }
            Some(next) => {
                let behind = self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map(|token| token.kind);
                let help = match next {
                    T::Less | T::Tilde if behind == Some(T::CloseSquare) => {
                        Some(format!("limits and undoer stand behind the worker: `[{name}<5> ~ undoer <= …]`"))
                    }
                    T::Less => {
                        Some("an undoer has no limits: it is called outside those of what was cancelled".to_owned())
                    }
                    T::Arrow => {
                        Some(format!("a step with references stands in brackets: `[{name} <= label.out] => next`"))
                    }
                    _ => None,
                };
                let message = format!("expected `=>` and the outcomes of the step, found {}", self.found());
                let diagnostic = Diagnostic::new(Code::Expected, self.here(), message);
                self.report(help.into_iter().fold(diagnostic, Diagnostic::help));
                if next == T::Arrow && self.peek_kind(2) == Some(T::Dot) {
                    self.at += 1;
                    self.reference();
                    if self.eat(T::Leads).is_some() {
                        self.outcomes(subject, false);
                        return;
                    }
                }
                self.skip_to_element();
            }
        }
    }

    /// `path [[<=] limits] [~ path]`.
    #[allow(clippy::type_complexity)]
    fn worker(&mut self, places: &mut StepSpans) -> Option<(Path, Vec<Limit>, Option<Path>)> {
        let (worker, span) = self.path("a worker's name")?;
        places.worker = span;
        if self.peek_kind(0) == Some(T::Arrow) && self.peek_kind(1) == Some(T::Less) {
            self.at += 1;
        }
        let (limits, spans) = self.limits();
        places.limits = spans;
        let undo = match self.eat(T::Tilde) {
            Some(_) => {
                let (undo, span) = self.path("the name of an undoer")?;
                places.undo = span;
                Some(undo)
            }
            None => None,
        };
        Some((worker, limits, undo))
    }

    fn path(&mut self, what: &str) -> Option<(Path, Span)> {
        let (first, start) = self.name(what)?;
        let mut path = Path { first, rest: Vec::new() };
        let mut span = start;
        while self.peek_kind(0) == Some(T::Dot) && self.peek_kind(1) == Some(T::Word) {
            self.at += 1;
            let here = self.here();
            self.at += 1;
            path.rest.push(self.word(here));
            span = span.to(here);
        }
        Some((path, span))
    }

    /// `<= ref, ref` in square brackets.
    fn references(&mut self, refs: &mut Vec<Ref>, places: &mut StepSpans) {
        if self.eat(T::Arrow).is_none() {
            let jump = self.tokens.get(self.at.saturating_sub(1)).is_some_and(|token| self.text(token.span) == "jump");
            if jump {
                let span = places.worker;
                self.report(
                    Diagnostic::new(Code::Expected, span, "a jump stands where a step begins")
                        .help("a jump is an outcome: `worker => [label.jump]`"),
                );
            } else {
                self.expected("`<=` and a reference: `[worker <= label.step.out]`");
            }
            return;
        }
        loop {
            let start = self.here();
            if let Some(reference) = self.reference() {
                refs.push(reference);
                places.refs.push(start.to(self.just_behind()));
            }
            if self.eat(T::Comma).is_none() {
                return;
            }
        }
    }

    /// `in`, `x.out`, `x.y.in`, each with `.*` or without.
    fn reference(&mut self) -> Option<Ref> {
        let start = self.here();
        let mut words: Vec<Span> = Vec::new();
        loop {
            let Some(token) = self.eat(T::Word) else {
                self.expected("a reference: `in`, `label.out` or `label.step.out`");
                return None;
            };
            words.push(token.span);
            if !(self.peek_kind(0) == Some(T::Dot) && self.peek_kind(1) == Some(T::Word)) {
                break;
            }
            self.at += 1;
        }
        let each = self.peek_kind(0) == Some(T::Dot) && self.peek_kind(1) == Some(T::Star);
        if each {
            self.at += 2;
        }
        let texts: Vec<&str> = words.iter().map(|span| self.text(*span)).collect();
        let side = match texts.last() {
            Some(&"in") => Side::In,
            Some(&"out") => Side::Out,
            _ => {
                let end = words.last().copied().unwrap_or(start);
                let end = Span::new(end.end, end.end);
                self.report(
                    Diagnostic::new(Code::Expected, start.to(end), "a reference says `.out` or `.in` at its end")
                        .fix("take its output", vec![(end, ".out".to_owned())]),
                );
                return None;
            }
        };
        let of = match words.as_slice() {
            [_] if side == Side::In => RefOf::Input,
            [_] => {
                self.report(
                    Diagnostic::new(
                        Code::Expected,
                        start,
                        "a bare `out` refers to nothing: it is what the program makes",
                    )
                    .help("refer to the input by `in`, to a stage by `label.out`"),
                );
                return None;
            }
            [stage, _] => RefOf::One(self.label_word(*stage)),
            [stage, step, _] => {
                let stage = self.label_word(*stage);
                RefOf::Two(stage, self.word(*step))
            }
            _ => {
                let span = start.to(words.last().copied().unwrap_or(start));
                self.report(
                    Diagnostic::new(Code::Expected, span, "a reference names a stage, or a stage and a step")
                        .help("label the inner stage and refer to it alone: labels are unique in a file"),
                );
                return None;
            }
        };
        Some(Ref { of, side, each })
    }

    fn label_word(&mut self, span: Span) -> Word {
        self.not_reserved(span, "a label");
        self.word(span)
    }

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
            if !forgotten && !comma {
                break;
            }
            let behind = self.just_behind();
            let edit = if comma { (self.here(), " |".to_owned()) } else { (behind, " |".to_owned()) };
            self.report(
                Diagnostic::new(Code::Expected, self.here(), "expected `|` between outcomes").fix("add it", vec![edit]),
            );
            self.eat(T::Comma);
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
        let diagnostic = match nearest(text, words.iter().copied()) {
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
