//! Where workers come from: agents, definitions of other programs; and what is known of them.

use super::*;

const AGENT: &str =
    "---\nname: reviewer\ndescription: Reviews code.\ntools: Read, Grep\nmodel: sonnet\n---\n\nYou review.\n";

const DEFINITIONS: &str = r#"[
    {"name": "GPT 4o.mini", "provider": "openai", "model_name": "gpt-4o-mini", "base_config": {"temperature": 0.5},
     "auth": {"method": "env_var", "value": "CORP_KEY"}, "cost_metrics": {"input_tokens_usd_per_1k": 0.001},
     "tool_allowlist": ["tool.ReadFile"]},
    {"name": "off", "provider": "openai", "modelName": "x", "status": "disabled"},
    {"name": "broken", "provider": "openai"}
]"#;

fn show(dir: &Path, word: &str) -> Value {
    json(&aivm(dir, &["worker", "show", word, "--json"]))
}

#[test]
fn an_agent_of_the_project_is_a_worker() {
    let dir = folder();
    write(dir.path(), "aivm.toml", "[models.alias]\nsonnet = \"anthropic/claude-sonnet-4-5\"\n");
    write(dir.path(), ".claude/agents/reviewer.md", AGENT);
    write(dir.path(), "workers/own.md", &AGENT.replace("sonnet", "haiku"));
    let shown = show(dir.path(), "reviewer");
    assert_eq!(shown["definition"]["model"], "anthropic/claude-sonnet-4-5", "{shown}");
    assert_eq!(shown["notes"], serde_json::json!(["tools that it is not given: Read, Grep"]));
    let own = show(dir.path(), "own");
    assert!(own["definition"]["model"].is_null(), "an unknown alias is the configured model: {own}");
    assert_eq!(own["notes"].as_array().map(Vec::len), Some(3), "{own}");
    let told = aivm(dir.path(), &["worker", "show", "reviewer"]);
    assert!(String::from_utf8_lossy(&told.stdout).contains("tools that it is not given: Read, Grep"));
    // From a folder below, with `workers/` before it.
    write(dir.path(), "sub/p.aivm", "out <= ( switch <= ( reviewer => send ) ) <= in\n");
    assert_eq!(aivm(&dir.path().join("sub"), &["check", "p.aivm"]).status.code(), Some(0));
    write(dir.path(), "workers/reviewer.md", "+++\nrun = \"cat\"\n+++\n");
    assert_eq!(show(dir.path(), "reviewer")["kind"], "command");
}

#[test]
fn definitions_of_another_program_are_found_and_the_wrong_ones_told_of() {
    let dir = folder();
    write(dir.path(), "aivm.toml", "");
    write(dir.path(), "ai_worker_definitions.json", DEFINITIONS);
    let shown = show(dir.path(), "gpt-4o-mini");
    assert_eq!(shown["definition"]["model"], "openai/gpt-4o-mini", "{shown}");
    assert_eq!(shown["definition"]["options"]["temperature"], 0.5);
    for (word, reason) in
        [("off", "is disabled, not active"), ("broken", "aiWorkerDefinitions[2] `broken`: it has no `model_name`")]
    {
        let output = aivm(dir.path(), &["worker", "show", word]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(reason), "{word}: {}", stderr(&output));
    }
    let listed = aivm(dir.path(), &["worker", "ls"]);
    assert!(
        stderr(&listed).contains("not loaded: ") && stderr(&listed).contains("[2] `broken`"),
        "{}",
        stderr(&listed)
    );
    // The key that the file names is the one that is missing.
    write(dir.path(), "p.aivm", "out <= ( switch <= ( gpt-4o-mini => send ) ) <= in\n");
    let mut run = command(dir.path(), &["run", "p.aivm", "--in", "x"]);
    let failed = run.env_remove("CORP_KEY").output().expect("aivm runs");
    if cfg!(feature = "models") {
        assert!(stderr(&failed).contains("CORP_KEY"), "{}", stderr(&failed));
    }
}

