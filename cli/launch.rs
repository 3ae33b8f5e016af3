//! The launcher of commands in a sandbox: `aivm __sandbox ORDERS PROGRAM ARGS…`. It takes from itself what its orders do not leave it,
//! and becomes the program. What cannot be taken away is an end: nothing runs that is held by less than was asked.

use aivm_host::work::sandbox::orders::{self, Files, Orders};
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, Scope,
    path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, Signal};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

mod calls;
mod egress;

/// When this process was started to be the launcher: with what it ends, which it does only where it could not become another.
pub fn launch() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    if words.next()? != orders::COMMAND {
        return None;
    }
    let (order, argv) = (words.next().unwrap_or_default(), words.collect::<Vec<_>>());
    match obey(&order, &argv) {
        Ok(code) => Some(code),
        Err(reason) => {
            eprintln!("{}{reason}", orders::SAYS);
            Some(ExitCode::from(orders::CANNOT))
        }
    }
}

fn obey(order: &OsString, argv: &[OsString]) -> Result<ExitCode, String> {
    let order: Orders =
        serde_json::from_str(&order.to_string_lossy()).map_err(|error| format!("no orders: {error}"))?;
    if let Some(file) = &order.join {
        std::fs::write(file, "0").map_err(|error| format!("{}: {error}", file.display()))?;
    }
    if order.join_only {
        return become_the(argv, None);
    }
    if order.supervise {
        return supervise(Orders { join: None, supervise: false, ..order }, argv);
    }
    close_files()?;
    let proxy = order.egress.as_deref().map(egress::hand_over).transpose()?;
    if let Some(most) = order.pid_max {
        bound_namespace(most)?;
    }
    limits(&order)?;
    powers()?;
    let (scoped, apart) = match &order.files {
        Some(files) => land(files, order.network).map(|()| (true, true))?,
        None => {
            let scoped = scope();
            (scoped, scoped || stand_apart())
        }
    };
    calls::filter(&calls::Left {
        internet: order.network || order.files.is_none(),
        // A socket of this machine leads to its services, by a file or without: who has no network has none. Those without a file are
        // the network's; where they cannot be cut off, there are none either.
        local: order.network && scoped && order.files.is_none(),
        // The program of process 1 is a file outside, and would be changed by whoever can follow the way to it.
        modes: !order.fixed && apart,
        alone: order.files.is_none(),
    })?;
    if argv.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    become_the(argv, proxy)
}

/// This process is the program from here on. Programs find their proxy in variables.
fn become_the(argv: &[OsString], proxy: Option<SocketAddr>) -> Result<ExitCode, String> {
    let (program, args) = argv.split_first().ok_or("no program")?;
    let error = Command::new(program).args(args).envs(proxy.iter().flat_map(egress::variables)).exec();
    let said = orders::NO_PROGRAM.trim_start_matches(orders::SAYS);
    Err(format!("{said}`{}`: {error}", program.to_string_lossy()))
}

/// Another process of this program obeys; what is left when it has ended, ends too.
fn supervise(order: Orders, argv: &[OsString]) -> Result<ExitCode, String> {
    use std::os::unix::process::ExitStatusExt;
    let failed = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(|e| failed("subreaper", &e))?;
    dies_with_parent()?;
    let mut words = order.launch(Path::new("/proc/self/exe")).into_iter();
    let mut command = Command::new(words.next().unwrap_or_default());
    let mut child = command.args(words).args(argv).spawn().map_err(|e| failed("the launcher", &e))?;
    let status = child.wait().map_err(|e| failed("wait", &e))?;
    end_children();
    if let Some(signal) = status.signal().and_then(Signal::from_named_raw) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
    }
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(orders::CANNOT)))
}

/// Kills all that this process's child left behind, which are its own children now, and theirs as they come.
fn end_children() {
    use rustix::process::{WaitOptions, wait};
    loop {
        for child in children() {
            let _ = rustix::process::kill_process(child, Signal::KILL);
        }
        match wait(WaitOptions::empty()) {
            Ok(_) => {}
            Err(error) if error == rustix::io::Errno::INTR => {}
            Err(_) => return,
        }
    }
}

