//! Commands: programs on this machine. The payload on standard input, the output from standard output, the exit code, and
//! an optional verdict in the file `$AIVM_STEP_VERDICT`. A deadline or a cancel kills the whole process group.

use super::place::Place;
use super::sandbox::{Confined, orders};
use super::{Returned, Stop, Task, error};
use crate::builtin::{Body, is_json};
use aivm_schema::module::EndKind;
use aivm_schema::worker::{Effect, Run, Settings};
use aivm_vm::action::Usage;
use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

/// The most that a command may print on standard output, in bytes.
const MOST_OUTPUT: usize = aivm_schema::limits::PAYLOAD;
/// What is kept of standard error, in bytes: its end says why.
const ERROR_TAIL: usize = 4 << 10;
/// The longest verdict, in bytes: a word and a line end.
const MOST_VERDICT: u64 = aivm_schema::limits::WORD as u64 + 2;
/// The files that a command under way holds open: its input, two pipes, itself, and as it starts one more.
const FILES_EACH: u64 = 5;
/// The files that are left to everything else.
const FILES_ELSE: u64 = 64;
/// Commands that may be under way at once: a machine that allows few open files lets the others wait, and none fails.
static PLACES: LazyLock<(u32, Semaphore)> = LazyLock::new(|| {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let places = files.map_or(u64::MAX, |files| files.saturating_sub(FILES_ELSE) / FILES_EACH);
    let places = places.clamp(1, aivm_schema::limits::FIBERS as u64) as u32;
    (places, Semaphore::new(places as usize))
});
/// How long a process group has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_millis(500);

/// Calls a command.
pub async fn run(task: &Task, run: &Run) -> Returned {
    match call(task, run).await {
        Ok(returned) => returned,
        Err(source) => {
            let program = match run {
                Run::Shell(line) => line.clone(),
                Run::Argv(argv) => argv.first().cloned().unwrap_or_default(),
            };
            Returned::failed("E0715", format!("`{}` cannot run `{program}`: {source}", task.worker.name))
        }
    }
}

async fn call(task: &Task, run: &Run) -> std::io::Result<Returned> {
    let (most, places) = &*PLACES;
    let files = FILES_EACH + task.around.outside.sandbox.files(&task.worker.definition);
    let _place = tokio::select! {
        place = places.acquire_many((files.div_ceil(FILES_EACH) as u32).min(*most)) => place,
        () = task.stop.asked() => return Ok(Returned::stopped()),
    };
    let folder = Folder::with_input(task)?;
    let verdict_file = folder.path.join("verdict");
    let began = Instant::now();
    let deadline = Duration::from_millis(task.deadline_ms.unwrap_or(u64::MAX / 2));
    let timed_out = || Returned::timed_out(&task.worker.name, task.deadline_ms.unwrap_or(0));
    let Ok(place) = tokio::time::timeout(deadline, Place::of(task, &folder.path)).await else {
        return Ok(timed_out());
    };
    let place = match place {
        Ok(place) => place,
        Err(_) if task.stop.is_asked() => return Ok(Returned::stopped()),
        Err(error) => return Ok(Returned::Failed { kind: EndKind::Failure, error, usage: Usage::default() }),
    };
    let Confined { mut command, frames, group: _control, egress } =
        match task.around.outside.sandbox.confine(task, &words(run), &place, &folder.path) {
            Ok(confined) => confined,
            Err(error) => {
                return Ok(Returned::Failed { kind: EndKind::Failure, error, usage: Usage::default() });
            }
        };
    command
        .stdin(std::fs::File::open(folder.input())?)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .envs(&task.worker.definition.env)
        .env("AIVM_STEP_VERDICT", &verdict_file)
        .env("AIVM_STEP_OUTCOMES", task.words.join(" "))
        .env("AIVM_STEP", task.key.to_string())
        .env("AIVM_STEP_KEY", super::idempotency_key(&task.around.run, &task.key, task.input.content_digest()))
        .env("AIVM_STEP_ATTEMPT", task.attempt.to_string())
        .env("AIVM_STEP_RUN", &task.around.run)
        .env("AIVM_STEP_STORE", task.around.kept.store())
        .env("AIVM_STEP_TYPE", task.input.media_type())
        .env("AIVM_STEP_BEHAVIOURS", task.worker.behaviours.join(" "));
    if let Some(error) = task.input.attribute("error") {
        command.env("AIVM_STEP_ERROR", error);
    }
    for (name, value) in &task.around.params {
        command.env(format!("AIVM_STEP_PARAM_{}", variable(name)), value);
    }
    if task.saw.is_some() {
        command.env("AIVM_STEP_SOURCES", folder.path.join(SOURCES));
    }
    settings(&mut command, &task.worker.definition.with);
    let mut child = command.spawn()?;
    let group = Group::of(&child, frames);
    let io = communicate(&mut child);
    let ended = tokio::select! {
        ended = io => Ok(ended?),
        () = tokio::time::sleep(deadline.saturating_sub(began.elapsed())) => Err(timed_out()),
        () = Stop::asked(&task.stop) => Err(Returned::stopped()),
    };
    let ended = match ended {
        Ok(ended) => ended,
        Err(returned) => {
            group.stop(&mut child).await;
            return Ok(returned);
        }
    };
    // Whatever it started in the background does not outlive the call.
    group.kill();
    Ok(judge(task, ended, &verdict_file, (frames > 0, egress.and_then(|egress| egress.refused()))))
}

