//! The canary: a secret in sixteen encodings through every sink, and not one of them in any byte of the project's folder, or of
//! what is printed. Whoever adds a sink adds it here.
#![cfg(all(feature = "store", feature = "models"))]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

#[allow(dead_code)]
#[path = "cli/fake.rs"]
mod fake;

#[cfg(feature = "serve")]
#[path = "canary/served.rs"]
mod served;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use fake::{Fake, Reply, text};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Commands find it in the environment, a header names it. Each encoding writes it another way.
const TOKEN: &str = "C4n4ry/+\"\\ <é>9Zq~7&";
/// The key of the models' provider.
const KEY: &str = "m0d3l-C4n4ry/77+aBc=x";

/// Everything but letters, digits and what is kept in two hexadecimal digits; everything where nothing is kept.
fn percent(text: &str, keep: &str, upper: bool) -> String {
    let one = |byte: u8| match byte {
        byte if !keep.is_empty() && (byte.is_ascii_alphanumeric() || keep.as_bytes().contains(&byte)) => {
            char::from(byte).to_string()
        }
        byte if upper => format!("%{byte:02X}"),
        byte => format!("%{byte:02x}"),
    };
    text.bytes().map(one).collect()
}

fn quoted(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

/// What a worker says, and what may be found nowhere.
fn encodings(secret: &str) -> Vec<(String, String)> {
    let within = |before: &str, after: &str| {
        let text = STANDARD.encode([before, secret, after].concat());
        let (from, to) = ((before.len() * 8).div_ceil(6), (before.len() + secret.len()) * 8 / 6);
        (text.clone(), text[from..to].to_owned())
    };
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let numbers: String = secret.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let mut all: Vec<(String, String)> = [
        secret.to_owned(),
        STANDARD.encode(secret),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        hex.to_uppercase(),
        hex,
        percent(secret, "-._~", true),
        percent(secret, "-._~", false),
        percent(secret, "", true),
        percent(secret, "-._* ", true).replace(' ', "+"),
        quoted(secret),
        numbers,
        quoted(&quoted(secret)),
    ]
    .map(|text| (text.clone(), text))
    .into();
    all.extend([within("x", "yz"), within("xy", "z")]);
    assert_eq!(all.len(), 16);
    all
}

fn all() -> Vec<(String, String)> {
    [encodings(TOKEN), encodings(KEY)].concat()
}

/// All of them, one a line.
fn leak() -> String {
    all().into_iter().map(|(said, _)| said + "\n").collect()
}

fn find(what: &[u8], part: &str) -> bool {
    what.windows(part.len()).any(|window| window == part.as_bytes())
}

#[track_caller]
fn clean(where_: &str, bytes: &[u8]) {
    for (said, never) in all() {
        assert!(!find(bytes, &never), "{said} is in {where_}:\n{}", String::from_utf8_lossy(bytes));
    }
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => files(&entry.path(), out),
            false => out.push(entry.path()),
        }
    }
}

/// A project, and beside it what leaks.
struct Project {
    inside: tempfile::TempDir,
    outside: tempfile::TempDir,
}

