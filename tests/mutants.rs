//! The law of mutants over what the compiler emits: every program of the reference, with one thing changed, is refused or runs.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod common;
#[path = "../vm/tests/machine/mutants.rs"]
mod mutants;
#[path = "../vm/tests/machine/world.rs"]
#[allow(dead_code)]
mod world;

use mutants::{Tally, survive};
use std::path::Path;

#[test]
fn every_mutant_of_a_compiled_program_is_refused_or_runs_to_its_end() {
    let pages = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec")).expect("the pages");
    let mut pages: Vec<_> = pages.flatten().map(|entry| entry.path()).collect();
    pages.sort();
    let mut tally = Tally::default();
    for page in pages {
        let text = std::fs::read_to_string(&page).expect("a page");
        for fence in common::fences(&text).into_iter().filter(|fence| fence.kind == "aivm") {
            if let Ok(compiled) = aivm_lang::compile("page.aivm", &fence.text, &common::Words) {
                survive(&format!("{} line {}", page.display(), fence.line), &compiled.module, 20, &mut tally);
            }
        }
    }
    println!("{tally:?}");
    assert!(tally.refused > tally.accepted && tally.runs > 200, "{tally:?}");
}
