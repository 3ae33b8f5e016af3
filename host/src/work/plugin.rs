//! Plugins: programs that stay, and answer calls over their pipes, many at once. One process for each definition and each process
//! that runs; another after it ended. What it says is as untrusted as a command's: a frame that means nothing ends it, an outcome
//! that its step does not declare is a failure.

use super::command::Group;
use super::place::Place;
use super::sandbox::{Confined, orders};
use super::{Returned, Task, error};
use crate::builtin::Body;
use aivm_schema::module::EndKind;
use aivm_schema::plugin::{Answer, Call, FRAME, Frame, LENGTH, PROTOCOL};
use aivm_vm::action::{CallError, Usage};
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot};

/// The longest line of standard error that is kept, in bytes: the last says why it ended.
const LONGEST_LINE: u64 = 4 << 10;
/// How long a plugin that said nonsense has to tell why.
const GRACE: Duration = Duration::from_millis(500);

/// The plugins that this process has started.
#[derive(Debug, Default)]
pub struct Plugins(Mutex<HashMap<Key, Arc<Plugin>>>);

/// A definition's digest, and the workspace.
type Key = ([u8; 32], PathBuf);

/// One that was started.
#[derive(Debug)]
struct Plugin {
    frames: mpsc::UnboundedSender<Vec<u8>>,
    waiting: Arc<Mutex<Waiting>>,
    /// Dropped, it ends.
    end: Mutex<Option<oneshot::Sender<()>>>,
}

/// Who waits for an answer.
#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    calls: HashMap<u64, oneshot::Sender<Result<Answer, CallError>>>,
    /// Why there will be no more answers.
    ended: Option<CallError>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls a plugin.
pub async fn run(task: &Task, argv: &[String]) -> Returned {
    let failed = |error| Returned::Failed { kind: EndKind::Failure, error, usage: Usage::default() };
    let plugin = match task.around.outside.plugins.of(task, argv) {
        Ok(plugin) => plugin,
        Err(error) => return failed(error),
    };
    let (id, answer) = match plugin.call(task) {
        Ok(call) => call,
        Err(error) => return failed(error),
    };
    let deadline = Duration::from_millis(task.deadline_ms.unwrap_or(u64::MAX / 2));
    let answer = tokio::select! {
        answer = answer => answer,
        () = tokio::time::sleep(deadline) => {
            plugin.forget(id, true);
            return Returned::timed_out(&task.worker.name, task.deadline_ms.unwrap_or(0));
        }
        () = task.stop.asked() => {
            plugin.forget(id, false);
            return Returned::stopped();
        }
    };
    match answer {
        Ok(Ok(answer)) => judge(task, answer),
        Ok(Err(error)) => failed(error),
        Err(_) => failed(error("E0971", format!("the plugin of `{}` is gone", task.worker.name))),
    }
}

fn judge(task: &Task, answer: Answer) -> Returned {
    let usage = Usage { money: answer.microdollars, tokens: answer.tokens, ..Usage::default() };
    match answer.result {
        Ok(output) => {
            let verdict = Some(output.outcome).filter(|word| !word.is_empty());
            let own = [Some(output.media_type), task.worker.definition.returns.clone()].into_iter().flatten();
            let media_type = own.into_iter().find(|kind| !kind.is_empty()).unwrap_or("text/plain".to_owned());
            let body = Body::New { media_type, payload: output.payload };
            Returned::Done { body, verdict, attributes: Vec::new(), usage }
        }
        Err(reason) => {
            let message = format!("`{}` says: {reason}", task.worker.name);
            Returned::Failed { kind: EndKind::Failure, error: error("E0973", message), usage }
        }
    }
}

