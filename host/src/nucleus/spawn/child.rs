//! What a child does between its birth and its program: system calls only, in the supervisor's
//! memory. `spawn.rs` says why.

use super::{Identity, PlannedLimit, PASSED_MAX, PID_ROOM};
use nix::{
    errno::Errno,
    libc::{self, c_char, c_int, c_long, c_void},
};
use std::{
    ffi::{CStr, CString},
    os::fd::RawFd,
    ptr,
    sync::atomic::{AtomicI32, Ordering},
};

/// Names the steps of [`child`]; the numbers travel through shared memory.
pub(super) const STEPS: [&str; 16] = [
    "",
    "signals",
    "session",
    "terminal",
    "stdio",
    "oom-score",
    "limits",
    "umask",
    "nice",
    "groups",
    "gid",
    "uid",
    "directory",
    "no-new-privileges",
    "exec",
    "descriptors",
];
pub(super) const SIGNALS: i32 = 1;
pub(super) const SESSION: i32 = 2;
pub(super) const TERMINAL: i32 = 3;
pub(super) const STDIO: i32 = 4;
pub(super) const OOM_SCORE: i32 = 5;
pub(super) const LIMITS: i32 = 6;
pub(super) const UMASK: i32 = 7;
pub(super) const NICE: i32 = 8;
pub(super) const GROUPS: i32 = 9;
pub(super) const GID: i32 = 10;
pub(super) const UID: i32 = 11;
pub(super) const DIRECTORY: i32 = 12;
pub(super) const NO_NEW_PRIVILEGES: i32 = 13;
pub(super) const EXEC: i32 = 14;
pub(super) const DESCRIPTORS: i32 = 15;

/// Where the child is among the terminal's processes.
#[derive(PartialEq)]
pub(super) enum Place {
    /// A session of its own.
    Session,
    /// A group of its own.
    Group,
    Ours,
}

/// Everything [`child`] reads, and the two numbers it writes.
pub(super) struct Plan<'a> {
    pub(super) place: Place,
    pub(super) terminal: Option<RawFd>,
    pub(super) stdio: Option<[RawFd; 3]>,
    /// At most `PASSED_MAX`; sources and targets.
    pub(super) descriptors: &'a [(RawFd, RawFd)],
    pub(super) pid_places: &'a [*mut u8],
    /// As in [`Kin`].
    pub(super) ignored: u64,
    /// Empty: as it is.
    pub(super) oom_score: &'a [u8],
    pub(super) oom_score_required: bool,
    pub(super) limits: &'a [PlannedLimit],
    pub(super) umask: Option<u32>,
    pub(super) nice: Option<i32>,
    pub(super) identity: &'a Identity,
    /// Where the supervisor was started, if it is not there any more.
    pub(super) home: Option<&'a CStr>,
    pub(super) directory: Option<&'a CStr>,
    pub(super) no_new_privileges: bool,
    pub(super) candidates: &'a [CString],
    pub(super) argv: &'a [*const c_char],
    pub(super) envp: &'a [*const c_char],
    pub(super) joins: &'a [RawFd],
    pub(super) unjoined: AtomicI32,
    pub(super) step: AtomicI32,
    pub(super) errno: AtomicI32,
}

/// The failed step; its errno is in `errno`.
type Steps = Result<(), (i32, i32)>;

/// A system call's result, or the step's end.
fn check(step: i32, result: c_long) -> Result<c_long, (i32, i32)> {
    match result {
        -1 => Err((step, Errno::last_raw())),
        _ => Ok(result),
    }
}

