//! Whole sets are ended, and the receipt tells.

use super::*;

#[test]
fn a_set_of_one() {
    isolated_twice(|| {
        let mut world = World::new();
        let (id, pid) = world.spawn(&spec(&["/bin/sleep", "100"]));
        world.stop(id, "TERM", 20_000.0, true);
        assert!(world.children.records()[0].stopping);
        let receipt = world.stopped(id);
        assert_eq!(world.exit(id), killed_by("TERM"));
        assert!(
            receipt.empty && receipt.duration_ms < 10_000.0,
            "{receipt:?}"
        );
        assert_eq!(receipt.service.as_deref(), Some("test"));
        assert_eq!(receipt.processes.len(), 1);
        let process = of(&receipt, pid);
        assert_eq!(
            (process.command.as_str(), process.found),
            ("/bin/sleep 100", Found::Child)
        );
        assert_eq!(process.signals, ["TERM", "CONT"]);
        assert_eq!(
            (process.exit.clone(), process.killed),
            (Some(killed_by("TERM")), false)
        );
        assert!(process.left_ms.is_some());
        let record = &world.children.records()[0];
        assert!(
            record.receipt.as_ref() == Some(&receipt) && !record.stopping && record.exit.is_some()
        );
        // What is empty stays so: another stop is done at once.
        world.stop(id, "TERM", 10_000.0, true);
        assert!(world.stopped(id).processes.is_empty());
        world.children.forget(id);
        assert!(world.children.records().is_empty());
        world.stop(id, "TERM", 10_000.0, true);
        assert!(world.stopped(id).empty);
    });
}

#[test]
fn members_that_left_the_session_or_their_parents() {
    isolated_twice(|| {
        let mut world = World::new();
        let (id, leader) = world.script(
            "sleep 101 & echo $! >$T/group
             setsid sh -c 'echo $$ >$T/session; exec sleep 102' &
             (setsid sh -c 'echo $$ >$T/daemon; exec sleep 103' &)
             (setsid env -i sh -c 'echo $$ >'$T'/clean; exec sleep 104' &)
             while ! [ -s $T/session -a -s $T/daemon -a -s $T/clean ]; do sleep 0.01; done
             : >$T/ready; wait; wait",
        );
        let [group, session, daemon, clean] =
            ["group", "session", "daemon", "clean"].map(|name| world.pid_in(name));
        // A daemon without the marker is only known by its cgroup.
        let has_cgroup = fs::read_to_string(format!("/proc/{clean}/cgroup"))
            .is_ok_and(|text| text.contains(&format!("/oneup-{}-", getpid())));
        for pid in [leader, group, session, daemon] {
            // In the middle of its execve a daemon is not known yet.
            world.until(|world| {
                let listed = world.children.processes(id).to_string();
                listed.contains(&format!("\"pid\":{pid},"))
            });
        }
        let facts = world.children.facts(&[id, id + 1000]);
        assert!(facts[1].is_empty());
        let of_group = facts[0].iter().find(|facts| facts.pid == group);
        let of_group = of_group.expect("the facts of a process of the set");
        assert_eq!(of_group.parent, leader);
        assert_eq!(of_group.command, "sleep 101");
        assert!(of_group.name == "sleep" && of_group.memory_bytes > 0);
        world.stop(id, "TERM", 20_000.0, true);
        let receipt = world.stopped(id);
        assert_eq!(world.exited(id).0, killed_by("TERM"));
        assert!(
            receipt.empty && receipt.duration_ms < 10_000.0,
            "{receipt:#?}"
        );
        for (pid, found) in [
            (leader, Found::Child),
            (group, Found::Group),
            (session, Found::Child),
            (daemon, Found::Adopted),
        ] {
            let process = of(&receipt, pid);
            assert_eq!(process.found, found, "{process:?}");
            assert_eq!(process.signals, ["TERM", "CONT"], "{process:?}");
            assert!(!process.killed && !lives(pid), "{process:?}");
        }
        // Reaped by us, so its exit is known.
        assert_eq!(of(&receipt, daemon).exit, Some(killed_by("TERM")));
        assert_eq!(lives(clean), !has_cgroup);
        // What belongs to no set is the rest.
        let now = world.now();
        let events = world.children.stop_rest(900, "TERM", 20_000.0, now);
        world.events.extend(events);
        let rest = world.stopped(900);
        assert_eq!((rest.service, rest.empty), (None, true));
        assert_eq!(
            rest.processes.len(),
            usize::from(!has_cgroup),
            "{:?}",
            rest.processes
        );
        assert!(!lives(clean));
    });
}

