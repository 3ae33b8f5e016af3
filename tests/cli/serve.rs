//! Pipelines that other programs call: `aivm mcp` and `aivm openai` as child processes, spoken to by hand. Official clients call them in
//! `tests/real.rs`.

use super::*;
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout};

#[path = "serve/edited.rs"]
mod edited;
#[path = "serve/openai.rs"]
mod openai;
#[path = "serve/playground.rs"]
mod playground;

const FAILS: &str =
    "+++\n[worker.x]\nrun = \"echo no >&2; exit 3\"\n+++\nout <= ( switch[s] <= ( x => send ) ) <= in\n";
const SLOW: &str = "+++\n[worker.x]\nrun = \"sleep 600\"\n+++\nout <= ( switch[s] <= ( x => send ) ) <= in\n";
const ASKS: &str =
    "+++\n[worker.boss]\nhuman = \"Shall we?\"\n+++\nout <= ( switch[s] <= ( boss => send | cancel ) ) <= in\n";
const JSON: &str = "+++\n[worker.j]\nrun = \"cat\"\neffect = \"read\"\nreturns = \"application/json\"\n\
    accepts = { schema = { type = \"object\", properties = { n = { type = \"integer\" } }, required = [\"n\"] } }\n\
    +++\n; Gives back what it is given.\nout <= ( switch[s] <= ( j => send ) ) <= in\n";
const SECRET: &str = "T0ken";

fn project() -> tempfile::TempDir {
    let dir = folder();
    for (name, text) in [("shout", SHOUT), ("fails", FAILS), ("slow", SLOW), ("asks", ASKS), ("json", JSON)] {
        write(dir.path(), &format!("{name}.aivm"), text);
    }
    dir
}

const ALL: [&str; 5] = ["shout.aivm", "fails.aivm", "slow.aivm", "asks.aivm", "json.aivm"];

/// A server; it ends with the test.
struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// `aivm openai`, `aivm playground`, or `aivm mcp --http`, where it says.
    fn http(folder: &Path, args: &[&str]) -> Server {
        let mut command = command(folder, args);
        command.env("AIVM_TEST_KEY", SECRET);
        let mut child =
            command.arg("--json").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("aivm starts");
        let mut out = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        out.read_line(&mut line).expect("where it is");
        let told: Value = serde_json::from_str(&line).expect("one object");
        let url = told["url"].as_str().expect("an address");
        let port = url.split([':', '/']).find_map(|part| part.parse().ok()).expect("a port");
        Server { child, out, port }
    }

    fn openai(folder: &Path, more: &[&str]) -> Server {
        Server::http(folder, &[&["openai", "--listen", "127.0.0.1:0"], &ALL[..], more].concat())
    }

    /// A request that has been sent.
    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        let length = body.len();
        let host = if headers.contains("host:") { String::new() } else { "host: localhost\r\n".to_owned() };
        let head = format!(
            "{method} {path} HTTP/1.1\r\n{host}connection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).expect("sent");
        // A server that has refused it may not read it.
        let _ = stream.write_all(body.as_bytes());
        BufReader::new(stream)
    }

    /// Status, headers and body.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
        let mut answer = String::new();
        self.send(method, path, headers, body).read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let body = if head.contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_owned() };
        (status, head.to_owned(), body)
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let (status, _, body) = self.ask("POST", path, "", &body.to_string());
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }
}

/// Sends a signal.
fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
}

fn unchunked(body: &str) -> String {
    let (mut out, mut rest) = (String::new(), body);
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).expect("a size");
        out.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    out
}

/// The objects of a stream, and its comments.
fn events(text: &str) -> (Vec<Value>, Vec<&str>) {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    let comments = text.lines().filter_map(|line| line.strip_prefix(": ")).collect();
    (data.map(|data| serde_json::from_str(data).expect("JSON")).collect(), comments)
}

fn chat(model: &str, text: &str) -> Value {
    json!({"model": model, "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": text}]})
}

/// How the runs of a project stand.
fn statuses(folder: &Path) -> Vec<String> {
    let listed = json(&aivm(folder, &["runs", "--json", "--most", "1000"]));
    let runs = listed["runs"].as_array().expect("runs");
    runs.iter().filter_map(|run| run["status"].as_str().map(str::to_owned)).collect()
}

