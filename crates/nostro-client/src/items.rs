//! What became of the items of a bulk, and the same ids again until each is answered.
//!
//! A bulk is many requests in one, and each has an end of its own: items that are answered are left alone, the others
//! are sent again. What holds for one request holds for each of them: once an attempt is open, a later one that did
//! nothing does not close it. A result that cannot be read, or that is not where it belongs, is unknown.

use crate::outcome::{ClientError, UnknownCause};
use crate::patience::{PAUSE_MAX, PAUSE_MIN};
use crate::view::{BulkItem, Problem, Transfer};
use serde::Deserialize;
use serde::de::Error;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// A problem's `retry` if the same request would be answered the same.
const NEVER: &str = "never";

/// What became of one customer or account of a bulk.
#[derive(Deserialize)]
pub(crate) struct RegisteredItem<T> {
    pub(crate) id: Uuid,
    /// `opened`, `replayed`, `refused`, `conflict`, `unavailable` or `unknown`.
    pub(crate) state: String,
    /// Of `opened` and `replayed`.
    #[serde(alias = "customer", alias = "account")]
    pub(crate) value: Option<T>,
    /// Of `refused`, `conflict` and `unavailable`.
    pub(crate) problem: Option<Problem>,
}

/// The results of a bulk of customers or accounts.
#[derive(Deserialize)]
pub(crate) struct RegisteredResults<T> {
    pub(crate) results: Vec<RegisteredItem<T>>,
}

/// What became of one item of a bulk.
#[derive(Clone, Debug)]
pub enum ItemOutcome<T> {
    /// Done: made, or committed.
    Done {
        /// As it was recorded.
        value: T,
        /// Whether an earlier request with the same id did it.
        replayed: bool,
    },
    /// A refusal or a conflict, final.
    Refused(Box<Problem>),
    /// Nothing was done; the same id again. The reason, if one was given.
    Unavailable(Option<Box<Problem>>),
    /// Not known yet whether it was done: the same id again.
    Unknown,
}

impl<T> ItemOutcome<T> {
    /// Whether sending it again can tell more.
    fn is_left(&self) -> bool {
        match self {
            Self::Done { .. } | Self::Refused(_) => false,
            // Of two branches that know what it names for different things one must be named.
            Self::Unavailable(problem) => problem.as_ref().is_none_or(|problem| problem.retry != NEVER),
            Self::Unknown => true,
        }
    }
}

/// The outcomes of customers or accounts, in the order of the request.
pub(crate) fn registered<T>(
    ids: impl ExactSizeIterator<Item = Uuid>,
    results: Vec<RegisteredItem<T>>,
) -> Result<Vec<ItemOutcome<T>>, ClientError> {
    in_order(ids, results.into_iter().map(|item| (item.id, of_registered(item))))
}

/// The outcomes of transfers, in the order of the request.
pub(crate) fn moved(
    ids: impl ExactSizeIterator<Item = Uuid>,
    results: Vec<BulkItem>,
) -> Result<Vec<ItemOutcome<Transfer>>, ClientError> {
    in_order(ids, results.into_iter().map(|item| (item.id, of_moved(item))))
}

fn in_order<T>(
    ids: impl ExactSizeIterator<Item = Uuid>,
    results: impl ExactSizeIterator<Item = (Uuid, ItemOutcome<T>)>,
) -> Result<Vec<ItemOutcome<T>>, ClientError> {
    let unlike = || {
        let error = serde_json::Error::custom("the results are not those of the request, in its order");
        ClientError::Unknown { source: UnknownCause::Body(error) }
    };
    if ids.len() != results.len() {
        return Err(unlike());
    }
    ids.zip(results).map(|(id, (of, outcome))| if id == of { Ok(outcome) } else { Err(unlike()) }).collect()
}

fn of_registered<T>(item: RegisteredItem<T>) -> ItemOutcome<T> {
    match (item.state.as_str(), item.value, item.problem) {
        ("opened", Some(value), _) => ItemOutcome::Done { value, replayed: false },
        ("replayed", Some(value), _) => ItemOutcome::Done { value, replayed: true },
        ("refused" | "conflict", _, Some(problem)) => ItemOutcome::Refused(Box::new(problem)),
        ("unavailable", _, problem) => ItemOutcome::Unavailable(problem.map(Box::new)),
        // Also a word that this client does not know.
        _ => ItemOutcome::Unknown,
    }
}

