//! What a child is born with, and what is said when it cannot be born.

use super::*;

#[test]
fn exit_codes_and_signals() {
    isolated(|| {
        let mut world = World::new();
        for wanted in [0, 1, 7, 127, 255] {
            let (id, _) = world.spawn(&spec(&["/bin/sh", "-c", &format!("exit {wanted}")]));
            assert_eq!(world.exited(id), (code(wanted), 0));
        }
        for signal in ["TERM", "KILL", "SEGV", "USR1", "RTMIN+3"] {
            let number = super::super::signals::number(signal).expect("a name");
            let (id, _) = world.spawn(&spec(&["/bin/sh", "-c", &format!("kill -{number} $$")]));
            assert_eq!(world.exit(id), killed_by(signal));
        }
    });
}

#[test]
fn two_ends_in_one_signal() {
    isolated(|| {
        let mut world = World::new();
        let made: Vec<(u32, u32)> = (0..20)
            .map(|_| world.spawn(&spec(&["/bin/true"])))
            .collect();
        // All signals are one by then.
        await_that("their ends", || made.iter().all(|(_, pid)| !lives(*pid)));
        made.into_iter()
            .for_each(|(id, _)| assert_eq!(world.exit(id), code(0)));
    });
}

#[test]
fn the_program_is_found_as_a_shell_would() {
    isolated(|| {
        let mut world = World::new();
        let folder = world.path("bin");
        fs::create_dir(&folder).expect("a folder");
        program(
            &folder.join("hello"),
            "#!/bin/sh\necho hello \"$0\" \"$@\"\n",
            0o755,
        );
        program(
            &world.path("hello"),
            "not executable, and first in PATH",
            0o644,
        );
        let mut with_path = spec(&["hello", "a b"]);
        let path = format!(
            "/nonexistent:{}:{}",
            world.folder.display(),
            folder.display()
        );
        with_path.environment.insert("PATH".to_owned(), path);
        let shown = folder.join("hello").display().to_string();
        assert_eq!(
            world.output(&with_path),
            (format!("hello {shown} a b\n"), code(0))
        );

        let mut relative = spec(&["./hello"]);
        relative.directory = Some(folder.display().to_string());
        assert_eq!(world.output(&relative).0, "hello ./hello\n");

        let mut empty_element = spec(&["hello"]);
        empty_element.directory = Some(folder.display().to_string());
        empty_element
            .environment
            .insert("PATH".to_owned(), "/nonexistent:".to_owned());
        assert_eq!(world.output(&empty_element).0, "hello ./hello\n");

        let mut clean = spec(&["env"]);
        clean.clean_environment = true;
        clean.environment.insert("A".to_owned(), "1".to_owned());
        let text = world.output(&clean).0;
        let mut names: Vec<&str> = text
            .lines()
            .map(|line| line.split('=').next().unwrap_or(""))
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["A", "ONEUP_ID", "ONEUP_SERVICE"]);
    });
}

fn program(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).expect("our folder");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our file");
}

fn fails(world: &mut World, spec: &SpawnSpec, step: &str, error: &str, part: &str) {
    let failure = world
        .try_spawn(spec, Stdio::Null)
        .expect_err("this cannot start");
    assert_eq!(
        (failure.step.as_str(), failure.error.as_str()),
        (step, error),
        "{failure:?}"
    );
    assert!(failure.message.contains(part), "{failure:?}");
    assert!(!failure.transient, "{failure:?}");
}

#[test]
fn exec_failures_say_what_to_do() {
    isolated(|| {
        let mut world = World::new();
        let file = |world: &World, name: &str, text: &str, mode: u32| {
            let path = world.path(name);
            program(&path, text, mode);
            path.display().to_string()
        };
        let plain = file(&world, "plain", "#!/bin/sh\n", 0o644);
        let shell = file(&world, "shell", "echo no first line\n", 0o755);
        let orphan = file(&world, "orphan", "#!/nonexistent/interpreter -x\n", 0o755);
        let dos = file(&world, "dos", "#!/bin/sh\r\necho\r\n", 0o755);
        let folder = world.folder.display().to_string();
        let w = &mut world;
        fails(
            w,
            &spec(&["no-such-program"]),
            "exec",
            "ENOENT",
            "\"no-such-program\" not found in PATH (",
        );
        fails(
            w,
            &spec(&["/no/such/program"]),
            "exec",
            "ENOENT",
            "no such program: \"/no/such/program\"",
        );
        fails(
            w,
            &spec(&[&plain]),
            "exec",
            "EACCES",
            "is not executable: chmod +x",
        );
        fails(w, &spec(&[&folder]), "exec", "EACCES", "is a folder");
        fails(w, &spec(&[&shell]), "exec", "ENOEXEC", "#!/bin/sh");
        fails(
            w,
            &spec(&[&orphan]),
            "exec",
            "ENOENT",
            "the interpreter \"/nonexistent/interpreter\" of",
        );
        fails(w, &spec(&[&dos]), "exec", "ENOENT", "carriage return");
        fails(w, &spec(&[]), "exec", "ENOENT", "no command");
        fails(
            w,
            &spec(&["/bin/echo", &"x".repeat(1 << 20)]),
            "exec",
            "E2BIG",
            "too long",
        );
        fails(
            w,
            &spec(&["/bin/echo", "a\0b"]),
            "exec",
            "EINVAL",
            "null byte",
        );
        // None of them is anybody's child.
        assert!(w.children.records().is_empty());
        assert!(children_of_ours().is_empty());
        w.turn();
        assert!(w.events.is_empty());
    });
}

