//! The table of process sets: what was started, what descends from it, how it ended.
//!
//! How a process is known to belong to a set: all processes below the supervisor form a tree, and
//! as the supervisor is the reaper of orphans, none ever leaves it. A process whose parent ends
//! becomes the supervisor's own child. So a set is the union of the trees below some of the
//! supervisor's direct children, its *roots*: the leader, and the orphans that were adopted and
//! recognised. The table of roots is complete whenever the kernel's list of our children was just
//! read, and a set is empty when it has no root. No scan of all processes is ever needed.
//!
//! `reap.rs`, `stop.rs` and `notify.rs` are the other parts of this type.

use super::{
    cgroup::{Cgroups, Leaf},
    datagram,
    foreign::{Foreign, Watch},
    limits::{Bounds, Limits},
    log,
    notify::{Hearing, Made},
    procfs::{self, Environment, Process, Which},
    signals,
    spawn::{failure, Extras, Kin, Order, Origin},
    startup::{self, Inherited},
    stop::Stop,
    terminal::Terminal,
    users,
};
use crate::protocol::{
    ChildRecord, Exit, Found, NamedSet, Notice, ProcessFacts, Receipt, Scope, SpawnFailure,
    SpawnSpec,
};
use nix::{errno::Errno, libc, unistd::getpid};
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::{File, OpenOptions},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    path::PathBuf,
    time::{Duration, Instant},
};

const CLIMBS_MAX: usize = 3;
/// Of the marker.
const SECRET_BYTES: usize = 8;
const LIST_AGE_MAX: Duration = Duration::from_millis(2);
/// An execve is over by then, unless its file system is stuck. Others must not wait for that to be
/// seen to be gone.
const DOUBT_MAX: Duration = Duration::from_secs(3);

/// A child's first three descriptors.
pub enum Stdio<'a> {
    Given {
        /// `None`: an empty one.
        input: Option<BorrowedFd<'a>>,
        out: BorrowedFd<'a>,
        err: BorrowedFd<'a>,
    },
    #[cfg(test)]
    Null,
    /// The supervisor's own 0, 1 and 2.
    Inherit,
}

pub struct Children {
    pub(super) origin: Origin,
    /// The first part of every `ONEUP_ID`: this supervisor and no other, past or present. Nobody
    /// can guess it, so that a process of another user cannot pass for one of a set.
    pub(super) marker: String,
    /// What reads as empty and swallows what is written; made when first needed.
    null: Option<File>,
    empty: Option<OwnedFd>,
    pub(super) terminal: Option<Terminal>,
    pub(super) cgroups: Option<Cgroups>,
    pub(super) limits: Limits,
    /// This supervisor's and no other's.
    name: String,
    pub(super) sets: BTreeMap<u32, Box<Set>>,
    /// Every direct child of ours that we know: its set, or `None` for an orphan of no set.
    pub(super) roots: HashMap<i32, Option<u32>>,
    /// Sets with a stop at work.
    pub(super) stopping: Vec<u32>,
    /// The id of the last `StopRest` that was not forgotten.
    pub(super) rest: Option<u32>,
    /// Made when a set first has a way to tell something.
    pub(super) hearing: Option<Box<Hearing>>,
    /// The sets of all processes that these stops have found.
    pub(super) members: HashMap<i32, u32>,
    /// When our children were last listed.
    listed: Option<Instant>,
    /// Then nobody could tell who they are.
    pub(super) blind: bool,
    /// More of waitid's options: of which of our threads children are reaped.
    pub(super) whose: libc::c_int,
    /// Who could not be told from the others then; the next look will do better.
    doubts: Doubts,
}

/// The set that an environment names, of the supervisor with this marker.
pub(super) fn marked(environment: &[u8], marker: &str) -> Option<u32> {
    let found = procfs::variable(environment, "ONEUP_ID")?;
    found.strip_prefix(marker)?.strip_prefix('.')?.parse().ok()
}