/// Where no cgroup can be made, the rest is what nobody recognises.
#[test]
fn the_rest_is_stopped() {
    isolated(|| {
        env::set_var(NO_CGROUPS, "1");
        let mut world = World::new();
        let (id, _) = world.script(
            "(setsid env -i sh -c 'trap \"exit 3\" TERM; echo $$ >'$T'/clean; while :; do sleep 0.1; done' &)
             while ! [ -s $T/clean ]; do sleep 0.01; done; : >$T/ready; exit 4",
        );
        let clean = world.pid_in("clean");
        assert_eq!(world.exited(id), (code(4), 0));
        assert!(lives(clean));
        let now = world.now();
        let events = world.children.stop_rest(900, "TERM", 20_000.0, now);
        world.events.extend(events);
        assert!(world
            .children
            .records()
            .iter()
            .any(|record| record.id == 900 && record.role == "rest"));
        let receipt = world.stopped(900);
        assert!(receipt.empty && !lives(clean));
        let process = of(&receipt, clean);
        assert_eq!((process.found, process.killed), (Found::Adopted, false));
        assert_eq!(process.exit, Some(code(3)));
    });
}

/// In the middle of an execve nobody can tell whose an orphan is; that does not make it a stranger.
#[test]
fn orphans_in_an_execve_are_known() {
    isolated_twice(|| {
        let mut world = World::new();
        let again = "exec sh -c \"$0\" \"$0\"";
        for _ in 0..10 {
            let script = "for i in 1 2 3 4 5 6 7 8 9 10; do (setsid sh -c \"$1\" \"$1\" &); done";
            let mut spec = world.sh(script);
            spec.argv.extend(["x", again].map(str::to_owned));
            let (id, _) = world.spawn(&spec);
            let (exit, leftovers) = world.exited(id);
            assert_eq!(exit, code(0));
            assert!(leftovers > 0);
            world.stop(id, "KILL", 0.0, true);
            let receipt = world.stopped(id);
            assert!(receipt.empty);
            assert_eq!(receipt.processes.len(), 10, "{receipt:#?}");
            world.children.forget(id);
        }
    });
}

/// Nothing to go by, for good: no arguments, no environment.
#[test]
fn a_daemon_without_arguments_and_environment_holds_up_nobody() {
    isolated_twice(|| {
        let mut world = World::new();
        let (other, _) = world.spawn(&spec(&["/bin/sleep", "100"]));
        let (id, _) = world.script(
            "mkfifo $T/never
             (setsid env -i bash -c 'echo $$ >'$T'/blank; exec -c -a \"\" cat <>'$T'/never' &)
             while ! [ -s $T/blank ]; do sleep 0.01; done; : >$T/ready; exec sleep 100",
        );
        let blank = world.pid_in("blank");
        let read = |name: &str| fs::read(format!("/proc/{blank}/{name}")).expect("it lives");
        world.until(|_| read("comm") == b"cat\n" && read("cmdline") == b"\0");
        assert_eq!(read("environ"), b"");
        for id in [other, id] {
            world.stop(id, "TERM", 20_000.0, true);
            let receipt = world.stopped(id);
            assert!(receipt.empty, "{receipt:#?}");
            assert!(receipt.duration_ms < 10_000.0, "{receipt:#?}");
        }
        let now = world.now();
        let events = world.children.stop_rest(900, "TERM", 20_000.0, now);
        world.events.extend(events);
        assert!(world.stopped(900).empty);
        assert!(!lives(blank));
    });
}

