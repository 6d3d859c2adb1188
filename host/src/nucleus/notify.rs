//! What processes tell of themselves: datagrams of sd_notify(3), or a line on a descriptor.
//!
//! Only a process of the set is listened to; the kernel vouches for who sent a datagram. Sets that
//! were started without a way to tell have nothing of this, and where no set has one, neither has
//! the supervisor.
//!
//! A service that floods us is left alone for a moment after every few datagrams: its socket fills
//! up, and it waits (or loses them) instead of us.

use super::{
    children::Children,
    datagram::{self, Datagram},
    fdstore::{self, SavedStores, Stores},
    foreign,
    given::{self, Given},
    handover::{Packer, Passed, Unpacker},
    notice::{self, Told},
    procfs,
    spawn::{failure, Extras},
};
use crate::protocol::{Event, Notice, Notify, SpawnFailure, SpawnSpec};
use nix::{
    errno::Errno,
    fcntl::{fcntl, FcntlArg, OFlag},
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags},
        socket::{bind, setsockopt, socket, sockopt, AddressFamily, SockFlag, SockType, UnixAddr},
        stat::{fchmod, umask, Mode},
    },
    unistd::{geteuid, getpid, pipe2, read},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::ErrorKind,
    mem,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::{
            fs::{FileTypeExt, MetadataExt},
            net::UnixDatagram,
        },
    },
    path::{Path, PathBuf},
};

/// Of one datagram's text.
const TEXT_MAX: usize = 4096;
/// Descriptors looked at in one turn, and datagrams (or reads) of each, at most.
const SOURCES_AT_ONCE: usize = 4;
const AT_ONCE: usize = 16;
/// So long is one left alone that had as many within this time.
const REST_MS: f64 = 20.0;
/// What a set tells within so long after its last notice is told as one.
const GAP_MS: f64 = 10.0;
/// Before the news of an end: more than the kernel keeps for a socket.
const DRAIN_MAX: usize = 1024;
const NAME_BYTES: usize = 16;

/// All that is listened to.
pub(super) struct Hearing {
    pub poller: Epoll,
    ears: BTreeMap<u32, Ear>,
    stores: Stores,
    /// Those that rest, or have news that is not told yet.
    restless: BTreeSet<u32>,
    notes: Vec<String>,
}

/// How a set can tell us something, and what it has told.
pub(super) struct Ear {
    source: Source,
    /// Who it was started as.
    uid: u32,
    notice: Option<Notice>,
    news: Option<Notice>,
    heard_at: f64,
    told_at: f64,
    watchdog_at: f64,
    rests_until: Option<f64>,
    /// How often it was read since then.
    counted: usize,
    counted_from: f64,
    /// The process that is to be the leader, and its start.
    main: Option<(i32, u64)>,
    /// Inodes of the sockets it got from us.
    given: Vec<u64>,
    /// Each is said once.
    complaints: BTreeSet<Complaint>,
}

enum Source {
    Socket {
        /// With it go the descriptors in datagrams that nobody has read.
        fd: Given,
        place: Option<Place>,
    },
    /// Reading end of a pipe; what comes after the first line is thrown away.
    Line(OwnedFd),
    Closed,
}

/// All that is listened to, on its way to a successor.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedHearing {
    ears: Vec<(u32, SavedEar)>,
    stores: SavedStores,
}

