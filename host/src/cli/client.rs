//! The client of the control socket: one request, one connection, blocking. A verb makes one or
//! two calls, so that starting a runtime for them would cost more than they do.

use crate::characters;
use nix::{
    errno::Errno,
    sys::{
        socket::{
            connect, setsockopt, socket, sockopt, AddressFamily, SockFlag, SockType, UnixAddr,
        },
        time::{TimeVal, TimeValLike},
    },
};
use serde_json::{json, Value};
use std::{
    io::{self, ErrorKind, Read, Write},
    os::{fd::AsRawFd, unix::net::UnixStream},
    time::{Duration, Instant},
};

const HEAD_MAX: usize = 64 << 10;
const BODY_MAX: usize = 256 << 20;
const PIECE: usize = 64 << 10;

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpCall {
    pub socket: String,
    pub method: String,
    /// Path and query, encoded.
    pub target: String,
    pub body: Option<String>,
    /// 0: no limit.
    pub timeout_ms: f64,
}

/// `{status, contentType, body}`, or `{error, message}`.
pub fn request(call: &HttpCall) -> Value {
    answer(exchange(call, None))
}

/// The same, but a body with status 200 goes piece by piece to `on_text`, until that returns
/// false. Pieces are cut anywhere but inside a character.
pub fn stream(call: &HttpCall, on_text: &mut dyn FnMut(&str) -> bool) -> Value {
    answer(exchange(call, Some(on_text)))
}

/// One line out, one line back.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LineCall {
    pub socket: String,
    /// Without its line break.
    pub text: String,
    /// 0: no limit.
    pub connect_timeout_ms: f64,
    /// For the answer to come, once the line is sent. 0: no limit.
    pub timeout_ms: f64,
}

/// `{text}`, or `{error, message, connected}`.
pub fn call_line(call: &LineCall) -> Value {
    let mut connected = false;
    let result = exchange_line(call, &mut connected);
    told(result.map(|text| json!({ "text": text })), connected)
}

fn told(result: io::Result<Value>, connected: bool) -> Value {
    result.unwrap_or_else(|error| {
        let (name, message) = explain(&error);
        json!({ "error": name, "message": message, "connected": connected })
    })
}

fn exchange_line(call: &LineCall, connected: &mut bool) -> io::Result<String> {
    let mut connection = Connection::open(&call.socket, call.connect_timeout_ms)?;
    *connected = true;
    connection.give(call.timeout_ms)?;
    connection.write(format!("{}\n", call.text).as_bytes())?;
    connection.read_line()
}

/// One message out, to the end of our side, and all that comes back, to the end of theirs.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageCall {
    pub socket: String,
    /// A character from U+0000 to U+00FF for each byte.
    pub bytes: String,
    /// 0: no limit.
    pub timeout_ms: f64,
}

/// `{bytes}`, or `{error, message, connected}`.
pub fn call_message(call: &MessageCall) -> Value {
    let mut connected = false;
    let result = exchange_message(call, &mut connected);
    told(
        result.map(|bytes| json!({ "bytes": characters::of_bytes(&bytes) })),
        connected,
    )
}

fn exchange_message(call: &MessageCall, connected: &mut bool) -> io::Result<Vec<u8>> {
    let bytes = characters::to_bytes(&call.bytes).ok_or(ErrorKind::InvalidInput)?;
    let mut connection = Connection::open(&call.socket, call.timeout_ms)?;
    *connected = true;
    connection.write(&bytes)?;
    connection.stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = Vec::new();
    connection.read_body(Framing::UntilEnd, &mut |bytes| {
        if answer.len() + bytes.len() > BODY_MAX {
            let what = "the answer is longer than 256 MiB";
            return Err(io::Error::new(ErrorKind::FileTooLarge, what));
        }
        answer.extend_from_slice(bytes);
        Ok(true)
    })?;
    Ok(answer)
}

struct Answer {
    status: u16,
    content_type: String,
    body: String,
}

fn answer(result: io::Result<Answer>) -> Value {
    match result {
        Ok(answer) => json!({
            "status": answer.status,
            "contentType": answer.content_type,
            "body": answer.body,
        }),
        Err(error) => host_error(&error),
    }
}

