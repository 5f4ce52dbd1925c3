//! The bodies that are sent.
//!
//! Each carries its id: whoever makes the request keeps it, so that the same one can be sent again after an
//! answer was lost.

use crate::text;
use nostro_core::{AccountNumber, Amount, BranchCode, Currency, CustomerNumber};
use serde::Serialize;
use uuid::Uuid;

/// A transfer to be made.
#[derive(Clone, Debug, Serialize)]
pub struct TransferRequest {
    /// The idempotency key; version 7 is advised.
    pub id: Uuid,
    /// Where the money comes from.
    #[serde(with = "text")]
    pub debit_account: AccountNumber,
    /// Where it goes.
    #[serde(with = "text")]
    pub credit_account: AccountNumber,
    /// Minor units.
    #[serde(serialize_with = "text::serialize")]
    pub amount: Amount,
    /// Of which currency.
    #[serde(with = "text")]
    pub currency: Currency,
    /// Whether the amount is the most that is moved, and what is available is enough.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub up_to: bool,
    /// The client's own classification, 0 when none.
    pub category: u16,
    /// One line of text for the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// Cash to be taken in or paid out.
#[derive(Clone, Debug, Serialize)]
pub struct CashRequest {
    /// The idempotency key; version 7 is advised.
    pub id: Uuid,
    /// The customer's account.
    #[serde(with = "text")]
    pub account: AccountNumber,
    /// Minor units.
    #[serde(serialize_with = "text::serialize")]
    pub amount: Amount,
    /// Of which currency.
    #[serde(with = "text")]
    pub currency: Currency,
    /// The client's own classification, 0 when none.
    pub category: u16,
    /// One line of text for the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A reversal of a transfer to be made.
#[derive(Clone, Debug, Serialize)]
pub struct ReversalRequest {
    /// The idempotency key; version 7 is advised.
    pub id: Uuid,
    /// Minor units; all that the transfer moved if absent.
    #[serde(with = "text::option", skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// Whether the account that was paid may be overdrawn by it.
    pub force: bool,
    /// The client's own classification, 0 when none.
    pub category: u16,
    /// One line of text for the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A hold to be placed.
#[derive(Clone, Debug, Serialize)]
pub struct HoldRequest {
    /// The idempotency key, and the hold's id from then on; version 7 is advised.
    pub id: Uuid,
    /// Where the money is reserved.
    #[serde(with = "text")]
    pub debit_account: AccountNumber,
    /// In whose favour.
    #[serde(with = "text")]
    pub credit_account: AccountNumber,
    /// Minor units.
    #[serde(serialize_with = "text::serialize")]
    pub amount: Amount,
    /// Of which currency.
    #[serde(with = "text")]
    pub currency: Currency,
    /// RFC 3339: from when on it is expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// The client's own classification, 0 when none.
    pub category: u16,
    /// One line of text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A capture of a hold to be made.
#[derive(Clone, Debug, Serialize)]
pub struct CaptureRequest {
    /// The idempotency key; version 7 is advised.
    pub id: Uuid,
    /// Minor units, at most what is left of the hold.
    #[serde(serialize_with = "text::serialize")]
    pub amount: Amount,
    /// Whether the rest is given back.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// The client's own classification, 0 when none.
    pub category: u16,
    /// One line of text for the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A release of a hold to be made.
#[derive(Clone, Debug, Serialize)]
pub struct ReleaseRequest {
    /// The idempotency key; version 7 is advised.
    pub id: Uuid,
    /// The client's own classification, 0 when none.
    pub category: u16,
    /// One line of text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A customer to be made.
#[derive(Clone, Debug, Serialize)]
pub struct NewCustomer {
    /// The idempotency key; version 7 is advised.
    pub id: Uuid,
    /// The branch that keeps the customer.
    #[serde(with = "text")]
    pub branch: BranchCode,
    /// The customer's name.
    pub name: String,
}

/// An account to be opened.
#[derive(Clone, Debug, Serialize)]
pub struct NewAccount {
    /// The idempotency key; version 7 is advised.
    pub id: Uuid,
    /// Whose it will be.
    #[serde(with = "text")]
    pub customer: CustomerNumber,
    /// `checking` or `savings`.
    pub kind: String,
    /// Its one currency.
    #[serde(with = "text")]
    pub currency: Currency,
    /// How far below zero it may go, in minor units, zero or more.
    #[serde(with = "text")]
    pub overdraft_limit: i64,
}

/// Many transfers in one request.
#[derive(Serialize)]
pub(crate) struct Bulk<'a, T> {
    pub(crate) transfers: &'a [T],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) atomic: bool,
}

/// An item of a bulk.
#[derive(Clone, Debug, Serialize)]
pub struct BulkOrder {
    /// What it does.
    #[serde(flatten)]
    pub operation: BulkOperation,
    /// Whether it and the next item are of one chain.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub linked: bool,
}

/// What an item of a bulk does.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BulkOperation {
    /// Moves money from account to account.
    Transfer(TransferRequest),
    /// Takes cash in.
    Deposit(CashRequest),
    /// Pays cash out.
    Withdrawal(CashRequest),
    /// Reserves money.
    Hold(HoldRequest),
    /// Moves money out of a hold.
    Capture {
        /// The hold.
        hold: Uuid,
        /// What is captured.
        #[serde(flatten)]
        request: CaptureRequest,
    },
    /// Gives back what is left of a hold.
    Release {
        /// The hold.
        hold: Uuid,
        /// The release.
        #[serde(flatten)]
        request: ReleaseRequest,
    },
    /// Moves money of a transfer back.
    Reversal {
        /// The transfer.
        original: Uuid,
        /// How much of it.
        #[serde(flatten)]
        request: ReversalRequest,
    },
}

impl BulkOperation {
    /// The idempotency key.
    pub fn id(&self) -> Uuid {
        match self {
            Self::Transfer(request) => request.id,
            Self::Deposit(request) | Self::Withdrawal(request) => request.id,
            Self::Hold(request) => request.id,
            Self::Capture { request, .. } => request.id,
            Self::Release { request, .. } => request.id,
            Self::Reversal { request, .. } => request.id,
        }
    }
}

impl From<BulkOperation> for BulkOrder {
    /// By itself.
    fn from(operation: BulkOperation) -> Self {
        Self { operation, linked: false }
    }
}

/// One account pays many, or many pay one.
#[derive(Clone, Debug, Serialize)]
pub struct MultiLegRequest {
    /// The idempotency key; version 7 is advised.
    pub id: Uuid,
    /// Who pays all legs.
    #[serde(skip_serializing_if = "Option::is_none", with = "text::option")]
    pub debit_account: Option<AccountNumber>,
    /// Who is paid by all legs.
    #[serde(skip_serializing_if = "Option::is_none", with = "text::option")]
    pub credit_account: Option<AccountNumber>,
    /// Minor units: the sum of the legs.
    #[serde(serialize_with = "text::serialize")]
    pub amount: Amount,
    /// Of which currency.
    #[serde(with = "text")]
    pub currency: Currency,
    /// 1 to 8,192 of them.
    pub legs: Vec<LegRequest>,
    /// One line of text for the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// One leg; it names the side that the request does not.
#[derive(Clone, Debug, Serialize)]
pub struct LegRequest {
    /// Who pays.
    #[serde(skip_serializing_if = "Option::is_none", with = "text::option")]
    pub debit_account: Option<AccountNumber>,
    /// Who is paid.
    #[serde(skip_serializing_if = "Option::is_none", with = "text::option")]
    pub credit_account: Option<AccountNumber>,
    /// Minor units.
    #[serde(serialize_with = "text::serialize")]
    pub amount: Amount,
    /// One line of text for the statement; the request's if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// Many customers in one request.
#[derive(Serialize)]
pub(crate) struct Customers<'a> {
    pub(crate) customers: &'a [NewCustomer],
}

/// Many accounts in one request.
#[derive(Serialize)]
pub(crate) struct Accounts<'a> {
    pub(crate) accounts: &'a [NewAccount],
}

/// Ids of which is asked what was made under them.
#[derive(Serialize)]
pub(crate) struct WantedIds<'a> {
    pub(crate) ids: &'a [Uuid],
}

/// An account to be closed.
#[derive(Serialize)]
pub(crate) struct Close {
    pub(crate) id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// What is to be different at an account. What is absent stays as it is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ChangeRequest {
    /// The idempotency key; version 7 is advised.
    pub id: Uuid,
    /// How far below zero it may go, in minor units, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overdraft_limit: Option<String>,
    /// What its balance may not go above, in minor units, as text; or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<String>,
    /// `open`, `debits_frozen`, `credits_frozen` or `frozen`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// One line of text for the account's history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
