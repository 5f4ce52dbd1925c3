//! Accounts: their histories from the rows, and what they have and hold from the oracle's own record.

use super::{Check, Side, Violation, World, branch_of, moves_money};
use crate::history::{Answer, Content, Kind};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

pub(super) fn check(world: &World<'_>, sides: &BTreeMap<i64, Vec<Side<'_>>>, violations: &mut Vec<Violation>) {
    let mut told = |text: String, side: Option<&Side<'_>>| {
        let transfer = side.map(|side| side.row.id);
        let batch = side.map(|side| side.row.batch.to_string());
        violations.push(Violation { check: Check::Balances, text, transfer, batch });
    };
    for (branch, books) in world.books {
        for row in &books.rows {
            let posted = row.refusal.is_none() && moves_money(&row.kind);
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
        let (mut balance, mut seq, mut posted_at) = (0, 0, i64::MIN);
        for side in sides {
            if side.seq != seq + 1 {
                told(format!("{account}: number {} follows {seq}", side.seq), Some(side));
            }
            if side.balance_after != balance + side.change {
                let text = format!("{account}: number {} leaves {}", side.seq, side.balance_after);
                told(format!("{text}, expected {} + {}", balance, side.change), Some(side));
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
    for (account, Expected { balance, held }) in expected(world) {
        let found = world.books.get(&branch_of(account)).and_then(|books| books.accounts.get(&account));
        if found.is_none_or(|found| found.balance != balance) {
            told(format!("{account} shows {found:?}, the acknowledged postings sum up to {balance}"), None);
        }
        if found.is_none_or(|found| found.held != held) {
            told(format!("{account} shows {found:?}, the acknowledged holds have {held} left"), None);
        }
    }
    let total: i64 = world.books.values().flat_map(|books| books.accounts.values()).map(|row| row.balance).sum();
    if total != 0 {
        told(format!("the accounts of the bank sum up to {total}, expected 0"), None);
    }
}

/// What an account must show.
#[derive(Clone, Copy, Debug, Default)]
struct Expected {
    balance: i64,
    held: i64,
}

/// By the oracle's own record alone: of every id that was answered posted, once. Only expiries, which nobody asks for,
/// are taken from the books.
fn expected(world: &World<'_>) -> BTreeMap<i64, Expected> {
    let mut accounts: BTreeMap<i64, Expected> = BTreeMap::new();
    accounts
        .extend(world.books.values().flat_map(|books| books.accounts.keys()).map(|key| (*key, Expected::default())));
    // Of each hold its account and what is left, and those of which nothing is.
    let (mut left, mut ended) = (BTreeMap::<Uuid, (i64, i64)>::new(), BTreeSet::new());
    for sent in &world.history.sent {
        let posted = sent.attempts.iter().find_map(|attempt| {
            let Answer::Posted { amount, .. } = attempt.answer else { return None };
            Some((attempt.content, amount))
        });
        let Some((content, amount)) = posted else { continue };
        let Content { kind, debit, credit, .. } = sent.contents[usize::from(content)];
        if kind.moves_money() {
            accounts.entry(debit).or_default().balance -= amount;
            accounts.entry(credit).or_default().balance += amount;
        }
        match kind {
            Kind::Hold { .. } => left.entry(sent.id).or_insert((debit, 0)).1 += amount,
            Kind::Capture { hold, is_final } => {
                left.entry(hold).or_insert((debit, 0)).1 -= amount;
                ended.extend(is_final.then_some(hold));
            }
            Kind::Release { hold } => ended.extend([hold]),
            Kind::Transfer | Kind::UpTo | Kind::Deposit | Kind::Withdrawal | Kind::Reversal { .. } => {}
        }
    }
    let rows = world.books.values().flat_map(|books| &books.rows);
    ended.extend(rows.filter(|row| &*row.kind == "expiry").filter_map(|row| row.particulars.hold));
    for (hold, (account, left)) in left {
        if !ended.contains(&hold) {
            accounts.entry(account).or_default().held += left;
        }
    }
    accounts
}
