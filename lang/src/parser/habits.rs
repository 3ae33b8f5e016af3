//! Habits of other languages: told apart from mere mistakes, explained, and read as what was meant.

use crate::diagnostic::{Code, Diagnostic, MOST_ERRORS};
use crate::lexer::{Kind, Token};
use crate::span::Span;
use aivm_schema::limits;
use aivm_schema::word::is_word;

/// The tokens that the grammar sees: no trivia, habits replaced by what they mean.
pub(super) fn explain(source: &str, tokens: Vec<Token>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Token> {
    let mut out = Vec::with_capacity(tokens.len() / 2);
    let foreign = tokens.iter().any(|token| is_foreign(source, token));
    let tokens = if foreign { join_words(source, tokens) } else { tokens };
    let mut fences = fences(source, &tokens);
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
        let fence = fences.take_if(|(first, _)| *first == at).map(|(_, diagnostic)| diagnostic);
        let (kind, diagnostic) = match fence.or_else(|| bullet(source, &tokens, at)) {
            Some(diagnostic) => (None, Some(diagnostic)),
            None => read(source, token, text, out.last()),
        };
        if let Some(diagnostic) = diagnostic
            && diagnostics.len() < MOST_ERRORS
        {
            diagnostics.push(diagnostic);
        }
        if let Some(kind) = kind {
            let span = if token.kind == Kind::BadWord {
                Span::new(token.span.start, token.span.start + text.trim_end_matches('-').len() as u32)
            } else if token.kind == Kind::HabitString {
                inside_quotes(token.span, text).0
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

/// The mark of a list, where steps are written as one: `- plan`, `* plan`, `1. plan`.
fn bullet(source: &str, tokens: &[Token], at: usize) -> Option<Diagnostic> {
    let token = tokens.get(at)?;
    let text = source.get(token.span.range())?;
    let number = || text.strip_suffix('.').is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    let is_mark = match token.kind {
        Kind::Strange => ["-", "•", "–", "+"].contains(&text),
        Kind::Star => true,
        Kind::Number => number(),
        _ => false,
    };
    if !is_mark {
        return None;
    }
    let before = source.get(..token.span.start as usize)?;
    let first_of_line = before.trim_end_matches([' ', '\t']).ends_with('\n');
    let [space, next] = [1, 2].map(|ahead| tokens.get(at + ahead).map(|next| next.kind));
    if !first_of_line || space != Some(Kind::Space) || !matches!(next, Some(Kind::Word | Kind::OpenSquare)) {
        return None;
    }
    let end = tokens.get(at + 1)?.span.end;
    let message = format!("`{text}` marks nothing here: steps stand below each other as they are");
    let edit = (Span::new(token.span.start, end), String::new());
    Some(Diagnostic::new(Code::ForeignHabit, token.span, message).fix("remove it", vec![edit]))
}

/// The first of two Markdown fences, and which token it is: what stands outside of them goes with them. Of several blocks nobody knows
/// which is meant, and a program may stand beside one: then nothing is thrown away.
fn fences(source: &str, tokens: &[Token]) -> Option<(usize, Diagnostic)> {
    let mut fences = tokens.iter().enumerate().filter(|(_, token)| token.kind == Kind::HabitFence);
    let ((at, first), (end, second)) = (fences.next()?, fences.next()?);
    let outside = [tokens.get(..at)?, tokens.get(end..)?];
    if fences.next().is_some() || outside.into_iter().any(leads_to_a_bracket) {
        return None;
    }
    let (first, second) = (first.span, second.span);
    let from = tokens.first().map_or(first, |token| token.span);
    let line_end = u32::from(source.get(first.end as usize..)?.starts_with('\n'));
    let edits = [Span::new(from.start, first.end + line_end), Span::new(second.start, source.len() as u32)];
    let edits = edits.map(|span| (span, String::new())).into();
    let message = "a Markdown fence around the program";
    Some((at, Diagnostic::new(Code::ForeignHabit, first, message).fix("keep what stands between the fences", edits)))
}

/// Is there an arrow before a bracket, as programs have them and prose has not?
fn leads_to_a_bracket(tokens: &[Token]) -> bool {
    let mut seen = tokens.iter().map(|token| token.kind).filter(|kind| !kind.is_trivia()).peekable();
    while let Some(kind) = seen.next() {
        let is_arrow = matches!(kind, Kind::Arrow | Kind::HabitArrow | Kind::HabitLeads);
        if is_arrow && matches!(seen.peek(), Some(Kind::Open | Kind::HabitOpen)) {
            return true;
        }
    }
    false
}

/// What stands between quotes, and where.
fn inside_quotes(span: Span, text: &str) -> (Span, &str) {
    let quote = |c: char| "\"'“”‘’«»„".contains(c);
    let front = text.len() - text.trim_start_matches(quote).len();
    let inside = text.trim_matches(quote);
    let start = span.start + front as u32;
    (Span::new(start, start + inside.len() as u32), inside)
}

/// What a token means, and what to say about it. `before`: the one that the grammar sees before it.
fn read(source: &str, token: Token, text: &str, before: Option<&Token>) -> (Option<Kind>, Option<Diagnostic>) {
    let span = token.span;
    // `report "smart"` gives a worker a text, `"report" =>` only quotes its name.
    let is_given = || {
        before.is_some_and(|word| {
            let up_to_it = source.get(..span.start as usize).unwrap_or("");
            let behind = up_to_it.trim_end_matches([' ', '\t']).len();
            word.kind == Kind::Word && word.span.end as usize == behind
        })
    };
    let habit = |message: String, with: &str| {
        // `plan: next`
        let close = source.get(..span.start as usize).is_some_and(|before| !before.ends_with(char::is_whitespace));
        let space = if close && matches!(token.kind, Kind::HabitLeads | Kind::HabitArrow) { " " } else { "" };
        Diagnostic::new(Code::ForeignHabit, span, message)
            .fix(format!("write `{with}`"), vec![(span, format!("{space}{with}"))])
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
        Kind::HabitString if !is_given() && is_word(inside_quotes(span, text).1) => {
            let word = inside_quotes(span, text).1;
            (
                Some(Kind::Word),
                Some(habit(format!("`{word}` stands without quotes: the language has no strings"), word)),
            )
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
