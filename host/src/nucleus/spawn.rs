//! From a spec to a running program, or to the name of the step that failed.
//!
//! The child is made as vfork makes it: it borrows the supervisor's memory, on a stack of its own,
//! while this thread sleeps until its execve. Nothing is copied however big the supervisor is, and
//! a failure is reported by writing to that memory. Everything the child needs is therefore made
//! beforehand ([`child::Plan`]), and what it does ([`child::child`]) is system calls only: no allocation, no
//! lock, and none of the C library's set*id functions, which would try to change the supervisor's
//! other threads along.
//!
//! The price is that a folder or program on a file system that hangs makes the supervisor hang
//! with it for as long.

mod child;
mod clone;
mod explain;

use super::{startup::Inherited, users::Identity};
use child::{Place, Plan};
use clone::{make, Stack};
use explain::{explain, explain_fork};

pub use clone::CAN_SPAWN_INTO_CGROUP;

use crate::protocol::{SpawnFailure, SpawnSpec};
use nix::{
    errno::Errno,
    libc::{self, c_char},
    sys::wait::{waitpid, WaitPidFlag},
    unistd::Pid,
};
use std::{
    ffi::{CString, OsString},
    fs::File,
    os::{
        fd::{AsRawFd, BorrowedFd, RawFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::PathBuf,
    ptr,
    sync::atomic::{AtomicI32, Ordering},
};

/// Where programs are looked for if the child's environment does not say.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// About descriptors that were not passed on and about somebody else's services.
const NOT_FOR_CHILDREN: [&str; 3] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];
const NOT_FOR_SERVICES: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"];

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
