//! The grammar and the parser are of one mind: what is made by it parses, and what parses is recognised by it.

#![allow(clippy::disallowed_methods)] // It reads the pages of the repository.

use super::*;
use crate::lexer::{Kind as T, Token, lex};
use crate::parser::parse;
use aivm_schema::unit::{Milliseconds, Money, Tokens};
use aivm_schema::word::is_reserved;
use proptest::prelude::*;
use std::collections::{BTreeSet, HashMap};

/// Makes a text by the rules; `choose` says which of so many ways.
struct Maker<'c> {
    rules: HashMap<&'static str, Term>,
    choose: &'c mut dyn FnMut(usize) -> usize,
    out: String,
    /// What is left of it before the shortest way is taken.
    room: usize,
}

impl Maker<'_> {
    fn write(&mut self, term: &Term) {
        match term {
            Term::Rule(name) => {
                self.room = self.room.saturating_sub(1);
                let term = self.rules.get(name).expect("a rule").clone();
                self.write(&term);
            }
            Term::Text(text) => self.put(text),
            Term::Lexeme(lexeme) => {
                let ways = samples(*lexeme);
                let nth = (self.choose)(ways.len());
                self.put(ways[nth]);
            }
            Term::All(terms) => terms.iter().for_each(|term| self.write(term)),
            Term::One(terms) => {
                // The first way of each rule leads to its end.
                let nth = if self.room == 0 { 0 } else { (self.choose)(terms.len()) };
                self.write(&terms[nth]);
            }
            Term::Maybe(term) => {
                if self.room > 0 && (self.choose)(2) == 1 {
                    self.write(term);
                }
            }
            Term::Any(term) => {
                while self.room > 0 && (self.choose)(3) == 1 {
                    self.write(term);
                }
            }
            Term::Apart => self.out.push(['\n', '\t', ' '][(self.choose)(3)]),
        }
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        // Signs that stand beside each other may be read as one.
        match (self.choose)(4) {
            0 => self.out.push_str(" ; a comment\n"),
            _ => self.out.push(' '),
        }
    }
}

fn samples(lexeme: Lexeme) -> &'static [&'static str] {
    match lexeme {
        Lexeme::Name => &["a", "_", "match-regex", "A_b--c2", "nexts", "success"],
        Lexeme::Word => &["a", "next", "in", "jump", "b-2"],
        Lexeme::Count => &["1", "65535", "10000", "08"],
        Lexeme::Duration => &["0ms", "30s", "2h", "1d"],
        Lexeme::Money => &["$1", "$0.50", "$12.345678"],
        Lexeme::Tokens => &["500t", "20kt", "1Mt"],
        Lexeme::FrontMatter => &["+++\n[limits]\ncalls = 3\n+++\n"],
    }
}

fn made(choose: &mut dyn FnMut(usize) -> usize) -> String {
    let rules = rules();
    let first = rules[0].1.clone();
    let mut maker = Maker { rules: rules.into_iter().collect(), choose, out: String::new(), room: 60 };
    maker.write(&first);
    maker.out
}

/// Whether a text is one by the rules, and how far each rule can reach from each token.
struct Recogniser<'t> {
    rules: HashMap<&'static str, Term>,
    tokens: Vec<(T, &'t str)>,
    known: HashMap<(&'static str, usize), BTreeSet<usize>>,
}

impl Recogniser<'_> {
    /// Where it may end that begins at a token.
    fn ends(&mut self, term: &Term, at: usize) -> BTreeSet<usize> {
        match term {
            Term::Rule(name) => {
                if let Some(known) = self.known.get(&(name, at)) {
                    return known.clone();
                }
                let term = self.rules.get(name).expect("a rule").clone();
                let ends = self.ends(&term, at);
                self.known.insert((name, at), ends.clone());
                ends
            }
            Term::Text(text) => self.one(at, |_, said| said == *text),
            Term::Lexeme(lexeme) => self.one(at, |kind, said| is(*lexeme, kind, said)),
            Term::All(terms) => terms
                .iter()
                .fold(BTreeSet::from([at]), |from, term| from.into_iter().flat_map(|at| self.ends(term, at)).collect()),
            Term::One(terms) => terms.iter().flat_map(|term| self.ends(term, at)).collect(),
            Term::Maybe(term) => self.ends(term, at).into_iter().chain([at]).collect(),
            Term::Any(term) => {
                let (mut all, mut new) = (BTreeSet::from([at]), BTreeSet::from([at]));
                while !new.is_empty() {
                    new = new.into_iter().flat_map(|at| self.ends(term, at)).filter(|end| !all.contains(end)).collect();
                    all.extend(&new);
                }
                all
            }
            Term::Apart => BTreeSet::from([at]),
        }
    }

    fn one(&self, at: usize, fits: impl Fn(T, &str) -> bool) -> BTreeSet<usize> {
        let fit = self.tokens.get(at).filter(|(kind, said)| fits(*kind, said));
        fit.map(|_| at + 1).into_iter().collect()
    }
}

