//! Programs that are written while a run goes on: what they may do, what becomes of those that may not, and what a kill leaves of them.

use super::{aivm, command, folder, json, stderr, stdout, write};
use serde_json::Value;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

/// A project whose `writer` gives this program, which `try` runs; `more` is said of `try`, `others` are workers of the project.
fn project(text: &str, more: &str, others: &str) -> tempfile::TempDir {
    let dir = folder();
    write(dir.path(), "written", text);
    let settings = format!(
        "[worker.writer]\nrun = \"cat written\"\neffect = \"read\"\nreturns = \"text/x-aivm\"\n\
         [worker.try]\nbuiltin = \"program\"\n{more}\n{others}\n"
    );
    write(dir.path(), "aivm.toml", &settings);
    write(
        dir.path(),
        "p.aivm",
        "out <= ( switch[s] <= ( writer => next  [try <= s.writer.out, in] => send ) ) <= in\n",
    );
    dir
}

fn run(dir: &Path, args: &[&str]) -> Output {
    aivm(dir, &[&["run", "p.aivm", "--in", "b\na", "--id", "r", "--json"], args].concat())
}

fn sent(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(output), stderr(output));
    json(output)["output"]["text"].as_str().expect("a text").to_owned()
}

fn error(output: &Output) -> (String, String) {
    let error = &json(output)["error"];
    (error["code"].as_str().unwrap_or("").to_owned(), error["message"].as_str().unwrap_or("").to_owned())
}

