//! Sagas of YAML, through the whole program.

use super::{aivm, command, folder, json, stderr, stdout, write};
use serde_json::Value;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

#[path = "saga/web_hook.rs"]
mod web_hook;

const DEPLOY: &str = include_str!("saga/deploy.yaml");
const HELLO: &str = include_str!("saga/hello.yaml");

/// The state that a run ended with.
fn state(output: &Output) -> Value {
    let text = json(output)["output"]["text"].as_str().expect("an output").to_owned();
    serde_json::from_str(&text).expect("a state")
}

fn read(folder: &Path, name: &str) -> Option<String> {
    std::fs::read_to_string(folder.join(name)).ok()
}

fn error(output: &Output) -> (String, String) {
    let error = &json(output)["error"];
    (error["code"].as_str().unwrap_or("").to_owned(), error["message"].as_str().unwrap_or("").to_owned())
}

#[test]
fn the_hello_of_the_readme_runs_where_its_paths_are_the_workspace() {
    let (dir, workspace) = (folder(), folder());
    let place = workspace.path().canonicalize().expect("a path").display().to_string();
    write(dir.path(), "hello.yaml", &HELLO.replace("/tmp", &place));
    let run = aivm(dir.path(), &["run", "hello.yaml", "--workspace", &place, "--json"]);
    assert_eq!(run.status.code(), Some(0), "{}{}", stdout(&run), stderr(&run));
    assert_eq!(state(&run)["read_file"]["content"], "Hello, AI-First!");
    assert_eq!(read(workspace.path(), "hello.txt").as_deref(), Some("Hello, AI-First!"));
    let refused = aivm(dir.path(), &["run", "hello.yaml", "--json"]);
    assert_eq!(refused.status.code(), Some(1), "{}", stdout(&refused));
    let (code, message) = error(&refused);
    assert!(code == "E0727" && message.contains("--workspace"), "{code}: {message}");
}

#[test]
fn what_nobody_has_bound_is_told_mocked_and_can_be_bound() {
    let dir = folder();
    write(dir.path(), "deploy.yaml", DEPLOY);
    let check = aivm(dir.path(), &["check", "deploy.yaml"]);
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
    let said = stdout(&check) + &stderr(&check);
    assert!(said.contains("E1022") && said.contains("cloud.db.create"), "{said}");
    let mocked = aivm(dir.path(), &["run", "deploy.yaml", "--mock", "--json"]);
    assert_eq!(mocked.status.code(), Some(0), "{}{}", stdout(&mocked), stderr(&mocked));
    let reached = aivm(dir.path(), &["run", "deploy.yaml", "--json"]);
    assert_eq!((reached.status.code(), error(&reached).0.as_str()), (Some(1), "E1090"), "{}", stdout(&reached));

    let answer = |id: &str| {
        format!(
            "run = \"echo $0 {id} >> ledger; echo '{{\\\"{id}\\\": \\\"{id}-1\\\"}}'\"\nreturns = \"application/json\"\n"
        )
    };
    let undo = "run = \"cat >> ledger; echo >> ledger\"\n";
    for (name, id) in [("cloud.db.create", "database_name"), ("cloud.app.deploy", "app_id")] {
        write(dir.path(), &format!("workers/{name}.toml"), &answer(id));
    }
    write(dir.path(), "workers/cloud.lb.configure.toml", "run = \"exit 1\"\n");
    write(
        dir.path(),
        "aivm.toml",
        &format!("[worker.\"cloud.db.delete\"]\n{undo}[worker.\"cloud.app.undeploy\"]\n{undo}"),
    );
    let failed = aivm(dir.path(), &["run", "deploy.yaml", "--json"]);
    assert_eq!(failed.status.code(), Some(1), "{}{}", stdout(&failed), stderr(&failed));
    let ledger = read(dir.path(), "ledger").expect("it ran");
    let lines: Vec<&str> = ledger.lines().collect();
    let expected = ["sh database_name", "sh app_id", "{\"app_id\":\"app_id-1\"}", "{\"name\":\"database_name-1\"}"];
    assert_eq!(lines, expected, "the last is taken back first");
}

