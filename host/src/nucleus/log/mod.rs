//! Logs: from the pipes of services into rings, files and the console.
//!
//! One epoll instance watches all pipes, and the main loop watches that. A log that has never
//! written costs its name and two hundred bytes; buffers come with the first line. Bytes are read
//! in large pieces and handed on in large pieces, nothing is allocated per line, and every turn
//! is bounded, so that a chatty service starves neither the others nor the supervisor.
//!
//! When does an unfinished line become a record? When its line break comes, when it is longer
//! than a record (then in pieces, all but the last marked `partial`), when its process has ended
//! (`drain`), or when the log is closed. Not before: a program that is in the middle of a line
//! usually finishes it.

#[cfg(test)]
mod bench;
mod carry;
mod console;
mod file;
mod lines;
mod pipes;
mod query;
mod recall;
mod record;
mod ring;
#[cfg(test)]
mod tests;

pub use carry::SavedLogs;
pub use console::{Console, Unwritten};
pub use query::{LogReader, Progress};
pub use record::{json_string, time_text};

use super::bell::Bell;
use crate::protocol::{Level, LogFile, LogOptions};
use console::Room;
use file::{About, LogWriter};
use lines::{Lines, LONGEST};
use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use pipes::{Pipe, Poller, State, Token, NORMAL};
pub use record::Stream;
use record::{Loss, Record};
use regex_lite::Regex;
use ring::{Limits, Ring};
use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::rc::Rc;
use std::time::Duration;

/// About so many bytes are read in one turn before others get theirs.
const TURN: usize = 512 << 10;
/// So many pipes may be large at a time.
const LARGE_PIPES: usize = 32;
/// What is read at a time, at most: what the processor's caches hold.
const READ: usize = 256 << 10;
/// How long a busy pipe is left alone. A large one takes 2 GB/s in that time.
const REST: Duration = Duration::from_micros(250);
/// What all rings together may hold beyond their limits while somebody follows, so that a burst
/// reaches a follower who is not slow.
const FOLLOWED_EXTRA: usize = 8 << 20;

/// `No space left on device (ENOSPC)`
pub fn describe(error: Errno) -> String {
    format!("{} ({error:?})", error.desc())
}

/// All logs of the supervisor.
pub struct Logs {
    poller: Poller,
    slots: Vec<Option<Box<Log>>>,
    free: Vec<u32>,
    names: HashMap<Rc<str>, u32>,
    next_id: u32,
    paused: Vec<Token>,
    resting: Vec<Token>,
    rest_timer: Option<TimerFd>,
    large_pipes: usize,
    /// What is read goes here, behind a place for the beginning of a line from before.
    buffer: Vec<u8>,
    /// While the console is suspended.
    pub unwritten: Unwritten,
    sink: Sink,
}

/// Where lines go that is not the log's own.
struct Sink {
    console: Console,
    next_seq: u64,
    /// Rendered for the console, or as JSON for a file.
    rendered: Vec<u8>,
    json: Vec<u8>,
    notes: Vec<String>,
    matches: Vec<Match>,
    matched: Vec<String>,
    followers: Rc<Cell<usize>>,
    /// Rings may be beyond their limits, because somebody follows or has followed; by how many
    /// bytes they are.
    loose: bool,
    extra: usize,
    /// A line came since the bell was last rung.
    news: bool,
    bell: Rc<Bell>,
}

struct Match {
    key: String,
    log: String,
    pattern: Regex,
}

struct Log {
    id: u32,
    pid: u32,
    name: Rc<str>,
    lines: u32,
    console: bool,
    matched_for: bool,
    /// stdout's and stderr's.
    pipes: Option<Box<[Pipe; 2]>>,
    ring: Option<Box<Ring>>,
    file: Option<Box<LogWriter>>,
    /// Not shown on the console since the last mark.
    unseen: Loss,
}

/// A line that did not come by a pipe.
pub struct Given<'a> {
    pub stream: Stream,
    /// 0 if unknown.
    pub pid: u32,
    /// With its line break.
    pub text: &'a [u8],
}

/// What a turn of reading came to.
pub struct Turn {
    /// Keys of `match_line` whose line came.
    pub matched: Vec<String>,
    /// There is more to read at once: call again before waiting for the descriptor.
    pub more: bool,
}

