//! The one definition of everything that crosses between the nucleus (this program's Rust side)
//! and the brain (its TypeScript side). Only data crosses: the nucleus hands the brain a
//! [`Batch`] of events as JSON text, the brain answers with an array of commands as JSON text.
//!
//! `cargo test` writes the TypeScript twins of these types to `src/generated/protocol.ts`;
//! nobody writes them by hand.
//!
//! Clocks: a field called `at` or ending in `_ms` that is a point in time is CLOCK_MONOTONIC in
//! milliseconds (fractions allowed); a field starting with `wall` is milliseconds since 1970.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
#[cfg(test)]
use ts_rs::TS;

/// What the nucleus gives the brain in one go. The brain's answer to a batch is applied whole or
/// not at all: a brain that is lost in the middle of a batch has changed nothing.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct Batch {
    /// CLOCK_MONOTONIC now, ms.
    pub now: f64,
    /// Wall clock now, ms since 1970.
    pub wall: f64,
    pub events: Vec<Event>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum Event {
    /// Always the first event of a brain's life, and never a later one.
    Boot(Box<Boot>),
    /// The child has passed its execve.
    Spawned { id: u32, pid: u32, at: f64 },
    /// The child never came to run its program. The nucleus keeps no table entry for it.
    SpawnFailed {
        id: u32,
        at: f64,
        failure: SpawnFailure,
    },
    /// The leader of the process set has ended. `leftovers` counts the processes of its set that
    /// are still there (0: the set is empty). With `leftovers` > 0 the brain is expected to send
    /// `Stop` for the set.
    Exited {
        id: u32,
        at: f64,
        exit: Exit,
        /// It left a core.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        #[cfg_attr(test, ts(as = "Option<bool>", optional))]
        core: bool,
        leftovers: u32,
    },
    /// A `Stop` or `StopRest` has come to its end. For a set whose leader was still alive,
    /// `Exited` came before this.
    Stopped { id: u32, at: f64, receipt: Receipt },
    /// A timer of `Arm` or `ArmWall` is due. The nucleus has forgotten it.
    Timer { key: String, at: f64 },
    /// Somebody set the wall clock, or the machine woke up from sleep. Timers of `ArmWall` stay
    /// armed for the same wall times; what is due by the new clock comes as `Timer` after this.
    ClockSet { at: f64 },
    /// The answer to one `Probe`, exactly one per `Probe` that was not cancelled.
    Probed {
        key: String,
        at: f64,
        ok: bool,
        /// Why not, or what was found (`200 OK`), for people; one line of at most 256 bytes.
        reason: String,
        took_ms: f64,
        /// It failed because its time was over, so that a slow machine may be the reason.
        timed_out: bool,
        /// With `timed_out`, and with `Probe::Pressure`: how much of the last ten seconds
        /// something in the set's cgroup, or on the machine, had to wait for a processor, memory
        /// or a disk (PSI `some avg10`, the highest of them), in percent. `null`: not known here.
        pressure: Option<f64>,
    },
    /// A process of the set has told something over its `Notify` (sd_notify(3)). What comes in
    /// quick succession may be told as one.
    Notified { id: u32, at: f64, notice: Notice },
    /// A line of `MatchLog` came. The match is forgotten after this.
    LogMatched { key: String, at: f64 },
    /// The answer to one `Query`, exactly one per `Query`.
    Answered {
        key: String,
        at: f64,
        answer: QueryAnswer,
    },
    /// A client has come and waits, as the backend is not up (`ProxyUp`); told once until the next
    /// `ProxyUp`.
    ProxyWanted { name: String, at: f64 },
    /// The backend of a proxy with `idle_ms` was up so long without a connection, by this or any
    /// proxy of the same service. All of these hold it to be down from now on, so that nobody is
    /// connected to what is about to end: `ProxyUp` tells what became of it.
    ProxyIdle { name: String, at: f64 },
    /// Some of the addresses of an `OpenProxy` cannot be listened on; the others are served.
    ProxyFailed {
        name: String,
        at: f64,
        /// Sentences for people, each with its address.
        failures: Vec<String>,
    },
    /// A client asks something. Exactly one `Reply` is owed.
    Request(Request),
    /// The client of a request not yet answered has gone; no `Reply` is owed any more.
    Gone { request: u32 },
    /// A signal came to the supervisor's own process. No table holds it, so a signal of a batch
    /// that was lost with its brain is delivered once more, after `Boot`.
    Signal {
        /// Name without SIG: `TERM`, `HUP`, `RTMIN+3`.
        signal: String,
        /// Who sent it, where the kernel says so (0: the kernel itself, such as Ctrl-C).
        sender: u32,
        at: f64,
    },
}

