use super::*;
use std::fs;
use std::os::unix::fs::symlink;

fn save(workspace: &Path, path: &str, payload: &str) -> Result<Output, Failure> {
    call("save", json!({ "path": path })).of("text/plain", payload).within(workspace).run()
}

fn read<'t>(workspace: &'t Path, path: &str) -> Try<'t> {
    call("read", json!({ "path": path })).within(workspace)
}

#[test]
fn what_is_saved_can_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = save(folder.path(), "a/b/c.md", "# x").expect("saved");
    assert_eq!((output.attribute("path"), &output.body), (Some("a/b/c.md"), &Body::Same));
    let read = read(folder.path(), "a/b/c.md").run().expect("read");
    assert_eq!(read.body, Body::New { media_type: "text/markdown".into(), payload: b"# x".into() });
    save(folder.path(), "a/b/c.md", "# y").expect("replaced");
    assert_eq!(fs::read_to_string(folder.path().join("a/b/c.md")).expect("file"), "# y");
    assert_eq!(fs::read_dir(folder.path().join("a/b")).expect("folder").count(), 1, "nothing stays behind");
}

#[test]
fn saving_the_same_again_touches_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x");
    save(folder.path(), "x", "1").expect("saved");
    let before = fs::metadata(&path).expect("file").modified().expect("time");
    save(folder.path(), "x", "1").expect("saved again");
    assert_eq!(fs::metadata(&path).expect("file").modified().expect("time"), before);
    let keep = |payload: &str| {
        let call = call("save", json!({ "path": "x", "replace": false }))
            .of("text/plain", payload)
            .within(folder.path())
            .run();
        call.map(|_| ()).map_err(|failure| failure.code())
    };
    assert_eq!(keep("1"), Ok(()));
    assert_eq!(keep("2"), Err("E0727"));
    assert_eq!(fs::read_to_string(&path).expect("file"), "1");
}

#[test]
fn the_default_path_is_made_of_the_content() {
    let folder = tempfile::tempdir().expect("a folder");
    let saved = |payload: &str| {
        let output =
            call("save", json!({})).of("application/json", payload).within(folder.path()).run().expect("saved");
        output.attribute("path").expect("a path").to_owned()
    };
    let (one, two) = (saved("{}"), saved("[]"));
    assert!(one.starts_with("saved/") && one.ends_with(".json") && one != two && one == saved("{}"), "{one}");
}

#[test]
fn no_path_leads_out_of_the_workspace() {
    let outside = tempfile::tempdir().expect("a folder");
    let inside = tempfile::tempdir().expect("a folder");
    let (outside, inside) = (outside.path(), inside.path());
    fs::write(outside.join("secret.txt"), "secret").expect("file");
    fs::create_dir(inside.join("real")).expect("folder");
    symlink(outside, inside.join("link")).expect("link");
    symlink(outside.join("secret.txt"), inside.join("file")).expect("link");
    symlink(outside.join("new.txt"), inside.join("dangling")).expect("link");
    symlink(inside.join("real"), inside.join("loop")).expect("link");
    let absolute = outside.join("secret.txt").display().to_string();
    for path in [
        "../secret.txt",
        "real/../../secret.txt",
        "..",
        absolute.as_str(),
        "link/secret.txt",
        "link/new.txt",
        "loop/x",
        ".aivm/store.db",
        ".git/hooks/pre-commit",
        "real/.GIT/config",
        "./.jj/x",
        "nul\0byte",
    ] {
        assert_eq!(save(inside, path, "x").expect_err(path).code(), "E0727", "{path}");
        assert_eq!(read(inside, path).run().expect_err(path).code(), "E0727", "{path}");
    }
    for path in ["file", "dangling"] {
        assert_eq!(read(inside, path).run().expect_err(path).code(), "E0727", "{path}");
        // A link at the end is replaced, never followed.
        save(inside, path, "mine").expect(path);
        assert!(!fs::symlink_metadata(inside.join(path)).expect(path).is_symlink());
    }
    assert_eq!(fs::read_to_string(outside.join("secret.txt")).expect("file"), "secret");
    assert_eq!(fs::read_dir(outside).expect("folder").count(), 1);
    assert!(save(inside, "", "x").is_err() && save(inside, "real", "x").is_err() && save(inside, "a/", "x").is_ok());
}

