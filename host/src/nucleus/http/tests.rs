//! The server with real sockets, and a stand-in for the main loop and the brain.

use super::reply::SLOW;
use super::*;
use crate::nucleus::wall_ms;
use crate::protocol::{EventQuery, LogFormat, LogOptions, LogQuery, StreamFormat};
use crate::testing::{self, join, DEADLINE};
use nix::fcntl::{FcntlArg, OFlag};
use nix::poll::{poll, PollFd, PollFlags};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc as std_mpsc;
use std::task::Context;
use std::thread;
use tokio::task::LocalSet;

const TERMS: Terms = Terms {
    mode: 0o600,
    speech: Speech::Native,
};
const TOKEN: &str = "0123456789abcdef";

/// What a test may tell the server's thread, besides asking it over the socket.
enum Order {
    Line(String),
    Event(u32, String),
    Relisten,
    Close,
}

struct Fixture {
    path: String,
    tcp: String,
    folder: PathBuf,
    orders: mpsc::UnboundedSender<Order>,
    /// What the brain heard: targets of requests, and `gone`.
    heard: std_mpsc::Receiver<String>,
    server: Option<thread::JoinHandle<()>>,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Close);
        // Of two panics at once neither would be told.
        if let Some(server) = self.server.take().filter(|_| !thread::panicking()) {
            join(server);
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn fixture() -> Fixture {
    fixture_with(TERMS)
}

fn fixture_with(terms: Terms) -> Fixture {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("oneup-http-{}-{count}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("sock").to_str().unwrap().to_owned();
    let token_file = folder.join("token");
    std::fs::write(&token_file, format!("{TOKEN}\n")).unwrap();
    let token_file = token_file.to_str().unwrap().to_owned();
    let (orders, orders_in) = mpsc::unbounded_channel();
    let (heard_in, heard) = std_mpsc::channel();
    let (ready_in, ready) = std_mpsc::channel();
    let socket = path.clone();
    let server = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        LocalSet::new().block_on(&runtime, async move {
            let stage = Stage::new(heard_in);
            stage.server.listen_unix(&socket, terms).unwrap();
            ready_in
                .send(listen_tcp(&stage.server, &token_file))
                .unwrap();
            stage.run(orders_in, &socket).await;
        });
    });
    let tcp = ready.recv_timeout(DEADLINE).unwrap();
    Fixture {
        path,
        tcp,
        folder,
        orders,
        heard,
        server: Some(server),
    }
}

/// At a free port, for which others are looking, too.
fn listen_tcp(server: &Server, token_file: &str) -> String {
    testing::await_some("a port", || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let options = ListenTcp {
            address: address.clone(),
            token_file: Some(token_file.to_owned()),
        };
        let listens = server.listen_tcp(&options);
        listens.is_ok().then_some(address)
    })
}

/// The server's side.
struct Stage {
    server: Rc<Server>,
    logs: Rc<RefCell<Logs>>,
    events: Rc<RefCell<Events>>,
    writer: std::fs::File,
    calls: mpsc::Receiver<Knock>,
    heard: std_mpsc::Sender<String>,
    /// Asked and never answered.
    held: Vec<oneshot::Sender<ReplyData>>,
}