impl Project {
    fn new(server: &Fake) -> Project {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("leaks"), leak()).unwrap();
        let project = Project { inside, outside };
        project.write(
            "aivm.toml",
            &format!(
                "[secrets]\nnames = [\"DEPLOY_TOKEN\"]\n[provider.a]\nurl = \"{}\"\nkey = \"MODEL_KEY\"\n",
                server.url
            ),
        );
        project
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.inside.path().join(name), text).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aivm"));
        command
            .args(args)
            .current_dir(self.inside.path())
            .env_remove("AIVM_STATE")
            .env_remove("AIVM_MODEL")
            .env_remove("XDG_CONFIG_HOME")
            .env("HOME", self.inside.path())
            .env("DEPLOY_TOKEN", TOKEN)
            .env("MODEL_KEY", KEY)
            // As those who ask for no sandbox have it: a command sees all of the environment.
            .env("AIVM_SANDBOX", "none")
            .env("LEAKS", self.outside.path().join("leaks"))
            .stdin(Stdio::null());
        command
    }

    /// Runs it, and looks at everything there is afterwards.
    #[track_caller]
    fn aivm(&self, args: &[&str], code: i32) -> Output {
        let output = self.command(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        clean("standard output", &output.stdout);
        clean("standard error", &output.stderr);
        output
    }

    #[track_caller]
    fn is_clean(&self) {
        let mut paths = Vec::new();
        files(self.inside.path(), &mut paths);
        assert!(paths.iter().any(|path| path.ends_with("store.db")), "there is a store");
        for path in paths {
            clean(&path.display().to_string(), &std::fs::read(&path).unwrap());
        }
    }
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn run_of(output: &Output) -> String {
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    report["run"].as_str().unwrap().to_owned()
}

const PRINTS: &str =
    "+++\n[worker.leaks]\nrun = \"cat $LEAKS\"\n+++\nout <= ( switch[s] <= ( leaks => send ) ) <= in\n";

#[test]
fn what_a_command_prints() {
    let project = Project::new(&Fake::new(vec![text("x")]));
    project.write("p.aivm", PRINTS);
    let plain = out(&project.aivm(&["run", "p.aivm"], 0));
    assert_eq!(plain.matches("***").count(), 32, "each of them came, and is masked: {plain}");
    assert!(plain.starts_with(&"***\n".repeat(14)), "{plain}");
    let run = run_of(&project.aivm(&["run", "p.aivm", "--json", "--record", "cassette.jsonl"], 0));
    project.aivm(&["run", "p.aivm", "--replay", "cassette.jsonl", "--id", "again"], 0);
    for args in [
        &["show", &run][..],
        &["show", &run, "--json"],
        &["logs", &run],
        &["logs", &run, "--json"],
        &["why", &run, "s/leaks#1"],
        &["runs", "--json"],
        &["artifact", "ls"],
        &["artifact", "ls", "--json"],
        &["worker", "stats", "--json"],
        &["export", &run],
        &["verify", &run],
        &["fork", &run, "--at", "s/leaks#1"],
        &["diff", &run, "again"],
        &["secret", "ls"],
        &["secret", "ls", "--json"],
        &["config", "show", "--origin"],
        &["doctor"],
        &["gc", "--older-than", "0s"],
    ] {
        project.aivm(args, 0);
    }
    project.is_clean();
}

#[test]
fn what_a_command_fails_with() {
    let project = Project::new(&Fake::new(vec![text("x")]));
    let fails = "+++\n[worker.fails]\nrun = 'sed -n \"${AIVM_STEP_PARAM_N}p\" \"$LEAKS\" >&2; exit 3'\n+++\nout <= ( switch[s] <= ( fails => send ) ) <= in\n";
    let says = "+++\n[worker.says]\nrun = 'head -n1 \"$LEAKS\" > \"$AIVM_STEP_VERDICT\"'\n+++\nout <= ( switch[s] <= ( says => send | cancel ) ) <= in\n";
    project.write("fails.aivm", fails);
    project.write("says.aivm", says);
    for n in 1..=all().len() {
        let output = project.aivm(&["run", "fails.aivm", "--param", &format!("n={n}")], 1);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("***"), "{n}: {said}");
    }
    project.aivm(&["run", "fails.aivm", "--param", "n=1", "--json"], 1);
    let said = project.command(&["run", "says.aivm"]).output().unwrap();
    clean("standard error", &said.stderr);
    project.is_clean();
}

