//! `fix`: slips are mended in the file, and everything else is left.

use super::{aivm, folder, json, stderr, stdout, write};

const WRONG: &str = "```aivm
out <= (
    sequence <= (
        “clean” -> next, abort
        sort => send
) <= in
```
";
const RIGHT: &str = "out <= (
    switch <= (
        clean => next | cancel
        sort  => send
    )
) <= in
";

#[test]
fn a_slip_of_each_family_is_mended_in_the_file() {
    let dir = folder();
    write(dir.path(), "p.aivm", WRONG);
    let checked = aivm(dir.path(), &["fix", "p.aivm", "--check"]);
    assert_eq!(checked.status.code(), Some(1), "{}", stderr(&checked));
    let shown = aivm(dir.path(), &["fix", "p.aivm", "--diff"]);
    assert!(
        stdout(&shown).contains("-    sequence <= (\n") && stdout(&shown).contains("+    switch <= (\n"),
        "{}",
        stdout(&shown)
    );
    let text = || std::fs::read_to_string(dir.path().join("p.aivm")).expect("the file");
    assert_eq!(text(), WRONG, "nothing was changed yet");
    let fixed = aivm(dir.path(), &["fix", "p.aivm"]);
    assert_eq!(fixed.status.code(), Some(0), "{}", stderr(&fixed));
    assert!(stderr(&fixed).contains("`->` is no arrow of this language"), "{}", stderr(&fixed));
    assert!(aivm(dir.path(), &["fmt", "p.aivm"]).status.success());
    assert_eq!(text(), RIGHT);
    let again = aivm(dir.path(), &["fix", "p.aivm", "--check"]);
    assert_eq!((again.status.code(), stderr(&again)), (Some(0), String::new()), "nothing is left");
}

#[test]
fn what_cannot_be_mended_is_told() {
    let dir = folder();
    write(dir.path(), "p.aivm", "out <= ( switch <= ( cleen -> send ) ) <= in\n");
    let report = json(&aivm(dir.path(), &["fix", "p.aivm", "--json", "--check"]));
    let file = &report["files"][0];
    assert_eq!(file["fixes"][0]["code"], "E0106", "{report}");
    assert_eq!(file["output"], "out <= ( switch <= ( cleen => send ) ) <= in\n", "{report}");
    assert_eq!(file["diagnostics"][0]["code"], "E0201", "a name is a guess: {report}");
    let guessed = aivm(dir.path(), &["fix", "p.aivm", "--names"]);
    assert_eq!(guessed.status.code(), Some(0), "{}", stderr(&guessed));
    let text = std::fs::read_to_string(dir.path().join("p.aivm")).expect("the file");
    assert_eq!(text, "out <= ( switch <= ( clean => send ) ) <= in\n");
}

#[test]
fn check_tells_scripts_what_would_mend_it() {
    let dir = folder();
    let text = "out <= ( switch <= ( clean -> send ) ) <= in\n";
    write(dir.path(), "p.aivm", text);
    let report = json(&aivm(dir.path(), &["check", "p.aivm", "--json"]));
    let edit = &report["files"][0]["diagnostics"][0]["fix"]["edits"][0];
    let at = |key: &str| edit[0][key].as_u64().unwrap_or_default() as usize;
    assert_eq!((&text[at("start")..at("end")], &edit[1]), ("->", &"=>".into()), "{report}");
}

#[test]
fn a_file_that_is_read_only_stays_as_it_is() {
    let dir = folder();
    let text = "out <= ( switch <= ( clean -> send ) ) <= in\n";
    write(dir.path(), "p.aivm", text);
    let file = dir.path().join("p.aivm");
    let mut permissions = std::fs::metadata(&file).expect("a file").permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&file, permissions).expect("its permissions");
    let fixed = aivm(dir.path(), &["fix", "p.aivm"]);
    assert_eq!(fixed.status.code(), Some(2));
    assert!(stderr(&fixed).contains("E0810") && stderr(&fixed).contains("read-only"), "{}", stderr(&fixed));
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), text);
}
