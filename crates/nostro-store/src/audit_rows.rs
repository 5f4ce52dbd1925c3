//! What a full audit reads at one branch, in one snapshot: sorted streams, so that nothing is held in memory.
//!
//! Of closed months that an audit has found right before, the rows of `audit_segment`, `audit_hold`, `audit_reversal` and
//! `audit_batch` stand for those of `transfer`; of all others the same is drawn from `transfer`, by the same texts that
//! [`crate::audit_periods`] keeps a month with. SQL groups and sorts; what is wrong is decided in the core, but for plain
//! inequalities within one row.

use crate::audit_periods::{AuditedPeriods, HOLD_DEEDS, REVERSAL_DEEDS, SEGMENTS};
use crate::rows::{BranchId, RowError};
use futures_util::TryStreamExt;
use nostro_core::segments::{AccountFigures, Segment};
use nostro_core::sources_audit::{HoldDeeds, HoldRow, ReversalRow};
use nostro_core::{Timestamp, TransferId};
use std::pin::Pin;
use std::time::SystemTime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, RowStream};
use uuid::Uuid;

/// Rows as they come; the database is read no faster than they are taken.
pub struct Rows<T> {
    stream: Pin<Box<RowStream>>,
    read: fn(&Row) -> Result<T, RowError>,
}

impl<T> Rows<T> {
    pub(crate) async fn ask(
        client: &Client,
        statement: &str,
        parameters: &[&(dyn ToSql + Sync)],
        read: fn(&Row) -> Result<T, RowError>,
    ) -> Result<Self, RowError> {
        let stream = client.query_raw(statement, parameters.iter().copied()).await?;
        Ok(Self { stream: Box::pin(stream), read })
    }

    /// The next one; none at the end.
    pub async fn next(&mut self) -> Result<Option<T>, RowError> {
        self.stream.try_next().await?.map(|row| (self.read)(&row)).transpose()
    }
}

/// An account with one of its segments; several rows if it has several.
#[derive(Clone, Copy, Debug)]
pub struct AccountRow {
    /// The account's key.
    pub key: i64,
    /// What it says of itself; none if there are entries of an account that does not exist.
    pub figures: Option<AccountFigures>,
    /// None if it has no entries.
    pub segment: Option<Segment>,
}

/// An account whose figures break a rule.
#[derive(Clone, Copy, Debug)]
pub struct AccountBreach {
    /// The account's key.
    pub key: i64,
    /// What it has held.
    pub held: i64,
    /// What its open holds have left.
    pub reserved: i128,
    /// Whether its figures are outside its limits.
    pub is_outside: bool,
    /// Whether it is marked so.
    pub is_marked: bool,
    /// Whether its limits and its state are those that it was last changed to.
    pub has_its_terms: bool,
}

/// A chain of which some links are posted and others refused.
#[derive(Clone, Copy, Debug)]
pub struct ChainBreach {
    /// The first link.
    pub chain: TransferId,
    /// How many links of it are posted here.
    pub posted: i64,
    /// How many are refused.
    pub refused: i64,
}

/// A transfer with a line where it should have none, or without one where it should have one.
#[derive(Clone, Copy, Debug)]
pub struct LinesBreach {
    /// The transfer.
    pub id: TransferId,
    /// Whether it should have a line on its debit and on its credit account.
    pub expected: [bool; 2],
    /// Whether it has.
    pub found: [bool; 2],
}

/// A hold and what transfers did to it.
#[derive(Clone, Copy, Debug)]
pub struct HoldAudit {
    /// Its id.
    pub id: TransferId,
    /// As it stands.
    pub row: Option<HoldRow>,
    /// What was done to it.
    pub deeds: HoldDeeds,
}

/// A transfer that was reversed.
#[derive(Clone, Copy, Debug)]
pub struct ReversalAudit {
    /// Its id.
    pub original: TransferId,
    /// What is noted of it.
    pub row: Option<ReversalRow>,
    /// The sum of its reversals.
    pub moved_back: i128,
    /// What it moved, and when, if it is there.
    pub moved: Option<(i64, Timestamp)>,
}

/// What was kept of a closed month and differs from what its rows come to.
#[derive(Clone, Debug)]
pub struct KeptDifference {
    /// Whether this is what was kept, or what the rows come to.
    pub is_kept: bool,
    /// The row in words.
    pub words: String,
}

pub(crate) fn number(branch: BranchId) -> i64 {
    i64::from(branch.number.get())
}

pub(crate) fn transfer_id(row: &Row, at: usize) -> Result<TransferId, RowError> {
    Ok(TransferId(row.try_get::<_, Uuid>(at)?))
}

/// A figure that came as text, since it may be wider than a bigint.
pub(crate) fn wide(row: &Row, at: usize, column: &'static str) -> Result<i128, RowError> {
    row.try_get::<_, &str>(at)?.parse().map_err(|_| RowError::Malformed { table: "audit", column })
}

