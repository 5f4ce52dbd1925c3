//! Files and directories with an exact mode, written whole or not at all, and deleted even while somebody still writes.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::error::LocalError;
use crate::process::wait_until;

/// A program that was killed may add files for a moment while its directory is deleted.
const DELETE_WAIT_MS_MAX: u64 = 5_000;

/// Writes `content` beside `path` and renames it there, so that a reader sees the old or the new file and a crash leaves
/// one of them. The mode is exact, whatever the umask.
pub(crate) fn write_whole(path: &Path, content: &str, mode: u32) -> Result<(), LocalError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    remove_file(&temporary)?;
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(content.as_bytes())?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(LocalError::io("write", path))?;
    sync_parent(path)
}

/// Makes what was renamed or created at `path` outlive a power failure.
pub(crate) fn sync_parent(path: &Path) -> Result<(), LocalError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    fs::File::open(parent).and_then(|directory| directory.sync_all()).map_err(LocalError::io("sync", parent))
}

/// Makes a directory of exactly this mode; it must not exist.
pub(crate) fn make_dir(path: &Path, mode: u32) -> Result<(), LocalError> {
    fs::create_dir(path)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .map_err(LocalError::io("make", path))
}

/// Makes a directory and those of its parents that are missing, open for everybody to enter; leaves the others alone.
pub(crate) fn make_dirs(path: &Path) -> Result<(), LocalError> {
    let mut missing: Vec<&Path> = path.ancestors().take_while(|part| !part.exists()).collect();
    missing.reverse();
    for part in missing {
        match make_dir(part, 0o755) {
            // another process made it in between
            Err(LocalError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
    }
    Ok(())
}

/// Removes a file if it is there.
pub(crate) fn remove_file(path: &Path) -> Result<(), LocalError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(LocalError::io("remove", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Deletes a directory with all that is in it, if it is there.
pub(crate) fn remove_tree(path: &Path) -> Result<(), LocalError> {
    let mut last = None;
    let gone = wait_until(DELETE_WAIT_MS_MAX, || match fs::remove_dir_all(path) {
        Ok(()) => true,
        Err(error) => {
            let (retry, gone) = match error.kind() {
                io::ErrorKind::NotFound => (true, !path.exists()),
                io::ErrorKind::DirectoryNotEmpty => (true, false),
                _ => (false, false),
            };
            last = Some(error);
            gone || !retry
        }
    });
    match last {
        Some(error) if !gone || path.exists() => Err(LocalError::io("delete", path)(error)),
        Some(_) | None => Ok(()),
    }
}

/// `bytes` random bytes of the operating system, in hexadecimal.
pub(crate) fn random_hex<const BYTES: usize>() -> Result<String, LocalError> {
    let mut random = [0_u8; BYTES];
    getrandom::fill(&mut random)
        .map_err(io::Error::from)
        .map_err(LocalError::io("read random bytes from", Path::new("the operating system")))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
