//! Effects on files, and their undoing: whatever was there before is there again, to the byte.

use super::*;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

/// A workspace with something in it, and where is kept what was there before.
struct Place {
    folder: tempfile::TempDir,
    kept: tempfile::TempDir,
}

/// Everything in a folder: what it is, its permissions and what is in it.
fn tree(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(at).expect("a folder").flatten() {
            let (path, about) = (entry.path(), fs::symlink_metadata(entry.path()).expect("there"));
            let what = match () {
                () if about.is_symlink() => format!("-> {}", fs::read_link(&path).expect("a link").display()),
                () if about.is_dir() => "folder".to_owned(),
                () => fs::read_to_string(&path).expect("a file"),
            };
            if about.is_dir() {
                folders.push(path.clone());
            }
            let mode = if about.is_symlink() { 0 } else { about.mode() & 0o7777 };
            found.insert(path.strip_prefix(folder).expect("within").to_owned(), format!("{mode:o} {what}"));
        }
    }
    found
}

impl Place {
    fn with(kept: tempfile::TempDir) -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place { folder, kept };
        fs::create_dir_all(place.path("a/deep/er")).expect("folders");
        for (name, text) in [("a/one", "1"), ("a/deep/er/two", "2"), ("script", "#!/bin/sh\n")] {
            fs::write(place.path(name), text).expect("a file");
        }
        fs::set_permissions(place.path("script"), fs::Permissions::from_mode(0o750)).expect("permissions");
        symlink("a/one", place.path("link")).expect("a link");
        symlink("../one", place.path("a/deep/link")).expect("a link");
        place
    }

    fn new() -> Place {
        Place::with(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tree(&self) -> BTreeMap<PathBuf, String> {
        tree(self.folder.path())
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }

    fn call<'t>(&'t self, name: &str, with: Value, key: &str) -> Try<'t> {
        let mut call = call(name, with).of("text/plain", "new").within(self.folder.path());
        (call.key, call.kept) = (key.to_owned(), Some(self.kept.path()));
        call
    }

    /// Puts back what the call at `key` did.
    fn restore(&self, key: &str) -> Result<(), (&'static str, String)> {
        let call = self.call("restore", json!({}), &format!("{key}~undo"));
        call.run().map(drop).map_err(|failure| (failure.code(), failure.to_string()))
    }
}

/// Every effect that there is, each on something else.
fn effects() -> Vec<(&'static str, Value)> {
    vec![
        ("write", json!({ "path": "new/folder/file" })),
        ("write", json!({ "path": "a/one" })),
        ("write", json!({ "path": "script" })),
        ("write", json!({ "path": "link" })),
        ("write", json!({ "path": "a/one", "append": true })),
        ("write", json!({ "path": "x", "append": true })),
        ("save", json!({})),
        ("save", json!({ "path": "a/deep/er/two" })),
        ("move", json!({ "from": "script", "to": "b/c/script" })),
        ("move", json!({ "from": "script", "to": "a/one", "replace": true })),
        ("move", json!({ "from": "a", "to": "b/c" })),
        ("move", json!({ "from": "link", "to": "a/link" })),
        ("remove", json!({ "path": "script" })),
        ("remove", json!({ "path": "link" })),
        ("remove", json!({ "path": "a", "deep": true })),
        ("mkdir", json!({ "path": "b/c/d" })),
        ("mkdir", json!({ "path": "a" })),
    ]
}

#[test]
fn each_effect_is_taken_back_to_the_byte() {
    for (name, with) in effects() {
        let place = Place::new();
        let before = place.tree();
        let effect = place.call(name, with.clone(), "s/x#1");
        effect.run().unwrap_or_else(|failure| panic!("{name} {with}: {failure}"));
        let after = place.tree();
        assert_eq!(before == after, name == "mkdir" && with["path"] == "a", "{name} {with}");
        // Its answer was lost in a crash: it is asked again, and does not take its own work for what was there.
        effect.run().unwrap_or_else(|failure| panic!("again, {name} {with}: {failure}"));
        assert_eq!(place.tree(), after, "{name} {with}");
        for _ in 0..2 {
            assert_eq!(place.restore("s/x#1"), Ok(()), "{name} {with}");
            assert_eq!(place.tree(), before, "{name} {with}");
        }
        assert_eq!(fs::read_dir(place.kept.path()).expect("a folder").count(), 1, "only the record is left");
        // A loop may do it again at the same place, when it was undone.
        effect.run().unwrap_or_else(|failure| panic!("anew, {name} {with}: {failure}"));
        assert_eq!(place.tree(), after, "{name} {with}");
        assert_eq!(place.restore("s/x#1"), Ok(()), "{name} {with}");
        assert_eq!(place.tree(), before, "{name} {with}");
    }
}

