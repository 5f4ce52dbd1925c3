//! Takes a request's body: JSON by its media type, up to a size, within a time.
//!
//! The bytes are read here and parsed by the handler, so that texts can be borrowed from them.

use crate::fields::{Broken, Errors};
use crate::json::JsonValue;
use crate::problem::{Code, Problem};
use axum::body::{Bytes, HttpBody};
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use std::time::Duration;

/// Larger bodies are 413. A bulk of 8,192 transfers of 250 bytes is 2 MiB; twice that leaves room for references.
pub(crate) const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A body that takes longer to arrive is refused: 4 MiB in this time is a slow telephone line.
const BODY_WAIT_MAX: Duration = Duration::from_secs(30);

/// For a route whose path says everything: what a body says would be overlooked, so one is refused.
pub(crate) struct NoBody;

impl<S: Send + Sync> FromRequest<S> for NoBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if request.body().is_end_stream() {
            Ok(Self)
        } else {
            Err(Problem::new(Code::InvalidRequest, "this route takes no body; its path says everything"))
        }
    }
}

/// The bytes of a body that says it is JSON.
pub(crate) struct JsonBody(Bytes);

impl JsonBody {
    /// The one JSON value in it.
    pub(crate) fn parse(&self) -> Result<JsonValue<'_>, Problem> {
        parse(&self.0)
    }

    /// As it came.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The one JSON value in the bytes of a body.
pub(crate) fn parse(bytes: &[u8]) -> Result<JsonValue<'_>, Problem> {
    JsonValue::parse(bytes).or_else(|error| {
        let mut errors = Errors::default();
        errors.push(String::new(), Broken::Rule(format!("is not JSON: {error}")));
        errors.none_or(None)
    })
}

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(Code::UnsupportedMediaType, "a body has the Content-Type application/json"));
        }
        match tokio::time::timeout(BODY_WAIT_MAX, Bytes::from_request(request, state)).await {
            Ok(Ok(bytes)) => Ok(Self(bytes)),
            Ok(Err(BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)))) => {
                Err(Problem::new(Code::PayloadTooLarge, format!("a body has at most {BODY_BYTES_MAX} bytes")))
            }
            Ok(Err(_)) => Err(Problem::new(Code::InvalidRequest, "the body broke off before its end")),
            Err(_) => {
                let seconds = BODY_WAIT_MAX.as_secs();
                Err(Problem::new(Code::InvalidRequest, format!("the body did not arrive within {seconds} s")))
            }
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_application_json_is_json() {
        for (content_type, expected) in [
            (Some("application/json"), true),
            (Some("Application/JSON; charset=utf-8"), true),
            (Some("text/plain"), false),
            (Some("application/x-www-form-urlencoded"), false),
            (Some("application/jsonp"), false),
            (None, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(content_type) = content_type {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            }
            assert_eq!(is_json(&headers), expected, "{content_type:?}");
        }
    }
}
