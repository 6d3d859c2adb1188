//! Reading logs: what is there, and what comes.
//!
//! A reader is a set of places in rings. It holds no lines, so that a slow one costs nothing; what
//! the rings drop before it came by is told as a loss. It works in bounded steps, so that a query
//! over everything does not keep the supervisor from its duties.

use super::record::{write_entry, write_line, write_loss, write_record, Record};
use super::ring::Cursor;
use super::{Log, Logs};
use crate::protocol::{LogQuery, StreamFormat};
use regex_lite::Regex;
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A step ends when it has looked at so many bytes of lines; a regular expression is slower.
const LOOK: usize = 1 << 20;
const LOOK_GREP: usize = 64 << 10;
/// Some regular expressions are slower than all others: a step with one also ends after this.
const LOOK_TIME: Duration = Duration::from_millis(5);
/// What a record costs to look at, beside its bytes.
const RECORD: usize = 32;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Go on, others may have their turn before.
    More,
    /// Nothing new; the logs' bell will ring.
    Wait,
    Done,
}

pub struct LogReader {
    query: LogQuery,
    grep: Option<Regex>,
    format: StreamFormat,
    /// Records from this number on did not exist when a reader that does not follow began.
    end: u64,
    /// Records before this number are not among the last so many.
    from: u64,
    /// While the last so many are looked for: numbers of those that fit.
    tail: Option<BinaryHeap<Reverse<u64>>>,
    /// By the log's id; `None`: read to the end that concerns this reader.
    places: HashMap<u32, Option<Cursor>>,
    begun: bool,
    wrote: bool,
    ended: bool,
    _follower: Option<Follower>,
}

/// Counts those who follow, for as long as they do.
struct Follower(Rc<Cell<usize>>);

impl Follower {
    fn new(count: &Rc<Cell<usize>>) -> Follower {
        count.set(count.get() + 1);
        Follower(count.clone())
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl LogReader {
    /// Fails with a sentence about what is wrong with the query.
    pub fn new(
        logs: &Logs,
        mut query: LogQuery,
        format: StreamFormat,
    ) -> Result<LogReader, String> {
        if let Some(names) = &mut query.logs {
            names.sort();
            names.dedup();
        }
        let grep = match &query.grep {
            Some(pattern) => Some(crate::pattern::compile(pattern).map_err(|error| {
                format!("grep: {pattern:?} is not a regular expression: {error}")
            })?),
            None => None,
        };
        if let Some(stream) = &query.stream {
            if !["out", "err", "syslog"].contains(&stream.as_str()) {
                return Err(format!(
                    "stream: expected \"out\", \"err\" or \"syslog\", found {stream:?}"
                ));
            }
        }
        let end = logs.sink.next_seq;
        let from = if query.lines == Some(0) { end } else { 0 };
        let tail = query.lines.filter(|lines| *lines > 0);
        let follower = query.follow.then(|| Follower::new(&logs.sink.followers));
        Ok(LogReader {
            grep,
            format,
            end,
            from,
            tail: tail.map(|_| BinaryHeap::new()),
            places: HashMap::new(),
            begun: false,
            wrote: false,
            ended: false,
            _follower: follower,
            query,
        })
    }

    /// Its steps may be slow, as a regular expression's worst case is.
    pub fn may_be_slow(&self) -> bool {
        self.grep.is_some()
    }

    /// Appends what is next to `out`, stopping soon after it has `most` bytes.
    pub fn step(&mut self, logs: &Logs, out: &mut Vec<u8>, most: usize, now: f64) -> Progress {
        if !self.begun {
            self.begun = true;
            if self.format.is_array() {
                out.push(b'[');
            }
            self.start_places(logs);
        }
        if self.ended {
            return Progress::Done;
        }
        if self.tail.is_some() {
            return self.look_for_tail(logs);
        }
        let progress = self.write(logs, out, most, now.max(0.0) as u64);
        if progress == Progress::Done {
            self.end(out);
        }
        progress
    }

    /// Ends the answer where it is.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if !self.ended {
            self.ended = true;
            if self.format.is_array() {
                if !self.begun {
                    out.push(b'[');
                }
                out.push(b']');
            }
        }
    }

    /// Who asks for everything is told what was dropped before; who asks for the last lines or
    /// for those since some time asks for what there is.
    fn wants_all(&self) -> bool {
        !self.query.follow && self.query.lines.is_none() && self.query.wall_since.is_none()
    }

    fn start_places(&mut self, logs: &Logs) {
        self.places.clear();
        if self.wants_all() {
            return;
        }
        for (_, log) in logs.selected(&self.query.logs) {
            if let Some(ring) = &log.ring {
                self.places.insert(log.id, Some(ring.oldest()));
            }
        }
    }

    fn fits(&self, record: &Record) -> bool {
        let time = record.time as f64;
        let query = &self.query;
        if query.wall_since.is_some_and(|since| time < since)
            || query.wall_until.is_some_and(|until| time > until)
            || query
                .stream
                .as_ref()
                .is_some_and(|stream| stream != record.stream.name())
        {
            return false;
        }
        self.grep.as_ref().is_none_or(|grep| record.is_match(grep))
    }

    fn step_size(&self) -> usize {
        if self.grep.is_some() {
            LOOK_GREP
        } else {
            LOOK
        }
    }

