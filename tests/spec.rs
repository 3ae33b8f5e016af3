//! The language reference is the suite: every program in `tests/spec/*.md` is compiled and run as it stands on its page.
//!
//! A fence ```` ```aivm ```` holds a program. A fence ```` ```run ```` behind it holds how it is run (`in TEXT`, `mock`, `max-calls N`,
//! `timeout TIME`) and then what happens: a line `key → outcome` for each call, and how it ends. A fence ```` ```error ```` or
//! ```` ```warning ```` holds the codes and messages of the compiler; ```` ```flow ```` the flow graph. `AIVM_BLESS=1` writes what happens into
//! the pages: read the difference before you commit it.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod common;

use common::{Fence, fences};
use std::path::Path;

/// What the fence behind a program ought to say.
fn happens(program: &str, fence: &Fence) -> String {
    match fence.kind.as_str() {
        "run" => {
            let head: Vec<&str> = fence
                .text
                .lines()
                .take_while(|line| !line.is_empty())
                .filter(|line| common::is_directive(line))
                .collect();
            let mut out = head.join("\n");
            if !out.is_empty() {
                out.push_str("\n\n");
            }
            out + &common::run(program, &head)
        }
        "error" => common::diagnostics(program, true),
        "warning" => common::diagnostics(program, false),
        "flow" => common::flow(program),
        other => panic!("a fence of an unknown kind: {other}"),
    }
}

#[test]
fn every_program_of_the_reference_does_what_its_page_says() {
    let bless = std::env::var_os("AIVM_BLESS").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec");
    let mut pages: Vec<_> = std::fs::read_dir(folder).expect("the pages").flatten().map(|entry| entry.path()).collect();
    pages.sort();
    let (mut checked, mut wrong) = (0, Vec::new());
    for page in pages.iter().filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        let text = std::fs::read_to_string(page).expect("a page");
        let mut new = text.clone();
        let mut program = None;
        for fence in fences(&text) {
            if fence.kind == "aivm" {
                program = Some(fence.text.clone());
            } else if let Some(program) =
                program.as_ref().filter(|_| ["run", "error", "warning", "flow"].contains(&fence.kind.as_str()))
            {
                let happens = happens(program, &fence);
                checked += 1;
                if happens.trim_end() != fence.text.trim_end() {
                    new = new.replacen(&fence.whole, &fence.with(&happens), 1);
                    wrong.push(format!(
                        "{}, line {}:\n--- the page\n{}\n--- what happens\n{happens}",
                        page.display(),
                        fence.line,
                        fence.text
                    ));
                }
            }
        }
        if bless && new != text {
            std::fs::write(page, new).expect("the page");
        }
    }
    assert!(checked > 40, "only {checked} programs were found");
    assert!(bless || wrong.is_empty(), "{} of {checked} differ\n\n{}", wrong.len(), wrong.join("\n\n"));
}
