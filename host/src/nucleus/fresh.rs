//! Files that a run before has left, and that a start must not find (`fresh` of a probe).

use super::spawn;
use crate::protocol::{SpawnFailure, SpawnSpec};
use nix::{errno::Errno, unistd::unlink};

/// As the supervisor, before anything of the child is set up. What is a folder is not removed.
pub fn remove(spec: &SpawnSpec) -> Result<(), SpawnFailure> {
    for path in &spec.remove {
        match unlink(path.as_str()) {
            Ok(()) | Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(errno) => {
                let message = format!("cannot remove {path}: {}", errno.desc());
                return Err(spawn::failure("fresh", errno, message));
            }
        }
    }
    Ok(())
}
