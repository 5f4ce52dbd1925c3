//! The shapes that are received.
//!
//! Words that the server may add to (states, kinds, codes) stay text; numbers, codes and money have their types.
//! Fields that this crate does not know are ignored, so that a newer server can be read.

mod account;
mod audit;
mod bank;
mod transfer;

pub use account::{Account, AccountChange, Customer, Entry, Found, FoundItem, Terms};
pub use audit::{AuditReport, BankAudit, BranchAudit, PositionAudit};
pub use bank::{Branch, InDoubt, InDoubtList, Resolved, Waiter};
pub use transfer::{BulkItem, Commit, EntryAfter, Hold, Link, MultiLegTransfer, Transfer};

use serde::{Deserialize, Serialize};

/// Problem details (RFC 9457) with our members.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// `/problems/` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable, for programs.
    pub code: String,
    /// For people.
    pub detail: String,
    /// The path of the request.
    pub instance: String,
    /// `same_id` or `never`.
    pub retry: String,
    /// For the server's log.
    pub request_id: String,
    /// The fields that break a rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// A field and the rule that it breaks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FieldError {
    /// JSON pointer into the request's body.
    pub pointer: String,
    /// The rule, and what was found.
    pub detail: String,
}

/// A list, or a page of one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listing<T> {
    /// Newest first, where it has pages.
    pub data: Vec<T>,
    /// For the next page; absent at the end.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

/// The results of a bulk.
#[derive(Deserialize)]
pub(crate) struct BulkResults {
    pub(crate) results: Vec<BulkItem>,
}
