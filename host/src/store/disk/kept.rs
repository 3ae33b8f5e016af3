//! What one run sees of the store: what it puts waits for its next batch and goes into the same row.

use super::lock::Lock;
use super::passed::Passed;
use super::rows::{Placed, Request, Whose};
use super::runs::CANCEL;
use super::writer::Written;
use super::{Disk, Shared};
use crate::store::{Appended, CachedAnswer, RunRow, Store, StoreError};
use aivm_schema::artifact::{Artifact, Checksum};
use aivm_schema::journal::Record;
use aivm_vm::run::{Batch, Status};
use std::cell::{Cell, Ref, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use tokio::sync::oneshot;

/// So many bytes of artifacts wait before they are written without records.
const WAITING: usize = 8 << 20;

/// Does somebody go on with a run that stands so?
fn is_open(status: Status) -> bool {
    matches!(status, Status::Running | Status::Parked | Status::Stuck)
}

/// A run of the store: this process's, or one that it only looks at.
pub struct Kept(pub(super) Rc<View>);

pub(super) struct View {
    pub(super) disk: Disk,
    waiting: RefCell<Waits>,
    place: RefCell<Place>,
    /// Every question is asked anew.
    anew: Cell<bool>,
    /// The artifacts of the rows that its journal was read from lately: to put one again, told the same, is to do nothing.
    pub(super) passed: RefCell<Passed>,
}

#[derive(Default)]
struct Waits {
    artifacts: Vec<Artifact>,
    answers: Vec<CachedAnswer>,
    bytes: usize,
}

/// Where the run's next row goes.
#[derive(Default)]
struct Place {
    row: Option<RunRow>,
    lock: Option<Owned>,
    /// 0: nothing is written of it.
    number: i64,
    epoch: i64,
    seq: u64,
    last: i64,
    status: Option<Status>,
    cancel: Cancel,
}

/// How far a wish to cancel has come that another process has left.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Cancel {
    #[default]
    None,
    /// The run knows; its next records say so.
    Told,
    /// The records are with the writer, which removes the wish with them.
    Written,
}

/// Counts the runs that this process owns.
struct Owned {
    shared: Arc<Shared>,
    lock: Lock,
}

