//! Where the supervisor can be spoken to: the control socket, and a TCP address if one is asked
//! for; and who may.

use super::{
    handover::{Passed, Unpacker},
    resolve,
};
use crate::protocol::ListenTcp;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::sys::socket::{bind, socket, AddressFamily, Backlog, SockFlag, SockType, UnixAddr};
use nix::sys::stat::{fchmod, Mode};
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _,
    PermissionsExt as _,
};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The kernel's, without the byte that ends it.
const LONGEST_PATH: usize = 107;
const SHORTEST_TOKEN: usize = 16;

/// Why there is no listener: one sentence.
#[derive(Debug)]
pub struct ListenError {
    pub message: String,
    /// Somebody alive listens there already.
    pub taken: bool,
}

impl ListenError {
    fn new(message: String) -> ListenError {
        ListenError {
            message,
            taken: false,
        }
    }

    fn at(path: &Path, what: &str, error: &io::Error) -> ListenError {
        ListenError::new(format!("{what} {}: {}", path.display(), reason(error)))
    }
}

/// `Permission denied (EACCES)`
pub fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => super::log::describe(Errno::from_raw(code)),
        None => error.to_string(),
    }
}

/// The control socket on its way to a successor.
#[derive(Serialize, Deserialize)]
pub struct SavedSocket {
    path: PathBuf,
    identity: Identity,
    listener: Passed,
}

impl SavedSocket {
    /// `None`: it is not what it was.
    pub fn restore(self, unpacker: &mut Unpacker) -> Option<(UnixListener, SocketFile)> {
        let listener = UnixListener::from(unpacker.fd(self.listener)?);
        let file = SocketFile {
            path: self.path,
            identity: self.identity,
        };
        file.is_ours().then_some((listener, file))
    }
}

/// The control socket's file, as it was made by us.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: Identity,
}

impl SocketFile {
    /// The one that was just made there.
    pub fn of(path: &Path) -> io::Result<SocketFile> {
        let there = fs::symlink_metadata(path)?;
        Ok(SocketFile {
            path: path.to_owned(),
            identity: identity(&there),
        })
    }

    pub fn save(&self, listener: Passed) -> SavedSocket {
        SavedSocket {
            path: self.path.clone(),
            identity: self.identity,
            listener,
        }
    }

    /// False: somebody has removed or replaced it.
    pub fn is_ours(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|there| identity(&there) == self.identity)
    }

    pub fn remove(&self) {
        if self.is_ours() {
            // Nobody can be told at this point.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// An inode's number is given out again soon after its file has gone, so the time of its making
/// belongs to it; nothing changes a socket's.
type Identity = (u64, u64, i64, i64);

fn identity(file: &Metadata) -> Identity {
    (file.dev(), file.ino(), file.mtime(), file.mtime_nsec())
}

/// Makes the control socket: never more open than `mode` from the first moment, in place of a dead
/// one, never in place of one that lives.
pub fn bind_unix(path: &str, mode: u32) -> Result<(UnixListener, SocketFile), ListenError> {
    if path.len() > LONGEST_PATH {
        return Err(ListenError::new(format!(
            "the socket's path has {} bytes, the kernel allows {LONGEST_PATH}: {path} (name a \
             shorter one with --socket)",
            path.len()
        )));
    }
    let path = Path::new(path);
    let folder = make_folder(path)?;
    // Two supervisors that start at the same time find out one after the other.
    let lock = lock_folder(folder);
    remove_dead(path)?;
    let bound = bind_with_mode(path, mode);
    drop(lock);
    let listener = bound.map_err(|error| ListenError::at(path, "cannot make socket", &error))?;
    let socket = SocketFile::of(path)
        .and_then(|socket| listener.set_nonblocking(true).map(|()| socket))
        .map_err(|error| ListenError::at(path, "cannot use socket", &error))?;
    Ok((listener, socket))
}

/// A socket's file takes its mode from the socket, so it has it before it exists; the umask
/// belongs to the whole process and stays as it is, and what it took away is given back.
fn bind_with_mode(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    fchmod(&fd, Mode::from_bits_truncate(mode))?;
    bind(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    if fs::symlink_metadata(path)?.mode() & 0o777 != mode & 0o777 {
        fs::set_permissions(path, Permissions::from_mode(mode & 0o777))?;
    }
    nix::sys::socket::listen(&fd, Backlog::MAXCONN)?;
    Ok(UnixListener::from(fd))
}

/// The socket's own folder is made where it is missing; what is above it is not ours to make.
fn make_folder(path: &Path) -> Result<&Path, ListenError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists && !folder.is_dir() => Err(
            ListenError::at(folder, "cannot make the socket's folder", &error),
        ),
        _ => Ok(folder),
    }
}

/// Leaves no file behind. Somebody else may hold a lock on a folder that is not ours alone, so
/// it is not waited for long.
pub fn lock_folder(folder: &Path) -> Option<Flock<File>> {
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).bits())
        .open(folder)
        .ok()?;
    for _ in 0..50 {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Some(lock),
            Err((back, Errno::EWOULDBLOCK)) => file = back,
            Err(_) => return None,
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    None
}

