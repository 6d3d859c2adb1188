//! The single command at a terminal: a small shell starts the supervisor as its job.

use super::*;
use nix::{
    pty::openpty,
    sys::signal::{signal, SigHandler},
    unistd::{getpgrp, setpgid, setsid, tcgetpgrp, tcsetpgrp},
};

/// No shell: one that is just making a process when it is stopped may only stop after that, and
/// its child before.
const PERL: &str = "/usr/bin/perl";
const COMMAND: &str = r#"$SIG{INT} = sub { exit 42 };
sub add { open(my $file, '>>', "$ENV{T}/$_[0]"); print $file 'x'; close $file }
add('ready');
while (1) { select(undef, undef, undef, 0.03); add('beat') }"#;
const CTRL_C: &[u8] = b"\x03";
const CTRL_Z: &[u8] = b"\x1a";

/// A terminal of our own on fd 0, whose other end is returned. We lead its session.
fn terminal() -> fs::File {
    let pty = openpty(None, None).expect("a terminal");
    setsid().expect("we lead no group");
    // SAFETY: fd 0 is nobody's here; the terminal is open.
    unsafe {
        assert_eq!(
            libc::ioctl(
                std::os::fd::AsRawFd::as_raw_fd(&pty.slave),
                libc::TIOCSCTTY,
                0
            ),
            0
        );
        libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&pty.slave), 0);
        // What a shell does, too; and its terminal is closed before it ends.
        signal(Signal::SIGTTOU, SigHandler::SigIgn).expect("a disposition");
        signal(Signal::SIGHUP, SigHandler::SigIgn).expect("a disposition");
    }
    pty.master.into()
}

fn foreground() -> i32 {
    tcgetpgrp(std::io::stdin()).map_or(0, Pid::as_raw)
}

fn give_terminal(group: Pid) {
    tcsetpgrp(std::io::stdin(), group).expect("our terminal");
}

/// Supervises the command and leaves with its exit code.
fn supervise(folder: &Path) -> i32 {
    let mut world = World::with(true);
    let mut spec = spec(&[PERL, "-e", COMMAND]);
    spec.environment
        .insert("T".to_owned(), folder.display().to_string());
    spec.foreground = true;
    let (id, pid) = world.try_spawn(&spec, Stdio::Inherit).expect("a good spec");
    fs::write(folder.join("command"), pid.to_string()).expect("our folder");
    let exit = world.exit(id);
    assert_eq!(
        foreground(),
        getpgrp().as_raw(),
        "the terminal is ours again"
    );
    match exit {
        Exit::Code(code) => code,
        Exit::Signal(_) | Exit::Unknown(()) => 1,
    }
}

struct Shell {
    keys: fs::File,
    folder: PathBuf,
    job: Pid,
    command: i32,
}

impl Shell {
    /// Starts the supervisor as a job of this session, in the foreground.
    fn new() -> Shell {
        let keys = terminal();
        let folder = env::temp_dir().join(format!("oneup-test-shell-{}", getpid()));
        fs::create_dir_all(&folder).expect("a folder");
        // SAFETY: this process has one thread.
        let job = match unsafe { fork() }.expect("a process") {
            ForkResult::Child => {
                setpgid(Pid::from_raw(0), Pid::from_raw(0)).expect("a group");
                give_terminal(getpgrp());
                let code = panic::catch_unwind(|| supervise(&folder)).unwrap_or(99);
                // SAFETY: ends this process without running what belongs to its parent.
                unsafe { libc::_exit(code) }
            }
            ForkResult::Parent { child } => child,
        };
        let mut shell = Shell {
            keys,
            folder,
            job,
            command: 0,
        };
        await_that("the command", || shell.folder.join("ready").exists());
        await_that("its pid", || {
            let pid = fs::read_to_string(shell.folder.join("command")).ok();
            shell.command = pid.and_then(|pid| pid.parse().ok()).unwrap_or(0);
            shell.command != 0
        });
        shell
    }

