//! pgbench's TPC-B on one database: what the same machine does without a second branch and without a bank's checks.

use crate::error::BenchError;
use crate::rig::Rig;
use std::process::Stdio;
use tokio::process::Command;

/// Connections and threads, as everybody compares them.
const CLIENTS: &str = "32";
const THREADS: &str = "2";
const DATABASE: &str = "nostro_bench_tpcb";

/// What pgbench told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) transactions: u64,
    pub(crate) per_s: f64,
    pub(crate) mean_ms: f64,
}

/// pgbench with a database of its own at the first branch.
#[derive(Debug)]
pub(crate) struct Tpcb {
    program: std::path::PathBuf,
    admin: tokio_postgres::Config,
}

impl Tpcb {
    /// Makes the database and fills it; or why there is no TPC-B.
    pub(crate) async fn prepare(rig: &Rig, scale: u32) -> Result<Result<Self, String>, BenchError> {
        let program = rig.binaries.as_ref().map(|binaries| binaries.dir().join("pgbench"));
        let Some(program) = program.filter(|program| program.is_file()) else {
            return Ok(Err("TPC-B was left out: there is no pgbench among PostgreSQL's programs (Debian: postgresql-contrib or postgresql-client)".to_owned()));
        };
        let Some(admin) = rig.branches.first().and_then(|branch| branch.admin.clone()) else {
            return Ok(Err("TPC-B was left out: the first branch has no `admin` to make a database with".to_owned()));
        };
        let tpcb = Self { program, admin };
        tpcb.admin_statement(&format!("drop database if exists {DATABASE}")).await?;
        tpcb.admin_statement(&format!("create database {DATABASE}")).await?;
        tpcb.pgbench(&["-i", "-q", "-s", &scale.to_string()]).await?;
        Ok(Ok(tpcb))
    }

    /// Runs for some seconds.
    pub(crate) async fn run(&self, seconds: u64) -> Result<Told, BenchError> {
        let said = self.pgbench(&["-c", CLIENTS, "-j", THREADS, "-T", &seconds.to_string(), "-n"]).await?;
        read(&said).ok_or(BenchError::Program { program: "pgbench", said })
    }

    /// Drops the database.
    pub(crate) async fn remove(self) -> Result<(), BenchError> {
        self.admin_statement(&format!("drop database {DATABASE}")).await
    }

    async fn admin_statement(&self, statement: &str) -> Result<(), BenchError> {
        let session = crate::database::Session::open_plain(&self.admin).await?;
        session.client.batch_execute(statement).await.map_err(BenchError::database("the database of TPC-B"))
    }

    async fn pgbench(&self, arguments: &[&str]) -> Result<String, BenchError> {
        use tokio_postgres::config::Host;
        let host = match self.admin.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => "localhost".to_owned(),
        };
        let password = String::from_utf8_lossy(self.admin.get_password().unwrap_or_default()).into_owned();
        let port = self.admin.get_ports().first().copied().unwrap_or(5432).to_string();
        let output = Command::new(&self.program)
            .args(["-h", &host, "-p", &port, "-U", self.admin.get_user().unwrap_or("postgres")])
            .args(arguments)
            .arg(DATABASE)
            // Not an argument: those are in everybody's list of processes.
            .env("PGPASSWORD", password)
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .output()
            .await
            .map_err(BenchError::io(format!("run {}", self.program.display())))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        Err(BenchError::Program { program: "pgbench", said: text(&output.stderr) })
    }
}

fn read(said: &str) -> Option<Told> {
    let after = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    Some(Told {
        transactions: after("number of transactions actually processed: ")?.parse().ok()?,
        per_s: after("tps = ")?.parse().ok()?,
        mean_ms: after("latency average = ")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pgbench_says_is_read() {
        let said = "transaction type: <builtin: TPC-B (sort of)>\nnumber of transactions actually processed: 27451\n\
                    number of failed transactions: 0 (0.000%)\nlatency average = 11.652 ms\ninitial connection time = 60.1 ms\n\
                    tps = 2746.366094 (without initial connection time)\n";
        let told = read(said).unwrap();
        assert_eq!((told.transactions, told.per_s.round(), told.mean_ms.round()), (27_451, 2746.0, 12.0));
        assert!(read("nothing").is_none());
    }
}