impl Stage {
    fn new(heard: std_mpsc::Sender<String>) -> Stage {
        let null = || std::fs::File::create("/dev/null").unwrap().into();
        let console = super::super::log::Console::new(LogFormat::Text, false, null(), null());
        let mut logs = Logs::new(console).unwrap();
        let options = LogOptions {
            lines: 100,
            console: false,
            file: None,
        };
        logs.open("web", &options);
        let writer = logs.write_ends("web").unwrap().0.try_clone_to_owned();
        let writer = std::fs::File::from(writer.unwrap());
        nix::fcntl::fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let logs = Rc::new(RefCell::new(logs));
        let events = Rc::new(RefCell::new(Events::new()));
        let (calls_in, calls) = mpsc::channel(CALLS_MAX);
        Stage {
            server: Server::new(calls_in, logs.clone(), events.clone()),
            logs,
            events,
            writer,
            calls,
            heard,
            held: Vec::new(),
        }
    }

    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>, path: &str) {
        let fd = self.logs.borrow().fd().try_clone_to_owned().unwrap();
        // SAFETY: the descriptor is owned by what is registered, which never changes it.
        let output = unsafe { AsyncFd::register(fd) }.unwrap();
        loop {
            tokio::select! {
                guard = output.readable() => {
                    if !self.logs.borrow_mut().on_readable(wall_ms()).more {
                        guard.unwrap().clear_ready();
                    }
                }
                Some(knock) = self.calls.recv() => self.on_knock(knock),
                order = orders.recv() => match order {
                    Some(Order::Line(line)) => self.write(line.as_bytes()),
                    Some(Order::Event(seq, text)) => self.events.borrow_mut().publish(seq, text),
                    Some(Order::Relisten) => {
                        assert!(!Path::new(path).exists());
                        self.server.listen_unix(path, TERMS).unwrap();
                        assert!(Path::new(path).exists());
                    }
                    Some(Order::Close) | None => break,
                },
            }
        }
        self.held.clear();
        self.server.close(Duration::from_secs(5)).await;
        assert!(!std::path::Path::new(path).exists());
        let seats = |kind: usize| self.server.shared.seats[kind].get();
        assert_eq!((seats(0), seats(1)), (0, 0), "every connection has ended");
    }

    /// Writer and reader are one thread here: while the pipe is full, as it may be when a busy one
    /// is left to rest, the reader has its turn.
    fn write(&mut self, mut bytes: &[u8]) {
        let start = Instant::now();
        while !bytes.is_empty() {
            assert!(start.elapsed() < DEADLINE, "the pipe stays full");
            match self.writer.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
            self.logs.borrow_mut().on_readable(wall_ms());
        }
    }

    fn on_knock(&mut self, knock: Knock) {
        let Knock::Call(incoming) = knock else {
            let gone = self.held.iter().filter(|held| held.is_closed()).count();
            self.held.retain(|held| !held.is_closed());
            let _ = self.heard.send(format!("gone {gone}"));
            return;
        };
        let what = match &incoming.call {
            Call::Http { path, .. } => path.clone(),
            Call::JsonRpc { text } => text.clone(),
            Call::Message { bytes } => bytes.clone(),
        };
        let _ = self.heard.send(what.clone());
        let uid = incoming.uid;
        match reply_to(&incoming.call, uid) {
            Some(reply) => drop(incoming.reply.send(reply)),
            None => self.held.push(incoming.reply),
        }
    }
}

/// The brain: answers by path, or by the whole line of JSON-RPC.
fn reply_to(call: &Call, uid: u32) -> Option<ReplyData> {
    let text = |text: &str| Part::Text { text: text.into() };
    let logs = |grep: &str, format, follow| Part::Logs {
        query: LogQuery {
            follow,
            grep: Some(grep.into()),
            ..LogQuery::default()
        },
        format,
    };
    let follow_events = || Part::Events {
        query: EventQuery {
            follow: true,
            ..EventQuery::default()
        },
        format: StreamFormat::Sse,
    };
    let (content_type, parts) = match call {
        Call::Http {
            path,
            body,
            method,
            query,
            ..
        } => match path.as_str() {
            "/never" => return None,
            "/lost" => return Some(ReplyData::problem(503, "no brain")),
            "/logs" => (
                "",
                vec![
                    text("{\"a\":"),
                    logs("", StreamFormat::Array, false),
                    text("}"),
                ],
            ),
            "/last" => ("", vec![logs("^last$", StreamFormat::Array, false)]),
            "/follow" => ("text/event-stream", vec![logs("", StreamFormat::Sse, true)]),
            "/events" => ("text/event-stream", vec![follow_events()]),
            "/bad" => ("", vec![logs("(", StreamFormat::Array, false)]),
            "/api" => ("", vec![Part::OpenApi]),
            "/large" => ("", vec![text(&"L".repeat(3 << 20))]),
            _ => {
                let echo = format!("{method} {path}?{query} {body} {uid}");
                ("text/plain", vec![text(&echo)])
            }
        },
        Call::JsonRpc { text: line } if line.contains("never") => return None,
        Call::JsonRpc { text: line } if line.contains("lost") => {
            return Some(ReplyData::problem(503, "no brain"));
        }
        Call::JsonRpc { text: line } if line.contains("note") => ("", vec![]),
        Call::JsonRpc { text: line } if line.contains("logs") => (
            "",
            vec![
                text("{\"result\":"),
                logs("", StreamFormat::Sse, true),
                text("}"),
            ],
        ),
        Call::JsonRpc { text: line } if line.contains("bad") => {
            ("", vec![logs("(", StreamFormat::Array, true)])
        }
        Call::JsonRpc { text: line } => ("", vec![text(&format!("echo\n{line}"))]),
        Call::Message { bytes } => {
            let bytes = format!("þ{bytes}€");
            ("", vec![Part::Bytes { bytes }])
        }
    };
    let mut reply = ReplyData {
        status: 200,
        content_type: content_type.into(),
        parts,
        ..ReplyData::default()
    };
    reply.headers.insert("X-More".into(), "yes".into());
    Some(reply)
}

