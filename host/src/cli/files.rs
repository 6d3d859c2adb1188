//! What the command-line and config programs may ask of files, users and patterns.

use nix::{
    errno::Errno,
    sys::stat::{stat, SFlag},
};
use serde_json::{json, Value};
use std::{fs, io, io::Read, os::unix::fs::symlink, path::Path};

/// No configuration is larger; a device or a log given by mistake is refused instead of read.
const FILE_BYTES_MAX: u64 = 16 << 20;

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

fn read_text(path: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
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

/// `null`, or what is wrong with the pattern.
pub fn regex_error(pattern: &str) -> Value {
    match crate::pattern::compile(pattern) {
        Ok(_) => Value::Null,
        Err(error) => json!(error.to_string()),
    }
}