fn words(run: &Run) -> Vec<OsString> {
    match run {
        Run::Shell(line) => vec!["sh".into(), "-c".into(), line.into()],
        Run::Argv(argv) => argv.iter().map(OsString::from).collect(),
    }
}

/// Settings are given as `AIVM_STEP_WITH_NAME`: text as it is, everything else as JSON.
fn settings(command: &mut Command, with: &Settings) {
    for (name, value) in with {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        command.env(format!("AIVM_STEP_WITH_{}", variable(name)), text);
    }
}

/// A name as part of a variable's: upper case, `_` for what a variable cannot have.
fn variable(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

/// Several values are files in the call's folder, and standard input is the JSON array of their names.
fn write_parts(task: &Task, folder: &Path) -> std::io::Result<Option<Vec<u8>>> {
    if task.input.media_type() != aivm_schema::artifact::parts::MEDIA_TYPE {
        return Ok(None);
    }
    let mut names = Vec::with_capacity(task.parts.len());
    for (at, (name, _, value)) in task.parts.iter().enumerate() {
        // Names may hold slashes, of parts within parts and of files in folders, and be longer than a file's may.
        let name: String = name.replace(['/', '\0'], "-").chars().take(60).collect();
        let path = folder.join(format!("{}-{name}", at + 1));
        std::fs::write(&path, value.payload())?;
        names.push(path.display().to_string());
    }
    Ok(Some(serde_json::to_vec(&names)?))
}

/// In the call's folder: what it is shown of its data sources.
const SOURCES: &str = "sources";

/// The files of its sources as they were when the call began, nobody else's, to be read only.
fn write_sources(task: &Task, folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let Some(saw) = &task.saw else { return Ok(()) };
    let sources = folder.join(SOURCES);
    std::fs::create_dir(&sources)?;
    for (name, file) in &saw.files {
        // Names of files that were found beneath a folder: none leads up.
        let path = sources.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(&sources))?;
        std::fs::write(&path, file.payload())?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400))?;
    }
    Ok(())
}

/// How a command ended by itself.
struct Ended {
    status: std::process::ExitStatus,
    output: Vec<u8>,
    errors: Vec<u8>,
    too_much: bool,
}

async fn communicate(child: &mut Child) -> std::io::Result<Ended> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let read = async {
        let mut output = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(MOST_OUTPUT as u64 + 1).read_to_end(&mut output).await?;
        }
        std::io::Result::Ok(output)
    };
    let complain = async {
        let mut tail = Vec::new();
        if let Some(mut stderr) = stderr {
            let mut buffer = [0; 4096];
            loop {
                let n = stderr.read(&mut buffer).await?;
                if n == 0 {
                    break;
                }
                tail.extend_from_slice(buffer.get(..n).unwrap_or(&[]));
                let over = tail.len().saturating_sub(2 * ERROR_TAIL);
                if over > 0 {
                    tail.drain(..tail.len() - ERROR_TAIL);
                }
            }
        }
        std::io::Result::Ok(tail)
    };
    // The pipes may be held open by a process in the background: the command's own end is what counts.
    let pipes = async { tokio::join!(read, complain) };
    tokio::pin!(pipes);
    let mut taken = None;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            done = &mut pipes, if taken.is_none() => taken = Some(done),
        }
    };
    let (output, errors) = match taken {
        Some(done) => done,
        None => match tokio::time::timeout(GRACE, &mut pipes).await {
            Ok(done) => done,
            Err(_) => (
                Err(std::io::Error::other(
                    "a process that it started in the background keeps its output open: redirect that process's output",
                )),
                Ok(Vec::new()),
            ),
        },
    };
    let output = output?;
    Ok(Ended { status, too_much: output.len() > MOST_OUTPUT, output, errors: errors? })
}

