//! The pipes that bytes pass through. One is needed only while there is something in it, so a few
//! serve any number of connections, and what a slow client has not taken yet is the kernel's.

use nix::{
    errno::Errno,
    fcntl::{fcntl, splice, FcntlArg, OFlag, SpliceFFlags},
    sys::resource::{getrlimit, Resource},
    unistd::pipe2,
};
use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

/// Kept of each size for the next one who needs one.
const FREE_MAX: usize = 32;
/// What a large pipe takes at a time; an ordinary one takes 64 KiB. A stream through a large one
/// costs a third of the processor time, and no less with more room.
const LARGE: usize = 512 << 10;
/// Who has got a large pipe may leave it full for long, so they bound what the kernel holds. A
/// user without privileges may have eight times as many (pipe-user-pages-soft).
const LARGE_MAX: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size {
    Ordinary,
    /// Where one is to be had.
    Large,
}

/// An empty pipe, unless somebody who holds it knows better.
pub struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    /// Of a large one: one of the references that are counted.
    large: Option<Arc<()>>,
}

impl Pipe {
    pub fn is_large(&self) -> bool {
        self.large.is_some()
    }

    /// Moves what is there, without waiting. 0: the source has ended.
    pub fn fill(&self, from: BorrowedFd<'_>) -> nix::Result<usize> {
        move_bytes(from, self.write.as_fd(), LARGE, SpliceFFlags::empty())
    }

    /// Moves up to so many bytes on. Where the end follows at once, they may wait for it.
    pub fn drain(&self, to: BorrowedFd<'_>, count: usize, end_follows: bool) -> nix::Result<usize> {
        let flags = match end_follows {
            true => SpliceFFlags::SPLICE_F_MORE,
            false => SpliceFFlags::empty(),
        };
        move_bytes(self.read.as_fd(), to, count, flags)
    }
}

fn move_bytes(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    count: usize,
    flags: SpliceFFlags,
) -> nix::Result<usize> {
    let flags = flags | SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK;
    loop {
        match splice(from, None, to, None, count, flags) {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

pub struct Pipes {
    ordinary: Vec<Pipe>,
    large: Vec<Pipe>,
    /// A reference for each large pipe that there is, and this one.
    count: Arc<()>,
    room: Room,
}

impl Pipes {
    pub fn new(room: Room) -> Pipes {
        Pipes {
            ordinary: Vec::new(),
            large: Vec::new(),
            count: Arc::new(()),
            room,
        }
    }

    pub fn take(&mut self, size: Size) -> nix::Result<Pipe> {
        let large = match size {
            Size::Large => self.large.pop(),
            Size::Ordinary => None,
        };
        let mut pipe = match large.or_else(|| self.ordinary.pop()) {
            Some(pipe) => pipe,
            None => self.make()?,
        };
        if size == Size::Large {
            self.enlarge(&mut pipe);
        }
        Ok(pipe)
    }

    /// It stays as it is where there are enough, or the kernel grants no more.
    fn enlarge(&self, pipe: &mut Pipe) {
        if pipe.is_large() || Arc::strong_count(&self.count) > LARGE_MAX {
            return;
        }
        if fcntl(&pipe.write, FcntlArg::F_SETPIPE_SZ(LARGE as i32)).is_ok() {
            pipe.large = Some(Arc::clone(&self.count));
        }
    }

    fn make(&self) -> nix::Result<Pipe> {
        let (read, write) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        if self.room.is_beyond(read.as_raw_fd().max(write.as_raw_fd())) {
            return Err(Errno::EMFILE);
        }
        Ok(Pipe {
            read,
            write,
            large: None,
        })
    }

    /// It is empty again.
    pub fn give(&mut self, pipe: Pipe) {
        let free = match pipe.is_large() {
            true => &mut self.large,
            false => &mut self.ordinary,
        };
        if free.len() < FREE_MAX {
            free.push(pipe);
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
