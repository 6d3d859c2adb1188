//! The nucleus: one loop on one thread that reaps, stops, drains pipes, answers sockets and keeps
//! time, and hands what happened to the brain. It decides nothing about services.

mod bell;
mod brief;
mod caught;
mod cgroup;
mod children;
mod datagram;
mod events;
mod fdstore;
mod foreign;
mod fresh;
pub mod gather;
mod given;
mod guard;
mod handover;
mod http;
mod http_probe;
mod limits;
mod listen;
mod log;
mod machine;
mod message;
mod mind;
mod notice;
mod notify;
pub mod nursery;
mod output;
mod pressure;
mod probe;
mod procfs;
mod proxy;
mod queries;
mod reap;
mod requests;
mod resolve;
mod rpc;
mod settle;
pub mod signals;
mod sockdiag;
mod spawn;
mod startup;
mod stop;
mod syslog;
mod tail;
mod terminal;
mod timers;
mod tls;
pub mod users;
mod wall;

#[cfg(test)]
mod tests;

use crate::{
    brain::Answer,
    protocol::{Boot, Command, Event, Level, Machine, Part, SpawnFailure, SpawnSpec, Supervise},
    script::Program,
    Programs,
};
use children::{Children, Stdio};
pub use handover::take_part;

use events::Events;
use handover::{Carried, Leaving};
use http::Server;
use listen::ListenError;
use log::{Console, Logs};
use mind::{Heard, Mind};
use nix::{errno::Errno, libc};
use probe::Probes;
use proxy::Proxies;
use queries::Queries;
use requests::Requests;
use settle::Settling;
use signals::{Arrived, Signals};
use startup::Inherited;
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap, HashSet},
    future::{self, poll_fn, Future},
    io, mem,
    os::fd::{AsRawFd, OwnedFd},
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    pin::pin,
    process::ExitCode,
    rc::Rc,
    task::Poll,
    thread,
    time::Duration,
};
use syslog::Syslog;
use timers::Timers;
use tokio::{
    io::unix::{AsyncFd, AsyncFdReadyGuard, AsyncFdReadyMutGuard},
    sync::mpsc::{self, UnboundedReceiver},
    task::LocalSet,
    time::Instant,
};
use wall::Wall;

/// Events of one batch at most: a bound on what a lost batch can take along, and on its time.
const BATCH_EVENTS_MAX: usize = 256;

/// How long the process waits at its end for readers of its output and of its last answers.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// A fault that comes back at once must not take the whole processor.
const PANIC_PAUSE: Duration = Duration::from_millis(100);

/// Milliseconds of CLOCK_MONOTONIC.
pub fn monotonic_ms() -> f64 {
    clock_ms(nix::time::ClockId::CLOCK_MONOTONIC)
}

/// Milliseconds since 1970.
pub fn wall_ms() -> f64 {
    clock_ms(nix::time::ClockId::CLOCK_REALTIME)
}

fn clock_ms(clock: nix::time::ClockId) -> f64 {
    // Both clocks exist on every kernel; the call has no other way to fail.
    nix::time::clock_gettime(clock).map_or(0.0, |time| {
        time.tv_sec() as f64 * 1000.0 + time.tv_nsec() as f64 / 1e6
    })
}

struct Nucleus {
    children: Children,
    logs: Rc<RefCell<Logs>>,
    journal: Rc<RefCell<Events>>,
    probes: Probes,
    requests: Requests,
    timers: Timers,
    wall: Wall,
    mind: Mind,
    boot: BootFacts,
    slate: BTreeMap<String, String>,
    /// Which log a child writes to, so that its last lines come before the news of its end.
    child_logs: HashMap<u32, String>,
    emergency: bool,
    settling: Settling,
    proxies: Proxies,
    queries: Queries,
    leaving: Option<Leaving>,
    /// As it was started, for a successor in its place.
    options: Supervise,
    started_by: Option<PathBuf>,
    machine: Option<Machine>,
}

/// What a fresh brain gets besides the tables.
struct BootFacts {
    config: Box<serde_json::value::RawValue>,
    seed: u32,
    next_id: u32,
    next_seq: u32,
    wall_started: f64,
    /// Until the first brain lives.
    renewed: bool,
}