/// One entry of the table.
#[derive(Serialize, Deserialize)]
pub(super) struct Set {
    service: Box<str>,
    role: Box<str>,
    /// The process whose end is the set's. 0 for what `StopRest` collects.
    pub leader: i32,
    /// The leader's process group; its session is called the same if it has one of its own. The
    /// same as the leader, unless another process has taken over.
    pub group: i32,
    started: f64,
    pub exit: Option<(Exit, f64)>,
    /// Its leader left a core.
    pub core: bool,
    pub leftovers: u32,
    pub roots: Vec<i32>,
    pub stop: Option<Box<Stop>>,
    pub receipt: Option<Box<Receipt>>,
    #[serde(skip)]
    pub leaf: Option<Leaf>,
    /// Made for its limits (`limits.rs`).
    #[serde(default)]
    pub groups: Vec<PathBuf>,
    /// It was started by another supervisor; it has no roots then.
    #[serde(skip)]
    pub foreign: Option<Box<Foreign>>,
    /// The leader's command line, for when /proc does not show it (yet).
    command: Box<str>,
    pub foreground: bool,
}

impl Set {
    pub fn service(&self) -> Option<String> {
        (!self.is_rest()).then(|| self.service.to_string())
    }

    pub fn watch(&self) -> Option<&Watch> {
        self.foreign.as_ref()?.watch.as_ref()
    }

    pub fn watch_mut(&mut self) -> Option<&mut Watch> {
        self.foreign.as_mut()?.watch.as_mut()
    }

    pub fn is_rest(&self) -> bool {
        self.leader == 0
    }

    pub fn is_running(&self) -> bool {
        !self.is_rest() && self.exit.is_none()
    }

    /// `told`: all that its processes told, and when the last `WATCHDOG=1` came.
    pub fn record(&self, id: u32, (notice, watchdog_at): (Option<Notice>, f64)) -> ChildRecord {
        ChildRecord {
            notice,
            watchdog_at,
            id,
            service: self.service.to_string(),
            role: self.role.to_string(),
            pid: self.leader.unsigned_abs(),
            started: self.started,
            exit: self.exit.as_ref().map(|(exit, _)| exit.clone()),
            exited: self.exit.as_ref().map(|(_, at)| *at),
            leftovers: self.leftovers,
            stopping: self.stop.is_some(),
            receipt: self.receipt.as_deref().cloned(),
        }
    }

    /// The set behind `StopRest`.
    pub fn rest(roots: Vec<i32>, now: f64) -> Set {
        Set {
            service: "".into(),
            role: "rest".into(),
            leader: 0,
            group: 0,
            started: now,
            exit: None,
            core: false,
            leftovers: 0,
            roots,
            stop: None,
            receipt: None,
            leaf: None,
            groups: Vec::new(),
            foreign: None,
            command: "".into(),
            foreground: false,
        }
    }
}

/// A process of a set at the time of looking.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub process: Process,
    pub found: Found,
    /// The direct child of ours it descends from, or itself; 0 if it is known by its cgroup only.
    pub root: i32,
}

impl Children {
    /// Once, after `startup::prepare`. `single`: the terminal is passed on to a child.
    pub fn new(inherited: Inherited, single: bool) -> Children {
        let name = own_name();
        Children {
            cgroups: Cgroups::open(&name),
            terminal: if single { Terminal::open() } else { None },
            ..Children::plain(name, inherited)
        }
    }

    /// For a process in which a script has children of its own, made by its thread: those are left
    /// to it. Ours are not put into cgroups.
    pub fn beside_a_script() -> Children {
        Children {
            whose: libc::__WNOTHREAD,
            ..Children::plain(own_name(), Inherited::default())
        }
    }

    fn plain(name: String, inherited: Inherited) -> Children {
        // Names of cgroups can be read by anybody, environments cannot.
        let secret = datagram::unguessable(SECRET_BYTES).unwrap_or_default();
        Children {
            origin: Origin::new(inherited),
            cgroups: None,
            limits: Limits::default(),
            marker: format!("{name}-{secret}"),
            name,
            null: None,
            empty: None,
            terminal: None,
            sets: BTreeMap::new(),
            roots: HashMap::new(),
            stopping: Vec::new(),
            rest: None,
            hearing: None,
            members: HashMap::new(),
            listed: None,
            blind: false,
            whose: 0,
            doubts: Doubts::default(),
        }
    }

