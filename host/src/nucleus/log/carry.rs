//! All logs on their way to a successor: rings, pipes with what is in them, beginnings of lines,
//! open files.

use super::{
    file::SavedFile,
    pipes::{Pipe, SavedPipe, Token},
    record::{Loss, Stream},
    ring::{Limits, Ring, SavedRing},
    Log, Logs,
};
use crate::{
    nucleus::handover::{Packer, Unpacker},
    protocol::LogOptions,
};
use serde::{Deserialize, Serialize};
use std::os::fd::AsFd as _;

#[derive(Serialize, Deserialize)]
pub struct SavedLogs {
    next_seq: u64,
    logs: Vec<SavedLog>,
}

#[derive(Serialize, Deserialize)]
struct SavedLog {
    name: String,
    pid: u32,
    options: LogOptions,
    pipes: Option<[SavedPipe; 2]>,
    ring: Option<SavedRing>,
    file: Option<SavedFile>,
    unseen: Loss,
}

impl Logs {
    /// Everything stays as it is; the successor goes on from here.
    pub fn save(&self, packer: &mut Packer) -> SavedLogs {
        let logs = self.slots.iter().flatten();
        SavedLogs {
            next_seq: self.sink.next_seq,
            logs: logs.map(|log| log.save(packer)).collect(),
        }
    }

    /// Into logs of which there are none yet.
    pub fn restore(&mut self, saved: SavedLogs, unpacker: &mut Unpacker) {
        self.sink.next_seq = saved.next_seq;
        for saved in saved.logs {
            self.insert(&saved.name, &saved.options);
            let Some(slot) = self.names.get(saved.name.as_str()).copied() else {
                continue;
            };
            if let Some(log) = &mut self.slots[slot as usize] {
                log.restore(saved, unpacker);
            }
            self.watch_pipes(slot);
        }
    }

    /// Those of a log that has just got them.
    fn watch_pipes(&mut self, slot: u32) {
        let Some(log) = &mut self.slots[slot as usize] else {
            return;
        };
        let id = log.id;
        for (pipe, stream) in log
            .pipes
            .iter()
            .flat_map(|pipes| pipes.iter())
            .zip([Stream::Out, Stream::Err])
        {
            self.large_pipes += usize::from(pipe.large);
            // One that cannot be watched is read when its process ends.
            let token = Token::Pipe { slot, id, stream };
            let _ = self.poller.watch(pipe.read.as_fd(), token);
        }
    }
}

impl Log {
    fn save(&self, packer: &mut Packer) -> SavedLog {
        let options = LogOptions {
            lines: self.lines,
            console: self.console,
            file: self.file.as_ref().map(|file| file.options().clone()),
        };
        let pipes = self.pipes.as_deref();
        SavedLog {
            name: self.name.to_string(),
            pid: self.pid,
            options,
            pipes: pipes.map(|[out, err]| [out.save(packer), err.save(packer)]),
            ring: self.ring.as_ref().map(|ring| ring.save(packer)),
            file: self.file.as_ref().map(|file| file.save(packer)),
            unseen: self.unseen,
        }
    }

    fn restore(&mut self, saved: SavedLog, unpacker: &mut Unpacker) {
        self.pid = saved.pid;
        self.unseen = saved.unseen;
        self.ring = saved
            .ring
            .and_then(|ring| Ring::restore(&ring, unpacker))
            .map(Box::new);
        let pipes = saved.pipes.and_then(|[out, err]| {
            Some(Box::new([
                Pipe::restore(&out, unpacker)?,
                Pipe::restore(&err, unpacker)?,
            ]))
        });
        self.pipes = pipes;
        if let Some(ring) = &mut self.ring {
            // It may have been beyond its limits for somebody who followed.
            ring.trim(Limits::of_lines(self.lines));
        }
        if let (Some(file), Some(saved)) = (&mut self.file, saved.file) {
            file.restore(saved, unpacker);
        }
    }
}
