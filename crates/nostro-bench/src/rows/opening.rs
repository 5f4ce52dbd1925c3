//! Accounts with a posted opening balance each, and the protocol's rows of that.

use super::protocol::decide;
use super::{CURRENCY, currency};
use crate::database::{Branch, Session};
use crate::error::BenchError;
use nostro_core::{AccountKey, AccountNumber, TransferId};
use std::time::SystemTime;
use tokio_postgres::Error;
use uuid::Uuid;

/// Of each account, in minor units: no run spends it, and ACCOUNTS_MAX of them sum to less than a bigint.
const OPENING: i64 = nostro_core::account_number::KEY_BASE;
/// Accounts that are opened by one transaction.
const OPENED_AT_ONCE: usize = 20_000;

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
    let base = i64::from(branch.number.get()) * nostro_core::account_number::KEY_BASE;
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