#[test]
fn the_deadline_can_be_put_off() {
    isolated(|| {
        let mut world = World::new();
        let script = "trap 'sleep 0.6; exit 5' TERM; : >$T/ready; while :; do sleep 0.01; done";
        let (id, _) = world.script(script);
        world.stop(id, "TERM", 200.0, true);
        let now = world.now();
        world.children.extend_stop(id, 20_000.0, now);
        // Never forward.
        world.children.extend_stop(id, 1.0, now);
        assert_eq!(world.exit(id), code(5));
        assert!(world
            .stopped(id)
            .processes
            .iter()
            .all(|process| !process.killed));
        // Nobody's, and one that is not stopping: nothing to put off.
        world.children.extend_stop(id, 1.0, now);
        world.children.extend_stop(99, 1.0, now);
    });
}

#[test]
fn who_ignores_term_is_killed_at_the_deadline() {
    isolated_twice(|| {
        let mut world = World::new();
        let (id, leader) = world.script(
            "setsid sh -c 'trap \"\" TERM; echo $$ >$T/deaf; while :; do sleep 0.05; done' &
             while ! [ -s $T/deaf ]; do sleep 0.01; done; : >$T/ready; wait",
        );
        let deaf = world.pid_in("deaf");
        world.stop(id, "TERM", 300.0, true);
        let (exit, leftovers) = world.exited(id);
        assert_eq!(exit, killed_by("TERM"));
        assert!(leftovers > 0);
        assert!(lives(deaf));
        let receipt = world.stopped(id);
        assert!(
            receipt.empty && (300.0..20_000.0).contains(&receipt.duration_ms),
            "{receipt:?}"
        );
        assert!(!of(&receipt, leader).killed);
        let process = of(&receipt, deaf);
        assert_eq!(process.signals, ["TERM", "CONT", "KILL"]);
        assert!(
            process.killed && process.exit == Some(killed_by("KILL")),
            "{process:?}"
        );
        assert!(!lives(deaf));
    });
}

#[test]
fn no_time_is_kill_at_once() {
    isolated_twice(|| {
        let mut world = World::new();
        let (id, leader) =
            world.script("trap ': >$T/term' TERM; sleep 100 & : >$T/ready; wait; wait");
        world.stop(id, "TERM", 0.0, true);
        let receipt = world.stopped(id);
        assert_eq!(world.exit(id), killed_by("KILL"));
        assert!(receipt.empty && receipt.processes.len() == 2, "{receipt:?}");
        assert!(receipt
            .processes
            .iter()
            .all(|process| process.signals == ["KILL"] && process.killed));
        assert!(!world.path("term").exists() && !lives(leader));
    });
}

#[test]
fn a_second_stop_only_hurries() {
    isolated_twice(|| {
        let mut world = World::new();
        let (id, leader) = world.script("trap '' TERM; : >$T/ready; while :; do sleep 0.05; done");
        world.stop(id, "TERM", 60_000.0, true);
        world.stop(id, "INT", 90_000.0, true);
        assert!(world
            .children
            .next_deadline()
            .is_some_and(|at| at <= world.now() + 60_000.0));
        for _ in 0..3 {
            world.turn();
        }
        assert!(lives(leader) && world.events.is_empty());
        world.stop(id, "TERM", 0.0, true);
        let receipt = world.stopped(id);
        assert!(receipt.empty && receipt.duration_ms < 20_000.0);
        assert_eq!(of(&receipt, leader).signals, ["TERM", "CONT", "KILL"]);
        assert_eq!(world.children.next_deadline(), None);
    });
}

