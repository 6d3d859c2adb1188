//! Descriptors that services have given us to keep over their restarts (`FDSTORE=1`).
//!
//! They are watched for their end alone, which costs nothing until it comes.

use super::{
    given::Given,
    handover::{Packer, Passed, Unpacker},
};
use nix::{
    errno::Errno,
    libc,
    sys::{
        epoll::{Epoll, EpollEvent, EpollFlags},
        stat::fstat,
    },
};
use std::{
    collections::BTreeMap,
    os::fd::{AsFd, AsRawFd, RawFd},
};

/// Kept descriptors on their way to a successor: service, name, whether its end is watched.
pub type SavedStores = Vec<(String, String, bool, Passed)>;

/// For one service.
pub const KEPT_MAX: usize = 64;

#[derive(Default)]
pub struct Stores {
    by_service: BTreeMap<Box<str>, Vec<Kept>>,
    next_serial: u32,
}

struct Kept {
    fd: Given,
    name: Box<str>,
    serial: u32,
    watched: bool,
}

impl Stores {
    pub fn save(&self, packer: &mut Packer) -> SavedStores {
        let all = self.by_service.iter();
        all.flat_map(|(service, store)| store.iter().map(move |kept| (service, kept)))
            .map(|(service, kept)| {
                let (service, name) = (service.to_string(), kept.name.to_string());
                (service, name, kept.watched, packer.fd(&kept.fd))
            })
            .collect()
    }

    pub fn restore(&mut self, poller: &Epoll, saved: SavedStores, unpacker: &mut Unpacker) {
        for (service, name, watched, fd) in saved {
            if let Some(fd) = unpacker.fd(fd) {
                self.keep(poller, &service, &name, Given::new(fd), watched);
            }
        }
    }

    /// How many are kept.
    pub fn count(&self, service: &str) -> u32 {
        self.by_service
            .get(service)
            .map_or(0, |kept| kept.len() as u32)
    }

    /// False: there is no room. One that is kept already is not kept twice.
    pub fn keep(
        &mut self,
        poller: &Epoll,
        service: &str,
        name: &str,
        fd: Given,
        poll: bool,
    ) -> bool {
        let store = self.by_service.entry(service.into()).or_default();
        if store.iter().any(|kept| is_same_file(&kept.fd, &fd)) {
            return true;
        }
        if store.len() >= KEPT_MAX {
            return false;
        }
        self.next_serial = self.next_serial.wrapping_add(1);
        let serial = self.next_serial;
        // Hang-ups and errors are told without asking. Other files have neither, and to ask them
        // may take as long as their file system likes.
        let event = EpollEvent::new(EpollFlags::empty(), token(serial));
        let has_an_end = fd.is_socket() || fd.is_pipe();
        let watched = poll && has_an_end && poller.add(&fd, event).is_ok();
        store.push(Kept {
            fd,
            name: name.into(),
            serial,
            watched,
        });
        true
    }

    pub fn remove(&mut self, poller: &Epoll, service: &str, name: &str) {
        self.retain(poller, service, |kept| *kept.name != *name);
    }

    pub fn clear(&mut self, poller: &Epoll, service: &str) {
        self.retain(poller, service, |_| false);
    }

    /// The kernel reported the end of this one.
    pub fn ended(&mut self, poller: &Epoll, serial: u32) {
        let is_it = |kept: &Kept| kept.serial == serial;
        let found = self
            .by_service
            .iter()
            .find(|(_, store)| store.iter().any(is_it));
        if let Some(service) = found.map(|(service, _)| service.clone()) {
            self.retain(poller, &service, |kept| !is_it(kept));
        }
    }

    fn retain(&mut self, poller: &Epoll, service: &str, stays: impl Fn(&Kept) -> bool) {
        let Some(store) = self.by_service.get_mut(service) else {
            return;
        };
        store.retain(|kept| {
            let stays = stays(kept);
            if !stays && kept.watched {
                // Closing ours alone would not do: the service may have the same file open.
                let _ = poller.delete(kept.fd.as_fd());
            }
            stays
        });
        if store.is_empty() {
            self.by_service.remove(service);
        }
    }

    /// In the order they came.
    pub fn fds(&self, service: &str) -> Vec<RawFd> {
        let store = self.by_service.get(service);
        store
            .into_iter()
            .flatten()
            .map(|kept| kept.fd.as_fd().as_raw_fd())
            .collect()
    }

    /// As LISTEN_FDNAMES wants them.
    pub fn names(&self, service: &str) -> String {
        let store = self.by_service.get(service);
        let names: Vec<&str> = store
            .into_iter()
            .flatten()
            .map(|kept| &*kept.name)
            .collect();
        names.join(":")
    }

    /// The inodes of those that are sockets.
    pub fn sockets(&self, service: &str) -> Vec<u64> {
        let store = self.by_service.get(service).into_iter().flatten();
        store
            .filter(|kept| kept.fd.is_socket())
            .filter_map(|kept| fstat(&kept.fd).ok())
            .map(|status| status.st_ino)
            .collect()
    }
}

const TOKEN: u64 = 1 << 32;

fn token(serial: u32) -> u64 {
    TOKEN | u64::from(serial)
}

/// The serial of a kept descriptor that an event is about.
pub fn serial(token: u64) -> Option<u32> {
    (token & TOKEN != 0).then_some(token as u32)
}

/// Two descriptors for one open file.
fn is_same_file(one: &Given, other: &Given) -> bool {
    const KCMP_FILE: i32 = 0;
    let own = nix::unistd::getpid().as_raw();
    // SAFETY: no pointers. Kernels without this call keep a descriptor twice.
    let result = unsafe {
        libc::syscall(
            libc::SYS_kcmp,
            own,
            own,
            KCMP_FILE,
            one.as_fd().as_raw_fd() as libc::c_ulong,
            other.as_fd().as_raw_fd() as libc::c_ulong,
        )
    };
    Errno::result(result) == Ok(0)
}
