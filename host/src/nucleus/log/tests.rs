//! The whole way of a line, with real pipes and files.

use super::query::{LogReader, Progress};
use super::*;
use crate::protocol::{LogFormat, LogQuery, OwnLog, OwnStream, Split, StreamFormat};
use crate::testing::{join, DEADLINE};
use nix::fcntl::OFlag;
use nix::poll::{poll, PollFd, PollFlags};
use nix::unistd::pipe2;
use serde_json::{json, Value};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

const WALL: f64 = 1_700_000_000_000.0;

struct Fixture {
    logs: Logs,
    /// The other ends of the console's stdout and stderr.
    out: Option<fs::File>,
    err: fs::File,
    folder: PathBuf,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn fixture() -> Fixture {
    fixture_with(LogFormat::Text, false)
}

fn fixture_with(format: LogFormat, colour: bool) -> Fixture {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("oneup-log-{}-{count}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (out, out_end) = pipe2(OFlag::O_CLOEXEC).unwrap();
    let (err, err_end) = pipe2(OFlag::O_CLOEXEC).unwrap();
    Fixture {
        logs: Logs::new(Console::new(format, colour, out_end, err_end)).unwrap(),
        out: Some(fs::File::from(out)),
        err: fs::File::from(err),
        folder,
    }
}

fn options(lines: u32) -> LogOptions {
    LogOptions {
        lines,
        console: false,
        file: None,
    }
}

fn shown(lines: u32) -> LogOptions {
    LogOptions {
        console: true,
        ..options(lines)
    }
}

impl Fixture {
    fn file_options(&self, name: &str, max_bytes: u64, keep: u32, format: LogFormat) -> LogOptions {
        LogOptions {
            file: Some(LogFile {
                path: self.path(name),
                max_bytes,
                keep,
                format,
                split: None,
            }),
            ..options(1000)
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    fn content(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(name)).unwrap_or_default()
    }

    /// A service's own stdout and stderr.
    fn ends(&mut self, name: &str) -> (fs::File, fs::File) {
        let (out, err) = self.logs.write_ends(name).unwrap();
        let own = |fd: BorrowedFd| fs::File::from(fd.try_clone_to_owned().unwrap());
        (own(out), own(err))
    }

    /// Runs turns as the main loop would, until the condition holds.
    #[track_caller]
    fn pump(&mut self, mut until: impl FnMut(&mut Logs) -> bool) -> Vec<String> {
        let start = Instant::now();
        let mut matched = Vec::new();
        while !until(&mut self.logs) {
            assert!(start.elapsed() < DEADLINE, "the condition did not come");
            let mut fds = [PollFd::new(self.logs.fd(), PollFlags::POLLIN)];
            poll(&mut fds, 50u8).unwrap();
            matched.extend(self.logs.on_readable(WALL).matched);
        }
        matched
    }

    /// Runs turns until nothing is readable, and no busy pipe is left for later.
    #[track_caller]
    fn settle(&mut self) -> Vec<String> {
        let start = Instant::now();
        let mut matched = Vec::new();
        loop {
            assert!(start.elapsed() < DEADLINE, "there is more and more");
            let turn = self.logs.on_readable(WALL);
            matched.extend(turn.matched);
            if turn.more {
                continue;
            }
            if self.logs.resting.is_empty() {
                return matched;
            }
            let mut fds = [PollFd::new(self.logs.fd(), PollFlags::POLLIN)];
            poll(&mut fds, 1000u16).unwrap();
        }
    }

    fn read(&self, query: LogQuery) -> Vec<Value> {
        read_with(&self.logs, query, 1 << 20)
    }

    fn lines(&self) -> Vec<String> {
        texts(&self.read(LogQuery::default()))
    }

    fn console_text(&mut self) -> String {
        self.logs.finish(WALL, DEADLINE);
        read_available(self.out.as_mut().unwrap())
    }

    fn said(&mut self) -> String {
        self.logs.finish(WALL, DEADLINE);
        read_available(&mut self.err)
    }
}

fn read_available(pipe: &mut fs::File) -> String {
    fcntl_nonblocking(pipe);
    let mut all = Vec::new();
    let mut piece = [0; 65_536];
    loop {
        match pipe.read(&mut piece) {
            Ok(0) | Err(_) => return String::from_utf8(all).unwrap(),
            Ok(n) => all.extend_from_slice(&piece[..n]),
        }
    }
}

fn fcntl_nonblocking(pipe: &fs::File) {
    nix::fcntl::fcntl(pipe, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
}

fn read_with(logs: &Logs, query: LogQuery, most: usize) -> Vec<Value> {
    read_as(StreamFormat::Array, logs, query, most)
}

fn read_as(format: StreamFormat, logs: &Logs, query: LogQuery, most: usize) -> Vec<Value> {
    let mut reader = LogReader::new(logs, query, format).unwrap();
    let mut all = Vec::new();
    loop {
        let mut out = Vec::new();
        let progress = reader.step(logs, &mut out, most, WALL);
        all.extend_from_slice(&out);
        match progress {
            Progress::More => {}
            Progress::Done => break,
            Progress::Wait => panic!("a reader that does not follow waits"),
        }
    }
    serde_json::from_slice(&all).unwrap()
}

fn texts(records: &[Value]) -> Vec<String> {
    let text = |record: &Value| match record["line"].as_str() {
        Some(line) => line.to_owned(),
        None => format!("lost {}", record["lost_lines"]),
    };
    records.iter().map(text).collect()
}

fn sse(reader: &mut LogReader, logs: &Logs) -> Vec<Value> {
    let mut out = Vec::new();
    while reader.step(logs, &mut out, usize::MAX, WALL) == Progress::More {}
    String::from_utf8(out)
        .unwrap()
        .split_terminator("\n\n")
        .map(|frame| serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap())
        .collect()
}

fn follow() -> LogQuery {
    LogQuery {
        follow: true,
        ..LogQuery::default()
    }
}

#[test]
fn a_line_goes_everywhere_it_should() {
    let mut f = fixture();
    let mut with_file = f.file_options("deep/er/web.log", 0, 1, LogFormat::Text);
    with_file.console = true;
    f.logs.open("web", &with_file);
    f.logs.note_pid("web", 42);
    let (mut out, mut err) = f.ends("web");
    out.write_all(b"hello\n").unwrap();
    f.settle();
    err.write_all(b"trouble\n").unwrap();
    f.settle();
    let records = f.read(LogQuery::default());
    assert_eq!(
        records[0],
        serde_json::json!({"time": "2023-11-14T22:13:20.000Z", "service": "web",
            "stream": "out", "pid": 42, "line": "hello"})
    );
    assert_eq!(records[1]["stream"], "err");
    assert_eq!(f.console_text(), "web | hello\nweb | trouble\n");
    assert_eq!(f.content("deep/er/web.log"), b"hello\ntrouble\n");
}

#[test]
fn an_unfinished_line_is_a_record_once_its_process_has_ended() {
    let mut f = fixture();
    let mut with_file = f.file_options("web.log", 0, 1, LogFormat::Text);
    with_file.console = true;
    f.logs.open("web", &with_file);
    let (mut out, _err) = f.ends("web");
    out.write_all(b"whole\nhalf").unwrap();
    f.settle();
    assert_eq!(f.lines(), ["whole"]);
    out.write_all(b" and the rest").unwrap();
    f.logs.drain("web", WALL);
    assert_eq!(f.lines(), ["whole", "half and the rest"]);
    out.write_all(b"successor\n").unwrap();
    f.settle();
    assert_eq!(f.lines(), ["whole", "half and the rest", "successor"]);
    assert_eq!(
        f.content("web.log"),
        b"whole\nhalf and the rest\nsuccessor\n"
    );
    assert_eq!(
        f.console_text(),
        "web | whole\nweb | half and the rest\nweb | successor\n"
    );
}

#[test]
fn a_megabyte_without_a_line_break_is_cut_and_nothing_is_lost() {
    let mut f = fixture();
    let mut with_file = f.file_options("web.log", 0, 1, LogFormat::Text);
    with_file.lines = 5000;
    f.logs.open("web", &with_file);
    f.logs.open("seen", &shown(5000));
    let line: Vec<u8> = (0..1_000_000).map(|i| b'a' + (i % 23) as u8).collect();
    let mut reader = f.out.take().unwrap();
    let console = thread::spawn(move || {
        let mut text = vec![0; 7 + 1_000_000 + 1];
        reader.read_exact(&mut text).unwrap();
        text
    });
    let (mut out, _err) = f.ends("web");
    let (mut seen, _err) = f.ends("seen");
    let data = line.clone();
    let writer = thread::spawn(move || {
        for pipe in [&mut out, &mut seen] {
            pipe.write_all(&data).unwrap();
            pipe.write_all(b"\n").unwrap();
        }
        (out, seen)
    });
    f.pump(|_| console.is_finished() && writer.is_finished());
    f.settle();
    let only = |name: &str| LogQuery {
        logs: Some(vec![name.into()]),
        ..LogQuery::default()
    };
    for name in ["web", "seen"] {
        let records = f.read(only(name));
        assert!(texts(&records).concat().as_bytes() == line);
        let (last, others) = records.split_last().unwrap();
        assert!(others.iter().all(|record| record["partial"] == true));
        assert!(last.get("partial").is_none());
        assert!(records.len() <= 62 + 1, "{}", records.len());
    }
    assert_eq!(f.content("web.log"), [&line[..], b"\n"].concat());
    let text = join(console);
    assert!(text == [b"seen | ", &line[..], b"\n"].concat(), "joined");
}

#[test]
fn binary_output_is_raw_in_files_and_valid_in_json() {
    let mut f = fixture();
    let text = f.file_options("text", 0, 1, LogFormat::Text);
    let json = f.file_options("json", 0, 1, LogFormat::Json);
    f.logs.open("text", &text);
    f.logs.open("json", &json);
    let bytes: Vec<u8> = (0..=255u8).cycle().take(70_000).collect();
    for name in ["text", "json"] {
        let (mut out, _err) = f.ends(name);
        let data = bytes.clone();
        let writer = thread::spawn(move || out.write_all(&data).unwrap());
        f.pump(|_| writer.is_finished());
        f.settle();
        f.logs.drain(name, WALL);
    }
    assert_eq!(f.content("text"), bytes);
    let lossy = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
    let expected: Vec<String> = bytes.split(|b| *b == b'\n').map(lossy).collect();
    let file = String::from_utf8(f.content("json")).unwrap();
    let records: Vec<Value> = file
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(texts(&records), expected);
}

#[test]
fn the_ring_keeps_the_last_lines_and_tells_of_the_others() {
    let mut f = fixture();
    f.logs.open("web", &options(1000));
    let (mut out, _err) = f.ends("web");
    let writer = thread::spawn(move || {
        for i in 0..200_000 {
            out.write_all(format!("line {i}\n").as_bytes()).unwrap();
        }
    });
    f.pump(|_| writer.is_finished());
    f.settle();
    let records = f.read(LogQuery::default());
    assert_eq!(records.len(), 1001);
    assert_eq!(records[0]["lost_lines"], 199_000);
    let bytes: usize = (0..199_000).map(|i| format!("line {i}").len()).sum();
    assert_eq!(records[0]["lost_bytes"], bytes);
    assert_eq!(records[1]["line"], "line 199000");
    assert_eq!(records[1000]["line"], "line 199999");
}

#[test]
fn queries_choose_by_count_time_stream_and_pattern_and_merge_logs() {
    let mut f = fixture();
    f.logs.open("a", &options(1000));
    f.logs.open("b", &options(1000));
    let mut ends = [f.ends("a"), f.ends("b")];
    for i in 0..90 {
        let (out, err) = &mut ends[i % 2];
        let to = if i % 3 == 0 { err } else { out };
        to.write_all(format!("{i}\n").as_bytes()).unwrap();
        f.logs.on_readable(WALL + i as f64);
    }
    let numbers = |wanted: &dyn Fn(usize) -> bool| -> Vec<String> {
        (0..90)
            .filter(|i| wanted(*i))
            .map(|i| i.to_string())
            .collect()
    };
    let query = LogQuery::default;
    let cases: Vec<(LogQuery, Vec<String>)> = vec![
        (query(), numbers(&|_| true)),
        (
            LogQuery {
                lines: Some(7),
                ..query()
            },
            numbers(&|i| i >= 83),
        ),
        (
            LogQuery {
                lines: Some(0),
                ..query()
            },
            vec![],
        ),
        (
            LogQuery {
                lines: Some(999),
                ..query()
            },
            numbers(&|_| true),
        ),
        (
            LogQuery {
                logs: Some(vec!["b".into(), "b".into(), "none".into()]),
                ..query()
            },
            numbers(&|i| i % 2 == 1),
        ),
        (
            LogQuery {
                stream: Some("err".into()),
                ..query()
            },
            numbers(&|i| i % 3 == 0),
        ),
        (
            LogQuery {
                wall_since: Some(WALL + 10.0),
                wall_until: Some(WALL + 20.0),
                ..query()
            },
            numbers(&|i| (10..=20).contains(&i)),
        ),
        (
            LogQuery {
                grep: Some("^[12]5$".into()),
                lines: Some(1),
                ..query()
            },
            numbers(&|i| i == 25),
        ),
    ];
    for (query, expected) in cases {
        assert_eq!(texts(&f.read(query.clone())), expected, "{query:?}");
        assert_eq!(
            texts(&read_with(&f.logs, query, 1)),
            expected,
            "in small steps"
        );
    }
    let fails = |query| LogReader::new(&f.logs, query, StreamFormat::Sse).err();
    assert!(fails(LogQuery {
        grep: Some("(".into()),
        ..query()
    })
    .unwrap()
    .contains("grep"));
    assert!(fails(LogQuery {
        stream: Some("in".into()),
        ..query()
    })
    .is_some());
}

#[test]
fn a_slow_pattern_does_not_make_a_step_slow() {
    let mut f = fixture();
    f.logs.open("a", &options(100));
    let (mut out, _err) = f.ends("a");
    for _ in 0..6 {
        out.write_all(format!("{}\n", "a".repeat(2000)).as_bytes())
            .unwrap();
        f.settle();
    }
    for lines in [None, Some(5)] {
        let query = LogQuery {
            lines,
            grep: Some("(?:a?){0,200}b".into()),
            ..LogQuery::default()
        };
        let mut reader = LogReader::new(&f.logs, query, StreamFormat::Array).unwrap();
        let mut steps = 0;
        while reader.step(&f.logs, &mut Vec::new(), usize::MAX, WALL) == Progress::More {
            steps += 1;
        }
        assert!(steps >= 5, "{steps} steps with lines {lines:?}");
    }
}

#[test]
fn a_quick_follower_gets_every_line_and_a_slow_one_learns_what_it_missed() {
    let mut f = fixture();
    f.logs.open("web", &options(10));
    let (mut out, _err) = f.ends("web");
    out.write_all(b"before\n").unwrap();
    f.settle();
    let new = |logs: &Logs, query| LogReader::new(logs, query, StreamFormat::Sse).unwrap();
    let mut quick = new(&f.logs, follow());
    let mut slow = new(&f.logs, follow());
    let mut late = new(
        &f.logs,
        LogQuery {
            lines: Some(0),
            ..follow()
        },
    );
    assert_eq!(texts(&sse(&mut quick, &f.logs)), ["before"]);
    assert_eq!(texts(&sse(&mut slow, &f.logs)), ["before"]);
    assert!(sse(&mut late, &f.logs).is_empty());
    // More than ten lines in one burst: nothing is lost for who reads at once.
    let burst: String = (0..5000).map(|i| format!("{i}\n")).collect();
    out.write_all(burst.as_bytes()).unwrap();
    f.settle();
    let numbers: Vec<String> = (0..5000).map(|i| i.to_string()).collect();
    assert_eq!(texts(&sse(&mut quick, &f.logs)), numbers);
    assert_eq!(texts(&sse(&mut late, &f.logs)), numbers);
    assert_eq!(texts(&sse(&mut slow, &f.logs)), numbers);
    // 40 MB go by.
    let line = [b"x".repeat(999), b"\n".to_vec()].concat();
    let writer = thread::spawn(move || {
        for _ in 0..40_000 {
            out.write_all(&line).unwrap();
        }
        out
    });
    f.pump(|_| writer.is_finished());
    f.settle();
    let held: usize = f.logs.slots[0]
        .as_ref()
        .unwrap()
        .ring
        .as_ref()
        .unwrap()
        .capacity();
    assert!(held <= FOLLOWED_EXTRA + (512 << 10), "{held}");
    let records = sse(&mut slow, &f.logs);
    let lost = records[0]["lost_lines"].as_u64().unwrap();
    assert_eq!(records[0]["lost_bytes"], lost * 999);
    assert_eq!(records.len() as u64 - 1 + lost, 40_000);
    assert!(records[1..].iter().all(|record| record["line"].is_string()));
    // Those who have gone leave nothing behind.
    drop((quick, slow, late));
    f.logs.trim();
    assert_eq!(f.logs.sink.extra, 0);
    let ring = f.logs.slots[0].as_ref().unwrap().ring.as_ref().unwrap();
    assert!(ring.capacity() <= 256 << 10 && ring.len() <= 10);
}

#[test]
fn followers_together_are_bounded() {
    let mut f = fixture();
    let reader = LogReader::new(&f.logs, follow(), StreamFormat::Sse).unwrap();
    for i in 0..40 {
        let name = format!("s{i}");
        f.logs.open(&name, &options(5));
        let (mut out, _err) = f.ends(&name);
        let writer =
            thread::spawn(move || out.write_all(&b"some words\n".repeat(100_000)).unwrap());
        f.pump(|_| writer.is_finished());
        f.settle();
    }
    let held = |f: &Fixture| -> usize {
        let rings = f
            .logs
            .slots
            .iter()
            .flatten()
            .filter_map(|log| log.ring.as_ref());
        rings.map(|ring| ring.used()).sum()
    };
    assert!(
        held(&f) <= FOLLOWED_EXTRA + 40 * (256 << 10),
        "{}",
        held(&f)
    );
    f.logs.open("s0", &options(3));
    f.logs.close("s1", WALL);
    drop(reader);
    let (mut out, _err) = f.ends("s2");
    out.write_all(b"next\n").unwrap();
    f.settle();
    assert_eq!(f.logs.sink.extra, 0);
    assert!(held(&f) < 40 * 5 * 100, "{}", held(&f));
}

#[test]
fn a_stdout_that_nobody_reads_stops_nobody_and_its_loss_is_told() {
    let mut f = fixture();
    f.logs.open("web", &shown(10));
    f.logs.open("quiet", &shown(10));
    let (mut out, _err) = f.ends("web");
    let (mut quiet, _err) = f.ends("quiet");
    const LINES: usize = 500_000;
    let line = [b"y".repeat(99), b"\n".to_vec()].concat();
    let writer = thread::spawn(move || {
        for _ in 0..LINES / 100 {
            out.write_all(&line.repeat(100)).unwrap();
        }
    });
    quiet.write_all(b"once\n").unwrap();
    let mut most = 0;
    f.pump(|logs| {
        if let Room::Bytes(free) = logs.sink.console.room_at_once() {
            most = most.max(console::CAPACITY.saturating_sub(free));
        }
        writer.is_finished()
    });
    f.settle();
    assert!(most <= console::CAPACITY + (64 << 10), "{most}");
    assert_eq!(f.lines().last().unwrap().len(), 99);
    // Now somebody reads.
    let mut reader = f.out.take().unwrap();
    let console = thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    f.pump(|logs| logs.slots[0].as_ref().unwrap().unseen.is_none());
    let (mut out, _err) = f.ends("web");
    out.write_all(b"after\n").unwrap();
    f.settle();
    f.logs.finish(WALL, DEADLINE);
    f.logs.sink.console = Console::new(LogFormat::Text, false, null(), null());
    let text = join(console);
    let marker = text
        .lines()
        .find(|line| line.starts_with("oneup | web: "))
        .expect("a mark");
    assert!(
        marker.ends_with(" bytes) not shown, stdout was not being read"),
        "{marker}"
    );
    let lost: usize = marker.split(' ').nth(3).unwrap().parse().unwrap();
    let seen = text
        .lines()
        .filter(|line| line.starts_with("web | y"))
        .count();
    assert_eq!(seen + lost, LINES);
    assert!(text.contains("quiet | once\n") || text.contains("oneup | quiet: 1 line ("));
    assert!(text.ends_with("web | after\n"));
}

fn null() -> OwnedFd {
    fs::OpenOptions::new()
        .write(true)
        .open("/dev/null")
        .unwrap()
        .into()
}

#[test]
fn a_slow_stdout_makes_writers_wait_and_loses_nothing() {
    let mut f = fixture();
    f.logs.open("web", &shown(10));
    let (mut out, _err) = f.ends("web");
    const LINES: usize = 30_000;
    let writer = thread::spawn(move || {
        for i in 0..LINES {
            out.write_all(format!("{i:099}\n").as_bytes()).unwrap();
        }
    });
    let mut reader = f.out.take().unwrap();
    let console = thread::spawn(move || {
        let mut text = Vec::new();
        let mut piece = [0; 4096];
        loop {
            match reader.read(&mut piece).unwrap() {
                0 => return String::from_utf8(text).unwrap(),
                n => text.extend_from_slice(&piece[..n]),
            }
            // Slow is what is tested.
            thread::sleep(Duration::from_micros(200));
        }
    });
    let mut waited = false;
    f.pump(|logs| {
        waited |= !logs.paused.is_empty();
        writer.is_finished()
    });
    let waiting =
        |logs: &Logs| matches!(logs.sink.console.room(), Room::Bytes(n) if n == console::CAPACITY);
    f.pump(|logs| logs.paused.is_empty() && waiting(logs));
    f.settle();
    f.logs.finish(WALL, DEADLINE);
    f.logs.sink.console = Console::new(LogFormat::Text, false, null(), null());
    let text = join(console);
    assert!(waited, "the test was to make it wait");
    let expected: String = (0..LINES).map(|i| format!("web | {i:099}\n")).collect();
    assert!(text == expected);
}

#[test]
fn space_that_came_between_looking_and_asking_is_told() {
    let mut f = fixture();
    f.logs.say("starts the writer");
    let asked = |f: &mut Fixture| {
        f.logs.sink.console.want_space();
        let space = f.logs.sink.console.descriptors().unwrap().0;
        let mut fds = [PollFd::new(space, PollFlags::POLLIN)];
        poll(&mut fds, 0u8).unwrap()
    };
    assert_eq!(asked(&mut f), 1);
    f.settle();
    assert_eq!(asked(&mut f), 1);
}

#[test]
fn a_stdout_that_has_gone_is_left_alone() {
    let mut f = fixture();
    f.logs.open("web", &shown(10));
    let (mut out, _err) = f.ends("web");
    drop(f.out.take());
    let writer = thread::spawn(move || out.write_all(&b"z\n".repeat(1_000_000)).unwrap());
    f.pump(|_| writer.is_finished());
    f.settle();
    assert_eq!(f.logs.sink.console.room(), Room::Closed);
    assert_eq!(f.lines().len(), 11);
    f.logs.say("still here");
    assert_eq!(f.said(), "oneup | still here\n");
}

#[test]
fn a_stdout_on_a_full_disk_is_told_on_stderr() {
    let mut f = fixture();
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let err = f.err.try_clone().unwrap();
    let (read, write) = pipe2(OFlag::O_CLOEXEC).unwrap();
    f.err = fs::File::from(read);
    drop(err);
    f.logs.sink.console = Console::new(LogFormat::Text, false, full.into(), write);
    f.logs.open("web", &shown(10));
    let (mut out, _err) = f.ends("web");
    out.write_all(b"one\ntwo\n").unwrap();
    f.settle();
    f.logs.finish(WALL, DEADLINE);
    let said = f.said();
    assert!(
        said.starts_with("oneup | cannot write to stdout: No space left on device (ENOSPC)"),
        "{said}"
    );
}

#[test]
fn console_as_json_and_in_colour() {
    let mut f = fixture_with(LogFormat::Json, false);
    f.logs.open("web", &shown(10));
    let (mut out, _err) = f.ends("web");
    out.write_all(b"say \"hi\"\n").unwrap();
    f.settle();
    let record: Value = serde_json::from_str(&f.console_text()).unwrap();
    assert_eq!(record["line"], "say \"hi\"");
    let mut f = fixture_with(LogFormat::Text, true);
    f.logs.open("web", &shown(10));
    let (mut out, _err) = f.ends("web");
    out.write_all(b"hi\n").unwrap();
    f.settle();
    let text = f.console_text();
    assert!(
        text.starts_with("\x1b[3") && text.ends_with("mweb\x1b[0m | hi\n"),
        "{text:?}"
    );
}

#[test]
fn messages_of_the_supervisor_come_between_the_lines_and_are_bounded() {
    let mut f = fixture();
    f.logs.say("two\nlines");
    assert_eq!(f.said(), "oneup | two\noneup | lines\n");
    for i in 0..50_000 {
        f.logs.say(&format!("message {i}"));
    }
    let (mut text, mut said_last) = (String::new(), false);
    let start = Instant::now();
    while !text.contains("messages not shown, stderr was not being read\n") {
        assert!(start.elapsed() < DEADLINE);
        text.push_str(&read_available(&mut f.err));
        if !said_last && f.logs.sink.console.is_idle() {
            f.logs.say("last");
            said_last = true;
        }
    }
    assert!(text.len() < 400_000);
}

#[test]
fn a_log_of_its_own_has_times_and_levels() {
    let mut f = fixture();
    f.logs.sink.console.own = Some(OwnLog {
        least: Some(Level::Info),
        colour: false,
        stream: OwnStream::Stdout,
    });
    f.logs.say_at(Level::Debug, "too little");
    f.logs.say_at(Level::Info, "two\nlines");
    f.logs.say("a warning");
    let said = f.said();
    let lines: Vec<&str> = said.lines().map(|line| line.split_at(27).1).collect();
    assert_eq!(
        lines,
        ["  INFO two", "  INFO lines", "  WARN a warning"],
        "{said}"
    );
    assert!(
        said.starts_with("20") && said.as_bytes()[26] == b'Z',
        "{said}"
    );
}

#[test]
fn a_line_that_did_not_come_by_a_pipe() {
    let mut f = fixture();
    f.logs.open("web", &shown(10));
    f.logs.match_line("key", "web", "b.d").unwrap();
    let line = Given {
        stream: Stream::Syslog,
        pid: 7,
        text: b"bad news\n",
    };
    assert_eq!(f.logs.append("web", &line, WALL), ["key"]);
    assert!(f.logs.append("nobody", &line, WALL).is_empty());
    f.settle();
    assert_eq!(f.console_text(), "web | bad news\n");
    let records = f.read(LogQuery::default());
    assert_eq!(records.len(), 1);
    assert_eq!(
        (&records[0]["stream"], &records[0]["pid"]),
        (&json!("syslog"), &json!(7))
    );
}

/// Content of `name`, `name.1` … oldest first.
fn rotated(f: &Fixture, name: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<Vec<u8>> = (1..)
        .map(|n| f.folder.join(format!("{name}.{n}")))
        .take_while(|path| path.exists())
        .map(|path| fs::read(path).unwrap())
        .collect();
    files.reverse();
    files.push(f.content(name));
    files
}

#[test]
fn files_rotate_between_lines_and_lose_nothing() {
    let mut f = fixture();
    let opened = f.file_options("web.log", 10_000, 10_000, LogFormat::Text);
    f.logs.open("web", &opened);
    let (mut out, mut err) = f.ends("web");
    let mut expected = Vec::new();
    for i in 0..3000usize {
        let line = format!("{i} {}\n", "w".repeat(i * 7 % 300));
        expected.extend_from_slice(line.as_bytes());
        let to = if i % 2 == 0 { &mut out } else { &mut err };
        to.write_all(line.as_bytes()).unwrap();
        if i % 2 == 0 || i % 5 == 0 {
            f.settle();
        } else {
            f.logs.drain("web", WALL);
        }
    }
    f.settle();
    let files = rotated(&f, "web.log");
    assert!(files.len() > 40);
    for file in &files {
        assert!(file.len() <= 10_000 && file.ends_with(b"\n"));
    }
    assert!(files[..files.len() - 1]
        .iter()
        .all(|file| file.len() > 9_600));
    assert_eq!(files.concat(), expected);
}

#[test]
fn a_split_file_has_pieces_of_one_size_and_begins_anew_with_each_start() {
    let mut f = fixture();
    let mut opened = f.file_options("out.log", 50, 5, LogFormat::Text);
    opened.file.as_mut().unwrap().split = Some(Split { stamp: false });
    f.logs.open("web", &opened);
    let (mut out, _err) = f.ends("web");
    fs::write(f.folder.join("out.log"), "of another run").unwrap();
    fs::write(f.folder.join("out.log.2"), "of another run").unwrap();
    fs::write(f.folder.join("out.log.11"), "of another run").unwrap();
    f.logs.begin("web");
    assert_eq!(f.content("out.log"), b"");
    for i in 1..=100 {
        writeln!(out, "{i:04}").unwrap();
        if i % 7 == 0 {
            f.settle();
        }
    }
    f.settle();
    let tens = |i: usize| -> String { (1..=10).map(|n| format!("{:04}\n", 10 * i + n)).collect() };
    assert_eq!(f.content("out.log"), tens(0).into_bytes());
    for i in 1..10 {
        assert_eq!(f.content(&format!("out.log.{i}")), tens(i).into_bytes());
    }
    assert_eq!(f.content("out.log.10"), b"", "ready for what comes");
    assert_eq!(f.content("out.log.11"), b"of another run");
    // Bytes are cut wherever the size is reached, also inside a line.
    f.logs.begin("web");
    assert_eq!(f.content("out.log"), b"");
    out.write_all(&[b'x'; 120]).unwrap();
    out.write_all(b"\n").unwrap();
    f.settle();
    assert_eq!(f.content("out.log"), [b'x'; 50]);
    assert_eq!(f.content("out.log.1"), [b'x'; 50]);
    assert_eq!(f.content("out.log.2"), b"xxxxxxxxxxxxxxxxxxxx\n");
    assert_eq!(f.content("out.log.3"), tens(3).into_bytes(), "not reached");
}

#[test]
fn pieces_can_have_the_time_of_the_start_in_their_names() {
    let mut f = fixture();
    let mut opened = f.file_options("out.log", 10, 5, LogFormat::Text);
    opened.file.as_mut().unwrap().split = Some(Split { stamp: true });
    f.logs.open("web", &opened);
    let (mut out, _err) = f.ends("web");
    f.logs.begin("web");
    out.write_all(b"123456789\nabc\n").unwrap();
    f.settle();
    let mut names: Vec<String> = fs::read_dir(&f.folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("out.log"))
        .collect();
    names.sort();
    let [first, second] = &names[..] else {
        panic!("{names:?}");
    };
    let seconds: u64 = first.strip_prefix("out.log.").unwrap().parse().unwrap();
    assert!(seconds > 1_700_000_000);
    assert_eq!(*second, format!("{first}.1"));
    assert_eq!(f.content(first), b"123456789\n");
    assert_eq!(f.content(second), b"abc\n");
}

#[test]
fn a_large_burst_rotates_on_the_way_and_old_files_go() {
    let mut f = fixture();
    let opened = f.file_options("web.log", 50_000, 3, LogFormat::Text);
    f.logs.open("web", &opened);
    fs::write(f.folder.join("web.log.4"), "from when keep was larger").unwrap();
    fs::write(f.folder.join("web.log.5"), "the same").unwrap();
    let (mut out, _err) = f.ends("web");
    let text: String = (0..100_000).map(|i| format!("{i}\n")).collect();
    let data = text.clone();
    let writer = thread::spawn(move || out.write_all(data.as_bytes()).unwrap());
    f.pump(|_| writer.is_finished());
    f.settle();
    let files = rotated(&f, "web.log");
    assert_eq!(files.len(), 4);
    assert!(files.iter().all(|file| file.len() <= 50_000));
    assert!(text.as_bytes().ends_with(&files.concat()));
}

#[test]
fn a_line_longer_than_a_file_may_be_is_cut_between_files_and_no_other() {
    let mut f = fixture();
    let opened = f.file_options("web.log", 100_000, 100, LogFormat::Text);
    f.logs.open("web", &opened);
    let (mut out, _err) = f.ends("web");
    let long = [b"l".repeat(450_000), b"\n".to_vec()].concat();
    let data = [
        &b"short\n"[..],
        &long,
        b"short too\n",
        &b"m".repeat(60_000),
        b"\n",
    ]
    .concat();
    let expected = data.clone();
    let writer = thread::spawn(move || out.write_all(&data).unwrap());
    f.pump(|_| writer.is_finished());
    f.settle();
    let files = rotated(&f, "web.log");
    assert_eq!(files.concat(), expected);
    assert!(files.iter().all(|file| file.len() <= 200_000));
    assert!(files.last().unwrap().ends_with(b"m\n"));
}

#[test]
fn keep_zero_starts_over() {
    let mut f = fixture();
    let opened = f.file_options("web.log", 100, 0, LogFormat::Text);
    f.logs.open("web", &opened);
    let (mut out, _err) = f.ends("web");
    for i in 0..50 {
        writeln!(out, "{i:09}").unwrap();
        f.settle();
    }
    assert_eq!(rotated(&f, "web.log").len(), 1);
    assert_eq!(f.content("web.log").len(), 100);
}

#[test]
fn a_file_that_others_moved_or_truncated_is_left_to_them() {
    let mut f = fixture();
    let opened = f.file_options("web.log", 100, 5, LogFormat::Text);
    f.logs.open("web", &opened);
    let (mut out, _err) = f.ends("web");
    let mut say = |f: &mut Fixture, text: &str| {
        writeln!(out, "{text:>49}").unwrap();
        f.settle();
    };
    say(&mut f, "1");
    let (path, moved) = (f.folder.join("web.log"), f.folder.join("moved"));
    fs::rename(&path, &moved).unwrap();
    say(&mut f, "2");
    assert_eq!(f.content("moved").len(), 100);
    say(&mut f, "3");
    assert_eq!(f.content("web.log").len(), 50);
    fs::File::create(&path).unwrap();
    say(&mut f, "4");
    say(&mut f, "5");
    assert_eq!(f.content("web.log").len(), 100);
    assert!(!f.folder.join("web.log.1").exists());
}

#[test]
fn a_full_disk_costs_counted_lines_and_nothing_else() {
    // A mount of its own needs root; the other refusals are tested without.
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    join(thread::spawn(|| {
        let mut f = fixture();
        if !mount_small(&f.folder) {
            return;
        }
        for format in [LogFormat::Text, LogFormat::Json] {
            fill_and_free(&mut f, format);
        }
        nix::mount::umount(&f.folder).unwrap();
    }));
}

/// A tmpfs of 64 KiB that only this thread sees.
fn mount_small(folder: &Path) -> bool {
    use nix::mount::{mount, MsFlags};
    use nix::sched::{unshare, CloneFlags};
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    unshare(CloneFlags::CLONE_NEWNS).is_ok()
        && mount(None::<&str>, "/", None::<&str>, private, None::<&str>).is_ok()
        && mount(
            Some("tmpfs"),
            folder,
            Some("tmpfs"),
            MsFlags::empty(),
            Some("size=64k"),
        )
        .is_ok()
}

fn fill_and_free(f: &mut Fixture, format: LogFormat) {
    let opened = f.file_options("web.log", 0, 5, format);
    f.logs.open("web", &opened);
    let (mut out, _err) = f.ends("web");
    fs::write(f.folder.join("ballast"), vec![0; 32 << 10]).unwrap();
    let mut written = 0;
    for i in 0..2000 {
        writeln!(out, "line {i:095}").unwrap();
        written += 1;
        f.settle();
    }
    assert!(f.content("web.log").len() <= 64 << 10);
    fs::remove_file(f.folder.join("ballast")).unwrap();
    // The next try comes with a line, some time later.
    let start = Instant::now();
    let recovered = loop {
        writeln!(out, "line {written:095}").unwrap();
        written += 1;
        f.settle();
        let text = String::from_utf8(f.content("web.log")).unwrap();
        let lost: Vec<&str> = text.lines().filter(|line| line.contains("lost")).collect();
        if let Some(lost) = lost.first() {
            break (*lost).to_owned();
        }
        assert!(start.elapsed() < DEADLINE);
        thread::sleep(Duration::from_millis(5));
    };
    let lost: usize = match format {
        LogFormat::Text => {
            assert!(recovered.ends_with("lost here: No space left on device (ENOSPC)"));
            recovered.split(' ').nth(1).unwrap().parse().unwrap()
        }
        LogFormat::Json => {
            let record: Value = serde_json::from_str(&recovered).unwrap();
            usize::try_from(record["lost_lines"].as_u64().unwrap()).unwrap()
        }
    };
    // One line may be there in part, at the moment the disk was full.
    let text = String::from_utf8(f.content("web.log")).unwrap();
    let is_whole = |line: &&str| match format {
        LogFormat::Text => line.starts_with("line ") && line.len() == 100,
        LogFormat::Json => line.contains("\"line\":\"line ") && line.ends_with('}'),
    };
    let whole = text.lines().filter(is_whole).count();
    assert_eq!(whole + lost, written, "{recovered}");
    let said = f.said();
    assert!(said.contains("log of web: cannot write "), "{said}");
    assert!(said.contains("No space left on device (ENOSPC)"), "{said}");
    assert!(said.contains("can be written again"), "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
    f.logs.close("web", WALL);
    fs::remove_file(f.folder.join("web.log")).unwrap();
}

#[test]
fn files_that_cannot_be_written_are_tried_again_without_haste() {
    let mut f = fixture();
    fs::write(f.folder.join("file"), "not a folder").unwrap();
    let opened = f.file_options("file/web.log", 0, 5, LogFormat::Text);
    f.logs.open("web", &opened);
    let (mut out, _err) = f.ends("web");
    for _ in 0..100 {
        out.write_all(b"lost\n").unwrap();
        f.settle();
    }
    assert_eq!(f.lines().len(), 100);
    let said = f.said();
    assert!(said.contains("Not a directory (ENOTDIR)"), "{said}");
    assert_eq!(said.lines().count(), 1);
    fs::remove_file(f.folder.join("file")).unwrap();
    let start = Instant::now();
    while f.content("file/web.log").is_empty() {
        assert!(start.elapsed() < DEADLINE);
        out.write_all(b"found\n").unwrap();
        f.settle();
        thread::sleep(Duration::from_millis(5));
    }
    let text = String::from_utf8(f.content("file/web.log")).unwrap();
    assert!(
        text.starts_with("oneup: ") && text.ends_with("found\n"),
        "{text}"
    );
}

#[test]
fn a_fifo_without_reader_and_a_full_device_block_nothing() {
    let mut f = fixture();
    let fifo = f.folder.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let opened = f.file_options("fifo", 10, 5, LogFormat::Text);
    f.logs.open("fifo", &opened);
    let full = LogFile {
        path: "/dev/full".into(),
        ..opened.file.clone().unwrap()
    };
    f.logs.open(
        "full",
        &LogOptions {
            file: Some(full),
            ..options(10)
        },
    );
    for name in ["fifo", "full"] {
        let (mut out, _err) = f.ends(name);
        out.write_all(b"a line that is too long for the file\n")
            .unwrap();
        f.settle();
    }
    let said = f.said();
    assert!(said.contains("ENXIO") && said.contains("ENOSPC"), "{said}");
    assert_eq!(f.lines().len(), 2);
}

#[test]
fn streams_that_share_a_file_do_not_mix_their_lines() {
    let mut f = fixture();
    let opened = f.file_options("web.log", 0, 5, LogFormat::Text);
    f.logs.open("web", &opened);
    let (mut out, mut err) = f.ends("web");
    out.write_all(b"out 1 ").unwrap();
    f.settle();
    err.write_all(b"err 1\n").unwrap();
    f.settle();
    out.write_all(b"ends\n").unwrap();
    f.settle();
    assert_eq!(f.content("web.log"), b"err 1\nout 1 ends\n");
    // A line too long to be kept back is broken, not mixed.
    out.write_all(&b"L".repeat(40_000)).unwrap();
    f.settle();
    err.write_all(b"err 2\n").unwrap();
    f.settle();
    out.write_all(b"\n").unwrap();
    f.settle();
    let text = String::from_utf8(f.content("web.log")).unwrap();
    assert!(text.contains("L\nerr 2\nL"), "broken once");
    assert_eq!(text.matches('L').count(), 40_000);
}

#[test]
fn a_former_supervisors_half_line_is_ended_first() {
    let mut f = fixture();
    fs::write(f.folder.join("web.log"), "half").unwrap();
    let opened = f.file_options("web.log", 0, 5, LogFormat::Text);
    f.logs.open("web", &opened);
    let (mut out, _err) = f.ends("web");
    out.write_all(b"whole\n").unwrap();
    f.settle();
    assert_eq!(f.content("web.log"), b"half\nwhole\n");
}

#[test]
fn closed_ends_and_orphans_neither_spin_nor_hold_anything_up() {
    let mut f = fixture();
    f.logs.open("web", &options(10));
    let (out, err) = f.ends("web");
    drop((out, err));
    let mut fds = [PollFd::new(f.logs.fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, 0u8).unwrap(), 0, "nothing to do");
    // Somebody goes on writing while its parent is buried: what is there is read, no more.
    let (mut orphan, _err) = f.ends("web");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let told = stop.clone();
    let writer = thread::spawn(move || {
        // More than the ring holds in any case.
        let mut count = 0;
        while count < 20 || !told.load(Ordering::Relaxed) {
            orphan.write_all(b"on and on\n").unwrap();
            count += 1;
        }
    });
    f.pump(|logs| logs.slots[0].as_ref().unwrap().ring.is_some());
    for _ in 0..100 {
        f.logs.drain("web", WALL);
    }
    stop.store(true, Ordering::Relaxed);
    f.pump(|_| writer.is_finished());
    // What it wrote last may still be in the pipe.
    f.settle();
    assert_eq!(f.lines().len(), 11);
}

#[test]
fn descriptor_numbers_used_again_belong_to_the_new_log() {
    let mut f = fixture();
    for i in 0..200 {
        let name = format!("s{i}");
        f.logs.open(&name, &options(10));
        let (mut out, mut err) = f.ends(&name);
        write!(out, "to {name}").unwrap();
        writeln!(err, "to {name}").unwrap();
        if i % 3 == 0 {
            f.logs.on_readable(WALL);
        }
        if i % 2 == 0 {
            f.logs.close(&name, WALL);
            f.logs.open("next", &options(1000));
            let (mut out, _err) = f.ends("next");
            writeln!(out, "to next").unwrap();
            f.settle();
        }
    }
    f.settle();
    for record in f.read(LogQuery::default()) {
        let service = record["service"].as_str().unwrap();
        assert_eq!(record["line"], format!("to {service}"));
    }
    assert_eq!(f.logs.large_pipes, 0);
}

#[test]
fn a_chatty_service_does_not_keep_others_waiting() {
    let mut f = fixture();
    f.logs.open("chatty", &options(10));
    f.logs.open("quiet", &options(10));
    let (mut chatty, _err) = f.ends("chatty");
    let (mut quiet, _err) = f.ends("quiet");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let told = stop.clone();
    let writer = thread::spawn(move || {
        let text = b"lots of it\n".repeat(10_000);
        while !told.load(Ordering::Relaxed) {
            chatty.write_all(&text).unwrap();
        }
    });
    f.pump(|logs| logs.slots[0].as_ref().unwrap().ring.is_some());
    for i in 0..50 {
        writeln!(quiet, "{i}").unwrap();
        let mut turns = 0;
        let last = |logs: &Logs| {
            let query = LogQuery {
                logs: Some(vec!["quiet".into()]),
                ..LogQuery::default()
            };
            texts(&read_with(logs, query, 1 << 20)).pop()
        };
        while last(&f.logs) != Some(i.to_string()) {
            f.logs.on_readable(WALL);
            turns += 1;
            assert!(turns <= 2, "{turns} turns");
        }
    }
    stop.store(true, Ordering::Relaxed);
    f.pump(|_| writer.is_finished());
}

#[test]
fn a_torrent_is_read_in_large_pieces_and_its_end_is_not_late() {
    let mut f = fixture();
    f.logs.open("web", &options(10));
    let (mut out, _err) = f.ends("web");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let told = stop.clone();
    let writer = thread::spawn(move || {
        while !told.load(Ordering::Relaxed) {
            out.write_all(&b"some words in a line of fifty bytes, line break at\n".repeat(20))
                .unwrap();
        }
        out.write_all(b"the end\n").unwrap();
        out
    });
    // Whoever gets the processor when: at some time it is busy enough for both.
    let mut rested = false;
    f.pump(|logs| {
        rested |= !logs.resting.is_empty();
        rested && logs.large_pipes == 1
    });
    stop.store(true, Ordering::Relaxed);
    f.pump(|_| writer.is_finished());
    f.settle();
    assert_eq!(f.lines().last().unwrap(), "the end");
    // Then it is read at once again, and nothing wakes up any more.
    let mut out = join(writer);
    for i in 0..3 {
        writeln!(out, "{i}").unwrap();
        f.logs.on_readable(WALL + 1000.0);
        f.settle();
    }
    writeln!(out, "last").unwrap();
    f.logs.on_readable(WALL + 2000.0);
    assert_eq!(f.lines().last().unwrap(), "last");
    let mut fds = [PollFd::new(f.logs.fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, 20u8).unwrap(), 0);
    f.logs.close("web", WALL);
    assert_eq!(f.logs.large_pipes, 0);
}

#[test]
fn a_match_is_told_once() {
    let mut f = fixture();
    f.logs
        .match_line("ready", "web", "^listening on [0-9]+$")
        .unwrap();
    f.logs.match_line("other", "web", "never").unwrap();
    assert!(f.logs.match_line("bad", "web", "(").is_err());
    f.logs.open("web", &options(10));
    let (mut out, mut err) = f.ends("web");
    out.write_all(b"starting\nlistening on 80").unwrap();
    assert!(f.settle().is_empty());
    err.write_all(b"listening on 8080\nlistening on 8081\n")
        .unwrap();
    assert_eq!(f.settle(), ["ready"]);
    f.logs.match_line("last words", "web", "80$").unwrap();
    assert_eq!(f.logs.drain("web", WALL), ["last words"]);
    f.logs.unmatch("other");
    assert!(!f.logs.slots[0].as_ref().unwrap().matched_for);
    // A brain that was lost with its match asks again, and sees what came meanwhile.
    f.logs.note_pid("web", 7);
    out.write_all(b"up since pid 7\n").unwrap();
    f.settle();
    assert_eq!(f.logs.has_matched("web", 7, "^up"), Ok(true));
    assert_eq!(f.logs.has_matched("web", 8, "^up"), Ok(false));
    assert_eq!(f.logs.has_matched("none", 7, "^up"), Ok(false));
    assert!(f.logs.has_matched("web", 7, "(").is_err());
    f.logs.match_line("x", "web", ".").unwrap();
    f.logs.unmatch_all();
    out.write_all(b"y\n").unwrap();
    assert!(f.settle().is_empty());
}

#[test]
fn a_log_that_never_wrote_costs_next_to_nothing() {
    assert!(
        std::mem::size_of::<Log>() <= 112,
        "{}",
        std::mem::size_of::<Log>()
    );
    assert!(std::mem::size_of::<[Pipe; 2]>() <= 96);
}

#[test]
fn options_can_change() {
    let mut f = fixture();
    f.logs.open("web", &options(100));
    let (mut out, _err) = f.ends("web");
    for i in 0..50 {
        writeln!(out, "{i}").unwrap();
    }
    f.settle();
    f.logs.open("web", &shown(5));
    assert_eq!(f.lines(), ["lost 45", "45", "46", "47", "48", "49"]);
    let with_file = f.file_options("web.log", 0, 0, LogFormat::Text);
    f.logs.open("web", &with_file);
    writeln!(out, "50").unwrap();
    f.settle();
    assert_eq!(f.content("web.log"), b"50\n");
    assert!(f.logs.write_ends("none").is_err());
    assert!(f.logs.close("none", WALL).is_empty());
}

#[test]
fn entries_and_lines_say_nothing_of_what_was_lost() {
    let mut f = fixture();
    let options = LogOptions {
        lines: 3,
        console: false,
        file: None,
    };
    f.logs.open("web", &options);
    let (mut out, _err) = f.ends("web");
    for line in 0..5 {
        writeln!(out, "line {line}").unwrap();
        f.settle();
    }
    let read = |format| read_as(format, &f.logs, LogQuery::default(), 1 << 20);
    assert_eq!(texts(&read(StreamFormat::Array))[0], "lost 2");
    let entries = read(StreamFormat::Entries);
    assert_eq!(
        entries[0],
        serde_json::json!({"timestamp_ms": 1_700_000_000_000_u64, "service": "web",
            "stream": "stdout", "content": "line 2"})
    );
    assert_eq!(entries.len(), 3);
    let lines = read(StreamFormat::Lines);
    assert_eq!(lines[2], "1700000000000 [stdout] line 4");
    assert_eq!(lines.len(), 3);
}
