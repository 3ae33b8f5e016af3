//! What stands at the top of a file and begins nothing there: told once, with what would make a program of it, and passed over.

use super::*;

impl Parser<'_> {
    /// Something at the top that begins nothing: reported once, then skipped up to what does.
    pub(super) fn stray(&mut self) {
        let span = self.here();
        let text = self.text(span);
        let from = self.at;
        let diagnostic = if keyword(text).is_some() {
            Diagnostic::new(Code::NoProgram, span, format!("a `{text}` outside of a program"))
                .help("wrap it: `out <= ( … ) <= in`")
        } else {
            let what = "a definition `word <= ( … )` or the program `out <= ( … ) <= in`";
            Diagnostic::new(Code::Expected, span, format!("expected {what}, found {}", self.found()))
        };
        self.skip_stray(span);
        let stray = self.tokens.get(from..self.at).unwrap_or(&[]);
        self.report(match self.program_around(stray) {
            Some(fix) => diagnostic.fix("make a program of it", fix),
            None => diagnostic,
        });
        self.lost = true;
    }

    /// To what begins a definition or the program.
    fn skip_stray(&mut self, span: Span) {
        let mut depth = 0usize;
        while let Some(token) = self.peek() {
            let last = self.peek_kind(1).is_none() && self.at > 0;
            let starts = token.kind == T::Word
                && (self.text(token.span) == "out" && !last
                    || self.peek_kind(1) == Some(T::Arrow) && self.peek_kind(2) == Some(T::Open));
            if depth == 0 && starts && token.span != span && keyword(self.text(token.span)).is_none() {
                return;
            }
            match token.kind {
                T::Open => depth += 1,
                T::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
        }
    }

    /// What makes a program of tokens that lack what stands around one: a group, stages or steps, and perhaps `<= in`.
    fn program_around(&self, stray: &[Token]) -> Option<Vec<(Span, String)>> {
        let flows = |token: &Token| matches!(token.kind, T::Arrow | T::Leads);
        let (first, second) = (stray.first()?, stray.get(1)?);
        if let ([.., arrow, out], "in", "out") = (stray, self.text(first.span), self.text(stray.last()?.span))
            && flows(second)
            && flows(arrow)
        {
            let turned = [(first, "out"), (second, "<="), (arrow, "<="), (out, "in")];
            return Some(turned.map(|(token, text)| (token.span, text.to_owned())).into());
        }
        let body = match stray {
            [body @ .., arrow, word] if flows(arrow) && self.text(word.span) == "in" => body,
            _ => stray,
        };
        let steps = first.kind == T::OpenSquare || matches!(second.kind, T::Leads | T::Less | T::Tilde);
        let (before, behind) = match first.kind {
            T::Open => ("out <= ", ""),
            T::Word if keyword(self.text(first.span)).is_some() => ("out <= ( ", " )"),
            T::Word | T::OpenSquare if steps => ("out <= ( switch <= ( ", " ) )"),
            _ => return None,
        };
        let end = if body.len() == stray.len() { " <= in" } else { "" };
        let (start, stop) = (first.span.start, body.last()?.span.end);
        Some(vec![(Span::new(start, start), before.to_owned()), (Span::new(stop, stop), format!("{behind}{end}"))])
    }
}