fn wait_for(what: &str, mut is: impl FnMut() -> bool) {
    let late = Instant::now() + Duration::from_secs(60);
    while !is() {
        assert!(Instant::now() < late, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `aivm mcp` on pipes.
struct Session {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Session {
    fn new(folder: &Path) -> Session {
        Session::of(folder, &ALL)
    }

    fn of(folder: &Path, files: &[&str]) -> Session {
        let mut command = command(folder, &[&["mcp"], files].concat());
        command.stderr(Stdio::null());
        Session::start(command)
    }

    fn start(mut command: Command) -> Session {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("aivm starts");
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().expect("its output")));
        let mut session = Session { child, input, output };
        let client =
            json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        session.say(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client}));
        assert_eq!(session.hear()["result"]["serverInfo"]["name"], "aivm");
        session.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        session
    }

    fn say(&mut self, message: &Value) {
        let input = self.input.as_mut().expect("open");
        writeln!(input, "{message}").expect("said");
    }

    /// The next line: all of them are of the protocol.
    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(message["jsonrpc"], "2.0");
        message
    }

    fn call(&mut self, id: u64, tool: &str, arguments: Value) {
        let params = json!({"name": tool, "arguments": arguments, "_meta": {"progressToken": id}});
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}));
    }

    /// The result of a call, and the progress that was told before.
    fn result(&mut self, id: u64) -> (Value, Vec<String>) {
        let mut told = Vec::new();
        loop {
            let message = self.hear();
            if message["method"] == "notifications/progress" {
                assert_eq!(message["params"]["progressToken"], id);
                assert_eq!(message["params"]["progress"].as_f64(), Some(told.len() as f64 + 1.0));
                told.push(message["params"]["message"].as_str().expect("a message").to_owned());
                continue;
            }
            assert_eq!(message["id"], id, "{message}");
            return (message["result"].clone(), told);
        }
    }
}

#[test]
fn a_tool_says_what_it_takes_and_what_it_may_do() {
    let dir = project();
    let mut mcp = Session::new(dir.path());
    mcp.say(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}));
    let tools = mcp.hear()["result"]["tools"].clone();
    let tool =
        |name: &str| tools.as_array().and_then(|all| all.iter().find(|tool| tool["name"] == name)).expect("it").clone();
    assert_eq!(tool("json")["inputSchema"]["required"], json!(["n"]));
    assert_eq!(tool("json")["description"], "Gives back what it is given.");
    assert_eq!(tool("shout")["inputSchema"]["required"], json!(["input"]));
    let hints = |name: &str| {
        let hints = tool(name)["annotations"].clone();
        ["readOnlyHint", "destructiveHint", "idempotentHint"].map(|hint| hints[hint].as_bool().expect("a hint"))
    };
    assert_eq!(hints("json"), [true, false, true]);
    assert_eq!(hints("shout"), [false, true, false], "nothing is known of its command");
}

#[test]
fn a_call_of_a_tool_is_a_run() {
    let dir = project();
    let mut mcp = Session::new(dir.path());
    mcp.call(1, "shout", json!({"input": "hello"}));
    let (result, told) = mcp.result(1);
    assert_eq!(result["content"], json!([{"type": "text", "text": "HELLO\n"}]), "{result}");
    assert_eq!(told, ["s/clean#1: clean", "s/clean#1 → next", "s/shout#1: shout", "s/shout#1 → send"]);
    let run = result["_meta"]["aivm/run"].as_str().expect("a run");
    let shown = json(&aivm(dir.path(), &["show", run, "--json"]));
    assert_eq!(shown["status"], "sent", "{shown}");

    mcp.call(2, "json", json!({"n": 5}));
    assert_eq!(mcp.result(2).0["structuredContent"], json!({"n": 5}));
    mcp.call(3, "json", json!({"n": "five"}));
    let (refused, _) = mcp.result(3);
    assert!(refused["isError"] == true && refused["_meta"]["aivm/code"] == "E0909", "{refused}");
    mcp.call(4, "shout", json!({"text": "hello"}));
    let (wrong, _) = mcp.result(4);
    assert!(wrong["isError"] == true && wrong["_meta"]["aivm/code"] == "E0949", "{wrong}");
    assert!(wrong.to_string().contains("error[E0949]: `shout` is not called like that"), "{wrong}");
    mcp.call(5, "fails", json!({"input": ""}));
    let (failed, _) = mcp.result(5);
    let text = failed["content"][0]["text"].as_str().expect("why");
    assert!(failed["isError"] == true && text.contains("E0717") && text.contains("aivm show "), "{text}");

    mcp.call(6, "asks", json!({"input": "a plan"}));
    let (parked, _) = mcp.result(6);
    let text = parked["content"][0]["text"].as_str().expect("what is asked");
    let run = parked["_meta"]["aivm/run"].as_str().expect("a run");
    assert!(text.contains("Shall we?") && text.contains(&format!("aivm approve {run}")), "{text}");
    assert_eq!(aivm(dir.path(), &["approve", run, "send"]).stdout, b"a plan");
}

