//! One instance's directory: its lock, its version, its secrets, and a directory for each of its clusters.
//!
//! The directory belongs to the caller and everybody may enter it, since PostgreSQL may run as another user; what is
//! secret in it is mode 0600. A directory that is not empty and has no VERSION file is not ours and is left alone.
//! Root's own directories are often closed to others (/root is 0700); a data directory that does not exist yet is then
//! made under /var/lib/nostro instead, and [`DataDir::moved_from`] says so.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::binaries::Binaries;
use crate::cluster::{Cluster, ClusterSpec};
use crate::error::LocalError;
use crate::files;
use crate::lock::{self, InstanceLock};
use crate::os_user::OsUser;

/// The layout of the directory that this version reads and writes.
pub const DATA_FORMAT: u32 = 1;

const VERSION: &str = "VERSION";

const PASSWORD: &str = "postgres-password";

const MOVED_ROOT: &str = "/var/lib/nostro";

/// File systems allow 255 bytes.
const MOVED_NAME_BYTES_MAX: usize = 100;

/// One instance's directory, locked for as long as it or one of its clusters lives.
#[derive(Debug)]
pub struct DataDir {
    instance: Arc<Instance>,
    moved_from: Option<PathBuf>,
}

/// What the clusters of an instance share.
#[derive(Debug)]
pub(crate) struct Instance {
    /// Canonical.
    pub(crate) path: PathBuf,
    pub(crate) user: OsUser,
    pub(crate) binaries: Binaries,
    /// The superuser's, the same in each cluster of the instance.
    pub(crate) password: String,
    _lock: InstanceLock,
}

impl DataDir {
    /// Makes the directory or takes up the one that is there, and locks it.
    ///
    /// Refused: another instance has it, another version of Nostro made it, other things are in it, or the user who runs
    /// PostgreSQL cannot reach it.
    pub fn open(wanted: &Path, binaries: Binaries) -> Result<DataDir, LocalError> {
        let user = OsUser::for_postgres()?;
        let wanted = std::path::absolute(wanted).map_err(LocalError::io("resolve", wanted))?;
        let path = reachable(&wanted, &user)?;
        let moved_from = (path != wanted).then_some(wanted);
        files::make_dirs(&path)?;
        let path = path.canonicalize().map_err(LocalError::io("resolve", &path))?;
        refuse_foreign(&path)?;
        let lock = InstanceLock::take(&path)?;
        check_format(&path)?;
        let password = read_or_make_secret(&path, PASSWORD)?;
        Ok(DataDir { instance: Arc::new(Instance { path, user, binaries, password, _lock: lock }), moved_from })
    }

    /// Where the directory is, canonical.
    pub fn path(&self) -> &Path {
        &self.instance.path
    }

    /// Where it was wanted, if it is elsewhere.
    pub fn moved_from(&self) -> Option<&Path> {
        self.moved_from.as_deref()
    }

    /// A cluster of this instance; nothing is made or started yet.
    ///
    /// # Panics
    /// If the name is not one to 63 of the characters `A-Z a-z 0-9 - _`.
    pub fn cluster(&self, spec: ClusterSpec) -> Cluster {
        Cluster::new(Arc::clone(&self.instance), spec)
    }

    /// The content of a private file, which is made of 32 random bytes in hexadecimal when it is not there.
    ///
    /// # Panics
    /// If the name is not a plain file name.
    pub fn secret(&self, name: &str) -> Result<String, LocalError> {
        read_or_make_secret(&self.instance.path, name)
    }

    /// Writes a file that only the caller can read, whole or not at all. Returns its path.
    ///
    /// # Panics
    /// If the name is not a plain file name.
    pub fn write_private(&self, name: &str, content: &str) -> Result<PathBuf, LocalError> {
        let path = private_path(&self.instance.path, name);
        files::write_whole(&path, content, 0o600)?;
        Ok(path)
    }
}

