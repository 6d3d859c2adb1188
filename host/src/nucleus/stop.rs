//! Ending a process set, with proof.
//!
//! Every process of the set gets the signal and CONT once, and KILL at the deadline. Nothing is
//! polled: the set is looked at again when a child of ours ends, and only then, because
//!
//! - a process of the set either has an ancestor that is a child of ours and lives, or is a child
//!   of ours itself; so the set is not empty as long as it has such a child (a root), and the
//!   last process of it to end is a root, whose end the kernel tells us;
//! - when a root ends, its children become ours in the same moment, before it can be reaped: they
//!   are in the kernel's list when we look, are recognised and get what the others got;
//! - what is forked after we looked, by a process that lives on, is missed at first. When its
//!   parent ends it becomes ours and is found by the next look, at the latest by the one that
//!   would else find the set empty; if its parent does not end, by the walk over the whole tree at
//!   the deadline. With a KILL pending nobody can fork.
//!
//! A few cases have no root to wait for and are looked at again after a short while: `tree: false`
//! where a member of the group has a parent that left it, a cgroup that others were put into, a
//! machine without /proc, where a group may be all that is known, and an orphan met in the middle
//! of an execve, when it cannot be told whose it is.
//!
//! What stays beyond reach: on a machine without /proc, what left the group and its parents; where
//! there is no cgroup, an orphan that has left its session and has no readable marker in its
//! environment (it is ended by `StopRest`); and what others start in the set's name elsewhere,
//! such as a container of some container daemon.