fn children_of_ours() -> Vec<i32> {
    super::super::procfs::own_children(super::super::procfs::Which::All)
        .expect("/proc of this machine")
}

#[test]
fn other_failures_name_their_step() {
    isolated(|| {
        let mut world = World::new();
        let w = &mut world;
        let with = |change: fn(&mut SpawnSpec)| {
            let mut spec = spec(&["/bin/true"]);
            change(&mut spec);
            spec
        };
        let limit = |soft, hard| Limit {
            soft: Some(soft),
            hard: Some(hard),
        };
        fails(
            w,
            &with(|s| s.user = Some("no-such-user".into())),
            "user",
            "",
            "user \"no-such-user\" not found in /etc/passwd",
        );
        fails(
            w,
            &with(|s| s.group = Some("no-such-group".into())),
            "group",
            "",
            "not found in /etc/group",
        );
        fails(
            w,
            &with(|s| s.groups = Some(vec!["nope".into()])),
            "groups",
            "",
            "group \"nope\" not found",
        );
        fails(
            w,
            &with(|s| s.directory = Some("/no/such".into())),
            "directory",
            "ENOENT",
            "cannot enter the folder \"/no/such\"",
        );
        fails(
            w,
            &with(|s| s.oom_score_adjust = Some(5000)),
            "oom-score",
            "EINVAL",
            "-1000 to 1000",
        );
        let mut bad = spec(&["/bin/true"]);
        bad.limits.insert("nofile".to_owned(), limit(10, 5));
        fails(w, &bad, "limits", "EINVAL", "soft limit is above");
        bad.limits = BTreeMap::from([("files".to_owned(), limit(1, 1))]);
        fails(w, &bad, "limits", "EINVAL", "no limit called \"files\"");
        if is_root() {
            fs::create_dir(w.path("closed")).expect("a folder");
            fs::set_permissions(w.path("closed"), fs::Permissions::from_mode(0o700))
                .expect("our folder");
            let mut closed = with(|s| s.user = Some("nobody".into()));
            closed.directory = Some(w.path("closed").display().to_string());
            fails(w, &closed, "directory", "EACCES", "as user \"nobody\"");
            program(&w.path("closed/true"), "#!/bin/sh\n", 0o755);
            closed.argv = vec![w.path("closed/true").display().to_string()];
            closed.directory = None;
            fails(w, &closed, "exec", "EACCES", "not allowed to run");
        }
        let id = w.spawn(&spec(&["/bin/sleep", "100"])).0;
        w.next_id = id;
        fails(w, &spec(&["/bin/true"]), "table", "EEXIST", "already");
    });
}

/// A start is over when the new program has the memory; some of what makes it a new process the
/// kernel does after that, its environment last.
#[track_caller]
fn await_execve(pid: u32) {
    let path = format!("/proc/{pid}/environ");
    await_that("the end of the execve", || {
        fs::read(&path).is_ok_and(|text| !text.is_empty())
    });
}

/// The fields of /proc/PID/status.
fn status(pid: u32) -> BTreeMap<String, String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running child");
    let split = |line: &str| {
        line.split_once(':')
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
    };
    text.lines().filter_map(split).collect()
}

fn open_files(pid: u32) -> Vec<(i32, PathBuf)> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("a running child");
    let read = |entry: fs::DirEntry| {
        let fd = entry.file_name().to_str()?.parse().ok()?;
        Some((fd, fs::read_link(entry.path()).ok()?))
    };
    let mut files: Vec<_> = entries.flatten().filter_map(read).collect();
    files.sort();
    files
}