#[test]
fn an_import_writes_all_or_nothing_and_over_nothing() {
    let dir = folder();
    write(dir.path(), "defs.json", DEFINITIONS);
    let there = |name: &str| dir.path().join(name).exists();
    let strict = aivm(dir.path(), &["worker", "import", "defs.json", "--policy", "FailFastOnError"]);
    assert_eq!(strict.status.code(), Some(2));
    assert!(stderr(&strict).contains("error[E0922]") && stderr(&strict).contains("`broken`"), "{}", stderr(&strict));
    assert!(!there("workers"));
    let dry = aivm(dir.path(), &["worker", "import", "defs.json", "--dry-run"]);
    assert_eq!(dry.status.code(), Some(1), "what the import ends with");
    for said in
        ["would not be loaded: aiWorkerDefinitions[2]", "`off` is disabled: it would not be", "for aivm.toml:", "E0990"]
    {
        assert!(stderr(&dry).contains(said), "{said}: {}", stderr(&dry));
    }
    assert!(stdout(&dry).contains("would write workers/gpt-4o-mini.md") && !stdout(&dry).contains("off"));
    assert!(!there("workers"));
    let dry = json(&aivm(dir.path(), &["worker", "import", "defs.json", "--dry-run", "--json"]));
    let imported = aivm(dir.path(), &["worker", "import", "defs.json", "--json"]);
    assert_eq!(imported.status.code(), Some(1), "not all were imported");
    let imported = json(&imported);
    assert_eq!((&dry["would_write"], &dry["wrong"]), (&imported["written"], &imported["wrong"]), "{dry}");
    assert_eq!((dry["workers"].as_array().map(Vec::len), &dry["settings"]), (Some(1), &imported["settings"]));
    assert_eq!(imported["written"], serde_json::json!(["workers/gpt-4o-mini.md"]), "{imported}");
    assert_eq!(imported["wrong"][0]["at"], "aiWorkerDefinitions[2]");
    let settings = imported["settings"].as_str().expect("settings");
    assert!(settings.contains("key = \"CORP_KEY\"") && settings.contains("input = \"$1.00\""), "{settings}");
    assert_eq!(show(dir.path(), "gpt-4o-mini")["definition"]["model"], "openai/gpt-4o-mini");
    write(dir.path(), "workers/gpt-4o-mini.md", "mine");
    let again = aivm(dir.path(), &["worker", "import", "defs.json"]);
    assert!(stderr(&again).contains("error[E0923]"), "{}", stderr(&again));
    assert_eq!(std::fs::read_to_string(dir.path().join("workers/gpt-4o-mini.md")).expect("a file"), "mine");
    let dry = aivm(dir.path(), &["worker", "import", "defs.json", "--dry-run"]);
    assert!(
        dry.status.code() == Some(2) && stderr(&dry).contains("is there already: nothing would"),
        "{}",
        stderr(&dry)
    );
    assert_eq!(aivm(dir.path(), &["worker", "import", "defs.json", "--force"]).status.code(), Some(1));
    assert_eq!(show(dir.path(), "gpt-4o-mini")["kind"], "model");
    write(dir.path(), "agent.md", AGENT);
    assert_eq!(aivm(dir.path(), &["worker", "import", "agent.md"]).status.code(), Some(0));
    assert_eq!(show(dir.path(), "reviewer")["definition"]["prompt"], "You review.");
}