fn remove_dead(path: &Path) -> Result<(), ListenError> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(ListenError::at(path, "cannot look at", &error)),
    };
    if !there.file_type().is_socket() {
        return Err(ListenError::new(format!(
            "{} is there already and is no socket",
            path.display()
        )));
    }
    match UnixStream::connect(path) {
        Err(error) if error.raw_os_error() == Some(Errno::ECONNREFUSED as i32) => {
            fs::remove_file(path)
                .map_err(|error| ListenError::at(path, "cannot remove the dead socket", &error))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // Whatever else: somebody is there, or nobody can tell.
        _ => Err(ListenError {
            message: format!("a supervisor already listens on {}", path.display()),
            taken: true,
        }),
    }
}

/// The check that clients over TCP must pass.
pub fn gate(options: &ListenTcp) -> Result<Gate, ListenError> {
    let file = options.token_file.as_deref();
    let token = file.map(|file| read_token(Path::new(file))).transpose()?;
    let (host, _) = parse_address(&options.address)?;
    Ok(Gate { token, host })
}

/// A TCP listener and the check that its clients must pass.
pub fn bind_tcp(options: &ListenTcp) -> Result<(TcpListener, Gate), ListenError> {
    let gate = gate(options)?;
    let (_, addresses) = parse_address(&options.address)?;
    let cannot = |error: io::Error| {
        ListenError::new(format!(
            "cannot listen on {}: {}",
            options.address,
            reason(&error)
        ))
    };
    let listener = TcpListener::bind(&*addresses).map_err(cannot)?;
    listener.set_nonblocking(true).map_err(cannot)?;
    Ok((listener, gate))
}

fn read_token(path: &Path) -> Result<String, ListenError> {
    let text = fs::read_to_string(path)
        .map_err(|error| ListenError::at(path, "cannot read the token file", &error))?;
    let token = text.trim();
    if token.len() < SHORTEST_TOKEN {
        return Err(ListenError::new(format!(
            "the token in {} has {} characters, at least {SHORTEST_TOKEN} are needed",
            path.display(),
            token.len()
        )));
    }
    Ok(token.to_owned())
}

/// `IP:port` or `NAME:port`, and what the name stands for (`resolve`): the first address that can
/// be had is taken.
fn parse_address(text: &str) -> Result<(String, Vec<SocketAddr>), ListenError> {
    let wrong = |why: &str| {
        ListenError::new(format!(
            "{text:?} is no address to listen on{why}: expected one like 127.0.0.1:8080"
        ))
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(|| wrong(""))?;
    let port: u16 = port.parse().map_err(|_| wrong(""))?;
    let addresses = match host.trim_start_matches('[').trim_end_matches(']') {
        "" | "*" => vec![SocketAddr::from(([0, 0, 0, 0], port))],
        plain => {
            let unknown = |error: io::Error| wrong(&format!(", as {error}"));
            resolve::addresses(plain, port).map_err(unknown)?
        }
    };
    Ok((host.to_owned(), addresses))
}

/// What a request over TCP must bring: the token; a `Host` that no web page of somebody else's
/// can have; and if it comes from a page, one of this very address.
pub struct Gate {
    /// `None`: everybody is welcome, by whatever name.
    token: Option<String>,
    host: String,
}

/// The header fields that matter here, as they came.
#[derive(Default)]
pub struct Credentials<'a> {
    pub host: Option<&'a str>,
    pub origin: Option<&'a str>,
    pub authorization: Option<&'a str>,
}

