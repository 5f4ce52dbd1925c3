//! What became of a request.
//!
//! [`Outcome`] is what the server said about money; [`ClientError`] is why it said nothing usable. Between them
//! they keep apart what must be kept apart: committed, refused, unknown, and what surely moved nothing.

use crate::view::{Problem, Transfer};
use std::time::Duration;
use uuid::Uuid;

/// What the server said of a request to move money, which is recorded as `T`.
#[derive(Clone, Debug)]
pub enum Outcome<T = Transfer> {
    /// Committed at every branch.
    Posted {
        /// As it was recorded.
        transfer: Box<T>,
        /// Whether an earlier request with the same id moved it.
        replayed: bool,
    },
    /// Decided: committed; a branch has yet to finish.
    Settling(Box<T>),
    /// Not known yet whether it was decided: the same id again.
    Unknown {
        /// The id.
        id: Uuid,
    },
    /// A business refusal, final.
    Refused {
        /// Why.
        problem: Box<Problem>,
        /// Whether an earlier request with the same id was refused.
        replayed: bool,
    },
    /// The id was used with other content.
    Conflict(Box<Problem>),
    /// This attempt moved nothing; an earlier one with the same id may have: the same id again.
    Unavailable {
        /// Why.
        problem: Box<Problem>,
        /// When trying again is sensible.
        retry_after: Duration,
    },
}

/// Why a request has no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server took nothing from this request. Of money: nothing moved, the id is not used up.
    #[error("{}: {}", .0.code, .0.detail)]
    Rejected(Box<Problem>),
    /// The server could not answer now; nothing was changed by this attempt.
    #[error("{}: {}", .problem.code, .problem.detail)]
    Unavailable {
        /// Why.
        problem: Box<Problem>,
        /// When trying again is sensible.
        retry_after: Duration,
    },
    /// Nobody listens: nothing was sent, nothing moved.
    #[error("cannot connect")]
    Connect {
        /// What the connection said.
        source: reqwest::Error,
    },
    /// The answer was lost or cannot be read. Of money: it may have moved; the same id again tells.
    #[error("no answer that can be relied on")]
    Unknown {
        /// How it was lost.
        source: UnknownCause,
    },
}

/// How an answer was lost.
#[derive(Debug, thiserror::Error)]
pub enum UnknownCause {
    /// A timeout or a cut connection.
    #[error("the connection broke off or timed out")]
    Transport(#[source] reqwest::Error),
    /// The server failed.
    #[error("the server answered {status}{}", .problem.as_ref().map(|problem| format!(", request {}", problem.request_id)).unwrap_or_default())]
    Status {
        /// The HTTP status.
        status: u16,
        /// What it said of it, if that could be read.
        problem: Option<Box<Problem>>,
    },
    /// The body is not what this client understands.
    #[error("the answer cannot be read")]
    Body(#[source] serde_json::Error),
    /// The server said so: a branch did not answer it.
    #[error("a branch was lost before it answered")]
    Told,
    /// This attempt moved nothing, but what became of an earlier one with the same id is not known.
    #[error("an earlier attempt with the same id was not answered")]
    EarlierAttempt,
}