fn is(lexeme: Lexeme, kind: T, said: &str) -> bool {
    match (lexeme, kind) {
        (Lexeme::Name, T::Word) => !is_reserved(said),
        (Lexeme::Word, T::Word) | (Lexeme::FrontMatter, T::Strange) => true,
        (Lexeme::Count, T::Number) => said.parse::<u16>().is_ok_and(|count| count > 0),
        (Lexeme::Duration, T::Number) => said.parse::<Milliseconds>().is_ok(),
        (Lexeme::Tokens, T::Number) => said.parse::<Tokens>().is_ok(),
        (Lexeme::Money, T::Money) => said.parse::<Money>().is_ok(),
        _ => false,
    }
}

fn is_recognised(text: &str) -> bool {
    let (_, body) = crate::parser::body(text);
    let said = |token: &Token| text.get(token.span.range()).unwrap_or_default();
    let tokens = lex(text, body);
    let tokens = tokens.iter().filter(|token| !matches!(token.kind, T::Space | T::Comment));
    // Front matter is cut off before there are tokens.
    let front =
        (body > 0 && text.get(..body as usize).is_some_and(|front| front.contains("+++"))).then_some((T::Strange, ""));
    let tokens: Vec<(T, &str)> = front.into_iter().chain(tokens.map(|token| (token.kind, said(token)))).collect();
    let rules = rules();
    let first = rules[0].1.clone();
    let whole = tokens.len();
    let mut recogniser = Recogniser { rules: rules.into_iter().collect(), tokens, known: HashMap::new() };
    recogniser.ends(&first, 0).contains(&whole)
}

/// Every block of the reference and of the examples.
fn programs() -> Vec<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut programs = Vec::new();
    for folder in ["tests/spec", "docs", "docs/errors", "stdlib/workers"] {
        for page in std::fs::read_dir(root.join(folder)).expect("pages").flatten().map(|entry| entry.path()) {
            let page = if page.extension().is_some_and(|e| e == "md") {
                std::fs::read_to_string(page).expect("a page")
            } else {
                continue;
            };
            let blocks = page.split("```aivm").skip(1).filter_map(|rest| rest.split_once('\n')?.1.split_once("\n```"));
            programs.extend(blocks.map(|(program, _)| format!("{program}\n")));
        }
    }
    for example in std::fs::read_dir(root.join("examples")).expect("examples").flatten() {
        programs.extend(std::fs::read_to_string(example.path().join("pipeline.aivm")));
    }
    programs
}

#[test]
fn what_the_parser_accepts_the_grammar_accepts_and_nothing_else() {
    let programs = programs();
    let parsed = programs.iter().filter(|program| parse(program).diagnostics.is_empty()).count();
    assert!(parsed > 200 && programs.len() - parsed > 20, "{parsed} of {}", programs.len());
    for program in programs {
        let diagnostics = parse(&program).diagnostics;
        assert_eq!(is_recognised(&program), diagnostics.is_empty(), "{diagnostics:?}\n{program}");
    }
}

#[test]
fn every_rule_is_reached_and_every_name_is_one() {
    fn named(term: &Term, names: &mut BTreeSet<&'static str>) {
        match term {
            Term::Rule(name) => drop(names.insert(name)),
            Term::All(terms) | Term::One(terms) => terms.iter().for_each(|term| named(term, names)),
            Term::Maybe(term) | Term::Any(term) => named(term, names),
            Term::Text(_) | Term::Lexeme(_) | Term::Apart => {}
        }
    }
    let rules = rules();
    let mut names = BTreeSet::from(["file"]);
    rules.iter().for_each(|(_, term)| named(term, &mut names));
    assert_eq!(names, rules.iter().map(|(name, _)| *name).collect());
}

#[test]
fn each_rule_of_gbnf_has_its_names() {
    let text = gbnf();
    let defined: BTreeSet<&str> = text.lines().filter_map(|line| Some(line.split_once(" ::= ")?.0)).collect();
    for line in text.lines() {
        let (_, mut body) = line.split_once(" ::= ").expect(line);
        // Without what stands in quotes or square brackets.
        let mut bare = String::new();
        while let Some(at) = body.find(['"', '[']) {
            bare.push_str(&body[..at]);
            let end = if body[at..].starts_with('"') { '"' } else { ']' };
            let close = body[at + 1..].find(end).expect("it closes");
            body = &body[at + close + 2..];
        }
        bare.push_str(body);
        for name in bare.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).filter(|name| !name.is_empty()) {
            assert!(defined.contains(name), "{name} in {line}");
        }
    }
    assert!(defined.contains("root") && defined.contains("name-switch"));
}

#[test]
fn the_notation_for_people() {
    insta::assert_snapshot!(ebnf());
}

proptest! {
    #[test]
    fn what_the_grammar_makes_parses(choices in prop::collection::vec(0_u16.., 1..400)) {
        let mut at = 0;
        let text = made(&mut |ways| {
            at += 1;
            usize::from(choices[at % choices.len()]) % ways
        });
        let parsed = parse(&text);
        prop_assert!(parsed.diagnostics.is_empty(), "{:?}\n{text}", parsed.diagnostics);
        prop_assert!(is_recognised(&text), "{text}");
    }
}
