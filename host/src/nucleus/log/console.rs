//! The supervisor's own stdout and stderr.
//!
//! They may be a terminal that is stopped or a pipe that nobody reads, and they are shared with
//! others, so they cannot be made non-blocking. A thread of its own writes them; it is started by
//! the first line, polls before it writes, and sleeps when there is nothing to write. Between it
//! and the main thread is one bounded buffer. While stdout moves, a full buffer makes its
//! producers wait; once it has stood for a second, lines for it are dropped and counted.

use super::describe;
use super::record::{rfc3339, write_loss, write_record, Loss, Record, Stream};
use crate::nucleus::wall_ms;
use crate::protocol::{Level, LogFormat, OwnLog, OwnStream};
use memchr::memrchr;
use nix::errno::Errno;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes waiting for stdout from which on readers of pipes wait.
pub const CAPACITY: usize = 256 << 10;
/// What the last lines of ended children may take beyond that, as those cannot wait.
const OVERFLOW: usize = 1 << 20;
const SAYS: usize = 64 << 10;
/// A write no larger than this does not block after poll has said that there is room.
const PIECE: usize = 4096;
const STALLED_AFTER: Duration = Duration::from_secs(1);
/// Buffers that grew beyond this are given back once they are empty.
const KEPT_BUFFER: usize = 16 << 10;

/// What stdout can take now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Room {
    /// About so many bytes.
    Bytes(usize),
    /// Nothing, for the moment: wait.
    Full,
    /// It stands: lines for it are to be dropped and counted.
    Stalled,
    /// There is no stdout any more.
    Closed,
}

/// What the writer left.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Unwritten {
    out: Vec<u8>,
    says: Vec<Vec<u8>>,
}

pub struct Console {
    format: LogFormat,
    colour: bool,
    pub(super) own: Option<OwnLog>,
    out: Arc<OwnedFd>,
    /// Where the supervisor's own messages go.
    err: Arc<OwnedFd>,
    thread: Option<Link>,
    stalled: bool,
    /// Whose unfinished line the output ends with.
    open_line: Option<(u32, Stream)>,
}

/// The main thread's ends of what joins it to the writer.
struct Link {
    shared: Arc<Shared>,
    timer: TimerFd,
    timer_armed: bool,
}

struct Shared {
    state: Mutex<State>,
    /// All has been written.
    drained: Condvar,
    /// Wakes the writer, and the main thread.
    wake: EventFd,
    space: EventFd,
}

#[derive(Default)]
struct State {
    out: Vec<u8>,
    /// Bytes that the writer has taken and not yet written.
    in_hand: usize,
    /// All bytes ever queued for stdout, and all that have left.
    queued: u64,
    written: u64,
    says: VecDeque<Say>,
    says_bytes: usize,
    says_lost: u64,
    last_progress: Option<Instant>,
    out_closed: bool,
    err_closed: bool,
    /// The main thread wants to know when half of the buffer is free.
    wants_space: bool,
    /// The console has gone; so shall the writer.
    stop: bool,
    /// It has, and what it had taken is in `out` again.
    stopped: bool,
    /// Since stdout began to refuse (a full disk): what it did not take.
    refused: Option<Loss>,
    own: Option<OwnLog>,
}

/// A message for stderr, and how much of stdout came before it.
struct Say {
    after: u64,
    text: Vec<u8>,
}

impl State {
    fn waiting(&self) -> usize {
        self.out.len() + self.in_hand
    }

    /// Enough for those who wait, or nothing to wait for.
    fn has_space(&self) -> bool {
        self.out_closed || self.waiting() <= CAPACITY / 2
    }

