//! The web hook of a question: who is told what, how often, and what becomes of the question when nobody can be.
#![cfg(feature = "http")]

use super::super::fake::{Fake, Reply};
use super::*;

/// A saga that waits for a person beside a step that goes on as long as there is a file `hold`.
const GATE: &str = "name: s
steps:
  - name: both
    step_type: PARALLEL
    steps:
      - name: gate
        step_type: HUMAN_APPROVAL
        inputs: {message: Ship it?, webhook_url: 'secret(\"HOOK\")'}
      - name: slow
        capability: slow
  - {name: ship, capability: io.fs.write_file, inputs: {path: shipped, content: out}, depends_on: [both]}
";

/// A folder with that saga, whose web hooks may lead to this server.
fn gated(server: &str) -> tempfile::TempDir {
    let dir = folder();
    write(dir.path(), "s.yaml", GATE);
    write(
        dir.path(),
        "aivm.toml",
        &format!(
            "[webhooks]\nallow = [\"{server}\"]\n[worker.slow]\neffect = \"read\"\n\
             run = [\"sh\", \"-c\", \"while [ -e hold ]; do sleep 0.02; done\"]\n"
        ),
    );
    dir
}

#[test]
fn a_web_hook_of_the_file_is_told_where_it_is_public_and_never_shown() {
    let dir = folder();
    let saga = |hook: &str| {
        format!(
            "name: s\nsteps:\n  - name: gate\n    step_type: HUMAN_APPROVAL\n    inputs: {{message: Ship it?, webhook_url: {hook}}}\n"
        )
    };
    for (hook, why) in [
        ("https://127.0.0.1:1/x", "this machine itself"),
        ("secret(\"HOOK\")", "this machine itself"),
        ("secret(\"NO_HOOK\")", "no secret `NO_HOOK`"),
    ] {
        write(dir.path(), "s.yaml", &saga(hook));
        let run =
            command(dir.path(), &["run", "s.yaml", "--id", "r"]).env("HOOK", "https://127.0.0.1:1/hidden").output();
        let run = run.expect("aivm runs");
        assert_eq!(run.status.code(), Some(4), "{hook}: {}", stderr(&run));
        assert!(
            stderr(&run).contains("the web hook could not be told") && stderr(&run).contains(why),
            "{}",
            stderr(&run)
        );
        for look in [&["logs", "r"][..], &["show", "r"], &["graph", "--run", "r"], &["fmt", "--to", "aivm", "s.yaml"]] {
            let seen = aivm(dir.path(), look);
            assert_eq!(seen.status.code(), Some(0), "{look:?} {}", stderr(&seen));
            assert!(!(stdout(&seen) + &stderr(&seen) + &stderr(&run)).contains("hidden"), "{look:?}");
        }
        assert!(aivm(dir.path(), &["cancel", "r"]).status.code().is_some());
        assert!(aivm(dir.path(), &["gc", "--run", "r"]).status.success());
    }
    for hook in ["https://me:pw@example.com/x", "https://example.com/x?token=y", "http://example.com/x", "'{{ hook }}'"]
    {
        write(dir.path(), "s.yaml", &saga(hook));
        let refused = aivm(dir.path(), &["check", "s.yaml", "--json"]);
        assert_eq!(json(&refused)["files"][0]["diagnostics"][0]["code"], "E1027", "{hook}: {}", stdout(&refused));
    }
}

#[test]
fn a_web_hook_of_a_server_that_the_user_allows_says_once_what_a_person_needs() {
    let hook = Fake::new(vec![Reply::Status(204, "", String::new())]);
    let (dir, address) = (gated(hook.root()), format!("{}/told?token=abc", hook.root()));
    let run = |args: &[&str]| {
        let mut command = command(dir.path(), args);
        command.env("HOOK", &address);
        command
    };
    write(dir.path(), "hold", "");
    let mut begun = run(&["run", "s.yaml", "--id", "r", "-q"]).stdout(Stdio::null()).spawn().expect("aivm runs");
    while hook.requests().is_empty() {
        assert!(begun.try_wait().expect("its end").is_none(), "it ended, and nobody was told");
        std::thread::sleep(Duration::from_millis(5));
    }
    begun.kill().expect("it is killed");
    begun.wait().expect("it is gone");
    std::fs::remove_file(dir.path().join("hold")).expect("nothing waits any more");
    for _ in 0..2 {
        let waits = run(&["resume", "r"]).output().expect("aivm runs");
        assert_eq!(waits.status.code(), Some(4), "{}", stderr(&waits));
    }
    let told = hook.requests();
    assert_eq!(told.len(), 1, "nobody is told twice");
    assert!(told[0].head.starts_with("POST /told?token=abc HTTP/1.1"), "{}", told[0].head);
    assert_eq!(told[0].header("content-type"), Some("application/json"));
    let body: Value = serde_json::from_str(&told[0].body).expect("JSON");
    assert_eq!((&body["event"], &body["run"]), (&"approval_required".into(), &"r".into()), "{body}");
    assert_eq!(body["question"], "Ship it? (risk: MEDIUM)", "{body}");
    assert!(body["step"].as_str().is_some_and(|step| step.contains("gate")), "{body}");
    // What it says answers is what answers.
    let said = body["commands"].as_array().expect("commands").iter().filter_map(Value::as_str);
    let said = said.clone().find(|said| said.contains(" approve r approve ")).unwrap_or_else(|| panic!("{body}"));
    let said = said.strip_prefix("aivm ").expect("a command").replace('\'', "");
    let sent = run(&said.split(' ').collect::<Vec<_>>()).output().expect("aivm runs");
    assert_eq!(sent.status.code(), Some(0), "{said}: {}", stderr(&sent));
    assert_eq!(read(dir.path(), "shipped").as_deref(), Some("out"));
    assert_eq!(hook.requests().len(), 1, "nor after that");
}

#[test]
fn a_web_hook_that_is_away_or_refuses_loses_no_question() {
    let refuses = Fake::new(vec![Reply::Status(500, "", "no".into())]);
    for (server, why) in [("http://127.0.0.1:9", "was not reached"), (refuses.root(), "answered 500")] {
        let dir = gated(server);
        let run = command(dir.path(), &["run", "s.yaml", "--id", "r"]).env("HOOK", format!("{server}/hidden")).output();
        let run = run.expect("aivm runs");
        assert_eq!(run.status.code(), Some(4), "{}", stderr(&run));
        assert!(stderr(&run).contains(why) && !stderr(&run).contains("hidden"), "{}", stderr(&run));
        let sent = aivm(dir.path(), &["approve", "r", "approve"]);
        assert_eq!(sent.status.code(), Some(0), "{}", stderr(&sent));
        assert_eq!(read(dir.path(), "shipped").as_deref(), Some("out"));
    }
    // Another server is still none, and what is no server is told of.
    let dir = gated("http://127.0.0.1:8");
    let run = command(dir.path(), &["run", "s.yaml"]).env("HOOK", "http://127.0.0.1:9/hidden").output().expect("runs");
    assert!(stderr(&run).contains("[webhooks] allow = [\"http://127.0.0.1:9\"]"), "{}", stderr(&run));
    let dir = gated("http://127.0.0.1:8/path");
    let run = aivm(dir.path(), &["run", "s.yaml"]);
    assert_eq!(run.status.code(), Some(2), "{}", stderr(&run));
    assert!(stderr(&run).contains("E0802") && stderr(&run).contains("is no server"), "{}", stderr(&run));
}
