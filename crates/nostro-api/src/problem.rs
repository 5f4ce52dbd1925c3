//! Problem details (RFC 9457): every answer that is not what was asked for has this one shape.
//!
//! [`Code`] is the list of all codes. A problem becomes a whole body only in [`crate::request_context`], which knows the
//! path and the request id; on the way there it travels in the response's extensions. Nothing internal is in it: that is
//! logged with the request id.

mod code;

pub(crate) use code::Code;
pub use code::problem_codes;

use crate::fields::Pointer;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use nostro_core::{AccountNumber, BranchCode};
use nostro_engine::{BatchId, ReadError, Unavailable, UnusableId};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// The media type of problem details.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";
/// Set on an answer that repeats an earlier one.
pub(crate) const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// While this server is not ready, look again after this: start and branch look-ups take about a second.
const NOT_READY_RETRY_AFTER: Duration = Duration::from_secs(1);
/// A live batch ends well within this, or is in doubt by then: its clients are answered two seconds after its decision.
const BATCH_LIVE_RETRY_AFTER: Duration = Duration::from_secs(3);
/// A full audit reads every account: it is seldom through sooner.
const AUDIT_RUNNING_RETRY_AFTER: Duration = Duration::from_secs(10);

/// An answer that is not what was asked for.
#[derive(Clone, Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    replayed: bool,
}

/// A field and the rule that it breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// JSON pointer into the request's body; empty for the body itself.
    #[schema(example = "/amount")]
    pub(crate) pointer: String,
    /// The rule, and what was found.
    pub(crate) detail: String,
}

/// The body of problem details.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// `/problems/` and the code.
    #[serde(rename = "type")]
    #[schema(example = "/problems/insufficient_funds")]
    kind: String,
    /// The code in words.
    #[schema(example = "Insufficient funds")]
    title: &'static str,
    /// The HTTP status; in a bulk's result, the one that a single request would have been answered with.
    #[schema(example = 422)]
    status: u16,
    /// Stable, for programs.
    #[schema(example = "insufficient_funds")]
    code: &'static str,
    /// For people: what of this request.
    #[schema(example = "AZ93000000001042 has less than 1000.00 USD available")]
    detail: String,
    /// The path of the request.
    #[schema(example = "/v1/transfers")]
    instance: String,
    /// `same_id`: send the same request with the same id again; it may be answered otherwise. `never`: it will be answered
    /// the same.
    #[schema(example = "never")]
    retry: &'static str,
    /// Also in the header `X-Request-Id`, and in the server's log.
    request_id: String,
    /// The fields that break a rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldError>,
}

