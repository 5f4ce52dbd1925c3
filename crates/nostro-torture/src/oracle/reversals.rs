//! Reversals: of what moved money, the way back, and never more than it moved.

use super::{Check, Violation, World, branch_of};
use crate::books::{Books, ReversalRow, Row};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// Whether a row is of money that may go back.
pub(super) fn is_reversible(row: &Row) -> bool {
    row.refusal.is_none() && matches!(&*row.kind, "transfer" | "deposit" | "withdrawal" | "capture")
}

/// The posted reversals of each transfer, from the rows at the branch of the account that was paid.
#[derive(Debug)]
pub(super) struct Reversals<'a> {
    rows: HashMap<Uuid, Vec<&'a Row>>,
}

impl<'a> Reversals<'a> {
    pub(super) fn of(books: &'a BTreeMap<i64, Books>) -> Self {
        let mut rows: HashMap<Uuid, Vec<&'a Row>> = HashMap::new();
        for (branch, books) in books {
            for row in books.rows.iter().filter(|row| row.refusal.is_none() && branch_of(row.debit) == *branch) {
                if let Some(original) = row.particulars.original {
                    rows.entry(original).or_default().push(row);
                }
            }
        }
        Self { rows }
    }

    /// So much of a transfer has gone back by an instant.
    pub(super) fn reversed(&self, original: Uuid, at: i64) -> i64 {
        let rows = self.rows.get(&original).into_iter().flatten();
        rows.filter(|row| row.posted_at <= at).map(|row| row.amount).sum()
    }

    pub(super) fn check(&self, world: &World<'_>, violations: &mut Vec<Violation>) {
        let mut told = |text: String, row: &Row| {
            let batch = Some(row.batch.to_string());
            violations.push(Violation { check: Check::Reversals, text, transfer: Some(row.id), batch });
        };
        for (id, rows) in &self.rows {
            let original = world.rows_of(*id).iter().map(|(_, row)| *row).find(|row| is_reversible(row));
            let Some(original) = original else {
                rows.iter().for_each(|row| told(format!("a reversal of {id}, which moved no money"), row));
                continue;
            };
            let back = (original.credit, original.debit, &original.currency);
            for row in rows {
                if (row.debit, row.credit, &row.currency) != back || row.posted_at < original.posted_at {
                    told(format!("it does not go back the way of {id}"), row);
                }
            }
            let reversed: i64 = rows.iter().map(|row| row.amount).sum();
            if reversed > original.amount {
                told(format!("{reversed} went back of {}", original.amount), original);
            }
            let expected = ReversalRow { amount: original.amount, reversed };
            let found = world.books.get(&branch_of(original.credit)).and_then(|books| books.reversals.get(id));
            if found != Some(&expected) {
                told(format!("what went back of it is {found:?}, expected {expected:?}"), original);
            }
        }
        for (branch, books) in world.books {
            for (id, found) in &books.reversals {
                let mut rows = self.rows.get(id).into_iter().flatten();
                if !rows.any(|row| branch_of(row.debit) == *branch) {
                    let text = format!("{found:?} of it at branch {branch}, by no reversal");
                    violations.push(Violation { check: Check::Reversals, text, transfer: Some(*id), batch: None });
                }
            }
        }
    }
}
