//! Runs that are killed and come back, through the whole program.

use super::{aivm, command, folder, json, stderr, write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// Three commands that write what they do into a ledger; the second waits until somebody takes the file `hold` away.
const PROGRAM: &str = "+++
[worker.one]
run = \"echo one >> ledger; echo 1\"
[worker.two]
run = \"echo two >> ledger; while [ -e hold ]; do sleep 0.02; done; cat; echo 2\"
EFFECT
[worker.three]
run = \"echo three >> ledger; cat; echo 3\"
+++
out <= ( switch <= ( one => next  two => next  three => send ) ) <= in
";

fn ledger(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("ledger")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// A run that was killed while its second step was under way, and its name.
fn killed(effect: &str) -> (tempfile::TempDir, String) {
    let dir = folder();
    write(dir.path(), "p.aivm", &PROGRAM.replace("EFFECT", effect));
    write(dir.path(), "hold", "");
    let mut run = command(dir.path(), &["run", "p.aivm", "-q"]).stdout(Stdio::null()).spawn().expect("aivm runs");
    while ledger(dir.path()).len() < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    run.kill().expect("it is killed");
    run.wait().expect("it is gone");
    std::fs::remove_file(dir.path().join("hold")).expect("nothing waits any more");
    let name = only_run(dir.path(), "running");
    (dir, name)
}

fn only_run(folder: &Path, status: &str) -> String {
    let runs = json(&aivm(folder, &["runs", "--json"]));
    assert_eq!(runs["runs"][0]["status"], status, "{runs}");
    runs["runs"][0]["run"].as_str().expect("a name").to_owned()
}

#[test]
fn what_was_answered_is_not_asked_again_and_what_may_have_happened_is_asked_about() {
    let (dir, run) = killed("");
    let parked = aivm(dir.path(), &["resume", &run]);
    assert_eq!(parked.status.code(), Some(4), "{}", stderr(&parked));
    assert!(stderr(&parked).contains("E0771"), "{}", stderr(&parked));
    assert!(
        stderr(&parked).contains("a line for `two` spares the question: effect = \"idempotent\""),
        "{}",
        stderr(&parked)
    );
    assert_eq!(ledger(dir.path()), ["one", "two"], "nothing is repeated");
    let wrong = aivm(dir.path(), &["settle", &run, "switch.1/one#1", "happened"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("switch.1/two#1"), "{}", stderr(&wrong));
    let word = aivm(dir.path(), &["settle", &run, "switch.1/two#1", "happened", "--verdict", "nonsense"]);
    assert_eq!(word.status.code(), Some(2), "a word that the step does not know: {}", stderr(&word));
    assert!(stderr(&word).contains("its outcomes: "), "{}", stderr(&word));
    let settled = aivm(dir.path(), &["settle", &run, "switch.1/two#1", "happened", "--output", "1 and 2", "--json"]);
    assert_eq!(json(&settled)["status"], "sent", "{}", stderr(&settled));
    assert_eq!(json(&settled)["steps"].as_array().map(Vec::len), Some(3), "what happened before is told as well");
    assert_eq!(ledger(dir.path()), ["one", "two", "three"]);
    only_run(dir.path(), "sent");
    // Whoever resumes what has ended gets its end.
    let again = aivm(dir.path(), &["resume", &run, "-q"]);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert_eq!(ledger(dir.path()).len(), 3);
}

#[test]
fn what_did_not_happen_is_done() {
    let (dir, run) = killed("");
    assert_eq!(aivm(dir.path(), &["resume", &run]).status.code(), Some(4));
    let settled = aivm(dir.path(), &["settle", &run, "switch.1/two#1", "not-happened"]);
    assert_eq!(settled.status.code(), Some(0), "{}", stderr(&settled));
    assert_eq!(ledger(dir.path()), ["one", "two", "two", "three"]);
}

#[test]
fn what_may_be_repeated_is_repeated() {
    for effect in ["read", "idempotent"] {
        let (dir, run) = killed(&format!("effect = \"{effect}\""));
        let resumed = aivm(dir.path(), &["resume", &run]);
        assert_eq!(resumed.status.code(), Some(0), "{effect}: {}", stderr(&resumed));
        assert_eq!(ledger(dir.path()), ["one", "two", "two", "three"], "{effect}");
    }
}

#[test]
fn a_command_has_its_whole_input_whatever_becomes_of_the_program() {
    let dir = folder();
    let line = "touch began; while [ -e hold ]; do sleep 0.02; done; wc -c > got; touch done";
    let text = format!("+++\n[worker.x]\nrun = \"{line}\"\n+++\nout <= ( switch <= ( x => send ) ) <= in\n");
    write(dir.path(), "p.aivm", &text);
    write(dir.path(), "input", &"x".repeat(1_000_000));
    write(dir.path(), "hold", "");
    let mut run = command(dir.path(), &["run", "p.aivm", "--in", "@input", "-q"]).spawn().expect("aivm runs");
    let wait = |name: &str| {
        while !dir.path().join(name).exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    wait("began");
    run.kill().expect("it is killed");
    run.wait().expect("it is gone");
    std::fs::remove_file(dir.path().join("hold")).expect("nothing waits any more");
    wait("done");
    let got = std::fs::read_to_string(dir.path().join("got")).expect("a count");
    assert_eq!(got.trim(), "1000000");
}

#[test]
fn a_probe_finds_out_and_nobody_is_asked() {
    let look = "grep -q two ledger && echo happened > $AIVM_STEP_VERDICT; echo 1 and 2";
    let probe = format!("probe = \"look\"\n[worker.look]\neffect = \"read\"\nrun = \"{look}\"");
    let (dir, run) = killed(&probe);
    let resumed = aivm(dir.path(), &["resume", &run]);
    assert_eq!(resumed.status.code(), Some(0), "{}", stderr(&resumed));
    assert_eq!(ledger(dir.path()), ["one", "two", "three"]);
    assert_eq!(resumed.stdout, b"1 and 2\n3\n", "what the probe said is what the call returned");
}

#[test]
fn a_run_has_one_owner() {
    let dir = folder();
    write(dir.path(), "p.aivm", &PROGRAM.replace("EFFECT", ""));
    write(dir.path(), "hold", "");
    let mut run = command(dir.path(), &["run", "p.aivm", "-q"]).stdout(Stdio::null()).spawn().expect("aivm runs");
    while ledger(dir.path()).len() < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let name = only_run(dir.path(), "running");
    let refused = aivm(dir.path(), &["resume", &name]);
    assert!(stderr(&refused).contains("E0755"), "{}", stderr(&refused));
    std::fs::remove_file(dir.path().join("hold")).expect("nothing waits any more");
    assert!(run.wait().expect("it ends").success(), "it did not notice");
}

#[test]
fn a_limit_is_raised_and_the_run_goes_on() {
    let dir = folder();
    write(dir.path(), "p.aivm", &PROGRAM.replace("EFFECT", ""));
    let parked = aivm(dir.path(), &["run", "p.aivm", "--max-calls", "2"]);
    assert_eq!(parked.status.code(), Some(4), "{}", stderr(&parked));
    let run = only_run(dir.path(), "parked");
    let resumed = aivm(dir.path(), &["resume", &run, "--max-calls", "3"]);
    assert_eq!(resumed.status.code(), Some(0), "{}", stderr(&resumed));
    assert_eq!(ledger(dir.path()), ["one", "two", "three"]);
}

#[test]
fn a_damaged_journal_is_reported_and_stops_no_other_run() {
    let (dir, run) = killed("");
    let store = rusqlite::Connection::open(dir.path().join(".aivm/store.db")).expect("the store");
    let change = "UPDATE journal SET records = CAST(substr(records, 1, 40) || x'ff' || substr(records, 42) AS BLOB) WHERE seq > 1";
    assert!(store.execute(change, []).expect("it is changed") > 0);
    let refused = aivm(dir.path(), &["resume", &run]);
    assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("E0756"), "{}", stderr(&refused));
    let runs = json(&aivm(dir.path(), &["runs", "--json"]));
    assert!(runs["runs"][0]["quarantine"].as_str().is_some_and(|reason| reason.contains("record ")), "{runs}");
    let aside = aivm(dir.path(), &["resume", &run]);
    assert!(stderr(&aside).contains("E0765"), "{}", stderr(&aside));
    let other = aivm(dir.path(), &["run", "p.aivm"]);
    assert_eq!(other.status.code(), Some(0), "{}", stderr(&other));
}

/// Processes with this run's name in their environment.
fn left(run: &str) -> Vec<String> {
    let mark = format!("AIVM_STEP_RUN={run}\0");
    let processes = std::fs::read_dir("/proc").expect("processes").flatten();
    let marked = processes.filter(|entry| {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&mark)
    });
    marked.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn what_a_killed_process_left_running_does_not_go_on_beside_its_run() {
    let dir = folder();
    let program = PROGRAM.replace("EFFECT", "").replace("echo two >> ledger", "setsid sleep 600 & echo two >> ledger");
    write(dir.path(), "p.aivm", &program);
    write(dir.path(), "hold", "");
    let mut run = command(dir.path(), &["run", "p.aivm", "-q"]).stdout(Stdio::null()).spawn().expect("aivm runs");
    while ledger(dir.path()).len() < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    run.kill().expect("it is killed");
    run.wait().expect("it is gone");
    let name = only_run(dir.path(), "running");
    assert!(left(&name).len() >= 2, "{:?}", left(&name));
    assert_eq!(aivm(dir.path(), &["resume", &name]).status.code(), Some(4));
    assert_eq!(left(&name), Vec::<String>::new());
}

#[test]
fn runs_of_one_name_in_two_stores_leave_each_other_alone() {
    let (ours, theirs) = (folder(), folder());
    let program = PROGRAM.replace("EFFECT", "");
    let begin = |dir: &Path| {
        write(dir, "p.aivm", &program);
        write(dir, "hold", "");
        let args = ["run", "p.aivm", "-q", "--id", "two-stores"];
        let run = command(dir, &args).stdout(Stdio::null()).spawn().expect("aivm runs");
        while ledger(dir).len() < 2 {
            std::thread::sleep(Duration::from_millis(5));
        }
        run
    };
    let (mut killed, mut other) = (begin(ours.path()), begin(theirs.path()));
    killed.kill().expect("it is killed");
    killed.wait().expect("it is gone");
    assert_eq!(aivm(ours.path(), &["resume", "two-stores"]).status.code(), Some(4));
    std::fs::remove_file(theirs.path().join("hold")).expect("nothing holds it any more");
    assert!(other.wait().expect("it ends").success());
    assert_eq!(ledger(theirs.path()), ["one", "two", "three"]);
}

#[test]
fn a_run_of_a_name_is_started_once() {
    let dir = folder();
    write(dir.path(), "p.aivm", &PROGRAM.replace("EFFECT", ""));
    let start = |input: &str| aivm(dir.path(), &["run", "p.aivm", "--id", "nightly", "--in", input, "-q"]);
    let first = start("x");
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    let again = start("x");
    assert_eq!((again.status.code(), &again.stdout), (Some(0), &first.stdout), "{}", stderr(&again));
    assert_eq!(ledger(dir.path()), ["one", "two", "three"], "nothing is done again");
    // Its whole name is its own, whatever others begin with.
    assert!(aivm(dir.path(), &["run", "p.aivm", "--id", "nightly-2", "-q"]).status.success());
    assert_eq!(json(&aivm(dir.path(), &["resume", "nightly", "--json"]))["run"], "nightly");
    std::fs::remove_file(dir.path().join("ledger")).expect("a ledger");
    let other = start("y");
    assert!(stderr(&other).contains("E0777") && stderr(&other).contains("another input"), "{}", stderr(&other));
    write(dir.path(), "p.aivm", &PROGRAM.replace("EFFECT", "effect = \"read\""));
    assert!(stderr(&start("x")).contains("another program"));
    for name in ["../x", "", "-x", "a b"] {
        let refused = aivm(dir.path(), &["run", "p.aivm", &format!("--id={name}")]);
        assert!(stderr(&refused).contains("E0777"), "{name}: {}", stderr(&refused));
    }
}

#[test]
fn who_comes_later_waits_for_the_run_of_that_name() {
    let dir = folder();
    write(dir.path(), "p.aivm", &PROGRAM.replace("EFFECT", ""));
    write(dir.path(), "hold", "");
    let args = ["run", "p.aivm", "--id", "nightly", "-q"];
    let runs: Vec<_> = (0..4)
        .map(|_| command(dir.path(), &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("aivm runs"))
        .collect();
    while ledger(dir.path()).len() < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::remove_file(dir.path().join("hold")).expect("nothing waits any more");
    for run in runs {
        let output = run.wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n2\n3\n", "{}", stderr(&output));
    }
    assert_eq!(ledger(dir.path()), ["one", "two", "three"]);
}

#[test]
fn anybody_can_torture_their_own_disk() {
    let dir = folder();
    let tested = aivm(dir.path(), &["self-test", "--torture", "2s", "--json"]);
    assert_eq!(tested.status.code(), Some(0), "{}", stderr(&tested));
    let counts = json(&tested);
    assert!(counts["kills"].as_u64() > Some(2) && counts["steps"].as_u64() >= Some(36), "{counts}");
    assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 0, "nothing is left");
}
