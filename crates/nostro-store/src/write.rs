//! Stores what the planner decided, at one branch: each account once, a row for each transfer, the nets.
//!
//! The statements are sent together when the future is polled first, so that the messages of the commit protocol
//! can follow them on the wire without waiting. Accounts are written in the order of their keys: neighbours share a
//! page, and a page that is met once costs half of one that is met anew for each of its rows. Transfers go in by
//! binary COPY, which costs a third less than arrays (docs/internals/performance.md).

use crate::nets::NetRow;
use crate::place::{Place, Places};
use crate::rows::BranchId;
use crate::statements::Statements;
use futures_util::future::{BoxFuture, FutureExt, join_all, join3};
use nostro_commit::driver::WriteError;
use nostro_commit::{BatchId, Message};
use nostro_core::plan::{LockedAccount, Plan};
use nostro_core::transfer::{Decision, Line};
use nostro_core::{AccountKey, AccountNumber, BranchCode, BranchNumber, Currency, Timestamp, TransferRecord};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};
use uuid::Uuid;

/// Beyond so many rows a COPY costs less than a statement for each.
const FEW_ROWS: usize = 8;

/// Columns of `transfer` in the order of [`COLUMN_TYPES`] and [`TransferRow::columns`].
pub(crate) const WRITTEN_COLUMNS: &str = "id, period, kind, debit, credit, amount, currency, category, reference, refusal, \
     debit_balance_after, debit_seq, debit_previous, credit_balance_after, credit_seq, credit_previous, batch, posted_at";
pub(crate) const COLUMN_TYPES: [Type; 18] = [
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
    place: Vec<Place>,
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
    pub fn at(
        branch: BranchId,
        plan: &Plan,
        places: &Places,
        nets: Vec<NetRow>,
        numbers: &BTreeMap<BranchCode, BranchNumber>,
    ) -> Self {
        let mut writes = Self::default();
        let mut here: Vec<(AccountKey, &LockedAccount)> = plan
            .accounts
            .iter()
            .filter(|(number, _)| number.branch() == branch.code)
            .map(|(number, account)| (number.key(branch.number), account))
            .collect();
        here.sort_unstable_by_key(|(key, _)| *key);
        writes.accounts.place = places.of(here.iter().map(|(key, _)| *key));
        for (key, account) in here {
            writes.accounts.id.push(key.as_i64());
            writes.accounts.balance.push(account.balance.minor_units());
            writes.accounts.seq.push(account.seq);
            writes.accounts.last_transfer.push(account.last_transfer.map(|id| id.0));
        }
        writes.transfers.extend(plan.records().filter_map(|record| TransferRow::at(branch.code, record, numbers)));
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
    ) -> BoxFuture<'static, Result<(), WriteError>> {
        async move {
            let Self { accounts: a, transfers, nets: n } = self;
            let posted_at = SystemTime::from(posted_at);
            let batch = batch.to_string();
            let update = async {
                if a.place.is_empty() {
                    return Ok(());
                }
                let columns: [&(dyn ToSql + Sync); 6] =
                    [&a.place, &a.id, &a.balance, &a.seq, &a.last_transfer, &posted_at];
                all(Message::UpdateRows, a.place.len(), client.execute(&statements.update_accounts, &columns).await?)
            };
            let insert = async {
                let inserted = insert(&client, &statements, &transfers, &batch, posted_at).await?;
                all(Message::InsertRows, transfers.len(), inserted)
            };
            let net = async {
                if n.counterparty.is_empty() {
                    return Ok(());
                }
                let columns: [&(dyn ToSql + Sync); 5] = [&n.counterparty, &n.currency, &n.amount, &n.hash, &batch];
                all(Message::InsertNets, n.amount.len(), client.execute(&statements.insert_nets, &columns).await?)
            };
            // Polled in this order: the first failure is the telling one, the others follow from it.
            let (update, insert, net) = join3(update, insert, net).await;
            update.and(insert).and(net)
        }
        .boxed()
    }
}

/// Each statement must have written every row that it was sent for.
fn all(statement: Message, expected: usize, found: u64) -> Result<(), WriteError> {
    if u64::try_from(expected) == Ok(found) { Ok(()) } else { Err(WriteError::Rows { statement, expected, found }) }
}

/// Rows that were written. A COPY is answered before its rows may be sent, so a few rows go in faster one by one, all sent together.
async fn insert(
    client: &Client,
    statements: &Statements,
    rows: &[TransferRow],
    batch: &str,
    posted_at: SystemTime,
) -> Result<u64, Error> {
    if rows.len() > FEW_ROWS {
        return copy(client, statements, rows, batch, posted_at).await;
    }
    let inserted = rows.iter().map(|row| async move {
        let currency = row.currency.code();
        client.execute(&statements.insert_transfer, &row.columns(&currency, &batch, &posted_at)).await
    });
    // All are polled, so all are sent, before any is heard of.
    join_all(inserted).await.into_iter().sum()
}

/// What is sent behind it waits on the wire until the last row is there.
async fn copy(
    client: &Client,
    statements: &Statements,
    rows: &[TransferRow],
    batch: &str,
    posted_at: SystemTime,
) -> Result<u64, Error> {
    let sink = client.copy_in(&statements.copy_transfers).await?;
    let mut writer = std::pin::pin!(BinaryCopyInWriter::new(sink, &COLUMN_TYPES));
    for row in rows {
        let currency = row.currency.code();
        writer.as_mut().write(&row.columns(&currency, &batch, &posted_at)).await?;
    }
    writer.finish().await
}

impl TransferRow {
    /// In the order of [`WRITTEN_COLUMNS`].
    fn columns<'a>(
        &'a self,
        currency: &'a &'a str,
        batch: &'a &'a str,
        posted_at: &'a SystemTime,
    ) -> [&'a (dyn ToSql + Sync); 18] {
        let (d, c) = (&self.debit_line, &self.credit_line);
        [
            &self.id,
            &self.period,
            &self.kind,
            &self.debit,
            &self.credit,
            &self.amount,
            currency,
            &self.category,
            &self.reference,
            &self.refusal,
            &d.balance_after,
            &d.seq,
            &d.previous,
            &c.balance_after,
            &c.seq,
            &c.previous,
            batch,
            posted_at,
        ]
    }

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
