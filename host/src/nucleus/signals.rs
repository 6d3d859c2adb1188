//! Signals: their names, the supervisor's own mask and dispositions, and the descriptor through
//! which they come to the loop. Nothing is ever handled by a handler.

use nix::{
    errno::Errno,
    libc,
    sys::{
        signal::{self, SigHandler, SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
    unistd::getpid,
};
use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

/// What a broken program does to itself. These stay at their default and are never forwarded:
/// blocked, the kernel would kill the process all the same, and a debugger would miss them.
const CRASH: [Signal; 7] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGABRT,
    Signal::SIGTRAP,
    Signal::SIGSYS,
];

/// Blocks every signal but the crash signals in this thread and all threads it starts, and gives
/// each the disposition a supervisor needs whatever it inherited. To be called before anything
/// else: PID 1 loses every signal that comes while it is neither blocked nor handled.
pub fn take_control() -> io::Result<()> {
    block()?;
    for signal in Signal::iterator().filter(|signal| !CRASH.contains(signal)) {
        let action = match signal {
            Signal::SIGKILL | Signal::SIGSTOP => continue,
            // Writing to a closed pipe, a full quota, and the terminal's wish to stop a
            // background process are errors of the one call, not ends of the supervisor.
            Signal::SIGPIPE | Signal::SIGXFSZ | Signal::SIGTTIN | Signal::SIGTTOU => {
                SigHandler::SigIgn
            }
            // CHLD above all: if it were ignored, as it may be inherited, the kernel would reap
            // the children itself and their exit codes would be lost.
            _ => SigHandler::SigDfl,
        };
        // SAFETY: neither SIG_DFL nor SIG_IGN runs code of ours.
        unsafe { signal::signal(signal, action) }?;
    }
    Ok(())
}

/// Its first half.
pub fn block() -> io::Result<()> {
    Ok(ours().thread_set_mask()?)
}

fn ours() -> SigSet {
    let mut set = SigSet::all();
    CRASH.into_iter().for_each(|signal| set.remove(signal));
    set
}

/// The readable end of the blocked signals.
pub struct Signals(SignalFd);

/// A signal that came to the supervisor's own process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrived {
    pub number: i32,
    /// The process that sent it; 0: the kernel.
    pub sender: u32,
}

impl Arrived {
    pub fn is_child(&self) -> bool {
        self.number == libc::SIGCHLD
    }

    pub fn is_continue(&self) -> bool {
        self.number == libc::SIGCONT
    }

    pub fn name(&self) -> String {
        name(self.number)
    }
}

impl Signals {
    /// Non-blocking. `take_control` comes first.
    pub fn open() -> io::Result<Signals> {
        Ok(Signals(SignalFd::with_flags(
            &ours(),
            SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK,
        )?))
    }

    /// Everything that is there now. CHLD stands for any number of children.
    pub fn read(&self) -> Vec<Arrived> {
        let mut arrived = Vec::new();
        // An error other than "nothing there" does not exist for a signalfd read of full records;
        // if one came, the descriptor would stay readable and the loop would try again.
        while let Ok(Some(info)) = self.0.read_signal() {
            let number = info.ssi_signo as i32;
            let sender = if info.ssi_code <= 0 { info.ssi_pid } else { 0 };
            if !is_own_noise(number, sender) {
                arrived.push(Arrived { number, sender });
            }
        }
        arrived
    }
}

/// TTIN and TTOU mean nothing to a supervisor. PIPE and XFSZ that a call of our own caused look as
/// if we had sent them; the call has reported its error already. From others they are forwarded.
pub fn is_own_noise(number: i32, sender: u32) -> bool {
    match number {
        libc::SIGTTIN | libc::SIGTTOU => true,
        libc::SIGPIPE | libc::SIGXFSZ => sender == 0 || sender == getpid().as_raw() as u32,
        _ => false,
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// `TERM`, `RTMIN+3`; the number for the two that the C library keeps for itself.
pub fn name(number: i32) -> String {
    if let Ok(signal) = Signal::try_from(number) {
        return signal.as_str().trim_start_matches("SIG").to_owned();
    }
    match number - libc::SIGRTMIN() {
        0 => "RTMIN".to_owned(),
        above @ 1.. => format!("RTMIN+{above}"),
        _ => number.to_string(),
    }
}

/// The number of `TERM`, `SIGTERM`, `RTMIN+3`, `RTMAX-1` or `15`.
pub fn number(name: &str) -> Option<i32> {
    let upper = name.to_ascii_uppercase();
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    let real_time = |from: i32, offset: &str| match offset {
        "" => Some(from),
        _ => from.checked_add(offset.parse().ok()?),
    };
    let number = if let Some(offset) = short.strip_prefix("RTMIN") {
        real_time(libc::SIGRTMIN(), offset)
    } else if let Some(offset) = short.strip_prefix("RTMAX") {
        real_time(libc::SIGRTMAX(), offset)
    } else if let Ok(number) = short.parse() {
        Some(number)
    } else {
        match short {
            "CLD" => Some(libc::SIGCHLD),
            "POLL" => Some(libc::SIGIO),
            _ => format!("SIG{short}")
                .parse::<Signal>()
                .ok()
                .map(|signal| signal as i32),
        }
    };
    number.filter(|number| (1..=libc::SIGRTMAX()).contains(number))
}

/// kill(2) for one process. False if it was not sent: no such process, or not allowed.
pub fn send(pid: i32, number: i32) -> bool {
    // 1 is the machine's init or ourselves, 0 our own group, -1 everybody: never meant here.
    // SAFETY: kill takes no pointer.
    pid > 1 && unsafe { libc::kill(pid, number) } == 0
}

/// The same for a process that is not our own child, whose number may have been given to another
/// one: `still` looks whether it is the one that is meant, after the kernel has tied a descriptor
/// to it. Kernels before 5.3 have none; then only the moment after `still` is left to chance.
pub fn send_checked(pid: i32, number: i32, still: impl FnOnce() -> bool) -> bool {
    if pid <= 1 {
        return false;
    }
    // SAFETY: no pointers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return Errno::last() != Errno::ESRCH && still() && send(pid, number);
    }
    // SAFETY: a descriptor the kernel has just made for us.
    let fd = unsafe { OwnedFd::from_raw_fd(fd as RawFd) };
    let nothing = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: without a siginfo the kernel makes one up.
    still()
        && unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                fd.as_raw_fd(),
                number,
                nothing,
                0,
            )
        } == 0
}

/// kill(2) for a process group. With number 0: whether it has a member, even one we may not touch.
pub fn send_group(group: i32, number: i32) -> bool {
    if group <= 1 {
        return false;
    }
    // SAFETY: kill takes no pointer.
    let sent = unsafe { libc::kill(-group, number) } == 0;
    sent || (number == 0 && Errno::last() == Errno::EPERM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_twins() {
        for number in 1..=libc::SIGRTMAX() {
            assert_eq!(
                super::number(&name(number)),
                Some(number),
                "{}",
                name(number)
            );
        }
        assert_eq!(name(15), "TERM");
        assert_eq!(name(libc::SIGRTMIN() + 3), "RTMIN+3");
    }

    #[test]
    fn other_spellings() {
        assert_eq!(number("SIGHUP"), Some(1));
        assert_eq!(number("hup"), Some(1));
        assert_eq!(number("9"), Some(9));
        assert_eq!(number("RTMAX-1"), Some(libc::SIGRTMAX() - 1));
        for wrong in [
            "",
            "SIG",
            "0",
            "65",
            "-1",
            "RTMIN+31",
            "RTMAX+1",
            "RTMIN-9999999999",
            "NONE",
        ] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }
}
