//! All SQL of the bench that knows the columns of the bank's tables, and nothing else.
//!
//! The rows are those that the engine writes: both branches' accounts, transfer rows, nets with their hash, the
//! decision row and the marker row. When the tables change, this is the file to change.

use crate::database::{Branch, Session};
use crate::error::BenchError;
use crate::workload::{Accounts, Op};
use futures_util::future::{try_join, try_join3};
use nostro_core::transfer::Decision;
use nostro_core::{
    AccountKey, AccountNumber, Amount, BranchCode, BranchNumber, Currency, Timestamp, Transfer, TransferId,
    TransferKind, TransferRecord,
};
use nostro_store::nets::{NetRow, nets};
use std::collections::BTreeMap;
use std::pin::pin;
use std::time::SystemTime;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Statement};
use uuid::Uuid;

/// Of every account and transfer of the bench.
pub(crate) const CURRENCY: &str = "USD";
/// Of each account, in minor units: no run spends it, and ACCOUNTS_MAX of them sum to less than a bigint.
const OPENING: i64 = 1_000_000_000_000;
/// Accounts that are opened by one transaction.
const OPENED_AT_ONCE: usize = 20_000;

/// How transfer rows are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// Arrays, `insert ... select from unnest`.
    Unnest,
    /// COPY in its binary form.
    Copy,
}

pub(crate) fn currency() -> Currency {
    CURRENCY.parse().expect("USD is a currency")
}

/// Opens `count` accounts at a branch, each with a posted deposit out of the branch's cash, and returns them.
pub(crate) async fn open_accounts(
    session: &Session,
    branch: &Branch,
    count: usize,
    batches: &[String],
    ids: &mut impl Iterator<Item = Uuid>,
) -> Result<Vec<(AccountNumber, i64)>, BenchError> {
    let what = BenchError::database;
    let cash = AccountNumber::cash(branch.code, currency()).key(branch.number).as_i64();
    let base = i64::from(branch.number.get()) * 1_000_000_000_000;
    let insert = "insert into account (id, kind, currency) values ($1, 'cash', $2::text) on conflict do nothing";
    session.client.execute(insert, &[&cash, &CURRENCY]).await.map_err(what("the cash account"))?;
    let now = TransferId(ids.next().unwrap_or_default()).period().as_i32();
    let partition = "select make_transfer_period($1)";
    session.client.execute(partition, &[&now]).await.map_err(what("this month's partition"))?;
    let customer: i64 = session
        .client
        .query_one(
            "insert into customer (id, request_id, name)
             values ($1 + nextval('customer_serial'), gen_random_uuid(), 'nostro bench')
             returning id",
            &[&base],
        )
        .await
        .map_err(what("a customer"))?
        .get(0);
    let mut keys = Vec::new();
    for batch in batches {
        let wanted = OPENED_AT_ONCE.min(count - keys.len());
        let serials = session
            .client
            .query(
                "select $1 + nextval('account_serial') from generate_series(1, $2)",
                &[&base, &i32::try_from(wanted).unwrap_or(0)],
            )
            .await
            .map_err(what("account numbers"))?;
        let new: Vec<i64> = serials.iter().map(|row| row.get(0)).collect();
        let ids: Vec<Uuid> = ids.take(wanted).collect();
        open_some(session, branch, cash, customer, &new, &ids, batch).await.map_err(what("opening balances"))?;
        keys.extend(new);
    }
    keys.sort_unstable();
    let number = |key: i64| {
        AccountNumber::from_key(branch.code, AccountKey::from_i64(key))
            .expect("the sequence of accounts makes accounts")
    };
    Ok(keys.into_iter().map(|key| (number(key), key)).collect())
}

/// How many batch ids [`open_accounts`] needs.
pub(crate) fn opening_batches(count: usize) -> usize {
    count.div_ceil(OPENED_AT_ONCE)
}

