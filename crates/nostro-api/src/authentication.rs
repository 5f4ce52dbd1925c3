//! Who calls, what the caller may do, and how often.
//!
//! A key stands in `Authorization: Bearer`. Its role is asked before the route sees the request, by the method
//! alone: an auditor reads. Each key has its own rate limit, so that one client cannot starve the others; where a
//! limit is met, nothing was moved and the same id may be sent again.

use crate::config::ApiConfig;
use crate::key::{self, ApiKey};
use crate::problem::{Code, Problem};
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::Arc;

/// The keys with their rate limits.
#[derive(Clone)]
pub(crate) struct Keys(Arc<Inner>);

struct Inner {
    keys: Vec<ApiKey>,
    /// One for each key, in the same order; none where the limit is lifted.
    limiters: Vec<DefaultDirectRateLimiter>,
}

impl Keys {
    /// From the configuration.
    pub(crate) fn new(config: &ApiConfig) -> Self {
        let quota = NonZeroU32::new(config.requests_per_second_max).map(Quota::per_second);
        let limiters = config.keys.iter().filter_map(|_| quota.map(RateLimiter::direct)).collect();
        Self(Arc::new(Inner { keys: config.keys.clone(), limiters }))
    }

    /// Lets a request pass, or says why not.
    fn admit(&self, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        let at = bearer(headers).and_then(|text| key::position(&self.0.keys, text));
        let Some((at, key)) = at.and_then(|at| Some((at, self.0.keys.get(at)?))) else {
            return Err(Problem::new(Code::Unauthorized, "send a key of this API as Authorization: Bearer <key>"));
        };
        if let Some(Err(not_until)) = self.0.limiters.get(at).map(DefaultDirectRateLimiter::check) {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            let limited = Problem::new(Code::RateLimited, "this key makes more requests a second than it may");
            return Err(limited.with_retry_after(wait));
        }
        if !is_read(method) && !key.role().may_write() {
            return Err(Problem::new(Code::Forbidden, "an auditor's key reads and changes nothing"));
        }
        Ok(())
    }
}

/// Middleware: lets only known keys pass, within their role and their rate.
pub(crate) async fn guard(State(keys): State<Keys>, request: Request, next: Next) -> Response {
    match keys.admit(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, text) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| text.trim_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Role;
    use axum::http::HeaderValue;

    fn keys(requests_per_second_max: u32) -> Keys {
        let keys = vec![ApiKey::new(Role::Operator, "operators"), ApiKey::new(Role::Auditor, "auditors")];
        Keys::new(&ApiConfig { keys, console_origins: Vec::new(), requests_per_second_max })
    }

    fn status(keys: &Keys, method: &Method, authorization: Option<&'static str>) -> u16 {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
        }
        keys.admit(method, &headers).map_or_else(|problem| problem.into_response().status().as_u16(), |()| 200)
    }

    #[test]
    fn a_key_passes_within_its_role() {
        let keys = keys(0);
        for (method, authorization, expected) in [
            (Method::POST, Some("Bearer operators"), 200),
            (Method::GET, Some("bearer operators"), 200),
            (Method::GET, Some("Bearer auditors"), 200),
            (Method::HEAD, Some("Bearer auditors"), 200),
            (Method::POST, Some("Bearer auditors"), 403),
            (Method::GET, Some("Bearer nobodys"), 401),
            (Method::GET, Some("Basic operators"), 401),
            (Method::GET, Some("operators"), 401),
            (Method::GET, Some("Bearer "), 401),
            (Method::GET, None, 401),
        ] {
            assert_eq!(status(&keys, &method, authorization), expected, "{method} {authorization:?}");
        }
    }

    #[test]
    fn each_key_has_its_own_rate() {
        let keys = keys(2);
        let ask = |authorization| status(&keys, &Method::GET, Some(authorization));
        assert_eq!([ask("Bearer operators"), ask("Bearer operators"), ask("Bearer operators")], [200, 200, 429]);
        assert_eq!(ask("Bearer auditors"), 200);
    }
}
