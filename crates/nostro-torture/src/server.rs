//! The binary `nostro serve`, started and ended by a test.

use crate::databases::{Databases, KEY};
use crate::program::binary;
use crate::wire::Wire;
use nostro_client::Client;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running server; killed when it is dropped.
pub struct Server {
    child: Child,
    /// Where the API is.
    pub url: String,
    /// Where the console is, if the configuration has one.
    pub console: Option<String>,
    /// With the operator's key.
    pub client: Client,
}

impl Server {
    /// Starts and waits until the API listens.
    pub async fn start(databases: &Databases) -> Self {
        Self::start_through(databases, &[]).await
    }

    /// Reaches the branches that have a wire through it.
    pub async fn start_through(databases: &Databases, wires: &[(&'static str, &Wire)]) -> Self {
        let wires: BTreeMap<&'static str, &Wire> = wires.iter().copied().collect();
        Self::start_on(&databases.config(&wires)).await
    }

    /// With a line more at the head of the configuration.
    pub async fn start_with_setting(databases: &Databases, setting: &str) -> Self {
        Self::start_set(databases, &[], setting).await
    }

    /// Both: wires, and a line more at the head of the configuration.
    pub async fn start_set(databases: &Databases, wires: &[(&'static str, &Wire)], setting: &str) -> Self {
        let wires: BTreeMap<&'static str, &Wire> = wires.iter().copied().collect();
        let config = databases.config(&wires);
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, format!("{setting}\n{text}")).unwrap();
        Self::start_on(&config).await
    }

    /// On a configuration that was written before; the log stands beside it.
    pub async fn start_on(config: &Path) -> Self {
        let log = std::fs::File::create(config.with_extension("log")).unwrap();
        let mut child = Command::new(binary())
            .args(["serve", "--config", config.to_str().unwrap()])
            .env("NOSTRO_LOG", "info")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let has_console = std::fs::read_to_string(config).unwrap().contains("console =");
        let addresses = tokio::task::spawn_blocking(move || {
            let mut lines = stdout.lines().map_while(Result::ok);
            let mut value =
                |name: &str| lines.find_map(|line| line.strip_prefix(name).map(|rest| rest.trim().to_owned()));
            let url = value("API");
            let console = if has_console { value("Console") } else { None };
            // The pipe is read on, so that the server never waits for it.
            std::thread::spawn(move || lines.for_each(drop));
            url.map(|url| (url, console))
        });
        let Some((url, console)) = addresses.await.unwrap() else {
            let log = std::fs::read_to_string(config.with_extension("log")).unwrap();
            panic!("the server did not start: {log}");
        };
        Self { client: Client::new(&url, KEY), url, console, child }
    }

    /// SIGKILL, and the process is gone when this returns.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Whether the process is there.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGSTOP: it stands still, and its connections stay open.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success(), "kill {signal} of a server failed");
    }

    /// SIGTERM; the exit code.
    pub fn stop(&mut self) -> Option<i32> {
        self.signal("-TERM");
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
