//! Refusals: why a transfer is not posted. Final, recorded under the transfer's id, replayed as the same answer.
//!
//! A refusal is a plain value, not an error: nothing went wrong, the bank said no. Where several apply, the first
//! in the order of the variants is given. Codes are stable; each has a heading in docs/reference/errors.md.

use crate::word::{self, WordError};
use std::fmt;
use std::str::FromStr;

/// Why a transfer was refused. The order is the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// No account has the number of the debit account.
    DebitAccountNotFound,
    /// No account has the number of the credit account.
    CreditAccountNotFound,
    /// One of the accounts has another currency than the transfer.
    CurrencyMismatch,
    /// No hold with that id is of these two accounts.
    HoldMismatch,
    /// Nothing is left of the hold: it was captured.
    HoldCaptured,
    /// The hold was released.
    HoldReleased,
    /// The hold's time has run out, or had when it was to be placed.
    HoldExpired,
    /// No posted movement of money from the credit to the debit account has that id, or it is a reversal itself.
    NotReversible,
    /// The debit account is closed.
    DebitAccountClosed,
    /// The credit account is closed.
    CreditAccountClosed,
    /// The debit account is frozen for debits.
    DebitAccountFrozen,
    /// The credit account is frozen for credits.
    CreditAccountFrozen,
    /// Less is left of the hold than is to be captured.
    HoldExceeded,
    /// With this reversal more would go back than was moved.
    ReversalExceeded,
    /// The debit account has less available than the amount.
    InsufficientFunds,
    /// The account that was paid has less available than is to go back.
    ReversalNotCovered,
    /// The credit account's balance would go above its ceiling.
    CeilingExceeded,
    /// A balance would go beyond what a bigint holds.
    BalanceOutOfRange,
    /// Another link of the transfer's chain was refused.
    ChainBroken,
}

impl Refusal {
    /// Every refusal, in order of precedence.
    pub const ALL: [Self; 19] = [
        Self::DebitAccountNotFound,
        Self::CreditAccountNotFound,
        Self::CurrencyMismatch,
        Self::HoldMismatch,
        Self::HoldCaptured,
        Self::HoldReleased,
        Self::HoldExpired,
        Self::NotReversible,
        Self::DebitAccountClosed,
        Self::CreditAccountClosed,
        Self::DebitAccountFrozen,
        Self::CreditAccountFrozen,
        Self::HoldExceeded,
        Self::ReversalExceeded,
        Self::InsufficientFunds,
        Self::ReversalNotCovered,
        Self::CeilingExceeded,
        Self::BalanceOutOfRange,
        Self::ChainBroken,
    ];

    /// The stable code of the API, the database and the documentation.
    pub fn code(self) -> &'static str {
        match self {
            Self::DebitAccountNotFound => "debit_account_not_found",
            Self::CreditAccountNotFound => "credit_account_not_found",
            Self::CurrencyMismatch => "currency_mismatch",
            Self::HoldMismatch => "hold_mismatch",
            Self::HoldCaptured => "hold_captured",
            Self::HoldReleased => "hold_released",
            Self::HoldExpired => "hold_expired",
            Self::NotReversible => "not_reversible",
            Self::DebitAccountClosed => "debit_account_closed",
            Self::CreditAccountClosed => "credit_account_closed",
            Self::DebitAccountFrozen => "debit_account_frozen",
            Self::CreditAccountFrozen => "credit_account_frozen",
            Self::HoldExceeded => "hold_exceeded",
            Self::ReversalExceeded => "reversal_exceeded",
            Self::InsufficientFunds => "insufficient_funds",
            Self::ReversalNotCovered => "reversal_not_covered",
            Self::CeilingExceeded => "ceiling_exceeded",
            Self::BalanceOutOfRange => "balance_out_of_range",
            Self::ChainBroken => "chain_broken",
        }
    }

    /// A title for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::DebitAccountNotFound => "Debit account not found",
            Self::CreditAccountNotFound => "Credit account not found",
            Self::CurrencyMismatch => "Currency mismatch",
            Self::HoldMismatch => "Hold mismatch",
            Self::HoldCaptured => "Hold captured",
            Self::HoldReleased => "Hold released",
            Self::HoldExpired => "Hold expired",
            Self::NotReversible => "Not reversible",
            Self::DebitAccountClosed => "Debit account closed",
            Self::CreditAccountClosed => "Credit account closed",
            Self::DebitAccountFrozen => "Debit account frozen",
            Self::CreditAccountFrozen => "Credit account frozen",
            Self::HoldExceeded => "Hold exceeded",
            Self::ReversalExceeded => "Reversal exceeded",
            Self::InsufficientFunds => "Insufficient funds",
            Self::ReversalNotCovered => "Reversal not covered",
            Self::CeilingExceeded => "Ceiling exceeded",
            Self::BalanceOutOfRange => "Balance out of range",
            Self::ChainBroken => "Chain broken",
        }
    }
}

impl FromStr for Refusal {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        word::read(&Self::ALL, Self::code, text)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