#[test]
fn what_is_filled_in_is_one_plain_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let (long, long_path) = ("ö".repeat(300), format!("out/{}", "ö".repeat(50)));
    for (name, path) in [
        ("../../etc/passwd", "out/-..-etc-passwd"),
        ("..", "out/-"),
        (".git", "out/git"),
        ("", "out/-"),
        ("ü/ö\0", "out/ü-ö-"),
        ("a b", "out/a-b"),
        (long.as_str(), long_path.as_str()),
    ] {
        let call = call("save", json!({ "path": "out/{name}" })).part(name, "text/plain", name).within(folder.path());
        assert_eq!(call.run().expect(name).attribute("path"), Some(path), "{name:?}");
        let mut attribute =
            super::call("save", json!({ "path": "out/{attribute.a}" })).of("text/plain", "x").within(folder.path());
        attribute.attributes.push(("a".into(), name.into()));
        assert_eq!(attribute.run().expect(name).attribute("path"), Some(path), "{name:?}");
    }
    assert_eq!(call("save", json!({ "path": "{nome}" })).fails().0, "E0722");
    assert_eq!(call("save", json!({ "path": "{name" })).fails().0, "E0722");
    assert_eq!(call("save", json!({ "path": "{param.x}" })).within(folder.path()).fails().0, "E0723");
    assert_eq!(call("save", json!({ "path": "../x" })).fails().0, "E0727");
}

#[test]
fn parts_are_saved_each_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let parts = |path: &str| {
        call("save", json!({ "path": path }))
            .part("a", "text/plain", "1")
            .part("a", "text/plain", "2")
            .within(folder.path())
    };
    assert_eq!(parts("{name}.{ext}").fails().0, "E0727");
    assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 0);
    assert_eq!(parts("{n}-{name}.{ext}").run().expect("saved").attribute("saved"), Some("2"));
    assert_eq!(fs::read_to_string(folder.path().join("2-a.txt")).expect("file"), "2");
}

#[test]
fn a_folder_is_read_in_order_without_what_is_hidden() {
    let folder = tempfile::tempdir().expect("a folder");
    for path in ["d/b.txt", "d/a.md", "d/.env", "d/deep/c.csv", "d/.git/config"] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("folders");
        fs::write(path, "x").expect("file");
    }
    symlink("/etc/passwd", folder.path().join("d/passwd.txt")).expect("link");
    fs::write(folder.path().join("d/binary"), b"\xff\xfe").expect("file");
    let names = |with: Value| match call("read", with).within(folder.path()).run().expect("read").body {
        Body::Parts(parts) => {
            parts.into_iter().map(|part| format!("{} {}", part.name, part.media_type)).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(
        names(json!({ "path": "d" })),
        ["a.md text/markdown", "b.txt text/plain", "binary application/octet-stream", "deep/c.csv text/csv"]
    );
    assert_eq!(names(json!({ "path": "d", "deep": false, "extensions": ["MD", "csv"] })), ["a.md text/markdown"]);
    assert_eq!(call("read", json!({ "path": "d", "most": 3 })).within(folder.path()).fails().0, "E0724");
    let none = call("read", json!({ "path": "d", "extensions": ["pdf"] })).within(folder.path());
    assert_eq!(none.fails().0, "E0726");
    assert_eq!(read(folder.path(), "none").hears(&["missing"]).verdict().as_deref(), Some("missing"));
    assert_eq!(read(folder.path(), "none").fails().0, "E0726");
}

#[test]
fn what_fits_is_collected_once_and_nothing_that_lies_elsewhere() {
    let folder = tempfile::tempdir().expect("a folder");
    for path in ["top.md", "d/a.md", "d/.env", "d/deep/b.md", "d/deep/c.txt", "d/.git/x.md"] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("folders");
        fs::write(path, "x").expect("file");
    }
    symlink("/etc/passwd", folder.path().join("d/passwd.md")).expect("link");
    symlink("/etc", folder.path().join("etc")).expect("link");
    let collect = |with: Value| call("collect", with).within(folder.path());
    let names =
        |files: Value| match collect(json!({ "files": files, "required": false })).run().expect("collected").body {
            Body::Parts(parts) => parts.into_iter().map(|part| part.name).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
    assert_eq!(names(json!(["*.md"])), ["top.md"], "in this folder alone");
    assert_eq!(names(json!(["**/*.md", "./d"])), ["d/a.md", "d/deep/b.md", "d/deep/c.txt", "top.md"]);
    assert_eq!(names(json!(["d/*/[bc].*", "d/.env", "none", "e*/passwd"])), ["d/.env", "d/deep/b.md", "d/deep/c.txt"]);
    for (with, code) in [
        (json!({ "files": ["**"], "most": 3 }), "E0724"),
        (json!({ "files": ["top.md", "*.pdf"] }), "E0726"),
        (json!({ "files": ["d/passwd.md"] }), "E0727"),
        (json!({ "files": ["etc/passwd"] }), "E0727"),
        (json!({ "files": ["../*"] }), "E0727"),
        (json!({ "files": ["[z-a]"] }), "E0722"),
        (json!({ "files": ["top.md"], "retention": "a year" }), "E0722"),
    ] {
        assert_eq!(collect(with.clone()).fails().0, code, "{with}");
    }
}

#[test]
fn a_pipe_is_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.path().join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .expect("a pipe");
    assert_eq!(read(folder.path(), "pipe").fails().0, "E0727");
}

