//! What /proc tells about processes. It may be absent, belong to another pid namespace, or hide
//! the processes of other users: every answer is optional, and callers have a way to go without.

use super::brief::one_line;
use crate::protocol::ProcessFacts;
use nix::{
    libc,
    time::{clock_gettime, ClockId},
    unistd::{getpgid, getpid, getsid, gettid, Pid},
};
use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::Read,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

/// Of a command line for a receipt.
const COMMAND_MAX: usize = 200;
/// Of an environment in search of our marker, which is put first.
const ENVIRONMENT_MAX: usize = 1 << 20;
/// A process that makes an execve each time we look is looked at again later.
const EXECVES_MAX: usize = 4;

/// The last answer of [`is_ours`]; it changes only where somebody mounts or unmounts /proc.
static OURS: AtomicBool = AtomicBool::new(false);

/// Whether /proc is there and speaks of this process's own pid namespace. The other functions go
/// by the last answer, as numbers of another namespace would be worse than none.
pub fn is_ours() -> bool {
    let ours =
        fs::read_link("/proc/self").is_ok_and(|link| link == Path::new(&getpid().to_string()));
    OURS.store(ours, Ordering::Relaxed);
    ours
}

/// A file or folder of /proc, where it is to be believed.
fn path(rest: std::fmt::Arguments<'_>) -> Option<String> {
    OURS.load(Ordering::Relaxed)
        .then(|| format!("/proc/{rest}"))
}

/// One process, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Process {
    pub pid: i32,
    pub parent: i32,
    pub group: i32,
    pub session: i32,
    /// Ended, waiting for its parent.
    pub zombie: bool,
    threads: u32,
    /// In clock ticks since the machine's start: with the pid, a name that is never used twice.
    /// 0 where /proc did not tell.
    pub started: u64,
}

impl Process {
    /// /proc shows it.
    pub fn is_visible(&self) -> bool {
        self.started != 0
    }
}

/// From /proc/PID/stat.
pub fn process(pid: i32) -> Option<Process> {
    let mut buffer = [0; 1024];
    let text = read_into(&path(format_args!("{pid}/stat"))?, &mut buffer)?;
    parse_stat(pid, text)
}

/// The same for a process known to be there, from system calls where /proc does not show it.
pub fn process_or_ids(pid: i32) -> Process {
    process(pid).unwrap_or_else(|| {
        let known = Some(Pid::from_raw(pid));
        Process {
            pid,
            parent: 0,
            group: getpgid(known).map_or(0, Pid::as_raw),
            session: getsid(known).map_or(0, Pid::as_raw),
            zombie: false,
            threads: 0,
            started: 0,
        }
    })
}

fn parse_stat(pid: i32, text: &[u8]) -> Option<Process> {
    let fields = stat_fields(text)?;
    let field = |number: usize| fields.get(number - 3).copied();
    let threads = field(20)?.parse().ok()?;
    Some(Process {
        pid,
        parent: field(4)?.parse().ok()?,
        group: field(5)?.parse().ok()?,
        session: field(6)?.parse().ok()?,
        // A process whose first thread has ended before the others looks like one that has ended.
        zombie: matches!(field(3)?, "Z" | "X") && threads <= 1,
        threads,
        started: field(22)?.parse().ok()?,
    })
}

/// Field 3 of the manual page is the first one here.
fn stat_fields(text: &[u8]) -> Option<Vec<&str>> {
    // The name in parentheses may hold anything, parentheses included.
    let end = memchr::memrchr(b')', text)?;
    let rest = std::str::from_utf8(text.get(end + 2..)?).ok()?;
    Some(rest.split_ascii_whitespace().collect())
}

/// Which of our own direct children are meant.
#[derive(Clone, Copy, PartialEq)]
pub enum Which {
    All,
    /// Those we may have without having made them. The kernel keeps a list for each thread and
    /// gives orphans to the first one. Where another thread makes our children, this list holds
    /// the orphans alone, and reading it costs next to nothing however many children there are.
    /// All others who join our children unasked (a child can make a sibling of its own) are in
    /// the other list.
    Adopted,
}

