//! Transfers: what a client asks for, what is recorded of it, and the lines that it leaves on accounts.
//!
//! The client chooses the id, which is the idempotency key: the same id with the same content is the same
//! transfer, with other content it is a conflict that names the field.

use crate::account_number::AccountNumber;
use crate::amount::{Amount, Balance};
use crate::branch::BranchCode;
use crate::branch_set::BranchSet;
use crate::chain::Link;
use crate::currency::Currency;
use crate::line::{LineError, one_line};
use crate::operation::{Operation, TransferKind};
use crate::refusal::Refusal;
use crate::time::Timestamp;
use crate::transfer_id::TransferId;
use crate::word::{self, WordError};
use std::fmt;
use std::str::FromStr;

/// Text that the payer adds: one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference(Box<str>);

impl Reference {
    /// From text.
    pub fn new(text: &str) -> Result<Self, LineError> {
        one_line(text).map(Self)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One transfer as it was asked for. The two accounts differ: the constructor of requests sees to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The client's id.
    pub id: TransferId,
    /// What it does.
    pub operation: Operation,
    /// Where the money comes from.
    pub debit: AccountNumber,
    /// Where it goes.
    pub credit: AccountNumber,
    /// How much, in minor units. In a record of [`Operation::UpTo`], [`Operation::Release`] and [`Operation::Expiry`] what
    /// was moved or given back.
    pub amount: Amount,
    /// Of which currency.
    pub currency: Currency,
    /// The client's own classification, 0 when none.
    pub category: u16,
    /// Text for the statement.
    pub reference: Option<Reference>,
    /// Its place in a chain, if it is of one.
    pub link: Option<Link>,
}

/// A field of a transfer, as a conflict names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `kind`
    Kind,
    /// `debit_account`
    DebitAccount,
    /// `credit_account`
    CreditAccount,
    /// `amount`
    Amount,
    /// `currency`
    Currency,
    /// `category`
    Category,
    /// `reference`
    Reference,
    /// `hold`
    Hold,
    /// `final`
    Final,
    /// `expires_at`
    ExpiresAt,
    /// `up_to`
    UpTo,
    /// `original`
    Original,
    /// `force`
    Force,
    /// The chain that it is of, its place there, or that it is of none.
    Chain,
}

impl Field {
    /// The name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::DebitAccount => "debit_account",
            Self::CreditAccount => "credit_account",
            Self::Amount => "amount",
            Self::Currency => "currency",
            Self::Category => "category",
            Self::Reference => "reference",
            Self::Hold => "hold",
            Self::Final => "final",
            Self::ExpiresAt => "expires_at",
            Self::UpTo => "up_to",
            Self::Original => "original",
            Self::Force => "force",
            Self::Chain => "chain",
        }
    }
}

impl Transfer {
    /// How much was asked for, of which less may have been moved.
    pub fn asked(&self) -> Amount {
        self.operation.asked().unwrap_or(self.amount)
    }

    /// What it is.
    pub fn kind(&self) -> TransferKind {
        self.operation.kind()
    }

    /// The accounts that it changes: both, or the debit account alone.
    pub fn accounts(&self) -> impl Iterator<Item = AccountNumber> + use<> {
        [Some(self.debit), self.operation.moves_money().then_some(self.credit)].into_iter().flatten()
    }

    /// The branches that it touches.
    pub fn branches(&self) -> BranchSet {
        let other = if self.operation.moves_money() { self.credit } else { self.debit };
        BranchSet::pair(self.debit.branch(), other.branch())
    }

    /// The first branch in branch order that the transfer touches: where a refusal is recorded.
    pub fn home(&self) -> BranchCode {
        if self.operation.moves_money() { self.debit.branch().min(self.credit.branch()) } else { self.debit.branch() }
    }

    /// The other branch, of a cross-branch transfer.
    pub fn participant(&self) -> Option<BranchCode> {
        let last = self.debit.branch().max(self.credit.branch());
        (self.operation.moves_money() && last != self.home()).then_some(last)
    }

