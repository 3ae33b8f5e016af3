//! Models: what a step of ours takes beside a bare client that asks the same of the same server. The server is a process of its
//! own, and so is each client: nobody's time or memory is another's.

use super::{Row, options, row};
use aivm_host::driver;
use aivm_host::mint::Mint;
use aivm_host::models::{Models, Provider, Settings};
use aivm_host::store::Memory;
use aivm_host::trace::{Event, Observer};
use aivm_lang::library::Shelf;
use aivm_schema::artifact::Draft;
use aivm_vm::verify::{VerifiedModule, verify};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

/// The first argument of a child.
pub const CHILD: &str = "--models-child";

/// Calls under way at once, and how many each line of them makes.
const AT_ONCE: usize = 64;
const CALLS: usize = 40;
/// Answers that are streamed at once.
const STREAMS: usize = 200;
/// When the server says the first piece, and each that follows.
const FIRST: Duration = Duration::from_millis(100);
const PIECE: Duration = Duration::from_millis(10);
const PIECES: usize = 30;
/// Each figure is the least of so many tries, ours and the bare client's in turn.
const TRIES: usize = 5;

/// All rows of the group.
pub fn models(rows: &mut Vec<Row>) {
    let mut server = Server(child(&["server"]));
    let mut port = String::new();
    BufReader::new(server.0.stdout.take().expect("a pipe")).read_line(&mut port).expect("a port");
    let url = format!("http://127.0.0.1:{}/v1", port.trim());
    let measure = |args: &[&str]| -> Value {
        let output = child(&[args, &[&url]].concat()).wait_with_output().expect("it ends");
        assert!(output.status.success(), "{args:?}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let pairs = |what: &str, key: &str| {
        let mut least = [f64::INFINITY; 2];
        let mut peak = 0.0_f64;
        for _ in 0..TRIES {
            for (who, least) in ["bare", "ours"].iter().zip(&mut least) {
                let measured = measure(&[what, who]);
                *least = least.min(measured[key].as_f64().expect("a figure"));
                peak = peak.max(measured["peak"].as_f64().expect("a figure"));
            }
        }
        (least[1] - least[0], least[0], peak)
    };
    let (own, bare, _) = pairs("calls", "ms");
    rows.push(row(
        "a step that asks a model, 64 at once: our own time",
        own * 1e3,
        "µs",
        ("a bare client's whole call", bare * 1e3),
        "≤ 1,000 µs",
    ));
    let (own, bare, peak) = pairs("streams", "first");
    rows.push(row(
        "200 answers streamed at once: our share of the time to the first piece, 99 of 100",
        own,
        "ms",
        ("a bare client's, of which the server takes 100", bare),
        "≤ 20 ms",
    ));
    rows.push(row("the same, the most memory that it held", peak, "MiB", ("the bar", 120.0), "≤ 120 MB"));
}

/// Ends with whoever started it.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn child(args: &[&str]) -> Child {
    let own = std::env::current_exe().expect("this program");
    Command::new(own).arg(CHILD).args(args).stdout(Stdio::piped()).spawn().expect("a child")
}

/// What a child does.
pub fn carry_out(args: &[String]) {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let runtime = super::runtime();
    match args.as_slice() {
        ["server"] => runtime.block_on(serve()),
        [what, who, url] => {
            let streams = *what == "streams";
            let (lines, calls) = if streams { (STREAMS, 1) } else { (AT_ONCE, CALLS) };
            let began = Instant::now();
            let mut first: Vec<f64> = match *who {
                "bare" => runtime.block_on(bare(url, streams, lines, calls)),
                _ => LocalSet::new().block_on(&runtime, ours(url, streams, lines, calls)),
            };
            let ms = began.elapsed().as_secs_f64() * 1e3 / (lines * calls) as f64;
            first.sort_by(f64::total_cmp);
            assert_eq!(first.len(), if streams { lines } else { 0 }, "all of them came");
            let first = first.get(first.len() * 99 / 100).copied().unwrap_or(0.0);
            println!("{}", json!({"ms": ms, "first": first, "peak": peak()}));
        }
        other => panic!("no such child: {other:?}"),
    }
}

/// Mebibytes that this process held at most.
fn peak() -> f64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).expect("usage");
    usage.max_rss() as f64 / 1024.0
}

/// The question that ours sends, by a bare client.
fn question(streams: bool) -> String {
    let mut question = json!({"model": "m", "messages": [
        {"role": "system", "content": "Say it."}, {"role": "user", "content": "the input"}]});
    if streams {
        question["stream"] = true.into();
        question["stream_options"] = json!({"include_usage": true});
    }
    question.to_string()
}