#[derive(Serialize, Deserialize)]
struct SavedEar {
    source: SavedSource,
    place: Option<(PathBuf, u64, u64)>,
    uid: u32,
    notice: Option<Notice>,
    news: Option<Notice>,
    heard_at: f64,
    watchdog_at: f64,
    main: Option<(i32, u64)>,
    given: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
enum SavedSource {
    Socket(Passed),
    Line(Passed),
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Complaint {
    Truncated,
    Stranger,
    MainPid,
    Full,
}

/// A socket's file, which goes with it.
struct Place {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let is_ours =
            |status: fs::Metadata| (status.dev(), status.ino()) == (self.device, self.inode);
        if fs::symlink_metadata(&self.path).is_ok_and(is_ours) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Hearing {
    fn new() -> nix::Result<Hearing> {
        Ok(Hearing {
            poller: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            ears: BTreeMap::new(),
            stores: Stores::default(),
            restless: BTreeSet::new(),
            notes: Vec::new(),
        })
    }

    pub(super) fn save(&self, packer: &mut Packer) -> SavedHearing {
        let ears = self.ears.iter();
        SavedHearing {
            ears: ears.map(|(id, ear)| (*id, ear.save(packer))).collect(),
            stores: self.stores.save(packer),
        }
    }

    /// Into one that hears nothing yet.
    pub(super) fn restore(&mut self, saved: SavedHearing, unpacker: &mut Unpacker) {
        for (id, saved) in saved.ears {
            let ear = Ear::restore(saved, unpacker);
            ear.watch(&self.poller, id, EpollFlags::EPOLLIN);
            if ear.next_deadline().is_some() {
                self.restless.insert(id);
            }
            self.ears.insert(id, ear);
        }
        self.stores.restore(&self.poller, saved.stores, unpacker);
    }

    /// How often this one may be read now. (The kernel keeps as few as ten datagrams for a socket,
    /// so that one look never finds many.)
    fn budget(&mut self, id: u32, now: f64) -> usize {
        let Some(ear) = self.ears.get_mut(&id) else {
            return 0;
        };
        if now - ear.counted_from > REST_MS {
            (ear.counted_from, ear.counted) = (now, 0);
        }
        AT_ONCE - ear.counted
    }

    /// Who has used it up gets a rest.
    fn count(&mut self, id: u32, times: usize, now: f64) {
        let Some(ear) = self.ears.get_mut(&id) else {
            return;
        };
        ear.counted += times;
        if ear.counted >= AT_ONCE {
            ear.counted = 0;
            ear.watch(&self.poller, id, EpollFlags::empty());
            ear.rests_until = Some(now + REST_MS);
            self.restless.insert(id);
        }
    }

    fn complain(&mut self, id: u32, what: Complaint, text: impl FnOnce() -> String) {
        let ear = self.ears.get_mut(&id);
        if ear.is_some_and(|ear| ear.complaints.insert(what)) {
            self.notes.push(text());
        }
    }

    /// Takes note of what a process of the set has told.
    fn note(&mut self, id: u32, service: &str, told: &Notice, now: f64) {
        let stored_fds = self.stores.count(service);
        let Some(ear) = self.ears.get_mut(&id) else {
            return;
        };
        for notice in [&mut ear.notice, &mut ear.news] {
            let notice = notice.get_or_insert_default();
            notice::merge(notice, told);
            notice.stored_fds = stored_fds;
        }
        ear.heard_at = now;
        if told.watchdog {
            ear.watchdog_at = now;
        }
        self.restless.insert(id);
    }

    fn next_deadline(&self) -> Option<f64> {
        let ears = self.restless.iter().filter_map(|id| self.ears.get(id));
        ears.filter_map(Ear::next_deadline).min_by(f64::total_cmp)
    }

    fn on_deadline(&mut self, now: f64) -> Vec<Event> {
        let mut events = Vec::new();
        for id in mem::take(&mut self.restless) {
            let Some(ear) = self.ears.get_mut(&id) else {
                continue;
            };
            if ear.rests_until.is_some_and(|until| until <= now) {
                ear.rests_until = None;
                ear.watch(&self.poller, id, EpollFlags::EPOLLIN);
            }
            if ear.told_at + GAP_MS <= now {
                events.extend(ear.tell(id, now));
            }
            if ear.next_deadline().is_some() {
                self.restless.insert(id);
            }
        }
        events
    }
}

impl Ear {
    fn save(&self, packer: &mut Packer) -> SavedEar {
        let (source, place) = match &self.source {
            Source::Socket { fd, place } => (
                SavedSource::Socket(packer.fd(fd)),
                place
                    .as_ref()
                    .map(|place| (place.path.clone(), place.device, place.inode)),
            ),
            Source::Line(fd) => (SavedSource::Line(packer.fd(fd)), None),
            Source::Closed => (SavedSource::Closed, None),
        };
        SavedEar {
            source,
            place,
            uid: self.uid,
            notice: self.notice.clone(),
            news: self.news.clone(),
            heard_at: self.heard_at,
            watchdog_at: self.watchdog_at,
            main: self.main,
            given: self.given.clone(),
        }
    }