    fn is_idle(&self) -> bool {
        self.waiting() == 0 && self.says_bytes == 0
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is done under the lock that could leave the state half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Console {
    pub fn new(format: LogFormat, colour: bool, out: OwnedFd, err: OwnedFd) -> Console {
        Console {
            format,
            colour,
            own: None,
            out: Arc::new(out),
            err: Arc::new(err),
            thread: None,
            stalled: false,
            open_line: None,
        }
    }

    /// On this process's own stdout and stderr. A log of their own may have the supervisor's
    /// messages on stdout, too.
    pub fn standard(format: LogFormat, colour: bool, own: Option<OwnLog>) -> io::Result<Console> {
        let out = io::stdout().as_fd().try_clone_to_owned()?;
        let err = match own {
            Some(OwnLog {
                stream: OwnStream::Stdout,
                ..
            }) => out.try_clone()?,
            _ => io::stderr().as_fd().try_clone_to_owned()?,
        };
        let mut console = Console::new(format, colour, out, err);
        console.own = own;
        Ok(console)
    }

    /// Starts the writer if it is not there. True if it has just been started, and
    /// `descriptors` are to be watched.
    pub fn start(&mut self) -> io::Result<bool> {
        if self.thread.is_some() {
            return Ok(false);
        }
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                own: self.own,
                ..State::default()
            }),
            drained: Condvar::new(),
            wake: EventFd::from_flags(flags)?,
            space: EventFd::from_flags(flags)?,
        });
        let timer = TimerFd::new(
            ClockId::CLOCK_MONOTONIC,
            TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK,
        )?;
        let writer = Writer {
            shared: shared.clone(),
            out: self.out.clone(),
            err: self.err.clone(),
            batch: Vec::new(),
            at: 0,
        };
        spawn_without_signals(writer)?;
        self.thread = Some(Link {
            shared,
            timer,
            timer_armed: false,
        });
        Ok(true)
    }

    /// Readable when there is space again, and when it is time to look whether stdout stands.
    pub fn descriptors(&self) -> Option<(BorrowedFd<'_>, BorrowedFd<'_>)> {
        let link = self.thread.as_ref()?;
        Some((link.shared.space.as_fd(), link.timer.as_fd()))
    }

    /// May be asked before the writer has been started.
    pub fn room(&self) -> Room {
        let Some(link) = &self.thread else {
            return Room::Bytes(CAPACITY);
        };
        let state = link.shared.lock();
        if state.out_closed {
            Room::Closed
        } else if self.stalled {
            Room::Stalled
        } else if state.waiting() + CAPACITY / 8 > CAPACITY {
            Room::Full
        } else {
            Room::Bytes(CAPACITY - state.waiting())
        }
    }

    /// The same for lines that cannot wait.
    pub fn room_at_once(&self) -> Room {
        match (self.room(), &self.thread) {
            (Room::Full, Some(link)) => {
                let waiting = link.shared.lock().waiting();
                match (CAPACITY + OVERFLOW).checked_sub(waiting) {
                    Some(free) if free > 0 => Room::Bytes(free),
                    _ => Room::Full,
                }
            }
            (room, _) => room,
        }
    }

    /// How many bytes of output one byte of input can become at most, about: a line that is
    /// nothing but its line break.
    pub fn expansion(&self, service: &str) -> usize {
        match self.format {
            LogFormat::Text => service.len() + 20,
            LogFormat::Json => service.len() + 110,
        }
    }

    /// Formats one record of a log for stdout.
    pub fn render(&mut self, out: &mut Vec<u8>, log: u32, service: &str, record: &Record) {
        if self.format == LogFormat::Json {
            write_record(out, service, record);
            out.push(b'\n');
            return;
        }
        let whose = (log, record.stream);
        if self.open_line.take_if(|open| *open == whose).is_none() {
            self.end_open_line(out);
            self.prefix(out, service);
        }
        out.extend_from_slice(record.line.0);
        out.extend_from_slice(record.line.1);
        if record.partial {
            self.open_line = Some(whose);
        } else {
            out.push(b'\n');
        }
    }

    /// Formats the mark of lines that stdout did not get.
    pub fn render_loss(&mut self, out: &mut Vec<u8>, service: &str, time: u64, loss: Loss) {
        if self.format == LogFormat::Json {
            write_loss(out, service, time, loss);
            out.push(b'\n');
            return;
        }
        self.end_open_line(out);
        let text = format!("oneup | {service}: {loss} not shown, stdout was not being read\n");
        out.extend_from_slice(text.as_bytes());
    }

    fn end_open_line(&mut self, out: &mut Vec<u8>) {
        if self.open_line.take().is_some() {
            out.push(b'\n');
        }
    }

    fn prefix(&self, out: &mut Vec<u8>, service: &str) {
        if self.colour {
            // Six colours, the same one for the same name.
            let sum = service.bytes().fold(0u32, |sum, byte| {
                sum.wrapping_mul(31).wrapping_add(u32::from(byte))
            });
            out.extend_from_slice(format!("\x1b[{}m{service}\x1b[0m", 31 + sum % 6).as_bytes());
        } else {
            out.extend_from_slice(service.as_bytes());
        }
        out.extend_from_slice(b" | ");
    }

    /// Queues what was rendered. The writer must have been started.
    pub fn push(&mut self, rendered: &[u8]) {
        let Some(link) = &self.thread else { return };
        let mut state = link.shared.lock();
        if state.out_closed || rendered.is_empty() {
            return;
        }
        let was_empty = state.waiting() == 0;
        if was_empty {
            state.last_progress = Some(Instant::now());
        }
        state.out.extend_from_slice(rendered);
        state.queued += rendered.len() as u64;
        drop(state);
        if was_empty {
            poke(&link.shared.wake);
        }
    }

    /// A message of the supervisor's own. The writer must have been started.
    pub fn say(&mut self, level: Level, text: &str) {
        if self
            .own
            .is_some_and(|own| own.least.is_some_and(|least| level < least))
        {
            return;
        }
        let Some(link) = &self.thread else { return };
        let mut state = link.shared.lock();
        if state.err_closed {
            return;
        }
        if state.says_bytes > SAYS {
            state.says_lost += 1;
            return;
        }
        let after = state.queued;
        let was_empty = state.says.is_empty();
        if state.says_lost > 0 {
            let lost = std::mem::take(&mut state.says_lost);
            state.queue_say(
                after,
                Level::Warn,
                &format!("{lost} messages not shown, stderr was not being read"),
            );
        }
        state.queue_say(after, level, text);
        drop(state);
        if was_empty {
            poke(&link.shared.wake);
        }
    }

    /// Somebody waits for space, or lines are being dropped: `descriptors` will tell when that
    /// may change.
    pub fn want_space(&mut self) {
        let Some(link) = &mut self.thread else { return };
        let mut state = link.shared.lock();
        if state.has_space() {
            // It came since somebody looked; nobody would tell of it any more.
            poke(&link.shared.space);
            return;
        }
        state.wants_space = true;
        drop(state);
        if !self.stalled && !link.timer_armed {
            link.arm(STALLED_AFTER);
        }
    }

    /// The first of `descriptors` is readable. Those who wait may go on, and losses be marked.
    pub fn on_space(&mut self) {
        if let Some(link) = &mut self.thread {
            // EAGAIN: somebody else has read it.
            let _ = link.shared.space.read();
            link.disarm();
            self.stalled = false;
        }
    }

    /// The second of `descriptors` is readable. True if stdout has stopped to move: nobody waits
    /// for it any longer.
    pub fn on_timer(&mut self) -> bool {
        let Some(link) = &mut self.thread else {
            return false;
        };
        link.disarm();
        let state = link.shared.lock();
        if !state.wants_space || state.out_closed {
            return false;
        }
        let stood = state.last_progress.map_or(STALLED_AFTER, |at| at.elapsed());
        drop(state);
        if let Some(left) = STALLED_AFTER.checked_sub(stood) {
            link.arm(left.max(Duration::from_millis(1)));
            return false;
        }
        self.stalled = true;
        true
    }

    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        let link = self.thread.as_ref();
        link.is_none_or(|link| link.shared.lock().is_idle())
    }

    /// Waits for what is to be written, no longer than `timeout`, and then lets the writer go. What
    /// it could not write is kept for `resume`.
    pub fn suspend(&mut self, timeout: Duration) -> Unwritten {
        self.finish(timeout);
        let Some(link) = self.thread.take() else {
            return Unwritten::default();
        };
        link.shared.lock().stop = true;
        poke(&link.shared.wake);
        let state = link.shared.lock();
        let waited = link
            .shared
            .drained
            .wait_timeout_while(state, timeout, |state| !state.stopped);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let mut out = std::mem::take(&mut state.out);
        if self.open_line.take().is_some() {
            out.push(b'\n');
        }
        let says = std::mem::take(&mut state.says);
        Unwritten {
            out,
            says: says.into_iter().map(|say| say.text).collect(),
        }
    }

    /// The writer must have been started.
    pub fn resume(&mut self, unwritten: Unwritten) {
        self.push(&unwritten.out);
        let Some(link) = &self.thread else { return };
        let mut state = link.shared.lock();
        let after = state.queued;
        for text in unwritten.says {
            state.says_bytes += text.len();
            state.says.push_back(Say { after, text });
        }
        drop(state);
        poke(&link.shared.wake);
    }

    /// Waits until all is written, no longer than `timeout`.
    pub fn finish(&mut self, timeout: Duration) {
        let Some(link) = &self.thread else { return };
        let state = link.shared.lock();
        let waited = link
            .shared
            .drained
            .wait_timeout_while(state, timeout, |state| !state.is_idle());
        drop(waited);
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        if let Some(link) = &self.thread {
            link.shared.lock().stop = true;
            poke(&link.shared.wake);
        }
    }
}

