//! What a failure of PostgreSQL means, by SQLSTATE and by the step of the protocol; never by message text.
//!
//! Before the decision any failure aborts the batch; what matters is only whether the database *answered*. The
//! decision itself is not classified at all: anything but a clean acknowledgement goes to the resolver.

use crate::coordinator::Vote;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// What a failure of COMMIT PREPARED, ROLLBACK PREPARED or of the resolver's own statements means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finishing {
    /// Try again later: lost connection, shutting down, out of resources, read-only standby.
    Retry,
    /// No prepared transaction of this name (42704).
    Missing,
    /// Somebody else is at it right now: a lock was not given in time (55P03), or another session prepares or
    /// finishes the prepared transaction (55000). The database answered, so it is worth asking again.
    Busy,
    /// Home was restored since and has no row of the batch (NR001, by its trigger): no answer will come by itself.
    OlderIncarnation,
    /// It will not go away by itself: tell a human.
    Page,
}

/// Raised by `batch_is_of_this_incarnation` (`schema_restored.sql`).
const OLDER_INCARNATION: &str = "NR001";

/// A failed vote: an answer from the database is a refusal, silence is not.
pub fn vote(error: &Error) -> Vote {
    match error.code() {
        Some(code) if !is_connection_loss(code) => Vote::Refused,
        Some(_) | None => Vote::Lost,
    }
}

/// A failure while finishing or resolving.
pub fn finishing(error: &Error) -> Finishing {
    let Some(code) = error.code() else { return Finishing::Retry };
    match code {
        code if *code == SqlState::UNDEFINED_OBJECT => Finishing::Missing,
        code if *code == SqlState::LOCK_NOT_AVAILABLE || *code == SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE => {
            Finishing::Busy
        }
        code if code.code() == OLDER_INCARNATION => Finishing::OlderIncarnation,
        code if *code == SqlState::READ_ONLY_SQL_TRANSACTION
            || *code == SqlState::T_R_DEADLOCK_DETECTED
            || is_connection_loss(code)
            || code.code().starts_with("53") =>
        {
            Finishing::Retry
        }
        _ => Finishing::Page,
    }
}

/// The server is going away or the connection broke (classes 57P and 08).
pub fn is_connection_loss(code: &SqlState) -> bool {
    code.code().starts_with("57P") || code.code().starts_with("08")
}
