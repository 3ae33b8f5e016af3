//! What the verifier refuses: `tests/asm/refused/*.asm`. The first line of each says by which rule, and where. A line with
//! `; right: TEXT` at its end stands right as TEXT (nothing: not at all), and the program that is put right is accepted: each breaks one rule only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests: a panic is how they speak.
#![allow(clippy::disallowed_methods)] // They read their programs from files.

use aivm_schema::module::{Module, assemble};
use aivm_vm::verify::{Place, Rule, VerifyError, verify};
use std::collections::HashSet;
use std::path::Path;

/// Name and text of each case.
fn cases() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/asm/refused");
    let mut cases: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "asm"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    cases.sort();
    cases
}

fn module(name: &str, text: &str) -> Module {
    assemble(text).unwrap_or_else(|errors| panic!("{name}: {errors:?}\n{text}"))
}

fn refused(module: Module) -> Option<VerifyError> {
    verify(module).err()
}

/// The text with what is wrong in it put right.
fn put_right(text: &str) -> String {
    let right = |line: &str| match line.split_once("; right:") {
        // What stands on the line keeps its label.
        Some((wrong, right)) => {
            let label = wrong.split_once(':').map_or("", |(label, _)| label);
            let label = if wrong.starts_with('L') { format!("{label}:") } else { String::new() };
            format!("{label}{right}\n")
        }
        None => format!("{line}\n"),
    };
    text.lines().map(right).collect()
}

/// Too many rows for a file.
fn too_many_words() -> Module {
    let text = "function out\n return";
    Module { words: (0..65_536).map(|n| n.to_string()).collect(), ..module("words", text) }
}

#[test]
fn each_is_refused_as_its_first_line_says() {
    let mut wrong = Vec::new();
    for (name, text) in cases() {
        let expected = text.lines().next().and_then(|line| line.strip_prefix("; ")).unwrap_or_default();
        let found = refused(module(&name, &text)).map_or("accepted".to_owned(), |error| error.to_string());
        if found != expected {
            wrong.push(format!("{name}\n  expected {expected}\n     found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_is_accepted_when_that_is_put_right() {
    for (name, text) in cases() {
        let right = put_right(&text);
        assert_ne!(right, text, "{name} says not what is right");
        if let Some(error) = refused(module(&name, &right)) {
            panic!("{name}, put right: {error}\n{right}");
        }
    }
}

#[test]
fn every_rule_has_a_case() {
    let files = cases().into_iter().map(|(name, text)| module(&name, &text));
    let broken: HashSet<Rule> = files.chain([too_many_words()]).filter_map(refused).map(|error| error.rule).collect();
    let without: Vec<&Rule> = Rule::ALL.iter().filter(|rule| !broken.contains(rule)).collect();
    assert!(without.is_empty(), "no module breaks {without:?}");
}

#[test]
fn the_page_of_each_code_has_the_sentences_of_its_rules() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
    for rule in Rule::ALL {
        let page = std::fs::read_to_string(folder.join(format!("{}.md", rule.code()))).unwrap();
        let line = format!("- {}", rule.text());
        assert!(page.lines().any(|other| other == line), "{}: {line}", rule.code());
    }
}

#[test]
fn a_table_is_counted() {
    let mut module = too_many_words();
    assert_eq!(refused(module.clone()), Some(VerifyError { place: Place::Module, rule: Rule::TooManyRows }));
    module.words.pop();
    assert_eq!(refused(module), None);
}

#[test]
fn counters_are_counted() {
    let mut module = module("counters", "function out\n return");
    module.functions[0].counters = vec![1; 65_535];
    let rule = refused(module.clone()).map(|error| (error.place, error.rule));
    assert_eq!(rule, Some((Place::Row("functions", 0), Rule::CounterLimit)));
    module.functions[0].counters.pop();
    assert_eq!(refused(module), None);
}
