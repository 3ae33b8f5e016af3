//! What the pages say is true: their programs compile, their settings are read, their sessions go as they show, their commands exist,
//! their links lead somewhere. The reference has a suite of its own (`spec`), so have the pages of errors (`errors`) and of words (in
//! `host`).
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod common;
#[path = "docs/session.rs"]
mod session;

use common::{Fence, fences};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The pages that a person reads, with their texts.
fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let of_docs = std::fs::read_dir(root.join("docs")).expect("docs").flatten().map(|entry| entry.path());
    let of_docs = of_docs.filter(|page| page.extension().is_some_and(|extension| extension == "md"));
    let front =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/llms.txt", "docs/skill/SKILL.md"]
            .map(|name| root.join(name));
    let examples = std::fs::read_dir(root.join("examples")).expect("examples").flatten();
    let examples = examples.map(|entry| entry.path().join("README.md"));
    let pages = front.into_iter().chain(of_docs).chain(examples.filter(|page| page.is_file()));
    pages.map(|page| (page.clone(), std::fs::read_to_string(page).expect("a page"))).collect()
}

/// The language of a block, without what else stands behind it.
fn language(fence: &Fence) -> &str {
    fence.kind.split(' ').next().unwrap_or_default()
}

#[test]
fn programs_compile_without_a_warning() {
    let mut seen = 0;
    for (page, text) in pages() {
        for fence in fences(&text) {
            let program = match language(&fence) {
                "aivm" => fence.text,
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

/// Settings of a program, of a worker or of a project, a workflow, tests: each block is one of them, whole.
#[test]
fn blocks_of_toml_yaml_and_json_are_what_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut wrong = Vec::new();
    for (page, text) in pages() {
        for fence in fences(&text) {
            let told = match language(&fence) {
                "toml" => of_toml(folder.path(), &fence),
                "yaml" if session::file(&fence).is_none() => {
                    of_file(folder.path(), "page.yaml", &fence.text, &["check", "page.yaml"])
                }
                "json" => serde_json::from_str::<serde_json::Value>(&fence.text).err().map(|error| error.to_string()),
                _ => None,
            };
            wrong.extend(told.map(|told| format!("{}:{}: {told}", page.display(), fence.line)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with a block of TOML.
fn of_toml(folder: &Path, fence: &Fence) -> Option<String> {
    if fence.text.starts_with("+++") {
        return None;
    }
    // Of a file that a session has, the session says it.
    if session::file(fence).is_some_and(|(name, _)| name != "aivm.toml" && !name.starts_with("workers/")) {
        return None;
    }
    let program = "out <= () <= in\n";
    let as_front = common::diagnostics(&format!("+++\n{}+++\n{program}", fence.text), true);
    let as_worker = aivm_schema::worker::WorkerDefinition::from_toml(&fence.text);
    if as_front == "none\n" || as_worker.is_ok() {
        return None;
    }
    std::fs::write(folder.join("page.aivm"), program).expect("a file");
    let as_settings = of_file(folder, "aivm.toml", &fence.text, &["check", "page.aivm"]);
    std::fs::remove_file(folder.join("aivm.toml")).expect("it was there");
    as_settings.map(|told| format!("as front matter: {as_front}as settings: {told}as a worker: {as_worker:?}"))
}

/// What a command says of a file, when it does not succeed.
fn of_file(folder: &Path, name: &str, text: &str, command: &[&str]) -> Option<String> {
    std::fs::write(folder.join(name), text).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_aivm")).args(command).current_dir(folder).output().expect("it runs");
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn sessions_go_as_they_are_shown() {
    let (mut commands, mut wrong) = (0, Vec::new());
    for (page, text) in pages() {
        let (typed, came) = session::run(&page, &text);
        commands += typed;
        wrong.extend(came);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(commands >= 10);
}

#[test]
fn commands_exist() {
    let help = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_aivm")).args(words).arg("--help").output().expect("it runs");
        (output.status.success(), String::from_utf8(output.stdout).expect("text"))
    };
    let mut seen = 0;
    for (page, text) in pages() {
        let shell = fences(&text).into_iter().filter(|fence| language(fence) == "sh");
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
fn the_book_has_every_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let summary = std::fs::read_to_string(root.join("docs/SUMMARY.md")).expect("a table of contents");
    for (folder, before) in [("docs", ""), ("tests/spec", "../tests/spec/")] {
        for page in std::fs::read_dir(root.join(folder)).expect("pages").flatten() {
            let name = page.file_name().into_string().expect("a name");
            let is_page = name.ends_with(".md") && name != "SUMMARY.md";
            assert!(!is_page || summary.contains(&format!("]({before}{name})")), "{folder}/{name}");
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
