//! A start that failed, in one sentence: what, where, and what to do.

use super::{
    child::{DIRECTORY, EXEC, GID, GROUPS, LIMITS, NICE, OOM_SCORE, STEPS, UID},
    failure, Order, Program,
};
use crate::protocol::{SpawnFailure, SpawnSpec};
use nix::errno::Errno;
use std::{
    fs,
    io::Read,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
};

pub(super) fn explain_fork(errno: Errno) -> SpawnFailure {
    let message = match errno {
        Errno::EAGAIN => {
            "no more processes allowed: the limit of processes (nproc, pids) is reached".to_owned()
        }
        Errno::ENOMEM => "no memory for a new process".to_owned(),
        _ => format!("no new process could be made: {}", errno.desc()),
    };
    failure("fork", errno, message)
}

pub(super) fn explain(
    step: i32,
    errno: Errno,
    order: &Order<'_>,
    program: &Program,
) -> SpawnFailure {
    let spec = order.spec;
    let name = usize::try_from(step)
        .ok()
        .and_then(|step| STEPS.get(step))
        .copied()
        .unwrap_or("spawn");
    let desc = errno.desc();
    let user = spec
        .user
        .as_deref()
        .map(|user| format!(" as user \"{user}\""))
        .unwrap_or_default();
    let only_root = if errno == Errno::EPERM {
        ": only root may"
    } else {
        ""
    };
    let message = match step {
        EXEC => explain_exec(errno, spec, program, &user),
        DIRECTORY => {
            let directory = program.directory.as_deref().unwrap_or(c"").to_string_lossy();
            format!("cannot enter the folder \"{directory}\"{user}: {desc}")
        }
        UID => format!("cannot become user \"{}\": {desc}{only_root}", spec.user.as_deref().unwrap_or("")),
        GID => format!("cannot change to the group{user}: {desc}{only_root}"),
        GROUPS => format!("cannot set supplementary groups{user}: {desc}{only_root}"),
        LIMITS if errno == Errno::EPERM => {
            "cannot set the limits: raising a hard limit needs the capability SYS_RESOURCE, and nofile has its end at fs.nr_open".to_owned()
        }
        LIMITS if errno == Errno::EINVAL => "cannot set the limits: a soft limit is above its hard limit".to_owned(),
        NICE if matches!(errno, Errno::EPERM | Errno::EACCES) => {
            format!("cannot set nice {}: lowering it needs the capability SYS_NICE", spec.nice.unwrap_or(0))
        }
        OOM_SCORE if errno == Errno::EACCES => "cannot set oom-score-adjust: lowering it needs the capability SYS_RESOURCE".to_owned(),
        OOM_SCORE if errno == Errno::ENOENT => "cannot set oom-score-adjust: it needs /proc".to_owned(),
        OOM_SCORE if errno == Errno::EINVAL => "oom-score-adjust is outside -1000 to 1000".to_owned(),
        _ => format!("{name}: {desc}"),
    };
    failure(name, errno, message)
}

fn explain_exec(errno: Errno, spec: &SpawnSpec, program: &Program, user: &str) -> String {
    let name = spec.argv.first().map_or("", String::as_str);
    let found = existing(program);
    let shown = found.as_deref().unwrap_or(Path::new(name)).display();
    match (errno, &found) {
        (Errno::ENOENT | Errno::ENOTDIR, Some(file)) => missing_interpreter(file),
        (Errno::ENOENT | Errno::ENOTDIR, None) if name.contains('/') => {
            format!("no such program: \"{name}\"")
        }
        (Errno::ENOENT | Errno::ENOTDIR, None) => {
            format!("program \"{name}\" not found in PATH ({})", program.path)
        }
        (Errno::EACCES, Some(file)) => not_executable(file, user),
        (Errno::ENOEXEC, _) => {
            format!("\"{shown}\" is no program for this machine; if it is a script, its first line must name its interpreter: #!/bin/sh")
        }
        (Errno::E2BIG, _) => "arguments and environment are too long together".to_owned(),
        _ => format!("cannot run \"{shown}\"{user}: {}", errno.desc()),
    }
}

/// The first candidate that is there at all, as seen by the supervisor.
fn existing(program: &Program) -> Option<PathBuf> {
    let base = program
        .directory
        .as_deref()
        .and_then(|directory| directory.to_str().ok());
    let candidates = program
        .candidates
        .iter()
        .filter_map(|candidate| candidate.to_str().ok());
    candidates
        .map(|candidate| Path::new(base.unwrap_or("")).join(candidate))
        .find(|path| fs::metadata(path).is_ok())
}

fn missing_interpreter(file: &Path) -> String {
    let shown = file.display();
    match interpreter(file) {
        Some(line) if line.ends_with('\r') => {
            format!("the first line of \"{shown}\" ends in a carriage return: save it with Unix line ends")
        }
        Some(line) => format!("the interpreter \"{line}\" of \"{shown}\" does not exist"),
        None => format!("\"{shown}\" exists, but the loader or interpreter it asks for does not"),
    }
}

/// What follows `#!`, up to the first blank.
fn interpreter(file: &Path) -> Option<String> {
    // Opening anything but a plain file might block.
    if !fs::metadata(file).ok()?.is_file() {
        return None;
    }
    let mut head = Vec::new();
    fs::File::open(file)
        .ok()?
        .take(256)
        .read_to_end(&mut head)
        .ok()?;
    let line = head
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let line = String::from_utf8_lossy(line)
        .trim_start_matches([' ', '\t'])
        .to_owned();
    let end = line.find([' ', '\t']).unwrap_or(line.len());
    line.get(..end).map(str::to_owned)
}

fn not_executable(file: &Path, user: &str) -> String {
    let shown = file.display();
    match fs::metadata(file) {
        Ok(status) if status.is_dir() => format!("\"{shown}\" is a folder, not a program"),
        Ok(status) if status.file_type().is_socket() || status.file_type().is_fifo() => {
            format!("\"{shown}\" is not a program")
        }
        Ok(status) if status.permissions().mode() & 0o111 == 0 => {
            format!("\"{shown}\" is not executable: chmod +x it")
        }
        _ => format!("not allowed to run \"{shown}\"{user}: its permissions, a folder's above it, or a file system mounted noexec"),
    }
}
