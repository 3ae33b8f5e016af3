//! Cassettes: what the calls of a run were answered, in a file, and runs that are answered from it. A cassette stands between
//! a driver and whoever carries out its calls. It holds what reaches outside: models, HTTP, commands that are not `pure`, memory.
//! Other built-ins and mocks are called in a replay as ever: what they write into the workspace must be there.
//!
//! **Which recorded call answers.** One with the same request: the worker's definition with behaviours and parameters, the
//! content of its input, the words of its step. Among several, that of the same step and attempt: keys of steps come from the
//! program's structure, never from who was quicker, so rounds of a loop, elements of a fan-out, parts of a join and retries
//! each find their own, in whatever order they ask, and after a crash again. A program whose steps have other keys since then
//! is given the rest in the order in which it was recorded, each once, and then the last again: it asks nothing new.
//!
//! **In which order.** Who answers first decides a race. Answers that wait at the same time are given in the order of the file,
//! and a call that was stopped is not answered until it is stopped again.
//!
//! **What was not recorded** is no failure of its step, which an edge could hide: the run is left where it was.

use crate::facts;
use crate::pool::Pool;
use crate::process::{Process, Refused, Reply};
use crate::signals::Signals;
use crate::work::{Prepared, Returned, Surroundings, Task, mock};
use aivm_schema::module::EndKind;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

mod find;
mod line;

/// The largest cassette that is read, in bytes.
const MOST: u64 = 256 << 20;

use find::Recorded;
use line::Line;
pub(crate) use line::{Answer, Request};

fn is_taken(worker: &Prepared, mock: Option<&mock::Answering>) -> bool {
    mock.is_none() && facts::reaches_outside(&worker.definition)
}

/// Why a cassette is none.
#[derive(Debug, thiserror::Error)]
pub enum CassetteError {
    /// The file.
    #[error("E0926: the cassette {} cannot be {what}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Read or written?
        what: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// What it says.
    #[error("E0926: the cassette {}, line {line}: {reason}", path.display())]
    Line {
        /// Which.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// It would be mixed with another run's.
    #[error("E0927: {} is there already: a run is recorded in a file of its own", .0.display())]
    There(PathBuf),
}

impl CassetteError {
    fn file(path: &Path, what: &'static str) -> impl FnOnce(std::io::Error) -> CassetteError {
        let path = path.to_path_buf();
        move |source| CassetteError::File { path, what, source }
    }
}

/// Can all of it be read? Reading what is no plain file may never end.
fn plain(path: &Path) -> std::io::Result<()> {
    let about = std::fs::metadata(path)?;
    match about.len() {
        _ if !about.is_file() => Err(std::io::Error::other("it is no plain file")),
        length if length > MOST => Err(std::io::Error::other(format!("it is larger than {} MiB", MOST >> 20))),
        _ => Ok(()),
    }
}

/// Writes down what another process answers.
pub struct Recorder {
    inner: Rc<dyn Process>,
    tape: Arc<Tape>,
}

struct Tape {
    path: PathBuf,
    file: Mutex<File>,
}

impl Recorder {
    /// Into a file that is not there yet.
    pub fn create(path: &Path, inner: Rc<dyn Process>) -> Result<Recorder, CassetteError> {
        let file = File::options().append(true).create_new(true).open(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => CassetteError::There(path.to_path_buf()),
            _ => CassetteError::file(path, "written")(error),
        })?;
        Recorder::new(path, file, inner)
    }

    /// After what is in the file; it is made when there is none.
    pub fn append(path: &Path, inner: Rc<dyn Process>) -> Result<Recorder, CassetteError> {
        let failed = || CassetteError::file(path, "written");
        if path.exists() {
            plain(path).map_err(failed())?;
        }
        let mut file = File::options().read(true).append(true).create(true).open(path).map_err(failed())?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed())?;
        // The process that wrote it may have been killed within a line.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        line::read(path, bytes.get(..whole).unwrap_or(&[]))?;
        file.set_len(whole as u64).map_err(failed())?;
        file.seek(SeekFrom::End(0)).map_err(failed())?;
        Recorder::new(path, file, inner)
    }

    fn new(path: &Path, mut file: File, inner: Rc<dyn Process>) -> Result<Recorder, CassetteError> {
        let failed = || CassetteError::file(path, "written");
        if file.metadata().map_err(failed())?.len() == 0 {
            file.write_all(line::first().as_bytes()).map_err(failed())?;
        }
        Ok(Recorder { inner, tape: Arc::new(Tape { path: path.to_path_buf(), file: Mutex::new(file) }) })
    }
}

impl Tape {
    /// A line at a time, each whole: what was written before this process is killed can be read.
    fn write(&self, line: &Line) -> Result<(), Refused> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = file.write_all(line.text().as_bytes());
        // A recording that lacks a call is none.
        written.map_err(|error| Refused::Cassette(CassetteError::file(&self.path, "written")(error).to_string()))
    }
}

impl Process for Recorder {
    fn begin(&self, task: Task, mock: Option<mock::Answering>, reply: Reply) {
        if !is_taken(&task.worker, mock.as_ref()) {
            return self.inner.begin(task, mock, reply);
        }
        let (tape, asked) = (self.tape.clone(), task.clone());
        let reply = reply.heard_by(move |returned| {
            let answer = match returned {
                Some(returned) => Answer::of(returned),
                // The run ended, and did not wait for whom it had stopped.
                None if asked.stop.is_asked() => Answer::Stopped,
                None => return Ok(()),
            };
            tape.write(&Line::of(&asked, answer))
        });
        self.inner.begin(task, mock, reply);
    }

