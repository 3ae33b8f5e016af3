//! Against real software. Models as workers: a real server of the protocol of OpenAI, llama.cpp with a model of random weights, which says
//! anything at all and can be held to a schema. Pipelines as tools and models: the official clients of MCP and of OpenAI. Secrets:
//! GNOME's keyring. Only where `AIVM_REAL` names a folder for them, as `.ci/run` does: they are fetched.
#![cfg(feature = "models")]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use serde_json::Value;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// The server; it ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The server and its port; none where it is not wanted or not to be had, and then it is said why.
fn server() -> Option<(Server, u16)> {
    let Some(folder) = std::env::var_os("AIVM_REAL") else {
        println!("skipped: AIVM_REAL names no folder for the server");
        return None;
    };
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/llama");
    let mut command = Command::new(script);
    command.arg(folder).arg(port.to_string()).stderr(Stdio::null());
    let mut server = Server(command.spawn().expect("the server's script"));
    // Fetching takes as long as the network does.
    for _ in 0..1_800 {
        if let Some(status) = server.0.try_wait().expect("the script") {
            // With 77 the script has said why.
            if status.code() != Some(77) {
                println!("skipped: the server ended, {status}");
            }
            return None;
        }
        if is_ready(port) {
            return Some((server, port));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("skipped: the server does not come up");
    None
}

fn is_ready(port: u16) -> bool {
    use std::io::{Read, Write};
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.contains("\"ok\""))
}

fn aivm(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aivm"));
    command.args(args).current_dir(folder).env("HOME", folder);
    command.env_remove("AIVM_STATE").env_remove("AIVM_MODEL").output().expect("aivm runs")
}

fn run(folder: &Path, program: &str) -> Output {
    std::fs::write(folder.join("p.aivm"), program).expect("a file");
    aivm(folder, &["run", "p.aivm", "--in", "hello", "--json"])
}

#[test]
fn a_real_model_is_held_to_its_words_and_its_schema() {
    let Some((_server, port)) = server() else { return };
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("aivm.toml"), format!("[provider.local]\nurl = \"http://127.0.0.1:{port}/v1\"\n"))
        .expect("a file");
    // Random weights never come to an end by themselves: what is asked for does.
    let shape = "{ type = \"object\", required = [\"n\", \"ok\"], additionalProperties = false, \
        properties = { n = { type = \"integer\", minimum = 0, maximum = 9 }, ok = { type = \"boolean\" } } }";
    for seed in 0..8 {
        let worker = format!(
            "prompt = \"Judge it.\"\nmodel = \"local/tiny\"\noptions = {{ max_tokens = 300, seed = {seed} }}\nreturns = {{ schema = {shape} }}"
        );
        let program = format!(
            "+++\n[worker.judge]\n{worker}\n+++\nout <= (\n switch[j] <= ( judge => send )\n <= match <= ( good => send  bad => send  success => send )\n) <= in\n"
        );
        let output = run(dir.path(), &program);
        let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
        let step = &report["steps"][0];
        assert_eq!(output.status.code(), Some(0), "{report}");
        assert!(["good", "bad", "send", "success"].contains(&step["verdict"].as_str().unwrap_or("none")), "{step}");
        let said: Value = serde_json::from_str(report["output"]["text"].as_str().expect("text")).expect("JSON");
        assert!(said["n"].as_u64().is_some_and(|n| n <= 9) && said["ok"].is_boolean(), "{said}");
        assert!(step["tokens"].as_u64().is_some_and(|tokens| tokens > 10), "the server counts: {step}");
    }
    // Free text of a model that says anything: whatever it is, it is the output, cut where the tokens end.
    let free = "+++\n[worker.talk]\nprompt = \"Talk.\"\nmodel = \"local/tiny\"\noptions = { max_tokens = 20, seed = 3 }\n+++\nout <= ( switch <= ( talk => send ) ) <= in\n";
    let output = run(dir.path(), free);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A model of random weights that is held to the grammar writes programs. It likes no sign better than another, so it is told which come to
/// an end; and without definitions, of which it would write one behind the other for ever.
#[test]
fn what_is_sampled_by_the_grammar_parses() {
    use std::io::{Read, Write};
    let Some((_server, port)) = server() else { return };
    let (grammar, root) = (aivm_lang::grammar::gbnf(), "root ::= (front-matter ws)? (definition)* program");
    assert!(grammar.starts_with(root), "{grammar}");
    let grammar = grammar.replace(root, "root ::= program");
    let (end, liked) =
        (2, [(")", 6), ("]", 6), (" ", 6), ("=", 6), (">", 5), ("<", 4), ("\n", 4), ("(", 3), (";", -6)]);
    let liked = liked.iter().map(|(text, how)| serde_json::json!([text, how]));
    let liked: Vec<Value> = liked.chain([serde_json::json!([end, 15])]).collect();
    let mut whole = 0;
    for seed in 0..48 {
        let asked = serde_json::json!({
            "prompt": "out", "grammar": grammar, "n_predict": 1_000, "seed": seed, "temperature": 1.0,
            "logit_bias": liked,
        })
        .to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        let head = format!(
            "POST /completion HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            asked.len()
        );
        stream.write_all((head + &asked).as_bytes()).expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(" 200 "), "{answer}");
        let told: Value = serde_json::from_str(body).expect(body);
        let text = told["content"].as_str().expect("a text");
        // The others were cut off where their tokens ended.
        if told["stop_type"] == "eos" {
            whole += 1;
            let parsed = aivm_lang::parser::parse(text);
            assert!(parsed.diagnostics.is_empty(), "{:?}\n{text}", parsed.diagnostics);
        }
    }
    assert!(whole > 10, "{whole} of them came to an end");
}

