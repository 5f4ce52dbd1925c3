//! What processes used, from `/proc` (proc(5)): CPU time by group, peak memory.
//!
//! A cluster's CPU is that of its postmaster, of its live children and of the children that it has waited for, so
//! that a connection that ended in the meantime is not forgotten.

use std::fs;
use std::time::Duration;

/// The fields of `/proc/<pid>/stat` that matter here.
struct Stat {
    parent: u32,
    own_ticks: u64,
    waited_ticks: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold anything; the fields after it are counted from state (3).
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let figure = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(figure(4)?).ok()?,
        own_ticks: figure(14)? + figure(15)?,
        waited_ticks: figure(16)? + figure(17)?,
    })
}

fn time(ticks: u64) -> Duration {
    Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100)
}

/// Of a process and the children that it has waited for.
pub(crate) fn cpu(pid: u32) -> Duration {
    stat(pid).map_or(Duration::ZERO, |stat| time(stat.own_ticks + stat.waited_ticks))
}

/// Of a process and all its children, ended ones included.
pub(crate) fn cpu_with_children(pid: u32) -> Duration {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let children =
        pids.filter_map(stat).filter(|stat| stat.parent == pid).map(|stat| stat.own_ticks + stat.waited_ticks);
    cpu(pid) + time(children.sum())
}

/// The parent of a process that is called `postgres`: the postmaster of a backend on this machine.
pub(crate) fn postmaster_of(backend: u32) -> Option<u32> {
    let name = fs::read_to_string(format!("/proc/{backend}/comm")).ok()?;
    (name.trim() == "postgres").then(|| stat(backend).map(|stat| stat.parent))?
}

/// The most memory that a process ever had, in KiB (VmHWM).
pub(crate) fn peak_memory_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_parent_and_memory() {
        let own = stat(std::process::id()).unwrap();
        assert!(own.parent > 0 && peak_memory_kib(std::process::id()).unwrap() > 0);
        assert_eq!(postmaster_of(std::process::id()), None, "a test is no postgres");
    }
}
