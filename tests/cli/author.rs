//! `aivm author`: aiTWS by commands, on standard input.

use super::{command, folder, json, stderr, stdout};
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

const SAMPLE: &str = include_str!("../samples/aitws/ai.toml");
const COMMANDS: &str = include_str!("../samples/aitws/add_commands.txt");

fn author(folder: &Path, args: &[&str], lines: &str) -> Output {
    let mut author = command(folder, &[&["author"], args].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("aivm runs");
    author.stdin.take().expect("an input").write_all(lines.as_bytes()).expect("it reads");
    author.wait_with_output().expect("it ends")
}

fn saved(folder: &Path, lines: &str) -> String {
    let said = author(folder, &["ai.toml"], &format!("{lines}\n/save\n"));
    assert_eq!(said.status.code(), Some(0), "{}{}", stdout(&said), stderr(&said));
    std::fs::read_to_string(folder.join("ai.toml")).expect("a file")
}

#[test]
fn every_command_of_the_seed_works_and_leaves_a_sound_file() {
    let dir = folder();
    let text = saved(dir.path(), &format!("/create Mine\n{COMMANDS}"));
    assert!(COMMANDS.lines().filter(|line| line.starts_with("/add ")).count() >= 9);
    for name in [
        "DataScientist",
        "SecondaryRepo",
        "NoSQLDatabase",
        "ModelErrorEvent",
        "ModelErrorTrigger",
        "CPUUsageMonitor",
        "SlackNotification",
        "DataProcessingPipeline",
        "FixBug123",
    ] {
        assert!(text.contains(&format!("name = \"{name}\"")), "{name}: {text}");
    }
    let more = "/add templates name=\"T\" language=\"Rust\" url=\"https://a.example\"\n/add dependencies name=\"serde\" version=\"1\"\n\
        /add handlers name=\"HandleModelError\" action=\"notify\"\n/add stages name=\"Go\" order=1\n\
        /add actions stage=\"Go\" name=\"First\" type=\"clean\"\n/add error_handling retry_count=2";
    saved(dir.path(), more);
    let checked = super::aivm(dir.path(), &["check", "ai.toml", "--json"]);
    assert_eq!(checked.status.code(), Some(0), "{}", stdout(&checked));
    let shown = super::aivm(dir.path(), &["fmt", "--to", "aivm", "ai.toml"]);
    assert!(stdout(&shown).contains("clean => next | retry * 2"), "{}", stdout(&shown));
}

#[test]
fn comments_and_order_stay_and_what_has_a_name_is_changed() {
    let dir = folder();
    super::write(dir.path(), "ai.toml", SAMPLE);
    assert_eq!(saved(dir.path(), "/show"), SAMPLE, "nothing was asked for");
    let text = saved(
        dir.path(),
        "/add communication port=8443\n/add roles name=\"Developer\" privileges=[\"read\"]\n/add roles name=\"Auditor\"\n/remove templates name=\"Rust Template\"",
    );
    let expected = SAMPLE
        .replace("port = 443 # Port", "port = 8443 # Port")
        .replace("name = \"Developer\"\nprivileges = [\"read\", \"write\", \"execute\"]\n", "name = \"Developer\"\nprivileges = [\"read\"]\n\n[[roles]]\nname = \"Auditor\"\n")
        .replace(
            "# Supported languages: Rust, Python, JavaScript, and others\n[[templates]]\nname = \"Rust Template\"\nlanguage = \"Rust\"\nurl = \"https://github.com/example/rust-template.git\"\n\n",
            "",
        );
    assert_eq!(text, expected);
}

#[test]
fn passwords_are_masked_where_they_are_shown_and_stay_in_the_file() {
    let dir = folder();
    let said =
        author(dir.path(), &["ai.toml"], &format!("/create\n{COMMANDS}\n/show\n/show external_services\n/save\n"));
    let shown = stdout(&said);
    assert!(shown.contains("mongodb://user:***@example.com:27017/dbname"), "{shown}");
    for secret in ["user:password", "T00000000/B00000000"] {
        assert!(!shown.contains(secret) && !stderr(&said).contains(secret), "{shown}");
        assert!(std::fs::read_to_string(dir.path().join("ai.toml")).expect("a file").contains(secret));
    }
}

#[test]
fn a_mistake_explains_itself_and_changes_nothing() {
    let dir = folder();
    super::write(dir.path(), "ai.toml", SAMPLE);
    for (line, code, way_out) in [
        ("/ad roles name=\"x\"", "E1060", "did you mean `/add`?"),
        ("/add role name=\"x\"", "E1061", "did you mean `roles`?"),
        ("/add roles name=\"x", "E1062", "write name=\"…\""),
        ("/add roles name=Data", "E1062", "write name=\"…\""),
        ("/add roles name=\"x\" privilege=[\"read\"]", "E1063", "did you mean `privileges`?"),
        ("/add communication port=\"many\"", "E1063", "/add communication"),
        ("/add logging level=\"loud\"", "E1063", "/add logging"),
        ("/add roles privileges=[\"read\"]", "E1064", "/add roles name="),
        ("/add stages name=\"\" order=3", "E1064", "/add stages name="),
        ("/add actions stage=\"Nowhere\" name=\"x\"", "E1065", "/add stages name=\"Nowhere\""),
        ("/remove roles name=\"Nobody\"", "E1065", "/show roles"),
        ("/load nowhere.toml", "E0801", ""),
    ] {
        let said = author(dir.path(), &["ai.toml"], &format!("{line}\n/save\n"));
        assert_eq!(said.status.code(), Some(2), "{line}");
        let told = stderr(&said);
        assert!(told.starts_with("line 1: ") && told.contains(code) && told.contains(way_out), "{line}: {told}");
        assert_eq!(std::fs::read_to_string(dir.path().join("ai.toml")).expect("a file"), SAMPLE, "{line}");
    }
    super::write(dir.path(), "workflow.toml", "[steps.a]\nrun = \"make\"\n");
    let steps = author(dir.path(), &["workflow.toml"], "/show\n");
    assert!(steps.status.code() == Some(2) && stderr(&steps).contains("E1066"), "{}", stderr(&steps));
    let nowhere = author(dir.path(), &[], "/create\n/save\n");
    assert!(nowhere.status.code() == Some(2) && stderr(&nowhere).contains("E1067"));
    super::write(dir.path(), "broken.toml", "[[roles]\n");
    let broken = author(dir.path(), &["broken.toml"], "/show\n");
    assert!(broken.status.code() == Some(2) && stderr(&broken).contains("E1066"), "{}", stderr(&broken));
}

#[test]
fn what_is_not_saved_is_told_and_json_has_a_row_for_each_line() {
    let dir = folder();
    let said = author(dir.path(), &["ai.toml"], "/add roles name=\"x\"\n");
    assert!(said.status.success() && stderr(&said).contains("not saved") && !dir.path().join("ai.toml").exists());
    let said = author(dir.path(), &["ai.toml", "--json"], "/add roles name=\"x\"\n/add rols name=\"y\"\n/save\n");
    let report = json(&said);
    assert_eq!(said.status.code(), Some(2));
    assert_eq!(report["saved"], true);
    assert_eq!(report["lines"][0]["said"], "added roles `x`");
    assert_eq!(report["lines"][1]["error"]["code"], "E1061");
}

#[test]
fn help_shows_every_command_of_the_seed() {
    let dir = folder();
    let said = stdout(&author(dir.path(), &[], "/help\n/help branches\n/add [section] [parameters]\n"));
    for command in ["/help", "/create", "/load", "/save", "/show", "/add", "/remove"] {
        assert!(said.contains(command), "{said}");
    }
    assert!(said.contains("branches: name, condition, if_true, if_false"), "{said}");
}

#[test]
fn what_cannot_be_run_is_neither_added_nor_loaded() {
    let dir = folder();
    super::write(dir.path(), "types.toml", "[metadata]\nversion = 1\n");
    for (line, code) in [
        ("/add conditions name=\"c\" when=\"size((\"", "E1063"),
        ("/add stages name=\"\" order=3", "E1064"),
        ("/load types.toml", "E1066"),
    ] {
        let said = author(dir.path(), &[], &format!("{line}\n/show\n"));
        assert_eq!(said.status.code(), Some(2), "{line}: {}", stderr(&said));
        assert!(stderr(&said).contains(code) && stdout(&said).trim().is_empty(), "{line}: {}", stderr(&said));
    }
}
