//! The language server, through a client that speaks the protocol to it over its pipes.

use super::{aivm, folder, stderr, write};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const PROGRAM: &str = "+++
[worker.write]
about = \"Writes a page.\"
run = \"tr a-z A-Z\"
effect = \"pure\"
+++
out <= (
    switch[page] <= (
        write => next | cancel ; größer \u{1f600}
        check -> send
    )
) <= in
";

/// A client: requests are asked one after the other, and what comes between their answers is kept.
struct Client {
    server: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    uri: String,
    asked: u64,
    told: Vec<Value>,
}

impl Client {
    /// A server in a folder that has the program in `p.aivm`, before anything was said.
    fn new(dir: &Path) -> Client {
        write(dir, "p.aivm", PROGRAM);
        let mut server = Command::new(env!("CARGO_BIN_EXE_aivm"))
            .arg("lsp")
            .current_dir(dir)
            .env_remove("AIVM_STATE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let (to, from) = (server.stdin.take(), server.stdout.take().expect("its output"));
        let uri = format!("file://{}/p.aivm", dir.canonicalize().expect("the folder").display());
        Client { server, to, from: BufReader::new(from), uri, asked: 0, told: Vec::new() }
    }

    /// The same after the first words.
    fn open(dir: &Path, text: &str) -> Client {
        let mut client = Client::new(dir);
        let capabilities = json!({"general": {"positionEncodings": ["utf-16"]}});
        let pages = json!({"errorPages": "https://example.org/errors"});
        let answer = client.ask("initialize", json!({"capabilities": capabilities, "initializationOptions": pages}));
        assert_eq!(answer["result"]["capabilities"]["positionEncoding"], "utf-16", "{answer}");
        client.say("initialized", json!({}));
        let document = json!({"uri": client.uri, "languageId": "aivm", "version": 1, "text": text});
        client.say("textDocument/didOpen", json!({"textDocument": document}));
        client
    }

    fn send_bytes(&mut self, body: &str) {
        let to = self.to.as_mut().expect("it is open");
        write!(to, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("it takes a message");
        to.flush().expect("it takes a message");
    }

    fn say(&mut self, method: &str, params: Value) {
        self.send_bytes(&json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string());
    }

    fn hear(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.from.read_line(&mut line).expect("a line") > 0, "the server is gone");
            match line.trim().split_once(": ") {
                Some(("Content-Length", value)) => length = value.parse().expect("a length"),
                _ if line.trim().is_empty() => break,
                _ => panic!("no head of a message: {line:?}"),
            }
        }
        let mut body = vec![0; length];
        self.from.read_exact(&mut body).expect("a message");
        serde_json::from_slice(&body).expect("JSON")
    }

    fn request(&mut self, method: &str, params: Value) -> u64 {
        self.asked += 1;
        let body = json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params});
        self.send_bytes(&body.to_string());
        self.asked
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        loop {
            let message = self.hear();
            if message["id"] == id {
                return message;
            }
            self.told.push(message);
        }
    }

    /// What is asked about a place of the open text: line and column from 0.
    fn at(&mut self, method: &str, line: u32, character: u32) -> Value {
        let (uri, position) = (json!({"uri": self.uri}), json!({"line": line, "character": character}));
        let mut answer = self.ask(method, json!({"textDocument": uri, "position": position, "newName": "compose"}));
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].take()
    }

    /// The next diagnostics.
    fn diagnostics(&mut self) -> Value {
        let message = if self.told.is_empty() { self.hear() } else { self.told.remove(0) };
        assert_eq!(message["method"], "textDocument/publishDiagnostics", "{message}");
        message["params"].clone()
    }

    fn change(&mut self, version: u32, changes: Value) {
        let document = json!({"uri": self.uri, "version": version});
        self.say("textDocument/didChange", json!({"textDocument": document, "contentChanges": changes}));
    }

    /// Says goodbye; the code that the server ends with.
    fn close(mut self) -> Option<i32> {
        let answer = self.ask("shutdown", Value::Null);
        assert!(answer["error"].is_null() && answer["result"].is_null(), "{answer}");
        self.say("exit", Value::Null);
        drop(self.to.take());
        let mut rest = Vec::new();
        self.from.read_to_end(&mut rest).expect("the end");
        assert_eq!(String::from_utf8_lossy(&rest), "", "nothing follows `exit`");
        self.server.wait().expect("it ends").code()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.to.take());
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn range(line: u32, start: u32, end: u32) -> Value {
    json!({"start": {"line": line, "character": start}, "end": {"line": line, "character": end}})
}