use super::{
    children::{Children, Seen, Set},
    handover::pairs,
    procfs::{self, Process, Which},
    signals,
};
use crate::protocol::{Event, Exit, Found, Receipt, ReceiptProcess};
use nix::libc::{SIGCONT, SIGKILL, SIGSTOP, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

/// How long killed processes get to go away; one in an uninterruptible sleep may take for ever.
const AFTER_KILL_MS: f64 = 5000.0;
const RECHECK_MS: f64 = 50.0;
/// Walks over a tree that grows while it is walked.
const ROUNDS_MAX: usize = 4;

/// A stop at work.
#[derive(Serialize, Deserialize)]
pub(super) struct Stop {
    began: f64,
    signal: i32,
    tree: bool,
    phase: Phase,
    /// Where no child's end will tell: when to look again.
    recheck: Option<f64>,
    /// By pid and start, as a long stop may see a number twice.
    #[serde(with = "pairs")]
    members: BTreeMap<(i32, u64), Member>,
    /// The group as a whole got the signal, as some of its members cannot be seen.
    group_asked: bool,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Phase {
    Asked { deadline: f64 },
    Killed { give_up: f64 },
}

/// A process that this stop has found.
#[derive(Serialize, Deserialize)]
struct Member {
    command: String,
    found: Found,
    /// As in [`Seen`], when it was last seen.
    root: i32,
    asked: bool,
    killed: bool,
    /// Those that reached it.
    signals: Vec<i32>,
    left: Option<f64>,
    exit: Option<Exit>,
}

impl Stop {
    /// What asks a process to leave. CONT lets one that is stopped hear it, but takes back a
    /// signal that stops.
    fn asking(&self) -> Vec<i32> {
        match self.signal {
            SIGSTOP | SIGTSTP | SIGTTIN | SIGTTOU => vec![self.signal],
            signal => vec![signal, SIGCONT],
        }
    }

    fn new(signal: i32, tree: bool, deadline: f64, now: f64) -> Stop {
        let phase = if deadline <= now || signal == SIGKILL {
            Phase::Killed {
                give_up: now + AFTER_KILL_MS,
            }
        } else {
            Phase::Asked { deadline }
        };
        Stop {
            began: now,
            signal,
            tree,
            phase,
            recheck: None,
            members: BTreeMap::new(),
            group_asked: false,
        }
    }

    fn deadline(&self) -> f64 {
        let end = match self.phase {
            Phase::Asked { deadline } => deadline,
            Phase::Killed { give_up } => give_up,
        };
        self.recheck.map_or(end, |recheck| recheck.min(end))
    }

    /// Who went while nobody looked is not told any more.
    pub fn look_again(&mut self) {
        self.recheck = Some(self.began);
    }

    fn is_killing(&self) -> bool {
        matches!(self.phase, Phase::Killed { .. })
    }

    /// This very process was found before.
    pub fn knows(&self, process: &Process) -> bool {
        self.members.contains_key(&key(process))
    }

    /// It has been reaped by us.
    pub fn ended(&mut self, pid: i32, now: f64, exit: &Exit) {
        let members = self.members.range_mut((pid, 0)..=(pid, u64::MAX));
        for (_, member) in members.filter(|(_, member)| member.left.is_none()) {
            member.left = Some(now);
            member.exit = Some(exit.clone());
        }
    }

    /// Notes the ends that only a living parent in the set was told of.
    fn note_gone(&mut self, below: &HashSet<i32>, is_ours: impl Fn(i32) -> bool, now: f64) {
        for ((pid, started), member) in &mut self.members {
            if member.left.is_none() && below.contains(&member.root) && !is_ours(*pid) {
                let lives = procfs::process(*pid)
                    .is_some_and(|process| process.started == *started && !process.zombie);
                if !lives {
                    member.left = Some(now);
                }
            }
        }
    }

    /// Notes the ends of all others.
    pub fn gone_but(&mut self, there: &HashSet<(i32, u64)>, now: f64) {
        for (key, member) in &mut self.members {
            if member.left.is_none() && !there.contains(key) {
                member.left = Some(now);
            }
        }
    }

    /// Whom it has found, for the table of all members.
    pub fn pids(&self) -> impl Iterator<Item = i32> + '_ {
        self.members.keys().map(|(pid, _)| *pid)
    }

    fn receipt(self, service: Option<String>, empty: bool, now: f64) -> Receipt {
        // Microseconds: what is finer is noise.
        let since = |at: f64| ((at - self.began).max(0.0) * 1000.0).round() / 1000.0;
        let process = |((pid, _), member): ((i32, u64), Member)| ReceiptProcess {
            pid: pid.unsigned_abs(),
            command: member.command,
            found: member.found,
            signals: member.signals.into_iter().map(signals::name).collect(),
            // Of an empty set nobody is left; who was not seen to go has gone by now.
            left_ms: member.left.or(empty.then_some(now)).map(since),
            exit: member.exit,
            killed: member.killed,
        };
        Receipt {
            service,
            empty,
            duration_ms: since(now),
            processes: self.members.into_iter().map(process).collect(),
        }
    }
}

fn key(process: &Process) -> (i32, u64) {
    (process.pid, process.started)
}

/// Whether a set is empty.
#[derive(PartialEq)]
enum Verdict {
    Empty,
    /// A child of ours is in it: its end will be told.
    Watched,
    /// Something is in it whose end nobody will tell.
    Unwatched,
}

impl Children {
    /// Ends a set. Finished at once if it was empty; else `Stopped` comes from `on_sigchld` or
    /// `on_deadline`. For a set at stop already this can only bring the deadline forward.
    pub fn stop(
        &mut self,
        id: u32,
        signal: &str,
        timeout_ms: f64,
        tree: bool,
        now: f64,
    ) -> Vec<Event> {
        let deadline = now + timeout_ms.max(0.0);
        let Some(set) = self.sets.get_mut(&id) else {
            // Forgotten or never started: an answer is owed, and there is nothing there.
            let receipt = Stop::new(SIGTERM, tree, deadline, now).receipt(None, true, now);
            return vec![Event::Stopped {
                id,
                at: now,
                receipt,
            }];
        };
        match &mut set.stop {
            Some(stop) => {
                if let Phase::Asked { deadline: planned } = &mut stop.phase {
                    *planned = planned.min(deadline);
                }
                self.on_stop_deadline(now)
            }
            None => {
                let signal = signals::number(signal).unwrap_or(SIGTERM);
                self.begin(id, Stop::new(signal, tree, deadline, now), now)
            }
        }
    }

    /// Puts off the deadline of a stop that still waits.
    pub fn extend_stop(&mut self, id: u32, timeout_ms: f64, now: f64) {
        let stop = self.stop_of_mut(id);
        if let Some(Phase::Asked { deadline }) = stop.map(|stop| &mut stop.phase) {
            *deadline = deadline.max(now + timeout_ms);
        }
    }

    /// Ends every process below us that belongs to no set, under a new id.
    pub fn stop_rest(&mut self, id: u32, signal: &str, timeout_ms: f64, now: f64) -> Vec<Event> {
        if self.sets.contains_key(&id) {
            return self.stop(id, signal, timeout_ms, true, now);
        }
        self.look(Which::All);
        let roots = self
            .roots
            .iter()
            .filter(|(_, set)| set.is_none())
            .map(|(pid, _)| *pid)
            .collect();
        self.sets.insert(id, Box::new(Set::rest(roots, now)));
        self.rest = Some(id);
        self.stop(id, signal, timeout_ms, true, now)
    }

    fn begin(&mut self, id: u32, stop: Stop, now: f64) -> Vec<Event> {
        if let Some(set) = self.sets.get_mut(&id) {
            set.stop = Some(Box::new(stop));
            set.receipt = None;
            self.stopping.push(id);
        }
        if !self.listed_just_now() {
            self.look(Which::Adopted);
        }
        self.press(id, None);
        self.settle(id, now).into_iter().collect()
    }

    /// The next time something is to be done without anything happening.
    pub fn next_deadline(&self) -> Option<f64> {
        let stops = self
            .stopping
            .iter()
            .filter_map(|id| self.sets.get(id)?.stop.as_deref());
        let stops = stops.map(Stop::deadline);
        stops
            .chain(self.hearing_deadline())
            .chain(self.foreign_deadline())
            .min_by(f64::total_cmp)
    }

    pub fn on_deadline(&mut self, now: f64) -> Vec<Event> {
        let mut events = self.on_hearing_deadline(now);
        events.extend(self.on_foreign_deadline(now));
        events.extend(self.on_stop_deadline(now));
        events
    }

    fn on_stop_deadline(&mut self, now: f64) -> Vec<Event> {
        let due = |id: &u32| self.stop_of(*id).is_some_and(|stop| stop.deadline() <= now);
        let due: Vec<u32> = self.stopping.iter().copied().filter(due).collect();
        if due.is_empty() {
            return Vec::new();
        }
        self.look(Which::All);
        due.into_iter()
            .filter_map(|id| self.on_due(id, now))
            .collect()
    }

    fn on_due(&mut self, id: u32, now: f64) -> Option<Event> {
        let stop = self.stop_of_mut(id)?;
        match stop.phase {
            Phase::Asked { deadline } if deadline <= now => {
                stop.phase = Phase::Killed {
                    give_up: now + AFTER_KILL_MS,
                };
            }
            Phase::Killed { give_up } if give_up <= now => {
                return self.settle(id, now).or_else(|| self.finish(id, false, now));
            }
            _ => {}
        }
        self.note_foreign_gone(id, now);
        self.press(id, None);
        self.settle(id, now)
    }

    pub(super) fn stop_of(&self, id: u32) -> Option<&Stop> {
        self.sets.get(&id)?.stop.as_deref()
    }

    pub(super) fn stop_of_mut(&mut self, id: u32) -> Option<&mut Stop> {
        self.sets.get_mut(&id)?.stop.as_deref_mut()
    }

    /// Lists our children; those who are new and belong to a set at stop get what it got.
    pub(super) fn look(&mut self, which: Which) {
        let mut adopted: BTreeMap<u32, Vec<i32>> = BTreeMap::new();
        for (pid, owner) in self.list_children(which) {
            if let Some(id) = owner {
                adopted.entry(id).or_default().push(pid);
            }
        }
        for (id, roots) in adopted {
            self.press(id, Some(&roots));
        }
    }

    /// Some roots of a set at stop have ended and were reaped: what is known of those below them?
    pub(super) fn roots_ended(&mut self, id: u32, dead: &HashSet<i32>, now: f64) -> Option<Event> {
        let roots = &self.roots;
        let stop = self.sets.get_mut(&id)?.stop.as_deref_mut()?;
        stop.note_gone(dead, |pid| roots.contains_key(&pid), now);
        self.settle(id, now)
    }

    /// Everything below these roots (or all of it) gets the signal it has not had yet. Twice if
    /// need be: what is forked while we walk is found by the next walk.
    pub(super) fn press(&mut self, id: u32, roots: Option<&[i32]>) {
        let Some(stop) = self.stop_of(id) else {
            return;
        };
        let (killing, tree) = (stop.is_killing(), stop.tree);
        for _ in 0..ROUNDS_MAX {
            let Some(set) = self.sets.get(&id) else {
                return;
            };
            let mut seen = match roots {
                Some(roots) => self.survey_below(set, roots),
                None => self.survey(id),
            };
            if !tree {
                seen.retain(|seen| seen.process.group == set.group);
            }
            seen.iter().for_each(|seen| self.note(id, seen));
            self.press_group(id, &seen, killing, roots.is_none());
            let fresh = seen
                .iter()
                .filter(|seen| self.press_one(id, seen, killing))
                .count();
            if fresh == 0 {
                break;
            }
        }
    }

    /// Where processes are hidden from us, their group is all we can reach. For KILL it also gets
    /// what one by one is a race: members that are just being made. But not before all members are
    /// known: of who is dead already no receipt would tell.
    fn press_group(&mut self, id: u32, seen: &[Seen], killing: bool, are_all: bool) {
        let hidden = self.blind || seen.iter().any(|seen| !seen.process.is_visible());
        let lives = |set: &&Set| self.group_lives(set);
        let blindly = || {
            self.sets
                .get(&id)
                .map(Box::as_ref)
                .filter(lives)
                .map(|set| set.group)
        };
        let group = self.group_of(id).or_else(blindly);
        let Some(set) = self.sets.get_mut(&id) else {
            return;
        };
        let Some(stop) = set.stop.as_deref_mut() else {
            return;
        };
        if killing && !are_all && !hidden {
            return;
        }
        if killing {
            if let Some(leaf) = set.leaf.as_ref().filter(|_| stop.tree) {
                leaf.kill();
            }
            if let Some(group) = group {
                signals::send_group(group, SIGKILL);
            }
        } else if let (true, false, Some(group)) = (hidden, stop.group_asked, group) {
            stop.group_asked = true;
            for signal in stop.asking() {
                signals::send_group(group, signal);
            }
        }
    }

    /// For the receipt, before a signal can end it: who has ended has no command line.
    fn note(&mut self, id: u32, seen: &Seen) {
        let process = &seen.process;
        if self.stop_of(id).is_some_and(|stop| stop.knows(process)) {
            return;
        }
        let command = self.command_of(id, process.pid);
        self.members.insert(process.pid, id);
        if let Some(stop) = self.stop_of_mut(id) {
            stop.members
                .insert(key(process), Member::new(seen, command));
        }
    }

    /// True if this process has not had this before.
    fn press_one(&mut self, id: u32, seen: &Seen, killing: bool) -> bool {
        let process = &seen.process;
        let group = self.sets.get(&id).map_or(0, |set| set.group);
        let Some(stop) = self.stop_of_mut(id) else {
            return false;
        };
        let asking = stop.asking();
        let group_asked = stop.group_asked && process.group == group;
        let Some(member) = stop.members.get_mut(&key(process)) else {
            return false;
        };
        member.root = seen.root;
        let before = if killing {
            &mut member.killed
        } else {
            &mut member.asked
        };
        if std::mem::replace(before, true) {
            return false;
        }
        let wanted = if killing { vec![SIGKILL] } else { asking };
        let sent = wanted
            .into_iter()
            .filter(|number| (group_asked && !killing) || self.send(process, *number));
        let sent: Vec<i32> = sent.collect();
        if let Some(member) = self
            .stop_of_mut(id)
            .and_then(|stop| stop.members.get_mut(&key(process)))
        {
            member.signals.extend(sent);
        }
        true
    }

    pub(super) fn settle(&mut self, id: u32, now: f64) -> Option<Event> {
        let verdict = self.verdict(id);
        let stop = self.stop_of_mut(id)?;
        stop.recheck = (verdict == Verdict::Unwatched).then_some(now + RECHECK_MS);
        (verdict == Verdict::Empty)
            .then(|| self.finish(id, true, now))
            .flatten()
    }

    fn verdict(&self, id: u32) -> Verdict {
        let (Some(set), Some(stop)) = (self.sets.get(&id), self.stop_of(id)) else {
            return Verdict::Watched;
        };
        let watched = match stop.tree {
            _ if set.foreign.is_some() => set.watch().is_some(),
            true => !set.roots.is_empty(),
            false => self.group_of(id).is_some(),
        };
        let unwatched = || match stop.tree {
            true if set.foreign.is_some() => !self.survey(id).is_empty(),
            true => set.leaf.as_ref().is_some_and(|leaf| leaf.is_populated()),
            false => self
                .survey(id)
                .iter()
                .any(|seen| seen.process.group == set.group),
        };
        if watched {
            Verdict::Watched
        } else if self.is_unsure() || unwatched() || self.group_lives(set) {
            Verdict::Unwatched
        } else {
            Verdict::Empty
        }
    }

    fn finish(&mut self, id: u32, empty: bool, now: f64) -> Option<Event> {
        let set = self.sets.get_mut(&id)?;
        let stop = set.stop.take()?;
        for (pid, _) in stop.members.keys() {
            if self.members.get(pid) == Some(&id) {
                self.members.remove(pid);
            }
        }
        let receipt = stop.receipt(set.service(), empty, now);
        if empty {
            set.leftovers = 0;
        }
        set.receipt = Some(Box::new(receipt.clone()));
        self.stopping.retain(|other| *other != id);
        Some(Event::Stopped {
            id,
            at: now,
            receipt,
        })
    }
}

impl Member {
    fn new(seen: &Seen, command: String) -> Member {
        Member {
            command,
            found: seen.found,
            root: seen.root,
            asked: false,
            killed: false,
            signals: Vec::new(),
            left: None,
            exit: None,
        }
    }
}
