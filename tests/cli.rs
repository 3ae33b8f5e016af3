//! The program as a person or a script meets it: what it prints, what it leaves, and with which code it ends.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

#[path = "cli/aitws.rs"]
mod aitws;
#[path = "cli/artifact.rs"]
mod artifact;
#[path = "cli/author.rs"]
mod author;
#[path = "cli/cache.rs"]
mod cache;
#[path = "cli/cassette.rs"]
mod cassette;
#[path = "cli/deploy.rs"]
mod deploy;
#[path = "cli/display.rs"]
mod display;
#[path = "cli/durable.rs"]
mod durable;
#[path = "cli/effects.rs"]
mod effects;
#[cfg(all(target_os = "linux", feature = "http"))]
#[path = "cli/egress.rs"]
mod egress;
#[cfg(feature = "http")]
#[path = "cli/fake.rs"]
mod fake;
#[path = "cli/files.rs"]
mod files;
#[path = "cli/fix.rs"]
mod fix;
#[path = "cli/gc.rs"]
mod gc;
#[path = "cli/hostile.rs"]
mod hostile;
#[cfg(feature = "http")]
#[path = "cli/http.rs"]
mod http;
#[path = "cli/init.rs"]
mod init;
#[path = "cli/load.rs"]
mod load;
#[path = "cli/lsp.rs"]
mod lsp;
#[cfg(feature = "mcp")]
#[path = "cli/mcp.rs"]
mod mcp;
#[cfg(feature = "memory")]
#[path = "cli/memory.rs"]
mod memory;
#[path = "cli/mistakes.rs"]
mod mistakes;
#[cfg(feature = "models")]
#[path = "cli/models.rs"]
mod models;
#[path = "cli/people.rs"]
mod people;
#[path = "cli/plugin.rs"]
mod plugin;
#[path = "cli/portable.rs"]
mod portable;
#[path = "cli/program.rs"]
mod program;
#[path = "cli/repl.rs"]
mod repl;
#[path = "cli/resume.rs"]
mod resume;
#[path = "cli/saga.rs"]
mod saga;
#[cfg(target_os = "linux")]
#[path = "cli/sandbox.rs"]
mod sandbox;
#[path = "cli/secrets.rs"]
mod secrets;
#[cfg(feature = "serve")]
#[path = "cli/serve.rs"]
mod serve;
#[path = "cli/sources.rs"]
mod sources;
#[path = "cli/testing.rs"]
mod testing;
#[cfg(feature = "models")]
#[path = "cli/tools.rs"]
mod tools;
#[path = "cli/travel.rs"]
mod travel;
#[path = "cli/workers.rs"]
mod workers;
#[path = "cli/workflow.rs"]
mod workflow;
#[path = "cli/workspace.rs"]
mod workspace;

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// `aivm` in a folder, with a home of its own.
fn aivm(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().expect("aivm runs")
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aivm"));
    command
        .args(args)
        .current_dir(folder)
        .env_remove("AIVM_STATE")
        .env_remove("AIVM_MODEL")
        .env_remove("XDG_CONFIG_HOME")
        // Commands of these tests say that they only read, and write down that they were called; some outlive a program that
        // is killed. `sandbox.rs` is about commands that are held.
        .env("AIVM_SANDBOX", "none")
        .env("HOME", folder)
        .stdin(Stdio::null());
    command
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)))
}

/// What `check` says of a file, each as its line and its message.
fn told(folder: &Path, name: &str, text: &str) -> Vec<String> {
    write(folder, name, text);
    let report = json(&aivm(folder, &["check", name, "--json"]));
    let told = report["files"][0]["diagnostics"].as_array().expect("a list");
    told.iter().map(|one| format!("{}: {}", one["line"], one["message"].as_str().unwrap_or(""))).collect()
}

