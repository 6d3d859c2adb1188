//! Where a child's first three descriptors lead, if not all of them into its log.

use super::{children::Stdio, spawn};
use crate::protocol::{Input, Output, OwnStream, SpawnFailure, SpawnSpec};
use nix::{
    errno::Errno,
    fcntl::{fcntl, FcntlArg, OFlag},
    libc,
};
use std::{
    fs::OpenOptions,
    io,
    os::{
        fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
};

/// What was opened for one start; `None`: the log's pipe, or an empty input.
pub struct Opened {
    input: Option<OwnedFd>,
    out: Option<OwnedFd>,
    err: Option<OwnedFd>,
    err_follows: bool,
}

pub fn open(spec: &SpawnSpec) -> Result<Opened, SpawnFailure> {
    Ok(Opened {
        input: match spec.stdin {
            Input::Null => None,
            Input::Inherit => Some(copy_of(libc::STDIN_FILENO, "stdin")?),
        },
        out: leading_to(&spec.stdout, "stdout")?,
        err: leading_to(&spec.stderr, "stderr")?,
        err_follows: spec.stderr == Output::Same,
    })
}

impl Opened {
    /// `pipes`: the log's for stdout and stderr, made only where one of them is needed.
    pub fn stdio<'a>(
        &'a self,
        pipes: impl FnOnce() -> Result<(BorrowedFd<'a>, BorrowedFd<'a>), SpawnFailure>,
    ) -> Result<Stdio<'a>, SpawnFailure> {
        let own_out = self.out.as_ref().map(AsFd::as_fd);
        let own_err = match self.err_follows {
            true => own_out,
            false => self.err.as_ref().map(AsFd::as_fd),
        };
        let (out, err) = match (own_out, own_err) {
            (Some(out), Some(err)) => (out, err),
            _ => {
                let (log_out, log_err) = pipes()?;
                let out = own_out.unwrap_or(log_out);
                let follows = self.err_follows.then_some(out);
                (out, own_err.or(follows).unwrap_or(log_err))
            }
        };
        Ok(Stdio::Given {
            input: self.input.as_ref().map(AsFd::as_fd),
            out,
            err,
        })
    }
}

fn leading_to(output: &Output, step: &str) -> Result<Option<OwnedFd>, SpawnFailure> {
    match output {
        Output::Log | Output::Same => Ok(None),
        Output::Own { stream } => copy_of(
            match stream {
                OwnStream::Stdout => libc::STDOUT_FILENO,
                OwnStream::Stderr => libc::STDERR_FILENO,
            },
            step,
        )
        .map(Some),
        Output::File { path, mode } => append_to(path, *mode)
            .map(Some)
            .map_err(|error| failed(step, &error, &format!("cannot open {path}"))),
    }
}

/// Above the first three, so that it is still there when the child has exchanged those.
fn copy_of(fd: i32, step: &str) -> Result<OwnedFd, SpawnFailure> {
    // SAFETY: 0, 1 and 2 are open for the whole life of the supervisor (`startup::prepare`).
    let own = unsafe { BorrowedFd::borrow_raw(fd) };
    match fcntl(own, FcntlArg::F_DUPFD_CLOEXEC(3)) {
        // SAFETY: the call has just made it, and nobody else knows it.
        Ok(copy) => Ok(unsafe { OwnedFd::from_raw_fd(copy) }),
        Err(errno) => Err(failed(
            step,
            &errno.into(),
            "no copy of the supervisor's own",
        )),
    }
}

/// Does not wait for the reader of a FIFO: without one it fails.
fn append_to(path: &str, mode: u32) -> io::Result<OwnedFd> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(mode)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
        .open(path)?;
    // The child expects to be able to wait.
    fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND))?;
    Ok(file.into())
}

fn failed(step: &str, error: &io::Error, what: &str) -> SpawnFailure {
    let errno = error
        .raw_os_error()
        .map_or(Errno::UnknownErrno, Errno::from_raw);
    spawn::failure(step, errno, format!("{what}: {}", errno.desc()))
}
