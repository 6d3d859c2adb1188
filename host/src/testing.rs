//! What the tests share: waits that end. Each has a deadline of its own, so that what hangs becomes
//! a failure that names its place.

use std::{
    os::{fd::OwnedFd, unix::net::UnixStream},
    panic::resume_unwind,
    path::Path,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Far more than anything takes on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(100);

/// How often is looked at what nobody tells.
const LOOK: Duration = Duration::from_millis(2);

/// Looks until there is something.
#[track_caller]
pub fn await_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "waited too long for {what}");
        thread::sleep(LOOK);
    }
}

#[track_caller]
pub fn await_that(what: &str, mut holds: impl FnMut() -> bool) {
    await_some(what, || holds().then_some(()));
}

/// The end of a thread, and what it returned. A panic of it becomes ours.
#[track_caller]
pub fn join<T>(thread: JoinHandle<T>) -> T {
    await_that("the end of a thread", || thread.is_finished());
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// A connection whose every wait ends, that for a place in a full queue included.
#[track_caller]
pub fn connect(path: impl AsRef<Path>) -> std::io::Result<UnixStream> {
    use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr};
    let flags = SockFlag::SOCK_CLOEXEC;
    let fd: OwnedFd = socket::socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    let stream = UnixStream::from(fd);
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    let fd = std::os::fd::AsRawFd::as_raw_fd(&stream);
    socket::connect(fd, &UnixAddr::new(path.as_ref())?)?;
    Ok(stream)
}