#[test]
fn a_stopped_process_is_continued_to_end() {
    isolated_twice(|| {
        let mut world = World::new();
        let (id, pid) =
            world.script("trap 'exit 9' TERM; : >$T/ready; while :; do sleep 0.05; done");
        world.children.signal(id, "STOP", Scope::Main);
        world.until(|_| {
            fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|text| text.contains(") T "))
        });
        world.stop(id, "TERM", 20_000.0, true);
        assert!(world.stopped(id).duration_ms < 10_000.0);
        assert_eq!(world.exit(id), code(9));
    });
}

/// What is born after the signal is found when its parent ends, and gets the same.
#[test]
fn what_is_forked_during_the_stop_is_found() {
    isolated_twice(|| {
        let mut world = World::new();
        // Not before `go`: what is forked while the stop walks over the tree is found by that.
        let (id, leader) = world.script(
            "await() { while ! [ -s $T/$1 ]; do sleep 0.01; done; }
             trap 'await go; setsid sh -c \"echo \\$\\$ >$T/late; exec sleep 100\" & await late; exit 5' TERM
             : >$T/ready; while :; do sleep 0.05; done",
        );
        world.stop(id, "TERM", 50_000.0, true);
        fs::write(world.path("go"), "go").expect("our folder");
        let receipt = world.stopped(id);
        let late = world.pid_in("late");
        assert_eq!(world.exited(id).0, code(5));
        assert!(
            receipt.empty && receipt.duration_ms < 50_000.0,
            "{receipt:#?}"
        );
        let process = of(&receipt, late);
        assert_eq!(
            (process.found, process.exit.clone()),
            (Found::Adopted, Some(killed_by("TERM")))
        );
        assert!(of(&receipt, leader).exit == Some(code(5)) && !lives(late));
    });
}

