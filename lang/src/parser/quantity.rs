//! What stands between `<` and `>`, and counts after `*`.

use super::*;
use aivm_schema::unit::{Milliseconds, Money, Tokens};

/// How far ahead the `>` of a list of limits is sought.
const MOST_LIMITS: usize = 64;

impl Parser<'_> {
    /// `< limit, limit >`, if one begins here.
    pub(super) fn limits(&mut self) -> (Vec<Limit>, Vec<Span>) {
        let (mut limits, mut spans) = (Vec::new(), Vec::new());
        let Some(open) = self.eat(T::Less) else { return self.limit_in_brackets().into_iter().unzip() };
        loop {
            match self.peek().map(|token| (token.kind, token.span)) {
                Some((kind @ (T::Number | T::Money | T::Word), span)) => {
                    self.at += 1;
                    if let Some(limit) = self.limit(kind, span) {
                        limits.push(limit);
                        spans.push(span);
                    }
                }
                _ => self
                    .expected("a limit: a count `5`, a time `30s`, money `$0.50`, tokens `20kt` or a behaviour's name"),
            }
            match self.peek_kind(0) {
                Some(T::Comma) => self.at += 1,
                Some(T::Number | T::Money | T::Word) if self.closes_soon() => {
                    let fix = vec![(self.just_behind(), ",".to_owned())];
                    self.report(
                        Diagnostic::new(Code::Expected, self.here(), "expected `,` between limits").fix("add it", fix),
                    );
                }
                _ => break,
            }
        }
        if self.eat(T::Greater).is_none() {
            let message = "this `<` is never closed";
            self.report(Diagnostic::new(Code::Unclosed, open.span, message).help("limits stand between `<` and `>`"));
            self.lost = true;
        }
        (limits, spans)
    }

    /// `(5)` where `<5>` is meant.
    fn limit_in_brackets(&mut self) -> Option<(Limit, Span)> {
        let inside = matches!(self.peek_kind(1), Some(T::Number | T::Money));
        if self.peek_kind(0) != Some(T::Open) || !inside || self.peek_kind(2) != Some(T::Close) {
            return None;
        }
        let open = self.here();
        self.at += 1;
        let token = self.bump()?;
        let close = self.here();
        self.at += 1;
        let fix = vec![(open, "<".to_owned()), (close, ">".to_owned())];
        let message = "limits stand between `<` and `>`";
        self.report(Diagnostic::new(Code::Expected, open.to(close), message).fix("write them so", fix));
        Some((self.limit(token.kind, token.span)?, token.span))
    }

    /// Does a `>` end the limits?
    fn closes_soon(&self) -> bool {
        let inside = |kind: &T| matches!(kind, T::Number | T::Money | T::Word | T::Comma);
        let rest = self.tokens.get(self.at..).unwrap_or(&[]).iter().map(|token| token.kind);
        rest.take(MOST_LIMITS).find(|kind| !inside(kind)) == Some(T::Greater)
    }

    fn limit(&mut self, kind: T, span: Span) -> Option<Limit> {
        let text = self.text(span);
        match kind {
            T::Word => {
                self.not_reserved(span, "a behaviour");
                return Some(Limit::Behaviour(self.word(span)));
            }
            T::Money => {
                let money: Result<Money, _> = text.parse();
                return match money {
                    Ok(money) => Some(Limit::Money(money.0)),
                    Err(error) => self.bad_quantity(span, error.to_string()),
                };
            }
            _ => {}
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return self.count(span).map(Limit::Count);
        }
        if text.ends_with('t') {
            let tokens: Result<Tokens, _> = text.parse();
            return match tokens {
                Ok(tokens) => Some(Limit::Tokens(tokens.0)),
                Err(error) => self.bad_quantity(span, error.to_string()),
            };
        }
        let time: Result<Milliseconds, _> = text.parse();
        match time {
            Ok(time) => Some(Limit::Duration(time.0)),
            Err(_) => self.bad_quantity(
                span,
                format!("`{text}` is no limit: a count `5`, a time `30s`, money `$0.50`, tokens `20kt`"),
            ),
        }
    }

    fn bad_quantity<T>(&mut self, span: Span, message: String) -> Option<T> {
        self.report(Diagnostic::new(Code::BadQuantity, span, message).reason(
            "durations end in `ms`, `s`, `m`, `h` or `d`, tokens in `t`, `kt` or `Mt`, and money begins with `$`",
        ));
        None
    }

    /// A count of 1 to 65,535.
    pub(super) fn count(&mut self, span: Span) -> Option<u16> {
        let text = self.text(span);
        let count: Option<u16> = text.parse().ok().filter(|count| *count > 0);
        if count.is_none() {
            let whole = text.bytes().all(|byte| byte.is_ascii_digit());
            let code = if whole { Code::CountRange } else { Code::BadQuantity };
            self.report(Diagnostic::new(code, span, format!("`{text}` is no count: a whole number from 1 to 65,535")));
        }
        count
    }
}
