//! Taking leave of children: the supervisor's own and the orphans it has adopted.

use super::{
    children::Children,
    monotonic_ms,
    procfs::{self, Which},
    signals,
};
use crate::protocol::{Event, Exit};
use nix::{errno::Errno, libc};
use std::collections::{BTreeMap, HashSet};

/// Leftovers are counted with all that is below them, up to so many.
const COUNTED_MAX: usize = 100;
/// From so many orphans in a row they are reaped by the list.
const BURST: usize = 32;

/// A child that was reaped.
struct Dead {
    pid: i32,
    /// The set it was a root of.
    set: Option<u32>,
    /// It was that set's leader.
    leader: bool,
}

impl Children {
    /// To be called when CHLD came, which stands for any number of children.
    pub fn on_sigchld(&mut self, now: f64) -> Vec<Event> {
        self.watch_command();
        let dead = self.reap_all(now);
        // An orphan that belonged to no set, while no stop is at work, leaves nothing to look at.
        if dead.iter().all(|dead| dead.set.is_none()) && self.stopping.is_empty() {
            return Vec::new();
        }
        // The children of the dead are ours now, and the kernel's list names them.
        self.look(Which::Adopted);
        let mut events = Vec::new();
        for id in dead
            .iter()
            .filter(|dead| dead.leader)
            .filter_map(|dead| dead.set)
        {
            events.extend(self.last_words(id, now));
            events.extend(self.exited(id));
        }
        let mut touched: BTreeMap<u32, HashSet<i32>> = BTreeMap::new();
        for dead in dead {
            if let Some(id) = dead.set {
                touched.entry(id).or_default().insert(dead.pid);
            }
        }
        events.extend(
            touched
                .into_iter()
                .filter_map(|(id, dead)| self.roots_ended(id, &dead, now)),
        );
        events
    }

    /// Sets whose leader is no child of ours any more, as a script has waited for it.
    pub fn robbed(&mut self) -> Vec<u32> {
        let is_gone = |pid: i32| {
            // SAFETY: no siginfo is asked for.
            let result = unsafe {
                let what = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
                let nothing = std::ptr::null_mut();
                libc::waitid(libc::P_PID, pid.unsigned_abs(), nothing, what)
            };
            result < 0 && Errno::last() == Errno::ECHILD
        };
        let mut robbed = self.leaders();
        robbed.retain(|(_, leader)| is_gone(*leader));
        for (id, leader) in &robbed {
            self.roots.remove(leader);
            if let Some(set) = self.sets.get_mut(id) {
                set.roots.retain(|root| root != leader);
                set.exit = Some((Exit::Unknown(()), monotonic_ms()));
            }
        }
        robbed.into_iter().map(|(id, _)| id).collect()
    }

    /// The leader of this set was reaped.
    pub(super) fn exited(&mut self, id: u32) -> Option<Event> {
        if self.may_have_siblings(id) {
            self.look(Which::All);
        }
        let set = self.sets.get(&id)?;
        let mut leftovers = match set.roots.len() {
            0 if set.foreign.is_none() => 0,
            // With so many the number matters less than the time.
            many @ COUNTED_MAX.. => many as u32,
            _ => self.survey(id).len() as u32,
        };
        let is_unsure = self.is_unsure();
        let set = self.sets.get_mut(&id)?;
        if is_unsure || (self.blind && signals::send_group(set.group, 0)) {
            // Somebody is there, or may be; nobody can tell how many.
            leftovers = leftovers.max(1);
        }
        set.leftovers = leftovers;
        let (exit, at) = set.exit.clone()?;
        Some(Event::Exited {
            id,
            at,
            exit,
            core: set.core,
            leftovers,
        })
    }

