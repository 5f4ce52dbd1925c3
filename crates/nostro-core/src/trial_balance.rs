//! The trial balance: debits and credits by branch, currency and kind of account, with the nostro positions.
//!
//! Each branch's own books balance in every snapshot of it, so its debits equal its credits. Over the bank, the nostro
//! positions net to the batches in flight between the branches' snapshots (see [`crate::audit`]), and to zero when none is.

use crate::account::AccountKind;
use crate::audit::Candidate;
use crate::branch::BranchCode;
use crate::currency::Currency;
use std::collections::BTreeMap;

/// Debits and credits, in minor units, each zero or more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides {
    /// Balances below zero, credits minus debits.
    pub debits: i128,
    /// Balances above zero.
    pub credits: i128,
}

/// The sums of one branch in its snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BranchBooks {
    /// Of its accounts.
    pub accounts: BTreeMap<(Currency, AccountKind), Sides>,
    /// Of all nets, credits minus debits, by counterparty and currency.
    pub positions: BTreeMap<(BranchCode, Currency), i128>,
}

/// What a line adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// Accounts of this kind.
    Accounts(AccountKind),
    /// The position with this branch: owed to it, or due from it.
    Nostro(BranchCode),
}

/// One line of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrialLine {
    /// The branch.
    pub branch: BranchCode,
    /// The currency.
    pub currency: Currency,
    /// What is added up.
    pub item: Item,
    /// Its sums.
    pub sides: Sides,
}

/// The sums of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BranchSum {
    /// The branch.
    pub branch: BranchCode,
    /// The currency.
    pub currency: Currency,
    /// Of all its lines.
    pub sides: Sides,
}

/// The sums of the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BankSum {
    /// The currency.
    pub currency: Currency,
    /// Of the accounts of all branches.
    pub sides: Sides,
    /// What the positions of all branches net to: what is in flight between their snapshots.
    pub in_flight: i128,
    /// That less the nets of the batches that are: zero, or so much is in flight for ever.
    pub difference: i128,
}

/// The report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrialBalance {
    /// By branch, currency and item.
    pub lines: Vec<TrialLine>,
    /// By branch and currency.
    pub branches: Vec<BranchSum>,
    /// By currency.
    pub bank: Vec<BankSum>,
}

impl Sides {
    /// A figure on its side.
    fn of(credits_minus_debits: i128) -> Self {
        Self { debits: credits_minus_debits.saturating_neg().max(0), credits: credits_minus_debits.max(0) }
    }

    fn plus(self, other: Self) -> Self {
        Self { debits: self.debits.saturating_add(other.debits), credits: self.credits.saturating_add(other.credits) }
    }
}

impl TrialBalance {
    /// Whether debits equal credits at every branch, and the positions net to the batches in flight.
    pub fn is_balanced(&self) -> bool {
        self.branches.iter().all(|sum| sum.sides.debits == sum.sides.credits)
            && self.bank.iter().all(|sum| sum.difference == 0)
    }
}

/// Draws up the report from the books and the batches that may be in one branch's snapshot and not in another's.
pub fn trial_balance(books: &BTreeMap<BranchCode, BranchBooks>, candidates: &[Candidate]) -> TrialBalance {
    let mut report = TrialBalance::default();
    let mut bank: BTreeMap<Currency, (Sides, i128)> = BTreeMap::new();
    for (branch, books) in books {
        let branch = *branch;
        let mut sums: BTreeMap<Currency, Sides> = BTreeMap::new();
        for (&(currency, kind), &sides) in &books.accounts {
            report.lines.push(TrialLine { branch, currency, item: Item::Accounts(kind), sides });
            let of_bank = bank.entry(currency).or_default();
            of_bank.0 = of_bank.0.plus(sides);
            let sum = sums.entry(currency).or_default();
            *sum = sum.plus(sides);
        }
        for (&(counterparty, currency), &position) in &books.positions {
            let sides = Sides::of(position);
            report.lines.push(TrialLine { branch, currency, item: Item::Nostro(counterparty), sides });
            let of_bank = bank.entry(currency).or_default();
            of_bank.1 = of_bank.1.saturating_add(position);
            let sum = sums.entry(currency).or_default();
            *sum = sum.plus(sides);
        }
        report.branches.extend(sums.into_iter().map(|(currency, sides)| BranchSum { branch, currency, sides }));
    }
    let of_batches = in_flight(candidates);
    let of_bank = |(currency, (sides, in_flight)): (Currency, (Sides, i128))| {
        let difference = in_flight.saturating_sub(of_batches.get(&currency).copied().unwrap_or(0));
        BankSum { currency, sides, in_flight, difference }
    };
    report.bank = bank.into_iter().map(of_bank).collect();
    report
}

/// The nets of the batches that are visible at some of their branches only, by currency.
fn in_flight(candidates: &[Candidate]) -> BTreeMap<Currency, i128> {
    let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
    for net in candidates.iter().filter(|batch| batch.is_in_flight()).flat_map(|batch| batch.visible.values().flatten())
    {
        let sum = sums.entry(net.currency).or_default();
        *sum = sum.saturating_add(i128::from(net.amount));
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Net;

    fn code(text: &str) -> BranchCode {
        text.parse().unwrap()
    }

    fn branch(cash: (i128, i128), checking: (i128, i128), with: &str, position: i128) -> BranchBooks {
        let usd: Currency = "USD".parse().unwrap();
        let sides = |(debits, credits)| Sides { debits, credits };
        BranchBooks {
            accounts: BTreeMap::from([
                ((usd, AccountKind::Cash), sides(cash)),
                ((usd, AccountKind::Checking), sides(checking)),
            ]),
            positions: BTreeMap::from([((code(with), usd), position)]),
        }
    }

    fn net(with: &str, amount: i64) -> Net {
        Net { counterparty: code(with), currency: "USD".parse().unwrap(), amount }
    }

    #[test]
    fn debits_equal_credits_at_each_branch_and_positions_net_to_what_is_in_flight() {
        // Arizona has paid 30 and 20 to Texas; Texas's snapshot does not show the 20 yet.
        let az = branch((100, 0), (5, 55), "TX", 50);
        let tx = branch((200, 0), (0, 230), "AZ", -30);
        let books = BTreeMap::from([(code("AZ"), az), (code("TX"), tx.clone())]);
        let candidate = |visible: &[(&str, &str, i64)]| Candidate {
            parts: ["AZ", "TX"].map(code).into(),
            visible: visible.iter().map(|(at, with, amount)| (code(at), vec![net(with, *amount)])).collect(),
        };
        let whole = candidate(&[("AZ", "TX", 30), ("TX", "AZ", -30)]);
        let report = trial_balance(&books, &[whole.clone(), candidate(&[("AZ", "TX", 20)])]);
        assert!(report.is_balanced(), "{report:?}");
        let lost = trial_balance(&books, &[whole]);
        assert_eq!((lost.is_balanced(), lost.bank[0].in_flight, lost.bank[0].difference), (false, 20, 20));
        let sides: Vec<(i128, i128)> =
            report.branches.iter().map(|sum| (sum.sides.debits, sum.sides.credits)).collect();
        assert_eq!(sides, [(105, 105), (230, 230)]);
        assert_eq!((report.bank[0].sides, report.bank[0].in_flight), (Sides { debits: 305, credits: 285 }, 20));
        assert_eq!(report.lines.len(), 6);
        let wrong = branch((100, 0), (5, 56), "TX", 50);
        assert!(!trial_balance(&BTreeMap::from([(code("AZ"), wrong), (code("TX"), tx)]), &[]).is_balanced());
    }
}
