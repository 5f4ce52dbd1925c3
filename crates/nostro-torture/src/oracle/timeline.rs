//! What each account had at every instant: balance, what is held, limits and state.
//!
//! Whatever changes an account holds its lock, and takes its time after it has the lock. So at one account times are in the
//! order of what happened, and only what one batch did there has a common time. Entries have numbers, holds have none:
//! within a batch nothing is assumed of their order, only bounds are given.

use super::branch_of;
use super::holds::Holds;
use crate::books::{Books, Row, Terms};
use std::collections::BTreeMap;

/// What an account has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    pub(super) balance: i64,
    pub(super) held: i64,
    /// None for the bank's own.
    pub(super) terms: Option<Terms>,
}

impl Figures {
    /// None for the bank's own, which may pay whatever it is asked for.
    pub(super) fn available(self) -> Option<i64> {
        self.terms.map(|terms| self.balance - self.held + terms.limit)
    }

    /// Whether it is outside its limits.
    pub(super) fn is_outside(self) -> bool {
        let is_above = |terms: Terms| terms.ceiling.is_some_and(|ceiling| self.balance > ceiling);
        self.available().is_some_and(|available| available < 0) || self.terms.is_some_and(is_above)
    }
}

/// What happened to an account at one instant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment {
    pub(super) at: i64,
    pub(super) before: Figures,
    pub(super) after: Figures,
    /// Of all that lowered what is available, and of all that raised the balance: how far it may have gone on the way.
    lowered: i64,
    raised: i64,
    /// Of what is held, the same both ways.
    held_less: i64,
    held_more: i64,
    /// Whether a forced reversal took money.
    pub(super) is_forced: bool,
    /// Whether its limits or its state were changed, and nothing else.
    pub(super) is_change: bool,
}

/// The bounds of what an account had at an instant, with all that happened at it in any order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) least_available: Option<i64>,
    pub(super) most_balance: i64,
    pub(super) held: (i64, i64),
    /// As they were before the instant, which are those of all that happened at it.
    pub(super) terms: Option<Terms>,
}

/// An account's moments in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    opened: Figures,
    pub(super) moments: Vec<Moment>,
}

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
enum Event {
    Posted { balance: i64, held: i64, is_forced: bool },
    Changed(Terms),
}

/// Of every account that there is.
pub(super) fn timelines(books: &BTreeMap<i64, Books>, holds: &Holds<'_>) -> BTreeMap<i64, Timeline> {
    let mut events: BTreeMap<i64, Vec<(i64, Event)>> = BTreeMap::new();
    for (branch, books) in books {
        for row in books.rows.iter().filter(|row| row.refusal.is_none()) {
            for (account, event) in happened(row, holds) {
                if branch_of(account) == *branch {
                    events.entry(account).or_default().push((row.posted_at, event));
                }
            }
        }
        for change in &books.changes {
            events.entry(change.account).or_default().push((change.changed_at, Event::Changed(change.after)));
        }
    }
    let accounts = books.values().flat_map(|books| {
        books.accounts.iter().map(move |(account, row)| {
            let first = books.changes.iter().find(|change| change.account == *account);
            (*account, row.terms.map(|terms| first.map_or(terms, |change| change.before)))
        })
    });
    accounts
        .map(|(account, terms)| {
            let events = events.remove(&account).unwrap_or_default();
            (account, Timeline::new(Figures { terms, ..Figures::default() }, events))
        })
        .collect()
}

/// What a posted row does to its accounts.
fn happened(row: &Row, holds: &Holds<'_>) -> impl Iterator<Item = (i64, Event)> {
    let is_forced = row.particulars.is_forced;
    let debit = |balance, held| (row.debit, Event::Posted { balance, held, is_forced });
    let (debit, is_paid) = match &*row.kind {
        "hold" => (debit(0, row.amount), false),
        "release" | "expiry" => (debit(0, -row.amount), false),
        "capture" => (debit(-row.amount, -holds.freed(row)), true),
        _ => (debit(-row.amount, 0), true),
    };
    let credit = (row.credit, Event::Posted { balance: row.amount, held: 0, is_forced: false });
    [Some(debit), is_paid.then_some(credit)].into_iter().flatten()
}

impl Timeline {
    fn new(opened: Figures, mut events: Vec<(i64, Event)>) -> Self {
        events.sort_by_key(|(at, _)| *at);
        let mut moments: Vec<Moment> = Vec::new();
        for (at, event) in events {
            let before = moments.last().map_or(opened, |last| last.after);
            let is_new = moments.last().is_none_or(|last| last.at != at);
            if is_new {
                let is_change = matches!(event, Event::Changed(_));
                moments.push(Moment { at, before, after: before, is_change, ..Moment::default() });
            }
            if let Some(moment) = moments.last_mut() {
                moment.add(event);
            }
        }
        Self { opened, moments }
    }

    /// As it is in the end.
    pub(super) fn last(&self) -> Figures {
        self.moments.last().map_or(self.opened, |last| last.after)
    }

    /// Within what bounds it was at an instant.
    pub(super) fn at(&self, at: i64) -> Bounds {
        let place = self.moments.partition_point(|moment| moment.at < at);
        let before = place.checked_sub(1).map_or(self.opened, |last| self.moments[last].after);
        let now = self.moments.get(place).filter(|moment| moment.at == at).copied().unwrap_or_default();
        Bounds {
            least_available: before.available().map(|available| available - now.lowered),
            most_balance: before.balance + now.raised,
            held: (before.held - now.held_less, before.held + now.held_more),
            terms: before.terms,
        }
    }
}

impl Moment {
    fn add(&mut self, event: Event) {
        match event {
            Event::Posted { balance, held, is_forced } => {
                self.after.balance += balance;
                self.after.held += held;
                self.lowered += (held - balance).max(0);
                self.raised += balance.max(0);
                self.held_less += (-held).max(0);
                self.held_more += held.max(0);
                self.is_forced |= is_forced;
                self.is_change = false;
            }
            Event::Changed(terms) => self.after.terms = Some(terms),
        }
    }
}