#[test]
fn a_reload_is_all_or_nothing_and_shows_what_changed() {
    let dir = folder();
    write(dir.path(), "workers/a.toml", "run = \"cat\"\n");
    write(dir.path(), "workers/b.toml", "run = \"cat\"\n");
    let first = json(&aivm(dir.path(), &["worker", "reload", "--json"]));
    assert_eq!(first["new"], serde_json::json!(["a", "b"]), "{first}");
    let changes = || json(&aivm(dir.path(), &["worker", "ls", "--json"]))["changes"].clone();
    assert_eq!(changes(), serde_json::json!([]));
    write(dir.path(), "workers/a.toml", "run = \"tac\"\n");
    write(dir.path(), "workers/b.toml", "rum = \"cat\"\n");
    write(dir.path(), "workers/c.toml", "builtin = \"no-such\"\n");
    let wrong = aivm(dir.path(), &["worker", "reload"]);
    assert_eq!(wrong.status.code(), Some(2));
    for said in ["error[E0921]", "b.toml", "c: ", "no-such"] {
        assert!(stderr(&wrong).contains(said), "{said}: {}", stderr(&wrong));
    }
    std::fs::remove_file(dir.path().join("workers/b.toml")).expect("a file");
    std::fs::remove_file(dir.path().join("workers/c.toml")).expect("a file");
    let changed = serde_json::json!([{"word": "a", "change": "changed"}, {"word": "b", "change": "gone"}]);
    assert_eq!(changes(), changed, "what was wrong was not noted");
    assert_eq!(aivm(dir.path(), &["worker", "reload"]).status.code(), Some(0));
    assert_eq!(changes(), serde_json::json!([]));
}

#[test]
fn what_is_disabled_is_no_error_of_a_reload() {
    let dir = folder();
    write(dir.path(), "aivm.toml", "");
    write(
        dir.path(),
        "ai_worker_definitions.json",
        &DEFINITIONS.replace("\"provider\": \"openai\"}", "\"provider\": \"openai\", \"model_name\": \"y\"}"),
    );
    let reloaded = aivm(dir.path(), &["worker", "reload"]);
    assert_eq!(reloaded.status.code(), Some(0), "{}", stderr(&reloaded));
    assert!(stderr(&reloaded).contains("`off` is disabled: no program can call it"), "{}", stderr(&reloaded));
    let listed = stdout(&aivm(dir.path(), &["worker", "ls"]));
    assert!(listed.contains("gpt-4o-mini") && !listed.contains("error"), "{listed}");
    // What is wrong beside it still is.
    write(dir.path(), "workers/off.toml", "rum = \"cat\"\n");
    assert!(stderr(&aivm(dir.path(), &["worker", "reload"])).contains("error[E0921]"));
}

#[test]
fn a_file_that_hides_the_worker_of_its_name_is_told_of() {
    let dir = folder();
    write(dir.path(), "triage.aivm", "out <= ( switch <= ( triage => send ) ) <= in\n");
    let help = "there is one in workers/triage.toml: rename one of the two";
    let checked = || stderr(&aivm(dir.path(), &["check", "triage.aivm"])).replace("\n   │       ", "");
    assert!(checked().contains("[E0206]") && !checked().contains("rename one"), "{}", checked());
    write(dir.path(), "workers/triage.toml", "run = \"cat\"\n");
    assert!(checked().contains("[E0206]") && checked().contains(help), "{}", checked());
}