    fn restore(saved: SavedEar, unpacker: &mut Unpacker) -> Ear {
        let place = saved.place.map(|(path, device, inode)| Place {
            path,
            device,
            inode,
        });
        let mut fd = |fd| unpacker.fd(fd);
        let source = match saved.source {
            SavedSource::Socket(socket) => fd(socket).map(|fd| Source::Socket {
                fd: Given::new(fd),
                place,
            }),
            SavedSource::Line(line) => fd(line).map(Source::Line),
            SavedSource::Closed => None,
        };
        Ear {
            notice: saved.notice,
            news: saved.news,
            heard_at: saved.heard_at,
            watchdog_at: saved.watchdog_at,
            main: saved.main,
            given: saved.given,
            ..Ear::new(source.unwrap_or(Source::Closed), saved.uid)
        }
    }

    fn new(source: Source, uid: u32) -> Ear {
        Ear {
            source,
            uid,
            notice: None,
            news: None,
            heard_at: 0.0,
            told_at: f64::NEG_INFINITY,
            watchdog_at: 0.0,
            rests_until: None,
            counted: 0,
            counted_from: 0.0,
            main: None,
            given: Vec::new(),
            complaints: BTreeSet::new(),
        }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.source {
            Source::Socket { fd, .. } => Some(fd.as_fd()),
            Source::Line(fd) => Some(fd.as_fd()),
            Source::Closed => None,
        }
    }

    fn watch(&self, poller: &Epoll, id: u32, what: EpollFlags) {
        if let Some(fd) = self.fd() {
            // A hang-up is told even when nothing is asked for, so a resting one is taken out.
            let _ = match what.is_empty() {
                true => poller.delete(fd),
                false => poller.add(fd, EpollEvent::new(what, u64::from(id))),
            };
        }
    }

    fn next_deadline(&self) -> Option<f64> {
        let news = self.news.as_ref().map(|_| self.told_at + GAP_MS);
        news.into_iter()
            .chain(self.rests_until)
            .min_by(f64::total_cmp)
    }

    fn tell(&mut self, id: u32, now: f64) -> Option<Event> {
        let notice = self.news.take()?;
        self.told_at = now;
        Some(Event::Notified {
            id,
            at: self.heard_at,
            notice,
        })
    }
}

/// The way to tell, as made for a child that is about to be born.
#[derive(Default)]
pub(super) struct Made {
    ear: Option<Ear>,
    pub extras: Extras,
    /// The child's end, ours only until it is born.
    _theirs: Option<OwnedFd>,
}

impl Children {
    /// What the spec asks for. Nothing is left of it if it is dropped.
    pub(super) fn make_ear(
        &mut self,
        spec: &SpawnSpec,
        uid: Option<u32>,
    ) -> Result<Made, SpawnFailure> {
        let Some(notify) = &spec.notify else {
            return Ok(Made::default());
        };
        let uid = uid.unwrap_or_else(|| geteuid().as_raw());
        self.ensure_hearing()
            .map_err(|errno| unavailable(errno, "no epoll instance"))?;
        match notify {
            Notify::Socket { path, watchdog_ms } => {
                let mut made = made_socket(path.as_deref(), *watchdog_ms, uid)?;
                self.pass_kept(spec, &mut made);
                Ok(made)
            }
            Notify::Descriptor { fd } => made_line(*fd, uid),
        }
    }

    /// Made when it is first needed.
    pub(super) fn ensure_hearing(&mut self) -> nix::Result<&mut Hearing> {
        let hearing = match self.hearing.take() {
            Some(hearing) => hearing,
            None => Box::new(Hearing::new()?),
        };
        Ok(self.hearing.insert(hearing))
    }

    /// The descriptors kept for the service are the next main process's.
    fn pass_kept(&self, spec: &SpawnSpec, made: &mut Made) {
        let Some(stores) = self.hearing.as_ref().map(|hearing| &hearing.stores) else {
            return;
        };
        let fds = stores.fds(&spec.service);
        if spec.role != "main" || fds.is_empty() {
            return;
        }
        let environment = &mut made.extras.environment;
        environment.push(("LISTEN_FDS", fds.len().to_string()));
        environment.push(("LISTEN_FDNAMES", stores.names(&spec.service)));
        made.extras.pid_variables.push("LISTEN_PID");
        made.extras.descriptors = fds.into_iter().zip(3..).collect();
        if let Some(ear) = &mut made.ear {
            ear.given = stores.sockets(&spec.service);
        }
    }

