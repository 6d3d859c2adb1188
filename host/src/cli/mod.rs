//! The command-line program: TypeScript on an engine of its own, dropped before the process
//! becomes a supervisor.

pub mod client;
mod files;
mod host;

use crate::{
    protocol::Supervise,
    script::{Engine, Limits, Program},
};
use std::{cell::RefCell, rc::Rc};

pub enum Outcome {
    Exit(u8),
    Supervise(Box<Supervise>),
}

/// A person's own program: only a guard against a runaway, no time budget.
const LIMITS: Limits = Limits {
    memory_bytes: 512 << 20,
    stack_bytes: 1 << 20,
    call_budget: None,
};

pub fn run(cli: Program, config: Program) -> Result<Outcome, String> {
    let supervise = Rc::new(RefCell::new(None));
    let engine = Engine::start(cli, &LIMITS, |ctx| {
        host::install_cli(ctx, config, Rc::clone(&supervise))
    })?;
    let code = engine.call::<u8>("main", "")?;
    if let Some(options) = supervise.take() {
        return Ok(Outcome::Supervise(options));
    }
    // The end of the process frees it all at once; object by object is a fifth of a short verb.
    std::mem::forget(engine);
    Ok(Outcome::Exit(code))
}

/// Runs the config program once, in an engine of its own whose memory goes back at the end.
fn load_config(config: Program, input: &str) -> Result<String, String> {
    Engine::start(config, &LIMITS, host::install_files)?.call("loadConfig", input)
}
