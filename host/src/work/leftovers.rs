//! What is left of a run's commands: processes that outlived the one that started them, because that was killed, or because
//! they left its process group. They are known by the run's name in their environment.

use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;

/// Processes that start others meanwhile are looked for so often.
const ROUNDS: usize = 20;
/// How long a killed process may take to go, each round.
const PAUSE: Duration = Duration::from_millis(5);

/// Kills them, and returns how many there were. Only where `/proc` tells environments; elsewhere none are found.
pub fn stop(run: &str) -> usize {
    let mark = format!("AIVM_STEP_RUN={run}");
    let mut killed = 0;
    for _ in 0..ROUNDS {
        let left = of(mark.as_bytes());
        if left.is_empty() {
            break;
        }
        killed = killed.max(left.len());
        for process in left {
            let _ = kill_process(process, Signal::KILL);
        }
        std::thread::sleep(PAUSE);
    }
    killed
}

/// The processes with this in their environment, but for this one. One that has ended has no environment any more.
fn of(mark: &[u8]) -> Vec<Pid> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let own = std::process::id() as i32;
    let marked = |entry: std::fs::DirEntry| {
        let id: i32 = entry.file_name().to_str()?.parse().ok().filter(|id| *id != own)?;
        let environment = std::fs::read(entry.path().join("environ")).ok()?;
        let is_marked = environment.split(|byte| *byte == 0).any(|variable| variable == mark);
        Pid::from_raw(id).filter(|_| is_marked)
    };
    processes.flatten().filter_map(marked).collect()
}
