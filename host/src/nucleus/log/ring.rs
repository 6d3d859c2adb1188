//! The last lines of one log, in one circular buffer that grows only as it is used.
//!
//! Whoever reads holds a [`Cursor`], a place in the ring and nothing else: a slow reader costs no
//! memory. When the ring has gone past a cursor, the cursor learns exactly what it missed.

use super::record::{Loss, Record, Stream};
use crate::nucleus::handover::{Packer, Span, Unpacker};
use serde::{Deserialize, Serialize};

/// In front of each line: sequence number, time with flags, pid, length.
const HEADER: usize = 24;
const FIRST_BUFFER: usize = 512;
const ERR_FLAG: u64 = 1 << 63;
const PARTIAL_FLAG: u64 = 1 << 62;
const SYSLOG_FLAG: u64 = 1 << 61;
const TIME_MASK: u64 = SYSLOG_FLAG - 1;

/// How much a ring may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub lines: u64,
    /// Of the buffer, headers included.
    pub bytes: usize,
}

impl Limits {
    /// 256 KiB, or 256 bytes a line if that is more, up to 16 MiB.
    pub fn of_lines(lines: u32) -> Limits {
        let bytes = (lines as usize).saturating_mul(256);
        Limits {
            lines: u64::from(lines),
            bytes: bytes.clamp(256 << 10, 16 << 20),
        }
    }
}

#[derive(Default)]
pub struct Ring {
    buffer: Vec<u8>,
    /// Where the oldest record starts in the buffer.
    head: usize,
    used: usize,
    /// The same place, counted from the first byte ever pushed.
    head_offset: u64,
    /// Number of the oldest record kept, and of the next one to come.
    first: u64,
    next: u64,
    /// Line bytes (no headers) of all records that have gone.
    gone_bytes: u64,
}

/// A ring on its way to a successor.
#[derive(Serialize, Deserialize)]
pub struct SavedRing {
    records: Span,
    head_offset: u64,
    first: u64,
    next: u64,
    gone_bytes: u64,
}

/// A place in a ring: the next record to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Number of the record.
    index: u64,
    offset: u64,
    /// Line bytes of all records before it.
    bytes: u64,
}

impl Ring {
    pub fn len(&self) -> u64 {
        self.next - self.first
    }

