//! One cgroup (version 2) for each process set, where the supervisor may make them: membership
//! that no process can shed by forking, and one write that kills all of it at once. Where there is
//! no writable cgroup, nothing of this exists and nobody is told: process sets work without.
//!
//! The supervisor itself stays where it is. The kernel asks processes to sit in leaves only where
//! controllers are handed down, which is done for limits alone (`limits.rs`), and moving a process
//! costs 15 ms during which no other cgroup can be made: twice what there is for a whole start.

use super::{
    handover::{Packer, Passed, Unpacker},
    procfs,
};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    rc::Rc,
};

const PREFIX: &str = "oneup-";
/// Where the supervisor itself sits once limits are wanted.
pub const SEAT: &str = "supervisor";

pub struct Cgroups {
    /// `…/oneup-NAME`, below the cgroup we are in.
    folder: Rc<Path>,
    /// The same as processes' own `/proc/PID/cgroup` call it.
    path: String,
    /// Held as long as we live, so that nobody takes our folder for an abandoned one.
    _lock: Flock<File>,
    /// Could not be removed yet.
    remains: Vec<PathBuf>,
}

/// What a successor needs to know of ours.
#[derive(Serialize, Deserialize)]
pub struct SavedCgroups {
    folder: PathBuf,
    path: String,
    lock: Passed,
}

/// The cgroup of one process set.
pub struct Leaf {
    parent: Rc<Path>,
    id: u32,
}

impl Cgroups {
    /// `None` where there is no cgroup2 or ours is not writable. `name` is this supervisor's and
    /// no other's.
    pub fn open(name: &str) -> Option<Cgroups> {
        // Only where a child can be born into its cgroup is all this worth its price: joining it
        // later takes the kernel up to 15 ms.
        if !super::spawn::CAN_SPAWN_INTO_CGROUP || !procfs::is_ours() {
            return None;
        }
        let own_path = procfs::cgroup("self")?;
        let own = mounted(&fs::read_to_string("/proc/self/mountinfo").ok()?, &own_path)?;
        remove_abandoned(&own);
        let folder = own.join(format!("{PREFIX}{name}"));
        fs::create_dir(&folder).ok()?;
        let lock = lock(&folder)?;
        Some(Cgroups {
            path: format!("{}/{PREFIX}{name}", own_path.trim_end_matches('/')),
            folder: folder.into(),
            _lock: lock,
            remains: Vec::new(),
        })
    }

    /// The folder, on its way to a successor.
    pub fn save(&self, packer: &mut Packer) -> SavedCgroups {
        SavedCgroups {
            folder: self.folder.to_path_buf(),
            path: self.path.clone(),
            lock: packer.fd(&*self._lock),
        }
    }

    /// `None`: it is not to be seen here.
    pub fn restore(saved: SavedCgroups, unpacker: &mut Unpacker) -> Option<Cgroups> {
        let lock = File::from(unpacker.fd(saved.lock)?);
        // The lock belongs to the open file and is held as long as that is.
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).ok()?;
        saved.folder.is_dir().then(|| Cgroups {
            folder: saved.folder.into(),
            path: saved.path,
            _lock: lock,
            remains: Vec::new(),
        })
    }

    /// That of a set that was there before.
    pub fn leaf(&self, id: u32) -> Leaf {
        Leaf {
            parent: Rc::clone(&self.folder),
            id,
        }
    }

    /// The leaf with the descriptor that a child is born into it by.
    pub fn make(&self, id: u32) -> Option<(Leaf, File)> {
        let leaf = Leaf {
            parent: Rc::clone(&self.folder),
            id,
        };
        let folder = leaf.folder();
        fs::create_dir(&folder).ok()?;
        match File::open(&folder) {
            Ok(handle) => Some((leaf, handle)),
            Err(_) => {
                // Nothing is in it; a failure leaves an empty folder behind, no more.
                let _ = fs::remove_dir(&folder);
                None
            }
        }
    }

    /// As processes' own `/proc/PID/cgroup` call it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The set whose cgroup the process is in.
    pub fn set_of(&self, pid: i32) -> Option<u32> {
        let path = procfs::cgroup(&pid.to_string())?;
        let below = path.strip_prefix(&self.path)?.strip_prefix('/')?;
        below.split('/').next()?.parse().ok()
    }

    /// What cannot go yet (the kernel may be a moment behind with a process that has just ended)
    /// goes with a later one.
    pub fn remove(&mut self, leaf: &Leaf) {
        self.remains.push(leaf.folder());
        self.remains.retain(|folder| remove_tree(folder).is_err());
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        self.leave_seat();
        // Where processes are left, so is the folder; a later supervisor removes it.
        let _ = remove_tree(&self.folder);
    }
}

