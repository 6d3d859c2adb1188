//! One client and its backend: two flows of bytes that know nothing of each other but how both
//! end.

use super::pipes::{Pipe, Pipes, Size};
use nix::{
    errno::Errno,
    libc,
    sys::{
        epoll::EpollFlags,
        socket::{setsockopt, shutdown, sockopt, Shutdown},
    },
};
use std::{
    os::fd::{AsFd, AsRawFd, OwnedFd},
    sync::atomic::{AtomicU64, Ordering},
};

/// A socket, and what the kernel has told of it since it last said no.
pub struct End {
    pub fd: OwnedFd,
    pub can_read: bool,
    pub can_write: bool,
    /// All that it will ever say is there to be read.
    pub ending: bool,
    /// Reset, or not to be reached.
    pub failed: bool,
    /// Ended in both directions.
    pub gone: bool,
}

impl End {
    pub fn new(fd: OwnedFd) -> End {
        End {
            fd,
            can_read: false,
            can_write: false,
            ending: false,
            failed: false,
            gone: false,
        }
    }

    pub fn note(&mut self, told: EpollFlags) {
        let ended = EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
        self.can_read |= told.intersects(ended | EpollFlags::EPOLLIN);
        self.can_write |= told.intersects(EpollFlags::EPOLLOUT | EpollFlags::EPOLLHUP);
        self.ending |= told.intersects(EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP);
        self.failed |= told.contains(EpollFlags::EPOLLERR);
        self.gone |= told.contains(EpollFlags::EPOLLHUP);
    }

    /// Its close is a reset, where there is such a thing; what it was sent and has not got yet is
    /// lost by it.
    pub fn reset_on_close(&self) {
        let linger = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        let _ = setsockopt(&self.fd, sockopt::Linger, &linger);
    }

    /// Whether it has got all that it was sent.
    pub fn is_drained(&self) -> bool {
        let mut unsent: libc::c_int = 0;
        // SAFETY: writes one int to the address given.
        let result = unsafe { libc::ioctl(self.fd.as_raw_fd(), libc::TIOCOUTQ, &mut unsent) };
        result == 0 && unsent == 0
    }
}

/// What a flow can do next.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Nothing before the kernel tells more.
    Waits,
    /// More at once, but others have their turn first.
    More,
    /// It needs a pipe, and there is none.
    Starved,
    /// Its end was passed on.
    Over,
    /// Its source was reset.
    Broken,
}

/// A flow that has moved so many bytes is a stream, and worth a large pipe.
const STREAM_BYTES: usize = 1 << 20;

/// Bytes on their way from one socket to the other.
#[derive(Default)]
pub struct Flow {
    pipe: Option<Pipe>,
    /// Bytes in the pipe.
    held: usize,
    /// No more of them go into it before some have left it.
    full: bool,
    /// Bytes passed on, counted up to `STREAM_BYTES`.
    passed: usize,
    ended: bool,
    over: bool,
}

impl Flow {
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// It is over, and nothing of its source's is left unread.
    fn is_complete(&self) -> bool {
        self.over && self.ended
    }

    /// Moves up to `budget` bytes and takes from it what was moved. Where it is the `last` flow of
    /// the two, its end is passed on by closing, which is the caller's.
    fn run(
        &mut self,
        from: &mut End,
        to: &mut End,
        pipes: &mut Pipes,
        count: &AtomicU64,
        budget: &mut usize,
        last: bool,
    ) -> Step {
        loop {
            if self.over {
                return Step::Over;
            }
            if *budget == 0 {
                return Step::More;
            }
            let step = if self.held > 0 && !self.gathers(from, to) {
                self.pass_on(from, to, count, budget)
            } else if self.ended {
                // The end of what was reset is none that a peer should take for a regular one.
                match from.failed {
                    true => Some(Step::Broken),
                    false => self.pass_end(to, last),
                }
            } else if from.can_read && to.can_write {
                self.take_in(from, pipes)
            } else {
                Some(Step::Waits)
            };
            if let Some(step) = step {
                self.give_back(pipes);
                return step;
            }
        }
    }

    fn take_in(&mut self, from: &mut End, pipes: &mut Pipes) -> Option<Step> {
        let pipe = match self.pipe.take() {
            Some(pipe) => pipe,
            None => match pipes.take(self.size()) {
                Ok(pipe) => pipe,
                Err(_) => return Some(Step::Starved),
            },
        };
        let result = pipe.fill(from.fd.as_fd());
        self.pipe = Some(pipe);
        match result {
            Ok(0) => self.ended = true,
            Ok(count) => self.held += count,
            Err(Errno::EAGAIN) if self.held > 0 => self.full = true,
            Err(Errno::EAGAIN) => from.can_read = false,
            // What it said before is passed on first.
            Err(_) if self.held > 0 => (self.ended, from.failed) = (true, true),
            Err(_) => return Some(Step::Broken),
        }
        None
    }

