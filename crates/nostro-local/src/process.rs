//! Questions to /proc: is this process a PostgreSQL server of that data directory, and what else runs there?
//!
//! A process number in a file proves nothing: the process may be dead and its number somebody else's. What proves it is
//! that the process is a `postgres` whose working directory is the data directory (the server and all of its children
//! change into it). Where the kernel does not let us see the working directory (root in a container without
//! CAP_SYS_PTRACE), the command line of the postmaster has to do, and the others are looked for as their own user.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::os_user::OsUser;

/// Short beside the half second that a start takes, long beside a look at /proc.
const POLL_EVERY_MS: u64 = 10;

/// Waits until `state` holds; false if it still does not after `wait_ms_max`.
pub(crate) fn wait_until(wait_ms_max: u64, mut state: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + Duration::from_millis(wait_ms_max);
    loop {
        if state() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(Duration::from_millis(POLL_EVERY_MS));
    }
}

/// Whether `pid` is a PostgreSQL process of the data directory `data` (a canonical path).
pub(crate) fn is_postgres_in(pid: u32, data: &Path) -> bool {
    match fs::read_link(format!("/proc/{pid}/cwd")) {
        Ok(directory) => directory == data && name(pid).is_some_and(|name| name == "postgres"),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| is_postmaster_line(&line, data))
        }
        // dead, or dead and not yet collected by its parent
        Err(_) => false,
    }
}

/// Every PostgreSQL process of the data directory that can be seen.
pub(crate) fn postgres_in(data: &Path) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| is_postgres_in(*pid, data))
        .collect()
}

/// The same, seen by that user: its own processes are open to it where they are closed to root.
pub(crate) fn postgres_in_seen_by(user: &OsUser, data: &Path) -> Vec<u32> {
    let find =
        user.command(Path::new("find")).args(["/proc", "-maxdepth", "2", "-name", "cwd", "-lname"]).arg(data).output();
    let found = find.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&found)
        .lines()
        .filter_map(|link| link.strip_prefix("/proc/")?.strip_suffix("/cwd")?.parse().ok())
        .filter(|pid| name(*pid).is_some_and(|name| name == "postgres"))
        .collect()
}

/// Whether a process of that number runs; one that only waits to be collected by its parent does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let state = stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

/// Sends a signal; a process that is gone already is no error.
pub(crate) fn signal(pid: u32, signal: Signal) -> io::Result<()> {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(()) };
    match rustix::process::kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn name(pid: u32) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end().to_owned())
}

fn is_postmaster_line(line: &[u8], data: &Path) -> bool {
    let arguments: Vec<&str> = line.split(|byte| *byte == 0).map(|part| str::from_utf8(part).unwrap_or("")).collect();
    let program = arguments.first().map(Path::new).and_then(Path::file_name);
    let directory = arguments.windows(2).find(|pair| pair[0] == "-D").map(|pair| Path::new(pair[1]));
    program.is_some_and(|program| program == "postgres") && directory == Some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_postmaster_is_known_by_its_command_line() {
        let data = Path::new("/d/AZ/data");
        let cases: [(&[u8], bool); 5] = [
            (b"/usr/lib/postgresql/15/bin/postgres\0-D\0/d/AZ/data\0-p\x005433\0", true),
            (b"postgres\0-D\0/d/TX/data\0", false),
            (b"postgres: AZ: walwriter \0", false),
            (b"cat\0-D\0/d/AZ/data\0", false),
            (b"", false),
        ];
        for (line, expected) in cases {
            assert_eq!(is_postmaster_line(line, data), expected, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn only_a_postgres_of_the_directory_is_taken_for_one() {
        let here = std::env::current_dir().unwrap();
        assert!(!is_postgres_in(std::process::id(), &here));
        assert!(is_alive(std::process::id()));
        assert!(!is_alive(u32::MAX));
    }
}
