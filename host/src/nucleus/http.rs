//! The API's server. It frames: HTTP/1.1 here, lines of JSON-RPC in `rpc`. What a request means
//! is decided by the brain, to which it goes as an event; the reply comes back and is written by
//! `http/reply.rs`.

mod adapters;
mod reply;

pub use adapters::Io;
pub use reply::ReplyBody;

use super::bell::Bell;
use super::events::Events;
use super::handover::{Packer, Passed, Road};
use super::listen::{self, Credentials, Gate, ListenError, SavedSocket, SocketFile};
use super::log::{json_string, Logs};
use super::message;
use super::requests;
use super::rpc;
use crate::protocol::{Call, ListenTcp, Part, Speech};
use adapters::TokioTimer;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming as IncomingBody};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use nix::sys::socket::{setsockopt, sockopt::TcpUserTimeout, MsgFlags};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, Notify};
use tokio::task::{AbortHandle, JoinHandle};

const MOST_CONNECTIONS: usize = 256;
const MOST_BODY: usize = 1 << 20;
const MOST_HEAD: usize = 16 << 10;
const HEAD_TIME: Duration = Duration::from_secs(10);
const BODY_TIME: Duration = Duration::from_secs(30);
pub const PROBLEM: &str = "application/problem+json";

/// How many requests may lie in the channel to the main loop.
pub const CALLS_MAX: usize = 256;

/// What the main loop hears from here.
pub enum Knock {
    /// Somebody asks.
    Call(Incoming),
    /// Somebody who asked has gone without waiting for the reply: some `reply` is closed.
    Gone,
}

pub struct Incoming {
    pub call: Call,
    pub uid: u32,
    pub pid: u32,
    pub reply: oneshot::Sender<ReplyData>,
}

/// A reply, as `Command::Reply` has it.
#[derive(Debug, Default)]
pub struct ReplyData {
    pub status: u16,
    pub content_type: String,
    pub headers: BTreeMap<String, String>,
    pub parts: Vec<Part>,
}

impl ReplyData {
    /// A problem that the nucleus itself has found.
    pub fn problem(status: u16, detail: &str) -> ReplyData {
        let title = StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Problem");
        let mut text = Vec::new();
        text.extend_from_slice(b"{\"type\":\"about:blank\",\"title\":");
        json_string(&mut text, title.as_bytes());
        text.extend_from_slice(format!(",\"status\":{status},\"detail\":").as_bytes());
        json_string(&mut text, detail.as_bytes());
        text.push(b'}');
        ReplyData {
            status,
            content_type: PROBLEM.into(),
            headers: BTreeMap::new(),
            parts: vec![Part::Text {
                text: String::from_utf8_lossy(&text).into_owned(),
            }],
        }
    }
}

/// Somebody waits for the reply.
struct Ticket<'a> {
    calls: &'a mpsc::Sender<Knock>,
    reply: oneshot::Receiver<ReplyData>,
    answered: bool,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.reply.close();
            // If the channel is full, the loop will look anyway.
            let _ = self.calls.try_send(Knock::Gone);
        }
    }
}

/// Who asks. Over TCP, where a token was checked, 0 and 0.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    pub uid: u32,
    pub pid: u32,
}

/// How the control socket is opened and served.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Permissions of its file.
    pub mode: u32,
    pub speech: Speech,
}

impl Terms {
    /// By the first byte of a connection.
    fn is_http(self, first: u8) -> bool {
        match self.speech {
            Speech::Native => !matches!(first, b'{' | b'['),
            Speech::Lines | Speech::Message => first.is_ascii_uppercase(),
        }
    }
}

/// All listeners and connections.
pub struct Server {
    shared: Rc<Shared>,
    unix: RefCell<Option<Unix>>,
    tcp: RefCell<Option<Tcp>>,
}

struct Unix {
    file: SocketFile,
    terms: Terms,
    listener: Rc<UnixListener>,
    task: AbortHandle,
}

struct Tcp {
    gate: Rc<Gate>,
    listener: Rc<TcpListener>,
    task: AbortHandle,
}

