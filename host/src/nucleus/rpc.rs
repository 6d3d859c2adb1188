//! JSON-RPC on the control socket: one request a line, one reply a line. Requests of one
//! connection do not wait for each other and replies go out as they come, unless the supervisor
//! was told to take them in order. What a line means, and whether it is JSON at all, is found out
//! by the brain.

use super::http::{Hangup, Peer, ReplyBody, ReplyData, Shared, PROBLEM};
use crate::protocol::{Call, Part, StreamFormat};
use memchr::memchr;
use serde_json::Value;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

const LONGEST_LINE: usize = 1 << 20;
/// Requests of one connection that wait for their replies; then it is not read from. In order: 1.
const MOST_WAITING: usize = 32;

const INVALID_PARAMS: i32 = -32602;

/// Errors that nobody but the nucleus can tell.
struct Errors {
    too_long: i32,
    /// The brain has no answer now.
    server: i32,
    /// The id in answer to what has none.
    nobody: &'static str,
}

const NATIVE: Errors = Errors {
    too_long: -32600,
    server: -32000,
    nobody: "null",
};

/// For clients that know ids as whole numbers only, and -32000 as an answer of the brain's.
const PLAIN: Errors = Errors {
    too_long: -32700,
    server: -32603,
    nobody: "0",
};

pub async fn serve(
    shared: Rc<Shared>,
    stream: UnixStream,
    peer: Peer,
    hangup: Hangup,
    in_order: bool,
) {
    let connection = Rc::new(Connection {
        shared: shared.clone(),
        stream,
        peer,
        writing: Mutex::new(()),
        most_waiting: if in_order { 1 } else { MOST_WAITING },
        errors: if in_order { &PLAIN } else { &NATIVE },
    });
    let mut waiting = JoinSet::new();
    let reading = read_lines(&connection, &mut waiting);
    tokio::select! {
        biased;
        // Read to its end, or not readable: what has been asked is answered.
        _ = reading => {}
        () = hangup.wait() => return,
        () = shared.closed() => {}
    }
    let answering = async { while waiting.join_next().await.is_some() {} };
    tokio::select! {
        () = answering => {}
        () = hangup.wait() => {}
    }
}

struct Connection {
    shared: Rc<Shared>,
    stream: UnixStream,
    peer: Peer,
    /// Held while a line is written.
    writing: Mutex<()>,
    most_waiting: usize,
    errors: &'static Errors,
}

async fn read_lines(connection: &Rc<Connection>, waiting: &mut JoinSet<()>) -> io::Result<()> {
    let mut lines = LineReader::default();
    let mut piece = Box::new([0; 8192]);
    loop {
        while waiting.try_join_next().is_some() {}
        while waiting.len() >= connection.most_waiting {
            waiting.join_next().await;
        }
        let line = match lines.next() {
            Some(line) => line,
            None => match read(&connection.stream, &mut piece[..]).await? {
                0 => match lines.rest() {
                    Some(text) => Ok(text),
                    None => return Ok(()),
                },
                count => {
                    lines.feed(&piece[..count]);
                    continue;
                }
            },
        };
        match line {
            Ok(text) => {
                waiting.spawn_local(answer(connection.clone(), text));
            }
            Err(TooLong) => {
                let what = format!("a request's line may have {LONGEST_LINE} bytes");
                let Errors {
                    too_long, nobody, ..
                } = connection.errors;
                let error = error_of(nobody, *too_long, &what) + "\n";
                connection.write_all(error.as_bytes()).await?;
            }
        }
    }
}

pub async fn read(stream: &UnixStream, place: &mut [u8]) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_read(place) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => return other,
        }
    }
}

/// Asks the brain one line, and writes the reply.
async fn answer(connection: Rc<Connection>, text: String) {
    let call = Call::JsonRpc { text: text.clone() };
    let shared = &connection.shared;
    let reply = shared.ask(connection.peer, call).await;
    // What fails here is the client's connection.
    let _ = connection.reply(&text, reply).await;
}

