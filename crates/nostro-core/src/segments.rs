//! An account's history as segments: runs of entries in which each follows from the one before it.
//!
//! Whoever reads the entries joins those that follow each other, inside one partition or over several, into segments. What is left to
//! decide is whether the segments of an account tile its numbers from 1 to its last, with balances, named predecessors and
//! times that meet at the seams, and whether the account's own figures are those of the end. So a broken entry needs no
//! detection of its own: it does not join, and the seam before it shows why.
//!
//! A month that is in the archive without having been audited before leaves a hole. An entry's predecessor names its
//! month by its id ([`crate::TransferId::period`]), so a hole is known for one and is no finding.

use crate::account_number::{AccountKey, AccountNumber};
use crate::branch::{BranchCode, BranchNumber};
use crate::finding::{Finding, Findings, Rule};
use crate::time::Timestamp;
use crate::transfer_id::{Period, TransferId};
use std::collections::BTreeSet;

/// Entries of one account that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The number of the first one.
    pub first_seq: i64,
    /// The number of the last one.
    pub last_seq: i64,
    /// The balance before the first one, credits minus debits. Wider than a bigint, since a row may hold anything.
    pub balance_before: i128,
    /// The balance after the last one.
    pub balance_after: i64,
    /// The transfer that left the first one.
    pub first_transfer: TransferId,
    /// The transfer that the first one names as its predecessor.
    pub first_previous: Option<TransferId>,
    /// The transfer that left the last one.
    pub last_transfer: TransferId,
    /// When the first one was posted.
    pub first_posted_at: Timestamp,
    /// When the last one was: none of those between is earlier than the one before it.
    pub last_posted_at: Timestamp,
}

/// What an account says of its history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountFigures {
    /// Credits minus debits.
    pub balance: i64,
    /// The number of its last entry.
    pub seq: i64,
    /// The transfer that left it.
    pub last_transfer: Option<TransferId>,
}

/// Lays the segments of one account after the other.
#[derive(Debug)]
pub struct Tiling {
    branch: BranchCode,
    number: BranchNumber,
    /// Months in the archive of which nothing is known.
    archived: BTreeSet<Period>,
    laid: Option<Laid>,
    accounts: u64,
    entries: u64,
}

/// The account that is being laid, and how far it is.
#[derive(Debug)]
struct Laid {
    key: i64,
    figures: Option<AccountFigures>,
    last_seq: i64,
    balance_after: i128,
    last_transfer: Option<TransferId>,
    last_posted_at: Option<Timestamp>,
    /// Of all entries so far, from where the history is known.
    sum: i128,
}

impl Laid {
    fn new(key: i64, figures: Option<AccountFigures>) -> Self {
        Self { key, figures, last_seq: 0, balance_after: 0, last_transfer: None, last_posted_at: None, sum: 0 }
    }
}

impl Tiling {
    /// Of a branch, of which these months are in the archive without having been audited.
    pub fn new(branch: BranchCode, number: BranchNumber, archived: BTreeSet<Period>) -> Self {
        Self { branch, number, archived, laid: None, accounts: 0, entries: 0 }
    }

    /// Takes the next segment of an account, in the order of accounts and of first numbers; an account without entries comes
    /// without one, entries without an account without figures.
    pub fn lay(
        &mut self,
        key: i64,
        figures: Option<AccountFigures>,
        segment: Option<Segment>,
        findings: &mut Findings,
    ) {
        if self.laid.as_ref().is_none_or(|laid| laid.key != key) {
            self.end(findings);
            self.accounts = self.accounts.saturating_add(1);
            self.laid = Some(Laid::new(key, figures));
        }
        let Some(mut laid) = self.laid.take() else { return };
        if let Some(segment) = segment {
            self.seam(&laid, &segment, findings);
            self.entries = self.entries.saturating_add(length(&segment));
            if self.is_after_hole(&laid, &segment) {
                laid.sum = segment.balance_before;
            }
            let change = i128::from(segment.balance_after).saturating_sub(segment.balance_before);
            laid.sum = laid.sum.saturating_add(change);
            // Of two entries with one number the later segment goes on where the higher number is.
            if segment.last_seq >= laid.last_seq {
                laid.last_seq = segment.last_seq;
                laid.balance_after = i128::from(segment.balance_after);
                laid.last_transfer = Some(segment.last_transfer);
                laid.last_posted_at = Some(segment.last_posted_at);
            }
        }
        self.laid = Some(laid);
    }

