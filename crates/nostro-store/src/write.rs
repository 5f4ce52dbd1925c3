//! Stores what the planner decided, at one branch: each account once, a row for each transfer, the nets.
//!
//! The statements are sent together when the future is polled first, so that the messages of the commit protocol
//! can follow them on the wire without waiting. Accounts are written in the order of their keys: neighbours share a
//! page, and a page that is met once costs half of one that is met anew for each of its rows. Transfers go in by
//! binary COPY, which costs a third less than arrays (docs/internals/performance.md).

use crate::nets::{NetOutOfRange, NetRow, Nets};
use crate::place::{Place, Places};
use crate::rows::BranchId;
use crate::statements::Statements;
use crate::transfer_rows::{self, TransferRows};
use futures_util::future::{BoxFuture, FutureExt, join5};
use nostro_commit::driver::WriteError;
use nostro_commit::{BatchId, Message};
use nostro_core::plan::{LockedAccount, Plan};
use nostro_core::{AccountKey, BranchCode, BranchNumber, Hold, Timestamp, TransferId, TransferRecord};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Everything that a batch writes at one branch.
#[derive(Debug)]
pub struct Writes {
    accounts: AccountColumns,
    transfers: TransferRows,
    nets: NetColumns,
    holds: HoldColumns,
    reversals: ReversalColumns,
}

#[derive(Debug, Default)]
struct AccountColumns {
    place: Vec<Place>,
    id: Vec<i64>,
    balance: Vec<i64>,
    held: Vec<i64>,
    seq: Vec<i64>,
    last_transfer: Vec<Option<Uuid>>,
    /// Empty where every mark is as it was.
    limit_exceeded: Vec<bool>,
}

#[derive(Debug, Default)]
struct NetColumns {
    counterparty: Vec<String>,
    currency: Vec<String>,
    amount: Vec<i64>,
    hash: Vec<Vec<u8>>,
}

impl Writes {
    /// What each of the branches writes. Records go in the order of their ids, which is that of the index that they enter.
    pub fn of<'p>(
        plan: &Plan,
        branches: impl IntoIterator<Item = (BranchId, &'p Places)>,
        numbers: &BTreeMap<BranchCode, BranchNumber>,
    ) -> Result<Vec<(BranchCode, Self)>, NetOutOfRange> {
        let mut records: Vec<(TransferId, &Arc<TransferRecord>)> =
            plan.records().map(|record| (record.transfer.id, record)).collect();
        records.sort_unstable_by_key(|(id, _)| *id);
        let records: Vec<&Arc<TransferRecord>> = records.into_iter().map(|(_, record)| record).collect();
        let nets = Nets::of(records.iter().map(|record| &***record), numbers)?;
        let at = |(branch, places): (BranchId, &Places)| {
            (branch.code, Self::at(branch, plan, &records, places, nets.at(branch.code), numbers))
        };
        Ok(branches.into_iter().map(at).collect())
    }

