//! What a script's child writes, kept until the script asks for it. So much of it is kept in
//! memory; a stream that grows beyond that moves into a file without a name, and what finds no
//! place is dropped, with the reason: whoever writes never waits for anybody.

use nix::{
    errno::Errno,
    libc,
    sys::mman::{mmap, munmap, MapFlags, ProtFlags},
};
use std::{
    env,
    ffi::c_void,
    fs::{self, File, OpenOptions},
    io,
    num::NonZeroUsize,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    ptr::NonNull,
    slice,
    sync::{
        atomic::{AtomicUsize, Ordering},
        Mutex, MutexGuard, PoisonError,
    },
};

/// What is read from the file at a time, for who wants lines.
const WINDOW: usize = 64 << 10;
/// More than this is not kept for what may come.
const IDLE_MAX: usize = 64 << 10;

/// What a file weighs, for its descriptor.
const FILE_WEIGHT: usize = 1 << 20;

/// What all streams together hold.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// Bytes of memory that lie in streams: Lua does not know what its handles of them weigh.
pub fn weight() -> usize {
    HELD.load(Ordering::Relaxed)
}

/// What somebody waits for.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub enum Wanted {
    Nothing,
    End,
    More,
}

/// One stream, shared by who reads the pipe and who asks.
pub struct Gathered {
    limit: usize,
    /// TMPDIR as it was at the start: a script may change the environment while we would look.
    folder: Option<PathBuf>,
    held: Mutex<Held>,
}

struct Held {
    /// What comes first; all of it as long as there is no file.
    memory: Vec<u8>,
    /// Of that, what was taken, and what is known to have no line end.
    taken: usize,
    scanned: usize,
    file: Option<Overflow>,
    closed: bool,
    lost: Option<String>,
    wanted: Wanted,
    /// Its part of `HELD`.
    weight: usize,
}

struct Overflow {
    file: File,
    read: u64,
    written: u64,
}

/// All of a stream.
pub enum Whole {
    Memory(Vec<u8>),
    Mapped(Mapping),
}

/// What is there for who wants a line.
pub enum Line {
    Text(Vec<u8>),
    /// Not yet.
    Later,
    End,
    Lost(String),
}

impl Gathered {
    pub fn new(limit: usize, folder: Option<PathBuf>) -> Gathered {
        Gathered {
            limit,
            folder,
            held: Mutex::new(Held {
                memory: Vec::new(),
                taken: 0,
                scanned: 0,
                file: None,
                closed: false,
                lost: None,
                wanted: Wanted::Nothing,
                weight: 0,
            }),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True: somebody waits for it.
    pub fn append(&self, bytes: &[u8]) -> bool {
        let mut held = self.held();
        if held.lost.is_none() {
            held.append(bytes, self.limit, self.folder.as_deref());
            held.weigh();
        }
        held.was_wanted(Wanted::More)
    }

    /// The same.
    pub fn close(&self) -> bool {
        let mut held = self.held();
        held.closed = true;
        held.was_wanted(Wanted::End)
    }

    /// False: that is there already.
    pub fn want(&self, wanted: Wanted) -> bool {
        let mut held = self.held();
        let there = held.closed || (wanted == Wanted::More && held.is_more());
        held.wanted = if there { Wanted::Nothing } else { wanted };
        !there
    }

    /// All of it, or why not; it can be asked for once.
    pub fn take(&self) -> Result<Whole, String> {
        let mut held = self.held();
        if let Some(reason) = held.lost.take() {
            held.clear();
            return Err(reason);
        }
        let Some(overflow) = held.file.take() else {
            let whole = std::mem::take(&mut held.memory);
            held.clear();
            return Ok(Whole::Memory(whole));
        };
        held.clear();
        let failed = |error| format!("its output cannot be read back: {error}");
        Mapping::new(&overflow).map(Whole::Mapped).map_err(failed)
    }

    /// The next line, without its end. A line that is longer than all that is kept in memory comes
    /// in pieces.
    pub fn line(&self) -> Line {
        let mut held = self.held();
        loop {
            if let Some(line) = held.line(self.limit) {
                return Line::Text(line);
            }
            match held.refill() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    held.clear();
                    return Line::Lost(format!("its output cannot be read back: {error}"));
                }
            }
        }
        match held.lost.take() {
            Some(reason) => Line::Lost(reason),
            None if !held.closed => Line::Later,
            None => held.rest().map_or(Line::End, Line::Text),
        }
    }
}

impl Held {
    fn append(&mut self, bytes: &[u8], limit: usize, folder: Option<&Path>) {
        let is_full = self.memory.len() - self.taken + bytes.len() > limit;
        if self.file.is_none() && (is_full || self.memory.try_reserve(bytes.len()).is_err()) {
            if let Err(reason) = self.overflow(limit, folder) {
                let room = limit.saturating_sub(self.memory.len() - self.taken);
                let room = room.min(bytes.len());
                if self.memory.try_reserve(room).is_ok() {
                    self.memory.extend_from_slice(&bytes[..room]);
                }
                self.lost = Some(reason);
                return;
            }
        }
        let Some(overflow) = &mut self.file else {
            self.memory.extend_from_slice(bytes);
            return;
        };
        match overflow.file.write_all_at(bytes, overflow.written) {
            Ok(()) => overflow.written += bytes.len() as u64,
            Err(error) => self.lost = Some(no_place(limit, &error.to_string())),
        }
    }

