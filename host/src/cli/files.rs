//! What the command-line and config programs may ask of files, users and patterns.

use crate::characters;
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
    io::{Read, Write as _},
    os::fd::AsFd as _,
    os::unix::fs::{
        fchown, symlink, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _,
        PermissionsExt as _,
    },
    path::{Component, Path, PathBuf},
    str::FromStr as _,
    sync::atomic::{AtomicU32, Ordering},
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

/// For what is not text.
pub fn read_bytes(path: &str) -> Value {
    or_failure(read_all(path).map(|bytes| json!({ "bytes": characters::of_bytes(&bytes) })))
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

/// Replaces a configuration file as a whole: readers, and a machine that loses its power, have the
/// old text or the new one.
pub fn write_file(path: &str, text: &str, mode: u32) -> Value {
    or_failure(configuration_path(path, &["toml"]).and_then(|path| {
        replace(&destination(path)?, text, mode)?;
        Ok(Value::Null)
    }))
}

pub fn remove_file(path: &str) -> Value {
    or_failure(
        configuration_path(path, &["toml", "yaml", "yml"])
            .and_then(fs::remove_file)
            .map(|()| Value::Null),
    )
}

/// Where zinit's proxies are kept, beside its service files.
const PROXIES: &str = ".xinet.json";

/// The names in such paths come from clients: whatever a script makes of them, only configuration
/// files are touched.
fn configuration_path<'p>(path: &'p str, extensions: &[&str]) -> io::Result<&'p Path> {
    let path = Path::new(path);
    let extension = path.extension().and_then(|extension| extension.to_str());
    let known = extension.is_some_and(|one| extensions.contains(&one))
        || path.file_name().is_some_and(|name| name == PROXIES);
    let straight = path
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    match path.is_absolute() && straight && known {
        true => Ok(path),
        false => Err(io::Error::from_raw_os_error(libc::EINVAL)),
    }
}

/// Where a link leads, so that it stays one.
fn destination(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::read_link(path) {
            Ok(target) => Ok(folder_of(path).join(target)),
            Err(_) => Ok(path.to_owned()),
        },
        result => result,
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

fn replace(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let folder = folder_of(path);
    let draft = folder.join(draft_name());
    // Not one that a former process with our pid left behind.
    let _ = fs::remove_file(&draft);
    let written = write_draft(&draft, text, mode, fs::metadata(path).ok())
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written?;
    // The name is on the disk only when the folder is; some file systems cannot say so.
    let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// No configuration file by its name, and no second one of its kind in this process.
fn draft_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(".oneup-{}-{count}", std::process::id())
}

fn write_draft(path: &Path, text: &str, mode: u32, former: Option<fs::Metadata>) -> io::Result<()> {
    let mut file = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    if let Some(former) = former {
        // Only root can give it away; whoever else could write the former one has it now.
        let _ = fchown(&file, Some(former.uid()), Some(former.gid()));
        file.set_permissions(fs::Permissions::from_mode(former.mode() & 0o7777))?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
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
    use std::thread;

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

    fn folder(name: &str) -> PathBuf {
        let name = format!("oneup-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn write(path: &Path, text: &str) -> Value {
        write_file(path.to_str().unwrap(), text, 0o640)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_keeps_its_mode() {
        let folder = folder("write");
        let path = folder.join("a.toml");
        assert_eq!(write(&path, "one"), Value::Null);
        assert_eq!(mode(&path) & !0o640, 0);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        let reader = fs::File::open(&path).unwrap();
        assert_eq!(write(&path, "another"), Value::Null);
        assert_eq!(io::read_to_string(reader).unwrap(), "one");
        assert_eq!(fs::read_to_string(&path).unwrap(), "another");
        assert_eq!(mode(&path), 0o604);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_link_stays_and_what_it_leads_to_is_replaced() {
        let folder = folder("link");
        let (link, target) = (folder.join("a.toml"), folder.join("b.toml"));
        symlink("b.toml", &link).unwrap();
        for text in ["made", "replaced"] {
            assert_eq!(write(&link, text), Value::Null);
            assert_eq!(fs::read_to_string(&target).unwrap(), text);
        }
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_failure_leaves_nothing_behind() {
        let folder = folder("fail");
        let path = folder.join("a.toml");
        fs::create_dir(&path).unwrap();
        assert_eq!(write(&path, "text")["error"], "EISDIR");
        assert_eq!(
            write(&folder.join("none/a.toml"), "text")["error"],
            "ENOENT"
        );
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn only_configuration_files_are_touched() {
        for path in [
            "/tmp/a",
            "a.toml",
            "/tmp/../a.toml",
            "/tmp/a.toml/..",
            "/etc/passwd",
            "",
        ] {
            assert_eq!(write_file(path, "", 0o600)["error"], "EINVAL", "{path}");
            assert_eq!(remove_file(path)["error"], "EINVAL", "{path}");
        }
        assert_eq!(write_file("/nowhere/a.yaml", "", 0o600)["error"], "EINVAL");
        assert_eq!(remove_file("/nowhere/a.yaml")["error"], "ENOENT");
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
