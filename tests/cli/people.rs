//! Runs that wait for a person, and runs that are taken back, through the whole program.

use super::{aivm, command, folder, json, stderr, write};
use std::path::Path;
use std::process::Output;

const DEPLOY: &str = "+++
[worker.build]
run = \"echo built >> ledger; cat\"
undo = \"unbuild\"
[worker.unbuild]
run = \"echo unbuilt >> ledger\"
[worker.allow]
human = \"Shall it go out?\"
[worker.ship]
run = \"(echo shipped; cat; echo) >> ledger\"
undo = \"unship\"
[worker.unship]
run = \"test -e repaired && echo unshipped >> ledger\"
+++
out <= ( switch <= ( build => next  allow => next | cancel  ship => send ) ) <= in
";

fn ledger(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("ledger")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// A run of the deployment that waits for a person, and its name.
fn waiting() -> (tempfile::TempDir, String, Output) {
    let dir = folder();
    write(dir.path(), "p.aivm", DEPLOY);
    let parked = aivm(dir.path(), &["run", "p.aivm", "--in", "release 7", "--json"]);
    assert_eq!(parked.status.code(), Some(4), "{}", stderr(&parked));
    let run = json(&parked)["run"].as_str().expect("a name").to_owned();
    (dir, run, parked)
}

#[test]
fn a_person_sees_what_is_decided_and_decides_once() {
    let (dir, run, parked) = waiting();
    let question = &json(&parked)["questions"][0];
    assert_eq!(question["question"], "Shall it go out?");
    assert_eq!(question["choices"], serde_json::json!(["next", "cancel"]));
    let subject = question["subject"].as_str().expect("a digest");
    for (args, why) in [
        (&["maybe"][..], "none of the choices"),
        (&["next", "--subject", "00ff"], "something else"),
        (&["next", "--step", "switch.1/ship#1"], "asks nobody"),
    ] {
        let refused = aivm(dir.path(), &[&["approve", &run], args].concat());
        assert_eq!(refused.status.code(), Some(2), "{args:?}");
        assert!(stderr(&refused).contains(why), "{args:?}: {}", stderr(&refused));
    }
    assert_eq!(ledger(dir.path()), ["built"], "nothing has been decided");
    let again = aivm(dir.path(), &["resume", &run]);
    assert_eq!(again.status.code(), Some(4));
    assert!(stderr(&again).contains("release 7"), "what it is about is shown: {}", stderr(&again));
    let approved = aivm(dir.path(), &["approve", &run, "next", "--subject", &subject[..8], "--comment", "go"]);
    assert_eq!(approved.status.code(), Some(0), "{}", stderr(&approved));
    assert_eq!(ledger(dir.path()), ["built", "shipped", "release 7"]);
    let twice = aivm(dir.path(), &["approve", &run, "next"]);
    assert!(stderr(&twice).contains("E0774"), "{}", stderr(&twice));
}

#[test]
fn a_person_may_say_no_or_change_what_goes_on() {
    let (dir, run, _) = waiting();
    let refused = aivm(dir.path(), &["approve", &run, "cancel"]);
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
    assert_eq!(ledger(dir.path()), ["built", "unbuilt"]);
    let (dir, run, _) = waiting();
    write(dir.path(), "better", "release 8");
    let approved = aivm(dir.path(), &["approve", &run, "--edit", "better"]);
    assert_eq!(approved.status.code(), Some(0), "{}", stderr(&approved));
    assert_eq!(ledger(dir.path()), ["built", "shipped", "release 8"]);
}

#[test]
fn a_digest_that_is_empty_or_short_names_nothing() {
    let (dir, run, _) = waiting();
    for subject in ["", "0", "0123456"] {
        let refused = aivm(dir.path(), &["approve", &run, "--subject", subject]);
        assert_eq!(refused.status.code(), Some(2), "{subject}");
        assert!(stderr(&refused).contains("E0775"), "{}", stderr(&refused));
    }
    assert_eq!(ledger(dir.path()), ["built"]);
    let nameless = command(dir.path(), &["approve", &run]).env_remove("USER").env_remove("LOGNAME").output();
    assert!(nameless.expect("it runs").status.success());
    let logs = aivm(dir.path(), &["logs", &run]);
    assert!(String::from_utf8_lossy(&logs.stdout).contains("uid "), "who decided is recorded: {logs:?}");
}

#[test]
fn a_question_expires() {
    let dir = folder();
    write(dir.path(), "p.aivm", &DEPLOY.replace("Shall it go out?\"", "Shall it go out?\"\ntimeout = \"1ms\""));
    let parked = aivm(dir.path(), &["run", "p.aivm", "--json"]);
    assert_eq!(parked.status.code(), Some(4), "{}", stderr(&parked));
    let run = json(&parked)["run"].as_str().expect("a name").to_owned();
    let late = aivm(dir.path(), &["approve", &run, "next"]);
    assert!(stderr(&late).contains("E0775"), "{}", stderr(&late));
    assert!(stderr(&late).contains(&format!("aivm resume {run}")), "there is a way out: {}", stderr(&late));
    let over = aivm(dir.path(), &["resume", &run]);
    assert_eq!(over.status.code(), Some(5), "{}", stderr(&over));
    assert_eq!(ledger(dir.path()), ["built", "unbuilt"]);
}

#[test]
fn a_web_hook_is_told_and_one_that_cannot_be_told_is_no_failure() {
    use std::io::{Read, Write};
    let service = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/hook", service.local_addr().expect("an address"));
    let told = std::thread::spawn(move || {
        let (mut stream, _) = service.accept().expect("a caller");
        let mut text = String::new();
        let mut buffer = [0; 4096];
        while !text.contains("\"commands\"") || !text.ends_with('}') {
            let n = stream.read(&mut buffer).expect("bytes");
            text.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("answers");
        text
    });
    let dir = folder();
    write(dir.path(), "p.aivm", DEPLOY);
    let run = command(dir.path(), &["run", "p.aivm"]).env("AIVM_APPROVAL_WEBHOOK", address).output().expect("runs");
    assert_eq!(run.status.code(), Some(4), "{}", stderr(&run));
    let text = told.join().expect("it was told");
    assert!(text.starts_with("POST /hook") && text.contains("approval_required"), "{text}");
    let nobody = "http://127.0.0.1:9/";
    let run = command(dir.path(), &["run", "p.aivm"]).env("AIVM_APPROVAL_WEBHOOK", nobody).output().expect("runs");
    assert_eq!(run.status.code(), Some(4), "{}", stderr(&run));
    assert!(stderr(&run).contains("web hook could not be told"), "{}", stderr(&run));
}

#[test]
fn what_a_run_did_is_taken_back_and_what_sticks_is_tried_again() {
    let (dir, run, _) = waiting();
    assert_eq!(aivm(dir.path(), &["approve", &run]).status.code(), Some(0));
    let plan = json(&aivm(dir.path(), &["rollback", &run, "--plan", "--json"]));
    assert_eq!(plan["undo"], serde_json::json!(["switch.1/ship#1", "switch.1/build#1"]));
    let wrong = aivm(dir.path(), &["rollback", &run, "--to", "switch.1/allow#1"]);
    assert!(stderr(&wrong).contains("E0776"), "{}", stderr(&wrong));
    // Nobody has repaired what the first undoer needs: the other one does its work all the same.
    let stuck = aivm(dir.path(), &["rollback", &run, "--json"]);
    assert_eq!(stuck.status.code(), Some(7), "{}", stderr(&stuck));
    assert_eq!(json(&stuck)["status"], "stuck");
    assert_eq!(json(&stuck)["error"]["code"], "E0763");
    assert_eq!(json(&stuck)["not_undone"], serde_json::json!(["switch.1/ship#1~undo"]));
    assert_eq!(ledger(dir.path())[3..], ["unbuilt"]);
    write(dir.path(), "repaired", "");
    let back = aivm(dir.path(), &["rollback", &run]);
    assert_eq!(back.status.code(), Some(0), "{}", stderr(&back));
    assert_eq!(ledger(dir.path())[3..], ["unbuilt", "unshipped"], "nothing is undone twice");
    let over = aivm(dir.path(), &["rollback", &run]);
    assert!(stderr(&over).contains("E0776"), "{}", stderr(&over));
}

#[test]
fn a_run_is_taken_back_to_a_step_and_later_further() {
    let (dir, run, _) = waiting();
    write(dir.path(), "repaired", "");
    assert_eq!(aivm(dir.path(), &["approve", &run]).status.code(), Some(0));
    let to = aivm(dir.path(), &["rollback", &run, "--to", "switch.1/build#1"]);
    assert_eq!(to.status.code(), Some(0), "{}", stderr(&to));
    assert_eq!(ledger(dir.path())[3..], ["unshipped"]);
    let all = aivm(dir.path(), &["rollback", &run]);
    assert_eq!(all.status.code(), Some(0), "{}", stderr(&all));
    assert_eq!(ledger(dir.path())[3..], ["unshipped", "unbuilt"]);
}

#[test]
fn what_somebody_undid_by_hand_is_left_alone() {
    let (dir, run, _) = waiting();
    assert_eq!(aivm(dir.path(), &["approve", &run]).status.code(), Some(0));
    assert_eq!(aivm(dir.path(), &["rollback", &run]).status.code(), Some(7));
    let done = aivm(dir.path(), &["rollback", &run, "--done", "switch.1/ship#1~undo"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    assert_eq!(json(&aivm(dir.path(), &["runs", "--json"]))["runs"][0]["status"], "cancelled");
}

#[test]
fn a_fork_takes_over_what_was_answered_and_goes_its_own_way() {
    let dir = folder();
    let program = "+++
[worker.one]
run = \"echo one >> ledger; echo 1\"
effect = \"read\"
[worker.two]
run = \"echo two >> ledger; cat; echo 2\"
effect = \"read\"
[worker.three]
run = \"echo three >> ledger; cat; echo 3\"
effect = \"read\"
[worker.loud]
run = \"echo loud >> ledger; echo LOUD\"
+++
out <= ( switch <= ( one => next  two => next | cancel  three => send ) ) <= in
";
    write(dir.path(), "p.aivm", program);
    let whole = json(&aivm(dir.path(), &["run", "p.aivm", "--json"]));
    let run = whole["run"].as_str().expect("a name");
    std::fs::write(dir.path().join("ledger"), "").expect("emptied");
    let fork = |args: &[&str]| {
        let output = aivm(dir.path(), &[&["fork", run, "--at", "switch.1/two#1", "--json"], args].concat());
        let called = ledger(dir.path());
        std::fs::write(dir.path().join("ledger"), "").expect("emptied");
        (json(&output), called)
    };
    let text = |run: &serde_json::Value| run["output"]["text"].as_str().unwrap_or_default().to_owned();
    let (again, called) = fork(&[]);
    assert_eq!(called, ["two", "three"], "what came before is not asked again");
    assert_eq!(text(&again), text(&whole));
    assert_ne!(again["run"], whole["run"]);
    let (other, called) = fork(&["--in", "x"]);
    assert_eq!((text(&other).as_str(), called), ("x2\n3\n", vec!["two".to_owned(), "three".to_owned()]));
    let (cancelled, called) = fork(&["--outcome", "cancel"]);
    assert_eq!((&cancelled["status"], called.len()), (&serde_json::json!("cancelled"), 0));
    let (given, called) = fork(&["--outcome", "next", "--output", "given"]);
    assert_eq!((text(&given).as_str(), called), ("given3\n", vec!["three".to_owned()]));
    write(dir.path(), "loud.toml", "run = \"echo loud >> ledger; echo LOUD\"\neffect = \"read\"\n");
    let (loud, called) = fork(&["--worker", "three=loud.toml"]);
    assert_eq!((text(&loud).as_str(), called), ("LOUD\n", vec!["two".to_owned(), "loud".to_owned()]));
    // It is a run as any other: kept, and its own.
    let name = loud["run"].as_str().expect("a name");
    assert_eq!(aivm(dir.path(), &["resume", name, "-q"]).stdout, b"LOUD\n");
    for (args, why) in [(&["--outcome", "send"][..], "next, cancel"), (&["--worker", "four=loud.toml"], "no `four`")] {
        let refused = aivm(dir.path(), &[&["fork", run, "--at", "switch.1/two#1"], args].concat());
        assert!(stderr(&refused).contains("E0778") && stderr(&refused).contains(why), "{}", stderr(&refused));
    }
    let refused = aivm(dir.path(), &["fork", run, "--at", "switch.1/too#1"]);
    assert!(stderr(&refused).contains("switch.1/two#1"), "{}", stderr(&refused));
}

#[test]
fn a_run_moves_to_a_program_that_does_the_same_up_to_here() {
    let (dir, run, _) = waiting();
    write(dir.path(), "later.aivm", &DEPLOY.replace("(echo shipped; cat; echo)", "(echo sailed; cat; echo)"));
    write(dir.path(), "earlier.aivm", &DEPLOY.replace("echo built", "echo BUILT"));
    write(
        dir.path(),
        "before.aivm",
        &DEPLOY
            .replace("( build => next", "( again<1> => next  build => next")
            .replace("+++\nout", "[worker.again]\nrun = \"cat\"\n+++\nout"),
    );
    for (file, why) in [("earlier.aivm", "switch.1/build#1"), ("before.aivm", "switch.1/build#1")] {
        let refused = aivm(dir.path(), &["upgrade", &run, file]);
        assert!(stderr(&refused).contains("E0779") && stderr(&refused).contains(why), "{file}: {}", stderr(&refused));
    }
    let plan = json(&aivm(dir.path(), &["upgrade", &run, "later.aivm", "--plan", "--json"]));
    assert_eq!(plan["under_way"], serde_json::json!(["switch.1/allow#1"]));
    let moved = aivm(dir.path(), &["upgrade", &run, "later.aivm"]);
    assert_eq!(moved.status.code(), Some(0), "{}", stderr(&moved));
    assert!(aivm(dir.path(), &["verify", &run]).status.success());
    // And once more, and back.
    write(dir.path(), "last.aivm", &DEPLOY.replace("(echo shipped; cat; echo)", "(echo flown; cat; echo)"));
    for program in ["last.aivm", "p.aivm", "later.aivm"] {
        assert_eq!(aivm(dir.path(), &["upgrade", &run, program]).status.code(), Some(0), "{program}");
    }
    let approved = aivm(dir.path(), &["approve", &run, "next"]);
    assert_eq!(approved.status.code(), Some(0), "{}", stderr(&approved));
    assert_eq!(ledger(dir.path()), ["built", "sailed", "release 7"]);
    let ended = aivm(dir.path(), &["upgrade", &run, "later.aivm"]);
    assert!(stderr(&ended).contains("E0779"), "{}", stderr(&ended));
}

#[test]
fn nobody_is_offered_to_decide_what_cannot_be_decided() {
    let dir = folder();
    write(dir.path(), "p.aivm", DEPLOY);
    write(dir.path(), "brief.aivm", &DEPLOY.replace("human = ", "timeout = \"1ms\"\nhuman = "));
    for (file, name) in [("p.aivm", "asked"), ("brief.aivm", "brief")] {
        assert_eq!(aivm(dir.path(), &["run", file, "--id", name, "-q"]).status.code(), Some(4));
    }
    let show = |folder: &Path, name: &str| String::from_utf8(aivm(folder, &["show", name]).stdout).expect("text");
    assert!(show(dir.path(), "asked").contains("aivm approve asked OUTCOME"));
    let brief = show(dir.path(), "brief");
    assert!(!brief.contains("approve") && brief.contains("go on    aivm resume brief"), "{brief}");
    assert!(aivm(dir.path(), &["export", "asked"]).status.success());
    let other = folder();
    std::fs::copy(dir.path().join("asked.aivmrun"), other.path().join("asked.aivmrun")).expect("copied");
    assert!(aivm(other.path(), &["import", "asked.aivmrun"]).status.success());
    let imported = show(other.path(), "asked");
    assert!(!imported.contains("approve") && imported.contains("it goes on where it came from"), "{imported}");
    assert!(aivm(other.path(), &["runs"]).stdout.windows(9).any(|word| word == b"elsewhere"));
    let resumed = aivm(other.path(), &["resume", "asked"]);
    assert!(stderr(&resumed).contains("it goes on where it came from"), "{}", stderr(&resumed));
    // It goes on there, and is brought again.
    assert!(aivm(dir.path(), &["approve", "asked", "next"]).status.success());
    assert!(aivm(dir.path(), &["export", "asked", "--output", "ended.aivmrun"]).status.success());
    std::fs::copy(dir.path().join("ended.aivmrun"), other.path().join("ended.aivmrun")).expect("copied");
    for file in ["ended.aivmrun", "ended.aivmrun"] {
        let again = aivm(other.path(), &["import", file]);
        assert!(again.status.success(), "{}", stderr(&again));
        assert!(!show(other.path(), "asked").contains("it goes on where it came from"));
        assert!(aivm(other.path(), &["verify", "asked"]).status.success());
    }
    // An earlier state replaces no later one.
    assert!(aivm(other.path(), &["import", "asked.aivmrun"]).status.success());
    assert!(!show(other.path(), "asked").contains("it goes on where it came from"));
}

#[test]
fn the_limits_of_the_new_program_count_from_the_upgrade_on() {
    let program = |limits: &str| {
        format!(
            "+++\n[limits]\n{limits}\n[worker.step]\nrun = \"echo x >> ledger; cat\"\n+++\nout <= ( switch <= ( step => next  step => next  step => send ) ) <= in\n"
        )
    };
    let dir = folder();
    write(dir.path(), "old.aivm", &program("calls = 1"));
    write(dir.path(), "new.aivm", &program("calls = 2"));
    write(dir.path(), "free.aivm", &program(""));
    let parked = |args: &[&str], lines: usize| {
        let output = aivm(dir.path(), args);
        assert_eq!(output.status.code(), Some(4), "{args:?}: {}", stderr(&output));
        assert_eq!(ledger(dir.path()).len(), lines, "{args:?}");
    };
    parked(&["run", "old.aivm", "--id", "x", "-q"], 1);
    let plan = json(&aivm(dir.path(), &["upgrade", "x", "new.aivm", "--plan", "--json"]));
    assert_eq!(plan["limits"]["calls"], 2, "{plan}");
    parked(&["resume", "x", "-q"], 1);
    let moved = aivm(dir.path(), &["upgrade", "x", "new.aivm"]);
    let text = String::from_utf8_lossy(&moved.stdout).into_owned();
    assert!(moved.status.success() && text.contains("2 calls"), "{text}");
    parked(&["resume", "x", "-q"], 2);
    assert!(aivm(dir.path(), &["upgrade", "x", "free.aivm"]).status.success());
    assert_eq!(aivm(dir.path(), &["resume", "x", "-q"]).status.code(), Some(0));
    assert_eq!(ledger(dir.path()).len(), 3);
    assert!(aivm(dir.path(), &["verify", "x"]).status.success());
    // What somebody gave the run stays.
    parked(&["run", "old.aivm", "--id", "y", "--max-calls", "0", "-q"], 3);
    assert!(aivm(dir.path(), &["upgrade", "y", "free.aivm"]).status.success());
    parked(&["resume", "y", "-q"], 3);
}