fn judge(task: &Task, ended: Ended, verdict_file: &Path, (sandboxed, refused): (bool, Option<String>)) -> Returned {
    let name = &task.worker.name;
    if ended.too_much {
        return Returned::failed("E0716", format!("`{name}` printed more than {MOST_OUTPUT} bytes"));
    }
    if !ended.status.success() {
        let errors = String::from_utf8_lossy(&ended.errors);
        if let Some(failed) = not_begun(task, ended.status, &errors) {
            return failed;
        }
        let mut message = format!("`{name}` ended with {}", status_text(ended.status));
        if let Some(last) = errors.lines().rev().find(|line| !line.trim().is_empty()) {
            message.push_str(": ");
            message.push_str(last.trim());
        }
        let class = match task.worker.definition.effect {
            Some(Effect::Pure) if sandboxed => Some("pure"),
            Some(Effect::Read) if sandboxed => Some("read"),
            _ => None,
        };
        if let Some(refused) = refused {
            message.push_str(&format!(" (its sandbox refused it: {refused})"));
        } else if sandboxed && matches!(ended.status.code(), Some(126 | 127)) {
            message.push_str(" (in its sandbox it sees the system and the project, nothing of anybody's home: `sandbox = { read = [\"~/…\"] }` in its definition)");
        } else if let Some(class) = class {
            message.push_str(&format!(" (it ran in a sandbox, as `{class}`: `aivm explain E0717`)"));
        }
        return Returned::Failed { kind: EndKind::Failure, error: error("E0717", message), usage: Usage::default() };
    }
    // A verdict that cannot be read may have been a "no": it never passes for none.
    let verdict = match verdict(verdict_file) {
        Ok(verdict) => Some(verdict.trim().to_owned()).filter(|verdict| !verdict.is_empty()),
        Err(reason) => {
            return Returned::failed("E0736", format!("the verdict of `{name}` cannot be read: {reason}"));
        }
    };
    let definition = &task.worker.definition;
    let media_type = match &definition.returns {
        Some(media_type) => media_type.clone(),
        None => type_of(&ended.output, task.input.media_type()).to_owned(),
    };
    let body = Body::New { media_type, payload: ended.output };
    Returned::Done { body, verdict, attributes: Vec::new(), usage: Usage::default() }
}

/// What an output is, where its definition does not say: what flowed in, where the output can be that; else a text, or bytes. So a
/// filter keeps what it filters, and a line that is printed about a picture or an object is neither.
fn type_of<'t>(output: &[u8], input: &'t str) -> &'t str {
    let is_text = std::str::from_utf8(output).is_ok();
    let fits = match input {
        aivm_schema::artifact::parts::MEDIA_TYPE => false,
        json if is_json(json) => serde_json::from_slice::<serde::de::IgnoredAny>(output).is_ok(),
        text if text.starts_with("text/") => is_text,
        _ => !is_text,
    };
    match (fits, is_text) {
        (true, _) => input,
        (false, true) => "text/plain",
        (false, false) => "application/octet-stream",
    }
}

/// A failure, when the sandbox was not made, or there was nothing to run in it.
fn not_begun(task: &Task, status: std::process::ExitStatus, errors: &str) -> Option<Returned> {
    if status.code() != Some(i32::from(orders::CANNOT)) {
        return None;
    }
    let said = errors.lines().next_back()?;
    let name = &task.worker.name;
    if let Some(program) = said.strip_prefix(orders::NO_PROGRAM) {
        return Some(Returned::failed("E0715", format!("`{name}` cannot run {program}")));
    }
    let reason = said.strip_prefix(orders::SAYS)?;
    Some(Returned::failed("E0932", format!("the sandbox of `{name}` cannot be made: {reason}")))
}