/// Our own direct children, zombies included. `None`: nobody can tell.
///
/// The lists of the kernel are exact: they only lose an entry when we reap, and grow at their end.
pub fn own_children(which: Which) -> Option<Vec<i32>> {
    if !is_ours() {
        return None;
    }
    let (first, this) = (getpid().as_raw(), gettid().as_raw());
    let mut children = thread_children(first, first);
    if which == Which::All && this != first {
        if let (Some(all), Some(more)) = (children.as_mut(), thread_children(first, this)) {
            all.extend(more);
        }
    }
    children.or_else(|| {
        let scan = scan()?;
        Some(
            scan.iter()
                .filter(|process| process.parent == first)
                .map(|process| process.pid)
                .collect(),
        )
    })
}

/// `None` also for kernels that were built without these files.
fn thread_children(pid: i32, thread: i32) -> Option<Vec<i32>> {
    let text = fs::read(path(format_args!("{pid}/task/{thread}/children"))?).ok()?;
    let text = String::from_utf8(text).ok()?;
    Some(
        text.split_ascii_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect(),
    )
}

/// The trees below some processes, the roots included, parents before children.
pub fn trees(roots: &[i32]) -> Vec<Process> {
    let own = getpid();
    let listed = path(format_args!("{own}/task/{own}/children"));
    if listed.is_some_and(|path| Path::new(&path).exists()) {
        grow(roots, children)
    } else {
        let mut below: HashMap<i32, Vec<i32>> = HashMap::new();
        for process in scan().unwrap_or_default() {
            below.entry(process.parent).or_default().push(process.pid);
        }
        grow(roots, |process| {
            below.remove(&process.pid).unwrap_or_default()
        })
    }
}

fn grow(roots: &[i32], mut children: impl FnMut(&Process) -> Vec<i32>) -> Vec<Process> {
    let mut seen: HashSet<i32> = roots.iter().copied().collect();
    // Roots are children of ours that we have not reaped: they exist, visible or not.
    let mut found: Vec<Process> = roots.iter().map(|pid| process_or_ids(*pid)).collect();
    let mut next = 0;
    while let Some(process) = found.get(next).copied() {
        next += 1;
        for pid in children(&process) {
            if seen.insert(pid) {
                found.extend(self::process(pid));
            }
        }
    }
    found
}

fn children(process: &Process) -> Vec<i32> {
    if process.threads <= 1 {
        return thread_children(process.pid, process.pid).unwrap_or_default();
    }
    path(format_args!("{}/task", process.pid))
        .and_then(|folder| numbers(&folder))
        .unwrap_or_default()
        .into_iter()
        .filter_map(|thread| thread_children(process.pid, thread))
        .flatten()
        .collect()
}

/// Every process there is.
pub fn everybody() -> Option<Vec<Process>> {
    is_ours().then(scan).flatten()
}

fn scan() -> Option<Vec<Process>> {
    Some(
        numbers(&path(format_args!(""))?)?
            .into_iter()
            .filter_map(process)
            .collect(),
    )
}

fn numbers(folder: &str) -> Option<Vec<i32>> {
    let entries = fs::read_dir(folder).ok()?;
    let names = entries.flatten().map(|entry| entry.file_name());
    Some(
        names
            .filter_map(|name| name.to_str()?.parse().ok())
            .collect(),
    )
}

/// All that is told of a process; `None`: it is not there (any more), or not shown.
pub fn facts(pid: i32) -> Option<ProcessFacts> {
    let mut buffer = [0; 1024];
    let text = read_into(&path(format_args!("{pid}/stat"))?, &mut buffer)?;
    let fields = stat_fields(text)?;
    let field = |number: usize| fields.get(number - 3).copied();
    let count = |number: usize| field(number)?.parse::<u64>().ok();
    let name = short_name(pid).unwrap_or_default();
    Some(ProcessFacts {
        pid: u32::try_from(pid).ok()?,
        parent: field(4)?.parse().ok()?,
        command: command(pid).unwrap_or_else(|| name.clone()),
        name,
        state: field(3)?.to_owned(),
        memory_bytes: count(24)?.saturating_mul(setting(libc::_SC_PAGESIZE)?),
        cpu_ms: (count(14)? + count(15)?) as f64 * 1000.0 / setting(libc::_SC_CLK_TCK)? as f64,
    })
}

