//! What the store on disk writes goes on to the bucket: in order of rows, some at once, by a thread. It is durable on disk first, so
//! nothing is in the bucket that the store cannot name, and whatever is killed goes on where it was: a row counts as sent when all
//! before it are. *Through*: an outcome counts when it is in the bucket, too. *Behind*: it is sent as soon as it can be.

use super::Remote;
use crate::store::StoreError;
use crate::store::disk::{BucketId, Disk, Following, Progress, Standing, Stopped, Unsent};
use aivm_s3::{Bucket, Place, Settings};
use aivm_schema::artifact::key::Form;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// So many artifacts are sent at once, and of so many bytes unless one has more.
const AT_ONCE: usize = 32;
const BYTES: u64 = 256 << 20;
/// So many runs are sealed at once.
const SEALS: usize = 4;
/// So long it waits after a failure, and longer after each further one up to so long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// So often it is noted how far the bucket is, and looked for what others wrote.
const NOTED: Duration = Duration::from_millis(500);

/// When an outcome counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// When it is in the bucket.
    Through,
    /// When it is durable on disk.
    Behind,
}

/// What was not sent when it ended.
#[derive(Debug)]
pub struct Left {
    /// How the bucket stands.
    pub standing: Standing,
    /// What stood in the way.
    pub trouble: Option<String>,
}

/// The thread that sends.
pub struct Mirror {
    disk: Disk,
    bucket: BucketId,
    thread: Option<JoinHandle<Result<(), StoreError>>>,
    /// How long it may go without progress once it is to end.
    end: watch::Sender<Option<Duration>>,
    progress: watch::Receiver<Progress>,
}

impl Mirror {
    /// Begins with what has not been sent yet. There is one for a store.
    pub fn start(disk: &Disk, place: Place, settings: Settings, form: Form, mode: Mode) -> Result<Mirror, StoreError> {
        let bucket = disk.bucket(&name(&place, &settings, form))?;
        let failed = |reason: String| StoreError::Bucket(format!("E0874: values cannot be sent to {place}: {reason}"));
        let following = disk
            .follow(mode == Mode::Through, disk.sent(bucket)?)
            .ok_or_else(|| failed("this process sends them already".to_owned()))?;
        let progress = following.progress.subscribe();
        let (end, ending) = watch::channel(None);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed(error.to_string()))?;
        let shared = disk.clone();
        let send = {
            let place = place.clone();
            move || {
                runtime.block_on(async {
                    let remote = Remote { bucket: Bucket::open(place, &settings).await, form };
                    let sender = Rc::new(Sender { disk: shared, remote, bucket, progress: following.progress.clone() });
                    sender.carry(following, ending).await
                })
            }
        };
        let thread = std::thread::Builder::new().name("aivm-bucket".to_owned()).spawn(send);
        let thread = Some(thread.map_err(|error| failed(error.to_string()))?);
        Ok(Mirror { disk: disk.clone(), bucket, thread, end, progress })
    }

    /// How far it is, as it goes on.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Ends it when everything is sent, or when nothing more could be for so long; says what is left.
    pub fn finish(mut self, patience: Duration) -> Result<Left, StoreError> {
        self.ended(patience)?;
        let trouble = self.progress.borrow().trouble.clone();
        Ok(Left { standing: self.disk.standing(self.bucket)?, trouble })
    }

    fn ended(&mut self, patience: Duration) -> Result<(), StoreError> {
        let _ = self.end.send(Some(patience));
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err(StoreError::Bucket("E0874: what sends values crashed".to_owned())))
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        let _ = self.ended(Duration::ZERO);
    }
}

/// Under this name a store knows a bucket: the same at two servers is two, and so is one in two forms.
pub fn name(place: &Place, settings: &Settings, form: Form) -> String {
    let mut name = format!("{place} as .{}", form.extension());
    for (what, said) in [("at", &settings.endpoint), ("by the profile", &settings.profile)] {
        if let Some(said) = said {
            name.push_str(&format!(" {what} {said}"));
        }
    }
    name
}

struct Sender {
    disk: Disk,
    remote: Remote,
    bucket: BucketId,
    progress: watch::Sender<Progress>,
}

