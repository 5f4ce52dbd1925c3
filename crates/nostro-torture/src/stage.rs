//! What is tortured: two clusters, one or two servers, and a wire from each server to each cluster.
//!
//! Every part can be taken down and put back while the others go on. What is done to one part is done one thing after
//! the other: a second kill waits for the restart after the first.

use crate::books::Access;
use crate::databases::Databases;
use crate::logs::{self, Hit};
use crate::server::Server;
use crate::wire::Wire;
use nostro_client::Client;
use nostro_local::TemporaryCluster;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

/// A start that fails is tried again so often; each failure is told.
const START_ATTEMPTS_MAX: u32 = 5;
const START_PAUSE: Duration = Duration::from_millis(500);

/// One server: a process that comes and goes.
struct Slot {
    config: PathBuf,
    server: tokio::sync::Mutex<Option<Server>>,
    client: RwLock<Client>,
    starts: AtomicU32,
}

/// All of it. Servers end first, then the clusters.
pub struct Stage {
    slots: Vec<Slot>,
    /// By server, then by branch.
    pub wires: Vec<BTreeMap<&'static str, Wire>>,
    clusters: BTreeMap<&'static str, Arc<Mutex<TemporaryCluster>>>,
    /// By branch: the way around the wires.
    pub access: BTreeMap<&'static str, Access>,
    databases: Databases,
    begin: RwLock<Instant>,
    log: Mutex<Vec<String>>,
    /// Servers that did not start or ended by themselves.
    server_failures: Mutex<Vec<String>>,
}

impl Stage {
    /// Starts everything.
    pub async fn set(servers: usize) -> Self {
        // What the bank's own tests log is too much for a run of many minutes.
        let settings: &[(&str, &str)] = &[("log_statement", "none"), ("max_connections", "200")];
        let mut databases = Databases::start_with(settings).await;
        let mut wires = Vec::new();
        let mut slots = Vec::new();
        for _ in 0..servers {
            let mut own = BTreeMap::new();
            for (code, cluster) in &databases.clusters {
                own.insert(*code, Wire::to(cluster.port()).await);
            }
            let config = databases.config(&own.iter().map(|(code, wire)| (*code, wire)).collect());
            let server = Server::start_on(&config).await;
            let client = RwLock::new(server.client.clone());
            slots.push(Slot {
                config,
                server: tokio::sync::Mutex::new(Some(server)),
                client,
                starts: AtomicU32::new(0),
            });
            wires.push(own);
        }
        let clusters = std::mem::take(&mut databases.clusters);
        let access = clusters
            .iter()
            .map(|(code, cluster)| (*code, Access { port: cluster.port(), password: cluster.password().to_owned() }))
            .collect();
        let clusters = clusters.into_iter().map(|(code, cluster)| (code, Arc::new(Mutex::new(cluster)))).collect();
        Self {
            slots,
            wires,
            clusters,
            access,
            databases,
            begin: RwLock::new(Instant::now()),
            log: Mutex::default(),
            server_failures: Mutex::default(),
        }
    }

    /// How many servers there are.
    pub fn servers(&self) -> usize {
        self.slots.len()
    }

    /// The offsets in the log begin here.
    pub fn begin(&self, instant: Instant) {
        *self.begin.write().unwrap() = instant;
    }

    /// Tells what happens, to standard error and for the report.
    pub fn tell(&self, what: &str) {
        let line = format!("{:>8} ms  {what}", self.begin.read().unwrap().elapsed().as_millis());
        eprintln!("{line}");
        self.log.lock().unwrap().push(line);
    }

    /// Everything that was told.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Servers that did not start, or ended by themselves.
    pub fn server_failures(&self) -> Vec<String> {
        self.server_failures.lock().unwrap().clone()
    }

    /// A client of a server, as it is now. While the server is down it connects to nobody.
    pub fn client(&self, server: usize) -> Client {
        self.slots[server].client.read().unwrap().clone()
    }