    /// What is in memory goes into a file, and what follows, too.
    fn overflow(&mut self, limit: usize, folder: Option<&Path>) -> Result<(), String> {
        let file = nameless_file(folder).map_err(|reasons| no_place(limit, &reasons))?;
        let rest = &self.memory[self.taken..];
        file.write_all_at(rest, 0)
            .map_err(|error| no_place(limit, &error.to_string()))?;
        self.file = Some(Overflow {
            file,
            read: 0,
            written: rest.len() as u64,
        });
        (self.memory, self.taken, self.scanned) = (Vec::new(), 0, 0);
        Ok(())
    }

    fn was_wanted(&mut self, least: Wanted) -> bool {
        let wanted = self.wanted != Wanted::Nothing && self.wanted >= least;
        if wanted {
            self.wanted = Wanted::Nothing;
        }
        wanted
    }

    /// Something that was not looked at for a line's end.
    fn is_more(&self) -> bool {
        self.scanned < self.memory.len() || self.file.is_some() || self.lost.is_some()
    }

    fn line(&mut self, limit: usize) -> Option<Vec<u8>> {
        let fresh = &self.memory[self.scanned..];
        let (end, skip) = match memchr::memchr(b'\n', fresh) {
            Some(at) => (self.scanned + at, 1),
            None if self.memory.len() - self.taken >= limit.max(1) => (self.memory.len(), 0),
            None => {
                self.scanned = self.memory.len();
                return None;
            }
        };
        let line = self.memory[self.taken..end].to_vec();
        self.taken = end + skip;
        self.scanned = self.taken;
        self.compact();
        Some(line)
    }

    /// What is left, after the last line's end.
    fn rest(&mut self) -> Option<Vec<u8>> {
        let rest = self.memory[self.taken..].to_vec();
        self.clear();
        (!rest.is_empty()).then_some(rest)
    }

    fn clear(&mut self) {
        (self.memory, self.taken, self.scanned) = (Vec::new(), 0, 0);
        self.file = None;
        self.weigh();
    }

    fn weigh(&mut self) {
        let file = self.file.as_ref().map_or(0, |_| FILE_WEIGHT);
        let now = self.memory.capacity() + file;
        // All additions wrap, and so their sum is right.
        HELD.fetch_add(now.wrapping_sub(self.weight), Ordering::Relaxed);
        self.weight = now;
    }

    fn compact(&mut self) {
        if self.taken == self.memory.len() {
            self.memory.clear();
            self.memory.shrink_to(IDLE_MAX);
            (self.taken, self.scanned) = (0, 0);
        } else if self.taken > IDLE_MAX && self.taken > self.memory.len() / 2 {
            self.memory.drain(..self.taken);
            self.scanned -= self.taken;
            self.taken = 0;
        }
        self.weigh();
    }

    /// The next piece of the file. False: there is none.
    fn refill(&mut self) -> io::Result<bool> {
        let Some(overflow) = &mut self.file else {
            return Ok(false);
        };
        let left = usize::try_from(overflow.written - overflow.read).unwrap_or(WINDOW);
        let before = self.memory.len();
        self.memory.resize(before + left.min(WINDOW), 0);
        overflow
            .file
            .read_exact_at(&mut self.memory[before..], overflow.read)?;
        overflow.read += left.min(WINDOW) as u64;
        if overflow.read == overflow.written {
            self.file = None;
        }
        Ok(left > 0)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(self.weight, Ordering::Relaxed);
    }
}

fn no_place(limit: usize, why: &str) -> String {
    format!(
        "its output is more than the {limit} bytes that are kept in memory, and there is no place \
         for the rest ({why}): give it a limit that is high enough, or make room in TMPDIR or /tmp"
    )
}

/// On a disk, where there is one: in memory the limit would mean nothing.
fn nameless_file(named: Option<&Path>) -> Result<File, String> {
    let usual = ["/tmp", "/var/tmp"].map(Path::new);
    let mut reasons = Vec::new();
    for folder in named.into_iter().chain(usual) {
        match nameless_file_in(folder) {
            Ok(file) => return Ok(file),
            Err(error) => reasons.push(format!("{}: {error}", folder.display())),
        }
    }
    Err(reasons.join("; "))
}

/// TMPDIR.
pub fn named_folder() -> Option<PathBuf> {
    let named = env::var_os("TMPDIR").filter(|folder| !folder.is_empty());
    named.map(PathBuf::from)
}

