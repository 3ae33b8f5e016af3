//! Steps: worker and references.

use super::*;

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
                let diagnostic = help.into_iter().fold(diagnostic, Diagnostic::help);
                if next != T::Arrow || self.peek_kind(2) != Some(T::Dot) {
                    self.report(diagnostic);
                } else {
                    self.at += 1;
                    let known = self.diagnostics.len();
                    let whole = self.reference().is_some() && self.peek_kind(0) == Some(T::Leads);
                    let edges = [(subject.start, "["), (self.behind(), "]")];
                    let edges = edges.map(|(at, edge)| (Span::new(at, at), edge.to_owned()));
                    if whole && self.diagnostics.len() == known {
                        self.report(diagnostic.fix("put it into brackets", edges.into()));
                    } else {
                        self.report(diagnostic);
                    }
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

    pub(super) fn label_word(&mut self, span: Span) -> Word {
        self.not_reserved(span, "a label");
        self.word(span)
    }
}
