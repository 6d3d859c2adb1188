//! What services tell of themselves is heard, and nobody else is.

use super::*;
use crate::protocol::{Notice, Notify};
use nix::sys::stat::{umask, Mode};
use std::os::unix::net::UnixDatagram;

const SOCKET: Notify = Notify::Socket {
    path: None,
    watchdog_ms: None,
};

fn telling(mut spec: SpawnSpec) -> SpawnSpec {
    spec.notify = Some(SOCKET);
    let imp = imp::command().join(" ");
    spec.environment.insert("IMP".to_owned(), imp);
    spec
}

impl World {
    /// All that the set has told until it said this; its notices as one.
    fn told(&mut self, id: u32, last: impl Fn(&Notice) -> bool) -> Notice {
        let mut all = Notice::default();
        loop {
            let event = self
                .event(|event| matches!(event, Event::Notified { id: other, .. } if *other == id));
            let Event::Notified { notice, .. } = event else {
                unreachable!()
            };
            super::super::notice::merge(&mut all, &notice);
            all.stored_fds = notice.stored_fds;
            if last(&notice) {
                return all;
            }
        }
    }

    fn notice_of(&self, id: u32) -> Option<Notice> {
        let records = self.children.records();
        records.into_iter().find(|record| record.id == id)?.notice
    }

    fn shown(&mut self, name: &str) -> Vec<String> {
        let path = self.path(name);
        self.until(|_| path.exists());
        let text = fs::read_to_string(&path).expect("our file");
        fs::remove_file(path).expect("our file");
        text.lines().map(str::to_owned).collect()
    }

    fn touch(&self, name: &str) {
        fs::write(self.path(name), "").expect("our folder");
    }
}

/// Of an environment, or of a list of descriptors.
fn value<'a>(lines: &'a [String], name: &str) -> Option<&'a str> {
    lines.iter().find_map(|line| line.strip_prefix(name))
}

