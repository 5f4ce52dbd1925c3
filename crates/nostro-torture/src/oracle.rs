//! The judge: what was asked and answered ([`History`]) against what stands in the databases ([`Books`]).
//!
//! It shares nothing with the bank: no planner, no audit, no rule of the commit protocol beyond the tables' own
//! columns. It is a pure function, so that made-up histories can show that each check fails when it should.
//!
//! - `outcomes`: what was answered is what is recorded, once, and unknown answers have settled
//! - `accounts`: histories without gaps, running balances, limits, and the oracle's own sums
//! - `batches`: committed at all parts or at none, nets opposite
//! - `order`: what was acknowledged first stands first; what was read was so; who was refused for want of money
//!   had none
//! - `aftermath`: what is no matter of a history: audits, what comes back in time, servers

mod accounts;
mod aftermath;
mod batches;
mod order;
mod outcomes;
#[cfg(test)]
mod tests;

pub use aftermath::{Aftermath, Seen, Standing, judge_aftermath};

use crate::books::{Books, Row};
use crate::history::{Answer, Content, History, Micros, Sent};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use uuid::Uuid;

/// Keys are `branch number x 10^12 + serial`.
const KEY_BASE: i64 = 1_000_000_000_000;

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// What was acknowledged stands as it was acknowledged.
    Acknowledged,
    /// An unknown answer settles to one outcome, and the money moves at most once.
    Settled,
    /// Sums, running balances, sequence numbers, limits.
    Balances,
    /// A batch is committed at all of its parts or at none.
    Batches,
    /// Real-time order at an account, and what reads show.
    Order,
    /// A refusal for want of money was true at some moment while it was asked for.
    Refusals,
    /// Every answered audit is right; the naive total is wrong at least once.
    Audits,
    /// After the faults everything comes back by itself, in time.
    Drain,
    /// A server starts, and does not end by itself.
    Servers,
    /// No log has a line that no fault explains.
    Logs,
}

impl Check {
    /// Every one.
    pub const ALL: [Self; 10] = [
        Self::Acknowledged,
        Self::Settled,
        Self::Balances,
        Self::Batches,
        Self::Order,
        Self::Refusals,
        Self::Audits,
        Self::Drain,
        Self::Servers,
        Self::Logs,
    ];

    /// A line of the report.
    pub fn title(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged outcomes stand, once, with the content asked for",
            Self::Settled => "unknown outcomes settled to one, money moved at most once",
            Self::Balances => "balances, sequences and limits follow from the postings",
            Self::Batches => "batches are committed at all of their parts or at none",
            Self::Order => "real-time order of postings and reads",
            Self::Refusals => "who was refused for want of money had none",
            Self::Audits => "every answered audit is right, the naive total is not",
            Self::Drain => "everything drains after the faults",
            Self::Servers => "servers start and stay up",
            Self::Logs => "no log tells of a deadlock, a panic or a contradiction",
        }
    }
}

/// A check that failed.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which.
    pub check: Check,
    /// What was expected and what was found.
    pub text: String,
    /// The transfer, if it is about one.
    pub transfer: Option<Uuid>,
    /// The batch, if it is about one.
    pub batch: Option<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.check, self.text)?;
        if let Some(id) = self.transfer {
            write!(f, " [transfer {id}]")?;
        }
        if let Some(batch) = &self.batch {
            write!(f, " [batch {batch}]")?;
        }
        Ok(())
    }
}

/// What became of the unknown answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settlement {
    /// Ids with at least one unknown answer.
    pub ids: usize,
    /// An attempt without an answer had moved the money.
    pub moved: usize,
    /// A later attempt moved it.
    pub moved_later: usize,
    /// It was refused.
    pub refused: usize,
}

/// The judgement.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// Everything that is wrong.
    pub violations: Vec<Violation>,
    /// Of the unknown answers.
    pub settlement: Settlement,
}

/// The branches by number; their order is also the byte order of their codes.
pub const BRANCHES: [(&str, i64); 2] = [("AZ", 1), ("TX", 2)];

/// The branch of an account.
fn branch_of(account: i64) -> i64 {
    account / KEY_BASE
}

fn code(branch: i64) -> &'static str {
    BRANCHES.iter().find(|(_, number)| *number == branch).map_or("??", |(code, _)| code)
}

fn number(code: &str) -> Option<i64> {
    BRANCHES.iter().find(|(one, _)| *one == code).map(|(_, number)| *number)
}

/// The branches that a transfer touches, in branch order.
fn touched(debit: i64, credit: i64) -> Vec<i64> {
    let mut branches = vec![branch_of(debit), branch_of(credit)];
    branches.sort_unstable();
    branches.dedup();
    branches
}

