//! Where a child's first three descriptors lead.

use super::super::{fresh, output};
use super::*;
use crate::protocol::{Input, Output, OwnStream};
use std::os::fd::AsRawFd;

#[test]
fn what_a_run_before_has_left_is_removed() {
    isolated(|| {
        let world = World::new();
        let mut spec = world.sh("true");
        let place = |name: &str| world.folder.join(name).display().to_string();
        spec.remove = vec![place("ready"), place("no/such"), place("link")];
        fs::write(place("ready"), "old").unwrap();
        fs::write(place("kept"), "old").unwrap();
        std::os::unix::fs::symlink(place("kept"), place("link")).unwrap();
        fresh::remove(&spec).unwrap();
        assert!(!Path::new(&place("ready")).exists());
        assert!(fs::symlink_metadata(place("link")).is_err());
        // A file in the place of one of its folders: it is not there either.
        spec.remove = vec![place("kept/ready")];
        fresh::remove(&spec).unwrap();
        assert!(Path::new(&place("kept")).exists());
        spec.remove = vec![place("")];
        let failure = fresh::remove(&spec).unwrap_err();
        assert_eq!((&*failure.step, &*failure.error), ("fresh", "EISDIR"));
        assert!(failure.message.contains(&place("")), "{}", failure.message);
    });
}

#[test]
fn output_goes_where_it_is_sent() {
    isolated(|| {
        let mut world = World::new();
        let folder = world.folder.clone();
        let place = |name: &str| folder.join(name).display().to_string();
        let file = |name: &str| Output::File {
            path: place(name),
            mode: 0o640,
        };
        let mut spec = world.sh("echo out; echo err >&2");
        let mut run = |spec: &SpawnSpec| {
            let opened = output::open(spec)?;
            let (read, write) = pipe();
            let stdio = opened.stdio(|| Ok((write.as_fd(), write.as_fd())))?;
            let (id, _) = world.try_spawn(spec, stdio)?;
            world.exit(id);
            drop((opened, write));
            let mut text = String::new();
            fs::File::from(read)
                .read_to_string(&mut text)
                .expect("text");
            Ok::<String, SpawnFailure>(text)
        };
        assert_eq!(run(&spec).unwrap(), "out\nerr\n");
        spec.stdout = file("a");
        assert_eq!(run(&spec).unwrap(), "err\n");
        // It is appended to.
        spec.stderr = Output::Same;
        assert_eq!(run(&spec).unwrap(), "");
        assert_eq!(fs::read_to_string(place("a")).unwrap(), "out\nout\nerr\n");
        let mode = fs::metadata(place("a")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777 & !0o640, 0, "{mode:o}");
        spec.stdout = Output::Log;
        spec.stderr = file("b");
        assert_eq!(run(&spec).unwrap(), "out\n");
        assert_eq!(fs::read_to_string(place("b")).unwrap(), "err\n");
        // Nobody waits for the reader of a FIFO, or for a folder.
        nix::unistd::mkfifo(Path::new(&place("fifo")), nix::sys::stat::Mode::S_IRWXU).unwrap();
        for (name, error) in [("fifo", "ENXIO"), ("missing/x", "ENOENT")] {
            spec.stderr = file(name);
            let failure = run(&spec).unwrap_err();
            assert_eq!((&*failure.step, &*failure.error), ("stderr", error));
            assert!(
                failure.message.contains(&place(name)),
                "{}",
                failure.message
            );
        }
    });
}

#[test]
fn its_own_output_and_input_can_be_passed_on_in_any_order() {
    isolated(|| {
        let (input, feed) = pipe();
        nix::unistd::write(&feed, b"given\n").expect("room");
        drop(feed);
        let (own_out, out) = pipe();
        let (own_err, err) = pipe();
        for (fd, target) in [(&input, 0), (&out, 1), (&err, 2)] {
            // SAFETY: this process is the test's own.
            unsafe { libc::dup2(fd.as_raw_fd(), target) };
        }
        drop((out, err));
        let mut world = World::new();
        let mut spec = world.sh("cat; echo err >&2");
        spec.stdin = Input::Inherit;
        spec.stdout = Output::Own {
            stream: OwnStream::Stderr,
        };
        spec.stderr = Output::Own {
            stream: OwnStream::Stdout,
        };
        let opened = output::open(&spec).expect("copies");
        let stdio = opened
            .stdio(|| panic!("no pipe is needed"))
            .expect("all is there");
        let (id, _) = world.try_spawn(&spec, stdio).expect("a good spec");
        world.exit(id);
        let mut bytes = [0; 100];
        let count = nix::unistd::read(&own_err, &mut bytes).expect("what it wrote");
        assert_eq!(&bytes[..count], b"given\n");
        let count = nix::unistd::read(&own_out, &mut bytes).expect("what it wrote");
        assert_eq!(&bytes[..count], b"err\n");
    });
}