/// Makes a connection one for an audit: it may take long, and ends with its server.
pub async fn prepare(client: &Client) -> Result<(), RowError> {
    // One process of the database and no more, beside payments. What waits for longer waits for DDL.
    let settings = "set client_connection_check_interval = '1s'; set idle_in_transaction_session_timeout = 0;
        set statement_timeout = 0; set lock_timeout = '60s'; set max_parallel_workers_per_gather = 0; set jit = off;
        set work_mem = '64MB'";
    Ok(client.batch_execute(settings).await?)
}

/// Opens the snapshot. The lock comes first: no partition is taken out between the snapshot and its reading.
pub async fn open(client: &Client) -> Result<(), RowError> {
    let open = "begin isolation level repeatable read read only; lock table transfer in access share mode; select 1";
    Ok(client.batch_execute(open).await?)
}

/// Every account with its segments, by key and number.
pub async fn accounts(client: &Client, periods: &AuditedPeriods) -> Result<Rows<AccountRow>, RowError> {
    let statement = format!(
        "with {SEGMENTS}, piece as (
           select account, first_seq, last_seq, balance_before, balance_after, first_transfer, first_previous, last_transfer
           from segment
           union all
           select account, first_seq, last_seq, balance_before::numeric, balance_after, first_transfer, first_previous, last_transfer
           from audit_segment
           where period = any($2)
         )
         select coalesce(a.id, p.account), a.balance, a.seq, a.last_transfer, p.first_seq, p.last_seq, p.balance_before::text,
           p.balance_after, p.first_transfer, p.first_previous, p.last_transfer
         from account a
         full join piece p on p.account = a.id
         order by 1, p.first_seq, p.first_transfer"
    );
    Rows::ask(client, &statement, &[&periods.read, &periods.known], |row| {
        let id = |at: usize| -> Result<Option<TransferId>, RowError> {
            Ok(row.try_get::<_, Option<Uuid>>(at)?.map(TransferId))
        };
        let balance: Option<i64> = row.try_get(1)?;
        let seq: Option<i64> = row.try_get(2)?;
        let last_transfer = id(3)?;
        let first_seq: Option<i64> = row.try_get(4)?;
        let segment = match first_seq {
            Some(first_seq) => Some(Segment {
                first_seq,
                last_seq: row.try_get(5)?,
                balance_before: wide(row, 6, "balance_before")?,
                balance_after: row.try_get(7)?,
                first_transfer: transfer_id(row, 8)?,
                first_previous: id(9)?,
                last_transfer: transfer_id(row, 10)?,
            }),
            None => None,
        };
        let figures = balance.zip(seq).map(|(balance, seq)| AccountFigures { balance, seq, last_transfer });
        Ok(AccountRow { key: row.try_get(0)?, figures, segment })
    })
    .await
}

/// Accounts that have held something else than their open holds have left, are outside their limits and not marked so, or
/// the other way round, or have other limits than they were given; by key.
pub async fn account_breaches(client: &Client) -> Result<Rows<AccountBreach>, RowError> {
    let statement = "
        with reserved as (
          select debit, sum(amount::numeric - captured - released) as rest from hold where state = 'open' group by debit
        ), judged as (
          select coalesce(a.id, r.debit) as key, coalesce(a.held, 0) as held, coalesce(r.rest, 0) as rest,
            coalesce(
              a.customer is not null
                and (a.balance::numeric - a.held + a.overdraft_limit < 0 or a.balance > coalesce(a.ceiling, a.balance)),
              false
            ) as is_outside,
            coalesce(a.limit_exceeded, false) as is_marked,
            case when c.account is null then a.id is null or (a.state = 'open' and a.ceiling is null)
              else (a.overdraft_limit, a.state) = (c.overdraft_limit_after, c.state_after)
                and a.ceiling is not distinct from c.ceiling_after
            end as has_its_terms
          from account a
          full join reserved r on r.debit = a.id
          left join (
            select distinct on (account) * from account_change order by account, serial desc
          ) c on c.account = a.id
        )
        select key, held, rest::text, is_outside, is_marked, has_its_terms
        from judged
        where held <> rest or is_outside <> is_marked or not has_its_terms
        order by key";
    Rows::ask(client, statement, &[], |row| {
        Ok(AccountBreach {
            key: row.try_get(0)?,
            held: row.try_get(1)?,
            reserved: wide(row, 2, "held")?,
            is_outside: row.try_get(3)?,
            is_marked: row.try_get(4)?,
            has_its_terms: row.try_get(5)?,
        })
    })
    .await
}

/// Chains of which the partitions that are read have posted and refused links; by their first link.
pub async fn chain_breaches(client: &Client, periods: &AuditedPeriods) -> Result<Rows<ChainBreach>, RowError> {
    let statement = "
        select chain, count(*) filter (where refusal is null), count(*) filter (where refusal is not null)
        from transfer
        where period = any($1) and chain is not null
        group by chain
        having count(*) filter (where refusal is null) > 0 and count(*) filter (where refusal is not null) > 0
        order by chain";
    Rows::ask(client, statement, &[&periods.read], |row| {
        Ok(ChainBreach { chain: transfer_id(row, 0)?, posted: row.try_get(1)?, refused: row.try_get(2)? })
    })
    .await
}

