//! Descriptors that others have given us.
//!
//! Closing one can take as long as its maker likes: a connection with SO_LINGER waits for its peer,
//! a file of a file system that is itself a process waits for that. So threads of their own close
//! them, which leave when there is nothing more to close.

use nix::{
    libc,
    sys::socket::{getsockopt, setsockopt, sockopt},
};
use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

/// At work at once. With so many there is somebody who means harm.
const CLOSERS_MAX: usize = 4;
/// With so many waiting to be closed no more are accepted.
const WAITING_MAX: usize = 256;
const STACK: usize = 64 << 10;

/// Closed aside when it is dropped.
pub struct Given(Option<OwnedFd>);

impl Given {
    pub fn new(fd: OwnedFd) -> Given {
        Given(Some(fd))
    }

    pub fn is_socket(&self) -> bool {
        getsockopt(self, sockopt::SockType).is_ok()
    }

    pub fn is_pipe(&self) -> bool {
        is_pipe(self.as_fd())
    }
}

impl AsFd for Given {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Some(fd) => fd.as_fd(),
            None => unreachable!("it is there until it is dropped"),
        }
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        // The end of a pipe is the answer to `BARRIER=1`, comes often and never takes time.
        let slow = self.0.take().filter(|fd| !is_pipe(fd.as_fd()));
        if let Some(fd) = slow {
            close_aside(fd);
        }
    }
}

/// Tells without asking the file's file system.
fn is_pipe(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: no pointers.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETPIPE_SZ) >= 0 }
}

/// Whoever gives us descriptors has to wait.
pub fn is_full() -> bool {
    work().waiting.len() >= WAITING_MAX
}

struct Work {
    waiting: Vec<OwnedFd>,
    closers: usize,
}

static WORK: Mutex<Work> = Mutex::new(Work {
    waiting: Vec::new(),
    closers: 0,
});

fn work() -> MutexGuard<'static, Work> {
    WORK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn close_aside(fd: OwnedFd) {
    {
        let mut work = work();
        work.waiting.push(fd);
        if work.closers >= CLOSERS_MAX {
            return;
        }
        work.closers += 1;
    }
    let closer = thread::Builder::new().stack_size(STACK).spawn(close_all);
    if closer.is_err() {
        // A shortage: it waits for the next one.
        work().closers -= 1;
    }
}

fn close_all() {
    while let Some((fd, is_crowded)) = next() {
        if is_crowded {
            // Against those that would hold up all of us. Otherwise the service may rely on it.
            let never = libc::linger {
                l_onoff: 0,
                l_linger: 0,
            };
            let _ = setsockopt(&fd, sockopt::Linger, &never);
        }
        drop(fd);
    }
}

fn next() -> Option<(OwnedFd, bool)> {
    let mut work = work();
    let fd = work.waiting.pop();
    if fd.is_none() {
        work.closers -= 1;
    }
    fd.map(|fd| (fd, work.closers >= CLOSERS_MAX))
}