#[test]
fn compensations_see_the_state_of_the_time_when_their_step_completed() {
    let dir = folder();
    let make = "run = \"cat > made; n=$(sed 's/.*: *\\\"//; s/\\\".*//' made); echo \\\"{\\\\\\\"filepath\\\\\\\": \\\\\\\"$n\\\\\\\"}\\\"\"\nreturns = \"application/json\"\n";
    write(dir.path(), "workers/make.toml", make);
    write(dir.path(), "workers/unmake.toml", "run = \"cat >> ledger; echo >> ledger\"\n");
    let step = |name: &str| {
        format!(
            "  - {{name: {name}, capability: make, inputs: {{n: {name}}}, compensation: {{capability: unmake, inputs: {{path: '{{{{filepath}}}}', own: '{{{{{name}.filepath}}}}'}}}}}}\n"
        )
    };
    let text = [
        "name: s\nsteps:\n",
        &step("a"),
        &step("b"),
        "  - {name: stop, capability: io.fs.read_file, inputs: {path: nowhere}}\n",
    ]
    .concat();
    write(dir.path(), "s.yaml", &text);
    let run = aivm(dir.path(), &["run", "s.yaml", "--json"]);
    assert_eq!(run.status.code(), Some(1), "{}{}", stdout(&run), stderr(&run));
    assert_eq!(
        read(dir.path(), "ledger").as_deref(),
        Some("{\"own\":\"b\",\"path\":\"b\"}\n{\"own\":\"a\",\"path\":\"a\"}\n")
    );
}

#[test]
fn what_was_written_is_restored_exactly_unless_the_saga_says_otherwise() {
    let steps = "steps:\n  - {name: w, capability: io.fs.write_file, inputs: {path: a.txt, content: new}}\n  - {name: m, capability: io.fs.make_dir, inputs: {path: d/e}}\n  - {name: x, capability: io.fs.move, inputs: {source: b.txt, destination: d/e/b.txt}}\n  - {name: stop, capability: io.fs.read_file, inputs: {path: nowhere}}\n";
    for (head, kept) in [("name: s\n", false), ("name: s\nenable_auto_rollback: false\n", true)] {
        let dir = folder();
        write(dir.path(), "a.txt", "old");
        write(dir.path(), "b.txt", "b");
        write(dir.path(), "s.yaml", &format!("{head}{steps}"));
        let run = aivm(dir.path(), &["run", "s.yaml"]);
        assert_eq!(run.status.code(), Some(1), "{}", stderr(&run));
        let said = [stdout(&run), stderr(&run)].concat();
        assert_eq!(said.contains("undone"), !kept, "{said}");
        assert_eq!(read(dir.path(), "a.txt").as_deref(), Some(if kept { "new" } else { "old" }));
        assert_eq!(dir.path().join("d/e/b.txt").exists(), kept);
        assert_eq!(dir.path().join("b.txt").exists(), !kept);
    }
}

