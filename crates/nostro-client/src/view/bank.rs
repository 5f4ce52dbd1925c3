//! Branches and batches in doubt as the API answers them.

use crate::text;
use nostro_core::{AccountNumber, BranchCode};
use serde::{Deserialize, Serialize};

/// A branch with its health.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Branch {
    /// Its code.
    #[serde(with = "text")]
    pub code: BranchCode,
    /// The leading digits of its keys.
    pub number: u32,
    /// Its name for people.
    pub name: String,
    /// IANA time zone.
    pub time_zone: String,
    /// Host and port of its database.
    pub address: String,
    /// `reachable`, `unreachable`, `clock_skew` or `wrong_identity`.
    pub health: String,
    /// Prepared transactions, when it was last reached.
    pub in_doubt: u64,
}

/// A prepared transaction that waits for its decision.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InDoubt {
    /// Its name in `pg_prepared_xacts`.
    pub gid: String,
    /// The batch.
    pub batch: String,
    /// Where it is prepared.
    pub branch: String,
    /// All branches of the batch, home first.
    pub parts: Vec<String>,
    /// Since it was prepared.
    pub age_ms: u64,
    /// What its home has recorded: `committed`, `aborted`, `undecided`, `restored` or `home_unreachable`.
    pub verdict: String,
    /// Accounts that it is known to hold.
    #[serde(with = "text::list")]
    pub accounts: Vec<AccountNumber>,
    /// Sessions of the branch's database that wait for it, and those behind them.
    pub waiting: Vec<Waiter>,
}

/// A session of a branch's database that a batch in doubt keeps waiting.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Waiter {
    /// Its process.
    pub pid: i32,
    /// As it calls itself.
    pub application: String,
    /// Since it began to wait.
    pub waited_ms: u64,
    /// The kind of lock, as in `pg_locks`.
    pub lock: String,
    /// The mode, as in `pg_locks`.
    pub mode: String,
    /// Whether it waits for the batch itself; else it waits behind a session that does.
    pub direct: bool,
}

/// What resolving a batch came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resolved {
    /// The batch.
    pub batch: String,
    /// All branches of the batch, home first.
    pub parts: Vec<String>,
    /// `committed`, `aborted`, `home_unreachable` or `contradicted`.
    pub verdict: String,
    /// Whether every branch is known to be at the verdict.
    pub finished: bool,
    /// Branches that could not be asked or still have it prepared.
    pub left: Vec<String>,
    /// What contradicts the protocol, in words.
    pub alarms: Vec<String>,
}

/// What is in doubt at the branches that could be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InDoubtList {
    /// Prepared transactions, by branch.
    pub data: Vec<InDoubt>,
    /// Branches that could not be asked: there may be more.
    #[serde(default)]
    pub unreachable: Vec<String>,
}
