//! What the supervisor does to its own process before anything else, and what of it has to be
//! undone in every child.

use super::{procfs, signals};
use nix::{
    libc,
    sys::resource::{getrlimit, setrlimit, Resource},
};
use serde::{Deserialize, Serialize};
use std::{
    ffi::{CStr, CString, OsStr},
    fs, io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

/// As much as any supervisor needs; more would only be a larger table for the kernel.
const NOFILE_MAX: u64 = 1 << 20;
/// Low enough that services go first, not so low that the kernel could find nobody to end.
const OOM_SCORE_ADJUST: i32 = -900;

/// What the supervisor inherited and its children get back.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Inherited {
    /// Soft and hard limit of open files, where ours were changed.
    pub nofile: Option<(u64, u64)>,
    /// The score for the out-of-memory killer, where ours was changed.
    pub oom_score_adjust: Option<i32>,
    /// The folder the supervisor was started in, where it was left.
    pub directory: Option<CString>,
    /// What did not work, each a sentence for the console.
    #[serde(skip)]
    pub notes: Vec<String>,
}

impl Inherited {
    /// Undoes it in this very process, for another program in it.
    pub fn give_back(&self) {
        if let Some((soft, hard)) = self.nofile {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, soft, hard);
        }
        if let Some(score) = self.oom_score_adjust {
            let _ = fs::write("/proc/self/oom_score_adj", score.to_string());
        }
        if let Some(directory) = &self.directory {
            let _ = nix::unistd::chdir(directory.as_c_str());
        }
    }
}

/// Signals first, then descriptors, then the rest. Nothing here can fail for good: what is missing
/// costs a note. `former`: what this very process inherited before it was renewed; the rest is done
/// already.
pub fn prepare(former: Option<Inherited>) -> Inherited {
    let renewed = former.is_some();
    let mut inherited = former.unwrap_or_default();
    let mut note = |what: &str, result: io::Result<()>| {
        if let Err(error) = result {
            inherited.notes.push(format!("{what}: {error}"));
        }
    };
    note("cannot take control of signals", signals::take_control());
    repair_standard_descriptors();
    close_strays_on_exec();
    note(
        "cannot become the reaper of orphans, so processes that leave their parents will not be found",
        become_subreaper(),
    );
    if renewed {
        return inherited;
    }
    inherited.nofile = raise_nofile();
    inherited.oom_score_adjust = lower_oom_score();
    if nix::unistd::getpid().as_raw() == 1 {
        inherited.directory = leave_directory();
    }
    inherited
}

/// The path that this program was executed by, as it was then: absolute, links not followed.
pub fn started_by() -> Option<PathBuf> {
    // SAFETY: no pointers.
    let name = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const libc::c_char;
    if name.is_null() {
        return None;
    }
    // SAFETY: the kernel put a string there, which lives as long as the process.
    let name = unsafe { CStr::from_ptr(name) };
    let name = Path::new(OsStr::from_bytes(name.to_bytes()));
    std::path::absolute(name).ok()
}

/// Runs before `main` and before the Rust runtime.
#[used]
#[link_section = ".init_array"]
static BEFORE_MAIN: extern "C" fn() = before_main;

extern "C" fn before_main() {
    // The runtime would abort where a standard descriptor is closed and there is no /dev/null to
    // put in its place.
    repair_standard_descriptors();
    if nix::unistd::getpid().as_raw() == 1 {
        // Signals to PID 1 that are neither blocked nor handled are lost. Not to anybody else:
        // the command line is a program like others, which a signal ends.
        let _ = signals::block();
    }
}

/// Descriptors 0, 1 and 2 are open afterwards, so that no file or socket of ours takes their place
/// and is then written to by whoever writes to "stderr".
fn repair_standard_descriptors() {
    // In rising order, so that the lowest free number is always the one wanted.
    for wanted in 0..=2 {
        // SAFETY: no pointers.
        let missing = unsafe { libc::fcntl(wanted, libc::F_GETFD) } < 0;
        if missing && !open_null(wanted) {
            open_dead_pipe(wanted);
        }
    }
}

fn open_null(wanted: i32) -> bool {
    // SAFETY: the path is a C string.
    let fd = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
    if fd >= 0 && fd != wanted {
        // Cannot be, as `wanted` is the lowest free one; but then it must not stay open.
        // SAFETY: no pointers; the descriptor is ours.
        unsafe {
            libc::dup2(fd, wanted);
            libc::close(fd);
        }
    }
    fd >= 0
}

/// A pipe without its other end: reading finds the end of the file, writing fails with EPIPE.
fn open_dead_pipe(wanted: i32) {
    let mut ends = [-1; 2];
    // SAFETY: pipe writes two numbers; all descriptors touched are the new ones or `wanted`, which
    // is not open. Without a single descriptor to be had there is nothing left to try.
    unsafe {
        if libc::pipe(ends.as_mut_ptr()) < 0 {
            return;
        }
        let [read, write] = ends;
        let (keep, drop) = if wanted == 0 {
            (read, write)
        } else {
            (write, read)
        };
        libc::dup2(keep, wanted);
        for end in [keep, drop] {
            if end != wanted {
                libc::close(end);
            }
        }
    }
}

/// Whatever else was inherited stays ours alone.
fn close_strays_on_exec() {
    // SAFETY: no pointers.
    let done = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3u32,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    if done == 0 {
        return;
    }
    // Kernels before 5.11. Without /proc too: the lower numbers, where strays are found.
    let listed = fs::read_dir("/proc/self/fd").map(|entries| {
        let names = entries.flatten().map(|entry| entry.file_name());
        names
            .filter_map(|name| name.to_str()?.parse().ok())
            .collect::<Vec<i32>>()
    });
    for fd in listed.unwrap_or_else(|_| (3..4096).collect()) {
        if fd > 2 {
            // SAFETY: no pointers; a number that is not open is refused.
            unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
}

pub fn become_subreaper() -> io::Result<()> {
    // SAFETY: no pointers.
    match unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

pub fn raise_nofile() -> Option<(u64, u64)> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let wanted = hard.min(NOFILE_MAX);
    if soft >= wanted {
        return None;
    }
    // Not being allowed to only means that we live with what we have.
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).ok()?;
    Some((soft, hard))
}

fn lower_oom_score() -> Option<i32> {
    let before: i32 = fs::read_to_string("/proc/self/oom_score_adj")
        .ok()?
        .trim()
        .parse()
        .ok()?;
    if before <= OOM_SCORE_ADJUST || !procfs::is_ours() {
        return None;
    }
    // Only root may; everybody else stays as he is.
    fs::write("/proc/self/oom_score_adj", OOM_SCORE_ADJUST.to_string()).ok()?;
    Some(before)
}

/// PID 1 pins no mount. Its children still start where it was started.
fn leave_directory() -> Option<CString> {
    let before = std::env::current_dir().ok()?;
    std::env::set_current_dir("/").ok()?;
    CString::new(before.into_os_string().into_vec()).ok()
}
