//! What a full audit finds: rows that break a rule, and which rule.
//!
//! Of each rule and branch the first few rows are named and all are counted, so that a table that is wrong in every row
//! makes a report that can be read. A finding is text for people: nothing is decided by it but whether there is one.

use crate::audit::AuditReport;
use crate::branch::BranchCode;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// So many rows of a rule are named at each branch: enough to see a pattern.
pub const FINDINGS_OF_RULE_MAX: usize = 5;

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// An account's entries are numbered from 1 without a gap, each number once.
    EntryNumber,
    /// Each entry's balance follows from the one before it.
    EntryBalance,
    /// Each entry names the transfer that left the one before it.
    EntryPrevious,
    /// No entry is earlier than the one before it.
    EntryTime,
    /// Entries are of accounts that exist.
    EntryAccount,
    /// An account has the number of its last entry.
    AccountNumber,
    /// An account's balance is the sum of its entries.
    AccountBalance,
    /// An account names the transfer that left its last entry.
    AccountLastTransfer,
    /// An account has held what its open holds have left.
    AccountHeld,
    /// A customer's account is within its limits, or marked as outside of them.
    AccountLimit,
    /// An account has the limits and the state that its changes left, one after the other, from what it was opened with.
    AccountTerms,
    /// A customer's account is of a customer who is there, and changes are of accounts that are.
    AccountCustomer,
    /// A transfer stands in the partition of its id.
    TransferPeriod,
    /// A posted transfer has a line on each account of the branch; one that is refused or moves no money has none.
    TransferLines,
    /// A posted transfer is in the currency of its accounts at the branch.
    TransferCurrency,
    /// A posted deposit goes from a branch's cash to one of its customers' accounts, a withdrawal the other way.
    TransferKind,
    /// Of a chain all links are posted or none, each has a place of its own, and they agree on how many there are.
    ChainLinks,
    /// A hold is there exactly if a transfer placed it, and is as that transfer says.
    HoldPlaced,
    /// What is captured of a hold and given back is between its accounts and in its currency.
    HoldTerms,
    /// What was captured of a hold and given back is what transfers captured and gave back.
    HoldParts,
    /// A hold is in the state that its transfers left it in.
    HoldState,
    /// What was reversed of a transfer is what its reversals moved back, and no more than it moved.
    ReversalTotal,
    /// What is reversed is a transfer, of the amount that is noted.
    ReversalOriginal,
    /// A reversal goes from the account that was paid to the one that paid, in the same currency.
    ReversalAccounts,
    /// A batch is recorded as committed at each of its branches, with the same branches.
    BatchRecord,
    /// A batch that is recorded as committed at a branch has transfers there.
    BatchRows,
    /// All transfers of a batch have one time, at all of its branches.
    BatchTime,
    /// Both branches of a batch have the same transfers.
    BatchTransfers,
    /// A transfer between two branches is the same at both.
    TransferSides,
    /// A batch's net is the sum of its transfers.
    BatchNet,
    /// A batch's hash is that of its transfers.
    BatchHash,
    /// What was kept of a closed month is what its rows come to.
    ClosedMonth,
    /// The accounts and positions of a branch sum to zero.
    BranchTotal,
    /// The accounts of a branch have held what its open holds have left.
    HeldTotal,
    /// The positions of two branches are opposite.
    Positions,
    /// The accounts of all branches sum to zero.
    BankTotal,
}

