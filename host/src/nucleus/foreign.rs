//! Process sets that another supervisor started, and that this one goes on with: none of their
//! processes descends from us, so nobody tells us of orphans, and we can reap nobody.
//!
//! The leader is watched by a descriptor that was made while its parent could vouch for it, so its
//! number cannot be mistaken. How it ended is known where the kernel keeps that for such a
//! descriptor (from 6.15 on). Who else belongs to the set is found by a walk over all processes:
//! those known before, what descends from them, their group and session, their cgroup, and the
//! marker in the environment. While such a set is being stopped the walk is repeated, as no end
//! but the leader's is told.

use super::{
    children::{Children, Seen, Set},
    procfs::{self, Environment, Process},
    signals,
};
use crate::protocol::{Event, Exit, Found};
use nix::{
    errno::Errno,
    libc,
    sys::epoll::{EpollEvent, EpollFlags},
};
use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
};

/// How the leader ended is known only after its parent has taken leave of it. That parent is not
/// ours to hurry.
const REAPED_WITHIN_MS: f64 = 1000.0;
const ASK_AGAIN_MS: f64 = 10.0;
/// Marks what these descriptors tell among all that is listened to.
const TOKEN: u64 = 1 << 33;

/// What such a set has besides.
#[derive(Default)]
pub(super) struct Foreign {
    pub watch: Option<Watch>,
    /// Its processes, as far as they were seen: ids and starts.
    pub known: RefCell<HashMap<i32, u64>>,
}

/// The leader, as long as its end was not told.
pub(super) struct Watch {
    pub pidfd: OwnedFd,
    /// It has ended: when that was seen, and when to ask again how.
    ended: Option<(f64, f64)>,
}

/// The set whose leader an event is about.
pub(super) fn set_of(token: u64) -> Option<u32> {
    (token & TOKEN != 0).then_some(token as u32)
}

/// `None` where there is no such process, or the kernel (before 5.3) has no such descriptors.
pub(super) fn pidfd(pid: i32) -> Option<OwnedFd> {
    // SAFETY: no pointers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    // SAFETY: a descriptor the kernel has just made for us.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// How it ended, if the kernel tells (yet).
fn exit_of(pidfd: &OwnedFd) -> Option<Exit> {
    /// As the kernel has it since 6.13, its first form.
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        mask: u64,
        cgroup: u64,
        ids: [u32; 11],
        exit_status: i32,
    }
    const EXIT: u64 = 1 << 3;
    let request = nix::request_code_readwrite!(0xFF, 11, size_of::<Info>());
    let mut info = Info {
        mask: EXIT,
        ..Info::default()
    };
    // SAFETY: the call writes one such record, of the size that its number names.
    let result = unsafe { libc::ioctl(pidfd.as_raw_fd(), request, &mut info) };
    (result == 0 && info.mask & EXIT != 0).then(|| match info.exit_status {
        status if libc::WIFSIGNALED(status) => Exit::Signal(signals::name(libc::WTERMSIG(status))),
        status => Exit::Code(libc::WEXITSTATUS(status)),
    })
}

impl Foreign {
    /// Whether the leader lives, or nobody has been told of its end.
    pub fn is_watched(&self) -> bool {
        self.watch.is_some()
    }

    pub fn send_leader(&self, number: i32) -> bool {
        let Some(watch) = &self.watch else {
            return false;
        };
        let nothing = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: without a siginfo the kernel makes one up.
        let result = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                watch.pidfd.as_raw_fd(),
                number,
                nothing,
                0,
            )
        };
        Errno::result(result).is_ok()
    }
}

