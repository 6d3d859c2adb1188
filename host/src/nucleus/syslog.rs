//! The datagram socket (`/dev/log`) into which programs write log messages as RFC 3164 has them.
//! A message goes into the log whose name is its tag, and nowhere if there is none.
//!
//! Nothing here waits: what is not read in one turn stays in the kernel's queue, whose length is
//! bounded, so that it is the writers who wait.

use super::log::{Given, Logs, Stream};
use nix::errno::Errno;
use std::{
    fs::{self, Permissions},
    io::{self, ErrorKind},
    os::{
        fd::{AsRawFd, RawFd},
        unix::{
            fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
            net::UnixDatagram,
        },
    },
    path::{Path, PathBuf},
};

/// Messages of one turn.
const TURN: usize = 64;
/// What is behind this of a message is left out.
const LONGEST: usize = 8 << 10;
/// A log's name is not longer.
const TAG_MAX: usize = 256;

pub struct Syslog {
    socket: UnixDatagram,
    path: PathBuf,
    /// Device and number of the socket's file, so that a successor's is not removed.
    file: (u64, u64),
    buffer: Vec<u8>,
}

impl Syslog {
    /// Makes the socket, in place of a dead one and never in place of one that lives.
    pub fn open(path: &str) -> io::Result<Syslog> {
        let path = Path::new(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        remove_dead(path)?;
        let socket = UnixDatagram::bind(path)?;
        socket.set_nonblocking(true)?;
        fs::set_permissions(path, Permissions::from_mode(0o666))?;
        let file = fs::symlink_metadata(path)?;
        Ok(Syslog {
            socket,
            path: path.to_owned(),
            file: (file.dev(), file.ino()),
            buffer: vec![0; LONGEST],
        })
    }

    /// Takes in what has come. True: there may be more. The keys are of matched patterns.
    pub fn read(&mut self, logs: &mut Logs, now_wall: f64) -> (bool, Vec<String>) {
        let mut matched = Vec::new();
        for _ in 0..TURN {
            let length = match self.socket.recv(&mut self.buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // Nothing more, or nothing that could be done about it.
                Err(_) => return (false, matched),
            };
            let Some(message) = Message::parse(&self.buffer[..length]) else {
                continue;
            };
            let Ok(tag) = std::str::from_utf8(message.tag) else {
                continue;
            };
            let text = [message.text, b"\n"].concat();
            let line = Given {
                stream: Stream::Syslog,
                pid: message.pid,
                text: &text,
            };
            matched.extend(logs.append(tag, &line, now_wall));
        }
        (true, matched)
    }
}

impl AsRawFd for Syslog {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl Drop for Syslog {
    fn drop(&mut self) {
        let there = fs::symlink_metadata(&self.path);
        if there.is_ok_and(|there| (there.dev(), there.ino()) == self.file) {
            // It is only untidy to leave it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A socket that nobody reads, or a link that leads nowhere, may go; anything else stays.
fn remove_dead(path: &Path) -> io::Result<()> {
    let Ok(there) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    let kind = there.file_type();
    if !kind.is_socket() && !kind.is_symlink() {
        return Err(io::Error::from(Errno::EEXIST));
    }
    match UnixDatagram::unbound()?.connect(path) {
        Err(error)
            if [ErrorKind::ConnectionRefused, ErrorKind::NotFound].contains(&error.kind()) =>
        {
            fs::remove_file(path)
        }
        _ => Err(io::Error::from(Errno::EADDRINUSE)),
    }
}

/// `<38>Jan  9 17:30:00 host sshd[529]: text`, of which only the tag and the text must be there.
#[derive(Debug, PartialEq)]
struct Message<'a> {
    tag: &'a [u8],
    /// 0 if there is none.
    pid: u32,
    text: &'a [u8],
}

impl Message<'_> {
    fn parse(datagram: &[u8]) -> Option<Message<'_>> {
        let message = without_priority(trim(datagram));
        let colon = message.windows(2).position(|pair| pair == b": ")?;
        let (head, text) = (&message[..colon], &message[colon + 2..]);
        let (name, pid) = split_pid(head);
        // In front of it stand the time and the machine's name.
        let tag = name
            .rsplit(u8::is_ascii_whitespace)
            .find(|word| !word.is_empty())?;
        (tag.len() <= TAG_MAX).then_some(Message { tag, pid, text })
    }
}

/// Without white space and the zeros that some end their messages with.
fn trim(bytes: &[u8]) -> &[u8] {
    let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
    let start = bytes
        .iter()
        .position(|byte| !blank(byte))
        .unwrap_or(bytes.len());
    let end = bytes
        .iter()
        .rposition(|byte| !blank(byte))
        .map_or(start, |last| last + 1);
    &bytes[start..end]
}

fn without_priority(message: &[u8]) -> &[u8] {
    match (
        message.first(),
        message.iter().position(|byte| *byte == b'>'),
    ) {
        (Some(b'<'), Some(end)) => &message[end + 1..],
        _ => message,
    }
}

/// `sshd[529]` → `sshd`, 529
fn split_pid(head: &[u8]) -> (&[u8], u32) {
    let open = head.iter().rposition(|byte| *byte == b'[');
    let close = head.iter().rposition(|byte| *byte == b']');
    match (open, close) {
        (Some(open), Some(close)) if open < close => {
            let digits = std::str::from_utf8(&head[open + 1..close]).unwrap_or_default();
            (&head[..open], digits.parse().unwrap_or(0))
        }
        _ => (head, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &[u8]) -> Option<(String, u32, Vec<u8>)> {
        let message = Message::parse(text)?;
        let tag = String::from_utf8_lossy(message.tag).into_owned();
        Some((tag, message.pid, message.text.to_vec()))
    }

    #[test]
    fn messages_of_every_make() {
        let is = |text: &[u8], tag: &str, pid, rest: &[u8]| {
            assert_eq!(
                parsed(text),
                Some((tag.to_owned(), pid, rest.to_vec())),
                "{text:?}"
            );
        };
        is(
            b"<38>Jan  9 17:30:00 mos sshd[529]: Connection from 10.0.0.1",
            "sshd",
            529,
            b"Connection from 10.0.0.1",
        );
        is(b"<38>sshd[529]: a: b", "sshd", 529, b"a: b");
        is(b"kernel: x", "kernel", 0, b"x");
        is(b"  <13>Jan  9 17:30:00 web: x\n\0", "web", 0, b"x");
        is(b"web[x]: y", "web", 0, b"y");
        is(b"2026-01-09T17:30:00Z h web[1]: y", "web", 1, b"y");
        is(b"web: \xff\xfe", "web", 0, b"\xff\xfe");
    }

    #[test]
    fn what_is_no_message_is_none() {
        let long = [&[b'x'; TAG_MAX + 1][..], b": y"].concat();
        let wrong: [&[u8]; 6] = [b"", b"\0\n", b"no colon here", b": no tag", b"<13>", &long];
        for text in wrong {
            assert_eq!(parsed(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_socket_is_open_to_all_and_goes_when_it_is_ours() {
        let folder = std::env::temp_dir().join(format!("oneup-syslog-{}", std::process::id()));
        let path = folder.join("dev/log");
        let text = path.to_str().unwrap();
        let first = Syslog::open(text).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o666);
        let taken = Syslog::open(text).err().unwrap();
        assert_eq!(taken.raw_os_error(), Some(Errno::EADDRINUSE as i32));
        drop(first);
        assert!(!path.exists());
        // Left behind by one that was killed.
        drop(UnixDatagram::bind(&path).unwrap());
        drop(Syslog::open(text).unwrap());
        fs::write(&path, "precious").unwrap();
        assert!(Syslog::open(text).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_dir_all(&folder).unwrap();
    }
}
