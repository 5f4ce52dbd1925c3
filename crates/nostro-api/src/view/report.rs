//! Reports over the bank.

use nostro_core::trial_balance::{Item, Sides, TrialBalance};
use serde::Serialize;
use utoipa::ToSchema;

/// Debits and credits by branch, currency and kind of account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TrialBalance)]
pub(crate) struct TrialBalanceView {
    /// Whether debits equal credits at every branch, and the positions net to the batches in flight.
    balanced: bool,
    /// By branch, currency and item.
    lines: Vec<TrialLineView>,
    branches: Vec<BranchSumView>,
    bank: Vec<BankSumView>,
}

/// One line of the trial balance, in minor units.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TrialLine)]
struct TrialLineView {
    #[schema(example = "AZ")]
    branch: String,
    #[schema(example = "USD")]
    currency: String,
    /// A kind of account (`checking`, `savings`, `cash`), or `nostro`: the position with another branch.
    #[schema(example = "nostro")]
    item: &'static str,
    /// Of a position: the other branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "TX")]
    counterparty: Option<String>,
    #[schema(example = "0")]
    debits: String,
    #[schema(example = "100000")]
    credits: String,
}

/// The sums of a branch in one currency.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TrialBranch)]
struct BranchSumView {
    #[schema(example = "AZ")]
    branch: String,
    #[schema(example = "USD")]
    currency: String,
    #[schema(example = "10385490")]
    debits: String,
    /// Equal to the debits, or the branch's books are wrong.
    #[schema(example = "10385490")]
    credits: String,
}

/// The accounts of all branches in one currency.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TrialBank)]
struct BankSumView {
    #[schema(example = "USD")]
    currency: String,
    #[schema(example = "17211991")]
    debits: String,
    #[schema(example = "17211991")]
    credits: String,
    /// What the positions of all branches net to: what was in flight between their snapshots.
    #[schema(example = "0")]
    in_flight: String,
    /// That less the nets of the batches that were: "0", or so much is in flight for ever.
    #[schema(example = "0")]
    difference: String,
}

impl From<&TrialBalance> for TrialBalanceView {
    fn from(report: &TrialBalance) -> Self {
        let figures = |Sides { debits, credits }: Sides| (debits.to_string(), credits.to_string());
        let lines = report.lines.iter().map(|line| {
            let (item, counterparty) = match line.item {
                Item::Accounts(kind) => (kind.as_str(), None),
                Item::Nostro(branch) => ("nostro", Some(branch.to_string())),
            };
            let (debits, credits) = figures(line.sides);
            let (branch, currency) = (line.branch.to_string(), line.currency.to_string());
            TrialLineView { branch, currency, item, counterparty, debits, credits }
        });
        let branches = report.branches.iter().map(|sum| {
            let (debits, credits) = figures(sum.sides);
            BranchSumView { branch: sum.branch.to_string(), currency: sum.currency.to_string(), debits, credits }
        });
        let bank = report.bank.iter().map(|sum| {
            let (debits, credits) = figures(sum.sides);
            let (in_flight, difference) = (sum.in_flight.to_string(), sum.difference.to_string());
            BankSumView { currency: sum.currency.to_string(), debits, credits, in_flight, difference }
        });
        Self {
            balanced: report.is_balanced(),
            lines: lines.collect(),
            branches: branches.collect(),
            bank: bank.collect(),
        }
    }
}
