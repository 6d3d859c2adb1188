//! From a spec to a running program, or to the name of the step that failed.
//!
//! The child is made as vfork makes it: it borrows the supervisor's memory, on a stack of its own,
//! while this thread sleeps until its execve. Nothing is copied however big the supervisor is, and
//! a failure is reported by writing to that memory. Everything the child needs is therefore made
//! beforehand ([`Plan`]), and what it does ([`child`]) is system calls only: no allocation, no
//! lock, and none of the C library's set*id functions, which would try to change the supervisor's
//! other threads along.
//!
//! The price is that a folder or program on a file system that hangs makes the supervisor hang
//! with it for as long.

use super::{startup::Inherited, users::Identity};
use crate::protocol::{SpawnFailure, SpawnSpec};
use nix::{
    errno::Errno,
    libc::{self, c_char, c_int, c_long, c_void},
    sys::wait::{waitpid, WaitPidFlag},
    unistd::Pid,
};
use std::{
    ffi::{CStr, CString, OsString},
    fs::{self, File},
    io::Read,
    os::{
        fd::{AsRawFd, BorrowedFd, RawFd},
        unix::{
            ffi::{OsStrExt, OsStringExt},
            fs::{FileTypeExt, PermissionsExt},
        },
    },
    path::{Path, PathBuf},
    ptr,
    sync::atomic::{AtomicI32, Ordering},
};

/// Where programs are looked for if the child's environment does not say.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// About descriptors that were not passed on and about somebody else's services.
const NOT_FOR_CHILDREN: [&str; 3] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];
const NOT_FOR_SERVICES: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"];

/// Names the steps of [`child`]; the numbers travel through shared memory.
const STEPS: [&str; 16] = [
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
const SIGNALS: i32 = 1;
const SESSION: i32 = 2;
const TERMINAL: i32 = 3;
const STDIO: i32 = 4;
const OOM_SCORE: i32 = 5;
const LIMITS: i32 = 6;
const UMASK: i32 = 7;
const NICE: i32 = 8;
const GROUPS: i32 = 9;
const GID: i32 = 10;
const UID: i32 = 11;
const DIRECTORY: i32 = 12;
const NO_NEW_PRIVILEGES: i32 = 13;
const EXEC: i32 = 14;
const DESCRIPTORS: i32 = 15;

/// Descriptors that a child can be given beyond its first three.
pub const PASSED_MAX: usize = 64;

pub fn failure(step: &str, errno: Errno, message: String) -> SpawnFailure {
    let known = errno != Errno::UnknownErrno;
    SpawnFailure {
        step: step.to_owned(),
        errno: errno as i32,
        error: if known {
            format!("{errno:?}")
        } else {
            String::new()
        },
        message,
        transient: matches!(
            errno,
            Errno::EAGAIN
                | Errno::ENOMEM
                | Errno::EMFILE
                | Errno::ENFILE
                | Errno::ENOBUFS
                | Errno::EINTR
                | Errno::ETXTBSY
        ),
    }
}

/// What every child starts from: the supervisor's own environment and what it changed of itself.
pub struct Origin {
    pub inherited: Inherited,
    /// Entries `NAME=value`.
    environment: Vec<CString>,
    stack: Option<Stack>,
}

/// What the table adds to the spec.
pub struct Order<'a> {
    pub spec: &'a SpawnSpec,
    pub identity: Identity,
    /// 0, 1 and 2 of the child; `None`: the supervisor's own.
    pub stdio: Option<[RawFd; 3]>,
    /// The terminal whose foreground the child becomes.
    pub terminal: Option<RawFd>,
    /// A folder of cgroup2 to be born in.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// Lists of processes of groups (version 1) to join.
    pub joins: &'a [File],
    /// `ONEUP_ID`.
    pub marker: Option<String>,
    pub extras: &'a Extras,
    /// Of a script: it stays in our own group and session, has our whole environment as it is now,
    /// and keeps descriptors that are open to it. The words are these, not those of the spec.
    pub kin: Option<&'a Kin>,
}

/// What a script's child is, besides what its spec says.
pub struct Kin {
    pub words: Vec<Vec<u8>>,
    /// Where the program is if it is nowhere else.
    pub own: Option<PathBuf>,
    /// Signals that stay ignored, the first at bit 0.
    pub ignored: u64,
}