    /// Whether it changes an account of this branch.
    pub fn touches(&self, branch: BranchCode) -> bool {
        self.home() == branch || self.participant() == Some(branch)
    }

    /// The first field in which a transfer with the same id differs; `None` if it is the same transfer. What follows
    /// from the hold that both name is not compared.
    pub fn differs_from(&self, other: &Self) -> Option<Field> {
        let (a, b) = (self.operation, other.operation);
        let follows = a.follows_hold();
        // What is left to differ between two operations of a kind, once what is compared before is alike.
        let differs = |kind| a != b && a.kind() == kind;
        [
            (a.kind() != b.kind(), Field::Kind),
            (a.asked().is_some() != b.asked().is_some(), Field::UpTo),
            (a.hold() != b.hold(), Field::Hold),
            (a.original() != b.original(), Field::Original),
            (!follows && self.debit != other.debit, Field::DebitAccount),
            (!follows && self.credit != other.credit, Field::CreditAccount),
            (!follows && self.asked() != other.asked(), Field::Amount),
            (!follows && self.currency != other.currency, Field::Currency),
            (differs(TransferKind::Capture), Field::Final),
            (differs(TransferKind::Hold), Field::ExpiresAt),
            (differs(TransferKind::Reversal), Field::Force),
            (self.category != other.category, Field::Category),
            (self.reference != other.reference, Field::Reference),
            (self.link != other.link, Field::Chain),
        ]
        .into_iter()
        .find_map(|(differs, field)| differs.then_some(field))
    }
}

/// Debit or credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Money leaves.
    Debit,
    /// Money arrives.
    Credit,
}

impl Side {
    /// Both sides.
    pub const ALL: [Self; 2] = [Self::Debit, Self::Credit];

    /// The word of the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
        }
    }
}

impl FromStr for Side {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        word::read(&Self::ALL, Self::as_str, text)
    }
}

/// Where a posting left one of its accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The account's balance after it, credits minus debits.
    pub balance_after: Balance,
    /// Its number in the account's own gapless sequence.
    pub seq: i64,
    /// The transfer that left the account's line before it; none before the first.
    pub previous: Option<TransferId>,
}

/// What became of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The money moved, or was reserved or no longer is, which leaves no line. A side is absent where its branch was
    /// not read.
    Posted {
        /// The debit account's line.
        debit: Option<Line>,
        /// The credit account's line.
        credit: Option<Line>,
    },
    /// It did not, and never will under this id.
    Refused(Refusal),
}

/// A transfer and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRecord {
    /// What was asked for.
    pub transfer: Transfer,
    /// What became of it.
    pub decision: Decision,
    /// When it was posted or refused.
    pub posted_at: Timestamp,
}

impl TransferRecord {
    /// One record from the rows of two branches under the same id and content: each knows its own side.
    pub fn merged(self, other: &Self) -> Self {
        let decision = match (self.decision, other.decision) {
            (Decision::Posted { debit, credit }, Decision::Posted { debit: more_debit, credit: more_credit }) => {
                Decision::Posted { debit: debit.or(more_debit), credit: credit.or(more_credit) }
            }
            (decided, Decision::Posted { .. } | Decision::Refused(_)) => decided,
        };
        Self { decision, ..self }
    }
}

/// One line of an account's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number in the account's own gapless sequence.
    pub seq: i64,
    /// The transfer that left it.
    pub transfer: TransferId,
    /// What that was.
    pub kind: TransferKind,
    /// Whether the account was debited or credited.
    pub side: Side,
    /// By how much.
    pub amount: Amount,
    /// The account's balance after it, credits minus debits.
    pub balance_after: Balance,
    /// The account on the other side.
    pub counterparty: AccountNumber,
    /// The client's own classification, 0 when none.
    pub category: u16,
    /// The payer's text.
    pub reference: Option<Reference>,
    /// When.
    pub posted_at: Timestamp,
}