impl Connection {
    async fn reply(&self, text: &str, reply: ReplyData) -> io::Result<()> {
        if reply.content_type == PROBLEM {
            let Errors { server, nobody, .. } = self.errors;
            let failure = failures(text, *server, &detail(&reply.parts), nobody);
            return self.write_line(failure.as_bytes()).await;
        }
        let parts = reply.parts.into_iter().map(one_line).collect();
        let mut body = match ReplyBody::new(&self.shared, parts) {
            Ok(body) => body,
            Err(wrong) => {
                let failure = failures(text, INVALID_PARAMS, &wrong, self.errors.nobody);
                return self.write_line(failure.as_bytes()).await;
            }
        };
        let _lock = self.writing.lock().await;
        let mut wrote = false;
        while let Some(bytes) = body.next().await {
            self.write_some(&bytes).await?;
            wrote = true;
        }
        if wrote {
            self.write_some(b"\n").await?;
        }
        Ok(())
    }

    async fn write_line(&self, line: &[u8]) -> io::Result<()> {
        if line.is_empty() {
            return Ok(());
        }
        self.write_all(line).await
    }

    async fn write_all(&self, line: &[u8]) -> io::Result<()> {
        let _lock = self.writing.lock().await;
        self.write_some(line).await
    }

    /// The lock must be held.
    async fn write_some(&self, bytes: &[u8]) -> io::Result<()> {
        write(&self.stream, bytes).await
    }
}

pub async fn write(stream: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A part as it can be in one line that has an end.
fn one_line(part: Part) -> Part {
    match part {
        Part::Text { text } if memchr(b'\n', text.as_bytes()).is_some() => Part::Text {
            text: text.replace('\n', " "),
        },
        Part::Logs { mut query, format } => {
            query.follow = false;
            let format = match format {
                StreamFormat::Sse => StreamFormat::Array,
                array => array,
            };
            Part::Logs { query, format }
        }
        Part::Events { mut query, .. } => {
            query.follow = false;
            Part::Events {
                query,
                format: StreamFormat::Array,
            }
        }
        other => other,
    }
}

fn detail(parts: &[Part]) -> String {
    #[derive(serde::Deserialize)]
    struct Problem {
        detail: String,
    }
    match parts {
        [Part::Text { text }] => serde_json::from_str::<Problem>(text)
            .map_or_else(|_| text.clone(), |problem| problem.detail),
        _ => "the supervisor could not answer".to_owned(),
    }
}

/// The same error for everything in a line that wants a reply; empty if nothing does.
fn failures(line: &str, code: i32, message: &str, nobody: &str) -> String {
    let error = |asked: &Value| Some(error_of(&asked.get("id")?.to_string(), code, message));
    let errors: Vec<String> = match serde_json::from_str(line) {
        Ok(Value::Array(batch)) => batch.iter().filter_map(error).collect(),
        Ok(asked) => return error(&asked).map_or(String::new(), |error| error + "\n"),
        Err(_) => return error_of(nobody, code, message) + "\n",
    };
    if errors.is_empty() {
        return String::new();
    }
    format!("[{}]\n", errors.join(","))
}

fn error_of(id: &str, code: i32, message: &str) -> String {
    let mut text = Vec::new();
    super::log::json_string(&mut text, message.as_bytes());
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\":{code},\"message\":{}}}}}",
        String::from_utf8_lossy(&text)
    )
}

#[derive(Debug, PartialEq)]
struct TooLong;

/// Makes lines of what comes in pieces. A line that is too long is told once and left out.
#[derive(Default)]
struct LineReader {
    buffer: Vec<u8>,
    /// Of the buffer: given out, and known to hold no line break.
    taken: usize,
    searched: usize,
    skipping: bool,
}

impl LineReader {
    fn feed(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.taken);
        self.searched -= self.taken;
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    fn next(&mut self) -> Option<Result<String, TooLong>> {
        loop {
            let Some(length) = memchr(b'\n', &self.buffer[self.searched..]) else {
                self.searched = self.buffer.len();
                return self.unfinished();
            };
            let end = self.searched + length;
            let line = &self.buffer[self.taken..end];
            let too_long = line.len() > LONGEST_LINE;
            let text = line.trim_ascii();
            let found = if self.skipping || too_long || text.is_empty() {
                None
            } else {
                Some(String::from_utf8_lossy(text).into_owned())
            };
            self.taken = end + 1;
            self.searched = self.taken;
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if too_long {
                return Some(Err(TooLong));
            }
            if let Some(text) = found {
                return Some(Ok(text));
            }
        }
    }