#[test]
fn what_a_server_answers() {
    let lines: Vec<String> = all().into_iter().map(|(said, _)| said).collect();
    let mut script = vec![Reply::Raw(leak())];
    script.extend(lines.iter().map(|said| Reply::Status(400, "x-leak: C4n4ry", said.clone())));
    let server = Fake::new(script);
    let project = Project::new(&server);
    let asks = format!(
        "+++\n[worker.asks.http]\nurl = \"{}/\"\nprivate = true\nheaders = {{ Authorization = 'Bearer {{{{ secret(\"DEPLOY_TOKEN\") }}}}' }}\n+++\nout <= ( switch[s] <= ( asks => send ) ) <= in\n",
        server.root()
    );
    project.write("p.aivm", &asks);
    let whole = out(&project.aivm(&["run", "p.aivm"], 0));
    assert_eq!(whole.matches("***").count(), 32, "{whole}");
    let sent = server.requests()[0].head.clone();
    assert!(sent.contains("uthorization: Bearer C4n4ry/+"), "it was sent: {sent}");
    for said in &lines {
        let output = project.aivm(&["run", "p.aivm"], 1);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("status 400") && told.contains("***"), "{said}: {told}");
    }
    let elsewhere =
        Fake::new(vec![Reply::Whole(302, format!("location: http://{KEY}.example/?{KEY}\r\n"), Vec::new())]);
    project.write("e.aivm", &asks.replace(server.root(), elsewhere.root()));
    project.aivm(&["run", "e.aivm", "--json"], 1);
    project.is_clean();
}

#[cfg(feature = "mcp")]
#[test]
fn what_a_tool_of_a_server_says() {
    let project = Project::new(&Fake::new(vec![text("x")]));
    let server = r#"leak=$(sed 's/\\/\\\\/g; s/"/\\"/g; s/\t/\\t/g' "$LEAKS" | awk '{printf "%s\\n", $0}')
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  say() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
  case "$line" in
    *'"initialize"'*) say '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"x","version":"1"}}' ;;
    *'"tools/list"'*) say "{\"tools\":[{\"name\":\"say\",\"description\":\"$leak\",\"inputSchema\":{\"type\":\"object\"}},{\"name\":\"fail\",\"inputSchema\":{\"type\":\"object\"}}]}" ;;
    *'"say"'*) say "{\"content\":[{\"type\":\"text\",\"text\":\"$leak\"}]}" ;;
    *'"fail"'*) say "{\"content\":[{\"type\":\"text\",\"text\":\"$leak\"}],\"isError\":true}" ;;
    *'"notifications/'*) ;;
    *) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no such method"}}\n' "$id" ;;
  esac
done
"#;
    let settings = std::fs::read_to_string(project.inside.path().join("aivm.toml")).unwrap();
    project.write("server.sh", server);
    project.write("aivm.toml", &format!("{settings}[mcp.x]\nrun = [\"sh\", \"server.sh\"]\nenv = [\"LEAKS\"]\n"));
    project.aivm(&["worker", "import", "mcp:x", "--dry-run"], 0);
    project.aivm(&["worker", "import", "mcp:x"], 0);
    for (tool, code) in [("say", 0), ("fail", 1)] {
        let program = format!(
            "+++\n[worker.w]\nmcp = {{ server = \"x\", tool = \"{tool}\" }}\n+++\nout <= ( switch[s] <= ( w => send ) ) <= in\n"
        );
        project.write("p.aivm", &program);
        let output = project.aivm(&["run", "p.aivm", "--in", "{}"], code);
        let said = [output.stdout, output.stderr].concat();
        assert_eq!(String::from_utf8_lossy(&said).matches("***").count(), 32, "{tool}");
        project.aivm(&["run", "p.aivm", "--in", "{}", "--json", "--record", &format!("{tool}.jsonl")], code);
    }
    project.is_clean();
}

const MODEL: &str =
    "+++\n[worker.w]\nprompt = \"Say it.\"\nmodel = \"a/m\"\n+++\nout <= ( switch[s] <= ( w => send ) ) <= in\n";

#[test]
fn what_a_model_answers() {
    let lines: Vec<String> = all().into_iter().map(|(said, _)| said).collect();
    let error = |said: &String| {
        let filler = "x".repeat(360);
        // What is cut would be half a secret.
        Reply::Status(400, "", serde_json::json!({"error": {"message": format!("{filler} {said}")}}).to_string())
    };
    let mut script = vec![text(&leak())];
    script.extend(lines.iter().map(error));
    script.push(Reply::Status(500, "", leak()));
    let server = Fake::new(script);
    let project = Project::new(&server);
    project.write("p.aivm", MODEL);
    let whole = out(&project.aivm(&["run", "p.aivm", "--record", "cassette.jsonl"], 0));
    assert_eq!(whole.matches("***").count(), 32, "{whole}");
    assert!(server.requests()[0].head.contains(KEY), "it was sent");
    for _ in &lines {
        let output = project.aivm(&["run", "p.aivm", "--json"], 1);
        assert!(out(&output).contains("***") || out(&output).contains("xxx…"), "{}", out(&output));
    }
    project.aivm(&["run", "p.aivm", "--json", "--record", "failed.jsonl"], 1);
    project.is_clean();
}

