//! Clusters of a test's own, two unless it asks for more, migrated by `nostro migrate`.

use crate::program::run;
use crate::wire::Wire;
use nostro_local::TemporaryCluster;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio_postgres::{Client, NoTls};

/// The operator's key.
pub const KEY: &str = "an-operator-key-for-tests-only";
/// The key that only reads.
pub const AUDITOR_KEY: &str = "an-auditor-key-for-tests-only";
const PASSWORD: &str = "a-password-for-tests-only";
const DEPLOYMENT: &str = "test";
static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A branch's cluster, by its code.
pub struct Databases {
    /// By branch.
    pub clusters: BTreeMap<&'static str, TemporaryCluster>,
    /// Holds configurations, keys and the servers' logs.
    pub directory: PathBuf,
}

impl Databases {
    /// Starts both clusters with log_statement = all and further settings, and migrates them.
    pub async fn start_with(settings: &'static [(&'static str, &'static str)]) -> Self {
        Self::start_branches(&["AZ", "TX"], settings).await
    }

    /// Starts a cluster for each of these branches.
    pub async fn start_branches(codes: &[&'static str], settings: &'static [(&'static str, &'static str)]) -> Self {
        let start = |code: &'static str| {
            tokio::task::spawn_blocking(move || {
                let mut all = vec![("log_statement", "all"), ("log_lock_waits", "on"), ("log_line_prefix", "%m [%p] ")];
                all.extend_from_slice(settings);
                (code, TemporaryCluster::start(&code.to_lowercase(), &all).unwrap())
            })
        };
        let starting: Vec<_> = codes.iter().map(|code| start(code)).collect();
        let mut clusters = BTreeMap::new();
        for task in starting {
            let (code, cluster) = task.await.unwrap();
            clusters.insert(code, cluster);
        }
        let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
        // Of the form that the next run sweeps, should this one be killed.
        let directory = std::env::temp_dir().join(format!("nostro-test-{}-1{counter}-bank", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let databases = Self { clusters, directory };
        databases.write("operator.key", KEY);
        databases.write("auditor.key", AUDITOR_KEY);
        databases.write("password", PASSWORD);
        for cluster in databases.clusters.values() {
            databases.write(&format!("{}.admin", cluster.port()), cluster.password());
        }
        let config = databases.config(&BTreeMap::new());
        let migrated = run(&["migrate", "--config", config.to_str().unwrap()]);
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        databases
    }

    /// Both clusters with no further settings.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.join(name), text).unwrap();
    }

    /// Writes a configuration; branches that have a wire are reached through it.
    pub fn config(&self, wires: &BTreeMap<&'static str, &Wire>) -> PathBuf {
        let mut text = format!(
            "deployment = \"{DEPLOYMENT}\"\napi = \"127.0.0.1:0\"\noperator_key_file = \"operator.key\"\n\
             auditor_key_file = \"auditor.key\"\norigins = [\"http://allowed.example\"]\n"
        );
        for (at, (code, cluster)) in self.clusters.iter().enumerate() {
            let port = wires.get(code).map_or(cluster.port(), |wire| wire.port());
            let admin = cluster.port();
            let (number, zone) = (at + 1, if *code == "AZ" { "America/Phoenix" } else { "America/Chicago" });
            text += &format!(
                "\n[[branch]]\ncode = \"{code}\"\nnumber = {number}\nname = \"{code}\"\ntime_zone = \"{zone}\"\n\
                 database = \"postgres://nostro@127.0.0.1:{port}/nostro\"\npassword_file = \"password\"\n\
                 admin = \"postgres://postgres@127.0.0.1:{admin}/postgres\"\nadmin_password_file = \"{admin}.admin\"\n"
            );
        }
        let name = format!("nostro-{}.toml", COUNTER.fetch_add(1, Ordering::Relaxed));
        self.write(&name, &text);
        self.directory.join(name)
    }

    /// Of a branch.
    pub fn cluster(&self, code: &str) -> &TemporaryCluster {
        &self.clusters[code]
    }

    /// Of a branch, to stop and start it.
    pub fn cluster_mut(&mut self, code: &str) -> &mut TemporaryCluster {
        self.clusters.get_mut(code).unwrap()
    }

    /// A superuser's connection to the branch's database, for looking and for tampering.
    pub async fn admin(&self, code: &str) -> Client {
        self.connect(code, "postgres", self.cluster(code).password()).await
    }

    /// A connection as the server's login, which may do no more than the server.
    pub async fn login(&self, code: &str) -> Client {
        self.connect(code, "nostro", PASSWORD).await
    }

    async fn connect(&self, code: &str, user: &str, password: &str) -> Client {
        let cluster = self.cluster(code);
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(cluster.port()).user(user).password(password).dbname("nostro");
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Runs statements as the superuser.
    pub async fn sql(&self, code: &str, statement: &str) {
        self.admin(code).await.batch_execute(statement).await.unwrap();
    }

    /// The first column of the first row, as text.
    pub async fn value(&self, code: &str, query: &str) -> String {
        let row = self.admin(code).await.query_one(&format!("select ({query})::text"), &[]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_else(|| "null".into())
    }

    /// What PostgreSQL logged.
    pub fn log(&self, code: &str) -> String {
        std::fs::read_to_string(self.cluster(code).log_path()).unwrap()
    }

    /// Waits until no prepared transaction is left anywhere, at most so long.
    pub async fn nothing_prepared_within(&self, limit: Duration) -> Duration {
        let begin = Instant::now();
        loop {
            let mut prepared = String::new();
            for code in self.clusters.keys() {
                let query = "select coalesce(string_agg(gid, ' '), '') from pg_prepared_xacts where gid like 'n1:%'";
                prepared += &self.value(code, query).await;
            }
            if prepared.is_empty() {
                return begin.elapsed();
            }
            assert!(begin.elapsed() < limit, "still prepared after {limit:?}: {prepared}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until every transaction that is open now at a branch has ended, one way or the other, at most so long.
    pub async fn what_is_open_ends_within(&self, code: &str, limit: Duration) {
        let open = "select coalesce(string_agg(pid || ' ' || xact_start, ','), '') from pg_stat_activity
            where xact_start is not null and pid <> pg_backend_pid()";
        let begin = Instant::now();
        let before = self.value(code, open).await;
        loop {
            let now = self.value(code, open).await;
            if !before.split(',').any(|one| !one.is_empty() && now.contains(one)) {
                return;
            }
            assert!(begin.elapsed() < limit, "still open at {code} after {limit:?}: {now}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What must hold at the end of every test: nothing prepared, no deadlock, every decision with its markers.
    pub async fn finish(&self) {
        self.nothing_prepared_within(Duration::from_secs(10)).await;
        for code in self.clusters.keys() {
            assert!(!self.log(code).contains("deadlock detected"), "a deadlock at {code}");
        }
        self.every_batch_is_whole().await;
    }

    /// Each batch that is committed anywhere is committed at all of its parts.
    pub async fn every_batch_is_whole(&self) {
        let mut decided = BTreeMap::new();
        for code in self.clusters.keys() {
            let rows = self
                .admin(code)
                .await
                .query(
                    "select id, parts from batch where outcome = 'committed'
                     union all
                     select batch, parts from participation where outcome = 'committed'",
                    &[],
                )
                .await
                .unwrap();
            for row in rows {
                let batch: &mut Vec<String> =
                    decided.entry((row.get::<_, String>(0), row.get::<_, Vec<String>>(1))).or_default();
                batch.push((*code).to_owned());
            }
        }
        for ((batch, mut parts), mut seen) in decided {
            parts.sort();
            seen.sort();
            assert_eq!(parts, seen, "batch {batch} is committed at some of its parts only");
        }
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A statement with its parameters written out.
pub fn filled(statement: &str, values: &[&str]) -> String {
    // From the last, since $1 is also how $12 begins.
    let numbered = (1..).zip(values).collect::<Vec<(usize, _)>>();
    numbered.iter().rev().fold(statement.to_owned(), |text, (at, value)| text.replace(&format!("${at}"), value))
}
