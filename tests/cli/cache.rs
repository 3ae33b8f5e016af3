//! Cached calls: the same question is asked once, and whoever is answered from before is told so.

use super::*;

/// Each call of `ask` leaves a line in `log`.
const PROGRAM: &str = "+++\n[worker.ask]\nrun = \"echo x >> \\\"$AIVM_STEP_WITH_LOG\\\"; cat; echo answer\"\neffect = \"read\"\ncache = \"7d\"\n\
    sandbox = \"none\"\nwith = { log = \"LOG\" }\n+++\nout <= ( switch[s] <= ( ask => send | cancel ) ) <= in\n";

struct Project(tempfile::TempDir);

impl Project {
    fn new(change: impl Fn(&str) -> String) -> Project {
        let project = Project(folder());
        write(project.0.path(), "aivm.toml", "[sandbox]\nopt_out = true\n");
        project.program(change);
        project
    }

    fn program(&self, change: impl Fn(&str) -> String) {
        let log = self.0.path().join("log").display().to_string();
        write(self.0.path(), "p.aivm", &change(PROGRAM).replace("LOG", &log));
    }

    fn asked(&self) -> usize {
        std::fs::read_to_string(self.0.path().join("log")).unwrap_or_default().lines().count()
    }

    fn run(&self, more: &[&str]) -> Value {
        let own = more.contains(&"--in");
        let input = if own { &[][..] } else { &["--in", "in"] };
        let output = aivm(self.0.path(), &[&["run", "p.aivm", "--json"], input, more].concat());
        let report = json(&output);
        assert!(report["run"].is_string(), "{report}");
        report
    }
}

fn as_it_is(program: &str) -> String {
    program.to_owned()
}

#[test]
fn the_same_question_is_asked_once_and_the_answer_says_so() {
    let project = Project::new(as_it_is);
    let first = project.run(&[]);
    assert_eq!((first["status"].as_str(), project.asked()), (Some("sent"), 1), "{first}");
    assert_eq!(first["steps"][0].get("cached"), None, "{first}");
    let second = project.run(&[]);
    assert_eq!(project.asked(), 1);
    assert_eq!(second["output"]["text"], first["output"]["text"]);
    let step = &second["steps"][0];
    assert_eq!((&step["cached"], &step["cached_from"]), (&true.into(), &first["run"]), "{step}");
    assert_eq!((step.get("tokens"), step.get("cost_usd")), (None, None));
    // Whoever is answered from the cache is not whom others are told of.
    assert_eq!(project.run(&[])["steps"][0]["cached_from"], first["run"]);
    // Also who only looks.
    let (dir, run) = (project.0.path(), second["run"].as_str().expect("a run"));
    let name = first["run"].as_str().expect("a run");
    assert_eq!(json(&aivm(dir, &["show", run, "--json"]))["steps"][0]["cached_from"], first["run"]);
    assert!(stdout(&aivm(dir, &["show", run])).contains(&format!("cached: answered as in the run {name}")));
    let why = stdout(&aivm(dir, &["why", run, "s/ask#1"]));
    assert!(why.contains("cached") && why.contains(name), "{why}");
    assert!(stderr(&aivm(dir, &["run", "p.aivm", "--in", "in"])).contains("cached"));
    // The value is the run's own.
    assert!(aivm(dir, &["verify", run]).status.success());
    let lineage =
        json(&aivm(dir, &["artifact", "lineage", second["output"]["checksum"].as_str().expect("it"), "--json"]));
    assert_eq!(lineage["lineage"].as_array().map(Vec::len), Some(2), "{lineage}");
}

#[test]
fn another_question_is_asked() {
    let project = Project::new(as_it_is);
    project.run(&[]);
    project.run(&["--in", "other"]);
    assert_eq!(project.asked(), 2, "another input");
    project.run(&["--type", "text/csv"]);
    assert_eq!(project.asked(), 3, "another type");
    project.run(&["--param", "a=b"]);
    assert_eq!(project.asked(), 4, "a parameter");
    let more: [fn(&str) -> String; 3] = [
        |text| text.replace("echo answer", "echo 'another answer'"),
        |text| text.replace("| cancel )", "|| back | cancel )"),
        |text| {
            text.replace("( ask =>", "( ask<short> =>")
                .replace("[worker.ask]", "[behaviour.short]\nwith = { a = 1 }\n[worker.ask]")
        },
    ];
    for (at, change) in more.into_iter().enumerate() {
        project.program(change);
        assert_eq!(project.run(&[])["status"], "sent");
        assert_eq!(project.asked(), 5 + at, "a definition, a list of words, a behaviour");
    }
    // What nobody asks is no part of it.
    project.program(|text| text.replace("effect =", "about = \"It asks.\"\ntimeout = \"9s\"\neffect ="));
    assert_eq!(project.run(&[])["steps"][0]["cached"], true);
    project.run(&["--no-cache"]);
    assert_eq!(project.asked(), 8, "asked anew");
    project.run(&["--ephemeral"]);
    assert_eq!(project.asked(), 9, "nothing is kept, and nothing of what is kept is used");
    project.run(&["--record", "c.jsonl"]);
    assert_eq!(project.asked(), 10, "a recording has every call");
    assert_eq!(project.run(&["--replay", "c.jsonl"])["steps"][0].get("cached"), None);
}

