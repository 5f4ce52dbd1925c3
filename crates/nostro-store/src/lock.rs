//! The lock phase of a batch at one branch.
//!
//! The gate is a session-level advisory lock, entered at each branch of the batch in branch order before the
//! first row lock and left when all rows are locked everywhere. Inside, the rows are locked in any order; nobody
//! past its lock phase waits for a row, so no cycle can form, in one database or across several.

use crate::rows::{BranchId, Directory, RowError, StoredTransfer, locked_account, stored_transfer};
use crate::statements::Statements;
use futures_util::future::join4;
use nostro_commit::{Message, statement};
use nostro_core::plan::LockedAccount;
use nostro_core::{AccountKey, AccountNumber, Timestamp, TransferId};
use std::collections::HashMap;
use std::time::{Duration, SystemTime};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, Row};
use uuid::Uuid;

/// "Lock phase of this branch", of the bytes of the name.
const GATE: i64 = 0x006e_6f73_7472_6f21;

/// What a batch found at one branch, with the accounts locked.
#[derive(Debug)]
pub struct Locked {
    /// Locked; an account that is absent does not exist.
    pub accounts: HashMap<AccountNumber, LockedAccount>,
    /// What is recorded under the batch's ids.
    pub known: Vec<StoredTransfer>,
    /// The branch's clock, read after the locks.
    pub clock: Timestamp,
}

/// The rows of [`Locked`] as they came, to be read once the gates are left.
#[derive(Debug)]
pub struct LockedRows {
    accounts: Vec<Row>,
    known: Vec<Row>,
    clock: Row,
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

/// Waits for the branch's gate. An error or a dropped connection leaves it open.
pub async fn enter_gate(client: &Client) -> Result<(), Error> {
    client.batch_execute(&format!("{} select pg_advisory_lock({GATE})", Message::EnterGate)).await
}

/// Lets the next batch into its lock phase; from here on only the commit protocol's own waits bound a statement.
pub async fn leave_gate(client: &Client) -> Result<(), Error> {
    let leave = format!("{} select pg_advisory_unlock({GATE}); set local statement_timeout = 0", Message::LeaveGate);
    client.batch_execute(&leave).await
}

/// Begins the branch's transaction, locks the accounts and reads what the planner needs, in one round trip. The
/// statements run one after the other at the server, so each sees what was committed before its turn.
pub async fn lock(
    client: &Client,
    statements: &Statements,
    branch: BranchId,
    accounts: &[AccountNumber],
    ids: &[TransferId],
) -> Result<LockedRows, Error> {
    let keys: Vec<i64> = accounts.iter().map(|number| number.key(branch.number).as_i64()).collect();
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    // Others wait at the gate meanwhile, so a row that is not given soon is not waited for, nor many of them in a row.
    let begin = format!(
        "{} begin isolation level read committed; set local lock_timeout = '500ms'; set local statement_timeout = '1500ms'",
        Message::Begin
    );
    let (begun, accounts, known, clock) = join4(
        client.batch_execute(&begin),
        client.query(&statements.lock_accounts, &[&keys]),
        client.query(&statements.find_transfers, &[&ids]),
        client.query_one(&statements.clock, &[]),
    )
    .await;
    begun?;
    Ok(LockedRows { accounts: accounts?, known: known?, clock: clock? })
}

impl LockedRows {
    /// From columns to the types of the core.
    pub fn read(&self, branch: BranchId, directory: &Directory) -> Result<Locked, RowError> {
        Ok(Locked {
            accounts: self.accounts.iter().map(|row| locked_account(row, branch)).collect::<Result<_, _>>()?,
            known: self.known.iter().map(|row| stored_transfer(row, directory)).collect::<Result<_, _>>()?,
            clock: self.clock.try_get::<_, SystemTime>(0)?.into(),
        })
    }
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