pub struct Shared {
    calls: mpsc::Sender<Knock>,
    logs: Rc<RefCell<Logs>>,
    events: Rc<RefCell<Events>>,
    /// Connections of the control socket, and of the TCP address: a crowd at one does not lock
    /// out the other.
    seats: [Cell<usize>; 2],
    closing: Cell<bool>,
    /// A slow step has just been made: until then no other.
    quiet_until: Cell<Option<Instant>>,
    changed: Notify,
}

impl Server {
    /// Requests go into `calls`.
    pub fn new(
        calls: mpsc::Sender<Knock>,
        logs: Rc<RefCell<Logs>>,
        events: Rc<RefCell<Events>>,
    ) -> Rc<Server> {
        Rc::new(Server {
            shared: Rc::new(Shared {
                calls,
                logs,
                events,
                seats: Default::default(),
                closing: Cell::new(false),
                quiet_until: Cell::new(None),
                changed: Notify::new(),
            }),
            unix: RefCell::default(),
            tcp: RefCell::default(),
        })
    }

    /// Makes the control socket, also in place of one that was made before and that somebody has
    /// removed. To be called inside a `LocalSet`.
    pub fn listen_unix(&self, path: &str, terms: Terms) -> Result<(), ListenError> {
        let (listener, file) = listen::bind_unix(path, terms.mode)?;
        self.adopt_unix(path, terms, listener, file)
    }

    /// Goes on with a socket, also with that of a former program: who waits in its queue is served.
    pub fn adopt_unix(
        &self,
        path: &str,
        terms: Terms,
        listener: std::os::unix::net::UnixListener,
        file: SocketFile,
    ) -> Result<(), ListenError> {
        let listener = UnixListener::from_std(listener).map_err(|error| ListenError {
            message: format!("cannot watch socket {path}: {}", listen::reason(&error)),
            taken: false,
        })?;
        let listener = Rc::new(listener);
        let unix = Unix {
            file,
            terms,
            task: spawn_unix(&self.shared, &listener, terms),
            listener,
        };
        if let Some(old) = self.unix.replace(Some(unix)) {
            old.task.abort();
        }
        Ok(())
    }

    pub fn listen_tcp(&self, options: &ListenTcp) -> Result<(), ListenError> {
        let (listener, gate) = listen::bind_tcp(options)?;
        self.accept_tcp(options, listener, gate)
    }

    /// The same with a listener of the former program.
    pub fn adopt_tcp(
        &self,
        options: &ListenTcp,
        listener: std::net::TcpListener,
    ) -> Result<(), ListenError> {
        let gate = listen::gate(options)?;
        self.accept_tcp(options, listener, gate)
    }

    fn accept_tcp(
        &self,
        options: &ListenTcp,
        listener: std::net::TcpListener,
        gate: Gate,
    ) -> Result<(), ListenError> {
        let listener = TcpListener::from_std(listener).map_err(|error| ListenError {
            message: format!(
                "cannot watch {}: {}",
                options.address,
                listen::reason(&error)
            ),
            taken: false,
        })?;
        let (listener, gate) = (Rc::new(listener), Rc::new(gate));
        let tcp = Tcp {
            task: spawn_tcp(&self.shared, &listener, &gate),
            gate,
            listener,
        };
        if let Some(old) = self.tcp.replace(Some(tcp)) {
            old.task.abort();
        }
        Ok(())
    }

    /// The listeners of a program that is renewed; another one makes its own.
    pub fn save_socket(&self, road: Road, packer: &mut Packer) -> Option<SavedSocket> {
        let unix = self.unix.borrow();
        let unix = unix.as_ref().filter(|_| road == Road::Exec)?;
        Some(unix.file.save(packer.fd(&*unix.listener)))
    }

    pub fn save_tcp(&self, road: Road, packer: &mut Packer) -> Option<Passed> {
        let tcp = self.tcp.borrow();
        let tcp = tcp.as_ref().filter(|_| road == Road::Exec)?;
        Some(packer.fd(&*tcp.listener))
    }