impl Logs {
    pub fn new(console: Console) -> io::Result<Logs> {
        let mut logs = Logs {
            poller: Poller::new()?,
            slots: Vec::new(),
            free: Vec::new(),
            names: HashMap::new(),
            next_id: 1,
            paused: Vec::new(),
            resting: Vec::new(),
            rest_timer: None,
            large_pipes: 0,
            buffer: Vec::new(),
            unwritten: Unwritten::default(),
            sink: Sink {
                console,
                next_seq: 1,
                rendered: Vec::new(),
                json: Vec::new(),
                notes: Vec::new(),
                matches: Vec::new(),
                matched: Vec::new(),
                followers: Rc::default(),
                loose: false,
                extra: 0,
                news: false,
                bell: Rc::default(),
            },
        };
        // It may have been started already.
        logs.watch_console();
        Ok(logs)
    }

    /// Readable when `on_readable` has something to do.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.poller.fd()
    }

    /// Rings when lines have come.
    pub fn bell(&self) -> Rc<Bell> {
        self.sink.bell.clone()
    }

    /// Makes a log or changes it.
    pub fn open(&mut self, name: &str, options: &LogOptions) {
        match self.names.get(name) {
            Some(slot) => {
                if let Some(log) = &mut self.slots[*slot as usize] {
                    log.configure(options, &mut self.sink);
                }
            }
            None => self.insert(name, options),
        }
    }

    fn insert(&mut self, name: &str, options: &LogOptions) {
        let name: Rc<str> = name.into();
        let log = Box::new(Log {
            id: self.next_id,
            pid: 0,
            name: name.clone(),
            lines: options.lines,
            console: options.console,
            matched_for: self.sink.matches.iter().any(|m| *m.log == *name),
            pipes: None,
            ring: None,
            file: writer(&options.file),
            unseen: Loss::default(),
        });
        // Tokens of the console end in this id.
        self.next_id = (self.next_id + 1) % u32::MAX;
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(log);
                slot
            }
            None => {
                self.slots.push(Some(log));
                (self.slots.len() - 1) as u32
            }
        };
        self.names.insert(name, slot);
    }

    /// Drops a log with its ring and pipes, after reading what is in them.
    pub fn close(&mut self, name: &str, now_wall: f64) -> Vec<String> {
        let matched = self.drain(name, now_wall);
        let Some(slot) = self.names.remove(name) else {
            return matched;
        };
        self.drop_pipes(slot);
        if let Some(log) = self.slots[slot as usize].take() {
            if let Some(ring) = &log.ring {
                self.sink.extra -= extra_of(ring, log.lines);
            }
            self.free.push(slot);
        }
        matched
    }

    /// Gives up the pipes of logs that no process set writes to, because descriptors have run
    /// out. The next start of their services makes new ones.
    pub fn release_pipes(&mut self, in_use: impl Fn(&str) -> bool, now_wall: f64) -> Vec<String> {
        let idle: Vec<(Rc<str>, u32)> = self
            .names
            .iter()
            .filter(|(name, _)| !in_use(name))
            .map(|(name, slot)| (name.clone(), *slot))
            .collect();
        let mut matched = Vec::new();
        for (name, slot) in idle {
            matched.extend(self.drain(&name, now_wall));
            self.drop_pipes(slot);
        }
        matched
    }

    fn drop_pipes(&mut self, slot: u32) {
        let Some(log) = &mut self.slots[slot as usize] else {
            return;
        };
        for pipe in log.pipes.take().iter().flat_map(|pipes| pipes.iter()) {
            self.poller.forget(pipe.read.as_fd());
            self.large_pipes -= usize::from(pipe.large);
        }
        let id = log.id;
        for list in [&mut self.paused, &mut self.resting] {
            list.retain(|token| !matches!(token, Token::Pipe { id: other, .. } if *other == id));
        }
    }

    /// Where a process writes to: stdout's pipe and stderr's, both CLOEXEC. They are made by the
    /// first call.
    pub fn write_ends(&mut self, name: &str) -> io::Result<(BorrowedFd<'_>, BorrowedFd<'_>)> {
        let unknown = || io::Error::new(io::ErrorKind::NotFound, format!("no log \"{name}\""));
        let slot = *self.names.get(name).ok_or_else(unknown)?;
        let log = self.slots[slot as usize].as_mut().ok_or_else(unknown)?;
        if log.pipes.is_none() {
            let pipes = Box::new([Pipe::new()?, Pipe::new()?]);
            for (pipe, stream) in pipes.iter().zip([Stream::Out, Stream::Err]) {
                let id = log.id;
                let token = Token::Pipe { slot, id, stream };
                self.poller.watch(pipe.read.as_fd(), token)?;
            }
            log.pipes = Some(pipes);
        }
        match &log.pipes {
            Some(pipes) => Ok((pipes[0].write.as_fd(), pipes[1].write.as_fd())),
            None => Err(unknown()),
        }
    }

    /// The process that lines from now on come from.
    pub fn note_pid(&mut self, name: &str, pid: u32) {
        if let Some(slot) = self.names.get(name) {
            if let Some(log) = &mut self.slots[*slot as usize] {
                log.pid = pid;
            }
        }
    }

    /// The service of this log is started.
    pub fn begin(&mut self, name: &str) {
        let slot = self.names.get(name).copied().unwrap_or(u32::MAX);
        if let Some(Some(log)) = self.slots.get_mut(slot as usize) {
            if let Some(file) = &mut log.file {
                file.begin();
            }
        }
    }

    /// Text for stdout, as it is.
    pub fn print(&mut self, text: &str) {
        if self.start_console() {
            self.sink.console.push(text.as_bytes());
        }
    }

    /// Tells `key` once, from `on_readable`, `drain` or `close`, when a line comes that the
    /// pattern matches. The log need not exist yet.
    pub fn match_line(&mut self, key: &str, log: &str, pattern: &str) -> Result<(), String> {
        let pattern = crate::pattern::compile(pattern).map_err(|error| error.to_string())?;
        self.unmatch(key);
        self.sink.matches.push(Match {
            key: key.to_owned(),
            log: log.to_owned(),
            pattern,
        });
        self.note_matches(log);
        Ok(())
    }

    pub fn unmatch(&mut self, key: &str) {
        if let Some(at) = self.sink.matches.iter().position(|m| m.key == key) {
            let old = self.sink.matches.swap_remove(at);
            self.note_matches(&old.log);
        }
    }

    /// Forgets all matches, as the brain that asked for them has gone.
    pub fn unmatch_all(&mut self) {
        self.sink.matches.clear();
        self.sink.matched.clear();
        for log in self.slots.iter_mut().flatten() {
            log.matched_for = false;
        }
    }

    fn note_matches(&mut self, name: &str) {
        let is_wanted = self.sink.matches.iter().any(|m| m.log == name);
        if let Some(slot) = self.names.get(name) {
            if let Some(log) = &mut self.slots[*slot as usize] {
                log.matched_for = is_wanted;
            }
        }
    }

    /// Waits for readers of the console no longer than `timeout`, and leaves its thread behind.
    pub fn suspend_console(&mut self, timeout: Duration) {
        self.unwritten = self.sink.console.suspend(timeout);
    }

    /// What the console has not written.
    pub fn unwritten(&self) -> Unwritten {
        self.unwritten.clone()
    }

    pub fn resume_console(&mut self) {
        let unwritten = std::mem::take(&mut self.unwritten);
        if self.start_console() {
            self.sink.console.resume(unwritten);
        }
    }

    /// A message of the nucleus's own. It speaks when something is not as it should be.
    pub fn say(&mut self, text: &str) {
        self.say_at(Level::Warn, text);
    }

    /// A message of the supervisor's own: `oneup | text` on stderr, or a line of its own log.
    pub fn say_at(&mut self, level: Level, text: &str) {
        if self.start_console() {
            self.sink.console.say(level, text);
        }
    }

    /// Takes in a line that came by another way than the log's pipes. Without such a log nothing
    /// happens.
    pub fn append(&mut self, name: &str, line: &Given, now_wall: f64) -> Vec<String> {
        let Some(slot) = self.names.get(name).copied() else {
            return Vec::new();
        };
        self.start_console_for(slot);
        if let Some(log) = &mut self.slots[slot as usize] {
            let own = std::mem::replace(&mut log.pid, line.pid);
            log.hand_on(line.stream, line.text, false, now_wall, &mut self.sink);
            log.pid = own;
        }
        self.end_turn()
    }

    /// Writes what is left to be written, waiting no longer than `timeout`.
    pub fn finish(&mut self, now_wall: f64, timeout: Duration) {
        for log in self.slots.iter_mut().flatten() {
            log.mark_unseen(now_wall.max(0.0) as u64, &mut self.sink);
        }
        self.sink.console.finish(timeout);
    }

    /// Reads what there is, a bounded amount of it. To be called when `fd` is readable.
    pub fn on_readable(&mut self, now_wall: f64) -> Turn {
        let mut left = TURN;
        let more = loop {
            let ready = self.poller.ready();
            if ready.tokens().is_empty() {
                break false;
            }
            for token in ready.tokens() {
                let read = match *token {
                    Token::ConsoleSpace => self.on_console_space(now_wall),
                    Token::ConsoleTimer => self.on_console_timer(),
                    Token::RestTimer => self.on_rest_timer(),
                    Token::Pipe { slot, id, stream } => self.read(slot, id, stream, now_wall),
                };
                left = left.saturating_sub(read.max(256));
            }
            if left == 0 {
                break true;
            }
        };
        Turn {
            matched: self.end_turn(),
            more,
        }
    }

    /// Reads what is in a log's pipes now and ends its unfinished lines, because its process has
    /// ended: its lines come before the news of its end. Bounded by what the pipes hold, however
    /// much others write to them meanwhile.
    pub fn drain(&mut self, name: &str, now_wall: f64) -> Vec<String> {
        if let Some(slot) = self.names.get(name).copied() {
            for stream in [Stream::Out, Stream::Err] {
                self.drain_stream(slot, stream, now_wall);
            }
        }
        self.end_turn()
    }

    fn end_turn(&mut self) -> Vec<String> {
        if self.sink.followers.get() == 0 && self.sink.loose {
            self.trim();
        }
        if std::mem::take(&mut self.sink.news) {
            self.sink.bell.ring();
        }
        for note in std::mem::take(&mut self.sink.notes) {
            self.say(&note);
        }
        std::mem::take(&mut self.sink.matched)
    }

    /// Brings all rings back to their limits, as nobody follows any longer.
    pub fn trim(&mut self) {
        if self.sink.followers.get() > 0 {
            return;
        }
        for log in self.slots.iter_mut().flatten() {
            if let Some(ring) = &mut log.ring {
                ring.trim(Limits::of_lines(log.lines));
            }
        }
        self.sink.extra = 0;
        self.sink.loose = false;
    }

    /// The logs of these names that there are, or all.
    fn selected<'a>(
        &'a self,
        names: &'a Option<Vec<String>>,
    ) -> impl Iterator<Item = (u32, &'a Log)> {
        let everything = if names.is_none() {
            &self.slots[..]
        } else {
            &[]
        };
        let all = (0..).zip(everything);
        let some = names.iter().flatten().filter_map(|name| {
            let slot = *self.names.get(name.as_str())?;
            Some((slot, self.slots.get(slot as usize)?))
        });
        all.chain(some)
            .filter_map(|(slot, log)| Some((slot, &**log.as_ref()?)))
    }

    fn read(&mut self, slot: u32, id: u32, stream: Stream, now_wall: f64) -> usize {
        let Some(Some(log)) = self.slots.get(slot as usize) else {
            return 0;
        };
        if log.id != id {
            return 0;
        }
        let mut most = usize::MAX;
        if log.console {
            match self.sink.console.room() {
                Room::Full => {
                    self.pause(slot, stream);
                    return 0;
                }
                Room::Bytes(room) => {
                    most = (room / self.sink.console.expansion(&log.name)).max(512);
                }
                Room::Stalled | Room::Closed => {}
            }
        }
        let count = self.read_some(slot, stream, most, now_wall);
        if count < READ.min(most) {
            self.rest(slot, stream);
        }
        count
    }

    /// Reads once and takes in what came.
    fn read_some(&mut self, slot: u32, stream: Stream, most: usize, now_wall: f64) -> usize {
        self.start_console_for(slot);
        let Some(log) = &mut self.slots[slot as usize] else {
            return 0;
        };
        let Some(pipe) = log.pipes.as_mut().map(|pipes| &mut pipes[stream.index()]) else {
            return 0;
        };
        let size = if pipe.large { READ } else { NORMAL };
        if self.buffer.len() < LONGEST + size {
            self.buffer = vec![0; LONGEST + size];
        }
        let place = &mut self.buffer[LONGEST..LONGEST + size.min(most)];
        let count = match nix::unistd::read(&pipe.read, place) {
            Ok(count) if count > 0 => count,
            Err(Errno::EAGAIN | Errno::EINTR) => return 0,
            // Cannot happen, as we hold the other end; if it does, it must not happen for ever.
            _ => {
                self.poller.forget(pipe.read.as_fd());
                return 0;
            }
        };
        if pipe.note_read(count, now_wall) && !pipe.large && self.large_pipes < LARGE_PIPES {
            self.large_pipes += usize::from(pipe.enlarge());
        }
        let before = pipe.pending.len();
        let start = LONGEST - before;
        self.buffer[start..LONGEST].copy_from_slice(&pipe.pending);
        let data = &self.buffer[start..LONGEST + count];
        log.take_in(stream, data, before, now_wall, &mut self.sink);
        count
    }

    fn drain_stream(&mut self, slot: u32, stream: Stream, now_wall: f64) {
        let filled = |logs: &Logs| {
            let log = logs.slots[slot as usize].as_ref()?;
            Some(log.pipes.as_ref()?[stream.index()].filled())
        };
        let Some(mut left) = filled(self) else { return };
        while left > 0 {
            match self.read_some(slot, stream, left, now_wall) {
                0 => break,
                count => left = left.saturating_sub(count),
            }
        }
        self.start_console_for(slot);
        if let Some(log) = &mut self.slots[slot as usize] {
            log.end_line(stream, now_wall, &mut self.sink);
        }
    }

    fn pipe(&mut self, slot: u32, stream: Stream) -> Option<(u32, &mut Pipe)> {
        let log = self.slots.get_mut(slot as usize)?.as_mut()?;
        Some((log.id, &mut log.pipes.as_mut()?[stream.index()]))
    }

    /// Leaves a busy pipe alone for a moment.
    fn rest(&mut self, slot: u32, stream: Stream) {
        let Some((id, pipe)) = self.pipe(slot, stream) else {
            return;
        };
        if !pipe.wants_rest() || !self.arm_rest_timer() {
            return;
        }
        self.set_aside(Token::Pipe { slot, id, stream }, State::Resting);
    }

    /// Where there is no timer to be had, nothing rests.
    fn arm_rest_timer(&mut self) -> bool {
        if !self.resting.is_empty() {
            return true;
        }
        if self.rest_timer.is_none() {
            let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
            let Ok(timer) = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags) else {
                return false;
            };
            if self.poller.watch(timer.as_fd(), Token::RestTimer).is_err() {
                return false;
            }
            self.rest_timer = Some(timer);
        }
        let once = Expiration::OneShot(TimeSpec::from_duration(REST));
        let timer = self.rest_timer.as_ref();
        timer.is_some_and(|timer| timer.set(once, TimerSetTimeFlags::empty()).is_ok())
    }

    fn on_rest_timer(&mut self) -> usize {
        if let Some(timer) = &self.rest_timer {
            // Also makes it unreadable.
            let _ = timer.unset();
        }
        let resting = std::mem::take(&mut self.resting);
        self.take_up(resting);
        0
    }

    /// No more is read from this pipe until the console has room.
    fn pause(&mut self, slot: u32, stream: Stream) {
        if let Some((id, _)) = self.pipe(slot, stream) {
            self.set_aside(Token::Pipe { slot, id, stream }, State::Paused);
        }
        self.sink.console.want_space();
    }

    fn resume_all(&mut self) {
        let paused = std::mem::take(&mut self.paused);
        self.take_up(paused);
    }

    fn set_aside(&mut self, token: Token, state: State) {
        let Token::Pipe { slot, stream, .. } = token else {
            return;
        };
        let Some(Some(log)) = self.slots.get_mut(slot as usize) else {
            return;
        };
        let Some(pipe) = log.pipes.as_mut().map(|pipes| &mut pipes[stream.index()]) else {
            return;
        };
        if pipe.state != State::Watched {
            return;
        }
        pipe.state = state;
        self.poller.forget(pipe.read.as_fd());
        match state {
            State::Resting => self.resting.push(token),
            _ => self.paused.push(token),
        }
    }

    fn take_up(&mut self, tokens: Vec<Token>) {
        for token in tokens {
            let Token::Pipe { slot, id, stream } = token else {
                continue;
            };
            let Some(Some(log)) = self.slots.get_mut(slot as usize) else {
                continue;
            };
            if log.id != id {
                continue;
            }
            if let Some(pipes) = &mut log.pipes {
                let pipe = &mut pipes[stream.index()];
                // It has been watched before, so there is memory for it.
                let _ = self.poller.watch(pipe.read.as_fd(), token);
                pipe.wake();
            }
        }
    }

    fn on_console_space(&mut self, now_wall: f64) -> usize {
        self.sink.console.on_space();
        for log in self.slots.iter_mut().flatten() {
            log.mark_unseen(now_wall as u64, &mut self.sink);
        }
        self.resume_all();
        0
    }

    fn on_console_timer(&mut self) -> usize {
        if self.sink.console.on_timer() {
            self.resume_all();
        }
        0
    }

    /// True if the console can be written to.
    fn start_console(&mut self) -> bool {
        match self.sink.console.start() {
            Ok(false) => true,
            Ok(true) => {
                self.watch_console();
                true
            }
            // No memory for a thread: what it should show now is not shown.
            Err(_) => false,
        }
    }

    fn watch_console(&mut self) {
        if let Some((space, timer)) = self.sink.console.descriptors() {
            // Without them a full console would lose lines; nothing else.
            let _ = self.poller.watch(space, Token::ConsoleSpace);
            let _ = self.poller.watch(timer, Token::ConsoleTimer);
        }
    }

    fn start_console_for(&mut self, slot: u32) {
        if matches!(self.slots.get(slot as usize), Some(Some(log)) if log.console) {
            self.start_console();
        }
    }
}

