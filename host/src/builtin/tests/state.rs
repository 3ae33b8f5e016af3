use super::*;
use std::fs;

fn filled(inputs: Value, state: Value) -> Value {
    let state = state.to_string();
    let output = call("inputs", json!({ "inputs": inputs })).of("application/json", &state).run().expect("filled");
    value(&output)
}

fn value(output: &Output) -> Value {
    let Body::New { payload, .. } = &output.body else { panic!("{output:?}") };
    serde_json::from_slice(payload).expect("JSON")
}

#[test]
fn a_template_is_a_path_through_the_state_and_nothing_else() {
    let state =
        json!({ "n": 7, "who": "Ann", "flag": true, "list": [1, "a"], "db": { "id": "x-1", "none": null, "a-b": 2 } });
    for (template, expected) in [
        ("{{n}}", json!(7)),
        ("{{ n }}", json!(7)),
        ("{{list}}", json!([1, "a"])),
        ("{{ db.none }}", Value::Null),
        ("{{db.a-b}}", json!(2)),
        ("{{db}}", state["db"].clone()),
        ("{{who}} has {{n}}, {{flag}}", json!("Ann has 7, true")),
        ("all: {{list}}", json!("all: [\n  1,\n  \"a\"\n]")),
        ("{{who}}{{n}}", json!("Ann7")),
        // What is not there, and what is no path, stays.
        ("{{nobody}}", json!("{{nobody}}")),
        ("{{db.nothing}} {{n.x}} {{list.0}}", json!("{{db.nothing}} {{n.x}} {{list.0}}")),
        ("{{}} {{ }} {{n", json!("{{}} {{ }} {{n")),
        ("{{n|upper}} {{ 1 + 1 }} {{{n}}}", json!("{{n|upper}} {{ 1 + 1 }} {7}")),
        ("{{ öl }} ä{{n}}ö", json!("{{ öl }} ä7ö")),
    ] {
        assert_eq!(filled(json!({ "x": template }), state.clone())["x"], expected, "{template}");
    }
    let deep = filled(json!({ "a": { "b": ["{{who}}", 1, { "{{who}}": "{{n}}" }] } }), state);
    assert_eq!(deep, json!({ "a": { "b": ["Ann", 1, { "{{who}}": 7 }] } }), "names are no templates");
}

#[test]
fn what_a_value_says_is_not_filled_in_again_and_what_templates_add_is_bounded() {
    let state = json!({ "a": "{{b}}", "b": "secret" });
    assert_eq!(filled(json!({ "x": "{{a}} and {{a}}" }), state), json!({ "x": "{{b}} and {{b}}" }));
    let large = json!({ "a": "x".repeat(1 << 20) }).to_string();
    let many = json!({ "inputs": { "x": "{{a}}".repeat(100) } });
    assert_eq!(call("inputs", many).of("application/json", &large).fails().0, "E0724");
    let whole = json!({ "inputs": { "x": vec!["{{a}}"; 100] } });
    assert_eq!(call("inputs", whole).of("application/json", &large).fails().0, "E0724");
}

#[test]
fn what_a_step_returns_becomes_part_of_the_state() {
    let merged = |state: &str, media_type: &'static str, output: &str| {
        call("merge-state", json!({}))
            .part("in", "application/json", state)
            .part("s", media_type, output)
            .run()
            .map(|output| value(&output))
    };
    let json_type = "application/json";
    assert_eq!(
        merged("{\"id\": 1, \"s\": 0}", json_type, "{\"id\": 2}").expect("merged"),
        json!({ "id": 2, "s": { "id": 2 } })
    );
    assert_eq!(
        merged("{}", "text/plain", "hello").expect("merged"),
        json!({ "output": "hello", "s": { "output": "hello" } })
    );
    assert_eq!(merged("{}", json_type, "[1]").expect("merged"), json!({ "output": [1], "s": { "output": [1] } }));
    let failed = merged("{}", json_type, "{\"success\": false, \"error\": \"disk full\"}").expect_err("it failed");
    assert_eq!((failed.code(), failed.to_string().contains("disk full")), ("E1093", true));
    assert_eq!(merged("[]", json_type, "{}").expect_err("no state").code(), "E0723");
    assert_eq!(call("merge-state", json!({})).of(json_type, "{}").fails().0, "E0723");
}

#[test]
fn a_state_begins_with_what_is_given() {
    let begun = |media_type: &'static str, input: &str| {
        value(&call("initial-state", json!({ "state": { "a": 1 } })).of(media_type, input).run().expect("begun"))
    };
    assert_eq!(begun("text/plain", ""), json!({ "a": 1 }));
    assert_eq!(begun("text/plain", "{\"a\": 2}"), json!({ "a": 2 }));
    assert_eq!(begun("text/plain", "hello"), json!({ "a": 1, "input": "hello" }));
    assert_eq!(begun("application/json", "[1]"), json!({ "a": 1, "input": [1] }));
}

