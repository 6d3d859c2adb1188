//! A log's file: appended to, rotated by size, lines kept whole. A disk that refuses costs lines,
//! which are counted, and nothing else.

use super::record::{write_loss, Loss, Stream};
use super::{describe, lines};
use crate::nucleus::handover::{Packer, Passed, Unpacker};
use crate::protocol::{LogFile, LogFormat, Split};
use memchr::{memchr, memrchr};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);

pub struct LogWriter {
    options: LogFile,
    /// Only with `options.split`.
    piece: Piece,
    open: Option<Open>,
    trouble: Option<Box<Trouble>>,
}

struct Open {
    file: File,
    size: u64,
    /// Where the next rotation is due; `u64::MAX`: never.
    rotate_at: u64,
    line: Line,
}

/// What the file ends with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Line {
    Finished,
    /// A line of this stream that goes on, and where it began.
    Open(Stream, u64),
    /// A line that will not go on.
    Broken,
}

/// Which piece of a split file is written to.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Piece {
    number: u64,
    /// Seconds since 1970 at the start that it belongs to.
    started: u64,
    /// It is this start's already: what is in it stays.
    begun: bool,
}

/// A log's file on its way to a successor.
#[derive(Serialize, Deserialize)]
pub struct SavedFile {
    piece: Piece,
    open: Option<SavedOpen>,
    /// Errno of the last failure, and what is missing in the file.
    trouble: Option<(i32, Loss)>,
}

#[derive(Serialize, Deserialize)]
struct SavedOpen {
    file: Passed,
    size: u64,
    rotate_at: u64,
    line: Line,
}

/// From the first failed write until one succeeds.
struct Trouble {
    error: Errno,
    loss: Loss,
    next_try: Instant,
    wait: Duration,
}

/// A failed write: how much of the data is not in the file.
struct Failed {
    left: usize,
    error: Errno,
}

impl LogWriter {
    pub fn new(options: LogFile) -> LogWriter {
        LogWriter {
            options,
            // Before a first start there is nothing to be replaced.
            piece: Piece {
                begun: true,
                started: now_seconds(),
                ..Piece::default()
            },
            open: None,
            trouble: None,
        }
    }

    /// The service is started.
    pub fn begin(&mut self) {
        if self.options.split.is_none() {
            return;
        }
        self.open = None;
        self.piece = Piece {
            number: 0,
            started: now_seconds(),
            begun: false,
        };
        // What fails here fails again with the first bytes, and is told then.
        let _ = self.open_piece();
    }

    fn open_piece(&mut self) -> Result<(), Errno> {
        self.open = Some(open(&self.options, self.piece)?);
        self.piece.begun = true;
        Ok(())
    }

    pub fn save(&self, packer: &mut Packer) -> SavedFile {
        let saved = |open: &Open| SavedOpen {
            file: packer.fd(&open.file),
            size: open.size,
            rotate_at: open.rotate_at,
            line: open.line,
        };
        let trouble = self.trouble.as_ref();
        SavedFile {
            piece: self.piece,
            open: self.open.as_ref().map(saved),
            trouble: trouble.map(|trouble| (trouble.error as i32, trouble.loss)),
        }
    }

    pub fn restore(&mut self, saved: SavedFile, unpacker: &mut Unpacker) {
        self.piece = saved.piece;
        self.open = saved.open.and_then(|saved| {
            let file = File::from(unpacker.fd(saved.file)?);
            Some(Open {
                file,
                size: saved.size,
                rotate_at: saved.rotate_at,
                line: saved.line,
            })
        });
        self.trouble = saved.trouble.map(|(error, loss)| {
            Box::new(Trouble {
                error: Errno::from_raw(error),
                loss,
                next_try: Instant::now(),
                wait: FIRST_RETRY,
            })
        });
    }

    pub fn options(&self) -> &LogFile {
        &self.options
    }

    pub fn is_json(&self) -> bool {
        self.options.format == LogFormat::Json
    }

