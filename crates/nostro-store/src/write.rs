//! Stores what the planner decided, at one branch: each account once, a row for each transfer, the nets.
//!
//! The statements are sent together when the future is polled first, so that the messages of the commit protocol
//! can follow them on the wire without waiting.

use crate::nets::NetRow;
use crate::rows::BranchId;
use crate::statements::Statements;
use futures_util::future::{BoxFuture, FutureExt, join3};
use nostro_commit::BatchId;
use nostro_core::plan::LockedAccount;
use nostro_core::transfer::{Decision, Line};
use nostro_core::{AccountNumber, BranchCode, BranchNumber, Timestamp, TransferRecord};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error};
use uuid::Uuid;

/// Everything that a batch writes at one branch, column by column.
#[derive(Debug, Default)]
pub struct Writes {
    accounts: AccountColumns,
    transfers: TransferColumns,
    nets: NetColumns,
}

#[derive(Debug, Default)]
struct AccountColumns {
    id: Vec<i64>,
    balance: Vec<i64>,
    seq: Vec<i64>,
}

#[derive(Debug, Default)]
struct TransferColumns {
    id: Vec<Uuid>,
    kind: Vec<&'static str>,
    debit: Vec<i64>,
    credit: Vec<i64>,
    amount: Vec<i64>,
    currency: Vec<String>,
    category: Vec<i32>,
    reference: Vec<Option<String>>,
    refusal: Vec<Option<&'static str>>,
    debit_balance_after: Vec<Option<i64>>,
    debit_seq: Vec<Option<i64>>,
    credit_balance_after: Vec<Option<i64>>,
    credit_seq: Vec<Option<i64>>,
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
        for (number, account) in accounts.iter().filter(|(number, _)| number.branch() == branch.code) {
            writes.accounts.id.push(number.key(branch.number).as_i64());
            writes.accounts.balance.push(account.balance.minor_units());
            writes.accounts.seq.push(account.seq);
        }
        for record in records {
            writes.transfers.push(branch.code, record, numbers);
        }
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
        self.transfers.id.is_empty()
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
            let Self { accounts: a, transfers: t, nets: n } = self;
            let posted_at = SystemTime::from(posted_at);
            let batch = batch.to_string();
            let update = async {
                if a.id.is_empty() {
                    return Ok(0);
                }
                client.execute(&statements.update_accounts, &[&a.id, &a.balance, &a.seq, &posted_at]).await
            };
            let columns: [&(dyn ToSql + Sync); 15] = [
                &t.id,
                &t.kind,
                &t.debit,
                &t.credit,
                &t.amount,
                &t.currency,
                &t.category,
                &t.reference,
                &t.refusal,
                &t.debit_balance_after,
                &t.debit_seq,
                &t.credit_balance_after,
                &t.credit_seq,
                &batch,
                &posted_at,
            ];
            let insert = client.execute(&statements.insert_transfers, &columns);
            let net = async {
                if n.counterparty.is_empty() {
                    return Ok(0);
                }
                client
                    .execute(&statements.insert_nets, &[&n.counterparty, &n.currency, &n.amount, &n.hash, &batch])
                    .await
            };
            // Polled in this order: the first failure is the telling one, the others follow from it.
            let (update, insert, net) = join3(update, insert, net).await;
            update.and(insert).and(net).map(|_| ())
        }
        .boxed()
    }
}

impl TransferColumns {
    fn push(&mut self, at: BranchCode, record: &TransferRecord, numbers: &BTreeMap<BranchCode, BranchNumber>) {
        let transfer = &record.transfer;
        let touches = transfer.debit.branch() == at || transfer.credit.branch() == at;
        let (refusal, debit, credit) = match record.decision {
            Decision::Refused(_) if transfer.home() != at => return,
            Decision::Posted { .. } if !touches => return,
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
        let balance = |line: Option<Line>| line.map(|line| line.balance_after.minor_units());
        self.id.push(transfer.id.0);
        self.kind.push(transfer.kind.as_str());
        self.debit.push(key(transfer.debit));
        self.credit.push(key(transfer.credit));
        self.amount.push(transfer.amount.minor_units());
        self.currency.push(transfer.currency.to_string());
        self.category.push(i32::from(transfer.category));
        self.reference.push(transfer.reference.as_ref().map(|text| text.as_str().to_owned()));
        self.refusal.push(refusal);
        self.debit_balance_after.push(balance(debit));
        self.debit_seq.push(debit.map(|line| line.seq));
        self.credit_balance_after.push(balance(credit));
        self.credit_seq.push(credit.map(|line| line.seq));
    }
}