#[test]
fn several_values_and_bytes_come_as_they_are() {
    let dir = folder();
    let both = "+++\n[worker.loud]\nrun = \"tr a-z A-Z\"\n[worker.bytes]\nrun = \"printf 'a\\\\377'\"\nreturns = \"application/x-b\"\n+++\n\
        out <= ( join <= ( loud => send  bytes => send ) ) <= in\n";
    write(dir.path(), "both.aivm", both);
    let size = "+++\n[worker.size]\nrun = \"wc -c\"\naccepts = [\"image/png\"]\nreturns = \"text/plain\"\n+++\n\
        out <= ( switch[s] <= ( size => send ) ) <= in\n";
    write(dir.path(), "size.aivm", size);
    let server = Server::http(dir.path(), &["openai", "both.aivm", "size.aivm", "--listen", "127.0.0.1:0"]);
    let (_, answer) = server.post("/v1/responses", &json!({"model": "both", "input": "hi"}));
    let text = answer["output"][0]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(text, "── loud\nHI\n── bytes\ndata:application/x-b;base64,Yf8=\n");
    let with = |part: Value| json!({"model": "size", "messages": [{"role": "user", "content": [part]}]});
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}});
    let (status, answer) = server.post("/v1/chat/completions", &with(picture));
    assert_eq!((status, &answer["choices"][0]["message"]["content"]), (200, &json!("3\n")), "{answer}");
    let elsewhere = json!({"type": "image_url", "image_url": {"url": "http://127.0.0.1/a.png"}});
    assert_eq!(server.post("/v1/chat/completions", &with(elsewhere)).0, 400);
    assert_eq!(server.post("/v1/chat/completions", &chat("size", "three")).0, 400, "it takes a picture");

    let mut mcp = Session::of(dir.path(), &["both.aivm", "size.aivm"]);
    mcp.call(1, "both", json!({"input": "hi"}));
    let content = mcp.result(1).0["content"].clone();
    let texts: Vec<&str> =
        content.as_array().expect("blocks").iter().filter_map(|block| block["text"].as_str()).collect();
    assert_eq!(texts, ["── loud", "HI", "── bytes"]);
    assert_eq!(
        (&content[3]["type"], &content[3]["resource"]["blob"]),
        (&json!("resource"), &json!("Yf8=")),
        "{content}"
    );
    mcp.call(2, "size", json!({"input": "AAAA"}));
    assert_eq!(mcp.result(2).0["content"][0]["text"], "3\n");
}

#[test]
fn a_client_that_reads_no_errors_holds_nothing_up() {
    let dir = project();
    let mut command = command(dir.path(), &["mcp", "fails.aivm", "--ephemeral"]);
    // Nobody ever reads it, and it is soon full.
    let (unread, error) = std::io::pipe().expect("a pipe");
    let mut fill = error.try_clone().expect("the same pipe");
    std::thread::spawn(move || while fill.write_all(&[b'.'; 4096]).is_ok() {});
    command.stderr(error);
    let mut mcp = Session::start(command);
    for id in 1..=20 {
        mcp.call(id, "fails", json!({"input": "x"}));
        assert_eq!(mcp.result(id).0["isError"], true);
    }
    drop(unread);
}

#[test]
fn a_client_that_cancels_a_call_or_goes_cancels_the_run() {
    let dir = project();
    let mut mcp = Session::new(dir.path());
    mcp.call(1, "slow", json!({"input": ""}));
    assert_eq!(mcp.hear()["method"], "notifications/progress");
    mcp.say(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}));
    wait_for("a cancel", || statuses(dir.path()) == ["cancelled"]);
    mcp.call(2, "slow", json!({"input": ""}));
    assert_eq!(mcp.hear()["method"], "notifications/progress");
    mcp.input = None;
    assert!(mcp.child.wait().expect("it ends").success());
    assert_eq!(statuses(dir.path()), ["cancelled", "cancelled"]);
}

