//! What the front pages say is true: their programs compile, their commands exist, their links lead somewhere. The reference
//! has a suite of its own (`spec`), so have the pages of errors (`errors`) and of words (in `host`).
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod common;

use common::fences;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The pages that a person reads, with their texts.
fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let of_docs = ["docs/serve.md", "docs/artifacts.md", "docs/memory.md", "docs/sagas.md", "docs/sources.md"];
    let front = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].into_iter().chain(of_docs);
    let front: Vec<PathBuf> = front.map(|name| root.join(name)).collect();
    let examples = std::fs::read_dir(root.join("examples")).expect("examples").flatten();
    let examples = examples.map(|entry| entry.path().join("README.md"));
    let pages = front.into_iter().chain(examples.filter(|page| page.is_file()));
    pages.map(|page| (page.clone(), std::fs::read_to_string(page).expect("a page"))).collect()
}

#[test]
fn programs_compile_without_a_warning() {
    let mut seen = 0;
    for (page, text) in pages() {
        for fence in fences(&text) {
            let program = match fence.kind.as_str() {
                "aivm" => fence.text,
                // Another one is of a project: whoever tells of it tests it.
                "toml" if fence.text.starts_with("+++") => format!("{}out <= () <= in\n", fence.text),
                _ => continue,
            };
            seen += 1;
            let place = format!("{}:{}", page.display(), fence.line);
            assert_eq!(common::diagnostics(&program, true), "none\n", "{place}");
            assert_eq!(common::diagnostics(&program, false), "none\n", "{place}");
        }
    }
    assert!(seen >= 2);
}

#[test]
fn commands_exist() {
    let help = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_aivm")).args(words).arg("--help").output().expect("it runs");
        (output.status.success(), String::from_utf8(output.stdout).expect("text"))
    };
    let mut seen = 0;
    for (page, text) in pages() {
        let shell = fences(&text).into_iter().filter(|fence| fence.kind == "sh");
        let lines: Vec<String> =
            shell.flat_map(|fence| fence.text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        for line in lines.iter().filter(|line| line.starts_with("aivm ")) {
            let line = line.split('#').next().unwrap_or(line);
            let words: Vec<&str> = line.split_whitespace().skip(1).collect();
            let place = format!("{}: {line}", page.display());
            let command: Vec<&str> = words.iter().copied().take(1).collect();
            let (there, mut text) = help(&command);
            assert!(there, "{place}");
            if let Some(second) = words.get(1).filter(|word| word.chars().all(|c| c.is_ascii_lowercase())) {
                let (there, more) = help(&[command[0], second]);
                assert!(there, "{place}");
                text.push_str(&more);
            }
            for flag in words.iter().filter(|word| word.starts_with('-') && **word != "-") {
                assert!(text.contains(*flag), "{place}: {flag}");
            }
            seen += 1;
        }
    }
    assert!(seen >= 8);
}

#[test]
fn links_lead_somewhere() {
    for (page, text) in pages() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") || link.starts_with('#') {
                continue;
            }
            let file = page.parent().expect("a folder").join(link.split('#').next().unwrap_or(link));
            assert!(file.exists(), "{}: {link}", page.display());
        }
    }
}

#[test]
fn the_page_of_the_front_matter_has_every_key() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec/10-front-matter.md"))
        .expect("a page");
    for (text, least) in [("zzz = 1", 15), ("mock = []\neffect = \"zzz\"", 5)] {
        let told = aivm_schema::worker::WorkerDefinition::from_toml(text).expect_err("no such key").to_string();
        let keys: Vec<&str> = told.split('`').skip(1).step_by(2).filter(|key| *key != "zzz").collect();
        assert!(keys.len() >= least, "{told}");
        for key in keys {
            let told = [format!("`{key}`"), format!("`\"{key}\"`")].iter().any(|key| page.contains(key));
            assert!(told, "`{key}` is missing");
        }
    }
}
