//! Holds: money that is reserved at an account, to be captured, released, or to expire.
//!
//! A hold belongs to its debit account's branch and is guarded by that account's lock. Capture, release and expiry may
//! race: whichever is decided first under the lock wins, and the others are refused by what it left.

use crate::account_number::AccountNumber;
use crate::amount::{Amount, Balance};
use crate::currency::Currency;
use crate::refusal::Refusal;
use crate::time::Timestamp;
use crate::transfer_id::TransferId;
use crate::word::{self, WordError};
use std::fmt;
use std::str::FromStr;

/// What became of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HoldState {
    /// Something is still reserved.
    Open,
    /// Captured: the whole of it, or a part and the rest released by a final capture.
    Captured,
    /// Released by whoever placed it.
    Released,
    /// Its time ran out.
    Expired,
}

impl HoldState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Open, Self::Captured, Self::Released, Self::Expired];

    /// The word of the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Captured => "captured",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }
}

impl FromStr for HoldState {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        word::read(&Self::ALL, Self::as_str, text)
    }
}

impl fmt::Display for HoldState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A hold as it stands. Its accounts, amount, currency and time never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The transfer that placed it.
    pub id: TransferId,
    /// Where the money is reserved.
    pub debit: AccountNumber,
    /// In whose favour.
    pub credit: AccountNumber,
    /// How much was reserved at first.
    pub amount: Amount,
    /// Of which currency.
    pub currency: Currency,
    /// How much was captured so far, zero or more.
    pub captured: Balance,
    /// How much was given back, by release, expiry or a final capture; zero or more.
    pub released: Balance,
    /// What became of it.
    pub state: HoldState,
    /// From when on it is expired, whether that was booked or not; never if absent.
    pub expires_at: Option<Timestamp>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When the last of it was captured or given back.
    pub ended_at: Option<Timestamp>,
}

impl Hold {
    /// What is still reserved; `None` beyond what a bigint holds, which no hold of ours reaches.
    pub fn remaining(&self) -> Option<Balance> {
        Balance::new(self.amount.minor_units()).minus(self.captured)?.minus(self.released)
    }

    /// Whether it still reserves anything at that instant, or why not.
    pub fn open_at(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.state {
            HoldState::Open if self.is_due(now) => Err(Refusal::HoldExpired),
            HoldState::Open => Ok(()),
            HoldState::Captured => Err(Refusal::HoldCaptured),
            HoldState::Released => Err(Refusal::HoldReleased),
            HoldState::Expired => Err(Refusal::HoldExpired),
        }
    }

    /// Whether its time has run out.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// After a capture; a final one gives the rest back. `None` if less than the amount is left.
    pub(crate) fn captured(self, amount: Amount, is_final: bool, at: Timestamp) -> Option<Self> {
        let rest = self.remaining()?.debited(amount).filter(|rest| *rest >= Balance::ZERO)?;
        let captured = Self { captured: self.captured.credited(amount)?, ..self };
        if is_final || rest == Balance::ZERO { captured.ended(HoldState::Captured, at) } else { Some(captured) }
    }

    /// After all that is left was given back.
    pub(crate) fn ended(self, state: HoldState, at: Timestamp) -> Option<Self> {
        let released = self.released.plus(self.remaining()?)?;
        Some(Self { released, state, ended_at: Some(at), ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold() -> Hold {
        let at = Timestamp::from_micros;
        Hold {
            id: TransferId(uuid::Uuid::nil()),
            debit: "AZ93000000001042".parse().unwrap(),
            credit: "TX25000000001042".parse().unwrap(),
            amount: Amount::new(10).unwrap(),
            currency: "USD".parse().unwrap(),
            captured: Balance::ZERO,
            released: Balance::ZERO,
            state: HoldState::Open,
            expires_at: None,
            placed_at: at(1),
            ended_at: None,
        }
    }

    #[test]
    fn a_hold_that_has_ended_tells_when() {
        let at = Timestamp::from_micros;
        let part = hold().captured(Amount::new(4).unwrap(), false, at(2)).unwrap();
        assert_eq!((part.ended_at, part.remaining()), (None, Some(Balance::new(6))));
        let rest = part.ended(HoldState::Released, at(3)).unwrap();
        assert_eq!((rest.ended_at, rest.released, rest.state), (Some(at(3)), Balance::new(6), HoldState::Released));
        let last = part.captured(Amount::new(6).unwrap(), false, at(4)).unwrap();
        assert_eq!((last.ended_at, last.state), (Some(at(4)), HoldState::Captured));
    }
}
