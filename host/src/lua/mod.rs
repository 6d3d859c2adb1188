//! luavisors: a Lua script in the brain's place. The script runs on a thread of its own in LuaJIT;
//! the main thread is its nucleus (`nucleus/nursery.rs`). What `require('init')` does is decided in
//! `prelude.lua`; here is what that needs of the process.
//!
//! No QuickJS is loaded: reading these arguments takes less than starting an engine for it.

mod engine;
mod libc_table;

use crate::nucleus::nursery;
use engine::Ended;
use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{self, Write},
    os::unix::ffi::{OsStrExt, OsStringExt},
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex},
    thread,
};

/// Of the script's thread. Virtual; touched as far as it is used. What Lua lets a script put into
/// each other takes some 45 MiB of it. Where address space is rationed it is what is usual.
const STACKS: [usize; 2] = [64 << 20, 8 << 20];

/// What is to be run: argv cut at the script.
pub struct Script {
    /// Path or source text, as given.
    name: Vec<u8>,
    is_file: bool,
    /// Words before it, the program's own name among them.
    before: Vec<Vec<u8>>,
    after: Vec<Vec<u8>>,
}

impl Script {
    /// The first word that ends in `.lua` is the script's file, argv[0] included; without one, the
    /// first argument is source text.
    fn find(arguments: Vec<OsString>) -> Option<Script> {
        let mut before: Vec<Vec<u8>> = arguments.into_iter().map(OsString::into_vec).collect();
        let file = before.iter().position(|word| word.ends_with(b".lua"));
        let at = file.or((before.len() > 1).then_some(1))?;
        let mut rest = before.split_off(at).into_iter();
        Some(Script {
            name: rest.next()?,
            is_file: file.is_some(),
            before,
            after: rest.collect(),
        })
    }

    /// What Lua compiles, and what it calls it.
    fn source(&self) -> io::Result<(Vec<u8>, Vec<u8>)> {
        if !self.is_file {
            return Ok((self.name.clone(), self.name.clone()));
        }
        let text = fs::read(Path::new(OsStr::from_bytes(&self.name)))?;
        let text = without_shebang(text);
        Ok((text, [b"@", self.name.as_slice()].concat()))
    }
}

/// A mark of UTF-8 goes, and of a first line that is meant for the kernel all but its end.
fn without_shebang(mut text: Vec<u8>) -> Vec<u8> {
    if text.starts_with(b"\xef\xbb\xbf") {
        text.drain(..3);
    }
    if text.starts_with(b"#") {
        let end = memchr::memchr(b'\n', &text).unwrap_or(text.len());
        text.drain(..end);
    }
    text
}

/// Runs a script to its end; only without one this returns.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let name = arguments.first().cloned().unwrap_or_default();
    let Some(script) = Script::find(arguments) else {
        let name = Path::new(&name)
            .file_name()
            .unwrap_or(OsStr::new("luavisors"));
        // Whoever does not listen is not told.
        let _ = writeln!(
            io::stdout(),
            "Usage: {} [script [args...]]",
            name.to_string_lossy()
        );
        return ExitCode::SUCCESS;
    };
    let (source, chunk) = match script.source() {
        Ok(source) => source,
        Err(error) => {
            eprintln!("{}: {error}", String::from_utf8_lossy(&script.name));
            return ExitCode::FAILURE;
        }
    };
    let (mut nursery, desk) = match nursery::prepare() {
        Ok(both) => both,
        Err(error) => {
            eprintln!("luavisors: cannot supervise: {error}");
            return ExitCode::FAILURE;
        }
    };
    let own = Own {
        name: script.before.last().cloned().unwrap_or_default(),
        path: fs::read_link("/proc/self/exe").ok(),
    };
    let work = move |stack| {
        let run = || engine::run(desk, own, &script, (&source, &chunk), stack);
        let ended = panic::catch_unwind(AssertUnwindSafe(run));
        // Without a script there is nothing to be here for. What it has written and not flushed
        // comes out by the exit.
        let mut message = match ended {
            Ok(Ended::Well) => std::process::exit(0),
            Ok(Ended::Badly(message)) => message,
            Err(_) => b"luavisors: a fault of its own ended the script".to_vec(),
        };
        message.push(b'\n');
        let _ = io::stderr().write_all(&message);
        std::process::exit(1);
    };
    if let Err(error) = start(work) {
        eprintln!("luavisors: no thread for the script: {error}");
        return ExitCode::FAILURE;
    }
    nursery.serve()
}

/// On a thread with the largest stack that can be had, whose size it is told.
fn start(work: impl FnOnce(usize) + Send + 'static) -> io::Result<()> {
    let work = Arc::new(Mutex::new(Some(work)));
    let mut result = Ok(());
    for size in STACKS {
        let work = Arc::clone(&work);
        let begin = move || {
            let work = work.lock().ok().and_then(|mut work| work.take());
            if let Some(work) = work {
                work(size);
            }
        };
        result = thread::Builder::new()
            .stack_size(size)
            .spawn(begin)
            .map(drop);
        if result.is_ok() {
            break;
        }
    }
    result
}

/// By what name the script can start us again.
pub struct Own {
    name: Vec<u8>,
    path: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(words: &[&str]) -> Option<(String, bool, usize, usize)> {
        let script = Script::find(words.iter().map(OsString::from).collect())?;
        let name = String::from_utf8(script.name).ok()?;
        Some((
            name,
            script.is_file,
            script.before.len(),
            script.after.len(),
        ))
    }

    #[test]
    fn which_word_is_the_script() {
        assert_eq!(find(&["luavisors"]), None);
        assert_eq!(
            find(&["luavisors", "x = 1", "a"]),
            Some(("x = 1".into(), false, 1, 1))
        );
        assert_eq!(
            find(&["l", "-x", "w", "s.lua", "t.lua"]),
            Some(("s.lua".into(), true, 3, 1))
        );
        assert_eq!(
            find(&["self.lua", "a"]),
            Some(("self.lua".into(), true, 0, 1))
        );
        assert_eq!(find(&["l", ""]), Some(("".into(), false, 1, 0)));
    }

    #[test]
    fn lines_keep_their_numbers() {
        let text = |text: &str| without_shebang(text.as_bytes().to_vec());
        assert_eq!(text("#!/bin/x\nreturn 1"), b"\nreturn 1");
        assert_eq!(text("\u{feff}#!x"), b"");
        assert_eq!(text("\u{feff}x = 1"), b"x = 1");
        assert_eq!(text("x = 1 # 2"), b"x = 1 # 2");
    }
}
