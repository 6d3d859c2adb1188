//! Signals by handlers: for a process that runs a script. What is blocked or ignored in us would be
//! so in every process that the script makes by itself; a handler becomes the default at an execve.

use super::signals::{self, Arrived};
use nix::{
    fcntl::OFlag,
    libc,
    sys::signal::SigSet,
    unistd::{getpid, pipe2, read},
};
use std::{
    io, mem,
    os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd},
    ptr,
    sync::atomic::{AtomicI32, AtomicU64, Ordering},
};

/// What a script's children are told of: everything but KILL, STOP, and what only a broken program
/// gets (ILL, FPE, SEGV).
pub const TOLD: [i32; 23] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGPIPE,
    libc::SIGALRM,
    libc::SIGTERM,
    libc::SIGCONT,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGURG,
    libc::SIGXCPU,
    libc::SIGXFSZ,
    libc::SIGVTALRM,
    libc::SIGPROF,
    libc::SIGWINCH,
    libc::SIGIO,
    libc::SIGSYS,
];

/// Where the handler writes to.
static NOTES: AtomicI32 = AtomicI32::new(-1);
/// Whose handler it is. A script may fork: what is sent to the copy is no news for us.
static OWNER: AtomicI32 = AtomicI32::new(0);
/// Signals whose notes found no room, the first at bit 0.
static NO_ROOM: AtomicU64 = AtomicU64::new(0);

/// What it writes: number, sender, and whether it came from the kernel itself.
type Note = [i32; 3];
const NOTE_SIZE: usize = size_of::<Note>();
/// As many notes as a pipe holds. Signals can come as fast as they are read.
const NOTES_MAX: usize = (64 << 10) / NOTE_SIZE;

/// The readable end.
pub struct Caught {
    end: OwnedFd,
    /// Signals that were ignored when we were started, and are: somebody means it, as nohup(1)
    /// does. The first is at bit 0.
    pub ignored: u64,
}

impl Caught {
    /// From now on signals are handled, and none is blocked in this thread and those it starts.
    pub fn catch() -> io::Result<Caught> {
        let (end, notes) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        NOTES.store(notes.into_raw_fd(), Ordering::Relaxed);
        OWNER.store(getpid().as_raw(), Ordering::Relaxed);
        let mut ignored = 0;
        for number in TOLD {
            // PIPE the run time has ignored.
            if number != libc::SIGPIPE && is_ignored(number) {
                ignored |= bit(number);
            } else {
                install(number)?;
            }
        }
        install(libc::SIGCHLD)?;
        SigSet::empty().thread_set_mask()?;
        Ok(Caught { end, ignored })
    }

    /// Also one that was ignored.
    pub fn take(&mut self, number: i32) -> io::Result<()> {
        install(number)?;
        self.ignored &= !bit(number);
        Ok(())
    }

    /// What is there now, and whether the kernel itself sent it. CHLD stands for any number of
    /// children.
    pub fn read(&self) -> Vec<(Arrived, bool)> {
        let mut arrived = Vec::new();
        let mut add = |number, sender, by_kernel| {
            if !signals::is_own_noise(number, sender) {
                arrived.push((Arrived { number, sender }, by_kernel));
            }
        };
        let mut notes = [0u8; NOTE_SIZE * 64];
        // A note is written in one piece, and so are many of them read.
        for _ in 0..=NOTES_MAX / 64 {
            let Ok(count @ 1..) = read(&self.end, &mut notes) else {
                break;
            };
            for note in notes[..count].chunks_exact(NOTE_SIZE) {
                let field = |index: usize| {
                    let bytes = note[index * 4..].first_chunk();
                    bytes.copied().map_or(0, i32::from_ne_bytes)
                };
                add(field(0), field(1).unsigned_abs(), field(2) != 0);
            }
        }
        let no_room = NO_ROOM.swap(0, Ordering::Relaxed);
        (1..=64)
            .filter(|number| no_room & bit(*number) != 0)
            .for_each(|number| add(number, 0, false));
        arrived
    }
}

impl AsFd for Caught {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

/// The first signal is at bit 0.
pub fn bit(number: i32) -> u64 {
    1 << (number.clamp(1, 64) - 1)
}

/// What would have happened if nobody had handled it. Returns if that is nothing, or a stop that
/// has ended, or if we are PID 1, whom the kernel protects.
pub fn act_by_default(number: i32) {
    // SAFETY: SIG_DFL runs no code of ours, and kill takes no pointer.
    unsafe {
        libc::signal(number, libc::SIG_DFL);
        libc::kill(getpid().as_raw(), number);
    }
    let _ = install(number);
}

fn is_ignored(number: i32) -> bool {
    // SAFETY: as below.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: nothing is changed, and one is written to that is ours.
    let known = unsafe { libc::sigaction(number, ptr::null(), &mut action) } == 0;
    known && action.sa_sigaction == libc::SIG_IGN
}

fn install(number: i32) -> io::Result<()> {
    // SAFETY: an all-zero sigaction is a valid one.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = on_signal;
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK | libc::SA_NOCLDSTOP;
    // SAFETY: a set of our own is written to, and the handler does only what a handler may. One at
    // a time: the stack that it runs on has room for two or three.
    match unsafe {
        libc::sigfillset(&mut action.sa_mask);
        libc::sigaction(number, &action, ptr::null_mut())
    } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Only system calls and atomics.
extern "C" fn on_signal(number: i32, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel gives a siginfo that is valid for this call; errno is this thread's.
    unsafe {
        let errno = *libc::__errno_location();
        let (code, sender) = ((*info).si_code, (*info).si_pid());
        let is_copy = libc::getpid() != OWNER.load(Ordering::Relaxed);
        if is_copy || is_own_end(number, code, sender) {
            // Blocked until this returns; then the default happens.
            libc::signal(number, libc::SIG_DFL);
            libc::raise(number);
        } else {
            let kernel = code > 0;
            let note: Note = [number, if kernel { 0 } else { sender }, i32::from(kernel)];
            let notes = NOTES.load(Ordering::Relaxed);
            if libc::write(notes, note.as_ptr().cast(), NOTE_SIZE) < 0 {
                NO_ROOM.fetch_or(bit(number), Ordering::Relaxed);
            }
        }
        *libc::__errno_location() = errno;
    }
}

/// A fault of our own process, or its own abort(3).
fn is_own_end(number: i32, code: i32, sender: i32) -> bool {
    match number {
        libc::SIGBUS | libc::SIGTRAP | libc::SIGSYS => code > 0,
        libc::SIGABRT => code <= 0 && sender == getpid().as_raw(),
        _ => false,
    }
}