/// Everything the loop waits for, besides deadlines.
struct Inboxes {
    signals: AsyncFd<Signals>,
    /// Readable when `Logs` has something to read.
    output: AsyncFd<OwnedFd>,
    /// Readable when a service has told something; from when one can.
    hearing: Option<AsyncFd<OwnedFd>>,
    syslog: Option<AsyncFd<Syslog>>,
    answers: UnboundedReceiver<Answer>,
    probes: UnboundedReceiver<probe::Finished>,
    found: UnboundedReceiver<queries::Found>,
    proxies: UnboundedReceiver<proxy::News>,
    calls: mpsc::Receiver<http::Knock>,
}

/// Becomes a supervisor, until the brain says `Exit`.
pub fn run(programs: Programs, program: Program, mut options: Supervise) -> ExitCode {
    let mut notes = Vec::new();
    let fetched = options
        .adopt
        .take()
        .map(|path| handover::fetch(Path::new(&path)));
    let carried = fetched.and_then(|fetched| {
        let failed = |reason| {
            notes.push(format!(
                "what a former supervisor left cannot be gone on with: {reason}"
            ));
        };
        fetched.map_err(failed).ok()
    });
    start(programs, program, options, carried, notes)
}

/// Goes on in a process that was a supervisor before.
pub fn resume(programs: Programs, carried: Carried) -> Result<ExitCode, String> {
    let options = carried.saved.options.clone();
    let program = programs.get(&options.brain)?;
    Ok(start(programs, program, options, Some(carried), Vec::new()))
}

fn start(
    programs: Programs,
    program: Program,
    options: Supervise,
    carried: Option<Carried>,
    notes: Vec<String>,
) -> ExitCode {
    let mut inherited = startup::prepare(carried.as_ref().and_then(Carried::inherited));
    inherited.notes.extend(notes);
    machine::take_ctrl_alt_del();
    let (own, never_leave) = (inherited.clone(), options.never_leave);
    settle::share_arena();
    settle::give_back();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build();
    let result = runtime.and_then(|runtime| {
        let supervised = supervise(programs, program, options, carried, inherited);
        LocalSet::new().block_on(&runtime, supervised)
    });
    let end = result.unwrap_or_else(|error| {
        eprintln!("oneup: cannot supervise: {error}");
        End {
            code: 2,
            machine: None,
        }
    });
    match end.machine {
        Some(machine) if std::process::id() == 1 => machine::end(machine),
        None if never_leave => machine::again(&own),
        _ => std::process::exit(end.code),
    }
}

/// How a supervisor leaves.
#[derive(Clone, Copy)]
struct End {
    code: i32,
    machine: Option<Machine>,
}

async fn supervise(
    programs: Programs,
    program: Program,
    mut options: Supervise,
    mut carried: Option<Carried>,
    inherited: Inherited,
) -> io::Result<End> {
    let mut console = Console::standard(options.console_format, options.colour, options.own_log)?;
    console.start()?;
    let mut logs = Logs::new(console)?;
    inherited.notes.iter().for_each(|note| logs.say(note));
    // SAFETY: both hand out the one descriptor they own and keep open as long as they live.
    let output = unsafe { AsyncFd::register(logs.fd().try_clone_to_owned()?) }?;
    // SAFETY: as above.
    let signals = unsafe { AsyncFd::register(Signals::open()?) }?;
    let (answers_in, answers) = mpsc::unbounded_channel();
    let (probes_in, probes) = mpsc::unbounded_channel();
    let (found_in, found) = mpsc::unbounded_channel();
    let (proxies_in, proxies) = mpsc::unbounded_channel();
    let (calls_in, calls) = mpsc::channel(http::CALLS_MAX);
    let logs = Rc::new(RefCell::new(logs));
    let journal = Rc::new(RefCell::new(Events::new()));
    let server = Server::new(calls_in, Rc::clone(&logs), Rc::clone(&journal));
    let listening = listen(&server, &options, carried.as_mut());
    if let Err(error) = listening {
        // Of two supervisors for one configuration the second must not start anything.
        if error.taken || options.socket_required || options.listen.is_some() {
            eprintln!("oneup: {}", error.message);
            return Ok(End {
                code: options.refused_code.unwrap_or(2),
                machine: None,
            });
        }
        logs.borrow_mut().say(&format!(
            "{}; services run, but cannot be asked about",
            error.message
        ));
    }
    let syslog = options.syslog.as_deref();
    let syslog = syslog.and_then(|path| open_syslog(path, &logs));
    let mut nucleus = Nucleus {
        children: Children::new(inherited, options.single),
        started_by: startup::started_by(),
        probes: Probes::new(probes_in),
        requests: Requests::default(),
        timers: Timers::default(),
        wall: Wall::default(),
        mind: Mind::new(program, answers_in),
        boot: BootFacts {
            config: mem::take(&mut options.config),
            seed: std::process::id() ^ (wall_ms() * 1000.0) as u64 as u32,
            next_id: 1,
            next_seq: 1,
            wall_started: wall_ms(),
            renewed: false,
        },
        slate: BTreeMap::new(),
        child_logs: HashMap::new(),
        emergency: false,
        settling: Settling::new(),
        proxies: Proxies::new(proxies_in),
        queries: Queries::new(programs, found_in),
        leaving: None,
        options,
        machine: None,
        logs,
        journal,
    };
    if let Some(carried) = carried {
        nucleus.restore(carried);
    }
    let mut inboxes = Inboxes {
        signals,
        output,
        hearing: None,
        syslog,
        answers,
        probes,
        found,
        proxies,
        calls,
    };
    let Some(code) = nucleus.live(&server, &mut inboxes).await else {
        nucleus.logs.borrow_mut().finish(wall_ms(), LEAVE_WITHIN);
        // Files and cgroups are the successor's.
        mem::forget(nucleus);
        return Ok(End {
            code: 0,
            machine: None,
        });
    };
    // Nobody answers any more those who still wait.
    nucleus.requests = Requests::default();
    drop(inboxes);
    server.close(LEAVE_WITHIN).await;
    nucleus.logs.borrow_mut().finish(wall_ms(), LEAVE_WITHIN);
    Ok(End {
        code,
        machine: nucleus.machine,
    })
}

