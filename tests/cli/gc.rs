//! Retention: which runs go, what goes with them, and that the others stay whole.

use super::{aivm, command, folder, json, stderr, write};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Its output is larger than what a row holds: a file.
const LARGE: &str = "+++
[worker.large]
run = \"cat; head -c 100000 /dev/zero | tr '\\\\0' x\"
+++
out <= ( switch <= ( large => send ) ) <= in
";

fn ran(folder: &Path, args: &[&str]) -> String {
    let report = json(&aivm(folder, &[&["run", "--json"], args].concat()));
    report["run"].as_str().unwrap_or_else(|| panic!("{report}")).to_owned()
}

fn runs(folder: &Path) -> Vec<String> {
    let listed = json(&aivm(folder, &["runs", "--most", "1000", "--json"]));
    let mut names: Vec<String> = listed["runs"]
        .as_array()
        .expect("runs")
        .iter()
        .map(|run| run["run"].as_str().expect("a name").into())
        .collect();
    names.reverse();
    names
}

fn gc(folder: &Path, args: &[&str]) -> Value {
    let done = aivm(folder, &[&["gc", "--json"], args].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    json(&done)
}

/// The files beneath a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn all_verify(folder: &Path) -> usize {
    let names = runs(folder);
    for run in &names {
        let verified = aivm(folder, &["verify", run]);
        assert!(verified.status.success(), "{run}: {}", stderr(&verified));
    }
    names.len()
}

