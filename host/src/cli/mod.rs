//! The command-line program: TypeScript on an engine of its own, dropped before the process
//! becomes a supervisor.

pub mod client;
mod files;
mod host;
mod jobs;
mod rhai;
mod screen;

use crate::{
    called_as,
    protocol::Supervise,
    script::{Engine, Limits, Program},
    Programs,
};
use std::{cell::RefCell, env, ffi::OsString, rc::Rc};

pub enum Outcome {
    Exit(u8),
    /// Another engine than this one, with these arguments.
    Lua(Vec<OsString>),
    Supervise(Box<Supervise>),
}

/// What a command-line program leaves besides its exit code.
#[derive(Default)]
pub struct Wanted {
    pub supervise: Option<Box<Supervise>>,
    /// The arguments of the program that it wants to be instead; the first is its name, and says
    /// which program that is unless it is named.
    pub become_: Option<(Vec<String>, Option<String>)>,
}

/// In place of an embedded program: a Lua script.
const LUA: &str = "lua";

/// A person's own program: only a guard against a runaway, no time budget.
const LIMITS: Limits = Limits {
    memory_bytes: 512 << 20,
    stack_bytes: 1 << 20,
    call_budget: None,
};

pub fn run(programs: Programs) -> Result<Outcome, String> {
    let mut arguments: Vec<String> = env::args_os()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let mut named = None;
    loop {
        let called = called_as(arguments.first().map_or("", String::as_str));
        let program = named.as_deref().unwrap_or(called);
        if program == LUA {
            return Ok(Outcome::Lua(as_given(arguments)));
        }
        let wanted = Rc::new(RefCell::new(Wanted::default()));
        let engine = Engine::start(programs.get(program)?, &LIMITS, |ctx| {
            host::install_cli(ctx, programs, &arguments, Rc::clone(&wanted))
        })?;
        let code = engine.call::<u8>("main", "");
        // However the program ended.
        screen::restore();
        let code = code?;
        let wanted = wanted.take();
        if let Some(other) = wanted.become_ {
            (arguments, named) = other;
        } else if let Some(options) = wanted.supervise {
            return Ok(Outcome::Supervise(options));
        } else {
            // The end of the process frees it all at once; object by object is a fifth of a short
            // verb.
            std::mem::forget(engine);
            return Ok(Outcome::Exit(code));
        }
    }
}

/// Those that were not put in place by a program, byte for byte as they came.
fn as_given(arguments: Vec<String>) -> Vec<OsString> {
    let skipped = env::args_os().len().saturating_sub(arguments.len());
    let given = env::args_os().skip(skipped);
    arguments
        .into_iter()
        .zip(given)
        .enumerate()
        .map(|(at, (name, given))| {
            if at == 0 && skipped > 0 {
                name.into()
            } else {
                given
            }
        })
        .collect()
}

/// Runs a config program once, in an engine of its own whose memory goes back at the end.
pub fn load_config(config: Program, input: &str) -> Result<String, String> {
    Engine::start(config, &LIMITS, host::install_config)?.call("loadConfig", input)
}
