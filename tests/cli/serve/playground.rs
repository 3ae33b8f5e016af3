//! `aivm playground` as its page and as an attacker speaks to it. What a visitor sees in a browser is tested in `tests/playground`.

use super::*;

fn playground(folder: &Path, more: &[&str]) -> Server {
    Server::http(folder, &[&["playground", "--listen", "127.0.0.1:0"], more].concat())
}

/// The lines of a run.
fn lines(server: &Server, asked: &Value) -> Vec<Value> {
    let (status, _, body) = server.ask("POST", "/api/run", "", &asked.to_string());
    assert_eq!(status, 200, "{body}");
    body.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn last(server: &Server, asked: &Value) -> Value {
    let ended = lines(server, asked).pop().expect("a line");
    assert_eq!(ended["type"], "ended", "{ended}");
    ended
}

#[test]
fn a_program_is_looked_at_drawn_and_run() {
    let dir = folder();
    let server = playground(dir.path(), &[]);
    let program = "out <= ( switch <= ( clean => next  anaylze => send | back ) ) <= in";
    let (status, seen) = server.post("/api/look", &json!({"program": program}));
    assert_eq!((status, &seen["format"]), (200, &json!("aivm")));
    assert_eq!(
        seen["workers"],
        json!([
            {"name": "clean", "effect": "pure", "mock": null},
            {"name": "anaylze", "effect": "pure", "mock": []},
        ])
    );
    assert!(seen["cost"]["summary"].as_str().expect("a line").starts_with("at most 16 calls"), "{seen}");
    assert!(seen["bytecode"].as_str().expect("text").contains("call    switch.1/clean"), "{seen}");
    let told = lines(
        &server,
        &json!({"program": program, "input": "héllo  ", "mocks": {"anaylze": ["back", {"output": "done"}]}}),
    );
    let kinds: Vec<&str> = told.iter().filter_map(|line| line["type"].as_str()).collect();
    assert_eq!(kinds, ["started", "call", "step", "call", "step", "call", "step", "call", "step", "ended"], "{told:?}");
    assert_eq!((&told[2]["artifact"]["text"], &told[2]["outcome"]), (&json!("héllo\n"), &json!("next")));
    assert_eq!((&told[9]["status"], &told[9]["artifact"]["text"]), (&json!("sent"), &json!("done")));
    let calls: Vec<Value> =
        told.iter().filter(|line| line["type"] == "step").map(|line| json!([line["key"], line["outcome"]])).collect();
    let svg = |asked: Value| server.post("/api/graph", &asked).1["svg"].as_str().expect("a picture").to_owned();
    let (plain, taken) = (svg(json!({"program": program})), svg(json!({"program": program, "calls": calls})));
    assert!(!plain.contains("class=\"pill t\"") && taken.contains("class=\"pill t\""), "{taken}");
    // A picture of half a run, and one of an end.
    assert_ne!(taken, svg(json!({"program": program, "calls": calls[..1]})));
    assert_ne!(taken, svg(json!({"program": program, "calls": calls, "status": "sent"})));
    assert_ne!(plain, svg(json!({"program": program, "dark": true})));
}

#[test]
fn words_that_are_nobodys_are_told_once() {
    let dir = folder();
    let server = playground(dir.path(), &[]);
    let look = |program: &str| server.post("/api/look", &json!({"program": program})).1["diagnostics"].clone();
    let program = "out <= (\n    switch[s] <= (\n        anaylze => next\n        compose => next\n        publish => next\n        \
        [clean <= s.anaylze.out] => send\n    )\n) <= in\n";
    let told = look(program);
    let all = told.as_array().expect("a list");
    assert!(all.iter().all(|one| one["severity"] == "info" && one["code"].is_null()), "{told}");
    assert_eq!(
        all.iter().map(|one| one["message"].as_str().expect("text")).collect::<Vec<_>>(),
        ["`anaylze` is mocked: nothing is called so", "`compose` and `publish` are mocked: nothing is called so"]
    );
    assert_eq!(all[0]["fixes"][0]["title"], "did you mean `analyze`?");
    // The fix mends the call, and what refers to it.
    let mut mended = program.to_owned();
    for edit in all[0]["fixes"][0]["edits"].as_array().expect("edits").iter().rev() {
        let at = |name: &str| edit[name].as_u64().expect("a place") as usize;
        mended.replace_range(at("start")..at("end"), edit["text"].as_str().expect("text"));
    }
    assert_eq!(mended, program.replace("anaylze", "analyze"));
    assert_eq!(look(&mended).as_array().map(Vec::len), Some(1));
    // Whoever says what a worker is knows that it is there.
    assert_eq!(
        look(
            "+++\n[worker.anaylze]\nrun = \"cat\"\neffect = \"pure\"\n+++\nout <= ( switch <= ( anaylze => send ) ) <= in"
        ),
        json!([])
    );
}

#[test]
fn what_is_given_in_vain_is_told() {
    let dir = folder();
    let server = playground(dir.path(), &[]);
    let program = "+++\n[param.to]\ndefault = \"you\"\n+++\nout <= ( switch <= ( greet => send ) ) <= in";
    let asked = json!({"program": program, "params": {"to": "me", "form": "x"}, "mocks": {"greet": ["send"], "great": ["next"]}});
    let told = lines(&server, &asked);
    let said: Vec<&str> =
        told.iter().filter(|line| line["type"] == "said").filter_map(|line| line["text"].as_str()).collect();
    assert_eq!(
        said,
        ["`great` has answers here, and no step calls it.", "`form` is given, and the program has no such parameter."]
    );
    assert_eq!(told.last().expect("a line")["status"], "sent");
}

#[test]
fn the_call_that_time_stands_at_is_marked_alone() {
    let dir = folder();
    let server = playground(dir.path(), &[]);
    let program = "out <= ( switch <= ( switch <= ( think => next ) switch <= ( think => send ) ) ) <= in";
    let marked = |now: &str| {
        let asked = json!({"program": program, "calls": [["switch.1/1/switch.1/think#1", "next"]], "now": now});
        let svg = server.post("/api/graph", &asked).1["svg"].as_str().expect("a picture").to_owned();
        svg.lines().filter(|line| line.contains("pill now")).map(str::to_owned).collect::<Vec<_>>()
    };
    let (first, second) = (marked("switch.1/1/switch.1/think#1"), marked("switch.1/2/switch.1/think#1"));
    assert_eq!((first.len(), second.len()), (1, 1), "{first:?} {second:?}");
    assert_ne!(first, second);
    assert!(marked("elsewhere#1").is_empty());
}

#[test]
fn places_are_counted_as_a_browser_counts_them() {
    let dir = folder();
    let server = playground(dir.path(), &[]);
    // A comment of characters that take one, two and three bytes, and one or two units.
    let program = "; é€😀\nout <= ( switch <= ( a -> next ) ) <= in";
    let (_, seen) = server.post("/api/look", &json!({"program": program}));
    let told = &seen["diagnostics"][0];
    let units: Vec<u16> = program.encode_utf16().collect();
    let at = |value: &Value| value.as_u64().expect("a place") as usize;
    let marked = String::from_utf16(&units[at(&told["start"])..at(&told["end"])]).expect("text");
    assert_eq!(marked, "->", "{seen}");
    let edit = &told["fixes"][0]["edits"][0];
    let mut mended = units.clone();
    mended.splice(at(&edit["start"])..at(&edit["end"]), edit["text"].as_str().expect("text").encode_utf16());
    let mended = String::from_utf16(&mended).expect("text");
    let (_, seen) = server.post("/api/look", &json!({"program": mended}));
    assert!(seen["cost"].is_object(), "{mended}");
}

#[test]
fn workflows_are_shown_as_arrows_and_examples_run() {
    let dir = folder();
    let server = playground(dir.path(), &[]);
    let (status, _, all) = server.ask("GET", "/api/examples", "", "");
    let all: Vec<Value> = serde_json::from_str(&all).expect("a list");
    assert_eq!(status, 200);
    assert!(all.len() >= 8);
    for example in all {
        let (_, seen) = server.post("/api/look", &json!({"program": example["program"]}));
        let told = seen["diagnostics"].as_array().expect("a list").iter();
        let wrong = told.filter(|told| told["severity"] == "error" || told["severity"] == "info");
        assert_eq!(wrong.count(), 0, "{seen}");
        assert_eq!(seen["format"] == "aivm", seen["arrows"].is_null(), "{seen}");
        let mut asked = example.clone();
        let members = asked.as_object_mut().expect("an object");
        members.remove("name");
        members.remove("title");
        let ended = last(&server, &asked);
        assert_eq!(ended["status"], "sent", "{}: {ended}", example["name"]);
    }
}

/// Whatever could reach out of it is answered by a mock, whatever it is called.
#[test]
fn nothing_reaches_outside() {
    let dir = folder();
    write(dir.path(), "secret.txt", "the file");
    let server = Server::http(dir.path(), &["playground", "--listen", "127.0.0.1:0"]);
    let front = "+++\n[worker.shell]\nrun = \"touch touched; cat secret.txt; env\"\n[worker.post]\n\
        http = { url = \"http://127.0.0.1:9/{{ secret('AIVM_TEST_KEY') }}\" }\n[worker.ask]\nprompt = \"Say it.\"\n[worker.boss]\nhuman = \"Shall we?\"\n+++\n";
    for word in [
        "shell",
        "post",
        "ask",
        "boss",
        "read-file",
        "list-files",
        "search-files",
        "write-file",
        "io.fs.read_file",
        "io.fs.write_file",
        "io.fs.list_dir",
        "sys.info.get_env_var",
        "sys.info.get_time",
        "sys.archive.zip",
        "net.http.get",
        "remember",
        "recall",
        "save",
        "sleep",
        "model",
    ] {
        let program = format!("{front}out <= ( switch[s] <= ( {word} => send ) ) <= in\n");
        let input = json!({"path": "secret.txt", "name": "AIVM_TEST_KEY", "url": "http://127.0.0.1:9/"}).to_string();
        let ended = last(&server, &json!({"program": program, "input": input, "type": "application/json"}));
        // A mock that is told nothing hands its input on.
        assert_eq!((&ended["status"], &ended["artifact"]["text"]), (&json!("sent"), &json!(input)), "{word}: {ended}");
    }
    let left: Vec<_> =
        std::fs::read_dir(dir.path()).expect("the folder").flatten().map(|file| file.file_name()).collect();
    assert_eq!(left, ["secret.txt"]);
    // A file beside it is no definition, and its text is nobody's.
    write(dir.path(), "beside.aivm", "out <= ( switch <= ( fail => send ) ) <= in\n");
    let program = "out <= ( switch <= ( beside => send ) ) <= in";
    assert_eq!(last(&server, &json!({"program": program}))["status"], "sent");
}

#[test]
fn a_run_is_bounded_in_calls_time_and_memory() {
    let dir = folder();
    let server = playground(dir.path(), &[]);
    let calls = "out <= ( switch <= ( a<1000> => next | cancel  b<1000> => back | send ) ) <= in";
    let ended = last(&server, &json!({"program": calls, "mocks": {"b": ["back"]}}));
    assert_eq!((&ended["status"], &ended["error"]["code"]), (&json!("parked"), &json!("E0936")), "{ended}");
    assert_eq!(ended["totals"]["calls"], 1000);
    let twice = "+++\n[worker.twice]\nbuiltin = \"template\"\nwith = { text = \"{{ input }}{{ input }}\" }\n+++\n\
        out <= ( switch <= ( twice<40> => next | cancel  more => back | send ) ) <= in";
    let ended = last(&server, &json!({"program": twice, "input": "x".repeat(10_000), "mocks": {"more": ["back"]}}));
    assert_eq!((&ended["status"], &ended["error"]["code"]), (&json!("cancelled"), &json!("E0936")), "{ended}");
    let slow = "out <= ( switch <= ( slow => send | timeout ) ) <= in";
    let ended = last(&server, &json!({"program": slow, "mocks": {"slow": [{"sleep": "1h"}]}}));
    assert_eq!(ended["status"], "timeout", "{ended}");
}

#[test]
fn what_cannot_be_answered_is_refused_with_a_reason() {
    let dir = folder();
    let server = playground(dir.path(), &[]);
    let ask = |path: &str, body: &str| {
        let (status, _, body) = server.ask("POST", path, "", body);
        let body: Value = serde_json::from_str(&body).expect("JSON");
        let message = body["error"]["message"].as_str().expect("a message").to_owned();
        (status, body["error"]["code"].as_str().expect("a code").to_owned(), message)
    };
    let long = json!({"program": "; ".repeat(40_000)}).to_string();
    let (status, code, message) = ask("/api/look", &long);
    assert_eq!((status, code.as_str()), (413, "E0936"), "{message}");
    assert!(message.contains("64 KiB"), "{message}");
    let huge = "x".repeat(10 << 20);
    assert_eq!(ask("/api/look", &huge).0, 413);
    assert_eq!(ask("/api/look", "{").0, 400);
    assert_eq!(ask("/api/look", "{\"program\": 1}").0, 400);
    assert_eq!(ask("/api/look", "{\"programme\": \"\"}").0, 400);
    for (path, body, reason) in [
        ("/api/complete", "[]", "expected {\"program\": TEXT, \"at\": PLACE}"),
        ("/api/complete", "{\"program\": \"\", \"at\": -1}", "`at` is a whole number, 0 or more, and not -1"),
        ("/api/look", "1", "expected {\"program\": TEXT}"),
        ("/api/graph", "{\"program\": \"\", \"calls\": [1]}", "expected [KEY, OUTCOME]"),
    ] {
        let (status, _, message) = ask(path, body);
        assert!(status == 400 && message.contains(reason), "{path}: {message}");
    }
    assert_eq!(ask("/api/nothing", "{}").0, 404);
    let (status, code, message) = ask("/api/run", &json!({"program": "out <= ("}).to_string());
    assert_eq!((status, code.as_str()), (422, "E0108"), "{message}");
    assert!(message.starts_with("1:8: ") && !message.contains("E0108"), "{message}");
    assert_eq!(server.ask("GET", "/api/look", "", "").0, 405);
    // Nobody else's page may ask, and no page may hold this one.
    let (status, head, _) = server.ask("POST", "/api/look", "origin: http://evil.example\r\n", "{}");
    assert_eq!(status, 403);
    assert!(head.contains("200") || status == 403);
    let (_, head, _) = server.ask("POST", "/api/look", "", &json!({"program": ""}).to_string());
    for header in ["content-security-policy: default-src 'self'", "x-frame-options: DENY", "nosniff"] {
        assert!(head.contains(header), "{head}");
    }
}

#[test]
fn whoever_leaves_ends_the_run() {
    let dir = folder();
    let server = playground(dir.path(), &["--at-once", "1"]);
    let slow = json!({"program": "out <= ( switch <= ( slow => send ) ) <= in", "mocks": {"slow": [{"sleep": "1h"}]}});
    let mut visit = server.send("POST", "/api/run", "", &slow.to_string());
    let mut line = String::new();
    while !line.contains("\"call\"") {
        line.clear();
        assert!(visit.read_line(&mut line).expect("a line") > 0);
    }
    drop(visit);
    // The one place is free again, or this one waits for it in vain.
    let ended = last(&server, &json!({"program": "out <= ( switch <= ( quick => send ) ) <= in"}));
    assert_eq!(ended["status"], "sent");
}

#[test]
fn fifty_visitors_at_once_are_all_answered() {
    let dir = folder();
    let server = playground(dir.path(), &[]);
    let program = "out <= ( switch <= ( clean => next  think => send | back ) ) <= in";
    std::thread::scope(|scope| {
        for nth in 0..50 {
            let server = &server;
            scope.spawn(move || {
                let (status, seen) = server.post("/api/look", &json!({"program": program}));
                assert!(status == 200 && seen["cost"].is_object(), "{seen}");
                let input = format!("visitor {nth}");
                let ended = last(server, &json!({"program": program, "input": input}));
                assert_eq!(ended["artifact"]["text"], format!("{input}\n"), "{ended}");
            });
        }
    });
}

#[test]
fn the_page_comes_whole_and_small_and_from_here_alone() {
    let dir = folder();
    let server = playground(dir.path(), &[]);
    let mut small = 0;
    for (path, media_type) in [
        ("/", "text/html"),
        ("/bundle.js", "text/javascript"),
        ("/style.css", "text/css"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let (status, head, body) = server.ask("GET", path, "", "");
        assert!(status == 200 && head.contains(&format!("content-type: {media_type}")), "{path}: {head}");
        assert!(!body.is_empty());
        for elsewhere in ["src=\"http", "href=\"http", "@import", "url(http"] {
            assert!(!body.contains(elsewhere), "{path}: {elsewhere}");
        }
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag");
        assert_eq!(server.ask("GET", path, &format!("if-none-match: {tag}\r\n"), "").0, 304);
        let mut answer = Vec::new();
        server.send("GET", path, "accept-encoding: gzip\r\n", "").read_to_end(&mut answer).expect("an answer");
        small += answer.len();
    }
    assert!(small < 500 << 10, "{small} bytes");
}

#[test]
fn words_are_completed_and_explained_where_they_stand() {
    let dir = folder();
    let server = playground(dir.path(), &[]);
    // In a text of characters that take several units.
    let program = "; é€😀\nout <= ( switch <= ( cle";
    let at = program.encode_utf16().count();
    let (_, told) = server.post("/api/complete", &json!({"program": program, "at": at}));
    let first = &told["options"][0];
    assert_eq!((&first["label"], &told["from"]), (&json!("clean"), &json!(at - 3)), "{told}");
    assert!(first["info"].as_str().is_some_and(|info| info.contains("Tidies")), "{told}");
    let whole = format!("{program}an => next ) ) <= in");
    let (_, told) = server.post("/api/hover", &json!({"program": whole, "at": at - 1}));
    assert_eq!((&told["from"], &told["to"]), (&json!(at - 3), &json!(at + 2)), "{told}");
    assert!(told["markdown"].as_str().is_some_and(|text| text.contains("Tidies")), "{told}");
    // A place behind the end is the end; between two words there is nothing.
    assert_eq!(server.post("/api/hover", &json!({"program": whole, "at": 1_u64 << 40})).0, 200);
    assert_eq!(server.post("/api/hover", &json!({"program": "a  b", "at": 2})), (200, Value::Null));
}