    /// Starts a process as leader of a new set. It has passed its execve when this returns.
    pub fn spawn(
        &mut self,
        id: u32,
        spec: &SpawnSpec,
        stdio: Stdio<'_>,
        now: f64,
    ) -> Result<u32, SpawnFailure> {
        if self.sets.contains_key(&id) {
            let message = format!("there is a process set {id} already");
            return Err(failure("table", Errno::EEXIST, message));
        }
        let identity = users::resolve(spec)?;
        let inherit = matches!(stdio, Stdio::Inherit);
        let stdio = self.descriptors(&stdio)?;
        let made: Made = self.make_ear(spec, identity.uid)?;
        let cgroup = self.cgroups.as_ref().and_then(|cgroups| cgroups.make(id));
        let (leaf, handle) = cgroup.unzip();
        let bounds = self.bound(id, spec, leaf.as_ref());
        let order = Order {
            spec,
            identity,
            stdio,
            terminal: self.terminal_for(spec),
            cgroup: handle.as_ref().map(AsFd::as_fd),
            joins: &bounds.joins,
            marker: (!inherit && !spec.foreground).then(|| format!("{}.{id}", self.marker)),
            extras: &made.extras,
            kin: None,
        };
        let result = self.origin.spawn(&order);
        if let (Some(_), Some(terminal)) = (order.terminal, &mut self.terminal) {
            terminal.started();
            if result.is_err() {
                terminal.take_back();
            }
        }
        match result {
            Ok(spawned) => {
                let leaf = self.settle_leaf(leaf, spawned.in_cgroup);
                if spawned.unjoined != 0 {
                    self.limits
                        .complain_of_join(&spec.service, spawned.unjoined);
                }
                self.register(id, spawned.pid, spec, leaf, now);
                if let Some(set) = self.sets.get_mut(&id) {
                    set.groups = bounds.groups;
                }
                self.open_ear(id, made);
                Ok(spawned.pid.unsigned_abs())
            }
            Err(failure) => {
                self.remove_leaf(leaf);
                self.limits.remove(bounds.groups);
                Err(failure)
            }
        }
    }

    fn bound(&mut self, id: u32, spec: &SpawnSpec, leaf: Option<&Leaf>) -> Bounds {
        let Some(resources) = &spec.resources else {
            return Bounds::default();
        };
        let name = format!("{}.{id}", self.name);
        self.limits.bound(&spec.service, &name, resources, leaf)
    }

    /// The same for a script, among our own group, session and cgroup.
    pub fn spawn_kin(
        &mut self,
        id: u32,
        spec: &SpawnSpec,
        kin: &Kin,
        stdio: Stdio<'_>,
        now: f64,
    ) -> Result<u32, SpawnFailure> {
        let order = Order {
            spec,
            identity: users::resolve(spec)?,
            stdio: self.descriptors(&stdio)?,
            terminal: None,
            cgroup: None,
            joins: &[],
            marker: None,
            extras: &Extras::default(),
            kin: Some(kin),
        };
        let spawned = self.origin.spawn(&order)?;
        self.register(id, spawned.pid, spec, None, now);
        Ok(spawned.pid.unsigned_abs())
    }

    fn terminal_for(&self, spec: &SpawnSpec) -> Option<RawFd> {
        let terminal = self.terminal.as_ref().filter(|_| spec.foreground)?;
        terminal.for_start()
    }

    /// A kernel that did not take the child into its cgroup takes no other either.
    fn settle_leaf(&mut self, leaf: Option<Leaf>, used: bool) -> Option<Leaf> {
        if leaf.is_some() && !used {
            self.cgroups = None;
        }
        leaf.filter(|_| used)
    }

