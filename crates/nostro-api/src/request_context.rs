//! What surrounds every request: its id, its log span, and the completion of problem details.
//!
//! A caller's `X-Request-Id` is kept if it is short and plain, else one is made; it is in the answer, in every
//! problem and in every log line of the request. `traceparent` is handed back as it came. A problem that a route
//! left in the response's extensions gets its path and request id here and becomes the body. A panic in a route
//! is caught here too: logged in full, answered as an internal error.

use crate::problem::{IDEMPOTENT_REPLAYED, Problem};
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, HeaderName, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::sync::Arc;
use tracing::Instrument;
use uuid::Uuid;

/// The request's id, in both directions.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// W3C trace context.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// A longer id of a caller is replaced: it goes into every log line.
const REQUEST_ID_BYTES_MAX: usize = 128;
/// The headers of ours that a page of another origin may read.
pub(crate) const EXPOSED_HEADERS: [HeaderName; 4] = [IDEMPOTENT_REPLAYED, LOCATION, RETRY_AFTER, REQUEST_ID];

/// What a route may need to know of its request.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// Its path, without the query.
    pub path: Arc<str>,
    /// Its id.
    pub request_id: Arc<str>,
}

/// Middleware: gives the request its id and completes the answer.
pub(crate) async fn with_context(mut request: Request, next: Next) -> Response {
    let context = RequestContext { path: request.uri().path().into(), request_id: request_id(request.headers()) };
    let traceparent = request.headers().get(TRACEPARENT).cloned();
    let span = tracing::info_span!("request", request_id = %context.request_id, method = %request.method(), path = %context.path);
    request.extensions_mut().insert(context.clone());
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        complete(&mut response, &problem, &context);
    }
    if response.status().is_server_error() {
        span.in_scope(|| tracing::warn!(status = response.status().as_u16(), "answered with a server's error"));
    }
    if let Ok(request_id) = HeaderValue::from_str(&context.request_id) {
        response.headers_mut().insert(REQUEST_ID, request_id);
    }
    if let Some(traceparent) = traceparent {
        response.headers_mut().insert(TRACEPARENT, traceparent);
    }
    response
}

/// A panic in a route, as an answer.
#[expect(clippy::needless_pass_by_value, reason = "the signature that the layer calls")]
pub(crate) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&'static str>().copied())
        .unwrap_or("a value that is no text");
    tracing::error!(panic = message, "a route panicked");
    Problem::internal().into_response()
}

fn complete(response: &mut Response, problem: &Problem, context: &RequestContext) {
    let body = problem.body(&context.path, &context.request_id);
    match serde_json::to_vec(&body) {
        Ok(bytes) => {
            *response.body_mut() = Body::from(bytes);
            // It was that of the empty body.
            response.headers_mut().remove(CONTENT_LENGTH);
        }
        Err(error) => tracing::error!(%error, "a problem could not be written"),
    }
}

fn request_id(headers: &HeaderMap) -> Arc<str> {
    let offered = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    match offered.filter(|id| is_sane(id)) {
        Some(id) => id.into(),
        None => Uuid::now_v7().to_string().into(),
    }
}

fn is_sane(id: &str) -> bool {
    (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sane_request_id_is_kept_and_any_other_replaced() {
        let longest = "x".repeat(REQUEST_ID_BYTES_MAX);
        for (offered, kept) in
            [("r-1", true), (longest.as_str(), true), ("", false), ("a b", false), (&format!("{longest}x"), false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(offered).unwrap());
            let id = request_id(&headers);
            assert_eq!(&*id == offered, kept, "{offered:?}");
            assert!(is_sane(&id));
        }
        assert!(is_sane(&request_id(&HeaderMap::new())));
    }
}