impl Owned {
    fn new(disk: &Disk, run: &str) -> Result<Owned, StoreError> {
        let lock = Lock::take(&disk.writer().folder, run)?;
        let shared = disk.0.clone();
        shared.owned.fetch_add(1, Ordering::Relaxed);
        Ok(Owned { shared, lock })
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.shared.owned.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Disk {
    /// What a run that is still to begin will keep.
    pub fn keep(&self) -> Kept {
        let place = RefCell::new(Place::default());
        let (waiting, anew, passed) = Default::default();
        Kept(Rc::new(View { disk: self.clone(), waiting, place, anew, passed }))
    }

    /// Takes a run over: from now on it is this process's. Refused while another process is at it, or when it is damaged.
    pub fn claim(&self, run: &str) -> Result<Kept, StoreError> {
        let mut claimed = self.claim_all(std::slice::from_ref(&run))?;
        claimed.pop().unwrap_or_else(|| Err(StoreError::Fenced(run.to_owned())))
    }

    /// As [`Disk::claim`], a run that goes on elsewhere: to add what has come since.
    pub(crate) fn claim_brought(&self, run: &str) -> Result<Kept, StoreError> {
        let mut claimed = self.take_over(std::slice::from_ref(&run), RunRow::is_brought)?;
        claimed.pop().unwrap_or_else(|| Err(StoreError::Fenced(run.to_owned())))
    }

    /// Takes runs over, by one transaction for all of them.
    pub fn claim_all<S: AsRef<str>>(&self, runs: &[S]) -> Result<Vec<Result<Kept, StoreError>>, StoreError> {
        self.take_over(runs, |_| false)
    }

    /// `may`: which may be taken over though they are set aside.
    fn take_over<S: AsRef<str>>(
        &self,
        runs: &[S],
        may: impl Fn(&RunRow) -> bool,
    ) -> Result<Vec<Result<Kept, StoreError>>, StoreError> {
        let locks: Vec<Result<Owned, StoreError>> = runs.iter().map(|run| Owned::new(self, run.as_ref())).collect();
        let ours = |at: usize| locks.get(at).is_some_and(Result::is_ok);
        let names: Vec<&str> =
            runs.iter().enumerate().filter(|(at, _)| ours(*at)).map(|(_, run)| run.as_ref()).collect();
        let mut stands = self.writer().take_over(&names)?.into_iter();
        let claimed = runs.iter().zip(locks).map(|(run, lock)| {
            let lock = lock?;
            let stands = stands.next().flatten().ok_or_else(|| StoreError::Fenced(run.as_ref().to_owned()))?;
            if let Some(reason) = stands.row.quarantine.clone().filter(|_| !may(&stands.row)) {
                return Err(StoreError::Quarantined { run: stands.row.id, reason });
            }
            lock.lock.stay(Status::parse(&stands.row.status).is_some_and(is_open));
            let place = Place {
                row: Some(stands.row),
                lock: Some(lock),
                number: stands.number,
                epoch: stands.epoch,
                seq: stands.seq,
                last: stands.last,
                ..Place::default()
            };
            let kept = self.keep();
            kept.0.place.replace(place);
            Ok(kept)
        });
        Ok(claimed.collect())
    }

    /// A run as it stands, to look at: nothing is written of what is put.
    pub fn look(&self, run: &str) -> Result<Option<Kept>, StoreError> {
        let Some(stands) = self.writer().stands(run)? else { return Ok(None) };
        let kept = self.keep();
        kept.0.place.borrow_mut().row = Some(stands.row);
        Ok(Some(kept))
    }
}

impl Kept {
    /// The store that it is in.
    pub fn disk(&self) -> &Disk {
        &self.0.disk
    }

    /// The run, as it was when it was begun, claimed or looked at.
    pub fn row(&self) -> Option<Ref<'_, RunRow>> {
        Ref::filter_map(self.0.place.borrow(), |place| place.row.as_ref()).ok()
    }

    /// No call of it is answered as the same was before; what it is answered is kept all the same.
    pub fn asking_anew(self) -> Kept {
        self.0.anew.set(true);
        self
    }

    /// Looks an artifact up, and says when it is damaged.
    pub fn find(&self, checksum: Checksum) -> Result<Option<Artifact>, StoreError> {
        let waiting = self.0.waiting.borrow();
        match waiting.artifacts.iter().find(|artifact| artifact.checksum() == checksum) {
            Some(artifact) => Ok(Some(artifact.clone())),
            None => self.0.disk.find(checksum),
        }
    }

    /// Lets the run go: another process may take it.
    pub fn release(&self) {
        self.0.place.borrow_mut().lock = None;
    }

    /// What other processes ask of it.
    pub fn signals(&self) -> Result<Vec<super::Signal>, StoreError> {
        let number = self.0.place.borrow().number;
        self.0.disk.writer().signals(number)
    }

    /// What is to be written.
    fn request(&self, batch: Batch) -> Result<Request, StoreError> {
        let place = &mut *self.0.place.borrow_mut();
        let id = || place.row.as_ref().map(|row| row.id.clone()).unwrap_or_default();
        // Whoever only looks at a run, or has let it go, does not write to it.
        if place.lock.is_none() {
            return Err(StoreError::Fenced(id()));
        }
        let whose = match &place.row {
            Some(row) if place.number == 0 => Whose::New(Box::new(row.clone())),
            _ => Whose::Run { number: place.number, epoch: place.epoch, id: id() },
        };
        let Waits { artifacts, answers, .. } = std::mem::take(&mut *self.0.waiting.borrow_mut());
        self.0.passed.borrow_mut().forget();
        let status = (place.status != Some(batch.status)).then(|| batch.status.word());
        place.status = Some(batch.status);
        if let Some(owned) = &place.lock {
            owned.lock.stay(is_open(batch.status));
        }
        place.seq = batch.first + batch.records.len() as u64 - 1;
        let heard = place.cancel == Cancel::Told;
        if heard {
            place.cancel = Cancel::Written;
        }
        Ok(Request {
            heard,
            whose,
            previous: place.last,
            first: batch.first,
            link: batch.head.0,
            checkpoint: batch.records.first().is_some_and(|record| Record::is_checkpoint(record)),
            records: batch.records,
            artifacts,
            answers,
            status,
        })
    }

    /// Writes what waits, without records.
    fn spill(&self) -> Result<(), StoreError> {
        let waits = std::mem::take(&mut *self.0.waiting.borrow_mut());
        if waits.artifacts.is_empty() && waits.answers.is_empty() {
            return Ok(());
        }
        let mut request = Request { artifacts: waits.artifacts, answers: waits.answers, ..Request::default() };
        if let (place, Some(row)) = (self.0.place.borrow(), self.row())
            && place.number > 0
        {
            request.whose = Whose::Run { number: place.number, epoch: place.epoch, id: row.id.clone() };
            (request.previous, request.first) = (place.last, place.seq + 1);
        }
        match self.0.disk.writer().now(&request) {
            Ok(Placed { number: 0, .. }) => {}
            Ok(placed) => self.0.placed(placed, false),
            Err(error) => {
                // The run still reads it.
                self.0.waiting.replace(Waits { artifacts: request.artifacts, answers: request.answers, bytes: 0 });
                return Err(error);
            }
        }
        Ok(())
    }

    /// Is something of the run written, and may more be?
    fn is_under_way(&self) -> bool {
        let place = self.0.place.borrow();
        place.lock.is_some() && place.number > 0
    }
}

impl View {
    /// A batch was written; the run stops with it.
    fn placed(&self, placed: Placed, stopped: bool) {
        let place = &mut *self.place.borrow_mut();
        (place.number, place.last) = (placed.number, placed.row);
        place.epoch = place.epoch.max(1);
        let run = place.row.as_ref().filter(|_| stopped).map(|row| row.id.as_str());
        self.disk.wrote(placed.row, run);
    }