fn writer(file: &Option<LogFile>) -> Option<Box<LogWriter>> {
    file.clone().map(|file| Box::new(LogWriter::new(file)))
}

fn extra_of(ring: &Ring, lines: u32) -> usize {
    ring.used().saturating_sub(Limits::of_lines(lines).bytes)
}

impl Log {
    fn configure(&mut self, options: &LogOptions, sink: &mut Sink) {
        let extra = |log: &Log| log.ring.as_ref().map_or(0, |r| extra_of(r, log.lines));
        sink.extra -= extra(self);
        self.lines = options.lines;
        self.console = options.console;
        if let Some(ring) = &mut self.ring {
            ring.trim(Limits::of_lines(options.lines));
        }
        sink.extra += extra(self);
        if self.file.as_ref().map(|file| file.options()) != options.file.as_ref() {
            self.file = writer(&options.file);
        }
    }

    /// Takes in what was read: `data` begins with the pipe's pending bytes, `before` of them.
    fn take_in(
        &mut self,
        stream: Stream,
        data: &[u8],
        before: usize,
        now_wall: f64,
        sink: &mut Sink,
    ) {
        let end = lines::ready(data, before);
        self.keep_pending(stream, &data[end..], if end == 0 { before } else { 0 });
        self.hand_on(stream, &data[..end], false, now_wall, sink);
    }