impl Link {
    fn arm(&mut self, after: Duration) {
        let expiration = Expiration::OneShot(TimeSpec::from_duration(after));
        self.timer_armed = self
            .timer
            .set(expiration, TimerSetTimeFlags::empty())
            .is_ok();
    }

    fn disarm(&mut self) {
        // Also makes it unreadable.
        let _ = self.timer.unset();
        self.timer_armed = false;
    }
}

/// `2026-11-21T19:40:26.777560Z  INFO `
fn own_prefix(level: Level, colour: bool) -> String {
    let (word, code) = match level {
        Level::Trace => ("TRACE", 35),
        Level::Debug => ("DEBUG", 34),
        Level::Info => (" INFO", 32),
        Level::Warn => (" WARN", 33),
        Level::Error => ("ERROR", 31),
    };
    let wall = wall_ms().max(0.0);
    let time = rfc3339(wall as u64);
    let time = String::from_utf8_lossy(&time[..23]);
    let micros = (wall.fract() * 1000.0) as u32;
    if colour {
        format!("\x1b[2m{time}{micros:03}Z\x1b[0m \x1b[{code}m{word}\x1b[0m ")
    } else {
        format!("{time}{micros:03}Z {word} ")
    }
}

impl State {
    fn queue_say(&mut self, after: u64, level: Level, text: &str) {
        let mut message = Vec::with_capacity(text.len() + 9);
        let prefix = match self.own {
            Some(own) => own_prefix(level, own.colour),
            None => "oneup | ".to_owned(),
        };
        for line in text.lines() {
            message.extend_from_slice(prefix.as_bytes());
            message.extend_from_slice(line.as_bytes());
            message.push(b'\n');
        }
        if !message.is_empty() {
            self.says_bytes += message.len();
            self.says.push_back(Say {
                after,
                text: message,
            });
        }
    }
}

