//! Tools of models: who may be called, that each call is a step like every other, and that a model gets no further than it may.

use super::fake::{Fake, Reply, text};
use super::*;
use serde_json::json;
use std::process::Output;

/// A project whose model `a/m` is at this server.
fn project(server: &Fake, program: &str) -> tempfile::TempDir {
    let dir = folder();
    write(dir.path(), "aivm.toml", &format!("[provider.a]\nurl = \"{}\"\n", server.url));
    write(dir.path(), "p.aivm", program);
    dir
}

fn run(dir: &tempfile::TempDir, more: &[&str]) -> Output {
    let args = ["run", "p.aivm", "--in", "the input", "--json"];
    aivm(dir.path(), &[&args, more].concat())
}

/// The steps of a report: key, outcome.
fn steps(report: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let rows = report["steps"].as_array().into_iter().flatten();
    rows.map(|row| (text(&row["key"]), text(&row["outcome"]))).collect()
}

const WRITER: &str = "+++\n[worker.writer]\nprompt = \"Write.\"\nmodel = \"a/m\"\n\
    tools = { allow = [\"write-file\", \"read-file\", \"undo\"], rounds = 4 }\n+++\n\
    out <= ( switch <= ( writer => next ) <= match <= ( fine => send  default => cancel ) ) <= in\n";

fn written(path: &str, content: &str) -> Reply {
    Reply::Wants("write-file", json!({ "path": path, "content": content }))
}