/// `None`: it cannot be made, and that has been said.
fn open_syslog(path: &str, logs: &RefCell<Logs>) -> Option<AsyncFd<Syslog>> {
    let opened = Syslog::open(path).and_then(|syslog| {
        // SAFETY: hands out the one descriptor it owns and keeps open as long as it lives.
        Ok(unsafe { AsyncFd::register(syslog) }?)
    });
    opened
        .map_err(|error| {
            let text = format!("cannot take log messages at {path}: {error}");
            logs.borrow_mut().say(&text);
        })
        .ok()
}

/// PID 1 does not end because of a fault of its own: the loop starts over on the same tables.
async fn without_panic<T>(work: impl Future<Output = T>) -> thread::Result<T> {
    let mut work = pin!(work);
    poll_fn(
        |context| match panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(fault) => Poll::Ready(Err(fault)),
        },
    )
    .await
}

fn listen(
    server: &Server,
    options: &Supervise,
    carried: Option<&mut Carried>,
) -> Result<(), ListenError> {
    let (unix, tcp) = carried.map_or((None, None), Carried::listeners);
    let terms = http::Terms {
        mode: options.socket_mode,
        speech: options.speech,
    };
    match (&options.socket, unix) {
        (Some(path), Some((listener, file))) => server.adopt_unix(path, terms, listener, file),
        (Some(path), None) => server.listen_unix(path, terms),
        (None, _) => Ok(()),
    }?;
    match (&options.listen, tcp) {
        (Some(options), Some(listener)) => server.adopt_tcp(options, listener),
        (Some(options), None) => server.listen_tcp(options),
        (None, _) => Ok(()),
    }
}

impl Nucleus {
    /// To its exit code; `None`: a keeper has all of it now, for a successor.
    async fn live(&mut self, server: &Server, inboxes: &mut Inboxes) -> Option<i32> {
        loop {
            match without_panic(self.run(inboxes)).await {
                Ok(Leaving::Exit(code)) => return Some(code),
                Ok(Leaving::Renew { binary }) => self.renew(server, inboxes, binary).await,
                Ok(Leaving::Keep { key, path, state }) => {
                    if self.keep(server, inboxes, key, &path, &state).await {
                        return None;
                    }
                }
                Err(_) => self.after_panic().await,
            }
        }
    }

    /// The panic's message is on stderr already. Half of a batch may have been applied, so the
    /// brain's picture may be wrong: a fresh one starts from the tables.
    async fn after_panic(&mut self) {
        tokio::time::sleep(PANIC_PAUSE).await;
        self.lose_brain("a fault in the nucleus".into());
    }

