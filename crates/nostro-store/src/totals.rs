//! One branch's part of the audit by snapshot and subtract (PostgreSQL snapshots; the arithmetic is in the core).
//!
//! In this order, each at every branch before the next: [`mark`], then the list of prepared transactions, then
//! [`open`]. Batches that may be in flight are those listed and those whose row was written by a transaction at
//! or after the mark; [`look_up`] says which of them this snapshot shows as committed.
//!
//! A position is its opening plus the nets since: `position_opening` holds the sum of `batch_net` over every
//! transaction below `position_roll_up.up_to`, and the rest is found by the index on `batch_net.xid`. [`roll_up`]
//! moves the border. Why the sum is the same as over all rows, in every snapshot:
//!
//! - The border is a `pg_snapshot_xmin`: every transaction below it had ended, prepared ones included, which
//!   PostgreSQL counts as running. So no row below it can become visible later, and none was missed.
//! - Opening and border are written in one transaction, so a snapshot shows both or neither, and each row that it
//!   shows is on one side of the border: counted once.
//!
//! To subtract a batch from a position takes its own nets, which [`look_up`] reads by the batch's id. Rows of
//! `batch_net` are never deleted, so they are there also when they are long in the opening: whether a candidate is
//! below the border or not, it was counted once and is taken away once.

use crate::rows::RowError;
use nostro_commit::{BatchId, Part};
use nostro_core::audit::{BranchTotals, Net};
use nostro_core::trial_balance::{BranchBooks, Sides};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio_postgres::{Client, Row};

/// The oldest transaction that was running at a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark(String);

/// Batches with their parts.
pub type BatchParts = BTreeMap<BatchId, BTreeSet<Part>>;

/// Step 1: the mark of this branch.
pub async fn mark(client: &Client) -> Result<Mark, RowError> {
    let row = client.query_one("select pg_snapshot_xmin(pg_current_snapshot())::text", &[]).await?;
    Ok(Mark(row.try_get(0)?))
}

/// Step 3: opens the snapshot; every later statement on this connection sees it until [`close`].
pub async fn open(client: &Client) -> Result<(), RowError> {
    // The faster branch waits for the slower one, inside its snapshot.
    client
        .batch_execute(
            "begin isolation level repeatable read read only;
             set local idle_in_transaction_session_timeout = '5min';
             select 1",
        )
        .await?;
    Ok(())
}

/// Ends the snapshot.
pub async fn close(client: &Client) -> Result<(), RowError> {
    client.batch_execute("rollback").await?;
    Ok(())
}

/// The sums of this branch in its snapshot.
pub async fn totals(client: &Client) -> Result<BranchTotals, RowError> {
    let malformed = |table, column| RowError::Malformed { table, column };
    let mut totals = BranchTotals::default();
    let balances = "select currency, sum(balance)::text, sum(held)::text from account group by currency";
    for row in client.query(balances, &[]).await? {
        let currency = row.try_get::<_, &str>(0)?.parse().map_err(|_| malformed("account", "currency"))?;
        totals.balances.insert(currency, sum(&row, 1, "account")?);
        totals.held.insert(currency, sum(&row, 2, "account")?);
    }
    let reserved = "select currency, sum(amount - captured)::text from hold where state = 'open' group by currency";
    for row in client.query(reserved, &[]).await? {
        let currency = row.try_get::<_, &str>(0)?.parse().map_err(|_| malformed("hold", "currency"))?;
        totals.reserved.insert(currency, sum(&row, 1, "hold")?);
    }
    let up_to: Option<String> = client.query_one(ROLLED_UP_TO, &[]).await?.try_get(0)?;
    let positions = match &up_to {
        Some(up_to) => client.query(POSITIONS, &[up_to]).await?,
        None => client.query(POSITIONS_FROM_THE_BEGINNING, &[]).await?,
    };
    for row in positions {
        let branch = row.try_get::<_, &str>(0)?.parse().map_err(|_| malformed("batch_net", "counterparty"))?;
        let currency = row.try_get::<_, &str>(1)?.parse().map_err(|_| malformed("batch_net", "currency"))?;
        totals.positions.insert((branch, currency), sum(&row, 2, "batch_net")?);
    }
    Ok(totals)
}

