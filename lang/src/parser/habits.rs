//! Habits of other languages: told apart from mere mistakes, explained, and read as what was meant.

use crate::diagnostic::{Code, Diagnostic, MOST_ERRORS};
use crate::lexer::{Kind, Token};
use crate::span::Span;
use aivm_schema::limits;

/// The tokens that the grammar sees: no trivia, habits replaced by what they mean.
pub(super) fn explain(source: &str, tokens: Vec<Token>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Token> {
    let mut out = Vec::with_capacity(tokens.len() / 2);
    let foreign = tokens.iter().any(|token| is_foreign(source, token));
    let tokens = if foreign { join_words(source, tokens) } else { tokens };
    for (at, mut token) in tokens.iter().copied().enumerate() {
        if token.kind.is_trivia() {
            continue;
        }
        if token.kind == Kind::HabitLeads {
            // Before a bracket it is the other arrow: `switch -> ( … )`, `research = ( … )`.
            let next = tokens.iter().skip(at + 1).find(|next| !next.kind.is_trivia());
            if next.is_some_and(|next| matches!(next.kind, Kind::Open | Kind::HabitOpen)) {
                token.kind = Kind::HabitArrow;
            }
        }
        let text = source.get(token.span.range()).unwrap_or("");
        let (kind, diagnostic) = read(token, text);
        if let Some(diagnostic) = diagnostic
            && diagnostics.len() < MOST_ERRORS
        {
            diagnostics.push(diagnostic);
        }
        if let Some(kind) = kind {
            let span = if token.kind == Kind::BadWord {
                Span::new(token.span.start, token.span.start + text.trim_end_matches('-').len() as u32)
            } else {
                token.span
            };
            out.push(Token { kind, span });
        }
    }
    out
}

/// Letters that are not ASCII.
fn is_foreign(source: &str, token: &Token) -> bool {
    let letters = |text: &str| text.chars().all(char::is_alphanumeric);
    token.kind == Kind::Strange && source.get(token.span.range()).is_some_and(letters)
}

/// Words with letters that are not ASCII, whole.
fn join_words(source: &str, tokens: Vec<Token>) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    // Does the last token of `out` hold such letters?
    let mut foreign = false;
    for token in tokens {
        let part = is_foreign(source, &token);
        let letters = part || matches!(token.kind, Kind::Word | Kind::BadWord | Kind::Number);
        match out.last_mut() {
            Some(last)
                if (part && last.kind == Kind::Word || letters && foreign) && last.span.end == token.span.start =>
            {
                *last = Token { kind: Kind::BadWord, span: last.span.to(token.span) };
                foreign = true;
            }
            _ => {
                out.push(if part { Token { kind: Kind::BadWord, ..token } } else { token });
                foreign = part;
            }
        }
    }
    out
}

/// What a token means, and what to say about it.
fn read(token: Token, text: &str) -> (Option<Kind>, Option<Diagnostic>) {
    let span = token.span;
    let habit = |message: String, with: &str| {
        Diagnostic::new(Code::ForeignHabit, span, message)
            .fix(format!("write `{}`", with.trim()), vec![(span, with.to_owned())])
    };
    match token.kind {
        Kind::HabitLeads => (
            Some(Kind::Leads),
            Some(habit(format!("`{text}` is no arrow of this language: a step leads to its outcomes by `=>`"), "=>")),
        ),
        Kind::HabitArrow => (
            Some(Kind::Arrow),
            Some(habit(format!("`{text}` is no arrow of this language: values flow by `<=`"), "<=")),
        ),
        Kind::HabitOpen => {
            (Some(Kind::Open), Some(habit("`{` opens nothing here: groups stand in `( … )`".into(), "(")))
        }
        Kind::HabitClose => {
            (Some(Kind::Close), Some(habit("`}` closes nothing here: groups stand in `( … )`".into(), ")")))
        }
        Kind::HabitOr => (
            Some(Kind::Or),
            Some(habit(format!("`{text}` does not join outcomes: write them best first with `|` between"), "|")),
        ),
        Kind::HabitComment => {
            let body = text.trim_start_matches(['/', '#', '*']).trim_end_matches(['/', '*']).trim();
            let with = format!("; {}", body.replace('\n', "\n; "));
            let shown = text.get(..text.len().min(2)).unwrap_or("#");
            let diagnostic = Diagnostic::new(
                Code::ForeignHabit,
                span,
                format!("`{}` begins no comment here: comments begin with `;`", shown.trim()),
            )
            .fix("begin it with `;`", vec![(span, with)]);
            (None, Some(diagnostic))
        }
        Kind::HabitString => (
            None,
            Some(
                Diagnostic::new(Code::ForeignHabit, span, "the language has no strings")
                    .reason("a program is words and arrows; prompts, texts and settings live with the workers")
                    .help("put the text into the front matter or into `workers/WORD.md`"),
            ),
        ),
        Kind::HabitFence => (
            None,
            Some(
                Diagnostic::new(Code::ForeignHabit, span, "a Markdown fence around the program")
                    .fix("remove it", vec![(span, String::new())]),
            ),
        ),
        Kind::Strange => {
            let shown: String = text.chars().take(12).collect();
            (
                None,
                Some(Diagnostic::new(
                    Code::BadCharacter,
                    span,
                    format!("`{}` means nothing in this language", shown.escape_debug()),
                )),
            )
        }
        Kind::BadWord if !text.is_ascii() => {
            let diagnostic = Diagnostic::new(Code::BadWord, span, format!("`{text}` is no word of this language"))
                .reason("a word is ASCII: a letter or `_`, then letters, digits, `_` and `-`");
            (Some(Kind::Word), Some(diagnostic))
        }
        Kind::BadWord => {
            let word = text.trim_end_matches('-');
            let fix = vec![(span, word.to_owned())];
            (
                Some(Kind::Word),
                Some(
                    Diagnostic::new(
                        Code::BadWord,
                        span,
                        format!("`{text}` ends in `-`: a word ends in a letter, a digit or `_`"),
                    )
                    .fix(format!("write `{word}`"), fix),
                ),
            )
        }
        Kind::Word if text.len() > limits::WORD => {
            let message = format!("a word of {} letters: at most {}", text.len(), limits::WORD);
            (Some(Kind::Word), Some(Diagnostic::new(Code::BadWord, span, message)))
        }
        kind => (Some(kind), None),
    }
}
