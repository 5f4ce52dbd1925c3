//! A data directory for one test, wiped when the test ends however it ends, and questions to its servers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nostro_local::{Binaries, Cluster, ClusterSpec, DataDir, Durability, LocalError, PortChoice};

/// Far more than anything here takes.
const WAIT_S_MAX: u64 = 30;

/// Tells a copy of the test program to be the parent that is killed; its value is the directory to use.
const CHILD: &str = "NOSTRO_TEST_CHILD_PLACE";

pub(crate) struct Place {
    pub(crate) path: PathBuf,
}

impl Place {
    /// The name must be the test's own. It has the prefix of temporary clusters, so a killed run is swept.
    pub(crate) fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("nostro-test-{}-place-{name}", std::process::id()));
        Place { path }
    }

    pub(crate) fn try_open(&self) -> Result<DataDir, LocalError> {
        DataDir::open(&self.path, Binaries::find(None).unwrap())
    }

    pub(crate) fn cluster(&self, port: PortChoice) -> Cluster {
        self.try_open().unwrap().cluster(spec(port, &[]))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let wiped = self.try_open().map(|data_dir| data_dir.cluster(spec(PortChoice::Free, &[])).wipe());
        // a directory that a test spoilt does not open, and then nothing runs in it
        let deleted = if self.path.exists() { fs::remove_dir_all(&self.path) } else { Ok(()) };
        if !thread::panicking() {
            assert!(!matches!(wiped, Ok(Err(_))) && deleted.is_ok(), "{wiped:?} {deleted:?}");
        }
    }
}

pub(crate) fn spec(port: PortChoice, settings: &[(&str, &str)]) -> ClusterSpec {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    ClusterSpec { name: "AZ".to_owned(), port, settings, durability: Durability::ProcessCrashOnly }
}

/// psql without a password, at a host or in a socket directory.
pub(crate) fn psql(cluster: &Cluster, host: &Path, sql: &str) -> Command {
    let mut command = Command::new(Binaries::find(None).unwrap().dir().join("psql"));
    command
        .args(["--no-psqlrc", "--no-password", "--tuples-only", "--no-align"])
        .arg(format!("--host={}", host.display()))
        .arg(format!("--port={}", cluster.port()))
        .arg(format!("--username={}", cluster.superuser()))
        .args(["--dbname=postgres", "--command", sql])
        .env_remove("PGPASSWORD")
        .env("PGPASSFILE", "/dev/null")
        .stdin(Stdio::null());
    command
}

/// The answer of the server, over TCP with the password.
pub(crate) fn ask(cluster: &Cluster, sql: &str) -> String {
    let mut command = psql(cluster, Path::new(cluster.host()), sql);
    let output = command.env("PGPASSWORD", cluster.password()).output().unwrap();
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Whether a process runs; one that only waits to be collected by its parent has no command line.
pub(crate) fn is_alive(pid: &str) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

pub(crate) fn wait_for(what: &str, mut state: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(WAIT_S_MAX);
    while !state() {
        assert!(Instant::now() < end, "waited {WAIT_S_MAX} s in vain for: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The directory to use, if this process is the copy that is to be killed.
pub(crate) fn child_path() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// Runs one test in another process, as [`child_path`]; returns that process's number after it died.
pub(crate) fn run_child(test: &str, path: &Path) -> u32 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, path)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid = child.id();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), None, "the child was to die of a signal");
    pid
}