impl Fixture {
    fn connect(&self) -> StdStream {
        testing::connect(&self.path).unwrap()
    }

    /// Sends, and reads until the server closes.
    fn talk(&self, text: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(text.as_bytes()).unwrap();
        read_to_end(&mut stream)
    }

    fn get(&self, path: &str) -> String {
        self.talk(&format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        ))
    }

    fn talk_tcp(&self, text: &str) -> String {
        let mut stream = self.connect_tcp();
        stream.write_all(text.as_bytes()).unwrap();
        read_to_end(&mut stream)
    }

    fn connect_tcp(&self) -> std::net::TcpStream {
        let address = self.tcp.parse().unwrap();
        let stream = std::net::TcpStream::connect_timeout(&address, DEADLINE).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    #[track_caller]
    fn hears(&self, what: &str) {
        assert_eq!(self.heard(), what);
    }

    #[track_caller]
    fn heard(&self) -> String {
        self.heard.recv_timeout(DEADLINE).unwrap()
    }

    fn order(&self, order: Order) {
        assert!(self.orders.send(order).is_ok());
    }
}

#[track_caller]
fn read_to_end(stream: &mut impl std::io::Read) -> String {
    let mut all = Vec::new();
    // A reset after the answer is an end too.
    if let Err(error) = stream.read_to_end(&mut all) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    String::from_utf8(all).unwrap()
}

#[track_caller]
fn read_until(stream: &mut StdStream, end: &str) -> String {
    let mut all = Vec::new();
    let mut piece = [0; 65_536];
    loop {
        let count = stream.read(&mut piece).unwrap();
        assert!(
            count > 0,
            "it ended with {:?}",
            String::from_utf8_lossy(&all)
        );
        // The end may lie across two pieces.
        let from = all.len() - all.len().min(end.len());
        all.extend_from_slice(&piece[..count]);
        if memchr::memmem::find(&all[from..], end.as_bytes()).is_some() {
            return String::from_utf8(all).unwrap();
        }
    }
}

