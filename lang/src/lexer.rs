//! Source text to tokens. Nothing is lost: spaces and comments are tokens too, and the texts of all tokens joined are the
//! source. Habits of other languages are tokens on purpose, so that the parser can explain them.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

use crate::span::Span;
use logos::Logos;

/// What a token is.
#[derive(Logos, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Spaces, tabs and line ends.
    #[regex(r"[ \t\r\n\x0c]+")]
    #[token("\u{feff}")]
    Space,
    /// `;` to the end of the line.
    #[regex(r";[^\n]*", allow_greedy = true)]
    Comment,
    /// A word, reserved or not.
    #[regex(r"[A-Za-z_][A-Za-z0-9_]*(-+[A-Za-z0-9_]+)*")]
    Word,
    /// `5`, `30s`, `20kt`: digits and letters.
    #[regex(r"[0-9][A-Za-z0-9_.]*")]
    Number,
    /// `$0.50`.
    #[regex(r"\$[0-9A-Za-z_.]*")]
    Money,
    /// `(`
    #[token("(")]
    Open,
    /// `)`
    #[token(")")]
    Close,
    /// `[`
    #[token("[")]
    OpenSquare,
    /// `]`
    #[token("]")]
    CloseSquare,
    /// `<`
    #[token("<")]
    Less,
    /// `>`
    #[token(">")]
    Greater,
    /// `<=`
    #[token("<=")]
    Arrow,
    /// `=>`
    #[token("=>")]
    Leads,
    /// `|` or `||`
    #[token("|")]
    #[token("||")]
    Or,
    /// `*`
    #[token("*")]
    Star,
    /// `,`
    #[token(",")]
    Comma,
    /// `.`
    #[token(".")]
    Dot,
    /// `~`
    #[token("~")]
    Tilde,
    /// A word that ends in `-`.
    #[regex(r"[A-Za-z_][A-Za-z0-9_]*(-+[A-Za-z0-9_]+)*-+", priority = 3)]
    BadWord,
    /// `->`, `→`, `⇒`, `=`, `==`, `:`, `:=`, `-->`, `~>`: meant as `=>`.
    #[token("->")]
    #[token("-->")]
    #[token("→")]
    #[token("⇒")]
    #[token("==>")]
    #[token(":")]
    #[token(":=")]
    #[token("=")]
    #[token("==")]
    HabitLeads,
    /// `<-`, `←`, `⇐`, `≤`: meant as `<=`.
    #[token("<-")]
    #[token("←")]
    #[token("⇐")]
    #[token("≤")]
    #[token("<==")]
    HabitArrow,
    /// `//`, `#`, `--` and what follows on the line, `/* … */`: meant as a comment.
    #[regex(r"(//|#)[^\n]*", allow_greedy = true)]
    #[regex(r"/\*([^*]|\*+[^*/])*\*+/")]
    HabitComment,
    /// `{`: meant as `(`.
    #[token("{")]
    HabitOpen,
    /// `}`: meant as `)`.
    #[token("}")]
    HabitClose,
    /// `&&`, `&`, `/`: meant as `|`.
    #[token("&&")]
    #[token("&")]
    #[token("/")]
    HabitOr,
    /// `"text"`: the language has no strings.
    #[regex(r#""[^"\n]*"?"#)]
    #[regex(r"'[^'\n]*'?")]
    #[regex(r"[“”‘’«»„][^“”‘’«»„\n]*[“”‘’«»„]?")]
    HabitString,
    /// A Markdown fence.
    #[regex(r"```[^\n]*", allow_greedy = true)]
    HabitFence,
    /// Anything else; runs of it are one token.
    Strange,
}

/// A token: what it is and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Where.
    pub span: Span,
}

impl Kind {
    /// Space or comment: nothing that the grammar sees.
    pub fn is_trivia(self) -> bool {
        matches!(self, Kind::Space | Kind::Comment)
    }
}

/// The tokens of a source text of at most 4 GiB, beginning at byte `from`. Linear; never fails.
pub fn lex(source: &str, from: u32) -> Vec<Token> {
    let text = source.get(from as usize..).unwrap_or("");
    let mut tokens: Vec<Token> = Vec::with_capacity(text.len() / 4);
    let mut lexer = Kind::lexer(text);
    while let Some(kind) = lexer.next() {
        let range = lexer.span();
        let span = Span::new(from + range.start as u32, from + range.end as u32);
        let kind = kind.unwrap_or(Kind::Strange);
        match tokens.last_mut() {
            Some(last) if kind == Kind::Strange && last.kind == Kind::Strange => last.span.end = span.end,
            _ => tokens.push(Token { kind, span }),
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds(source: &str) -> Vec<Kind> {
        lex(source, 0).into_iter().map(|token| token.kind).filter(|kind| *kind != Kind::Space).collect()
    }

    #[test]
    fn arrows_limits_and_words() {
        use Kind::*;
        assert_eq!(kinds("plan<5>=> next"), [Word, Less, Number, Greater, Leads, Word]);
        assert_eq!(
            kinds("[plan <= <5> <= a.out.*]"),
            [OpenSquare, Word, Arrow, Less, Number, Greater, Arrow, Word, Dot, Word, Dot, Star, CloseSquare]
        );
        assert_eq!(kinds("a-b || c-"), [Word, Or, BadWord]);
        assert_eq!(kinds("<30s,$0.50,20kt>"), [Less, Number, Comma, Money, Comma, Number, Greater]);
        assert_eq!(kinds("; a comment => (\nx"), [Comment, Word]);
    }

    #[test]
    fn habits_of_other_languages() {
        use Kind::*;
        assert_eq!(kinds("a -> b // c\n# d"), [Word, HabitLeads, Word, HabitComment, HabitComment]);
        assert_eq!(kinds("{ “smart” } ≤ /* x */"), [HabitOpen, HabitString, HabitClose, HabitArrow, HabitComment]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(source in "\\PC{0,200}") {
            let joined: String = lex(&source, 0).iter().map(|token| &source[token.span.range()]).collect();
            prop_assert_eq!(joined, source);
        }

        #[test]
        fn nothing_is_lost_of_what_looks_like_a_program(source in "[a-z<>=()\\[\\]|;\\n .*~$0-9-]{0,200}") {
            let joined: String = lex(&source, 0).iter().map(|token| &source[token.span.range()]).collect();
            prop_assert_eq!(joined, source);
        }
    }
}