    /// Bytes held now, headers included.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Bytes of memory that the buffer takes.
    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.buffer.len()
    }

    pub fn oldest(&self) -> Cursor {
        Cursor {
            index: self.first,
            offset: self.head_offset,
            bytes: self.gone_bytes,
        }
    }

    /// Adds a record (its `line` is taken as `record.line.0` alone); old ones go as the limits
    /// ask.
    pub fn push(&mut self, record: &Record, limits: Limits) {
        let line = record.line.0;
        let need = HEADER + line.len();
        if need > limits.bytes || limits.lines == 0 {
            self.skip(1, line.len() as u64);
            return;
        }
        while self.len() >= limits.lines || self.used + need > limits.bytes {
            self.evict();
        }
        if self.used + need > self.buffer.len() {
            self.grow(need, limits.bytes);
        }
        self.append(&header(record, line.len()));
        self.append(line);
        self.next += 1;
    }

    /// Counts lines that are known not to fit as if they had been pushed and evicted. Everything
    /// older goes too.
    pub fn skip(&mut self, lines: u64, bytes: u64) {
        while self.first < self.next {
            self.evict();
        }
        self.first += lines;
        self.next += lines;
        self.gone_bytes += bytes;
    }

    /// Brings the ring within the limits, its buffer too.
    pub fn trim(&mut self, limits: Limits) {
        while self.len() > limits.lines || self.used > limits.bytes {
            self.evict();
        }
        if self.buffer.len() > limits.bytes {
            self.resize(limits.bytes);
        }
    }

    /// Moves a cursor that the ring has overrun to the oldest record, and tells what it missed.
    pub fn catch_up(&self, cursor: &mut Cursor) -> Loss {
        if cursor.index >= self.first {
            return Loss::default();
        }
        let loss = Loss {
            lines: self.first - cursor.index,
            bytes: self.gone_bytes - cursor.bytes,
        };
        *cursor = self.oldest();
        loss
    }

    /// The record at the cursor, which must have been brought up by `catch_up`; `None` at the
    /// end.
    pub fn peek(&self, cursor: Cursor) -> Option<Record<'_>> {
        if cursor.index < self.first || cursor.index >= self.next {
            return None;
        }
        let at = self.place((cursor.offset - self.head_offset) as usize);
        let (header, length) = self.read_header(at);
        let start = self.wrap(at + HEADER);
        let line = if start + length <= self.buffer.len() {
            (&self.buffer[start..start + length], &[][..])
        } else {
            let rest = start + length - self.buffer.len();
            (&self.buffer[start..], &self.buffer[..rest])
        };
        Some(Record { line, ..header })
    }

    /// The cursor of the record after this one.
    pub fn after(&self, cursor: Cursor, record: &Record) -> Cursor {
        let length = record.line.0.len() + record.line.1.len();
        Cursor {
            index: cursor.index + 1,
            offset: cursor.offset + (HEADER + length) as u64,
            bytes: cursor.bytes + length as u64,
        }
    }

    pub fn save(&self, packer: &mut Packer) -> SavedRing {
        let until_end = (self.buffer.len() - self.head).min(self.used);
        let records = packer.bytes(&[
            &self.buffer[self.head..self.head + until_end],
            &self.buffer[..self.used - until_end],
        ]);
        SavedRing {
            records,
            head_offset: self.head_offset,
            first: self.first,
            next: self.next,
            gone_bytes: self.gone_bytes,
        }
    }

    /// `None`: these are not the records it should have.
    pub fn restore(saved: &SavedRing, unpacker: &Unpacker) -> Option<Ring> {
        let buffer = unpacker.bytes(saved.records);
        let ring = Ring {
            used: buffer.len(),
            buffer,
            head: 0,
            head_offset: saved.head_offset,
            first: saved.first,
            next: saved.next,
            gone_bytes: saved.gone_bytes,
        };
        ring.is_whole().then_some(ring)
    }

    /// Its headers lead from record to record, to its end.
    fn is_whole(&self) -> bool {
        let (mut at, mut left) = (0, self.next.checked_sub(self.first));
        while self.used - at >= HEADER && left.is_some_and(|left| left > 0) {
            let (_, length) = self.read_header(at);
            at += HEADER + length;
            left = left.map(|left| left - 1);
            if at > self.used {
                return false;
            }
        }
        at == self.used && left == Some(0)
    }

    fn evict(&mut self) {
        let (_, length) = self.read_header(self.head);
        let size = HEADER + length;
        self.head = self.wrap(self.head + size);
        self.used -= size;
        self.head_offset += size as u64;
        self.first += 1;
        self.gone_bytes += length as u64;
    }

    fn place(&self, from_head: usize) -> usize {
        self.wrap(self.head + from_head)
    }

    /// For places less than a whole buffer beyond its end.
    fn wrap(&self, place: usize) -> usize {
        if place >= self.buffer.len() {
            place - self.buffer.len()
        } else {
            place
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        let at = self.place(self.used);
        let until_end = self.buffer.len() - at;
        if bytes.len() <= until_end {
            self.buffer[at..at + bytes.len()].copy_from_slice(bytes);
        } else {
            let (a, b) = bytes.split_at(until_end);
            self.buffer[at..].copy_from_slice(a);
            self.buffer[..b.len()].copy_from_slice(b);
        }
        self.used += bytes.len();
    }

    fn read_header(&self, at: usize) -> (Record<'static>, usize) {
        let mut bytes = [0; HEADER];
        let until_end = self.buffer.len() - at;
        if until_end >= HEADER {
            bytes.copy_from_slice(&self.buffer[at..at + HEADER]);
        } else {
            bytes[..until_end].copy_from_slice(&self.buffer[at..]);
            bytes[until_end..].copy_from_slice(&self.buffer[..HEADER - until_end]);
        }
        let seq = u64::from_le_bytes(part(&bytes, 0));
        let time = u64::from_le_bytes(part(&bytes, 8));
        let pid = u32::from_le_bytes(part(&bytes, 16));
        let length = u32::from_le_bytes(part(&bytes, 20));
        let record = Record {
            seq,
            time: time & TIME_MASK,
            pid,
            stream: match (time & ERR_FLAG, time & SYSLOG_FLAG) {
                (_, SYSLOG_FLAG) => Stream::Syslog,
                (ERR_FLAG, _) => Stream::Err,
                _ => Stream::Out,
            },
            partial: time & PARTIAL_FLAG != 0,
            line: (&[], &[]),
        };
        (record, length as usize)
    }

    fn grow(&mut self, need: usize, most: usize) {
        let wanted = (self.used + need)
            .next_power_of_two()
            .max(FIRST_BUFFER)
            .min(most);
        self.resize(wanted.max(self.buffer.len()));
    }

    fn resize(&mut self, size: usize) {
        let mut buffer = Vec::with_capacity(size);
        let until_end = (self.buffer.len() - self.head).min(self.used);
        buffer.extend_from_slice(&self.buffer[self.head..self.head + until_end]);
        buffer.extend_from_slice(&self.buffer[..self.used - until_end]);
        buffer.resize(size, 0);
        self.buffer = buffer;
        self.head = 0;
    }
}