impl Rule {
    /// The word of the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EntryNumber => "entry_number",
            Self::EntryBalance => "entry_balance",
            Self::EntryPrevious => "entry_previous",
            Self::EntryTime => "entry_time",
            Self::EntryAccount => "entry_account",
            Self::AccountNumber => "account_number",
            Self::AccountBalance => "account_balance",
            Self::AccountLastTransfer => "account_last_transfer",
            Self::AccountHeld => "account_held",
            Self::AccountLimit => "account_limit",
            Self::AccountTerms => "account_terms",
            Self::AccountCustomer => "account_customer",
            Self::TransferPeriod => "transfer_period",
            Self::TransferLines => "transfer_lines",
            Self::TransferCurrency => "transfer_currency",
            Self::TransferKind => "transfer_kind",
            Self::ChainLinks => "chain_links",
            Self::HoldPlaced => "hold_placed",
            Self::HoldTerms => "hold_terms",
            Self::HoldParts => "hold_parts",
            Self::HoldState => "hold_state",
            Self::ReversalTotal => "reversal_total",
            Self::ReversalOriginal => "reversal_original",
            Self::ReversalAccounts => "reversal_accounts",
            Self::BatchRecord => "batch_record",
            Self::BatchRows => "batch_rows",
            Self::BatchTime => "batch_time",
            Self::BatchTransfers => "batch_transfers",
            Self::TransferSides => "transfer_sides",
            Self::BatchNet => "batch_net",
            Self::BatchHash => "batch_hash",
            Self::ClosedMonth => "closed_month",
            Self::BranchTotal => "branch_total",
            Self::HeldTotal => "held_total",
            Self::Positions => "positions",
            Self::BankTotal => "bank_total",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A row that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where; the bank as a whole if absent.
    pub branch: Option<BranchCode>,
    /// Which rule.
    pub rule: Rule,
    /// In which table the row stands, or should.
    pub table: &'static str,
    /// Which row.
    pub key: String,
    /// What the rule asks for.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// The first rows that break each rule at each branch, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    named: Vec<Finding>,
    breaches: BTreeMap<(Option<BranchCode>, Rule), u64>,
    /// Branches that have part in a finding, whichever branch it stands at.
    concerned: BTreeSet<BranchCode>,
}

impl Findings {
    /// Adds one in which several branches have part: nobody can say which of them is right.
    pub fn push_shared(&mut self, finding: Finding, branches: impl IntoIterator<Item = BranchCode>) {
        self.concerned.extend(branches);
        self.push(finding);
    }

    /// Adds one; beyond [`FINDINGS_OF_RULE_MAX`] of its rule and branch it is only counted.
    pub fn push(&mut self, finding: Finding) {
        let breaches = self.breaches.entry((finding.branch, finding.rule)).or_default();
        *breaches = breaches.saturating_add(1);
        if usize::try_from(*breaches).is_ok_and(|breaches| breaches <= FINDINGS_OF_RULE_MAX) {
            self.named.push(finding);
        }
    }

