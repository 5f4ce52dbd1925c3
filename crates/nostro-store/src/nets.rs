//! What a batch leaves between each two of its branches, and the hash that both keep of it.

use crate::rows::BranchId;
use nostro_core::transfer::Decision;
use nostro_core::{BranchCode, BranchNumber, Currency, TransferRecord};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A row of `batch_net` at one branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetRow {
    /// The other branch.
    pub counterparty: BranchCode,
    /// The currency.
    pub currency: Currency,
    /// Positive: this branch owes the other one.
    pub amount: i64,
    /// SHA-256 over the posted transfers between the two, sorted by id.
    pub hash: [u8; 32],
}

/// A net of more than a bigint: no batch of 16,384 transfers of 18 digits that a bank means can reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the net of a batch exceeds a bigint")]
pub struct NetOutOfRange;

/// The rows of one branch for a batch's records.
pub fn nets<'a>(
    at: BranchCode,
    records: impl Iterator<Item = &'a TransferRecord>,
    numbers: &BTreeMap<BranchCode, BranchNumber>,
) -> Result<Vec<NetRow>, NetOutOfRange> {
    let mut between: BTreeMap<(BranchCode, Currency), Vec<&TransferRecord>> = BTreeMap::new();
    let has_moved = |record: &&TransferRecord| {
        matches!(record.decision, Decision::Posted { .. }) && record.transfer.operation.moves_money()
    };
    for record in records.filter(has_moved) {
        let (debit, credit) = (record.transfer.debit.branch(), record.transfer.credit.branch());
        let counterparty = if debit == at { credit } else { debit };
        if debit != credit && (debit == at || credit == at) {
            between.entry((counterparty, record.transfer.currency)).or_default().push(record);
        }
    }
    between
        .into_iter()
        .map(|((counterparty, currency), mut records)| {
            records.sort_unstable_by_key(|record| record.transfer.id);
            let amount = records.iter().try_fold(0_i64, |sum, record| {
                let amount = record.transfer.amount.minor_units();
                if record.transfer.debit.branch() == at { sum.checked_add(amount) } else { sum.checked_sub(amount) }
            });
            let hash = hash(&records, numbers);
            Ok(NetRow { counterparty, currency, amount: amount.ok_or(NetOutOfRange)?, hash })
        })
        .collect()
}

/// Over id, debit key, credit key, amount (big-endian) and currency of each, the same at both branches.
fn hash(sorted: &[&TransferRecord], numbers: &BTreeMap<BranchCode, BranchNumber>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for TransferRecord { transfer, .. } in sorted {
        hasher.update(transfer.id.0.as_bytes());
        for account in [transfer.debit, transfer.credit] {
            let key = numbers.get(&account.branch()).map_or(0, |number| account.key(*number).as_i64());
            hasher.update(key.to_be_bytes());
        }
        hasher.update(transfer.amount.minor_units().to_be_bytes());
        hasher.update(transfer.currency.code());
    }
    hasher.finalize().into()
}

/// Numbers by code, of every branch in the directory.
pub fn numbers(branches: impl IntoIterator<Item = BranchId>) -> BTreeMap<BranchCode, BranchNumber> {
    branches.into_iter().map(|branch| (branch.code, branch.number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nostro_core::{AccountNumber, Amount, Operation, Timestamp, Transfer, TransferId};

    fn record(id: u128, from: &str, to: &str, amount: i64) -> TransferRecord {
        let account = |code: &str| AccountNumber::new(code.parse().unwrap(), 1042).unwrap();
        let transfer = Transfer {
            id: TransferId(uuid::Uuid::from_u128(id)),
            operation: Operation::Transfer,
            debit: account(from),
            credit: account(to),
            amount: Amount::new(amount).unwrap(),
            currency: "USD".parse().unwrap(),
            category: 0,
            reference: None,
            link: None,
        };
        let decision = Decision::Posted { debit: None, credit: None };
        TransferRecord { transfer, decision, posted_at: Timestamp::from_micros(0) }
    }

    #[test]
    fn both_branches_keep_opposite_nets_and_the_same_hash() {
        let code = |text: &str| text.parse::<BranchCode>().unwrap();
        let numbers =
            BTreeMap::from([(code("AZ"), BranchNumber::new(1).unwrap()), (code("TX"), BranchNumber::new(2).unwrap())]);
        let mut records = [record(1, "AZ", "TX", 100), record(2, "TX", "AZ", 30)];
        let az = nets(code("AZ"), records.iter(), &numbers).unwrap();
        records.reverse();
        let tx = nets(code("TX"), records.iter(), &numbers).unwrap();
        assert_eq!((az[0].amount, tx[0].amount), (70, -70));
        assert_eq!((az[0].counterparty, tx[0].counterparty), (code("TX"), code("AZ")));
        assert_eq!(az[0].hash, tx[0].hash, "whatever the order in the batch");
        let other = nets(code("AZ"), [record(1, "AZ", "TX", 101), record(2, "TX", "AZ", 31)].iter(), &numbers).unwrap();
        assert_eq!(other[0].amount, 70);
        assert_ne!(other[0].hash, az[0].hash, "the same net of other transfers has another hash");
        let local = AccountNumber::new(code("AZ"), 1043).unwrap();
        let mut within = record(3, "AZ", "AZ", 5);
        within.transfer.credit = local;
        assert_eq!(nets(code("AZ"), [within].iter(), &numbers), Ok(vec![]), "a local transfer leaves no net");
    }
}
