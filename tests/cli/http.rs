//! Requests over HTTP: what is sent, what comes back, whom nobody may ask, and what is never shown.

use super::fake::{Fake, Reply};
use super::*;

/// A program whose only step sends a request; more than `url` and `private` of it are given as TOML.
fn program(url: &str, more: &str, worker: &str) -> String {
    format!(
        "+++\n[worker.w]\nbackoff = {{ wait = \"1ms\" }}\n{worker}\n[worker.w.http]\nurl = '{url}'\nprivate = true\n{more}\n+++\n\
         out <= ( switch[s] <= ( w => send ) ) <= in\n"
    )
}

fn run(program: &str, input: &str, env: &[(&str, &str)]) -> (tempfile::TempDir, Output) {
    let dir = folder();
    write(dir.path(), "p.aivm", program);
    let mut command = command(dir.path(), &["run", "p.aivm", "--in", input, "--json", "--param", "who=me"]);
    let output = command.envs(env.iter().copied()).output().expect("aivm runs");
    (dir, output)
}

fn whole(status: u16, headers: &str, body: &str) -> Reply {
    Reply::Whole(status, headers.to_owned(), body.as_bytes().to_vec())
}

fn plain(body: &str) -> Reply {
    whole(200, "content-type: text/plain; charset=utf-8\r\n", body)
}

fn error(output: &Output) -> (String, String) {
    let report = json(output);
    let text = |key: &str| report["error"][key].as_str().unwrap_or("").to_owned();
    (text("code"), text("message"))
}

