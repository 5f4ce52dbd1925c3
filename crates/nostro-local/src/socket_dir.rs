//! The private directory of a cluster's Unix socket.
//!
//! It lies in the cluster's directory, mode 0700. The path of a socket is limited to 107 bytes (`sun_path` in unix(7)), so
//! a cluster that lies deep gets a directory of its own under /tmp, whose random name it remembers; a name that somebody
//! else could guess and take first would be no private directory.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::LocalError;
use crate::files;
use crate::os_user::OsUser;

const PATH_BYTES_MAX: usize = 107;

const LONGEST_SOCKET: &str = ".s.PGSQL.65535";

/// Holds the path of the directory under /tmp.
const REMEMBERED: &str = "socket-dir";

const SHORT_PREFIX: &str = "/tmp/nostro-socket-";

/// Where the directory is now, or will most likely be.
pub(crate) fn planned(home: &Path) -> PathBuf {
    remembered(home).unwrap_or_else(|| home.join("socket"))
}

/// Makes the directory, or takes up the one that is there.
pub(crate) fn prepare(home: &Path, user: &OsUser) -> Result<PathBuf, LocalError> {
    let inside = home.join("socket");
    if fits(&inside) {
        forget(home)?;
        if !inside.exists() {
            make_private(&inside, user)?;
        }
        return Ok(inside);
    }
    if let Some(short) = remembered(home)
        && is_private(&short, user)
    {
        return Ok(short);
    }
    let short = PathBuf::from(format!("{SHORT_PREFIX}{}", files::random_hex::<8>()?));
    // remembered first: a directory that nobody remembers would stay for ever
    files::write_whole(&home.join(REMEMBERED), &format!("{}\n", short.display()), 0o644)?;
    make_private(&short, user)?;
    Ok(short)
}

/// Removes what a dead server left in the directory. PostgreSQL takes a socket's lock file for a running server when the
/// process number in it is somebody's again.
pub(crate) fn clear(socket_dir: &Path) -> Result<(), LocalError> {
    for entry in fs::read_dir(socket_dir).map_err(LocalError::io("list", socket_dir))? {
        files::remove_file(&entry.map_err(LocalError::io("list", socket_dir))?.path())?;
    }
    Ok(())
}

/// Deletes the directory under /tmp, if the cluster has one.
pub(crate) fn forget(home: &Path) -> Result<(), LocalError> {
    if let Some(short) = remembered(home) {
        files::remove_tree(&short)?;
    }
    files::remove_file(&home.join(REMEMBERED))
}

fn remembered(home: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(home.join(REMEMBERED)).ok()?;
    let rest = text.trim().strip_prefix(SHORT_PREFIX)?;
    let is_name = !rest.is_empty() && rest.chars().all(|char| char.is_ascii_hexdigit());
    is_name.then(|| PathBuf::from(text.trim()))
}

fn fits(directory: &Path) -> bool {
    directory.join(LONGEST_SOCKET).as_os_str().len() <= PATH_BYTES_MAX
}

fn make_private(path: &Path, user: &OsUser) -> Result<(), LocalError> {
    files::make_dir(path, 0o700)?;
    user.own(path)
}

fn is_private(path: &Path, user: &OsUser) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|found| found.is_dir() && found.uid() == user.uid() && found.mode() & 0o777 == 0o700)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_socket_just_fits() {
        let longest = PATH_BYTES_MAX - LONGEST_SOCKET.len() - 1;
        assert!(fits(Path::new(&format!("/{}", "a".repeat(longest - 1)))));
        assert!(!fits(Path::new(&format!("/{}", "a".repeat(longest)))));
    }
}
