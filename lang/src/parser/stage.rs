//! Chains and stages: heads, elements, arms.

use super::*;
use crate::lower::nearest;

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
            self.at += 1;
        }
        let span = start.to(Span::new(self.behind(), self.behind()));
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
        let (label, label_span) = self.label();
        let (limits, limit_spans) = self.limits();
        let head = start.to(Span::new(self.behind(), self.behind()));
        if self.eat(T::Arrow).is_none() {
            if self.peek_kind(0) == Some(T::Open) {
                let behind = Span::new(self.behind(), self.behind());
                self.report(
                    Diagnostic::new(Code::Expected, self.here(), "expected `<=` between the head of a stage and its `(`")
                        .fix("add it", vec![(behind, " <=".to_owned())]),
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
        let id = StageId(self.tree.stages.len() as u32);
        self.tree.stages.push(Stage { kind, label, limits, elements: Vec::new(), arms: Vec::new() });
        self.spans.stages.push(StageSpans { whole: head, head, label: label_span, limits: limit_spans, ..StageSpans::default() });
        self.body(id, kind);
        Some(id)
    }

    /// Elements or arms, up to and over the closing bracket.
    fn body(&mut self, id: StageId, kind: tree::Kind) {
        let (mut elements, mut arms) = (Vec::new(), Vec::new());
        let (mut element_spans, mut arm_spans) = (Vec::new(), Vec::new());
        let before = self.diagnostics.len();
        while let Some(token) = self.peek().filter(|token| token.kind != T::Close) {
            let at = self.at;
            if kind == tree::Kind::Match {
                if let Some((arm, spans)) = self.arm() {
                    arms.push(arm);
                    arm_spans.push(spans);
                }
            } else if let Some(element) = self.element() {
                elements.push(element);
                element_spans.push(token.span.to(Span::new(self.behind(), self.behind())));
            }
            if self.at == at {
                self.at += 1;
            }
        }
        self.eat(T::Close);
        let whole = Span::new(0, self.behind());
        let empty = elements.is_empty() && arms.is_empty() && self.diagnostics.len() == before;
        if let (Some(stage), Some(spans)) = (self.tree.stages.get_mut(id.index()), self.spans.stages.get_mut(id.index())) {
            stage.elements = elements;
            stage.arms = arms;
            spans.whole.end = whole.end;
            spans.elements = element_spans;
            spans.arms = arm_spans;
            if empty {
                let head = spans.head;
                let what = if kind == tree::Kind::Match { "an arm `word => send`" } else { "a step `worker => next`" };
                self.report(Diagnostic::new(Code::EmptyStage, head, "this stage is empty").help(format!("give it at least {what}")));
            }
        }
    }

    /// The keyword that opens a stage.
    fn kind(&mut self) -> Option<tree::Kind> {
        let span = self.here();
        if self.peek_kind(0) != Some(T::Word) {
            self.expected("`switch`, `select`, `join` or `match`");
            return None;
        }
        let text = self.text(span);
        self.at += 1;
        if let Some(kind) = keyword(text) {
            return Some(kind);
        }
        match nearest(text, KEYWORDS.into_iter()) {
            Some(meant) => {
                self.report(
                    Diagnostic::new(Code::Misspelt, span, format!("`{text}` is no kind of stage"))
                        .fix(format!("did you mean `{meant}`?"), vec![(span, meant.clone())]),
                );
                keyword(&meant)
            }
            None => {
                self.at -= 1;
                let message = format!("expected a stage, found `{text}`");
                let mut diagnostic = Diagnostic::new(Code::Expected, span, message)
                    .reason("a group holds stages: `switch`, `select`, `join` or `match`, each with its own `( … )`");
                if self.peek_kind(1) == Some(T::Leads) {
                    diagnostic = diagnostic.help("put the steps into a stage: `switch <= ( … )`");
                }
                self.report(diagnostic);
                None
            }
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
                if self.eat(T::Arrow).is_none() {
                    self.expected("`<=` after `out`");
                    self.skip_to_element();
                    return None;
                }
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

    /// A word with `<= (` or `[label] … <= (` behind it is a stage, though its keyword is misspelt.
    fn looks_like_stage(&self) -> bool {
        match (self.peek_kind(1), self.peek_kind(2)) {
            (Some(T::Arrow), Some(T::Open)) => true,
            (Some(T::OpenSquare), Some(T::Word)) => self.peek_kind(3) == Some(T::CloseSquare) && matches!(self.peek_kind(4), Some(T::Arrow | T::Less)),
            _ => false,
        }
    }

    /// `word => ends` or `word => out <= chain`.
    fn arm(&mut self) -> Option<(Arm, ArmSpans)> {
        let span = self.here();
        let text = self.text(span);
        if self.peek_kind(0) != Some(T::Word) {
            self.expected("an arm `word => send`");
            self.skip_to_element();
            return None;
        }
        if text == "out" && self.peek_kind(1) == Some(T::Arrow) {
            self.report(
                Diagnostic::new(Code::Expected, span, "an arm begins with a word: when is this chain taken?")
                    .help("write `default => out <= …`"),
            );
            self.at += 2;
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
        if self.eat(T::Leads).is_none() {
            self.expected("`=>` after the word of an arm");
            self.skip_to_element();
            return None;
        }
        if self.peek_text(0) == "out" && self.peek_kind(1) == Some(T::Arrow) {
            self.at += 2;
            let chain = self.chain();
            return Some((Arm { on, then: ArmThen::Chain(chain) }, ArmSpans { on: span, ends: Vec::new() }));
        }
        if keyword(self.peek_text(0)).is_some() {
            let here = self.here();
            self.report(
                Diagnostic::new(Code::Expected, here, "expected `out <=` before the chain of an arm")
                    .fix("add it", vec![(Span::new(here.start, here.start), "out <= ".to_owned())]),
            );
            let chain = self.chain();
            return Some((Arm { on, then: ArmThen::Chain(chain) }, ArmSpans { on: span, ends: Vec::new() }));
        }
        let (ends, spans) = self.outcomes(span, true);
        Some((Arm { on, then: ArmThen::Ends(ends) }, ArmSpans { on: span, ends: spans }))
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
                    let begins_step = matches!(self.peek_kind(1), Some(T::Leads | T::Less | T::Tilde)) && !is_reserved(text);
                    if begins_step || keyword(text).is_some() || text == "out" {
                        return;
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
    }
}
