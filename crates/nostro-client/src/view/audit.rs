//! The audit as the API answers it.

use crate::text;
use nostro_core::{BranchCode, Currency};
use serde::{Deserialize, Serialize};

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