/// What a child gets besides what its spec says.
#[derive(Default)]
pub struct Extras {
    /// Whatever the spec says.
    pub environment: Vec<(&'static str, String)>,
    /// Variables whose value is the child's own process id, which nobody knows before.
    pub pid_variables: Vec<&'static str>,
    /// Descriptors of ours and the numbers they have in the child.
    pub descriptors: Vec<(RawFd, RawFd)>,
}

/// A process that has passed its execve.
pub struct Spawned {
    pub pid: i32,
    /// It was born into the cgroup it was to have.
    pub in_cgroup: bool,
    /// The errno of a group that it could not join; 0: it is in all of them.
    pub unjoined: i32,
}

impl Origin {
    pub fn new(inherited: Inherited) -> Origin {
        let mut environment = environment();
        environment.retain(|entry| {
            let name = variable_name(entry);
            !NOT_FOR_CHILDREN
                .iter()
                .any(|other| name == other.as_bytes())
        });
        Origin {
            inherited,
            environment,
            stack: Stack::new(),
        }
    }

    /// Makes the process.
    pub fn spawn(&mut self, order: &Order<'_>) -> Result<Spawned, SpawnFailure> {
        if self.stack.is_none() {
            self.stack = Stack::new();
        }
        if order.kin.is_some() {
            self.environment = environment();
        }
        let Some(stack) = &self.stack else {
            return Err(failure(
                "fork",
                Errno::ENOMEM,
                "no memory for a new process".to_owned(),
            ));
        };
        let program = Program::new(order, self)?;
        let limits = limits(order.spec, self.inherited.nofile)?;
        let oom_score = order
            .spec
            .oom_score_adjust
            .or(self.inherited.oom_score_adjust);
        let oom_score = oom_score.map(|score| score.to_string()).unwrap_or_default();
        if order.extras.descriptors.len() > PASSED_MAX {
            let message = format!("more than {PASSED_MAX} descriptors to pass on");
            return Err(failure("descriptors", Errno::EINVAL, message));
        }
        let joins: Vec<RawFd> = order.joins.iter().map(AsRawFd::as_raw_fd).collect();
        let plan = Plan {
            descriptors: &order.extras.descriptors,
            pid_places: &program.pid_places,
            ignored: order.kin.map_or(0, |kin| kin.ignored),
            terminal: order.terminal,
            place: match order.kin {
                Some(_) => Place::Ours,
                None if order.spec.foreground => Place::Group,
                None => Place::Session,
            },
            stdio: order.stdio,
            oom_score: oom_score.as_bytes(),
            oom_score_required: order.spec.oom_score_adjust.is_some(),
            limits: &limits,
            umask: order.spec.umask,
            nice: order.spec.nice,
            identity: &order.identity,
            home: self.inherited.directory.as_deref(),
            directory: program.directory.as_deref(),
            no_new_privileges: order.spec.no_new_privileges,
            candidates: &program.candidates,
            argv: &program.argv.pointers,
            envp: &program.envp.pointers,
            joins: &joins,
            unjoined: AtomicI32::new(0),
            step: AtomicI32::new(0),
            errno: AtomicI32::new(0),
        };
        let mut spawned = make(&plan, stack, order).map_err(explain_fork)?;
        spawned.unjoined = plan.unjoined.load(Ordering::Relaxed);
        let step = plan.step.load(Ordering::Relaxed);
        if step == 0 {
            return Ok(spawned);
        }
        let errno = Errno::from_raw(plan.errno.load(Ordering::Relaxed));
        // It has said why and ended: nobody else may see this child.
        while waitpid(Pid::from_raw(spawned.pid), Some(WaitPidFlag::__WALL)) == Err(Errno::EINTR) {}
        Err(explain(step, errno, order, &program))
    }
}

/// Our own, as it is.
fn environment() -> Vec<CString> {
    let entry = |(name, value): (OsString, OsString)| {
        let mut entry = name.into_vec();
        entry.push(b'=');
        entry.extend(value.into_vec());
        CString::new(entry).ok()
    };
    std::env::vars_os().filter_map(entry).collect()
}

/// argv, environment and where to look, in the form execve takes.
struct Program {
    candidates: Vec<CString>,
    argv: Strings,
    envp: Strings,
    directory: Option<CString>,
    path: String,
    /// Where the child writes its process id; they point into `_pid_entries`, which `envp` has.
    pid_places: Vec<*mut u8>,
    _pid_entries: Vec<Box<[u8]>>,
}

/// Digits of a process id, and the null byte after them.
const PID_ROOM: usize = 11;

impl Program {
    fn new(order: &Order<'_>, origin: &Origin) -> Result<Program, SpawnFailure> {
        let spec = order.spec;
        let words = words(order);
        let name = words.first().copied().unwrap_or_default();
        if name.is_empty() {
            return Err(failure(
                "exec",
                Errno::ENOENT,
                "there is no command to run".to_owned(),
            ));
        }
        let argv = words.iter().map(|word| c_string(word.to_vec(), "exec"));
        let argv = argv.collect::<Result<Vec<_>, _>>()?;
        let own = own_environment(order)?;
        let inherited: Vec<&CString> = match spec.clean_environment {
            true => Vec::new(),
            false => {
                let is_replaced = |entry: &&CString| {
                    let name = variable_name(entry);
                    own.iter().any(|other| variable_name(other) == name)
                        || (!spec.foreground
                            && order.kin.is_none()
                            && NOT_FOR_SERVICES
                                .iter()
                                .any(|other| other.as_bytes() == name))
                };
                origin
                    .environment
                    .iter()
                    .filter(|entry| !is_replaced(entry))
                    .collect()
            }
        };
        let path = own
            .iter()
            .chain(inherited.iter().copied())
            .find_map(|entry| {
                let value = entry.to_bytes().strip_prefix(b"PATH=")?;
                Some(value.to_vec())
            });
        let path = path.unwrap_or_else(|| DEFAULT_PATH.into());
        let mut candidates = candidates(name, &path)?;
        if let Some(own) = order.kin.and_then(|kin| kin.own.as_ref()) {
            candidates.push(c_string(own.as_os_str().as_bytes().to_vec(), "exec")?);
        }
        let mut borrowed: Vec<*const c_char> =
            inherited.iter().map(|entry| entry.as_ptr()).collect();
        let mut pid_entries: Vec<Box<[u8]>> = order
            .extras
            .pid_variables
            .iter()
            .map(|name| pid_entry(name))
            .collect();
        let mut pid_places = Vec::new();
        for entry in &mut pid_entries {
            let start = entry.as_mut_ptr();
            borrowed.push(start.cast_const().cast());
            pid_places.push(start.wrapping_add(entry.len() - PID_ROOM));
        }
        Ok(Program {
            candidates,
            argv: Strings::new(argv, Vec::new()),
            envp: Strings::new(own, borrowed),
            pid_places,
            _pid_entries: pid_entries,
            directory: spec
                .directory
                .as_ref()
                .map(|directory| c_string(directory.clone().into_bytes(), "directory"))
                .transpose()?,
            path: String::from_utf8_lossy(&path).into_owned(),
        })
    }
}

fn words<'a>(order: &Order<'a>) -> Vec<&'a [u8]> {
    match order.kin {
        Some(kin) => kin.words.iter().map(Vec::as_slice).collect(),
        None => order.spec.argv.iter().map(String::as_bytes).collect(),
    }
}

