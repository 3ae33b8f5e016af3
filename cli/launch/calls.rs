//! The calls of the system that no command has use for, and that ways out were built of.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition as If, SeccompFilter,
    SeccompRule, sock_filter,
};
use std::collections::BTreeMap;

/// Never, with whatever arguments.
const NEVER: &[i64] = &[
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    // The kernel.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_personality,
    libc::SYS_fanotify_init,
    // Keys that are the user's, not the process's.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // Other views of the files.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_unshare,
    libc::SYS_setns,
];
#[cfg(target_arch = "x86_64")]
const NEVER_HERE: &[i64] = &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_kexec_file_load];
#[cfg(not(target_arch = "x86_64"))]
const NEVER_HERE: &[i64] = &[];

/// As if the kernel had none: who asks has another way that can be looked at.
const UNKNOWN: &[i64] =
    &[libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

/// Types what the terminal's user did not; the second, of the console.
const TYPING: [u64; 2] = [libc::TIOCSTI, libc::TIOCLINUX];

/// Modes, owners, times and attributes of files, by name or by a file that is open.
const MODES: &[i64] = &[
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    SETXATTRAT,
    SETXATTRAT + 3,
];
/// Newer than the table of names; the one after the next two removes.
const SETXATTRAT: i64 = 463;
#[cfg(target_arch = "x86_64")]
const MODES_HERE: &[i64] =
    &[libc::SYS_chmod, libc::SYS_chown, libc::SYS_lchown, libc::SYS_utime, libc::SYS_utimes, libc::SYS_futimesat];
#[cfg(not(target_arch = "x86_64"))]
const MODES_HERE: &[i64] = &[];

/// Of another process, whose number is the first argument.
const OF_THE_FIRST: &[i64] = &[
    libc::SYS_prlimit64,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
];
/// The same, by the second.
const OF_THE_SECOND: &[i64] = &[libc::SYS_setpriority, libc::SYS_ioprio_set];

/// What is left.
pub struct Left {
    /// There is an internet, be it an empty one.
    pub internet: bool,
    /// There are sockets of this machine, and they can only be its own.
    pub local: bool,
    /// Modes of files can be changed.
    pub modes: bool,
    /// Whatever process it can name is its own.
    pub alone: bool,
}

/// From here on this process and all that it starts are without them.
pub fn filter(left: &Left) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("the filter of its calls: {error}");
    let arch = std::env::consts::ARCH.try_into().map_err(|e: seccompiler::BackendError| failed(&e))?;
    let rules = || -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::BackendError> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
            NEVER.iter().chain(NEVER_HERE).map(|call| (*call, Vec::new())).collect();
        let flags = [
            libc::CLONE_NEWUSER,
            libc::CLONE_NEWNS,
            libc::CLONE_NEWPID,
            libc::CLONE_NEWNET,
            libc::CLONE_NEWIPC,
            libc::CLONE_NEWUTS,
            libc::CLONE_NEWCGROUP,
        ];
        let any =
            |flag: &i32| SeccompRule::new(vec![If::new(0, Len::Dword, Op::MaskedEq(*flag as u64), *flag as u64)?]);
        rules.insert(libc::SYS_clone, flags.iter().map(any).collect::<Result<_, _>>()?);
        let typing = |what: &u64| SeccompRule::new(vec![If::new(1, Len::Dword, Op::Eq, *what)?]);
        rules.insert(libc::SYS_ioctl, TYPING.iter().map(typing).collect::<Result<_, _>>()?);
        if !left.modes {
            rules.extend(MODES.iter().chain(MODES_HERE).map(|call| (*call, Vec::new())));
            // The times of a file that is open and has no name here are its own: whoever made it sets them.
            let named = SeccompRule::new(vec![If::new(1, Len::Qword, Op::Ne, 0)?])?;
            rules.insert(libc::SYS_utimensat, vec![named]);
        }
        if !left.alone {
            for (calls, argument) in [(OF_THE_FIRST, 0), (OF_THE_SECOND, 1)] {
                let another = || SeccompRule::new(vec![If::new(argument, Len::Dword, Op::Ne, 0)?]);
                for call in calls {
                    rules.insert(*call, vec![another()?]);
                }
            }
        }
        let mut kinds = Vec::new();
        if left.internet {
            kinds.extend([libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK]);
        }
        if left.local {
            kinds.push(libc::AF_UNIX);
        }
        // Every other kind: of the machine that this one is a guest of, of its radio, of its packets.
        let others =
            kinds.iter().map(|kind| If::new(0, Len::Dword, Op::Ne, *kind as u64)).collect::<Result<Vec<_>, _>>()?;
        let others = if others.is_empty() { Vec::new() } else { vec![SeccompRule::new(others)?] };
        rules.insert(libc::SYS_socket, others);
        Ok(rules)
    };
    let refuse = |rules, error: i32| -> Result<BpfProgram, seccompiler::BackendError> {
        SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(error as u32), arch)?.try_into()
    };
    let never = rules().and_then(|rules| refuse(rules, libc::EPERM)).map_err(|error| failed(&error))?;
    let unknown = UNKNOWN.iter().map(|call| (*call, Vec::new())).collect();
    let unknown = refuse(unknown, libc::ENOSYS).map_err(|error| failed(&error))?;
    for program in [OTHER_NUMBERS.to_vec(), unknown, never] {
        seccompiler::apply_filter(&program).map_err(|error| failed(&error))?;
    }
    Ok(())
}

/// Calls by the numbers of the x32 machine, which are others for the same: there are none.
const OTHER_NUMBERS: &[sock_filter] = &[
    // The call's number.
    sock_filter { code: 0x20, jt: 0, jf: 0, k: 0 },
    // Of x32?
    sock_filter { code: 0x35, jt: 0, jf: 1, k: 0x4000_0000 },
    sock_filter { code: 0x06, jt: 0, jf: 0, k: 0x0005_0000 | libc::ENOSYS as u32 },
    sock_filter { code: 0x06, jt: 0, jf: 0, k: 0x7fff_0000 },
];
