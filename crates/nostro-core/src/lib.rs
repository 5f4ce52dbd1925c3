//! The pure core of Nostro: what money is and what a batch of transfers does to accounts.
//!
//! - [`amount`]: minor units, checked; [`currency`]: ISO 4217; [`time`]: instants
//! - [`branch`]: codes and numbers of branches; [`branch_set`]: those of a batch; [`account_number`]: the number that
//!   routes itself, written as `digits` at fixed places
//! - [`account`], [`customer`], [`transfer`], [`hold`], [`original`]: the nouns of the bank, with the bounds of every
//!   field
//! - [`operation`]: what a transfer does; [`chain`]: transfers that are all posted or all refused; [`filter`]: which
//!   rows of a list are wanted
//! - [`transfer_id`]: ids, and the period in which each is recorded
//! - [`line`](mod@line): one line of text, as a name and a reference are; [`word`]: enums as they are sent and stored
//! - [`account_change`]: changes of an account's limits and state
//! - [`refusal`]: why a transfer is not posted, with stable codes and a fixed order
//! - [`plan`]: decides a batch of transfers in order, in memory; `decide`: one of them, in the `ledger` of what the
//!   batch has come to; `locked_accounts`: its accounts as they were locked
//! - [`trial_balance`]: debits and credits by kind of account
//! - [`audit`]: totals of all branches from which a half-committed transfer is left out
//! - [`segments`], [`batch_sides`], [`sources_audit`]: what a full audit judges; [`finding`]: what it finds
//!
//! Nothing here waits, reads a clock, draws a random number or knows SQL: values in, values out. So every rule
//! of the ledger can be tested by a table.

#![warn(clippy::float_arithmetic, clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::arithmetic_side_effects, clippy::indexing_slicing))]

pub mod account;
pub mod account_change;
pub mod account_number;
pub mod amount;
pub mod audit;
pub mod batch_sides;
pub mod branch;
pub mod branch_set;
pub mod chain;
pub mod currency;
pub mod customer;
mod decide;
mod digits;
pub mod filter;
pub mod finding;
pub mod hold;
mod ledger;
pub mod line;
mod locked_accounts;
pub mod operation;
pub mod original;
pub mod plan;
pub mod refusal;
pub mod segments;
pub mod sources_audit;
pub mod time;
pub mod transfer;
pub mod transfer_id;
pub mod trial_balance;
pub mod word;

pub use account::{Account, AccountKind, AccountState, NormalSide};
pub use account_change::{AccountChange, ChangeRecord, ChangeRefusal, Terms};
pub use account_number::{AccountKey, AccountNumber, CustomerNumber};
pub use amount::{Amount, Balance};
pub use branch::{BranchCode, BranchNumber};
pub use branch_set::BranchSet;
pub use chain::{Chain, Link};
pub use currency::Currency;
pub use customer::{Customer, Name};
pub use filter::{Bounds, EntryFilter, HoldFilter};
pub use hold::{Hold, HoldState};
pub use operation::{Operation, TransferKind};
pub use original::Original;
pub use refusal::Refusal;
pub use time::Timestamp;
pub use transfer::{Entry, Reference, Side, Transfer, TransferRecord};
pub use transfer_id::{Period, TransferId};
