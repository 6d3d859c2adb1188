//! Who is in the way of a service that is about to start: who listens on its ports, and processes
//! of certain names. All of it is done on threads, as /proc may be long, slow, or stuck.
//!
//! Spared, that is neither told nor killed, are the supervisor, its ancestors, and what belongs to
//! a process set: what is below a child of ours, unless that child is known to be an orphan of no
//! set. Who has become our child since the question was asked may be a service's that has just
//! started, and is spared too. The sets that another supervisor started are not below us; they are
//! known by their processes, groups, sessions and markers.

use super::{
    children::{marked, Children},
    probe::FIRST_ID,
    procfs::{self, Environment, Process, Which},
    signals, sockdiag,
};
use crate::protocol::{BusyPort, MatchedProcesses, ProcessFacts, QueryAnswer};
use nix::{
    errno::Errno,
    libc::SIGKILL,
    sys::socket::{
        bind, setsockopt, socket, sockopt::ReuseAddr, AddressFamily, SockFlag, SockType, SockaddrIn,
    },
    unistd::getpid,
};
use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    os::fd::AsRawFd,
    thread,
    time::{Duration, Instant},
};

/// How long what was killed may take to be gone.
const KILL_WAIT: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Neither the list of sockets nor that of processes is of one moment: somebody in between is found
/// by another look.
const LOOKS_MAX: usize = 3;
/// What comes back as fast as it is killed is told, in the end.
const ROUNDS_MAX: usize = 10;
/// Far more than any tree has, and an end for a climb among processes that come and go.
const STEPS_MAX: usize = 4096;
/// Somebody on the way up may end while we climb; from below there is another way.
const CLIMBS_MAX: usize = 3;

/// A question, and what has to be known to answer it elsewhere.
pub struct Look {
    pub ports: Vec<u16>,
    pub parts: Vec<String>,
    pub kill: bool,
    pub spared: Spared,
}

/// Who is neither told nor killed.
pub struct Spared {
    supervisor: i32,
    /// With the supervisor itself.
    ancestors: HashSet<i32>,
    /// Children of ours that belong to no set, by pid and start.
    strangers: HashSet<(i32, u64)>,
    /// Where the cgroups of sets are, as /proc/PID/cgroup calls it.
    cgroups: Option<String>,
    /// The sets themselves.
    sets: HashSet<u32>,
    foreign: Foreigners,
}

/// The sets that another supervisor started (`foreign.rs`).
#[derive(Default)]
struct Foreigners {
    /// Their processes, as far as they were seen, by pid and start.
    known: HashSet<(i32, u64)>,
    /// Their process groups, and sessions by the same numbers.
    groups: HashSet<i32>,
    ids: HashSet<u32>,
    /// The first part of every `ONEUP_ID`.
    marker: String,
}

impl Foreigners {
    fn has(&self, process: &Process) -> bool {
        !self.ids.is_empty()
            && (self.known.contains(&(process.pid, process.started))
                || self.groups.contains(&process.group)
                || self.groups.contains(&process.session)
                || self.is_marked(process.pid))
    }

    fn is_marked(&self, pid: i32) -> bool {
        let Environment::Known(environment) = procfs::environment(pid) else {
            return false;
        };
        marked(&environment, &self.marker).is_some_and(|id| self.ids.contains(&id))
    }
}

impl Children {
    /// What belongs to these sets is spared.
    pub fn spared(&mut self, own: &[u32]) -> Spared {
        self.look(Which::All);
        let is_strange = |owner: &Option<u32>| match owner {
            // The nucleus's own, for probes: they are some service's.
            Some(id) => *id < FIRST_ID && !own.contains(id),
            None => true,
        };
        let strangers = self.roots.iter().filter(|(_, owner)| is_strange(owner));
        let mut spared = Spared::new(
            strangers.map(|(pid, _)| *pid),
            self.cgroup_path().map(str::to_owned),
        );
        spared.sets = own.iter().copied().collect();
        spared.foreign.marker.clone_from(&self.marker);
        for (id, set) in &self.sets {
            if let Some(foreign) = set.foreign.as_ref().filter(|_| !is_strange(&Some(*id))) {
                let known = foreign.known.borrow();
                let known = known.iter().map(|(pid, started)| (*pid, *started));
                spared.foreign.known.extend(known);
                spared.foreign.groups.insert(set.group);
                spared.foreign.ids.insert(*id);
            }
        }
        spared
    }
}