fn poke(event: &EventFd) {
    // Only fails when the counter is full, and then the reader will wake anyway.
    let _ = event.write(1);
}

/// The supervisor's signals are for its main thread.
fn spawn_without_signals(mut writer: Writer) -> io::Result<()> {
    let mut before = SigSet::empty();
    let all = SigSet::all();
    nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&all), Some(&mut before))?;
    let spawned = std::thread::Builder::new()
        .name("console".into())
        .stack_size(64 << 10)
        .spawn(move || writer.run());
    nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    spawned.map(drop)
}

/// The writing thread.
struct Writer {
    shared: Arc<Shared>,
    out: Arc<OwnedFd>,
    err: Arc<OwnedFd>,
    /// Taken from the state, and how much of it has been written.
    batch: Vec<u8>,
    at: usize,
}

/// What there is to write.
struct Work {
    /// Bytes of the batch that may go to stdout before the next message.
    out: usize,
    out_before_say: usize,
    say: bool,
}

impl Writer {
    fn run(&mut self) {
        while let Some(work) = self.next_work() {
            let (out_ready, err_ready) = self.wait(&work);
            if work.say && err_ready && (work.out_before_say == 0 || !out_ready) {
                self.write_say();
            } else if out_ready {
                let limit = if work.say && err_ready {
                    work.out_before_say
                } else {
                    work.out
                };
                self.write_out(limit);
            }
        }
        self.put_back();
    }

    fn put_back(&mut self) {
        let mut left = self.batch.split_off(self.at);
        let mut state = self.shared.lock();
        left.append(&mut state.out);
        state.out = left;
        state.in_hand = 0;
        state.stopped = true;
        self.shared.drained.notify_all();
    }

    fn next_work(&mut self) -> Option<Work> {
        let mut state = self.shared.lock();
        if state.stop {
            return None;
        }
        if self.at == self.batch.len() {
            self.at = 0;
            self.batch.clear();
            if self.batch.capacity() > KEPT_BUFFER && state.out.is_empty() {
                self.batch = Vec::new();
            }
            std::mem::swap(&mut self.batch, &mut state.out);
        }
        state.in_hand = self.batch.len() - self.at;
        if state.is_idle() {
            self.shared.drained.notify_all();
        }
        let before_say = state
            .says
            .front()
            .map(|say| say.after.saturating_sub(state.written) as usize);
        Some(Work {
            out: state.in_hand,
            out_before_say: before_say.unwrap_or(0).min(state.in_hand),
            say: before_say.is_some(),
        })
    }