fn descriptors(lines: &[String]) -> Vec<i32> {
    let numbers = lines
        .iter()
        .filter_map(|line| line.strip_prefix("fd ")?.split(' ').next());
    let mut numbers: Vec<i32> = numbers.filter_map(|number| number.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn all_that_is_told_arrives() {
    isolated_twice(|| {
        let mut world = World::new();
        let spec = telling(world.imp(
            "tell RELOADING=1\\nSTATUS=loading; tell STATUS=serving\\nWATCHDOG=1\\nEXTEND_TIMEOUT_USEC=5000; \
             tell READY=1; barrier; touch told; wait go; tell STOPPING=1\\nERRNO=5; exit 3",
        ));
        let (id, _) = world.spawn(&spec);
        let notice = world.told(id, |notice| notice.ready);
        assert!(!notice.reloading && notice.watchdog, "{notice:?}");
        assert_eq!(notice.status.as_deref(), Some("serving"));
        assert_eq!(notice.extend_ms, Some(5.0));
        let told = world.path("told");
        world.until(|_| told.exists());
        let record = &world.children.records()[0];
        assert_eq!(record.notice, Some(notice));
        assert!(record.watchdog_at > 0.0);
        // The last words come before the news of the end.
        world.touch("go");
        world.until(|world| {
            world
                .events
                .iter()
                .any(|event| matches!(event, Event::Exited { .. }))
        });
        let first = world.events.first();
        assert!(
            matches!(first, Some(Event::Notified { notice, .. }) if notice.stopping && notice.errno == Some(5)),
            "{:?}",
            world.events
        );
        assert_eq!(world.exit(id), code(3));
        assert!(world.notes.is_empty(), "{:?}", world.notes);
        // It stays until the set is forgotten.
        assert!(world
            .notice_of(id)
            .is_some_and(|notice| notice.stopping && notice.ready));
    });
}

#[test]
fn what_comes_in_quick_succession_is_told_as_one() {
    isolated(|| {
        let mut world = World::new();
        let steps = vec!["tell STATUS=busy; barrier"; 100].join("; ")
            + "; tell STATUS=done; barrier; wait never";
        world.spawn(&telling(world.imp(&steps)));
        let start = world.now();
        let is_last = |event: &Event| matches!(event, Event::Notified { notice, .. } if notice.status.as_deref() == Some("done"));
        world.until(|world| world.events.iter().any(is_last));
        let took = world.now() - start;
        let events = world.events.len() as f64;
        assert!(events < 2.0 + took / 10.0, "{events} events in {took} ms");
    });
}

#[test]
fn whoever_belongs_to_the_set_may_tell() {
    isolated_twice(|| {
        let mut world = World::new();
        for (number, how) in [
            "$IMP",
            "sh -c '$IMP & wait'",
            "(setsid $IMP &)",
            "(exec $IMP) & exit 0",
        ]
        .iter()
        .enumerate()
        {
            let mut spec = telling(world.sh(&format!("{how}; exec sleep 1000")));
            spec.environment.insert(
                imp::STEPS.into(),
                format!("tell STATUS=from {number}; barrier; sleep"),
            );
            let (id, _) = world.spawn(&spec);
            let notice = world.told(id, |notice| notice.status.is_some());
            assert_eq!(notice.status, Some(format!("from {number}")));
        }
        assert!(world.notes.is_empty(), "{:?}", world.notes);
    });
}

/// One that has ended is believed if it was the set's user.
#[test]
fn whoever_has_gone_already_may_have_told() {
    isolated(|| {
        let mut world = World::new();
        let mut spec = telling(world.sh("$IMP; : >$T/ready; exec sleep 1000"));
        spec.environment
            .insert(imp::STEPS.into(), "tell READY=1".into());
        let (id, _) = world.spawn(&spec);
        // Nobody reads meanwhile.
        let ready = world.path("ready");
        let start = Instant::now();
        while !ready.exists() && start.elapsed() < DEADLINE {
            thread::sleep(Duration::from_millis(1));
        }
        world.told(id, |notice| notice.ready);
    });
}

#[test]
fn strangers_are_not_heard() {
    isolated_twice(|| {
        let mut world = World::new();
        let (id, pid) = world.spawn(&telling(
            world.imp("touch ready; wait go; tell READY=1; sleep"),
        ));
        world.pid_in("ready");
        let environment = fs::read(format!("/proc/{pid}/environ")).expect("our child");
        let name = super::super::procfs::variable(&environment, "NOTIFY_SOCKET");
        let name = name.expect("it has one").to_owned();
        assert!(name.starts_with("@oneup/"), "{name}");
        // Another set, even of the same service.
        let mut other =
            world.imp("tell STATUS=forged; tell STATUS=forged; barrier; touch forged; sleep");
        other
            .environment
            .insert("NOTIFY_SOCKET".into(), name.clone());
        world.spawn(&other);
        let forged = world.path("forged");
        world.until(|_| forged.exists());
        assert_eq!(world.notice_of(id), None);
        assert_eq!(world.notes.len(), 1, "{:?}", world.notes);
        assert!(
            world.notes[0].starts_with("test: process "),
            "{:?}",
            world.notes
        );
        // It is still listened to.
        world.touch("go");
        assert_eq!(world.told(id, |notice| notice.ready).status, None);
    });
}

/// Whoever is not below us is none of ours, even with the marker of a set.
#[test]
fn the_marker_alone_makes_no_member() {
    isolated_twice(|| {
        // It leaves its parent before we are the reaper of orphans.
        let folder = env::temp_dir().join(format!("oneup-outsider-{}", getpid()));
        fs::create_dir_all(&folder).expect("a folder");
        let script =
            "(setsid sh -c 'while ! [ -e $T/env ]; do sleep 0.01; done; . $T/env; exec $IMP' &)";
        let started = Command::new("/bin/sh")
            .args(["-c", script])
            .env("T", &folder)
            .env("IMP", imp::command().join(" "))
            .env(imp::STEPS, "tell STATUS=forged; barrier; touch forged")
            .status();
        assert!(started.is_ok_and(|status| status.success()));
        let mut world = World::new();
        let (id, pid) = world.spawn(&telling(world.imp("touch ready; sleep")));
        world.pid_in("ready");
        let environment = fs::read(format!("/proc/{pid}/environ")).expect("our child");
        let exported = ["NOTIFY_SOCKET", "ONEUP_ID"].map(|name| {
            let value = super::super::procfs::variable(&environment, name).expect("it has one");
            format!("export {name}={value}\n")
        });
        fs::write(folder.join("new"), exported.concat()).expect("our folder");
        fs::rename(folder.join("new"), folder.join("env")).expect("our folder");
        world.until(|_| folder.join("forged").exists());
        assert_eq!(world.notice_of(id), None);
        assert_eq!(world.notes.len(), 1, "{:?}", world.notes);
        fs::remove_dir_all(&folder).expect("our folder");
    });
}

#[test]
fn what_is_too_long_is_left_out() {
    isolated(|| {
        let mut world = World::new();
        let long = format!(
            "tell READY=1\\nX={0}; tell READY=1\\nX={0}; barrier; tell STATUS=x; sleep",
            "x".repeat(5000)
        );
        let (id, _) = world.spawn(&telling(world.imp(&long)));
        let notice = world.told(id, |notice| notice.status.is_some());
        assert!(!notice.ready);
        assert_eq!(world.notes.len(), 1, "{:?}", world.notes);
        assert!(world.notes[0].contains("4096 bytes"), "{:?}", world.notes);
    });
}

#[test]
fn a_flood_costs_nobody_his_turn() {
    isolated(|| {
        let mut world = World::new();
        let floods: Vec<u32> = (0..3)
            .map(|_| {
                world
                    .spawn(&telling(world.imp("flood STATUS=%\\nWATCHDOG=1")))
                    .0
            })
            .collect();
        for id in &floods {
            world.told(*id, |notice| notice.watchdog);
        }
        let counts = |world: &World| -> Vec<f64> {
            let notices = floods.iter().filter_map(|id| world.notice_of(*id)?.status);
            notices.filter_map(|count| count.parse().ok()).collect()
        };
        let (start, before) = (world.now(), counts(&world));
        for _ in 0..20 {
            let (id, _) = world.spawn(&spec(&["/bin/sleep", "0.02"]));
            assert_eq!(world.exit(id), code(0));
        }
        let took = world.now() - start;
        assert!(took < 10_000.0, "{took} ms");
        // Sixteen, then a rest of 20 ms.
        let most = 16.0 * (took / 20.0 + 2.0);
        for (after, before) in counts(&world).iter().zip(before) {
            assert!(after - before <= most, "{before} to {after} in {took} ms");
        }
        // Its last words are heard, but not for ever.
        for id in floods {
            world.stop(id, "TERM", 10_000.0, true);
            assert!(world.stopped(id).empty);
        }
    });
}

#[test]
fn the_process_named_as_main_takes_over() {
    isolated_twice(|| {
        let mut world = World::new();
        // The shell is the leader until the daemon runs on its own.
        let mut spec =
            telling(world.sh("setsid $IMP & while ! [ -e $T/leave ]; do sleep 0.01; done; exit 0"));
        spec.environment.insert(
            imp::STEPS.into(),
            "tell MAINPID=$$\\nREADY=1; barrier; touch daemon; wait end; exit 7".into(),
        );
        let (id, leader) = world.spawn(&spec);
        let notice = world.told(id, |notice| notice.ready);
        let daemon = world.pid_in("daemon");
        assert_eq!(notice.main_pid, Some(daemon));
        // A signal for the main process reaches it at once.
        world.children.signal(id, "STOP", Scope::Main);
        world.until(|_| is_stopped(daemon));
        assert!(!is_stopped(leader));
        world.children.signal(id, "CONT", Scope::Main);
        world.touch("leave");
        world.until(|world| world.children.records()[0].pid == daemon);
        let record = &world.children.records()[0];
        assert!(
            record.exit.is_none() && world.events.is_empty(),
            "{record:?}"
        );
        world.children.signal(id, "STOP", Scope::Group);
        world.until(|_| is_stopped(daemon));
        world.children.signal(id, "CONT", Scope::Main);
        world.touch("end");
        assert_eq!(world.exited(id), (code(7), 0));
        assert!(world.notes.is_empty(), "{:?}", world.notes);
    });
}

fn is_stopped(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|text| text.contains(") T "))
}

#[test]
fn a_daemon_that_took_over_is_stopped_with_proof() {
    isolated_twice(|| {
        let mut world = World::new();
        let mut spec = telling(world.sh("setsid sh -c '$IMP & echo $! >$T/pid; wait' & while ! [ -e $T/leave ]; do sleep 0.01; done"));
        spec.environment.insert(
            imp::STEPS.into(),
            "tell MAINPID=$$; barrier; touch daemon; sleep".into(),
        );
        let (id, leader) = world.spawn(&spec);
        world.told(id, |notice| notice.main_pid.is_some());
        let daemon = world.pid_in("daemon");
        // Its parent lives, so that it is no child of ours: the leader's end is the set's.
        world.touch("leave");
        let (exit, leftovers) = world.exited(id);
        assert!(exit == code(0) && leftovers >= 2, "{exit:?} {leftovers}");
        assert_eq!(world.children.records()[0].pid, leader);
        world.stop(id, "TERM", 10_000.0, true);
        let receipt = world.stopped(id);
        assert!(
            receipt.empty
                && receipt
                    .processes
                    .iter()
                    .any(|process| process.pid == daemon)
        );
    });
}

#[test]
fn nobody_of_another_set_becomes_main() {
    isolated(|| {
        let mut world = World::new();
        let (_, other) = world.spawn(&spec(&["/bin/sleep", "1000"]));
        let steps = format!("tell MAINPID={other}\\nSTATUS=x; barrier; wait go; exit 4");
        let (id, leader) = world.spawn(&telling(world.imp(&steps)));
        let notice = world.told(id, |notice| notice.status.is_some());
        assert_eq!(notice.main_pid, None);
        assert!(world.notes[0].contains("MAINPID"), "{:?}", world.notes);
        assert!(lives(leader));
        world.touch("go");
        assert_eq!(world.exit(id), code(4));
    });
}

#[test]
fn descriptors_are_kept_for_the_next_run() {
    isolated(|| {
        let mut world = World::new();
        let (id, _) = world.spawn(&telling(world.imp(
            "store FDSTORE=1\\nFDNAME=first; write kept; store FDSTORE=1\\nFDNAME=second; \
             store FDSTORE=1; tell FDSTOREREMOVE=1\\nFDNAME=second; barrier; exit 0",
        )));
        assert_eq!(world.exit(id), code(0));
        // The third one lost its other end with the process; the first did, too, but see below.
        world.children.forget(id);
        world.until(|world| world.children.kept("test") == 0);

        let (id, _) = world.spawn(&telling(world.imp(
            "store FDSTORE=1\\nFDNAME=first\\nFDPOLL=0; write kept; store FDSTORE=1\\nFDPOLL=0\\nFDNAME=second; \
             store FDSTORE=1\\nFDPOLL=0; tell FDSTOREREMOVE=1\\nFDNAME=second; barrier; exit 0",
        )));
        assert_eq!(world.exit(id), code(0));
        assert_eq!(world.notice_of(id).map(|notice| notice.stored_fds), Some(2));
        world.children.forget(id);
        assert_eq!(world.children.kept("test"), 2);

        // A hook gets none.
        let mut hook = telling(world.imp("show hook; exit 0"));
        hook.role = "after-exit".into();
        world.spawn(&hook);
        let shown = world.shown("hook");
        assert_eq!(
            (value(&shown, "LISTEN_FDS="), descriptors(&shown)),
            (None, vec![0, 1, 2])
        );

        let (_, pid) = world.spawn(&telling(world.imp("show main; read content; sleep")));
        let shown = world.shown("main");
        assert_eq!(value(&shown, "LISTEN_FDS="), Some("2"));
        assert_eq!(value(&shown, "LISTEN_FDNAMES="), Some("first:stored"));
        assert_eq!(value(&shown, "LISTEN_PID="), Some(pid.to_string().as_str()));
        assert_eq!(value(&shown, "own pid "), Some(pid.to_string().as_str()));
        assert_eq!(descriptors(&shown), [0, 1, 2, 3, 4]);
        assert_eq!(world.shown("content"), ["kept"]);

        world.children.drop_fds("test");
        assert_eq!(world.children.kept("test"), 0);
        world.spawn(&telling(world.imp("show later; sleep")));
        let shown = world.shown("later");
        assert_eq!(
            (value(&shown, "LISTEN_FDS="), descriptors(&shown)),
            (None, vec![0, 1, 2])
        );
    });
}

#[test]
fn so_many_descriptors_and_no_more() {
    isolated(|| {
        let mut world = World::new();
        let (id, _) = world.spawn(&telling(world.imp(
            "store-many FDSTORE=1; store-many FDSTORE=1; barrier; tell STATUS=full; wait go; close; sleep",
        )));
        let notice = world.told(id, |notice| notice.status.is_some());
        assert_eq!(notice.stored_fds, 64);
        assert_eq!(world.notes.len(), 1, "{:?}", world.notes);
        assert!(
            world.notes[0].contains("64 descriptors"),
            "{:?}",
            world.notes
        );
        // All are passed, wherever ours are.
        let (_, _) = world.spawn(&telling(world.imp("show all; sleep")));
        let shown = world.shown("all");
        assert_eq!(descriptors(&shown), (0..67).collect::<Vec<i32>>());
        let inherited = value(&shown, "LISTEN_FDNAMES=").map(|names| names.split(':').count());
        assert_eq!(inherited, Some(64));
        // Their other ends are closed; nobody had to look for that.
        world.touch("go");
        world.until(|world| world.children.kept("test") == 0);
    });
}

#[test]
fn a_descriptor_that_is_slow_to_close_holds_up_nobody() {
    isolated(|| {
        let mut world = World::new();
        // More of them than are closed at once.
        let steps = format!(
            "{}tell FDSTOREREMOVE=1\\nFDNAME=a; tell STATUS=done; sleep",
            "store-lingering FDSTORE=1\\nFDNAME=a; ".repeat(10)
        );
        let start = Instant::now();
        let (id, _) = world.spawn(&telling(world.imp(&steps)));
        world.told(id, |notice| notice.status.as_deref() == Some("done"));
        assert!(start.elapsed() < Duration::from_secs(20));
    });
}

#[test]
fn the_watchdog_is_announced() {
    isolated(|| {
        let mut world = World::new();
        let mut spec = telling(world.imp("show env; sleep"));
        spec.notify = Some(Notify::Socket {
            path: None,
            watchdog_ms: Some(1500.5),
        });
        spec.environment.insert("WATCHDOG_PID".into(), "1".into());
        spec.environment
            .insert("NOTIFY_SOCKET".into(), "/nowhere".into());
        let (_, pid) = world.spawn(&spec);
        let shown = world.shown("env");
        assert_eq!(value(&shown, "WATCHDOG_USEC="), Some("1500500"));
        assert_eq!(
            value(&shown, "WATCHDOG_PID="),
            Some(pid.to_string().as_str())
        );
        assert!(value(&shown, "NOTIFY_SOCKET=").is_some_and(|name| name.starts_with('@')));
    });
}

#[test]
fn a_socket_at_a_path_comes_and_goes() {
    isolated(|| {
        let mut world = World::new();
        let path = world.path("notify");
        let text = path.display().to_string();
        let mut spec = telling(world.imp("tell READY=1; sleep"));
        spec.notify = Some(Notify::Socket {
            path: Some(text.clone()),
            watchdog_ms: None,
        });
        // Everybody may write to it, whatever our umask, which stays as it was.
        let mask = Mode::from_bits_truncate(0o077);
        umask(mask);
        // A dead one is replaced.
        drop(UnixDatagram::bind(&path).expect("a socket"));
        assert!(path.exists());
        let (id, _) = world.spawn(&spec);
        world.told(id, |notice| notice.ready);
        let mode = fs::metadata(&path)
            .expect("the socket")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o666);
        assert_eq!(umask(mask), mask);
        // A live one, and another file, are not.
        let failure = world
            .try_spawn(&spec, Stdio::Null)
            .expect_err("it is taken");
        assert_eq!(
            (failure.step.as_str(), failure.error.as_str()),
            ("notify", "EADDRINUSE")
        );
        assert!(failure.message.contains(&text), "{failure:?}");
        world.stop(id, "KILL", 0.0, true);
        world.stopped(id);
        assert!(path.exists());
        world.children.forget(id);
        assert!(!path.exists());
        fs::write(&path, "somebody's").expect("our folder");
        let failure = world
            .try_spawn(&spec, Stdio::Null)
            .expect_err("it is taken");
        assert!(failure.message.contains("another file"), "{failure:?}");
        assert_eq!(fs::read_to_string(&path).expect("our file"), "somebody's");
        // What cannot start leaves nothing behind.
        fs::remove_file(&path).expect("our file");
        spec.argv = vec!["/nonexistent".into()];
        world
            .try_spawn(&spec, Stdio::Null)
            .expect_err("no such program");
        assert!(!path.exists());
        // Nor is a socket removed that somebody else has put there.
        spec.argv = vec!["/bin/sleep".into(), "1000".into()];
        let (id, _) = world.spawn(&spec);
        fs::remove_file(&path).expect("our file");
        fs::write(&path, "somebody's").expect("our folder");
        world.children.forget(id);
        assert!(path.exists());
    });
}

