//! Finds what a dead coordinator left: prepared transactions of ours that are older than a threshold.
//!
//! Any number of servers may recover, at once; they all run the same `resolve`. The threshold, on the database's
//! own clock, only decides when to try, never an outcome: a batch that is merely slow is at worst aborted.
//!
//! It also reads, without changing anything, what an operator wants to know of a batch in doubt: who waits for it,
//! and what home has recorded.

use crate::connector::{ConnectError, Connector};
use crate::coordinator::Verdict;
use crate::driver::{Resolution, resolve};
use crate::id::{Batch, BatchId, Deployment, Gid, Part, Participants};
use crate::link::Link;
use crate::statement;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use tokio::time::timeout;
use tokio_postgres::{Client, Error, Row};

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

/// Prepared transactions of everybody in one PostgreSQL server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    /// Taken, by whichever program and database.
    pub used: u32,
    /// `max_prepared_transactions`.
    pub max: u32,
}

/// What one look at a database finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The prepared transactions of ours, oldest first.
    pub prepared: Vec<Prepared>,
    /// Of the whole server.
    pub slots: Slots,
    /// Whether it was connected to anew: what stands there may be another server than before.
    pub connected: bool,
}

/// A session that waits for a prepared transaction of ours, or behind a session that does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// What it waits for.
    pub gid: Gid,
    /// The session's process at the database.
    pub pid: i32,
    /// As the session calls itself.
    pub application: String,
    /// What it waits for in PostgreSQL's words: `transactionid`, `tuple`, `relation`, `advisory`, ...
    pub lock: String,
    /// The mode in which it wants the lock.
    pub mode: String,
    /// Since it began to wait, on the database's own clock.
    pub waited: Duration,
    /// Whether the prepared transaction itself is in its way, and not only a session that waits for it.
    pub direct: bool,
}

/// What a home has recorded of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Its row.
    Decided(Verdict),
    /// No row: whoever resolves it aborts it, unless it is decided first.
    Nothing,
    /// No row, and home is of another incarnation than the batch: its row may be lost, so it cannot be resolved.
    Restored,
}

/// What one database knows of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// By the name of a prepared transaction that is here.
    pub prepared: Option<Batch>,
    /// By a decision or marker row.
    pub recorded: Option<Batch>,
}

/// The beginning of every gid of a deployment.
fn beginning(deployment: &Deployment) -> String {
    format!("n1:{deployment}:")
}

/// The prepared transactions of a deployment in the database that `client` is connected to, oldest first.
pub async fn list(client: &Client, deployment: &Deployment) -> Result<Vec<Prepared>, Error> {
    Ok(look(client, deployment).await?.prepared)
}

/// The same, with the slots of the whole server, in one round trip.
pub async fn look(client: &Client, deployment: &Deployment) -> Result<Look, Error> {
    let rows = client.query(statement::LOOK, &[&beginning(deployment)]).await?;
    let figure = |row: &Row, name| u32::try_from(row.get::<_, i32>(name)).unwrap_or(0);
    let mut look = Look::default();
    for row in &rows {
        look.slots = Slots { used: figure(row, "used"), max: figure(row, "slots") };
        let Some(gid) = row.get::<_, Option<&str>>("gid") else { continue };
        look.prepared.extend(ours(gid).map(|gid| Prepared { gid, age: milliseconds(row, "age_ms") }));
    }
    Ok(look)
}

fn ours(gid: &str) -> Option<Gid> {
    match gid.parse() {
        Ok(gid) => Some(gid),
        Err(error) => {
            tracing::error!(gid, %error, "a prepared transaction has our prefix but not our form");
            None
        }
    }
}

fn milliseconds(row: &Row, name: &str) -> Duration {
    Duration::from_millis(u64::try_from(row.get::<_, i64>(name)).unwrap_or(0))
}