#[test]
fn a_request_and_its_reply() {
    let f = fixture();
    let body = r#"{"signal":"USR1"}"#;
    let answer = f.talk(&format!(
        "POST /v1/a%20b?wait=false HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    ));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-type: text/plain\r\n"));
    assert!(answer.contains("x-more: yes\r\n"));
    let uid = nix::unistd::geteuid();
    let echo = format!("POST /v1/a%20b?wait=false {body} {uid}");
    assert!(answer.contains(&format!("content-length: {}\r\n", echo.len())));
    assert!(answer.ends_with(&echo), "{answer}");
    let answer = f.talk("HEAD /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(
        answer.contains("content-length: ") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
    assert!(f.get("/lost").contains("503 Service Unavailable"));
    let answer = f.get("/api");
    let document = answer.split_once("\r\n\r\n").unwrap().1;
    let _: serde_json::Value = serde_json::from_str(document).unwrap();
    assert!(!document.contains('\n'));
    assert!(f.get("/large").len() > 3 << 20);
}

#[test]
fn connections_stay_and_requests_may_come_at_once() {
    let f = fixture();
    let mut stream = f.connect();
    let one = "GET /a HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(one.repeat(3).as_bytes()).unwrap();
    for _ in 0..3 {
        f.hears("/a");
    }
    stream
        .write_all(one.replace("/a", "/b").as_bytes())
        .unwrap();
    read_until(&mut stream, "GET /b?");
    // Who closes the writing end still gets the answer.
    stream
        .write_all(b"GET /c HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(read_to_end(&mut stream).contains("GET /c?"));
}

#[test]
fn logs_and_events_are_written_from_their_rings() {
    let f = fixture();
    f.order(Order::Line("one\ntwo\n".into()));
    let answer = f.get("/logs");
    assert!(answer.contains("transfer-encoding: chunked"));
    assert!(answer.contains("\"line\":\"one\"") && answer.contains("\"line\":\"two\""));
    assert!(f.get("/bad").starts_with("HTTP/1.1 400 "));
    let mut logs = f.connect();
    logs.write_all(b"GET /follow HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    let text = read_until(&mut logs, "\"two\"}\n\n");
    assert!(text.contains("data: {\"time\":"));
    f.order(Order::Line("three\n".into()));
    read_until(&mut logs, "\"three\"}\n\n");
    let mut events = f.connect();
    events
        .write_all(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    read_until(&mut events, "event-stream");
    f.order(Order::Event(1, "{\"seq\":1}".into()));
    read_until(&mut events, "data: {\"seq\":1}\n\n");
    // The end of the supervisor ends the streams as it should be.
    f.order(Order::Close);
    assert!(read_to_end(&mut logs).ends_with("0\r\n\r\n"));
    assert!(read_to_end(&mut events).ends_with("0\r\n\r\n"));
}

#[test]
fn a_follower_that_does_not_read_holds_nobody_up_and_learns_its_loss() {
    let f = fixture();
    let mut stream = f.connect();
    stream
        .write_all(b"GET /follow HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    f.order(Order::Line("first\n".into()));
    read_until(&mut stream, "first");
    const COUNT: usize = 60_000;
    for i in 0..COUNT / 10 {
        f.order(Order::Line(format!("{:0999}\n", i).repeat(10)));
    }
    f.order(Order::Line("last\n".into()));
    let start = Instant::now();
    while !f.get("/last").contains("\"last\"") {
        assert!(start.elapsed() < DEADLINE);
    }
    let text = read_until(&mut stream, "\"last\"");
    let lost: usize = text
        .split("\"lost_lines\":")
        .skip(1)
        .map(|rest| rest.split(',').next().unwrap().parse::<usize>().unwrap())
        .sum();
    let seen = text.matches("\"line\":\"0").count();
    assert!(lost > 0);
    assert_eq!(seen + lost, COUNT);
}

#[test]
fn clients_that_go_are_told() {
    let f = fixture();
    let mut stream = f.connect();
    stream
        .write_all(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    f.hears("/never");
    drop(stream);
    f.hears("gone 1");
    let mut stream = f.connect();
    stream
        .write_all(b"{\"id\":1,\"never\":1}\n{\"id\":2,\"never\":2}\n")
        .unwrap();
    f.hears("{\"id\":1,\"never\":1}");
    f.hears("{\"id\":2,\"never\":2}");
    drop(stream);
    // Both are found by the first look, or one by each.
    let first = f.heard();
    assert!(first == "gone 2" || first == "gone 1", "{first}");
    // A follower on an idle log leaves no connection behind: `run` looks at the end.
    let mut stream = f.connect();
    stream
        .write_all(b"GET /follow HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    read_until(&mut stream, "\r\n\r\n");
    // Over TCP too.
    let mut stream = f.connect_tcp();
    let request = format!(
        "GET /never HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {TOKEN}\r\n\r\n",
        f.tcp
    );
    stream.write_all(request.as_bytes()).unwrap();
    loop {
        if f.heard() == "/never" {
            break;
        }
    }
    drop(stream);
    assert!(f.heard().starts_with("gone"));
}

#[test]
fn limits() {
    let f = fixture();
    let head = format!(
        "GET / HTTP/1.1\r\nhost: x\r\n{}\r\n",
        "x: yyyyyyyy\r\n".repeat(2000)
    );
    assert!(f.talk(&head).starts_with("HTTP/1.1 431 "));
    let long = format!(
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        (1 << 20) + 1
    );
    let answer = f.talk(&long);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("application/problem+json") && answer.contains("\"status\":413"));
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let chunked = format!(
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
        chunk.repeat(17)
    );
    let mut stream = f.connect();
    // It may be refused before all is sent.
    let _ = stream.write_all(chunked.as_bytes());
    assert!(read_to_end(&mut stream).starts_with("HTTP/1.1 413 "));
    let most = format!(
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{}",
        1 << 20,
        "x".repeat(1 << 20)
    );
    assert!(f.talk(&most).starts_with("HTTP/1.1 200 "));
    assert!(f
        .talk("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n\u{e9}")
        .contains("200 OK"));
    let mut stream = f.connect();
    stream
        .write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n\xff")
        .unwrap();
    assert!(read_to_end(&mut stream).starts_with("HTTP/1.1 400 "));
    let mut stream = f.connect();
    stream.write_all(b"\x00\x01\xff\xfe\r\n\r\n").unwrap();
    assert!(read_to_end(&mut stream).starts_with("HTTP/1.1 400 "));
}

#[test]
fn beyond_256_connections_are_closed_and_places_come_back() {
    let f = fixture();
    let mut streams: Vec<StdStream> = (0..256).map(|_| f.connect()).collect();
    // The last of them is served.
    let last = streams.last_mut().unwrap();
    last.write_all(b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    read_until(last, "GET /a?");
    assert_eq!(f.connect().read(&mut [0; 10]).unwrap(), 0);
    // A crowd here does not lock out the other door.
    let request = format!(
        "GET / HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\n\r\n",
        f.tcp
    );
    assert!(f.talk_tcp(&request).contains("200 OK"));
    drop(streams);
    let start = Instant::now();
    loop {
        let mut stream = f.connect();
        // It may be closed before it is written to.
        let _ = stream.write_all(b"GET /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        if read_to_end(&mut stream).contains("200 OK") {
            break;
        }
        assert!(start.elapsed() < DEADLINE);
    }
}

#[test]
fn tcp_wants_a_token_and_no_foreign_page() {
    let f = fixture();
    let ask = |fields: &str| {
        f.talk_tcp(&format!(
            "GET /x HTTP/1.1\r\n{fields}connection: close\r\n\r\n"
        ))
    };
    let host = format!("host: {}\r\n", f.tcp);
    let token = format!("authorization: Bearer {TOKEN}\r\n");
    assert!(ask(&format!("{host}{token}")).contains("200 OK"));
    let answer = ask(&host);
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("www-authenticate: Bearer"));
    assert!(answer.contains("application/problem+json"));
    assert!(ask(&format!("host: evil.example\r\n{token}")).starts_with("HTTP/1.1 403 "));
    assert!(ask(&token).starts_with("HTTP/1.1 403 "));
    let origin = format!("{host}{token}origin: http://evil.example\r\n");
    assert!(ask(&origin).starts_with("HTTP/1.1 403 "));
    assert_eq!(
        f.heard.try_iter().count(),
        1,
        "the brain heard of the good one only"
    );
    // No JSON-RPC without a token.
    assert!(f.talk_tcp("{\"id\":1}\n").starts_with("HTTP/1.1 400 "));
}

#[test]
fn strangers_are_turned_away() {
    // Becoming one needs root.
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    use std::os::unix::fs::PermissionsExt as _;
    let f = fixture();
    let mode = |path: &std::path::Path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    };
    mode(&f.folder);
    mode(std::path::Path::new(&f.path));
    let as_stranger = |text: &'static str| {
        let path = f.path.clone();
        join(thread::spawn(move || {
            // SAFETY: the plain system call changes this one thread alone, which then ends.
            let done = unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) };
            assert_eq!(done, 0);
            let mut stream = testing::connect(path).unwrap();
            stream.write_all(text.as_bytes()).unwrap();
            read_to_end(&mut stream)
        }))
    };
    let answer = as_stranger("GET /x HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert_eq!(as_stranger("{\"id\":1}\n"), "");
    assert!(f.heard.try_recv().is_err());
}

#[test]
fn json_rpc_lines() {
    let f = fixture();
    let mut stream = f.connect();
    let mut all = String::new();
    stream
        .write_all(b"{\"id\":0,\"never\":1}\n{\"id\":1}\r\n\n[\"x\"]\n")
        .unwrap();
    // The first one waits, the others do not.
    all.push_str(&read_until(&mut stream, "[\"x\"]\n"));
    assert_eq!(all, "echo {\"id\":1}\necho [\"x\"]\n");
    stream.write_all(b"{\"note\":1}\n{\"id\":2}\n").unwrap();
    assert_eq!(read_until(&mut stream, "\n"), "echo {\"id\":2}\n");
    f.order(Order::Line("one\ntwo\n".into()));
    stream.write_all(b"{\"id\":3,\"logs\":1}\n").unwrap();
    let line = read_until(&mut stream, "\n");
    assert!(
        line.starts_with("{\"result\":[{") && line.ends_with("}]}\n"),
        "{line}"
    );
    stream.write_all(b"{\"id\":4,\"bad\":1}\n").unwrap();
    assert!(read_until(&mut stream, "\n")
        .starts_with("{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":-32602,"));
    stream.write_all(b"{\"id\":\"5\",\"lost\":1}\n").unwrap();
    assert_eq!(
        read_until(&mut stream, "\n"),
        "{\"jsonrpc\":\"2.0\",\"id\":\"5\",\"error\":{\"code\":-32000,\"message\":\"no brain\"}}\n"
    );
    let long = "x".repeat((1 << 20) + 10);
    stream.write_all(long.as_bytes()).unwrap();
    assert!(read_until(&mut stream, "\n").contains("-32600"));
    stream.write_all(b"yyy\n{\"id\":6}\n").unwrap();
    assert_eq!(read_until(&mut stream, "\n"), "echo {\"id\":6}\n");
    for byte in "{\"id\":\"é\"}\n".as_bytes() {
        stream.write_all(&[*byte]).unwrap();
    }
    assert_eq!(read_until(&mut stream, "\n"), "echo {\"id\":\"é\"}\n");
    // Who closes the writing end still gets what was asked for.
    let mut stream = f.connect();
    stream.write_all(b"{\"id\":7}\n{\"id\":8}\n").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let text = read_to_end(&mut stream);
    assert_eq!(text.matches("echo").count(), 2, "{text}");
}

#[test]
fn lines_wait_for_each_other_where_that_was_asked_for() {
    let f = fixture_with(Terms {
        speech: Speech::Lines,
        ..TERMS
    });
    let mut stream = f.connect();
    let mut asked = String::new();
    let mut expected = String::new();
    for id in 0..200 {
        asked.push_str(&format!("{{\"id\":{id}}}\n"));
        expected.push_str(&format!("echo {{\"id\":{id}}}\n"));
    }
    stream.write_all(asked.as_bytes()).unwrap();
    assert_eq!(
        read_until(&mut stream, "echo {\"id\":199}\n"),
        expected,
        "in their order"
    );
    for line in asked.lines() {
        f.hears(line);
    }
    stream
        .write_all(b"{\"id\":200,\"never\":1}\n{\"id\":201}\n")
        .unwrap();
    f.hears("{\"id\":200,\"never\":1}");
    // There is no other language for what is no HTTP, and no need to end the last line.
    let mut other = f.connect();
    other.write_all(b"garbage").unwrap();
    other.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut other), "echo garbage\n");
    f.hears("garbage");
    // Ids are numbers there, and codes of the brain's are its own.
    let mut other = f.connect();
    let long = "x".repeat((1 << 20) + 10);
    other.write_all(b"{\"id\":7,\"lost\":1}\n").unwrap();
    let lost =
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32603,\"message\":\"no brain\"}}\n";
    assert_eq!(read_until(&mut other, "\n"), lost);
    f.hears("{\"id\":7,\"lost\":1}");
    other.write_all(long.as_bytes()).unwrap();
    let answer = read_until(&mut other, "\n");
    assert!(
        answer.starts_with("{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{\"code\":-32700,"),
        "{answer}"
    );
    // Another connection is answered meanwhile; the brain has not seen the next line by then.
    assert!(f.get("/a").contains("200 OK"));
    f.hears("/a");
}

#[test]
fn a_message_is_read_to_its_end_and_answered_once() {
    let f = fixture_with(Terms {
        speech: Speech::Message,
        ..TERMS
    });
    let message = b"\x0a\x00\xff\nxyz";
    let mut stream = f.connect();
    for byte in message {
        stream.write_all(&[*byte]).unwrap();
    }
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, [&b"\xfe"[..], message].concat());
    f.hears("\n\0ÿ\nxyz");
    // What is too long, or was never finished, has no answer and no brain.
    let mut stream = f.connect();
    let mut silent = f.connect();
    silent.write_all(b"\x0a").unwrap();
    // It may be closed before all is written.
    let _ = stream.write_all(&[b'\x0a'; (64 << 10) + 1]);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty());
    // HTTP is understood all the same, and not kept waiting.
    assert!(f.get("/a").contains("200 OK"));
    f.hears("/a");
}

