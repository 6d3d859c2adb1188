//! A process for the other tests that does what it is told, step by step.

use super::*;
use nix::{
    libc,
    sys::socket::{sendmsg, setsockopt, sockopt, ControlMessage, MsgFlags},
};
use std::{
    io::{self, Write},
    net::{TcpListener, TcpStream},
    os::{
        fd::{AsRawFd, FromRawFd, RawFd},
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram, UnixListener},
    },
};

/// The steps of [`imp`], separated by `; `.
pub const STEPS: &str = "ONEUP_TEST_STEPS";

/// What starts an imp: in a spec, or in a shell as `$IMP`.
pub fn command() -> Vec<String> {
    let own = env::current_exe().expect("/proc of this machine");
    let own = own.display().to_string();
    let words = [
        own.as_str(),
        "nucleus::tests::imp::imp",
        "--exact",
        "--ignored",
        "--nocapture",
        "-q",
    ];
    words.map(str::to_owned).to_vec()
}

impl World {
    pub fn imp(&self, steps: &str) -> SpawnSpec {
        let mut spec = self.sh("");
        spec.argv = command();
        spec.environment.insert(STEPS.to_owned(), steps.to_owned());
        spec
    }
}

#[test]
#[ignore = "a process for the other tests"]
fn imp() {
    let Ok(steps) = env::var(STEPS) else {
        return;
    };
    let mut imp = Imp::default();
    for step in steps.split("; ") {
        let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
        imp.step(verb, rest);
    }
    std::process::exit(0);
}

#[derive(Default)]
struct Imp {
    kept: Vec<OwnedFd>,
    listeners: Vec<TcpListener>,
    unix: Vec<UnixListener>,
}

impl Imp {
    fn step(&mut self, verb: &str, rest: &str) {
        let text = rest
            .replace("\\n", "\n")
            .replace("$$", &std::process::id().to_string());
        match verb {
            "tell" => tell(&text, &[]),
            // `%` is counted.
            "flood" => {
                for count in 1.. {
                    tell(&text.replace('%', &count.to_string()), &[]);
                }
            }
            // The writing end is kept here, and told by the rest of the text.
            "store" => {
                let (read, write) = pipe();
                tell(&text, &[read.as_raw_fd()]);
                self.kept.push(write);
            }
            "store-many" => {
                let pipes: Vec<_> = (0..50).map(|_| pipe()).collect();
                let fds: Vec<RawFd> = pipes.iter().map(|(read, _)| read.as_raw_fd()).collect();
                tell(&text, &fds);
                self.kept.extend(pipes.into_iter().map(|(_, write)| write));
            }
            "write" => {
                let last = self.kept.pop().expect("something stored");
                let mut file = fs::File::from(last);
                file.write_all(text.as_bytes()).expect("a pipe");
                self.kept.push(file.into());
            }
            "close" => self.kept.clear(),
            "barrier" => barrier(),
            "listen" => self
                .listeners
                .push(TcpListener::bind(&text).expect("an address")),
            "listen-unix" => self
                .unix
                .push(UnixListener::bind(temp(&text)).expect("a path")),
            // A connection whose close waits for a peer that never reads.
            "store-lingering" => {
                let (ours, theirs) = lingering();
                tell(&text, &[ours.as_raw_fd()]);
                self.kept.push(theirs.into());
            }
            "store-listen" => {
                let listener = TcpListener::bind("127.0.0.1:0").expect("an address");
                tell(&text, &[listener.as_raw_fd()]);
                self.listeners.push(listener);
            }
            // Whole environment and what its descriptors are.
            "show" => show(&text),
            "read" => {
                let mut text = String::new();
                // SAFETY: descriptor 3 was passed to us.
                let mut file = unsafe { fs::File::from_raw_fd(3) };
                file.read_to_string(&mut text).expect("text");
                fs::write(temp(rest), text).expect("our folder");
            }
            "touch" => fs::write(temp(&text), std::process::id().to_string()).expect("our folder"),
            "wait" => wait(|| temp(&text).exists()),
            "orphaned" => {
                wait(|| nix::unistd::getppid().as_raw() as u32 != text.parse().unwrap_or(0))
            }
            "sleep" => loop {
                thread::park();
            },
            "exit" => std::process::exit(text.parse().expect("a code")),
            "" => {}
            other => panic!("no step {other}"),
        }
    }
}

fn temp(name: &str) -> PathBuf {
    PathBuf::from(env::var_os("T").expect("the test's folder")).join(name)
}

fn wait(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < DEADLINE);
        thread::sleep(Duration::from_millis(2));
    }
}

fn tell(text: &str, fds: &[RawFd]) {
    let name = env::var("NOTIFY_SOCKET").expect("a socket's name");
    let socket = UnixDatagram::unbound().expect("a socket");
    match name.strip_prefix('@') {
        Some(name) => socket.connect_addr(&SocketAddr::from_abstract_name(name).expect("a name")),
        None => socket.connect(&name),
    }
    .expect("somebody who listens");
    let rights = [ControlMessage::ScmRights(fds)];
    let control = if fds.is_empty() { &[][..] } else { &rights };
    let place = [io::IoSlice::new(text.as_bytes())];
    sendmsg::<()>(socket.as_raw_fd(), &place, control, MsgFlags::empty(), None)
        .expect("it is taken");
}

fn lingering() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("an address");
    let mut ours = TcpStream::connect(listener.local_addr().expect("its own")).expect("a peer");
    let (theirs, _) = listener.accept().expect("it was connected");
    let minute = libc::linger {
        l_onoff: 1,
        l_linger: 60,
    };
    setsockopt(&ours, sockopt::Linger, &minute).expect("a connection");
    ours.set_nonblocking(true).expect("a connection");
    while ours.write(&[0; 1 << 16]).is_ok() {}
    (ours, theirs)
}

/// Returns when all that was told has been taken.
fn barrier() {
    let (read, write) = pipe();
    tell("BARRIER=1", &[write.as_raw_fd()]);
    drop(write);
    let mut rest = Vec::new();
    fs::File::from(read)
        .read_to_end(&mut rest)
        .expect("its end");
}

fn show(name: &str) {
    let mut lines: Vec<String> = env::vars()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    lines.push(format!("own pid {}", std::process::id()));
    for entry in fs::read_dir("/proc/self/fd").expect("/proc").flatten() {
        // The one of this very listing has gone when it is looked at.
        let target = fs::read_link(entry.path());
        let is_listing = target.as_ref().is_ok_and(|target| target.ends_with("fd"));
        if let (Ok(target), false) = (target, is_listing) {
            lines.push(format!(
                "fd {} {}",
                entry.file_name().display(),
                target.display()
            ));
        }
    }
    let made = temp(&format!("{name}.new"));
    fs::write(&made, lines.join("\n")).expect("our folder");
    fs::rename(made, temp(name)).expect("our folder");
}