/// `NAME=` with room for the digits.
fn pid_entry(name: &str) -> Box<[u8]> {
    let mut entry = format!("{name}=").into_bytes();
    entry.resize(entry.len() + PID_ROOM, 0);
    entry.into()
}

/// Pointers that end with a null pointer, and what they point to.
struct Strings {
    _owned: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl Strings {
    /// `borrowed` has to live as long.
    fn new(owned: Vec<CString>, borrowed: Vec<*const c_char>) -> Strings {
        let mut pointers: Vec<_> = owned.iter().map(|text| text.as_ptr()).collect();
        pointers.extend(borrowed);
        pointers.push(ptr::null());
        Strings {
            _owned: owned,
            pointers,
        }
    }
}

/// Marker first, where it is found soonest.
fn own_environment(order: &Order<'_>) -> Result<Vec<CString>, SpawnFailure> {
    let spec = order.spec;
    let configured = |name: &str| spec.environment.contains_key(name);
    let mut entries = Vec::new();
    if let Some(marker) = &order.marker {
        entries.push(("ONEUP_ID", marker.as_str()));
        entries.push(("ONEUP_SERVICE", spec.service.as_str()));
    }
    let user = order.identity.environment.iter();
    entries.extend(
        user.filter(|(name, _)| !configured(name))
            .map(|(name, value)| (*name, value.as_str())),
    );
    let extras = order.extras;
    let more = extras.environment.iter();
    entries.extend(more.map(|(name, value)| (*name, value.as_str())));
    let marked = order.marker.is_some();
    let is_ours = |name: &str| {
        (marked && matches!(name, "ONEUP_ID" | "ONEUP_SERVICE"))
            || extras.environment.iter().any(|(other, _)| *other == name)
            || extras.pid_variables.contains(&name)
    };
    let given = spec.environment.iter().filter(|(name, _)| !is_ours(name));
    entries.extend(given.map(|(name, value)| (name.as_str(), value.as_str())));
    entries
        .into_iter()
        .map(|(name, value)| c_string(format!("{name}={value}").into_bytes(), "exec"))
        .collect()
}

fn variable_name(entry: &CString) -> &[u8] {
    let entry = entry.to_bytes();
    entry.split(|byte| *byte == b'=').next().unwrap_or(entry)
}

fn c_string(bytes: Vec<u8>, step: &str) -> Result<CString, SpawnFailure> {
    CString::new(bytes).map_err(|error| {
        let text = String::from_utf8_lossy(&error.into_vec()).replace('\0', "\\0");
        failure(
            step,
            Errno::EINVAL,
            format!("a null byte cannot be passed to a program: \"{text}\""),
        )
    })
}

/// What execvp(3) would try, in its order. An empty element of PATH is the current folder.
fn candidates(name: &[u8], path: &[u8]) -> Result<Vec<CString>, SpawnFailure> {
    if name.contains(&b'/') {
        return Ok(vec![c_string(name.to_vec(), "exec")?]);
    }
    let join = |folder: &[u8]| match folder {
        b"" => [b"./", name].concat(),
        _ => {
            let end = folder.iter().rposition(|byte| *byte != b'/');
            let folder = &folder[..end.map_or(0, |end| end + 1)];
            [folder, b"/", name].concat()
        }
    };
    path.split(|byte| *byte == b':')
        .map(|folder| c_string(join(folder), "exec"))
        .collect()
}

/// One limit of the child, ready for the call.
struct PlannedLimit {
    resource: u32,
    value: libc::rlimit64,
}

/// By the names of prlimit(1).
const RESOURCES: [(&str, u32); 16] = [
    ("as", libc::RLIMIT_AS),
    ("core", libc::RLIMIT_CORE),
    ("cpu", libc::RLIMIT_CPU),
    ("data", libc::RLIMIT_DATA),
    ("fsize", libc::RLIMIT_FSIZE),
    ("locks", libc::RLIMIT_LOCKS),
    ("memlock", libc::RLIMIT_MEMLOCK),
    ("msgqueue", libc::RLIMIT_MSGQUEUE),
    ("nice", libc::RLIMIT_NICE),
    ("nofile", libc::RLIMIT_NOFILE),
    ("nproc", libc::RLIMIT_NPROC),
    ("rss", libc::RLIMIT_RSS),
    ("rtprio", libc::RLIMIT_RTPRIO),
    ("rttime", libc::RLIMIT_RTTIME),
    ("sigpending", libc::RLIMIT_SIGPENDING),
    ("stack", libc::RLIMIT_STACK),
];

/// The limit of open files is given back as it was inherited unless the spec has one.
fn limits(spec: &SpawnSpec, nofile: Option<(u64, u64)>) -> Result<Vec<PlannedLimit>, SpawnFailure> {
    let mut planned = Vec::new();
    if let (Some((soft, hard)), false) = (nofile, spec.limits.contains_key("nofile")) {
        planned.push(PlannedLimit {
            resource: libc::RLIMIT_NOFILE,
            value: libc::rlimit64 {
                rlim_cur: soft,
                rlim_max: hard,
            },
        });
    }
    for (name, limit) in &spec.limits {
        let Some((_, resource)) = RESOURCES.iter().find(|(known, _)| known == name) else {
            return Err(failure(
                "limits",
                Errno::EINVAL,
                format!("there is no limit called \"{name}\""),
            ));
        };
        planned.push(PlannedLimit {
            resource: *resource,
            value: libc::rlimit64 {
                rlim_cur: limit.soft.unwrap_or(libc::RLIM64_INFINITY),
                rlim_max: limit.hard.unwrap_or(libc::RLIM64_INFINITY),
            },
        });
    }
    Ok(planned)
}

/// Where the child is among the terminal's processes.
#[derive(PartialEq)]
enum Place {
    /// A session of its own.
    Session,
    /// A group of its own.
    Group,
    Ours,
}

/// Everything [`child`] reads, and the two numbers it writes.
struct Plan<'a> {
    place: Place,
    terminal: Option<RawFd>,
    stdio: Option<[RawFd; 3]>,
    /// At most `PASSED_MAX`; sources and targets.
    descriptors: &'a [(RawFd, RawFd)],
    pid_places: &'a [*mut u8],
    /// As in [`Kin`].
    ignored: u64,
    /// Empty: as it is.
    oom_score: &'a [u8],
    oom_score_required: bool,
    limits: &'a [PlannedLimit],
    umask: Option<u32>,
    nice: Option<i32>,
    identity: &'a Identity,
    /// Where the supervisor was started, if it is not there any more.
    home: Option<&'a CStr>,
    directory: Option<&'a CStr>,
    no_new_privileges: bool,
    candidates: &'a [CString],
    argv: &'a [*const c_char],
    envp: &'a [*const c_char],
    joins: &'a [RawFd],
    unjoined: AtomicI32,
    step: AtomicI32,
    errno: AtomicI32,
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
extern "C" fn child(plan: *mut c_void) -> c_int {
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

/// The child's stack, with a page below it that nothing may touch.
struct Stack(*mut c_void);

const STACK_SIZE: usize = 64 << 10;
/// A page on every architecture.
const GUARD_SIZE: usize = 64 << 10;

impl Stack {
    fn new() -> Option<Stack> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        // SAFETY: a new mapping at a place of the kernel's choice; the guard is within it.
        unsafe {
            let start = libc::mmap(
                ptr::null_mut(),
                GUARD_SIZE + STACK_SIZE,
                libc::PROT_READ | libc::PROT_WRITE,
                flags,
                -1,
                0,
            );
            if start == libc::MAP_FAILED {
                return None;
            }
            libc::mprotect(start, GUARD_SIZE, libc::PROT_NONE);
            Some(Stack(start))
        }
    }

    fn bottom(&self) -> *mut c_void {
        self.0.wrapping_byte_add(GUARD_SIZE)
    }

    fn top(&self) -> *mut c_void {
        self.bottom().wrapping_byte_add(STACK_SIZE)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`, which no child uses any more: `make` waits for it.
        unsafe { libc::munmap(self.0, GUARD_SIZE + STACK_SIZE) };
    }
}

/// Makes the child and waits until it has left this memory.
fn make(plan: &Plan<'_>, stack: &Stack, order: &Order<'_>) -> Result<Spawned, Errno> {
    // Changing the user in a process that shares our memory makes that memory undumpable.
    let changes_user = plan.identity.uid.is_some() || plan.identity.gid.is_some();
    // SAFETY: no pointers.
    let restore_dumpable = changes_user && unsafe { libc::prctl(libc::PR_GET_DUMPABLE) } == 1;
    let mask = block_everything();
    let spawned = clone_anywhere(plan, stack, order);
    restore_mask(mask);
    if restore_dumpable {
        // SAFETY: no pointers.
        unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) };
    }
    spawned
}

fn clone_anywhere(plan: &Plan<'_>, stack: &Stack, order: &Order<'_>) -> Result<Spawned, Errno> {
    if let Some(cgroup) = order.cgroup {
        match clone_into(plan, stack, cgroup) {
            Ok(pid) => {
                return Ok(Spawned {
                    pid,
                    in_cgroup: true,
                    unjoined: 0,
                })
            }
            // Shortages would meet the other way, too.
            Err(errno @ (Errno::EAGAIN | Errno::ENOMEM)) => return Err(errno),
            // All the rest means that this way is closed: an old kernel, a filter of system calls,
            // a cgroup that takes no processes.
            Err(_) => {}
        }
    }
    let pid = clone_plainly(plan, stack)?;
    Ok(Spawned {
        pid,
        in_cgroup: false,
        unjoined: 0,
    })
}

/// The same as vfork, with a stack of its own.
fn clone_plainly(plan: &Plan<'_>, stack: &Stack) -> Result<i32, Errno> {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let plan = ptr::from_ref(plan).cast_mut().cast();
    // SAFETY: the stack is ours and unused; the plan lives until the child has left this memory,
    // before which this call does not return.
    match unsafe { libc::clone(child, stack.top(), flags, plan) } {
        -1 => Err(Errno::last()),
        pid => Ok(pid),
    }
}

pub const CAN_SPAWN_INTO_CGROUP: bool = cfg!(target_arch = "x86_64");

#[cfg(target_arch = "x86_64")]
fn clone_into(plan: &Plan<'_>, stack: &Stack, cgroup: BorrowedFd<'_>) -> Result<i32, Errno> {
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    /// As the kernel has had it since 5.7.
    #[repr(C)]
    #[derive(Default)]
    struct CloneArgs {
        flags: u64,
        pidfd: u64,
        child_tid: u64,
        parent_tid: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
        set_tid: u64,
        set_tid_size: u64,
        cgroup: u64,
    }
    let args = CloneArgs {
        flags: (libc::CLONE_VM | libc::CLONE_VFORK) as u64 | CLONE_INTO_CGROUP,
        exit_signal: libc::SIGCHLD as u64,
        stack: stack.bottom() as u64,
        stack_size: STACK_SIZE as u64,
        cgroup: cgroup.as_raw_fd() as u64,
        ..CloneArgs::default()
    };
    let result: i64;
    // SAFETY: as in `clone_plainly`. The C library has no call for this. The child comes out of
    // the system call with 0 and the top of its stack, which is aligned as a call wants it, runs
    // `child`, which does not return, and never touches this frame.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") &args,
            in("rsi") size_of::<CloneArgs>(),
            in("r12") ptr::from_ref(plan),
            in("r13") child as extern "C" fn(*mut c_void) -> c_int,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    match i32::try_from(result) {
        Ok(pid) if pid > 0 => Ok(pid),
        Ok(errno) => Err(Errno::from_raw(-errno)),
        Err(_) => Err(Errno::EINVAL),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn clone_into(_: &Plan<'_>, _: &Stack, _: BorrowedFd<'_>) -> Result<i32, Errno> {
    Err(Errno::ENOSYS)
}

/// Really every signal, also the two of the C library, which `pthread_sigmask` leaves out.
fn block_everything() -> u64 {
    let (all, mut before) = (u64::MAX, 0u64);
    // SAFETY: two masks of the kernel's size.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &all,
            &mut before,
            8usize,
        )
    };
    before
}

fn restore_mask(mask: u64) {
    let nothing = ptr::null_mut::<c_void>();
    // SAFETY: a mask of the kernel's size.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &mask,
            nothing,
            8usize,
        )
    };
}

fn explain_fork(errno: Errno) -> SpawnFailure {
    let message = match errno {
        Errno::EAGAIN => {
            "no more processes allowed: the limit of processes (nproc, pids) is reached".to_owned()
        }
        Errno::ENOMEM => "no memory for a new process".to_owned(),
        _ => format!("no new process could be made: {}", errno.desc()),
    };
    failure("fork", errno, message)
}

/// One sentence that says what, where, and what to do.
fn explain(step: i32, errno: Errno, order: &Order<'_>, program: &Program) -> SpawnFailure {
    let spec = order.spec;
    let name = usize::try_from(step)
        .ok()
        .and_then(|step| STEPS.get(step))
        .copied()
        .unwrap_or("spawn");
    let desc = errno.desc();
    let user = spec
        .user
        .as_deref()
        .map(|user| format!(" as user \"{user}\""))
        .unwrap_or_default();
    let only_root = if errno == Errno::EPERM {
        ": only root may"
    } else {
        ""
    };
    let message = match step {
        EXEC => explain_exec(errno, spec, program, &user),
        DIRECTORY => {
            let directory = program.directory.as_deref().unwrap_or(c"").to_string_lossy();
            format!("cannot enter the folder \"{directory}\"{user}: {desc}")
        }
        UID => format!("cannot become user \"{}\": {desc}{only_root}", spec.user.as_deref().unwrap_or("")),
        GID => format!("cannot change to the group{user}: {desc}{only_root}"),
        GROUPS => format!("cannot set supplementary groups{user}: {desc}{only_root}"),
        LIMITS if errno == Errno::EPERM => {
            "cannot set the limits: raising a hard limit needs the capability SYS_RESOURCE, and nofile has its end at fs.nr_open".to_owned()
        }
        LIMITS if errno == Errno::EINVAL => "cannot set the limits: a soft limit is above its hard limit".to_owned(),
        NICE if matches!(errno, Errno::EPERM | Errno::EACCES) => {
            format!("cannot set nice {}: lowering it needs the capability SYS_NICE", spec.nice.unwrap_or(0))
        }
        OOM_SCORE if errno == Errno::EACCES => "cannot set oom-score-adjust: lowering it needs the capability SYS_RESOURCE".to_owned(),
        OOM_SCORE if errno == Errno::ENOENT => "cannot set oom-score-adjust: it needs /proc".to_owned(),
        OOM_SCORE if errno == Errno::EINVAL => "oom-score-adjust is outside -1000 to 1000".to_owned(),
        _ => format!("{name}: {desc}"),
    };
    failure(name, errno, message)
}

fn explain_exec(errno: Errno, spec: &SpawnSpec, program: &Program, user: &str) -> String {
    let name = spec.argv.first().map_or("", String::as_str);
    let found = existing(program);
    let shown = found.as_deref().unwrap_or(Path::new(name)).display();
    match (errno, &found) {
        (Errno::ENOENT | Errno::ENOTDIR, Some(file)) => missing_interpreter(file),
        (Errno::ENOENT | Errno::ENOTDIR, None) if name.contains('/') => {
            format!("no such program: \"{name}\"")
        }
        (Errno::ENOENT | Errno::ENOTDIR, None) => {
            format!("program \"{name}\" not found in PATH ({})", program.path)
        }
        (Errno::EACCES, Some(file)) => not_executable(file, user),
        (Errno::ENOEXEC, _) => {
            format!("\"{shown}\" is no program for this machine; if it is a script, its first line must name its interpreter: #!/bin/sh")
        }
        (Errno::E2BIG, _) => "arguments and environment are too long together".to_owned(),
        _ => format!("cannot run \"{shown}\"{user}: {}", errno.desc()),
    }
}

/// The first candidate that is there at all, as seen by the supervisor.
fn existing(program: &Program) -> Option<PathBuf> {
    let base = program
        .directory
        .as_deref()
        .and_then(|directory| directory.to_str().ok());
    let candidates = program
        .candidates
        .iter()
        .filter_map(|candidate| candidate.to_str().ok());
    candidates
        .map(|candidate| Path::new(base.unwrap_or("")).join(candidate))
        .find(|path| fs::metadata(path).is_ok())
}

fn missing_interpreter(file: &Path) -> String {
    let shown = file.display();
    match interpreter(file) {
        Some(line) if line.ends_with('\r') => {
            format!("the first line of \"{shown}\" ends in a carriage return: save it with Unix line ends")
        }
        Some(line) => format!("the interpreter \"{line}\" of \"{shown}\" does not exist"),
        None => format!("\"{shown}\" exists, but the loader or interpreter it asks for does not"),
    }
}

/// What follows `#!`, up to the first blank.
fn interpreter(file: &Path) -> Option<String> {
    // Opening anything but a plain file might block.
    if !fs::metadata(file).ok()?.is_file() {
        return None;
    }
    let mut head = Vec::new();
    fs::File::open(file)
        .ok()?
        .take(256)
        .read_to_end(&mut head)
        .ok()?;
    let line = head
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let line = String::from_utf8_lossy(line)
        .trim_start_matches([' ', '\t'])
        .to_owned();
    let end = line.find([' ', '\t']).unwrap_or(line.len());
    line.get(..end).map(str::to_owned)
}

fn not_executable(file: &Path, user: &str) -> String {
    let shown = file.display();
    match fs::metadata(file) {
        Ok(status) if status.is_dir() => format!("\"{shown}\" is a folder, not a program"),
        Ok(status) if status.file_type().is_socket() || status.file_type().is_fifo() => {
            format!("\"{shown}\" is not a program")
        }
        Ok(status) if status.permissions().mode() & 0o111 == 0 => {
            format!("\"{shown}\" is not executable: chmod +x it")
        }
        _ => format!("not allowed to run \"{shown}\"{user}: its permissions, a folder's above it, or a file system mounted noexec"),
    }
}