impl Spared {
    fn new(strangers: impl Iterator<Item = i32>, cgroups: Option<String>) -> Spared {
        let supervisor = getpid().as_raw();
        let mut ancestors = HashSet::from([supervisor, 1]);
        let mut next = procfs::process(supervisor);
        while let Some(process) = next.filter(|process| process.parent > 0) {
            if !ancestors.insert(process.parent) && process.parent == supervisor {
                break; // No tree has a circle; /proc of a moment may.
            }
            next = (ancestors.len() < STEPS_MAX)
                .then(|| procfs::process(process.parent))
                .flatten();
        }
        let strangers = strangers.filter_map(procfs::process);
        Spared {
            supervisor,
            ancestors,
            strangers: strangers.map(|one| (one.pid, one.started)).collect(),
            cgroups,
            sets: HashSet::new(),
            foreign: Foreigners::default(),
        }
    }

    fn has(&self, process: &Process) -> bool {
        if process.pid <= 1 || self.ancestors.contains(&process.pid) {
            return true;
        }
        // Who cannot be placed is better spared.
        let below = (0..CLIMBS_MAX).find_map(|_| self.climb(process));
        below.unwrap_or(true) || self.is_in_cgroup(process.pid)
    }

    /// Whether it is below a child of ours that may belong to a set, or is of a foreign one. `None`:
    /// somebody on the way has gone.
    fn climb(&self, from: &Process) -> Option<bool> {
        let mut above = *from;
        for _ in 0..STEPS_MAX {
            if above.parent == self.supervisor {
                return Some(!self.strangers.contains(&(above.pid, above.started)));
            }
            if self.foreign.has(&above) {
                return Some(true);
            }
            if above.parent <= 1 {
                return Some(false);
            }
            above = procfs::process(above.parent)?;
        }
        None
    }

    fn is_in_cgroup(&self, pid: i32) -> bool {
        let set_below = |own: &String| -> Option<u32> {
            let path = procfs::cgroup(&pid.to_string())?;
            let below = path.strip_prefix(own.as_str())?.strip_prefix('/')?;
            below.split('/').next()?.parse().ok()
        };
        let set = self.cgroups.as_ref().and_then(set_below);
        set.is_some_and(|id| id >= FIRST_ID || self.sets.contains(&id))
    }
}

impl Look {
    pub fn answer(&self) -> QueryAnswer {
        let mut found = self.find();
        if self.kill {
            let deadline = Instant::now() + KILL_WAIT;
            for _ in 0..ROUNDS_MAX {
                if !self.clear(&found, deadline) {
                    break;
                }
                found = self.find();
            }
        }
        let (ports, processes) = (found.ports, found.processes);
        QueryAnswer::Obstacles { ports, processes }
    }

    fn find(&self) -> Found {
        let mut found = Found::default();
        for port in self.ports.iter().copied().filter(|port| is_busy(*port)) {
            let owners = (0..LOOKS_MAX)
                .map(|_| self.owners_of(port, &mut found))
                .find(|owners| !owners.is_empty())
                .unwrap_or_default();
            found.ports.push(BusyPort { port, owners });
        }
        let others = procfs::all();
        for part in &self.parts {
            let lower = part.to_lowercase();
            let matches = found.take(self, &others, |other| {
                let name = procfs::short_name(other.pid);
                name.is_some_and(|name| name.to_lowercase().contains(&lower))
                    && !procfs::is_kernel_thread(other.pid)
            });
            if !matches.is_empty() {
                found.processes.push(MatchedProcesses {
                    part: part.clone(),
                    found: matches,
                });
            }
        }
        found
    }

