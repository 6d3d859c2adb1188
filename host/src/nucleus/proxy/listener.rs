//! One address of a proxy, listened on.

use super::dial::{self, Dialled, Place};
use crate::{
    nucleus::listen::{self, reason, SocketFile},
    protocol::Address,
};
use nix::{
    errno::Errno,
    libc,
    sys::socket::{accept4, bind, listen, setsockopt, sockopt, Backlog, SockFlag},
};
use std::{
    fs,
    io::{self, ErrorKind},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::fs::FileTypeExt,
    },
    path::Path,
};

/// As many as the machine allows (net.core.somaxconn).
const BACKLOG: i32 = 4096;

pub struct Listener {
    pub address: Address,
    pub fd: OwnedFd,
    file: Option<SocketFile>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            file.remove();
        }
    }
}

impl Listener {
    /// On the first of the places that its name stands for which is to be had. Says why not, with
    /// the address.
    pub fn open(address: &Address) -> Result<Listener, String> {
        let cannot = |error: &io::Error| format!("{}: {}", text(address), reason(error));
        let places = dial::places(address).map_err(|error| cannot(&error))?;
        let mut failure = io::Error::from(ErrorKind::AddrNotAvailable);
        for place in &places {
            match open_at(place, address) {
                Ok(listener) => return Ok(listener),
                Err(error) => failure = error,
            }
        }
        Err(cannot(&failure))
    }

    /// `None`: nobody waits.
    pub fn accept(&self) -> nix::Result<Option<OwnedFd>> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        loop {
            match accept4(self.fd.as_raw_fd(), flags) {
                // SAFETY: the kernel has just made it for us.
                Ok(fd) => return Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) })),
                Err(Errno::EAGAIN) => return Ok(None),
                // Of this one client, which has gone.
                Err(Errno::ECONNABORTED | Errno::EINTR | Errno::EPROTO) => {}
                // A shortage.
                Err(error) => return Err(error),
            }
        }
    }
}

fn open_at(place: &Place, address: &Address) -> io::Result<Listener> {
    let (fd, raw) = place.socket()?;
    let Address::Unix { path } = address else {
        setsockopt(&fd, sockopt::ReuseAddr, &true)?;
        bind(fd.as_raw_fd(), &raw)?;
        listen(&fd, Backlog::new(BACKLOG)?)?;
        return Ok(Listener {
            address: address.clone(),
            fd,
            file: None,
        });
    };
    let path = Path::new(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let lock = listen::lock_folder(path.parent().unwrap_or(Path::new(".")));
    remove_dead(path, place)?;
    bind(fd.as_raw_fd(), &raw)?;
    let file = SocketFile::of(path)?;
    drop(lock);
    let listener = Listener {
        address: address.clone(),
        fd,
        file: Some(file),
    };
    listen(&listener.fd, Backlog::new(BACKLOG)?)?;
    Ok(listener)
}

/// A socket that nobody listens on makes room. Anything else is somebody's.
fn remove_dead(path: &Path, place: &Place) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => {
            return Err(io::Error::other("it is there already and is no socket"));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other.map(drop)?,
    }
    match dial::dial(place) {
        Err(Errno::ECONNREFUSED) => fs::remove_file(path),
        Err(Errno::ENOENT) => Ok(()),
        Ok(Dialled::Connected(_) | Dialled::UnderWay(_)) | Err(_) => {
            Err(io::Error::from_raw_os_error(libc::EADDRINUSE))
        }
    }
}

/// As people write it.
pub fn text(address: &Address) -> String {
    match address {
        Address::Tcp { host, port } if host.contains(':') => format!("tcp:[{host}]:{port}"),
        Address::Tcp { host, port } => format!("tcp:{host}:{port}"),
        Address::Unix { path } => format!("unix:{path}"),
    }
}
