//! The grammar in the notation of the W3C, for a person.

use super::{Lexeme, Term, rules};
use aivm_schema::word::RESERVED;
use std::fmt::Write;

/// The rules, a line each, and below them how the words are written.
pub fn ebnf() -> String {
    let mut out = String::from(
        "/* White space and comments, from `;` to the end of the line, may stand between all of these. */\n",
    );
    let rules = rules();
    let width =
        rules.iter().map(|(name, _)| name.len()).chain(Lexeme::ALL.map(|(_, name)| name.len())).max().unwrap_or(0);
    for (name, term) in &rules {
        let _ = writeln!(out, "{name:<width$} ::= {}", written(term, Around::Nothing));
    }
    out.push('\n');
    for (lexeme, name) in Lexeme::ALL {
        let _ = writeln!(out, "{name:<width$} ::= {}", spelt(lexeme));
    }
    out
}

/// How tightly what stands around a term holds it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Around {
    Nothing,
    /// Other ways: `a | b`.
    Ways,
    /// Other parts: `a b`.
    Parts,
    /// How often: `a*`.
    Often,
}

fn written(term: &Term, around: Around) -> String {
    let joined = |terms: &[Term], by: &str, around: Around| {
        let parts = terms.iter().filter(|term| **term != Term::Apart).map(|term| written(term, around));
        parts.collect::<Vec<_>>().join(by)
    };
    let held = |text: String, needed: bool| if needed { format!("( {text} )") } else { text };
    match term {
        Term::Rule(name) => (*name).to_owned(),
        Term::Text(text) => format!("\"{text}\""),
        Term::Lexeme(lexeme) => lexeme.name().to_owned(),
        Term::All(terms) => {
            let parts = terms.iter().filter(|term| **term != Term::Apart).count();
            held(
                joined(terms, " ", if parts == 1 { around } else { Around::Parts }),
                parts > 1 && around == Around::Often,
            )
        }
        Term::One(terms) => held(joined(terms, " | ", Around::Ways), around > Around::Ways),
        Term::Maybe(term) => written(term, Around::Often) + "?",
        Term::Any(term) => written(term, Around::Often) + "*",
        Term::Apart => String::new(),
    }
}

fn spelt(lexeme: Lexeme) -> String {
    match lexeme {
        Lexeme::Name => {
            let reserved = RESERVED.map(|word| format!("\"{word}\""));
            format!("word - ( {} )", reserved.join(" | "))
        }
        Lexeme::Word => "[A-Za-z_] [A-Za-z0-9_]* ( \"-\"+ [A-Za-z0-9_]+ )*".to_owned(),
        Lexeme::Count => "[0-9]+ /* from 1 to 65,535 */".to_owned(),
        Lexeme::Duration => "[0-9]+ ( \"ms\" | \"s\" | \"m\" | \"h\" | \"d\" )".to_owned(),
        Lexeme::Money => "\"$\" [0-9]+ ( \".\" [0-9]+ )? /* at most six decimals */".to_owned(),
        Lexeme::Tokens => "[0-9]+ ( \"t\" | \"kt\" | \"Mt\" )".to_owned(),
        Lexeme::FrontMatter => "\"+++\" #xA TOML \"+++\" #xA /* on the first line of the file */".to_owned(),
    }
}
