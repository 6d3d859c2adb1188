//! The pipes that bytes pass through. One is needed only while there is something in it, so a few
//! serve any number of connections, and what a slow client has not taken yet is the kernel's.

use nix::{
    errno::Errno,
    fcntl::{fcntl, splice, FcntlArg, OFlag, SpliceFFlags},
    sys::resource::{getrlimit, Resource},
    unistd::pipe2,
};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Kept for the next one who needs one.
const FREE_MAX: usize = 32;
/// More than a pipe of ordinary size ever takes at a time.
const MOST: usize = 1 << 20;

/// An empty pipe, unless somebody who holds it knows better.
pub struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

impl Pipe {
    /// Moves what is there, without waiting. 0: the source has ended.
    pub fn fill(&self, from: BorrowedFd<'_>) -> nix::Result<usize> {
        move_bytes(from, self.write.as_fd(), MOST)
    }

    /// Moves up to so many bytes on.
    pub fn drain(&self, to: BorrowedFd<'_>, count: usize) -> nix::Result<usize> {
        move_bytes(self.read.as_fd(), to, count)
    }
}

fn move_bytes(from: BorrowedFd<'_>, to: BorrowedFd<'_>, count: usize) -> nix::Result<usize> {
    let flags = SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK;
    loop {
        match splice(from, None, to, None, count, flags) {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

pub struct Pipes {
    free: Vec<Pipe>,
    room: Room,
}

impl Pipes {
    pub fn new(room: Room) -> Pipes {
        Pipes {
            free: Vec::new(),
            room,
        }
    }

    pub fn take(&mut self) -> nix::Result<Pipe> {
        match self.free.pop() {
            Some(pipe) => Ok(pipe),
            None => self.make(),
        }
    }

    fn make(&self) -> nix::Result<Pipe> {
        let (read, write) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        if self.room.is_beyond(read.as_raw_fd().max(write.as_raw_fd())) {
            return Err(Errno::EMFILE);
        }
        Ok(Pipe { read, write })
    }

    /// It is empty again.
    pub fn give(&mut self, pipe: Pipe) {
        if self.free.len() < FREE_MAX {
            self.free.push(pipe);
        }
    }
}

/// Descriptors that proxies leave for the rest: starts of processes, logs, the control socket.
/// The kernel hands out the lowest free number, so a high one says that few are left.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    clients: i32,
    pipes: i32,
}

const RESERVED_PART: u64 = 4;
const RESERVED_MAX: u64 = 1024;

impl Room {
    pub fn new() -> Room {
        let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
        let reserved = (limit / RESERVED_PART).min(RESERVED_MAX);
        let number = |limit: u64| i32::try_from(limit).unwrap_or(i32::MAX);
        Room {
            clients: number(limit - reserved),
            pipes: number(limit - reserved / 2),
        }
    }

    /// Whether there is some for another client; a descriptor is borrowed to find out.
    pub fn for_clients(&self, borrowed: BorrowedFd<'_>) -> bool {
        match fcntl(borrowed, FcntlArg::F_DUPFD_CLOEXEC(0)) {
            Ok(number) => {
                let _ = nix::unistd::close(number);
                number < self.clients
            }
            Err(_) => false,
        }
    }

    fn is_beyond(&self, number: i32) -> bool {
        number >= self.pipes
    }
}