impl Plugins {
    /// That of a task: the one that runs, or a new one.
    fn of(&self, task: &Task, argv: &[String]) -> Result<Arc<Plugin>, CallError> {
        let mut all = locked(&self.0);
        let key = (task.worker.definition.digest().0, task.around.workspace.clone());
        if let Some(plugin) = all.get(&key).filter(|plugin| locked(&plugin.waiting).ended.is_none()) {
            return Ok(plugin.clone());
        }
        let plugin = Arc::new(Plugin::start(task, argv)?);
        all.insert(key, plugin.clone());
        Ok(plugin)
    }
}

impl Plugin {
    fn start(task: &Task, argv: &[String]) -> Result<Plugin, CallError> {
        let name = &task.worker.name;
        let failed = |reason: std::io::Error| {
            let program = argv.first().map_or("", String::as_str);
            error("E0970", format!("the plugin of `{name}`, `{program}`, cannot be started: {reason}"))
        };
        let folder = super::command::Folder::empty().map_err(failed)?;
        let words: Vec<OsString> = argv.iter().map(OsString::from).collect();
        let Confined { mut command, frames: levels, group: control, egress } =
            task.around.outside.sandbox.confine(task, &words, &Place::of_the_run(task), &folder.path)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(failed)?;
        let (frames, queue) = mpsc::unbounded_channel();
        let hello = Frame::Hello { protocol: PROTOCOL, name: format!("aivm {}", env!("CARGO_PKG_VERSION")) };
        let _ = frames.send(hello.to_bytes().unwrap_or_default());
        let (end, ended) = oneshot::channel();
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(failed(std::io::Error::other("it has no pipes")));
        };
        let group = Group::of(&child, levels);
        let (name, seen) = (name.clone(), waiting.clone());
        tokio::spawn(async move {
            // They go when it has gone.
            let _held = (folder, control, group, egress);
            let error = serve(&name, (stdin, stdout, stderr), &mut child, (queue, ended), &seen).await;
            let mut waiting = locked(&seen);
            for (_, call) in waiting.calls.drain() {
                let _ = call.send(Err(error.clone()));
            }
            waiting.ended = Some(error);
        });
        Ok(Plugin { frames, waiting, end: Mutex::new(Some(end)) })
    }

    /// Sends a call; its answer comes, or why there is none.
    #[allow(clippy::type_complexity)] // Its number, and what waits for it.
    fn call(&self, task: &Task) -> Result<(u64, oneshot::Receiver<Result<Answer, CallError>>), CallError> {
        let (sender, answer) = oneshot::channel();
        let mut waiting = locked(&self.waiting);
        if let Some(error) = &waiting.ended {
            return Err(error.clone());
        }
        waiting.next += 1;
        let id = waiting.next;
        let call = Call {
            id,
            step: task.key.to_string(),
            key: super::idempotency_key(&task.around.run, &task.key, task.input.content_digest()),
            run: task.around.run.clone(),
            attempt: task.attempt,
            outcomes: task.words.to_vec(),
            settings: serde_json::to_string(&task.worker.definition.with).unwrap_or_default(),
            deadline_ms: task.deadline_ms.unwrap_or(0),
            input: task.input.clone(),
            parts: task.parts.to_vec(),
        };
        let frame = Frame::Call(Box::new(call)).to_bytes();
        let frame = frame.map_err(|reason| error("E0972", format!("the call of `{}`: {reason}", task.worker.name)))?;
        waiting.calls.insert(id, sender);
        let _ = self.frames.send(frame);
        Ok((id, answer))
    }

    /// Nobody waits for this call any more. One that let the time of its only call run out may hang: it is ended.
    fn forget(&self, id: u64, late: bool) {
        let mut waiting = locked(&self.waiting);
        waiting.calls.remove(&id);
        let _ = self.frames.send(Frame::Cancel(id).to_bytes().unwrap_or_default());
        if late && waiting.calls.is_empty() {
            locked(&self.end).take();
        }
    }
}

