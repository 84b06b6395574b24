//! How much memory this process may use. Read once, at start.

use std::path::{Path, PathBuf};

/// The lowest limit of the control groups (version 2 or 1) and of the machine, in bytes. `None` if the system does not say
/// (macOS, a sandbox).
pub fn memory_limit() -> Option<u64> {
    limit(|path| std::fs::read_to_string(path).ok())
}

fn limit(read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().flat_map(limit_files).filter_map(|file| read(&file)?.trim().parse().ok());
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| total_memory(&text));
    limits.chain(machine).min()
}

/// The limit files of one line of `/proc/self/cgroup` (`id:controllers:path`), from the group up
/// to the root. In a container the path may be the host's; then only the file of the root exists.
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

    fn limit_with(files: &[(&str, &str)]) -> Option<u64> {
        limit(|path| {
            files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn a_version_2_limit_counts_wherever_it_is_set() {
        let total = ("/proc/meminfo", "MemTotal:  2097152 kB\nMemFree: 1 kB\n");
        let group = ("/proc/self/cgroup", "0::/app/web\n");
        let with = |file| limit_with(&[total, group, file]);
        assert_eq!(limit_with(&[total, group]), Some(2048 * MIB));
        assert_eq!(with(("/sys/fs/cgroup/app/web/memory.max", "max\n")), Some(2048 * MIB));
        assert_eq!(with(("/sys/fs/cgroup/app/memory.max", "536870912\n")), Some(512 * MIB));
        assert_eq!(with(("/sys/fs/cgroup/memory.max", "268435456\n")), Some(256 * MIB));
    }

    #[test]
    fn a_version_1_limit_counts_and_its_no_limit_does_not() {
        let total = ("/proc/meminfo", "MemTotal:  2097152 kB\n");
        let group = ("/proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/abc\nnonsense\n");
        let limit = "/sys/fs/cgroup/memory/memory.limit_in_bytes";
        let with = |value| limit_with(&[total, group, (limit, value)]);
        assert_eq!(with("536870912\n"), Some(512 * MIB));
        assert_eq!(with("9223372036854771712\n"), Some(2048 * MIB));
    }

    #[test]
    fn without_any_of_these_files_nothing_is_known() {
        assert_eq!(limit_with(&[]), None);
    }
}