    /// Who listens there, spared ones left out.
    fn owners_of(&self, port: u16, found: &mut Found) -> Vec<ProcessFacts> {
        let listeners = sockdiag::tcp_listeners();
        let on_port = listeners.iter().filter(|(_, at)| is_in_the_way(at, port));
        let inodes: Vec<u64> = on_port.map(|(inode, _)| *inode).collect();
        if inodes.is_empty() {
            return Vec::new();
        }
        found.take(self, &procfs::all(), |other| {
            sockdiag::has_one_of(other.pid, &inodes)
        })
    }

    /// Kills them with all below them, and waits for their ends. False if nothing could be done,
    /// or there is no time left.
    fn clear(&self, found: &Found, deadline: Instant) -> bool {
        if found.all.is_empty() || Instant::now() >= deadline {
            return false;
        }
        let roots: Vec<i32> = found.all.iter().map(|one| one.pid).collect();
        let mut victims: Vec<Process> = found.all.clone();
        let below = procfs::trees(&roots).into_iter();
        victims.extend(below.filter(|one| one.is_visible() && !roots.contains(&one.pid)));
        victims.retain(|one| !self.spared.has(one) && kill(one));
        let killed = !victims.is_empty();
        while victims.iter().any(lives) && Instant::now() < deadline {
            thread::sleep(LOOK_AGAIN);
        }
        killed
    }
}

/// What is in the way at a moment.
#[derive(Default)]
struct Found {
    ports: Vec<BusyPort>,
    processes: Vec<MatchedProcesses>,
    /// Of both, to be killed.
    all: Vec<Process>,
}

impl Found {
    fn take(
        &mut self,
        look: &Look,
        others: &[Process],
        is_meant: impl Fn(&Process) -> bool,
    ) -> Vec<ProcessFacts> {
        let mut facts = Vec::new();
        for other in others {
            if other.zombie || !is_meant(other) || look.spared.has(other) {
                continue;
            }
            let Some(fact) = procfs::facts(other.pid) else {
                continue;
            };
            facts.push(fact);
            self.all.push(*other);
        }
        facts
    }
}

/// Its number may have been given away since it was seen.
fn kill(process: &Process) -> bool {
    signals::send_checked(process.pid, SIGKILL, || lives(process))
}

fn lives(process: &Process) -> bool {
    procfs::process(process.pid).is_some_and(|now| now.started == process.started && !now.zombie)
}

/// A listener there keeps others from the port of all addresses, or of 127.0.0.1, by IPv4.
fn is_in_the_way(at: &SocketAddr, port: u16) -> bool {
    let by_four = match at.ip() {
        IpAddr::V4(_) => true,
        IpAddr::V6(address) => address.is_unspecified() || address.to_ipv4_mapped().is_some(),
    };
    at.port() == port && by_four
}

/// Nobody could listen there now. What we may not find out (a port that is not for us) is free.
fn is_busy(port: u16) -> bool {
    [Ipv4Addr::UNSPECIFIED, Ipv4Addr::LOCALHOST]
        .into_iter()
        .any(|address| try_bind(SocketAddrV4::new(address, port)) == Err(Errno::EADDRINUSE))
}

