//! One transfer by a two-phase commit of its own.

use super::protocol::{commit_prepared, decide, prepare};
use crate::database::Session;
use crate::error::BenchError;
use crate::workload::Op;
use futures_util::future::{try_join, try_join3};
use nostro_core::TransferId;
use nostro_store::nets::NetRow;
use std::time::SystemTime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Statement};
use uuid::Uuid;

/// One transfer by a two-phase commit of its own, on one session of each branch.
pub(crate) struct OneByOne {
    lock: Statement,
    participate: Statement,
    decide: Statement,
}

/// A transfer with what its rows need.
pub(crate) struct One<'a> {
    pub(crate) op: Op,
    /// Keys of debit and credit.
    pub(crate) keys: [i64; 2],
    pub(crate) batch: &'a str,
    /// Home first.
    pub(crate) parts: [&'a str; 2],
    /// Home's and the participant's.
    pub(crate) nets: [NetRow; 2],
    /// Whether home keeps the debit account.
    pub(crate) home_pays: bool,
    pub(crate) category: u16,
}

impl OneByOne {
    pub(crate) async fn prepare(session: &Session) -> Result<Self, BenchError> {
        let prepared = |text| session.client.prepare(text);
        let statements = try_join3(
            prepared(
                "update account a
                 set balance = a.balance + $2, seq = a.seq + 1, last_transfer = $3,
                     last_posted_at = greatest(a.last_posted_at, clock_timestamp())
                 from (select id, last_transfer from account where id = $1 for no key update) before
                 where a.id = before.id
                 returning a.balance, a.seq, a.last_posted_at, before.last_transfer",
            ),
            prepared(
                "with side as (
                   update account a
                   set balance = a.balance + $2, seq = a.seq + 1, last_transfer = $4,
                       last_posted_at = greatest(a.last_posted_at, clock_timestamp(), $3)
                   from (select id, last_transfer from account where id = $1 for no key update) before
                   where a.id = before.id
                   returning a.balance, a.seq, a.last_posted_at, before.last_transfer
                 ), net as (
                   insert into batch_net (batch, counterparty, currency, amount, hash)
                   values ($9, $10, 'USD', $11, $12)
                 )
                 insert into transfer (id, period, kind, debit, credit, amount, currency, category, batch, posted_at,
                   debit_balance_after, debit_seq, debit_previous, credit_balance_after, credit_seq, credit_previous)
                 select $4, $13, 'transfer', $5, $6, $7, 'USD', $8, $9, side.last_posted_at,
                   case when $2 < 0 then side.balance end, case when $2 < 0 then side.seq end,
                   case when $2 < 0 then side.last_transfer end,
                   case when $2 > 0 then side.balance end, case when $2 > 0 then side.seq end,
                   case when $2 > 0 then side.last_transfer end
                 from side
                 returning posted_at",
            ),
            prepared(
                "with net as (
                   insert into batch_net (batch, counterparty, currency, amount, hash)
                   values ($6, $8, 'USD', $9, $10)
                 )
                 insert into transfer (id, period, kind, debit, credit, amount, currency, category, batch, posted_at,
                   debit_balance_after, debit_seq, debit_previous, credit_balance_after, credit_seq, credit_previous)
                 values ($1, $17, 'transfer', $2, $3, $4, 'USD', $5, $6, $7, $11, $12, $13, $14, $15, $16)",
            ),
        )
        .await;
        let (lock, participate, decide) = statements.map_err(BenchError::database("a statement of the baseline"))?;
        Ok(Self { lock, participate, decide })
    }

    /// Home's account first at every worker, so that no two wait for each other across databases.
    pub(crate) async fn transfer(
        home: (&Session, &Self),
        other: (&Session, &Self),
        one: &One<'_>,
    ) -> Result<(), Error> {
        let (op, [debit, credit]) = (one.op, one.keys);
        let (delta, at_home, there) =
            if one.home_pays { (-op.amount, debit, credit) } else { (op.amount, credit, debit) };
        let category = i32::from(one.category);
        let locked: [&(dyn ToSql + Sync); 3] = [&at_home, &delta, &op.id];
        let period = TransferId(op.id).period().as_i32();
        let begun = home.0.client.batch_execute("begin");
        let ((), side) = try_join(begun, home.0.client.query_one(&home.1.lock, &locked)).await?;
        let (balance, seq, posted_at): (i64, i64, SystemTime) = (side.get(0), side.get(1), side.get(2));
        let previous: Option<Uuid> = side.get(3);
        let [net_home, net_there] = &one.nets;
        let (counterparty, hash) = (net_there.counterparty.to_string(), net_there.hash.as_slice());
        let rows: [&(dyn ToSql + Sync); 13] = [
            &there,
            &-delta,
            &posted_at,
            &op.id,
            &debit,
            &credit,
            &op.amount,
            &category,
            &one.batch,
            &counterparty,
            &net_there.amount,
            &hash,
            &period,
        ];
        let (_, row, ()) = try_join3(
            other.0.client.batch_execute("begin"),
            other.0.client.query_one(&other.1.participate, &rows),
            prepare(other.0, one.batch, one.parts[0], &one.parts),
        )
        .await?;
        let posted_at: SystemTime = row.get(0);
        let (counterparty, hash) = (net_home.counterparty.to_string(), net_home.hash.as_slice());
        let (after, number) = (Some(balance), Some(seq));
        let sides = if one.home_pays { [after, number, None, None] } else { [None, None, after, number] };
        let previous = if one.home_pays { [previous, None] } else { [None, previous] };
        let rows: [&(dyn ToSql + Sync); 17] = [
            &op.id,
            &debit,
            &credit,
            &op.amount,
            &category,
            &one.batch,
            &posted_at,
            &counterparty,
            &net_home.amount,
            &hash,
            &sides[0],
            &sides[1],
            &previous[0],
            &sides[2],
            &sides[3],
            &previous[1],
            &period,
        ];
        try_join(home.0.client.execute(&home.1.decide, &rows), decide(home.0, one.batch, one.parts[0], &one.parts))
            .await?;
        commit_prepared(other.0, one.batch, &one.parts).await
    }
}
