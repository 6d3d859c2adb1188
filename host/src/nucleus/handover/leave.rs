//! How a supervisor makes room: by executing its program anew, or by leaving its things to a
//! keeper.

use super::{
    keeper, pack::Pack, set_close_on_exec, tables::Tickets, Carried, Packer, Road, Saved,
    UNDERSTOOD, VARIABLE,
};
use crate::{
    brain::Answer,
    nucleus::{http::Server, mind::Heard, monotonic_ms, BootFacts, Inboxes, Nucleus, LEAVE_WITHIN},
    protocol::{Command, Event, QueryAnswer},
};
use nix::{
    errno::Errno,
    poll::{poll, PollFd, PollFlags, PollTimeout},
    unistd::execve,
};
use std::{
    env,
    ffi::{CStr, CString, OsString},
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::{
        fd::{AsFd, AsRawFd},
        unix::{ffi::OsStringExt, fs::OpenOptionsExt, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{self, Child, ChildStdout, Stdio},
    time::{Duration, Instant},
};
use tokio::sync::mpsc::UnboundedReceiver;

/// For a program to say that it understands. Meanwhile services go on, and nobody is answered.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// For readers of stdout; what they have not read by then travels along.
const FLUSH_WITHIN: Duration = Duration::from_millis(200);

/// What the loop was left for.
pub enum Leaving {
    Exit(i32),
    Renew {
        /// `None`: what was started.
        binary: Option<PathBuf>,
    },
    /// To a keeper beside this file, which gets this text.
    Keep {
        key: String,
        path: PathBuf,
        state: String,
    },
}

impl Nucleus {
    /// Goes on where a former supervisor has left off.
    pub fn restore(&mut self, carried: Carried) {
        let Carried {
            saved,
            mut unpacker,
            road,
        } = carried;
        let now = monotonic_ms();
        {
            let mut logs = self.logs.borrow_mut();
            logs.restore(saved.logs, &mut unpacker);
            logs.unwritten = saved.unwritten;
            logs.resume_console();
        }
        self.journal.borrow_mut().restore(saved.events);
        self.children.restore(saved.children, road, &mut unpacker);
        self.boot = BootFacts {
            config: saved.options.config,
            seed: saved.seed,
            next_id: saved.next_id,
            next_seq: saved.next_seq,
            wall_started: saved.wall_started,
            renewed: true,
        };
        self.slate = saved.slate;
        self.child_logs = saved.child_logs.into_iter().collect();
        if road == Road::Exec {
            self.started_by = saved.started_by;
        }
        let events = self.probes.adopt(&mut self.children, now);
        self.take(events, now);
        // Who ended meanwhile: of that a signal came that is gone.
        let events = self.children.on_sigchld(now);
        self.take(events, now);
        // The tables tell all this to the first brain.
        self.mind.forget_facts();
        for (signal, sender, at) in saved.signals {
            self.mind.push(Event::Signal { signal, sender, at });
        }
    }

    /// Executes the program anew. Returns only if that did not work, and then nothing has changed.
    pub async fn renew(&mut self, server: &Server, inboxes: &mut Inboxes, binary: Option<PathBuf>) {
        if let Err(reason) = self.try_renew(server, inboxes, binary).await {
            server.go_on();
            self.say(format!(
                "not renewed: {reason}; everything goes on as before"
            ));
        }
    }

    async fn try_renew(
        &mut self,
        server: &Server,
        inboxes: &mut Inboxes,
        binary: Option<PathBuf>,
    ) -> Result<(), String> {
        if self.options.single {
            return Err("a single command has its supervisor for itself".into());
        }
        let program = self.successor(binary)?;
        let mut tickets = Tickets::new();
        let pack = self.pack(server, Road::Exec, &mut tickets)?;
        let checked = ask(&program, "check", &pack, |command| {
            // To a program that knows nothing of all this, a harmless wish.
            command.arg("version");
        })
        .and_then(|mut child| end_well(&mut child));
        if let Err(reason) = checked {
            self.resume_console();
            return Err(format!("{} is no successor: {reason}", program.display()));
        }
        self.requests.fail_all();
        server.pause(LEAVE_WITHIN, &mut inboxes.calls).await;
        let error = execute(&program, &pack);
        self.resume_console();
        Err(format!("{}: {}", program.display(), error.desc()))
    }

    /// The program to execute. The one that was started may have been replaced, which is the
    /// point; one that has gone altogether is still there for us.
    fn successor(&self, binary: Option<PathBuf>) -> Result<PathBuf, String> {
        if let Some(path) = binary {
            return Ok(path);
        }
        let started_by = self.started_by.clone().filter(|path| path.exists());
        let own = || Some(PathBuf::from("/proc/self/exe")).filter(|path| path.exists());
        started_by
            .or_else(own)
            .ok_or_else(|| "nobody can tell which program this is: there is no /proc".into())
    }

    /// Everything there is, as it is now.
    fn pack(&mut self, server: &Server, road: Road, tickets: &mut Tickets) -> Result<Pack, String> {
        let full = |error: io::Error| format!("no memory for the tables: {error}");
        let mut packer = Packer::new().map_err(full)?;
        let children = self.children.save(road, &mut packer, tickets)?;
        let mut logs = self.logs.borrow_mut();
        if road == Road::Exec {
            logs.suspend_console(FLUSH_WITHIN);
        }
        let mut options = self.options.clone();
        options.config = self.boot.config.clone();
        let saved = Saved {
            options,
            started_by: self.started_by.clone(),
            pid_namespace: pid_namespace(),
            seed: self.boot.seed,
            next_id: self.boot.next_id,
            next_seq: self.boot.next_seq,
            wall_started: self.boot.wall_started,
            slate: self.slate.clone(),
            signals: self.mind.signals(),
            child_logs: self
                .child_logs
                .iter()
                .map(|(id, log)| (*id, log.clone()))
                .collect(),
            children,
            unwritten: logs.unwritten(),
            logs: logs.save(&mut packer),
            events: self.journal.borrow().save(),
            socket: server.save_socket(road, &mut packer),
            tcp: server.save_tcp(road, &mut packer),
        };
        packer.finish(&saved).map_err(full)
    }

    fn resume_console(&self) {
        self.logs.borrow_mut().resume_console();
    }

    /// Leaves everything to a keeper, and answers. False: that did not work, and nothing has
    /// changed.
    pub async fn keep(
        &mut self,
        server: &Server,
        inboxes: &mut Inboxes,
        key: String,
        path: &Path,
        state: &str,
    ) -> bool {
        if let Err(message) = self.try_keep(server, path, state) {
            self.on_found((key, QueryAnswer::Failed { message }));
            return false;
        }
        // Who has the answer may start a successor at once.
        server.close_listeners();
        self.proxies.finish();
        self.on_found((key, QueryAnswer::HandedOver));
        let last_words = self.take_replies(&mut inboxes.answers);
        let _ = tokio::time::timeout(LEAVE_WITHIN, last_words).await;
        self.requests.fail_all();
        server.pause(LEAVE_WITHIN, &mut inboxes.calls).await;
        true
    }

    /// Lets the brain have its last word, and nothing else.
    async fn take_replies(&mut self, answers: &mut UnboundedReceiver<Answer>) {
        while self.mind.owes() {
            self.deliver();
            let Some(answer) = answers.recv().await else {
                return;
            };
            let Heard::Commands(commands) = self.mind.hear(answer) else {
                return;
            };
            let replies = commands.into_iter();
            replies
                .filter(|command| matches!(command, Command::Reply { .. } | Command::Say { .. }))
                .for_each(|command| self.apply(command));
        }
    }

    fn try_keep(&mut self, server: &Server, path: &Path, state: &str) -> Result<(), String> {
        let mut tickets = Tickets::new();
        let pack = self.pack(server, Road::Keeper, &mut tickets)?;
        let program = Path::new("/proc/self/exe");
        let mut child = ask(program, "keep", &pack, |command| {
            command
                .arg("keeper")
                .env(keeper::PATH_VARIABLE, keeper::socket_beside(path));
            pass_on(command, &pack);
        })
        .map_err(|reason| format!("no keeper: {reason}"))?;
        write_state(path, state).map_err(|error| {
            // It has nothing to keep. What is left to do is to reap it, as any orphan.
            let _ = child.kill();
            let _ = child.wait();
            let _ = fs::remove_file(keeper::socket_beside(path));
            format!("cannot write {}: {error}", path.display())
        })
    }
}

fn pid_namespace() -> Option<PathBuf> {
    fs::read_link("/proc/self/ns/pid").ok()
}

/// The numbers of another namespace would be those of strangers.
pub fn is_own_namespace(saved: &Saved) -> bool {
    saved.pid_namespace == pid_namespace()
}

/// Starts a program of ours for its part in the handover, and waits until it says that all is
/// well.
fn ask(
    program: &Path,
    part: &str,
    pack: &Pack,
    prepare: impl FnOnce(&mut process::Command),
) -> Result<Child, String> {
    let fd = pack.file.as_raw_fd();
    let mut command = process::Command::new(program);
    command.arg0("oneup");
    command.env(VARIABLE, format!("{part}:{fd}"));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    prepare(&mut command);
    set_close_on_exec(fd, false);
    let spawned = command.spawn();
    set_close_on_exec(fd, true);
    let mut child = spawned.map_err(|error| error.to_string())?;
    let said = child.stdout.take().map(listen).unwrap_or_default();
    if said == UNDERSTOOD.as_bytes() {
        return Ok(child);
    }
    let _ = child.kill();
    let _ = child.wait();
    Err(match said.is_empty() {
        true => "it does not start, or does not understand the tables".into(),
        false => "it is another program, or an older one".into(),
    })
}

/// What it says first, of the length that is expected.
fn listen(mut from: ChildStdout) -> Vec<u8> {
    let end = Instant::now() + ANSWER_WITHIN;
    let mut said = Vec::new();
    while said.len() < UNDERSTOOD.len() {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let mut fds = [PollFd::new(from.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Err(Errno::EINTR) => continue,
            Ok(ready) if ready > 0 => {}
            _ => break,
        }
        let mut piece = [0; UNDERSTOOD.len()];
        match from.read(&mut piece[said.len()..]) {
            Ok(count) if count > 0 => {
                let read = said.len()..said.len() + count;
                said.extend_from_slice(&piece[read]);
            }
            _ => break,
        }
    }
    said
}

fn end_well(child: &mut Child) -> Result<(), String> {
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("it says yes, but leaves with {status}")),
        Err(error) => Err(error.to_string()),
    }
}

/// The child gets all descriptors under their numbers.
fn pass_on(command: &mut process::Command, pack: &Pack) {
    let fds = pack.fds.clone();
    // SAFETY: between fork and execve only this system call is made.
    unsafe {
        command.pre_exec(move || {
            fds.iter().for_each(|fd| set_close_on_exec(*fd, false));
            Ok(())
        })
    };
}

/// Becomes that program. Returns only if it cannot be executed.
fn execute(program: &Path, pack: &Pack) -> Errno {
    let all = || pack.fds.iter().copied().chain([pack.file.as_raw_fd()]);
    let order = format!("{VARIABLE}=adopt:{}", pack.file.as_raw_fd());
    let environment = env::vars_os().map(|(name, value)| {
        let mut entry = name.into_vec();
        entry.push(b'=');
        entry.extend(value.into_vec());
        entry
    });
    let environment = c_strings(environment.chain([order.into_bytes()]));
    let arguments = c_strings(env::args_os().map(OsString::into_vec));
    let Ok(path) = CString::new(program.as_os_str().to_owned().into_vec()) else {
        return Errno::EINVAL;
    };
    all().for_each(|fd| set_close_on_exec(fd, false));
    let Err(error) = execve::<CString, CString>(&path as &CStr, &arguments, &environment);
    all().for_each(|fd| set_close_on_exec(fd, true));
    error
}

fn c_strings(all: impl Iterator<Item = Vec<u8>>) -> Vec<CString> {
    all.filter_map(|text| CString::new(text).ok()).collect()
}

/// Whole, or not at all.
fn write_state(path: &Path, state: &str) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".tmp");
    let draft = PathBuf::from(draft);
    // In a folder that is not ours alone it may be anything: a FIFO would be waited for, and another
    // user's file stay theirs.
    let _ = fs::remove_file(&draft);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| file.write_all(state.as_bytes()))
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::{sys::stat::Mode, unistd::mkfifo};
    use std::os::unix::fs::{symlink, MetadataExt};

    #[test]
    fn the_state_is_a_file_of_our_own_whatever_was_there() {
        let name = format!("oneup-state-{}", process::id());
        let folder = env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let (path, draft) = (folder.join("state.json"), folder.join("state.json.tmp"));
        let precious = folder.join("precious");
        fs::write(&precious, "precious").expect("a file");
        let in_the_way: [&dyn Fn(); 3] = [
            &|| mkfifo(&draft, Mode::S_IRWXU).expect("a FIFO"),
            &|| symlink(&precious, &draft).expect("a link"),
            &|| fs::hard_link(&precious, &draft).expect("a second name"),
        ];
        for put in in_the_way {
            put();
            write_state(&path, "state").expect("it is written");
            assert_eq!(fs::read_to_string(&path).expect("a file"), "state");
            let there = fs::symlink_metadata(&path).expect("a file");
            assert_eq!((there.mode() & 0o777, there.nlink()), (0o600, 1));
            assert!(!draft.exists());
        }
        assert_eq!(fs::read_to_string(&precious).expect("a file"), "precious");
        // What cannot be moved away stays.
        fs::create_dir(&draft).expect("a folder");
        assert!(write_state(&path, "other").is_err());
        assert_eq!(fs::read_to_string(&path).expect("a file"), "state");
        fs::remove_dir_all(&folder).expect("our folder");
    }
}
