//! What the processes of a set together may use: processors, memory, and how many they may be.
//!
//! A controller is either in the unified hierarchy (cgroup2), where the set's own cgroup gets the
//! bound and the child is born into it; or in a hierarchy of its own (cgroup version 1), where a
//! group is made for the set and the child joins it before its program runs. Whatever cannot be
//! had costs a complaint, never the start.
//!
//! Controllers of cgroup2 are handed down only to groups whose processes all sit in leaves. The
//! supervisor moves into one as soon as somebody wants a bound, and not before: that takes the
//! kernel up to 15 ms.

use super::{
    cgroup::{Leaf, SEAT},
    procfs,
};
use crate::protocol::Resources;
use nix::errno::Errno;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

const PERIOD_US: u64 = 100_000;
/// The kernel takes no less.
const QUOTA_MIN_US: u64 = 1000;
/// Of the groups that are made in hierarchies of version 1.
const PREFIX: &str = "oneup-";

/// The groups of version 1 that were made for sets.
#[derive(Default)]
pub struct Limits {
    /// Could not be removed yet.
    remains: Vec<PathBuf>,
    complaints: Vec<String>,
    /// Those of supervisors that have ended were looked for.
    tidied: bool,
}

/// What was made for one set.
#[derive(Default)]
pub struct Bounds {
    /// Groups of version 1.
    pub groups: Vec<PathBuf>,
    /// Their lists of processes, for the child to join.
    pub joins: Vec<File>,
}

/// One bound: its controller, and the files with what is to be written to them.
struct Bound {
    controller: &'static str,
    what: &'static str,
    unified: (&'static str, String),
    legacy: Vec<(&'static str, String)>,
}

fn bounds_of(resources: &Resources) -> Vec<Bound> {
    let mut bounds = Vec::new();
    if let Some(cpu) = resources.cpu {
        let quota = ((cpu * PERIOD_US as f64).round() as u64).max(QUOTA_MIN_US);
        bounds.push(Bound {
            controller: "cpu",
            what: "processor time",
            unified: ("cpu.max", format!("{quota} {PERIOD_US}")),
            legacy: vec![
                ("cpu.cfs_period_us", PERIOD_US.to_string()),
                ("cpu.cfs_quota_us", quota.to_string()),
            ],
        });
    }
    if let Some(memory) = resources.memory {
        bounds.push(Bound {
            controller: "memory",
            what: "memory",
            unified: ("memory.max", memory.to_string()),
            legacy: vec![("memory.limit_in_bytes", memory.to_string())],
        });
    }
    if let Some(pids) = resources.pids {
        bounds.push(Bound {
            controller: "pids",
            what: "the number of processes",
            unified: ("pids.max", pids.to_string()),
            legacy: vec![("pids.max", pids.to_string())],
        });
    }
    bounds
}

impl Limits {
    /// `name`: of this set, of this supervisor, and of no other. `leaf`: its cgroup2.
    pub fn bound(
        &mut self,
        service: &str,
        name: &str,
        resources: &Resources,
        leaf: Option<&Leaf>,
    ) -> Bounds {
        let mut made = Bounds::default();
        for bound in bounds_of(resources) {
            let unified = leaf.map(|leaf| bound_unified(leaf, &bound));
            if let Some(Ok(())) = unified {
                continue;
            }
            if let Err(error) = self.bound_legacy(name, &bound, &mut made) {
                // Where neither is there, the newer one says why.
                let error = match unified {
                    Some(Err(newer)) if error.kind() == io::ErrorKind::NotFound => newer,
                    _ => error,
                };
                self.complaints.push(format!(
                    "{service}: {} is not limited: {}",
                    bound.what,
                    reason(&error)
                ));
            }
        }
        made
    }

    fn bound_legacy(&mut self, name: &str, bound: &Bound, made: &mut Bounds) -> io::Result<()> {
        let parent = legacy_folder(bound.controller).ok_or(io::ErrorKind::NotFound)?;
        if !self.tidied {
            self.tidied = true;
            for controller in ["cpu", "memory", "pids"] {
                legacy_folder(controller).inspect(|folder| remove_abandoned(folder));
            }
        }
        let group = parent.join(format!("{PREFIX}{name}"));
        match fs::create_dir(&group) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if !made.groups.contains(&group) {
            made.groups.push(group.clone());
            made.joins.push(writable(&group.join("cgroup.procs"))?);
        }
        for (file, value) in &bound.legacy {
            write(&group.join(file), value)?;
        }
        Ok(())
    }

    /// The child could not join its groups.
    pub fn complain_of_join(&mut self, service: &str, errno: i32) {
        let reason = Errno::from_raw(errno).desc();
        self.complaints
            .push(format!("{service}: runs without its limits: {reason}"));
    }

    pub fn complaints(&mut self) -> Vec<String> {
        std::mem::take(&mut self.complaints)
    }

    /// What cannot go yet (the kernel may be a moment behind with a process that has just ended)
    /// goes with a later one.
    pub fn remove(&mut self, groups: Vec<PathBuf>) {
        self.remains.extend(groups);
        self.remains.retain(|group| !remove(group));
    }
}

impl Drop for Limits {
    fn drop(&mut self) {
        self.remove(Vec::new());
    }
}

fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => Errno::from_raw(code).desc().to_owned(),
        None => "there is no such controller here".to_owned(),
    }
}

