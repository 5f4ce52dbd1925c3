//! Changes of an account's limits and state, and their history.
//!
//! A change locks the account's row, and nothing after it, so it needs no gate: it holds nothing while it waits, and waits
//! for nothing while it holds. What becomes of the account is decided in the core.

use crate::rows::{ACCOUNT_COLUMNS, BranchId, RowError, account, balance, malformed, time, word};
use nostro_core::{
    Account, AccountChange, AccountNumber, AccountState, Balance, ChangeRecord, ChangeRefusal, Reference, Terms,
};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

/// A change as it is asked for.
#[derive(Clone, Debug)]
pub struct ChangeRequest {
    /// The request's id.
    pub id: Uuid,
    /// The account.
    pub number: AccountNumber,
    /// What is to be different.
    pub change: AccountChange,
    /// Why.
    pub reason: Option<Reference>,
}

/// What a request to change an account met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changing {
    /// It was changed now; as it is after that.
    Changed(Account),
    /// The same request had changed it; as it is now.
    Replayed(Account),
    /// The id was used for another change; the field that differs.
    Conflict(&'static str),
    /// The core said no.
    Refused(ChangeRefusal),
    /// There is no such account.
    NotFound,
}

/// Columns of `account_change` in the order of [`change_record`].
const CHANGE_COLUMNS: &str = "id, serial, asked, overdraft_limit_before, overdraft_limit_after, ceiling_before, ceiling_after, \
     state_before, state_after, reason, changed_at, account";

/// Named, so that a log, or a session that hangs there, says what it commits.
const COMMIT: &str = "/*account change*/ commit";

/// Changes an account, whole or not at all. After an error the connection is to be dropped: its transaction may be open, or
/// it may have been committed and its answer lost.
pub async fn change_account(client: &Client, branch: BranchId, request: &ChangeRequest) -> Result<Changing, RowError> {
    client.batch_execute("begin isolation level read committed").await?;
    let changing = change_locked(client, branch, request).await?;
    let end = if matches!(changing, Changing::Changed(_)) { COMMIT } else { "rollback" };
    match client.batch_execute(end).await {
        Ok(()) => Ok(changing),
        Err(error) => Err(error.into()),
    }
}

async fn change_locked(client: &Client, branch: BranchId, request: &ChangeRequest) -> Result<Changing, RowError> {
    let ChangeRequest { id, number, change, reason } = request;
    let key = number.key(branch.number).as_i64();
    let statement = format!("select {ACCOUNT_COLUMNS} from account where id = $1 for no key update");
    let Some(row) = client.query_opt(&statement, &[&key]).await? else { return Ok(Changing::NotFound) };
    let before = account(&row, branch.code)?;
    // Read after the lock, so that of two requests with one id the second finds the first.
    let statement = format!("select {CHANGE_COLUMNS} from account_change where id = $1");
    if let Some(row) = client.query_opt(&statement, &[id]).await? {
        let of: i64 = row.try_get(11)?;
        let earlier = change_record(&row)?;
        let differs = if of == key { change.differs_from(earlier.change) } else { Some("number") };
        let differs = differs.or((earlier.reason != *reason).then_some("reason"));
        return Ok(differs.map_or(Changing::Replayed(before), Changing::Conflict));
    }
    let after = match change.applied(&before) {
        Ok(after) => after,
        Err(refusal) => return Ok(Changing::Refused(refusal)),
    };
    client
        .execute(
            "update account
             set overdraft_limit = $2, ceiling = $3, state = $4, limit_exceeded = $5
             where id = $1",
            &[
                &key,
                &after.overdraft_limit.minor_units(),
                &after.ceiling.map(Balance::minor_units),
                &after.state.as_str(),
                &after.limit_exceeded,
            ],
        )
        .await?;
    let inserted = client
        .execute(
            "insert into account_change
               (id, account, asked, overdraft_limit_before, overdraft_limit_after, ceiling_before, ceiling_after,
                state_before, state_after, reason)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            &[
                id,
                &key,
                &asked(*change),
                &before.overdraft_limit.minor_units(),
                &after.overdraft_limit.minor_units(),
                &before.ceiling.map(Balance::minor_units),
                &after.ceiling.map(Balance::minor_units),
                &before.state.as_str(),
                &after.state.as_str(),
                &reason.as_ref().map(Reference::as_str),
            ],
        )
        .await;
    match inserted {
        Ok(_) => Ok(Changing::Changed(after)),
        // The id was used at the same instant for another account.
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(Changing::Conflict("number")),
        Err(error) => Err(error.into()),
    }
}

/// Changes of an account below a serial, newest first.
pub async fn list_changes(
    client: &Client,
    branch: BranchId,
    number: AccountNumber,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<ChangeRecord>, RowError> {
    let key = number.key(branch.number).as_i64();
    let statement = format!(
        "select {CHANGE_COLUMNS}
         from account_change
         where account = $1 and serial < $2
         order by serial desc
         limit $3"
    );
    let rows = client.query(&statement, &[&key, &before.unwrap_or(i64::MAX), &limit]).await?;
    rows.iter().map(change_record).collect()
}

/// The fields that a change names.
fn asked(change: AccountChange) -> Vec<&'static str> {
    let AccountChange { overdraft_limit, ceiling, state } = change;
    [overdraft_limit.map(|_| "overdraft_limit"), ceiling.map(|_| "ceiling"), state.map(|_| "state")]
        .into_iter()
        .flatten()
        .collect()
}

fn change_record(row: &Row) -> Result<ChangeRecord, RowError> {
    let table = "account_change";
    let asked: Vec<&str> = row.try_get(2)?;
    let ceiling = |at: usize| Ok::<_, RowError>(row.try_get::<_, Option<i64>>(at)?.map(Balance::new));
    let state = |at, column| word::<AccountState>(row, at, table, column);
    let before = Terms { overdraft_limit: balance(row, 3)?, ceiling: ceiling(5)?, state: state(7, "state_before")? };
    let after = Terms { overdraft_limit: balance(row, 4)?, ceiling: ceiling(6)?, state: state(8, "state_after")? };
    let reason: Option<&str> = row.try_get(9)?;
    let change = AccountChange {
        overdraft_limit: asked.contains(&"overdraft_limit").then_some(after.overdraft_limit),
        ceiling: asked.contains(&"ceiling").then_some(after.ceiling),
        state: asked.contains(&"state").then_some(after.state),
    };
    Ok(ChangeRecord {
        id: row.try_get(0)?,
        serial: row.try_get(1)?,
        change,
        before,
        after,
        reason: reason.map(Reference::new).transpose().map_err(|_| malformed(table, "reason"))?,
        changed_at: time(row, 10)?,
    })
}