fn of_moved(item: BulkItem) -> ItemOutcome<Transfer> {
    match (item.state.as_str(), item.transfer, item.problem) {
        ("posted" | "settling", Some(value), _) => ItemOutcome::Done { value, replayed: item.replayed },
        ("refused" | "conflict", _, Some(problem)) => ItemOutcome::Refused(Box::new(problem)),
        ("unavailable", _, problem) => ItemOutcome::Unavailable(problem.map(Box::new)),
        _ => ItemOutcome::Unknown,
    }
}

/// Sends the items of a bulk until each is answered or `patience` has passed, then gives what is known of each, in
/// their order. At least one attempt is made, and none is cut off under way.
///
/// An error says that nothing of this bulk was done by it: it was rejected whole, or nobody listened for so long.
pub async fn items_until_settled<R, T, F>(
    requests: &[R],
    patience: Duration,
    mut attempt: impl FnMut(Vec<R>) -> F,
) -> Result<Vec<ItemOutcome<T>>, ClientError>
where
    R: Clone,
    F: Future<Output = Result<Vec<ItemOutcome<T>>, ClientError>>,
{
    let ends = Instant::now() + patience;
    let mut pause = PAUSE_MIN;
    let mut items: Vec<ItemOutcome<T>> = requests.iter().map(|_| ItemOutcome::Unavailable(None)).collect();
    loop {
        let left: Vec<usize> = (0..items.len()).filter(|at| items[*at].is_left()).collect();
        let asked = left.iter().map(|at| requests[*at].clone()).collect();
        let answered = attempt(asked).await;
        let wait = match &answered {
            Ok(_) | Err(ClientError::Unknown { .. } | ClientError::Connect { .. }) => pause,
            Err(ClientError::Unavailable { retry_after, .. }) => pause.max(*retry_after),
            Err(ClientError::Rejected(problem)) if problem.status == 429 => PAUSE_MAX,
            // Sending it again would be answered the same.
            Err(ClientError::Rejected(_)) => Duration::MAX,
        };
        let error = take(&mut items, &left, answered);
        if !items.iter().any(ItemOutcome::is_left) {
            return Ok(items);
        }
        if ends.saturating_duration_since(Instant::now()) <= wait {
            let nothing_done = items.iter().all(|item| matches!(item, ItemOutcome::Unavailable(_)));
            return match error {
                Some(error) if nothing_done => Err(error),
                Some(_) | None => Ok(items),
            };
        }
        tokio::time::sleep(wait).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Puts what an attempt came to to the items that it carried. The error is handed back if it tells more than they do.
fn take<T>(
    items: &mut [ItemOutcome<T>],
    left: &[usize],
    answered: Result<Vec<ItemOutcome<T>>, ClientError>,
) -> Option<ClientError> {
    let (outcomes, error): (Vec<ItemOutcome<T>>, Option<ClientError>) = match answered {
        // Fewer than were sent leave the others as they are.
        Ok(outcomes) => (outcomes, None),
        Err(ClientError::Unknown { .. }) => (left.iter().map(|_| ItemOutcome::Unknown).collect(), None),
        Err(ClientError::Unavailable { problem, .. }) => {
            (left.iter().map(|_| ItemOutcome::Unavailable(Some(problem.clone()))).collect(), None)
        }
        Err(error @ (ClientError::Rejected(_) | ClientError::Connect { .. })) => (Vec::new(), Some(error)),
    };
    for (at, outcome) in left.iter().zip(outcomes) {
        // An attempt that did nothing does not close an earlier one.
        let stays_open = matches!((&items[*at], &outcome), (ItemOutcome::Unknown, ItemOutcome::Unavailable(_)));
        if !stays_open {
            items[*at] = outcome;
        }
    }
    error
}

#[cfg(test)]
mod tests;