    /// Adds those of another part of the audit, whose rules or branches are others.
    pub fn extend(&mut self, other: Self) {
        for (of, more) in other.breaches {
            let breaches = self.breaches.entry(of).or_default();
            *breaches = breaches.saturating_add(more);
        }
        self.named.extend(other.named);
        self.concerned.extend(other.concerned);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// Whether a branch has part in none. All have part in those of the bank as a whole.
    pub fn spare(&self, branch: BranchCode) -> bool {
        let has_part = |at: &Option<BranchCode>| at.is_none_or(|at| at == branch);
        !self.concerned.contains(&branch) && !self.breaches.keys().any(|(at, _)| has_part(at))
    }

    /// The named ones in the order in which they were found, each with how many rows of its branch break its rule.
    pub fn named(&self) -> impl Iterator<Item = (&Finding, u64)> {
        self.named.iter().map(|finding| {
            let breaches = self.breaches.get(&(finding.branch, finding.rule)).copied();
            (finding, breaches.unwrap_or(1))
        })
    }

    /// What does not add up in the totals.
    pub fn add_totals(&mut self, report: &AuditReport) {
        let zero = || "0".to_owned();
        for line in &report.branches {
            let wrong = |rule, table, found: i128| Finding {
                branch: Some(line.branch),
                rule,
                table,
                key: line.currency.to_string(),
                expected: zero(),
                found: found.to_string(),
            };
            if line.difference != 0 {
                self.push(wrong(Rule::BranchTotal, "account", line.difference));
            }
            if line.held_difference != 0 {
                self.push(wrong(Rule::HeldTotal, "hold", line.held_difference));
            }
        }
        for pair in &report.positions {
            let key = format!("{} {} {}", pair.first, pair.second, pair.currency);
            let (expected, found) = (zero(), pair.difference.to_string());
            self.push(Finding { branch: None, rule: Rule::Positions, table: "batch_net", key, expected, found });
        }
        for line in report.bank.iter().filter(|line| line.total != 0) {
            let (key, expected, found) = (line.currency.to_string(), zero(), line.total.to_string());
            self.push(Finding { branch: None, rule: Rule::BankTotal, table: "account", key, expected, found });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(branch: &str, rule: Rule, key: usize) -> Finding {
        let (expected, found) = ("1".to_owned(), "2".to_owned());
        Finding { branch: branch.parse().ok(), rule, table: "account", key: key.to_string(), expected, found }
    }

    #[test]
    fn the_first_rows_of_each_rule_and_branch_are_named_and_all_are_counted() {
        let mut findings = Findings::default();
        for key in 1..=FINDINGS_OF_RULE_MAX + 3 {
            findings.push(finding("AZ", Rule::AccountBalance, key));
        }
        findings.push(finding("AZ", Rule::AccountHeld, 1));
        let mut other = Findings::default();
        other.push(finding("TX", Rule::AccountBalance, 9));
        findings.extend(other);
        let named: Vec<(String, u64)> =
            findings.named().map(|(finding, breaches)| (finding.key.clone(), breaches)).collect();
        let expected = [("1", 8), ("2", 8), ("3", 8), ("4", 8), ("5", 8), ("1", 1), ("9", 1)];
        assert_eq!(named, expected.map(|(key, breaches)| (key.to_owned(), breaches)));
        assert_eq!(spared(&findings), ["NV"]);
    }

    #[test]
    fn totals_that_do_not_add_up_are_findings_and_those_that_do_are_none() {
        use crate::audit::{BankLine, BranchLine, PositionDifference};
        let currency = "USD".parse().unwrap();
        let line = |branch: &str, difference, held_difference| BranchLine {
            branch: branch.parse().unwrap(),
            currency,
            balances: 0,
            positions: 0,
            difference,
            held: 0,
            held_difference,
        };
        let bank = |total| BankLine { currency, total, naive_total: 9 };
        let report = |branches, total, positions| AuditReport {
            branches,
            bank: vec![bank(total)],
            positions,
            batches_in_flight: 1,
        };
        let mut findings = Findings::default();
        findings.add_totals(&report(vec![line("AZ", 0, 0), line("TX", 0, 0)], 0, Vec::new()));
        assert!(findings.is_empty());
        let (first, second) = ("AZ".parse().unwrap(), "TX".parse().unwrap());
        let apart = PositionDifference { first, second, currency, difference: 4 };
        findings.add_totals(&report(vec![line("AZ", 2, 0), line("TX", 0, -3)], 5, vec![apart]));
        assert!(!findings.is_empty());
        let told: Vec<String> = findings
            .named()
            .map(|(finding, _)| format!("{} {} {} {}", finding.rule, finding.table, finding.key, finding.found))
            .collect();
        let expected = [
            "branch_total account USD 2",
            "held_total hold USD -3",
            "positions batch_net AZ TX USD 4",
            "bank_total account USD 5",
        ];
        assert_eq!(told, expected);
    }

    /// Of three branches those that have part in nothing.
    fn spared(findings: &Findings) -> Vec<&'static str> {
        ["AZ", "NV", "TX"].into_iter().filter(|code| findings.spare(code.parse().unwrap())).collect()
    }

    #[test]
    fn a_finding_of_two_branches_spares_neither_and_one_of_the_bank_spares_none() {
        let code = |text: &str| text.parse::<BranchCode>().unwrap();
        let mut findings = Findings::default();
        assert_eq!(spared(&findings), ["AZ", "NV", "TX"]);
        let mut of_a_pair = Findings::default();
        of_a_pair.push_shared(finding("TX", Rule::BatchTransfers, 1), [code("AZ"), code("TX")]);
        findings.extend(of_a_pair);
        assert_eq!(spared(&findings), ["NV"]);
        findings.push(Finding { branch: None, ..finding("AZ", Rule::Positions, 1) });
        assert_eq!(spared(&findings), Vec::<&str>::new());
    }
}