    fn register(&mut self, id: u32, pid: i32, spec: &SpawnSpec, leaf: Option<Leaf>, now: f64) {
        let set = Set {
            service: spec.service.as_str().into(),
            role: spec.role.as_str().into(),
            leader: pid,
            group: pid,
            started: now,
            exit: None,
            core: false,
            leftovers: 0,
            roots: vec![pid],
            stop: None,
            receipt: None,
            leaf,
            groups: Vec::new(),
            foreign: None,
            command: procfs::shorten(&spec.argv.join(" ")).into(),
            foreground: spec.foreground,
        };
        self.sets.insert(id, Box::new(set));
        self.roots.insert(pid, Some(id));
    }

    fn descriptors(&mut self, stdio: &Stdio<'_>) -> Result<Option<[RawFd; 3]>, SpawnFailure> {
        let unavailable = |error: std::io::Error| {
            let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
            failure(
                "stdio",
                errno,
                format!("no empty input for the child: {}", errno.desc()),
            )
        };
        match stdio {
            Stdio::Inherit => Ok(None),
            Stdio::Given { input, out, err } => {
                let input = match input {
                    Some(input) => input.as_raw_fd(),
                    None => self.empty_input().map_err(unavailable)?,
                };
                Ok(Some([input, out.as_raw_fd(), err.as_raw_fd()]))
            }
            #[cfg(test)]
            Stdio::Null => {
                let input = self.empty_input().map_err(unavailable)?;
                let output = self.null.as_ref().map_or(input, AsRawFd::as_raw_fd);
                Ok(Some([input, output, output]))
            }
        }
    }

