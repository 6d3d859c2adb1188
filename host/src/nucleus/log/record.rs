//! How records look from outside: JSON lines of logs and losses, times in RFC 3339.

use regex_lite::Regex;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, io::Write as _};

/// Which of a service's two streams a line came on, or that it came by syslog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stream {
    Out,
    Err,
    Syslog,
}

impl Stream {
    pub fn name(self) -> &'static str {
        match self {
            Stream::Out => "out",
            Stream::Err => "err",
            Stream::Syslog => "syslog",
        }
    }

    /// As `Entries` and `Lines` call it.
    pub fn long_name(self) -> &'static str {
        match self {
            Stream::Out => "stdout",
            Stream::Err => "stderr",
            Stream::Syslog => "syslog",
        }
    }

    /// Whose pipe of two it is.
    pub fn index(self) -> usize {
        self as usize
    }
}

/// One line, or one piece of a line too long for a record.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub seq: u64,
    /// Wall clock, ms since 1970.
    pub time: u64,
    /// 0 if unknown.
    pub pid: u32,
    pub stream: Stream,
    /// The next record of the same stream goes on with the same line.
    pub partial: bool,
    /// Two pieces, because the ring's buffer wraps; the second one is mostly empty.
    pub line: (&'a [u8], &'a [u8]),
}

impl Record<'_> {
    pub fn is_match(&self, pattern: &Regex) -> bool {
        let (a, b) = self.line;
        if b.is_empty() {
            pattern.is_match(&String::from_utf8_lossy(a))
        } else {
            pattern.is_match(&String::from_utf8_lossy(&[a, b].concat()))
        }
    }
}

/// Lines that somebody did not get.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    pub lines: u64,
    pub bytes: u64,
}

impl Loss {
    pub fn is_none(self) -> bool {
        self.lines == 0 && self.bytes == 0
    }

    pub fn add(&mut self, more: Loss) {
        self.lines += more.lines;
        self.bytes += more.bytes;
    }
}

/// `312 lines (45120 bytes)`
impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let s = if self.lines == 1 { "" } else { "s" };
        write!(f, "{} line{s} ({} bytes)", self.lines, self.bytes)
    }
}

pub fn write_record(out: &mut Vec<u8>, service: &str, record: &Record) {
    out.extend_from_slice(b"{\"time\":\"");
    out.extend_from_slice(&rfc3339(record.time));
    out.extend_from_slice(b"\",\"service\":");
    json_string(out, service.as_bytes());
    out.extend_from_slice(match record.stream {
        Stream::Out => b",\"stream\":\"out\",\"pid\":",
        Stream::Err => b",\"stream\":\"err\",\"pid\":",
        Stream::Syslog => b",\"stream\":\"syslog\",\"pid\":",
    });
    if record.pid == 0 {
        out.extend_from_slice(b"null");
    } else {
        number(out, u64::from(record.pid));
    }
    out.extend_from_slice(b",\"line\":");
    json_string(out, &whole_line(record));
    if record.partial {
        out.extend_from_slice(b",\"partial\":true");
    }
    out.push(b'}');
}

/// A character may lie across the two pieces.
fn whole_line<'a>(record: &Record<'a>) -> Cow<'a, [u8]> {
    match record.line {
        (line, []) => Cow::Borrowed(line),
        (a, b) => Cow::Owned([a, b].concat()),
    }
}

/// Without the carriage return that some programs put before the newline.
fn content<'a>(record: &Record<'a>) -> Cow<'a, [u8]> {
    let mut line = whole_line(record);
    if !record.partial && line.ends_with(b"\r") {
        line.to_mut().pop();
    }
    line
}

/// `{"timestamp_ms":1700000000000,"service":"web","stream":"stdout","content":"…"}`
pub fn write_entry(out: &mut Vec<u8>, service: &str, record: &Record) {
    out.extend_from_slice(b"{\"timestamp_ms\":");
    number(out, record.time);
    out.extend_from_slice(b",\"service\":");
    json_string(out, service.as_bytes());
    out.extend_from_slice(b",\"stream\":");
    json_string(out, record.stream.long_name().as_bytes());
    out.extend_from_slice(b",\"content\":");
    json_string(out, &content(record));
    out.push(b'}');
}

/// `"1700000000000 [stdout] …"`
pub fn write_line(out: &mut Vec<u8>, record: &Record) {
    let mut text = format!("{} [{}] ", record.time, record.stream.long_name()).into_bytes();
    text.extend_from_slice(&content(record));
    json_string(out, &text);
}

