//! One PostgreSQL server of this machine: made, started, adopted, stopped, killed, wiped.
//!
//! Its directory holds `data` (PostgreSQL's), `socket`, `postgresql.log`, `nostro.conf` and `port`. The server does not
//! end with the process that started it; a start that finds it running adopts it, unless it runs on another port or with
//! other settings than asked for, and then it is restarted. Nothing here takes a server for ours without a look at the
//! process behind it.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use crate::data_dir::Instance;
use crate::error::LocalError;
use crate::files;
use crate::initdb;
use crate::pid_file::{PidFile, Status};
use crate::port::{self, PortChoice};
use crate::process::{self, wait_until};
use crate::server::{self, Stop};
use crate::settings::{self, Durability};
use crate::socket_dir;

/// Recovery after a crash replays up to a checkpoint's worth of log; generous, since giving up leaves a server behind.
const START_WAIT_S_MAX: u64 = 120;

/// Each attempt loses its port to another process; many tests start at once.
const PORT_ATTEMPTS_MAX: u32 = 20;

/// A start that fails for another reason than its port is tried once more: what was in its way may just have ended.
const OTHER_ATTEMPTS_MAX: u32 = 2;

/// At a start, a longer log becomes `postgresql.log.1`.
const LOG_BYTES_MAX: u64 = 64 << 20;

/// How much of the log's end is read for an error.
const TAIL_BYTES_MAX: u64 = 64 << 10;
const TAIL_LINES_MAX: usize = 15;

/// PostgreSQL's own limit on `cluster_name`.
const NAME_BYTES_MAX: usize = 63;

/// What a cluster is to be.
#[derive(Clone, Debug)]
pub struct ClusterSpec {
    /// Names the directory and the processes: one to 63 of `A-Z a-z 0-9 - _`.
    pub name: String,
    /// How it gets its port.
    pub port: PortChoice,
    /// PostgreSQL settings; they hold on each start and win over the defaults.
    pub settings: Vec<(String, String)>,
    /// What it must survive.
    pub durability: Durability,
}

/// What a branch's cluster is given beyond PostgreSQL's defaults; docs/operating/databases.md recommends the same.
/// Nothing here gives up durability.
const BRANCH_SETTINGS: [(&str, &str); 8] = [
    ("max_prepared_transactions", "64"),
    // The accounts, the right edge of the ids and the open pages of history stay in memory.
    ("shared_buffers", "512MB"),
    // After a checkpoint each page that is touched is written whole to the log: so fewer checkpoints.
    ("max_wal_size", "4GB"),
    ("checkpoint_timeout", "15min"),
    // Log files are used again instead of made anew: a new one is filled with zeros first, while a commit waits.
    ("min_wal_size", "1GB"),
    // A batch of thousands writes some megabytes of log before its one flush.
    ("wal_buffers", "64MB"),
    // No statement of the bank is long enough to be worth compiling.
    ("jit", "off"),
    // Vacuum takes a smaller share of a core for longer: rows are updated in their pages, which clear themselves, and a
    // batch is one transaction, so nothing waits for it, while batches would wait for the core.
    ("autovacuum_vacuum_cost_limit", "50"),
];

impl ClusterSpec {
    /// A branch's cluster as `nostro up` runs it: what is measured is what is run.
    pub fn branch(name: &str, port: PortChoice) -> Self {
        Self {
            name: name.to_owned(),
            port,
            settings: BRANCH_SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            durability: Durability::Full,
        }
    }
}

/// How a cluster came to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It was made and started.
    Created,
    /// It was there and has been started.
    Started,
    /// It was running already.
    Adopted,
}

/// One cluster of an instance.
#[derive(Debug)]
pub struct Cluster {
    instance: Arc<Instance>,
    spec: ClusterSpec,
    home: PathBuf,
    data: PathBuf,
    socket_dir: PathBuf,
    port: u16,
}

impl Cluster {
    pub(crate) fn new(instance: Arc<Instance>, spec: ClusterSpec) -> Cluster {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        assert!(
            (1..=NAME_BYTES_MAX).contains(&spec.name.len()) && spec.name.bytes().all(is_plain),
            "a cluster is named by one to {NAME_BYTES_MAX} of A-Z a-z 0-9 - _, not {:?}",
            spec.name
        );
        let home = instance.path.join(&spec.name);
        let data = home.join("data");
        let socket_dir = socket_dir::planned(&home);
        let port = remembered_port(&home).unwrap_or(0);
        Cluster { instance, spec, home, data, socket_dir, port }
    }

