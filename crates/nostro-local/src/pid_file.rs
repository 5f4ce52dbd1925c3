//! `postmaster.pid`, the file in which a running PostgreSQL server says who and where it is.
//!
//! The format is PostgreSQL's (src/include/utils/pidfile.h), stable since version 10: process number, data directory,
//! start time, port, socket directory, listen address, shared memory key and id, status. The file survives a crash, so it
//! is a claim; [`PidFile::of_running`] checks it against the process.

use std::fs;
use std::path::{Path, PathBuf};

use crate::process;

/// What a postmaster wrote about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PidFile {
    pub(crate) pid: u32,
    pub(crate) port: u16,
    /// Missing in the first moments of a start.
    pub(crate) memory: Option<SharedMemory>,
    pub(crate) status: Status,
}

/// The System V segment that every process of a server is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SharedMemory {
    pub(crate) key: u64,
    pub(crate) id: u64,
}

/// How far a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Starting,
    /// Accepts connections, as a primary or as a standby.
    Ready,
    Stopping,
}

impl PidFile {
    /// Where the file of a data directory is.
    pub(crate) fn path(data: &Path) -> PathBuf {
        data.join("postmaster.pid")
    }

    /// What the file claims; `None` if it is missing or makes no sense.
    pub(crate) fn claimed(data: &Path) -> Option<PidFile> {
        parse(&fs::read_to_string(PidFile::path(data)).ok()?)
    }

    /// The server that runs in `data` now, which must be a canonical path.
    pub(crate) fn of_running(data: &Path) -> Option<PidFile> {
        PidFile::claimed(data).filter(|file| process::is_postgres_in(file.pid, data))
    }
}

impl SharedMemory {
    /// How many processes are attached; `None` if there is no such segment.
    pub(crate) fn attached(self) -> Option<u64> {
        attached(&fs::read_to_string("/proc/sysvipc/shm").ok()?, self)
    }
}

fn parse(text: &str) -> Option<PidFile> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let status = match lines.get(7).copied() {
        Some("ready" | "standby") => Status::Ready,
        Some("stopping") => Status::Stopping,
        Some(_) | None => Status::Starting,
    };
    Some(PidFile {
        pid: lines.first()?.parse().ok()?,
        port: lines.get(3)?.parse().ok()?,
        memory: lines.get(6).and_then(|line| parse_memory(line)),
        status,
    })
}

fn parse_memory(line: &str) -> Option<SharedMemory> {
    let mut numbers = line.split_whitespace();
    Some(SharedMemory { key: numbers.next()?.parse().ok()?, id: numbers.next()?.parse().ok()? })
}

fn attached(table: &str, memory: SharedMemory) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // the kernel prints the key signed, PostgreSQL unsigned
        let key: i64 = fields.first()?.parse().ok()?;
        let is_it = key & 0xffff_ffff == i64::try_from(memory.key).ok()? & 0xffff_ffff
            && fields.get(1)?.parse() == Ok(memory.id);
        if is_it { fields.get(6)?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: &str = "9983\n/d/data\n1795445811\n5433\n/d/socket\n127.0.0.1\n 10010655         4\nready   \n";

    #[test]
    fn a_pid_file_is_read_at_each_stage() {
        let memory = Some(SharedMemory { key: 10_010_655, id: 4 });
        let expected = PidFile { pid: 9983, port: 5433, memory, status: Status::Ready };
        assert_eq!(parse(READY), Some(expected.clone()));
        assert_eq!(parse(&READY.replace("ready", "standby")), Some(expected.clone()));
        let stopping = PidFile { status: Status::Stopping, ..expected.clone() };
        assert_eq!(parse(&READY.replace("ready   ", "stopping")), Some(stopping));
        let starting = PidFile { memory: None, status: Status::Starting, ..expected };
        assert_eq!(parse("9983\n/d/data\n1795445811\n5433\n\n"), Some(starting));
        for broken in ["", "9983\n", "x\n/d\n1\n5433\n", "-1\n/d\n1\n5433\n"] {
            assert_eq!(parse(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn the_processes_attached_to_a_segment_are_counted() {
        let table = "       key      shmid perms  size  cpid  lpid nattch   uid\n\
                     \x20 10010655          4   600    56  9983  9983      6   101\n\
                     \x20 -1294967296       5   600    56  9983  9983      2   101\n";
        assert_eq!(attached(table, SharedMemory { key: 10_010_655, id: 4 }), Some(6));
        assert_eq!(attached(table, SharedMemory { key: 10_010_655, id: 5 }), None);
        assert_eq!(attached(table, SharedMemory { key: 3_000_000_000, id: 5 }), Some(2));
    }
}
