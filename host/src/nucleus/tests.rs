//! Real processes through the whole of `Children`, driven by a plain loop.
//!
//! `waitid(P_ALL)` and signal masks belong to a process, not to a thread, so each test runs in a
//! process of its own: the test program starts itself once more for this one test, and there forks
//! so that the test runs on a first thread.

use super::{
    children::{Children, Stdio},
    signals::Signals,
    startup,
};
use crate::protocol::{
    Event, Exit, Found, Limit, Receipt, ReceiptProcess, Scope, SpawnFailure, SpawnSpec,
};
use crate::testing::{await_some, await_that, join, DEADLINE};
use nix::{
    fcntl::{FcntlArg, OFlag},
    libc,
    poll::{poll, PollFd, PollFlags, PollTimeout},
    sys::{
        signal::{kill, Signal},
        wait::{waitpid, WaitPidFlag, WaitStatus},
    },
    unistd::{fork, getpid, ForkResult, Pid, Uid},
};
use std::{
    collections::BTreeMap,
    env, fs,
    io::Read,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::PermissionsExt,
    },
    panic,
    path::{Path, PathBuf},
    process::{Command, Stdio as Output},
    thread,
    time::{Duration, Instant},
};

mod imp;
mod machine;
mod notifying;
mod outputs;
mod probing;
mod spawning;
mod stopping;
mod terminals;

const INSIDE: &str = "ONEUP_TEST_INSIDE";
const NO_CGROUPS: &str = "ONEUP_TEST_NO_CGROUPS";
/// For a test in a process of its own: its waits end before, unless it is stuck between them.
const WHOLE_TEST: Duration = Duration::from_secs(400);

/// Runs a test in a process of its own.
fn isolated(body: impl FnOnce()) {
    isolated_under(&[], body);
}

/// Once as the machine is and once more without cgroups, which most machines do not give us.
fn isolated_twice(body: impl FnOnce()) {
    if env::var_os(INSIDE).is_none() {
        isolated_as(&[], &[(NO_CGROUPS, "1")], || ());
    }
    isolated(body);
}

/// The same on a second thread of that process, as the supervisor itself does it.
fn isolated_beside(body: fn()) {
    isolated(|| {
        super::signals::take_control().expect("control");
        let test = thread::spawn(body);
        let ended = within(WHOLE_TEST - DEADLINE, || test.is_finished().then_some(()));
        assert!(ended.is_some(), "the test's thread is stuck");
        join(test);
    });
}

/// The same below another program, such as `unshare`.
fn isolated_under(wrapper: &[&str], body: impl FnOnce()) {
    isolated_as(wrapper, &[], body);
}

fn isolated_as(wrapper: &[&str], environment: &[(&str, &str)], body: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        run_forked(body);
        return;
    }
    let own = env::current_exe().expect("/proc of this machine");
    let name = thread::current()
        .name()
        .expect("tests have names")
        .to_owned();
    let words = wrapper
        .iter()
        .map(PathBuf::from)
        .chain([own])
        .collect::<Vec<_>>();
    // A file, as what a failed test leaves running would keep a pipe open.
    let file = env::temp_dir().join(format!(
        "oneup-test-{}-{}",
        getpid(),
        name.replace(':', "-")
    ));
    let log = fs::File::create(&file).expect("a file");
    let mut test = Command::new(&words[0])
        .args(&words[1..])
        .args([
            &name,
            "--exact",
            "--nocapture",
            "--test-threads=1",
            "--include-ignored",
        ])
        .env(INSIDE, "1")
        .envs(environment.iter().copied())
        .stdin(Output::null())
        .stdout(log.try_clone().expect("a descriptor"))
        .stderr(log)
        .spawn()
        .expect("the test program itself");
    let status = within(WHOLE_TEST + DEADLINE, || {
        test.try_wait().expect("our child")
    });
    if status.is_none() {
        let _ = test.kill();
    }
    let text = String::from_utf8_lossy(&fs::read(&file).expect("our file")).into_owned();
    let _ = fs::remove_file(&file);
    eprintln!("{text}");
    assert!(
        status.is_some_and(|status| status.success()) && text.contains("1 passed"),
        "{status:?}: {text}"
    );
}