async fn open_some(
    session: &Session,
    branch: &Branch,
    cash: i64,
    customer: i64,
    keys: &[i64],
    ids: &[Uuid],
    batch: &str,
) -> Result<(), Error> {
    let client = &session.client;
    client.batch_execute("begin").await?;
    let row = client
        .query_one("select balance, seq, last_transfer from account where id = $1 for no key update", &[&cash])
        .await?;
    let (balance, seq, last): (i64, i64, Option<Uuid>) = (row.get(0), row.get(1), row.get(2));
    let posted_at: SystemTime = client.query_one("select clock_timestamp()", &[]).await?.get(0);
    let count = i64::try_from(keys.len()).unwrap_or(0);
    client
        .execute(
            "insert into account (id, customer, kind, currency, balance, seq, last_transfer, last_posted_at, request_id)
             select w.account, $3, 'checking', $4::text, $5, 1, w.id, $6, gen_random_uuid()
             from unnest($1::bigint[], $2::uuid[]) as w (account, id)",
            &[&keys, &ids, &customer, &CURRENCY, &OPENING, &posted_at],
        )
        .await?;
    client
        .execute(
            "insert into transfer (id, period, kind, debit, credit, amount, currency, category, batch, posted_at,
               debit_balance_after, debit_seq, debit_previous, credit_balance_after, credit_seq)
             select w.id, transfer_period_of(w.id), 'deposit', $3, w.account, $4, $5, 0, $6, $7, $8 - w.n * $4, $9 + w.n,
               coalesce(lag(w.id) over (order by w.n), $10), $4, 1
             from unnest($1::uuid[], $2::bigint[]) with ordinality as w (id, account, n)",
            &[&ids, &keys, &cash, &OPENING, &CURRENCY, &batch, &posted_at, &balance, &seq, &last],
        )
        .await?;
    client
        .execute(
            "update account set balance = $2, seq = $3, last_posted_at = $4, last_transfer = $5 where id = $1",
            &[&cash, &(balance - count * OPENING), &(seq + count), &posted_at, &ids.last().or(last.as_ref())],
        )
        .await?;
    let code = branch.code.to_string();
    decide(session, batch, &code, &[&code]).await
}

/// The decision row and the commit.
pub(crate) async fn decide(session: &Session, batch: &str, home: &str, parts: &[&str]) -> Result<(), Error> {
    let parts = parts.join(",");
    session
        .client
        .batch_execute(&format!(
            "insert into batch (id, outcome, home, parts) values ('{batch}', 'committed', '{home}', '{{{parts}}}'); commit"
        ))
        .await
}

/// The marker row and the vote; fails in a failed transaction.
pub(crate) async fn prepare(session: &Session, batch: &str, home: &str, parts: &[&str]) -> Result<(), Error> {
    let gid = gid(batch, parts);
    let parts = parts.join(",");
    session
        .client
        .batch_execute(&format!(
            "insert into participation (batch, outcome, home, parts) values ('{batch}', 'committed', '{home}', '{{{parts}}}');
             prepare transaction '{gid}'"
        ))
        .await
}

/// Finishes what [`prepare`] prepared.
pub(crate) async fn commit_prepared(session: &Session, batch: &str, parts: &[&str]) -> Result<(), Error> {
    session.client.batch_execute(&format!("commit prepared '{}'", gid(batch, parts))).await
}

/// Not of the engine's form, so that no server's recovery takes it for its own.
fn gid(batch: &str, parts: &[&str]) -> String {
    format!("bench:{batch}:{}", parts.last().copied().unwrap_or_default())
}

/// Finishes what an earlier bench left prepared when it was killed, as its home decided.
pub(crate) async fn settle_left(sessions: &[Session], codes: &[BranchCode]) -> Result<(), BenchError> {
    let what = || BenchError::database("what an earlier bench left prepared");
    for session in sessions {
        let left =
            "select gid from pg_prepared_xacts where database = current_database() and starts_with(gid, 'bench:')";
        for row in session.client.query(left, &[]).await.map_err(what())? {
            let gid: String = row.get(0);
            let batch = gid.split(':').nth(1).unwrap_or_default();
            let is_home = |code: &BranchCode| batch.split('-').next() == Some(code.as_str());
            let Some(home) = codes.iter().position(is_home) else { continue };
            let decided = "select from batch where id = $1 and outcome = 'committed'";
            let decided = sessions[home].client.query_opt(decided, &[&batch]).await.map_err(what())?.is_some();
            let verb = if decided { "commit" } else { "rollback" };
            session.client.batch_execute(&format!("{verb} prepared '{gid}'")).await.map_err(what())?;
        }
    }
    Ok(())
}

