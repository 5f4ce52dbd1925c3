//! The shapes that are received.
//!
//! Words that the server may add to (states, kinds, codes) stay text; numbers, codes and money have their types.
//! Fields that this crate does not know are ignored, so that a newer server can be read.

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

/// A hold as it stands, in minor units.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hold {
    /// The id of the transfer that placed it.
    pub id: Uuid,
    /// `open`, `captured`, `released` or `expired`.
    pub state: String,
    /// Where the money is reserved.
    #[serde(with = "text")]
    pub debit_account: AccountNumber,
    /// In whose favour.
    #[serde(with = "text")]
    pub credit_account: AccountNumber,
    /// What was reserved at first.
    #[serde(with = "text")]
    pub amount: i64,
    /// Of which currency.
    #[serde(with = "text")]
    pub currency: Currency,
    /// So much was captured.
    #[serde(with = "text")]
    pub captured: i64,
    /// So much was given back.
    #[serde(with = "text")]
    pub released: i64,
    /// So much is still reserved.
    #[serde(with = "text")]
    pub remaining: i64,
    /// RFC 3339; never if absent.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// RFC 3339.
    pub placed_at: String,
    /// RFC 3339: when the last of it was captured or given back.
    #[serde(default)]
    pub ended_at: Option<String>,
}

/// A transfer with many legs that is committed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MultiLegTransfer {
    /// The request's id, and the first leg's.
    pub id: Uuid,
    /// `posted` or `settling`.
    pub state: String,
    /// In the order of the request.
    pub legs: Vec<Transfer>,
}

/// A transfer's place in its chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The first link.
    pub id: Uuid,
    /// 0 for the first.
    pub position: u16,
    /// How many links there are.
    pub length: u16,
}

/// A recorded transfer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Transfer {
    /// The client's id.
    pub id: Uuid,
    /// `transfer`, `deposit`, `withdrawal`, `hold`, `capture`, `release`, `expiry` or `reversal`.
    pub kind: String,
    /// `posted`, `settling` or `refused`.
    pub state: String,
    /// The code of the refusal, if it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Where the money came from.
    #[serde(with = "text")]
    pub debit_account: AccountNumber,
    /// Where it went.
    #[serde(with = "text")]
    pub credit_account: AccountNumber,
    /// Minor units.
    #[serde(with = "text")]
    pub amount: i64,
    /// Of a transfer of what is available: at most so much was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text::option")]
    pub asked: Option<i64>,
    /// Minor units: how much of it has gone back so far, of a transfer that was looked up by its id. Absent of what moved no
    /// money that may go back, and where the branch of the account that was paid was not read.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text::option")]
    pub reversed: Option<i64>,
    /// Of which currency.
    #[serde(with = "text")]
    pub currency: Currency,
    /// The client's own classification.
    pub category: u16,
    /// The payer's text.
    #[serde(default)]
    pub reference: Option<String>,
    /// The hold that a capture, a release or an expiry is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Uuid>,
    /// The transfer of which a reversal moves money back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<Uuid>,
    /// Its place in its chain, if it is of one.
    #[serde(default)]
    pub chain: Option<Link>,
    /// Whether a reversal might overdraw the account that was paid.
    #[serde(default)]
    pub forced: bool,
    /// Of a capture: whether it gave the rest of the hold back.
    #[serde(default, rename = "final", skip_serializing_if = "Option::is_none")]
    pub is_final: Option<bool>,
    /// RFC 3339, of a hold that expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// The batch that recorded it.
    pub batch: String,
    /// RFC 3339.
    pub posted_at: String,
    /// Where it left its accounts, as far as they were read.
    #[serde(default)]
    pub entries: Vec<EntryAfter>,
    /// How its batch committed.
    pub commit: Commit,
}

/// Where a transfer left one of its accounts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EntryAfter {
    /// The account.
    #[serde(with = "text")]
    pub account: AccountNumber,
    /// On the account's normal side.
    #[serde(with = "text")]
    pub balance_after: i128,
}

/// How the branches of a batch committed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Commit {
    /// The first branch in branch order.
    #[serde(with = "text")]
    pub home: BranchCode,
    /// The branches in the batch.
    #[serde(with = "text::list")]
    pub parts: Vec<BranchCode>,
    /// The branches that were prepared.
    #[serde(with = "text::list")]
    pub prepared: Vec<BranchCode>,
    /// The branch whose local commit was the decision.
    #[serde(with = "text")]
    pub decided: BranchCode,
}

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

/// What became of one transfer of a bulk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BulkItem {
    /// The client's id.
    pub id: Uuid,
    /// `posted`, `refused`, `settling`, `unknown`, `unavailable` or `conflict`.
    pub state: String,
    /// Whether it was decided by an earlier request.
    #[serde(default)]
    pub replayed: bool,
    /// Of `posted` and `settling`.
    #[serde(default)]
    pub transfer: Option<Transfer>,
    /// Of `refused`, `unavailable` and `conflict`.
    #[serde(default)]
    pub problem: Option<Problem>,
}

