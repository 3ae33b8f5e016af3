//! The sandbox that `bwrap` makes: a root of its own in which nothing is that was not put there.

use super::egress::Egress;
use super::orders::TEMPORARY;
use super::{May, SETTINGS, SYSTEM, Workspace};
use std::ffi::OsString;
use std::path::Path;

/// Where the launcher stands inside.
pub const LAUNCHER: &str = "/run/aivm/launcher";
/// Where the socket of its way out stands inside: a socket's name is short.
pub const EGRESS: &str = "/run/aivm/egress";
/// The private workspace.
const WORK: &str = "/work";

/// The arguments of `bwrap`, but for what it runs. Files of `/proc` that are root's own are the kernel's settings, which it needs no power
/// to write: nothing is written there, once the launcher has.
pub fn args(
    may: &May<'_>,
    launcher: &Path,
    egress: Option<&Egress>,
    tmpfs_size: bool,
    launcher_seals: bool,
) -> Vec<OsString> {
    let mut args = Args(Vec::with_capacity(200));
    // Its own processes, and all of them gone with it; its own terminal, which is none.
    args.say(&["--unshare-pid", "--unshare-ipc", "--die-with-parent", "--new-session"]);
    if !may.has_network() {
        args.say(&["--unshare-net"]);
    }
    if rustix::process::getuid().is_root() {
        // The launcher bounds the processes of the namespace, then has it no more.
        args.say(&["--cap-add", "CAP_SYS_ADMIN"]);
    }
    for path in SYSTEM.iter().chain(&SETTINGS).map(Path::new) {
        match path.symlink_metadata() {
            // A link of `/etc` may lead to where nothing is inside.
            Ok(about) if about.is_symlink() && !path.starts_with("/etc") => {
                if let Ok(to) = std::fs::read_link(path) {
                    args.two("--symlink", &to, path);
                }
            }
            Ok(_) => args.two("--ro-bind-try", &path.canonicalize().unwrap_or(path.into()), path),
            Err(_) => {}
        }
    }
    args.say(&["--proc", "/proc", "--dev", "/dev"]);
    if !launcher_seals {
        args.say(&["--remount-ro", "/proc"]);
    }
    args.tmpfs(Path::new("/tmp"), tmpfs_size);
    let mut mounts = Vec::new();
    let at = match may.workspace {
        Workspace::Private => {
            args.tmpfs(Path::new(WORK), tmpfs_size);
            Path::new(WORK)
        }
        how => {
            mounts.extend(may.around.map(|around| (around, false)));
            mounts.push((may.place, how == Workspace::Write));
            may.place
        }
    };
    mounts.extend(may.read.iter().map(|path| (path.as_path(), false)));
    mounts.extend(may.write.iter().map(|path| (path.as_path(), true)));
    for (path, write) in &mounts {
        // What is not there is not given.
        let Ok(real) = path.canonicalize() else { continue };
        args.two(if *write { "--bind" } else { "--ro-bind" }, &real, path);
        for hidden in &may.hidden {
            match hidden.strip_prefix(&real) {
                Ok(rest) if !rest.as_os_str().is_empty() => args.tmpfs(&path.join(rest), false),
                _ => {}
            }
        }
    }
    // What the project allows its commands is not theirs to say.
    let settings = may.place.join("aivm.toml");
    if may.workspace == Workspace::Write && settings.is_file() {
        args.two("--ro-bind", &settings, &settings);
    }
    args.two("--bind", may.folder, may.folder);
    args.two("--ro-bind", launcher, Path::new(LAUNCHER));
    if let Some(egress) = egress {
        args.two("--ro-bind", &egress.socket, Path::new(EGRESS));
    }
    args.say(&["--remount-ro", "/", "--chdir"]);
    args.0.push(at.into());
    args.0
}

struct Args(Vec<OsString>);

impl Args {
    fn say(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }

    fn two(&mut self, how: &str, from: &Path, to: &Path) {
        self.0.extend([how.into(), from.into(), to.into()]);
    }

    /// Bounded, where `bwrap` can.
    fn tmpfs(&mut self, path: &Path, sized: bool) {
        if sized {
            self.say(&["--size", &TEMPORARY.to_string()]);
        }
        self.0.extend(["--tmpfs".into(), path.into()]);
    }
}