impl Children {
    /// From now on the end of this set's leader is told.
    pub(super) fn watch_leader(&mut self, id: u32, pidfd: OwnedFd) {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, TOKEN | u64::from(id));
        if let Ok(hearing) = self.ensure_hearing() {
            // Without memory for it, its end is found when it is to be stopped.
            let _ = hearing.poller.add(&pidfd, event);
        }
        if let Some(set) = self.sets.get_mut(&id) {
            let foreign = set.foreign.get_or_insert_default();
            foreign.watch = Some(Watch { pidfd, ended: None });
        }
    }

    /// Its descriptor is readable: it has ended, and perhaps was reaped.
    pub(super) fn on_leader_end(&mut self, id: u32, now: f64) -> Vec<Event> {
        if let (Some(hearing), Some(watch)) = (
            &self.hearing,
            self.sets.get(&id).and_then(|set| set.watch()),
        ) {
            // It stays readable for ever.
            let _ = hearing.poller.delete(&watch.pidfd);
        }
        if let Some(watch) = self.sets.get_mut(&id).and_then(|set| set.watch_mut()) {
            watch.ended = Some((now, now));
        }
        self.on_foreign_deadline(now)
    }

    pub(super) fn foreign_deadline(&self) -> Option<f64> {
        let ended = self.sets.values().filter_map(|set| set.watch()?.ended);
        ended.map(|(_, again)| again).min_by(f64::total_cmp)
    }

    /// Asks again for those whose end is known and its manner not.
    pub(super) fn on_foreign_deadline(&mut self, now: f64) -> Vec<Event> {
        let is_due = |set: &Set| {
            let ended = set.watch().and_then(|watch| watch.ended);
            ended.is_some_and(|(_, again)| again <= now)
        };
        let due = self.sets.iter().filter(|(_, set)| is_due(set));
        let due: Vec<u32> = due.map(|(id, _)| *id).collect();
        due.into_iter()
            .flat_map(|id| self.ask_for_end(id, now))
            .collect()
    }

    fn ask_for_end(&mut self, id: u32, now: f64) -> Vec<Event> {
        let Some(watch) = self.sets.get_mut(&id).and_then(|set| set.watch_mut()) else {
            return Vec::new();
        };
        let since = watch.ended.map_or(now, |(since, _)| since);
        match exit_of(&watch.pidfd) {
            None if now - since < REAPED_WITHIN_MS => {
                watch.ended = Some((since, now + ASK_AGAIN_MS));
                Vec::new()
            }
            exit => self.leader_ended(id, exit.unwrap_or(Exit::Unknown(())), now),
        }
    }

    fn leader_ended(&mut self, id: u32, exit: Exit, now: f64) -> Vec<Event> {
        self.hear_out(id, now);
        let Some(set) = self.sets.get_mut(&id) else {
            return Vec::new();
        };
        let leader = set.leader;
        if let Some(foreign) = &mut set.foreign {
            foreign.watch = None;
        }
        if let Some(stop) = set.stop.as_deref_mut() {
            stop.ended(leader, now, &exit);
        }
        if self.pass_on(id) {
            return Vec::new();
        }
        if let Some(set) = self.sets.get_mut(&id) {
            set.exit = Some((exit, now));
        }
        let mut events: Vec<Event> = self.last_words(id, now).into_iter().collect();
        events.extend(self.exited(id));
        events.extend(self.settle(id, now));
        events
    }

    /// True if the process that was named in time is the leader now.
    fn pass_on(&mut self, id: u32) -> bool {
        let main = self.named_main(id);
        self.unname_main(id);
        let watched = main.and_then(|main| {
            let pidfd = pidfd(main.pid)?;
            let same = procfs::process(main.pid)?.started == main.started;
            same.then_some((main, pidfd))
        });
        let (Some((main, pidfd)), Some(set)) = (watched, self.sets.get_mut(&id)) else {
            return false;
        };
        set.leader = main.pid;
        set.group = main.group;
        self.watch_leader(id, pidfd);
        true
    }

    /// Every process of such a set that has not ended.
    pub(super) fn survey_foreign(&self, id: u32, set: &Set, foreign: &Foreign) -> Vec<Seen> {
        let Some(all) = procfs::everybody() else {
            let alive = foreign.watch.as_ref().is_some_and(|w| w.ended.is_none());
            return alive
                .then(|| Seen {
                    process: procfs::process_or_ids(set.leader),
                    found: Found::Child,
                    root: 0,
                })
                .into_iter()
                .collect();
        };
        let mut known = foreign.known.borrow_mut();
        let found = self.members_among(&all, id, set, &known);
        known.clear();
        known.extend(
            found
                .iter()
                .map(|(process, _)| (process.pid, process.started)),
        );
        let living = found.into_iter().filter(|(process, _)| !process.zombie);
        living
            .map(|(process, found)| Seen {
                process,
                found,
                root: 0,
            })
            .collect()
    }

    fn members_among(
        &self,
        all: &[Process],
        id: u32,
        set: &Set,
        known: &HashMap<i32, u64>,
    ) -> Vec<(Process, Found)> {
        let in_leaf: HashSet<i32> = set
            .leaf
            .as_ref()
            .map(|leaf| leaf.processes().into_iter().collect())
            .unwrap_or_default();
        let is_known = |process: &Process| known.get(&process.pid) == Some(&process.started);
        // The number of a group belongs to it as long as it has a member; another process of that
        // number says that it had none for a while.
        let is_reused = |process: &&Process| process.pid == set.group && !is_known(process);
        let group_is_theirs = !all.iter().any(|process| is_reused(&process));
        let sign = |process: &Process| match process {
            _ if process.pid == set.leader && is_known(process) => Some(Found::Child),
            _ if group_is_theirs && process.group == set.group => Some(Found::Group),
            _ if group_is_theirs && process.session == set.group => Some(Found::Session),
            _ if in_leaf.contains(&process.pid) => Some(Found::Cgroup),
            _ if is_known(process) || self.has_marker_of(id, process) => Some(Found::Adopted),
            _ => None,
        };
        let mut members: HashMap<i32, Found> = HashMap::new();
        members.extend(all.iter().filter_map(|p| Some((p.pid, sign(p)?))));
        // What descends from them.
        loop {
            let below =
                |p: &&Process| !members.contains_key(&p.pid) && members.contains_key(&p.parent);
            let more: Vec<i32> = all.iter().filter(below).map(|p| p.pid).collect();
            if more.is_empty() {
                break;
            }
            members.extend(more.into_iter().map(|pid| (pid, Found::Child)));
        }
        all.iter()
            .filter_map(|process| Some((*process, *members.get(&process.pid)?)))
            .collect()
    }

    fn has_marker_of(&self, id: u32, process: &Process) -> bool {
        // Kernel threads have no environment.
        process.group != 0
            && match procfs::environment(process.pid) {
                Environment::Known(environment) => self.marked(&environment) == Some(id),
                Environment::Between | Environment::Hidden => false,
            }
    }

    /// For a stop at work: who has gone since the last look.
    pub(super) fn note_foreign_gone(&mut self, id: u32, now: f64) {
        if self.sets.get(&id).is_none_or(|set| set.foreign.is_none()) {
            return;
        }
        let there = self.survey(id);
        let there = there
            .iter()
            .map(|seen| (seen.process.pid, seen.process.started));
        let there: HashSet<(i32, u64)> = there.collect();
        if let Some(stop) = self.stop_of_mut(id) {
            stop.gone_but(&there, now);
        }
    }
}