/// Bound, never listening, and gone again.
fn try_bind(address: SocketAddrV4) -> nix::Result<()> {
    let kind = (SockType::Stream, SockFlag::SOCK_CLOEXEC);
    let socket = socket(AddressFamily::Inet, kind.0, kind.1, None)?;
    setsockopt(&socket, ReuseAddr, &true)?;
    bind(socket.as_raw_fd(), &SockaddrIn::from(address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{await_some, await_that};
    use nix::fcntl::{fcntl, FcntlArg, FdFlag};
    use std::{
        fs,
        net::TcpListener,
        os::fd::AsFd,
        path::PathBuf,
        process::{Child, Command},
    };

    /// As if another process were the supervisor: what the test starts is nobody's.
    fn elsewhere() -> Spared {
        assert!(procfs::is_ours());
        let mut spared = Spared::new(std::iter::empty(), None);
        spared.supervisor = i32::MAX;
        spared
    }

    /// As if this process were: what the test starts is a service's, unless it is a stranger.
    fn here(strangers: &[&Child]) -> Spared {
        assert!(procfs::is_ours());
        Spared::new(strangers.iter().map(|child| child.id() as i32), None)
    }

    fn look(ports: &[u16], parts: &[&str], kill: bool, spared: Spared) -> Found {
        let look = Look {
            ports: ports.to_vec(),
            parts: parts.iter().map(|part| (*part).to_owned()).collect(),
            kill,
            spared,
        };
        let QueryAnswer::Obstacles { ports, processes } = look.answer() else {
            unreachable!("it is the only answer");
        };
        Found {
            ports,
            processes,
            all: Vec::new(),
        }
    }

    fn pids(facts: &[ProcessFacts]) -> Vec<u32> {
        facts.iter().map(|fact| fact.pid).collect()
    }

    /// `sleep` under a name that no other process has.
    struct Sleeper(PathBuf);

    impl Sleeper {
        fn new(tag: &str) -> Sleeper {
            assert!(procfs::is_ours());
            let name = format!("Oup{tag}{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::copy("/bin/sleep", &path).expect("a copy");
            Sleeper(path)
        }

        fn name(&self) -> String {
            let name = self.0.file_name().and_then(|name| name.to_str());
            name.expect("it has a name").to_owned()
        }

        fn start(&self) -> Child {
            let mut command = Command::new(&self.0);
            command.arg("1000");
            // Busy as long as a child that another test is just making has the copy open.
            let child = await_some("a process", || command.spawn().ok());
            let pid = child.id() as i32;
            await_that("its name", || {
                procfs::short_name(pid).is_some_and(|name| self.name().starts_with(name.trim_end()))
            });
            child
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    fn end(mut child: Child) {
        let _ = child.kill();
        child.wait().expect("our child");
    }

    /// A shell that listens, and a child of it that does so too.
    fn listening(script: &str) -> (Child, u16) {
        assert!(procfs::is_ours());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        fcntl(listener.as_fd(), FcntlArg::F_SETFD(FdFlag::empty())).expect("our socket");
        let mut shell = Command::new("/bin/sh");
        let child = shell.args(["-c", script]).spawn().expect("a shell");
        (child, port)
    }

    #[test]
    fn who_listens_is_told() {
        let (child, port) = listening("exec sleep 1000");
        let found = look(&[port], &[], false, elsewhere());
        assert_eq!(found.ports.len(), 1);
        assert_eq!(found.ports[0].port, port);
        assert_eq!(pids(&found.ports[0].owners), [child.id()]);
        end(child);
        assert_eq!(look(&[port], &[], false, elsewhere()).ports, []);
    }

    #[test]
    fn the_supervisor_is_in_nobodys_way() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"] {
            let listener = TcpListener::bind(address).expect("a port");
            let port = listener.local_addr().expect("its address").port();
            let found = look(&[port], &[], true, elsewhere());
            assert_eq!(
                found.ports,
                [BusyPort {
                    port,
                    owners: Vec::new()
                }],
                "{address}"
            );
        }
        let own = procfs::short_name(getpid().as_raw()).expect("our name");
        let found = look(&[], &[&own], false, elsewhere());
        let told = found
            .processes
            .iter()
            .flat_map(|matched| pids(&matched.found));
        assert!(!told.collect::<Vec<_>>().contains(&std::process::id()));
    }

    #[test]
    fn the_other_family_is_no_obstacle() {
        let listener = TcpListener::bind("[::1]:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        assert_eq!(look(&[port], &[], false, elsewhere()).ports, []);
    }

    #[test]
    fn killed_with_all_that_it_started() {
        let (mut child, port) = listening("sleep 1000 & sleep 1000 & wait");
        let pid = child.id() as i32;
        await_that("its children", || procfs::trees(&[pid]).len() == 3);
        let tree = procfs::trees(&[pid]);
        let found = look(&[port], &[], true, elsewhere());
        assert_eq!(found.ports, []);
        assert!(tree.iter().all(|process| !lives(process)));
        child.wait().expect("our child");
    }

    #[test]
    fn names_in_any_case() {
        let sleeper = Sleeper::new("Na");
        let child = sleeper.start();
        for part in [sleeper.name().to_uppercase(), sleeper.name().to_lowercase()] {
            // The kernel keeps 15 characters of a name.
            let part: String = part.chars().take(10).collect();
            let found = look(&[], &[&part], false, elsewhere());
            assert_eq!(found.processes.len(), 1, "{part}");
            assert_eq!(found.processes[0].part, part);
            assert_eq!(pids(&found.processes[0].found), [child.id()]);
        }
        let nobody = look(&[], &["no process is called so"], true, elsewhere());
        assert_eq!(nobody.processes, []);
        end(child);
    }

    #[test]
    fn services_are_spared_and_strangers_are_not() {
        let sleeper = Sleeper::new("Sp");
        let part: String = sleeper.name().chars().take(12).collect();
        let (mut service, mut stranger) = (sleeper.start(), sleeper.start());
        let told = look(&[], &[&part], false, here(&[&stranger]));
        assert_eq!(pids(&told.processes[0].found), [stranger.id()]);
        let left = look(&[], &[&part], true, here(&[&stranger]));
        assert_eq!(left.processes, []);
        stranger.wait().expect("our child");
        assert_eq!(service.try_wait().expect("our child"), None);
        end(service);
    }

    /// After a handover: nothing of the former supervisor's is below us.
    #[test]
    fn sets_of_another_supervisor_are_spared() {
        let sleeper = Sleeper::new("Fo");
        let part: String = sleeper.name().chars().take(12).collect();
        let mut child = sleeper.start();
        let process = procfs::process(child.id() as i32).expect("it is there");
        let foreign = |known: &[(i32, u64)], groups: &[i32]| {
            let mut spared = elsewhere();
            spared.foreign = Foreigners {
                known: known.iter().copied().collect(),
                groups: groups.iter().copied().collect(),
                ids: HashSet::from([1]),
                marker: "some-marker".into(),
            };
            spared
        };
        let told = |spared| look(&[], &[&part], true, spared).processes;
        assert_eq!(told(foreign(&[(process.pid, process.started)], &[])), []);
        assert_eq!(told(foreign(&[], &[process.group])), []);
        assert_eq!(told(foreign(&[], &[process.session])), []);
        // What is below one of theirs.
        let parent = procfs::process(process.parent).expect("it is there");
        assert_eq!(told(foreign(&[(parent.pid, parent.started)], &[])), []);
        assert_eq!(child.try_wait().expect("our child"), None);
        // Another of the same number is nobody's, and killed.
        let former = (process.pid, process.started - 1);
        assert_eq!(told(foreign(&[former], &[])), []);
        child.wait().expect("our child");
    }

    #[test]
    fn sets_of_another_supervisor_are_known_by_their_marker() {
        let mut command = Command::new("/bin/sleep");
        let mut child = command
            .arg("1000")
            .env("ONEUP_ID", "one-two.7")
            .spawn()
            .expect("a process");
        let pid = child.id() as i32;
        let with = |marker: &str, id| Foreigners {
            ids: HashSet::from([id]),
            marker: marker.into(),
            ..Foreigners::default()
        };
        await_that("its environment", || with("one-two", 7).is_marked(pid));
        let process = procfs::process(pid).expect("it is there");
        assert!(with("one-two", 7).has(&process));
        assert!(!with("one-two", 8).has(&process));
        assert!(!with("one", 7).has(&process));
        child.kill().expect("our child");
        child.wait().expect("our child");
    }

    #[test]
    fn a_number_that_was_given_away_is_not_killed() {
        let sleeper = Sleeper::new("Re");
        let mut child = sleeper.start();
        let mut former = procfs::process(child.id() as i32).expect("it is there");
        former.started -= 1;
        assert!(!kill(&former));
        assert_eq!(child.try_wait().expect("our child"), None);
        end(child);
    }

    #[test]
    fn without_proc_nobody_is_found_and_nothing_breaks() {
        let nobody = procfs::process_or_ids(i32::MAX);
        assert!(!lives(&nobody));
        assert!(elsewhere().has(&nobody) || nobody.parent <= 1);
        assert!(!sockdiag::has_one_of(i32::MAX, &[1]));
        assert!(!procfs::is_kernel_thread(i32::MAX));
    }
}