/// What comes in this time.
fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        let found = look();
        if found.is_some() || start.elapsed() > limit {
            return found;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn run_forked(body: impl FnOnce()) {
    // SAFETY: the other thread of this process waits for this one and holds no lock.
    match unsafe { fork() }.expect("a process") {
        ForkResult::Parent { child } => {
            let status = within(WHOLE_TEST, || waited(child, WaitPidFlag::empty()));
            if status.is_none() {
                let place = fs::read_to_string(format!("/proc/{child}/syscall"));
                say(&format!("the test is stuck; its system call: {place:?}\n"));
                let _ = kill(child, Signal::SIGKILL);
            }
            assert_eq!(status, Some(WaitStatus::Exited(child, 0)));
        }
        ForkResult::Child => {
            // The harness would keep what is printed for a thread that is not here.
            panic::set_hook(Box::new(|info| say(&format!("{info}\n"))));
            let done = panic::catch_unwind(panic::AssertUnwindSafe(body)).is_ok();
            // SAFETY: ends this process without running what belongs to its parent.
            unsafe { libc::_exit(i32::from(!done)) };
        }
    }
}

/// What waitpid(2) tells of a child, if there is something.
fn waited(child: Pid, more: WaitPidFlag) -> Option<WaitStatus> {
    match waitpid(child, Some(WaitPidFlag::WNOHANG | more)).expect("our child") {
        WaitStatus::StillAlive => None,
        status => Some(status),
    }
}

fn say(text: &str) {
    let _ = nix::unistd::write(std::io::stderr(), text.as_bytes());
}

/// A supervisor without a brain.
struct World {
    children: Children,
    signals: Signals,
    events: Vec<Event>,
    notes: Vec<String>,
    started: Instant,
    folder: PathBuf,
    next_id: u32,
}

impl World {
    fn new() -> World {
        World::with(false)
    }

    fn with(single: bool) -> World {
        let inherited = startup::prepare(None);
        let mut children = Children::new(inherited, single);
        if env::var_os(NO_CGROUPS).is_some() {
            children.without_cgroups();
        }
        let folder = env::temp_dir().join(format!(
            "oneup-test-{}-{}",
            getpid(),
            nix::unistd::getppid()
        ));
        fs::create_dir_all(&folder).expect("a folder");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("our folder");
        World {
            signals: Signals::open().expect("a signalfd"),
            children,
            events: Vec::new(),
            notes: Vec::new(),
            started: Instant::now(),
            folder,
            next_id: 1,
        }
    }

    fn now(&self) -> f64 {
        self.started.elapsed().as_secs_f64() * 1000.0
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn try_spawn(
        &mut self,
        spec: &SpawnSpec,
        stdio: Stdio<'_>,
    ) -> Result<(u32, u32), SpawnFailure> {
        let id = self.next_id;
        self.next_id += 1;
        let now = self.now();
        self.children
            .spawn(id, spec, stdio, now)
            .map(|pid| (id, pid))
    }

    fn spawn(&mut self, spec: &SpawnSpec) -> (u32, u32) {
        self.try_spawn(spec, Stdio::Null).expect("a good spec")
    }

    /// A script that has come to `: >$T/ready`.
    #[track_caller]
    fn script(&mut self, script: &str) -> (u32, u32) {
        let spec = self.sh(script);
        let made = self.spawn(&spec);
        let ready = self.path("ready");
        self.until(|_| ready.exists());
        fs::remove_file(&ready).expect("our file");
        made
    }

    /// `$T` is the test's folder; its path is free of blanks.
    fn sh(&self, script: &str) -> SpawnSpec {
        let mut spec = spec(&["/bin/sh", "-c", script]);
        spec.environment
            .insert("T".to_owned(), self.folder.display().to_string());
        spec
    }

    /// Output and exit of a program.
    #[track_caller]
    fn output(&mut self, spec: &SpawnSpec) -> (String, Exit) {
        let (read, write) = pipe();
        let stdio = Stdio::Given {
            input: None,
            out: write.as_fd(),
            err: write.as_fd(),
        };
        let (id, _) = self.try_spawn(spec, stdio).expect("a good spec");
        drop(write);
        let exit = self.exit(id);
        // All is in the pipe by now; its end is not waited for, as others might hold it open.
        nix::fcntl::fcntl(&read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("our pipe");
        let mut bytes = Vec::new();
        let _ = fs::File::from(read).read_to_end(&mut bytes);
        (String::from_utf8(bytes).expect("text"), exit)
    }

    /// One turn of the loop: waits for a signal, a deadline, or a moment.
    fn turn(&mut self) {
        self.turn_within(20.0);
    }

    fn turn_within(&mut self, ms: f64) {
        let limit = self
            .children
            .next_deadline()
            .map_or(ms, |at| (at - self.now()).clamp(0.0, ms));
        let awaited = [Some(self.signals.as_fd()), self.children.hearing_fd()];
        let awaited = awaited.into_iter().flatten();
        let mut fds: Vec<PollFd> = awaited
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        let _ = poll(&mut fds, PollTimeout::from(limit.ceil() as u8));
        let now = self.now();
        for arrived in self.signals.read() {
            if arrived.is_child() {
                self.events.extend(self.children.on_sigchld(now));
            } else if arrived.is_continue() {
                self.children.on_continued();
            }
        }
        // As in the nucleus: ends come first.
        self.events
            .extend(self.children.on_heard(now).unwrap_or_default());
        self.notes.extend(self.children.hearing_notes());
        self.events.extend(self.children.on_deadline(now));
    }

    #[track_caller]
    fn until(&mut self, mut done: impl FnMut(&mut World) -> bool) {
        let start = Instant::now();
        while !done(self) {
            assert!(
                start.elapsed() < DEADLINE,
                "waited too long; events: {:#?}",
                self.events
            );
            self.turn();
        }
    }

    /// The event of this kind and set, once it is there; it is taken out.
    #[track_caller]
    fn event(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        self.until(|world| world.events.iter().any(&wanted));
        let position = self.events.iter().position(wanted).expect("it is there");
        self.events.remove(position)
    }

    #[track_caller]
    fn exited(&mut self, id: u32) -> (Exit, u32) {
        match self.event(|event| matches!(event, Event::Exited { id: other, .. } if *other == id)) {
            Event::Exited {
                exit, leftovers, ..
            } => (exit, leftovers),
            _ => unreachable!(),
        }
    }

    #[track_caller]
    fn exit(&mut self, id: u32) -> Exit {
        self.exited(id).0
    }

    fn stop(&mut self, id: u32, signal: &str, timeout_ms: f64, tree: bool) {
        let now = self.now();
        let events = self.children.stop(id, signal, timeout_ms, tree, now);
        self.events.extend(events);
    }

    #[track_caller]
    fn stopped(&mut self, id: u32) -> Receipt {
        match self.event(|event| matches!(event, Event::Stopped { id: other, .. } if *other == id))
        {
            Event::Stopped { receipt, .. } => receipt,
            _ => unreachable!(),
        }
    }

    /// A pid that a script has written.
    #[track_caller]
    fn pid_in(&mut self, name: &str) -> u32 {
        let path = self.path(name);
        let mut pid = None;
        self.until(|_| {
            pid = fs::read_to_string(&path)
                .ok()
                .and_then(|text| text.trim().parse().ok());
            pid.is_some()
        });
        pid.expect("it was waited for")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let now = self.now();
        let ids: Vec<u32> = self
            .children
            .records()
            .iter()
            .map(|record| record.id)
            .collect();
        ids.into_iter()
            .for_each(|id| drop(self.children.stop(id, "KILL", 0.0, true, now)));
        self.children.stop_rest(u32::MAX, "KILL", 0.0, now);
        let start = Instant::now();
        while self.children.next_deadline().is_some() && start.elapsed() < DEADLINE {
            self.turn();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn spec(argv: &[&str]) -> SpawnSpec {
    SpawnSpec {
        service: "test".to_owned(),
        role: "main".to_owned(),
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        ..SpawnSpec::default()
    }
}

fn pipe() -> (OwnedFd, OwnedFd) {
    nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).expect("a pipe")
}

fn is_root() -> bool {
    Uid::effective().is_root()
}

fn lives(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|text| !text.contains(") Z "))
}

fn of(receipt: &Receipt, pid: u32) -> &ReceiptProcess {
    let mut processes = receipt.processes.iter();
    processes
        .find(|process| process.pid == pid)
        .unwrap_or_else(|| panic!("{pid} is not in {receipt:#?}"))
}

fn code(code: i32) -> Exit {
    Exit::Code(code)
}

fn killed_by(signal: &str) -> Exit {
    Exit::Signal(signal.to_owned())
}