    /// Closes the last account.
    pub fn end(&mut self, findings: &mut Findings) {
        let Some(laid) = self.laid.take() else { return };
        let name = account_name(self.branch, self.number, laid.key);
        let mut wrong = |rule, expected: String, found: String| {
            let (branch, key) = (Some(self.branch), name.clone());
            findings.push(Finding { branch, rule, table: "account", key, expected, found });
        };
        let Some(figures) = laid.figures else {
            wrong(Rule::EntryAccount, "an account".into(), format!("entries up to {} of none", laid.last_seq));
            return;
        };
        let ends_in_archive = figures.last_transfer.is_some_and(|id| self.archived.contains(&id.period()));
        if ends_in_archive && figures.seq > laid.last_seq {
            return;
        }
        if figures.seq != laid.last_seq {
            wrong(Rule::AccountNumber, format!("seq {}", laid.last_seq), format!("seq {}", figures.seq));
        }
        if i128::from(figures.balance) != laid.sum {
            wrong(Rule::AccountBalance, format!("balance {}", laid.sum), format!("balance {}", figures.balance));
        }
        if figures.last_transfer != laid.last_transfer {
            let (expected, found) = (named(laid.last_transfer), named(figures.last_transfer));
            wrong(Rule::AccountLastTransfer, format!("last transfer {expected}"), format!("last transfer {found}"));
        }
    }

    /// How many accounts were laid.
    pub fn accounts(&self) -> u64 {
        self.accounts
    }

    /// How many entries their segments have.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    fn is_after_hole(&self, laid: &Laid, segment: &Segment) -> bool {
        let archived = segment.first_previous.is_some_and(|id| self.archived.contains(&id.period()));
        archived && segment.first_seq > laid.last_seq.saturating_add(1)
    }

    /// Whether a segment follows from what was laid before it.
    fn seam(&self, laid: &Laid, segment: &Segment, findings: &mut Findings) {
        let name = account_name(self.branch, self.number, laid.key);
        let mut wrong = |rule, expected: String, found: String| {
            let (branch, key) = (Some(self.branch), segment.first_transfer.to_string());
            findings.push(Finding { branch, rule, table: "transfer", key, expected, found });
        };
        // Over a hole as well.
        if let Some(before) = laid.last_posted_at.filter(|before| *before > segment.first_posted_at) {
            let of = format!("number {} of {name}", segment.first_seq);
            wrong(Rule::EntryTime, format!("{of} not before {before}"), format!("{of} at {}", segment.first_posted_at));
        }
        if self.is_after_hole(laid, segment) {
            return;
        }
        let next = laid.last_seq.saturating_add(1);
        if segment.first_seq != next {
            let found = format!("number {} of {name}", segment.first_seq);
            wrong(Rule::EntryNumber, format!("number {next} of {name}"), found);
            return;
        }
        if segment.balance_before != laid.balance_after {
            let of = format!("before number {next} of {name}");
            let found = format!("balance {} {of}", segment.balance_before);
            wrong(Rule::EntryBalance, format!("balance {} {of}", laid.balance_after), found);
        }
        if segment.first_previous != laid.last_transfer {
            let of = format!("before number {next} of {name}");
            let found = format!("{} {of}", named(segment.first_previous));
            wrong(Rule::EntryPrevious, format!("{} {of}", named(laid.last_transfer)), found);
        }
    }
}

fn length(segment: &Segment) -> u64 {
    let length = segment.last_seq.saturating_sub(segment.first_seq).saturating_add(1);
    u64::try_from(length).unwrap_or(0)
}

fn named(transfer: Option<TransferId>) -> String {
    transfer.map_or_else(|| "none".to_owned(), |id| id.to_string())
}

/// An account's number, or its key as it stands if no account of the branch can have it.
pub fn account_name(branch: BranchCode, number: BranchNumber, key: i64) -> String {
    let key = AccountKey::from_i64(key);
    let is_own = key.branch_number() == Some(number);
    match AccountNumber::from_key(branch, key) {
        Ok(account) if is_own => account.to_string(),
        Ok(_) | Err(_) => key.as_i64().to_string(),
    }
}
