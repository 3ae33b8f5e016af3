//! What a person at an editor waits for: the language server itself, a process, with a program of 500 lines open.

use super::{Row, program, row, seconds};
use aivm_lang::library::Shelf;
use aivm_lang::service::Document;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const KEYS: usize = 1_000;
const LINES: usize = 500;

/// Keystrokes, and questions about what may stand at a place.
pub fn editing(rows: &mut Vec<Row>) {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = |size: usize| program(size).lines().count();
    let size = (0..).map(|kilobytes| kilobytes * 1_000).find(|size| lines(*size) >= LINES).expect("it grows");
    let text = program(size);
    let alone: Vec<f64> = (0..KEYS)
        .map(|_| {
            seconds(|| drop(Document::new("bench.aivm", text.clone(), &Shelf { anything: true, ..Shelf::default() })))
        })
        .collect();
    let alone = ninety_nine(alone) * 1e3;
    let mut client = Client::open(folder.path(), &text);
    let count = text.lines().count();
    let strokes = (0..KEYS).map(|key| {
        // A letter more in some line, and away again.
        let line = key / 2 * 7 % (count - 2) + 1;
        let at = json!({"line": line, "character": 0});
        let change = match key % 2 {
            0 => json!([{"range": {"start": at, "end": at}, "text": "x"}]),
            _ => json!([{"range": {"start": at, "end": {"line": line, "character": 1}}, "text": ""}]),
        };
        seconds(|| client.change(key + 2, change))
    });
    let stroke = ninety_nine(strokes.collect()) * 1e3;
    rows.push(row(
        "a key in a program of 500 lines, to its diagnostics, 99 of 100",
        stroke,
        "ms",
        ("compiled alone", alone),
        "≤ 5 ms",
    ));
    let asked = (0..KEYS).map(|key| seconds(|| client.complete(key, key * 7 % count)));
    let asked = ninety_nine(asked.collect()) * 1e3;
    rows.push(row("what may stand at a place of it, 99 of 100", asked, "ms", ("compiled alone", alone), "≤ 10 ms"));
}

/// The figure that 99 of 100 do not exceed.
fn ninety_nine(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() * 99 / 100).copied().unwrap_or(f64::NAN)
}

struct Client {
    server: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    uri: String,
}

impl Client {
    fn open(folder: &std::path::Path, text: &str) -> Client {
        let mut server = Command::new(env!("CARGO_BIN_EXE_aivm"))
            .arg("lsp")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let (to, from) = (server.stdin.take().expect("its input"), server.stdout.take().expect("its output"));
        let uri = format!("file://{}/bench.aivm", folder.display());
        let mut client = Client { server, to, from: BufReader::new(from), uri };
        client.send(json!({"id": 0, "method": "initialize", "params": {"capabilities": {}}}));
        client.hear();
        let document = json!({"uri": client.uri, "version": 1, "text": text});
        client.send(json!({"method": "textDocument/didOpen", "params": {"textDocument": document}}));
        client.hear();
        client
    }

    fn send(&mut self, mut message: Value) {
        message["jsonrpc"] = "2.0".into();
        let text = message.to_string();
        write!(self.to, "Content-Length: {}\r\n\r\n{text}", text.len()).expect("it listens");
        self.to.flush().expect("it listens");
    }

    fn hear(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.from.read_line(&mut line).expect("a line") > 0, "the server is gone");
            match line.trim().strip_prefix("Content-Length: ") {
                Some(value) => length = value.parse().expect("a length"),
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.from.read_exact(&mut body).expect("a message");
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Changes the text, and waits for what is wrong with it then.
    fn change(&mut self, version: usize, changes: Value) {
        let document = json!({"uri": self.uri, "version": version});
        let params = json!({"textDocument": document, "contentChanges": changes});
        self.send(json!({"method": "textDocument/didChange", "params": params}));
        while self.hear()["params"]["version"] != version {}
    }

    fn complete(&mut self, id: usize, line: usize) {
        let params = json!({"textDocument": {"uri": self.uri}, "position": {"line": line, "character": 8}});
        self.send(json!({"id": id, "method": "textDocument/completion", "params": params}));
        let answer = self.hear();
        assert!(answer["result"]["items"].is_array(), "{answer}");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