/// History and books with what every check looks up.
struct World<'a> {
    history: &'a History,
    books: &'a BTreeMap<i64, Books>,
    /// The rows of an id with their branches, in branch order.
    rows: HashMap<Uuid, Vec<(i64, &'a Row)>>,
    by_id: HashMap<Uuid, &'a Sent>,
}

/// What the history says of when a posted transfer happened.
#[derive(Clone, Copy, Debug)]
struct When {
    /// No attempt that can have moved it began before.
    invoked: Micros,
    /// From then on it is known to be decided.
    acknowledged: Micros,
    /// From then on it is known to be committed everywhere.
    posted: Micros,
}

impl World<'_> {
    fn rows_of(&self, id: Uuid) -> &[(i64, &Row)] {
        self.rows.get(&id).map_or(&[], Vec::as_slice)
    }

    fn when(&self, id: Uuid) -> Option<When> {
        let sent = self.by_id.get(&id)?;
        let mut when = When { invoked: Micros::MAX, acknowledged: Micros::MAX, posted: Micros::MAX };
        for attempt in sent.attempts.iter().filter(|attempt| attempt.answer.may_have_moved()) {
            when.invoked = when.invoked.min(attempt.invoked);
            match attempt.answer {
                Answer::Posted { .. } => {
                    when.acknowledged = when.acknowledged.min(attempt.completed);
                    when.posted = when.posted.min(attempt.completed);
                }
                Answer::Settling { .. } => when.acknowledged = when.acknowledged.min(attempt.completed),
                _ => {}
            }
        }
        // What no attempt can have moved is told by another check, and has no place in time.
        (when.invoked != Micros::MAX).then_some(when)
    }
}

/// One posting to one account.
#[derive(Clone, Copy, Debug)]
struct Side<'a> {
    seq: i64,
    balance_after: i64,
    /// Credits minus debits.
    change: i64,
    row: &'a Row,
}

/// The postings of every account in the order of their numbers.
fn sides(books: &BTreeMap<i64, Books>) -> BTreeMap<i64, Vec<Side<'_>>> {
    let mut sides: BTreeMap<i64, Vec<Side<'_>>> = BTreeMap::new();
    for row in books.values().flat_map(|books| &books.rows) {
        if let Some((seq, balance_after)) = row.debit_side {
            sides.entry(row.debit).or_default().push(Side { seq, balance_after, change: -row.amount, row });
        }
        if let Some((seq, balance_after)) = row.credit_side {
            sides.entry(row.credit).or_default().push(Side { seq, balance_after, change: row.amount, row });
        }
    }
    sides.values_mut().for_each(|sides| sides.sort_by_key(|side| side.seq));
    sides
}

fn same_content(row: &Row, content: &Content) -> bool {
    &*row.kind == content.kind.word()
        && (row.debit, row.credit, row.amount) == (content.debit, content.credit, content.amount)
        && &*row.currency == content.currency
        && row.category == i32::from(content.category)
        && row.reference.as_deref() == content.reference
}

/// Judges a history by the books, which are those of all branches by number.
pub fn judge(history: &History, books: &BTreeMap<i64, Books>) -> Judgement {
    let mut world = World { history, books, rows: HashMap::new(), by_id: HashMap::new() };
    for (branch, books) in books {
        for row in &books.rows {
            world.rows.entry(row.id).or_default().push((*branch, row));
        }
    }
    world.by_id.extend(history.sent.iter().map(|sent| (sent.id, sent)));
    let mut judgement = Judgement::default();
    outcomes::check(&world, &mut judgement);
    let sides = sides(books);
    accounts::check(&world, &sides, &mut judgement.violations);
    batches::check(&world, &mut judgement.violations);
    order::check(&world, &sides, &mut judgement.violations);
    judgement
}

/// Everything that is known of a transfer, for whoever looks into a violation.
pub fn story(history: &History, books: &BTreeMap<i64, Books>, id: Uuid) -> String {
    let mut story = format!("transfer {id}\n");
    for sent in history.sent.iter().filter(|sent| sent.id == id) {
        for (at, content) in sent.contents.iter().enumerate() {
            story += &format!("  content {at}: {content:?}\n");
        }
        for attempt in &sent.attempts {
            let answered =
                if attempt.completed == Micros::MAX { "never".into() } else { attempt.completed.to_string() };
            story += &format!(
                "  content {} to server {}, invoked at {} us, answered at {answered} us: {:?}\n",
                attempt.content, attempt.server, attempt.invoked, attempt.answer
            );
        }
    }
    for (branch, books) in books {
        for row in books.rows.iter().filter(|row| row.id == id) {
            story += &format!("  row at {}: {row:?}\n", code(*branch));
        }
    }
    story
}