#[test]
fn several_effects_are_taken_back_in_reverse() {
    let place = Place::new();
    let before = place.tree();
    for (nth, (name, with)) in effects().into_iter().enumerate() {
        // Some find nothing any more: they fail, and change nothing.
        let between = place.tree();
        if place.call(name, with, &format!("s/x#{nth}")).run().is_err() {
            assert_eq!(place.tree(), between);
        }
    }
    for nth in (0..effects().len()).rev() {
        let restored = place.restore(&format!("s/x#{nth}"));
        assert!(restored.is_ok() || restored.as_ref().is_err_and(|(code, _)| *code == "E0744"), "{nth}: {restored:?}");
    }
    assert_eq!(place.tree(), before);
}

#[test]
fn another_file_system_makes_no_difference() {
    let Ok(kept) = tempfile::tempdir_in("/dev/shm") else { return };
    let elsewhere = fs::metadata(kept.path()).expect("a folder").dev();
    if fs::metadata(std::env::temp_dir()).expect("a folder").dev() == elsewhere {
        return;
    }
    for (name, with) in effects() {
        let place = Place::with(tempfile::tempdir_in("/dev/shm").expect("a folder"));
        let before = place.tree();
        let effect = place.call(name, with.clone(), "s/x#1");
        for _ in 0..2 {
            effect.run().unwrap_or_else(|failure| panic!("{name} {with}: {failure}"));
        }
        for _ in 0..2 {
            assert_eq!(place.restore("s/x#1"), Ok(()), "{name} {with}");
            assert_eq!(place.tree(), before, "{name} {with}");
        }
    }
}

/// The process was killed after the record was durable, and before or while the effect was done.
#[test]
fn an_effect_that_was_interrupted_is_done_when_it_is_repeated() {
    let place = Place::new();
    let before = place.tree();
    let write = place.call("write", json!({ "path": "a/one", "append": true }), "s/w#1");
    write.run().expect("written");
    fs::write(place.path("a/one"), "1").expect("as before");
    let stray = fs::read_dir(place.kept.path()).expect("a folder").flatten().next().expect("the record").file_name();
    let stray = stray.to_string_lossy().chars().take(32).collect::<String>();
    fs::write(place.path(&format!("a/.{stray}.0.tmp")), "ne").expect("half of it");
    write.run().expect("repeated");
    assert_eq!(place.text("a/one"), "1new");
    assert!(!place.path(&format!("a/.{stray}.0.tmp")).exists(), "what was half done is cleaned up");
    assert_eq!(place.restore("s/w#1"), Ok(()));
    assert_eq!(place.tree(), before);

    let remove = place.call("remove", json!({ "path": "a", "deep": true }), "s/r#1");
    remove.run().expect("removed");
    let aside = fs::read_dir(place.kept.path()).expect("a folder").flatten().map(|entry| entry.path());
    let aside = aside.into_iter().find(|path| path.is_dir()).expect("the folder");
    fs::rename(aside, place.path("a")).expect("as before");
    assert_eq!(place.tree(), before);
    remove.run().expect("repeated");
    assert!(!place.path("a").exists());
    assert_eq!(place.restore("s/r#1"), Ok(()));
    assert_eq!(place.tree(), before);
}

#[test]
fn what_was_changed_meanwhile_is_not_destroyed() {
    type Change = fn(&Place);
    let cases: [(&str, Value, Change, &str); 7] = [
        ("write", json!({ "path": "a/one" }), |p| fs::write(p.path("a/one"), "mine").expect("written"), "a/one"),
        (
            "write",
            json!({ "path": "x" }),
            |p| fs::remove_file(p.path("x")).and(fs::create_dir(p.path("x"))).expect("a folder"),
            "x",
        ),
        ("move", json!({ "from": "script", "to": "b" }), |p| fs::write(p.path("b"), "mine").expect("written"), "b"),
        (
            "move",
            json!({ "from": "script", "to": "b" }),
            |p| fs::write(p.path("script"), "mine").expect("written"),
            "script",
        ),
        ("remove", json!({ "path": "script" }), |p| fs::write(p.path("script"), "mine").expect("written"), "script"),
        ("remove", json!({ "path": "a", "deep": true }), |p| fs::create_dir(p.path("a")).expect("a folder"), "a"),
        ("mkdir", json!({ "path": "b" }), |p| fs::write(p.path("b/mine"), "mine").expect("written"), "b"),
    ];
    for (name, with, change, path) in cases {
        let place = Place::new();
        let effect = place.call(name, with.clone(), "s/x#1");
        effect.run().expect(name);
        change(&place);
        let between = place.tree();
        let (code, message) = place.restore("s/x#1").expect_err(name);
        assert_eq!(code, "E0743", "{name} {with}: {message}");
        assert!(message.starts_with(&format!("`{path}` was changed meanwhile: ")), "{message}");
        assert_eq!(place.tree(), between, "{name} {with}");
        if name != "mkdir" {
            assert_eq!(effect.fails().0, "E0743", "{name} {with}, repeated");
            assert_eq!(place.tree(), between, "{name} {with}");
        }
    }
}

