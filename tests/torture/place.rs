//! A folder of one try: a workspace, a store, and the program run in it, with or without something going wrong.

use super::ground::Form;
use serde_json::Value;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything takes that does not hang.
const HANGS: Duration = Duration::from_secs(30);

/// What goes wrong at a call of the system: the `nth` call of that name that one of the program's threads makes.
#[derive(Clone, Debug)]
pub struct Fault {
    pub call: String,
    pub nth: u64,
    /// From then on, or only once.
    pub on: bool,
    /// `signal=SIGKILL` or `error=EIO`.
    pub what: &'static str,
}

impl Fault {
    pub fn kill(call: &str, nth: u64) -> Fault {
        Fault { call: call.to_owned(), nth, on: false, what: "signal=SIGKILL" }
    }

    fn strace(&self, log: &Path) -> Vec<String> {
        let inject = format!("inject={}:{}:when={}{}", self.call, self.what, self.nth, if self.on { "+" } else { "" });
        // What the commands call is not meant: their processes are let go of as they begin.
        let mut words: Vec<String> = ["strace", "-f", "-qq", "-b", "execve"].into_iter().map(str::to_owned).collect();
        words.extend(["-e".to_owned(), format!("trace={}", self.call), "-e".to_owned(), inject]);
        words.extend(["-o".to_owned(), log.display().to_string()]);
        words
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {} {}{}", self.what, self.call, self.nth, if self.on { " and on" } else { "" })
    }
}

/// Can calls be traced here? Where they must be and cannot, that is a failure.
pub fn can_trace() -> bool {
    let tried = Command::new("strace").args(["-f", "-qq", "-o", "/dev/null", "true"]).output();
    let can = tried.is_ok_and(|tried| tried.status.success());
    if !can {
        assert!(Form::of_environment() == Form::Short, "strace is not here, or may not trace");
        println!("skipped: strace is not here, or may not trace");
    }
    can
}

/// What one call of the program came to.
#[derive(Debug)]
pub struct Said {
    /// None: a signal ended it.
    pub code: Option<i32>,
    pub text: String,
    pub json: Value,
    pub errors: String,
    pub hung: bool,
}

impl Said {
    pub fn status(&self) -> &str {
        self.json["status"].as_str().unwrap_or("")
    }

    /// The code of its error, of a run or of the command.
    pub fn error(&self) -> &str {
        let error = &self.json["error"]["code"];
        error.as_str().unwrap_or_else(|| {
            self.errors.split_once("error[").and_then(|(_, rest)| rest.split(']').next()).unwrap_or("")
        })
    }

    /// It crashed, hung, or left without a word.
    pub fn is_unclean(&self) -> bool {
        let ended = matches!(self.code, Some(0..=9 | 130));
        !ended || self.hung || self.errors.contains("panicked") || self.errors.contains("RUST_BACKTRACE")
    }

    pub fn show(&self) -> String {
        let tail = |text: &str| text.chars().rev().take(600).collect::<Vec<_>>().into_iter().rev().collect::<String>();
        let hung = if self.hung { " hung" } else { "" };
        format!("code {:?}{hung}\n{}\n{}", self.code, tail(&self.text), tail(&self.errors))
    }
}

/// See the module.
pub struct Place {
    dir: tempfile::TempDir,
    state: PathBuf,
}

/// A call under way, and what tells when nobody that it started is left.
pub struct UnderWay {
    pub child: Child,
    alive: std::io::PipeReader,
}

