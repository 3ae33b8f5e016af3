//! How many processes a command may have. A user is bound by a limit of the system, root is not: its commands have a process
//! namespace with a bound of its own, or a control group.

use super::Means;
use super::orders::{Orders, PROCESSES};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// How a command's processes are bounded.
pub struct Bound {
    /// What the launcher does for it.
    pub orders: Orders,
    /// The control group that it is in.
    pub group: Option<Group>,
}

/// A control group, which goes when this does.
pub struct Group(PathBuf);

impl Group {
    /// Whoever is written into this file is in it.
    pub fn tasks(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }

    fn new(parent: &Path) -> std::io::Result<Group> {
        let mut bits = [0; 8];
        getrandom::fill(&mut bits).map_err(std::io::Error::other)?;
        let path = parent.join(format!("aivm-{:016x}", u64::from_le_bytes(bits)));
        std::fs::create_dir(&path)?;
        let group = Group(path);
        std::fs::write(group.0.join("pids.max"), PROCESSES.to_string())?;
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its last process may not be gone quite yet.
        for _ in 0..20 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            let left = std::fs::read_to_string(self.tasks()).unwrap_or_default();
            for id in left.lines().filter_map(|line| line.parse().ok()).filter_map(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
}

/// Since Linux 6.14 a process namespace has a bound of its own.
static NAMESPACE: LazyLock<bool> = LazyLock::new(|| {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(14))
});

/// The folder of this process's control group of processes.
fn parent() -> Option<PathBuf> {
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let mut lines = own.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        Some((parts.next()?, parts.next()?.trim_start_matches('/').to_owned()))
    });
    let first = lines.clone().find(|(kinds, _)| kinds.split(',').any(|kind| kind == "pids"));
    match first {
        Some((_, path)) => Some(Path::new("/sys/fs/cgroup/pids").join(path)),
        // One hierarchy: a group with processes has no groups beneath it with bounds, its parent may have.
        None => {
            let (_, path) = lines.find(|(kinds, _)| kinds.is_empty())?;
            let own = Path::new("/sys/fs/cgroup").join(path);
            let has = |folder: &&Path| {
                let kinds = std::fs::read_to_string(folder.join("cgroup.subtree_control")).unwrap_or_default();
                kinds.split_whitespace().any(|kind| kind == "pids")
            };
            let inside = |folder: &&Path| folder.starts_with("/sys/fs/cgroup");
            own.ancestors().take_while(inside).find(has).map(Path::to_owned)
        }
    }
}

/// What bounds the processes of a command here.
pub fn bound(means: &Means) -> Result<Bound, String> {
    if !rustix::process::getuid().is_root() {
        // A user namespace counts its own; without one, all that the user runs counts.
        let others = if *means == Means::Land { running() } else { 0 };
        let orders = Orders { processes: Some(PROCESSES + others), ..Orders::default() };
        return Ok(Bound { orders, group: None });
    }
    if matches!(means, Means::Bubble { .. }) && *NAMESPACE {
        return Ok(Bound { orders: Orders { pid_max: Some(PROCESSES as u32), ..Orders::default() }, group: None });
    }
    let none = || "the processes of root's commands can be bounded neither by a namespace (Linux 6.14) nor by a control group: run as another user";
    let parent = parent().ok_or_else(none)?;
    let group = Group::new(&parent).map_err(|error| format!("{} ({}: {error})", none(), parent.display()))?;
    Ok(Bound { orders: Orders::default(), group: Some(group) })
}

/// How many threads this user runs.
fn running() -> u64 {
    use std::os::unix::fs::MetadataExt;
    let own = rustix::process::getuid().as_raw();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let tasks = processes.filter_map(|process| process.path().join("task").metadata().ok());
    // Beside `.` and `..` there is a folder for each.
    tasks.filter(|about| about.uid() == own).map(|about| about.nlink().saturating_sub(2)).sum()
}