#[test]
fn an_answer_becomes_a_value_with_its_type_and_status() {
    let fake = Fake::new(vec![plain("hello")]);
    let url = format!("{}/u/{{{{ input }}}}?who={{{{ params.who }}}}&n={{{{ with.n }}}}", fake.root());
    let (_dir, output) =
        run(&program(&url, "headers = { X-Who = '{{ params.who }}' }", "with = { n = 5 }"), "a b/../c", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let sent = &json(&output)["output"];
    assert_eq!((sent["text"].as_str(), sent["type"].as_str()), (Some("hello"), Some("text/plain")), "{sent}");
    assert_eq!(sent["attributes"]["status"], "200", "{sent}");
    let asked = &fake.requests()[0];
    assert!(asked.head.starts_with("GET /u/a%20b%2F..%2Fc?who=me&n=5 HTTP/1.1"), "{}", asked.head);
    assert_eq!(asked.header("x-who"), Some("me"));
    assert_eq!((asked.header("idempotency-key"), asked.body.as_str()), (None, ""));
}

#[test]
fn an_input_is_sent_as_it_is_or_in_a_body() {
    let fake = Fake::new(vec![plain("ok")]);
    let url = fake.root();
    let (_dir, output) = run(&program(url, "method = \"POST\"", ""), "the input", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let (_dir, output) =
        run(&program(url, "method = \"PUT\"\nbody = '{\"a\": {{ input }}}'", ""), "x\", \"b\": \"y", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let asked = fake.requests();
    assert!(asked[0].head.starts_with("POST / "), "{}", asked[0].head);
    assert_eq!((asked[0].body.as_str(), asked[0].header("content-type")), ("the input", Some("text/plain")));
    assert_eq!(asked[0].header("idempotency-key"), None, "a POST promises nothing");
    assert_eq!(asked[1].body, r#"{"a": "x\", \"b\": \"y"}"#);
    assert_eq!(asked[1].header("content-type"), Some("application/json"));
    assert_eq!(asked[1].header("idempotency-key").map(str::len), Some(32), "a PUT is known by its key");
}

#[test]
fn a_repeated_request_has_the_key_of_the_first() {
    let fake = Fake::new(vec![whole(503, "retry-after: 7\r\n", "busy"), plain("done")]);
    let text = program(fake.root(), "method = \"POST\"", "effect = \"idempotent\"")
        .replace("w => send", "w => send | retry * 2");
    let (_dir, output) = run(&text, "x", &[]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stderr(&output), String::from_utf8_lossy(&output.stdout));
    let keys: Vec<_> = fake.requests().iter().map(|asked| asked.header("idempotency-key").map(str::to_owned)).collect();
    assert!(keys.len() == 2 && keys[0].is_some() && keys[0] == keys[1], "{keys:?}");
}

#[test]
fn a_part_of_an_answer_is_chosen() {
    let answer = r#"{"a": {"b": ["first", {"c": 1}]}}"#;
    for (path, text, media_type) in [
        ("a.b[0]", "first", "text/plain"),
        ("/a/b/1", r#"{"c":1}"#, "application/json"),
        ("a.b[1].c", "1", "application/json"),
    ] {
        let fake = Fake::new(vec![Reply::Raw(answer.to_owned())]);
        let (_dir, output) = run(&program(fake.root(), &format!("path = \"{path}\""), ""), "x", &[]);
        let sent = &json(&output)["output"];
        assert_eq!((sent["text"].as_str(), sent["type"].as_str()), (Some(text), Some(media_type)), "{path}: {sent}");
    }
    for (path, answer) in [("a.c", answer), ("a", "no JSON")] {
        let fake = Fake::new(vec![Reply::Raw(answer.to_owned())]);
        let (_dir, output) = run(&program(fake.root(), &format!("path = \"{path}\""), ""), "x", &[]);
        assert_eq!(error(&output).0, "E0916", "{path}");
    }
}

#[test]
fn what_a_server_says_of_its_answer_is_not_believed_where_it_matters() {
    for said in ["application/vnd.aivm.parts", "application/vnd.aivm.worker+json", "a b/c", "text", ""] {
        let fake = Fake::new(vec![whole(200, &format!("content-type: {said}\r\n"), "{}")]);
        let (_dir, output) = run(&program(fake.root(), "", ""), "x", &[]);
        assert_eq!(json(&output)["output"]["type"], "application/octet-stream", "{said}");
    }
    let fake = Fake::new(vec![plain("{}")]);
    let (_dir, output) = run(&program(fake.root(), "", "returns = \"application/json\""), "x", &[]);
    assert_eq!(json(&output)["output"]["type"], "application/json", "the definition knows better");
}

#[test]
fn an_error_is_a_failure_and_says_why() {
    let long = "word ".repeat(100);
    let cases = [
        (
            whole(429, "retry-after: 7\r\n", "slow"),
            "E0914",
            "got status 429 from 127.0.0.1, to be asked again in 7 s: slow",
        ),
        (whole(503, "", ""), "E0914", "got status 503 from 127.0.0.1"),
        (whole(404, "", "not\r\nhere\u{1b}[31m"), "E0915", "got status 404 from 127.0.0.1: not here [31m"),
        (whole(500, "", &long), "E0915", "word word…"),
        (Reply::Broken, "E0913", "127.0.0.1 was not reached"),
    ];
    for (reply, code, message) in cases {
        let fake = Fake::new(vec![reply]);
        let (_dir, output) = run(&program(fake.root(), "", ""), "x", &[]);
        let (had, said) = error(&output);
        assert!(had == code && said.contains(message) && said.len() < 400, "{had}: {said}");
        assert_eq!(fake.requests().len(), 1, "{code}: nobody asks twice by himself");
    }
    let (_dir, output) = run(&program("http://127.0.0.1:1/", "", ""), "x", &[]);
    assert_eq!(error(&output).0, "E0913");
    let fake = Fake::new(vec![whole(500, "", "")]);
    let (_dir, output) = run(&program(fake.root(), "retry = [500]", ""), "x", &[]);
    assert_eq!(error(&output).0, "E0914", "a definition says what is worth trying again");
}

#[test]
fn a_deadline_ends_a_request() {
    let fake = Fake::new(vec![Reply::Stall(Duration::from_secs(30))]);
    let (_dir, output) = run(&program(fake.root(), "", "timeout = \"200ms\""), "x", &[]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert_eq!(error(&output).0, "E0712");
}

#[test]
fn an_interrupt_ends_a_request() {
    let fake = Fake::new(vec![Reply::Stall(Duration::from_secs(30))]);
    let dir = folder();
    write(dir.path(), "p.aivm", &program(fake.root(), "", ""));
    let mut command = command(dir.path(), &["run", "p.aivm", "--in", "x"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("aivm runs");
    let began = Instant::now();
    while fake.requests().is_empty() && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(kill.success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn an_answer_has_a_largest_size() {
    let fake = Fake::new(vec![Reply::Whole(200, String::new(), vec![b'x'; (64 << 20) + 1])]);
    let (_dir, output) = run(&program(fake.root(), "", ""), "x", &[]);
    assert_eq!(error(&output).0, "E0916", "{}", stderr(&output));
}

#[test]
fn what_is_not_public_is_not_asked_unless_the_definition_itself_says_so() {
    let fake = Fake::new(vec![plain("secret")]);
    let port = fake.root().rsplit(':').next().expect("a port").to_owned();
    let open = |url: &str| program(url, "", "with = { base = \"http://127.0.0.1:PORT\" }").replace("PORT", &port);
    let closed = |url: &str| open(url).replace("private = true", "");
    let refused = [
        (closed("http://127.0.0.1:PORT/"), "x"),
        (closed("http://localhost:PORT/"), "x"),
        (closed("http://LOCALHOST:PORT/"), "x"),
        (closed("http://2130706433:PORT/"), "x"),
        (closed("http://0x7f.1:PORT/"), "x"),
        (closed("http://0:PORT/"), "x"),
        (closed("http://[::ffff:127.0.0.1]:PORT/"), "x"),
        (closed("{{ with.base }}/"), "x"),
        (closed("http://169.254.169.254/latest/meta-data/"), "x"),
        // `private` is not for a host that a value names.
        (open("{{ input }}"), "http://127.0.0.1:PORT/"),
        (open("{{ input }}"), "http://localhost:PORT/"),
        (open("http://{{ input }}:PORT/"), "127.0.0.1"),
        (open("http://{{ params.who }}.0.0.1:PORT/").replace("params.who", "127 if params.who"), "x"),
    ];
    for (program, input) in refused {
        let (_dir, output) = run(&program, &input.replace("PORT", &port), &[]);
        assert_eq!(error(&output).0, "E0912", "{program}: {}", stderr(&output));
    }
    assert_eq!(fake.requests().len(), 0);
    for program in [open("http://localhost:PORT/"), open("{{ with.base }}/x")] {
        let (_dir, output) = run(&program, "x", &[]);
        assert_eq!(output.status.code(), Some(0), "{program}: {}", stderr(&output));
    }
}

#[test]
fn redirects_are_followed_a_little_and_looked_at() {
    let to = |place: &str| whole(302, &format!("location: {place}\r\n"), "");
    let key = "headers = { Authorization = 'Bearer {{ secret(\"T_KEY\") }}', Accept = 'text/plain' }";
    let env = [("T_KEY", "canary-7f3a")];
    // On the same server everything goes along.
    let fake = Fake::new(vec![to("/next"), plain("there")]);
    let (_dir, output) = run(&program(fake.root(), key, ""), "x", &env);
    assert_eq!(json(&output)["output"]["text"], "there", "{}", stderr(&output));
    assert_eq!(fake.requests()[1].header("authorization"), Some("Bearer canary-7f3a"));
    assert!(fake.requests()[1].head.starts_with("GET /next "));
    // Another is not told the credentials.
    let other = Fake::new(vec![plain("there")]);
    let fake = Fake::new(vec![to(other.root())]);
    let (_dir, output) = run(&program(fake.root(), key, ""), "x", &env);
    assert_eq!(json(&output)["output"]["text"], "there", "{}", stderr(&output));
    assert_eq!(
        (other.requests()[0].header("authorization"), other.requests()[0].header("accept")),
        (None, Some("text/plain"))
    );
    // Nobody is sent to what is not public, not even from there.
    let places = [
        (other.root().replace("127.0.0.1", "localhost"), "E0912"),
        (other.root().replace("127.0.0.1", "127.0.0.2"), "E0912"),
        ("http://169.254.169.254/".to_owned(), "E0912"),
        ("file:///etc/passwd".to_owned(), "E0917"),
        ("http://me:pw@127.0.0.1/".to_owned(), "E0917"),
        ("http://".to_owned(), "E0917"),
        ("/again".to_owned(), "E0917"),
    ];
    for (place, code) in places {
        let fake = Fake::new(vec![to(&place)]);
        let (_dir, output) = run(&program(fake.root(), "", ""), "x", &[]);
        assert_eq!(error(&output).0, code, "{place}");
        assert!(fake.requests().len() <= 6, "{place}");
    }
    assert_eq!(other.requests().len(), 1);
    let fake = Fake::new(vec![to("/next"), plain("there")]);
    let (_dir, output) = run(&program(fake.root(), "method = \"POST\"", ""), "x", &[]);
    assert_eq!((error(&output).0.as_str(), fake.requests().len()), ("E0917", 1));
}

#[test]
fn a_secret_is_sent_and_never_shown() {
    let key = "headers = { X-Api-Key = '{{ secret(\"T_KEY\") }}' }";
    let secret = "canary-7f3a-9b1c";
    let env = [("T_KEY", secret)];
    let echo = format!("you sent {secret}");
    for reply in [plain(&echo), whole(401, "", &echo), whole(503, &format!("retry-after: {secret}\r\n"), &echo)] {
        let fake = Fake::new(vec![reply]);
        let (dir, output) = run(&program(fake.root(), key, ""), "x", &env);
        assert_eq!(fake.requests()[0].header("x-api-key"), Some(secret));
        let mut shown = [output.stdout.clone(), output.stderr.clone()].concat();
        for entry in std::fs::read_dir(dir.path().join(".aivm")).expect("a store").flatten() {
            shown.extend(std::fs::read(entry.path()).unwrap_or_default());
        }
        assert!(!shown.windows(secret.len()).any(|window| window == secret.as_bytes()), "{}", stderr(&output));
        assert!(String::from_utf8_lossy(&output.stdout).contains("you sent ***"), "{}", stderr(&output));
    }
    let fake = Fake::new(vec![plain("x")]);
    let (_dir, output) = run(&program(fake.root(), key, ""), "x", &[]);
    assert_eq!(error(&output).0, "E0918");
    let (_dir, output) = run(&program(fake.root(), &key.replace(") }}", ") | int }}"), ""), "x", &env);
    assert!(error(&output).0 == "E0911" && !error(&output).1.contains("canary"), "{:?}", error(&output));
    let (_dir, output) = run(&program(fake.root(), key, ""), "x", &[("T_KEY", "canary\r\nX-Other: y")]);
    assert!(error(&output).0 == "E0911" && !error(&output).1.contains("canary"), "{:?}", error(&output));
    assert_eq!(fake.requests().len(), 0);
}

#[test]
fn a_credential_in_a_definition_is_an_error_of_the_program() {
    let cases = [
        ("https://me:pw@api.example/", ""),
        ("https://api.example/", "headers = { Authorization = 'Bearer abc' }"),
        ("https://api.example/?key=sk-abcdefghijklmnopqrstuvwx", ""),
        ("{{ input }}", "headers = { Authorization = 'Bearer {{ secret(\"T_KEY\") }}' }"),
    ];
    for (url, more) in cases {
        let dir = folder();
        write(dir.path(), "p.aivm", &program(url, more, ""));
        let output = aivm(dir.path(), &["check", "p.aivm"]);
        assert_eq!(output.status.code(), Some(2), "{url} {more}");
        assert!(stderr(&output).contains("E0919"), "{}", stderr(&output));
    }
}
