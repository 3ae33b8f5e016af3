//! What holds a command to its effect class: which files, which network, which variables and how many processes it has. The
//! system does the holding: `bwrap` where it works, else Landlock; inside either, a launcher that is this program itself takes
//! away what is left, then becomes the command. `docs/sandbox.md` is the table.

use super::place::Place;
use super::{Task, error};
use crate::secret;
use aivm_schema::worker::{Effect, Given, Network, Sandbox as Asked, WorkerDefinition};
use aivm_vm::action::CallError;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tokio::process::Command;

mod bound;
mod bubble;
mod egress;
mod land;
mod means;
pub mod orders;

pub use bound::Group;
pub use egress::Egress;
pub use means::{Means, Wanted};
use orders::Orders;

/// How the commands of a process are held.
#[derive(Debug, Default)]
pub struct Sandbox {
    /// By what.
    pub wanted: Wanted,
    /// May a definition ask for no sandbox?
    pub opt_out: bool,
    /// What every command is given that is not pure; of pure ones only what is read.
    pub given: Given,
    /// What no command sees, wherever its workspace is: the user's keys, the states of runs.
    pub hidden: Vec<PathBuf>,
    /// This program, which can be the launcher; none: there is no sandbox.
    pub launcher: Option<PathBuf>,
    /// What there is, once somebody asked.
    pub found: OnceLock<Result<Means, String>>,
}

/// How a command is started.
pub struct Confined {
    /// What is started.
    pub command: Command,
    /// So many processes stand between this one and the command, each the only child of the one before.
    pub frames: usize,
    /// Goes when the call is over.
    pub group: Option<Group>,
    /// Its way to the destinations that it is given, likewise.
    pub egress: Option<Egress>,
}

/// What a class may do, before anything is given.
struct Class {
    workspace: Workspace,
    network: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Workspace {
    /// An empty one of its own.
    Private,
    Read,
    Write,
}

impl Class {
    /// What is not declared counts as irreversible, here as everywhere.
    fn of(effect: Option<Effect>) -> Class {
        match effect {
            Some(Effect::Pure) => Class { workspace: Workspace::Private, network: false },
            Some(Effect::Read) => Class { workspace: Workspace::Read, network: false },
            _ => Class { workspace: Workspace::Write, network: true },
        }
    }
}

/// What one command may do: of its class, its definition and its project.
struct May<'t> {
    workspace: Workspace,
    network: Network,
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    /// What it runs in.
    place: &'t Path,
    /// What it reads around that.
    around: Option<&'t Path>,
    /// What is not seen though it lies in what is.
    hidden: Vec<PathBuf>,
    /// The call's own folder: input and verdict.
    folder: &'t Path,
}

impl May<'_> {
    /// Has it the network of this machine?
    fn has_network(&self) -> bool {
        self.network == Network::All(true)
    }
}

impl Sandbox {
    /// By what commands are held here, or why not; asked of the system once.
    pub fn means(&self) -> Result<Means, String> {
        let Some(launcher) = &self.launcher else { return Ok(Means::None) };
        self.found.get_or_init(|| means::find(self.wanted, launcher)).clone()
    }

    /// By what this worker is held; a failure where it would have to be and cannot.
    fn of(&self, name: &str, definition: &WorkerDefinition) -> Result<Means, CallError> {
        if self.launcher.is_none() || self.wanted == Wanted::None {
            return Ok(Means::None);
        }
        if matches!(definition.sandbox, Asked::None(_)) {
            return match self.opt_out {
                true => Ok(Means::None),
                false => Err(error(
                    "E0931",
                    format!(
                        "`{name}` asks for no sandbox, and neither this project nor this run allows it: `[sandbox] opt_out = true` in aivm.toml, or --sandbox opt-out"
                    ),
                )),
            };
        }
        match self.means() {
            Ok(means) => Ok(means),
            Err(_) if definition.effect.is_none() => Ok(Means::None),
            Err(reason) => Err(error("E0930", format!("nothing here can hold `{name}` to its effect: {reason}"))),
        }
    }

