//! The partitions of `transfer` as a full audit sees them: which are read, and what is kept of those that are closed.
//!
//! A month is closed when its ids have been refused for a day and no transaction, prepared ones included, has it open for
//! writing: then its rows never change again, and neither does what they come to. An audit that found them right keeps
//! that, and later ones read it instead. Whoever changes such a row afterwards, against triggers and grants, is found by
//! an audit from scratch only. What is kept and what is read are drawn by the same functions (`draw_segments`, `draw_holds`,
//! `draw_reversals`, `draw_batches`, migration 11), with the owner's rights where it is kept.

use crate::audit_rows::{KeptDifference, Rows};
use crate::rows::{BranchId, RowError};
use nostro_core::Period;
use nostro_core::batch_sides::Archived;
use std::collections::BTreeSet;
use std::time::SystemTime;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Which partitions an audit reads, and of which it reads what was kept.
#[derive(Clone, Debug, Default)]
pub struct AuditedPeriods {
    /// Their rows are read.
    pub read: Vec<i32>,
    /// What was kept is read.
    pub known: Vec<i32>,
    /// Of those that are known, the ones that were taken out, so that there are no rows.
    pub taken_out: BTreeSet<i32>,
    /// Of those that are read, what was kept is compared with.
    pub compared: Vec<i32>,
    /// Taken out without having been audited.
    pub archived: Archived,
}

/// The months that are closed. Asked before the snapshot, which then shows all of their rows.
pub async fn closed(client: &Client) -> Result<BTreeSet<i32>, RowError> {
    let rows = client.query("select closed_transfer_periods()", &[]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// How this snapshot's partitions are audited. From scratch all rows that are there are read.
pub async fn periods(client: &Client, from_scratch: bool) -> Result<AuditedPeriods, RowError> {
    let statement = "
        select p.period, p.detached_at is not null, a.period is not null,
          case when p.period <> 0
            then (make_date(p.period / 100, p.period % 100, 1) + interval '1 month 2 days') at time zone 'UTC' end
        from transfer_period p
        left join audit_period a on a.period = p.period
        order by p.period";
    let mut periods = AuditedPeriods::default();
    for row in client.query(statement, &[]).await? {
        let period: i32 = row.try_get(0)?;
        let (is_detached, is_known): (bool, bool) = (row.try_get(1)?, row.try_get(2)?);
        match (is_detached, is_known) {
            (true, true) => {
                periods.known.push(period);
                periods.taken_out.insert(period);
            }
            (true, false) => {
                let until: Option<SystemTime> = row.try_get(3)?;
                periods.archived.periods.insert(Period::from_i32(period));
                periods.archived.until = periods.archived.until.max(until.map(Into::into));
            }
            (false, true) if !from_scratch => periods.known.push(period),
            (false, true) => {
                periods.read.push(period);
                periods.compared.push(period);
            }
            (false, false) => periods.read.push(period),
        }
    }
    Ok(periods)
}

/// Keeps what the rows of a closed month come to, so that they are not read again; `false` if it is kept already, was taken out
/// meanwhile or is not closed. The database draws the rows itself: the server may not write what later audits trust.
pub async fn keep(client: &Client, period: i32, audit: Uuid) -> Result<bool, RowError> {
    Ok(client.query_one("select keep_audited_period($1, $2)", &[&period, &audit]).await?.try_get(0)?)
}

/// What is kept of a closed month, by table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// `audit_segment`
    Segments,
    /// `audit_hold`
    Holds,
    /// `audit_reversal`
    Reversals,
    /// `audit_batch`
    Batches,
}

impl Kept {
    /// All of it.
    pub const ALL: [Self; 4] = [Self::Segments, Self::Holds, Self::Reversals, Self::Batches];

    /// The table.
    pub fn table(self) -> &'static str {
        match self {
            Self::Segments => "audit_segment",
            Self::Holds => "audit_hold",
            Self::Reversals => "audit_reversal",
            Self::Batches => "audit_batch",
        }
    }

    /// How the same is drawn from `transfer`, and the words of a row.
    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Segments => (
                "draw_segments($1)",
                "account, first_seq, last_seq, balance_before, balance_after, first_transfer, coalesce(first_previous::text, '-'),
                 last_transfer, first_posted_at, last_posted_at",
            ),
            Self::Holds => (
                "draw_holds($1, $2)",
                "hold, debit, credit, currency, placed, captured, finals, released, expired, coalesce(placed_at::text, '-'),
                 coalesce(expires_at::text, '-')",
            ),
            Self::Reversals => ("draw_reversals($1)", "original, debit, credit, currency, reversed"),
            Self::Batches => (
                "draw_batches($1, $2)",
                "batch, counterparty, currency, transfers, net, coalesce(encode(hash, 'hex'), '-'), coalesce(encode(contents, 'hex'), '-'),
                 first_posted_at, last_posted_at",
            ),
        }
    }

    /// Whether its text asks for the branch's number as `$2`.
    fn is_of_branch(self) -> bool {
        match self {
            Self::Segments | Self::Reversals => false,
            Self::Holds | Self::Batches => true,
        }
    }
}

/// Rows in which what was kept of a month differs from what its rows come to, in the order of their words.
pub async fn kept_differences(
    client: &Client,
    branch: BranchId,
    period: i32,
    kept: Kept,
) -> Result<Rows<KeptDifference>, RowError> {
    let (drawn, words) = kept.texts();
    let table = kept.table();
    let statement = format!(
        "with kept as (
           select concat_ws(' ', {words}) as words from {table} where period = any($1)
         ), found as (
           select concat_ws(' ', {words}) as words from {drawn}
         )
         select true, words from (select words from kept except select words from found) k
         union all
         select false, words from (select words from found except select words from kept) f
         order by 2, 1"
    );
    let (of, number) = (vec![period], i64::from(branch.number.get()));
    let parameters: [&(dyn ToSql + Sync); 2] = [&of, &number];
    let parameters = if kept.is_of_branch() { &parameters[..] } else { &parameters[..1] };
    Rows::ask(client, &statement, parameters, |row| {
        Ok(KeptDifference { is_kept: row.try_get(0)?, words: row.try_get(1)? })
    })
    .await
}