/// All that is written to a terminal, while an answer comes in two pieces that part a secret.
#[test]
fn what_a_model_says_piece_by_piece() {
    let some: Vec<String> = encodings(KEY).into_iter().map(|(said, _)| said).step_by(3).collect();
    let server = Fake::new(some.iter().map(|said| Reply::Slow(said.clone(), Duration::from_millis(250))).collect());
    let project = Project::new(&server);
    project.write("p.aivm", MODEL);
    for said in &some {
        let size = nix::pty::Winsize { ws_row: 50, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0 };
        let terminal = nix::pty::openpty(&size, None).expect("a terminal");
        let mut run = project.command(&["run", "p.aivm"]);
        run.env("NO_COLOR", "1").env("TERM", "xterm").stdout(Stdio::null()).stderr(terminal.slave);
        let mut child = run.spawn().expect("aivm runs");
        drop(run);
        let mut bytes = Vec::new();
        // A terminal that nobody writes to any more is an error on some systems, an end on others.
        let _ = std::io::Read::read_to_end(&mut std::fs::File::from(terminal.master), &mut bytes);
        assert!(child.wait().expect("it ends").success());
        clean("the terminal", &bytes);
        let half: String = said.chars().take(said.chars().count() / 2).collect();
        assert!(!find(&bytes, &half), "half of {said}: {}", String::from_utf8_lossy(&bytes));
    }
    project.is_clean();
}

#[test]
fn what_a_person_gives() {
    let project = Project::new(&Fake::new(vec![text("x")]));
    project.write(
        "p.aivm",
        "+++\n[worker.asks]\nhuman = \"fine?\"\n+++\nout <= ( switch[s] <= ( asks => send | cancel ) ) <= in\n",
    );
    let leaks = project.outside.path().join("leaks").display().to_string();
    let output = project.aivm(&["run", "p.aivm", "--in", &leak(), "--json"], 4);
    assert!(String::from_utf8_lossy(&output.stderr).contains("the input holds a secret"));
    let run = run_of(&output);
    project.aivm(&["show", &run], 0);
    project.aivm(&["approve", &run, "send", "--comment", &leak(), "--edit", &leaks], 0);
    let logs = out(&project.aivm(&["logs", &run, "--json"], 0));
    assert!(logs.contains("***"), "the comment is there: {logs}");
    let refused = project.aivm(&["run", "p.aivm", "--param", &format!("p=a {TOKEN}")], 2);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("E0963"));
    project.is_clean();
}

#[test]
fn what_a_program_says_itself() {
    let project = Project::new(&Fake::new(vec![text("x")]));
    project.write("fine.aivm", PRINTS);
    project.aivm(&["run", "fine.aivm"], 0);
    let path = project.outside.path().join("p.aivm").display().to_string();
    for (said, _) in all() {
        let quoted = serde_json::to_string(&said).unwrap();
        let program = format!(
            "+++\n[worker.w]\nprompt = {quoted}\nmodel = \"a/m\"\nmock = [{{ output = {quoted} }}]\n+++\nout <= ( switch[s] <= ( w => send ) ) <= in\n"
        );
        std::fs::write(&path, program).unwrap();
        for args in [&["run", &path][..], &["run", &path, "--mock", "--json"]] {
            let output = project.aivm(args, 2);
            let told = [output.stdout, output.stderr].concat();
            assert!(find(&told, "E0963"), "{said}: {}", String::from_utf8_lossy(&told));
        }
    }
    let commented = PRINTS.replace("out <=", &format!("; {TOKEN}\nout <="));
    std::fs::write(&path, commented).unwrap();
    project.aivm(&["run", &path], 2);
    project.is_clean();
}
