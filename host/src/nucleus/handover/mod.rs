//! Another program in our place, without the services noticing.
//!
//! Two roads lead there, and the same tables travel on both (`pack.rs`: a memory file and
//! descriptors). *In place*: the process executes its program, or a newer one, anew, and remains
//! the parent of all its children. *By a keeper*: the process leaves, and a small one (`keeper.rs`)
//! holds the descriptors until a later supervisor fetches them; that one goes on with processes
//! that are not its children (`foreign.rs`). Either way the successor's brain starts as after a
//! lost brain: from the configuration, the slate and the tables.

mod keeper;
mod leave;
mod pack;
mod tables;

pub use keeper::fetch;
pub use leave::Leaving;
pub use pack::{pairs, Packer, Passed, Span, Unpacker};
pub use tables::SavedChildren;

use super::{
    events::SavedEvents,
    listen::{SavedSocket, SocketFile},
    log::SavedLogs,
    log::Unwritten,
    startup::Inherited,
};
use crate::{
    protocol::{Batch, Boot, Event, Supervise},
    Programs,
};
use nix::{fcntl, libc};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    env,
    fs::File,
    io,
    net::TcpListener,
    os::{
        fd::{FromRawFd, OwnedFd, RawFd},
        unix::net::UnixListener,
    },
    path::PathBuf,
    process::ExitCode,
};

/// Tells a program of ours what it was started for: `adopt:FD`, `check:FD` or `keep:FD`, with the
/// number of the memory file.
const VARIABLE: &str = "ONEUP_HANDOVER";
/// What a program says that understands the tables.
const UNDERSTOOD: &str = "oneup understands\n";

/// How the tables travel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Road {
    Exec,
    Keeper,
}

/// All that a supervisor knows.
#[derive(Serialize, Deserialize)]
pub struct Saved {
    pub options: Supervise,
    /// Absolute, with symbolic links.
    started_by: Option<PathBuf>,
    /// Numbers of processes mean something only there.
    pid_namespace: Option<PathBuf>,
    seed: u32,
    next_id: u32,
    next_seq: u32,
    wall_started: f64,
    slate: BTreeMap<String, String>,
    /// Signals that no brain has seen: names and senders.
    signals: Vec<(String, u32, f64)>,
    child_logs: BTreeMap<u32, String>,
    children: SavedChildren,
    logs: SavedLogs,
    unwritten: Unwritten,
    events: SavedEvents,
    socket: Option<SavedSocket>,
    tcp: Option<Passed>,
}

/// What arrived.
pub struct Carried {
    pub saved: Saved,
    pub unpacker: Unpacker,
    pub road: Road,
}

impl Carried {
    pub fn inherited(&self) -> Option<Inherited> {
        (self.road == Road::Exec).then(|| self.saved.children.inherited.clone())
    }
}

impl Carried {
    /// Those that the former program listened with.
    pub fn listeners(&mut self) -> Listeners {
        let unpacker = &mut self.unpacker;
        let unix = self.saved.socket.take();
        let tcp = self.saved.tcp.take();
        (
            unix.and_then(|socket| socket.restore(unpacker)),
            tcp.and_then(|tcp| unpacker.fd(tcp)).map(TcpListener::from),
        )
    }
}

type Listeners = (Option<(UnixListener, SocketFile)>, Option<TcpListener>);

/// If this program was started for a handover, does its part. `None`: it was not.
pub fn take_part(programs: &Programs) -> Option<ExitCode> {
    let order = env::var(VARIABLE).ok()?;
    // Nobody else's business. There is no second thread yet that could read the environment.
    env::remove_var(VARIABLE);
    let (what, fd) = order.split_once(':')?;
    let fd: RawFd = fd.parse().ok().filter(|fd| *fd > 2)?;
    // SAFETY: the descriptor is open and nobody else's, as far as who set the variable can be
    // believed; if it is not open, every use fails cleanly.
    let file = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    let result = match what {
        "adopt" => adopt(programs, file),
        "check" => check(programs, &file).map(|()| ExitCode::SUCCESS),
        "keep" => keeper::keep(&file).map(|()| ExitCode::SUCCESS),
        _ => Err(format!("{VARIABLE}={order} means nothing")),
    };
    Some(result.unwrap_or_else(|reason| {
        eprintln!("oneup: handover: {reason}");
        ExitCode::FAILURE
    }))
}

/// We are the successor, in the same process.
fn adopt(programs: &Programs, file: File) -> Result<ExitCode, String> {
    let unreadable = |error: io::Error| format!("the tables cannot be read: {error}");
    let fds = pack::fds_of(&file).map_err(unreadable)?;
    let saved: Saved = pack::document_of(&file).map_err(unreadable)?;
    let fds = fds.into_iter().map(owned).collect();
    let carried = Carried {
        unpacker: Unpacker::new(file, fds),
        saved,
        road: Road::Exec,
    };
    super::resume(*programs, carried)
}

fn owned(fd: RawFd) -> Option<OwnedFd> {
    // SAFETY: no pointers.
    let open = unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0;
    // SAFETY: the former program left it to us, and each number is in the list once.
    open.then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Would this program be a good successor? It can read the tables, and its brain can start from
/// them. Nothing is done.
fn check(programs: &Programs, file: &File) -> Result<(), String> {
    let saved: Saved = pack::document_of(file).map_err(|error| error.to_string())?;
    let children = saved
        .children
        .records()
        .map_err(|error| format!("its process sets: {error}"))?;
    let boot = Boot {
        lost: None,
        renewed: true,
        config: saved.options.config,
        seed: saved.seed,
        next_id: saved.next_id,
        next_seq: saved.next_seq,
        children,
        slate: saved.slate,
        // Opened anew by the successor's brain.
        pid: std::process::id(),
        pid_one: false,
        wall_started: saved.wall_started,
        proxies: Vec::new(),
    };
    let batch = Batch {
        now: super::monotonic_ms(),
        wall: super::wall_ms(),
        events: vec![Event::Boot(Box::new(boot))],
    };
    crate::brain::try_out(programs.get(&saved.options.brain)?, &batch)?;
    print!("{UNDERSTOOD}");
    Ok(())
}

/// Whether a descriptor goes away with an execve.
fn set_close_on_exec(fd: RawFd, closes: bool) {
    let flags = match closes {
        true => fcntl::FdFlag::FD_CLOEXEC,
        false => fcntl::FdFlag::empty(),
    };
    // SAFETY: no pointers; a number that is not open is refused.
    unsafe { libc::fcntl(fd, libc::F_SETFD, flags.bits()) };
}
