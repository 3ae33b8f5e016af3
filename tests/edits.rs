//! What happens while somebody writes: programs are edited at random the way people edit, and after each key everything that an editor, the
//! playground or a REPL asks is asked. Nothing panics, every place that is told lies in the text, and no text keeps the compiler busy.
//!
//! `AIVM_EDITS` says how many edits (3,000 unless set; a million takes half a minute in a release build), `AIVM_EDITS_FROM` the number
//! of the first session. In a release build a text that takes longer than [`MOST`] to be compiled, three times out of three, is a failure.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

#[path = "edits/asked.rs"]
mod asked;
mod common;
#[path = "common/dice.rs"]
mod dice;
#[path = "edits/typist.rs"]
mod typist;

use aivm_lang::service::Document;
use common::{Words, fences};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use typist::Typist;

/// So many edits are one session, of one text.
const SESSION: u64 = 200;
/// A text may keep the compiler busy for so long.
const MOST: Duration = Duration::from_millis(100);

fn number(variable: &str, unless: u64) -> u64 {
    std::env::var(variable).ok().map_or(unless, |text| text.replace('_', "").parse().expect("a number"))
}

/// What is edited: every program of the examples, the reference and the templates.
pub fn programs() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut programs = Vec::new();
    let mut folders = vec![root.join("examples"), root.join("tests/spec"), root.join("cli/init"), root.join("docs")];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(folder).expect("a folder").flatten().map(|e| e.path()).collect();
        entries.sort();
        for path in entries {
            let text = || std::fs::read_to_string(&path).expect("a text");
            match path.extension().and_then(|extension| extension.to_str()) {
                _ if path.is_dir() => folders.push(path),
                Some("aivm" | "yaml") => programs.push(text()),
                Some("toml") if text().contains("[[stages") || text().contains("[steps.") => programs.push(text()),
                Some("md") => {
                    let blocks = fences(&text()).into_iter().filter(|block| block.kind.starts_with("aivm"));
                    programs.extend(blocks.map(|block| block.text));
                }
                _ => {}
            }
        }
    }
    assert!(programs.len() > 200, "{}", programs.len());
    programs
}

/// What is known of a text after each key. In a release build it is known soon.
fn looked_at(text: &str, slowest: &AtomicU64) -> Document {
    let look = || {
        let began = Instant::now();
        let document = Document::new("edited.aivm", text, &Words);
        (document, began.elapsed())
    };
    let (document, took) = look();
    slowest.fetch_max(took.as_micros() as u64, Ordering::Relaxed);
    let is_slow = !cfg!(debug_assertions) && took > MOST && look().1 > MOST && look().1 > MOST;
    assert!(!is_slow, "it took {took:?} to compile\n{text}");
    document
}

#[test]
fn whatever_is_typed_is_answered() {
    let programs = programs();
    let (edits, from) = (number("AIVM_EDITS", 3_000), number("AIVM_EDITS_FROM", 0));
    let sessions = edits.div_ceil(SESSION);
    let (next, slowest, compiled) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let session = from + next.fetch_add(1, Ordering::Relaxed);
                    if session >= from + sessions {
                        break;
                    }
                    let mut typist = Typist::new(session, &programs);
                    for edit in 0..SESSION {
                        typist.edit();
                        let document = looked_at(&typist.text, &slowest);
                        compiled.fetch_add(u64::from(document.compiled().is_some()), Ordering::Relaxed);
                        let mut told = asked::diagnostics(&document);
                        if edit % 8 == 0 {
                            told = told.and_then(|()| asked::everything(&document, typist.at as u32, &Words));
                        }
                        if let Err(why) = told {
                            panic!("session {session}, edit {edit}: {why}\n--- the text\n{}\n---", typist.text);
                        }
                    }
                }
            });
        }
    });
    let (slowest, compiled) = (slowest.into_inner(), compiled.into_inner());
    println!("{} edits, {compiled} texts that compile, the slowest {:.1} ms", sessions * SESSION, slowest as f64 / 1e3);
    assert!(compiled > edits / 100, "{compiled}");
}
