//! What the engine answers.
//!
//! Moving money has three outcomes: committed, refused, unknown. [`Answer`] keeps them apart, and with them what
//! never reached a decision ([`Unavailable`]): only there is it certain that this attempt moved nothing.

use nostro_commit::BatchId;
use nostro_core::plan::UnusableId;
use nostro_core::transfer::Field;
use nostro_core::{AccountNumber, BranchCode, TransferRecord};
use std::sync::Arc;
use std::time::Duration;

/// How the branches of a batch committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitPath {
    /// The branch whose local commit was the decision.
    pub home: BranchCode,
    /// The branches in the batch, in branch order.
    pub parts: Vec<BranchCode>,
}

impl CommitPath {
    /// The branches that were prepared: all but home.
    pub fn prepared(&self) -> impl Iterator<Item = BranchCode> {
        self.parts.iter().copied().filter(|part| *part != self.home)
    }
}

/// A recorded transfer with the batch that carried it; a copy of it shares the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The transfer and its decision.
    pub record: Arc<TransferRecord>,
    /// The batch that recorded it.
    pub batch: BatchId,
    /// How that batch committed.
    pub commit: Arc<CommitPath>,
}

/// What became of a request to move money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Committed at every branch.
    Posted(Receipt),
    /// A business refusal, recorded.
    Refused(Receipt),
    /// Decided earlier under the same id with the same content (posted or refused).
    Replayed(Receipt),
    /// Decided: committed; a branch has yet to finish.
    Settling(Receipt),
    /// Not known yet whether it was decided.
    Unknown,
    /// The id was used with other content.
    Conflict(Field),
    /// The id can be used for nothing; nothing is recorded under it.
    Unusable(UnusableId),
    /// An expiry that is none, of the engine's own: its hold is ended. Nothing is recorded.
    Moot,
    /// This attempt moved nothing; send the same id again.
    Unavailable(Unavailable),
    /// The database refused what the core allowed: logged, nothing was moved.
    Bug,
}

/// Why an attempt moved nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// The branch cannot be reached.
    Branch(BranchCode),
    /// The account is held by a batch in doubt.
    AccountInDoubt(AccountNumber),
    /// The lane's queue is full.
    QueueFull,
    /// Other batches kept the rows or slots for longer than the deadline.
    Busy,
    /// The branch's clock differs from the others'.
    ClockSkew(BranchCode),
    /// The server is shutting down, or its clock is the odd one.
    IntakeClosed,
}

impl Unavailable {
    /// The stable code of the API.
    pub fn code(self) -> &'static str {
        match self {
            Self::Branch(_) => "branch_unavailable",
            Self::AccountInDoubt(_) => "account_in_doubt",
            Self::QueueFull => "queue_full",
            Self::Busy => "busy",
            Self::ClockSkew(_) => "clock_skew",
            Self::IntakeClosed => "intake_closed",
        }
    }

    /// When trying again is sensible.
    pub fn retry_after(self) -> Duration {
        match self {
            Self::QueueFull | Self::Busy => Duration::from_secs(1),
            Self::AccountInDoubt(_) | Self::IntakeClosed => Duration::from_secs(2),
            Self::Branch(_) | Self::ClockSkew(_) => Duration::from_secs(5),
        }
    }
}

impl Answer {
    /// What is recorded at every branch that it touches, once its batch has ended.
    pub(crate) fn recorded(&self) -> Option<Receipt> {
        match self {
            Self::Posted(receipt) | Self::Refused(receipt) | Self::Replayed(receipt) => Some(receipt.clone()),
            Self::Settling(_)
            | Self::Unknown
            | Self::Conflict(_)
            | Self::Unusable(_)
            | Self::Moot
            | Self::Unavailable(_)
            | Self::Bug => None,
        }
    }

    /// In the metrics.
    fn label(&self) -> &'static str {
        match self {
            Self::Posted(_) => "posted",
            Self::Refused(_) => "refused",
            Self::Replayed(_) => "replayed",
            Self::Settling(_) => "settling",
            Self::Unknown => "unknown",
            Self::Conflict(_) => "conflict",
            Self::Unusable(_) => "unusable",
            Self::Moot => "moot",
            Self::Unavailable(_) => "unavailable",
            Self::Bug => "bug",
        }
    }
}

/// How many answers of each kind are given together: a counter of the metrics is looked up by its name, so once for all of them.
#[derive(Debug, Default)]
pub(crate) struct Tally(Vec<(&'static str, u64)>);

impl Tally {
    pub(crate) fn count(&mut self, answer: &Answer) {
        let label = answer.label();
        match self.0.iter_mut().find(|(counted, _)| *counted == label) {
            Some((_, count)) => *count += 1,
            None => self.0.push((label, 1)),
        }
    }

    /// To the metrics.
    pub(crate) fn report(self) {
        for (label, count) in self.0 {
            metrics::counter!("nostro_transfers_total", "outcome" => label).increment(count);
        }
    }
}
