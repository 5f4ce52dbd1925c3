//! The engine: takes transfers, forms batches, runs them through core, store and commit.
//!
//! - [`engine`]: the handle that the API holds; [`config`]: branches and limits
//! - [`item`]: a transfer or a chain that waits; [`lane`]: a bounded queue for each branch and each pair, and the
//!   batches that form in it
//! - [`batch`]: one batch, from its locks to its answers; [`attempt`]: what comes before its commit, [`lock_phase`]:
//!   the gates and locks of that; [`pace`]: how large a batch may be
//! - [`intake`]: the way in; [`answer`]: the outcomes; [`in_flight`]: ids that this server is busy with
//! - [`pool`]: connections of one branch, and its gate; [`bank`]: what all of these share
//! - [`watch`]: looks at each branch and recovers its batches; [`health`]: what it found; [`clock`]: skew; [`tasks`]:
//!   owns what runs
//! - [`doubt`]: accounts held by batches in doubt; [`in_doubt`]: what an operator sees of them and resolves
//! - [`replays`]: ids that come again; [`periods`]: the partitions of `transfer`
//! - [`expiries`]: books the expiry of holds whose time has run out
//! - [`mutex`]: how what tasks share is locked
//! - [`positions`]: rolls the nostro positions up, so that an audit is cheap
//! - [`past`]: final balances and statements of past instants; [`selection`]: lists with a filter
//! - [`registry`], [`register`]: customers and accounts; [`account_changes`]: their limits and states
//! - [`reading`]: look-ups; [`lookups`]: of accounts, many at once
//! - [`audit`]: the totals; [`full_audit`]: every row against every other
//!
//! A commit never runs in a request's future: batches are tasks of the engine's own, so that a client that hangs
//! up, a timeout or a shutdown cannot stop one half-way.

mod account_changes;
pub mod answer;
mod attempt;
mod audit;
mod bank;
mod batch;
pub mod clock;
pub mod config;
mod doubt;
pub mod engine;
mod expiries;
mod full_audit;
pub mod health;
mod in_doubt;
mod in_flight;
mod intake;
mod item;
mod lane;
mod lock_phase;
mod lookups;
mod mutex;
mod pace;
mod past;
mod periods;
mod pool;
mod positions;
mod reading;
pub mod register;
mod registry;
mod replays;
mod selection;
mod tasks;
mod watch;

pub use answer::{Answer, CommitPath, Receipt, Unavailable};
pub use config::{BranchConfig, EngineConfig, Limits};
pub use engine::{Engine, Found, StartError};
pub use full_audit::{StartAuditError, StartedAudit};
pub use health::{BranchStatus, Health, HomeVerdict, InDoubt, InDoubtList, ResolveError, Resolved};
pub use intake::Order;
pub use nostro_commit::BatchId;
pub use nostro_commit::recovery::Waiter;
pub use nostro_core::plan::UnusableId;
pub use nostro_store::account_change::ChangeRequest;
pub use nostro_store::audits::{AuditState, BranchLooked, FoundRow, FullAudit};
pub use nostro_store::past::{LineRange, Standing, Sums};
pub use past::{BalanceAt, LINES_AT_A_TIME_MAX, PastError, Statement, TOTALLED_LINES_MAX};
pub use reading::{LookedUp, Names};
pub use register::{Made, MadeUnder, NewAccount, NewCustomer, Page, ReadError, RegisterError};
pub use selection::{LOOKED_AT_MAX, Selection};