#[test]
fn services_of_another_user_can_tell() {
    if !is_root() {
        return;
    }
    isolated(|| {
        let mut world = World::new();
        let path = world.path("notify").display().to_string();
        let program = fs::metadata(&imp::command()[0]).expect("this program");
        // Only where that user may run this program at all.
        for path in [None, Some(path)] {
            let mut spec = telling(world.sh("exec $IMP"));
            spec.environment
                .insert(imp::STEPS.into(), "tell READY=1; sleep".into());
            spec.user = Some("65534".into());
            spec.notify = Some(Notify::Socket {
                path,
                watchdog_ms: None,
            });
            let (id, _) = world.spawn(&spec);
            world.until(|world| {
                world.notice_of(id).is_some()
                    || world
                        .children
                        .records()
                        .iter()
                        .any(|record| record.exit.is_some())
            });
            if world.notice_of(id).is_none() {
                say(&format!(
                    "not tested: {:?} cannot be run by another user\n",
                    program.permissions()
                ));
                return;
            }
        }
    });
}

#[test]
fn a_line_on_a_descriptor_means_ready() {
    isolated(|| {
        let mut world = World::new();
        let mut line = |fd: u32, script: &str| {
            let mut spec = world.sh(script);
            spec.notify = Some(Notify::Descriptor { fd });
            let (id, _) = world.spawn(&spec);
            id
        };
        let ready = line(5, "echo >&5; echo more >&5; exec sleep 1000");
        let silent = line(
            3,
            "printf half >&3; exec 3>&-; : >$T/closed; exec sleep 1000",
        );
        let at_its_end = line(9, "echo up >&9; exit 3");
        let notice = world.told(ready, |notice| notice.ready);
        let wanted = Notice {
            ready: true,
            ..Notice::default()
        };
        assert_eq!(notice, wanted);
        let first =
            world.event(|event| !matches!(event, Event::Notified { id, .. } if *id == ready));
        assert!(
            matches!(first, Event::Notified { id, .. } if id == at_its_end),
            "{first:?}"
        );
        assert_eq!(world.exit(at_its_end), code(3));
        let closed = world.path("closed");
        world.until(|_| closed.exists());
        (0..10).for_each(|_| world.turn());
        assert_eq!(world.notice_of(silent), None);
        assert_eq!(world.notice_of(ready), Some(wanted));
    });
}