fn tool(workspace: &Path, name: &str, input: Value) -> Result<Output, Failure> {
    call(name, json!({})).of("application/json", &input.to_string()).within(workspace).run()
}

fn text(output: Output) -> String {
    match output.body {
        Body::New { payload, .. } => String::from_utf8(payload).expect("text"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_folder_of_many_names_is_listed_a_thousand_at_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    for nth in 0..2_100 {
        fs::write(folder.path().join(format!("f{nth:04}")), "").expect("a file");
    }
    let (mut all, mut from, mut calls) = (Vec::new(), None, 0);
    loop {
        let listed = text(tool(folder.path(), "list-files", json!({ "from": from })).expect("listed"));
        let mut names: Vec<String> = listed.lines().map(str::to_owned).collect();
        calls += 1;
        let last = names.last().expect("names").clone();
        let Some(on) = last.strip_prefix("[there is more: list it again with ").and_then(|on| on.strip_suffix(']'))
        else {
            all.extend(names);
            break;
        };
        names.pop();
        assert_eq!(names.len(), 1_000);
        let on: Value = serde_json::from_str(on).expect("what to ask with");
        from = on["from"].as_str().map(str::to_owned);
        all.extend(names);
    }
    let expected: Vec<String> = (0..2_100).map(|nth| format!("f{nth:04}")).collect();
    assert_eq!((calls, all), (3, expected));
}

#[test]
fn lines_and_passages_come_from_files_of_any_size() {
    use std::io::{Seek as _, SeekFrom, Write as _};
    let folder = tempfile::tempdir().expect("a folder");
    // A hole in its second line: nothing of it is on the disk.
    let mut file = fs::File::create(folder.path().join("big.log")).expect("a file");
    file.write_all("first\n\u{20ac}".as_bytes()).expect("written");
    file.seek(SeekFrom::Start((MOST_BYTES + (1 << 20) + 1) as u64)).expect("a hole");
    file.write_all("\n\nthe t\u{f6}wer is high\n\nlast\n".as_bytes()).expect("written");
    let read = |from: usize, lines: usize| {
        tool(folder.path(), "read-file", json!({ "path": "big.log", "from": from, "lines": lines })).map(text)
    };
    assert_eq!(read(1, 1).expect("the first"), "first\n");
    assert_eq!(read(4, 3).expect("the last"), "the t\u{f6}wer is high\n\nlast\n");
    assert_eq!(read(9, 3).expect("behind it"), "");
    let whole = tool(folder.path(), "read-file", json!({ "path": "big.log" })).expect_err("too large");
    assert!(whole.to_string().contains("`from` and `lines`") && whole.to_string().contains("64 MiB"), "{whole}");
    assert_eq!(read(2, 1).expect_err("too large").code(), whole.code());
    // What is no text is passed over, whatever it begins with.
    fs::write(folder.path().join("mixed"), b"the t\xc3\xb6wer\n\n\xff\n").expect("written");
    let found = text(tool(folder.path(), "search-files", json!({ "question": "t\u{f6}wer" })).expect("found"));
    let found: Value = serde_json::from_str(&found).expect("JSON");
    let passages = found["passages"].as_array().expect("passages");
    assert_eq!(passages.len(), 1, "{found}");
    assert_eq!((&passages[0]["source"], &passages[0]["lines"]), (&json!("big.log"), &json!("4")), "{found}");
}