/// Each generation leaves a session of its own behind and ends.
#[test]
fn a_chain_of_daemons_is_followed() {
    isolated_twice(|| {
        let mut world = World::new();
        let script = "trap '' TERM; : >$T/ready; n=$1
            [ $n -gt 0 ] && { setsid sh -c \"$2\" x $((n-1)) \"$2\" & sleep 0.02; exit 0; }
            echo $$ >$T/last; while :; do sleep 0.05; done";
        let mut spec = world.sh(script);
        spec.argv.extend(["x", "8", script].map(str::to_owned));
        let (id, _) = world.spawn(&spec);
        let ready = world.path("ready");
        world.until(|_| ready.exists());
        world.stop(id, "TERM", 200_000.0, true);
        let last = world.pid_in("last");
        assert!(
            lives(last)
                && !world
                    .events
                    .iter()
                    .any(|event| matches!(event, Event::Stopped { .. }))
        );
        world.stop(id, "TERM", 0.0, true);
        let receipt = world.stopped(id);
        assert!(receipt.empty, "{receipt:#?}");
        // How it was found depends on how far it had come when it was first seen.
        assert!(!lives(last) && of(&receipt, last).killed, "{receipt:#?}");
    });
}

#[test]
fn leftovers_are_told_and_stopped() {
    isolated_twice(|| {
        let mut world = World::new();
        let (id, _) = world.script("sleep 100 & sleep 101 & echo $! >$T/left; : >$T/ready; exit 0");
        assert_eq!(world.exited(id), (code(0), 2));
        assert_eq!(world.children.records()[0].leftovers, 2);
        world.stop(id, "TERM", 20_000.0, true);
        let receipt = world.stopped(id);
        assert!(receipt.empty && receipt.processes.len() == 2, "{receipt:?}");
        assert!(receipt
            .processes
            .iter()
            .all(|process| process.found == Found::Group));
        let left = world.pid_in("left");
        assert!(!lives(left));
        assert_eq!(world.children.records()[0].leftovers, 0);
    });
}

#[test]
fn the_group_alone_where_the_tree_is_not_wanted() {
    isolated_twice(|| {
        let mut world = World::new();
        let (id, leader) = world.script(
            "sleep 100 & echo $! >$T/group
             setsid sh -c 'echo $$ >$T/session; exec sleep 101' &
             while ! [ -s $T/session ]; do sleep 0.01; done; : >$T/ready; wait; wait",
        );
        let (group, session) = (world.pid_in("group"), world.pid_in("session"));
        world.stop(id, "TERM", 20_000.0, false);
        let receipt = world.stopped(id);
        assert!(
            receipt.empty && receipt.duration_ms < 10_000.0,
            "{receipt:#?}"
        );
        let mut pids: Vec<u32> = receipt
            .processes
            .iter()
            .map(|process| process.pid)
            .collect();
        pids.sort_unstable();
        let mut wanted = vec![leader, group];
        wanted.sort_unstable();
        assert_eq!(pids, wanted);
        assert!(lives(session) && !lives(group));
        world.stop(id, "KILL", 0.0, true);
        assert!(world.stopped(id).empty && !lives(session));
    });
}

/// Its end is told to a parent outside the group, who lives on: only looking again can tell us.
#[test]
fn a_group_member_with_a_parent_outside() {
    isolated_twice(|| {
        let mut world = World::new();
        let python = "import os, time, sys
t = os.environ['T']
middle = os.fork()
if middle == 0:
    group = os.getpgrp()
    member = os.fork()
    if member == 0:
        import signal
        signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), os._exit(0)))
        open(t + '/member', 'w').write(str(os.getpid()))
        while True: time.sleep(1)
    os.setsid()
    while not os.path.exists(t + '/member') or not open(t + '/member').read(): time.sleep(0.01)
    open(t + '/ready', 'w')
    os.waitpid(member, 0)
    time.sleep(100)
time.sleep(100)
";
        if !Path::new("/usr/bin/python3").exists() {
            return;
        }
        let mut spec = world.sh("");
        spec.argv = ["/usr/bin/python3", "-c", python]
            .map(str::to_owned)
            .to_vec();
        let (id, _) = world.spawn(&spec);
        let ready = world.path("ready");
        world.until(|_| ready.exists());
        let member = world.pid_in("member");
        world.stop(id, "TERM", 20_000.0, false);
        let receipt = world.stopped(id);
        assert!(
            receipt.empty && (250.0..10_000.0).contains(&receipt.duration_ms),
            "{receipt:#?}"
        );
        assert!(of(&receipt, member).exit.is_none() && !lives(member));
        world.stop(id, "KILL", 0.0, true);
        assert!(world.stopped(id).empty);
    });
}

#[test]
fn signals_reach_their_scope() {
    isolated_twice(|| {
        let mut world = World::new();
        let count = "trap 'echo x >>$T/$n' USR1; echo $$ >$T/$n.pid; while :; do sleep 0.02; done";
        let (id, _) = world.script(&format!(
            "n=group sh -c \"$0\" & n=session setsid sh -c \"$0\" & n=leader
             while ! [ -s $T/group.pid -a -s $T/session.pid ]; do sleep 0.01; done; : >$T/ready; {count}"
        ).replace("$0", &count.replace('$', "\\$")));
        let counts = |world: &World| {
            ["leader", "group", "session"].map(|name| {
                fs::read_to_string(world.path(name)).map_or(0, |text| text.lines().count())
            })
        };
        world.pid_in("leader.pid");
        for (scope, wanted) in [
            (Scope::Main, [1, 0, 0]),
            (Scope::Group, [2, 1, 0]),
            (Scope::Tree, [3, 2, 1]),
        ] {
            world.children.signal(id, "USR1", scope);
            world.until(|world| counts(world) == wanted);
        }
        world.children.signal(id, "no such signal", Scope::Tree);
        world.children.signal(77, "USR1", Scope::Tree);
        // The sleeps of the shells got USR1 too and died; the shells live.
        world.stop(id, "KILL", 0.0, true);
        assert!(world.stopped(id).empty);
    });
}