    /// Writes whole lines, or pieces of one long line of `stream`. What the person at the console
    /// should know is pushed to `notes`.
    pub fn write(&mut self, data: &[u8], stream: Stream, about: About, notes: &mut Vec<String>) {
        if data.is_empty() {
            return;
        }
        if let Some(trouble) = &mut self.trouble {
            if Instant::now() < trouble.next_try {
                trouble.loss.add(loss_of(data));
                return;
            }
        }
        let written = self
            .make_ready(stream, about, notes)
            .map_err(|error| Failed {
                left: data.len(),
                error,
            })
            .and_then(|()| match self.options.split {
                Some(_) => self.put_pieces(data),
                None => self.put(data, stream, notes),
            });
        match written {
            Ok(()) => self.works_again(about, notes),
            Err(failed) => self.fails(
                &data[data.len() - failed.left..],
                failed.error,
                about,
                notes,
            ),
        }
    }

    /// The unfinished line at the end of the file does not go on.
    pub fn break_line(&mut self, stream: Stream) {
        if let Some(open) = &mut self.open {
            if matches!(open.line, Line::Open(of, _) if of == stream) {
                open.line = Line::Broken;
            }
        }
    }

    /// Opens the file if it is not, ends a line that somebody else left, notes an earlier loss.
    fn make_ready(
        &mut self,
        stream: Stream,
        about: About,
        notes: &mut Vec<String>,
    ) -> Result<(), Errno> {
        if self.open.is_none() {
            self.open_piece()?;
        }
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let lost = self.trouble.as_ref().is_some_and(|t| !t.loss.is_none());
        let goes_on = matches!(open.line, Line::Open(of, _) if of == stream && !lost);
        if open.line != Line::Finished && !goes_on {
            open.append(b"\n").map_err(|failed| failed.error)?;
            open.line = Line::Finished;
        }
        if !lost {
            return Ok(());
        }
        let mark = self.loss_line(about);
        let written = match self.options.split {
            Some(_) => self.put_pieces(&mark),
            None => self.put(&mark, stream, notes),
        };
        written.map_err(|failed| failed.error)
    }

    fn loss_line(&self, about: About) -> Vec<u8> {
        let mut mark = Vec::new();
        if let Some(trouble) = &self.trouble {
            if self.is_json() {
                write_loss(&mut mark, about.service, about.time, trouble.loss);
            } else {
                let why = describe(trouble.error);
                mark = format!("oneup: {} lost here: {why}", trouble.loss).into_bytes();
            }
            mark.push(b'\n');
        }
        mark
    }

    fn works_again(&mut self, about: About, notes: &mut Vec<String>) {
        if let Some(trouble) = self.trouble.take() {
            notes.push(format!(
                "log of {}: {} can be written again; {} were lost",
                about.service, self.options.path, trouble.loss
            ));
        }
    }

    fn fails(&mut self, lost: &[u8], error: Errno, about: About, notes: &mut Vec<String>) {
        if self.trouble.is_none() {
            notes.push(format!(
                "log of {}: cannot write {}: {}; its lines are missing there until that works again",
                about.service,
                self.options.path,
                describe(error)
            ));
        }
        // Whatever it was, it may be better with the file opened afresh; only a FIFO that is full
        // has a reader who would take that for the end.
        if error != Errno::EAGAIN {
            self.open = None;
        } else if let Some(open) = self.open.as_mut().filter(|o| o.line != Line::Finished) {
            open.line = Line::Broken;
        }
        let trouble = self.trouble.get_or_insert_with(|| {
            Box::new(Trouble {
                error,
                loss: Loss::default(),
                next_try: Instant::now(),
                wait: FIRST_RETRY / 2,
            })
        });
        trouble.error = error;
        trouble.loss.add(loss_of(lost));
        trouble.wait = (trouble.wait * 2).min(LAST_RETRY);
        trouble.next_try = Instant::now() + trouble.wait;
    }

    /// Writes, rotating on the way. A line is cut by a rotation only if it alone is longer than
    /// a file may be.
    fn put(&mut self, data: &[u8], stream: Stream, notes: &mut Vec<String>) -> Result<(), Failed> {
        let mut rest = data;
        while !rest.is_empty() {
            let Some(open) = &mut self.open else { break };
            let take = open.fitting(rest, self.options.max_bytes);
            if take == 0 {
                let failed = |error| Failed {
                    left: rest.len(),
                    error,
                };
                self.rotate(notes).map_err(failed)?;
                continue;
            }
            let (now, later) = rest.split_at(take);
            open.append(now).map_err(|failed| Failed {
                left: failed.left + later.len(),
                error: failed.error,
            })?;
            open.note_line(now, stream);
            rest = later;
        }
        Ok(())
    }