fn ledger(dir: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join("ledger")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn statuses(dir: &Path) -> Vec<(String, String)> {
    let runs = json(&aivm(dir, &["runs", "--most", "1000", "--json"]));
    let text = |row: &Value, key: &str| row[key].as_str().expect("a text").to_owned();
    let rows = runs["runs"].as_array().expect("runs").iter();
    rows.map(|row| (text(row, "run"), text(row, "status"))).collect()
}

const SORTS: &str = "out <= ( switch <= ( sort => send ) ) <= in\n";

#[test]
fn a_program_is_run_with_its_input_and_its_steps_are_seen() {
    let dir = project(SORTS, "", "");
    let ran = run(dir.path(), &[]);
    assert_eq!(sent(&ran), "a\nb\n");
    let shown = json(&aivm(dir.path(), &["show", "r", "--json"]));
    let programs = shown["programs"].as_array().expect("programs");
    assert_eq!(programs.len(), 1, "{shown}");
    assert_eq!((&programs[0]["status"], &programs[0]["steps"][0]["key"]), (&"sent".into(), &"switch.1/sort#1".into()));
    let child = programs[0]["run"].as_str().expect("a name");
    assert_eq!(json(&ran)["output"]["attributes"]["program"], child, "the value says which run made it");
    let text = stdout(&aivm(dir.path(), &["show", "r"]));
    assert!(text.contains(child) && text.contains("sort#1") && text.contains("try of r"), "{text}");
    assert!(aivm(dir.path(), &["verify", child]).status.success());
    // What leaves nothing runs it as well, and whoever only plays calls nobody.
    let gone = aivm(dir.path(), &["run", "p.aivm", "--in", "b\na", "--ephemeral"]);
    assert_eq!(stdout(&gone), "a\nb\n", "{}", stderr(&gone));
    assert!(aivm(dir.path(), &["run", "p.aivm", "--mock"]).status.success());
    assert_eq!(statuses(dir.path()).len(), 3, "{:?}", statuses(dir.path()));
}

#[test]
fn whoever_wrote_it_is_told_what_is_wrong_and_mends_it() {
    let dir = project("", "", "");
    // It mends what it is told of, and nothing else.
    write(
        dir.path(),
        "writer.sh",
        "grep -q '\"E0' && grep -q nosuchword written && sed -i s/nosuchword/sort/ written; cat written\n",
    );
    write(dir.path(), "written", "out <= ( switch <= ( nosuchword => send ) ) <= in\n");
    let settings = std::fs::read_to_string(dir.path().join("aivm.toml")).expect("settings");
    let settings =
        settings.replace("run = \"cat written\"\neffect = \"read\"", "run = \"sh writer.sh\"\neffect = \"idempotent\"");
    write(dir.path(), "aivm.toml", &settings);
    let loops = "out <= ( switch[s] <= ( writer => next  [try <= s.writer.out, in] => send | back ) ) <= in\n";
    let jumps = "out <= ( switch[s] <= ( writer => next  [try <= s.writer.out, in] => send )\n<= match <= ( refused => [s.jump]  default => send ) ) <= in\n";
    for program in [loops, jumps] {
        write(dir.path(), "written", "out <= ( switch <= ( nosuchword => send ) ) <= in\n");
        write(dir.path(), "p.aivm", program);
        let ran = aivm(dir.path(), &["run", "p.aivm", "--in", "b\na", "--json"]);
        assert_eq!(sent(&ran), "a\nb\n", "{program}");
        let tries =
            json(&ran)["steps"].as_array().expect("steps").iter().filter(|step| step["worker"] == "try").count();
        assert_eq!(tries, 2, "{program}");
    }
}

/// A program that may write everywhere could write what a word means that the next one may call.
#[test]
fn a_program_writes_only_within_a_folder() {
    let writes = "out <= ( switch <= ( put => send ) ) <= in\n";
    let listed = "with = { workers = [\"put\", \"restore\"] }";
    let input = ["--in", r#"{"path": "put.toml", "content": "run = \"id\""}"#, "--type", "application/json"];
    let put = |with: &str| format!("[worker.put]\nbuiltin = \"write-file\"\n{with}");
    let run = |with: &str| {
        let dir = project(writes, listed, &put(with));
        let ran = aivm(dir.path(), &[&["run", "p.aivm", "--id", "r", "--json"], &input[..]].concat());
        (dir, ran)
    };
    let (dir, ran) = run("");
    let (code, message) = error(&ran);
    assert!(code == "E1049" && message.contains("may not call `put`"), "{message}{}", stderr(&ran));
    assert!(!dir.path().join("put.toml").exists());
    let (dir, ran) = run("with = { within = \"out\" }");
    sent(&ran);
    assert!(dir.path().join("out/put.toml").exists());
}

#[test]
fn a_program_calls_nobody_whom_it_may_not_call() {
    let others = "[worker.note]\nrun = \"echo noted >> ledger; cat\"\neffect = \"idempotent\"\n\
                  [worker.pay]\nrun = \"echo paid >> ledger; cat\"\n[worker.ask]\nhuman = \"Really?\"\n";
    let listed = "with = { workers = [\"note\", \"pay\", \"ask\"] }";
    let calls = |worker: &str| format!("out <= ( switch <= ( {worker} => send ) ) <= in\n");
    let front =
        format!("+++\n[worker.note]\nrun = \"echo bad >> ledger\"\neffect = \"idempotent\"\n+++\n{}", calls("note"));
    for (text, more, code) in [
        (calls("note"), "", "E1050"),
        (calls("pay"), listed, "E1050"),
        (calls("ask"), listed, "E1050"),
        (calls("sort ~ note"), "", "E1050"),
        (calls("save"), listed, "E1050"),
        (calls("try"), "", "E1050"),
        (front, listed, "E1050"),
        (calls("nobody"), listed, "E0"),
        ("[steps.a]\nrun = \"echo bad >> ledger\"\n".to_owned(), listed, "E0"),
        (calls("note<200> => back | note"), listed, "E0"),
    ] {
        let dir = project(&text, more, others);
        let ran = run(dir.path(), &[]);
        assert_eq!(ran.status.code(), Some(1), "{text}: {}", stdout(&ran));
        let (had, message) = error(&ran);
        assert!(had == "E1049" && message.contains(&format!("refused: {code}")), "{text}: {had} {message}");
        assert_eq!(ledger(dir.path()), [""; 0], "{text}");
        assert_eq!(statuses(dir.path()).len(), 1, "{text}: nothing is begun");
    }
    let dir = project(&calls("note"), listed, others);
    sent(&run(dir.path(), &[]));
    assert_eq!(ledger(dir.path()), ["noted"]);
}

#[test]
fn a_program_that_could_take_more_than_there_is_for_it_is_refused() {
    let others = "[worker.dear]\nmock = [{ output = \"x\" }]\ncost = \"$1\"\ntokens = \"1kt\"\n";
    let dear = "out <= ( switch <= ( dear => next  dear => send ) ) <= in\n";
    for (text, more, why) in [
        (
            "out <= ( switch <= ( sort => next  sort => next  sort => send ) ) <= in\n",
            "with = { calls = 2 }",
            "is 3 calls, and 2 calls are",
        ),
        ("out <= ( switch <= ( [sort <= in.*] => send ) ) <= in\n", "", "is without a bound, and 100 calls are"),
        (dear, "with = { workers = [\"dear\"] }", "is $2.00, and $0.00 are"),
        (dear, "with = { workers = [\"dear\"] }\ncost = \"$2\"\ntokens = \"1kt\"", "is 2kt, and 1kt are"),
    ] {
        let dir = project(text, more, others);
        let ran = run(dir.path(), &[]);
        let (code, message) = error(&ran);
        assert!(code == "E1049" && message.contains("E1051") && message.contains(why), "{more}: {code} {message}");
    }
    let more = "with = { workers = [\"dear\"] }\ncost = \"$2\"\ntokens = \"2kt\"";
    assert_eq!(sent(&run(project(dear, more, others).path(), &[])), "x");
    // What is set aside for it has to be there.
    let ran = run(project(dear, more, others).path(), &["--max-cost", "$1"]);
    assert_eq!(ran.status.code(), Some(4), "it waits for more: {}", stdout(&ran));
}

#[test]
fn what_is_no_program_or_goes_too_deep_or_fails_says_so() {
    let dir = project("in", "", "");
    write(dir.path(), "p.aivm", "out <= ( switch[s] <= ( try => send ) ) <= in\n");
    let ran = run(dir.path(), &[]);
    assert_eq!(error(&ran).0, "E1052", "{}", stdout(&ran));
    // Each calls itself.
    let dir = project("out <= ( switch <= ( [try <= in, in] => send ) ) <= in\n", "with = { workers = [\"try\"] }", "");
    write(
        dir.path(),
        "p.aivm",
        "out <= ( switch[s] <= ( writer => next  [try <= s.writer.out, s.writer.out] => send ) ) <= in\n",
    );
    let ran = run(dir.path(), &[]);
    let (code, message) = error(&ran);
    assert!(code == "E1052" && message.contains("3 deep"), "{code} {message}");
    assert_eq!(statuses(dir.path()).len(), 4);
    let dir = project("out <= ( switch <= ( json => send ) ) <= in\n", "", "");
    let ran = run(dir.path(), &[]);
    let (code, message) = error(&ran);
    assert!(
        code != "E1049" && message.contains("at switch.1/json#1, in the run ") && message.contains("~r"),
        "{code} {message}"
    );
}

/// A program that notes, and then goes on as long as there is a file `hold`.
const HOLDS: &str = "out <= ( switch <= ( note => next  hold => next  note => send ) ) <= in\n";
const HOLDERS: &str = "[worker.note]\nrun = \"echo noted >> ledger; cat\"\neffect = \"idempotent\"\n\
    [worker.hold]\nrun = \"echo held >> ledger; while [ -e hold ]; do sleep 0.02; done; cat\"\neffect = \"idempotent\"\n";

/// It has been begun, and its second step is under way.
fn holding() -> (tempfile::TempDir, std::process::Child) {
    let dir = project(HOLDS, "with = { workers = [\"note\", \"hold\"] }", HOLDERS);
    write(dir.path(), "hold", "");
    let mut begun = command(dir.path(), &["run", "p.aivm", "--in", "x", "--id", "r", "-q"]);
    let mut begun = begun.stdout(Stdio::null()).spawn().expect("aivm runs");
    while ledger(dir.path()).len() < 2 {
        assert!(begun.try_wait().expect("its end").is_none(), "it ended before it held");
        std::thread::sleep(Duration::from_millis(5));
    }
    (dir, begun)
}

#[test]
fn a_program_that_was_killed_goes_on_where_it_was() {
    for all in [false, true] {
        let (dir, mut begun) = holding();
        begun.kill().expect("it is killed");
        begun.wait().expect("it is gone");
        std::fs::remove_file(dir.path().join("hold")).expect("nothing waits any more");
        let shown = stdout(&aivm(dir.path(), &["show", "r"]));
        assert!(shown.contains("try of r") && shown.contains("note#1"), "{shown}");
        let resumed = aivm(dir.path(), if all { &["resume", "--all"] } else { &["resume", "r"] });
        assert_eq!(resumed.status.code(), Some(0), "{}", stderr(&resumed));
        assert_eq!(ledger(dir.path()), ["noted", "held", "held", "noted"], "what had ended is not done again");
        let statuses = statuses(dir.path());
        assert!(statuses.len() == 2 && statuses.iter().all(|(_, status)| status == "sent"), "{statuses:?}");
    }
}

#[test]
fn whoever_cancels_a_run_cancels_its_program() {
    let (dir, mut begun) = holding();
    let cancelled = aivm(dir.path(), &["cancel", "r"]);
    assert!(cancelled.status.success(), "{}", stderr(&cancelled));
    begun.wait().expect("it ends");
    assert_eq!(ledger(dir.path()), ["noted", "held"]);
    let statuses = statuses(dir.path());
    assert!(statuses.len() == 2 && statuses.iter().all(|(_, status)| status == "cancelled"), "{statuses:?}");
}

#[test]
fn many_programs_run_at_once_in_one_store() {
    let dir = project(SORTS, "", "");
    let lines = "out <= ( switch[s] <= ( [one <= in.*] => next  [try <= s.one.out.*] => send ) ) <= in\n";
    let one = "+++\n[worker.one]\nmock = [{ output = \"out <= ( switch <= ( clean => send ) ) <= in\" }]\nreturns = \"text/x-aivm\"\n+++\n";
    write(dir.path(), "p.aivm", &format!("{one}{lines}"));
    let input = "x\n".repeat(100);
    let ran = aivm(dir.path(), &["run", "p.aivm", "--in", &input, "--type", "text/x-lines", "--id", "r", "-q"]);
    assert_eq!(ran.status.code(), Some(0), "{}", stderr(&ran));
    let statuses = statuses(dir.path());
    assert!(statuses.len() == 101 && statuses.iter().all(|(_, status)| status == "sent"), "{statuses:?}");
}
