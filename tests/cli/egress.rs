//! Commands with a list of destinations, as a user meets them: what they reach, what is said when they do not. Ways past it are
//! tried by `tests/escape.rs`.

use super::{command, folder, stderr, write};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Output;
use std::sync::mpsc;
use std::time::Duration;

/// A server that answers each connection as it is told.
fn server(converse: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> u16 {
    let server = TcpListener::bind("127.0.0.1:0").expect("a server");
    let port = server.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in server.incoming().flatten() {
            let converse = converse.clone();
            std::thread::spawn(move || converse(stream));
        }
    });
    port
}

/// Reads a request's head and body, and answers with both, some of it in capitals.
fn echo(stream: TcpStream) {
    let mut lines = BufReader::new(&stream);
    let (mut head, mut length) = (String::new(), 0);
    while lines.read_line(&mut head).is_ok_and(|n| n > 2) {
        let last = head.lines().last().unwrap_or_default().to_ascii_lowercase();
        length = last.strip_prefix("content-length: ").map_or(length, |n| n.parse().expect("a length"));
    }
    let mut body = vec![0; length];
    lines.read_exact(&mut body).expect("a body");
    let said = format!("{}{}", head.to_uppercase(), String::from_utf8_lossy(&body));
    let _ = write!(&stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{said}", said.len());
}

/// Runs a shell line as a command that reads and has this network.
fn run(folder: &Path, line: &str, network: &str, args: &[&str]) -> Output {
    let sandbox = if network.is_empty() { String::new() } else { format!("sandbox = {{ network = {network} }}\n") };
    let worker = format!("run = '''{line}'''\neffect = \"read\"\n{sandbox}");
    write(folder, "p.aivm", &format!("+++\n[worker.x]\n{worker}+++\nout <= ( switch <= ( x => send ) ) <= in\n"));
    let mut all = vec!["run", "p.aivm", "--in", "hello", "-q"];
    all.extend(args);
    command(folder, &all).env_remove("AIVM_SANDBOX").output().expect("aivm runs")
}

fn is_there() -> bool {
    let there = std::process::Command::new("curl").arg("--version").output().is_ok()
        && run(folder().path(), "true", "", &["--sandbox", "bwrap"]).status.success();
    if !there {
        eprintln!("skipped: no bwrap or no curl here");
    }
    there
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_command_reaches_what_is_listed() {
    if !is_there() {
        return;
    }
    let (dir, port) = (folder(), server(echo));
    let by_address = format!("[\"127.0.0.1:{port}\"]");
    let go = |line: &str| said(&run(dir.path(), line, &by_address, &[]));
    let plain = go(&format!("curl -sS --data-binary @- -H 'Host: evil.example' http://127.0.0.1:{port}/a?b=c"));
    assert!(plain.starts_with("POST /A?B=C HTTP/1.1\r\n") && plain.ends_with("\r\n\r\nhello"), "{plain}");
    assert!(plain.contains(&format!("\r\nHOST: 127.0.0.1:{port}\r\n")), "what was checked is what is asked: {plain}");
    assert!(!plain.contains("PROXY") && !plain.contains("EVIL"), "{plain}");
    let tunnel = go(&format!("curl -sSp -d there http://127.0.0.1:{port}/"));
    assert!(tunnel.starts_with("POST / HTTP/1.1\r\n") && tunnel.ends_with("there"), "{tunnel}");
    let large = format!(
        "head -c 3000000 /dev/zero | tr '\\0' a > /tmp/a; curl -sS --data-binary @/tmp/a http://127.0.0.1:{port}/ | wc -c"
    );
    assert!(go(&large).trim().parse::<usize>().expect("a number") > 3_000_000);
    let by_name = format!("[\"localhost:{port}\"]");
    assert!(said(&run(dir.path(), &format!("curl -sS http://localhost:{port}/"), &by_name, &[])).starts_with("GET / "));
    write(dir.path(), "aivm.toml", &format!("[sandbox]\nnetwork = {by_address}\n"));
    assert!(said(&run(dir.path(), &format!("curl -sS http://127.0.0.1:{port}/"), "", &[])).starts_with("GET / "));
}

#[test]
fn what_is_refused_is_said() {
    if !is_there() {
        return;
    }
    let (dir, port) = (folder(), server(echo));
    let list = "[\"api.example.com\", \"127.0.0.1:1\"]";
    let go = |line: &str| said(&run(dir.path(), line, list, &[]));
    let refused = go(&format!("curl -sSw '%{{http_code}}' http://127.0.0.1:{port}/"));
    assert!(
        refused.contains(&format!("add \"127.0.0.1:{port}\" to `network`")) && refused.ends_with("403"),
        "{refused}"
    );
    let unreached = go("curl -sSw '%{http_code}' http://127.0.0.1:1/");
    assert!(unreached.contains("127.0.0.1:1 was not reached") && unreached.ends_with("502"), "{unreached}");
    let proxy = "exec 3<> /dev/tcp/127.0.0.1/${http_proxy##*:}; printf";
    for (request, status) in [
        ("GET / HTTP/1.1\\r\\nHost: api.example.com\\r\\n\\r\\n", "400"),
        ("GET https://api.example.com/ HTTP/1.1\\r\\n\\r\\n", "400"),
        ("GET http://2130706433:1/ HTTP/1.1\\r\\n\\r\\n", "400"),
        ("GET http://api.example.com@127.0.0.1:1/ HTTP/1.1\\r\\n\\r\\n", "400"),
        ("CONNECT api.example.com HTTP/1.1\\r\\n\\r\\n", "400"),
        ("CONNECT [::1]:1 HTTP/1.1\\r\\n\\r\\n", "403"),
        ("nonsense\\r\\n\\r\\n", "400"),
    ] {
        let answer = go(&format!("bash -c '{proxy} \"{request}\" >&3; head -n 1 <&3'"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
    }
    let long = go(&format!(
        "bash -c '{proxy} \"GET http://127.0.0.1:1/%0100000d HTTP/1.1\\r\\n\\r\\n\" 1 >&3; head -n 1 <&3'; true"
    ));
    assert!(!long.contains(" 502 "), "a head has an end, and this one would have been passed on: {long}");
    let failed = run(dir.path(), &format!("curl -sfS http://127.0.0.1:{port}/"), list, &[]);
    assert!(stderr(&failed).contains("E0717"), "{}", stderr(&failed));
    assert!(
        stderr(&failed).contains(&format!("its sandbox refused it: 127.0.0.1:{port} is not listed")),
        "{}",
        stderr(&failed)
    );
}

#[test]
fn nothing_of_the_way_out_outlives_the_call() {
    if !is_there() {
        return;
    }
    let (ended, end) = mpsc::channel();
    let held = server(move |mut stream| {
        // Until whoever connected is gone.
        let _ = stream.read_to_end(&mut Vec::new());
        let _ = ended.send(());
    });
    let end = std::sync::Arc::new(std::sync::Mutex::new(end));
    let asks = server(move |mut stream| {
        let gone = end.lock().expect("one at a time").recv_timeout(Duration::from_secs(20)).is_ok();
        let _ = stream.read(&mut [0; 1024]);
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", if gone { "gone" } else { "there" });
    });
    let dir = folder();
    let worker = |name: &str, line: &str| {
        format!(
            "[worker.{name}]\nrun = '''{line}'''\neffect = \"read\"\nsandbox = {{ network = [\"127.0.0.1:{held}\", \"127.0.0.1:{asks}\"] }}\n"
        )
    };
    let connect = "bash -c 'exec 3<> /dev/tcp/127.0.0.1/${http_proxy##*:}; printf \"CONNECT 127.0.0.1:HELD HTTP/1.1\\r\\n\\r\\n\" >&3; head -n 1 <&3; sleep 60 <&3 &'";
    let (x, y) = (
        worker("x", &connect.replace("HELD", &held.to_string())),
        worker("y", &format!("cat; curl -sS http://127.0.0.1:{asks}/")),
    );
    let body = "out <= ( switch <= ( x => next y => send ) ) <= in";
    write(dir.path(), "p.aivm", &format!("+++\n{x}{y}+++\n{body}\n"));
    let mut run = command(dir.path(), &["run", "p.aivm", "--in", "x", "-q"]);
    let output = said(&run.env_remove("AIVM_SANDBOX").output().expect("aivm runs"));
    assert!(output.starts_with("HTTP/1.1 200 ") && output.ends_with("gone"), "{output}");
}

#[test]
fn a_command_has_so_many_connections_and_no_more() {
    if !is_there() {
        return;
    }
    let held = server(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let line = r#"bash -c '
open() { exec {to}<> /dev/tcp/127.0.0.1/${http_proxy##*:}; printf "CONNECT 127.0.0.1:HELD HTTP/1.1\r\n\r\n" >&$to; }
for i in $(seq 64); do open; read -t 20 said <&$to && echo $said; first=${first:-$to}; done | uniq -c | grep -o "64 HTTP/1.1 200"
for i in $(seq 64); do open; read -t 20 said <&$to; first=${first:-$to}; done
open; read -t 1 said <&$to || echo none; exec {first}<&-; read -t 20 said <&$to && echo $said'"#;
    let line = line.replace("HELD", &held.to_string());
    let list = format!("[\"127.0.0.1:{held}\"]");
    let said = said(&run(folder().path(), &line, &list, &[]));
    assert_eq!(said.replace('\r', ""), "64 HTTP/1.1 200\nnone\nHTTP/1.1 200 OK\n");
}

#[test]
fn a_call_that_is_over_holds_no_files() {
    if !is_there() {
        return;
    }
    let dir = folder();
    let worker = "[worker.x]\nrun = 'true'\neffect = \"read\"\nsandbox = { network = [\"127.0.0.1:1\"] }";
    let steps = "x => next ".repeat(99);
    write(dir.path(), "p.aivm", &format!("+++\n{worker}\n+++\nout <= ( switch <= ( {steps}x => send ) ) <= in\n"));
    let line = format!("ulimit -n 90; exec {} run p.aivm --in x -q", env!("CARGO_BIN_EXE_aivm"));
    let mut few = std::process::Command::new("bash");
    few.args(["-c", &line])
        .current_dir(dir.path())
        .env("HOME", dir.path())
        .env_remove("AIVM_SANDBOX")
        .env_remove("AIVM_STATE");
    said(&few.output().expect("aivm runs"));
}

#[test]
fn a_list_that_cannot_be_held_is_refused() {
    let dir = folder();
    let refused = run(dir.path(), "true", "[\"api.example.com\"]", &["--sandbox", "landlock"]);
    if !stderr(&refused).contains("E0930") {
        assert!(
            stderr(&refused).contains("E0985") && stderr(&refused).contains("install bubblewrap"),
            "{}",
            stderr(&refused)
        );
    }
    for (network, reason) in [
        ("[\"https://api.example.com/\"]", "write the host and its port alone"),
        ("[\"*\"]", "every host is `network = true`"),
        ("[\"*.com\"]", "it is too much"),
        ("[\"api.example.com:0\"]", "its port is a number"),
        ("[\"0x7f.1\"]", "write an address as four numbers"),
        ("[]", "no destination at all is `network = false`"),
        ("\"api.example.com\"", "`network` (true, false or a list)"),
    ] {
        let refused = run(dir.path(), "true", network, &[]);
        assert!(
            stderr(&refused).contains("E0401") && stderr(&refused).contains(reason),
            "{network}: {}",
            stderr(&refused)
        );
    }
    let pure = "run = \"cat\"\neffect = \"pure\"\nsandbox = { network = [\"api.example.com\"] }";
    write(dir.path(), "p.aivm", &format!("+++\n[worker.x]\n{pure}\n+++\nout <= ( switch <= ( x => send ) ) <= in\n"));
    let pure = command(dir.path(), &["run", "p.aivm", "--in", "x"]).output().expect("aivm runs");
    assert!(stderr(&pure).contains("contradicts `effect = \"pure\"`"), "{}", stderr(&pure));
    for (network, reason) in [
        ("true\nread = [\"/usr\", \"relative\"]", "`relative` in `[sandbox]` is not an absolute path"),
        ("true\nenv = [\"A=B\"]", "`A=B` in `env` of `[sandbox]`"),
        ("[\"a/b\"]", "in `network` of `[sandbox]` is no destination"),
        ("3", "`network` is true, false, or a list"),
    ] {
        write(dir.path(), "aivm.toml", &format!("[sandbox]\nnetwork = {network}\n"));
        let refused = run(dir.path(), "true", "", &[]);
        assert!(stderr(&refused).contains("E0802") && stderr(&refused).contains(reason), "{}", stderr(&refused));
    }
}
