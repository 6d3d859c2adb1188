//! The host of oneup: everything that touches the kernel or moves bytes. What decides something
//! is TypeScript, embedded as bytecode.

mod brain;
mod characters;
mod cli;
mod lua;
mod nucleus;
mod pattern;
pub mod protocol;
mod script;
#[cfg(test)]
mod testing;

use script::Program;
use std::process::ExitCode;

/// How an embedded program is kept.
#[derive(Clone, Copy, Default)]
pub enum Packing {
    #[default]
    Plain,
    /// Its size when unpacked.
    Deflated(usize),
}

/// The bytecode of the TypeScript programs by their names, embedded by the executables.
#[derive(Clone, Copy)]
pub struct Programs {
    pub table: &'static [(&'static str, Packing, &'static [u8])],
    /// Each brain has a twin that can be told to fail: take that one.
    pub with_faults: bool,
}

/// The program that a name of the executable (the last part of argv[0]) stands for.
const CALLED_AS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/called_as.rs"));

impl Programs {
    fn get(&self, name: &str) -> Result<Program, String> {
        let find = |name: &str| self.table.iter().find(|(known, ..)| *known == name);
        let twin = self.with_faults.then(|| find(&format!("{name}-faults")));
        let found = twin.flatten().or_else(|| find(name));
        found
            .map(|(_, packing, bytes)| Program {
                bytes,
                packing: *packing,
            })
            .ok_or_else(|| format!("there is no program \"{name}\" in this executable"))
    }
}

/// What the build script packed.
fn inflate(bytes: &[u8], size: usize) -> Result<Vec<u8>, String> {
    miniz_oxide::inflate::decompress_to_vec_with_limit(bytes, size)
        .map_err(|error| format!("this executable is damaged: {error}"))
}

/// Runs the command line; if that asks for it, becomes a supervisor.
pub fn run(programs: &Programs) -> ExitCode {
    if let Some(code) = nucleus::take_part(programs) {
        return code;
    }
    let result = cli::run(*programs).and_then(|outcome| match outcome {
        cli::Outcome::Exit(code) => Ok(ExitCode::from(code)),
        cli::Outcome::Lua(arguments) => Ok(lua::run(arguments)),
        cli::Outcome::Supervise(options) => {
            let brain = programs.get(&options.brain)?;
            Ok(nucleus::run(*programs, brain, *options))
        }
    });
    result.unwrap_or_else(|error| {
        eprintln!("oneup: the command line broke: {error}");
        ExitCode::FAILURE
    })
}

/// The name of the command-line program for this argv[0].
fn called_as(argv0: &str) -> &'static str {
    let name = argv0.rsplit('/').next().unwrap_or_default();
    let known = CALLED_AS.iter().find(|(known, _)| *known == name);
    known.map_or("cli", |(_, program)| program)
}
