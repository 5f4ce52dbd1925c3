//! Ends the server of a data directory, and clears away what a dead one left.
//!
//! A server that was killed leaves its children for a moment, and they still use its shared memory. A new server beside
//! them would destroy the data. PostgreSQL refuses such a start by what postmaster.pid says of the memory, so the file is
//! removed only when nobody is attached any more.

use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::error::LocalError;
use crate::files;
use crate::os_user::OsUser;
use crate::pid_file::{PidFile, SharedMemory};
use crate::process::{self, is_postgres_in, postgres_in, wait_until};

/// A fast stop writes all changed pages first.
const FAST_WAIT_MS_MAX: u64 = 60_000;

/// The postmaster itself kills its children after 5 s, and waits until the kernel has taken them away: seconds more on a machine
/// with much else to do.
const IMMEDIATE_WAIT_MS_MAX: u64 = 30_000;

/// A killed process is gone as soon as the kernel has freed its memory.
const KILL_WAIT_MS_MAX: u64 = 10_000;

/// Children notice at once that their parent died unless they are computing; then they are killed.
const REMAINS_LEAVE_WAIT_MS_MAX: u64 = 5_000;

/// How a server is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Ends sessions, writes what is in memory, and exits.
    Fast,
    /// Exits at once; the next start recovers from the log.
    Immediate,
}

/// Stops the server of `data` if one runs.
pub(crate) fn stop(data: &Path, how: Stop) -> Result<(), LocalError> {
    match how {
        Stop::Fast => end(data, Signal::INT, FAST_WAIT_MS_MAX),
        Stop::Immediate => end(data, Signal::QUIT, IMMEDIATE_WAIT_MS_MAX),
    }
}

/// Kills the postmaster of `data` if one runs; its children find out by themselves.
pub(crate) fn kill(data: &Path) -> Result<(), LocalError> {
    end(data, Signal::KILL, KILL_WAIT_MS_MAX)
}

/// Waits for a server that stops on its own account.
pub(crate) fn wait_stopped(data: &Path, pid: u32) -> Result<(), LocalError> {
    if wait_until(FAST_WAIT_MS_MAX, || !is_postgres_in(pid, data)) {
        return Ok(());
    }
    Err(LocalError::StopTimeout { data: data.to_owned(), pid, waited_s: FAST_WAIT_MS_MAX / 1000 })
}

/// Ends the server of `data` by any means, with nothing left that would outlive the directory.
pub(crate) fn destroy(data: &Path) -> Result<(), LocalError> {
    match stop(data, Stop::Immediate) {
        Err(LocalError::StopTimeout { .. }) => kill(data)?,
        stopped => stopped?,
    }
    clear_remains(data)
}

/// Waits until nothing of a dead server runs, then removes the file that says that it runs.
pub(crate) fn clear_remains(data: &Path) -> Result<(), LocalError> {
    let memory = PidFile::claimed(data).and_then(|file| file.memory);
    let is_gone = || memory.and_then(SharedMemory::attached).unwrap_or(0) == 0 && postgres_in(data).is_empty();
    if !wait_until(REMAINS_LEAVE_WAIT_MS_MAX, is_gone) {
        for pid in remains(data)? {
            tracing::warn!(pid, data = %data.display(), "killing a process of a dead PostgreSQL server");
            process::signal(pid, Signal::KILL).map_err(LocalError::io("kill a process of", data))?;
        }
        if !wait_until(KILL_WAIT_MS_MAX, is_gone) {
            return Err(LocalError::Remains { data: data.to_owned(), pids_left: remains(data)? });
        }
    }
    if let Some(memory) = memory {
        free(memory);
    }
    files::remove_file(&PidFile::path(data))
}

fn remains(data: &Path) -> Result<Vec<u32>, LocalError> {
    let seen = postgres_in(data);
    if !seen.is_empty() {
        return Ok(seen);
    }
    Ok(process::postgres_in_seen_by(&OsUser::for_postgres()?, data))
}

fn end(data: &Path, signal: Signal, wait_ms_max: u64) -> Result<(), LocalError> {
    let Some(server) = PidFile::of_running(data) else { return Ok(()) };
    process::signal(server.pid, signal).map_err(LocalError::io("stop the server in", data))?;
    if wait_until(wait_ms_max, || !is_postgres_in(server.pid, data)) {
        return Ok(());
    }
    Err(LocalError::StopTimeout { data: data.to_owned(), pid: server.pid, waited_s: wait_ms_max / 1000 })
}

/// Gives back the segment of a killed server, which the kernel would keep until it reboots; it has room for 4096 of them.
fn free(memory: SharedMemory) {
    if memory.attached() != Some(0) {
        return;
    }
    let removed = Command::new("ipcrm")
        .args(["--shmem-id", &memory.id.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !removed.is_ok_and(|status| status.success()) {
        tracing::debug!(id = memory.id, "the shared memory of a dead server was not given back");
    }
}