/// The child's life before its program. It runs in the supervisor's memory: see the top.
pub(super) extern "C" fn child(plan: *mut c_void) -> c_int {
    // SAFETY: `make` passes a Plan that outlives the child's use of this memory.
    let plan = unsafe { &*plan.cast::<Plan<'_>>() };
    // SAFETY: the child alone runs on this thread's behalf until it leaves this memory.
    if let Err((step, errno)) = unsafe { prepare(plan).and_then(|()| exec(plan)) } {
        plan.errno.store(errno, Ordering::Relaxed);
        plan.step.store(step, Ordering::Relaxed);
    }
    // SAFETY: no pointers; does not return. 127 is seen by nobody, as the supervisor reaps it.
    unsafe { libc::syscall(libc::SYS_exit_group, 127) };
    127
}

/// Files are opened before limits are set (the table of the supervisor may have more than the
/// child may), root's rights are given up last, and the folder is entered as who the child is.
///
/// # Safety
/// Only for the child of `make`.
unsafe fn prepare(plan: &Plan<'_>) -> Steps {
    default_dispositions(plan.ignored)?;
    join_limits(plan);
    join_group(plan)?;
    if let Some(stdio) = plan.stdio {
        for (fd, target) in stdio.into_iter().zip(0..) {
            // Its own place: it is there, and meant to stay.
            if fd != target {
                check(STDIO, libc::syscall(libc::SYS_dup3, fd, target, 0))?;
            }
        }
    }
    if plan.place != Place::Ours {
        // All of the supervisor's own are marked already; this is for what some library opened.
        libc::syscall(
            libc::SYS_close_range,
            3u32,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        );
    }
    pass_descriptors(plan.descriptors)?;
    for place in plan.pid_places {
        write_pid(*place);
    }
    set_oom_score(plan)?;
    for limit in plan.limits {
        let nothing = ptr::null_mut::<c_void>();
        check(
            LIMITS,
            libc::syscall(
                libc::SYS_prlimit64,
                0,
                limit.resource,
                &limit.value,
                nothing,
            ),
        )?;
    }
    if let Some(umask) = plan.umask {
        check(UMASK, libc::syscall(libc::SYS_umask, umask))?;
    }
    if let Some(nice) = plan.nice {
        check(
            NICE,
            libc::syscall(libc::SYS_setpriority, libc::PRIO_PROCESS, 0, nice),
        )?;
    }
    if let Some(home) = plan.home {
        // As the supervisor was, whoever the child is; if the folder has gone, the child stays in /.
        libc::syscall(libc::SYS_chdir, home.as_ptr());
    }
    become_user(plan.identity)?;
    if let Some(directory) = plan.directory {
        check(
            DIRECTORY,
            libc::syscall(libc::SYS_chdir, directory.as_ptr()),
        )?;
    }
    if plan.no_new_privileges {
        let call = libc::syscall(
            libc::SYS_prctl,
            libc::PR_SET_NO_NEW_PRIVS,
            1usize,
            0usize,
            0usize,
            0usize,
        );
        check(NO_NEW_PRIVILEGES, call)?;
    }
    Ok(())
}

/// First all are brought out of each other's way, then each gets its number.
unsafe fn pass_descriptors(descriptors: &[(RawFd, RawFd)]) -> Steps {
    let Some(last) = descriptors.iter().map(|(_, target)| *target).max() else {
        return Ok(());
    };
    let mut sources = [0; PASSED_MAX];
    for ((source, _), place) in descriptors.iter().zip(&mut sources) {
        let is_in_the_way = descriptors.iter().any(|(_, target)| target == source);
        *place = *source;
        if is_in_the_way {
            let command = libc::F_DUPFD_CLOEXEC;
            let call = libc::syscall(libc::SYS_fcntl, *source, command, last + 1);
            *place = check(DESCRIPTORS, call)? as RawFd;
        }
    }
    for ((_, target), source) in descriptors.iter().zip(sources) {
        check(
            DESCRIPTORS,
            libc::syscall(libc::SYS_dup3, source, *target, 0),
        )?;
    }
    Ok(())
}

/// Into room for `PID_ROOM` bytes that are all zero.
unsafe fn write_pid(place: *mut u8) {
    let mut rest = libc::syscall(libc::SYS_getpid).unsigned_abs();
    let mut digits = 1;
    while 10u64.checked_pow(digits).is_some_and(|end| rest >= end) {
        digits += 1;
    }
    for index in (0..digits.min(PID_ROOM as u32 - 1)).rev() {
        place.add(index as usize).write(b'0' + (rest % 10) as u8);
        rest /= 10;
    }
}

/// All 64: a program that finds PIPE ignored behaves differently.
unsafe fn default_dispositions(but: u64) -> Steps {
    // The kernel's struct sigaction is at most this big on every architecture; all zero is SIG_DFL.
    let default = [0u64; 8];
    for signal in 1..=64 {
        let is_kept = but & (1 << (signal - 1)) != 0;
        if signal != libc::SIGKILL && signal != libc::SIGSTOP && !is_kept {
            let nothing = ptr::null_mut::<c_void>();
            let call = libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                nothing,
                8usize,
            );
            check(SIGNALS, call)?;
        }
    }
    Ok(())
}

