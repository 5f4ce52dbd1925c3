//! The results of a bulk that makes customers or accounts.

use crate::problem::ProblemBody;
use crate::view::account::{AccountView, CustomerView};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// What became of a customer or an account, as the API's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RegisteredState {
    /// Made by this request.
    Opened,
    /// Made by an earlier request with the same id and content.
    Replayed,
    /// Not made; the same request is answered the same.
    Refused,
    /// The id was used with other content.
    Conflict,
    /// This attempt made nothing; send the same id again.
    Unavailable,
    /// Not known whether it was made; send the same id again.
    Unknown,
}

/// What became of one customer of a bulk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CustomerResult {
    /// The client's id.
    pub(crate) id: Uuid,
    pub(crate) state: RegisteredState,
    /// Of `opened` and `replayed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) customer: Option<CustomerView>,
    /// Of `refused`, `conflict`, `unavailable`, and of `unknown` after an internal error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<ProblemBody>,
}

/// The results of a bulk of customers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CustomerResults {
    /// In the order of the request.
    pub(crate) results: Vec<CustomerResult>,
}

/// What became of one account of a bulk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountResult {
    /// The client's id.
    pub(crate) id: Uuid,
    pub(crate) state: RegisteredState,
    /// Of `opened` and `replayed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<AccountView>,
    /// Of `refused`, `conflict`, `unavailable`, and of `unknown` after an internal error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<ProblemBody>,
}

/// The results of a bulk of accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountResults {
    /// In the order of the request.
    pub(crate) results: Vec<AccountResult>,
}