#[test]
fn an_answer_holds_as_long_as_the_worker_says_and_goes_by_gc() {
    let project = Project::new(|text| text.replace("7d", "1ms"));
    project.run(&[]);
    project.run(&[]);
    assert_eq!(project.asked(), 2);
    // Who waits longer takes it, and it is his answer that is refreshed by `--no-cache`.
    project.program(as_it_is);
    let fresh = project.run(&["--no-cache"]);
    assert_eq!(project.run(&[])["steps"][0]["cached_from"], fresh["run"]);
    let answers = || {
        let database = rusqlite::Connection::open(project.0.path().join(".aivm/store.db")).expect("a store");
        database.query_row("SELECT count(*) FROM answer", [], |row| row.get::<_, i64>(0)).expect("a number")
    };
    assert_eq!(answers(), 1, "the same question");
    assert!(aivm(project.0.path(), &["gc"]).status.success());
    assert_eq!(answers(), 1);
    project.program(|text| text.replace("7d", "1ms").replace("echo answer", "echo old"));
    project.run(&[]);
    assert_eq!(answers(), 2);
    assert!(aivm(project.0.path(), &["gc", "--dry-run"]).status.success());
    assert_eq!(answers(), 2);
    assert!(aivm(project.0.path(), &["gc"]).status.success());
    assert_eq!(answers(), 1);
}

#[test]
fn a_failure_is_not_kept() {
    let project = Project::new(|text| text.replace("echo answer", "exit 1"));
    assert_ne!(project.run(&[])["status"], "sent");
    assert_ne!(project.run(&[])["status"], "sent");
    assert_eq!(project.asked(), 2);
    // Nor a word that no step hears.
    project.program(|text| text.replace("echo answer", "echo other > $AIVM_STEP_VERDICT"));
    assert_ne!(project.run(&[])["status"], "sent");
    assert_ne!(project.run(&[])["status"], "sent");
    assert_eq!(project.asked(), 4);
    // A word that it hears is kept with the answer.
    project.program(|text| text.replace("echo answer", "echo cancel > $AIVM_STEP_VERDICT"));
    assert_eq!(project.run(&[])["status"], "cancelled");
    let second = project.run(&[]);
    assert_eq!((second["status"].as_str(), project.asked()), (Some("cancelled"), 5));
    assert_eq!((&second["steps"][0]["verdict"], &second["steps"][0]["cached"]), (&"cancel".into(), &true.into()));
}

#[test]
fn values_and_answers_outlive_the_run_that_asked() {
    let project = Project::new(as_it_is);
    let dir = project.0.path();
    let large = "x".repeat(100_000);
    write(dir, "in.txt", &large);
    let first = project.run(&["--in", "@in.txt"]);
    let second = project.run(&["--in", "@in.txt"]);
    assert_eq!(second["steps"][0]["cached"], true);
    let gone = first["run"].as_str().expect("a run");
    assert!(aivm(dir, &["gc", "--run", gone]).status.success());
    let run = second["run"].as_str().expect("a run");
    assert!(aivm(dir, &["verify", run]).status.success());
    let text = aivm(dir, &["artifact", "cat", second["output"]["checksum"].as_str().expect("it")]).stdout;
    assert!(text.starts_with(b"xxx") && text.ends_with(b"answer\n") && text.len() > large.len());
    assert_eq!(project.run(&["--in", "@in.txt"])["steps"][0]["cached_from"], first["run"]);
    assert_eq!(project.asked(), 1);
}