#[test]
fn a_step_is_called_as_often_as_it_may_be_and_what_is_last_is_done_last() {
    let dir = folder();
    let flaky = "run = \"echo x >> calls; test $(wc -l < calls) -ge 3 && echo '{\\\"success\\\": true}' || echo '{\\\"success\\\": false, \\\"error\\\": \\\"not yet\\\"}'\"\nreturns = \"application/json\"\nbackoff = { wait = \"1ms\" }\n";
    write(dir.path(), "workers/flaky.toml", flaky);
    write(dir.path(), "workers/note.toml", "run = \"cat >> ledger; echo >> ledger\"\n");
    let saga = |tries: u32, more: &str| {
        format!(
            "name: s\ninitial_state: {{who: ann}}\nglobal_compensation_steps:\n  - {{capability: note, inputs: {{last: '{{{{who}}}}'}}}}\nsteps:\n  - {{name: n, capability: note, inputs: {{did: it}}, compensation: {{capability: note, inputs: {{undid: it}}}}}}\n  - {{name: f, capability: flaky, max_retries: {tries}}}\n{more}"
        )
    };
    write(dir.path(), "s.yaml", &saga(3, ""));
    let run = aivm(dir.path(), &["run", "s.yaml", "--json"]);
    assert_eq!(run.status.code(), Some(0), "{}{}", stdout(&run), stderr(&run));
    assert_eq!(read(dir.path(), "calls").map(|calls| calls.lines().count()), Some(3));
    assert_eq!(read(dir.path(), "ledger").as_deref(), Some("{\"did\":\"it\"}\n"));
    std::fs::remove_file(dir.path().join("calls")).expect("there");
    write(dir.path(), "s.yaml", &saga(2, ""));
    let run = aivm(dir.path(), &["run", "s.yaml", "--json"]);
    assert_eq!(run.status.code(), Some(1), "{}", stdout(&run));
    assert_eq!(read(dir.path(), "calls").map(|calls| calls.lines().count()), Some(2));
    let ledger = read(dir.path(), "ledger").expect("a ledger");
    let lines: Vec<&str> = ledger.lines().skip(1).collect();
    assert_eq!(lines, ["{\"did\":\"it\"}", "{\"undid\":\"it\"}", "{\"last\":\"ann\"}"]);
}

#[test]
fn a_compensation_that_fails_is_told_and_keeps_none_of_the_others_from_running() {
    let dir = folder();
    write(dir.path(), "workers/note.toml", "run = \"cat >> ledger; echo >> ledger\"\n");
    let note = |what: &str| format!("capability: note, inputs: {{did: {what}}}");
    let fails = "capability: io.fs.read_file, inputs: {path: nowhere}";
    let stop = format!("  - {{name: stop, {fails}}}\n");
    let last = format!(
        "name: s\nglobal_compensation_steps:\n  - {{{}}}\n  - {{{fails}}}\n  - {{{}}}\nsteps:\n{stop}",
        note("first"),
        note("last")
    );
    let undo =
        |name: &str, what: &str| format!("  - {{name: {name}, step_type: COMPENSATION, depends_on: [a], {what}}}\n");
    let several = format!(
        "name: s\nsteps:\n  - {{name: a, capability: sys.info.get_os}}\n{}{}{}{stop}",
        undo("u", &note("first")),
        undo("v", fails),
        undo("w", &note("last"))
    );
    for text in [last, several] {
        write(dir.path(), "ledger", "");
        write(dir.path(), "s.yaml", &text);
        let run = aivm(dir.path(), &["run", "s.yaml"]);
        assert_eq!(run.status.code(), Some(7), "{text}{}", stderr(&run));
        let ledger = read(dir.path(), "ledger").expect("a ledger");
        assert_eq!(ledger.lines().collect::<Vec<_>>(), ["{\"did\":\"first\"}", "{\"did\":\"last\"}"], "{text}");
    }
}

#[test]
fn what_runs_at_the_same_time_is_merged_in_the_written_order() {
    let dir = folder();
    let text = "name: s\ninitial_state: {path: old, seen: 0}\nsteps:\n  - name: both\n    step_type: PARALLEL\n    steps:\n      - {name: a, capability: io.fs.write_file, inputs: {path: a.txt, content: aa}}\n      - {name: b, capability: io.fs.exists, inputs: {path: b.txt}}\n  - {name: c, capability: data.json.stringify, inputs: {data: ['{{path}}', '{{a.size}}', '{{seen}}']}, depends_on: [both]}\n";
    write(dir.path(), "s.yaml", text);
    let run = aivm(dir.path(), &["run", "s.yaml", "--json", "--in", "{\"seen\": 1}"]);
    assert_eq!(run.status.code(), Some(0), "{}{}", stdout(&run), stderr(&run));
    assert_eq!(state(&run)["text"], "[\"b.txt\",2,1]");
}

