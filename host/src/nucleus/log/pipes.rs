//! The pipes that services write to, and the one epoll instance that watches them all.
//!
//! A pipe is made when its service is first started and stays: the supervisor holds both ends, so
//! that no end of file ever comes, whoever closes their stdout, and what a process writes in its
//! last moment is still there when its successor runs.

use super::record::Stream;
use crate::nucleus::handover::{Packer, Passed, Span, Unpacker};
use nix::errno::Errno;
use nix::fcntl::{fcntl, FcntlArg, OFlag};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::resource::{getrlimit, Resource};
use nix::sys::stat::{fchmod, Mode};
use nix::unistd::pipe2;
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// What a pipe holds as the kernel makes it, and after it has proved to be busy.
pub const NORMAL: usize = 64 << 10;
pub const LARGE: usize = 512 << 10;

/// So much within so many milliseconds makes a pipe a busy one; so little after a rest, an
/// ordinary one again.
const BUSY: u32 = 256 << 10;
const BUSY_WITHIN: u32 = 10;
const CALM: usize = 16 << 10;

/// Descriptors, or that part of all there may be, that pipes leave for the rest: connections,
/// files, starts of processes. Where they run short, new services wait, and people can still ask.
const RESERVED: u64 = 32;
const RESERVED_PART: u64 = 4;

pub struct Pipe {
    pub read: OwnedFd,
    pub write: OwnedFd,
    /// The beginning of a line whose end has not come.
    pub pending: Vec<u8>,
    pub large: bool,
    pub state: State,
    /// Since when bytes are counted (ms of the wall clock, cut off), and how many came.
    window: u32,
    window_bytes: u32,
    busy: bool,
    rested: bool,
}

/// A pipe on its way to a successor.
#[derive(Serialize, Deserialize)]
pub struct SavedPipe {
    read: Passed,
    write: Passed,
    pending: Span,
    large: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Watched,
    /// Waits for room on the console.
    Paused,
    /// Busy, and not looked at for a moment, so that more comes at a time: who reads every
    /// little piece of a torrent at once does nothing but wake up.
    Resting,
}

/// The number from which on descriptors are not for pipes.
fn share() -> nix::Result<u64> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(limit - RESERVED.min(limit / RESERVED_PART))
}

impl Pipe {
    pub fn new() -> nix::Result<Pipe> {
        let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
        // The kernel hands out the lowest free number, so a high one says that few are left.
        let highest = u64::try_from(read.as_raw_fd().max(write.as_raw_fd())).unwrap_or(0);
        if highest >= share()? {
            return Err(Errno::EMFILE);
        }
        // Only our end: the two ends are different open files, and services expect to block.
        fcntl(&read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        // Lets a service of another user open its /dev/stdout. Nobody else gets at it: the way
        // through /proc is guarded by itself. Where it does not work that is all that is lost.
        let _ = fchmod(&write, Mode::from_bits_truncate(0o622));
        Ok(Pipe::of(read, write))
    }

    fn of(read: OwnedFd, write: OwnedFd) -> Pipe {
        Pipe {
            read,
            write,
            pending: Vec::new(),
            large: false,
            state: State::Watched,
            window: 0,
            window_bytes: 0,
            busy: false,
            rested: false,
        }
    }

    /// What is in the pipe stays in it.
    pub fn save(&self, packer: &mut Packer) -> SavedPipe {
        SavedPipe {
            read: packer.fd(&self.read),
            write: packer.fd(&self.write),
            pending: packer.bytes(&[&self.pending]),
            large: self.large,
        }
    }

    pub fn restore(saved: &SavedPipe, unpacker: &mut Unpacker) -> Option<Pipe> {
        let pipe = Pipe::of(unpacker.fd(saved.read)?, unpacker.fd(saved.write)?);
        Some(Pipe {
            pending: unpacker.bytes(saved.pending),
            large: saved.large,
            ..pipe
        })
    }

    /// Takes note of a read; true if the pipe has become a busy one by it.
    pub fn note_read(&mut self, count: usize, now_wall: f64) -> bool {
        let now = now_wall as u64 as u32;
        if std::mem::take(&mut self.rested) && count < CALM {
            self.busy = false;
        }
        if now.wrapping_sub(self.window) > BUSY_WITHIN {
            self.window = now;
            self.window_bytes = 0;
        }
        self.window_bytes = self.window_bytes.saturating_add(count as u32);
        let was_busy = self.busy;
        self.busy |= self.window_bytes >= BUSY;
        self.busy && !was_busy
    }

    /// Whether it is better left alone for a moment. A pipe of ordinary size would be full before.
    pub fn wants_rest(&self) -> bool {
        self.busy && self.large && self.state == State::Watched
    }

    pub fn wake(&mut self) {
        self.state = State::Watched;
        self.rested = true;
    }

    /// A busy writer gets a larger pipe, if the user's share allows it.
    pub fn enlarge(&mut self) -> bool {
        self.large = fcntl(&self.read, FcntlArg::F_SETPIPE_SZ(LARGE as i32)).is_ok();
        self.large
    }

    /// Bytes that are in the pipe now.
    pub fn filled(&self) -> usize {
        let mut count: nix::libc::c_int = 0;
        // SAFETY: FIONREAD writes one int to the address given.
        let result =
            unsafe { nix::libc::ioctl(self.read.as_raw_fd(), nix::libc::FIONREAD, &mut count) };
        if result == 0 {
            usize::try_from(count).unwrap_or(0)
        } else {
            0
        }
    }
}

/// Which pipe an event is about. The log's id is never used twice, so an event that comes late
/// cannot be taken for another log's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    Pipe { slot: u32, id: u32, stream: Stream },
    ConsoleSpace,
    ConsoleTimer,
    RestTimer,
}

