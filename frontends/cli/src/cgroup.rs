//! The memory limit of this process's cgroup: a container has one.

use std::{fs, path::Path};

use nebula_runtime::ByteSize;

/// Limits of this size are none: version 1 writes a number near 2^63 where no limit is set.
const NONE: u64 = 1 << 60;

/// How much memory the guests of this process may have together: 80 % of the memory limit of its cgroup. The rest is
/// for the process itself. `None` if there is no limit.
pub(crate) fn guest_memory() -> Option<ByteSize> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limit = limit(&groups, Path::new("/sys/fs/cgroup"))?;
    Some(ByteSize(limit / 5 * 4))
}

/// The lowest limit of the groups in `groups`, which has the form of `/proc/self/cgroup`, and of the groups above them.
fn limit(groups: &str, mounted: &Path) -> Option<u64> {
    let of_line = |line: &str| {
        let (_, controllers_and_path) = line.split_once(':')?;
        let (controllers, path) = controllers_and_path.split_once(':')?;
        match controllers {
            "" => lowest(mounted, path, "memory.max"),
            _ if controllers.split(',').any(|controller| controller == "memory") => {
                lowest(&mounted.join("memory"), path, "memory.limit_in_bytes")
            }
            _ => None,
        }
    };
    groups.lines().filter_map(of_line).min()
}

/// The lowest limit of a group and of those above it. A container sees its own group as the root, whatever its path is.
fn lowest(root: &Path, path: &str, file: &str) -> Option<u64> {
    let group = Path::new(path.trim_start_matches('/'));
    group.ancestors().filter_map(|group| read(&root.join(group).join(file))).min()
}

fn read(file: &Path) -> Option<u64> {
    let bytes: u64 = fs::read_to_string(file).ok()?.trim().parse().ok()?;
    Some(bytes).filter(|bytes| *bytes < NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_limit_of_the_group_and_of_those_above_it_counts() {
        let files = [
            ("memory.max", "max"),
            ("pod/memory.max", "536870912"),
            ("pod/app/memory.max", "max"),
            ("pod/small/memory.max", "268435456"),
            ("memory/memory.limit_in_bytes", "1073741824"),
            ("memory/free/memory.limit_in_bytes", "9223372036854771712"),
        ];
        let cases = [
            ("0::/", None),
            ("0::/pod/app\n", Some(536_870_912)),
            ("0::/pod/small\n", Some(268_435_456)),
            // The path of the group on the machine, which the container does not see.
            ("4:memory:/docker/0123\n0::/\n", Some(1_073_741_824)),
            ("5:cpu,memory:/free\n", Some(1_073_741_824)),
            ("5:cpu:/free\n", None),
            ("", None),
        ];
        let mounted = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = mounted.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        for (groups, expected) in cases {
            assert_eq!(limit(groups, mounted.path()), expected, "{groups}");
        }
    }

    #[test]
    fn without_a_mounted_hierarchy_there_is_no_limit() {
        assert_eq!(limit("0::/pod\n4:memory:/pod\n", Path::new("/nowhere")), None);
    }
}
