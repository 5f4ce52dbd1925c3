//! What is measured: the branches' databases and the servers on them, started and ended by the bench.
//!
//! Whatever happens, a dropped rig leaves nothing behind: servers are killed, clusters wiped, the directory deleted.
//! Databases that were given stay as they are, with the bench's accounts and transfers in them.

use crate::database::{Branch, Session};
use crate::error::BenchError;
use crate::machine;
use crate::options::{Databases, Options};
use crate::server::{self, Server};
use nostro_core::{BranchCode, BranchNumber};
use nostro_local::{Binaries, Cluster, ClusterSpec, DataDir, PortChoice};
use std::path::{Path, PathBuf};

/// Codes of the branches that the bench makes, home of any two being the first.
const CODES: [&str; 8] = ["AZ", "TX", "CA", "NY", "FL", "WA", "IL", "OH"];
const DATABASE: &str = "nostro";
const LOGIN: &str = "nostro";

/// A server that has run for a while uses its log files again (up to `min_wal_size`, 64 of 16 MiB); a new one makes each
/// while a commit waits. Measured is what has run for a while, by whoever writes.
const USE_LOG_FILES: &str = "do $$ begin
    for file in 1..64 loop
      perform pg_logical_emit_message(false, 'bench', 'a record, so that there is something to switch');
      perform pg_switch_wal();
    end loop;
  end $$";

/// Databases, servers and the way to them.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) branches: Vec<Branch>,
    pub(crate) servers: Vec<Server>,
    /// The operator's.
    pub(crate) key: String,
    /// PostgreSQL's programs, where they were found.
    pub(crate) binaries: Option<Binaries>,
    clusters: Vec<Cluster>,
    /// Ours alone; deleted at the end.
    pub(crate) directory: PathBuf,
    config: PathBuf,
}

impl Rig {
    /// Starts the clusters or takes the given databases, and migrates them. No server runs yet.
    pub(crate) async fn start(options: &Options) -> Result<Self, BenchError> {
        match &options.databases {
            Databases::Own { directory, pg_bin, branches } => {
                machine::refuse_memory(directory)?;
                let mut rig = Self::clusters(&fresh(directory), pg_bin.as_deref(), *branches)?;
                rig.migrate_own(options).await?;
                Ok(rig)
            }
            Databases::Given { directory, pg_bin, config, key, branches } => {
                let directory = fresh(directory);
                std::fs::create_dir_all(&directory).map_err(BenchError::io(format!("make {}", directory.display())))?;
                let rig = Self {
                    branches: branches.clone(),
                    servers: Vec::new(),
                    key: key.clone(),
                    binaries: Binaries::find(pg_bin.as_deref()).ok(),
                    clusters: Vec::new(),
                    config: directory.join("nostro.toml"),
                    directory,
                };
                std::fs::write(&rig.config, config)
                    .map_err(BenchError::io(format!("write {}", rig.config.display())))?;
                if branches.iter().all(|branch| branch.admin.is_some()) {
                    server::migrate(&options.program, &rig.config).await?;
                }
                Ok(rig)
            }
        }
    }

    /// Blocks while they start: a task that started them would go on when the bench is told to stop.
    fn clusters(directory: &Path, pg_bin: Option<&Path>, branches: usize) -> Result<Self, BenchError> {
        let binaries = Binaries::find(pg_bin)?;
        let data = DataDir::open(directory, binaries.clone())?;
        let spec = |code: &&str| ClusterSpec::branch(&code.to_lowercase(), PortChoice::Free);
        let mut rig = Self {
            branches: Vec::new(),
            servers: Vec::new(),
            key: data.secret("operator.key")?,
            binaries: Some(binaries),
            clusters: CODES.iter().take(branches).map(|code| data.cluster(spec(code))).collect(),
            directory: data.path().to_owned(),
            config: data.path().join("nostro.toml"),
        };
        let started: Vec<_> = std::thread::scope(|scope| {
            let starting: Vec<_> =
                rig.clusters.iter_mut().map(|cluster| scope.spawn(move || cluster.start())).collect();
            starting.into_iter().map(|thread| thread.join().expect("starting a cluster does not panic")).collect()
        });
        started.into_iter().collect::<Result<Vec<_>, _>>()?;
        let password = data.secret("nostro-password")?;
        data.write_private("postgres.password", rig.clusters.first().map_or("", Cluster::password))?;
        let mut text = "deployment = \"bench\"\napi = \"127.0.0.1:0\"\noperator_key_file = \"operator.key\"\n\
                        requests_per_second_max = 1000000\n"
            .to_owned();
        for (at, (cluster, code)) in rig.clusters.iter().zip(CODES).enumerate() {
            let (port, number) = (cluster.port(), u32::try_from(at + 1).unwrap_or(1));
            text += &format!(
                "\n[[branch]]\ncode = \"{code}\"\nnumber = {number}\nname = \"{code}\"\ntime_zone = \"UTC\"\n\
                 database = \"postgres://{LOGIN}@127.0.0.1:{port}/{DATABASE}\"\npassword_file = \"nostro-password\"\n\
                 admin = \"postgres://{}@127.0.0.1:{port}/postgres\"\nadmin_password_file = \"postgres.password\"\n",
                cluster.superuser()
            );
            rig.branches.push(branch(cluster, code, number, &password));
        }
        data.write_private("nostro.toml", &text)?;
        Ok(rig)
    }