impl Place {
    /// A copy of the files of `folder`.
    pub fn of(folder: &Path) -> Place {
        // In memory where that can be: what is lost with the power is no part of this, and a disk is slow.
        Place::within(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder"), folder)
    }

    pub fn on_disk(folder: &Path) -> Place {
        Place::within(tempfile::tempdir().expect("a folder"), folder)
    }

    fn within(dir: tempfile::TempDir, folder: &Path) -> Place {
        copy(folder, &dir.path().join("work"));
        for name in ["home", "tmp"] {
            fs::create_dir(dir.path().join(name)).expect("a folder");
        }
        let state = dir.path().join("state");
        Place { dir, state }
    }

    /// With its store elsewhere.
    pub fn with_state(mut self, state: PathBuf) -> Place {
        self.state = state;
        self
    }

    pub fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    pub fn state(&self) -> &Path {
        &self.state
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn spawn(&self, tracing: &[String], args: &[&str]) -> UnderWay {
        let (alive, held) = std::io::pipe().expect("a pipe");
        // Everything that is started holds the pipe open, as file 9, until it has gone.
        let mut command = Command::new("sh");
        command
            .args(["-c", "exec 9>&0 </dev/null; exec \"$@\"", "sh"])
            .args(tracing)
            .arg(env!("CARGO_BIN_EXE_aivm"))
            .args(args)
            .current_dir(self.work())
            .env("AIVM_STATE", &self.state)
            .env("AIVM_SANDBOX", "none")
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env_remove("XDG_CONFIG_HOME")
            .stdin(Stdio::from(held))
            .stdout(File::create(self.path("said")).expect("a file"))
            .stderr(File::create(self.path("errors")).expect("a file"));
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        UnderWay { child: command.spawn().expect("it starts"), alive }
    }

    /// Waits for the program and for all that it started: a command outlives a program that is killed.
    pub fn wait(&self, under_way: UnderWay) -> Said {
        let (said, mut alive) = self.its_end(under_way);
        alive.read_to_end(&mut Vec::new()).expect("a pipe");
        said
    }

    /// Waits for the program, and not for what it may leave running.
    pub fn wait_for_it_alone(&self, under_way: UnderWay) -> Said {
        self.its_end(under_way).0
    }

    fn its_end(&self, mut under_way: UnderWay) -> (Said, std::io::PipeReader) {
        let began = Instant::now();
        let mut hung = false;
        let status = loop {
            if let Some(status) = under_way.child.try_wait().expect("it can be waited for") {
                break status;
            }
            if began.elapsed() > HANGS && !hung {
                hung = true;
                let group = format!("-{}", under_way.child.id());
                let _ = Command::new("kill").args(["-9", "--", &group]).status();
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let read = |name: &str| String::from_utf8_lossy(&fs::read(self.path(name)).expect("a file")).into_owned();
        let text = read("said");
        let json = serde_json::from_str(&text).unwrap_or_default();
        (Said { code: status.code(), json, text, errors: read("errors"), hung }, under_way.alive)
    }

    pub fn call(&self, fault: Option<&Fault>, args: &[&str]) -> Said {
        let tracing = fault.map(|fault| fault.strace(&self.path("strace"))).unwrap_or_default();
        self.wait(self.spawn(&tracing, args))
    }

    /// A run, and the calls of the system that its busiest thread makes, by their names.
    pub fn count(&self, calls: &str, args: &[&str]) -> (Said, Vec<(String, u64)>) {
        let log = self.path("strace");
        let words = ["strace", "-f", "-qq", "-b", "execve", "-e", &format!("trace={calls},execve,sigaltstack"), "-o"];
        let mut tracing: Vec<String> = words.into_iter().map(str::to_owned).collect();
        tracing.push(log.display().to_string());
        let said = self.wait(self.spawn(&tracing, args));
        (said, super::subject::counted(&fs::read_to_string(&log).unwrap_or_default()))
    }

    /// The lines of a file of the workspace.
    pub fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.work().join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The runs of the store, and how they are.
    pub fn runs(&self) -> Result<Vec<(String, String)>, String> {
        let said = self.call(None, &["runs", "--most", "100000", "--json"]);
        let rows = said.json["runs"].as_array().filter(|_| said.code == Some(0));
        let rows = rows.ok_or_else(|| format!("the runs cannot be listed: {}", said.show()))?;
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or("").to_owned();
        let runs = rows.iter().map(|row| (text(row, "run"), text(row, "status")));
        // A run of a program that was written has the name of its call before that of the run around.
        Ok(runs.filter(|(run, _)| !run.contains('~')).collect())
    }
}

/// A service that a program has started, and that says its number, ends with its place.
impl Drop for Place {
    fn drop(&mut self) {
        if let Some(number) = self.lines("app.pid").first() {
            let _ = Command::new("kill").args(["-9", number]).stderr(Stdio::null()).status();
        }
    }
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target)
        } else {
            let _ = fs::copy(&path, &target).expect("a copy");
        }
    }
}