#[cfg(feature = "serve")]
#[test]
fn official_clients_call_pipelines() {
    let Some(folder) = std::env::var_os("AIVM_REAL") else {
        println!("skipped: AIVM_REAL names no folder for the clients");
        return;
    };
    let venv = Path::new(&folder).join("clients");
    let fetched = |command: &mut Command| command.stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    let pip = venv.join("bin/pip");
    if !fetched(Command::new("python3").args(["-m", "venv"]).arg(&venv))
        || !fetched(Command::new(pip).args(["install", "-q", "mcp==2.3.0", "openai==3.54.0"]))
    {
        println!("skipped: the clients of MCP and of OpenAI are not to be had");
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/clients.py");
    let mut clients = Command::new(venv.join("bin/python"));
    clients
        .arg(script)
        .arg(env!("CARGO_BIN_EXE_aivm"))
        .arg(dir.path())
        .env_remove("AIVM_STATE")
        .env_remove("AIVM_MODEL");
    assert!(clients.status().expect("the clients").success());
}

#[cfg(feature = "mcp")]
#[test]
fn reference_servers_are_called() {
    let Some(folder) = std::env::var_os("AIVM_REAL") else {
        println!("skipped: AIVM_REAL names no folder for the servers");
        return;
    };
    let folder = Path::new(&folder).join("servers");
    std::fs::create_dir_all(&folder).expect("a folder");
    let packages = ["server-everything@2026.8.31", "server-filesystem@2026.8.31"]
        .map(|name| format!("@modelcontextprotocol/{name}"));
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund"]).args(packages).current_dir(&folder);
    if !npm.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("skipped: the reference servers of MCP are not to be had");
        return;
    }
    let program = |name: &str| folder.join("node_modules/.bin").join(name).display().to_string();
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let mut web = Command::new(program("mcp-server-everything"));
    web.arg("streamableHttp").env("PORT", port.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
    let _web = Server(web.spawn().expect("a server"));
    for _ in 0..100 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(dir.path().join("docs")).expect("a folder");
    std::fs::write(dir.path().join("docs/a.md"), "# A").expect("a file");
    let settings = format!(
        "[mcp.every]\nrun = [{:?}]\n[mcp.files]\nrun = [{:?}, \"docs\"]\n[mcp.web]\nurl = \"http://127.0.0.1:{port}/mcp\"\n",
        program("mcp-server-everything"),
        program("mcp-server-filesystem"),
    );
    std::fs::write(dir.path().join("aivm.toml"), settings).expect("a file");
    for server in ["every", "files", "web"] {
        let output = aivm(dir.path(), &["worker", "import", &format!("mcp:{server}")]);
        assert!(output.status.success(), "{server}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let file = dir.path().join("docs/a.md").display().to_string();
    let file = format!("{{\"path\": {file:?}}}");
    for (word, input, code, says) in [
        ("every-get-sum", r#"{"a": 2, "b": 3}"#, "", "The sum of 2 and 3 is 5."),
        ("web-get-sum", r#"{"a": 2, "b": 3}"#, "", "The sum of 2 and 3 is 5."),
        ("web-echo", r#"{"message": "hello"}"#, "", "Echo: hello"),
        ("files-read_text_file", file.as_str(), "", "# A"),
        ("files-read_text_file", r#"{"path": "/etc/passwd"}"#, "E0954", "Access denied"),
        ("every-get-sum", r#"{"a": 2}"#, "E0909", "b"),
    ] {
        std::fs::write(dir.path().join("p.aivm"), format!("out <= ( switch <= ( {word} => send ) ) <= in\n"))
            .expect("a file");
        let output = aivm(dir.path(), &["run", "p.aivm", "--type", "application/json", "--in", input, "--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
        assert_eq!(report["error"]["code"].as_str().unwrap_or(""), code, "{word} {report}");
        let said = if code.is_empty() { &report["output"]["text"] } else { &report["error"]["message"] };
        assert!(said.as_str().is_some_and(|said| said.contains(says)), "{word} {report}");
    }
}

#[test]
fn a_real_keyring_keeps_a_secret() {
    if std::env::var_os("AIVM_REAL").is_none() {
        println!("skipped: AIVM_REAL names no folder for the keyring");
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/keyring");
    let mut keyring = Command::new(script);
    keyring.arg(env!("CARGO_BIN_EXE_aivm")).arg(home.path()).env_remove("AIVM_STATE").env_remove("XDG_CONFIG_HOME");
    let output = keyring.output().expect("the script");
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(77) {
        print!("{said}");
        return;
    }
    let errors = std::fs::read_to_string(home.path().join("errors")).unwrap_or_default();
    // The command has it, with a line end; nobody sees it.
    assert_eq!(said, "KEPT  the keyring\n13\n***\n", "{errors}");
    assert!(output.status.success() && errors.contains("no secrets yet"), "{errors}");
}
