//! Typed client of the HTTP API.
//!
//! - `client`: one method for each route, those that move money in `client::moving`; `chain`: a chain's one outcome
//! - `outcome`: what became of a request to move money, and [`ClientError`]; read this one first
//! - `patience`: the same id again until an answer comes
//! - `items`: what became of each item of a bulk, and the same ids again
//! - `filter`: which rows of a list are wanted; `pages`: lists whole; `statement_csv`: a statement as it comes in
//! - `request`, `view`, `statement`, `trial_balance`, `full_audit`: the shapes that are sent and received; unknown
//!   fields are ignored
//! - `text`: numbers, codes and figures as the text that they are in JSON
//!
//! The one thing that this crate must get right: an answer that was lost is [`ClientError::Unknown`], never a
//! failure. Only what is known to have moved nothing says so.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod chain;
mod client;
mod filter;
mod full_audit;
mod items;
mod outcome;
mod pages;
mod patience;
mod request;
mod statement;
mod statement_csv;
mod text;
mod trial_balance;
mod view;

pub use client::{Client, Page};
pub use filter::{EntryFilter, HoldFilter};
pub use full_audit::{AuditFinding, AuditedBranch, FullAudit};
pub use items::{ItemOutcome, items_until_settled};
pub use outcome::{ClientError, Outcome, UnknownCause};
pub use pages::{PAGE_ROWS_MAX, all, first};
pub use patience::{until_answered, until_settled};
pub use request::{
    BulkOperation, BulkOrder, CaptureRequest, CashRequest, ChangeRequest, HoldRequest, LegRequest, MultiLegRequest,
    NewAccount, NewCustomer, ReleaseRequest, ReversalRequest, TransferRequest,
};
pub use statement::{BalanceAt, Statement};
pub use statement_csv::StatementCsv;
pub use trial_balance::{TrialBalance, TrialBank, TrialBranch, TrialLine};
pub use view::{
    Account, AccountChange, AuditReport, BankAudit, Branch, BranchAudit, BulkItem, Commit, Customer, Entry, EntryAfter,
    FieldError, Found, FoundItem, Hold, InDoubt, InDoubtList, Link, Listing, MultiLegTransfer, PositionAudit, Problem,
    Resolved, Terms, Transfer, Waiter,
};
