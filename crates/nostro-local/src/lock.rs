//! `nostro.lock`: one instance per data directory.
//!
//! The lock is the kernel's (flock), so it ends with the process that holds it, however that ends. The process number in
//! the file is only for the message to the second one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::error::LocalError;

/// The name of the file in the data directory.
pub(crate) const FILE: &str = "nostro.lock";

/// Held as long as it lives.
#[derive(Debug)]
pub(crate) struct InstanceLock(File);

impl InstanceLock {
    /// Takes the lock of `directory`, or says who has it.
    pub(crate) fn take(directory: &Path) -> Result<InstanceLock, LocalError> {
        let path = directory.join(FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(LocalError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(LocalError::io("lock", &path)(error)),
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(LocalError::Locked { path: directory.to_owned(), pid });
            }
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(LocalError::io("write", &path))?;
        Ok(InstanceLock(file))
    }
}

impl Drop for InstanceLock {
    fn drop(&mut self) {
        // said aloud, since a child forked by another thread keeps a copy of the descriptor until it runs its program
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the lock of a data directory could not be given back");
        }
    }
}
