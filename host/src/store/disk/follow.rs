//! Who follows what is written, to take it on to a bucket: is told of rows and of runs that stopped, and says how far it is.

use super::Disk;
use crate::store::StoreError;
use tokio::sync::{mpsc, oneshot, watch};

/// How far a follower is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// What is written up to this row is in the bucket.
    pub row: i64,
    /// What stands in the way of the next.
    pub trouble: Option<String>,
}

/// A run that nobody carries on now: it ended, or waits.
pub struct Stopped {
    /// Its name.
    pub run: String,
    /// Told when it is in the bucket as it stands.
    pub sealed: Option<oneshot::Sender<()>>,
}

impl Stopped {
    /// It is there, or there is nothing of it to be there.
    pub fn answer(self) {
        if let Some(sealed) = self.sealed {
            // Whoever waited may have given up.
            let _ = sealed.send(());
        }
    }
}

/// What the store tells, and what it is told.
pub(super) struct Follower {
    rows: watch::Sender<i64>,
    runs: mpsc::UnboundedSender<Stopped>,
    progress: watch::Receiver<Progress>,
    /// An outcome counts when it is in the bucket.
    through: bool,
}

/// The follower's side.
pub struct Following {
    /// The last row that was written by this process.
    pub rows: watch::Receiver<i64>,
    /// The runs that stopped.
    pub runs: mpsc::UnboundedReceiver<Stopped>,
    /// How far it is.
    pub progress: watch::Sender<Progress>,
}

impl Disk {
    /// Whoever asks first follows what is written from now on, and is behind what was before. With `through` no outcome counts before
    /// the follower has it.
    pub fn follow(&self, through: bool, row: i64) -> Option<Following> {
        let (rows, heard) = watch::channel(0);
        let (runs, stopped) = mpsc::unbounded_channel();
        let (progress, seen) = watch::channel(Progress { row, trouble: None });
        let follower = Follower { rows, runs, progress: seen, through };
        self.0.follower.set(follower).ok()?;
        Some(Following { rows: heard, runs: stopped, progress })
    }

    pub(super) fn follower(&self) -> Option<&Follower> {
        self.0.follower.get()
    }

    /// Does an outcome wait for a follower?
    pub(super) fn is_through(&self) -> bool {
        self.follower().is_some_and(|follower| follower.through)
    }

    /// A batch is durable: of this run, which stopped with it.
    pub(super) fn wrote(&self, row: i64, stopped: Option<&str>) {
        let Some(follower) = self.follower() else { return };
        follower.rows.send_if_modified(|last| {
            row > *last && {
                *last = row;
                true
            }
        });
        if let Some(run) = stopped.filter(|_| !follower.through) {
            let _ = follower.runs.send(Stopped { run: run.to_owned(), sealed: None });
        }
    }

    /// Returns when the follower has what is written up to this row, and the run, when it stopped.
    pub(super) async fn followed(self: Disk, row: i64, stopped: Option<String>) -> Result<(), StoreError> {
        let Some(follower) = self.follower() else { return Ok(()) };
        let gone = || StoreError::Bucket("E0871: whoever sends values to the bucket has ended".to_owned());
        let mut progress = follower.progress.clone();
        let there = progress.wait_for(|progress| progress.row >= row || progress.trouble.is_some());
        let there = there.await.map_err(|_| gone())?.clone();
        match there.trouble {
            Some(trouble) if there.row < row => return Err(StoreError::Bucket(trouble)),
            _ => {}
        }
        let Some(run) = stopped else { return Ok(()) };
        let (sealed, answer) = oneshot::channel();
        follower.runs.send(Stopped { run, sealed: Some(sealed) }).map_err(|_| gone())?;
        let trouble = progress.wait_for(|progress| progress.trouble.is_some());
        tokio::select! {
            biased;
            answer = answer => answer.map_err(|_| gone()),
            trouble = trouble => Err(trouble.map_or_else(|_| gone(), |progress| {
                StoreError::Bucket(progress.trouble.clone().unwrap_or_default())
            })),
        }
    }
}