#[test]
fn many_lines_at_once_are_all_answered() {
    let f = fixture();
    let stream = f.connect();
    let mut writer = stream.try_clone().unwrap();
    let sender = thread::spawn(move || {
        for i in 0..20_000 {
            writeln!(writer, "{{\"id\":{i}}}").unwrap();
        }
        writer.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let text = read_to_end(&mut &stream);
    join(sender);
    let mut ids: Vec<usize> = text
        .lines()
        .map(|line| {
            line.trim_matches(|c: char| !c.is_ascii_digit())
                .parse()
                .unwrap()
        })
        .collect();
    ids.sort_unstable();
    assert!(ids.iter().copied().eq(0..20_000));
}

#[test]
fn a_removed_socket_can_be_made_again_and_silence_costs_nothing() {
    let f = fixture();
    let mut open = f.connect();
    open.write_all(b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    read_until(&mut open, "GET /a?");
    std::fs::remove_file(&f.path).unwrap();
    f.order(Order::Relisten);
    testing::await_that("the new socket", || testing::connect(&f.path).is_ok());
    assert!(f.get("/a").contains("200 OK"));
    // A connection from before that says nothing more is not closed at once, and is at the end.
    let mut fds = [PollFd::new(open.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, 0u8).unwrap(), 0);
    f.order(Order::Close);
    assert_eq!(open.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn slow_heads_are_not_waited_for_without_end() {
    let f = fixture();
    let mut silent = f.connect();
    let mut half = f.connect();
    half.write_all(b"GET /v1/serv").unwrap();
    let start = Instant::now();
    for stream in [&mut silent, &mut half] {
        read_to_end(stream);
    }
    assert!(start.elapsed() >= HEAD_TIME / 2);
}

#[test]
fn after_a_slow_look_through_logs_others_have_their_time_first() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async {
        let mut stage = Stage::new(std_mpsc::channel().0);
        let line = "a".repeat(16_000) + "\n";
        stage.writer.write_all(line.as_bytes()).unwrap();
        stage.logs.borrow_mut().on_readable(wall_ms());
        let shared = stage.server.shared.clone();
        let body = |grep: Option<&str>| {
            let query = LogQuery {
                grep: grep.map(str::to_owned),
                ..LogQuery::default()
            };
            let format = StreamFormat::Array;
            ReplyBody::new(&shared, vec![Part::Logs { query, format }]).unwrap()
        };
        let is_there = |body: &mut ReplyBody| {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            body.poll_next(&mut cx).is_ready()
        };
        assert!(is_there(&mut body(Some("(?:a?){0,200}b"))));
        assert!(shared.quiet_until.get().is_some(), "that was slow");

        shared.note_step(Instant::now() - Duration::from_secs(1000));
        let mut waiting = body(Some("a"));
        assert!(!is_there(&mut waiting));
        assert!(is_there(&mut body(None)), "a quick one need not wait");
        shared.note_step(Instant::now() - SLOW);
        assert!(waiting.next().await.is_some());
    });
}