/// What a fresh brain starts from: everything the nucleus knows. After a loss this is all that
/// is left of the former brain, so it must be enough to go on.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct Boot {
    /// `null` at the first start, else why the former brain was lost.
    pub lost: Option<String>,
    /// Everything comes from a supervisor before this one (`Renew`, `HandOver`). The configuration is
    /// that one's, too, and worth being read again.
    #[cfg_attr(test, ts(as = "Option<bool>", optional))]
    pub renewed: bool,
    /// The configuration as the config program made it (`src/model/spec.ts`: `Config`). Opaque
    /// to the nucleus.
    #[cfg_attr(test, ts(type = "unknown"))]
    pub config: Box<serde_json::value::RawValue>,
    /// Seed of the brain's random numbers.
    pub seed: u32,
    /// The smallest child id and event number that no brain has used.
    pub next_id: u32,
    pub next_seq: u32,
    /// Every process set that was not forgotten. `Boot` waits for spawns on their way: each
    /// `Spawn` is in here, or has failed.
    pub children: Vec<ChildRecord>,
    /// What former brains wrote by `Slate`.
    pub slate: BTreeMap<String, String>,
    /// The proxies that are open.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, ts(optional, as = "Option<Vec<ProxyRecord>>"))]
    pub proxies: Vec<ProxyRecord>,
    /// The supervisor's own process.
    pub pid: u32,
    pub pid_one: bool,
    pub wall_started: f64,
}

/// One process set in the nucleus's table.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct ChildRecord {
    pub id: u32,
    /// As given by `Spawn`.
    pub service: String,
    pub role: String,
    pub pid: u32,
    pub started: f64,
    /// Set once the leader has ended (and was reaped).
    pub exit: Option<Exit>,
    pub exited: Option<f64>,
    pub leftovers: u32,
    /// A `Stop` is at work.
    pub stopping: bool,
    /// The `Stop` has ended.
    pub receipt: Option<Receipt>,
    /// All that its processes have told over `Notify` so far, as one; the deadline-like ones
    /// (`extend_ms`) as they were told last.
    pub notice: Option<Notice>,
    /// When the last `WATCHDOG=1` came; 0: none did.
    pub watchdog_at: f64,
}

/// What a service tells of itself: sd_notify(3), or a line on the descriptor of s6's protocol,
/// which is `ready`. Only what comes from a process of the set counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct Notice {
    /// `READY=1`, also as the end of a reload.
    pub ready: bool,
    /// `RELOADING=1`, and no `READY=1` after it.
    pub reloading: bool,
    /// `STOPPING=1`.
    pub stopping: bool,
    /// `STATUS=`, at most 256 bytes.
    pub status: Option<String>,
    /// `ERRNO=`.
    pub errno: Option<i32>,
    /// `MAINPID=`, a process of the set: it is the leader from now on; as soon as the present
    /// leader has ended, its end is told as `Exited`.
    pub main_pid: Option<u32>,
    /// `WATCHDOG=1` came.
    pub watchdog: bool,
    /// `WATCHDOG=trigger` came.
    pub watchdog_trigger: bool,
    /// `WATCHDOG_USEC=`.
    pub watchdog_ms: Option<f64>,
    /// `EXTEND_TIMEOUT_USEC=`: the present start, stop or watchdog deadline is at least so far
    /// from now.
    pub extend_ms: Option<f64>,
    /// Descriptors kept for the service (`FDSTORE=1`), after this notice.
    pub stored_fds: u32,
}

