//! Looking at runs: what ran, how, why, and where two runs part.

use super::{SHOUT, aivm, command, folder, json, stderr, write};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

/// A definition in a fan-out, a retry, an undo, a loop that uses its count up, an ending that is caught.
const ALL: &str = "+++
[worker.list]
mock = [{ output = '[\"x\", \"y\"]', type = \"application/json\" }]
[worker.flaky]
mock = [{ fail = \"once\" }, {}]
[worker.make]
mock = [{ output = \"made\" }]
[worker.unmake]
mock = [{}]
[worker.judge]
mock = [\"back\"]
[worker.rest]
mock = [{ output = \"the rest\" }]
+++
each <= ( switch <= ( clean => next  flaky => send | retry ) )
out <= (
    switch[fan] <= ( list => next  [each <= fan.list.out.*] => next  make<2> ~ unmake => next  judge => back | continue )
    <= match <= ( success => send  exhausted => out <= switch <= ( rest => send ) )
) <= in
";

fn text(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// Runs a program, and gives the name of its run.
fn ran(folder: &Path, args: &[&str]) -> String {
    let report = json(&aivm(folder, &[&["run", "--json"], args].concat()));
    report["run"].as_str().unwrap_or_else(|| panic!("{report}")).to_owned()
}

/// A run whose command waits as long as the file `hold` is there, and its name.
fn waiting(folder: &Path) -> (Child, String) {
    let program = "+++
[worker.one]
run = \"cat; echo 1\"
[worker.un-one]
run = \"touch undone\"
[worker.two]
run = \"touch waiting; while [ -e hold ]; do sleep 0.02; done; cat; echo 2\"
+++
out <= ( switch <= ( one ~ un-one => next  two => send ) ) <= in
";
    if !folder.join("slow.aivm").exists() {
        write(folder, "slow.aivm", program);
    }
    write(folder, "hold", "");
    let mut run = command(folder, &["run", "slow.aivm", "-q"]).stdout(Stdio::null()).spawn().expect("aivm runs");
    while !folder.join("waiting").exists() {
        assert!(run.try_wait().expect("it can be asked").is_none(), "it has ended already");
        std::thread::sleep(Duration::from_millis(5));
    }
    let runs = json(&aivm(folder, &["runs", "--json", "--most", "1"]));
    (run, runs["runs"][0]["run"].as_str().expect("a name").to_owned())
}

fn killed(folder: &Path) -> String {
    let (mut run, name) = waiting(folder);
    run.kill().expect("it is killed");
    run.wait().expect("it is gone");
    std::fs::remove_file(folder.join("hold")).expect("nothing waits any more");
    name
}

/// The lines without their times, artifacts and runs of spaces.
fn lines(text: &str) -> Vec<String> {
    let is_kept = |word: &&str| {
        let is_time = word.ends_with('s') && word.starts_with(|c: char| c.is_ascii_digit());
        let is_artifact = word.len() == 12 && word.chars().all(|c| c.is_ascii_hexdigit());
        !word.is_empty() && !is_time && !is_artifact
    };
    text.lines().map(|line| line.split(' ').filter(is_kept).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn a_run_is_shown_as_a_tree() {
    let dir = folder();
    write(dir.path(), "p.aivm", ALL);
    let run = ran(dir.path(), &["p.aivm", "--in", "hello"]);
    let shown = text(&aivm(dir.path(), &["show", &run]));
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let seen = lines(&shown);
    assert_eq!(seen[0], format!("run {run}"));
    for line in ["status sent", "input text/plain, 5 B hello", "output text/plain, 8 B the rest"] {
        assert!(seen.iter().any(|seen| seen == line), "{line}: {shown}");
    }
    let tree: Vec<&str> = seen.iter().skip_while(|line| !line.is_empty()).skip(1).map(String::as_str).collect();
    let wanted = [
        "fan",
        "✓ list#1 → next",
        "✓ each#1 → next",
        "✓ [0] → next",
        "switch.1",
        "✓ clean#1 → next",
        "✗ flaky#1 → retry",
        "once",
        "✓ flaky#1 attempt 2 → send",
        "✓ [1] → next",
        "switch.1",
        "✓ clean#1 → next",
        "✓ flaky#1 → send",
        "✓ make#1 → next",
        "↺ judge#1 → back",
        "✓ make#2 → next",
        "✗ judge#2 → exhausted",
        "said back",
        "passed over back",
        "↶ make#2~undo → undone",
        "↶ make#1~undo → undone",
        "match.2/2/switch.1",
        "✓ rest#1 → send",
    ];
    assert_eq!(tree, wanted, "{shown}");
    let arrows: Vec<_> =
        shown.lines().filter_map(|line| line.find(" →").map(|at| line[..at].chars().count())).collect();
    assert!(arrows.windows(2).all(|two| two[0] == two[1]), "one column: {shown}");
}

#[test]
fn show_json_has_what_the_run_reported() {
    let dir = folder();
    write(dir.path(), "p.aivm", ALL);
    let report = json(&aivm(dir.path(), &["run", "p.aivm", "--in", "hello", "--json"]));
    let run = report["run"].as_str().expect("a name");
    let shown = json(&aivm(dir.path(), &["show", &run[..run.len() - 1], "--json"]));
    assert_eq!(shown["status"], "sent");
    assert_eq!(shown["output"]["checksum"], report["output"]["checksum"]);
    let (told, steps) = (report["steps"].as_array().expect("steps"), shown["steps"].as_array().expect("steps"));
    assert_eq!(told.len(), steps.len());
    for (told, step) in told.iter().zip(steps) {
        for key in ["key", "outcome", "attempt", "ms", "artifact", "worker", "rule"] {
            assert_eq!(told[key], step[key], "{key}");
        }
    }
    let undone: Vec<&Value> = steps.iter().filter(|step| step["undo"] == true).map(|step| &step["key"]).collect();
    assert_eq!(undone, ["fan/make#2~undo", "fan/make#1~undo"]);
    assert_eq!(shown["totals"]["calls"], report["totals"]["calls"]);
    assert_eq!(shown["open"].as_array().map(Vec::len), Some(0));
    assert_eq!(aivm(dir.path(), &["show", "nothing"]).status.code(), Some(2));
}

#[test]
fn runs_are_listed_by_status_program_and_age() {
    let dir = folder();
    write(dir.path(), "p.aivm", "out <= ( switch <= ( clean => send ) ) <= in\n");
    write(
        dir.path(),
        "fails.aivm",
        "+++\n[worker.x]\nmock = [{ fail = \"no\" }]\n+++\nout <= ( switch <= ( x => send ) ) <= in\n",
    );
    let sent = ran(dir.path(), &["p.aivm"]);
    let failed = ran(dir.path(), &["fails.aivm"]);
    let parked = ran(dir.path(), &["p.aivm", "--max-calls", "0"]);
    let interrupted = killed(dir.path());
    let listed = |args: &[&str]| {
        let runs = json(&aivm(dir.path(), &[&["runs", "--json"], args].concat()));
        let names =
            runs["runs"].as_array().expect("runs").iter().filter_map(|run| run["run"].as_str().map(str::to_owned));
        names.collect::<Vec<_>>()
    };
    assert_eq!(listed(&[]), [&interrupted, &parked, &failed, &sent].map(String::as_str));
    assert_eq!(listed(&["--status", "failed"]), [failed.as_str()]);
    assert_eq!(listed(&["--status", "running"]), [interrupted.as_str()]);
    assert_eq!(listed(&["--status", "interrupted", "--status", "parked"]), [&interrupted, &parked].map(String::as_str));
    assert_eq!(listed(&["--program", "p"]), [&parked, &sent].map(String::as_str));
    assert_eq!(listed(&["--program", "p.aivm", "--most", "1"]), [parked.as_str()]);
    assert_eq!(listed(&["--since", "1h"]).len(), 4);
    std::thread::sleep(Duration::from_millis(20));
    assert!(listed(&["--since", "1ms"]).is_empty());
    assert_eq!(aivm(dir.path(), &["runs", "--status", "lost"]).status.code(), Some(2));
    let runs = json(&aivm(dir.path(), &["runs", "--json"]));
    assert_eq!((runs["runs"][0]["waits"].as_str(), runs["runs"][1]["waits"].as_str()), (Some("resume"), Some("calls")));
    assert!(runs["runs"][3]["waits"].is_null(), "{runs}");
    let table = text(&aivm(dir.path(), &["runs"]));
    let seen = lines(&table);
    assert!(seen[1].starts_with(&format!("{interrupted} interrupted resume")), "{table}");
    assert!(seen[2].starts_with(&format!("{parked} parked calls")), "{table}");
    let columns: Vec<_> = table.lines().filter_map(|line| line.find("slow.aivm").or(line.find("p.aivm"))).collect();
    assert!(columns.windows(2).all(|two| two[0] == two[1]), "{table}");
    let shown = text(&aivm(dir.path(), &["show", &parked]));
    assert!(shown.contains(&format!("aivm resume {parked} --max-calls")), "{shown}");
}

#[test]
fn what_is_unknown_names_the_line_to_type_and_cancel_undoes() {
    let dir = folder();
    let run = killed(dir.path());
    let shown = text(&aivm(dir.path(), &["show", &run]));
    assert!(lines(&shown).iter().any(|line| line == "… two#1 → interrupted"), "{shown}");
    // Whether the second step happened must be known before anything is undone.
    let asked = aivm(dir.path(), &["cancel", &run]);
    assert_eq!(asked.status.code(), Some(4), "{}", stderr(&asked));
    let shown = text(&aivm(dir.path(), &["show", &run]));
    let settle = format!("aivm settle {run} 'switch.1/two#1' happened|not-happened");
    assert!(shown.contains(&settle), "{shown}");
    assert!(lines(&shown).iter().any(|line| line == "? two#1 → unknown"), "{shown}");
    let report = json(&aivm(dir.path(), &["show", &run, "--json"]));
    assert_eq!(report["open"][0]["way_on"], settle.as_str());
    assert!(!dir.path().join("undone").exists());
    let settled = aivm(dir.path(), &["settle", &run, "switch.1/two#1", "not-happened"]);
    assert_eq!(settled.status.code(), Some(0), "{}", stderr(&settled));
    assert!(dir.path().join("undone").exists());
    let again = aivm(dir.path(), &["cancel", &run]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("E0863"), "{}", stderr(&again));
}

#[test]
fn a_person_who_is_asked_sees_what_to_type() {
    let dir = folder();
    write(
        dir.path(),
        "p.aivm",
        "+++\n[worker.ask]\nhuman = \"ship it?\"\n+++\nout <= ( switch <= ( ask => send | cancel ) ) <= in\n",
    );
    let run = ran(dir.path(), &["p.aivm", "--in", "version 2"]);
    let report = json(&aivm(dir.path(), &["show", &run, "--json"]));
    assert_eq!((&report["waits"], &report["open"][0]["question"]), (&"asked".into(), &"ship it?".into()), "{report}");
    let shown = text(&aivm(dir.path(), &["show", &run]));
    let way_on = report["open"][0]["way_on"].as_str().expect("a line");
    assert!(shown.contains(way_on) && shown.contains("ship it? (send | cancel)"), "{shown}");
    let words: Vec<String> = way_on.replace("OUTCOME", "send").split(' ').map(|word| word.replace('\'', "")).collect();
    let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    assert_eq!(text(&aivm(dir.path(), &words)), "version 2", "the line works as it stands");
    let logs = text(&aivm(dir.path(), &["logs", &run]));
    assert!(logs.contains("asked      switch.1/ask#1") && logs.contains("decided    switch.1/ask#1  send"), "{logs}");
}

#[test]
fn a_run_that_nobody_carries_on_is_cancelled() {
    let dir = folder();
    write(
        dir.path(),
        "p.aivm",
        "+++\n[worker.make]\nrun = \"touch made\"\n[worker.unmake]\nrun = \"rm made\"\n+++\nout <= ( switch <= ( make ~ unmake => next  clean => send ) ) <= in\n",
    );
    let run = ran(dir.path(), &["p.aivm", "--max-calls", "1"]);
    assert!(dir.path().join("made").exists());
    let cancelled = aivm(dir.path(), &["cancel", &run, "--json"]);
    assert_eq!(cancelled.status.code(), Some(0), "it is what was asked for: {}", stderr(&cancelled));
    assert_eq!(json(&cancelled)["status"], "cancelled");
    assert!(!dir.path().join("made").exists(), "what was made is undone");
}

#[test]
fn a_run_under_way_is_shown_and_cancelled_from_outside() {
    let dir = folder();
    let (mut run, name) = waiting(dir.path());
    let runs = json(&aivm(dir.path(), &["runs", "--json"]));
    assert!(runs["runs"][0]["waits"].is_null(), "somebody carries it on: {runs}");
    let shown = text(&aivm(dir.path(), &["show", &name]));
    assert!(lines(&shown).iter().any(|line| line == "… two#1 → under way"), "{shown}");
    let cancelled = aivm(dir.path(), &["cancel", &name, "--json"]);
    assert_eq!(cancelled.status.code(), Some(0), "{}", stderr(&cancelled));
    assert_eq!(json(&cancelled)["status"], "cancelled");
    assert_eq!(run.wait().expect("it ends").code(), Some(1), "it heard");
    assert!(dir.path().join("undone").exists(), "what it did is undone");
}

#[test]
fn logs_tell_the_records_in_order() {
    let dir = folder();
    write(dir.path(), "p.aivm", ALL);
    let run = ran(dir.path(), &["p.aivm"]);
    let records = text(&aivm(dir.path(), &["logs", &run, "--json"]));
    let records: Vec<Value> = records.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    let seqs: Vec<u64> = records.iter().filter_map(|record| record["seq"].as_u64()).collect();
    assert_eq!(seqs, (1..=records.len() as u64).collect::<Vec<_>>());
    assert_eq!(records.first().map(|record| &record["record"]), Some(&"run-started".into()));
    assert_eq!(records.last().map(|record| &record["status"]), Some(&"sent".into()));
    assert!(records.iter().any(|record| record["record"] == "outcome" && record["step"] == "fan/judge#2"));
    let told = text(&aivm(dir.path(), &["logs", &run]));
    assert_eq!(told.lines().count(), records.len());
    assert!(told.lines().any(|line| line.contains("outcome    fan/judge#2  → exhausted")), "{told}");
}

#[test]
fn logs_follow_a_run_until_it_ends() {
    let dir = folder();
    let (mut run, name) = waiting(dir.path());
    let mut follower = command(dir.path(), &["logs", "-f", &name]);
    let follower = follower.stdout(Stdio::piped()).spawn().expect("aivm runs");
    std::thread::sleep(Duration::from_millis(300));
    std::fs::remove_file(dir.path().join("hold")).expect("nothing waits any more");
    assert!(run.wait().expect("it ends").success());
    let told = text(&follower.wait_with_output().expect("it ends"));
    assert!(told.lines().last().is_some_and(|line| line.contains("finished   sent")), "{told}");
    assert_eq!(told, text(&aivm(dir.path(), &["logs", &name])), "nothing is told twice or left out");
    // Nobody carries on what was killed: to wait would be for ever.
    std::fs::remove_file(dir.path().join("waiting")).expect("there");
    let killed = killed(dir.path());
    let left = aivm(dir.path(), &["logs", "-f", &killed]);
    assert!(stderr(&left).contains(&format!("aivm resume {killed}")), "{}", stderr(&left));
}

#[test]
fn a_changed_journal_is_not_told_as_true() {
    let dir = folder();
    write(dir.path(), "p.aivm", ALL);
    let run = ran(dir.path(), &["p.aivm"]);
    let store = rusqlite::Connection::open(dir.path().join(".aivm/store.db")).expect("the store");
    for change in [
        "UPDATE journal SET records = CAST(substr(records, 1, 40) || x'ff' || substr(records, 42) AS BLOB) WHERE seq = 1",
        "DELETE FROM journal WHERE seq > 1",
    ] {
        store.execute_batch(&format!("SAVEPOINT s; {change};")).expect("it is changed");
        store.execute_batch("RELEASE s").expect("it stays");
        for command in ["logs", "show"] {
            let refused = aivm(dir.path(), &[command, &run]);
            assert_eq!(refused.status.code(), Some(3), "{command}: {change}");
            assert!(stderr(&refused).contains("E0756"), "{}", stderr(&refused));
        }
        assert_eq!(aivm(dir.path(), &["runs"]).status.code(), Some(0), "the list still stands");
    }
}

#[test]
fn why_names_the_rule_what_was_passed_over_and_where_it_led() {
    let dir = folder();
    write(dir.path(), "p.aivm", ALL);
    let run = ran(dir.path(), &["p.aivm"]);
    let told = text(&aivm(dir.path(), &["why", &run, "judge"]));
    for part in [
        "p.aivm:17",
        "judge => back | continue",
        "outcomes, best first: back (at most 2), continue",
        "↺ fan/judge#1 → back",
        "succeeded, and said back",
        "rule 1 ",
        "led to      fan/make#2",
        "passed over back: fan/make can be entered 2 times, and has been",
        "nothing in the list was left: the stage ends exhausted",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let why = |step: &str| json(&aivm(dir.path(), &["why", &run, step, "--json"]));
    let flaky = why("flaky");
    assert_eq!(flaky["step"], "fan/each/switch.1/flaky");
    assert_eq!(flaky["calls"].as_array().map(Vec::len), Some(3), "all items and attempts: {flaky}");
    assert_eq!(
        (&flaky["calls"][0]["rule"], &flaky["calls"][0]["led_to"]),
        (&"failure".into(), &"the same call again".into())
    );
    let one = why("fan/each#1[1]/switch.1/flaky#1");
    assert_eq!(one["calls"].as_array().map(Vec::len), Some(1), "{one}");
    assert_eq!(one["calls"][0]["led_to"], "the end of each");
    assert_eq!(why("list")["calls"][0]["rule"], "success");
    assert_eq!(why("list")["calls"][0]["led_to"], "fan/each#1");
    assert_eq!(why("make~undo")["calls"][0]["led_to"], "what the step did is taken back");
    assert_eq!(why("rest")["calls"][0]["led_to"], "the end of the run");
}

#[test]
fn why_lists_what_is_near() {
    let dir = folder();
    write(
        dir.path(),
        "p.aivm",
        "+++\n[worker.x]\nmock = [\"cancel\"]\n+++\nout <= ( switch[a] <= ( clean => next  clean => next  x => cancel | next  count => send ) ) <= in\n",
    );
    let run = ran(dir.path(), &["p.aivm"]);
    for (step, code, help) in [
        ("claen", "E0860", "did you mean clean?"),
        ("nothing-like-it", "E0860", "a/clean, a/clean.2, a/x"),
        ("lea", "E0861", "a/clean, a/clean.2"),
        ("count", "E0862", "aivm show"),
    ] {
        let refused = aivm(dir.path(), &["why", &run, step]);
        assert_eq!(refused.status.code(), Some(2), "{step}");
        assert!(stderr(&refused).contains(code) && stderr(&refused).contains(help), "{}", stderr(&refused));
    }
    assert_eq!(aivm(dir.path(), &["why", &run, "clean"]).status.code(), Some(0), "a name is no part of another");
}

#[test]
fn why_knows_the_list_of_a_program_without_its_source() {
    let dir = folder();
    write(
        dir.path(),
        "p.aivm",
        "+++\n[worker.x]\nmock = [{ fail = \"no\" }, {}]\n+++\nout <= ( switch <= ( x => send | retry * 3 | cancel ) ) <= in\n",
    );
    assert!(aivm(dir.path(), &["compile", "p.aivm", "--strip"]).status.success());
    let run = ran(dir.path(), &["p.aivmc"]);
    let told = text(&aivm(dir.path(), &["why", &run, "x"]));
    assert!(told.contains("x => send | retry | cancel") && told.contains("retry (at most 3)"), "{told}");
}

#[test]
fn diff_shows_where_two_runs_part() {
    let dir = folder();
    let program = "+++\n[worker.loud]\nrun = \"tr a-z A-Z\"\n[worker.judge]\nrun = 'grep -q X && echo back > \"$AIVM_STEP_VERDICT\"; cat'\n+++\nout <= ( switch <= ( loud<2> => next  judge => back | continue ) ) <= in\n";
    write(dir.path(), "p.aivm", program);
    let run = |input: &str| ran(dir.path(), &["p.aivm", "--in", input]);
    let (one, same, other) = (run("a\nb\nc"), run("a\nb\nc"), run("a\nx\nc"));
    let equal = aivm(dir.path(), &["diff", &one, &same]);
    assert_eq!(equal.status.code(), Some(0));
    assert!(text(&equal).contains("equal: 2 steps alike"), "{}", text(&equal));
    let parted = aivm(dir.path(), &["diff", &one, &other]);
    assert_eq!(parted.status.code(), Some(1), "{}", stderr(&parted));
    let told = String::from_utf8_lossy(&parted.stdout).into_owned();
    let places = [
        "input",
        "- b\n  + x",
        "switch.1/loud#1",
        "  - B\n    + X",
        "switch.1/judge#1",
        "continue | back",
        "+ switch.1/loud#2",
    ];
    let at: Vec<Option<usize>> = places.iter().map(|part| told.find(part)).collect();
    assert!(at.iter().all(Option::is_some) && at.is_sorted(), "{at:?}: {told}");
    let report = aivm(dir.path(), &["diff", &one, &other, "--json"]);
    assert_eq!(report.status.code(), Some(1));
    let report = json(&report);
    assert_eq!(report["equal"], false);
    assert_eq!(report["steps"][0]["key"], "switch.1/loud#1");
    assert_eq!(
        report["steps"][1]["differences"][0],
        serde_json::json!({"what": "outcome", "one": "continue", "other": "back"})
    );
}

#[test]
fn values_of_several_parts_differ_by_what_is_in_them() {
    let dir = folder();
    let program = |word: &str| {
        format!(
            "+++\n[worker.a]\nmock = [{{ output = \"one\" }}]\n[worker.b]\nmock = [{{ output = \"{word}\" }}]\n+++\nout <= ( join <= ( a => next  b => next ) ) <= in\n"
        )
    };
    write(dir.path(), "p.aivm", &program("two"));
    let (one, same) = (ran(dir.path(), &["p.aivm"]), ran(dir.path(), &["p.aivm"]));
    assert_eq!(aivm(dir.path(), &["diff", &one, &same]).status.code(), Some(0), "checksums differ, content does not");
    write(dir.path(), "p.aivm", &program("2"));
    let other = ran(dir.path(), &["p.aivm"]);
    let parted = aivm(dir.path(), &["diff", &one, &other]);
    let told = String::from_utf8_lossy(&parted.stdout).into_owned();
    assert_eq!(parted.status.code(), Some(1));
    assert!(told.contains("- two\n") && told.contains("+ 2\n") && told.contains("program"), "{told}");
}

#[test]
fn what_workers_say_moves_no_cursor() {
    let dir = folder();
    let fails = "+++\n[worker.x]\nrun = \"printf '\\\\033[2J\\\\033[31mbad\\\\r\\\\n' >&2; exit 3\"\n[worker.y]\nrun = \"printf '\\\\033]0;t\\\\007\\\\033[2J'; cat\"\n+++\nout <= ( switch <= ( y => next  x => send ) ) <= in\n";
    write(dir.path(), "p.aivm", fails);
    let run = ran(dir.path(), &["p.aivm", "--in", "\u{1b}[2J"]);
    let other = ran(dir.path(), &["p.aivm", "--in", "\u{1b}[3J"]);
    let mut commands = vec![vec!["runs"], vec!["show", &run], vec!["logs", &run], vec!["why", &run, "x"]];
    commands.push(vec!["diff", &run, &other]);
    for args in commands {
        let shown = String::from_utf8(aivm(dir.path(), &args).stdout).expect("text");
        assert!(!shown.is_empty() && !shown.contains(|c: char| c.is_control() && c != '\n'), "{args:?}: {shown:?}");
    }
    let shown = text(&aivm(dir.path(), &["show", &run]));
    assert!(shown.contains("␛[2J␛[31mbad"), "{shown}");
}

#[test]
fn a_fork_takes_the_programs_own_words_and_says_where_a_step_is_not_one() {
    let dir = folder();
    write(dir.path(), "p.aivm", ALL);
    let run = ran(dir.path(), &["p.aivm", "--in", "hello"]);
    let forked = aivm(dir.path(), &["fork", &run, "--at", "fan/list#1", "--worker", "clean=rest", "--json"]);
    assert_eq!(json(&forked)["output"]["text"], "the rest", "{}", stderr(&forked));
    let within = aivm(dir.path(), &["fork", &run, "--at", "fan/each#1"]);
    assert_eq!(within.status.code(), Some(2));
    assert!(stderr(&within).contains("fork at one of them, as fan/each#1[0]/switch.1/clean#1"), "{}", stderr(&within));
}

#[test]
fn a_run_is_not_named_like_the_file_of_one() {
    let dir = folder();
    write(dir.path(), "p.aivm", ALL);
    let refused = aivm(dir.path(), &["run", "p.aivm", "--id", "it.aivmrun"]);
    assert!(stderr(&refused).contains("E0777"), "`verify` would read the file: {}", stderr(&refused));
}

#[test]
fn a_fork_whose_source_is_removed_meanwhile_says_so() {
    use std::io::Write;
    let dir = folder();
    write(dir.path(), "p.aivm", ALL);
    let source = ran(dir.path(), &["p.aivm", "--in", "x"]);
    let mut fork = command(dir.path(), &["fork", &source, "--at", "fan/list#1", "--in", "-", "-q"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("aivm runs");
    // It has read the run, and waits for what its step is called with.
    std::thread::sleep(Duration::from_millis(300));
    assert!(aivm(dir.path(), &["gc", "--run", &source]).status.success());
    fork.stdin.take().expect("its input").write_all(b"y").expect("written");
    let fork = fork.wait_with_output().expect("it ends");
    assert_eq!(fork.status.code(), Some(2), "{}", stderr(&fork));
    assert!(stderr(&fork).contains("E0812"), "{}", stderr(&fork));
    assert_eq!(json(&aivm(dir.path(), &["runs", "--json"]))["runs"], serde_json::json!([]), "nothing was begun");
}

#[test]
fn a_fork_may_begin_at_a_choice() {
    let dir = folder();
    let program = "+++
[worker.a]
run = \"echo a >> ledger; echo a\"
[worker.b]
run = \"echo b >> ledger; echo b\"
[worker.boss]
mock = [\"a\", \"finish\"]
[stage.s]
chooser = \"boss\"
+++
out <= ( select[s] <= ( a => next  b => next ) ) <= in
";
    write(dir.path(), "p.aivm", program);
    let source = ran(dir.path(), &["p.aivm", "--in", "x"]);
    let steps = |report: &Value| -> Vec<(String, String)> {
        let text = |step: &Value, key: &str| step[key].as_str().expect("text").to_owned();
        report["steps"]
            .as_array()
            .expect("steps")
            .iter()
            .map(|step| (text(step, "key"), text(step, "outcome")))
            .collect()
    };
    let fork = |more: &[&str]| {
        std::fs::remove_file(dir.path().join("ledger")).ok();
        let report = json(&aivm(dir.path(), &[&["fork", &source, "--json"], more].concat()));
        assert_eq!(report["status"], "sent", "{report}");
        let ledger = std::fs::read_to_string(dir.path().join("ledger")).unwrap_or_default();
        (steps(&report).into_iter().map(|(key, _)| key).collect::<Vec<_>>(), ledger, report)
    };
    let (keys, ledger, report) = fork(&["--at", "s#1", "--outcome", "b"]);
    assert!(keys.contains(&"s/b#1".to_owned()), "{report}");
    assert!(ledger.starts_with('b'), "the other branch: {ledger}");
    let (keys, ledger, report) = fork(&["--at", "s#2", "--outcome", "b"]);
    assert!(keys.contains(&"s/a#1".to_owned()) && keys.contains(&"s/b#1".to_owned()), "{report}");
    assert_eq!(ledger, "b\n", "what came before the choice is taken over");
    write(dir.path(), "other.toml", "mock = [\"a\", \"b\", \"finish\"]");
    let (_, ledger, report) = fork(&["--at", "s#2", "--worker", "boss=other.toml"]);
    assert_eq!(ledger, "b\n", "the chooser is asked again: {report}");
    let wrong = aivm(dir.path(), &["fork", &source, "--at", "s#1", "--outcome", "c"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("its outcomes: a, b, finish"), "{}", stderr(&wrong));
}

#[test]
fn the_last_run_has_a_name() {
    let dir = folder();
    write(dir.path(), "p.aivm", SHOUT);
    let none = aivm(dir.path(), &["show", "last"]);
    assert!(none.status.code() == Some(2) && stderr(&none).contains("E0812"), "{}", stderr(&none));
    for input in ["first", "second"] {
        assert!(aivm(dir.path(), &["run", "p.aivm", "--in", input]).status.success());
    }
    let shown = |name: &str| json(&aivm(dir.path(), &["show", name, "--json"]));
    let last = shown("last");
    let id = last["id"].as_str().or(last["run"].as_str()).expect("a name").to_owned();
    let all = json(&aivm(dir.path(), &["runs", "--json"]));
    assert!(all["runs"][0].to_string().contains(&id), "{all} {id}");
    // A run that is really called so is meant.
    assert!(aivm(dir.path(), &["run", "p.aivm", "--in", "third", "--id", "last"]).status.success());
    assert!(aivm(dir.path(), &["run", "p.aivm", "--in", "fourth"]).status.success());
    assert!(shown("last").to_string().contains("\"last\""));
}
