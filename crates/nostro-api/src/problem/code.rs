//! All codes, with their status, title and whether the same id may be sent again.

use axum::http::StatusCode;
use nostro_core::Refusal;
use nostro_engine::Unavailable;

/// What went wrong, as a stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    InvalidRequest,
    UnknownBranch,
    Unauthorized,
    Forbidden,
    OriginNotAllowed,
    NotFound,
    AccountNotFound,
    TransferNotFound,
    HoldNotFound,
    BatchNotFound,
    AuditNotFound,
    MethodNotAllowed,
    HistoryArchived,
    IdConflict,
    IdTimeOutOfRange,
    IdExpired,
    PayloadTooLarge,
    UnsupportedMediaType,
    CustomerNotFound,
    AccountNotEmpty,
    AccountClosed,
    BankAccount,
    Refused(Refusal),
    RateLimited,
    InternalError,
    NotReady,
    BatchLive,
    AuditRunning,
    Unavailable(Unavailable),
}

impl Code {
    /// The codes without a value of their own; refusals and reasons of unavailability list themselves.
    pub(super) const PLAIN: &[Self] = &[
        Self::InvalidRequest,
        Self::UnknownBranch,
        Self::Unauthorized,
        Self::Forbidden,
        Self::OriginNotAllowed,
        Self::NotFound,
        Self::AccountNotFound,
        Self::TransferNotFound,
        Self::HoldNotFound,
        Self::BatchNotFound,
        Self::AuditNotFound,
        Self::MethodNotAllowed,
        Self::HistoryArchived,
        Self::IdConflict,
        Self::IdTimeOutOfRange,
        Self::IdExpired,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::CustomerNotFound,
        Self::AccountNotEmpty,
        Self::AccountClosed,
        Self::BankAccount,
        Self::RateLimited,
        Self::InternalError,
        Self::NotReady,
        Self::BatchLive,
        Self::AuditRunning,
    ];

    /// The stable text of the code.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::UnknownBranch => "unknown_branch",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::NotFound => "not_found",
            Self::AccountNotFound => "account_not_found",
            Self::TransferNotFound => "transfer_not_found",
            Self::HoldNotFound => "hold_not_found",
            Self::BatchNotFound => "batch_not_found",
            Self::AuditNotFound => "audit_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::HistoryArchived => "history_archived",
            Self::IdConflict => "id_conflict",
            Self::IdTimeOutOfRange => "id_time_out_of_range",
            Self::IdExpired => "id_expired",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::CustomerNotFound => "customer_not_found",
            Self::AccountNotEmpty => "account_not_empty",
            Self::AccountClosed => "account_closed",
            Self::BankAccount => "bank_account",
            Self::Refused(refusal) => refusal.code(),
            Self::RateLimited => "rate_limited",
            Self::InternalError => "internal_error",
            Self::NotReady => "not_ready",
            Self::BatchLive => "batch_live",
            Self::AuditRunning => "audit_running",
            Self::Unavailable(reason) => reason.code(),
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::InvalidRequest => "Invalid request",
            Self::UnknownBranch => "Unknown branch",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::OriginNotAllowed => "Origin not allowed",
            Self::NotFound => "Not found",
            Self::AccountNotFound => "Account not found",
            Self::TransferNotFound => "Transfer not found",
            Self::HoldNotFound => "Hold not found",
            Self::BatchNotFound => "Batch not found",
            Self::AuditNotFound => "Audit not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::HistoryArchived => "History archived",
            Self::IdConflict => "Id used with other content",
            Self::IdTimeOutOfRange => "Time of the id out of range",
            Self::IdExpired => "Id expired",
            Self::PayloadTooLarge => "Payload too large",
            Self::UnsupportedMediaType => "Unsupported media type",
            Self::CustomerNotFound => "Customer not found",
            Self::AccountNotEmpty => "Account not empty",
            Self::AccountClosed => "Account closed",
            Self::BankAccount => "Account of the bank",
            Self::Refused(refusal) => refusal.title(),
            Self::RateLimited => "Rate limited",
            Self::InternalError => "Internal error",
            Self::NotReady => "Not ready",
            Self::BatchLive => "Batch live",
            Self::AuditRunning => "Audit running",
            Self::Unavailable(Unavailable::Branch(_)) => "Branch unavailable",
            Self::Unavailable(Unavailable::AccountInDoubt(_)) => "Account in doubt",
            Self::Unavailable(Unavailable::QueueFull) => "Queue full",
            Self::Unavailable(Unavailable::Busy) => "Busy",
            Self::Unavailable(Unavailable::ClockSkew(_)) => "Clock skew",
            Self::Unavailable(Unavailable::IntakeClosed) => "Intake closed",
        }
    }

    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest | Self::UnknownBranch => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::OriginNotAllowed => StatusCode::FORBIDDEN,
            Self::NotFound
            | Self::AccountNotFound
            | Self::TransferNotFound
            | Self::HoldNotFound
            | Self::BatchNotFound
            | Self::AuditNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::HistoryArchived => StatusCode::GONE,
            Self::IdConflict | Self::AuditRunning => StatusCode::CONFLICT,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::IdTimeOutOfRange
            | Self::IdExpired
            | Self::CustomerNotFound
            | Self::AccountNotEmpty
            | Self::AccountClosed
            | Self::BankAccount
            | Self::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotReady | Self::BatchLive | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Whether the same id may, and should, be sent again as it was.
    pub(super) fn retry(self) -> &'static str {
        // Nothing is recorded by these, and what is not there yet may come, or what is in the way may go.
        if matches!(self, Self::AuditRunning | Self::TransferNotFound | Self::HoldNotFound) {
            return "same_id";
        }
        match self.status() {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::INTERNAL_SERVER_ERROR | StatusCode::SERVICE_UNAVAILABLE => {
                "same_id"
            }
            _ => "never",
        }
    }
}

/// Every code that the API answers, for the reference and its test.
pub fn problem_codes() -> Vec<&'static str> {
    let refusals = Refusal::ALL.into_iter().map(Refusal::code);
    // The codes of `Unavailable`, whose variants carry values; a test holds them against the engine's.
    let unavailable =
        ["branch_unavailable", "account_in_doubt", "queue_full", "busy", "clock_skew", "intake_closed"].into_iter();
    Code::PLAIN.iter().copied().map(Code::as_str).chain(refusals).chain(unavailable).collect()
}
