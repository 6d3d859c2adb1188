//! Orphans in numbers, and machines that lack something.

use super::*;

#[test]
fn orphans_are_reaped() {
    isolated(|| {
        let mut world = World::new();
        let python = "import os, sys
for _ in range(10):
    if os.fork() == 0:
        for _ in range(1000):
            if os.fork() == 0: os._exit(0)
        os._exit(0)
os._exit(6)
";
        if !Path::new("/usr/bin/python3").exists() {
            return;
        }
        let (id, _) = world.spawn(&spec(&["/usr/bin/python3", "-c", python]));
        world.event(|event| matches!(event, Event::Exited { id: other, exit: Exit::Code(6), .. } if *other == id));
        let mut reaping = Duration::ZERO;
        world.until(|world| {
            let before = Instant::now();
            world.turn();
            reaping += before.elapsed();
            super::super::procfs::own_children().is_some_and(|children| children.is_empty())
        });
        say(&format!("10,000 orphans: {reaping:?} in the loop\n"));
    });
}

/// /proc of another pid namespace is as good as none.
#[test]
fn without_proc_groups_are_enough() {
    if !is_root() {
        return;
    }
    isolated_under(&["unshare", "--pid", "--fork"], || {
        assert!(!super::super::procfs::is_ours());
        let mut world = World::new();
        let (id, leader) = world.script("sleep 100 & sleep 100 & touch $T/ready; wait");
        assert_eq!(world.children.processes(id)[0]["pid"], leader);
        world.stop(id, "TERM", 20_000.0, true);
        let receipt = world.stopped(id);
        assert_eq!(world.exit(id), killed_by("TERM"));
        assert!(receipt.empty && receipt.duration_ms < 10_000.0, "{receipt:#?}");
        let process = of(&receipt, leader);
        assert!(process.command.starts_with("/bin/sh -c sleep 100 &"), "{process:?}");
        assert_eq!(process.signals, ["TERM", "CONT"]);

        // A group that outlives its leader, and one that ignores TERM.
        let (id, leader) = world.script("trap '' TERM; (while :; do sleep 0.05; done) & touch $T/ready; exit 3");
        let (exit, leftovers) = world.exited(id);
        assert!(exit == code(3) && leftovers > 0);
        world.stop(id, "TERM", 200.0, true);
        let receipt = world.stopped(id);
        assert!(receipt.empty && receipt.duration_ms >= 200.0, "{receipt:#?}");
        assert!(!super::super::signals::send_group(leader as i32, 0));

        // The daemon that left its group ends unseen, but is reaped.
        let (id, _) = world.script("(setsid sleep 0.2 &) ; touch $T/ready; exit 0");
        assert_eq!(world.exited(id).0, code(0));
        world.children.forget(id);
        let wait = nix::sys::wait::WaitPidFlag::WNOHANG | nix::sys::wait::WaitPidFlag::WNOWAIT | nix::sys::wait::WaitPidFlag::WEXITED;
        world.until(|_| nix::sys::wait::waitid(nix::sys::wait::Id::All, wait) == Err(nix::errno::Errno::ECHILD));
        let now = world.now();
        let events = world.children.stop_rest(900, "TERM", 100.0, now);
        assert!(matches!(&events[..], [Event::Stopped { receipt, .. }] if receipt.empty));
    });
}

/// Processes of another user are hidden from us: their group still gets everything.
#[test]
fn hidden_processes_are_reached_by_their_group() {
    if !is_root() {
        return;
    }
    let script = "mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid=33 --regid=33 --clear-groups \
        --inh-caps=+kill,+setuid,+setgid --ambient-caps=+kill,+setuid,+setgid \"$@\"";
    isolated_under(&["unshare", "--pid", "--fork", "--mount", "sh", "-c", script, "sh"], || {
        let mut world = World::new();
        let mut spec = world.sh("sleep 100 & setsid sleep 100 & touch $T/ready; wait; wait");
        spec.user = Some("nobody".to_owned());
        let (id, pid) = world.spawn(&spec);
        let ready = world.path("ready");
        world.until(|_| ready.exists());
        assert!(super::super::procfs::is_ours() && !super::super::procfs::shows(pid as i32));
        world.stop(id, "TERM", 300.0, true);
        let receipt = world.stopped(id);
        assert_eq!(world.exit(id), killed_by("TERM"));
        assert!(receipt.empty, "{receipt:#?}");
        assert!(of(&receipt, pid).command.starts_with("/bin/sh -c sleep 100"));
        assert!(super::super::procfs::own_children().is_some_and(|children| children.is_empty()));
    });
}

/// How long the nucleus itself takes from a killed leader to its successor.
#[test]
#[ignore = "a measurement"]
fn restart_among_a_thousand() {
    isolated(|| {
        let mut world = World::new();
        let start = Instant::now();
        for _ in 0..1000 {
            world.spawn(&spec(&["/bin/sleep", "1000"]));
        }
        say(&format!("1000 spawns: {:?}\n", start.elapsed()));
        let mut times = Vec::new();
        for id in 500..520 {
            let start = Instant::now();
            world.children.signal(id, "KILL", Scope::Main);
            assert_eq!(world.exited(id), (killed_by("KILL"), 0));
            let reaped = start.elapsed();
            world.spawn(&spec(&["/bin/sleep", "1000"]));
            times.push((start.elapsed(), reaped));
            world.children.forget(id);
        }
        times.sort();
        say(&format!("kill to successor: {:?}\n", times[times.len() / 2]));
        let start = Instant::now();
        let ids: Vec<u32> = world.children.records().iter().map(|record| record.id).collect();
        ids.iter().for_each(|id| world.stop(*id, "TERM", 10_000.0, true));
        say(&format!("1000 stops begun: {:?}\n", start.elapsed()));
        ids.iter().for_each(|id| assert!(world.stopped(*id).empty));
        say(&format!("1000 stops done: {:?}\n", start.elapsed()));
    });
}
