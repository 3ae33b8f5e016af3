//! The REPL: scripted over a pipe, where it reads lines and shows no prompts; and at a terminal.

use super::{aivm, command, folder, json, stderr, stdout, write};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Output, Stdio};

#[path = "repl/terminal.rs"]
mod terminal;

const DRAFT: &str = "+++
[worker.plan]
mock = [{ output = \"three points\" }]
[worker.write]
mock = [{ output = \"a first try\" }, { output = \"a better one\" }]
[worker.judge]
mock = [\"back\", \"continue\"]
+++
out <= (
    switch[draft] <= (
        plan     => next | cancel
        write<3> => next | retry * 2
        judge    => continue | back
    )
) <= in
";

/// What comes of these lines.
fn session(folder: &Path, args: &[&str], lines: &str) -> Output {
    let mut repl = command(folder, &[&["repl"], args].concat());
    let mut child =
        repl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

/// A folder with a program, and what comes of these lines after it was loaded.
fn drafted(lines: &str) -> (tempfile::TempDir, Output) {
    let dir = folder();
    write(dir.path(), "p.aivm", DRAFT);
    let output = session(dir.path(), &["p.aivm"], lines);
    (dir, output)
}

/// The names of the runs, the newest first.
fn runs(folder: &Path) -> Vec<String> {
    let listed = json(&aivm(folder, &["runs", "--json"]));
    let rows = listed["runs"].as_array().expect("runs").clone();
    rows.iter().map(|row| row["run"].as_str().or(row["id"].as_str()).expect("a name").to_owned()).collect()
}

#[test]
fn programs_definitions_and_steps_are_typed_and_run() {
    let dir = folder();
    let output = session(
        dir.path(),
        &[],
        "clean <= \"a  \"\n\
         tidy <= (\n  switch <= ( clean => send )\n)\n\
         tidy <= \"b  \"\n\
         out <= ( switch <= ( tidy => next\n\n  count => send ) ) <= \"one two\"\n\
         switch <= ( count => send ) <= \"three\"\n",
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stdout(&output);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[..3], ["a", "kept: tidy", "b"], "{said}");
    assert!(lines[3].contains("\"words\":2") && lines[4].contains("\"words\":1"), "{said}");
    assert_eq!(runs(dir.path()).len(), 4, "each is a run of the store");
    assert!(!said.contains("aivm>"), "a pipe is shown no prompt");
}

#[test]
fn what_is_wrong_is_shown_as_the_compiler_shows_it_and_the_session_goes_on() {
    let dir = folder();
    let output = session(
        dir.path(),
        &["--workers", "live"],
        "out <= ( switch <= ( clear => send ) ) <= in\nfoo bar\n:stap\nclean <= \"x\"\n",
    );
    assert_eq!(output.status.code(), Some(2), "a script knows that something went wrong");
    let told = stderr(&output);
    assert!(told.contains("[E0201]") && told.contains("session.aivm:1:22"), "{told}");
    assert!(told.contains("[E0113]"), "{told}");
    assert!(told.contains("did you mean `:step`?"), "{told}");
    assert_eq!(stdout(&output), "x\n");
}

#[test]
fn a_run_is_gone_through_step_by_step_and_back() {
    let (dir, output) = drafted(":step\n:step\n:step\n:back\n:back\n:step\n:cont\n");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stdout(&output);
    let stands: Vec<&str> = said.lines().filter_map(|line| line.split(" stands before ").nth(1)).collect();
    assert_eq!(
        stands,
        [
            "draft/write#1",
            "draft/judge#1",
            "draft/write#2",
            // Back, twice; and forward again.
            "draft/judge#1",
            "draft/write#1",
            "draft/judge#1",
        ]
    );
    assert!(said.ends_with("a better one\n"), "{said}");
    let names = runs(dir.path());
    assert_eq!(names.len(), 3, "each step back is a run of its own");
    let paths: Vec<String> = names.iter().map(|run| stdout(&aivm(dir.path(), &["show", run]))).collect();
    assert!(paths[0].contains("judge#2") && !paths[2].contains("write#2 "), "{paths:?}");
}

/// Joins, a fan-out, a definition, a retry, and a failure that is caught after something was taken back.
const WINDING: &str = "+++
[worker.parts]
builtin = \"split\"
[worker.shaky]
mock = [{ fail = \"not yet\" }, {}]
[worker.one]
mock = [{ output = \"one\" }]
[worker.two]
mock = [{ output = \"two\" }]
[worker.make]
run = \"echo made >> ledger; cat\"
undo = \"unmake\"
[worker.unmake]
run = \"echo unmade >> ledger\"
[worker.breaks]
mock = [{ fail = \"as it must\" }]
+++
tidy <= ( switch <= ( clean => send ) )
out <= (
    switch[first] <= ( parts => next  [tidy <= first.parts.out.*] => next  shaky => next | retry )
    <= join <= ( one => next  two => next )
    <= switch[tried] <= ( make => next  breaks => next )
    <= match <= ( success => send  failure => out <= switch[mend] <= ( one => next  two => send ) )
) <= in
";

#[test]
fn the_way_back_leads_through_the_same_places() {
    let dir = folder();
    write(dir.path(), "p.aivm", WINDING);
    let stands = |output: &Output| -> Vec<String> {
        let said = stdout(output);
        // Where it stands, and what the next call is given: by its content, as values have the names of their runs.
        let lines: Vec<&str> = said.lines().collect();
        let places = lines.windows(2).filter_map(|pair| Some((pair[0].split_once(" stands before ")?.1, pair[1])));
        places.map(|(key, given)| format!("{key} {}", given.split(", ").take(2).collect::<String>())).collect()
    };
    let forth = session(
        dir.path(),
        &["p.aivm", "--workers", "live"],
        &(":set in \"a\nb\"\n".to_owned() + &":step\n".repeat(11)),
    );
    let mut on_the_way = stands(&forth);
    assert!(on_the_way.len() >= 9, "{on_the_way:?}{}", stderr(&forth));
    assert!(on_the_way[on_the_way.len() - 1].starts_with("mend/two#1"), "{on_the_way:?}");
    // What is taken back is stepped through, too; on the way back there is nothing to take back.
    on_the_way.retain(|place| !place.contains("~undo"));
    let ledger = std::fs::read_to_string(dir.path().join("ledger")).expect("effects");
    assert_eq!(ledger, "made\nunmade\n");
    let run = runs(dir.path()).remove(0);
    let back = session(dir.path(), &["--resume", &run], &":back\n".repeat(on_the_way.len()));
    let on_the_way_back = stands(&back);
    on_the_way.reverse();
    assert_eq!(on_the_way_back[..on_the_way.len()], on_the_way, "{}", stderr(&back));
    assert!(!stderr(&back).contains("stands earlier"), "{}", stderr(&back));
    let after = std::fs::read_to_string(dir.path().join("ledger")).expect("effects");
    assert_eq!(after, ledger, "nothing is called on the way back");
}

#[test]
fn a_kill_between_two_calls_loses_nothing_and_repeats_nothing() {
    let dir = folder();
    write(dir.path(), "p.aivm", WINDING);
    let mut repl = command(dir.path(), &["repl", "p.aivm", "--workers", "live"]);
    let mut child = repl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut lines = child.stdin.take().expect("a pipe");
    let mut said = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    lines.write_all(b":break breaks\n:run\n").expect("it reads");
    assert!(said.any(|line| line.expect("text").contains("stands before tried/breaks#1")));
    child.kill().expect("it is there");
    child.wait().expect("it ends");
    let all = aivm(dir.path(), &["resume", "--all"]);
    assert_eq!(all.status.code(), Some(0), "{}", stderr(&all));
    let run = runs(dir.path()).remove(0);
    let resumed = session(dir.path(), &["--resume", &run], ":session\n:cont\n");
    let told = stdout(&resumed);
    assert!(told.contains("stands before tried/breaks#1") && told.contains("stops at breaks"), "{told}");
    let ledger = std::fs::read_to_string(dir.path().join("ledger")).expect("effects");
    assert_eq!(ledger, "made\nunmade\n", "{told}{}", stderr(&resumed));
    assert!(told.ends_with("two\n"), "{told}");
}

#[test]
fn breakpoints_hold_before_a_step_and_on_an_edge() {
    let (_dir, output) =
        drafted(":break judge\n:break judge=>back\n:run\n:cont\n:unbreak judge\n:cont\n:break jugde\n");
    let said = stdout(&output);
    let stops: Vec<&str> = said.lines().filter(|line| line.starts_with("stopped at ")).collect();
    assert_eq!(stops, ["stopped at judge", "stopped at judge=>back"], "{said}");
    let stands: Vec<&str> = said.lines().filter_map(|line| line.split(" stands before ").nth(1)).collect();
    assert_eq!(stands, ["draft/judge#1", "draft/write#2"]);
    assert!(said.contains("a better one\n"), "{said}");
    assert_eq!(stderr(&output).matches("did you mean `judge`?").count(), 1, "{}", stderr(&output));
}

#[test]
fn the_picture_shows_where_the_run_stands() {
    let (_dir, output) = drafted(":step\n:graph\nclean <= \"x\"\n:graph\n");
    let said = stdout(&output);
    let here: Vec<&str> = said.lines().filter(|line| line.ends_with("stands here")).collect();
    assert!(here.len() == 1 && here[0].contains(" write ×3 "), "{said}");
}

#[test]
fn a_breakpoint_that_would_hold_nothing_is_refused() {
    let (_dir, output) =
        drafted(":break draft/write\n:break jugde\n:break judge=>bakc\n:break plan=>failed\n:break nosuch\n:break\n");
    assert_eq!(output.status.code(), Some(2));
    let told = stderr(&output);
    assert_eq!(told.matches("E0859").count(), 3, "{told}");
    assert!(told.contains("did you mean `judge`?") && told.contains("did you mean `back`?"), "{told}");
    let said = stdout(&output);
    assert!(said.ends_with("stops at draft/write\nstops at plan=>failed\n"), "{said}");
}

#[test]
fn a_file_that_the_session_knows_nothing_of_is_not_written_over() {
    let dir = folder();
    write(dir.path(), "p.aivm", DRAFT);
    write(dir.path(), "other.aivm", "somebody's");
    let output = session(
        dir.path(),
        &["p.aivm"],
        ":save other.aivm\n:save \"of mine.aivm\"\n:save \"of mine.aivm\"\n:save ./p.aivm\n",
    );
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stderr(&output).matches("E0858").count(), 1, "{}", stderr(&output));
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect("a file");
    assert_eq!(read("other.aivm"), "somebody's");
    assert_eq!(read("of mine.aivm"), read("p.aivm"));
    let output = session(dir.path(), &["p.aivm"], ":save! other.aivm\n:save\n");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output).matches("saved other.aivm").count(), 2, "{}", stdout(&output));
    assert_eq!(read("other.aivm"), read("p.aivm"));
}

#[test]
fn what_an_entry_was_given_goes_in_again() {
    let dir = folder();
    let lines = "clean <= \"one  \"\n:run\n:run \"two  \"\n:step\nout <= ( switch <= ( clean => send ) ) <= \"three  \"\n\
        clean <= \"four  \"\n:run\n";
    let output = session(dir.path(), &[], lines);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "one\none\ntwo\ntwo\nthree\nfour\nthree\n");
}

#[test]
fn an_entry_with_a_mistake_goes_on_until_its_brackets_are_closed() {
    let dir = folder();
    let lines =
        "out <= (\n  swich <= (\n    clean -> send\n  )\n) <= \"x \"\nclean <= \"y \"\nclean <= \"z\n:session\n";
    let output = session(dir.path(), &[], lines);
    assert_eq!(output.status.code(), Some(2));
    let told = stderr(&output);
    assert!(told.contains("E0119") && told.contains("E0106") && told.contains("2 errors"), "{told}");
    assert!(told.contains("this `\"` is never closed"), "{told}");
    assert!(stdout(&output).starts_with("y\n"), "what follows is an entry of its own: {}", stdout(&output));
}

#[test]
fn on_mock_workers_a_word_that_nothing_is_called_is_a_mock_and_that_is_said_once() {
    let dir = folder();
    let lines = "cuont <= \"text\"\ncuont <= \"text\"\n:workers live\ncuont <= \"text\"\n";
    let output = session(dir.path(), &[], lines);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "text\ntext\nworkers are live: they are called\n");
    let told = stderr(&output);
    assert_eq!(told.matches("`cuont` is nothing here: mocked; did you mean `count`?").count(), 1, "{told}");
    assert_eq!(told.matches("E0201").count(), 2, "{told}");
}

#[test]
fn a_session_is_resumed_where_its_run_stands() {
    let (dir, output) = drafted("helper <= ( switch <= ( clean => send ) )\n:break judge=>back\n:run\n");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let run = runs(dir.path()).remove(0);
    let resumed = session(dir.path(), &["--resume", &run], ":session\n:step\n:cont\nhelper <= \"x \"\n");
    assert_eq!(resumed.status.code(), Some(0), "{}", stderr(&resumed));
    let said = stdout(&resumed);
    assert!(said.contains("stands before draft/write#2"), "{said}");
    assert!(said.contains("stops at judge=>back") && said.contains("helper <= "), "{said}");
    assert!(said.contains("stands before draft/judge#2"), "{said}");
    assert!(said.ends_with("a better one\nx\n"), "{said}");
    assert_eq!(runs(dir.path()).len(), 2, "it is the same run that went on");
}

#[test]
fn a_run_that_is_held_goes_on_by_any_other_command() {
    let (dir, _) = drafted(":step\n");
    let run = runs(dir.path()).remove(0);
    let resumed = aivm(dir.path(), &["resume", &run]);
    assert_eq!(resumed.status.code(), Some(0), "{}", stderr(&resumed));
    assert_eq!(stdout(&resumed), "a better one");
    // And a run that no session began can be gone on with in one.
    write(dir.path(), "q.aivm", DRAFT);
    aivm(dir.path(), &["run", "q.aivm"]);
    let other = runs(dir.path()).remove(0);
    let output = session(dir.path(), &["--resume", &other], ":back\n:step\n:session\n");
    let said = stdout(&output);
    assert!(said.contains("stands before draft/judge#2"), "{said}");
    assert!(said.contains("a better one"), "{said}");
}

#[test]
fn a_program_that_was_loaded_begins_anew() {
    let (dir, output) = drafted(":step\n:load p.aivm\n:why\n:step\n:step\n");
    let said = stdout(&output);
    let stands: Vec<&str> = said.lines().filter_map(|line| line.split(" stands before ").nth(1)).collect();
    assert_eq!(stands, ["draft/write#1", "draft/write#1", "draft/judge#1"], "{said}");
    assert!(stderr(&output).contains("E0959"), "what it asks about has not run yet: {}", stderr(&output));
    assert_eq!(runs(dir.path()).len(), 2);
}

#[test]
fn a_stored_value_goes_into_a_step() {
    let dir = folder();
    write(dir.path(), "text.txt", "one two three");
    let put = aivm(dir.path(), &["artifact", "put", "text.txt"]);
    let id = stdout(&put).trim().chars().take(12).collect::<String>();
    let lines = format!("count <= @{id}\ncount <= @text.txt\ncount <= @nothing\n:artifact @{id}\n:diff @{id} @{id}\n");
    let output = session(dir.path(), &[], &lines);
    let said = stdout(&output);
    assert!(said.contains("\none two three\n") && said.ends_with("equal\n"), "{said}{}", stderr(&output));
    assert_eq!(said.matches("\"words\":3").count(), 2, "{said}{}", stderr(&output));
    assert!(stderr(&output).contains("E0830") && stderr(&output).contains("no file nothing"), "{}", stderr(&output));
}

#[test]
fn toml_becomes_arrows() {
    let dir = folder();
    let output = session(dir.path(), &[], "name = \"tidy\"\n\n[steps.tidy]\nuses = \"clean\"\n\n:run spaced  \n");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stdout(&output);
    assert!(said.contains("out <= (") && said.contains("clean") && said.ends_with("spaced\n"), "{said}");
}

#[test]
fn a_session_is_saved_and_looked_at() {
    let (dir, output) = drafted(
        "tidy <= ( switch <= ( clean => send ) )\n:set in \"a text\"\n:cost\n:graph\n:run\n:why judge\n:run\n:diff\n\
         :artifacts\n:help back\n:help judge\n:help clean\n:help E0104\n:fork plan\n:save q.aivm\n",
    );
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}{said}", stderr(&output));
    for part in ["at most", "rule 1", "equal", "the element above", "Tidies text", "stands before draft/plan#1"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let saved = std::fs::read_to_string(dir.path().join("q.aivm")).expect("saved");
    assert!(saved.contains("tidy <= (") && saved.contains("[worker.judge]"), "{saved}");
    let ran = aivm(dir.path(), &["run", "q.aivm", "--ephemeral"]);
    assert_eq!(stdout(&ran), "a better one");
}

#[test]
fn the_commands_of_the_author_are_there() {
    let dir = folder();
    let output = session(dir.path(), &[], "/create Site\n/add roles name=\"Dev\"\n/save ai.toml\n/sho\n");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean `/show`?"), "{}", stderr(&output));
    let saved = std::fs::read_to_string(dir.path().join("ai.toml")).expect("saved");
    assert!(saved.contains("name = \"Dev\""), "{saved}");
}
