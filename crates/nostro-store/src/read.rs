//! What the API shows: accounts, customers, entries, transfers. Keyset pages, newest first.

use crate::rows::{
    ACCOUNT_COLUMNS, BranchId, Directory, HOLD_COLUMNS, RowError, StoredTransfer, TRANSFER_COLUMNS, account, balance,
    customer, entry, hold, rows, stored_transfer,
};
use crate::statements::Statements;
use nostro_core::{Account, AccountNumber, Balance, Customer, Entry, Hold, TransferId};
use std::time::SystemTime;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

/// A page: at most `limit` rows with a key below `before`.
#[derive(Clone, Copy, Debug)]
pub struct PageQuery {
    /// At most so many.
    pub limit: i64,
    /// `i64::MAX` for the first page.
    pub before: i64,
}

/// Accounts by their numbers; one that is absent does not exist.
pub async fn find_accounts(
    client: &Client,
    statements: &Statements,
    branch: BranchId,
    numbers: &[AccountNumber],
) -> Result<Vec<Account>, RowError> {
    let keys: Vec<i64> = numbers.iter().map(|number| number.key(branch.number).as_i64()).collect();
    let rows = client.query(&statements.find_accounts, &[&keys]).await?;
    rows.iter().map(|row| account(row, branch.code)).collect()
}

/// Accounts of the branch, by key.
pub async fn list_accounts(client: &Client, branch: BranchId, page: PageQuery) -> Result<Vec<Account>, RowError> {
    let statement = format!("select {ACCOUNT_COLUMNS} from account where id < $1 order by id desc limit $2");
    let rows = client.query(&statement, &[&page.before, &page.limit]).await?;
    rows.iter().map(|row| account(row, branch.code)).collect()
}

/// Customers of the branch, by key.
pub async fn list_customers(client: &Client, branch: BranchId, page: PageQuery) -> Result<Vec<Customer>, RowError> {
    let rows = client
        .query(
            "select id, name, created_at from customer where id < $1 order by id desc limit $2",
            &[&page.before, &page.limit],
        )
        .await?;
    rows.iter().map(|row| customer(row, branch.code)).collect()
}

/// The customers of the branch that were made under these ids.
pub async fn customers_made_under(
    client: &Client,
    branch: BranchId,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, Customer)>, RowError> {
    let statement = "select id, name, created_at, request_id from customer where request_id = any($1)";
    let rows = client.query_typed(statement, &[(&ids, Type::UUID_ARRAY)]).await?;
    let read = |row: &Row| -> Result<(Uuid, Customer), RowError> { Ok((row.try_get(3)?, customer(row, branch.code)?)) };
    rows.iter().map(read).collect()
}

/// The accounts of the branch that were opened under these ids.
pub async fn accounts_made_under(
    client: &Client,
    branch: BranchId,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, Account)>, RowError> {
    let statement = format!("select {ACCOUNT_COLUMNS}, request_id from account where request_id = any($1)");
    let rows = client.query_typed(&statement, &[(&ids, Type::UUID_ARRAY)]).await?;
    let read = |row: &Row| -> Result<(Uuid, Account), RowError> {
        // Behind the account's columns.
        Ok((row.try_get(row.len() - 1)?, account(row, branch.code)?))
    };
    rows.iter().map(read).collect()
}

/// The lines of one account, by sequence number.
pub async fn list_entries(
    client: &Client,
    statements: &Statements,
    branch: BranchId,
    directory: &Directory,
    number: AccountNumber,
    page: PageQuery,
) -> Result<Vec<Entry>, RowError> {
    let limit = i32::try_from(page.limit).unwrap_or(i32::MAX);
    let key = number.key(branch.number).as_i64();
    let rows = client.query(&statements.list_entries, &[&key, &page.before, &limit]).await?;
    rows.iter().map(|row| entry(row, directory)).collect()
}

/// The rows under ids at this branch.
pub async fn find_transfers(
    client: &Client,
    directory: &Directory,
    ids: impl IntoIterator<Item = TransferId>,
) -> Result<Vec<StoredTransfer>, RowError> {
    // By period, so that one partition is searched for each id, and in one question.
    let statement = format!(
        "select {TRANSFER_COLUMNS}
         from unnest($1::integer[], $2::uuid[]) as asked (in_period, under)
         join transfer on period = in_period and id = under"
    );
    let (periods, ids): (Vec<i32>, Vec<Uuid>) = ids.into_iter().map(|id| (id.period().as_i32(), id.0)).unzip();
    rows(client, &statement, &[&periods, &ids], |row| stored_transfer(row, directory)).await
}

/// How much of a transfer has gone back so far, in minor units, zero or more. That is known at the branch of the account that
/// was paid; at another one there is no row either, and zero says nothing.
pub async fn reversed(client: &Client, original: TransferId) -> Result<Balance, RowError> {
    let statement = "select reversed from reversal where original = $1";
    let rows = client.query_typed(statement, &[(&original.0, Type::UUID)]).await?;
    rows.first().map_or(Ok(Balance::ZERO), |row| balance(row, 0))
}

/// Those of the holds that are of this branch.
pub async fn find_holds(client: &Client, directory: &Directory, ids: &[TransferId]) -> Result<Vec<Hold>, RowError> {
    let statement = format!("select {HOLD_COLUMNS} from hold where id = any($1)");
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    rows(client, &statement, &[&ids], |row| hold(row, directory)).await
}

/// The holds at an account with their serials, by serial.
pub async fn list_holds(
    client: &Client,
    branch: BranchId,
    directory: &Directory,
    number: AccountNumber,
    page: PageQuery,
) -> Result<Vec<(i64, Hold)>, RowError> {
    let statement =
        format!("select {HOLD_COLUMNS} from hold where debit = $1 and serial < $2 order by serial desc limit $3");
    let key = number.key(branch.number).as_i64();
    let rows = client.query(&statement, &[&key, &page.before, &page.limit]).await?;
    rows.iter().map(|row| Ok((row.try_get(11)?, hold(row, directory)?))).collect()
}

/// What [`due_holds`] asks. The clock stands still during the statement, so that the index on open holds is searched by it.
pub fn due_holds_statement() -> String {
    format!(
        "select {HOLD_COLUMNS}
         from hold
         where due_at <= statement_timestamp()
           and (due_at, id) > (coalesce($1::timestamptz, '-infinity'), coalesce($2::uuid, '00000000-0000-0000-0000-000000000000'))
         order by due_at, id
         limit $3"
    )
}

/// Open holds whose time has run out by now, by the branch's clock, in the order of time and id, behind one of them.
pub async fn due_holds(
    client: &Client,
    directory: &Directory,
    after: Option<&Hold>,
    limit: i64,
) -> Result<Vec<Hold>, RowError> {
    let time = after.and_then(|hold| hold.expires_at).map(SystemTime::from);
    let id = after.map(|hold| hold.id.0);
    client.query(&due_holds_statement(), &[&time, &id, &limit]).await?.iter().map(|row| hold(row, directory)).collect()
}