    /// The child was born.
    pub(super) fn open_ear(&mut self, id: u32, made: Made) {
        if let (Some(hearing), Some(ear)) = (&mut self.hearing, made.ear) {
            ear.watch(&hearing.poller, id, EpollFlags::EPOLLIN);
            hearing.ears.insert(id, ear);
        }
    }

    pub(super) fn close_ear(&mut self, id: u32) {
        if let Some(hearing) = &mut self.hearing {
            if let Some(ear) = hearing.ears.remove(&id) {
                ear.watch(&hearing.poller, id, EpollFlags::empty());
            }
            hearing.restless.remove(&id);
        }
    }

    /// Readable when `on_heard` has something to do. `None`: nobody has a way to tell us anything;
    /// once there is one it stays the same.
    pub fn hearing_fd(&self) -> Option<BorrowedFd<'_>> {
        self.hearing
            .as_ref()
            .map(|hearing| hearing.poller.0.as_fd())
    }

    /// One bounded turn of reading. `None`: there was nothing to do.
    pub fn on_heard(&mut self, now: f64) -> Option<Vec<Event>> {
        let mut ready = [EpollEvent::empty(); SOURCES_AT_ONCE];
        let poller = &self.hearing.as_ref()?.poller;
        let count = poller.wait(&mut ready, 0u8).unwrap_or(0);
        if count == 0 {
            return None;
        }
        let mut events = Vec::new();
        for event in ready.get(..count)? {
            let token = event.data();
            if let Some(id) = foreign::set_of(token) {
                events.extend(self.on_leader_end(id, now));
            } else if let Some(serial) = fdstore::serial(token) {
                let hearing = self.hearing.as_mut()?;
                hearing.stores.ended(&hearing.poller, serial);
            } else {
                let id = token as u32;
                let budget = self.hearing.as_mut()?.budget(id, now);
                let times = match self.hear(id, budget, now) {
                    // Ready, and yet not to be read: a shortage, which is not tried again at once.
                    0 => budget,
                    times => times,
                };
                self.hearing.as_mut()?.count(id, times, now);
            }
        }
        events.extend(self.on_hearing_deadline(now));
        Some(events)
    }

    pub(super) fn hearing_deadline(&self) -> Option<f64> {
        self.hearing.as_ref()?.next_deadline()
    }

    pub(super) fn on_hearing_deadline(&mut self, now: f64) -> Vec<Event> {
        let hearing = self.hearing.as_mut();
        hearing.map_or(Vec::new(), |hearing| hearing.on_deadline(now))
    }

    /// Reads all that a set has told until now: before one of its processes is reaped, as it may
    /// be the one that told it.
    pub(super) fn hear_out(&mut self, id: u32, now: f64) {
        if self.hearing.is_some() {
            self.hear(id, DRAIN_MAX, now);
        }
    }

    /// What is to be told before the news of the set's end.
    pub(super) fn last_words(&mut self, id: u32, now: f64) -> Option<Event> {
        self.hearing.as_mut()?.ears.get_mut(&id)?.tell(id, now)
    }

    /// Sentences for the console.
    pub fn hearing_notes(&mut self) -> Vec<String> {
        let notes = self.hearing.as_mut().map(|hearing| &mut hearing.notes);
        notes.map(mem::take).unwrap_or_default()
    }

    /// For a fresh brain: what was told, and when the last `WATCHDOG=1` came.
    pub(super) fn told(&self, id: u32, service: &str) -> (Option<Notice>, f64) {
        let Some(hearing) = &self.hearing else {
            return (None, 0.0);
        };
        let Some(ear) = hearing.ears.get(&id) else {
            return (None, 0.0);
        };
        let mut notice = ear.notice.clone();
        if let Some(notice) = &mut notice {
            notice.stored_fds = hearing.stores.count(service);
        }
        (notice, ear.watchdog_at)
    }

    pub fn drop_fds(&mut self, service: &str) {
        if let Some(hearing) = &mut self.hearing {
            hearing.stores.clear(&hearing.poller, service);
        }
    }