    /// Accepts nobody any more, who then waits in the listeners' queues; lets replies on their way
    /// be sent, answers what comes meanwhile, and waits for all that no longer than `timeout`.
    pub async fn pause(&self, timeout: Duration, calls: &mut mpsc::Receiver<Knock>) {
        if let Some(unix) = &*self.unix.borrow() {
            unix.task.abort();
        }
        if let Some(tcp) = &*self.tcp.borrow() {
            tcp.task.abort();
        }
        let refusing = async {
            while let Some(knock) = calls.recv().await {
                if let Knock::Call(incoming) = knock {
                    let _ = incoming.reply.send(requests::unavailable());
                }
            }
        };
        tokio::select! {
            () = self.empty(timeout) => {}
            () = refusing => {}
        }
    }

    /// After a `pause` that was for nothing.
    pub fn go_on(&self) {
        let shared = &self.shared;
        if !shared.closing.replace(false) {
            return;
        }
        if let Some(unix) = &mut *self.unix.borrow_mut() {
            unix.task = spawn_unix(shared, &unix.listener, unix.terms);
        }
        if let Some(tcp) = &mut *self.tcp.borrow_mut() {
            tcp.task = spawn_tcp(shared, &tcp.listener, &tcp.gate);
        }
    }

    /// Takes the listeners away.
    pub fn close_listeners(&self) {
        if let Some(unix) = self.unix.take() {
            unix.file.remove();
            unix.task.abort();
        }
        if let Some(tcp) = self.tcp.take() {
            tcp.task.abort();
        }
    }

    /// Takes the listeners away, lets replies on their way be sent, ends those that follow, and
    /// waits for all that no longer than `timeout`.
    pub async fn close(&self, timeout: Duration) {
        self.close_listeners();
        self.empty(timeout).await;
    }

    /// Until all connections have come to their end.
    async fn empty(&self, timeout: Duration) {
        let shared = &self.shared;
        shared.closing.set(true);
        shared.changed.notify_waiters();
        let bells: [Rc<Bell>; 2] = [shared.logs.borrow().bell(), shared.events.borrow().bell()];
        bells.iter().for_each(|bell| bell.ring());
        let empty = async {
            while shared.seats.iter().any(|seats| seats.get() > 0) {
                shared.changed.notified().await;
            }
        };
        // Who does not read by then is left.
        let _ = tokio::time::timeout(timeout, empty).await;
    }
}

impl Shared {
    /// Asks the brain.
    pub async fn ask(&self, peer: Peer, call: Call) -> ReplyData {
        let (sender, receiver) = oneshot::channel();
        let mut ticket = Ticket {
            calls: &self.calls,
            reply: receiver,
            answered: false,
        };
        let incoming = Incoming {
            call,
            uid: peer.uid,
            pid: peer.pid,
            reply: sender,
        };
        // Either fails only when the loop has ended.
        let _ = self.calls.send(Knock::Call(incoming)).await;
        let reply = (&mut ticket.reply).await;
        ticket.answered = true;
        reply.unwrap_or_else(|_| ReplyData::problem(503, "the supervisor is at its end"))
    }

    /// Resolves when the server is being closed.
    pub async fn closed(&self) {
        while !self.closing.get() {
            self.changed.notified().await;
        }
    }
}

/// A connection's place among those that are allowed.
struct Seat {
    shared: Rc<Shared>,
    kind: usize,
}

impl Seat {
    fn take(shared: &Rc<Shared>, kind: usize) -> Option<Seat> {
        let seats = &shared.seats[kind];
        (seats.get() < MOST_CONNECTIONS).then(|| {
            seats.set(seats.get() + 1);
            Seat {
                shared: shared.clone(),
                kind,
            }
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let seats = &self.shared.seats[self.kind];
        seats.set(seats.get() - 1);
        if self.shared.closing.get() {
            self.shared.changed.notify_waiters();
        }
    }
}

fn spawn_unix(shared: &Rc<Shared>, listener: &Rc<UnixListener>, terms: Terms) -> AbortHandle {
    tokio::task::spawn_local(accept_unix(shared.clone(), listener.clone(), terms)).abort_handle()
}

fn spawn_tcp(shared: &Rc<Shared>, listener: &Rc<TcpListener>, gate: &Rc<Gate>) -> AbortHandle {
    let accepting = accept_tcp(shared.clone(), listener.clone(), gate.clone());
    let task: JoinHandle<()> = tokio::task::spawn_local(accepting);
    task.abort_handle()
}

async fn accept_unix(shared: Rc<Shared>, listener: Rc<UnixListener>, terms: Terms) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Some(seat) = Seat::take(&shared, 0) {
                    tokio::task::spawn_local(serve_unix(stream, seat, terms));
                }
            }
            Err(error) => rest_after(&error).await,
        }
    }
}