    /// Waits until something of the work can be done, or there is more of it.
    fn wait(&self, work: &Work) -> (bool, bool) {
        let wake = || PollFd::new(self.shared.wake.as_fd(), PollFlags::POLLIN);
        // A broken descriptor is always ready, so it is watched only when there is something to
        // write to it.
        let mut fds = [wake(), wake(), wake()];
        if work.out > 0 {
            fds[1] = PollFd::new(self.out.as_fd(), PollFlags::POLLOUT);
        }
        if work.say {
            fds[2] = PollFd::new(self.err.as_fd(), PollFlags::POLLOUT);
        }
        if let Err(error) = poll(&mut fds, PollTimeout::NONE) {
            if error != Errno::EINTR {
                // No memory for it: try again a little later.
                pause();
            }
            return (false, false);
        }
        let is_ready = |fd: &PollFd| fd.any().unwrap_or(false);
        let ready = (
            work.out > 0 && is_ready(&fds[1]),
            work.say && is_ready(&fds[2]),
        );
        if is_ready(&fds[0]) {
            // EAGAIN: nothing to take back.
            let _ = self.shared.wake.read();
        }
        ready
    }

    /// One piece, ending with a line if one ends in it: then lines stay whole beside those of
    /// others who write to the same pipe.
    fn write_out(&mut self, limit: usize) {
        let window = &self.batch[self.at..self.at + limit.min(PIECE)];
        let end = memrchr(b'\n', window).map_or(window.len(), |at| at + 1);
        match nix::unistd::write(&self.out, &window[..end]) {
            Ok(count) => self.out_moved(count),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => pause(),
            Err(Errno::EPIPE | Errno::EBADF) => self.close_out(),
            Err(error) => self.out_refused(end, error),
        }
    }

    fn out_moved(&mut self, count: usize) {
        self.at += count;
        let mut state = self.shared.lock();
        let after = state.queued;
        if let Some(loss) = state.refused.take() {
            state.queue_say(
                after,
                Level::Warn,
                &format!("stdout works again; {loss} were lost"),
            );
        }
        self.taken(&mut state, count);
    }

    /// A full disk behind stdout, or a terminal that has gone: what it does not take is lost.
    fn out_refused(&mut self, count: usize, error: Errno) {
        let lost = &self.batch[self.at..self.at + count];
        let loss = Loss {
            lines: super::lines::count(lost),
            bytes: lost.len() as u64,
        };
        self.at += count;
        let mut state = self.shared.lock();
        let after = state.queued;
        match &mut state.refused {
            Some(refused) => refused.add(loss),
            None => {
                state.refused = Some(loss);
                let why = describe(error);
                state.queue_say(
                    after,
                    Level::Error,
                    &format!("cannot write to stdout: {why}; lines are lost"),
                );
            }
        }
        self.taken(&mut state, count);
    }

    fn taken(&self, state: &mut State, count: usize) {
        state.in_hand -= count;
        state.written += count as u64;
        state.last_progress = Some(Instant::now());
        if state.wants_space && state.has_space() {
            state.wants_space = false;
            poke(&self.shared.space);
        }
    }

    fn close_out(&mut self) {
        self.batch = Vec::new();
        self.at = 0;
        let mut state = self.shared.lock();
        state.out_closed = true;
        state.out = Vec::new();
        state.in_hand = 0;
        state.written = state.queued;
        state.wants_space = false;
        poke(&self.shared.space);
    }

    fn write_say(&mut self) {
        let Some(mut say) = self.shared.lock().says.pop_front() else {
            return;
        };
        let length = say.text.len();
        let written = nix::unistd::write(&self.err, &say.text[..length.min(PIECE)]);
        let mut state = self.shared.lock();
        match written {
            Ok(count) if count < length => {
                say.text.drain(..count);
                state.says_bytes -= count;
                state.says.push_front(say);
            }
            Ok(_) => state.says_bytes -= length,
            Err(Errno::EINTR | Errno::EAGAIN) => {
                state.says.push_front(say);
                drop(state);
                pause();
            }
            Err(Errno::EPIPE | Errno::EBADF) => {
                state.err_closed = true;
                state.says.clear();
                state.says_bytes = 0;
            }
            // A full disk: this message is lost.
            Err(_) => state.says_bytes -= length,
        }
    }
}

/// Something is ready and yet not: not to run hot over it.
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}
