//! What a full audit reads at one branch, in one snapshot: sorted streams, so that nothing is held in memory.
//!
//! Of closed months that an audit has found right before, the rows of `audit_segment`, `audit_hold`, `audit_reversal` and
//! `audit_batch` stand for those of `transfer`; of all others the same is drawn from `transfer`, by the functions of the database
//! with which a month is kept (`draw_segments` and its like, migration 11). SQL groups and sorts; what is wrong is decided in
//! the core, but for plain inequalities within one row.

use crate::audit_periods::AuditedPeriods;
use crate::rows::{BranchId, RowError, time};
use futures_util::TryStreamExt;
use nostro_core::segments::{AccountFigures, Segment};
use nostro_core::sources_audit::{HoldDeeds, HoldRow, Named, Placing, ReversalDeeds, ReversalRow};
use nostro_core::{Timestamp, TransferId};
use std::pin::Pin;
use std::time::{Duration, SystemTime};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, RowStream};
use uuid::Uuid;

/// A branch that was read to its end waits in its snapshot for the slowest one, and so does a stream of batches that ended first:
/// as long as the open months of the slowest branch take. That is minutes; two hours leave room, and beyond them the audit fails.
/// It is also how long a server that stands still, on a host that answers, can keep a snapshot.
pub const AHEAD_MAX: Duration = Duration::from_secs(2 * 60 * 60);

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

/// A hold and what transfers did to it.
#[derive(Clone, Debug)]
pub struct HoldAudit {
    /// Its id.
    pub id: TransferId,
    /// As it stands.
    pub row: Option<HoldRow>,
    /// What was done to it.
    pub deeds: HoldDeeds,
}

/// A transfer that was reversed.
#[derive(Clone, Debug)]
pub struct ReversalAudit {
    /// Its id.
    pub original: TransferId,
    /// What is noted of it.
    pub row: Option<ReversalRow>,
    /// What its reversals did.
    pub deeds: ReversalDeeds,
    /// What it did, if it is there.
    pub moved: Option<Moved>,
}

/// A transfer that was reversed, as it is recorded.
#[derive(Clone, Debug)]
pub struct Moved {
    /// How much, in minor units.
    pub amount: i64,
    /// When.
    pub posted_at: Timestamp,
    /// The accounts and the currency of a transfer the other way, in the words of [`Named`].
    pub back: String,
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
    // A host that vanished is given up after about ten seconds, as the servers do (nostro-commit's `connector`). Not by
    // `tcp_user_timeout`, whatever the database's own is: to Linux a stream that waits for another branch's, with its window
    // full, looks the same. What was on its way to a host as it vanished, the kernel sends again for a quarter of an hour.
    let vanished = "set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 2; set tcp_keepalives_count = 3;
        set tcp_user_timeout = 0; set client_connection_check_interval = '1s'";
    // One process of the database and no more, beside payments. What waits for longer waits for DDL.
    let settings = format!(
        "{vanished}; set idle_in_transaction_session_timeout = '{}s';
         set statement_timeout = 0; set lock_timeout = '60s'; set max_parallel_workers_per_gather = 0; set jit = off;
         set work_mem = '64MB'",
        AHEAD_MAX.as_secs()
    );
    Ok(client.batch_execute(&settings).await?)
}

/// Opens the snapshot. The lock comes first: no partition is taken out between the snapshot and its reading.
pub async fn open(client: &Client) -> Result<(), RowError> {
    let open = "begin isolation level repeatable read read only; lock table transfer in access share mode; select 1";
    Ok(client.batch_execute(open).await?)
}

/// Every account with its segments, by key and number.
pub async fn accounts(client: &Client, periods: &AuditedPeriods) -> Result<Rows<AccountRow>, RowError> {
    let statement = "
        with piece as (
          select account, first_seq, last_seq, balance_before, balance_after, first_transfer, first_previous, last_transfer,
            first_posted_at, last_posted_at
          from draw_segments($1)
          union all
          select account, first_seq, last_seq, balance_before::numeric, balance_after, first_transfer, first_previous, last_transfer,
            first_posted_at, last_posted_at
          from audit_segment
          where period = any($2)
        )
        select coalesce(a.id, p.account), a.balance, a.seq, a.last_transfer, p.first_seq, p.last_seq, p.balance_before::text,
          p.balance_after, p.first_transfer, p.first_previous, p.last_transfer, p.first_posted_at, p.last_posted_at
        from account a
        full join piece p on p.account = a.id
        order by 1, p.first_seq, p.first_transfer";
    Rows::ask(client, statement, &[&periods.read, &periods.known], |row| {
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
                first_posted_at: time(row, 11)?,
                last_posted_at: time(row, 12)?,
            }),
            None => None,
        };
        let figures = balance.zip(seq).map(|(balance, seq)| AccountFigures { balance, seq, last_transfer });
        Ok(AccountRow { key: row.try_get(0)?, figures, segment })
    })
    .await
}