#[test]
fn folders_that_were_made_go_only_while_they_are_empty() {
    let place = Place::new();
    place.call("write", json!({ "path": "b/c/file" }), "s/x#1").run().expect("written");
    fs::write(place.path("b/other"), "mine").expect("written");
    assert_eq!(place.restore("s/x#1"), Ok(()));
    assert!(!place.path("b/c").exists(), "it made that and nobody else uses it");
    assert_eq!(place.text("b/other"), "mine");
}

#[test]
fn a_call_that_fails_has_changed_nothing() {
    let place = Place::new();
    let before = place.tree();
    let mut parts = place.call("write", json!({ "path": "b/{name}/x" }), "s/x#1");
    parts = parts.part("1", "text/plain", "1").part("2", "text/plain", "2").part("3", "text/plain", "3");
    // Stopped after the first.
    let looks = Cell::new(0);
    let stopped = parts.run_unless(&|| looks.replace(looks.get() + 1) >= 1).expect_err("stopped");
    assert_eq!(stopped.code(), "E0731");
    assert_eq!(looks.get(), 2);
    assert_eq!(place.tree(), before);
    assert_eq!(fs::read_dir(place.kept.path()).expect("a folder").count(), 0, "nothing is kept");
    assert_eq!(place.restore("s/x#1").expect_err("nothing was kept").0, "E0744");
    for (name, with, code) in [
        ("write", json!({ "path": "a" }), "E0727"),
        ("write", json!({ "path": "a/one", "replace": false }), "E0727"),
        ("write", json!({ "path": "a/one/x" }), "E0727"),
        ("write", json!({ "path": ".aivm/store.db" }), "E0727"),
        ("move", json!({ "from": "a/one", "to": "script" }), "E0727"),
        ("move", json!({ "from": "a", "to": "a/deep/a" }), "E0727"),
        ("move", json!({ "from": "a", "to": "script", "replace": true }), "E0727"),
        ("move", json!({ "from": "script", "to": "a" }), "E0727"),
        ("move", json!({ "from": "nothing", "to": "b" }), "E0726"),
        ("move", json!({ "from": "script", "to": "../x" }), "E0727"),
        ("move", json!({ "from": ".git/x", "to": "b" }), "E0727"),
        ("remove", json!({ "path": "a" }), "E0727"),
        ("remove", json!({ "path": "." , "deep": true }), "E0727"),
        ("remove", json!({ "path": "nothing/at/all" }), "E0726"),
        ("mkdir", json!({ "path": "script" }), "E0727"),
        ("mkdir", json!({ "path": "script/x" }), "E0727"),
    ] {
        let effect = place.call(name, with.clone(), "s/x#1");
        assert_eq!(effect.fails().0, code, "{name} {with}");
        assert_eq!(place.tree(), before, "{name} {with}");
    }
    let missing = place.call("remove", json!({ "path": "nothing" }), "s/x#1").hears(&["missing"]);
    assert_eq!(missing.verdict().as_deref(), Some("missing"));
}

#[test]
fn what_programs_may_not_touch_is_not_taken_along() {
    let place = Place::new();
    fs::create_dir_all(place.path("a/deep/.git/hooks")).expect("folders");
    symlink(place.kept.path(), place.path("out")).expect("a link");
    let before = place.tree();
    for (name, with) in [
        ("remove", json!({ "path": "a", "deep": true })),
        ("move", json!({ "from": "a", "to": "b" })),
        ("remove", json!({ "path": "out/x", "deep": true })),
        ("move", json!({ "from": "script", "to": "out/x" })),
        ("mkdir", json!({ "path": "out/x" })),
    ] {
        assert_eq!(place.call(name, with.clone(), "s/x#1").fails().0, "E0727", "{name} {with}");
        assert_eq!(place.tree(), before, "{name} {with}");
    }
}