/// How a process tells that it is ready, and more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum Notify {
    /// A datagram socket named by `NOTIFY_SOCKET`, made for this set: in the abstract namespace,
    /// or at this path.
    Socket {
        path: Option<String>,
        /// Announced by `WATCHDOG_USEC` and `WATCHDOG_PID`.
        watchdog_ms: Option<f64>,
    },
    /// The writing end of a pipe at this descriptor; a line on it means ready.
    Descriptor { fd: u32 },
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum Exit {
    Code(i32),
    /// Name without SIG.
    Signal(String),
    /// Nobody can tell: it was not our child, but that of a supervisor before us.
    Unknown(()),
}

/// Why a child never came to run its program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct SpawnFailure {
    /// The step that failed: `pipe`, `user`, `group`, `fork`, `session`, `limits`, `umask`,
    /// `nice`, `oom-score`, `groups`, `gid`, `uid`, `directory`, `stdio`, `terminal`, `exec`, `fresh`, …
    pub step: String,
    /// Its errno (0 where the failure is not a system call's) and the errno's name (`ENOENT`).
    pub errno: i32,
    pub error: String,
    /// One sentence for people, with the next step where one is known:
    /// `user "www" not found: the image has no /etc/passwd`.
    pub message: String,
    /// True for a shortage that may pass by itself (EAGAIN, ENOMEM, EMFILE, ENFILE, …).
    pub transient: bool,
}

/// Proof of a stop. Field names are those of the API, which passes it on as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct Receipt {
    /// The service's name; `null` for what belonged to none.
    pub service: Option<String>,
    /// The set was seen to be empty. False: something could not be ended.
    pub empty: bool,
    pub duration_ms: f64,
    pub processes: Vec<ReceiptProcess>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct ReceiptProcess {
    pub pid: u32,
    pub command: String,
    pub found: Found,
    /// Names without SIG, in order.
    pub signals: Vec<String>,
    /// When it left, ms after the stop began; `null` if it did not.
    pub left_ms: Option<f64>,
    /// `null` where the process was not the supervisor's own child when it ended, so that
    /// nobody can know.
    pub exit: Option<Exit>,
    pub killed: bool,
}

/// How a process was found to belong to its set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum Found {
    Child,
    Group,
    Session,
    Cgroup,
    Adopted,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct Request {
    pub request: u32,
    /// Peer's user and process, from the socket (0 and 0 over TCP, where a token was checked).
    pub uid: u32,
    pub pid: u32,
    pub call: Call,
}

