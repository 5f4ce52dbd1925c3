//! How each branch is, as the last look found it.

use nostro_commit::{BatchId, Gid};
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
    /// Accounts that it holds, as far as a waiting transfer has met them.
    pub accounts: Vec<AccountNumber>,
}
