//! Accounts, customers and entries as the API answers them.

use crate::text;
use nostro_core::{AccountNumber, BranchCode, Currency, CustomerNumber};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An account with its figures, in minor units on its normal side.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Its number.
    #[serde(with = "text")]
    pub number: AccountNumber,
    /// Where it is kept.
    #[serde(with = "text")]
    pub branch: BranchCode,
    /// Whose it is; the bank's own when absent.
    #[serde(default, with = "text::option")]
    pub customer: Option<CustomerNumber>,
    /// `checking`, `savings` or `cash`.
    pub kind: String,
    /// Its one currency.
    #[serde(with = "text")]
    pub currency: Currency,
    /// `debit` or `credit`.
    pub normal_side: String,
    /// What it stands at.
    #[serde(with = "text")]
    pub posted: i128,
    /// Reserved by open holds.
    #[serde(with = "text")]
    pub held: i128,
    /// What can be debited; absent for the bank's own accounts.
    #[serde(default, with = "text::option")]
    pub available: Option<i128>,
    /// How far below zero it may go.
    #[serde(with = "text")]
    pub overdraft_limit: i128,
    /// What it may not go above.
    #[serde(default, with = "text::option")]
    pub ceiling: Option<i128>,
    /// Whether its figures are outside its limits.
    pub limit_exceeded: bool,
    /// `open`, `debits_frozen`, `credits_frozen`, `frozen` or `closed`.
    pub state: String,
    /// RFC 3339.
    pub opened_at: String,
    /// How many entries it has.
    #[serde(with = "text")]
    pub seq: i64,
}

/// A change of an account's limits and state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountChange {
    /// The request's id.
    pub id: Uuid,
    /// Limits and state before it.
    pub before: Terms,
    /// Limits and state after it.
    pub after: Terms,
    /// Why.
    pub reason: Option<String>,
    /// RFC 3339.
    pub changed_at: String,
}

/// Limits and state of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// How far below zero it may go.
    #[serde(with = "text")]
    pub overdraft_limit: i128,
    /// What it may not go above.
    #[serde(default, with = "text::option")]
    pub ceiling: Option<i128>,
    /// `open`, `debits_frozen`, `credits_frozen`, `frozen` or `closed`.
    pub state: String,
}

/// A customer of a branch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Customer {
    /// Its number.
    #[serde(with = "text")]
    pub number: CustomerNumber,
    /// Its branch.
    #[serde(with = "text")]
    pub branch: BranchCode,
    /// Its name.
    pub name: String,
    /// RFC 3339.
    pub created_at: String,
}

/// Customers or accounts that were made under ids.
#[derive(Clone, Debug, Deserialize)]
pub struct Found<T> {
    /// One for each branch that made something under an id; none for an id under which nothing was made.
    pub data: Vec<FoundItem<T>>,
    /// Branches that could not be asked: there may be more.
    pub unreachable: Vec<String>,
}

/// A customer or an account with the id under which it was made.
#[derive(Clone, Debug, Deserialize)]
pub struct FoundItem<T> {
    /// The id of the request.
    pub id: Uuid,
    /// As it is now.
    #[serde(alias = "customer", alias = "account")]
    pub value: T,
}

/// One line of an account's history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Its number in the account's own gapless sequence.
    #[serde(with = "text")]
    pub seq: i64,
    /// The transfer that left it.
    pub transfer: Uuid,
    /// `transfer`, `deposit`, `withdrawal`, `capture` or `reversal`.
    pub kind: String,
    /// `debit` or `credit`.
    pub side: String,
    /// Minor units.
    #[serde(with = "text")]
    pub amount: i128,
    /// On the account's normal side.
    #[serde(with = "text")]
    pub balance_after: i128,
    /// The account on the other side.
    #[serde(with = "text")]
    pub counterparty: AccountNumber,
    /// The client's own classification.
    pub category: u16,
    /// The payer's text.
    #[serde(default)]
    pub reference: Option<String>,
    /// RFC 3339.
    pub posted_at: String,
}
