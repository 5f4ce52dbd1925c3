//! Which web pages may call.
//!
//! A browser names the page's origin on every call that could change something. A page of an origin that is not
//! the console's is refused before its key is looked at: against pages that ride on a session, and against names
//! that are pointed at this server (DNS rebinding). Programs send no `Origin` and are not concerned.

use crate::problem::{Code, Problem};
use crate::request_context::EXPOSED_HEADERS;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may remember a preflight: as long as browsers agree to.
const PREFLIGHT_AGE_MAX: Duration = Duration::from_secs(600);

/// The origins of the console.
pub(crate) type Origins = Arc<[HeaderValue]>;

/// From the configuration. What cannot stand in a header can never match one, and is left out.
pub(crate) fn origins(configured: &[String]) -> Origins {
    configured.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect()
}

/// Answers preflights, and lets the console's pages read our answers.
pub(crate) fn cross_origin(origins: &Origins) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .expose_headers(EXPOSED_HEADERS)
        .max_age(PREFLIGHT_AGE_MAX)
}

/// Middleware: refuses pages of other origins under `/v1`.
pub(crate) async fn guard(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/v1") && !is_allowed(request.headers(), &origins) {
        let detail = "pages of this origin may not call; the configuration lists the console's origins";
        return Problem::new(Code::OriginNotAllowed, detail).into_response();
    }
    next.run(request).await
}

fn is_allowed(headers: &HeaderMap, origins: &[HeaderValue]) -> bool {
    headers.get_all(ORIGIN).iter().all(|origin| origins.contains(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_no_origin_or_the_consoles_may_call() {
        let origins = origins(&["http://127.0.0.1:3000".to_owned(), "bad\norigin".to_owned()]);
        assert_eq!(origins.len(), 1);
        for (origin, expected) in [
            (None, true),
            (Some("http://127.0.0.1:3000"), true),
            (Some("http://127.0.0.1:3001"), false),
            (Some("http://127.0.0.1:3000.evil.example"), false),
            (Some("null"), false),
            (Some(""), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(is_allowed(&headers, &origins), expected, "{origin:?}");
        }
    }
}
