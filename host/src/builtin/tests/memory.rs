//! Memory: what is done twice is done once, and taking it back is exact.

use super::super::memory::{Access, granted};
use super::super::{Context, Failure, Input, Output, find};
use crate::memory::{Edge, Filter, Memory, Note, Place};
use aivm_schema::worker::{Does, Settings, WorkerDefinition};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

/// A memory, and a run that uses it.
struct Ground {
    memory: Memory,
    runtime: tokio::runtime::Runtime,
    kept: tempfile::TempDir,
}

impl Ground {
    fn new() -> Ground {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Ground { memory: Memory::default(), runtime, kept: tempfile::tempdir().expect("a folder") }
    }

    fn call(&self, builtin: &str, key: &str, with: &[(&str, &str)], input: &str) -> Result<Output, Failure> {
        let media_type = if input.starts_with(['{', '[']) { "application/json" } else { "text/plain" };
        let input = Input { media_type, payload: input.as_bytes(), attributes: &[], parts: &[] };
        let with: Settings = with.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let granted = granted(&WorkerDefinition::new(Does::Builtin(builtin.to_owned())));
        let id = format!("id-of-{}", key.trim_end_matches("~undo"));
        let context = Context {
            with: &with,
            outcomes: &[],
            params: &BTreeMap::new(),
            workspace: Path::new("."),
            kept: self.kept.path(),
            memory: Some(Access {
                worker: "w",
                run: "r",
                id: &id,
                granted: &granted,
                memory: &self.memory,
                runtime: self.runtime.handle(),
            }),
            key: &key,
            cancelled: &|| false,
        };
        find(builtin).expect("a built-in").call(&input, &context)
    }

    fn notes(&self) -> Vec<Note> {
        self.runtime.block_on(self.memory.notes(&Place::Global, "", "", 100)).expect("notes")
    }

    fn edges(&self) -> Vec<Edge> {
        let edges = self.memory.edges(&Place::Global, None, &Filter::All, None, 100);
        self.runtime.block_on(edges).expect("edges")
    }
}

#[test]
fn a_call_that_is_repeated_changes_nothing_and_is_taken_back_whole() {
    let ground = Ground::new();
    let set = [("id", "vat")];
    ground.call("remember", "s/a#1", &set, "five").expect("remembered");
    let before = ground.notes();
    // The process was killed before anybody knew; the second call finds its own work, and what was there before is no other.
    for _ in 0..2 {
        ground.call("remember", "s/b#1", &set, "seven").expect("remembered");
        ground.call("remember", "s/c#1", &[], r#"["one", "two"]"#).expect("remembered");
        ground.call("relate", "s/d#1", &[], r#"{"from": "a", "relation": "is", "to": "b"}"#).expect("related");
        let forgotten = ground.call("forget", "s/e#1", &[], "vat\nnone").expect("forgotten");
        assert_eq!(forgotten.attribute("forgotten"), Some("1"));
    }
    let ids: Vec<String> = ground.notes().into_iter().map(|note| note.id).collect();
    assert_eq!(ids, ["id-of-s/c#1-1", "id-of-s/c#1-2"]);
    assert_eq!(ground.edges().len(), 1);
    for _ in 0..2 {
        for key in ["s/e#1~undo", "s/d#1~undo", "s/c#1~undo", "s/b#1~undo"] {
            ground.call("restore-memory", key, &[], "x").expect(key);
        }
    }
    assert_eq!((ground.notes(), ground.edges()), (before, Vec::new()));
}

#[test]
fn what_another_has_changed_since_then_is_not_touched() {
    let ground = Ground::new();
    ground.call("remember", "s/a#1", &[], r#"[{"id": "x", "text": "one"}, {"id": "y", "text": "two"}]"#).expect("it");
    ground.call("remember", "s/b#1", &[("id", "y")], "three").expect("it");
    let refused = ground.call("restore-memory", "s/a#1~undo", &[], "").expect_err("changed");
    assert_eq!(refused.code(), "E0743", "{refused}");
    assert_eq!(ground.notes().len(), 2, "all or nothing");
    let other = ground.call("remember", "s/b#1", &[("id", "y")], "four").expect_err("another call");
    assert_eq!(other.code(), "E0745", "{other}");
    let none = ground.call("restore-memory", "s/z#1~undo", &[], "").expect_err("nothing");
    assert_eq!(none.code(), "E0744", "{none}");
}