    /// A program as it is started for a task. Its folder is the call's own.
    pub fn confine(&self, task: &Task, argv: &[OsString], place: &Place, folder: &Path) -> Result<Confined, CallError> {
        let (name, definition) = (&task.worker.name, &task.worker.definition);
        let means = self.of(name, definition)?;
        let Some(launcher) = self.launcher.as_deref().filter(|_| means != Means::None) else {
            let (program, args) = argv.split_first().map_or((OsString::new(), &[][..]), |(p, args)| (p.clone(), args));
            let mut command = Command::new(program);
            command.args(args).current_dir(&place.path);
            return Ok(Confined { command, frames: 0, group: None, egress: None });
        };
        let may = self.may(task, place, folder);
        let refused = |reason: String| error("E0932", format!("the sandbox of `{name}` cannot be made: {reason}"));
        let bound = bound::bound(&means).map_err(refused)?;
        if matches!(may.network, Network::Only(_)) {
            let missing =
                |reason| error("E0985", format!("`{name}` cannot be held to its list of destinations: {reason}"));
            egress::is_held_by(&means).map_err(missing)?;
        }
        let egress = Egress::of(&may).map_err(refused)?;
        let inside = egress.is_some().then(|| bubble::EGRESS.into());
        let orders = Orders { network: may.has_network(), egress: inside, ..bound.orders };
        let confined = match &means {
            Means::Bubble { program, tmpfs_size } => {
                let args = bubble::args(&may, launcher, egress.as_ref(), *tmpfs_size, orders.pid_max.is_some());
                let inside = orders.launch(Path::new(bubble::LAUNCHER));
                // A process group of the system's is joined before anything is started in it.
                let mut command = match orders.joining(bound.group.as_ref().map(Group::tasks)) {
                    Some(join) => {
                        let mut words = join.launch(launcher).into_iter();
                        let mut command = Command::new(words.next().unwrap_or_default());
                        command.args(words).arg(program);
                        command
                    }
                    None => Command::new(program),
                };
                command.args(args).arg("--").args(inside).args(argv);
                Confined { command, frames: 1, group: bound.group, egress }
            }
            Means::Land => {
                let files = land::files(&may).map_err(|reason| error("E0933", format!("`{name}`: {reason}")))?;
                let join = bound.group.as_ref().map(Group::tasks);
                let fixed = may.workspace != Workspace::Write;
                let orders = Orders { files: Some(files), join, supervise: true, fixed, ..orders };
                let mut words = orders.launch(launcher).into_iter();
                let mut command = Command::new(words.next().unwrap_or_default());
                command.args(words).args(argv);
                Confined { command, frames: 1, group: bound.group, egress }
            }
            Means::None => return Err(refused("there is none".into())),
        };
        let mut confined = confined;
        self.environment(&mut confined.command, definition, &means, folder);
        if let (Means::Land, Workspace::Private) = (&means, may.workspace) {
            confined.command.current_dir(folder.join(land::WORK));
        } else if means == Means::Land {
            confined.command.current_dir(&place.path);
        }
        Ok(confined)
    }

    /// How many files its sandbox holds open in this process.
    pub fn files(&self, definition: &WorkerDefinition) -> u64 {
        match self.network(definition) {
            Network::Only(_) => egress::FILES,
            Network::All(_) => 0,
        }
    }

    /// What of the network a worker has: what its definition says, before what the project says, before its class.
    fn network(&self, definition: &WorkerDefinition) -> Network {
        let class = Class::of(definition.effect);
        let own = match &definition.sandbox {
            Asked::Given(given) => given.network.as_ref(),
            Asked::None(_) => None,
        };
        match class.workspace {
            Workspace::Private => Network::All(false),
            _ => own.or(self.given.network.as_ref()).cloned().unwrap_or(Network::All(class.network)),
        }
    }

    fn may<'t>(&self, task: &'t Task, place: &'t Place, folder: &'t Path) -> May<'t> {
        let definition = &task.worker.definition;
        let class = Class::of(definition.effect);
        let none = Given::default();
        let own = match &definition.sandbox {
            Asked::Given(given) => given,
            Asked::None(_) => &none,
        };
        let paths = |own: &[String], all: &[String]| own.iter().chain(all).map(|path| home(path)).collect::<Vec<_>>();
        let write = match class.workspace {
            Workspace::Write => paths(&own.write, &self.given.write),
            _ => Vec::new(),
        };
        let store = task.around.kept.store();
        let mut hidden = self.hidden.clone();
        hidden.extend(Some(store).filter(|store| !store.as_os_str().is_empty()));
        hidden.push(task.around.workspace.join(".aivm"));
        hidden.retain(|path| path.is_dir());
        hidden = hidden.into_iter().filter_map(|path| path.canonicalize().ok()).collect();
        hidden.sort();
        hidden.dedup();
        let network = self.network(definition);
        let read = paths(&own.read, &self.given.read);
        let (place, around) = (place.path.as_path(), place.around.as_deref());
        May { workspace: class.workspace, network, read, write, place, around, hidden, folder }
    }

    /// A small one of its own, and what was named.
    fn environment(&self, command: &mut Command, definition: &WorkerDefinition, means: &Means, folder: &Path) {
        const FIXED: [&str; 2] = ["PATH", "LANG"];
        const MORE: [&str; 6] = ["TERM", "TZ", "LC_ALL", "LC_CTYPE", "NO_COLOR", "USER"];
        let own = match &definition.sandbox {
            Asked::Given(given) => given.env.as_slice(),
            Asked::None(_) => &[],
        };
        command.env_clear();
        let pure = definition.effect == Some(Effect::Pure);
        let more = MORE.into_iter().chain(self.given.env.iter().chain(own).map(String::as_str)).filter(|_| !pure);
        for name in FIXED.into_iter().chain(more) {
            if let Some(value) = secret::variable(name) {
                command.env(name, value);
            }
        }
        let home = match means {
            Means::Land => folder.join(land::HOME),
            _ => PathBuf::from("/tmp"),
        };
        command.env("HOME", &home).env("TMPDIR", &home);
    }
}

/// `~` is the user's home.
fn home(path: &str) -> PathBuf {
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    match path.strip_prefix('~') {
        Some(rest) => home().map_or(path.into(), |home| home.join(rest.trim_start_matches('/'))),
        None => path.into(),
    }
}

/// What of the system every command reads: programs and what they need; nothing of anybody's.
const SYSTEM: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt", "/nix/store"];
/// Of `/etc` only this: keys, passwords and tokens are beside it.
const SETTINGS: [&str; 30] = [
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/debian_version",
    "/etc/fonts",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/java",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/perl",
    "/etc/pki/ca-trust/extracted",
    "/etc/pki/tls/certs",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/terminfo",
    "/etc/timezone",
    "/etc/xml",
];