#[test]
fn runs_go_by_age_count_and_status_and_what_they_kept_goes_with_them() {
    let dir = folder();
    write(dir.path(), "p.aivm", LARGE);
    write(dir.path(), "q.aivm", "+++\n[worker.no]\nrun = \"exit 1\"\n+++\nout <= ( switch <= ( no => send ) ) <= in\n");
    for n in ["1", "2", "2", "3"] {
        ran(dir.path(), &["p.aivm", "--in", n]);
    }
    ran(dir.path(), &["q.aivm"]);
    ran(dir.path(), &["q.aivm"]);
    let before = runs(dir.path());
    let objects = dir.path().join(".aivm/objects");
    assert_eq!(files(&objects).len(), 3, "two are the same");

    assert_eq!(gc(dir.path(), &[])["runs"], serde_json::json!([]), "without a policy every run stays");
    assert_eq!(gc(dir.path(), &["--older-than", "1h", "--status", "failed"])["runs"], serde_json::json!([]));
    assert_eq!(gc(dir.path(), &["--status", "sent", "--keep", "4"])["runs"], serde_json::json!([]));

    let dry = gc(dir.path(), &["--keep", "2", "--dry-run"]);
    assert_eq!(dry["runs"], serde_json::json!(before[..2]), "the oldest first");
    assert!(dry["bytes"].as_u64().expect("a number") > 100_000, "{dry}");
    assert!(dry["bytes"].as_u64().expect("a number") < 150_000, "what is shared stays: {dry}");
    assert_eq!(runs(dir.path()), before);
    let shown = aivm(dir.path(), &["gc", "--keep", "2", "--dry-run"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("would be removed: 2 runs, "), "{shown:?}");

    let done = gc(dir.path(), &["--keep", "2"]);
    assert_eq!([&done["runs"], &done["artifacts"]], [&dry["runs"], &dry["artifacts"]]);
    assert_eq!(done["bytes"], dry["bytes"]);
    assert_eq!(runs(dir.path()), before[2..]);
    assert_eq!(files(&objects).len(), 2, "one that another run refers to stays");
    assert_eq!(gc(dir.path(), &["--status", "failed"])["runs"], serde_json::json!(before[4..]));
    assert_eq!(all_verify(dir.path()), 2);
    gc(dir.path(), &["--older-than", "0s"]);
    assert!(files(&objects).is_empty());
    assert_eq!(json(&aivm(dir.path(), &["artifact", "ls", "--json"]))["artifacts"].as_array().map(Vec::len), Some(0));

    // What comes after is found, though all rows before it are gone.
    let last = ran(dir.path(), &["p.aivm", "--in", "4"]);
    assert_eq!(runs(dir.path()), [last]);
    assert_eq!(all_verify(dir.path()), 1);
}

#[test]
fn a_fork_stays_whole_without_its_source() {
    let dir = folder();
    write(dir.path(), "notes/a.txt", "one");
    write(dir.path(), "notes/b.txt", "two");
    let program = "+++
[worker.notes]
builtin = \"read\"
with = { path = \"notes\" }
[worker.last]
run = \"echo done\"
+++
out <= ( switch[s] <= ( notes => next  last => send ) ) <= in
";
    write(dir.path(), "p.aivm", program);
    let source = ran(dir.path(), &["p.aivm"]);
    std::fs::remove_dir_all(dir.path().join("notes")).expect("gone");
    let report = json(&aivm(dir.path(), &["fork", &source, "--at", "s/last#1", "--json"]));
    assert_eq!(report["status"], "sent", "{report}");
    let fork = report["run"].as_str().expect("a name");
    assert_eq!(gc(dir.path(), &["--run", &source])["runs"], serde_json::json!([source]));
    assert_eq!(runs(dir.path()), [fork]);
    assert_eq!(all_verify(dir.path()), 1);
    let again = json(&aivm(dir.path(), &["fork", fork, "--at", "s/last#1", "--json"]));
    assert_eq!(again["status"], "sent", "{again}");
    assert!(aivm(dir.path(), &["why", fork, "s/last#1"]).status.success());
}

#[test]
fn what_waits_or_is_carried_stays_unless_it_is_named() {
    let dir = folder();
    write(
        dir.path(),
        "p.aivm",
        "+++\n[worker.hold]\nrun = \"touch began; while [ -e hold ]; do sleep 0.02; done\"\n+++\nout <= ( switch <= ( hold => send ) ) <= in\n",
    );
    let parked = json(&aivm(dir.path(), &["run", "p.aivm", "--max-calls", "0", "--json"]));
    let parked = parked["run"].as_str().expect("a name");
    write(dir.path(), "hold", "");
    let mut run = command(dir.path(), &["run", "p.aivm", "--id", "busy", "-q"]).spawn().expect("aivm runs");
    while !dir.path().join("began").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(gc(dir.path(), &["--older-than", "0s"])["runs"], serde_json::json!([]));
    let refused = aivm(dir.path(), &["gc", "--run", parked, "--run", "busy"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("E0785"), "{}", stderr(&refused));
    assert_eq!(runs(dir.path()).len(), 2);
    std::fs::remove_file(dir.path().join("hold")).expect("nothing waits any more");
    assert!(run.wait().expect("it ends").success());
    assert_eq!(gc(dir.path(), &["--run", parked])["runs"], serde_json::json!([parked]));
    assert_eq!(runs(dir.path()), ["busy"]);
    assert_eq!(aivm(dir.path(), &["gc", "--run", parked]).status.code(), Some(2));
}

#[test]
fn leftovers_go_and_nothing_else() {
    let dir = folder();
    write(dir.path(), "kept.txt", "before");
    write(
        dir.path(),
        "p.aivm",
        "+++\n[worker.put]\nbuiltin = \"write\"\nwith = { path = \"kept.txt\" }\n+++\nout <= ( switch <= ( put ~ restore => send ) ) <= in\n",
    );
    let run = ran(dir.path(), &["p.aivm", "--in", "after"]);
    let large =
        "+++\n[worker.large]\nrun = \"head -c 100000 /dev/zero\"\n+++\nout <= ( switch <= ( large => send ) ) <= in\n";
    write(dir.path(), "q.aivm", large);
    ran(dir.path(), &["q.aivm"]);
    let state = dir.path().join(".aivm");
    let orphan = format!("{:064x}", 7);
    let (old, young) = (format!("objects/{orphan}"), format!("objects/{:064x}", 8));
    let temporary = "objects/.someone.1";
    for file in [&old, &young, temporary, "undo/nobody/kept", "runs/nobody.lock"] {
        write(&state, file, "left");
    }
    let long_ago = SystemTime::now() - Duration::from_secs(7_200);
    let all = files(&state.join("objects"));
    for file in all.iter().filter(|file| !file.ends_with(&young)) {
        let file = std::fs::File::options().write(true).open(file).expect("a file");
        file.set_modified(long_ago).expect("its time");
    }
    assert!(state.join("undo").join(&run).exists());
    assert_eq!(gc(dir.path(), &["--dry-run"])["leftovers"], 4);
    assert!(state.join(&old).exists());
    assert_eq!(gc(dir.path(), &[])["leftovers"], 4);
    for gone in [&old, temporary, "undo/nobody", "runs/nobody.lock"] {
        assert!(!state.join(gone).exists(), "{gone}");
    }
    assert!(state.join(&young).exists(), "somebody may be about to name it");
    assert_eq!(all_verify(dir.path()), 2);
    let back = aivm(dir.path(), &["rollback", &run]);
    assert!(stderr(&back).contains("cancelled"), "{}", stderr(&back));
    assert_eq!(std::fs::read_to_string(dir.path().join("kept.txt")).expect("a file"), "before");
    gc(dir.path(), &["--run", &run]);
    assert!(!state.join("undo").join(&run).exists());
}

#[test]
fn a_run_of_a_name_is_rolled_back_and_its_name_is_free_when_it_is_gone() {
    let dir = folder();
    write(dir.path(), "kept.txt", "before");
    write(
        dir.path(),
        "p.aivm",
        "+++\n[worker.put]\nbuiltin = \"write\"\nwith = { path = \"kept.txt\" }\n+++\nout <= ( switch <= ( put ~ restore => send ) ) <= in\n",
    );
    for (name, text) in [("deploy", "one"), ("deploy-2", "two")] {
        assert!(aivm(dir.path(), &["run", "p.aivm", "--id", name, "--in", text]).status.success());
    }
    aivm(dir.path(), &["rollback", "deploy-2"]);
    assert_eq!(std::fs::read_to_string(dir.path().join("kept.txt")).expect("a file"), "one");
    let whole = aivm(dir.path(), &["rollback", "deploy"]);
    assert!(!stderr(&whole).contains("E0813"), "a whole name is one run's: {}", stderr(&whole));
    assert_eq!(std::fs::read_to_string(dir.path().join("kept.txt")).expect("a file"), "before");
    gc(dir.path(), &["--run", "deploy"]);
    let other = aivm(dir.path(), &["run", "p.aivm", "--id", "deploy", "--in", "another input"]);
    assert!(other.status.success(), "{}", stderr(&other));
}

#[test]
fn killed_in_the_middle_it_leaves_every_other_run_whole() {
    let dir = folder();
    write(dir.path(), "p.aivm", LARGE);
    let mut removed = 0;
    for round in 0..12 {
        for n in 0..4 {
            ran(dir.path(), &["p.aivm", "--in", &format!("{round} {n}")]);
        }
        let before = runs(dir.path()).len();
        let mut gc = command(dir.path(), &["gc", "--keep", "2"]).spawn().expect("aivm runs");
        std::thread::sleep(Duration::from_micros(800 * round));
        gc.kill().expect("it is killed");
        gc.wait().expect("it is gone");
        removed += before - all_verify(dir.path());
    }
    gc(dir.path(), &["--keep", "2"]);
    assert_eq!(all_verify(dir.path()), 2);
    assert!(files(&dir.path().join(".aivm/objects")).len() >= 2);
    let state = rusqlite::Connection::open(dir.path().join(".aivm/store.db")).expect("opens");
    let sound: String = state.pragma_query_value(None, "integrity_check", |row| row.get(0)).expect("it is checked");
    assert_eq!(sound, "ok");
    let orphans = "SELECT count(*) FROM artifact WHERE row NOT IN (SELECT row FROM journal)";
    assert_eq!(state.query_row(orphans, [], |row| row.get::<_, i64>(0)).expect("counted"), 0);
    let lost = "SELECT count(*) FROM journal WHERE run <> 0 AND run NOT IN (SELECT number FROM run)";
    assert_eq!(state.query_row(lost, [], |row| row.get::<_, i64>(0)).expect("counted"), 0, "{removed}");
}

#[test]
fn a_project_says_once_which_runs_go() {
    let dir = folder();
    write(dir.path(), "p.aivm", LARGE);
    for n in ["1", "2", "3"] {
        ran(dir.path(), &["p.aivm", "--in", n]);
    }
    let before = runs(dir.path());
    write(dir.path(), "aivm.toml", "[gc]\nkeep = 1\nstatus = [\"sent\"]\nolder_than = \"0s\"\n");
    assert_eq!(gc(dir.path(), &["--dry-run"])["runs"], serde_json::json!(before[..2]));
    assert_eq!(gc(dir.path(), &["--keep", "3"])["runs"], serde_json::json!([]), "whoever says it otherwise");
    assert_eq!(gc(dir.path(), &["--run", &before[1]])["runs"], serde_json::json!([before[1]]), "names this one alone");
    assert_eq!(gc(dir.path(), &[])["runs"], serde_json::json!(before[..1]));
    assert_eq!(runs(dir.path()), before[2..]);
    for (wrong, why) in [("keeps = 1", "keeps"), ("status = [\"parked\"]", "parked"), ("older_than = 3", "older_than")]
    {
        write(dir.path(), "aivm.toml", &format!("[gc]\n{wrong}\n"));
        for command in [&["gc"][..], &["check", "p.aivm"]] {
            let refused = aivm(dir.path(), command);
            assert_eq!(refused.status.code(), Some(2), "{command:?}");
            let said = stderr(&refused);
            assert!(said.contains("E0802") && said.contains(why), "{command:?}: {said}");
        }
    }
    assert_eq!(runs(dir.path()), before[2..], "nothing goes by a policy that cannot be read");
}

#[test]
fn the_files_of_a_call_go_with_the_process_that_was_killed() {
    let dir = folder();
    let line = "touch began; while [ -e hold ]; do sleep 0.02; done; printf send > $AIVM_STEP_VERDICT";
    let text = format!(
        "+++\n[worker.x]\neffect = \"read\"\nrun = \"{line}\"\n+++\nout <= ( switch <= ( x => send ) ) <= in\n"
    );
    write(dir.path(), "p.aivm", &text);
    std::fs::create_dir(dir.path().join("tmp")).expect("a folder");
    let calls = || files(&dir.path().join(".aivm/steps")).len();
    let begin = |id: &str| {
        write(dir.path(), "hold", "");
        let _ = std::fs::remove_file(dir.path().join("began"));
        let mut run = command(dir.path(), &["run", "p.aivm", "--id", id, "-q"]);
        let run = run.env("TMPDIR", dir.path().join("tmp")).spawn().expect("aivm runs");
        while !dir.path().join("began").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        run
    };
    let end = || std::fs::remove_file(dir.path().join("hold")).expect("nothing waits any more");
    for id in ["resumed", "left"] {
        let mut run = begin(id);
        run.kill().expect("it is killed");
        run.wait().expect("it is gone");
        assert!(calls() > 0, "its input, at least");
        if id == "resumed" {
            end();
            let resumed = aivm(dir.path(), &["resume", id, "-q"]);
            assert!(resumed.status.success(), "{}", stderr(&resumed));
        } else {
            assert_eq!(gc(dir.path(), &["--dry-run"])["leftovers"], 1);
            assert!(calls() > 0, "nothing has gone");
            gc(dir.path(), &[]);
            end();
        }
        assert_eq!(calls(), 0, "{id}");
        assert!(!dir.path().join(".aivm/steps").join(id).exists(), "{id}");
    }
    assert!(files(&dir.path().join("tmp")).is_empty());
    // Those of a call under way stay.
    let mut run = begin("busy");
    assert_eq!(gc(dir.path(), &["--dry-run"])["leftovers"], 0);
    gc(dir.path(), &[]);
    end();
    assert!(run.wait().expect("it ends").success());
}