#[test]
fn a_worker_is_tried_alone() {
    let dir = folder();
    write(dir.path(), "workers/shout.toml", "run = \"tr a-z A-Z\"\n");
    write(dir.path(), "workers/judge.toml", "mock = [\"good\"]\n");
    let tried = json(&aivm(dir.path(), &["worker", "try", "shout", "--in", "hello", "--json"]));
    assert_eq!((&tried["status"], &tried["output"]["text"]), (&"sent".into(), &"HELLO".into()), "{tried}");
    assert_eq!(tried["steps"].as_array().map(Vec::len), Some(1));
    let judged = json(&aivm(dir.path(), &["worker", "try", "judge", "--words", "good,bad", "--in", "x", "--json"]));
    assert_eq!((&judged["status"], &judged["steps"][0]["verdict"]), (&"sent".into(), &"good".into()), "{judged}");
    assert!(!dir.path().join(".aivm").exists(), "nothing is kept");
    write(dir.path(), "p.aivm", "+++\n[worker.own]\nmock = []\n+++\nout <= ( switch <= ( own => send ) ) <= in\n");
    for args in
        [["worker", "show", "own"], ["worker", "try", "own"], ["worker", "show", "owm"], ["worker", "try", "shuot"]]
    {
        let output = aivm(dir.path(), &args);
        let says = match args[2] {
            "own" => "the front matter of p.aivm, and that program's own: move it to workers/own.md",
            "owm" => "",
            _ => "did you mean `shout`?",
        };
        assert!(stderr(&output).contains("error[E0201]") && stderr(&output).contains(says), "{}", stderr(&output));
        assert_eq!(output.status.code(), Some(2));
    }
    for args in [["shout", "--words", "in"], ["a b", "--words", "x"]] {
        let output = aivm(dir.path(), &[&["worker", "try"], &args[..]].concat());
        assert!(stderr(&output).contains("error[E0925]"), "{}", stderr(&output));
    }
}

#[cfg(feature = "store")]
#[test]
fn the_journals_tell_how_workers_do() {
    let dir = folder();
    write(dir.path(), "p.aivm", SHOUT);
    write(
        dir.path(),
        "f.aivm",
        "+++\n[worker.shout]\nrun = \"exit 3\"\n+++\nout <= ( switch <= ( shout => send ) ) <= in\n",
    );
    for (file, code) in [("p.aivm", 0), ("p.aivm", 0), ("f.aivm", 1)] {
        assert_eq!(aivm(dir.path(), &["run", file, "--in", "x"]).status.code(), Some(code), "{file}");
    }
    let stats = json(&aivm(dir.path(), &["worker", "stats", "shout", "--json"]));
    let shout = &stats["workers"][0];
    let count = |key: &str| shout[key].as_u64();
    assert_eq!(
        (count("total_tasks_attempted"), count("successful_tasks"), count("failed_tasks")),
        (Some(3), Some(2), Some(1)),
        "{stats}"
    );
    assert!((shout["average_success_rate"].as_f64().expect("a rate") - 2.0 / 3.0).abs() < 1e-9);
    assert!(shout["p95_duration_ms"].as_f64() >= shout["average_duration_ms"].as_f64());
    let table = aivm(dir.path(), &["worker", "stats"]);
    let table = String::from_utf8_lossy(&table.stdout);
    assert!(table.lines().any(|line| line.starts_with("shout") && line.contains("67 %")), "{table}");
    let other = json(&aivm(dir.path(), &["worker", "stats", "nobody", "--json"]));
    assert_eq!(other["workers"], serde_json::json!([]));
}

#[test]
fn settings_that_are_not_those_of_the_runs_are_named() {
    let dir = folder();
    write(dir.path(), "inner/aivm.toml", "[provider.corp]\nurl = \"http://127.0.0.1:1/v1\"\n[limits]\ncount = 3\n");
    write(dir.path(), "inner/p.aivm", "out <= ( switch <= ( clean => send ) ) <= in\n");
    let told = |at: &Path, file: &str, more: &[&str]| {
        let output = aivm(at, &[&["run", file, "--in", "x"], more].concat());
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let outside = told(dir.path(), "inner/p.aivm", &[]);
    assert!(outside.contains("not used here: [provider] of"), "{outside}");
    assert!(outside.contains("their settings come from no aivm.toml"), "{outside}");
    assert!(!told(dir.path(), "inner/p.aivm", &["-q"]).contains("not used"));
    assert!(!told(&dir.path().join("inner"), "p.aivm", &[]).contains("not used"), "its folder is a project of its own");
    write(dir.path(), "aivm.toml", "");
    assert!(told(dir.path(), "inner/p.aivm", &[]).contains("come from /"));
}