/// True if nothing is left of it.
fn remove(group: &Path) -> bool {
    match fs::remove_dir(group) {
        Err(error) => error.kind() == io::ErrorKind::NotFound,
        Ok(()) => true,
    }
}

fn writable(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

/// In one write, as these files want it.
fn write(path: &Path, text: &str) -> io::Result<()> {
    writable(path)?.write_all(text.as_bytes())
}

// ---- the unified hierarchy

fn bound_unified(leaf: &Leaf, bound: &Bound) -> io::Result<()> {
    let folder = leaf.folder();
    let (file, value) = &bound.unified;
    let file = folder.join(file);
    if !file.exists() {
        hand_down(leaf.parent(), bound.controller)?;
    }
    write(&file, value)
}

/// From our own cgroup, by way of the folder of ours, to the leaves.
fn hand_down(folder: &Path, controller: &str) -> io::Result<()> {
    let own = folder.parent().ok_or(io::ErrorKind::NotFound)?;
    let is_there = |list: &str| {
        fs::read_to_string(own.join(list))
            .is_ok_and(|text| text.split_whitespace().any(|name| name == controller))
    };
    if !is_there("cgroup.controllers") {
        return Err(io::ErrorKind::NotFound.into());
    }
    let word = format!("+{controller}");
    match write(&own.join("cgroup.subtree_control"), &word) {
        Err(error) if error.raw_os_error() == Some(Errno::EBUSY as i32) => {
            sit_in_a_leaf(folder)?;
            write(&own.join("cgroup.subtree_control"), &word)?;
        }
        result => result?,
    }
    write(&folder.join("cgroup.subtree_control"), &word)
}

/// The supervisor itself, out of the way.
fn sit_in_a_leaf(folder: &Path) -> io::Result<()> {
    let seat = folder.join(SEAT);
    match fs::create_dir(&seat) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    write(&seat.join("cgroup.procs"), "0")
}

// ---- hierarchies of version 1

/// Our own group in the hierarchy of this controller.
fn legacy_folder(controller: &str) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    legacy_place(&mounts, &groups, controller)
}

fn legacy_place(mounts: &str, groups: &str, controller: &str) -> Option<PathBuf> {
    let has = |list: &str| list.split(',').any(|name| name == controller);
    let own = groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        fields.next().filter(|list| has(list))?;
        fields.next()
    })?;
    mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        if kind.next()? != "cgroup" || !has(kind.nth(1)?) {
            return None;
        }
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        // A group outside of what is mounted here is shown as the mount's own root.
        let below = Path::new(own).strip_prefix(root).unwrap_or(Path::new(""));
        Some(Path::new(point).join(below))
    })
}

/// Groups of supervisors that ended without tidying up: they are named by the process id.
fn remove_abandoned(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            .and_then(|rest| rest.split('-').next()?.parse().ok());
        if owner.is_some_and(|pid: i32| procfs::process(pid).is_none()) {
            remove(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "31 28 0:28 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n\
        32 28 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n\
        33 28 0:30 /box /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";
    const GROUPS: &str = "9:memory:/box/inner\n2:cpu,cpuacct:/\n0::/\n";

    #[test]
    fn a_controller_is_where_its_hierarchy_is_mounted() {
        let place = |controller| legacy_place(MOUNTS, GROUPS, controller);
        assert_eq!(place("cpu"), Some("/sys/fs/cgroup/cpu,cpuacct".into()));
        assert_eq!(place("memory"), Some("/sys/fs/cgroup/memory/inner".into()));
        assert_eq!(place("pids"), None);
    }

    #[test]
    fn what_is_written() {
        let resources = Resources {
            cpu: Some(0.5),
            memory: Some(1 << 20),
            pids: None,
        };
        let written = bounds_of(&resources);
        let unified: Vec<_> = written.iter().map(|bound| bound.unified.clone()).collect();
        assert_eq!(
            unified,
            [
                ("cpu.max", "50000 100000".to_owned()),
                ("memory.max", "1048576".to_owned())
            ]
        );
        assert_eq!(written[0].legacy[1].1, "50000");
    }

    #[test]
    fn controllers_are_handed_down_to_the_leaves() {
        let own = std::env::temp_dir().join(format!("oneup-limits-{}", std::process::id()));
        let folder = own.join("oneup-1-2");
        let leaf = folder.join("7");
        fs::create_dir_all(&leaf).unwrap();
        fs::write(own.join("cgroup.controllers"), "cpu pids\n").unwrap();
        for path in [
            own.join("cgroup.subtree_control"),
            folder.join("cgroup.subtree_control"),
        ] {
            fs::write(path, "").unwrap();
        }
        hand_down(&folder, "pids").unwrap();
        assert_eq!(
            fs::read_to_string(folder.join("cgroup.subtree_control")).unwrap(),
            "+pids"
        );
        let missing = hand_down(&folder, "memory").unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        fs::remove_dir_all(own).unwrap();
    }
}
