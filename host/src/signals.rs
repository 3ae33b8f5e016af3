//! Signals that ask a run to stop: an interrupt, a terminal that has gone, a machine that goes down.

use std::sync::OnceLock;
use std::task::{Context, Poll};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens until it is dropped; the process is not ended by these signals any more.
pub struct Signals(Vec<Signal>);

impl Signals {
    /// None ever comes.
    pub fn none() -> Signals {
        Signals(Vec::new())
    }

    /// Must be called within a tokio runtime. What cannot be listened to ends the process, as it always did.
    pub fn listen() -> Signals {
        let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
        if !hangups_are_ignored() {
            kinds.push(SignalKind::hangup());
        }
        Signals(kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect())
    }

    /// Has one come? Registers the task to be woken by the next.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let come = |signal: &mut Signal| signal.poll_recv(context) == Poll::Ready(Some(()));
        // All are asked, so that each wakes the task.
        if self.0.iter_mut().map(come).fold(false, |any, come| any | come) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// `nohup` says so; to listen all the same would end what was meant to go on.
fn hangups_are_ignored() -> bool {
    // Nobody changes it while this process runs.
    static IGNORED: OnceLock<bool> = OnceLock::new();
    *IGNORED.get_or_init(are_hangups_ignored)
}

fn are_hangups_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    ignored & (1 << (SignalKind::hangup().as_raw_value() - 1)) != 0
}