    /// `known` bytes of `rest` are in `pending` already.
    fn keep_pending(&mut self, stream: Stream, rest: &[u8], known: usize) {
        let Some(pipes) = &mut self.pipes else { return };
        let pending = &mut pipes[stream.index()].pending;
        if rest.is_empty() {
            *pending = Vec::new();
            return;
        }
        pending.truncate(known);
        pending.extend_from_slice(&rest[known..]);
    }

    fn end_line(&mut self, stream: Stream, now_wall: f64, sink: &mut Sink) {
        let Some(pipes) = &mut self.pipes else { return };
        let pending = std::mem::take(&mut pipes[stream.index()].pending);
        self.hand_on(stream, &pending, true, now_wall, sink);
        if let Some(file) = &mut self.file {
            file.break_line(stream);
        }
    }

    /// Makes records of `data`, which is whole lines, or pieces of one; or, to `finish`, the end
    /// of a line that has no line break.
    fn hand_on(
        &mut self,
        stream: Stream,
        data: &[u8],
        finish: bool,
        now_wall: f64,
        sink: &mut Sink,
    ) {
        if data.is_empty() {
            return;
        }
        let time = now_wall.max(0.0) as u64;
        let about = About {
            service: &self.name,
            time,
        };
        let as_json = self.file.as_ref().is_some_and(|file| file.is_json());
        if let Some(file) = self.file.as_mut().filter(|_| !as_json) {
            file.write(data, stream, about, &mut sink.notes);
        }
        let show = self.show(sink);
        let shown = show == Show::Yes;
        let mut records = Lines { data, finish };
        let nobody_looks = !as_json && !self.matched_for && sink.followers.get() == 0;
        if show == Show::Off && nobody_looks {
            records.data = self.skip_to_tail(data, sink);
        }
        if shown {
            self.mark_unseen(time, sink);
        }
        let mut batch = Batch {
            time,
            stream,
            show,
            as_json,
        };
        for (line, partial) in &mut records {
            self.hand_on_line(line, partial, &mut batch, sink);
        }
        sink.news = true;
        if shown {
            sink.console.push(&sink.rendered);
        }
        release(&mut sink.rendered);
        if let Some(file) = self.file.as_mut().filter(|_| as_json) {
            let about = About {
                service: &self.name,
                time,
            };
            file.write(&sink.json, stream, about, &mut sink.notes);
        }
        release(&mut sink.json);
    }

