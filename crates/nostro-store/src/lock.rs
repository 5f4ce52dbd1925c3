//! The lock phase of a batch at one branch.
//!
//! The gate is a session-level advisory lock, entered at each branch of the batch in branch order, before the first
//! row lock there, and left when all rows are locked everywhere. Inside, the rows are locked in any order; nobody
//! past its lock phase waits for a row, so no cycle can form, in one database or across several.

use crate::place::Places;
use crate::rows::{
    BranchId, Directory, RowError, StoredTransfer, hold, locked_account, original, rows, stored_transfer,
};
use crate::statements::Statements;
use futures_util::future::{BoxFuture, FutureExt, join, join5, ready, try_join_all};
use nostro_commit::{Message, statement};
use nostro_core::plan::LockedAccount;
use nostro_core::{AccountKey, AccountNumber, Hold, Original, Period, Timestamp, TransferId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, Row};
use uuid::Uuid;

/// "Lock phase of this branch", of the bytes of the name.
const GATE: i64 = 0x006e_6f73_7472_6f21;

/// A batch's ids are of two months at most, and others; whoever makes ids up may name any month.
const PERIODS_ASKED_MAX: usize = 4;

/// What a batch found at one branch, with the accounts locked.
#[derive(Debug)]
pub struct Locked {
    /// Locked; an account that is absent does not exist.
    pub accounts: Vec<(AccountNumber, LockedAccount)>,
    /// Where their rows stand.
    pub places: Places,
    /// The holds that were asked for, of this branch.
    pub holds: Vec<Hold>,
    /// The transfers that were asked for, of those that paid accounts of this branch, with how much of each has gone back.
    pub originals: Vec<Original>,
    /// What is recorded under the batch's ids, of those that were looked up.
    pub known: Vec<StoredTransfer>,
    /// Of the periods that were asked for, those in the archive.
    pub detached: Vec<Period>,
    /// The branch's clock, read after the locks.
    pub clock: Timestamp,
}

/// What a batch asks every one of its branches.
#[derive(Debug, Default)]
pub struct Asked {
    /// Ids under which there may be a record. What is not looked up and has one is met by the unique key.
    pub ids: Vec<TransferId>,
    /// Periods of which is asked whether they are in the archive.
    pub periods: Vec<Period>,
    /// Holds that are captured, released or expire; each is at one of the branches.
    pub holds: Vec<TransferId>,
    /// Transfers that are reversed; how much of each has gone back is known at one of the branches.
    pub originals: Vec<TransferId>,
}

/// An account that a prepared transaction of another batch holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldAccount {
    /// The account.
    pub key: AccountKey,
    /// The name of the prepared transaction.
    pub gid: String,
    /// Since it was prepared.
    pub age: Duration,
}

/// Whose rows they are.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// The branch.
    pub branch: BranchId,
    /// All branches.
    pub directory: &'a Directory,
}

/// A branch's lock phase: all of it is sent, and none of it answered yet.
pub struct Entering<'a> {
    /// The gate: others wait from its answer on. An error or a dropped connection leaves it open.
    pub entered: BoxFuture<'a, Result<(), Error>>,
    /// The rows. Without the gate the transaction has failed, and they are neither locked nor read.
    pub locked: BoxFuture<'a, Result<Locked, RowError>>,
}

/// Begins the branch's transaction, waits for its gate, locks the accounts and reads what the planner needs, in one
/// round trip.
pub fn enter<'a>(
    client: &'a Client,
    statements: &'a Statements,
    at: At<'a>,
    accounts: &'a [AccountNumber],
    asked: &'a Asked,
) -> Entering<'a> {
    let entered = sent(async move {
        // Others wait at the gate meanwhile, so a row that is not given soon is not waited for, nor many of them in a row.
        let enter = format!(
            "{} begin isolation level read committed;
             select pg_advisory_lock({GATE});
             set local lock_timeout = '500ms'; set local statement_timeout = '1500ms'",
            Message::EnterGate
        );
        client.batch_execute(&enter).await
    });
    Entering { entered, locked: sent(lock(client, statements, at, accounts, asked)) }
}

/// Polls a future once, so that its messages stand on the wire before those of whatever is polled later.
fn sent<'a, T: Send + 'a>(future: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
    let mut future = future.boxed();
    match (&mut future).now_or_never() {
        Some(answered) => ready(answered).boxed(),
        None => future,
    }
}

/// The answer to having left a gate. Until it is there, the connection is in an unknown state.
pub type Leaving = BoxFuture<'static, Result<(), Error>>;

/// Lets the next batch into its lock phase; from here on only the commit protocol's own waits bound a statement. The
/// message is sent at once, and others may be sent behind it before it is answered.
pub fn leave_gate(client: &Arc<Client>) -> Leaving {
    let client = Arc::clone(client);
    let leave = format!("{} select pg_advisory_unlock({GATE}); set local statement_timeout = 0", Message::LeaveGate);
    sent(async move { client.batch_execute(&leave).await })
}

