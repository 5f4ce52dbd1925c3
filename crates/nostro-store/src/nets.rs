//! What a batch leaves between each two of its branches, and the hash that both keep of it.

use crate::rows::BranchId;
use nostro_core::transfer::Decision;
use nostro_core::{BranchCode, BranchNumber, Currency, Transfer, TransferId, TransferRecord};
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

/// A net of more than a bigint: no batch of 32,768 transfers of 18 digits that a bank means can reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the net of a batch exceeds a bigint")]
pub struct NetOutOfRange;

/// What a batch leaves between its branches: of each two, in each currency, what the first in branch order owes the other one.
#[derive(Debug, Default)]
pub struct Nets(BTreeMap<Between, Net>);

/// Two branches in branch order, and a currency.
type Between = (BranchCode, BranchCode, Currency);

#[derive(Debug)]
struct Net {
    /// Owed by the first branch, and by the second one: the opposite.
    amounts: [i64; 2],
    hash: [u8; 32],
}

impl Nets {
    /// Of a batch's records, whatever their order.
    pub fn of<'a>(
        records: impl Iterator<Item = &'a TransferRecord>,
        numbers: &BTreeMap<BranchCode, BranchNumber>,
    ) -> Result<Self, NetOutOfRange> {
        let mut between: BTreeMap<Between, Vec<(TransferId, &Transfer)>> = BTreeMap::new();
        for TransferRecord { transfer, decision, .. } in records {
            let (debit, credit) = (transfer.debit.branch(), transfer.credit.branch());
            let has_moved = matches!(decision, Decision::Posted { .. }) && transfer.operation.moves_money();
            if has_moved && debit != credit {
                let pair = (debit.min(credit), debit.max(credit), transfer.currency);
                between.entry(pair).or_default().push((transfer.id, transfer));
            }
        }
        let net = |(pair, mut transfers): (Between, Vec<(TransferId, &Transfer)>)| {
            transfers.sort_unstable_by_key(|(id, _)| *id);
            Ok((pair, Net { amounts: amounts(pair.0, &transfers)?, hash: hash(&transfers, numbers) }))
        };
        Ok(Self(between.into_iter().map(net).collect::<Result<_, _>>()?))
    }

    /// The rows of one branch.
    pub fn at(&self, branch: BranchCode) -> Vec<NetRow> {
        let row = |(&(first, second, currency), net): (&Between, &Net)| {
            let [owed_by_first, owed_by_second] = net.amounts;
            let (counterparty, amount) = if branch == first {
                (second, owed_by_first)
            } else if branch == second {
                (first, owed_by_second)
            } else {
                return None;
            };
            Some(NetRow { counterparty, currency, amount, hash: net.hash })
        };
        self.0.iter().filter_map(row).collect()
    }
}

/// What the first branch owes and what the second one does.
fn amounts(first: BranchCode, transfers: &[(TransferId, &Transfer)]) -> Result<[i64; 2], NetOutOfRange> {
    let owed_by_first = transfers.iter().try_fold(0_i64, |sum, (_, transfer)| {
        let amount = transfer.amount.minor_units();
        if transfer.debit.branch() == first { sum.checked_add(amount) } else { sum.checked_sub(amount) }
    });
    let owed_by_first = owed_by_first.ok_or(NetOutOfRange)?;
    Ok([owed_by_first, owed_by_first.checked_neg().ok_or(NetOutOfRange)?])
}

/// Over id, debit key, credit key, amount (big-endian) and currency of each, the same at both branches.
fn hash(sorted: &[(TransferId, &Transfer)], numbers: &BTreeMap<BranchCode, BranchNumber>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for (id, transfer) in sorted {
        hasher.update(id.0.as_bytes());
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
    use nostro_core::{AccountNumber, Amount, Operation, Refusal, Timestamp};

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

    fn code(text: &str) -> BranchCode {
        text.parse().unwrap()
    }

    fn nets(records: &[TransferRecord]) -> Result<Nets, NetOutOfRange> {
        let numbered = ["AZ", "NM", "TX"].iter().zip(1..);
        let numbers = numbered.map(|(at, number)| (code(at), BranchNumber::new(number).unwrap())).collect();
        Nets::of(records.iter(), &numbers)
    }

    #[test]
    fn both_branches_keep_opposite_nets_and_the_same_hash() {
        let mut records = [record(1, "AZ", "TX", 100), record(2, "TX", "AZ", 30)];
        let forth = nets(&records).unwrap();
        let (az, tx) = (forth.at(code("AZ")), forth.at(code("TX")));
        assert_eq!((az[0].amount, tx[0].amount), (70, -70));
        assert_eq!((az[0].counterparty, tx[0].counterparty), (code("TX"), code("AZ")));
        assert_eq!(az[0].hash, tx[0].hash);
        records.reverse();
        assert_eq!(nets(&records).unwrap().at(code("AZ")), az, "whatever the order in the batch");
        let other = nets(&[record(1, "AZ", "TX", 101), record(2, "TX", "AZ", 31)]).unwrap().at(code("AZ"));
        assert_eq!(other[0].amount, 70);
        assert_ne!(other[0].hash, az[0].hash, "the same net of other transfers has another hash");
        let local = AccountNumber::new(code("AZ"), 1043).unwrap();
        let mut within = record(3, "AZ", "AZ", 5);
        within.transfer.credit = local;
        assert_eq!(nets(&[within]).unwrap().at(code("AZ")), [], "a local transfer leaves no net");
    }

    #[test]
    fn what_moved_nothing_leaves_no_net() {
        let mut refused = record(1, "AZ", "TX", 100);
        refused.decision = Decision::Refused(Refusal::InsufficientFunds);
        let mut hold = record(2, "AZ", "TX", 100);
        hold.transfer.operation = Operation::Hold { expires_at: None };
        assert_eq!(nets(&[refused, hold]).unwrap().at(code("AZ")), []);
    }

    #[test]
    fn each_two_branches_have_a_net_of_their_own() {
        let records = [record(1, "AZ", "NM", 1), record(2, "NM", "TX", 10), record(3, "TX", "AZ", 100)];
        let nets = nets(&records).unwrap();
        let owed = |at: &str| -> Vec<(String, i64)> {
            nets.at(code(at)).iter().map(|net| (net.counterparty.to_string(), net.amount)).collect()
        };
        assert_eq!(owed("AZ"), [("NM".to_owned(), 1), ("TX".to_owned(), -100)]);
        assert_eq!(owed("NM"), [("AZ".to_owned(), -1), ("TX".to_owned(), 10)]);
        assert_eq!(owed("TX"), [("AZ".to_owned(), 100), ("NM".to_owned(), -10)]);
    }

    #[test]
    fn what_no_branch_can_keep_is_no_net() {
        let largest = |id: u128| record(id, "AZ", "TX", nostro_core::amount::AMOUNT_MAX);
        let records: Vec<TransferRecord> = (0..10).map(largest).collect();
        assert!(nets(&records[..9]).is_ok());
        assert_eq!(nets(&records).err(), Some(NetOutOfRange));
    }
}
