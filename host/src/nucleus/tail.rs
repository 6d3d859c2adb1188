//! The last line of what a probe's command writes. It is read all the time, so that the command
//! never waits, and nothing else of it is kept.

use super::brief::one_line;
use nix::{
    errno::Errno,
    fcntl::{fcntl, FcntlArg, OFlag},
    sys::stat::{fchmod, Mode},
    unistd::{pipe2, read},
};
use std::{cell::RefCell, os::fd::OwnedFd, rc::Rc};
use tokio::{io::unix::AsyncFd, task::JoinHandle};

/// Of a line, from its beginning.
const LINE_MAX: usize = 160;
const PIECE: usize = 8 << 10;
/// What a pipe holds.
const PIECES_MAX: usize = 8;

pub struct Tail {
    ours: Rc<AsyncFd<OwnedFd>>,
    lines: Rc<RefCell<Lines>>,
    reader: JoinHandle<()>,
}

impl Tail {
    /// With the end for the command.
    pub fn new() -> nix::Result<(Tail, OwnedFd)> {
        let (ours, theirs) = pipe2(OFlag::O_CLOEXEC)?;
        fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        // Lets another user's command open its /dev/stdout.
        let _ = fchmod(&theirs, Mode::from_bits_truncate(0o622));
        // SAFETY: hands out the one descriptor it owns and keeps open as long as it lives.
        let ours = unsafe { AsyncFd::register(ours) }.map_err(|_| Errno::ENOMEM)?;
        let (ours, lines) = (Rc::new(ours), Rc::new(RefCell::new(Lines::default())));
        let reader = tokio::task::spawn_local(follow(Rc::clone(&ours), Rc::clone(&lines)));
        let tail = Tail {
            ours,
            lines,
            reader,
        };
        Ok((tail, theirs))
    }

    /// The last line that has something in it.
    pub fn last_line(&mut self) -> Option<String> {
        let mut lines = self.lines.borrow_mut();
        // What the task has not come to yet.
        take(self.ours.get_ref(), &mut lines);
        lines.last()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn follow(pipe: Rc<AsyncFd<OwnedFd>>, lines: Rc<RefCell<Lines>>) {
    while let Ok(mut ready) = pipe.readable().await {
        match take(pipe.get_ref(), &mut lines.borrow_mut()) {
            State::More => {}
            State::Empty => ready.clear_ready(),
            State::Ended => return,
        }
        // Who writes without end does not keep the others from their turn.
        drop(ready);
        tokio::task::yield_now().await;
    }
}

enum State {
    More,
    Empty,
    Ended,
}

fn take(pipe: &OwnedFd, lines: &mut Lines) -> State {
    let mut piece = [0; PIECE];
    for _ in 0..PIECES_MAX {
        match read(pipe, &mut piece) {
            Ok(0) => return State::Ended,
            Ok(length) => lines.add(&piece[..length]),
            Err(Errno::EINTR) => {}
            Err(_) => return State::Empty,
        }
    }
    State::More
}

#[derive(Default)]
struct Lines {
    /// The last whole line that was not blank.
    whole: Vec<u8>,
    begun: Vec<u8>,
}

impl Lines {
    fn add(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE_MAX - self.begun.len();
            self.begun
                .extend_from_slice(part.get(..room).unwrap_or(part));
            if part.ends_with(b"\n") {
                if !self.begun.trim_ascii().is_empty() {
                    self.whole.clone_from(&self.begun);
                }
                self.begun.clear();
            }
        }
    }

    fn last(&self) -> Option<String> {
        let text = |bytes: &Vec<u8>| one_line(&String::from_utf8_lossy(bytes), LINE_MAX);
        let lines = [text(&self.begun), text(&self.whole)];
        lines.into_iter().find(|line| !line.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts() {
        let last = |pieces: &[&str]| {
            let mut lines = Lines::default();
            pieces.iter().for_each(|piece| lines.add(piece.as_bytes()));
            lines.last()
        };
        assert_eq!(last(&["one\ntwo\n\n  \n"]).as_deref(), Some("two"));
        assert_eq!(last(&["one\ntw", "o"]).as_deref(), Some("two"));
        assert_eq!(last(&["\n", ""]), None);
        let long = "x".repeat(10_000);
        assert_eq!(
            last(&[&long, &long, "\n"]).map(|line| line.len()),
            Some(LINE_MAX)
        );
    }
}