impl Problem {
    /// A problem with its detail for people.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let retry_after = match code {
            Code::Unavailable(reason) => Some(reason.retry_after()),
            Code::NotReady => Some(NOT_READY_RETRY_AFTER),
            Code::BatchLive => Some(BATCH_LIVE_RETRY_AFTER),
            Code::AuditRunning => Some(AUDIT_RUNNING_RETRY_AFTER),
            _ => None,
        };
        Self { code, detail: detail.into(), errors: Vec::new(), retry_after, replayed: false }
    }

    /// This attempt moved nothing.
    pub(crate) fn unavailable(reason: Unavailable) -> Self {
        let detail = match reason {
            Unavailable::Branch(code) => format!("branch {code} cannot be reached or used"),
            Unavailable::AccountInDoubt(number) => {
                format!("{number} is held by a batch in doubt; it is free again once the home of that batch answers")
            }
            Unavailable::QueueFull => "too many transfers are waiting for these branches".to_owned(),
            Unavailable::Busy => "other batches kept these branches busy for too long".to_owned(),
            Unavailable::ClockSkew(code) => format!("the clock of branch {code} differs from the others'"),
            Unavailable::IntakeClosed => "this server takes no transfers now".to_owned(),
        };
        Self::new(Code::Unavailable(reason), detail)
    }

    /// A bug or a database in a wrong state; what it was is in the log.
    pub(crate) fn internal() -> Self {
        Self::new(Code::InternalError, "something went wrong here; the log has it under the request id")
    }

    /// The URL names an account that does not exist.
    pub(crate) fn account_not_found(number: AccountNumber) -> Self {
        Self::new(Code::AccountNotFound, format!("no account has the number {number}"))
    }

    /// What is asked of the account was taken out of the branch's database.
    pub(crate) fn history_archived(number: AccountNumber) -> Self {
        let detail = format!("entries of {number} that this needs are in the archive");
        Self::new(Code::HistoryArchived, detail)
    }

    /// The URL names a batch of which no branch knows anything.
    pub(crate) fn batch_not_found(batch: BatchId) -> Self {
        Self::new(Code::BatchNotFound, format!("no branch knows of a batch {batch}"))
    }

    /// This server is committing the batch: it is left alone.
    pub(crate) fn batch_live(batch: BatchId) -> Self {
        let detail = format!("{batch} is not in doubt: this server is committing it right now, and nothing was done");
        Self::new(Code::BatchLive, detail)
    }

    /// The URL names an audit that nobody began.
    pub(crate) fn audit_not_found(id: Uuid) -> Self {
        Self::new(Code::AuditNotFound, format!("no audit has the id {id}"))
    }

    /// There is one audit at a time.
    pub(crate) fn audit_running(running: Option<Uuid>) -> Self {
        let detail = match running {
            Some(running) => format!("the audit {running} is running; nothing was begun"),
            None => "another audit was just begun or ended; nothing was begun".to_owned(),
        };
        Self::new(Code::AuditRunning, detail)
    }

    /// The request names a branch that does not exist.
    pub(crate) fn unknown_branch(code: BranchCode) -> Self {
        Self::new(Code::UnknownBranch, format!("no branch has the code {code}"))
    }

    /// The id was used before, with another value of this field.
    pub(crate) fn id_conflict(pointer: String) -> Self {
        let detail = format!("the id was used before with other content: {pointer} differs");
        let error = FieldError { pointer, detail: "differs from the earlier request with this id".to_owned() };
        Self::new(Code::IdConflict, detail).with_errors(vec![error])
    }

    /// The id can be used for nothing, and nothing is recorded under it.
    pub(crate) fn unusable_id(pointer: String, why: UnusableId) -> Self {
        let (code, rule) = match why {
            UnusableId::TimeOutOfRange => {
                (Code::IdTimeOutOfRange, "the time in an id of version 7 is at most a day from the branch's clock")
            }
            UnusableId::Expired => (
                Code::IdExpired,
                "the month of the id is in the archive: whether it was used is not known here any more",
            ),
        };
        let error = FieldError { pointer, detail: rule.to_owned() };
        Self::new(code, format!("this attempt moved nothing: {rule}")).with_errors(vec![error])
    }

    /// One field breaks a rule.
    pub(crate) fn field(pointer: String, rule: String) -> Self {
        Self::new(Code::InvalidRequest, format!("{pointer}: {rule}")).naming(pointer, rule)
    }

    /// With the one place that it comes from.
    pub(crate) fn naming(self, pointer: String, detail: String) -> Self {
        self.with_errors(vec![FieldError { pointer, detail }])
    }

    /// The same for another link of its chain, which is not sent because of the one that the pointer names.
    pub(crate) fn of_another_link(self, pointer: String) -> Self {
        let detail = format!("{pointer} of its chain cannot be sent: {}", self.detail);
        let code = self.code.as_str().to_owned();
        Self { detail, ..self }.naming(pointer, code)
    }

    /// With its fields as those of an object that stands there in the body.
    pub(crate) fn within(self, place: Pointer) -> Self {
        let at = |error: FieldError| FieldError { pointer: format!("{place}{}", error.pointer), ..error };
        Self { errors: self.errors.into_iter().map(at).collect(), ..self }
    }

    /// With the fields that break a rule.
    pub(crate) fn with_errors(self, errors: Vec<FieldError>) -> Self {
        Self { errors, ..self }
    }

    /// With a time to wait.
    pub(crate) fn with_retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// As the repetition of an earlier answer.
    pub(crate) fn replayed(self) -> Self {
        Self { replayed: true, ..self }
    }

    /// The whole body.
    pub(crate) fn body(&self, instance: &str, request_id: &str) -> ProblemBody {
        ProblemBody {
            kind: format!("/problems/{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            code: self.code.as_str(),
            detail: self.detail.clone(),
            instance: instance.to_owned(),
            retry: self.code.retry(),
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::UnknownBranch(code) => Self::unknown_branch(code),
            ReadError::Unavailable(reason) => Self::unavailable(reason),
            ReadError::Bug => Self::internal(),
        }
    }
}

impl IntoResponse for Problem {
    /// Status and headers; the body is added by [`crate::request_context`].
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds_up(wait)));
        }
        if self.replayed {
            headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
        }
        if self.code == Code::Unauthorized {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Whole seconds, at least one: `Retry-After` has no finer unit, and 0 would mean at once.
fn seconds_up(wait: Duration) -> u64 {
    let more = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(more).max(1)
}

#[cfg(test)]
mod tests;
