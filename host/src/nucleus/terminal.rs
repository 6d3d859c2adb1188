//! Job control for single-command mode: the command has a process group of its own, which is the
//! terminal's foreground as long as the supervisor itself would be.
//!
//! The terminal's keys reach the command and not the supervisor. What a shell does to the
//! supervisor's group (stop, continue, background, foreground) is handed on to the command, and
//! what the terminal does to the command (stop) is handed on to the supervisor's group.

use super::signals;
use nix::{
    libc,
    sys::signal::{kill, SigSet, Signal},
    unistd::{getpgrp, tcgetpgrp, tcsetpgrp, Pid},
};
use std::{
    fs::{File, OpenOptions},
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
        unix::fs::OpenOptionsExt,
    },
};

/// Our controlling terminal.
pub struct Terminal {
    /// fd 0 if that is it, else a descriptor of our own.
    own: Option<File>,
    /// The terminal was handed to the command.
    given: bool,
}

impl Terminal {
    /// `None` without a controlling terminal.
    pub fn open() -> Option<Terminal> {
        if tcgetpgrp(io::stdin()).is_ok() {
            return Some(Terminal {
                own: None,
                given: false,
            });
        }
        // Standard input is something else, as in a pipeline; the command may still ask for the
        // terminal by its name.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
            .open("/dev/tty")
            .ok()?;
        tcgetpgrp(&file).ok()?;
        Some(Terminal {
            own: Some(file),
            given: false,
        })
    }

    /// The descriptor the command makes itself the foreground with at its start. Only where it
    /// reads from the terminal: of a pipeline's members only the first may have it.
    pub fn for_start(&self) -> Option<RawFd> {
        (self.own.is_none() && self.is_ours()).then_some(0)
    }

    pub fn started(&mut self) {
        self.given = true;
    }

    fn handle(&self) -> BorrowedFd<'_> {
        match &self.own {
            Some(file) => file.as_fd(),
            // SAFETY: fd 0 is open for as long as the process lives; `startup` sees to it.
            None => unsafe { BorrowedFd::borrow_raw(io::stdin().as_raw_fd()) },
        }
    }

    fn is_ours(&self) -> bool {
        tcgetpgrp(self.handle()) == Ok(getpgrp())
    }

    /// The foreground is a group of our own again. Allowed from the background, too, as TTOU is
    /// blocked; a terminal that has gone needs nothing.
    pub fn take_back(&mut self) {
        if std::mem::take(&mut self.given) {
            let _ = tcsetpgrp(self.handle(), getpgrp());
        }
    }

    fn give(&mut self, group: i32) -> bool {
        let done = self.is_ours() && tcsetpgrp(self.handle(), Pid::from_raw(group)).is_ok();
        self.given |= done;
        done
    }

    /// The command was stopped. Either it wants the terminal and can have it, or our own group
    /// stops as it would if the command were a member; this returns when somebody lets it go on.
    pub fn on_command_stopped(&mut self, group: i32, signal: i32) {
        let wants_terminal = matches!(signal, libc::SIGTTIN | libc::SIGTTOU);
        if wants_terminal && self.give(group) {
            signals::send_group(group, libc::SIGCONT);
            return;
        }
        self.take_back();
        if stop_own_group() || signal == libc::SIGTSTP {
            // Continued, or nobody is there who could continue us; without a supervisor above it
            // the kernel would not have let TSTP stop the command either.
            self.on_continued(group);
        } else {
            // Any other stop was meant, and can only be ended by whoever made it.
            self.give(group);
        }
    }

    /// We were told to go on, perhaps as the foreground.
    pub fn on_continued(&mut self, group: i32) {
        self.give(group);
        signals::send_group(group, libc::SIGCONT);
    }
}

/// Stops this process and its group as the terminal would. False if the kernel refused, because
/// nobody could continue an orphaned group, a session's leader, or the first process of a pid
/// namespace.
fn stop_own_group() -> bool {
    let mut only = SigSet::empty();
    only.add(Signal::SIGTSTP);
    // With its default disposition and unblocked in this thread alone, TSTP stops us inside
    // `kill`, if it does at all. A stop signal takes a pending CONT away, so one that is pending afterwards ended the stop.
    if only.thread_unblock().is_err() {
        return false;
    }
    let _ = kill(Pid::from_raw(0), Signal::SIGTSTP);
    let _ = only.thread_block();
    take_pending(Signal::SIGCONT)
}

/// Takes a signal that is waiting for us. Left to the loop, this CONT would be handed on later, and
/// might undo the next stop.
fn take_pending(signal: Signal) -> bool {
    let mut only = SigSet::empty();
    only.add(signal);
    let at_once = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a set and a time that live through the call; no siginfo is asked for.
    unsafe { libc::sigtimedwait(only.as_ref(), std::ptr::null_mut(), &at_once) == signal as i32 }
}
