//! The table of process sets on its way to a successor.

use super::{pack::pairs, Packer, Passed, Road, Unpacker};
use crate::nucleus::{
    cgroup::{Cgroups, SavedCgroups},
    children::{Children, Set},
    foreign::{self, Foreign},
    notify::SavedHearing,
    procfs,
    startup::Inherited,
};
use crate::protocol::ChildRecord;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

#[derive(Serialize, Deserialize)]
pub struct SavedChildren {
    marker: String,
    pub inherited: Inherited,
    cgroups: Option<SavedCgroups>,
    #[serde(with = "pairs")]
    sets: BTreeMap<u32, SavedSet>,
    /// Direct children of no set.
    orphans: Vec<i32>,
    rest: Option<u32>,
    hearing: Option<SavedHearing>,
}

#[derive(Serialize, Deserialize)]
struct SavedSet {
    set: serde_json::Value,
    leaf: bool,
    foreign: bool,
    /// Its processes by ids and starts, where the successor is not their parent.
    #[serde(with = "pairs")]
    known: HashMap<i32, u64>,
    /// Of its leader, where that lives and the successor is not its parent.
    pidfd: Option<Passed>,
}

impl SavedChildren {
    /// As a fresh brain would get them.
    pub fn records(&self) -> serde_json::Result<Vec<ChildRecord>> {
        let sets = self.sets.iter();
        let record = |(id, saved): (&u32, &SavedSet)| {
            Ok(Set::deserialize(&saved.set)?.record(*id, (None, 0.0)))
        };
        sets.map(record).collect()
    }
}

/// Descriptors that exist for the journey alone.
pub type Tickets = Vec<std::os::fd::OwnedFd>;

impl Children {
    /// Everything stays as it is. What the tickets hold must stay open until all has arrived.
    pub fn save(
        &self,
        road: Road,
        packer: &mut Packer,
        tickets: &mut Tickets,
    ) -> Result<SavedChildren, String> {
        let mut sets = BTreeMap::new();
        for (id, set) in &self.sets {
            sets.insert(*id, self.save_set(*id, set, road, packer, tickets)?);
        }
        let orphans = self.roots.iter().filter(|(_, set)| set.is_none());
        Ok(SavedChildren {
            marker: self.marker.clone(),
            inherited: self.origin.inherited.clone(),
            cgroups: self.cgroups.as_ref().map(|cgroups| cgroups.save(packer)),
            sets,
            orphans: orphans.map(|(pid, _)| *pid).collect(),
            rest: self.rest,
            hearing: self.hearing.as_ref().map(|hearing| hearing.save(packer)),
        })
    }

    fn save_set(
        &self,
        id: u32,
        set: &Set,
        road: Road,
        packer: &mut Packer,
        tickets: &mut Tickets,
    ) -> Result<SavedSet, String> {
        let (mut known, mut pidfd) = (HashMap::new(), None);
        if let Some(foreign) = &set.foreign {
            known = foreign.known.borrow().clone();
            pidfd = foreign.watch.as_ref().map(|watch| packer.fd(&watch.pidfd));
        } else if road == Road::Keeper {
            let seen = self.survey(id);
            known.extend(
                seen.iter()
                    .map(|seen| (seen.process.pid, seen.process.started)),
            );
            if let (true, Some(leader)) = (set.is_running(), procfs::process(set.leader)) {
                // A zombie of ours is no longer seen, but still its number's owner.
                known.insert(leader.pid, leader.started);
            }
        }
        if road == Road::Keeper && set.is_running() && set.foreign.is_none() {
            let made = foreign::pidfd(set.leader).ok_or_else(|| {
                format!("the kernel gives no descriptor for process {}", set.leader)
            })?;
            pidfd = Some(packer.fd(&made));
            tickets.push(made);
        }
        Ok(SavedSet {
            set: serde_json::to_value(set).map_err(|error| format!("process set {id}: {error}"))?,
            leaf: set.leaf.is_some(),
            foreign: set.foreign.is_some(),
            known,
            pidfd,
        })
    }

    /// Into a table that is empty.
    pub fn restore(&mut self, saved: SavedChildren, road: Road, unpacker: &mut Unpacker) {
        self.marker = saved.marker;
        let cgroups = saved.cgroups;
        if let Some(former) = cgroups.and_then(|saved| Cgroups::restore(saved, unpacker)) {
            self.cgroups = Some(former);
        }
        if let (Some(saved), Ok(hearing)) = (saved.hearing, self.ensure_hearing()) {
            hearing.restore(saved, unpacker);
        }
        if road == Road::Exec {
            self.rest = saved.rest;
            let orphans = saved.orphans.into_iter();
            self.roots.extend(orphans.map(|pid| (pid, None)));
        }
        for (id, saved) in saved.sets {
            self.restore_set(id, saved, road, unpacker);
        }
    }

    fn restore_set(&mut self, id: u32, saved: SavedSet, road: Road, unpacker: &mut Unpacker) {
        // What our own program wrote and has been read once before (see `check`).
        let Ok(mut set) = serde_json::from_value::<Set>(saved.set) else {
            return;
        };
        set.leaf = match (&self.cgroups, saved.leaf) {
            (Some(cgroups), true) => Some(cgroups.leaf(id)),
            _ => None,
        };
        let pidfd = saved.pidfd.and_then(|fd| unpacker.fd(fd));
        if road == Road::Keeper && set.is_rest() {
            return;
        }
        if road == Road::Keeper || saved.foreign {
            set.roots.clear();
            set.foreign = Some(Box::new(Foreign {
                watch: None,
                known: saved.known.into(),
            }));
        }
        self.roots
            .extend(set.roots.iter().map(|pid| (*pid, Some(id))));
        if let Some(stop) = set.stop.as_deref_mut() {
            stop.look_again();
            self.stopping.push(id);
            self.members.extend(stop.pids().map(|pid| (pid, id)));
        }
        self.sets.insert(id, Box::new(set));
        if let Some(pidfd) = pidfd {
            self.watch_leader(id, pidfd);
        }
    }
}