/// The sessions that wait for prepared transactions of a deployment in this database, those behind them included.
pub async fn waiting(client: &Client, deployment: &Deployment) -> Result<Vec<Waiter>, Error> {
    let rows = client.query(statement::WAITING, &[&beginning(deployment)]).await?;
    let waiting = rows.iter().filter_map(|row| {
        Some(Waiter {
            gid: ours(row.get("gid"))?,
            pid: row.get("pid"),
            application: row.get("application"),
            lock: row.get("locktype"),
            mode: row.get("mode"),
            waited: milliseconds(row, "waited_ms"),
            direct: row.get("direct"),
        })
    });
    Ok(waiting.collect())
}

/// What this home has recorded, read without changing anything. For people: a batch without a row may still be
/// decided, and a row that was only read may not be on a standby yet. Only [`resolve`] is an answer to act on.
pub async fn decisions(client: &Client, batches: &[BatchId]) -> Result<BTreeMap<BatchId, Recorded>, Error> {
    let ids: Vec<String> = batches.iter().map(ToString::to_string).collect();
    let rows = client.query(statement::READ_DECISIONS, &[&ids]).await?;
    let mut decisions = BTreeMap::new();
    for row in &rows {
        let present = u32::try_from(row.get::<_, i32>("incarnation")).unwrap_or(0);
        for batch in batches {
            let missing = if batch.incarnation == present { Recorded::Nothing } else { Recorded::Restored };
            decisions.entry(*batch).or_insert(missing);
        }
        let id = row.get::<_, Option<&str>>("id").and_then(|id| id.parse().ok());
        let outcome = row.get::<_, Option<&str>>("outcome");
        if let (Some(id), Some(outcome)) = (id, outcome) {
            let verdict = if outcome == "committed" { Verdict::Committed } else { Verdict::Aborted };
            decisions.insert(id, Recorded::Decided(verdict));
        }
    }
    Ok(decisions)
}

/// What this database knows of a batch: from it the batch's participants are learnt.
pub async fn traces(client: &Client, deployment: &Deployment, id: BatchId) -> Result<Traces, Error> {
    let BatchId { home, incarnation, number } = id;
    let beginning = format!("{}{home}:{incarnation}:{number}:", beginning(deployment));
    let mut traces = Traces::default();
    for row in client.query(statement::TRACES, &[&id.to_string(), &beginning]).await? {
        if let Some(gid) = row.get::<_, Option<&str>>("gid").and_then(ours) {
            traces.prepared = Some(Batch { id, participants: gid.participants });
        }
        let parts: Vec<&str> = row.get::<_, Option<Vec<&str>>>("parts").unwrap_or_default();
        let participants = parts.iter().filter_map(|part| part.parse().ok()).filter(|part| *part != home);
        if let (false, Ok(participants)) = (parts.is_empty(), Participants::new(home, participants)) {
            traces.recorded = Some(Batch { id, participants });
        }
    }
    Ok(traces)
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

    /// The prepared transactions of ours at this part, and its slots.
    pub async fn look(&mut self, connector: &Connector) -> Result<Look, ConnectError> {
        let (link, connected) = match self.link.take().filter(|link| !link.is_closed()) {
            Some(link) => (link, false),
            None => (connector.connect(self.part).await?, true),
        };
        let found = timeout(LOOK_MAX, look(link.client(), connector.deployment()))
            .await
            .map_err(|_| ConnectError::TimedOut(self.part))?
            .map_err(|error| ConnectError::Unreachable(self.part, error))?;
        self.link = Some(link);
        Ok(Look { connected, ..found })
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
    let resolution = settle(connector, &batch).await;
    match resolution.verdict {
        Some(verdict) => {
            tracing::info!(batch = %batch.id, ?verdict, finished = resolution.finished, age_ms, "recovered a batch in doubt");
        }
        None if resolution.alarms.is_empty() => {
            tracing::warn!(batch = %batch.id, age_ms, "home does not answer, the batch stays in doubt");
        }
        // The alarm is logged.
        None => {}
    }
    resolution
}

/// Resolves one batch for as long as recovery does, whoever asks for it.
pub async fn settle(connector: &Connector, batch: &Batch) -> Resolution {
    resolve(connector, batch, PATIENCE, |_| {}).await
}