#[test]
fn a_step_whose_condition_does_not_hold_is_passed_over_and_not_taken_back() {
    let dir = folder();
    write(dir.path(), "workers/note.toml", "run = \"cat >> ledger; echo >> ledger\"\n");
    let text = "name: s
steps:
  - {name: a, capability: note, when: input.count > 1, inputs: {did: a}, compensation: {capability: note, inputs: {undid: a}}}
  - name: more
    step_type: CONDITION
    condition: input.count > 2
    steps:
      - {name: b, capability: note, inputs: {did: b}}
      - {name: c, capability: note, inputs: {did: c}}
  - {name: stop, capability: io.fs.read_file, inputs: {path: nowhere}}
";
    write(dir.path(), "s.yaml", text);
    for (count, expected) in [(1, ""), (2, "did:a undid:a"), (3, "did:a did:b did:c undid:a")] {
        write(dir.path(), "ledger", "");
        let run = aivm(dir.path(), &["run", "s.yaml", "--json", "--in", &format!("{{\"count\": {count}}}")]);
        assert_eq!(run.status.code(), Some(1), "{}{}", stdout(&run), stderr(&run));
        let ledger = read(dir.path(), "ledger").expect("there").replace(['{', '}', '"'], "");
        assert_eq!(ledger.lines().collect::<Vec<_>>().join(" "), expected, "{count}");
    }
    write(dir.path(), "s.yaml", &text.replace("input.count > 1", "count >"));
    let check = aivm(dir.path(), &["check", "s.yaml"]);
    assert_eq!(check.status.code(), Some(2), "{}", stdout(&check));
}

#[test]
fn hostile_files_end_in_an_error_quickly() {
    let dir = folder();
    let laughs = (1..12).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
        format!("{text}a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(","))
    });
    let braces = "{{".repeat(1 << 20);
    for (what, text, code) in [
        ("billion laughs", laughs, "E1020"),
        ("10 MB", format!("name: {}", "x".repeat(10 << 20)), "E0101"),
        ("deep", format!("name: {}", "[".repeat(10_000)), "E1020"),
        ("a tab", "name: a\nsteps:\n\t- name: b\n".to_owned(), "E1020"),
        ("null byte", "name: a\0\n".to_owned(), "E1020"),
        ("braces", format!("name: s\nsteps:\n  - {{name: a, capabilty: b, inputs: {{x: '{braces}'}}}}\n"), "E1021"),
    ] {
        write(dir.path(), "s.yaml", &text);
        let began = Instant::now();
        let check = aivm(dir.path(), &["check", "s.yaml", "--json"]);
        assert!(began.elapsed() < Duration::from_secs(10), "{what} took {:?}", began.elapsed());
        assert_eq!(check.status.code(), Some(2), "{what}: {}", stderr(&check));
        assert!(stdout(&check).contains(code), "{what}: {}", stdout(&check));
    }
}

const DEMO: &str = "name: demo
steps:
  - name: write_a
    capability: io.fs.write_file
    inputs: {path: a.txt, content: A}
  - name: gate
    step_type: HUMAN_APPROVAL
    inputs: {message: 'Write B after {{path}}?'}
    depends_on: [write_a]
  - name: write_b
    capability: io.fs.write_file
    inputs: {path: b.txt, content: B}
    depends_on: [gate]
";