/// What the command wrote into its verdict file; nothing when there is none. Only a plain file is opened: a link leads
/// elsewhere, and a named pipe would be waited for.
fn verdict(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let file = match std::fs::OpenOptions::new().read(true).custom_flags(flags as i32).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(String::new()),
        file => file?,
    };
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is no plain file"));
    }
    let mut text = String::new();
    match file.take(MOST_VERDICT + 1).read_to_string(&mut text)? as u64 {
        0..=MOST_VERDICT => Ok(text),
        _ => Err(std::io::Error::other("it is longer than a word")),
    }
}

pub(super) fn status_text(status: std::process::ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown status".to_owned(),
    }
}

/// The process group of a command: itself and all that it started and that did not leave. In a sandbox, what makes the sandbox:
/// all that is in it ends with that.
pub(super) struct Group {
    id: Option<Pid>,
    frames: usize,
}

impl Group {
    pub(super) fn of(child: &Child, frames: usize) -> Group {
        Group { id: child.id().and_then(|id| Pid::from_raw(id as i32)), frames }
    }

    fn kill(&self) {
        if let Some(group) = self.id {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Asks, then insists; returns when the command is gone.
    async fn stop(&self, child: &mut Child) {
        match self.id {
            // Whoever makes the sandbox would take it along at once.
            Some(id) if self.frames > 0 => within(id, self.frames, &mut |process| {
                let _ = kill_process(process, Signal::TERM);
            }),
            Some(id) => {
                let _ = kill_process_group(id, Signal::TERM);
            }
            None => {}
        }
        let _ = tokio::time::timeout(GRACE, child.wait()).await;
        self.kill();
        let _ = child.wait().await;
    }
}

/// The processes beneath one, but for so many levels; a few, as a command has.
fn within(process: Pid, frames: usize, each: &mut impl FnMut(Pid)) {
    const DEEP: usize = 50;
    let mut level = vec![process];
    for depth in 0..DEEP {
        if depth >= frames {
            level.iter().for_each(|process| each(*process));
        }
        level = level.into_iter().flat_map(children).collect();
    }
}

/// Those of a process, as `/proc` tells them.
fn children(process: Pid) -> Vec<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let texts = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let all: Vec<Pid> = texts
        .flat_map(|text| text.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect::<Vec<_>>())
        .collect();
    all
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A folder of its own for one call, only this user's; removed with everything in it when the call is over.
pub(super) struct Folder {
    pub(super) path: std::path::PathBuf,
}

impl Folder {
    /// Among the run's own: should this process be killed, whoever goes on with the run removes it, or the garbage collection.
    /// In the folder for temporary files for a run that leaves nothing, or where the store has no room.
    fn with_input(task: &Task) -> std::io::Result<Folder> {
        let filled = |folder: Folder| {
            let input = write_parts(task, &folder.path)?;
            write_sources(task, &folder.path)?;
            std::fs::write(folder.input(), input.as_deref().unwrap_or(task.input.payload()))?;
            Ok(folder)
        };
        let own = || filled(Folder::new(&task.around.kept.steps()?.ok_or(ErrorKind::NotFound)?, "")?);
        own().or_else(|_| filled(Folder::empty()?))
    }

    /// In the folder for temporary files, with nothing in it.
    pub(super) fn empty() -> std::io::Result<Folder> {
        Folder::new(&std::env::temp_dir(), "aivm-step-")
    }

    fn new(parent: &Path, prefix: &str) -> std::io::Result<Folder> {
        use std::os::unix::fs::DirBuilderExt;
        let mut bits = [0; 8];
        getrandom::fill(&mut bits).map_err(std::io::Error::other)?;
        let name: String = bits.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = parent.join(format!("{prefix}{name}"));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Folder { path })
    }

    /// A file, not a pipe: should this process be killed, the command has its whole input, and never takes a part for all.
    fn input(&self) -> std::path::PathBuf {
        self.path.join("input")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A command may have taken away its own right to write in what it made.
        let _ = crate::kept::remove_tree(&self.path);
    }
}