async fn bare(url: &str, streams: bool, lines: usize, calls: usize) -> Vec<f64> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().build().expect("a client");
    let url = format!("{url}/chat/completions");
    let line = |client: reqwest::Client, url: String| async move {
        let mut first = None;
        for _ in 0..calls {
            let began = Instant::now();
            let asked = client.post(&url).header("content-type", "application/json").body(question(streams));
            let mut response = asked.send().await.expect("an answer");
            let mut body = Vec::new();
            while let Some(piece) = response.chunk().await.expect("all of it") {
                if streams {
                    first.get_or_insert_with(|| began.elapsed().as_secs_f64() * 1e3);
                }
                body.extend_from_slice(&piece);
            }
            if !streams {
                serde_json::from_slice::<Value>(&body).expect("JSON");
            }
        }
        first
    };
    let all: Vec<_> = (0..lines).map(|_| tokio::spawn(line(client.clone(), url.clone()))).collect();
    let mut first = Vec::new();
    for line in all {
        first.extend(line.await.expect("it ends"));
    }
    first
}

fn asking(calls: usize) -> VerifiedModule {
    let steps = "w => next ".repeat(calls - 1) + "w => send";
    let worker = "[worker.w]\nprompt = \"Say it.\"\nmodel = \"f/m\"\n";
    let program = format!("+++\n{worker}+++\nout <= ( switch <= ( {steps} ) ) <= in\n");
    verify(aivm_lang::compile("p.aivm", &program, &Shelf::default()).expect("it compiles").module).expect("verified")
}

/// When a run's first piece came.
#[derive(Default)]
struct Ear {
    streams: bool,
    began: Option<Instant>,
    first: Option<f64>,
}

impl Observer for Ear {
    fn is_listening(&self) -> bool {
        self.streams
    }

    fn is_watching(&self) -> bool {
        self.streams
    }

    fn event(&mut self, event: Event<'_>) {
        match (event, self.began) {
            (Event::Started { .. }, _) => self.began = Some(Instant::now()),
            (Event::Heard { .. }, Some(began)) => {
                self.first.get_or_insert_with(|| began.elapsed().as_secs_f64() * 1e3);
            }
            _ => {}
        }
    }
}

async fn ours(url: &str, streams: bool, lines: usize, calls: usize) -> Vec<f64> {
    let provider = Provider { url: Some(url.to_owned()), ..Provider::default() };
    let models = Models::new(Settings { provider: [("f".to_owned(), provider)].into(), ..Settings::default() });
    let (models, mint) = (Arc::new(models), Arc::new(Mint::system().expect("randomness")));
    let module = asking(calls);
    let line = || {
        let (module, mint, mut options) = (module.clone(), mint.clone(), options(false));
        options.around.outside.models = models.clone();
        async move {
            let mut ear = Ear { streams, ..Ear::default() };
            let draft = Draft { media_type: "text/plain".into(), payload: b"the input".to_vec(), ..Draft::default() };
            let input = mint.seal(draft).expect("an artifact");
            let run = driver::run(module, input, options, Rc::new(Memory::default()), mint, &mut ear);
            let report = run.await.expect("it runs");
            let driver::Ending::Ended(end) = &report.ending else { panic!("it waits") };
            assert!(end.result.is_ok(), "{:?}", end.result);
            (report.totals.calls, ear.first)
        }
    };
    let all: Vec<_> = (0..lines).map(|_| tokio::task::spawn_local(line())).collect();
    let mut first = Vec::new();
    for line in all {
        let (made, heard) = line.await.expect("it ends");
        assert_eq!(made as usize, calls);
        first.extend(heard);
    }
    first
}

/// Answers until it is killed.
async fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address").port());
    loop {
        let (stream, _) = listener.accept().await.expect("a client");
        tokio::spawn(answer(stream));
    }
}

async fn answer(stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut stream = tokio::io::BufReader::new(stream);
    loop {
        let (mut length, mut line) = (0, String::new());
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        if body.windows(13).any(|window| window == b"\"stream\":true") {
            streamed(&mut stream).await?;
            continue;
        }
        let body = json!({
            "id": "1", "object": "chat.completion", "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "said"}}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        })
        .to_string();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).await.ok()?;
    }
}

async fn streamed(stream: &mut tokio::io::BufReader<TcpStream>) -> Option<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.ok()?;
    let chunk = |text: String| format!("{:x}\r\n{text}\r\n", text.len());
    let event = |json: Value| chunk(format!("data: {json}\n\n"));
    for nth in 0..PIECES {
        tokio::time::sleep(if nth == 0 { FIRST } else { PIECE }).await;
        let piece = event(json!({"choices": [{"index": 0, "delta": {"content": "word "}}]}));
        stream.write_all(piece.as_bytes()).await.ok()?;
    }
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 30, "total_tokens": 40});
    let end = event(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage}));
    let done = chunk("data: [DONE]\n\n".to_owned()) + "0\r\n\r\n";
    stream.write_all((end + &done).as_bytes()).await.ok()
}