/// Processor time of children that a process has waited for, and of theirs.
pub fn waited_ms(pid: i32) -> f64 {
    let read = || {
        let mut buffer = [0; 1024];
        let text = read_into(&path(format_args!("{pid}/stat"))?, &mut buffer)?;
        let fields = stat_fields(text)?;
        let count = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some((count(16)? + count(17)?) as f64 * 1000.0 / setting(libc::_SC_CLK_TCK)? as f64)
    };
    read().unwrap_or(0.0)
}

/// Every process that /proc shows.
pub fn all() -> Vec<Process> {
    scan().unwrap_or_default()
}

/// It is a part of the kernel: no program, and no signal ends it.
pub fn is_kernel_thread(pid: i32) -> bool {
    const PF_KTHREAD: u32 = 0x0020_0000;
    let flags = || {
        let mut buffer = [0; 1024];
        let text = read_into(&path(format_args!("{pid}/stat"))?, &mut buffer)?;
        stat_fields(text)?.get(9 - 3)?.parse::<u32>().ok()
    };
    flags().is_some_and(|flags| flags & PF_KTHREAD != 0)
}

/// What sysconf(3) says, where it says something.
fn setting(name: libc::c_int) -> Option<u64> {
    // SAFETY: no pointers.
    let value = unsafe { libc::sysconf(name) };
    u64::try_from(value).ok().filter(|value| *value > 0)
}

/// The command line as words separated by spaces. `None` also for a moment during an execve, when
/// the process has neither arguments nor environment.
pub fn command(pid: i32) -> Option<String> {
    let mut buffer = [0; COMMAND_MAX + 1];
    let line = read_into(&path(format_args!("{pid}/cmdline"))?, &mut buffer)?;
    let text: Vec<u8> = line
        .iter()
        .map(|byte| if *byte == 0 { b' ' } else { *byte })
        .collect();
    Some(shorten(&String::from_utf8_lossy(&text))).filter(|text| !text.is_empty())
}

/// The short name, which every process has.
pub fn short_name(pid: i32) -> Option<String> {
    let name = fs::read(path(format_args!("{pid}/comm"))?).ok()?;
    Some(shorten(&String::from_utf8_lossy(&name)))
}

/// As a sentence has it: a process chooses its name and its arguments, a terminal must not obey them.
pub fn shorten(text: &str) -> String {
    one_line(text, COMMAND_MAX)
}

/// The environment a process was started with.
#[derive(Debug, PartialEq)]
pub enum Environment {
    Known(Vec<u8>),
    /// None at this moment, as it is in the middle of an execve.
    Between,
    Hidden,
}

pub fn environment(pid: i32) -> Environment {
    for _ in 0..EXECVES_MAX {
        let Some(bytes) = read_environment(pid) else {
            return Environment::Hidden;
        };
        if !bytes.is_empty() {
            return Environment::Known(bytes);
        }
        // Nothing is also what there is to read of an address space that an execve replaces (which
        // one it is, is settled when the file is opened), or of one that is being filled.
        match Memory::of(pid) {
            None | Some(Memory { code_end: 1, .. }) => return Environment::Hidden,
            Some(Memory { code_end: 0, .. }) => return Environment::Between,
            Some(memory) if memory.environment.is_empty() => return Environment::Known(bytes),
            Some(_) => {}
        }
    }
    Environment::Between
}

/// All in one read: between two of them an execve may take away what is being read.
fn read_environment(pid: i32) -> Option<Vec<u8>> {
    let mut bytes = vec![0; ENVIRONMENT_MAX];
    let length = read_into(&path(format_args!("{pid}/environ"))?, &mut bytes)?.len();
    bytes.truncate(length);
    Some(bytes)
}

/// Where things lie in a process's memory.
struct Memory {
    /// Set by an execve after the environment's place: 0 before. 1: it is not for us to know.
    code_end: u64,
    environment: std::ops::Range<u64>,
}

impl Memory {
    fn of(pid: i32) -> Option<Memory> {
        let mut buffer = [0; 1024];
        let text = read_into(&path(format_args!("{pid}/stat"))?, &mut buffer)?;
        let fields = stat_fields(text)?;
        let field = |number: usize| fields.get(number - 3)?.parse().ok();
        Some(Memory {
            code_end: field(27)?,
            environment: field(50)?..field(51)?,
        })
    }
}