#[test]
fn a_child_is_born_clean() {
    isolated(|| {
        // What a careless parent leaves behind.
        let stray = fs::File::open("/etc/passwd").expect("a file");
        // SAFETY: nobody owns the number yet, and nobody closes it.
        unsafe { nix::unistd::dup2_raw(&stray, 251) }
            .map(std::mem::forget)
            .expect("a descriptor");
        // SAFETY: SIG_IGN runs no code.
        unsafe {
            for signal in [
                libc::SIGHUP,
                libc::SIGCHLD,
                libc::SIGTSTP,
                libc::SIGRTMIN() + 5,
            ] {
                libc::signal(signal, libc::SIG_IGN);
            }
        }
        env::set_var("LISTEN_FDS", "1");
        env::set_var("NOTIFY_SOCKET", "/elsewhere");
        let before = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)
            .expect("a limit");
        nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, 777, before.1)
            .expect("a lower one");
        let oom_before = fs::read_to_string("/proc/self/oom_score_adj").expect("a score");
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o027));

        let mut world = World::new();
        let (own_soft, _) =
            nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)
                .expect("a limit");
        assert!(own_soft > 777);
        let (_log, write) = pipe();
        let stdio = Stdio::Given {
            input: None,
            out: write.as_fd(),
            err: write.as_fd(),
        };
        let (id, pid) = world
            .try_spawn(&spec(&["/bin/sleep", "100"]), stdio)
            .expect("a good spec");

        await_execve(pid);
        let status = status(pid);
        for field in ["SigBlk", "SigIgn", "SigCgt"] {
            assert_eq!(status[field], "0000000000000000", "{field}");
        }
        assert_eq!(status["Umask"], "0027");
        // Its program opens files of its own while it starts, and closes them again.
        crate::testing::await_that("three files, and no other", || {
            let files = open_files(pid);
            files.iter().map(|(fd, _)| *fd).eq([0, 1, 2])
        });
        let files = open_files(pid);
        assert_eq!(files[0].1, Path::new("/dev/null"));
        assert!(files[1].1 == files[2].1 && files[1].1.display().to_string().starts_with("pipe:"));
        let process = super::super::procfs::process(pid as i32).expect("a running child");
        assert_eq!((process.session, process.group), (pid as i32, pid as i32));
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("a running child");
        let nofile = limits
            .lines()
            .find(|line| line.starts_with("Max open files"))
            .expect("a limit");
        assert_eq!(nofile.split_whitespace().nth(3), Some("777"), "{nofile}");
        let oom =
            fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).expect("a running child");
        assert_eq!(oom, oom_before);
        let environment = fs::read(format!("/proc/{pid}/environ")).expect("a running child");
        let environment = String::from_utf8_lossy(&environment);
        let names = ["LISTEN_FDS=", "NOTIFY_SOCKET="];
        assert!(!environment
            .split('\0')
            .any(|entry| names.iter().any(|name| entry.starts_with(name))));
        let marker = format!("ONEUP_ID={}-", getpid());
        assert!(
            environment.starts_with(&marker) && environment.contains("ONEUP_SERVICE=test\0"),
            "{environment}"
        );
        world.children.signal(id, "KILL", Scope::Main);
        assert_eq!(world.exit(id), killed_by("KILL"));
    });
}

#[test]
fn what_is_configured_is_set() {
    isolated(|| {
        if !is_root() {
            return;
        }
        let mut world = World::new();
        let limit = |soft, hard| Limit { soft, hard };
        let mut spec = world.sh("sleep 100");
        spec.user = Some("nobody".to_owned());
        spec.group = Some("daemon".to_owned());
        spec.groups = Some(vec!["audio".to_owned(), "4321".to_owned()]);
        spec.umask = Some(0o077);
        spec.nice = Some(5);
        // Raising is allowed everywhere.
        spec.oom_score_adjust = Some(170);
        spec.limits = BTreeMap::from([
            ("nofile".to_owned(), limit(Some(30), Some(4000))),
            ("core".to_owned(), limit(Some(0), None)),
        ]);
        spec.no_new_privileges = true;
        spec.directory = Some("/usr".to_owned());
        spec.argv = vec!["/bin/sleep".to_owned(), "100".to_owned()];
        // More descriptors than the child may have: what it opens itself comes before its limit.
        let many: Vec<_> = (0..50).map(|_| pipe()).collect();
        let (_, pid) = world.spawn(&spec);
        drop(many);
        await_execve(pid);
        let status = status(pid);
        let nobody = "65534\t65534\t65534\t65534";
        assert_eq!(status["Uid"], nobody);
        assert_eq!(status["Gid"], "1\t1\t1\t1");
        assert_eq!(status["Groups"], "29 4321");
        assert_eq!(
            (status["Umask"].as_str(), status["NoNewPrivs"].as_str()),
            ("0077", "1")
        );
        let oom =
            fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).expect("a running child");
        assert_eq!(oom.trim(), "170");
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running child");
        assert_eq!(
            stat.rsplit(')')
                .next()
                .and_then(|rest| rest.split_whitespace().nth(16)),
            Some("5")
        );
        assert_eq!(
            fs::read_link(format!("/proc/{pid}/cwd")).expect("ours"),
            Path::new("/usr")
        );
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("a running child");
        let field = |name: &str| {
            let line = limits
                .lines()
                .find(|line| line.starts_with(name))
                .expect("a limit");
            line[26..]
                .split_whitespace()
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(field("Max open files"), "30 4000");
        assert_eq!(field("Max core file size"), "0 unlimited");
        // Changing the user of a child that shared our memory has not closed it to debuggers.
        // SAFETY: no pointers.
        assert_eq!(unsafe { libc::prctl(libc::PR_GET_DUMPABLE) }, 1);
    });
}

