//! A server that answers by a script, texts in the protocol of OpenAI: what a real one will not do on command.
#![cfg_attr(not(feature = "models"), allow(dead_code))]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What it does with one request; the last of a script repeats.
#[derive(Clone)]
pub enum Reply {
    /// A text, and 10 tokens in and 5 out.
    Text(String),
    /// A tool is wanted, with these arguments.
    Wants(&'static str, Value),
    /// A tool is wanted, with these arguments as they are written.
    Writes(&'static str, &'static str),
    /// A text, its second half so much later when it is streamed.
    Slow(String, Duration),
    /// A status, a header and a body.
    Status(u16, &'static str, String),
    /// It says nothing for so long, and then goes.
    Stall(Duration),
    /// It goes in the middle of an answer.
    Broken,
    /// This body, as it is.
    Raw(String),
    /// A status, all headers but the length, and a body.
    Whole(u16, String, Vec<u8>),
}

pub fn text(text: &str) -> Reply {
    Reply::Text(text.to_owned())
}

pub struct Fake {
    pub url: String,
    asked: Arc<Mutex<Vec<Request>>>,
}

/// What it was asked.
#[derive(Clone)]
pub struct Request {
    /// The first line and the headers, as they came.
    pub head: String,
    pub body: String,
}

impl Request {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

impl Fake {
    /// Answers until the test ends.
    pub fn new(script: Vec<Reply>) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let asked: Arc<Mutex<Vec<Request>>> = Arc::default();
        let all = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, all) = (script.clone(), all.clone());
                std::thread::spawn(move || while answer(&stream, &script, &all).is_some() {});
            }
        });
        Fake { url, asked }
    }

    /// The bodies of all requests so far, as JSON.
    pub fn asked(&self) -> Vec<Value> {
        self.requests().iter().map(Request::json).collect()
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.asked.lock().expect("whole").clone()
    }

    /// Its address without the path: `http://127.0.0.1:PORT`.
    pub fn root(&self) -> &str {
        self.url.trim_end_matches("/v1")
    }
}

/// One request of a connection; none: it is over.
fn answer(stream: &TcpStream, script: &[Reply], all: &Mutex<Vec<Request>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut line, mut head) = (0, String::new(), String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let request = Request { head, body: String::from_utf8_lossy(&body).into_owned() };
    let streams = request.json()["stream"] == true;
    let nth = {
        let mut all = all.lock().expect("whole");
        all.push(request);
        all.len() - 1
    };
    let mut stream = stream;
    let mut send = |status: u16, header: &str, body: &str| {
        let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
        let head = format!(
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\n{header}content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body.as_bytes()).ok()
    };
    match script.get(nth).or(script.last())? {
        Reply::Text(text) if streams => streamed(stream, text, Duration::ZERO),
        Reply::Slow(text, pause) if streams => streamed(stream, text, *pause),
        Reply::Wants(tool, arguments) if streams => wants(stream, nth, tool, &arguments.to_string()),
        Reply::Writes(tool, arguments) if streams => wants(stream, nth, tool, arguments),
        Reply::Wants(tool, arguments) => send(200, "", &wanted(nth, tool, &arguments.to_string()).to_string()),
        Reply::Writes(tool, arguments) => send(200, "", &wanted(nth, tool, arguments).to_string()),
        Reply::Text(text) | Reply::Slow(text, _) => {
            let body = json!({
                "id": "1", "object": "chat.completion", "model": "fake",
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
            });
            send(200, "", &body.to_string())
        }
        Reply::Raw(body) => send(200, "", body),
        Reply::Status(status, header, body) => send(*status, header, body),
        Reply::Whole(status, headers, body) => {
            let head = format!("HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).ok()?;
            stream.write_all(body).ok()
        }
        Reply::Stall(wait) => {
            std::thread::sleep(*wait);
            None
        }
        Reply::Broken => {
            let _ = stream.write_all(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"choices\"",
            );
            None
        }
    }
}

fn wanted(nth: usize, tool: &str, arguments: &str) -> Value {
    let function = json!({"name": tool, "arguments": arguments});
    let call = json!({"id": format!("call_{nth}"), "type": "function", "function": function});
    let message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
    json!({
        "id": "1", "object": "chat.completion", "model": "fake",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    })
}

fn wants(stream: &TcpStream, nth: usize, tool: &str, arguments: &str) -> Option<()> {
    let function = json!({"name": tool, "arguments": arguments});
    let call = json!({"index": 0, "id": format!("call_{nth}"), "type": "function", "function": function});
    let delta = json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]});
    events(stream, &[delta], "tool_calls", Duration::ZERO)
}

/// An answer in two pieces.
fn streamed(stream: &TcpStream, text: &str, pause: Duration) -> Option<()> {
    let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    let piece = |piece: &str| json!({"choices": [{"index": 0, "delta": {"content": piece}}]});
    events(stream, &[piece(text.get(..middle)?), piece(text.get(middle..)?)], "stop", pause)
}

fn events(mut stream: &TcpStream, pieces: &[Value], ends: &str, pause: Duration) -> Option<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n").ok()?;
    let mut event = |json: &Value| stream.write_all(format!("data: {json}\n\n").as_bytes()).ok();
    for (nth, piece) in pieces.iter().enumerate() {
        if nth > 0 {
            std::thread::sleep(pause);
        }
        event(piece)?;
    }
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15});
    event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": ends}], "usage": usage}))?;
    stream.write_all(b"data: [DONE]\n\n").ok()?;
    stream.shutdown(std::net::Shutdown::Both).ok()?;
    None
}
