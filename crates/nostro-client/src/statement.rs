//! The shapes of balances and statements of past instants.

use crate::text;
use crate::view::Entry;
use nostro_core::{AccountNumber, Currency};
use serde::{Deserialize, Serialize};

/// An account's balance at an instant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BalanceAt {
    /// The account.
    #[serde(with = "text")]
    pub account: AccountNumber,
    /// Its currency.
    #[serde(with = "text")]
    pub currency: Currency,
    /// `debit` or `credit`.
    pub normal_side: String,
    /// RFC 3339.
    pub at: String,
    /// Minor units, on the normal side.
    #[serde(with = "text")]
    pub posted: i128,
    /// The number of the last entry at or before the instant; 0 before the first.
    #[serde(with = "text")]
    pub seq: i64,
}

/// A page of a statement, oldest first. The period's figures are on its first page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Statement {
    /// The account.
    #[serde(with = "text")]
    pub account: AccountNumber,
    /// Its currency.
    #[serde(with = "text")]
    pub currency: Currency,
    /// `debit` or `credit`.
    pub normal_side: String,
    /// RFC 3339: the first instant of the period.
    pub from: String,
    /// RFC 3339: the first instant after it.
    pub to: String,
    /// The number of the last entry before the period.
    #[serde(with = "text")]
    pub opening_seq: i64,
    /// The number of its last entry.
    #[serde(with = "text")]
    pub closing_seq: i64,
    /// How many entries the period has.
    pub count: i64,
    /// Minor units, on the normal side.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text::option")]
    pub opening_balance: Option<i128>,
    /// Minor units, on the normal side.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text::option")]
    pub closing_balance: Option<i128>,
    /// Minor units, of the whole period.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text::option")]
    pub total_debits: Option<i128>,
    /// Minor units, of the whole period.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text::option")]
    pub total_credits: Option<i128>,
    /// Oldest first.
    pub data: Vec<Entry>,
    /// For the next page; absent at the end.
    #[serde(default)]
    pub next_cursor: Option<String>,
}
