//! The host of oneup: everything that touches the kernel or moves bytes. What decides something
//! is TypeScript, embedded as bytecode.

mod brain;
mod cli;
mod nucleus;
mod pattern;
pub mod protocol;
mod script;
#[cfg(test)]
mod testing;

use script::Program;
use std::process::ExitCode;

/// The bytecode of the TypeScript programs, embedded by the executables.
pub struct Programs {
    pub cli: &'static [u8],
    pub config: &'static [u8],
    pub brain: &'static [u8],
}

/// Runs the command line; if that asks for it, becomes a supervisor.
pub fn run(programs: &Programs) -> ExitCode {
    let cli = Program {
        bytecode: programs.cli,
    };
    let config = Program {
        bytecode: programs.config,
    };
    match cli::run(cli, config) {
        Ok(cli::Outcome::Exit(code)) => ExitCode::from(code),
        Ok(cli::Outcome::Supervise(options)) => nucleus::run(
            Program {
                bytecode: programs.brain,
            },
            *options,
        ),
        Err(error) => {
            eprintln!("oneup: the command line broke: {error}");
            ExitCode::FAILURE
        }
    }
}