    fn end_leftovers(&self, around: &Surroundings, steps: &[String]) {
        self.inner.end_leftovers(around, steps);
    }

    fn signals(&self) -> Signals {
        self.inner.signals()
    }

    fn may_cache(&self) -> bool {
        false
    }

    fn pool(&self) -> std::io::Result<Arc<Pool>> {
        self.inner.pool()
    }
}

/// Answers from a file, and calls nothing that reaches outside.
pub struct Player {
    inner: Rc<dyn Process>,
    path: PathBuf,
    recorded: Mutex<Recorded>,
    waiting: Arc<Mutex<Waiting>>,
}

/// What is answered next, by its place in the file.
type Waiting = BTreeMap<(usize, u64), (Reply, Returned)>;

impl Player {
    /// From this file.
    pub fn open(path: &Path, inner: Rc<dyn Process>) -> Result<Player, CassetteError> {
        let bytes = plain(path).and_then(|()| std::fs::read(path)).map_err(CassetteError::file(path, "read"))?;
        let recorded = Mutex::new(Recorded::new(line::read(path, &bytes)?));
        Ok(Player { inner, path: path.to_path_buf(), recorded, waiting: Arc::default() })
    }
}

impl Process for Player {
    fn begin(&self, task: Task, mock: Option<mock::Answering>, reply: Reply) {
        if !is_taken(&task.worker, mock.as_ref()) {
            return self.inner.begin(task, mock, reply);
        }
        let request = Request::of(&task);
        let found = self.recorded.lock().unwrap_or_else(PoisonError::into_inner).find(&task, &request);
        let (place, answer) = match found {
            Ok(found) => found,
            Err(why) => {
                let (worker, step) = (&task.worker.name, &task.key);
                return reply.refuse(Refused::Cassette(format!(
                    "E0920: {} has no answer for `{worker}` at {step}: {why}",
                    self.path.display()
                )));
            }
        };
        let Some(returned) = answer.returned() else {
            tokio::spawn(async move { reply.send(stopped(&task).await) });
            return;
        };
        let waiting = self.waiting.clone();
        let nth = (place, reply.request().0);
        waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(nth, (reply, returned));
        // It runs when the driver waits: until then it may have asked for more.
        tokio::spawn(async move {
            let all = std::mem::take(&mut *waiting.lock().unwrap_or_else(PoisonError::into_inner));
            for (reply, returned) in all.into_values() {
                reply.send(returned);
            }
        });
    }

    fn end_leftovers(&self, around: &Surroundings, steps: &[String]) {
        self.inner.end_leftovers(around, steps);
    }

    fn signals(&self) -> Signals {
        self.inner.signals()
    }

    fn may_cache(&self) -> bool {
        false
    }

    fn pool(&self) -> std::io::Result<Arc<Pool>> {
        self.inner.pool()
    }

    fn replays(&self) -> bool {
        true
    }
}

/// It was stopped, and is now: by whoever asks, else by its deadline.
async fn stopped(task: &Task) -> Returned {
    let deadline = task.deadline_ms.unwrap_or(u64::MAX / 2);
    tokio::select! {
        () = task.stop.asked() => Returned::stopped(),
        () = tokio::time::sleep(Duration::from_millis(deadline)) => Returned::timed_out(&task.worker.name, deadline),
    }
}

/// Refuses what would be recorded or replayed, when there is no cassette to do it with.
pub struct Refusing {
    /// Who does everything else.
    pub inner: Rc<dyn Process>,
    /// Why.
    pub why: String,
}

impl Process for Refusing {
    fn begin(&self, task: Task, mock: Option<mock::Answering>, reply: Reply) {
        match is_taken(&task.worker, mock.as_ref()) {
            true => reply.refuse(Refused::Cassette(self.why.clone())),
            false => self.inner.begin(task, mock, reply),
        }
    }

    fn end_leftovers(&self, around: &Surroundings, steps: &[String]) {
        self.inner.end_leftovers(around, steps);
    }

    fn signals(&self) -> Signals {
        self.inner.signals()
    }

    fn may_cache(&self) -> bool {
        false
    }

    fn pool(&self) -> std::io::Result<Arc<Pool>> {
        self.inner.pool()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aivm_vm::action::RequestId;

    #[test]
    fn an_answer_that_cannot_be_written_down_is_not_given() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("c.jsonl");
        std::fs::write(&path, line::first()).expect("a file");
        let line = r#"{"worker":"w","step":"s/w#1","attempt":1,"request":{"definition":"d","input":"i","type":"text/plain","excerpt":""},"answer":"stopped"}"#;
        let line: Line = serde_json::from_str(line).expect("a line");
        // It may be read only.
        let tape = Tape { path: path.clone(), file: Mutex::new(File::open(&path).expect("it")) };
        let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
        let reply = Reply::new(RequestId(1), sender).heard_by(move |_| tape.write(&line));
        reply.send(Returned::stopped());
        let (_, answer) = told.try_recv().expect("an answer");
        let refused = answer.expect_err("refused").to_string();
        assert!(refused.starts_with("E0926: the cassette ") && refused.contains("cannot be written"), "{refused}");
    }
}