    fn press(&mut self, keys: &[u8]) {
        std::io::Write::write_all(&mut self.keys, keys).expect("a terminal");
    }

    #[track_caller]
    fn stopped(&self) {
        let status = await_some("the stop", || waited(self.job, WaitPidFlag::WUNTRACED));
        assert!(matches!(status, WaitStatus::Stopped(..)), "{status:?}");
    }

    fn continue_job(&self) {
        kill(Pid::from_raw(-self.job.as_raw()), Signal::SIGCONT).expect("our job");
    }

    /// The command does its work.
    #[track_caller]
    fn beats(&self) {
        let length = || fs::metadata(self.folder.join("beat")).map_or(0, |status| status.len());
        let before = length();
        await_that("a beat", || length() > before);
    }

    #[track_caller]
    fn left_with(&self, code: i32) {
        let status = await_some("the end", || waited(self.job, WaitPidFlag::empty()));
        assert_eq!(status, WaitStatus::Exited(self.job, code));
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(-self.command), Signal::SIGKILL);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn keys_reach_the_command_and_stop_the_job() {
    if !Path::new(PERL).exists() {
        return;
    }
    isolated(|| {
        let mut shell = Shell::new();
        assert_eq!(foreground(), shell.command);
        shell.beats();
        for _ in 0..2 {
            shell.press(CTRL_Z);
            shell.stopped();
            assert_eq!(
                foreground(),
                shell.job.as_raw(),
                "the job's own group has it"
            );
            give_terminal(getpgrp());
            // As `fg` does.
            give_terminal(shell.job);
            shell.continue_job();
            await_that("foreground", || foreground() == shell.command);
            shell.beats();
        }
        shell.press(CTRL_C);
        shell.left_with(42);
    });
}

#[test]
fn a_job_goes_on_in_the_background() {
    if !Path::new(PERL).exists() {
        return;
    }
    isolated(|| {
        let mut shell = Shell::new();
        shell.press(CTRL_Z);
        shell.stopped();
        give_terminal(getpgrp());
        // As `bg` does.
        shell.continue_job();
        shell.beats();
        assert_eq!(foreground(), getpgrp().as_raw());
        // And `fg` after that.
        give_terminal(shell.job);
        shell.continue_job();
        await_that("foreground", || foreground() == shell.command);
        shell.press(CTRL_C);
        shell.left_with(42);
    });
}

/// Where the supervisor leads the session, as PID 1 of a container does, nobody could continue it:
/// the kernel would not stop the command either.
#[test]
fn who_leads_the_session_does_not_stop() {
    if !Path::new(PERL).exists() {
        return;
    }
    isolated(|| {
        let mut keys = terminal();
        let folder = env::temp_dir().join(format!("oneup-test-leader-{}", getpid()));
        fs::create_dir_all(&folder).expect("a folder");
        let mut world = World::with(true);
        let mut spec = spec(&[PERL, "-e", COMMAND]);
        spec.environment
            .insert("T".to_owned(), folder.display().to_string());
        spec.foreground = true;
        let (id, pid) = world.try_spawn(&spec, Stdio::Inherit).expect("a good spec");
        let beat = folder.join("beat");
        world.until(|_| beat.exists());
        assert_eq!(foreground(), pid as i32);
        std::io::Write::write_all(&mut keys, CTRL_Z).expect("a terminal");
        // The stop is seen by the loop, and then the command works again.
        let stopped = || {
            fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|text| text.contains(") T "))
        };
        await_that("stop", stopped);
        let before = fs::metadata(&beat).expect("it is there").len();
        world.until(|_| fs::metadata(&beat).is_ok_and(|status| status.len() > before));
        assert_eq!(foreground(), pid as i32);
        std::io::Write::write_all(&mut keys, CTRL_C).expect("a terminal");
        assert_eq!(world.exit(id), code(42));
        let _ = fs::remove_dir_all(&folder);
    });
}
