//! A batch at one branch: its locks and everything that it writes, as sets.

use super::{CURRENCY, currency};
use crate::database::Session;
use crate::error::BenchError;
use crate::workload::{Accounts, Op};
use futures_util::future::{try_join, try_join3};
use nostro_core::transfer::Decision;
use nostro_core::{Amount, BranchCode, BranchNumber, Operation, Timestamp, Transfer, TransferId, TransferRecord};
use nostro_store::nets::{NetRow, Nets};
use nostro_store::place::Place;
use std::collections::BTreeMap;
use std::pin::pin;
use std::time::SystemTime;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Statement};
use uuid::Uuid;

/// How transfer rows are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// Arrays, `insert ... select from unnest`.
    Unnest,
    /// COPY in its binary form.
    Copy,
}

/// What a branch's accounts stand at, locked.
pub(crate) struct LockedRow {
    pub(crate) key: i64,
    pub(crate) place: Place,
    pub(crate) balance: i64,
    pub(crate) seq: i64,
    pub(crate) last_transfer: Option<Uuid>,
}

/// The statements of a batch, prepared on one session.
pub(crate) struct BatchStatements {
    lock: Statement,
    clock: Statement,
    update: Statement,
    insert: Statement,
    net: Statement,
    copy: String,
}

/// What a batch writes at one branch, column by column.
#[derive(Default)]
pub(crate) struct Columns {
    pub(crate) place: Vec<Place>,
    pub(crate) account: Vec<i64>,
    pub(crate) balance: Vec<i64>,
    pub(crate) seq: Vec<i64>,
    pub(crate) last_transfer: Vec<Option<Uuid>>,
    id: Vec<Uuid>,
    period: Vec<i32>,
    debit: Vec<i64>,
    credit: Vec<i64>,
    amount: Vec<i64>,
    debit_line: LineColumns,
    credit_line: LineColumns,
}

#[derive(Default)]
struct LineColumns {
    balance_after: Vec<Option<i64>>,
    seq: Vec<Option<i64>>,
    previous: Vec<Option<Uuid>>,
}

/// Where a transfer left one of its accounts.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub(crate) balance_after: i64,
    /// Its number among the account's entries.
    pub(crate) seq: i64,
    /// The transfer before it.
    pub(crate) previous: Option<Uuid>,
}

impl LineColumns {
    fn clear(&mut self) {
        self.balance_after.clear();
        self.seq.clear();
        self.previous.clear();
    }

    fn push(&mut self, line: Option<Line>) {
        self.balance_after.push(line.map(|line| line.balance_after));
        self.seq.push(line.map(|line| line.seq));
        self.previous.push(line.and_then(|line| line.previous));
    }
}

impl Columns {
    pub(crate) fn clear(&mut self) {
        let Self {
            place,
            account,
            balance,
            seq,
            last_transfer,
            id,
            period,
            debit,
            credit,
            amount,
            debit_line,
            credit_line,
        } = self;
        [account, balance, seq, debit, credit, amount].into_iter().for_each(Vec::clear);
        place.clear();
        last_transfer.clear();
        id.clear();
        period.clear();
        debit_line.clear();
        credit_line.clear();
    }

    /// A row with the sides that are of this branch.
    pub(crate) fn push(&mut self, op: &Op, accounts: &Accounts, debit: Option<Line>, credit: Option<Line>) {
        self.id.push(op.id);
        self.period.push(TransferId(op.id).period().as_i32());
        self.debit.push(accounts.key[op.debit as usize]);
        self.credit.push(accounts.key[op.credit as usize]);
        self.amount.push(op.amount);
        self.debit_line.push(debit);
        self.credit_line.push(credit);
    }
}

/// What all rows of a batch share.
pub(crate) struct Shared<'a> {
    pub(crate) batch: &'a str,
    pub(crate) category: u16,
    pub(crate) posted_at: SystemTime,
}