/// Carries frames both ways until there is a reason not to.
async fn serve(
    name: &str,
    (mut stdin, stdout, stderr): (ChildStdin, ChildStdout, ChildStderr),
    child: &mut Child,
    (mut queue, ended): (mpsc::UnboundedReceiver<Vec<u8>>, oneshot::Receiver<()>),
    waiting: &Mutex<Waiting>,
) -> CallError {
    let write = async {
        while let Some(frame) = queue.recv().await {
            if stdin.write_all(&frame).await.is_err() || stdin.flush().await.is_err() {
                break;
            }
        }
        // It reads no more; whether it still answers, its own end says.
        std::future::pending::<()>().await
    };
    let last = Arc::new(Mutex::new(String::new()));
    let heard = last.clone();
    let mut listening = tokio::spawn(async move {
        let mut lines = BufReader::new(stderr);
        let mut line = Vec::new();
        while (&mut lines).take(LONGEST_LINE).read_until(b'\n', &mut line).await.is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line).trim().to_owned();
            if !text.is_empty() {
                *locked(&heard) = text;
            }
            line.clear();
        }
    });
    let reason = tokio::select! {
        reason = read(stdout, waiting) => reason,
        () = write => None,
        () = async { let _ = ended.await; } => Some("it did not answer in time".to_owned()),
    };
    // What it says last, and how it ends, when it does so by itself.
    let status = match &reason {
        Some(_) => None,
        None => tokio::time::timeout(GRACE, async { tokio::join!(child.wait(), &mut listening).0 }).await.ok(),
    };
    let _ = child.start_kill();
    let _ = child.wait().await;
    listening.abort();
    let said = locked(&last).clone();
    if let Some(reason) = said.strip_prefix(orders::SAYS) {
        return error(
            "E0970",
            format!("the plugin of `{name}` cannot be started in its sandbox: {reason} (`aivm explain E0970`)"),
        );
    }
    if let Some(reason) = reason {
        return error("E0972", format!("the plugin of `{name}` was ended: {reason}"));
    }
    let how = status.and_then(Result::ok).map_or("without a status".to_owned(), super::command::status_text);
    let said = if said.is_empty() { said } else { format!(": {said}") };
    error("E0971", format!("the plugin of `{name}` ended with {how}{said}"))
}

/// Hands answers to those who wait; none when the output ends, else what is wrong with it.
async fn read(mut stdout: ChildStdout, waiting: &Mutex<Waiting>) -> Option<String> {
    let mut greeted = false;
    loop {
        let mut length = [0; LENGTH];
        if stdout.read_exact(&mut length).await.is_err() {
            return None;
        }
        let length = u32::from_le_bytes(length) as usize;
        if length > FRAME {
            return Some(format!("a frame of {length} bytes; {FRAME} are the most"));
        }
        // A length is only a claim: there is room for what comes.
        let mut bytes = Vec::new();
        match (&mut stdout).take(length as u64).read_to_end(&mut bytes).await {
            Ok(n) if n == length => {}
            _ => return None,
        }
        match Frame::from_bytes(&bytes) {
            Ok(Frame::Hello { protocol: PROTOCOL, .. }) if !greeted => greeted = true,
            Ok(Frame::Hello { protocol, .. }) if !greeted => {
                return Some(format!("it speaks protocol {protocol}, and this is {PROTOCOL}"));
            }
            Ok(_) if !greeted => return Some("its first frame is no hello".to_owned()),
            Ok(Frame::Result(answer)) => {
                let mut waiting = locked(waiting);
                if answer.id == 0 || answer.id > waiting.next {
                    return Some(format!("it answers call {}, which nobody made", answer.id));
                }
                // An answer that nobody waits for any more, or the second to one call, is dropped.
                if let Some(call) = waiting.calls.remove(&answer.id) {
                    let _ = call.send(Ok(answer));
                }
            }
            Ok(_) => return Some("a frame that is not a plugin's to send".to_owned()),
            Err(reason) => return Some(format!("a frame that cannot be read: {reason}")),
        }
    }
}
