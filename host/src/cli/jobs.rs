//! Requests on threads of their own, for a program that goes on meanwhile.

use super::{client, screen::News};
use nix::sys::{
    socket::{connect, setsockopt, socket, sockopt, AddressFamily, SockFlag, SockType, UnixAddr},
    time::{TimeVal, TimeValLike},
};
use serde::Deserialize;
use serde_json::{json, Value};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::{fd::AsRawFd, unix::net::UnixStream},
    sync::mpsc::Sender,
    thread,
    time::Duration,
};

/// At a time; more are refused.
const JOBS_MAX: usize = 16;
const STACK_BYTES: usize = 256 << 10;

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Call {
    Http(client::HttpCall),
    Line(LineCall),
}

impl Call {
    fn answer(&self) -> Value {
        match self {
            Call::Http(call) => client::request(call),
            Call::Line(call) => call_line(call),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct LineCall {
    socket: String,
    text: String,
    timeout_ms: f64,
}

const LINE_MAX: u64 = 64 << 20;

/// One line out, one line back.
fn call_line(call: &LineCall) -> Value {
    match exchange(call) {
        Ok(text) => json!({ "text": text }),
        Err(error) => client::host_error(&error),
    }
}

fn exchange(call: &LineCall) -> io::Result<String> {
    let address = UnixAddr::new(call.socket.as_str())?;
    let flags = SockFlag::SOCK_CLOEXEC;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    let timeout = Duration::from_secs_f64(call.timeout_ms.clamp(1.0, 3.6e6) / 1000.0);
    // Also bounds the wait for a server that accepts nobody.
    let patience = TimeVal::milliseconds(call.timeout_ms.max(1.0) as i64);
    setsockopt(&fd, sockopt::SendTimeout, &patience)?;
    connect(fd.as_raw_fd(), &address)?;
    let mut stream = UnixStream::from(fd);
    stream.set_read_timeout(Some(timeout))?;
    stream.write_all(call.text.as_bytes())?;
    stream.write_all(b"\n")?;
    let mut line = Vec::new();
    BufReader::new(stream)
        .take(LINE_MAX)
        .read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

pub struct Jobs {
    tell: Sender<News>,
    running: usize,
}

impl Jobs {
    pub fn new(tell: Sender<News>) -> Jobs {
        Jobs { tell, running: 0 }
    }

    /// False: there are too many already.
    pub fn submit(&mut self, ticket: u32, call: Call) -> bool {
        if self.running >= JOBS_MAX {
            return false;
        }
        let tell = self.tell.clone();
        let started = thread::Builder::new()
            .name("request".into())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let answer = call.answer();
                // Nobody hears it any more only when the screen is closed.
                let _ = tell.send(json!({"type": "answer", "ticket": ticket, "answer": answer}));
            });
        self.running += usize::from(started.is_ok());
        started.is_ok()
    }

    /// Counts the answers among the news.
    pub fn note(&mut self, news: &News) {
        if news["type"] == "answer" {
            self.running = self.running.saturating_sub(1);
        }
    }
}