#[test]
fn tools_are_served_over_http_to_this_machine() {
    let dir = project();
    let server = Server::http(dir.path(), &["mcp", "shout.aivm", "slow.aivm", "--http", "127.0.0.1:0"]);
    let accept = "accept: application/json, text/event-stream\r\n";
    let client =
        json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client}).to_string();
    for from in ["origin: http://evil.example\r\n", "host: evil.example\r\n"] {
        assert_eq!(server.ask("POST", "/mcp", &format!("{accept}{from}"), &hello).0, 403, "{from}");
    }
    let (status, head, _) = server.ask("POST", "/mcp", accept, &hello);
    assert_eq!(status, 200);
    let session = head.lines().find(|line| line.starts_with("mcp-session-id:")).expect("a session").to_owned();
    let headers = format!("{accept}{session}\r\nmcp-protocol-version: 2025-06-18\r\n");
    let said = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
    assert_eq!(server.ask("POST", "/mcp", &headers, &said).0, 202);
    let call = |id: u64, tool: &str| {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": {"input": "hi"}}}).to_string()
    };
    let (_, _, text) = server.ask("POST", "/mcp", &headers, &call(1, "shout"));
    assert!(text.contains("HI"), "{text}");
    let under_way = server.send("POST", "/mcp", &headers, &call(2, "slow"));
    wait_for("a run", || statuses(dir.path()).contains(&"running".to_owned()));
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}}).to_string();
    assert_eq!(server.ask("POST", "/mcp", &headers, &cancel).0, 202);
    wait_for("a cancel", || statuses(dir.path()).contains(&"cancelled".to_owned()));
    drop(under_way);
}

#[test]
fn sessions_are_bounded() {
    let dir = project();
    let server = Server::http(dir.path(), &["mcp", "shout.aivm", "--http", "127.0.0.1:0"]);
    let accept = "accept: application/json, text/event-stream\r\n";
    let client =
        json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client}).to_string();
    let refused = (0..300).find(|_| server.ask("POST", "/mcp", accept, &hello).0 == 503);
    assert_eq!(refused, Some(256));
}

#[cfg(feature = "models")]
#[cfg(feature = "models")]
#[test]
fn a_signal_ends_the_runs_and_then_the_server() {
    let dir = project();
    let mut server = Server::openai(dir.path(), &[]);
    let mut under_way = server.send("POST", "/v1/chat/completions", "", &chat("slow", "").to_string());
    wait_for("a run", || statuses(dir.path()).contains(&"running".to_owned()));
    signal(&server.child, "-INT");
    let mut answer = String::new();
    under_way.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 422") && answer.contains("was cancelled"), "{answer}");
    assert_eq!(server.child.wait().expect("it ends").code(), Some(0));
    assert_eq!(statuses(dir.path()), ["cancelled"]);
    let mut more = String::new();
    server.out.read_to_string(&mut more).expect("its output");
    assert_eq!(more, "", "one object is all");

    let mut mcp = Session::new(dir.path());
    mcp.call(1, "slow", json!({"input": ""}));
    assert_eq!(mcp.hear()["method"], "notifications/progress");
    signal(&mcp.child, "-TERM");
    assert_eq!(mcp.child.wait().expect("it ends").code(), Some(0));
    assert_eq!(statuses(dir.path()), ["cancelled", "cancelled"]);
}

