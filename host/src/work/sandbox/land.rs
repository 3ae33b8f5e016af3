//! Which files Landlock leaves a command. Its rules hold for all that is beneath a folder, and only ever add: what is hidden
//! must not lie beneath what is written.

use super::orders::Files;
use super::{May, SETTINGS, SYSTEM, Workspace};
use std::path::{Path, PathBuf};

/// The private workspace, in the call's own folder.
pub const WORK: &str = "work";
/// Its home and its temporary files, likewise.
pub const HOME: &str = "home";
/// Of `/proc` what says nothing of other processes.
const PROC: [&str; 9] = [
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/uptime",
    "/proc/version",
    "/proc/sys/vm/overcommit_memory",
];
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// The files that it may read and write.
pub fn files(may: &May<'_>) -> Result<Files, String> {
    for name in [WORK, HOME] {
        std::fs::create_dir(may.folder.join(name)).map_err(|error| format!("{name}: {error}"))?;
    }
    let mut files = Files::default();
    files.read.extend(SYSTEM.iter().chain(&SETTINGS).chain(&PROC).map(PathBuf::from));
    files.write.extend(DEVICES.iter().map(PathBuf::from));
    files.write.push(may.folder.to_owned());
    for path in &may.read {
        readable(&mut files, path, &may.hidden);
    }
    if let Some(around) = may.around {
        readable(&mut files, around, &may.hidden);
    }
    match may.workspace {
        Workspace::Private => {}
        // A copy is in the call's own folder.
        _ if may.place.starts_with(may.folder) => {}
        Workspace::Read => readable(&mut files, may.place, &may.hidden),
        Workspace::Write => files.write.push(writable(may.place, &may.hidden)?),
    }
    for path in &may.write {
        files.write.push(writable(path, &may.hidden)?);
    }
    Ok(files)
}

/// A folder with something hidden in it is given entry by entry.
fn readable(files: &mut Files, path: &Path, hidden: &[PathBuf]) {
    let Ok(path) = path.canonicalize() else { return };
    if hidden.iter().any(|hidden| path.starts_with(hidden)) {
        return;
    }
    if !hidden.iter().any(|hidden| hidden.starts_with(&path)) {
        files.read.push(path);
        return;
    }
    let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
    for entry in entries {
        // What a link leads to is not of this folder.
        if !entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
            readable(files, &entry.path(), hidden);
        }
    }
    files.list.push(path);
}

fn writable(path: &Path, hidden: &[PathBuf]) -> Result<PathBuf, String> {
    let path = path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?;
    match hidden.iter().find(|hidden| hidden.starts_with(&path) || path.starts_with(hidden)) {
        None => Ok(path),
        Some(hidden) => Err(format!(
            "Landlock cannot keep {} from a command that writes in {}: install bubblewrap (`bwrap`), or keep the state elsewhere (AIVM_STATE)",
            hidden.display(),
            path.display()
        )),
    }
}