    /// Until the brain says `Exit`, or wants another program in our place.
    async fn run(&mut self, inboxes: &mut Inboxes) -> Leaving {
        loop {
            if let Some(leaving) = self.leaving.take() {
                return leaving;
            }
            self.deliver();
            inboxes.hear(&self.children);
            let deadline = self.next_deadline();
            tokio::select! {
                // Ends before output before requests: what is first in the list is looked at
                // first, and each turn is bounded, so that nobody starves the others.
                biased;
                Ok(mut ready) = inboxes.signals.readable() => {
                    self.on_signals(inboxes.signals.get_ref().read());
                    ready.clear_ready();
                }
                Some(answer) = inboxes.answers.recv() => self.on_answer(answer),
                Some(finished) = inboxes.probes.recv() => self.on_probe(finished),
                Some(found) = inboxes.found.recv() => self.on_found(found),
                Some(news) = inboxes.proxies.recv() => self.on_proxy(news),
                // Both found by `on_deadlines`.
                () = sleep_until(deadline) => {}
                () = self.wall.alarm() => {}
                Ok(mut ready) = readable(inboxes.hearing.as_ref()) => {
                    if self.on_heard() {
                        tokio::task::yield_now().await;
                    } else {
                        ready.clear_ready();
                    }
                }
                Ok(mut ready) = inboxes.output.readable() => {
                    if self.on_output() {
                        // Connections are tasks of their own: let them have their turn.
                        tokio::task::yield_now().await;
                    } else {
                        ready.clear_ready();
                    }
                }
                Some(knock) = inboxes.calls.recv() => match knock {
                    http::Knock::Call(incoming) => self.on_call(incoming),
                    // Found by `on_deadlines`.
                    http::Knock::Gone => {}
                },
                // Anybody may write there, as much as they like: it takes what the others leave.
                Ok(mut ready) = readable_mut(inboxes.syslog.as_mut()) => {
                    if self.on_syslog(ready.get_inner_mut()) {
                        tokio::task::yield_now().await;
                    } else {
                        ready.clear_ready();
                    }
                }
            }
            self.on_deadlines();
        }
    }

    fn deliver(&mut self) {
        let (boot, children, slate) = (&self.boot, &self.children, &self.slate);
        let proxies = &self.proxies;
        let result = self
            .mind
            .deliver(|lost| boot.fresh(lost, children, slate, proxies));
        match result {
            Ok(requests) => requests
                .into_iter()
                .for_each(|request| self.requests.delivered(request)),
            Err(reason) => self.lose_brain(reason),
        }
    }

    fn on_answer(&mut self, answer: Answer) {
        self.settling.on_answer(answer.bytes, monotonic_ms());
        match self.mind.hear(answer) {
            Heard::Commands(commands) => {
                commands.into_iter().for_each(|command| self.apply(command));
            }
            Heard::Lost(reason) => self.lose_brain(reason),
            Heard::Stale => {}
        }
    }

    fn lose_brain(&mut self, reason: String) {
        let now = monotonic_ms();
        self.say(format!(
            "the brain was lost ({reason}); services go on, a fresh one starts"
        ));
        self.timers.clear();
        self.wall.clear();
        self.logs.borrow_mut().unmatch_all();
        let events = self.probes.cancel_all(&mut self.children, now);
        self.take(events, now);
        self.requests.fail_delivered();
        self.mind.lose(reason);
        if self.mind.doubts_slate() {
            self.slate.clear();
            self.say(
                "no brain stays alive: the next one starts from the running services alone, \
                 without what was noted about them"
                    .into(),
            );
        }
    }

    /// Events of children: the nucleus's own are taken out; output comes before the news of an end.
    fn take(&mut self, events: Vec<Event>, now: f64) {
        for event in self.probes.intercept(&mut self.children, events, now) {
            if let Event::Exited { id, .. } = &event {
                self.drain_log(*id);
            }
            self.mind.push(event);
        }
        for note in self.children.hearing_notes() {
            self.say(note);
        }
        if self.emergency && self.children.records().is_empty() {
            self.leaving = Some(Leaving::Exit(1));
        }
    }

    fn drain_log(&mut self, id: u32) {
        if let Some(log) = self.child_logs.get(&id) {
            let matched = self.logs.borrow_mut().drain(log, wall_ms());
            self.push_matches(matched);
        }
    }

    fn push_matches(&mut self, keys: Vec<String>) {
        let at = monotonic_ms();
        for key in keys {
            self.mind.push(Event::LogMatched { key, at });
        }
    }

