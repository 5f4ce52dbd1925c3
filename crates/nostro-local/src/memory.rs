//! How much memory the machine has, and a branch's share of it.

use std::fs;

/// Of each branch, with all branches of the machine in the same quarter of its memory.
const SHARE: u64 = 4;
/// PostgreSQL's own default, in MiB.
const MIN_MIB: u64 = 128;
/// Beyond this, looking for a page to give up costs more than reading it again.
const MAX_MIB: u64 = 8 * 1024;

/// A container's limit, in bytes: of cgroup version 2 and of version 1. Without one there is no file, or no number in it.
const LIMITS: [&str; 2] = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// The memory in MiB that there is for this process, 0 if it is not known: the machine's, or its container's.
pub fn memory_mib() -> u64 {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let limits = LIMITS.iter().filter_map(|path| fs::read_to_string(path).ok());
    smallest_mib(&meminfo, limits)
}

fn smallest_mib(meminfo: &str, limits: impl Iterator<Item = String>) -> u64 {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib: u64 = total.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    let limits = limits.filter_map(|text| text.trim().parse::<u64>().ok()).map(|bytes| bytes / (1024 * 1024));
    limits.fold(kib / 1024, u64::min)
}

/// `shared_buffers` of one of so many branches on a machine, in MiB.
pub(crate) fn shared_buffers_mib(memory_mib: u64, branches: usize) -> u64 {
    let branches = u64::try_from(branches.max(1)).unwrap_or(u64::MAX);
    (memory_mib / SHARE / branches).clamp(MIN_MIB, MAX_MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_containers_limit_counts_where_there_is_one() {
        let meminfo = "MemTotal:       24683888 kB\nMemFree:        22026680 kB\n";
        let limited = |limits: &[&str]| smallest_mib(meminfo, limits.iter().map(ToString::to_string));
        assert_eq!(limited(&[]), 24_105);
        assert_eq!(limited(&["max\n"]), 24_105);
        assert_eq!(limited(&["9223372036854771712\n"]), 24_105);
        assert_eq!(limited(&["536870912\n"]), 512);
        assert_eq!(smallest_mib("", std::iter::empty()), 0);
    }

    #[test]
    fn branches_share_a_quarter_of_the_memory() {
        for (memory_mib, branches, expected) in
            [(4_096, 2, 512), (24_576, 2, 3_072), (24_576, 8, 768), (1_024, 2, 128), (0, 2, 128), (1_000_000, 1, 8_192)]
        {
            assert_eq!(shared_buffers_mib(memory_mib, branches), expected, "{memory_mib} MiB, {branches} branches");
        }
    }
}