    /// The last line, where the end stands in place of its line break.
    fn rest(&mut self) -> Option<String> {
        let text = self.buffer.get(self.taken..).unwrap_or_default();
        let line = String::from_utf8_lossy(text.trim_ascii()).into_owned();
        let whole = !self.skipping && !line.is_empty();
        *self = LineReader::default();
        whole.then_some(line)
    }

    fn unfinished(&mut self) -> Option<Result<String, TooLong>> {
        let length = self.buffer.len() - self.taken;
        if length == 0 {
            self.buffer = Vec::new();
        } else if length <= LONGEST_LINE && !self.skipping {
            return None;
        } else {
            self.buffer = Vec::new();
            self.taken = 0;
            self.searched = 0;
            return (!std::mem::replace(&mut self.skipping, true)).then_some(Err(TooLong));
        }
        self.taken = 0;
        self.searched = 0;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(data: &[u8], step: usize) -> Vec<Result<String, TooLong>> {
        let mut reader = LineReader::default();
        let mut found = Vec::new();
        for piece in data.chunks(step) {
            reader.feed(piece);
            while let Some(line) = reader.next() {
                found.push(line);
            }
            assert!(reader.buffer.len() <= LONGEST_LINE + step);
        }
        found
    }

    #[test]
    fn lines_however_they_come() {
        let long = "x".repeat(LONGEST_LINE + 1);
        let fits = "y".repeat(LONGEST_LINE);
        let data =
            format!("one\r\n\n  \ntwo\n{long}\nthree\n{fits}\n{long}{long}\nfour\nunfinished");
        for step in [1000, 8192, 3 << 20] {
            let found = lines(data.as_bytes(), step);
            assert_eq!(found.len(), 7, "step {step}");
            assert_eq!(found[0], Ok("one".into()));
            assert_eq!(found[1], Ok("two".into()));
            assert_eq!(found[2], Err(TooLong));
            assert_eq!(found[3], Ok("three".into()));
            assert_eq!(found[4], Ok(fits.clone()));
            assert_eq!(found[5], Err(TooLong));
            assert_eq!(found[6], Ok("four".into()));
        }
        assert_eq!(lines(b"a\nb\nc\n", 1).len(), 3);
        assert_eq!(lines(b"\xff\n", 1), [Ok("\u{fffd}".into())]);
    }

    #[test]
    fn the_last_line_needs_no_break() {
        let rest = |data: &[u8]| {
            let mut reader = LineReader::default();
            reader.feed(data);
            while reader.next().is_some() {}
            let rest = reader.rest();
            assert_eq!(reader.rest(), None);
            rest
        };
        assert_eq!(rest(b"one\ntwo"), Some("two".into()));
        assert_eq!(rest(b"one\n \r"), None);
        assert_eq!(rest(b""), None);
        assert_eq!(rest("x".repeat(LONGEST_LINE + 1).as_bytes()), None);
    }

    #[test]
    fn failures_find_their_ids() {
        let of = |line| failures(line, -1, "no", "null");
        let error =
            |id| format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-1,"message":"no"}}}}"#);
        assert_eq!(of(r#"{"id":"é","method":"x"}"#), error(r#""é""#) + "\n");
        assert_eq!(of(r#"{"method":"x"}"#), "");
        assert_eq!(of(r#"{"id":null}"#), error("null") + "\n");
        assert_eq!(
            of(r#"[{"id":1},{"method":"x"},{"id":2}]"#),
            format!("[{},{}]\n", error("1"), error("2"))
        );
        assert_eq!(of(r#"[{"method":"x"}]"#), "");
        assert_eq!(of("rubbish"), error("null") + "\n");
    }

    #[test]
    fn replies_fit_one_line() {
        let Part::Text { text } = one_line(Part::Text {
            text: "a\nb".into(),
        }) else {
            panic!();
        };
        assert_eq!(text, "a b");
    }
}
