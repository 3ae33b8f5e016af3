//! The programs of `tests/asm`: assembly whose first comment says what the workers answer and what must happen.
//!
//! `; answer WHO = REPLY, …` for a worker or a key, the last repeats: `ok` (its input and its name), `ok TEXT`, a word
//! (the verdict), `fail`, `fail KIND`; each with `after MS`, `costs MONEY` and `stubborn` (goes on when cancelled) behind it.
//! `; limits` and `; raise` with `calls N`, `money N`, `tokens N`; `; cancel at MS`. `; > LINE` is what happens, line by line.

use crate::mutants::{Tally, survive};
use crate::world::*;
use aivm_schema::module::{EndKind, RunLimits, assemble};
use aivm_vm::verify;
use std::path::Path;

fn reply(text: &str) -> Reply {
    let mut words = text.split_whitespace().peekable();
    let mut reply = match words.next().expect("a reply") {
        "ok" => ok(),
        "fail" => fails(),
        word => says(word),
    };
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|number| number.parse().ok()).expect("a number");
        reply = match word {
            "after" => reply.after(number()),
            "costs" => reply.costs(number()),
            "stubborn" => reply.stubborn(),
            "cancel" => reply.fails_by(EndKind::Cancel),
            "exhausted" => reply.fails_by(EndKind::Exhausted),
            "timeout" => reply.fails_by(EndKind::Timeout),
            payload => reply.text(payload),
        };
    }
    reply
}

fn limits(text: &str) -> RunLimits {
    let mut limits = RunLimits::default();
    let words: Vec<&str> = text.split_whitespace().collect();
    for pair in words.chunks(2) {
        let most = pair.get(1).and_then(|number| number.parse().ok());
        match pair[0] {
            "calls" => limits.calls = most,
            "money" => limits.money = most,
            "tokens" => limits.tokens = most,
            other => panic!("no limit of {other}"),
        }
    }
    limits
}

/// What its first comment expects, and what happens.
fn run(text: &str) -> (Vec<String>, Vec<String>) {
    let module = assemble(text).unwrap_or_else(|errors| panic!("{errors:?}"));
    let mut world = World::new(verify(module).unwrap_or_else(|error| panic!("{error}")));
    let mut expected = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("; ")) {
        if let Some((who, replies)) = line.strip_prefix("answer ").and_then(|rest| rest.split_once('=')) {
            let replies: Vec<Reply> = replies.split(',').map(reply).collect();
            world = world.reply(who.trim(), &replies);
        } else if let Some(rest) = line.strip_prefix("limits ") {
            world = world.limits(limits(rest));
        } else if let Some(rest) = line.strip_prefix("raise ") {
            world = world.raise(limits(rest));
        } else if let Some(at) = line.strip_prefix("cancel at ") {
            world = world.cancel_at(at.parse().expect("milliseconds"));
        } else if let Some(line) = line.strip_prefix("> ") {
            expected.push(line.to_owned());
        }
    }
    (expected, world.run())
}

/// Name and text of every program.
fn programs() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/asm");
    let mut programs: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "asm"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    programs.sort();
    assert!(programs.len() >= 15, "{} programs", programs.len());
    programs
}

#[test]
fn every_program_does_what_its_first_comment_says() {
    let mut wrong = Vec::new();
    for (name, text) in programs() {
        println!("{name}");
        let (expected, happened) = run(&text);
        assert!(!expected.is_empty(), "{name} expects nothing");
        if expected != happened {
            let happened: Vec<String> = happened.iter().map(|line| format!("; > {line}")).collect();
            wrong.push(format!("{name}:\n{}", happened.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "another thing happened:\n{}", wrong.join("\n"));
}

#[test]
fn every_mutant_is_refused_or_runs_to_its_end() {
    let mut tally = Tally::default();
    for (name, text) in programs() {
        survive(&name, &assemble(&text).unwrap(), 8, &mut tally);
    }
    println!("{tally:?}");
    assert!(tally.refused > tally.accepted && tally.runs > 500, "{tally:?}");
}
