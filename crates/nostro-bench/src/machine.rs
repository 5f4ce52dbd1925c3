//! The machine under the figures: cores, memory, filesystem, and what a flush costs on it.
//!
//! Figures from a filesystem in memory say nothing about a bank, so such a one is refused, not measured.

use crate::error::BenchError;
use serde::Serialize;
use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Flushes that are timed: enough for a median, done in a second or two on a slow disk.
const FLUSHES: usize = 200;
/// A page of PostgreSQL's log.
const FLUSH_BYTES: usize = 8_192;
/// statfs(2)
const TMPFS: i64 = 0x0102_1994;
const RAMFS: i64 = 0x8584_58f6;

/// What stands at the head of the report.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Of the processor that this process may use.
    pub cores: usize,
    /// MiB.
    pub memory_mib: u64,
    /// Of the data directory; of databases that were given it is not known.
    pub filesystem: String,
    /// Writing 8 KiB and waiting for the disk, microseconds: the median.
    pub flush_p50_us: u64,
    /// The same, the 99th of a hundred.
    pub flush_p99_us: u64,
}

impl Machine {
    /// Looks at the machine and times its disk in a directory.
    pub(crate) fn look(directory: &Path) -> Result<Self, BenchError> {
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let memory_kib: u64 = total.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0);
        let mut flushes = time_flushes(directory)?;
        flushes.sort_unstable();
        let at = |share: usize| flushes.get(flushes.len() * share / 100).copied().unwrap_or(0);
        Ok(Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: memory_kib / 1024,
            filesystem: filesystem(directory),
            flush_p50_us: at(50),
            flush_p99_us: at(99),
        })
    }
}

/// Refuses a directory whose filesystem is in memory; it need not exist yet.
pub(crate) fn refuse_memory(directory: &Path) -> Result<(), BenchError> {
    let existing = existing(directory)?;
    let kind = rustix::fs::statfs(&existing)
        .map_err(|error| BenchError::io(format!("look at the filesystem of {}", existing.display()))(error.into()))?
        .f_type;
    let name = match kind {
        TMPFS => "tmpfs",
        RAMFS => "ramfs",
        _ => return Ok(()),
    };
    Err(BenchError::NotOnDisk { path: directory.to_owned(), filesystem: name.to_owned() })
}

fn existing(directory: &Path) -> Result<PathBuf, BenchError> {
    let directory = std::path::absolute(directory)
        .map_err(BenchError::io(format!("resolve the directory {}", directory.display())))?;
    let found = directory.ancestors().find(|part| part.exists()).unwrap_or(Path::new("/"));
    found.canonicalize().map_err(BenchError::io(format!("resolve the directory {}", found.display())))
}

/// The kind of filesystem of the longest mount point above the directory (proc_pid_mountinfo(5)).
fn filesystem(directory: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let found = mounts.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let point = left.split(' ').nth(4)?;
        directory.starts_with(point).then_some((point.len(), right.split(' ').next()?))
    });
    found.max_by_key(|(length, _)| *length).map_or("unknown".to_owned(), |(_, kind)| kind.to_owned())
}

fn time_flushes(directory: &Path) -> Result<Vec<u64>, BenchError> {
    let path = directory.join("flush-latency");
    let timed = || -> std::io::Result<Vec<u64>> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
        let page = [7; FLUSH_BYTES];
        let mut times = Vec::with_capacity(FLUSHES);
        for _ in 0..FLUSHES {
            let begin = Instant::now();
            // Over the same page, as PostgreSQL does in a log file that it has allocated before.
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&page)?;
            file.sync_data()?;
            times.push(u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
        fs::remove_file(&path)?;
        Ok(times)
    };
    timed().map_err(BenchError::io(format!("time flushes in {}", directory.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_in_memory_is_refused_and_the_error_names_it() {
        let shared = Path::new("/dev/shm");
        if filesystem(shared) != "tmpfs" {
            eprintln!("skipped: /dev/shm is no tmpfs here");
            return;
        }
        let told = refuse_memory(&shared.join("not/there/yet")).unwrap_err().to_string();
        assert!(told.contains("tmpfs") && told.contains("--data"), "{told}");
    }
}
