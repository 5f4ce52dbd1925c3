//! The lock phase of a batch: gates in branch order, then all locks at once, then the gates are left.
//!
//! Between the first gate and the last lock others wait, so nothing else happens there; an error there closes the
//! connections, which opens the gates.

use crate::bank::{Bank, Branch, GATE_WAIT};
use crate::item::Item;
use crate::pool::Lease;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use nostro_commit::with_sources;
use nostro_core::{AccountNumber, BranchCode};
use nostro_store::lock::{self, Asked, At, Entering, Leaving, Locked};
use nostro_store::rows::RowError;
use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::MutexGuard;
use tokio::time::timeout;

/// From home's gate to the last lock, the other gate included. Home's other batches wait meanwhile.
const INSIDE_WAIT: Duration = Duration::from_secs(2);

/// A branch of a batch, with its accounts locked and its gate being left.
pub(crate) struct LockedSite {
    pub(crate) lease: Lease,
    pub(crate) locked: Locked,
    /// To be waited for before the connection is given back, with whatever was sent behind it.
    pub(crate) leaving: Leaving,
}

/// Why the lock phase came to nothing.
pub(crate) enum Trouble {
    /// A gate or a row was not given in time.
    Locked,
    /// A connection was lost.
    Lost,
    /// A row is not as this program writes it.
    Malformed,
}

/// Locks what the transfers touch at the branches, which come in branch order with a connection and a question each.
pub(crate) async fn run(
    bank: &Bank,
    branches: &[&Branch],
    leases: Vec<Lease>,
    items: &[Item],
    asked: &[Asked],
) -> Result<Vec<LockedSite>, Trouble> {
    let accounts: Vec<Vec<AccountNumber>> =
        branches.iter().map(|branch| touched(branch.config.branch.code, items)).collect();
    let mut sites = branches.iter().zip(&leases).zip(&accounts).zip(asked);
    let Some((((home, lease), accounts), asked)) = sites.next() else { return Err(Trouble::Lost) };
    let (gate, locked) =
        timeout(GATE_WAIT, enter(bank, home, lease, accounts, asked)).await.map_err(|_| Trouble::Locked)??;
    // From here on home's other batches wait, whatever the other branch does.
    let inside = async {
        let (mut gates, mut rows) = (Vec::new(), BTreeMap::new());
        let mut locking = FuturesUnordered::from_iter([numbered(0, locked)]);
        for (at, (((branch, lease), accounts), asked)) in (1_usize..).zip(sites) {
            let mut entering = pin!(enter(bank, branch, lease, accounts, asked));
            // The rows of earlier branches are taken in meanwhile, and the first failure ends it.
            let (gate, locked) = loop {
                tokio::select! {
                    entered = &mut entering => break entered?,
                    Some((at, locked)) = locking.next() => {
                        rows.insert(at, locked.map_err(trouble)?);
                    }
                }
            };
            gates.push(gate);
            locking.push(numbered(at, locked));
        }
        while let Some((at, locked)) = locking.next().await {
            rows.insert(at, locked.map_err(trouble)?);
        }
        let leaving: Vec<Leaving> = leases.iter().map(|lease| lock::leave_gate(lease.session.link.client())).collect();
        Ok((rows.into_values(), leaving))
    };
    let (rows, leaving) = timeout(INSIDE_WAIT, inside).await.map_err(|_| Trouble::Locked)??;
    drop(gate);
    let sites = leases.into_iter().zip(rows).zip(leaving);
    Ok(sites.map(|((lease, locked), leaving)| LockedSite { lease, locked, leaving }).collect())
}

/// The rows of a branch, asked for and not heard of yet.
type Locking<'a> = BoxFuture<'a, Result<Locked, RowError>>;

/// With the place of its branch.
fn numbered(at: usize, locking: Locking<'_>) -> impl Future<Output = (usize, Result<Locked, RowError>)> {
    locking.map(move |rows| (at, rows))
}

/// This server's own gate first, so that its batches do not crowd the one in the database. The rows are asked for
/// right behind the gate.
async fn enter<'a>(
    bank: &'a Bank,
    branch: &'a Branch,
    lease: &'a Lease,
    accounts: &'a [AccountNumber],
    asked: &'a Asked,
) -> Result<(MutexGuard<'a, ()>, Locking<'a>), Trouble> {
    let own = branch.gate.lock().await;
    let (session, at) = (&lease.session, At { branch: branch.config.branch, directory: &bank.directory });
    let Entering { entered, locked } = lock::enter(session.link.client(), &session.statements, at, accounts, asked);
    entered.await.map_err(|error| trouble(error.into()))?;
    Ok((own, locked))
}

/// The accounts of a branch that the transfers touch, each once.
fn touched(code: BranchCode, items: &[Item]) -> Vec<AccountNumber> {
    let mut accounts: Vec<AccountNumber> =
        items.iter().flat_map(Item::accounts).filter(|number| number.branch() == code).collect();
    // In order, because neighbours share a page; compared by number, which is cheaper than by key and the same order.
    accounts.sort_unstable();
    accounts.dedup();
    accounts
}

fn trouble(error: RowError) -> Trouble {
    if lock::is_lock_timeout(&error) {
        return Trouble::Locked;
    }
    match &error {
        RowError::Database(_) => {
            tracing::info!(error = with_sources(error), "the lock phase was interrupted, planning again");
            Trouble::Lost
        }
        RowError::Malformed { .. } => {
            tracing::error!(error = with_sources(error), "a branch's database is in a wrong state");
            Trouble::Malformed
        }
    }
}
