//! One attempt at a probe, for readiness or health. When to try again is the brain's business.

use super::{
    brief::one_line,
    children::{Children, Stdio},
    duration, http_probe, monotonic_ms, pressure, resolve, sockdiag,
    tail::Tail,
};
use crate::protocol::{Event, Exit, Probe, SpawnSpec};
use nix::errno::Errno;
use std::{
    collections::{HashMap, VecDeque},
    fs,
    future::Future,
    io,
    os::fd::AsFd,
    path::PathBuf,
};
use tokio::{net::TcpStream, sync::mpsc::UnboundedSender, task::JoinHandle, time::timeout};

/// Child ids from here on are the nucleus's own.
pub const FIRST_ID: u32 = 0x8000_0000;

const REASON_MAX: usize = 256;

/// What was found, or why it does not hold.
type Verdict = Result<String, Failure>;

struct Failure {
    reason: String,
    timed_out: bool,
}

fn because(reason: String) -> Failure {
    Failure {
        reason,
        timed_out: false,
    }
}

fn too_late(reason: String) -> Failure {
    Failure {
        reason,
        timed_out: true,
    }
}

/// A connection attempt's end, as its task reports it.
pub struct Finished {
    key: String,
    attempt: u64,
    verdict: Verdict,
}

struct Attempt {
    began: f64,
    work: Work,
}

enum Work {
    Task {
        attempt: u64,
        task: JoinHandle<()>,
        /// Of the service it is for.
        cgroup: Option<PathBuf>,
    },
    Exec {
        id: u32,
        deadline: f64,
        timeout_ms: f64,
        /// The last of its output.
        tail: Tail,
        /// Of the service it is for.
        cgroup: Option<PathBuf>,
    },
}

pub struct Probes {
    running: HashMap<String, Attempt>,
    /// Key of the probe a child belongs to; the sets of cancelled ones stay until they are empty.
    children: HashMap<u32, Option<String>>,
    next_id: u32,
    next_attempt: u64,
    finished: UnboundedSender<Finished>,
}

impl Probes {
    pub fn new(finished: UnboundedSender<Finished>) -> Probes {
        Probes {
            running: HashMap::new(),
            children: HashMap::new(),
            next_id: FIRST_ID,
            next_attempt: 0,
            finished,
        }
    }

    /// Ends the probes of a supervisor before this one: nobody waits for their verdicts any more.
    pub fn adopt(&mut self, children: &mut Children, now: f64) -> Vec<Event> {
        let ids = children.records().into_iter().map(|child| child.id);
        let ids: Vec<u32> = ids.filter(|id| *id >= FIRST_ID).collect();
        self.next_id = ids.last().map_or(FIRST_ID, |last| last + 1);
        self.children.extend(ids.iter().map(|id| (*id, None)));
        ids.into_iter()
            .flat_map(|id| kill(children, id, now))
            .collect()
    }

    /// Starts an attempt; a verdict that is there at once is returned as event.
    pub fn start(
        &mut self,
        children: &mut Children,
        key: String,
        probe: Probe,
        timeout_ms: f64,
        now: f64,
    ) -> Vec<Event> {
        let mut events = self.cancel(children, &key, now);
        let began = monotonic_ms();
        let verdict = match probe {
            Probe::File { path } => fs::metadata(&path)
                .map(|_| String::new())
                .map_err(|error| because(format!("{path}: {}", reason(&error)))),
            Probe::Listen { set } => listens(children, set),
            Probe::Pressure { set } => {
                let pressure = pressure::highest(children.cgroup_of(set).as_deref());
                events.push(probed(key, began, Ok(String::new()), pressure));
                return events;
            }
            Probe::Tcp { host, port, set } => {
                let cgroup = children.cgroup_of(set);
                self.start_task(key, timeout_ms, began, cgroup, async move {
                    let result = connect(&host, port).await;
                    result
                        .map(|_| String::new())
                        .map_err(|error| format!("{host}:{port}: {}", reason(&error)))
                });
                return events;
            }
            Probe::Http(probe) => {
                let cgroup = children.cgroup_of(probe.set);
                self.start_task(key, timeout_ms, began, cgroup, async move {
                    http_probe::ask(&probe).await
                });
                return events;
            }
            Probe::Exec { spec } => match self.start_exec(children, &key, &spec, timeout_ms, now) {
                Ok(()) => return events,
                Err(failure) => Err(failure),
            },
        };
        events.push(probed(key, began, verdict, None));
        events
    }

