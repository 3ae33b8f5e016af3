//! Chains and stages: heads, elements, arms.

use super::*;
use crate::lower::nearest;
use aivm_schema::word::BY_ENDING;

impl Parser<'_> {
    /// `stage { "<=" stage }`; at least one stage, or an error was reported.
    pub(super) fn chain(&mut self) -> ChainId {
        let id = ChainId(self.tree.chains.len() as u32);
        self.tree.chains.push(Chain { stages: Vec::new() });
        let start = self.here();
        self.spans.chains.push(start);
        let mut stages = Vec::new();
        loop {
            stages.extend(self.stage());
            if self.peek_kind(0) != Some(T::Arrow) || self.peek_text(1) == "in" {
                break;
            }
            self.arrow(true);
        }
        let span = start.to(self.just_behind());
        if let Some(chain) = self.tree.chains.get_mut(id.index()) {
            chain.stages = stages;
        }
        if let Some(place) = self.spans.chains.get_mut(id.index()) {
            *place = span;
        }
        id
    }

    /// `kind head ( … )`.
    fn stage(&mut self) -> Option<StageId> {
        let start = self.here();
        let kind = self.kind()?;
        let (mut label, mut label_span) = self.label();
        let (limits, limit_spans) = self.limits();
        if label.is_none() && !limits.is_empty() && self.peek_kind(0) == Some(T::OpenSquare) {
            self.report(
                Diagnostic::new(Code::Expected, self.here(), "expected the label before the limits")
                    .help("write them so: `switch[name]<5> <= ( … )`"),
            );
            (label, label_span) = self.label();
        }
        let head = start.to(self.just_behind());
        if !self.arrow(false) {
            if self.peek_kind(0) == Some(T::Open) {
                let behind = self.just_behind();
                self.report(
                    Diagnostic::new(
                        Code::Expected,
                        self.here(),
                        "expected `<=` between the head of a stage and its `(`",
                    )
                    .fix("add it", vec![(behind, " <=".to_owned())]),
                );
            } else if self.peek_kind(0) == Some(T::Leads) && self.peek_kind(1) == Some(T::Open) {
                let span = self.here();
                self.at += 1;
                self.report(
                    Diagnostic::new(Code::Expected, span, "expected `<= (` after the head of a stage, found `=>`")
                        .fix("write `<=`", vec![(span, "<=".to_owned())]),
                );
            } else {
                self.expected("`<= (` after the head of a stage");
                return None;
            }
        }
        if self.eat(T::Open).is_none() {
            self.expected("`(`");
            return None;
        }
        self.lost = false;
        let id = StageId(self.tree.stages.len() as u32);
        self.tree.stages.push(Stage { kind, label, limits, elements: Vec::new(), arms: Vec::new() });
        self.spans.stages.push(StageSpans {
            whole: head,
            head,
            label: label_span,
            limits: limit_spans,
            ..StageSpans::default()
        });
        self.body(id, kind);
        Some(id)
    }

    /// Elements or arms, up to and over the closing bracket.
    fn body(&mut self, id: StageId, kind: tree::Kind) {
        let (mut elements, mut arms) = (Vec::new(), Vec::new());
        let (mut element_spans, mut arm_spans) = (Vec::new(), Vec::new());
        let before = self.diagnostics.len();
        let mut idle = 0;
        while let Some(token) = self.peek().filter(|token| idle > 0 || token.kind != T::Close) {
            let at = self.at;
            if token.kind == T::Open || token.kind == T::Close {
                self.idle_bracket(&mut idle);
                continue;
            }
            if kind == tree::Kind::Match {
                if let Some((arm, spans)) = self.arm() {
                    arms.push(arm);
                    arm_spans.push(spans);
                }
            } else if let Some(element) = self.element() {
                elements.push(element);
                element_spans.push(token.span.to(self.just_behind()));
            }
            if self.at == at {
                // Nothing begins here, and something was said about it.
                self.at += 1;
            }
        }
        self.eat(T::Close);
        self.lost = false;
        let whole = Span::new(0, self.behind());
        let empty = elements.is_empty() && arms.is_empty() && self.diagnostics.len() == before;
        if let (Some(stage), Some(spans)) =
            (self.tree.stages.get_mut(id.index()), self.spans.stages.get_mut(id.index()))
        {
            stage.elements = elements;
            stage.arms = arms;
            spans.whole.end = whole.end;
            spans.elements = element_spans;
            spans.arms = arm_spans;
            if empty {
                let head = spans.head;
                let what = if kind == tree::Kind::Match { "an arm `word => send`" } else { "a step `worker => next`" };
                self.report(
                    Diagnostic::new(Code::EmptyStage, head, "this stage is empty")
                        .help(format!("give it at least {what}")),
                );
            }
        }
    }

    /// A bracket where an element may begin: groups nothing here, so its elements are read as the stage's own.
    fn idle_bracket(&mut self, open: &mut usize) {
        let span = self.here();
        if self.eat(T::Close).is_some() {
            *open -= 1;
            return;
        }
        self.at += 1;
        *open += 1;
        self.report(
            Diagnostic::new(Code::Expected, span, "expected a step or a stage, found `(`")
                .reason("brackets do not group steps: each pair belongs to a stage, a definition or the program")
                .help("name its kind, as in `switch <= ( … )`, or remove this pair"),
        );
    }

    /// The keyword that opens a stage.
    fn kind(&mut self) -> Option<tree::Kind> {
        let span = self.here();
        if self.peek_kind(0) != Some(T::Word) {
            self.expected("`switch`, `select`, `join` or `match`");
            // `out <= [label] <= ( … )`: a stage without its keyword.
            let head = matches!(self.peek_kind(0), Some(T::OpenSquare | T::Less | T::Arrow));
            return head.then(|| self.kind_inside());
        }
        let text = self.text(span);
        self.at += 1;
        if let Some(kind) = keyword(text) {
            return Some(kind);
        }
        if invented::is_loop(text) && self.peek_kind(0) != Some(T::Leads) {
            // Nobody knows what leads back, so there is no fix.
            let message = format!("`{text}` is no kind of stage: the language has no loops");
            let help = "use `switch`, and let a step lead back: `verify => back | next`, or `[label.step.jump]`";
            self.report(Diagnostic::new(Code::Misspelt, span, message).help(help));
            return keyword("switch");
        }
        match invented::kind(text).map(str::to_owned).or_else(|| nearest(text, KEYWORDS.into_iter())) {
            Some(meant) if self.peek_kind(0) != Some(T::Leads) || self.peek_kind(1) == Some(T::Open) => {
                self.report(
                    Diagnostic::new(Code::Misspelt, span, format!("`{text}` is no kind of stage"))
                        .fix(format!("did you mean `{meant}`?"), vec![(span, meant.clone())]),
                );
                keyword(&meant)
            }
            _ => {
                self.at -= 1;
                let message = format!("expected a stage, found `{text}`");
                let mut diagnostic = Diagnostic::new(Code::Expected, span, message)
                    .reason("a group holds stages: `switch`, `select`, `join` or `match`, each with its own `( … )`");
                if self.peek_kind(1) == Some(T::Leads) {
                    let help = "put the steps into a stage: `switch <= ( … )`";
                    let end = self.end_of_group();
                    let edges = [(span.start, "switch <= ( "), (end, " )")];
                    let edges = edges.map(|(at, edge)| (Span::new(at, at), edge.to_owned()));
                    diagnostic = diagnostic.help(help).fix("put them into a `switch`", edges.into());
                }
                self.report(diagnostic);
                None
            }
        }
    }

    /// Where the group ends that is open here.
    fn end_of_group(&self) -> u32 {
        let mut depth = 0usize;
        let mut end = self.behind();
        for token in self.tokens.get(self.at..).unwrap_or(&[]) {
            match token.kind {
                T::Open => depth += 1,
                T::Close if depth == 0 => break,
                T::Close => depth -= 1,
                _ => {}
            }
            end = token.span.end;
        }
        end
    }

    /// The kind that the first element of a stage speaks for.
    fn kind_inside(&self) -> tree::Kind {
        let mut rest = self.tokens.get(self.at..).unwrap_or(&[]).iter().skip_while(|token| token.kind != T::Open);
        match rest.nth(1) {
            Some(first) if BY_ENDING.contains(&self.text(first.span)) => tree::Kind::Match,
            _ => tree::Kind::Switch,
        }
    }

    /// `[word]`, if one stands here.
    fn label(&mut self) -> (Option<Word>, Span) {
        if self.eat(T::OpenSquare).is_none() {
            return (None, Span::default());
        }
        let name = self.name("a label");
        if self.eat(T::CloseSquare).is_none() {
            self.expected("`]` after the label");
            while self.peek().is_some_and(|token| !matches!(token.kind, T::CloseSquare | T::Open | T::Close)) {
                self.at += 1;
            }
            self.eat(T::CloseSquare);
        }
        (name.map(|(word, _)| word), name.map(|(_, span)| span).unwrap_or_default())
    }

    /// A step or a nested chain.
    fn element(&mut self) -> Option<Element> {
        let text = self.peek_text(0);
        match self.peek_kind(0) {
            Some(T::Word) if text == "out" => {
                self.at += 1;
                self.arrow_after_out();
                Some(Element::Chain { chain: self.chain(), out: true })
            }
            Some(T::Arrow) if keyword(self.peek_text(1)).is_some() => {
                self.out_missing();
                Some(Element::Chain { chain: self.chain(), out: true })
            }
            Some(T::Word) if keyword(text).is_some() || self.looks_like_stage() => {
                Some(Element::Chain { chain: self.chain(), out: false })
            }
            Some(T::Word | T::OpenSquare) => self.step().map(Element::Step),
            _ => {
                self.expected("a step `worker => next` or a stage");
                self.skip_to_element();
                None
            }
        }
    }

    /// The `<=` between `out` and a chain.
    fn arrow_after_out(&mut self) {
        if !self.arrow(true) {
            let fix = vec![(self.just_behind(), " <=".to_owned())];
            let message = format!("expected `<=` after `out`, found {}", self.found());
            self.ended |= self.peek().is_none();
            self.report(Diagnostic::new(Code::Expected, self.here(), message).fix("add it", fix));
            self.lost = keyword(self.peek_text(0)).is_none();
        }
    }

    /// `<= switch <= ( … )` without anything before it: over the arrow.
    fn out_missing(&mut self) {
        let arrow = self.here();
        let place = Span::new(arrow.start, arrow.start);
        self.report(
            Diagnostic::new(Code::Expected, arrow, "expected `out` before this `<=`")
                .fix("add it", vec![(place, "out ".to_owned())]),
        );
        self.at += 1;
    }

    /// A word with `<= (` or `[label] … <= (` behind it is a stage, though its keyword is misspelt.
    fn looks_like_stage(&self) -> bool {
        match (self.peek_kind(1), self.peek_kind(2)) {
            (Some(T::Arrow), Some(T::Open)) => true,
            (Some(T::Open), first) => first != Some(T::Number),
            (Some(T::OpenSquare), Some(T::Word)) => {
                self.peek_kind(3) == Some(T::CloseSquare) && matches!(self.peek_kind(4), Some(T::Arrow | T::Less))
            }
            _ => false,
        }
    }

    /// `word => ends` or `word => out <= chain`.
    fn arm(&mut self) -> Option<(Arm, ArmSpans)> {
        let span = self.here();
        let text = self.text(span);
        if self.peek_kind(0) != Some(T::Word) {
            let message = format!("expected an arm `word => send`, found {}", self.found());
            let step = self.peek_kind(0) == Some(T::OpenSquare);
            let mut diagnostic = Diagnostic::new(Code::Expected, span, message);
            if self.peek_kind(0) == Some(T::Star) && self.peek_kind(1) == Some(T::Leads) {
                diagnostic = diagnostic.fix("write `default`", vec![(span, "default".to_owned())]);
            }
            if step {
                diagnostic = diagnostic
                    .reason("a match calls nobody: its arms decide on what came to it")
                    .help("put the step into a stage above, or write `word => out <= switch <= ( … )`");
            }
            self.ended |= self.peek().is_none();
            self.report(diagnostic);
            self.lost = true;
            self.skip_to_element();
            return None;
        }
        let out = text == "out" && self.peek_kind(1) == Some(T::Arrow);
        if out || keyword(text).is_some() && self.peek_kind(1) != Some(T::Leads) {
            self.report(
                Diagnostic::new(Code::Expected, span, "an arm begins with a word: when is this chain taken?")
                    .help("write `default => out <= …`"),
            );
            self.at += if out { 2 } else { 0 };
            self.chain();
            return None;
        }
        self.at += 1;
        let on = match text {
            "default" => ArmOn::Default,
            "cancel" => ArmOn::Cancel,
            "timeout" => ArmOn::Timeout,
            _ => {
                self.not_reserved(span, "a word that a worker can answer");
                ArmOn::Word(self.word(span))
            }
        };
        if !self.leads(span) {
            self.expected("`=>` after the word of an arm");
            self.skip_to_element();
            return None;
        }
        if self.chain_of_arm() {
            let chain = self.chain();
            return Some((Arm { on, then: ArmThen::Chain(chain) }, ArmSpans { on: span, ends: Vec::new() }));
        }
        let (ends, spans) = self.outcomes(span, true);
        Some((Arm { on, then: ArmThen::Ends(ends) }, ArmSpans { on: span, ends: spans }))
    }

    /// Over the `out <=` of an arm; does a chain follow?
    fn chain_of_arm(&mut self) -> bool {
        let here = self.here();
        if self.peek_text(0) == "out" {
            self.at += 1;
            self.arrow_after_out();
            return true;
        }
        if self.peek_kind(0) == Some(T::Arrow) && keyword(self.peek_text(1)).is_some() {
            self.out_missing();
            return true;
        }
        let chain = keyword(self.peek_text(0)).is_some();
        if chain {
            self.report(
                Diagnostic::new(Code::Expected, here, "expected `out <=` before the chain of an arm")
                    .fix("add it", vec![(Span::new(here.start, here.start), "out <= ".to_owned())]),
            );
        }
        chain
    }

    /// To the next place where an element may begin, or the end of the stage.
    pub(super) fn skip_to_element(&mut self) {
        let mut depth = 0usize;
        while let Some(token) = self.peek() {
            match token.kind {
                T::Open | T::OpenSquare => depth += 1,
                T::Close if depth == 0 => return,
                T::Close | T::CloseSquare => depth = depth.saturating_sub(1),
                T::Word if depth == 0 => {
                    let text = self.text(token.span);
                    let begins_step =
                        matches!(self.peek_kind(1), Some(T::Leads | T::Less | T::Tilde)) && !is_reserved(text);
                    self.lost &= !begins_step;
                    let refers = self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map(|token| token.kind);
                    if begins_step || keyword(text).is_some() || text == "out" && refers != Some(T::Dot) {
                        return;
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
    }
}