    /// Collects what belongs to `branch`: its accounts, the records that touch it (refused ones at their home
    /// only), its nets.
    fn at(
        branch: BranchId,
        plan: &Plan,
        records: &[&Arc<TransferRecord>],
        places: &Places,
        nets: Vec<NetRow>,
        numbers: &BTreeMap<BranchCode, BranchNumber>,
    ) -> Self {
        let mut writes = Self {
            accounts: AccountColumns::default(),
            transfers: TransferRows::at(branch.code, records, numbers),
            nets: NetColumns::default(),
            holds: HoldColumns::default(),
            reversals: ReversalColumns::default(),
        };
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
            writes.accounts.held.push(account.held.minor_units());
            writes.accounts.seq.push(account.seq);
            writes.accounts.last_transfer.push(account.last_transfer.map(|id| id.0));
            if plan.has_marked {
                writes.accounts.limit_exceeded.push(account.limit_exceeded);
            }
        }
        for hold in plan.holds.iter().filter(|hold| hold.debit.branch() == branch.code) {
            writes.holds.push(hold, numbers);
        }
        for original in plan.originals.iter().filter(|original| original.credit.branch() == branch.code) {
            writes.reversals.original.push(original.id.0);
            writes.reversals.amount.push(original.amount.minor_units());
            writes.reversals.reversed.push(original.reversed.minor_units());
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
            let Self { accounts: a, transfers, nets: n, holds, reversals } = self;
            let posted_at = SystemTime::from(posted_at);
            let batch = batch.to_string();
            let update = async {
                if a.place.is_empty() {
                    return Ok(());
                }
                let columns: [&(dyn ToSql + Sync); 8] =
                    [&a.place, &a.id, &a.balance, &a.held, &a.seq, &a.last_transfer, &posted_at, &a.limit_exceeded];
                let updated = if a.limit_exceeded.is_empty() {
                    client.execute(&statements.update_accounts, &columns[..7]).await?
                } else {
                    client.execute(&statements.update_and_mark_accounts, &columns).await?
                };
                all(Message::UpdateRows, a.place.len(), updated)
            };
            let insert = async {
                let inserted = transfers.insert(&client, &statements, &batch, posted_at).await?;
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
            let (holds, reversals) = (holds.send(&client, &statements), reversals.send(&client, &statements));
            let (update, insert, holds, reversals, net) = join5(update, insert, holds, reversals, net).await;
            update.and(insert).and(holds).and(reversals).and(net)
        }
        .boxed()
    }
}

/// Each statement must have written every row that it was sent for.
fn all(statement: Message, expected: usize, found: u64) -> Result<(), WriteError> {
    if u64::try_from(expected) == Ok(found) { Ok(()) } else { Err(WriteError::Rows { statement, expected, found }) }
}

/// Arrays of the columns of `reversal` that a batch writes.
#[derive(Debug, Default)]
struct ReversalColumns {
    original: Vec<Uuid>,
    amount: Vec<i64>,
    reversed: Vec<i64>,
}

impl ReversalColumns {
    async fn send(&self, client: &Client, statements: &Statements) -> Result<(), WriteError> {
        if self.original.is_empty() {
            return Ok(());
        }
        let columns: [&(dyn ToSql + Sync); 3] = [&self.original, &self.amount, &self.reversed];
        let found = client.execute(&statements.write_reversals, &columns).await?;
        all(Message::UpdateRows, self.original.len(), found)
    }
}

/// Arrays of the columns of `hold` that a batch writes.
#[derive(Debug, Default)]
struct HoldColumns {
    id: Vec<Uuid>,
    debit: Vec<i64>,
    credit: Vec<i64>,
    amount: Vec<i64>,
    currency: Vec<String>,
    captured: Vec<i64>,
    released: Vec<i64>,
    state: Vec<&'static str>,
    expires_at: Vec<Option<SystemTime>>,
    placed_at: Vec<SystemTime>,
    ended_at: Vec<Option<SystemTime>>,
}

impl HoldColumns {
    fn push(&mut self, hold: &Hold, numbers: &BTreeMap<BranchCode, BranchNumber>) {
        self.id.push(hold.id.0);
        self.debit.push(transfer_rows::key(hold.debit, numbers));
        self.credit.push(transfer_rows::key(hold.credit, numbers));
        self.amount.push(hold.amount.minor_units());
        self.currency.push(hold.currency.to_string());
        self.captured.push(hold.captured.minor_units());
        self.released.push(hold.released.minor_units());
        self.state.push(hold.state.as_str());
        self.expires_at.push(hold.expires_at.map(SystemTime::from));
        self.placed_at.push(hold.placed_at.into());
        self.ended_at.push(hold.ended_at.map(SystemTime::from));
    }

    /// New ones, and the present figures of those that are there.
    async fn send(&self, client: &Client, statements: &Statements) -> Result<(), WriteError> {
        if self.id.is_empty() {
            return Ok(());
        }
        let columns: [&(dyn ToSql + Sync); 11] = [
            &self.id,
            &self.debit,
            &self.credit,
            &self.amount,
            &self.currency,
            &self.captured,
            &self.released,
            &self.state,
            &self.expires_at,
            &self.placed_at,
            &self.ended_at,
        ];
        all(Message::UpdateRows, self.id.len(), client.execute(&statements.write_holds, &columns).await?)
    }
}