    /// Finds the number from which on the last `lines` fitting records are, one log after the
    /// other.
    fn look_for_tail(&mut self, logs: &Logs) -> Progress {
        let wanted = self.query.lines.unwrap_or(0) as usize;
        let mut tail = self.tail.take().unwrap_or_default();
        let mut left = self.step_size();
        let until = self.grep.is_some().then(|| Instant::now() + LOOK_TIME);
        for (_, log) in logs.selected(&self.query.logs) {
            let Some(ring) = &log.ring else { continue };
            let mut place = self.place_in(log).unwrap_or_default();
            ring.catch_up(&mut place);
            while let Some(record) = ring.peek(place) {
                if record.seq >= self.end {
                    break;
                }
                let cost = RECORD + record.line.0.len() + record.line.1.len();
                if left < cost {
                    self.places.insert(log.id, Some(place));
                    self.tail = Some(tail);
                    return Progress::More;
                }
                left -= cost;
                let is_late = tail.len() < wanted || tail.peek().is_some_and(|s| record.seq > s.0);
                if is_late && self.fits(&record) {
                    tail.push(Reverse(record.seq));
                    if tail.len() > wanted {
                        tail.pop();
                    }
                }
                place = ring.after(place, &record);
                if until.is_some_and(|until| Instant::now() >= until) {
                    left = 0;
                }
            }
            self.places.insert(log.id, Some(place));
        }
        self.from = tail.peek().map_or(self.end, |first| first.0);
        self.start_places(logs);
        Progress::More
    }

    fn write(&mut self, logs: &Logs, out: &mut Vec<u8>, most: usize, now: u64) -> Progress {
        let mut next = BinaryHeap::new();
        let names = self.query.logs.take();
        for (slot, log) in logs.selected(&names) {
            if let Some(seq) = self.come_to(log, out, now) {
                next.push(Reverse((seq, slot)));
            }
        }
        self.query.logs = names;
        let mut left = self.step_size();
        let until = self.grep.is_some().then(|| Instant::now() + LOOK_TIME);
        while let Some(Reverse((_, slot))) = next.pop() {
            let Some(Some(log)) = logs.slots.get(slot as usize) else {
                continue;
            };
            let Some((ring, place)) = log.ring.as_ref().zip(self.place_in(log)) else {
                continue;
            };
            let Some(record) = ring.peek(place) else {
                continue;
            };
            let is_past = |until: f64| record.time as f64 > until;
            if self.query.follow && self.query.wall_until.is_some_and(is_past) {
                return Progress::Done;
            }
            if self.fits(&record) {
                let format = self.format;
                self.write_one(out, |out| match format {
                    StreamFormat::Array | StreamFormat::Sse => {
                        write_record(out, &log.name, &record);
                    }
                    StreamFormat::Entries => write_entry(out, &log.name, &record),
                    StreamFormat::Lines => write_line(out, &record),
                });
            }
            let place = ring.after(place, &record);
            let following = ring.peek(place).map(|r| r.seq);
            if let Some(seq) = self.go_to(log, place, following) {
                next.push(Reverse((seq, slot)));
            }
            left = left.saturating_sub(RECORD + record.line.0.len() + record.line.1.len());
            let is_time = until.is_some_and(|until| Instant::now() >= until);
            if left == 0 || is_time || out.len() >= most {
                return Progress::More;
            }
        }
        if self.query.follow {
            Progress::Wait
        } else {
            Progress::Done
        }
    }

    fn place_in(&self, log: &Log) -> Option<Cursor> {
        self.places.get(&log.id).copied().flatten()
    }

    /// Remembers the place in a log, with the number of the record there; gives that number if
    /// the record is wanted.
    fn go_to(&mut self, log: &Log, place: Cursor, seq: Option<u64>) -> Option<u64> {
        let seq = seq.filter(|seq| self.query.follow || *seq < self.end);
        let is_over = seq.is_none() && !self.query.follow;
        self.places.insert(log.id, (!is_over).then_some(place));
        seq
    }

    /// Brings the place in a log to the next record that is wanted, telling what was lost on the
    /// way; its number.
    fn come_to(&mut self, log: &Log, out: &mut Vec<u8>, now: u64) -> Option<u64> {
        let ring = log.ring.as_ref()?;
        let mut place = match self.places.get(&log.id) {
            Some(place) => (*place)?,
            None => Cursor::default(),
        };
        let loss = ring.catch_up(&mut place);
        let mut record = ring.peek(place);
        while let Some(passed) = record.filter(|record| record.seq < self.from) {
            place = ring.after(place, &passed);
            record = ring.peek(place);
        }
        if !loss.is_none() && self.format.tells_loss() {
            let time = record.map_or(now, |record| record.time);
            self.write_one(out, |out| write_loss(out, &log.name, time, loss));
        }
        self.go_to(log, place, record.map(|record| record.seq))
    }

    fn write_one(&mut self, out: &mut Vec<u8>, record: impl FnOnce(&mut Vec<u8>)) {
        match self.format {
            StreamFormat::Sse => {
                out.extend_from_slice(b"data: ");
                record(out);
                out.extend_from_slice(b"\n\n");
            }
            StreamFormat::Array | StreamFormat::Entries | StreamFormat::Lines => {
                if std::mem::replace(&mut self.wrote, true) {
                    out.push(b',');
                }
                record(out);
            }
        }
    }
}
