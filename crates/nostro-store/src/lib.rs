//! One branch's tables, and all SQL of the bank.
//!
//! - [`migrate`]: makes a database a branch, and brings it up to date
//! - [`statements`]: the prepared statements of the engine's writers
//! - [`lock`]: enters and leaves the gate, locks and reads what a batch touches
//! - [`mod@write`]: stores what the planner decided; `transfer_rows`: the rows of `transfer` among it
//! - [`place`]: where locked rows stand, to be updated without the index
//! - [`nets`]: what a batch leaves between two branches, and its hash
//! - [`periods`]: the partitions of `transfer`
//! - [`account_change`]: changes of limits and states
//! - [`register`]: customers and accounts; [`read`]: what the API shows; [`totals`]: one branch's part of the audit
//! - [`past`]: what an account was at a past instant; [`filtered`]: the rows of a list that a filter selects
//! - [`audit_rows`], [`audit_transfers`], [`audit_batches`], [`audit_periods`]: what a full audit reads, and what it
//!   keeps of closed months; [`audits`]: what it came to
//! - [`rows`]: from columns to the types of the core
//!
//! SQL stores what the core decided; it decides nothing. Everything here works on one branch and one connection.

pub mod account_change;
pub mod audit_batches;
pub mod audit_periods;
pub mod audit_rows;
pub mod audit_transfers;
pub mod audits;
pub mod filtered;
pub mod lock;
pub mod migrate;
pub mod nets;
pub mod past;
pub mod periods;
pub mod place;
pub mod read;
pub mod register;
pub mod rows;
pub mod statements;
pub mod totals;
mod transfer_rows;
pub mod write;

pub use rows::{BranchId, RowError, StoredTransfer};
