//! Typed client of the HTTP API.
//!
//! - `client`: one method for each route
//! - `outcome`: what became of a request to move money, and [`ClientError`]; read this one first
//! - `patience`: the same id again until an answer comes
//! - `request`, `view`, `trial_balance`, `full_audit`: the shapes that are sent and received; unknown fields are ignored
//! - `text`: numbers, codes and figures as the text that they are in JSON
//!
//! The one thing that this crate must get right: an answer that was lost is [`ClientError::Unknown`], never a
//! failure. Only what is known to have moved nothing says so.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod client;
mod full_audit;
mod outcome;
mod patience;
mod request;
mod text;
mod trial_balance;
mod view;

pub use client::{Client, Page};
pub use full_audit::{AuditFinding, AuditedBranch, FullAudit};
pub use outcome::{ClientError, Outcome, UnknownCause};
pub use patience::until_settled;
pub use request::{
    CaptureRequest, CashRequest, HoldRequest, NewAccount, NewCustomer, ReleaseRequest, ReversalRequest, TransferRequest,
};
pub use trial_balance::{TrialBalance, TrialBank, TrialBranch, TrialLine};
pub use view::{
    Account, AuditReport, BankAudit, Branch, BranchAudit, BulkItem, Commit, Customer, Entry, EntryAfter, FieldError,
    Hold, InDoubt, InDoubtList, Listing, PositionAudit, Problem, Resolved, Transfer, Waiter,
};