    /// Whether more is to be taken in before anything is passed on: the last bytes and the end then
    /// go as one, for which the network and who waits for them do half of the work.
    fn gathers(&self, from: &End, to: &End) -> bool {
        let rest_is_there = from.ending && from.can_read && !self.ended;
        rest_is_there && !self.full && to.can_write
    }

    fn pass_on(
        &mut self,
        from: &End,
        to: &mut End,
        count: &AtomicU64,
        budget: &mut usize,
    ) -> Option<Step> {
        if !to.can_write {
            return Some(Step::Waits);
        }
        let pipe = self.pipe.as_ref()?;
        let end_follows = self.ended && !from.failed;
        match pipe.drain(to.fd.as_fd(), self.held, end_follows) {
            Ok(moved) => {
                self.held -= moved;
                self.full = false;
                self.passed = STREAM_BYTES.min(self.passed + moved);
                count.fetch_add(moved as u64, Ordering::Relaxed);
                *budget = budget.saturating_sub(moved);
            }
            Err(Errno::EAGAIN) => to.can_write = false,
            Err(_) => self.give_up(),
        }
        None
    }

    fn size(&self) -> Size {
        match self.passed < STREAM_BYTES {
            true => Size::Ordinary,
            false => Size::Large,
        }
    }

    fn pass_end(&mut self, to: &End, last: bool) -> Option<Step> {
        if !last {
            // It is an error only where the other side has gone altogether, which is told otherwise.
            let _ = shutdown(to.fd.as_raw_fd(), Shutdown::Write);
        }
        self.over = true;
        Some(Step::Over)
    }

    /// Nobody takes these bytes any more.
    pub fn give_up(&mut self) {
        self.pipe = None;
        self.held = 0;
        self.over = true;
    }

    /// Who has nothing on the way needs no pipe.
    fn give_back(&mut self, pipes: &mut Pipes) {
        if self.held == 0 {
            self.pipe
                .take()
                .into_iter()
                .for_each(|pipe| pipes.give(pipe));
        }
    }
}

/// What becomes of both.
#[derive(Debug, PartialEq)]
pub enum Fate {
    Waits,
    More,
    Starved,
    /// All that was to be passed on was.
    Closes,
    /// One side was reset, so the other is.
    ClientReset,
    BackendReset,
}

/// Both flows.
#[derive(Default)]
pub struct Flows {
    to_backend: Flow,
    from_backend: Flow,
}

/// Where the bytes of both directions are counted.
pub struct Tally<'a> {
    pub to_backend: &'a AtomicU64,
    pub from_backend: &'a AtomicU64,
}

impl Flows {
    pub fn run(
        &mut self,
        client: &mut End,
        backend: &mut End,
        pipes: &mut Pipes,
        tally: &Tally,
        budget: usize,
    ) -> Fate {
        if backend.failed {
            self.to_backend.give_up();
        }
        if client.failed {
            self.from_backend.give_up();
        }
        let (mut there, mut back) = (budget, budget);
        let last = self.from_backend.is_complete();
        let to = self
            .to_backend
            .run(client, backend, pipes, tally.to_backend, &mut there, last);
        let last = self.to_backend.is_complete();
        let from =
            self.from_backend
                .run(backend, client, pipes, tally.from_backend, &mut back, last);
        // What a backend said before its reset is the client's. A client that was reset is not
        // there any more, whoever would still listen to what it said.
        if client.failed || to == Step::Broken {
            return Fate::ClientReset;
        }
        if from == Step::Broken {
            return Fate::BackendReset;
        }
        let is_done = |flow: Step, end: &End| flow == Step::Over && end.gone;
        let both_over = self.to_backend.is_over() && self.from_backend.is_over();
        let more = to == Step::More || from == Step::More;
        let starved = to == Step::Starved || from == Step::Starved;
        // Whoever has gone altogether takes nothing any more.
        if both_over || is_done(to, client) || is_done(from, backend) {
            return Fate::Closes;
        }
        match (more, starved) {
            (true, _) => Fate::More,
            (false, true) => Fate::Starved,
            (false, false) => Fate::Waits,
        }
    }
}
