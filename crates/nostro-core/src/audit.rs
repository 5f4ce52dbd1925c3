//! The audit's arithmetic: totals of all branches from which a half-committed batch is left out.
//!
//! Each branch's own books balance in every snapshot: the balances of its accounts and its nostro positions sum
//! to zero. Snapshots of several branches are not one instant, so a batch may be in one and not yet in another:
//! such batches are among the candidates, and one that is not visible as committed at all of its parts is
//! subtracted, by its nets, wherever it is visible (snapshot and subtract, after RAMP: Bailis et al., "Scalable
//! Atomic Visibility with RAMP Transactions", 2014). What is left must sum to zero over all branches, and each
//! pair of positions must be opposite. The naive total, without subtracting, is kept beside it: under load it is
//! wrong, which shows that the audit looks at moving books.

use crate::branch::BranchCode;
use crate::currency::Currency;
use std::collections::{BTreeMap, BTreeSet};

/// What one branch gained (positive: it owes the counterparty) or gave (negative) by one batch, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    /// The branch on the other side.
    pub counterparty: BranchCode,
    /// Of which currency.
    pub currency: Currency,
    /// Credits minus debits of the nostro position.
    pub amount: i64,
}

/// The sums of one branch in its snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BranchTotals {
    /// Of all accounts, credits minus debits, by currency.
    pub balances: BTreeMap<Currency, i128>,
    /// Of all nets, by counterparty and currency.
    pub positions: BTreeMap<(BranchCode, Currency), i128>,
    /// What accounts have held, by currency.
    pub held: BTreeMap<Currency, i128>,
    /// What open holds have left, by currency. Both change in one transaction of this branch, so no batch in flight is
    /// between them.
    pub reserved: BTreeMap<Currency, i128>,
}

/// A batch that may be in one snapshot and not in another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// The branches in it.
    pub parts: BTreeSet<BranchCode>,
    /// Where it is visible as committed, with its nets there.
    pub visible: BTreeMap<BranchCode, Vec<Net>>,
}

/// One line of the report: a branch and a currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchLine {
    /// The branch.
    pub branch: BranchCode,
    /// The currency.
    pub currency: Currency,
    /// Sum of all accounts, credits minus debits, batches in flight left out.
    pub balances: i128,
    /// Sum of the nostro positions, batches in flight left out.
    pub positions: i128,
    /// `balances + positions`: zero, or this branch's books are wrong by so much.
    pub difference: i128,
    /// Sum of what accounts have held.
    pub held: i128,
    /// That less what open holds have left: zero, or so much is held for nothing.
    pub held_difference: i128,
}

/// One line of the report: a currency over all branches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankLine {
    /// The currency.
    pub currency: Currency,
    /// Sum of all accounts at all branches, batches in flight left out: zero, or money was made or lost.
    pub total: i128,
    /// The same sum with the batches in flight left in: what a naive audit would report.
    pub naive_total: i128,
}

/// Two branches whose positions with each other are not opposite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionDifference {
    /// The first branch in branch order.
    pub first: BranchCode,
    /// The other one.
    pub second: BranchCode,
    /// The currency.
    pub currency: Currency,
    /// The sum of both positions, which should be zero.
    pub difference: i128,
}

/// What the audit found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReport {
    /// By branch and currency.
    pub branches: Vec<BranchLine>,
    /// By currency.
    pub bank: Vec<BankLine>,
    /// Pairs of branches that disagree.
    pub positions: Vec<PositionDifference>,
    /// How many batches were in flight and subtracted.
    pub batches_in_flight: usize,
}

impl Candidate {
    /// Whether it is visible, but not at all of its parts.
    pub fn is_in_flight(&self) -> bool {
        !self.visible.is_empty() && !self.parts.iter().all(|part| self.visible.contains_key(part))
    }
}

impl AuditReport {
    /// Whether every branch, every pair of branches and the bank balance.
    pub fn is_balanced(&self) -> bool {
        self.branches.iter().all(|line| line.difference == 0 && line.held_difference == 0)
            && self.bank.iter().all(|line| line.total == 0)
            && self.positions.is_empty()
    }
}

/// Draws up the report.
pub fn audit(mut totals: BTreeMap<BranchCode, BranchTotals>, candidates: &[Candidate]) -> AuditReport {
    let mut bank: BTreeMap<Currency, BankLine> = BTreeMap::new();
    for (currency, sum) in totals.values().flat_map(|branch| &branch.balances) {
        let line = bank.entry(*currency).or_insert(BankLine { currency: *currency, total: 0, naive_total: 0 });
        line.naive_total = line.naive_total.saturating_add(*sum);
    }
    let mut batches_in_flight: usize = 0;
    for batch in candidates.iter().filter(|batch| batch.is_in_flight()) {
        batches_in_flight = batches_in_flight.saturating_add(1);
        for (branch, net) in batch.visible.iter().flat_map(|(branch, nets)| nets.iter().map(move |net| (branch, net))) {
            let amount = i128::from(net.amount);
            let branch = totals.entry(*branch).or_default();
            // A net of +n at a branch is n more on its position and n less on its accounts.
            let balances = branch.balances.entry(net.currency).or_default();
            *balances = balances.saturating_add(amount);
            let position = branch.positions.entry((net.counterparty, net.currency)).or_default();
            *position = position.saturating_sub(amount);
        }
    }
    let branches = branch_lines(&totals);
    for line in &branches {
        let sum = bank.entry(line.currency).or_insert(BankLine { currency: line.currency, total: 0, naive_total: 0 });
        sum.total = sum.total.saturating_add(line.balances);
    }
    AuditReport { branches, bank: bank.into_values().collect(), positions: differences(&totals), batches_in_flight }
}