pub fn write_loss(out: &mut Vec<u8>, service: &str, time: u64, loss: Loss) {
    out.extend_from_slice(b"{\"time\":\"");
    out.extend_from_slice(&rfc3339(time));
    out.extend_from_slice(b"\",\"service\":");
    json_string(out, service.as_bytes());
    out.extend_from_slice(b",\"lost_lines\":");
    number(out, loss.lines);
    out.extend_from_slice(b",\"lost_bytes\":");
    number(out, loss.bytes);
    out.push(b'}');
}

fn number(out: &mut Vec<u8>, n: u64) {
    // Writing into a Vec cannot fail.
    let _ = write!(out, "{n}");
}

/// A JSON string; what is not UTF-8 becomes U+FFFD.
pub fn json_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        escape(out, chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{FFFD}".as_bytes());
        }
    }
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, text: &[u8]) {
    let mut from = 0;
    for (at, &byte) in text.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text[from..at]);
        from = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(&text[from..]);
}

/// `2026-11-21T11:48:07.123Z`; years beyond 9999 are shown as the end of 9999.
pub fn rfc3339(ms: u64) -> [u8; 24] {
    const LAST: u64 = 253_402_300_799_999;
    let ms = ms.min(LAST);
    let days = (ms / 86_400_000) as i64;
    let of_day = (ms % 86_400_000) as u32;
    let (year, month, day) = civil(days);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    digits(&mut text[0..4], year);
    digits(&mut text[5..7], month);
    digits(&mut text[8..10], day);
    digits(&mut text[11..13], of_day / 3_600_000);
    digits(&mut text[14..16], of_day / 60_000 % 60);
    digits(&mut text[17..19], of_day / 1000 % 60);
    digits(&mut text[20..23], of_day % 1000);
    text
}

/// The same as text, of a wall time in ms.
pub fn time_text(wall: f64) -> String {
    String::from_utf8_lossy(&rfc3339(wall.max(0.0) as u64)).into_owned()
}

fn digits(place: &mut [u8], mut n: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (n % 10) as u8;
        n /= 10;
    }
}

/// Year, month and day of a day counted from 1970-01-01. Years are counted from March, so that
/// the leap day is a year's last day.
fn civil(days: i64) -> (u32, u32, u32) {
    let since_zero = days + 719_468;
    let era = since_zero.div_euclid(146_097);
    let of_era = since_zero.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as u32, month as u32, day as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(ms: u64) -> String {
        String::from_utf8(rfc3339(ms).to_vec()).unwrap()
    }

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(951_782_400_001), "2000-02-29T00:00:00.001Z");
        assert_eq!(time(1_795_261_687_123), "2026-11-21T11:48:07.123Z");
        assert_eq!(time(4_107_542_399_999), "2100-02-28T23:59:59.999Z");
        assert_eq!(time(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(time(u64::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn json_takes_any_bytes() {
        for bytes in [
            &b"plain"[..],
            b"quote \" back \\ tab \t bell \x07 nul \0",
            b"\xff\xfe binary \xc3",
            "grüße \u{1F600}".as_bytes(),
        ] {
            let mut out = Vec::new();
            json_string(&mut out, bytes);
            let text: String = serde_json::from_slice(&out).unwrap();
            assert_eq!(text, String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn entries_and_lines_name_streams_in_full() {
        let record = Record {
            seq: 1,
            time: 1_700_000_000_123,
            pid: 7,
            stream: Stream::Err,
            partial: false,
            line: (b"say \"a\xc3", b"\xbc\""),
        };
        let mut entry = Vec::new();
        write_entry(&mut entry, "web", &record);
        assert_eq!(
            String::from_utf8(entry).unwrap(),
            r#"{"timestamp_ms":1700000000123,"service":"web","stream":"stderr","content":"say \"aü\""}"#
        );
        let mut line = Vec::new();
        write_line(&mut line, &record);
        assert_eq!(
            String::from_utf8(line).unwrap(),
            r#""1700000000123 [stderr] say \"aü\"""#
        );
    }

    #[test]
    fn a_record_whose_character_lies_across_the_wrap_is_whole() {
        let mut out = Vec::new();
        let record = Record {
            seq: 1,
            time: 0,
            pid: 0,
            stream: Stream::Err,
            partial: true,
            line: (b"a\xc3", b"\xbcb"),
        };
        write_record(&mut out, "web", &record);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"time":"1970-01-01T00:00:00.000Z","service":"web","stream":"err","pid":null,"line":"aüb","partial":true}"#
        );
    }
}