impl Cgroups {
    /// Where the supervisor had to move for controllers to be handed down (`limits.rs`), it goes
    /// back, and they with it: only then can the folder be removed.
    fn leave_seat(&self) {
        let Some(own) = self.folder.parent() else {
            return;
        };
        if !self.folder.join(SEAT).is_dir() {
            return;
        }
        for folder in [&*self.folder, own] {
            let file = folder.join("cgroup.subtree_control");
            let handed = fs::read_to_string(&file).unwrap_or_default();
            for controller in handed.split_whitespace() {
                let _ = fs::write(&file, format!("-{controller}"));
            }
        }
        let _ = fs::write(own.join("cgroup.procs"), "0");
    }
}

impl Leaf {
    pub fn folder(&self) -> PathBuf {
        self.parent.join(self.id.to_string())
    }

    /// The folder of all of this supervisor's.
    pub fn parent(&self) -> &Path {
        &self.parent
    }

    /// The processes directly in it.
    pub fn processes(&self) -> Vec<i32> {
        let text = fs::read_to_string(self.folder().join("cgroup.procs")).unwrap_or_default();
        // 0 is a process outside our pid namespace.
        let pids = text.lines().filter_map(|pid| pid.parse().ok());
        pids.filter(|pid| *pid > 1).collect()
    }

    /// Whether anything lives in it or below.
    pub fn is_populated(&self) -> bool {
        fs::read_to_string(self.folder().join("cgroup.events"))
            .is_ok_and(|text| text.lines().any(|line| line == "populated 1"))
    }

    /// Kills everything in it and below, also what is just being forked. Kernels before 5.14 have
    /// no such file; callers kill one by one besides.
    pub fn kill(&self) {
        let file = OpenOptions::new()
            .write(true)
            .open(self.folder().join("cgroup.kill"));
        if let Ok(mut file) = file {
            let _ = file.write_all(b"1");
        }
    }
}

fn lock(folder: &Path) -> Option<Flock<File>> {
    let folder = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_DIRECTORY)
        .open(folder)
        .ok()?;
    Flock::lock(folder, FlockArg::LockExclusiveNonblock).ok()
}

/// Folders of supervisors that ended without tidying up.
fn remove_abandoned(own: &Path) {
    for entry in fs::read_dir(own).into_iter().flatten().flatten() {
        let is_theirs = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX));
        if is_theirs && lock(&entry.path()).is_some() {
            let _ = remove_tree(&entry.path());
        }
    }
}

/// cgroups can only be removed one by one, from the leaves, and only without processes.
fn remove_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path())?;
        }
    }
    match fs::remove_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Where the cgroup of this name is found, from the text of mountinfo.
fn mounted(mountinfo: &str, name: &str) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        if !kind.starts_with("cgroup2 ") {
            return None;
        }
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let below = Path::new(name).strip_prefix(root).ok()?;
        Some(Path::new(point).join(below))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "22 1 0:20 / /proc rw - proc proc rw\n\
        31 28 0:28 /box /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n\
        32 28 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n";

    #[test]
    fn the_mount_may_show_a_part_only() {
        let found = |name| mounted(MOUNTS, name);
        assert_eq!(
            found("/box/a/b"),
            Some(PathBuf::from("/sys/fs/cgroup/unified/a/b"))
        );
        assert_eq!(found("/box"), Some(PathBuf::from("/sys/fs/cgroup/unified")));
        assert_eq!(found("/elsewhere"), None);
        assert_eq!(mounted("", "/"), None);
    }
}
