//! Finds what a dead coordinator left: prepared transactions of ours that are older than a threshold.
//!
//! Any number of servers may recover, at once; they all run the same `resolve`. The threshold, on the database's
//! own clock, only decides when to try, never an outcome: a batch that is merely slow is at worst aborted.

use crate::connector::{ConnectError, Connector};
use crate::driver::{Resolution, resolve};
use crate::id::{Batch, Deployment, Gid, Part};
use crate::link::Link;
use std::time::{Duration, SystemTime};
use tokio::time::timeout;
use tokio_postgres::{Client, Error};

/// One `resolve` of a recovery gives up after this; the next sweep tries again.
const PATIENCE: Duration = Duration::from_secs(5);

/// One look at a part takes at most this long.
const LOOK_MAX: Duration = Duration::from_secs(3);

/// A prepared transaction of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Its name.
    pub gid: Gid,
    /// Since it was prepared, on the database's own clock.
    pub age: Duration,
}

impl Prepared {
    /// The batch that it belongs to.
    pub fn batch(&self) -> Batch {
        Batch { id: self.gid.batch, participants: self.gid.participants.clone() }
    }
}

/// The prepared transactions of a deployment in the database that `client` is connected to, oldest first.
pub async fn list(client: &Client, deployment: &Deployment) -> Result<Vec<Prepared>, Error> {
    let rows = client
        .query(
            "select gid, (extract(epoch from clock_timestamp() - prepared) * 1000)::bigint as age_ms
             from pg_prepared_xacts
             where database = current_database()
               and starts_with(gid, $1)
             order by prepared",
            &[&format!("n1:{deployment}:")],
        )
        .await?;
    let listed = rows.iter().filter_map(|row| {
        let gid: &str = row.get("gid");
        let age = Duration::from_millis(u64::try_from(row.get::<_, i64>("age_ms")).unwrap_or(0));
        match gid.parse() {
            Ok(gid) => Some(Prepared { gid, age }),
            Err(error) => {
                tracing::error!(gid, %error, "a prepared transaction has our prefix but not our form");
                None
            }
        }
    });
    Ok(listed.collect())
}

/// Looks at one part again and again over one connection, made anew when it breaks.
#[derive(Debug)]
pub struct Sweeper {
    part: Part,
    link: Option<Link>,
}

impl Sweeper {
    /// Of one part.
    pub fn new(part: Part) -> Self {
        Self { part, link: None }
    }

    /// The prepared transactions of ours at this part.
    pub async fn list(&mut self, connector: &Connector) -> Result<Vec<Prepared>, ConnectError> {
        let link = match self.link.take().filter(|link| !link.is_closed()) {
            Some(link) => link,
            None => connector.connect(self.part).await?,
        };
        let listed = timeout(LOOK_MAX, list(link.client(), connector.deployment()))
            .await
            .map_err(|_| ConnectError::TimedOut(self.part))?
            .map_err(|error| ConnectError::Unreachable(self.part, error))?;
        self.link = Some(link);
        Ok(listed)
    }

    /// The clock of the part, over the connection of the last look.
    pub async fn clock(&self) -> Result<SystemTime, ConnectError> {
        let link = self.link.as_ref().ok_or(ConnectError::TimedOut(self.part))?;
        let question = link.client().query_one("select clock_timestamp()", &[]);
        let row = timeout(LOOK_MAX, question).await.map_err(|_| ConnectError::TimedOut(self.part))?;
        let time = row.and_then(|row| row.try_get(0));
        time.map_err(|error| ConnectError::Unreachable(self.part, error))
    }
}

/// Resolves one batch, as recovery does.
pub async fn recover(connector: &Connector, prepared: &Prepared) -> Resolution {
    let batch = prepared.batch();
    let age_ms = u64::try_from(prepared.age.as_millis()).unwrap_or(u64::MAX);
    let resolution = resolve(connector, &batch, PATIENCE, |_| {}).await;
    match resolution.verdict {
        Some(verdict) => {
            tracing::info!(batch = %batch.id, ?verdict, finished = resolution.finished, age_ms, "recovered a batch in doubt");
        }
        None => tracing::warn!(batch = %batch.id, age_ms, "home does not answer, the batch stays in doubt"),
    }
    resolution
}