impl BatchStatements {
    pub(crate) async fn prepare(session: &Session) -> Result<Self, BenchError> {
        let prepared = |text| session.client.prepare(text);
        let refused = || BenchError::database("a statement of the bare writer");
        let (lock, clock, update) = try_join3(
            prepared(
                "select a.id, a.ctid, a.balance, a.seq, a.last_posted_at, a.last_transfer
                 from unnest($1::bigint[]) as w (id)
                 join account a on a.id = w.id
                 for no key update of a",
            ),
            prepared("select clock_timestamp()"),
            prepared(
                "update account a
                 set balance = w.balance, seq = w.seq, last_transfer = w.last_transfer, last_posted_at = $6
                 from (
                   select unnest($1::tid[]) as place, unnest($2::bigint[]) as id, unnest($3::bigint[]) as balance,
                     unnest($4::bigint[]) as seq, unnest($5::uuid[]) as last_transfer
                 ) as w
                 where a.ctid = w.place
                   and a.id = w.id",
            ),
        )
        .await
        .map_err(refused())?;
        let (insert, net) = try_join(
            prepared(
                "insert into transfer (kind, currency, category, batch, posted_at, id, period, debit, credit, amount,
                   debit_balance_after, debit_seq, debit_previous, credit_balance_after, credit_seq, credit_previous)
                 select 'transfer', 'USD', $12, $13, $14, w.*
                 from unnest($1::uuid[], $2::integer[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
                   $7::bigint[], $8::uuid[], $9::bigint[], $10::bigint[], $11::uuid[]) as w",
            ),
            prepared("insert into batch_net (batch, counterparty, currency, amount, hash) values ($1, $2, $3, $4, $5)"),
        )
        .await
        .map_err(refused())?;
        let copy = "copy transfer (kind, currency, category, batch, posted_at, id, period, debit, credit, amount,
                      debit_balance_after, debit_seq, debit_previous, credit_balance_after, credit_seq, credit_previous)
                    from stdin (format binary)";
        Ok(Self { lock, clock, update, insert, net, copy: copy.to_owned() })
    }

    /// Begins, locks the accounts, and reads them, in the order of their keys, and a time that is not before any of their postings.
    pub(crate) async fn lock(&self, session: &Session, keys: &[i64]) -> Result<(Vec<LockedRow>, SystemTime), Error> {
        let client = &session.client;
        let (_, rows, clock) = try_join3(
            client.batch_execute("begin"),
            client.query(&self.lock, &[&keys]),
            client.query_one(&self.clock, &[]),
        )
        .await?;
        let last = rows.iter().filter_map(|row| row.get::<_, Option<SystemTime>>(4)).max();
        let clock: SystemTime = clock.get(0);
        let locked = rows.iter().map(|row| LockedRow {
            key: row.get(0),
            place: row.get(1),
            balance: row.get(2),
            seq: row.get(3),
            last_transfer: row.get(5),
        });
        let mut locked: Vec<LockedRow> = locked.collect();
        locked.sort_unstable_by_key(|row| row.key);
        Ok((locked, last.map_or(clock, |last| last.max(clock))))
    }

    /// Sends all of a batch's rows at one branch.
    pub(crate) async fn write(
        &self,
        session: &Session,
        columns: &Columns,
        net: Option<&NetRow>,
        shared: &Shared<'_>,
        sending: Sending,
    ) -> Result<(), Error> {
        let client = &session.client;
        let (c, category) = (columns, i32::from(shared.category));
        let update = async {
            let columns: [&(dyn ToSql + Sync); 6] =
                [&c.place, &c.account, &c.balance, &c.seq, &c.last_transfer, &shared.posted_at];
            client.execute(&self.update, &columns).await.map(drop)
        };
        let rows = async {
            match sending {
                Sending::Unnest => {
                    let columns: [&(dyn ToSql + Sync); 14] = [
                        &c.id,
                        &c.period,
                        &c.debit,
                        &c.credit,
                        &c.amount,
                        &c.debit_line.balance_after,
                        &c.debit_line.seq,
                        &c.debit_line.previous,
                        &c.credit_line.balance_after,
                        &c.credit_line.seq,
                        &c.credit_line.previous,
                        &category,
                        &shared.batch,
                        &shared.posted_at,
                    ];
                    client.execute(&self.insert, &columns).await.map(drop)
                }
                Sending::Copy => self.copy(session, c, category, shared).await,
            }
        };
        let net = async {
            let Some(net) = net else { return Ok(()) };
            let (counterparty, hash) = (net.counterparty.to_string(), net.hash.as_slice());
            client.execute(&self.net, &[&shared.batch, &counterparty, &CURRENCY, &net.amount, &hash]).await.map(drop)
        };
        try_join3(update, rows, net).await.map(drop)
    }

    async fn copy(&self, session: &Session, c: &Columns, category: i32, shared: &Shared<'_>) -> Result<(), Error> {
        let mut types = vec![Type::TEXT, Type::TEXT, Type::INT4, Type::TEXT, Type::TIMESTAMPTZ, Type::UUID, Type::INT4];
        types.extend([Type::INT8, Type::INT8, Type::INT8]);
        types.extend([Type::INT8, Type::INT8, Type::UUID, Type::INT8, Type::INT8, Type::UUID]);
        let sink = session.client.copy_in(&self.copy).await?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
        for at in 0..c.id.len() {
            let row: [&(dyn ToSql + Sync); 16] = [
                &"transfer",
                &CURRENCY,
                &category,
                &shared.batch,
                &shared.posted_at,
                &c.id[at],
                &c.period[at],
                &c.debit[at],
                &c.credit[at],
                &c.amount[at],
                &c.debit_line.balance_after[at],
                &c.debit_line.seq[at],
                &c.debit_line.previous[at],
                &c.credit_line.balance_after[at],
                &c.credit_line.seq[at],
                &c.credit_line.previous[at],
            ];
            writer.as_mut().write(&row).await?;
        }
        writer.finish().await.map(drop)
    }
}

/// The net of a batch between two branches, as the first keeps it and as the second does.
pub(crate) fn net_of(
    ops: &[Op],
    accounts: &Accounts,
    pair: [BranchCode; 2],
    numbers: &BTreeMap<BranchCode, BranchNumber>,
) -> Option<[NetRow; 2]> {
    let records: Vec<TransferRecord> = ops
        .iter()
        .map(|op| TransferRecord {
            transfer: Transfer {
                id: TransferId(op.id),
                operation: Operation::Transfer,
                debit: accounts.number[op.debit as usize],
                credit: accounts.number[op.credit as usize],
                amount: Amount::new(op.amount).expect("the workload's amounts are amounts"),
                currency: currency(),
                category: 0,
                reference: None,
                link: None,
            },
            decision: Decision::Posted { debit: None, credit: None },
            posted_at: Timestamp::from_micros(0),
        })
        .collect();
    let nets = Nets::of(records.iter(), numbers).expect("small amounts are far from a bigint's end");
    let [first, second] = pair.map(|branch| nets.at(branch).into_iter().next());
    first.zip(second).map(<[NetRow; 2]>::from)
}
