//! A page as a session: its files are written, its commands are typed, and what it shows is what came.
//!
//! A block with `file=NAME` behind its language is a file of that name, one with `more=NAME` goes on with it; a program has no errors. A block of `console` holds commands, each behind `$ `, and below
//! each what it prints, on standard output and standard error; `…` stands for whatever differs from run to run, within a line or, on a
//! line of its own, for lines. All blocks of a page share a folder.

use crate::common::{Fence, fences};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// So long may one command take, in seconds.
const PATIENCE: &str = "60";

/// Runs a page in a new folder. How many commands it had, and what did not come as it says.
pub fn run(page: &Path, text: &str) -> (usize, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut commands, mut wrong, mut programs) = (0, Vec::new(), BTreeMap::new());
    for fence in fences(text) {
        let place = format!("{}:{}", page.display(), fence.line);
        if let Some((name, is_more)) = file(&fence) {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            let before =
                if is_more { std::fs::read_to_string(&file).expect("a file to go on with") } else { String::new() };
            std::fs::write(file, before + &fence.text).expect("a file");
            programs.extend(is_program(name).then(|| (name.to_owned(), place.clone())));
        }
        if fence.kind != "console" {
            continue;
        }
        for (command, expected) in steps(&fence.text) {
            commands += 1;
            let came = typed(folder.path(), &command);
            if !fits(&expected, &came) {
                wrong.push(format!("{place}: $ {command}\n--- the page\n{expected}--- what came\n{came}"));
            }
        }
    }
    for (name, place) in programs {
        let came = typed(folder.path(), &format!("told=$(aivm check {name} 2>&1) || echo \"$told\""));
        wrong.extend((!came.is_empty()).then(|| format!("{place}: {name}\n{came}")));
    }
    (commands, wrong)
}

/// The file that a block is of, and whether it goes on with it.
pub fn file(fence: &Fence) -> Option<(&str, bool)> {
    fence.kind.split(' ').find_map(|word| {
        let whole = word.strip_prefix("file=").map(|name| (name, false));
        whole.or(word.strip_prefix("more=").map(|name| (name, true)))
    })
}

fn is_program(name: &str) -> bool {
    name.ends_with(".aivm") || ["workflow.toml", "ai.toml", "saga.yaml"].contains(&name)
}

/// Commands, each with what it prints.
fn steps(text: &str) -> Vec<(String, String)> {
    let mut steps: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push((command.trim_end().to_owned(), String::new())),
            // A long command goes on in the next line.
            (None, Some((command, expected))) if expected.is_empty() && command.ends_with('\\') => {
                command.push_str(&format!("\n{}", line.trim_end()));
            }
            (None, Some((_, expected))) => expected.push_str(line),
            (None, None) => panic!("a session begins with a command: {line}"),
        }
    }
    steps
}

/// What a command prints, as it would be seen.
fn typed(folder: &Path, command: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_aivm")).parent().expect("a folder");
    let path = std::env::join_paths(
        std::iter::once(program.to_path_buf())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let output = Command::new("timeout")
        .args([PATIENCE, "sh", "-c", &format!("{{ {command}\n}} 2>&1")])
        .current_dir(folder)
        .env("PATH", path.expect("a path"))
        .env("HOME", folder)
        .env("XDG_CONFIG_HOME", folder.join(".config"))
        .env("NO_COLOR", "1")
        .env("USER", "ann")
        .env_remove("AIVM_MODEL")
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Is it what the page says?
fn fits(expected: &str, came: &str) -> bool {
    let (expected, came) = (lines(expected), lines(came));
    fit_lines(&expected, &came)
}

/// Without the empty lines at the end, and without spaces at the ends of lines, which nobody sees.
fn lines(text: &str) -> Vec<&str> {
    text.trim_end().lines().map(str::trim_end).collect()
}

fn fit_lines(expected: &[&str], came: &[&str]) -> bool {
    match (expected.split_first(), came.split_first()) {
        (None, None) => true,
        (Some((&"…", rest)), _) => (0..=came.len()).any(|skipped| fit_lines(rest, &came[skipped..])),
        (Some((wanted, rest)), Some((line, behind))) => fits_line(wanted, line) && fit_lines(rest, behind),
        _ => false,
    }
}

fn fits_line(wanted: &str, line: &str) -> bool {
    let Some((before, behind)) = wanted.split_once('…') else { return wanted == line };
    let Some(rest) = line.strip_prefix(before) else { return false };
    rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| fits_line(behind, &rest[at..]))
}

#[test]
fn what_differs_is_passed_over_and_nothing_else() {
    for (page, came, fit) in [
        ("a\nb\n", "a\nb\n\n", true),
        ("a\n", "a\nb\n", false),
        ("a …ms\n", "a 12ms\n", true),
        ("a …ms\n", "a 12s\n", false),
        ("a\n…\nd\n", "a\nb\nc\nd\n", true),
        ("a\n…\nd\n", "a\nd\n", true),
        ("a\n…\nd\n", "a\nb\nc\n", false),
        ("run … · … calls\n", "run 1abc · 3 calls\n", true),
    ] {
        assert_eq!(fits(page, came), fit, "{page} {came}");
    }
}
