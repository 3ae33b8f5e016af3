//! Effects on files, through the whole program: a run that does not come to a good end leaves the workspace as it was.

use super::{aivm, command, folder, json, stderr, write};
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// Writes, overwrites, adds, moves, removes and makes folders, some in a definition; where `HOLD` was it waits until somebody takes
/// the file `hold` away; at the end it fails, or does what `END` says.
const PROGRAM: &str = "+++
[worker.over]
builtin = \"write\"
with = { path = \"config/app.toml\" }
[worker.add]
builtin = \"write\"
with = { path = \"log.txt\", append = true }
[worker.shift]
builtin = \"move\"
with = { from = \"old\", to = \"attic/{input}\" }
[worker.put]
builtin = \"move\"
with = { from = \"script\", to = \"config/app.toml\", replace = true }
[worker.drop]
builtin = \"remove\"
with = { path = \"build\", deep = true }
[worker.room]
builtin = \"mkdir\"
with = { path = \"rooms/a/b\" }
[worker.hold]
run = \"echo held >> ../ledger; while [ -e ../hold ]; do sleep 0.02; done; cat\"
effect = \"idempotent\"
[worker.end]
run = \"END\"
effect = \"read\"
+++
folders <= ( switch <= ( shift => next  room => send ) )
; An undoer of one's own: the same, and a word about it.
tell <= ( switch <= ( restore => next  say => send ) )
out <= (
    switch <= (
        save ~ tell => next
        over        => next
        over        => next
        HOLD1
        add         => next
        folders     => next
        drop        => next
        put         => next
        HOLD2
        end         => send
    )
) <= in
";

fn program(hold: &str, end: &str) -> String {
    let say = "[worker.say]\nrun = \"echo told >> ../ledger; cat\"\neffect = \"idempotent\"\n[worker.end]";
    let text = PROGRAM.replace("[worker.end]", say).replace("END", end);
    text.replace(hold, "hold => next").replace("HOLD1", "").replace("HOLD2", "")
}

/// A workspace beside the store, with something in it.
fn workspace(hold: &str, end: &str) -> tempfile::TempDir {
    let dir = folder();
    write(dir.path(), "p.aivm", &program(hold, end));
    for (name, text) in [
        ("config/app.toml", "port = 1\n"),
        ("log.txt", "one\n"),
        ("old/letter", "Dear all"),
        ("old/deep/photo", "x"),
        ("build/out/a.o", "a"),
        ("script", "#!/bin/sh\n"),
    ] {
        write(&dir.path().join("ws"), name, text);
    }
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(dir.path().join("ws/config/app.toml"), private).expect("permissions");
    std::fs::set_permissions(dir.path().join("ws/script"), PermissionsExt::from_mode(0o755)).expect("permissions");
    dir
}

/// Everything in the workspace: permissions, and what is in the files.
fn tree(dir: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.join("ws")];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at).expect("a folder").flatten() {
            let about = entry.metadata().expect("there");
            let bytes = if about.is_dir() { Vec::new() } else { std::fs::read(entry.path()).expect("a file") };
            if about.is_dir() {
                folders.push(entry.path());
            }
            found.insert(entry.path(), (about.mode(), bytes));
        }
    }
    found
}

const RUN: [&str; 7] = ["run", "p.aivm", "-q", "--in", "new", "--workspace", "ws"];

#[test]
fn a_run_that_fails_leaves_the_workspace_as_it_was() {
    for ephemeral in [false, true] {
        let dir = workspace("HOLD2", "exit 1");
        let before = tree(dir.path());
        std::fs::create_dir(dir.path().join("tmp")).expect("a folder");
        let more: &[&str] = if ephemeral { &["--ephemeral"] } else { &[] };
        let args = [&RUN[..], more].concat();
        let output = command(dir.path(), &args).env("TMPDIR", dir.path().join("tmp")).output().expect("aivm runs");
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert_eq!(tree(dir.path()), before, "{}", stderr(&output));
        let ledger = std::fs::read_to_string(dir.path().join("ledger")).expect("a ledger");
        assert_eq!(ledger, "held\ntold\n", "the undoer of one's own went before the built-in's");
        let left = std::fs::read_dir(dir.path().join("tmp")).expect("a folder").count();
        assert_eq!(left, 0, "nothing temporary stays");
        assert_eq!(dir.path().join(".aivm").exists(), !ephemeral);
    }
}

#[test]
fn a_run_that_ends_well_keeps_what_it_did_until_it_is_rolled_back() {
    let dir = workspace("HOLD2", "cat");
    let before = tree(dir.path());
    let output = aivm(dir.path(), &RUN);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = |name: &str| std::fs::read_to_string(dir.path().join("ws").join(name)).expect("a file");
    assert_eq!(text("config/app.toml"), "#!/bin/sh\n");
    assert_eq!(text("log.txt"), "one\nnew");
    assert_eq!(text("attic/new/letter"), "Dear all");
    assert!(dir.path().join("ws/rooms/a/b").is_dir());
    assert!(!dir.path().join("ws/build").exists() && !dir.path().join("ws/old").exists());
    let runs = json(&aivm(dir.path(), &["runs", "--json"]));
    let rolled = aivm(dir.path(), &["rollback", runs["runs"][0]["run"].as_str().expect("a name")]);
    assert_eq!(tree(dir.path()), before, "{}", stderr(&rolled));
}

#[test]
fn a_run_that_is_killed_and_resumed_undoes_what_it_did_before() {
    for hold in ["HOLD1", "HOLD2"] {
        let dir = workspace(hold, "exit 1");
        let before = tree(dir.path());
        write(dir.path(), "hold", "");
        let mut run = command(dir.path(), &RUN).stdout(Stdio::null()).spawn().expect("aivm runs");
        while !dir.path().join("ledger").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        run.kill().expect("it is killed");
        run.wait().expect("it is gone");
        std::fs::remove_file(dir.path().join("hold")).expect("nothing waits any more");
        assert_ne!(tree(dir.path()), before);
        let runs = json(&aivm(dir.path(), &["runs", "--json"]));
        let run = runs["runs"][0]["run"].as_str().expect("a name");
        let resumed = aivm(dir.path(), &["resume", run]);
        assert_eq!(resumed.status.code(), Some(1), "{}", stderr(&resumed));
        assert_eq!(tree(dir.path()), before, "{hold}: {}", stderr(&resumed));
    }
}

#[test]
fn what_somebody_changed_meanwhile_is_not_undone_and_that_is_said() {
    let dir = workspace("HOLD2", "echo mine > log.txt; exit 1");
    let output = aivm(dir.path(), &RUN);
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    assert!(stderr(&output).contains("not undone: switch.1/add#1"), "{}", stderr(&output));
    let text = std::fs::read_to_string(dir.path().join("ws/log.txt")).expect("a file");
    assert_eq!(text, "mine\n");
    assert!(!dir.path().join("ws/saved").exists(), "the others were undone");
}

/// Killed wherever it happens to be: in the middle of a record, of a file, of a restore.
#[test]
fn wherever_it_is_killed_nothing_is_left_over() {
    const MANY: &str = "+++
[worker.each]
builtin = \"write\"
with = { path = \"many/{digest}/file\" }
[worker.over]
builtin = \"write\"
with = { path = \"log.txt\", append = true }
[worker.drop]
builtin = \"remove\"
with = { path = \"build\", deep = true }
[worker.end]
run = \"exit 1\"
effect = \"read\"
+++
out <= ( switch <= ( [each <= in.*] => next  over => next  drop => next  over => next  end => send ) ) <= in
";
    let dir = workspace("HOLD1", "cat");
    write(dir.path(), "p.aivm", MANY);
    let input: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    write(dir.path(), "in.json", &serde_json::to_string(&input).expect("JSON"));
    let before = tree(dir.path());
    let args = ["run", "p.aivm", "-q", "--in", "@in.json", "--workspace", "ws"];
    for round in 0..8 {
        let mut run =
            command(dir.path(), &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("aivm runs");
        std::thread::sleep(Duration::from_millis(5 + 11 * round));
        run.kill().expect("it is killed");
        run.wait().expect("it is gone");
        let runs = json(&aivm(dir.path(), &["runs", "--json"]));
        let runs = runs["runs"].as_array().expect("runs");
        for run in runs.iter().filter(|run| run["status"] == "running") {
            let resumed = aivm(dir.path(), &["resume", run["run"].as_str().expect("a name")]);
            assert_eq!(resumed.status.code(), Some(1), "{round}: {}", stderr(&resumed));
        }
        assert_eq!(tree(dir.path()), before, "{round}");
    }
}

const PAY: &str = "+++
[worker.pay]
run = \"echo paid >> ledger; while [ -e hold ]; do sleep 0.02; done; echo key $AIVM_STEP_KEY of $AIVM_STEP\"
effect = \"irreversible\"
probe = \"has-paid\"
[worker.has-paid]
run = 'test -s ledger && echo happened > $AIVM_STEP_VERDICT; echo $AIVM_STEP_KEY'
effect = \"read\"
+++
out <= ( switch <= ( pay => send ) ) <= in
";

#[test]
fn a_probe_is_a_worker_of_the_module_that_no_step_calls() {
    let dir = folder();
    write(dir.path(), "p.aivm", PAY);
    assert!(aivm(dir.path(), &["compile", "p.aivm"]).status.success());
    let text = aivm(dir.path(), &["disasm", "p.aivmc"]);
    let text = String::from_utf8(text.stdout).expect("text");
    assert!(text.contains("has-paid"), "{text}");
    write(dir.path(), "q.aivmasm", &text);
    let again = aivm(dir.path(), &["asm", "q.aivmasm", "-o", "q.aivmc"]);
    assert!(again.status.success(), "{}", stderr(&again));
    let second = aivm(dir.path(), &["disasm", "q.aivmc"]);
    assert_eq!(String::from_utf8_lossy(&second.stdout), text);
    let cost = json(&aivm(dir.path(), &["cost", "p.aivm", "--json"]));
    assert_eq!(cost["total"]["calls"], 1, "the worst case is that of a run that is not interrupted: {cost}");
}

#[test]
fn a_probe_finds_out_what_an_interrupted_call_did() {
    let dir = folder();
    write(dir.path(), "p.aivm", PAY);
    write(dir.path(), "hold", "");
    let mut run = command(dir.path(), &["run", "p.aivm", "-q"]).stdout(Stdio::null()).spawn().expect("aivm runs");
    while !dir.path().join("ledger").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    run.kill().expect("it is killed");
    run.wait().expect("it is gone");
    let runs = json(&aivm(dir.path(), &["runs", "--json"]));
    let run = runs["runs"][0]["run"].as_str().expect("a name");
    let resumed = json(&aivm(dir.path(), &["resume", run, "--json"]));
    assert_eq!(resumed["status"], "sent", "{resumed}");
    let key = resumed["output"]["text"].as_str().expect("the output of the probe").trim();
    assert!(key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
    assert_eq!(std::fs::read_to_string(dir.path().join("ledger")).expect("a ledger"), "paid\n");
}

#[test]
fn who_undoes_and_who_probes_has_to_exist() {
    for (from, to, code, line) in [
        ("probe = \"has-paid\"", "probe = \"has-payed\"", "E0201", "p.aivm:2:"),
        ("probe = \"has-paid\"", "undo = \"un-pay\"", "E0201", "p.aivm:2:"),
        ("\"irreversible\"", "\"compensable\"", "E0313", "p.aivm:10:"),
        ("probe = \"has-paid\"", "key_ttl = \"24h\"", "E0401", "p.aivm:5:"),
    ] {
        let dir = folder();
        write(dir.path(), "p.aivm", &PAY.replacen(from, to, 1));
        let checked = aivm(dir.path(), &["check", "p.aivm"]);
        assert_eq!(checked.status.code(), Some(2), "{to}");
        let told = stderr(&checked);
        assert!(told.contains(code) && told.contains(line), "{to}: {told}");
    }
}

#[test]
fn a_command_without_an_effect_is_a_hint_of_check_alone() {
    let dir = folder();
    write(dir.path(), "p.aivm", &PAY.replace("effect = \"read\"\n", ""));
    let checked = json(&aivm(dir.path(), &["check", "p.aivm", "--json"]));
    let found = checked["files"][0]["diagnostics"].as_array().expect("diagnostics");
    let codes: Vec<_> = found.iter().map(|one| one["code"].as_str().expect("a code")).collect();
    assert_eq!(codes, ["E0514"], "{checked}");
    let told = aivm(dir.path(), &["check", "p.aivm"]);
    assert_eq!(told.status.code(), Some(0));
    assert!(stderr(&told).contains("effect = \"idempotent\""), "{}", stderr(&told));
    // Of one that is defined elsewhere it says where.
    write(dir.path(), "workers/look.toml", "run = \"ls\"\n");
    write(dir.path(), "other.aivm", "out <= ( switch <= ( look => send ) ) <= in\n");
    let told = aivm(dir.path(), &["check", "other.aivm"]);
    assert!(stderr(&told).contains("to its definition, in workers/look.toml: effect"), "{}", stderr(&told));
    let run = aivm(dir.path(), &["run", "p.aivm", "--ephemeral"]);
    assert!(run.status.success() && !stderr(&run).contains("E0514"), "{}", stderr(&run));
}

#[test]
fn settle_ends_as_the_rollback_that_waited_for_it() {
    let dir = folder();
    let text = "+++
[worker.make]
run = \"cat\"
undo = \"unmake\"
[worker.unmake]
run = \"touch unmade\"
[worker.send-it]
run = \"touch began; while [ -e hold ]; do sleep 0.02; done; cat\"
+++
out <= ( switch <= ( make => next  send-it => send ) ) <= in
";
    write(dir.path(), "p.aivm", text);
    write(dir.path(), "hold", "");
    let mut run = command(dir.path(), &["run", "p.aivm", "--id", "x", "-q"]).spawn().expect("aivm runs");
    while !dir.path().join("began").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    run.kill().expect("it is killed");
    run.wait().expect("it is gone");
    std::fs::remove_file(dir.path().join("hold")).expect("nothing waits any more");
    let blocked = aivm(dir.path(), &["rollback", "x"]);
    assert_eq!(blocked.status.code(), Some(4), "{}", stderr(&blocked));
    let settled = aivm(dir.path(), &["settle", "x", "switch.1/send-it#1", "not-happened"]);
    assert_eq!(settled.status.code(), Some(0), "as the rollback would have: {}", stderr(&settled));
    assert!(dir.path().join("unmade").exists());
}

#[test]
fn a_plan_says_what_no_rollback_takes_back() {
    let dir = folder();
    let program = "+++\n[worker.put]\nrun = \"echo x > x.txt\"\nundo = \"drop\"\neffect = \"compensable\"\n[worker.drop]\nrun = \"rm -f x.txt\"\n\
        [worker.tell]\nrun = \"echo told\"\neffect = \"irreversible\"\n[worker.look]\nrun = \"cat x.txt\"\neffect = \"read\"\n+++\n\
        out <= ( switch <= ( put => next  tell => next  look => send ) ) <= in\n";
    write(dir.path(), "p.aivm", program);
    assert_eq!(aivm(dir.path(), &["run", "p.aivm", "--id", "one"]).status.code(), Some(0));
    let plan = || json(&aivm(dir.path(), &["rollback", "one", "--plan", "--json"]));
    assert_eq!(plan()["undo"], serde_json::json!(["switch.1/put#1"]));
    assert_eq!(plan()["stays"], serde_json::json!(["switch.1/tell#1"]));
    let told = aivm(dir.path(), &["rollback", "one", "--plan"]);
    assert!(stderr(&told).contains("stays, for nothing takes it back: switch.1/tell#1"), "{}", stderr(&told));
    let rolled = aivm(dir.path(), &["rollback", "one"]);
    assert_eq!(rolled.status.code(), Some(0));
    assert!(stderr(&rolled).contains("stays, for nothing takes it back"), "{}", stderr(&rolled));
    assert_eq!(plan()["stays"], serde_json::json!(["switch.1/tell#1"]));
}