    #[cfg(test)]
    pub fn kept(&self, service: &str) -> u32 {
        let hearing = self.hearing.as_ref();
        hearing.map_or(0, |hearing| hearing.stores.count(service))
    }

    /// The inodes of the sockets that a set got from us.
    pub fn given_sockets(&self, id: u32) -> &[u64] {
        let ear = self
            .hearing
            .as_ref()
            .and_then(|hearing| hearing.ears.get(&id));
        ear.map_or(&[], |ear| &ear.given)
    }

    /// The process that told that it is to be the leader, while it lives.
    pub(super) fn named_main(&self, id: u32) -> Option<procfs::Process> {
        let (pid, started) = self.hearing.as_ref()?.ears.get(&id)?.main?;
        procfs::process(pid).filter(|process| process.started == started)
    }

    pub(super) fn unname_main(&mut self, id: u32) {
        if let Some(ear) = self
            .hearing
            .as_mut()
            .and_then(|hearing| hearing.ears.get_mut(&id))
        {
            ear.main = None;
        }
    }

    /// Reads from one set, at most so many times; returns how often there was something.
    fn hear(&mut self, id: u32, times_max: usize, now: f64) -> usize {
        let mut text = [0; TEXT_MAX];
        let mut trusted = None;
        for times in 0..times_max {
            let Some(ear) = self
                .hearing
                .as_ref()
                .and_then(|hearing| hearing.ears.get(&id))
            else {
                return times;
            };
            match &ear.source {
                // Too many descriptors wait to be closed.
                Source::Socket { .. } if given::is_full() => return times,
                Source::Socket { fd, .. } => match datagram::receive(fd.as_fd(), &mut text) {
                    Ok(datagram) => {
                        let length = datagram.length.min(TEXT_MAX);
                        self.on_datagram(id, datagram, &text[..length], &mut trusted, now);
                    }
                    // Also shortages: what is still there is read when there is room again.
                    Err(_) => return times,
                },
                Source::Line(fd) => match read(fd, &mut text) {
                    Ok(0) => {
                        self.end_line(id);
                        return times;
                    }
                    Ok(length) => self.on_line(id, &text[..length], now),
                    Err(_) => return times,
                },
                Source::Closed => return times,
            }
        }
        times_max
    }

    fn on_line(&mut self, id: u32, bytes: &[u8], now: f64) {
        let Some(hearing) = &mut self.hearing else {
            return;
        };
        let is_first = hearing
            .ears
            .get(&id)
            .is_some_and(|ear| ear.notice.is_none());
        if is_first && memchr::memchr(b'\n', bytes).is_some() {
            let told = Notice {
                ready: true,
                ..Notice::default()
            };
            hearing.note(id, "", &told, now);
        }
    }

    /// Nobody has the writing end any more.
    fn end_line(&mut self, id: u32) {
        if let Some(hearing) = &mut self.hearing {
            if let Some(ear) = hearing.ears.get_mut(&id) {
                ear.watch(&hearing.poller, id, EpollFlags::empty());
                ear.source = Source::Closed;
            }
        }
    }

    /// `trusted`: a sender of this turn who was found to be of the set.
    fn on_datagram(
        &mut self,
        id: u32,
        datagram: Datagram,
        text: &[u8],
        trusted: &mut Option<i32>,
        now: f64,
    ) {
        let told = notice::parse(text);
        if told.barrier {
            // All before it was taken; dropping the descriptor is the answer.
            return;
        }
        if *trusted != Some(datagram.pid) && !self.may_tell(id, &datagram) {
            let pid = datagram.pid;
            self.complain(id, Complaint::Stranger, |service| {
                format!("{service}: process {pid} is none of its own; what it tells over NOTIFY_SOCKET is ignored")
            });
            return;
        }
        *trusted = Some(datagram.pid);
        if datagram.truncated {
            self.complain(id, Complaint::Truncated, |service| {
                format!(
                    "{service}: a message over NOTIFY_SOCKET was longer than {TEXT_MAX} bytes or had more than {} descriptors, and was ignored",
                    datagram::FDS_MAX
                )
            });
            return;
        }
        if told.is_news() {
            self.act_on(id, told, datagram.fds, now);
        }
    }

