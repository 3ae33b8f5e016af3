//! The example `deploy` from one end to the other: killed in the middle, resumed, approved from another process, made to fail,
//! taken back. Nothing is done twice, nothing is left over.

use super::{aivm, command, folder, json, stderr, write};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const ARGS: [&str; 5] = ["run", "pipeline.aivm", "--in", "@input.txt", "--json"];

fn example() -> tempfile::TempDir {
    let dir = folder();
    let copied = aivm(dir.path(), &["try", "deploy", "--copy", "."]);
    assert!(copied.status.success(), "{}", stderr(&copied));
    dir
}

/// As its page says it: the command that is printed, then `approve`.
#[test]
fn the_copy_is_run_and_taken_back_as_its_page_says() {
    let dir = folder();
    let copied = json(&aivm(dir.path(), &["try", "deploy", "--copy", "deploy", "--json"]));
    let run = copied["run"].as_str().expect("a command").replace("aivm run", "\"$AIVM\" run");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &format!("{run} --id d -q")]).current_dir(dir.path()).env("AIVM", env!("CARGO_BIN_EXE_aivm"));
    shell.env("HOME", dir.path()).env_remove("AIVM_STATE").env_remove("AIVM_SANDBOX").env_remove("XDG_CONFIG_HOME");
    assert_eq!(shell.output().expect("a shell").status.code(), Some(4));
    let inside = dir.path().join("deploy");
    let cancelled = aivm(&inside, &["approve", "d", "cancel", "-q"]);
    assert_eq!(cancelled.status.code(), Some(1), "{}", stderr(&cancelled));
    nothing_is_left(&inside);
}

/// The processes of the app that are alive.
fn apps(folder: &Path) -> Vec<String> {
    let here = folder.canonicalize().expect("a path");
    let processes = std::fs::read_dir("/proc").expect("processes").flatten();
    let of_here = processes.filter(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let where_ = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        line.starts_with(b"sleep\0") && where_ == here
    });
    of_here.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Goes on with a run until it waits for a person; what may have happened is looked at, as a person would.
fn until_asked(folder: &Path, run: &str) {
    let mut end = json(&aivm(folder, &["resume", run, "--json"]));
    while end["error"]["code"] == "E0771" {
        let step = end["error"]["step"].as_str().expect("a step");
        let happened = match step {
            "switch.1/database#1" => folder.join("db/schema").exists(),
            _ => folder.join("app.pid").exists() && !apps(folder).is_empty(),
        };
        if !happened {
            let _ = std::fs::remove_dir_all(folder.join("db")).map(|()| step == "switch.1/database#1");
        }
        let how = if happened { "happened" } else { "not-happened" };
        end = json(&aivm(folder, &["settle", run, step, how, "--json"]));
    }
    assert_eq!(end["status"], "parked", "{end}");
    assert_eq!(end["questions"][0]["step"], "switch.1/allow#1", "{end}");
}

fn undone(report: &Value) -> Vec<&str> {
    let steps = report["steps"].as_array().expect("steps").iter();
    steps.filter(|step| step["outcome"] == "undone").filter_map(|step| step["key"].as_str()).collect()
}

fn nothing_is_left(folder: &Path) {
    for file in ["db", "app.pid", "balancer"] {
        assert!(!folder.join(file).exists(), "{file} is left");
    }
    assert_eq!(apps(folder), Vec::<String>::new());
}

#[test]
fn a_deployment_is_killed_goes_on_is_approved_fails_and_is_taken_back() {
    for delay in [0, 4, 8, 12, 16, 20, 24, 30] {
        let dir = example();
        let mut run = command(dir.path(), &ARGS).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("runs");
        std::thread::sleep(Duration::from_millis(delay));
        run.kill().expect("it is killed");
        run.wait().expect("it is gone");
        let runs = json(&aivm(dir.path(), &["runs", "--json"]));
        let name = match runs["runs"][0]["run"].as_str() {
            Some(name) => name.to_owned(),
            // Killed before anything was durable: nothing has happened.
            None => {
                nothing_is_left(dir.path());
                json(&aivm(dir.path(), &ARGS))["run"].as_str().expect("a name").to_owned()
            }
        };
        until_asked(dir.path(), &name);
        assert_eq!(apps(dir.path()).len(), 1, "after {delay} ms: the app is started once");
        write(dir.path(), "broken", "");
        let failed = aivm(dir.path(), &["approve", &name, "next", "--json"]);
        assert_eq!(failed.status.code(), Some(1), "{}", stderr(&failed));
        assert_eq!(undone(&json(&failed)), ["switch.1/app#1~undo", "switch.1/database#1~undo"]);
        nothing_is_left(dir.path());
    }
}

#[test]
fn a_deployment_that_everybody_sees_is_taken_back_later() {
    let dir = example();
    let name = json(&aivm(dir.path(), &ARGS))["run"].as_str().expect("a name").to_owned();
    let sent = aivm(dir.path(), &["approve", &name, "next"]);
    assert_eq!(sent.status.code(), Some(0), "{}", stderr(&sent));
    assert_eq!(apps(dir.path()).len(), 1);
    let back = aivm(dir.path(), &["rollback", &name, "--json"]);
    assert_eq!(back.status.code(), Some(0), "{}", stderr(&back));
    let order = ["switch.1/balancer#1~undo", "switch.1/app#1~undo", "switch.1/database#1~undo"];
    assert_eq!(undone(&json(&back)), order);
    nothing_is_left(dir.path());
}
