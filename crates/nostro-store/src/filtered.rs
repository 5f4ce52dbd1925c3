//! The rows of a list that a filter selects, among a bounded number of the account's own.
//!
//! No index serves a filter, and none is wanted: each would cost every transfer an entry at a random place
//! (docs/adr/0008). So rows of the account are looked at in the order of the list, a bounded number in each question,
//! and the database hands out those that are wanted.

use crate::rows::{Directory, ENTRY_COLUMNS, HOLD_COLUMNS, RowError, entry, hold};
use nostro_core::{
    AccountKey, AccountNumber, Bounds, BranchCode, BranchNumber, Entry, EntryFilter, Hold, HoldFilter, Timestamp,
};
use std::collections::BTreeMap;
use std::time::SystemTime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

/// Which rows are looked at, and how many of those that are wanted are handed out.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Rows below this sequence number or serial.
    pub before: i64,
    /// At most so many are looked at.
    pub rows_max: i32,
    /// At most so many are handed out.
    pub wanted_max: i64,
}

/// What was found by one look.
#[derive(Clone, Debug)]
pub struct Looked<T> {
    /// What is wanted of it, newest first, each with its sequence number or serial.
    pub rows: Vec<(i64, T)>,
    /// So many rows were looked at.
    pub looked_at: i64,
    /// The lowest sequence number or serial among them.
    pub lowest: Option<i64>,
    /// When that one was posted or placed: no row below it is later.
    pub earliest: Option<Timestamp>,
}

/// What [`entries`] asks.
pub fn entries_statement() -> String {
    format!(
        "with line as materialized (
           select {ENTRY_COLUMNS} from account_entries($1, $2, $3)
         ), looked as (
           select count(*) as looked_at, min(seq) as lowest, min(posted_at) as earliest from line
         )
         select {ENTRY_COLUMNS}, looked_at, lowest, earliest
         from looked
         left join line
           on ($5::timestamptz is null or posted_at >= $5::timestamptz)
           and ($6::timestamptz is null or posted_at < $6::timestamptz)
           and ($7::bigint is null or amount >= $7::bigint)
           and ($8::bigint is null or amount <= $8::bigint)
           and ($9::bigint is null or counterparty = $9::bigint)
           and ($10::text is null or kind = $10::text)
           and ($11::integer is null or category = $11::integer)
           and ($12::text is null or reference = $12::text)
         order by seq desc nulls last
         limit $4"
    )
}

/// What [`holds`] asks.
pub fn holds_statement() -> String {
    format!(
        "with held as materialized (
           select {HOLD_COLUMNS} from hold where debit = $1 and serial < $2 order by serial desc limit $3::integer
         ), looked as (
           select count(*) as looked_at, min(serial) as lowest, min(placed_at) as earliest from held
         )
         select {HOLD_COLUMNS}, looked_at, lowest, earliest
         from looked
         left join held
           on ($5::timestamptz is null or placed_at >= $5::timestamptz)
           and ($6::timestamptz is null or placed_at < $6::timestamptz)
           and ($7::bigint is null or amount >= $7::bigint)
           and ($8::bigint is null or amount <= $8::bigint)
           and ($9::bigint is null or credit = $9::bigint)
           and ($10::text is null or state = $10::text)
         order by serial desc nulls last
         limit $4"
    )
}

/// The bounds as parameters.
struct Parameters {
    from: Option<SystemTime>,
    to: Option<SystemTime>,
    amount_min: Option<i64>,
    amount_max: Option<i64>,
    counterparty: Option<i64>,
}

impl Parameters {
    /// An account of a branch that the bank does not have is no row's counterparty: no key has the number -1.
    fn of(bounds: &Bounds, numbers: &BTreeMap<BranchCode, BranchNumber>) -> Self {
        let key =
            |number: AccountNumber| numbers.get(&number.branch()).map_or(-1, |branch| number.key(*branch).as_i64());
        Self {
            from: bounds.from.map(SystemTime::from),
            to: bounds.to.map(SystemTime::from),
            amount_min: bounds.amount_min.map(|amount| amount.minor_units()),
            amount_max: bounds.amount_max.map(|amount| amount.minor_units()),
            counterparty: bounds.counterparty.map(key),
        }
    }
}

/// Entries of one account, newest first.
pub async fn entries(
    client: &Client,
    directory: &Directory,
    numbers: &BTreeMap<BranchCode, BranchNumber>,
    account: AccountKey,
    look: Look,
    filter: &EntryFilter,
) -> Result<Looked<Entry>, RowError> {
    let (key, bounds) = (account.as_i64(), Parameters::of(&filter.bounds, numbers));
    let kind = filter.kind.map(|kind| kind.as_str());
    let category = filter.category.map(i32::from);
    let reference = filter.reference.as_ref().map(|reference| reference.as_str());
    let parameters: [&(dyn ToSql + Sync); 12] = [
        &key,
        &look.before,
        &look.rows_max,
        &look.wanted_max,
        &bounds.from,
        &bounds.to,
        &bounds.amount_min,
        &bounds.amount_max,
        &bounds.counterparty,
        &kind,
        &category,
        &reference,
    ];
    let rows = client.query(&entries_statement(), &parameters).await?;
    looked(&rows, 10, 0, |row| entry(row, directory))
}

/// Holds at one account, newest first.
pub async fn holds(
    client: &Client,
    directory: &Directory,
    numbers: &BTreeMap<BranchCode, BranchNumber>,
    account: AccountKey,
    look: Look,
    filter: &HoldFilter,
) -> Result<Looked<Hold>, RowError> {
    let (key, bounds) = (account.as_i64(), Parameters::of(&filter.bounds, numbers));
    let state = filter.state.map(|state| state.as_str());
    let parameters: [&(dyn ToSql + Sync); 10] = [
        &key,
        &look.before,
        &look.rows_max,
        &look.wanted_max,
        &bounds.from,
        &bounds.to,
        &bounds.amount_min,
        &bounds.amount_max,
        &bounds.counterparty,
        &state,
    ];
    let rows = client.query(&holds_statement(), &parameters).await?;
    looked(&rows, 12, 11, |row| hold(row, directory))
}

/// From rows whose columns from `counts` on are those of `looked`, and whose key is in column `key`. Where nothing is
/// wanted there is one row all the same, without a key.
fn looked<T>(
    rows: &[Row],
    counts: usize,
    key: usize,
    read: impl Fn(&Row) -> Result<T, RowError>,
) -> Result<Looked<T>, RowError> {
    let mut looked = Looked { rows: Vec::new(), looked_at: 0, lowest: None, earliest: None };
    for row in rows {
        looked.looked_at = row.try_get(counts)?;
        looked.lowest = row.try_get(counts + 1)?;
        looked.earliest = row.try_get::<_, Option<SystemTime>>(counts + 2)?.map(Timestamp::from);
        if let Some(key) = row.try_get::<_, Option<i64>>(key)? {
            looked.rows.push((key, read(row)?));
        }
    }
    Ok(looked)
}