#[test]
fn an_undoer_may_be_a_definition() {
    let place = Place::new();
    let before = place.tree();
    place.call("write", json!({ "path": "a/one" }), "s/x#1").run().expect("written");
    let inner = place.call("restore", json!({}), "s/x#1~undo/switch.1/restore#1");
    inner.run().expect("restored");
    assert_eq!(place.tree(), before);
}

#[test]
fn what_is_kept_is_checked() {
    let place = Place::new();
    place.call("write", json!({ "path": "a/one" }), "s/x#1").run().expect("written");
    for entry in fs::read_dir(place.kept.path()).expect("a folder").flatten() {
        fs::write(entry.path(), "{}").expect("damaged");
        let (code, message) = place.restore("s/x#1").expect_err("damaged");
        assert_eq!(code, "E0745", "{message}");
    }
    assert_eq!(place.text("a/one"), "new");
}

#[test]
fn a_file_that_is_replaced_leaves_its_permissions() {
    let place = Place::new();
    place.call("write", json!({ "path": "script" }), "s/x#1").run().expect("written");
    assert_eq!(fs::metadata(place.path("script")).expect("there").mode() & 0o777, 0o750);
}

/// A call of a tool with JSON.
fn tool(place: &Place, name: &str, key: &str, input: &Value) -> Result<Output, Failure> {
    let input = input.to_string();
    let mut call = place.call(name, json!({}), key).of("application/json", &input);
    call.key = key.to_owned();
    call.run()
}

#[test]
fn a_model_takes_back_what_its_tools_did_one_by_one() {
    let place = Place::new();
    let before = place.tree();
    let did = |name: &str, key: &str, input: Value| tool(&place, name, &format!("s/ask#1/tool/{key}"), &input);
    did("write-file", "write-file#1", json!({ "path": "a/one", "content": "other" })).expect("written");
    did("edit-file", "edit-file#1", json!({ "path": "a/one", "old": "oth", "new": "bett" })).expect("edited");
    assert_eq!(place.text("a/one"), "better");
    // What another visit did is not its own.
    tool(&place, "write-file", "s/ask#2/tool/write-file#1", &json!({ "path": "b", "content": "b" })).expect("written");
    let undo = |key: &str| did("undo", key, json!({}));
    undo("undo#1").expect("taken back");
    assert_eq!(place.text("a/one"), "other");
    // Repeated after it was killed, it takes back no more than it did.
    undo("undo#1").expect("again");
    assert_eq!(place.text("a/one"), "other");
    undo("undo#2").expect("taken back");
    assert_eq!(place.text("a/one"), "1");
    assert_eq!(undo("undo#3").expect_err("nothing left").code(), "E0744");
    // The rollback of the run finds that done.
    place.restore("s/ask#1/tool/edit-file#1").expect("restored");
    place.restore("s/ask#1/tool/write-file#1").expect("restored");
    did("undo", "undo#4", json!({ "step": "ask#2/tool/write-file#1" })).expect("by name");
    assert_eq!(place.tree(), before);
}

#[test]
fn what_somebody_else_changed_is_not_taken_back() {
    let place = Place::new();
    tool(&place, "write-file", "s/ask#1/tool/write-file#1", &json!({ "path": "a/one", "content": "2" })).expect("done");
    fs::write(place.path("a/one"), "theirs").expect("a file");
    let failure = tool(&place, "undo", "s/ask#1/tool/undo#1", &json!({})).expect_err("changed");
    assert!(failure.to_string().contains("a/one"), "{failure}");
    assert_eq!(place.text("a/one"), "theirs");
}

#[test]
fn an_edit_that_was_interrupted_is_not_made_twice() {
    let place = Place::new();
    let edit =
        || tool(&place, "edit-file", "s/ask#1/tool/edit-file#1", &json!({ "path": "a/one", "old": "1", "new": "11" }));
    let first = edit().expect("edited");
    assert_eq!(edit().expect("again"), first);
    assert_eq!(place.text("a/one"), "11");
    assert_eq!(
        tool(&place, "edit-file", "s/x#1", &json!({ "path": "a/one", "old": "1", "new": "2" }))
            .expect_err("twice")
            .code(),
        "E0725"
    );
}
