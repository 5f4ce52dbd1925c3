//! The connections of one branch.
//!
//! A pool is bounded; whoever holds a [`Lease`] holds one of its places. A connection is given back only when it
//! is outside a transaction and without any doubt; a lease that is dropped closes it.

use crate::mutex::locked;
use nostro_commit::{ConnectError, Connector, Link, Part};
use nostro_store::statements::{Purpose, Statements};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_postgres::Client;

/// Connections to one branch, at most so many.
#[derive(Debug)]
pub(crate) struct Pool {
    part: Part,
    purpose: Purpose,
    places: Arc<Semaphore>,
    lock_wait: Duration,
    idle: Mutex<Vec<Session>>,
}

/// A connection with its prepared statements.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) link: Link,
    pub(crate) statements: Statements,
}

/// A connection and its place in the pool.
#[derive(Debug)]
pub(crate) struct Lease {
    pool: Arc<Pool>,
    pub(crate) session: Session,
    place: OwnedSemaphorePermit,
}

/// The place of a connection that is in the hands of the commit.
#[derive(Debug)]
pub(crate) struct Slot {
    pool: Arc<Pool>,
    statements: Statements,
    _place: OwnedSemaphorePermit,
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LeaseError {
    #[error("every connection was busy for too long")]
    Busy,
    #[error("no connection")]
    Connect(#[from] ConnectError),
    #[error("the statements were not prepared")]
    Prepare(#[source] tokio_postgres::Error),
}

impl Pool {
    /// `lock_wait` bounds each wait for a lock, the gate included.
    pub(crate) fn new(part: Part, purpose: Purpose, places: usize, lock_wait: Duration) -> Arc<Self> {
        Arc::new(Self {
            part,
            purpose,
            places: Arc::new(Semaphore::new(places)),
            lock_wait,
            idle: Mutex::new(Vec::new()),
        })
    }

    /// An idle connection, or a new one. Waits at most `wait` for a place.
    pub(crate) async fn lease(self: &Arc<Self>, connector: &Connector, wait: Duration) -> Result<Lease, LeaseError> {
        let place = timeout(wait, Arc::clone(&self.places).acquire_owned()).await.map_err(|_| LeaseError::Busy)?;
        let place = place.expect("the pool's semaphore is never closed");
        let idle = self.take_idle();
        let session = match idle {
            Some(session) => session,
            None => {
                let link = connector.connect(self.part).await?;
                // Boxed: it is seldom needed, and large, as every statement is prepared at once.
                let opening = Box::pin(Statements::open(link.client(), self.purpose, self.lock_wait));
                let opening = timeout(wait, opening);
                let statements = opening.await.map_err(|_| LeaseError::Busy)?.map_err(LeaseError::Prepare)?;
                Session { link, statements }
            }
        };
        Ok(Lease { pool: Arc::clone(self), session, place })
    }

    fn take_idle(&self) -> Option<Session> {
        let mut idle = locked(&self.idle);
        idle.retain(|session| !session.link.is_closed());
        idle.pop()
    }

    fn keep(&self, session: Session) {
        if !session.link.is_closed() {
            locked(&self.idle).push(session);
        }
    }
}

impl Lease {
    /// For statements. Apart from the lease, which is given away with the question; it does not outlive the connection.
    pub(crate) fn client(&self) -> Arc<Client> {
        Arc::clone(self.session.link.client())
    }

    /// The connection is outside a transaction and without doubt.
    pub(crate) fn give_back(self) {
        self.pool.keep(self.session);
    }

    /// Hands the connection to the commit; its place stays taken.
    pub(crate) fn split(self) -> (Link, Slot) {
        let Self { pool, session: Session { link, statements }, place } = self;
        (link, Slot { pool, statements, _place: place })
    }
}

impl Slot {
    /// The commit is through with the connection and has no doubt about it.
    pub(crate) fn give_back(self, link: Link) {
        self.pool.keep(Session { link, statements: self.statements });
    }
}
