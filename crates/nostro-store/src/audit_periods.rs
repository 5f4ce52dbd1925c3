//! The partitions of `transfer` as a full audit sees them: which are read, and what is kept of those that are closed.
//!
//! A month is closed when its ids have been refused for a day and no transaction, prepared ones included, has it open for
//! writing: then its rows never change again, and neither does what they come to. An audit that found them right keeps
//! that, and later ones read it instead. Whoever changes such a row afterwards, against triggers and grants, is found by
//! an audit from scratch only.

use crate::audit_rows::{KeptDifference, Rows};
use crate::rows::{BranchId, RowError};
use nostro_core::Period;
use nostro_core::batch_sides::Archived;
use std::collections::BTreeSet;
use std::time::SystemTime;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// `segment`: the runs of lines in the partitions `$1` in which each line follows from the one before it.
pub(crate) const SEGMENTS: &str = "
    line as (
      select debit as account, debit_seq as seq, -amount as change, debit_balance_after as balance, debit_previous as previous, id
      from transfer
      where period = any($1) and debit_seq is not null
      union all
      select credit, credit_seq, amount, credit_balance_after, credit_previous, id
      from transfer
      where period = any($1) and credit_seq is not null
    ), linked as (
      select account, seq, change, balance, previous, id,
        lag(seq) over lines as seq_before, lag(balance) over lines as line_before, lag(id) over lines as id_before,
        last_value(seq) over all_lines as seq_end, last_value(balance) over all_lines as balance_end,
        last_value(id) over all_lines as id_end
      from line
      window lines as (partition by account order by seq, id),
        all_lines as (partition by account order by seq, id rows between unbounded preceding and unbounded following)
    ), segment as (
      select account, seq as first_seq, coalesce(lead(seq_before) over firsts, seq_end) as last_seq,
        balance::numeric - change as balance_before, coalesce(lead(line_before) over firsts, balance_end) as balance_after,
        id as first_transfer, previous as first_previous, coalesce(lead(id_before) over firsts, id_end) as last_transfer
      from linked
      where (seq_before = seq - 1 and line_before + change::numeric = balance and id_before = previous) is not true
      window firsts as (partition by account order by seq, id)
    )";

/// `hold_deed`: what the partitions `$1` did to the holds of the branch with number `$2`.
pub(crate) const HOLD_DEEDS: &str = "
    hold_deed as (
      select coalesce(hold, id) as hold,
        coalesce(sum(amount) filter (where kind = 'hold'), 0) as placed,
        coalesce(sum(amount) filter (where kind = 'capture'), 0) as captured,
        count(*) filter (where kind = 'capture' and is_final) as finals,
        coalesce(sum(amount) filter (where kind = 'release'), 0) as released,
        coalesce(sum(amount) filter (where kind = 'expiry'), 0) as expired
      from transfer
      where period = any($1)
        and kind in ('hold', 'capture', 'release', 'expiry')
        and refusal is null
        and debit / 1000000000000 = $2::bigint
      group by 1
    )";

/// `reversal_deed`: what the reversals in the partitions `$1` moved back, where the account that was paid is of this branch.
pub(crate) const REVERSAL_DEEDS: &str = "
    reversal_deed as (
      select original, sum(amount) as reversed
      from transfer
      where period = any($1) and kind = 'reversal' and refusal is null and debit_seq is not null
      group by original
    )";

/// `located`: the transfers of the partitions `$1` with the other branch, seen from the one with number `$2`; and `batch_group`:
/// what each batch has there. The bytes are those of `batch_net.hash` ([`crate::nets`]).
pub(crate) const GROUPS: &str = "
    located as not materialized (
      select id, batch, period, kind, currency, moved,
        case when not moved then $2::bigint when debit / 1000000000000 = $2 then credit / 1000000000000
          else debit / 1000000000000 end as other,
        case when not moved then 0 when debit / 1000000000000 = $2 then amount else -amount end as net,
        uuid_send(id) || int8send(debit) || int8send(credit) || int8send(amount) || convert_to(currency, 'UTF8') as bytes
      from (
        select id, batch, period, kind, currency, amount, debit, credit,
          refusal is null and kind not in ('hold', 'release', 'expiry')
            and debit / 1000000000000 <> credit / 1000000000000 as moved
        from transfer
        where period = any($1)
      ) t
    ), batch_group as (
      select g.batch, coalesce(b.code, g.other::text) as counterparty, g.currency, g.period, g.transfers, g.net, g.hash, g.kinds
      from (
        select batch, other, currency, period, count(*) as transfers, sum(net) as net,
          sha256(string_agg(bytes, ''::bytea order by id) filter (where moved)) as hash,
          sha256(convert_to(string_agg(kind, ' ' order by id) filter (where moved), 'UTF8')) as kinds
        from located
        group by batch, other, currency, period
      ) g
      left join branch b on b.number = g.other
    )";

