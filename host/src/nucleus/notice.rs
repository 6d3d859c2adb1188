//! The words of sd_notify(3): from the text of a datagram to what it says.

use super::brief::one_line;
use crate::protocol::Notice;

const STATUS_MAX: usize = 256;
/// Of the name of a kept descriptor, as LISTEN_FDNAMES has it.
const NAME_MAX: usize = 255;
const NAME_DEFAULT: &str = "stored";

/// What one datagram says.
#[derive(Debug, Default, PartialEq)]
pub struct Told {
    pub notice: Notice,
    /// Its descriptor is to be closed, and nothing else.
    pub barrier: bool,
    pub store: bool,
    pub remove: bool,
    /// For `store` and `remove`.
    pub name: Option<String>,
    /// A kept descriptor goes when the kernel reports its end.
    pub poll: bool,
}

impl Told {
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(NAME_DEFAULT)
    }

    /// It has something for the brain.
    pub fn is_news(&self) -> bool {
        self.notice != Notice::default() || self.store || self.remove
    }
}

pub fn parse(text: &[u8]) -> Told {
    let text = String::from_utf8_lossy(text);
    let mut told = Told {
        poll: true,
        ..Told::default()
    };
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    for (name, value) in pairs {
        take(&mut told, name, value);
    }
    told
}

fn take(told: &mut Told, name: &str, value: &str) {
    let notice = &mut told.notice;
    let milliseconds = || {
        value
            .parse::<u64>()
            .ok()
            .map(|micros| micros as f64 / 1000.0)
    };
    match (name, value) {
        ("READY", "1") => {
            notice.ready = true;
            notice.reloading = false;
        }
        ("RELOADING", "1") => notice.reloading = true,
        ("STOPPING", "1") => notice.stopping = true,
        ("STATUS", _) => notice.status = Some(one_line(value, STATUS_MAX)),
        ("ERRNO", _) => notice.errno = value.parse().ok().or(notice.errno),
        ("MAINPID", _) => notice.main_pid = value.parse().ok().or(notice.main_pid),
        ("WATCHDOG", "1") => notice.watchdog = true,
        ("WATCHDOG", "trigger") => notice.watchdog_trigger = true,
        ("WATCHDOG_USEC", _) => notice.watchdog_ms = milliseconds().or(notice.watchdog_ms),
        ("EXTEND_TIMEOUT_USEC", _) => notice.extend_ms = milliseconds().or(notice.extend_ms),
        ("FDSTORE", "1") => told.store = true,
        ("FDSTOREREMOVE", "1") => told.remove = true,
        ("FDNAME", _) if is_name(value) => told.name = Some(value.to_owned()),
        ("FDPOLL", "0") => told.poll = false,
        ("BARRIER", "1") => told.barrier = true,
        _ => {}
    }
}

fn is_name(text: &str) -> bool {
    let is_good = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b':';
    !text.is_empty() && text.len() <= NAME_MAX && text.bytes().all(is_good)
}

/// Adds what was told later.
pub fn merge(notice: &mut Notice, later: &Notice) {
    notice.ready |= later.ready;
    notice.reloading = later.reloading || (notice.reloading && !later.ready);
    notice.stopping |= later.stopping;
    notice.watchdog |= later.watchdog;
    notice.watchdog_trigger |= later.watchdog_trigger;
    let keep = |old: &mut Option<f64>, new: Option<f64>| *old = new.or(*old);
    keep(&mut notice.watchdog_ms, later.watchdog_ms);
    keep(&mut notice.extend_ms, later.extend_ms);
    notice.errno = later.errno.or(notice.errno);
    notice.main_pid = later.main_pid.or(notice.main_pid);
    if later.status.is_some() {
        notice.status.clone_from(&later.status);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(text: &str) -> Notice {
        parse(text.as_bytes()).notice
    }

    #[test]
    fn all_words_are_understood() {
        let told = notice(
            "READY=1\nSTATUS=all is well\x07\nERRNO=2\nMAINPID=77\nWATCHDOG=1\nWATCHDOG_USEC=2500\n\
             EXTEND_TIMEOUT_USEC=1000000\nSTOPPING=1\nX_OWN=1\nno pair\n",
        );
        let wanted = Notice {
            ready: true,
            stopping: true,
            status: Some("all is well".into()),
            errno: Some(2),
            main_pid: Some(77),
            watchdog: true,
            watchdog_ms: Some(2.5),
            extend_ms: Some(1000.0),
            ..Notice::default()
        };
        assert_eq!(told, wanted);
        assert!(notice("WATCHDOG=trigger").watchdog_trigger);
        for nothing in [
            "",
            "READY=0",
            "READY",
            "MAINPID=x",
            "WATCHDOG_USEC=-1",
            "=",
            "ready=1",
        ] {
            assert!(!parse(nothing.as_bytes()).is_news(), "{nothing}");
        }
        assert_eq!(
            parse(b"STATUS=\xff\n").notice.status.as_deref(),
            Some("\u{fffd}")
        );
        assert_eq!(
            notice(&format!("STATUS={}", "é".repeat(200)))
                .status
                .map(|text| text.len()),
            Some(256)
        );
    }

    #[test]
    fn the_later_word_about_a_reload_counts() {
        assert!(!notice("RELOADING=1\nREADY=1").reloading);
        assert!(notice("READY=1\nRELOADING=1").reloading);
        let mut all = notice("READY=1");
        for (text, reloading) in [
            ("RELOADING=1", true),
            ("STATUS=x", true),
            ("READY=1", false),
        ] {
            merge(&mut all, &notice(text));
            assert_eq!((all.ready, all.reloading), (true, reloading), "{text}");
        }
        merge(&mut all, &notice("WATCHDOG=1"));
        assert_eq!(all.status.as_deref(), Some("x"));
    }

    #[test]
    fn descriptors_have_names() {
        let told = parse(b"FDSTORE=1\nFDNAME=web 1\nFDPOLL=0");
        assert!(told.store && !told.poll && told.name() == "web 1");
        for bad in ["", "a:b", "a\tb", "\u{e9}", &"x".repeat(256)] {
            let told = parse(format!("FDSTORE=1\nFDNAME={bad}").as_bytes());
            assert!(told.poll && told.name() == "stored", "{bad}");
        }
        assert!(parse(b"FDSTOREREMOVE=1\nFDNAME=a").remove);
        assert!(parse(b"BARRIER=1").barrier);
    }
}