#[test]
fn runs_at_once_share_what_is_there() {
    let project = Project::new(as_it_is);
    let first = project.run(&[]);
    let children: Vec<_> = (0..6)
        .map(|_| {
            let args = ["run", "p.aivm", "--json", "--in", "in"];
            command(project.0.path(), &args).stdout(Stdio::piped()).spawn().expect("aivm runs")
        })
        .collect();
    for child in children {
        let report = json(&child.wait_with_output().expect("it ends"));
        assert_eq!(report["steps"][0]["cached_from"], first["run"], "{report}");
    }
    assert_eq!(project.asked(), 1);
    // Those that ask at the same time do so, and one of them is heard later.
    project.program(|text| text.replace("echo answer", "echo answers"));
    let children: Vec<_> = (0..4)
        .map(|_| {
            let args = ["run", "p.aivm", "--json", "--in", "in"];
            command(project.0.path(), &args).stdout(Stdio::piped()).spawn().expect("aivm runs")
        })
        .collect();
    for child in children {
        assert_eq!(json(&child.wait_with_output().expect("it ends"))["status"], "sent");
    }
    assert_eq!(project.run(&[])["steps"][0]["cached"], true);
}

#[test]
fn only_what_changes_nothing_is_cached() {
    for (definition, told) in [
        ("run = \"true\"\ncache = \"1d\"", "does not say so: add `effect = \"read\"`"),
        ("run = \"true\"\neffect = \"irreversible\"\ncache = \"1d\"", "this worker is `irreversible`"),
        ("run = \"true\"\neffect = \"idempotent\"\ncache = \"1d\"", "this worker is `idempotent`"),
        ("builtin = \"clean\"\ncache = \"1d\"", "of built-ins"),
        ("human = \"ok?\"\ncache = \"1d\"", "of people"),
        ("mock = []\ncache = \"1d\"", "of mocks"),
    ] {
        let dir = folder();
        write(
            dir.path(),
            "p.aivm",
            &format!("+++\n[worker.w]\n{definition}\n+++\nout <= ( switch <= ( w => send ) ) <= in\n"),
        );
        let output = aivm(dir.path(), &["check", "p.aivm"]);
        assert_eq!(output.status.code(), Some(2), "{definition}");
        let text = stderr(&output).replace('\n', " ");
        assert!(text.contains("E0975") && text.contains(told), "{definition}: {text}");
    }
}

#[cfg(feature = "models")]
#[test]
fn a_model_is_asked_once_until_another_is_configured() {
    use super::fake::{Fake, text};
    let fake = Fake::new(vec![text("said")]);
    let dir = folder();
    write(
        dir.path(),
        "aivm.toml",
        &format!("[provider.a]\nurl = \"{}\"\n[price.\"a/*\"]\ninput = \"$1\"\noutput = \"$2\"\n", fake.url),
    );
    write(
        dir.path(),
        "p.aivm",
        "+++\n[worker.w]\nprompt = \"Say it.\"\ncache = \"1h\"\n+++\nout <= ( switch[s] <= ( w => send ) ) <= in\n",
    );
    let run = |model: &str| {
        let output = command(dir.path(), &["run", "p.aivm", "--in", "x", "--json"]).env("AIVM_MODEL", model).output();
        json(&output.expect("aivm runs"))
    };
    assert!(run("a/m")["totals"]["cost_usd"].as_f64().is_some_and(|cost| cost > 0.0));
    let second = run("a/m");
    assert_eq!((&second["steps"][0]["cached"], &second["totals"]["cost_usd"]), (&true.into(), &0.0.into()), "{second}");
    assert_eq!((second["output"]["text"].as_str(), fake.asked().len()), (Some("said"), 1));
    assert_eq!(run("a/n")["steps"][0].get("cached"), None);
    assert_eq!(fake.asked().len(), 2);
}

#[test]
fn what_is_answered_from_before_is_no_call_of_the_worker() {
    let project = Project::new(as_it_is);
    (0..3).for_each(|_| drop(project.run(&[])));
    let dir = project.0.path();
    let counts = || {
        let stats = json(&aivm(dir, &["worker", "stats", "ask", "--json"]));
        let ask = &stats["workers"][0];
        ["total_tasks_attempted", "successful_tasks", "cached_tasks"].map(|key| ask[key].as_u64().unwrap_or(u64::MAX))
    };
    assert_eq!(counts(), [1, 1, 2]);
    let records = json(&aivm(dir, &["worker", "stats", "--records", "--json"]));
    let cached = records["records"].as_array().into_iter().flatten().filter(|record| record["cached"] == true);
    assert_eq!(cached.count(), 2, "{records}");
    // Also of runs that are gone.
    let gone = aivm(dir, &["gc", "--keep", "0"]);
    assert_eq!(gone.status.code(), Some(0), "{}", stderr(&gone));
    assert_eq!(json(&aivm(dir, &["runs", "--json"]))["runs"], serde_json::json!([]));
    assert_eq!(counts(), [1, 1, 2]);
}