    /// Writes, with a new piece whenever one is full.
    fn put_pieces(&mut self, data: &[u8]) -> Result<(), Failed> {
        let mut rest = data;
        while let Some(open) = self.open.as_mut().filter(|_| !rest.is_empty()) {
            let room = usize::try_from(open.rotate_at.saturating_sub(open.size));
            let (now, later) = rest.split_at(room.unwrap_or(usize::MAX).min(rest.len()));
            open.append(now).map_err(|failed| Failed {
                left: failed.left + later.len(),
                error: failed.error,
            })?;
            rest = later;
            if open.size >= open.rotate_at {
                self.open = None;
                self.piece.number += 1;
                self.piece.begun = false;
                self.open_piece().map_err(|error| Failed {
                    left: rest.len(),
                    error,
                })?;
            }
        }
        Ok(())
    }

    fn rotate(&mut self, notes: &mut Vec<String>) -> Result<(), Errno> {
        let Some(current) = &mut self.open else {
            return Ok(());
        };
        let own = current.file.metadata().map_err(errno)?;
        let there = fs::metadata(&self.options.path).ok();
        let is_ours =
            there.is_some_and(|there| (there.dev(), there.ino()) == (own.dev(), own.ino()));
        if is_ours && own.len() < current.size {
            // Somebody has truncated it.
            current.size = own.len();
            current.line = Line::Finished;
            return Ok(());
        }
        if is_ours {
            if let Err(error) = shift(&self.options) {
                notes.push(format!(
                    "log file {}: cannot be rotated: {}; it goes on growing",
                    self.options.path,
                    describe(error)
                ));
                current.rotate_at = current.size.saturating_add(self.options.max_bytes);
                return Ok(());
            }
        }
        let line = match current.line {
            Line::Open(stream, _) => Line::Open(stream, 0),
            _ => Line::Finished,
        };
        self.open = None;
        let mut fresh = open(&self.options, self.piece)?;
        if fresh.size == 0 {
            fresh.line = line;
        }
        self.open = Some(fresh);
        Ok(())
    }
}

/// Whose lines these are, and when, for the marks in the file.
#[derive(Clone, Copy)]
pub struct About<'a> {
    pub service: &'a str,
    pub time: u64,
}

impl Open {
    /// How much of `data` may go into this file; 0: rotate first.
    fn fitting(&self, data: &[u8], max: u64) -> usize {
        let room = self.rotate_at.saturating_sub(self.size);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        if data.len() <= room {
            return data.len();
        }
        if let Some(end) = memrchr(b'\n', &data[..room]) {
            return end + 1;
        }
        match self.line {
            // A line too long for any file.
            _ if self.size == 0 => room.min(data.len()),
            // It began behind others: it may go on, but not for ever.
            Line::Open(_, start) if start > 0 && self.size - start < max => {
                let left = usize::try_from(max - (self.size - start)).unwrap_or(usize::MAX);
                let window = &data[..left.min(data.len())];
                memchr(b'\n', window).map_or(window.len(), |end| end + 1)
            }
            Line::Open(_, 0) => room,
            _ => 0,
        }
    }

    fn append(&mut self, data: &[u8]) -> Result<(), Failed> {
        let mut rest = data;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(self.torn(rest, Errno::ENOSPC, data)),
                Ok(n) => {
                    self.size += n as u64;
                    rest = &rest[n..];
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.torn(rest, errno(error), data)),
            }
        }
        Ok(())
    }

    fn torn(&mut self, rest: &[u8], error: Errno, data: &[u8]) -> Failed {
        let written = &data[..data.len() - rest.len()];
        match written.last() {
            Some(b'\n') => self.line = Line::Finished,
            Some(_) => self.line = Line::Broken,
            None => {}
        }
        Failed {
            left: rest.len(),
            error,
        }
    }

    fn note_line(&mut self, written: &[u8], stream: Stream) {
        if written.ends_with(b"\n") {
            self.line = Line::Finished;
        } else if let Some(end) = memrchr(b'\n', written) {
            let tail = (written.len() - end - 1) as u64;
            self.line = Line::Open(stream, self.size - tail);
        } else if !matches!(self.line, Line::Open(..)) {
            self.line = Line::Open(stream, self.size - written.len() as u64);
        }
    }
}