fn header(record: &Record, length: usize) -> [u8; HEADER] {
    let mut time = record.time & TIME_MASK;
    time |= match record.stream {
        Stream::Out => 0,
        Stream::Err => ERR_FLAG,
        Stream::Syslog => SYSLOG_FLAG,
    };
    if record.partial {
        time |= PARTIAL_FLAG;
    }
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&record.seq.to_le_bytes());
    bytes[8..16].copy_from_slice(&time.to_le_bytes());
    bytes[16..20].copy_from_slice(&record.pid.to_le_bytes());
    bytes[20..].copy_from_slice(&(length as u32).to_le_bytes());
    bytes
}

fn part<const N: usize>(bytes: &[u8; HEADER], from: usize) -> [u8; N] {
    let mut piece = [0; N];
    piece.copy_from_slice(&bytes[from..from + N]);
    piece
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seq: u64, line: &[u8]) -> Record<'_> {
        Record {
            seq,
            time: 1_700_000_000_000 + seq,
            pid: seq as u32,
            stream: if seq.is_multiple_of(3) {
                Stream::Err
            } else {
                Stream::Out
            },
            partial: seq.is_multiple_of(5),
            line: (line, &[]),
        }
    }

    fn joined(record: &Record) -> Vec<u8> {
        [record.line.0, record.line.1].concat()
    }

    /// A small generator, so that a failure can be repeated from its seed.
    struct Dice(u64);
    impl Dice {
        fn roll(&mut self, below: u64) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (self.0 >> 33) % below
        }
    }

    /// What a ring should be, written plainly.
    #[derive(Default)]
    struct Model {
        kept: Vec<(u64, Vec<u8>)>,
        first: u64,
        gone: u64,
    }
    impl Model {
        fn used(&self) -> usize {
            self.kept.iter().map(|(_, l)| l.len() + HEADER).sum()
        }
        fn evict(&mut self) {
            self.gone += self.kept.remove(0).1.len() as u64;
            self.first += 1;
        }
        fn push(&mut self, seq: u64, line: &[u8], limits: Limits) {
            self.kept.push((seq, line.to_vec()));
            while !self.kept.is_empty()
                && (self.kept.len() as u64 > limits.lines || self.used() > limits.bytes)
            {
                self.evict();
            }
        }
    }

    #[test]
    fn keeps_and_counts_as_the_plain_model_does() {
        for seed in 0..60 {
            let mut dice = Dice(seed);
            let mut limits = Limits {
                lines: dice.roll(40),
                bytes: 100 + dice.roll(5000) as usize,
            };
            let (mut ring, mut model) = (Ring::default(), Model::default());
            let mut cursor = Cursor::default();
            let (mut seen, mut seen_bytes) = (0, 0);
            for seq in 0..800 {
                let length = match dice.roll(10) {
                    0 => dice.roll(6000),
                    _ => dice.roll(90),
                };
                let line: Vec<u8> = (0..length).map(|i| (seq + i) as u8).collect();
                ring.push(&record(seq, &line), limits);
                model.push(seq, &line, limits);
                if dice.roll(50) == 0 {
                    limits.lines = dice.roll(40);
                    limits.bytes = 100 + dice.roll(5000) as usize;
                    ring.trim(limits);
                    while model.kept.len() as u64 > limits.lines || model.used() > limits.bytes {
                        model.evict();
                    }
                }
                assert_eq!(ring.len(), model.kept.len() as u64, "seed {seed}");
                assert!(ring.used() <= limits.bytes && ring.capacity() <= 5100);
                if dice.roll(30) == 0 {
                    let loss = ring.catch_up(&mut cursor);
                    seen += loss.lines;
                    seen_bytes += loss.bytes;
                    while let Some(found) = ring.peek(cursor) {
                        let (seq, line) = &model.kept[(seen - model.first) as usize];
                        assert_eq!((found.seq, &joined(&found)), (*seq, line), "seed {seed}");
                        let plain = record(*seq, line);
                        assert_eq!(found.time, plain.time);
                        assert_eq!(found.pid, plain.pid);
                        assert_eq!(found.stream, plain.stream);
                        assert_eq!(found.partial, plain.partial);
                        seen += 1;
                        seen_bytes += line.len() as u64;
                        cursor = ring.after(cursor, &found);
                    }
                    assert_eq!(seen, seq + 1, "seed {seed}: nothing is lost uncounted");
                    assert_eq!(cursor.bytes, seen_bytes);
                    let all =
                        model.gone + model.kept.iter().map(|k| k.1.len()).sum::<usize>() as u64;
                    assert_eq!(seen_bytes, all, "seed {seed}");
                }
            }
        }
    }

    #[test]
    fn a_ring_goes_on_where_it_was_carried_to() {
        let limits = Limits {
            lines: 5,
            bytes: 300,
        };
        let mut ring = Ring::default();
        let mut cursor = Cursor::default();
        for seq in 0..40 {
            ring.push(&record(seq, format!("line {seq}").as_bytes()), limits);
            let mut packer = Packer::new().expect("memory");
            let saved = ring.save(&mut packer);
            let pack = packer.finish(&()).expect("memory");
            let unpacker = Unpacker::new(pack.file, Vec::new());
            ring = Ring::restore(&saved, &unpacker).expect("the same ring");
            ring.catch_up(&mut cursor);
            let found = ring.peek(cursor).expect("the line just pushed");
            assert_eq!(joined(&found), format!("line {seq}").into_bytes());
            cursor = ring.after(cursor, &found);
        }
        assert_eq!(ring.len(), 5);
        let mut packer = Packer::new().expect("memory");
        let mut saved = ring.save(&mut packer);
        saved.next += 1;
        let pack = packer.finish(&()).expect("memory");
        let unpacker = Unpacker::new(pack.file, Vec::new());
        assert!(
            Ring::restore(&saved, &unpacker).is_none(),
            "a record is missing"
        );
    }

    #[test]
    fn skipped_lines_count_as_gone() {
        let limits = Limits::of_lines(10);
        let mut ring = Ring::default();
        ring.push(&record(1, b"one"), limits);
        let mut cursor = Cursor::default();
        ring.skip(7, 70);
        ring.push(&record(9, b"nine"), limits);
        assert_eq!(
            ring.catch_up(&mut cursor),
            Loss {
                lines: 8,
                bytes: 73
            }
        );
        assert_eq!(joined(&ring.peek(cursor).unwrap()), b"nine");
    }

    #[test]
    fn a_ring_that_holds_little_takes_little() {
        let mut ring = Ring::default();
        assert_eq!(ring.capacity(), 0);
        ring.push(&record(1, b"started"), Limits::of_lines(1000));
        assert_eq!(ring.capacity(), FIRST_BUFFER);
        assert_eq!(Limits::of_lines(1000).bytes, 256 << 10);
        assert_eq!(Limits::of_lines(u32::MAX).bytes, 16 << 20);
    }
}
