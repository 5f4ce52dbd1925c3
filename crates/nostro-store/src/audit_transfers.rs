//! Rows of `transfer` at one branch that break a rule by themselves, or beside their accounts and the other links of their chain.
//!
//! Read of the partitions whose rows an audit reads; of a month that is kept they were right when it was. Only breaches are streamed.

use crate::audit_periods::AuditedPeriods;
use crate::audit_rows::{Rows, number, transfer_id};
use crate::rows::{BranchId, RowError};
use nostro_core::{Period, TransferId};
use tokio_postgres::Client;

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

/// A posted transfer that does not fit its accounts.
#[derive(Clone, Debug)]
pub struct AccountsBreach {
    /// The transfer.
    pub id: TransferId,
    /// What it is.
    pub kind: String,
    /// In what.
    pub currency: String,
    /// The currency of an account of it that has another one.
    pub other_currency: Option<String>,
    /// Whether its accounts are those of its kind.
    pub is_its_kind: bool,
}

/// The links of a chain at the branch, in one batch, where they do not fit each other.
#[derive(Clone, Copy, Debug)]
pub struct ChainBreach {
    /// The first link.
    pub chain: TransferId,
    /// How many links of it are posted here.
    pub posted: i64,
    /// How many are refused.
    pub refused: i64,
    /// How many places they have.
    pub places: i64,
    /// The first and the last of these.
    pub ends: [i32; 2],
    /// The least and the greatest length of the chain that they name.
    pub lengths: [i32; 2],
}

/// Transfers that stand in another partition than that of their ids, where nobody would find them; by id.
pub async fn period_breaches(
    client: &Client,
    periods: &AuditedPeriods,
) -> Result<Rows<(TransferId, Period)>, RowError> {
    // What transfer_period_of() says, once a partition and not once a row: a month's ids of version 7 lie between two bounds.
    let statement = "
        with month as (
          select period,
            rpad(lpad(to_hex((extract(epoch from begins) * 1000)::bigint), 12, '0'), 32, '0')::uuid as first_id,
            rpad(lpad(to_hex((extract(epoch from begins + interval '1 month') * 1000)::bigint), 12, '0'), 32, '0')::uuid as next_id
          from (select p as period, make_date(p / 100, p % 100, 1) as begins from unnest($1::integer[]) p where p <> 0) b
        ), placed as (
          select t.id, t.period, t.id < m.first_id or t.id >= m.next_id as is_outside,
            get_byte(uuid_send(t.id), 6) >> 4 = 7 and get_byte(uuid_send(t.id), 8) >> 6 = 2 as has_time
          from transfer t
          left join month m on m.period = t.period
          where t.period = any($1)
        )
        select id, period
        from placed
        where case when period = 0 then has_time and id < 'e6707a6e-b000-0000-0000-000000000000' else is_outside or not has_time end
        order by id";
    Rows::ask(client, statement, &[&periods.read], |row| Ok((transfer_id(row, 0)?, Period::from_i32(row.try_get(1)?))))
        .await
}

/// Transfers whose lines are not those that they should have; by id.
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

/// Posted transfers in another currency than their accounts here, and deposits and withdrawals that are not between a branch's cash
/// and its customers; by id. A plain transfer may be of cash too. Of a hold the account in whose favour it is may be anything.
pub async fn accounts_breaches(client: &Client, periods: &AuditedPeriods) -> Result<Rows<AccountsBreach>, RowError> {
    // Serials below 1042 are the bank's own (docs/adr/0002).
    let statement = "
        with judged as (
          select t.id, t.kind, t.currency,
            case when d.currency <> t.currency then d.currency when c.currency <> t.currency then c.currency end as other_currency,
            case t.kind
              when 'deposit' then t.is_local and t.debit_serial < 1042 and t.credit_serial >= 1042
              when 'withdrawal' then t.is_local and t.debit_serial >= 1042 and t.credit_serial < 1042
              else true
            end as is_its_kind
          from (
            select id, kind, currency, debit, credit, debit / 1000000000000 = credit / 1000000000000 as is_local,
              debit % 1000000000000 as debit_serial, credit % 1000000000000 as credit_serial
            from transfer
            where period = any($1) and refusal is null
          ) t
          left join account d on d.id = t.debit
          left join account c on c.id = t.credit and t.kind not in ('hold', 'release', 'expiry')
        )
        select id, kind, currency, other_currency::text, is_its_kind
        from judged
        where other_currency is not null or not is_its_kind
        order by id";
    Rows::ask(client, statement, &[&periods.read], |row| {
        Ok(AccountsBreach {
            id: transfer_id(row, 0)?,
            kind: row.try_get(1)?,
            currency: row.try_get(2)?,
            other_currency: row.try_get(3)?,
            is_its_kind: row.try_get(4)?,
        })
    })
    .await
}

/// Chains with posted and refused links in one batch, or with links whose places are not as many and below one length; by their
/// first link. An id may be that of another chain over branches that never saw it, so a chain here is one of its batch.
pub async fn chain_breaches(client: &Client, periods: &AuditedPeriods) -> Result<Rows<ChainBreach>, RowError> {
    let statement = "
        select chain, posted, refused, places, first_place, last_place, least_length, greatest_length
        from (
          select chain, batch, count(*) filter (where refusal is null) as posted,
            count(*) filter (where refusal is not null) as refused, count(distinct chain_position) as places,
            coalesce(min(chain_position), -1) as first_place, coalesce(max(chain_position), -1) as last_place,
            coalesce(min(chain_length), -1) as least_length, coalesce(max(chain_length), -1) as greatest_length
          from transfer
          where period = any($1) and chain is not null
          group by chain, batch
        ) c
        where (posted > 0 and refused > 0) or places <> posted + refused or first_place < 0
          or least_length <> greatest_length or last_place >= least_length
        order by chain, batch";
    Rows::ask(client, statement, &[&periods.read], |row| {
        Ok(ChainBreach {
            chain: transfer_id(row, 0)?,
            posted: row.try_get(1)?,
            refused: row.try_get(2)?,
            places: row.try_get(3)?,
            ends: [row.try_get(4)?, row.try_get(5)?],
            lengths: [row.try_get(6)?, row.try_get(7)?],
        })
    })
    .await
}