#[derive(Debug, Clone, Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum Call {
    Http {
        method: String,
        /// Path without the query, still percent-encoded.
        path: String,
        /// After the `?`, still encoded; empty if none.
        query: String,
        body: String,
        /// Anybody may have sent it: it came over a TCP address without a token.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        #[cfg_attr(test, ts(as = "Option<bool>", optional))]
        public: bool,
    },
    /// One line of JSON-RPC 2.0 (an object or a batch), not yet parsed.
    JsonRpc { text: String },
    /// All that a client wrote before it closed its side (`Speech::Message`), a character from
    /// U+0000 to U+00FF for each byte.
    Message { bytes: String },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum Command {
    /// Start a process as leader of a new set. `id` is the brain's choice and never used twice.
    /// Answered by `Spawned` or `SpawnFailed`.
    Spawn {
        id: u32,
        spec: Box<SpawnSpec>,
    },
    /// Send a signal now, once.
    Signal {
        id: u32,
        signal: String,
        scope: Scope,
    },
    /// End the set: `signal`, then CONT, to each of its processes (also to those that appear
    /// meanwhile), wait until it is empty, KILL what is left after `timeout_ms`. Answered by one
    /// `Stopped`. A second `Stop` for the same set can only bring the deadline forward.
    Stop {
        id: u32,
        signal: String,
        timeout_ms: f64,
        /// False: the set is the leader's process group.
        tree: bool,
    },
    /// Put off the KILL deadline of a `Stop` at work to so long from now, if that is later.
    ExtendStop {
        id: u32,
        timeout_ms: f64,
    },
    /// `Stop` for every process below the supervisor that belongs to no set, under a new id.
    StopRest {
        id: u32,
        signal: String,
        timeout_ms: f64,
    },
    /// The brain has taken note of this set's end; its table entry goes.
    Forget {
        id: u32,
    },
    /// A timer; the same key again replaces it. All timers are forgotten when the brain is lost.
    Arm {
        key: String,
        at: f64,
    },
    /// A timer by the wall clock (ms since 1970), which runs on while the machine sleeps and
    /// follows when the clock is set. Keys are shared with `Arm`.
    ArmWall {
        key: String,
        wall: f64,
    },
    Cancel {
        key: String,
    },
    /// Close the descriptors that are kept for this service (`FDSTORE=1`).
    DropFds {
        service: String,
    },
    /// Try once; answered by `Probed`. Forgotten (and an exec probe's set killed) when cancelled
    /// or when the brain is lost.
    Probe {
        key: String,
        probe: Probe,
        timeout_ms: f64,
    },
    CancelProbe {
        key: String,
    },
    /// Tell the first line from now on, on the given stream or either, that the regular
    /// expression matches. All are forgotten when the brain is lost.
    MatchLog {
        key: String,
        log: String,
        pattern: String,
        /// Lines of this process that the ring still holds count too: the brain that waited for
        /// them may have been lost with the match.
        #[serde(default)]
        since_pid: Option<u32>,
    },
    UnmatchLog {
        key: String,
    },
    /// Look at what only the nucleus can see, or let the config program work. Answered by one
    /// `Answered`, unless the brain is lost before.
    Query {
        key: String,
        query: Query,
    },
    /// From now on a fresh brain gets this configuration in `Boot`.
    KeepConfig {
        // Of what has a tag among its members only values can be had, not their text.
        #[cfg_attr(test, ts(type = "unknown"))]
        config: serde_json::Value,
    },
    /// Listen on these addresses and pass bytes between their clients and the backend. The same
    /// name again replaces the proxy; connections that are open go on. Proxies outlive brains.
    OpenProxy {
        name: String,
        /// Whose backend it is. Proxies of the same service are idle together.
        service: String,
        proxy: Proxy,
    },
    /// Stop listening (and unlink Unix sockets). Clients that wait are closed; connections that
    /// are open go on to their end.
    CloseProxy {
        name: String,
    },
    /// Whether the proxy's backend is there: clients that wait are connected, later ones at once;
    /// or clients have to wait, and the next one is asked for by `ProxyWanted`.
    ProxyUp {
        name: String,
        up: bool,
    },
    /// There will be no backend: close the clients that wait for it.
    ProxyRefuse {
        name: String,
    },
    /// Make or change the log of this name: its ring, its file, whether the console shows it.
    /// `Spawn` with this log's name needs it to exist.
    OpenLog {
        log: String,
        options: LogOptions,
    },
    /// Drop the log with its ring and pipes (its service is gone from the configuration).
    CloseLog {
        log: String,
    },
    /// Append one event (a JSON text without line break) to the event ring.
    Publish {
        seq: u32,
        text: String,
    },
    /// Remember (or with `null` forget) a small record for the brain's successor.
    Slate {
        key: String,
        value: Option<String>,
    },
    /// The answer to a `Request`. Over HTTP a HEAD gets the reply of its GET, whose body is not
    /// sent. Over JSON-RPC only `parts` matter: one line, whose line break the nucleus adds; no
    /// parts at all: nothing is sent (a notification).
    Reply {
        request: u32,
        status: u16,
        content_type: String,
        /// Further header fields, such as `Allow`.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        parts: Vec<Part>,
    },
    /// A line of the supervisor's own, for the person at the console (stderr).
    Say {
        text: String,
        /// Matters only with `Supervise.ownLog`; absent: info.
        #[serde(default)]
        #[cfg_attr(test, ts(optional))]
        level: Option<Level>,
    },
    /// Text for stdout, as it is, among the lines of services there.
    Print {
        text: String,
    },
    /// Execute the program anew, in the same process; services, logs and sockets do not notice. Its
    /// brain starts as after a lost one, with `Boot.renewed`. Where it does not work, a message
    /// says so and all goes on.
    Renew {
        /// Another program than the one that was started.
        #[serde(default)]
        #[cfg_attr(test, ts(optional))]
        binary: Option<String>,
    },
    /// Leave the process, after the console was given a moment to drain.
    Exit {
        code: i32,
        /// As PID 1 of a machine, do this to it instead of leaving. Where the kernel refuses, the
        /// process sleeps for ever: PID 1 does not return.
        #[serde(default)]
        #[cfg_attr(test, ts(optional))]
        machine: Option<Machine>,
    },
}

