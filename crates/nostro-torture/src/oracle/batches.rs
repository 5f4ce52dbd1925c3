//! Batches: committed at all of their parts or at none, and with opposite nets.

use super::{Check, Violation, World, branch_of, code, number, touched};
use crate::books::{Books, Mark};
use std::collections::BTreeMap;

/// By batch: what each branch is owed or owes, from the transfers' rows. (batch, branch, currency)
type Nets<'a> = BTreeMap<(&'a str, i64, &'a str), i64>;

pub(super) fn check(world: &World<'_>, violations: &mut Vec<Violation>) {
    let mut told = |batch: &str, text: String| {
        violations.push(Violation { check: Check::Batches, text, transfer: None, batch: Some(batch.to_owned()) });
    };
    // Every branch where a batch is said to be committed, with the parts that it says there.
    let mut committed: BTreeMap<&str, Vec<(i64, &Mark)>> = BTreeMap::new();
    for (branch, books) in world.books {
        for (batch, mark) in books.decisions.iter().chain(&books.markers) {
            if mark.committed {
                committed.entry(batch).or_default().push((*branch, mark));
            }
        }
        for batch in books.decisions.keys().filter(|batch| books.markers.contains_key(*batch)) {
            told(batch, format!("{} is both its home and its participant", code(*branch)));
        }
    }
    for (batch, marks) in &committed {
        let (_, first) = marks[0];
        let mut seen: Vec<i64> = marks.iter().map(|(branch, _)| *branch).collect();
        let mut parts: Vec<i64> = first.parts.iter().filter_map(|part| number(part)).collect();
        seen.sort_unstable();
        parts.sort_unstable();
        let named: Vec<&str> = seen.iter().map(|branch| code(*branch)).collect();
        if seen != parts {
            told(batch, format!("committed at {named:?}, its parts are {:?}", first.parts));
        }
        if marks.iter().any(|(_, mark)| mark.parts != first.parts) {
            told(batch, "its parts are not the same everywhere".into());
        }
        let decided =
            world.books.values().filter(|books| books.decisions.get(*batch).is_some_and(|mark| mark.committed));
        if decided.count() != 1 {
            told(batch, "committed without exactly one decision row".into());
        }
        let aborted = |books: &Books| {
            let marks = [books.decisions.get(*batch), books.markers.get(*batch)];
            marks.into_iter().flatten().any(|mark| !mark.committed)
        };
        if world.books.values().any(aborted) {
            told(batch, format!("aborted at one branch, committed at {named:?}"));
        }
    }
    for (branch, books) in world.books {
        for row in &books.rows {
            if !committed.get(&*row.batch).is_some_and(|marks| marks.iter().any(|(at, _)| at == branch)) {
                told(
                    &row.batch,
                    format!("transfer {} at {} is of a batch that is not committed there", row.id, code(*branch)),
                );
            }
            let is_everywhere = row.refusal.is_some()
                || touched(row.debit, row.credit).iter().all(|branch| {
                    world.rows_of(row.id).iter().any(|(at, other)| at == branch && other.batch == row.batch)
                });
            if !is_everywhere {
                told(&row.batch, format!("transfer {} is posted at {} only", row.id, code(*branch)));
            }
        }
    }
    nets(world, &mut told);
}

fn nets(world: &World<'_>, told: &mut impl FnMut(&str, String)) {
    let mut expected: Nets<'_> = BTreeMap::new();
    for (branch, books) in world.books {
        let across = |row: &&crate::books::Row| row.refusal.is_none() && touched(row.debit, row.credit).len() == 2;
        for row in books.rows.iter().filter(across) {
            // Who takes in money for an account of the other branch owes it.
            let owed = if branch_of(row.debit) == *branch { row.amount } else { -row.amount };
            *expected.entry((&row.batch, *branch, &row.currency)).or_default() += owed;
        }
        for ((batch, counterparty, currency), (amount, hash)) in &books.nets {
            let other = number(counterparty).and_then(|number| world.books.get(&number));
            let key = (batch.clone(), Box::from(code(*branch)), currency.clone());
            let opposite = other.and_then(|books| books.nets.get(&key));
            if opposite.is_none_or(|(other, other_hash)| *other != -amount || other_hash != hash) {
                told(batch, format!("{} with {counterparty}: net {amount}, there {opposite:?}", code(*branch)));
            }
        }
    }
    let mut found: Nets<'_> = BTreeMap::new();
    for (branch, books) in world.books {
        for ((batch, _, currency), (amount, _)) in &books.nets {
            *found.entry((batch, *branch, currency)).or_default() += amount;
        }
    }
    for key in expected.keys().chain(found.keys()) {
        let (expected, found) = (expected.get(key).copied().unwrap_or(0), found.get(key).copied().unwrap_or(0));
        if expected != found {
            told(key.0, format!("its net at {} is {found} {}, its rows sum up to {expected}", code(key.1), key.2));
        }
    }
}
