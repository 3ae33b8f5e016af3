//! Every example ends as its folder says: `expected.txt` has its status, its steps with their outcomes, and its output.
//! `AIVM_BLESS=1` writes the files: read the difference before you commit it.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

fn aivm(args: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_aivm")).args(args).output().expect("aivm runs")
}

fn folders() -> Vec<PathBuf> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(examples)
        .expect("examples")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        // Programs of their own, not pipelines; `tests/cli/plugin.rs` calls them.
        .filter(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("plugin-")))
        .collect();
    folders.sort();
    folders
}

/// The program of an example, in whatever format.
fn program(folder: &Path) -> PathBuf {
    let names = ["pipeline.aivm", "workflow.toml", "ai.toml", "saga.yaml"];
    names.map(|name| folder.join(name)).into_iter().find(|file| file.exists()).expect("a program")
}

/// Status, steps in the order of their keys (what is concurrent may end in any order), output.
fn end(name: &str) -> String {
    let json = aivm(&["try", name, "--json"]);
    let report: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    let mut steps: Vec<String> = report["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| format!("{} → {}", step["key"].as_str().unwrap_or(""), step["outcome"].as_str().unwrap_or("")))
        .collect();
    steps.sort();
    let output = String::from_utf8(aivm(&["try", name]).stdout).expect("text");
    format!("{}\n\n{}\n\n{}", report["status"].as_str().unwrap_or(""), steps.join("\n"), output.trim_end())
}

#[test]
fn every_example_ends_as_its_folder_says() {
    let bless = std::env::var_os("AIVM_BLESS").is_some();
    let mut wrong = Vec::new();
    for folder in folders() {
        let name = folder.file_name().and_then(|name| name.to_str()).expect("a name");
        let (file, end) = (folder.join("expected.txt"), end(name));
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if bless {
            std::fs::write(&file, format!("{end}\n")).expect("a file");
        } else if expected.trim_end() != end.trim_end() {
            wrong.push(format!("{name}\n--- its folder\n{expected}\n--- what happens\n{end}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_tests_of_the_examples_pass_and_take_every_edge() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").display().to_string();
    let output = aivm(&["test", &examples, "--fail-under", "100"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.lines().filter(|line| line.ends_with(".test.toml")).count() >= 2, "{said}");
}

#[test]
fn every_folder_is_carried_along_with_all_its_files() {
    let listed = String::from_utf8(aivm(&["try", "--list"]).stdout).expect("text");
    let names: Vec<String> =
        folders().iter().filter_map(|folder| folder.file_name()?.to_str().map(str::to_owned)).collect();
    assert!(names.len() >= 8);
    for line in listed.lines() {
        assert!(line.ends_with('.') && !line.contains(". "), "one whole sentence: {line}");
    }
    for name in &names {
        assert!(listed.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name} is not listed");
        let copy = tempfile::tempdir().expect("a folder");
        let target = copy.path().join("copy");
        assert!(aivm(&["try", name, "--copy", target.to_str().expect("a path")]).status.success());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        for file in files(&source) {
            let relative = file.strip_prefix(&source).expect("inside");
            if relative.to_str() != Some("expected.txt") {
                let copied = std::fs::read(target.join(relative))
                    .unwrap_or_else(|_| panic!("{name} lacks {}", relative.display()));
                assert_eq!(copied, std::fs::read(&file).expect("a file"));
            }
        }
    }
}

#[test]
fn a_copy_writes_over_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = folder.path().join("README.md");
    std::fs::write(&own, "mine").expect("a file");
    let said = aivm(&["try", "undo", "--copy", folder.path().to_str().expect("a path")]);
    assert_eq!(said.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&said.stderr).contains("E0852"));
    assert_eq!(std::fs::read_to_string(&own).expect("a file"), "mine");
    assert!(!folder.path().join("pipeline.aivm").exists());
}

#[test]
fn the_command_that_a_copy_prints_runs_it_as_try_does() {
    let copies = tempfile::tempdir().expect("a folder");
    for folder in folders() {
        let name = folder.file_name().and_then(|name| name.to_str()).expect("a name");
        let target = copies.path().join(format!("the {name}'s"));
        let said = aivm(&["try", name, "--copy", target.to_str().expect("a path"), "--json"]);
        let said: Value = serde_json::from_slice(&said.stdout).expect("JSON");
        let command = said["run"].as_str().expect("a command");
        let (before, run) = command.split_once("aivm run ").expect("it runs aivm");
        let line = format!("{before}'{}' run {run} --json --ephemeral", env!("CARGO_BIN_EXE_aivm"));
        let ran = Command::new("sh").args(["-c", &line]).current_dir(copies.path()).output().expect("it runs");
        let report: Value = serde_json::from_slice(&ran.stdout).unwrap_or_default();
        let expected = std::fs::read_to_string(folder.join("expected.txt")).expect("an end");
        assert_eq!(report["status"].as_str(), expected.lines().next(), "{command}");
        let output = report["output"]["text"].as_str().unwrap_or("").trim_end();
        assert!(expected.trim_end().ends_with(output), "{command}: {output}");
    }
}

#[test]
fn documents_answer_what_they_hold_and_nothing_else() {
    for (question, place) in [
        ("How long are backups kept?", "docs/operations.md, line 5"),
        ("How long is a backup kept?", "docs/operations.md, line 5"),
        ("When are backups taken?", "docs/operations.md, line 5"),
        ("How many hosts does the service run on?", "docs/operations.md, line 3"),
        ("When do deploys happen?", "docs/operations.md, line 3"),
        ("Who is on call?", "docs/operations.md, line 7"),
        ("Where is the phone number?", "docs/operations.md, line 7"),
        ("What may a hotel cost?", "docs/travel.md, line 3"),
        ("When must receipts be handed in?", "docs/travel.md, line 5"),
        ("Are trains preferred?", "docs/travel.md, line 3"),
        ("How often are keys changed?", "docs/security.md, line 5"),
        ("Where do secrets live?", "docs/security.md, line 3"),
        ("WHAT IS THE VAULT", "docs/security.md, line 3"),
        ("What is the colour of the moon?", ""),
        ("What is the capital of France?", ""),
        ("Who is the president?", ""),
        ("How is the weather?", ""),
        ("How long are keys kept?", ""),
        ("When are backups of the moon taken?", ""),
        ("What is the phone number of the president?", ""),
        ("Where is it?", ""),
        ("?", ""),
    ] {
        let said = aivm(&["try", "ask-documents", "--in", question]);
        let text = String::from_utf8(said.stdout).expect("text");
        match place {
            "" => assert_eq!(text, "The documents do not say.\n", "{question}"),
            place => assert!(text.contains(&format!("({place})")), "{question}: {text}"),
        }
    }
}

#[test]
fn every_example_with_a_model_runs_without_one() {
    let mut seen = 0;
    for folder in folders() {
        let name = folder.file_name().and_then(|name| name.to_str()).expect("a name");
        let source = std::fs::read_to_string(program(&folder)).expect("a pipeline");
        if !source.contains("\nprompt = ") {
            continue;
        }
        seen += 1;
        // That it is replayed, and how it ends, is held against `expected.txt`.
        assert!(folder.join("cassette.jsonl").exists(), "{name} has no cassette");
        let page = std::fs::read_to_string(folder.join("README.md")).expect("a page");
        assert!(page.contains("AIVM_MODEL=") && page.contains("cassette.jsonl"), "{name}");
        // An input of one's own is for a real one.
        let own = Command::new(env!("CARGO_BIN_EXE_aivm"))
            .args(["try", name, "--in", "something else", "--json"])
            .env_remove("AIVM_MODEL")
            .output()
            .expect("aivm runs");
        let report: Value = serde_json::from_slice(&own.stdout).expect("JSON");
        let codes: Vec<&str> = report["steps"]
            .as_array()
            .expect("steps")
            .iter()
            .filter_map(|step| step["error"]["code"].as_str())
            .collect();
        assert!(codes.iter().any(|code| ["E0900", "E0732"].contains(code)), "{name}: {report}");
    }
    assert!(seen >= 2);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()) {
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn all_but_the_sketches_are_formatted() {
    let in_arrows = |folder: &PathBuf| folder.join("pipeline.aivm").exists();
    for folder in folders().iter().filter(|folder| in_arrows(folder) && !folder.to_string_lossy().contains("sketch")) {
        let source = std::fs::read_to_string(folder.join("pipeline.aivm")).expect("a pipeline");
        assert_eq!(aivm_lang::format::format(&source).as_ref(), Ok(&source), "{}", folder.display());
    }
}

#[test]
fn the_sketches_are_there_to_the_letter() {
    for (name, digest) in [("sketch-1", "first"), ("sketch-2", "second")] {
        let page = std::fs::read_to_string(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name).join("pipeline.aivm"),
        )
        .expect("it");
        let (_, body) = aivm_schema::worker::split_front_matter(&page);
        let sum = aivm_schema::artifact::ContentDigest::of("text/plain", body.as_bytes()).to_string();
        let known = match digest {
            "first" => FIRST,
            _ => SECOND,
        };
        assert_eq!(sum, known, "{name} is not what the project began with");
    }
}

/// Of the two programs that the project began with.
const FIRST: &str = "ca6060d2ee8d46bfe75ed758a899d310b34a74a7c339509bbf4ef525cfe64ded";
const SECOND: &str = "77ade6195df6d852553421be89b6f0b3b791f3fe0773068ff06c860c5786a4ef";

#[test]
fn every_command_says_what_it_does_to_the_world() {
    for folder in folders() {
        let file = program(&folder).display().to_string();
        let checked: Value = serde_json::from_slice(&aivm(&["check", &file, "--json"]).stdout).expect("JSON");
        let found = checked["files"][0]["diagnostics"].as_array().expect("diagnostics");
        let silent: Vec<_> = found.iter().filter(|one| one["code"] == "E0514").collect();
        assert!(silent.is_empty(), "{file}: {silent:?}");
    }
}
