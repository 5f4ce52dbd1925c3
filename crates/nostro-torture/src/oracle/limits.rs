//! Limits and states: nothing goes outside but what may, those outside are marked, and whoever is frozen stands still. And
//! changes of them: those that were answered are made, and no others.

use super::timeline::Timeline;
use super::{Check, Side, Violation, World, branch_of};
use crate::books::{ChangeRow, Row, Terms};
use crate::history::{Change, ChangeAnswer};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

pub(super) fn check(
    world: &World<'_>,
    sides: &BTreeMap<i64, Vec<Side<'_>>>,
    timelines: &BTreeMap<i64, Timeline>,
    violations: &mut Vec<Violation>,
) {
    let mut told = |text: String, row: Option<&Row>| {
        let (transfer, batch) = row.map(|row| (row.id, row.batch.to_string())).unzip();
        violations.push(Violation { check: Check::Limits, text, transfer, batch });
    };
    for (account, timeline) in timelines {
        for side in sides.get(account).into_iter().flatten() {
            let terms = timeline.at(side.row.posted_at).terms;
            if let Some(text) = terms.and_then(|terms| outside(*account, side, terms)) {
                told(text, Some(side.row));
            }
        }
        went_outside(*account, timeline, &mut |text| told(text, None));
        shows(world, *account, timeline, &mut |text| told(text, None));
    }
    for (branch, books) in world.books {
        let holds = books.rows.iter().filter(|row| &*row.kind == "hold" && row.refusal.is_none());
        for row in holds.filter(|row| branch_of(row.debit) == *branch) {
            let terms = timelines.get(&row.debit).and_then(|timeline| timeline.at(row.posted_at).terms);
            if terms.is_some_and(|terms| terms.freezes_debits) {
                told(format!("{} is frozen, a hold was placed", row.debit), Some(row));
            }
        }
    }
    changes(world, &mut |text| told(text, None));
}

/// What an entry by itself breaks, whatever else its batch did.
fn outside(account: i64, side: &Side<'_>, terms: Terms) -> Option<String> {
    let balance = side.balance_after;
    if side.change > 0 {
        let above = terms.ceiling.filter(|ceiling| balance > *ceiling);
        return match above {
            Some(ceiling) => Some(format!("{account}: {balance} is above its ceiling {ceiling}")),
            None => terms.freezes_credits.then(|| format!("{account} is frozen, it was paid")),
        };
    }
    if terms.freezes_debits {
        return Some(format!("{account} is frozen, it paid"));
    }
    // What a capture takes was reserved before, perhaps under another limit.
    let may = side.row.particulars.is_forced || &*side.row.kind == "capture";
    (!may && balance < -terms.limit).then(|| format!("{account}: {balance} is below its limit {}", terms.limit))
}

/// Nothing but a forced reversal and a change of its limits takes an account outside, or further outside.
fn went_outside(account: i64, timeline: &Timeline, told: &mut impl FnMut(String)) {
    for moment in timeline.moments.iter().filter(|moment| !moment.is_forced && !moment.is_change) {
        let (Some(before), Some(after)) = (moment.before.available(), moment.after.available()) else { continue };
        if after < before.min(0) {
            told(format!("{account}: at {} available went from {before} to {after}", moment.at));
        }
    }
}

/// The account's row, against the end of its timeline.
fn shows(world: &World<'_>, account: i64, timeline: &Timeline, told: &mut impl FnMut(String)) {
    let Some(row) = world.books.get(&branch_of(account)).and_then(|books| books.accounts.get(&account)) else { return };
    let last = timeline.last();
    if row.held != last.held {
        told(format!("{account} shows {} held, its holds have {} left", row.held, last.held));
    }
    if row.terms != last.terms {
        told(format!("{account} shows {:?}, its last change left {:?}", row.terms, last.terms));
    }
    if row.limit_exceeded != last.is_outside() {
        told(format!("{account} is marked {}, its figures are {last:?}", row.limit_exceeded));
    }
}

fn changes(world: &World<'_>, told: &mut impl FnMut(String)) {
    let rows = || world.books.values().flat_map(|books| &books.changes);
    let mut last: HashMap<i64, Terms> = HashMap::new();
    for row in rows() {
        if last.insert(row.account, row.after).is_some_and(|before| before != row.before) {
            told(format!("{}: change {} does not begin where the one before it ended", row.account, row.id));
        }
    }
    let mut made: HashMap<Uuid, &ChangeRow> = rows().map(|row| (row.id, row)).collect();
    for change in &world.history.changes {
        let row = made.remove(&change.id);
        let may = change.answers.iter().any(|answer| matches!(answer, ChangeAnswer::Open | ChangeAnswer::Changed));
        if change.answers.contains(&ChangeAnswer::Changed) && row.is_none() {
            told(format!("{}: change {} was answered, it is not made", change.account, change.id));
        }
        if row.is_some() && !may {
            told(format!("{}: change {} is made, by no attempt that may have", change.account, change.id));
        }
        if row.is_some_and(|row| !is_as_asked(row, change)) {
            told(format!("{}: change {} is {row:?}, asked was {:?}", change.account, change.id, change.terms));
        }
        for answer in &change.answers {
            if let ChangeAnswer::Rejected(code) = answer {
                told(format!("{}: change {} was rejected: {code}", change.account, change.id));
            }
        }
    }
    for row in made.values() {
        told(format!("{}: change {} that nobody asked for", row.account, row.id));
    }
}

/// What was asked for is different, the rest is as it was.
fn is_as_asked(row: &ChangeRow, change: &Change) -> bool {
    let Terms { limit, ceiling, .. } = row.before;
    let state = change.terms.state.map_or(row.before, |state| Terms::new(limit, ceiling, state));
    let limit = change.terms.limit.unwrap_or(limit);
    let expected = Terms { limit, ceiling: change.terms.ceiling.unwrap_or(ceiling), ..state };
    row.account == change.account && row.after == expected
}
