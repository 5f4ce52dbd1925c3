//! Accounts: their histories from the rows, and their balances from the oracle's own record.

use super::{Check, Side, Violation, World, branch_of};
use crate::history::Answer;
use std::collections::BTreeMap;

pub(super) fn check(world: &World<'_>, sides: &BTreeMap<i64, Vec<Side<'_>>>, violations: &mut Vec<Violation>) {
    let mut told = |text: String, side: Option<&Side<'_>>| {
        let transfer = side.map(|side| side.row.id);
        let batch = side.map(|side| side.row.batch.to_string());
        violations.push(Violation { check: Check::Balances, text, transfer, batch });
    };
    for (branch, books) in world.books {
        for row in &books.rows {
            let posted = row.refusal.is_none();
            for (account, side) in [(row.debit, row.debit_side), (row.credit, row.credit_side)] {
                if side.is_some() != (posted && branch_of(account) == *branch) {
                    let text = format!("a row at branch {branch} has the side of {account}: {side:?}");
                    let side = Side { seq: 0, balance_after: 0, change: 0, row };
                    told(text, Some(&side));
                }
            }
        }
    }
    for (account, sides) in sides {
        let row = world.books.get(&branch_of(*account)).and_then(|books| books.accounts.get(account));
        let limit = row.and_then(|row| row.limit);
        let (mut balance, mut seq, mut posted_at) = (0, 0, i64::MIN);
        for side in sides {
            if side.seq != seq + 1 {
                told(format!("{account}: number {} follows {seq}", side.seq), Some(side));
            }
            if side.balance_after != balance + side.change {
                let text = format!("{account}: number {} leaves {}", side.seq, side.balance_after);
                told(format!("{text}, expected {} + {}", balance, side.change), Some(side));
            }
            if limit.is_some_and(|limit| side.balance_after < -limit) {
                told(format!("{account}: {} is below its limit {limit:?}", side.balance_after), Some(side));
            }
            if side.row.posted_at < posted_at {
                told(format!("{account}: number {} is posted before number {seq}", side.seq), Some(side));
            }
            (balance, seq, posted_at) = (side.balance_after, side.seq, side.row.posted_at);
        }
        if row.is_none_or(|row| (row.balance, row.seq) != (balance, seq)) {
            told(format!("{account} shows {row:?}, its entries end with number {seq} at {balance}"), sides.last());
        }
    }
    for (account, row) in world.books.values().flat_map(|books| &books.accounts) {
        if !sides.contains_key(account) && (row.balance, row.seq) != (0, 0) {
            told(format!("{account} shows {row:?} without an entry"), None);
        }
    }
    for (account, expected) in expected(world) {
        let found = world.books.get(&branch_of(account)).and_then(|books| books.accounts.get(&account));
        if found.is_none_or(|found| found.balance != expected) {
            told(format!("{account} shows {found:?}, the acknowledged postings sum up to {expected}"), None);
        }
    }
    let total: i64 = world.books.values().flat_map(|books| books.accounts.values()).map(|row| row.balance).sum();
    if total != 0 {
        told(format!("the accounts of the bank sum up to {total}, expected 0"), None);
    }
}

/// Balances by the oracle's own record alone: of every id that was answered posted, once.
fn expected(world: &World<'_>) -> BTreeMap<i64, i64> {
    let mut balances = BTreeMap::new();
    let accounts = world.books.values().flat_map(|books| books.accounts.keys());
    balances.extend(accounts.map(|account| (*account, 0)));
    for sent in &world.history.sent {
        let posted = sent.attempts.iter().find(|attempt| matches!(attempt.answer, Answer::Posted { .. }));
        if let Some(attempt) = posted {
            let content = &sent.contents[usize::from(attempt.content)];
            *balances.entry(content.debit).or_default() -= content.amount;
            *balances.entry(content.credit).or_default() += content.amount;
        }
    }
    balances
}