    fn start_task(
        &mut self,
        key: String,
        timeout_ms: f64,
        began: f64,
        cgroup: Option<PathBuf>,
        work: impl Future<Output = Result<String, String>> + 'static,
    ) {
        self.next_attempt += 1;
        let attempt = self.next_attempt;
        let finished = self.finished.clone();
        let report = key.clone();
        let task = tokio::task::spawn_local(async move {
            let limit = duration(timeout_ms);
            let verdict = match timeout(limit, work).await {
                Ok(result) => result.map_err(because),
                Err(_) => Err(too_late(format!("no answer within {}", span(timeout_ms)))),
            };
            let key = report;
            // The loop outlives its tasks; if not, nobody waits for the verdict.
            let _ = finished.send(Finished {
                key,
                attempt,
                verdict,
            });
        });
        let work = Work::Task {
            attempt,
            task,
            cgroup,
        };
        self.running.insert(key, Attempt { began, work });
    }

    fn start_exec(
        &mut self,
        children: &mut Children,
        key: &str,
        spec: &SpawnSpec,
        timeout_ms: f64,
        now: f64,
    ) -> Result<(), Failure> {
        let id = self.next_id;
        self.next_id = self.next_id.checked_add(1).unwrap_or(FIRST_ID);
        let unable = |why: &dyn std::fmt::Display| because(format!("cannot run the probe: {why}"));
        let (tail, theirs) = Tail::new().map_err(|errno| unable(&errno.desc()))?;
        let stdio = Stdio::Given {
            input: None,
            out: theirs.as_fd(),
            err: theirs.as_fd(),
        };
        let spawned = children.spawn(id, spec, stdio, now);
        spawned.map_err(|failure| unable(&failure.message))?;
        self.children.insert(id, Some(key.to_owned()));
        let work = Work::Exec {
            id,
            deadline: now + timeout_ms,
            timeout_ms,
            tail,
            cgroup: children.cgroup_of_service(&spec.service),
        };
        self.running.insert(
            key.to_owned(),
            Attempt {
                began: monotonic_ms(),
                work,
            },
        );
        Ok(())
    }

    /// Gives up an attempt. The events are of the killed set and go through `intercept` too.
    pub fn cancel(&mut self, children: &mut Children, key: &str, now: f64) -> Vec<Event> {
        match self.running.remove(key).map(|attempt| attempt.work) {
            Some(Work::Task { task, .. }) => {
                task.abort();
                Vec::new()
            }
            Some(Work::Exec { id, .. }) => {
                self.children.insert(id, None);
                kill(children, id, now)
            }
            None => Vec::new(),
        }
    }

    pub fn cancel_all(&mut self, children: &mut Children, now: f64) -> Vec<Event> {
        let keys: Vec<String> = self.running.keys().cloned().collect();
        keys.iter()
            .flat_map(|key| self.cancel(children, key, now))
            .collect()
    }

    pub fn next_deadline(&self) -> Option<f64> {
        self.running
            .values()
            .filter_map(|attempt| match attempt.work {
                Work::Exec { deadline, .. } => Some(deadline),
                Work::Task { .. } => None,
            })
            .min_by(f64::total_cmp)
    }

    /// Ends the exec probes whose time is over.
    pub fn on_deadline(&mut self, children: &mut Children, now: f64) -> Vec<Event> {
        let is_late = |attempt: &Attempt| matches!(attempt.work, Work::Exec { deadline, .. } if deadline <= now);
        let late: Vec<String> = self
            .running
            .iter()
            .filter(|(_, attempt)| is_late(attempt))
            .map(|(key, _)| key.clone())
            .collect();
        let mut events = Vec::new();
        for key in late {
            let Some(Attempt { began, work }) = self.running.remove(&key) else {
                continue;
            };
            if let Work::Exec {
                id,
                timeout_ms,
                mut tail,
                cgroup,
                ..
            } = work
            {
                self.children.insert(id, None);
                events.extend(kill(children, id, now));
                let reason = with_tail(format!("no end within {}", span(timeout_ms)), &mut tail);
                let pressure = pressure::highest(cgroup.as_deref());
                events.push(probed(key, began, Err(too_late(reason)), pressure));
            }
        }
        events
    }