/// None waits for another: all are asked before the first may end.
#[test]
fn many_stops_at_once() {
    isolated_twice(|| {
        let mut world = World::new();
        let spec = world.sh(
            "trap ': >$T/$$.asked; while ! [ -e $T/go ]; do sleep 0.1; done; exit 0' TERM
             : >$T/$$.ready; sleep 100 & wait; wait",
        );
        let made: Vec<(u32, u32)> = (0..100).map(|_| world.spawn(&spec)).collect();
        let all = |world: &mut World, what: &str| {
            let paths = made
                .iter()
                .map(|(_, pid)| world.path(&format!("{pid}.{what}")));
            let paths: Vec<PathBuf> = paths.collect();
            world.until(|_| paths.iter().all(|path| path.exists()));
        };
        all(&mut world, "ready");
        for (id, _) in &made {
            world.stop(*id, "TERM", 90_000.0, true);
        }
        all(&mut world, "asked");
        fs::write(world.path("go"), "").expect("our folder");
        for (id, _) in &made {
            let receipt = world.stopped(*id);
            assert!(
                receipt.empty && receipt.processes.iter().all(|process| !process.killed),
                "{receipt:?}"
            );
        }
    });
}

/// A child can make itself a sibling, which is our child then, and no orphan.
fn sibling(world: &mut World, when: &str) -> (u32, u32) {
    let python = "import ctypes, os, signal, sys, time
t = os.environ['T']
def split(*_):
    if ctypes.CDLL(None).syscall(56, 0x8000 | 17, 0, 0, 0, 0) == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with open(t + '/written', 'w') as file: file.write(str(os.getpid()))
        os.rename(t + '/written', t + '/sibling')
        time.sleep(100)
    while not os.path.exists(t + '/sibling'): time.sleep(0.01)
    os._exit(2)
signal.signal(signal.SIGTERM, split)
open(t + '/ready', 'w')
if sys.argv[1] == 'now': split()
time.sleep(100)
";
    let mut spec = world.sh("");
    spec.argv = ["/usr/bin/python3", "-c", python, when]
        .map(str::to_owned)
        .to_vec();
    let (id, pid) = world.spawn(&spec);
    let ready = world.path("ready");
    world.until(|_| ready.exists());
    (id, pid)
}

fn can_make_siblings() -> bool {
    Path::new("/usr/bin/python3").exists() && cfg!(target_arch = "x86_64")
}

fn siblings() {
    if !can_make_siblings() {
        return;
    }
    let mut world = World::new();
    let (id, _) = sibling(&mut world, "now");
    let pid = world.pid_in("sibling");
    assert_eq!(world.exited(id), (code(2), 1));
    world.stop(id, "TERM", 20_000.0, true);
    let receipt = world.stopped(id);
    assert!(receipt.empty && receipt.duration_ms < 10_000.0);
    assert_eq!(of(&receipt, pid).exit, Some(killed_by("TERM")));
}

fn siblings_during_the_stop() {
    if !can_make_siblings() {
        return;
    }
    let mut world = World::new();
    let (id, leader) = sibling(&mut world, "at TERM");
    world.stop(id, "TERM", 20_000.0, true);
    let receipt = world.stopped(id);
    let pid = world.pid_in("sibling");
    assert!(
        receipt.empty && receipt.duration_ms < 10_000.0,
        "{receipt:#?}"
    );
    assert_eq!(of(&receipt, leader).exit, Some(code(2)));
    assert!(!lives(pid) && of(&receipt, pid).exit == Some(killed_by("TERM")));
}

#[test]
fn siblings_of_the_leader_belong_to_it() {
    isolated_twice(siblings);
}

#[test]
fn siblings_of_the_leader_belong_to_it_beside() {
    isolated_beside(siblings);
}

#[test]
fn siblings_made_during_the_stop_belong_to_it() {
    isolated_beside(siblings_during_the_stop);
}

#[test]
fn siblings_made_during_the_stop_belong_to_it_without_cgroups() {
    isolated_beside(|| {
        env::set_var(NO_CGROUPS, "1");
        siblings_during_the_stop();
    });
}
