//! Refusals: each was true when it was decided. And what is moved of what is available is all that was there, or all that
//! was asked for.
//!
//! The time of a refusal is the time of its batch, which had the locks then. What its batch did to the account besides, and
//! what links before it in its own chain would have done, may have come before it or not: it is enough that the
//! refusal is true in one order.

use super::chains::Chains;
use super::holds::{Holds, is_final};
use super::reversals::{Reversals, is_reversible};
use super::timeline::{Bounds, Timeline};
use super::{Check, Violation, World, branch_of, code, moves_money};
use crate::books::Row;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What refusals are held against.
pub(super) struct Facts<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) holds: &'a Holds<'a>,
    pub(super) reversals: &'a Reversals<'a>,
    pub(super) chains: &'a Chains<'a>,
    pub(super) timelines: &'a BTreeMap<i64, Timeline>,
}

impl Facts<'_> {
    pub(super) fn check(&self, violations: &mut Vec<Violation>) {
        for (branch, books) in self.world.books {
            for row in &books.rows {
                let wrong = match &row.refusal {
                    Some(code) => self.is_untrue(row, code),
                    None if branch_of(row.debit) == *branch => self.left_some(row),
                    None => None,
                };
                if let Some(text) = wrong {
                    let batch = Some(row.batch.to_string());
                    violations.push(Violation { check: Check::Refusals, text, transfer: Some(row.id), batch });
                }
            }
        }
    }

    fn at(&self, account: i64, row: &Row) -> Option<Bounds> {
        self.timelines.get(&account).map(|timeline| timeline.at(row.posted_at))
    }

    /// Why a refusal is not true.
    fn is_untrue(&self, row: &Row, code: &str) -> Option<String> {
        let terms = |account| self.at(account, row).and_then(|bounds| bounds.terms);
        let is_there = |account| self.timelines.contains_key(&account);
        let untrue = |is_untrue: bool, why: String| is_untrue.then(|| format!("refused {code}, {why}"));
        match code {
            "debit_account_not_found" => untrue(is_there(row.debit), format!("{} is there", row.debit)),
            "credit_account_not_found" => untrue(is_there(row.credit), format!("{} is there", row.credit)),
            "currency_mismatch" => untrue(&*row.currency == "USD", "all accounts are in USD".into()),
            "debit_account_frozen" => {
                let is_frozen = terms(row.debit).is_some_and(|terms| terms.freezes_debits);
                untrue(!is_frozen, format!("{} was not frozen", row.debit))
            }
            "credit_account_frozen" => {
                let is_frozen = terms(row.credit).is_some_and(|terms| terms.freezes_credits);
                untrue(!is_frozen, format!("{} was not frozen", row.credit))
            }
            "insufficient_funds" | "reversal_not_covered" => self.had_enough(row),
            "ceiling_exceeded" => self.had_room(row),
            "hold_exceeded" => self.hold_had_enough(row),
            "hold_captured" | "hold_released" | "hold_expired" => self.hold_was_open(row, code),
            "reversal_exceeded" => self.original_had_enough(row),
            "not_reversible" => {
                let original = row.particulars.original;
                let rows = original.map(|original| self.world.rows_of(original)).unwrap_or_default();
                untrue(rows.iter().any(|(_, row)| is_reversible(row)), "it moved money".into())
            }
            // Held against the other links by another check.
            "chain_broken" => untrue(row.link.is_none(), "it is of no chain".into()),
            _ => Some(format!("refused {code}, which nothing of this run is")),
        }
    }

    /// The links before one in its chain, which is refused with them.
    fn before<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = &'a Row> {
        self.chains.before(row).iter().copied().filter(|before| before.refusal.is_some())
    }

    /// What the links before one would have taken out of an account. What a capture takes was not available before.
    fn taken_before(&self, row: &Row, account: i64) -> i64 {
        let takes = |row: &&Row| row.debit == account && !matches!(&*row.kind, "capture" | "release");
        self.before(row).filter(takes).map(|row| row.amount).sum()
    }

    fn had_enough(&self, row: &Row) -> Option<String> {
        let bounds = self.at(row.debit, row)?;
        let Some(least) = bounds.least_available else {
            return Some(format!("{} is the bank's own and needs no money", row.debit));
        };
        let least = least - self.taken_before(row, row.debit);
        let needed = if row.particulars.asked.is_some() { 1 } else { row.amount };
        (least >= needed).then(|| format!("{} had at least {least} available, {needed} was refused", row.debit))
    }

    fn had_room(&self, row: &Row) -> Option<String> {
        let bounds = self.at(row.credit, row)?;
        let Some(ceiling) = bounds.terms.and_then(|terms| terms.ceiling) else {
            return Some(format!("{} has no ceiling", row.credit));
        };
        let paid = self.before(row).filter(|before| before.credit == row.credit && moves_money(&before.kind));
        let most = bounds.most_balance + paid.map(|before| before.amount).sum::<i64>();
        let text = || format!("{} had at most {most}, {} was refused below {ceiling}", row.credit, row.amount);
        (most + row.amount <= ceiling).then(text)
    }

    /// The links before one that take from the same hold.
    fn same_hold_before<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = &'a Row> {
        self.before(row).filter(|before| before.particulars.hold == row.particulars.hold)
    }

    /// The row that placed a hold: before, or as a link of the same chain.
    fn placed<'a>(&'a self, row: &'a Row, hold: Uuid) -> Option<&'a Row> {
        let by_link = self.before(row).find(|before| before.id == hold);
        self.holds.story(hold).and_then(|story| story.placed).or(by_link)
    }

    fn hold_had_enough(&self, row: &Row) -> Option<String> {
        let hold = row.particulars.hold?;
        let placed = self.placed(row, hold).map_or(0, |placed| placed.amount);
        let story = self.holds.story(hold);
        let captures = story.into_iter().flat_map(|story| &story.captures);
        let captured: i64 = captures.filter(|capture| capture.posted_at <= row.posted_at).map(|row| row.amount).sum();
        let before: i64 = self.same_hold_before(row).map(|before| before.amount).sum();
        let left = placed - captured - before;
        (left >= row.amount).then(|| format!("hold {hold} had at least {left}, {} was refused", row.amount))
    }

    fn hold_was_open(&self, row: &Row, code: &str) -> Option<String> {
        let hold = row.particulars.hold.unwrap_or(row.id);
        let placed = if hold == row.id { Some(row) } else { self.placed(row, hold) };
        let story = self.holds.story(hold);
        let captures = story.into_iter().flat_map(|story| &story.captures).copied();
        let ends = story.into_iter().flat_map(|story| &story.ends).copied();
        let by_then = |other: &&Row| other.posted_at <= row.posted_at;
        let ended = |kind: &str| {
            ends.clone().chain(self.same_hold_before(row)).filter(by_then).any(|other| &*other.kind == kind)
        };
        let captures =
            || captures.clone().chain(self.same_hold_before(row).filter(|before| &*before.kind == "capture"));
        let captured: i64 = captures().filter(by_then).map(|other| other.amount).sum();
        let is_true = match code {
            "hold_captured" => {
                captures().filter(by_then).any(is_final) || placed.is_some_and(|placed| captured >= placed.amount)
            }
            "hold_released" => ended("release"),
            _ => {
                let due = placed.and_then(|placed| placed.particulars.expires_at);
                ended("expiry") || due.is_some_and(|due| due <= row.posted_at)
            }
        };
        (!is_true).then(|| format!("refused {code}, nothing did that to hold {hold} by {}", row.posted_at))
    }

    fn original_had_enough(&self, row: &Row) -> Option<String> {
        let original = row.particulars.original?;
        let moved = self.world.rows_of(original).first().map_or(0, |(_, row)| row.amount);
        let same = self.before(row).filter(|before| before.particulars.original == Some(original));
        let left =
            moved - self.reversals.reversed(original, row.posted_at) - same.map(|before| before.amount).sum::<i64>();
        (left >= row.amount).then(|| format!("{original} had at least {left} left, {} was refused", row.amount))
    }

    /// Whether a transfer of what is available left something, although more was asked for.
    fn left_some(&self, row: &Row) -> Option<String> {
        let asked = row.particulars.asked.filter(|asked| *asked > row.amount)?;
        let (_, balance) = row.debit_side?;
        let Bounds { held: (least, most), terms, .. } = self.at(row.debit, row)?;
        let Some(terms) = terms else { return Some("the bank's own account pays all that is asked for".into()) };
        let left = balance + terms.limit;
        let at = code(branch_of(row.debit));
        let text = || format!("{} of {asked} was moved at {at}, {left} is left and {least} to {most} held", row.amount);
        (!(least..=most).contains(&left)).then(text)
    }
}