fn branch_lines(totals: &BTreeMap<BranchCode, BranchTotals>) -> Vec<BranchLine> {
    let mut lines = Vec::new();
    for (branch, sums) in totals {
        let of_positions = sums.positions.keys().map(|(_, currency)| currency);
        let currencies: BTreeSet<Currency> =
            sums.balances.keys().chain(of_positions).chain(sums.reserved.keys()).copied().collect();
        for currency in currencies {
            let balances = sums.balances.get(&currency).copied().unwrap_or(0);
            let positions = sums
                .positions
                .iter()
                .filter(|((_, of), _)| *of == currency)
                .fold(0, |sum: i128, (_, position)| sum.saturating_add(*position));
            let difference = balances.saturating_add(positions);
            let held = sums.held.get(&currency).copied().unwrap_or(0);
            let held_difference = held.saturating_sub(sums.reserved.get(&currency).copied().unwrap_or(0));
            let branch = *branch;
            lines.push(BranchLine { branch, currency, balances, positions, difference, held, held_difference });
        }
    }
    lines
}

fn differences(totals: &BTreeMap<BranchCode, BranchTotals>) -> Vec<PositionDifference> {
    let mut pairs: BTreeMap<(BranchCode, BranchCode, Currency), i128> = BTreeMap::new();
    for (branch, sums) in totals {
        for ((counterparty, currency), position) in &sums.positions {
            let first = *branch.min(counterparty);
            let second = *branch.max(counterparty);
            let sum = pairs.entry((first, second, *currency)).or_default();
            *sum = sum.saturating_add(*position);
        }
    }
    pairs
        .into_iter()
        .filter(|(_, difference)| *difference != 0)
        .map(|((first, second, currency), difference)| PositionDifference { first, second, currency, difference })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> BranchCode {
        text.parse().unwrap()
    }

    fn usd() -> Currency {
        "USD".parse().unwrap()
    }

    fn branch(balances: i128, positions: &[(&str, i128)]) -> BranchTotals {
        BranchTotals {
            balances: BTreeMap::from([(usd(), balances)]),
            positions: positions.iter().map(|(with, amount)| ((code(with), usd()), *amount)).collect(),
            ..BranchTotals::default()
        }
    }

    fn batch(parts: &[&str], visible: &[(&str, &str, i64)]) -> Candidate {
        Candidate {
            parts: parts.iter().map(|part| code(part)).collect(),
            visible: visible
                .iter()
                .map(|(at, counterparty, amount)| {
                    (code(at), vec![Net { counterparty: code(counterparty), currency: usd(), amount: *amount }])
                })
                .collect(),
        }
    }

    fn totals(az: BranchTotals, tx: BranchTotals) -> BTreeMap<BranchCode, BranchTotals> {
        BTreeMap::from([(code("AZ"), az), (code("TX"), tx)])
    }

    #[test]
    fn a_batch_seen_on_one_side_only_is_subtracted() {
        // AZ has given 100 to TX, TX's snapshot is older.
        let report =
            audit(totals(branch(-100, &[("TX", 100)]), branch(0, &[])), &[batch(&["AZ", "TX"], &[("AZ", "TX", 100)])]);
        assert!(report.is_balanced(), "{report:?}");
        assert_eq!((report.batches_in_flight, report.bank[0].naive_total), (1, -100));
    }

    #[test]
    fn a_batch_seen_on_both_sides_or_on_none_stays() {
        let seen = batch(&["AZ", "TX"], &[("AZ", "TX", 100), ("TX", "AZ", -100)]);
        let unseen = batch(&["AZ", "TX"], &[]);
        let report = audit(totals(branch(-100, &[("TX", 100)]), branch(100, &[("AZ", -100)])), &[seen, unseen]);
        assert!(report.is_balanced(), "{report:?}");
        assert_eq!((report.batches_in_flight, report.bank[0].naive_total), (0, 0));
    }

    #[test]
    fn a_cent_too_much_is_found_at_its_branch_and_in_the_bank() {
        let report = audit(totals(branch(-99, &[("TX", 100)]), branch(100, &[("AZ", -100)])), &[]);
        assert!(!report.is_balanced());
        assert_eq!(report.branches[0].difference, 1);
        assert_eq!(report.bank[0].total, 1);
        assert!(report.positions.is_empty());
    }

    #[test]
    fn what_is_held_for_nothing_is_found_and_so_is_a_hold_that_holds_nothing() {
        for (held, reserved, difference) in [(500, 500, 0), (500, 499, 1), (0, 3, -3)] {
            let az = BranchTotals {
                held: BTreeMap::from([(usd(), held)]),
                reserved: BTreeMap::from([(usd(), reserved)]),
                ..branch(0, &[])
            };
            let report = audit(totals(az, branch(0, &[])), &[]);
            assert_eq!((report.branches[0].held, report.branches[0].held_difference), (held, difference));
            assert_eq!(report.is_balanced(), difference == 0);
        }
        let of_no_account = BranchTotals { reserved: BTreeMap::from([(usd(), 3)]), ..BranchTotals::default() };
        assert!(!audit(totals(of_no_account, branch(0, &[])), &[]).is_balanced());
    }

    #[test]
    fn half_a_batch_that_is_not_in_flight_is_found() {
        let report = audit(totals(branch(-100, &[("TX", 100)]), branch(0, &[])), &[]);
        assert!(!report.is_balanced());
        assert_eq!(report.bank[0].total, -100);
        assert_eq!(report.positions[0].difference, 100);
        assert!(report.branches.iter().all(|line| line.difference == 0), "each branch's own books balance");
    }
}
