//! Looking at values: which are listed, whether they are what was written, what they were made of, where two differ; and files of them.

use super::{SHOUT, aivm, command, folder, json, stderr, stdout, write};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

fn looked(folder: &Path, args: &[&str]) -> Value {
    json(&aivm(folder, &[&["artifact"], args, &["--json"]].concat()))
}

fn put(folder: &Path, args: &[&str]) -> String {
    looked(folder, &[&["put"], args].concat())["checksum"].as_str().expect("a checksum").to_owned()
}

fn ran(folder: &Path) -> Value {
    write(folder, "p.aivm", SHOUT);
    json(&aivm(folder, &["run", "p.aivm", "--in", "hello  ", "--json"]))
}

fn checksums(listed: &Value) -> Vec<&str> {
    let rows = listed["artifacts"].as_array().unwrap_or_else(|| panic!("{listed}"));
    rows.iter().map(|row| row["checksum"].as_str().expect("a checksum")).collect()
}

#[test]
fn values_are_listed_by_what_their_keys_say() {
    let dir = folder();
    let report = ran(dir.path());
    let run = report["run"].as_str().expect("a run");
    write(dir.path(), "notes.md", "# Notes\n");
    let notes = put(dir.path(), &["notes.md", "--role", "notes", "--attribute", "topic=weather"]);
    let list = |args: &[&str]| looked(dir.path(), &[&["ls"], args].concat());
    let all = list(&[]);
    let count = checksums(&all).len();
    assert!(count >= 5, "{all}");
    let keys: Vec<&str> =
        all["artifacts"].as_array().expect("rows").iter().map(|row| row["key"].as_str().expect("a key")).collect();
    assert!(keys.is_sorted(), "{keys:?}");
    for (args, found) in [
        (&["--role", "notes"][..], 1),
        (&["--origin", "user", "--scope", "project"], 1),
        (&["--type", "text/markdown", "--since", "1h"], 1),
        (&["--since", "0s"], 0),
        (&["--run", &run[..6], "--origin", "shout"], 1),
        (&["--run", run], count - 1),
        (&["--run", "nobody"], 0),
        (&["user/notes/"], 1),
        (&[&notes[..9]], 1),
        (&["shout/step/run/", "--type", "text"], 1),
    ] {
        assert_eq!(checksums(&list(args)).len(), found, "{args:?}");
    }
    let shown = looked(dir.path(), &["show", &notes]);
    assert_eq!(
        (&shown["type"], &shown["attributes"]["topic"]),
        (&Value::from("text/markdown"), &Value::from("weather"))
    );
    // Page by page it is the same.
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = list(&["--most", "2", "--after", &after]);
        seen.extend(checksums(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        after = next.to_owned();
    }
    assert_eq!(seen, checksums(&all));
    let text = aivm(dir.path(), &["artifact", "ls", "--most", "1"]);
    assert_eq!(stdout(&text).lines().count(), 2);
    assert!(stderr(&text).contains("--after"), "{}", stderr(&text));
    let none = aivm(dir.path(), &["artifact", "show", "nothing"]);
    assert!(none.status.code() == Some(2) && stderr(&none).contains("E0830"), "{}", stderr(&none));
}

#[test]
fn what_is_put_is_what_comes_back_also_from_a_pipe_and_when_it_is_large() {
    let dir = folder();
    let bytes: Vec<u8> = (0..300_000u32).map(|n| (n.wrapping_mul(n) >> 3) as u8).collect();
    std::fs::write(dir.path().join("large.bin"), &bytes).expect("a file");
    let large = put(dir.path(), &["large.bin"]);
    assert_eq!(aivm(dir.path(), &["artifact", "cat", &large]).stdout, bytes);
    let mut piped = command(dir.path(), &["artifact", "put", "-", "--type", "text/csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("aivm runs");
    piped.stdin.take().expect("a pipe").write_all(b"a,b\n").expect("is written");
    let piped = piped.wait_with_output().expect("it ends");
    let name = stdout(&piped);
    assert_eq!(aivm(dir.path(), &["artifact", "cat", name.trim()]).stdout, b"a,b\n");
    for (args, code) in [
        (&["large.bin", "--attribute", "alone"][..], "E0834"),
        (&["large.bin", "--attribute", "aivm.integrity=trusted"], "A0107"),
        (&["large.bin", "--type", "csv"], "E0804"),
        (&["gone.bin"], "E0801"),
    ] {
        let refused = aivm(dir.path(), &[&["artifact", "put"], args].concat());
        assert!(refused.status.code() == Some(2) && stderr(&refused).contains(code), "{}", stderr(&refused));
    }
}

#[test]
fn damage_is_found_and_the_others_are_told_whole() {
    let dir = folder();
    ran(dir.path());
    std::fs::write(dir.path().join("large.bin"), vec![7; 100_000]).expect("a file");
    let large = put(dir.path(), &["large.bin"]);
    assert!(aivm(dir.path(), &["keys", "new", "me"]).status.success());
    let signed = stdout(&aivm(dir.path(), &["keys", "sign", &large]));
    let all = looked(dir.path(), &["verify"]);
    assert_eq!((&all["damaged"], &all["signed"]), (&serde_json::json!([]), &Value::from(1)), "{all}");
    assert!(all["artifacts"].as_u64().is_some_and(|count| count > 5));
    assert_eq!(looked(dir.path(), &["verify", &large])["artifacts"], 1);
    assert_eq!(looked(dir.path(), &["verify", "user/"])["damaged"], serde_json::json!([]));
    let none = aivm(dir.path(), &["artifact", "verify", "nobody/"]);
    assert!(none.status.code() == Some(2) && stderr(&none).contains("E0830"), "{}", stderr(&none));

    let objects = dir.path().join(".aivm/objects");
    let file = std::fs::read_dir(objects).expect("a folder").flatten().next().expect("a file").path();
    std::fs::write(&file, vec![8; 100_000]).expect("is damaged");
    let found = aivm(dir.path(), &["artifact", "verify"]);
    assert_eq!(found.status.code(), Some(3), "{}", stderr(&found));
    let text = stdout(&found);
    assert!(text.contains(&large[..12]) && text.contains(&signed[..12]) && text.contains("E0753"), "{text}");
    assert_eq!(text.lines().count(), 3, "only those of that file, and the sum: {text}");
    let found = aivm(dir.path(), &["artifact", "verify", "--type", "application", "--json"]);
    assert_eq!(found.status.code(), Some(3));
    assert_eq!(json(&found)["damaged"].as_array().map(Vec::len), Some(2));
    assert!(aivm(dir.path(), &["artifact", "verify", "--type", "text"]).status.success());
    // What can be read is written out all the same.
    let out = aivm(dir.path(), &["artifact", "export", "out"]);
    assert_eq!(out.status.code(), Some(3), "{}", stderr(&out));
    assert!(stdout(&out).contains("written"), "{}", stdout(&out));
}

#[test]
fn a_forged_signature_is_damage() {
    let dir = folder();
    std::fs::write(dir.path().join("a.txt"), "a").expect("a file");
    let value = put(dir.path(), &["a.txt"]);
    assert!(aivm(dir.path(), &["keys", "new", "me"]).status.success());
    let signed = stdout(&aivm(dir.path(), &["keys", "sign", &value])).trim().to_owned();
    // Another signature in place of the right one, which the checksum does not cover.
    let signature = looked(dir.path(), &["show", &signed])["signature"].as_str().expect("one").to_owned();
    let bytes: Vec<u8> =
        (0..64).map(|at| u8::from_str_radix(&signature[2 * at..2 * at + 2], 16).expect("hex")).collect();
    let database = rusqlite::Connection::open(dir.path().join(".aivm/store.db")).expect("opens");
    let row: (i64, Vec<u8>) = database
        .query_row("SELECT row, artifacts FROM journal WHERE instr(artifacts, ?1) > 0", [&bytes], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .expect("the row");
    let at = row.1.windows(64).position(|window| window == bytes).expect("the signature");
    let mut forged = row.1;
    forged[at] ^= 1;
    database
        .execute("UPDATE journal SET artifacts = ?1 WHERE row = ?2", rusqlite::params![forged, row.0])
        .expect("is changed");
    drop(database);
    let found = aivm(dir.path(), &["artifact", "verify"]);
    assert_eq!(found.status.code(), Some(3), "{}", stderr(&found));
    assert!(stderr(&found).contains("E0833") && stdout(&found).contains(&signed[..12]), "{}", stderr(&found));
}

#[test]
fn a_lineage_is_drawn() {
    let dir = folder();
    let report = ran(dir.path());
    let output = report["output"]["checksum"].as_str().expect("a checksum");
    let text = stdout(&aivm(dir.path(), &["artifact", "lineage", output]));
    assert!(text.contains("s/shout#1") && text.lines().nth(1).is_some_and(|line| line.starts_with("  ")), "{text}");
    let svg = stdout(&aivm(dir.path(), &["artifact", "lineage", output, "--format", "svg"]));
    for part in ["<svg", "s/shout#1", "s/clean#1", "input", output] {
        assert!(svg.contains(part), "{part}: {svg}");
    }
    assert!(aivm(dir.path(), &["artifact", "lineage", output, "-o", "it.svg"]).status.success());
    assert_eq!(std::fs::read_to_string(dir.path().join("it.svg")).expect("a file"), svg);
    let refused = aivm(dir.path(), &["artifact", "lineage", output, "-o", "it.doc"]);
    assert!(stderr(&refused).contains("E0818"), "{}", stderr(&refused));
}

#[test]
fn two_values_differ_in_what_is_said_and_in_what_they_hold() {
    let dir = folder();
    let made = |name: &str, text: &[u8], more: &[&str]| {
        std::fs::write(dir.path().join(name), text).expect("a file");
        put(dir.path(), &[&[name], more].concat())
    };
    let differ = |one: &str, other: &str| {
        let told = aivm(dir.path(), &["artifact", "diff", one, other]);
        (told.status.code(), stdout(&told), looked(dir.path(), &["diff", one, other]))
    };
    let one = made("a.txt", b"one\ntwo\nthree\n", &["--attribute", "topic=x"]);
    let other = made("b.txt", b"one\n2\nthree\n", &["--role", "notes"]);
    let (code, text, told) = differ(&one, &other);
    assert_eq!(code, Some(1));
    for part in ["role", "input | notes", "attribute topic", "x | nothing", "- two", "+ 2", "  one"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(told["payload"]["by"], "lines");
    assert_eq!(told["differences"].as_array().map(Vec::len), Some(2));
    let again = made("c.txt", b"one\ntwo\nthree\n", &["--attribute", "topic=x"]);
    assert_eq!(differ(&one, &again).0, Some(0));
    let one = made("a.json", br#"{"a": {"b/c": [1, 2]}, "same": 0}"#, &[]);
    let other = made("b.json", br#"{"same": 0, "a": {"b/c": [1, 3, 4]}}"#, &[]);
    let (_, text, told) = differ(&one, &other);
    assert!(text.contains("/a/b~1c/1") && text.contains("2 | 3") && text.contains("nothing | 4"), "{text}");
    assert_eq!(told["payload"]["places"][0]["at"], "/a/b~1c/1");
    let one = made("a.bin", &[1, 0xff, 3], &[]);
    let other = made("b.bin", &[1, 0xff, 4, 5], &[]);
    let (_, text, told) = differ(&one, &other);
    assert!(text.contains("byte 2") && told["payload"]["first"] == 2, "{text}");
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut work = vec![folder.to_path_buf()];
    while let Some(folder) = work.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            match entry.path().is_dir() {
                true => work.push(entry.path()),
                false => all.push((entry.path().display().to_string(), std::fs::read(entry.path()).expect("a file"))),
            }
        }
    }
    all.sort();
    all
}

#[test]
fn values_become_files_under_their_keys_and_nothing_else_is_touched() {
    let dir = folder();
    ran(dir.path());
    let text = put(dir.path(), &["p.aivm", "--origin", "../../up", "--role", ".."]);
    assert!(aivm(dir.path(), &["keys", "new", "me"]).status.success());
    assert!(aivm(dir.path(), &["keys", "sign", &text]).status.success());
    let all = checksums(&looked(dir.path(), &["ls"])).len();
    let done = looked(dir.path(), &["export", "out", "--format", "json"]);
    assert_eq!((done["written"].as_u64(), done["there"].as_u64()), (Some(all as u64), Some(0)), "{done}");
    let out = dir.path().join("out");
    let first = files(&out);
    assert_eq!(first.len(), all, "one and the same under one key are two: {first:?}");
    for (path, content) in &first {
        let object: Value = serde_json::from_slice(content).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(object["checksum"].is_string());
    }
    let again = looked(dir.path(), &["export", "out", "--format", "json"]);
    assert_eq!((again["written"].as_u64(), again["there"].as_u64()), (Some(0), Some(all as u64)));
    assert_eq!(files(&out), first);
    // Interrupted: some are missing, and one was written aside.
    std::fs::remove_file(&first[0].0).expect("gone");
    let aside = Path::new(&first[1].0).with_file_name(".aside.part");
    std::fs::write(&aside, "half").expect("a file");
    assert_eq!(looked(dir.path(), &["export", "out", "--format", "json"])["written"], 1);
    std::fs::remove_file(aside).expect("gone");
    assert_eq!(files(&out), first);
    // Chosen ones; and in the other form beside them.
    assert_eq!(looked(dir.path(), &["export", "some", "--origin", "shout"])["written"], 1);
    let binary = files(&dir.path().join("some"));
    assert!(binary[0].0.ends_with(".artifact"), "{}", binary[0].0);
    // Other content stays, and so does what a link leads to.
    std::fs::write(&first[0].0, "mine").expect("a file");
    let refused = aivm(dir.path(), &["artifact", "export", "out", "--format", "json"]);
    assert!(refused.status.code() == Some(2) && stderr(&refused).contains("E0835"), "{}", stderr(&refused));
    assert_eq!(std::fs::read(&first[0].0).expect("a file"), b"mine");
    std::fs::create_dir_all(dir.path().join("linked")).expect("a folder");
    std::fs::create_dir_all(dir.path().join("elsewhere")).expect("a folder");
    std::os::unix::fs::symlink(dir.path().join("elsewhere"), dir.path().join("linked/shout")).expect("a link");
    let refused = aivm(dir.path(), &["artifact", "export", "linked", "--origin", "shout"]);
    assert!(stderr(&refused).contains("E0810") && stderr(&refused).contains("link"), "{}", stderr(&refused));
    assert!(files(&dir.path().join("elsewhere")).is_empty());
}

#[test]
fn values_outlive_their_runs_as_the_project_says() {
    let dir = folder();
    let page = include_str!("../../docs/artifacts.md");
    let settings = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("settings");
    write(dir.path(), "aivm.toml", settings);
    let shown = stdout(&aivm(dir.path(), &["gc", "--dry-run"]));
    assert!(shown.contains("would be removed: 0 runs"), "{shown}");
    let report = ran(dir.path());
    let run = report["run"].as_str().expect("a run");
    let output = report["output"]["checksum"].as_str().expect("a checksum");
    write(dir.path(), "aivm.toml", "[[gc.values]]\nrole = \"step\"\nscope = \"run\"\nolder_than = \"1h\"\n");
    let dry = json(&aivm(dir.path(), &["gc", "--run", run, "--dry-run", "--json"]));
    assert_eq!((&dry["runs"], &dry["outlive"]), (&serde_json::json!([run]), &Value::from(2)), "{dry}");
    let told = stdout(&aivm(dir.path(), &["gc", "--run", run]));
    assert!(told.contains("2 values kept though the run goes"), "{told}");
    let left = looked(dir.path(), &["ls"]);
    assert_eq!(checksums(&left).len(), 2);
    assert_eq!(left["artifacts"][0]["runs"], serde_json::json!([]));
    assert_eq!(aivm(dir.path(), &["artifact", "cat", output]).stdout, b"HELLO\n");
    assert_eq!(json(&aivm(dir.path(), &["gc", "--json"]))["values"], 0, "they are young");
    // By hand, whatever the project says; and only what is meant.
    let kept = put(dir.path(), &["p.aivm"]);
    assert_eq!(json(&aivm(dir.path(), &["gc", "--role", "step", "--older-than", "1h", "--json"]))["values"], 0);
    let dry = json(&aivm(dir.path(), &["gc", "--role", "step", "--dry-run", "--json"]));
    assert_eq!(dry["values"], 2, "{dry}");
    assert_eq!(json(&aivm(dir.path(), &["gc", "--role", "step", "--json"]))["values"], 2);
    assert_eq!(checksums(&looked(dir.path(), &["ls"])), [&kept]);
    // Of a run that stays everything stays.
    let report = ran(dir.path());
    write(dir.path(), "aivm.toml", "[[gc.values]]\nrole = \"step\"\nolder_than = \"0s\"\n");
    assert_eq!(json(&aivm(dir.path(), &["gc", "--json"]))["values"], 0);
    assert!(aivm(dir.path(), &["verify", report["run"].as_str().expect("a run")]).status.success());
    write(dir.path(), "aivm.toml", "[[gc.values]]\nolder_than = \"0s\"\n");
    let refused = aivm(dir.path(), &["gc"]);
    assert!(stderr(&refused).contains("E0802") && stderr(&refused).contains("role"), "{}", stderr(&refused));
}
