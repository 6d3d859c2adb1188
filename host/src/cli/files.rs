//! What the command-line and config programs may ask of files, users and patterns.

use nix::{
    errno::Errno,
    poll::{poll, PollFd, PollFlags},
    sys::{
        signal::{kill, Signal},
        stat::{stat, SFlag},
    },
    unistd::Pid,
};
use serde_json::{json, Value};
use std::{
    fs, io,
    io::Read,
    os::fd::AsFd as _,
    os::unix::fs::{symlink, FileTypeExt as _, OpenOptionsExt as _},
    path::Path,
    str::FromStr as _,
};

/// No configuration is larger; a device or a log given by mistake is refused instead of read.
const FILE_BYTES_MAX: u64 = 16 << 20;
const PIPE_PATIENCE_MS: u16 = 10_000;

/// `{"error":"ENOENT","message":"No such file or directory"}`
pub fn failure(error: &io::Error) -> Value {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(errno) => json!({"error": format!("{errno:?}"), "message": errno.desc()}),
        None => json!({"error": "EIO", "message": error.to_string()}),
    }
}

fn or_failure(result: io::Result<Value>) -> Value {
    result.unwrap_or_else(|error| failure(&error))
}

pub fn read_file(path: &str) -> Value {
    or_failure(read_text(path).map(|text| json!({ "text": text })))
}

/// For what is not text: a character from U+0000 to U+00FF for each byte.
pub fn read_bytes(path: &str) -> Value {
    let characters = read_all(path).map(|bytes| bytes.into_iter().map(char::from).collect());
    or_failure(characters.map(|bytes: String| json!({ "bytes": bytes })))
}

fn read_text(path: &str) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&read_all(path)?).into_owned())
}

fn read_all(path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    Ok(bytes)
}

/// A named pipe, or the shell's `<(…)`, may be read as well; but it is not waited for without end,
/// as nothing ends a PID 1 that has not begun to supervise.
fn open(path: &str) -> io::Result<Box<dyn Read>> {
    let is_pipe = fs::metadata(path)?.file_type().is_fifo();
    let mut options = fs::File::options();
    if is_pipe {
        options.custom_flags(libc::O_NONBLOCK);
    }
    let file = options.read(true).open(path)?;
    Ok(if is_pipe {
        Box::new(Pipe(file))
    } else {
        Box::new(file)
    })
}

struct Pipe(fs::File);

impl Read for Pipe {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        // Before any writer has come there is neither data nor an end.
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PIPE_PATIENCE_MS)? {
            0 => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "a pipe into which nobody has written for ten seconds",
            )),
            _ => self.0.read(place),
        }
    }
}

pub fn read_folder(path: &str) -> Value {
    let names = fs::read_dir(path).and_then(|entries| {
        let mut names = entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<String>>>()?;
        names.sort();
        Ok(json!({ "names": names }))
    });
    or_failure(names)
}

pub fn status(path: &str) -> Value {
    let status = match stat(path) {
        Ok(status) => status,
        Err(errno) => return failure(&io::Error::from(errno)),
    };
    let kind = match SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => "file",
        SFlag::S_IFDIR => "folder",
        SFlag::S_IFSOCK => "socket",
        _ => "other",
    };
    json!({"kind": kind, "size": status.st_size, "mode": status.st_mode & 0o7777, "uid": status.st_uid})
}

pub fn real_path(path: &str) -> Value {
    or_failure(
        Path::new(path)
            .canonicalize()
            .map(|path| json!({ "path": path.to_string_lossy() })),
    )
}

pub fn make_link(target: &str, path: &str) -> Value {
    or_failure(symlink(target, path).map(|()| Value::Null))
}

/// With all folders above it; one that is there already is fine.
pub fn make_folder(path: &str) -> Value {
    or_failure(fs::create_dir_all(path).map(|()| Value::Null))
}

/// A signal by its name without SIG to one process.
pub fn signal(pid: i32, name: &str) -> Value {
    let sent = Signal::from_str(&format!("SIG{name}")).and_then(|signal| {
        // 0 and below would mean groups, or everybody.
        let pid = if pid > 0 {
            pid
        } else {
            return Err(Errno::EINVAL);
        };
        kill(Pid::from_raw(pid), signal)
    });
    or_failure(sent.map(|()| Value::Null).map_err(io::Error::from))
}

/// `null`, or what is wrong with the pattern.
pub fn regex_error(pattern: &str) -> Value {
    match crate::pattern::compile(pattern) {
        Ok(_) => Value::Null,
        Err(error) => json!(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::join;
    use std::{io::Write as _, thread};

    #[test]
    fn bytes_come_as_they_are() {
        let name = format!("oneup-bytes-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let all: Vec<u8> = (0..=255).collect();
        fs::write(&path, &all).unwrap();
        let read = read_bytes(path.to_str().unwrap());
        fs::remove_file(&path).unwrap();
        let codes: Vec<u32> = read["bytes"]
            .as_str()
            .unwrap()
            .chars()
            .map(u32::from)
            .collect();
        assert_eq!(codes, (0..=255).collect::<Vec<u32>>());
        assert_eq!(read_bytes("/nowhere")["error"], "ENOENT");
    }

    #[test]
    fn a_pipe_is_read_to_its_end_and_not_waited_for_without_end() {
        let name = format!("oneup-files-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let text = path.to_str().unwrap().to_owned();
        let writer = {
            let path = path.clone();
            thread::spawn(move || {
                let mut pipe = fs::File::options().write(true).open(path).unwrap();
                pipe.write_all("A=1\n".repeat(100_000).as_bytes()).unwrap();
            })
        };
        let read = read_file(&text);
        join(writer);
        assert_eq!(read["text"].as_str().map(str::len), Some(400_000));
        let alone = read_file(&text);
        fs::remove_file(&path).unwrap();
        let message = alone["message"].as_str().unwrap();
        assert!(message.contains("nobody has written"), "{message}");
    }
}