/// The results of a bulk.
#[derive(Deserialize)]
pub(crate) struct BulkResults {
    pub(crate) results: Vec<BulkItem>,
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

/// A branch with its health.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Branch {
    /// Its code.
    #[serde(with = "text")]
    pub code: BranchCode,
    /// The leading digits of its keys.
    pub number: u32,
    /// Its name for people.
    pub name: String,
    /// IANA time zone.
    pub time_zone: String,
    /// Host and port of its database.
    pub address: String,
    /// `reachable`, `unreachable`, `clock_skew` or `wrong_identity`.
    pub health: String,
    /// Prepared transactions, when it was last reached.
    pub in_doubt: u64,
}

/// A prepared transaction that waits for its decision.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InDoubt {
    /// Its name in `pg_prepared_xacts`.
    pub gid: String,
    /// The batch.
    pub batch: String,
    /// Where it is prepared.
    pub branch: String,
    /// All branches of the batch, home first.
    pub parts: Vec<String>,
    /// Since it was prepared.
    pub age_ms: u64,
    /// What its home has recorded: `committed`, `aborted`, `undecided`, `restored` or `home_unreachable`.
    pub verdict: String,
    /// Accounts that it is known to hold.
    #[serde(with = "text::list")]
    pub accounts: Vec<AccountNumber>,
    /// Sessions of the branch's database that wait for it, and those behind them.
    pub waiting: Vec<Waiter>,
}

/// A session of a branch's database that a batch in doubt keeps waiting.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Waiter {
    /// Its process.
    pub pid: i32,
    /// As it calls itself.
    pub application: String,
    /// Since it began to wait.
    pub waited_ms: u64,
    /// The kind of lock, as in `pg_locks`.
    pub lock: String,
    /// The mode, as in `pg_locks`.
    pub mode: String,
    /// Whether it waits for the batch itself; else it waits behind a session that does.
    pub direct: bool,
}

/// What resolving a batch came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resolved {
    /// The batch.
    pub batch: String,
    /// All branches of the batch, home first.
    pub parts: Vec<String>,
    /// `committed`, `aborted`, `home_unreachable` or `contradicted`.
    pub verdict: String,
    /// Whether every branch is known to be at the verdict.
    pub finished: bool,
    /// Branches that could not be asked or still have it prepared.
    pub left: Vec<String>,
    /// What contradicts the protocol, in words.
    pub alarms: Vec<String>,
}

/// What is in doubt at the branches that could be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InDoubtList {
    /// Prepared transactions, by branch.
    pub data: Vec<InDoubt>,
    /// Branches that could not be asked: there may be more.
    #[serde(default)]
    pub unreachable: Vec<String>,
}

/// What the audit found; figures in minor units, credits minus debits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditReport {
    /// Whether every branch, every pair of branches and the bank balance.
    pub balanced: bool,
    /// How many batches were in flight and left out.
    pub batches_in_flight: u64,
    /// By branch and currency.
    pub branches: Vec<BranchAudit>,
    /// By currency.
    pub bank: Vec<BankAudit>,
    /// Pairs of branches that disagree.
    pub positions: Vec<PositionAudit>,
}

/// The books of one branch in one currency.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BranchAudit {
    /// The branch.
    #[serde(with = "text")]
    pub branch: BranchCode,
    /// The currency.
    #[serde(with = "text")]
    pub currency: Currency,
    /// Sum of all accounts.
    #[serde(with = "text")]
    pub balances: i128,
    /// Sum of its positions with other branches.
    #[serde(with = "text")]
    pub positions: i128,
    /// Their sum, zero when the books balance.
    #[serde(with = "text")]
    pub difference: i128,
    /// Sum of what accounts have held.
    #[serde(with = "text")]
    pub held: i128,
    /// That less what open holds have left, zero when they agree.
    #[serde(with = "text")]
    pub held_difference: i128,
}

/// One currency over all branches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BankAudit {
    /// The currency.
    #[serde(with = "text")]
    pub currency: Currency,
    /// Sum of all accounts, zero when no money was made or lost.
    #[serde(with = "text")]
    pub total: i128,
    /// The same with batches in flight left in.
    #[serde(with = "text")]
    pub naive_total: i128,
}

/// Two branches whose positions with each other are not opposite.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PositionAudit {
    /// The first branch in branch order.
    #[serde(with = "text")]
    pub first: BranchCode,
    /// The other one.
    #[serde(with = "text")]
    pub second: BranchCode,
    /// The currency.
    #[serde(with = "text")]
    pub currency: Currency,
    /// The sum of both positions.
    #[serde(with = "text")]
    pub difference: i128,
}