/// Those of this process; it has one thread.
fn children() -> Vec<rustix::process::Pid> {
    let own = rustix::process::getpid().as_raw_nonzero();
    let Ok(text) = std::fs::read_to_string(format!("/proc/self/task/{own}/children")) else { return Vec::new() };
    text.split_whitespace().filter_map(|id| rustix::process::Pid::from_raw(id.parse().ok()?)).collect()
}

fn dies_with_parent() -> Result<(), String> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| error.to_string())
}

/// What whoever started this program had open is nothing to a command.
fn close_files() -> Result<(), String> {
    let open = std::fs::read_dir("/proc/self/fd").map_err(|error| format!("/proc/self/fd: {error}"))?;
    let open: Vec<i32> = open.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for file in open.into_iter().filter(|file| *file > 2) {
        // The folder that was read is closed already.
        let _ = nix::unistd::close(file);
    }
    Ok(())
}

/// Written into the namespace's own `/proc`, into which nothing is written any more after that.
fn bound_namespace(most: u32) -> Result<(), String> {
    use nix::mount::{MsFlags, mount};
    let (none, flags) = (None::<&str>, MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC);
    let sealed = flags | MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    std::fs::write("/proc/sys/kernel/pid_max", most.to_string())
        .map_err(|error| error.to_string())
        .and_then(|()| mount(none, "/proc", none, sealed, none).map_err(|error| error.to_string()))
        .map_err(|reason| format!("its processes cannot be bounded: {reason}"))
}

fn limits(order: &Orders) -> Result<(), String> {
    let set = |what, most: u64| {
        let most = rustix::process::getrlimit(what).maximum.map_or(most, |own| own.min(most));
        rustix::process::setrlimit(what, Rlimit { current: Some(most), maximum: Some(most) })
            .map_err(|error| format!("{what:?}: {error}"))
    };
    set(Resource::Core, 0)?;
    set(Resource::Fsize, orders::FILE)?;
    set(Resource::Data, orders::MEMORY)?;
    set(Resource::Nofile, orders::FILES)?;
    order.processes.map_or(Ok(()), |most| set(Resource::Nproc, most))
}

/// No capability, and none to be had by running something.
fn powers() -> Result<(), String> {
    use rustix::thread::{CapabilitySet, CapabilitySets};
    let failed = |error: rustix::io::Errno| format!("its powers: {error}");
    let _ = rustix::thread::clear_ambient_capability_set();
    for one in CapabilitySet::all().iter() {
        // Fails for those that are not in it, and for everybody who has none: then there are none to come.
        let _ = rustix::thread::remove_capability_from_bounding_set(one);
    }
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        .map_err(failed)?;
    rustix::thread::set_no_new_privs(true).map_err(failed)
}

/// All of Landlock that there is need of: files, TCP, and what lies outside of this process's own.
fn land(files: &Files, network: bool) -> Result<(), String> {
    const NEEDED: ABI = ABI::V6;
    let all = AccessFs::from_all(NEEDED);
    let rules = || {
        let mut rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(all)?;
        if !network {
            rules = rules.handle_access(AccessNet::from_all(NEEDED))?;
        }
        rules
            .scope(Scope::from_all(NEEDED))?
            .create()?
            .add_rules(path_beneath_rules(&files.read, AccessFs::from_read(NEEDED)))?
            .add_rules(path_beneath_rules(&files.write, all))?
            .add_rules(path_beneath_rules(&files.list, AccessFs::ReadDir))?
            .restrict_self()
    };
    let done = rules().map_err(|error| format!("this kernel's Landlock cannot do it (Linux 6.12 can): {error}"))?;
    match done.ruleset {
        landlock::RulesetStatus::FullyEnforced => Ok(()),
        other => Err(format!("Landlock: {other:?}")),
    }
}

/// What is outside of this process's own is not looked into: not even by `/proc`, whose ways through another process lead out of this
/// view of the files. Any domain of Landlock does that, here one that only refuses to make what nobody may make anyway; false:
/// there is no Landlock.
fn stand_apart() -> bool {
    let rules = || {
        Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::MakeBlock)?
            .create()?
            .restrict_self()
    };
    rules().is_ok()
}

/// Nothing outside of this process's own is signalled, nor spoken to by a socket without a file; false: it cannot be done.
fn scope() -> bool {
    let rules = || {
        Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .scope(Scope::from_all(ABI::V6))?
            .create()?
            .restrict_self()
    };
    rules().is_ok()
}
