//! Data sources: what workers are shown of them, and that nobody is shown anything else.

use super::{aivm, folder, json, stderr, stdout, write};
use serde_json::Value;
use std::path::Path;

const SETTINGS: &str = "[sources.docs]\npath = \"docs\"\nfilters = [\"*.md\"]\nrecursive = true\n";
const COUNT: &str = "+++
[worker.count]
run = \"cd $AIVM_STEP_SOURCES && find . -type f | sort && cat docs/a.md && (echo no > docs/a.md) 2>/dev/null; true\"
effect = \"read\"
sources = [\"docs\"]
+++
out <= ( switch[s] <= ( count => send ) ) <= in
";

fn project(program: &str) -> tempfile::TempDir {
    let dir = folder();
    write(dir.path(), "aivm.toml", SETTINGS);
    write(dir.path(), "p.aivm", program);
    write(dir.path(), "docs/a.md", "first page\n");
    write(dir.path(), "docs/in/b.md", "second page\n");
    write(dir.path(), "docs/c.txt", "no page\n");
    dir
}

fn looked(folder: &Path, args: &[&str]) -> Value {
    json(&aivm(folder, &[args, &["--json"]].concat()))
}

#[test]
fn a_command_has_the_files_and_the_run_keeps_what_it_saw() {
    let dir = project(COUNT);
    let report = looked(dir.path(), &["run", "p.aivm", "--in", "x"]);
    assert_eq!(report["output"]["text"], "./docs/a.md\n./docs/in/b.md\nfirst page\n", "{report}");
    assert_eq!(std::fs::read(dir.path().join("docs/a.md")).expect("a file"), b"first page\n", "its own are copies");
    // What it saw is there, whatever has become of the files.
    std::fs::remove_dir_all(dir.path().join("docs")).expect("gone");
    let output = report["output"]["checksum"].as_str().expect("a checksum");
    let shown = looked(dir.path(), &["artifact", "show", output]);
    let list = shown["attributes"]["sources"].as_str().expect("the list").to_owned();
    let lineage = looked(dir.path(), &["artifact", "lineage", output]);
    assert!(lineage["lineage"].as_array().is_some_and(|rows| rows.iter().any(|row| row["checksum"] == list.as_str())));
    let kept =
        looked(dir.path(), &["artifact", "ls", "--origin", "docs", "--role", "source", "--type", "text/markdown"]);
    let kept: Vec<String> = kept["artifacts"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| stdout(&aivm(dir.path(), &["artifact", "cat", row["checksum"].as_str().expect("one")])))
        .collect();
    assert_eq!(kept, ["first page\n", "second page\n"]);
    let run = report["run"].as_str().expect("a run");
    assert!(aivm(dir.path(), &["verify", run]).status.success());
    let again = looked(dir.path(), &["run", "p.aivm", "--in", "x"]);
    assert!(again["error"]["code"] == "E0842", "{again}");
}

#[test]
fn what_a_source_may_not_be_is_refused() {
    let dir = project(COUNT);
    let refused = |settings: &str| {
        write(dir.path(), "aivm.toml", settings);
        let report = aivm(dir.path(), &["run", "p.aivm", "--in", "x", "--json"]);
        let report = json(&report);
        report["error"]["code"].as_str().map(str::to_owned).unwrap_or_else(|| report.to_string())
    };
    assert_eq!(refused(""), "E0841");
    for path in ["gone", "../x", "p.aivm"] {
        let expected = if path == "../x" { "E0802" } else { "E0842" };
        assert_eq!(refused(&format!("[sources.docs]\npath = \"{path}\"\n")), expected, "{path}");
    }
    // Outside: the project alone cannot say it, and neither can a link.
    let outside = folder();
    write(outside.path(), "docs/a.md", "first page\n");
    let path = outside.path().join("docs").display().to_string();
    let external = format!("[sources.docs]\npath = \"{path}\"\nallow_external = true\n");
    assert_eq!(refused(&external), "E0843");
    assert_eq!(refused(&format!("{external}allowed = [\"/\"]\n")), "E0802");
    assert_eq!(refused(&format!("allowed = [\"/\"]\n{external}")), "E0802");
    let user = dir.path().join(".config/aivm");
    write(&user, "sources.toml", "allowed = [\"elsewhere\"]\n");
    assert_eq!(refused(&external), "E0845");
    write(&user, "sources.toml", &format!("allowed = [\"{}\"]\n", outside.path().display()));
    assert!(refused(&external).contains("first page"), "both have said it");
    std::os::unix::fs::symlink(outside.path().join("docs"), outside.path().join("link")).expect("a link");
    assert_eq!(refused(&external.replace("/docs\"", "/link\"")), "E0842");
    for (worker, why) in [
        ("builtin = \"clean\"\nsources = [\"docs\"]", "prompt"),
        ("run = \"true\"\neffect = \"pure\"\nsources = [\"docs\"]", "pure"),
    ] {
        write(
            dir.path(),
            "q.aivm",
            &format!("+++\n[worker.w]\n{worker}\n+++\nout <= ( switch <= ( w => send ) ) <= in\n"),
        );
        let told = stderr(&aivm(dir.path(), &["check", "q.aivm"]));
        assert!(told.contains("sources") && told.contains(why), "{told}");
    }
}

#[test]
fn sources_are_listed_shown_and_copied() {
    let dir = project(COUNT);
    let bundle = r#"{"globalDataSources": [
        {"name": "docs", "type": "local_directory", "local_path": "elsewhere"},
        {"name": "All of it", "type": "local_directory", "local_path": "docs", "description": "Everything"}
    ], "aiWorkerDefinitions": []}"#;
    write(dir.path(), "ai_worker_definitions.json", bundle);
    let listed = looked(dir.path(), &["source", "ls"]);
    let names: Vec<&str> =
        listed["sources"].as_array().expect("rows").iter().map(|row| row["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["All of it", "docs"]);
    assert_eq!(listed["sources"][1]["path"], "docs", "that of aivm.toml stands: {listed}");
    let shown = stdout(&aivm(dir.path(), &["source", "show", "docs"]));
    assert!(shown.contains("in/b.md") && shown.contains("2 files") && !shown.contains("c.txt"), "{shown}");
    assert!(stdout(&aivm(dir.path(), &["source", "show", "All of it"])).contains("c.txt"));
    assert!(stderr(&aivm(dir.path(), &["source", "show", "none"])).contains("E0841"));
    let dry = looked(dir.path(), &["source", "sync", "docs", "--dry-run"]);
    assert_eq!(dry["written"], serde_json::json!(["a.md", "in/b.md"]));
    let copy = dir.path().join(".aivm/sources/docs");
    assert!(!copy.exists());
    assert_eq!(looked(dir.path(), &["source", "sync", "docs"])["written"], dry["written"]);
    assert_eq!(std::fs::read(copy.join("in/b.md")).expect("a file"), b"second page\n");
    std::fs::remove_file(dir.path().join("docs/a.md")).expect("gone");
    let told = stdout(&aivm(dir.path(), &["source", "sync", "docs"]));
    assert!(told.contains("- a.md") && told.contains("1 the same"), "{told}");
    assert!(!copy.join("a.md").exists());
}

#[cfg(feature = "models")]
mod of_models {
    use super::super::fake::{Fake, text};
    use super::*;

    fn asked(settings: &str, worker: &str) -> (tempfile::TempDir, String, Value) {
        let fake = Fake::new(vec![text("said")]);
        let program = format!(
            "+++\n[worker.w]\nprompt = \"Say it.\"\nmodel = \"a/m\"\nsources = [\"docs\"]\n{worker}+++\nout <= ( switch[s] <= ( w => send ) ) <= in\n"
        );
        let dir = project(&program);
        write(dir.path(), "docs/large.md", &"long ".repeat(60_000));
        write(dir.path(), "aivm.toml", &format!("{SETTINGS}{settings}[provider.a]\nurl = \"{}\"\n", fake.url));
        let report = looked(dir.path(), &["run", "p.aivm", "--in", "the input"]);
        let asked = fake.asked()[0]["messages"].to_string();
        (dir, asked, report)
    }

    #[test]
    fn a_model_sees_the_files_before_what_flows_and_is_told_what_is_left_out() {
        let (dir, asked, report) = asked("", "");
        assert_eq!(report["output"]["text"], "said", "{report}");
        for part in
            ["<docs/a.md>", "first page", "<docs/in/b.md>", "docs/large.md (300000 bytes)", "left out", "the input"]
        {
            assert!(asked.contains(part), "{part}: {asked}");
        }
        assert!(asked.find("second page") < asked.find("the input"), "{asked}");
        assert!(!asked.contains("no page") && !asked.contains("long long"), "{asked}");
        let kept = looked(dir.path(), &["artifact", "ls", "--role", "source"]);
        assert_eq!(kept["artifacts"].as_array().map(Vec::len), Some(3), "two files and their list: {kept}");
    }

    #[test]
    fn with_a_context_it_sees_as_much_as_fits() {
        let (_dir, asked, _) = asked("", "context = \"6t\"\n");
        assert!(asked.contains("first page") && asked.contains("docs/in/b.md (12 bytes)"), "{asked}");
    }

    #[test]
    fn an_answer_is_kept_for_the_same_files_only() {
        let fake = Fake::new(vec![text("said")]);
        let program = "+++\n[worker.w]\nprompt = \"Say it.\"\nmodel = \"a/m\"\nsources = [\"docs\"]\ncache = \"1d\"\n+++\nout <= ( switch[s] <= ( w => send ) ) <= in\n";
        let dir = project(program);
        write(dir.path(), "aivm.toml", &format!("{SETTINGS}[provider.a]\nurl = \"{}\"\n", fake.url));
        let run = || {
            looked(dir.path(), &["run", "p.aivm", "--in", "the input"]);
            fake.asked().len()
        };
        assert_eq!((run(), run()), (1, 1));
        write(dir.path(), "docs/a.md", "another page\n");
        assert_eq!((run(), run()), (2, 2));
    }
}