#[test]
fn capabilities_stay_in_the_workspace_and_are_taken_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().canonicalize().expect("a path");
    let kept = folder.path().join(".aivm/undo");
    let (place, kept) = (place.as_path(), kept.as_path());
    let inside = |path: &str| place.join(path).display().to_string();
    let asked = |name: &str, inputs: Value| {
        let inputs = inputs.to_string();
        let mut call = call(name, json!({})).of("application/json", &inputs).within(place);
        call.kept = Some(kept);
        call.run().map(|output| value(&output))
    };
    let wrote = asked("io.fs.write_file", json!({ "path": inside("a.txt"), "content": "one" })).expect("written");
    assert_eq!(wrote["path"], "a.txt", "the workspace's own path is the same path");
    let evil = format!("{}-evil/x", place.display());
    for path in
        ["/etc/motd", evil.as_str(), "../x", &inside("../x"), "a/../../x", ".aivm/x", &inside(".git/config"), ""]
    {
        for name in ["io.fs.write_file", "io.fs.make_dir", "io.fs.read_file", "io.fs.delete"] {
            let refused = asked(name, json!({ "path": path, "content": "x" })).expect_err(path);
            assert_eq!(refused.code(), "E0727", "{name} {path}: {refused}");
        }
    }
    let refused = asked("io.fs.write_file", json!({ "path": "b/c.txt", "content": "x" })).expect_err("no folder");
    assert_eq!(refused.code(), "E0726");
    asked("io.fs.write_file", json!({ "path": "b/c.txt", "content": "x", "create_dirs": true })).expect("made");
    assert_eq!(asked("io.fs.make_dir", json!({ "path": "b" })).expect("there")["created"], false);
    assert!(asked("io.fs.make_dir", json!({ "path": "b", "exist_ok": false })).is_err());
    assert!(asked("io.fs.make_dir", json!({ "path": "x/y/z", "parents": false })).is_err());
    assert!(asked("io.fs.delete", json!({ "path": "b" })).is_err(), "a folder needs `recursive`");
    assert!(asked("io.fs.copy", json!({ "source": "a.txt", "dest": "b/c.txt" })).is_err(), "it would be replaced");
    assert_eq!(asked("io.fs.list_dir", json!({ "path": "b" })).expect("listed")["entries"], json!(["c.txt"]));
    for (name, inputs) in [
        ("io.fs.write_file", json!({ "path": "a.txt", "content": "two" })),
        ("io.fs.write_bytes", json!({ "path": "new", "content": "AA==" })),
        ("io.fs.make_dir", json!({ "path": "x/y" })),
        ("io.fs.delete", json!({ "path": "b", "recursive": true })),
        ("io.fs.move", json!({ "source": "a.txt", "destination": "x.txt" })),
        ("io.fs.copy", json!({ "source": "a.txt", "destination": "b/c.txt", "overwrite": true })),
        ("sys.archive.zip", json!({ "source": ["a.txt", "b"], "destination": "new" })),
    ] {
        let inputs = inputs.to_string();
        let key = fresh_key();
        let mut did = call(name, json!({})).of("application/json", &inputs).within(place);
        (did.kept, did.key) = (Some(kept), key.clone());
        did.run().expect(name);
        assert_eq!(find(name).and_then(Builtin::undo), Some("restore"), "{name}");
        let mut undo = call("restore", json!({})).within(place);
        (undo.kept, undo.key) = (Some(kept), format!("{key}~undo"));
        undo.run().expect(name);
        let text = |path: &str| fs::read_to_string(place.join(path)).ok();
        assert_eq!((text("a.txt").as_deref(), text("b/c.txt").as_deref()), (Some("one"), Some("x")), "{name}");
        assert!(["new", "x", "x.txt"].iter().all(|path| !place.join(path).exists()), "{name}");
    }
}

#[test]
fn an_archive_has_what_is_packed_and_nothing_else() {
    use std::io::Read;
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path();
    let kept = place.join(".aivm/undo");
    fs::create_dir_all(place.join("out/deep")).expect("folders");
    let long = "the same again ".repeat(10_000);
    for (path, text) in
        [("a.txt", "one"), ("out/b.txt", &long), ("out/deep/c.txt", ""), ("out/.hidden", "x"), ("other", "x")]
    {
        fs::write(place.join(path), text).expect("a file");
    }
    std::os::unix::fs::symlink("/etc/passwd", place.join("out/link")).expect("a link");
    let asked = |inputs: Value| {
        let inputs = inputs.to_string();
        let mut call = call("sys.archive.zip", json!({})).of("application/json", &inputs).within(place);
        call.kept = Some(&kept);
        call.run().map(|output| value(&output))
    };
    let packed =
        asked(json!({ "source": ["out", "a.txt", "./out/b.txt"], "destination": "out/all.zip" })).expect("packed");
    let bytes = fs::read(place.join("out/all.zip")).expect("an archive");
    assert_eq!(packed, json!({ "success": true, "path": "out/all.zip", "files": 3, "size": bytes.len() }));
    assert!(bytes.len() < long.len() / 10, "{} bytes", bytes.len());
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&bytes)).expect("an archive");
    let mut found = Vec::new();
    for nth in 0..archive.len() {
        let mut file = archive.by_index(nth).expect("a file");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("a text");
        found.push((file.name().expect("a name").into_owned(), text));
    }
    let expected = [("a.txt", "one"), ("out/b.txt", long.as_str()), ("out/deep/c.txt", "")];
    assert_eq!(found, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    // The archive is not in itself, and the same files give the same bytes.
    asked(json!({ "source": ["a.txt", "out"], "dest": "out/all.zip" })).expect("the same again");
    assert_eq!(fs::read(place.join("out/all.zip")).expect("an archive"), bytes);
    for (inputs, code) in [
        (json!({ "source": "/etc/passwd", "destination": "x.zip" }), "E0727"),
        (json!({ "source": "out/link", "destination": "x.zip" }), "E0727"),
        (json!({ "source": "a.txt", "destination": "../x.zip" }), "E0727"),
        (json!({ "source": "no", "destination": "x.zip" }), "E0726"),
        (json!({ "source": [], "destination": "x.zip" }), "E0726"),
        (json!({ "source": 1, "destination": "x.zip" }), "E0723"),
        (json!({ "source": "a.txt", "destination": "out/b.txt" }), "E0727"),
    ] {
        assert_eq!(asked(inputs.clone()).expect_err("refused").code(), code, "{inputs}");
    }
}