    fn hand_on_line(&mut self, line: &[u8], partial: bool, batch: &mut Batch, sink: &mut Sink) {
        let record = Record {
            seq: sink.next_seq,
            time: batch.time,
            pid: self.pid,
            stream: batch.stream,
            partial,
            line: (line, &[]),
        };
        sink.next_seq += 1;
        self.push(&record, sink);
        if batch.show == Show::Yes {
            let console = &mut sink.console;
            console.render(&mut sink.rendered, self.id, &self.name, &record);
        } else if batch.show == Show::Count {
            self.unseen.add(Loss {
                lines: u64::from(!partial),
                bytes: line.len() as u64,
            });
        }
        if batch.as_json {
            record::write_record(&mut sink.json, &self.name, &record);
            sink.json.push(b'\n');
        }
        if self.matched_for {
            self.matched_for = sink.look_for_matches(&self.name, line);
        }
    }

    fn push(&mut self, record: &Record, sink: &mut Sink) {
        let mut limits = Limits::of_lines(self.lines);
        let ring = self.ring.get_or_insert_default();
        if sink.followers.get() == 0 && !sink.loose {
            ring.push(record, limits);
            return;
        }
        sink.loose = true;
        let own = extra_of(ring, self.lines);
        if sink.followers.get() > 0 && self.lines > 0 {
            limits.lines = u64::MAX;
            limits.bytes += own + (FOLLOWED_EXTRA.saturating_sub(sink.extra));
        }
        ring.push(record, limits);
        sink.extra = sink.extra - own + extra_of(ring, self.lines);
    }