/// What a branch's accounts stand at, locked.
pub(crate) struct LockedRow {
    pub(crate) key: i64,
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
        let Self { account, balance, seq, last_transfer, id, period, debit, credit, amount, debit_line, credit_line } =
            self;
        [account, balance, seq, debit, credit, amount].into_iter().for_each(Vec::clear);
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
                "select id, balance, seq, last_posted_at, last_transfer
                 from account
                 where id = any($1)
                 order by id
                 for no key update",
            ),
            prepared("select clock_timestamp()"),
            prepared(
                "update account a
                 set balance = w.balance, seq = w.seq, last_transfer = w.last_transfer, last_posted_at = $5
                 from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::uuid[]) as w (id, balance, seq, last_transfer)
                 where a.id = w.id",
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

    /// Begins, locks the accounts, and reads them and a time that is not before any of their postings.
    pub(crate) async fn lock(&self, session: &Session, keys: &[i64]) -> Result<(Vec<LockedRow>, SystemTime), Error> {
        let client = &session.client;
        let (_, rows, clock) = try_join3(
            client.batch_execute("begin"),
            client.query(&self.lock, &[&keys]),
            client.query_one(&self.clock, &[]),
        )
        .await?;
        let last = rows.iter().filter_map(|row| row.get::<_, Option<SystemTime>>(3)).max();
        let clock: SystemTime = clock.get(0);
        let locked = rows.iter().map(|row| LockedRow {
            key: row.get(0),
            balance: row.get(1),
            seq: row.get(2),
            last_transfer: row.get(4),
        });
        Ok((locked.collect(), last.map_or(clock, |last| last.max(clock))))
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
            let columns: [&(dyn ToSql + Sync); 5] =
                [&c.account, &c.balance, &c.seq, &c.last_transfer, &shared.posted_at];
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
                kind: TransferKind::Transfer,
                debit: accounts.number[op.debit as usize],
                credit: accounts.number[op.credit as usize],
                amount: Amount::new(op.amount).expect("the workload's amounts are amounts"),
                currency: currency(),
                category: 0,
                reference: None,
            },
            decision: Decision::Posted { debit: None, credit: None },
            posted_at: Timestamp::from_micros(0),
        })
        .collect();
    let rows = nets(pair[0], records.iter(), numbers).expect("8,192 small amounts are far from a bigint's end");
    let first = rows.into_iter().next()?;
    let second = NetRow { counterparty: pair[0], amount: -first.amount, ..first.clone() };
    Some([first, second])
}

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

/// The highest category below `end` that is in use at one branch, 0 if none is.
pub(crate) async fn last_category(session: &Session, end: u16) -> Result<u16, BenchError> {
    let row = session
        .client
        .query_one("select coalesce(max(category), 0) from transfer where category < $1", &[&i32::from(end)])
        .await
        .map_err(BenchError::database("the categories of earlier runs"))?;
    Ok(u16::try_from(row.get::<_, i32>(0)).unwrap_or(0))
}

/// Posted transfers of a category at one branch: rows with the debit's side and rows with the credit's.
pub(crate) async fn count_posted(session: &Session, category: u16) -> Result<[u64; 2], BenchError> {
    let row = session
        .client
        .query_one(
            "select count(debit_seq), count(credit_seq) from transfer where category = $1 and refusal is null",
            &[&i32::from(category)],
        )
        .await
        .map_err(BenchError::database("the count of a run's transfers"))?;
    Ok([0, 1].map(|at| u64::try_from(row.get::<_, i64>(at)).unwrap_or(0)))
}

/// Accounts of a branch whose balance and number of entries are not those of its entries.
pub(crate) async fn count_inconsistent(session: &Session) -> Result<u64, BenchError> {
    let row = session
        .client
        .query_one(
            "select count(*)
             from account a
             left join (
               select account, sum(case side when 'credit' then amount else -amount end) as balance,
                      count(*) as entries, max(seq) as seq
               from entry
               where account is not null
               group by account
             ) e on e.account = a.id
             where (a.balance, a.seq, a.seq) is distinct from
                   (coalesce(e.balance, 0), coalesce(e.entries, 0), coalesce(e.seq, 0))",
            &[],
        )
        .await
        .map_err(BenchError::database("the comparison of balances with entries"))?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
}