/// Transfers of the partitions that are read whose lines are not those that they should have; by id.
pub async fn lines_breaches(
    client: &Client,
    branch: BranchId,
    periods: &AuditedPeriods,
) -> Result<Rows<LinesBreach>, RowError> {
    let statement = "
        with judged as (
          select id, debit_seq is not null as has_debit, credit_seq is not null as has_credit,
            posts and debit / 1000000000000 = $2 as wants_debit, posts and credit / 1000000000000 = $2 as wants_credit
          from (
            select id, debit, credit, debit_seq, credit_seq,
              refusal is null and kind not in ('hold', 'release', 'expiry') as posts
            from transfer
            where period = any($1)
          ) t
        )
        select id, wants_debit, wants_credit, has_debit, has_credit
        from judged
        where (wants_debit, wants_credit) <> (has_debit, has_credit)
        order by id";
    Rows::ask(client, statement, &[&periods.read, &number(branch)], |row| {
        let expected = [row.try_get(1)?, row.try_get(2)?];
        Ok(LinesBreach { id: transfer_id(row, 0)?, expected, found: [row.try_get(3)?, row.try_get(4)?] })
    })
    .await
}

/// Every hold with what transfers did to it, by id.
pub async fn holds(client: &Client, branch: BranchId, periods: &AuditedPeriods) -> Result<Rows<HoldAudit>, RowError> {
    let statement = format!(
        "with {HOLD_DEEDS}, deed as (
           select hold, sum(placed) as placed, sum(captured) as captured, sum(finals)::bigint as finals,
             sum(released) as released, sum(expired) as expired
           from (
             select hold, placed, captured, finals, released, expired from hold_deed
             union all
             select hold, placed, captured, finals, released, expired from audit_hold where period = any($3)
           ) d
           group by hold
         )
         select coalesce(h.id, d.hold), h.amount, h.captured, h.released, h.state, h.placed_at, coalesce(d.placed, 0)::text,
           coalesce(d.captured, 0)::text, coalesce(d.finals, 0), coalesce(d.released, 0)::text, coalesce(d.expired, 0)::text
         from hold h
         full join deed d on d.hold = h.id
         order by 1"
    );
    Rows::ask(client, &statement, &[&periods.read, &number(branch), &periods.known], |row| {
        let amount: Option<i64> = row.try_get(1)?;
        let malformed = |_| RowError::Malformed { table: "hold", column: "state" };
        let hold = match amount {
            Some(amount) => Some(HoldRow {
                amount,
                captured: row.try_get(2)?,
                released: row.try_get(3)?,
                state: row.try_get::<_, &str>(4)?.parse().map_err(malformed)?,
                placed_at: row.try_get::<_, SystemTime>(5)?.into(),
            }),
            None => None,
        };
        let deeds = HoldDeeds {
            placed: wide(row, 6, "placed")?,
            captured: wide(row, 7, "captured")?,
            finals: row.try_get(8)?,
            released: wide(row, 9, "released")?,
            expired: wide(row, 10, "expired")?,
        };
        Ok(HoldAudit { id: transfer_id(row, 0)?, row: hold, deeds })
    })
    .await
}

/// Every transfer of which something was reversed, by id. The originals themselves are looked up by their keys.
pub async fn reversals(client: &Client, periods: &AuditedPeriods) -> Result<Rows<ReversalAudit>, RowError> {
    let statement = format!(
        "with {REVERSAL_DEEDS}, deed as (
           select original, sum(reversed) as reversed
           from (
             select original, reversed from reversal_deed
             union all
             select original, reversed from audit_reversal where period = any($2)
           ) d
           group by original
         ), noted as (
           select coalesce(r.original, d.original) as original, r.amount, r.reversed, coalesce(d.reversed, 0)::text as moved_back
           from reversal r
           full join deed d on d.original = r.original
         )
         select n.original, n.amount, n.reversed, n.moved_back, t.amount, t.posted_at
         from noted n
         left join lateral (
           select amount, posted_at
           from transfer
           where period = transfer_period_of(n.original) and id = n.original and credit_seq is not null
           limit 1
         ) t on true
         order by 1"
    );
    Rows::ask(client, &statement, &[&periods.read, &periods.known], |row| {
        let amount: Option<i64> = row.try_get(1)?;
        let reversed: Option<i64> = row.try_get(2)?;
        let moved: Option<i64> = row.try_get(4)?;
        let posted_at: Option<SystemTime> = row.try_get(5)?;
        Ok(ReversalAudit {
            original: transfer_id(row, 0)?,
            row: amount.zip(reversed).map(|(amount, reversed)| ReversalRow { amount, reversed }),
            moved_back: wide(row, 3, "reversed")?,
            moved: moved.zip(posted_at.map(Timestamp::from)),
        })
    })
    .await
}