    /// Until nobody who has ended is left.
    fn reap_all(&mut self, now: f64) -> Vec<Dead> {
        let mut dead = Vec::new();
        let mut orphans = 0;
        // Asking for anybody, the kernel goes through all our children until it finds one who has
        // ended.
        while let Some(found) = wait(libc::P_ALL, 0, libc::WEXITED | libc::WNOWAIT | self.whose) {
            let Some(reaped) = self.reap(found.pid, now) else {
                // It was there a moment ago and nobody else reaps. Trying again for ever would be
                // worse than leaving it for the next CHLD.
                break;
            };
            orphans = if reaped.set.is_none() { orphans + 1 } else { 0 };
            dead.push(reaped);
            if orphans == BURST {
                let listed = procfs::own_children(Which::Adopted).unwrap_or_default();
                let strangers = listed
                    .into_iter()
                    .filter(|pid| !self.roots.contains_key(pid));
                let strangers: Vec<i32> = strangers.collect();
                dead.extend(strangers.into_iter().filter_map(|pid| self.reap(pid, now)));
            }
        }
        dead
    }

    /// Reaps this child if it has ended. It is looked at before that: until then its number is its
    /// own.
    fn reap(&mut self, pid: i32, now: f64) -> Option<Dead> {
        let member = match self.roots.get(&pid) {
            Some(set) => set.or_else(|| self.members.get(&pid).copied()),
            // Adopted and ended since we last looked; a stop may know it as a descendant.
            None if self.members.contains_key(&pid) => {
                procfs::process(pid).and_then(|process| self.remembered(&process))
            }
            None => None,
        };
        if let Some(id) = member {
            self.hear_out(id, now);
        }
        let waited = wait(libc::P_PID, pid, libc::WEXITED)?;
        let exit = waited.exit();
        if let Some(stop) = member.and_then(|id| self.stop_of_mut(id)) {
            stop.ended(pid, now, &exit);
        }
        let leader = self.remove_root(pid, member, exit, now);
        if let Some(set) = member.and_then(|id| self.sets.get_mut(&id)) {
            set.core |= leader && waited.code == libc::CLD_DUMPED;
        }
        Some(Dead {
            pid,
            set: member,
            leader,
        })
    }

    /// True if it was the leader of its set.
    fn remove_root(&mut self, pid: i32, set: Option<u32>, exit: Exit, now: f64) -> bool {
        if self.roots.remove(&pid) == Some(None) {
            if let Some(rest) = self.rest.and_then(|id| self.sets.get_mut(&id)) {
                rest.roots.retain(|root| *root != pid);
            }
        }
        let Some(id) = set else {
            return false;
        };
        let Some(set) = self.sets.get_mut(&id) else {
            return false;
        };
        set.roots.retain(|root| *root != pid);
        let leader = set.is_running() && set.leader == pid;
        if leader && self.hand_over(id) {
            return false;
        }
        let Some(set) = self.sets.get_mut(&id).filter(|_| leader) else {
            return false;
        };
        set.exit = Some((exit, now));
        if set.foreground {
            if let Some(terminal) = &mut self.terminal {
                terminal.take_back();
            }
        }
        true
    }

    /// Single-command mode: a command that was stopped at the terminal stops us, too. Returns when
    /// we were continued.
    fn watch_command(&mut self) {
        let (Some(leader), true) = (self.foreground(), self.terminal.is_some()) else {
            return;
        };
        if let (Some(stopped), Some(terminal)) = (
            wait(libc::P_PID, leader, libc::WSTOPPED),
            &mut self.terminal,
        ) {
            terminal.on_command_stopped(leader, stopped.status);
        }
    }
}

/// What waitid(2) tells.
struct Waited {
    pid: i32,
    code: i32,
    status: i32,
}

impl Waited {
    fn exit(&self) -> Exit {
        match self.code {
            libc::CLD_EXITED => Exit::Code(self.status),
            _ => Exit::Signal(signals::name(self.status)),
        }
    }
}

/// Never waits. `None`: there is none.
fn wait(kind: libc::idtype_t, pid: i32, what: i32) -> Option<Waited> {
    loop {
        // SAFETY: an all-zero siginfo is a valid one, waitid only writes to it, and the fields
        // read are those it fills (or leaves zero).
        let (result, pid, status, code) = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let result = libc::waitid(kind, pid.unsigned_abs(), &mut info, what | libc::WNOHANG);
            (result, info.si_pid(), info.si_status(), info.si_code)
        };
        if result == 0 {
            return (pid > 0).then_some(Waited { pid, code, status });
        }
        // ECHILD: no children at all.
        if Errno::last() != Errno::EINTR {
            return None;
        }
    }
}