/// The demo, up to the question; the process that asked it is gone.
fn asked() -> (tempfile::TempDir, String) {
    let dir = folder();
    write(dir.path(), "demo.yaml", DEMO);
    let parked = aivm(dir.path(), &["run", "demo.yaml", "--json"]);
    assert_eq!(parked.status.code(), Some(4), "{}{}", stdout(&parked), stderr(&parked));
    let report = json(&parked);
    assert_eq!(report["questions"][0]["choices"], serde_json::json!(["reject", "approve"]), "{report}");
    assert_eq!(read(dir.path(), "a.txt").as_deref(), Some("A"));
    assert!(read(dir.path(), "b.txt").is_none());
    let run = report["run"].as_str().expect("a name").to_owned();
    (dir, run)
}

#[test]
fn a_run_that_waits_for_a_person_goes_on_in_another_process_and_repeats_nothing() {
    let (dir, run) = asked();
    let written = std::fs::metadata(dir.path().join("a.txt")).and_then(|about| about.modified()).expect("a time");
    let waits = aivm(dir.path(), &["resume", &run]);
    assert_eq!(waits.status.code(), Some(4), "{}", stderr(&waits));
    assert!(stderr(&waits).contains("Write B after a.txt?"), "what is decided is shown: {}", stderr(&waits));
    let approved = aivm(dir.path(), &["approve", &run, "approve"]);
    assert_eq!(approved.status.code(), Some(0), "{}", stderr(&approved));
    assert_eq!(read(dir.path(), "b.txt").as_deref(), Some("B"));
    let after = std::fs::metadata(dir.path().join("a.txt")).and_then(|about| about.modified()).expect("a time");
    assert_eq!(after, written, "it is not written again");
}

#[test]
fn what_a_person_rejects_is_taken_back_by_another_process() {
    let (dir, run) = asked();
    let rejected = aivm(dir.path(), &["approve", &run, "reject"]);
    assert_eq!(rejected.status.code(), Some(1), "{}", stderr(&rejected));
    assert!(stderr(&rejected).contains("Rejected by human approver"), "{}", stderr(&rejected));
    assert!(read(dir.path(), "a.txt").is_none() && read(dir.path(), "b.txt").is_none());
    let shown = aivm(dir.path(), &["show", &run, "--json"]);
    assert_eq!(json(&shown)["status"], "failed", "{}", stdout(&shown));
}