/// `{error, message}`.
pub fn host_error(error: &io::Error) -> Value {
    let (name, message) = explain(error);
    json!({ "error": name, "message": message })
}

fn explain(error: &io::Error) -> (String, String) {
    let errno = match (error.raw_os_error(), error.kind()) {
        (Some(code), _) => Errno::from_raw(code),
        (_, ErrorKind::UnexpectedEof) => Errno::ECONNRESET,
        (_, ErrorKind::FileTooLarge) => Errno::EFBIG,
        _ => Errno::EPROTO,
    };
    let message = match error.raw_os_error() {
        Some(_) => errno.desc().to_owned(),
        None => error.to_string(),
    };
    // What the kernel calls a wait that took too long.
    match errno {
        Errno::EAGAIN => ("ETIMEDOUT".into(), Errno::ETIMEDOUT.desc().into()),
        _ => (format!("{errno:?}"), message),
    }
}

type OnText<'a> = &'a mut dyn FnMut(&str) -> bool;

fn exchange(call: &HttpCall, on_text: Option<OnText>) -> io::Result<Answer> {
    let mut connection = Connection::open(&call.socket, call.timeout_ms)?;
    connection.send(call)?;
    let head = connection.read_head()?;
    let mut collected = Vec::new();
    match on_text {
        Some(on_text) if head.status == 200 => {
            let mut text = Utf8Pieces::default();
            connection.read_body(head.framing, &mut |bytes| Ok(text.feed(bytes, on_text)))?;
        }
        _ => connection.read_body(head.framing, &mut |bytes| {
            if collected.len() + bytes.len() > BODY_MAX {
                let what = "the answer is longer than 256 MiB";
                return Err(io::Error::new(ErrorKind::FileTooLarge, what));
            }
            collected.extend_from_slice(bytes);
            Ok(true)
        })?,
    }
    let body = String::from_utf8(collected)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Ok(Answer {
        status: head.status,
        content_type: head.content_type,
        body,
    })
}

struct Connection {
    stream: UnixStream,
    deadline: Option<Instant>,
    /// Read and not yet used: `buffer[start..end]`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

struct Head {
    status: u16,
    content_type: String,
    framing: Framing,
}

enum Framing {
    Length(u64),
    Chunked,
    UntilEnd,
}

/// How long, and until when; no deadline for 0.
fn patience(timeout_ms: f64) -> (Duration, Option<Instant>) {
    let patience = Duration::try_from_secs_f64(timeout_ms / 1000.0).unwrap_or_default();
    let deadline = (!patience.is_zero()).then(|| Instant::now() + patience);
    (patience, deadline)
}

type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> io::Result<bool>;

impl Connection {
    fn open(path: &str, timeout_ms: f64) -> io::Result<Connection> {
        let (patience, deadline) = patience(timeout_ms);
        let address = UnixAddr::new(path)?;
        let fd = socket(
            AddressFamily::Unix,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC,
            None,
        )?;
        if deadline.is_some() {
            // Also bounds the wait for a supervisor that accepts nobody.
            let patience = TimeVal::microseconds(i64::try_from(patience.as_micros()).unwrap_or(0));
            setsockopt(&fd, sockopt::SendTimeout, &patience)?;
        }
        connect(fd.as_raw_fd(), &address)?;
        Ok(Connection {
            stream: UnixStream::from(fd),
            deadline,
            buffer: vec![0; PIECE],
            start: 0,
            end: 0,
        })
    }

    /// From now on so much time for all that follows.
    fn give(&mut self, timeout_ms: f64) -> io::Result<()> {
        let (patience, deadline) = patience(timeout_ms);
        self.deadline = deadline;
        // One write: what it waits for cannot be longer.
        let patience = deadline.map(|_| patience);
        self.stream.set_write_timeout(patience)
    }