impl Gate {
    /// `None`: come in. Else the status and what is wrong.
    pub fn refusal(&self, given: &Credentials) -> Option<(u16, &'static str)> {
        let own = self.token.as_ref()?;
        let Some(host) = given.host.filter(|host| self.is_known(host)) else {
            return Some((
                403,
                "the Host field names neither an IP address nor localhost",
            ));
        };
        let is_foreign = |origin: &str| {
            let origin_host = origin.split_once("://").map_or("", |(_, host)| host);
            !origin_host.eq_ignore_ascii_case(host)
        };
        if given.origin.is_some_and(is_foreign) {
            return Some((403, "the Origin field names another site"));
        }
        let token = given.authorization.and_then(bearer);
        if !token.is_some_and(|token| equal(token.as_bytes(), own.as_bytes())) {
            return Some((401, "a bearer token is needed: Authorization: Bearer TOKEN"));
        }
        None
    }

    pub fn is_open(&self) -> bool {
        self.token.is_none()
    }

    fn is_known(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or(""),
            None => host.split(':').next().unwrap_or(""),
        };
        name.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || (!self.host.is_empty() && name.eq_ignore_ascii_case(&self.host))
    }
}

fn bearer(field: &str) -> Option<&str> {
    let (scheme, token) = field.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Takes the same time wherever the difference is.
fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let difference = a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b));
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::join;
    use std::sync::{Arc, Barrier};

    struct Folder(PathBuf);
    impl Folder {
        fn new(name: &str) -> Folder {
            let name = format!("oneup-listen-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }
        fn path(&self, name: &str) -> String {
            self.0.join(name).to_str().unwrap().to_owned()
        }
    }
    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_socket_is_private_and_goes_when_it_is_ours() {
        let folder = Folder::new("private");
        let path = folder.path("run/sock");
        let (_listener, socket) = bind_unix(&path, 0o600).unwrap();
        let mode = |path: &str| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&folder.path("run")), 0o700);
        assert_eq!(fs::read_dir(folder.path("run")).unwrap().count(), 1);
        assert!(socket.is_ours());
        socket.remove();
        assert!(!Path::new(&path).exists());
        // The umask of the tests takes away something of it.
        let shared = folder.path("shared");
        let (_shared, others) = bind_unix(&shared, 0o666).unwrap();
        assert_eq!(mode(&shared), 0o666);
        assert!(others.is_ours());
        // A successor's is left alone.
        let (_second, theirs) = bind_unix(&path, 0o600).unwrap();
        socket.remove();
        assert!(theirs.is_ours());
    }

    #[test]
    fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
        let folder = Folder::new("dead");
        let path = folder.path("sock");
        let (listener, first) = bind_unix(&path, 0o600).unwrap();
        let error = bind_unix(&path, 0o600).unwrap_err();
        assert!(
            error.taken && error.message.contains("already listens"),
            "{error:?}"
        );
        assert!(first.is_ours());
        drop(listener);
        let (_listener, second) = bind_unix(&path, 0o600).unwrap();
        assert!(second.is_ours() && !first.is_ours());
    }

    #[test]
    fn what_cannot_be_is_said() {
        let folder = Folder::new("wrong");
        let message = |path: &str| bind_unix(path, 0o600).unwrap_err().message;
        fs::write(folder.path("file"), "precious").unwrap();
        assert!(message(&folder.path("file")).contains("is no socket"));
        std::os::unix::fs::symlink("file", folder.path("link")).unwrap();
        assert!(message(&folder.path("link")).contains("is no socket"));
        assert_eq!(fs::read(folder.path("file")).unwrap(), b"precious");
        assert!(message(&folder.path("no/such/folder/sock")).contains("ENOENT"));
        assert!(message(&folder.path(&"x".repeat(200))).contains("the kernel allows 107"));
        let longest = folder.path(&"x".repeat(106 - folder.0.as_os_str().len()));
        assert_eq!(longest.len(), 107);
        bind_unix(&longest, 0o600).unwrap();
    }

    #[test]
    fn of_many_at_once_one_wins() {
        let folder = Folder::new("race");
        let path = folder.path("sock");
        for round in 0..20 {
            drop(bind_unix(&path, 0o600).unwrap().0);
            let barrier = Arc::new(Barrier::new(4));
            let contenders: Vec<_> = (0..4)
                .map(|_| {
                    let (barrier, path) = (barrier.clone(), path.clone());
                    std::thread::spawn(move || {
                        barrier.wait();
                        bind_unix(&path, 0o600)
                    })
                })
                .collect();
            let won: Vec<_> = contenders.into_iter().map(join).collect();
            let winners: Vec<_> = won.iter().flatten().collect();
            assert_eq!(winners.len(), 1, "round {round}");
            assert!(winners[0].1.is_ours());
        }
    }

    #[test]
    fn tcp_addresses_and_tokens() {
        let folder = Folder::new("tcp");
        let listen = |address: &str, token: &str| {
            fs::write(folder.path("token"), token).unwrap();
            bind_tcp(&ListenTcp {
                address: address.into(),
                token_file: Some(folder.path("token")),
            })
            .map(|_| ())
            .map_err(|error| error.message)
        };
        let good = "0123456789abcdef\n";
        assert!(listen("127.0.0.1:0", good).is_ok());
        assert!(listen("localhost:0", good).is_ok());
        assert!(listen("127.0.0.1:0", " short ")
            .unwrap_err()
            .contains("has 5 characters"));
        for wrong in ["127.0.0.1", "example.org:80", "127.0.0.1:x", ""] {
            assert!(
                listen(wrong, good).unwrap_err().contains("no address"),
                "{wrong}"
            );
        }
        assert!(listen("203.0.113.77:1", good)
            .unwrap_err()
            .contains("cannot listen"));
    }

    #[test]
    fn the_gate() {
        let gate = Gate {
            token: Some("0123456789abcdef".into()),
            host: "box.lan".into(),
        };
        let status = |host, origin, authorization| {
            let given = Credentials {
                host,
                origin,
                authorization,
            };
            gate.refusal(&given).map(|refusal| refusal.0)
        };
        let token = Some("Bearer 0123456789abcdef");
        for host in [
            "127.0.0.1:80",
            "127.0.0.1",
            "[::1]:80",
            "LOCALHOST:1",
            "box.lan:80",
        ] {
            assert_eq!(status(Some(host), None, token), None, "{host}");
        }
        assert_eq!(
            status(Some("localhost"), None, Some("bearer  0123456789abcdef ")),
            None
        );
        for host in [
            "evil.example",
            "evil.example:80",
            "",
            "[]",
            "127.0.0.1.evil.example",
        ] {
            assert_eq!(status(Some(host), None, token), Some(403), "{host}");
        }
        assert_eq!(status(None, None, token), Some(403));
        let host = Some("127.0.0.1:80");
        assert_eq!(status(host, Some("http://127.0.0.1:80"), token), None);
        for origin in ["http://127.0.0.1:81", "https://evil.example", "null", ""] {
            assert_eq!(status(host, Some(origin), token), Some(403), "{origin}");
        }
        for wrong in [
            "",
            "Bearer",
            "Bearer 0123456789abcdeF",
            "Bearer 0123456789abcde",
            "Basic 0123456789abcdef",
        ] {
            assert_eq!(status(host, None, Some(wrong)), Some(401), "{wrong}");
        }
        assert_eq!(status(host, None, None), Some(401));
    }
}
