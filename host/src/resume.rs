//! Runs that go on: one that is this process's, and all that wait in a store, found by its index and carried on in groups, so that
//! however many wait, few are in memory.

use crate::driver::{self, DriverError, Options, Report};
use crate::kept::Kept as Folders;
use crate::mint::Mint;
use crate::recovery::{self, From, Recovered, RecoveryError};
use crate::store::disk::{Disk, Kept};
use crate::store::{RunRow, StoreError};
use crate::trace::Nobody;
use crate::work::leftovers;
use aivm_vm::{Run, VerifiedModule};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinSet, LocalSet};

/// So many runs are taken over, read and carried on together.
const AT_ONCE: usize = 128;
/// When a group takes longer, the next begins as soon as half of the places are free.
const PATIENCE: Duration = Duration::from_millis(200);

/// Why a run does not go on.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// It does not come back.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// It was carried on, up to here.
    #[error(transparent)]
    Driver(#[from] DriverError),
}

/// Whoever goes on with all runs of a store.
pub trait Resumer {
    /// Does this run go on? It is nobody's yet.
    fn wants(&mut self, _row: &RunRow) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// How it goes on, after it was told something more.
    fn how(&mut self, recovered: &mut Recovered) -> Options;

    /// What came of it, and of which program when it came back. `false`: no other run is begun.
    fn came(&mut self, row: &RunRow, came: Result<(Report, VerifiedModule), ResumeError>) -> bool;
}

/// Reads a run that is this process's: from now on it goes on. One that is damaged is set aside.
pub fn read(kept: &Kept, from: From, mint: &Mint) -> Result<Recovered, RecoveryError> {
    take_up(kept, from, mint, |_| {})
}

/// The same of one that is held: no call is begun before it is let go.
pub fn hold(kept: &Kept, mint: &Mint) -> Result<Recovered, RecoveryError> {
    take_up(kept, From::Checkpoint, mint, Run::hold)
}

fn take_up(kept: &Kept, from: From, mint: &Mint, prepare: fn(&mut Run)) -> Result<Recovered, RecoveryError> {
    let run = kept.row().map(|row| row.id.clone()).unwrap_or_default();
    let mut recovered = recovery::recover(kept, from).inspect_err(|error| {
        // What is wrong is said now, whether it can be written down or not.
        error.damage().map(|reason| kept.disk().quarantine(&run, Some(&reason)).ok());
    })?;
    // Commands may have outlived the process that was killed: they do not go on beside what comes now.
    let asked: Vec<_> = recovered.run.questions().into_iter().map(|question| question.call.request).collect();
    let called = recovered.run.under_way().filter(|call| !asked.contains(&call.request));
    let steps: Vec<String> = called.map(|call| call.key.to_string()).collect();
    leftovers::stop(&Folders::store_of(kept.disk().folder()), &run, &steps);
    Folders::of(kept.disk().folder(), &run).clear_steps();
    prepare(&mut recovered.run);
    recovered.run.resume(mint.now()).map_err(|source| RecoveryError::Replay { run, source })?;
    Ok(recovered)
}

/// Goes on with all runs that stand so (`running` or `parked`), the oldest first.
pub async fn all(disk: &Disk, status: &str, mint: &Arc<Mint>, resumer: &mut dyn Resumer) -> Result<(), StoreError> {
    LocalSet::new().run_until(groups(disk, status, mint, resumer)).await
}

type Came = (RunRow, Result<(Report, VerifiedModule), ResumeError>);

async fn groups(disk: &Disk, status: &str, mint: &Arc<Mint>, resumer: &mut dyn Resumer) -> Result<(), StoreError> {
    let mut under_way: JoinSet<Came> = JoinSet::new();
    let (mut after, mut going) = (String::new(), true);
    while going {
        let mut rows = disk.waiting(status, &after, AT_ONCE.saturating_sub(under_way.len()))?;
        let Some(last) = rows.last() else { break };
        after.clone_from(&last.id);
        let mut wanted = Vec::new();
        for row in rows.drain(..) {
            if resumer.wants(&row)? {
                wanted.push(row);
            }
        }
        let group = take(disk, wanted, mint, resumer, &mut going)?;
        for (row, kept, Recovered { run, history, module, .. }, options) in group {
            let mint = mint.clone();
            under_way.spawn_local(async move {
                let driven = driver::drive(run, history, options, Rc::new(kept), mint, &mut Nobody).await;
                (row, driven.map(|report| (report, module)).map_err(ResumeError::from))
            });
        }
        // One that takes long does not hold up the others.
        let patience = tokio::time::sleep(PATIENCE);
        tokio::pin!(patience);
        while !under_way.is_empty() && !patience.is_elapsed() {
            tokio::select! {
                biased;
                Some(came) = under_way.join_next() => going &= tell(came, resumer),
                () = &mut patience => {}
            }
        }
        while under_way.len() > AT_ONCE / 2
            && let Some(came) = under_way.join_next().await
        {
            going &= tell(came, resumer);
        }
    }
    while let Some(came) = under_way.join_next().await {
        tell(came, resumer);
    }
    Ok(())
}

/// Takes runs over and reads them. All are read before one goes on: whoever reads waits for whoever writes.
fn take(
    disk: &Disk,
    wanted: Vec<RunRow>,
    mint: &Mint,
    resumer: &mut dyn Resumer,
    going: &mut bool,
) -> Result<Vec<(RunRow, Kept, Recovered, Options)>, StoreError> {
    let ids: Vec<&str> = wanted.iter().map(|row| row.id.as_str()).collect();
    let claimed = if ids.is_empty() { Vec::new() } else { disk.claim_all(&ids)? };
    let mut group = Vec::with_capacity(claimed.len());
    for (row, kept) in wanted.into_iter().zip(claimed) {
        let read = match kept {
            // Another process was quicker.
            Err(StoreError::Owned(_) | StoreError::Fenced(_)) => continue,
            Ok(kept) if kept.row().is_none_or(|now| now.status != row.status) => continue,
            Err(error) => Err(RecoveryError::from(error)),
            Ok(kept) => read(&kept, From::Checkpoint, mint).map(|recovered| (kept, recovered)),
        };
        match read {
            Ok((kept, mut recovered)) => {
                let options = resumer.how(&mut recovered);
                group.push((row, kept, recovered, options));
            }
            Err(error) => *going &= resumer.came(&row, Err(error.into())),
        }
    }
    Ok(group)
}

fn tell(came: Result<Came, tokio::task::JoinError>, resumer: &mut dyn Resumer) -> bool {
    match came {
        Ok((row, came)) => resumer.came(&row, came),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => true,
        },
    }
}
