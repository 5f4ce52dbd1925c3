//! Transfers, holds and the items of a bulk as the API answers them.

use super::Problem;
use crate::text;
use nostro_core::{AccountNumber, BranchCode, Currency};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