/// How much a line of the supervisor's own matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// The supervisor's own lines as a log of their own: `TIME LEVEL text`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct OwnLog {
    /// Lines below this level are left out; `null`: all of them.
    pub least: Option<Level>,
    pub colour: bool,
    #[serde(default)]
    #[cfg_attr(test, ts(optional, as = "Option<OwnStream>"))]
    pub stream: OwnStream,
}

/// What becomes of the machine whose PID 1 we are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum Machine {
    Poweroff,
    Reboot,
}

/// A question of the brain's to the nucleus.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum Query {
    /// Which processes are in these sets now?
    Processes { ids: Vec<u32> },
    /// What goes on at the proxies?
    Proxies,
    /// Run the config program `config-all` on this input (`src/config/contract.ts`), on a thread
    /// of its own.
    Configure { input: String },
    /// Leave the process and everything in it to a keeper, for a supervisor that is started with
    /// `Supervise.adopt` soon; no service is stopped. After `HandedOver` only replies are taken from
    /// the brain, and the process leaves with 0 when they are sent. After `Failed` all goes on as
    /// before.
    HandOver {
        /// A file that is written for the successor, with this text.
        path: String,
        state: String,
    },
    /// Who is in the way of a service that is about to start? Never counted: the supervisor, its
    /// ancestors, and processes of the sets `own`.
    Obstacles {
        /// TCP ports that nobody may listen on.
        ports: Vec<u16>,
        /// Parts of process names (/proc/PID/comm), whatever their case.
        processes: Vec<String>,
        own: Vec<u32>,
        /// Kill them with their descendants first and wait for their end; what is still there
        /// afterwards is the answer.
        kill: bool,
    },
}

#[derive(Debug, Clone, Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum QueryAnswer {
    /// In the order of the ids; an unknown or empty set has none.
    Processes {
        sets: Vec<Vec<ProcessFacts>>,
    },
    Proxies {
        proxies: Vec<ProxyFacts>,
    },
    /// What the config program returned.
    Configured {
        output: String,
    },
    Obstacles {
        ports: Vec<BusyPort>,
        processes: Vec<MatchedProcesses>,
    },
    /// Everything is with the keeper.
    HandedOver,
    /// It could not be found out, or not be done, and why, for people.
    Failed {
        message: String,
    },
}

/// A process as /proc shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct ProcessFacts {
    pub pid: u32,
    pub parent: u32,
    /// /proc/PID/comm.
    pub name: String,
    pub command: String,
    /// The letter of /proc/PID/stat: `R`, `S`, `D`, `Z`, …; empty where nobody can tell.
    pub state: String,
    /// Resident memory.
    #[cfg_attr(test, ts(type = "number"))]
    pub memory_bytes: u64,
    /// Processor time used so far, user and system.
    pub cpu_ms: f64,
}

/// A port that somebody listens on.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct BusyPort {
    pub port: u16,
    /// Empty where nobody can tell.
    pub owners: Vec<ProcessFacts>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct MatchedProcesses {
    /// The part of a name that was asked for.
    pub part: String,
    pub found: Vec<ProcessFacts>,
}

/// An address to listen on or to connect to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum Address {
    Tcp { host: String, port: u16 },
    Unix { path: String },
}

/// A listener that passes bytes on (`nucleus/proxy`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct Proxy {
    pub listen: Vec<Address>,
    pub backend: Address,
    /// How long a client waits for the backend before it is closed.
    pub connect_timeout_ms: f64,
    /// 0: `ProxyIdle` is never told.
    pub idle_ms: f64,
    /// A second client at the same time is closed at once.
    pub single: bool,
    /// The backend is there already: nobody waits until it takes its first connection, as after
    /// `ProxyUp`.
    pub up: bool,
}

