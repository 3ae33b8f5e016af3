//! Workers that are plugins: one process for many calls, and what a plugin may do wrong without doing harm.

use super::{command, folder, json, stderr, write};
use aivm_schema::plugin::{Answer, FRAME, Frame, Output, PROTOCOL};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A plugin that says these bytes after its hello, one lot for each frame that it gets after the first; none: nothing.
fn saying(folder: &Path, greeting: &[u8], lots: &[Vec<u8>], then: &str) {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let lots: Vec<String> = lots.iter().map(|bytes| format!("'{}'", hex(bytes))).collect();
    let script = format!(
        "$| = 1; open my $l, '>>', 'started'; print $l \"x\\n\"; close $l;
        sub get {{ read(STDIN, my $n, 4) == 4 or exit; read(STDIN, my $f, unpack('V', $n)) }}
        print pack('H*', '{}'); get(); my @lots = ({}); for my $lot (@lots) {{ get(); print pack('H*', $lot) }} {then}",
        hex(greeting),
        lots.join(", ")
    );
    write(folder, "plugin.pl", &script);
}

fn hello() -> Vec<u8> {
    Frame::Hello { protocol: PROTOCOL, name: "test".into() }.to_bytes().expect("a frame")
}

fn answer(id: u64, outcome: &str, text: &str) -> Vec<u8> {
    let output = Output { outcome: outcome.into(), media_type: String::new(), payload: text.into() };
    Frame::Result(Answer { id, result: Ok(output), microdollars: 5, tokens: 7 }).to_bytes().expect("a frame")
}

const PERL: &str = "plugin = [\"perl\", \"plugin.pl\"]\ntimeout = \"10s\"\nbackoff = { wait = \"1ms\" }";

/// Runs steps of the worker `x`.
fn steps(folder: &Path, definition: &str, steps: &str) -> Value {
    let text = format!("+++\n[worker.x]\n{definition}\n+++\nout <= ( switch[s] <= ( {steps} ) ) <= in\n");
    write(folder, "p.aivm", &text);
    json(&command(folder, &["run", "p.aivm", "--in", "one two", "--json", "--ephemeral"]).output().expect("aivm runs"))
}

fn started(folder: &Path) -> usize {
    std::fs::read_to_string(folder.join("started")).unwrap_or_default().lines().count()
}

#[test]
fn one_process_answers_all_calls() {
    let dir = folder();
    saying(dir.path(), &hello(), &[answer(1, "next", "a"), answer(2, "", "b")], "sleep 30");
    let run = steps(dir.path(), PERL, "x => next | cancel  x => send");
    assert_eq!((run["status"].as_str(), run["output"]["text"].as_str()), (Some("sent"), Some("b")), "{run}");
    assert_eq!((&run["steps"][0]["outcome"], started(dir.path())), (&"next".into(), 1));
    assert_eq!(run["totals"]["tokens"], 14, "{run}");
}

#[test]
fn what_a_plugin_does_wrong_fails_its_calls_with_the_cause_and_the_next_finds_another() {
    let dir = folder();
    let huge = (FRAME as u32 + 1).to_le_bytes().to_vec();
    let own = Frame::Cancel(1).to_bytes().expect("a frame");
    let late = Frame::Hello { protocol: 9, name: "later".into() }.to_bytes().expect("a frame");
    type Case<'c> = (&'c [u8], Vec<Vec<u8>>, &'c str, &'c str, &'c str);
    let cases: [Case<'_>; 9] = [
        (&hello(), vec![b"\x05\0\0\0junk!".to_vec()], "sleep 30", "E0972", "cannot be read"),
        (&hello(), vec![huge], "sleep 30", "E0972", "are the most"),
        (&hello(), vec![own], "sleep 30", "E0972", "not a plugin's to send"),
        (&hello(), vec![answer(7, "", "x")], "sleep 30", "E0972", "which nobody made"),
        (&late, vec![], "sleep 30", "E0972", "it speaks protocol 9"),
        (&answer(1, "", "x"), vec![], "sleep 30", "E0972", "is no hello"),
        (&hello(), vec![Vec::new()], "print STDERR \"out of paper\\n\"; exit 3", "E0971", "exit code 3: out of paper"),
        (&hello(), vec![b"\xff\0\0\0half".to_vec()], "exit 0", "E0971", "exit code 0"),
        (b"", vec![], "kill 9, $$", "E0971", "signal 9"),
    ];
    for (greeting, lots, then, code, cause) in cases {
        let _ = std::fs::remove_file(dir.path().join("started"));
        saying(dir.path(), greeting, &lots, then);
        let run = steps(dir.path(), PERL, "x => send | retry * 1");
        let error = run["error"].to_string();
        assert!(run["status"] == "failed" && error.contains(code) && error.contains(cause), "{cause}: {run}");
        assert_eq!(started(dir.path()), 2, "{cause}: the retry finds another process");
    }
}