    /// /dev/null, or a pipe that nobody writes to.
    fn empty_input(&mut self) -> std::io::Result<RawFd> {
        if self.null.is_none() && self.empty.is_none() {
            match OpenOptions::new().read(true).write(true).open("/dev/null") {
                Ok(null) => self.null = Some(null),
                Err(_) => {
                    let (read, _write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
                    self.empty = Some(read);
                }
            }
        }
        let null = self.null.as_ref().map(AsRawFd::as_raw_fd);
        let fd = null.or(self.empty.as_ref().map(AsRawFd::as_raw_fd));
        fd.ok_or_else(|| std::io::Error::from_raw_os_error(nix::libc::EBADF))
    }

    /// Sends a signal now, once. Nobody there to get it is no failure.
    pub fn signal(&mut self, id: u32, signal: &str, scope: Scope) {
        let Some(number) = signals::number(signal) else {
            return;
        };
        match scope {
            Scope::Main => {
                if let Some(main) = self.named_main(id) {
                    self.send(&main, number);
                } else if let Some(set) = self.sets.get(&id).filter(|set| set.is_running()) {
                    match &set.foreign {
                        Some(foreign) => foreign.send_leader(number),
                        None => signals::send(set.leader, number),
                    };
                }
            }
            Scope::Group => {
                if let Some(group) = self.group_of(id) {
                    signals::send_group(group, number);
                }
            }
            Scope::Tree => {
                self.look(Which::All);
                for seen in self.survey(id) {
                    self.send(&seen.process, number);
                }
            }
        }
    }

    /// The processes that sets of their own began with, of those that run.
    pub fn leaders(&self) -> Vec<(u32, i32)> {
        let running = self.sets.iter().filter(|(_, set)| set.is_running());
        running.map(|(id, set)| (*id, set.leader)).collect()
    }

    /// As many descriptors as we may have; children get back what we had. False: there is no more
    /// to be had.
    pub fn raise_nofile(&mut self) -> bool {
        let before = startup::raise_nofile();
        let inherited = &mut self.origin.inherited;
        inherited.nofile = inherited.nofile.or(before);
        before.is_some()
    }

    /// Forgets a set. What is left of it, if anything, belongs to none from now on.
    pub fn forget(&mut self, id: u32) {
        let Some(set) = self.sets.remove(&id) else {
            return;
        };
        self.stopping.retain(|other| *other != id);
        self.rest = self.rest.filter(|rest| *rest != id);
        if set.stop.is_some() {
            self.members.retain(|_, other| *other != id);
        }
        self.roots
            .extend(set.roots.iter().map(|root| (*root, None)));
        if let Some(rest) = self.rest.and_then(|id| self.sets.get_mut(&id)) {
            rest.roots.extend(set.roots);
        }
        self.remove_leaf(set.leaf);
        if !set.groups.is_empty() {
            self.limits.remove(set.groups);
        }
        self.close_ear(id);
    }

    fn remove_leaf(&mut self, leaf: Option<Leaf>) {
        if let (Some(cgroups), Some(leaf)) = (&mut self.cgroups, leaf) {
            cgroups.remove(&leaf);
        }
    }

    /// For a fresh brain.
    pub fn records(&self) -> Vec<ChildRecord> {
        let sets = self.sets.iter();
        sets.map(|(id, set)| set.record(*id, self.told(*id, &set.service)))
            .collect()
    }

    /// The processes of a set that have not ended.
    pub fn pids(&mut self, id: u32) -> Vec<i32> {
        self.look(Which::All);
        self.survey(id)
            .iter()
            .map(|seen| seen.process.pid)
            .collect()
    }

    /// Its cgroup, if it has one of its own.
    pub fn cgroup_of(&self, id: u32) -> Option<PathBuf> {
        self.sets.get(&id)?.leaf.as_ref().map(Leaf::folder)
    }

    /// The same of a service's main process.
    pub fn cgroup_of_service(&self, service: &str) -> Option<PathBuf> {
        let is_it =
            |set: &&Set| set.is_running() && *set.service == *service && &*set.role == "main";
        let set = self.sets.values().rev().map(Box::as_ref).find(is_it)?;
        set.leaf.as_ref().map(Leaf::folder)
    }

    /// Where the cgroups of sets are, as /proc/PID/cgroup calls it.
    pub(super) fn cgroup_path(&self) -> Option<&str> {
        self.cgroups.as_ref().map(Cgroups::path)
    }

    /// `[{"pid","parent","command","found","started_at","memory_bytes","cpu_ms"}]`
    pub fn processes(&mut self, id: u32) -> Value {
        self.look(Which::All);
        let own = getpid().as_raw();
        let describe = |seen: Seen| {
            let process = &seen.process;
            let facts = procfs::facts(process.pid);
            json!({
                "pid": process.pid,
                "parent": if process.parent == 0 { own } else { process.parent },
                "command": self.command_of(id, process.pid),
                "found": seen.found,
                "started_at": procfs::wall_started(process).map(log::time_text),
                "memory_bytes": facts.as_ref().map(|facts| facts.memory_bytes),
                "cpu_ms": facts.as_ref().map(|facts| facts.cpu_ms),
            })
        };
        self.survey(id).into_iter().map(describe).collect()
    }

    /// `[{"name","processes","memory_bytes","cpu_ms"}]`
    pub fn usage(&mut self, sets: &[NamedSet]) -> Value {
        let ids: Vec<u32> = sets.iter().map(|set| set.id).collect();
        // With that of children which they have waited for: many a service works by these alone.
        let used_ms = |one: &ProcessFacts| one.cpu_ms + procfs::waited_ms(one.pid as i32);
        let sum = |(set, facts): (&NamedSet, Vec<ProcessFacts>)| {
            json!({
                "name": set.name,
                "processes": facts.len(),
                "memory_bytes": facts.iter().map(|one| one.memory_bytes).sum::<u64>(),
                "cpu_ms": facts.iter().map(used_ms).sum::<f64>(),
            })
        };
        sets.iter().zip(self.facts(&ids)).map(sum).collect()
    }

    /// The processes of several sets that have not ended, each set's in no particular order.
    pub fn facts(&mut self, ids: &[u32]) -> Vec<Vec<ProcessFacts>> {
        self.look(Which::All);
        let of_set = |id: &u32| {
            let seen = self.survey(*id).into_iter();
            seen.map(|seen| self.facts_of(*id, &seen.process)).collect()
        };
        ids.iter().map(of_set).collect()
    }

    /// What is known anyway where /proc tells nothing.
    fn facts_of(&self, id: u32, process: &Process) -> ProcessFacts {
        procfs::facts(process.pid).unwrap_or_else(|| ProcessFacts {
            pid: process.pid as u32,
            parent: process.parent as u32,
            name: String::new(),
            command: self.command_of(id, process.pid),
            state: String::new(),
            memory_bytes: 0,
            cpu_ms: 0.0,
        })
    }

    pub(super) fn command_of(&self, id: u32, pid: i32) -> String {
        let known = || {
            let set = self.sets.get(&id).filter(|set| set.leader == pid)?;
            Some(set.command.to_string())
        };
        let command = procfs::command(pid).or_else(known);
        command
            .or_else(|| procfs::short_name(pid))
            .unwrap_or_default()
    }

    /// Brings the table of roots up to date and tells the new ones with the sets (or the
    /// `StopRest`) they belong to.
    pub(super) fn list_children(&mut self, which: Which) -> Vec<(i32, Option<u32>)> {
        let children = procfs::own_children(which);
        self.blind = children.is_none();
        self.listed = Some(Instant::now());
        let former = std::mem::take(&mut self.doubts);
        let mut adopted = Vec::new();
        let unknown = children.unwrap_or_default().into_iter();
        for pid in unknown
            .filter(|pid| !self.roots.contains_key(pid))
            .collect::<Vec<_>>()
        {
            let set = match self.attribute(pid) {
                Owner::Set(id) => Some(id),
                Owner::Nobody => None,
                Owner::Unsure(started) => {
                    if self.doubts.keep(&former, (pid, started), Instant::now()) {
                        continue;
                    }
                    None
                }
            };
            self.roots.insert(pid, set);
            let owner = set.or(self.rest);
            if let Some(set) = owner.and_then(|id| self.sets.get_mut(&id)) {
                set.roots.push(pid);
            }
            adopted.push((pid, owner));
        }
        adopted
    }

    /// The list is as good as new: one look serves all the stops of a batch of commands. What was
    /// adopted since is found when its set's next process ends.
    pub(super) fn listed_just_now(&self) -> bool {
        self.listed.is_some_and(|at| at.elapsed() < LIST_AGE_MAX)
    }

    /// Whose process was this orphan? What costs least comes first; each sign is a sure one.
    fn attribute(&self, pid: i32) -> Owner {
        let process = procfs::process_or_ids(pid);
        let known = self
            .remembered(&process)
            .or_else(|| self.of_session(&process));
        if let Some(id) = known.or_else(|| self.cgroups.as_ref()?.set_of(pid)) {
            return if self.sets.contains_key(&id) {
                Owner::Set(id)
            } else {
                Owner::Nobody
            };
        }
        match procfs::environment(pid) {
            Environment::Known(environment) => match self.marked(&environment) {
                Some(id) if self.sets.contains_key(&id) => Owner::Set(id),
                _ => Owner::Nobody,
            },
            Environment::Between if !process.zombie => Owner::Unsure(process.started),
            _ => Owner::Nobody,
        }
    }

    /// Found by a stop while it still had its parent.
    pub(super) fn remembered(&self, process: &Process) -> Option<u32> {
        let id = self.members.get(&process.pid)?;
        let stop = self.sets.get(id)?.stop.as_deref()?;
        stop.knows(process).then_some(*id)
    }

    pub(super) fn marked(&self, environment: &[u8]) -> Option<u32> {
        marked(environment, &self.marker)
    }

    /// Sessions and groups are called after their leader, whose number is not given to another
    /// process as long as they have a member. The latest set of that number is meant.
    fn of_session(&self, process: &Process) -> Option<u32> {
        let is_theirs = |set: &Set| {
            !set.is_rest() && (set.group == process.session || set.group == process.group)
        };
        let mut sets = self.sets.iter().rev();
        sets.find(|(_, set)| is_theirs(set)).map(|(id, _)| *id)
    }

    /// Whether a process is of this set. `None`: it has gone, and is not known to have been.
    pub(super) fn is_member(&self, id: u32, pid: i32) -> Option<bool> {
        if self.sets.get(&id).is_some_and(|set| set.foreign.is_some()) {
            let there = procfs::process(pid)?;
            let is_it =
                |seen: &Seen| seen.process.started == there.started && seen.process.pid == pid;
            return Some(self.survey(id).iter().any(is_it));
        }
        // A parent that ends while we climb is not there any more; from below there is another.
        (0..CLIMBS_MAX)
            .find_map(|_| self.climb(id, pid))
            .or_else(|| self.is_hidden_member(id, pid))
    }

    /// From a process up to the child of ours that it is below. `None`: somebody was not there.
    fn climb(&self, id: u32, pid: i32) -> Option<bool> {
        let own = getpid().as_raw();
        let mut above = procfs::process(pid)?;
        while !self.roots.contains_key(&above.pid) && above.parent != own {
            if above.parent <= 1 {
                return Some(false);
            }
            above = procfs::process(above.parent)?;
        }
        match self.roots.get(&above.pid) {
            Some(owner) => Some(*owner == Some(id)),
            // Adopted since we last looked.
            None => match self.attribute(above.pid) {
                Owner::Set(set) => Some(set == id),
                Owner::Unsure(_) => None,
                // One that has ended shows little of itself.
                Owner::Nobody => (!above.zombie).then_some(false),
            },
        }
    }

    /// The same for one that /proc does not show.
    fn is_hidden_member(&self, id: u32, pid: i32) -> Option<bool> {
        if let Some(owner) = self.roots.get(&pid) {
            return Some(*owner == Some(id));
        }
        if let Some(owner) = self.members.get(&pid) {
            return Some(*owner == id);
        }
        let ids = procfs::process_or_ids(pid);
        (self.of_session(&ids) == Some(id)).then_some(true)
    }

    /// Every process of a set that has not ended.
    pub(super) fn survey(&self, id: u32) -> Vec<Seen> {
        let Some(set) = self.sets.get(&id) else {
            return Vec::new();
        };
        if let Some(foreign) = &set.foreign {
            return self.survey_foreign(id, set, foreign);
        }
        let mut seen = self.survey_below(set, &set.roots);
        if let Some(leaf) = &set.leaf {
            let known: HashSet<i32> = seen.iter().map(|seen| seen.process.pid).collect();
            let others = leaf
                .processes()
                .into_iter()
                .filter(|pid| !known.contains(pid));
            // Our own children in it are roots already, or were born this moment.
            let others = others
                .filter_map(procfs::process)
                .filter(|process| !process.zombie);
            seen.extend(others.map(|process| Seen {
                process,
                found: Found::Cgroup,
                root: 0,
            }));
        }
        seen
    }

    /// The same for the trees below some of its roots.
    pub(super) fn survey_below(&self, set: &Set, roots: &[i32]) -> Vec<Seen> {
        let mut root_of: HashMap<i32, i32> = roots.iter().map(|pid| (*pid, *pid)).collect();
        let mut seen = Vec::new();
        for process in procfs::trees(roots) {
            // Parents come before children.
            let above = root_of
                .get(&process.pid)
                .or_else(|| root_of.get(&process.parent))
                .copied();
            let root = above.unwrap_or(0);
            root_of.insert(process.pid, root);
            if !process.zombie {
                let found = how_found(set, &process, root);
                seen.push(Seen {
                    process,
                    found,
                    root,
                });
            }
        }
        seen
    }

    /// The leader's process group, if the number surely still means that group: as long as a
    /// child of ours is in it, reaped by nobody, it does.
    pub(super) fn group_of(&self, id: u32) -> Option<i32> {
        let set = self.sets.get(&id).filter(|set| !set.is_rest())?;
        if let Some(foreign) = &set.foreign {
            let is_in = |seen: &Seen| seen.process.group == set.group;
            let lives = foreign.is_watched() || self.survey(id).iter().any(is_in);
            return lives.then_some(set.group);
        }
        let in_group =
            |pid: &i32| *pid == set.group || procfs::process_or_ids(*pid).group == set.group;
        set.roots.iter().any(in_group).then_some(set.group)
    }

    /// Sends a signal to exactly this process. False if it could not get it.
    pub(super) fn send(&self, process: &Process, number: i32) -> bool {
        if self.roots.contains_key(&process.pid) {
            // Our own child: its number is not given away before we reap it.
            return signals::send(process.pid, number);
        }
        signals::send_checked(process.pid, number, || {
            procfs::process(process.pid).is_some_and(|now| now.started == process.started)
        })
    }

    /// Without /proc: the leader's group has a member, as far as anybody can tell. A group that
    /// was seen to be empty is never asked for again, as its number may have been given away.
    pub(super) fn group_lives(&self, set: &Set) -> bool {
        self.blind && (set.is_running() || set.leftovers > 0) && signals::send_group(set.group, 0)
    }

    /// The leader has ended and nobody is known to be left, but its group's number or its cgroup is
    /// in use. Most probably it made itself a sibling; a look at all our children will tell. (One
    /// that left the group, where there is no cgroup, is only found by a later look.)
    pub(super) fn may_have_siblings(&self, id: u32) -> bool {
        let Some(set) = self
            .sets
            .get(&id)
            .filter(|set| set.roots.is_empty() && set.foreign.is_none())
        else {
            return false;
        };
        let populated = || set.leaf.as_ref().is_some_and(Leaf::is_populated);
        !self.blind && (signals::send_group(set.group, 0) || populated())
    }

    /// Somebody is there of whom nobody can tell yet where he belongs.
    pub(super) fn is_unsure(&self) -> bool {
        !self.doubts.0.is_empty()
    }

    /// The running leader that has, or may have, the terminal.
    pub(super) fn foreground(&self) -> Option<i32> {
        let mut sets = self.sets.values();
        sets.find(|set| set.foreground && set.is_running())
            .map(|set| set.leader)
    }

    #[cfg(test)]
    pub(super) fn without_cgroups(&mut self) {
        self.cgroups = None;
    }

    /// To be called when CONT came: whoever continued the supervisor means the command. True if
    /// it was handed on.
    pub fn on_continued(&mut self) -> bool {
        let (Some(leader), Some(terminal)) = (self.foreground(), &mut self.terminal) else {
            return false;
        };
        terminal.on_continued(leader);
        true
    }
}

/// Of this process and no other, past or present.
fn own_name() -> String {
    let own = procfs::is_ours()
        .then(|| procfs::process(getpid().as_raw()))
        .flatten();
    format!("{}-{}", getpid(), own.map_or(0, |own| own.started))
}

/// Whose an orphan is.
enum Owner {
    Set(u32),
    Nobody,
    /// Nobody can tell at this moment. When it was started.
    Unsure(u64),
}

/// Orphans that nobody could tell the owner of, and since when.
#[derive(Default)]
struct Doubts(HashMap<(i32, u64), Instant>);

impl Doubts {
    /// False: it has been one for too long.
    fn keep(&mut self, former: &Doubts, orphan: (i32, u64), now: Instant) -> bool {
        let since = former.0.get(&orphan).copied().unwrap_or(now);
        let keep = now - since < DOUBT_MAX;
        if keep {
            self.0.insert(orphan, since);
        }
        keep
    }
}

fn how_found(set: &Set, process: &Process, root: i32) -> Found {
    match process {
        _ if process.pid == set.leader => Found::Child,
        _ if set.group != 0 && process.group == set.group => Found::Group,
        _ if set.group != 0 && process.session == set.group => Found::Session,
        _ if root != set.leader => Found::Adopted,
        _ => Found::Child,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubts_end() {
        let (orphan, start) = ((7, 100), Instant::now());
        let mut first = Doubts::default();
        assert!(first.keep(&Doubts::default(), orphan, start));
        let mut later = Doubts::default();
        assert!(later.keep(&first, orphan, start + DOUBT_MAX / 2));
        let mut last = Doubts::default();
        assert!(!last.keep(&later, orphan, start + DOUBT_MAX));
        assert!(
            last.keep(&later, (7, 101), start + DOUBT_MAX),
            "another of that number"
        );
    }
}
