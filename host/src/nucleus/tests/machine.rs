//! Orphans in numbers, and machines that lack something.

use super::*;

/// Many orphans that end at once, while some services run.
fn orphans(thousands: usize) {
    let mut world = World::new();
    let services: usize = env::var("ONEUP_TEST_SERVICES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20);
    for _ in 0..services {
        world.spawn(&spec(&["/bin/sleep", "1000"]));
    }
    // Whoever starts one ends at once.
    let script = "n=0; while [ $n -lt $1 ]; do n=$((n+1))
        (i=0; while [ $i -lt 1000 ]; do i=$((i+1)); (: &) done) &
        done; exit 6";
    let (id, _) = world.spawn(&spec(&[
        "/bin/sh",
        "-c",
        script,
        "sh",
        &thousands.to_string(),
    ]));
    let start = cpu_ms();
    world.event(|event| matches!(event, Event::Exited { id: other, exit: Exit::Code(6), .. } if *other == id));
    world.until(|_| thread_is_alone(services));
    say(&format!(
        "{thousands},000 orphans beside {services} services: {:.1} ms\n",
        cpu_ms() - start
    ));
}

/// Nobody but the services is our child.
fn thread_is_alone(services: usize) -> bool {
    let which = super::super::procfs::Which::All;
    super::super::procfs::own_children(which).is_some_and(|all| all.len() == services)
}

/// The same who live on for a while.
#[test]
#[ignore = "a measurement"]
fn living_orphans_are_counted() {
    isolated_beside(|| {
        let mut world = World::new();
        let python = "import os, sys
for _ in range(5000):
    if os.fork() == 0:
        import time
        time.sleep(100)
open(os.environ['T'] + '/ready', 'w')
import time
time.sleep(1)
os._exit(6)
";
        let mut spec = world.sh("");
        spec.argv = ["/usr/bin/python3", "-c", python]
            .map(str::to_owned)
            .to_vec();
        let (id, _) = world.spawn(&spec);
        let ready = world.path("ready");
        world.until(|_| ready.exists());
        let start = cpu_ms();
        let (exit, leftovers) = world.exited(id);
        say(&format!(
            "{leftovers} leftovers: {:.1} ms\n",
            cpu_ms() - start
        ));
        assert_eq!(exit, code(6));
        world.stop(id, "TERM", 20_000.0, true);
        say(&format!("stop begun: {:.1} ms\n", cpu_ms() - start));
        assert!(world.stopped(id).empty);
        say(&format!("stop done: {:.1} ms\n", cpu_ms() - start));
    });
}

#[test]
fn orphans_are_reaped() {
    isolated(|| orphans(1));
}

#[test]
fn orphans_are_reaped_beside() {
    isolated_beside(|| orphans(10));
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
        let (id, leader) = world.script("sleep 100 & sleep 100 & : >$T/ready; wait");
        assert_eq!(world.children.processes(id)[0]["pid"], leader);
        let facts = &world.children.facts(&[id])[0][0];
        assert_eq!((facts.pid, facts.memory_bytes), (leader, 0));
        assert!(facts.command.starts_with("/bin/sh -c sleep"), "{facts:?}");
        world.stop(id, "TERM", 20_000.0, true);
        let receipt = world.stopped(id);
        assert_eq!(world.exit(id), killed_by("TERM"));
        assert!(
            receipt.empty && receipt.duration_ms < 10_000.0,
            "{receipt:#?}"
        );
        let process = of(&receipt, leader);
        assert!(
            process.command.starts_with("/bin/sh -c sleep 100 &"),
            "{process:?}"
        );
        assert_eq!(process.signals, ["TERM", "CONT"]);

        // A group that outlives its leader, and one that ignores TERM.
        let (id, leader) =
            world.script("trap '' TERM; (while :; do sleep 0.05; done) & : >$T/ready; exit 3");
        let (exit, leftovers) = world.exited(id);
        assert!(exit == code(3) && leftovers > 0);
        world.stop(id, "TERM", 200.0, true);
        let receipt = world.stopped(id);
        assert!(
            receipt.empty && receipt.duration_ms >= 200.0,
            "{receipt:#?}"
        );
        assert!(!super::super::signals::send_group(leader as i32, 0));

        // The daemon that left its group ends unseen, but is reaped.
        let (id, _) = world.script("(setsid sleep 0.2 &) ; : >$T/ready; exit 0");
        assert_eq!(world.exited(id).0, code(0));
        world.children.forget(id);
        let wait = nix::sys::wait::WaitPidFlag::WNOHANG
            | nix::sys::wait::WaitPidFlag::WNOWAIT
            | nix::sys::wait::WaitPidFlag::WEXITED;
        world.until(|_| {
            nix::sys::wait::waitid(nix::sys::wait::Id::All, wait) == Err(nix::errno::Errno::ECHILD)
        });
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
    isolated_under(
        &[
            "unshare", "--pid", "--fork", "--mount", "sh", "-c", script, "sh",
        ],
        || {
            let mut world = World::new();
            let mut spec = world.sh("sleep 100 & setsid sleep 100 & : >$T/ready; wait; wait");
            spec.user = Some("nobody".to_owned());
            let (id, pid) = world.spawn(&spec);
            let ready = world.path("ready");
            world.until(|_| ready.exists());
            assert!(
                super::super::procfs::is_ours()
                    && super::super::procfs::process(pid as i32).is_none()
            );
            world.stop(id, "TERM", 300.0, true);
            let receipt = world.stopped(id);
            assert_eq!(world.exit(id), killed_by("TERM"));
            assert!(receipt.empty, "{receipt:#?}");
            assert!(of(&receipt, pid)
                .command
                .starts_with("/bin/sh -c sleep 100"));
            assert!(
                super::super::procfs::own_children(super::super::procfs::Which::All)
                    .is_some_and(|children| children.is_empty())
            );
        },
    );
}

/// What the nucleus itself needs from a killed leader to its successor, and for a thousand stops.
/// CPU time, as other programs of the machine do not count.
#[test]
#[ignore = "a measurement"]
fn restart_among_a_thousand() {
    isolated_beside(|| {
        let mut world = World::new();
        let start = cpu_ms();
        for _ in 0..1000 {
            world.spawn(&spec(&["/bin/sleep", "1000"]));
        }
        say(&format!("1000 spawns: {:.2} ms\n", cpu_ms() - start));
        for _ in 0..4 {
            thread::sleep(Duration::from_millis(50));
            let start = cpu_ms();
            super::super::procfs::own_children(super::super::procfs::Which::All);
            let all = cpu_ms();
            super::super::procfs::own_children(super::super::procfs::Which::Adopted);
            say(&format!(
                "list of all children: {:.3} ms, of the adopted: {:.3} ms\n",
                all - start,
                cpu_ms() - all
            ));
        }
        let mut times = Vec::new();
        for id in 500..520 {
            world.children.signal(id, "KILL", Scope::Main);
            thread::sleep(Duration::from_millis(20)); // Until it has surely ended.
            let start = cpu_ms();
            assert_eq!(world.exited(id), (killed_by("KILL"), 0));
            let reaped = cpu_ms();
            world.spawn(&spec(&["/bin/sleep", "1000"]));
            let spawned = cpu_ms();
            world.children.forget(id);
            times.push(((cpu_ms() - start), reaped - start, spawned - reaped));
        }
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
        say(&format!(
            "exit to successor, of that reaping, spawning: {:.3?} ms\n",
            times[times.len() / 2]
        ));
        let start = cpu_ms();
        let ids: Vec<u32> = world
            .children
            .records()
            .iter()
            .map(|record| record.id)
            .collect();
        ids.iter()
            .for_each(|id| world.stop(*id, "TERM", 10_000.0, true));
        say(&format!("1000 stops begun: {:.2} ms\n", cpu_ms() - start));
        ids.iter().for_each(|id| assert!(world.stopped(*id).empty));
        say(&format!("1000 stops done: {:.2} ms\n", cpu_ms() - start));
    });
}

pub fn cpu_ms() -> f64 {
    let time =
        nix::time::clock_gettime(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("a clock");
    time.tv_sec() as f64 * 1000.0 + time.tv_nsec() as f64 / 1e6
}
