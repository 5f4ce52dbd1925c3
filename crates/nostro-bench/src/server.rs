//! The real server as a process of its own, so that its CPU and memory are told apart from the load's.
//!
//! Its output is read on, so that it never waits for the pipe; its log goes to a file. A dropped server is killed.

use crate::error::BenchError;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio_util::task::AbortOnDropHandle;

/// It connects to all branches first, and recovers what is in doubt.
const START_WAIT: Duration = Duration::from_secs(60);
/// It finishes what is in flight, at most 15 s.
const STOP_WAIT: Duration = Duration::from_secs(20);
/// Of a log, for an error.
const TAIL_LINES: usize = 5;

/// A running `nostro serve`.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) pid: u32,
    /// Such as `http://127.0.0.1:40123`.
    pub(crate) url: String,
    _output: AbortOnDropHandle<()>,
}

impl Server {
    /// Starts and waits until the API listens.
    pub(crate) async fn start(program: &Path, config: &Path, log: PathBuf) -> Result<Self, BenchError> {
        let file = File::create(&log).map_err(BenchError::io(format!("write {}", log.display())))?;
        let mut child = command(program)
            .args(["serve", "--config"])
            .arg(config)
            .env("NOSTRO_LOG", "warn")
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .map_err(BenchError::io(format!("run {}", program.display())))?;
        let pid = child.id().unwrap_or(0);
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped, three lines above")).lines();
        let address = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(rest) = line.strip_prefix("API") {
                    return Some(rest.trim().to_owned());
                }
            }
            None
        };
        let Ok(Some(url)) = tokio::time::timeout(START_WAIT, address).await else {
            return Err(BenchError::Program { program: "nostro serve", said: tail(&log) });
        };
        let output = tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, pid, url, _output: AbortOnDropHandle::new(output) })
    }

    /// Lets it finish what is in flight.
    pub(crate) async fn stop(mut self) -> Result<(), BenchError> {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let ended = tokio::time::timeout(STOP_WAIT, self.child.wait()).await;
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(BenchError::Program { program: "nostro serve", said: status.to_string() }),
            Ok(Err(source)) => Err(BenchError::Io { what: "wait for nostro serve".to_owned(), source }),
            Err(_) => Err(BenchError::Program { program: "nostro serve", said: "it did not stop".to_owned() }),
        }
    }
}

/// `nostro migrate` on a configuration.
pub(crate) async fn migrate(program: &Path, config: &Path) -> Result<(), BenchError> {
    let output = command(program)
        .args(["migrate", "--config"])
        .arg(config)
        .env("NOSTRO_LOG", "warn")
        .output()
        .await
        .map_err(BenchError::io(format!("run {}", program.display())))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(BenchError::Program { program: "nostro migrate", said })
}

/// In a process group of its own: Ctrl-C in a terminal is for the bench, which then ends what it started.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    command
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default().join("\n")
}