#[test]
fn a_plugin_that_hangs_is_late_and_one_that_answers_twice_is_heard_once() {
    let dir = folder();
    saying(dir.path(), &hello(), &[Vec::new()], "sleep 30");
    let slow = PERL.replace("10s", "200ms");
    assert_eq!(steps(dir.path(), &slow, "x => send")["status"], "timeout");
    let twice = [answer(1, "", "a"), answer(1, "", "again")].concat();
    saying(dir.path(), &hello(), &[twice, answer(2, "", "b")], "sleep 30");
    let run = steps(dir.path(), PERL, "x => next  x => send");
    assert_eq!(run["output"]["text"], "b", "{run}");
}

#[test]
fn an_outcome_that_was_not_declared_never_moves_control() {
    let dir = folder();
    saying(dir.path(), &hello(), &[answer(1, "back", "x")], "sleep 30");
    let run = steps(dir.path(), PERL, "clean => next  x => send | cancel");
    assert!(run["status"] == "failed" && run["error"].to_string().contains("E0702"), "{run}");
}

#[test]
fn a_program_that_is_not_there_is_no_plugin() {
    let dir = folder();
    let run = steps(dir.path(), "plugin = [\"./no-such-plugin\"]", "x => send");
    assert!(run["error"].to_string().contains("E0970"), "{run}");
    let run =
        command(dir.path(), &["run", "p.aivm", "--ephemeral"]).env("AIVM_SANDBOX", "auto").output().expect("runs");
    assert!(stderr(&run).contains("E0970"), "{}", stderr(&run));
}

/// Where the examples of this build are.
fn example() -> PathBuf {
    let aivm = Path::new(env!("CARGO_BIN_EXE_aivm"));
    aivm.parent().expect("a folder").join("examples/plugin-rust")
}

#[test]
fn the_example_in_rust_measures_in_a_sandbox() {
    let dir = folder();
    // `cargo test` builds the examples, `cargo test --test cli` does not.
    if std::fs::copy(example(), dir.path().join("plugin-rust")).is_err() {
        eprintln!("skipped: cargo build --example plugin-rust");
        return;
    }
    let definition = "plugin = [\"./plugin-rust\"]\neffect = \"read\"\nwords = [\"long\", \"short\"]";
    let text = format!("+++\n[worker.x]\n{definition}\n+++\nout <= ( switch <= ( x => send ) ) <= in\n");
    write(dir.path(), "p.aivm", &text);
    let mut run = command(dir.path(), &["run", "p.aivm", "--in", "one two", "--json", "--ephemeral"]);
    let run = json(&run.env("AIVM_SANDBOX", "auto").output().expect("aivm runs"));
    if run["error"].to_string().contains("E0930") {
        eprintln!("skipped: nothing here holds a plugin: {}", run["error"]);
        return;
    }
    assert_eq!(run["output"]["text"], "2", "{run}");
}

#[test]
fn the_example_in_python_turns_its_input_round() {
    let has = Command::new("python3").args(["-c", "import capnp"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no pycapnp here");
        return;
    }
    let dir = folder();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (plugin, schema) = (root.join("examples/plugin-python/plugin.py"), root.join("schema"));
    let definition = format!("plugin = [\"python3\", \"{}\", \"{}\"]", plugin.display(), schema.display());
    let run = steps(dir.path(), &definition, "x => send");
    assert_eq!(run["output"]["text"], "owt eno", "{run}");
}