/// `wanted`, or where it goes when the user who runs PostgreSQL cannot reach it.
fn reachable(wanted: &Path, user: &OsUser) -> Result<PathBuf, LocalError> {
    let Some(blocked_by) = user.blocked_by(wanted)? else { return Ok(wanted.to_owned()) };
    let moved = Path::new(MOVED_ROOT).join(moved_name(wanted));
    if wanted.exists() || user.blocked_by(&moved)?.is_some() {
        return Err(LocalError::NotReachable { path: wanted.to_owned(), blocked_by, user: user.name().to_owned() });
    }
    Ok(moved)
}

/// The whole path in one name, so that two clones do not share their data: `/root/bank/.nostro` is `root-bank-nostro`.
fn moved_name(wanted: &Path) -> String {
    let parts: Vec<String> = wanted
        .components()
        .map(|part| part.as_os_str().to_string_lossy().trim_matches(['/', '.']).to_owned())
        .filter(|part| !part.is_empty())
        .collect();
    let name = parts.join("-");
    let from = (0..name.len()).find(|at| name.is_char_boundary(*at) && name.len() - at <= MOVED_NAME_BYTES_MAX);
    name.get(from.unwrap_or(0)..).unwrap_or(&name).to_owned()
}

fn refuse_foreign(path: &Path) -> Result<(), LocalError> {
    if path.join(VERSION).exists() {
        return Ok(());
    }
    // what an instance leaves that was killed before it wrote its version
    let ours = [lock::FILE, "VERSION.tmp"];
    for entry in fs::read_dir(path).map_err(LocalError::io("list", path))? {
        let name = entry.map_err(LocalError::io("list", path))?.file_name().to_string_lossy().into_owned();
        // a version written since the look above is another instance's; the lock will tell
        if !ours.contains(&name.as_str()) && !path.join(VERSION).exists() {
            return Err(LocalError::NotOurs { path: path.to_owned(), found: name });
        }
    }
    Ok(())
}

fn check_format(directory: &Path) -> Result<(), LocalError> {
    let path = directory.join(VERSION);
    let expected = format!("format = {DATA_FORMAT}");
    match fs::read_to_string(&path) {
        Ok(found) if found.trim() == expected => Ok(()),
        Ok(found) => Err(LocalError::OtherFormat { path, found: found.trim().to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            files::write_whole(&path, &format!("{expected}\n"), 0o644)
        }
        Err(error) => Err(LocalError::io("read", &path)(error)),
    }
}

fn read_or_make_secret(directory: &Path, name: &str) -> Result<String, LocalError> {
    let path = private_path(directory, name);
    match fs::read_to_string(&path) {
        Ok(secret) if !secret.trim().is_empty() => {
            // a copy or a restore may have opened it to others
            fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(LocalError::io("make private", &path))?;
            Ok(secret.trim().to_owned())
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(LocalError::io("read", &path)(error)),
        Ok(_) | Err(_) => {
            let secret = files::random_hex::<32>()?;
            files::write_whole(&path, &format!("{secret}\n"), 0o600)?;
            Ok(secret)
        }
    }
}

fn private_path(directory: &Path, name: &str) -> PathBuf {
    let plain = Path::new(name).file_name().is_some_and(|file| file == name);
    assert!(plain, "a private file is named by a plain file name, not {name:?}");
    directory.join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_directory_is_named_by_its_whole_path() {
        assert_eq!(moved_name(Path::new("/root/bank/.nostro")), "root-bank-nostro");
        let long = format!("/root/{}/.nostro", "é".repeat(120));
        let name = moved_name(Path::new(&long));
        assert!(name.ends_with("-nostro") && name.len() <= MOVED_NAME_BYTES_MAX, "{name}");
    }

    #[test]
    #[should_panic(expected = "plain file name")]
    fn a_private_file_cannot_be_elsewhere() {
        private_path(Path::new("/d"), "../etc/passwd");
    }
}
