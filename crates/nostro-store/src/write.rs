//! Stores what the planner decided, at one branch: each account once, a row for each transfer, the nets.
//!
//! The statements are sent together when the future is polled first, so that the messages of the commit protocol
//! can follow them on the wire without waiting. Accounts are written in the order of their keys: neighbours share a
//! page, and a page that is met once costs half of one that is met anew for each of its rows. Transfers go in by
//! binary COPY, which costs a third less than arrays (docs/internals/performance.md).

use crate::nets::NetRow;
use crate::rows::BranchId;
use crate::statements::Statements;
use futures_util::future::{BoxFuture, FutureExt, join3};
use nostro_commit::BatchId;
use nostro_core::plan::LockedAccount;
use nostro_core::transfer::{Decision, Line};
use nostro_core::{AccountNumber, BranchCode, BranchNumber, Currency, Timestamp, TransferRecord};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};
use uuid::Uuid;

/// Columns of `transfer` in the order of [`COPIED_TYPES`] and [`TransferRow`].
pub(crate) const COPIED_COLUMNS: &str = "id, period, kind, debit, credit, amount, currency, category, reference, refusal, \
     debit_balance_after, debit_seq, debit_previous, credit_balance_after, credit_seq, credit_previous, batch, posted_at";
const COPIED_TYPES: [Type; 18] = [
    Type::UUID,
    Type::INT4,
    Type::TEXT,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::TEXT,
    Type::INT4,
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::INT8,
    Type::UUID,
    Type::INT8,
    Type::INT8,
    Type::UUID,
    Type::TEXT,
    Type::TIMESTAMPTZ,
];

/// Everything that a batch writes at one branch.
#[derive(Debug, Default)]
pub struct Writes {
    accounts: AccountColumns,
    transfers: Vec<TransferRow>,
    nets: NetColumns,
}

#[derive(Debug, Default)]
struct AccountColumns {
    id: Vec<i64>,
    balance: Vec<i64>,
    seq: Vec<i64>,
    last_transfer: Vec<Option<Uuid>>,
}

/// What differs between the rows of a batch.
#[derive(Debug)]
struct TransferRow {
    id: Uuid,
    period: i32,
    kind: &'static str,
    debit: i64,
    credit: i64,
    amount: i64,
    currency: Currency,
    category: i32,
    reference: Option<Box<str>>,
    refusal: Option<&'static str>,
    debit_line: LineColumns,
    credit_line: LineColumns,
}

/// All null on a side of another branch, and on both of a refused transfer.
#[derive(Debug, Default)]
struct LineColumns {
    balance_after: Option<i64>,
    seq: Option<i64>,
    previous: Option<Uuid>,
}

#[derive(Debug, Default)]
struct NetColumns {
    counterparty: Vec<String>,
    currency: Vec<String>,
    amount: Vec<i64>,
    hash: Vec<Vec<u8>>,
}

