//! The batches of one branch, as a full audit reads them: the record, the nets and the transfers of each, in the order of names.

use crate::audit_periods::AuditedPeriods;
use crate::audit_rows::{Rows, number, transfer_id, wide};
use crate::rows::{BranchId, RowError, time};
use nostro_core::batch_sides::{Content, Group, KeptNet, Recorded, Whole};
use nostro_core::{BranchNumber, Period};
use tokio_postgres::{Client, Row};

/// Something that a branch has of a batch.
#[derive(Clone, Debug)]
pub enum BatchPiece {
    /// That it is committed.
    Recorded(Recorded),
    /// What is kept of it.
    Net(KeptNet),
    /// Transfers of one month.
    Group(Group),
    /// The hash over transfers of several months.
    Whole(Whole),
}

/// Everything that the branch has of each batch, by the batch's name in byte order.
pub async fn batches(
    client: &Client,
    branch: BranchId,
    periods: &AuditedPeriods,
) -> Result<Rows<(String, BatchPiece)>, RowError> {
    // Of what is recorded the first time is when; of a group they are when its first and its last transfer were posted.
    let statement = "
        with straddling as (
          select batch from transfer where period = any($1) group by batch having min(period) <> max(period)
        ), whole as (
          select m.batch, coalesce(b.code, m.other::text) as counterparty, m.currency, count(*) as transfers,
            sha256(string_agg(m.bytes, ''::bytea order by m.id)) as hash
          from draw_moves($1, $2) m
          join straddling s on s.batch = m.batch
          left join branch b on b.number = m.other
          where m.moved
          group by 1, 2, 3
        ), piece as (
          select id as batch, 0 as what, null::text as counterparty, null::text as currency, null::integer as period,
            null::bigint as transfers, null::numeric as net, null::bytea as hash, null::bytea as contents, parts,
            decided_at as first_at, null::timestamptz as last_at
          from batch
          where outcome = 'committed'
          union all
          select batch, 0, null, null, null, null, null, null, null, parts, written_at, null
          from participation
          where outcome = 'committed'
          union all
          select batch, 1, counterparty, currency, null, null, amount, hash, null, null, null, null
          from batch_net
          union all
          select batch, 2, counterparty, currency, period, transfers, net, hash, contents, null, first_posted_at, last_posted_at
          from audit_batch
          where period = any($3)
          union all
          select batch, 2, counterparty, currency, period, transfers, net, hash, contents, null, first_posted_at, last_posted_at
          from draw_batches($1, $2)
          union all
          select batch, 3, counterparty, currency, null, transfers, null, hash, null, null, null, null
          from whole
        )
        select batch, what, counterparty, currency, period, transfers, net::text, hash, contents, parts, first_at, last_at
        from piece
        order by batch collate \"C\", what, counterparty, currency, period";
    Rows::ask(client, statement, &[&periods.read, &number(branch), &periods.known], |row| {
        Ok((row.try_get(0)?, batch_piece(row)?))
    })
    .await
}

fn batch_piece(row: &Row) -> Result<BatchPiece, RowError> {
    let malformed = |column| RowError::Malformed { table: "batch", column };
    Ok(match row.try_get::<_, i32>(1)? {
        0 => {
            let parts: Vec<&str> = row.try_get(9)?;
            let parts = parts.iter().map(|part| part.parse().map_err(|_| malformed("parts")));
            BatchPiece::Recorded(Recorded { parts: parts.collect::<Result<_, _>>()?, at: time(row, 10)? })
        }
        1 => {
            let amount = i64::try_from(wide(row, 6, "amount")?).map_err(|_| malformed("amount"))?;
            let (counterparty, currency) = (row.try_get(2)?, row.try_get(3)?);
            BatchPiece::Net(KeptNet { counterparty, currency, amount, hash: row.try_get(7)? })
        }
        2 => BatchPiece::Group(Group {
            counterparty: row.try_get(2)?,
            currency: row.try_get(3)?,
            period: Period::from_i32(row.try_get(4)?),
            transfers: row.try_get(5)?,
            net: wide(row, 6, "net")?,
            hash: row.try_get(7)?,
            contents: row.try_get(8)?,
            first_posted_at: time(row, 10)?,
            last_posted_at: time(row, 11)?,
        }),
        3 => BatchPiece::Whole(Whole {
            counterparty: row.try_get(2)?,
            currency: row.try_get(3)?,
            transfers: row.try_get(5)?,
            hash: row.try_get(7)?,
        }),
        _ => return Err(malformed("what")),
    })
}

/// The posted transfers of a batch between two branches, by id. It reads every partition: for the few batches that differ.
pub async fn contents(
    client: &Client,
    batch: &str,
    first: BranchNumber,
    second: BranchNumber,
) -> Result<Vec<Content>, RowError> {
    let statement = "
        select id, concat_ws(
            ' ', kind, debit, 'to', credit, amount, currency, 'category ' || nullif(category, 0), 'reference ' || quote_literal(reference),
            'asked ' || asked, 'forced ' || is_forced, 'final ' || is_final, 'of hold ' || hold,
            'of ' || original, 'link ' || chain_position || ' of ' || chain_length || ' of ' || chain
          )
        from transfer
        where batch = $1
          and refusal is null
          and kind not in ('hold', 'release', 'expiry')
          and array[debit / 1000000000000, credit / 1000000000000] in (array[$2::bigint, $3], array[$3::bigint, $2])
        order by id";
    let [first, second] = [first, second].map(|number| i64::from(number.get()));
    let rows = client.query(statement, &[&batch, &first, &second]).await?;
    rows.iter().map(|row| Ok(Content { id: transfer_id(row, 0)?, words: row.try_get(1)? })).collect()
}
