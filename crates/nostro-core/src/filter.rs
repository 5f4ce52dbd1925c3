//! Which rows of a list are wanted: the entries of an account, or the holds at it.
//!
//! A row is wanted if it meets everything that is named; a filter that names nothing wants all. The database decides
//! which rows those are; here are only the words and the bounds that belong together.

use crate::account_number::AccountNumber;
use crate::amount::Amount;
use crate::hold::HoldState;
use crate::operation::TransferKind;
use crate::time::Timestamp;
use crate::transfer::Reference;

/// What lists of entries and of holds have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Of this instant or later: when it was posted, or placed.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub to: Option<Timestamp>,
    /// Of so much or more.
    pub amount_min: Option<Amount>,
    /// Of so much or less.
    pub amount_max: Option<Amount>,
    /// With this account on the other side.
    pub counterparty: Option<AccountNumber>,
}

/// Which entries of an account are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryFilter {
    /// When, how much, with whom.
    pub bounds: Bounds,
    /// Left by a transfer of this kind.
    pub kind: Option<TransferKind>,
    /// Of this category.
    pub category: Option<u16>,
    /// With exactly this text.
    pub reference: Option<Reference>,
}

/// Which holds at an account are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HoldFilter {
    /// When, how much, in whose favour.
    pub bounds: Bounds,
    /// As it stands.
    pub state: Option<HoldState>,
}

/// Two bounds between which nothing lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoundsError {
    /// `to` is not later than `from`.
    #[error("to: must be later than from")]
    Time,
    /// `amount_max` is less than `amount_min`.
    #[error("amount_max: must be at least amount_min")]
    Amount,
}

impl Bounds {
    /// Whether something may lie between them.
    pub fn check(&self) -> Result<(), BoundsError> {
        if matches!((self.from, self.to), (Some(from), Some(to)) if from >= to) {
            return Err(BoundsError::Time);
        }
        if matches!((self.amount_min, self.amount_max), (Some(min), Some(max)) if min > max) {
            return Err(BoundsError::Amount);
        }
        Ok(())
    }
}

impl EntryFilter {
    /// Whether it names nothing.
    pub fn wants_all(&self) -> bool {
        *self == Self::default()
    }
}

impl HoldFilter {
    /// Whether it names nothing.
    pub fn wants_all(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_between_which_nothing_lies_are_named() {
        let at = |micros| Some(Timestamp::from_micros(micros));
        let amount = |minor_units| Some(Amount::new(minor_units).unwrap());
        for (from, to, expected) in [
            (None, None, Ok(())),
            (at(5), None, Ok(())),
            (at(5), at(6), Ok(())),
            (at(5), at(5), Err(BoundsError::Time)),
            (at(6), at(5), Err(BoundsError::Time)),
        ] {
            assert_eq!(Bounds { from, to, ..Bounds::default() }.check(), expected);
        }
        for (amount_min, amount_max, expected) in [
            (amount(5), None, Ok(())),
            (amount(5), amount(5), Ok(())),
            (amount(6), amount(5), Err(BoundsError::Amount)),
        ] {
            assert_eq!(Bounds { amount_min, amount_max, ..Bounds::default() }.check(), expected);
        }
        assert!(EntryFilter::default().wants_all() && HoldFilter::default().wants_all());
        assert!(!EntryFilter { category: Some(0), ..EntryFilter::default() }.wants_all());
        assert!(!HoldFilter { state: Some(crate::HoldState::Open), ..HoldFilter::default() }.wants_all());
    }
}