    fn act_on(&mut self, id: u32, mut told: Told, fds: Vec<Given>, now: f64) {
        let Some(service) = self.sets.get(&id).and_then(|set| set.service()) else {
            return;
        };
        if let Some(pid) = told.notice.main_pid {
            if !self.name_main(id, pid) {
                told.notice.main_pid = None;
                self.complain(id, Complaint::MainPid, |service| {
                    format!("{service}: it named process {pid} as its main one (MAINPID), which is none of its own; that is ignored")
                });
            }
        }
        let Some(hearing) = &mut self.hearing else {
            return;
        };
        if told.store {
            let room = fds.into_iter().all(|fd| {
                let poller = &hearing.poller;
                hearing
                    .stores
                    .keep(poller, &service, told.name(), fd, told.poll)
            });
            if !room {
                hearing.complain(id, Complaint::Full, || {
                    format!(
                        "{service}: {} descriptors are kept for it already (FDSTORE); no more are",
                        fdstore::KEPT_MAX
                    )
                });
            }
        } else if let (true, Some(name)) = (told.remove, &told.name) {
            hearing.stores.remove(&hearing.poller, &service, name);
        }
        hearing.note(id, &service, &told.notice, now);
    }

    fn complain(&mut self, id: u32, what: Complaint, text: impl FnOnce(&str) -> String) {
        let service = self
            .sets
            .get(&id)
            .and_then(|set| set.service())
            .unwrap_or_default();
        if let Some(hearing) = &mut self.hearing {
            hearing.complain(id, what, || text(&service));
        }
    }

    /// False: it is no process of the set.
    fn name_main(&mut self, id: u32, pid: u32) -> bool {
        let Ok(pid) = i32::try_from(pid) else {
            return false;
        };
        let process = procfs::process(pid).filter(|process| !process.zombie);
        let leads = self.sets.get(&id).is_some_and(|set| set.leader == pid);
        let named = match process {
            _ if leads => None,
            Some(process) if self.is_member(id, pid) == Some(true) => Some((pid, process.started)),
            _ => return false,
        };
        if let Some(ear) = self
            .hearing
            .as_mut()
            .and_then(|hearing| hearing.ears.get_mut(&id))
        {
            ear.main = named;
        }
        true
    }

    /// Who has gone already cannot be placed any more. It is believed if it was the user that the
    /// set was started as: who is that user may do more to its processes than to speak for them.
    fn may_tell(&self, id: u32, datagram: &Datagram) -> bool {
        match self.is_member(id, datagram.pid) {
            Some(known) => known,
            None => {
                let ear = self
                    .hearing
                    .as_ref()
                    .and_then(|hearing| hearing.ears.get(&id));
                datagram.pid > 0 && ear.is_some_and(|ear| ear.uid == datagram.uid)
            }
        }
    }

