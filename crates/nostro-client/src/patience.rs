//! The same id again, until an answer comes.
//!
//! Repeating is safe because the id is the idempotency key, and necessary because an unanswered attempt may have
//! moved the money. Once one attempt is open, a later one that moved nothing does not close it: the end is then
//! unknown, not unavailable.

use crate::client::Client;
use crate::outcome::{ClientError, Outcome, UnknownCause};
use crate::request::TransferRequest;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// The first pause; each next one is twice as long.
pub(crate) const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause, unless the server asks for a longer one.
pub(crate) const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What one attempt leaves to do.
enum Next {
    /// It is the answer.
    Answer,
    /// Nothing moved by this attempt; not before so long.
    AgainAfter(Duration),
    /// It is open whether money moved.
    Open,
    /// Nothing moved and trying again helps only if an earlier attempt is open.
    NothingMoved,
}

impl Client {
    /// Sends the same transfer until it is answered or the deadline has passed, then gives the last answer.
    ///
    /// Where nothing can have moved and trying again does not help (rejected, nobody listens), it ends at once.
    pub async fn transfer_until_settled(
        &self,
        request: &TransferRequest,
        deadline: Duration,
    ) -> Result<Outcome, ClientError> {
        until_settled(request.id, deadline, || self.transfer(request)).await
    }
}

/// Makes the same attempt, whose idempotency key is `id`, until it is answered or the deadline has passed, then gives
/// the last answer.
///
/// Where nothing can have moved and trying again does not help (rejected, nobody listens), it ends at once.
pub async fn until_settled<F, T>(
    id: Uuid,
    deadline: Duration,
    mut attempt: impl FnMut() -> F,
) -> Result<Outcome<T>, ClientError>
where
    F: Future<Output = Result<Outcome<T>, ClientError>>,
{
    let ends = Instant::now() + deadline;
    let mut pause = PAUSE_MIN;
    let mut open = false;
    loop {
        let attempt = match tokio::time::timeout_at(ends, attempt()).await {
            Ok(attempt) => attempt,
            // Cut off under way: it may have moved.
            Err(_) => return Ok(Outcome::Unknown { id }),
        };
        let wait = match next(&attempt) {
            Next::Answer => return attempt,
            Next::NothingMoved if !open => return attempt,
            Next::NothingMoved => pause,
            Next::AgainAfter(asked) => pause.max(asked),
            Next::Open => {
                open = true;
                pause
            }
        };
        if Instant::now() + wait >= ends {
            return if open { Err(still_open(attempt)) } else { attempt };
        }
        tokio::time::sleep(wait).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// The same of what does not move money, such as a change of an account. A refusal or a conflict is an answer, also where an
/// earlier attempt is open: whoever says so has met what that one left.
pub async fn until_answered<F, T>(
    id: Uuid,
    deadline: Duration,
    mut attempt: impl FnMut() -> F,
) -> Result<T, ClientError>
where
    F: Future<Output = Result<T, ClientError>>,
{
    let attempt = || {
        let answer = attempt();
        async move {
            match answer.await {
                Ok(value) => Ok(Outcome::Posted { transfer: Box::new(value), replayed: false }),
                Err(ClientError::Rejected(problem)) if [409, 422].contains(&problem.status) => {
                    Ok(Outcome::Refused { problem, replayed: false })
                }
                Err(error) => Err(error),
            }
        }
    };
    match until_settled(id, deadline, attempt).await? {
        Outcome::Posted { transfer, .. } | Outcome::Settling(transfer) => Ok(*transfer),
        Outcome::Unknown { .. } => Err(ClientError::Unknown { source: UnknownCause::EarlierAttempt }),
        Outcome::Refused { problem, .. } | Outcome::Conflict(problem) => Err(ClientError::Rejected(problem)),
        Outcome::Unavailable { problem, retry_after } => Err(ClientError::Unavailable { problem, retry_after }),
    }
}

fn next<T>(attempt: &Result<Outcome<T>, ClientError>) -> Next {
    match attempt {
        Ok(Outcome::Posted { .. } | Outcome::Settling(_) | Outcome::Refused { .. } | Outcome::Conflict(_)) => {
            Next::Answer
        }
        Ok(Outcome::Unknown { .. }) | Err(ClientError::Unknown { .. }) => Next::Open,
        Ok(Outcome::Unavailable { retry_after, .. }) | Err(ClientError::Unavailable { retry_after, .. }) => {
            Next::AgainAfter(*retry_after)
        }
        Err(ClientError::Rejected(problem)) if problem.status == 429 => Next::AgainAfter(PAUSE_MAX),
        Err(ClientError::Rejected(_) | ClientError::Connect { .. }) => Next::NothingMoved,
    }
}

/// The end of a row of attempts of which one is open.
fn still_open<T>(last: Result<Outcome<T>, ClientError>) -> ClientError {
    match last {
        Err(unknown @ ClientError::Unknown { .. }) => unknown,
        Ok(_) | Err(ClientError::Rejected(_) | ClientError::Unavailable { .. } | ClientError::Connect { .. }) => {
            ClientError::Unknown { source: UnknownCause::EarlierAttempt }
        }
    }
}

#[cfg(test)]
mod tests;