/// The value of a variable in such an environment.
pub fn variable<'a>(environment: &'a [u8], name: &str) -> Option<&'a str> {
    let value = environment
        .split(|byte| *byte == 0)
        .find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    std::str::from_utf8(value).ok()
}

/// The cgroup (version 2) a process is in, as a path from the root of its namespace.
pub fn cgroup(pid: &str) -> Option<String> {
    let text = fs::read_to_string(path(format_args!("{pid}/cgroup"))?).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("0::"))
        .map(str::to_owned)
}

/// Wall clock of a process's start, ms since 1970.
pub fn wall_started(process: &Process) -> Option<f64> {
    let ticks = setting(libc::_SC_CLK_TCK)?;
    if !process.is_visible() {
        return None;
    }
    let ms = |clock| {
        let time = clock_gettime(clock).ok()?;
        Some(time.tv_sec() as f64 * 1000.0 + time.tv_nsec() as f64 / 1e6)
    };
    let age = ms(ClockId::CLOCK_BOOTTIME)? - process.started as f64 * 1000.0 / ticks as f64;
    Some(ms(ClockId::CLOCK_REALTIME)? - age)
}

/// One read: files of /proc that fit are never torn.
fn read_into<'a>(path: &str, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let length = File::open(path).ok()?.read(buffer).ok()?;
    buffer.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_anything() {
        let line = b"7 (a) R (b) ) S 3 4 5 0 -1 0 0 0 0 0 0 0 0 0 20 0 9 0 123 0 0";
        let process = parse_stat(7, line).expect("a stat line");
        assert_eq!((process.parent, process.group, process.session), (3, 4, 5));
        assert_eq!(
            (process.threads, process.started, process.zombie),
            (9, 123, false)
        );
        for cut in 0..line.len() - 8 {
            parse_stat(7, &line[..cut]);
        }
    }

    #[test]
    fn we_see_ourselves() {
        assert!(is_ours());
        let own = process(getpid().as_raw()).expect("/proc of this machine");
        assert_eq!(own.group, nix::unistd::getpgrp().as_raw());
        assert!(command(own.pid).is_some_and(|text| text.len() <= COMMAND_MAX));
        assert!(short_name(own.pid).is_some());
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("a clock after 1970")
            .as_secs_f64();
        let started = wall_started(&own).expect("it is visible") / 1000.0;
        assert!(
            started <= now + 1.0 && started > now - 3600.0,
            "{started} {now}"
        );
    }

    #[test]
    fn facts_are_those_of_the_process() {
        assert!(is_ours());
        let own = facts(getpid().as_raw()).expect("/proc of this machine");
        assert_eq!(own.pid, std::process::id());
        assert_eq!(Some(&own.name), short_name(getpid().as_raw()).as_ref());
        // A program of some megabytes, at least some of which are in memory.
        assert!(own.memory_bytes > 1 << 20, "{own:?}");
        assert!(["R", "S"].contains(&own.state.as_str()), "{own:?}");
        let busy = std::time::Instant::now();
        let worked = |facts: &ProcessFacts| facts.cpu_ms >= own.cpu_ms + 50.0;
        while !facts(getpid().as_raw()).is_some_and(|now| worked(&now)) {
            assert!(busy.elapsed() < crate::testing::DEADLINE);
        }
        assert_eq!(facts(-1), None);
    }

    #[test]
    fn environments_may_be_empty() {
        assert!(is_ours());
        let mut sleep = std::process::Command::new("/bin/sleep");
        let mut child = sleep.arg("1000").env_clear().spawn().expect("a process");
        let of_child = || environment(child.id() as i32);
        // The end of the parent's wait does not mean that the execve is over.
        crate::testing::await_that("its execve", || of_child() != Environment::Between);
        assert_eq!(of_child(), Environment::Known(Vec::new()));
        child.kill().expect("our child");
        child.wait().expect("our child");
        let own = environment(getpid().as_raw());
        assert!(matches!(own, Environment::Known(bytes) if variable(&bytes, "PATH").is_some()));
        assert_eq!(environment(-1), Environment::Hidden);
    }

    #[test]
    fn cutting_keeps_characters_whole() {
        assert_eq!(shorten(&"é".repeat(150)).len(), 200);
        assert_eq!(shorten(&format!("a{}", "é".repeat(150))).len(), 199);
    }
}
