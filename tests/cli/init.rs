//! Files to begin with, and the schemas that editors check them by.

use super::{aivm, folder, json, stderr, stdout};
use aivm_host::builtin::violations;
use aivm_lang::library::Shelf;
use aivm_lang::workflow::{self, Format};
use serde_json::Value;
use std::path::{Path, PathBuf};

#[test]
fn what_is_begun_is_checked_and_runs_with_no_key() {
    for (what, file) in
        [("aivm", "pipeline.aivm"), ("workflow", "workflow.toml"), ("saga", "saga.yaml"), ("aitws", "aitws.toml")]
    {
        let dir = folder();
        let begun = aivm(dir.path(), &["init", what]);
        assert!(begun.status.success(), "{}", stderr(&begun));
        assert_eq!(stdout(&begun).trim(), format!("{file}: aivm run {file}"));
        let checked = aivm(dir.path(), &["check", file]);
        assert_eq!((checked.status.code(), stderr(&checked)), (Some(0), String::new()), "{what}");
        let ran = aivm(dir.path(), &["run", file, "--in", "a task\n"]);
        assert_eq!(ran.status.code(), Some(0), "{what}: {}", stderr(&ran));
        let again = aivm(dir.path(), &["init", what]);
        assert_eq!(again.status.code(), Some(2));
        assert!(stderr(&again).contains("E0839"), "{}", stderr(&again));
        let shown = aivm(dir.path(), &["init", what, "-"]);
        assert_eq!(stdout(&shown), std::fs::read_to_string(dir.path().join(file)).expect("the file"));
    }
}

#[test]
fn a_worker_and_settings_are_begun_where_they_are_looked_for() {
    let dir = folder();
    for what in ["worker", "config"] {
        assert!(aivm(dir.path(), &["init", what]).status.success());
    }
    super::write(dir.path(), "p.aivm", "out <= ( switch <= ( ask => send ) ) <= in\n");
    let checked = aivm(dir.path(), &["check", "p.aivm"]);
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
}

fn schema(dir: &Path, of: &str) -> Value {
    json(&aivm(dir, &["schema", of]))
}

/// What is written in TOML, as JSON.
fn toml(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(text).expect("TOML")).expect("JSON")
}

#[test]
fn a_schema_takes_what_is_read_and_nothing_else() {
    let dir = folder();
    let worker = schema(dir.path(), "worker");
    let mut seen = 0;
    for page in
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib/workers")).expect("the words").flatten()
    {
        let text = std::fs::read_to_string(page.path()).expect("a page");
        let (Some(settings), _) = aivm_schema::worker::split_front_matter(&text) else { continue };
        assert_eq!(violations(&worker, &toml(settings)), Ok(Vec::new()), "{}", page.path().display());
        seen += 1;
    }
    assert!(seen > 20);
    for wrong in [
        "timout = \"5m\"",
        "timeout = \"5 minutes\"",
        "mock = [{ verdit = \"x\" }]",
        "backoff = { wait = 3 }",
        "run = 5",
    ] {
        assert_ne!(violations(&worker, &toml(wrong)), Ok(Vec::new()), "{wrong}");
    }
    let template = |what: &str| stdout(&aivm(dir.path(), &["init", what, "-"]));
    assert_eq!(violations(&schema(dir.path(), "config"), &toml(&template("config"))), Ok(Vec::new()));
    assert_ne!(violations(&schema(dir.path(), "config"), &toml("[modls]\nx = 1")), Ok(Vec::new()));
}

/// All files below a folder whose names end so, however deep.
fn below(folder: &Path, ends: &[&str], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => below(&path, ends, found),
            false if ends.iter().any(|end| path.extension().is_some_and(|is| is == *end)) => found.push(path),
            false => {}
        }
    }
}

#[test]
fn the_schema_of_a_format_takes_every_file_that_is_read_and_no_misspelt_key() {
    let dir = folder();
    let shelf = Shelf { anything: true, ..Shelf::default() };
    let mut files = Vec::new();
    for part in ["cli/init", "examples", "tests"] {
        below(&Path::new(env!("CARGO_MANIFEST_DIR")).join(part), &["toml", "yaml"], &mut files);
    }
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path).expect("a text");
        let format = Format::of(&text);
        // What says nothing of a format, as settings and workers do not, is none of it.
        workflow::page(format, "x", &text, &shelf).ok().filter(|_| format != Format::Aivm)?;
        let value = if format == Format::Saga { serde_saphyr::from_str(&text).expect("YAML") } else { toml(&text) };
        Some((format, value))
    };
    for (format, at_least, wrong) in [
        (Format::Workflow, 2, "/steps/build"),
        (Format::Saga, 4, "/steps/0"),
        (Format::Aitws, 3, "/stages/0/actions/0"),
    ] {
        let schema = schema(dir.path(), format.word());
        let of_it = files.iter().filter_map(|path| Some((path, read(path)?)));
        let of_it: Vec<_> = of_it.filter(|(_, (of, _))| *of == format).collect();
        assert!(of_it.len() >= at_least, "{format:?}: {of_it:?}");
        for (path, (_, mut value)) in of_it {
            assert_eq!(violations(&schema, &value), Ok(Vec::new()), "{}", path.display());
            if let Some(Value::Object(keys)) = value.pointer_mut(wrong) {
                keys.insert("nmae".to_owned(), "x".into());
                assert_ne!(violations(&schema, &value), Ok(Vec::new()), "{}", path.display());
            }
            value["nmae"] = "x".into();
            assert_ne!(violations(&schema, &value), Ok(Vec::new()), "{}", path.display());
        }
    }
}
