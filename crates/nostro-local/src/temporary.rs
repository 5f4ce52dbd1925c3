//! A cluster for a test: in a directory of its own, on a port of its own, gone when it is dropped.
//!
//! Each is made by initdb, since copies of one cluster share its system identifier and Nostro tells branches apart by it.
//! A test run that is killed drops nothing; the next one sweeps what dead runs left, servers included. The directory's
//! name says whose it is: `nostro-test-<pid>-<counter>-<name>`.

use std::fs;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::binaries::Binaries;
use crate::cluster::{Cluster, ClusterSpec};
use crate::data_dir::DataDir;
use crate::error::LocalError;
use crate::files;
use crate::lock::InstanceLock;
use crate::os_user::OsUser;
use crate::port::PortChoice;
use crate::process;
use crate::server;
use crate::settings::Durability;
use crate::socket_dir;

const PREFIX: &str = "nostro-test-";

/// Makes the directories of one process differ.
static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A running cluster that is wiped when it is dropped.
#[derive(Debug)]
pub struct TemporaryCluster {
    cluster: Cluster,
    directory: PathBuf,
}

impl TemporaryCluster {
    /// Makes and starts a cluster with these PostgreSQL settings.
    pub fn start(name: &str, settings: &[(&str, &str)]) -> Result<Self, LocalError> {
        TemporaryCluster::start_with(Binaries::find(None)?, name, settings)
    }

    /// The same with programs of the caller's choice.
    pub fn start_with(binaries: Binaries, name: &str, settings: &[(&str, &str)]) -> Result<Self, LocalError> {
        let base = base()?;
        sweep(&base);
        let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
        let wanted = base.join(format!("{PREFIX}{}-{counter}-{name}", std::process::id()));
        // of an earlier process with this number
        destroy(&wanted)?;
        let data_dir = DataDir::open(&wanted, binaries)?;
        let cluster = data_dir.cluster(ClusterSpec {
            name: name.to_owned(),
            port: PortChoice::Free,
            settings: settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            durability: Durability::ProcessCrashOnly,
        });
        let mut temporary = TemporaryCluster { cluster, directory: data_dir.path().to_owned() };
        temporary.cluster.start()?;
        Ok(temporary)
    }
}

impl Deref for TemporaryCluster {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl DerefMut for TemporaryCluster {
    fn deref_mut(&mut self) -> &mut Cluster {
        &mut self.cluster
    }
}

impl Drop for TemporaryCluster {
    fn drop(&mut self) {
        if let Err(error) = self.cluster.wipe().and_then(|()| files::remove_tree(&self.directory)) {
            tracing::warn!(%error, directory = %self.directory.display(), "a temporary cluster was not wiped");
        }
    }
}

/// The directory for temporary files, or /tmp where PostgreSQL's user cannot reach that.
fn base() -> Result<PathBuf, LocalError> {
    let base = std::env::temp_dir();
    let is_reachable = OsUser::for_postgres()?.blocked_by(&base)?.is_none();
    Ok(if is_reachable { base } else { PathBuf::from("/tmp") })
}

/// Deletes what dead test runs left. Whatever does not work is left for the next one.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.metadata().is_ok_and(|found| {
            found.is_dir() && !found.is_symlink() && found.uid() == rustix::process::geteuid().as_raw()
        });
        let owner = entry.file_name().to_str().and_then(owner_of);
        let is_dead = owner.is_some_and(|pid| !process::is_alive(pid));
        if !is_ours || !is_dead {
            continue;
        }
        if let Err(error) = destroy(&entry.path()) {
            tracing::debug!(%error, directory = %entry.path().display(), "a dead test run's directory was not deleted");
        }
    }
}

/// Ends every server in a test's directory and deletes it, unless somebody holds its lock.
fn destroy(directory: &Path) -> Result<(), LocalError> {
    let Ok(directory) = directory.canonicalize() else { return Ok(()) };
    let _lock = InstanceLock::take(&directory)?;
    for home in fs::read_dir(&directory).map_err(LocalError::io("list", &directory))?.flatten() {
        let data = home.path().join("data");
        if data.is_dir() {
            server::destroy(&data)?;
            socket_dir::forget(&home.path())?;
        }
    }
    files::remove_tree(&directory)
}

fn owner_of(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_a_temporary_directory_is_in_its_name() {
        let cases = [
            ("nostro-test-12-0-AZ", Some(12)),
            ("nostro-test-12-0-a-b", Some(12)),
            ("nostro-test-x-0-AZ", None),
            ("nostro-data", None),
        ];
        for (name, expected) in cases {
            assert_eq!(owner_of(name), expected, "{name}");
        }
    }
}