#[test]
fn a_model_calls_its_tools_and_is_told_what_they_returned() {
    let fake = Fake::new(vec![
        written("a.txt", "one"),
        Reply::Wants("read-file", json!({ "path": "none.txt" })),
        text(r#"{"verdict": "fine", "output": "done"}"#),
    ]);
    let dir = project(&fake, WRITER);
    let output = run(&dir, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report = json(&output);
    assert_eq!(report["output"]["text"], "done", "{report}");
    assert_eq!(std::fs::read_to_string(dir.path().join("a.txt")).expect("written"), "one");
    let expected = [
        ("switch.1/writer#1/ask/writer#1", "next"),
        ("switch.1/writer#1/tool/write-file#1", "ask"),
        ("switch.1/writer#1/ask/writer#2", "next"),
        ("switch.1/writer#1/tool/read-file#1", "ask"),
        ("switch.1/writer#1/ask/writer#3", "next"),
        ("switch.1/writer#1", "next"),
    ];
    assert_eq!(steps(&report), expected.map(|(step, outcome)| (step.to_owned(), outcome.to_owned())));
    let asked = fake.asked();
    assert_eq!(asked[0]["tools"].as_array().map(Vec::len), Some(3), "{}", asked[0]);
    assert_eq!(asked[0]["tools"][0]["function"]["name"], "write-file");
    assert_eq!(asked[0]["tools"][0]["function"]["parameters"]["required"], json!(["path", "content"]));
    let messages = &asked[2]["messages"];
    let roles: Vec<&str> = messages.as_array().into_iter().flatten().filter_map(|one| one["role"].as_str()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "assistant", "tool"], "{messages}");
    assert_eq!(messages[3]["tool_call_id"], messages[2]["tool_calls"][0]["id"]);
    assert_eq!(messages[3]["content"], "wrote 3 bytes to a.txt");
    assert!(
        messages[5]["content"].as_str().is_some_and(|told| told.starts_with("failed: E0") && told.contains("none.txt"))
    );
}

#[test]
fn nothing_is_offered_in_the_last_round_and_who_wants_it_all_the_same_fails() {
    let fake = Fake::new(vec![written("a.txt", "x")]);
    let dir = project(&fake, WRITER);
    let output = run(&dir, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let asked = fake.asked();
    // Three tools, and a last round with one more chance to answer.
    assert_eq!(asked.len(), 5);
    assert_eq!((&asked[2]["tool_choice"], &asked[3]["tool_choice"]), (&json!("auto"), &json!("none")));
    assert!(
        json(&output)["error"]["message"].as_str().is_some_and(|why| why.contains("no tool can be called any more"))
    );
}

#[test]
fn a_model_calls_nobody_else() {
    for (tool, arguments) in [
        ("remove", json!({ "path": "p.aivm" })),
        ("fine", json!({})),
        ("write-file", json!({ "path": "a.txt" })),
        ("write-file", json!({ "path": "../a.txt", "content": "x" })),
        ("write-file", json!({ "path": ".aivm/store.db", "content": "x" })),
    ] {
        let fake =
            Fake::new(vec![Reply::Wants(tool, arguments.clone()), text(r#"{"verdict": "fine", "output": "ok"}"#)]);
        let dir = project(&fake, WRITER);
        let output = run(&dir, &[]);
        assert_eq!(output.status.code(), Some(0), "{tool} {arguments}: {}", stderr(&output));
        assert_eq!(fake.asked().len(), 2, "{tool} {arguments}");
        assert!(!dir.path().join("a.txt").exists() && dir.path().join("p.aivm").exists());
    }
}

#[test]
fn arguments_that_are_no_json_are_told_to_the_model() {
    let cut = r#"{"path": "a.txt", "content": "on"#;
    let fine = text(r#"{"verdict": "fine", "output": "ok"}"#);
    // With a terminal answers are streamed, and the library reads them in another way.
    for streams in [false, true] {
        let fake = Fake::new(vec![Reply::Writes("write-file", cut), fine.clone()]);
        let dir = project(&fake, WRITER);
        if streams {
            super::display::written(dir.path(), 80, &["run", "p.aivm", "--in", "x", "--id", "one"]);
        } else {
            let output = run(&dir, &["--id", "one"]);
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        }
        let asked = fake.asked();
        assert_eq!(asked[0]["stream"] == true, streams);
        let messages = &asked[1]["messages"];
        let told = messages[3]["content"].as_str().unwrap_or("");
        assert!(told.starts_with("not called: the arguments of `write-file` are not JSON: EOF"), "{messages}");
        assert_eq!(messages[2]["tool_calls"][0]["function"]["arguments"], "{}", "it can be read by servers");
        assert_eq!(messages[3]["tool_call_id"], messages[2]["tool_calls"][0]["id"]);
        let shown = json(&aivm(dir.path(), &["show", "one", "--json"]));
        assert_eq!(shown["totals"]["tokens"], 30, "both answers count: {shown}");
    }
    // Once: then the call has failed.
    let fake = Fake::new(vec![Reply::Writes("write-file", cut)]);
    let output = run(&project(&fake, WRITER), &[]);
    let why = json(&output)["error"]["message"].as_str().unwrap_or("").to_owned();
    assert!(output.status.code() == Some(1) && fake.asked().len() == 2, "{}", stderr(&output));
    assert!(stderr(&output).contains("E0906") || json(&output)["error"]["code"] == "E0906");
    assert!(why.contains("not JSON") && why.contains("before that it asked for `write-file`"), "{why}");
    // What is written for no arguments, is none.
    let fake = Fake::new(vec![Reply::Writes("undo", ""), fine]);
    let output = run(&project(&fake, WRITER), &[]);
    assert!(steps(&json(&output)).iter().any(|(key, _)| key.ends_with("/tool/undo#1")), "{}", stderr(&output));
}

#[test]
fn a_call_that_is_refused_is_seen() {
    let fake = Fake::new(vec![
        Reply::Wants("remove", json!({ "path": "p.aivm" })),
        written("a.txt", "one"),
        text(r#"{"verdict": "fine", "output": "ok"}"#),
    ]);
    let dir = project(&fake, WRITER);
    let report = json(&run(&dir, &["--id", "one"]));
    let says = "asked for `remove`, which was not called: there is no tool `remove`";
    let refused = |steps: &Value, nth: usize| steps[nth]["refused"].as_str().unwrap_or("").to_owned();
    assert!(refused(&report["steps"], 0).starts_with(says), "{report}");
    let shown = json(&aivm(dir.path(), &["show", "one", "--json"]));
    assert!(refused(&shown["steps"], 0).starts_with(says), "{shown}");
    // Neither what was called with that, nor what came later, is marked.
    assert_eq!((refused(&shown["steps"], 1), refused(&shown["steps"], 2)), (String::new(), String::new()));
    for look in [&["show", "one"][..], &["logs", "one"], &["why", "one", "ask/writer#1"]] {
        let output = aivm(dir.path(), look);
        let text = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(text.matches(says).count(), 1, "{look:?}: {text}");
    }
    let logs = aivm(dir.path(), &["logs", "one", "--json"]);
    let lines = String::from_utf8_lossy(&logs.stdout).lines().filter(|line| line.contains("\"refused\"")).count();
    assert_eq!(lines, 1);
}

#[test]
fn a_loop_is_shown_as_it_happened_with_what_was_asked_for() {
    let long = "x".repeat(100);
    let fake = Fake::new(vec![
        written("a.txt", &long),
        Reply::Wants("shout", json!({ "input": "it is hunter2-the-secret\nhere" })),
        text("done"),
    ]);
    let program = "+++\n[worker.upper]\nrun = \"tr a-z A-Z\"\neffect = \"pure\"\n\
        [worker.w]\nprompt = \"x\"\nmodel = \"a/m\"\ntools = [\"shout\", \"write-file\"]\n+++\n\
        shout <= ( switch <= ( upper => send ) )\n\
        out <= ( switch <= ( w => send ) ) <= in\n";
    let dir = project(&fake, program);
    assert_eq!(run(&dir, &["--id", "one"]).status.code(), Some(0));
    let output = aivm(dir.path(), &["show", "one"]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let at = |text: &str| shown.find(text).unwrap_or_else(|| panic!("{text}: {shown}"));
    let order = [
        "ask/w#1",
        "tool/write-file#1",
        "{\"path\":\"a.txt\",",
        "ask/w#2",
        "tool/shout#1",
        "hunter2",
        "upper#1",
        "ask/w#3",
    ];
    assert!(order.windows(2).all(|pair| at(pair[0]) < at(pair[1])), "{shown}");
    assert!(!shown.contains(&long) && !shown.contains("\n  tool\n"), "{shown}");
    let report = json(&aivm(dir.path(), &["show", "one", "--json"]));
    let arguments: Vec<&str> =
        report["steps"].as_array().into_iter().flatten().filter_map(|step| step["arguments"].as_str()).collect();
    assert_eq!(arguments.len(), 2, "{report}");
    assert!(arguments[0].starts_with("{\"path\"") && arguments[0].chars().count() <= 61, "{arguments:?}");
    assert!(arguments[1].starts_with("it is hunter2") && !arguments[1].contains('\n'), "{arguments:?}");
}

#[test]
fn a_model_takes_back_what_it_did() {
    let undo = || Reply::Wants("undo", json!({}));
    let fake = Fake::new(vec![
        written("a.txt", "bad"),
        undo(),
        written("a.txt", "good"),
        text(r#"{"verdict": "fine", "output": "done"}"#),
    ]);
    let dir = project(&fake, WRITER);
    write(dir.path(), "a.txt", "before");
    let output = run(&dir, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(dir.path().join("a.txt")).expect("there"), "good");
    let told = &fake.asked()[2]["messages"][5]["content"];
    assert!(told.as_str().is_some_and(|told| told.starts_with("took back") && told.ends_with("a.txt")), "{told}");
    // All of it can still be taken back.
    let run = json(&output)["run"].as_str().expect("a name").to_owned();
    let rolled = aivm(dir.path(), &["rollback", &run]);
    assert_eq!(rolled.status.code(), Some(0), "{}", stderr(&rolled));
    assert_eq!(std::fs::read_to_string(dir.path().join("a.txt")).expect("there"), "before");
}

#[test]
fn what_tools_did_is_undone_when_the_stage_fails() {
    let fake = Fake::new(vec![written("a.txt", "one"), text(r#"{"verdict": "bad", "output": ""}"#)]);
    let dir = project(&fake, &WRITER.replace("fine => send", "fine => send bad => cancel"));
    assert_eq!(run(&dir, &[]).status.code(), Some(1));
    assert!(!dir.path().join("a.txt").exists());
}

#[test]
fn who_may_be_called_is_a_list_and_what_is_denied_wins() {
    let fake = Fake::new(vec![text("done")]);
    let program = |tools: &str| {
        format!(
            "+++\n[worker.get-time]\nrun = \"date\"\nabout = \"The time.\"\n[worker.get-rich]\nrun = \"true\"\n\
             [worker.w]\nprompt = \"x\"\nmodel = \"a/m\"\ntools = {tools}\n+++\nout <= ( switch <= ( w => send ) ) <= in\n"
        )
    };
    let offered = |tools: &str| {
        let fake = Fake::new(vec![text("done")]);
        let dir = project(&fake, &program(tools));
        let output = run(&dir, &[]);
        assert_eq!(output.status.code(), Some(0), "{tools}: {}", stderr(&output));
        let asked = fake.asked().remove(0);
        let names = asked["tools"].as_array().cloned().unwrap_or_default();
        names.iter().map(|tool| tool["function"]["name"].as_str().unwrap_or("").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(offered(r#"{ allow = ["get-*"] }"#), ["get-rich", "get-time"]);
    assert_eq!(offered(r#"{ allow = ["get-*", "count"], deny = ["get-r*"] }"#), ["get-time", "count"]);
    assert_eq!(offered(r#"{ allow = ["get-time"], deny = ["*"] }"#), [""; 0]);
    assert_eq!(offered("[]"), [""; 0]);
    for (tools, code) in [(r#"["gett-time"]"#, "E0201"), (r#"["nothing-*"]"#, "E0402"), (r#"["next"]"#, "E0402")] {
        let dir = project(&fake, &program(tools));
        let output = aivm(dir.path(), &["check", "p.aivm"]);
        assert!(output.status.code() == Some(2) && stderr(&output).contains(code), "{tools}: {}", stderr(&output));
    }
}

#[test]
fn a_tool_that_is_also_an_answer_is_refused() {
    let fake = Fake::new(vec![text("x")]);
    let dir = project(&fake, &WRITER.replace("\"undo\"", "\"count\"").replace("fine => send", "count => send"));
    let output = aivm(dir.path(), &["check", "p.aivm"]);
    assert!(stderr(&output).contains("`count` is a tool"), "{}", stderr(&output));
}

#[test]
fn rounds_tools_and_budgets_are_in_the_worst_case_and_hold() {
    let fake = Fake::new(vec![Reply::Wants("time", json!({ "input": "now" })), text("late")]);
    let program = "+++\n[limits]\ncalls = 2\n[worker.time]\nrun = \"date\"\n\
        [worker.w]\nprompt = \"x\"\nmodel = \"a/m\"\ncost = \"$0.01\"\ntokens = \"1kt\"\ntools = { allow = [\"time\"], rounds = 3 }\n+++\n\
        out <= ( switch <= ( w <5kt> => send ) ) <= in\n";
    let dir = project(&fake, program);
    let cost = json(&aivm(dir.path(), &["cost", "p.aivm", "--json"]));
    assert_eq!(cost["total"]["tokens"], 3000, "{cost}");
    // The third call would be one too many: the run waits for somebody to allow more.
    let output = run(&dir, &[]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert_eq!(fake.asked().len(), 1);
}

#[test]
fn a_context_bounds_what_a_loop_has_come_to() {
    let look = |name: &str| Reply::Wants("read-file", json!({ "path": name }));
    let fake = Fake::new(vec![look("a.txt"), look("b.txt"), look("c.txt"), text("done")]);
    let program = |more: &str| {
        format!(
            "+++\n[worker.w]\nprompt = \"x\"\nmodel = \"a/m\"\ntools = {{ allow = [\"read-file\"], rounds = 5 }}\n{more}\
             options = {{ max_tokens = 100 }}\n+++\nout <= ( switch <= ( w => send ) ) <= in\n"
        )
    };
    let dir = project(&fake, &program("context = \"600t\"\n"));
    for (name, letter) in [("a.txt", "A"), ("b.txt", "B"), ("c.txt", "C")] {
        write(dir.path(), name, &letter.repeat(1_500));
    }
    let output = run(&dir, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let asked = fake.asked();
    let told = |nth: usize| asked[nth]["messages"].to_string();
    assert!(told(1).contains("AAAA") && !told(1).contains("[cut"), "{}", told(1));
    assert!(!told(2).contains("AAAA") && told(2).contains("BBBB"), "{}", told(2));
    assert!(told(2).contains("[cut: 1 earlier result, of read-file]"), "{}", told(2));
    assert!(told(3).contains("[cut: 2 earlier results, of read-file]") && told(3).contains("the input"), "{}", told(3));
    assert!(told(3).contains(&"C".repeat(1_500)) && !told(3).contains("BBBB"), "{}", told(3));
    let roles = asked[3]["messages"].as_array().into_iter().flatten().filter_map(|one| one["role"].as_str());
    assert_eq!(roles.collect::<Vec<_>>(), ["system", "user", "assistant", "tool"]);
    // The worst case is bounded with it, and is not without.
    let cost = |dir: &tempfile::TempDir| json(&aivm(dir.path(), &["cost", "p.aivm", "--json"]));
    let bounded = cost(&dir);
    let tokens = bounded["total"]["tokens"].as_u64().unwrap_or_else(|| panic!("{bounded}"));
    // Five asks, each twice with 600 and 100 tokens and what is said of the tool.
    assert!(tokens > 5 * 2 * (600 + 100) && tokens < 5 * 2 * 2_500, "{bounded}");
    assert!(cost(&project(&fake, &program("")))["total"]["tokens"].is_null());
}

#[test]
fn pipelines_and_other_models_are_tools_too() {
    let fake = Fake::new(vec![
        Reply::Wants("shout", json!({ "input": "hello" })),
        Reply::Wants("expert", json!({ "input": "why?" })),
        text("because"),
        text("HELLO, because"),
    ]);
    let program = "+++\n[worker.upper]\nrun = \"tr a-z A-Z\"\neffect = \"pure\"\n\
        [worker.expert]\nprompt = \"You know.\"\nmodel = \"a/m\"\nabout = \"Knows why.\"\n\
        [worker.w]\nprompt = \"x\"\nmodel = \"a/m\"\ntools = [\"shout\", \"expert\"]\n+++\n\
        shout <= ( switch <= ( upper => send ) )\n\
        out <= ( switch <= ( w => send ) ) <= in\n";
    let dir = project(&fake, program);
    let output = run(&dir, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(json(&output)["output"]["text"], "HELLO, because");
    let asked = fake.asked();
    assert_eq!(asked[1]["messages"][3]["content"], "HELLO");
    assert_eq!(asked[2]["messages"][1]["content"], "why?");
    assert_eq!(asked[3]["messages"][5]["content"], "because");
}

#[test]
fn a_loop_that_was_killed_goes_on_where_it_was() {
    let fake = Fake::new(vec![written("a.txt", "one"), Reply::Wants("slow", json!({ "input": "x" })), text("done")]);
    let program = "+++\n[worker.slow]\nrun = \"echo ran >> ran; test -e go || kill -9 $PPID; cat\"\neffect = \"idempotent\"\n\
        [worker.w]\nprompt = \"x\"\nmodel = \"a/m\"\ntools = [\"write-file\", \"slow\"]\n+++\n\
        out <= ( switch <= ( w => send ) ) <= in\n";
    let dir = project(&fake, program);
    let output = run(&dir, &["--id", "one"]);
    assert_eq!(output.status.code(), None, "killed: {}", stderr(&output));
    write(dir.path(), "go", "");
    let output = aivm(dir.path(), &["resume", "one", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(json(&output)["output"]["text"], "done");
    // The model was asked for nothing twice.
    assert_eq!(fake.asked().len(), 3);
    assert_eq!(std::fs::read_to_string(dir.path().join("ran")).expect("ran").lines().count(), 2);
}

#[test]
fn a_recorded_loop_is_played_without_a_server() {
    let fake = Fake::new(vec![Reply::Wants("count", json!({ "input": "a b c" })), text("three")]);
    let program = "+++\n[worker.w]\nprompt = \"x\"\nmodel = \"a/m\"\ntools = [\"count\"]\n+++\n\
        out <= ( switch <= ( w => send ) ) <= in\n";
    let dir = project(&fake, program);
    assert_eq!(run(&dir, &["--record", "c.jsonl"]).status.code(), Some(0));
    let output = run(&dir, &["--replay", "c.jsonl"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!((json(&output)["output"]["text"].as_str(), fake.asked().len()), (Some("three"), 2));
}

#[test]
fn a_fork_takes_over_all_that_a_loop_has_answered() {
    let fake = Fake::new(vec![
        written("a.txt", "one"),
        Reply::Wants("read-file", json!({ "path": "a.txt" })),
        text(r#"{"verdict": "fine", "output": "done"}"#),
    ]);
    let dir = project(&fake, WRITER);
    assert_eq!(run(&dir, &["--id", "first"]).status.code(), Some(0));
    let forked = aivm(dir.path(), &["fork", "first", "--at", "switch.1/writer#1/ask/writer#3", "--json"]);
    assert_eq!(forked.status.code(), Some(0), "{}", stderr(&forked));
    assert_eq!(fake.asked().len(), 4, "only the last question is asked again");
}

#[test]
fn a_mock_of_a_model_with_tools_passes_on_what_came_in() {
    let fake = Fake::new(vec![text("x")]);
    let dir = project(&fake, &WRITER.replace("default => cancel", "default => send"));
    let report = json(&run(&dir, &["--mock"]));
    assert_eq!((report["output"]["text"].as_str(), fake.asked().len()), (Some("the input"), 0), "{report}");
}

#[test]
fn what_cannot_be_a_tool_is_told_when_the_program_is_checked() {
    let fake = Fake::new(vec![text("x")]);
    for (worker, says) in [
        ("[worker.t]\nhuman = \"May it?\"\n", "a person decides"),
        ("[worker.t]\nprompt = \"x\"\nmodel = \"a/m\"\ntools = [\"count\"]\n", "tools of its own"),
        ("", "nothing is called `t`"),
    ] {
        let program = format!(
            "+++\n{worker}[worker.w]\nprompt = \"x\"\nmodel = \"a/m\"\ntools = [\"t\"]\n+++\nout <= ( switch <= ( w => send ) ) <= in\n"
        );
        let output = aivm(project(&fake, &program).path(), &["check", "p.aivm"]);
        assert!(output.status.code() == Some(2) && stderr(&output).contains(says), "{}", stderr(&output));
    }
    let dir = project(
        &fake,
        "+++\n[worker.w]\nprompt = \"x\"\nmodel = \"a/m\"\ntools = [\"sub\"]\n+++\nout <= ( switch <= ( w => send ) ) <= in\n",
    );
    write(dir.path(), "sub.aivm", "out <= ( switch <= ( nobody => send ) ) <= in\n");
    let output = aivm(dir.path(), &["check", "p.aivm"]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("E0209"), "{}", stderr(&output));
}

#[test]
fn a_built_in_with_settings_of_its_own_is_offered_as_what_it_is() {
    let fake = Fake::new(vec![Reply::Wants("put", json!({ "path": "a.txt", "content": "one" })), text("done")]);
    let program = "+++\n[worker.put]\nbuiltin = \"write-file\"\nwith = { within = \"out\" }\n\
        [worker.w]\nprompt = \"x\"\nmodel = \"a/m\"\ntools = [\"put\"]\n+++\nout <= ( switch <= ( w => send ) ) <= in\n";
    let dir = project(&fake, program);
    let output = run(&dir, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(dir.path().join("out/a.txt")).expect("written"), "one");
    let offered = &fake.asked()[0]["tools"][0]["function"];
    assert!(offered["description"].as_str().is_some_and(|about| about.starts_with("Writes a text")), "{offered}");
}

#[test]
fn a_pipeline_that_was_cancelled_is_not_told_as_done() {
    let fake = Fake::new(vec![Reply::Wants("sub", json!({ "input": "delete all" })), text("done")]);
    let program = "+++\n[worker.no]\nmock = [\"cancel\"]\n[worker.w]\nprompt = \"x\"\nmodel = \"a/m\"\ntools = [\"sub\"]\n+++\n\
        sub <= ( switch <= ( no => send | cancel ) )\nout <= ( switch <= ( w => send ) ) <= in\n";
    let dir = project(&fake, program);
    assert_eq!(run(&dir, &[]).status.code(), Some(0));
    let told = &fake.asked()[1]["messages"][3]["content"];
    assert!(told.as_str().is_some_and(|told| told.starts_with("nothing came of it")), "{told}");
}
