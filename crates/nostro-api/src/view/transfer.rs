//! Transfers with the batch that carried them, and the results of a bulk.

use crate::problem::ProblemBody;
use crate::view::{figure, normal_side};
use nostro_core::transfer::{Decision, Line};
use nostro_core::{AccountNumber, Transfer, TransferId};
use nostro_engine::{CommitPath, Receipt};
use serde::Serialize;
use utoipa::ToSchema;

/// What became of a transfer, as the API's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Committed at every branch.
    Posted,
    /// Decided: committed; a branch has yet to finish.
    Settling,
    /// Refused and recorded.
    Refused,
    /// Not known yet whether it was decided; send the same id again.
    Unknown,
    /// This attempt moved nothing; send the same id again.
    Unavailable,
    /// The id was used with other content.
    Conflict,
}

/// A recorded transfer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Transfer)]
pub(crate) struct TransferView {
    #[schema(example = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001")]
    id: String,
    /// `transfer`, `deposit` or `withdrawal`.
    #[schema(example = "transfer")]
    kind: &'static str,
    /// `posted`, `settling` or `refused`.
    state: State,
    /// The code of the refusal, if it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'static str>,
    #[schema(example = "AZ93000000001042")]
    debit_account: String,
    #[schema(example = "TX25000000001042")]
    credit_account: String,
    /// Minor units.
    #[schema(example = "100000")]
    amount: String,
    #[schema(example = "USD")]
    currency: String,
    category: u16,
    reference: Option<String>,
    /// The batch that recorded it.
    #[schema(example = "AZ-1-4711")]
    batch: String,
    /// When it was posted or refused.
    #[schema(example = "2026-11-23T08:00:00.000000Z")]
    posted_at: String,
    /// Where it left its accounts; a side is absent where its branch was not read.
    entries: Vec<EntryAfter>,
    commit: CommitView,
}

/// Where a transfer left one of its accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EntryAfter {
    #[schema(example = "AZ93000000001042")]
    account: String,
    /// Minor units on the account's normal side.
    #[schema(example = "400075")]
    balance_after: String,
}

/// How the batch of a transfer committed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CommitPath)]
pub(crate) struct CommitView {
    /// The first branch in branch order.
    #[schema(example = "AZ")]
    home: String,
    /// The branches in the batch.
    #[schema(example = json!(["AZ", "TX"]))]
    parts: Vec<String>,
    /// The branches that were prepared: all but home.
    #[schema(example = json!(["TX"]))]
    prepared: Vec<String>,
    /// The branch whose local commit was the decision.
    #[schema(example = "AZ")]
    decided: String,
}

impl TransferView {
    /// A recorded transfer; `settled` says whether every branch of its batch has finished.
    pub(crate) fn new(receipt: &Receipt, settled: bool) -> Self {
        let transfer = &receipt.record.transfer;
        let (state, refusal, entries) = match receipt.record.decision {
            Decision::Posted { debit, credit } => {
                let state = if settled { State::Posted } else { State::Settling };
                let sides = [(transfer.debit, debit), (transfer.credit, credit)];
                let known = sides.into_iter().filter_map(|(account, line)| Some((account, line?)));
                (state, None, known.map(|(account, line)| EntryAfter::new(transfer, account, line)).collect())
            }
            Decision::Refused(refusal) => (State::Refused, Some(refusal.code()), Vec::new()),
        };
        Self {
            id: transfer.id.to_string(),
            kind: transfer.kind.as_str(),
            state,
            refusal,
            debit_account: transfer.debit.to_string(),
            credit_account: transfer.credit.to_string(),
            amount: transfer.amount.to_string(),
            currency: transfer.currency.to_string(),
            category: transfer.category,
            reference: transfer.reference.as_ref().map(|reference| reference.as_str().to_owned()),
            batch: receipt.batch.to_string(),
            posted_at: receipt.record.posted_at.to_string(),
            entries,
            commit: CommitView::new(&receipt.commit),
        }
    }
}

impl EntryAfter {
    fn new(transfer: &Transfer, account: AccountNumber, line: Line) -> Self {
        Self {
            account: account.to_string(),
            balance_after: figure(normal_side(account, transfer.currency), line.balance_after),
        }
    }
}

impl CommitView {
    fn new(commit: &CommitPath) -> Self {
        Self {
            home: commit.home.to_string(),
            parts: commit.parts.iter().map(ToString::to_string).collect(),
            prepared: commit.prepared().map(|part| part.to_string()).collect(),
            decided: commit.home.to_string(),
        }
    }
}

/// A transfer of which it is not known yet whether it was decided.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnknownTransfer {
    #[schema(example = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001")]
    id: String,
    /// `unknown`.
    state: State,
}

impl UnknownTransfer {
    /// Of the transfer with this id.
    pub(crate) fn new(id: TransferId) -> Self {
        Self { id: id.to_string(), state: State::Unknown }
    }
}

/// What became of one transfer of a bulk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BulkResult {
    #[schema(example = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001")]
    pub(crate) id: String,
    pub(crate) state: State,
    /// Present where it was decided earlier under the same id.
    #[serde(skip_serializing_if = "is_false")]
    #[schema(required = false)]
    pub(crate) replayed: bool,
    /// Of `posted` and `settling`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transfer: Option<TransferView>,
    /// Of `refused`, `unavailable`, `conflict`, and of `unknown` after an internal error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<ProblemBody>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// The results of a bulk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BulkResults {
    /// In the order of the request.
    pub(crate) results: Vec<BulkResult>,
}
