//! Transfers with the batch that carried them, and the results of a bulk.

use crate::problem::ProblemBody;
use crate::view::{Figure, Text, normal_side};
use nostro_core::transfer::{Decision, Line};
use nostro_core::{
    AccountNumber, Amount, Balance, BranchCode, Currency, Link, Operation, Reference, Timestamp, Transfer, TransferId,
};
use nostro_engine::{BatchId, CommitPath, Receipt};
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
    /// This attempt moved nothing; send the same id again, where the problem names a field with that mended.
    Unavailable,
    /// The id was used with other content.
    Conflict,
}

/// A recorded transfer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Transfer)]
pub(crate) struct TransferView {
    #[schema(value_type = String, example = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001")]
    id: Text<TransferId>,
    /// `transfer`, `deposit`, `withdrawal`, `hold`, `capture`, `release`, `expiry` or `reversal`.
    #[schema(example = "transfer")]
    kind: &'static str,
    /// `posted`, `settling` or `refused`.
    state: State,
    /// The code of the refusal, if it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'static str>,
    #[schema(value_type = String, example = "AZ93000000001042")]
    debit_account: Text<AccountNumber>,
    #[schema(value_type = String, example = "TX25000000001042")]
    credit_account: Text<AccountNumber>,
    /// Minor units: what was moved.
    #[schema(value_type = String, example = "100000")]
    amount: Text<Amount>,
    /// Of a transfer of what is available: at most so much was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "100000")]
    asked: Option<Text<Amount>>,
    /// Minor units: how much of it has gone back so far. Only where one transfer is shown, and only of what moved money that may
    /// go back; absent where the branch of the account that was paid was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "40000")]
    reversed: Option<Text<Balance>>,
    #[schema(value_type = String, example = "USD")]
    currency: Text<Currency>,
    category: u16,
    #[schema(value_type = Option<String>)]
    reference: Option<Text<Reference>>,
    /// The chain that it is a link of.
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<LinkView>,
    /// The hold that a capture, a release or an expiry is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c000")]
    hold: Option<Text<TransferId>>,
    /// The transfer of which a reversal moves money back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c000")]
    original: Option<Text<TransferId>>,
    /// Of a reversal that might overdraw the account that was paid: true.
    #[serde(skip_serializing_if = "is_false")]
    #[schema(required = false)]
    forced: bool,
    /// Of a capture: whether it gave the rest of the hold back.
    #[serde(rename = "final", skip_serializing_if = "Option::is_none")]
    is_final: Option<bool>,
    /// Of a hold that expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "2026-11-30T00:00:00.000000Z")]
    expires_at: Option<Text<Timestamp>>,
    /// The batch that recorded it.
    #[schema(value_type = String, example = "AZ-1-4711")]
    batch: Text<BatchId>,
    /// When it was posted or refused.
    #[schema(value_type = String, example = "2026-11-23T08:00:00.000000Z")]
    posted_at: Text<Timestamp>,
    /// Where it left its accounts; a side is absent where its branch was not read.
    entries: Vec<EntryAfter>,
    commit: CommitView,
}

/// A transfer's place in its chain.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Link)]
pub(crate) struct LinkView {
    /// The first link.
    #[schema(value_type = String, example = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001")]
    id: Text<TransferId>,
    /// 0 for the first.
    position: u16,
    /// How many links there are.
    length: u16,
}

impl From<Link> for LinkView {
    fn from(link: Link) -> Self {
        Self { id: Text(link.chain), position: link.position, length: link.length }
    }
}

/// Where a transfer left one of its accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EntryAfter {
    #[schema(value_type = String, example = "AZ93000000001042")]
    account: Text<AccountNumber>,
    /// Minor units on the account's normal side.
    #[schema(value_type = String, example = "400075")]
    balance_after: Text<Figure>,
}

/// How the batch of a transfer committed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CommitPath)]
pub(crate) struct CommitView {
    /// The first branch in branch order.
    #[schema(value_type = String, example = "AZ")]
    home: Text<BranchCode>,
    /// The branches in the batch.
    #[schema(value_type = Vec<String>, example = json!(["AZ", "TX"]))]
    parts: Vec<Text<BranchCode>>,
    /// The branches that were prepared: all but home.
    #[schema(value_type = Vec<String>, example = json!(["TX"]))]
    prepared: Vec<Text<BranchCode>>,
    /// The branch whose local commit was the decision.
    #[schema(value_type = String, example = "AZ")]
    decided: Text<BranchCode>,
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
        let (is_final, expires_at) = match transfer.operation {
            Operation::Capture { is_final, .. } => (Some(is_final), None),
            Operation::Hold { expires_at } => (None, expires_at),
            Operation::Transfer
            | Operation::UpTo { .. }
            | Operation::Deposit
            | Operation::Withdrawal
            | Operation::Release { .. }
            | Operation::Expiry { .. }
            | Operation::Reversal { .. } => (None, None),
        };
        Self {
            id: Text(transfer.id),
            kind: transfer.kind().as_str(),
            state,
            refusal,
            debit_account: Text(transfer.debit),
            credit_account: Text(transfer.credit),
            amount: Text(transfer.amount),
            asked: transfer.operation.asked().map(Text),
            reversed: None,
            currency: Text(transfer.currency),
            category: transfer.category,
            reference: transfer.reference.clone().map(Text),
            chain: transfer.link.map(LinkView::from),
            hold: transfer.operation.hold().map(Text),
            original: transfer.operation.original().map(Text),
            forced: matches!(transfer.operation, Operation::Reversal { is_forced: true, .. }),
            is_final,
            expires_at: expires_at.map(Text),
            batch: Text(receipt.batch),
            posted_at: Text(receipt.record.posted_at),
            entries,
            commit: CommitView::new(&receipt.commit),
        }
    }

    /// With how much of it has gone back, if that is known.
    pub(crate) fn with_reversed(self, reversed: Option<Balance>) -> Self {
        Self { reversed: reversed.map(Text), ..self }
    }
}

impl EntryAfter {
    fn new(transfer: &Transfer, account: AccountNumber, line: Line) -> Self {
        Self {
            account: Text(account),
            balance_after: Text(Figure::new(normal_side(account, transfer.currency), line.balance_after)),
        }
    }
}

impl CommitView {
    /// From the engine's.
    pub(crate) fn new(commit: &CommitPath) -> Self {
        Self {
            home: Text(commit.home),
            parts: commit.parts.iter().copied().map(Text).collect(),
            prepared: commit.prepared().map(Text).collect(),
            decided: Text(commit.home),
        }
    }
}

/// A transfer of which it is not known yet whether it was decided.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnknownTransfer {
    #[schema(value_type = String, example = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001")]
    id: Text<TransferId>,
    /// `unknown`.
    state: State,
}

impl UnknownTransfer {
    /// Of the transfer with this id.
    pub(crate) fn new(id: TransferId) -> Self {
        Self { id: Text(id), state: State::Unknown }
    }
}

/// What became of one transfer of a bulk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BulkResult {
    #[schema(value_type = String, example = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001")]
    pub(crate) id: Text<TransferId>,
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
#[expect(dead_code, reason = "describes the answer in the OpenAPI document; it is written result by result")]
#[derive(Debug, ToSchema)]
pub(crate) struct BulkResults {
    /// In the order of the request.
    pub(crate) results: Vec<BulkResult>,
}