impl Writes {
    /// Collects what belongs to `branch`: its accounts, the records that touch it (refused ones at their home
    /// only), its nets.
    pub fn at<'a>(
        branch: BranchId,
        accounts: &[(AccountNumber, LockedAccount)],
        records: impl Iterator<Item = &'a TransferRecord>,
        nets: Vec<NetRow>,
        numbers: &BTreeMap<BranchCode, BranchNumber>,
    ) -> Self {
        let mut writes = Self::default();
        let mut here: Vec<(i64, &LockedAccount)> = accounts
            .iter()
            .filter(|(number, _)| number.branch() == branch.code)
            .map(|(number, account)| (number.key(branch.number).as_i64(), account))
            .collect();
        here.sort_unstable_by_key(|(key, _)| *key);
        for (key, account) in here {
            writes.accounts.id.push(key);
            writes.accounts.balance.push(account.balance.minor_units());
            writes.accounts.seq.push(account.seq);
            writes.accounts.last_transfer.push(account.last_transfer.map(|id| id.0));
        }
        writes.transfers.extend(records.filter_map(|record| TransferRow::at(branch.code, record, numbers)));
        for net in nets {
            writes.nets.counterparty.push(net.counterparty.to_string());
            writes.nets.currency.push(net.currency.to_string());
            writes.nets.amount.push(net.amount);
            writes.nets.hash.push(net.hash.to_vec());
        }
        writes
    }

    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.transfers.is_empty()
    }

    /// Sends everything; the connection is in the transaction that locked the accounts.
    pub fn send(
        self,
        client: Arc<Client>,
        statements: Statements,
        batch: BatchId,
        posted_at: Timestamp,
    ) -> BoxFuture<'static, Result<(), Error>> {
        async move {
            let Self { accounts: a, transfers, nets: n } = self;
            let posted_at = SystemTime::from(posted_at);
            let batch = batch.to_string();
            let update = async {
                if a.id.is_empty() {
                    return Ok(());
                }
                let columns: [&(dyn ToSql + Sync); 5] = [&a.id, &a.balance, &a.seq, &a.last_transfer, &posted_at];
                client.execute(&statements.update_accounts, &columns).await.map(|_| ())
            };
            let insert = copy(&client, &statements, &transfers, &batch, posted_at);
            let net = async {
                if n.counterparty.is_empty() {
                    return Ok(());
                }
                let columns: [&(dyn ToSql + Sync); 5] = [&n.counterparty, &n.currency, &n.amount, &n.hash, &batch];
                client.execute(&statements.insert_nets, &columns).await.map(|_| ())
            };
            // Polled in this order: the first failure is the telling one, the others follow from it.
            let (update, insert, net) = join3(update, insert, net).await;
            update.and(insert).and(net)
        }
        .boxed()
    }
}

/// What is sent behind it waits on the wire until the last row is there.
async fn copy(
    client: &Client,
    statements: &Statements,
    rows: &[TransferRow],
    batch: &str,
    posted_at: SystemTime,
) -> Result<(), Error> {
    let sink = client.copy_in(&statements.insert_transfers).await?;
    let mut writer = std::pin::pin!(BinaryCopyInWriter::new(sink, &COPIED_TYPES));
    for row in rows {
        let (d, c, currency) = (&row.debit_line, &row.credit_line, row.currency.code());
        let columns: [&(dyn ToSql + Sync); 18] = [
            &row.id,
            &row.period,
            &row.kind,
            &row.debit,
            &row.credit,
            &row.amount,
            &currency,
            &row.category,
            &row.reference,
            &row.refusal,
            &d.balance_after,
            &d.seq,
            &d.previous,
            &c.balance_after,
            &c.seq,
            &c.previous,
            &batch,
            &posted_at,
        ];
        writer.as_mut().write(&columns).await?;
    }
    writer.finish().await.map(|_| ())
}

impl TransferRow {
    fn at(at: BranchCode, record: &TransferRecord, numbers: &BTreeMap<BranchCode, BranchNumber>) -> Option<Self> {
        let transfer = &record.transfer;
        let touches = transfer.debit.branch() == at || transfer.credit.branch() == at;
        let (refusal, debit, credit) = match record.decision {
            Decision::Refused(_) if transfer.home() != at => return None,
            Decision::Posted { .. } if !touches => return None,
            Decision::Refused(refusal) => (Some(refusal.code()), None, None),
            Decision::Posted { debit, credit } => (
                None,
                debit.filter(|_| transfer.debit.branch() == at),
                credit.filter(|_| transfer.credit.branch() == at),
            ),
        };
        let key = |account: AccountNumber| {
            let number = numbers.get(&account.branch()).expect("the engine routes to branches in the directory only");
            account.key(*number).as_i64()
        };
        Some(Self {
            id: transfer.id.0,
            period: transfer.id.period().as_i32(),
            kind: transfer.kind.as_str(),
            debit: key(transfer.debit),
            credit: key(transfer.credit),
            amount: transfer.amount.minor_units(),
            currency: transfer.currency,
            category: i32::from(transfer.category),
            reference: transfer.reference.as_ref().map(|text| text.as_str().into()),
            refusal,
            debit_line: debit.map(LineColumns::from).unwrap_or_default(),
            credit_line: credit.map(LineColumns::from).unwrap_or_default(),
        })
    }
}

impl From<Line> for LineColumns {
    fn from(line: Line) -> Self {
        Self {
            balance_after: Some(line.balance_after.minor_units()),
            seq: Some(line.seq),
            previous: line.previous.map(|id| id.0),
        }
    }
}