impl Token {
    fn pack(self) -> u64 {
        match self {
            Token::ConsoleSpace => u64::MAX,
            Token::ConsoleTimer => u64::MAX - 1,
            Token::RestTimer => u64::MAX - 2,
            Token::Pipe { slot, id, stream } => {
                u64::from(id) << 32 | u64::from(slot) << 1 | stream as u64
            }
        }
    }

    fn unpack(data: u64) -> Token {
        match data {
            u64::MAX => Token::ConsoleSpace,
            d if d == u64::MAX - 1 => Token::ConsoleTimer,
            d if d == u64::MAX - 2 => Token::RestTimer,
            _ => Token::Pipe {
                slot: (data as u32) >> 1,
                id: (data >> 32) as u32,
                stream: if data & 1 == 0 {
                    Stream::Out
                } else {
                    Stream::Err
                },
            },
        }
    }
}

pub struct Poller(Epoll);

/// Few at a time: the kernel puts those it has told to the end of its queue, so that all get
/// their turn.
pub const AT_ONCE: usize = 4;

impl Poller {
    pub fn new() -> nix::Result<Poller> {
        Ok(Poller(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0 .0.as_fd()
    }

    pub fn watch(&self, fd: BorrowedFd<'_>, token: Token) -> nix::Result<()> {
        self.0
            .add(fd, EpollEvent::new(EpollFlags::EPOLLIN, token.pack()))
    }

    pub fn forget(&self, fd: BorrowedFd<'_>) {
        // ENOENT: it was not watched.
        let _ = self.0.delete(fd);
    }

    /// Those that are ready now.
    pub fn ready(&self) -> Ready {
        let mut events = [EpollEvent::empty(); AT_ONCE];
        let count = loop {
            match self.0.wait(&mut events, 0u8) {
                Err(Errno::EINTR) => {}
                other => break other.unwrap_or(0),
            }
        };
        Ready {
            tokens: events.map(|event| Token::unpack(event.data())),
            count,
        }
    }
}

pub struct Ready {
    tokens: [Token; AT_ONCE],
    count: usize,
}

impl Ready {
    pub fn tokens(&self) -> &[Token] {
        &self.tokens[..self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_kernel() {
        for token in [
            Token::ConsoleSpace,
            Token::ConsoleTimer,
            Token::RestTimer,
            Token::Pipe {
                slot: 0,
                id: 0,
                stream: Stream::Out,
            },
            Token::Pipe {
                slot: 70_000,
                id: u32::MAX - 1,
                stream: Stream::Err,
            },
        ] {
            assert_eq!(Token::unpack(token.pack()), token);
        }
    }
}
