//! What the reversals of a transfer need to know of it, read under the lock of the account that was paid.
//!
//! That account pays back, so its lock guards how much was paid back so far.

use crate::account_number::AccountNumber;
use crate::amount::{Amount, Balance};
use crate::currency::Currency;
use crate::operation::TransferKind;
use crate::transfer_id::TransferId;

/// A posted transfer and how much of it was reversed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Original {
    /// Its id.
    pub id: TransferId,
    /// What it was.
    pub kind: TransferKind,
    /// Where the money came from, and goes back to.
    pub debit: AccountNumber,
    /// Where it went.
    pub credit: AccountNumber,
    /// How much was moved.
    pub amount: Amount,
    /// Of which currency.
    pub currency: Currency,
    /// How much of it was reversed so far, zero or more.
    pub reversed: Balance,
}

impl Original {
    /// Whether it moved money that may go back. A reversal is not reversed: who erred makes a transfer.
    pub fn is_reversible(&self) -> bool {
        self.kind.is_reversible()
    }

    /// After a reversal of so much; `None` if that is more than is left of it.
    pub(crate) fn reversed_by(self, amount: Amount) -> Option<Self> {
        let reversed = self.reversed.credited(amount)?;
        (reversed.minor_units() <= self.amount.minor_units()).then_some(Self { reversed, ..self })
    }
}