    async fn migrate_own(&mut self, options: &Options) -> Result<(), BenchError> {
        server::migrate(&options.program, &self.config).await?;
        for branch in &self.branches {
            let Some(admin) = &branch.admin else { continue };
            let session = Session::open_plain(admin).await?;
            for statement in [USE_LOG_FILES, "checkpoint"] {
                session.client.batch_execute(statement).await.map_err(BenchError::database("the log files"))?;
            }
        }
        Ok(())
    }

    /// Starts so many servers.
    pub(crate) async fn serve(&mut self, options: &Options) -> Result<(), BenchError> {
        for number in 1..=options.servers {
            let log = self.directory.join(format!("server-{number}.log"));
            self.servers.push(Server::start(&options.program, &self.config, log).await?);
        }
        Ok(())
    }

    /// Ends the servers as an operator would, then everything else.
    pub(crate) async fn stop(mut self) -> Result<(), BenchError> {
        for server in std::mem::take(&mut self.servers) {
            server.stop().await?;
        }
        Ok(())
    }

    /// A session at each branch, in the order of the branches.
    pub(crate) async fn sessions(&self) -> Result<Vec<Session>, BenchError> {
        let mut sessions = Vec::new();
        for branch in &self.branches {
            sessions.push(Session::open(&branch.database).await?);
        }
        Ok(sessions)
    }

    /// Statistics, clean pages and an empty log, so that no run pays for the one before. Where there is no
    /// superuser, PostgreSQL does it in its own time.
    pub(crate) async fn settle(&self) -> Result<(), BenchError> {
        for branch in &self.branches {
            let Some(mut admin) = branch.admin.clone() else { continue };
            admin.dbname(branch.database.get_dbname().unwrap_or(DATABASE));
            let session = Session::open_plain(&admin).await?;
            for statement in ["vacuum analyze", "checkpoint"] {
                session.client.batch_execute(statement).await.map_err(BenchError::database(statement))?;
            }
        }
        Ok(())
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.servers.clear();
        for cluster in &mut self.clusters {
            if let Err(error) = cluster.wipe() {
                eprintln!("nostro: a cluster of the bench was not wiped: {error}");
            }
        }
        if let Err(error) = std::fs::remove_dir_all(&self.directory) {
            eprintln!("nostro: {} was not deleted: {error}", self.directory.display());
        }
    }
}

fn fresh(directory: &Path) -> PathBuf {
    directory.join(format!("nostro-bench-{}", std::process::id()))
}

fn branch(cluster: &Cluster, code: &str, number: u32, password: &str) -> Branch {
    let code: BranchCode = code.parse().expect("the codes above are codes");
    let number = BranchNumber::new(number).expect("one to eight are numbers of branches");
    let mut database = tokio_postgres::Config::new();
    database.host(cluster.host()).port(cluster.port()).dbname(DATABASE).user(LOGIN).password(password);
    let mut admin = tokio_postgres::Config::new();
    admin.host(cluster.host()).port(cluster.port()).dbname("postgres");
    admin.user(cluster.superuser()).password(cluster.password());
    Branch { code, number, database, admin: Some(admin) }
}
