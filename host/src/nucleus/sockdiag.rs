//! Which processes have sockets that connections can be made to.
//!
//! The kernel is asked for listening sockets alone (sock_diag), which costs the same however many
//! connections there are. Where it is not allowed to be asked, or where processes have a network
//! of their own, their files in /proc tell the same.

use nix::{
    errno::Errno,
    libc::{self, c_int},
};
use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    mem::size_of,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    path::PathBuf,
};

/// As the kernel numbers the states of TCP, and of Unix sockets, too.
const LISTEN: u32 = 10;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const REQUEST_BYTES: usize = 72;
const ANSWER_BYTES: usize = 32 << 10;
/// Descriptors of one process that are looked at.
const FDS_MAX: usize = 16 << 10;

/// Where a socket listens.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    Tcp(SocketAddr),
    Unix,
}

/// By inode.
type Listeners = HashMap<u64, Place>;

/// The first listening socket of these processes that is not one of `given`.
pub fn listens(pids: &[i32], given: &[u64]) -> Result<Option<Place>, String> {
    let own_network = network("self");
    let mut networks: BTreeMap<Option<PathBuf>, Listeners> = BTreeMap::new();
    let mut hidden = None;
    for pid in pids {
        let network = network(&pid.to_string());
        let listeners = networks.entry(network.clone()).or_insert_with(|| {
            let asked = (network == own_network).then(ask);
            asked.and_then(Result::ok).unwrap_or_else(|| read(*pid))
        });
        if listeners.keys().all(|inode| given.contains(inode)) {
            continue;
        }
        match fs::read_dir(format!("/proc/{pid}/fd")) {
            Ok(entries) => {
                let mut sockets = entries.flatten().take(FDS_MAX).filter_map(|entry| {
                    let target = fs::read_link(entry.path()).ok()?;
                    inode_of(target.to_str()?)
                });
                let found =
                    sockets.find(|inode| listeners.contains_key(inode) && !given.contains(inode));
                if let Some(place) = found.and_then(|inode| listeners.get(&inode)) {
                    return Ok(Some(place.clone()));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => hidden = Some(*pid),
            // It has ended.
            Err(_) => {}
        }
    }
    match hidden {
        Some(pid) => Err(format!(
            "not allowed to look at the sockets of process {pid}"
        )),
        None => Ok(None),
    }
}

/// The TCP sockets of our own network that connections can be made to.
pub fn tcp_listeners() -> Vec<(u64, SocketAddr)> {
    let all = ask().unwrap_or_else(|_| read(std::process::id() as i32));
    let tcp = |(inode, place)| match place {
        Place::Tcp(address) => Some((inode, address)),
        Place::Unix => None,
    };
    all.into_iter().filter_map(tcp).collect()
}

/// Whether a process has one of these sockets open.
pub fn has_one_of(pid: i32, inodes: &[u64]) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false; // It has ended, or we may not look.
    };
    entries.flatten().take(FDS_MAX).any(|entry| {
        let target = fs::read_link(entry.path()).ok();
        let inode = target.and_then(|target| inode_of(target.to_str()?));
        inode.is_some_and(|inode| inodes.contains(&inode))
    })
}

