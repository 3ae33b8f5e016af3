//! The grammar of the language as data: for a person to read, for a sampler that holds a model to it, and for tests that hold the parser
//! to it. What names mean, and where an outcome or a jump may stand, is no matter of grammar: `lower` says that.

mod ebnf;
mod gbnf;
#[cfg(test)]
mod tests;

pub use ebnf::ebnf;
pub use gbnf::gbnf;

/// A part of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// Another rule, by its name.
    Rule(&'static str),
    /// A word of the language or a sign, as it is written.
    Text(&'static str),
    /// What is written in many ways.
    Lexeme(Lexeme),
    /// One behind the other.
    All(Vec<Term>),
    /// One of them.
    One(Vec<Term>),
    /// Once or not at all.
    Maybe(Box<Term>),
    /// As often as one likes, also never.
    Any(Box<Term>),
    /// Nothing but white space, which must be there since two words meet.
    Apart,
}

/// What is written in many ways, and has no parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lexeme {
    /// A word that is none of the language's.
    Name,
    /// Any word.
    Word,
    /// A whole number from 1 to 65,535.
    Count,
    /// `30s`.
    Duration,
    /// `$0.50`.
    Money,
    /// `20kt`.
    Tokens,
    /// TOML between two lines `+++`, on the first line of a file.
    FrontMatter,
}

impl Lexeme {
    /// All, with the name of each.
    pub const ALL: [(Lexeme, &str); 7] = [
        (Lexeme::Name, "name"),
        (Lexeme::Word, "word"),
        (Lexeme::Count, "count"),
        (Lexeme::Duration, "duration"),
        (Lexeme::Money, "money"),
        (Lexeme::Tokens, "tokens"),
        (Lexeme::FrontMatter, "front-matter"),
    ];

    fn name(self) -> &'static str {
        Lexeme::ALL.iter().find(|(lexeme, _)| *lexeme == self).map_or("", |(_, name)| name)
    }
}

fn all(terms: impl IntoIterator<Item = Term>) -> Term {
    Term::All(terms.into_iter().collect())
}

fn one(terms: impl IntoIterator<Item = Term>) -> Term {
    Term::One(terms.into_iter().collect())
}

fn maybe(terms: impl IntoIterator<Item = Term>) -> Term {
    Term::Maybe(Box::new(all(terms)))
}

fn any(terms: impl IntoIterator<Item = Term>) -> Term {
    Term::Any(Box::new(all(terms)))
}

/// The rules, each with its name; the first is a whole file.
pub fn rules() -> Vec<(&'static str, Term)> {
    use Lexeme::{Count, Duration, FrontMatter, Money, Name, Tokens, Word};
    use Term::{Apart, Rule, Text};
    let [front_matter, name, word] = [FrontMatter, Name, Word].map(Term::Lexeme);
    let listed = |rule: &'static str| all([Rule(rule), any([Text(","), Rule(rule)])]);
    let outcomes = |rule: &'static str| all([Rule(rule), any([Rule("or"), Rule(rule)])]);
    let times = || maybe([Text("*"), Term::Lexeme(Count)]);
    vec![
        ("file", all([maybe([front_matter]), any([Rule("definition")]), Rule("program")])),
        ("program", all([Text("out"), Text("<="), Rule("group"), Text("<="), Text("in")])),
        ("definition", all([name.clone(), Text("<="), Rule("group")])),
        ("group", all([Text("("), maybe([Rule("chain")]), Text(")")])),
        ("chain", all([Rule("stage"), any([Text("<="), Rule("stage")])])),
        ("stage", one([Rule("calls"), Rule("match")])),
        (
            "calls",
            all([
                one(["switch", "select", "join"].map(Text)),
                Rule("head"),
                Text("("),
                Rule("element"),
                any([Apart, Rule("element")]),
                Text(")"),
            ]),
        ),
        ("match", all([Text("match"), Rule("head"), Text("("), Rule("arm"), any([Apart, Rule("arm")]), Text(")")])),
        ("head", all([maybe([Text("["), name.clone(), Text("]")]), maybe([Rule("limits")]), Text("<=")])),
        ("limits", all([Text("<"), listed("limit"), Text(">")])),
        ("limit", one([Count, Duration, Money, Tokens, Name].map(Term::Lexeme))),
        ("element", one([Rule("step"), Rule("chain"), all([Text("out"), Text("<="), Rule("chain")])])),
        (
            "step",
            all([
                one([Rule("call"), all([Text("["), Rule("call"), Text("<="), listed("reference"), Text("]")])]),
                Text("=>"),
                outcomes("outcome"),
            ]),
        ),
        (
            "call",
            all([Rule("worker"), maybe([maybe([Text("<=")]), Rule("limits")]), maybe([Text("~"), Rule("worker")])]),
        ),
        ("worker", all([name.clone(), any([Text("."), word.clone()])])),
        (
            "reference",
            all([
                one([
                    Text("in"),
                    all([name.clone(), maybe([Text("."), word.clone()]), Text("."), one(["in", "out"].map(Text))]),
                ]),
                maybe([Text("."), Text("*")]),
            ]),
        ),
        ("or", one(["|", "||"].map(Text))),
        ("outcome", one([Rule("end"), Text("continue"), all([Text("back"), times()]), all([Text("retry"), times()])])),
        ("end", one([Text("next"), Text("send"), Text("cancel"), Text("timeout"), Rule("jump")])),
        ("jump", all([Text("["), name.clone(), maybe([Text("."), word]), Text("."), Text("jump"), Text("]")])),
        (
            "arm",
            all([
                one([name, Text("default"), Text("cancel"), Text("timeout")]),
                Text("=>"),
                one([outcomes("end"), all([Text("out"), Text("<="), Rule("chain")])]),
            ]),
        ),
    ]
}
