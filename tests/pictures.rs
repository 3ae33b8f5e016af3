//! The pictures that are committed are those that the program draws. `AIVM_BLESS=1` draws them anew: look at them before you
//! commit them.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::path::{Path, PathBuf};
use std::process::Command;

fn aivm(args: &[&str], folder: &Path) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_aivm")).args(args).current_dir(folder).output().expect("aivm runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn examples() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("examples")).expect("examples");
    let mut folders: Vec<PathBuf> = folder.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    // Programs of their own, not pipelines.
    folders.retain(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("plugin-")));
    folders.sort();
    assert!(folders.len() >= 8);
    folders
}

#[test]
fn every_picture_is_as_the_program_draws_it() {
    let bless = std::env::var_os("AIVM_BLESS").is_some();
    for folder in examples() {
        let picture = folder.join("picture.svg");
        let names = ["pipeline.aivm", "workflow.toml", "ai.toml", "saga.yaml"];
        let program = names.into_iter().find(|name| folder.join(name).exists()).expect("a program");
        let drawn = aivm(&["graph", program], &folder);
        if bless {
            std::fs::write(&picture, &drawn).expect("a file");
            continue;
        }
        let kept = std::fs::read(&picture).unwrap_or_default();
        assert!(kept == drawn, "{} is not what is drawn now: AIVM_BLESS=1 draws it anew", picture.display());
    }
}

#[test]
fn every_example_shows_its_picture() {
    for folder in examples() {
        let page = std::fs::read_to_string(folder.join("README.md")).expect("a page");
        assert!(page.contains("](picture.svg)"), "{} does not show it", folder.display());
    }
    let page = std::fs::read_to_string(root().join("README.md")).expect("a page");
    assert!(page.contains("](examples/fix-until-green/picture.svg)"));
}

#[test]
fn a_finished_run_is_drawn_with_its_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = std::fs::read(root().join("examples/sketch-2/pipeline.aivm")).expect("it");
    std::fs::write(folder.path().join("pipeline.aivm"), program).expect("a file");
    let report = aivm(&["run", "pipeline.aivm", "--in", "a question", "--json"], folder.path());
    let report: serde_json::Value = serde_json::from_slice(&report).expect("JSON");
    let run = report["run"].as_str().expect("its name");
    let picture = String::from_utf8(aivm(&["graph", "--run", run], folder.path())).expect("text");
    for text in [">sent<", ">×5<", ">jump mylabel ×4<", ">send ×2<"] {
        assert!(picture.contains(text), "{text} is not in\n{picture}");
    }
    assert!(picture.contains(r#"class="l stop u""#), "nothing is faded");
    // What was not run has no path.
    let plain = String::from_utf8(aivm(&["graph", "pipeline.aivm"], folder.path())).expect("text");
    assert!(!plain.contains(">×5<") && !plain.contains(r#"class="l stop u""#));
    for format in ["dot", "mermaid"] {
        let graph = String::from_utf8(aivm(&["graph", "--run", run, "--format", format], folder.path())).expect("text");
        assert!(graph.contains("jump mylabel ≤5 ×4"), "{graph}");
    }
}

#[test]
fn pixels_are_drawn_of_the_same_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = root().join("examples/race/pipeline.aivm");
    let output = Command::new(env!("CARGO_BIN_EXE_aivm"))
        .args(["graph", "--format", "png"])
        .arg(program)
        .current_dir(folder.path())
        .output()
        .expect("aivm runs");
    if output.status.success() {
        assert_eq!(output.stdout.get(..8), Some(&b"\x89PNG\r\n\x1a\n"[..]));
    } else {
        // A machine without fonts, or a build without pictures, says so.
        let reason = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(reason.contains("E0815") || reason.contains("E0816"), "{reason}");
    }
}