    /// The verdict of a connection attempt, unless it was cancelled or replaced meanwhile.
    pub fn on_finished(&mut self, finished: Finished) -> Option<Event> {
        let Finished {
            key,
            attempt,
            verdict,
        } = finished;
        let is_current = self.running.get(&key).is_some_and(
            |running| matches!(running.work, Work::Task { attempt: current, .. } if current == attempt),
        );
        let Attempt { began, work } = is_current.then(|| self.running.remove(&key)).flatten()?;
        let Work::Task { cgroup, .. } = work else {
            return None;
        };
        let timed_out = verdict.as_ref().is_err_and(|failure| failure.timed_out);
        let pressure = timed_out.then(|| pressure::highest(cgroup.as_deref()));
        Some(probed(key, began, verdict, pressure.flatten()))
    }

    /// Takes out the events of the nucleus's own children; what is left is for the brain.
    pub fn intercept(
        &mut self,
        children: &mut Children,
        events: Vec<Event>,
        now: f64,
    ) -> Vec<Event> {
        let mut rest = Vec::new();
        let mut queue = VecDeque::from(events);
        while let Some(event) = queue.pop_front() {
            match event {
                Event::Exited {
                    id,
                    ref exit,
                    leftovers,
                    ..
                } if id >= FIRST_ID => {
                    rest.extend(self.exec_ended(id, exit));
                    if leftovers > 0 {
                        queue.extend(kill(children, id, now));
                    } else {
                        self.forget(children, id);
                    }
                }
                Event::Stopped { id, .. } if id >= FIRST_ID => self.forget(children, id),
                Event::Notified { id, .. } if id >= FIRST_ID => {}
                event => rest.push(event),
            }
        }
        rest
    }

    fn exec_ended(&mut self, id: u32, exit: &Exit) -> Option<Event> {
        let key = self.children.get_mut(&id)?.take()?;
        let Attempt { began, work } = self.running.remove(&key)?;
        let Work::Exec { mut tail, .. } = work else {
            return None;
        };
        let failed = match exit {
            Exit::Code(0) => return Some(probed(key, began, Ok(String::new()), None)),
            Exit::Code(code) => format!("the probe's command left with code {code}"),
            Exit::Signal(name) => format!("the probe's command was ended by {name}"),
            Exit::Unknown(()) => "nobody can tell how the probe's command ended".to_owned(),
        };
        let verdict = Err(because(with_tail(failed, &mut tail)));
        Some(probed(key, began, verdict, None))
    }

    fn forget(&mut self, children: &mut Children, id: u32) {
        self.children.remove(&id);
        children.forget(id);
    }
}

fn kill(children: &mut Children, id: u32, now: f64) -> Vec<Event> {
    children.stop(id, "KILL", 0.0, true, now)
}

fn probed(key: String, began: f64, verdict: Verdict, pressure: Option<f64>) -> Event {
    let at = monotonic_ms();
    let (ok, reason, timed_out) = match verdict {
        Ok(found) => (true, found, false),
        Err(Failure { reason, timed_out }) => (false, reason, timed_out),
    };
    Event::Probed {
        key,
        at,
        ok,
        reason: one_line(&reason, REASON_MAX),
        took_ms: ((at - began).max(0.0) * 1000.0).round() / 1000.0,
        timed_out,
        pressure,
    }
}

fn with_tail(reason: String, tail: &mut Tail) -> String {
    match tail.last_line() {
        Some(line) => format!("{reason}: {line}"),
        None => reason,
    }
}

fn listens(children: &mut Children, set: u32) -> Verdict {
    let pids = children.pids(set);
    match sockdiag::listens(&pids, children.given_sockets(set)) {
        Ok(Some(sockdiag::Place::Tcp(address))) => Ok(format!("listens on {address}")),
        Ok(Some(sockdiag::Place::Unix)) => Ok("listens on a Unix socket".into()),
        Ok(None) => Err(because("no process of it listens on a socket".into())),
        Err(reason) => Err(because(reason)),
    }
}

/// `250ms`, `2s`, `2.5s`
fn span(ms: f64) -> String {
    match ms < 1000.0 {
        true => format!("{}ms", ms.round()),
        false => format!("{}s", (ms / 100.0).round() / 10.0),
    }
}

pub async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::from(Errno::EADDRNOTAVAIL);
    for address in resolve::addresses(host, port)? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

pub fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(errno) => Errno::from_raw(errno).desc().to_lowercase(),
        None => error.to_string(),
    }
}
