//! How starved the machine, or a set's cgroup, is: the kernel's pressure stall information.
//! Nothing is read but when somebody asks.

use std::{fs, path::Path};

const RESOURCES: [&str; 3] = ["cpu", "memory", "io"];

/// The highest share of the last ten seconds that something had to wait for a processor, memory or
/// a disk, in percent. `None`: this kernel does not tell.
pub fn highest(cgroup: Option<&Path>) -> Option<f64> {
    let machine = RESOURCES.map(|name| Path::new("/proc/pressure").join(name));
    let cgroup = cgroup.map(|folder| RESOURCES.map(|name| folder.join(format!("{name}.pressure"))));
    let files = machine.into_iter().chain(cgroup.into_iter().flatten());
    let shares = files.filter_map(|file| share(&fs::read_to_string(file).ok()?));
    shares.max_by(f64::total_cmp)
}

fn share(text: &str) -> Option<f64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let share = some
        .split(' ')
        .find_map(|word| word.strip_prefix("avg10="))?;
    share.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_counts() {
        let folder = std::env::temp_dir().join(format!("oneup-pressure-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let line = |share: &str| {
            format!("some avg10={share} avg60=99.00 avg300=0.00 total=7\nfull avg10=100.00 avg60=0.00 avg300=0.00 total=0\n")
        };
        fs::write(folder.join("memory.pressure"), line("100.25")).expect("our folder");
        fs::write(folder.join("io.pressure"), line("3.00")).expect("our folder");
        // The machine's own cannot be higher than 100.
        assert_eq!(highest(Some(&folder)), Some(100.25));
        fs::remove_dir_all(&folder).expect("our folder");
        assert_eq!(highest(Some(&folder)), highest(None));
        assert_eq!(share("full avg10=1.00\n"), None);
        assert_eq!(share("some avg60=1.00\n"), None);
    }
}