/// A proxy in the nucleus's table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct ProxyRecord {
    pub name: String,
    pub service: String,
    /// As given by `OpenProxy`; `up` as it is held to be now.
    pub proxy: Proxy,
    /// `ProxyWanted` was told, and no `ProxyUp` came since.
    pub wanted: bool,
    /// The same of `ProxyIdle`.
    pub idle: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct ProxyFacts {
    pub name: String,
    /// It listens on at least one address.
    pub listening: bool,
    /// Clients connected now, those that wait for the backend included.
    pub active: u32,
    /// Clients ever, but those that `single` turned away.
    #[cfg_attr(test, ts(type = "number"))]
    pub total: u64,
    /// What the backend has taken, and what clients have.
    #[cfg_attr(test, ts(type = "number"))]
    pub bytes_to_backend: u64,
    #[cfg_attr(test, ts(type = "number"))]
    pub bytes_from_backend: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum Scope {
    Main,
    Group,
    Tree,
}

/// Everything a child needs. Names of users and groups are looked up at every start.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct SpawnSpec {
    /// For the table, the receipt and the log: whose process this is.
    pub service: String,
    /// What it is to the service: `main`, `probe`, `reload`, or the name of a hook.
    pub role: String,
    pub argv: Vec<String>,
    /// The log that gets stdout and stderr; `null`: the supervisor's own fds 0, 1, 2 are passed.
    pub log: Option<String>,
    /// These three matter with `log` only.
    #[cfg_attr(test, ts(optional, as = "Option<Input>"))]
    pub stdin: Input,
    #[cfg_attr(test, ts(optional, as = "Option<Output>"))]
    pub stdout: Output,
    #[cfg_attr(test, ts(optional, as = "Option<Output>"))]
    pub stderr: Output,
    /// Files that must not be there any more when it starts. Where one cannot be removed, that is
    /// a failure of the step `fresh`.
    #[cfg_attr(test, ts(optional, as = "Option<Vec<String>>"))]
    pub remove: Vec<String>,
    /// `null`: the supervisor's own folder at its start.
    pub directory: Option<String>,
    pub user: Option<String>,
    pub group: Option<String>,
    /// `null`: as `id` prints them for `user`.
    pub groups: Option<Vec<String>>,
    pub umask: Option<u32>,
    /// Set on top of the supervisor's environment (or of nothing).
    pub environment: BTreeMap<String, String>,
    pub clean_environment: bool,
    pub nice: Option<i32>,
    pub oom_score_adjust: Option<i32>,
    /// By the name of prlimit(1) in lower case: `nofile`, `core`, … `null`: unlimited.
    pub limits: BTreeMap<String, Limit>,
    pub no_new_privileges: bool,
    /// What all processes of the set together may use.
    #[cfg_attr(test, ts(optional))]
    pub resources: Option<Resources>,
    /// How it can tell us something. With a socket, descriptors that are kept for the service are
    /// passed on to the role `main` as `LISTEN_FDS`, `LISTEN_FDNAMES` and `LISTEN_PID`.
    pub notify: Option<Notify>,
    /// Own process group in the foreground of the controlling terminal instead of a session of
    /// its own (single-command mode).
    pub foreground: bool,
}

/// Bounds of a cgroup; `null`: none. What cannot be bounded here costs a message.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct Resources {
    /// Processors.
    pub cpu: Option<f64>,
    /// Bytes.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub memory: Option<u64>,
    /// Processes and threads.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub pids: Option<u64>,
}

/// Where a process reads from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum Input {
    /// Nothing: /dev/null.
    #[default]
    Null,
    /// The supervisor's own stdin.
    Inherit,
}