    /// Makes the cluster if there is none, starts it if it does not run, and waits until it accepts connections.
    pub fn start(&mut self) -> Result<Start, LocalError> {
        initdb::remove_leftovers(&self.instance.path, &self.spec.name)?;
        let is_new = !self.home.exists();
        if is_new {
            initdb::make(&self.instance, &self.spec.name, &self.home, self.spec.durability)?;
        }
        self.check_major()?;
        self.socket_dir = socket_dir::prepare(&self.home, &self.instance.user)?;
        if self.adopt()? {
            return Ok(Start::Adopted);
        }
        self.launch()?;
        Ok(if is_new { Start::Created } else { Start::Started })
    }

    /// Stops the server and waits until it is gone; one that does not run is stopped already.
    pub fn stop(&mut self, how: Stop) -> Result<(), LocalError> {
        server::stop(&self.data, how)
    }

    /// Stops the server at once and deletes the cluster with all of its data.
    pub fn wipe(&mut self) -> Result<(), LocalError> {
        server::destroy(&self.data)?;
        socket_dir::forget(&self.home)?;
        // renamed first: half a cluster must not look like one
        let wiped = self.home.with_extension("wiped");
        files::remove_tree(&wiped)?;
        match fs::rename(&self.home, &wiped) {
            Err(error) if self.home.exists() => return Err(LocalError::io("rename", &self.home)(error)),
            Ok(()) | Err(_) => {}
        }
        files::remove_tree(&wiped)
    }

    /// Kills the postmaster, as a crash would, and waits until it is gone. Its children may live a moment longer.
    pub fn kill(&mut self) -> Result<(), LocalError> {
        server::kill(&self.data)
    }

    /// Whether a server of this cluster runs.
    pub fn is_running(&self) -> bool {
        PidFile::of_running(&self.data).is_some()
    }

    /// The TCP port of the last start; 0 before the first.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The only address it listens on.
    pub fn host(&self) -> &str {
        "127.0.0.1"
    }

    /// The directory of the Unix socket, which only the user who runs PostgreSQL can enter.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The name of the superuser.
    pub fn superuser(&self) -> &str {
        initdb::SUPERUSER
    }

    /// The superuser's password.
    pub fn password(&self) -> &str {
        &self.instance.password
    }

    /// PostgreSQL's log.
    pub fn log_path(&self) -> PathBuf {
        self.home.join("postgresql.log")
    }

    /// PostgreSQL's data directory.
    pub fn data_path(&self) -> &Path {
        &self.data
    }

    /// The process number of the running server.
    pub fn postmaster_pid(&self) -> Option<u32> {
        PidFile::of_running(&self.data).map(|server| server.pid)
    }

    fn check_major(&self) -> Result<(), LocalError> {
        let (data, home) = (self.data.clone(), self.home.clone());
        let Ok(found) = fs::read_to_string(data.join("PG_VERSION")) else {
            return Err(LocalError::Damaged { data, home });
        };
        let (found, expected) = (found.trim().to_owned(), self.instance.binaries.major());
        if found == expected.to_string() { Ok(()) } else { Err(LocalError::OtherMajor { data, home, expected, found }) }
    }

    /// Takes over a server that runs already; false if there is none that will do, and then none runs.
    fn adopt(&mut self) -> Result<bool, LocalError> {
        let Some(server) = PidFile::of_running(&self.data) else { return Ok(false) };
        if server.status == Status::Stopping {
            server::wait_stopped(&self.data, server.pid)?;
            return Ok(false);
        }
        let settings_now = fs::read_to_string(self.settings_path()).unwrap_or_default();
        if !self.spec.port.admits(server.port) || settings_now != self.settings() {
            tracing::info!(
                cluster = self.spec.name,
                "restarting a server that runs with another port or other settings"
            );
            server::stop(&self.data, Stop::Fast)?;
            return Ok(false);
        }
        let mut now = None;
        let is_settled = wait_until(START_WAIT_S_MAX * 1000, || {
            now = PidFile::of_running(&self.data).map(|file| file.status);
            now != Some(Status::Starting)
        });
        if !is_settled {
            return Err(self.start_failed(0));
        }
        if now != Some(Status::Ready) {
            return Ok(false);
        }
        self.remember_port(server.port)?;
        Ok(true)
    }

