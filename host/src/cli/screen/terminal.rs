//! Taking the terminal and giving it back, whatever ends the program.

use super::News;
use crossterm::{
    cursor::{Hide, Show},
    execute,
    terminal::{disable_raw_mode, enable_raw_mode, EnterAlternateScreen, LeaveAlternateScreen},
};
use nix::sys::signal::{raise, sigaction, SaFlags, SigAction, SigHandler, SigSet, Signal};
use serde_json::json;
use std::{
    io, panic,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::Sender,
        Once,
    },
    thread,
};

/// The terminal is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Raw mode and the alternate screen: what was there before comes back with [`restore`]. The mouse
/// stays the terminal's, so that marking and copying work as ever.
pub fn take() -> io::Result<()> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            restore();
            tell(info);
        }));
    });
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    execute!(io::stdout(), EnterAlternateScreen, Hide).inspect_err(|_| restore())
}

/// Gives the terminal back as it was; nothing if it is not ours.
pub fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// Signals are waited for on a thread of their own: they must work also while the program
/// computes.
pub fn watch_signals(tell: Sender<News>) -> io::Result<()> {
    let mut signals = SigSet::empty();
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGTSTP,
        Signal::SIGWINCH,
    ] {
        signals.add(signal);
    }
    signals.thread_block()?;
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || loop {
            match signals.wait() {
                Ok(Signal::SIGWINCH) => {}
                Ok(Signal::SIGTSTP) => pause(),
                Ok(signal) => end_by(signal),
                Err(_) => continue,
            }
            // Nobody hears it any more only when the screen is closed.
            let _ = tell.send(json!({"type": "resize"}));
        })
        .map(drop)
}

/// Stops until somebody continues us, with the terminal as it was.
fn pause() {
    let ours = TAKEN.load(Ordering::SeqCst);
    restore();
    let _ = raise_to_all(Signal::SIGSTOP);
    if ours {
        let _ = take();
    }
}

fn raise_to_all(signal: Signal) -> nix::Result<()> {
    nix::sys::signal::kill(nix::unistd::getpid(), signal)
}

/// The end that the signal would have made, after the terminal was given back.
fn end_by(signal: Signal) {
    restore();
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: the default disposition runs no code of ours.
    let _ = unsafe { sigaction(signal, &default) };
    let mut only = SigSet::empty();
    only.add(signal);
    let _ = only.thread_unblock();
    let _ = raise(signal);
    std::process::exit(128 + signal as i32);
}
