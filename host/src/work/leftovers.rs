//! What is left of commands that were under way: processes that outlived the one that started them, because that was killed,
//! or because they left its process group. They are known by their environment. What a step left running that came to its
//! end, such as a service that it starts, is left alone.

use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// Processes that start others meanwhile are looked for so often.
const ROUNDS: usize = 20;
/// How long a killed process may take to go, each round.
const PAUSE: Duration = Duration::from_millis(5);

/// Kills those of these steps of a run of a store, and returns how many there were. Only where `/proc` tells environments;
/// elsewhere none are found.
pub fn stop(store: &Path, run: &str, steps: &[String]) -> usize {
    if steps.is_empty() {
        return 0;
    }
    let run = [mark("AIVM_STEP_STORE", store.as_os_str()), mark("AIVM_STEP_RUN", run.as_ref())];
    let steps: Vec<Vec<u8>> = steps.iter().map(|key| mark("AIVM_STEP", key.as_ref())).collect();
    let mut killed = 0;
    for _ in 0..ROUNDS {
        let left = of(&run, &steps);
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

/// A variable as `/proc` tells it.
fn mark(name: &str, value: &OsStr) -> Vec<u8> {
    [name.as_bytes(), b"=", value.as_bytes()].concat()
}

/// The processes with the run and one of the steps in their environment, but for this one. One that has ended has no environment any more.
fn of(run: &[Vec<u8>], steps: &[Vec<u8>]) -> Vec<Pid> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let own = std::process::id() as i32;
    let marked = |entry: std::fs::DirEntry| {
        let id: i32 = entry.file_name().to_str()?.parse().ok().filter(|id| *id != own)?;
        let environment = std::fs::read(entry.path().join("environ")).ok()?;
        let has = |mark: &Vec<u8>| environment.split(|byte| *byte == 0).any(|variable| variable == mark);
        Pid::from_raw(id).filter(|_| run.iter().all(has) && steps.iter().any(has))
    };
    processes.flatten().filter_map(marked).collect()
}
