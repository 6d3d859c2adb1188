//! How fast the way of a line is, beside `cat > file`. Run by hand:
//!
//! `cargo test --release --lib log_path -- --ignored --nocapture`

use super::*;
use crate::protocol::LogFormat;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use tokio::io::unix::AsyncFd;

const BYTES: usize = 400 << 20;
const ROUNDS: usize = 7;

struct Place {
    folder: PathBuf,
    source: PathBuf,
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_file(&self.source);
    }
}

fn place() -> Place {
    let name = format!("oneup-bench-{}", std::process::id());
    let folder = std::env::temp_dir().join(&name);
    fs::create_dir_all(&folder).unwrap();
    let source = Path::new("/dev/shm").join(name);
    let line = format!("{}\n", "l".repeat(99));
    fs::write(&source, line.repeat(BYTES / line.len())).unwrap();
    Place { folder, source }
}

/// Copies the source to its stdout as fast as that takes it, in pieces of `block` bytes.
fn writer(place: &Place, block: usize, bytes: usize, out: Stdio) -> Child {
    Command::new("dd")
        .arg(format!("if={}", place.source.display()))
        .arg(format!("bs={block}"))
        .arg(format!("count={}", bytes / block))
        .arg("status=none")
        .stdout(out)
        .spawn()
        .unwrap()
}

/// Wall time and processor time of everybody involved, in seconds.
type Cost = (f64, f64);

fn measured(work: impl FnOnce()) -> Cost {
    use nix::sys::resource::{getrusage, UsageWho};
    let spent = || -> f64 {
        [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN]
            .map(|who| getrusage(who).unwrap())
            .iter()
            .flat_map(|usage| [usage.user_time(), usage.system_time()])
            .map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6)
            .sum()
    };
    let (start, before) = (Instant::now(), spent());
    work();
    (start.elapsed().as_secs_f64(), spent() - before)
}

fn through_cat(place: &Place, block: usize) {
    let file = fs::File::create(place.folder.join("cat")).unwrap();
    let mut writer = writer(place, block, BYTES, Stdio::piped());
    let pipe = writer.stdout.take().unwrap();
    let mut cat = Command::new("cat")
        .stdin(pipe)
        .stdout(file)
        .spawn()
        .unwrap();
    assert!(writer.wait().unwrap().success() && cat.wait().unwrap().success());
}

fn through_logs(place: &Place, block: usize, bytes: usize, writers: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let null = || fs::File::create("/dev/null").unwrap().into();
        let console = Console::new(LogFormat::Text, false, null(), null());
        let mut logs = Logs::new(console).unwrap();
        let children: Vec<Child> = (0..writers)
            .map(|n| {
                let name = format!("log{n}");
                logs.open(&name, &options(place.folder.join(&name)));
                let out: OwnedFd = logs
                    .write_ends(&name)
                    .unwrap()
                    .0
                    .try_clone_to_owned()
                    .unwrap();
                writer(place, block, bytes, out.into())
            })
            .collect();
        pump(&mut logs, children).await;
    })
}

fn options(path: PathBuf) -> LogOptions {
    LogOptions {
        lines: 1000,
        console: false,
        file: Some(LogFile {
            path: path.to_str().unwrap().into(),
            split: None,
            max_bytes: 128 << 20,
            keep: 9,
            format: LogFormat::Text,
        }),
    }
}

/// The main loop in small, until the writers have ended and all is read.
async fn pump(logs: &mut Logs, mut children: Vec<Child>) {
    let fd = logs.fd().try_clone_to_owned().unwrap();
    // SAFETY: the descriptor is owned by what is registered, which never changes it.
    let fd = unsafe { AsyncFd::register(fd) }.unwrap();
    let mut turns = 0;
    loop {
        let wait = tokio::time::timeout(Duration::from_millis(1), fd.readable());
        if let Ok(guard) = wait.await {
            let more = logs.on_readable(super::super::wall_ms()).more;
            if more {
                tokio::task::yield_now().await;
            } else {
                guard.unwrap().clear_ready();
            }
            turns += 1;
            if turns % 64 != 0 {
                continue;
            }
        }
        children.retain_mut(|child| child.try_wait().unwrap().is_none());
        if children.is_empty() {
            let names: Vec<_> = logs.names.keys().cloned().collect();
            names.iter().for_each(|name| drop(logs.drain(name, 1e12)));
            return;
        }
    }
}

fn median(costs: &[Cost], of: fn(&Cost) -> f64) -> f64 {
    let mut values: Vec<f64> = costs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn clean(place: &Place) {
    for file in fs::read_dir(&place.folder).unwrap().flatten() {
        fs::remove_file(file.path()).unwrap();
    }
}

#[test]
#[ignore = "a measurement"]
fn log_path_beside_cat() {
    let place = place();
    let mib = (BYTES >> 20) as f64;
    for block in [65_536, 4096] {
        let (mut cat, mut logs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            clean(&place);
            cat.push(measured(|| through_cat(&place, block)));
            clean(&place);
            logs.push(measured(|| through_logs(&place, block, BYTES, 1)));
        }
        let time = [&cat, &logs].map(|costs| median(costs, |cost| cost.0));
        let spent = [&cat, &logs].map(|costs| median(costs, |cost| cost.1));
        println!(
            "pieces of {block}: cat {:.0} MiB/s, {:.2} s of processors; logs {:.0} MiB/s, {:.2} s; speed ratio {:.3}",
            mib / time[0],
            spent[0],
            mib / time[1],
            spent[1],
            time[0] / time[1]
        );
    }
    clean(&place);
    let (time, spent) = measured(|| through_logs(&place, 65_536, BYTES / 20, 20));
    println!(
        "20 writers: {:.0} MiB/s, {spent:.2} s of processors",
        mib / time
    );
}
