//! What `aivm openai` and `aivm mcp` answer, and what they are asked.

use super::*;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Child;

/// A server that is ended, and what it says on standard output.
struct Server {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Server {
    fn new(project: &Project, args: &[&str]) -> Server {
        let mut command = project.command(args);
        let errors = std::fs::File::create(project.inside.path().join("errors")).unwrap();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Server { child, said }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line
    }

    fn end(&mut self) {
        drop(self.child.stdin.take());
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that fails leaves nobody behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn post(address: &str, path: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).unwrap();
    heard
}

#[test]
fn what_a_client_of_openai_hears() {
    // One answer comes in one piece, one in two that part a secret.
    let project = Project::new(&Fake::new(vec![text(&leak()), Reply::Slow(leak(), Duration::from_millis(250))]));
    project.write("prints.aivm", PRINTS);
    project.write("fails.aivm", &PRINTS.replace("cat $LEAKS", "cat $LEAKS >&2; exit 3"));
    project.write("model.aivm", MODEL);
    let files = ["prints.aivm", "fails.aivm", "model.aivm"];
    let mut server = Server::new(&project, &[&["openai", "--listen", "127.0.0.1:0", "--json"], &files[..]].concat());
    let begun: Value = serde_json::from_str(&server.line()).unwrap();
    let address = begun["url"].as_str().unwrap().trim_start_matches("http://").trim_end_matches("/v1").to_owned();
    for (model, stream) in [("prints", false), ("prints", true), ("fails", false), ("model", false), ("model", true)] {
        let asked = json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": leak()}]});
        let heard = post(&address, "/v1/chat/completions", &asked);
        clean(&format!("the answer of {model}"), &heard);
        assert!(find(&heard, "***"), "{model}: {}", String::from_utf8_lossy(&heard));
    }
    let heard = post(&address, "/v1/responses", &json!({"model": leak(), "input": "x"}));
    clean("the answer to whoever names no model", &heard);
    server.end();
    project.is_clean();
}

#[test]
fn what_a_client_of_mcp_hears() {
    let project = Project::new(&Fake::new(vec![text("x")]));
    project.write("prints.aivm", PRINTS);
    project.write("fails.aivm", &PRINTS.replace("cat $LEAKS", "cat $LEAKS >&2; exit 3"));
    let mut server = Server::new(&project, &["mcp", "prints.aivm", "fails.aivm"]);
    let mut pipe = server.child.stdin.take().unwrap();
    let mut say = |said: Value| writeln!(pipe, "{said}").unwrap();
    let client = json!({"name": "canary", "version": "1"});
    say(json!({"jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}}));
    server.line();
    say(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    let none = leak();
    for (id, tool) in [(1, "prints"), (2, "fails"), (3, none.as_str())] {
        let arguments = json!({"input": leak()});
        say(
            json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}),
        );
        loop {
            let heard = server.line();
            clean(&format!("the answer of {tool}"), heard.as_bytes());
            let heard: Value = serde_json::from_str(&heard).unwrap();
            if heard["id"] == id {
                assert!(heard.to_string().contains("***"), "{tool}: {heard}");
                break;
            }
        }
    }
    server.end();
    project.is_clean();
}
