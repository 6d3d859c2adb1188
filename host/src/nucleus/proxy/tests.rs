//! Real sockets, through the whole of `Proxies`.

use super::*;
use crate::{
    protocol::Address,
    testing::{await_some, await_that, join, DEADLINE},
};
use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver};

struct World {
    proxies: Proxies,
    news: UnboundedReceiver<News>,
    folder: PathBuf,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl World {
    fn new(name: &str) -> World {
        let name = format!("oneup-proxy-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let (news_in, news) = unbounded_channel();
        World {
            proxies: Proxies::new(news_in),
            news,
            folder,
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    fn unix(&self, name: &str) -> Address {
        let path = self.path(name);
        Address::Unix { path }
    }

    /// From `front` to `back`, both in the folder, whose backend is up.
    fn proxy(&self) -> Proxy {
        Proxy {
            listen: vec![self.unix("front")],
            backend: self.unix("back"),
            connect_timeout_ms: DEADLINE.as_secs_f64() * 1000.0,
            idle_ms: 0.0,
            single: false,
            up: true,
        }
    }

    fn open(&mut self, name: &str, proxy: &Proxy) {
        self.open_for(name, "service", proxy);
    }

    /// Returns when it listens on all of its addresses.
    fn open_for(&mut self, name: &str, service: &str, proxy: &Proxy) {
        self.proxies
            .open(name.to_owned(), service.to_owned(), proxy.clone());
        for address in &proxy.listen {
            await_that("a listener", || match address {
                Address::Unix { path } => fs::exists(path).unwrap_or(false),
                Address::Tcp { .. } => self.facts(name).listening,
            });
        }
    }

    fn facts(&self, name: &str) -> ProxyFacts {
        let all = self.proxies.facts();
        let found = all.into_iter().find(|facts| facts.name == name);
        found.expect("a proxy of this name")
    }

    fn backend(&self) -> UnixListener {
        UnixListener::bind(self.path("back")).unwrap()
    }

    fn client(&self) -> UnixStream {
        let stream = crate::testing::connect(self.path("front")).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    fn event(&mut self) -> Event {
        let news = await_some("news of a proxy", || self.news.try_recv().ok());
        self.proxies.on_news(news).expect("an event")
    }

    fn await_active(&self, name: &str, count: u32) {
        await_that("so many connections", || self.facts(name).active == count);
    }
}

fn read_all(mut stream: impl Read) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn read_some(stream: &mut impl Read, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn tcp(port: u16) -> Address {
    Address::Tcp {
        host: "localhost".to_owned(),
        port,
    }
}

fn tcp_client(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Closes with a reset.
fn reset(stream: TcpStream) {
    let now = nix::libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    nix::sys::socket::setsockopt(&stream, nix::sys::socket::sockopt::Linger, &now).unwrap();
}

fn is_reset(stream: &mut impl Read) -> bool {
    let error = stream.read(&mut [0; 16]).map(drop);
    matches!(error, Err(error) if error.kind() == io::ErrorKind::ConnectionReset)
}

/// Tells nothing for so long as may be told wrongly at once.
fn tells_nothing(world: &mut World) -> bool {
    thread::sleep(Duration::from_millis(50));
    world.news.try_recv().is_err()
}

#[test]
fn each_direction_ends_by_itself() {
    let mut world = World::new("ends");
    let port = free_port();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut proxy = world.proxy();
    proxy.listen.push(tcp(port));
    proxy.backend = tcp(listener.local_addr().unwrap().port());
    world.open("p", &proxy);
    let mut clients: Vec<Box<dyn FnOnce() -> String>> = Vec::new();
    let mut one = world.client();
    clients.push(Box::new(move || {
        one.write_all(b"ask").unwrap();
        one.shutdown(Shutdown::Write).unwrap();
        read_all(one)
    }));
    let mut other = tcp_client(port);
    clients.push(Box::new(move || {
        other.write_all(b"ask").unwrap();
        other.shutdown(Shutdown::Write).unwrap();
        read_all(other)
    }));
    for client in clients {
        let accepted = listener.try_clone().unwrap();
        let backend = thread::spawn(move || {
            let (mut stream, _) = accepted.accept().unwrap();
            let asked = read_all(&stream);
            stream.write_all(b"answer").unwrap();
            asked
        });
        assert_eq!(client(), "answer");
        assert_eq!(join(backend), "ask");
    }
    world.await_active("p", 0);
    let facts = world.facts("p");
    let bytes = (facts.bytes_to_backend, facts.bytes_from_backend);
    assert_eq!((facts.total, bytes), (2, (6, 12)));
}

#[test]
fn the_backend_may_end_first() {
    let mut world = World::new("first");
    let backend = world.backend();
    world.open("p", &world.proxy());
    let mut client = world.client();
    let (mut served, _) = backend.accept().unwrap();
    served.write_all(b"bye").unwrap();
    served.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&client), "bye");
    client.write_all(b"still here").unwrap();
    assert_eq!(read_some(&mut served, 10), b"still here");
    assert_eq!(world.facts("p").active, 1);
    drop(client);
    assert_eq!(read_all(&served), "");
    world.await_active("p", 0);
}

#[test]
fn clients_wait_for_the_backend() {
    let mut world = World::new("wait");
    let mut proxy = world.proxy();
    proxy.up = false;
    world.open("p", &proxy);
    let mut early: Vec<UnixStream> = (0..3).map(|_| world.client()).collect();
    for client in &mut early {
        client.write_all(b"first words").unwrap();
    }
    assert!(matches!(world.event(), Event::ProxyWanted { name, .. } if name == "p"));
    world.await_active("p", 3);
    assert!(world.news.try_recv().is_err(), "told once");
    assert!(world.proxies.records()[0].wanted);
    // It runs, but does not listen yet.
    world.proxies.set_up("p", true);
    thread::sleep(Duration::from_millis(30));
    let backend = world.backend();
    for _ in 0..3 {
        let (mut served, _) = backend.accept().unwrap();
        assert_eq!(read_some(&mut served, 11), b"first words");
        served.write_all(b"hello").unwrap();
    }
    for client in early {
        assert_eq!(read_all(client), "hello");
    }
    assert!(!world.proxies.records()[0].wanted);
}

#[test]
fn who_waits_in_vain_is_closed() {
    let mut world = World::new("vain");
    let mut proxy = world.proxy();
    proxy.up = false;
    proxy.connect_timeout_ms = 60.0;
    world.open("p", &proxy);
    let start = Instant::now();
    assert_eq!(read_all(world.client()), "");
    assert!(start.elapsed() >= Duration::from_millis(60));
    // Running without taking connections does not change it.
    world.proxies.set_up("p", true);
    let start = Instant::now();
    assert_eq!(read_all(world.client()), "");
    assert!(start.elapsed() >= Duration::from_millis(60));
    world.await_active("p", 0);
}

#[test]
fn a_backend_that_was_up_is_tried_once() {
    let mut world = World::new("once");
    world.open("p", &world.proxy());
    assert_eq!(read_all(world.client()), "");
    assert!(tells_nothing(&mut world));
}

#[test]
fn nothing_comes() {
    let mut world = World::new("refuse");
    let mut proxy = world.proxy();
    proxy.up = false;
    world.open("p", &proxy);
    let client = world.client();
    assert!(matches!(world.event(), Event::ProxyWanted { .. }));
    world.proxies.refuse("p");
    assert_eq!(read_all(client), "");
    let _client = world.client();
    assert!(matches!(world.event(), Event::ProxyWanted { .. }));
}

#[test]
fn a_reset_is_passed_on() {
    let mut world = World::new("reset");
    let (port, listener) = (free_port(), TcpListener::bind("127.0.0.1:0").unwrap());
    let mut proxy = world.proxy();
    proxy.listen = vec![tcp(port)];
    proxy.backend = tcp(listener.local_addr().unwrap().port());
    world.open("p", &proxy);
    let (client, mut served) = linked(port, &listener);
    reset(client);
    assert!(is_reset(&mut served));
    let (mut client, served) = linked(port, &listener);
    reset(served);
    assert!(is_reset(&mut client));
    world.await_active("p", 0);
}

/// Both ends of a connection through the proxy, which has passed something on each way.
fn linked(port: u16, listener: &TcpListener) -> (TcpStream, TcpStream) {
    let mut client = tcp_client(port);
    let mut served = listener.accept().unwrap().0;
    for (from, to) in [(0, 1), (1, 0)] {
        let ends = [&mut client, &mut served];
        ends[from].write_all(b"x").unwrap();
        ends[to].read_exact(&mut [0]).unwrap();
    }
    (client, served)
}

#[test]
fn a_reset_is_seen_whatever_is_stuck() {
    let mut world = World::new("stuck");
    let (port, listener) = (free_port(), TcpListener::bind("127.0.0.1:0").unwrap());
    let mut proxy = world.proxy();
    proxy.listen = vec![tcp(port)];
    proxy.backend = tcp(listener.local_addr().unwrap().port());
    world.open("p", &proxy);
    let mut client = tcp_client(port);
    let (mut served, _) = listener.accept().unwrap();
    // Neither side reads.
    for stream in [&mut client, &mut served] {
        stream.set_nonblocking(true).unwrap();
        await_that("a full way", || stream.write(&[0; 1 << 16]).is_err());
    }
    reset(client);
    world.await_active("p", 0);
}

#[test]
fn who_does_not_read_holds_up_who_writes() {
    let mut world = World::new("pressure");
    let backend = world.backend();
    world.open("p", &world.proxy());
    let mut client = world.client();
    let (served, _) = backend.accept().unwrap();
    client.set_nonblocking(true).unwrap();
    let mut sent = 0_u64;
    let mut pattern = (0..).map(|number: u64| (number % 251) as u8);
    let mut piece: Vec<u8> = pattern.by_ref().take(251 * 64).collect();
    let mut quiet = Instant::now();
    while quiet.elapsed() < Duration::from_millis(200) {
        match client.write(&piece) {
            Ok(count) => {
                sent += count as u64;
                piece.rotate_left(count);
                quiet = Instant::now();
            }
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
    assert!(sent < 16 << 20, "{sent} bytes are on the way");
    client.shutdown(Shutdown::Write).unwrap();
    let mut received = Vec::new();
    (&served).read_to_end(&mut received).unwrap();
    assert_eq!(received.len() as u64, sent);
    let is_right = |(place, byte): (usize, &u8)| *byte == (place % 251) as u8;
    assert!(received.iter().enumerate().all(is_right));
    assert_eq!(world.facts("p").bytes_to_backend, sent);
}

/// Its end is known before the first byte is taken, and it is many pipefuls long.
#[test]
fn what_was_said_before_the_end_arrives_with_it() {
    let mut world = World::new("said");
    let (port, listener) = (free_port(), TcpListener::bind("127.0.0.1:0").unwrap());
    let mut proxy = world.proxy();
    proxy.listen = vec![tcp(port)];
    proxy.backend = tcp(listener.local_addr().unwrap().port());
    proxy.up = false;
    world.open("p", &proxy);
    let mut client = tcp_client(port);
    client.set_nonblocking(true).unwrap();
    let mut said: Vec<u8> = (0..3 << 20).map(|place: u32| (place % 251) as u8).collect();
    let mut count = 0;
    while let Ok(put @ 1..) = client.write(&said[count..]) {
        count += put;
    }
    said.truncate(count);
    client.set_nonblocking(false).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert!(matches!(world.event(), Event::ProxyWanted { .. }));
    world.proxies.set_up("p", true);
    let (mut served, _) = listener.accept().unwrap();
    let mut heard = Vec::new();
    served.read_to_end(&mut heard).unwrap();
    assert!(heard == said, "{} bytes of {count}", heard.len());
    served.write_all(&said).unwrap();
    drop(served);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert!(answer == said, "{} bytes of {count}", answer.len());
    world.await_active("p", 0);
}

/// Pacing within the machine would halve what a stream moves.
#[test]
fn nothing_is_paced_within_the_machine() {
    use nix::sys::socket::{getsockopt, sockopt::TcpCongestion};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp(listener.local_addr().unwrap().port());
    let places = dial::places(&address).unwrap();
    let dial::Dialled::Connected(fd) = dial::dial(&places[0]).unwrap() else {
        panic!("it is not connected at once");
    };
    assert_eq!(getsockopt(&fd, TcpCongestion).unwrap(), "reno");
}

#[test]
fn large_pipes_are_few() {
    use pipes::{Pipes, Room, Size};
    let mut pipes = Pipes::new(Room::new());
    let mut taken: Vec<_> = (0..20).map(|_| pipes.take(Size::Large).unwrap()).collect();
    assert_eq!(taken.iter().filter(|pipe| pipe.is_large()).count(), 16);
    taken.truncate(15);
    assert!(pipes.take(Size::Large).unwrap().is_large());
    pipes.give(taken.pop().unwrap());
    assert!(!pipes.take(Size::Ordinary).unwrap().is_large());
    assert!(pipes.take(Size::Large).unwrap().is_large());
}

#[test]
fn one_at_a_time() {
    let mut world = World::new("single");
    let backend = world.backend();
    let mut proxy = world.proxy();
    proxy.single = true;
    world.open("p", &proxy);
    let client = world.client();
    let (mut served, _) = backend.accept().unwrap();
    assert_eq!(read_all(world.client()), "");
    served.write_all(b"x").unwrap();
    drop(served);
    assert_eq!(read_all(client), "x");
    world.await_active("p", 0);
    let _client = world.client();
    backend.accept().unwrap();
    assert_eq!(world.facts("p").total, 2);
}

#[test]
fn it_is_idle_without_connections() {
    let mut world = World::new("idle");
    let backend = world.backend();
    let mut proxy = world.proxy();
    proxy.idle_ms = 20.0;
    let mut sibling = proxy.clone();
    sibling.listen = vec![world.unix("side")];
    sibling.idle_ms = 0.0;
    proxy.up = false;
    world.open("p", &proxy);
    world.open("sibling", &sibling);
    let beside = crate::testing::connect(world.path("side")).unwrap();
    let (_served, _) = backend.accept().unwrap();
    world.proxies.set_up("p", true);
    assert!(tells_nothing(&mut world), "the same service is in use");
    let client = world.client();
    let _served_too = backend.accept().unwrap();
    drop(beside);
    world.await_active("sibling", 0);
    assert!(tells_nothing(&mut world), "it is in use itself");
    drop(client);
    assert!(matches!(world.event(), Event::ProxyIdle { name, .. } if name == "p"));
    let records = world.proxies.records();
    assert!(records.iter().all(|record| !record.proxy.up));
    // Nobody is let through to what is about to end, by either.
    let _late = crate::testing::connect(world.path("side")).unwrap();
    assert!(matches!(world.event(), Event::ProxyWanted { name, .. } if name == "sibling"));
    world.proxies.set_up("sibling", true);
    backend.accept().unwrap();
}

#[test]
fn one_takes_the_place_of_another() {
    let mut world = World::new("replace");
    let backend = world.backend();
    let mut proxy = world.proxy();
    proxy.listen.push(world.unix("gone"));
    world.open("p", &proxy);
    let mut client = world.client();
    let (mut served, _) = backend.accept().unwrap();
    let other = UnixListener::bind(world.path("other")).unwrap();
    proxy.listen = vec![world.unix("front"), world.unix("new")];
    proxy.backend = world.unix("other");
    world.open("p", &proxy);
    assert!(!fs::exists(world.path("gone")).unwrap());
    let mut second = world.client();
    second.write_all(b"new").unwrap();
    let mut served_by_other = other.accept().unwrap().0;
    assert_eq!(read_some(&mut served_by_other, 3), b"new");
    client.write_all(b"old").unwrap();
    assert_eq!(read_some(&mut served, 3), b"old");
    world.proxies.close("p");
    await_that("no files", || !fs::exists(world.path("front")).unwrap());
    assert!(!fs::exists(world.path("new")).unwrap());
    client.write_all(b"on").unwrap();
    assert_eq!(read_some(&mut served, 2), b"on");
}

#[test]
fn sockets_files_are_respected() {
    let mut world = World::new("files");
    drop(UnixListener::bind(world.path("front")).unwrap());
    let backend = world.backend();
    world.open("p", &world.proxy());
    await_that("a listener", || world.facts("p").listening);
    let _client = world.client();
    backend.accept().unwrap();
    let mut proxy = world.proxy();
    fs::write(world.path("file"), "precious").unwrap();
    proxy.listen = vec![world.unix("back"), world.unix("file"), world.unix("free")];
    world.open("q", &proxy);
    let Event::ProxyFailed { failures, .. } = world.event() else {
        panic!("another event");
    };
    assert_eq!(failures.len(), 2, "{failures:?}");
    assert!(failures[0].contains("back: Address already in use (EADDRINUSE)"));
    assert!(failures[1].contains("is no socket"));
    assert_eq!(fs::read(world.path("file")).unwrap(), b"precious");
    let front = world.path("front");
    drop(mem::replace(
        &mut world.proxies,
        Proxies::new(unbounded_channel().0),
    ));
    assert!(!fs::exists(front).unwrap());
}

#[test]
fn the_same_again_changes_nothing() {
    let mut world = World::new("same");
    let backend = world.backend();
    world.open("p", &world.proxy());
    let _client = world.client();
    backend.accept().unwrap();
    world.open("p", &world.proxy());
    assert_eq!(world.facts("p").total, 1);
}
