//! The grammar as llama.cpp reads one: a model that is sampled by it writes programs, and nothing else.

use super::{Lexeme, Term, rules};
use aivm_schema::word::RESERVED;
use std::collections::BTreeSet;
use std::fmt::Write;

/// The rules, beginning with `root`. Each sign and word is followed by `ws`: less white space than the language takes, since a model that
/// may go on with it for ever sometimes does.
pub fn gbnf() -> String {
    let mut out = String::new();
    for (name, term) in rules() {
        let name = if name == "file" { "root" } else { name };
        let _ = writeln!(out, "{name} ::= {}", written(&term, false));
    }
    out.push_str(
        r#"ws ::= (" " | line-end)?
apart ::= line-end | " "
line-end ::= (" ;" [^\n]*)? "\n" " "*
word ::= [A-Za-z_] rest
rest ::= [A-Za-z0-9_]* dashed
dashed ::= ("-"+ [A-Za-z0-9_]+)*
count ::= [1-9] [0-9]? [0-9]? [0-9]? | [1-5] [0-9] [0-9] [0-9] [0-9] | "6" [0-4] [0-9] [0-9] [0-9] | "65" [0-4] [0-9] [0-9] | "655" [0-2] [0-9] | "6553" [0-5]
duration ::= number ("ms" | "s" | "m" | "h" | "d")
tokens ::= number ("t" | "kt" | "Mt")
money ::= "$" number ("." [0-9] [0-9]? [0-9]? [0-9]? [0-9]? [0-9]?)?
number ::= [0-9] [0-9]? [0-9]? [0-9]? [0-9]? [0-9]? [0-9]?
front-matter ::= "+++\n" line* "+++\n"
line ::= ([^+\n] [^\n]*)? "\n"
"#,
    );
    names("", &mut out);
    out
}

fn written(term: &Term, within: bool) -> String {
    let joined = |terms: &[Term], by: &str| terms.iter().map(|term| written(term, true)).collect::<Vec<_>>().join(by);
    match term {
        Term::Rule(name) => (*name).to_owned(),
        Term::Text(text) => format!("\"{text}\" ws"),
        Term::Lexeme(lexeme) => format!("{} ws", lexeme.name()),
        Term::All(terms) => joined(terms, " "),
        Term::One(terms) if within => format!("({})", joined(terms, " | ")),
        Term::One(terms) => joined(terms, " | "),
        Term::Maybe(term) => format!("({})?", written(term, false)),
        Term::Any(term) => format!("({})*", written(term, false)),
        Term::Apart => "apart".to_owned(),
    }
}

/// What can follow this beginning of a word of the language, so that the whole is another word: `name` and, for each beginning, a rule
/// of its own. The notation has no "but".
fn names(beginning: &str, out: &mut String) {
    let following: BTreeSet<char> =
        RESERVED.iter().filter_map(|word| word.strip_prefix(beginning)?.chars().next()).collect();
    let is_first = beginning.is_empty();
    let other = |c: &char| !following.contains(c);
    let letters = ('A'..='Z').chain(['_']).chain('a'..='z').filter(other);
    let digits = ('0'..='9').filter(|_| !is_first);
    let others: String = letters.chain(digits).collect();
    let mut ways = vec![format!("[{others}] rest")];
    ways.extend(following.iter().map(|c| format!("\"{c}\" {}", rule(&format!("{beginning}{c}")))));
    if !is_first {
        ways.push("\"-\"+ [A-Za-z0-9_]+ dashed".to_owned());
        if !RESERVED.contains(&beginning) {
            ways.push("\"\"".to_owned());
        }
    }
    let _ = writeln!(out, "{} ::= {}", rule(beginning), ways.join(" | "));
    for next in following {
        names(&format!("{beginning}{next}"), out);
    }
}

fn rule(beginning: &str) -> String {
    if beginning.is_empty() { Lexeme::Name.name().to_owned() } else { format!("name-{beginning}") }
}
