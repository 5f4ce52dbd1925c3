//! Holds: what was taken out of each, and what ended it.
//!
//! No order of the rows is needed for the sums: whatever ended a hold gave back what all captures together left of it.

use super::{Check, Violation, branch_of, code};
use crate::books::{Books, HoldRow, Row};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// An expiry is booked within this time, in microseconds; what a database's end keeps open longer is waited for before
/// the books are read.
const EXPIRY_MAX: i64 = 2_000_000;

/// A hold and what was posted on it.
#[derive(Debug, Default)]
pub(super) struct Story<'a> {
    pub(super) placed: Option<&'a Row>,
    pub(super) captures: Vec<&'a Row>,
    /// Releases and expiries.
    pub(super) ends: Vec<&'a Row>,
}

/// Every hold, from the rows at the branch of its debit account.
#[derive(Debug)]
pub(super) struct Holds<'a> {
    stories: HashMap<Uuid, Story<'a>>,
}

/// A capture that gives the rest back.
pub(super) fn is_final(row: &Row) -> bool {
    row.particulars.is_final == Some(true)
}

impl<'a> Story<'a> {
    fn amount(&self) -> i64 {
        self.placed.map_or(0, |row| row.amount)
    }

    /// All that was captured.
    pub(super) fn captured(&self) -> i64 {
        self.captures.iter().map(|row| row.amount).sum()
    }

    fn rest(&self) -> i64 {
        self.amount() - self.captured()
    }

    /// What says that it is ended: a final capture, a release, an expiry.
    fn endings(&self) -> impl Iterator<Item = &'a Row> + '_ {
        self.captures.iter().filter(|row| is_final(row)).chain(&self.ends).copied()
    }

    fn is_ended(&self) -> bool {
        self.rest() == 0 || self.endings().next().is_some()
    }

    /// What one of its captures made available: of a final one all that the others left.
    fn freed(&self, capture: &Row) -> i64 {
        if is_final(capture) { self.rest() + capture.amount } else { capture.amount }
    }

    /// As its row must be.
    fn expected(&self) -> HoldRow {
        let captured = self.captured();
        let released = if self.is_ended() { self.rest() } else { 0 };
        let state = match self.ends.first() {
            Some(row) if &*row.kind == "expiry" => "expired",
            Some(_) => "released",
            None if self.is_ended() => "captured",
            None => "open",
        };
        HoldRow { amount: self.amount(), captured, released, state: state.into() }
    }
}

impl<'a> Holds<'a> {
    pub(super) fn of(books: &'a BTreeMap<i64, Books>) -> Self {
        let mut stories: HashMap<Uuid, Story<'a>> = HashMap::new();
        for (branch, books) in books {
            for row in books.rows.iter().filter(|row| row.refusal.is_none() && branch_of(row.debit) == *branch) {
                match (&*row.kind, row.particulars.hold) {
                    ("hold", _) => stories.entry(row.id).or_default().placed = Some(row),
                    ("capture", Some(hold)) => stories.entry(hold).or_default().captures.push(row),
                    (_, Some(hold)) => stories.entry(hold).or_default().ends.push(row),
                    (_, None) => {}
                }
            }
        }
        Self { stories }
    }

    pub(super) fn story(&self, hold: Uuid) -> Option<&Story<'a>> {
        self.stories.get(&hold)
    }

    /// What a capture made available of what its account holds.
    pub(super) fn freed(&self, capture: &Row) -> i64 {
        let story = capture.particulars.hold.and_then(|hold| self.story(hold));
        story.map_or(capture.amount, |story| story.freed(capture))
    }

    pub(super) fn check(&self, books: &BTreeMap<i64, Books>, violations: &mut Vec<Violation>) {
        let mut told = |text: String, id: Uuid, row: Option<&Row>| {
            let batch = row.map(|row| row.batch.to_string());
            violations.push(Violation { check: Check::Holds, text, transfer: Some(id), batch });
        };
        for (id, story) in &self.stories {
            let Some(placed) = story.placed else {
                for row in story.captures.iter().chain(&story.ends).copied() {
                    told(format!("a {} of hold {id}, which was never placed", row.kind), row.id, Some(row));
                }
                continue;
            };
            story.check_rows(placed, &mut |text, row: &Row| told(text, row.id, Some(row)));
            let at = books.get(&branch_of(placed.debit));
            let (found, expected) = (at.and_then(|books| books.holds.get(id)), story.expected());
            if found != Some(&expected) {
                told(format!("its row is {found:?}, expected {expected:?}"), *id, Some(placed));
            }
            let read_at = at.map_or(0, |books| books.read_at);
            let due = placed.particulars.expires_at.filter(|at| *at < read_at - EXPIRY_MAX && !story.is_ended());
            if let Some(due) = due {
                told(format!("it is open at {read_at}, its time was up at {due}"), *id, Some(placed));
            }
        }
        for (branch, books) in books {
            let is_of = |id: &Uuid| {
                let placed = self.story(*id).and_then(|story| story.placed);
                placed.is_some_and(|placed| branch_of(placed.debit) == *branch)
            };
            for id in books.holds.keys().filter(|id| !is_of(id)) {
                told(format!("a hold at {} that nobody placed there", code(*branch)), *id, None);
            }
            for row in books.rows.iter().filter(|row| &*row.kind == "expiry" && row.refusal.is_some()) {
                told("an expiry was refused, which records nothing".into(), row.id, Some(row));
            }
        }
    }
}

impl Story<'_> {
    fn check_rows(&self, placed: &Row, told: &mut impl FnMut(String, &Row)) {
        let content = |row: &Row| (row.debit, row.credit, row.currency.clone());
        for row in self.captures.iter().chain(&self.ends).copied() {
            if content(row) != content(placed) {
                told(format!("a {} of other accounts than its hold {}", row.kind, placed.id), row);
            }
            if row.posted_at < placed.posted_at {
                told(format!("a {} before its hold {} was placed", row.kind, placed.id), row);
            }
            let expires_at = placed.particulars.expires_at;
            let is_expiry = &*row.kind == "expiry";
            if is_expiry && expires_at.is_none_or(|at| row.posted_at < at) {
                told(format!("it expired at {}, its time is {expires_at:?}", row.posted_at), row);
            }
            if !is_expiry && expires_at.is_some_and(|at| row.posted_at >= at) {
                told(format!("a {} at {}, its time was up at {expires_at:?}", row.kind, row.posted_at), row);
            }
        }
        if self.captured() > self.amount() {
            told(format!("{} was captured of {}", self.captured(), self.amount()), placed);
        }
        if self.endings().count() > 1 {
            told(format!("it was ended {} times", self.endings().count()), placed);
        }
        for end in self.ends.iter().copied() {
            if end.amount != self.rest() {
                told(format!("{} was given back, {} was left", end.amount, self.rest()), end);
            }
        }
        if let Some(end) = self.endings().next()
            && let Some(late) = self.captures.iter().copied().find(|row| row.posted_at > end.posted_at)
        {
            told(format!("captured after it was ended by {}", end.id), late);
        }
    }
}
