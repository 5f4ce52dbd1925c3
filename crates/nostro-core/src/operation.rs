//! What a transfer does: the word for it, and what is particular to each kind.

use crate::amount::Amount;
use crate::time::Timestamp;
use crate::transfer_id::TransferId;
use crate::word::{self, WordError};
use std::fmt;
use std::str::FromStr;

/// What a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransferKind {
    /// From account to account.
    Transfer,
    /// Cash comes in: from the branch's cash to a customer.
    Deposit,
    /// Cash goes out: from a customer to the branch's cash.
    Withdrawal,
    /// Money is reserved, and stays where it is.
    Hold,
    /// Reserved money moves.
    Capture,
    /// What is left of a hold is no longer reserved.
    Release,
    /// The same, because its time ran out.
    Expiry,
    /// Money goes back the way it came.
    Reversal,
}

impl TransferKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Transfer,
        Self::Deposit,
        Self::Withdrawal,
        Self::Hold,
        Self::Capture,
        Self::Release,
        Self::Expiry,
        Self::Reversal,
    ];

    /// The word of the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Deposit => "deposit",
            Self::Withdrawal => "withdrawal",
            Self::Hold => "hold",
            Self::Capture => "capture",
            Self::Release => "release",
            Self::Expiry => "expiry",
            Self::Reversal => "reversal",
        }
    }

    /// Whether it moves money that may go back. A reversal is not reversed: who erred makes a transfer.
    pub fn is_reversible(self) -> bool {
        match self {
            Self::Transfer | Self::Deposit | Self::Withdrawal | Self::Capture => true,
            Self::Hold | Self::Release | Self::Expiry | Self::Reversal => false,
        }
    }
}

impl FromStr for TransferKind {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        word::read(&Self::ALL, Self::as_str, text)
    }
}

impl fmt::Display for TransferKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a transfer does, with what is particular to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// From account to account.
    Transfer,
    /// From account to account, as much as is available there; its record has what was moved as its amount.
    UpTo {
        /// At most so much.
        asked: Amount,
    },
    /// Cash comes in.
    Deposit,
    /// Cash goes out.
    Withdrawal,
    /// Reserves the amount at the debit account.
    Hold {
        /// From when on it is expired; never if absent.
        expires_at: Option<Timestamp>,
    },
    /// Moves the amount out of a hold.
    Capture {
        /// Which one.
        hold: TransferId,
        /// Whether the rest is given back.
        is_final: bool,
    },
    /// Gives back what is left of a hold; its record has that as its amount.
    Release {
        /// Which one.
        hold: TransferId,
    },
    /// The same by the engine, once the hold's time has run out.
    Expiry {
        /// Which one.
        hold: TransferId,
    },
    /// Moves money of a transfer back: its debit account is the one that was paid.
    Reversal {
        /// The transfer.
        original: TransferId,
        /// Whether the account that was paid may be overdrawn by it.
        is_forced: bool,
    },
}

impl Operation {
    /// The word for it.
    pub fn kind(self) -> TransferKind {
        match self {
            Self::Transfer | Self::UpTo { .. } => TransferKind::Transfer,
            Self::Deposit => TransferKind::Deposit,
            Self::Withdrawal => TransferKind::Withdrawal,
            Self::Hold { .. } => TransferKind::Hold,
            Self::Capture { .. } => TransferKind::Capture,
            Self::Release { .. } => TransferKind::Release,
            Self::Expiry { .. } => TransferKind::Expiry,
            Self::Reversal { .. } => TransferKind::Reversal,
        }
    }

    /// Whether it posts to both accounts. What does not stays at the debit account, at its branch alone.
    pub fn moves_money(self) -> bool {
        match self {
            Self::Transfer
            | Self::UpTo { .. }
            | Self::Deposit
            | Self::Withdrawal
            | Self::Capture { .. }
            | Self::Reversal { .. } => true,
            Self::Hold { .. } | Self::Release { .. } | Self::Expiry { .. } => false,
        }
    }

    /// Of one that moves what is available: at most how much.
    pub fn asked(self) -> Option<Amount> {
        match self {
            Self::UpTo { asked } => Some(asked),
            Self::Transfer
            | Self::Deposit
            | Self::Withdrawal
            | Self::Hold { .. }
            | Self::Capture { .. }
            | Self::Release { .. }
            | Self::Expiry { .. }
            | Self::Reversal { .. } => None,
        }
    }

    /// The transfer of which it moves money back.
    pub fn original(self) -> Option<TransferId> {
        match self {
            Self::Reversal { original, .. } => Some(original),
            Self::Transfer
            | Self::UpTo { .. }
            | Self::Deposit
            | Self::Withdrawal
            | Self::Hold { .. }
            | Self::Capture { .. }
            | Self::Release { .. }
            | Self::Expiry { .. } => None,
        }
    }

    /// The hold that it ends or takes from.
    pub fn hold(self) -> Option<TransferId> {
        match self {
            Self::Transfer
            | Self::UpTo { .. }
            | Self::Deposit
            | Self::Withdrawal
            | Self::Hold { .. }
            | Self::Reversal { .. } => None,
            Self::Capture { hold, .. } | Self::Release { hold } | Self::Expiry { hold } => Some(hold),
        }
    }

    /// Whether its accounts, amount and currency follow from the hold that it names.
    pub(crate) fn follows_hold(self) -> bool {
        matches!(self, Self::Release { .. } | Self::Expiry { .. })
    }
}
