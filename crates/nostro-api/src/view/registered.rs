//! What became of customers and accounts that were asked for: the results of a bulk, and what is found under ids.

use crate::problem::ProblemBody;
use crate::view::account::{AccountView, CustomerView};
use nostro_core::{Account, Customer};
use nostro_engine::MadeUnder;
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

/// A request to make or change something, of which is not known whether it did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnknownRequest {
    /// The client's id.
    id: Uuid,
    /// `unknown`.
    state: RegisteredState,
}

impl UnknownRequest {
    /// Of the request with this id.
    pub(crate) fn new(id: Uuid) -> Self {
        Self { id, state: RegisteredState::Unknown }
    }
}

/// A customer with the id under which it was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FoundCustomer {
    /// The client's id.
    id: Uuid,
    customer: CustomerView,
}

/// Customers that were made under ids.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FoundCustomers {
    /// An id under which several branches have made one is there several times, one under which none did is not.
    data: Vec<FoundCustomer>,
    /// Branches that could not be asked: there may be more.
    #[schema(example = json!([]))]
    unreachable: Vec<String>,
}

impl From<&MadeUnder<Customer>> for FoundCustomers {
    fn from(found: &MadeUnder<Customer>) -> Self {
        let one = |(id, customer): &(Uuid, Customer)| FoundCustomer { id: *id, customer: customer.into() };
        let unreachable = found.unreachable.iter().map(ToString::to_string).collect();
        Self { data: found.made.iter().map(one).collect(), unreachable }
    }
}

/// An account with the id under which it was opened.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FoundAccount {
    /// The client's id.
    id: Uuid,
    account: AccountView,
}

/// Accounts that were opened under ids.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FoundAccounts {
    /// An id under which several branches have opened one is there several times, one under which none did is not.
    data: Vec<FoundAccount>,
    /// Branches that could not be asked: there may be more.
    #[schema(example = json!([]))]
    unreachable: Vec<String>,
}

impl From<&MadeUnder<Account>> for FoundAccounts {
    fn from(found: &MadeUnder<Account>) -> Self {
        let one = |(id, account): &(Uuid, Account)| FoundAccount { id: *id, account: account.into() };
        let unreachable = found.unreachable.iter().map(ToString::to_string).collect();
        Self { data: found.made.iter().map(one).collect(), unreachable }
    }
}

/// The results of a bulk of accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountResults {
    /// In the order of the request.
    pub(crate) results: Vec<AccountResult>,
}