fn network(pid: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

/// `socket:[123]`
fn inode_of(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

/// All listening sockets of our own network.
fn ask() -> nix::Result<Listeners> {
    let socket = netlink()?;
    let mut found = Listeners::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        exchange(&socket, &inet_request(family), |answer| {
            found.extend(inet_answer(answer))
        })?;
    }
    exchange(&socket, &unix_request(), |answer| {
        found.extend(unix_answer(answer))
    })?;
    Ok(found)
}

fn netlink() -> nix::Result<OwnedFd> {
    const NETLINK_SOCK_DIAG: c_int = 4;
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers.
    let fd = Errno::result(unsafe { libc::socket(libc::AF_NETLINK, kind, NETLINK_SOCK_DIAG) })?;
    // SAFETY: a descriptor the kernel has just made for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A netlink message: its header, then what `inet_diag_req_v2` has.
fn inet_request(family: c_int) -> Vec<u8> {
    let mut request = header(REQUEST_BYTES);
    request.extend([family as u8, libc::IPPROTO_TCP as u8, 0, 0]);
    request.extend((1u32 << LISTEN).to_ne_bytes());
    request.resize(REQUEST_BYTES, 0);
    request
}

/// The same with `unix_diag_req`.
fn unix_request() -> Vec<u8> {
    const BYTES: usize = 40;
    let mut request = header(BYTES);
    request.extend([libc::AF_UNIX as u8, 0, 0, 0]);
    request.extend((1u32 << LISTEN).to_ne_bytes());
    request.resize(BYTES, 0);
    request
}

fn header(length: usize) -> Vec<u8> {
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    let mut header = (length as u32).to_ne_bytes().to_vec();
    header.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    header.extend(flags.to_ne_bytes());
    // Sequence and port.
    header.extend([0; 8]);
    header
}

/// Sends a request for a list and hands over each entry.
fn exchange(socket: &OwnedFd, request: &[u8], mut take: impl FnMut(&[u8])) -> nix::Result<()> {
    // SAFETY: the bytes live over the call. Without an address it goes to the kernel.
    Errno::result(unsafe {
        libc::send(
            socket.as_raw_fd(),
            request.as_ptr().cast(),
            request.len(),
            0,
        )
    })?;
    let mut buffer = vec![0u8; ANSWER_BYTES];
    loop {
        // The kernel has the answer ready before it returns from the question.
        // SAFETY: at most as many bytes are written as there are.
        let length = Errno::result(unsafe {
            libc::recv(
                socket.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                libc::MSG_DONTWAIT,
            )
        })?;
        let mut rest = buffer.get(..length.unsigned_abs()).unwrap_or(&[]);
        while let Some((kind, body, next)) = message(rest) {
            match i32::from(kind) {
                libc::NLMSG_DONE => return Ok(()),
                libc::NLMSG_ERROR => return Err(refusal(body)),
                _ => take(body),
            }
            rest = next;
        }
    }
}

/// Kind and body of the first message, and what comes after it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    const HEADER: usize = size_of::<libc::nlmsghdr>();
    let length = number(bytes, 0)? as usize;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(HEADER..length)?;
    let next = length.next_multiple_of(4).min(bytes.len());
    Some((kind, body, bytes.get(next..)?))
}

fn refusal(body: &[u8]) -> Errno {
    Errno::from_raw(number(body, 0).map_or(0, |errno| (errno as i32).wrapping_neg()))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// `inet_diag_msg`: family, state, timer, retransmissions; then ports and addresses; the inode is
/// its last field.
fn inet_answer(answer: &[u8]) -> Option<(u64, Place)> {
    let port = u16::from_be_bytes(answer.get(4..6)?.try_into().ok()?);
    let address: IpAddr = match i32::from(*answer.first()?) {
        libc::AF_INET => Ipv4Addr::from(<[u8; 4]>::try_from(answer.get(8..12)?).ok()?).into(),
        _ => Ipv6Addr::from(<[u8; 16]>::try_from(answer.get(8..24)?).ok()?).into(),
    };
    let inode = number(answer, 68)?;
    Some((inode.into(), Place::Tcp(SocketAddr::new(address, port))))
}

/// `unix_diag_msg`: family, type, state, padding; the inode.
fn unix_answer(answer: &[u8]) -> Option<(u64, Place)> {
    Some((number(answer, 4)?.into(), Place::Unix))
}

/// The same from the files of a process.
fn read(pid: i32) -> Listeners {
    let file =
        |name: &str| fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
    let tcp = ["tcp", "tcp6"].map(file);
    let mut found: Listeners = tcp
        .iter()
        .flat_map(|text| text.lines().filter_map(tcp_line))
        .collect();
    found.extend(file("unix").lines().filter_map(unix_line));
    found
}

/// `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode`
fn tcp_line(line: &str) -> Option<(u64, Place)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let state = u32::from_str_radix(fields.get(3)?, 16).ok()?;
    let (address, port) = fields.get(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let inode = fields.get(9)?.parse().ok()?;
    (state == LISTEN).then_some((
        inode,
        Place::Tcp(SocketAddr::new(address_of(address)?, port)),
    ))
}

/// Words of four bytes, each written as a number of this machine.
fn address_of(digits: &str) -> Option<IpAddr> {
    let words = (0..digits.len()).step_by(8).map(|at| {
        let word = u32::from_str_radix(digits.get(at..at + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    });
    let bytes = words.collect::<Option<Vec<_>>>()?.concat();
    match bytes.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
        _ => None,
    }
}

/// `Num RefCount Protocol Flags Type St Inode Path`
fn unix_line(line: &str) -> Option<(u64, Place)> {
    const ACCEPTS: u32 = 1 << 16;
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let flags = u32::from_str_radix(fields.get(3)?, 16).ok()?;
    let inode = fields.get(6)?.parse().ok()?;
    (flags & ACCEPTS != 0).then_some((inode, Place::Unix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        net::{TcpListener, TcpStream},
        os::unix::net::{UnixDatagram, UnixListener, UnixStream},
    };

    fn inode(socket: &impl AsRawFd) -> u64 {
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).expect("/proc");
        inode_of(link.to_str().expect("text")).expect("a socket")
    }

    #[test]
    fn the_kernel_and_proc_tell_the_same() {
        let four = TcpListener::bind("127.0.0.1:0").expect("a port");
        let six = TcpListener::bind("[::1]:0").expect("a port");
        let name = std::env::temp_dir().join(format!("oneup-diag-{}", std::process::id()));
        let unix = UnixListener::bind(&name).expect("a path");
        fs::remove_file(&name).expect("our socket");
        let client = TcpStream::connect(four.local_addr().expect("its address")).expect("ours");
        let (pair, _other) = UnixStream::pair().expect("two sockets");
        let datagram = UnixDatagram::unbound().expect("a socket");
        for listeners in [ask().expect("netlink"), read(std::process::id() as i32)] {
            for listener in [&four, &six] {
                let address = listener.local_addr().expect("its address");
                assert_eq!(listeners.get(&inode(listener)), Some(&Place::Tcp(address)));
            }
            assert_eq!(listeners.get(&inode(&unix)), Some(&Place::Unix));
            for other in [inode(&client), inode(&pair), inode(&datagram)] {
                assert_eq!(listeners.get(&other), None);
            }
        }
    }

    #[test]
    fn torn_answers_are_no_harm() {
        let whole = inet_request(libc::AF_INET);
        for cut in 0..whole.len() {
            message(&whole[..cut]);
            inet_answer(&whole[..cut]);
            unix_answer(&whole[..cut]);
        }
        assert!(message(&[255; 64]).is_none());
        assert_eq!(tcp_line("  sl  local_address rem_address"), None);
    }
}
