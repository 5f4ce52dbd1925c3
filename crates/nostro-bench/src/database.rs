//! Connections to the branches, and what PostgreSQL tells of itself: version, settings, counters.
//!
//! Nothing here knows a table of the bank.

use crate::error::BenchError;
use nostro_core::{BranchCode, BranchNumber};
use serde::Serialize;
use tokio_postgres::{Client, Config, NoTls};
use tokio_util::task::AbortOnDropHandle;

/// One branch's database.
#[derive(Clone, Debug)]
pub struct Branch {
    /// In account numbers.
    pub code: BranchCode,
    /// In account keys.
    pub number: BranchNumber,
    /// As the server's login.
    pub database: Config,
    /// As a superuser in the database `postgres`, if there is one.
    pub admin: Option<Config>,
}

/// A connection whose task ends with it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    _driver: AbortOnDropHandle<()>,
}

/// What PostgreSQL says of how much a commit is worth.
#[derive(Clone, Debug, Serialize)]
pub struct Durability {
    /// Of the server.
    pub postgresql: String,
    /// `fsync`, `synchronous_commit` and others, by name.
    pub settings: Vec<(String, String)>,
}

/// PostgreSQL's own counters; they only grow.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) wal_bytes: u64,
    pub(crate) wal_flushes: u64,
    pub(crate) rows: u64,
}

impl Session {
    /// As the role that the server works as: what it prepares it may finish.
    pub(crate) async fn open(config: &Config) -> Result<Self, BenchError> {
        let session = Self::open_plain(config).await?;
        // The planner's settings are those of the engine's writers: every statement finds its rows by key.
        let settings = "set role nostro_commit; set synchronous_commit = on; set lock_timeout = '30s'; set jit = off;
             set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_hashjoin = off;
             set enable_mergejoin = off";
        session.client.batch_execute(settings).await.map_err(BenchError::database("the server's role"))?;
        Ok(session)
    }

    /// As whoever logs in.
    pub(crate) async fn open_plain(config: &Config) -> Result<Self, BenchError> {
        let mut config = config.clone();
        config.application_name("nostro bench");
        let (client, connection) = config.connect(NoTls).await.map_err(BenchError::database("a connection"))?;
        let driver = tokio::spawn(async move {
            // Its end reaches whoever uses the client, as an error of the next statement.
            let _ = connection.await;
        });
        Ok(Self { client, _driver: AbortOnDropHandle::new(driver) })
    }

    /// The postmaster behind the connection, if it runs on this machine.
    pub(crate) async fn postmaster(&self) -> Result<Option<u32>, BenchError> {
        let row = self.client.query_one("select pg_backend_pid()", &[]).await;
        let row = row.map_err(BenchError::database("its process number"))?;
        let backend = u32::try_from(row.get::<_, i32>(0)).ok();
        Ok(backend.and_then(crate::process::postmaster_of))
    }

    pub(crate) async fn durability(&self) -> Result<Durability, BenchError> {
        let what = BenchError::database;
        let version = self.client.query_one("show server_version", &[]).await.map_err(what("its version"))?;
        let settings = self
            .client
            .query(
                "select name, current_setting(name)
                 from pg_settings
                 where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'wal_sync_method', 'commit_delay',
                   'synchronous_standby_names', 'shared_buffers', 'max_wal_size', 'wal_compression', 'data_checksums')
                 order by name",
                &[],
            )
            .await
            .map_err(what("its settings"))?;
        let settings = settings.iter().map(|row| (row.get(0), row.get(1))).collect();
        Ok(Durability { postgresql: version.get(0), settings })
    }

    /// Of the whole cluster.
    pub(crate) async fn counters(&self) -> Result<Counters, BenchError> {
        let row = self
            .client
            .query_one(
                "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint,
                        (select wal_sync from pg_stat_wal),
                        (select sum(tup_inserted + tup_updated)::bigint from pg_stat_database)",
                &[],
            )
            .await
            .map_err(BenchError::database("its counters"))?;
        let figure = |at: usize| u64::try_from(row.get::<_, i64>(at)).unwrap_or(0);
        Ok(Counters { wal_bytes: figure(0), wal_flushes: figure(1), rows: figure(2) })
    }
}
