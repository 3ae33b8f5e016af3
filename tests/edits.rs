//! What happens while somebody writes: programs are edited at random the way people edit, and after each key everything that an editor, the
//! playground or a REPL asks is asked. Nothing panics, every place that is told lies in the text, and no text keeps the compiler busy.
//!
//! `AIVM_EDITS` says how many edits (3,000 unless set; a million takes a quarter of an hour in a release build), `AIVM_EDITS_FROM` the number
//! of the first session. In a release build a text that takes longer than [`MOST`] to be compiled, three times out of three, is a failure.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod common;
#[path = "common/dice.rs"]
mod dice;
#[path = "edits/typist.rs"]
mod typist;

use aivm_lang::service::{Document, apply};
use aivm_lang::span::Span;
use aivm_lang::{cost, draw};
use aivm_schema::module::disassemble;
use aivm_vm::verify::verify;
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

/// Everything that is asked of a text.
struct Asked<'t> {
    session: u64,
    edit: u64,
    text: &'t str,
}

impl Asked<'_> {
    fn fail(&self, why: &str) -> ! {
        let Asked { session, edit, text } = self;
        panic!("session {session}, edit {edit}: {why}\n--- the text\n{text}\n---")
    }

    fn lies_within(&self, what: &str, span: Span) {
        if span.start > span.end || self.text.get(span.range()).is_none() {
            self.fail(&format!("{what} stands at {span:?}"));
        }
    }

    /// What is asked after each key. Does it compile?
    fn look(&self, slowest: &AtomicU64) -> Document {
        let began = Instant::now();
        let document = Document::new("edited.aivm", self.text, &Words);
        let took = began.elapsed();
        slowest.fetch_max(took.as_micros() as u64, Ordering::Relaxed);
        let again = || {
            let began = Instant::now();
            drop(Document::new("edited.aivm", self.text, &Words));
            began.elapsed()
        };
        if !cfg!(debug_assertions) && took > MOST && again() > MOST && again() > MOST {
            self.fail(&format!("it took {took:?} to compile"));
        }
        for told in document.diagnostics() {
            self.lies_within(told.code.text(), told.primary.span);
            told.labels.iter().for_each(|label| self.lies_within("a label", label.span));
            for (span, _) in told.fix.iter().flat_map(|fix| &fix.edits) {
                self.lies_within("a fix", *span);
            }
        }
        document
    }

    /// What is asked when the hand rests, at a place.
    fn ask(&self, document: &Document, at: u32) {
        for completion in document.complete(at, &Words) {
            self.lies_within("a completion", completion.replace);
            document.explain(&completion, &Words);
        }
        if let Some(hover) = document.hover(at, &Words) {
            self.lies_within("a hover", hover.span);
        }
        document.definition(at, &Words);
        document.references(at).into_iter().for_each(|span| self.lies_within("a reference", span));
        if document.renamable(at).is_ok()
            && let Ok(edits) = document.rename(at, "renamed-by-a-test", &Words)
        {
            let renamed = Document::new("edited.aivm", apply(self.text, &edits), &Words);
            if document.compiled().is_some() && renamed.compiled().is_none() {
                self.fail(&format!("renamed, it does not compile:\n{}", renamed.text()));
            }
        }
        document.marks().iter().for_each(|mark| self.lies_within("a mark", mark.span));
        document.hints().iter().for_each(|hint| self.lies_within("a hint", Span::new(hint.at, hint.at)));
        document.folds().iter().for_each(|fold| self.lies_within("a fold", fold.span));
        document.symbols().iter().for_each(|symbol| self.lies_within("a symbol", symbol.span));
        document.lenses().iter().for_each(|lens| self.lies_within("a lens", lens.span));
        if let Some(formatted) = document.formatted() {
            let again = Document::new("edited.aivm", formatted.as_str(), &Words);
            if again.formatted().as_deref() != Some(&formatted) {
                self.fail(&format!("formatted twice it is another:\n{formatted}"));
            }
        }
        if let Some(compiled) = document.compiled() {
            cost::worst_case(&compiled.flow);
            draw::svg(&compiled.flow, None, draw::Theme::Light);
            disassemble(&compiled.module);
            if let Err(error) = verify(compiled.module.clone()) {
                self.fail(&format!("the verifier refuses what the compiler made: {error}"));
            }
        }
    }
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
                        let asked = Asked { session, edit, text: &typist.text };
                        let document = asked.look(&slowest);
                        compiled.fetch_add(u64::from(document.compiled().is_some()), Ordering::Relaxed);
                        if edit % 8 == 0 {
                            asked.ask(&document, typist.at as u32);
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