    fn on_signals(&mut self, arrived: Vec<Arrived>) {
        let now = monotonic_ms();
        for signal in arrived {
            if signal.is_child() {
                let events = self.children.on_sigchld(now);
                self.take(events, now);
                continue;
            }
            if signal.is_continue() && self.children.on_continued() {
                continue;
            }
            let name = signal.name();
            if name == "TERM" && self.mind.losses >= mind::HOPELESS_LOSSES {
                self.stop_without_brain(now);
            }
            self.mind.push(Event::Signal {
                signal: name,
                sender: signal.sender,
                at: now,
            });
        }
    }

    /// No brain stays alive, and somebody wants us to end: everything gets TERM, 10 s, KILL.
    fn stop_without_brain(&mut self, now: f64) {
        self.say("no brain stays alive: stopping everything without one".into());
        self.emergency = true;
        let ids: Vec<u32> = self
            .children
            .records()
            .iter()
            .map(|child| child.id)
            .collect();
        for id in ids {
            let events = self.children.stop(id, "TERM", 10_000.0, true, now);
            self.take(events, now);
        }
    }

    /// True: there is more to read at once.
    fn on_output(&mut self) -> bool {
        let turn = self.logs.borrow_mut().on_readable(wall_ms());
        self.push_matches(turn.matched);
        turn.more
    }

    /// True: there may be more to read at once.
    fn on_syslog(&mut self, syslog: &mut Syslog) -> bool {
        let (more, matched) = syslog.read(&mut self.logs.borrow_mut(), wall_ms());
        self.push_matches(matched);
        more
    }

    /// True: there may be more to read at once.
    fn on_heard(&mut self) -> bool {
        let now = monotonic_ms();
        let Some(events) = self.children.on_heard(now) else {
            return false;
        };
        self.take(events, now);
        true
    }

    fn on_probe(&mut self, finished: probe::Finished) {
        if let Some(event) = self.probes.on_finished(finished) {
            self.mind.push(event);
        }
    }

    fn on_call(&mut self, incoming: http::Incoming) {
        if self.mind.is_away(monotonic_ms()) {
            let _ = incoming.reply.send(requests::unavailable());
            return;
        }
        let event = self.requests.accept(incoming);
        self.mind.push(event);
    }

    fn on_deadlines(&mut self) {
        let now = monotonic_ms();
        let events = self.children.on_deadline(now);
        self.take(events, now);
        let events = self.probes.on_deadline(&mut self.children, now);
        self.take(events, now);
        while let Some(key) = self.timers.pop_due(now) {
            self.mind.push(Event::Timer { key, at: now });
        }
        for event in self.wall.due(now, wall_ms()) {
            self.mind.push(event);
        }
        self.settling.on_deadline(now);
        for event in self.requests.gone() {
            self.mind.push(event);
        }
    }

    fn next_deadline(&self) -> Option<f64> {
        [
            self.children.next_deadline(),
            self.probes.next_deadline(),
            self.timers.next(),
            self.mind.next_deadline(),
            self.settling.next_deadline(),
            self.wall.next_deadline(monotonic_ms()),
        ]
        .into_iter()
        .flatten()
        .min_by(f64::total_cmp)
    }

    fn say(&self, text: String) {
        self.logs.borrow_mut().say(&text);
    }

