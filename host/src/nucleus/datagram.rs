//! One datagram with what came along: who sent it, and descriptors.

use super::given::Given;
use nix::{
    errno::Errno,
    libc::{self, c_int},
};
use std::{
    io::{self, Read},
    mem::{size_of, zeroed},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

/// Descriptors of one datagram.
pub const FDS_MAX: usize = 64;
/// The most that the kernel passes. There is room for all of them: those without it would be closed
/// by our own call, however long that takes.
const PASSED_MAX: usize = 253;

pub struct Datagram {
    /// As the kernel vouches for it; 0: a process outside our pid namespace.
    pub pid: i32,
    pub uid: u32,
    pub fds: Vec<Given>,
    pub length: usize,
    /// It was longer, or had more descriptors, than there was room for.
    pub truncated: bool,
}

// SAFETY: CMSG_SPACE only calculates.
const CONTROL_BYTES: usize = unsafe {
    (libc::CMSG_SPACE(size_of::<libc::ucred>() as u32)
        + libc::CMSG_SPACE((PASSED_MAX * size_of::<RawFd>()) as u32)) as usize
};

/// Aligned as control messages want it.
#[repr(C, align(8))]
struct Control([u8; CONTROL_BYTES]);

/// The next datagram, if there is one; never waits. The socket has SO_PASSCRED.
pub fn receive(socket: BorrowedFd<'_>, text: &mut [u8]) -> Result<Datagram, Errno> {
    let mut control = Control([0; CONTROL_BYTES]);
    let mut place = libc::iovec {
        iov_base: text.as_mut_ptr().cast(),
        iov_len: text.len(),
    };
    // SAFETY: all zero is a valid msghdr; the pointers set here outlive the call.
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_iov = &mut place;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = CONTROL_BYTES as _;
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    let length = loop {
        // SAFETY: the header describes memory of ours that outlives the call.
        match unsafe { libc::recvmsg(socket.as_raw_fd(), &mut header, flags) } {
            -1 if Errno::last() == Errno::EINTR => {}
            -1 => return Err(Errno::last()),
            length => break length.unsigned_abs(),
        }
    };
    let mut datagram = Datagram {
        pid: 0,
        uid: u32::MAX,
        fds: Vec::new(),
        length,
        truncated: header.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0,
    };
    // SAFETY: the kernel has filled the header and the control messages it points to.
    unsafe { read_control(&header, &mut datagram) };
    datagram.truncated |= datagram.fds.len() > FDS_MAX;
    Ok(datagram)
}

/// # Safety
/// The header is one that `recvmsg` has filled, with its control messages still in place.
unsafe fn read_control(header: &libc::msghdr, datagram: &mut Datagram) {
    let mut message = libc::CMSG_FIRSTHDR(header);
    while let Some(head) = message.as_ref() {
        let data = libc::CMSG_DATA(message);
        let length = head.cmsg_len.saturating_sub(libc::CMSG_LEN(0) as usize);
        match (head.cmsg_level, head.cmsg_type) {
            (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) if length >= size_of::<libc::ucred>() => {
                let sender: libc::ucred = ptr::read_unaligned(data.cast());
                (datagram.pid, datagram.uid) = (sender.pid, sender.uid);
            }
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                for index in 0..length / size_of::<c_int>() {
                    // New descriptors that nobody else owns.
                    let fd: RawFd = ptr::read_unaligned(data.cast::<c_int>().add(index));
                    datagram.fds.push(Given::new(OwnedFd::from_raw_fd(fd)));
                }
            }
            _ => {}
        }
        message = libc::CMSG_NXTHDR(header, message);
    }
}

/// So many bytes that nobody can guess, as hexadecimal digits.
pub fn unguessable(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    // SAFETY: the call writes at most as many bytes as there are.
    let got = unsafe { libc::getrandom(random.as_mut_ptr().cast(), bytes, 0) };
    if usize::try_from(got) != Ok(bytes) {
        // A filter of system calls.
        std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    }
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
