//! Sockets that reach a backend, without waiting for it.

use crate::{nucleus::resolve, protocol::Address};
use nix::{
    errno::Errno,
    sys::socket::{
        connect, getsockopt, setsockopt, socket, sockopt, AddressFamily, SockFlag, SockType,
        SockaddrLike, SockaddrStorage, UnixAddr,
    },
};
use std::{
    ffi::OsString,
    io,
    net::SocketAddr,
    os::fd::{AsRawFd, OwnedFd},
};

/// The places to try, in order.
pub fn places(address: &Address) -> io::Result<Vec<Place>> {
    match address {
        Address::Tcp { host, port } => Ok(resolve::addresses(host, *port)?
            .into_iter()
            .map(Place::Tcp)
            .collect()),
        Address::Unix { path } => Ok(vec![Place::Unix(UnixAddr::new(path.as_str())?)]),
    }
}

#[derive(Debug, Clone, Copy)]
pub enum Place {
    Tcp(SocketAddr),
    Unix(UnixAddr),
}

impl Place {
    /// A socket of its kind, and its address as the kernel wants it.
    pub fn socket(&self) -> nix::Result<(OwnedFd, SockaddrStorage)> {
        let (family, address) = match self {
            Place::Tcp(address) => {
                let family = match address {
                    SocketAddr::V4(_) => AddressFamily::Inet,
                    SocketAddr::V6(_) => AddressFamily::Inet6,
                };
                (family, SockaddrStorage::from(*address))
            }
            Place::Unix(address) => {
                // SAFETY: a whole address with its own length.
                let storage = unsafe {
                    SockaddrStorage::from_raw(address.as_ptr().cast(), Some(address.len()))
                };
                (AddressFamily::Unix, storage.ok_or(Errno::EINVAL)?)
            }
        };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(family, SockType::Stream, flags, None)?;
        if let Place::Tcp(place) = self {
            prepare(&fd, place);
        }
        Ok((fd, address))
    }
}

/// Bytes are passed on as they come, and what a listener accepts inherits it. None of it matters
/// for more than speed.
fn prepare(fd: &OwnedFd, place: &SocketAddr) {
    let _ = setsockopt(fd, sockopt::TcpNoDelay, &true);
    if place.ip().is_loopback() {
        // There is no congestion within a machine, but the machine's choice may pace what is sent
        // (BBR does), by timers that halve the throughput. This one never does, and is always there.
        let _ = setsockopt(fd, sockopt::TcpCongestion, &OsString::from("reno"));
    }
}

pub enum Dialled {
    Connected(OwnedFd),
    /// Told by its being writable; `outcome` says what became of it.
    UnderWay(OwnedFd),
}

pub fn dial(place: &Place) -> nix::Result<Dialled> {
    let (fd, address) = place.socket()?;
    let mut result = connect(fd.as_raw_fd(), &address);
    if result == Err(Errno::EINPROGRESS) {
        // Within the machine it is done by now, though the first call never says so.
        result = connect(fd.as_raw_fd(), &address);
    }
    match result {
        Ok(()) | Err(Errno::EISCONN) => Ok(Dialled::Connected(fd)),
        Err(Errno::EALREADY | Errno::EINPROGRESS) => Ok(Dialled::UnderWay(fd)),
        Err(error) => Err(error),
    }
}

pub fn outcome(fd: &OwnedFd) -> nix::Result<()> {
    match getsockopt(fd, sockopt::SocketError)? {
        0 => Ok(()),
        number => Err(Errno::from_raw(number)),
    }
}

/// It says nothing about the backend, and may be over in a moment: a shortage here, or a queue
/// there that is full (EAGAIN, of Unix sockets).
pub fn is_passing(error: Errno) -> bool {
    matches!(
        error,
        Errno::EAGAIN
            | Errno::EMFILE
            | Errno::ENFILE
            | Errno::ENOBUFS
            | Errno::ENOMEM
            | Errno::EADDRNOTAVAIL
    )
}