    fn apply(&mut self, command: Command) {
        let now = monotonic_ms();
        match command {
            Command::Spawn { id, spec } => self.spawn(id, &spec, now),
            Command::Signal { id, signal, scope } => self.children.signal(id, &signal, scope),
            Command::Stop {
                id,
                signal,
                timeout_ms,
                tree,
            } => {
                let events = self.children.stop(id, &signal, timeout_ms, tree, now);
                self.take(events, now);
            }
            Command::ExtendStop { id, timeout_ms } => {
                self.children.extend_stop(id, timeout_ms, now);
            }
            Command::StopRest {
                id,
                signal,
                timeout_ms,
            } => {
                self.boot.next_id = self.boot.next_id.max(id + 1);
                let events = self.children.stop_rest(id, &signal, timeout_ms, now);
                self.take(events, now);
            }
            Command::Forget { id } => {
                self.children.forget(id);
                self.child_logs.remove(&id);
            }
            Command::Arm { key, at } => {
                self.wall.cancel(&key);
                self.timers.arm(key, at);
            }
            Command::ArmWall { key, wall } => {
                self.timers.cancel(&key);
                self.wall.arm(key, wall);
            }
            Command::DropFds { service } => self.children.drop_fds(&service),
            Command::Cancel { key } => {
                self.timers.cancel(&key);
                self.wall.cancel(&key);
            }
            Command::Probe {
                key,
                probe,
                timeout_ms,
            } => {
                let events = self
                    .probes
                    .start(&mut self.children, key, probe, timeout_ms, now);
                self.take(events, now);
            }
            Command::CancelProbe { key } => {
                let events = self.probes.cancel(&mut self.children, &key, now);
                self.take(events, now);
            }
            Command::MatchLog {
                key,
                log,
                pattern,
                since_pid,
            } => self.match_log(&key, &log, &pattern, since_pid),
            Command::UnmatchLog { key } => self.logs.borrow_mut().unmatch(&key),
            Command::OpenLog { log, options } => self.logs.borrow_mut().open(&log, &options),
            Command::CloseLog { log } => {
                let matched = self.logs.borrow_mut().close(&log, wall_ms());
                self.push_matches(matched);
            }
            Command::Publish { seq, text } => {
                self.boot.next_seq = self.boot.next_seq.max(seq + 1);
                self.journal.borrow_mut().publish(seq, text);
            }
            Command::Slate { key, value } => match value {
                Some(value) => drop(self.slate.insert(key, value)),
                None => drop(self.slate.remove(&key)),
            },
            Command::Reply {
                request,
                status,
                content_type,
                headers,
                parts,
            } => {
                let parts = parts.into_iter().map(|part| self.resolve(part)).collect();
                let data = http::ReplyData {
                    status,
                    content_type,
                    headers,
                    parts,
                };
                self.requests.reply(request, data);
            }
            Command::Print { text } => self.logs.borrow_mut().print(&text),
            Command::Say { text, level } => {
                let level = level.unwrap_or(Level::Info);
                self.logs.borrow_mut().say_at(level, &text);
            }
            Command::Query { key, query } => self.query(key, query),
            Command::KeepConfig { config } => self.keep_config(&config),
            Command::OpenProxy {
                name,
                service,
                proxy,
            } => self.proxies.open(name, service, proxy),
            Command::CloseProxy { name } => self.proxies.close(&name),
            Command::ProxyUp { name, up } => self.proxies.set_up(&name, up),
            Command::ProxyRefuse { name } => self.proxies.refuse(&name),
            Command::Exit { code, machine } => {
                self.leaving = Some(Leaving::Exit(code));
                self.machine = machine;
            }
            Command::Renew { binary } => {
                let binary = binary.map(PathBuf::from);
                self.leaving = Some(Leaving::Renew { binary });
            }
        }
    }

    /// Processes are looked at here, where their table is.
    fn resolve(&mut self, part: Part) -> Part {
        match part {
            Part::Processes { id } => Part::Text {
                text: self.children.processes(id).to_string(),
            },
            Part::Usage { sets } => Part::Text {
                text: self.children.usage(&sets).to_string(),
            },
            other => other,
        }
    }

    fn keep_config(&mut self, config: &serde_json::Value) {
        match serde_json::value::to_raw_value(config) {
            Ok(text) => self.boot.config = text,
            Err(error) => self.say(format!(
                "the configuration cannot be kept for a fresh brain: {error}"
            )),
        }
    }

    fn match_log(&mut self, key: &str, log: &str, pattern: &str, since_pid: Option<u32>) {
        let mut logs = self.logs.borrow_mut();
        let seen = since_pid.map_or(Ok(false), |pid| logs.has_matched(log, pid, pattern));
        let result = match seen {
            Ok(false) => logs.match_line(key, log, pattern).map(|()| false),
            other => other,
        };
        drop(logs);
        match result {
            Ok(true) => self.push_matches(vec![key.to_owned()]),
            Ok(false) => {}
            // The config program has tried the pattern on this very engine.
            Err(error) => self.say(format!("{log}: the pattern of its readiness: {error}")),
        }
    }

    fn spawn(&mut self, id: u32, spec: &SpawnSpec, now: f64) {
        self.boot.next_id = self.boot.next_id.max(id + 1);
        let result = fresh::remove(spec).and_then(|()| match &spec.log {
            Some(log) => self.spawn_logged(id, spec, log, now),
            None => self.children.spawn(id, spec, Stdio::Inherit, now),
        });
        self.mind.push(match result {
            Ok(pid) => Event::Spawned { id, pid, at: now },
            Err(failure) => Event::SpawnFailed {
                id,
                at: now,
                failure,
            },
        });
    }

