//! What asks a run to stop: signals (an interrupt, a terminal that has gone, a machine that goes down), or whoever it runs for.

use std::sync::OnceLock;
use std::task::{Context, Poll};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;

/// Listens until it is dropped; the process is not ended by these signals any more.
pub struct Signals {
    of_system: Vec<Signal>,
    of_caller: Option<UnboundedReceiver<String>>,
}

/// What a run is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// By a signal: to stop, and the second time to stop at once.
    Interrupt,
    /// By whoever it runs for, who has this name: to stop.
    Cancel(String),
}

impl Signals {
    /// None ever comes.
    pub fn none() -> Signals {
        Signals { of_system: Vec::new(), of_caller: None }
    }

    /// Must be called within a tokio runtime. What cannot be listened to ends the process, as it always did.
    pub fn listen() -> Signals {
        let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
        if !hangups_are_ignored() {
            kinds.push(SignalKind::hangup());
        }
        Signals { of_system: kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect(), of_caller: None }
    }

    /// The same, and each name that comes here is one who wants the run to be cancelled.
    pub fn and_caller(self, caller: UnboundedReceiver<String>) -> Signals {
        Signals { of_caller: Some(caller), ..self }
    }

    /// Has something come? Registers the task to be woken by the next.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Asked> {
        let come = |signal: &mut Signal| signal.poll_recv(context) == Poll::Ready(Some(()));
        // All are asked, so that each wakes the task.
        if self.of_system.iter_mut().map(come).fold(false, |any, come| any | come) {
            return Poll::Ready(Asked::Interrupt);
        }
        match self.of_caller.as_mut().map(|caller| caller.poll_recv(context)) {
            Some(Poll::Ready(Some(by))) => return Poll::Ready(Asked::Cancel(by)),
            // Nobody is left who could ask.
            Some(Poll::Ready(None)) => self.of_caller = None,
            Some(Poll::Pending) | None => {}
        }
        Poll::Pending
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