/// Accounts that have held something else than their open holds have left, are outside their limits and not marked so, or
/// the other way round, or have other limits or another state than their changes left, which go on from each other and from what
/// the account was opened with; by key.
pub async fn account_breaches(client: &Client) -> Result<Rows<AccountBreach>, RowError> {
    let statement = "
        with reserved as (
          select debit, sum(amount::numeric - captured - released) as rest from hold where state = 'open' group by debit
        ), change as (
          select c.account, c.serial, c.overdraft_limit_after, c.ceiling_after, c.state_after,
            (c.overdraft_limit_before, c.ceiling_before, c.state_before) is not distinct from (
              lag(c.overdraft_limit_after, 1, a.opened_limit) over changes,
              lag(c.ceiling_after) over changes,
              lag(c.state_after, 1, 'open') over changes
            ) as follows
          from account_change c
          join account a on a.id = c.account
          window changes as (partition by c.account order by c.serial)
        ), last_change as (
          select distinct on (account) account, overdraft_limit_after, ceiling_after, state_after,
            bool_and(follows) over (partition by account) as all_follow
          from change
          order by account, serial desc
        ), judged as (
          select coalesce(a.id, r.debit) as key, coalesce(a.held, 0) as held, coalesce(r.rest, 0) as rest,
            coalesce(
              a.customer is not null
                and (a.balance::numeric - a.held + a.overdraft_limit < 0 or a.balance > coalesce(a.ceiling, a.balance)),
              false
            ) as is_outside,
            coalesce(a.limit_exceeded, false) as is_marked,
            case when a.id is null then true
              when c.account is null then a.state = 'open' and a.ceiling is null and a.overdraft_limit = a.opened_limit
              else c.all_follow and (a.overdraft_limit, a.state) = (c.overdraft_limit_after, c.state_after)
                and a.ceiling is not distinct from c.ceiling_after
            end as has_its_terms
          from account a
          full join reserved r on r.debit = a.id
          left join last_change c on c.account = a.id
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

/// What names a row that is not there.
#[derive(Clone, Copy, Debug)]
pub struct Dangling {
    /// The account's key.
    pub account: i64,
    /// The account's customer; none where it is changes that name the account.
    pub customer: Option<i64>,
}

/// Accounts of customers who do not exist, and accounts that do not exist and have changes; by key.
pub async fn dangling(client: &Client) -> Result<Rows<Dangling>, RowError> {
    let statement = "
        select a.id, a.customer
        from account a
        where a.customer is not null and not exists (select from customer c where c.id = a.customer)
        union all
        select distinct c.account, null::bigint
        from account_change c
        where not exists (select from account a where a.id = c.account)
        order by 1";
    Rows::ask(client, statement, &[], |row| Ok(Dangling { account: row.try_get(0)?, customer: row.try_get(1)? })).await
}

/// Every hold with what transfers did to it, by id.
pub async fn holds(client: &Client, branch: BranchId, periods: &AuditedPeriods) -> Result<Rows<HoldAudit>, RowError> {
    let statement = "
        with drawn as (
          select hold, debit, credit, currency, placed, captured, finals, released, expired, placed_at, expires_at
          from draw_holds($1, $2)
          union all
          select hold, debit, credit, currency, placed, captured, finals, released, expired, placed_at, expires_at
          from audit_hold
          where period = any($3)
        ), deed as (
          select hold, sum(placed) as placed, sum(captured) as captured, sum(finals)::bigint as finals,
            sum(released) as released, sum(expired) as expired,
            min(terms) filter (where placed > 0) as terms, min(placed_at) as placed_at, min(expires_at) as expires_at,
            min(terms) filter (where takes) as first_terms, max(terms) filter (where takes) as last_terms
          from (
            select *, concat_ws(' ', debit, 'to', credit, currency) as terms, captured + released + expired > 0 as takes
            from drawn
          ) d
          group by hold
        )
        select coalesce(h.id, d.hold), h.amount, h.captured, h.released, h.state, coalesce(d.placed, 0)::text,
          coalesce(d.captured, 0)::text, coalesce(d.finals, 0), coalesce(d.released, 0)::text, coalesce(d.expired, 0)::text,
          case when h.id is not null then concat_ws(' ', h.debit, 'to', h.credit, h.currency) end, h.placed_at, h.expires_at,
          d.terms, d.placed_at, d.expires_at, d.first_terms, d.last_terms
        from hold h
        full join deed d on d.hold = h.id
        order by 1";
    Rows::ask(client, statement, &[&periods.read, &number(branch), &periods.known], |row| {
        let deeds = HoldDeeds {
            placed: wide(row, 5, "placed")?,
            captured: wide(row, 6, "captured")?,
            finals: row.try_get(7)?,
            released: wide(row, 8, "released")?,
            expired: wide(row, 9, "expired")?,
            placing: placing(row, 13)?,
            named: named(row, 16)?,
        };
        Ok(HoldAudit { id: transfer_id(row, 0)?, row: hold_row(row)?, deeds })
    })
    .await
}

/// Columns 1 to 4 and 10 to 12 of [`holds`].
fn hold_row(row: &Row) -> Result<Option<HoldRow>, RowError> {
    let amount: Option<i64> = row.try_get(1)?;
    let Some((amount, placing)) = amount.zip(placing(row, 10)?) else { return Ok(None) };
    let malformed = |_| RowError::Malformed { table: "hold", column: "state" };
    Ok(Some(HoldRow {
        amount,
        captured: row.try_get(2)?,
        released: row.try_get(3)?,
        state: row.try_get::<_, &str>(4)?.parse().map_err(malformed)?,
        placing,
    }))
}

/// Three columns: the terms, when it was placed, when it expires.
fn placing(row: &Row, at: usize) -> Result<Option<Placing>, RowError> {
    let terms: Option<String> = row.try_get(at)?;
    let placed_at: Option<SystemTime> = row.try_get(at + 1)?;
    let expires_at = row.try_get::<_, Option<SystemTime>>(at + 2)?.map(Timestamp::from);
    Ok(terms.zip(placed_at).map(|(terms, placed_at)| Placing { terms, placed_at: placed_at.into(), expires_at }))
}

/// Two columns: the first and the last terms.
fn named(row: &Row, at: usize) -> Result<Option<Named>, RowError> {
    let first: Option<String> = row.try_get(at)?;
    Ok(first.zip(row.try_get(at + 1)?).map(|(first, last)| Named { first, last }))
}

/// Every transfer of which something was reversed, by id. The originals themselves are looked up by their keys.
pub async fn reversals(client: &Client, periods: &AuditedPeriods) -> Result<Rows<ReversalAudit>, RowError> {
    let statement = "
        with deed as (
          select original, sum(reversed) as reversed, min(terms) as first_terms, max(terms) as last_terms
          from (
            select original, concat_ws(' ', debit, 'to', credit, currency) as terms, reversed from draw_reversals($1)
            union all
            select original, concat_ws(' ', debit, 'to', credit, currency), reversed from audit_reversal where period = any($2)
          ) d
          group by original
        ), noted as (
          select coalesce(r.original, d.original) as original, r.amount, r.reversed, coalesce(d.reversed, 0)::text as moved_back,
            d.first_terms, d.last_terms
          from reversal r
          full join deed d on d.original = r.original
        )
        select n.original, n.amount, n.reversed, n.moved_back, n.first_terms, n.last_terms, t.amount, t.posted_at, t.back
        from noted n
        left join lateral (
          select amount, posted_at, concat_ws(' ', credit, 'to', debit, currency) as back
          from transfer
          where period = transfer_period_of(n.original) and id = n.original and credit_seq is not null
          limit 1
        ) t on true
        order by 1";
    Rows::ask(client, statement, &[&periods.read, &periods.known], |row| {
        let amount: Option<i64> = row.try_get(1)?;
        let reversed: Option<i64> = row.try_get(2)?;
        let moved: Option<i64> = row.try_get(6)?;
        let moved = match moved {
            Some(amount) => Some(Moved { amount, posted_at: time(row, 7)?, back: row.try_get(8)? }),
            None => None,
        };
        Ok(ReversalAudit {
            original: transfer_id(row, 0)?,
            row: amount.zip(reversed).map(|(amount, reversed)| ReversalRow { amount, reversed }),
            deeds: ReversalDeeds { moved_back: wide(row, 3, "reversed")?, named: named(row, 4)? },
            moved,
        })
    })
    .await
}