#[test]
fn a_process_that_is_killed_between_two_steps_repeats_none_that_was_complete() {
    let dir = folder();
    let slow = "run = \"touch began; while [ -e hold ]; do sleep 0.02; done; echo done\"\neffect = \"read\"\n";
    write(dir.path(), "workers/slow.toml", slow);
    write(dir.path(), "hold", "");
    let text = "name: s\nsteps:\n  - {name: a, capability: io.fs.write_file, inputs: {path: a.txt, content: A}}\n  - {name: wait, capability: slow}\n  - {name: b, capability: data.json.stringify, inputs: {data: '{{a.path}} {{wait.output}}'}}\n";
    write(dir.path(), "s.yaml", text);
    let mut killed = command(dir.path(), &["run", "s.yaml", "--id", "one"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let began = Instant::now();
    while !dir.path().join("began").exists() {
        assert!(began.elapsed() < Duration::from_secs(60), "it begins");
        std::thread::sleep(Duration::from_millis(10));
    }
    killed.kill().expect("killed");
    killed.wait().expect("gone");
    std::fs::remove_file(dir.path().join("hold")).expect("there");
    let written = std::fs::metadata(dir.path().join("a.txt")).and_then(|about| about.modified()).expect("a time");
    let resumed = aivm(dir.path(), &["resume", "one", "--json"]);
    assert_eq!(resumed.status.code(), Some(0), "{}{}", stdout(&resumed), stderr(&resumed));
    assert!(state(&resumed)["text"].as_str().expect("text").contains("a.txt done"), "{}", stdout(&resumed));
    let after = std::fs::metadata(dir.path().join("a.txt")).and_then(|about| about.modified()).expect("a time");
    assert_eq!(after, written);
}

#[test]
fn policies_beside_the_file_deny_and_ask() {
    let dir = folder();
    write(dir.path(), "policies.yaml", "rules:\n  - {principal: '*', capability: io.fs.write_file, decision: ALLOW}\n");
    write(
        dir.path(),
        "s.yaml",
        "name: s\nmetadata: {owner: ann}\nsteps:\n  - {name: a, capability: io.fs.write_file, inputs: {path: a.txt, content: A}}\n  - {name: b, capability: io.fs.delete, inputs: {path: a.txt}}\n",
    );
    let run = aivm(dir.path(), &["run", "s.yaml", "--json"]);
    assert_eq!(run.status.code(), Some(1), "{}", stdout(&run));
    let (code, message) = error(&run);
    assert_eq!(
        (code.as_str(), message.contains("Policy denied: user:ann lacks permission for io.fs.delete")),
        ("E1091", true),
        "{message}"
    );
    assert!(read(dir.path(), "a.txt").is_none(), "what was done before is taken back");
    let mocked = aivm(dir.path(), &["run", "s.yaml", "--mock", "--json"]);
    assert_eq!(error(&mocked).0, "E1091", "a policy holds for mocks, too");
}

#[test]
fn a_saga_goes_on_as_arrows() {
    let dir = folder();
    write(dir.path(), "demo.yaml", DEMO);
    let arrows = aivm(dir.path(), &["fmt", "--to", "aivm", "demo.yaml"]);
    assert_eq!(arrows.status.code(), Some(0), "{}", stderr(&arrows));
    write(dir.path(), "demo.aivm", &stdout(&arrows));
    let digest = |name: &str| json(&aivm(dir.path(), &["compile", name, "--json"]))["digest"].clone();
    assert_eq!(digest("demo.yaml"), digest("demo.aivm"));
    let formatted = aivm(dir.path(), &["fmt", "--check", "demo.aivm"]);
    assert_eq!(formatted.status.code(), Some(0), "{}{}", stdout(&formatted), stdout(&arrows));
    let drawn = aivm(dir.path(), &["graph", "demo.yaml"]);
    assert_eq!(drawn.status.code(), Some(0), "{}", stderr(&drawn));
}

#[test]
fn what_is_known_before_a_run_is_told_before_it() {
    let folder = folder();
    let text = r#"
name: x
steps:
  - name: a
    capability: io.fs.exists
    inputs: {pth: a}
  - name: b
    capability: io.fs.read_file
    inputs: {path: ../secret}
    max_retries: many
  - name: c
    capability: io.fs.exists
    inputs: {path: "{{ a.path }}"}
    condition: "a ="
    depends_on: [z]
  - name: 5
    capability: io.fs.exists
  - name: e
    capabilty: io.fs.exists
"#;
    write(folder.path(), "x.yaml", text);
    let out = aivm(folder.path(), &["check", "x.yaml", "--json"]);
    let report: Value = serde_json::from_slice(&out.stdout).expect("it is JSON");
    let told = report["files"][0]["diagnostics"].as_array().expect("a list");
    let told: Vec<String> =
        told.iter().map(|one| format!("{}: {}", one["line"], one["message"].as_str().unwrap_or(""))).collect();
    let expected = [
        "6: `io.fs.exists` has no input `pth`; did you mean `path`?",
        "9: `path` of `io.fs.read_file`: `../secret` leads out of a folder with `..`",
        "10: `max_retries` of step `b`: it takes a whole number",
        "14: `condition` of step `c` is no condition in CEL",
        "16: `name` of a step: it takes a text, not `5`",
        "19: step `e` has no key `capabilty`",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
    // What is no YAML is told where it ends to be some.
    write(folder.path(), "x.yaml", "name: x\nsteps:\n  - name: [\n");
    let out = aivm(folder.path(), &["check", "x.yaml"]);
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        told.contains("[E1020] Error: this is no YAML: unclosed bracket") && told.contains("x.yaml:3:11"),
        "{told}"
    );
}