#[test]
fn nobody_from_outside_is_let_in_without_the_key() {
    let dir = project();
    let server = Server::openai(dir.path(), &["--key-env", "AIVM_TEST_KEY"]);
    assert_eq!(server.ask("GET", "/v1/models", "", "").0, 401);
    assert_eq!(server.ask("GET", "/v1/models", "authorization: Bearer wrong\r\n", "").0, 401);
    assert_eq!(server.ask("GET", "/v1/models", &format!("authorization: Bearer {SECRET}\r\n"), "").0, 200);
    assert_eq!(
        server.ask("GET", "/v1/models", &format!("origin: null\r\nauthorization: Bearer {SECRET}\r\n"), "").0,
        403
    );
    for (args, code) in [
        (&["openai", "shout.aivm", "--listen", "0.0.0.0:0"][..], "E0942"),
        (&["mcp", "shout.aivm", "--http", "0.0.0.0:0"], "E0942"),
        (&["openai", "shout.aivm", "--listen", "here"], "E0942"),
        (&["openai", "shout.aivm", "--key-env", "AIVM_NO_SUCH_KEY"], "E0942"),
        (&["mcp", "shout.aivm", "--key-env", "AIVM_NO_SUCH_KEY"], "E0942"),
        (&["mcp", "shout.aivm", "shout.aivm"], "E0941"),
        (&["mcp", "no name.aivm"], "E0941"),
        (&["openai", "shout.aivm", "--workspace", "nowhere"], "E0807"),
        (&["openai", "shout.aivm", "--param", "x"], "E0806"),
    ] {
        let output = aivm(dir.path(), args);
        assert!(output.status.code() == Some(2) && stderr(&output).contains(code), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn a_program_that_is_wrong_is_told_at_the_start() {
    let dir = project();
    write(dir.path(), "wrong.aivm", "out <= ( switch <= ( clean => nxt ) ) <= in\n");
    let checked = aivm(dir.path(), &["check", "wrong.aivm"]);
    for command in ["mcp", "openai"] {
        let output = aivm(dir.path(), &[command, "shout.aivm", "wrong.aivm"]);
        assert_eq!(output.status.code(), checked.status.code());
        assert_eq!((stderr(&output), output.stdout), (stderr(&checked), Vec::new()));
    }
}

#[test]
fn a_model_writes_pipelines_by_tools_that_change_nothing() {
    let dir = folder();
    write(dir.path(), "workers/stamp.toml", "run = \"cat\"\neffect = \"pure\"\n");
    let mut mcp = Session::of(dir.path(), &["--authoring"]);
    mcp.say(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}));
    let tools = mcp.hear()["result"]["tools"].clone();
    let names: Vec<&str> = tools.as_array().expect("tools").iter().filter_map(|tool| tool["name"].as_str()).collect();
    assert_eq!(names, ["aivm_reference", "aivm_check", "aivm_explain", "aivm_graph"]);
    assert!(tools.as_array().expect("tools").iter().all(|tool| tool["annotations"]["readOnlyHint"] == true));
    let mut said = |id: u64, tool: &str, arguments: Value| {
        mcp.call(id, tool, arguments);
        let result = mcp.result(id).0;
        (result["content"][0]["text"].as_str().expect("text").to_owned(), result)
    };
    // The page is right by its own account: its first program is one.
    let (page, _) = said(2, "aivm_reference", json!({"topic": "language"}));
    let program = page.split("```aivm\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a program");
    let (_, checked) = said(3, "aivm_check", json!({"program": program}));
    assert_eq!(checked["structuredContent"]["ok"], true, "{checked}");
    let wrong = program.replacen("=>", "->", 1);
    let (_, checked) = said(4, "aivm_check", json!({"program": wrong}));
    let told = &checked["structuredContent"];
    assert_eq!((&told["ok"], &told["diagnostics"][0]["code"]), (&json!(false), &json!("E0106")), "{told}");
    let edit = &told["diagnostics"][0]["fix"]["edits"][0];
    assert_eq!(edit[1], "=>", "{told}");
    assert!(said(5, "aivm_explain", json!({"topic": "e0106"})).0.starts_with("# E0106"));
    assert!(said(6, "aivm_explain", json!({"topic": "clean"})).0.contains("Tidies"));
    let (_, none) = said(7, "aivm_explain", json!({"topic": "E9999"}));
    assert_eq!(none["isError"], true);
    // Words of the project are known.
    let own = "out <= ( switch <= ( stamp => send ) ) <= in";
    assert!(said(8, "aivm_graph", json!({"program": own})).0.contains("stamp"));
    let (text, none) = said(9, "aivm_graph", json!({"program": "out <= ("}));
    assert!(none["isError"] == true && text.contains("E0108"), "{text}");
    let (_, none) = said(10, "aivm_check", json!({}));
    assert_eq!(none["isError"], true);
    assert!(statuses(dir.path()).is_empty(), "nothing ran");
}