    /// Starts the server, which does not run.
    fn launch(&mut self) -> Result<(), LocalError> {
        files::write_whole(&self.settings_path(), &self.settings(), 0o644)?;
        self.rotate_log()?;
        let mut other_failures = 0;
        for _ in 0..PORT_ATTEMPTS_MAX {
            server::clear_remains(&self.data)?;
            socket_dir::clear(&self.socket_dir)?;
            let before = Some(self.port).filter(|port| *port != 0);
            let port = self.spec.port.choose(before, &self.spec.name)?;
            let log_bytes = fs::metadata(self.log_path()).map_or(0, |log| log.len());
            if self.pg_ctl_start(port)? {
                self.check_server(port)?;
                return self.remember_port(port);
            }
            if self.is_running() {
                return Err(self.start_failed(log_bytes));
            }
            if port::is_free(port) {
                other_failures += 1;
            }
            if other_failures == OTHER_ATTEMPTS_MAX {
                return Err(self.start_failed(log_bytes));
            }
        }
        Err(self.start_failed(0))
    }

    /// Whether pg_ctl brought the server up. It and the server write to the log: a pipe would stay open as long as the
    /// server lives.
    fn pg_ctl_start(&self, port: u16) -> Result<bool, LocalError> {
        let log_path = self.log_path();
        let log = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&log_path)
            .map_err(LocalError::io("open", &log_path))?;
        self.instance.user.own(&log_path)?;
        let stdout = log.try_clone().map_err(LocalError::io("open", &log_path))?;
        let program = self.instance.binaries.program("pg_ctl");
        let status = self
            .instance
            .user
            .command(&program)
            .args(["start", "--wait", "--silent", "--timeout", &START_WAIT_S_MAX.to_string()])
            .arg("--pgdata")
            .arg(&self.data)
            .arg("--log")
            .arg(&log_path)
            .args(["--options", &format!("-p {port}")])
            .stdout(Stdio::from(stdout))
            .stderr(Stdio::from(log))
            .status()
            .map_err(LocalError::io("run", &program))?;
        Ok(status.success())
    }

    fn check_server(&self, port: u16) -> Result<(), LocalError> {
        let found = match PidFile::of_running(&self.data) {
            Some(server) if server.port == port => return Ok(()),
            Some(server) => format!("it on port {}", server.port),
            None => match PidFile::claimed(&self.data).filter(|file| process::is_alive(file.pid)) {
                Some(other) => format!("process {}, which is not a postgres of {}", other.pid, self.data.display()),
                None => "none".to_owned(),
            },
        };
        Err(LocalError::UnexpectedServer { cluster: self.spec.name.clone(), port, found, log: self.log_path() })
    }

    fn settings_path(&self) -> PathBuf {
        self.home.join(settings::FILE)
    }

    fn settings(&self) -> String {
        settings::render(&self.spec.name, self.spec.durability, &self.spec.settings, &self.socket_dir)
    }

    fn remember_port(&mut self, port: u16) -> Result<(), LocalError> {
        self.port = port;
        if remembered_port(&self.home) == Some(port) {
            return Ok(());
        }
        files::write_whole(&port_path(&self.home), &format!("{port}\n"), 0o644)
    }

    fn rotate_log(&self) -> Result<(), LocalError> {
        let log = self.log_path();
        if fs::metadata(&log).is_ok_and(|found| found.len() > LOG_BYTES_MAX) {
            fs::rename(&log, self.home.join("postgresql.log.1")).map_err(LocalError::io("rename", &log))?;
        }
        Ok(())
    }

    /// The failure with what the log got since it was `from` bytes long.
    fn start_failed(&self, from: u64) -> LocalError {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut log = fs::File::open(self.log_path())?;
            let from = from.max(log.metadata()?.len().saturating_sub(TAIL_BYTES_MAX));
            log.seek(SeekFrom::Start(from))?;
            let mut text = Vec::new();
            log.read_to_end(&mut text)?;
            Ok(text)
        };
        let tail = initdb::tail(&read().unwrap_or_default(), TAIL_LINES_MAX);
        LocalError::StartFailed { cluster: self.spec.name.clone(), log: self.log_path(), tail }
    }
}

fn port_path(home: &Path) -> PathBuf {
    home.join("port")
}

fn remembered_port(home: &Path) -> Option<u16> {
    fs::read_to_string(port_path(home)).ok()?.trim().parse().ok()
}
