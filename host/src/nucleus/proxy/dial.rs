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
        Ok((socket(family, SockType::Stream, flags, None)?, address))
    }

    pub fn is_tcp(&self) -> bool {
        matches!(self, Place::Tcp(_))
    }
}

pub enum Dialled {
    Connected(OwnedFd),
    /// Told by its being writable; `outcome` says what became of it.
    UnderWay(OwnedFd),
}

pub fn dial(place: &Place) -> nix::Result<Dialled> {
    let (fd, address) = place.socket()?;
    if place.is_tcp() {
        // Bytes are passed on as they come.
        let _ = setsockopt(&fd, sockopt::TcpNoDelay, &true);
    }
    match connect(fd.as_raw_fd(), &address) {
        Ok(()) => Ok(Dialled::Connected(fd)),
        Err(Errno::EINPROGRESS) => Ok(Dialled::UnderWay(fd)),
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
