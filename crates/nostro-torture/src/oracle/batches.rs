//! Batches: committed at all of their parts or at none, and with opposite nets.

use super::{Check, Violation, World, branch_of, code, moves_money, number, touched};
use crate::books::{Books, Mark, Row};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What a branch owes (or is owed, below zero), with the hash. There are two branches, so the other one is the
/// counterparty.
#[derive(Debug, Default, PartialEq, Eq)]
struct Net {
    amount: i64,
    hash: Vec<u8>,
}

/// By batch, branch and currency.
type Nets<'a> = BTreeMap<(&'a str, i64, &'a str), Net>;

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
                || touched(moves_money(&row.kind), row.debit, row.credit).iter().all(|branch| {
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
    let mut found: Nets<'_> = BTreeMap::new();
    for (branch, books) in world.books {
        for ((batch, counterparty, currency), (amount, hash)) in &books.nets {
            let other = number(counterparty).and_then(|number| world.books.get(&number));
            let key = (batch.clone(), Box::from(code(*branch)), currency.clone());
            let opposite = other.and_then(|books| books.nets.get(&key));
            if opposite.is_none_or(|(other, other_hash)| *other != -amount || other_hash != hash) {
                told(batch, format!("{} with {counterparty}: net {amount}, there {opposite:?}", code(*branch)));
            }
            found.insert((batch, *branch, currency), Net { amount: *amount, hash: hash.clone() });
        }
    }
    let expected = expected(world.books);
    for key in expected.keys().chain(found.keys().filter(|key| !expected.contains_key(*key))) {
        let (batch, branch, currency) = key;
        let there = format!("at {} in {currency}", code(*branch));
        match (expected.get(key), found.get(key)) {
            (Some(rows), Some(net)) if rows.amount != net.amount => {
                told(batch, format!("its net {there} is {}, its rows sum up to {}", net.amount, rows.amount));
            }
            (Some(rows), Some(net)) if rows.hash != net.hash => {
                told(batch, format!("the hash of its net {there} is not that of its rows"));
            }
            (Some(_), Some(_)) | (None, None) => {}
            (Some(rows), None) => told(batch, format!("it has no net {there}, its rows sum up to {}", rows.amount)),
            (None, Some(net)) => told(batch, format!("its net {there} is {}, of no row", net.amount)),
        }
    }
}

/// The nets that the transfers' rows of each branch make.
fn expected(books: &BTreeMap<i64, Books>) -> Nets<'_> {
    let mut across: BTreeMap<(&str, i64, &str), Vec<&Row>> = BTreeMap::new();
    for (branch, books) in books {
        let is_across =
            |row: &&Row| row.refusal.is_none() && touched(moves_money(&row.kind), row.debit, row.credit).len() == 2;
        for row in books.rows.iter().filter(is_across) {
            across.entry((&row.batch, *branch, &row.currency)).or_default().push(row);
        }
    }
    let net = |((batch, branch, currency), rows): ((_, i64, _), Vec<&Row>)| {
        // Who takes in money for an account of the other branch owes it.
        let owed = |row: &&Row| if branch_of(row.debit) == branch { row.amount } else { -row.amount };
        ((batch, branch, currency), Net { amount: rows.iter().map(owed).sum(), hash: hash(rows) })
    };
    across.into_iter().map(net).collect()
}

/// As the reference of the schema has it: by id, the id, both keys and the amount big-endian, the currency.
pub(super) fn hash(mut rows: Vec<&Row>) -> Vec<u8> {
    rows.sort_by_key(|row| *row.id.as_bytes());
    let mut bytes = Vec::new();
    for row in rows {
        bytes.extend_from_slice(row.id.as_bytes());
        [row.debit, row.credit, row.amount].iter().for_each(|number| bytes.extend_from_slice(&number.to_be_bytes()));
        bytes.extend_from_slice(row.currency.as_bytes());
    }
    Sha256::digest(&bytes).to_vec()
}