async fn accept_tcp(shared: Rc<Shared>, listener: Rc<TcpListener>, gate: Rc<Gate>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Some(seat) = Seat::take(&shared, 1) {
                    tokio::task::spawn_local(serve_tcp(stream, gate.clone(), seat));
                }
            }
            Err(error) => rest_after(&error).await,
        }
    }
}

/// No descriptor left, no memory: what cannot be accepted stays, and must not be tried without
/// pause. A client that has gone again is no such case.
async fn rest_after(error: &io::Error) {
    if error.kind() != io::ErrorKind::ConnectionAborted {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What a connection's requests must pass.
enum Check {
    None,
    /// A user who has no business here.
    Stranger,
    Gate(Rc<Gate>),
}

async fn serve_unix(stream: UnixStream, seat: Seat, terms: Terms) {
    let shared = seat.shared.clone();
    let Ok(credentials) = stream.peer_cred() else {
        return;
    };
    let peer = Peer {
        uid: credentials.uid(),
        pid: credentials.pid().map_or(0, |pid| pid as u32),
    };
    let is_welcome = peer.uid == 0 || peer.uid == nix::unistd::geteuid().as_raw();
    let Ok(hangup) = Hangup::new(&stream) else {
        return;
    };
    let first = tokio::select! {
        first = tokio::time::timeout(HEAD_TIME, first_byte(&stream)) => first,
        () = shared.closed() => return,
    };
    match first {
        Ok(Ok(first)) if !terms.is_http(first) => {
            if !is_welcome {
                return;
            }
            match terms.speech {
                Speech::Native => rpc::serve(shared, stream, peer, hangup, false).await,
                Speech::Lines => rpc::serve(shared, stream, peer, hangup, true).await,
                Speech::Message => message::serve(shared, stream, peer, hangup).await,
            }
        }
        Ok(Ok(_)) => {
            let check = if is_welcome {
                Check::None
            } else {
                Check::Stranger
            };
            serve_http(Io(stream), shared, peer, check, Some(hangup)).await;
        }
        // It said nothing, in ten seconds or for good.
        Ok(Err(_)) | Err(_) => {}
    }
}

async fn serve_tcp(stream: TcpStream, gate: Rc<Gate>, seat: Seat) {
    // Small answers at once; where that does not work they are slower, no more.
    let _ = stream.set_nodelay(true);
    if gate.is_open() {
        // Anybody may come, so who asks and does not take the answers cannot stay: each place is
        // somebody else's, too.
        let _ = setsockopt(&stream, TcpUserTimeout, &(HEAD_TIME.as_millis() as u32));
    }
    let peer = Peer { uid: 0, pid: 0 };
    let shared = seat.shared.clone();
    serve_http(Io(stream), shared, peer, Check::Gate(gate), None).await;
}

/// Looks at the first byte without taking it.
async fn first_byte(stream: &UnixStream) -> io::Result<u8> {
    let mut byte = [0];
    loop {
        stream.readable().await?;
        let peek = || {
            let fd = stream.as_raw_fd();
            Ok(nix::sys::socket::recv(fd, &mut byte, MsgFlags::MSG_PEEK)?)
        };
        match stream.try_io(Interest::READABLE, peek) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => return Ok(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Tells when a client on the control socket has gone altogether. One that has only closed its
/// writing end still waits for its answers, as `printf … | socat` does.
pub struct Hangup(AsyncFd<OwnedFd>);

impl Hangup {
    fn new(stream: &UnixStream) -> io::Result<Hangup> {
        let fd = stream.as_fd().try_clone_to_owned()?;
        // Of all that can be waited for, this comes only with the end of both directions.
        // SAFETY: the descriptor is owned by what is registered, which never changes it.
        let registered = unsafe { AsyncFd::register_with_interest(fd, Interest::PRIORITY) };
        Ok(Hangup(registered?))
    }

    pub async fn wait(&self) {
        // Not to be told is to wait for ever; the connection's own end remains.
        if self.0.ready(Interest::PRIORITY).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn serve_http<T>(
    io: Io<T>,
    shared: Rc<Shared>,
    peer: Peer,
    check: Check,
    hangup: Option<Hangup>,
) where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let service = service_fn(|request| handle(&shared, peer, &check, request));
    let connection = http1::Builder::new()
        .timer(TokioTimer)
        .header_read_timeout(HEAD_TIME)
        .max_header_size(MOST_HEAD)
        .max_buf_size(4 * MOST_HEAD)
        .half_close(hangup.is_some())
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let gone = async {
        match &hangup {
            Some(hangup) => hangup.wait().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        // An error is the client's: it has gone, or has spoken no HTTP.
        _ = connection.as_mut() => return,
        () = gone => return,
        () = shared.closed() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

async fn handle(
    shared: &Rc<Shared>,
    peer: Peer,
    check: &Check,
    request: Request<IncomingBody>,
) -> Result<Response<ReplyBody>, Infallible> {
    if let Some((status, detail)) = check.refusal(request.headers()) {
        let mut response = problem(shared, status, detail);
        close_after(&mut response);
        if status == 401 {
            let bearer = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, bearer);
        }
        return Ok(response);
    }
    let (head, body) = request.into_parts();
    let public = matches!(&check, Check::Gate(gate) if gate.is_open());
    // Nothing that everybody may ask has one, and nobody's megabytes are kept for that.
    let body = if public {
        Ok(String::new())
    } else {
        read_body(body).await
    };
    let body = match body {
        Ok(body) => body,
        Err((status, detail)) => {
            let mut response = problem(shared, status, detail);
            close_after(&mut response);
            return Ok(response);
        }
    };
    let call = Call::Http {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or("").to_owned(),
        body,
        public,
    };
    let reply = shared.ask(peer, call).await;
    Ok(respond(shared, reply))
}

impl Check {
    fn refusal(&self, headers: &HeaderMap) -> Option<(u16, &'static str)> {
        let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or(""));
        match self {
            Check::None => None,
            Check::Stranger => Some((
                403,
                "this supervisor takes requests of its own user and of root only",
            )),
            Check::Gate(gate) => gate.refusal(&Credentials {
                host: text(header::HOST),
                origin: text(header::ORIGIN),
                authorization: text(header::AUTHORIZATION),
            }),
        }
    }
}

fn close_after(response: &mut Response<ReplyBody>) {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
}

async fn read_body(body: IncomingBody) -> Result<String, (u16, &'static str)> {
    const TOO_LARGE: (u16, &str) = (413, "a request's body may have 1 MiB");
    if body.size_hint().lower() > MOST_BODY as u64 {
        return Err(TOO_LARGE);
    }
    if body.is_end_stream() {
        return Ok(String::new());
    }
    let reading = http_body_util::Limited::new(body, MOST_BODY).collect();
    match tokio::time::timeout(BODY_TIME, reading).await {
        Ok(Ok(all)) => String::from_utf8(all.to_bytes().into())
            .map_err(|_| (400, "the request's body is not UTF-8")),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(TOO_LARGE),
        Ok(Err(_)) => Err((400, "the request's body broke off")),
        Err(_) => Err((408, "the request's body did not come")),
    }
}

fn problem(shared: &Rc<Shared>, status: u16, detail: &str) -> Response<ReplyBody> {
    respond(shared, ReplyData::problem(status, detail))
}

fn respond(shared: &Rc<Shared>, reply: ReplyData) -> Response<ReplyBody> {
    let body = match ReplyBody::new(shared, reply.parts) {
        Ok(body) => body,
        Err(detail) => return problem(shared, 400, &detail),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(content_type) = HeaderValue::from_str(&reply.content_type) {
        if !reply.content_type.is_empty() {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
    }
    for (name, value) in &reply.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests;
