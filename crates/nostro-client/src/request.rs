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
pub(crate) struct Bulk<'a> {
    pub(crate) transfers: &'a [TransferRequest],
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

/// Many deposits in one request.
#[derive(Serialize)]
pub(crate) struct Deposits<'a> {
    pub(crate) deposits: &'a [CashRequest],
}

/// An account to be closed.
#[derive(Serialize)]
pub(crate) struct Close {
    pub(crate) id: Uuid,
}
