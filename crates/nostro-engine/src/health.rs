//! How each branch is, as the last look found it, and what is in doubt between them.

use crate::register::ReadError;
use nostro_commit::recovery::Waiter;
use nostro_commit::{BatchId, Gid, Part};
use nostro_core::{AccountNumber, BranchCode, BranchNumber};
use std::time::Duration;

/// How a branch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Reachable,
    /// It does not.
    Unreachable,
    /// Its clock differs from the others' by more than ten seconds.
    ClockSkew,
    /// It answers, but is not the branch that the configuration names.
    WrongIdentity,
}

impl Health {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reachable => "reachable",
            Self::Unreachable => "unreachable",
            Self::ClockSkew => "clock_skew",
            Self::WrongIdentity => "wrong_identity",
        }
    }
}

/// A branch of the bank with its health.
#[derive(Clone, Debug)]
pub struct BranchStatus {
    /// Its code.
    pub code: BranchCode,
    /// Its number.
    pub number: BranchNumber,
    /// Its name for people.
    pub name: String,
    /// IANA time zone.
    pub time_zone: String,
    /// Host and port of its database.
    pub address: String,
    /// As the last look found it.
    pub health: Health,
    /// Prepared transactions of ours, when it was last reached.
    pub in_doubt: usize,
}

/// What is in doubt at the branches that could be asked.
#[derive(Clone, Debug, Default)]
pub struct InDoubtList {
    /// Prepared transactions, by branch.
    pub prepared: Vec<InDoubt>,
    /// Branches that could not be asked: there may be more.
    pub unreachable: Vec<BranchCode>,
}

/// A prepared transaction of ours.
#[derive(Clone, Debug)]
pub struct InDoubt {
    /// Its name.
    pub gid: Gid,
    /// Since it was prepared, on the branch's own clock.
    pub age: Duration,
    /// The batch.
    pub batch: BatchId,
    /// What its home has recorded.
    pub verdict: HomeVerdict,
    /// Accounts that it holds, as far as a waiting transfer has met them.
    pub accounts: Vec<AccountNumber>,
    /// Sessions at the branch that wait for it, or behind one that does.
    pub waiting: Vec<Waiter>,
}

/// What the home of a batch says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HomeVerdict {
    /// It is committed: every part will be.
    Committed,
    /// It is aborted: no part will be committed.
    Aborted,
    /// It has no row yet. Whoever resolves it aborts it, unless a coordinator that lives decides first.
    Undecided,
    /// It has no row and was restored from a backup since: the decision may be lost, so nobody may guess.
    Restored,
    /// Home cannot be asked: nobody knows, and nobody may guess.
    HomeUnreachable,
}

impl HomeVerdict {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Aborted => "aborted",
            Self::Undecided => "undecided",
            Self::Restored => "restored",
            Self::HomeUnreachable => "home_unreachable",
        }
    }
}

/// What resolving a batch on demand came to.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The batch.
    pub batch: BatchId,
    /// Its parts, in branch order.
    pub parts: Vec<Part>,
    /// Committed, aborted or home unreachable; `None` if home answered and gives no verdict on it, which `alarms` tells.
    pub verdict: Option<HomeVerdict>,
    /// Whether every participant is known to be at the verdict.
    pub finished: bool,
    /// Participants that cannot be asked, or still have it prepared.
    pub left: Vec<Part>,
    /// What contradicts the protocol, in words: for a human.
    pub alarms: Vec<String>,
}

/// Why nothing was done to resolve a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolveError {
    /// Every branch was asked, and none knows it.
    NotFound,
    /// This server is committing it right now.
    Live,
    /// None that answers knows it, and one did not answer; or a bug.
    Read(ReadError),
}