/// Which partitions an audit reads, and of which it reads what was kept.
#[derive(Clone, Debug, Default)]
pub struct AuditedPeriods {
    /// Their rows are read.
    pub read: Vec<i32>,
    /// What was kept is read.
    pub known: Vec<i32>,
    /// Of those that are read, what was kept is compared with.
    pub compared: Vec<i32>,
    /// Taken out without having been audited.
    pub archived: Archived,
}

/// The months that are closed. Asked before the snapshot, which then shows all of their rows.
pub async fn closed(client: &Client) -> Result<BTreeSet<i32>, RowError> {
    let statement = "
        select period
        from transfer_period
        where detached_at is null
          and case when period = 0 then false
            else clock_timestamp() at time zone 'UTC' >= make_date(period / 100, period % 100, 1) + interval '1 month 2 days' end
          and not exists (
            select
            from pg_locks l
            join pg_class c on c.oid = l.relation
            join pg_database d on d.oid = l.database and d.datname = current_database()
            where l.locktype = 'relation' and l.mode = 'RowExclusiveLock' and c.relname = 'transfer_' || period
          )";
    let rows = client.query(statement, &[]).await?;
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
            (true, true) => periods.known.push(period),
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

/// Keeps what the rows of a closed month come to, so that they are not read again; `false` if it was kept already. The connection
/// is outside a transaction before and after; if this fails it is in one, and of no use any more.
pub async fn keep(client: &Client, branch: BranchId, period: i32, audit: Uuid) -> Result<bool, RowError> {
    client.batch_execute("begin").await?;
    let statement = "insert into audit_period (period, audit) values ($1, $2) on conflict (period) do nothing";
    if client.execute(statement, &[&period, &audit]).await? == 0 {
        client.batch_execute("rollback").await?;
        return Ok(false);
    }
    let (of, number) = (vec![period], i64::from(branch.number.get()));
    let segments = format!(
        "insert into audit_segment (period, account, first_seq, last_seq, balance_before, balance_after, first_transfer,
           first_previous, last_transfer)
         with {SEGMENTS}
         select $2::integer, account, first_seq, last_seq, balance_before::bigint, balance_after, first_transfer, first_previous, last_transfer
         from segment"
    );
    client.execute(&segments, &[&of, &period]).await?;
    let holds = format!(
        "insert into audit_hold (period, hold, placed, captured, finals, released, expired)
         with {HOLD_DEEDS}
         select $3::integer, hold, placed, captured, finals, released, expired from hold_deed"
    );
    client.execute(&holds, &[&of, &number, &period]).await?;
    let reversals = format!(
        "insert into audit_reversal (period, original, reversed)
         with {REVERSAL_DEEDS}
         select $2::integer, original, reversed from reversal_deed"
    );
    client.execute(&reversals, &[&of, &period]).await?;
    let batches = format!(
        "insert into audit_batch (period, batch, counterparty, currency, transfers, net, hash, kinds)
         with {GROUPS}
         select period, batch, counterparty, currency, transfers, net, hash, kinds from batch_group"
    );
    client.execute(&batches, &[&of, &number]).await?;
    client.batch_execute("commit").await?;
    Ok(true)
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

    /// How the same is drawn from `transfer`, under which name, and the words of a row.
    fn texts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Segments => (
                SEGMENTS,
                "segment",
                "account, first_seq, last_seq, balance_before, balance_after, first_transfer, coalesce(first_previous::text, '-'), last_transfer",
            ),
            Self::Holds => (HOLD_DEEDS, "hold_deed", "hold, placed, captured, finals, released, expired"),
            Self::Reversals => (REVERSAL_DEEDS, "reversal_deed", "original, reversed"),
            Self::Batches => (
                GROUPS,
                "batch_group",
                "batch, counterparty, currency, transfers, net, coalesce(encode(hash, 'hex'), '-'), coalesce(encode(kinds, 'hex'), '-')",
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
    let (drawn, name, words) = kept.texts();
    let table = kept.table();
    let statement = format!(
        "with {drawn}, kept as (
           select concat_ws(' ', {words}) as words from {table} where period = any($1)
         ), found as (
           select concat_ws(' ', {words}) as words from {name}
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