    /// Lines that the ring would drop again at once are counted without being looked at.
    fn skip_to_tail<'a>(&mut self, data: &'a [u8], sink: &mut Sink) -> &'a [u8] {
        let start = lines::tail(data, u64::from(self.lines));
        if start > 0 {
            let count = lines::count(&data[..start]);
            let ring = self.ring.get_or_insert_default();
            sink.extra -= extra_of(ring, self.lines);
            ring.skip(count, start as u64 - count);
            sink.next_seq += count;
        }
        &data[start..]
    }

    fn show(&self, sink: &mut Sink) -> Show {
        if !self.console {
            return Show::Off;
        }
        match sink.console.room_at_once() {
            Room::Bytes(_) => Show::Yes,
            Room::Closed => Show::Off,
            Room::Full | Room::Stalled => {
                sink.console.want_space();
                Show::Count
            }
        }
    }

    fn mark_unseen(&mut self, time: u64, sink: &mut Sink) {
        let loss = std::mem::take(&mut self.unseen);
        if loss.is_none() || sink.console.room() == Room::Closed {
            return;
        }
        let mut mark = Vec::new();
        sink.console.render_loss(&mut mark, &self.name, time, loss);
        sink.console.push(&mark);
    }
}

struct Batch {
    time: u64,
    stream: Stream,
    show: Show,
    as_json: bool,
}

/// Whether the console takes lines of a log now.
#[derive(Clone, Copy, PartialEq)]
enum Show {
    Yes,
    /// It should and cannot: they are counted.
    Count,
    Off,
}

impl Sink {
    /// True if there is still a match to be looked for in this log.
    fn look_for_matches(&mut self, log: &str, line: &[u8]) -> bool {
        let text = String::from_utf8_lossy(line);
        let mut is_wanted = false;
        let matched = &mut self.matched;
        self.matches.retain_mut(|m| {
            if m.log != log {
                return true;
            }
            if m.pattern.is_match(&text) {
                matched.push(std::mem::take(&mut m.key));
                return false;
            }
            is_wanted = true;
            true
        });
        is_wanted
    }
}

/// Empties a buffer, and gives it back if it has become large.
fn release(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(64 << 10);
}
