//! The judge: what was asked and answered ([`History`]) against what stands in the databases ([`Books`]).
//!
//! It shares nothing with the bank: no planner, no audit, no rule of the commit protocol beyond the tables' own
//! columns. It is a pure function, so that made-up histories can show that each check fails when it should.
//!
//! - `outcomes`: what was answered is what is recorded, once, and unknown answers have settled
//! - `accounts`: histories without gaps, running balances, and the oracle's own sums of what is posted and held
//! - `holds`: ended once, never beyond their amount, expired once and in time
//! - `reversals`: never beyond the original
//! - `chains`: all links posted or all refused, at every branch, and answered alike
//! - `batches`: committed at all parts or at none, nets opposite
//! - `order`: what was acknowledged first stands first; what was read was so
//! - `timeline`: what an account had at an instant; from it `limits` (who goes outside, who is frozen, what is changed) and
//!   `refusals` (each was true when it was decided)
//! - `aftermath`: what is no matter of a history: audits, what comes back in time, servers

mod accounts;
mod aftermath;
mod batches;
mod chains;
mod holds;
mod limits;
mod order;
mod outcomes;
mod refusals;
mod reversals;
#[cfg(test)]
mod tests;
mod timeline;

pub use aftermath::{Aftermath, Seen, Standing, judge_aftermath};

use crate::books::{Books, Particulars, Row};
use crate::history::{Answer, Content, History, Kind, Micros, Sent};
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
    /// Sums, running balances, sequence numbers.
    Balances,
    /// A hold is ended once, and never more is taken out of it than it reserves.
    Holds,
    /// Never more goes back than was moved.
    Reversals,
    /// The links of a chain are posted or refused together.
    Chains,
    /// Limits, ceilings and frozen accounts, and the mark of those outside.
    Limits,
    /// A batch is committed at all of its parts or at none.
    Batches,
    /// Real-time order at an account, and what reads show.
    Order,
    /// A refusal was true when it was decided.
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
    pub const ALL: [Self; 14] = [
        Self::Acknowledged,
        Self::Settled,
        Self::Balances,
        Self::Holds,
        Self::Reversals,
        Self::Chains,
        Self::Limits,
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
            Self::Balances => "balances, sequences and what is held follow from the postings",
            Self::Holds => "holds end once, and hold what they reserve",
            Self::Reversals => "no more goes back than was moved",
            Self::Chains => "chains are posted or refused whole, at every branch",
            Self::Limits => "who is outside the limits is marked, and may be; who is frozen stands still",
            Self::Batches => "batches are committed at all of their parts or at none",
            Self::Order => "real-time order of postings and reads",
            Self::Refusals => "every refusal was true",
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
    /// Other content is recorded under the id, or under that of another link of its chain.
    pub conflicts: usize,
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

/// Whether what the tables call this moves money; else it stays at the debit account.
fn moves_money(kind: &str) -> bool {
    !matches!(kind, "hold" | "release" | "expiry")
}

/// The branches that something touches, in branch order.
fn touched(moves_money: bool, debit: i64, credit: i64) -> Vec<i64> {
    let mut branches = vec![branch_of(debit)];
    branches.extend(moves_money.then_some(branch_of(credit)));
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
    /// The chain in which a content of a request was sent.
    chain_of: HashMap<(usize, u8), usize>,
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

/// What the row of a content has beside accounts and amount.
fn particulars(content: &Content) -> Particulars {
    let none = Particulars::default();
    match content.kind {
        Kind::Transfer | Kind::Deposit | Kind::Withdrawal => none,
        Kind::UpTo => Particulars { asked: Some(content.amount), ..none },
        Kind::Hold { expires_at } => Particulars { expires_at, ..none },
        Kind::Capture { hold, is_final } => Particulars { hold: Some(hold), is_final: Some(is_final), ..none },
        Kind::Release { hold } => Particulars { hold: Some(hold), ..none },
        Kind::Reversal { original, is_forced, .. } => Particulars { original: Some(original), is_forced, ..none },
    }
}

fn same_content(row: &Row, content: &Content) -> bool {
    // What is available, and what is left of a hold, only the bank knows beforehand.
    let may_be_less = row.refusal.is_none() && matches!(content.kind, Kind::UpTo | Kind::Release { .. });
    let least = if may_be_less { 1 } else { content.amount };
    &*row.kind == content.kind.word()
        && (row.debit, row.credit) == (content.debit, content.credit)
        && (least..=content.amount).contains(&row.amount)
        && &*row.currency == content.currency
        && row.category == i32::from(content.category)
        && row.reference.as_deref() == content.reference
        && row.particulars == particulars(content)
        && row.link == content.link
}

/// Judges a history by the books, which are those of all branches by number.
pub fn judge(history: &History, books: &BTreeMap<i64, Books>) -> Judgement {
    let mut world = World { history, books, rows: HashMap::new(), by_id: HashMap::new(), chain_of: HashMap::new() };
    for (branch, books) in books {
        for row in &books.rows {
            world.rows.entry(row.id).or_default().push((*branch, row));
        }
    }
    world.by_id.extend(history.sent.iter().map(|sent| (sent.id, sent)));
    for (at, chain) in history.chains.iter().enumerate() {
        world.chain_of.extend(chain.links.iter().map(|link| (*link, at)));
    }
    let mut judgement = Judgement::default();
    outcomes::check(&world, &mut judgement);
    let violations = &mut judgement.violations;
    let (sides, holds) = (sides(books), holds::Holds::of(books));
    let (reversals, chains) = (reversals::Reversals::of(books), chains::Chains::of(books));
    let timelines = timeline::timelines(books, &holds);
    accounts::check(&world, &sides, violations);
    holds.check(books, violations);
    reversals.check(&world, violations);
    chains.check(&world, violations);
    limits::check(&world, &sides, &timelines, violations);
    batches::check(&world, violations);
    order::check(&world, &sides, violations);
    let facts =
        refusals::Facts { world: &world, holds: &holds, reversals: &reversals, chains: &chains, timelines: &timelines };
    facts.check(violations);
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
