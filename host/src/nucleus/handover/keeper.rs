//! Keeps what a supervisor left until a later one fetches it: a process of its own, of the same
//! program, that has nothing but the descriptors and a socket beside the state file. It reads no
//! pipe: a service that writes more than its pipe takes waits.

use super::{leave, owned, pack, Carried, Road, Unpacker, UNDERSTOOD};
use nix::{
    cmsg_space,
    errno::Errno,
    libc,
    poll::{poll, PollFd, PollFlags, PollTimeout},
    sys::socket::{
        getsockopt, recvmsg, sendmsg, sockopt::PeerCredentials, ControlMessage,
        ControlMessageOwned, MsgFlags,
    },
    unistd::geteuid,
};
use std::{
    env, fs,
    fs::File,
    io::{self, IoSlice, IoSliceMut, Read, Write},
    os::{
        fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::{
            fs::MetadataExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Where its socket goes.
pub const PATH_VARIABLE: &str = "ONEUP_HANDOVER_SOCKET";
const KEPT_FOR: Duration = Duration::from_secs(300);
/// For one who fetches.
const FETCHED_WITHIN: Duration = Duration::from_secs(10);
/// Of one message; the kernel takes 253.
const FDS_AT_ONCE: usize = 128;
/// In front of the descriptors: how many there are, the memory file included.
const HEAD: usize = 8;
const DONE: &[u8] = b"!";

pub fn socket_beside(state: &Path) -> PathBuf {
    let mut path = state.as_os_str().to_owned();
    path.push(".keeper");
    PathBuf::from(path)
}

// ---- the keeper

pub fn keep(file: &File) -> Result<(), String> {
    let path = env::var_os(PATH_VARIABLE).map(PathBuf::from);
    let path = path.ok_or_else(|| format!("{PATH_VARIABLE} is not set"))?;
    let fds = pack::fds_of(file).map_err(|error| error.to_string())?;
    // Ours alone, so that they go with us.
    let fds: Vec<OwnedFd> = fds.into_iter().filter_map(owned).collect();
    let listener = listen(&path)?;
    // Away from who started us: their terminal, their folder, their group.
    let _ = nix::unistd::setsid();
    let _ = env::set_current_dir("/");
    let said = io::stdout()
        .write_all(UNDERSTOOD.as_bytes())
        .and_then(|()| io::stdout().flush());
    said.map_err(|error| error.to_string())?;
    leave_output();
    wait_for_fetch(&listener, file, &fds);
    let _ = fs::remove_file(&path);
    Ok(())
}

fn listen(path: &Path) -> Result<UnixListener, String> {
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    // Of an earlier one that is no more; one that lives has something to keep.
    if UnixStream::connect(path).is_ok() {
        return Err(format!("{} is another keeper's", path.display()));
    }
    let _ = fs::remove_file(path);
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
    UnixListener::bind(path).map_err(failed)
}

/// Whoever waits for the end of it shall not wait for us.
fn leave_output() {
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        for number in 0..=2 {
            // SAFETY: no pointers.
            unsafe { libc::dup2(null.as_raw_fd(), number) };
        }
    }
}

fn wait_for_fetch(listener: &UnixListener, file: &File, fds: &[OwnedFd]) {
    let end = Instant::now() + KEPT_FOR;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut ready = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        if !matches!(poll(&mut ready, timeout), Ok(1..)) {
            continue;
        }
        let given = listener
            .accept()
            .and_then(|(stream, _)| give(&stream, file, fds));
        if given.is_ok() {
            return;
        }
    }
}

/// Everything, to one who may have it and says that it has arrived.
fn give(stream: &UnixStream, file: &File, fds: &[OwnedFd]) -> io::Result<()> {
    if !is_trusted(stream) {
        return Err(Errno::EPERM.into());
    }
    stream.set_read_timeout(Some(FETCHED_WITHIN))?;
    stream.set_write_timeout(Some(FETCHED_WITHIN))?;
    let all: Vec<RawFd> = std::iter::once(file.as_raw_fd())
        .chain(fds.iter().map(AsRawFd::as_raw_fd))
        .collect();
    (&*stream).write_all(&(all.len() as u64).to_le_bytes())?;
    for some in all.chunks(FDS_AT_ONCE) {
        let rights = [ControlMessage::ScmRights(some)];
        sendmsg::<()>(
            stream.as_raw_fd(),
            &[IoSlice::new(b"+")],
            &rights,
            MsgFlags::MSG_NOSIGNAL,
            None,
        )?;
    }
    let mut answer = [0; 1];
    (&*stream).read_exact(&mut answer)
}

/// Root, or whose program this is.
fn is_trusted(stream: &UnixStream) -> bool {
    getsockopt(stream, PeerCredentials).is_ok_and(|peer| is_trusted_user(peer.uid()))
}

fn is_trusted_user(uid: u32) -> bool {
    uid == 0 || uid == geteuid().as_raw()
}

// ---- who fetches

/// What a former supervisor left beside this state file, all of it.
pub fn fetch(state: &Path) -> Result<Carried, String> {
    let path = socket_beside(state);
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    // Another user's may be one that lets us wait without end.
    let there = fs::symlink_metadata(&path).map_err(failed)?;
    let theirs = || format!("{} is another user's", path.display());
    if !is_trusted_user(there.uid()) {
        return Err(theirs());
    }
    let stream = UnixStream::connect(&path).map_err(failed)?;
    if !is_trusted(&stream) {
        return Err(theirs());
    }
    stream
        .set_read_timeout(Some(FETCHED_WITHIN))
        .map_err(failed)?;
    let mut fds = receive(&stream).map_err(failed)?.into_iter();
    let file = fds.next().flatten().map(File::from);
    let file = file.ok_or_else(|| "the keeper has given nothing".to_owned())?;
    let saved = pack::document_of(&file).map_err(failed)?;
    if !leave::is_own_namespace(&saved) {
        return Err("it is about processes of another pid namespace".into());
    }
    // From here on it is ours.
    (&stream).write_all(DONE).map_err(failed)?;
    let _ = fs::remove_file(state);
    Ok(Carried {
        saved,
        unpacker: Unpacker::new(file, fds.collect()),
        road: Road::Keeper,
    })
}

fn receive(stream: &UnixStream) -> io::Result<Vec<Option<OwnedFd>>> {
    let mut head = [0; HEAD];
    (&*stream).read_exact(&mut head)?;
    let count = u64::from_le_bytes(head) as usize;
    let mut fds = Vec::new();
    while fds.len() < count {
        let mut byte = [0; 1];
        let mut place = [IoSliceMut::new(&mut byte)];
        let mut control = cmsg_space!([RawFd; FDS_AT_ONCE]);
        let message = recvmsg::<()>(
            stream.as_raw_fd(),
            &mut place,
            Some(&mut control),
            MsgFlags::MSG_CMSG_CLOEXEC,
        )?;
        let before = fds.len();
        for part in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(some) = part {
                // SAFETY: new descriptors that nobody else owns.
                fds.extend(
                    some.into_iter()
                        .map(|fd| Some(unsafe { OwnedFd::from_raw_fd(fd) })),
                );
            }
        }
        if fds.len() == before {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(fds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::lchown;

    #[test]
    fn nothing_is_fetched_from_a_socket_of_another_users() {
        if !geteuid().is_root() {
            return; // It takes root to make one.
        }
        let name = format!("oneup-keeper-{}", std::process::id());
        let state = env::temp_dir().join(name);
        let path = socket_beside(&state);
        let listener = UnixListener::bind(&path).expect("a socket");
        lchown(&path, Some(65534), None).expect("we are root");
        let error = fetch(&state).err().expect("nothing to be had");
        assert!(error.ends_with("is another user's"), "{error}");
        listener.set_nonblocking(true).expect("our socket");
        let asked = listener.accept().map(drop).map_err(|error| error.kind());
        assert_eq!(asked, Err(io::ErrorKind::WouldBlock));
        fs::remove_file(&path).expect("our socket");
    }
}