    fn spawn_logged(
        &mut self,
        id: u32,
        spec: &SpawnSpec,
        log: &str,
        now: f64,
    ) -> Result<u32, SpawnFailure> {
        match self.try_spawn_logged(id, spec, log, now) {
            Err(failure) if failure.errno == libc::EMFILE || failure.errno == libc::ENFILE => {
                self.release_pipes(log);
                self.try_spawn_logged(id, spec, log, now)
            }
            result => result,
        }
    }

    fn try_spawn_logged(
        &mut self,
        id: u32,
        spec: &SpawnSpec,
        log: &str,
        now: f64,
    ) -> Result<u32, SpawnFailure> {
        let mut logs = self.logs.borrow_mut();
        let opened = output::open(spec)?;
        let stdio = opened.stdio(|| logs.write_ends(log).map_err(|error| failed_pipe(&error)))?;
        let spawned = self.children.spawn(id, spec, stdio, now);
        for complaint in self.children.limits.complaints() {
            logs.say(&complaint);
        }
        let pid = spawned?;
        logs.note_pid(log, pid);
        if spec.role == "main" {
            logs.begin(log);
        }
        self.child_logs.insert(id, log.to_owned());
        Ok(pid)
    }

    /// Makes room for the start of `wanted`: pipes are kept across restarts, but not at the cost
    /// of somebody who could run.
    fn release_pipes(&mut self, wanted: &str) {
        let used: HashSet<&str> = self.child_logs.values().map(String::as_str).collect();
        let matched = self
            .logs
            .borrow_mut()
            .release_pipes(|name| name == wanted || used.contains(name), wall_ms());
        self.push_matches(matched);
    }
}

impl Inboxes {
    fn hear(&mut self, children: &Children) {
        if self.hearing.is_none() {
            let own = children
                .hearing_fd()
                .and_then(|fd| fd.try_clone_to_owned().ok());
            // Without a descriptor to be had now it is tried again in the next turn.
            // SAFETY: hands out the one descriptor it owns and keeps open as long as it lives.
            self.hearing = own.and_then(|fd| unsafe { AsyncFd::register(fd) }.ok());
        }
    }
}

/// Waits for ever for one that is not there.
async fn readable(fd: Option<&AsyncFd<OwnedFd>>) -> io::Result<AsyncFdReadyGuard<'_, OwnedFd>> {
    match fd {
        Some(fd) => fd.readable().await,
        None => future::pending().await,
    }
}

async fn readable_mut<T: AsRawFd>(
    fd: Option<&mut AsyncFd<T>>,
) -> io::Result<AsyncFdReadyMutGuard<'_, T>> {
    match fd {
        Some(fd) => fd.readable_mut().await,
        None => future::pending().await,
    }
}

/// However absurd a number is, it is no reason to panic: it is cut to some
/// thirty thousand years.
fn duration(ms: f64) -> Duration {
    const MOST_MS: f64 = 1e15;
    // What is no number is not above zero.
    let ms = if ms > 0.0 { ms.min(MOST_MS) } else { 0.0 };
    Duration::from_secs_f64(ms / 1000.0)
}

async fn sleep_until(deadline: Option<f64>) {
    match deadline {
        Some(at) => {
            tokio::time::sleep_until(Instant::now() + duration(at - monotonic_ms())).await;
        }
        None => future::pending().await,
    }
}

fn failed_pipe(error: &io::Error) -> SpawnFailure {
    let errno = error
        .raw_os_error()
        .map_or(Errno::UnknownErrno, Errno::from_raw);
    spawn::failure("pipe", errno, format!("no pipe for its output: {error}"))
}

impl BootFacts {
    /// What a brain starts from now.
    fn fresh(
        &self,
        lost: Option<String>,
        children: &Children,
        slate: &BTreeMap<String, String>,
        proxies: &Proxies,
    ) -> Boot {
        let mut records = children.records();
        records.retain(|child| child.id < probe::FIRST_ID);
        let pid = std::process::id();
        Boot {
            renewed: self.renewed && lost.is_none(),
            lost,
            config: self.config.clone(),
            seed: self.seed,
            next_id: self.next_id,
            next_seq: self.next_seq,
            children: records,
            slate: slate.clone(),
            proxies: proxies.records(),
            pid,
            pid_one: pid == 1,
            wall_started: self.wall_started,
        }
    }
}
