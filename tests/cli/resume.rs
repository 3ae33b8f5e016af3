//! All runs of a store that can go on do.

use super::{aivm, command, folder, json, stderr, write};
use serde_json::Value;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

const TWO: &str = "+++
[worker.one]
run = \"echo 1\"
[worker.two]
run = \"cat; echo 2\"
+++
out <= ( switch <= ( one => next  two => send ) ) <= in
";

const ASKED: &str = "+++
[worker.allow]
human = \"Shall it?\"
LIMIT
+++
out <= ( switch <= ( allow => send | timeout ) ) <= in
";

const KILLED: &str = "+++
[worker.slow]
run = \"touch began; while [ -e hold ]; do sleep 0.02; done; cat; echo done\"
effect = \"read\"
+++
out <= ( switch <= ( slow => send ) ) <= in
";

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).expect("text");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn statuses(folder: &Path) -> Vec<(String, String)> {
    let listed = json(&aivm(folder, &["runs", "--most", "1000", "--json"]));
    let text = |run: &Value, key: &str| run[key].as_str().expect("text").to_owned();
    let mut all: Vec<_> =
        listed["runs"].as_array().expect("runs").iter().map(|run| (text(run, "run"), text(run, "status"))).collect();
    all.sort();
    all
}

fn parked(folder: &Path, args: &[&str]) {
    let parked = aivm(folder, &[&["run", "-q"], args].concat());
    assert_eq!(parked.status.code(), Some(4), "{}", stderr(&parked));
}

#[test]
fn all_that_can_go_on_do_and_the_others_wait() {
    let dir = folder();
    let at = dir.path();
    write(at, "two.aivm", TWO);
    write(at, "asked.aivm", &ASKED.replace("LIMIT", ""));
    write(at, "brief.aivm", &ASKED.replace("LIMIT", "timeout = \"300ms\""));
    write(at, "killed.aivm", KILLED);
    parked(at, &["two.aivm", "--id", "limit", "--max-calls", "1"]);
    parked(at, &["asked.aivm", "--id", "asked"]);
    parked(at, &["brief.aivm", "--id", "brief"]);
    write(at, "hold", "");
    let mut killed =
        command(at, &["run", "killed.aivm", "--id", "killed", "-q"]).stdout(Stdio::null()).spawn().expect("aivm runs");
    while !at.join("began").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    killed.kill().expect("it is killed");
    killed.wait().expect("it is gone");
    std::fs::remove_file(at.join("hold")).expect("nothing waits any more");
    std::thread::sleep(Duration::from_millis(350));

    let some = aivm(at, &["resume", "--all", "--program", "killed", "--json"]);
    assert_eq!(some.status.code(), Some(0), "{}", stderr(&some));
    assert_eq!(lines(&some).len(), 1, "only those of this program");
    assert_eq!((&lines(&some)[0]["run"], &lines(&some)[0]["status"]), (&"killed".into(), &"sent".into()));

    let all = aivm(at, &["resume", "--all", "--json"]);
    assert_eq!(all.status.code(), Some(5), "the worst of them: {}", stderr(&all));
    assert_eq!(lines(&all).len(), 1, "{:?}", lines(&all));
    assert_eq!((&lines(&all)[0]["run"], &lines(&all)[0]["exit"]), (&"brief".into(), &5.into()));

    let raised = aivm(at, &["resume", "--all", "--max-calls", "9"]);
    assert_eq!(raised.status.code(), Some(0), "{}", stderr(&raised));
    let text = String::from_utf8(raised.stdout.clone()).expect("text");
    assert!(text.starts_with("limit  sent") && text.lines().count() == 1, "{text}");
    assert!(stderr(&raised).contains("1 went on, 1 left waiting"), "{}", stderr(&raised));
    let status = |name: &str, status: &str| (name.to_owned(), status.to_owned());
    assert_eq!(
        statuses(at),
        [status("asked", "parked"), status("brief", "timeout"), status("killed", "sent"), status("limit", "sent")]
    );
}

#[test]
fn more_than_a_group_goes_on_and_one_that_is_damaged_stops_no_other() {
    let dir = folder();
    let at = dir.path();
    write(at, "brief.aivm", &ASKED.replace("LIMIT", "timeout = \"1ms\""));
    let names: Vec<String> = (0..150).map(|nth| format!("r{nth:03}")).collect();
    std::thread::scope(|scope| {
        for some in names.chunks(50) {
            scope.spawn(move || some.iter().for_each(|name| parked(at, &["brief.aivm", "--id", name])));
        }
    });
    let database = rusqlite::Connection::open(at.join(".aivm/store.db")).expect("a database");
    let damage = "UPDATE journal SET link = zeroblob(32) WHERE run = (SELECT number FROM run WHERE id = 'r007')";
    assert!(database.execute(damage, []).expect("is changed") > 0);
    drop(database);
    let all = aivm(at, &["resume", "--all", "--json"]);
    let all_lines = lines(&all);
    assert_eq!(all_lines.len(), 150, "{}", stderr(&all));
    assert_eq!(all.status.code(), Some(3), "damage is worse than a timeout");
    for line in &all_lines {
        let damaged = line["run"] == "r007";
        assert_eq!(line["status"], if damaged { "damaged" } else { "timeout" }, "{line}");
        assert_eq!(line["error"]["code"], if damaged { "E0756" } else { "E0712" }, "{line}");
    }
    assert_eq!(lines(&aivm(at, &["resume", "--all", "--json"])).len(), 0, "each once");
}