/// The statements run one after the other at the server, so each sees what was committed before its turn. Rows are read as they
/// come: all of them would take much room, and the server sends on meanwhile.
async fn lock(
    client: &Client,
    statements: &Statements,
    At { branch, directory }: At<'_>,
    accounts: &[AccountNumber],
    asked: &Asked,
) -> Result<Locked, RowError> {
    let keys: Vec<i64> = accounts.iter().map(|number| number.key(branch.number).as_i64()).collect();
    let mut places = Places::default();
    let accounts = async {
        let read = |row: &Row| {
            places.push(row)?;
            locked_account(row, branch)
        };
        rows(client, &statements.lock_accounts, &[&keys], read).await
    };
    let detached = async {
        if asked.periods.is_empty() {
            return Ok(Vec::new());
        }
        let periods: Vec<i32> = asked.periods.iter().map(|period| period.as_i32()).collect();
        rows(client, &statements.detached_periods, &[&periods], |row| Ok(Period::from_i32(row.try_get(0)?))).await
    };
    let holds = async {
        if asked.holds.is_empty() {
            return Ok(Vec::new());
        }
        let holds: Vec<Uuid> = asked.holds.iter().map(|id| id.0).collect();
        rows(client, &statements.find_holds, &[&holds], |row| hold(row, directory)).await
    };
    let originals = async {
        if asked.originals.is_empty() {
            return Ok(Vec::new());
        }
        let (periods, ids): (Vec<i32>, Vec<Uuid>) =
            asked.originals.iter().map(|id| (id.period().as_i32(), id.0)).unzip();
        rows(client, &statements.find_originals, &[&periods, &ids], |row| original(row, directory)).await
    };
    let (accounts, (holds, originals), known, detached, clock) = join5(
        accounts,
        join(holds, originals),
        find(client, statements, &asked.ids, |row| stored_transfer(row, directory)),
        detached,
        client.query_one(&statements.clock, &[]),
    )
    .await;
    let (accounts, holds, originals) = (accounts?, holds?, originals?);
    places.sort();
    let clock = clock?.try_get::<_, SystemTime>(0)?.into();
    Ok(Locked { accounts, places, holds, originals, known: known?, detached: detached?, clock })
}

/// What is recorded under ids: a question for each period, or one for all partitions if that would be many questions.
async fn find<T>(
    client: &Client,
    statements: &Statements,
    ids: &[TransferId],
    read: impl Fn(&Row) -> Result<T, RowError>,
) -> Result<Vec<T>, RowError> {
    let mut periods: BTreeMap<Period, Vec<Uuid>> = BTreeMap::new();
    for id in ids {
        periods.entry(id.period()).or_default().push(id.0);
    }
    if periods.len() > PERIODS_ASKED_MAX {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        return rows(client, &statements.find_transfers_anywhere, &[&ids], read).await;
    }
    let read = &read;
    let asked = periods.into_iter().map(|(period, ids)| async move {
        rows(client, &statements.find_transfers, &[&period.as_i32(), &ids], read).await
    });
    Ok(try_join_all(asked).await?.into_iter().flatten().collect())
}

/// Whether any of the ids is recorded at this branch. It takes no lock, so it may be asked past the lock phase.
pub async fn is_any_recorded(client: &Client, statements: &Statements, ids: &[TransferId]) -> Result<bool, RowError> {
    Ok(!find(client, statements, ids, |_| Ok(())).await?.is_empty())
}

/// Ends a transaction that wrote nothing.
pub async fn roll_back(client: &Client) -> Result<(), Error> {
    client.batch_execute(&statement::roll_back()).await
}

/// Whether the failure is a lock that was not given in time, or too many of them one after the other.
pub fn is_lock_timeout(error: &RowError) -> bool {
    let RowError::Database(error) = error else { return false };
    matches!(error.code(), Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE || *code == SqlState::QUERY_CANCELED)
}

/// Which of the accounts are held by prepared transactions, asked without waiting. A prepared transaction that
/// updated or locked a row is the row's `xmax`.
pub async fn held_accounts(
    client: &Client,
    branch: BranchId,
    accounts: &[AccountNumber],
) -> Result<Vec<HeldAccount>, Error> {
    let keys: Vec<i64> = accounts.iter().map(|number| number.key(branch.number).as_i64()).collect();
    let rows = client
        .query(
            "select a.id, x.gid, (extract(epoch from clock_timestamp() - x.prepared) * 1000)::bigint
             from account a
             join pg_prepared_xacts x on x.transaction = a.xmax and x.database = current_database()
             where a.id = any($1)",
            &[&keys],
        )
        .await?;
    let held = rows.iter().map(|row| HeldAccount {
        key: AccountKey::from_i64(row.get(0)),
        gid: row.get(1),
        age: Duration::from_millis(u64::try_from(row.get::<_, i64>(2)).unwrap_or(0)),
    });
    Ok(held.collect())
}