/// The debits and credits of this branch in its snapshot.
pub async fn books(client: &Client) -> Result<BranchBooks, RowError> {
    let malformed = |column| RowError::Malformed { table: "account", column };
    let mut books = BranchBooks { positions: totals(client).await?.positions, ..BranchBooks::default() };
    let rows = client
        .query(
            "select currency, kind, sum(greatest(-balance::numeric, 0))::text, sum(greatest(balance, 0))::text
             from account
             group by currency, kind",
            &[],
        )
        .await?;
    for row in &rows {
        let currency = row.try_get::<_, &str>(0)?.parse().map_err(|_| malformed("currency"))?;
        let kind = row.try_get::<_, &str>(1)?.parse().map_err(|_| malformed("kind"))?;
        let sides = Sides { debits: sum(row, 2, "account")?, credits: sum(row, 3, "account")? };
        books.accounts.insert((currency, kind), sides);
    }
    Ok(books)
}

/// How far the openings of this branch reach. Null if no transaction is as far yet: then the tables came out of a
/// dump of another cluster, whose numbers mean nothing here, and the openings are not used.
pub const ROLLED_UP_TO: &str = "
    select case when up_to <= pg_snapshot_xmin(pg_current_snapshot()) then up_to::text end
    from position_roll_up";

/// The nostro positions without openings.
pub const POSITIONS_FROM_THE_BEGINNING: &str = "
    select counterparty, currency, sum(amount)::text
    from batch_net
    group by counterparty, currency";

/// The nostro positions: openings plus what came since. `$1` is what [`ROLLED_UP_TO`] gave in the same snapshot; as
/// a parameter, so that the planner sees how few rows are above it.
pub const POSITIONS: &str = "
    select counterparty, currency, sum(amount)::text
    from (
      select counterparty, currency, amount from position_opening
      union all
      select counterparty, currency, amount from batch_net where xid >= $1::text::xid8
    ) position
    group by counterparty, currency";

/// Adds what can no longer change to the openings, unless somebody did so within `pause` or is at it; `true` if it
/// was done. Harmless at any time: the positions are the same before and after.
pub async fn roll_up(client: &Client, pause: Duration) -> Result<bool, RowError> {
    let rows = client
        .query(
            "select roll_up_positions() is not null
             from position_roll_up
             where rolled_up_at < clock_timestamp() - $1::bigint * interval '1 millisecond'",
            &[&i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)],
        )
        .await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(false))
}

fn sum(row: &Row, at: usize, table: &'static str) -> Result<i128, RowError> {
    row.try_get::<_, &str>(at)?.parse().map_err(|_| RowError::Malformed { table, column: "sum" })
}

/// The committed batches that were written at or after the mark, as this snapshot shows them.
pub async fn recent(client: &Client, mark: &Mark) -> Result<BatchParts, RowError> {
    let rows = client
        .query(
            "select id, parts from batch where xid >= $1::text::xid8 and outcome = 'committed'
             union all
             select batch, parts from participation where xid >= $1::text::xid8 and outcome = 'committed'",
            &[&mark.0],
        )
        .await?;
    rows.iter().map(batch_parts).collect()
}

fn batch_parts(row: &Row) -> Result<(BatchId, BTreeSet<Part>), RowError> {
    let malformed = |column| RowError::Malformed { table: "batch", column };
    let id = row.try_get::<_, &str>(0)?.parse().map_err(|_| malformed("id"))?;
    let parts: Vec<&str> = row.try_get(1)?;
    let parts = parts.iter().map(|part| part.parse().map_err(|_| malformed("parts"))).collect::<Result<_, _>>()?;
    Ok((id, parts))
}

/// Which of the batches this snapshot shows as committed, with their nets here.
pub async fn look_up(client: &Client, batches: &[BatchId]) -> Result<BTreeMap<BatchId, Vec<Net>>, RowError> {
    let ids: Vec<String> = batches.iter().map(ToString::to_string).collect();
    let mut visible: BTreeMap<BatchId, Vec<Net>> = BTreeMap::new();
    let committed = client
        .query(
            "select id from batch where id = any($1) and outcome = 'committed'
             union all
             select batch from participation where batch = any($1) and outcome = 'committed'",
            &[&ids],
        )
        .await?;
    for row in &committed {
        visible.insert(batch_id(row)?, Vec::new());
    }
    let nets = client
        .query("select batch, counterparty, currency, amount from batch_net where batch = any($1)", &[&ids])
        .await?;
    for row in &nets {
        let malformed = |column| RowError::Malformed { table: "batch_net", column };
        let net = Net {
            counterparty: row.try_get::<_, &str>(1)?.parse().map_err(|_| malformed("counterparty"))?,
            currency: row.try_get::<_, &str>(2)?.parse().map_err(|_| malformed("currency"))?,
            amount: row.try_get(3)?,
        };
        visible.entry(batch_id(row)?).or_default().push(net);
    }
    Ok(visible)
}

fn batch_id(row: &Row) -> Result<BatchId, RowError> {
    row.try_get::<_, &str>(0)?.parse().map_err(|_| RowError::Malformed { table: "batch", column: "id" })
}
