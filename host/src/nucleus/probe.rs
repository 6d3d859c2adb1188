//! One attempt at a readiness probe. When to try again is the brain's business.

use super::{children::Children, resolve};
use crate::protocol::{Event, Exit, Probe, SpawnSpec};
use nix::errno::Errno;
use std::{collections::HashMap, fs, io, time::Duration};
use tokio::{net::TcpStream, sync::mpsc::UnboundedSender, task::JoinHandle, time::timeout};

/// Child ids from here on are the nucleus's own.
pub const FIRST_ID: u32 = 0x8000_0000;

/// The end of an attempt: whether it held, and why not.
type Verdict = Result<(), String>;

/// A connection attempt's end, as its task reports it.
pub struct Finished {
    key: String,
    attempt: u64,
    verdict: Verdict,
}

enum Attempt {
    Tcp { attempt: u64, task: JoinHandle<()> },
    Exec { id: u32, deadline: f64 },
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
        match probe {
            Probe::File { path } => {
                let verdict = fs::metadata(&path)
                    .map(drop)
                    .map_err(|error| format!("{path}: {}", reason(&error)));
                events.push(probed(key, now, verdict));
            }
            Probe::Tcp { host, port } => self.start_tcp(key, host, port, timeout_ms),
            Probe::Http(_) | Probe::Listen { .. } | Probe::Pressure { .. } => {
                events.push(probed(key, now, Err("not built yet".into())));
            }
            Probe::Exec { spec } => {
                events.extend(self.start_exec(children, key, &spec, timeout_ms, now));
            }
        }
        events
    }

    fn start_tcp(&mut self, key: String, host: String, port: u16, timeout_ms: f64) {
        self.next_attempt += 1;
        let attempt = self.next_attempt;
        let finished = self.finished.clone();
        let report = key.clone();
        let task = tokio::task::spawn_local(async move {
            let limit = Duration::from_secs_f64(timeout_ms.max(0.0) / 1000.0);
            let verdict = match timeout(limit, connect(&host, port)).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(format!("{host}:{port}: {}", reason(&error))),
                Err(_) => Err(format!("{host}:{port}: no answer within {timeout_ms} ms")),
            };
            let key = report;
            // The loop outlives its tasks; if not, nobody waits for the verdict.
            let _ = finished.send(Finished {
                key,
                attempt,
                verdict,
            });
        });
        self.running.insert(key, Attempt::Tcp { attempt, task });
    }

    fn start_exec(
        &mut self,
        children: &mut Children,
        key: String,
        spec: &SpawnSpec,
        timeout_ms: f64,
        now: f64,
    ) -> Option<Event> {
        let id = self.next_id;
        self.next_id = self.next_id.checked_add(1).unwrap_or(FIRST_ID);
        if let Err(failure) = children.spawn_quiet(id, spec, now) {
            let verdict = Err(format!("cannot run the probe: {}", failure.message));
            return Some(probed(key, now, verdict));
        }
        self.children.insert(id, Some(key.clone()));
        let deadline = now + timeout_ms;
        self.running.insert(key, Attempt::Exec { id, deadline });
        None
    }

    /// Gives up an attempt. The events are of the killed set and go through `intercept` too.
    pub fn cancel(&mut self, children: &mut Children, key: &str, now: f64) -> Vec<Event> {
        match self.running.remove(key) {
            Some(Attempt::Tcp { task, .. }) => {
                task.abort();
                Vec::new()
            }
            Some(Attempt::Exec { id, .. }) => {
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
            .filter_map(|attempt| match attempt {
                Attempt::Exec { deadline, .. } => Some(*deadline),
                Attempt::Tcp { .. } => None,
            })
            .min_by(f64::total_cmp)
    }

    /// Ends the exec probes whose time is over.
    pub fn on_deadline(&mut self, children: &mut Children, now: f64) -> Vec<Event> {
        let late: Vec<String> = self
            .running
            .iter()
            .filter(|(_, attempt)| matches!(attempt, Attempt::Exec { deadline, .. } if *deadline <= now))
            .map(|(key, _)| key.clone())
            .collect();
        let mut events = Vec::new();
        for key in late {
            events.extend(self.cancel(children, &key, now));
            events.push(probed(key, now, Err("no end within its time".into())));
        }
        events
    }

    /// The verdict of a connection attempt, unless it was cancelled or replaced meanwhile.
    pub fn on_finished(&mut self, finished: Finished, now: f64) -> Option<Event> {
        match self.running.get(&finished.key) {
            Some(Attempt::Tcp { attempt, .. }) if *attempt == finished.attempt => {
                self.running.remove(&finished.key);
                Some(probed(finished.key, now, finished.verdict))
            }
            _ => None,
        }
    }

    /// Takes out the events of the nucleus's own children; what is left is for the brain.
    pub fn intercept(
        &mut self,
        children: &mut Children,
        events: Vec<Event>,
        now: f64,
    ) -> Vec<Event> {
        let mut rest = Vec::new();
        let mut queue = std::collections::VecDeque::from(events);
        while let Some(event) = queue.pop_front() {
            match event {
                Event::Exited {
                    id,
                    ref exit,
                    leftovers,
                    ..
                } if id >= FIRST_ID => {
                    rest.extend(self.exec_ended(id, exit, now));
                    if leftovers > 0 {
                        queue.extend(kill(children, id, now));
                    } else {
                        self.forget(children, id);
                    }
                }
                Event::Stopped { id, .. } if id >= FIRST_ID => self.forget(children, id),
                event => rest.push(event),
            }
        }
        rest
    }

    fn exec_ended(&mut self, id: u32, exit: &Exit, now: f64) -> Option<Event> {
        let key = self.children.get_mut(&id)?.take()?;
        self.running.remove(&key);
        let verdict = match exit {
            Exit::Code(0) => Ok(()),
            Exit::Code(code) => Err(format!("the probe's command left with code {code}")),
            Exit::Signal(name) => Err(format!("the probe's command was ended by {name}")),
        };
        Some(probed(key, now, verdict))
    }

    fn forget(&mut self, children: &mut Children, id: u32) {
        self.children.remove(&id);
        children.forget(id);
    }
}

fn kill(children: &mut Children, id: u32, now: f64) -> Vec<Event> {
    children.stop(id, "KILL", 0.0, true, now)
}

fn probed(key: String, at: f64, verdict: Verdict) -> Event {
    let ok = verdict.is_ok();
    let reason = verdict.err().unwrap_or_default();
    Event::Probed {
        key,
        at,
        ok,
        reason,
        took_ms: 0.0,
        timed_out: false,
        pressure: None,
    }
}

async fn connect(host: &str, port: u16) -> io::Result<()> {
    let mut last = io::Error::from_raw_os_error(libc::EADDRNOTAVAIL);
    for address in resolve::addresses(host, port)? {
        match TcpStream::connect(address).await {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(errno) => Errno::from_raw(errno).desc().to_lowercase(),
        None => error.to_string(),
    }
}