fn now_seconds() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

impl Piece {
    fn path(self, options: &LogFile) -> String {
        let mut path = options.path.clone();
        if let Some(Split { stamp }) = options.split {
            if stamp {
                path += &format!(".{}", self.started);
            }
            if self.number > 0 {
                path += &format!(".{}", self.number);
            }
        }
        path
    }
}

fn open(options: &LogFile, piece: Piece) -> Result<Open, Errno> {
    let path = piece.path(options);
    let anew = options.split.is_some() && !piece.begun;
    // Not to wait for the reader of a FIFO, nor to get a terminal.
    let mut flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    flags.set(OFlag::O_TRUNC, anew);
    let attempt = || {
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o644)
            .custom_flags(flags.bits())
            .open(&path)
    };
    let file = attempt().or_else(|error| {
        let parent = std::path::Path::new(&path).parent();
        match parent {
            Some(parent) if error.kind() == std::io::ErrorKind::NotFound => {
                fs::create_dir_all(parent)?;
                attempt()
            }
            _ => Err(error),
        }
    });
    let file = file.map_err(errno)?;
    let about = file.metadata().map_err(errno)?;
    let rotates = options.max_bytes > 0 && about.is_file();
    Ok(Open {
        size: if about.is_file() { about.len() } else { 0 },
        rotate_at: if rotates { options.max_bytes } else { u64::MAX },
        line: if options.split.is_none() && ends_inside_a_line(options, &about) {
            Line::Broken
        } else {
            Line::Finished
        },
        file,
    })
}

/// `path` becomes `path.1`, that `path.2`, and so on; what is beyond `keep` goes.
fn shift(options: &LogFile) -> Result<(), Errno> {
    let keep = options.keep;
    let name = |n: u32| PathBuf::from(format!("{}.{n}", options.path));
    if keep == 0 {
        return fs::remove_file(&options.path).map_err(errno);
    }
    let taken = (1..=keep)
        .take_while(|n| name(*n).symlink_metadata().is_ok())
        .count() as u32;
    if taken == keep {
        // `keep` may have been larger before.
        for n in keep.. {
            if fs::remove_file(name(n)).is_err() {
                break;
            }
        }
    }
    for n in (1..=taken.min(keep - 1)).rev() {
        fs::rename(name(n), name(n + 1)).map_err(errno)?;
    }
    fs::rename(&options.path, name(1)).map_err(errno)
}

/// A former supervisor may have left half a line.
fn ends_inside_a_line(options: &LogFile, about: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileExt as _;
    if !about.is_file() || about.len() == 0 {
        return false;
    }
    let mut last = [b'\n'];
    // By now it may be another file, a FIFO that is not to be waited for among them.
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let mut opening = OpenOptions::new();
    opening.read(true).custom_flags(flags.bits());
    if let Ok(file) = opening.open(&options.path) {
        // Not knowing is no reason to fail.
        let _ = file.read_at(&mut last, about.len() - 1);
    }
    last != [b'\n']
}

fn errno(error: std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

fn loss_of(data: &[u8]) -> Loss {
    let breaks = lines::count(data);
    Loss {
        lines: breaks,
        bytes: data.len() as u64 - breaks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::LogFile;
    use nix::{sys::stat::Mode, unistd::mkfifo};

    #[test]
    fn a_fifo_in_the_files_place_is_not_waited_for() {
        let name = format!("oneup-exchanged-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, "half a line").expect("a file");
        let options = LogFile {
            path: path.to_str().expect("text").into(),
            max_bytes: 0,
            keep: 0,
            format: LogFormat::Text,
            split: None,
        };
        let about = fs::metadata(&path).expect("a file");
        assert!(ends_inside_a_line(&options, &about));
        // Whoever may write to its folder can do this between two calls of ours.
        fs::remove_file(&path).expect("our file");
        mkfifo(&path, Mode::S_IRWXU).expect("a FIFO");
        assert!(!ends_inside_a_line(&options, &about));
        fs::remove_file(&path).expect("our FIFO");
    }
}
