//! What the branches' databases keep between the batches of a case, and what the next batch reads of it.
//!
//! A posted transfer has a row at each of its branches, with that branch's line alone; a refused one has one at home.

use crate::table::input;
use nostro_core::plan::{Accounts, LockedAccount, Plan, PlanInput};
use nostro_core::transfer::Decision;
use nostro_core::{
    AccountNumber, Balance, BranchCode, Hold, Original, Timestamp, Transfer, TransferId, TransferRecord,
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The databases of both branches.
pub(crate) struct Database {
    pub(crate) accounts: Accounts,
    pub(crate) holds: BTreeMap<TransferId, Hold>,
    pub(crate) originals: BTreeMap<TransferId, Original>,
    records: Vec<TransferRecord>,
}

impl Database {
    pub(crate) fn new(
        accounts: Accounts,
        holds: BTreeMap<TransferId, Hold>,
        originals: BTreeMap<TransferId, Original>,
    ) -> Self {
        Self { accounts, holds, originals, records: Vec::new() }
    }

    /// What a batch finds. The rows under its ids come in the order of the keys, of which there is one at least.
    pub(crate) fn read<'a>(&self, transfers: &'a [Transfer], keys: &[u8], now: i64) -> PlanInput<'a> {
        let ids: HashSet<TransferId> = transfers.iter().map(|transfer| transfer.id).collect();
        let known = self.records.iter().filter(|record| ids.contains(&record.transfer.id)).flat_map(rows);
        let mut known: Vec<(u8, TransferRecord)> = keys.iter().copied().cycle().zip(known).collect();
        known.sort_by_key(|(key, _)| *key);
        PlanInput {
            accounts: self.accounts.clone(),
            holds: self.holds.values().copied().collect(),
            originals: self.originals.values().copied().collect(),
            known: known.into_iter().map(|(_, record)| record).collect(),
            clock: Timestamp::from_micros(now),
            posted_at: Timestamp::from_micros(now),
            ..input("", transfers)
        }
    }

    /// Stores what was planned.
    pub(crate) fn write(&mut self, plan: &Plan) {
        let written: HashMap<AccountNumber, LockedAccount> = plan.accounts.iter().copied().collect();
        let stored = self.accounts.iter().map(|(number, account)| (number, *written.get(&number).unwrap_or(account)));
        self.accounts = stored.collect();
        self.holds.extend(plan.holds.iter().map(|hold| (hold.id, *hold)));
        self.originals.extend(plan.originals.iter().map(|original| (original.id, *original)));
        self.originals
            .extend(plan.records().filter_map(|record| original(record)).map(|original| (original.id, original)));
        self.records.extend(plan.records().map(|record| TransferRecord::clone(record)));
    }
}

/// The rows of a record, one a branch.
fn rows(record: &TransferRecord) -> Vec<TransferRecord> {
    let transfer = &record.transfer;
    let Decision::Posted { debit, credit } = record.decision else { return vec![record.clone()] };
    let row = |branch: BranchCode| {
        let decision = Decision::Posted {
            debit: debit.filter(|_| transfer.debit.branch() == branch),
            credit: credit.filter(|_| transfer.credit.branch() == branch),
        };
        TransferRecord { decision, ..record.clone() }
    };
    transfer.branches().iter().map(row).collect()
}

/// What a later reversal finds of a record.
fn original(record: &TransferRecord) -> Option<Original> {
    let Transfer { id, debit, credit, amount, currency, operation, .. } = record.transfer.clone();
    let is_found = matches!(record.decision, Decision::Posted { .. }) && operation.moves_money();
    let reversed = Balance::ZERO;
    is_found.then(|| Original { id, kind: operation.kind(), debit, credit, amount, currency, reversed })
}