/// Where a process writes to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum Output {
    #[default]
    Log,
    /// The supervisor's own stdout or stderr.
    Own { stream: OwnStream },
    /// The supervisor opens it for each start, to append to it; its folder must be there. A
    /// failure is that of the step `stdout` or `stderr`.
    File {
        path: String,
        /// Permissions of a new file, less the umask.
        mode: u32,
    },
    /// For stderr: wherever stdout goes.
    Same,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum OwnStream {
    #[default]
    Stdout,
    Stderr,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct Limit {
    #[cfg_attr(test, ts(type = "number | null"))]
    pub soft: Option<u64>,
    #[cfg_attr(test, ts(type = "number | null"))]
    pub hard: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum Probe {
    /// Can a connection be made?
    Tcp {
        host: String,
        port: u16,
        /// Whose cgroup `pressure` is of, too.
        set: u32,
    },
    /// Does it leave with 0 within the time? Its whole tree is killed at the end of it.
    Exec { spec: Box<SpawnSpec> },
    /// Is there such a file?
    File { path: String },
    /// Does it answer a request as expected?
    Http(Box<HttpProbe>),
    /// Has a process of this set a listening socket, TCP or Unix, that it did not get from us?
    Listen { set: u32 },
    /// Always holds: asks for `pressure` alone.
    Pressure { set: u32 },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum HttpMethod {
    #[default]
    Get,
    Head,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct HttpProbe {
    pub method: HttpMethod,
    /// How many are followed within the one attempt; `headers` go to the same scheme, host and
    /// port only. 0: an answer that redirects is looked at as it is.
    pub redirects: u32,
    /// Whose cgroup `pressure` is of, too.
    pub set: u32,
    pub tls: bool,
    pub host: String,
    pub port: u16,
    /// With the query; begins with `/`.
    pub path: String,
    pub headers: BTreeMap<String, String>,
    /// Ranges of statuses that are good, both ends included.
    pub status: Vec<(u16, u16)>,
    /// A regular expression that the first 64 KiB of the body must match.
    pub body: Option<String>,
    /// Certificates to trust (PEM) instead of the system's.
    pub ca_file: Option<String>,
    /// Do not look at the certificate at all.
    pub insecure: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct LogOptions {
    /// Lines kept in memory.
    pub lines: u32,
    /// Show `name | line` on the supervisor's stdout.
    pub console: bool,
    pub file: Option<LogFile>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct LogFile {
    pub path: String,
    /// Rotate before the file would grow beyond this; 0: never.
    #[cfg_attr(test, ts(type = "number"))]
    pub max_bytes: u64,
    /// How many rotated files to keep: `path.1` (newest) … `path.keep`.
    pub keep: u32,
    /// `text`: the bytes as they came. `json`: one `LogRecord` of `docs/json.md` a line.
    pub format: LogFormat,
    /// Instead of rotation: pieces of exactly `max_bytes`.
    #[serde(default)]
    #[cfg_attr(test, ts(optional))]
    pub split: Option<Split>,
}

/// A log file in pieces `path`, `path.1`, `path.2`, …, cut wherever the size is reached; the next
/// piece is there as soon as one is full. Nothing is renamed or removed. Each start of the service
/// (role `main`) begins with the first piece, and what a piece of that name held is gone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct Split {
    /// The pieces are `path.SECONDS`, `path.SECONDS.1`, …, with the time of the start since 1970.
    pub stamp: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum LogFormat {
    Text,
    Json,
}

/// A set of processes, by the name that an answer shall call it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct NamedSet {
    pub name: String,
    pub id: u32,
}

/// A piece of a reply's body. The nucleus writes log and event bytes itself; they never pass
/// through the brain.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum Part {
    Text {
        text: String,
    },
    /// A character from U+0000 to U+00FF for each byte; others are left out.
    Bytes {
        bytes: String,
    },
    Logs {
        query: LogQuery,
        format: StreamFormat,
    },
    Events {
        query: EventQuery,
        format: StreamFormat,
    },
    /// A JSON array of the processes of a set:
    /// `{"pid","parent","command","found","started_at","memory_bytes","cpu_ms"}`.
    Processes {
        id: u32,
    },
    /// A JSON array of what the processes of sets use together:
    /// `{"name","processes","memory_bytes","cpu_ms"}`.
    Usage {
        sets: Vec<NamedSet>,
    },
    /// `docs/openapi.json`, without line breaks. It is embedded in the executable, so that its
    /// text costs no memory.
    OpenApi,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum StreamFormat {
    /// One JSON array.
    Array,
    /// One JSON array of `{"timestamp_ms","service","stream","content"}`, streams by their long
    /// names (`stdout`). Logs only.
    Entries,
    /// One JSON array of texts `TIMESTAMP_MS [STREAM] CONTENT`. Logs only.
    Lines,
    /// Server-Sent Events, `data: {record}`.
    Sse,
}

impl StreamFormat {
    pub fn is_array(self) -> bool {
        self != StreamFormat::Sse
    }

    /// It has a form for lines that were dropped.
    pub fn tells_loss(self) -> bool {
        matches!(self, StreamFormat::Array | StreamFormat::Sse)
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct LogQuery {
    /// `null`: all logs, merged in the order the lines came.
    pub logs: Option<Vec<String>>,
    /// The last so many that fit the other conditions; `null`: all.
    pub lines: Option<u32>,
    pub wall_since: Option<f64>,
    pub wall_until: Option<f64>,
    /// `out`, `err` or `syslog`.
    pub stream: Option<String>,
    /// A regular expression; lines without a match are left out.
    pub grep: Option<String>,
    pub follow: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct EventQuery {
    pub lines: Option<u32>,
    /// Only events with a number above this.
    pub after_seq: Option<u32>,
    pub follow: bool,
}

/// What the config and command-line programs hand to the host so that it becomes a supervisor.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct Supervise {
    /// Passed on to the brain in `Boot`.
    #[cfg_attr(test, ts(type = "unknown"))]
    pub config: Box<serde_json::value::RawValue>,
    /// Which program of `src/programs.json` is the brain: `brain`, or another that decides like it
    /// and speaks more.
    pub brain: String,
    /// Permissions of the control socket; who connects is checked all the same.
    pub socket_mode: u32,
    #[serde(default)]
    #[cfg_attr(test, ts(optional, as = "Option<Speech>"))]
    pub speech: Speech,
    /// Where the control socket goes; `null`: none is made.
    pub socket: Option<String>,
    /// True if the path was asked for (`--socket`): not being able to make it is then an error,
    /// exit 2. Otherwise it costs a message and the control verbs.
    pub socket_required: bool,
    /// A TCP address for the API, with the file that holds its token.
    pub listen: Option<ListenTcp>,
    /// What it leaves with, having started nothing, where it cannot listen as it has to; 2 unless
    /// set.
    #[serde(default)]
    #[cfg_attr(test, ts(optional))]
    pub refused_code: Option<i32>,
    /// `name | line` or JSON records on stdout.
    pub console_format: LogFormat,
    /// Colour the console's prefixes.
    pub colour: bool,
    /// Single-command mode: catch and report every signal, keep the terminal.
    pub single: bool,
    /// The file of a `HandOver`, if what was left there is to be gone on with. Where nobody keeps it any
    /// more, this is a first start.
    #[serde(default)]
    #[cfg_attr(test, ts(optional))]
    pub adopt: Option<String>,
    /// `null`: the supervisor's own lines are `oneup | text` on stderr.
    pub own_log: Option<OwnLog>,
    /// A datagram socket for log messages (RFC 3164); a message goes into the log whose name is
    /// its tag. `null`: there is none.
    pub syslog: Option<String>,
    /// PID 1 of a machine, whose kernel panics when it ends: whatever would end it (but
    /// `Exit.machine`) starts it anew instead.
    pub never_leave: bool,
}

/// What is spoken on the control socket beside HTTP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub enum Speech {
    /// JSON-RPC, where a connection begins with `{` or `[`. Lines do not wait for each other.
    #[default]
    Native,
    /// JSON-RPC, whenever a connection does not begin as a request of HTTP does; a line is looked
    /// at only after the one before it on its connection has been answered.
    Lines,
    /// The same connections bring one message each, to their end, and get one back.
    Message,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(TS), ts(export, export_to = "protocol.ts"))]
pub struct ListenTcp {
    pub address: String,
    /// `null`: nobody has to show one, and requests are `public`.
    pub token_file: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::Command;

    #[test]
    fn every_answer_of_the_brain_can_be_read() {
        let text = r#"[{"type":"keepConfig","config":{"services":[{"name":"é","n":1.5}]}}]"#;
        let commands: Vec<Command> = serde_json::from_str(text).expect("commands");
        let [Command::KeepConfig { config }] = commands.as_slice() else {
            panic!("{commands:?}");
        };
        assert_eq!(config.to_string(), r#"{"services":[{"n":1.5,"name":"é"}]}"#);
    }
}