fn nameless_file_in(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    if let Ok(file) = options.clone().custom_flags(libc::O_TMPFILE).open(folder) {
        return Ok(file);
    }
    // A file system that cannot do that.
    let name = format!(
        "luavisors-{}-{:x}",
        std::process::id(),
        super::wall_ms().to_bits()
    );
    let path = folder.join(name);
    let file = options.create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// A whole file as bytes.
pub struct Mapping {
    start: NonNull<c_void>,
    length: usize,
}

// SAFETY: memory that nobody writes to.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(overflow: &Overflow) -> io::Result<Mapping> {
        let length = usize::try_from(overflow.written).ok();
        let size = length.and_then(NonZeroUsize::new);
        let size = size.ok_or(io::ErrorKind::OutOfMemory)?;
        let (protection, flags) = (ProtFlags::PROT_READ, MapFlags::MAP_PRIVATE);
        // SAFETY: a new mapping of a file that has no name and no other writer.
        let start = unsafe { mmap(None, size, protection, flags, &overflow.file, 0) }?;
        let mapping = Mapping {
            start,
            length: size.get(),
        };
        mapping.read_in()?;
        Ok(mapping)
    }

    /// What cannot be read (a disk's fault; somebody has cut the file, which can be reached by
    /// /proc) would be a signal that ends the process. So it is read by a call that returns an
    /// error; kernels before 5.14 do not know it.
    fn read_in(&self) -> io::Result<()> {
        const POPULATE_READ: libc::c_int = 22;
        // SAFETY: our own mapping; nothing in it changes.
        let result = unsafe { libc::madvise(self.start.as_ptr(), self.length, POPULATE_READ) };
        match Errno::result(result) {
            Err(Errno::EFAULT | Errno::EHWPOISON) => Err(Errno::EIO.into()),
            _ => Ok(()),
        }
    }
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        match self {
            Whole::Memory(bytes) => bytes,
            // SAFETY: mapped for as long as `self` lives.
            Whole::Mapped(mapping) => unsafe {
                slice::from_raw_parts(mapping.start.as_ptr().cast(), mapping.length)
            },
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: our own mapping, which nobody has a reference into any more.
        let _ = unsafe { munmap(self.start, self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(gathered: &Gathered) -> Vec<u8> {
        gathered.take().expect("nothing is lost").as_ref().to_vec()
    }

    fn lines(gathered: &Gathered) -> Vec<String> {
        let next = || match gathered.line() {
            Line::Text(line) => Some(String::from_utf8(line).expect("plain text")),
            _ => None,
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn in_memory_and_beyond() {
        for limit in [1, 10, 1000] {
            let gathered = Gathered::new(limit, None);
            let mut all = Vec::new();
            for count in 0..50 {
                let piece = format!("piece {count}\n");
                assert!(!gathered.append(piece.as_bytes()));
                all.extend(piece.into_bytes());
            }
            assert!(!gathered.close());
            assert_eq!(gathered.held().file.is_some(), all.len() > limit);
            assert_eq!(whole(&gathered), all, "limit {limit}");
            assert_eq!(whole(&gathered), b"");
        }
    }

    #[test]
    fn lines_are_whole_wherever_they_are() {
        let text: String = (0..9000).map(|n| format!("line {n}\n")).collect();
        for limit in [64, 1 << 20] {
            let gathered = Gathered::new(limit, None);
            let mut seen = Vec::new();
            for piece in text.as_bytes().chunks(777) {
                gathered.append(piece);
                if seen.len() % 3 == 0 {
                    seen.extend(lines(&gathered));
                }
            }
            gathered.append(b"no end");
            seen.extend(lines(&gathered));
            assert!(matches!(gathered.line(), Line::Later));
            assert!(gathered.want(Wanted::More));
            assert!(gathered.close());
            assert!(matches!(gathered.line(), Line::Text(rest) if rest == b"no end"));
            assert!(matches!(gathered.line(), Line::End));
            assert_eq!(seen, text.lines().collect::<Vec<_>>(), "limit {limit}");
        }
    }

    #[test]
    fn a_line_without_end_comes_in_pieces() {
        let gathered = Gathered::new(100, None);
        gathered.append(&[b'x'; 250]);
        let Line::Text(piece) = gathered.line() else {
            panic!("nothing came");
        };
        assert!(piece.len() >= 100);
    }

    #[test]
    fn who_waits_is_told_once() {
        let gathered = Gathered::new(100, None);
        assert!(gathered.want(Wanted::End));
        assert!(!gathered.append(b"x"));
        assert!(gathered.close());
        assert!(!gathered.want(Wanted::End));
        let gathered = Gathered::new(100, None);
        assert!(gathered.want(Wanted::More));
        assert!(gathered.append(b"x"));
        assert!(!gathered.append(b"y"));
        assert!(!gathered.want(Wanted::More), "there is some");
    }

    #[test]
    fn what_finds_no_place_is_told() {
        let gathered = Gathered::new(4, None);
        gathered.append(b"ab\ncd");
        // As if the disk were full.
        gathered.held().lost = Some("full".into());
        gathered.append(b"more");
        assert_eq!(lines(&gathered), ["ab"]);
        assert!(matches!(
            gathered.line(),
            Line::End | Line::Lost(_) | Line::Later
        ));
    }
}