#[test]
fn any_number_can_be_the_descriptor() {
    isolated(|| {
        let mut world = World::new();
        // Whatever our own pipe is called.
        for fd in (3..40).chain([1000]) {
            let mut spec = world.imp("show fds; sleep");
            spec.notify = Some(Notify::Descriptor { fd });
            let (id, _) = world.spawn(&spec);
            let shown = world.shown("fds");
            assert_eq!(descriptors(&shown), [0, 1, 2, fd as i32]);
            assert!(value(&shown, &format!("fd {fd} "))
                .is_some_and(|target| target.starts_with("pipe:")));
            world.stop(id, "KILL", 0.0, true);
            world.stopped(id);
            world.children.forget(id);
        }
        let mut spec = world.sh("");
        for fd in [2, u32::MAX] {
            spec.notify = Some(Notify::Descriptor { fd });
            let failure = world
                .try_spawn(&spec, Stdio::Null)
                .expect_err("no such number");
            assert_eq!(failure.step, "notify");
        }
        spec.notify = Some(Notify::Descriptor {
            fd: i32::MAX as u32,
        });
        let failure = world
            .try_spawn(&spec, Stdio::Null)
            .expect_err("no such number");
        assert_eq!(failure.step, "descriptors");
    });
}

/// Hooks run beside the service under its name, each a set of its own.
#[test]
fn several_sets_of_one_service() {
    isolated_twice(|| {
        let mut world = World::new();
        let (main, _) = world.spawn(&spec(&["/bin/sleep", "1000"]));
        let mut hook = world.sh("(sleep 1000 &); : >$T/ready; sleep 1000");
        hook.role = "before-stop".into();
        let (hook, _) = world.spawn(&hook);
        let ready = world.path("ready");
        world.until(|_| ready.exists());
        let roles: Vec<String> = world
            .children
            .records()
            .into_iter()
            .map(|record| record.role)
            .collect();
        assert_eq!(roles, ["main", "before-stop"]);
        world.stop(hook, "TERM", 10_000.0, true);
        let receipt = world.stopped(hook);
        assert_eq!(receipt.service.as_deref(), Some("test"));
        assert!(
            receipt.empty && receipt.processes.len() == 3,
            "{receipt:#?}"
        );
        world.exit(hook);
        assert!(world.events.is_empty() && world.children.records()[0].exit.is_none());
        world.stop(main, "TERM", 10_000.0, true);
        assert_eq!(world.stopped(main).processes.len(), 1);
    });
}