/// 0 stands for whoever writes it. A service without its limits is better than none.
unsafe fn join_limits(plan: &Plan<'_>) {
    for fd in plan.joins {
        let zero = b"0";
        if libc::syscall(libc::SYS_write, *fd, zero.as_ptr(), zero.len()) == -1 {
            plan.unjoined.store(Errno::last_raw(), Ordering::Relaxed);
        }
    }
}

unsafe fn join_group(plan: &Plan<'_>) -> Steps {
    match plan.place {
        Place::Ours => return Ok(()),
        Place::Session => {
            check(SESSION, libc::syscall(libc::SYS_setsid))?;
            return Ok(());
        }
        Place::Group => {}
    }
    check(SESSION, libc::syscall(libc::SYS_setpgid, 0, 0))?;
    if let Some(terminal) = plan.terminal {
        let group = libc::syscall(libc::SYS_getpid) as libc::pid_t;
        let call = libc::syscall(libc::SYS_ioctl, terminal, libc::TIOCSPGRP, &group);
        // A terminal that has gone meanwhile is no reason not to run.
        match check(TERMINAL, call) {
            Err((_, errno)) if errno != libc::ENOTTY && errno != libc::EIO => {
                return Err((TERMINAL, errno))
            }
            _ => {}
        }
    }
    Ok(())
}

/// Giving back what was inherited is done where it can be; what was configured has to be.
unsafe fn set_oom_score(plan: &Plan<'_>) -> Steps {
    if plan.oom_score.is_empty() {
        return Ok(());
    }
    let path = c"/proc/self/oom_score_adj".as_ptr();
    let flags = libc::O_WRONLY | libc::O_CLOEXEC;
    let done = check(
        OOM_SCORE,
        libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, flags, 0),
    )
    .and_then(|fd| {
        let text = plan.oom_score;
        let written = check(
            OOM_SCORE,
            libc::syscall(libc::SYS_write, fd, text.as_ptr(), text.len()),
        );
        libc::syscall(libc::SYS_close, fd);
        written
    });
    match done {
        Err(error) if plan.oom_score_required => Err(error),
        _ => Ok(()),
    }
}

unsafe fn become_user(identity: &Identity) -> Steps {
    if let Some(groups) = &identity.groups {
        match check(
            GROUPS,
            libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()),
        ) {
            Err((_, libc::EPERM)) if identity.groups_optional => {}
            result => _ = result?,
        }
    }
    if let Some(gid) = identity.gid {
        check(GID, libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
    }
    if let Some(uid) = identity.uid {
        check(UID, libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
    }
    Ok(())
}

/// Only returns if no candidate could be run. A file found but not allowed beats one not found; a
/// file in an unknown format is reported, never handed to a shell.
unsafe fn exec(plan: &Plan<'_>) -> Steps {
    let none = 0u64;
    let nothing = ptr::null_mut::<c_void>();
    // Signals that came since the child's birth take effect now: with the default dispositions
    // none of them runs code in this memory.
    let call = libc::syscall(
        libc::SYS_rt_sigprocmask,
        libc::SIG_SETMASK,
        &none,
        nothing,
        8usize,
    );
    check(SIGNALS, call)?;
    let mut errno = libc::ENOENT;
    for candidate in plan.candidates {
        libc::syscall(
            libc::SYS_execve,
            candidate.as_ptr(),
            plan.argv.as_ptr(),
            plan.envp.as_ptr(),
        );
        match Errno::last_raw() {
            libc::ENOENT | libc::ENOTDIR => {}
            libc::EACCES => errno = libc::EACCES,
            other => return Err((EXEC, other)),
        }
    }
    Err((EXEC, errno))
}
