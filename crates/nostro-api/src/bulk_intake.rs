//! How many bytes of bulks this server reads and works at, at one time.
//!
//! One bulk may be 4 MiB, and becomes several times that on its way through. Beyond the limit a bulk is turned away
//! before its body is read, at once and without a queue: its client holds the transfers anyway, and sends the same
//! ids again. Single requests are small and are not counted.

use crate::body::{BODY_BYTES_MAX, JsonBody};
use crate::problem::{Code, Problem};
use axum::body::HttpBody;
use axum::extract::{FromRef, FromRequest, Request};
use nostro_engine::Unavailable;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The bodies of all bulks in hand are at most this large: 8 of the largest, 19 of 8,192 plain transfers. With its
/// transfers, their answers and the JSON of those, a bulk takes some five times the size of its body.
const BULK_BYTES_MAX: usize = 8 * BODY_BYTES_MAX;
/// Sizes are counted in this unit, so that the count fits any semaphore.
const UNIT_BYTES: usize = 1024;

/// What is left of [`BULK_BYTES_MAX`].
#[derive(Clone, Debug)]
pub(crate) struct BulkIntake(Arc<Semaphore>);

/// The body of a bulk, and its share of the intake.
pub(crate) struct BulkBody {
    body: JsonBody,
    share: OwnedSemaphorePermit,
}

/// Held until the bulk is answered.
pub(crate) struct Share {
    _permit: OwnedSemaphorePermit,
}

impl BulkBody {
    /// What is read from the body. The body ends here: what was read of it may be several times its size.
    pub(crate) fn read<T>(self, read: impl FnOnce(&JsonBody) -> T) -> (T, Share) {
        (read(&self.body), Share { _permit: self.share })
    }
}

impl Default for BulkIntake {
    fn default() -> Self {
        Self::of(BULK_BYTES_MAX)
    }
}

impl BulkIntake {
    fn of(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / UNIT_BYTES)))
    }

    /// A share for a body of this size, if there is one at once.
    fn admit(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        Arc::clone(&self.0).try_acquire_many_owned(units).map_err(|_| {
            let detail = "this server has as many bulks in hand as it may; nothing of this one was read";
            Problem::new(Code::Unavailable(Unavailable::QueueFull), detail)
        })
    }
}

impl<S> FromRequest<S> for BulkBody
where
    BulkIntake: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let share = BulkIntake::from_ref(state).admit(counted(request.body().size_hint().upper()))?;
        let body = JsonBody::from_request(request, state).await?;
        Ok(Self { body, share })
    }
}

/// What a body that says this size counts for. Without a size it may be as large as any; one that says too much is
/// refused while it is read.
fn counted(said: Option<u64>) -> usize {
    let bytes = said.and_then(|bytes| usize::try_from(bytes).ok());
    bytes.map_or(BODY_BYTES_MAX, |bytes| bytes.min(BODY_BYTES_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
    use axum::response::IntoResponse;

    async fn send(intake: &BulkIntake, bytes: usize) -> Result<BulkBody, Problem> {
        let body = Body::from(vec![b' '; bytes]);
        let request = Request::post("/v1/transfers/bulk").header(CONTENT_TYPE, "application/json").body(body).unwrap();
        BulkBody::from_request(request, intake).await
    }

    #[tokio::test]
    async fn a_bulk_beyond_the_limit_is_turned_away_at_once_until_another_ends() {
        let intake = BulkIntake::of(8 * UNIT_BYTES);
        let first = send(&intake, 4 * UNIT_BYTES).await.ok().unwrap();
        let second = send(&intake, 3 * UNIT_BYTES + 1).await.ok().unwrap();
        assert_eq!(first.body.bytes().len(), 4 * UNIT_BYTES);
        let refused = send(&intake, 1).await.err().unwrap();
        assert_eq!(serde_json::to_value(refused.body("", "")).unwrap()["code"], "queue_full");
        let response = refused.into_response();
        assert_eq!((response.status().as_u16(), &response.headers()[RETRY_AFTER]), (503, &"1".parse().unwrap()));
        drop(second);
        assert!(send(&intake, 4 * UNIT_BYTES).await.is_ok());
        assert!(send(&intake, 4 * UNIT_BYTES + 1).await.is_err());
    }

    #[test]
    fn a_body_without_its_size_counts_as_the_largest() {
        for (said, expected) in [(None, BODY_BYTES_MAX), (Some(7), 7), (Some(u64::MAX), BODY_BYTES_MAX), (Some(0), 0)] {
            assert_eq!(counted(said), expected, "{said:?}");
        }
    }

    #[test]
    fn the_limit_holds_eight_of_the_largest() {
        let intake = BulkIntake::default();
        let shares: Vec<OwnedSemaphorePermit> = (0..8).map(|_| intake.admit(BODY_BYTES_MAX).unwrap()).collect();
        assert!(intake.admit(1).is_err());
        drop(shares);
        assert!(intake.admit(1).is_ok());
    }
}
