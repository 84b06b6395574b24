//! How many password hashes may run at once on this machine. Read once, at start.

use std::path::{Path, PathBuf};

use super::HashCost;

/// Where nothing tells how much memory there is (macOS, a locked-down sandbox): half of a small
/// container, in bytes.
const UNKNOWN_BUDGET: u64 = 256 * 1024 * 1024;

/// One part in this many of the memory is for hashing; the rest is for everything else.
const SHARE: u64 = 2;

/// How many hashes run side by side: one for each core, as far as the memory reaches, and at
/// least one, or nobody could log in (ASVS 5.0 15.1.3, 15.2.2: costly work is bounded).
///
/// * `memory_budget_bytes`: what hashing may use, see [`memory_budget`].
/// * `cost`: what one hash takes.
/// * `cores`: cores this process may use, from `std::thread::available_parallelism`.
pub fn permits_for(memory_budget_bytes: u64, cost: HashCost, cores: usize) -> usize {
    let fitting = memory_budget_bytes / cost.memory_bytes().max(1);
    usize::try_from(fitting).unwrap_or(usize::MAX).min(cores).max(1)
}

/// Bytes that password hashing may use: half of the memory this process may have, which is the
/// least of its control groups' limits (version 2 or 1) and the machine's own memory.
pub fn memory_budget() -> u64 {
    budget(|path| std::fs::read_to_string(path).ok())
}

fn budget(read: impl Fn(&Path) -> Option<String>) -> u64 {
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().flat_map(limit_files).filter_map(|file| read(&file)?.trim().parse().ok());
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| total_memory(&text));
    limits.chain(machine).min().map_or(UNKNOWN_BUDGET, |bytes| bytes / SHARE)
}

/// The limit files of one line of `/proc/self/cgroup` (`id:controllers:path`), from the group up
/// to the root. Inside a container the path may be the host's; then only the root's file exists.
fn limit_files(line: &str) -> Vec<PathBuf> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
        return Vec::new();
    };
    let (root, file) = match controllers {
        "" => ("/sys/fs/cgroup", "memory.max"),
        _ if controllers.split(',').any(|name| name == "memory") => {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return Vec::new(),
    };
    let group = Path::new(path.trim_start_matches('/'));
    group.ancestors().map(|part| Path::new(root).join(part).join(file)).collect()
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn budget_with(files: &[(&str, &str)]) -> u64 {
        budget(|path| {
            files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn permits_follow_the_scarcer_of_cores_and_memory_and_are_never_none() {
        let cost = HashCost::default();
        assert_eq!(permits_for(1024 * MIB, cost, 4), 4);
        assert_eq!(permits_for(64 * MIB, cost, 4), 3);
        assert_eq!(permits_for(0, cost, 4), 1);
        assert_eq!(permits_for(1024 * MIB, cost, 0), 1);
    }

    #[test]
    fn a_version_2_limit_counts_wherever_it_is_set() {
        let total = ("/proc/meminfo", "MemTotal:  2097152 kB\nMemFree: 1 kB\n");
        let group = ("/proc/self/cgroup", "0::/app/web\n");
        assert_eq!(budget_with(&[total, group]), 1024 * MIB);
        assert_eq!(budget_with(&[total, group, ("/sys/fs/cgroup/app/web/memory.max", "max\n")]), 1024 * MIB);
        assert_eq!(budget_with(&[total, group, ("/sys/fs/cgroup/app/memory.max", "536870912\n")]), 256 * MIB);
        assert_eq!(budget_with(&[total, group, ("/sys/fs/cgroup/memory.max", "268435456\n")]), 128 * MIB);
    }

    #[test]
    fn a_version_1_limit_counts_and_its_no_limit_does_not() {
        let total = ("/proc/meminfo", "MemTotal:  2097152 kB\n");
        let group = ("/proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/abc\nnonsense\n");
        let limit = "/sys/fs/cgroup/memory/memory.limit_in_bytes";
        assert_eq!(budget_with(&[total, group, (limit, "536870912\n")]), 256 * MIB);
        assert_eq!(budget_with(&[total, group, (limit, "9223372036854771712\n")]), 1024 * MIB);
    }

    #[test]
    fn without_any_of_these_files_the_budget_is_small() {
        assert_eq!(budget_with(&[]), UNKNOWN_BUDGET);
        assert!(memory_budget() > 0);
    }
}