    /// Up to the first line break, which is left out.
    fn read_line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        loop {
            let piece = self.start..self.end;
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[piece.clone()]) {
                line.extend_from_slice(&self.buffer[self.start..self.start + at]);
                self.start += at + 1;
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            if line.len() + piece.len() > BODY_MAX {
                let what = "the answer is longer than 256 MiB";
                return Err(io::Error::new(ErrorKind::FileTooLarge, what));
            }
            line.extend_from_slice(&self.buffer[piece]);
            self.start = self.end;
            if !self.fill()? {
                return Err(cut_off());
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.stream.write_all(bytes) {
            // It may have refused already, and said why.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    fn send(&mut self, call: &HttpCall) -> io::Result<()> {
        let body = call.body.as_deref().unwrap_or("");
        let mut text = format!(
            "{} {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\naccept: */*\r\n",
            call.method, call.target
        );
        if call.body.is_some() {
            text.push_str("content-type: application/json\r\n");
        }
        if call.body.is_some() || call.method != "GET" {
            text.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(body);
        self.write(text.as_bytes())
    }

    /// Reads more behind what is there; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.buffer.len() {
            return Err(broken("the supervisor's answer has too long a head"));
        }
        loop {
            if let Some(deadline) = self.deadline {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(Errno::ETIMEDOUT.into());
                }
                self.stream.set_read_timeout(Some(left))?;
            }
            match self.stream.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn held(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    fn read_head(&mut self) -> io::Result<Head> {
        loop {
            if let Some((head, length)) = parse_head(self.held())? {
                self.start += length;
                // 100 Continue and its like come before the answer.
                if head.status >= 200 {
                    return Ok(head);
                }
                continue;
            }
            if self.held().len() >= HEAD_MAX || !self.fill()? {
                return Err(cut_off());
            }
        }
    }

    fn read_body(&mut self, framing: Framing, sink: Sink) -> io::Result<()> {
        match framing {
            Framing::Length(length) => self.read_exactly(length, sink).map(drop),
            Framing::Chunked => self.read_chunks(sink),
            Framing::UntilEnd => {
                while !self.held().is_empty() || self.fill()? {
                    let piece = self.start..self.end;
                    self.start = self.end;
                    if !sink(&self.buffer[piece])? {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    /// False: the sink wants no more.
    fn read_exactly(&mut self, length: u64, sink: Sink) -> io::Result<bool> {
        let mut left = length;
        while left > 0 {
            if self.held().is_empty() && !self.fill()? {
                return Err(cut_off());
            }
            let count = (self.held().len() as u64).min(left) as usize;
            let piece = self.start..self.start + count;
            self.start += count;
            left -= count as u64;
            if !sink(&self.buffer[piece])? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn read_chunks(&mut self, sink: Sink) -> io::Result<()> {
        loop {
            let length = self.read_chunk_head()?;
            if length == 0 {
                // Trailers do not matter, nor whether they come: the body is whole.
                return Ok(());
            }
            if !self.read_exactly(length, sink)? {
                return Ok(());
            }
            self.read_exactly(2, &mut |_| Ok(true))?;
        }
    }

    fn read_chunk_head(&mut self) -> io::Result<u64> {
        loop {
            match httparse::parse_chunk_size(self.held()) {
                Ok(httparse::Status::Complete((length, size))) => {
                    self.start += length;
                    return Ok(size);
                }
                Ok(httparse::Status::Partial) if self.held().len() < 1024 => {
                    if !self.fill()? {
                        return Err(cut_off());
                    }
                }
                _ => return Err(broken("the supervisor's answer is wrongly framed")),
            }
        }
    }
}

/// The head and its length; `None` if it is not all there.
fn parse_head(bytes: &[u8]) -> io::Result<Option<(Head, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut fields);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(broken("what listens there is no supervisor")),
    };
    let field = |name: &str| {
        let found = response
            .headers
            .iter()
            .find(|h| h.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    let status = response.code.unwrap_or(0);
    let framing = if status < 200 || status == 204 || status == 304 {
        Framing::Length(0)
    } else if field("transfer-encoding")
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    {
        Framing::Chunked
    } else {
        match field("content-length").map(str::parse) {
            Some(Ok(length)) => Framing::Length(length),
            Some(Err(_)) => return Err(broken("the supervisor's answer has no valid length")),
            None => Framing::UntilEnd,
        }
    };
    let head = Head {
        status,
        content_type: field("content-type").unwrap_or("").to_owned(),
        framing,
    };
    Ok(Some((head, length)))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

fn cut_off() -> io::Error {
    let what = "the supervisor closed the connection in the middle of its answer";
    io::Error::new(ErrorKind::UnexpectedEof, what)
}

/// Makes text of bytes that are cut anywhere; what is not UTF-8 becomes U+FFFD.
#[derive(Default)]
struct Utf8Pieces {
    /// The beginning of a character.
    rest: Vec<u8>,
}

impl Utf8Pieces {
    /// False: no more is wanted.
    fn feed(&mut self, bytes: &[u8], on_text: OnText) -> bool {
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let keep = unfinished(&all);
        self.rest = all.split_off(all.len() - keep);
        all.is_empty() || on_text(&String::from_utf8_lossy(&all))
    }
}

/// How many bytes at the end are the beginning of a character.
fn unfinished(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let needed = match bytes[bytes.len() - back] {
            0x80..=0xBF => continue,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF7 => 4,
            _ => 1,
        };
        return if back < needed { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{join, DEADLINE};
    use std::{os::unix::net::UnixListener, path::PathBuf, thread};

    /// A socket that gives every client the same bytes, piece by piece, and what was asked of it.
    fn serve(name: &str, pieces: &[&[u8]]) -> (HttpCall, thread::JoinHandle<String>) {
        let path = std::env::temp_dir().join(format!("oneup-client-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.to_vec()).collect();
        let call = HttpCall {
            socket: path.to_str().unwrap().into(),
            method: "GET".into(),
            target: "/v1/services?x=%20".into(),
            ..HttpCall::default()
        };
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // When they pass it closes, and the client is told.
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            stream.set_write_timeout(Some(DEADLINE)).unwrap();
            let mut asked = vec![0; 4096];
            let count = stream.read(&mut asked).unwrap();
            for piece in pieces {
                // The client may want no more.
                if stream.write_all(&piece).is_err() {
                    break;
                }
                thread::yield_now();
            }
            let _ = std::fs::remove_file(PathBuf::from(&path));
            String::from_utf8(asked[..count].to_vec()).unwrap()
        });
        (call, server)
    }

    fn bytewise(text: &[u8]) -> Vec<&[u8]> {
        text.chunks(1).collect()
    }

    #[test]
    fn answers_with_a_length() {
        let (call, server) = serve(
            "length",
            &[b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-length: 5\r\n\r\nhello and more"],
        );
        assert_eq!(
            request(&call),
            json!({"status": 200, "contentType": "text/plain", "body": "hello"})
        );
        let asked = join(server);
        assert!(
            asked.starts_with("GET /v1/services?x=%20 HTTP/1.1\r\nhost: localhost\r\n"),
            "{asked}"
        );
        assert!(!asked.contains("content-length"));
    }

    #[test]
    fn answers_in_chunks_byte_by_byte() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n\
                    5\r\nhallo\r\nD;x=y\r\n, Gr\u{fc}\u{df}e \u{20ac}\r\n0\r\n\r\n";
        let (mut call, server) = serve("chunks", &bytewise(text.as_bytes()));
        call.method = "POST".into();
        call.body = Some("{}".into());
        let answer = request(&call);
        assert_eq!(answer["status"], 404, "{answer}");
        assert_eq!(answer["body"], "hallo, Gr\u{fc}\u{df}e \u{20ac}");
        let asked = join(server);
        assert!(asked.ends_with("content-length: 2\r\n\r\n{}"), "{asked}");
    }

    #[test]
    fn streams_text_and_stops_when_told() {
        let body = "data: \u{20ac}uro\n\n".repeat(3);
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let text = format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let (call, _server) = serve("stream", &bytewise(text.as_bytes()));
        let mut seen = String::new();
        let answer = stream(&call, &mut |piece| {
            seen.push_str(piece);
            true
        });
        assert_eq!((&answer["status"], seen), (&json!(200), body));
        let (call, _server) = serve("stop", &bytewise(text.as_bytes()));
        let mut seen = String::new();
        let answer = stream(&call, &mut |piece| {
            seen.push_str(piece);
            seen.len() < 5
        });
        assert_eq!((&answer["status"], &seen[..5]), (&json!(200), "data:"));
        // Not 200: an answer as any other.
        let (call, _server) = serve("refused", &[b"HTTP/1.1 503 X\r\n\r\nuntil the end"]);
        let answer = stream(&call, &mut |_| panic!("no stream"));
        assert_eq!(answer["body"], "until the end");
    }

    #[test]
    fn failures_have_their_names() {
        let error = |call: &HttpCall| {
            let answer = request(call);
            answer["error"].as_str().unwrap_or_default().to_owned()
        };
        let at = |socket: &str| HttpCall {
            socket: socket.into(),
            method: "GET".into(),
            target: "/".into(),
            ..HttpCall::default()
        };
        assert_eq!(error(&at("/no/such/socket")), "ENOENT");
        assert_eq!(error(&at("/dev/null/socket")), "ENOTDIR");
        assert_eq!(error(&at(&"x".repeat(200))), "ENAMETOOLONG");
        for (name, bytes, expected) in [
            (
                "cut",
                &b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel"[..],
                "ECONNRESET",
            ),
            ("nothing", b"", "ECONNRESET"),
            ("rubbish", b"220 mail ready\r\n", "EPROTO"),
            (
                "length",
                b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
                "EPROTO",
            ),
            (
                "chunk",
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
                "EPROTO",
            ),
        ] {
            let (call, _server) = serve(name, &[bytes]);
            assert_eq!(error(&call), expected, "{name}");
        }
        let (call, server) = serve("dead", &[]);
        assert_eq!(error(&call), "ECONNRESET");
        join(server);
        let listener = {
            let _ = std::fs::remove_file(&call.socket);
            UnixListener::bind(&call.socket).unwrap()
        };
        let mut silent = call.clone();
        silent.timeout_ms = 50.0;
        assert_eq!(error(&silent), "ETIMEDOUT");
        drop(listener);
        assert_eq!(error(&call), "ECONNREFUSED");
        std::fs::remove_file(&call.socket).unwrap();
    }

    #[test]
    fn characters_are_never_cut() {
        for (bytes, rest) in [
            (&b"abc"[..], 0),
            (b"ab\xc3", 1),
            (b"a\xe2\x82", 2),
            (b"\xf0\x9f\x98", 3),
            (b"\xf0\x9f\x98\x80", 0),
            (b"\xe2\x82\xac", 0),
            (b"\x80\x80\x80\x80", 0),
            (b"\xff", 0),
            (b"", 0),
        ] {
            assert_eq!(unfinished(bytes), rest, "{bytes:x?}");
        }
    }

    fn line_call(call: &HttpCall) -> LineCall {
        LineCall {
            socket: call.socket.clone(),
            text: "{\"id\":1}".into(),
            connect_timeout_ms: 10_000.0,
            timeout_ms: 10_000.0,
        }
    }

    #[test]
    fn a_line_is_answered_by_a_line() {
        // More than one piece of the buffer, and something behind the line.
        let long = "x".repeat(200_000);
        let (call, server) = serve("line", &[long.as_bytes(), b"\xff", b"\nmore"]);
        let answer = call_line(&line_call(&call));
        assert_eq!(answer, json!({ "text": format!("{long}\u{fffd}") }));
        assert_eq!(join(server), "{\"id\":1}\n");
    }

    #[test]
    fn who_does_not_answer_was_there_all_the_same() {
        let (call, server) = serve("line-cut", &[b"half"]);
        let answer = call_line(&line_call(&call));
        assert_eq!(
            (&answer["error"], &answer["connected"]),
            (&json!("ECONNRESET"), &json!(true))
        );
        join(server);
        let answer = call_line(&LineCall {
            socket: "/nowhere/at/all".into(),
            ..line_call(&call)
        });
        assert_eq!(
            (&answer["error"], &answer["connected"]),
            (&json!("ENOENT"), &json!(false))
        );
        let path = std::env::temp_dir().join(format!("oneup-silent-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        // Its queue takes the connection, and nobody takes it from there.
        let _silent = UnixListener::bind(&path).unwrap();
        let answer = call_line(&LineCall {
            socket: path.to_str().unwrap().into(),
            timeout_ms: 20.0,
            ..line_call(&call)
        });
        assert_eq!(
            (&answer["error"], &answer["connected"]),
            (&json!("ETIMEDOUT"), &json!(true))
        );
        std::fs::remove_file(&path).unwrap();
    }
}