    /// Returns when the bucket has the last batch.
    async fn followed(self: Rc<View>, stopped: bool) -> Result<(), StoreError> {
        let (row, run) = {
            let place = self.place.borrow();
            (place.last, place.row.as_ref().filter(|_| stopped).map(|row| row.id.clone()))
        };
        self.disk.clone().followed(row, run).await
    }

    pub(super) fn cached(&self, artifact: &Artifact) {
        self.disk.0.cache().insert(artifact);
    }
}

impl Store for Kept {
    fn on_disk(&self) -> Option<Disk> {
        Some(self.disk().clone())
    }

    fn put(&self, artifact: &Artifact) {
        if self.0.passed.borrow().contains(artifact.checksum()) {
            return;
        }
        self.0.cached(artifact);
        let full = {
            let waiting = &mut *self.0.waiting.borrow_mut();
            waiting.bytes += artifact.bytes().len();
            waiting.artifacts.push(artifact.clone());
            waiting.bytes > WAITING
        };
        if full && self.is_under_way() {
            // Whatever fails now is told to the next batch.
            let _ = self.spill();
        }
    }

    fn hold(&self, _artifact: &Artifact) {
        // What was put stays.
    }

    fn get(&self, checksum: Checksum) -> Option<Artifact> {
        let cached = self.0.disk.0.cache().get(checksum);
        cached.or_else(|| self.find(checksum).ok().flatten())
    }

    fn cancelled(&self) -> Option<String> {
        let number = Some(self.0.place.borrow()).filter(|place| place.cancel == Cancel::None)?.number;
        if !self.0.disk.is_asked(number).ok()? {
            return None;
        }
        let cancel = self.signals().ok()?.into_iter().find(|signal| signal.what == CANCEL)?;
        self.0.place.borrow_mut().cancel = Cancel::Told;
        Some(cancel.by)
    }

    fn recall(&self, key: &[u8; 32]) -> Option<CachedAnswer> {
        if self.0.anew.get() { None } else { self.0.disk.answer(key) }
    }

    fn remember(&self, entry: CachedAnswer) {
        self.0.waiting.borrow_mut().answers.push(entry);
    }

    fn flush(&self) -> Result<(), StoreError> {
        if self.0.place.borrow().lock.is_none() && self.row().is_some() {
            return Ok(());
        }
        self.spill()
    }

    fn begin(&self, run: RunRow) -> Result<(), StoreError> {
        let lock = Owned::new(&self.0.disk, &run.id)?;
        // Whoever begins a run of this name holds the lock, so nobody else makes it now.
        if let Some(stands) = self.0.disk.writer().stands(&run.id)? {
            return Err(StoreError::Exists(Box::new(stands.row)));
        }
        // What a run of this name left that is not there any more is not this one's to put back.
        let left = crate::kept::Kept::of(&self.0.disk.writer().folder, &run.id);
        if left.folder().exists() {
            std::fs::remove_dir_all(left.folder()).map_err(|source| super::io(left.folder(), source))?;
        }
        self.0.place.replace(Place { row: Some(run), lock: Some(lock), ..Place::default() });
        Ok(())
    }

    fn append(&self, batch: Batch) -> Appended {
        let stopped = batch.status != Status::Running;
        let request = match self.request(batch) {
            Ok(request) => request,
            Err(error) => return Appended::ready(Err(error)),
        };
        let disk = &self.0.disk;
        if disk.0.owned() <= 1 {
            let placed = disk.writer().now(&request).map(|placed| self.0.placed(placed, stopped));
            return match placed {
                Ok(()) if disk.is_through() => Appended::later(self.0.clone().followed(stopped)),
                placed => Appended::ready(placed),
            };
        }
        match disk.0.writer.later(request, disk.0.owned()) {
            Ok(answer) => {
                let waiting = Waiting { answer, view: self.0.clone(), stopped };
                match disk.is_through() {
                    false => Appended::later(waiting),
                    true => {
                        let view = self.0.clone();
                        Appended::later(async move {
                            waiting.await?;
                            view.followed(stopped).await
                        })
                    }
                }
            }
            Err(error) => Appended::ready(Err(error)),
        }
    }
}

/// A batch that the writer has been given.
struct Waiting {
    answer: oneshot::Receiver<Written>,
    view: Rc<View>,
    /// The run stops with it.
    stopped: bool,
}

impl Future for Waiting {
    type Output = Result<(), StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Poll::Ready(answer) = Pin::new(&mut self.answer).poll(context) else { return Poll::Pending };
        Poll::Ready(match answer {
            Ok((placed, _)) => placed.map(|placed| self.view.placed(placed, self.stopped)),
            // The thread is gone: what it was writing may be durable or not.
            Err(_) => Err(self.view.disk.writer().error(rusqlite::Error::QueryReturnedNoRows)),
        })
    }
}
