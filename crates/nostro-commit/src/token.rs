//! The right to send COMMIT PREPARED.
//!
//! A [`CommitToken`] exists only after a decision: the coordinator makes one when home has acknowledged the
//! decision, the resolver when home's row says committed. Its field is private to the crate and those two
//! modules are the only ones that construct it, so no other code can finish a prepared transaction.

use crate::id::BatchId;

/// Proof that a batch is decided: committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommitToken {
    batch: BatchId,
}

impl CommitToken {
    /// Only [`crate::coordinator`] and [`crate::resolver`] call this, where a decision has been read.
    pub(crate) fn decided(batch: BatchId) -> Self {
        Self { batch }
    }

    /// The batch that is decided.
    pub fn batch(&self) -> BatchId {
        self.batch
    }
}
