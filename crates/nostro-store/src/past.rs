//! What an account was at a past instant: its balance, and the lines of a period.
//!
//! What is told of a past instant must never change. A batch reads its clock after it has locked its accounts, so one
//! that has read an earlier time and has not committed yet still has the account's row locked. [`settle`] waits for
//! that row with a share lock, and then reads the branch's clock: every batch that locks the row later reads a later
//! one, and posts no earlier. So no line will come at or before an instant that lies before that clock, as long as the
//! branch's clock is not set back, nor its database taken over by a standby whose clock is behind. The lock need not be
//! held while the lines are read: what it waited for is committed, and a later statement sees it.
//!
//! It cannot be part of a deadlock, in one database or across several (docs/internals/engine.md): it locks one row, and
//! nothing before or after it. While it waits it holds nothing but its place in the queue for that row. Whoever waits
//! behind it there waits for the same row, and whom it waits for holds the row already and never queues for it. So
//! nobody that it waits for waits for it, and no cycle goes through it.

use crate::read::{self, PageQuery};
use crate::rows::{ACCOUNT_COLUMNS, BranchId, Directory, RowError, account};
use crate::statements::Statements;
use futures_util::future::join4;
use nostro_core::{Account, AccountNumber, Balance, Entry, Timestamp};
use std::time::SystemTime;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

/// Batches wait in the gate behind whoever waits for a row, so it is waited for no longer than they do themselves. The
/// commit waits for the disk and for a synchronous standby like any other, although the lock guards no data: a primary
/// that was replaced without knowing it must not tell of a past that goes on elsewhere.
const BEGIN: &str = "begin isolation level read committed;
     set local lock_timeout = '500ms'; set local statement_timeout = '1500ms'";

/// An account as it stands, and the branch's clock after it was read.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The account.
    pub account: Account,
    /// The branch's clock.
    pub clock: Timestamp,
}

/// Where an account stood at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The number of its last line; 0 before the first.
    pub seq: i64,
    /// Credits minus debits.
    pub balance: Balance,
}

/// Consecutive lines of an account: all between two sequence numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRange {
    /// They begin behind this one.
    pub after: i64,
    /// They end with this one.
    pub up_to: i64,
}

/// The sums of consecutive lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// How many there are; fewer than were asked for if the others are in the archive.
    pub lines: i64,
    /// Minor units.
    pub debits: i128,
    /// Minor units.
    pub credits: i128,
}

impl LineRange {
    /// How many lines there are in it.
    pub fn lines(self) -> i64 {
        self.up_to.saturating_sub(self.after).max(0)
    }
}

/// Waits until no batch holds the account, and reads the branch's clock then: see above. Its own transaction, sent as
/// one, so that the lock is not held for a round trip.
pub async fn settle(client: &Client, branch: BranchId, number: AccountNumber) -> Result<Option<Seen>, RowError> {
    let key = number.key(branch.number).as_i64();
    let lock = format!("select {ACCOUNT_COLUMNS} from account where id = $1 for share");
    let (begun, locked, clock, ended) = join4(
        client.batch_execute(BEGIN),
        client.query_typed(&lock, &[(&key, Type::INT8)]),
        client.query_typed("select clock_timestamp()", &[]),
        client.batch_execute("commit"),
    )
    .await;
    begun?;
    // A lock that was not given has failed the transaction, and the clock with it; the commit has then rolled it back.
    let locked = locked?;
    let clock = clock?;
    ended?;
    match (locked.first(), clock.first()) {
        (Some(row), Some(clock)) => seen(row, clock, 0, branch).map(Some),
        (None, _) | (_, None) => Ok(None),
    }
}

/// The account as it stands, without a lock: a batch under way may still post with a time before the clock.
pub async fn present(client: &Client, branch: BranchId, number: AccountNumber) -> Result<Option<Seen>, RowError> {
    let key = number.key(branch.number).as_i64();
    let statement = format!("select {ACCOUNT_COLUMNS}, clock_timestamp() from account where id = $1");
    let rows = client.query_typed(&statement, &[(&key, Type::INT8)]).await?;
    // Behind the account's columns.
    rows.first().map(|row| seen(row, row, row.len() - 1, branch)).transpose()
}

fn seen(row: &Row, clock: &Row, at: usize, branch: BranchId) -> Result<Seen, RowError> {
    Ok(Seen { account: account(row, branch.code)?, clock: clock.try_get::<_, SystemTime>(at)?.into() })
}

/// Where the account stood at an instant; `None` if that is in the archive, or there is no such account. It takes no
/// lock; what it tells is final if [`settle`] gave a later clock before.
pub async fn as_of(
    client: &Client,
    branch: BranchId,
    number: AccountNumber,
    at: Timestamp,
) -> Result<Option<Standing>, RowError> {
    let key = number.key(branch.number).as_i64();
    let at = SystemTime::from(at);
    let rows = client.query_typed(AS_OF, &[(&key, Type::INT8), (&at, Type::TIMESTAMPTZ)]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (seq, balance): (Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    Ok(seq.zip(balance).map(|(seq, balance)| Standing { seq, balance: Balance::new(balance) }))
}

/// What [`as_of`] asks.
pub const AS_OF: &str = "select seq, balance from account_as_of($1, $2)";

/// Consecutive lines, oldest first; fewer than asked for if the older ones are in the archive.
pub async fn lines(
    client: &Client,
    statements: &Statements,
    branch: BranchId,
    directory: &Directory,
    number: AccountNumber,
    range: LineRange,
) -> Result<Vec<Entry>, RowError> {
    let page = PageQuery { limit: range.lines(), before: range.up_to.saturating_add(1) };
    let mut entries = read::list_entries(client, statements, branch, directory, number, page).await?;
    entries.reverse();
    Ok(entries)
}

/// The sums of consecutive lines.
pub async fn sums(
    client: &Client,
    branch: BranchId,
    number: AccountNumber,
    range: LineRange,
) -> Result<Sums, RowError> {
    let key = number.key(branch.number).as_i64();
    let (before, lines) = (range.up_to.saturating_add(1), i32::try_from(range.lines()).unwrap_or(i32::MAX));
    let statement = "select count(*), coalesce(sum(amount) filter (where side = 'debit'), 0)::text,
               coalesce(sum(amount) filter (where side = 'credit'), 0)::text
             from account_entries($1, $2, $3)";
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&key, Type::INT8), (&before, Type::INT8), (&lines, Type::INT4)];
    let rows = client.query_typed(statement, &parameters).await?;
    let Some(row) = rows.first() else { return Ok(Sums::default()) };
    let sum = |at: usize| -> Result<i128, RowError> {
        row.try_get::<_, &str>(at)?.parse().map_err(|_| RowError::Malformed { table: "entry", column: "sum" })
    };
    Ok(Sums { lines: row.try_get(0)?, debits: sum(1)?, credits: sum(2)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_as_many_lines_as_lie_between_its_ends() {
        for (after, up_to, lines) in [(0, 0, 0), (0, 3, 3), (5, 6, 1), (6, 5, 0), (i64::MIN, i64::MAX, i64::MAX)] {
            assert_eq!(LineRange { after, up_to }.lines(), lines);
        }
    }
}