    /// The leader has ended. True if the process that was named in time is the leader now, and so
    /// a child of ours.
    pub(super) fn hand_over(&mut self, id: u32) -> bool {
        let main = self
            .named_main(id)
            .filter(|main| main.parent == getpid().as_raw());
        self.unname_main(id);
        let (Some(main), Some(set)) = (main, self.sets.get_mut(&id)) else {
            return false;
        };
        set.leader = main.pid;
        set.group = main.group;
        if self.roots.insert(main.pid, Some(id)) != Some(Some(id)) {
            set.roots.push(main.pid);
            // A stop at work may not have met it yet.
            self.press(id, Some(&[main.pid]));
        }
        true
    }
}

fn unavailable(errno: Errno, what: &str) -> SpawnFailure {
    let message = format!(
        "no way for it to tell that it is ready: {what}: {}",
        errno.desc()
    );
    failure("notify", errno, message)
}

fn made_socket(
    path: Option<&str>,
    watchdog_ms: Option<f64>,
    uid: u32,
) -> Result<Made, SpawnFailure> {
    let fd = socket(
        AddressFamily::Unix,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        None,
    )
    .map_err(|errno| unavailable(errno, "no socket"))?;
    // Before it has a name, so that the kernel vouches for every sender.
    setsockopt(&fd, sockopt::PassCred, &true)
        .map_err(|errno| unavailable(errno, "no credentials"))?;
    let (name, place) = match path {
        Some(path) => (path.to_owned(), Some(bind_path(&fd, path)?)),
        None => (bind_abstract(&fd)?, None),
    };
    let mut extras = Extras::default();
    extras.environment.push(("NOTIFY_SOCKET", name));
    if let Some(ms) = watchdog_ms {
        let micros = (ms * 1000.0) as u64;
        extras
            .environment
            .push(("WATCHDOG_USEC", micros.to_string()));
        extras.pid_variables.push("WATCHDOG_PID");
    }
    Ok(Made {
        ear: Some(Ear::new(
            Source::Socket {
                fd: Given::new(fd),
                place,
            },
            uid,
        )),
        extras,
        _theirs: None,
    })
}

fn bind_abstract(fd: &OwnedFd) -> Result<String, SpawnFailure> {
    let unnamed = |errno| unavailable(errno, "no name for its socket");
    let random = datagram::unguessable(NAME_BYTES)
        .map_err(|error| unnamed(Errno::from_raw(error.raw_os_error().unwrap_or(0))))?;
    let name = format!("oneup/{random}");
    let address = UnixAddr::new_abstract(name.as_bytes()).map_err(unnamed)?;
    bind(fd.as_raw_fd(), &address).map_err(unnamed)?;
    Ok(format!("@{name}"))
}

/// Any user may write to it: programs give up rights on their own, and who is listened to is not
/// told by the file's mode. It is born with that mode: the folder may be the service's, which could
/// put a link in its place before a chmod.
fn bind_path(fd: &OwnedFd, path: &str) -> Result<Place, SpawnFailure> {
    let refused = |errno: Errno, why: &str| {
        failure(
            "notify",
            errno,
            format!("cannot make the socket \"{path}\": {why}"),
        )
    };
    let address =
        UnixAddr::new(path).map_err(|errno| refused(errno, "the path is longer than 107 bytes"))?;
    fchmod(fd, Mode::from_bits_truncate(0o666))
        .map_err(|errno| refused(errno, "it cannot be opened to its service"))?;
    let mut bound = bind_open(fd, &address);
    if bound == Err(Errno::EADDRINUSE) {
        remove_dead(Path::new(path)).map_err(|why| refused(Errno::EADDRINUSE, why))?;
        bound = bind_open(fd, &address);
    }
    bound.map_err(|errno| refused(errno, &errno.desc().to_lowercase()))?;
    let status = fs::symlink_metadata(path).map_err(|error| {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
        refused(errno, "it has gone at once")
    })?;
    Ok(Place {
        path: path.into(),
        device: status.dev(),
        inode: status.ino(),
    })
}

/// The file's mode is the socket's own. (None of our other threads makes files.)
fn bind_open(fd: &OwnedFd, address: &UnixAddr) -> nix::Result<()> {
    let before = umask(Mode::empty());
    let bound = bind(fd.as_raw_fd(), address);
    umask(before);
    bound
}

/// Removes a socket that nobody listens on, and nothing else.
fn remove_dead(path: &Path) -> Result<(), &'static str> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|status| status.file_type().is_socket());
    if !is_socket {
        return Err("there is another file; remove it, or choose another path");
    }
    let answer = UnixDatagram::unbound().and_then(|probe| probe.connect(path));
    match answer {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|_| "there is a dead socket that cannot be removed")
        }
        _ => Err("another program listens there"),
    }
}

fn made_line(fd: u32, uid: u32) -> Result<Made, SpawnFailure> {
    let target = i32::try_from(fd).unwrap_or(-1);
    if target < 3 {
        let message = format!("{fd} is no descriptor for telling readiness: they begin at 3");
        return Err(failure("notify", Errno::EINVAL, message));
    }
    let (ours, theirs) = pipe2(OFlag::O_CLOEXEC)
        .and_then(|ends| fcntl(&ends.0, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map(|_| ends))
        .map_err(|errno| unavailable(errno, "no pipe"))?;
    let mut extras = Extras::default();
    extras.descriptors.push((theirs.as_raw_fd(), target));
    Ok(Made {
        ear: Some(Ear::new(Source::Line(ours), uid)),
        extras,
        _theirs: Some(theirs),
    })
}