impl Sender {
    async fn carry(
        self: Rc<Sender>,
        mut following: Following,
        mut ending: watch::Receiver<Option<Duration>>,
    ) -> Result<(), StoreError> {
        let mut read = self.disk.sent(self.bucket)?;
        let (mut queue, mut open) = (VecDeque::<Unsent>::new(), BTreeMap::<i64, usize>::new());
        let (mut sends, mut seals) = (FuturesUnordered::new(), FuturesUnordered::new());
        let unsealed = self.disk.unsealed(self.bucket)?.into_iter();
        let mut stopped: VecDeque<Stopped> = unsealed.map(|run| Stopped { run, sealed: None }).collect();
        // Runs by the row that has to be there first.
        let mut due = BTreeMap::<i64, VecDeque<Stopped>>::new();
        let (mut noted, mut noted_at, mut bytes, mut moved) = (read, Instant::now(), 0, Instant::now());
        let mut answered = 0;
        loop {
            while queue.is_empty() {
                let (unsent, last) = self.disk.unsent(read)?;
                if last == read {
                    break;
                }
                unsent.iter().for_each(|unsent| *open.entry(unsent.row).or_default() += 1);
                (queue, read) = (unsent, last);
            }
            while sends.len() < AT_ONCE
                && let Some(next) = queue.pop_front_if(|next| bytes == 0 || bytes + next.size() <= BYTES)
            {
                bytes += next.size();
                sends.push(self.clone().send(next));
            }
            // All rows before the first that is open are there.
            let sent = open.first_key_value().map_or(read, |(row, _)| row - 1);
            self.progress.send_if_modified(|progress| {
                let further = sent > progress.row;
                progress.row = progress.row.max(sent);
                further
            });
            if sent > noted && noted_at.elapsed() > NOTED {
                self.disk.set_sent(self.bucket, sent)?;
                (noted, noted_at) = (sent, Instant::now());
            }
            while let Some(next) = stopped.pop_front() {
                match self.disk.at_rest(&next.run)? {
                    Some(row) => due.entry(row).or_default().push_back(next),
                    // It goes on, and stops another time; or it is gone.
                    None => next.answer(),
                }
            }
            while let Some(mut first) = due.first_entry().filter(|first| *first.key() <= sent && seals.len() < SEALS) {
                let row = *first.key();
                match first.get_mut().pop_front() {
                    // It may have gone on meanwhile.
                    Some(next) if self.disk.at_rest(&next.run)? == Some(row) => seals.push(self.clone().seal(next)),
                    Some(next) => stopped.push_back(next),
                    None => drop(first.remove()),
                }
            }
            let idle = sends.is_empty() && queue.is_empty() && seals.is_empty() && stopped.is_empty() && due.is_empty();
            // A part of something large is progress, too.
            let stored = self.remote.bucket.stored();
            if stored > answered {
                (answered, moved) = (stored, Instant::now());
            }
            let patience = *ending.borrow();
            if let Some(patience) = patience
                && (idle && read >= self.disk.last_row()? || moved.elapsed() > self.patience(patience))
            {
                return self.disk.set_sent(self.bucket, sent);
            }
            tokio::select! {
                Some((row, size)) = sends.next() => {
                    bytes -= size;
                    if let Some(left) = open.get_mut(&row) {
                        *left -= 1;
                        if *left == 0 {
                            open.remove(&row);
                        }
                    }
                    moved = Instant::now();
                }
                Some(()) = seals.next() => moved = Instant::now(),
                Some(next) = following.runs.recv() => stopped.push_back(next),
                Ok(()) = following.rows.changed(), if queue.is_empty() => {}
                Ok(()) = ending.changed() => moved = Instant::now(),
                () = tokio::time::sleep(NOTED) => {}
            }
        }
    }

    /// Where something stands in the way already, there is less to wait for.
    fn patience(&self, patience: Duration) -> Duration {
        if self.progress.borrow().trouble.is_some() { patience / 4 } else { patience }
    }

    /// Sends an artifact, however often that takes; its row, and how many bytes it was taken for.
    async fn send(self: Rc<Sender>, unsent: Unsent) -> (i64, u64) {
        self.until_done(async || {
            // What is damaged here nobody has.
            let Some(artifact) = unsent.open() else { return Ok(()) };
            let sum = artifact.checksum();
            let mut in_parts = false;
            let known = || {
                in_parts = true;
                self.disk.upload(self.bucket, sum)
            };
            self.remote.put(&artifact, known, |id| self.disk.set_upload(self.bucket, sum, Some(id))).await?;
            if in_parts { self.disk.set_upload(self.bucket, sum, None) } else { Ok(()) }
        })
        .await;
        (unsent.row, unsent.size())
    }

    async fn seal(self: Rc<Sender>, stopped: Stopped) {
        self.until_done(async || match self.remote.seal(&self.disk, &stopped.run).await {
            Ok(seq) => self.disk.set_sealed(self.bucket, &stopped.run, seq),
            Err(StoreError::Gone(_)) => Ok(()),
            Err(error) => Err(error),
        })
        .await;
        stopped.answer();
    }

    /// Tries it until it is done; what stands in the way is told meanwhile.
    async fn until_done(&self, once: impl AsyncFn() -> Result<(), StoreError>) {
        let mut wait = FIRST_WAIT;
        while let Err(error) = once().await {
            self.progress.send_modify(|progress| progress.trouble = Some(error.to_string()));
            tokio::time::sleep(wait).await;
            wait = LONGEST_WAIT.min(wait * 2);
        }
        self.progress.send_if_modified(|progress| progress.trouble.take().is_some());
    }
}