    /// `kill -9`, a pause, a start. Whether there was a server to kill and there is one now.
    pub async fn kill_server(&self, at: usize, down: Duration) -> bool {
        let slot = &self.slots[at];
        let mut server = slot.server.lock().await;
        self.see_it_runs(at, server.as_mut());
        let killed = server.take();
        let was_there = killed.is_some();
        if let Some(mut killed) = killed {
            killed.kill();
        }
        tokio::time::sleep(down).await;
        for attempt in 0..START_ATTEMPTS_MAX {
            let start = slot.starts.fetch_add(1, Ordering::Relaxed) + 1;
            let config = slot.config.with_file_name(format!("server-{at}-start-{start}.toml"));
            std::fs::copy(&slot.config, &config).unwrap();
            // In a task of its own: a server that does not start panics in there.
            let starting = tokio::spawn(async move { Server::start_on(&config).await });
            match starting.await {
                Ok(started) => {
                    *slot.client.write().unwrap() = started.client.clone();
                    *server = Some(started);
                    return was_there;
                }
                Err(error) => self.server_failed(format!("server {at} does not start, attempt {attempt}: {error}")),
            }
            tokio::time::sleep(START_PAUSE).await;
        }
        false
    }

    /// SIGSTOP, a pause, SIGCONT; unless it is killed meanwhile.
    pub async fn pause_server(&self, at: usize, length: Duration) {
        let slot = &self.slots[at];
        let starts = slot.starts.load(Ordering::Relaxed);
        if let Some(server) = slot.server.lock().await.as_ref() {
            server.pause();
        }
        tokio::time::sleep(length).await;
        let server = slot.server.lock().await;
        if let Some(server) = server.as_ref().filter(|_| slot.starts.load(Ordering::Relaxed) == starts) {
            server.resume();
        }
    }

    /// A server that is not there although nobody killed it is told.
    pub async fn see_that_servers_run(&self) {
        for (at, slot) in self.slots.iter().enumerate() {
            self.see_it_runs(at, slot.server.lock().await.as_mut());
        }
    }

    fn see_it_runs(&self, at: usize, server: Option<&mut Server>) {
        match server.map(Server::is_running) {
            Some(true) => {}
            Some(false) => self.server_failed(format!("server {at} ended by itself")),
            None => self.server_failed(format!("server {at} is not there")),
        }
    }

    fn server_failed(&self, what: String) {
        self.tell(&what);
        self.server_failures.lock().unwrap().push(what);
    }

    /// The PostgreSQL server of a branch ends as told, and starts after a pause.
    pub async fn restart_database(
        &self,
        branch: &'static str,
        end: impl FnOnce(&mut TemporaryCluster) + Send + 'static,
        down: Duration,
    ) {
        let cluster = Arc::clone(&self.clusters[branch]);
        let port = self.access[branch].port;
        let restarted = tokio::task::spawn_blocking(move || {
            let mut cluster = cluster.lock().unwrap();
            end(&mut cluster);
            std::thread::sleep(down);
            cluster.start().unwrap();
            assert_eq!(cluster.port(), port, "the wires lead to the port of the first start");
        });
        restarted.await.expect("a PostgreSQL server that was killed starts again");
    }

    /// What the logs of all clusters and of all starts of all servers have that no fault explains.
    pub fn log_hits(&self) -> Vec<Hit> {
        let mut hits = Vec::new();
        for cluster in self.clusters.values() {
            let log = cluster.lock().unwrap().log_path();
            // A long one was moved aside at a start.
            for log in [log.with_extension("log.1"), log] {
                hits.extend(logs::scan(&log, &logs::OF_POSTGRESQL).unwrap());
            }
        }
        let mut written: Vec<PathBuf> =
            std::fs::read_dir(&self.databases.directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        written.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
        written.sort();
        assert!(written.len() >= self.slots.len(), "found {} logs of {} servers", written.len(), self.slots.len());
        for log in &written {
            hits.extend(logs::scan(log, &logs::OF_SERVERS).unwrap());
        }
        hits
    }

    /// Keeps what is needed to look into a failure: configurations, servers' logs, PostgreSQL's data and logs. Ends
    /// everything. Gives the directory.
    pub async fn keep(self: Arc<Self>, name: &str) -> PathBuf {
        let kept = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&kept).unwrap();
        for slot in &self.slots {
            slot.server.lock().await.take();
        }
        std::fs::write(kept.join("schedule.log"), self.log().join("\n")).unwrap();
        copy(&self.databases.directory, &kept.join("servers"));
        for (code, cluster) in &self.clusters {
            let mut cluster = cluster.lock().unwrap();
            let _ = cluster.stop(nostro_local::Stop::Fast);
            let home = cluster.data_path().parent().expect("data is in the cluster's home").to_owned();
            copy(&home, &kept.join(code));
        }
        kept
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    if !copied.is_ok_and(|status| status.success()) {
        eprintln!("not everything of {} could be kept", from.display());
    }
}
