//! Counts requests and measures them, by route and status.
//!
//! The route is the pattern (`/v1/accounts/{number}`), never the path: numbers and ids would make a new series
//! each. The recorder is installed by the binary; the page at `/metrics` is drawn from its handle.

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use std::time::Instant;

/// Counted by `route`, `method` and `status`.
const REQUESTS: &str = "nostro_http_requests_total";
/// Seconds until the answer began, by `route` and `method`.
const DURATION: &str = "nostro_http_request_duration_seconds";
/// The route of what no route took.
const UNMATCHED: &str = "unmatched";

/// Middleware: counts and measures.
pub(crate) async fn measure(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = word(request.method());
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or_else(|| UNMATCHED.to_owned(), |path| path.as_str().to_owned());
    let response = next.run(request).await;
    let status = response.status().as_str().to_owned();
    metrics::counter!(REQUESTS, "route" => route.clone(), "method" => method, "status" => status).increment(1);
    metrics::histogram!(DURATION, "route" => route, "method" => method).record(started.elapsed().as_secs_f64());
    response
}

/// The method, of those that we know: a caller can make up any number of others.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
