//! Who writes: everything that waits, of all runs of the process, goes into one transaction, and is acknowledged after it is
//! durable. A run that is alone commits on its own thread; as soon as there are several, a thread does it for all of them.
//!
//! A commit or a file that fails ends it: everybody who waits gets an error, and nothing is tried again in this process.

use super::objects::Objects;
use super::rows::{Buffers, Placed, Request, Rows, Whose, is_filed};
use crate::store::StoreError;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

pub(super) type Reply = Result<Placed, StoreError>;
/// What was written goes back with the answer: memory is freed where it was taken, and the threads do not get in each other's way.
pub(super) type Written = (Reply, Request);

/// A group of so many shows that many runs write at once: the next is worth waiting for.
const BUSY: usize = 8;
/// The longest wait for a group to fill.
const GATHER: Duration = Duration::from_micros(500);

pub(super) struct Writer {
    pub(super) folder: PathBuf,
    state: Mutex<State>,
    queue: Mutex<Queue>,
    come: Condvar,
    commits: AtomicU64,
}

/// The one connection of this process, and what goes with it.
pub(super) struct State {
    pub(super) database: Connection,
    pub(super) objects: Objects,
    buffers: Buffers,
    /// Writing has failed.
    dead: Option<Arc<StoreError>>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<(Request, oneshot::Sender<Written>)>,
    thread: Option<JoinHandle<()>>,
    /// The thread sleeps until so many wait; 0: it does not sleep.
    wanted: usize,
    /// So many runs may write.
    runs: usize,
    closed: bool,
}

impl Writer {
    pub(super) fn new(folder: &Path, database: Connection) -> Writer {
        let objects = Objects::new(folder);
        let state = State { database, objects, buffers: Buffers::default(), dead: None };
        Writer {
            folder: folder.to_owned(),
            state: Mutex::new(state),
            queue: Mutex::default(),
            come: Condvar::new(),
            commits: AtomicU64::new(0),
        }
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn error(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Database { path: self.folder.join("store.db").display().to_string(), source }
    }

    /// Writes on this thread; durable when it returns.
    pub(super) fn now(&self, request: &Request) -> Reply {
        let mut replies = self.commit(std::slice::from_ref(request));
        replies.pop().unwrap_or_else(|| Err(self.error(rusqlite::Error::QueryReturnedNoRows)))
    }

    /// Writes with everything else that waits, of so many `runs`.
    pub(super) fn later(
        self: &Arc<Writer>,
        request: Request,
        runs: usize,
    ) -> Result<oneshot::Receiver<Written>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let mut queue = self.queue();
        queue.runs = runs;
        queue.waiting.push((request, reply));
        if queue.thread.is_none() {
            let writer = self.clone();
            let thread = std::thread::Builder::new().name("aivm-store".to_owned()).spawn(move || writer.serve());
            queue.thread = Some(thread.map_err(|source| super::io(&self.folder, source))?);
        } else if queue.wanted > 0 && queue.waiting.len() >= queue.wanted {
            queue.wanted = 0;
            drop(queue);
            self.come.notify_one();
        }
        Ok(answer)
    }

    fn serve(&self) {
        let mut requests = Vec::new();
        let mut waiting = Vec::new();
        let mut last = 0;
        loop {
            let mut queue = self.queue();
            while queue.waiting.is_empty() {
                if queue.closed {
                    return;
                }
                queue.wanted = 1;
                queue = self.come.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            // A flush costs the same for one as for a quarter of all; the others go on meanwhile.
            let worth = queue.runs / 4;
            if last >= BUSY && queue.waiting.len() < worth && !queue.closed {
                queue.wanted = worth;
                let come = self.come.wait_timeout_while(queue, GATHER, |queue| queue.wanted > 0 && !queue.closed);
                queue = come.unwrap_or_else(PoisonError::into_inner).0;
            }
            queue.wanted = 0;
            std::mem::swap(&mut waiting, &mut queue.waiting);
            drop(queue);
            last = waiting.len();
            let mut senders = Vec::with_capacity(waiting.len());
            for (request, sender) in waiting.drain(..) {
                requests.push(request);
                senders.push(sender);
            }
            let replies = self.commit(&requests);
            for (sender, written) in senders.into_iter().zip(replies.into_iter().zip(requests.drain(..))) {
                // Whoever does not wait any more has nothing to do with what is durable.
                let _ = sender.send(written);
            }
        }
    }

    /// Nobody writes any more.
    pub(super) fn close(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        let thread = queue.thread.take();
        drop(queue);
        self.come.notify_one();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    /// One transaction, and an answer to each request.
    fn commit(&self, group: &[Request]) -> Vec<Reply> {
        let write = |state: &mut State| state.write(self, group);
        match self.transaction(write) {
            Ok(placed) => {
                let refused = |request: &Request| match &request.whose {
                    Whose::New(run) => StoreError::Exists(run.clone()),
                    Whose::Run { id, .. } => StoreError::Fenced(id.clone()),
                    Whose::Nobody => self.error(rusqlite::Error::QueryReturnedNoRows),
                };
                group.iter().zip(placed).map(|(request, placed)| placed.ok_or_else(|| refused(request))).collect()
            }
            Err(StoreError::Stopped(dead)) => group.iter().map(|_| Err(StoreError::Stopped(dead.clone()))).collect(),
            Err(error) => {
                let dead = Arc::new(error);
                group.iter().map(|_| Err(StoreError::Stopped(dead.clone()))).collect()
            }
        }
    }

    /// What `work` writes is durable when this returns. After any error nobody knows what is, and nothing more is written.
    pub(super) fn transaction<T>(
        &self,
        work: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let state = &mut *self.state();
        if let Some(dead) = &state.dead {
            return Err(StoreError::Stopped(dead.clone()));
        }
        let execute = |state: &mut State, what: &str| {
            let done = state.database.prepare_cached(what).and_then(|mut statement| statement.execute([]));
            done.map(drop).map_err(|source| self.error(source))
        };
        let done = execute(state, "BEGIN IMMEDIATE").and_then(|()| work(state)).and_then(|done| {
            execute(state, "COMMIT")?;
            Ok(done)
        });
        match done {
            Ok(done) => {
                self.commits.fetch_add(1, Ordering::Relaxed);
                Ok(done)
            }
            Err(error) => {
                let _ = execute(state, "ROLLBACK");
                let dead = Arc::new(error);
                state.dead = Some(dead.clone());
                Err(StoreError::Stopped(dead))
            }
        }
    }
}

impl State {
    /// Within a transaction: files first, then rows.
    fn write(&mut self, writer: &Writer, group: &[Request]) -> Result<Vec<Option<Placed>>, StoreError> {
        let artifacts = group.iter().flat_map(|request| &request.artifacts);
        self.objects.write(artifacts.filter(|artifact| is_filed(artifact)))?;
        let mut write = || -> rusqlite::Result<Vec<Option<Placed>>> {
            let mut rows = Rows::new(&self.database)?;
            group.iter().map(|request| rows.write(request, &mut self.buffers)).collect()
        };
        write().map_err(|source| writer.error(source))
    }
}
