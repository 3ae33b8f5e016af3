//! The planted bugs can be planted: each changes one place of the machine. `tests/planted/run` plants them.
#![allow(clippy::disallowed_methods, clippy::expect_used)]

use std::fs;

#[test]
fn the_text_of_each_planted_bug_occurs_once() {
    let lists =
        ["bugs", "crashes"].map(|list| fs::read_to_string(format!("tests/planted/{list}.txt")).expect("the list"));
    let bugs = lists.join("\n\n");
    let mut planted = 0;
    for bug in bugs.split("\n\n").filter(|bug| bug.starts_with("# ")) {
        let mut lines = bug.lines();
        let name = lines.next().unwrap_or_default();
        let file = lines.next().unwrap_or_default();
        let old: Vec<&str> = lines.filter_map(|line| line.strip_prefix('-')).collect();
        let source = fs::read_to_string(file).unwrap_or_else(|error| panic!("{name}: {file}: {error}"));
        assert_eq!(source.matches(&old.join("\n")).count(), 1, "{name}: the text in {file} has changed");
        planted += 1;
    }
    assert!(planted >= 24, "{planted} bugs");
}
