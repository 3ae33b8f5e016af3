//! Runs as files: written, checked bit by bit, brought into another store, forked there.

use super::{aivm, command, folder, json, stderr, write};
use aivm_host::portable::Portable;

/// A run of every example: its folder and its file.
fn exported(name: &str) -> (tempfile::TempDir, Vec<u8>) {
    let dir = folder();
    assert!(aivm(dir.path(), &["try", name, "--copy", "."]).status.success());
    let input = std::fs::read_dir(dir.path()).expect("files").flatten().find_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("input.").then(|| format!("@{name}"))
    });
    let names = ["pipeline.aivm", "workflow.toml", "ai.toml", "saga.yaml"];
    let program = names.into_iter().find(|name| dir.path().join(name).exists()).expect("a program");
    let run = aivm(dir.path(), &["run", program, "-q", "--in", input.as_deref().unwrap_or("")]);
    assert!(run.status.code().is_some(), "{}", stderr(&run));
    let name = json(&aivm(dir.path(), &["runs", "--json"]))["runs"][0]["run"].as_str().expect("a run").to_owned();
    let written = aivm(dir.path(), &["export", &name, "-o", "it.aivmrun"]);
    assert!(written.status.success(), "{}", stderr(&written));
    let bytes = std::fs::read(dir.path().join("it.aivmrun")).expect("a file");
    (dir, bytes)
}

#[test]
fn every_bit_of_every_examples_file_counts() {
    let mut flipped = 0;
    let listed = json(&aivm(folder().path(), &["try", "--list", "--json"]));
    for example in listed["examples"].as_array().expect("examples") {
        let name = example["name"].as_str().expect("a name");
        let (_dir, mut bytes) = exported(name);
        assert!(Portable::from_bytes(&bytes).is_ok(), "{name}");
        // Each bit of every byte with `AIVM_FLIPS=1`, else of some bytes.
        let every = std::env::var_os("AIVM_FLIPS").map_or(101, |_| 1);
        for at in (0..bytes.len()).step_by(every) {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                assert!(Portable::from_bytes(&bytes).is_err(), "{name}: bit {bit} of byte {at}");
                bytes[at] ^= 1 << bit;
                flipped += 1;
            }
        }
        assert!(Portable::from_bytes(&bytes[..bytes.len() - 1]).is_err());
    }
    if std::env::var_os("AIVM_FLIPS").is_some() {
        let own = std::env::current_exe().expect("this test");
        let target = own.ancestors().nth(3).expect("a target folder");
        let line = serde_json::json!({"part": "every bit of every example's exported run flipped", "flips": flipped, "detected": flipped});
        std::fs::write(target.join("exports.json"), format!("{line}\n")).expect("a file");
    }
    assert!(flipped > 1_000, "{flipped}");
}

#[test]
fn a_run_is_shown_verified_and_forked_elsewhere() {
    let (dir, _) = exported("csv-quarantine");
    let run = json(&aivm(dir.path(), &["runs", "--json"]))["runs"][0]["run"].as_str().expect("a run").to_owned();
    let home = dir.path().join("home");
    let with_home = |args: &[&str]| command(dir.path(), args).env("XDG_CONFIG_HOME", &home).output().expect("it runs");
    assert!(with_home(&["keys", "new", "me"]).status.success());
    let signed = with_home(&["export", &run, "--sign", "-o", "it.aivmrun"]);
    assert!(signed.status.success(), "{}", stderr(&signed));
    let here = json(&with_home(&["verify", &run, "--json"]));
    let file = json(&with_home(&["verify", "it.aivmrun", "--json"]));
    assert_eq!(here["head"], file["head"]);
    assert_eq!(here["signed"], serde_json::json!([]));
    assert_eq!(file["signed"], serde_json::json!(["the run is signed by me"]));
    let other = folder();
    std::fs::copy(dir.path().join("it.aivmrun"), other.path().join("it.aivmrun")).expect("copied");
    let imported = aivm(other.path(), &["import", "it.aivmrun"]);
    assert_eq!(String::from_utf8_lossy(&imported.stdout).trim(), run, "{}", stderr(&imported));
    assert!(aivm(other.path(), &["import", "it.aivmrun"]).status.success(), "it is the same");
    assert_eq!(json(&aivm(other.path(), &["verify", &run, "--json"]))["head"], here["head"]);
    let again = aivm(other.path(), &["resume", &run, "--json"]);
    let steps = json(&again)["steps"].as_array().expect("steps").clone();
    let last = steps.last().expect("a step")["key"].as_str().expect("a key").to_owned();
    let fork = aivm(other.path(), &["fork", &run, "--at", &last, "--json"]);
    assert_eq!(json(&fork)["status"], json(&again)["status"], "{}", stderr(&fork));
}

#[test]
fn what_has_not_ended_goes_on_only_where_it_came_from() {
    let dir = folder();
    write(
        dir.path(),
        "p.aivm",
        "+++\n[worker.ask]\nhuman = \"Well?\"\n+++\nout <= ( switch <= ( ask => send ) ) <= in",
    );
    let parked = json(&aivm(dir.path(), &["run", "p.aivm", "--in", "x", "--json"]));
    let run = parked["run"].as_str().expect("a name");
    assert!(aivm(dir.path(), &["export", run, "-o", "it.aivmrun"]).status.success());
    let other = folder();
    std::fs::copy(dir.path().join("it.aivmrun"), other.path().join("it.aivmrun")).expect("copied");
    let imported = aivm(other.path(), &["import", "it.aivmrun"]);
    assert!(imported.status.success(), "{}", stderr(&imported));
    let refused = aivm(other.path(), &["approve", run, "send"]);
    assert!(stderr(&refused).contains("E0765"), "{}", stderr(&refused));
    assert!(aivm(other.path(), &["verify", run]).status.success());
    let fork = aivm(other.path(), &["fork", run, "--at", "switch.1/ask#1", "--outcome", "send", "--json"]);
    assert_eq!(json(&fork)["status"], "sent", "{}", stderr(&fork));
}

#[test]
fn a_changed_store_does_not_verify() {
    let (dir, _) = exported("csv-quarantine");
    let run = json(&aivm(dir.path(), &["runs", "--json"]))["runs"][0]["run"].as_str().expect("a run").to_owned();
    assert!(aivm(dir.path(), &["verify", &run]).status.success());
    let store = rusqlite::Connection::open(dir.path().join(".aivm/store.db")).expect("the store");
    let change = "UPDATE journal SET records = CAST(substr(records, 1, 60) || x'ff' || substr(records, 62) AS BLOB)";
    assert!(store.execute(change, []).expect("it is changed") > 0);
    drop(store);
    let refused = aivm(dir.path(), &["verify", &run]);
    assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("E0756"), "{}", stderr(&refused));
}
