//! The machine whose PID 1 we are: what Ctrl-Alt-Del does, and how it ends.

use super::startup::Inherited;
use crate::protocol::Machine;
use nix::{
    libc,
    sys::reboot::{reboot, set_cad_enabled, RebootMode},
    unistd,
};
use std::{env, ffi::CString, os::unix::ffi::OsStringExt as _, thread, time::Duration};

/// Before what has ended is started anew: a fault that comes back at once must not take the whole
/// processor.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// From now on the kernel tells PID 1 of Ctrl-Alt-Del by SIGINT, instead of resetting the machine at
/// once. In a container it refuses, as there the keys are not ours.
pub fn take_ctrl_alt_del() {
    if unistd::getpid().as_raw() == 1 {
        let _ = set_cad_enabled(false);
    }
}

/// Ends the machine. Where the kernel refuses, PID 1 sleeps for ever: a PID 1 that ends is a
/// panicking kernel.
pub fn end(machine: Machine) -> ! {
    let mode = match machine {
        Machine::Poweroff => RebootMode::RB_POWER_OFF,
        Machine::Reboot => RebootMode::RB_AUTOBOOT,
    };
    unistd::sync();
    match reboot(mode) {
        Ok(never) => match never {},
        Err(error) => sleep(&format!("the kernel refuses to end the machine ({error})")),
    }
}

/// Runs this program anew in the same process, as it was run at first.
pub fn again(inherited: &Inherited) -> ! {
    thread::sleep(AGAIN_AFTER);
    inherited.give_back();
    let arguments: Vec<CString> = env::args_os()
        .filter_map(|argument| CString::new(argument.into_vec()).ok())
        .collect();
    let own = arguments.first().cloned().unwrap_or_default();
    // Without /proc the name by which it was called is all that is known.
    let _ = unistd::execv(c"/proc/self/exe", &arguments);
    let Err(error) = unistd::execv(&own, &arguments);
    sleep(&format!("cannot start anew ({error})"))
}

fn sleep(why: &str) -> ! {
    eprintln!("oneup: {why}; PID 1 sleeps for ever");
    // What dies from now on is reaped by the kernel.
    // SAFETY: ignoring a signal installs no code.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    loop {
        thread::park();
    }
}
