//! Cuts what came out of a pipe into lines, and lines too long for a record into pieces.

use memchr::{memchr, memchr_iter, memrchr};

/// The most a record holds.
pub const LONGEST: usize = 16 * 1024;

/// How many bytes of `data` can be made into records now: all complete lines, and of the
/// unfinished one behind them as many full pieces as leave at most `LONGEST` bytes (and never
/// nothing, so that the line's end will not be an empty record). The first `scanned` bytes are
/// known to hold no line break.
pub fn ready(data: &[u8], scanned: usize) -> usize {
    let mut end = memrchr(b'\n', &data[scanned..]).map_or(0, |at| scanned + at + 1);
    while data.len() - end > LONGEST {
        end += piece(&data[end..]);
    }
    end
}

/// The length of the first piece of a line longer than a record: not inside a character, if the
/// line is UTF-8.
fn piece(line: &[u8]) -> usize {
    let is_inside = |at: &usize| line[*at] & 0xC0 == 0x80;
    (LONGEST - 3..=LONGEST)
        .rev()
        .find(|at| !is_inside(at))
        .unwrap_or(LONGEST)
}

/// The records in `data`: line without its line break, and whether the line goes on in the next
/// record. `finish` says that an unfinished line at the end does not go on.
pub struct Lines<'a> {
    pub data: &'a [u8],
    pub finish: bool,
}

impl<'a> Iterator for Lines<'a> {
    type Item = (&'a [u8], bool);

    fn next(&mut self) -> Option<Self::Item> {
        if self.data.is_empty() {
            return None;
        }
        let window = &self.data[..self.data.len().min(LONGEST + 1)];
        if let Some(end) = memchr(b'\n', window) {
            let line = &self.data[..end];
            self.data = &self.data[end + 1..];
            return Some((line, false));
        }
        let length = if self.data.len() > LONGEST {
            piece(self.data)
        } else {
            self.data.len()
        };
        let (line, rest) = self.data.split_at(length);
        self.data = rest;
        Some((line, !rest.is_empty() || !self.finish))
    }
}

pub fn count(data: &[u8]) -> u64 {
    memchr_iter(b'\n', data).count() as u64
}

/// Where the last `lines` or somewhat more lines of `data` begin.
pub fn tail(data: &[u8], lines: u64) -> usize {
    const BLOCK: usize = 4096;
    let mut start = data.len();
    let mut found = 0;
    // One more line break than lines: the one before the first of them.
    while start > 0 && found <= lines {
        let from = start.saturating_sub(BLOCK);
        found += count(&data[from..start]);
        start = from;
    }
    if start == 0 {
        return 0;
    }
    memchr(b'\n', &data[start..]).map_or(data.len(), |at| start + at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(data: &[u8], finish: bool) -> Vec<(Vec<u8>, bool)> {
        Lines { data, finish }
            .map(|(line, partial)| (line.to_vec(), partial))
            .collect()
    }

    /// Feeds `data` in pieces of `step` bytes as a pipe would.
    fn fed(data: &[u8], step: usize) -> Vec<(Vec<u8>, bool)> {
        let (mut all, mut pending) = (Vec::new(), Vec::new());
        for chunk in data.chunks(step) {
            let scanned = pending.len();
            pending.extend_from_slice(chunk);
            let end = ready(&pending, scanned);
            all.extend(records(&pending[..end], false));
            pending.drain(..end);
            assert!(pending.len() <= LONGEST);
        }
        all.extend(records(&pending, true));
        all
    }

    #[test]
    fn the_same_records_however_the_bytes_come() {
        let mut data = Vec::new();
        for length in [
            0,
            1,
            100,
            LONGEST - 1,
            LONGEST,
            LONGEST + 1,
            3 * LONGEST,
            50_000,
        ] {
            data.extend((0..length).map(|i| b'a' + (i % 26) as u8));
            data.push(b'\n');
        }
        data.extend_from_slice(b"unfinished");
        let whole = fed(&data, data.len());
        for step in [1, 7, 1000, LONGEST, 65_536] {
            assert_eq!(fed(&data, step), whole, "step {step}");
        }
        let mut back = Vec::new();
        for (line, partial) in &whole {
            assert!(line.len() <= LONGEST);
            back.extend_from_slice(line);
            if !partial {
                back.push(b'\n');
            }
        }
        assert_eq!(back[..back.len() - 1], data);
        assert_eq!(whole.iter().filter(|r| !r.1).count(), 9);
    }

    #[test]
    fn cuts_between_characters() {
        let data = "aü€😀".repeat(10_000);
        for (line, _) in fed(data.as_bytes(), 4096) {
            assert!(std::str::from_utf8(&line).is_ok());
        }
        // What is not UTF-8 is cut all the same.
        assert_eq!(fed(&[0x80; 2 * LONGEST], 999).len(), 2);
    }

    #[test]
    fn the_tail_has_at_least_the_lines_asked_for() {
        let data: Vec<u8> = (0..5000)
            .flat_map(|i| format!("{i}\n").into_bytes())
            .collect();
        for lines in [0, 1, 10, 999, 4999, 5000, 9000] {
            let start = tail(&data, lines);
            assert!(start == 0 || data[start - 1] == b'\n');
            assert!(count(&data[start..]) >= lines.min(5000), "{lines}");
            assert!(count(&data[start..]) <= lines + 4096);
        }
        assert_eq!(tail(&[b'x'; 10_000], 3), 0);
    }
}