#[test]
fn home_and_groups_follow_the_user() {
    isolated(|| {
        if !is_root() {
            return;
        }
        let mut world = World::new();
        let mut spec = world.sh("echo \"$HOME $USER $LOGNAME $SHELL\"; id -G");
        spec.user = Some("www-data".to_owned());
        let expected = Command::new("id").args(["-G", "www-data"]).output();
        // The reaper of this process may not take that exit: it was waited for before any loop ran.
        let expected = String::from_utf8(expected.expect("id").stdout).expect("numbers");
        let (text, _) = world.output(&spec);
        assert_eq!(
            text,
            format!("/var/www www-data www-data /usr/sbin/nologin\n{expected}")
        );
        spec.environment
            .insert("HOME".to_owned(), "/elsewhere".to_owned());
        assert!(world.output(&spec).0.starts_with("/elsewhere www-data"));
        spec.user = Some("33".to_owned());
        assert!(world.output(&spec).0.starts_with("/elsewhere www-data"));
    });
}

/// A plain user who names himself has nothing to change; anybody else is refused by name.
#[test]
fn a_plain_user_stays_himself() {
    isolated(|| {
        if !is_root() {
            return;
        }
        nix::unistd::setgroups(&[nix::unistd::Gid::from_raw(4321)]).expect("root may");
        nix::unistd::setresgid(33.into(), 33.into(), 33.into()).expect("root may");
        nix::unistd::setresuid(33.into(), 33.into(), 33.into()).expect("root may");
        let mut world = World::new();
        let mut spec = world.sh("id -u; id -G");
        spec.user = Some("www-data".to_owned());
        assert_eq!(world.output(&spec).0, "33\n33 4321\n");
        spec.group = Some("www-data".to_owned());
        spec.no_new_privileges = true;
        assert_eq!(world.output(&spec).0, "33\n33 4321\n");
        spec.group = None;
        spec.user = Some("nobody".to_owned());
        fails(&mut world, &spec, "groups", "EPERM", "only root may");
        spec.user = None;
        spec.nice = Some(-5);
        fails(&mut world, &spec, "nice", "EACCES", "SYS_NICE");
    });
}

#[test]
fn standard_descriptors_are_repaired() {
    isolated(|| {
        // SAFETY: nothing in this process uses them from here on but the code under test.
        unsafe { (0..3).for_each(|fd| _ = libc::close(fd)) };
        let world = World::new();
        let files = open_files(getpid().as_raw() as u32);
        let null = |fd: i32| {
            files
                .iter()
                .any(|(other, path)| *other == fd && path == Path::new("/dev/null"))
        };
        assert!(null(0) && null(1) && null(2), "{files:?}");
        drop(world);
    });
}

#[test]
fn a_shortage_is_transient() {
    isolated(|| {
        if !is_root() {
            return;
        }
        let mut world = World::new();
        let mut spec = spec(&["/bin/sleep", "100"]);
        spec.user = Some("54399".to_owned());
        spec.group = Some("54399".to_owned());
        spec.limits.insert(
            "nproc".to_owned(),
            Limit {
                soft: Some(0),
                hard: Some(0),
            },
        );
        // The first one is not counted yet when the kernel looks, the second is one too many.
        world.spawn(&spec);
        let failure = world
            .try_spawn(&spec, Stdio::Null)
            .expect_err("there is one already");
        assert_eq!(
            (
                failure.step.as_str(),
                failure.error.as_str(),
                failure.transient
            ),
            ("exec", "EAGAIN", true)
        );
    });
}