#[test]
fn what_is_wrong_is_told_while_it_is_typed_with_what_mends_it() {
    let dir = folder();
    let mut client = Client::open(dir.path(), PROGRAM);
    let told = client.diagnostics();
    assert_eq!((&told["uri"], &told["version"]), (&json!(client.uri), &json!(1)));
    let wrong = &told["diagnostics"][0];
    assert_eq!((&wrong["code"], &wrong["range"]), (&json!("E0106"), &range(9, 14, 16)), "{told}");
    assert_eq!(wrong["codeDescription"]["href"], "https://example.org/errors/E0106.md");
    let asked = json!({"textDocument": {"uri": client.uri}, "range": range(9, 14, 16), "context": {"diagnostics": []}});
    let actions = client.ask("textDocument/codeAction", asked);
    let edit = &actions["result"][0]["edit"]["changes"][&client.uri][0];
    assert_eq!((&edit["range"], &edit["newText"]), (&range(9, 14, 16), &json!("=>")), "{actions}");
    // Many changes at once: the last text counts. The column behind the smiley counts it for two.
    client.change(2, json!([{"range": range(9, 14, 16), "text": "=>"}, {"range": range(8, 42, 42), "text": "!"}]));
    client.change(3, json!([{"range": range(9, 8, 13), "text": "  clean"}]));
    let mut last = client.diagnostics();
    while last["version"] != 3 {
        last = client.diagnostics();
    }
    assert_eq!(last["diagnostics"], json!([]), "{last}");
    let formatted = client.at("textDocument/formatting", 0, 0)[0]["newText"].to_string();
    assert!(formatted.contains("größer \u{1f600}!") && formatted.contains("\\n        clean => send"), "{formatted}");
    client.say("textDocument/didClose", json!({"textDocument": {"uri": client.uri}}));
    assert_eq!(client.diagnostics()["diagnostics"], json!([]));
    assert_eq!(client.close(), Some(0));
}