/// The steps of a run, each with what came of it.
fn steps(report: &Value) -> Vec<String> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or("").to_owned();
    let rows = report["steps"].as_array().expect("steps");
    rows.iter().map(|row| format!("{} → {}", text(row, "key"), text(row, "outcome"))).collect()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const SHOUT: &str = "+++\n[worker.shout]\nrun = \"tr a-z A-Z\"\n+++\nout <= ( switch[s] <= ( clean => next | cancel  shout => send ) ) <= in\n";

#[test]
fn a_run_prints_its_output_and_ends_with_0() {
    let dir = folder();
    write(dir.path(), "p.aivm", SHOUT);
    let output = aivm(dir.path(), &["run", "p.aivm", "--in", "hello"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(output.stdout, b"HELLO\n");
    assert!(stderr(&output).contains("s/shout#1"), "progress off a terminal is plain lines");
    assert!(dir.path().join(".aivm/store.db").exists());
}

#[test]
fn run_json_is_one_object_of_the_promised_shape() {
    let dir = folder();
    write(dir.path(), "p.aivm", SHOUT);
    let report = json(&aivm(dir.path(), &["run", "p.aivm", "--in", "hello", "--json"]));
    assert_eq!(report["v"], 1);
    assert_eq!(report["status"], "sent");
    assert_eq!(report["exit"], 0);
    assert_eq!(report["output"]["text"], "HELLO\n");
    for key in ["id", "checksum", "type", "origin", "role", "scope", "timestamp", "version", "attributes"] {
        assert!(report["output"].get(key).is_some(), "{key}");
    }
    let steps = report["steps"].as_array().expect("steps");
    let keys: Vec<&str> = steps.iter().filter_map(|step| step["key"].as_str()).collect();
    assert_eq!(keys, ["s/clean#1", "s/shout#1"]);
    assert_eq!(steps[1]["worker"], "shout");
    assert_eq!(steps[1]["outcome"], "send");
    assert!(steps[1]["ms"].is_number() && steps[1]["artifact"].is_string());
    assert_eq!(report["totals"]["calls"], 2);
    assert!(report["error"].is_null());
}

#[test]
fn every_ending_has_its_code() {
    let dir = folder();
    let program =
        |front: &str, outcomes: &str| format!("+++\n{front}\n+++\nout <= ( switch <= ( x => {outcomes} ) ) <= in\n");
    let cases = [
        ("[worker.x]\nmock = [\"cancel\"]", "send | cancel", &[][..], 1, "cancelled"),
        ("[worker.x]\nmock = [{ fail = \"no\" }]", "send", &[], 1, "failed"),
        ("[worker.x]\nrun = \"exit 3\"", "send", &[], 1, "failed"),
        ("[worker.x]\nrun = \"sleep 20\"\ntimeout = \"100ms\"", "send", &[], 5, "timeout"),
        ("[worker.x]\nrun = \"cat\"", "send", &["--max-calls", "0"], 4, "parked"),
    ];
    for (front, outcomes, more, code, status) in cases {
        write(dir.path(), "p.aivm", &program(front, outcomes));
        let mut args = vec!["run", "p.aivm", "--json", "--ephemeral"];
        args.extend(more);
        let output = aivm(dir.path(), &args);
        assert_eq!(output.status.code(), Some(code), "{front}: {}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(json(&output)["status"], status, "{front}");
        assert_eq!(json(&output)["exit"], code, "{front}");
    }
    assert!(!dir.path().join(".aivm").exists(), "an ephemeral run keeps nothing");
}

#[test]
fn a_failed_undo_ends_with_7() {
    let dir = folder();
    let text = "+++\n[worker.make]\nrun = \"cat\"\n[worker.unmake]\nrun = \"exit 1\"\nbackoff = { wait = \"1ms\" }\n[worker.x]\nmock = [{ fail = \"no\" }]\n+++\nout <= ( switch <= ( make ~ unmake => next  x => send ) ) <= in\n";
    write(dir.path(), "p.aivm", text);
    let output = aivm(dir.path(), &["run", "p.aivm", "--ephemeral"]);
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    assert!(stderr(&output).contains("not undone: switch.1/make#1~undo"), "{}", stderr(&output));
}

#[test]
fn source_and_module_run_alike_and_layout_is_no_part_of_identity() {
    let dir = folder();
    write(dir.path(), "p.aivm", SHOUT);
    write(
        dir.path(),
        "q.aivm",
        &format!("; another layout\n{}", SHOUT.replace("+++\nout", "+++\n\n\nout")).replace("; another layout\n", ""),
    );
    let identity = |name: &str| {
        let report = json(&aivm(dir.path(), &["compile", name, "--json"]));
        report["digest"].as_str().expect("a digest").to_owned()
    };
    assert_eq!(identity("p.aivm"), identity("q.aivm"));
    let steps = |name: &str| {
        let report = json(&aivm(dir.path(), &["run", name, "--in", "x", "--json"]));
        let keys: Vec<String> = report["steps"]
            .as_array()
            .expect("steps")
            .iter()
            .map(|step| format!("{}{}", step["key"], step["outcome"]))
            .collect();
        (keys, report["output"]["text"].clone())
    };
    assert_eq!(steps("p.aivm"), steps("p.aivmc"));
}

#[test]
fn a_command_is_told_its_step_and_answers_by_a_file() {
    let dir = folder();
    let text = "+++\n[worker.x]\nrun = 'echo \"$AIVM_STEP $AIVM_STEP_OUTCOMES $AIVM_STEP_PARAM_WHO\"; echo cancel > \"$AIVM_STEP_VERDICT\"'\n+++\nout <= ( switch[s] <= ( x => send | cancel ) <= match <= ( success => send  cancel => out <= switch <= ( [clean <= s.x.out] => send ) ) ) <= in\n";
    write(dir.path(), "p.aivm", text);
    let output = aivm(dir.path(), &["run", "p.aivm", "--param", "who=me", "--json"]);
    assert_eq!(
        json(&output)["output"]["text"],
        "s/x#1 send cancel me\n",
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn a_deadline_kills_the_whole_process_group() {
    let dir = folder();
    let text = "+++\n[worker.x]\nrun = \"(sleep 3; touch survived) & sleep 30\"\ntimeout = \"200ms\"\n+++\nout <= ( switch <= ( x => send ) ) <= in\n";
    write(dir.path(), "p.aivm", text);
    let output = aivm(dir.path(), &["run", "p.aivm", "--ephemeral"]);
    assert_eq!(output.status.code(), Some(5));
    std::thread::sleep(Duration::from_millis(3_500));
    assert!(!dir.path().join("survived").exists());
}

#[test]
fn an_interrupt_undoes_and_ends_with_130() {
    let dir = folder();
    let text = "+++\n[worker.make]\nrun = \"touch made; cat\"\n[worker.unmake]\nrun = \"rm made\"\n[worker.slow]\nrun = \"touch waiting; sleep 30\"\n+++\nout <= ( switch <= ( make ~ unmake => next  slow => send ) ) <= in\n";
    write(dir.path(), "p.aivm", text);
    let mut child = command(dir.path(), &["run", "p.aivm", "--ephemeral"])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("aivm runs");
    let began = Instant::now();
    while !dir.path().join("waiting").exists() && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(kill.success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(!dir.path().join("made").exists(), "what was made is undone");
}

#[test]
fn errors_have_a_code_a_place_a_reason_and_a_way_out() {
    let dir = folder();
    write(dir.path(), "p.aivm", "out <= (\n    switch <= (\n        a => nxt\n        b -> send\n    )\n) <= in\n");
    let output = aivm(dir.path(), &["check", "p.aivm"]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    for part in ["E0119", "E0106", "p.aivm:3", "did you mean `next`?", "write `=>`", "aivm explain"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let report = json(&aivm(dir.path(), &["check", "p.aivm", "--json"]));
    assert_eq!(report["files"][0]["diagnostics"].as_array().map(Vec::len), Some(2));
    let report = json(&aivm(dir.path(), &["check", "gone.aivm", "p.aivm", "--json"]));
    assert!(report["files"][0]["error"].as_str().is_some_and(|error| error.starts_with("E0801")), "{report}");
    assert_eq!(report["files"][1]["diagnostics"].as_array().map(Vec::len), Some(2), "one file hides no other");
    let explained = aivm(dir.path(), &["explain", "E0119"]);
    assert!(String::from_utf8_lossy(&explained.stdout).starts_with("# E0119: "));
}

#[test]
fn hostile_input_is_an_error_with_code_2() {
    let dir = folder();
    let mut noise = Vec::with_capacity(10 << 20);
    let mut state = 0x2545_f491_4f6c_dd1du64;
    while noise.len() < 10 << 20 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend_from_slice(&state.to_le_bytes());
    }
    std::fs::write(dir.path().join("noise.aivm"), &noise).expect("a file");
    std::fs::write(dir.path().join("noise.aivmc"), &noise[..4 << 20]).expect("a file");
    std::fs::write(dir.path().join("some.aivm"), "\u{7f}é".repeat(300_000)).expect("a file");
    std::fs::write(dir.path().join("brackets.aivm"), "(".repeat(100_000)).expect("a file");
    std::fs::write(dir.path().join("comments.aivm"), "; x\n".repeat(1_000_000)).expect("a file");
    std::fs::write(dir.path().join("fewer.aivm"), "; x\n".repeat(250_000)).expect("a file");
    let body = "a=>next ".repeat(130_000);
    std::fs::write(dir.path().join("steps.aivm"), format!("out<=(switch<=({body}))<=in")).expect("a file");
    for name in ["noise.aivm", "noise.aivmc", "some.aivm", "brackets.aivm", "comments.aivm", "fewer.aivm", "steps.aivm"]
    {
        let output = aivm(dir.path(), &["run", name, "--ephemeral"]);
        assert_eq!(output.status.code(), Some(2), "{name}: {}", stderr(&output));
        assert!(stderr(&output).contains("E0"), "{name}: {}", stderr(&output));
    }
}

#[test]
fn a_module_with_any_byte_cut_off_is_an_error() {
    let dir = folder();
    write(dir.path(), "p.aivm", "out <= ( switch <= ( clean => send ) ) <= in\n");
    assert!(aivm(dir.path(), &["compile", "p.aivm", "--strip"]).status.success());
    let bytes = std::fs::read(dir.path().join("p.aivmc")).expect("a module");
    for length in (0..bytes.len()).step_by(97) {
        std::fs::write(dir.path().join("cut.aivmc"), &bytes[..length]).expect("a file");
        let output = aivm(dir.path(), &["run", "cut.aivmc", "--ephemeral"]);
        assert_eq!(output.status.code(), Some(2), "{length} bytes: {}", stderr(&output));
    }
    for bit in (0..bytes.len() * 8).step_by(1_013) {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(dir.path().join("cut.aivmc"), &damaged).expect("a file");
        let output = aivm(dir.path(), &["run", "cut.aivmc", "--ephemeral"]);
        assert_eq!(output.status.code(), Some(2), "bit {bit}: {}", stderr(&output));
    }
}

#[test]
fn artifacts_can_be_listed_shown_signed_and_traced() {
    let dir = folder();
    write(dir.path(), "p.aivm", SHOUT);
    let report = json(&aivm(dir.path(), &["run", "p.aivm", "--in", "hello  ", "--json"]));
    let output = report["output"]["checksum"].as_str().expect("a checksum").to_owned();
    let listed = aivm(dir.path(), &["artifact", "ls", "shout/step/run/"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains(&output[..12]));
    assert_eq!(aivm(dir.path(), &["artifact", "cat", &output[..12]]).stdout, b"HELLO\n");
    let lineage = json(&aivm(dir.path(), &["artifact", "lineage", &output, "--json"]));
    let steps: Vec<&str> =
        lineage["lineage"].as_array().expect("rows").iter().filter_map(|row| row["step"].as_str()).collect();
    assert_eq!(steps, ["s/shout#1", "s/clean#1", "input"]);
    assert!(aivm(dir.path(), &["keys", "new", "me"]).status.success());
    assert!(!aivm(dir.path(), &["keys", "new", "me"]).status.success(), "a secret key is never written over");
    let signed = aivm(dir.path(), &["keys", "sign", &output, "--name", "me"]);
    let signed = String::from_utf8(signed.stdout).expect("a checksum");
    let shown = json(&aivm(dir.path(), &["artifact", "show", signed.trim()]));
    assert_eq!(shown["trust"], "signed by me");
    assert_eq!(shown["text"], "HELLO\n");
}

#[test]
fn the_help_fits_on_a_screen() {
    let dir = folder();
    let help = aivm(dir.path(), &["--help"]);
    let text = String::from_utf8(help.stdout).expect("text");
    assert!(text.lines().count() <= 30 && text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn formatting_keeps_the_program_and_is_done_once() {
    let dir = folder();
    write(dir.path(), "p.aivm", "out <= (switch <= (clean => next || cancel ; why\n shout_it => send)) <= in\n");
    let before = aivm(dir.path(), &["fmt", "--check", "p.aivm"]);
    assert_eq!(before.status.code(), Some(1));
    assert!(aivm(dir.path(), &["fmt", "p.aivm"]).status.success());
    let text = std::fs::read_to_string(dir.path().join("p.aivm")).expect("a file");
    assert!(text.contains("; why") && text.contains("next | cancel"), "{text}");
    assert_eq!(aivm(dir.path(), &["fmt", "--check", "p.aivm"]).status.code(), Some(0));
    let program = std::io::pipe().expect("a pipe");
    std::io::Write::write_all(&mut &program.1, b"out<=()<=in").expect("written");
    drop(program.1);
    let piped = command(dir.path(), &["fmt", "--check", "-"]).stdin(program.0).output().expect("aivm runs");
    assert_eq!((piped.status.code(), piped.stdout), (Some(1), Vec::new()), "nothing but an answer");
}

#[test]
fn doctor_and_config_say_what_is() {
    let dir = folder();
    let doctor = json(&aivm(dir.path(), &["doctor", "--json"]));
    assert_eq!(doctor["ok"], true, "{doctor}");
    write(dir.path(), "aivm.toml", "[limits]\ncount = 3\n");
    let shown = json(&aivm(dir.path(), &["config", "show", "--json"]));
    let count = shown["settings"]
        .as_array()
        .expect("settings")
        .iter()
        .find(|setting| setting["name"] == "limits.count")
        .expect("it");
    assert_eq!((count["value"].as_str(), count["origin"].as_str()), (Some("3"), Some("aivm.toml")));
}

#[test]
fn a_file_does_not_propose_itself_and_may_not_call_itself() {
    let dir = folder();
    write(dir.path(), "reports.aivm", "out <= ( switch <= ( reporst => send ) ) <= in");
    write(dir.path(), "self.aivm", "out <= ( switch <= ( self => send ) ) <= in");
    let told = stderr(&aivm(dir.path(), &["check", "reports.aivm"]));
    assert!(told.contains("did you mean `report`?"), "{told}");
    let told = stderr(&aivm(dir.path(), &["check", "self.aivm"]));
    assert!(told.contains("E0206"), "{told}");
}

#[test]
fn a_model_that_is_not_configured_can_be_mocked() {
    let dir = folder();
    let program = |mock: &str| {
        format!("+++\n[worker.ask]\nprompt = \"ok?\"\n{mock}\n+++\nout <= ( switch <= ( ask => next ) ) <= in")
    };
    write(dir.path(), "with.aivm", &program("mock = [\"next\"]"));
    write(dir.path(), "without.aivm", &program(""));
    for file in ["with.aivm", "without.aivm"] {
        let output = aivm(dir.path(), &["run", file, "--in", "x"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("or run with `--mock`"), "{}", stderr(&output));
        assert_eq!(aivm(dir.path(), &["run", file, "--in", "x", "--mock"]).status.code(), Some(0));
    }
}
