//! The shapes of the trial balance.

use crate::text;
use nostro_core::{BranchCode, Currency};
use serde::{Deserialize, Serialize};

/// Debits and credits by branch, currency and kind of account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrialBalance {
    /// Whether debits equal credits at every branch, and the positions net to the batches in flight.
    pub balanced: bool,
    /// By branch, currency and item.
    pub lines: Vec<TrialLine>,
    /// By branch and currency.
    pub branches: Vec<TrialBranch>,
    /// By currency.
    pub bank: Vec<TrialBank>,
}

/// One line of a trial balance, in minor units.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrialLine {
    /// The branch.
    #[serde(with = "text")]
    pub branch: BranchCode,
    /// The currency.
    #[serde(with = "text")]
    pub currency: Currency,
    /// A kind of account, or `nostro`.
    pub item: String,
    /// Of a nostro position: the other branch.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text::option")]
    pub counterparty: Option<BranchCode>,
    /// Its debits.
    #[serde(with = "text")]
    pub debits: i128,
    /// Its credits.
    #[serde(with = "text")]
    pub credits: i128,
}

/// The sums of a branch in a trial balance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrialBranch {
    /// The branch.
    #[serde(with = "text")]
    pub branch: BranchCode,
    /// The currency.
    #[serde(with = "text")]
    pub currency: Currency,
    /// Of all its lines.
    #[serde(with = "text")]
    pub debits: i128,
    /// Equal to them.
    #[serde(with = "text")]
    pub credits: i128,
}

/// The accounts of all branches in a trial balance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrialBank {
    /// The currency.
    #[serde(with = "text")]
    pub currency: Currency,
    /// Of all accounts.
    #[serde(with = "text")]
    pub debits: i128,
    /// Of all accounts.
    #[serde(with = "text")]
    pub credits: i128,
    /// What the positions of all branches net to.
    #[serde(with = "text")]
    pub in_flight: i128,
    /// That less what the batches in flight net to: zero, or so much is in flight for ever.
    #[serde(with = "text")]
    pub difference: i128,
}