#[test]
fn a_program_is_asked_about() {
    let dir = folder();
    let text = PROGRAM.replace("check -> send", "[write <= page.write.out] => send");
    let mut client = Client::open(dir.path(), &text);
    assert_eq!(client.diagnostics()["diagnostics"][0]["code"], "E0509", "one word stands twice");
    let hover = client.at("textDocument/hover", 8, 10);
    let said = hover["contents"]["value"].as_str().unwrap_or_default();
    assert!(said.contains("**`write`**: command, pure.") && said.contains("Writes a page."), "{said}");
    assert!(said.contains("In one run: at most ") && said.contains("- `next` → page/write.2"), "{said}");
    let place = client.at("textDocument/definition", 9, 22);
    assert_eq!((&place["uri"], &place["range"]), (&json!(client.uri), &range(7, 11, 15)), "the label of a reference");
    assert_eq!(client.at("textDocument/definition", 8, 10)["range"], range(1, 8, 13), "the worker");
    assert_eq!(client.at("textDocument/references", 8, 10).as_array().map(Vec::len), Some(4));
    assert_eq!(client.at("textDocument/prepareRename", 8, 10)["placeholder"], "write");
    let edits = client.at("textDocument/rename", 8, 10);
    assert_eq!(edits["changes"][&client.uri].as_array().map(Vec::len), Some(4), "{edits}");
    let completed = client.at("textDocument/completion", 8, 25);
    let labels: Vec<&str> =
        completed["items"].as_array().into_iter().flatten().filter_map(|one| one["label"].as_str()).collect();
    assert_eq!(labels[..2], ["continue", "cancel"], "{labels:?}");
    let completed = client.at("textDocument/completion", 8, 8);
    let write = completed["items"].as_array().and_then(|all| all.iter().find(|one| one["label"] == "write")).cloned();
    let resolved = client.ask("completionItem/resolve", write.expect("the worker is proposed"));
    assert!(resolved["result"]["documentation"]["value"].to_string().contains("Writes a page."), "{resolved}");
    let symbols = client.at("textDocument/documentSymbol", 0, 0);
    assert_eq!(symbols[0]["children"][0]["name"], "page", "{symbols}");
    assert_eq!(symbols[0]["children"][0]["children"].as_array().map(Vec::len), Some(2), "{symbols}");
    assert_eq!(client.at("textDocument/foldingRange", 0, 0).as_array().map(Vec::len), Some(3));
    let lenses = client.at("textDocument/codeLens", 0, 0);
    let commands = [&lenses[0]["command"]["command"], &lenses[1]["command"]["command"]];
    assert_eq!(commands, ["aivm.runMock", "aivm.run"], "{lenses}");
    let hints = client.at("textDocument/inlayHint", 0, 0);
    assert!(hints.as_array().is_some_and(Vec::is_empty), "nothing is on a cycle, nothing runs next: {hints}");
    // The first tokens of the program: `out` and `<=`, on its first line.
    let tokens = client.at("textDocument/semanticTokens/full", 0, 0);
    let numbers: Vec<u64> = tokens["data"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    assert_eq!(numbers[..10], [6, 0, 3, 0, 0, 0, 4, 2, 7, 0], "{tokens}");
    assert_eq!(client.close(), Some(0));
}

#[cfg(feature = "store")]
#[test]
fn hover_shows_what_the_last_run_came_to() {
    let dir = folder();
    let text = PROGRAM.replace("        check -> send\n", "");
    let mut client = Client::open(dir.path(), &text);
    write(dir.path(), "p.aivm", &text);
    let before = client.at("textDocument/hover", 8, 10)["contents"]["value"].to_string();
    assert!(!before.contains("In run"), "{before}");
    let ran = aivm(dir.path(), &["run", "p.aivm", "--in", "loud", "--id", "first"]);
    assert_eq!(ran.status.code(), Some(0), "{}", stderr(&ran));
    let after = client.at("textDocument/hover", 8, 10)["contents"]["value"].to_string();
    assert!(after.contains("In run `first`") && after.contains("**next**") && after.contains("`LOUD`"), "{after}");
}

#[test]
fn a_conversation_goes_by_the_book() {
    let dir = folder();
    let mut client = Client::new(dir.path());
    assert_eq!(client.ask("textDocument/hover", json!({}))["error"]["code"], -32002);
    let utf8 = json!({"capabilities": {"general": {"positionEncodings": ["utf-16", "utf-8"]}}});
    assert_eq!(client.ask("initialize", utf8)["result"]["capabilities"]["positionEncoding"], "utf-8");
    assert_eq!(client.ask("initialize", json!({"capabilities": {}}))["error"]["code"], -32600);
    assert_eq!(client.ask("no/such", json!({}))["error"]["code"], -32601);
    assert_eq!(client.ask("textDocument/hover", json!(5))["error"]["code"], -32602);
    let nowhere = json!({"textDocument": {"uri": "file:///nowhere"}, "position": {"line": 0, "character": 0}});
    assert_eq!(client.ask("textDocument/hover", nowhere)["error"]["code"], -32602);
    // Messages that are none are answered where they can be, and passed over.
    client.say("no/such", json!({}));
    client.say("textDocument/didChange", json!({"textDocument": {"uri": "file:///nowhere"}}));
    for broken in ["{no json", "[]", "{\"id\": {}}", "null"] {
        client.send_bytes(broken);
        let answer = client.hear();
        assert!(answer["id"].is_null() && !answer["error"].is_null(), "{broken}: {answer}");
    }
    // A place that the text does not have is its end; and a version may be any number.
    let text = "out <= () <= in";
    let document = json!({"uri": client.uri, "languageId": "aivm", "version": -7, "text": text});
    client.say("textDocument/didOpen", json!({"textDocument": document}));
    assert!(client.at("textDocument/hover", 99, 99)["contents"]["value"].to_string().contains("`in`"));
    let answer = client.ask("shutdown", Value::Null);
    assert_eq!(answer["result"], Value::Null);
    assert_eq!(client.ask("textDocument/hover", json!({}))["error"]["code"], -32600, "after `shutdown`");
    client.say("exit", Value::Null);
    assert_eq!(client.server.wait().expect("it ends").code(), Some(0));
}

#[test]
fn who_goes_without_a_word_is_not_waited_for() {
    let dir = folder();
    let mut client = Client::open(dir.path(), PROGRAM);
    drop(client.to.take());
    assert_eq!(client.server.wait().expect("it ends").code(), Some(1));
}

/// A request that is cancelled before its turn is answered so; one that was answered already, or was never made, changes nothing.
#[test]
fn a_request_can_be_cancelled() {
    let dir = folder();
    let mut client = Client::open(dir.path(), PROGRAM);
    let about = json!({"textDocument": {"uri": client.uri}, "position": {"line": 8, "character": 10}});
    let ids: Vec<u64> = (0..50).map(|_| client.request("textDocument/hover", about.clone())).collect();
    for id in &ids {
        client.say("$/cancelRequest", json!({"id": id}));
    }
    let mut answered = Vec::new();
    while answered.len() < ids.len() {
        let message = client.hear();
        if let Some(id) = message["id"].as_u64() {
            let code = &message["error"]["code"];
            assert!(!message["result"].is_null() || code == -32800, "{message}");
            answered.push(id);
        }
    }
    answered.sort_unstable();
    assert_eq!(answered, ids, "each has one answer");
    assert_eq!(client.close(), Some(0));
}
