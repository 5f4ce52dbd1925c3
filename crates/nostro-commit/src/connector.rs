//! Where the databases are, and that each is the one it should be.
//!
//! Every new connection takes the role that prepares and finishes, sets what the protocol needs of a session and
//! compares the database's identity with the configuration's, so that two configurations cannot misroute a
//! batch, a copy cannot finish the original's transactions, and a server that cannot prepare is refused.

use crate::id::{Deployment, Part};
use crate::link::Link;
use crate::message::Message;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, Error, Row};

/// SQL is written for this version and later (`server_version_num`).
pub const SERVER_VERSION_MIN: i32 = 150_000;
/// One new connection, with everything that is asked on it, takes at most this long.
const CONNECT_MS_MAX: u64 = 3_000;

/// What a database says it is. The incarnation is learnt, not configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The deployment that it belongs to.
    pub deployment: Deployment,
    /// Its code.
    pub part: Part,
    /// Its number, which the application gives it.
    pub number: u32,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (number {}) of deployment {}", self.part, self.number, self.deployment)
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The part is not configured.
    #[error("no database is configured for {0}")]
    UnknownPart(Part),
    /// The network, the server or the credentials.
    #[error("the database of {0} cannot be reached")]
    Unreachable(Part, #[source] Error),
    /// It did not answer in time.
    #[error("the database of {0} did not answer within {CONNECT_MS_MAX} ms")]
    TimedOut(Part),
    /// It answers, but has no tables of ours.
    #[error("the database of {0} has no tables of nostro: run `nostro migrate`")]
    NotMigrated(Part, #[source] Error),
    /// It is another one than the configuration says.
    #[error("expected the database of {expected}, found {found}")]
    WrongIdentity {
        /// By the configuration.
        expected: Identity,
        /// By the database.
        found: String,
    },
    /// Its cluster is not the one in which it was made.
    #[error("the database of {0} is a copy: its cluster is not the one that it was stamped in")]
    Copied(Part),
    /// It was restored while this process ran.
    #[error("the database of {part} changed its incarnation from {before} to {now}: restart this server")]
    Restored {
        /// Where.
        part: Part,
        /// As first seen.
        before: i32,
        /// As it is.
        now: i32,
    },
    /// `max_prepared_transactions` is too small.
    #[error(
        "the database of {0} has max_prepared_transactions = {1}, at least 2 are needed: set it to 64 in postgresql.conf and restart that server"
    )]
    PreparedDisabled(Part, i32),
    /// PostgreSQL is too old.
    #[error("the database of {0} is PostgreSQL {1}, at least {SERVER_VERSION_MIN} (15) is needed")]
    TooOld(Part, i32),
}

/// Makes connections to the parts of one deployment.
#[derive(Debug)]
pub struct Connector {
    deployment: Deployment,
    targets: BTreeMap<Part, Target>,
}

#[derive(Debug)]
struct Target {
    config: Config,
    number: u32,
    /// Seen on the first connection; a change means a restore.
    incarnation: Mutex<Option<i32>>,
}

impl Connector {
    /// Of a deployment, without parts yet.
    pub fn new(deployment: Deployment) -> Self {
        Self { deployment, targets: BTreeMap::new() }
    }

    /// Adds the database of a part with the number that the application gives it.
    pub fn with_part(mut self, part: Part, number: u32, mut config: Config) -> Self {
        // A peer that vanished without a word is given up after about ten seconds.
        config
            .connect_timeout(Duration::from_millis(CONNECT_MS_MAX))
            .keepalives(true)
            .keepalives_idle(Duration::from_secs(5))
            .keepalives_interval(Duration::from_secs(2))
            .keepalives_retries(3)
            .tcp_user_timeout(Duration::from_secs(10));
        self.targets.insert(part, Target { config, number, incarnation: Mutex::new(None) });
        self
    }

    /// The deployment.
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// Every part, in byte order.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        self.targets.keys().copied()
    }

    /// A new connection to a part, checked.
    pub async fn connect(&self, part: Part) -> Result<Link, ConnectError> {
        let target = self.targets.get(&part).ok_or(ConnectError::UnknownPart(part))?;
        let limit = Duration::from_millis(CONNECT_MS_MAX);
        let connecting = async {
            let link = Link::connect(&target.config).await.map_err(|error| ConnectError::Unreachable(part, error))?;
            let row = introduce(&link, part).await?;
            self.check(part, target, &row)?;
            Ok(link)
        };
        tokio::time::timeout(limit, connecting).await.map_err(|_| ConnectError::TimedOut(part))?
    }

    fn check(&self, part: Part, target: &Target, row: &Row) -> Result<(), ConnectError> {
        let version: i32 = row.get("version");
        if version < SERVER_VERSION_MIN {
            return Err(ConnectError::TooOld(part, version));
        }
        let slots: i32 = row.get("slots");
        if slots < 2 {
            return Err(ConnectError::PreparedDisabled(part, slots));
        }
        let (deployment, code, number): (&str, &str, i32) =
            (row.get("deployment"), row.get("part"), row.get("part_number"));
        let expected = Identity { deployment: self.deployment.clone(), part, number: target.number };
        let found = format!("{code} (number {number}) of deployment {deployment}");
        if found != expected.to_string() {
            return Err(ConnectError::WrongIdentity { expected, found });
        }
        if !row.get::<_, bool>("original") {
            return Err(ConnectError::Copied(part));
        }
        let now: i32 = row.get("incarnation");
        let mut seen = target.incarnation.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match *seen {
            Some(before) if before != now => Err(ConnectError::Restored { part, before, now }),
            Some(_) | None => {
                *seen = Some(now);
                Ok(())
            }
        }
    }
}

/// Takes the role, sets the session, asks who it is: one message and one query, sent together.
async fn introduce(link: &Link, part: Part) -> Result<Row, ConnectError> {
    let unreachable = |error| ConnectError::Unreachable(part, error);
    let session = format!(
        "{} set role nostro_commit;
         set default_transaction_isolation = 'read committed';
         set synchronous_commit = on;
         set idle_in_transaction_session_timeout = '15s'",
        Message::OpenSession
    );
    let session = link.client().batch_execute(&session);
    let question = format!(
        "{} select n.deployment, n.part, n.part_number, n.incarnation,
                n.system_identifier = c.system_identifier as original,
                current_setting('max_prepared_transactions')::integer as slots,
                current_setting('server_version_num')::integer as version
         from batch_number n, pg_control_system() c",
        Message::OpenSession
    );
    let question = link.client().query_one(&question, &[]);
    let (session, row) = futures_util::future::join(session, question).await;
    match (session, row) {
        (Ok(()), Ok(row)) => Ok(row),
        (Err(error), _) | (Ok(()), Err(error)) => Err(match error.code() {
            Some(code)
                if *code == SqlState::UNDEFINED_TABLE
                    || *code == SqlState::INSUFFICIENT_PRIVILEGE
                    || *code == SqlState::INVALID_PARAMETER_VALUE =>
            {
                ConnectError::NotMigrated(part, error)
            }
            Some(_) => unreachable(error),
            // No code and not closed: the one row is not there.
            None if !link.is_closed() => ConnectError::NotMigrated(part, error),
            None => unreachable(error),
        }),
    }
}
